r"""What of a language's spelling a fill is held to: strings, comments, blocks.

A grammar would know more, but a fill is judged while it is being said, in files that hardly ever
parse where somebody is typing. What has to be known is whether a place stands inside of a string or
a comment, what closes what is open there, and which words go on with a statement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import PurePath

_ESCAPE = r"\\."
#: An apostrophe in a word opens nothing.
_NO_WORD = r"(?<![^\W_])"


@dataclass(frozen=True)
class Quote:
    """How a string or a comment is written.

    Args:
        opens: pattern; its first group, if any, is `{0}` in `closes`.
        closes: pattern.
        escapes: pattern of what closes nothing inside.
        spans_lines: whether it may go on behind a line end; if not, that ends it unfinished.
        hole: pattern of what opens code inside of it; empty for none.
        hole_closes: what closes that.
        is_comment: whether it is one.
    """

    opens: str
    closes: str
    escapes: str = _ESCAPE
    spans_lines: bool = False
    hole: str = ""
    hole_closes: str = "}"
    is_comment: bool = False


@dataclass(frozen=True, eq=False)
class Syntax:
    """A language.

    Args:
        quotes: the first that fits counts.
        line_comment: pattern of what opens one; empty for none.
        skips: pattern of what is passed over as a whole; empty for none.
        words: words that open a block, and those that close it.
        is_reserved: whether such a word is one anywhere, and not only where a command begins.
        fences: whether code fences are blocks.
        continues: pattern of what goes on with a statement, or closes its block, left of the block.
        heads: for words among these, what their statement must have begun with.
        indents_by: what blocks are indented by, where a file does not show it; empty for none.
        is_prose: whether lines may begin anywhere.
    """

    quotes: tuple[Quote, ...] = ()
    line_comment: str = ""
    skips: str = ""
    words: tuple[tuple[str, str], ...] = ()
    is_reserved: bool = False
    fences: bool = False
    continues: str = ""
    heads: tuple[tuple[str, frozenset[str]], ...] = ()
    indents_by: str = ""
    is_prose: bool = False

    @cached_property
    def all_quotes(self) -> tuple[tuple[re.Pattern[str], Quote], ...]:
        """Every quote with its opening, a line's comment among them."""
        quotes = self.quotes
        if self.line_comment:
            quotes += (
                Quote(self.line_comment, r"(?=\n)", "(?!)", spans_lines=True, is_comment=True),
            )
        return tuple((re.compile(quote.opens, re.MULTILINE), quote) for quote in quotes)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What changes how a text is read from there on."""
        spelled = sorted({word for pair in self.words for word in pair}, key=len, reverse=True)
        opens = "|".join(f"(?:{opening.pattern})" for opening, _ in self.all_quotes)
        parts = []
        if self.skips:
            parts.append(f"(?P<skip>{self.skips})")
        if self.fences:
            parts.append(r"(?P<fence>^[ \t]*(?:`{3,}|~{3,})[^`\n]*$)")
        if opens:
            parts.append(f"(?P<quote>{_without_groups(opens)})")
        parts.append(r"(?P<bracket>[()\[\]{}])|(?P<line>\n)")
        if spelled:
            parts.append(rf"(?P<word>(?<![\w.$-])(?:{'|'.join(spelled)})(?![\w-]))")
        return re.compile("|".join(parts), re.MULTILINE | re.DOTALL)

    @cached_property
    def continuation(self) -> re.Pattern[str]:
        """What a line begins with that goes on with a statement."""
        words = f"|(?:{self.continues})" if self.continues else ""
        return re.compile(rf"[)\]}}]|</{words}")

    @cached_property
    def comment(self) -> re.Pattern[str]:
        """What a line begins with that is a comment."""
        opens = [quote.opens for _, quote in self.all_quotes if quote.is_comment]
        return re.compile("|".join(opens) or "(?!)", re.MULTILINE)


def _without_groups(pattern: str) -> str:
    """Return a pattern whose groups are not counted."""
    return re.sub(r"(?<!\\)\((?!\?)", "(?:", pattern)


def _plain(*marks: str, spans_lines: bool = False) -> tuple[Quote, ...]:
    """Return strings between two equal marks."""
    return tuple(
        Quote((_NO_WORD if mark == "'" else "") + mark, mark, spans_lines=spans_lines)
        for mark in marks
    )


_DOUBLE, _SINGLE = _plain('"', "'")
_BLOCK_COMMENT = Quote(r"/\*", r"\*/", "(?!)", spans_lines=True, is_comment=True)
_HASH = r"(?:^|(?<=\s))#"
_FORMATTED = r"(?<!\w)(?:[rR]?[fFtT][rR]?)"
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
    line_comment="#",
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
    line_comment="//",
    continues=_C_WORDS,
)  # fmt: skip
_JS = Syntax(
    quotes=(Quote("`", "`", spans_lines=True, hole=r"\$\{"), _DOUBLE, _SINGLE, _BLOCK_COMMENT),
    line_comment="//",
    # A regular expression may hold quotes.
    skips=r"(?<=[=(,:\[!&|?{};])[ \t]*/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/",
    continues=r"(?:else|catch|finally|case|default)\b",
)
_RUST = Syntax(
    quotes=(
        Quote(r'(?<!\w)b?r(#*)"', '"{0}', "(?!)", spans_lines=True), *_plain('"', spans_lines=True),
        _BLOCK_COMMENT,
    ),
    line_comment="//",
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
    line_comment="--",
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
    line_comment=_HASH,
    skips=_ESCAPE,
    words=(("if", "fi"), ("do", "done"), ("case", "esac")),
    continues=r"(?:fi|done|esac|else|elif|then|do)\b|;;",
)
_RUBY = Syntax(
    quotes=(Quote('"', '"', spans_lines=True, hole=r"#\{"), _SINGLE),
    line_comment=_HASH,
    words=tuple(
        (word, "end")
        for word in [
            "def",
            "class",
            "module",
            "if",
            "unless",
            "case",
            "begin",
            "while",
            "until",
            "for",
            "do",
        ]
    ),
    continues=r"(?:end|else|elsif|when|in|rescue|ensure)\b",
)
_MAKE = Syntax(
    quotes=(_DOUBLE, _SINGLE),
    line_comment=_HASH,
    skips=_ESCAPE,
    words=(("ifeq", "endif"), ("ifneq", "endif"), ("ifdef", "endif"), ("ifndef", "endif"),
           ("define", "endef")),
    continues=r"(?:endif|else|endef)\b",
)  # fmt: skip
_HASHED = Syntax(quotes=(_DOUBLE, _SINGLE), line_comment=_HASH, continues=_END_WORDS)
_YAML = Syntax(
    quotes=(Quote(r'(?:(?<=[\s\[{,])|^)"', '"', spans_lines=True),
            Quote(r"(?:(?<=[\s\[{,])|^)'", "'", "''", spans_lines=True)),
    line_comment=_HASH,
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
    line_comment="--",
    continues=_END_WORDS,
)
#: Where nobody says which language it is and nothing shows.
_ANY = Syntax(
    quotes=(*_PYTHON_QUOTES, *_plain("`"), _BLOCK_COMMENT),
    line_comment=r"(?:^|(?<=\s))#(?=[\s!]|$)|(?:^[ \t]*|(?<=[;{}),] ))//|^[ \t]*--(?=[ \[])",
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
