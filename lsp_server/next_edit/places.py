"""Groups of places that may have to follow a change, before they are told to the runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lsp_server.documents import Span


@dataclass(frozen=True)
class Put:
    """A place, and what is put there; see `protocol.Place`."""

    span: Span
    text: str
    is_open: bool = False
    behind: str = ""


@dataclass(frozen=True)
class Candidates:
    """Places, in order; flags as in `protocol.Group`."""

    puts: tuple[Put, ...]
    is_bound: bool = False
    is_known: bool = False
    is_text: bool = False
    is_loose: bool = False

    @classmethod
    def of(
        cls, puts: Iterable[Put], *, is_bound: bool = False, is_loose: bool = False
    ) -> Candidates:
        """Return a group of places in whatever order."""
        ordered = sorted(puts, key=lambda put: put.span)
        return cls(tuple(ordered), is_bound=is_bound, is_loose=is_loose)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Where its places stand."""
        return tuple(put.span for put in self.puts)

    @property
    def texts(self) -> tuple[str, ...]:
        """What is put at each."""
        return tuple(put.text for put in self.puts)
