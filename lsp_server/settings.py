"""What a user can set, and how settings are read.

They come as JSON from the client: initializationOptions, workspace/configuration and
didChangeConfiguration, section "remask". Names are camelCase there. A key that does not exist, or
a value that does not fit, is told and left out; everything else of the same message still counts.
"""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import msgspec

from lsp_server.paths import home_of, names
from model_runtime.protocol import Eagerness

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SECTION = "remask"

S = TypeVar("S", bound=msgspec.Struct)

Count = Annotated[int, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]

#: How many lines a fill may have. "auto": one where the span stands in a line of text.
Lines = Literal["auto", "one", "many"]

#: Which edits come as a proposal to look at: none; those of many lines, or with something in
#: doubt; all.
Review = Literal["never", "doubtful", "always"]

#: Files that hold secrets by their names: neither filled nor shown to the model.
SECRET_FILES = (
    ".env",
    ".env.*",
    "*.env",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".htpasswd",
    ".git-credentials",
    "credentials",
    "credentials.*",
    "secrets.*",
)


class InlineSettings(msgspec.Struct, frozen=True, rename="camel"):
    """Ghost text, `textDocument/inlineCompletion`."""

    enabled: bool = True
    #: How sure Remask has to be of ghost text to show it: "quiet" shows little, most of it right,
    #: "eager" much. Asked for by key, everything is shown.
    eagerness: Eagerness = "balanced"
    #: Whether to count, in the user's state folder and without any text, what became of ghost text.
    statistics: bool = True
    #: Milliseconds of quiet before an automatic request reaches the model.
    debounce_ms: Count = 150
    #: An automatic request is left out where more characters than this follow on the line.
    max_line_suffix: Count = 8
    #: One by default: ghost text has to be quick, and each further line costs as much again.
    lines: Lines = "one"
    #: Bytes of definitions of other files of the project shown to the model. None by default: what
    #: they cost lines that need no other file has not been measured; see docs/project.md.
    context_bytes: Count = 0
    deadline_seconds: Seconds | None = 20.0
    #: Whether the suggestion behind one that is shown is made before that is accepted. Off, for
    #: it takes power, and at a remote engine money, for what often nobody wants.
    prefetch: bool = False


class NextEditSettings(msgspec.Struct, frozen=True, rename="camel"):
    """Next edits: places that no longer fit what was just changed."""

    enabled: bool = True
    #: Milliseconds of quiet after a change before the model is asked.
    debounce_ms: Count = 150
    #: After so many seconds nobody wants it any more.
    deadline_seconds: Seconds | None = 10.0
    #: Whether the other open files of the language are looked at, too.
    other_files: bool = False
    #: Whether `textDocument/copilotInlineEdit` is answered, for clients of GitHub's server.
    copilot: bool = False


class Settings(msgspec.Struct, frozen=True, rename="camel"):
    """Everything a user can set. An empty name leaves the choice to the runtime."""

    model: str = ""
    sampler: str = ""
    #: Parameters of the sampler, by its own names.
    params: dict[str, Any] = {}
    seed: int | None = None
    #: Share of a selection's own tokens that a rewrite masks.
    strength: Share = 0.5
    #: How many results to compute. None: one of ghost text, and for an edit as many as it pays to
    #: look at for the best one.
    alternatives: Annotated[int, msgspec.Meta(ge=1, le=16)] | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    #: How long a requested edit may take; None for no limit (the first one may download a model).
    deadline_seconds: Seconds | None = None
    #: Bytes of definitions of other files of the project shown to the model; in languages without a
    #: grammar, of the other open files.
    context_bytes: Count = 1024
    max_file_bytes: Count = 1024 * 1024
    #: Language ids that Remask leaves alone.
    disabled_languages: tuple[str, ...] = ()
    secret_files: tuple[str, ...] = SECRET_FILES
    #: What marks a hole to fill.
    hole_marker: Annotated[str, msgspec.Meta(min_length=1)] = "___"
    #: Which edits are shown first, to accept or reject, where the editor can.
    review: Review = "never"
    inline: InlineSettings = InlineSettings()
    next_edit: NextEditSettings = NextEditSettings()

    def is_secret(self, path: str, root: str = "") -> bool:
        """Return whether a file's name or path says that it holds secrets.

        A pattern is matched with the file's name and its path from the workspace folder; one that
        begins with "/" or "~" with the whole path. Links count: no spelling of a file may match.
        """
        here, whole = _patterns(self.secret_files)
        # Above the workspace folder, a folder of the same name means something else.
        return any(
            (whole if PurePath(name).is_absolute() else here).match(name.casefold())
            for name in names(path, root)
        )


@lru_cache(maxsize=4)
def _patterns(written: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what secret files' names match: those from the workspace folder, and whole paths."""
    found = [pattern.casefold() for pattern in _spelled_out(written)]
    whole = [pattern for pattern in found if PurePath(pattern).is_absolute()]
    here = [pattern for pattern in found if not PurePath(pattern).is_absolute()]
    one, other = ("|".join(map(fnmatch.translate, some)) or r"(?!)" for some in (here, whole))
    return re.compile(one), re.compile(other)


def _spelled_out(patterns: Iterable[str]) -> Iterator[str]:
    """Yield patterns as `fnmatch` takes them, whose "*" passes over "/"."""
    for pattern in patterns:
        whole = str(home_of(pattern)) if pattern.startswith("~") else pattern
        whole += "*" if pattern.endswith("/") else ""
        yield whole
        if whole.startswith("**/"):
            # Also right in the workspace folder.
            yield whole.removeprefix("**/")


def read_settings(raw: Any, base: Settings) -> tuple[Settings, list[str]]:
    """Lay a client's JSON over `base`.

    Returns:
        The settings, and one sentence for each key or value that was left out.
    """
    problems: list[str] = []
    settings = _read_struct(raw, base, SECTION, problems)
    return settings, problems


def _read_struct(raw: Any, base: S, name: str, problems: list[str]) -> S:
    if not isinstance(raw, dict):
        if raw is not None:
            problems.append(f"Setting {name} must be an object; ignored.")
        return base
    fields = {field.encode_name: field for field in msgspec.structs.fields(base)}
    changes: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in fields:
            known = ", ".join(sorted(fields))
            problems.append(f"Unknown setting {name}.{key}; ignored. Known: {known}.")
            continue
        field = fields[key]
        current = getattr(base, field.name)
        if isinstance(current, msgspec.Struct):
            changes[field.name] = _read_struct(value, current, f"{name}.{key}", problems)
            continue
        try:
            changes[field.name] = msgspec.convert(value, field.type)
        except msgspec.ValidationError as error:
            problems.append(f"Setting {name}.{key}: {error}; ignored.")
    return msgspec.structs.replace(base, **changes)
