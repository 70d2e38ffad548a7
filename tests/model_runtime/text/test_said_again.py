"""An answer is cut to its span."""

from __future__ import annotations

import pytest

from model_runtime.protocol import Enclosing
from model_runtime.text.said_again import within_function

HEAD = 'class A:\n    def f(self, x):\n        """Doc."""\n        '
WHERE = Enclosing(n_before=len(HEAD) - len("class A:\n    "), n_behind=0, is_body=True)


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
def test_a_head_that_is_said_again_is_left_out(said: str, kept: str | None) -> None:
    """With what stands between it and the span, and what comes behind the function."""
    assert within_function(said, HEAD, WHERE) == (said if kept is None else kept)


def test_nothing_is_left_out_where_no_function_is_known() -> None:
    """It may be meant."""
    said = "def f(self, x):\n    return x"
    assert within_function(said, HEAD, None) == said
