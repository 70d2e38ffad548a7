"""Texts that look like code in many languages, to try what has to hold for all of them."""

from __future__ import annotations

from hypothesis import strategies as st

LANGUAGES = ["", "python", "javascript", "rust", "go", "c", "lua", "sh", "ruby", "markdown",
             "yaml", "make", "html"]  # fmt: skip
_PIECES = ["a", "b1", "x = 1", "return x", "print(x)", "else", "end", "if", "fi", "do", "done",
           "f'",
           "(", ")", "{", "}", "[", "]", '"', "'", "`", "#", "//", "/*", "*/", '"""', "```", "\\",
           ", ", ";", " ", "  ", "\t", "\n", "\n    "]  # fmt: skip


def texts() -> st.SearchStrategy[str]:
    """Return texts made of what code is made of, in any order."""
    return st.lists(st.sampled_from(_PIECES), max_size=14).map("".join)
