"""Settings: a file, the environment, flags."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from model_runtime.errors import BadRequest, UnknownName
from model_runtime.settings import (
    RuntimeSettings,
    add_flags,
    flags_of,
    load_settings,
    settings_path,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_defaults(tmp_path: Path) -> None:
    """Without a file, an environment or flags the defaults hold."""
    assert load_settings(path=tmp_path / "none.toml", environment={}) == RuntimeSettings()


def test_later_ones_win(tmp_path: Path) -> None:
    """A flag beats the environment, which beats the file."""
    path = tmp_path / "runtime.toml"
    path.write_text('model = "file"\nsampler = "file"\ndevice = "file"\nthreads = 3\n')
    environment = {"REMASK_SAMPLER": "environment", "REMASK_DEVICE": "environment"}
    settings = load_settings({"device": "flag"}, path=path, environment=environment)

    assert settings == RuntimeSettings(
        model="file", sampler="environment", device="flag", threads=3
    )


def test_text_becomes_numbers(tmp_path: Path) -> None:
    """Flags and the environment are text; the settings are typed."""
    environment = {"REMASK_IDLE_EXIT_S": "1.5", "REMASK_THREADS": "2", "REMASK_RUNTIME_DIR": "x"}
    settings = load_settings(path=tmp_path / "none.toml", environment=environment)

    assert (settings.idle_exit_s, settings.threads) == (1.5, 2)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("~/models", "{home}/models"),
        ("$HOME/models", "{home}/models"),
        ("${HOME}/models", "{home}/models"),
        ("models", "{folder}/models"),
        ("/models", "/models"),
        ("", ""),
    ],
)
def test_places_are_spelled_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, read: str
) -> None:
    """As in a shell; what is no whole path counts from the settings file's folder."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "runtime.toml").write_text(f'cache_dir = "{written}"\n')

    settings = load_settings(path=tmp_path / "runtime.toml", environment={})

    assert settings.cache_dir == read.format(home=tmp_path / "home", folder=tmp_path)


@pytest.mark.parametrize("written", ["$NEVER_SET/models", "${NEVER_SET}", "~nobody_at_all/models"])
def test_a_place_that_nobody_knows_is_said(tmp_path: Path, written: str) -> None:
    """Better than a folder of that name."""
    environment = {"REMASK_CACHE_DIR": written}

    with pytest.raises(BadRequest, match=r"cache_dir = .*(is not set|no home folder is known)"):
        load_settings(path=tmp_path / "none.toml", environment=environment)


def test_unknown_key_lists_the_allowed_ones(tmp_path: Path) -> None:
    """A key that is no setting is an error that says which are."""
    path = tmp_path / "runtime.toml"
    path.write_text("treads = 3\n")

    with pytest.raises(UnknownName, match=r"unknown setting 'treads'; allowed: .*threads"):
        load_settings(path=path, environment={})


@pytest.mark.parametrize(
    "text",
    [
        "threads = ",
        'threads = "many"',
        "threads = -1",
        "idle_exit_s = -1",
        "\udcff",
        "model = 3",
        'captured_steps = "maybe"',
    ],
)
def test_bad_file(tmp_path: Path, text: str) -> None:
    """A file that is no TOML, or a value that can't be, is an error that says what is wrong."""
    path = tmp_path / "runtime.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(BadRequest, match="settings"):
        load_settings(path=path, environment={})


def test_every_setting_is_a_flag() -> None:
    """A flag that is not given says nothing; one that is, says its text."""
    parser = argparse.ArgumentParser()
    add_flags(parser)

    assert flags_of(parser.parse_args([])) == {}
    assert flags_of(parser.parse_args(["--idle-exit-s", "5"])) == {"idle_exit_s": "5"}


def test_file_is_the_users(tmp_path: Path) -> None:
    """The file is looked for in the user's configuration folder."""
    assert settings_path().name == "runtime.toml"
    assert tmp_path in settings_path().parents
