"""Every canvas of one run of each rule, recorded: a change of behaviour shows as a diff."""

from __future__ import annotations

import pytest
from support.denoising import MASK, VOCAB_SIZE, canvas_of, run
from support.golden import FOLDER, check_golden
from support.table_denoiser import TableDenoiser

from model_runtime.decoding.denoise import Budget
from model_runtime.samplers import SAMPLERS

NAMES = SAMPLERS.names()
#: Settings that let a rule show what sets it apart.
PARAMS: dict[str, dict[str, object]] = {
    "blockwise": {"threshold": 0.6},
    "eso": {"alpha_0": 0.5},
    "expand": {"eos_id": 9, "expand_id": 10, "max_tokens": 14},
    "low_confidence": {"threshold": 0.8},
    "remdm": {"kind": "rescale", "eta": 0.5},
    "score_entropy": {"entropy_budget": 3.0},
    "token_edit": {"threshold": 0.7, "edit_threshold": 0.5},
}


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_as_recorded(name: str, request: pytest.FixtureRequest) -> None:
    """Ten masks behind three given tokens, ten steps, one seed."""
    sampler = SAMPLERS.load(name).from_mapping(PARAMS.get(name, {}))
    denoiser = TableDenoiser(VOCAB_SIZE, MASK, seed=7)
    done = run(sampler, canvas_of([1, 2, 3, *[MASK] * 10]), Budget(10), seed=7, denoiser=denoiser)
    check_golden(request.config, f"trajectories/{name}", [*done.trajectory])


def test_every_record_belongs_to_a_rule() -> None:
    """A record that nothing compares is left over."""
    recorded = {path.stem for path in (FOLDER / "trajectories").glob("*.json")}
    assert recorded <= set(NAMES)
