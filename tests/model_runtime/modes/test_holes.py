"""Each hole as a request of its own."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tiny_canvas import Listener, Patience, engine

from model_runtime.modes.holes import alone
from model_runtime.protocol import Enclosing, InfillRequest, MaskSpan
from model_runtime.text.markers import holds_marker

FILE = "def f(x):\n    return ___\n\n\ndef g(x):\n    y = ___\n    return ___\n"


def holes_of(text: str, functions: tuple[str, ...] = ("def f", "def g")) -> InfillRequest:
    """Return the request that fills the markers of a text."""
    pieces = text.split("___")
    at, spans = 0, []
    for piece, behind in pairwise(pieces):
        at += len(piece)
        head = max(text.rfind(function, 0, at) for function in functions)
        end = text.find("\n\n\n", at)
        end = len(text) if end < 0 else end
        where = Enclosing(n_before=at - head, n_behind=end - at - 3) if head >= 0 else None
        is_last = len(spans) == len(pieces) - 2
        spans.append(MaskSpan(text="___", following="" if is_last else behind, enclosing=where))
        at += 3
    return InfillRequest(
        id="r", prefix=pieces[0], suffix=pieces[-1], spans=tuple(spans), mode="holes"
    )


def test_what_waits_is_not_shown() -> None:
    """The first hole sees no other; the last one what the others were filled with."""
    request = holes_of(FILE)
    first = alone(request, [None, None, None], 0)
    assert first.prefix == "def f(x):\n    return "
    assert first.suffix.rstrip() == "\n\n\ndef g(x): ..."
    last = alone(request, ["1", "2", None], 2)
    assert last.prefix == "def f(x):\n    return 1\n\n\ndef g(x):\n    y = 2\n    return "


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_body_that_waits_takes_its_function_with_it(index: int) -> None:
    """A declaration without a body would be said again as one."""
    names = ("f", "g", "h")
    functions = [f"    int {name}(int x) {{\n        ___\n    }}\n" for name in names]
    text = "class A {\n    int a;\n\n" + "\n".join(functions) + "}\n"
    request = holes_of(text, tuple(f"int {name}(" for name in names))
    spans = []
    for at, span in enumerate(request.spans):
        assert span.enclosing is not None
        behind = span.following or request.suffix
        where = msgspec.structs.replace(
            span.enclosing, n_behind=behind.index("}") + 1, is_body=True
        )
        spans.append(msgspec.structs.replace(span, enclosing=where))
        assert at < len(names)
    request = msgspec.structs.replace(request, spans=tuple(spans))

    one = alone(request, [None, None, None], index)
    (span,) = one.spans
    assert span.enclosing is not None
    shown = (one.prefix + "___" + one.suffix).split()
    assert shown == ["class", "A", "{", "int", "a;", *functions[index].split(), "}"]
    assert one.prefix[-span.enclosing.n_before :].startswith(f"int {names[index]}(")
    assert one.suffix[: span.enclosing.n_behind].strip() == "}"

    told: list[str | None] = ["return 1;"] * 3
    full = alone(request, told, index)
    assert full.prefix.count("return 1;") == index
    assert full.suffix.count("return 1;") == len(names) - 1 - index


@given(
    st.lists(st.none() | st.sampled_from(["", "1", "x + 1", "[\n  x,\n]"]), min_size=3, max_size=3)
)
def test_the_function_around_a_hole_is_found_among_fills(texts: list[str | None]) -> None:
    """Whatever the others hold, longer or shorter than their markers."""
    for index, function in enumerate(("def f(x):", "def g(x):", "def g(x):")):
        one = alone(holes_of(FILE), texts, index)
        (span,) = one.spans
        assert span.enclosing is not None
        begun = one.prefix[len(one.prefix) - span.enclosing.n_before :]
        assert begun.startswith(function)
        assert not holds_marker(one.prefix + one.suffix, "___")
        assert "def g" not in one.suffix[: span.enclosing.n_behind]


@pytest.mark.parametrize("best_only", [False, True])
def test_every_step_tells_of_all_holes(*, best_only: bool) -> None:
    """Whoever draws them needs a draft of each, whichever is being filled."""
    listener = Listener()
    spans = tuple(MaskSpan(text="___", following=";\n", max_tokens=4) for _ in range(3))
    request = InfillRequest(
        id="r", prefix="", suffix="", spans=spans, mode="holes", seed=1, stream=True,
        best_only=best_only,
    )  # fmt: skip
    engine().infill(request, listener, Patience())
    assert all(len(step.drafts) == len(step.committed) == 3 for step in listener.steps)
    assert [step.step_index for step in listener.steps] == list(range(len(listener.steps)))


def test_a_rewrite_of_a_marker_is_an_infill() -> None:
    """Where code is missing there is nothing to start from."""
    fields = {"id": "r", "prefix": "x = ", "suffix": "\n", "seed": 1}
    spans = (MaskSpan(text="___", max_tokens=8),)
    answers = [
        engine().infill(
            InfillRequest(spans=spans, mode=mode, **fields), Listener(), Patience()  # type: ignore[arg-type]
        ).alternatives
        for mode in ("rewrite", "repair", "infill")
    ]  # fmt: skip
    assert answers[0] == answers[1] == answers[2]
