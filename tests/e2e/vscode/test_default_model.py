"""VS Code with the default model: what users get out of the box."""

from __future__ import annotations

import ast
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from support.editors import ROOT

if TYPE_CHECKING:
    from support.vscode import Workbench

pytestmark = [pytest.mark.vscode, pytest.mark.e2e, pytest.mark.real_model]

ENGINE = "local"
#: The first request may download and convert the model.
FIRST_S = 400.0


def test_a_selection_is_filled(code: Workbench) -> None:
    """The unwritten body becomes Python of the model's own, and is seen to come.

    With REMASK_UPDATE_IMAGES=1 the sight of it goes to docs/images.
    """
    text = (ROOT / "tests" / "samples" / "temperature.py").read_text()
    code.open(text, "temperature.py")
    before = text[: text.index("return 0.0")]
    line, start = before.count("\n"), len(before) - before.rfind("\n") - 1
    code.select((line, start, line, start + len("return 0.0")))
    code.run("remask.infillSelection")
    code.until(lambda: code.drawn, "the canvas", FIRST_S)
    picture = code.shoot("default-model")
    if os.environ.get("REMASK_UPDATE_IMAGES"):
        shutil.copy(picture, ROOT / "docs" / "images" / "vscode-infill.png")
    code.until(lambda: "return 0.0" not in code.text, "the edit", FIRST_S)
    ast.parse(code.text)
    assert "<|" not in code.text
