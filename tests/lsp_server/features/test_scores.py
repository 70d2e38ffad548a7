"""The heat map: what the model doubts, where it stands in the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.editor import URI, Editor, at
from support.fake_runtime import finished
from support.marked import snapshot_of

from lsp_server.documents import Span
from lsp_server.errors import InfillFailed
from lsp_server.features.scores import place_scores
from lsp_server.fill.edits import to_newlines
from lsp_server.protocol_ext import SCORES
from model_runtime.protocol import TokenScore

if TYPE_CHECKING:
    from support.fake_runtime import FakeRuntime

    from model_runtime.protocol import Finished, InfillRequest


def scored(request: InfillRequest) -> Finished:
    """Doubt every second character, each a token of its own."""
    text = request.spans[0].text
    scores = tuple(
        TokenScore(n_chars=1, doubt=float(index % 2), instead="x") for index in range(len(text))
    )
    return msgspec.structs.replace(finished(request, text), scores=scores)


async def test_each_token_has_its_place_and_its_doubt(editor: Editor, runtime: FakeRuntime) -> None:
    """In the client's positions; nothing is changed."""
    runtime.reply = scored
    editor.open("x = ab\n")

    answer = await editor.request(SCORES, {"uri": URI, "range": at(0, 4, 6), "version": 1})

    assert answer == {
        "version": 1,
        "tokens": [
            {"range": at(0, 4, 5), "doubt": 0.0, "instead": "x"},
            {"range": at(0, 5, 6), "doubt": 1.0, "instead": "x"},
        ],
    }
    (request,) = runtime.requests
    assert (request.mode, request.prefix, request.suffix) == ("score", "x = ", "\n")
    assert "workspace/applyEdit" not in editor.heard


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"uri": URI, "range": at(0, 4, 4)}, "nothing to score in an empty selection"),
        ({"uri": URI, "range": at(0, 4, 5), "version": 7}, "changed since"),
        ({"uri": URI, "range": at(9, 4, 5)}, "line"),
        ({"uri": URI}, "takes one ScoresParams object"),
        ({"uri": "file:///w/other.py", "range": at(0, 0, 1)}, "not open"),
    ],
)
async def test_what_cannot_be_scored_is_said(
    editor: Editor, params: dict[str, Any], says: str
) -> None:
    """The answer is null, and the user is told why."""
    editor.open("x = ab\n")

    assert await editor.request(SCORES, params) is None
    (message,) = editor.heard["window/showMessage"]
    assert says in message["message"]


async def test_an_engine_that_cannot_score_says_so(editor: Editor, runtime: FakeRuntime) -> None:
    """A remote one, mostly."""
    runtime.reply = lambda _: InfillFailed("bad_request", "Mercury can't score")
    editor.open("x = ab\n")

    assert await editor.request(SCORES, {"uri": URI, "range": at(0, 4, 6)}) is None
    (message,) = editor.heard["window/showMessage"]
    assert message["message"] == "Mercury can't score"


@given(
    before=st.text("ab\n\r", max_size=6),
    text=st.text("aé\U0001f600\n\r", min_size=1, max_size=12),
    data=st.data(),
)
def test_tokens_follow_one_another_through_the_selection(
    before: str, text: str, data: st.DataObject
) -> None:
    """From its start to its end, whatever its line ends; each token where its text stands."""
    before, text = before.replace("\r", ""), text.replace("\r", "\r\n")
    snapshot = snapshot_of(f"{before}{text}end")
    read = to_newlines(text)
    left, scores = len(read), []
    while left:
        n_chars = data.draw(st.integers(1, left))
        scores.append(TokenScore(n_chars=n_chars, doubt=0.5, instead=""))
        left -= n_chars
    span = Span(len(before), len(before) + len(text))
    tokens = place_scores(snapshot, span, scores)
    places = [snapshot.span_of(token.range) for token in tokens]
    assert places[0].start == span.start
    assert places[-1].end == span.end
    ends = [place.end for place in places[:-1]]
    assert ends == [place.start for place in places[1:]]
    texts = [to_newlines(snapshot.text[place.start : place.end]) for place in places]
    assert "".join(texts) == read
