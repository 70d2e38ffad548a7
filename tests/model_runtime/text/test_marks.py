"""Marks that are told from names alone, and the tokenizer of SentencePiece."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_runtime.errors import ModelLoadFailed
from model_runtime.text.fim import FimTemplate
from model_runtime.text.marks import Hints, find_marks
from model_runtime.text.tokenizer import CodeTokenizer, byte_pairs, sentence_pieces

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer

QWEN = ["<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"]
STARCODER = ["<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>"]
LETTERS = [*"abcdefghijklmnopqrstuvwxyz()=,:+", "Ġ", "Ċ"]
CODE_LLAMA = ["▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"]


def saved(tokenizer: Tokenizer, folder: Path) -> CodeTokenizer:
    """Return a tokenizer as a converted base has it."""
    tokenizer.save(str(folder / "tokenizer.json"))
    return CodeTokenizer(folder / "tokenizer.json")


def bytes_with(control: list[str], plain: list[str], folder: Path) -> CodeTokenizer:
    """Return a tokenizer of letters, control tokens and tokens that no pair makes."""
    tokens = [*LETTERS, *plain, *control]
    types = [3 if token in control else 1 for token in tokens]
    return saved(byte_pairs(tokens, types, [], "qwen2"), folder)


def pieces(folder: Path) -> CodeTokenizer:
    """Return CodeLlama's tokenizer in small."""
    words = ["ef", "▁d", "▁def"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)),
              "▁", "\n", *"abdefghijklmnopqrstuvwxyz()=:", *words, *CODE_LLAMA]  # fmt: skip
    types = [2, 3, 3, *[6] * 256, *[1] * (len(tokens) - 259 - 4), *[3] * 4]
    scores = [-float(index) for index in range(len(tokens))]
    return saved(sentence_pieces(tokens, types, scores), folder)


def test_the_mask_is_a_token_that_nothing_encodes_to(tmp_path: Path) -> None:
    """The default model's stays what it was, though its file does not call it a control token."""
    padded = bytes_with(QWEN, ["[PAD151665]"], tmp_path)
    assert padded.name(find_marks(padded).mask_id) == "[PAD151665]"
    assert find_marks(padded).mask_id not in padded.encode("[PAD151665]")
    plain = bytes_with(QWEN, [], tmp_path)
    assert plain.name(find_marks(plain).mask_id) == "<|fim_pad|>"


def test_the_name_tells_which_comes_first(tmp_path: Path) -> None:
    """Mellum's marks are StarCoder's, in another order."""
    tokenizer = bytes_with([*STARCODER, "<filename>"], [], tmp_path)
    assert find_marks(tokenizer, Hints(name="Mellum 4b Base")).is_suffix_first
    assert not find_marks(tokenizer, Hints(name="granite-3b-code-base")).is_suffix_first


def test_what_stands_before_a_span_is_found_in_either_order(tmp_path: Path) -> None:
    """From left to right: other files, the mark, the prefix."""
    tokenizer = bytes_with([*STARCODER, "<filename>"], [], tmp_path)
    for name in ("mellum", "granite"):
        fim = FimTemplate(tokenizer, find_marks(tokenizer, Hints(name=name)))
        others = [*fim.lay_out_file("a", "x"), *fim.open_file("b")]
        prompt = fim.lay_out(tokenizer.encode("a="), tokenizer.encode("b"), others)
        expected = [*others, fim.marks.prefix_id, *tokenizer.encode("a=")]
        assert fim.before_span(prompt) == expected


def test_code_llama_is_asked_as_its_authors_ask_it(tmp_path: Path) -> None:
    """A blank before the prefix, none before the suffix (Rozière et al. 2023)."""
    tokenizer = pieces(tmp_path)
    fim = FimTemplate(tokenizer, find_marks(tokenizer, Hints(start_ids=(1,))))
    prefix, suffix = tokenizer.encode(fim.marks.lead + "def f"), tokenizer.encode("x")
    names = [tokenizer.name(index) for index in fim.lay_out(prefix, suffix)]
    assert names == ["<s>", "▁<PRE>", "▁def", "▁", "f", "▁<SUF>", "x", "▁<MID>"]
    assert tokenizer.name(fim.end_id) == "▁<EOT>"


@given(text=st.text(max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_pieces_give_back_what_they_were_made_of(text: str, tmp_path: Path) -> None:
    """Blanks at the start, tabs, characters without a piece: all of it, but SentencePiece's own."""
    text = text.replace("▁", " ")
    tokenizer = pieces(tmp_path)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_an_unknown_split_is_refused_by_name() -> None:
    """The message lists the known ones."""
    with pytest.raises(ModelLoadFailed, match=r"'tekken'.*deepseek-coder"):
        byte_pairs(LETTERS, [1] * len(LETTERS), [], "tekken")
