r"""What of a language's spelling a fill is held to: strings, comments, blocks.

A grammar would know more, but a fill is judged while it is being said, in files that hardly ever
parse where somebody is typing. What has to be known is whether a place stands inside of a string or
a comment, what closes what is open there, and which words go on with a statement.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePath

from model_runtime.text.spelling import ESCAPE, Quote, Syntax

#: An apostrophe in a word opens nothing.
_NO_WORD = r"(?<![^\W_])"


def _plain(*marks: str, spans_lines: bool = False) -> tuple[Quote, ...]:
    """Return strings between two equal marks."""
    return tuple(
        Quote((_NO_WORD if mark == "'" else "") + mark, mark, spans_lines=spans_lines)
        for mark in marks
    )


_DOUBLE, _SINGLE = _plain('"', "'")
_BLOCK_COMMENT = Quote(r"/\*", r"\*/", "(?!)", spans_lines=True, is_comment=True)
_HASH = r"(?<!\S)#"
_FORMATTED = r"(?<!\w)(?=[rR]?[fFtT])[rRfFtT]{1,2}"
_PYTHON_QUOTES = tuple(
    quote
    for mark in ('"""', "'''", '"', "'")
    for quote in (
        Quote(_FORMATTED + mark, mark, r"\\.|\{\{|\}\}", len(mark) > 1, hole=r"\{"),
        Quote(rf"(?<!\w)[rRbBuU]{{1,2}}{mark}", mark, spans_lines=len(mark) > 1),
        *_plain(mark, spans_lines=len(mark) > 1),
    )
)
_C_WORDS = r"(?:else|catch|finally|case|default|public|private|protected)\b|#[ \t]*\w"
_END_WORDS = (
    r"(?:end|else|elsif|elseif|elif|fi|done|esac|then|do|until|rescue|ensure|when|except|finally"
    r"|catch|case|default|endif|endef)\b|;;|#[ \t]*(?:if|el|endif|define|undef|pragma|include)"
)

_PYTHON = Syntax(
    quotes=_PYTHON_QUOTES,
    line_comments=("#",),
    continues=r"(?:else|elif|except|finally|case)\b",
    heads=(
        ("else", frozenset(["if", "elif", "for", "while", "except", "try", "async"])),
        ("elif", frozenset(["if", "elif"])),
        ("except", frozenset(["try", "except"])),
        ("finally", frozenset(["try", "except", "else"])),
        ("case", frozenset(["case", "match"])),
    ),
    indents_by=" ",
)
_C = Syntax(
    quotes=(
        Quote(r'R"(\w*)\(', r'\){0}"', "(?!)", spans_lines=True), *_plain('"""', spans_lines=True),
        _DOUBLE, _SINGLE, _BLOCK_COMMENT,
    ),
    line_comments=("//",),
    continues=_C_WORDS,
)  # fmt: skip
_JS = Syntax(
    quotes=(Quote("`", "`", spans_lines=True, hole=r"\$\{"), _DOUBLE, _SINGLE, _BLOCK_COMMENT),
    line_comments=("//",),
    # A regular expression may hold quotes.
    skips=r"(?<=[=(,:\[!&|?{};])[ \t]*/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/",
    continues=r"(?:else|catch|finally|case|default)\b",
)
_RUST = Syntax(
    quotes=(
        Quote(r'(?<!\w)(?=b?r)[br]{1,2}(#*)"', '"{0}', "(?!)", spans_lines=True),
        *_plain('"', spans_lines=True),
        _BLOCK_COMMENT,
    ),
    line_comments=("//",),
    # Not a lifetime.
    skips=r"'(?:\\[^\n]{1,10}?|[^\\'\n])(?:'|\Z)",
    continues=r"else\b",
)  # fmt: skip
_GO = replace(
    _C,
    quotes=(Quote("`", "`", "(?!)", spans_lines=True), _DOUBLE, _SINGLE, _BLOCK_COMMENT),
    continues=r"(?:else|case|default)\b",
    indents_by="\t",
)
_LUA = Syntax(
    quotes=(
        Quote(r"--\[(=*)\[", r"\]{0}\]", "(?!)", spans_lines=True, is_comment=True),
        Quote(r"\[(=*)\[", r"\]{0}\]", "(?!)", spans_lines=True), _DOUBLE, _SINGLE,
    ),
    line_comments=("--",),
    words=(("function", "end"), ("if", "end"), ("do", "end"), ("repeat", "until")),
    is_reserved=True,
    continues=r"(?:end|else|elseif|until)\b",
)  # fmt: skip
_SHELL = Syntax(
    quotes=(
        Quote(r"<<-?[ \t]*[\"']?(\w+)[\"']?(?=[^\n]*\n)", r"^\t*{0}$", "(?!)", spans_lines=True),
        Quote('"', '"', spans_lines=True, hole=r"\$\(", hole_closes=")"),
        Quote(_NO_WORD + "'", "'", "(?!)", spans_lines=True),
    ),
    line_comments=(_HASH,),
    skips=ESCAPE,
    words=(("if", "fi"), ("do", "done"), ("case", "esac")),
    continues=r"(?:fi|done|esac|else|elif|then|do)\b|;;",
)
_RUBY = Syntax(
    quotes=(Quote('"', '"', spans_lines=True, hole=r"#\{"), _SINGLE),
    line_comments=(_HASH,),
    words=tuple(
        (word, "end")
        for word in ("def", "class", "module", "if", "unless", "case", "begin", "while", "until",
                     "for", "do")
    ),
    continues=r"(?:end|else|elsif|when|in|rescue|ensure)\b",
)  # fmt: skip
_MAKE = Syntax(
    quotes=(_DOUBLE, _SINGLE),
    line_comments=(_HASH,),
    skips=ESCAPE,
    words=(("ifeq", "endif"), ("ifneq", "endif"), ("ifdef", "endif"), ("ifndef", "endif"),
           ("define", "endef")),
    continues=r"(?:endif|else|endef)\b",
)  # fmt: skip
_HASHED = Syntax(quotes=(_DOUBLE, _SINGLE), line_comments=(_HASH,), continues=_END_WORDS)
_YAML = Syntax(
    quotes=(Quote(r'(?<![^\s\[{,])"', '"', spans_lines=True),
            Quote(r"(?<![^\s\[{,])'", "'", "''", spans_lines=True)),
    line_comments=(_HASH,),
    indents_by=" ",
)  # fmt: skip
_MARKDOWN = Syntax(quotes=_plain('"', "`"), fences=True, is_prose=True)
_MARKUP = Syntax(
    quotes=(Quote("<!--", "-->", "(?!)", spans_lines=True, is_comment=True), _DOUBLE, _SINGLE),
    is_prose=True,
)
_DASHED = Syntax(
    quotes=(
        _BLOCK_COMMENT,
        Quote(r"\{-", r"-\}", "(?!)", spans_lines=True, is_comment=True),
        _DOUBLE,
        _SINGLE,
    ),
    line_comments=("--",),
    continues=_END_WORDS,
)
#: Where nobody says which language it is and nothing shows.
_ANY = Syntax(
    quotes=(*_PYTHON_QUOTES, *_plain("`"), _BLOCK_COMMENT),
    line_comments=(
        r"(?<!\S)#(?=[\s!]|$)",
        r"^[ \t]*//",
        r"(?<=[;{}),] )//",
        r"^[ \t]*--(?=[ \[])",
    ),
    continues=_END_WORDS,
)

_BY_ID = {
    **dict.fromkeys(["python"], _PYTHON),
    **dict.fromkeys(["c", "cpp", "c++", "objective-c", "cuda-cpp", "java", "csharp",
        "kotlin", "swift", "scala", "dart", "php", "groovy", "css", "scss", "less", "proto",
        "solidity", "zig"], _C),
    **dict.fromkeys(["javascript", "typescript", "javascriptreact", "typescriptreact", "jsx",
        "tsx", "js", "ts", "json", "jsonc", "vue", "svelte"], _JS),
    "rust": _RUST,
    "go": _GO,
    "lua": _LUA,
    **dict.fromkeys(["shellscript", "sh", "bash", "zsh"], _SHELL),
    **dict.fromkeys(["ruby", "julia", "elixir"], _RUBY),
    **dict.fromkeys(["makefile", "make"], replace(_MAKE, indents_by="\t")),
    "yaml": _YAML,
    **dict.fromkeys(["markdown", "mdx", "quarto", "rmd", "plaintext", "restructuredtext",
        "latex", "tex"], _MARKDOWN),
    **dict.fromkeys(["html", "xml", "xhtml"], _MARKUP),
    **dict.fromkeys(["sql", "haskell", "elm", "ada", "vhdl"], _DASHED),
    **dict.fromkeys(["toml", "ini", "dockerfile", "perl", "r", "powershell", "cmake", "nix",
        "terraform"], _HASHED),
}  # fmt: skip
_IDS_BY_SUFFIX = {
    ".py": "python", ".pyi": "python", ".rs": "rust", ".go": "go", ".lua": "lua", ".sh": "sh",
    ".bash": "sh", ".zsh": "sh", ".rb": "ruby", ".mk": "make", ".yml": "yaml", ".md": "markdown",
    ".markdown": "markdown", ".rst": "markdown", ".txt": "markdown", ".tex": "markdown",
    ".html": "html", ".htm": "html", ".hs": "haskell", ".pl": "perl", ".mjs": "js", ".cjs": "js",
    ".h": "c", ".cc": "c", ".hpp": "c", ".cxx": "c", ".cs": "c", ".kt": "c", ".mts": "ts",
    ".ex": "ruby", ".exs": "ruby", ".jl": "ruby", ".ps1": "powershell", ".tf": "terraform",
}  # fmt: skip
#: What shows which language it is, the surest first.
_SIGNS = (
    ("sh", r"\A#!.*\b(?:ba|z|da)?sh\b|^[ \t]*(?:fi|done|esac)[ \t]*$"),
    ("python", r"\A#!.*python|^[ \t]*(?:async )?(?:def|class) \w+.*:[ \t]*$|^from \S+ import |"  # noqa: ISC004
               r"^[ \t]*(?:if|elif|else|try|except|for|with|while)\b[^;{}]*:[ \t]*$"),
    ("markdown", r"^[ \t]*(?:```|~~~)|\A#{1,3} .*\n\n"),
    ("rust", r"^[ \t]*(?:pub )?(?:fn \w+|impl\b|mod \w+|use \w+::)|\blet mut "),
    ("go", r"^package \w+$|^func [\w(].*\{$"),
    ("c", r"^#include\b|^(?:public|private|static|import|class|void|int|char) [\w ]+[({;.]"),
    ("js", r"^[ \t]*(?:export |async )*(?:function\b|const \w+ =|let \w+ =|class \w+.*\{$)|=> "),
    ("lua", r"^[ \t]*local \w+|^[ \t]*function [\w.:]+\(.*\)[ \t]*$"),
    ("make", r"^\.PHONY:|^[\w./-]+:[^=\n]*\n\t"),
    ("html", r"\A\s*<!DOCTYPE|\A\s*<html"),
)  # fmt: skip
_SIGN_PATTERNS = tuple((name, re.compile(pattern, re.MULTILINE)) for name, pattern in _SIGNS)
#: A line of prose: it begins with a capital or a list's mark and has words and no code.
_PROSE = re.compile(r"(?:[-*>] |\d+\. |#+ )?[A-Z][\w',-]*(?: [\w',.:/-]+)+[ \t]*\Z")
#: Characters of a file by which it is known.
_SHOWN = 4000


def syntax_of(language: str, path: str = "", text: str = "") -> Syntax:
    """Return a language's syntax.

    Args:
        language: LSP language id; may be empty.
        path: of the file; may be empty.
        text: of the file, which shows it where the others don't.
    """
    name = language.lower()
    if name not in _BY_ID:
        file = PurePath(path)
        suffix = file.suffix.lower()
        name = _IDS_BY_SUFFIX.get(suffix, suffix[1:])
        if file.name.lower() in ("makefile", "gnumakefile", "dockerfile"):
            name = file.name.lower().removeprefix("gnu")
    if name in _BY_ID:
        return _BY_ID[name]
    if language:
        return _ANY
    shown = text[-_SHOWN:]
    for name, pattern in _SIGN_PATTERNS:
        if pattern.search(shown):
            return _BY_ID[name]
    lines = [line for line in shown.split("\n") if line.strip()]
    is_prose = lines and 2 * sum(map(bool, map(_PROSE.match, lines))) > len(lines)
    return _MARKDOWN if is_prose else _ANY
