"""A model's own marks in a prompt: a prompt of that form is taken apart, and no other text is."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from model_runtime.http.marks import STYLES, Hole, Style, split
from model_runtime.protocol import ContextFile

#: Every mark there is.
MARKS = sorted({mark for s in STYLES for mark in (s.prefix, s.suffix, s.middle) if mark})
CODE = st.text(alphabet="ab =\n()\"'<>[]|é😀\t", max_size=30)
FULL = [style for style in STYLES if style.middle]
(CODESTRAL,) = (style for style in STYLES if not style.middle)


@pytest.mark.parametrize("style", FULL, ids=lambda style: style.prefix)
@given(prefix=CODE, suffix=CODE)
def test_both_orders_are_read(style: Style, prefix: str, suffix: str) -> None:
    """Prefix first, suffix first, StarCoder's third order: the texts come out as they went in."""
    gap = " " if style.has_blanks else ""
    p, s, m = style.prefix + gap, gap + style.suffix, gap + style.middle
    # Where a blank belongs to a mark, one that stands there is the mark's.
    assume(not gap or not (prefix.startswith(" ") or suffix.endswith(" ")))
    hole = Hole(prefix, suffix)

    assert split(f"{p}{prefix}{s}{suffix}{m}") == hole
    assert split(f"<s>{p}{prefix}{s}{suffix}{m}\n") == hole
    if not gap:
        assert split(f"{s}{suffix}{p}{prefix}{m}") == hole
    if prefix.strip():
        assert split(f"{p}{s}{suffix}{m}{gap}{prefix}") == hole


@given(prefix=CODE, suffix=CODE)
def test_codestral_has_two_marks(prefix: str, suffix: str) -> None:
    """Codestral goes on behind the prefix: there is no third mark."""
    assume(not (suffix.startswith("\n") and suffix.endswith("\n") and prefix[:1] in {"", "\n"}))

    assert split(f"[SUFFIX]{suffix}[PREFIX]{prefix}") == Hole(prefix, suffix)


@given(
    head=st.text(alphabet="ab=#(\"'", min_size=1, max_size=5),
    pieces=st.lists(st.one_of(CODE, st.sampled_from(MARKS)), max_size=8),
)
def test_a_file_that_mentions_marks_is_left_whole(head: str, pieces: list[str]) -> None:
    """Text before the first mark that is neither a file's nor a beginning's: it is a file."""
    assert split(head + "".join(pieces)) is None


@pytest.mark.parametrize(
    ("prompt", "hole"),
    [
        (
            "<|repo_name|>shop\n<|file_sep|>lib/a.py\nimport x\n<|file_sep|>b.py\n"  # noqa: ISC004
            "<|fim_prefix|>ab<|fim_suffix|>cd<|fim_middle|>",
            Hole("ab", "cd", (ContextFile(path="lib/a.py", text="import x\n"),), "b.py"),
        ),
        (
            "<file_sep>import x<file_sep>y = 1\n<file_sep><fim_prefix>ab<fim_suffix>cd<fim_middle>",
            Hole(
                "ab",
                "cd",
                (ContextFile(path="", text="y = 1\n"), ContextFile(path="", text="import x")),
            ),
        ),
        (
            "<fim_prefix><filename>b.py\nab<fim_suffix>cd<fim_middle>",
            Hole("ab", "cd", (), "b.py"),
        ),
        (
            "<|file_sep|>a.py\nimport x\n<|file_sep|>b.py\nab",
            Hole("ab", "", (ContextFile(path="a.py", text="import x\n"),), "b.py"),
        ),
        (
            "[SUFFIX]cd[PREFIX]+++++ a.py\nimport x\n\n+++++ b.py\nab",
            Hole("ab", "cd", (ContextFile(path="a.py", text="import x\n"),), "b.py"),
        ),
        ("<PRE> <SUF>cd <MID> ab", Hole("ab", "cd")),
        (
            '<|fim_prefix|>M = ["<|fim_suffix|>", 1]\n<|fim_suffix|>cd<|fim_middle|>',
            Hole('M = ["<|fim_suffix|>", 1]\n', "cd"),
        ),
    ],
)
def test_files_before_the_marks(prompt: str, hole: Hole) -> None:
    """Files behind separators are context, the nearest first; the last name is the file's own."""
    assert split(prompt) == hole


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        "<s>",
        "<|fim_prefix|>",
        "<|fim_prefix|>code<|fim_suffix|>more",
        "<|fim_prefix|>code<|fim_suffix|>more<|fim_middle|>\nis how Qwen is asked",
        "<filename>a.txt</filename>\n<b>",
        "[SUFFIX]\nvalue = 1\n[PREFIX]\nvalue = 2\n",
        "+++++ a.py\nab",
        "<repo_name>shop",
        'x = ["<PRE>", "<SUF>", "<MID>"]',
    ],
)
def test_plain_text_stays(text: str) -> None:
    """A file that begins with a mark, an INI file, a page of XML: none of these is a prompt."""
    assert split(text) is None


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "prompt",
    [
        "<|file_sep|>" + "." * 1_000_000 + ";\nx",
        "<|file_sep|>" + "a/" * 500_000 + ";\nx",
        "<PRE>" + " " * 1_000_000,
        "<PRE> " + "<SUF> " * 200_000,
        "[SUFFIX]" * 100_000 + "\n+++++ " * 100_000,
        "<s>" * 300_000,
    ],
    ids=lambda prompt: prompt[:20],
)
def test_what_is_made_to_be_hard_to_read_is_read_once(prompt: str) -> None:
    """And is plain text, or ends somewhere; it is not looked through anew for each character."""
    hole = split(prompt)

    assert hole is None or len(hole.prefix) + len(hole.suffix) <= len(prompt)
