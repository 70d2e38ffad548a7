"""What follows from another list of parameters: the calls, which hand too much or too little over.

A parameter was put in, taken out, or two have changed their order; the arguments of the calls in
the file follow, by their places or by their names. What is handed over to a new parameter nobody
knows: the model is to say. One that has a default needs nothing. Where a call spreads a list, or a
call's arguments don't fit the old parameters either, it is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsp_server.documents import Span
from lsp_server.next_edit.changes import meant
from lsp_server.next_edit.functions import (
    arguments_of,
    calls_of,
    function_at,
    label_of,
    name_of,
)
from lsp_server.next_edit.mentions import find_mentions, scope_at
from lsp_server.next_edit.places import Candidates, Put
from lsp_server.next_edit.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from lsp_server.next_edit.changes import Change
    from lsp_server.next_edit.functions import Function, Parameter

#: Calls that are put right together.
MAX_CALLS = 40


def follow_signature(language: str, text: str, changes: Sequence[Change]) -> list[Candidates]:
    """Return the calls that another list of parameters asks something of.

    Of a method those are a group apart that are made on some other object than its own.

    Args:
        language: LSP id.
        text: the document as it stands.
        changes: of `meant`.
    """
    if len(changes) != 1:
        return []
    (change,) = changes
    source = Source(language, text)
    before = Source(language, text[: change.start] + change.old + text[change.end :])
    now = function_at(source, change.start, change.end)
    was = function_at(before, change.start, change.start + len(change.old))
    if now is None or was is None or now.name != was.name or now.span.start != was.span.start:
        return []
    if any(one.is_spread for one in (*was.parameters, *now.parameters)):
        return []
    again = list(_declared_again(source, now, before.text[was.span.start : was.span.end]))
    # A prototype is the same function; a method of another class only perhaps.
    own, others = ([], again) if now.is_member else (again, [])
    for n_calls, (call, is_own) in enumerate(calls_of(source, now)):
        if n_calls == MAX_CALLS:
            return []
        arguments = arguments_of(source, call)
        if arguments is not None and not _overlaps(source.span(call), change.span):
            puts = _followed(source, call, arguments, was.parameters, now.parameters)
            (own if is_own else others).extend(puts)
    groups = (_by_name(source, own, was, now), False), (own, False), (others, True)
    return [Candidates.of(puts, is_bound=True, is_loose=loose) for puts, loose in groups if puts]


def _by_name(source: Source, puts: list[Put], was: Function, now: Function) -> list[Put]:
    """Return the same places, each handed the variable that has the new parameter's name there.

    None where there is a place that has no such variable.
    """
    come = {one.name for one in now.parameters} - {one.name for one in was.parameters}
    said = [put for put in puts if put.is_open]
    if len(come) != 1 or not said:
        return []
    (name,) = come
    bound = {
        one.scope for one in find_mentions(source.language, source.text, name) if one.is_binding
    }
    around = [scope_at(source.language, source.text, put.span.start) for put in said]
    if not all(scope and scope in bound for scope in around):
        return []
    return [Put(put.span, put.text + name + put.behind) if put.is_open else put for put in puts]


def _overlaps(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _followed(
    source: Source,
    call: Node,
    arguments: list[Node],
    was: tuple[Parameter, ...],
    now: tuple[Parameter, ...],
) -> Iterator[Put]:
    """Yield what becomes of the arguments of a call."""
    names_was, names_now = [one.name for one in was], [one.name for one in now]
    gone = [one for one in was if one.name not in names_now]
    come = [one for one in now if one.name not in names_was]
    n_plain = sum(not label_of(source, one) for one in arguments)
    if n_plain > len(was) or len(gone) + len(come) > 1:
        return
    if gone:
        at = names_was.index(gone[0].name)
        labels = [label_of(source, one) for one in arguments]
        spans = [source.span(one) for one in arguments]
        if gone[0].name in labels:
            yield Put(taken_out(spans, labels.index(gone[0].name)), "")
        elif at < n_plain and not gone[0].is_labelled:
            yield Put(taken_out(spans, at), "")
    elif come:
        n_least = sum(not one.is_optional for one in was)
        if not come[0].is_optional and len(arguments) >= n_least:
            yield from _put_in(source, call, arguments, come[0], names_now.index(come[0].name))
    elif sorted(names_was) == sorted(names_now) and n_plain == len(arguments) == len(was):
        for name, argument in zip(names_now, arguments, strict=True):
            text = source.said(arguments[names_was.index(name)])
            if text != source.said(argument):
                yield Put(source.span(argument), text)


def taken_out(spans: Sequence[Span], index: int) -> Span:
    """Return what goes when one of a list's items is taken out: it, and the comma with it."""
    span = spans[index]
    if index + 1 < len(spans):
        return Span(span.start, spans[index + 1].start)
    return Span(spans[index - 1].end, span.end) if index else span


def _put_in(
    source: Source, call: Node, arguments: list[Node], parameter: Parameter, at: int
) -> Iterator[Put]:
    """Put an argument in at a place, or by its name; what it is the model is to say."""
    labels = [label_of(source, one) for one in arguments]
    n_plain, text = sum(not label for label in labels), ""
    if parameter.is_labelled or at > n_plain:
        if source.language != "python" or parameter.name in labels:
            return
        at, text = len(arguments), f"{parameter.name}="
    if at < len(arguments):
        start = source.span(arguments[at]).start
        yield Put(Span(start, start), text, is_open=True, behind=", ")
    elif arguments:
        end = source.span(arguments[-1]).end
        yield Put(Span(end, end), f", {text}", is_open=True)
    elif (node := call.child_by_field_name("arguments")) is not None:
        start = source.span(node).start + 1
        yield Put(Span(start, start), text, is_open=True)


def _declared_again(source: Source, now: Function, was: str) -> Iterator[Put]:
    """Yield what becomes of the lists of parameters that were the same, of the same name."""
    changes = meant(was, source.text[now.span.start : now.span.end])
    for node in source.named(now.name):
        parent = node.parent
        listed = parent.child_by_field_name("parameters") if parent is not None else None
        if listed is None or parent is None or name_of(parent) != node:
            continue
        span = source.span(listed)
        if span != now.span and source.text[span.start : span.end] == was:
            for one in changes:
                start = span.start + one.start
                yield Put(Span(start, start + len(one.old)), one.new)
