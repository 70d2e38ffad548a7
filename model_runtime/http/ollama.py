"""Ollama's `POST /api/generate` and `POST /api/chat`, and what its clients ask about the server.

Fields: Ollama's docs/api.md. What steers its samplers or its memory (`temperature`, `num_ctx`,
`keep_alive`, …) is read over. A stream is one JSON object a line, and Ollama streams unless told
not to.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from model_runtime.http.chat import ChatMessage, ask_in_chat
from model_runtime.http.dialect import Body, Dialect, Wanted, ask_for
from model_runtime.http.forms import Amount, Stops
from model_runtime.http.marks import Hole
from model_runtime.http.openai import hole_of
from model_runtime.http.replies import OllamaChatReply, OllamaReply
from model_runtime.service.process import version

if TYPE_CHECKING:
    from model_runtime.http.dialect import Turn
    from model_runtime.http.faults import HttpFault
    from model_runtime.http.fill import Ask, Choice, Filled, Piece
    from model_runtime.protocol import Status

DONE_REASONS = {"closed": "stop", "stop": "stop", "limit": "length"}
#: The API that is spoken here: clients compare it with the one they need.
API_VERSION = "0.13.0"
#: Clients look in it for what a model can do: this one is given what stands behind the hole.
TEMPLATE = "{{ .Prompt }}{{ .Suffix }}"
_NANOSECONDS = 1_000_000_000


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Of Ollama's model parameters, those that mean something here."""

    num_predict: Amount = None
    stop: Stops = None
    seed: Amount = None


class OllamaBody(Body, frozen=True, kw_only=True):
    """What both of Ollama's bodies have."""

    options: Options = Options()


class GenerateBody(OllamaBody, frozen=True, kw_only=True):
    """The body of `POST /api/generate`."""

    prompt: str = ""
    suffix: str | bool | None = None


class OllamaChatBody(OllamaBody, frozen=True, kw_only=True):
    """The body of `POST /api/chat`."""

    messages: tuple[ChatMessage, ...] = ()


class OllamaDialect(Dialect):
    """Ollama's completion."""

    name: ClassVar[str] = "ollama"
    body_type: ClassVar[type[msgspec.Struct]] = GenerateBody
    reply_type: ClassVar[type[msgspec.Struct]] = OllamaReply
    media_type: ClassVar[str] = "application/x-ndjson"

    def read(self, body: GenerateBody) -> Ask:
        """See `Dialect.read`."""
        wanted = _wanted(body, limits=() if body.prompt or body.suffix else (0,))
        return ask_for(body, [hole_of(body.prompt, body.suffix)], wanted)

    def text(self, text: str) -> dict[str, Any]:
        """Return where a reply has its text."""
        return {"response": text}

    def whole(self, ask: Ask, filled: Filled, turn: Turn) -> dict[str, Any]:
        """See `Dialect.whole`."""
        return self._final(ask, filled, turn, filled.choices[0].text)

    def piece(self, ask: Ask, piece: Piece, turn: Turn) -> dict[str, Any]:  # noqa: ARG002
        """See `Dialect.piece`."""
        return _said(turn) | self.text(piece.text) | {"done": False}

    def last(self, ask: Ask, filled: Filled, turn: Turn) -> list[dict[str, Any]]:
        """See `Dialect.last`."""
        choice = filled.choices[0]
        text = choice.text if ask.diffusing else choice.rest
        return [self._final(ask, filled, turn, text)]

    def error(self, fault: HttpFault) -> dict[str, Any]:
        """See `Dialect.error`."""
        return {"error": str(fault)}

    def event(self, body: Any) -> bytes:
        """See `Dialect.event`."""
        return msgspec.json.encode(body) + b"\n"

    def heartbeat(self, turn: Turn) -> bytes:
        """See `Dialect.heartbeat`. Every line has to be an object."""
        return self.event(_said(turn) | self.text("") | {"done": False})

    def _final(self, ask: Ask, filled: Filled, turn: Turn, text: str) -> dict[str, Any]:
        usage = filled.usage
        seconds = usage.queue_s + usage.context_s + usage.denoise_s
        return {
            **_said(turn),
            **self.text(text),
            "done": True,
            "done_reason": _reason(ask, filled.choices[0]),
            "total_duration": int(seconds * _NANOSECONDS),
            "load_duration": int(usage.queue_s * _NANOSECONDS),
            "prompt_eval_count": usage.n_context_tokens,
            "prompt_eval_duration": int(usage.context_s * _NANOSECONDS),
            "eval_count": usage.n_tokens,
            "eval_duration": int(usage.denoise_s * _NANOSECONDS),
        }


class OllamaChatDialect(OllamaDialect):
    """Instructions about code, as Ollama's chat."""

    name: ClassVar[str] = "ollama_chat"
    body_type: ClassVar[type[msgspec.Struct]] = OllamaChatBody
    reply_type: ClassVar[type[msgspec.Struct]] = OllamaChatReply

    def read(self, body: OllamaChatBody) -> Ask:  # type: ignore[override]  # each its own body type
        """See `Dialect.read`."""
        if not body.messages:
            # So clients have a model loaded.
            return ask_for(body, [Hole("", "")], _wanted(body, limits=(0,)))
        return ask_in_chat(body, body.messages, _wanted(body))

    def text(self, text: str) -> dict[str, Any]:
        """Return where a reply has its text."""
        return {"message": {"role": "assistant", "content": text}}


def _wanted(body: OllamaBody, limits: tuple[Amount, ...] = ()) -> Wanted:
    options = body.options
    return Wanted(
        seed=options.seed, limits=(*limits, options.num_predict), stop=options.stop, streams=True
    )


def _reason(ask: Ask, choice: Choice) -> str:
    if ask.is_warm_up and not ask.requests[0].prefix and not ask.requests[0].suffix:
        return "load"
    return DONE_REASONS[choice.ending]


def _said(turn: Turn) -> dict[str, Any]:
    created = dt.datetime.fromtimestamp(turn.created, dt.UTC)
    return {"model": turn.model, "created_at": _stamp(created)}


def _stamp(when: dt.datetime) -> str:
    return when.isoformat().replace("+00:00", "Z")


def described_model(name: str) -> dict[str, Any]:
    """Return a row of `GET /api/tags`."""
    return {
        "name": name,
        "model": name,
        "modified_at": _stamp(dt.datetime.fromtimestamp(0, dt.UTC)),
        "size": 0,
        "digest": "",
        "details": _details(),
    }


def running_model(name: str, status: Status) -> dict[str, Any]:
    """Return a row of `GET /api/ps`."""
    until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    own = {"size": status.peak_memory_bytes, "size_vram": 0, "expires_at": _stamp(until)}
    return described_model(name) | own


def shown_model(name: str) -> dict[str, Any]:
    """Return the reply of `POST /api/show`."""
    return {
        "license": "",
        "modelfile": "",
        "parameters": "",
        "template": TEMPLATE,
        "modified_at": _stamp(dt.datetime.fromtimestamp(0, dt.UTC)),
        "details": _details(),
        "model_info": {"general.architecture": "remask", "general.basename": name},
        "capabilities": ["completion", "insert"],
    }


def told_version() -> dict[str, Any]:
    """Return the reply of `GET /api/version`."""
    return {"version": API_VERSION, "remask": version()}


def _details() -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "remask",
        "family": "remask",
        "families": ["remask"],
        "parameter_size": "",
        "quantization_level": "",
    }
