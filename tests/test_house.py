"""The house stays one to live in: small files, and a map that shows what is there."""

from __future__ import annotations

import re

import pytest
from support.editors import ROOT

PRODUCTS = ("lsp_server", "model_runtime")
FILES = sorted(
    path.relative_to(ROOT).as_posix() for name in PRODUCTS for path in (ROOT / name).rglob("*.py")
)
MAX_LINES = 300
MAP = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
#: Between backticks, a file or a folder of the products.
_PLACE = re.compile(r"`([a-z_]+(?:/[a-z_]+)*(?:\.py|/))`")


def test_files_are_short() -> None:
    """One idea a file."""
    lines = {file: len((ROOT / file).read_text("utf-8").splitlines()) for file in FILES}
    assert {file: n for file, n in lines.items() if n > MAX_LINES} == {}


@pytest.mark.parametrize("place", sorted(set(_PLACE.findall(MAP))))
def test_what_the_map_shows_is_there(place: str) -> None:
    """Files are named as from somewhere in the products, folders likewise."""
    folders = {file.rpartition("/")[0] + "/" for file in FILES}
    known = [f"/{one}" for one in (*FILES, *folders)]
    assert (ROOT / place).exists() or any(one.endswith(f"/{place}") for one in known)


def test_the_map_shows_each_folder() -> None:
    """What stands in a folder of its own is a part that somebody looks for."""
    shown = tuple(f"/{place}" for place in _PLACE.findall(MAP) if place.endswith("/"))
    folders = {f"/{file.rpartition('/')[0]}/" for file in FILES}
    assert [folder for folder in sorted(folders) if not folder.endswith(shown)] == []
