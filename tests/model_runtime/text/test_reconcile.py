"""Fills that say again what stands around them, run on, or leave open what they begin."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.code import LANGUAGES, texts

from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.text.closers import closers_at
from model_runtime.text.one_line import as_meant
from model_runtime.text.reconcile import reconciled
from model_runtime.text.syntax import syntax_of

#: Prefix, fill, suffix, language, what is left of the fill (None: all of it).
CASES = [
    ('print("', 'hello")', '")\n', "python", "hello"),
    ('s = "', 'hello"', '"\n', "python", "hello"),
    ('def f():\n    """', 'Sum."""', '"""\n    return 1\n', "python", "Sum."),
    ("def f():\n    total = 0\n    ", "return total", "\n    return total\n", "python", ""),
    ("x = [\n    1,\n", "    4,\n    5,", "\n    4,\n    5,\n]\n", "python", ""),
    ("fn f() {\n    x();\n    ", "y();\n}", "\n}\n", "rust", "y();"),
    ("fn f() {\n    x();\n", "    y();\n}", "\n}\n", "rust", "    y();"),
    ("class A:\n    def f(self):\n        self.n", "ame", "ame = 1\n", "python", ""),
    ("class A:\n    def f(self):\n        self.n", "ew_name = 1", "ame = 1\n", "python", "ew_n"),
    ("try:\n    ", "open()\nexcept OSError:\n    pass", "", "python", None),
    ("if a:\n    ", "x = 1\nelse:\n    x = 2\nprint(x)", "", "python", "x = 1\nelse:\n    x = 2"),
    ("for i in 1 2; do\n    ", "echo $i\ndone", "\n", "sh", None),
    ("if [ $a ]; then\n    ", "echo $i\nfi\necho x", "\n", "sh", "echo $i\nfi"),
    ("def f():\n    ", "x = 1\n# why\n    y = 2\n    return y", "\n", "python", None),
    ("f(a, {", "}", "})", "javascript", ""),
    ("console.log(`", "hello`);", "`);\n", "javascript", "hello"),
    ("print('", "x')", "')\n", "python", "x"),
    ('f"{', 'name}"', '}"\n', "python", "name"),
    ("<p>{{ ", "value }}</p>", " }}</p>", "html", "value"),
    ("class A {\n  f() {\n    ", "return 1;\n  }", "\n  }\n}\n", "javascript", "return 1;"),
    ("function f()\n  ", "return 1\nend", "\nend\n", "lua", "return 1"),
    ("if x; then\n  ", "echo hi\nfi", "\nfi\n", "sh", "echo hi"),
    ("class A\n  def f\n    ", "return 1\n  end", "\n  end\nend\n", "ruby", "return 1"),
    ("# Title\n\nRun this:\n\n", "```bash\nmake\n```", "\n", "markdown", None),
    ("# Title\n\nRun this:\n\n", "```bash\nmake\n```\n", "\n", "", None),
    ("```python\nx = 1\n", "y = 2\n```", "\n```\n", "markdown", "y = 2"),
    ("print(", "it's)", ")\n", "python", "it's"),
    ("match c { ", "')' => 1", " }\n", "rust", None),
    ("f(", "a)", "\n)", "python", "a"),
    ("f(", "a)[2:]", ")\n", "python", "a"),
    ("f(g(", "a), b)", ")\n", "python", "a), b"),
    ("if (a) {\n", "b();\n} else {\n  c();\n", "}\n", "javascript", None),
    ("if (a) {\n", "b();\n}\nc();\n", "}\n", "javascript", "b();\n"),
    ("if (", "x)", "x) {\n", "c", ""),
    ("int x = ", "1;", ";\n", "c", "1"),
    ('{"a": ', "1,", ', "b": 2}', "json", "1"),
    ("/*", " Sum of two */", "*/\nint f();\n", "c", " Sum of two "),
    ("/*\n *", " Sum of two\n */\nint g();", "\n */\nint f();\n", "c", " Sum of two"),
    ("fmt.Println(", '"world"', ")\n", "go", None),
    ('fmt.Println("', 'world")', '")\n', "go", "world"),
    ("int add(int a, int b) {\n    return ", "a + b;\n}", "\n}\n", "c", "a + b;"),
    (
        "class A {\n    void f() {\n        ",
        "int x = 1;\n    }",
        "\n    }\n}\n",
        "java",
        "int x = 1;",
    ),
    ("", "a: 1\nb: 2", "\nb: 2\nc: 3\n", "yaml", "a: 1"),
    ("all: main.c\n", "\tgcc -o $@ $<", "\n", "makefile", None),
    ("clean:\n\trm x\nall: main.c\n", "    gcc -o $@ $<", "\n", "makefile", ""),
    ("func g() {\n\tx()\n}\nfunc f() int {\n", "    return 1", "\n}\n", "go", ""),
    (
        "data.append(1)\n",
        "print(data[0])\nprint(data[1])\nprint(data[2])\nprint(data[3])",
        "\n",
        "python",
        "print(data[0])\nprint(data[1])",
    ),
    (
        "x();\n",
        "a();\nb();\na();\nb();\na();\nb();\n",
        "\n",
        "javascript",
        "a();\nb();\na();\nb();",
    ),
    ('s = "', "ha ha ha ha ha ha ha ha ha", '"\n', "python", "ha ha "),
    ("x = 1\n", "   ", "\n", "python", ""),
    ("print(x)\n", "print(x)", "\n", "python", ""),
    ("def f():\n    return", "return", "\n", "python", ""),
]


@pytest.mark.parametrize(("prefix", "said", "suffix", "language", "expected"), CASES)
def test_a_fill_says_what_is_new(
    prefix: str, said: str, suffix: str, language: str, expected: str | None
) -> None:
    """It ends before what the file has, keeps what goes on, and does not run on."""
    kept = reconciled(said, prefix, suffix, syntax_of(language, "", prefix + suffix))
    assert kept == (said if expected is None else expected)


@given(prefix=texts(), said=texts(), suffix=texts(), name=st.sampled_from(LANGUAGES))
@settings(deadline=None)
def test_what_is_left_begins_the_fill(prefix: str, said: str, suffix: str, name: str) -> None:
    """So what is known of its tokens holds on; and blanks are no fill."""
    kept = reconciled(said, prefix, suffix, syntax_of(name))
    assert said.startswith(kept)
    assert not kept or kept.strip()


@given(prefix=texts(), said=texts(), suffix=texts(), name=st.sampled_from(LANGUAGES))
@settings(deadline=None)
def test_no_closer_of_the_file_is_said_again(
    prefix: str, said: str, suffix: str, name: str
) -> None:
    """What the file closes behind the cursor is open behind the fill, too."""
    syntax = syntax_of(name)
    kept = reconciled(said, prefix, suffix, syntax)
    closers = closers_at(prefix, suffix, syntax)
    scanned = closers.scan(kept, is_whole=True)
    assert closers.first_taken(scanned) is None or closers.fits(scanned)


@pytest.mark.parametrize(
    ("prefix", "before", "suffix"),
    [
        ("def f():\n", "    foo(OLD)\n    report()", "\n    report()\n    return 1\n"),
        ("def f():\n", "    x = f(1)\n    log(x)\n    y = OLD", "\n    log(x)\n    return 1\n"),
        (
            "def z():\n    return 1\n\n\n",
            "def a():\n    return OLD\n\n\ndef b():\n    return 2",
            "\n",
        ),
        ("x = ", "f(OLD, b)", ", b)\n"),
        ("x = 1\n", "a(OLD)\nb()\nb()\nb()\n", "c()\n"),
    ],
)
def test_an_edit_keeps_what_the_text_before_it_said(prefix: str, before: str, suffix: str) -> None:
    """Of the lines behind it, of other functions, in however many places: it stood there."""
    after = before.replace("OLD", "new")
    assert reconciled(after, prefix, suffix, syntax_of("python"), before) == after


@given(prefix=texts(), said=texts(), suffix=texts(), name=st.sampled_from(LANGUAGES))
@settings(deadline=None)
def test_what_stands_in_the_file_is_not_cut(prefix: str, said: str, suffix: str, name: str) -> None:
    """A text is all there where it stood before, or is as good as none."""
    assert reconciled(said, prefix, suffix, syntax_of(name), said) in (said, "")


@given(line=st.from_regex(r"[a-z]{2,6} = [a-z]{3,8}\(\)", fullmatch=True), said=texts())
@settings(deadline=None)
def test_the_next_line_is_never_said(line: str, said: str) -> None:
    """Whatever is said before it."""
    kept = reconciled(f"{said}\n{line}\ny = 1", "x = 1\n", f"\n{line}\n", syntax_of("python"))
    assert line not in kept.split("\n")


@given(block=st.lists(st.from_regex(r"[a-z]{2,6}\(\)", fullmatch=True), min_size=1, max_size=3),
       n_times=st.integers(3, 9))  # fmt: skip
@settings(deadline=None)
def test_nothing_is_said_three_times_running(block: list[str], n_times: int) -> None:
    """Unless the file around it has it so often."""
    text = "\n".join(block)
    said = "\n".join([text] * n_times)
    kept = reconciled(said, "x = 1\n", "", syntax_of("python")).split("\n")
    assert not any(kept[i] == kept[i + 1] == kept[i + 2] for i in range(len(kept) - 2))
    assert len(kept) <= 2 * len(block)
    around = f"{said}\nx = 1\n"
    assert reconciled(said, around, "", syntax_of("python")) == said


@pytest.mark.parametrize(
    ("prefix", "suffix", "is_line"),
    [
        ('name = "x"\nprint("hello', '")\n', True),
        ('GREETING = "', '"\n', True),
        ("const limit = 10;\n// lim", "\n", True),
        ("local x = 1 -- lim", "\n", True),
        ("def f():\n    ", "\n", False),
        ("x = 1  # one\n", "\n", False),
    ],
)
def test_one_line_is_meant_where_no_more_can_be(prefix: str, suffix: str, *, is_line: bool) -> None:
    """Text follows on the line, or it is a comment's."""
    request = InfillRequest(id="r", prefix=prefix, suffix=suffix, spans=(MaskSpan(),))
    assert as_meant(request).spans[0].single_line is is_line
