"""`remask/shown`: what the model was shown at the last request of a document."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from lsp_server.errors import BadSelection
from lsp_server.features.scores import plain
from lsp_server.protocol_ext import SHOWN, ShownParams, ShownResult

if TYPE_CHECKING:
    from lsp_server.contract import Server


def register(server: Server) -> None:
    """Answer `remask/shown`."""

    @server.feature(SHOWN)
    async def answer_shown(params: Any) -> Any:
        result = await server.answer(_shown(server, params))
        return msgspec.to_builtins(result) if result else None


async def _shown(server: Server, raw: Any) -> ShownResult | None:
    try:
        params = msgspec.convert(plain(raw), ShownParams)
    except msgspec.ValidationError as error:
        raise BadSelection(f"The request takes one ShownParams object: {error}.") from error
    request = server.project.last_asked(params.uri)
    if request is None:
        return None
    request = msgspec.structs.replace(
        request, id=uuid.uuid4().hex, explain=True, lane="edit", stream=False, deadline_s=None
    )
    finished = await server.ask(request)
    return ShownResult(finished.shown, finished.model)
