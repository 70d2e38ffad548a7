"""Fills with the real default model: where they begin, where they end, which is put first."""

from __future__ import annotations

import pytest
from support.default_model import default_model
from support.tiny_canvas import Listener, Patience

from model_runtime.engines.local import LocalEngine
from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.settings import RuntimeSettings

pytestmark = pytest.mark.real_model

HEAD = "def area(width, height):\n"


def fills(
    prefix: str,
    suffix: str,
    n_alternatives: int = 1,
    path: str = "shapes.py",
    language: str = "python",
    **span: bool,
) -> list[str]:
    """Return the fills of one span, best first."""
    engine = LocalEngine(RuntimeSettings())
    engine._model = default_model()
    request = InfillRequest(
        id="r", path=path, language=language, prefix=prefix, suffix=suffix,
        spans=(MaskSpan(**span),), seed=0, n_alternatives=n_alternatives,
    )  # fmt: skip
    finished = engine.infill(request, Listener(), Patience())
    return [alternative.texts[0] for alternative in finished.alternatives]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("    retu", "rn width * height"),
        ("    return wi", "dth * height"),
        ("    return width * ", "height"),
        ("    ", "return width * height"),
    ],
)
def test_a_half_word_at_the_cursor_is_gone_on_with(typed: str, expected: str) -> None:
    """Wherever the cursor stands in the line, the line is the same."""
    assert fills(HEAD + typed, "\n", single_line=True) == [expected]


def test_a_fill_of_several_lines_stays_in_its_function() -> None:
    """It ends before what the file goes on with, and says no word about itself."""
    (fill,) = fills(HEAD + "    ", "\n\n\nprint(area(2, 3))\n")
    assert "width * height" in fill
    assert "print" not in fill
    assert "```" not in fill
    assert all(line.startswith("    ") for line in fill.split("\n")[1:] if line)


def test_what_follows_says_which_fill_is_best() -> None:
    """The line that defines what the next lines use comes first."""
    prefix = "def first_words(text):\n"
    suffix = "\n    for line in text.split():\n        found.append(line)\n    return found\n"
    assert fills(prefix, suffix, n_alternatives=4, single_line=True)[0] == "    found = []"


@pytest.mark.parametrize(
    ("prefix", "suffix", "path"),
    [
        ("name = 'x'\nprint(\"hello", '")\n', "a.py"),
        ('GREETING = "', '"\n', "a.py"),
        ("const limit = 10;\n// lim", "\n", "a.js"),
        ("total = 0\n# retu", "\n", "a.py"),
    ],
)
def test_a_line_that_goes_on_or_a_comment_gets_one_line(
    prefix: str, suffix: str, path: str
) -> None:
    """Though nobody asked for one: no code behind the comment, and no line behind the line."""
    (fill,) = fills(prefix, suffix, path=path, language="")
    assert "\n" not in fill


def test_the_line_behind_one_that_opens_a_block_is_suggested() -> None:
    """The model begins it with a line end."""
    (fill,) = fills("def area(w, h):", "\n", single_line=True)
    assert "w * h" in fill


def test_a_file_that_repeats_itself_is_not_gone_on_with_for_ever() -> None:
    """Nothing is said three times running that the file does not say so often."""
    above = "data = []\n" + "".join(f"data.append({n})\n" for n in range(1, 11))
    (fill,) = fills(above, "\n")
    assert fill.count("print(data[") <= 2


def test_a_code_block_in_prose_is_closed() -> None:
    """What is opened is finished."""
    (fill,) = fills("# Setup\n\nRun this:\n\n", "\n", path="a.md", language="markdown")
    assert fill.count("```") % 2 == 0
