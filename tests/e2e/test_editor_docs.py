"""The configurations of docs/editors.md work as they stand there."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import pytest
from support import editors
from support.editors import ROOT, require
from support.front import SelfRunning, fronting
from support.language_client import new_home
from support.terminal import Terminal

from lsp_server.protocol_ext import COMMANDS
from lsp_server.settings import InlineSettings, NextEditSettings, Settings, read_settings
from model_runtime.http.limits import ServeSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.language_client import Home

_TRY = """
(find-file "a.py")
(python-mode)
(setq eglot-confirm-server-initiated-edits nil
      eglot-server-programs (list (cons 'python-mode (split-string-and-unquote (getenv "SERVER")))))
(let ((eglot-sync-connect t)) (apply #'eglot (eglot--guess-contact)))
(goto-char (point-min))
(search-forward "öld")
(transient-mark-mode 1)
(push-mark (match-beginning 0) t t)
%s
(princ (buffer-string) #'external-debugging-output)
(eglot-shutdown (eglot-current-server))
"""
#: The page's own command, and eglot's.
_WAYS = {
    "command": '(remask-run "rewrite" "make it new")',
    "code action": """
(let ((place (list (region-beginning) (region-end))))
  (eglot-code-actions (car place) (cadr place) "refactor.rewrite.remask.rewrite" t))
""",
}
_PACKAGES = """
(let ((folder "/usr/share/emacs/site-lisp/elpa"))
  (when (file-directory-p folder)
    (dolist (each (directory-files folder t "^[^.]")) (add-to-list 'load-path each))))
"""


def block(language: str, editor: str = "") -> str:
    """Return the page's one block of a language, or an editor's one."""
    text = (ROOT / "docs" / "editors.md").read_text()
    if editor:
        text = text.partition(f"## {editor}\n")[2].partition("\n## ")[0]
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(found)


def check_server(command: list[str], settings: dict[str, Any]) -> None:
    """Check that a configuration starts our server, with settings that there are."""
    assert command == ["remask", "lsp"]
    assert settings
    assert read_settings(settings, Settings())[1] == []


@pytest.fixture
async def home() -> AsyncIterator[Home]:
    """A user's own folders; his runtime ends with the test."""
    with new_home() as folder:
        yield folder
        await folder.stop()


def test_helix_is_told_what_there_is() -> None:
    """The command line and every setting exist."""
    config = tomllib.loads(block("toml"))
    (server,) = config["language-server"].values()
    check_server([server["command"], *server["args"]], server["config"])


def test_kakoune_is_told_what_there_is() -> None:
    """The table is one, in braces that close, and the settings come in the section asked for."""
    script = block("kak", "Kakoune")
    assert script.count("{") == script.count("}")
    tables = tomllib.loads(script.partition("lsp_servers %{")[2].partition("\n    }\n")[0])
    (server,) = tables.values()
    section = server["settings_section"]
    check_server([server["command"], *server["args"]], server["settings"][section])


def test_sublime_text_is_told_what_there_is() -> None:
    """The command line and every setting exist."""
    (server,) = json.loads(block("json", "Sublime Text"))["clients"].values()
    assert server["enabled"]
    check_server(server["command"], server["settings"]["remask"])


async def test_zed_is_told_where_to_ask(short_path: Path) -> None:
    """What the page's settings make it send gets a fill: `remask serve` answers at that place."""
    settings = json.loads(block("json", "Zed"))["edit_predictions"]
    api = settings[settings["provider"]]
    address = urlsplit(api["api_url"])
    assert address.port == ServeSettings().port
    engine = SelfRunning()
    engine.text = "a + b"
    async with fronting(short_path, engine) as front:
        prompt = "<|fim_prefix|>x = <|fim_suffix|>\n<|fim_middle|>"
        asked = {"prompt": prompt, "max_tokens": api["max_output_tokens"], "model": api["model"]}
        reply = await front.post(address.path, **asked, stop=["<|endoftext|>"])
        request = await engine.started()

    assert reply.json()["choices"][0]["text"] == "a + b"
    assert (request.prefix, request.suffix) == ("x = ", "\n")
    assert request.spans[0].max_tokens == api["max_output_tokens"]


def test_any_client_is_told_what_there_is() -> None:
    """Every command and every setting is on the page, and nothing that there isn't."""
    text = (ROOT / "docs" / "editors.md").read_text()
    commands = re.findall(r"`(remask\.\w+)`", text.partition("## Any other client")[2])
    rows = re.findall(r"^\| (`.*?`) \|", text.partition("## Settings")[2], re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`([\w.]+)`", row)}
    settings = msgspec.structs.fields(Settings)
    parts = {"inline": InlineSettings, "nextEdit": NextEditSettings}
    inner = {
        f"{name}.{field.encode_name}"
        for name, part in parts.items()
        for field in msgspec.structs.fields(part)
    }

    assert set(COMMANDS) <= set(commands)
    assert told == {field.encode_name for field in settings} - parts.keys() | inner


@pytest.mark.e2e
@pytest.mark.parametrize("way", _WAYS)
async def test_emacs_rewrites_the_region(home: Home, way: str) -> None:
    """A real Emacs with the page's configuration: by its command, and by a code action."""
    emacs = str(require(Path(shutil.which("emacs") or "/usr/bin/emacs")))
    home.answer({"texts": ["new()"]})
    (home.folder / "a.py").write_text("π = öld + rest\n")
    script = home.folder / "try.el"
    script.write_text(_PACKAGES + block("elisp") + _TRY.replace("%s", _WAYS[way]))
    server = f"{sys.executable} -m lsp_server lsp"
    result = subprocess.run(  # noqa: ASYNC221  # nothing else is to run
        [emacs, "-Q", "--batch", "-l", str(script)],
        cwd=home.folder,
        env={**home.environment, "SERVER": server},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "π = new() + rest" in result.stderr, result.stderr


@pytest.mark.e2e
async def test_helix_rewrites_the_selection(home: Home) -> None:
    """A real Helix with the page's configuration: a code action on what is selected."""
    helix = editors.helix()
    home.answer({"texts": ["new()"]})
    file = home.folder / "a.py"
    file.write_text("π = öld + rest\n")
    config = home.folder / "config" / "helix"
    config.mkdir(parents=True)
    (config / "languages.toml").write_text(block("toml"))
    environment = home.environment | {
        "HELIX_RUNTIME": str(helix.parent / "runtime"),
        "XDG_CACHE_HOME": str(home.folder / "cache"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    terminal = Terminal([str(helix), "a.py"], home.folder, environment)
    try:
        terminal.until(lambda: "öld" in terminal.written, "the file")
        terminal.type("%söld\r")

        def offers() -> bool:
            # Until the server has started, there are none.
            terminal.type(" a")
            return terminal.shows("Rewrite selection", 2.0)

        terminal.until(offers, "the menu of code actions")
        terminal.type("\x1b[B")  # down, to the second of them
        terminal.type("\r")
        assert terminal.shows("new()")
        terminal.type(":write\r")

        def is_written() -> bool:
            # Helix puts a new file in the old one's place: for a moment there is none.
            with contextlib.suppress(FileNotFoundError):
                return file.read_text() == "π = new() + rest\n"
            return False

        terminal.until(is_written, "the edited file")
    finally:
        terminal.close()
