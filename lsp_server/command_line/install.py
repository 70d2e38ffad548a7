"""`remask install`: put the editor clients that the wheel carries in place, and take them away.

Neovim gets a package, a folder below its data directory that it loads by itself. VS Code and its
relatives get the extension through their own command line.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lsp_server.errors import ServerFault

if TYPE_CHECKING:
    from collections.abc import Iterator

EditorName = Literal["neovim", "vscode"]

EXTENSION_ID = "remask.remask"
#: VS Code and what is made of it, by the names of their commands; the first one found is meant.
VSCODE_COMMANDS = ("code", "codium", "code-insiders", "cursor", "windsurf", "code-server")
#: Written into what is installed, so that `--remove` takes away nothing else.
MARKER = "installed-by-remask"


#: What to expect of the first request.
FIRST_TIME = "The first time, the model is downloaded; `remask pull` does that now."


class InstallFailed(ServerFault):
    """A client could not be put in place or taken away; the message says what to do."""


def install(editor: EditorName, *, remove: bool = False, command: str = "") -> Iterator[str]:
    """Install a client, or remove it.

    Args:
        editor: whose client.
        remove: whether to take it away.
        command: VS Code's command; empty takes the first one of `VSCODE_COMMANDS` there is.

    Yields:
        What was done, sentence by sentence.

    Raises:
        InstallFailed: it can't be done.
    """
    if editor == "neovim":
        yield from _remove_neovim() if remove else _install_neovim()
    else:
        yield from _run_vscode(command, remove=remove)


def clients_folder() -> Path:
    """Return where the clients are: in the wheel, or in the repository it was installed from.

    Raises:
        InstallFailed: this installation has none.
    """
    here = Path(__file__).parents[1]
    for folder in (here / "editor_clients", here.parent / "editor_clients"):
        if folder.is_dir():
            return folder
    raise InstallFailed("This installation of Remask has no editor clients. Install it anew.")


def neovim_package() -> Path:
    """Return the folder that Neovim loads the plugin from."""
    name = os.environ.get("NVIM_APPNAME") or "nvim"
    if sys.platform == "win32":
        name += "-data"
    return _data_folder() / name / "site" / "pack" / "remask" / "start"


def command_note() -> Path:
    """Return the file that tells VS Code's extension which command it was installed by.

    Its PATH is the login shell's, or the desktop's, and knows no virtual environment.
    """
    return _data_folder() / "remask" / "command"


def _data_folder() -> Path:
    try:
        home = Path.home()
    except RuntimeError as error:
        raise InstallFailed("No home folder is known for this user: set HOME.") from error
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")


def _own_command() -> Path:
    name = "remask.exe" if sys.platform == "win32" else "remask"
    return Path(sys.executable).parent / name


def other_command() -> Path | None:
    """Return this installation's command where an editor would start another one, or none."""
    ours, found = _own_command(), shutil.which("remask")
    if not ours.is_file() or (found and Path(found).resolve() == ours.resolve()):
        return None
    return ours


def _install_neovim() -> Iterator[str]:
    target = neovim_package() / "remask"
    if target.exists():
        _check_ours(target)
        shutil.rmtree(target)
    shutil.copytree(clients_folder() / "neovim", target)
    (target / MARKER).touch()
    yield f"Copied the plugin to {target}."
    if nvim := shutil.which("nvim"):
        # Without tags, `:help remask` finds nothing.
        tags = f"helptags {target / 'doc'}"
        subprocess.run([nvim, "--clean", "--headless", "-c", tags, "-c", "q"], check=False)
    else:
        yield "There is no nvim on the PATH; the plugin needs Neovim 0.11 or later."
    yield "Put vim.lsp.enable('remask') into your init.lua; :checkhealth remask tells the rest."
    if ours := other_command():
        words = f"{{ cmd = {{ '{ours}', 'lsp' }} }}"
        yield f"Before it put vim.lsp.config('remask', {words}), for this one is not on the PATH."
    yield "Then open a file, select some code and say :Remask infill. " + FIRST_TIME


def _remove_neovim() -> Iterator[str]:
    package = neovim_package()
    target = package / "remask"
    if not target.exists():
        yield f"There is no plugin in {target}."
        return
    _check_ours(target)
    shutil.rmtree(target)
    for folder in (package, package.parent):
        if not any(folder.iterdir()):
            folder.rmdir()
    yield f"Removed the plugin from {target}."
    yield "Take vim.lsp.enable('remask') out of your init.lua."


def _check_ours(target: Path) -> None:
    if not (target / MARKER).exists():
        raise InstallFailed(f"{target} was not put there by Remask; it is left alone.")


def _run_vscode(command: str, *, remove: bool) -> Iterator[str]:
    names = (command,) if command else VSCODE_COMMANDS
    found = next(filter(None, map(shutil.which, names)), None)
    package = clients_folder() / "vscode" / "remask.vsix"
    if found is None:
        raise InstallFailed(
            f"There is no {' or '.join(names)} on the PATH. Name the command with --command, or"
            f' install {package} in the editor: "Extensions: Install from VSIX".'
        )
    what = ["--uninstall-extension", EXTENSION_ID]
    if not remove:
        what = ["--install-extension", str(package), "--force"]
    done = subprocess.run([found, *what], capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).strip()
    if done.returncode and not (remove and "is not installed" in said):
        raise InstallFailed(f"{found} failed: {said}")
    note = command_note()
    if remove:
        note.unlink(missing_ok=True)
        yield f"Removed the extension {EXTENSION_ID} with {found}."
    else:
        yield f"Installed {package.name} with {found}."
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(f"{_own_command()}\n", encoding="utf-8")
        yield "Reload the windows that are open (Developer: Reload Window)."
        yield "Then select some code and open the light bulb (Ctrl+.). " + FIRST_TIME
