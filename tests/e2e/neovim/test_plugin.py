"""Neovim: the plugin around the editing: command line, health, status, help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.editors import PLUGIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.neovim import Neovim

pytestmark = [pytest.mark.nvim, pytest.mark.e2e]

REPLIES: list[dict[str, Any]] = [{"texts": ["new()"]}]


def health(nvim: Neovim) -> str:
    """Return the report."""
    nvim.command("silent checkhealth remask")
    report = "\n".join(nvim.lines)
    nvim.command("bwipeout!")
    return report


def test_checkhealth_says_that_all_is_well(nvim: Neovim) -> None:
    """Editor, command, server, model."""
    nvim.open("a = old\n")
    nvim.at(0, 4)
    nvim.keys("ve:Remask rewrite\n")
    nvim.becomes("a = new()")
    report = health(nvim)
    assert "ERROR" not in report
    assert "The server answers, encoding utf-8" in report
    assert "Model: scripted on none" in report


def test_checkhealth_says_what_is_wrong(start_neovim: Callable[..., Neovim]) -> None:
    """A command that is not there, a setting that is none."""
    nvim = start_neovim(options={"gohst": True, "drafts": "yes"})
    nvim.lua("vim.lsp.config('remask', { cmd = { 'no-such-remask', 'lsp' } })")
    report = health(nvim)
    assert "'no-such-remask' is not to be found" in report
    known = "drafts, ghost, next_edit, next_edit_wait, retries, review"
    assert f"vim.g.remask.gohst is no setting; known: {known}" in report
    assert "vim.g.remask.drafts must be a boolean" in report


def test_checkhealth_says_that_a_tilde_stays_a_tilde(start_neovim: Callable[..., Neovim]) -> None:
    """Neovim starts what is written; the report has what to write."""
    nvim = start_neovim()
    nvim.lua("vim.lsp.config('remask', { cmd = { '~/venv/bin/remask', 'lsp' } })")
    report = health(nvim)
    assert "'~/venv/bin/remask' is taken as it stands" in report
    assert "vim.fn.expand('~/venv/bin/remask')" in report


def test_a_server_that_is_not_there_is_told(start_neovim: Callable[..., Neovim]) -> None:
    """`:Remask` says so instead of doing nothing."""
    nvim = start_neovim()
    nvim.lua("vim.lsp.config('remask', { cmd = { 'no-such-remask', 'lsp' } })")
    nvim.command("Remask")
    nvim.wait(
        "vim.list_contains(_G.said, 'Remask: the server does not start. See :checkhealth remask')"
    )


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Remask re", ["reject", "repair", "rewrite"]),
        ("'<,'>Remask! inf", ["infill"]),
        ("Remask rewrite s", ["sampler=", "scope=", "seed=", "strength="]),
        (
            "Remask infill scope=",
            [f"scope={s}" for s in ("body", "expression", "selection", "statement")],
        ),
    ],
)
def test_the_command_completes(nvim: Neovim, line: str, found: list[str]) -> None:
    """Modes and controls first, then options and their values."""
    assert nvim.lua("return vim.fn.getcompletion(..., 'cmdline')", line) == found


def test_the_command_reads_its_words(nvim: Neovim) -> None:
    """A mode, options, and the rest is what the user wants, in words."""
    parse = "return { require('remask.command').parse(...) }"
    (request,) = nvim.lua(parse, ["rewrite", "strength=0.3", "as", "a", "x=1", "loop"])
    assert request == {"mode": "rewrite", "strength": 0.3, "instruction": "as a x=1 loop"}
    (request,) = nvim.lua(parse, ["just", "do", "it"])
    assert request == {"mode": "infill", "instruction": "just do it"}
    nvim.command("Remask rewrite strength=much")
    assert nvim.said == ['Remask: strength must be a number, not "much"']


def test_nothing_is_loaded_before_it_is_needed(nvim: Neovim) -> None:
    """At startup only what defines commands, maps and highlights."""
    loaded = nvim.lua("""
        local result = vim.system({ vim.v.progpath, '--headless', '--clean', '--cmd',
          'set runtimepath^=' .. vim.o.runtimepath:match('[^,]*'), '+lua for name in pairs('
          .. "package.loaded) do if name:find('^remask') then print(name) end end", '+qall!' },
          { text = true }):wait()
        return vim.trim(result.stderr)
    """)
    assert loaded.split() in (["remask.draft", "remask.config"], ["remask.config", "remask.draft"])


def test_plug_maps_are_there_and_nothing_else(nvim: Neovim) -> None:
    """The user chooses all the keys."""
    for mode, names in {
        "n": "infill rewrite repair instruct holes edit-accept edit-reject edit-next "
        "next-edit next-edit-all next-edit-dismiss",
        "x": "infill rewrite repair instruct",
        "i": "accept accept-word accept-line dismiss next trigger "
        "next-edit next-edit-all next-edit-dismiss",
    }.items():
        assert nvim.mappings(mode) == {f"<Plug>(remask-{name})" for name in names.split()}


def test_the_status_line_is_safe_to_show(nvim: Neovim) -> None:
    """A percent sign would be read as an item."""
    line = nvim.lua("""
        local status = require('remask.status')
        status.update({ state = 'running', busy = true, model = 'm', text = '50% done',
          tokensPerSecond = 31.4, problems = { 'no GPU' } })
        local line = status.line()
        return { line, vim.api.nvim_eval_statusline(line, {}).str }
    """)
    assert line == [
        "remask … · m · 50%% done · no GPU · 31 tok/s",
        "remask … · m · 50% done · no GPU · 31 tok/s",
    ]
    assert "RemaskStatus" in nvim.fired


def test_the_help_has_what_users_look_up(nvim: Neovim) -> None:
    """Tags for the command, every function of the API, and every `<Plug>` map."""
    tags = PLUGIN / "doc" / "tags"
    nvim.command(f"helptags {tags.parent}")
    functions = nvim.lua("return vim.tbl_keys(require('remask'))")
    wanted = [":Remask", "vim.g.remask", *(f"remask.{name}()" for name in functions)]
    found = {line.split("\t")[0] for line in tags.read_text().splitlines()}
    tags.unlink()
    assert {*wanted, *nvim.mappings("n"), *nvim.mappings("x"), *nvim.mappings("i")} <= found
