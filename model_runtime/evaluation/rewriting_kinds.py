"""Instructions whose result a program can check, cut out of HumanEvalPack's Python functions.

`KINDS` holds a maker for each.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from model_runtime.evaluation.rewriting_tasks import Task, has, nodes, parsed, select
from model_runtime.protocol import Enclosing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from model_runtime.evaluation.pack import Function
    from model_runtime.evaluation.rewriting_tasks import Tree


def make_tasks(functions: Sequence[Function], n_of_kind: int) -> list[Task]:
    """Return at most so many tasks of each kind and scope, evenly chosen."""
    tasks = []
    for kind, make in KINDS.items():
        made = [task for function in functions for task in make(kind, function)]
        for scope in dict.fromkeys(task.scope for task in made):
            found = [task for task in made if task.scope == scope]
            step = max(1.0, len(found) / n_of_kind)
            tasks += [found[int(i * step)] for i in range(min(n_of_kind, len(found)))]
    return tasks


def _names(tree: Tree) -> set[str]:
    """Return all names in a function, its parameters' among them."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return used | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def _rename(kind: str, one: Function) -> Iterator[Task]:
    tree = parsed(one.prefix + one.body + one.suffix)
    bound = nodes(tree, ast.Assign) if tree else []
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

    yield from select(
        kind, one, f"Rename the variable {old} to {new}.",
        lambda tree: new in _names(tree) and old not in _names(tree), normal=normal,
    )  # fmt: skip


_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _loop(kind: str, one: Function) -> Iterator[Task]:
    tree = parsed(one.prefix + one.body + one.suffix)
    if tree and len(nodes(tree, *_COMPREHENSIONS)) == 1 and has(tree, ast.ListComp):
        yield from select(
            kind, one, "Use a for loop instead of the list comprehension.",
            lambda tree: has(tree, ast.For) and not has(tree, ast.ListComp),
            at=nodes(tree, ast.ListComp),
        )  # fmt: skip


def _last(text: str, n: int) -> Sequence[ast.stmt]:
    tree = parsed(text)
    return tree.body[-n:] if tree else ()


def _comprehension(kind: str, one: Function) -> Iterator[Task]:
    """Take a returned comprehension apart first."""
    tree = parsed(one.prefix + one.body + one.suffix)
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
    n_loops = len(nodes(tree, ast.For))
    yield from select(
        kind, one, "Use a list comprehension instead of the loop that fills result.",
        lambda tree: has(tree, ast.ListComp) and len(nodes(tree, ast.For)) == n_loops, body=body,
        at=_last(one.prefix + body + one.suffix, 3),
    )  # fmt: skip


class _Expanded(ast.NodeTransformer):
    """Writes `x = x + y` for `x += y`."""

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        read = ast.parse(ast.unparse(node.target), mode="eval").body
        return ast.Assign([node.target], ast.BinOp(read, node.op, node.value))


def _augmented(kind: str, one: Function) -> Iterator[Task]:
    tree = parsed(one.prefix + one.body + one.suffix)
    if tree and has(tree, ast.AugAssign):
        yield from select(
            kind, one, "Don't use augmented assignment: write x = x + y instead of x += y.",
            lambda tree: not has(tree, ast.AugAssign), at=nodes(tree, ast.AugAssign),
            normal=_Expanded().visit,
        )  # fmt: skip


def _conditional(kind: str, one: Function) -> Iterator[Task]:
    tree = parsed(one.prefix + one.body + one.suffix)
    if tree and len(nodes(tree, ast.IfExp)) == 1 and not has(tree, ast.Lambda):
        yield from select(
            kind, one, "Use an if statement instead of the conditional expression.",
            lambda tree: has(tree, ast.If) and not has(tree, ast.IfExp),
            at=nodes(tree, ast.IfExp),
        )  # fmt: skip


def _early(kind: str, one: Function) -> Iterator[Task]:
    def flat(tree: Tree) -> Tree:
        last = tree.body[-1]
        if isinstance(last, ast.If) and last.orelse and isinstance(last.body[-1], ast.Return):
            tree.body[-1:] = [ast.If(last.test, last.body, []), *last.orelse]
            return flat(tree)
        return tree

    tree = parsed(one.prefix + one.body + one.suffix)
    last = tree.body[-1] if tree else None
    if isinstance(last, ast.If) and last.orelse and isinstance(last.body[-1], ast.Return):
        yield from select(
            kind, one, "Return early: drop the else.",
            lambda tree: not getattr(tree.body[-1], "orelse", None), at=[last], normal=flat,
        )  # fmt: skip


def _guard(kind: str, one: Function) -> Iterator[Task]:
    def unguarded(tree: Tree) -> Tree:
        tree.body = [
            node for node in tree.body
            if not (isinstance(node, ast.If) and isinstance(node.body[0], ast.Raise))
        ]  # fmt: skip
        return tree

    tree = parsed(one.prefix + one.body + one.suffix)
    if tree and tree.args.args and not has(tree, ast.Raise):
        name = tree.args.args[0].arg
        yield from select(
            kind, one, f"Raise a ValueError first if {name} is None.",
            lambda tree: len(nodes(tree, ast.Raise)) == 1, normal=unguarded,
        )  # fmt: skip


def _extract(kind: str, one: Function) -> Iterator[Task]:
    name = "outcome"

    def inlined(tree: Tree) -> Tree:
        before, last = tree.body[-2:] if len(tree.body) > 1 else (None, tree.body[-1])
        if isinstance(before, ast.Assign) and ast.unparse(last) == f"return {name}":
            tree.body[-2:] = [ast.Return(before.value)]
        return tree

    tree = parsed(one.prefix + one.body + one.suffix)
    last = tree.body[-1] if tree else None
    if isinstance(last, ast.Return) and isinstance(last.value, (ast.Call, ast.BinOp, ast.Compare)):
        yield from select(
            kind, one, f"Assign what is returned to a variable {name} first.",
            lambda tree: ast.unparse(tree.body[-1]) == f"return {name}", at=[last],
            normal=inlined,
        )  # fmt: skip


def _docstring(kind: str, one: Function) -> Iterator[Task]:
    """The docstring that is there goes first."""

    def bare(tree: Tree) -> Tree:
        tree.body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
        return tree

    declared = one.prefix[one.head_at :].partition("\n")[0] + "\n    "
    prefix = one.prefix[: one.head_at] + declared
    if parsed(prefix + one.body + one.suffix):
        where = Enclosing(n_before=len(declared), n_behind=0, is_body=True)
        yield Task(
            f"{kind}, body/{one.id}", kind, "body", prefix, one.body, one.suffix, where,
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

    tree = parsed(one.prefix + one.body + one.suffix)
    head, _, rest = one.prefix[one.head_at :].partition("\n")
    if tree and tree.args.args and not any(each.annotation for each in tree.args.args):
        # What a hint may need is imported: that is another edit.
        before = "from typing import *\n\n\n" + one.prefix[: one.head_at]
        yield Task(
            f"{kind}, head/{one.id}", kind, "head", before, head,
            f"\n{rest}{one.body}{one.suffix}", None, "Add type hints.", one,
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
