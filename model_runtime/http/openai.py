"""OpenAI's `POST /v1/completions` with `suffix`, and `GET /v1/models`.

What steers OpenAI's sampler (`temperature`, `top_p`, penalties) is read over: the runtime's own
sampler decides, see `remask` in the body. What would change the reply's meaning is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec

from model_runtime.http.cut import Cut
from model_runtime.http.dialect import (
    DONE,
    Body,
    Dialect,
    Positive,
    Seed,
    infill_request,
    read_stops,
)
from model_runtime.http.faults import BadBody
from model_runtime.http.fill import Ask
from model_runtime.http.replies import CompletionReply
from model_runtime.service.jobs import MAX_ALTERNATIVES

if TYPE_CHECKING:
    from model_runtime.http.dialect import Turn
    from model_runtime.http.faults import HttpFault
    from model_runtime.http.fill import Filled, Piece
    from model_runtime.protocol import Usage

FINISH_REASONS = {"closed": "stop", "stop": "stop", "limit": "length"}
ERROR_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    408: "timeout",
    429: "rate_limit_error",
    500: "server_error",
    502: "server_error",
    503: "server_error",
    504: "timeout",
}
ERROR_CODES = {
    "canvas_too_long": "context_length_exceeded",
    "unknown_model": "model_not_found",
    "unauthorized": "invalid_api_key",
    "busy": "rate_limit_exceeded",
}


class StreamOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream has besides text."""

    include_usage: bool | None = None


class CompletionBody(Body, frozen=True, kw_only=True):
    """The body of `POST /v1/completions`."""

    model: str
    #: The text before the fill. A list may have one string, for there is one fill a request.
    prompt: str | Annotated[list[str], msgspec.Meta(min_length=1, max_length=1)]
    suffix: str | None = None
    max_tokens: Positive | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=MAX_ALTERNATIVES)] | None = None
    seed: Seed | None = None
    stream_options: StreamOptions | None = None
    echo: bool | None = None
    best_of: int | None = None
    logprobs: int | None = None


class OpenAIDialect(Dialect):
    """OpenAI's completions."""

    name: ClassVar[str] = "openai"
    body_type: ClassVar[type[msgspec.Struct]] = CompletionBody
    reply_type: ClassVar[type[msgspec.Struct]] = CompletionReply
    checks_model: ClassVar[bool] = True
    farewell: ClassVar[bytes] = DONE

    def read(self, body: CompletionBody) -> Ask:
        """See `Dialect.read`."""
        if body.echo:
            raise BadBody("echo is not supported: the reply has the fill alone", "echo")
        if body.logprobs:
            raise BadBody("logprobs is not supported", "logprobs")
        n = body.n or 1
        if body.best_of is not None and body.best_of != n:
            raise BadBody("best_of must be what n is: the best n are returned", "best_of")
        request = infill_request(
            body,
            body.prompt if isinstance(body.prompt, str) else body.prompt[0],
            body.suffix or "",
            max_tokens=body.max_tokens,
            seed=body.seed,
            n_alternatives=n,
        )
        return Ask(
            request,
            model=body.model,
            cut=Cut(read_stops(body.stop)),
            stream=bool(body.stream),
            diffusing=bool(body.diffusing),
            tells_usage=body.stream_options is not None and bool(body.stream_options.include_usage),
        )

    def whole(self, ask: Ask, filled: Filled, turn: Turn) -> dict[str, Any]:  # noqa: ARG002
        """See `Dialect.whole`."""
        choices = [
            self.choice(index, choice.text, FINISH_REASONS[choice.ending])
            for index, choice in enumerate(filled.choices)
        ]
        return self.reply(turn, choices) | {"usage": self.cost(filled.usage)}

    def piece(self, ask: Ask, piece: Piece, turn: Turn) -> dict[str, Any]:  # noqa: ARG002
        """See `Dialect.piece`."""
        reply = self.event(turn, [self.part(0, piece.text, None)])
        if piece.step is not None:
            reply["n_forwards"] = piece.step.n_forwards
        return reply

    def last(self, ask: Ask, filled: Filled, turn: Turn) -> list[dict[str, Any]]:
        """See `Dialect.last`."""
        events = []
        for index, choice in enumerate(filled.choices):
            is_shown = len(filled.choices) == 1 and not ask.diffusing
            text = filled.rest if is_shown else choice.text
            reason = FINISH_REASONS[choice.ending]
            events.append(self.event(turn, [self.part(index, text, reason)]))
        if ask.tells_usage:
            events.append(self.event(turn, []) | {"usage": self.cost(filled.usage)})
        return events

    def error(self, fault: HttpFault) -> dict[str, Any]:
        """See `Dialect.error`."""
        return {
            "error": {
                "message": str(fault),
                "type": ERROR_TYPES.get(fault.status, "invalid_request_error"),
                "param": fault.param,
                "code": ERROR_CODES.get(fault.code, fault.code),
            }
        }

    def reply(self, turn: Turn, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the envelope of a whole reply."""
        return {
            "id": f"cmpl-{turn.id}",
            "object": "text_completion",
            "created": turn.created,
            "model": turn.model,
            "choices": choices,
        }

    def event(self, turn: Turn, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the envelope of an event."""
        return self.reply(turn, choices)

    def choice(self, index: int, text: str, reason: str) -> dict[str, Any]:
        """Return one choice of a whole reply."""
        return {"index": index, "text": text, "logprobs": None, "finish_reason": reason}

    def part(self, index: int, text: str, reason: str | None) -> dict[str, Any]:
        """Return one choice of an event."""
        return {"index": index, "text": text, "logprobs": None, "finish_reason": reason}

    def cost(self, usage: Usage) -> dict[str, Any]:
        """Return what a request cost, in OpenAI's words."""
        return {
            "prompt_tokens": usage.n_context_tokens,
            "completion_tokens": usage.n_tokens,
            "total_tokens": usage.n_context_tokens + usage.n_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.n_cached_tokens},
            "completion_tokens_details": {
                "accepted_prediction_tokens": usage.n_accepted,
                "rejected_prediction_tokens": usage.n_drafted - usage.n_accepted,
            },
            "n_forwards": usage.n_forwards,
        }
