"""Which functions of the product are called, in order, in all threads."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Any

import lsp_server
import model_runtime

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

#: Their folders, by name: in the checkout, or where they were installed.
HOMES = {one.__name__: one.__path__[0] for one in (lsp_server, model_runtime)}


@contextlib.contextmanager
def traced() -> Iterator[list[tuple[str, str]]]:
    """Note each call of a function while the context lasts: its file, from the root on, and name.

    Threads that are begun meanwhile count; a coroutine counts whenever it goes on.
    """
    calls: list[tuple[str, str]] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and (file := _in_product(code.co_filename)):
            calls.append((file, code.co_name))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]  # it takes none away


def _in_product(path: str) -> str | None:
    """Return a product's file as ARCHITECTURE.md names it; None for all others."""
    for name, home in HOMES.items():
        if path.startswith(f"{home}/"):
            return name + path.removeprefix(home)
    return None
