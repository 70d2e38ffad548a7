"""Infill tasks are honest cuts of their documents, of the kinds they say they are."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.training.data import Document
from model_runtime.training.tasks import KIND_SHARES, Corpus, InfillTask, Limits, sample_task

LINES = st.lists(
    st.builds(
        str.__add__, st.sampled_from(["", "  ", "    ", "\t"]), st.text("ab (=:#)é", max_size=30)
    ),
    max_size=40,
)
LIMITS = st.builds(
    Limits, prefix=st.integers(0, 300), middle=st.integers(1, 200), suffix=st.integers(0, 300)
)

SOURCE = """import os


def first(a, b):
    total = a + b
    for item in range(total):
        print(item)

        print(item + 1)
    return total


def second():
    return 2
"""


def document(text: str, language: str = "python") -> Document:
    """Wrap a text as a training document."""
    return Document(
        registry="pypi",
        package="sample",
        version="1",
        licence="MIT",
        language=language,
        path="sample.py",
        split="train",
        text=text,
    )


def draws(seed: int) -> random.Random:
    """Make the source of a task's random choices."""
    return random.Random(seed)


def cut(kind: str, seed: int, text: str = SOURCE) -> InfillTask | None:
    """Cut one task of one kind."""
    limits = Limits(prefix=10_000, middle=10_000, suffix=10_000)
    return sample_task(document(text), draws(seed), limits, {kind: 1.0})


@given(lines=LINES, seed=st.integers(), limits=LIMITS)
def test_parts_make_a_stretch_of_the_document(lines: list[str], seed: int, limits: Limits) -> None:
    """Prefix, middle and suffix, put together, stand in the document, each within its limit."""
    text = "\n".join(lines)
    task = sample_task(document(text), draws(seed), limits)
    if task is None:
        return
    assert task.prefix + task.middle + task.suffix in text
    assert task.middle.strip()
    assert len(task.prefix) <= limits.prefix
    assert len(task.middle) <= limits.middle
    assert len(task.suffix) <= limits.suffix


@given(lines=LINES, seed=st.integers(), kind=st.sampled_from(list(KIND_SHARES)))
def test_kinds_are_what_they_say(lines: list[str], seed: int, kind: str) -> None:
    """Each kind begins and ends where its description says."""
    task = cut(kind, seed, "\n".join(lines))
    if task is None:
        return
    at_line_start = task.prefix == "" or task.prefix.endswith("\n")
    at_line_end = task.suffix == "" or task.suffix.startswith("\n")
    takes_line_end = task.suffix == "" or task.middle.endswith("\n")
    n_breaks = task.middle.count("\n")
    holds = {
        "line": at_line_start and takes_line_end and n_breaks <= 1,
        "lines": at_line_start and takes_line_end,
        "block_end": at_line_start and takes_line_end,
        "statement": not task.prefix.rpartition("\n")[2].strip() and n_breaks == 0,
        "rest": n_breaks == 0 and not task.suffix.partition("\n")[0].strip(),
        "inside": n_breaks == 0,
        "random": True,
    }
    assert holds[kind]
    if kind == "statement":
        assert at_line_end or not task.suffix.partition("\n")[0].strip()


@pytest.mark.parametrize("seed", range(60))
def test_block_end_stops_where_the_indentation_falls_back(seed: int) -> None:
    """A block's end takes every following line that is indented as much, and no other."""
    task = cut("block_end", seed)
    if task is None:
        return
    indent = len(task.middle) - len(task.middle.lstrip())
    assert indent > 0
    inside = [line for line in task.middle.splitlines() if line.strip()]
    assert all(len(line) - len(line.lstrip()) >= indent for line in inside)
    after = next((line for line in task.suffix.splitlines() if line.strip()), "")
    assert len(after) - len(after.lstrip()) < indent


def test_some_windows_are_one_top_level_item() -> None:
    """A part of the tasks shows a single function, as a small file would."""
    windows = {
        task.prefix + task.middle + task.suffix
        for seed in range(300)
        if (task := cut("line", seed)) is not None
    }
    assert any(window.startswith("def first") and "second" not in window for window in windows)
    assert SOURCE in windows


def test_the_nth_task_depends_on_seed_and_index_alone() -> None:
    """A resumed run draws the tasks that the run without a break would have drawn."""
    corpus = Corpus([document(SOURCE)])
    whole = [corpus.task(7, index) for index in range(20)]
    resumed = [Corpus([document(SOURCE)]).task(7, index) for index in range(10, 20)]
    assert whole[10:] == resumed
    assert whole != [corpus.task(8, index) for index in range(20)]


def test_languages_come_up_by_their_shares() -> None:
    """A language with three times the share is drawn about three times as often."""
    documents = [document(SOURCE), document(SOURCE * 9, "go"), document(SOURCE, "cobol")]
    corpus = Corpus(documents, {"python": 0.75, "go": 0.25})
    drawn = Counter(corpus.task(0, index).language for index in range(800))
    assert set(drawn) == {"python", "go"}
    assert 500 < drawn["python"] < 700


def test_all_kinds_come_up() -> None:
    """No kind is lost between the shares and the cuts."""
    corpus = Corpus([document(SOURCE * 5)])
    assert {corpus.task(1, index).kind for index in range(300)} == set(KIND_SHARES)


def test_a_corpus_without_room_says_so() -> None:
    """Documents of blanks, or of no asked-for language, are an error rather than a loop."""
    with pytest.raises(ValueError, match="no document in any of the languages"):
        Corpus([document(SOURCE, "cobol")])
    with pytest.raises(ValueError, match="no document with room"):
        Corpus([document(" \n")]).task(0, 0)
