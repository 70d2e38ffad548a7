"""Tasks of `remask eval`: the language server cuts them, for it has the grammars.

The runtime measures. They go from the one to the other in files, not over the wire; so they stand
beside it.
"""

from __future__ import annotations

import msgspec

from model_runtime.protocol.infill import ContextFile, InfillRequest
from model_runtime.protocol.next_edit import NextEditRequest


class NextEditTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task of `remask eval next-edit`: what the language server asks, and what is right."""

    id: str
    kind: str
    #: Package, version and licence.
    source: str
    request: NextEditRequest
    #: Start, end and text of each place that is wanted.
    wanted: tuple[tuple[int, int, str], ...]


#: The kind of a project task that needs no other file.
OWN = "own"


class ProjectTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task of `remask eval project`: a line whose right answer stands in another file."""

    id: str
    kind: str
    #: Package, version and licence.
    source: str
    #: As an editor asks at the beginning of the line, and then at the gap, with what is shown then.
    before: InfillRequest
    request: InfillRequest
    #: The very definition that is needed; and whether it is among what is shown.
    given: tuple[ContextFile, ...]
    is_found: bool
    reference: str
