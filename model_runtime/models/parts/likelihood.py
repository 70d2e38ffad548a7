"""How likely a text is to a masked diffusion model: by a few evaluations, all in one batch.

Such a model is a causal one in every order at once (Hoogeboom et al. 2022, arXiv 2110.02037): a
text's log-probability is the sum over its tokens of log p(token | those before it in the order,
the rest masked), and the mean over orders is LLaDA's bound (Nie et al. 2025, arXiv 2502.09992, eq.
14). One order, from left to right, makes what stands at a text's beginning comparable with what a
causal model says of it, and costs an evaluation a token. So a text is cut into at most
`N_EVALUATIONS` groups, and the tokens of a group are predicted at once, each without the others of
its group: a bound again, for what they say of each other is left out. Up to `N_EVALUATIONS` tokens
it is exact for the order.

`judge_each` asks about each token given all others on both sides. Every `STRIDE`-th is masked at
once: neighbours, which say most about each other, are never in the same evaluation.

How far off groups are is stated in `ERROR`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from model_runtime.decoding.canvas import Region
from model_runtime.decoding.choose import clean_logits
from model_runtime.models.base import Judgement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from model_runtime.caches.base import Cache
    from model_runtime.models.parts.family import Family

N_EVALUATIONS = 8
STRIDE = 4
#: The mean difference a token between groups and one token at a time, in standard deviations of the
#: tokens' log-probabilities: at most this on small random models, by their contract's test.
ERROR = 1.0


def judge_several(
    family: Family,
    context: list[int],
    texts: Sequence[Sequence[int]],
    behind: Sequence[int],
    cache: Cache,
    n_best: int,
    check: Callable[[], None],
) -> list[Judgement]:
    """Say how likely each text is, from left to right; see `Denoiser.judge_several`."""
    mask_id = 0 if family.mask_id is None else family.mask_id
    groups = [_groups(len(text)) for text in texts]
    asked = [
        ([*text[: group.start], *[mask_id] * (len(text) - group.start)], list(group))
        for text, parts in zip(texts, groups, strict=True)
        for group in parts
    ]
    rows = iter(_ask(family, context, asked, behind, cache, check))
    return [
        _judged(family, torch.cat([next(rows) for _ in parts]), text, n_best)
        for text, parts in zip(texts, groups, strict=True)
    ]


def judge_each(
    family: Family,
    context: list[int],
    text: Sequence[int],
    behind: Sequence[int],
    cache: Cache,
    n_best: int,
    check: Callable[[], None],
) -> Judgement:
    """Say how likely each token is given all others; see `Denoiser.judge_each`."""
    mask_id = 0 if family.mask_id is None else family.mask_id
    groups = [list(range(first, len(text), STRIDE)) for first in range(min(STRIDE, len(text)))]
    asked = [
        ([mask_id if at in group else token_id for at, token_id in enumerate(text)], group)
        for group in groups
    ]
    rows = torch.cat(_ask(family, context, asked, behind, cache, check))
    order = torch.tensor([at for group in groups for at in group]).argsort()
    return _judged(family, rows[order], text, n_best)


def _ask(
    family: Family,
    context: list[int],
    asked: Sequence[tuple[list[int], list[int]]],
    behind: Sequence[int],
    cache: Cache,
    check: Callable[[], None],
) -> list[Tensor]:
    regions = [Region(token_ids, places) for token_ids, places in asked]
    return family.predict_between(context, regions, behind, cache, check)


def _groups(n_tokens: int) -> list[range]:
    """Return runs of a text's places, from left to right, the longer ones last."""
    n_groups = min(n_tokens, N_EVALUATIONS)
    ends = [n_tokens * n // n_groups for n in range(n_groups + 1)]
    return [range(start, end) for start, end in pairwise(ends)]


def _judged(family: Family, rows: Tensor, text: Sequence[int], n_best: int) -> Judgement:
    log_p = clean_logits(rows.float(), family.mask_id).log_softmax(-1)
    own = log_p.gather(-1, torch.tensor(text)[:, None])[:, 0]
    best = log_p.topk(min(n_best, log_p.shape[-1]))
    return Judgement(own, best.values, best.indices)
