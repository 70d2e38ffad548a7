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

from lsp_server.edits import to_workspace_edit
from lsp_server.errors import BadSelection, ServerFault
from lsp_server.infill import UNCHANGED
from lsp_server.protocol_ext import COMMANDS, KIND, InfillParams, Position, Range
from lsp_server.syntax.languages import find_grammar
from lsp_server.syntax.spans import find_markers, find_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lsp_server.capabilities import ClientSupport
    from lsp_server.documents import DocumentSnapshot, Span
    from lsp_server.protocol_ext import Scope
    from lsp_server.server import RemaskServer
    from lsp_server.settings import Settings
    from model_runtime.protocol import Mode

#: The syntax of a larger file is not looked at for the list: the list has to be there in 20 ms.
_MAX_PARSED = 60_000

_COMMAND_OF = {mode: name for name, mode in COMMANDS.items()}


@dataclass(frozen=True)
class Offer:
    """One entry of the list, before it becomes a code action."""

    title: str
    mode: Mode
    scope: Scope = "selection"
    instruction: str = ""
    ranges: tuple[Range, ...] | None = None
    #: The part of the kind after the mode; none by default.
    extra: str = field(default="", kw_only=True)

    @property
    def kind(self) -> str:
        """The code action's kind."""
        return ".".join(filter(None, [KIND, self.mode, self.extra]))


def find_offers(snapshot: DocumentSnapshot, selection: Span, settings: Settings) -> Iterator[Offer]:
    """Yield what makes sense for a selection."""
    text = snapshot.text[selection.start : selection.end]
    if text.strip():
        yield Offer("Infill selection", "infill")
        yield Offer("Rewrite selection", "rewrite")
        yield Offer("Repair selection", "repair")
    elif text:
        yield Offer("Infill selection", "infill")
    else:
        yield Offer("Infill here", "infill")
        yield from _find_scopes(snapshot, selection)
    whole = selection._replace(start=0, end=len(snapshot.text))
    holes = find_markers(snapshot.text, settings.hole_marker, selection if text else whole)
    if holes:
        where = "selection" if text else "document"
        plural = "s" if len(holes) > 1 else ""
        yield Offer(f"Fill {len(holes)} hole{plural} in {where}", "holes")


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
    if only is not None and not any(is_wanted(KIND, [a]) or is_wanted(a, [KIND]) for a in only):
        return []
    selection = snapshot.span_of(params.range)
    return [
        _to_action(offer, snapshot, params.range, support)
        for offer in find_offers(snapshot, selection, settings)
        if is_wanted(offer.kind, only)
    ]


def _to_action(
    offer: Offer, snapshot: DocumentSnapshot, selected: types.Range, support: ClientSupport
) -> types.CodeAction:
    start, end = selected.start, selected.end
    place = Range(Position(start.line, start.character), Position(end.line, end.character))
    is_whole = offer.mode == "holes" and place.start == place.end
    data = msgspec.to_builtins(
        InfillParams(
            uri=snapshot.uri,
            ranges=() if is_whole else (place,),
            version=snapshot.version,
            mode=offer.mode,
            scope=offer.scope,
        )
    )
    action = types.CodeAction(title=offer.title, kind=offer.kind)
    if support.generated_tag:
        action.tags = [types.CodeActionTag.LlmGenerated]
    if support.resolves_edits:
        action.data = data
    else:
        name = _COMMAND_OF[offer.mode]
        action.command = types.Command(title=offer.title, command=name, arguments=[data])
    return action


def disabled_action(fault: ServerFault, only: Sequence[str] | None) -> list[types.CodeAction]:
    """Return the one action that says why there is none."""
    kind = f"{KIND}.infill"
    if not is_wanted(kind, only):
        return []
    reason = types.CodeActionDisabled(reason=str(fault))
    return [types.CodeAction(title="Infill selection", kind=kind, disabled=reason)]


def register(server: RemaskServer) -> None:
    """Offer code actions, and resolve them."""

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(code_action_kinds=[KIND], resolve_provider=True),
    )
    def list_actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        try:
            snapshot = server.snapshot(params.text_document.uri)
            server.check_allowed(snapshot)
            return offer_actions(snapshot, params, server.settings, server.support)
        except ServerFault as fault:
            disabled = server.support.disabled_actions
            return disabled_action(fault, params.context.only) if disabled else []

    @server.feature(types.CODE_ACTION_RESOLVE)
    async def resolve_action(action: types.CodeAction) -> types.CodeAction:
        edit = await server.answer(_resolve(server, action))
        if edit is not None:
            action.edit = edit
        return action


async def _resolve(server: RemaskServer, action: types.CodeAction) -> types.WorkspaceEdit:
    try:
        params = msgspec.convert(action.data, InfillParams)
    except msgspec.ValidationError as error:
        raise BadSelection(f"This code action is not one of Remask's: {error}.") from error
    snapshot = server.snapshot(params.uri)
    filled = await server.infill(snapshot, params)
    if not filled.replacements:
        server.inform(UNCHANGED)
    return to_workspace_edit(
        snapshot, filled.replacements, versioned=server.support.versioned_edits
    )
