"""A request's body: read whole, or not at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from model_runtime.http.faults import HttpFault
from model_runtime.http.forms import fit, read_json, unpacked

if TYPE_CHECKING:
    from typing import TypeVar

    from starlette.requests import Request

    from model_runtime.http.limits import ServeSettings

    T = TypeVar("T")


class Gone(Exception):
    """The client has hung up."""


async def read_body(request: Request, settings: ServeSettings, kind: type[T]) -> T:
    """Return a request's JSON body as a dialect's type.

    Raises:
        HttpFault: it is too large, takes too long to come, or can't be read.
        Gone: the client hung up in the middle of it.
    """
    body = await _received(request, settings)
    headers = request.headers
    body = unpacked(body, headers.get("content-encoding", ""), settings.max_body_bytes)
    return fit(read_json(body, headers.get("content-type", "")), kind)


async def _received(request: Request, settings: ServeSettings) -> bytes:
    too_large = HttpFault(
        413,
        "too_large",
        f"A body may have {settings.max_body_bytes:,} bytes at the most; see --max-body-bytes.",
    )
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > settings.max_body_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(settings.patience_s):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                body += message.get("body", b"")
                if len(body) > settings.max_body_bytes:
                    raise too_large
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError as error:
        raise HttpFault(408, "too_slow", "The body took too long to come.") from error
