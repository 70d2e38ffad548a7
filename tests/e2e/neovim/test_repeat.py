"""Neovim: what was accepted is repeated by dot and by macros, and told to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from support.neovim import Neovim

pytestmark = [pytest.mark.nvim, pytest.mark.e2e]

REPLIES: list[dict[str, Any]] = [
    {"when": r"return a$", "texts": [" + b"]},
    {"when": r"many\($", "texts": ['one,\n    "two 👋\\n",\n)']},
    {"when": r"pair\($", "texts": ["a, b"]},
    {"texts": ["again"]},
]
TAB = """
    vim.keymap.set('i', '<Tab>', function()
      return require('remask').accept() and '' or '<Tab>'
    end, { expr = true, buffer = 0 })
    vim.keymap.set('i', '<M-w>', '<Plug>(remask-accept-word)', { buffer = 0 })
    vim.keymap.set('i', '<M-l>', '<Plug>(remask-accept-line)', { buffer = 0 })
"""
MANY = ["(one,", '    "two 👋\\n",', ")"]


def accept(nvim: Neovim, key: str) -> None:
    """Accept by a key that the user mapped, or by the function."""
    if key:
        nvim.keys(key)
    else:
        nvim.lua("require('remask').accept()")


@pytest.mark.parametrize("key", ["<Tab>", ""])
def test_dot_repeats_it_with_what_was_typed(nvim: Neovim, key: str) -> None:
    """On another line, and as it stands: no indentation of Neovim's is added to its lines."""
    nvim.open("    x = many\n    y = f\n")
    nvim.lua(TAB)
    nvim.command("set autoindent")
    nvim.keys("A")
    nvim.keys("(")
    nvim.ghost_comes()
    accept(nvim, key)
    nvim.becomes("    x = many" + MANY[0], *MANY[1:], "    y = f")
    nvim.keys("<Esc>G.")
    assert nvim.lines[-3:] == ["    y = f" + MANY[0], *MANY[1:]]
    nvim.command("undo")
    assert nvim.lines[-1] == "    y = f"


def test_dot_repeats_a_change_that_ends_in_it(nvim: Neovim) -> None:
    """`ciw`, some letters, the accepted text, some more."""
    nvim.open("return a\nreturn x, 1\nreturn y, 2\n")
    nvim.lua(TAB)
    nvim.at(1, 7)
    nvim.keys("ciw")
    nvim.keys("a")
    nvim.ghost_comes()
    nvim.keys("<Tab>")
    nvim.becomes("return a", "return a + b, 1", "return y, 2")
    nvim.keys(" * c<Esc>")
    nvim.at(2, 7)
    nvim.keys(".")
    nvim.becomes("return a", "return a + b * c, 1", "return a + b * c, 2")


@pytest.mark.parametrize("keys", [("<M-w>", "<M-w>"), ("<M-l>",), ("<Tab>",)])
@pytest.mark.parametrize("begin", ["A", "cc", "o"])
def test_dot_repeats_what_was_accepted_in_pieces(
    nvim: Neovim, begin: str, keys: tuple[str, ...]
) -> None:
    """By word or by line, behind a line's end, in place of a line, and on a new one."""
    typed = "" if begin == "A" else "return "
    nvim.open("return \nreturn \n")
    nvim.lua(TAB)
    nvim.keys(f"{begin}{typed}")
    nvim.keys("a")
    for key in keys:
        nvim.ghost_comes()
        before = nvim.lines
        nvim.keys(key)
        nvim.until(lambda before=before: nvim.lines != before, "the accepted text")
    nvim.keys("<Esc>G.")
    kept = ["return ", "return "] if begin == "o" else []
    added = ["return a + b"] * 2
    assert sorted(nvim.lines) == sorted(kept + added)


def test_a_count_repeats_it(nvim: Neovim) -> None:
    """As it repeats what is typed; and so does the key for what was last inserted."""
    nvim.open("return \nreturn \n")
    nvim.lua(TAB)
    nvim.keys("2A")
    nvim.keys("a")
    nvim.ghost_comes()
    nvim.keys("<Tab>")
    nvim.becomes("return a + b", "return ")
    nvim.keys("<Esc>jA<C-a><Esc>")
    assert nvim.lines == ["return a + ba + b", "return a + b"]


@pytest.mark.parametrize("key", ["<Tab>", ""])
def test_a_macro_repeats_it(nvim: Neovim, key: str) -> None:
    """Recorded, it is the text, whatever ghost text shows when the macro runs, if any does."""
    nvim.open("x = many\ny = f\nz = g\n")
    nvim.lua(TAB)
    nvim.keys("qqA")
    nvim.keys("(")
    nvim.ghost_comes()
    accept(nvim, key)
    nvim.becomes("x = many" + MANY[0], *MANY[1:], "y = f", "z = g")
    nvim.keys("  #<Esc>jq")
    nvim.keys("@q")
    nvim.keys("@q")
    nvim.becomes(
        *(
            line
            for head in ("x = many", "y = f", "z = g")
            for line in (head + MANY[0], MANY[1], MANY[2] + "  #")
        )
    )


def test_a_tab_in_the_same_macro_stays_a_tab(nvim: Neovim) -> None:
    """Only the key that accepted has nothing to do when the macro runs."""
    nvim.open("x = many\ny = f\n")
    nvim.lua(TAB)
    nvim.keys("qqA")
    nvim.keys("(")
    nvim.ghost_comes()
    nvim.keys("<Tab>")
    nvim.becomes("x = many" + MANY[0], *MANY[1:], "y = f")
    nvim.keys("<Esc>0i<Tab><Esc>jq")
    nvim.keys("@q")
    nvim.becomes(
        "x = many" + MANY[0],
        MANY[1],
        "    " + MANY[2],
        "y = f" + MANY[0],
        MANY[1],
        "    " + MANY[2],
    )


def test_a_macro_repeats_words(nvim: Neovim) -> None:
    """Word by word, each is a piece of the macro."""
    nvim.open("return \nreturn \n")
    nvim.lua(TAB)
    nvim.keys("qqA")
    nvim.keys("a")
    nvim.ghost_comes()
    nvim.keys("<M-w>")
    nvim.becomes("return a +", "return ")
    nvim.ghost_comes()
    nvim.keys("<M-w>")
    nvim.becomes("return a + b", "return ")
    nvim.keys("<Esc>jq")
    nvim.keys("@q")
    nvim.becomes("return a + b", "return a + b")


#: What mini.pairs maps: a pair closes itself, and a closer that stands there is typed over.
PAIRS = """
    vim.keymap.set('i', '(', function() return '()<C-g>U<Left>' end, { expr = true, buffer = 0 })
    vim.keymap.set('i', ')', function()
      local column = vim.api.nvim_win_get_cursor(0)[2]
      local is_there = vim.api.nvim_get_current_line():sub(column + 1, column + 1) == ')'
      return is_there and '<C-g>U<Right>' or ')'
    end, { expr = true, buffer = 0 })
"""


def test_a_closer_that_stands_there_is_typed_over(nvim: Neovim) -> None:
    """After accepting inside a pair there is one closer, and dot repeats the whole of it."""
    nvim.open("x = pair\ny = pair\n")
    nvim.lua(TAB)
    nvim.lua(PAIRS)
    nvim.keys("A")
    nvim.keys("(")
    assert nvim.ghost_comes() == "a, b"
    nvim.keys("<Tab>")
    nvim.becomes("x = pair(a, b)", "y = pair")
    assert nvim.cursor == (0, 13)
    nvim.keys(");<Esc>")
    nvim.becomes("x = pair(a, b);", "y = pair")
    nvim.keys("j.")
    nvim.becomes("x = pair(a, b);", "y = pair(a, b);")


def listen(nvim: Neovim, *, announced: bool) -> None:
    """Let the server have announced that it takes events, and write down what it is sent."""
    nvim.lua(
        """
        local client = vim.lsp.get_clients({ bufnr = 0, name = 'remask' })[1]
        client.server_capabilities.experimental = { remask = { ghostEvents = ... } }
        _G.sent = {}
        local rpc = client.rpc.notify
        client.rpc.notify = function(method, params)
          if method:find('Completion$') then
            table.insert(_G.sent, { method:match('[^/]+$'), params })
            return true
          end
          return rpc(method, params)
        end
        """,
        announced,
    )


def test_the_server_is_told_what_was_shown_and_accepted(nvim: Neovim) -> None:
    """Each item once when it shows; then how much of it was accepted, in UTF-16 units."""
    nvim.open("x = many\n")
    listen(nvim, announced=True)
    nvim.keys("A")
    nvim.keys("(")
    nvim.ghost_comes()
    (shown,) = nvim.lua("return _G.sent")
    assert shown[0] == "didShowCompletion"
    item = shown[1]["item"]
    assert item["insertText"] == 'one,\n    "two 👋\\n",\n)'
    nvim.lua("require('remask').accept_word()")
    nvim.wait("#_G.sent > 1")
    assert nvim.lua("return _G.sent[2]") == [
        "didPartiallyAcceptCompletion",
        {"item": item, "acceptedLength": 3},
    ]


def test_a_line_is_counted_from_the_items_start(nvim: Neovim) -> None:
    """What was typed of it counts, and a character outside the BMP counts twice."""
    nvim.open("x = many\n")
    listen(nvim, announced=True)
    nvim.keys("A")
    nvim.keys("(")
    nvim.ghost_comes()
    nvim.lua("vim.api.nvim_feedkeys('o', 'n', false)")
    nvim.wait("vim.api.nvim_get_current_line() == 'x = many(o'")
    nvim.lua("require('remask').accept_line()")
    nvim.wait("_G.sent[#_G.sent][1] == 'didPartiallyAcceptCompletion'")
    assert nvim.lua("return _G.sent[#_G.sent][2].acceptedLength") == 4


def test_a_full_accept_runs_the_items_command(nvim: Neovim) -> None:
    """That is how the server hears of it; nothing else is sent."""
    nvim.open("x = many\n")
    listen(nvim, announced=True)
    nvim.lua("""
        _G.ran = {}
        vim.lsp.commands['test.accepted'] = function(command) table.insert(_G.ran, command) end
        local client = vim.lsp.get_clients({ bufnr = 0, name = 'remask' })[1]
        local request = client.rpc.request
        client.rpc.request = function(method, params, callback, ...)
          return request(method, params, function(fault, result)
            for _, item in ipairs(method == 'textDocument/inlineCompletion' and result or {}) do
              item.command = { title = 'Accepted', command = 'test.accepted', arguments = { 7 } }
            end
            return callback(fault, result)
          end, ...)
        end
    """)
    nvim.keys("A")
    nvim.keys("(")
    nvim.ghost_comes()
    nvim.lua("require('remask').accept()")
    nvim.wait("#_G.ran > 0")
    assert nvim.lua("return _G.ran[1].arguments") == [7]
    assert [event for event, _ in nvim.lua("return _G.sent")][:1] == ["didShowCompletion"]
    assert "didPartiallyAcceptCompletion" not in [e for e, _ in nvim.lua("return _G.sent")]
    nvim.lua("vim.lsp.commands['test.accepted'] = nil")


def test_a_server_that_does_not_ask_is_told_nothing(nvim: Neovim) -> None:
    """An older one would take it for an error."""
    nvim.open("x = many\n")
    listen(nvim, announced=False)
    nvim.keys("A")
    nvim.keys("(")
    nvim.ghost_comes()
    nvim.lua("require('remask').accept_word()")
    nvim.becomes("x = many(one")
    assert nvim.lua("return #_G.sent") == 0
