"""Neovim: ghost text, its own (0.12) and the plugin's (0.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support import doubtful

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.neovim import Neovim

pytestmark = [pytest.mark.nvim, pytest.mark.e2e]

REPLIES: list[dict[str, Any]] = [
    doubtful.REPLY,
    {"when": r"return a$", "texts": [" + b"]},
    {"when": r"slow = 1$", "texts": ["00"], "n_steps": 10, "step_s": 0.1},
    {"when": r"slow = 12$", "texts": ["34"]},
    {"when": r"some = $", "texts": ["first"], "others": [["second"]]},
    {"when": r"many\($", "texts": ["one,\n    two)"]},
    {"when": r"fail = 1$", "fail": "internal"},
    {"when": r"typed = $", "texts": ["call(x)"], "n_steps": 2, "step_s": 0.05},
    {"when": r"π = $", "texts": ["3.14 ÷ é"]},
    {"texts": ["again"]},
]


def test_it_shows_within_a_second_of_the_reply(nvim: Neovim) -> None:
    """From the reply to the screen."""
    nvim.open("def add(a, b):\n    return \n")
    nvim.lua("""
        _G.replied = false
        vim.api.nvim_create_autocmd('LspRequest', { callback = function(event)
          local request = event.data.request
          if request.method == 'textDocument/inlineCompletion' and request.type == 'complete' then
            _G.replied = true
          end
        end })
    """)
    nvim.at(1, 11)
    nvim.keys("A")
    nvim.keys("a")
    nvim.wait("_G.replied")
    nvim.wait("require('remask').visible()", timeout_s=1)
    assert nvim.ghost() == " + b"
    assert nvim.lines[1] == "    return a"


def test_who_writes_before_the_server_is_there_gets_it_too(nvim: Neovim) -> None:
    """A server takes a moment to start, and a file is opened to write in it."""
    path = nvim.folder / "early.py"
    path.write_text("def add(a, b):\n    return \n")
    nvim.command(f"noautocmd edit {path}")
    assert nvim.lua("return #vim.lsp.get_clients({ bufnr = 0 })") == 0
    nvim.at(1, 11)
    nvim.keys("A")
    nvim.keys("a")
    nvim.lua("vim.bo.filetype = 'python'")
    nvim.attached()
    assert nvim.ghost_comes() == " + b"


def test_accepting_puts_it_in_and_the_cursor_behind_it(nvim: Neovim) -> None:
    """Text behind the cursor stays behind it."""
    nvim.open("def add(a, b):\n    return )\n")
    nvim.at(1, 11)
    nvim.keys("i")
    nvim.keys("a")
    assert nvim.ghost_comes() == " + b"
    assert nvim.lua("return require('remask').accept()")
    nvim.becomes("def add(a, b):", "    return a + b)")
    assert nvim.cursor == (1, 16)
    assert nvim.nvim.api.get_mode()["mode"] == "i"


def test_one_undo_takes_back_what_was_accepted_and_no_more(nvim: Neovim) -> None:
    """What was typed before it, and after it, are steps of their own."""
    nvim.open("def add(a, b):\n    return \n")
    nvim.at(1, 11)
    nvim.keys("A")
    nvim.keys("a")
    nvim.ghost_comes()
    nvim.lua("require('remask').accept()")
    nvim.becomes("def add(a, b):", "    return a + b")
    nvim.keys("!<Esc>")
    nvim.becomes("def add(a, b):", "    return a + b!")
    nvim.command("undo")
    assert nvim.lines[1] == "    return a + b"
    nvim.command("undo")
    assert nvim.lines[1] == "    return a"
    nvim.command("undo")
    assert nvim.lines[1] == "    return "


def test_a_text_of_several_lines(nvim: Neovim) -> None:
    """Shown below the line, put in at once, the cursor at its end."""
    nvim.open("x = many\n")
    nvim.keys("A")
    nvim.keys("(")
    assert nvim.ghost_comes() == "one,\n    two)"
    nvim.lua("require('remask').accept()")
    nvim.becomes("x = many(one,", "    two)")
    assert nvim.cursor == (1, 8)
    nvim.keys("<Esc>")
    nvim.command("undo")
    assert nvim.lines == ["x = many("]


def test_word_by_word(nvim: Neovim) -> None:
    """A word is a word or a run of signs, with the blanks before it."""
    nvim.open("def add(a, b):\n    return \n")
    nvim.at(1, 11)
    nvim.keys("A")
    nvim.keys("a")
    nvim.ghost_comes()
    assert nvim.lua("return require('remask').accept_word()")
    nvim.becomes("def add(a, b):", "    return a +")
    assert nvim.cursor == (1, 14)


def test_line_by_line(nvim: Neovim) -> None:
    """The first line of several."""
    nvim.open("x = many\n")
    nvim.keys("A")
    nvim.keys("(")
    nvim.ghost_comes()
    nvim.lua("require('remask').accept_line()")
    nvim.becomes("x = many(one,")


def test_what_is_left_is_the_same_suggestion(nvim: Neovim) -> None:
    """After a word its rest shows: at once, or, where Neovim asks again, without the model."""
    nvim.open("def add(a, b):\n    return \n")
    nvim.at(1, 11)
    nvim.keys("A")
    nvim.keys("a")
    nvim.ghost_comes()
    nvim.lua("require('remask').accept_word()")
    nvim.becomes("def add(a, b):", "    return a +")
    assert nvim.ghost_comes() == " b"
    nvim.lua("require('remask').accept_word()")
    nvim.becomes("def add(a, b):", "    return a + b")


def test_there_is_another_one(start_neovim: Callable[..., Neovim]) -> None:
    """Where several were asked for, `next()` shows the others in turn."""
    nvim = start_neovim(*REPLIES, settings={"alternatives": 2})
    nvim.open("some =\n")
    nvim.keys("A")
    nvim.keys(" ")
    assert nvim.ghost_comes() == "first"
    nvim.lua("require('remask').next()")
    assert "second" in nvim.ghost()
    nvim.lua("require('remask').accept()")
    nvim.becomes("some = second")


def test_typing_along_is_counted(nvim: Neovim) -> None:
    """Accepting after typing some of it gives the text once, not the typed part twice."""
    nvim.open("typed =\n")
    nvim.keys("A")
    nvim.keys(" ")
    assert nvim.ghost_comes() == "call(x)"
    # One event loop turn each: no new reply can come between.
    nvim.lua("vim.api.nvim_feedkeys('ca', 'n', false)")
    nvim.wait("vim.api.nvim_get_current_line() == 'typed = ca'")
    nvim.lua("require('remask').accept()")
    nvim.becomes("typed = call(x)")
    assert nvim.cursor == (0, 15)


@pytest.mark.parametrize("neovim_version", ["0.11"])
def test_typing_along_keeps_it(nvim: Neovim) -> None:
    """It shrinks from the left as it is typed, and goes when something else is."""
    nvim.open("typed =\n")
    nvim.keys("A")
    nvim.keys(" ")
    nvim.ghost_comes()
    nvim.keys("c")
    assert nvim.ghost() == "all(x)"
    nvim.keys("<BS>")
    assert nvim.ghost() == "call(x)"
    nvim.keys("z")
    assert nvim.ghost() == ""


def test_columns_count_characters_of_any_width(nvim: Neovim) -> None:
    """Bytes, UTF-16 and what the user sees are three things."""
    nvim.open("π =\n")
    nvim.keys("A")
    nvim.keys(" ")
    assert nvim.ghost_comes() == "3.14 ÷ é"
    nvim.lua("require('remask').accept()")
    nvim.becomes("π = 3.14 ÷ é")
    assert nvim.cursor == (0, len("π = 3.14 ÷ é".encode()))


def test_typing_on_cancels_and_a_stale_reply_is_dropped(nvim: Neovim) -> None:
    """Only the reply for the text as it is may show."""
    nvim.open("slow = \n")
    nvim.lua("""
        _G.seen = {}
        local set = _G.set_extmark
        vim.api.nvim_buf_set_extmark = function(buffer, namespace, row, column, options)
          for _, chunk in ipairs(options.virt_text or {}) do table.insert(_G.seen, chunk[1]) end
          return set(buffer, namespace, row, column, options)
        end
    """)
    nvim.keys("A")
    nvim.keys("1")
    nvim.wait("require('remask.status').last.busy")
    nvim.keys("2")
    assert nvim.ghost_comes() == "34"
    assert "00" not in nvim.lua("return _G.seen")


def test_leaving_insert_mode_takes_it_away(nvim: Neovim) -> None:
    """And there is nothing to accept then."""
    nvim.open("def add(a, b):\n    return \n")
    nvim.at(1, 11)
    nvim.keys("A")
    nvim.keys("a")
    nvim.ghost_comes()
    nvim.keys("<Esc>")
    assert nvim.ghost() == ""
    assert not nvim.lua("return require('remask').accept()")


def test_dismissing_takes_it_away(nvim: Neovim) -> None:
    """The text stays as typed."""
    nvim.open("def add(a, b):\n    return \n")
    nvim.at(1, 11)
    nvim.keys("A")
    nvim.keys("a")
    nvim.ghost_comes()
    assert nvim.lua("return require('remask').dismiss()")
    nvim.wait("not require('remask').visible()")
    assert nvim.lines[1] == "    return a"


@pytest.mark.parametrize("neovim_version", ["0.11"])
def test_it_never_shows_beside_the_completion_menu(nvim: Neovim) -> None:
    """The menu's keys are the menu's."""
    nvim.open("alpha\nalpine\n\n")
    nvim.at(2, 0)
    nvim.keys("i")
    nvim.keys("al")
    nvim.ghost_comes()
    nvim.keys("<C-n>")
    nvim.wait("vim.fn.pumvisible() == 1")
    assert nvim.ghost() == ""
    assert not nvim.lua("return require('remask').accept()")


def test_tab_stays_the_users(nvim: Neovim) -> None:
    """No key is mapped; a mapping that falls back works, in and out of ghost text."""
    nvim.open("def add(a, b):\n    return \n")
    assert all(keys.startswith("<Plug>") for keys in nvim.mappings("i"))
    nvim.lua("""
        vim.keymap.set('i', '<Tab>', function()
          return require('remask').accept() and '' or '<Tab>'
        end, { expr = true, buffer = 0 })
    """)
    nvim.at(1, 11)
    nvim.keys("A")
    nvim.keys("a")
    nvim.ghost_comes()
    nvim.keys("<Tab>")
    nvim.becomes("def add(a, b):", "    return a + b")
    nvim.lua("require('remask').dismiss()")
    nvim.keys("<Esc>gg0i<Tab>")
    nvim.wait("vim.api.nvim_buf_get_lines(0, 0, 1, false)[1] == '    def add(a, b):'")


def test_a_snippet_keeps_its_place(nvim: Neovim) -> None:
    """Ghost text comes and goes; the tab stop behind it is where it was."""
    nvim.open("\n")
    nvim.keys("i")
    nvim.lua("vim.snippet.expand('f($1, $2)')")
    nvim.keys("a")
    nvim.ghost_comes()
    nvim.lua("vim.snippet.jump(1)")
    nvim.wait("vim.api.nvim_win_get_cursor(0)[2] == 5")
    nvim.lua("vim.snippet.stop()")


def test_silence_is_explained(nvim: Neovim) -> None:
    """Nothing pops up while typing, but the status line says why nothing came."""
    nvim.open("fail = \n")
    nvim.keys("A")
    nvim.keys("1")
    nvim.wait("require('remask').statusline():find('scripted failure', 1, true)")
    assert nvim.ghost() == ""
    assert nvim.said == []


@pytest.mark.parametrize("name", ["a.lua", ".env", "key.pem"])
def test_files_that_are_off_ask_no_model(start_neovim: Callable[..., Neovim], name: str) -> None:
    """A language that the user turned off, and secrets: no runtime is even started."""
    nvim = start_neovim(settings={"disabledLanguages": ["lua"]})
    nvim.open("a = \n", name)
    nvim.keys("A")
    nvim.keys("b")
    nvim.lua("""
        local client = vim.lsp.get_clients({ name = 'remask' })[1]
        local done = false
        local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
        params.context = { triggerKind = 1 }
        client:request('textDocument/inlineCompletion', params, function() done = true end, 0)
        vim.wait(10000, function() return done end, 20)
    """)
    assert nvim.ghost() == ""
    assert not list((nvim.folder / "run").glob("*.sock"))
    assert nvim.lua("return require('remask.status').last.state") == "stopped"


def test_it_can_be_turned_off(start_neovim: Callable[..., Neovim]) -> None:
    """Then nothing is asked at all."""
    nvim = start_neovim({"texts": ["ghost"]}, options={"ghost": False})
    nvim.lua("""
        _G.asked = 0
        vim.api.nvim_create_autocmd('LspRequest', { callback = function(event)
          if event.data.request.method == 'textDocument/inlineCompletion' then
            _G.asked = _G.asked + 1
          end
        end })
    """)
    nvim.open("a = \n")
    nvim.keys("A")
    nvim.keys("b")
    nvim.lua("vim.wait(400)")
    assert nvim.lua("return _G.asked") == 0


def test_an_idle_editor_is_quiet(nvim: Neovim) -> None:
    """Without typing nothing is asked for, but once what follows from the last edit."""
    nvim.open("def add(a, b):\n    return \n")
    nvim.at(1, 11)
    nvim.keys("A")
    nvim.keys("a")
    nvim.ghost_comes()
    nvim.lua("""
        _G.asked = {}
        vim.api.nvim_create_autocmd('LspRequest', { callback = function(event)
          local request = event.data.request
          if request.type == 'pending' then table.insert(_G.asked, request.method) end
        end })
        vim.wait(1000)
    """)
    assert nvim.lua("return _G.asked") in ([], ["remask/nextEdit"])


def test_only_what_is_sure_enough_is_shown(nvim: Neovim) -> None:
    """The same stretch as in any other front; by key all of it."""
    nvim.open("total =\n")
    nvim.at(0, 7)
    nvim.keys("A")
    nvim.keys(" ")

    assert nvim.ghost_comes() == doubtful.SURE
