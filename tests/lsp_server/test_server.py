"""The server's own state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.editor import Editor, Refused
from support.fake_runtime import FakeRuntime, finished

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
async def editor() -> Editor:
    """Return an editor with two folders, one inside the other."""
    editor = Editor(FakeRuntime(lambda request: finished(request, "x")))
    folders = [{"uri": "file:///w/a%20b", "name": "b"}, {"uri": "file:///w/a%20b/c", "name": "c"}]
    await editor.start(rootUri=None, workspaceFolders=folders)
    return editor


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/w/a b/x.py", "/w/a b"),
        ("/w/a b/c/x.py", "/w/a b/c"),
        ("/w/a bc/x.py", ""),
        ("/elsewhere/x.py", ""),
    ],
)
async def test_a_files_root_is_the_innermost_folder(editor: Editor, path: str, root: str) -> None:
    """Of several workspace folders, names with blanks included."""
    assert editor.server.root_of(path) == root


async def test_only_what_may_be_shown_is_context(editor: Editor) -> None:
    """The others, the one used last first, without the binary, the huge and the secret."""
    for name, text in [("a", "a"), ("b", "b"), ("c", "\0"), ("d.pem", "d"), ("e", "e" * 2**21)]:
        editor.open(text, f"file:///w/a%20b/{name}")

    found = editor.server.others("file:///w/a%20b/b")

    assert [snapshot.text for snapshot in found] == ["a"]


async def test_what_git_leaves_out_is_no_context(tmp_path: Path) -> None:
    """Nor is a secret, or a file of another folder, whichever way the workspace is reached."""
    real, link = tmp_path / "real", tmp_path / "link"
    (real / "secrets").mkdir(parents=True)
    (real / ".gitignore").write_text("made.py\n")
    link.symlink_to(real)
    editor = Editor(FakeRuntime(lambda request: finished(request, "x")))
    editor.settings = {"secretFiles": ["secrets/*"]}
    await editor.start(rootUri=link.as_uri())
    for name in ("a.py", "made.py", "secrets/key.py", "b.py"):
        editor.open(name, (real / name).as_uri())

    found = editor.server.others((real / "b.py").as_uri())

    assert [snapshot.text for snapshot in found] == ["a.py"]
    assert editor.server.root_of(str(real / "a.py")) == str(link)


async def test_what_pygls_can_not_handle_is_no_popup(editor: Editor) -> None:
    """A change of a document that was never opened is logged, not shown."""
    editor.change("x", 2, "file:///w/never.py")

    assert "window/showMessage" not in editor.heard


async def test_a_request_may_go_without_params(editor: Editor) -> None:
    """JSON-RPC allows it; pygls takes it for nonsense and answers nothing."""
    status = await editor.request("remask/status")

    assert status["state"] == "stopped"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("textDocument/inlineCompletion", []),
        ("textDocument/inlineCompletion", [{"textDocument": 7}]),
        ("textDocument/codeAction", [None]),
    ],
)
async def test_what_can_not_be_read_is_refused(
    editor: Editor, method: str, params: list[object]
) -> None:
    """A request with an id gets an answer, be it only that it makes no sense."""
    with pytest.raises(Refused, match=r"-3260[23]"):
        await editor.request(method, *params)
