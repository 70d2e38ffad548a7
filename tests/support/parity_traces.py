"""Deterministic rules against the canvases that reference implementations recorded.

One check a rule: its name is the fixtures' "rule".
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import torch
from support.recorded import Fixture, Recorded, replay, row_of, sampler, whole_block

from model_runtime.decoding.canvas import Prediction
from model_runtime.decoding.denoise import Budget
from model_runtime.decoding.guidance import GuidedDenoiser
from model_runtime.decoding.schedule import quota

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from model_runtime.decoding.denoise import Step
    from model_runtime.samplers.base import Sampler


def rows(fixture: Fixture, *, shift: bool = False) -> Iterator[tuple[list[Recorded], Tensor]]:
    """Yield the steps of each row of a batch, and which positions were given."""
    steps = fixture.steps()
    for row in range(len(steps[0]["canvas_before"])):
        recorded = [row_of(step, row, shift=shift) for step in steps]
        yield recorded, recorded[0].before != fixture.meta["mask_id"]


def check_llada(fixture: Fixture) -> None:
    """Quota by quota, block by block; with guidance where it was recorded."""
    meta = fixture.meta
    budget = Budget(meta["steps"], meta["block_length"])
    rule, scale = sampler("low_confidence", temperature=meta["temperature"]), meta["cfg_scale"]
    for row, (steps, given) in enumerate(rows(fixture)):
        replay(rule, steps, given, meta["mask_id"], budget)
        if scale > 0:
            halves = [_halves(step, row) for step in fixture.steps()]
            replay(
                rule,
                halves,
                given,
                meta["mask_id"],
                budget,
                wrap=lambda denoiser: GuidedDenoiser(denoiser, scale),
            )


def _halves(step: dict[str, Tensor], row: int) -> Recorded:
    """Return a guided step as its two predictions."""
    return Recorded(
        step["canvas_before"][row],
        step["logits_cond"][row],
        step["canvas_after"][row],
        step["canvas_uncond"][row],
        step["logits_uncond"][row],
    )


def check_quotas(fixture: Fixture) -> None:
    """The published schedule, asked for step by step."""
    for row in fixture.meta["rows"]:
        left, quotas = row["masks"], []
        for step_index in range(row["steps"]):
            quotas.append(quota(left, row["steps"] - step_index))
            left -= quotas[-1]
        assert quotas == row["llada"]


def check_fast_dllm(fixture: Fixture) -> None:
    """Threshold or factor, and as many forwards as the reference needed.

    A row that has finished a block waits for the others of its batch: the longest wait is counted.
    """
    meta = fixture.meta
    if "block_length" not in meta:
        return check_factor_tables(fixture)
    kind = "threshold" if "threshold" in meta else "factor"
    rule = sampler("low_confidence", **{kind: meta[kind]})
    n_forwards: Counter[int] = Counter()
    for steps, given in rows(fixture):
        n_in_block: Counter[int] = Counter()
        n_prompt = int(given.sum())

        def count(step: Step, seen: Counter[int] = n_in_block, start: int = n_prompt) -> None:
            position = int(step.update.committed.nonzero()[0])
            seen[(position - start) // meta["block_length"]] += 1

        replay(
            rule,
            steps,
            given,
            meta["mask_id"],
            Budget(block_length=meta["block_length"]),
            on_step=count,
        )
        n_forwards |= n_in_block
    assert n_forwards.total() == meta.get("nfe", meta["n_steps"])
    return None


def check_factor_tables(fixture: Fixture) -> None:
    """One step on many canvases."""
    mask_id = fixture.meta["mask_id"]
    for step in fixture.steps():
        rule = sampler("low_confidence", factor=float(step["factor"]))
        for token_ids, logits, chosen, best in zip(
            step["canvas"], step["logits"], step["transfer_dllm"], step["x0"], strict=True
        ):
            block = whole_block(token_ids, mask_id, logits.shape[-1])
            state = rule.begin(block, len(token_ids), torch.Generator())
            positions = rule.query(state).positions
            update = rule.step(token_ids, Prediction("logits", logits[positions]), state)
            assert update.token_ids.tolist() == torch.where(chosen, best, token_ids).tolist()


def check_dream(fixture: Fixture) -> None:
    """Dream's share of the masks by each certainty; each row has its own count of masks."""
    meta = fixture.meta
    rule = sampler(
        "entropy",
        kind=meta["rule"].removeprefix("dream_"),
        eps=meta["eps"],
        temperature=meta.get("temperature", 0.0),
        alg_temp=meta.get("alg_temp", 0.0),
    )
    for steps, given in rows(fixture, shift=True):
        if meta.get("quirk"):
            check_no_quirk(rule, steps, given, meta)
        else:
            replay(rule, steps, given, meta["mask_id"], Budget(meta["steps"]))


def check_no_quirk(
    rule: Sampler[Any, Any], steps: list[Recorded], given: Tensor, meta: dict[str, Any]
) -> None:
    """Where the reference writes masks over given tokens, the rule must not."""
    mask_id, token_ids = meta["mask_id"], steps[0].before
    state = rule.begin(
        whole_block(token_ids, mask_id, steps[0].rows.shape[-1]), meta["steps"], torch.Generator()
    )
    for step in steps:
        positions = rule.query(state).positions
        update = rule.step(token_ids, Prediction("logits", step.rows[positions]), state)
        token_ids = update.token_ids
        assert token_ids[given].tolist() == steps[0].before[given].tolist()
    assert update.done
    assert mask_id not in token_ids.tolist()


def check_p2(fixture: Fixture) -> None:
    """Path planning remasks exactly what the reference does."""
    meta = fixture.meta
    rule = sampler("p2", temperature=meta.get("temperature", 0.0))
    for row, (steps, _) in enumerate(rows(fixture, shift=True)):
        given = fixture.tensors["fixed"][row]
        replay(rule, steps, given, meta["mask_id"], Budget(meta["steps"]))


def check_dreamon(fixture: Fixture) -> None:
    """A canvas that grows and shrinks; the reference pads it with masks behind its window."""
    meta = fixture.meta
    steps = [row_of(step, 0, shift=True) for step in fixture.steps()]
    n_first = meta["prefix_len"] + meta["min_gen_len"] + meta["suffix_len"]
    position = torch.arange(n_first)
    generated = position < meta["prefix_len"] + meta["min_gen_len"]
    given = (position < meta["prefix_len"]) | ~generated
    rule = sampler(
        "expand",
        kind=meta["alg"],
        expand_id=meta["expand_id"],
        eos_id=meta["eos_id"],
        delete_eos=meta["delete_eos_token"],
        pad_eos_right=meta["pad_eos_to_right"],
        max_tokens=meta["max_gen_len"],
        temperature=meta["temperature"],
    )
    canvas = replay(rule, steps, given, meta["mask_id"], Budget(meta["steps"]))
    n_generated = canvas.length - meta["prefix_len"] - meta["suffix_len"]
    assert n_generated == meta["final_generation_length"]


CHECKS: dict[str, Callable[[Fixture], None]] = {
    "llada_low_confidence": check_llada,
    "num_transfer_tokens": check_quotas,
    "fast_dllm_threshold": check_fast_dllm,
    "fast_dllm_factor": check_fast_dllm,
    "dream_maskgit_plus": check_dream,
    "dream_topk_margin": check_dream,
    "dream_entropy": check_dream,
    "p2_open_dllm": check_p2,
    "dreamon": check_dreamon,
}
