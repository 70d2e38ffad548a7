"""The committed .vsix is what its sources make, and the parts of it work."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from typing import TYPE_CHECKING

import msgspec
import pytest
from support import editors

from lsp_server.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.vscode

VSIX = editors.EXTENSION / "remask.vsix"


def run(*arguments: str) -> None:
    """Run one of the extension's scripts with the Node that is installed for the tests."""
    editors.require(editors.EXTENSION / "node_modules")
    node = editors.node() / "bin"
    environment = os.environ | {
        "PATH": f"{node}{os.pathsep}{os.environ['PATH']}",
        # Any fixed time: the archive is the same wherever it is made.
        "SOURCE_DATE_EPOCH": "315619200",
    }
    result = subprocess.run(
        [str(node / "node"), "--run", *arguments],
        cwd=editors.EXTENSION,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def contents(path: Path) -> dict[str, bytes]:
    """Return an archive's files."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_package_is_fresh(tmp_path: Path) -> None:
    """Where this fails: `node --run package` in the extension's folder, and commit remask.vsix."""
    fresh = tmp_path / "fresh.vsix"
    run("package", "--", "--out", str(fresh))
    assert contents(fresh) == contents(VSIX)


def test_the_types_are_right() -> None:
    """TypeScript's strictest checks find nothing."""
    run("check")


def test_the_parts_work() -> None:
    """The extension's own unit tests."""
    run("test")


def test_every_server_setting_can_be_set() -> None:
    """The extension describes each setting of the server, with the same default."""
    described = json.loads((editors.EXTENSION / "package.json").read_text())
    properties = described["contributes"]["configuration"]["properties"]
    own = {"remask.server.command", "remask.drafts"}
    found = {name: value["default"] for name, value in properties.items() if name not in own}
    defaults = msgspec.to_builtins(Settings())
    parts = {name: defaults.pop(name) for name in ("inline", "nextEdit")}
    expected = {f"remask.{name}": value for name, value in defaults.items()}
    for part, values in parts.items():
        expected |= {f"remask.{part}.{name}": value for name, value in values.items()}
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(expected))
    assert all(value.get("description") for name, value in properties.items() if name in found)
