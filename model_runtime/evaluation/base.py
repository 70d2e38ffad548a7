"""What an evaluation is made of: tasks, fillers, outcomes."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from model_runtime.protocol import InfillRequest, MaskSpan

#: What running a completed program came to. "fail": its own check says so; "error": it does not
#: compile, raises something else, or dies.
Verdict = Literal["pass", "fail", "error", "timeout"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """How a completed Python program is tried out."""

    #: Source that defines `check`, which takes the function that was completed.
    test: str
    #: That function's name.
    entry_point: str


class EvalTask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A gap to fill, and what stood there."""

    id: str
    language: str
    #: Shown to the model as the file's name; may be empty.
    path: str = ""
    prefix: str
    suffix: str
    reference: str
    #: One line is asked for; what a fill has after its first line is cut off.
    single_line: bool = False
    check: Check | None = None
    #: Package, version and licence of the text, where it is somebody's.
    source: str = ""

    def request(self, seed: int = 0) -> InfillRequest:
        """Return what asks for the gap.

        In a document of its own: no task profits from a context that another one encoded.
        """
        return InfillRequest(
            id=self.id,
            path=self.path,
            document=self.id,
            language=self.language,
            prefix=self.prefix,
            suffix=self.suffix,
            spans=(MaskSpan(single_line=self.single_line),),
            seed=seed,
        )

    def complete(self, text: str) -> str:
        """Put a fill into its place, in the shape that was asked for.

        A single line is the fill's first one, with a line end where the reference has one: that
        the gap ends there is part of the task, not of the answer.
        """
        if self.single_line:
            text = text.partition("\n")[0] + ("\n" if self.reference.endswith("\n") else "")
        return self.prefix + text + self.suffix


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """An answer and what it cost."""

    text: str
    #: Model evaluations, all counted: the context's encoding, drafts and checks.
    n_forwards: int
    n_tokens: int
    #: Wall time from the request to the answer.
    seconds: float


class Filler(Protocol):
    """Anything that fills gaps: a model, an engine, a stand-in."""

    def __call__(self, task: EvalTask, seed: int) -> Fill:
        """Fill a task's gap; the reference and the check are not to be looked at."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One task, answered and judged."""

    id: str
    language: str
    fill: Fill
    exact: bool
    exact_first_line: bool
    #: 0 to 1.
    similarity: float
    similarity_first_line: float
    #: None where the task has no check, or it was not asked for.
    verdict: Verdict | None = None
