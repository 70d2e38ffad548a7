"""Other files of the project, as they stand in a fill-in-the-middle prompt.

A base reads them in its own repository marks, or as a comment at the top of the file that is being
edited. Which of the two helps a base, if any does, is measured (`remask eval project`) and stands
in its entry of the catalog.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.protocol import ContextFile
    from model_runtime.text.spelling import Syntax
    from model_runtime.text.template import Template

#: Share of the room for a context that other files may have.
OTHER_FILES_SHARE = 0.4
#: What comments up to a line's end begin with, in some language or other.
_MARKERS = ("#", "//", "--", ";", "%", "'")


def in_marks(
    files: Sequence[ContextFile], n_tokens: int, path: str, template: Template
) -> list[int]:
    """Lay files out in the base's marks [n], to stand before the prompt.

    Args:
        files: the most relevant first; that one comes to stand last.
        n_tokens: the most that they may take; each is shown whole or not at all.
        path: of the file that is being edited.
        template: of the base.
    """
    pieces = [template.lay_out_file(file.path, file.text) for file in files]
    fitting = _fitting(pieces, n_tokens)
    return fitting and fitting + template.open_file(path)


def as_comment(
    files: Sequence[ContextFile], n_tokens: int, syntax: Syntax, template: Template
) -> list[int]:
    """Lay files out as a comment [n], to stand before the text of the one being edited.

    Args:
        files: see `in_marks`.
        n_tokens: see `in_marks`.
        syntax: of the file that is being edited.
        template: of the base.
    """
    marker = comment_marker(syntax)
    pieces = []
    for file in files:
        lines = [file.path, *file.text.rstrip("\n").split("\n")]
        said = "".join(f"{marker} {line}".rstrip() + "\n" for line in lines)
        pieces.append(template.tokenizer.encode(said))
    blank = template.tokenizer.encode("\n")
    fitting = _fitting(pieces, n_tokens - len(blank))
    return fitting and fitting + blank


def comment_marker(syntax: Syntax) -> str:
    """Return what begins a comment; "#" where the language has none up to a line's end."""
    for pattern in syntax.line_comments:
        for marker in _MARKERS:
            if re.fullmatch(pattern, marker):
                return marker
    return _MARKERS[0]


def _fitting(pieces: Sequence[list[int]], n_tokens: int) -> list[int]:
    fitting: list[list[int]] = []
    for piece in pieces:
        if len(piece) <= n_tokens:
            fitting.append(piece)
            n_tokens -= len(piece)
    return [token_id for piece in reversed(fitting) for token_id in piece]
