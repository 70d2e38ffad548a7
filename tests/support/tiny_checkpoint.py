"""A tiny published checkpoint to put text to: random weights, a tokenizer of characters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.tiny import write_checkpoint
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

if TYPE_CHECKING:
    from pathlib import Path

#: What it can read and say, a line end as tokenizers write it; fewer than any tiny family's tokens.
ALPHABET = "abcdefghijklmnopqrstuvwxyz()=,:.+- Ċ"


def checkpoint(folder: Path, variant: str, **changes: Any) -> Path:
    """Write one of the configurations of `support.tiny`, with changes, and a tokenizer."""
    vocab = {"Ġ" if char == " " else char: index for index, char in enumerate(ALPHABET)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    return write_checkpoint(variant, folder, **changes)
