"""What `remask doctor --report` adds: facts for whoever mends it, and no text of the user's.

The log quotes no buffer. What else may stand in it, names of files and of people, is left out: of
each line only what this program wrote, with whatever stands in quotes and the home taken away.
"""

from __future__ import annotations

import os
import platform
import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

N_LINES = 200
#: What else matters of an installation.
PACKAGES = ("torch", "transformers", "tokenizers", "pygls", "lsprotocol", "filelock", "msgspec")
#: Settings whose values are names of ours; of others, only that they are set is told.
NAMES = ("engine", "sampler", "device")

_OURS = re.compile(r"\d{4}-\d\d-\d\d [\d:,]+ [A-Z]+ (model_runtime|lsp_server)[\w.]* ")
_FRAME = re.compile(r'\s*File "(?P<path>[^"]*)", (?P<place>line \d+, in \S+)')
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
#: What comes from elsewhere, and may quote a buffer: a process's last words, a bug's message.
_SAID = re.compile(r"(It last said:|in its log: \w+:).*", re.DOTALL)
_PATH = re.compile(r"(?<![\w.])(?:~|[A-Za-z]:)?[\\/][^\s,;:)]+")


def facts(log_path: Path | None) -> Iterator[str]:
    """Yield the lines of a report.

    Args:
        log_path: the runtime's log; None takes where it would be.
    """
    yield f"system   {platform.platform()}, {platform.machine()}, {os.cpu_count()} cores"
    yield f"packages {', '.join(_versions())}"
    yield f"settings {', '.join(_settings()) or 'none'}"
    path = log_path or Path(platformdirs.user_state_dir("remask", appauthor=False)) / "runtime.log"
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-N_LINES:]
    except OSError as error:
        yield f"log      can't be read: {error.strerror}"
        return
    yield f"log      its last {len(lines)} lines, without names, paths and quotes"
    yield from (plain for line in lines if (plain := redacted(line)))


def for_others(text: str) -> str:
    """Return what doctor found as it may be shown to anybody: without paths, quotes, last words."""
    said = _SAID.sub(r"\1 …", text)
    return _PATH.sub("…", _QUOTED.sub("…", said))


def redacted(line: str) -> str:
    """Return a line of the log as it may be shown to anybody; empty for one of unknown origin."""
    if frame := _FRAME.match(line):
        # Where in the package: above that, folders have people's names.
        parts = Path(frame["path"]).parts
        names = ("site-packages", "model_runtime", "lsp_server")
        at = next((i for i, part in enumerate(parts) if part in names), len(parts) - 1)
        return f"  File {'/'.join(parts[at:])}, {frame['place']}"
    if not _OURS.match(line):
        return ""
    return _PATH.sub("…", _QUOTED.sub("…", line))


def _versions() -> Iterator[str]:
    for name in PACKAGES:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            yield f"{name} missing"


def _settings() -> Iterator[str]:
    folder = Path(platformdirs.user_config_dir("remask", appauthor=False))
    try:
        written = tomllib.loads((folder / "runtime.toml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        written = {}
    except (OSError, ValueError):
        yield "runtime.toml can't be read"
        written = {}
    yield from _told(written)
    found = {name.lower(): text for name, text in os.environ.items()}
    named = {name: text for name, text in found.items() if name.startswith("remask_")}
    yield from _told({name.removeprefix("remask_"): text for name, text in named.items()})


def _told(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, value in sorted(settings.items()):
        is_plain = name in NAMES or re.fullmatch(r"[\d.]+|true|false", str(value).lower())
        yield f"{name} = {value}" if is_plain else f"{name} is set"
