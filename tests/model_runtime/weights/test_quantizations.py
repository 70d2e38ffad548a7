"""GGUF files in every quantization that the gguf package unpacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
import pytest
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize

from model_runtime.weights.gguf_file import GgufFile

if TYPE_CHECKING:
    from pathlib import Path

N_ROWS, N_BLOCKS = 6, 2
KINDS = list(GGMLQuantizationType)


def rubbish(kind: GGMLQuantizationType) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return rows of a kind [N_ROWS, bytes]: any bytes are weights to it."""
    _, block_bytes = GGML_QUANT_SIZES[kind]
    rng = np.random.default_rng(int(kind))
    return rng.integers(0, 64, (N_ROWS, N_BLOCKS * block_bytes), dtype=np.uint8)


def write(path: Path, kind: GGMLQuantizationType) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Write a file with one tensor of a kind; return its bytes."""
    content = rubbish(kind)
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_tensor_info("w", content.shape, np.dtype(np.uint8), content.nbytes, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.write_tensor_data(content)
    writer.close()
    return content


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_rows_are_what_gguf_unpacks(kind: GGMLQuantizationType, tmp_path: Path) -> None:
    """Any rows of it, by a slice or by their places; what can't be unpacked is refused."""
    content = write(tmp_path / "a.gguf", kind)
    per_block, _ = GGML_QUANT_SIZES[kind]
    tensor = GgufFile(tmp_path / "a.gguf").tensors["w"]
    assert tensor.shape == (N_ROWS, N_BLOCKS * per_block)
    plain = {GGMLQuantizationType.F32: np.float32, GGMLQuantizationType.F16: np.float16}
    try:
        expected = dequantize(content.view(plain.get(kind, np.uint8)), kind)
    except NotImplementedError:
        with pytest.raises(NotImplementedError):
            tensor.rows(slice(0, 2))
        return
    for chosen in (slice(1, 4), np.array([5, 0, 2])):
        found = tensor.rows(chosen)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected[chosen].astype(np.float32))
