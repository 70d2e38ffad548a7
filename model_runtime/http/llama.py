"""llama.cpp's `POST /infill`, as llama.vim and llama.vscode send it.

Fields: llama.cpp's tools/server/README.md. What steers its samplers (`top_k`, `samplers`,
`temperature`, …) or its slots (`cache_prompt`, `t_max_prompt_ms`, …) is read over: the runtime's
own sampler decides, see `remask` in the body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec

from model_runtime.http.cut import Cut
from model_runtime.http.dialect import Body, Dialect, Seed, infill_request, read_stops
from model_runtime.http.faults import BadBody
from model_runtime.http.fill import Ask
from model_runtime.http.replies import LlamaReply
from model_runtime.protocol import ContextFile

if TYPE_CHECKING:
    from model_runtime.http.dialect import Turn
    from model_runtime.http.faults import HttpFault
    from model_runtime.http.fill import Choice, Filled, Piece

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    503: "unavailable_error",
}
STOP_TYPES = {"closed": "eos", "limit": "limit", "stop": "word"}


class Extra(msgspec.Struct, frozen=True, kw_only=True):
    """A chunk of another file."""

    text: str
    filename: str = ""


class InfillBody(Body, frozen=True, kw_only=True):
    """The body of `POST /infill`."""

    input_prefix: str
    input_suffix: str
    input_extra: tuple[Extra, ...] = ()
    #: What stands on the cursor's line before it.
    prompt: str = ""
    #: Negative for no limit; 0 only reads the context.
    n_predict: Annotated[int, msgspec.Meta(ge=-2, le=8192)] = -1
    n_indent: Annotated[int, msgspec.Meta(ge=0)] | None = None
    #: Milliseconds after which a text that has a line is enough; 0 for no limit.
    t_max_predict_ms: Annotated[int, msgspec.Meta(ge=-1)] | None = None
    seed: Seed | None = None
    #: The reply then has only these, a path such as "timings/prompt_n" being one flat key.
    response_fields: tuple[str, ...] = ()
    grammar: str | None = None
    json_schema: Any = None


class LlamaDialect(Dialect):
    """llama.cpp's native endpoint."""

    name: ClassVar[str] = "llama"
    body_type: ClassVar[type[msgspec.Struct]] = InfillBody
    reply_type: ClassVar[type[msgspec.Struct]] = LlamaReply
    checks_model: ClassVar[bool] = False
    farewell: ClassVar[bytes] = b""

    def read(self, body: InfillBody) -> Ask:
        """See `Dialect.read`."""
        if body.grammar or body.json_schema is not None:
            field = "grammar" if body.grammar else "json_schema"
            raise BadBody(f"{field} is not supported: a diffusion model fills freely", field)
        request = infill_request(
            body,
            body.input_prefix + body.prompt,
            body.input_suffix,
            max_tokens=body.n_predict if body.n_predict > 0 else None,
            seed=body.seed,
            context=tuple(ContextFile(path=x.filename, text=x.text) for x in body.input_extra),
            may_glance=True,
        )
        return Ask(
            request,
            cut=Cut(read_stops(body.stop), body.n_indent or 0),
            enough_s=max(0, body.t_max_predict_ms or 0) / 1000,
            stream=bool(body.stream),
            diffusing=bool(body.diffusing),
            is_warm_up=body.n_predict == 0,
            fields=body.response_fields,
        )

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
        text = choice.text if ask.diffusing else filled.rest
        return [_chosen(_final(ask, filled, turn, choice, text), ask.fields)]

    def error(self, fault: HttpFault) -> dict[str, Any]:
        """See `Dialect.error`."""
        kind = ERROR_TYPES.get(fault.status, "server_error")
        if fault.code == "canvas_too_long":
            kind = "exceed_context_size_error"
        return {"error": {"code": fault.status, "message": str(fault), "type": kind}}


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
            "n_predict": ask.request.spans[0].max_tokens or -1,
            "stop": list(ask.cut.stops),
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
