"""Holes at once: several spans on one canvas, for families that see all of it.

Each mask sees the other spans as they come to be, from the first step on; so nothing has to be
filled twice, and no order is to be chosen. Only what is no longer the model's follows one after
another: a half token before a span is spelled, the length of each is asked for given those of the
others, and what was settled is cut to what is new in the file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
import torch

from model_runtime.decoding.canvas import Canvas
from model_runtime.decoding.denoise import Step, denoise
from model_runtime.modes.healing import healed
from model_runtime.modes.job import MARK
from model_runtime.modes.sizing import FIRST_LENGTH, budget_of, fitted
from model_runtime.protocol import Alternative, StepReport
from model_runtime.text.laid_out import LaidOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from model_runtime.modes.job import AnySampler, Job
    from model_runtime.text.laid_out import Fill


@dataclass
class _Joined:
    """Spans and what is given around them.

    Args:
        pieces: [n_spans + 1] the tokens before, between and behind the spans.
        heads: [n_spans] the tokens that each span has to begin with.
        lengths: [n_spans] its masks behind these.
        mask_id: of the family.
    """

    pieces: Sequence[list[int]]
    heads: list[list[int]]
    lengths: list[int]
    mask_id: int | None

    def canvas(self) -> Canvas:
        token_ids, given = list[int](), list[bool]()
        for index, piece in enumerate(self.pieces):
            head = self.heads[index] if index < len(self.heads) else []
            length = self.lengths[index] if index < len(self.lengths) else 0
            token_ids += [*piece, *head, *[self.mask_id or 0] * length]
            given += [True] * (len(piece) + len(head)) + [False] * length
        return Canvas(torch.tensor(token_ids), torch.tensor(given), self.mask_id)

    def view(self, index: int) -> LaidOut:
        """Return one span as if it were the only one, the others as they stand."""
        at = len(self.pieces[0])
        for before in range(index):
            at += len(self.heads[before]) + self.lengths[before] + len(self.pieces[before + 1])
        n_span = len(self.heads[index]) + self.lengths[index]
        canvas = self.canvas()
        n_behind = canvas.length - at - n_span
        return LaidOut(canvas, at, n_behind=n_behind, is_sized=True)

    def open_in(self, canvas: Canvas, index: int) -> Tensor:
        """Return [length] bool: which positions of a span are open, however the canvas grew."""
        n_before = sum(map(len, self.pieces[: index + 1])) + sum(map(len, self.heads[: index + 1]))
        return ~canvas.given & (canvas.given.long().cumsum(0) == n_before)

    def read(self, canvas: Canvas, index: int) -> list[int]:
        """Return a span's tokens."""
        token_ids: list[int] = canvas.token_ids[self.open_in(canvas, index)].tolist()
        return [*self.heads[index], *token_ids]


def can_join(job: Job) -> bool:
    """Whether a request's spans fit on one canvas, and something tells them apart there."""
    spans = job.request.spans
    if not job.model.layout.is_sized or len(spans) == 1:
        return False
    return all(span.following for span in spans[:-1]) and _pieces(job) is not None


def fill_together(job: Job, sampler: AnySampler) -> Alternative:
    """Fill all of a request's spans at once."""
    pieces = _pieces(job)
    if pieces is None:
        raise ValueError("the spans are too far apart; see `can_join`")
    n_spans = len(job.request.spans)
    joined = _Joined(
        pieces, [[] for _ in range(n_spans)], [FIRST_LENGTH] * n_spans, job.model.denoiser.mask_id
    )
    leads = [_lead(job, index) for index in range(n_spans)]
    for index, (half, opening) in enumerate(leads):
        view = replace(joined.view(index), half=half, opening=opening)
        is_one_line = job.request.spans[index].single_line
        begun = healed(job, view, is_one_line=is_one_line)
        joined.heads[index] = begun.canvas.token_ids[begun.span][: -begun.n_masks].tolist()
    for index in range(n_spans):
        sampler = _sized(job, joined, index, sampler)
    canvas = joined.canvas()
    _denoise(job, joined, canvas, sampler)
    return _read(job, joined, canvas, leads)


def _pieces(job: Job) -> list[list[int]] | None:
    """Return the tokens around the spans; None where those between leave no room."""
    request, layout = job.request, job.model.layout
    leads = [half for half, _ in (_lead(job, index) for index in range(len(request.spans)))]
    encode = layout.template.tokenizer.encode
    between = [
        encode(span.following.removesuffix(half))
        for span, half in zip(request.spans[:-1], leads[1:], strict=True)
    ]
    n_left = layout.max_context_tokens - sum(map(len, between))
    if n_left < layout.max_context_tokens // 2:
        return None
    suffix = request.spans[-1].following + request.suffix
    prefix = request.prefix.removesuffix(leads[0])
    before, behind = layout.within(n_left).surroundings(request, prefix, suffix)
    return [before, *between, behind]


def _lead(job: Job, index: int) -> tuple[str, str]:
    prefix, suffix = job.around([""] * len(job.request.spans), index)
    return job.model.layout.lead(job.request, job.request.spans[index], prefix, suffix)


def _sized(job: Job, joined: _Joined, index: int, sampler: AnySampler) -> AnySampler:
    """Find a span's length; return the sampler, which has to keep to the room there is."""
    span = job.request.spans[index]
    n_most = job.model.layout.n_open(span, joined.canvas().length)
    view, head = joined.view(index), joined.heads[index]
    laid_out = view.resumed(head, max(1, n_most - len(head)))
    found, bounded = fitted(job, laid_out, sampler)
    joined.lengths[index] = found.n_open - len(head)
    if not sampler.grows:
        return sampler
    n_room = max(bounded.params.max_tokens, *joined.lengths) * len(joined.heads)
    return type(sampler)(msgspec.structs.replace(sampler.params, max_tokens=n_room))


def _denoise(job: Job, joined: _Joined, canvas: Canvas, sampler: AnySampler) -> None:
    def on_step(step: Step) -> None:
        if job.request.stream:
            job.listener.step(_report(job, joined, step))
        job.n_steps += 1

    laid_out = LaidOut(canvas, len(joined.pieces[0]), is_sized=True)
    job.cost.n_context_tokens += sum(map(len, joined.pieces))
    with job.counted():
        denoise(
            job.model.denoiser, sampler, job.cache, canvas, budget_of(laid_out, sampler), job.rng,
            check=job.cancel.check, on_step=on_step,
        )  # fmt: skip


def _read(
    job: Job, joined: _Joined, canvas: Canvas, leads: Sequence[tuple[str, str]]
) -> Alternative:
    """Read the spans: each as far as it is new among the others."""
    layout, n_spans = job.model.layout, len(job.request.spans)
    said = [joined.read(canvas, index) for index in range(n_spans)]
    texts = [
        layout.template.tokenizer.decode(ids)[len(half) :]
        for ids, (half, _) in zip(said, leads, strict=True)
    ]
    fills: list[Fill] = []
    for index, (half, opening) in enumerate(leads):
        around = replace(job.lay_out(texts, index), half=half, opening=opening)
        laid_out = around.resumed(said[index], 0)
        fill = job.read(laid_out, texts, index)
        fills.append(fill)
        texts[index] = fill.text
    finishes = {fill.finish for fill in fills}
    return Alternative(
        texts=tuple(texts),
        finish=next((one for one in ("length", "doubt") if one in finishes), "closed"),
        confidence=tuple(fill.confidence for fill in fills)
        if all(fill.is_told for fill in fills)
        else (),
    )


def _report(job: Job, joined: _Joined, step: Step) -> StepReport:
    """Tell a step: each span as it stands, masks as marks."""
    decode, canvas = job.model.layout.template.tokenizer.decode, step.canvas
    drafts, settled = list[str](), list[str]()
    for index in range(len(job.request.spans)):
        pieces = [
            MARK if token == canvas.mask_id else decode([token])
            for token in joined.read(canvas, index)
        ]
        drafts.append("".join(pieces))
        settled.append(drafts[-1].partition(MARK)[0])
    return StepReport(
        id=job.request.id,
        step_index=job.n_steps,
        n_forwards=job.cost.n_forwards,
        n_committed=int((canvas.committed & ~canvas.given).sum()),
        drafts=tuple(drafts),
        committed=tuple(settled),
        mark=MARK,
    )
