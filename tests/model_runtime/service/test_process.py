"""How a process handles memory."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

#: Takes 40 MB again and again, and says how many pages it had to ask for.
CHURN = """
import resource, torch
{prepare}
for n in range(30):
    if n == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(10_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
KEEP = "from model_runtime.service.process import keep_freed_memory; keep_freed_memory()"


def n_pages(prepare: str) -> int:
    """Run it in a process of its own."""
    words = [sys.executable, "-c", CHURN.format(prepare=prepare)]
    return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_is_used_again() -> None:
    """Without a page of it being asked for anew."""
    assert n_pages(KEEP) < n_pages("") / 2
