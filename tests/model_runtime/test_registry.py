"""Names that are file names."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from model_runtime.caches import CACHES
from model_runtime.engines import ENGINES
from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.errors import UnknownName
from model_runtime.models import MODELS
from model_runtime.registry import Registry
from model_runtime.samplers import SAMPLERS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def plants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[Any]:
    """A registry of a package made for the test."""
    folder = tmp_path / "garden" / "plants"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "__init__.py").touch()
    (folder / "base.py").write_text("")
    (folder / "soil.py").write_text("")
    (folder / "rose.py").write_text("class Thorn:\n    pass\nclass Rose:\n    name = 'rose'\n")
    (folder / "daisy.py").write_text("from garden.plants.rose import Rose\n")
    (folder / "oak.py").write_text("class A:\n    name = 'oak'\nclass B:\n    name = 'oak'\n")
    (folder / "weed.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield Registry("garden.plants", "plant", besides=frozenset({"soil"}))
    for name in [name for name in sys.modules if name.partition(".")[0] == "garden"]:
        del sys.modules[name]


def test_names_are_files(plants: Registry[Any]) -> None:
    """The folder is listed, without its contract and what else is no member."""
    assert plants.names() == ("daisy", "oak", "rose", "weed")
    assert "garden.plants.rose" not in sys.modules


def test_load(plants: Registry[Any]) -> None:
    """The class that bears the module's name is found, whatever else the module defines."""
    assert plants.load("rose").__name__ == "Rose"


def test_unknown_name_lists_the_allowed_ones(plants: Registry[Any]) -> None:
    """A name that is no file is an error that says which are."""
    with pytest.raises(UnknownName, match=r"unknown plant 'soil'; allowed: daisy, oak, rose, weed"):
        plants.load("soil")


@pytest.mark.parametrize(("name", "n_classes"), [("daisy", 0), ("oak", 2)])
def test_rule_of_one_class(plants: Registry[Any], name: str, n_classes: int) -> None:
    """A module with no class of its name, or two, is refused; an imported class is not its own."""
    with pytest.raises(TypeError, match=f"must define one class .*, not {n_classes}"):
        plants.load(name)


def test_import_errors_are_seen(plants: Registry[Any]) -> None:
    """What a module fails to import is not taken for a missing module."""
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        plants.load("weed")


@pytest.mark.parametrize("registry", [ENGINES, SAMPLERS, MODELS, CACHES], ids=lambda r: r._kind)
def test_every_member_loads(registry: Registry[Any]) -> None:
    """Each file of the four packages keeps the rule."""
    for name in registry.names():
        assert registry.load(name).name == name


def test_light_engines_need_no_torch() -> None:
    """The scripted engine is listed, found and made where torch can't be imported."""
    code = """
import sys
sys.modules["torch"] = sys.modules["numpy"] = None
from model_runtime.engines import ENGINES
from model_runtime.settings import RuntimeSettings
print(ENGINES.load("scripted")(RuntimeSettings()).describe().model)
"""
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert said.stdout.strip() == ScriptedEngine.name
