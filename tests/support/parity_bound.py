"""DiffusionGemma's sampler against what its reference accepted, kept and finished.

One check a rule: its name is the fixtures' "rule".
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from support.recorded import Fixture, whole_block

from model_runtime.decoding.canvas import Canvas, Prediction
from model_runtime.decoding.choose import entropy
from model_runtime.samplers.entropy_bound import EntropyBound, EntropyBoundParams, accept
from model_runtime.text.laid_out import LaidOut
from model_runtime.text.layout import CanvasLayout

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def check_accept(fixture: Fixture) -> None:
    """The surest tokens within the bound, and no others."""
    tensors = fixture.tensors
    doubt = entropy(tensors["logits"].softmax(-1))
    torch.testing.assert_close(doubt, tensors["token_entropy"], atol=2e-5, rtol=0)
    for row, expected in zip(doubt, tensors["accepted_mask"], strict=True):
        assert accept(row, fixture.meta["entropy_bound"]).tolist() == expected.tolist()


def check_stopping(fixture: Fixture) -> None:
    """Stable and sure, asked over and over."""
    meta, tensors = fixture.meta, fixture.tensors
    stability = meta["stability_threshold"]
    rule = EntropyBound(
        EntropyBoundParams(stability=stability, sure_below=meta["confidence_threshold"])
    )
    for row in range(tensors["stop"].shape[1]):
        history: deque[Tensor] = deque(maxlen=stability)
        for logits, expected in zip(
            tensors["processed_logits"][:, row], tensors["stop"][:, row], strict=True
        ):
            best = logits.argmax(-1)
            doubt = entropy(logits.softmax(-1))
            assert rule.is_finished(best, doubt, history) == bool(expected)
            history.append(best)


def check_temperature(fixture: Fixture) -> None:
    """Temperature falls with the steps that are left."""
    for row in fixture.meta["rows"]:
        rule = EntropyBound(EntropyBoundParams(t_min=row["t_min"], t_max=row["t_max"]))
        for left, expected in zip(row["cur_step"], row["temperature"], strict=True):
            assert abs(rule.temperature(left / row["max_denoising_steps"]) - expected) < 1e-9


class RecordedDraws(EntropyBound):
    """The sampler with draws that were recorded."""

    drawn: Tensor
    noise_drawn: Tensor

    def draw(self, probabilities: Tensor, rng: torch.Generator) -> Tensor:
        """Return the recorded draw."""
        del probabilities, rng
        return self.drawn

    def noise(self, n: int, vocab_size: int, rng: torch.Generator) -> Tensor:
        """Return the recorded noise."""
        del n, vocab_size, rng
        return self.noise_drawn


def check_loop(fixture: Fixture) -> None:
    """Whole runs on uniform noise: every canvas, and the step at which each row is finished."""
    meta = fixture.meta
    params = EntropyBoundParams(
        entropy_bound=meta["entropy_bound"],
        t_min=meta["t_min"],
        t_max=meta["t_max"],
        stability=meta["stability_threshold"],
        sure_below=meta["confidence_threshold"],
    )
    steps = fixture.steps()
    for row in range(len(steps[0]["canvas_before"])):
        rule, token_ids = RecordedDraws(params), steps[0]["canvas_before"][row]
        block = whole_block(token_ids, None, steps[0]["logits"].shape[-1])
        state = rule.begin(block, meta["max_denoising_steps"], torch.Generator())
        for step in steps:
            assert token_ids.tolist() == step["canvas_before"][row].tolist()
            rule.drawn, rule.noise_drawn = (
                step["denoiser_canvas"][row],
                step["renoised_canvas"][row],
            )
            update = rule.step(token_ids, Prediction("logits", step["logits"][row]), state)
            token_ids = update.token_ids
            last = int(step["cur_step"]) == 1
            assert update.done == (bool(step["finished_after"][row]) or last)
            if update.done:
                assert token_ids.tolist() == step["argmax_canvas"][row].tolist()
                break
            assert token_ids.tolist() == step["canvas_after"][row].tolist()


@dataclass(frozen=True)
class Template:
    """What the layout reads of a template: token ids for text."""

    end_ids: frozenset[int]
    mask_id: int = -1

    @property
    def tokenizer(self) -> Template:
        """Itself."""
        return self

    def control(self, name: str) -> int:
        """Return an id no canvas here holds: nothing is laid out, only read."""
        return -2 - len(name)

    def find(self, name: str) -> int | None:  # noqa: ARG002  # the tokenizer's
        """Return None: it has no mark of a chat."""
        return None

    def decode(self, token_ids: list[int]) -> str:
        """Return the ids, spaced."""
        return " ".join(map(str, token_ids))

    def decode_whole(self, token_ids: list[int]) -> str:
        """Return the same: no id is half a character."""
        return self.decode(token_ids)


def check_finalize(fixture: Fixture) -> None:
    """Text ends with the first end-of-text; the reference pads what stands behind it.

    The reference also blanks rows that had ended before: such a row is never decoded here.
    """
    meta, tensors = fixture.meta, fixture.tensors
    layout = CanvasLayout(Template(frozenset(meta["eos"])), 0)  # type: ignore[arg-type]
    for before, after, was_finished, is_finished in zip(
        tensors["input_ids_before"],
        tensors["input_ids_after"],
        tensors["finished_before"],
        tensors["finished_after"],
        strict=True,
    ):
        if was_finished:
            continue
        n_given = len(before) - meta["canvas_length"]
        canvas = Canvas(before, torch.arange(len(before)) < n_given, None)
        canvas.committed[:] = True
        fill = layout.reader.read(LaidOut(canvas, n_given))
        assert (fill.finish == "closed") == bool(is_finished)
        n_padded = meta["canvas_length"] - len(fill.token_ids)
        assert after[n_given:].tolist() == [*fill.token_ids, *[meta["pad"]] * n_padded]


CHECKS: dict[str, Callable[[Fixture], None]] = {
    "diffusion_gemma_entropy_bound": check_accept,
    "diffusion_gemma_stopping": check_stopping,
    "diffusion_gemma_temperature": check_temperature,
    "diffusion_gemma_loop": check_loop,
    "diffusion_gemma_finalize": check_finalize,
}
