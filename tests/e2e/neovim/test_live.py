"""Neovim: what is seen while the model works, and what happens when something dies."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from support.fake_remote import fake_remote
from support.remote_failures import FAILURES, FILL, environment, good

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.neovim import Neovim

pytestmark = [pytest.mark.nvim, pytest.mark.e2e]

REPLIES = [
    {"when": r"two = $", "texts": ["aa bb\n  cc"], "n_steps": 3, "step_s": 0.2},
    {"when": r"endless = $", "texts": ["aa bb"], "endless": True, "step_s": 0.05, "n_steps": 2},
    {"texts": ["new()"]},
]
WATCH = """
    _G.canvases = {}
    local set = _G.set_extmark
    local draft = vim.api.nvim_create_namespace('remask.draft')
    vim.api.nvim_buf_set_extmark = function(buffer, namespace, row, column, options)
      if namespace == draft then
        for _, line in ipairs({ options.virt_text or {}, (options.virt_lines or {})[1] }) do
          local text = table.concat(vim.tbl_map(function(chunk) return chunk[1] end, line))
          if text ~= '' then
            table.insert(_G.canvases, { text, options.virt_text_pos or 'below', row })
          end
        end
      end
      return set(buffer, namespace, row, column, options)
    end
"""


def test_the_canvas_is_drawn_as_it_fills(nvim: Neovim) -> None:
    """Over the old text, the rest beside it and below; gone at the end, the buffer untouched."""
    nvim.open("two = old\nx = 1\n")
    nvim.lua(WATCH)
    nvim.at(0, 6)
    nvim.keys("v2l:Remask rewrite\n")
    nvim.becomes("two = aa bb", "  cc", "x = 1")
    nvim.wait(
        "#vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_create_namespace('remask.draft'),"
        " 0, -1, {}) == 0"
    )
    canvases = nvim.lua("return _G.canvases")
    assert any("░" in text for text, _place, _row in canvases)
    assert canvases[-3:] == [["aa ", "overlay", 0], ["bb", "inline", 0], ["  cc", "below", 0]]


def test_drawing_can_be_turned_off(nvim: Neovim) -> None:
    """One setting, read whenever it is needed."""
    nvim.lua("vim.g.remask = { drafts = false }")
    nvim.open("two = old\n")
    nvim.lua(WATCH)
    nvim.at(0, 6)
    nvim.keys("v2l:Remask rewrite\n")
    nvim.becomes("two = aa bb", "  cc")
    assert nvim.lua("return _G.canvases") in ([], {})


def test_progress_is_shown(nvim: Neovim) -> None:
    """Through Neovim's own progress, which statuslines and plugins know."""
    nvim.open("endless = \n")
    nvim.lua("""
        _G.progress = {}
        vim.api.nvim_create_autocmd('LspProgress', { callback = function(event)
          local value = event.data.params.value
          table.insert(_G.progress, value.kind .. ' ' .. (value.title or ''))
        end })
    """)
    nvim.at(0, 9)
    nvim.command("Remask")
    nvim.wait("vim.list_contains(_G.progress, 'begin Remask: infill')")
    nvim.wait("_G.progress[#_G.progress]:find('^report')")
    nvim.command("Remask cancel")
    nvim.wait("_G.progress[#_G.progress]:find('^end')")
    assert nvim.lines == ["endless = "]


def test_a_server_that_was_killed_comes_back(start_neovim: Callable[..., Neovim]) -> None:
    """By itself, for the same buffers; what it was asked is told to be lost."""
    nvim = start_neovim(*REPLIES)
    nvim.open("endless = \n")
    nvim.at(0, 9)
    nvim.command("Remask")
    nvim.wait("require('remask.status').last.busy")
    nvim.wait(
        "#vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_create_namespace('remask.draft'),"
        " 0, -1, {}) > 0"
    )
    (server,) = nvim.lua("return vim.api.nvim_get_proc_children(vim.fn.getpid())")
    os.kill(server, signal.SIGKILL)
    nvim.wait("require('remask.status').last.text == 'the server died'")
    assert nvim.drawn("remask.draft") == []
    assert "Remask: the server died, nothing came back" in nvim.said
    nvim.wait("#vim.lsp.get_clients({ bufnr = 0, name = 'remask' }) > 0")
    nvim.lua("vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'a = old' })")
    nvim.at(0, 4)
    nvim.keys("ve:Remask rewrite\n")
    nvim.becomes("a = new()")
    nvim.keys("ob")
    assert nvim.ghost_comes() == "new()"


def test_a_server_that_keeps_dying_is_left_alone(start_neovim: Callable[..., Neovim]) -> None:
    """After as many tries as the user allows, and he is told."""
    nvim = start_neovim(*REPLIES, options={"retries": 0})
    nvim.open("a = old\n")
    (server,) = nvim.lua("return vim.api.nvim_get_proc_children(vim.fn.getpid())")
    os.kill(server, signal.SIGKILL)
    nvim.wait(
        "vim.list_contains(_G.said, 'Remask: the server keeps dying. See :checkhealth remask')"
    )
    assert nvim.lua("return vim.api.nvim_get_proc_children(vim.fn.getpid())") in ([], {})


def test_a_stopped_server_stays_stopped(start_neovim: Callable[..., Neovim]) -> None:
    """Nobody starts what the user stopped."""
    nvim = start_neovim(*REPLIES)
    nvim.open("a = old\n")
    nvim.lua(
        "vim.lsp.enable('remask', false); for _, client in ipairs(vim.lsp.get_clients()) do"
        " client:stop() end"
    )
    nvim.wait("#vim.lsp.get_clients() == 0")
    nvim.wait("#vim.api.nvim_get_proc_children(vim.fn.getpid()) == 0")
    nvim.lua("vim.wait(800)")
    assert nvim.said == []
    assert nvim.lua("return vim.api.nvim_get_proc_children(vim.fn.getpid())") in ([], {})


def test_a_remote_engine_fails_in_every_way(
    start_neovim: Callable[..., Neovim], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is one clear message; the buffer stays, and the next request works."""
    name = "openai_fim"
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with fake_remote() as remote:
        for variable, value in environment(name, remote.url).items():
            monkeypatch.setenv(variable, value)
        nvim = start_neovim(engine=name)
        nvim.open("a = old\n")
        for reply, words in FAILURES.values():
            remote.replies = [reply]
            nvim.lua("_G.said = {}")
            nvim.at(0, 4)
            nvim.keys("ve:Remask infill\n")
            nvim.wait("#_G.said > 0 and not require('remask.status').last.busy")
            (told,) = nvim.said
            assert words in told
            assert words in nvim.lua("return require('remask.status').last.text")
            assert nvim.lines == ["a = old"]
        remote.replies = [good(name)]
        nvim.at(0, 4)
        nvim.keys("ve:Remask infill\n")
        nvim.becomes(f"a = {FILL}")
