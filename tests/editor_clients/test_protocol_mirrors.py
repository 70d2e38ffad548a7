"""`protocol.ts` and `protocol.lua` say the same as `protocol_ext.py`."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import pytest
from support.editors import EXTENSION, PLUGIN, ROOT

from lsp_server import protocol_ext
from lsp_server.settings import Lines
from model_runtime.protocol import Mode

if TYPE_CHECKING:
    from pathlib import Path

MIRRORS = [
    PLUGIN / "lua" / "remask" / "protocol.lua",
    EXTENSION / "src" / "protocol.ts",
]


def structs() -> dict[str, dict[str, bool]]:
    """Return each struct's fields by their names on the wire, and whether they may be missing."""
    found = {}
    for name, value in vars(protocol_ext).items():
        if isinstance(value, type) and issubclass(value, msgspec.Struct):
            fields = msgspec.structs.fields(value)
            found[name] = {field.encode_name: not field.required for field in fields}
    return found


def values() -> dict[str, Any]:
    """Return the names that go over the wire."""
    return {
        "DRAFT": protocol_ext.DRAFT,
        "SCORES": protocol_ext.SCORES,
        "SHOWN": protocol_ext.SHOWN,
        "NEXT_EDIT": protocol_ext.NEXT_EDIT,
        "DISMISS_NEXT_EDIT": protocol_ext.DISMISS_NEXT_EDIT,
        "STATUS": protocol_ext.STATUS,
        "DID_CHANGE_STATUS": protocol_ext.DID_CHANGE_STATUS,
        "KIND": protocol_ext.KIND,
        "COMMANDS": protocol_ext.COMMANDS,
    }


def mirrored_structs(text: str) -> dict[str, dict[str, bool]]:
    """Read the structs of a mirror: interfaces in TypeScript, classes in Lua."""
    found = {}
    for name, body in re.findall(r"export interface (\w+) \{(.*?)\n\}", text, re.DOTALL):
        fields = re.findall(r"^  (\w+)(\??):", body, re.MULTILINE)
        found[name] = {field: bool(mark) for field, mark in fields}
    for name, body in re.findall(r"---@class remask\.(\w+)\n((?:---.*\n)*)", text):
        fields = re.findall(r"^---@field (\w+)(\??) ", body, re.MULTILINE)
        found[name] = {field: bool(mark) for field, mark in fields}
    return found


def digest() -> str:
    """Return what changes with every change of the protocol's file."""
    source = (ROOT / "lsp_server" / "protocol_ext.py").read_bytes()
    return hashlib.sha256(source).hexdigest()[:16]


@pytest.mark.parametrize("mirror", MIRRORS, ids=lambda path: path.name)
def test_somebody_looked_at_it_since_the_last_change(mirror: Path) -> None:
    """It carries the mirrored file's digest; after a change, check it and write the new one."""
    assert f"protocol: {digest()}" in mirror.read_text()


@pytest.mark.parametrize("mirror", MIRRORS, ids=lambda path: path.name)
def test_it_has_the_same_structs(mirror: Path) -> None:
    """Field by field, and what may be missing."""
    assert mirrored_structs(mirror.read_text()) == structs()


@pytest.mark.parametrize("mirror", MIRRORS, ids=lambda path: path.name)
def test_it_has_the_same_names(mirror: Path) -> None:
    """Methods, kinds, commands and the values of enumerations."""
    text = mirror.read_text().replace('"', "'")
    for name, value in values().items():
        if isinstance(value, dict):
            for key, mode in value.items():
                assert re.search(rf"'{re.escape(key)}'\]?(?: =|:) '{mode}'", text), key
        else:
            assert re.search(rf"\b{name} = '{re.escape(value)}'", text), name
    enumerations = {
        "Mode": Mode,
        "Scope": protocol_ext.Scope,
        "Lines": Lines,
        "RuntimeStateName": protocol_ext.RuntimeStateName,
    }
    for name, enumeration in enumerations.items():
        (found,) = re.findall(rf"(?:@alias remask\.|export type ){name}\b(.*)", text)
        assert tuple(re.findall(r"'(\w+)'", found)) == get_args(enumeration), name
