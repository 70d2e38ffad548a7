"""What features, progress and status may ask of the server: all they know of it.

`RemaskServer` is one; a feature is wired to it in `wiring.py`, and never imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from lsprotocol import types
    from pygls.progress import Progress
    from pygls.protocol import LanguageServerProtocol

    from lsp_server.capabilities import ClientSupport
    from lsp_server.documents import DocumentSnapshot
    from lsp_server.errors import ServerFault
    from lsp_server.fill.alternatives import Alternatives
    from lsp_server.fill.filled import Filled
    from lsp_server.fill.offers import Offers
    from lsp_server.mirror import OpenDocuments
    from lsp_server.next_edit.offers import Offers as NextEditOffers
    from lsp_server.project.around import Project
    from lsp_server.protocol_ext import InfillParams
    from lsp_server.runtime.client import RuntimeClient
    from lsp_server.settings import Settings
    from lsp_server.status_board import StatusBoard
    from model_runtime.protocol import Finished, InfillRequest

T = TypeVar("T")
Handler = TypeVar("Handler", bound="Callable[..., Any]")


class Client(Protocol):
    """The editor at the other end: what it can show, and how to show it."""

    support: ClientSupport

    @property
    def protocol(self) -> LanguageServerProtocol:
        """Sends notifications of our own."""

    @property
    def work_done_progress(self) -> Progress:
        """The client's progress bars."""


class Server(Client, Protocol):
    """One editor's server; `RemaskServer` says of each what it does and raises."""

    settings: Settings
    runtime: RuntimeClient
    status: StatusBoard
    alternatives: Alternatives
    offers: Offers
    next_edits: NextEditOffers
    project: Project
    is_configured: asyncio.Event

    @property
    def documents(self) -> OpenDocuments:
        """The open documents."""

    def feature(self, name: str, options: Any = None, /) -> Callable[[Handler], Handler]:
        """Register a handler of an LSP method."""

    def command(self, name: str, /) -> Callable[[Handler], Handler]:
        """Register a handler of a command."""

    # --- documents and settings -----------------------------------------------------------------

    def snapshot(self, uri: str) -> DocumentSnapshot:
        """Photograph an open document."""

    def others(self, uri: str) -> Iterator[DocumentSnapshot]:
        """Photograph the other open documents that may be shown."""

    def check_allowed(self, snapshot: DocumentSnapshot) -> None:
        """Check that the user lets Remask work on a document."""

    def root_of(self, path: str) -> str:
        """Return the workspace folder of a file."""

    def on_close(self, forget: Callable[[str], None]) -> None:
        """Have a feature told of every document that is closed."""

    def on_ready(self, begin: Callable[[], Awaitable[None]]) -> None:
        """Have something begun once the user's settings are known."""

    async def configured(self) -> None:
        """Go on: the user's settings are known."""

    def forget(self, uri: str) -> None:
        """Forget all of a document that was closed."""

    async def ready(self) -> None:
        """Wait until the user's settings are known."""

    def keep_counts(self) -> None:
        """Write down what became of ghost text so far."""

    # --- work, and what the user hears of it ----------------------------------------------------

    async def infill(self, snapshot: DocumentSnapshot, params: InfillParams) -> Filled:
        """Fill, with progress."""

    async def ask(self, request: InfillRequest) -> Finished:
        """Have the runtime answer; only what keeps the model away is shown."""

    async def answer(self, work: Awaitable[T], *, popup: bool = True) -> T | None:
        """Await a handler's work; a fault is told, and the answer None."""

    def tell(self, fault: ServerFault, *, popup: bool = True) -> None:
        """Say what went wrong."""

    def tell_once(self, text: str) -> None:
        """Write a warning to the client's log, unless it stands there already."""

    def inform(self, text: str) -> None:
        """Show what is no fault."""

    # --- requests to the client -----------------------------------------------------------------

    async def workspace_apply_edit_async(
        self, params: types.ApplyWorkspaceEditParams
    ) -> types.ApplyWorkspaceEditResult:
        """Have the client apply an edit."""

    async def workspace_configuration_async(
        self, params: types.ConfigurationParams
    ) -> Sequence[Any | None]:
        """Ask for settings."""

    async def client_register_capability_async(self, params: types.RegistrationParams) -> None:
        """Ask to be told of something."""
