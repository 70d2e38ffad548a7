"""OpenAI's `POST /v1/completions` with `suffix`, and `GET /v1/models`.

What steers OpenAI's sampler (`temperature`, `top_p`, penalties) is read over: the runtime's own
sampler decides, see `remask` in the body. What would change the reply's meaning is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from model_runtime.http.dialect import DONE, Body, Dialect, Wanted, ask_for
from model_runtime.http.faults import BadBody
from model_runtime.http.forms import Amount
from model_runtime.http.marks import Hole, split
from model_runtime.http.replies import CompletionReply
from model_runtime.protocol import ContextFile

if TYPE_CHECKING:
    from model_runtime.http.dialect import Turn
    from model_runtime.http.faults import HttpFault
    from model_runtime.http.fill import Ask, Filled, Piece
    from model_runtime.protocol import Usage

#: Prompts of one request, filled one after the other.
MAX_PROMPTS = 64
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


class Snippet(msgspec.Struct, frozen=True, kw_only=True):
    """Another file's text, as Tabby's editors send it."""

    filepath: str = ""
    body: str = ""


class Segments(msgspec.Struct, frozen=True, kw_only=True):
    """What Tabby's editors send instead of a prompt."""

    prefix: str = ""
    suffix: str = ""
    filepath: str = ""
    declarations: tuple[Snippet, ...] = ()
    relevant_snippets_from_changed_files: tuple[Snippet, ...] = ()


class CompletionBody(Body, frozen=True, kw_only=True):
    """The body of `POST /v1/completions`."""

    #: The text before the fill, or several, each with choices of its own. Without a suffix, a
    #: model's own marks in it say what stands behind.
    prompt: str | list[Any] | None = None
    #: Some clients say false for none.
    suffix: str | bool | None = None
    n: Amount = None
    stream_options: StreamOptions | None = None
    best_of: Amount = None
    #: Of Tabby's editors.
    language: str = ""
    segments: Segments | None = None


class OpenAIDialect(Dialect):
    """OpenAI's completions."""

    name: ClassVar[str] = "openai"
    body_type: ClassVar[type[msgspec.Struct]] = CompletionBody
    reply_type: ClassVar[type[msgspec.Struct]] = CompletionReply
    farewell: ClassVar[bytes] = DONE

    def read(self, body: CompletionBody) -> Ask:
        """See `Dialect.read`."""
        if body.best_of is not None and body.best_of != (body.n or 1):
            raise BadBody("best_of must be what n is: the best n are returned", "best_of")
        wanted = Wanted(
            n=body.n, tells_usage=tells_usage(body.stream_options), language=body.language
        )
        return ask_for(body, _holes(body), wanted)

    def whole(self, ask: Ask, filled: Filled, turn: Turn) -> dict[str, Any]:  # noqa: ARG002
        """See `Dialect.whole`."""
        choices = [
            self.choice(choice.index, choice.text, FINISH_REASONS[choice.ending])
            for choice in filled.choices
        ]
        return self.reply(turn, choices) | {"usage": self.cost(filled.usage)}

    def piece(self, ask: Ask, piece: Piece, turn: Turn) -> dict[str, Any]:  # noqa: ARG002
        """See `Dialect.piece`."""
        reply = self.happening(turn, [self.part(piece.index, piece.text, None)])
        if piece.step is not None:
            reply["n_forwards"] = piece.step.n_forwards
        return reply

    def last(self, ask: Ask, filled: Filled, turn: Turn) -> list[dict[str, Any]]:
        """See `Dialect.last`."""
        events = []
        for choice in filled.choices:
            text = choice.text if ask.diffusing else choice.rest
            part = self.part(choice.index, text, FINISH_REASONS[choice.ending])
            events.append(self.happening(turn, [part]))
        if ask.tells_usage:
            events.append(self.happening(turn, []) | {"usage": self.cost(filled.usage)})
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

    def happening(self, turn: Turn, choices: list[dict[str, Any]]) -> dict[str, Any]:
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


def tells_usage(options: StreamOptions | None) -> bool:
    """Whether a stream ends with what it cost."""
    return options is not None and bool(options.include_usage)


def hole_of(prompt: str, suffix: str | bool | None) -> Hole:  # noqa: FBT001  # as a body has it
    """Return the hole between two texts; in a prompt without a suffix, its marks may say more."""
    if isinstance(suffix, str) and suffix:
        return Hole(prompt, suffix)
    return split(prompt) or Hole(prompt, "")


def _holes(body: CompletionBody) -> list[Hole]:
    if body.segments is not None:
        return [_segments(body.segments)]
    if body.prompt is None and not body.suffix:
        raise BadBody("prompt is missing: the text before the place to fill", "prompt")
    prompts = body.prompt if isinstance(body.prompt, list) else [body.prompt or ""]
    if not prompts:
        raise BadBody("prompt is an empty list: the text before the place to fill", "prompt")
    if len(prompts) > MAX_PROMPTS:
        raise BadBody(f"{len(prompts)} prompts; at most {MAX_PROMPTS} are filled", "prompt")
    texts = [prompt for prompt in prompts if isinstance(prompt, str)]
    if len(texts) < len(prompts):
        raise BadBody(
            "prompt holds token ids, which only their own model reads: send text", "prompt"
        )
    return [hole_of(text, body.suffix) for text in texts]


def _segments(segments: Segments) -> Hole:
    snippets = segments.declarations + segments.relevant_snippets_from_changed_files
    files = tuple(ContextFile(path=each.filepath, text=each.body) for each in snippets)
    return Hole(segments.prefix, segments.suffix, files, segments.filepath)
