"""What every engine on another machine does: guard, call, tell what went wrong, fall back."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import msgspec

from model_runtime.engines.base import EngineDescription, ReadingEngine
from model_runtime.engines.remote.call import Call, Server, unless_stopped
from model_runtime.engines.remote.keys import find_key
from model_runtime.engines.remote.privacy import Allowed
from model_runtime.errors import BadRequest, RemoteFailed
from model_runtime.text.explained import as_sent, explained
from model_runtime.text.one_line import as_meant

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from model_runtime.engines.base import CancelToken, Engine, Listener
    from model_runtime.protocol import Finished, InfillRequest, Mode
    from model_runtime.settings import RuntimeSettings

T = TypeVar("T")

# At its usual level it writes a line with the address for each request.
logging.getLogger("httpx2").setLevel(logging.WARNING)


class RemoteEngine(ABC):
    """An engine that asks another machine.

    Args:
        settings: the `remote_` ones.

    Raises:
        BadRequest: they can't be.
    """

    name: ClassVar[str]
    #: For people.
    title: ClassVar[str]
    #: Where it is, unless the settings say; empty where they have to.
    default_url: ClassVar[str] = ""
    default_model: ClassVar[str] = ""
    key_variable: ClassVar[str]
    modes: ClassVar[frozenset[Mode]] = frozenset({"infill", "holes"})

    def __init__(self, settings: RuntimeSettings) -> None:
        url = (settings.remote_url or self.default_url).rstrip("/")
        if not url:
            raise BadRequest(f"engine {self.name!r} needs an address: set remote_url")
        self._settings = settings
        self._allowed = Allowed.parse(settings.remote_files)
        self._server = Server(
            self.title,
            url,
            find_key(self.name, self.key_variable),
            self.key_variable,
            settings.remote_timeout_s,
            settings.remote_tries,
        )
        self._model = settings.remote_model or self.default_model
        self._loop = asyncio.Runner()
        self._call: Call | None = None
        self._local: Engine | None = None

    @abstractmethod
    async def fill(self, call: Call, request: InfillRequest, listener: Listener) -> Finished:
        """Have a request filled.

        Args:
            call: how to reach the server.
            request: holds nothing that may not leave.
            listener: told the text as it comes.

        Raises:
            RemoteFailed: says what went wrong.
        """

    def infill(self, request: InfillRequest, listener: Listener, cancel: CancelToken) -> Finished:
        """Fill the request's spans; see `Engine.infill`."""
        if request.mode not in self.modes:
            raise BadRequest(
                f"{self.title} can't {request.mode}; it can: {', '.join(sorted(self.modes))}"
            )
        request = as_meant(request)
        try:
            shown = self._what_may_leave(request)
            if request.explain:
                return explained(request, self._model or self.name, as_sent(shown))
            finished: Finished = self._loop.run(unless_stopped(self._fill(shown, listener), cancel))
        except RemoteFailed as fault:
            if not self._settings.remote_fallback:
                raise
            listener.notice(f"{fault} Filled on this machine instead.")
        else:
            return finished
        return self._on_this_machine().infill(request, listener, cancel)

    def _ask(
        self,
        path: str,
        ask: Callable[[Call], Awaitable[T]],
        cancel: CancelToken,
    ) -> T:
        """Have something else than a fill done there; never here instead.

        Raises:
            RemoteFailed: the file may not leave, or what went wrong.
        """
        self._check_may_leave(path)

        async def asked() -> T:
            if self._call is None:
                self._call = Call(self._server)
            return await ask(self._call)

        found: T = self._loop.run(unless_stopped(asked(), cancel))
        return found

    def read_ahead(self, must_stop: Callable[[], bool]) -> None:
        """See `ReadingEngine.read_ahead`: where this machine fills, too."""
        if isinstance(self._local, ReadingEngine):
            self._local.read_ahead(must_stop)

    def describe(self) -> EngineDescription:
        """Say where text goes and which files may; see `Engine.describe`."""
        fallback = "; else this machine" if self._settings.remote_fallback else ""
        device = f"at {self._server.url}{fallback}; files that may leave: {self._allowed}"
        return EngineDescription(self._model or self.name, device, loaded=True)

    def close(self) -> None:
        """See `Engine.close`."""
        if self._call is not None:
            self._loop.run(self._call.close())
        self._loop.close()
        if self._local is not None:
            self._local.close()

    async def _fill(self, request: InfillRequest, listener: Listener) -> Finished:
        if self._call is None:
            self._call = Call(self._server)
        return await self.fill(self._call, request, listener)

    def _what_may_leave(self, request: InfillRequest) -> InfillRequest:
        self._check_may_leave(request.path)
        context = tuple(file for file in request.context if self._allowed.may_leave(file.path))
        return msgspec.structs.replace(request, context=context)

    def _check_may_leave(self, path: str) -> None:
        if not self._allowed.may_leave(path):
            raise RemoteFailed(
                f"{path or 'A file without a name'} may not leave this machine for"
                f" {self.title}; the setting remote_files lists what may: {self._allowed}."
            )

    def _on_this_machine(self) -> Engine:
        if self._local is None:
            # Only now, for it takes torch.
            from model_runtime.engines import ENGINES  # noqa: PLC0415

            make: Any = ENGINES.load("local")
            local: Engine = make(self._settings)
            self._local = local
        return self._local
