"""What crosses between the processor and an accelerator, without waiting where that is possible.

A plain copy to a device waits until all that was queued there is done, though nobody needs to. Out
of pinned memory it is queued like everything else; and what is copied into that need not go
by way of a buffer. So a step waits where its result is needed, once, and nowhere else.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

#: Where memory can be pinned. Metal shares its memory with the processor: its copies wait, but a
#: step makes them when nothing is queued.
_PINNING = ("cuda", "xpu")


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the processor on a device; one that is there already as it is."""
    if tensor.device.type != "cpu" or not pins(device):
        return tensor.to(device)
    # torch gives the pinned memory to nobody else before the copy is done.
    return tensor.pin_memory().to(device, non_blocking=True)


def send_into(buffer: Tensor, tensor: Tensor) -> None:
    """Write a tensor of the processor over the first elements of each dimension of a buffer."""
    place = buffer[tuple(slice(n) for n in tensor.shape)]
    place.copy_(sent(tensor, buffer.device))


def fetched(*tensors: Tensor) -> list[Tensor]:
    """Return tensors of one device on the processor: the one place where a step waits."""
    device = tensors[0].device
    if device.type == "cpu":
        return list(tensors)
    if not pins(device):
        return [tensor.cpu() for tensor in tensors]
    here = [torch.empty(each.shape, dtype=each.dtype, pin_memory=True) for each in tensors]
    for place, tensor in zip(here, tensors, strict=True):
        place.copy_(tensor, non_blocking=True)
    torch.accelerator.current_stream(device).synchronize()
    return here


@cache
def pins(device: torch.device) -> bool:
    """Whether memory can be pinned for a device: tried out, for some systems allow none."""
    if device.type not in _PINNING:
        return False
    try:
        torch.empty(1, pin_memory=True)
    except RuntimeError:
        return False
    return True
