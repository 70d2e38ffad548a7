"""Neovim with the default model: what users get out of the box."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest
from support.editors import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.neovim import Neovim

pytestmark = [pytest.mark.nvim, pytest.mark.e2e, pytest.mark.real_model]

#: The first request may download and convert the model.
FIRST_S = 400.0


@pytest.mark.parametrize("neovim_version", ["0.11"])
def test_a_selection_is_filled_and_ghost_text_comes(start_neovim: Callable[..., Neovim]) -> None:
    """The unwritten body becomes Python of the model's own; one undo takes it back."""
    text = (ROOT / "tests" / "samples" / "temperature.py").read_text()
    nvim = start_neovim(engine="local", settings={"seed": 1, "inline": {"deadlineSeconds": 300}})
    nvim.open(text, "temperature.py")
    nvim.keys("gg/return 0.0\nv$h")
    nvim.keys(":Remask\n")
    nvim.wait("vim.list_contains(_G.fired, 'RemaskApplied')", timeout_s=FIRST_S)
    filled = "\n".join(nvim.lines)
    ast.parse(filled)
    assert "return 0.0" not in filled
    assert "<|" not in filled
    nvim.command("undo")
    assert "\n".join(nvim.lines) == text.rstrip("\n")
    nvim.keys("Godef add(a, b):\n    return")
    nvim.keys(" ")
    nvim.wait("require('remask').visible()", timeout_s=FIRST_S)
    assert "<|" not in nvim.ghost()
