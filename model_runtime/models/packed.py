"""int8 weights in the order the processor reads them: packed once, kept in a file, mapped from it.

To reorder the weights of the default model takes seconds, and the reordered copy as much memory as
the weights. So the copy is written beside the converted weights when they are first loaded, and
from then on a start maps it: nothing is computed, nothing copied, and processes share the pages.

Which order that is depends on torch, oneDNN inside it, and the instructions of the processor; the
file's name says what it was made by, and another machine or release makes its own. Where this torch
can't take a mapped weight, every start packs anew, as before.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open

from model_runtime.models.int8 import Int8Linear, OneDnn

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import IO

    from torch import Tensor

#: Tensors begin at multiples of this, as oneDNN's own memory does.
ALIGNMENT = 64
#: The file's header, filled up with blanks: it is written last, when all sizes are known.
HEADER_BYTES = 1 << 16
_PATTERN = "packed-{}.safetensors"
#: Beside a tensor: what oneDNN says of its order.
_ORDER = ".order"


class MappedInt8Linear(Int8Linear):
    """An `Int8Linear` whose packed weight stands in memory that somebody else filled.

    Args:
        packed: uint8, the packed weight's bytes; kept alive.
        order: uint8, oneDNN's description of them.
        scale: [n_out] float32.
        bias: [n_out] float32, or None.
        n_in: input channels.
    """

    def __init__(
        self, packed: Tensor, order: Tensor, scale: Tensor, bias: Tensor | None, n_in: int
    ) -> None:
        self._bytes = packed
        self._kernel = OneDnn()
        self._packed = _adopt(packed, order, (n_in, len(scale)))
        self._scale = scale.float().contiguous()
        self._bias = bias


class PackedFile:
    """The packed weights of one model on this machine.

    Args:
        path: made by `write_packed`.

    Raises:
        SafetensorError: it is damaged.
        OSError: it can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._file = safe_open(path, framework="pt")

    def linear(self, name: str, scale: Tensor, bias: Tensor | None, n_in: int) -> MappedInt8Linear:
        """Return the linear map of that name, its weight mapped."""
        packed, order = self._file.get_tensor(name), self._file.get_tensor(name + _ORDER)
        return MappedInt8Linear(packed, order, scale, bias, n_in)


def open_packed(folder: Path, weights: Iterable[tuple[str, Tensor]]) -> PackedFile | None:
    """Open a folder's packed weights, packing them first if this machine has not yet.

    Args:
        folder: where they are kept.
        weights: name and int8 weight [n_out, n_in]; read only where they must be packed.

    Returns:
        None where weights can't be mapped, or there is no room for them: pack at every start.
    """
    key = machine_key()
    if key is None:
        return None
    path = folder / _PATTERN.format(key)
    with contextlib.suppress(SafetensorError, OSError):
        return PackedFile(path)
    with contextlib.suppress(SafetensorError, OSError):
        for stale in folder.glob(_PATTERN.format("*")):
            with contextlib.suppress(OSError):  # Windows keeps a file that somebody has mapped
                stale.unlink()
        write_packed(path, weights)
        return PackedFile(path)
    return None


def write_packed(path: Path, weights: Iterable[tuple[str, Tensor]]) -> None:
    """Pack weights one by one into a safetensors file, which appears when it is whole.

    Raises:
        OSError: there is no room.
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.seek(HEADER_BYTES)
            orders = {}
            for name, weight in weights:
                packed = torch.ops.onednn.qlinear_prepack(weight, None)
                orders[name + _ORDER] = _order_of(packed)
                header[name] = _append(file, _bytes_of(packed), ALIGNMENT)
            for name, order in orders.items():
                header[name] = _append(file, order, 1)
            text = json.dumps(header).encode()
            if len(text) > HEADER_BYTES - 8:
                raise OSError(f"{path.name}: too many tensors for its header")
            file.seek(0)
            file.write((HEADER_BYTES - 8).to_bytes(8, "little") + text.ljust(HEADER_BYTES - 8))
        Path(scratch).replace(path)
    finally:
        Path(scratch).unlink(missing_ok=True)


def _append(file: IO[bytes], content: memoryview, multiple: int) -> dict[str, object]:
    """Write a tensor of bytes, filled up to a multiple; return its header entry."""
    start, n_more = file.tell() - HEADER_BYTES, -len(content) % multiple
    file.write(content)
    file.write(bytes(n_more))
    n_bytes = len(content) + n_more
    return {"dtype": "U8", "shape": [n_bytes], "data_offsets": [start, start + n_bytes]}


def _order_of(packed: Tensor) -> memoryview:
    """Return oneDNN's description of a packed weight."""
    order: Tensor = torch.ops.mkldnn._get_mkldnn_serialized_md(packed)  # noqa: SLF001  # an operator
    return memoryview(bytes(order.tolist()))


def _bytes_of(packed: Tensor) -> memoryview:
    """Return a packed weight's memory, valid for as long as it lives."""
    n_bytes = torch.ops.mkldnn._nbytes(packed)  # noqa: SLF001  # an operator
    start = torch.ops.mkldnn.data_ptr(packed)
    return memoryview((ctypes.c_ubyte * n_bytes).from_address(start)).cast("B")


@cache
def machine_key() -> str | None:
    """Return what names this machine's order of weights; None if oneDNN's can't be mapped.

    Tried out on a small weight: packed, read back and adopted, it must say what it said before.
    """
    weight = torch.arange(64 * 64).remainder(251).sub(125).to(torch.int8).view(64, 64)
    scale, rows = torch.ones(64), torch.arange(-32.0, 32.0)[None]
    try:
        packed = OneDnn().pack(weight, scale)
        order = _order_of(packed)
        content, described = (
            torch.frombuffer(bytearray(part), dtype=torch.uint8)
            for part in (_bytes_of(packed), order)
        )
        adopted = _adopt(content, described, (64, 64))
        said, again = (OneDnn().product(one, rows.clone(), scale) for one in (packed, adopted))
        if not torch.equal(said, again):
            return None
    except (AttributeError, RuntimeError, OSError, NotImplementedError):
        return None
    made_by = torch.__version__.encode() + order
    return hashlib.sha256(made_by).hexdigest()[:12]


def _adopt(content: Tensor, order: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return a tensor in oneDNN's own order around bytes that stay where they are.

    The function is the one that torch's compiled models load their weights with: part of its
    stable C interface, which has no name in Python.

    Raises:
        RuntimeError: torch refused.
        AttributeError: this torch has it not, or hides it.
    """
    libtorch = ctypes.CDLL(torch._C.__file__)  # noqa: SLF001  # its symbols are found through this one
    handle = ctypes.c_void_p()
    status = libtorch.aoti_torch_create_tensor_from_blob_v2(
        ctypes.c_void_p(content.data_ptr()),
        ctypes.c_int64(len(shape)),
        (ctypes.c_int64 * 2)(*shape),
        (ctypes.c_int64 * 2)(shape[1], 1),
        ctypes.c_int64(0),
        ctypes.c_int32(libtorch.aoti_torch_dtype_int8()),
        ctypes.c_int32(libtorch.aoti_torch_device_type_cpu()),
        ctypes.c_int32(-1),
        ctypes.byref(handle),
        ctypes.c_int32(libtorch.aoti_torch_layout__mkldnn()),
        ctypes.c_void_p(order.data_ptr()),
        ctypes.c_int64(len(order)),
    )
    if status != 0:
        raise RuntimeError("torch refused a packed weight")
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype, capsule.argtypes = (
        ctypes.py_object,
        (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p),
    )
    pointer = capsule(handle.value, None, None)
    tensor: Tensor = torch._C._aoti.alloc_tensor_by_stealing_from_void_ptr(pointer)  # noqa: SLF001
    return tensor
