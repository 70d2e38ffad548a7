"""The base model's fill-in-the-middle prompt.

Published with Qwen2.5-Coder (Hui et al. 2024, arXiv 2409.12186, section 3.1): one file as
prefix, suffix, middle; other files of the repository before it, each behind its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.text.tokenizer import CodeTokenizer


class FimTemplate:
    """Lays text out as the base was trained to fill it.

    Args:
        tokenizer: of the base.
    """

    def __init__(self, tokenizer: CodeTokenizer) -> None:
        self.tokenizer = tokenizer
        self._prefix_id = tokenizer.control("<|fim_prefix|>")
        self.suffix_id = tokenizer.control("<|fim_suffix|>")
        self._middle_id = tokenizer.control("<|fim_middle|>")
        self._file_id = tokenizer.control("<|file_sep|>")
        #: Where a span ends.
        self.end_id = tokenizer.control("<|endoftext|>")
        #: Every token that ends a span: the base says it in several ways, and none is text.
        self.end_ids = tokenizer.control_ids
        #: Stands for a mask on a canvas. No text encodes to it, and the base never says it.
        self.mask_id = tokenizer.control("[PAD151665]")

    def lay_out(self, prefix: Sequence[int], suffix: Sequence[int]) -> list[int]:
        """Return the prompt [n] whose continuation is the span."""
        return [self._prefix_id, *prefix, self.suffix_id, *suffix, self._middle_id]

    def open_file(self, path: str) -> list[int]:
        """Return the name of the file being edited [n], between other files and the prompt."""
        return [self._file_id, *self.tokenizer.encode(f"{path}\n")]

    def lay_out_file(self, path: str, text: str) -> list[int]:
        """Return another file of the repository [n], to stand before the prompt."""
        return [self._file_id, *self.tokenizer.encode(f"{path}\n{text}\n")]
