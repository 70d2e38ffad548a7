"""`remask eval project`: what is asked, how it is judged, and what the page says."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import msgspec
import pytest

from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.errors import BadRequest
from model_runtime.evaluation.project import ask_for, page, read_tasks
from model_runtime.protocol import ContextFile, InfillRequest, MaskSpan
from model_runtime.protocol.eval_tasks import ProjectTask
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from pathlib import Path


def task(reference: str = "Circle(radius)") -> ProjectTask:
    """Return a task."""
    request = InfillRequest(
        id="t",
        path="a.py",
        language="python",
        prefix="c = ",
        suffix="\n",
        spans=(MaskSpan(single_line=True),),
        context=(ContextFile(path="s.py", text="class Circle\n"),),
        lane="inline",
    )
    return ProjectTask(
        id="t",
        kind="name",
        source="p 1 (MIT)",
        before=request,
        request=request,
        given=request.context,
        is_found=True,
        reference=reference,
    )


def engine(tmp_path: Path, text: str) -> ScriptedEngine:
    """Return an engine that says one text."""
    script = tmp_path / "script.json"
    script.write_bytes(msgspec.json.encode({"replies": [{"texts": [text]}]}))
    return ScriptedEngine(RuntimeSettings(script=str(script)))


@pytest.mark.parametrize(
    ("text", "exact", "first_word"),
    [("Circle(radius)", True, True), ("Circle(r)", False, True), ("Circles(radius)", False, False)],
)
def test_the_rest_of_the_line_and_its_first_word_count(
    tmp_path: Path, text: str, *, exact: bool, first_word: bool
) -> None:
    """A longer word is another one."""
    asked = ask_for(engine(tmp_path, text), task(), "retrieved, comment")
    assert (asked.exact, asked.first_word, asked.is_found) == (exact, first_word, True)


def test_the_page_compares_what_was_asked_in_both_ways(tmp_path: Path) -> None:
    """In points over the same tasks, with an interval."""
    wrong, right = engine(tmp_path, "Disc()"), engine(tmp_path, "Circle(radius)")
    pairs = [(wrong, "nothing"), (right, "retrieved, comment")]
    asked = [
        msgspec.structs.replace(ask_for(made, task(), variant), id=str(n))
        for n in range(4)
        for made, variant in (pairs if n else [(pairs[0][0], pairs[0][1]), (wrong, pairs[1][1])])
    ]
    words = page(asked, {"model": "m"}, "2026-01-01")
    assert "| retrieved, comment | 4 | 75.0" in words
    assert "| +75.0 (+32.6 to +117.4)" in words


def test_a_file_that_holds_no_tasks_is_refused(tmp_path: Path) -> None:
    """In one sentence that names it."""
    path = tmp_path / "tasks.jsonl.gz"
    path.write_bytes(gzip.compress(b"{}\n"))
    with pytest.raises(BadRequest, match=r"no project tasks in .*tasks\.jsonl\.gz"):
        read_tasks(path)
