"""Neovim: after an edit, the places that no longer fit it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from support.neovim import Neovim

pytestmark = [pytest.mark.nvim, pytest.mark.e2e]

REPLIES: list[dict[str, Any]] = [
    {"when": r"crash\w*$", "crash": 3},
    {"when": r"return a$", "texts": [" + b"], "next_edit": 0.9},
    {"texts": [""], "next_edit": 0.9},
]

TEXT = "def area(width, h):\n    size = width * h\n    return size + width\n"
RENAMED = TEXT.replace("(width", "(breadth")


def renamed(nvim: Neovim) -> None:
    """Rename the parameter in the signature, and wait for what follows from it."""
    nvim.open(TEXT)
    nvim.at(0, 9)
    nvim.keys("cwbreadth<Esc>")
    nvim.wait("require('remask.next_edit').visible()")


def test_the_places_are_marked_and_what_would_stand_there(nvim: Neovim) -> None:
    """In the text, in the sign column, and in the statusline; the text itself is untouched."""
    renamed(nvim)
    marks = nvim.lua("""
        local namespace = vim.api.nvim_get_namespaces()['remask.next_edit']
        return vim.tbl_map(function(mark)
          local virtual = mark[4].virt_text
          return { mark[2], mark[3], virtual and virtual[1][1] or '' }
        end, vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true }))
    """)
    assert [tuple(mark) for mark in marks] == [
        (1, 11, ""),
        (1, 16, "breadth"),
        (2, 18, ""),
        (2, 23, "breadth"),
    ]
    assert "next edit: 2" in nvim.lua("return require('remask').statusline()")
    assert "\n".join(nvim.lines) + "\n" == RENAMED


def test_jump_accept_and_undo_in_one_step(nvim: Neovim) -> None:
    """One key goes there, the same key accepts, and the next place is offered."""
    renamed(nvim)
    nvim.keys("<Plug>(remask-next-edit)")
    nvim.wait("vim.fn.line('.') == 2")
    assert nvim.cursor == (1, 11)
    nvim.keys("<Plug>(remask-next-edit)")
    nvim.wait("vim.fn.getline(2) == '    size = breadth * h'")
    nvim.wait("require('remask.next_edit').count() == 1")
    nvim.command("undo")
    assert "\n".join(nvim.lines) + "\n" == RENAMED
    nvim.command("undo")
    assert "\n".join(nvim.lines) + "\n" == TEXT


def test_all_at_once_is_one_step_of_undo(nvim: Neovim) -> None:
    """Another key takes them all."""
    renamed(nvim)
    assert nvim.lua("return require('remask').next_edit_all()")
    nvim.wait("vim.fn.getline(3) == '    return size + breadth'")
    assert "\n".join(nvim.lines) + "\n" == TEXT.replace("width", "breadth")
    nvim.command("undo")
    assert "\n".join(nvim.lines) + "\n" == RENAMED


def test_dismissed_it_does_not_come_again(nvim: Neovim) -> None:
    """Not after the same edit."""
    renamed(nvim)
    assert nvim.lua("return require('remask').next_edit_dismiss()")
    nvim.wait("not require('remask.next_edit').visible()")
    nvim.keys("Go# more<Esc>")
    nvim.keys("u")
    reply = nvim.lua("""
        local client = require('remask.client').find(0)
        local reply = client:request_sync('remask/nextEdit', {
          uri = vim.uri_from_bufnr(0), version = vim.lsp.util.buf_versions[vim.fn.bufnr()],
        }, 5000, 0)
        return reply.result == nil or reply.result == vim.NIL
    """)
    assert reply


def test_typing_on_takes_it_away(nvim: Neovim) -> None:
    """At once, and what is stale is never applied."""
    renamed(nvim)
    nvim.keys("Gox<Esc>")
    assert not nvim.lua("return require('remask').next_edit()")
    assert nvim.lines[1] == "    size = width * h"


def test_ghost_text_comes_first(nvim: Neovim) -> None:
    """Where ghost text shows, the key is its own."""
    nvim.open("def f(b):\n    return \n\n\nc = b\n")
    nvim.at(1, 11)
    nvim.keys("A")
    nvim.keys("a")
    nvim.ghost_comes()
    assert not nvim.lua("return require('remask').next_edit()")


def test_the_runtime_dies_in_between(nvim: Neovim) -> None:
    """Nothing is said; once it is started again, the next edit works again."""
    nvim.open(TEXT)
    nvim.at(0, 9)
    nvim.keys("cwcrash<Esc>")
    nvim.wait("require('remask.status').last.state == 'failed'")
    nvim.at(0, 9)
    nvim.keys("cwbreadth<Esc>")
    for _ in range(20):
        nvim.keys("as<BS><Esc>")
        if nvim.lua("""
            return vim.wait(2000, function() return require('remask.next_edit').visible() end, 20)
        """):
            break
    assert nvim.lua("return require('remask.next_edit').count()") == 2
    assert nvim.lua("return _G.said") == []


def test_a_place_in_another_buffer(start_neovim: Any) -> None:
    """With the setting: jump there, accept there, undo there."""
    nvim: Neovim = start_neovim(*REPLIES, settings={"nextEdit": {"otherFiles": True}})
    nvim.open("from shapes import area\n\nprint(area(1, 2))\n", "caller.py")
    nvim.open(TEXT, "shapes.py")
    nvim.at(0, 4)
    nvim.keys("cwsurface<Esc>")
    nvim.wait("require('remask.next_edit').visible()")
    nvim.keys("<Plug>(remask-next-edit)")
    nvim.wait("vim.fn.expand('%:t') == 'caller.py'")
    assert nvim.lua("return require('remask').next_edit_all()")
    nvim.wait("vim.fn.getline(3) == 'print(surface(1, 2))'")
    assert nvim.lines[0] == "from shapes import surface"
    nvim.command("undo")
    assert nvim.lines[2] == "print(area(1, 2))"


def test_a_place_that_can_not_be_changed_is_told(start_neovim: Any) -> None:
    """In another buffer, which the user keeps from changes."""
    nvim: Neovim = start_neovim(*REPLIES, settings={"nextEdit": {"otherFiles": True}})
    nvim.open("from shapes import area\n\nprint(area(1, 2))\n", "caller.py")
    nvim.command("setlocal nomodifiable")
    nvim.open(TEXT, "shapes.py")
    nvim.at(0, 4)
    nvim.keys("cwsurface<Esc>")
    nvim.wait("require('remask.next_edit').visible()")
    assert nvim.lua("return require('remask').next_edit_all()")
    nvim.until(lambda: bool(nvim.said), "the plugin says why not")
    assert "this buffer can't be changed; `:set modifiable` allows it" in nvim.said[-1]
    nvim.command("buffer caller.py")
    assert nvim.lines[2] == "print(area(1, 2))"
