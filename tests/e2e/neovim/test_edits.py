"""Neovim: filling and rewriting what is selected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.neovim import Neovim

pytestmark = [pytest.mark.nvim, pytest.mark.e2e]

REPLIES = [
    {"when": r"\nslow = $", "texts": ["late"], "n_steps": 20, "step_s": 0.1},
    {"when": r"\nendless = $", "endless": True, "step_s": 0.05},
    {"when": r"\nfail = $", "fail": "internal"},
    {"when": r"\nkeep = $", "texts": ["same"]},
    {"when": r"^def add\(a, b\):\n    $", "texts": ["total = a + b\n    return total"]},
    {"texts": ["new()"], "others": [["newer()"]]},
]


def test_the_visual_selection_is_rewritten_to_the_character(nvim: Neovim) -> None:
    """What stands beside it on the line stays, be it of several bytes a character."""
    nvim.open("π = öld + résté  # ñ\n")
    nvim.at(0, 5)
    nvim.keys("v2l:Remask rewrite make it new\n")
    nvim.becomes("π = new() + résté  # ñ")


def test_an_exclusive_selection_ends_before_the_cursor(nvim: Neovim) -> None:
    """As 'selection' says."""
    nvim.open("a = old + rest\n")
    nvim.command("set selection=exclusive")
    nvim.at(0, 4)
    nvim.keys("v3l:Remask rewrite\n")
    nvim.becomes("a = new() + rest")


def test_lines_keep_their_indentation(nvim: Neovim) -> None:
    """A line range is the text of these lines; the first indentation and the last line end stay."""
    nvim.open("def add(a, b):\n    pass\n\nx = 1\n")
    nvim.command("2Remask rewrite")
    nvim.becomes("def add(a, b):", "    total = a + b", "    return total", "", "x = 1")


def test_a_cursor_is_a_place_to_fill(nvim: Neovim) -> None:
    """On a line of blanks the place is behind them, where Normal mode can't go."""
    nvim.open("def f():\n    \nx = 1\n")
    nvim.at(1, 2)
    nvim.command("Remask")
    nvim.becomes("def f():", "    new()", "x = 1")


def test_one_undo_takes_all_of_an_edit_back(nvim: Neovim) -> None:
    """Several lines, several changes: one step, and one step of redo."""
    nvim.open("def add(a, b):\n    pass\n\nx = 1\n")
    nvim.command("normal! Goy = 2")
    nvim.command("2Remask rewrite")
    nvim.becomes("def add(a, b):", "    total = a + b", "    return total", "", "x = 1", "y = 2")
    nvim.command("undo")
    assert nvim.lines == ["def add(a, b):", "    pass", "", "x = 1", "y = 2"]
    nvim.command("redo")
    assert nvim.lines[1] == "    total = a + b"


def test_holes_are_filled_together(nvim: Neovim) -> None:
    """Every marker of the document, in one step of undo."""
    nvim.open("a = ___\nb = ___\n")
    nvim.command("Remask holes")
    nvim.becomes("a = new()", "b = new()")
    nvim.command("undo")
    assert nvim.lines == ["a = ___", "b = ___"]


def test_the_operator_takes_text_objects_and_dot_repeats(nvim: Neovim) -> None:
    """`<Plug>(remask-infill)` is an operator; the user chooses the key."""
    nvim.open("f(one)\nf(two)\n")
    nvim.command("nmap gm <Plug>(remask-infill)")
    nvim.at(0, 2)
    nvim.keys("gmi(")
    nvim.becomes("f(new())", "f(two)")
    nvim.at(1, 2)
    nvim.keys(".")
    nvim.becomes("f(new())", "f(new())")
    nvim.command("nunmap gm")


def test_the_operator_asks_for_an_instruction(nvim: Neovim) -> None:
    """`<Plug>(remask-instruct)` rewrites by what the user types; nothing without."""
    nvim.open("old = 1\n")
    nvim.command("xmap gm <Plug>(remask-instruct)")
    nvim.lua("vim.ui.input = function(_, on) on(nil) end")
    nvim.keys("viwgm")
    nvim.lua("vim.wait(100)")
    assert nvim.lines == ["old = 1"]
    nvim.lua("vim.ui.input = function(_, on) on('make it new') end")
    nvim.keys("viwgm")
    nvim.becomes("new() = 1")


def test_a_late_result_is_dropped(nvim: Neovim) -> None:
    """The text moved on, so the edit is not for it; the user's own change stays."""
    nvim.open("\nslow = 1\n")
    nvim.at(1, 7)
    nvim.keys("v:Remask rewrite\n")
    nvim.wait("require('remask.status').last.busy")
    nvim.command("normal! ggOmine")
    nvim.wait(
        "table.concat(_G.said):find('changed') or vim.fn.execute('messages'):find('changed')"
        " or require('remask.status').last.text:find('changed')"
    )
    assert nvim.lines == ["mine", "", "slow = 1"]
    assert "RemaskApplied" not in nvim.fired


def test_a_request_can_be_given_up(nvim: Neovim) -> None:
    """`:Remask cancel` ends even one that never would, and the runtime hears of it."""
    nvim.open("\nendless = 1\n")
    nvim.at(1, 10)
    nvim.keys("v:Remask rewrite\n")
    nvim.wait("require('remask.status').last.busy")
    nvim.command("Remask cancel")
    nvim.wait("not require('remask.status').last.busy")
    assert nvim.lines == ["", "endless = 1"]
    nvim.command("Remask cancel")
    assert nvim.said[-1] == "Remask: nothing runs here"


def test_a_failure_is_told_and_changes_nothing(nvim: Neovim) -> None:
    """Silence would be a riddle; the status line has the reason too."""
    nvim.open("\nfail = 1\n")
    nvim.at(1, 7)
    nvim.keys("v:Remask rewrite\n")
    nvim.wait("require('remask').statusline():find('scripted failure', 1, true)")
    assert nvim.lines == ["", "fail = 1"]


def test_no_change_is_told(nvim: Neovim) -> None:
    """The model likes the text as it is."""
    nvim.open("\nkeep = same\n")
    nvim.at(1, 7)
    nvim.keys("v$h:Remask rewrite\n")
    nvim.wait("vim.list_contains(_G.said, 'Remask: nothing to suggest')")
    assert nvim.lines == ["", "keep = same"]


def verdicts(nvim: Neovim) -> list[str]:
    """Return what became of the edits; news of the server's come between at any time."""
    return [event for event in nvim.fired if event in {"RemaskApplied", "RemaskRejected"}]


@pytest.mark.parametrize("verb", ["accept", "reject"])
def test_a_result_can_be_reviewed_first(nvim: Neovim, verb: str) -> None:
    """With "!" it is shown as a diff; only accepting it touches the buffer, and counts."""
    nvim.open("a = old\nb = 2\n")
    nvim.at(0, 4)
    nvim.keys("ve:Remask! rewrite\n")
    nvim.wait("vim.list_contains(_G.said, 'Remask: :Remask accept, reject or next')")
    tick = nvim.tick
    assert nvim.lines == ["a = old", "b = 2"]
    marks = nvim.drawn("remask.review")
    assert [mark["virt_lines"] for mark in marks if "virt_lines" in mark] == [
        [[["a = new()", "RemaskAdded"]]]
    ]
    nvim.command(f"Remask {verb}")
    assert nvim.drawn("remask.review") == []
    if verb == "accept":
        assert nvim.lines == ["a = new()", "b = 2"]
        assert verdicts(nvim) == ["RemaskApplied"]
        nvim.command("undo")
        assert nvim.lines == ["a = old", "b = 2"]
    else:
        assert (nvim.lines, nvim.tick) == (["a = old", "b = 2"], tick)
        assert verdicts(nvim) == ["RemaskRejected"]


def test_typing_ends_a_review(nvim: Neovim) -> None:
    """The diff was made for another text."""
    nvim.open("a = old\n")
    nvim.at(0, 4)
    nvim.keys("ve:Remask! rewrite\n")
    nvim.wait("vim.list_contains(_G.said, 'Remask: :Remask accept, reject or next')")
    nvim.keys("Ax<Esc>")
    nvim.command("Remask accept")
    assert nvim.lines == ["a = oldx"]
    assert nvim.drawn("remask.review") == []


def test_next_shows_another_result(nvim: Neovim) -> None:
    """This one stays until it comes; where there is none, it stays for good."""
    nvim.open("a = old\n")
    nvim.at(0, 4)
    nvim.keys("ve:Remask! rewrite\n")
    shown = "vim.list_contains(_G.said, 'Remask: :Remask accept, reject or next')"
    nvim.wait(shown)
    nvim.lua("_G.said = {}")
    nvim.command("Remask next")
    nvim.wait(shown)
    nvim.command("Remask next")
    nvim.wait("require('remask.status').last.text:find('no other result')")
    nvim.command("Remask accept")
    assert nvim.lines == ["a = newer()"]


def test_a_code_action_does_the_same(nvim: Neovim) -> None:
    """Neovim's own menu, without the plugin's command."""
    nvim.open("a = old\n")
    nvim.at(0, 4)
    nvim.keys("ve")
    nvim.lua(
        "vim.lsp.buf.code_action({ apply = true,"
        " context = { only = { 'refactor.rewrite.remask.rewrite' } } })"
    )
    nvim.becomes("a = new()")


def test_a_scratch_buffer_without_a_name_works(nvim: Neovim) -> None:
    """`:Remask` starts a server for a buffer that has none."""
    nvim.command("enew")
    nvim.lua("vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'a = ', 'b' })")
    nvim.keys("0vl:Remask rewrite\n")
    nvim.becomes("new()= ", "b")


def test_a_stale_edit_of_the_servers_is_refused(nvim: Neovim) -> None:
    """Neovim's own handler would answer that it was applied."""
    nvim.open("a = 1\n")
    nvim.command("normal! x")
    uri = nvim.lua("return vim.uri_from_bufnr(0)")
    answer = nvim.lua(
        "local document = ...; return require('remask.edit').answer({ edit ="
        " { documentChanges = { { textDocument = document, edits = {} } } } }, 1)",
        {"uri": uri, "version": 0},
    )
    assert answer == {"applied": False, "failureReason": "The text changed meanwhile."}
