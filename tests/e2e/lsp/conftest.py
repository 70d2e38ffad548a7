"""Real processes: a home of its own for each test, and nothing left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.language_client import Home, new_home

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def home() -> AsyncIterator[Home]:
    """Yield a home whose runtime fills every span with "return 1"."""
    with new_home() as home:
        home.answer(
            {"when": "ENDLESS", "endless": True, "step_s": 0.01, "texts": ["a b c d"]},
            {"when": "SLOW", "n_steps": 20, "step_s": 0.02, "texts": ["a b c d"]},
            {"when": "CRASH", "crash": 9},
            {"when": "BUG", "bug": True},
            {"when": "NO_WEIGHTS", "fail": "model_load_failed"},
            {"texts": ["return 1"], "n_steps": 2},
        )
        yield home
        await home.stop()
