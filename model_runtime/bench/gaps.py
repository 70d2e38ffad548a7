"""Gaps in real code: as long as is wanted, behind as much context as is wanted.

The code is that of the shipped held-out tasks, so nothing needs to be downloaded, and the adapter
was not trained on it. Where a gap's own file is too short, other files of its language stand before
it.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from msgspec.structs import replace

from model_runtime.evaluation.heldout import read_tasks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from model_runtime.evaluation.base import EvalTask
    from model_runtime.text.tokenizer import CodeTokenizer

#: A gap may be shorter or longer than is wanted by this share.
TOLERANCE = 0.2
#: Up to here, a gap is the rest of a line; longer ones are whole lines.
MAX_ONE_LINE = 16
#: Share of the context that stands behind a gap, where the file has so much.
SUFFIX_SHARE = 0.3
#: Control tokens of a prompt: before the prefix, the suffix and the gap.
N_CONTROL = 3
#: Lines that have to stand before a gap.
MIN_LINES_BEFORE = 3


class Cutter:
    """Cuts gaps out of the code of some tasks, the shipped ones if none are given."""

    def __init__(self, tokenizer: CodeTokenizer, tasks: Sequence[EvalTask] | None = None) -> None:
        #: What counts the tokens.
        self.tokenizer = tokenizer
        tasks = read_tasks() if tasks is None else tasks
        # Cut anywhere, other characters than these could fall to pieces.
        self._tasks = [task for task in tasks if _text(task).isascii()]

    def cut(self, n_tokens: int, seed: int = 0) -> Iterator[EvalTask]:
        """Yield gaps of about `n_tokens`, at most one of each task, always the same ones."""
        rng = random.Random(f"{seed}/{n_tokens}")  # noqa: S311  # not for secrets
        for task in rng.sample(self._tasks, len(self._tasks)):
            text = _text(task)
            choose = self._rests if n_tokens <= MAX_ONE_LINE else self._lines
            spans = list(choose(text, n_tokens))
            if not spans:
                continue
            start, end = rng.choice(spans)
            yield replace(
                task,
                prefix=text[:start],
                suffix=text[end:],
                reference=text[start:end],
                single_line=n_tokens <= MAX_ONE_LINE,
            )

    def behind(self, gap: EvalTask, n_context: int) -> EvalTask:
        """Return the same gap with a prompt of `n_context` tokens, or one less or more."""
        encode, decode = self.tokenizer.encode, self.tokenizer.decode
        suffix_ids = encode(gap.suffix)[: int(SUFFIX_SHARE * n_context)]
        n_prefix = n_context - len(suffix_ids) - N_CONTROL
        prefix_ids = encode(gap.prefix)
        others = self._others(gap)
        while len(prefix_ids) < n_prefix:
            prefix_ids = [*encode(_text(next(others)).rstrip("\n") + "\n\n\n"), *prefix_ids]
        prefix = decode(prefix_ids[len(prefix_ids) - n_prefix :])
        return replace(gap, prefix=prefix, suffix=decode(suffix_ids))

    def _others(self, gap: EvalTask) -> Iterator[EvalTask]:
        """Yield other tasks, of the gap's language first, over and over."""
        others = [task for task in self._tasks if task.path != gap.path] or self._tasks
        ordered = sorted(others, key=lambda task: task.language != gap.language)
        while True:
            yield from ordered

    def _rests(self, text: str, n_tokens: int) -> Iterator[tuple[int, int]]:
        """Yield where the last `n_tokens` of a line begin and end, some code before them."""
        for start, line in _lines_of(text):
            line_ids = self.tokenizer.encode(line.rstrip("\n"))
            lead = self.tokenizer.decode(line_ids[:-n_tokens])
            rest = line.rstrip("\n")[len(lead) :]
            if lead.strip() and not (lead[-1].isalnum() and rest[:1].isalnum()):
                yield start + len(lead), start + len(lead) + len(rest)

    def _lines(self, text: str, n_tokens: int) -> Iterator[tuple[int, int]]:
        """Yield where whole lines of `n_tokens` together begin and end."""
        lines = list(_lines_of(text))
        counts = [len(self.tokenizer.encode(line)) for _, line in lines]
        for first, (start, line) in enumerate(lines):
            if not line.strip():
                continue
            n_found = 0
            for last in range(first, len(lines) - 1):
                n_found += counts[last]
                if n_found > n_tokens * (1 + TOLERANCE):
                    break
                if n_found >= n_tokens * (1 - TOLERANCE):
                    yield start, lines[last + 1][0]
                    break


def _text(task: EvalTask) -> str:
    return task.prefix + task.reference + task.suffix


def _lines_of(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line behind the first few, and where it begins."""
    start = 0
    for index, line in enumerate(text.splitlines(keepends=True)):
        if index >= MIN_LINES_BEFORE:
            yield start, line
        start += len(line)
