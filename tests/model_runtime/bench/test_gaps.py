"""Gaps for the benchmark: real code, as long as wanted, behind as much context as wanted."""

from __future__ import annotations

from itertools import islice

import pytest
from support import tiny_canvas

from model_runtime.bench.gaps import MAX_ONE_LINE, TOLERANCE, Cutter
from model_runtime.evaluation.base import EvalTask
from model_runtime.evaluation.heldout import read_tasks
from model_runtime.evaluation.typist import typed

TOKENIZER = tiny_canvas.tokenizer()
#: The tiny tokenizer, a token being a character, knows no tabs.
TASKS = [task for task in read_tasks() if "\t" not in task.prefix + task.reference + task.suffix]


@pytest.fixture(scope="module")
def cutter() -> Cutter:
    """Cuts the shipped tasks, a token being a character."""
    return Cutter(TOKENIZER, TASKS)


@pytest.mark.parametrize("n_tokens", [8, 16])
def test_short_gaps_are_the_rest_of_a_line(cutter: Cutter, n_tokens: int) -> None:
    """A short gap has the wanted number of tokens, code before it in its line, and ends there."""
    for gap in islice(cutter.cut(n_tokens), 30):
        assert len(TOKENIZER.encode(gap.reference)) == n_tokens <= MAX_ONE_LINE
        assert gap.single_line
        assert gap.prefix.rpartition("\n")[2].strip()
        assert gap.suffix.startswith("\n")
        assert "\n" not in gap.reference


@pytest.mark.parametrize("n_tokens", [64, 200])
def test_long_gaps_are_whole_lines(cutter: Cutter, n_tokens: int) -> None:
    """A longer gap is whole lines of about the wanted number of tokens."""
    for gap in islice(cutter.cut(n_tokens), 30):
        n_found = len(TOKENIZER.encode(gap.reference))
        assert abs(n_found - n_tokens) <= TOLERANCE * n_tokens
        assert not gap.single_line
        assert gap.prefix.endswith("\n")
        assert gap.reference.endswith("\n")


def test_gaps_are_real_code(cutter: Cutter) -> None:
    """Put back into its place, what was taken out gives a shipped task's text."""
    texts = {task.prefix + task.reference + task.suffix for task in read_tasks()}
    for gap in islice(cutter.cut(64), 30):
        assert gap.prefix + gap.reference + gap.suffix in texts


def test_the_same_gaps_every_time(cutter: Cutter) -> None:
    """Two runs measure the same gaps."""
    assert list(islice(cutter.cut(16), 9)) == list(islice(Cutter(TOKENIZER, TASKS).cut(16), 9))


@pytest.mark.parametrize("n_context", [250, 1000, 4000])
def test_context_is_as_long_as_wanted(cutter: Cutter, n_context: int) -> None:
    """The prompt has the wanted number of tokens, the text next to the gap in it."""
    for gap in islice(cutter.cut(8), 10):
        laid_out = cutter.behind(gap, n_context)
        prompt = [*TOKENIZER.encode(laid_out.prefix), *TOKENIZER.encode(laid_out.suffix)]
        assert abs(len(prompt) + 3 - n_context) <= 1
        assert laid_out.prefix.endswith(gap.prefix[-100:])
        assert gap.suffix.startswith(laid_out.suffix)
        assert laid_out.reference == gap.reference


def test_too_little_text_is_repeated() -> None:
    """One short file is context enough: it stands there over and over."""
    task = EvalTask(
        id="t",
        language="python",
        path="a.py",
        prefix="a\nb\nc\nd = ",
        suffix="\nf\n",
        reference="12",
    )
    cutter = Cutter(TOKENIZER, [task])
    laid_out = cutter.behind(next(cutter.cut(2)), 300)
    assert len(TOKENIZER.encode(laid_out.prefix + laid_out.suffix)) == 297
    assert laid_out.prefix.count("b\n") > 5


def test_typing_moves_text_from_the_gap_into_the_prefix(cutter: Cutter) -> None:
    """What is typed is the beginning of what was taken out."""
    gap = next(cutter.cut(16))
    begun = typed(gap, 3)
    assert begun.prefix == gap.prefix + gap.reference[:3]
    assert begun.prefix + begun.reference + begun.suffix == gap.prefix + gap.reference + gap.suffix
