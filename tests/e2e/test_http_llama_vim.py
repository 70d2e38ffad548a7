"""A client of llama.cpp's endpoint in a real Neovim, pointed at `remask serve`: see `llama_vim`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.llama_vim import CLIENTS, llama_vim
from support.serve_process import serve_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.llama_vim import Vim

pytestmark = [pytest.mark.e2e, pytest.mark.nvim]

FILE = ["def area(w, h):", "    return ", "", "print(area(2, 3))"]


@pytest.fixture(params=CLIENTS)
def nvim(request: pytest.FixtureRequest, tmp_path: Path, short_path: Path) -> Iterator[Vim]:
    """A Neovim with a client that asks a server which answers from a script."""
    replies: tuple[dict[str, Any], ...] = (
        {"when": r"def area\(w, h\):\n    return $", "texts": ["w * h"], "n_steps": 3},
        {"texts": [""]},
    )
    file = tmp_path / "area.py"
    file.write_text("\n".join(FILE) + "\n")
    with (
        serve_process(*replies) as served,
        llama_vim(request.param, served.url, short_path, file) as nvim,
    ):
        yield nvim


def test_fill_is_shown_and_accepted(nvim: Vim) -> None:
    """At the end of a line the fill appears as ghost text; Tab puts it into the file."""
    shown = nvim.ask_at_the_end_of(2)
    nvim.accept(2)

    assert shown == "w * h"
    assert nvim.lines == ["def area(w, h):", "    return w * h", *FILE[2:]]
