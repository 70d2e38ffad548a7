"""Reading settings."""

from __future__ import annotations

import re

import pytest

from lsp_server.settings import InlineSettings, Settings, read_settings


def test_known_settings_are_taken() -> None:
    """Names are camelCase, groups are objects, and the rest keeps its default."""
    settings, problems = read_settings(
        {"maxFileBytes": 10, "inline": {"debounceMs": 0}, "disabledLanguages": ["lua"]}, Settings()
    )

    expected = Settings(
        max_file_bytes=10,
        inline=InlineSettings(debounce_ms=0),
        disabled_languages=("lua",),
    )
    assert (settings, problems) == (expected, [])


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"stregth": 1}, r"Unknown setting remask\.stregth; ignored\. Known: alternatives, "),
        ({"inline": {"x": 1}}, r"Unknown setting remask\.inline\.x"),
        ({"strength": 2}, r"Setting remask\.strength: Expected `float` <= 1"),
        ({"seed": "x"}, r"Setting remask\.seed: Expected `int \| null`"),
        ({"inline": True}, r"Setting remask\.inline must be an object"),
        ({"inline": {"lines": "some"}}, r"Setting remask\.inline\.lines: Invalid enum value"),
        ({"holeMarker": ""}, r"Setting remask\.holeMarker"),
        ([], r"Setting remask must be an object"),
    ],
)
def test_what_does_not_fit_is_said_and_left_out(raw: object, says: str) -> None:
    """One sentence a mistake, and the default stays."""
    settings, problems = read_settings(raw, Settings())

    assert settings == Settings()
    (problem,) = problems

    assert re.match(says, problem)


def test_a_mistake_does_not_cost_the_rest() -> None:
    """The other settings of the same message count."""
    settings, problems = read_settings({"nonsense": 1, "model": "m"}, Settings())

    assert settings == Settings(model="m")
    assert len(problems) == 1


def test_null_means_nothing_is_set() -> None:
    """Clients answer null for a section they do not have."""
    assert read_settings(None, Settings(model="m")) == (Settings(model="m"), [])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".env", True),
        ("deploy/.env.production", True),
        ("Keys/Server.PEM", True),
        ("home/.ssh/id_rsa", True),
        ("id_ed25519.pub", True),
        (".npmrc", True),
        ("src/environment.py", False),
        ("src/keyboard.py", False),
        ("secrets_of_success.md", False),
    ],
)
def test_secret_files_are_known_by_name(path: str, expected: object) -> None:
    """Whatever the case and the folder; a name that only sounds alike is none."""
    assert Settings().is_secret(path) is expected


def test_secret_files_can_be_named_by_path() -> None:
    """A user's pattern may hold folders."""
    assert Settings(secret_files=("private/*",)).is_secret("private/a/b.py")
