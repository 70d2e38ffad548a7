"""`remask install`: what it puts in place works in the real editor, and goes again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import editors
from typer.testing import CliRunner

from lsp_server.command_line.cli import app
from lsp_server.command_line.install import InstallFailed, command_note, install, neovim_package


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of the test's own."""
    folder = tmp_path / "data"
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    return folder


@pytest.mark.nvim
def test_neovim_loads_what_was_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command, its help, and the server's configuration: with no plugin manager."""
    nvim = editors.neovim("0.11")
    monkeypatch.setenv("PATH", f"{nvim.parent}{os.pathsep}{os.environ['PATH']}")
    result = CliRunner().invoke(app, ["install", "neovim"])
    assert result.exit_code == 0, result.output
    assert "Put vim.lsp.enable('remask') into your init.lua" in result.output
    look = "lua io.stdout:write(vim.fn.exists(':Remask'), ' ', vim.lsp.config.remask.cmd[1])"
    commands = ["-c", look, "-c", "help remask-install", "-c", "qall!"]
    seen = subprocess.run(
        [nvim, "--headless", "-u", "NORC", *commands],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (seen.stdout, seen.stderr) == ("2 remask", "")


def test_what_comes_next_is_said(tmp_path: Path) -> None:
    """In the editor at hand, and which command it has to start where the PATH has another."""
    ours, python = tmp_path / "bin" / "remask", tmp_path / "bin" / "python"
    ours.parent.mkdir()
    python.symlink_to(sys.executable)
    ours.touch(mode=0o755)

    def said(path: Path) -> str:
        environment = {**os.environ, "PATH": str(path), "PYTHONPATH": os.pathsep.join(sys.path)}
        words = [str(python), "-m", "lsp_server", "install", "neovim"]
        return subprocess.run(
            words, env=environment, capture_output=True, text=True, check=True
        ).stdout

    elsewhere, on_the_path = said(tmp_path), said(ours.parent)

    for each in (elsewhere, on_the_path):
        assert "select some code and say :Remask infill" in each
        assert "the model is downloaded; `remask pull` does that now" in each
    assert f"vim.lsp.config('remask', {{ cmd = {{ '{ours}', 'lsp' }} }})" in elsewhere
    assert "vim.lsp.config" not in on_the_path


def test_installing_twice_leaves_nothing_old() -> None:
    """A file that an older version had is gone."""
    list(install("neovim"))
    old = neovim_package() / "remask" / "lua" / "old.lua"
    old.touch()
    list(install("neovim"))
    assert not old.exists()


def test_removing_leaves_nothing(data: Path) -> None:
    """Not even empty folders; a second time says that there is nothing."""
    list(install("neovim"))
    assert "Removed" in next(iter(install("neovim", remove=True)))
    assert not (data / "nvim" / "site" / "pack" / "remask").exists()
    assert "There is no plugin" in next(iter(install("neovim", remove=True)))


@pytest.mark.parametrize("remove", [True, False])
def test_what_somebody_else_put_there_is_left_alone(*, remove: bool) -> None:
    """A clone of the repository, say."""
    theirs = neovim_package() / "remask" / "init.lua"
    theirs.parent.mkdir(parents=True)
    theirs.touch()
    with pytest.raises(InstallFailed, match="left alone"):
        list(install("neovim", remove=remove))
    assert theirs.exists()


@pytest.mark.vscode
def test_vscode_takes_and_drops_the_extension(tmp_path: Path) -> None:
    """Through its own command line."""
    node, server = editors.node() / "bin" / "node", editors.code_server()
    command = tmp_path / "code"
    folders = f"--user-data-dir {tmp_path}/user --extensions-dir {tmp_path}/extensions"
    command.write_text(f'#!/bin/sh\nexec {node} {server}/out/node/entry.js {folders} "$@"\n')
    command.chmod(0o755)

    def extensions() -> list[str]:
        listed = [str(command), "--list-extensions"]
        return subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()

    list(install("vscode", command=str(command)))
    assert extensions() == ["remask.remask"]
    assert command_note().read_text().strip() == str(Path(sys.executable).parent / "remask")
    list(install("vscode", command=str(command), remove=True))
    assert extensions() == []
    assert not command_note().exists()
    list(install("vscode", command=str(command), remove=True))


def test_no_vscode_is_told() -> None:
    """With what to do instead."""
    with pytest.raises(InstallFailed, match="Install from VSIX"):
        list(install("vscode", command="no-such-code"))
