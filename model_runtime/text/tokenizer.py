"""The base model's tokenizer, with text kept apart from control.

Text from a buffer is only ever text: a file that contains `<|endoftext|>` gets the pieces of that
string, never the control token. Control tokens are asked for by name.

Unicode is not normalised, unlike in some published configurations: what stands in a buffer must
come back as it stands.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
)

from model_runtime.errors import ModelLoadFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: How text is split into words before pairs are merged, by GGUF's name of it: the regular
#: expressions of the configurations published with the models, applied one after the other.
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_BLANKS = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_QWEN = (
    rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}"
    rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_BLANKS}"
)
_LLAMA3 = _QWEN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
_SEED = (
    rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{_BLANKS}"
)
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_DEEPSEEK = (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}")
_WORDS: Mapping[str, tuple[str, ...]] = {
    "qwen2": (_QWEN,),
    "llama-bpe": (_LLAMA3,),
    "llama3": (_LLAMA3,),
    "llama-v3": (_LLAMA3,),
    "seed-coder": (_SEED,),
    "deepseek-coder": _DEEPSEEK,
    "starcoder": (r"\p{N}", _GPT2),
    "refact": (r"\p{N}", _GPT2),
    "codeshell": (r"\p{N}", _GPT2),
    "smollm": (r"\p{N}", _GPT2),
    "mellum": (_GPT2,),
    "gpt-2": (_GPT2,),
}
#: Of these a word that is a token as it stands is one, whatever the pairs say.
_WHOLE_WORDS = {"llama-bpe", "llama3", "llama-v3"}
#: GGUF token types (ggml's enum).
_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4
#: How marks are written; what a file lists beside its vocabulary and is not written so is text.
_MARK = re.compile(r"▁?<.+>|\[.+\]")
#: The blank of SentencePiece.
_BLANK = "▁"
#: What half a character is read as.
HALF = "\ufffd"


def byte_pairs(
    tokens: Sequence[str], types: Sequence[int], merges: Sequence[str], words: str
) -> Tokenizer:
    """Build a tokenizer that merges pairs of bytes, as GPT-2's does.

    Args:
        tokens: [n_vocab] the vocabulary, bytes written as GPT-2 writes them.
        types: [n_vocab] ggml's token types.
        merges: pairs, the first to merge first.
        words: GGUF's name of the way text is split before.

    Raises:
        ModelLoadFailed: that way is not known here.
    """
    if words not in _WORDS:
        raise ModelLoadFailed(
            f"its tokenizer splits text in a way unknown here ({words!r}); known: "
            f"{', '.join(sorted(_WORDS))}"
        )
    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    vocab = {token: index for index, token in enumerate(tokens)}
    made = Tokenizer(models.BPE(vocab=vocab, merges=pairs, ignore_merges=words in _WHOLE_WORDS))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            *(pre_tokenizers.Split(Regex(words), behavior="isolated") for words in _WORDS[words]),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    return _with_control(made, tokens, types)


def sentence_pieces(
    tokens: Sequence[str], types: Sequence[int], scores: Sequence[float]
) -> Tokenizer:
    """Build SentencePiece's tokenizer of pairs, as Llama 2's is; no blank is put before a text.

    Args:
        tokens: [n_vocab] the vocabulary.
        types: [n_vocab] ggml's token types.
        scores: [n_vocab] the higher, the sooner merged.
    """
    vocab = {token: index for index, token in enumerate(tokens)}
    pairs = [
        (-scores[index], vocab[token[:at]], vocab[token[at:]], (token[:at], token[at:]))
        for token, index in vocab.items()
        for at in range(1, len(token) if types[index] == _NORMAL else 0)
        if token[:at] in vocab and token[at:] in vocab
    ]
    merges = [pair for *_, pair in sorted(pairs)]
    made = Tokenizer(
        models.BPE(
            vocab=vocab, merges=merges, unk_token=tokens[0], fuse_unk=True, byte_fallback=True
        )
    )
    made.normalizer = normalizers.Replace(" ", _BLANK)
    made.decoder = decoders.Sequence(
        [decoders.Replace(_BLANK, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return _with_control(made, tokens, types)


def published(text: str) -> tuple[Tokenizer, list[int]]:
    """Build the tokenizer of a `tokenizer.json`, and say what every text begins with.

    Raises:
        ModelLoadFailed: it is none.
    """
    try:
        values = json.loads(text)
        start_ids = _start_ids(Tokenizer.from_str(text))
        for added in values["added_tokens"]:
            added["special"] = added["special"] or _MARK.fullmatch(added["content"]) is not None
        values["normalizer"] = _only_blanks(values.get("normalizer"))
        values["decoder"] = _without_strip(values["decoder"])
        values["post_processor"] = None
        made = Tokenizer.from_str(json.dumps(values))
    except Exception as error:
        # The tokenizers package has no class of its own for it.
        raise ModelLoadFailed(f"its tokenizer.json can't be read ({error})") from error
    made.no_padding()
    made.no_truncation()
    return made, start_ids


def _start_ids(whole: Tokenizer) -> list[int]:
    """Return what a tokenizer puts before every text."""
    plain: list[int] = whole.encode("a", add_special_tokens=False).ids
    framed: list[int] = whole.encode("a").ids
    return framed[: framed.index(plain[0])]


def _only_blanks(normalizer: Any) -> Any:
    """Return what of a normalizer writes blanks in another way; text stays what it is."""
    parts = (normalizer or {}).get("normalizers", [normalizer])
    kept = [part for part in parts if part and part.get("pattern") == {"String": " "}]
    return {"type": "Sequence", "normalizers": kept} if kept else None


def _without_strip(decoder: Any) -> Any:
    parts = (decoder or {}).get("decoders", [decoder])
    return {"type": "Sequence", "decoders": [part for part in parts if part["type"] != "Strip"]}


def _with_control(made: Tokenizer, tokens: Sequence[str], types: Sequence[int]) -> Tokenizer:
    added = [
        (token, kind == _CONTROL or _MARK.fullmatch(token) is not None)
        for token, kind in zip(tokens, types, strict=True)
        if kind in (_CONTROL, _USER_DEFINED)
    ]
    made.add_special_tokens([token for token, is_control in added if is_control])
    made.add_tokens(
        [AddedToken(token, normalized=False) for token, is_control in added if not is_control]
    )
    # Control tokens in text are text: see the module's first sentence.
    made.encode_special_tokens = True
    return made


class CodeTokenizer:
    """Text to ids and back.

    Args:
        path: a `tokenizer.json`.
    """

    def __init__(self, path: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.encode_special_tokens = True
        added = self._tokenizer.get_added_tokens_decoder()
        #: Every control token.
        self.control_ids = frozenset(
            index
            for index, token in added.items()
            if token.special or _MARK.fullmatch(token.content) is not None
        )

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
        token_id = self.find(name)
        if token_id is None:
            raise KeyError(name)
        return token_id

    def find(self, name: str) -> int | None:
        """Return the id of a control token, or None where there is none of that name."""
        token_id = self.id_of(name)
        return token_id if token_id in self.control_ids else None

    def id_of(self, name: str) -> int | None:
        """Return the id of any token as the vocabulary writes it, or None."""
        token_id: int | None = self._tokenizer.token_to_id(name)
        return token_id

    def name(self, token_id: int) -> str:
        """Return how a token is written in the vocabulary; empty where it has none."""
        return self._tokenizer.id_to_token(token_id) or ""
