"""One infill, from a snapshot to replacements: what every feature and the command line share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsp_server.edits import Replacement, apply_replacements, to_replacements
from lsp_server.errors import UnsupportedDocument
from lsp_server.prompts import build_infill, choose_context, relative_path
from lsp_server.syntax.check import find_new_faults
from lsp_server.syntax.spans import find_mask_spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lsp_server.documents import DocumentSnapshot, Span
    from lsp_server.protocol_ext import InfillParams
    from lsp_server.runtime.client import RuntimeClient
    from lsp_server.settings import Settings
    from model_runtime.protocol import Alternative, Finished, InfillRequest, Notice, StepReport


#: What is said where the model gives back what stood there.
UNCHANGED = "The model would change nothing."


@dataclass(frozen=True)
class Plan:
    """What is to be filled, before the model is asked."""

    snapshot: DocumentSnapshot
    spans: tuple[Span, ...]
    request: InfillRequest


@dataclass(frozen=True)
class Filled:
    """A plan and what the model made of it."""

    plan: Plan
    finished: Finished
    best: Alternative
    replacements: list[Replacement]
    #: Faults of syntax that the best alternative brings in, as spans of the new text.
    new_faults: list[Span]

    @property
    def text(self) -> str:
        """The whole document after the edit."""
        return apply_replacements(self.plan.snapshot.text, self.replacements)

    @property
    def tokens_per_second(self) -> float | None:
        """How fast the model filled; None where nothing was measured."""
        usage = self.finished.usage
        return usage.n_tokens / usage.denoise_s if usage.denoise_s else None


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
    path = relative_path(snapshot.path, root)
    if settings.is_secret(path):
        raise UnsupportedDocument(
            f"{path} may hold secrets, so Remask leaves it (setting secretFiles)."
        )


def make_plan(
    snapshot: DocumentSnapshot,
    params: InfillParams,
    settings: Settings,
    *,
    selections: Sequence[Span] | None = None,
    others: Iterable[DocumentSnapshot] = (),
    root: str = "",
) -> Plan:
    """Find the spans and build the request.

    Args:
        snapshot: the document.
        params: what was asked for.
        settings: the user's.
        selections: instead of `params.ranges`.
        others: the other open documents, the one used last first.
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
    context = choose_context(
        snapshot, others, settings, root=root, max_bytes=settings.context_bytes
    )
    request = build_infill(snapshot, spans, params, settings, context=context, root=root)
    return Plan(snapshot, spans, request)


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
    finished = await runtime.infill(plan.request, on_report)
    candidates = [_filled(plan, finished, alternative) for alternative in finished.alternatives]
    return min(candidates, key=lambda filled: len(filled.new_faults))


def _filled(plan: Plan, finished: Finished, alternative: Alternative) -> Filled:
    snapshot = plan.snapshot
    replacements = to_replacements(snapshot, plan.spans, alternative.texts)
    after = apply_replacements(snapshot.text, replacements)
    new_faults = find_new_faults(snapshot.language, snapshot.text, after)
    return Filled(plan, finished, alternative, replacements, new_faults)
