"""Doing something in a fresh process: what it leaves in memory, and its death, are its own."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, TypeVar, cast

from model_runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def apart(action: Callable[..., T], *arguments: object) -> T:
    """Do something in a fresh process and return what it returns, or raise what it raises.

    Raises:
        RuntimeFault: the action raised one.
        BrokenProcessPool: the process died.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        result, fault = process.submit(_do, action, arguments).result()
    if fault:
        raise RuntimeFault(fault)
    return cast("T", result)


def _do(action: Callable[..., T], arguments: tuple[object, ...]) -> tuple[T | None, str]:
    """Return what an action returns, or the words of the fault it raises.

    A fault itself may not survive the way between processes.
    """
    try:
        return action(*arguments), ""
    except RuntimeFault as fault:
        return None, str(fault)
