"""Servers that speak OpenAI's completions: with a suffix, with FIM tokens, or in a chat."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from model_runtime.engines.remote.prompts import (
    TEMPLATES,
    chat_messages,
    fim_prompt,
    fim_stops,
    read_chat,
    without_tokens,
)
from model_runtime.engines.remote.spans import Answer, SpanwiseEngine
from model_runtime.errors import RemoteFailed, UnknownName

if TYPE_CHECKING:
    from model_runtime.engines.remote.call import Call
    from model_runtime.engines.remote.prompts import Hole
    from model_runtime.engines.remote.spans import OnText
    from model_runtime.protocol import InfillRequest, Mode
    from model_runtime.settings import RuntimeSettings

STYLES = ("suffix", "chat", *TEMPLATES)


class Said(msgspec.Struct, frozen=True):
    """A chat's message, whole or in part."""

    content: str | None = None


class Choice(msgspec.Struct, frozen=True):
    """One choice of a reply or an event."""

    text: str | None = None
    message: Said | None = None
    delta: Said | None = None
    finish_reason: str | None = None

    @property
    def content(self) -> str:
        """Its text, wherever it stands."""
        said = self.message or self.delta
        return self.text or (said.content if said else None) or ""


class CachedTokens(msgspec.Struct, frozen=True):
    """Where OpenAI puts it."""

    cached_tokens: int | None = 0


class Cost(msgspec.Struct, frozen=True):
    """What a reply says it cost."""

    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    #: Mercury's place for it.
    cached_input_tokens: int | None = 0
    prompt_tokens_details: CachedTokens | None = None


class Reply(msgspec.Struct, frozen=True):
    """A reply, or one event of a stream."""

    choices: tuple[Choice, ...]
    usage: Cost | None = None


class CompletionsEngine(SpanwiseEngine):
    """An engine behind an OpenAI-compatible server.

    Args:
        settings: the `remote_` ones.

    Raises:
        UnknownName: a style of prompt that there isn't.
    """

    default_style: ClassVar[str]

    def __init__(self, settings: RuntimeSettings) -> None:
        self._style = settings.remote_prompt or self.default_style
        if self._style not in STYLES:
            raise UnknownName("remote_prompt", self._style, STYLES)
        if self._style == "chat":
            self.modes: frozenset[Mode] = frozenset({"infill", "holes", "rewrite"})  # type: ignore[misc]  # what words can ask
        super().__init__(settings)

    async def ask(self, call: Call, request: InfillRequest, hole: Hole, on_text: OnText) -> Answer:
        """See `SpanwiseEngine.ask`."""
        path, body = self._request(hole)
        # A chat's text is wrapped, and shows only once it is whole.
        shows = request.stream and self._style != "chat"
        answer = await complete(call, path, body, on_text if shows else None, self.title)
        if self._style == "chat":
            return dataclasses.replace(answer, text=read_chat(answer.text))
        if self._style in TEMPLATES:
            # Asked to stop there, a server may still say them.
            return dataclasses.replace(answer, text=without_tokens(self._style, answer.text))
        return answer

    def _request(self, hole: Hole) -> tuple[str, dict[str, Any]]:
        """Return where a hole goes, and how."""
        body: dict[str, Any] = {
            "model": self._model,
            "max_tokens": hole.max_tokens,
            "temperature": hole.temperature,
            "seed": hole.seed,
        }
        line_end = ["\n"] if hole.single_line else []
        if self._style == "chat":
            return "/v1/chat/completions", body | {"messages": chat_messages(hole)}
        if self._style == "suffix":
            asked = {"prompt": hole.prefix, "suffix": hole.suffix, "stop": line_end}
        else:
            stops = fim_stops(self._style) + line_end
            asked = {"prompt": fim_prompt(self._style, hole), "stop": stops}
        return "/v1/completions", body | {key: value for key, value in asked.items() if value != []}


async def complete(
    call: Call, path: str, body: dict[str, Any], on_text: OnText | None, title: str
) -> Answer:
    """Have a completion made.

    Args:
        call: how to reach the server.
        path: its endpoint.
        body: what it is asked.
        on_text: told the text so far; None to wait for the whole.
        title: the server's, for errors.

    Raises:
        RemoteFailed: it failed, or its reply isn't what it should be.
    """
    if on_text is None:
        return _answer(_read(await call.post(path, body), title), title)
    text, reason, cost = "", "", None
    async for event in call.stream(path, body | {"stream": True}):
        reply = _read(event, title)
        cost = reply.usage or cost
        for choice in reply.choices[:1]:
            text += choice.content
            reason = choice.finish_reason or reason
            on_text(text)
    if not reason:
        raise RemoteFailed(f"{title} broke off in the middle of its answer")
    return _answer(Reply((Choice(text=text, finish_reason=reason),), cost), title)


def _read(body: Any, title: str) -> Reply:
    try:
        return msgspec.convert(body, Reply)
    except msgspec.ValidationError as error:
        raise RemoteFailed(f"{title} answered in another shape than it should") from error


def _answer(reply: Reply, title: str) -> Answer:
    if not reply.choices:
        raise RemoteFailed(f"{title} answered without a fill")
    choice, cost = reply.choices[0], reply.usage or Cost()
    if choice.finish_reason == "content_filter":
        raise RemoteFailed(f"{title} withheld its answer: its content filter does not let it pass")
    details = cost.prompt_tokens_details or CachedTokens()
    return Answer(
        choice.content,
        "length" if choice.finish_reason == "length" else "closed",
        n_context_tokens=cost.prompt_tokens or 0,
        n_cached_tokens=cost.cached_input_tokens or details.cached_tokens or 0,
        n_tokens=cost.completion_tokens or 0,
    )
