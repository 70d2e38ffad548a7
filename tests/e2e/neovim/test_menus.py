"""Neovim: ghost text and a completion menu, one at a time.

Neovim's own menu is the real one, and what mini.completion shows. blink.cmp, nvim-cmp, coc.nvim and
pum.vim draw theirs as floating windows; here they are stand-ins with the functions that these
document.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from support.editors import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.neovim import Neovim

pytestmark = [pytest.mark.nvim, pytest.mark.e2e]

REPLIES: list[dict[str, Any]] = [
    {"when": r"late = 1$", "texts": ["00"], "n_steps": 8, "step_s": 0.05},
    {"texts": ["again"]},
]

#: What a stand-in is.
MENUS = {
    "blink.cmp": """
        package.loaded['blink.cmp'] = {
          is_menu_visible = function() return _G.menu end,
          setup = function(options) _G.keys = options.keymap end,
        }
    """,
    "an older blink.cmp": """
        package.loaded['blink.cmp'] = { is_visible = function() return _G.menu end }
    """,
    "nvim-cmp": """
        package.loaded['cmp'] = {
          visible = function() return _G.menu end,
          confirm = function() _G.confirmed = true end,
          setup = function(options) _G.keys = options.mapping end,
        }
    """,
    "coc.nvim": "_G.autoload('coc/pum.vim', 'coc#pum#visible', '1 : 0')",
    "pum.vim": "_G.autoload('pum.vim', 'pum#visible', 'v:true : v:false')",
}
START = """
    _G.menu = false
    function _G.autoload(path, name, answers)
      local file = vim.fn.stdpath('data') .. '/autoload/' .. path
      vim.fn.mkdir(vim.fs.dirname(file), 'p')
      local body = 'return luaeval("_G.menu") ? ' .. answers
      vim.fn.writefile({ 'function! ' .. name .. '() abort', body, 'endfunction' }, file)
      vim.cmd.source(file)
    end
"""
FORGET = """
    package.loaded['blink.cmp'], package.loaded['cmp'] = nil, nil
    vim.cmd('silent! delfunction coc#pum#visible')
    vim.cmd('silent! delfunction pum#visible')
"""


@pytest.fixture(params=MENUS)
def menu(nvim: Neovim, request: pytest.FixtureRequest) -> Iterator[str]:
    """A Neovim in which a plugin with a menu of its own is loaded."""
    nvim.open("alpha\n\n")
    nvim.lua(START)
    nvim.lua(MENUS[request.param])
    nvim.at(1, 0)
    yield str(request.param)
    nvim.lua(FORGET)


def show(nvim: Neovim, *, is_open: bool) -> None:
    """Open or close the stand-in's menu, a floating window."""
    nvim.lua(
        """
        _G.menu = ...
        if _G.menu then
          local place = { relative = 'cursor', row = 1, col = 0, width = 9, height = 2,
            noautocmd = true }
          _G.float = vim.api.nvim_open_win(vim.api.nvim_create_buf(false, true), false, place)
        else
          vim.api.nvim_win_close(_G.float, true)
        end
        """,
        is_open,
    )


@pytest.mark.usefixtures("menu")
def test_ghost_text_gives_way_to_a_plugins_menu(nvim: Neovim) -> None:
    """It goes when the menu opens, its key is the menu's, and it comes back afterwards."""
    nvim.keys("i")
    nvim.keys("al")
    assert nvim.ghost_comes() == "again"
    show(nvim, is_open=True)
    nvim.wait("not require('remask').visible()")
    nvim.wait("#vim.api.nvim_buf_get_extmarks(0, -1, 0, -1, { type = 'virt_text' }) == 0")
    assert not nvim.lua("return require('remask').accept()")
    assert nvim.lines == ["alpha", "al"]
    show(nvim, is_open=False)
    assert nvim.ghost_comes() == "again"


@pytest.mark.usefixtures("menu")
def test_a_reply_that_comes_while_the_menu_shows_waits(nvim: Neovim) -> None:
    """Asked for before the menu opened; it must not show beside it."""
    nvim.lua("""
        _G.replied = false
        vim.api.nvim_create_autocmd('LspRequest', { callback = function(event)
          local request = event.data.request
          if request.method == 'textDocument/inlineCompletion' and request.type == 'complete' then
            _G.replied = true
          end
        end })
    """)
    nvim.keys("Alate = ")
    nvim.keys("1")
    nvim.wait("require('remask.status').last.busy")
    nvim.lua("_G.replied = false")
    show(nvim, is_open=True)
    nvim.wait("_G.replied or not require('remask.status').last.busy")
    nvim.lua("vim.wait(50)")
    assert nvim.ghost() == ""
    show(nvim, is_open=False)
    nvim.ghost_comes()


def test_the_builtin_menu_is_respected(nvim: Neovim) -> None:
    """`complete()` is what omni-completion, mini.completion and `vim.lsp.completion` call."""
    nvim.open("alpha\n\n")
    nvim.at(1, 0)
    nvim.keys("i")
    nvim.keys("al")
    nvim.ghost_comes()
    nvim.lua("vim.fn.complete(1, { 'alpha', 'alpine' })")
    nvim.wait("vim.fn.pumvisible() == 1")
    nvim.wait("not require('remask').visible()")
    assert nvim.ghost() == ""
    assert not nvim.lua("return require('remask').accept()")
    nvim.keys("<C-e>")
    assert nvim.ghost_comes() == "again"


def documented(word: str) -> str:
    """Return the Lua block of docs/editors.md with this word in it."""
    text = (ROOT / "docs" / "editors.md").read_text()
    blocks = re.findall(r"^```lua\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return str(found)


@pytest.mark.parametrize("menu", ["blink.cmp", "nvim-cmp"], indirect=True)
def test_the_documented_maps_give_tab_to_whoever_shows(nvim: Neovim, menu: str) -> None:
    """The menu's while that shows, then ghost text's, else a tab."""
    if menu == "blink.cmp":
        nvim.lua(documented("blink.cmp"))
        nvim.lua("""
            vim.keymap.set('i', '<Tab>', function()
              for _, step in ipairs(_G.keys['<Tab>']) do
                if step == 'fallback' then return '<Tab>' end
                if step == 'select_and_accept' then
                  if _G.menu then _G.confirmed = true return '' end
                elseif step(package.loaded['blink.cmp']) then return '' end
              end
            end, { expr = true, buffer = 0 })
        """)
    else:
        nvim.lua(documented("cmp.confirm"))
        nvim.lua("""
            vim.keymap.set('i', '<Tab>', function()
              local typed = ''
              _G.keys['<Tab>'](function() typed = '<Tab>' end)
              return typed
            end, { expr = true, buffer = 0 })
        """)
    nvim.keys("i")
    nvim.keys("al")
    nvim.ghost_comes()
    show(nvim, is_open=True)
    nvim.wait("not require('remask').visible()")
    nvim.keys("<Tab>")
    assert nvim.lua("return _G.confirmed")
    assert nvim.lines == ["alpha", "al"]
    show(nvim, is_open=False)
    nvim.ghost_comes()
    nvim.keys("<Tab>")
    nvim.becomes("alpha", "alagain")
    nvim.lua("require('remask').dismiss()")
    nvim.keys("<Esc>gg0i<Tab>")
    nvim.wait("vim.api.nvim_buf_get_lines(0, 0, 1, false)[1] == '    alpha'")
