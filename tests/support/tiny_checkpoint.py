"""A tiny published checkpoint to put text to: random weights, a tokenizer of characters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.tiny import config_of, write_checkpoint
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: What it can read and say, a line end as tokenizers write it; fewer than any tiny family's tokens.
ALPHABET = "abcdefghijklmnopqrstuvwxyz()=,:.+- Ċ"
#: Marks to be told what follows, one that means nothing, and marks of a chat.
FIM = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|endoftext|>", "<|fim_pad|>")
CHAT = ("<|im_start|>", "<|im_end|>")
#: Room for some text, under the names that families have for it.
ROOM = {
    "max_position_embeddings": 512, "max_sequence_length": 512,
}  # fmt: skip


def roomy(variant: str) -> dict[str, int]:
    """Return the changes that give a variant room for some text."""
    return {key: value for key, value in ROOM.items() if key in config_of(variant)}


def checkpoint(folder: Path, variant: str, control: Sequence[str] = (), **changes: Any) -> Path:
    """Write one of the configurations of `support.tiny`, with changes, and a tokenizer.

    Args:
        folder: where to.
        variant: of `support.tiny`.
        control: its tokenizer's control tokens; with the marks of a chat it publishes a template.
        changes: to its configuration.
    """
    vocab = {"Ġ" if char == " " else char: index for index, char in enumerate(ALPHABET)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(control))
    if set(CHAT) <= set(control):
        (folder / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    tokenizer.save(str(folder / "tokenizer.json"))
    return write_checkpoint(variant, folder, **changes)
