"""Training a small model of a family that sees the whole file: `remask train --family`.

For a model that makes sense where a published one would not fit: in tests, and to look at. What is
written is a checkpoint as authors publish it, and is used as one.

The objective is masked diffusion's cross entropy (Nie et al. 2025, arXiv 2502.09992, eq. 3; Sahoo
et al. 2024, arXiv 2406.07524): a share t of a text's tokens is masked, t anything between none and
all, and each is predicted from what stands. In half of the texts the masks are those of gaps of
some tokens, for that is what an editor asks for, and all else stands.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn import functional

from model_runtime.errors import UnsupportedPairing
from model_runtime.models.parts.checkpoint import Weights
from model_runtime.models.parts.config import CONFIG_FILE, parse_config
from model_runtime.models.parts.masked import MaskedTransformer
from model_runtime.models.parts.shards import WEIGHTS_FILE
from model_runtime.text.tokenizer import CodeTokenizer
from model_runtime.training.int8 import fast_dtype
from model_runtime.training.loop import CHECKPOINT, METRICS
from model_runtime.training.vocabulary import learn_vocabulary
from model_runtime.weights.published import TOKENIZER_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Any

    from torch import Tensor

    from model_runtime.models.base import Denoiser
    from model_runtime.models.layers import Linear
    from model_runtime.models.parts.family import SmallSize
    from model_runtime.training.loop import Plan
    from model_runtime.training.tasks import Corpus

#: Texts that are drawn to learn a vocabulary from, and after how many characters it is enough.
N_READ, ENOUGH = 2000, 4_000_000
#: Share of the texts whose masks are gaps, and the most tokens of one.
SHARE_GAPS, GAP = 0.5, 16
#: Where held-out texts are drawn from: another stream than what is trained on.
HELDOUT_SEED = 1_000_003


@dataclass(frozen=True)
class Batches:
    """How texts come to a step.

    Args:
        n_texts: texts of one step.
        length: tokens of each.
    """

    n_texts: int = 16
    length: int = 128


class TrainedWeights(Weights):
    """Makes parameters of the tensors a family asks for, the same ones for a seed."""

    def __init__(self, device: torch.device, seed: int) -> None:
        super().__init__(device, torch.float32)
        self.parameters: dict[str, torch.nn.Parameter] = {}
        self._rng = torch.Generator().manual_seed(seed)

    def tensor(self, name: str, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        """Make one: norms of ones, biases of zeros, the rest of the size of what it maps."""
        del dtype  # all are trained in float32
        if len(shape) == 1:
            start = torch.zeros(shape) if name.endswith("bias") else torch.ones(shape)
        else:
            start = torch.randn(shape, generator=self._rng) * shape[-1] ** -0.5
        self.parameters[name] = torch.nn.Parameter(start.to(self.device))
        return self.parameters[name]

    def inert(self, *names: str) -> None:
        """Nothing is left over."""

    def linear(
        self,
        names: str | Sequence[str],
        n_in: int,
        *n_out: int,
        bias: bool = False,
        rounded: bool = True,
    ) -> Linear:
        """Make the parts of a map; they are joined at each use, for each has its own gradient."""
        del rounded
        names = [names] if isinstance(names, str) else names
        parts = [
            (
                self.tensor(f"{name}.weight", n, n_in),
                self.tensor(f"{name}.bias", n) if bias else None,
            )
            for name, n in zip(names, n_out, strict=True)
        ]
        return lambda x: torch.cat([functional.linear(x, *part) for part in parts], dim=-1)


class FamilyTrainer:
    """Trains a small model, resuming where a run stopped.

    Args:
        family: of `models/`.
        size: of the model.
        corpora: to train on, and held out.
        batches: what a step is made of.
        plan: steps, rates, intervals.
        folder: of the checkpoint, the metrics and the model.
        device: where it is trained.

    Raises:
        UnsupportedPairing: the family is not trained here.
    """

    def __init__(
        self,
        family: type[Denoiser],
        size: SmallSize,
        corpora: tuple[Corpus, Corpus],
        batches: Batches,
        plan: Plan,
        folder: Path,
        device: torch.device,
    ) -> None:
        if not issubclass(family, MaskedTransformer) or family.sees != "file":
            raise UnsupportedPairing(
                f"the {family.name!r} family is not trained here: only transformers that fill "
                "masks and see the whole file are"
            )
        folder.mkdir(parents=True, exist_ok=True)
        self._corpora, self._batches, self._plan, self._folder = corpora, batches, plan, folder
        path = folder / TOKENIZER_FILE
        if not path.exists():
            special = learn_vocabulary(_some(corpora[0], plan.seed), size.n_tokens, folder)
            values = family.small(size, special.mask_id, special.end_id)
            (folder / CONFIG_FILE).write_text(json.dumps(values, indent=1), encoding="utf-8")
        self.tokenizer = CodeTokenizer(path)
        values = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        weights = TrainedWeights(device, plan.seed)
        self.family = family(parse_config(values, family.config_type), weights)
        self._parameters = weights.parameters
        self._optimizer = torch.optim.AdamW(
            weights.parameters.values(), lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
        )
        self.step = 0

    def run(self) -> None:
        """Train to the plan's last step, from the checkpoint if there is one; write the model."""
        if (self._folder / CHECKPOINT).exists():
            self._resume()
        while self.step < self._plan.n_steps:
            started = time.monotonic()
            loss = self._train_step()
            self.step += 1
            self._tell("train", loss, started)
            last = self.step == self._plan.n_steps
            if last or self.step % self._plan.validate_every == 0:
                self._tell("heldout", self.validate(), time.monotonic())
            if last or self.step % self._plan.checkpoint_every == 0:
                self._checkpoint()
        tensors = {name: found.detach().bfloat16() for name, found in self._parameters.items()}
        save_file(tensors, self._folder / WEIGHTS_FILE, {"format": "pt"})

    @torch.no_grad()
    def validate(self, n_batches: int = 4) -> float:
        """Return the mean loss of held-out texts, in nats a token."""
        losses = [self._loss(self.texts(index, heldout=True), index) for index in range(n_batches)]
        return float(torch.stack(losses).mean())

    def texts(self, index: int, *, heldout: bool = False) -> Tensor:
        """Return batch number `index` [n_texts, length] int64; the same for the seed each time."""
        seed = HELDOUT_SEED if heldout else self._plan.seed
        rng = Random(f"{seed}/{index}")  # noqa: S311  # no secrets here
        rows: list[list[int]] = []
        while len(rows) < self._batches.n_texts:
            text = self._corpora[heldout].pick(rng).text
            # Tokens are three to four characters; a window of some more is cut to length.
            start = rng.randrange(max(1, len(text) - 4 * self._batches.length))
            start = text.find("\n", start) + 1
            token_ids = self.tokenizer.encode(text[start : start + 8 * self._batches.length])
            if len(token_ids) >= self._batches.length:
                rows.append(token_ids[: self._batches.length])
        return torch.tensor(rows)

    def _loss(self, texts: Tensor, index: int) -> Tensor:
        """Mask a batch, and return the mean loss of its masks."""
        masked = mask(texts, Random(f"{self._plan.seed}/masks/{index}"))  # noqa: S311  # no secrets here
        device = self.family.device
        fed = texts.masked_fill(masked, self.family.mask_id).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=fast_dtype() == torch.bfloat16):
            logits = self.family.align(self.family.logits(fed))
        return functional.cross_entropy(logits[masked.to(device)].float(), texts[masked].to(device))

    def _train_step(self) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = self._plan.rate(self.step)
        loss = self._loss(self.texts(self.step), self.step)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters.values(), self._plan.clip)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return float(loss.detach())

    def _checkpoint(self) -> None:
        """Write parameters, moments and step number, atomically."""
        tensors: dict[str, Tensor] = {}
        for name, parameter in self._parameters.items():
            state = self._optimizer.state[parameter]
            tensors[name] = parameter.detach()
            tensors[f"first.{name}"] = state["exp_avg"]
            tensors[f"second.{name}"] = state["exp_avg_sq"]
        scratch = self._folder / f"{CHECKPOINT}.part"
        save_file(tensors, scratch, {"step": str(self.step)})
        scratch.replace(self._folder / CHECKPOINT)

    @torch.no_grad()
    def _resume(self) -> None:
        with safe_open(self._folder / CHECKPOINT, framework="pt") as file:
            self.step = int(file.metadata()["step"])
            for name, parameter in self._parameters.items():
                parameter.copy_(file.get_tensor(name))
                self._optimizer.state[parameter] = {
                    "step": torch.tensor(float(self.step)),
                    "exp_avg": file.get_tensor(f"first.{name}").to(parameter.device),
                    "exp_avg_sq": file.get_tensor(f"second.{name}").to(parameter.device),
                }

    def _tell(self, kind: str, loss: float, started: float) -> None:
        seconds = round(time.monotonic() - started, 2)
        line: dict[str, Any] = {"kind": kind, "step": self.step, "loss": round(loss, 4)}
        with (self._folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({**line, "seconds": seconds}) + "\n")


def _some(corpus: Corpus, seed: int) -> Iterator[str]:
    """Yield texts, none of them twice."""
    rng, seen, n_read = Random(seed), set[int](), 0  # noqa: S311  # no secrets here
    for _ in range(N_READ):
        document = corpus.pick(rng)
        if id(document) not in seen:
            seen.add(id(document))
            n_read += len(document.text)
            yield document.text
        if n_read > ENOUGH:
            return


def mask(texts: Tensor, rng: Random) -> Tensor:
    """Return which tokens of texts [n_texts, length] are masked, as bool; one of each at least.

    The first token has nothing before it that could say what it is, and stands.
    """
    n_texts, length = texts.shape
    masked = torch.zeros(n_texts, length, dtype=torch.bool)
    for row in masked:
        whole = rng.random() >= SHARE_GAPS
        for places in [range(1, length)] if whole else _gaps(length, rng):
            share = rng.random()
            chosen = [at for at in places if rng.random() < share]
            row[chosen or [rng.choice(places)]] = True
    return masked


def _gaps(length: int, rng: Random) -> Iterator[range]:
    """Yield the places of some gaps of a text, as far from each other as they are long."""
    longest = min(GAP, length // 8)
    start = rng.randint(1, 2 * longest)
    while start < length:
        end = min(length, start + rng.randint(1, longest))
        yield range(start, end)
        start = end + rng.randint(longest, 2 * longest)
