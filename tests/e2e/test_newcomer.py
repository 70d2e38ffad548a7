"""From nothing to an accepted suggestion, with what the README says and nothing else.

A clean home, the default model, and an editor as it comes. What the README's first command installs
is what these tests run in; only the downloaded model is shared with the others, for its size.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import editors

from model_runtime.weights.fetch import cache_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = [pytest.mark.e2e, pytest.mark.real_model]

README = (editors.ROOT / "README.md").read_text().partition("## In your editor")[2]
#: What the newcomer writes, and what any model goes on with.
WRITTEN = "def is_even(n):\n    return n % 2 =="
EXPECTED = "return n % 2 == 0"
#: The first request may download and convert the model.
FIRST_S = 400.0
#: How long a newcomer looks at what he wrote, the first time.
PAUSE_S = 15.0
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


@contextlib.contextmanager
def code_server(newcomer: Newcomer, log: Path) -> Iterator[str]:
    """Yield the address of his VS Code, which is one in a browser."""
    words = ["--auth", "none", "--bind-addr", "127.0.0.1:0"]
    with log.open("w") as output:
        served = subprocess.Popen(
            [newcomer.bin / "code-server", *words],
            cwd=newcomer.home,
            env=newcomer.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + START_S
        while not (found := re.search(r"listening on (http://[^/\s]+)", log.read_text())):
            assert time.monotonic() < end, log.read_text()
            assert served.poll() is None, log.read_text()
        yield found[1]
    finally:
        os.killpg(served.pid, signal.SIGTERM)
        served.wait(20)


def open_file(page: Page, address: str, name: str) -> None:
    """Show a folder, trust it where one is asked, and open a file in it."""
    page.set_default_timeout(START_S * 1000)
    page.goto(address, wait_until="commit")
    page.locator(".monaco-workbench .part.statusbar").first.wait_for()
    trust = page.get_by_role("button", name=re.compile("^(Yes, I t|T)rust"))
    file = page.locator(".explorer-folders-view .monaco-list-row", has_text=name)
    trust.or_(file).first.wait_for()
    if trust.is_visible():
        trust.click()
    file.dblclick()
    page.locator(".monaco-editor.focused").first.wait_for()
    # Its item shows once the extension runs.
    page.locator("[id='status.languageStatus'][aria-label*='Remask']").first.wait_for()


@pytest.mark.vscode
def test_vscode(newcomer: Newcomer) -> None:
    """Install, open a folder, and in it a file; write, Tab."""
    from playwright import sync_api  # noqa: PLC0415  # only where there is a browser

    browser_path = editors.chromium()
    node, entry = editors.node() / "bin" / "node", editors.code_server() / "out/node/entry.js"
    newcomer.has("code-server", node, entry)
    newcomer.runs(command("VS Code"))
    project = newcomer.home / "project"
    project.mkdir()
    (project / "even.py").touch()
    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with (
        code_server(newcomer, newcomer.home / "code-server.log") as address,
        sync_api.sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=browser_path, args=flags)
        page = browser.new_page(viewport={"width": 1100, "height": 640})
        open_file(page, f"{address}/?folder={project}", "even.py")
        page.keyboard.type(WRITTEN.replace("\n    ", "\n"))
        ghost = page.locator(".ghost-text-decoration").first
        end = time.monotonic() + FIRST_S
        while not ghost.is_visible() and time.monotonic() < end:
            # Who wrote before the server was there gets nothing, and writes on.
            page.keyboard.press("Backspace")
            page.keyboard.type(WRITTEN[-1])
            with contextlib.suppress(sync_api.TimeoutError):
                ghost.wait_for(timeout=PAUSE_S * 1000)
        page.keyboard.press("Tab")
        place = f"Ln 2, Col {len('    ' + EXPECTED) + 1}"
        page.locator("[id='status.editor.selection']", has_text=place).wait_for(timeout=20_000)
        line = page.locator(".view-line", has_text="return").first
        assert line.inner_text().replace("\xa0", " ").strip().startswith(EXPECTED)
        browser.close()
