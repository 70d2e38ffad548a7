"""What may be filled, and what becomes of an answer."""

from __future__ import annotations

import pytest
from support.marked import snapshot_of

from lsp_server.errors import UnsupportedDocument
from lsp_server.infill import check_allowed
from lsp_server.settings import Settings

SETTINGS = Settings(max_file_bytes=10, disabled_languages=("lua",), secret_files=("*.key",))


@pytest.mark.parametrize(
    ("text", "language", "path", "says"),
    [
        ("x" * 11, "python", "/w/a.py", r"a\.py has 11 bytes, more than the limit of 10"),
        ("é" * 6, "python", "/w/a.py", "more than the limit"),
        ("x", "lua", "/w/a.lua", "Remask is off for lua"),
        ("x", "", "/w/keys/a.key", r"keys/a\.key may hold secrets"),
        ("x", "", "/elsewhere/a.key", r"a\.key may hold secrets"),
    ],
)
def test_the_settings_say_what_may_not_be_filled(
    text: str, language: str, path: str, says: str
) -> None:
    """Each refusal names the setting that can be changed."""
    snapshot = snapshot_of(text, language, path=path)

    with pytest.raises(UnsupportedDocument, match=rf"{says}.*\(setting \w+\)"):
        check_allowed(snapshot, SETTINGS, "/w")


def test_everything_else_may_be_filled() -> None:
    """A file just inside the limit, in a language that is on."""
    check_allowed(snapshot_of("x" * 10), SETTINGS, "/w")
