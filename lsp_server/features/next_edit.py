"""`remask/nextEdit`: after an edit, the places that no longer fit.

Asked for by clients that draw it; for all others the server asks by itself once the user pauses,
and a code action offers what was found. Nobody waits for it, so nothing that goes wrong here is
shown: there is no offer then.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from typing import TYPE_CHECKING, Any

import msgspec
from lsprotocol import types

from lsp_server.errors import InfillFailed, ServerFault
from lsp_server.features.scores import plain
from lsp_server.fill.edits import check_current, to_newlines
from lsp_server.newest import Newest
from lsp_server.next_edit.asking import build_request, build_request_elsewhere
from lsp_server.next_edit.recent import RecentEdits
from lsp_server.paths import relative_path
from lsp_server.progress import plain_range
from lsp_server.protocol_ext import (
    COPILOT_INLINE_EDIT,
    DISMISS_NEXT_EDIT,
    NEXT_EDIT,
    NextEdit,
    NextEditParams,
    NextEditResult,
)
from model_runtime.protocol import LEAST_CONFIDENCE

if TYPE_CHECKING:
    from lsp_server.contract import Server
    from lsp_server.documents import DocumentSnapshot
    from lsp_server.next_edit.changes import Change
    from lsp_server.next_edit.offers import Offer
    from model_runtime.protocol import NextEditRequest

LOG = logging.getLogger(__name__)

_MILLISECONDS = 1000
_NOT_THERE = "stopped", "failed"
#: Other files that are looked at, and the characters they may have.
MAX_OTHERS = 3
MAX_OTHER = 50_000


def register(server: Server) -> None:
    """Follow what the user edits, and offer what follows from it."""
    following = Following(server)
    server.on_close(following.close)

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def did_open(params: types.DidOpenTextDocumentParams) -> None:
        following.open(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def did_change(params: types.DidChangeTextDocumentParams) -> None:
        following.change(params.text_document.uri)

    @server.feature(NEXT_EDIT)
    async def next_edit(raw: Any) -> Any:
        try:
            params = msgspec.convert(plain(raw), NextEditParams)
        except msgspec.ValidationError:
            return None
        found = await following.ask(params)
        return msgspec.to_builtins(found) if found else None

    @server.feature(DISMISS_NEXT_EDIT)
    def dismiss(raw: Any) -> None:
        with contextlib.suppress(msgspec.ValidationError):
            server.next_edits.dismiss(msgspec.convert(plain(raw), NextEditParams).uri)

    @server.feature(COPILOT_INLINE_EDIT)
    async def copilot(raw: Any) -> Any:
        return {"edits": await _copilot(server, following, plain(raw))}


class Following:
    """Keeps the recent edits of the open documents, and asks what follows from the last one."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._recent = RecentEdits()
        self._newest = Newest()
        self._waiting: dict[str, asyncio.Task[None]] = {}

    def open(self, uri: str) -> None:
        """Begin with a document: nothing was edited yet."""
        if document := self._server.documents.opened(uri):
            self._recent.open(uri, to_newlines(document.source))

    def close(self, uri: str) -> None:
        """Forget a document, and what is being asked of it."""
        self._give_up(uri)
        self._recent.close(uri)
        self._server.next_edits.forget(uri)

    def change(self, uri: str) -> None:
        """Take a change; where the client doesn't ask itself, ask once it is quiet."""
        document = self._server.documents.opened(uri)
        if document is None:
            return
        self._recent.change(uri, to_newlines(document.source))
        self._give_up(uri)
        self._server.next_edits.withdraw(uri)
        if not self._server.support.next_edit and self._server.settings.next_edit.enabled:
            self._waiting[uri] = asyncio.ensure_future(self._ask_when_quiet(uri))

    def _give_up(self, uri: str) -> None:
        self._newest.drop(uri)
        if task := self._waiting.pop(uri, None):
            task.cancel()

    async def ask(self, params: NextEditParams) -> NextEditResult | None:
        """Return what follows from the last edit of a document; None where nothing does."""
        return await self._server.answer(self._ask(params), popup=False)

    async def _ask(self, params: NextEditParams) -> NextEditResult | None:
        cursor = None
        if task := self._waiting.pop(params.uri, None):
            task.cancel()
        try:
            snapshot = self._server.snapshot(params.uri)
            if params.version not in (None, snapshot.version):
                return None
            if params.position is not None:
                cursor = snapshot.lines.offset_at(params.position)
            # All of it, other files too: what is given up must not go on with the next of them.
            offer = await self._newest.run(snapshot.uri, self._offer(snapshot, cursor))
        except ServerFault as fault:
            LOG.info("no next edit: %s", fault)
            return None
        if offer is None:
            return None
        place, is_here = offer.snapshot, offer.snapshot.uri == snapshot.uri
        edits = offer.from_place(cursor) if is_here and cursor is not None else offer.edits
        return NextEditResult(
            place.version,
            tuple(NextEdit(plain_range(place.range_of(edit.span)), edit.text) for edit in edits),
            title=offer.title,
            confidence=round(offer.confidence, 3),
            uri="" if is_here else place.uri,
        )

    async def _ask_when_quiet(self, uri: str) -> None:
        await asyncio.sleep(self._server.settings.next_edit.debounce_ms / _MILLISECONDS)
        self._waiting.pop(uri, None)
        await self.ask(NextEditParams(uri))

    async def _offer(self, snapshot: DocumentSnapshot, cursor: int | None) -> Offer | None:
        server = self._server
        await server.ready()
        settings = server.settings
        if not settings.next_edit.enabled:
            return None
        server.check_allowed(snapshot)
        changes = self._recent.last(snapshot.uri)
        if not changes or self._recent.is_reversal(snapshot.uri, changes[0].old, changes[0].new):
            return None
        text = to_newlines(snapshot.text)
        values: dict[str, Any] = {
            "path": relative_path(snapshot.path, server.root_of(snapshot.path)),
            "document": snapshot.uri,
            "least_confidence": LEAST_CONFIDENCE[settings.inline.eagerness],
            "deadline_s": settings.next_edit.deadline_seconds,
        }
        request = build_request(snapshot.language, text, changes, **values)
        offer = await self._found(snapshot, snapshot, request, changes, cursor)
        others = self._others(snapshot) if offer is None else []
        for other in others:
            request = build_request_elsewhere(
                snapshot.language, text, changes, to_newlines(other.text), **values
            )
            if offer := await self._found(snapshot, other, request, changes, None):
                break
        return offer

    def _others(self, snapshot: DocumentSnapshot) -> list[DocumentSnapshot]:
        """Return the other open documents that may be looked at, the one used last first."""
        if not self._server.settings.next_edit.other_files:
            return []
        others = (
            other
            for other in self._server.others(snapshot.uri)
            if other.language == snapshot.language and len(other.text) <= MAX_OTHER
        )
        return list(itertools.islice(others, MAX_OTHERS))

    async def _found(
        self,
        snapshot: DocumentSnapshot,
        target: DocumentSnapshot,
        request: NextEditRequest | None,
        changes: list[Change],
        cursor: int | None,
    ) -> Offer | None:
        """Ask the runtime, and keep what it finds for a document, this one or another."""
        if request is None:
            return None
        server = self._server
        if server.runtime.state.value in _NOT_THERE and not server.settings.inline.enabled:
            # Whoever wants no ghost text has not asked that typing start a runtime, nor that a
            # model come down.
            return None
        try:
            found = await server.runtime.next_edits(request)
        except InfillFailed as fault:
            if fault.code == "unsupported_pairing":
                server.tell_once(str(fault))
            raise
        for one in (snapshot, target):
            check_current(one, server.documents.opened(one.uri))
        return server.next_edits.make(target, changes, found.proposals, cursor, snapshot.uri)


async def _copilot(server: Server, following: Following, raw: Any) -> list[dict[str, Any]]:
    """Answer a client that takes Remask for GitHub's server, where the user wants that."""
    await server.ready()
    if not server.settings.next_edit.copilot:
        return []
    try:
        params = msgspec.convert(
            {**raw["textDocument"], "position": raw["position"]}, NextEditParams
        )
    except (KeyError, TypeError, msgspec.ValidationError):
        return []
    found = await following.ask(params)
    if found is not None and found.uri:
        # Their clients look for edits of the document that they ask about.
        found = None
    place = {"uri": params.uri, "version": found.version if found else None}
    return [
        {**msgspec.to_builtins(edit), "textDocument": place}
        for edit in (found.edits if found else ())
    ]
