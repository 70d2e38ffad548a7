"""What a file takes from others: which name stands for which name of which module."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from lsp_server.syntax.languages import find_grammar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: Instead of a name: the module as a whole, and all that it defines.
MODULE, ALL = "", "*"


class Import(NamedTuple):
    """One name, or all of a module's."""

    #: What it is called in this file; empty with `ALL`.
    local: str
    module: str
    #: What it is called there, `MODULE` or `ALL`.
    name: str


def find_imports(language: str, text: str) -> list[Import]:
    """Return what a text takes from other files, in order.

    Read line by line and not from the tree, for a file that is being written parses where its
    imports stand, and often nowhere else.
    """
    grammar = find_grammar(language)
    read = _READERS.get(grammar.module) if grammar else None
    return list(dict.fromkeys(read(text))) if read else []


_FROM = re.compile(
    r"^[ \t]*+from[ \t]++([\w.]++)[ \t]++import[ \t]*+(?:\(([^)]{0,4000})\)|([^\n#\\]*+))",
    re.MULTILINE,
)
_IMPORT = re.compile(r"^[ \t]*+import[ \t]++([\w., \t]++)", re.MULTILINE)


def _python(text: str) -> Iterator[Import]:
    for found in _FROM.finditer(text):
        module = found[1]
        listed = re.sub(r"#[^\n]*", "", found[2] if found[2] is not None else found[3])
        for one in listed.split(","):
            name, local = _renamed(one)
            if name == ALL:
                yield Import("", module, ALL)
            elif name:
                yield Import(local, module, name)
    for found in _IMPORT.finditer(text):
        for one in found[1].split(","):
            name, local = _renamed(one)
            if name:
                yield Import(local, name, MODULE)


_QUOTED = r"""["']([^"'\n]+)["']"""
_ES_FROM = re.compile(
    rf"^[ \t]*+(?:import|export)\b([\w$*\s{{}},]{{0,4000}}?)\bfrom\s*+{_QUOTED}", re.MULTILINE
)
_REQUIRE = re.compile(
    rf"\b(?:const|let|var)\s++([\w$]++|\{{[^}}]{{0,4000}}\}})\s*+=\s*+(?:await\s++)?"
    rf"(?:require|import)\(\s*+{_QUOTED}\s*+\)(?:\.(\w++))?"
)


def _ecmascript(text: str) -> Iterator[Import]:
    for found in _ES_FROM.finditer(text):
        yield from _clause(found[1], found[2])
    for found in _REQUIRE.finditer(text):
        if found[1].startswith("{"):
            yield from _clause(found[1].replace(":", " as "), found[2])
        else:
            yield Import(found[1], found[2], found[3] or MODULE)


def _clause(clause: str, module: str) -> Iterator[Import]:
    for listed in re.findall(r"\{([^}]*)\}", clause):
        for one in listed.split(","):
            name, local = _renamed(one.strip().removeprefix("type "))
            if name:
                yield Import(local, module, name)
    for one in re.sub(r"\{[^}]*\}", "", clause).split(","):
        name, local = _renamed(one.strip().removeprefix("type "))
        if name == ALL and local == ALL:
            yield Import("", module, ALL)
        elif name == ALL:
            yield Import(local, module, MODULE)
        elif name and name != "type":
            yield Import(local, module, "default")


_GO_IMPORT = re.compile(r"^import[ \t]+(?:\(([^)]{0,20000})\)|([^\n]*+))", re.MULTILINE)
_GO_SPEC = re.compile(r'^[ \t]*([\w.]+)?[ \t]*"([^"\n]+)"', re.MULTILINE)


def _go(text: str) -> Iterator[Import]:
    for block in _GO_IMPORT.finditer(text):
        for alias, module in _GO_SPEC.findall(block[1] or block[2]):
            last = re.sub(r"^go-|\.v\d+$", "", re.sub(r"/v\d+$", "", module).rpartition("/")[2])
            if alias == ".":
                yield Import("", module, ALL)
            elif alias != "_":
                yield Import(alias or last, module, MODULE)


_USE = re.compile(r"^[ \t]*(?:pub(?:\([^)]*\))?[ \t]+)?use\s++([^;]{1,4000});", re.MULTILINE)


def _rust(text: str) -> Iterator[Import]:
    for found in _USE.finditer(text):
        words = " ".join(re.sub(r"//[^\n]*+", "", found[1]).split())
        tree = " as ".join(part.replace(" ", "") for part in words.split(" as "))
        for path in _spelled_out(tree):
            whole, local = _renamed(path)
            module, _, name = whole.rpartition("::")
            if name == "self":
                module, _, name = module.rpartition("::")
            if name == ALL:
                yield Import("", module, ALL)
            elif name:
                yield Import(local.rpartition("::")[2].replace("self", name), module, name)


def _spelled_out(tree: str, depth: int = 0) -> Iterator[str]:
    """Yield the paths of a `use` tree, each in full."""
    head, brace, rest = tree.partition("{")
    if not brace or depth > _MAX_NESTED:
        yield tree
        return
    level, part = 0, ""
    for character in rest.rstrip():
        level += (character == "{") - (character == "}")
        if level < 0 or (character == "," and level == 0):
            if part:
                yield from _spelled_out(head + part, depth + 1)
            part = ""
        else:
            part += character


_MAX_NESTED = 8
_JAVA_IMPORT = re.compile(r"^[ \t]*import[ \t]+(static[ \t]+)?([\w.]+)(\.\*)?[ \t]*;", re.MULTILINE)


def _java(text: str) -> Iterator[Import]:
    for is_static, path, is_all in _JAVA_IMPORT.findall(text):
        module, _, name = path.rpartition(".")
        if is_all:
            yield Import("", path, ALL)
        elif is_static:
            yield Import(name, module, name)
        else:
            # A class is the file of its name.
            yield Import(name, path, name)


_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)


def _c(text: str) -> Iterator[Import]:
    for own, system in _INCLUDE.findall(text):
        yield Import("", own or system, ALL)


_LUA_REQUIRE = re.compile(rf"\blocal\s++(\w++)\s*+=\s*+require\s*+\(?\s*+{_QUOTED}")


def _lua(text: str) -> Iterator[Import]:
    for found in _LUA_REQUIRE.finditer(text):
        yield Import(found[1], found[2], MODULE)


def _renamed(one: str) -> tuple[str, str]:
    """Return a name and what it is called here: `a as b`."""
    name, _, local = one.strip().partition(" as ")
    name = name.strip()
    return name, local.strip() or name


_READERS: Mapping[str, Callable[[str], Iterator[Import]]] = {
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
