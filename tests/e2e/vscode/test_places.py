"""VS Code: where people work: read-only files, notebooks, pairs, settings with variables."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING, Any

import pytest
from support.editors import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from support.vscode import Workbench

pytestmark = [pytest.mark.vscode, pytest.mark.e2e]

REPLIES: list[dict[str, Any]] = [
    # A cell of a notebook, behind a function of an earlier cell and a text between the two.
    {"when": r"def mean\(xs\):[\s\S]*\n# ## Results\n\nprint\($", "texts": ["mean(xs)"]},
    {"when": r"pair\($", "texts": ["one, two"]},
    {"when": r"many\($", "texts": ["one,\n    two)"]},
    {"when": r"slow = $", "texts": ["late"], "n_steps": 20, "step_s": 0.05},
    {"texts": ["new()"]},
]

TOLD = ".notification-list-item"
#: How many code actions of ours there are for the selection.
OFFERS = """
const { document, selection } = vscode.window.activeTextEditor;
const found = await vscode.commands.executeCommand(
  'vscode.executeCodeActionProvider', document.uri, selection, 'refactor.rewrite.remask');
return found.length;
"""


def told(code: Workbench, text: str) -> None:
    """Wait for a message, and take it away."""
    code.shows(f'{TOLD}:has-text("{text}")')
    code.ask("await vscode.commands.executeCommand('notifications.clearAll')")


@pytest.mark.parametrize("how", ["readonlyInclude", "readonlyFromPermissions"])
def test_a_read_only_file_is_told_before_the_model_works(code: Workbench, how: str) -> None:
    """One sentence for every command, whatever makes it read-only; the file stays as it is."""
    code.open("a = old\n", f"{how}.py")
    path = next(code.workspace.glob(f"**/{how}.py"))
    if how == "readonlyInclude":
        code.set("files.readonlyInclude", {"**/readonlyInclude.py": True})
    else:
        path.chmod(0o444)
        code.set("files.readonlyFromPermissions", True)  # noqa: FBT003  # a JSON value
    code.select((0, 4, 0, 7))
    # More messages at a time VS Code takes for spam.
    for command in ("infillSelection", "instruct"):
        code.run(f"remask.{command}")
        told(code, f"{how}.py is read-only, so Remask leaves it.")
    assert code.drawn == ""
    assert code.text == "a = old\n"


def test_an_edit_that_is_not_taken_is_told(code: Workbench) -> None:
    """An editor that was made read-only by hand: VS Code tells an extension only afterwards."""
    code.open("a = old\n")
    code.select((0, 4, 0, 7))
    code.run("workbench.action.files.setActiveEditorReadonlyInSession")
    code.run("remask.infillSelection")
    told(code, "VS Code did not take the edit")
    assert code.text == "a = old\n"


def test_the_old_side_of_a_diff_is_told(code: Workbench) -> None:
    """It is no file; the new side is one, and is filled."""
    code.open("a = old\n", "diff.py")
    code.ask("""
        const { document } = vscode.window.activeTextEditor;
        globalThis.frozen ??= vscode.workspace.registerTextDocumentContentProvider(
          'frozen', { provideTextDocumentContent: () => 'a = older\\n' });
        await vscode.commands.executeCommand(
          'vscode.diff', vscode.Uri.parse('frozen:/diff.py'), document.uri, 'diff');
        await vscode.commands.executeCommand('workbench.action.compareEditor.focusSecondarySide');
    """)
    code.until(lambda: code.text == "a = older\n", "the old side")
    code.run("remask.infillSelection")
    told(code, "This is no file, new document or notebook")
    code.run("workbench.action.compareEditor.focusPrimarySide")
    code.until(lambda: code.text == "a = old\n", "the new side")
    code.ask("vscode.window.activeTextEditor.selection = new vscode.Selection(0, 4, 0, 7)")
    code.run("remask.infillSelection")
    code.becomes("a = new()\n")


def notebook(*cells: tuple[str, str]) -> str:
    """Return a notebook's file, of cells by kind and text."""
    made = [
        {"cell_type": kind, "metadata": {}, "source": text.splitlines(keepends=True)}
        | ({"execution_count": None, "outputs": []} if kind == "code" else {})
        for kind, text in cells
    ]
    language = {"language_info": {"name": "python"}}
    return json.dumps({"cells": made, "metadata": language, "nbformat": 4, "nbformat_minor": 5})


CELLS = (
    ("code", "def mean(xs):\n    return sum(xs) / len(xs)"),
    ("markdown", "## Results"),
    ("code", "print()"),
    ("code", "y = 2"),
)
#: Shows a notebook with the keyboard in its third cell, behind "print(".
EDIT_CELL = """
const document = await vscode.workspace.openNotebookDocument(vscode.Uri.file(path));
const range = new vscode.NotebookRange(2, 3);
await vscode.window.showNotebookDocument(document, { selections: [range] });
await vscode.commands.executeCommand('notebook.cell.edit');
"""
TEXTS = """
const { notebook } = vscode.window.activeNotebookEditor;
return notebook.getCells().map((cell) => cell.document.getText());
"""


def edit_cell(code: Workbench, name: str) -> None:
    """Show a new notebook, and put the cursor into its third cell."""
    path = code.workspace / name
    path.write_text(notebook(*CELLS))
    code.ask(EDIT_CELL, path=str(path))
    code.until(lambda: code.text == "print()", "the cell's editor")
    code.page.locator(".monaco-editor.focused").first.wait_for()
    code.ask("vscode.window.activeTextEditor.selection = new vscode.Selection(0, 6, 0, 6)")
    code.until(lambda: code.ask(OFFERS) > 0, "the server to know the cell")


def test_a_cell_of_a_notebook_is_filled_from_the_others(code: Workbench) -> None:
    """By command: its own edit, and the other cells stay as they are."""
    edit_cell(code, "a.ipynb")
    code.run("remask.infillSelection")
    code.until(lambda: code.ask(TEXTS)[2] == "print(mean(xs))", "the cell's edit")
    assert code.ask(TEXTS) == [*(text for _, text in CELLS[:2]), "print(mean(xs))", "y = 2"]
    code.shoot("notebook")
    code.run("undo")
    code.until(lambda: code.ask(TEXTS)[2] == "print()", "the undo")


def test_ghost_text_shows_in_a_cell(code: Workbench) -> None:
    """Typed, shown, accepted by Tab, in a notebook."""
    edit_cell(code, "b.ipynb")
    code.press("End", "ArrowLeft", "Backspace")
    code.type_for_ghost("(", "mean(xs)")
    code.press("Tab")
    code.until(lambda: code.ask(TEXTS)[2].startswith("print(mean(xs)"), "the accepted text")


def test_a_closer_that_stands_there_is_typed_over(code: Workbench) -> None:
    """After accepting inside a pair that VS Code has closed there is one closer, not two."""
    code.set("editor.autoClosingBrackets", "always")
    try:
        code.open("x = pair\n")
        code.select((0, 8, 0, 8))
        code.type_for_ghost("(", "one, two")
        code.becomes("x = pair()\n")
        code.press("Tab")
        code.becomes("x = pair(one, two)\n")
        code.page.keyboard.type(")")
        code.page.keyboard.type(";")
        code.becomes("x = pair(one, two);\n")
    finally:
        code.set("editor.autoClosingBrackets", "never")


@pytest.fixture
def proxied(code: Workbench) -> Path:
    """A server of the workspace's own that announces ghost events, named with a variable."""
    log = code.folder / "events.jsonl"
    log.unlink(missing_ok=True)
    program = code.workspace / "bin" / "remask"
    program.parent.mkdir(exist_ok=True)
    words = [sys.executable, ROOT / "tests" / "support" / "lsp_proxy.py", log]
    words += [sys.executable, "-m", "lsp_server"]
    program.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, words))} "$@"\n')
    program.chmod(0o755)
    code.ask(
        "await vscode.workspace.getConfiguration().update('remask.server.command',"
        " ['${workspaceFolder}/bin/remask', 'lsp'], vscode.ConfigurationTarget.Workspace)"
    )
    yield log
    # Until its successor is there nothing is asked: a key that is pressed meanwhile is lost.
    code.ask(
        "await vscode.workspace.getConfiguration().update('remask.server.command',"
        " undefined, vscode.ConfigurationTarget.Workspace);"
        " await vscode.commands.executeCommand('remask.restart')"
    )


def test_the_server_hears_of_ghost_text(code: Workbench, proxied: Path) -> None:
    """What was shown, then how far each accepted word reaches; the setting's variable counts."""
    code.until(proxied.exists, "the workspace's own server")
    code.open("x = pair\n")
    code.select((0, 4, 0, 8))
    code.until(lambda: code.ask(OFFERS) > 0, "the server to know the document")
    code.select((0, 8, 0, 8))
    code.type_for_ghost("(", "one, two")
    code.press("Control+ArrowRight")
    code.until(lambda: code.text.startswith("x = pair(one"), "the word")
    code.until(lambda: len(proxied.read_text().splitlines()) > 1, "the events")
    shown, partly = (json.loads(line) for line in proxied.read_text().splitlines()[:2])
    assert shown["method"] == "textDocument/didShowCompletion"
    assert shown["params"]["item"]["insertText"] == "one, two"
    assert partly["method"] == "textDocument/didPartiallyAcceptCompletion"
    assert partly["params"]["item"] == shown["params"]["item"]
    accepted = len(code.text.rstrip("\n")) - len("x = pair(")
    assert partly["params"]["acceptedLength"] == accepted
