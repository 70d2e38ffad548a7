"""`textDocument/inlineCompletion`: ghost text.

Editors ask with every pause in typing and do not all cancel what they asked before, so here the
newest request of a document gives the older one its answer: none. Who writes along with what was
suggested gets the rest of it, without the model; who accepts all of it need not pause for the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lsprotocol import types

from lsp_server.documents import LINE_END, Span
from lsp_server.errors import ServerFault
from lsp_server.fill.edits import check_current, to_newlines
from lsp_server.fill.offers import Offer
from lsp_server.fill.prefetch import Prefetch
from lsp_server.fill.prompts import build_infill
from lsp_server.fill.silences import Silences
from lsp_server.fill.suggestions import Suggestions
from lsp_server.newest import Newest
from lsp_server.protocol_ext import ACCEPTED, InfillParams
from model_runtime.protocol import AFTER_A_MISS, LEAST_CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any

    from lsp_server.contract import Server
    from lsp_server.documents import DocumentSnapshot
    from lsp_server.settings import InlineSettings
    from model_runtime.protocol import Alternative, Finished

    Ask = Callable[[], Coroutine[Any, Any, Finished | None]]

_MILLISECONDS = 1000
#: Seconds that ghost text waits, behind the pause, to be told what of other files to show.
PATIENCE_S = 0.1
#: Letters that what was just typed must have to be said again.
_MIN_TYPED = 3
#: What parts a line: brackets, commas, quotes, the ends of tags, comments.
_PARTS = re.compile(
    r"[()\[\]{},;:]|[\"'`](?=\W|$)|/?>|</|/\*|(?:^|(?<=\s))(?:#|//|--)(?=\s|$|\w)|<!--"
)


def _in_the_way(rest: str) -> str:
    """Return what of a line behind the cursor a suggestion would stand in front of.

    Closers, closing tags and comments don't count, nor does what they or a comma part from it:
    something is wanted before them.
    """
    depth = 0
    for found in _PARTS.finditer(rest):
        part = found.group()
        if part in "([{":
            depth += 1
        elif part in ")]}" and depth:
            depth -= 1
        elif not depth:
            return rest[: found.start()].strip()
    return rest.strip()


def says_something(text: str, before: str) -> bool:
    """Return whether a suggestion is more than blanks, the line above or what was just typed.

    Args:
        text: the suggestion.
        before: the document up to it.
    """
    said = text.strip()
    *above, here = LINE_END.split(before)
    lines = [line.rstrip() for line in above if line.strip()][-2:]
    if not said:
        return False
    if (here + text).rstrip() == "".join(lines[-1:]) and len(set(lines)) == len(lines):
        return False
    typed = here.rstrip()
    is_word = not typed[: len(typed) - len(said)][-1:].isalnum()
    return not (sum(map(str.isalpha, said)) >= _MIN_TYPED and typed.endswith(said) and is_word)


def is_worth_asking(
    snapshot: DocumentSnapshot, cursor: int, settings: InlineSettings, trigger: int
) -> bool:
    """Return whether an automatic request is worth the model's time; one by key always is."""
    if trigger == types.InlineCompletionTriggerKind.Invoked:
        return True
    rest = LINE_END.split(snapshot.text[cursor:], maxsplit=1)[0]
    return len(_in_the_way(rest)) <= settings.max_line_suffix


def register(server: Server) -> None:
    """Offer ghost text."""
    newest, suggestions, prefetch, silences = Newest(), Suggestions(), Prefetch(), Silences()

    @server.feature(
        types.TEXT_DOCUMENT_INLINE_COMPLETION,
        # Without options pygls would not announce the feature.
        types.InlineCompletionOptions(),
    )
    async def complete(params: types.InlineCompletionParams) -> Any:
        work = _complete(server, newest, suggestions, prefetch, silences, params)
        return await server.answer(work, popup=False)

    for forget in (newest.drop, suggestions.forget, prefetch.drop, silences.forget):
        server.on_close(forget)


async def _complete(
    server: Server,
    newest: Newest,
    suggestions: Suggestions,
    prefetch: Prefetch,
    silences: Silences,
    params: types.InlineCompletionParams,
) -> list[types.InlineCompletionItem] | None:
    # Before any other task can run: the next message may change the document.
    snapshot = server.snapshot(params.text_document.uri)
    await server.ready()
    settings = server.settings.inline
    if not settings.enabled:
        return None
    server.check_allowed(snapshot)
    replaced = snapshot.span_of(types.Range(params.position, params.position))
    context = params.context
    if not is_worth_asking(snapshot, replaced.start, settings, context.trigger_kind):
        return None
    shown = ""
    if selected := context.selected_completion_info:
        # The completion menu's entry counts as typed: the ghost text goes on from there.
        replaced, shown = snapshot.span_of(selected.range), selected.text
    is_automatic = context.trigger_kind == types.InlineCompletionTriggerKind.Automatic
    place = snapshot.range_of(replaced)
    before = snapshot.before + snapshot.text[: replaced.start] + shown
    behind = snapshot.text[replaced.end :] + snapshot.behind
    server.offers.read(snapshot.uri, before)
    around = snapshot.uri, server.settings, before, behind
    if is_automatic and (rest := suggestions.rest(*around)):
        newest.drop(snapshot.uri)
        return _items(rest, shown, place, server.offers.standing(snapshot.uri))
    pauses = is_automatic and not suggestions.is_accepted(*around)
    pause_s = settings.debounce_ms / _MILLISECONDS if pauses else 0
    ahead = prefetch.take(*around)
    least = _least(server, snapshot.uri, before) if is_automatic else 0.0
    ask: Ask = partial(_infill, server, snapshot, replaced, shown, pause_s, least)
    if silences.lasts(snapshot.uri, before, least):
        ask = _nothing
    finished = await newest.run(snapshot.uri, _awaited(ahead, ask))
    if finished is None:
        return None
    check_current(snapshot, server.documents.opened(snapshot.uri))
    server.status.filled(finished)
    found: dict[str, Alternative] = {}
    for one in finished.alternatives:
        found.setdefault(to_newlines(one.texts[0]), one)
    texts = [text for text in found if says_something(text, before)]
    suggestions.remember(*around, texts)
    if not texts:
        silences.keep(snapshot.uri, before, _began(finished))
        server.status.say(_silence(finished, settings))
        return _items([], shown, place)
    silences.forget(snapshot.uri)
    confidence = _confidence(found[texts[0]])
    server.offers.make(
        snapshot.uri, Offer(snapshot.language, to_newlines(before), texts[0], confidence)
    )
    if settings.prefetch:
        uri, made_with, before, behind = around
        work = _infill(server, snapshot, replaced, shown + texts[0], pause_s=0, least=least)
        prefetch.begin(uri, made_with, before + texts[0], behind, work)
    return _items(texts, shown, place, server.offers.standing(snapshot.uri))


def _least(server: Server, uri: str, before: str) -> float:
    """Return how sure a text has to be to be shown unasked."""
    has_missed = server.offers.has_missed(uri, before)
    return LEAST_CONFIDENCE[server.settings.inline.eagerness] + AFTER_A_MISS * has_missed


def _confidence(alternative: Alternative) -> float | None:
    """Return how likely the one text of an alternative is right; None where that is not told."""
    (stretches,) = alternative.confidence or ((),)
    return stretches[-1].confidence if stretches else None


def _began(finished: Finished) -> float:
    """Return how sure anything was that was not shown; 0 where there was nothing."""
    found = [one.confidence[0] for one in finished.alternatives if one.confidence]
    return max((stretches[0].confidence for stretches in found if stretches), default=0.0)


def _silence(finished: Finished, settings: InlineSettings) -> str:
    """Say why nothing is shown."""
    if any(one.finish == "doubt" for one in finished.alternatives):
        return f"Not sure enough of anything here (setting inline.eagerness: {settings.eagerness})."
    return "The model suggests nothing here."


async def _nothing() -> None:
    """Ask for nothing."""


async def _awaited(ahead: asyncio.Task[Finished] | None, ask: Ask) -> Finished | None:
    """Return what was asked for ahead; ask where nothing was, or it came to nothing."""
    if ahead is not None:
        with contextlib.suppress(ServerFault):
            return await ahead
    return await ask()


def _items(
    texts: Iterable[str], shown: str, place: types.Range, offer: Offer | None = None
) -> list[types.InlineCompletionItem]:
    """Return suggestions; accepting the first one says so of the offer that it is."""
    command = None
    if offer is not None:
        command = types.Command(title="", command=ACCEPTED, arguments=[offer.id])
    return [
        types.InlineCompletionItem(
            insert_text=shown + text,
            filter_text=shown + text,
            range=place,
            command=None if index else command,
        )
        for index, text in enumerate(texts)
    ]


async def _infill(
    server: Server,
    snapshot: DocumentSnapshot,
    replaced: Span,
    shown: str,
    pause_s: float,
    least: float,
) -> Finished:
    settings, root = server.settings, server.root_of(snapshot.path)
    typed = snapshot.text[: replaced.start] + shown + snapshot.text[replaced.end :]
    typed_snapshot, cursor = replace(snapshot, text=typed), replaced.start + len(shown)
    n_bytes = settings.inline.context_bytes
    # What is to be shown of other files is found while one waits anyway.
    looked_up = server.project.around(typed_snapshot, cursor, n_bytes, pause_s + PATIENCE_S)
    if pause_s:
        context, _ = await asyncio.gather(looked_up, asyncio.sleep(pause_s))
        check_current(snapshot, server.documents.opened(snapshot.uri))
    else:
        context = await looked_up
    request = build_infill(
        typed_snapshot,
        [Span(cursor, cursor)],
        InfillParams(uri=snapshot.uri, lines=settings.inline.lines),
        settings,
        context=context,
        root=root,
        lane="inline",
        least_confidence=least,
    )
    server.project.remember(request)
    return await server.ask(request)
