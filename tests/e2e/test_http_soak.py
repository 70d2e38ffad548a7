"""The soak of docs/serving.md in short: all that clients do, at once, leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.editors import ROOT

pytestmark = pytest.mark.e2e

N_REQUESTS = 500
#: Each kind of client has been there, and each refusal.
SEEN = (
    *("cancelled", "bad", "oversized", "whole", "streamed", "slow reader", "slow sender"),
    *("odd", "hostile", "packed"),
    *("200:", "400:", "404:", "408:", "413:", "left:"),
)


def test_mixed_requests_leave_no_fault_and_no_job() -> None:
    """Good, bad, cancelled, oversized and slow; memory is for the long run to look at."""
    done = subprocess.run(
        [sys.executable, "tests/bench/http_soak.py", "--requests", str(N_REQUESTS)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": "tests"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "Errors 500: 0. Jobs left over: 0." in done.stdout, done.stdout + done.stderr
    assert all(word in done.stdout for word in SEEN), done.stdout
