"""Marks in a prompt: where a client has written a model's own fill-in-the-middle prompt as text.

Many clients know one field, the prompt, and put the marks of the model that they believe to talk
to between the texts. So where a body has no suffix, a prompt that as a whole has such a form is
taken apart: prefix, suffix, and the files before them. A file that only mentions marks has not that
form, and stays as it is.

The forms are published with the models: StarCoder (Li et al. 2023, arXiv 2305.06161, section 5.1;
its repositories: Lozhkov et al. 2024, arXiv 2402.19173, section 5.1), CodeLlama (Rozière et al.
2023, arXiv 2308.12950, section 2.3), DeepSeek-Coder (Guo et al. 2024, arXiv 2401.14196, section
3.1.2), Qwen2.5-Coder (Hui et al. 2024, arXiv 2409.12186, section 3.1), Codestral, Granite, GLM,
CodeGemma and Seed-Coder on their models' pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from model_runtime.protocol import ContextFile


@dataclass(frozen=True)
class Hole:
    """A place to fill, and what stands around it."""

    prefix: str
    suffix: str
    #: Other files, the most relevant first.
    files: tuple[ContextFile, ...] = ()
    path: str = ""


@dataclass(frozen=True)
class Style:
    """One model family's marks."""

    prefix: str
    suffix: str
    #: Behind which the model goes on; empty where it does so behind the prefix.
    middle: str = ""
    #: What stands before the name of each of several files, as a regular expression.
    file: str = r"(?!)"
    #: What stands before all of them, and the repository's name.
    repository: tuple[str, ...] = ()
    #: Whether a blank belongs to the marks, towards the texts: the tokenizer makes one of both.
    has_blanks: bool = False


STYLES = (
    Style(
        "<|fim_prefix|>",
        "<|fim_suffix|>",
        "<|fim_middle|>",
        file=r"<\|file_sep\|>|<\|file_separator\|>",
        repository=("<|repo_name|>",),
    ),
    Style(
        "<fim_prefix>",
        "<fim_suffix>",
        "<fim_middle>",
        file="<file_sep>|<filename>",
        repository=("<repo_name>", "<reponame>"),
    ),
    Style("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    Style("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),  # noqa: RUF001  # so spelled
    Style("<|fim_begin|>", "<|fim_hole|>", "<|fim_end|>"),
    Style("<PRE>", "<SUF>", "<MID>", has_blanks=True),
    # Other files, where clients put some, have a line of their own.
    Style("[PREFIX]", "[SUFFIX]", file=r"(?:\A|\n)\+{5} (?=[^\n]+\n)"),
    Style("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),
    Style("<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"),
)
#: What clients put before it all: where a text begins, by several models.
_BEGINNINGS = re.compile(
    r"(?:<s>|<\|endoftext\|>|<\|begin_of_text\|>|<bos>|<｜begin▁of▁sentence｜>|\s++)*+"  # noqa: RUF001  # so spelled
)
#: A first line that is a path, and no code.
_PATH = re.compile(r"(?=\S*[./\\]\S)[^\s<>:\"'|?*=;(){}\[\],#]++\s*+")
_QUOTES = {'"', "'", "`"}


def split(prompt: str) -> Hole | None:
    """Return what a prompt with marks is about; None where it is plain text."""
    start = _BEGINNINGS.match(prompt)
    text = prompt[start.end() :] if start else prompt
    return next((hole for style in STYLES if (hole := _split(text, style)) is not None), None)


def _split(text: str, style: Style) -> Hole | None:
    if style.has_blanks and text.startswith((style.prefix, style.suffix)):
        text = _without_blanks(text, style)
    head, marked = _head(text, style)
    if marked.startswith(style.prefix):
        hole = _prefix_first(marked[len(style.prefix) :], style)
    elif marked.startswith(style.suffix):
        hole = _suffix_first(marked[len(style.suffix) :], style)
    elif not marked and (alone := _files(head, style)) and all(file.path for file in alone):
        # Files alone: the last one is being written.
        head, hole = "", Hole(head, "")
    else:
        return None
    if hole is None:
        return None
    files, path = _files(head, style), ""
    if files and not files[-1].text.strip():
        # A name without a text is that of the file with the hole.
        path = files.pop().path
    if _opens(hole.prefix, style) and (inside := _files(hole.prefix, style)):
        *others, own = inside
        files += others
        hole, path = replace(hole, prefix=own.text), own.path
    nearest_first = tuple(file for file in reversed(files) if file.text.strip())
    return replace(hole, files=nearest_first, path=path)


def _without_blanks(text: str, style: Style) -> str:
    text = text.replace(f"{style.prefix} ", style.prefix)
    for mark in (style.suffix, style.middle):
        text = text.replace(f" {mark}", mark)
    return text.replace(f"{style.middle} ", style.middle)


def _head(text: str, style: Style) -> tuple[str, str]:
    """Return the files before the marks, and the rest."""
    if not style.middle or not _opens(text, style):
        return "", text
    places = [at for mark in (style.prefix, style.suffix) if (at := text.find(mark)) >= 0]
    at = min(places, default=len(text))
    return text[:at], text[at:]


def _opens(text: str, style: Style) -> bool:
    return text.startswith(style.repository) or re.match(style.file, text) is not None


def _prefix_first(text: str, style: Style) -> Hole | None:
    before, after = _parted(text, style.suffix)
    if after is None:
        return None
    if not style.middle:
        return None if _are_headings(before, after) else Hole(before, after)
    if (bare := after.rstrip()).endswith(style.middle):
        return Hole(before, bare[: -len(style.middle)])
    if not before:
        # StarCoder's other order: both marks, the suffix, and the prefix behind the last.
        after, behind = _parted(after, style.middle)
        return None if behind is None else Hole(behind, after)
    return None


def _suffix_first(text: str, style: Style) -> Hole | None:
    after, before = _parted(text, style.prefix)
    if before is None:
        return None
    if not style.middle:
        return None if _are_headings(after, before) else Hole(before, after)
    bare = before.rstrip()
    return Hole(bare[: -len(style.middle)], after) if bare.endswith(style.middle) else None


def _parted(text: str, mark: str) -> tuple[str, str | None]:
    """Return what stands before and behind a mark; None behind it where there is none.

    Code about such prompts has marks of its own, in quotes; a client's stand between two texts.
    """
    places = [found.start() for found in re.finditer(re.escape(mark), text)]
    if not places:
        return text, None
    at = next((at for at in places if text[at - 1 : at] not in _QUOTES), places[0])
    return text[:at], text[at + len(mark) :]


def _are_headings(first: str, second: str) -> bool:
    """Whether marks in square brackets stand alone on their lines, as an INI file's sections do."""
    return first.startswith("\n") and first.endswith("\n") and second[:1] in {"", "\n"}


def _files(text: str, style: Style) -> list[ContextFile]:
    """Return the files that stand in a text, each behind its mark."""
    files = []
    for piece in re.split(style.file, text)[1:]:
        name, _, rest = piece.partition("\n")
        is_named = _PATH.fullmatch(name) is not None
        file = (
            ContextFile(path=name.strip(), text=rest)
            if is_named
            else ContextFile(path="", text=piece)
        )
        files.append(file)
    return files
