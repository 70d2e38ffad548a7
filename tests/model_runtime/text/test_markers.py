"""What is shown of a file that has holes in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.protocol import ContextFile, Enclosing, InfillRequest, MaskSpan
from model_runtime.text.markers import holds_marker, unmarked, without_markers


def shown(prefix: str, suffix: str = "\n", **fields: object) -> InfillRequest:
    """Return a request as the model is shown it."""
    request = InfillRequest(id="r", prefix=prefix, suffix=suffix, spans=(MaskSpan(),))
    values = {name: getattr(request, name) for name in request.__struct_fields__} | fields
    return unmarked(InfillRequest(**values))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a = 1\nb = ___\nc = 2\n", "a = 1\nc = 2\n"),
        ("def f(x):\n    return ___\n\n\ndef g(x):\n", "def f(x): ...\n\n\ndef g(x):\n"),
        (
            'def f(x):\n    """Doc."""\n    return ___\n\nx = 1\n',
            'def f(x):\n    """Doc."""\n\nx = 1\n',
        ),
        ("function f(x) {\n  ___\n}\nlet y = 1;\n", "function f(x);\nlet y = 1;\n"),
        ("int f(int x) {\n    return ___;\n}\n\n", "int f(int x);\n\n"),
        ("if ___:\n    a()\n", "if …:\n    a()\n"),
        ("while (___) {\n  a();\n}\n", "while (…) {\n  a();\n}\n"),
        ("a___b = 1\n", "a___b = 1\n"),
    ],
)
def test_what_waits_does_not_look_like_code_that_is_meant(before: str, after: str) -> None:
    """A line that waits is left out, and a block that would be empty is only declared."""
    assert shown(before).prefix == after
    assert shown("", f"\n{before}").suffix == f"\n{after}"


def test_the_span_keeps_its_own_line() -> None:
    """What stands beside it on the line is needed to fill it."""
    request = shown("x = f(___, ", ", ___)\ny = ___\n")
    assert request.prefix == "x = f(…, "
    assert request.suffix == ", …)\n"


def test_other_files_are_shown_without_markers() -> None:
    """A marker in one of them would be said, too."""
    request = shown("x\n", context=(ContextFile(path="b.py", text="b = ___\nc = 1\n"),))
    assert request.context[0].text == "c = 1\n"


def test_the_function_around_is_still_where_it_is_said_to_be() -> None:
    """Lines that are left out before the span are not counted."""
    head = "def f(x):\n    a = ___\n    b = 1\n    return "
    where = Enclosing(n_before=len(head), n_behind=len("\n    c = ___\n"))
    span = MaskSpan(single_line=True, enclosing=where)
    request = shown(f"y = ___\n{head}", "\n    c = ___\n\n\nz = 1\n", spans=(span,))
    (told,) = [span.enclosing for span in request.spans]
    assert told is not None
    assert request.prefix[len(request.prefix) - told.n_before :].startswith("def f(x):\n    b = 1")
    assert request.suffix[: told.n_behind].strip() == ""
    assert request.suffix[told.n_behind :].strip() == "z = 1"


def test_no_marker_may_be_meant() -> None:
    """Who sets none has every text shown as it stands."""
    assert shown("a = ___\n", hole_marker="").prefix == "a = ___\n"


LINES = st.sampled_from(
    ["x = 1", "def f():", "    return ___", "f(___, 2)", "}", "if (___) {", "___", "", "# ___ note"]
)


@given(st.lists(LINES), st.lists(LINES))
def test_a_marker_is_never_shown(before: list[str], behind: list[str]) -> None:
    """Wherever it stands, whatever else does."""
    request = shown("\n".join(before), "\n".join(behind))
    assert not holds_marker(request.prefix, "___")
    assert not holds_marker(request.suffix, "___")


def test_a_selection_that_is_a_marker_is_nothing() -> None:
    """In a text that holds more, it is told apart from code."""
    assert without_markers(" ___ ", "___") == ""
    assert without_markers("return ___", "___") == "return …"
    assert without_markers("return 1", "___") == "return 1"
