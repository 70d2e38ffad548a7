"""The language server: its state, and the walk from a request to an edit that features share.

Features register themselves, one LSP feature a file. The model lives in another process, so this
one starts fast, keeps answering while the model works, and outlives it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

import msgspec
from pygls.uris import to_fs_path

from lsp_server import version
from lsp_server.capabilities import ClientSupport
from lsp_server.documents import DocumentSnapshot
from lsp_server.errors import InfillFailed, StaleResult, UnsupportedDocument
from lsp_server.fill.alternatives import Alternatives
from lsp_server.fill.edits import check_current
from lsp_server.fill.infill import check_allowed, make_plan, with_context
from lsp_server.fill.offers import Offers
from lsp_server.mirror import OpenDocuments
from lsp_server.next_edit.offers import Offers as NextEditOffers
from lsp_server.notebooks import SYNC, in_notebook
from lsp_server.paths import is_ignored, is_inside, spellings
from lsp_server.progress import Progress, Reporter
from lsp_server.project.around import Project
from lsp_server.pygls_protocol import RemaskProtocol
from lsp_server.settings import Settings
from lsp_server.status_board import StatusBoard
from lsp_server.tally import Tally, tally_path
from lsp_server.telling import TellingServer
from model_runtime.protocol import Notice

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from typing import Any

    from lsp_server.fill.filled import Filled
    from lsp_server.protocol_ext import InfillParams
    from lsp_server.runtime.client import RuntimeClient, RuntimeState
    from lsp_server.tally import End
    from model_runtime.protocol import Finished, InfillRequest, StepReport

T = TypeVar("T")


#: Seconds that an edit waits to be told what of other files to show.
PATIENCE_S = 5.0


class RemaskServer(TellingServer):
    """One editor's server.

    Args:
        runtime: the way to the model. The server closes it when it shuts down.
    """

    def __init__(self, runtime: RuntimeClient) -> None:
        super().__init__(
            "remask", version(), protocol_cls=RemaskProtocol, notebook_document_sync=SYNC
        )
        self.runtime = runtime
        self.alternatives = Alternatives(runtime)
        self.tally = Tally(tally_path())
        self.offers = Offers(self._count)
        self.settings = Settings()
        self.is_configured = asyncio.Event()
        #: Seconds that an editor may take to tell its settings; then the defaults count.
        self.settings_wait_s = 5.0
        self.support = ClientSupport()
        self.status = StatusBoard(self)
        self.next_edits = NextEditOffers()
        self.project = Project(self)
        self._on_close: list[Callable[[str], None]] = []
        self._on_ready: list[Callable[[], Awaitable[None]]] = []
        #: Whether the runtime that runs has filled something: its model is there.
        self._has_answered = False
        runtime.on_state(self._take_state)

    @property
    def documents(self) -> OpenDocuments:
        """The open documents."""
        workspace = self.workspace
        assert isinstance(workspace, OpenDocuments), "the client has not initialized"  # noqa: S101
        return workspace

    def snapshot(self, uri: str) -> DocumentSnapshot:
        """Photograph an open document, and remember it as the one used last.

        Raises:
            UnsupportedDocument: not open, or binary.
        """
        document = self.documents.opened(uri)
        if document is None:
            raise UnsupportedDocument(f"{uri} is not open in the editor. Open it and try again.")
        self.documents.touch(uri)
        snapshot = DocumentSnapshot.take(document, self.documents.encoding)
        return in_notebook(snapshot, self.documents)

    def check_allowed(self, snapshot: DocumentSnapshot) -> None:
        """Check that the user lets Remask work on a document.

        Raises:
            UnsupportedDocument: the settings say no.
        """
        check_allowed(snapshot, self.settings, self.root_of(snapshot.path))

    def others(self, uri: str) -> Iterator[DocumentSnapshot]:
        """Photograph the other open documents that may be shown, the one used last first.

        What git leaves out of a repository is made by a program, or is nobody else's business.
        """
        for document in self.documents.recent():
            if document.uri != uri:
                with contextlib.suppress(UnsupportedDocument):
                    snapshot = DocumentSnapshot.take(document, self.documents.encoding)
                    self.check_allowed(snapshot)
                    if not is_ignored(snapshot.path, self.root_of(snapshot.path)):
                        yield snapshot

    def on_close(self, forget: Callable[[str], None]) -> None:
        """Have a feature told of every document that is closed: what it keeps of it is to go."""
        self._on_close.append(forget)

    def on_ready(self, begin: Callable[[], Awaitable[None]]) -> None:
        """Have something begun once the user's settings are known."""
        self._on_ready.append(begin)

    async def configured(self) -> None:
        """Go on: the user's settings are known."""
        self.is_configured.set()
        for begin in self._on_ready:
            await begin()

    def forget(self, uri: str) -> None:
        """Forget all of a document that was closed."""
        own = (self.offers.forget, self.alternatives.forget, self.project.forget)
        for forget in (*self._on_close, *own):
            forget(uri)

    def roots(self) -> list[str]:
        """Return the workspace folders."""
        folders = [folder.uri for folder in self.workspace.folders.values()]
        roots = [to_fs_path(uri) or "" for uri in [self.workspace.root_uri, *folders] if uri]
        return [root for root in dict.fromkeys(roots) if root]

    def root_of(self, path: str) -> str:
        """Return the innermost workspace folder a file lies in; empty for none."""
        holding = (root for root in self.roots() if is_inside(path, root))
        return max(holding, key=lambda root: len(spellings(root)[-1]), default="")

    def _count(self, language: str, confidence: float | None, end: End) -> None:
        if self.settings.inline.statistics:
            self.tally.end(language, confidence, end)

    def keep_counts(self) -> None:
        """Write down what became of ghost text so far; what stands open is passed over."""
        self.offers.end_all()
        self.tally.flush()

    async def ready(self) -> None:
        """Wait until the user's settings are known: they may forbid what is about to be done."""
        try:
            async with asyncio.timeout(self.settings_wait_s):
                await self.is_configured.wait()
        except TimeoutError:
            self.is_configured.set()
            self.tell_once("The editor does not tell its settings. Until it does, defaults count.")

    async def infill(self, snapshot: DocumentSnapshot, params: InfillParams) -> Filled:
        """Fill, with progress, and check that the document is still what it was.

        Raises:
            ServerFault: no edit; its message says why. One that the user cancelled is quiet.
            asyncio.CancelledError: the client gave the request up.
        """
        if params.version not in (None, snapshot.version):
            raise StaleResult("The document changed since this was asked for. Ask again.")
        await self.ready()
        root = self.root_of(snapshot.path)
        plan = make_plan(snapshot, params, self.settings, root=root)
        place, n_bytes = plan.spans[0].start, self.settings.context_bytes
        context = await self.project.around(snapshot, place, n_bytes, PATIENCE_S)
        plan = with_context(plan, context)
        self.project.remember(plan.request)
        reporter = Reporter(self, plan)
        try:
            work = self.alternatives.fill(plan, params, reporter)
            filled = await self._waited_for(work, reporter.progress)
        finally:
            reporter.end()
        check_current(snapshot, self.documents.opened(snapshot.uri))
        self.status.filled(filled.finished)
        if filled.no_judge:
            self.tell_once(filled.no_judge)
        if filled.warning:
            self.inform(filled.warning)
        return filled

    async def ask(self, request: InfillRequest) -> Finished:
        """Have the runtime answer what is too quick to show its progress.

        Shown is what keeps the model away: it may have to be downloaded, once. Until it has
        answered for the first time, its answer is waited for.

        Raises:
            ServerFault: there is none; its message says why.
            asyncio.CancelledError: the client gave the request up.
        """
        progress = Progress(self, "Remask")

        def hear(report: StepReport | Notice) -> None:
            if isinstance(report, Notice):
                progress.report(report.text)
                self.status.say(report.text)

        if not self._has_answered:
            request = msgspec.structs.replace(request, deadline_s=None)
        try:
            work = self.runtime.infill(request, hear)
            return await self._waited_for(work, progress)
        finally:
            progress.end()

    async def _waited_for(self, work: Coroutine[Any, Any, T], progress: Progress) -> T:
        """Await what the runtime does, and end it where the user cancels its progress."""
        task = asyncio.create_task(work)
        progress.on_cancel = task.cancel
        self.status.waiting(1)
        try:
            done = await task
        except asyncio.CancelledError:
            if progress.cancelled:
                raise InfillFailed("cancelled", "Cancelled.") from None
            raise
        finally:
            self.status.waiting(-1)
        self._has_answered = True
        return done

    def _take_state(self, state: RuntimeState) -> None:
        # What is started anew has to load its model anew.
        self._has_answered = self._has_answered and state.value == "running"
