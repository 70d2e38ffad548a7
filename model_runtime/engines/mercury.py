"""Inception's Mercury: a diffusion model behind two endpoints, one to fill and one to edit.

Fields and tags as in Inception's OpenAPI description of 2026-08-07. The edit endpoint takes one
user message, in which the file stands with the code to edit marked.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

from model_runtime.engines.remote.completions import complete
from model_runtime.engines.remote.next_edit import diff_of, read_places, region_of
from model_runtime.engines.remote.prompts import Hole, read_chat
from model_runtime.engines.remote.spans import Answer, SpanwiseEngine
from model_runtime.protocol import NextEdits, Usage

if TYPE_CHECKING:
    from model_runtime.engines.base import CancelToken, Listener
    from model_runtime.engines.remote.call import Call
    from model_runtime.engines.remote.spans import OnText
    from model_runtime.protocol import InfillRequest, Mode, NextEditRequest, Proposal

CURSOR = "<|cursor|>"
#: Tokens that the lines around a change may have.
MAX_TOKENS = 4096


class MercuryEngine(SpanwiseEngine):
    """Fills and edits with Mercury."""

    name: ClassVar[str] = "mercury"
    title: ClassVar[str] = "Mercury"
    default_url: ClassVar[str] = "https://api.inceptionlabs.ai"
    default_model: ClassVar[str] = "mercury-edit-2"
    key_variable: ClassVar[str] = "INCEPTION_API_KEY"
    modes: ClassVar[frozenset[Mode]] = frozenset({"infill", "holes", "rewrite", "repair"})

    async def ask(self, call: Call, request: InfillRequest, hole: Hole, on_text: OnText) -> Answer:
        """See `SpanwiseEngine.ask`."""
        if request.mode in {"rewrite", "repair"} or hole.instruction:
            return await self._edit(call, hole)
        # Its default stops at a blank line, which is no end of a fill.
        body: dict[str, Any] = {
            "model": self._model,
            "prompt": hole.prefix,
            "suffix": hole.suffix,
            "max_tokens": hole.max_tokens,
            "stop": ["\n"] if hole.single_line else [],
        }
        on_piece = on_text if request.stream else None
        return await complete(call, "/v1/fim/completions", body, on_piece, self.title)

    async def _edit(self, call: Call, hole: Hole, diff: str = "") -> Answer:
        body = {
            "model": self._model,
            "max_tokens": max(hole.max_tokens, 1024),
            "messages": [{"role": "user", "content": edit_prompt(hole, diff)}],
        }
        answer = await complete(call, "/v1/edit/completions", body, None, self.title)
        return dataclasses.replace(answer, text=read_edit(answer.text))

    def next_edits(
        self,
        request: NextEditRequest,
        listener: Listener,  # noqa: ARG002  # NextEditEngine's
        cancel: CancelToken,
    ) -> NextEdits:
        """Have the lines around a change edited; see `NextEditEngine.next_edits`."""
        if not request.changes:
            return self._found(request, Answer(""), [])
        start, end = region_of(request)
        hole = Hole(
            path=request.path,
            language=request.language,
            prefix=request.text[:start],
            suffix=request.text[end:],
            text=request.text[start:end],
            instruction="",
            context=(),
            max_tokens=MAX_TOKENS,
            single_line=False,
            temperature=0.0,
            seed=0,
        )

        async def ask(call: Call) -> NextEdits:
            answer = await self._edit(call, hole, diff_of(request))
            return self._found(request, answer, read_places(request, start, end, answer.text))

        return self._ask(request.path, ask, cancel)

    def _found(self, request: NextEditRequest, answer: Answer, found: list[Proposal]) -> NextEdits:
        usage = Usage(n_context_tokens=answer.n_context_tokens, n_tokens=answer.n_tokens)
        wanted = (one for one in found if one.confidence >= request.least_confidence)
        return NextEdits(id=request.id, proposals=tuple(wanted), model=self._model, usage=usage)


def edit_prompt(hole: Hole, diff: str = "") -> str:
    """Return a span in the tags of the edit endpoint."""
    snippets = [
        _tagged("recently_viewed_code_snippet", f"code_snippet_file_path: {file.path}\n{file.text}")
        for file in hole.context
    ]
    marked = _tagged("code_to_edit", hole.text + CURSOR)
    file = f"current_file_path: {hole.path}\n{hole.prefix}{marked}{hole.suffix}"
    parts = [
        _tagged("recently_viewed_code_snippets", "\n".join(snippets)),
        _tagged("current_file_content", file),
        _tagged("edit_diff_history", diff),
    ]
    if hole.instruction:
        parts.append(f"What the developer wants: {hole.instruction}")
    return "\n\n".join(parts)


def read_edit(content: str) -> str:
    """Return the edited code out of an answer."""
    text = read_chat(content)
    for tag in ("<|code_to_edit|>\n", "\n<|/code_to_edit|>", CURSOR):
        text = text.replace(tag, "")
    return text


def _tagged(tag: str, text: str) -> str:
    return f"<|{tag}|>\n{text}\n<|/{tag}|>"
