"""Notebooks: what the model reads around a cell, and where an edit goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.editor import Editor, at
from support.fake_runtime import FakeRuntime, finished

if TYPE_CHECKING:
    from model_runtime.protocol import InfillRequest

NOTEBOOK = "file:///w/analysis.ipynb"
MARKUP, CODE = 1, 2
GHOST = "textDocument/inlineCompletion"
ABLE_TO_SHOW_NOTEBOOKS = {
    "notebookDocument": {"synchronization": {}},
    "workspace": {"applyEdit": True, "workspaceEdit": {"documentChanges": True}},
}


def cell_uri(name: str) -> str:
    """Return a cell's URI, as VS Code spells them."""
    return f"vscode-notebook-cell:/w/analysis.ipynb#{name}"


def cell(name: str, kind: int = CODE) -> dict[str, Any]:
    """Return a cell of a notebook."""
    return {"kind": kind, "document": cell_uri(name)}


def document(name: str, text: str, language: str = "python") -> dict[str, Any]:
    """Return a cell's document as it opens."""
    return {"uri": cell_uri(name), "languageId": language, "version": 1, "text": text}


@pytest.fixture
async def editor() -> Editor:
    """An editor that shows notebooks, and a model that fills every span with "mean(xs)"."""
    editor = Editor(
        FakeRuntime(lambda request: finished(request, *["mean(xs)"] * len(request.spans))),
        {"inline": {"debounceMs": 0}},
    )
    capabilities = await editor.start(ABLE_TO_SHOW_NOTEBOOKS)
    (selector,) = capabilities["notebookDocumentSync"]["notebookSelector"]
    assert selector == {"notebook": "*", "cells": [{"language": "*"}]}
    return editor


def open_notebook(editor: Editor, *cells: tuple[str, int, str, str], uri: str = NOTEBOOK) -> None:
    """Open a notebook of cells: name, kind, language and text."""
    notebook = {
        "uri": uri,
        "notebookType": "jupyter-notebook",
        "version": 1,
        "cells": [cell(name, kind) for name, kind, _, _ in cells],
    }
    texts = [document(name, text, language) for name, _, language, text in cells]
    editor.notify(
        "notebookDocument/didOpen", {"notebookDocument": notebook, "cellTextDocuments": texts}
    )


FOUR = [
    ("a", CODE, "python", "def mean(xs):\n    return sum(xs) / len(xs)"),
    ("b", MARKUP, "markdown", "## Results\n\nThe mean, then."),
    ("c", CODE, "python", "print()"),
    ("d", CODE, "python", "print('end')\n"),
]
BEFORE_C = "def mean(xs):\n    return sum(xs) / len(xs)\n\n# ## Results\n#\n# The mean, then.\n\n"


async def ghost(editor: Editor, name: str, line: int, character: int) -> tuple[Any, InfillRequest]:
    """Ask for ghost text in a cell; return it and what the model was asked."""
    params = {
        "textDocument": {"uri": cell_uri(name)},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": 1},
    }
    items = await editor.request(GHOST, params)
    return items, editor.runtime.requests[-1]


async def test_the_other_cells_stand_around_a_cell(editor: Editor) -> None:
    """Those before are its prefix, those behind its suffix, text between them is a comment."""
    open_notebook(editor, *FOUR)

    (item,), request = await ghost(editor, "c", 0, 6)

    assert request.prefix == BEFORE_C + "print("
    assert request.suffix == ")\n\nprint('end')"
    assert item["range"] == at(0, 6)


async def test_an_edit_is_the_cells_own(editor: Editor) -> None:
    """Its positions count from the cell's first line, in the cell's document."""
    open_notebook(editor, *FOUR)
    data = {"uri": cell_uri("c"), "ranges": [at(0, 6)], "version": 1, "mode": "infill"}
    action = {"title": "x", "kind": "refactor.rewrite.remask.infill", "data": data}

    resolved = await editor.request("codeAction/resolve", action)

    (change,) = resolved["edit"]["documentChanges"]
    assert change["textDocument"] == {"uri": cell_uri("c"), "version": 1}
    assert change["edits"] == [{"range": at(0, 6), "newText": "mean(xs)"}]
    assert editor.runtime.requests[-1].prefix == BEFORE_C + "print("


async def test_what_changes_in_the_notebook_counts(editor: Editor) -> None:
    """Text of another cell, a cell that is moved, one that comes and one that goes."""
    open_notebook(editor, *FOUR)
    changes: list[dict[str, Any]] = [
        {
            "textContent": [
                {
                    "document": {"uri": cell_uri("a"), "version": 2},
                    "changes": [{"text": "xs = [1]"}],
                }
            ]
        },
        {
            "structure": {
                "array": {"start": 1, "deleteCount": 1, "cells": []},
                "didClose": [{"uri": cell_uri("b")}],
            }
        },
        {
            "structure": {
                "array": {"start": 0, "deleteCount": 0, "cells": [cell("e")]},
                "didOpen": [document("e", "import os\n")],
            }
        },
        {"structure": {"array": {"start": 3, "deleteCount": 1, "cells": []}}},
        {"structure": {"array": {"start": 0, "deleteCount": 0, "cells": [cell("d")]}}},
    ]
    for version, change in enumerate(changes, 2):
        params = {
            "notebookDocument": {"uri": NOTEBOOK, "version": version},
            "change": {"cells": change},
        }
        editor.notify("notebookDocument/didChange", params)

    _, request = await ghost(editor, "c", 0, 6)

    assert request.prefix == "print('end')\n\nimport os\n\nxs = [1]\n\nprint("
    assert request.suffix == ")"


async def test_a_closed_notebook_is_forgotten(editor: Editor) -> None:
    """Its cells are no documents any more."""
    open_notebook(editor, *FOUR)
    cells = [{"uri": cell_uri(name)} for name, *_ in FOUR]
    editor.notify(
        "notebookDocument/didClose",
        {"notebookDocument": {"uri": NOTEBOOK}, "cellTextDocuments": cells},
    )

    params = {
        "textDocument": {"uri": cell_uri("c")},
        "position": {"line": 0, "character": 6},
        "context": {"triggerKind": 1},
    }
    assert await editor.request(GHOST, params) is None
    assert editor.server.documents.notebook_documents == {}
    assert editor.runtime.requests == []


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("javascript", "// ## Data\n\n// SELECT 1\n\nlet x = 1\n\n"),
        ("sql", "-- ## Data\n\nSELECT 1\n\n-- let x = 1\n\n"),
        ("r", "# ## Data\n\n# SELECT 1\n\n# let x = 1\n\n"),
        ("markdown", "## Data\n\n```sql\nSELECT 1\n```\n\n```javascript\nlet x = 1\n```\n\n"),
    ],
)
async def test_other_languages_are_comments(editor: Editor, language: str, expected: str) -> None:
    """In the cell's own language; around text, code is fenced."""
    open_notebook(
        editor,
        ("a", MARKUP, "markdown", "## Data"),
        ("b", CODE, "sql", "SELECT 1"),
        ("c", CODE, "javascript", "let x = 1"),
        ("d", MARKUP if language == "markdown" else CODE, language, ""),
    )

    _, request = await ghost(editor, "d", 0, 0)

    assert request.prefix == expected


async def test_a_line_of_an_interactive_window_comes_after_its_cells(editor: Editor) -> None:
    """It is a document beside them, of the same number; another window's cells don't count."""
    for number, text in ((1, "xs = [1, 2]"), (2, "other = 1")):
        uri = f"untitled:/Interactive-{number}.interactive"
        open_notebook(editor, (f"i{number}", CODE, "python", text), uri=uri)
    line = "vscode-interactive-input:/InteractiveInput-1"
    editor.open("print(", line)

    params = {
        "textDocument": {"uri": line},
        "position": {"line": 0, "character": 6},
        "context": {"triggerKind": 1},
    }
    await editor.request(GHOST, params)

    assert editor.runtime.requests[-1].prefix == "xs = [1, 2]\n\nprint("


async def test_only_so_much_of_a_long_notebook_is_sent(editor: Editor) -> None:
    """The nearest cells; a model reads no more anyhow."""
    long = [(f"n{n}", CODE, "python", f"x{n} = '{'a' * 30_000}'") for n in range(8)]
    open_notebook(editor, *long[:4], ("c", CODE, "python", ""), *long[4:])

    _, request = await ghost(editor, "c", 0, 0)

    assert [name in request.prefix for name in ("x0 ", "x1 ", "x2 ", "x3 ")] == [False, *[True] * 3]
    assert [name in request.suffix for name in ("x4 ", "x5 ", "x6 ", "x7 ")] == [*[True] * 3, False]


async def test_a_notebook_with_secrets_is_left_alone(editor: Editor) -> None:
    """By its file's name, as any file."""
    name = "file:///w/credentials.ipynb"
    open_notebook(editor, *FOUR, uri=name)

    params = {
        "textDocument": {"uri": cell_uri("c")},
        "position": {"line": 0, "character": 6},
        "context": {"triggerKind": 1},
    }
    assert await editor.request(GHOST, params) is None
    assert editor.runtime.requests == []


async def test_what_another_cell_says_makes_a_suggestion_old(editor: Editor) -> None:
    """Who writes along gets the rest of it, unless the cells around have changed."""
    open_notebook(editor, *FOUR)
    params = {
        "textDocument": {"uri": cell_uri("c")},
        "position": {"line": 0, "character": 6},
        "context": {"triggerKind": 2},
    }
    await editor.request(GHOST, params)
    await editor.request(GHOST, params)
    assert len(editor.runtime.requests) == 1
    change = {
        "document": {"uri": cell_uri("a"), "version": 2},
        "changes": [{"text": "def mean(values): ..."}],
    }
    editor.notify(
        "notebookDocument/didChange",
        {
            "notebookDocument": {"uri": NOTEBOOK, "version": 2},
            "change": {"cells": {"textContent": [change]}},
        },
    )
    await editor.request(GHOST, params)
    assert len(editor.runtime.requests) == 2
