"""From a name in a file to where it is defined, through the file's imports.

No language's rules are followed to the letter: paths of packages are matched from their end, as the
folder that they begin in may lie anywhere in the workspace.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from lsp_server.project.imports import ALL, MODULE
from lsp_server.syntax.languages import find_grammar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lsp_server.project.definitions import Definition
    from lsp_server.project.imports import Import
    from lsp_server.project.index import Facts, Index

#: Files that hand a name on, one from another.
_MAX_HOPS = 5
#: Files looked at for one name that all of several modules may define.
_MAX_FILES = 40
_SCRIPT_SUFFIXES = (".ts", ".tsx", ".d.ts", ".mts", ".js", ".jsx", ".mjs", ".cjs")


class Place(NamedTuple):
    """A definition and the file it stands in."""

    path: str
    definition: Definition


def find_modules(index: Index, path: str, language: str, module: str) -> list[str]:
    """Return the files that a module's name stands for in a file, the nearest first."""
    grammar = find_grammar(language)
    find = _FINDERS.get(grammar.module) if grammar else None
    found = find(index, path, module) if find else []
    return sorted((one for one in found if one != path), key=lambda one: _distance(one, path))


def resolve(index: Index, path: str, language: str, facts: Facts, name: str) -> list[Place]:
    """Return what a name of a file's own level means that the file does not define itself.

    Args:
        index: of the workspace.
        path: the file.
        language: its LSP id.
        facts: of the file.
        name: as it is called there.
    """
    return list(_resolved(index, path, language, facts, name, set()))


def module_of(index: Index, path: str, language: str, facts: Facts, name: str) -> list[str]:
    """Return the files of the module that a name stands for in a file; none where it is none."""
    found: list[str] = []
    for one in facts.imports:
        if one.local == name:
            whole = one.module if one.name == MODULE else f"{one.module}.{one.name}"
            if one.name not in (MODULE, "default") and one.module.strip(".") == "":
                whole = one.module + one.name
            found += find_modules(index, path, language, whole)
    return found


def _resolved(
    index: Index, path: str, language: str, facts: Facts, name: str, seen: set[tuple[str, str]]
) -> Iterator[Place]:
    if (path, name) in seen or len(seen) > _MAX_HOPS * _MAX_FILES:
        return
    seen.add((path, name))
    wildcards: list[Import] = []
    for one in facts.imports:
        if one.name == ALL:
            wildcards.append(one)
        elif one.local == name and one.name != MODULE:
            found = list(_exported(index, path, language, one, seen))
            yield from found
            if found:
                return
    for one in wildcards:
        found = list(_exported(index, path, language, one._replace(name=name), seen))
        yield from found
        if found:
            return
    yield from _beside(index, path, language, name)


def _exported(
    index: Index, path: str, language: str, one: Import, seen: set[tuple[str, str]]
) -> Iterator[Place]:
    """Yield what a module gives under a name: its own, or what it hands on."""
    for file in find_modules(index, path, language, one.module)[:_MAX_FILES]:
        facts = index.facts(file)
        name = one.name
        if name == "default":
            name = next((d.name for d in facts.definitions if not d.owner), name)
        own = facts.named(name)
        if own:
            yield from (Place(file, definition) for definition in own)
            return
        found = list(_resolved(index, file, language, facts, name, seen))
        yield from found
        if found:
            return


def _beside(index: Index, path: str, language: str, name: str) -> Iterator[Place]:
    """Yield what the files of the same package define, where a package shares its names."""
    grammar = find_grammar(language)
    if grammar is None or grammar.module not in ("tree_sitter_go", "tree_sitter_java"):
        return
    folder = posixpath.dirname(path)
    for file in index.defining(name):
        if file != path and posixpath.dirname(file) == folder:
            yield from (Place(file, one) for one in index.facts(file).named(name))


def _python(index: Index, path: str, module: str) -> list[str]:
    name = module.lstrip(".")
    parts = name.split(".") if name else []
    n_up = len(module) - len(name)
    if not n_up:
        return index.ending(parts)
    folder = posixpath.dirname(path)
    for _ in range(n_up - 1):
        folder = posixpath.dirname(folder)
    whole = [*(folder.split("/") if folder else []), *parts]
    exact = "/".join(whole)
    if not whole:
        return [one for one in ("__init__.py",) if one in index]
    return [one for one in index.ending(whole) if _stem_of(one) == exact]


def _stem_of(path: str) -> str:
    return path.rpartition(".")[0].removesuffix("/__init__")


def _ecmascript(index: Index, path: str, module: str) -> list[str]:
    if not module.startswith("."):
        # An alias of the project's own, such as "@/views/list", or a package.
        head, _, rest = module.partition("/")
        return index.ending(rest.split("/")) if head in ("@", "~", "src", "#") and rest else []
    whole = posixpath.normpath(posixpath.join(posixpath.dirname(path), module))
    bare = whole
    for suffix in _SCRIPT_SUFFIXES:
        bare = bare.removesuffix(suffix) if whole.endswith(suffix) else bare
    names = [whole, *(bare + suffix for suffix in _SCRIPT_SUFFIXES)]
    names += [f"{whole}/index{suffix}" for suffix in _SCRIPT_SUFFIXES]
    return [one for one in names if one in index][:1]


def _go(index: Index, path: str, module: str) -> list[str]:
    parts = module.split("/")
    for n in range(len(parts)):
        # The longer the path that they share, the surer it is meant; a bare name is a guess.
        if folders := index.folders_ending(parts[n:]) if len(parts) - n > 1 or n == 0 else []:
            near = min(folders, key=lambda folder: _distance(f"{folder}/_", path))
            return [one for one in index.within(near) if not one.endswith("_test.go")]
    if len(parts) > 1 and not index.folders_ending(parts[:1]):
        # The module's own root, whose folder needn't bear its name.
        folders = index.folders_ending(parts[-1:])
        return index.within(folders[0]) if len(folders) == 1 else []
    return []


def _rust(index: Index, path: str, module: str) -> list[str]:
    parts = module.split("::")
    folder, _, file = path.rpartition("/")
    here = [*(folder.split("/") if folder else [])]
    if file not in ("mod.rs", "lib.rs", "main.rs"):
        here.append(file.removesuffix(".rs"))
    if parts[0] == "crate":
        src = len(here) - 1 - here[::-1].index("src") if "src" in here else None
        base = here[: src + 1] if src is not None else here[:1] if len(here) > 1 else []
        base, parts = (base, parts[1:]) if base else (here, parts[1:])
    elif parts[0] in ("super", "self"):
        base = here
        while parts and parts[0] in ("super", "self"):
            base = base[:-1] if parts[0] == "super" else base
            parts = parts[1:]
    else:
        # A module of this file, or another crate of the workspace.
        base = here
        if not index.ending([*here, parts[0]]):
            return index.ending(parts[1:]) if len(parts) > 1 else _crate(index, parts[0])
    while True:
        whole = "/".join([*base, *parts])
        roots = [f"{whole}/lib.rs".lstrip("/"), f"{whole}/main.rs".lstrip("/")]
        names = [f"{whole}.rs", f"{whole}/mod.rs".lstrip("/"), *roots]
        if found := [one for one in names if one in index]:
            return found[:1]
        if not parts:
            return []
        # The last name may be a type, or a module written out in its parent's file.
        parts = parts[:-1]


def _crate(index: Index, name: str) -> list[str]:
    wanted = {name, name.replace("_", "-")}
    roots = index.ending(["lib"])
    return [one for one in roots if wanted & set(one.split("/"))]


def _java(index: Index, _path: str, module: str) -> list[str]:
    parts = module.split(".")
    return index.ending(parts) or [
        file for folder in index.folders_ending(parts) for file in index.within(folder)
    ]


def _c(index: Index, path: str, module: str) -> list[str]:
    beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), module))
    if beside in index:
        return [beside]
    parts = [part for part in module.rpartition(".")[0].split("/") if part not in (".", "..")]
    return [one for one in index.ending(parts) if one.endswith(module.rpartition("/")[2])]


def _lua(index: Index, _path: str, module: str) -> list[str]:
    return index.ending(module.replace("/", ".").split("."))


_FINDERS: Mapping[str, Callable[[Index, str, str], list[str]]] = {
    "tree_sitter_python": _python,
    "tree_sitter_javascript": _ecmascript,
    "tree_sitter_typescript": _ecmascript,
    "tree_sitter_go": _go,
    "tree_sitter_rust": _rust,
    "tree_sitter_java": _java,
    "tree_sitter_c": _c,
    "tree_sitter_cpp": _c,
    "tree_sitter_lua": _lua,
}


def _distance(path: str, other: str) -> tuple[int, str]:
    """Order files by how many steps through the folders lead to them."""
    one, two = path.split("/")[:-1], other.split("/")[:-1]
    n_common = 0
    for a, b in zip(one, two, strict=False):
        if a != b:
            break
        n_common += 1
    return len(one) + len(two) - 2 * n_common, path
