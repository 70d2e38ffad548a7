"""Instructions whose result a program can check, cut out of HumanEvalPack's Python functions.

What is asked for shows in the tree (a loop is there, a name is gone), what the code does in the
function's tests, and what was changed besides in the rest of the tree, where there is but one way
to do what was asked. `KINDS` holds a maker for each instruction.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
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
        return _tree(self.prefix + text + self.suffix)

    def is_only(self, tree: Tree) -> bool | None:
        """Whether nothing else was changed; None where that can't be told."""
        before = self.tree(self.text)
        if self.normal is None or before is None:
            return None
        now, was = (self.normal(copy.deepcopy(one)) for one in (tree, before))
        return ast.dump(now) == ast.dump(was)


def make_tasks(functions: Sequence[Function], n_of_kind: int) -> list[Task]:
    """Return at most so many tasks of each kind, evenly chosen; no docstring is in their way."""
    tasks = []
    for kind, make in KINDS.items():
        found = [task for function in functions for task in make(kind, function)]
        step = max(1.0, len(found) / n_of_kind)
        tasks += [found[int(i * step)] for i in range(min(n_of_kind, len(found)))]
    return tasks


def _tree(text: str) -> Tree | None:
    try:
        found = [one for one in ast.parse(text).body if isinstance(one, ast.FunctionDef)]
    except (SyntaxError, ValueError):
        return None
    return found[-1] if found else None


def _all(tree: ast.AST, *kinds: type[N]) -> list[N]:
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def _has(tree: ast.AST, *kinds: type[ast.AST]) -> bool:
    return bool(_all(tree, *kinds))


def _of_body(
    kind: str, one: Function, instruction: str, is_done: Callable[[Tree], bool], *,
    body: str = "", normal: Callable[[Tree], Tree] | None = None,
) -> Task:  # fmt: skip
    """Select a whole body: the function's own, or another one that does the same."""
    return Task(
        f"{kind}/{one.id}", kind, one.prefix, body or one.body, one.suffix, one.enclosing,
        instruction, one, is_done, normal,
    )  # fmt: skip


def _names(tree: Tree) -> set[str]:
    """Return all names in a function, its parameters' among them."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return used | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def _rename(kind: str, one: Function) -> Iterator[Task]:
    tree = _tree(one.prefix + one.body + one.suffix)
    bound = _all(tree, ast.Assign) if tree else []
    targets = [target for node in bound for target in node.targets]
    old = next((target.id for target in targets if isinstance(target, ast.Name)), "")
    new = "outcome"
    if not tree or not old or new in _names(tree):
        return

    def normal(tree: Tree) -> Tree:
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id == new:
                node.id = old
        return tree

    yield _of_body(
        kind, one, f"Rename the variable {old} to {new}.",
        lambda tree: new in _names(tree) and old not in _names(tree), normal=normal,
    )  # fmt: skip


_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _loop(kind: str, one: Function) -> Iterator[Task]:
    tree = _tree(one.prefix + one.body + one.suffix)
    if tree and len(_all(tree, *_COMPREHENSIONS)) == 1 and _has(tree, ast.ListComp):
        yield _of_body(
            kind, one, "Use a for loop instead of the list comprehension.",
            lambda tree: _has(tree, ast.For) and not _has(tree, ast.ListComp),
        )  # fmt: skip


def _comprehension(kind: str, one: Function) -> Iterator[Task]:
    """Take a returned comprehension apart first."""
    tree = _tree(one.prefix + one.body + one.suffix)
    last = tree.body[-1] if tree else None
    made = last.value if isinstance(last, ast.Return) else None
    if not tree or not isinstance(made, ast.ListComp) or len(made.generators) != 1:
        return
    (each,) = made.generators
    lines = ["result = []", f"for {ast.unparse(each.target)} in {ast.unparse(each.iter)}:"]
    lines += [f"    if {ast.unparse(condition)}:" for condition in each.ifs]
    lines += ["    " * (1 + len(each.ifs)) + f"result.append({ast.unparse(made.elt)})"]
    head = one.body[: one.body.rindex("return")]
    body = head + "\n    ".join([*lines, "return result"])
    n_loops = len(_all(tree, ast.For))
    yield _of_body(
        kind, one, "Use a list comprehension instead of the loop that fills result.",
        lambda tree: _has(tree, ast.ListComp) and len(_all(tree, ast.For)) == n_loops, body=body,
    )  # fmt: skip


class _Expanded(ast.NodeTransformer):
    """Writes `x = x + y` for `x += y`."""

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        read = ast.parse(ast.unparse(node.target), mode="eval").body
        return ast.Assign([node.target], ast.BinOp(read, node.op, node.value))


def _augmented(kind: str, one: Function) -> Iterator[Task]:
    tree = _tree(one.prefix + one.body + one.suffix)
    if tree and _has(tree, ast.AugAssign):
        yield _of_body(
            kind, one, "Don't use augmented assignment: write x = x + y instead of x += y.",
            lambda tree: not _has(tree, ast.AugAssign), normal=_Expanded().visit,
        )  # fmt: skip


def _conditional(kind: str, one: Function) -> Iterator[Task]:
    tree = _tree(one.prefix + one.body + one.suffix)
    if tree and len(_all(tree, ast.IfExp)) == 1 and not _has(tree, ast.Lambda):
        yield _of_body(
            kind, one, "Use an if statement instead of the conditional expression.",
            lambda tree: _has(tree, ast.If) and not _has(tree, ast.IfExp),
        )  # fmt: skip


def _early(kind: str, one: Function) -> Iterator[Task]:
    def flat(tree: Tree) -> Tree:
        last = tree.body[-1]
        if isinstance(last, ast.If) and last.orelse and isinstance(last.body[-1], ast.Return):
            tree.body[-1:] = [ast.If(last.test, last.body, []), *last.orelse]
            return flat(tree)
        return tree

    tree = _tree(one.prefix + one.body + one.suffix)
    last = tree.body[-1] if tree else None
    if isinstance(last, ast.If) and last.orelse and isinstance(last.body[-1], ast.Return):
        yield _of_body(
            kind, one, "Return early: drop the else.",
            lambda tree: not getattr(tree.body[-1], "orelse", None), normal=flat,
        )  # fmt: skip


def _guard(kind: str, one: Function) -> Iterator[Task]:
    def unguarded(tree: Tree) -> Tree:
        tree.body = [
            node for node in tree.body
            if not (isinstance(node, ast.If) and isinstance(node.body[0], ast.Raise))
        ]  # fmt: skip
        return tree

    tree = _tree(one.prefix + one.body + one.suffix)
    if tree and tree.args.args and not _has(tree, ast.Raise):
        name = tree.args.args[0].arg
        yield _of_body(
            kind, one, f"Raise a ValueError first if {name} is None.",
            lambda tree: len(_all(tree, ast.Raise)) == 1, normal=unguarded,
        )  # fmt: skip


def _extract(kind: str, one: Function) -> Iterator[Task]:
    name = "outcome"

    def inlined(tree: Tree) -> Tree:
        before, last = tree.body[-2:] if len(tree.body) > 1 else (None, tree.body[-1])
        if isinstance(before, ast.Assign) and ast.unparse(last) == f"return {name}":
            tree.body[-2:] = [ast.Return(before.value)]
        return tree

    tree = _tree(one.prefix + one.body + one.suffix)
    last = tree.body[-1] if tree else None
    if isinstance(last, ast.Return) and isinstance(last.value, (ast.Call, ast.BinOp, ast.Compare)):
        yield _of_body(
            kind, one, f"Assign what is returned to a variable {name} first.",
            lambda tree: ast.unparse(tree.body[-1]) == f"return {name}", normal=inlined,
        )  # fmt: skip


def _docstring(kind: str, one: Function) -> Iterator[Task]:
    """The docstring that is there goes first."""

    def bare(tree: Tree) -> Tree:
        tree.body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
        return tree

    declared = one.prefix[one.head_at :].partition("\n")[0] + "\n    "
    prefix = one.prefix[: one.head_at] + declared
    if _tree(prefix + one.body + one.suffix):
        where = Enclosing(n_before=len(declared), n_behind=0, is_body=True)
        yield Task(
            f"{kind}/{one.id}", kind, prefix, one.body, one.suffix, where,
            "Add a docstring that says what the function does.", one,
            lambda tree: ast.get_docstring(tree) is not None, bare,
        )  # fmt: skip


def _hints(kind: str, one: Function) -> Iterator[Task]:
    """The line that declares the function is selected."""

    def unhinted(tree: Tree) -> Tree:
        for each in tree.args.args:
            each.annotation = None
        tree.returns = None
        return tree

    tree = _tree(one.prefix + one.body + one.suffix)
    head, _, rest = one.prefix[one.head_at :].partition("\n")
    if tree and tree.args.args and not any(each.annotation for each in tree.args.args):
        # What a hint may need is imported: that is another edit.
        before = "from typing import *\n\n\n" + one.prefix[: one.head_at]
        yield Task(
            f"{kind}/{one.id}", kind, before, head, f"\n{rest}{one.body}{one.suffix}", None,
            "Add type hints.", one,
            lambda tree: bool(tree.returns) and all(each.annotation for each in tree.args.args),
            unhinted,
        )  # fmt: skip


KINDS: dict[str, Callable[[str, Function], Iterator[Task]]] = {
    "rename a variable": _rename,
    "comprehension to loop": _loop,
    "loop to comprehension": _comprehension,
    "no augmented assignment": _augmented,
    "conditional to if": _conditional,
    "early return": _early,
    "guard clause": _guard,
    "extract a variable": _extract,
    "docstring": _docstring,
    "type hints": _hints,
}
