"""The base model's tokenizer, with text kept apart from control.

Text from a buffer is only ever text: a file that contains `<|endoftext|>` gets the pieces of that
string, never the control token. Control tokens are asked for by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

if TYPE_CHECKING:
    from pathlib import Path

    from gguf import GGUFReader

#: How Qwen2 splits text before merging pairs: contractions, words, single digits, punctuation,
#: line ends, blanks (from the tokenizer configuration published with the model).
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
#: GGUF token types (ggml's enum) of tokens that are control, not text.
_CONTROL_TYPES = (3, 4)
#: What half a character is read as.
HALF = "\ufffd"


def tokenizer_from_gguf(reader: GGUFReader) -> Tokenizer:
    """Build the tokenizer of a Qwen2 GGUF file.

    Unicode is not normalised, unlike in the published configuration: what stands in a buffer must
    come back as it stands.
    """
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    types = reader.fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(m.split(" ")) for m in reader.fields["tokenizer.ggml.merges"].contents()]
    vocab = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [token for token, kind in zip(tokens, types, strict=True) if kind in _CONTROL_TYPES]
    )
    # Control tokens in text are text: see the module's first sentence.
    tokenizer.encode_special_tokens = True
    return tokenizer


class CodeTokenizer:
    """Text to ids and back.

    Args:
        path: a `tokenizer.json`.
    """

    def __init__(self, path: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.encode_special_tokens = True
        #: Every control token.
        self.control_ids = frozenset(self._tokenizer.get_added_tokens_decoder())

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; control tokens spelled out in it are taken as text."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, token_ids: list[int]) -> str:
        """Return the text of ids; control tokens have none, half characters become U+FFFD."""
        text: str = self._tokenizer.decode(token_ids, skip_special_tokens=True)
        return text

    def decode_whole(self, token_ids: list[int]) -> str:
        """Return the text of ids up to the first half character.

        A character may take several tokens. Where the last of them are missing there is none yet;
        U+FFFD comes back only where the ids spell it.
        """
        text = self.decode(token_ids)
        if HALF not in text:
            return text
        whole, run = list[int](), list[int]()
        for token_id in [*token_ids, *self.encode("a")]:
            if HALF in self.decode([token_id]):
                run.append(token_id)
                continue
            said = self.decode(run)
            if HALF in said and self.encode(said) != run:
                return self.decode(whole) + said.partition(HALF)[0]
            whole += [*run, token_id]
            run = []
        return text

    def control(self, name: str) -> int:
        """Return the id of a control token.

        Raises:
            KeyError: the vocabulary has no such token.
        """
        token_id = self._tokenizer.token_to_id(name)
        if token_id is None:
            raise KeyError(name)
        return int(token_id)
