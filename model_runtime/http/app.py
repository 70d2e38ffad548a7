"""The application: routes, and what every request passes through."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.routing import Match, Route, Router

from model_runtime.http.about import About
from model_runtime.http.answer import Answerer, json_reply
from model_runtime.http.body import Gone
from model_runtime.http.chat import ChatDialect
from model_runtime.http.faults import HttpFault, fault_of
from model_runtime.http.fim import FimDialect
from model_runtime.http.limits import Gate, ServeSettings
from model_runtime.http.llama import LlamaDialect, LlamaPromptDialect
from model_runtime.http.loading import Loading
from model_runtime.http.metrics import Metrics
from model_runtime.http.native import NativeDialect
from model_runtime.http.ollama import OllamaChatDialect, OllamaDialect
from model_runtime.http.openai import OpenAIDialect
from model_runtime.http.paths import advice, meant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from model_runtime.http.dialect import Dialect
    from model_runtime.http.fill import Backend

LLAMA, OPENAI, OLLAMA = LlamaDialect(), OpenAIDialect(), OllamaDialect()
#: The endpoints that fill.
FILLS: dict[str, Dialect] = {
    "/infill": LLAMA,
    "/completion": LlamaPromptDialect(),
    "/v1/completions": OPENAI,
    "/v1/chat/completions": ChatDialect(),
    "/v1/fim/completions": FimDialect(),
    "/api/generate": OLLAMA,
    "/api/chat": OllamaChatDialect(),
    "/remask/infill": NativeDialect(),
}


def build_app(backend: Backend, settings: ServeSettings) -> ASGIApp:
    """Return the ASGI application in front of a backend, which it closes when it ends."""
    gate, metrics, loading = Gate(settings), Metrics(), Loading(backend)
    answerer = Answerer(backend, settings, gate, metrics, loading)
    about = About(backend, answerer, gate, metrics, loading, FILLS)
    routes = [
        *(
            Route(path, answerer.endpoint(dialect), methods=["POST"])
            for path, dialect in FILLS.items()
        ),
        *about.routes,
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        loading.begin()
        try:
            yield
        finally:
            await loading.close()
            await backend.close()

    # A bare router: Starlette's own application answers an exception before it passes it on.
    router = Router(routes, redirect_slashes=False, lifespan=lifespan)
    return Origins(Boundary(router, routes, gate, settings), gate)


class Origins:
    """Gives a browser leave where the gate does, preflights included.

    Args:
        app: what answers.
        gate: who may ask.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate
        self._permitting = CORSMiddleware(
            app,
            # Asked only for origins that are allowed.
            allow_origin_regex=".*",
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            allow_private_network=True,
            expose_headers=["Retry-After"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        app = self._app
        if scope["type"] == "http" and self._gate.permits_page(HTTPConnection(scope)):
            app = self._permitting
        await app(scope, receive, send)


class Boundary:
    """Turns refusals into replies in the endpoint's own dialect, and lets nothing else escape.

    Args:
        app: what answers those who are let in.
        routes: what it knows.
        gate: who is.
        settings: how long a client may take.
    """

    def __init__(
        self, app: ASGIApp, routes: list[Route], gate: Gate, settings: ServeSettings
    ) -> None:
        self._app = app
        self._routes = routes
        self._paths = [route.path for route in routes]
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

        path = meant(scope["path"], self._paths)
        try:
            self._gate.check(HTTPConnection(scope), path)
            # With an application in its scope, the router raises and doesn't answer in plain text.
            meaning = {"path": path, "raw_path": path.encode(), "app": self._app}
            await self._app({**scope, **meaning}, receive, send_in_time)
        except (Gone, TimeoutError):
            return  # nobody listens any more
        except Exception as error:  # noqa: BLE001  # the request's boundary
            fault = self._fault(error, {**scope, "path": path})
            if not has_started:
                await _refusal(path, fault)(scope, receive, send)

    def _fault(self, error: Exception, scope: Scope) -> HttpFault:
        """Return what to tell of an exception."""
        if isinstance(error, HTTPException):
            if error.status_code == 405:  # noqa: PLR2004  # it is its own name
                return HttpFault(405, "wrong_method", self._right_method(scope))
            return HttpFault(
                error.status_code, "no_such_endpoint", advice(scope["path"], self._paths)
            )
        return fault_of(error)

    def _right_method(self, scope: Scope) -> str:
        found = [each for each in self._routes if each.matches(scope)[0] is not Match.NONE]
        methods = sorted(found[0].methods or ()) if found else []
        return f"This endpoint wants {' or '.join(methods)}, and this was {scope['method']}."


def _refusal(path: str, fault: HttpFault) -> Response:
    rooms = {"/v1/": OPENAI, "/api/": OLLAMA}
    by_room = next((each for room, each in rooms.items() if path.startswith(room)), LLAMA)
    dialect = FILLS.get(path, by_room)
    return json_reply(dialect.error(fault), fault.status, fault.headers)
