"""Lines that need no other file."""

from __future__ import annotations

from collections import Counter

from lsp_server.project.asking import all_asked
from lsp_server.project.own_lines import own_lines
from lsp_server.project.tasks import MAX_OF_FILE, MIN_ANSWER, NAME, Project
from model_runtime.protocol.eval_tasks import OWN

TEXT = '''"""A module."""
from shapes import Circle

RADIUS = 3


def area(radius, factor):
    """Say the area of area."""
    # radius, factor
    scaled = radius * factor
    return scaled * Circle.PI


print(area(RADIUS, RADIUS))
'''


def test_every_name_of_the_answer_is_said_elsewhere_in_the_file() -> None:
    """And it is code, of a length that somebody could guess; the same seed cuts the same."""
    project = Project(name="p", source="p 1 (MIT)", split="heldout", files={"a.py": TEXT})
    found = [task for seed in range(40) for task in own_lines([project], seed=seed)]

    assert found
    assert len(own_lines([project])) <= MAX_OF_FILE
    assert own_lines([project], seed=3) == own_lines([project], seed=3)
    for task in found:
        answer = TEXT[task.start : task.end]
        rest = Counter(NAME.findall(TEXT[: task.start] + TEXT[task.end :]))
        assert task.kind == OWN
        assert task.needed is None
        assert TEXT[task.end] == "\n"
        assert sum(map(str.isalnum, answer)) >= MIN_ANSWER
        assert all(rest[name] for name in NAME.findall(answer))
        line = TEXT[TEXT.rfind("\n", 0, task.start) + 1 : task.end]
        assert not line.lstrip().startswith(("#", '"', "from"))


def test_they_are_asked_about_like_the_others() -> None:
    """As if typed up to there, with what the server would show; nothing is known to be needed."""
    task = next(iter(all_asked("heldout", 1000, needs_others=False)))
    assert task.kind == OWN
    assert not task.given
    assert not task.is_found
    assert task.request.prefix.startswith(task.before.prefix)
    assert not task.request.suffix.startswith(task.reference)
