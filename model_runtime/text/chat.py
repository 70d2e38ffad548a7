"""A model's chat prompt: for what is asked for in words, and for whole bodies.

Three forms are known, by their marks: Qwen2.5's (Qwen team 2024, arXiv 2412.15115), which
Dream-Coder and its like have as well, with turns between `<|im_start|>` and `<|im_end|>`; LLaDA's
(Nie et al. 2025, arXiv 2502.09992), where a header names who speaks and `<|eot_id|>` ends a turn;
and LLaDA-MoE's and LLaDA2's (arXiv 2509.24389, 2512.15745), where a `<role>` does and
`<|role_end|>` ends it. The reply is opened for the model, up to the code block that the canvas
fills.

What the user wrote and what stands in the file is text, whatever it spells: only the turns' own
marks are control tokens, and the code blocks are fenced wider than any fence inside of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from model_runtime.text.tokenizer import CodeTokenizer

_SYSTEM = (
    "You edit code. You answer with one code block that holds the new code, and with nothing else."
)
#: What the base was trained to be told (the model's published template).
_ASSISTANT = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
#: Languages that are not called by their identifier.
_NAMES = {
    "python": "Python", "javascript": "JavaScript", "typescript": "TypeScript", "rust": "Rust",
    "go": "Go", "java": "Java", "c": "C", "cpp": "C++", "lua": "Lua",
    "javascriptreact": "JavaScript", "typescriptreact": "TypeScript",
}  # fmt: skip
#: How an answer begins that is right: as EvalPlus begins it (Liu et al. 2023, arXiv 2305.01210).
_LEAD = (
    "Below is {} with a self-contained function that solves the problem and passes corresponding "
    "tests:"
)
_BACKTICKS = re.compile(r"`+")
#: The least backticks a fence has.
_FENCE = 3


@dataclass(frozen=True)
class _Task:
    """What the model is told.

    Args:
        instruction: in the user's words.
        language: what the code blocks are labelled with; may be empty.
        before: the code before what is asked about.
        after: the code behind it.
    """

    instruction: str
    language: str
    before: str
    after: str

    @property
    def fence(self) -> str:
        """What opens and closes a code block: no line of the code does."""
        pieces = (self.before, self.after, self._code, self.instruction)
        widest = max(len(run) for run in ["``", *_BACKTICKS.findall("\n".join(pieces))])
        return "`" * max(_FENCE, widest + 1)

    @property
    def _code(self) -> str:
        return ""

    def block(self, code: str) -> str:
        """Return code in a block of its own."""
        return f"{self.fence}{self.language}\n{code}\n{self.fence}"


@dataclass(frozen=True)
class ChatTask(_Task):
    """Code to be replaced, or to be put in between.

    Args:
        selection: what is to be rewritten, from the start of its line; empty to write anew.
    """

    selection: str

    @property
    def _code(self) -> str:
        return self.selection


@dataclass(frozen=True)
class BegunTask(_Task):
    """A function to be gone on with; the answer begins as it does.

    Args:
        begun: its head, and what else stands in it up to the span.
        selection: what stands in it from there on and is to be rewritten; empty to write anew.
    """

    begun: str
    selection: str = ""

    @property
    def _code(self) -> str:
        return self.begun + self.selection


class ChatTemplate:
    """Lays a task out as the base was trained to be asked.

    Args:
        tokenizer: of the base.
    """

    #: The marks that its vocabulary has to have.
    marks: ClassVar[tuple[str, ...]] = ("<|im_start|>", "<|im_end|>")

    def __init__(self, tokenizer: CodeTokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids = [tokenizer.control(mark) for mark in self.marks]

    @staticmethod
    def of(tokenizer: CodeTokenizer) -> ChatTemplate | None:
        """Return the model's chat prompt; None where its vocabulary has no marks for one."""
        for form in (ChatTemplate, HeaderTemplate, RoleTemplate):
            if None not in [tokenizer.find(mark) for mark in form.marks]:
                return form(tokenizer)
        return None

    def lay_out(self, task: ChatTask) -> list[int]:
        """Return the prompt [n] whose continuation is the new code, up to the fence."""
        return self._lay_out(_SYSTEM, _question(task), task)

    def begin(self, task: BegunTask) -> list[int]:
        """Return the prompt [n] whose continuation is what the function goes on with."""
        if task.selection:
            return self._lay_out(_SYSTEM, _changing(task), task, begun=task.begun)
        lead = _LEAD.format(_called(task).replace("self-contained ", "")) + "\n"
        return self._lay_out(_ASSISTANT, _opening(task), task, lead, task.begun)

    def _lay_out(
        self, system: str, question: str, task: _Task, lead: str = "", begun: str = ""
    ) -> list[int]:
        turns = [*self._turn("system", system), *self._turn("user", question)]
        return [*turns, *self._opened(f"{lead}{task.fence}{task.language}\n{begun}")]

    def _turn(self, role: str, text: str) -> list[int]:
        start_id, end_id = self._ids
        encode = self._tokenizer.encode
        return [start_id, *encode(f"{role}\n{text}"), end_id, *encode("\n")]

    def _opened(self, answer: str) -> list[int]:
        """Return the model's turn, begun."""
        return [self._ids[0], *self._tokenizer.encode(f"assistant\n{answer}")]


class HeaderTemplate(ChatTemplate):
    """Turns under headers, as LLaDA-Instruct has them."""

    marks = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")

    def _turn(self, role: str, text: str) -> list[int]:
        return [*self._headed(role, text), self._ids[2]]

    def _opened(self, answer: str) -> list[int]:
        return self._headed("assistant", answer)

    def _headed(self, role: str, text: str) -> list[int]:
        start_id, end_id, _ = self._ids
        encode = self._tokenizer.encode
        return [start_id, *encode(role), end_id, *encode(f"\n\n{text}")]


class RoleTemplate(ChatTemplate):
    """Turns behind the name of a role, as LLaDA-MoE and LLaDA2 have them."""

    marks = ("<role>", "</role>", "<|role_end|>")
    #: What these models call who speaks.
    roles: ClassVar[dict[str, str]] = {
        "system": "SYSTEM", "user": "HUMAN", "assistant": "ASSISTANT",
    }  # fmt: skip

    def _turn(self, role: str, text: str) -> list[int]:
        return [*self._said_by(role, text), self._ids[2]]

    def _opened(self, answer: str) -> list[int]:
        return self._said_by("assistant", answer)

    def _said_by(self, role: str, text: str) -> list[int]:
        start_id, end_id, _ = self._ids
        encode = self._tokenizer.encode
        return [start_id, *encode(self.roles[role]), end_id, *encode(text)]


def _question(task: ChatTask) -> str:
    pieces = []
    if task.before.strip():
        pieces.append(f"Code before:\n{task.block(task.before)}")
    if task.after.strip():
        pieces.append(f"Code after:\n{task.block(task.after)}")
    if task.selection.strip():
        pieces.append(f"Rewrite this code:\n{task.block(task.selection)}")
    else:
        pieces.append("Write the code that goes between.")
    return "\n\n".join([*pieces, task.instruction]).rstrip()


def _opening(task: BegunTask) -> str:
    code = f"{task.before}{task.begun}".strip("\n").rstrip()
    asked = f"Please provide {_called(task)} that solves the following problem in a markdown code"
    pieces = [f"{asked} block:\n{task.fence}\n{code}\n{task.fence}"]
    if task.after.strip():
        behind = task.after.strip("\n")
        pieces.append(f"The file goes on with:\n{task.fence}\n{behind}\n{task.fence}")
    return "\n\n".join([*pieces, task.instruction]).rstrip()


def _changing(task: BegunTask) -> str:
    whole = f"{task.before}{task.begun}{task.selection}{task.after}".strip("\n").rstrip()
    return f"Rewrite this code:\n{task.block(whole)}\n\n{task.instruction}".rstrip()


def _called(task: BegunTask) -> str:
    """Return what is asked for, in the words in which such models are tested and do best."""
    name = _NAMES.get(task.language, task.language)
    return f"a self-contained {name} script" if name else "a self-contained script"
