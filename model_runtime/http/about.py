"""The endpoints that tell about the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from model_runtime.http.answer import json_reply, served_name
from model_runtime.http.faults import HttpFault, StillLoading
from model_runtime.http.ollama import described_model, running_model, shown_model, told_version
from model_runtime.http.openapi import describe
from model_runtime.service.process import version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from model_runtime.http.answer import Answerer
    from model_runtime.http.dialect import Dialect
    from model_runtime.http.fill import Backend
    from model_runtime.http.limits import Gate
    from model_runtime.http.loading import Loading
    from model_runtime.http.metrics import Metrics


class About:
    """Answers what clients ask about the server.

    Args:
        backend: what fills.
        answerer: knows the names.
        gate: counts fills.
        metrics: the figures.
        loading: whether there is a model.
        fills: the endpoints that fill.
    """

    def __init__(
        self,
        backend: Backend,
        answerer: Answerer,
        gate: Gate,
        metrics: Metrics,
        loading: Loading,
        fills: Mapping[str, Dialect],
    ) -> None:
        self._backend = backend
        self._answerer = answerer
        self._gate = gate
        self._metrics = metrics
        self._loading = loading
        self._fills = fills

    @property
    def routes(self) -> list[Route]:
        """Every endpoint here."""
        return [
            Route("/", self.root),
            Route("/health", self.health, methods=["GET", "POST"]),
            Route("/v1/health", self.health, methods=["GET", "POST"]),
            Route("/props", self.props),
            Route("/v1/models", self.models),
            Route("/v1/models/{model:path}", self.model),
            Route("/api/tags", self.tags),
            Route("/api/ps", self.running),
            Route("/api/show", self.show, methods=["POST"]),
            Route("/api/version", self.version),
            Route("/metrics", self.metrics),
            Route("/openapi.json", self.openapi),
        ]

    async def root(self, _request: Request) -> Response:
        """Say that there is somebody."""
        return PlainTextResponse("Remask is running")

    async def health(self, _request: Request) -> Response:
        """Say whether requests can be filled."""
        status = await self._backend.status()
        try:
            self._loading.check()
        except StillLoading as fault:
            about = {"code": fault.status, "message": str(fault), "type": "unavailable_error"}
            told = {"status": "loading model", "progress": fault.share, "error": about}
            return json_reply(told, fault.status, fault.headers)
        name = served_name(status)
        return json_reply({"status": "ok", "model": name, "device": status.device})

    async def props(self, _request: Request) -> Response:
        """Say what llama.cpp's clients ask about a server."""
        status = await self._backend.status()
        name = served_name(status)
        return json_reply(
            {
                "default_generation_settings": {},
                "total_slots": 1,
                "model_alias": name,
                "model_path": name,
                "chat_template": "",
                "modalities": {"vision": False, "audio": False},
                "build_info": f"remask {version()}",
                "remask": {
                    "device": status.device,
                    "is_loaded": status.loaded,
                    "n_running": status.n_running,
                    "n_waiting": status.n_waiting,
                    "problems": status.problems,
                },
            }
        )

    async def models(self, _request: Request) -> Response:
        """List the names that stand for the model, as OpenAI does."""
        names = await self._answerer.model_names()
        return json_reply({"object": "list", "data": [_model(name) for name in names]})

    async def model(self, _request: Request) -> Response:
        """Describe the model, as OpenAI does: by any name it is the one."""
        return json_reply(_model((await self._answerer.model_names())[0]))

    async def tags(self, _request: Request) -> Response:
        """List the names that stand for the model, as Ollama does."""
        names = await self._answerer.model_names()
        return json_reply({"models": [described_model(name) for name in names]})

    async def running(self, _request: Request) -> Response:
        """List the model that is in memory, as Ollama does."""
        status = await self._backend.status()
        rows = [running_model(served_name(status), status)] if status.loaded else []
        return json_reply({"models": rows})

    async def show(self, _request: Request) -> Response:
        """Describe the model, as Ollama does: by any name it is the one."""
        return json_reply(shown_model((await self._answerer.model_names())[0]))

    async def version(self, _request: Request) -> Response:
        """Say which of Ollama's versions this is like."""
        return json_reply(told_version())

    async def metrics(self, _request: Request) -> Response:
        """Return the figures for Prometheus."""
        try:
            status = await self._backend.status()
        except HttpFault:
            status = None
        text = self._metrics.exposition(self._gate.n_open, status)
        return Response(text, media_type="text/plain; version=0.0.4")

    async def openapi(self, _request: Request) -> Response:
        """Return the description of all this."""
        return json_reply(describe(self._fills))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "remask"}
