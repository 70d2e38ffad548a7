"""What may be filled, and what becomes of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.fake_runtime import FakeRuntime, finished
from support.marked import snapshot_of, unmark

from lsp_server.errors import UnsupportedDocument
from lsp_server.fill.infill import MAX_ROUNDS, N_OTHERS, check_allowed, fill, make_plan
from lsp_server.protocol_ext import InfillParams
from lsp_server.settings import Settings
from model_runtime.protocol import Alternative

if TYPE_CHECKING:
    from lsp_server.fill.infill import Filled
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
