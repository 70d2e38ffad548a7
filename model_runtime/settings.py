"""What a user may set of the runtime: a TOML file, then the environment, then command flags.

The later one wins. An unknown key is an error that lists the allowed ones, wherever it stands;
only the environment, which other programs share, is read by name.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import platformdirs

from model_runtime.errors import BadRequest, UnknownName

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

#: REMASK_MODEL sets `model`, and so on.
ENVIRONMENT_PREFIX = "REMASK_"
MAX_AT_ONCE = 64
CAPTURED_STEPS = ("auto", "on", "off")
#: Settings that are places: "~" and variables are spelled out, and in the settings file what is no
#: whole path counts from the file's folder.
PLACES = ("cache_dir", "script")


class RuntimeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field a setting. The defaults work on a laptop without a GPU."""

    #: File name in `engines/`: what fills the canvas.
    engine: str = "local"
    #: A name of the catalog, owner/name or owner/name:file.gguf of the hub, a file or a folder; for
    #: other engines, what they call the model.
    model: str = "qwen2.5-coder-0.5b"
    #: File name in `samplers/`; empty takes the model's own default.
    sampler: str = ""
    #: "auto" takes the accelerator that torch finds; else "cpu", "cuda", "cuda:N", "mps" or "xpu".
    device: str = "auto"
    #: What weights are computed with: "auto" takes what suits the device, "int4" the least memory;
    #: else "int8", "bf16", "fp16" or "fp32".
    precision: str = "auto"
    #: Whether the device records a step once and replays it, which spares launching its kernels one
    #: by one: "auto" where torch has CUDA, "on" wherever the device can, "off" nowhere.
    captured_steps: str = "auto"
    #: Threads of one forward; 0 takes one for each core.
    threads: int = 0
    #: Requests that go through the model side by side, where the engine can: more than one pays
    #: with several clients, the more so the less a forward's cost depends on its rows; and ghost
    #: text need not wait until an edit is done.
    requests_at_once: int = 4
    #: Seconds without a request after which the runtime leaves; 0 for never.
    idle_exit_s: float = 1800.0
    #: The most tokens of context one request may have; what is farther from the span is cut.
    max_context_tokens: int = 2048
    #: Of these, tokens around the span for families that see the whole file at once: each is a row
    #: of the first forward. 0 takes 512 on a processor, 2048 on an accelerator.
    around_tokens: int = 0
    #: Tokens that ghost text is content with while the rest of a long file is being read, where
    #: there is no GPU; 0 waits for all of it. See `modes/glance.py`.
    glance_tokens: int = 512
    #: Whether a half token before the cursor is spelled anew; see `text/healing.py`.
    heal_tokens: bool = True
    #: Whether a fill may end though the model would go on; see `text/ending.py`.
    end_early: bool = True
    #: Where weights are kept; empty takes the user's cache directory.
    cache_dir: str = ""
    #: Where a remote engine is, e.g. "https://box.example"; empty takes the engine's own place.
    remote_url: str = ""
    #: What it calls the model; empty takes the engine's own default.
    remote_model: str = ""
    #: How a hole is put to it: "suffix", "chat" or a template; see `engines/remote/prompts.py`.
    remote_prompt: str = ""
    #: Which files may leave this machine, e.g. "src/*, !src/secret/*"; none by default.
    remote_files: str = ""
    #: Whether this machine fills what the remote engine can't.
    remote_fallback: bool = False
    #: Seconds to wait for a remote engine's next word.
    remote_timeout_s: float = 30.0
    #: How often to try, where trying again is safe.
    remote_tries: int = 3
    #: The `scripted` engine's replies, a TOML or JSON file.
    script: str = ""


def settings_path() -> Path:
    """Return where the user's settings file would be."""
    return Path(platformdirs.user_config_dir("remask", appauthor=False)) / "runtime.toml"


def load_settings(
    flags: Mapping[str, str] | None = None,
    *,
    path: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> RuntimeSettings:
    """Read the settings.

    Args:
        flags: what the command line set, by field name.
        path: the settings file, which need not exist; None takes the user's.
        environment: read for REMASK_ names.

    Raises:
        UnknownName: a key that is no setting; the message lists the settings.
        BadRequest: a file that is no TOML, or a value that can't be.
    """
    path = settings_path() if path is None else path
    values = _spelled_out(_read_file(path), path.parent)
    for field in RuntimeSettings.__struct_fields__:
        if (value := environment.get(ENVIRONMENT_PREFIX + field.upper())) is not None:
            values[field] = value
    values = _spelled_out(values | dict(flags or {}), Path())
    for key in values:
        if key not in RuntimeSettings.__struct_fields__:
            raise UnknownName("setting", key, RuntimeSettings.__struct_fields__)
    try:
        # Not strict, for flags and the environment are text.
        settings = msgspec.convert(values, RuntimeSettings, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequest(f"settings: {error}") from error
    _check(settings)
    return settings


def _check(settings: RuntimeSettings) -> None:
    """Refuse what can't be.

    Raises:
        BadRequest: it says what is allowed.
    """
    if settings.threads < 0 or settings.idle_exit_s < 0 or settings.max_context_tokens < 1:
        raise BadRequest(
            "settings: threads and idle_exit_s can't be negative, max_context_tokens must be over 0"
        )
    if settings.captured_steps not in CAPTURED_STEPS:
        raise BadRequest(
            f"settings: captured_steps {settings.captured_steps!r}: allowed are "
            + ", ".join(CAPTURED_STEPS)
        )
    if settings.glance_tokens < 0 or settings.around_tokens < 0:
        raise BadRequest("settings: glance_tokens and around_tokens can't be negative")
    if not 1 <= settings.requests_at_once <= MAX_AT_ONCE:
        raise BadRequest(f"settings: requests_at_once must be from 1 to {MAX_AT_ONCE}")
    if settings.remote_timeout_s <= 0 or settings.remote_tries < 1:
        raise BadRequest("settings: remote_timeout_s must be over 0, remote_tries at least 1")


def _spelled_out(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return settings with "~" and variables of places replaced, which count from a folder.

    Raises:
        BadRequest: no home is known, or a variable is not set.
    """
    return values | {
        key: _spell_out(key, values[key], folder)
        for key in PLACES
        # What is no text is refused with the other values.
        if isinstance(values.get(key), str) and values[key]
    }


def _spell_out(key: str, place: str, folder: Path) -> str:
    whole = os.path.expandvars(place)
    # A variable that is not set stays as it was.
    if re.search(r"\$\w|\$\{\w+\}", whole):
        raise BadRequest(f"settings: {key} = {place!r}: a variable in it is not set")
    try:
        return str(folder / Path(whole).expanduser())
    except RuntimeError as error:
        raise BadRequest(f"settings: {key} = {place!r}: no home folder is known") from error


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Give a command one flag for each setting, e.g. --idle-exit-s."""
    for field in RuntimeSettings.__struct_fields__:
        parser.add_argument(f"--{field.replace('_', '-')}", default=None, metavar="VALUE")


def flags_of(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the flags of `add_flags` that the user gave."""
    values = ((field, getattr(arguments, field)) for field in RuntimeSettings.__struct_fields__)
    return {field: value for field, value in values if value is not None}


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadRequest(f"settings file {path}: {error}") from error
