"""Which branches of a file's functions a run took: what a test of a derivative did not reach, it
says nothing about.

Instructions are counted with `sys.settrace`, and told apart by their columns, so that the branches
of a conditional expression, and what comes behind `and` or `or`, are seen as well as statements.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

Place = tuple[int, int, int, int]  # line, column, end line, end column; columns in bytes


@dataclass(frozen=True, order=True)
class Branch:
    """A way that control can take: its line, and what it is called."""

    line: int
    name: str


class RanTooLong(Exception):
    """The function was stopped: it may never end."""


MOST_INSTRUCTIONS = 3_000_000


@dataclass
class Recorder:
    """Counts the instructions of one file while a function runs. Raises RanTooLong in it where
    there are too many.
    """

    path: str
    counts: dict[CodeType, Counter[int]] = field(default_factory=dict)
    total: int = 0

    def run(self, function: Callable[[], Any]) -> Any:
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            return function()
        finally:
            sys.settrace(before)

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != self.path:
            return None
        frame.f_trace_opcodes = True
        counter = self.counts.setdefault(frame.f_code, Counter())

        def count(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "opcode":
                counter[frame.f_lasti] += 1
                self.total += 1
                if self.total > MOST_INSTRUCTIONS:
                    raise RanTooLong(f"stopped after {MOST_INSTRUCTIONS} instructions")
            return count

        return count

    def add(self, other: Recorder) -> None:
        """Take over what another one counted."""
        for code, counter in other.counts.items():
            self.counts.setdefault(code, Counter()).update(counter)
        self.total += other.total

    def first_lines(self) -> set[int]:
        """Where the functions that ran begin."""
        return {code.co_firstlineno for code in self.counts}

    def executed(self) -> list[tuple[Place, int, int]]:
        """Place, offset and count of each instruction that ran."""
        found = []
        for code, counter in self.counts.items():
            positions = list(code.co_positions())
            for offset, count in counter.items():
                place = positions[offset // 2]
                if None not in place:
                    line, end, column, end_column = place
                    found.append(((line, column, end, end_column), offset, count))
        return found  # type: ignore[return-value]  # None was excluded


def branches(text: str, function: str, recorder: Recorder) -> tuple[list[Branch], list[Branch]]:
    """The branches of a function, and of the others of the file that ran: taken, and not taken."""
    ran = recorder.executed()
    first_lines = recorder.first_lines()
    taken: set[Branch] = set()
    missed: set[Branch] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and (
            node.name == function or _first_line(node) in first_lines
        ):
            for branch, count in _branches_of(node, ran):
                (taken if count else missed).add(branch)
    return sorted(taken), sorted(missed - taken)


def _first_line(node: ast.FunctionDef) -> int:
    return min([node.lineno, *(each.lineno for each in node.decorator_list)])


Ran = Sequence[tuple[Place, int, int]]


def _branches_of(function: ast.FunctionDef, ran: Ran) -> Iterator[tuple[Branch, int]]:
    """Each branch below a function, with how often it was taken."""
    for node in ast.walk(function):
        match node:
            case ast.If(test=test, body=body, orelse=orelse):
                name = f"`if {_short(test)}`"
                yield Branch(body[0].lineno, f"body of {name}"), _entered(body, ran)
                if orelse:
                    yield Branch(orelse[0].lineno, f"`else` of {name}"), _entered(orelse, ran)
                else:
                    passed = _entered([test], ran) - _entered(body, ran)
                    yield Branch(node.lineno, f"{name} false"), max(passed, 0)
            case ast.IfExp(test=test, body=value, orelse=other):
                name = f"`... if {_short(test)} else ...`"
                yield Branch(value.lineno, f"value of {name}"), _entered([value], ran)
                yield Branch(other.lineno, f"`else` of {name}"), _entered([other], ran)
            case ast.BoolOp(values=values):
                for value in values[1:]:
                    name = f"`{_short(value)}` behind `{_word(node)}`"
                    yield Branch(value.lineno, name), _entered([value], ran)
            case ast.For(body=body) | ast.While(body=body):
                yield Branch(body[0].lineno, f"body of `{_head(node)}`"), _entered(body, ran)
                if node.orelse:
                    name = f"`else` of `{_head(node)}`"
                    yield Branch(node.orelse[0].lineno, name), _entered(node.orelse, ran)


def _entered(nodes: Sequence[ast.AST], ran: Ran) -> int:
    """How often the first instruction of some code ran. Code is duplicated by the compiler at its
    end, if at all: the lowest offset is where it is entered.
    """
    first, last = nodes[0], nodes[-1]
    start = (first.lineno, first.col_offset)  # type: ignore[attr-defined]
    end = (last.end_lineno, last.end_col_offset)  # type: ignore[attr-defined]
    inside = [
        (offset, count)
        for (line, column, end_line, end_column), offset, count in ran
        if start <= (line, column) and (end_line, end_column) <= end
    ]
    return min(inside)[1] if inside else 0


def _short(node: ast.AST) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 40 else text[:37] + "..."


def _head(node: ast.For | ast.While) -> str:
    if isinstance(node, ast.While):
        return f"while {_short(node.test)}"
    return f"for {_short(node.target)} in {_short(node.iter)}"


def _word(node: ast.BoolOp) -> str:
    return "and" if isinstance(node.op, ast.And) else "or"
