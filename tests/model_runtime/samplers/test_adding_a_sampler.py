"""The worked example of docs/adding-a-sampler.md, put in place and run."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.denoising import MASK, canvas_of, run

import model_runtime.samplers
from model_runtime.errors import BadRequest
from model_runtime.samplers import SAMPLERS

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[3] / "docs" / "adding-a-sampler.md"
NAME = "leftmost"


@pytest.fixture
def test_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Put the example's file beside the other samplers and return its test's code."""
    rule, test = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / f"{NAME}.py").write_text(rule)
    folders = [*model_runtime.samplers.__path__, str(tmp_path)]
    monkeypatch.setattr(model_runtime.samplers, "__path__", folders)
    yield test
    sys.modules.pop(f"{model_runtime.samplers.__name__}.{NAME}", None)
    vars(model_runtime.samplers).pop(NAME, None)


def test_the_example_passes_its_own_test(test_code: str) -> None:
    """Every test of the page, run as it stands there."""
    namespace: dict[str, object] = {}
    exec(compile(test_code, str(PAGE), "exec"), namespace)  # noqa: S102  # the page is ours
    tests = [value for name, value in namespace.items() if name.startswith("test_")]
    assert tests
    for test in tests:
        assert callable(test)
        test()


@pytest.mark.usefixtures("test_code")
def test_the_example_is_found_and_keeps_the_contract() -> None:
    """One file is all it takes: listed, loaded, refused with its own keys, and within budget."""
    assert NAME in SAMPLERS.names()
    rule = SAMPLERS.load(NAME)
    with pytest.raises(BadRequest, match="threshold, temperature"):
        rule.from_mapping({"speed": 11})
    canvas = canvas_of([3, *[MASK] * 6, 4])
    run(rule.from_mapping({}), canvas)
    assert MASK not in canvas.token_ids.tolist()
    assert bool(canvas.committed.all())
