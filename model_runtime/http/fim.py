"""`POST /v1/fim/completions`, which Mercury and Codestral both have, unlike each other.

Their requests differ little, so both are read. A Mercury client looks for `choices[].text`; a
Codestral client for `choices[].message.content`, or `delta.content` in a stream. A reply has both,
so neither has to be guessed. So has an error: Mercury's `error` object, Codestral's flat fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from model_runtime.http.dialect import Body, Wanted, ask_for
from model_runtime.http.faults import BadBody
from model_runtime.http.forms import Amount
from model_runtime.http.openai import OpenAIDialect, StreamOptions, hole_of, tells_usage
from model_runtime.http.replies import FimReply

if TYPE_CHECKING:
    import msgspec

    from model_runtime.http.faults import HttpFault
    from model_runtime.http.fill import Ask
    from model_runtime.protocol import Usage


class FimBody(Body, frozen=True, kw_only=True):
    """The body of `POST /v1/fim/completions`."""

    prompt: str | None = None
    suffix: str | bool | None = None
    #: Codestral's name for it.
    random_seed: Amount = None
    stream_options: StreamOptions | None = None


class FimDialect(OpenAIDialect):
    """Mercury's and Codestral's fill-in-the-middle."""

    name: ClassVar[str] = "fim"
    body_type: ClassVar[type[msgspec.Struct]] = FimBody
    reply_type: ClassVar[type[msgspec.Struct]] = FimReply

    def read(self, body: FimBody) -> Ask:  # type: ignore[override]  # each reads its own body type
        """See `Dialect.read`."""
        if body.prompt is None and not body.suffix:
            raise BadBody("prompt is missing: the text before the place to fill", "prompt")
        wanted = Wanted(seed=body.random_seed, tells_usage=tells_usage(body.stream_options))
        return ask_for(body, [hole_of(body.prompt or "", body.suffix)], wanted)

    def error(self, fault: HttpFault) -> dict[str, Any]:
        """See `Dialect.error`."""
        nested = super().error(fault)
        return {"object": "error", **nested["error"], **nested}

    def cost(self, usage: Usage) -> dict[str, Any]:
        """Return what a request cost, with Mercury's names for two of the figures."""
        own = {"reasoning_tokens": 0, "cached_input_tokens": usage.n_cached_tokens}
        return super().cost(usage) | own

    def choice(self, index: int, text: str, reason: str) -> dict[str, Any]:
        """Return one choice of a whole reply."""
        message = {"role": "assistant", "content": text, "tool_calls": None}
        return super().choice(index, text, reason) | {"message": message}

    def part(self, index: int, text: str, reason: str | None) -> dict[str, Any]:
        """Return one choice of an event."""
        delta = {"role": "assistant", "content": text}
        return super().part(index, text, reason) | {"delta": delta}
