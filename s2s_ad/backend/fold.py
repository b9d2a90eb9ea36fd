"""Decides which values get a line of their own and which are written where they are used.

A value read once is folded into its reader if no update of memory it reads stands between, and if
the line stays readable. The user's named values keep their lines, so that the forward sweep reads
like the source; at level 0 every Wengert line stays.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from s2s_ad.ir import Assign, Atom, Const, Function, Var
from s2s_ad.memory import Allocations, allocations_of
from s2s_ad.operations.indexing import SLICE, TUPLE
from s2s_ad.operations.support import DIMENSION, NUMPY_SHAPE, SHAPE_ATTRIBUTE
from s2s_ad.rewrite import count_uses
from s2s_ad.types import Items, Slice

LONGEST_LINE = 84  # of a right side with folded values; the limit of a line is 100
MOST_OPERATIONS = 9
MOST_IN_NAMED = 6  # operations in a value that would have had a name of the user's


@dataclass
class Folding:
    """`inlined` are the variables without a line; `definitions` tell what to write instead."""

    inlined: set[Var] = field(default_factory=set)
    definitions: dict[Var, Assign] = field(default_factory=dict)


@dataclass
class _Estimate:
    length: int
    operations: int


def fold(function: Function, level: int, single_result: bool) -> Folding:
    """What to inline. `single_result`: the one result may be written in the `return`."""
    folding = Folding()
    uses = count_uses(function.body)
    memory = _Memory(function)
    position_of: dict[Var, int] = {}
    estimates: dict[Var, _Estimate] = {}
    reads: dict[Var, set[Var]] = {}
    results = set(function.body.results)
    for position, statement in enumerate(function.body.statements):
        assert isinstance(statement, Assign)
        estimate, read = _Estimate(_own_length(statement), 1), set[Var]()
        candidates = []
        for place, operand in enumerate(statement.operands):
            is_updated = bool(statement.op.update) and place == 0
            if isinstance(operand, Var) and operand in estimates and not is_updated:
                definition = folding.definitions[operand]
                always = definition.op in (TUPLE, SLICE, SHAPE_ATTRIBUTE, DIMENSION, NUMPY_SHAPE)
                moved = not memory.is_written(reads[operand], position_of[operand], position)
                if always or (_may_fold(operand, definition, level, uses, results) and moved):
                    candidates.append((operand, always))
                else:
                    estimate.length += len(str(operand))
            elif isinstance(operand, Var):
                read.add(operand)
                estimate.length += len(str(operand))
        for operand, always in sorted(candidates, key=lambda entry: estimates[entry[0]].length):
            inner = estimates[operand]
            definition = folding.definitions[operand]
            limit = MOST_IN_NAMED if _is_user_adjoint(operand) else MOST_OPERATIONS
            is_expression_of_user = definition.role == "primal" and statement.role == "primal"
            fits = estimate.length + inner.length <= LONGEST_LINE and (
                estimate.operations + inner.operations <= limit or is_expression_of_user
            )
            if always or fits:
                folding.inlined.add(operand)
                estimate.length += inner.length
                estimate.operations += 0 if always else inner.operations
                read |= reads[operand]
            else:
                estimate.length += len(str(operand))
        read |= {
            operand
            for operand in statement.operands
            if isinstance(operand, Var) and operand not in folding.inlined
        }
        for target in statement.targets:
            folding.definitions[target] = statement
            position_of[target] = position
            reads[target] = read
            if _has_expression(statement):
                estimates[target] = estimate
    _fold_result(
        function, folding, uses, estimates, level, single_result, reads, memory, position_of
    )
    return folding


def _has_expression(statement: Assign) -> bool:
    return not statement.op.effect and not statement.op.update and len(statement.targets) == 1


def _own_length(statement: Assign) -> int:
    op = statement.op
    constants = sum(
        len(str(operand)) + 2
        for operand in statement.operands
        if isinstance(operand, Const) and operand.value is not None and operand.value is not False
    )
    return (len(op.call) + 2 if op.call else 5) + constants + 2 * len(statement.operands)


def _is_user_adjoint(var: Var) -> bool:
    return var.name.startswith("grad_") and not var.is_temporary


def _may_fold(
    var: Var, definition: Assign, level: int, uses: dict[Var, int], results: set[Atom]
) -> bool:
    if isinstance(var.type, Items | Slice):
        return True
    if uses.get(var, 0) != 1 or var in results:
        return False
    if level == 0:
        return var.name.startswith("%") and definition.role != "primal"
    return var.is_temporary or definition.role != "primal"


class _Memory:
    """Which allocations variables lie in, and where these are written."""

    def __init__(self, function: Function) -> None:
        self.where: dict[Var, Allocations] = {
            var: frozenset((var,)) for var in function.body.parameters
        }
        self.writes: dict[Var, list[int]] = {}
        for position, statement in enumerate(function.body.statements):
            assert isinstance(statement, Assign)
            for target in statement.targets:
                self.where[target] = allocations_of(statement, target, self.where)
            if statement.op.update and isinstance(statement.operands[0], Var):
                for allocation in self.where[statement.operands[0]]:
                    self.writes.setdefault(allocation, []).append(position)

    def is_written(self, reads: set[Var], start: int, end: int) -> bool:
        """Whether something that `reads` lie in is written strictly between two statements."""
        if not self.writes:
            return False
        for var in reads:
            for allocation in self.where.get(var, ()):
                places = self.writes.get(allocation, [])
                first = bisect_right(places, start)
                if first < len(places) and places[first] < end:
                    return True
        return False


def _fold_result(
    function: Function,
    folding: Folding,
    uses: dict[Var, int],
    estimates: dict[Var, _Estimate],
    level: int,
    single_result: bool,
    reads: dict[Var, set[Var]],
    memory: _Memory,
    position_of: dict[Var, int],
) -> None:
    results = [atom for atom in function.body.results if isinstance(atom, Var)]
    if level == 0 or not single_result or len(results) != 1 or uses.get(results[0], 0) != 1:
        return
    (result,) = results
    estimate = estimates.get(result)
    last = len(function.body.statements)
    if estimate is None or estimate.operations > 4 or estimate.length > LONGEST_LINE - 8:
        return
    if not memory.is_written(reads[result], position_of[result], last):
        folding.inlined.add(result)
