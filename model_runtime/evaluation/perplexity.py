"""How well the model knows held-out code: exactly for the base, as a bound for the canvas.

Three figures over the same tasks:

    code     the base, left to right, over each task's whole text; exact
    span     the base over the gap alone, given the fill-in-the-middle context; exact
    canvas   the canvas over the same gap and context: the bound of masked diffusion

The bound (the negative ELBO) of a span x of L tokens in context c is, with l uniform over 1 … L and
S uniform over the sets of l positions,

    -log p(x | c) <= E_l E_S [ L / l · sum_{i in S} -log p(x_i | x outside S, c) ]

(Nie et al. 2025, arXiv 2502.09992, eq. 14). It is what integrating MDLM's loss over the noise level
t gives (Sahoo et al. 2024, arXiv 2406.07524, eq. 10), the number of masks taken out of the chance.
The draws of l are stratified: each covers an equal part of 1 … L.

A gap's end is not counted: where it stands is the task's choice, not the text's. The canvas, made
of L masks, knows the length; the base does not.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import msgspec
import torch

from model_runtime.decoding.canvas import Canvas, Query
from model_runtime.decoding.choose import clean_logits
from model_runtime.evaluation.report import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from torch import Tensor

    from model_runtime.caches.base import Cache
    from model_runtime.evaluation.base import EvalTask
    from model_runtime.models.base import Denoiser
    from model_runtime.text.fim import FimTemplate

#: A canvas proposes from a part of the vocabulary. So that a token outside it has some probability,
#: the bound is that of a mixture: this much of the uniform distribution, the canvas for the rest.
UNIFORM_SHARE = 1e-3
#: Rows of one forward: a row of logits has as many numbers as the vocabulary has tokens.
_ROWS_AT_ONCE = 64


class Likelihood(msgspec.Struct, frozen=True, kw_only=True):
    """What some text cost to predict."""

    n_tokens: int
    n_bytes: int
    #: Negative log-probability of it all.
    nats: float

    @property
    def perplexity(self) -> float:
        """Per token; comparable only between models of one tokenizer."""
        return math.exp(self.nats / self.n_tokens)

    @property
    def bits_per_byte(self) -> float:
        """Comparable between all models."""
        return self.nats / math.log(2) / self.n_bytes

    def __add__(self, other: Likelihood) -> Likelihood:
        """Put two texts together."""
        return Likelihood(
            n_tokens=self.n_tokens + other.n_tokens,
            n_bytes=self.n_bytes + other.n_bytes,
            nats=self.nats + other.nats,
        )


class Perplexities(msgspec.Struct, frozen=True, kw_only=True):
    """The three figures, over the same tasks."""

    n_tasks: int
    n_draws: int
    code: Likelihood
    span: Likelihood
    canvas: Likelihood


def report(measured: Perplexities, folder: Path) -> str:
    """Write `perplexity.json` and `perplexity.md`; return the table."""
    rows = [
        (
            name,
            str(likelihood.n_tokens),
            f"{likelihood.perplexity:.3f}",
            f"{likelihood.bits_per_byte:.3f}",
        )
        for name, likelihood in (
            ("code: base, left to right", measured.code),
            ("span: base, given the context", measured.span),
            (f"span: canvas, bound of {measured.n_draws} draws", measured.canvas),
        )
    ]
    text = table(("text and model", "tokens", "perplexity", "bits per byte"), rows)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "perplexity.json").write_bytes(msgspec.json.encode(measured) + b"\n")
    (folder / "perplexity.md").write_text(text, encoding="utf-8")
    return text


@torch.inference_mode()
def measure(
    tasks: Iterable[EvalTask],
    denoiser: Denoiser,
    new_cache: Callable[[], Cache],
    template: FimTemplate,
    *,
    n_draws: int = 8,
    seed: int = 0,
) -> Perplexities:
    """Measure an order-based family, whose rows without a mask before them are the base's own.

    Args:
        tasks: gaps with their references; at least one.
        denoiser: base and canvas.
        new_cache: makes an empty one that fits.
        template: lays contexts out.
        n_draws: forwards a span.
        seed: of the draws.
    """
    encode = template.tokenizer.encode
    nothing = Likelihood(n_tokens=0, n_bytes=0, nats=0.0)
    code = span = canvas = nothing
    n_tasks = 0
    for task in tasks:
        rng = random.Random(f"{seed}/{task.id}")  # noqa: S311  not for secrets
        first, *rest = encode(task.prefix + task.reference + task.suffix)
        code += exact(denoiser, new_cache(), [first], rest, template.tokenizer.decode(rest))
        context = template.lay_out(encode(task.prefix), encode(task.suffix))
        wanted = encode(task.reference)
        cache = new_cache()
        span += exact(denoiser, cache, context, wanted, task.reference)
        nats = bound(denoiser, cache, context, wanted, n_draws, rng)
        n_bytes = len(task.reference.encode())
        canvas += Likelihood(n_tokens=len(wanted), n_bytes=n_bytes, nats=nats)
        n_tasks += 1
    return Perplexities(n_tasks=n_tasks, n_draws=n_draws, code=code, span=span, canvas=canvas)


def exact(
    denoiser: Denoiser, cache: Cache, context: list[int], wanted: list[int], text: str
) -> Likelihood:
    """Return what `wanted`, the tokens of `text`, cost the base behind a context of one or more."""
    token_ids = torch.tensor([*context, *wanted])
    canvas = Canvas(token_ids, _given(context, wanted), denoiser.mask_id)
    nats = 0.0
    for positions in torch.arange(len(context), len(token_ids)).split(_ROWS_AT_ONCE):
        rows = denoiser.predict(canvas, Query(positions, visible=positions), cache).rows
        log_p = rows.log_softmax(-1).gather(1, token_ids[positions, None].to(rows.device))
        nats -= float(log_p.double().sum())
    return Likelihood(n_tokens=len(wanted), n_bytes=len(text.encode()), nats=nats)


def bound(
    denoiser: Denoiser,
    cache: Cache,
    context: list[int],
    wanted: list[int],
    n_draws: int,
    rng: random.Random,
) -> float:
    """Estimate the bound, in nats, of `wanted` as a canvas behind a context; see the module."""
    token_ids, length = torch.tensor([*context, *wanted]), len(wanted)
    nats = 0.0
    for n_masks in stratified(length, n_draws, rng):
        hidden = torch.tensor(sorted(rng.sample(range(length), n_masks))) + len(context)
        masked = token_ids.index_fill(0, hidden, _mask(denoiser))
        canvas = Canvas(masked, _given(context, wanted), denoiser.mask_id)
        rows = denoiser.predict(canvas, Query(hidden), cache).rows
        log_p = _mixed(rows, denoiser).gather(1, token_ids[hidden, None].to(rows.device))
        nats -= float(log_p.double().sum()) * length / n_masks
    return nats / n_draws


def stratified(length: int, n_draws: int, rng: random.Random) -> list[int]:
    """Draw `n_draws` numbers of masks from 1 … length, one from each equal part of the range."""
    return [1 + int((k + rng.random()) / n_draws * length) for k in range(n_draws)]


def _mixed(rows: Tensor, denoiser: Denoiser) -> Tensor:
    """Return log-probabilities [n_rows, vocab] of the mixture with the uniform distribution."""
    log_p = clean_logits(rows, denoiser.mask_id).log_softmax(-1)
    uniform = torch.tensor(math.log(UNIFORM_SHARE / denoiser.vocab_size), device=rows.device)
    return torch.logaddexp(log_p + math.log1p(-UNIFORM_SHARE), uniform)


def _given(context: list[int], wanted: list[int]) -> Tensor:
    return torch.arange(len(context) + len(wanted)) < len(context)


def _mask(denoiser: Denoiser) -> int:
    if denoiser.mask_id is None:
        raise ValueError(f"the {denoiser.name!r} family has no masks to measure")
    return denoiser.mask_id
