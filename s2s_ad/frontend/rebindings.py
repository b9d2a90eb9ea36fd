"""What the top level of a file does to names besides binding them: `model.step = fast`,
`step.__defaults__ = (0.1,)`, `globals()["K"] = 2.0`.

A file is read and never run, so that a name that is changed in such a way means nothing certain.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

EVERYTHING = "*"
# attributes of a function that decide what it computes; others are the user's own
DECIDING = ("__code__", "__defaults__", "__kwdefaults__")
READING = ("get", "keys", "values", "items", "copy")


def changed_names(text: str, functions: set[str]) -> set[str]:
    """The names of a file whose objects it changes, or EVERYTHING where that cannot be said."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    found = {EVERYTHING} if any(map(_changes_globals, _with_parents(tree))) else set()
    for node, own in _with_own_names(tree, frozenset()):
        match node:
            case ast.Attribute(attr=name, ctx=ast.Store() | ast.Del()):
                root = _root(node)
                if root not in own and (root not in functions or name in DECIDING):
                    found.add(root)
            case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[first, *_]):
                root = _root(first) or EVERYTHING
                found |= {root} - own
            case ast.Call(func=ast.Name(id="exec")) if not own:
                found.add(EVERYTHING)
            case ast.Call(func=ast.Name(id="vars" | "locals"), args=[]) if not own:
                found.add(EVERYTHING)
    return found - {""}


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _with_own_names(node: ast.AST, own: frozenset[str]) -> Iterator[tuple[ast.AST, frozenset[str]]]:
    """The nodes within a node, each with the names that are the functions' own around it."""
    pending = [(node, own)]
    while pending:
        parent, names = pending.pop()
        for inner in ast.iter_child_nodes(parent):
            yield inner, names
            is_function = isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            pending.append((inner, names | _own_names(inner) if is_function else names))


def _own_names(function: ast.AST) -> frozenset[str]:
    """The names that a function binds, and something for one that binds none."""
    bound = {node.id for node in ast.walk(function)
             if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}  # fmt: skip
    bound |= {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    said = [node.names for node in ast.walk(function) if isinstance(node, ast.Global)]
    return frozenset(bound.difference(*said) | {"<function>"})


def _with_parents(tree: ast.AST) -> Iterator[tuple[ast.AST, ast.AST, ast.AST]]:
    """Each node with what it stands in, and what that stands in."""
    pending: list[tuple[ast.AST, ast.AST]] = [(tree, tree)]
    while pending:
        parent, above = pending.pop()
        for node in ast.iter_child_nodes(parent):
            yield node, parent, above
            pending.append((node, parent))


def _changes_globals(place: tuple[ast.AST, ast.AST, ast.AST]) -> bool:
    """Whether the table of globals is used in another way than to read from it."""
    node, parent, above = place
    match node:
        case ast.Call(func=ast.Name(id="globals"), args=[]):
            pass
        case ast.Attribute(value=ast.Name(id="sys"), attr="modules"):
            return isinstance(parent, ast.Subscript) and isinstance(above, ast.Call | ast.Attribute)
        case _:
            return False
    match parent:
        case ast.Subscript(ctx=ast.Load()) | ast.Compare() | ast.keyword():
            return False
        case ast.Attribute(attr=name):
            return name not in READING or not isinstance(above, ast.Call)
    return True


__all__ = ["EVERYTHING", "changed_names"]
