"""A small vocabulary for a small model: pairs of bytes, merged as often as a corpus says.

Sennrich et al. 2016, arXiv 1508.07909, over bytes as GPT-2's. A published one has 150,000 tokens
and more, whose embedding alone would be ten times such a model.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from model_runtime.weights.published import TOKENIZER_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MASK, _END = "<|mask|>", "<|endoftext|>"


class Special(NamedTuple):
    """The control tokens of a vocabulary."""

    mask_id: int
    end_id: int


def learn_vocabulary(texts: Iterable[str], n_tokens: int, folder: Path) -> Special:
    """Learn a vocabulary and write it as checkpoints have it.

    Args:
        texts: to learn from.
        n_tokens: of the vocabulary, the control tokens included; at least 258.
        folder: `tokenizer.json` and what says which token is which go here.
    """
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=n_tokens,
        special_tokens=[_MASK, _END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    made.save(str(folder / TOKENIZER_FILE))
    vocabulary = made.get_vocab()
    found = Special(vocabulary[_MASK], vocabulary[_END])
    words = {
        "mask_token": _MASK,
        "eos_token": _END,
        "added_tokens_decoder": {
            str(found.mask_id): {"content": _MASK},
            str(found.end_id): {"content": _END},
        },
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(words), encoding="utf-8")
    return found
