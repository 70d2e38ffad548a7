"""The plugin's Lua is formatted as its stylua.toml says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support import editors

pytestmark = pytest.mark.nvim


def test_it_is_formatted() -> None:
    """Where this fails: run the same script with `--write`."""
    editors.require(editors.EXTENSION / "node_modules" / "@johnnymorganz")
    node = editors.node() / "bin" / "node"
    script = Path(__file__).with_name("stylua.mjs")
    files = sorted(editors.PLUGIN.rglob("*.lua"))
    result = subprocess.run(
        [node, script, *files], capture_output=True, text=True, check=True, cwd=editors.ROOT
    )
    assert result.stdout == ""
