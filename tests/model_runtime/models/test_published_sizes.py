"""Published checkpoints at their real sizes, without their weights: names, shapes and memory."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import pytest
import torch
from support.published import read_facts

from model_runtime.errors import ModelLoadFailed
from model_runtime.models import MODELS
from model_runtime.models.int8 import kernel
from model_runtime.models.parts.load import check_checkpoint, load_family
from model_runtime.weights.published import RECOMMENDED

if TYPE_CHECKING:
    from pathlib import Path

    from support.published import Facts

    from model_runtime.models.parts.quantize import WeightBits

FACTS = read_facts()
CPU = torch.device("cpu")
GIB = 2**30
#: Routers and scales are left out of what is computed here.
TOLERANCE = 0.01
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a hole in a file takes room there")


@pytest.fixture(scope="module", params=FACTS)
def facts(request: pytest.FixtureRequest) -> Facts:
    """Return each checkpoint's."""
    found: Facts = FACTS[request.param]
    return found


@pytest.fixture(scope="module")
def folder(facts: Facts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one, as from the hub."""
    return facts.write(tmp_path_factory.mktemp("published"))


def n_numbers(facts: Facts) -> tuple[int, int, int]:
    """Count a model's numbers: of matrices, of the embedding among them, and of vectors."""
    shapes = {name: shape for name, (shape, _) in facts.used.items()}
    n_matrices = sum(math.prod(shape) for shape in shapes.values() if len(shape) > 1)
    n_vectors = sum(shape[0] for shape in shapes.values() if len(shape) == 1)
    return n_matrices, math.prod(next(iter(shapes.values()))), n_vectors


def test_what_is_recommended_is_among_them() -> None:
    """A checkpoint that is named to users has been held against its family."""
    assert {one.repository: one.family for one in RECOMMENDED}.items() <= {
        one.repository: one.family for one in FACTS.values()
    }.items()


def test_the_facts_add_up(facts: Facts) -> None:
    """Where authors tell how large a model is, the tensors written down have that size."""
    n_stored = sum(math.prod(shape) for shape, _ in facts.tensors.values())

    n_matrices, _, n_vectors = n_numbers(facts)

    assert facts.n_parameters in (None, n_matrices + n_vectors)
    assert facts.n_stored in (None, n_stored)
    assert facts.n_tensors in (None, len(facts.tensors))


def test_nothing_is_missing_and_nothing_left_over(facts: Facts, folder: Path) -> None:
    """Its family asks for exactly the tensors that a checkpoint has, in their shapes."""
    family, _, plan, _ = check_checkpoint(folder, CPU)

    assert family is MODELS.load(facts.family)
    assert plan.shapes == {name: tuple(shape) for name, (shape, _) in facts.used.items()}


@pytest.mark.parametrize(
    ("dtype", "weight_bits"), [(torch.bfloat16, None), (torch.float32, None), (torch.float32, 8)]
)
def test_memory_is_what_the_tensors_take(
    facts: Facts, folder: Path, dtype: torch.dtype, weight_bits: WeightBits | None
) -> None:
    """What is told before loading is what the tensors take; with less, it is refused in numbers."""
    if weight_bits == 8 and kernel() is None:
        pytest.skip("this processor has no int8 kernels")
    n_matrices, n_embedding, n_vectors = n_numbers(facts)
    expected = (n_matrices + n_vectors) * dtype.itemsize
    if weight_bits == 8:
        # A head is multiplied in another order than the embedding has, tied or not.
        expected = n_matrices + n_vectors * dtype.itemsize + n_embedding * facts.is_tied
    _, _, plan, _ = check_checkpoint(folder, CPU, dtype, weight_bits)

    assert plan.n_bytes == pytest.approx(expected, rel=TOLERANCE)
    with pytest.raises(ModelLoadFailed, match=rf"needs {plan.n_bytes / GIB:.1f} GiB"):
        load_family(folder, CPU, dtype, weight_bits, n_free_bytes=plan.n_bytes)
