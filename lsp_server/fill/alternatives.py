"""What one request has got so far, so that who asks for another result gets one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from lsp_server.errors import NothingElse
from lsp_server.fill.infill import fill, fill_otherwise

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsp_server.fill.filled import Filled
    from lsp_server.fill.infill import Plan
    from lsp_server.protocol_ext import InfillParams
    from lsp_server.runtime.client import RuntimeClient
    from model_runtime.protocol import Notice, StepReport


@dataclass
class _Asked:
    """A request, and its results."""

    params: InfillParams
    #: The document as each result that was given makes it.
    given: list[str] = field(default_factory=list)
    #: Made, but not given yet.
    waiting: list[Filled] = field(default_factory=list)


class Alternatives:
    """Fills requests, and remembers the last one of each document.

    Args:
        runtime: the way to the model.
    """

    def __init__(self, runtime: RuntimeClient) -> None:
        self._runtime = runtime
        self._asked: dict[str, _Asked] = {}

    async def fill(
        self,
        plan: Plan,
        params: InfillParams,
        on_report: Callable[[StepReport | Notice], None],
    ) -> Filled:
        """Return the best result, or one that was not given yet where another is asked for.

        Args:
            plan: what is filled.
            params: what the plan was made from.
            on_report: told what the runtime says.

        Raises:
            NothingElse: there is no other.
            InfillFailed: the runtime said no.
            RuntimeUnavailable: there is none.
        """
        wanted = msgspec.structs.replace(params, another=False, version=plan.snapshot.version)
        asked = self._asked.get(params.uri)
        if asked is None or asked.params != wanted:
            asked = self._asked[params.uri] = _Asked(wanted)
        if not asked.given or not params.another:
            filled = await fill(self._runtime, plan, on_report)
        else:
            if not asked.waiting:
                # The document as it is would be no other result to anyone.
                seen = {plan.snapshot.text, *asked.given}
                asked.waiting = await fill_otherwise(self._runtime, plan, seen, on_report)
            if not asked.waiting:
                raise NothingElse("The model has no other result for this.")
            filled = asked.waiting.pop(0)
        asked.given.append(filled.text)
        return filled

    def forget(self, uri: str) -> None:
        """Drop what a document's request has got."""
        self._asked.pop(uri, None)
