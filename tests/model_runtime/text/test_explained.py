"""What is told of what a model would be shown."""

from __future__ import annotations

import msgspec
from support.tiny_canvas import tokenizer
from support.wire import infill_request

from model_runtime.protocol import ContextFile
from model_runtime.text.explained import HERE, as_laid_out, as_sent, explained
from model_runtime.text.fim import FimTemplate


def test_a_prompt_is_told_with_its_marks() -> None:
    """Control tokens by their names, text as it stands."""
    template = FimTemplate(tokenizer())
    encode = template.tokenizer.encode
    told = as_laid_out(template.lay_out(encode("a = "), encode("\nb")), template.tokenizer)
    marks = (template.marks.prefix_id, template.suffix_id, template.marks.middle_id)
    before, between, behind = map(template.tokenizer.name, marks)
    assert told == f"{before}a = {between}\nb{behind}"


def test_what_is_sent_elsewhere_is_told_in_words() -> None:
    """Every file that goes along, and the place; the answer changes nothing."""
    request = infill_request()
    request = msgspec.structs.replace(
        request, explain=True, context=(ContextFile(path="s.py", text="class Circle\n"),)
    )
    told = as_sent(request)
    assert told.startswith("File s.py:\nclass Circle\n")
    assert f"{request.prefix}{HERE}" in told
    finished = explained(request, "m", told)
    assert finished.shown == told
    assert finished.alternatives[0].texts == tuple(span.text for span in request.spans)
