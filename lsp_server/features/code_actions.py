"""`textDocument/codeAction` and its resolve.

Editors ask on every cursor move, so the list answers at once: syntax only, no model. The `data` of
an action holds all it takes to run it, and resolve runs it. An editor that can't resolve gets a
command in its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from lsprotocol import types

from lsp_server.documents import Span
from lsp_server.errors import BadSelection, ServerFault
from lsp_server.fill.edits import to_workspace_edit
from lsp_server.fill.review import to_reviewed_edit
from lsp_server.protocol_ext import COMMANDS, KIND, InfillParams, Position, Range
from lsp_server.syntax.languages import find_grammar
from lsp_server.syntax.spans import find_holes, find_markers, find_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lsp_server.capabilities import ClientSupport
    from lsp_server.contract import Server
    from lsp_server.documents import DocumentSnapshot
    from lsp_server.protocol_ext import Scope
    from lsp_server.settings import Settings
    from model_runtime.protocol import Mode

#: The syntax of a larger file is not looked at for the list: the list has to be there in 20 ms.
_MAX_PARSED = 60_000

#: The kind of the repair of what a diagnostic points at.
FIX_KIND = "quickfix.remask.repair"
#: The kind of what follows from the last edit.
NEXT_EDIT_KIND = f"{KIND}.nextEdit"
#: Diagnostics that get one; characters of a message that the model sees, and of a title.
_MAX_FIXES = 3
_MAX_MESSAGE = 500
_MAX_TITLE = 60

_COMMAND_OF = {mode: name for name, mode in COMMANDS.items()}


@dataclass(frozen=True)
class Offer:
    """One entry of the list, before it becomes a code action."""

    title: str
    mode: Mode
    scope: Scope = "selection"
    instruction: str = ""
    #: What it is to work on; None for the selection.
    span: Span | None = None
    diagnostic: types.Diagnostic | None = None
    #: Where in the span a diagnostic points; None for nowhere, or all of it.
    told: types.Range | None = None
    #: The part of the kind after the mode; none by default.
    extra: str = field(default="", kw_only=True)

    @property
    def kind(self) -> str:
        """The code action's kind."""
        if self.diagnostic:
            return FIX_KIND
        return ".".join(filter(None, [KIND, self.mode, self.extra]))


def find_offers(
    snapshot: DocumentSnapshot,
    selection: Span,
    settings: Settings,
    diagnostics: Sequence[types.Diagnostic] = (),
) -> Iterator[Offer]:
    """Yield what makes sense for a selection."""
    text = snapshot.text[selection.start : selection.end]
    if text.strip():
        yield Offer("Infill selection", "infill")
        yield Offer("Rewrite selection", "rewrite")
        yield told_repair(snapshot, selection, diagnostics)
    elif text:
        yield Offer("Infill selection", "infill")
    else:
        yield Offer("Infill here", "infill")
        yield from _find_scopes(snapshot, selection)
    place = selection if text else Span(0, len(snapshot.text))
    if len(snapshot.text) > _MAX_PARSED:
        holes = find_markers(snapshot.text, settings.hole_marker, place)
    else:
        holes = find_holes(snapshot, settings.hole_marker, place)
    if holes:
        where = "selection" if text else "document"
        plural = "s" if len(holes) > 1 else ""
        yield Offer(f"Fill {len(holes)} hole{plural} in {where}", "holes")


def told_repair(
    snapshot: DocumentSnapshot, selection: Span, diagnostics: Sequence[types.Diagnostic]
) -> Offer:
    """Return the repair of a selection; the first diagnostic that lies in it goes with it."""
    for diagnostic in diagnostics:
        if diagnostic.range.end.line >= snapshot.lines.n_lines:
            continue
        place = snapshot.span_of(diagnostic.range)
        if selection.start <= place.start and place.end <= selection.end:
            message = diagnostic.message.strip()[:_MAX_MESSAGE]
            return Offer("Repair selection", "repair", instruction=message, told=diagnostic.range)
    return Offer("Repair selection", "repair")


def find_fixes(
    snapshot: DocumentSnapshot, diagnostics: Sequence[types.Diagnostic]
) -> Iterator[Offer]:
    """Yield a repair of the lines that each diagnostic points at; its message goes with it."""
    for diagnostic in diagnostics[:_MAX_FIXES]:
        first, last = diagnostic.range.start.line, diagnostic.range.end.line
        if last >= snapshot.lines.n_lines:
            continue
        start, end = snapshot.lines.line(first).start, snapshot.lines.line(last).end
        text = snapshot.text[start:end]
        if not text.strip():
            continue
        span = Span(end - len(text.lstrip()), start + len(text.rstrip()))
        message = diagnostic.message.strip()[:_MAX_MESSAGE]
        title = f"Repair: {message.partition(chr(10))[0][:_MAX_TITLE]}"
        place = snapshot.span_of(diagnostic.range)
        is_inside = span.start <= place.start < place.end <= span.end
        yield Offer(
            title,
            "repair",
            instruction=message,
            span=span,
            diagnostic=diagnostic,
            told=diagnostic.range if is_inside else None,
        )


def _find_scopes(snapshot: DocumentSnapshot, selection: Span) -> Iterator[Offer]:
    if find_grammar(snapshot.language) is None or len(snapshot.text) > _MAX_PARSED:
        return
    scopes: tuple[Scope, ...] = ("expression", "statement", "body")
    for scope in scopes:
        try:
            find_node(snapshot, selection, scope)
        except BadSelection:
            continue
        title = "function body" if scope == "body" else scope
        yield Offer(f"Infill {title}", "infill", scope, extra=scope)


def is_wanted(kind: str, only: Sequence[str] | None) -> bool:
    """Return whether a kind is one of those asked for, or below one of them."""
    return only is None or any(not a or kind == a or kind.startswith(f"{a}.") for a in only)


def offer_actions(
    snapshot: DocumentSnapshot,
    params: types.CodeActionParams,
    settings: Settings,
    support: ClientSupport,
) -> list[types.CodeAction]:
    """Return the code actions for a selection; nothing in them is computed yet.

    Raises:
        BadSelection: it is not inside the document.
    """
    only = params.context.only
    offers: list[Offer] = []
    if _may_want(KIND, only):
        selection = snapshot.span_of(params.range)
        offers += find_offers(snapshot, selection, settings, params.context.diagnostics)
    if _may_want(FIX_KIND, only):
        offers += find_fixes(snapshot, params.context.diagnostics)
    return [
        _to_action(offer, snapshot, params.range, support)
        for offer in offers
        if is_wanted(offer.kind, only)
    ]


def _may_want(kind: str, only: Sequence[str] | None) -> bool:
    """Return whether a kind, or one below it, is among those asked for."""
    return only is None or any(is_wanted(kind, [a]) or is_wanted(a, [kind]) for a in only)


def _to_action(
    offer: Offer, snapshot: DocumentSnapshot, selected: types.Range, support: ClientSupport
) -> types.CodeAction:
    if offer.span is not None:
        selected = snapshot.range_of(offer.span)
    place = _as_range(selected)
    is_whole = offer.mode == "holes" and place.start == place.end
    data = msgspec.to_builtins(
        InfillParams(
            uri=snapshot.uri,
            ranges=() if is_whole else (place,),
            version=snapshot.version,
            mode=offer.mode,
            scope=offer.scope,
            instruction=offer.instruction,
            told=_as_range(offer.told) if offer.told else None,
        )
    )
    action = types.CodeAction(title=offer.title, kind=offer.kind)
    if offer.diagnostic:
        action.diagnostics = [offer.diagnostic]
    if support.generated_tag:
        action.tags = [types.CodeActionTag.LlmGenerated]
    if support.resolves_edits:
        action.data = data
    else:
        name = _COMMAND_OF[offer.mode]
        action.command = types.Command(title=offer.title, command=name, arguments=[data])
    return action


def _as_range(selected: types.Range) -> Range:
    start, end = selected.start, selected.end
    return Range(Position(start.line, start.character), Position(end.line, end.character))


def next_edit_actions(
    server: Server, snapshot: DocumentSnapshot, only: Sequence[str] | None
) -> list[types.CodeAction]:
    """Return the action that takes what was found to follow from the last edit, if there is any."""
    offer = server.next_edits.current(snapshot)
    if offer is None or not is_wanted(NEXT_EDIT_KIND, only):
        return []
    edit = to_workspace_edit(snapshot, offer.edits, versioned=server.support.versioned_edits)
    return [types.CodeAction(title=offer.title, kind=NEXT_EDIT_KIND, edit=edit)]


def disabled_action(fault: ServerFault, only: Sequence[str] | None) -> list[types.CodeAction]:
    """Return the one action that says why there is none."""
    kind = f"{KIND}.infill"
    if not is_wanted(kind, only):
        return []
    reason = types.CodeActionDisabled(reason=str(fault))
    return [types.CodeAction(title="Infill selection", kind=kind, disabled=reason)]


def register(server: Server) -> None:
    """Offer code actions, and resolve them."""

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(code_action_kinds=[KIND, FIX_KIND], resolve_provider=True),
    )
    def list_actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        try:
            snapshot = server.snapshot(params.text_document.uri)
            server.check_allowed(snapshot)
            offered = offer_actions(snapshot, params, server.settings, server.support)
            return [*next_edit_actions(server, snapshot, params.context.only), *offered]
        except ServerFault as fault:
            disabled = server.support.disabled_actions
            return disabled_action(fault, params.context.only) if disabled else []

    @server.feature(types.CODE_ACTION_RESOLVE)
    async def resolve_action(action: types.CodeAction) -> types.CodeAction:
        edit = await server.answer(_resolve(server, action))
        if edit is not None:
            action.edit = edit
        return action


async def _resolve(server: Server, action: types.CodeAction) -> types.WorkspaceEdit:
    try:
        params = msgspec.convert(action.data, InfillParams)
    except msgspec.ValidationError as error:
        raise BadSelection(f"This code action is not one of Remask's: {error}.") from error
    snapshot = server.snapshot(params.uri)
    filled = await server.infill(snapshot, params)
    if filled.silence:
        server.inform(filled.silence)
    return to_reviewed_edit(
        filled,
        server.settings.review,
        versioned=server.support.versioned_edits,
        annotated=server.support.annotated_edits,
    )
