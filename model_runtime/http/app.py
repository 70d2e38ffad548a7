"""The application: routes, and what every request passes through."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route, Router

from model_runtime.http.answer import Answerer, Gone, json_reply, served_name
from model_runtime.http.faults import HttpFault
from model_runtime.http.fim import FimDialect
from model_runtime.http.limits import Gate, ServeSettings
from model_runtime.http.llama import LlamaDialect
from model_runtime.http.metrics import Metrics
from model_runtime.http.native import NativeDialect
from model_runtime.http.openai import OpenAIDialect
from model_runtime.http.openapi import describe
from model_runtime.service.process import version
from model_runtime.service.worker import log_bug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from model_runtime.http.dialect import Dialect
    from model_runtime.http.fill import Backend

LLAMA, OPENAI, FIM = LlamaDialect(), OpenAIDialect(), FimDialect()
#: The endpoints that fill.
FILLS: dict[str, Dialect] = {
    "/infill": LLAMA,
    "/v1/completions": OPENAI,
    "/v1/fim/completions": FIM,
    "/remask/infill": NativeDialect(),
}


def build_app(backend: Backend, settings: ServeSettings) -> ASGIApp:
    """Return the ASGI application in front of a backend, which it closes when it ends."""
    gate, metrics = Gate(settings), Metrics()
    answerer = Answerer(backend, settings, gate, metrics)
    about = About(backend, answerer, gate, metrics)
    routes = [
        *(
            Route(path, answerer.endpoint(dialect), methods=["POST"])
            for path, dialect in FILLS.items()
        ),
        Route("/health", about.health),
        Route("/v1/health", about.health),
        Route("/props", about.props),
        Route("/v1/models", about.models),
        Route("/metrics", about.metrics),
        Route("/openapi.json", about.openapi),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await backend.close()

    app: ASGIApp = Boundary(
        # A bare router: Starlette's own application answers an exception before it passes it on.
        Router(routes, redirect_slashes=False, lifespan=lifespan),
        gate,
        settings,
    )
    if settings.allow_origins:
        app = CORSMiddleware(
            app,
            allow_origins=settings.allow_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )
    return app


class Boundary:
    """Turns refusals into replies in the endpoint's own dialect, and lets nothing else escape.

    Args:
        app: what answers those who are let in.
        gate: who is.
        settings: how long a client may take.
    """

    def __init__(self, app: ASGIApp, gate: Gate, settings: ServeSettings) -> None:
        self._app = app
        self._gate = gate
        self._patience_s = settings.patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def send_in_time(message: Message) -> None:
            nonlocal has_started
            has_started = True
            async with asyncio.timeout(self._patience_s):
                await send(message)

        try:
            self._gate.check(HTTPConnection(scope))
            # With an application in its scope, the router raises and doesn't answer in plain text.
            await self._app({**scope, "app": self._app}, receive, send_in_time)
        except (Gone, TimeoutError):
            return  # nobody listens any more
        except Exception as error:  # noqa: BLE001  # the request's boundary
            if not has_started:
                await _refusal(scope["path"], _fault(error))(scope, receive, send)


def _fault(error: Exception) -> HttpFault:
    """Return what to tell of an exception."""
    if isinstance(error, HttpFault):
        return error
    if isinstance(error, HTTPException):
        return HttpFault(error.status_code, "no_such_endpoint", str(error.detail))
    reference = log_bug(error)
    return HttpFault(500, "internal", f"The server hit a bug, number {reference} in its log.")


def _refusal(path: str, fault: HttpFault) -> Response:
    dialect = FILLS.get(path, OPENAI if path.startswith("/v1/") else LLAMA)
    return json_reply(dialect.error(fault), fault.status, fault.headers)


class About:
    """The endpoints that tell about the server."""

    def __init__(self, backend: Backend, answerer: Answerer, gate: Gate, metrics: Metrics) -> None:
        self._backend = backend
        self._answerer = answerer
        self._gate = gate
        self._metrics = metrics

    async def health(self, _request: Request) -> Response:
        """Say whether requests can be filled."""
        await self._backend.status()
        return json_reply({"status": "ok"})

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
        names = self._answerer.model_names(await self._backend.status())
        rows: list[dict[str, Any]] = [
            {"id": name, "object": "model", "created": 0, "owned_by": "remask"} for name in names
        ]
        return json_reply({"object": "list", "data": rows})

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
        return json_reply(describe(FILLS))
