"""What whole replies hold, for the published description that clients and tests read."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Number = Annotated[int, msgspec.Meta(ge=0)]
Finish = Literal["stop", "length"]


class LlamaReply(msgspec.Struct, kw_only=True):
    """Of `POST /infill`; with `response_fields` it has those alone."""

    content: str = ""
    stop: bool = True
    stop_type: Literal["eos", "limit", "word"] = "eos"
    stopping_word: str = ""
    model: str = ""
    truncated: bool = False
    tokens_predicted: Number = 0
    tokens_evaluated: Number = 0
    tokens_cached: Number = 0
    timings: dict[str, Annotated[float, msgspec.Meta(ge=0)]] = {}


class CompletionUsage(msgspec.Struct, kw_only=True):
    """What a fill cost."""

    prompt_tokens: Number
    completion_tokens: Number
    total_tokens: Number
    prompt_tokens_details: dict[str, Number]
    completion_tokens_details: dict[str, Number]
    #: Evaluations of the model.
    n_forwards: Number


class CompletionChoice(msgspec.Struct, kw_only=True):
    """One way to fill the hole."""

    index: Number
    text: str
    finish_reason: Finish


class CompletionReply(msgspec.Struct, kw_only=True):
    """Of `POST /v1/completions`."""

    id: str
    object: Literal["text_completion"]
    created: Number
    model: str
    choices: Annotated[list[CompletionChoice], msgspec.Meta(min_length=1)]
    usage: CompletionUsage


class FimMessage(msgspec.Struct, kw_only=True):
    """Mercury's and Codestral's place for the text."""

    role: Literal["assistant"]
    content: str


class FimChoice(CompletionChoice, kw_only=True):
    """One way to fill the hole, in both places."""

    message: FimMessage


class FimUsage(CompletionUsage, kw_only=True):
    """What a fill cost, in Mercury's words too."""

    reasoning_tokens: Number
    cached_input_tokens: Number


class FimReply(msgspec.Struct, kw_only=True):
    """Of `POST /v1/fim/completions`."""

    id: str
    object: Literal["text_completion"]
    created: Number
    model: str
    choices: Annotated[list[FimChoice], msgspec.Meta(min_length=1)]
    usage: FimUsage


class ChatReplyMessage(msgspec.Struct, kw_only=True):
    """Where a chat has its text."""

    role: Literal["assistant"]
    content: str


class ChatChoice(msgspec.Struct, kw_only=True):
    """One way to follow the instruction."""

    index: Number
    message: ChatReplyMessage
    finish_reason: Finish


class ChatReply(msgspec.Struct, kw_only=True):
    """Of `POST /v1/chat/completions`."""

    id: str
    object: Literal["chat.completion"]
    created: Number
    model: str
    choices: Annotated[list[ChatChoice], msgspec.Meta(min_length=1)]
    usage: CompletionUsage


class OllamaCost(msgspec.Struct, kw_only=True):
    """What a fill cost: tokens, and nanoseconds."""

    model: str
    created_at: str
    done: bool
    done_reason: Literal["stop", "length", "load"]
    total_duration: Number
    load_duration: Number
    prompt_eval_count: Number
    prompt_eval_duration: Number
    eval_count: Number
    eval_duration: Number


class OllamaReply(OllamaCost, kw_only=True):
    """Of `POST /api/generate`."""

    response: str


class OllamaChatReply(OllamaCost, kw_only=True):
    """Of `POST /api/chat`."""

    message: ChatReplyMessage
