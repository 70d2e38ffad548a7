"""llama.cpp's `POST /infill`, as llama.vim and llama.vscode send it, and `POST /completion`.

Fields: llama.cpp's tools/server/README.md. What steers its samplers (`top_k`, `samplers`,
`temperature`, …) or its slots (`cache_prompt`, `t_max_prompt_ms`, …) is read over: the runtime's
own sampler decides, see `remask` in the body.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from model_runtime.http.dialect import Body, Dialect, Wanted, ask_for
from model_runtime.http.faults import BadBody
from model_runtime.http.forms import Amount
from model_runtime.http.openai import hole_of
from model_runtime.http.replies import LlamaReply
from model_runtime.protocol import ContextFile

if TYPE_CHECKING:
    from model_runtime.http.dialect import Turn
    from model_runtime.http.faults import HttpFault
    from model_runtime.http.fill import Ask, Choice, Filled, Piece

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    503: "unavailable_error",
}
#: A line that is farther in is none.
MAX_INDENT = 1000
STOP_TYPES = {"closed": "eos", "limit": "limit", "stop": "word"}


class Extra(msgspec.Struct, frozen=True, kw_only=True):
    """A chunk of another file."""

    text: str = ""
    filename: str = ""


class LlamaBody(Body, frozen=True, kw_only=True):
    """What both of llama.cpp's bodies have."""

    n_indent: Amount = None
    #: Milliseconds after which a text that has a line is enough; 0 for no limit.
    t_max_predict_ms: Amount = None
    #: The reply then has only these, a path such as "timings/prompt_n" being one flat key.
    response_fields: tuple[str, ...] = ()


class InfillBody(LlamaBody, frozen=True, kw_only=True):
    """The body of `POST /infill`."""

    input_prefix: str | None = None
    input_suffix: str | None = None
    input_extra: tuple[Extra, ...] = ()
    #: What stands on the cursor's line before it.
    prompt: str = ""


class PromptBody(LlamaBody, frozen=True, kw_only=True):
    """The body of `POST /completion`."""

    #: As in OpenAI's, of which this is one text.
    prompt: str | list[Any] | None = None
    suffix: str | bool | None = None


class LlamaDialect(Dialect):
    """llama.cpp's native endpoint."""

    name: ClassVar[str] = "llama"
    body_type: ClassVar[type[msgspec.Struct]] = InfillBody
    reply_type: ClassVar[type[msgspec.Struct]] = LlamaReply

    def read(self, body: InfillBody) -> Ask:
        """See `Dialect.read`."""
        if body.input_prefix is None and body.input_suffix is None and not body.prompt:
            raise BadBody(
                "input_prefix and input_suffix are missing: the text around the place to fill",
                "input_prefix",
            )
        prefix, suffix = (body.input_prefix or "") + body.prompt, body.input_suffix or ""
        files = tuple(ContextFile(path=x.filename, text=x.text) for x in body.input_extra)
        hole = hole_of(prefix, suffix)
        return ask_for(body, [replace(hole, files=files + hole.files)], _wanted(body))

    def whole(self, ask: Ask, filled: Filled, turn: Turn) -> dict[str, Any]:
        """See `Dialect.whole`."""
        choice = filled.choices[0]
        return _chosen(_final(ask, filled, turn, choice, choice.text), ask.fields)

    def piece(self, ask: Ask, piece: Piece, turn: Turn) -> dict[str, Any]:
        """See `Dialect.piece`."""
        event = {
            "index": 0,
            "content": piece.text,
            "tokens": [],
            "stop": False,
            "model": turn.model,
        }
        if piece.step is not None:
            event["n_forwards"] = piece.step.n_forwards
        return _chosen(event, ask.fields)

    def last(self, ask: Ask, filled: Filled, turn: Turn) -> list[dict[str, Any]]:
        """See `Dialect.last`."""
        choice = filled.choices[0]
        text = choice.text if ask.diffusing else choice.rest
        return [_chosen(_final(ask, filled, turn, choice, text), ask.fields)]

    def error(self, fault: HttpFault) -> dict[str, Any]:
        """See `Dialect.error`."""
        kind = ERROR_TYPES.get(fault.status, "server_error")
        if fault.code == "canvas_too_long":
            kind = "exceed_context_size_error"
        return {"error": {"code": fault.status, "message": str(fault), "type": kind}}


class LlamaPromptDialect(LlamaDialect):
    """llama.cpp's native endpoint for one text."""

    name: ClassVar[str] = "llama_prompt"
    body_type: ClassVar[type[msgspec.Struct]] = PromptBody

    def read(self, body: PromptBody) -> Ask:  # type: ignore[override]  # each reads its own body type
        """See `Dialect.read`."""
        prompts = body.prompt if isinstance(body.prompt, list) else [body.prompt]
        if len(prompts) != 1 or not isinstance(prompts[0], str):
            raise BadBody("prompt has to be one text: what stands before the fill", "prompt")
        return ask_for(body, [hole_of(prompts[0], body.suffix)], _wanted(body))


def _wanted(body: LlamaBody) -> Wanted:
    n_indent, enough_ms = body.n_indent or 0, body.t_max_predict_ms or 0
    return Wanted(
        may_glance=True,
        n_indent=int(min(max(0, n_indent), MAX_INDENT)),
        enough_s=max(0, enough_ms) / 1000,
        fields=body.response_fields,
    )


def _final(ask: Ask, filled: Filled, turn: Turn, choice: Choice, text: str) -> dict[str, Any]:
    usage = filled.usage
    n_read = usage.n_context_tokens - usage.n_cached_tokens
    timings = {
        "cache_n": usage.n_cached_tokens,
        **_pace("prompt", n_read, usage.context_s),
        **_pace("predicted", usage.n_tokens, usage.denoise_s),
        "draft_n": usage.n_drafted,
        "draft_n_accepted": usage.n_accepted,
        "n_forwards": usage.n_forwards,
    }
    return {
        "index": 0,
        "content": text,
        "tokens": [],
        "id_slot": 0,
        "stop": True,
        "model": turn.model,
        "tokens_predicted": usage.n_tokens,
        "tokens_evaluated": usage.n_context_tokens,
        "generation_settings": {
            "n_predict": ask.requests[0].spans[0].max_tokens or -1,
            "stop": list(ask.cuts[0].stops),
            "stream": ask.stream,
        },
        "prompt": "",
        "has_new_line": "\n" in choice.text,
        "truncated": False,
        "stop_type": STOP_TYPES[choice.ending],
        "stopping_word": choice.stop,
        "tokens_cached": usage.n_context_tokens + usage.n_tokens,
        "timings": timings,
    }


def _pace(kind: str, n_tokens: int, seconds: float) -> dict[str, float]:
    """Return a phase's tokens and times; milliseconds and tokens a second."""
    return {
        f"{kind}_n": n_tokens,
        f"{kind}_ms": seconds * 1000,
        f"{kind}_per_token_ms": seconds * 1000 / max(n_tokens, 1),
        f"{kind}_per_second": n_tokens / seconds if seconds else 0.0,
    }


def _chosen(reply: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    """Keep only the fields asked for; a missing one is left out."""
    if not fields:
        return reply
    chosen = {}
    for path in fields:
        value: Any = reply
        for key in path.split("/"):
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            chosen[path] = value
    return chosen
