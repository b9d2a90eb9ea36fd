"""Which elements of the result of a function depend on which elements of its arguments.

In: a function as IR whose arrays have known sizes, and values of its integers. Out: a `Pattern`
that is never too small. The function is walked as `interpret` would run it, but on sets of inputs
instead of floats: loops over known ranges trip by trip, both ways of a test that depends on floats,
other loops until nothing is added. What cannot be followed raises a DifferentiationError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from s2s_ad.diagnostics import Diagnostic, DifferentiationError, Span
from s2s_ad.ir import Assign, Atom, Block, Const, For, Formal, Function, If, Statement, Var, While
from s2s_ad.ir import leaves as leaves_of_tree
from s2s_ad.operations.calls import Halves, Pushed
from s2s_ad.sparse.index_sets import NONE, IndexSets
from s2s_ad.sparse.line import Line, several
from s2s_ad.sparse.rules import passed_on
from s2s_ad.sparse.values import (
    Known,
    NotTold,
    Several,
    Spread,
    Value,
    is_same,
    items_of,
    join,
    leaves_of,
)
from s2s_ad.types import is_float, is_numeric, shape_of

MOST_LINES = 5_000_000
MOST_CALLS = 200
MOST_ENTRIES = 10_000_000

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pattern:
    """The places of a matrix that may differ from zero, row by row and in each row in order.

    `row_parts` are the shapes of the numbers and arrays whose elements the rows are, one after the
    other, and likewise `column_parts`.
    """

    shape: tuple[int, int]
    rows: Indices
    columns: Indices
    row_parts: tuple[tuple[int, ...], ...] = ()
    column_parts: tuple[tuple[int, ...], ...] = ()

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def starts(self) -> Indices:
        """Where each row begins among the entries, as CSR has it."""
        return np.searchsorted(self.rows, np.arange(self.shape[0] + 1)).astype(np.int64)


def pattern_of(
    function: Function, wrt: Sequence[str], given: Mapping[str, Any] | None = None
) -> Pattern:
    """The pattern of the Jacobian of all results with respect to the parameters `wrt`.

    Rows are the floats of the results one after the other, columns those of the parameters.
    `given` has arguments by the names of their variables, of which integers count with their
    values and floats with their shapes. Raises DifferentiationError.
    """
    walk = _Walk(function.span)
    count = 0
    shapes: list[tuple[int, ...]] = []
    arguments: list[Value] = []
    for formal in function.formals:
        for leaf in leaves_of_tree(formal.tree):
            if not isinstance(leaf, Var):
                continue
            moves = formal.name in wrt and is_float(leaf.type)
            value = walk.argument(formal, leaf, given or {}, count if moves else -1)
            if moves:
                shapes += [part.shape for part in leaves_of(value)]
                count += sum(part.size for part in leaves_of(value))
            arguments.append(value)
    results = walk.block(function.body, arguments, {})
    floats = [
        result
        for atom, result in zip(function.body.results, results, strict=True)
        if is_float(atom.type)
    ]
    try:
        return _pattern(walk.sets, floats, shapes)
    except NotTold as problem:
        raise walk.refusal("unknown-pattern", str(problem), problem.help) from None


def _pattern(
    sets: IndexSets, results: Sequence[Value], columns_of: Sequence[tuple[int, ...]]
) -> Pattern:
    numbers = [part for result in results for part in leaves_of(result)]
    flat = np.concatenate([part.ravel() for part in numbers] or [np.zeros(0, np.int64)])
    if sum(len(sets.members(number)) for number in flat.tolist()) > MOST_ENTRIES:
        raise NotTold(
            "most entries of this Jacobian may differ from zero, as far as is known",
            "use a dense Jacobian",
        )
    members = [np.array(sets.members(number), np.int64) for number in flat.tolist()]
    lengths = [len(part) for part in members]
    rows = np.repeat(np.arange(len(flat)), lengths)
    columns = np.concatenate(members) if members else np.zeros(0, np.int64)
    row_parts = tuple(part.shape for part in numbers)
    shape = (len(flat), sum(int(np.prod(part, dtype=np.int64)) for part in columns_of))
    return Pattern(shape, rows, columns, row_parts, tuple(columns_of))


class _Walk:
    """The way through a function, and the sets met on it."""

    def __init__(self, span: Span | None) -> None:
        self.sets = IndexSets()
        self.lines = 0
        self.depth = 0
        self.span = span

    def argument(self, formal: Formal, leaf: Var, given: Mapping[str, Any], first: int) -> Value:
        """A parameter: its elements count from `first` among the inputs, or stand still at -1."""
        if leaf.name in given and not is_float(leaf.type):
            return Known(given[leaf.name])
        if not is_numeric(leaf.type):
            return Spread(np.array(NONE, np.int64))
        if leaf.name in given:
            return self.spread(np.shape(given[leaf.name]), first)
        sizes = shape_of(leaf.type)
        numbers = [None] if sizes is None else [size.constant for size in sizes]
        if any(number is None for number in numbers):
            raise self.refusal(
                "unknown-size",
                f"the pattern of a Jacobian needs the sizes of `{formal.name}`: {leaf.type}",
                f"give them as numbers: `--arg '{formal.name}=float[100]'`",
            )
        return self.spread(tuple(number for number in numbers if number is not None), first)

    def spread(self, shape: tuple[int, ...], first: int) -> Value:
        if first < 0:
            return Spread(np.full(shape, NONE, np.int64))
        return Spread(self.sets.singles(shape, first))

    def refusal(self, name: str, message: str, help: str) -> DifferentiationError:
        return DifferentiationError([Diagnostic(name, message, self.span, help=help)])

    # Blocks

    def block(
        self, block: Block, arguments: Sequence[Value], values: dict[Var, Value]
    ) -> list[Value]:
        # every variable is assigned in one place: trips and branches may share the values
        values.update(zip(block.parameters, arguments, strict=True))
        for statement in block.statements:
            before = self.span
            self.span = statement.span or before
            try:
                results = self.statement(statement, values)
            except NotTold as problem:
                help = problem.help or "use a dense Jacobian, or write this part another way"
                raise self.refusal("unknown-pattern", str(problem), help) from None
            self.span = before
            values.update(zip(statement.targets, results, strict=True))
        return [self.value(atom, values) for atom in block.results]

    @staticmethod
    def value(atom: Atom, values: dict[Var, Value]) -> Value:
        return Known(atom.value) if isinstance(atom, Const) else values[atom]

    def statement(self, statement: Statement, values: dict[Var, Value]) -> Sequence[Value]:
        self.lines += 1
        if self.lines > MOST_LINES:
            raise NotTold(
                "the loops of this function are too long to follow for its pattern",
                "write them with arrays, or use a dense Jacobian",
            )
        match statement:
            case Assign():
                return self.assign(statement, values)
            case For():
                return self.loop(statement, values)
            case While():
                return self.repeated(statement, values)
            case If(test=test, then=then, orelse=orelse):
                condition = self.value(test, values)
                if isinstance(condition, Known):
                    return self.block(then if condition.value else orelse, [], values)
                one, other = self.block(then, [], values), self.block(orelse, [], values)
                return self.joined(one, other)

    def joined(self, one: Sequence[Value], other: Sequence[Value]) -> list[Value]:
        return [join(left, right, self.sets) for left, right in zip(one, other, strict=True)]

    def assign(self, statement: Assign, values: dict[Var, Value]) -> Sequence[Value]:
        operands = tuple(self.value(atom, values) for atom in statement.operands)
        result = self.call(statement, operands)
        if result is None:
            result = passed_on(Line(statement.op, statement.operands, operands, self.sets))
        if len(statement.targets) == 1:
            return (result,)
        return items_of(result) if statement.targets else ()

    # Calls

    def call(self, statement: Assign, operands: Sequence[Value]) -> Value | None:
        """What a function of its own gives; None if the statement calls none."""
        op = statement.op
        if op.callee is not None and op.callee.function is not None:
            return several(self.called(op.callee.function, operands))
        owner = getattr(op.evaluate, "__self__", None)
        if isinstance(owner, Pushed):
            return several(self.called(owner.functions[0], operands))
        if not isinstance(owner, Halves):
            return None
        if op.name == f"call.{owner.forward_name}":
            results = self.called(owner.functions[0], operands)
            assert owner.callee.function is not None
            count = len(owner.callee.function.body.results)
            return Several((*results[:count], Several(tuple(results[count:]))))
        saved, *grads = operands
        return several(self.called(owner.functions[1], [*items_of(saved), *grads]))

    def called(self, function: Function, arguments: Sequence[Value]) -> list[Value]:
        if self.depth == MOST_CALLS:
            raise NotTold(
                f"`{function.name}` calls itself, how often depends on numbers that are not known",
                "let it depend on integers only, whose values are given",
            )
        self.depth += 1
        results = self.block(function.body, arguments, {})
        self.depth -= 1
        return results

    # Loops

    def loop(self, loop: For, values: dict[Var, Value]) -> list[Value]:
        carried = [self.value(atom, values) for atom in loop.initial]
        trip = [self.value(atom, values) for atom in loop.trip]
        if not all(isinstance(bound, Known) for bound in trip):
            index: Value = Spread(np.array(NONE, np.int64))
            return self.until_stable(
                lambda now: self.turned(self.block(loop.body, [index, *now], values), loop.stops),
                carried,
            )
        bounds = [bound.value for bound in trip if isinstance(bound, Known)]
        left: list[Value] | None = None
        for number in range(*bounds):
            carried = self.block(loop.body, [Known(number), *carried], values)
            if loop.stops:
                stop = carried.pop()
                if isinstance(stop, Known) and stop.value:
                    break
                if not isinstance(stop, Known):
                    left = carried if left is None else self.joined(left, carried)
        return carried if left is None else self.joined(left, carried)

    @staticmethod
    def turned(results: list[Value], stops: bool) -> list[Value]:
        return results[:-1] if stops else results

    def repeated(self, loop: While, values: dict[Var, Value]) -> list[Value]:
        carried = [self.value(atom, values) for atom in loop.initial]
        while True:
            (test,) = self.block(loop.test, carried, values)
            if not isinstance(test, Known):
                break
            if not test.value:
                return carried
            after = self.block(loop.body, carried, values)
            stop = after.pop() if loop.stops else Known(False)
            if not isinstance(stop, Known):
                left = self.joined(after, self.repeated_from(loop, after, values))
                return left
            carried = after
            if stop.value:
                return carried
        return self.repeated_from(loop, carried, values)

    def repeated_from(
        self, loop: While, carried: list[Value], values: dict[Var, Value]
    ) -> list[Value]:
        def turn(now: list[Value]) -> list[Value]:
            return self.turned(self.block(loop.body, now, values), loop.stops)

        return self.until_stable(turn, carried)

    def until_stable(self, turn: Any, carried: list[Value]) -> list[Value]:
        """What holds after any number of trips, none included."""
        while True:
            after = self.joined(carried, turn(carried))
            if all(map(is_same, carried, after)):
                return after
            carried = after


__all__ = ["Indices", "Pattern", "pattern_of"]
