"""Requests to canvases and back."""

from __future__ import annotations

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_canvas import CONTROL, tokenizer

from model_runtime.protocol import ContextFile, InfillRequest, MaskSpan, Mode
from model_runtime.text.chat import ChatTask
from model_runtime.text.fim import FimTemplate
from model_runtime.text.layout import SPAN_ROOM, CanvasLayout

LAYOUT = CanvasLayout(FimTemplate(tokenizer()), 1024)
ENCODE, DECODE = LAYOUT.template.tokenizer.encode, LAYOUT.template.tokenizer.decode


def request(mode: Mode = "rewrite", instruction: str = "", text: str = "a = 1") -> InfillRequest:
    """Return a request with one span."""
    return InfillRequest(
        id="r",
        path="a.py",
        language="python",
        prefix="def f():\n    ",
        suffix="\n    return a\n",
        spans=(MaskSpan(text=text),),
        mode=mode,
        instruction=instruction,
        context=(ContextFile(path="b.py", text="b = 2\n"),),
    )


def controls(token_ids: list[int]) -> list[int]:
    """Return the control tokens among `token_ids`."""
    return [token_id for token_id in token_ids if token_id in LAYOUT.template.end_ids]


@pytest.mark.parametrize("mode", ["infill", "rewrite", "repair"])
def test_what_the_user_wrote_is_never_control(mode: Mode) -> None:
    """Special tokens spelled out in instruction, text and file change no control token."""
    spelled = "".join(CONTROL)
    plain = LAYOUT.lay_out(request(mode, "do it"), MaskSpan(text="a"), "x\n", "\ny\n", text="a")
    spelt = LAYOUT.lay_out(
        request(mode, spelled), MaskSpan(text=spelled), f"{spelled}\n", f"\n{spelled}\n",
        text=spelled,
    )  # fmt: skip
    assert controls(spelt.context) == controls(plain.context)
    assert controls(spelt.text_ids) == controls(plain.text_ids)
    assert DECODE(spelt.text_ids).startswith(spelled)


@pytest.mark.parametrize("instruction", ["", "make it short"])
@given(text=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
@settings(max_examples=30, deadline=None)
def test_a_text_comes_back_as_it_was_laid_out(instruction: str, text: str) -> None:
    """Settled as it stands, the canvas reads as the very text, indentation and end left out."""
    asked = request(instruction=instruction, text=text)
    laid_out = LAYOUT.lay_out(asked, asked.spans[0], asked.prefix, asked.suffix, text=text)
    canvas = laid_out.canvas
    canvas.committed = canvas.token_ids != LAYOUT.template.mask_id
    fill = LAYOUT.reader.read(laid_out)
    assert fill.finish == "closed"
    assert fill.text == text


@given(
    n_wanted=st.integers(min_value=1, max_value=2**40),
    n_lines=st.integers(min_value=0, max_value=2000),
    n_behind=st.integers(min_value=0, max_value=2000),
    mode=st.sampled_from(["infill", "rewrite"]),
)
@settings(max_examples=30, deadline=None)
def test_no_canvas_is_longer_than_the_positions_there_are(
    n_wanted: int, n_lines: int, n_behind: int, mode: Mode
) -> None:
    """However much is wanted behind however long a context."""
    asked = request(mode, "do it" if mode == "rewrite" else "")
    before, behind = "x = 1\n" * n_lines, "\ny = 2" * n_behind
    canvas = LAYOUT.lay_out(asked, MaskSpan(max_tokens=n_wanted), before, behind).canvas

    assert canvas.length <= 1024 + SPAN_ROOM
    assert not canvas.given[-1]


def test_a_code_block_is_fenced_wider_than_what_it_holds() -> None:
    """Fences in the code or in the instruction close nothing."""
    task = ChatTask("use ```` here", "python", "```\n", "", "x")
    assert task.fence == "`" * 5


def test_a_diagnostic_is_shown_as_a_file() -> None:
    """Its message stands before the file being repaired."""
    asked = request("repair", "name 'b' is not defined")
    context = LAYOUT.lay_out(asked, asked.spans[0], asked.prefix, asked.suffix).context
    assert "name 'b' is not defined" in DECODE(context)


def test_a_fill_ends_where_the_next_line_comes() -> None:
    """A fill that says the line behind it ends before that line."""
    asked = request("infill")
    laid_out = LAYOUT.lay_out(asked, asked.spans[0], asked.prefix, "\n    return total\n")
    said = ENCODE("a = 1\n    return total\n    more = 2")
    canvas = laid_out.canvas
    canvas.token_ids[laid_out.span_start :][: len(said)] = torch.tensor(said)
    canvas.committed = canvas.token_ids != LAYOUT.template.mask_id
    assert LAYOUT.reader.is_closed(laid_out)
    assert LAYOUT.reader.read(laid_out).text == "a = 1"


def shown(asked: InfillRequest, layout: CanvasLayout = LAYOUT) -> str:
    """Return the prompt of a request's one span as text."""
    laid_out = layout.lay_out(asked, asked.spans[0], asked.prefix, asked.suffix)
    return DECODE(laid_out.context)


@pytest.mark.parametrize(("language", "marker"), [("python", "#"), ("go", "//"), ("lua", "--")])
def test_other_files_are_a_comment_at_the_top(language: str, marker: str) -> None:
    """In the language's own marks, the most relevant file last, next to what is edited."""
    files = tuple(ContextFile(path=f"{name}.x", text=f"{name} = 2\n\n") for name in "bc")
    asked = msgspec.structs.replace(request("infill"), language=language, context=files)
    expected = f"{marker} c.x\n{marker} c = 2\n{marker} b.x\n{marker} b = 2\n\ndef f():"
    assert expected in shown(asked)


def test_other_files_are_shown_as_a_request_says() -> None:
    """In the base's marks, or not at all; else as the base is shown them."""
    asked = request("infill")
    marked = msgspec.structs.replace(asked, context_form="marks")
    assert "b.py\nb = 2\n" in shown(marked)
    assert "# b.py" not in shown(marked)
    assert "b = 2" not in shown(msgspec.structs.replace(asked, context_form="none"))
    own = CanvasLayout(LAYOUT.template, 1024, context_form="none")
    assert "b = 2" not in shown(asked, own)


def test_other_files_take_room_from_a_long_file_and_never_all_of_it() -> None:
    """What does not fit into their share is left out, each file whole."""
    files = tuple(ContextFile(path=f"{name}.py", text=f"{name} = 2\n" * 20) for name in "bc")
    files += (ContextFile(path="long.py", text="d = 3\n" * 4000),)
    asked = msgspec.structs.replace(request("infill"), prefix="x = 1\n" * 4000, context=files)
    text = shown(asked)
    assert "# b.py" in text
    assert "# long.py" not in text
    assert text.count("x = 1\n") > 50
    # A glance at a long file is for what stands nearest.
    assert "# b.py" not in shown(asked, LAYOUT.within(256))
