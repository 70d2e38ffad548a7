"""An instruction about code in a chat's messages: which code, what stands around it, what to do.

Editors' edit commands send the code in fenced blocks, each with a line before it that says what it
is, and the request in a sentence of its own or behind a label; every one in other words. What is
read here is what they have in common. Whatever has no code in it, or asks for an explanation, is no
such instruction.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from model_runtime.http.faults import BadBody
from model_runtime.http.marks import Hole, split
from model_runtime.protocol import ContextFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NOT_ABOUT_CODE = (
    "Only an instruction about code can be followed here, there is no chat: put the code into a"
    " block between lines of ```, and say what to change."
)
NO_EXPLANATION = (
    "This model changes code and explains none: say what to change in the code between the"
    " lines of ```."
)
TOO_LONG = "The messages are longer than this model reads: send the code that is to change alone."
NO_INSTRUCTION = "Say in words, beside the code, what to change."

#: Characters of all messages, and blocks of one, that anybody means.
MAX_CHARACTERS = 400_000
MAX_BLOCKS = 200

#: A block between fences; one that is left open goes on to the end.
_BLOCK = re.compile(
    r"^(?P<margin>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<info>[^\n`]*)\n"
    r"(?P<code>.*?)(?:^[ \t]*(?P=fence)[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)
#: Tags around code, and around the place that is meant inside of a document.
_TAG = re.compile(
    r"<(?P<tag>document|rewrite_this|code|selection|selected_code|file)\b[^>\n]{0,200}>"
)
_INNER = re.compile(r"<(?P<tag>rewrite_this|selection|editable_region)>")
#: Where new code goes.
_BLANK = re.compile(
    r"\[BLANK\]|\{\{ ?FILL_HERE ?\}\}|<\|cursor\|>"
    r"|<(?:CURSOR|FILL|insert_here)/?>(?:</insert_here>)?"
)
_BEFORE = re.compile(r"\b(prefix|before|above|preceding|precedes)\b", re.IGNORECASE)
_AFTER = re.compile(r"\b(suffix|after|below|following|follows)\b", re.IGNORECASE)
#: "The code before editing", "the following code": that says nothing of a place in the file.
_NO_PLACE = re.compile(
    r"(?:before|after) edit|following (?:code|file|function|snippet)", re.IGNORECASE
)
_MEANT = re.compile(
    r"\b(rewrite|rewritten|edit|edited|change|modify|refactor|fix|select(?:ed|ion)|original)\b",
    re.IGNORECASE,
)
#: What announces the request itself.
_LABEL = re.compile(
    r"(?:user'?s? request is|edit requested|following (?:user )?request|to do the following"
    r"|instructions?|request|prompt|task)\s*:\s*",
    re.IGNORECASE,
)
#: Sentences about the reply's form, and those that introduce a block or the reply.
_ABOUT_FORM = re.compile(
    r"output (?:nothing|only)|do not (?:output|surround|explain|repeat the|wrap|give)"
    r"|do not include (?:it|them|any explanation)"
    r"|(?:reply|respond|answer) (?:only )?with|no code block|no (?:explanation|commentary)"
    r"|without (?:any )?(?:natural language|explanation)|you should rewrite the entire"
    r"|(?:code block|indentation) (?:as|with|inside)|your (?:answer|output|response)"
    r"|you are (?:an?|the) |you will (?:rewrite|be given)|please (?:only|generate this code)"
    r"|their cursor is|(?:user has|they have) requested|surrounding code|here(?:'s| is) the|sure!"
    r"|for context only|leave existing comments|just rewrite the code",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?]) +")
#: Characters of a line that introduces what stands below it.
MAX_HEADING = 100
_EXPLAIN = re.compile(
    r"\W*(?:please |can you |could you )?(?:explain|describe|summari[sz]e|what|why|who|when|where"
    r"|how (?:does|do|is|are|can|could|would)|is (?:it|this|there)|tell me|review)\b",
    re.IGNORECASE,
)
_WANTS_BLOCK = re.compile(
    r"(?:in(?:side)?(?: of)?|only|with|as) (?:a|one|the)"
    r" (?:single )?(?:markdown |fenced )?code ?block",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Instruction:
    """What to do with which code."""

    words: str
    #: What stands there now; empty to write anew.
    code: str
    language: str = ""
    around: Hole = field(default_factory=lambda: Hole("", ""))
    #: Whether the reply has to be a code block.
    is_fenced: bool = False


@dataclass(frozen=True)
class _Block:
    #: The lines before it, back to the block before or a blank line.
    label: str
    language: str
    code: str


def read_messages(messages: Sequence[tuple[str, str]]) -> Instruction | Hole:
    """Return what a chat's messages ask for.

    Args:
        messages: role and text of each.

    Returns:
        an instruction; or, where the last message is a fill-in-the-middle prompt, its hole.

    Raises:
        BadBody: they are not about code; says what to send.
    """
    asked = [text for role, text in messages if role == "user" and text.strip()]
    if not asked:
        raise BadBody(NOT_ABOUT_CODE, "messages")
    if sum(map(len, asked)) > MAX_CHARACTERS:
        raise BadBody(TOO_LONG, "messages")
    if (hole := split(asked[-1])) is not None:
        return hole
    # The code may have come with an earlier message, and the wish with the last one.
    for text in reversed(asked):
        blocks, rest = _blocks(text)
        if blocks:
            words = _words(rest) if text is asked[-1] else asked[-1].strip()
            is_fenced = any(_WANTS_BLOCK.search(said) for _, said in messages)
            return _instruction(blocks, words, is_fenced=is_fenced)
    raise BadBody(NOT_ABOUT_CODE, "messages")


def _blocks(text: str) -> tuple[list[_Block], str]:
    """Return the code blocks of a message, and what stands around them."""
    found = [
        (
            *each.span(),
            each["info"].strip().partition(" ")[0],
            _unindented(each["code"], each["margin"]),
        )
        for each in _BLOCK.finditer(text)
    ]
    if len(found) > MAX_BLOCKS:
        raise BadBody(TOO_LONG, "messages")
    found = found or [(start, end, "", code) for start, end, code in _tagged(text, _TAG)]
    blocks, rest, at = [], [], 0
    for start, end, language, code in found:
        said = text[at:start]
        blocks.append(_Block(said.rstrip().rpartition("\n\n")[2], language, code))
        rest.append(said)
        at = end
    rest.append(text[at:])
    return blocks, "\n\n".join(rest)


def _tagged(text: str, opening: re.Pattern[str]) -> Iterator[tuple[int, int, str]]:
    """Yield where tags stand that are closed, and what stands between them.

    A text is looked through once for each tag, however many are never closed.
    """
    at, unclosed = 0, set[str]()
    while (found := opening.search(text, at)) is not None:
        closing, at = f"</{found['tag']}>", found.end()
        end = -1 if closing in unclosed else text.find(closing, at)
        if end < 0:
            unclosed.add(closing)
            continue
        between = text[at:end].removeprefix("\n").removesuffix("\n")
        at = end + len(closing)
        yield found.start(), at, between


def _unindented(code: str, margin: str) -> str:
    if margin:
        code = "".join(line.removeprefix(margin) for line in code.splitlines(keepends=True))
    return code.removesuffix("\n")


def _words(rest: str) -> str:
    """Return the request among what a message says beside its code."""
    if labels := list(_LABEL.finditer(rest)):
        said = rest[labels[-1].end() :].strip()
        quoted = re.match(r'"(.*?)"\s*(?:\n|\Z)', said, re.DOTALL)
        said = quoted[1] if quoted else said.partition("\n\n")[0]
        if said := _wish(said):
            return said
    return _wish(rest)


def _wish(text: str) -> str:
    """Return a text without what is about the reply's form, or introduces a block."""
    lines = []
    for line in map(str.strip, text.splitlines()):
        sentences = [each for each in _SENTENCE.split(line) if not _ABOUT_FORM.search(each)]
        if sentences and not (line.endswith(":") and len(line) <= MAX_HEADING):
            lines.append(" ".join(sentences))
    return "\n".join(filter(None, lines))


def _instruction(blocks: Sequence[_Block], words: str, *, is_fenced: bool) -> Instruction:
    if not words:
        raise BadBody(NO_INSTRUCTION, "messages")
    if _EXPLAIN.match(words):
        raise BadBody(NO_EXPLANATION, "messages")
    meant = _meant(blocks)
    others = [block for block in blocks if block is not meant]
    before = "\n".join(block.code for block in others if _is_before(block))
    after = "\n".join(block.code for block in others if _is_after(block))
    files = tuple(
        ContextFile(path="", text=block.code)
        for block in others
        if not _is_before(block) and not _is_after(block)
    )
    code = meant.code
    if inner := next(_tagged(code, _INNER), None):
        start, end, part = inner
        before += code[:start]
        after = code[end:].removeprefix("\n") + after
        code = part
    elif blank := _BLANK.search(code):
        around = Hole(before + code[: blank.start()], code[blank.end() :] + after, files)
        return Instruction(words, "", meant.language, around, is_fenced)
    around = Hole(
        f"{before}\n" if before and not before.endswith("\n") else before,
        f"\n{after}" if after and not after.startswith("\n") else after,
        files,
    )
    return Instruction(words, code, meant.language, around, is_fenced)


def _meant(blocks: Sequence[_Block]) -> _Block:
    """Return the block that is to change: the last that is said to be it, else the last of all."""
    said = [block for block in blocks if _MEANT.search(block.label)]
    said = [block for block in said if not _is_before(block) and not _is_after(block)]
    rest = [block for block in blocks if not _is_before(block) and not _is_after(block)]
    return (said or rest or list(blocks))[-1]


def _is_before(block: _Block) -> bool:
    return bool(_BEFORE.search(block.label)) and not _is_edited(block)


def _is_after(block: _Block) -> bool:
    return bool(_AFTER.search(block.label)) and not _is_before(block) and not _is_edited(block)


def _is_edited(block: _Block) -> bool:
    return _NO_PLACE.search(block.label) is not None
