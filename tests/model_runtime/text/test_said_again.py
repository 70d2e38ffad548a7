"""An answer is cut to its span."""

from __future__ import annotations

import pytest

from model_runtime.protocol import Enclosing
from model_runtime.text.said_again import within_function

HEAD = 'class A:\n    def f(self, x):\n        """Doc."""\n        '
WHERE = Enclosing(n_before=len(HEAD) - len("class A:\n    "), n_behind=0, is_body=True)


@pytest.mark.parametrize("where", [WHERE, None])
@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("return x", "return x"),
        ('def f(self, x):\n        """Doc."""\n        return x', "return x"),
        ("def f(self, x):\n        return x", "return x"),
        (
            "def f(self, x):\n        y = x\n\n        return y\n\n    def g(self):\n        pass",
            "y = x\n\n        return y",
        ),
        ("def g(x):\n            return x\n        return g(x)", None),
    ],
)
def test_a_head_that_is_said_again_is_left_out(
    said: str, kept: str | None, where: Enclosing | None
) -> None:
    """With what stands between it and the span, and what comes behind; told where, or not."""
    assert within_function(said, HEAD, where) == (said if kept is None else kept)


@pytest.mark.parametrize(
    ("prefix", "said", "kept"),
    [
        # Where a client ends its prefix makes no difference.
        ("def f(x):\n", "def f(x):\n    return x", "return x"),
        ("def f(x):\n    a = 1\n", "def f(x):\n    a = 1\n    return x", "return x"),
        ("function f(x) {\n  ", "function f(x) {\n  return x;\n}", "return x;"),
        ("a.b((x) => {\n\t", "a.b((x) => {\n\treturn x\n})", "return x"),
        # Of a function that is over, of a block without a name, of another one nothing is known.
        ("def f(x):\n    return 1\n\n\n", "def f(x):\n    return x", None),
        ("try:\n    ", "try:\n    f()", None),
        ("def f(x):\n    ", "def g(x):\n        return x", None),
    ],
)
def test_the_function_is_read_from_the_lines_where_nobody_told(
    prefix: str, said: str, kept: str | None
) -> None:
    """By their indentation, whatever the language."""
    assert within_function(said, prefix, None) == (said if kept is None else kept)
