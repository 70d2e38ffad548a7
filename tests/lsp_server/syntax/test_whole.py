"""What a filled body lacks though it parses."""

from __future__ import annotations

import pytest

from lsp_server.syntax.whole import find_lacks

HEADS = {
    "python": ("def f(xs: list[int]) -> int:\n    ", "\n"),
    "typescript": ("function f(xs: number[]): number {\n  ", "\n}\n"),
    "rust": ("fn f(xs: &[i32]) -> i32 {\n    ", "\n}\n"),
    "go": ("package a\n\nfunc f(xs []int) int {\n\t", "\n}\n"),
    "java": ("class A {\n    int f(int[] xs) {\n        ", "\n    }\n}\n"),
    "c": ("int f(int *xs) {\n    ", "\n}\n"),
    "cpp": ("int f(std::vector<int> xs) {\n    ", "\n}\n"),
}


def lacks(language: str, body: str, head: str = "", tail: str = "\n") -> list[str]:
    """Return what a body lacks in a function that declares a result, or behind another head."""
    if not head:
        head, tail = HEADS[language]
    return find_lacks(language, head + body + tail, len(head))


@pytest.mark.parametrize(
    ("language", "body", "expected"),
    [
        ("python", "total = 0", ["nothing is returned", "total is not used"]),
        ("typescript", "let total = 0;", ["nothing is returned", "total is not used"]),
        ("rust", "let total = 0;", ["nothing is returned", "total is not used"]),
        ("go", "total := 0", ["nothing is returned", "total is not used"]),
        ("java", "int total = 0;", ["nothing is returned", "total is not used"]),
        ("c", "int total = 0;", ["nothing is returned", "total is not used"]),
        ("python", "pass", ["the body does nothing"]),
        ("python", "...", ["the body does nothing"]),
        ("python", "raise NotImplementedError", ["the body does nothing"]),
        ("python", "# TODO", ["the body does nothing"]),
        ("python", '"""Says."""', ["the body does nothing"]),
        ("python", '"""Says."""\n    """More."""', ["the body does nothing"]),
        ("python", "# TODO\n    # more\n\n\ndef g():\n    return 1", ["the body does nothing"]),
        ("rust", "todo!()", ["the body does nothing"]),
        ("typescript", "// TODO", ["the body does nothing"]),
        ("java", 'throw new UnsupportedOperationException("not implemented");',
         ["the body does nothing"]),
    ],
)  # fmt: skip
def test_a_body_that_stops_early_is_told(language: str, body: str, expected: list[str]) -> None:
    """A declared result that is not given, a name that is not used, and a stub."""
    assert lacks(language, body) == expected


@pytest.mark.parametrize(
    ("language", "body"),
    [
        ("python", "return 0"),
        ("typescript", "return 0;"),
        ("rust", "0"),
        ("go", "return 0"),
        ("java", "return 0;"),
        ("c", "return 0;"),
        ("cpp", "return 0;"),
    ],
)
def test_a_body_that_makes_nothing_of_what_it_is_given_is_told(language: str, body: str) -> None:
    """The same for whatever is given: `return 0` parses, and is whole in all else."""
    assert lacks(language, body) == ["xs is not used"]


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        (
            "def f(a: int = A, *rest, key=None):\n    ",
            "return 1",
            ["a and rest and key are not used"],
        ),
        ("def f(a, b):\n    ", "return b", []),
        ("class A:\n    def f(self):\n        ", "return True", []),
        ("class A:\n    def f(self, other):\n        ", "return True", ["other is not used"]),
        ("class A:\n    def f(self, other):\n        ", "return self.x", []),
        ("def f(_event):\n    ", "return True", []),
        ("def f():\n    ", "return 1", []),
        ("def f(name):\n    ", "return f'{name}'", []),
    ],
)
def test_what_counts_as_given(head: str, body: str, expected: list[str]) -> None:
    """Parameters, their types and defaults apart, unless they say that nobody wants them."""
    assert lacks("python", body, head) == expected


@pytest.mark.parametrize("body", ["-- TODO", "-- TODO\n  -- more"])
def test_a_comment_is_no_body_in_lua(body: str) -> None:
    """Its grammar sees none there."""
    assert lacks("lua", body, "function M.f(x)\n  ", "\nend\n") == ["the body does nothing"]
    assert lacks("lua", f"{body}\n  return x", "function M.f(x)\n  ", "\nend\n") == []


def test_a_go_method_works_with_its_receiver() -> None:
    """It needs nothing else of what it is given."""
    head = "package a\n\nfunc (s *Stack) Peek(n int) int {\n\t"
    assert lacks("go", "return s.top", head, "\n}\n") == []
    assert lacks("go", "return 0", head, "\n}\n") == ["n is not used"]


@pytest.mark.parametrize(
    ("language", "body"),
    [
        ("python", "total = 0\n    for x in xs:\n        total += x\n    return total"),
        ("python", "raise ValueError(xs)"),
        ("python", "yield from xs"),
        ("python", "_unused = 0\n    return len(xs)"),
        ("python", "n = len(xs)\n    return int(f'{n}')"),
        ("typescript", "let total = 0;\n  for (const x of xs) total += x;\n  return total;"),
        ("typescript", "throw new Error(`none of ${xs}`);"),
        ("rust", "xs.iter().sum()"),
        ("rust", "let total = xs.len() as i32;\n    total"),
        ("go", "total := 0\n\tfor _, x := range xs {\n\t\ttotal += x\n\t}\n\treturn total"),
        ("java", "int total = 0;\n        for (int x : xs) total += x;\n        return total;"),
        ("c", "int total = xs[0];\n    return total;"),
        ("cpp", "auto n = xs.size();\n    return n;"),
    ],
)
def test_a_whole_body_lacks_nothing(language: str, body: str) -> None:
    """Whatever way it gives its result."""
    assert lacks(language, body) == []


def test_a_result_may_be_promised_in_words() -> None:
    """Where no type says so, the documentation does."""
    documented = 'def f(xs):\n    """Return the sum."""\n    '
    assert lacks("python", "print(xs)", documented) == ["nothing is returned"]
    assert lacks("python", "print(xs)", 'def f(xs):\n    """Print it."""\n    ') == []
    above = "/** Returns the sum. */\nfunction f(xs) {\n  "
    assert lacks("javascript", "log(xs);", above, "\n}\n") == ["nothing is returned"]


def test_functions_inside_answer_for_themselves() -> None:
    """What a callback returns is not what the function around it returns."""
    body = "xs.forEach((x) => {\n    return x;\n  });"
    assert lacks("typescript", body) == ["nothing is returned"]


@pytest.mark.parametrize("result", ["None", "NoReturn"])
def test_no_result_is_needed_where_none_is_declared(result: str) -> None:
    """A type that says that nothing comes back is no promise."""
    assert lacks("python", "print(xs)", f"def f(xs) -> {result}:\n    ") == []
