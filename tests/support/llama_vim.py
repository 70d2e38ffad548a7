"""llama.vim, or what sends the same, in a real Neovim.

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

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLIENT = Path(__file__).with_name("llama_vim_client.lua")
_PLUGIN = os.environ.get("LLAMA_VIM", "")
CLIENTS = ("small client", "llama.vim") if _PLUGIN else ("small client",)
#: Seconds for each thing to happen; the first fill of a model may download it.
PATIENCE_S = 400
#: Lua that waits for what the plugin shows a hint with, and returns its first line.
_HINT = """(function()
  local found
  vim.wait(1000, function()
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


@dataclass(frozen=True)
class Vim:
    """A Neovim that listens on a socket."""

    executable: Path
    socket: Path

    @property
    def lines(self) -> list[str]:
        """The buffer's lines."""
        return list(self.evaluate("vim.api.nvim_buf_get_lines(0, 0, -1, false)"))

    def ask_at_the_end_of(self, line: int) -> str:
        """Go there in insert mode, and wait for the hint; return its first line."""
        # A move in insert mode is what asks.
        self.type(f"<Esc>{line}GA<Left><Right>")
        for _ in range(PATIENCE_S):
            if hint := self.evaluate(_HINT):
                return str(hint)
        raise AssertionError("no hint came")

    def accept(self, line: int) -> None:
        """Press Tab, and wait until the line is another."""
        before = self.lines[line - 1]
        self.type("<Tab>")
        changed = f"vim.fn.getline({line}) ~= {json.dumps(before)}"
        assert self.evaluate(f"vim.wait(15000, function() return {changed} end, 20)")

    def evaluate(self, lua: str) -> Any:
        """Return what a Lua expression is."""
        expression = f"json_encode(luaeval({json.dumps(lua)}))"
        return json.loads(self._ask("--remote-expr", expression))

    def type(self, keys: str) -> None:
        """Press keys."""
        self._ask("--remote-send", keys)

    def _ask(self, how: str, what: str) -> str:
        command = [str(self.executable), "--server", str(self.socket), how, what]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        # An expression's value goes to standard error in some versions.
        return done.stdout or done.stderr


@contextlib.contextmanager
def llama_vim(client: str, url: str, folder: Path, file: Path) -> Iterator[Vim]:
    """Edit a file with a client that asks a server, while the context lasts.

    Args:
        client: one of `CLIENTS`.
        url: the server's.
        folder: with a short path, for a socket.
        file: what to edit.
    """
    executable, socket = editors.neovim("0.11"), folder / "nvim.sock"
    start = f"set rtp+={_PLUGIN}" if client == "llama.vim" else f"luafile {_CLIENT}"
    init = folder / "init.vim"
    config = f"let g:llama_config = {{ 'endpoint': '{url}/infill' }}"
    init.write_text(f"{config}\nset noswapfile\n{start}\n")
    arguments = ["--headless", "--clean", "--listen", str(socket), "-u", str(init), str(file)]
    with subprocess.Popen([str(executable), *arguments], stdin=subprocess.DEVNULL) as process:
        try:
            while not socket.exists():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    pytest.fail(f"Neovim did not start: status {process.wait(0.02)}")
            yield Vim(executable, socket)
        finally:
            process.terminate()
