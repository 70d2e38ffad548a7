"""What a change is worth to a family that sees both sides of it: by the tokens that change alone.

Of two texts that differ in one place, p(one) / p(other) = p(its place | the rest) / p(the other's
place | the rest): what they share has no say but as what is given. So a proposal costs the rows of
a few masked evaluations, all proposals in one batch, and nothing of what stands around is computed
again. Where the places have different lengths this leaves out how likely a place is to have so many
tokens, of which such models know nothing.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from model_runtime.decoding.canvas import Region
from model_runtime.decoding.choose import clean_logits
from model_runtime.modes.change import ends
from model_runtime.modes.proposals import N_PROPOSED, JudgedText

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from model_runtime.modes.job import Job
    from model_runtime.text.laid_out import LaidOut

#: Proposals judged at once, and evaluations of one of them: its tokens from left to right.
N_JUDGED = 24
N_EVALUATIONS = 4


def both_sides(
    job: Job, laid_out: LaidOut, token_ids: tuple[int, ...], relative: float
) -> JudgedText:
    """Return a text with each of its tokens judged given all others.

    Args:
        job: on its way.
        laid_out: the place, with a text on it.
        token_ids: the text.
        relative: see `JudgedText`.
    """
    judged = job.judge_each(laid_out.opened(token_ids, torch.arange(0)), 1 + N_PROPOSED)
    return JudgedText(token_ids, judged, relative)


def judged_in_place(
    job: Job, laid_out: LaidOut, best: JudgedText, proposed: Sequence[tuple[int, ...]]
) -> list[JudgedText]:
    """Return proposals, each with its log-probability above that of the text they were made of."""
    chosen = [one for one in proposed if one][:N_JUDGED]
    asked: list[tuple[tuple[int, ...], range]] = []
    for one in chosen:
        head, tail = ends(best.token_ids, one)
        # A token that both have stands for the place where one of them has nothing.
        tail = max(0, tail - int(len(one) != len(best.token_ids)))
        asked.append((one, range(head, len(one) - tail)))
        asked.append((best.token_ids, range(head, len(best.token_ids) - tail)))
    scores = _log_p(job, laid_out, asked)
    gains = [new - old for new, old in zip(scores[::2], scores[1::2], strict=True)]
    return [
        JudgedText(one, best.judged, best.score + gain)
        for one, gain in zip(chosen, gains, strict=True)
    ]


def _log_p(
    job: Job, laid_out: LaidOut, asked: Sequence[tuple[tuple[int, ...], range]]
) -> list[float]:
    """Return the log-probability of a part of each text, given the rest of it."""
    mask_id = job.model.denoiser.mask_id or 0
    groups = [_groups(places) for _, places in asked]
    regions = [
        Region([*text[: group.start], *_masked(text, group, places, mask_id)], list(group))
        for (text, places), parts in zip(asked, groups, strict=True)
        for group in parts
    ]
    if not regions:
        return [0.0] * len(asked)
    with job.counted():
        rows = iter(
            job.model.denoiser.predict_between(
                laid_out.context, regions, laid_out.behind, job.cache, job.cancel.check
            )
        )
    return [
        sum(_sum(next(rows), [text[at] for at in group], mask_id) for group in parts)
        for (text, _), parts in zip(asked, groups, strict=True)
    ]


def _masked(text: tuple[int, ...], group: range, places: range, mask_id: int) -> list[int]:
    """Return a text from a group on: masks up to the end of what is asked about, then the rest."""
    return [mask_id] * (places.stop - group.start) + list(text[places.stop :])


def _groups(places: range) -> list[range]:
    n_groups = min(len(places), N_EVALUATIONS)
    cuts = [places.start + len(places) * n // max(1, n_groups) for n in range(n_groups + 1)]
    return [range(*pair) for pair in pairwise(cuts)]


def _sum(logits: Tensor, token_ids: list[int], mask_id: int) -> float:
    log_p = clean_logits(logits.float(), mask_id).log_softmax(-1)
    return float(log_p.gather(-1, torch.tensor(token_ids)[:, None]).sum())
