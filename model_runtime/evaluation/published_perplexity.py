"""How well a published diffusion model knows held-out code.

Families that see the whole file and fill masks: the bound (`bound`) of each task's gap, between
what stands before and behind it. Eso-LM: the bound of the whole text, for several alpha_0, the
share of the text that is left to diffusion; at 0 all of it is predicted from left to right, and the
figure is exact (Sahoo et al. 2025, arXiv 2506.01928, section 3):

    -log p(x) <= E_{z ~ q_alpha_0} sum_{i in masks(z)} -log p_AR(x_i | z, x_<i)
               + E_t alpha_0 / (1 - alpha_t) E_{z ~ q_alpha_t} sum_{i in masks(z)} -log p(x_i | z)

with t uniform over 0 … 1, alpha_t = alpha_0 (1 - t), and q_alpha masking each token with
probability 1 - alpha.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from model_runtime.caches.none import NoCache
from model_runtime.decoding.choose import clean_logits
from model_runtime.devices import choose_device, published_dtype
from model_runtime.errors import ModelLoadFailed, UnsupportedPairing
from model_runtime.evaluation.bound import NOTHING, Likelihood, bound, rng_of
from model_runtime.models.eso import Eso
from model_runtime.models.parts.load import load_family
from model_runtime.text.tokenizer import CodeTokenizer
from model_runtime.weights.published import TOKENIZER_FILE

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable
    from pathlib import Path

    from torch import Tensor

    from model_runtime.evaluation.base import EvalTask
    from model_runtime.models.parts.family import Family

#: Shares of the text that Eso-LM leaves to diffusion, as in its paper.
ALPHAS = (0.0, 0.0625, 0.125, 0.25, 0.5, 1.0)


def measure_published(
    tasks: Iterable[EvalTask], folder: Path, *, n_draws: int, seed: int
) -> dict[str, Likelihood]:
    """Measure a checkpoint; return its figures by name.

    Raises:
        ModelLoadFailed: it can't be loaded, or has no `tokenizer.json`.
        UnsupportedPairing: the family fills no masks, or sees nothing behind a gap.
    """
    if not (folder / TOKENIZER_FILE).is_file():
        raise ModelLoadFailed(f"{folder} has no {TOKENIZER_FILE}, which text is read with")
    device = choose_device()
    family = load_family(folder, device, published_dtype(device))
    tokenizer = CodeTokenizer(folder / TOKENIZER_FILE)
    if isinstance(family, Eso):
        return _measure_eso(tasks, family, tokenizer, n_draws, seed)
    if "logits" not in family.kinds or family.mask_id is None or family.block_length is not None:
        raise UnsupportedPairing(
            f"the {family.name!r} family has no masks between two pieces of text to measure"
        )
    return {f"gap: bound of {n_draws} draws": _gaps(tasks, family, tokenizer, n_draws, seed)}


def _gaps(
    tasks: Iterable[EvalTask], family: Family, tokenizer: CodeTokenizer, n_draws: int, seed: int
) -> Likelihood:
    found = NOTHING
    for task in tasks:
        wanted = tokenizer.encode(task.reference)[: family.max_length // 2]
        n_left = family.max_length - len(wanted)
        behind = tokenizer.encode(task.suffix)[: n_left // 3]
        context = tokenizer.encode(task.prefix)[-(n_left - len(behind)) :]
        nats = bound(family, NoCache(), context, wanted, n_draws, rng_of(task, seed), behind)
        found += Likelihood.of(wanted, tokenizer.decode(wanted), nats)
    return found


def _measure_eso(
    tasks: Iterable[EvalTask], family: Eso, tokenizer: CodeTokenizer, n_draws: int, seed: int
) -> dict[str, Likelihood]:
    figures = dict.fromkeys(ALPHAS, NOTHING)
    for task in tasks:
        text = task.prefix + task.reference + task.suffix
        token_ids = tokenizer.encode(text)[: family.max_length]
        shown = tokenizer.decode(token_ids)
        for alpha in ALPHAS:
            ids, rng = torch.tensor(token_ids), rng_of(task, seed)
            nats = interpolated(family, ids, alpha, n_draws, rng)
            figures[alpha] += Likelihood.of(token_ids, shown, nats)
    return {
        f"text: alpha_0 = {alpha:g}, bound of {n_draws} draws": figure
        for alpha, figure in figures.items()
    }


def interpolated(
    family: Eso, token_ids: Tensor, alpha_0: float, n_draws: int, rng: random.Random
) -> float:
    """Estimate Eso-LM's bound of a text, in nats; see the module.

    Args:
        family: its two phases are evaluated as in training.
        token_ids: [length] int64, the text.
        alpha_0: share left to diffusion, 0 to 1.
        n_draws: of both phases; the times are stratified.
        rng: of the draws.
    """
    nats = 0.0
    for draw in range(n_draws):
        if alpha_0 < 1:
            order, n_clean = _mask(len(token_ids), alpha_0, rng, in_order=True)
            nats += _cost(family, token_ids[order], order, n_clean, sequential=True)
        if alpha_0 > 0:
            alpha = alpha_0 * (1 - (draw + rng.random()) / n_draws)
            order, n_clean = _mask(len(token_ids), alpha, rng, in_order=False)
            cost = _cost(family, token_ids[order], order, n_clean, sequential=False)
            nats += alpha_0 / (1 - alpha) * cost
    return nats / n_draws


def _mask(length: int, alpha: float, rng: random.Random, *, in_order: bool) -> tuple[Tensor, int]:
    """Return a decoding order [length], and how many of it are clean."""
    shuffled = rng.sample(range(length), length)
    clean = [place for place in shuffled if rng.random() < alpha]
    masked = list(set(shuffled) - set(clean))
    masked = sorted(masked) if in_order else rng.sample(masked, len(masked))
    return torch.tensor([*clean, *masked]), len(clean)


def _cost(
    family: Eso, token_ids: Tensor, order: Tensor, n_clean: int, *, sequential: bool
) -> float:
    """Return the negative log-probability, in nats, of what is masked.

    Args:
        family: predicts.
        token_ids: [length] the text, in decoding order.
        order: [length] the position of each.
        n_clean: so many at the order's beginning are shown.
        sequential: in the phase that predicts from left to right.
    """
    noisy = token_ids.clone()
    noisy[n_clean:] = family.mask_id
    rows = family.forward(noisy[None], order[None], token_ids[None] if sequential else None)[0]
    log_p = clean_logits(rows[n_clean:].float().cpu(), family.mask_id).log_softmax(-1)
    return -float(log_p.gather(1, token_ids[n_clean:, None]).double().sum())
