"""Which files are fit to train on.

Left out: what is not written by a person (generated, minified), what belongs to another package
(vendored), tests and their data, anything under a copyleft header, and whatever shares a long run
of words with a benchmark that the trained model will be measured on.
"""

from __future__ import annotations

import gzip
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LANGUAGES = {
    ".c": "c",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".cxx": "cpp",
    ".go": "go",
    ".h": "c",
    ".hpp": "cpp",
    ".java": "java",
    ".js": "javascript",
    ".jsx": "javascript",
    ".lua": "lua",
    ".mjs": "javascript",
    ".py": "python",
    ".rs": "rust",
    ".ts": "typescript",
    ".tsx": "typescript",
}

Reason = Literal[
    "benchmark",
    "copyleft",
    "data",
    "encoding",
    "generated",
    "long_lines",
    "overlap",
    "size",
    "test",
    "vendored",
]

#: A hit of this many words in a row, punctuation and spacing aside, counts as the same text.
SHINGLE_WORDS = 10
MIN_BYTES, MAX_BYTES = 400, 120_000
MAX_LINE_CHARS = 300
MAX_MEAN_LINE_CHARS = 80
MIN_LETTER_SHARE = 0.4

_FOREIGN_FOLDERS = frozenset(
    [
        "vendor",
        "_vendor",
        "vendored",
        "_vendored",
        "third_party",
        "thirdparty",
        "3rdparty",
        "node_modules",
        "deps",
        "external",
        "extern",
        "externals",
        "contrib",
        "extlib",
        "godeps",
    ]
)
_TEST_FOLDERS = frozenset(
    [
        "test",
        "tests",
        "testing",
        "testdata",
        "test_data",
        "__tests__",
        "spec",
        "specs",
        "fixtures",
        "mocks",
        "testutil",
        "idle_test",
        "lib2to3",
        "benchmarks",
        "bench",
    ]
)
_TEST_FILE = re.compile(
    r"(^test_|_test\.|_tests?\.py$|\.(spec|test)\.|^conftest\.py$|Tests?\.java$)"
)
_BUILT_FILE = re.compile(
    r"(\.min\.|\.d\.ts$|\.bundle\.|\.umd\.|_pb2|\.pb\.|(^|_)generated|-lock\.)"
)
_BUILT_FOLDERS = frozenset(
    ["dist", "build", "umd", "cjs", "esm", "bundles", "locales", "locale", "i18n", "lang_data"]
)
_GENERATED_MARK = re.compile(
    r"@generated|do not edit|do not modify|auto-?generated|(?:file|code) (?:is|was) generated"
    r"|generated (?:by|from|automatically)|automatically generated"
    r"|__esModule|_interopRequire",
    re.IGNORECASE,
)
_COPYLEFT_MARK = re.compile(
    r"GNU (?:Lesser |Library |Affero )?General Public|SPDX-License-Identifier: *[^\n]*GPL",
    re.IGNORECASE,
)
_HEAD_CHARS = 3_000
_WORD = re.compile(r"\w+")


def language_of(path: str) -> str | None:
    """Name the language of a path by its ending; None for what is no source file."""
    return LANGUAGES.get(PurePosixPath(path).suffix)


def refuse_path(path: str) -> Reason | None:
    """Say why a file is not taken, going by its path alone; None where nothing speaks against."""
    pure = PurePosixPath(path)
    folders = {part.lower() for part in pure.parts[:-1]}
    if folders & _FOREIGN_FOLDERS:
        return "vendored"
    if folders & _TEST_FOLDERS or _TEST_FILE.search(pure.name):
        return "test"
    if folders & _BUILT_FOLDERS or _BUILT_FILE.search(pure.name):
        return "generated"
    return None


def refuse_text(text: str) -> Reason | None:
    """Say why a text is not taken; None where nothing speaks against it."""
    head = text[:_HEAD_CHARS]
    lines = text.split("\n")
    reasons: list[tuple[Reason, bool]] = [
        ("encoding", "\0" in text or "�" in text),
        ("size", not MIN_BYTES <= len(text.encode()) <= MAX_BYTES),
        ("generated", bool(_GENERATED_MARK.search(head))),
        ("copyleft", bool(_COPYLEFT_MARK.search(head))),
        ("long_lines", max(map(len, lines)) > MAX_LINE_CHARS),
        ("long_lines", len(text) > MAX_MEAN_LINE_CHARS * len(lines)),
        ("data", sum(map(str.isalpha, text)) < MIN_LETTER_SHARE * len(text)),
    ]
    return next((reason for reason, holds in reasons if holds), None)


def decode(content: bytes) -> str | None:
    """Read bytes as UTF-8 with plain line ends; None where they are not UTF-8."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n")


class Benchmark:
    """The words of a benchmark, in overlapping runs of `SHINGLE_WORDS`."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._shingles = {shingle for text in texts for shingle in _shingles(text)}

    @classmethod
    def read(cls, paths: Iterable[Path]) -> Benchmark:
        """Read HumanEval-Infilling files (JSON lines, gzip): whole programs and their tests."""
        return cls(text for path in paths for text in _read_programs(path))

    def overlaps(self, text: str) -> bool:
        """Say whether any run of words stands in the benchmark too."""
        return any(shingle in self._shingles for shingle in _shingles(text))


def _shingles(text: str) -> Iterator[int]:
    words = _WORD.findall(text.lower())
    for start in range(len(words) - SHINGLE_WORDS + 1):
        yield hash(tuple(words[start : start + SHINGLE_WORDS]))


def _read_programs(path: Path) -> Iterator[str]:
    with gzip.open(path, "rb") as lines:
        for line in lines:
            task = msgspec.json.decode(line, type=dict[str, str])
            yield task["prompt"] + task["canonical_solution"] + task["suffix"]
            yield task["test"]
