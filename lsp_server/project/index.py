"""What the files of one workspace folder define: which there are, and which names stand in which.

Of a file that was read only the names are kept: 20,000 files take some tens of megabytes. The rest
is read again when it is wanted, after a look whether the file is still what it was; so what is
told of a file holds when it is told, whether or not somebody said that the file has changed.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from lsp_server.project.definitions import find_definitions
from lsp_server.project.imports import find_imports
from lsp_server.project.upkeep import MAX_FILE_BYTES
from lsp_server.project.walk import look
from lsp_server.syntax.languages import guess_language

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lsp_server.project.definitions import Definition
    from lsp_server.project.imports import Import
    from lsp_server.settings import Settings

#: Of files that were read lately, all that they define is at hand.
N_AT_HAND = 512
#: A name that more files define tells nothing of which one is meant.
MAX_PLACES = 16


class Facts(NamedTuple):
    """What a file defines, and what it takes from others."""

    definitions: Sequence[Definition]
    imports: Sequence[Import]

    def named(self, name: str, owner: str = "") -> list[Definition]:
        """Return what has a name."""
        return [one for one in self.definitions if one.name == name and one.owner == owner]

    def members(self, owner: str) -> list[Definition]:
        """Return the members of a type."""
        return [one for one in self.definitions if one.owner == owner]


NOTHING = Facts((), ())


class _Entry(NamedTuple):
    mtime_ns: int
    n_bytes: int
    names: tuple[str, ...]


class Index:
    """The files of a workspace folder; every path is from there, with "/".

    Args:
        root: the folder.
        settings: which files are secret.
    """

    def __init__(self, root: Path, settings: Settings) -> None:
        self.root = root
        self.settings = settings
        self._entries: dict[str, _Entry] = {}
        #: A file, or several.
        self._by_name: dict[str, str | set[str]] = {}
        self._by_stem: dict[str, set[str]] = {}
        self._by_folder: dict[str, set[str]] = {}
        self._at_hand: OrderedDict[str, tuple[tuple[int, int], Facts]] = OrderedDict()
        #: Texts of the open documents; they count instead of what is on the disk.
        self._open: dict[str, tuple[int, str, Facts | None]] = {}
        self._n_opened = 0

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self._entries)

    def __contains__(self, path: str) -> bool:
        """Return whether there is such a file."""
        return path in self._entries

    @property
    def paths(self) -> list[str]:
        """Every file."""
        return list(self._entries)

    # --- kept up ---------------------------------------------------------------------------------

    def see(self, path: str, mtime_ns: int, n_bytes: int, names: Iterable[str] | None) -> None:
        """Take a file that is there.

        Args:
            path: of it.
            mtime_ns: when it was changed.
            n_bytes: how long it is.
            names: what it defines; None where it is not read yet, then what was known stays.
        """
        if path in self._open:
            return
        if names is None:
            old = self._entries.get(path)
            names = old.names if old else ()
        self._put(path, _Entry(mtime_ns, n_bytes, tuple(map(sys.intern, names))))

    def vanished(self, path: str) -> None:
        """Forget a file that a walk did not find, unless it is open."""
        if path not in self._open:
            self._drop(path)

    def open(self, path: str, text: str) -> None:
        """Have an open document's text count; a file that is not on the disk yet comes in, too."""
        if (known := self._open.get(path)) and known[1] == text:
            return
        self._n_opened += 1
        self._open[path] = self._n_opened, text, None
        if path not in self._entries:
            self._put(path, _Entry(0, 0, ()))
        names = _own_names(self.facts(path).definitions)
        self._put(path, self._entries[path]._replace(names=names))

    def close(self, path: str) -> None:
        """Have what is on the disk count again."""
        if self._open.pop(path, None) is None:
            return
        found = look(self.root, self.root / path, self.settings)
        if found is None:
            self._drop(path)
        else:
            names = _own_names(self.facts(path).definitions)
            self._put(path, _Entry(found.mtime_ns, found.n_bytes, names))

    # --- asked -----------------------------------------------------------------------------------

    def facts(self, path: str) -> Facts:
        """Return what a file defines as it is now; nothing where it is gone or too long."""
        language = guess_language(PurePosixPath(path))
        if path in self._open:
            stamp, text, facts = self._open[path]
            if facts is None:
                facts = facts_of(language, text)
                self._open[path] = stamp, text, facts
            return facts
        try:
            stat = (self.root / path).stat()
        except OSError:
            self._drop(path)
            return NOTHING
        kept = self._at_hand.get(path)
        if kept and kept[0] == (stat.st_mtime_ns, stat.st_size):
            self._at_hand.move_to_end(path)
            return kept[1]
        facts = self._from_disk(path, language) if stat.st_size <= MAX_FILE_BYTES else NOTHING
        self._at_hand[path] = (stat.st_mtime_ns, stat.st_size), facts
        if len(self._at_hand) > N_AT_HAND:
            self._at_hand.popitem(last=False)
        return facts

    def defining(self, name: str) -> list[str]:
        """Return the files that define a name; none where too many do."""
        found = self._by_name.get(name, "")
        if isinstance(found, str):
            return [found] if found else []
        return sorted(found) if len(found) <= MAX_PLACES else []

    def ending(self, parts: Sequence[str]) -> list[str]:
        """Return the files whose path, without its suffix, ends in some names."""
        if not parts:
            return []
        wanted = "/" + "/".join(parts)
        found = self._by_stem.get(parts[-1], ())
        return sorted(path for path in found if f"/{_stem(path)}".endswith(wanted))

    def within(self, folder: str) -> list[str]:
        """Return the files that lie in a folder, those below it apart."""
        return sorted(self._by_folder.get(folder, ()))

    def folders_ending(self, parts: Sequence[str]) -> list[str]:
        """Return the folders with source files whose path ends in some names."""
        wanted = "/" + "/".join(parts)
        return sorted(one for one in self._by_folder if f"/{one}".endswith(wanted))

    # --- inside ----------------------------------------------------------------------------------

    def _from_disk(self, path: str, language: str) -> Facts:
        try:
            data = (self.root / path).read_bytes()
        except OSError:
            return NOTHING
        return facts_of(language, data.decode("utf-8", "replace"))

    def _put(self, path: str, entry: _Entry) -> None:
        old = self._entries.get(path)
        self._entries[path] = entry
        if old is None:
            self._by_stem.setdefault(PurePosixPath(_stem(path)).name, set()).add(path)
            self._by_folder.setdefault(_folder(path), set()).add(path)
        self._name(path, old.names if old else (), entry.names)

    def _drop(self, path: str) -> None:
        self._at_hand.pop(path, None)
        self._open.pop(path, None)
        if (old := self._entries.pop(path, None)) is None:
            return
        _take(self._by_stem, PurePosixPath(_stem(path)).name, path)
        _take(self._by_folder, _folder(path), path)
        self._name(path, old.names, ())

    def _name(self, path: str, old: Iterable[str], new: Iterable[str]) -> None:
        before, after = set(old), set(new)
        for name in before - after:
            places = self._by_name[name]
            if isinstance(places, set) and len(places) > 1:
                places.discard(path)
            else:
                del self._by_name[name]
        for name in after - before:
            places = self._by_name.setdefault(name, path)
            if isinstance(places, set):
                places.add(path)
            elif places != path:
                self._by_name[name] = {places, path}


def facts_of(language: str, text: str) -> Facts:
    """Return what a text defines and takes from others."""
    return Facts(find_definitions(language, text), find_imports(language, text))


def _own_names(definitions: Iterable[Definition]) -> tuple[str, ...]:
    """Return the names of a file's own level."""
    return tuple(dict.fromkeys(one.name for one in definitions if not one.owner))


def _take(kept: dict[str, set[str]], key: str, path: str) -> None:
    kept[key].discard(path)
    if not kept[key]:
        del kept[key]


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


#: Files that stand for the folder they lie in.
_FOLDER_FILES = frozenset({"__init__", "index", "mod", "init"})


def _stem(path: str) -> str:
    """Return what a module is called by: its path without suffix, or its folder's."""
    stem = path.rpartition(".")[0].removesuffix(".d")
    folder, _, name = stem.rpartition("/")
    return folder if folder and name in _FOLDER_FILES else stem
