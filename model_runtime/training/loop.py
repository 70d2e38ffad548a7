"""The training loop: one context a step, checkpoints that resume exactly.

All randomness of a step follows from the seed and the step's number, so parameters, the optimizer's
moments and that number are the whole state.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from random import Random
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from model_runtime.training.int8 import fast_dtype
from model_runtime.training.objective import (
    Batch,
    FrozenContext,
    Mixture,
    denoising_loss,
    lay_canvases,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from model_runtime.models.canvas import CanvasDenoiser
    from model_runtime.models.layers import Linear
    from model_runtime.training.examples import Example, Examples
    from model_runtime.training.parameters import AdapterParameters

CHECKPOINT = "checkpoint.safetensors"
METRICS = "metrics.jsonl"
#: Depths whose agreement with the base is told one by one.
N_DEPTHS_TOLD = 4
#: The link's learning rate, as a share of the others': it acts on the last hidden rows directly.
LINK_RATE_SHARE = 0.6
#: This share of the steps lays its canvases on the span and what leads up to it, at least this
#: many tokens; the others anywhere.
SHARE_NEAR_SPAN = 0.4
NEAR_SPAN = 48
#: Canvases begin here or later: before it, nothing is known yet.
FIRST_OFFSET = 24


@dataclass(frozen=True)
class Plan:
    """How to train.

    Args:
        n_steps: how many.
        learning_rate: at its highest.
        share_falling: the learning rate falls over this share of the steps, the last ones.
        n_warmup: steps of linear rise.
        clip: largest norm of the gradient.
        seed: of the step's canvases.
        checkpoint_every: steps between two checkpoints.
        validate_every: steps between two validations.
    """

    n_steps: int
    learning_rate: float = 5e-4
    share_falling: float = 0.2
    n_warmup: int = 20
    clip: float = 1.0
    seed: int = 0
    checkpoint_every: int = 25
    validate_every: int = 100

    def rate(self, step: int) -> float:
        """Return the learning rate of a step: rise, plateau, linear fall."""
        fall = max(1.0, self.share_falling * self.n_steps)
        rise = min(1.0, (step + 1) / self.n_warmup)
        return self.learning_rate * rise * min(1.0, max(0.0, (self.n_steps - step) / fall))


@dataclass(frozen=True)
class Outcome:
    """What one context showed."""

    loss: Tensor
    #: [n_targets] bool: the row's best token is the base's own; without and with the link.
    blind: Tensor
    linked: Tensor
    batch: Batch

    def agreement(self) -> dict[str, float]:
        """Return the shares that agree with the base, of draft rows by depth in the run."""
        shares = {}
        for depth in range(1, N_DEPTHS_TOLD + 1):
            chosen = self.batch.is_draft & (self.batch.depth == depth)
            shares[f"blind_{depth}"] = self.blind[chosen].float().mean().item()
            shares[f"linked_{depth}"] = self.linked[chosen].float().mean().item()
        shares["revealed"] = self.blind[~self.batch.is_draft].float().mean().item()
        return shares


class Trainer:
    """Trains an adapter on a frozen base.

    Args:
        denoiser: the base, its maps differentiable in their input.
        parameters: the adapter.
        draft_head: the head's rows for the adapter's vocabulary, differentiable likewise.
        examples: contexts to train on.
        heldout: contexts to validate on.
        mixture: canvases of a step.
        plan: steps, rates, intervals.
        folder: of checkpoint and metrics.
    """

    def __init__(
        self,
        denoiser: CanvasDenoiser,
        parameters: AdapterParameters,
        draft_head: Linear,
        examples: Examples,
        heldout: Sequence[Example],
        mixture: Mixture,
        plan: Plan,
        folder: Path,
    ) -> None:
        self._denoiser = denoiser
        self._parameters = parameters
        self._draft_head = draft_head
        self._examples = examples
        self._heldout = heldout
        self._mixture = mixture
        self._plan = plan
        self._folder = folder
        self._optimizer = torch.optim.AdamW(
            [
                {"params": parameters.low_rank(), "share": 1.0},
                {"params": parameters.links(), "share": LINK_RATE_SHARE},
            ],
            lr=plan.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=0.0,
        )
        self.step = 0
        vocabulary = parameters.get_buffer("vocabulary")
        #: [vocab_size]: index in the vocabulary, -1 outside it.
        index = torch.full((denoiser.vocab_size,), -1)
        index[vocabulary.cpu()] = torch.arange(len(vocabulary))
        self._index = index.to(denoiser.device)

    def run(self) -> None:
        """Train up to the plan's last step, from the checkpoint if there is one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if (self._folder / CHECKPOINT).exists():
            self.resume()
        while self.step < self._plan.n_steps:
            started = time.monotonic()
            outcome = self._train_step()
            self.step += 1
            self._tell("train", outcome.loss.item(), outcome.agreement(), started)
            if self.step % self._plan.validate_every == 0 or self.step == self._plan.n_steps:
                self.validate()
            if self.step % self._plan.checkpoint_every == 0 or self.step == self._plan.n_steps:
                self.checkpoint()

    def validate(self) -> None:
        """Measure the loss and the agreement with the base on held-out contexts."""
        started = time.monotonic()
        with torch.no_grad():
            outcomes = [
                self._evaluate(example, Random(index))  # noqa: S311  # no secrets here
                for index, example in enumerate(self._heldout)
            ]
        shares = [outcome.agreement() for outcome in outcomes]
        mean = {name: sum(share[name] for share in shares) / len(shares) for name in shares[0]}
        loss = sum(outcome.loss.item() for outcome in outcomes) / len(outcomes)
        self._tell("heldout", loss, mean, started)

    def checkpoint(self) -> None:
        """Write parameters, moments and step number, atomically."""
        tensors = dict(self._parameters.state_dict())
        for name, parameter in self._parameters.named_parameters():
            state = self._optimizer.state[parameter]
            tensors[f"first.{name}"] = state["exp_avg"]
            tensors[f"second.{name}"] = state["exp_avg_sq"]
        scratch = self._folder / f"{CHECKPOINT}.part"
        save_file(tensors, scratch, {"step": str(self.step)})
        scratch.replace(self._folder / CHECKPOINT)

    def resume(self) -> None:
        """Read what `checkpoint` wrote."""
        with safe_open(self._folder / CHECKPOINT, framework="pt") as file:
            self.step = int(file.metadata()["step"])
            names = self._parameters.state_dict().keys()
            self._parameters.load_state_dict({name: file.get_tensor(name) for name in names})
            for name, parameter in self._parameters.named_parameters():
                self._optimizer.state[parameter] = {
                    "step": torch.tensor(float(self.step)),
                    "exp_avg": file.get_tensor(f"first.{name}").to(parameter.device),
                    "exp_avg_sq": file.get_tensor(f"second.{name}").to(parameter.device),
                }

    def _train_step(self) -> Outcome:
        for group in self._optimizer.param_groups:
            group["lr"] = group["share"] * self._plan.rate(self.step)
        rng = Random(f"{self._plan.seed}/{self.step}")  # noqa: S311  # no secrets here
        outcome = self._evaluate(self._examples[self.step], rng)
        outcome.loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters.parameters(), self._plan.clip)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return outcome

    def _evaluate(self, example: Example, rng: Random) -> Outcome:
        # The frozen maps keep their own precision; this is attention, adapter and link. A base in
        # half precision takes these along by itself.
        is_wide = self._denoiser.model.dtype == torch.float32
        with torch.autocast(
            self._denoiser.device.type,
            torch.bfloat16,
            enabled=is_wide and fast_dtype() == torch.bfloat16,
        ):
            return self._evaluate_on(example, rng)

    def _evaluate_on(self, example: Example, rng: Random) -> Outcome:
        model = self._denoiser.model
        token_ids = example.token_ids
        near_span = min(example.span_start, len(token_ids) - NEAR_SPAN)
        if rng.random() > SHARE_NEAR_SPAN:
            near_span = 0
        first_offset = max(FIRST_OFFSET, near_span)
        batch = lay_canvases(token_ids, self._mixture, first_offset, rng)
        cache = self._denoiser.new_cache()
        position, row_index, depth, text = (
            each.to(self._denoiser.device)
            for each in (batch.position, batch.row_index, batch.depth, token_ids)
        )
        with torch.no_grad():
            base = self._denoiser.encode(token_ids.tolist(), cache)
            teacher = self._draft_head(base[position - 1])
        adapter = self._parameters.adapter()
        model.attach(adapter, self._draft_head)
        hidden = model.hidden(batch.rows, FrozenContext(cache))[row_index]
        before = model.embedding(text[position - 1])
        blind, linked = self._draft_head(hidden), self._draft_head(adapter.link(hidden, before))
        target, best = self._index[text[position]], teacher.argmax(dim=-1)
        loss = sum(
            denoising_loss(student, teacher, target, depth, self._mixture) / 2
            for student in (blind, linked)
        )
        return Outcome(
            torch.as_tensor(loss),
            (blind.detach().argmax(dim=-1) == best).cpu(),
            (linked.detach().argmax(dim=-1) == best).cpu(),
            batch,
        )

    def _tell(self, kind: str, loss: float, shares: dict[str, float], started: float) -> None:
        line = {
            "kind": kind,
            "step": self.step,
            "loss": round(loss, 4),
            **{name: round(value, 4) for name, value in shares.items()},
            "seconds": round(time.monotonic() - started, 2),
        }
        with (self._folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def describe(plan: Plan, mixture: Mixture) -> dict[str, str]:
    """Return the settings of a run as text, for the adapter's metadata."""
    return {name: str(value) for name, value in (asdict(plan) | asdict(mixture)).items()}
