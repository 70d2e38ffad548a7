"""Which prompt a span gets, and what stands in it."""

from __future__ import annotations

import msgspec
import pytest
from support.tiny_canvas import tokenizer

from model_runtime.protocol import Enclosing, InfillRequest, MaskSpan
from model_runtime.text.chat_layout import SHORT
from model_runtime.text.fim import FimTemplate
from model_runtime.text.forms import Forms
from model_runtime.text.layout import CanvasLayout

#: A base that goes on best with a body behind its own head.
FORMS = Forms(
    plain={"body": "begun"},
    in_words={"body": "begun"},
    changed={"lines": "begun", "body": "begun"},
)
LAYOUT = CanvasLayout(FimTemplate(tokenizer()), 4096, forms=FORMS)
HEAD = "def f(x):\n    '''Return x.'''\n    "
BODY = MaskSpan(text="pass", enclosing=Enclosing(n_before=len(HEAD), n_behind=0, is_body=True))


def request(prefix: str = HEAD, suffix: str = "\n\n\ny = 1\n", **fields: object) -> InfillRequest:
    """Return a request for a body."""
    values = {"id": "r", "language": "python", "spans": (BODY,)} | fields
    return msgspec.convert(values | {"prefix": prefix, "suffix": suffix}, InfillRequest)


def prompt(request: InfillRequest, text: str | None = None) -> str:
    """Return what the model reads before a span."""
    (span,) = request.spans
    laid_out = LAYOUT.lay_out(request, span, request.prefix, request.suffix, text=text)
    return LAYOUT.template.tokenizer.decode(laid_out.context)


@pytest.mark.parametrize(
    ("fields", "form"),
    [
        ({}, "begun"),
        ({"instruction": "do it"}, "begun"),
        ({"mode": "holes"}, "begun"),
        ({"mode": "repair"}, "fim"),
        ({"lane": "inline"}, "fim"),
        ({"spans": (MaskSpan(),)}, "fim"),
        ({"spans": (MaskSpan(),), "instruction": "do it"}, "asked"),
        ({"spans": (MaskSpan(single_line=True),), "instruction": "do it"}, "asked"),
        ({"spans": (MaskSpan(text="x"),), "instruction": "do it", "mode": "rewrite"}, "begun"),
        ({"spans": (MaskSpan(text=" "),), "instruction": "do it", "mode": "rewrite"}, "asked"),
        ({"spans": (MaskSpan(text="x"),), "instruction": "do it"}, "asked"),
    ],
)
def test_the_form_suits_the_span(fields: dict[str, object], form: str) -> None:
    """What it is, and what is asked of it, choose the prompt."""
    asked = InfillRequest(id="r", prefix=HEAD, suffix="\n", **{"spans": (BODY,), **fields})  # type: ignore[arg-type]
    assert LAYOUT.form_of(asked, asked.spans[0]) == form


def test_a_base_without_forms_has_the_one_prompt() -> None:
    """What its catalog entry does not name is filled in the middle."""
    asked = request()
    assert Forms().of(asked, BODY) == "fim"


def test_the_answer_begins_with_what_the_user_has_written() -> None:
    """Up to the span; what follows the function is told before."""
    asked = request(instruction="Be quick.")
    told, _, answer = prompt(asked).rpartition("```python\n")
    assert HEAD.startswith(answer)
    assert answer.startswith("def f(x):\n")
    assert "y = 1" in told
    assert "Be quick." in told


def test_a_method_ends_where_the_next_one_begins() -> None:
    """Though the file before it begins further left."""
    head = "class A:\n    def f(self):\n        "
    where = Enclosing(n_before=len(head) - len("class A:\n    "), n_behind=0, is_body=True)
    span = MaskSpan(enclosing=where)
    asked = request(head, "\n", spans=(span,))
    laid_out = LAYOUT.lay_out(asked, span, asked.prefix, asked.suffix)
    said = f"{laid_out.half}return 1\n\n    def g(self):\n        pass"
    canvas = laid_out.resumed(LAYOUT.template.tokenizer.encode(said), 0)
    canvas.canvas.committed[:] = True
    assert LAYOUT.reader.read(canvas).text == "return 1"


def test_a_head_that_has_no_room_twice_is_not_begun_with() -> None:
    """The span is filled in the middle then, and never refused."""
    head = "def f(x):\n" + "    x = x + 1\n" * 200 + "    "
    where = Enclosing(n_before=len(head), n_behind=0, is_body=True)
    span = MaskSpan(enclosing=where)
    asked = request(head, "\n", spans=(span,))
    laid_out = LAYOUT.lay_out(asked, span, asked.prefix, asked.suffix)
    assert LAYOUT.template.suffix_id in laid_out.context


def test_what_is_to_be_changed_is_shown_where_it_stands() -> None:
    """The answer begins with what stands before it, and nothing of it stands there yet."""
    asked = request(mode="rewrite", instruction="Be quick.")
    told, _, answer = prompt(asked, text="pass").rpartition("```python\n")
    assert f"```python\n{HEAD}pass\n\n\ny = 1\n```\n\nBe quick." in told
    assert HEAD.rstrip(" ") == answer


LINES = MaskSpan(text="x += 1\n    x += 2")


def test_lines_end_where_the_files_next_line_begins() -> None:
    """And where the function does."""
    head, tail = "def f(x):\n    ", "\n    return x\n"
    where = Enclosing(n_before=len(head), n_behind=len(tail))
    span = msgspec.structs.replace(LINES, enclosing=where)
    asked = request(head, tail, spans=(span,), mode="rewrite", instruction="Once.")
    laid_out = LAYOUT.lay_out(asked, span, asked.prefix, asked.suffix, text=span.text)
    for behind in ("\n    return x\n```", "\n\n\ndef g(x):\n    pass\n", "\n```\nThis adds"):
        token_ids = LAYOUT.template.tokenizer.encode(f"    x += 3{behind}")
        canvas = laid_out.resumed(token_ids, 0)
        canvas.canvas.committed[:] = True
        assert LAYOUT.reader.read(canvas).text == "x += 3"


def test_outside_of_a_function_the_answer_begins_where_the_file_does() -> None:
    """Where that is not far; else it is asked for by itself."""
    near = prompt(
        request("x = 0\n", "\ny = 1\n", spans=(LINES,), mode="rewrite", instruction="Once."),
        text=LINES.text,
    )
    assert near.endswith("```python\nx = 0\n")
    far = prompt(
        request("x = 0\n" * SHORT, "\n", spans=(LINES,), mode="rewrite", instruction="Once."),
        text=LINES.text,
    )
    assert "Rewrite this code:\n```python\nx += 1" in far
    assert far.endswith("```python\n")


def test_words_are_not_lost_where_there_is_no_room_to_begin_the_answer() -> None:
    """The function is too long to be said twice: the body is asked about by itself."""
    head = "def f(x):\n" + "    x = x + 1\n" * 200 + "    "
    where = Enclosing(n_before=len(head), n_behind=0, is_body=True)
    span = MaskSpan(text="pass", enclosing=where)
    for mode in ("infill", "rewrite"):
        asked = request(head, "\n", spans=(span,), mode=mode, instruction="Be quick.")
        assert "Be quick." in prompt(asked)


def test_of_a_long_file_the_answer_begins_with_the_function() -> None:
    """And with the comments above it."""
    above = "z = 0\n" * SHORT
    documented = f"{above}# Says f.\n{HEAD}"
    (_, answer) = prompt(request(documented)).rsplit("```python\n", 1)
    assert answer.startswith("# Says f.\ndef f(x):\n")


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("return x\n```\nThis function", "return x"),
        ("return x\n\n\n# Test cases\nf(1)\n", "return x"),
        ("return x\n\n\ndef g(x):\n    pass\n", "return x"),
        ("if x:\n        x = 1\n    return x\n\nf(1)\n", "if x:\n        x = 1\n    return x"),
        ("return '''\n'''\n\nf(1)\n", "return '''\n'''"),
    ],
)  # fmt: skip
def test_the_body_ends_where_the_function_does(said: str, text: str) -> None:
    """Fences, prose and a second function don't come through."""
    asked = request()
    laid_out = LAYOUT.lay_out(asked, BODY, asked.prefix, asked.suffix)
    token_ids = LAYOUT.template.tokenizer.encode(laid_out.half + said)
    canvas = laid_out.resumed(token_ids, 0)
    canvas.canvas.committed[:] = True
    fill = LAYOUT.reader.read(canvas)
    assert fill.finish == "closed"
    assert fill.text == text


def test_a_brace_closes_the_body() -> None:
    """It stands in the file already."""
    head = "function f(x) {\n  "
    where = Enclosing(n_before=len(head), n_behind=2, is_body=True)
    span = MaskSpan(enclosing=where)
    asked = request(head, "\n}\n", language="javascript", spans=(span,))
    laid_out = LAYOUT.lay_out(asked, span, asked.prefix, asked.suffix)
    token_ids = LAYOUT.template.tokenizer.encode(f"{laid_out.half}return x;\n}}\n```")
    canvas = laid_out.resumed(token_ids, 0)
    canvas.canvas.committed[:] = True
    assert LAYOUT.reader.read(canvas).text == "return x;"


@pytest.mark.parametrize("mode", ["rewrite", "infill"])
def test_a_body_to_start_from_reads_as_itself(mode: str) -> None:
    """Settled as it stands, the canvas is the very text."""
    asked = request(mode=mode)
    laid_out = LAYOUT.lay_out(asked, BODY, asked.prefix, asked.suffix, text="y = x\n    return y")
    laid_out.canvas.committed = laid_out.canvas.token_ids != LAYOUT.template.mask_id
    fill = LAYOUT.reader.read(laid_out)
    assert (fill.finish, fill.text) == ("closed", "y = x\n    return y")
