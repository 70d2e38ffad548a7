"""Arguments: a parameter is put into a signature or taken out of it, and the calls follow."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from lsp_server.next_edit.changes import meant
from lsp_server.next_edit.functions import arguments_of, calls_of, function_at, label_of
from lsp_server.next_edit.signatures import taken_out
from lsp_server.next_edit.source import Source
from lsp_server.next_edit.tasks.cutting import cut, task_of

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from lsp_server.documents import Span
    from lsp_server.next_edit.functions import Function
    from model_runtime.protocol.eval_tasks import NextEditTask

#: Where a list of parameters may begin.
_LIST = re.compile(r"\w\((?=[\w&*{\[])")
MAX_CALLS = 12


def argument(document: dict[str, Any], names: list[str], rng: random.Random) -> NextEditTask | None:
    """Put a parameter in, or take one out; None where no call says which argument is its."""
    del names
    text = cut(document["text"], rng)
    source = Source(document["language"], text)
    starts = [match.end() for match in _LIST.finditer(text)]
    rng.shuffle(starts)
    for start in starts[:60]:
        function = function_at(source, start, start)
        found = _removals(source, function, rng) if function else None
        if found is None:
            continue
        parameter, arguments = found
        without = _without(text, [parameter])
        if rng.random() < _TAKEN_OUT:
            shift = parameter.end - parameter.start
            wanted = [
                (span.start - shift * (span.start > parameter.start),
                 span.end - shift * (span.start > parameter.start), "")
                for span in arguments
            ]  # fmt: skip
            return task_of(document, without, meant(text, without), wanted, "argument removed")
        after = _without(text, arguments)
        before = _without(text, [*arguments, parameter])
        wanted = []
        for span in arguments:
            at = span.start - sum(one.end - one.start for one in arguments if one < span)
            wanted.append((at, at, text[span.start : span.end]))
        changes = meant(before, after)
        if len(changes) == 1:
            return task_of(document, after, changes, wanted, "argument added")
    return None


#: Share of the tasks in which a parameter is taken out.
_TAKEN_OUT = 0.4


def _removals(
    source: Source, function: Function, rng: random.Random
) -> tuple[Span, list[Span]] | None:
    """Return what goes of a function's parameters, and of its calls, with one parameter."""
    n = len(function.parameters)
    if not n or len(set(function.spans)) != n or any(p.is_spread for p in function.parameters):
        return None
    index = rng.randrange(n)
    parameter = function.parameters[index]
    if parameter.is_optional or parameter.is_labelled:
        return None
    found = []
    for call, is_own in calls_of(source, function):
        arguments = arguments_of(source, call) if is_own else None
        if arguments is None or any(label_of(source, one) for one in arguments):
            continue
        spans = [source.span(one) for one in arguments]
        if len(spans) <= index or len(spans) > n or "\n" in source.said(arguments[index]):
            return None
        found.append(taken_out(spans, index))
    found.sort()
    is_nested = any(one.end > other.start for one, other in pairwise(found))
    if is_nested or not 0 < len(found) <= MAX_CALLS:
        return None
    return taken_out(function.spans, index), found


def _without(text: str, spans: Iterable[Span]) -> str:
    for span in sorted(spans, reverse=True):
        text = text[: span.start] + text[span.end :]
    return text
