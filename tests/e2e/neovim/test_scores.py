"""Neovim: the heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.neovim import Neovim

pytestmark = [pytest.mark.nvim, pytest.mark.e2e]

REPLIES = [{"texts": ["good()"]}]


def test_what_the_model_doubts_is_coloured_until_the_text_changes(nvim: Neovim) -> None:
    """In its place, and nothing else is; the buffer is untouched."""
    nvim.open("x = bad()\n")
    nvim.at(0, 4)
    nvim.keys("v$h:Remask scores\n")
    nvim.until(lambda: len(nvim.drawn("remask.scores")) == 1, "a doubted token")
    (mark,) = nvim.drawn("remask.scores")
    assert (mark["row"], mark["column"], mark["end_col"]) == (0, 4, 7)
    assert mark["hl_group"] == "RemaskDoubt3"
    assert nvim.lines == ["x = bad()"]
    nvim.keys("Ay<Esc>")
    nvim.until(lambda: not nvim.drawn("remask.scores"), "the colour to go")


def test_scores_are_cleared_when_asked_for_without_a_range(nvim: Neovim) -> None:
    """The second time, from normal mode."""
    nvim.open("x = bad()\n")
    nvim.at(0, 4)
    nvim.keys("v$h:Remask scores\n")
    nvim.until(lambda: bool(nvim.drawn("remask.scores")), "a doubted token")
    nvim.command("Remask scores")
    assert not nvim.drawn("remask.scores")
