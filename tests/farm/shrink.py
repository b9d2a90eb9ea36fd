"""Makes a failing program small: statements go, blocks take the place of what holds them, and
expressions that of what they are part of, as long as the same thing is wrong.
"""

from __future__ import annotations

import ast
import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.farm.generator import Program

BLOCKS = ("body", "orelse")


def shrink(program: Program, fails: Callable[[Program], bool], seconds: float = 60.0) -> Program:
    """The smallest program found in the time for which `fails` holds, as it does for `program`."""
    end = time.monotonic() + seconds
    improved = True
    while improved and time.monotonic() < end:
        improved = False
        for text in _smaller(program.text):
            candidate = replace(program, text=text)
            if fails(candidate):
                program, improved = candidate, True
                break
            if time.monotonic() > end:
                break
    return program


def _smaller(text: str) -> Iterator[str]:
    """Programs that are smaller by one step, the largest steps first."""
    size = len(text)
    seen = {text}
    for step in (_without_statements, _unwrapped, _with_parts):
        for tree in step(ast.parse(text)):
            try:
                smaller = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
                ast.parse(smaller)
            except (SyntaxError, ValueError, AttributeError):
                continue
            if smaller not in seen and len(smaller) < size:
                seen.add(smaller)
                yield smaller


def _blocks(tree: ast.AST) -> list[tuple[ast.AST, str]]:
    found = [(node, name) for node in ast.walk(tree) for name in BLOCKS]
    return [(node, name) for node, name in found if isinstance(getattr(node, name, None), list)]


def _without_statements(tree: ast.Module) -> Iterator[ast.Module]:
    """Without runs of statements; the return at the end and the imports stay."""
    for number in range(len(_blocks(tree))):
        length = len(getattr(*_blocks(tree)[number]))
        for count in sorted({length // 2, 4, 2, 1}, reverse=True):
            for start in range(length - count, -1, -1) if count else ():
                changed = copy.deepcopy(tree)
                node, name = _blocks(changed)[number]
                block = getattr(node, name)
                del block[start : start + count]
                if not block and name == "body" and not isinstance(node, ast.Module):
                    block.append(ast.Pass())
                yield changed


def _unwrapped(tree: ast.Module) -> Iterator[ast.Module]:
    """With a block in place of the loop or branch that it belongs to."""
    for number, (holder, name) in enumerate(_blocks(tree)):
        for place, statement in enumerate(getattr(holder, name)):
            if not isinstance(statement, ast.If | ast.For | ast.While):
                continue
            for part in BLOCKS:
                changed = copy.deepcopy(tree)
                block = getattr(*_blocks(changed)[number])
                block[place : place + 1] = getattr(block[place], part)
                if block:
                    yield changed


def _with_parts(tree: ast.Module) -> Iterator[ast.Module]:
    """With a part of an expression, or a constant, in place of the whole."""
    places = [
        (number, field)
        for number, node in enumerate(ast.walk(tree))
        for field, value in ast.iter_fields(node)
        if isinstance(value, ast.expr) and not isinstance(value, ast.Name | ast.Constant)
    ]
    for number, field in places:
        whole = getattr(list(ast.walk(tree))[number], field)
        parts: list[ast.expr] = [n for n in ast.walk(whole) if isinstance(n, ast.expr)][1:]
        parts = [part for part in parts if not isinstance(getattr(part, "ctx", None), ast.Store)]
        for part in [ast.Constant(1.0), *parts[:8]]:
            changed = copy.deepcopy(tree)
            setattr(list(ast.walk(changed))[number], field, copy.deepcopy(part))
            yield changed
