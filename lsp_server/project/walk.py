"""The source files of a workspace folder: what git leaves out, secrets and links apart."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from lsp_server.paths import ignore_lists, ignore_lists_below, is_ignored, is_left_out
from lsp_server.syntax.languages import guess_language

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lsp_server.settings import Settings

#: Never looked into, whatever git says of them.
FOREIGN = frozenset(
    [
        ".git",
        ".hg",
        ".svn",
        ".tox",
        ".nox",
        ".venv",
        "venv",
        "node_modules",
        "__pycache__",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
        ".idea",
        ".vscode",
        ".gradle",
    ]
)
#: Stands in a folder that holds an environment of installed packages.
_ENVIRONMENT = "pyvenv.cfg"


class Found(NamedTuple):
    """A source file."""

    #: From the workspace folder, with "/".
    path: str
    mtime_ns: int
    n_bytes: int


def walk(root: Path, settings: Settings, start: Path) -> Iterator[Found | None]:
    """Yield the source files of a folder; None stands for a folder that was looked through.

    Links are not followed: what they lead to inside of the workspace is found there, and what lies
    outside is not the workspace's. What can't be read is passed over.

    Args:
        root: the workspace folder.
        settings: says which files are secret.
        start: the workspace folder, or one in it that is not left out.
    """
    waiting = [(start, ignore_lists(start, str(root)))]
    while waiting:
        folder, lists = waiting.pop()
        yield None
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name, reverse=True)
        except OSError:
            continue
        if any(entry.name == _ENVIRONMENT for entry in found):
            continue
        for entry in found:
            path = folder / entry.name
            if entry.is_symlink():
                continue
            if not entry.is_dir():
                if guess_language(path) and not is_left_out(path, lists, is_folder=False):
                    yield _found(path, root, settings)
            elif entry.name not in FOREIGN and not is_left_out(path, lists, is_folder=True):
                is_repository = (path / ".git").exists()
                below = ignore_lists_below(path, lists, is_repository=is_repository)
                waiting.append((path, below))


def look(root: Path, path: Path, settings: Settings) -> Found | None:
    """Return one file as `walk` would; None where it would not."""
    is_foreign = any(part in FOREIGN for part in path.relative_to(root).parts)
    if is_foreign or not guess_language(path) or _is_linked(root, path):
        return None
    return None if is_ignored(str(path), str(root)) else _found(path, root, settings)


def is_walked(root: Path, folder: Path) -> bool:
    """Return whether `walk` looks into a folder of the workspace."""
    is_foreign = any(part in FOREIGN for part in folder.relative_to(root).parts)
    within = folder / "_"
    return not (is_foreign or _is_linked(root, folder) or is_ignored(str(within), str(root)))


def _is_linked(root: Path, path: Path) -> bool:
    """Return whether a link leads from the workspace folder to a path in it."""
    here = path
    while here != root:
        if here.is_symlink():
            return True
        here = here.parent
    return False


def _found(path: Path, root: Path, settings: Settings) -> Found | None:
    if settings.is_secret(str(path), str(root)):
        return None
    try:
        stat = path.stat()
    except OSError:
        return None
    return Found(path.relative_to(root).as_posix(), stat.st_mtime_ns, stat.st_size)
