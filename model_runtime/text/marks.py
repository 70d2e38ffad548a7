"""The control tokens with which a base model is asked to fill.

They come from the model's own file where it says them (`Hints`), else from this table of what each
base's authors publish:

    Qwen2.5-Coder, Qwen3-Coder   Hui et al. 2024, arXiv 2409.12186, section 3.1
    DeepSeek-Coder               Guo et al. 2024, arXiv 2401.14196, section 3.1.2
    Seed-Coder                   ByteDance Seed 2025, arXiv 2506.03524: suffix first
    Mellum                       Pavlichenko et al. 2025, arXiv 2510.05788: suffix first
    Granite code, StarCoder      Mishra et al. 2024, arXiv 2405.04324; arXiv 2305.06161
    CodeLlama                    Rozière et al. 2023, arXiv 2308.12950, section 2.3
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from model_runtime.errors import ModelLoadFailed

if TYPE_CHECKING:
    from model_runtime.text.tokenizer import CodeTokenizer


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """Token ids of one base, and how they are put around text."""

    prefix_id: int
    suffix_id: int
    middle_id: int
    #: Where a span, or a text, ends.
    end_id: int
    #: Stands for a mask on a canvas: a control token that means nothing here.
    mask_id: int
    #: Before a file's name; None where other files are shown as text, behind a comment.
    file_id: int | None = None
    #: What every text begins with.
    start_ids: tuple[int, ...] = ()
    is_suffix_first: bool = False
    #: Text that was put before every prefix in training.
    lead: str = ""


@dataclass(frozen=True)
class Hints:
    """What a model's file says of its marks, by id; what it does not say is None or empty."""

    #: What the model is called, for what only its name tells.
    name: str = ""
    prefix_id: int | None = None
    suffix_id: int | None = None
    middle_id: int | None = None
    end_id: int | None = None
    file_id: int | None = None
    start_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Known:
    """One base's marks by name."""

    prefix: str
    suffix: str
    middle: str
    end: str
    file: str | None = None
    is_suffix_first: bool = False
    lead: str = ""
    #: Part of the model's name, where the tokens alone don't tell it from another.
    called: str = ""
    #: Control tokens that mean nothing, the best one first.
    spare: tuple[str, ...] = field(default=())


_KNOWN = (
    _Known(
        "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|endoftext|>", "<|file_sep|>",
        spare=("[PAD151665]", "<|fim_pad|>"),
    ),
    # Their bar is a wide one.
    _Known(
        "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>",  # noqa: RUF001
        "<｜end▁of▁sentence｜>", spare=("<pad>",),  # noqa: RUF001
    ),
    _Known(
        "<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>", "<[end▁of▁sentence]>",
        is_suffix_first=True,
    ),
    _Known(
        "<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<|endoftext|>", "<filename>",
        is_suffix_first=True, called="mellum", spare=("<fim_pad>",),
    ),
    _Known(
        "<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<|endoftext|>", "<filename>",
        spare=("<fim_pad>",),
    ),
    _Known("▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>", lead=" "),
)  # fmt: skip
#: Bases to name to someone whose model can't fill.
_EXAMPLES = "Qwen2.5-Coder, Seed-Coder-Base or Mellum"


def find_marks(tokenizer: CodeTokenizer, hints: Hints | None = None) -> Marks:
    """Return a base's marks.

    Args:
        tokenizer: of the base.
        hints: what its file says; it comes before what the table says.

    Raises:
        ModelLoadFailed: the base has none, so it was not trained to fill; or the file says ids
            that are none of its control tokens.
    """
    hints = hints or Hints()
    said = (hints.prefix_id, hints.suffix_id, hints.middle_id)
    known = _known(tokenizer, hints)
    if known is None and None in said:
        raise ModelLoadFailed(
            f"{hints.name or 'this model'} has no fill-in-the-middle marks: it was not trained to"
            f" fill between two texts; take a base that was, such as {_EXAMPLES}"
        )

    def mark(said: int | None, name: str | None) -> int | None:
        return said if said is not None or name is None else tokenizer.find(name)

    prefix_id = mark(hints.prefix_id, known.prefix if known else None)
    suffix_id = mark(hints.suffix_id, known.suffix if known else None)
    middle_id = mark(hints.middle_id, known.middle if known else None)
    file_id = mark(hints.file_id, known.file if known else None)
    end_id = tokenizer.find(known.end) if known else None
    end_id = hints.end_id if end_id is None else end_id
    used = {prefix_id, suffix_id, middle_id, end_id}
    if (
        prefix_id is None or suffix_id is None or middle_id is None or end_id is None
        or len(used) < 4  # noqa: PLR2004  # as many as there are
        or not used <= tokenizer.control_ids
    ):  # fmt: skip
        said_ids = ", ".join(map(str, (prefix_id, suffix_id, middle_id, end_id)))
        raise ModelLoadFailed(
            f"{hints.name or 'this model'} says which tokens mark a gap, but they are not four"
            f" control tokens of its vocabulary ({said_ids}); its file is damaged"
        )
    return Marks(
        prefix_id=prefix_id,
        suffix_id=suffix_id,
        middle_id=middle_id,
        end_id=end_id,
        mask_id=_spare(tokenizer, known, {*used, file_id, *hints.start_ids}),
        file_id=file_id,
        start_ids=hints.start_ids,
        is_suffix_first=known is not None and known.is_suffix_first,
        lead=known.lead if known else "",
    )


def _known(tokenizer: CodeTokenizer, hints: Hints) -> _Known | None:
    """Return the table's row for a base: its marks are in the vocabulary, and are those said."""
    for row in _KNOWN:
        if row.called not in hints.name.lower():
            continue
        ids = [tokenizer.find(name) for name in (row.prefix, row.suffix, row.middle)]
        said = (hints.prefix_id, hints.suffix_id, hints.middle_id)
        if None not in ids and all(b in (None, a) for a, b in zip(ids, said, strict=True)):
            return row
    return None


def _spare(tokenizer: CodeTokenizer, known: _Known | None, used: set[int | None]) -> int:
    """Return a control token that means nothing.

    Raises:
        ModelLoadFailed: there is none.
    """
    for name in known.spare if known else ():
        # One that no pair makes is as good as a control token: no text encodes to it.
        if (token_id := tokenizer.id_of(name)) is not None and token_id not in used:
            return token_id
    free = sorted(token_id for token_id in tokenizer.control_ids if token_id not in used)
    padding = [token_id for token_id in free if "pad" in tokenizer.name(token_id).lower()]
    if not free:
        raise ModelLoadFailed("the model's vocabulary has no control token that could mark a mask")
    return (padding or free[::-1])[0]
