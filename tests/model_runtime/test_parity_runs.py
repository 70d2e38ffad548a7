"""Whole runs, model, rule and cache together, against what reference implementations filled in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support import parity
from support.parity_runs import family_of, fill, recorded_canvas, run_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", parity.run_files(), ids=parity.label)
def test_parity_of_a_whole_run(path: Path) -> None:
    """A canvas is filled as the reference filled it, in as many forwards."""
    meta = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    family, case, run = family_of(path.parent), parity.Case(path), run_of(meta)
    assert meta == case.meta
    assert meta["mask_id"] == family.mask_id

    for row, expected in enumerate(case["output"].tolist()):
        canvas = recorded_canvas(family, case, meta, run, row)
        given = canvas.given.clone()
        context = canvas.token_ids[given].tolist()
        prompt = canvas.token_ids[given.cumprod(dim=0).bool()].tolist()

        n_forwards, mask_was_best = fill(family, canvas, run, len(prompt))

        found = canvas.token_ids.tolist()
        assert family.mask_id not in found
        assert canvas.token_ids[given].tolist() == context
        # Some references return the prompt as well.
        if expected[: len(prompt)] != prompt:
            found = found[len(prompt) :]
        n_kept, n_new = len(expected), meta.get("gen_length", canvas.length - len(prompt))
        if mask_was_best and found[:n_kept] != expected:
            continue  # it committed masks, which is not for us to do
        assert found[:n_kept] == expected
        if n_kept not in {n_new, len(prompt) + n_new, len(found)}:
            # What was cut off stood behind the end of the text.
            assert expected[-1] == meta.get("eos_id", family.eos_id)
        elif len(case["output"]) == 1 and run.counts_forwards and not mask_was_best:
            assert n_forwards == meta.get("nfe", meta.get("forwards"))
    case.check_read()
