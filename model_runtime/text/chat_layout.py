"""A span in a chat: what is asked about it, with as much of the file as fits, and what ends it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from model_runtime.text.chat import BegunTask, ChatTask
from model_runtime.text.ending import ending_at, ending_in, ending_of_body
from model_runtime.text.forms import is_change
from model_runtime.text.laid_out import Frame
from model_runtime.text.markers import without_markers
from model_runtime.text.syntax import syntax_of
from model_runtime.text.window import SUFFIX_SHARE, head, tail

if TYPE_CHECKING:
    from model_runtime.protocol import InfillRequest, MaskSpan
    from model_runtime.text.chat import ChatTemplate
    from model_runtime.text.tokenizer import CodeTokenizer

#: Tokens of a chat prompt beside the code and the instruction, and more than enough.
CHAT_FRAME = 128
#: A file that has no more tokens before a span begins the answer as a whole.
SHORT = 384
#: What stands above a function's head and is about it.
_IS_COMMENT = re.compile(r"[ \t]*(//|/?\*|#|--|@)")


class ChatLayout:
    """Lays spans out in a chat.

    Args:
        chat: the base's chat prompt.
        tokenizer: of the base.
        max_context_tokens: what is farther from the span is cut.
    """

    def __init__(
        self, chat: ChatTemplate, tokenizer: CodeTokenizer, max_context_tokens: int
    ) -> None:
        self._chat = chat
        self._tokenizer = tokenizer
        self._max_context_tokens = max_context_tokens

    def begin(
        self,
        span: MaskSpan,
        request: InfillRequest,
        prefix: str,
        suffix: str,
        half: str,
        opening: str,
    ) -> Frame | None:
        """Return the chat prompt whose answer is begun with what stands before a span.

        None where there is no room, or no place to begin at: neither a function around the span
        nor the file's beginning near.

        Args:
            span: what it is in, and, to rewrite, what stands there.
            request: what the user wants.
            prefix: the file up to the span.
            suffix: the file behind it.
            half: see `LaidOut`.
            opening: see `LaidOut`.
        """
        encode, where = self._tokenizer.encode, span.enclosing
        head_at = prefix.rfind("\n", 0, len(prefix) - (where.n_before if where else 0)) + 1
        at = self._start_of_answer(prefix, head_at)
        if where is None and at:
            return None
        n_behind = where.n_behind if where else 0
        closing, after = suffix[:n_behind], suffix[n_behind:]
        # The blanks before a text belong to its first token.
        blanks = "" if half else prefix[len(prefix.rstrip(" \t")) :]
        begun = prefix[at:].removesuffix(half or blanks)
        selection = ""
        if is_change(request, span):
            shown = without_markers(span.text, request.hole_marker)
            selection = f"{blanks}{shown}{closing}"
        n_told = 2 * len(encode(begun)) + len(encode(selection + request.instruction))
        before, after = self._told(prefix[:at], after, n_told)
        task = BegunTask(
            request.instruction.strip(),
            _label(request.language),
            before,
            after,
            begun=begun,
            selection=selection,
        )
        ending = ending_at(f"\n{task.fence}")
        if where and where.is_body:
            ending = ending_of_body(prefix[head_at:], task.fence)
        elif selection:
            syntax = syntax_of(request.language, request.path, prefix + suffix)
            ending = ending_in(prefix, suffix, syntax, span.text, f"\n{task.fence}")
        end = encode(f"{closing.rstrip()}\n{task.fence}")
        context = self._chat.begin(task)
        # What begins the answer is said twice: before it, and in it.
        if len(context) > self._max_context_tokens + CHAT_FRAME:
            return None
        return Frame(context, end, ending, blanks, half, opening)

    def _start_of_answer(self, prefix: str, head_at: int) -> int:
        """Return from where on the file stands in an answer that is begun with a function's head.

        From its beginning where that is not far, for the model goes on best with a file that is
        whole; else from the comments above the head.
        """
        near = tail(prefix, SHORT)
        if near == prefix and len(self._tokenizer.encode(near)) <= SHORT:
            return 0
        at = head_at
        while at and _IS_COMMENT.match(above := prefix[:at].splitlines()[-1]):
            at -= len(above) + 1
        return at

    def ask(
        self,
        request: InfillRequest,
        span: MaskSpan,
        prefix: str,
        suffix: str,
        n_text: int,
    ) -> Frame:
        """Return the chat prompt around a span of so many tokens."""
        encode = self._tokenizer.encode
        line_start = prefix.rpartition("\n")[2]
        lead = line_start.rstrip()
        shown = without_markers(span.text, request.hole_marker)
        task = self._task(request, prefix, suffix, shown, n_text)
        return Frame(
            self._chat.lay_out(task) + encode(lead),
            encode(f"\n{task.fence}"),
            ending_at(f"\n{task.fence}", task.fence),
            line_start[len(lead) :],
        )

    def _task(
        self, request: InfillRequest, prefix: str, suffix: str, text: str, n_text: int
    ) -> ChatTask:
        """Return what to tell the model in words, as much of the file as fits."""
        lines, _, line_start = prefix.rpartition("\n")
        n_told = len(self._tokenizer.encode(request.instruction)) + n_text
        before, after = self._told(lines, suffix, n_told)
        return ChatTask(
            request.instruction,
            _label(request.language),
            before,
            after,
            selection=line_start + text if text.strip() else "",
        )

    def _told(self, before: str, after: str, n_told: int) -> tuple[str, str]:
        """Return as much of the file as a chat prompt has room for.

        Args:
            before: the file up to what is asked about.
            after: the file behind it.
            n_told: the tokens of all the rest.
        """
        tokenizer = self._tokenizer
        n_free = max(0, self._max_context_tokens - n_told - CHAT_FRAME)
        behind = tokenizer.encode(head(after, n_free))
        n_after = min(len(behind), int(n_free * SUFFIX_SHARE))
        ahead = tokenizer.encode(tail(before, n_free))
        n_before = min(len(ahead), n_free - n_after)
        shown = ahead[len(ahead) - n_before :], behind[:n_after]
        return tokenizer.decode(shown[0]), tokenizer.decode(shown[1])


def _label(language: str) -> str:
    """Return what a code block is labelled with; empty where the name is none."""
    return language if language.isidentifier() else ""
