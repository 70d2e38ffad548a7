"""An editor and its server for each test."""

from __future__ import annotations

import pytest
from support.editor import Editor
from support.fake_runtime import FakeRuntime, finished


@pytest.fixture
def runtime() -> FakeRuntime:
    """Return a runtime that fills every span with "return 1"."""
    return FakeRuntime(lambda request: finished(request, *["return 1"] * len(request.spans)))


@pytest.fixture
async def editor(runtime: FakeRuntime) -> Editor:
    """Return an able editor, initialized."""
    editor = Editor(runtime, {"inline": {"debounceMs": 0}})
    await editor.start()
    return editor
