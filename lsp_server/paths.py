"""Files by their names: where one lies in the workspace, and whether git leaves it out.

A file can be reached through symbolic links, and so can the workspace. What holds of a file holds
whichever way it is spelled: as the editor has it, or as the file system does.
"""

from __future__ import annotations

import os.path
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pathspec import GitIgnoreSpec

#: Lists of patterns, each with the folder it stands in, the nearest first.
Lists: TypeAlias = "tuple[tuple[Path, GitIgnoreSpec], ...]"

#: A longer list of patterns is not read: it is in the way of somebody who types.
_MAX_IGNORE_BYTES = 256 * 1024


def home_of(path: str) -> Path:
    """Return a path with the user's home in place of "~"; as it is where no home is known."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def spellings(path: str) -> tuple[str, ...]:
    """Return a path as it is spelled and, where links make that another one, as it really is."""
    real = os.path.realpath(path) if path else path
    return (path,) if real == path else (path, real)


def is_inside(path: str, root: str) -> bool:
    """Return whether a file lies in a folder; everything lies in no folder."""
    return not root or _inside(path, root) is not None


def relative_path(path: str, root: str) -> str:
    """Return a path from the workspace folder, with "/"; only the file's name outside of it."""
    found = _inside(path, root) if root else None
    return PurePath(path).name if found is None else found


def names(path: str, root: str) -> set[str]:
    """Return every name that a pattern may mean a file by: its own, and its path from the root."""
    found: set[str] = set()
    for spelled in spellings(path) if path else ():
        whole = PurePath(spelled)
        found |= {whole.name, whole.as_posix()}
        for folder in spellings(root):
            if folder and whole.is_relative_to(folder):
                found.add(whole.relative_to(folder).as_posix())
    return found


def is_ignored(path: str, root: str) -> bool:
    """Return whether git leaves a file out, by the `.gitignore` files on the way to it.

    Args:
        path: the file.
        root: the workspace folder, which counts where there is no repository; empty for none.
    """
    return any(_ignores(Path(each), root) for each in spellings(path) if each)


def _inside(path: str, root: str) -> str | None:
    """Return the path from a folder, by the first spelling that lies in it; None outside of it."""
    for spelled in spellings(path):
        for folder in spellings(root):
            if PurePath(spelled).is_relative_to(folder):
                return PurePath(spelled).relative_to(folder).as_posix()
    return None


def ignore_lists(folder: Path, root: str) -> Lists:
    """Return what says which files of a folder git leaves out; see `is_ignored`."""
    top = _top(folder / "_", root)
    return () if top is None else tuple(_lists(folder / "_", top))


def ignore_lists_below(folder: Path, above: Lists, *, is_repository: bool) -> Lists:
    """Return the same for a folder, of what holds in the one above; reads what is in it alone."""
    if is_repository:
        return tuple(_lists(folder / "_", folder))
    own = _read_list(folder / ".gitignore")
    return above if own is None else ((folder, own), *above)


def is_left_out(path: Path, lists: Lists, *, is_folder: bool) -> bool:
    """Return what the nearest list of patterns with an opinion says of a file or folder."""
    for folder, spec in lists:
        name = path.relative_to(folder).as_posix()
        verdict = spec.check_file(f"{name}/" if is_folder else name).include
        if verdict is not None:
            return verdict
    return False


def _ignores(path: Path, root: str) -> bool:
    top = _top(path, root)
    if top is None:
        return False
    # A folder that is left out takes all in it along, whatever is said further down.
    folders = [folder for folder in reversed(path.parents) if folder.is_relative_to(top)][1:]
    return any(
        is_left_out(each, tuple(_lists(each, top)), is_folder=each != path)
        for each in [*folders, path]
    )


def _top(path: Path, root: str) -> Path | None:
    """Return the folder whose lists are the last to count: the repository, else the workspace."""
    top = next((folder for folder in path.parents if (folder / ".git").exists()), None)
    if top is not None:
        return top
    return next(
        (Path(each) for each in spellings(root) if each and path.is_relative_to(each)), None
    )


def _lists(path: Path, top: Path) -> Iterator[tuple[Path, GitIgnoreSpec]]:
    for folder in path.parents:
        if not folder.is_relative_to(top):
            break
        if spec := _read_list(folder / ".gitignore"):
            yield folder, spec
    if spec := _read_list(top / ".git" / "info" / "exclude"):
        yield top, spec


def _read_list(path: Path) -> GitIgnoreSpec | None:
    try:
        found = path.stat()
    except OSError:
        return None
    if found.st_size > _MAX_IGNORE_BYTES:
        return None
    return _parsed(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=256)
def _parsed(path: Path, _mtime_ns: int, _size: int) -> GitIgnoreSpec | None:
    # Slow to import, and not wanted before the first request that shows other files.
    from pathspec import GitIgnoreSpec  # noqa: PLC0415

    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    patterns = []
    for line in lines:
        try:
            patterns += list(GitIgnoreSpec.from_lines([line]).patterns)
        except ValueError:  # git passes such a line over, too
            continue
    return GitIgnoreSpec(patterns)
