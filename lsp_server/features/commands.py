"""`workspace/executeCommand`: fill and apply, and say whether the client took it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server.errors import BadSelection, ServerFault
from lsp_server.fill.review import to_reviewed_edit
from lsp_server.protocol_ext import COMMANDS, CommandResult, InfillParams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsp_server.contract import Server
    from model_runtime.protocol import Mode


def register(server: Server) -> None:
    """Offer one command for each mode."""
    for name, mode in COMMANDS.items():
        _register(server, name, mode)


def _register(server: Server, name: str, mode: Mode) -> None:
    @server.command(name)
    async def run_command(*arguments: Any) -> Any:
        result = await server.answer(_run(server, mode, arguments))
        return msgspec.to_builtins(result) if result else None


async def _run(server: Server, mode: Mode, arguments: Sequence[Any]) -> CommandResult:
    try:
        params = msgspec.structs.replace(read_params(arguments), mode=mode)
        snapshot = server.snapshot(params.uri)
        filled = await server.infill(snapshot, params)
    except ServerFault as fault:
        server.tell(fault)
        return CommandResult(applied=False, reason=str(fault))
    if filled.silence:
        server.inform(filled.silence)
        return CommandResult(applied=False, reason=filled.silence)
    if not server.support.apply_edit:
        return CommandResult(applied=False, reason="This editor takes no edits from a server.")
    edit = to_reviewed_edit(
        filled,
        server.settings.review,
        versioned=server.support.versioned_edits,
        annotated=server.support.annotated_edits,
    )
    try:
        answer = await server.workspace_apply_edit_async(
            types.ApplyWorkspaceEditParams(edit=edit, label=f"Remask: {mode}")
        )
    except JsonRpcException as refusal:
        return CommandResult(applied=False, reason=f"The editor did not take it: {refusal}")
    return CommandResult(applied=answer.applied, reason=answer.failure_reason or "")


def read_params(arguments: Sequence[Any]) -> InfillParams:
    """Read a command's one argument.

    Raises:
        BadSelection: it is not one `InfillParams`.
    """
    try:
        (argument,) = arguments
        return msgspec.convert(argument, InfillParams)
    except (ValueError, msgspec.ValidationError) as error:
        raise BadSelection(f"The command takes one InfillParams object: {error}.") from error
