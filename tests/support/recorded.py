"""Fixtures that reference implementations recorded, and a denoiser that plays them back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from safetensors.torch import load_file

from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Block, Canvas, Prediction, PredictionKind
from model_runtime.decoding.denoise import Budget, Step, denoise
from model_runtime.models.base import Denoiser
from model_runtime.samplers import SAMPLERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from model_runtime.caches.base import Cache
    from model_runtime.decoding.canvas import Query
    from model_runtime.samplers.base import Sampler


@dataclass(frozen=True)
class Fixture:
    """One recorded case: parameters, and tensors where it has any."""

    path: Path

    @property
    def id(self) -> str:
        """Folder and name, without a suffix."""
        return f"{self.path.parent.name}/{self.path.name}"

    @cached_property
    def meta(self) -> dict[str, Any]:
        """The parameters, "rule" among them."""
        meta: dict[str, Any] = json.loads(self.path.with_name(self.path.name + ".json").read_text())
        return meta

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """The tensors by name; none if the fixture is all parameters."""
        path = self.path.with_name(self.path.name + ".safetensors")
        return load_file(path) if path.exists() else {}

    def steps(self) -> list[dict[str, Tensor]]:
        """Return the tensors of each recorded step, in order."""
        n_steps = 1 + max((int(key[1:4]) for key in self.tensors if key[4:5] == "."), default=-1)
        return [
            {
                key[5:]: value
                for key, value in self.tensors.items()
                if key.startswith(f"s{index:03d}.")
            }
            for index in range(n_steps)
        ]


def find_fixtures(folder: Path) -> list[Fixture]:
    """Return every fixture under a folder, whether it has parameters, tensors or both."""
    names = {
        path.with_suffix("")
        for suffix in ("json", "safetensors")
        for path in folder.rglob(f"*.{suffix}")
    }
    return [Fixture(name) for name in sorted(names)]


@dataclass(frozen=True)
class Recorded:
    """One row of one recorded step, the rows aligned so that row i is about position i."""

    before: Tensor
    rows: Tensor
    after: Tensor
    #: The canvas without its context, and what was predicted for it; where guidance was recorded.
    blind: Tensor | None = None
    blind_rows: Tensor | None = None

    @property
    def is_idle(self) -> bool:
        """Whether the step changed nothing."""
        return torch.equal(self.before, self.after)


def row_of(step: dict[str, Tensor], row: int, *, shift: bool = False) -> Recorded:
    """Return one row of a step's batch; `shift` undoes the next-token alignment."""
    logits = step["logits"][row]
    if shift:
        logits = torch.cat([logits[:1], logits[:-1]])
    return Recorded(step["canvas_before"][row], logits, step["canvas_after"][row])


class ReplayDenoiser(Denoiser):
    """Predicts what was recorded, and holds the canvas against the record at every step.

    Where the reference changed nothing in a step, a sampler may leave the step out.
    """

    name: ClassVar[str] = "replay"
    kinds: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})

    def __init__(self, steps: list[Recorded], mask_id: int | None, vocab_size: int) -> None:
        self.steps = steps
        self.mask_id = mask_id
        self.vocab_size = vocab_size
        self.max_length = 1 << 20
        self.device = torch.device("cpu")
        self._next = 0

    def predict(self, canvas: Canvas, query: Query, cache: Cache) -> Prediction:
        """Return the recorded rows for this canvas."""
        del cache
        step = self.steps[self._next]
        if step.blind is not None and torch.equal(canvas.token_ids, step.blind):
            assert step.blind_rows is not None
            return Prediction("logits", step.blind_rows[query.positions])
        assert canvas.token_ids.tolist() == step.before[: canvas.length].tolist()
        return Prediction("logits", step.rows[query.positions])

    def check(self, step: Step) -> None:
        """Compare the canvas after a step."""
        token_ids = step.canvas.token_ids
        while self.steps[self._next].is_idle and not self._matches(token_ids):
            self._next += 1
        assert token_ids.tolist() == self.steps[self._next].after[: len(token_ids)].tolist(), (
            f"step {self._next}"
        )
        self._next += 1

    def check_end(self) -> None:
        """Make sure that what was recorded after the last step changed nothing."""
        assert all(step.is_idle for step in self.steps[self._next :])

    def _matches(self, token_ids: Tensor) -> bool:
        return torch.equal(token_ids, self.steps[self._next].after[: len(token_ids)])


def replay(
    sampler: Sampler[Any, Any],
    steps: list[Recorded],
    given: Tensor,
    mask_id: int,
    budget: Budget,
    *,
    on_step: Callable[[Step], None] = lambda _: None,
    wrap: Callable[[Denoiser], Denoiser] = lambda denoiser: denoiser,
) -> Canvas:
    """Run a rule on recorded predictions, compare every canvas, and return the last one."""
    replayed = ReplayDenoiser(steps, mask_id, steps[0].rows.shape[-1])
    canvas = Canvas(steps[0].before[: len(given)], given, mask_id)

    def check(step: Step) -> None:
        replayed.check(step)
        on_step(step)

    rng = torch.Generator().manual_seed(0)
    denoise(wrap(replayed), sampler, NoCache(), canvas, budget, rng, on_step=check)
    replayed.check_end()
    assert mask_id not in canvas.token_ids.tolist()
    return canvas


def whole_block(token_ids: Tensor, mask_id: int | None, vocab_size: int) -> Block:
    """Return a block of all the masks of a canvas; of all positions where there is no mask."""
    is_open = torch.ones_like(token_ids, dtype=torch.bool)
    if mask_id is not None:
        is_open = token_ids == mask_id
    return Block(token_ids, is_open.nonzero().squeeze(1), ~is_open, mask_id, vocab_size)


def sampler(name: str, **params: object) -> Sampler[Any, Any]:
    """Return a rule by its file name."""
    return SAMPLERS.load(name).from_mapping(params)
