"""The real default model, and real prompts for it."""

from __future__ import annotations

import inspect
import shlex
import statistics
import string
import textwrap
from functools import cache

from model_runtime.engines.loading import LoadedModel, load_default
from model_runtime.settings import RuntimeSettings


@cache
def default_model() -> LoadedModel:
    """Return the default model, downloaded if need be, loaded once for all tests."""
    return load_default(RuntimeSettings(), lambda _text, _share: None)


def gaps(n_gaps: int) -> list[tuple[str, str]]:
    """Return (prefix, suffix) pairs: lines taken out of the standard library's functions."""
    functions = [
        member
        for module in (shlex, textwrap, statistics, string)
        for _, member in inspect.getmembers(module, inspect.isfunction)
        if member.__module__ == module.__name__
    ]
    found = []
    for function in functions:
        lines = inspect.getsource(function).splitlines(keepends=True)
        at = len(lines) * 2 // 3
        if not 8 <= len(lines) <= 40 or not lines[at].strip():
            continue
        indent = len(lines[at]) - len(lines[at].lstrip())
        found.append(("".join(lines[:at]) + lines[at][:indent], "\n" + "".join(lines[at + 1 :])))
    if len(found) < n_gaps:
        raise ValueError(f"only {len(found)} gaps")
    return found[:n_gaps]
