"""Decoding rules against what reference implementations recorded."""

from __future__ import annotations

import pytest
from support import parity_blocks, parity_bound, parity_tables, parity_traces
from support.parity import DECODING, FOLDER
from support.recorded import Fixture, find_fixtures

RULES = FOLDER / DECODING
CHECKS = {
    **parity_traces.CHECKS,
    **parity_blocks.CHECKS,
    **parity_bound.CHECKS,
    **parity_tables.CHECKS,
}

pytestmark = pytest.mark.skipif(
    not RULES.is_dir(), reason=f"NO PARITY CHECK: {RULES} is absent; set REMASK_PARITY_DIR"
)


@pytest.mark.parametrize("fixture", find_fixtures(RULES), ids=lambda fixture: fixture.id)
def test_parity_with_the_reference(fixture: Fixture) -> None:
    """Every fixture has a check, and passes it."""
    rule = fixture.meta["rule"]
    assert rule in CHECKS, f"no check for rule {rule!r} of {fixture.id}"
    CHECKS[rule](fixture)


def test_parity_fixtures_were_found() -> None:
    """A folder without fixtures checks nothing, and must not pass for it."""
    assert find_fixtures(RULES)
