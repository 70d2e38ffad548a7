"""What every decoding rule keeps, whatever the denoiser says. The rules are the folder's files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.denoising import MASK, VOCAB_SIZE, run
from support.table_denoiser import TableDenoiser

from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Canvas
from model_runtime.decoding.denoise import Budget, Step, denoise
from model_runtime.errors import BadRequest, Cancelled, UnsupportedPairing
from model_runtime.samplers import SAMPLERS

if TYPE_CHECKING:
    from model_runtime.samplers.base import Sampler

NAMES = SAMPLERS.names()
EOS, EXPAND = 9, 10
#: Where the defaults leave most of a rule asleep: settings that wake it.
PARAMS: dict[str, dict[str, object]] = {
    "expand": {"eos_id": EOS, "expand_id": EXPAND, "max_tokens": 20, "pad_eos_right": True},
    "eso": {"alpha_0": 0.5},
    "remdm": {"kind": "cap", "eta": 0.5},
    "token_edit": {"threshold": 0.5, "edit_threshold": 0.2, "penalty": 0.5},
}


def make(name: str, params: dict[str, object] | None = None) -> Sampler[Any, Any]:
    """Return a rule by its file name."""
    return SAMPLERS.load(name).from_mapping(PARAMS.get(name, {}) if params is None else params)


def lay_out(
    sampler: Sampler[Any, Any], n_first: int = 6, n_second: int = 5, *, filled: int = 0
) -> Canvas:
    """Return given 3, masks, given 4 5, masks, given 6; the first `filled` masks hold a 7.

    A rule with an order of its own gets its masks in one span at the end.
    """
    if sampler.ordered:
        token_ids = torch.tensor([3, 4, 5, 6, *[MASK] * (n_first + n_second)])
        return Canvas(token_ids, token_ids != MASK, MASK)
    spans = [[7] * min(filled, n_first) + [MASK] * (n_first - min(filled, n_first))]
    token_ids = [3, *spans[0], 4, 5, *[MASK] * n_second, 6]
    is_given = [True, *[False] * n_first, True, True, *[False] * n_second, True]
    return Canvas(torch.tensor(token_ids), torch.tensor(is_given), MASK)


@pytest.mark.parametrize("name", NAMES)
@given(
    lengths=st.tuples(st.integers(0, 9), st.integers(1, 9)),
    filled=st.integers(0, 3),
    block_length=st.none() | st.integers(1, 12),
    n_steps=st.none() | st.integers(1, 30),
    mask_logit=st.sampled_from([-9.0, 99.0]),
    seed=st.integers(0, 5),
)
@settings(max_examples=40, deadline=None)
def test_given_tokens_stay_and_no_mask_is_left_in_budget(
    name: str,
    lengths: tuple[int, int],
    filled: int,
    block_length: int | None,
    n_steps: int | None,
    mask_logit: float,
    seed: int,
) -> None:
    """Even for a denoiser that would rather predict masks, every rule ends, with tokens only."""
    sampler = make(name)
    canvas = lay_out(sampler, *lengths, filled=filled)
    n_open = int((~canvas.given).sum())
    n_blocks = -(-n_open // (block_length or n_open))
    denoiser = TableDenoiser(VOCAB_SIZE, MASK, seed=seed, mask_logit=mask_logit)
    before = canvas.token_ids[canvas.given].tolist()
    done = run(sampler, canvas, Budget(n_steps, block_length), seed=seed, denoiser=denoiser)
    assert canvas.token_ids[canvas.given].tolist() == before
    assert MASK not in canvas.token_ids.tolist()
    assert bool(canvas.committed[canvas.token_ids != 7].all())
    assert done.n_forwards <= max(n_steps or n_open, n_blocks)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_steps(name: str) -> None:
    """A second run, by the same object, equals the first; no other randomness takes part."""
    sampler = make(name)
    torch.manual_seed(1)
    first = run(sampler, lay_out(sampler), Budget(7))
    torch.manual_seed(2)
    assert run(sampler, lay_out(sampler), Budget(7)).trajectory == first.trajectory


@pytest.mark.parametrize("name", NAMES)
def test_runs_of_one_object_do_not_touch_each_other(name: str) -> None:
    """A run that starts and ends in the middle of another changes nothing there."""
    sampler = make(name)
    alone = run(sampler, lay_out(sampler), Budget(7))

    def interrupt(_: Step) -> None:
        run(sampler, lay_out(sampler, 4, 4), Budget(5), seed=3)

    assert (
        run(sampler, lay_out(sampler), Budget(7), on_step=interrupt).trajectory == alone.trajectory
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_run_stops_between_two_steps(name: str) -> None:
    """Cancelled after the first step, the canvas is as that step left it."""
    sampler = make(name)
    canvas = lay_out(sampler)
    seen: list[list[int]] = []

    def note(step: Step) -> None:
        seen.append(step.canvas.token_ids.tolist())

    def check() -> None:
        if seen:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        denoise(
            TableDenoiser(VOCAB_SIZE, MASK),
            sampler,
            NoCache(),
            canvas,
            Budget(),
            torch.Generator().manual_seed(0),
            check=check,
            on_step=note,
        )
    assert seen == [canvas.token_ids.tolist()]


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_parameter_is_refused_with_the_allowed_ones(name: str) -> None:
    """The message names every parameter of the rule."""
    with pytest.raises(BadRequest, match="speed") as refusal:
        make(name, {"speed": 11})
    for allowed in SAMPLERS.load(name).params_type.__struct_fields__:
        assert allowed in str(refusal.value)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_rule_cannot_use_is_refused_before_the_first_step(name: str) -> None:
    """Neither a wrong kind of prediction nor a family without masks gets as far as a forward."""
    sampler = make(name)

    class Other(TableDenoiser):
        kinds = frozenset({"log_score", "logits"}) - sampler.accepts

    denoisers = [Other(VOCAB_SIZE, MASK)]
    if not sampler.uniform_noise:
        denoisers.append(TableDenoiser(VOCAB_SIZE, None))
    for denoiser in denoisers:
        with pytest.raises(UnsupportedPairing, match=name):
            run(sampler, lay_out(sampler), Budget(), denoiser=denoiser)
        assert denoiser.queries == []
