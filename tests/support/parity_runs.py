"""Whole runs of a reference: what its settings are called here, and running them.

A reference may predict the mask itself, which is a token like any other to it, and then commits
nothing or hangs (the fixtures' README, trap 1). Here a mask is never a prediction, so such a run
goes another way from that step on; `Watched` tells whether it was one.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import torch

from model_runtime.caches import CACHES
from model_runtime.decoding.canvas import Canvas, Prediction, PredictionKind, Query
from model_runtime.decoding.denoise import Budget, Step, denoise
from model_runtime.models.base import Denoiser
from model_runtime.models.parts.load import load_family
from model_runtime.samplers import SAMPLERS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from model_runtime.caches.base import Cache
    from model_runtime.models.parts.family import Family


@functools.cache
def family_of(folder: Path) -> Family:
    """Load a folder's checkpoint once."""
    return load_family(folder, dtype=torch.float32)


def canvas_of(family: Family, token_ids: Tensor) -> Canvas:
    """Lay out a canvas whose masks are open; without a mask, everything is."""
    given = torch.zeros_like(token_ids, dtype=torch.bool)
    if family.mask_id is not None:
        given = token_ids != family.mask_id
    return Canvas(token_ids, given, family.mask_id)


@dataclass(frozen=True)
class Run:
    """How the reference's settings are said here."""

    sampler: str
    params: dict[str, object]
    cache: str = "none"
    n_steps: int | None = None
    block_length: int | None = None
    #: The canvas ends with a whole block, and the family sees no later one than its own.
    whole_blocks: bool = False
    #: Whether the recorded number of forwards is the loop's; some count those that fill a cache.
    counts_forwards: bool = False


def run_of(meta: dict[str, Any]) -> Run:  # noqa: PLR0911  # one case, one return
    """Translate a recorded run's settings; an algorithm unknown here is a failure."""
    algorithm = meta["algorithm"]
    block = meta.get("block_length")
    match algorithm.split():
        case ["llada", "low_confidence"]:
            return Run(
                "low_confidence", {}, n_steps=meta["steps"], block_length=meta["block_length"]
            )
        case ["fast_dllm", cache]:
            caches = {"nocache": "none", "prefix_cache": "prefix", "dual_cache": "dual"}
            params: dict[str, object] = {"threshold": meta["threshold"]}
            # There, the threshold alone decides: a step for every mask is enough.
            n_steps = meta["gen_length"]
            return Run(
                "low_confidence", params, caches[cache], n_steps, block, counts_forwards=True
            )
        case ["dream" | "open_dllm", "p2"]:
            return Run("p2", {}, n_steps=meta["steps"])
        case ["dream" | "open_dllm", kind]:
            params = {"kind": kind, "eps": meta["eps"], "alg_temp": meta.get("alg_temp", 0.0)}
            return Run("entropy", params, n_steps=meta["steps"])
        case ["llada2.0"]:
            params = {"threshold": meta["threshold"], "block_length": block, "kind": "dynamic"}
            return Run(
                "blockwise",
                params,
                "blocks",
                meta["steps"],
                block,
                whole_blocks=True,
                counts_forwards=True,
            )
        case ["llada2.1"]:
            params = {
                "threshold": meta["threshold"],
                "edit_threshold": meta["editing_threshold"],
                "max_post_steps": meta["max_post_steps"],
                # Told apart from the steps, which this reference takes and does not use.
                "quota": meta.get("num_to_transfer", 1),
            }
            # No step is ever forced: filling ends by itself, and so do the corrections.
            n_steps = block * (1 + meta["max_post_steps"])
            return Run(
                "token_edit",
                params,
                "blocks",
                n_steps,
                block,
                whole_blocks=True,
                counts_forwards=True,
            )
        case ["sdar", "sequential,", "top_k=1"]:
            params = {"kind": "sequential", "top_k": 1, "block_length": block}
            n_steps = meta["denoising_steps"]
            return Run("blockwise", params, "blocks", n_steps, block, whole_blocks=True)
        case _:
            pytest.fail(f"no test knows the algorithm {algorithm!r}")


def recorded_canvas(
    family: Family, case: Mapping[str, Tensor], meta: dict[str, Any], run: Run, row: int
) -> Canvas:
    """Lay out a row's prompt and masks behind it, or its recorded canvas."""
    if "canvas" in case:
        return canvas_of(family, case["canvas"][row])
    prompt = case["prompt"][row]
    length = meta.get("max_length", len(prompt) + meta.get("gen_length", 0))
    if run.whole_blocks:
        assert run.block_length is not None
        length = -(-length // run.block_length) * run.block_length
    masks = torch.full((length - len(prompt),), family.mask_id)
    return canvas_of(family, torch.cat((prompt, masks)))


class Watched(Denoiser):
    """A family, and whether a reference would have committed a mask as its prediction."""

    name: ClassVar[str] = "watched"
    kinds: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    caches: ClassVar[frozenset[str]] = frozenset(CACHES.names())

    def __init__(self, family: Family) -> None:
        assert family.mask_id is not None
        self._family = family
        self.mask_id: int = family.mask_id
        self.vocab_size = family.vocab_size
        self.max_length = family.max_length
        self.device = family.device
        self.block_length = family.block_length
        #: Whether, at some step, the mask was the best token of a row that was surer of it than a
        #: committed one of its token.
        self.mask_was_best = False
        self._asked = torch.empty(0, dtype=torch.int64)
        self._sure, self._best = torch.empty(0), torch.empty(0)

    def predict(self, canvas: Canvas, query: Query, cache: Cache) -> Prediction:
        """Ask the family, and note what is best in each row."""
        prediction = self._family.predict(canvas, query, cache)
        self._asked = query.positions
        self._sure, self._best = prediction.rows.softmax(-1).max(-1)
        return prediction

    def note(self, step: Step) -> None:
        """Look at what was committed: see `mask_was_best`."""
        committed = self._sure[step.update.committed[self._asked]].tolist()
        of_mask = self._sure[self._best == self.mask_id].tolist()
        self.mask_was_best |= max(of_mask, default=-1.0) >= min(committed, default=0.0)


def fill(family: Family, canvas: Canvas, run: Run, n_given: int) -> tuple[int, bool]:
    """Fill a canvas that begins with `n_given` tokens.

    Returns:
        the number of forwards, and `Watched.mask_was_best`.
    """
    n_steps = run.n_steps
    if run.whole_blocks:
        # There, the steps are counted by the block.
        family.block_length = run.block_length
        assert n_steps is not None
        assert run.block_length is not None
        n_steps *= canvas.length // run.block_length - n_given // run.block_length
    watched = Watched(family)
    n_forwards = denoise(
        watched,
        SAMPLERS.load(run.sampler).from_mapping(run.params),
        CACHES.load(run.cache)(),
        canvas,
        Budget(n_steps, run.block_length),
        torch.Generator(),
        on_step=watched.note,
    )
    return n_forwards, watched.mask_was_best
