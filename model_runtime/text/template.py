"""How a file is put around a span: what a layout asks of it, whoever it is for.

`fim` is for models that read from left to right and are told what follows in a prompt; `whole` is
for families that see the file as it stands, with the span in its middle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.text.tokenizer import CodeTokenizer


class Template(Protocol):
    """Puts text around spans."""

    tokenizer: CodeTokenizer
    #: What a model says, or is told, where a span ends.
    end_id: int
    #: Every token that ends a span: none is text.
    end_ids: frozenset[int]
    #: Text that is put before every prefix.
    lead: str

    @property
    def mask_id(self) -> int | None:
        """Stands for a mask on a canvas; no text encodes to it. None for families without."""

    def lay_out(
        self, prefix: Sequence[int], suffix: Sequence[int], others: Sequence[int] = ()
    ) -> list[int]:
        """Return what stands before a span [n].

        Args:
            prefix: [n_prefix] the file up to it.
            suffix: [n_suffix] the file behind it.
            others: [n_others] other files.
        """

    def before_span(self, context: list[int]) -> list[int]:
        """Return of what `lay_out` returned [n] the part that reads from left to right."""

    def tail_start(self, context: list[int]) -> int | None:
        """Return where in it what follows the span begins; None where nothing that moves does."""

    def open_file(self, path: str) -> list[int]:
        """Return the name of the file being edited [n], between other files and this one."""

    def lay_out_file(self, path: str, text: str) -> list[int]:
        """Return another file of the repository [n], to stand before this one."""
