"""A client of llama.cpp's endpoint in a real Neovim, pointed at `remask serve`.

llama.vim itself is in no package index, so the usual run has a small client that sends the same
bytes by the same means. With LLAMA_VIM naming a checkout of the plugin, the plugin itself, as it
comes but for the address, is run as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import editors
from support.serve_process import serve_process

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.nvim]

CLIENT = Path(__file__).with_name("llama_vim_client.lua")
PLUGIN = os.environ.get("LLAMA_VIM", "")
FILE = ["def area(w, h):", "    return ", "", "print(area(2, 3))"]
#: Lua that waits for what the plugin shows a hint with, and returns its first line.
HINT = """(function()
  local found
  vim.wait(15000, function()
    local id = vim.api.nvim_get_namespaces()['vt_fim']
    local marks = id and vim.api.nvim_buf_get_extmarks(0, id, 0, -1, { details = true }) or {}
    for _, mark in ipairs(marks) do
      local chunks = mark[4].virt_text
      found = found or chunks and chunks[1][1] ~= '' and chunks[1][1]
    end
    return found
  end, 20)
  return found or ''
end)()"""
ACCEPTED = "vim.wait(15000, function() return #vim.fn.getline(2) > 11 end, 20)"


@dataclass(frozen=True)
class Neovim:
    """A Neovim that listens on a socket."""

    executable: Path
    socket: Path

    def evaluate(self, lua: str) -> Any:
        """Return what a Lua expression is."""
        expression = f"json_encode(luaeval({json.dumps(lua)}))"
        return json.loads(self._ask("--remote-expr", expression))

    def type(self, keys: str) -> None:
        """Press keys."""
        self._ask("--remote-send", keys)

    def _ask(self, how: str, what: str) -> str:
        command = [str(self.executable), "--server", str(self.socket), how, what]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        # An expression's value goes to standard error in some versions.
        return done.stdout or done.stderr


@contextlib.contextmanager
def neovim(init: Path, socket: Path, file: Path) -> Iterator[Neovim]:
    """Run a Neovim that edits a file while the context lasts."""
    executable = editors.neovim("0.11")
    arguments = ["--headless", "--clean", "--listen", str(socket), "-u", str(init), str(file)]
    with subprocess.Popen([str(executable), *arguments], stdin=subprocess.DEVNULL) as process:
        try:
            while not socket.exists():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    pytest.fail(f"Neovim did not start: status {process.wait(0.02)}")
            yield Neovim(executable, socket)
        finally:
            process.terminate()


@pytest.fixture(params=["small client", "llama.vim"])
def nvim(request: pytest.FixtureRequest, tmp_path: Path, short_path: Path) -> Iterator[Neovim]:
    """A Neovim with a client that asks a server which answers from a script."""
    if request.param == "llama.vim" and not PLUGIN:
        pytest.skip("LLAMA_VIM does not name a checkout of llama.vim")
    replies: tuple[dict[str, Any], ...] = (
        {"when": r"def area\(w, h\):\n    return $", "texts": ["w * h"], "n_steps": 3},
        {"texts": [""]},
    )
    init, file = tmp_path / "init.vim", tmp_path / "area.py"
    file.write_text("\n".join(FILE) + "\n")
    start = f"luafile {CLIENT}" if request.param == "small client" else f"set rtp+={PLUGIN}"
    with serve_process(*replies) as served:
        config = f"let g:llama_config = {{ 'endpoint': '{served.url}/infill' }}"
        init.write_text(f"{config}\nset noswapfile\n{start}\n")
        with neovim(init, short_path / "nvim.sock", file) as nvim:
            yield nvim


def test_fill_is_shown_and_accepted(nvim: Neovim) -> None:
    """At the end of a line the fill appears as ghost text; Tab puts it into the file."""
    # A move in insert mode is what asks.
    nvim.type("2GA<Left><Right>")
    shown = nvim.evaluate(HINT)
    nvim.type("<Tab>")
    nvim.evaluate(ACCEPTED)

    assert shown == "w * h"
    lines = nvim.evaluate("vim.api.nvim_buf_get_lines(0, 0, -1, false)")
    assert lines == ["def area(w, h):", "    return w * h", *FILE[2:]]
