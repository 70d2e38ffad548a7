"""Every family against what its reference implementation computed.

The fixtures' README tells how they were made, and what the tensors mean. Every file of every family
folder is looked at; one that no test here knows is a failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from support import parity
from support.parity_runs import canvas_of, family_of

from model_runtime.caches.eso import EsoCache
from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Query

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from model_runtime.models.parts.family import Family

FOLDERS = parity.family_folders()
FILES = [path for folder in FOLDERS for path in sorted(folder.iterdir())]
CASES = [path for path in FILES if path.name.startswith("case_")]
RUNS = parity.run_files()


def assert_close(found: Tensor, expected: Tensor, real: Tensor | None = None) -> None:
    """Compare logits [batch, length, vocab] at the README's tolerance, where `real` says so."""
    if real is not None:
        found, expected = found[real], expected[real]
    torch.testing.assert_close(found, expected, atol=parity.LOGITS, rtol=0)


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
    assert_close_where_likely(family.log_p_x0(logits, token_ids), case["log_p_x0"])
    for row, sigma, expected in zip(token_ids, level, case["log_p_x0"], strict=True):
        assert_close_where_likely(predict_all(family, row, float(sigma)), expected)


def assert_close_where_likely(found: Tensor, expected: Tensor) -> None:
    """Compare log probabilities, but not what stands for log 0: float32 rounds that to 1/16."""
    never = expected < parity.NEVER
    assert torch.equal(found < parity.NEVER, never)
    assert_close(found, expected, ~never)


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
        if not len(masks):
            continue
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
