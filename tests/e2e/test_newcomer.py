"""From nothing to an accepted suggestion, with what the README says and nothing else.

A clean home, the default model, and an editor as it comes. What the README's first command installs
is what these tests run in; only the downloaded model is shared with the others, for its size.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import editors

from model_runtime.weights.fetch import cache_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.real_model]

README = (editors.ROOT / "README.md").read_text().partition("## In your editor")[2]
#: What the newcomer writes, and what any model goes on with.
WRITTEN = "def is_even(n):\n    return n % 2 =="
EXPECTED = "return n % 2 == 0"
#: The first request may download and convert the model.
FIRST_S = 400.0
#: A browser that loads VS Code for the first time, beside other work.
START_S = 180.0


def command(editor: str) -> str:
    """Return the README's command for an editor."""
    (found,) = re.findall(rf"^\| {editor}.*?\| `(remask install \w+)`", README, re.MULTILINE)
    return str(found)


class Newcomer:
    """A person with a home of his own in which nothing is."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.bin = home / "bin"
        self.bin.mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        self.environment = {
            name: value for name, value in kept.items() if not name.startswith("REMASK_")
        } | {
            "HOME": str(home),
            "PATH": os.pathsep.join(
                [str(self.bin), str(Path(sys.executable).parent), "/usr/bin", "/bin"]
            ),
            "REMASK_CACHE_DIR": str(cache_dir()),
            # A user has one runtime, wherever his home is, and the tests' must not be his.
            "REMASK_RUNTIME_DIR": str(home / "run"),
        }

    def has(self, name: str, *words: str | Path) -> None:
        """Put a command on his PATH."""
        script = self.bin / name
        script.write_text('#!/bin/sh\nexec env {} "$@"\n'.format(" ".join(f"'{w}'" for w in words)))
        script.chmod(0o755)

    def runs(self, line: str) -> str:
        """Let him run a line, and return what it says."""
        done = subprocess.run(  # noqa: S602  # as a person runs it
            line,
            shell=True,
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def newcomer() -> Iterator[Newcomer]:
    """One person, who tries one editor after the other; his runtime ends with the tests."""
    with tempfile.TemporaryDirectory(prefix="rm-", ignore_cleanup_errors=True) as name:
        person = Newcomer(Path(name))
        yield person
        person.runs("remask stop")


@pytest.mark.nvim
@pytest.mark.parametrize("version", ["0.11", "0.12"])
def test_neovim(newcomer: Newcomer, version: str) -> None:
    """Install, three lines of init.lua, write, Tab."""
    import pynvim  # noqa: PLC0415  # only where a Neovim is at hand

    executable = editors.neovim(version)
    runtime = executable.parents[1] / "share" / "nvim" / "runtime"
    newcomer.has("nvim", *([f"VIMRUNTIME={runtime}"] if runtime.exists() else []), executable)
    newcomer.runs(command("Neovim"))
    init = newcomer.home / ".config" / "nvim" / "init.lua"
    init.parent.mkdir(parents=True, exist_ok=True)
    (lines,) = re.findall(r"^```lua\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    init.write_text(lines)
    file = newcomer.home / f"even-{version}.py"
    environment = [f"{name}={value}" for name, value in newcomer.environment.items()]
    words = ["env", "-i", *environment, "nvim", "--embed", "--headless", str(file)]
    nvim = pynvim.attach("child", argv=words)
    try:
        nvim.input("i" + WRITTEN.replace("\n    ", "\n").replace("\n", "<CR>"))
        wait = "return vim.wait(..., function() return require('remask').visible() end, 20)"
        assert nvim.exec_lua(wait, int(FIRST_S * 1000)), nvim.command_output("messages")
        nvim.input("<Tab>")
        done = """
            local text = ...
            return vim.wait(9000, function() return vim.fn.search(text, 'nw') > 0 end, 20)
        """
        assert nvim.exec_lua(done, EXPECTED), nvim.current.buffer[:]
    finally:
        with contextlib.suppress(OSError, EOFError):
            nvim.command("qall!")
        nvim.close()
