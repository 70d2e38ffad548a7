"""How a hole is put to a model that has no endpoint for holes.

FIM tokens: Qwen2.5-Coder (arXiv 2409.12186), StarCoder (arXiv 2305.06161), DeepSeek-Coder (arXiv
2401.14196), Stable-DiffCoder (suffix first). "suffix" leaves it to the server's own template.
"chat" asks in words, for models that know no such tokens, as the block-diffusion ones do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_runtime.protocol import ContextFile

#: What comes before, between and behind: (parts, whether the suffix stands first).
TEMPLATES: dict[str, tuple[tuple[str, str, str], bool]] = {
    "qwen": (("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"), False),
    "starcoder": (("<fim_prefix>", "<fim_suffix>", "<fim_middle>"), False),
    # Its bars are wide ones.
    "deepseek": (("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"), False),  # noqa: RUF001  # see above
    "seed": (("<[fim-suffix]>", "<[fim-prefix]>", "<[fim-middle]>"), True),
}
END_OF_TEXT = ("<|endoftext|>", "<|file_sep|>", "<|fim_pad|>")
HOLE = "<<<HOLE>>>"
_FENCE = re.compile(r"```[^\n]*\n(.*?)(?:\n)?```", re.DOTALL)


@dataclass(frozen=True)
class Hole:
    """One span to fill, as a remote model gets to see it."""

    path: str
    language: str
    prefix: str
    suffix: str
    #: What stands there now.
    text: str
    instruction: str
    context: tuple[ContextFile, ...]
    max_tokens: int
    single_line: bool
    temperature: float
    seed: int


def fim_prompt(template: str, hole: Hole) -> str:
    """Return a hole in a template's tokens."""
    (first, second, third), is_suffix_first = TEMPLATES[template]
    one, two = (hole.suffix, hole.prefix) if is_suffix_first else (hole.prefix, hole.suffix)
    return f"{first}{one}{second}{two}{third}"


def fim_stops(template: str) -> list[str]:
    """Return the tokens at which a fill has gone too far."""
    return [*TEMPLATES[template][0], *END_OF_TEXT]


def without_tokens(template: str, text: str) -> str:
    """Return a fill up to the first token that is no text."""
    ends = [text.find(stop) for stop in fim_stops(template)]
    return text[: min((end for end in ends if end >= 0), default=len(text))]


def chat_messages(hole: Hole) -> list[dict[str, str]]:
    """Return a hole in words."""
    shown = [f"File {file.path}:\n```\n{file.text}\n```\n" for file in hole.context]
    task = f"Fill in the text that belongs at {HOLE}."
    if hole.text:
        task = f"Replace {HOLE}, where this stood:\n```\n{hole.text}\n```"
    if hole.instruction:
        task += f"\nWhat is wanted: {hole.instruction}"
    if hole.single_line:
        task += "\nIt is one line."
    shown.append(
        f"File {hole.path or 'untitled'} ({hole.language or 'text'}):\n"
        f"```\n{hole.prefix}{HOLE}{hole.suffix}\n```\n{task}\n"
        "Answer with that text alone, in one code block, with its own indentation."
    )
    return [{"role": "user", "content": "\n".join(shown)}]


def read_chat(content: str) -> str:
    """Return the fill out of an answer: what its first code block holds, or all of it."""
    found = _FENCE.search(content)
    return (found[1] if found else content).replace(HOLE, "")
