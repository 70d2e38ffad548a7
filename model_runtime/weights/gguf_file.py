"""What a GGUF file says and holds: its fields, and its tensors mapped from disk.

The gguf package's own reader makes arrays of every token and every pair of a vocabulary, which
takes many seconds and much memory; here they are read as what they are. The format is ggml's
(`docs/gguf.md`), versions 2 and 3, little-endian. Nothing that the file says is believed before it
is checked against the file's length.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize

if TYPE_CHECKING:
    from pathlib import Path

    #: Rows of float32.
    Rows = np.ndarray[Any, np.dtype[np.float32]]

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
#: Kinds of values, by the format's number of them, as `struct` calls them.
_NUMBERS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
_STRING, _ARRAY = 8, 9
_USUAL_ALIGNMENT = 32
_MOST_DIMENSIONS = 4
#: Those that are kept as numbers, not in blocks of bytes.
_PLAIN: dict[GGMLQuantizationType, type[np.generic]] = {
    GGMLQuantizationType.F32: np.float32,
    GGMLQuantizationType.F16: np.float16,
}


@dataclass(frozen=True)
class GgufTensor:
    """A tensor of the file."""

    #: Outputs first.
    shape: tuple[int, ...]
    kind: GGMLQuantizationType
    #: [n_rows, bytes or numbers of a row], mapped.
    data: np.ndarray[Any, np.dtype[Any]]

    def rows(self, chosen: slice | np.ndarray[Any, np.dtype[np.int64]]) -> Rows:
        """Return rows in float32, vectors as they are.

        Raises:
            NotImplementedError: the gguf package can't unpack this kind.
        """
        unpacked: Rows = np.array(dequantize(self.data[chosen], self.kind), dtype=np.float32)
        return unpacked


class GgufFile:
    """A GGUF file.

    Args:
        path: the file.

    Raises:
        ValueError: it is damaged, cut short, or of another version; says how.
        OSError: it can't be read.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._at = len(MAGIC)
        version, n_tensors, n_fields = self._take("<IQQ")
        if version not in _VERSIONS:
            raise ValueError(f"its version is {version}; known are 2 and 3, little-endian")
        #: By key.
        self.fields: dict[str, Any] = {}
        for _ in range(n_fields):
            key = self._string()
            self.fields[key] = self._value(*self._take("<I"))
        listed = [self._listed() for _ in range(n_tensors)]
        alignment = int(self.fields.get("general.alignment", _USUAL_ALIGNMENT)) or 1
        start = -(-self._at // alignment) * alignment
        #: By name.
        self.tensors = {
            name: self._mapped(name, shape, kind, start + offset)
            for name, shape, kind, offset in listed
        }

    def _take(self, form: str) -> tuple[Any, ...]:
        """Read numbers and go on behind them."""
        try:
            values = struct.unpack_from(form, self._data, self._at)
        except struct.error as error:
            raise ValueError("it ends within its header") from error
        self._at += struct.calcsize(form)
        return values

    def _bytes(self, n: int) -> bytes:
        if n > len(self._data) - self._at:
            raise ValueError("it ends within its header")
        self._at += n
        return self._data[self._at - n : self._at]

    def _string(self) -> str:
        (n,) = self._take("<Q")
        return self._bytes(n).decode("utf-8", errors="replace")

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            element, n = self._take("<IQ")
            if element == _STRING:
                return [self._string() for _ in range(n)]
            if element not in _NUMBERS:
                raise ValueError(f"it has an array of an unknown kind ({element})")
            form = _NUMBERS[element]
            return list(struct.unpack(f"<{n}{form}", self._bytes(n * struct.calcsize(form))))
        if kind not in _NUMBERS:
            raise ValueError(f"it has a value of an unknown kind ({kind})")
        return self._take(f"<{_NUMBERS[kind]}")[0]

    def _listed(self) -> tuple[str, tuple[int, ...], int, int]:
        """Read where a tensor is."""
        name = self._string()
        (n_dimensions,) = self._take("<I")
        if not 0 < n_dimensions <= _MOST_DIMENSIONS:
            raise ValueError(f"its tensor {name!r} has {n_dimensions} dimensions")
        shape = self._take(f"<{n_dimensions}Q")[::-1]
        kind, offset = self._take("<IQ")
        return name, shape, kind, offset

    def _mapped(self, name: str, shape: tuple[int, ...], number: int, start: int) -> GgufTensor:
        kind = GGMLQuantizationType(number)
        per_block, block_bytes = GGML_QUANT_SIZES[kind]
        if shape[-1] % per_block:
            raise ValueError(f"its tensor {name!r} is not whole blocks of {kind.name}")
        row_bytes = shape[-1] // per_block * block_bytes
        n_bytes = row_bytes
        for size in shape[:-1]:
            n_bytes *= size
        if start + n_bytes > len(self._data):
            raise ValueError(f"it ends before its tensor {name!r} does")
        stored = np.frombuffer(self._data, np.uint8, n_bytes, start)
        data: np.ndarray[Any, np.dtype[Any]] = stored.view(_PLAIN.get(kind, np.uint8))
        return GgufTensor(shape, kind, data.reshape(*shape[:-1], -1))
