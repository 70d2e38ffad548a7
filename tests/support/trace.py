"""Which functions of the product are called, in order, in all threads."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Any

from support.editors import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

PRODUCTS = tuple(f"{ROOT / name}/" for name in ("lsp_server", "model_runtime"))


@contextlib.contextmanager
def traced() -> Iterator[list[tuple[str, str]]]:
    """Note each call of a function while the context lasts: its file, from the root on, and name.

    Threads that are begun meanwhile count; a coroutine counts whenever it goes on.
    """
    calls: list[tuple[str, str]] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PRODUCTS):
            calls.append((code.co_filename.removeprefix(f"{ROOT}/"), code.co_name))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]  # it takes none away
