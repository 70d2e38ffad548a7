"""What becomes of ghost text, told by the client: accepted, or a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsp_server.protocol_ext import ACCEPTED, DID_PARTIALLY_ACCEPT, DID_SHOW

if TYPE_CHECKING:
    from lsp_server.contract import Server


def register(server: Server) -> None:
    """Take note of accepts, and announce that."""

    @server.command(ACCEPTED)
    async def accepted(*arguments: Any) -> None:
        for offer_id in arguments[:1]:
            server.offers.accept(str(offer_id), is_whole=True)

    @server.feature(DID_PARTIALLY_ACCEPT)
    def did_partially_accept(params: Any) -> None:
        if offer_id := _offer_of(params):
            server.offers.accept(offer_id, is_whole=False)

    @server.feature(DID_SHOW)
    def did_show(_params: Any) -> None:
        # What was sent was offered already; it is no fault to be told that it is seen.
        return


def _offer_of(params: Any) -> str:
    """Return the offer that an event is about, by its item's command; empty for none of ours."""
    command = getattr(getattr(params, "item", None), "command", None)
    if getattr(command, "command", None) != ACCEPTED:
        return ""
    found = list(getattr(command, "arguments", None) or [])[:1]
    return str(found[0]) if found else ""
