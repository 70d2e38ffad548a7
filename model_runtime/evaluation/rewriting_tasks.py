"""What a rewriting task is: what is selected, what is said, and how a program sees what came of it.

What was asked for shows in the tree (a loop is there, a name is gone), what the code does in the
function's tests, and what was changed besides in the rest of the tree, where there is but one way
to do what was asked.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from model_runtime.protocol import Enclosing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from model_runtime.evaluation.pack import Function

Tree: TypeAlias = ast.FunctionDef
N = TypeVar("N", bound=ast.AST)


@dataclass(frozen=True)
class Task:
    """What is selected, what is said, and how to see whether it was done."""

    id: str
    kind: str
    #: What is selected: "body", "lines" of it, or the line of the "head".
    scope: str
    #: prefix + text + suffix is the file; the text is selected.
    prefix: str
    text: str
    suffix: str
    enclosing: Enclosing | None
    instruction: str
    function: Function
    #: Whether what was asked for shows in the function.
    is_done: Callable[[Tree], bool]
    #: Makes one of all ways to do it and no more; None where they are too many to tell.
    normal: Callable[[Tree], Tree] | None = None

    def tree(self, text: str) -> Tree | None:
        """Return the function with another text selected; None where it does not parse."""
        return parsed(self.prefix + text + self.suffix)

    def is_only(self, tree: Tree) -> bool | None:
        """Whether nothing else was changed; None where that can't be told."""
        before = self.tree(self.text)
        if self.normal is None or before is None:
            return None
        now, was = (self.normal(copy.deepcopy(one)) for one in (tree, before))
        return ast.dump(now) == ast.dump(was)


def parsed(text: str) -> Tree | None:
    """Return the last function of a file; None where it does not parse."""
    try:
        found = [one for one in ast.parse(text).body if isinstance(one, ast.FunctionDef)]
    except (SyntaxError, ValueError):
        return None
    return found[-1] if found else None


def nodes(tree: ast.AST, *kinds: type[N]) -> list[N]:
    """Return the nodes of some kinds in a tree."""
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def has(tree: ast.AST, *kinds: type[ast.AST]) -> bool:
    """Say whether a tree has nodes of some kinds."""
    return bool(nodes(tree, *kinds))


def select(
    kind: str, one: Function, instruction: str, is_done: Callable[[Tree], bool], *,
    body: str = "", at: Sequence[ast.stmt | ast.expr] = (),
    normal: Callable[[Tree], Tree] | None = None,
) -> Iterator[Task]:  # fmt: skip
    """Select a whole body; and of it only the statements that hold what is to be changed.

    Args:
        kind: of instruction.
        one: the function.
        instruction: what is said.
        is_done: see `Task`.
        body: another one that does the same as the function's own.
        at: nodes of the file that has this body, which lines are selected by; none for no lines.
        normal: see `Task`.
    """
    body = body or one.body
    made = partial(
        Task, kind=kind, instruction=instruction, function=one, is_done=is_done, normal=normal
    )
    yield made(
        id=f"{kind}, body/{one.id}", scope="body", prefix=one.prefix, text=body,
        suffix=one.suffix, enclosing=one.enclosing,
    )  # fmt: skip
    text = one.prefix + body + one.suffix
    tree = parsed(text)
    chosen = [
        each for each in (tree.body if tree else [])
        if any(each.lineno <= node.lineno <= (each.end_lineno or 0) for node in at)
    ]  # fmt: skip
    if not tree or not chosen or len(chosen) == len(tree.body) - bool(ast.get_docstring(tree)):
        return
    lines = text.splitlines(keepends=True)
    start = len("".join(lines[: chosen[0].lineno - 1])) + chosen[0].col_offset
    end = len("".join(lines[: chosen[-1].end_lineno]).rstrip())
    before, after = text[:start], text[end:]
    yield made(
        id=f"{kind}, lines/{one.id}", scope="lines", prefix=before, text=text[start:end],
        suffix=after,
        enclosing=Enclosing(n_before=start - one.head_at, n_behind=len(after.rstrip())),
    )  # fmt: skip
