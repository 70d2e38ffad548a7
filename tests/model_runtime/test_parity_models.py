"""Every family against what its reference implementation computed.

The fixtures' README tells how they were made, and what the tensors mean. Every file of every family
folder is looked at; one that no test here knows is a failure.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import torch
from support import parity

from model_runtime.caches import CACHES
from model_runtime.caches.eso import EsoCache
from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Canvas, Query
from model_runtime.decoding.denoise import Budget, denoise
from model_runtime.models.parts.load import load_family
from model_runtime.samplers import SAMPLERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from model_runtime.models.parts.family import Family

FOLDERS = parity.family_folders()
FILES = [path for folder in FOLDERS for path in sorted(folder.iterdir())]
CASES = [path for path in FILES if path.name.startswith("case_")]
RUNS = [path for path in FILES if path.match("generate_*.safetensors")]


@functools.cache
def family_of(folder: Path) -> Family:
    """Load a folder's checkpoint once."""
    return load_family(folder, dtype=torch.float32)


def assert_close(found: Tensor, expected: Tensor, real: Tensor | None = None) -> None:
    """Compare logits [batch, length, vocab] at the README's tolerance, where `real` says so."""
    if real is not None:
        found, expected = found[real], expected[real]
    torch.testing.assert_close(found, expected, atol=parity.LOGITS, rtol=0)


def canvas_of(family: Family, token_ids: Tensor) -> Canvas:
    """Lay out a canvas whose masks are open; without a mask, everything is."""
    given = torch.zeros_like(token_ids, dtype=torch.bool)
    if family.mask_id is not None:
        given = token_ids != family.mask_id
    return Canvas(token_ids, given, family.mask_id)


def predict_all(family: Family, token_ids: Tensor, noise_level: float | None = None) -> Tensor:
    """Predict every position of one canvas [length]."""
    query = Query(torch.arange(len(token_ids)), noise_level)
    return family.predict(canvas_of(family, token_ids), query, NoCache()).rows


def check_masked(family: Family, case: parity.Case) -> None:
    """Compare a transformer over the canvas: raw rows, aligned rows, and `predict`."""
    token_ids = case["input_ids"]
    mask = case.get("attention_mask")
    real = torch.ones_like(token_ids) if mask is None else mask
    if "block_length" in case:
        family.block_length = int(case["block_length"])
        n = token_ids.shape[1]
        block = torch.arange(n) // family.block_length
        assert torch.equal(case["attn_allowed"].view(n, n), block <= block[:, None])
    if "position_ids" in case:
        counted = real.cumsum(dim=1) - 1
        stored = case["position_ids"].expand_as(counted)
        assert torch.equal(stored[real.bool()], counted[real.bool()])

    logits = family.forward(token_ids, mask)

    assert_close(logits, case["logits"], real.bool())
    if "logits_aligned" in case:
        # The row behind padding stands on a padding row.
        known = real.bool() & (real.roll(1, dims=1).bool() | (torch.arange(len(real[0])) == 0))
        assert_close(family.align(logits), case["logits_aligned"], known)
    if mask is None:
        aligned = family.align(case["logits"])
        for row, expected in zip(token_ids, aligned, strict=True):
            assert_close(predict_all(family, row), expected)


def check_sedd(family: Family, case: parity.Case) -> None:
    """Compare the log score, of whole batches and of `predict`."""
    token_ids, level = case["input_ids"], case["sigma"]

    score = family.log_score(family.forward(token_ids, level), token_ids, level)

    assert_close(score, case["log_score"])
    for row, sigma, expected in zip(token_ids, level, case["log_score"], strict=True):
        assert_close(predict_all(family, row, float(sigma)), expected)


def check_mdlm(family: Family, case: parity.Case) -> None:
    """Compare raw logits and the clean tokens' log probabilities, and `predict`."""
    token_ids, level = case["input_ids"], case["sigma"]
    effective = level if family.time_conditioning else torch.zeros_like(level)
    assert torch.equal(case["sigma_effective"], effective)

    logits = family.forward(token_ids, level)

    assert_close(logits, case["logits"])
    assert_close(family.log_p_x0(logits, token_ids), case["log_p_x0"])
    for row, sigma, expected in zip(token_ids, level, case["log_p_x0"], strict=True):
        assert_close(predict_all(family, row, float(sigma)), expected)


def check_eso(family: Family, case: parity.Case) -> None:
    """Compare both phases of training, and sampling with the cache."""
    if case.meta["mode"] == "sample":
        check_eso_sampling(family, case)
        return
    token_ids, order, clean = case["zt"], case["sort_idx"], case.get("x0")
    assert (case.meta["mode"] == "sequential") == (clean is not None)
    assert not case["sigma"].any()
    assert torch.equal(
        family.allowed(token_ids, sequential=clean is not None), case["attn_allowed"]
    )

    assert_close(family.forward(token_ids, order, clean), case["logits"])

    shown = token_ids if clean is None else clean
    for row, ranks, tokens, expected in zip(shown, order, token_ids, case["logits"], strict=True):
        masks = (tokens == family.mask_id).nonzero().squeeze(1)
        canvas = canvas_of(family, torch.empty_like(row).scatter(0, ranks, row))
        visible = masks if clean is not None else masks[:1].expand(len(masks))
        query = Query(ranks[masks], order=ranks, visible=visible)
        assert_close(family.predict(canvas, query, NoCache()).rows, expected[masks])


def check_eso_sampling(family: Family, case: parity.Case) -> None:
    """Decode greedily by the stored schedule, with keys and values kept; compare every row."""
    for index, order in enumerate(case["sort_idx"]):
        canvas = canvas_of(family, torch.full_like(order, family.mask_id))
        assert (case["zt"][index] == family.mask_id).all()
        cache, n_clean = EsoCache(), 0
        for k in case["schedule"].tolist():
            positions = order[n_clean : n_clean + k]
            query = Query(positions, order=order, visible=torch.full((k,), n_clean))
            rows = family.predict(canvas, query, cache).rows
            assert_close(rows, case["logits"][index, n_clean : n_clean + k])
            chosen = rows.index_fill(1, torch.tensor(family.mask_id), -torch.inf).argmax(dim=1)
            canvas.token_ids = canvas.token_ids.scatter(0, positions, chosen)
            n_clean += k
        assert torch.equal(canvas.token_ids[order], case["tokens_sorted"][index])
        assert torch.equal(canvas.token_ids, case["tokens"][index])


def check_diffusion_gemma(family: Family, case: parity.Case) -> None:
    """Compare the encoder's states and the decoder's logits, and `predict`."""
    context, block, mask = case["input_ids"], case["canvas_ids"], case.get("attention_mask")
    conditioning = case.get("self_conditioning_logits")
    states, past = family.encode(context, None, mask)
    if "input_ids_2" in case:
        context = torch.cat((context, case["input_ids_2"]), dim=1)
        states, past = family.encode(case["input_ids_2"], past)
    positions = case["decoder_position_ids"]

    logits = family.forward(block, past, positions, conditioning, mask)

    real = None if mask is None else mask.bool()
    assert_close(states, case["encoder_last_hidden_state"], real)
    assert_close(logits, case["logits"])
    if mask is not None:
        return
    for index in range(len(block)):
        canvas = canvas_of(family, torch.cat((context[index], block[index])))
        canvas.given[: context.shape[1]] = True
        last = None if conditioning is None else conditioning[index]
        query = Query(positions[0], self_conditioning=last)
        rows = family.predict(canvas, query, NoCache()).rows
        assert_close(rows, case["logits"][index])


CHECKS: dict[str, Callable[[Family, parity.Case], None]] = {
    "diffusion_gemma": check_diffusion_gemma,
    "dream": check_masked,
    "eso": check_eso,
    "llada": check_masked,
    "llada2": check_masked,
    "mdlm": check_mdlm,
    "sdar": check_masked,
    "sedd": check_sedd,
}


@dataclass(frozen=True)
class Run:
    """How the reference's settings are said here."""

    sampler: str
    params: dict[str, object]
    cache: str = "none"
    n_steps: int | None = None
    block_length: int | None = None
    #: The canvas ends with a whole block, and the family sees no later one than its own.
    whole_blocks: bool = False


def run_of(meta: dict[str, Any]) -> Run:  # noqa: PLR0911  # one case, one return
    """Translate a recorded run's settings; an algorithm unknown here is a failure."""
    algorithm = meta["algorithm"]
    block = meta.get("block_length")
    match algorithm.split():
        case ["llada", "low_confidence"]:
            return Run(
                "low_confidence", {}, n_steps=meta["steps"], block_length=meta["block_length"]
            )
        case ["fast_dllm", cache]:
            caches = {"nocache": "none", "prefix_cache": "prefix", "dual_cache": "dual"}
            params: dict[str, object] = {"threshold": meta["threshold"]}
            # There, the threshold alone decides: a step for every mask is enough.
            return Run("low_confidence", params, caches[cache], meta["gen_length"], block)
        case ["dream" | "open_dllm", "p2"]:
            return Run("p2", {}, n_steps=meta["steps"])
        case ["dream" | "open_dllm", kind]:
            params = {"kind": kind, "eps": meta["eps"], "alg_temp": meta.get("alg_temp", 0.0)}
            return Run("entropy", params, n_steps=meta["steps"])
        case ["llada2.0"]:
            params = {"threshold": meta["threshold"], "block_length": block, "kind": "dynamic"}
            return Run("blockwise", params, "blocks", meta["steps"], block, whole_blocks=True)
        case ["llada2.1"]:
            params = {
                "threshold": meta["threshold"],
                "edit_threshold": meta["editing_threshold"],
                "max_post_steps": meta["max_post_steps"],
                "quota": block // meta["steps"],
            }
            assert block % meta["steps"] == 0, "the same quota at every step"
            # No step is ever forced: filling ends by itself, and so do the corrections.
            n_steps = block * (1 + meta["max_post_steps"])
            return Run("token_edit", params, "blocks", n_steps, block, whole_blocks=True)
        case ["sdar", "sequential,", "top_k=1"]:
            params = {"kind": "sequential", "top_k": 1, "block_length": block}
            n_steps = meta["denoising_steps"]
            return Run("blockwise", params, "blocks", n_steps, block, whole_blocks=True)
        case _:
            pytest.fail(f"no test knows the algorithm {algorithm!r}")


def recorded_canvas(family: Family, case: parity.Case, meta: dict[str, Any], run: Run) -> Canvas:
    """Lay out a prompt and masks behind it, or the recorded canvas."""
    if "canvas" in case:
        return canvas_of(family, case["canvas"][0])
    prompt = case["prompt"][0]
    length = meta.get("max_length", len(prompt) + meta.get("gen_length", 0))
    if run.whole_blocks:
        assert run.block_length is not None
        length = -(-length // run.block_length) * run.block_length
    masks = torch.full((length - len(prompt),), family.mask_id)
    return canvas_of(family, torch.cat((prompt, masks)))


def test_parity_fixtures_are_there() -> None:
    """Without the fixtures nothing here is checked, and that is said."""
    if not FOLDERS:
        pytest.skip(f"NO PARITY CHECK: {parity.FOLDER} is absent; set REMASK_PARITY_DIR")


@pytest.mark.parametrize("path", FILES, ids=parity.label)
def test_parity_knows_the_fixture(path: Path) -> None:
    """A file that no test looks at would be a check that never ran."""
    settings = [run.with_suffix(".json").name for run in RUNS]
    assert path in CASES + RUNS or path.name in {"config.json", "model.safetensors", *settings}


@pytest.mark.parametrize("path", CASES, ids=parity.label)
def test_parity_of_forward(path: Path) -> None:
    """A family computes what its reference computed."""
    family = family_of(path.parent)
    case = parity.Case(path)

    CHECKS[family.name](family, case)

    case.check_read()


@pytest.mark.parametrize("path", RUNS, ids=parity.label)
def test_parity_of_a_whole_run(path: Path) -> None:
    """Model, rule and cache together fill a canvas as the reference filled it."""
    meta = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    family, case, run = family_of(path.parent), parity.Case(path), run_of(meta)
    assert meta == case.meta
    assert meta["mask_id"] == family.mask_id
    canvas = recorded_canvas(family, case, meta, run)
    n_given = int(canvas.given.cumprod(dim=0).sum())
    n_steps = run.n_steps
    if run.whole_blocks:
        # There, the steps are counted by the block.
        family.block_length = run.block_length
        assert n_steps is not None
        assert run.block_length is not None
        n_steps *= canvas.length // run.block_length - n_given // run.block_length

    n_forwards = denoise(
        family,
        SAMPLERS.load(run.sampler).from_mapping(run.params),
        CACHES.load(run.cache)(),
        canvas,
        Budget(n_steps, run.block_length),
        torch.Generator(),
    )

    (expected,) = case["output"]
    case.check_read()
    n_kept, n_new = len(expected), meta.get("gen_length", canvas.length - n_given)
    # Some references return the prompt as well.
    found = canvas.token_ids if n_kept > n_new else canvas.token_ids[n_given:]
    assert found[:n_kept].tolist() == expected.tolist()
    if n_kept not in {n_new, n_given + n_new}:
        # What was cut off stood behind the end of the text.
        assert expected[-1] == family.eos_id
    elif "nfe" in meta or (run.cache == "blocks" and "sdar" not in meta["algorithm"]):
        assert n_forwards == meta.get("nfe", meta.get("forwards"))
