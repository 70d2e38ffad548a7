"""VS Code: after an edit, the places that no longer fit it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from support.vscode import Workbench

pytestmark = [pytest.mark.vscode, pytest.mark.e2e]

REPLIES: list[dict[str, Any]] = [
    {"when": r"crash\w*$", "texts": [""], "crash": 3},
    {"texts": [""], "next_edit": 0.9},
]

TEXT = "def area(width, h):\n    size = width * h\n    return size + width\n"
RENAMED = TEXT.replace("(width", "(breadth")


def rename(code: Workbench, new: str = "breadth") -> None:
    """Rename the parameter in the signature."""
    code.open(TEXT)
    code.select((0, 9, 0, 14))
    code.page.keyboard.type(new)


def offered(code: Workbench) -> None:
    """Wait until the places are marked."""
    code.until(lambda: code.drawn == "breadth|breadth", "what would stand there")


def test_tab_jumps_and_tab_again_accepts(code: Workbench) -> None:
    """Each an undo step of its own; the next place is offered behind it."""
    rename(code)
    offered(code)
    code.shoot("next-edit")
    assert code.text == RENAMED
    code.press("Tab")
    code.until(lambda: code.cursor == (1, 11), "the cursor at the nearest place")
    assert code.text == RENAMED
    code.press("Tab")
    code.becomes(RENAMED.replace("= width", "= breadth"))
    code.press("Control+z")
    code.becomes(RENAMED)


def test_all_places_are_one_step_of_undo(code: Workbench) -> None:
    """A command takes the whole group."""
    rename(code)
    offered(code)
    code.run("remask.nextEdit.acceptAll")
    code.becomes(TEXT.replace("width", "breadth"))
    code.press("Control+z")
    code.becomes(RENAMED)


def test_escape_dismisses_and_tab_is_a_tab_again(code: Workbench) -> None:
    """And it does not come again."""
    rename(code)
    offered(code)
    code.press("Escape")
    code.until(lambda: code.drawn == "", "no marks")
    code.select((2, 0, 2, 0))
    code.press("Tab")
    code.until(lambda: code.text != RENAMED, "a blank")
    assert "size + width" in code.text


def test_typing_on_takes_it_away(code: Workbench) -> None:
    """What is stale is never applied."""
    rename(code)
    offered(code)
    code.page.keyboard.type("th")
    code.run("remask.nextEdit.acceptAll")
    code.until(lambda: "breadthth" in code.text, "what was typed")
    assert "size = width" in code.text


def test_the_runtime_dies_in_between(code: Workbench) -> None:
    """Nothing is said; once it is started again, the next edit works again."""
    rename(code, "crash")
    code.until(lambda: "failed" in code.status, "the runtime's end")
    code.select((0, 9, 0, 14))
    code.page.keyboard.type("breadth")

    def comes_back() -> bool:
        code.page.keyboard.type("s")
        code.press("Backspace")
        code.page.wait_for_timeout(1000)
        return code.drawn == "breadth|breadth"

    code.until(comes_back, "what would stand there", 60)
    assert code.page.locator(".notification-toast").count() == 0
