"""One HTTP call to another machine: told in plain words when it fails, dropped when cancelled.

A fill changes nothing over there, but it may cost. So it is tried again only where the server has
certainly not begun: it could not be reached, or it said 429 or 503.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec

from model_runtime.errors import BadRequest, RemoteFailed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine

    from model_runtime.engines.base import CancelToken
    from model_runtime.engines.remote.keys import Key

#: Seconds between two looks at whether the job was told to stop.
LOOK_S = 0.02
#: A server that asks for more patience than this many seconds is not waited for.
MAX_WAIT_S = 5.0
MAX_REPLY_BYTES = 4 * 1024 * 1024
MAX_WORDS = 200
TRY_AGAIN = frozenset({429, 503})
OK = 200


@dataclass(frozen=True)
class Server:
    """Who is called, and how."""

    #: For people, e.g. "Mercury".
    title: str
    #: Without a slash at the end.
    url: str
    key: Key | None
    #: Where the user puts the key.
    key_variable: str
    #: Seconds without a word from it.
    timeout_s: float = 30.0
    max_tries: int = 3
    #: Seconds before the second try; twice as many before each further one.
    back_off_s: float = 0.5

    def __post_init__(self) -> None:
        """Refuse an address that would show the key to anybody on the way.

        Raises:
            BadRequest: no http address, or a key over plain http to another machine.
        """
        url = httpx2.URL(self.url)
        if url.scheme not in {"http", "https"} or not url.host:
            raise BadRequest(f"remote_url must be an http or https address, not {self.url!r}")
        if self.key is not None and url.scheme == "http" and not _is_here(url.host):
            raise BadRequest(f"{self.title}'s key is not sent over plain http; use https")


class Call:
    """Calls one server. Lives on one event loop.

    Args:
        server: who.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._client = httpx2.AsyncClient(
            base_url=server.url,
            headers=server.key.header() if server.key else {},
            timeout=httpx2.Timeout(server.timeout_s),
            follow_redirects=False,
            # A proxy is for the way out, and there is none to this very machine.
            trust_env=not _is_here(httpx2.URL(server.url).host),
        )

    async def close(self) -> None:
        """Let go of open connections."""
        await self._client.aclose()

    async def post(self, path: str, body: Any) -> Any:
        """Post a JSON body and return the JSON reply.

        Raises:
            RemoteFailed: says what went wrong and what to do.
        """
        async with self._reply(path, body) as reply:
            return self._json(await self._content(reply))

    async def stream(self, path: str, body: Any) -> AsyncGenerator[Any]:
        """Post a JSON body and yield the JSON of each server-sent event.

        Raises:
            RemoteFailed: says what went wrong; also if the stream broke off.
        """
        n_bytes = 0
        async with self._reply(path, body) as reply:
            try:
                async for line in reply.aiter_lines():
                    n_bytes += len(line)
                    if n_bytes > MAX_REPLY_BYTES:
                        raise self._failed("sent far too much")
                    data = line.removeprefix("data:").strip()
                    if line.startswith("data:") and data != "[DONE]":
                        event = self._json(data.encode())
                        if isinstance(event, dict) and event.get("error"):
                            raise self._failed(f"failed: {_message(event)}")
                        yield event
            except httpx2.HTTPError as error:
                raise self._broken(error) from error

    @contextlib.asynccontextmanager
    async def _reply(self, path: str, body: Any) -> AsyncGenerator[httpx2.Response]:
        """Yield a reply that is good so far, after as many tries as are safe."""
        content = msgspec.json.encode(body)
        wait_s = self._server.back_off_s
        for n_left in reversed(range(self._server.max_tries)):
            request = self._client.build_request(
                "POST", path, content=content, headers={"Content-Type": "application/json"}
            )
            try:
                reply = await self._client.send(request, stream=True)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                if not n_left:
                    raise self._failed(
                        f"can't be reached at {self._server.url}; check remote_url and the network"
                    ) from error
                await asyncio.sleep(wait_s)
                wait_s *= 2
                continue
            except httpx2.HTTPError as error:
                raise self._broken(error) from error
            async with contextlib.aclosing(reply):
                if reply.status_code == OK:
                    yield reply
                    return
                asked_s = _retry_after(reply)
                if reply.status_code not in TRY_AGAIN or not n_left or (asked_s or 0) > MAX_WAIT_S:
                    raise await self._refused(reply, asked_s)
            await asyncio.sleep(wait_s if asked_s is None else asked_s)
            wait_s *= 2

    async def _content(self, reply: httpx2.Response) -> bytes:
        content = bytearray()
        try:
            async for piece in reply.aiter_bytes():
                content += piece
                if len(content) > MAX_REPLY_BYTES:
                    raise self._failed("sent far too much")
        except httpx2.HTTPError as error:
            raise self._broken(error) from error
        return bytes(content)

    def _json(self, content: bytes) -> Any:
        try:
            return msgspec.json.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._failed("answered with something that is no JSON") from error

    async def _refused(self, reply: httpx2.Response, asked_s: float | None) -> RemoteFailed:
        """Return what a status means."""
        said = ""
        with contextlib.suppress(RemoteFailed):
            said = _message(self._json(await self._content(reply)))
        said = f" It says: {said}" if said else ""
        match reply.status_code:
            case 401 | 403:
                where = f"{self._server.key_variable} or the key store"
                has = "does not accept the key" if self._server.key else "needs a key"
                text = f"{has}; put yours in {where}."
            case 402:
                text = "asks for payment: the account has no credit left."
            case 404:
                text = "has no such endpoint or model; check remote_url and remote_model."
            case 429:
                when = "later" if asked_s is None else f"in {asked_s:.0f} s"
                text = f"is asked too often; try again {when}."
            case status if status >= 500:  # noqa: PLR2004  # where server faults begin
                text = f"has a fault of its own (status {status}); try again later."
            case status:
                text = f"refused the request (status {status})."
        return self._failed(text.removesuffix("." if not said else "") + said)

    def _broken(self, error: httpx2.HTTPError) -> RemoteFailed:
        if isinstance(error, httpx2.TimeoutException):
            return self._failed(f"did not answer within {self._server.timeout_s:g} s")
        return self._failed("broke off in the middle of its answer")

    def _failed(self, text: str) -> RemoteFailed:
        key = self._server.key
        return RemoteFailed(f"{self._server.title} {key.hide_in(text) if key else text}")


async def unless_stopped(work: Coroutine[Any, Any, Any], cancel: CancelToken) -> Any:
    """Wait for work; drop it, and the connection it has, once the job is told to stop.

    Raises:
        Stopped: by the token; whatever the work raises besides.
    """
    working = asyncio.ensure_future(work)
    try:
        while not working.done():
            cancel.check()
            await asyncio.wait({working}, timeout=LOOK_S)
        return working.result()
    finally:
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({working})


def _retry_after(reply: httpx2.Response) -> float | None:
    """Return the seconds a server asks to wait; None if it does not say, or says a date."""
    text = reply.headers.get("retry-after", "")
    return float(text) if text.isdigit() else None


def _message(body: Any) -> str:
    """Return what an error's body says, in any of the shapes in use."""
    for key in ("error", "message", "detail"):
        if isinstance(body, dict) and body.get(key):
            body = body[key]
    return body[:MAX_WORDS] if isinstance(body, str) else ""


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
