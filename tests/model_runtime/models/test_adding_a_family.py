"""The worked example of `docs/adding-a-family.md`, done as it says."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file
from support.tiny import RandomWeights

import model_runtime.models
from model_runtime.caches.none import NoCache
from model_runtime.decoding.canvas import Canvas, Query
from model_runtime.models import MODELS
from model_runtime.models.parts.checkpoint import Plan
from model_runtime.models.parts.config import parse_config
from model_runtime.models.parts.load import find_family, load_family

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "adding-a-family.md"


def block(language: str) -> str:
    """Return the document's one code block in a language."""
    pattern = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    (found,) = pattern.findall(DOCUMENT.read_text("utf-8"))
    return str(found)


@pytest.fixture
def _added(tmp_path: Path) -> Iterator[None]:
    """Put the example's file where families are looked for."""
    (tmp_path / "mistletoe.py").write_text(block("python"), encoding="utf-8")
    model_runtime.models.__path__.append(str(tmp_path))
    yield
    model_runtime.models.__path__.remove(str(tmp_path))
    sys.modules.pop("model_runtime.models.mistletoe", None)


@pytest.mark.usefixtures("_added")
def test_the_example_is_found_loaded_and_asked(tmp_path: Path) -> None:
    """One file makes a family: its name is listed, its checkpoint loads and predicts."""
    values = json.loads(block("json"))
    assert "mistletoe" in MODELS.names()
    family_type = find_family(values)
    plan = Plan()
    family_type(parse_config(values, family_type.config_type), plan)
    weights = RandomWeights()
    tensors = {name: weights.tensor(name, *shape) for name, shape in plan.shapes.items()}
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(values), encoding="utf-8")

    family = load_family(tmp_path, dtype=torch.float32)

    token_ids = torch.tensor([1, 2, 63, 63, 5])
    canvas = Canvas(token_ids, token_ids != 63, 63)
    rows = family.predict(canvas, Query(canvas.open_positions()), NoCache()).rows
    assert family.name == "mistletoe"
    assert rows.shape == (2, 64)
    assert rows.isfinite().all()


def test_the_files_it_points_to_exist() -> None:
    """A page that names a file that moved is out of date."""
    root = DOCUMENT.parents[1]
    named = set(re.findall(r"`((?:model_runtime|tests)/[\w/]+\.py)`", DOCUMENT.read_text("utf-8")))
    named -= {"model_runtime/models/mistletoe.py"}

    assert named
    assert all((root / name).exists() for name in named)
