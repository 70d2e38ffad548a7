"""A real Neovim with the plugin, a real server, and a runtime that answers from a script."""

from __future__ import annotations

import gc
import json
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

from support.editors import PLUGIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pynvim

#: Seconds after which something that has not happened is not going to.
PATIENCE_S = 20.0
_TICK_MS = 20

_INIT = """
vim.opt.runtimepath:prepend({plugin})
vim.opt.swapfile = false
vim.opt.shiftwidth = 4
vim.opt.expandtab = true
vim.lsp.config('remask', {{ cmd = {command}, settings = {{ remask = {settings} }} }})
vim.g.remask = {options}
vim.lsp.enable('remask')
_G.said = {{}}
vim.notify = function(text) table.insert(_G.said, text) end
_G.fired = {{}}
_G.set_extmark = vim.api.nvim_buf_set_extmark
vim.api.nvim_create_autocmd('User', {{ pattern = 'Remask*', callback = function(event)
  table.insert(_G.fired, event.match)
end }})
"""


class Neovim:
    """One Neovim, driven from outside.

    Args:
        executable: which Neovim.
        folder: its own, with a short path: all its state, and its runtime's. `script.json` in it is
            what the model answers.
        options: `vim.g.remask`.
        settings: the server's.
        engine: the runtime's; "local" has the default model.
    """

    def __init__(
        self,
        executable: Path,
        folder: Path,
        options: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        *,
        engine: str = "scripted",
    ) -> None:
        import pynvim  # noqa: PLC0415  # only where a Neovim is at hand

        self.folder = folder
        init = folder / "init.lua"
        server = [sys.executable, "-m", "lsp_server", "lsp"]
        values = {
            "plugin": str(PLUGIN),
            "command": server,
            "settings": {"inline": {"debounceMs": 10}} | (settings or {}),
            "options": options or {},
        }
        literals = {
            name: f"vim.json.decode([==[{json.dumps(value)}]==])" for name, value in values.items()
        }
        init.write_text(_INIT.format(**literals))
        environment = [
            f"{name}={value}" for name, value in _environment(executable, folder, engine)
        ]
        arguments = [str(executable), "--embed", "--headless", "--clean", "-u", str(init)]
        self.nvim: pynvim.Nvim = pynvim.attach("child", argv=["env", *environment, *arguments])

    def close(self) -> None:
        """End it."""
        try:
            self.nvim.command("silent! wall")
            self.nvim.command("qall!")
        except (OSError, EOFError):
            pass
        finally:
            self.nvim.close()
            del self.nvim
            # pynvim leaves its pipes to the garbage collector, which would blame another test.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                gc.collect()

    def reset(self) -> None:
        """Leave no buffer, option or message of a test to the next one."""
        self.keys("<C-\\><C-n>")
        if self.nvim.funcs.reg_recording():
            self.keys("q")
        self.lua("require('remask').cancel()")
        self.command("silent! %bwipeout!")
        self.lua("_G.said, _G.fired, vim.g.remask = {}, {}, vim.empty_dict()")
        self.lua("vim.api.nvim_buf_set_extmark = _G.set_extmark")
        self.command("set selection& virtualedit&")

    def lua(self, code: str, *arguments: Any) -> Any:
        """Run Lua; the arguments are `...`."""
        return self.nvim.exec_lua(code, *arguments)

    def command(self, text: str) -> None:
        """Run an Ex command."""
        self.nvim.command(text)

    def keys(self, keys: str) -> None:
        """Type, and wait until it is taken in."""
        self.nvim.input(keys.replace("\n", "<CR>"))
        self.nvim.eval("1")

    def wait(self, condition: str, *arguments: Any, timeout_s: float = PATIENCE_S) -> float:
        """Wait, with Neovim's own loop running, for a Lua expression to hold.

        Returns:
            How many seconds it took.
        """
        started = time.monotonic()
        code = f"local a = {{...}}; return vim.wait({int(timeout_s * 1000)}, function() "
        holds = self.lua(f"{code} return {condition} end, {_TICK_MS})", *arguments)
        assert holds, f"never came: {condition}; {self.explain()}"
        return time.monotonic() - started

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something that is not Neovim's."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, f"never came: {what}; {self.explain()}"
            self.lua("vim.wait(...)", _TICK_MS)

    def explain(self) -> str:
        """Return what may tell why something failed."""
        said = self.lua("return _G.said")
        messages = self.nvim.command_output("messages")
        return f"lines {self.lines!r}, said {said!r}, messages {messages!r}"

    def open(self, text: str, name: str = "a.py") -> None:
        """Edit a file of this text, and wait for its server."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        self.command(f"edit {path}")
        self.attached()

    def attached(self) -> None:
        """Wait for the buffer's server."""
        self.wait("#vim.lsp.get_clients({ bufnr = 0, name = 'remask' }) > 0")

    def at(self, line: int, column: int) -> None:
        """Put the cursor somewhere: both count from 0, columns in bytes."""
        self.lua("vim.api.nvim_win_set_cursor(0, {...})", line + 1, column)

    @property
    def lines(self) -> list[str]:
        """The buffer's lines."""
        return list(self.nvim.current.buffer[:])

    @property
    def cursor(self) -> tuple[int, int]:
        """Line and column of the cursor, from 0, the column in bytes."""
        line, column = self.nvim.current.window.cursor
        return line - 1, column

    @property
    def said(self) -> list[str]:
        """What the plugin told the user."""
        return list(self.lua("return _G.said"))

    @property
    def fired(self) -> list[str]:
        """Which of the plugin's events came."""
        return list(self.lua("return _G.fired"))

    @property
    def tick(self) -> int:
        """The buffer's changedtick."""
        return int(self.lua("return vim.api.nvim_buf_get_changedtick(0)"))

    def becomes(self, *lines: str) -> None:
        """Wait for the buffer to have these lines; typed keys are taken in meanwhile."""
        self.until(lambda: self.lines == list(lines), repr(lines))

    def ghost(self) -> str:
        """Return the ghost text that is shown, as the user sees it; "" for none."""
        return str(
            self.lua("""
            local shown, get_marks = {}, vim.api.nvim_buf_get_extmarks
            for name, id in pairs(vim.api.nvim_get_namespaces()) do
              if name == 'remask.ghost' or name == 'nvim.lsp.inline_completion' then
                for _, mark in ipairs(get_marks(0, id, 0, -1, { details = true })) do
                  local lines = { mark[4].virt_text or {} }
                  vim.list_extend(lines, mark[4].virt_lines or {})
                  for _, line in ipairs(lines) do
                    local pieces = vim.tbl_map(function(chunk) return chunk[1] end, line)
                    table.insert(shown, table.concat(pieces))
                  end
                end
              end
            end
            return table.concat(shown, '\\n')
            """)
        )

    def ghost_comes(self) -> str:
        """Wait for ghost text, and return it."""
        self.wait("require('remask').visible()")
        return self.ghost()

    def mappings(self, mode: str) -> set[str]:
        """Return the keys that the plugin maps in a mode."""
        mapped = """
            return vim.tbl_map(function(mapping)
              return { mapping.lhs, mapping.desc or '' }
            end, vim.api.nvim_get_keymap(...))
        """
        return {keys for keys, meaning in self.lua(mapped, mode) if meaning.startswith("Remask: ")}

    def drawn(self, namespace: str) -> list[Any]:
        """Return what stands in one of the plugin's namespaces: each mark's details."""
        marks = self.lua(
            "return vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_create_namespace(...),"
            " 0, -1, { details = true })",
            namespace,
        )
        return [{"row": mark[1], "column": mark[2], **mark[3]} for mark in marks]


def _environment(executable: Path, folder: Path, engine: str) -> Iterator[tuple[str, str]]:
    for kind in ("CONFIG", "DATA", "STATE"):
        yield f"XDG_{kind}_HOME", str(folder / kind.lower())
    yield "REMASK_ENGINE", engine
    yield "REMASK_SCRIPT", str(folder / "script.json")
    yield "REMASK_RUNTIME_DIR", str(runtime_directory(folder))
    share = executable.parents[1] / "share" / "nvim" / "runtime"
    if share.exists():
        # It was unpacked, not installed, and looks where it would have been.
        yield "VIMRUNTIME", str(share)


def runtime_directory(folder: Path) -> Path:
    """Return where the runtime of a Neovim's folder listens."""
    return folder / "run"


def write_script(folder: Path, *replies: dict[str, Any]) -> None:
    """Say what the model answers; read when the runtime starts."""
    (folder / "script.json").write_text(json.dumps({"replies": replies}))
