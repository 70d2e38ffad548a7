"""`remask/scores`: a heat map on request, how much the model doubts each token of a selection."""

from __future__ import annotations

import uuid
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from lsp_server.documents import LINE_END, Span
from lsp_server.errors import BadSelection
from lsp_server.fill.edits import check_current
from lsp_server.fill.prompts import build_infill
from lsp_server.progress import plain_range
from lsp_server.protocol_ext import (
    SCORES,
    InfillParams,
    ScoredToken,
    ScoresParams,
    ScoresResult,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsp_server.contract import Server
    from lsp_server.documents import DocumentSnapshot
    from model_runtime.protocol import TokenScore


def register(server: Server) -> None:
    """Offer the heat map."""

    @server.feature(SCORES)
    async def score(params: Any) -> Any:
        result = await server.answer(_score(server, params))
        return msgspec.to_builtins(result) if result else None


async def _score(server: Server, raw: Any) -> ScoresResult:
    """Ask the runtime what it thinks of a selection.

    Raises:
        ServerFault: there is nothing to score, or the runtime can't.
    """
    try:
        # pygls hands over what it made of an unknown method's parameters.
        params = msgspec.convert(plain(raw), ScoresParams)
    except msgspec.ValidationError as error:
        raise BadSelection(f"The request takes one ScoresParams object: {error}.") from error
    snapshot = server.snapshot(params.uri)
    if params.version not in (None, snapshot.version):
        raise BadSelection("The document changed since this was asked for. Ask again.")
    await server.ready()
    server.check_allowed(snapshot)
    span = snapshot.span_of(params.range)
    if not snapshot.text[span.start : span.end].strip():
        raise BadSelection("There is nothing to score in an empty selection. Select some text.")
    request = msgspec.structs.replace(
        build_infill(
            snapshot,
            [span],
            InfillParams(uri=params.uri),
            server.settings,
            root=server.root_of(snapshot.path),
            n_alternatives=1,
        ),
        id=uuid.uuid4().hex,
        mode="score",
        stream=False,
    )
    finished = await server.ask(request)
    check_current(snapshot, server.documents.opened(params.uri))
    return ScoresResult(snapshot.version, tuple(place_scores(snapshot, span, finished.scores)))


def place_scores(
    snapshot: DocumentSnapshot, span: Span, scores: Sequence[TokenScore]
) -> list[ScoredToken]:
    r"""Return scores with their places in the document, where "\r\n" is one line end.

    Args:
        snapshot: the document.
        span: what was scored.
        scores: of its text as the model reads it, one token after the other.
    """
    text = snapshot.text[span.start : span.end]
    # Where each character of the text as the model reads it begins in the document.
    doubled = {found.start() + 1 for found in LINE_END.finditer(text) if len(found.group()) > 1}
    places = [span.start + at for at in range(len(text) + 1) if at not in doubled]
    ends = accumulate((score.n_chars for score in scores), initial=0)
    return [
        ScoredToken(
            plain_range(snapshot.range_of(Span(places[start], places[end]))),
            round(score.doubt, 3),
            score.instead,
        )
        for (start, end), score in zip(pairwise(ends), scores, strict=True)
        if end < len(places)
    ]


def plain(raw: Any) -> Any:
    """Return parameters as plain values, however pygls has read them."""
    if isinstance(raw, (dict, list, str, int, float)) or raw is None:
        return raw
    return {name: plain(value) for name, value in raw._asdict().items()}
