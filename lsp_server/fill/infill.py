"""One infill, from a snapshot to replacements: what every feature and the command line share.

Syntax is the judge: of several results the one that parses wins, and of whole bodies the one that
lacks nothing. Where none does, the runtime is asked again, at most `MAX_ROUNDS` times: for the line
of the fill in which the fault shows, then for the same spans as a whole, bodies in words. It knows
no syntax itself, so the judge sits here, where the grammars are.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from lsp_server.errors import InfillFailed, UnsupportedDocument
from lsp_server.fill.filled import n_faults, rank
from lsp_server.fill.prompts import build_infill
from lsp_server.fill.remask import Remask, remask_line
from lsp_server.paths import relative_path
from lsp_server.syntax.spans import find_mask_spans

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from lsp_server.documents import DocumentSnapshot, Span
    from lsp_server.fill.filled import Filled
    from lsp_server.protocol_ext import InfillParams
    from lsp_server.runtime.client import RuntimeClient
    from lsp_server.settings import Settings
    from model_runtime.protocol import (
        ContextFile,
        Finished,
        InfillRequest,
        Notice,
        StepReport,
    )


#: How often the runtime is asked again where no result parses, and for how many results.
MAX_ROUNDS = 2
N_OTHERS = 4
#: In which words for whole bodies.
IMPLEMENT = "Implement the function."
#: The most that the runtime is asked for at once.
MAX_ALTERNATIVES = 16


@dataclass(frozen=True)
class Plan:
    """What is to be filled, before the model is asked."""

    snapshot: DocumentSnapshot
    spans: tuple[Span, ...]
    request: InfillRequest


def check_size(name: str, n_bytes: int, limit: int) -> None:
    """Check that a document is not too large to be parsed and sent about.

    Raises:
        UnsupportedDocument: it is.
    """
    if n_bytes > limit:
        raise UnsupportedDocument(
            f"{name} has {n_bytes:,} bytes, more than the limit of {limit:,} "
            "(setting maxFileBytes)."
        )


def check_allowed(snapshot: DocumentSnapshot, settings: Settings, root: str) -> None:
    """Check that the user lets Remask work on a document.

    Raises:
        UnsupportedDocument: it is too large, its language is turned off, or its name says that it
            holds secrets.
    """
    n_bytes = len(snapshot.text.encode("utf-8"))
    check_size(relative_path(snapshot.path, root) or snapshot.uri, n_bytes, settings.max_file_bytes)
    if snapshot.language in settings.disabled_languages:
        raise UnsupportedDocument(
            f"Remask is off for {snapshot.language} (setting disabledLanguages)."
        )
    if settings.is_secret(snapshot.path, root):
        raise UnsupportedDocument(
            f"{relative_path(snapshot.path, root)} may hold secrets, so Remask leaves it "
            "(setting secretFiles)."
        )


def make_plan(
    snapshot: DocumentSnapshot,
    params: InfillParams,
    settings: Settings,
    *,
    selections: Sequence[Span] | None = None,
    root: str = "",
) -> Plan:
    """Find the spans and build the request.

    Args:
        snapshot: the document.
        params: what was asked for.
        settings: the user's.
        selections: instead of `params.ranges`.
        root: the workspace folder.

    Raises:
        BadSelection: there is nothing to fill there.
        UnsupportedDocument: the user does not want it filled.
    """
    check_allowed(snapshot, settings, root)
    if selections is None:
        selections = [snapshot.span_of(selection) for selection in params.ranges]
    spans = find_mask_spans(
        snapshot,
        selections,
        mode=params.mode,
        scope=params.scope,
        hole_marker=settings.hole_marker,
    )
    return Plan(snapshot, spans, build_infill(snapshot, spans, params, settings, root=root))


def with_context(plan: Plan, context: Iterable[ContextFile]) -> Plan:
    """Return a plan that shows the model something of other files."""
    request = msgspec.structs.replace(plan.request, context=tuple(context))
    return Plan(plan.snapshot, plan.spans, request)


async def fill(
    runtime: RuntimeClient,
    plan: Plan,
    on_report: Callable[[StepReport | Notice], None] | None = None,
) -> Filled:
    """Ask the runtime, and choose the best alternative that still parses.

    Raises:
        InfillFailed: the runtime said no.
        RuntimeUnavailable: there is none.
    """
    best = rank(plan, await runtime.infill(plan.request, on_report))[0]
    # A repair's alternatives hold the unchanged text already: nothing need be broken.
    n_rounds = MAX_ROUNDS if plan.request.mode != "repair" else 0
    for n_round in range(n_rounds):
        if not _misses(best):
            break
        is_line = n_round == 0 and best.new_faults
        again = remask_line(best) if is_line else Remask(plan.request)
        request = msgspec.structs.replace(
            again.request,
            id=uuid.uuid4().hex,
            seed=best.finished.seed + 1,
            n_alternatives=max(N_OTHERS, plan.request.n_alternatives),
            best_only=False,
        )
        others = rank(plan, again.complete(await _asked_again(runtime, request, on_report)))
        best = min(best, others[0], key=n_faults)
        if plan.request.mode == "infill" and not is_line:
            # The likeliest others were all there: the same again would come.
            break
    return best


async def _asked_again(
    runtime: RuntimeClient,
    request: InfillRequest,
    on_report: Callable[[StepReport | Notice], None] | None,
) -> Finished:
    """Ask for others: of a whole body in words, of which the model makes something else.

    Raises:
        InfillFailed: the runtime said no.
        RuntimeUnavailable: there is none.
    """
    are_bodies = all(span.is_body for span in request.spans)
    if request.mode == "infill" and are_bodies and not request.instruction:
        in_words = msgspec.structs.replace(request, instruction=IMPLEMENT)
        try:
            return await runtime.infill(in_words, on_report)
        except InfillFailed as failed:
            if failed.code != "unsupported_pairing":
                raise
            # A model that takes no words is asked the same again.
    return await runtime.infill(request, on_report)


def _misses(filled: Filled) -> bool:
    """Return whether a result is not as it should be, so that asking for others is worth it."""
    return bool(filled.new_faults or filled.lacks or filled.n_left)


async def fill_otherwise(
    runtime: RuntimeClient,
    plan: Plan,
    seen: Collection[str],
    on_report: Callable[[StepReport | Notice], None] | None = None,
) -> list[Filled]:
    """Ask the runtime for other results than those seen, the ones that parse first.

    Args:
        runtime: the way to the model.
        plan: what is filled.
        seen: documents as earlier results made them.
        on_report: told what the runtime says.

    Returns:
        None of them twice; empty where the model says the same again and again.

    Raises:
        InfillFailed: the runtime said no.
        RuntimeUnavailable: there is none.
    """
    first_seed = (plan.request.seed or 0) + len(seen)
    for n_round in range(MAX_ROUNDS):
        request = msgspec.structs.replace(
            plan.request,
            id=uuid.uuid4().hex,
            seed=first_seed + n_round,
            # The likeliest come first, so those seen come again.
            n_alternatives=min(
                MAX_ALTERNATIVES, max(N_OTHERS, plan.request.n_alternatives) + len(seen)
            ),
            best_only=False,
        )
        ranked = rank(plan, await runtime.infill(request, on_report))
        others = {filled.text: filled for filled in ranked if filled.text not in seen}
        if others:
            return list(others.values())
    return []
