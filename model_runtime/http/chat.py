"""OpenAI's `POST /v1/chat/completions`, for instructions about code; there is no chat behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from model_runtime.http.dialect import Body, Wanted, ask_for
from model_runtime.http.faults import BadBody
from model_runtime.http.forms import Amount, line_end_of, plain
from model_runtime.http.instruction import Instruction, read_messages
from model_runtime.http.openai import OpenAIDialect, StreamOptions, tells_usage
from model_runtime.http.replies import ChatReply

if TYPE_CHECKING:
    from model_runtime.http.dialect import Turn
    from model_runtime.http.fill import Ask


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a chat."""

    role: str = "user"
    #: A text, or parts of which some are texts.
    content: str | list[Any] | None = None


class ChatBody(Body, frozen=True, kw_only=True):
    """The body of `POST /v1/chat/completions`."""

    messages: tuple[ChatMessage, ...] = ()
    n: Amount = None
    stream_options: StreamOptions | None = None


class ChatDialect(OpenAIDialect):
    """Instructions about code, as OpenAI's chat."""

    name: ClassVar[str] = "chat"
    body_type: ClassVar[type[msgspec.Struct]] = ChatBody
    reply_type: ClassVar[type[msgspec.Struct]] = ChatReply

    def read(self, body: ChatBody) -> Ask:  # type: ignore[override]  # each reads its own body type
        """See `Dialect.read`."""
        wanted = Wanted(n=body.n, tells_usage=tells_usage(body.stream_options))
        return ask_in_chat(body, body.messages, wanted)

    def reply(self, turn: Turn, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the envelope of a whole reply."""
        own = {"id": f"chatcmpl-{turn.id}", "object": "chat.completion"}
        return super().reply(turn, choices) | own

    def happening(self, turn: Turn, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the envelope of an event."""
        return self.reply(turn, choices) | {"object": "chat.completion.chunk"}

    def choice(self, index: int, text: str, reason: str) -> dict[str, Any]:
        """Return one choice of a whole reply."""
        message = {"role": "assistant", "content": text, "refusal": None}
        return {"index": index, "message": message, "logprobs": None, "finish_reason": reason}

    def part(self, index: int, text: str, reason: str | None) -> dict[str, Any]:
        """Return one choice of an event."""
        delta = {"role": "assistant", "content": text}
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}


def ask_in_chat(body: Body, messages: tuple[ChatMessage, ...], wanted: Wanted) -> Ask:
    """Return the runtime's request for what a chat's messages say.

    Raises:
        BadBody: they are not about code, or the body asks for what can't be.
    """
    if not messages:
        raise BadBody(
            "messages is missing: code between lines of ```, and what to change", "messages"
        )
    said = [(message.role, _text(message)) for message in messages]
    task = read_messages([(role, plain(text)) for role, text in said])
    if not isinstance(task, Instruction):
        return ask_for(body, [task], wanted)
    choose = body.remask
    asked = msgspec.structs.replace(
        choose,
        mode="rewrite" if task.code.strip() else "infill",
        text=task.code,
        instruction=choose.instruction or task.words,
        language=choose.language or task.language,
    )
    ask = ask_for(msgspec.structs.replace(body, remask=asked), [task.around], wanted)
    (request,) = ask.requests
    return replace(
        ask,
        requests=(msgspec.structs.replace(request, lane="edit"),),
        line_ends=(line_end_of(*(text for _, text in said)),),
        frame=(f"```{task.language}\n", "\n```") if task.is_fenced else ("", ""),
    )


def _text(message: ChatMessage) -> str:
    if not isinstance(message.content, list):
        return message.content or ""
    parts = [part.get("text") for part in message.content if isinstance(part, dict)]
    return "\n".join(part for part in parts if isinstance(part, str))
