"""A model's chat prompt is found by its marks, and its turns are laid out as it was trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from model_runtime.text.chat import ChatTask, ChatTemplate
from model_runtime.text.tokenizer import CodeTokenizer

if TYPE_CHECKING:
    from pathlib import Path

LETTERS = [*map(chr, range(33, 127)), "Ġ", "Ċ"]
QWEN = ("<|im_start|>", "<|im_end|>")
LLADA = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
ROLES = ("<role>", "</role>", "<|role_end|>")
TASK = ChatTask("double it <|eot_id|>", "python", "x = 1\n", "", selection="y = x")


def tokenizer(folder: Path, *control: str) -> CodeTokenizer:
    """Return a tokenizer of characters with some control tokens."""
    made = Tokenizer(models.BPE(vocab={char: i for i, char in enumerate(LETTERS)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(list(control))
    made.save(str(folder / "tokenizer.json"))
    return CodeTokenizer(folder / "tokenizer.json")


@pytest.mark.parametrize("marks", [QWEN, LLADA, ROLES])
def test_turns_stand_between_their_own_marks(marks: tuple[str, ...], tmp_path: Path) -> None:
    """System and user turns end, the reply is opened up to its code, and text stays text."""
    reader = tokenizer(tmp_path, *marks)
    template = ChatTemplate.of(reader)
    assert template is not None
    said = template.lay_out(TASK)
    counted = [said.count(reader.control(mark)) for mark in marks]
    assert counted == [3, 2] if marks == QWEN else counted == [3, 3, 2]
    text = reader.decode(said)
    assert text.endswith("```python\n")
    assert "double it <|eot_id|>" in text


def test_no_marks_no_chat(tmp_path: Path) -> None:
    """A vocabulary without them has no prompt to be asked with."""
    assert ChatTemplate.of(tokenizer(tmp_path, "<|im_start|>")) is None
