"""Counts of what ghost text was worth."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from lsp_server.tally import N_WAITING, Count, Tally, forget, read_counts, share_right

if TYPE_CHECKING:
    from pathlib import Path


def test_counts_are_kept_by_language_and_confidence(tmp_path: Path) -> None:
    """By tenths; what was not told is apart."""
    path = tmp_path / "state" / "counts.json"
    tally = Tally(path)
    tally.end("python", 0.71, "accepted")
    tally.end("python", 1.0, "passed")
    tally.end("go", None, "typed")

    tally.flush()

    counts = read_counts(path)
    assert {key: one.shown for key, one in counts.by_language.items()} == {"python": 2, "go": 1}
    assert {key: one.shown for key, one in counts.by_confidence.items()} == {"7": 1, "9": 1, "": 1}
    assert share_right(counts.total) == pytest.approx(2 / 3)


def test_no_text_is_kept(tmp_path: Path) -> None:
    """The file holds names of languages and numbers."""
    path = tmp_path / "counts.json"
    tally = Tally(path)
    tally.end("python", 0.5, "accepted")
    tally.flush()

    words = set("".join(c if c.isalpha() else " " for c in path.read_text()).split())

    assert words <= {
        "since", "by", "language", "confidence", "python", "accepted", "partly", "typed", "passed"
    }  # fmt: skip


def test_editors_add_to_one_file(tmp_path: Path) -> None:
    """What several servers count at once is all there."""
    path = tmp_path / "counts.json"

    def work(_: int) -> None:
        tally = Tally(path)
        for _ in range(3 * N_WAITING):
            tally.end("python", 0.9, "typed")
        tally.flush()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

    assert read_counts(path).total == Count(typed=4 * 3 * N_WAITING)


def test_who_types_waits_for_no_other_editor(tmp_path: Path) -> None:
    """Another one writes just now: the counts wait, and none is lost."""
    path = tmp_path / "counts.json"
    tally = Tally(path)
    with FileLock(f"{path}.lock"):
        for _ in range(N_WAITING):
            tally.end("python", 0.9, "typed")
        tally.flush(wait_s=0)
        assert read_counts(path).total == Count()

    tally.flush()

    assert read_counts(path).total == Count(typed=N_WAITING)


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    """Counts wait until it can."""
    in_the_way = tmp_path / "state"
    in_the_way.write_text("a file")
    tally = Tally(in_the_way / "counts.json")
    tally.end("python", 0.9, "typed")
    tally.flush()

    in_the_way.unlink()
    tally.flush()

    assert read_counts(in_the_way / "counts.json").total == Count(typed=1)


def test_a_damaged_file_is_begun_anew(tmp_path: Path) -> None:
    """Nobody is asked to mend it."""
    path = tmp_path / "counts.json"
    path.write_bytes(b"\xff{")
    tally = Tally(path)
    tally.end("python", 0.9, "typed")

    tally.flush()

    assert read_counts(path).total == Count(typed=1)
    forget(path)
    forget(path)
    assert read_counts(path).total == Count()
