"""What a pretended device records of its work: operations with their memory, run again.

As a real graph does it: nothing of Python's runs again, so a number that was a Python number when
it was recorded stays what it was, and what is read has to stand where it stood. What makes the
processor wait can't be recorded.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Recording:
    """The graph that is being recorded now, if there is one."""

    def __init__(self) -> None:
        self._graph: PretendedGraph | None = None

    @contextmanager
    def of(self, graph: PretendedGraph, **_: Any) -> Iterator[None]:
        """Record while the context lasts, like `torch.cuda.graph`."""
        self._graph = graph
        try:
            yield
        finally:
            self._graph = None

    def note(self, func: Callable[..., Any], args: Any, kwargs: Any, result: Any) -> None:
        """Keep an operation of the processor's tensors."""
        if self._graph is not None:
            self._graph.operations.append((func, args, kwargs, result))

    def refuse_waiting(self, name: str) -> None:
        """Raise as the device does if the processor would wait now."""
        if self._graph is not None:
            raise RuntimeError(f"CUDA error: operation not permitted when capturing: {name}")


class PretendedGraph:
    """Like `torch.cuda.CUDAGraph`."""

    #: Of all graphs.
    n_replays = 0

    def __init__(self) -> None:
        self.operations: list[tuple[Callable[..., Any], Any, Any, Any]] = []

    def replay(self) -> None:
        """Compute again, into the same memory."""
        PretendedGraph.n_replays += 1
        for func, args, kwargs, result in self.operations:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                # A view of the same memory, or the tensor that was written, is there already.
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class PretendedStream:
    """Like `torch.cuda.Stream`; a class, for others name it as a type."""

    def __init__(self, device: Any = None) -> None:
        self.device = device


def stand_ins(recording: Recording) -> dict[tuple[Any, str], Any]:
    """Return what to put in the place of torch's own, by module and name."""

    @contextmanager
    def nothing(_: Any) -> Iterator[None]:
        yield

    return {
        (torch.cuda, "CUDAGraph"): PretendedGraph,
        (torch.cuda, "graph"): recording.of,
        (torch.cuda, "graph_pool_handle"): lambda: (0, 0),
        (torch.cuda, "Stream"): PretendedStream,
        (torch.cuda, "stream"): nothing,
        (torch.cuda, "device"): nothing,
    }
