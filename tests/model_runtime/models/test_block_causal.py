"""Block-causal families: what stands behind a block is invisible to it."""

from __future__ import annotations

import pytest
import torch
from support import tiny

from model_runtime.caches.blocks import BlocksCache
from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Canvas, Query
from model_runtime.decoding.denoise import Budget, denoise
from model_runtime.samplers.low_confidence import LowConfidence

VARIANTS = ["llada2", "sdar", "sdar-experts", "sdar-fast_dllm", "sdar-stable_diffcoder"]
LENGTH = 29


def masked_canvas(mask_id: int, start: int, end: int) -> Canvas:
    """Make a canvas with masks from `start` to `end`."""
    token_ids = torch.randint(0, 50, (LENGTH,), generator=torch.Generator().manual_seed(8))
    token_ids[start:end] = mask_id
    given = torch.ones(LENGTH, dtype=torch.bool)
    given[start:end] = False
    return Canvas(token_ids, given, mask_id)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_row_sees_its_block_and_no_later_one(variant: str) -> None:
    """A token of the same block changes the rows, one of the next block does not."""
    family = tiny.tiny(variant)
    length = family.block_length
    assert length is not None
    canvas = masked_canvas(family.mask_id, length + 1, 2 * length)
    query = Query(canvas.open_positions())
    rows = family.predict(canvas, query, NoCache()).rows

    canvas.token_ids[2 * length] = 51
    behind = family.predict(canvas, query, NoCache()).rows
    # The last position of the block is fed by no shifted row that is asked for.
    canvas.token_ids[length] = 51
    within = family.predict(canvas, query, NoCache()).rows

    assert torch.equal(behind, rows)
    assert not torch.allclose(within, rows)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_loop_keeps_to_the_family_s_blocks(variant: str) -> None:
    """Open positions are settled a block of the family at a time, wherever the first one is."""
    family = tiny.tiny(variant)
    length = family.block_length
    assert length is not None
    canvas = masked_canvas(family.mask_id, length - 1, 3 * length)
    settled: list[list[int]] = []

    denoise(
        family,
        LowConfidence.from_mapping({}),
        BlocksCache(),
        canvas,
        Budget(n_steps=3, block_length=5),
        torch.Generator(),
        on_step=lambda step: settled.append(step.update.committed.nonzero().squeeze(1).tolist()),
    )

    assert settled == [
        [length - 1],
        list(range(length, 2 * length)),
        list(range(2 * length, 3 * length)),
    ]
