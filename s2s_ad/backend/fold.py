"""Decides which values get a line of their own and which are written where they are used.

A value read once is folded into its reader if no update of memory it reads stands between, and if
the line stays readable. The user's named values keep their lines, so that the forward sweep reads
like the source; at level 0 every Wengert line stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from s2s_ad.ir import Assign, Atom, Const, Function, Var
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
    writes = _writes(function)
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
                moved = not _written_between(writes, reads[operand], position_of[operand], position)
                if (always or _may_fold(operand, definition, level, uses, results)) and moved:
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
        function, folding, uses, estimates, level, single_result, reads, writes, position_of
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


def _writes(function: Function) -> list[tuple[int, Var]]:
    """Where memory is updated, and through which variable."""
    return [
        (position, operand)
        for position, statement in enumerate(function.body.statements)
        if isinstance(statement, Assign) and statement.op.update
        for operand in statement.operands[:1]
        if isinstance(operand, Var)
    ]


def _written_between(writes: list[tuple[int, Var]], reads: set[Var], start: int, end: int) -> bool:
    # place_copies has seen to it that an updated array is dead under other names, so its own name
    # is all to look for;
    # a view read by the folded expression would be dead too
    return any(start < position < end and var in reads for position, var in writes)


def _fold_result(
    function: Function,
    folding: Folding,
    uses: dict[Var, int],
    estimates: dict[Var, _Estimate],
    level: int,
    single_result: bool,
    reads: dict[Var, set[Var]],
    writes: list[tuple[int, Var]],
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
    if not _written_between(writes, reads[result], position_of[result], last):
        folding.inlined.add(result)
