"""What may be filled, and what becomes of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.fake_runtime import FakeRuntime, finished
from support.marked import snapshot_of, unmark

from lsp_server.errors import InfillFailed, UnsupportedDocument
from lsp_server.fill.filled import NOTHING, UNCHANGED
from lsp_server.fill.infill import IMPLEMENT, MAX_ROUNDS, N_OTHERS, check_allowed, fill, make_plan
from lsp_server.protocol_ext import InfillParams, Position, Range
from lsp_server.settings import Settings
from model_runtime.protocol import Alternative, Enclosing

if TYPE_CHECKING:
    from lsp_server.errors import ServerFault
    from lsp_server.fill.filled import Filled
    from model_runtime.protocol import Finished, InfillRequest, Mode

SETTINGS = Settings(max_file_bytes=10, disabled_languages=("lua",), secret_files=("*.key",))


@pytest.mark.parametrize(
    ("text", "language", "path", "says"),
    [
        ("x" * 11, "python", "/w/a.py", r"a\.py has 11 bytes, more than the limit of 10"),
        ("é" * 6, "python", "/w/a.py", "more than the limit"),
        ("x", "lua", "/w/a.lua", "Remask is off for lua"),
        ("x", "", "/w/keys/a.key", r"keys/a\.key may hold secrets"),
        ("x", "", "/elsewhere/a.key", r"a\.key may hold secrets"),
    ],
)
def test_the_settings_say_what_may_not_be_filled(
    text: str, language: str, path: str, says: str
) -> None:
    """Each refusal names the setting that can be changed."""
    snapshot = snapshot_of(text, language, path=path)

    with pytest.raises(UnsupportedDocument, match=rf"{says}.*\(setting \w+\)"):
        check_allowed(snapshot, SETTINGS, "/w")


def test_everything_else_may_be_filled() -> None:
    """A file just inside the limit, in a language that is on."""
    check_allowed(snapshot_of("x" * 10), SETTINGS, "/w")


async def answered(
    marked: str, *answers: tuple[str, ...], mode: Mode = "infill", language: str = "python"
) -> tuple[Filled, list[InfillRequest]]:
    """Fill the marked place with what a runtime answers, one tuple of alternatives a request."""
    text, selections = unmark(marked)
    plan = make_plan(
        snapshot_of(text, language), InfillParams("", mode=mode), Settings(), selections=selections
    )
    left = list(answers)

    def reply(request: InfillRequest) -> Finished:
        texts = left.pop(0) if len(left) > 1 else left[0]
        alternatives = tuple(Alternative(texts=(text,)) for text in texts)
        answer = finished(request)
        return type(answer)(
            id=answer.id,
            alternatives=alternatives,
            model="",
            sampler="",
            seed=7,
            usage=answer.usage,
        )

    runtime = FakeRuntime(reply)
    return await fill(runtime, plan), runtime.requests  # type: ignore[arg-type]  # fakes the same methods


async def test_what_does_not_parse_is_asked_for_again() -> None:
    """Several others are asked for, by another seed, and the first that parses is taken."""
    filled, requests = await answered("x = $00$0\n", ("(",), (")", "1", "2"))

    assert filled.text == "x = 1\n"
    assert [request.n_alternatives for request in requests] == [1, N_OTHERS]
    assert requests[1].seed == 8
    assert requests[1].id != requests[0].id


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
async def test_the_line_of_the_fault_is_asked_for_before_the_rest(line_end: str) -> None:
    """What stands around it in the fill is given meanwhile, and stays."""
    marked = "def f():\n    $0$0\n    return a\n".replace("\n", line_end)
    filled, requests = await answered(
        marked, ("a = 1\n    b = (\n    c = 1",), ("(", "b = [", "b = 2")
    )

    assert filled.text == "def f():\n    a = 1\n    b = 2\n    c = 1\n    return a\n".replace(
        "\n", line_end
    )
    first, again = requests
    assert again.prefix == first.prefix + "a = 1\n    "
    assert again.suffix == "\n    c = 1" + first.suffix


async def test_where_the_line_cannot_be_mended_the_span_is_asked_for() -> None:
    """The whole of it, as at first."""
    filled, requests = await answered("$0$0\n", ("a = 1\nb = (",), ("(",), ("a = 2\nb = 3",))

    assert filled.text == "a = 2\nb = 3\n"
    assert [request.prefix for request in requests] == ["", "a = 1\n", ""]


async def test_asking_again_has_an_end() -> None:
    """Where nothing ever parses, the first result stands, with its faults told."""
    filled, requests = await answered("x = $00$0\n", ("(",))

    assert filled.text == "x = (\n"
    assert filled.new_faults
    assert len(requests) == 1 + MAX_ROUNDS


async def test_what_parses_is_asked_for_once() -> None:
    """The judge costs nothing where there is nothing to judge."""
    _, requests = await answered("x = $00$0\n", ("1",))

    assert len(requests) == 1


@pytest.mark.parametrize(
    ("marked", "alternatives", "text"),
    [
        # It does not parse: the first that does wins, over the unchanged one before it.
        ("$0if x$0\n    y()\n", ("if x", "if x or", "if x:"), "if x:\n    y()\n"),
        # It parses: the order is the model's.
        ("$0if x:$0\n    y()\n", ("if x:", "if y:"), "if x:\n    y()\n"),
        ("$0if x:$0\n    y()\n", ("if y", "if x:"), "if x:\n    y()\n"),
    ],
)
async def test_a_repair_never_parses_worse(
    marked: str, alternatives: tuple[str, ...], text: str
) -> None:
    """Of a repair's alternatives, the unchanged text among them, the first that parses wins."""
    filled, requests = await answered(marked, alternatives, mode="repair")

    assert filled.text == text
    assert len(requests) == 1
    assert requests[0].n_alternatives > 1


async def test_a_language_without_grammar_has_no_judge_and_says_so() -> None:
    """The first alternative is taken, asked for once."""
    filled, requests = await answered("x = $0$0\n", ("(",), language="cobol")

    assert filled.text == "x = (\n"
    assert len(requests) == 1
    assert filled.no_judge == "Remask has no grammar for cobol: syntax is unchecked."


async def test_an_empty_text_never_takes_the_place_of_code() -> None:
    """What stands there stays, and the user is told that nothing was found."""
    marked = "fn f() -> i32 {\n    $0todo!()$0\n}\n"
    filled, requests = await answered(marked, ("",), (" \n",), language="rust")

    assert filled.replacements == []
    assert filled.silence == NOTHING
    assert len(requests) == 2


async def test_another_text_is_taken_in_place_of_an_empty_one() -> None:
    """Of the others that are asked for, the first that says something."""
    filled, _ = await answered("x = $0y$0\n", ("",), ("", "z"))

    assert filled.text == "x = z\n"
    assert filled.silence == ""


async def test_the_same_text_is_told_as_no_change() -> None:
    """It is no edit, and no riddle."""
    filled, _ = await answered("x = $0y$0\n", ("y",))

    assert filled.replacements == []
    assert filled.silence == UNCHANGED


async def test_a_body_that_is_not_whole_is_asked_for_again() -> None:
    """It parses, but gives no result though one is declared."""
    marked = "def f(xs) -> int:\n    $0pass$0\n"
    filled, requests = await answered(marked, ("total = 0",), ("pass", "return len(xs)"))

    assert filled.text == "def f(xs) -> int:\n    return len(xs)\n"
    assert filled.warning == ""
    assert len(requests) == 2


async def test_what_a_body_lacks_is_told() -> None:
    """Where no other is whole, the first stands, with what is missing."""
    filled, requests = await answered("def f(xs) -> int:\n    $0pass$0\n", ("total = 0",))

    assert filled.text == "def f(xs) -> int:\n    total = 0\n"
    assert "nothing is returned; total is not used" in filled.warning
    assert len(requests) == 2


@pytest.mark.parametrize(
    ("marked", "said", "becomes"),
    [
        ("def f(x):\n  $0pass$0\n", "  if x:\n      y(x)", "def f(x):\n  if x:\n    y(x)\n"),
        (
            "def f(x):\n    $0pass$0\n",
            "if x:\n        y(x)",
            "def f(x):\n    if x:\n        y(x)\n",
        ),
        ("def f(x): $0pass$0\n", "  return x", "def f(x):   return x\n"),
    ],
)
async def test_a_body_begins_where_the_file_has_it_begin(
    marked: str, said: str, becomes: str
) -> None:
    """What is too much of its first line is too much of all."""
    filled, _ = await answered(marked, (said,))
    assert filled.text == becomes


@pytest.mark.parametrize("stub", ["pass", "...", "raise NotImplementedError", "# TODO"])
async def test_a_stub_never_takes_the_place_of_a_body(stub: str) -> None:
    """It is no text for it: others are asked for, and where there are none the code stays."""
    marked = "def f(xs):\n    $0return False$0\n"
    filled, requests = await answered(marked, (stub,), ("...", "return len(xs)"))
    assert filled.text == "def f(xs):\n    return len(xs)\n"
    assert len(requests) == 2

    filled, _ = await answered(marked, (stub,))
    assert filled.replacements == []
    assert filled.silence == NOTHING


@pytest.mark.parametrize("takes_words", [True, False])
async def test_a_body_that_is_none_is_asked_for_in_words(*, takes_words: bool) -> None:
    """Of a model that takes words; another one is asked the same again."""
    text, selections = unmark("def f(xs):\n    $0return False$0\n")
    plan = make_plan(snapshot_of(text), InfillParams(""), Settings(), selections=selections)

    def answer(request: InfillRequest) -> Finished | ServerFault:
        if request.instruction and not takes_words:
            return InfillFailed("unsupported_pairing", "no words")
        is_other = bool(request.instruction) == takes_words and request.n_alternatives > 1
        return finished(request, "return len(xs)" if is_other else "pass")

    runtime = FakeRuntime(answer)
    filled = await fill(runtime, plan)  # type: ignore[arg-type]  # fakes the same methods
    assert filled.text == "def f(xs):\n    return len(xs)\n"
    words = [request.instruction for request in runtime.requests]
    assert words == (["", IMPLEMENT] if takes_words else ["", IMPLEMENT, ""])


async def test_a_stub_that_is_asked_for_is_given() -> None:
    """In words: the user knows better."""
    text, selections = unmark("def f(xs):\n    $0return False$0\n")
    params = InfillParams("", instruction="do nothing")
    plan = make_plan(snapshot_of(text), params, Settings(), selections=selections)
    runtime = FakeRuntime(lambda request: finished(request, "pass"))
    filled = await fill(runtime, plan)  # type: ignore[arg-type]  # fakes the same methods
    assert filled.text == "def f(xs):\n    pass\n"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
async def test_each_of_several_bodies_is_looked_at(line_end: str) -> None:
    """Where it stands once those before it are filled, whatever ends the lines."""
    text, selections = unmark(
        "def f() -> int:\n    $0___$0\n\ndef g() -> int:\n    $0___$0\n".replace("\n", line_end)
    )
    plan = make_plan(
        snapshot_of(text), InfillParams("", mode="holes"), Settings(), selections=selections
    )
    runtime = FakeRuntime(lambda request: finished(request, "x = 1\n    return x", "total = 0"))
    filled = await fill(runtime, plan)  # type: ignore[arg-type]  # fakes the same methods

    assert filled.lacks == ["nothing is returned", "total is not used"]


async def test_a_hole_without_a_text_keeps_its_marker() -> None:
    """The others are filled, and the user is told of the one that is left."""
    text, _ = unmark("a = ___\nb = ___\n")
    plan = make_plan(snapshot_of(text), InfillParams("", mode="holes"), Settings(), selections=[])
    runtime = FakeRuntime(lambda request: finished(request, "1", ""))
    filled = await fill(runtime, plan)  # type: ignore[arg-type]  # fakes the same methods

    assert filled.text == "a = 1\nb = ___\n"
    assert filled.warning == "1 of 2 places are left as they are: no text for them."


def test_the_function_around_goes_with_the_request() -> None:
    """In the text as the model reads it: one line end is one character."""
    head = "def f(x):\r\n    '''Doc.'''\r\n    "
    text, selections = unmark(f"y = 1\r\n\r\n{head}$0pass$0\r\n")
    plan = make_plan(snapshot_of(text), InfillParams(""), Settings(), selections=selections)

    (span,) = plan.request.spans
    assert span.enclosing == Enclosing(n_before=len(head) - 2, n_behind=0, is_body=True)
    assert not span.single_line


def test_a_marker_of_the_users_goes_with_the_request() -> None:
    """The runtime neither shows it to the model nor lets it be said."""
    text, selections = unmark("x = $00$0\n")
    settings = Settings(hole_marker="@@")
    plan = make_plan(snapshot_of(text), InfillParams(""), settings, selections=selections)

    assert plan.request.hole_marker == "@@"


def test_where_a_diagnostic_points_goes_with_the_request() -> None:
    """In characters of the selection; outside of it, nowhere."""
    text, selections = unmark("a = 1\n$0b = 2\nc = d$0\n")

    def told(line: int, start: int, end: int) -> tuple[int, int] | None:
        place = Range(Position(line, start), Position(line, end))
        params = InfillParams("", mode="repair", told=place)
        plan = make_plan(snapshot_of(text), params, Settings(), selections=selections)
        return plan.request.spans[0].told

    assert told(2, 4, 5) == (10, 11)
    assert told(0, 0, 1) is None
