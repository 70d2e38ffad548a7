"""A safetensors file written tensor after tensor, so that no more than one need be in memory."""

from __future__ import annotations

import json
from math import prod
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from torch import Tensor

#: How the format calls what is written here.
_CALLED = {
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int8: "I8",
    torch.uint8: "U8",
}
#: Tensors begin at multiples of this.
_ALIGNMENT = 64

#: Shape and dtype of a tensor.
Planned = tuple[tuple[int, ...], torch.dtype]


def write_tensors(
    path: Path, planned: Mapping[str, Planned], tensors: Iterable[tuple[str, Tensor]]
) -> None:
    """Write a safetensors file.

    Args:
        path: the file.
        planned: every tensor, in the order of writing.
        tensors: pieces of them in that order, each with its tensor's name; the pieces of one
            tensor are its rows, from the first to the last.

    Raises:
        OSError: there is no room.
        ValueError: the pieces are not what was planned.
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (shape, dtype) in planned.items():
        size = prod(shape) * dtype.itemsize
        header[name] = {
            "dtype": _CALLED[dtype],
            "shape": list(shape),
            "data_offsets": [end, end + size],
        }
        end += size
    text = json.dumps(header).encode()
    text = text.ljust(len(text) + -(8 + len(text)) % _ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        names, left = iter(planned), 0
        current = None
        for name, piece in tensors:
            if name != current:
                current = next(names, None)
                if left or name != current:
                    raise ValueError(f"{name!r} was written before {current!r} was whole")
                left = prod(planned[name][0])
            if piece.dtype != planned[name][1] or piece.numel() > left:
                raise ValueError(f"{name!r} is not what was planned")
            left -= piece.numel()
            file.write(piece.contiguous().reshape(-1).view(torch.uint8).numpy().data)
        if left or next(names, None) is not None:
            raise ValueError("not all was written that was planned")
