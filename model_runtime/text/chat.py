"""The base model's chat prompt, for edits that are asked for in words.

Published with Qwen2.5 (Qwen team 2024, arXiv 2412.15115): turns between `<|im_start|>` and
`<|im_end|>`. The reply is opened for the model, up to the code block that the canvas fills.

What the user wrote and what stands in the file is text, whatever it spells: only the turns' own
marks are control tokens, and the code blocks are fenced wider than any fence inside of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from model_runtime.text.tokenizer import CodeTokenizer

_SYSTEM = (
    "You edit code. You answer with one code block that holds the new code, and with nothing else."
)
_BACKTICKS = re.compile(r"`+")
#: The least backticks a fence has.
_FENCE = 3


@dataclass(frozen=True)
class ChatTask:
    """What the model is told.

    Args:
        instruction: in the user's words.
        language: what the code blocks are labelled with; may be empty.
        before: the code before the selection.
        after: the code behind it.
        selection: what is to be rewritten, from the start of its line; empty to write anew.
    """

    instruction: str
    language: str
    before: str
    after: str
    selection: str

    @property
    def fence(self) -> str:
        """What opens and closes a code block: no line of the code does."""
        pieces = (self.before, self.after, self.selection, self.instruction)
        widest = max(len(run) for run in ["``", *_BACKTICKS.findall("\n".join(pieces))])
        return "`" * max(_FENCE, widest + 1)


class ChatTemplate:
    """Lays a task out as the base was trained to be asked.

    Args:
        tokenizer: of the base.
    """

    def __init__(self, tokenizer: CodeTokenizer) -> None:
        self._tokenizer = tokenizer
        self._start_id = tokenizer.control("<|im_start|>")
        self._end_id = tokenizer.control("<|im_end|>")

    @classmethod
    def of(cls, tokenizer: CodeTokenizer) -> Self | None:
        """Return the base's chat prompt; None where its vocabulary has no marks for one."""
        has_marks = None not in (tokenizer.find("<|im_start|>"), tokenizer.find("<|im_end|>"))
        return cls(tokenizer) if has_marks else None

    def lay_out(self, task: ChatTask) -> list[int]:
        """Return the prompt [n] whose continuation is the new code, up to the fence."""
        return [
            *self._turn("system", _SYSTEM),
            *self._turn("user", _question(task)),
            self._start_id,
            *self._tokenizer.encode(f"assistant\n{task.fence}{task.language}\n"),
        ]

    def _turn(self, role: str, text: str) -> list[int]:
        encode = self._tokenizer.encode
        return [self._start_id, *encode(f"{role}\n{text}"), self._end_id, *encode("\n")]


def _question(task: ChatTask) -> str:
    def block(code: str) -> str:
        return f"{task.fence}{task.language}\n{code}\n{task.fence}"

    pieces = []
    if task.before.strip():
        pieces.append(f"Code before:\n{block(task.before)}")
    if task.after.strip():
        pieces.append(f"Code after:\n{block(task.after)}")
    if task.selection.strip():
        pieces.append(f"Rewrite this code:\n{block(task.selection)}")
    else:
        pieces.append("Write the code that goes between.")
    return "\n\n".join([*pieces, task.instruction])
