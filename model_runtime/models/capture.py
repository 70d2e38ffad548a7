"""What a device records of its work, to be told once instead of kernel by kernel.

CUDA's graphs, and what torch has of the kind for other accelerators: the kernels are written down
while they are launched, with the memory that they read and write, and run again as one. Nothing of
Python's runs again: what may differ from time to time has to stand in memory that stays in its
place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    #: Takes what to record, which returns a tensor; returns what runs it again and returns that
    #: same tensor, written anew.
    Capture = Callable[[Callable[[], Tensor]], Callable[[], Tensor]]

#: Libraries choose their kernels and take their memory while nothing is recorded.
N_WARM = 2


class CannotCapture(RuntimeError):
    """The device records nothing; the message says why."""


def capture_of(device: torch.device) -> Capture:
    """Return what records on a device; it raises `RuntimeError` where the recording fails.

    Raises:
        CannotCapture: the device records nothing.
    """
    if device.type == "cuda":
        return _Cuda(device)
    graph = getattr(torch.accelerator, "Graph", None)
    if device.type == "cpu" or graph is None:
        raise CannotCapture(f"torch {torch.__version__} records nothing on {device.type}")

    def capture(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
        stream, recorded = torch.Stream(device), graph(capture_error_mode="thread_local")
        with stream:
            _warm(run)
            with recorded:
                result = run()
        return _replaying(recorded, result)

    return capture


class _Cuda:
    """CUDA's graphs, all of one device in one pool: each one's result is copied out at once."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool: Any = None

    def __call__(self, run: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """See `Capture`."""
        with torch.cuda.device(self._device):
            if self._pool is None:
                self._pool = torch.cuda.graph_pool_handle()
            graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream(self._device)
            with torch.cuda.stream(stream):
                _warm(run)
            recording = torch.cuda.graph(
                graph, pool=self._pool, stream=stream, capture_error_mode="thread_local"
            )
            with recording:
                result = run()
        return _replaying(graph, result)


def _warm(run: Callable[[], Tensor]) -> None:
    """Run some times, behind all that is queued and before all that follows.

    Once a shape, so it may wait: what was queued on another stream is read here.
    """
    torch.accelerator.synchronize()
    for _ in range(N_WARM):
        run()
    torch.accelerator.synchronize()


def _replaying(graph: Any, result: Tensor) -> Callable[[], Tensor]:
    def replay() -> Tensor:
        graph.replay()
        return result

    return replay
