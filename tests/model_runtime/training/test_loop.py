"""Training, on a model so small that it takes seconds."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING

import pytest
import torch
from support.tiny_base import CONFIG, tiny_denoiser

from model_runtime.models.int8 import quantize_int8
from model_runtime.models.weights import load_adapter
from model_runtime.training.examples import Example
from model_runtime.training.int8 import DifferentiableHead, DifferentiableInt8Linear
from model_runtime.training.loop import METRICS, Plan, Trainer
from model_runtime.training.objective import Mixture, lay_canvases
from model_runtime.training.parameters import AdapterParameters

if TYPE_CHECKING:
    from pathlib import Path

MIXTURE = Mixture(n_rows=96, distillation=0.0)
VOCABULARY = torch.arange(40)


class Counting:
    """Examples that a canvas can learn: each token is the one before it, and one more."""

    def __getitem__(self, index: int) -> Example:
        """Return example number `index`."""
        start = Random(index).randrange(40)
        return Example((torch.arange(100) + start) % 40, span_start=60)


def trainer(folder: Path, n_steps: int) -> Trainer:
    """Return a trainer of a fresh adapter, the same each time."""
    denoiser, weight, scale = tiny_denoiser(DifferentiableInt8Linear)
    torch.manual_seed(0)
    parameters = AdapterParameters(
        CONFIG, rank=8, vocabulary=VOCABULARY, mask_start=torch.zeros(CONFIG.width), link_rank=16
    )
    return Trainer(
        denoiser,
        parameters,
        DifferentiableHead(weight[VOCABULARY], scale[VOCABULARY]),
        Counting(),  # type: ignore[arg-type]  # stands in for a stream of real files
        [Counting()[index] for index in range(1000, 1004)],
        MIXTURE,
        Plan(n_steps, learning_rate=1e-2, n_warmup=5, checkpoint_every=5, validate_every=10),
        folder,
    )


def metrics(folder: Path, kind: str) -> list[float]:
    """Return the losses that a run has told."""
    lines = map(json.loads, (folder / METRICS).read_text().splitlines())
    return [line["loss"] for line in lines if line["kind"] == kind]


def test_the_loss_falls(tmp_path: Path) -> None:
    """A fresh adapter learns, and what it learned holds on contexts it has not seen."""
    trainer(tmp_path, 80).run()

    heldout = metrics(tmp_path, "heldout")
    assert heldout[-1] < 0.8 * heldout[0]
    assert heldout[-1] < 0.7 * metrics(tmp_path, "train")[0]


def test_a_run_resumes_exactly(tmp_path: Path) -> None:
    """A run that was cut off ends with the very parameters of one that was not."""
    whole, cut = trainer(tmp_path / "whole", 10), trainer(tmp_path / "cut", 10)
    whole.run()
    cut._folder.mkdir()
    for _ in range(5):
        cut._train_step()
        cut.step += 1
    cut.checkpoint()
    again = trainer(tmp_path / "cut", 10)
    again.run()

    assert again.step == whole.step
    for name, parameter in whole._parameters.named_parameters():
        assert torch.equal(parameter, dict(again._parameters.named_parameters())[name]), name


def test_what_is_saved_is_what_was_trained(tmp_path: Path) -> None:
    """The adapter file gives back the parameters, in bfloat16."""
    done = trainer(tmp_path, 2)
    done.run()
    parameters = done._parameters
    parameters.save(tmp_path / "adapter.safetensors", {"steps": "2"})

    denoiser, *_ = tiny_denoiser()
    adapter = load_adapter(tmp_path / "adapter.safetensors", denoiser.model)

    assert torch.equal(adapter.vocabulary, VOCABULARY)
    assert torch.equal(adapter.mask_embedding, parameters.mask_embedding.bfloat16().float())
    assert torch.equal(adapter.layers[1][3].up, parameters.up["1_down"].bfloat16().float())


def test_the_gradient_through_int8_is_that_of_the_rounded_weights() -> None:
    """To the rounding of the gradient itself: half a step of 1/127 of a row's largest part."""
    torch.manual_seed(0)
    weight, _ = quantize_int8(torch.randn(24, 16))
    scale = torch.rand(24) + 0.5
    x = torch.randn(5, 16, requires_grad=True)
    gradient = torch.randn(5, 24)

    DifferentiableInt8Linear(weight, scale)(x).backward(gradient)

    assert x.grad is not None
    scaled = gradient * scale
    bound = scaled.abs().amax(1, keepdim=True) / 127 / 2 * weight.float().abs().sum(0)
    assert bool(((x.grad - scaled @ weight.float()).abs() <= bound + 1e-4).all())


def test_the_head_passes_on_the_many_small_parts_of_a_gradient() -> None:
    """A softmax's gradient pushes thousands of tokens down a little: together as far as one up."""
    n_tokens = 4000
    # The small parts all point one way, so that their sum counts.
    weight, _ = quantize_int8(torch.rand(n_tokens, 16))
    scale = torch.ones(n_tokens)
    x = torch.randn(5, 16, requires_grad=True)
    gradient = torch.full((5, n_tokens), 1 / (n_tokens - 1))
    gradient[:, 0] = -1

    DifferentiableHead(weight, scale)(x).backward(gradient)

    assert x.grad is not None
    expected = gradient @ weight.float()
    assert torch.allclose(x.grad, expected, rtol=0.02, atol=0.5)


@pytest.mark.parametrize("seed", range(5))
def test_a_canvas_row_sees_its_prefix_and_its_own_canvas(seed: int) -> None:
    """No row sees the token it has to say, nor anything behind its canvas's start but masks."""
    token_ids = torch.arange(100)
    batch = lay_canvases(token_ids, Mixture(n_rows=60), 24, Random(seed))

    rows = batch.rows
    n_rows = len(rows.token_ids)
    context, own = rows.visible[:, :100], rows.visible[:, 100:]
    assert context.shape[0] == own.shape[0] == n_rows
    for index, position in zip(batch.row_index.tolist(), batch.position.tolist(), strict=True):
        assert not bool(context[index, position:].any())
        seen = rows.token_ids[own[index]]
        fed_at = rows.positions[own[index]]
        # A row is fed the token before the one it predicts, so the target itself is fed, if at
        # all, to the row behind: there it has to be a mask.
        assert bool((seen[fed_at == position] < 0).all())
        assert bool(own[index, index])
