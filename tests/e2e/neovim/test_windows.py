"""Neovim: the window that was used, and buffers that take no edit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.neovim import Neovim

pytestmark = [pytest.mark.nvim, pytest.mark.e2e]

REPLIES: list[dict[str, Any]] = [
    {"when": r"return a$", "texts": [" + b"]},
    {"when": r"slow = $", "texts": ["late"], "n_steps": 10, "step_s": 0.05},
    {"when": r"two = $", "texts": ["one\n  two"]},
    {"texts": ["new()"]},
]
MANY = "".join(f"x{n} = \n" for n in range(1, 50))


def line_of(nvim: Neovim) -> int:
    """Return the one line (from 1) that was filled."""
    (found,) = [n for n, line in enumerate(nvim.lines, 1) if line.endswith("new()")]
    return found


def filled(nvim: Neovim) -> None:
    """Wait for the edit."""
    nvim.wait("vim.list_contains(_G.fired, 'RemaskApplied')")


def test_the_cursor_is_that_of_the_window_in_use(nvim: Neovim) -> None:
    """Two windows show the buffer, the cursor above on line 2 and below on line 40."""
    nvim.open(MANY)
    nvim.at(1, 0)
    nvim.command("belowright split")
    nvim.at(39, 5)
    nvim.command("Remask infill")
    filled(nvim)
    assert line_of(nvim) == 40
    assert nvim.lua("return vim.api.nvim_win_get_cursor(vim.fn.win_getid(1))[1]") == 2


@pytest.mark.parametrize("split", ["vsplit", "tab split"])
def test_so_it_is_beside_and_in_another_tab(nvim: Neovim, split: str) -> None:
    """However many windows and tab pages show it."""
    nvim.open(MANY)
    nvim.at(1, 0)
    nvim.command(split)
    nvim.at(19, 5)
    nvim.command(split)
    nvim.at(29, 5)
    nvim.command("wincmd p" if split == "vsplit" else "tabprevious")
    nvim.command("Remask infill")
    filled(nvim)
    assert line_of(nvim) == 20
    nvim.command("silent! tabonly | silent! only")


def test_so_it_is_in_a_floating_window(nvim: Neovim) -> None:
    """It has a cursor of its own, as any window."""
    nvim.open(MANY)
    nvim.at(1, 0)
    nvim.lua("""
        local place = { relative = 'editor', row = 1, col = 1, width = 30, height = 5 }
        vim.api.nvim_open_win(0, true, place)
    """)
    nvim.at(39, 5)
    nvim.command("Remask infill")
    filled(nvim)
    assert line_of(nvim) == 40
    nvim.command("close")


def test_dot_in_another_window_goes_by_its_cursor(nvim: Neovim) -> None:
    """The operator repeats where the user is."""
    nvim.open("x = one\ny = two\nz = three\n")
    nvim.command("nmap gm <Plug>(remask-infill)")
    nvim.at(0, 4)
    nvim.command("belowright split")
    nvim.at(1, 4)
    nvim.keys("gmiw")
    nvim.becomes("x = one", "y = new()", "z = three")
    nvim.command("wincmd p")
    nvim.keys(".")
    nvim.becomes("x = new()", "y = new()", "z = three")
    nvim.command("only | nunmap gm")


def test_what_is_asked_meanwhile_moves_nothing(nvim: Neovim) -> None:
    """The instruction may be typed with the cursor in another window."""
    nvim.open("x = one\ny = two\nz = three\n")
    nvim.command("nmap gm <Plug>(remask-instruct)")
    nvim.lua("_G.input, vim.ui.input = vim.ui.input, function(_, done) _G.done = done end")
    nvim.at(0, 4)
    nvim.command("belowright split")
    nvim.at(1, 4)
    nvim.keys("gmiw")
    nvim.wait("_G.done ~= nil")
    nvim.command("wincmd p")
    nvim.at(2, 0)
    nvim.lua("vim.ui.input = _G.input; _G.done('make it new')")
    nvim.becomes("x = one", "y = new()", "z = three")
    nvim.command("only | nunmap gm")


def test_a_buffer_by_number_is_filled_where_its_user_last_was(nvim: Neovim) -> None:
    """`infill({ bufnr = … })` from elsewhere: its last used window, or its last place."""
    nvim.open(MANY)
    buffer = nvim.lua("return vim.api.nvim_get_current_buf()")
    nvim.at(1, 0)
    nvim.command("belowright split")
    nvim.at(39, 5)
    nvim.command("belowright new")
    nvim.lua("require('remask').infill({ bufnr = ... })", buffer)
    filled(nvim)
    nvim.command("close | only")
    assert line_of(nvim) == 40
    nvim.command("undo")
    nvim.at(24, 5)
    nvim.command("enew")
    nvim.lua("_G.fired = {}; require('remask').infill({ bufnr = ... })", buffer)
    filled(nvim)
    nvim.command(f"buffer {buffer}")
    assert line_of(nvim) == 25


def test_the_place_is_where_one_was_when_asking(start_neovim: Callable[..., Neovim]) -> None:
    """A server that has to be started first takes a while, and the user goes on."""
    nvim = start_neovim(*REPLIES)
    nvim.lua("vim.lsp.enable('remask', false)")
    nvim.command(f"edit {nvim.folder / 'b.py'}")
    nvim.lua("vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'x = ', 'y = ', 'z = ' })")
    nvim.at(1, 4)
    nvim.lua("require('remask').infill(); vim.api.nvim_win_set_cursor(0, { 3, 0 })")
    nvim.becomes("x = ", "y = new()", "z = ")


def test_accepting_goes_by_the_window_in_use(nvim: Neovim) -> None:
    """The other window's cursor stays with its text."""
    nvim.open("def add(a, b):\n    return \n\nlast = 1\n")
    nvim.at(3, 5)
    nvim.command("belowright split")
    nvim.at(1, 11)
    nvim.keys("A")
    nvim.keys("a")
    nvim.ghost_comes()
    assert nvim.lua("return require('remask').accept()")
    nvim.becomes("def add(a, b):", "    return a + b", "", "last = 1")
    assert nvim.cursor == (1, 16)
    assert nvim.lua("return vim.api.nvim_win_get_cursor(vim.fn.win_getid(1))") == [4, 5]


def test_ghost_text_goes_when_the_window_is_left(nvim: Neovim) -> None:
    """It stood at the other window's cursor, and its key is nobody's here."""
    nvim.open("def add(a, b):\n    return \n")
    nvim.at(0, 0)
    nvim.command("belowright split")
    nvim.at(1, 11)
    nvim.keys("A")
    nvim.keys("a")
    nvim.ghost_comes()
    nvim.lua("vim.api.nvim_set_current_win(vim.fn.win_getid(1))")
    nvim.wait("not require('remask').visible()")
    assert not nvim.lua("return require('remask').accept()")
    assert nvim.lines == ["def add(a, b):", "    return a"]


def test_a_review_is_accepted_in_either_window(nvim: Neovim) -> None:
    """It belongs to the buffer; the cursors stay where they are."""
    nvim.open(MANY)
    nvim.at(1, 0)
    nvim.command("belowright split")
    nvim.at(39, 5)
    nvim.command("Remask! infill")
    nvim.wait("vim.list_contains(_G.said, 'Remask: :Remask accept, reject or next')")
    nvim.command("wincmd w")
    nvim.command("Remask accept")
    assert line_of(nvim) == 40
    assert nvim.cursor == (1, 0)


REFUSED = {
    "setlocal nomodifiable": "this buffer can't be changed; `:set modifiable` allows it",
    "setlocal readonly": "this file is read-only; `:set noreadonly` allows changes",
}


def watch_requests(nvim: Neovim) -> None:
    """Count what the server is asked for."""
    nvim.lua("""
        _G.asked = 0
        vim.api.nvim_create_autocmd('LspRequest', { callback = function(event)
          if event.data.request.type == 'pending' then _G.asked = _G.asked + 1 end
        end })
    """)


@pytest.mark.parametrize("option", REFUSED)
@pytest.mark.parametrize("how", ["Remask", "Remask! rewrite", "Remask holes", "normal gmiw"])
def test_what_takes_no_change_is_told_before_the_model_works(
    nvim: Neovim, option: str, how: str
) -> None:
    """One sentence, and no request."""
    nvim.open("a = ___\n")
    nvim.command("nmap gm <Plug>(remask-infill)")
    watch_requests(nvim)
    nvim.command(option)
    nvim.command(how)
    assert nvim.said == [f"Remask: {REFUSED[option]}"]
    assert nvim.lua("return _G.asked") == 0
    nvim.command("nunmap gm")


@pytest.mark.parametrize("open_it", ["terminal true", "copen", "new | setlocal buftype=prompt"])
def test_special_buffers_are_told_too(nvim: Neovim, open_it: str) -> None:
    """There is nothing to edit in them, and no server is started for them."""
    nvim.open("a = 1\n")
    nvim.command(open_it)
    nvim.command("Remask")
    assert len(nvim.said) == 1
    assert nvim.said[0].endswith("buffer is nothing to edit")
    assert nvim.lua("return #vim.lsp.get_clients({ bufnr = 0 })") == 0
    nvim.command("stopinsert | bwipeout!")


def test_what_became_unchangeable_meanwhile_is_told(nvim: Neovim) -> None:
    """No stack trace at the end, by the plugin's way or the server's command."""
    nvim.open("slow = \n")
    nvim.at(0, 7)
    nvim.command("Remask")
    nvim.wait("require('remask.status').last.busy")
    nvim.command("setlocal nomodifiable")
    nvim.wait("#_G.said > 0")
    assert nvim.said == [f"Remask: {REFUSED['setlocal nomodifiable']}"]
    uri = nvim.lua("return vim.uri_from_bufnr(0)")
    answer = nvim.lua(
        "local uri = ...; return require('remask.edit').answer({ edit = { changes ="
        " { [uri] = {} } } }, vim.lsp.get_clients({ bufnr = 0 })[1].id)",
        uri,
    )
    assert answer == {"applied": False, "failureReason": REFUSED["setlocal nomodifiable"]}


def test_files_of_dos_keep_their_line_ends(nvim: Neovim) -> None:
    """Ghost text and edits of several lines, in a file that ends its lines with CR LF."""
    nvim.open("def add(a, b):\r\n    return \r\ntwo = \r\n")
    assert nvim.lua("return vim.bo.fileformat") == "dos"
    nvim.at(2, 6)
    nvim.command("Remask infill lines=many")
    nvim.becomes("def add(a, b):", "    return ", "two = one", "  two")
    nvim.at(1, 11)
    nvim.keys("A")
    nvim.keys("a")
    nvim.ghost_comes()
    nvim.lua("require('remask').accept()")
    nvim.becomes("def add(a, b):", "    return a + b", "two = one", "  two")
    nvim.keys("<Esc>")
    nvim.command("write")
    text = (nvim.folder / "a.py").read_bytes()
    assert text == b"def add(a, b):\r\n    return a + b\r\ntwo = one\r\n  two\r\n"


@pytest.mark.parametrize(
    "options",
    ["virtualedit=all", "foldmethod=indent foldlevel=0", "wrap columns=24", "virtualedit=onemore"],
)
def test_accepting_puts_it_behind_the_text(nvim: Neovim, options: str) -> None:
    """With virtual places, closed folds, wrapped lines, and wide characters before the cursor."""
    nvim.open("def add(a, b):\n    x = 1\n    s = '日本語 é 👋'; return \n    y = 2\n")
    nvim.command(f"set {options}")
    nvim.at(2, 0)
    nvim.keys("A")
    nvim.keys("a")
    nvim.ghost_comes()
    if options == "virtualedit=all":
        nvim.lua("vim.fn.winrestview({ coladd = 5 })")
    nvim.lua("require('remask').accept()")
    nvim.wait("vim.api.nvim_get_current_line():find(' + b', 1, true)")
    assert nvim.lines[2] == "    s = '日本語 é 👋'; return a + b"
    assert nvim.cursor == (2, len(nvim.lines[2].encode()))
    nvim.keys("<Esc>")
    nvim.command("set virtualedit& foldmethod& foldlevel& columns=80")
