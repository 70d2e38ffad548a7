"""A real VS Code in a headless browser: code-server, the extension from its .vsix, and a driver."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from typing import TYPE_CHECKING, Any

from support import editors
from support.neovim import write_script

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

#: Seconds after which something that has not happened is not going to.
PATIENCE_S = 15.0
#: Seconds after which a key that showed no effect is pressed again.
KEY_S = 3.0
START_S = 180.0

VSIX = editors.EXTENSION / "remask.vsix"
DRIVER = editors.ROOT / "tests" / "e2e" / "vscode" / "driver"

SETTINGS: dict[str, Any] = {
    "workbench.startupEditor": "none",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.colorTheme": "Default Light Modern",
    "workbench.tips.enabled": False,
    "chat.disableAIFeatures": True,
    "telemetry.telemetryLevel": "off",
    "files.autoSave": "off",
    "editor.minimap.enabled": False,
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "editor.occurrencesHighlight": "off",
    "editor.autoClosingBrackets": "never",
    "extensions.ignoreRecommendations": True,
    "git.enabled": False,
    "remote.autoForwardPorts": False,
    "remask.inline.debounceMs": 10,
}
#: What only the machine's own settings may say.
MACHINE_SETTINGS: dict[str, Any] = {
    "remask.server.command": [sys.executable, "-m", "lsp_server", "lsp"],
}

#: The settings that tests change.
CHANGED = (
    "remask.review",
    "remask.drafts",
    "remask.alternatives",
    "remask.disabledLanguages",
    "remask.inline.enabled",
    "files.readonlyInclude",
    "files.readonlyFromPermissions",
)

_MANIFEST = """<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="driver" Version="0.0.1" Publisher="remask-tests"/>
    <DisplayName>driver</DisplayName>
  </Metadata>
  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
  <Dependencies/>
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json"/>
  </Assets>
</PackageManifest>
"""
_TYPES = """<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension=".json" ContentType="application/json"/>
  <Default Extension=".js" ContentType="application/javascript"/>
  <Default Extension=".vsixmanifest" ContentType="text/xml"/>
</Types>
"""


def _pack_driver(target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("extension.vsixmanifest", _MANIFEST)
        archive.writestr("[Content_Types].xml", _TYPES)
        for file in DRIVER.iterdir():
            archive.write(file, f"extension/{file.name}")
    return target


class Workbench:
    """A VS Code window and the processes behind it.

    Args:
        folder: its own, with a short path: all its state, and its runtime's.
        browser: what it is shown in.
    """

    def __init__(self, folder: Path, browser: Browser) -> None:
        self.folder = folder
        self.runtime = folder / "run"
        self.workspace = folder / "work"
        self.workspace.mkdir()
        self._data = folder / "data"
        for kind, settings in {"User": SETTINGS, "Machine": MACHINE_SETTINGS}.items():
            (self._data / kind).mkdir(parents=True)
            (self._data / kind / "settings.json").write_text(json.dumps(settings))
        self._port_file = folder / "driver"
        self._n_opened = 0
        self._environment = {
            **os.environ,
            "REMASK_TEST_DRIVER": str(self._port_file),
            "REMASK_SCRIPT": str(folder / "script.json"),
            "REMASK_RUNTIME_DIR": str(self.runtime),
            "REMASK_IDLE_EXIT_S": "300",
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }
        # The runtime's settings say which: they can be changed while this runs.
        self._environment.pop("REMASK_ENGINE", None)
        node = editors.node() / "bin" / "node"
        entry = editors.code_server() / "out" / "node" / "entry.js"
        self._command = [str(node), str(entry), "--user-data-dir", str(self._data)]
        self._command += ["--extensions-dir", str(folder / "extensions")]
        self.page: Page = browser.new_page(viewport={"width": 1100, "height": 640})
        self._install(VSIX, _pack_driver(folder / "driver.vsix"))
        self._server = self._serve()

    def answers(self, engine: str, *replies: dict[str, Any]) -> None:
        """Say which engine the next runtime has; what the model answers, for "scripted"."""
        write_script(self.folder, *replies)
        settings = self.folder / "config" / "remask" / "runtime.toml"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(f'engine = "{engine}"\n')

    def start(self) -> None:
        """Show the window, and wait for the extension."""
        address = self.until(self._address, "code-server", START_S)
        self.page.goto(f"{address}/?folder={self.workspace}")
        self.until(self._port_file.exists, "the driver", START_S)
        self._port = int(self._port_file.read_text())
        self.until(lambda: self.ask(_IS_READY), "the extension", START_S)
        # A window that has just come up does not ask for all that is typed in it.
        self.open("warm = up\n", "warm.py")
        self.until(self._asks_for_ghost_text, "a request for ghost text", START_S)
        self.ask(_CLEAN, command="workbench.action.closeAllEditors")

    def _asks_for_ghost_text(self) -> bool:
        self.run("editor.action.inlineSuggest.trigger")
        self.page.wait_for_timeout(KEY_S * 1000 / 4)
        # The first request starts the runtime.
        return self.runtime.exists()

    def close(self) -> None:
        """End everything."""
        self.page.close()
        os.killpg(self._server.pid, signal.SIGTERM)
        try:
            self._server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()

    def reset(self) -> None:
        """Leave no document, setting or message of a test to the next one."""
        for name in CHANGED:
            self.set(name, None)
        self.press("Escape")
        for command in ("notifications.clearAll", "workbench.action.closeAllEditors"):
            self.ask(_CLEAN, command=command)

    def ask(self, code: str, **values: Any) -> Any:
        """Run JavaScript in the extension host; `vscode`, `require` and the values are at hand."""
        given = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
        request = urllib.request.Request(  # on this machine
            f"http://127.0.0.1:{self._port}", data=(given + code).encode()
        )
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            answer = json.load(response)
        assert "fault" not in answer, answer["fault"]
        return answer["value"]

    def until(self, holds: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
        """Wait for something to be true, and return it."""
        end = time.monotonic() + patience_s
        while not (value := holds()):
            if time.monotonic() > end:
                self.shoot("never-came")
                raise AssertionError(f"never came: {what}")
            # The browser goes on meanwhile.
            self.page.wait_for_timeout(50)
        return value

    def set(self, name: str, value: Any) -> None:
        """Change one of the user's settings."""
        self.ask(
            "await vscode.workspace.getConfiguration().update(name, value ?? undefined,"
            " vscode.ConfigurationTarget.Global)",
            name=name,
            value=value,
        )

    def open(self, text: str, name: str = "a.py") -> None:
        """Show a new file of this text alone."""
        # VS Code keeps a closed document for a while, whatever becomes of its file.
        self._n_opened += 1
        path = self.workspace / name
        if path.exists():
            path = self.workspace / str(self._n_opened) / name
            path.parent.mkdir()
        path.write_bytes(text.encode())
        self.ask(_OPEN, path=str(path))
        self.focus()

    def focus(self) -> None:
        """Let the keyboard go to the editor."""
        self.ask("await vscode.commands.executeCommand('workbench.action.focusActiveEditorGroup')")
        self.page.locator(".monaco-editor.focused").first.wait_for()

    def select(self, *selections: tuple[int, int, int, int]) -> None:
        """Set the selections: line and character of both ends, from 0."""
        self.ask(
            "vscode.window.activeTextEditor.selections ="
            " places.map((place) => new vscode.Selection(...place))",
            places=selections,
        )
        if len(selections) == 1:
            # The keyboard is the browser's, which hears of it later.
            *start, line, character = selections[0]
            n_selected = "" if start == [line, character] else r" \(\d+ selected\)"
            place = re.compile(rf"^\s*Ln {line + 1}, Col {character + 1}{n_selected}\s*$")
            self.page.locator("[id='status.editor.selection']", has_text=place).wait_for()

    def run(self, command: str) -> None:
        """Start a command, without waiting for its end."""
        self.ask("void vscode.commands.executeCommand(command)", command=command)

    def press(self, *keys: str) -> None:
        """Press keys in the browser."""
        for key in keys:
            self.page.keyboard.press(key)

    @property
    def text(self) -> str:
        """The active document's text."""
        return str(self.ask("return vscode.window.activeTextEditor?.document.getText()"))

    @property
    def cursor(self) -> tuple[int, int]:
        """Line and character of the cursor, from 0."""
        line, character = self.ask(
            "const { active } = vscode.window.activeTextEditor.selection;"
            " return [active.line, active.character]"
        )
        return line, character

    def becomes(self, text: str) -> None:
        """Wait for the active document to have this text."""
        try:
            self.until(lambda: self.text == text, repr(text))
        except AssertionError:
            assert self.text == text
            raise

    def shows(self, selector: str) -> Locator:
        """Wait for an element to be visible."""
        found = self.page.locator(selector).first
        found.wait_for(timeout=PATIENCE_S * 1000)
        return found

    def light_bulb(self) -> Locator:
        """Open the menu of code actions.

        VS Code drops the key, or closes the menu again, where it asks anew what there is to offer.
        """
        menu = self.page.locator(".action-widget").first

        def is_open() -> bool:
            self.focus()
            self.press("Control+.")
            end = time.monotonic() + KEY_S
            while time.monotonic() < end and not menu.is_visible():
                self.page.wait_for_timeout(50)
            return menu.is_visible()

        self.until(is_open, "the menu of code actions")
        return menu

    def type_for_ghost(self, key: str, shown: str) -> None:
        """Type a key, and wait for this ghost text behind it.

        VS Code does not ask for all that is typed where an editor, a window or a server has just
        come up (recorded traffic: no request went out); what it was not asked is typed again.
        """
        self.page.keyboard.type(key)

        def shows() -> bool:
            end = time.monotonic() + KEY_S
            while time.monotonic() < end:
                if self.ghost == shown:
                    return True
                self.page.wait_for_timeout(50)
            self.press("Backspace", key)
            return False

        self.until(shows, f"the ghost text {shown!r}")

    @property
    def ghost(self) -> str:
        """The ghost text that is shown."""
        pieces = self.page.locator(".ghost-text-decoration, .ghost-text-decoration-preview")
        return "".join(pieces.all_text_contents()).replace("\xa0", " ")

    @property
    def reviewed(self) -> str:
        """The document as the result that is shown for review makes it; empty for none."""
        return str(self.ask(_REVIEWED))

    @property
    def status(self) -> str:
        """What the status item says."""
        item = self.page.locator("[id='status.languageStatus']").first
        return str(item.get_attribute("aria-label"))

    @property
    def is_busy(self) -> bool:
        """Whether the status item says that something runs."""
        return self.page.locator("[id='status.languageStatus'] .codicon-loading").count() > 0

    @property
    def drawn(self) -> str:
        """What is drawn beside the text: the unfinished canvas."""
        return str(self.page.evaluate(_DRAWN)).replace("\xa0", " ")

    @property
    def coloured(self) -> list[str]:
        """The background colours of what is marked in the text."""
        return list(self.page.evaluate(_COLOURED))

    def shoot(self, name: str) -> Path:
        """Keep a screenshot with the other artefacts of the tests."""
        folder = editors.ROOT / "build" / "test-artefacts"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"vscode-{name}.png"
        self.page.screenshot(path=path)
        return path

    def _install(self, *packages: Path) -> None:
        words = [word for path in packages for word in ("--install-extension", str(path))]
        subprocess.run(
            [*self._command, *words], check=True, capture_output=True, env=self._environment
        )

    def _serve(self) -> subprocess.Popen[bytes]:
        words = ["--auth", "none", "--bind-addr", "127.0.0.1:0", "--disable-telemetry"]
        words += ["--disable-update-check", "--disable-workspace-trust"]
        words += ["--disable-getting-started-override"]
        with self._log.open("w") as log:
            return subprocess.Popen(
                [*self._command, *words],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    @property
    def _log(self) -> Path:
        return self.folder / "code-server.log"

    def _address(self) -> str | None:
        found = re.search(r"listening on (http://127\.0\.0\.1:\d+)", self._log.read_text())
        return found[1] if found else None


_IS_READY = """
const extension = vscode.extensions.getExtension('remask.remask');
return Boolean(extension?.isActive);
"""
_CLEAN = """
for (const notebook of vscode.workspace.notebookDocuments.filter((each) => each.isDirty)) {
  await vscode.window.showNotebookDocument(notebook);
  await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
}
for (const document of vscode.workspace.textDocuments.filter((each) => each.isDirty)) {
  await vscode.window.showTextDocument(document);
  await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
}
await vscode.commands.executeCommand(command);
"""
_OPEN = """
const document = await vscode.workspace.openTextDocument(path);
await vscode.window.showTextDocument(document);
"""
_REVIEWED = """
const { activeTab } = vscode.window.tabGroups.activeTabGroup;
const shown = activeTab?.input?.modified?.toString();
const document = vscode.workspace.textDocuments.find((each) => each.uri.toString() === shown);
return document?.getText() ?? '';
"""
_DRAWN = """
() => [...document.querySelectorAll('.view-lines span')]
  .map((each) => getComputedStyle(each, '::after').content)
  .filter((content) => content && !['none', 'normal', '""'].includes(content))
  .map((content) => content.replace(/^"|"$/g, ''))
  .join('|')
"""

#: Decorations with a background are drawn on a layer of their own, behind the text.
_COLOURED = """
() => [...document.querySelectorAll('.view-overlays .cdr')]
  .map((each) => getComputedStyle(each).backgroundColor)
"""
