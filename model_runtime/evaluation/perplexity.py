"""How well the model knows held-out code: exactly for the base, as a bound for the canvas.

Three figures over the same tasks:

    code     the base, left to right, over each task's whole text; exact
    span     the base over the gap alone, given the fill-in-the-middle context; exact
    canvas   the canvas over the same gap and context: the bound of masked diffusion

How that bound is estimated is told in `bound`.

A gap's end is not counted: where it stands is the task's choice, not the text's. The canvas, made
of L masks, knows the length; the base does not.

A published checkpoint has its own figures: see `published_perplexity`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec
import torch

from model_runtime.decoding.canvas import Canvas, Query
from model_runtime.engines.loading import load_default
from model_runtime.evaluation.bound import NOTHING, Likelihood, bound, rng_of
from model_runtime.evaluation.heldout import read_tasks
from model_runtime.evaluation.published_perplexity import measure_published
from model_runtime.evaluation.report import table, write_json
from model_runtime.evaluation.run import spread
from model_runtime.settings import flags_of, load_settings
from model_runtime.weights.fetch import cache_dir
from model_runtime.weights.published import local_folder

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from model_runtime.caches.base import Cache
    from model_runtime.evaluation.base import EvalTask
    from model_runtime.models.base import Denoiser
    from model_runtime.text.template import Template

log = logging.getLogger(__name__)

#: Rows of one forward: a row of logits has as many numbers as the vocabulary has tokens.
_ROWS_AT_ONCE = 64


class Perplexities(msgspec.Struct, frozen=True, kw_only=True):
    """The three figures, over the same tasks."""

    n_tasks: int
    n_draws: int
    code: Likelihood
    span: Likelihood
    canvas: Likelihood


def main(arguments: argparse.Namespace) -> str:
    """Measure the default model, or a published checkpoint; write and return the table."""
    settings = load_settings(flags_of(arguments))
    tasks = spread(read_tasks(arguments.tasks), arguments.limit)
    if arguments.checkpoint:
        folder = local_folder(arguments.checkpoint, cache_dir(settings.cache_dir))
        figures = measure_published(tasks, folder, n_draws=arguments.draws, seed=arguments.seed)
        return write(figures, figures, arguments.out)
    loaded = load_default(settings, lambda words, _: log.info("%s", words))
    measured = measure(
        tasks,
        loaded.denoiser,
        loaded.denoiser.new_cache,
        loaded.layout.template,
        n_draws=arguments.draws,
        seed=arguments.seed,
    )
    return report(measured, arguments.out)


def report(measured: Perplexities, folder: Path) -> str:
    """Write `perplexity.json`; return the table."""
    figures = {
        "code: base, left to right": measured.code,
        "span: base, given the context": measured.span,
        f"span: canvas, bound of {measured.n_draws} draws": measured.canvas,
    }
    return write(figures, measured, folder)


def write(figures: Mapping[str, Likelihood], measured: object, folder: Path) -> str:
    """Write what figures come from as JSON; return them as a table."""
    write_json(folder / "perplexity.json", measured)
    rows = [
        (name, one.n_tokens, f"{one.perplexity:.3f}", f"{one.bits_per_byte:.3f}")
        for name, one in figures.items()
    ]
    return table(("text and model", "tokens", "perplexity", "bits per byte"), rows)


@torch.inference_mode()
def measure(
    tasks: Sequence[EvalTask],
    denoiser: Denoiser,
    new_cache: Callable[[], Cache],
    template: Template,
    *,
    n_draws: int = 8,
    seed: int = 0,
) -> Perplexities:
    """Measure an order-based family, whose rows without a mask before them are the base's own.

    There is at least one task; for each canvas there are so many draws, forwards of a span.
    """
    encode = template.tokenizer.encode
    code = span = canvas = NOTHING
    for task in tasks:
        first, *rest = encode(task.prefix + task.reference + task.suffix)
        code += exact(denoiser, new_cache(), [first], rest, template.tokenizer.decode(rest))
        context = template.lay_out(encode(task.prefix), encode(task.suffix))
        wanted = encode(task.reference)
        cache = new_cache()
        span += exact(denoiser, cache, context, wanted, task.reference)
        nats = bound(denoiser, cache, context, wanted, n_draws, rng_of(task, seed))
        canvas += Likelihood.of(wanted, task.reference, nats)
    return Perplexities(n_tasks=len(tasks), n_draws=n_draws, code=code, span=span, canvas=canvas)


def exact(
    denoiser: Denoiser, cache: Cache, context: list[int], wanted: list[int], text: str
) -> Likelihood:
    """Return what `wanted`, the tokens of `text`, cost the base behind a context of one or more."""
    token_ids = torch.tensor([*context, *wanted])
    given = torch.arange(len(token_ids)) < len(context)
    canvas = Canvas(token_ids, given, denoiser.mask_id)
    nats = 0.0
    for positions in torch.arange(len(context), len(token_ids)).split(_ROWS_AT_ONCE):
        rows = denoiser.predict(canvas, Query(positions, visible=positions), cache).rows
        log_p = rows.log_softmax(-1).gather(1, token_ids[positions, None].to(rows.device))
        nats -= float(log_p.double().sum())
    return Likelihood.of(wanted, text, nats)
