"""Text to tokens and back, whole characters only."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from model_runtime.text.tokenizer import HALF, CodeTokenizer


def of_bytes() -> CodeTokenizer:
    """Return a tokenizer whose tokens are bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={one: n for n, one in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        tokenizer.save(str(path))
        return CodeTokenizer(path)


TOKENIZER = of_bytes()


@given(text=st.text(st.sampled_from("ab é👋🏽日\n" + HALF), max_size=12), data=st.data())
@settings(deadline=None)
def test_half_a_character_is_none_yet(text: str, data: st.DataObject) -> None:
    """Whatever tokens are missing, what is read is a beginning of the text."""
    token_ids = TOKENIZER.encode(text)
    n_ids = data.draw(st.integers(0, len(token_ids)))
    assert text.startswith(TOKENIZER.decode_whole(token_ids[:n_ids]))
    assert TOKENIZER.decode_whole(token_ids) == text


def test_all_before_half_a_character_is_read() -> None:
    """It ends behind the last whole one."""
    token_ids = TOKENIZER.encode("GREETING = '👋'")
    read = [TOKENIZER.decode_whole(token_ids[:n]) for n in range(len(token_ids) + 1)]
    assert "GREETING = '" in read
    assert not any(HALF in text for text in read)
    assert read[-1] == "GREETING = '👋'"
