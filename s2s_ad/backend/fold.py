"""Decides which values get a line of their own and which are written where they are used.

A value read once is folded into its reader if no update of memory it reads stands between, and if
the line stays readable. What is outside of a loop is not folded into it: it would be computed again
in every trip. The user's named values keep their lines, so that the forward sweep reads like the
source; at level 0 every Wengert line stays.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from s2s_ad.backend.layout import LIMIT
from s2s_ad.backend.size_names import size_symbol
from s2s_ad.ir import Assign, Atom, Block, Const, For, Function, If, Statement, Var, While
from s2s_ad.operations.effects import RAISE_IF
from s2s_ad.operations.indexing import SLICE, TUPLE
from s2s_ad.operations.lists import SUBSCRIPTS
from s2s_ad.operations.support import COPY, DIMENSION, NUMPY_SHAPE, SHAPE_ATTRIBUTE
from s2s_ad.passes.aliasing import possible_memory
from s2s_ad.rewrite import count_uses
from s2s_ad.types import Items, Slice

LONGEST_LINE = 84  # of a right side with folded values; the limit of a line is 100
LONGEST_ADJOINT = 68  # the same in code that is not the user's, which has no names to help
MOST_OPERATIONS = 9
MOST_IN_RESULT = 4  # in a result that has a name
MOST_IN_NAMED = 6  # operations in a value that would have had a name of the user's
PLACE = re.compile(r"{\d}")  # of an operand in a template
ALWAYS = (TUPLE, SLICE, SHAPE_ATTRIBUTE, DIMENSION, NUMPY_SHAPE)


@dataclass
class Folding:
    """`inlined` are the variables without a line; `definitions` tell what to write instead.

    `late` are those that are written in the moves at the end of their block, if these moves are
    needed at all: no update stands between. `lengths` are inlined by a name that the entry gives.
    """

    inlined: set[Var] = field(default_factory=set)
    definitions: dict[Var, Assign] = field(default_factory=dict)
    late: set[Var] = field(default_factory=set)
    lengths: dict[Var, str] = field(default_factory=dict)


@dataclass
class _Estimate:
    """Of the printed form of a value; where it is computed, and what it reads."""

    length: int
    operations: int
    position: int = 0
    region: int = 0
    reads: set[Var] = field(default_factory=set)


def fold(function: Function, level: int, single_result: bool) -> Folding:
    """What to inline. `single_result`: the one result may be written in the `return`."""
    folder = _Folder(function, level)
    folder.block(function.body)
    folder.last = folder.position
    if level and single_result:
        folder.fold_result()
    elif level:
        folder.fold_copies()
    return folder.folding


class _Folder:
    def __init__(self, function: Function, level: int) -> None:
        self.function, self.level = function, level
        self.folding = Folding()
        self.uses = count_uses(function.body)
        self.results = set(function.body.results)
        self.writes = _Writes(function)
        self.estimates: dict[Var, _Estimate] = {}
        self.reads: dict[Var, set[Var]] = {}
        self.position = 0
        self.depth = -1
        self.region = 0
        self.regions = 0
        self.last = 0

    def block(self, block: Block) -> None:
        self.depth += 1
        for statement in block.statements:
            self.position += 1
            match statement:
                case Assign():
                    self.assign(statement)
                case For(trip=trip, body=body):
                    self.reader(statement, trip)
                    self.in_region(body, body.results[-1:] if statement.stops else ())
                case While(test=test, body=body):
                    self.in_region(test, test.results)
                    self.in_region(body, body.results[-1:] if statement.stops else ())
                case If(test=condition, then=then, orelse=orelse):
                    self.reader(statement, (condition,))
                    self.block(then)
                    self.late(then)
                    self.block(orelse)
                    self.late(orelse)
        self.position += 1
        self.depth -= 1

    def in_region(self, block: Block, tested: Sequence[Atom]) -> None:
        """A block that is run again and again; what is `tested` at its end."""
        around = self.region
        self.regions += 1
        self.region = self.regions
        self.block(block)
        self.reader(None, tested)
        self.late(block)
        self.region = around

    def assign(self, statement: Assign) -> None:
        estimate, reads = self.reader(statement, statement.operands)
        reads |= {
            operand
            for operand in statement.operands
            if isinstance(operand, Var) and operand not in self.folding.inlined
        }
        estimate.position, estimate.region, estimate.reads = self.position, self.region, reads
        if statement.targets:
            self.note_length(statement)
        for target in statement.targets:
            self.folding.definitions[target] = statement
            if _has_expression(statement):
                self.estimates[target] = estimate

    def reader(
        self, statement: Statement | None, operands: Sequence[Atom]
    ) -> tuple[_Estimate, set[Var]]:
        """Fold what can be folded into the operands of a statement, the shortest first."""
        is_assign = isinstance(statement, Assign)
        is_primal = statement is None or statement.role == "primal"
        estimate = _Estimate(_own_length(statement) if isinstance(statement, Assign) else 5, 1)
        room = self.room(statement)
        reads: set[Var] = set()
        candidates = []
        for place, operand in enumerate(operands):
            if not isinstance(operand, Var):
                continue
            changed = isinstance(statement, Assign) and bool(statement.op.update) and place == 0
            if operand in self.estimates and not changed and self.may_fold(operand):
                candidates.append(operand)
            else:
                reads.add(operand)
                estimate.length += _name_length(operand)
        for operand in sorted(candidates, key=lambda var: self.estimates[var].length):
            inner = self.estimates[operand]
            definition = self.folding.definitions[operand]
            always = self.is_always_folded(operand)
            limit = MOST_IN_NAMED if _is_user_adjoint(operand) else MOST_OPERATIONS
            is_expression_of_user = definition.role == "primal" and is_primal
            # what is only stored or added had a line of its own otherwise
            whole = is_expression_of_user or (
                isinstance(statement, Assign) and bool(statement.op.update)
            )
            longest = min(room, LONGEST_LINE if whole else LONGEST_ADJOINT)
            fits = estimate.length + inner.length <= longest and (
                whole or estimate.operations + inner.operations <= limit
            )
            if always or fits:
                self.folding.inlined.add(operand)
                estimate.length += inner.length
                estimate.operations += 0 if always else inner.operations
                reads |= inner.reads
            else:
                estimate.length += _name_length(operand)
                if is_assign:
                    reads.add(operand)
        return estimate, reads

    def room(self, statement: Statement | None) -> int:
        """For the right side of a statement; a name may get a number, and a part brackets."""
        names = () if statement is None else statement.targets
        return LIMIT - 4 * (self.depth + 1) - sum(_name_length(name) + 2 for name in names) - 7

    def is_always_folded(self, var: Var) -> bool:
        """Bookkeeping that is written within other lines, and lengths that the entry names."""
        return self.folding.definitions[var].op in ALWAYS or var in self.folding.lengths

    def note_length(self, statement: Assign) -> None:
        """A length that is read more than once is read by the name that it has at the entry."""
        is_often = self.level > 0 and self.uses.get(statement.target, 0) > 1
        if statement.op is DIMENSION or (is_often and statement.target.is_temporary):
            symbol = size_symbol(self.function, statement)
            if symbol:
                self.folding.lengths[statement.target] = symbol

    def may_fold(self, var: Var) -> bool:
        definition, estimate = self.folding.definitions[var], self.estimates[var]
        if self.is_always_folded(var):
            return True
        if not self.is_foldable(var, definition) or estimate.region != self.region:
            return False
        return not self.writes.between(estimate.reads, estimate.position, self.position)

    def is_foldable(self, var: Var, definition: Assign) -> bool:
        if isinstance(var.type, Items | Slice):
            return True
        if self.uses.get(var, 0) != 1 or var in self.results:
            return False
        if self.level == 0:
            return var.name.startswith("%") and definition.role != "primal"
        return var.is_temporary or definition.role != "primal"

    def late(self, block: Block) -> None:
        """Note the results that may be written in the moves at the end of a block."""
        own = {
            target
            for statement in block.statements
            if isinstance(statement, Assign)
            for target in statement.targets
        }
        for result in block.results if self.level else ():
            if not isinstance(result, Var) or result not in own or result not in self.estimates:
                continue
            estimate = self.estimates[result]
            if (
                self.is_foldable(result, self.folding.definitions[result])
                and estimate.length <= LONGEST_LINE - 20
                and not self.writes.between(estimate.reads, estimate.position, self.position)
            ):
                self.folding.late.add(result)

    def fold_result(self) -> None:
        results = [atom for atom in self.function.body.results if isinstance(atom, Var)]
        if len(results) != 1 or self.uses.get(results[0], 0) != 1:
            return
        (result,) = results
        estimate = self.estimates.get(result)
        most = MOST_OPERATIONS if result.is_temporary else MOST_IN_RESULT
        if estimate is None or estimate.operations > most or estimate.length > LONGEST_LINE - 8:
            return
        if not self.writes.between(estimate.reads, estimate.position, self.last):
            self.folding.inlined.add(result)

    def fold_copies(self) -> None:
        """Copies for the caller may be written in the `return`."""
        for result in self.results:
            made = self.folding.definitions.get(result) if isinstance(result, Var) else None
            if not isinstance(result, Var) or made is None or made.op is not COPY:
                continue
            estimate = self.estimates[result]
            if self.uses.get(result, 0) == 1 and not self.writes.between(
                estimate.reads, estimate.position, self.last
            ):
                self.folding.inlined.add(result)


def _has_expression(statement: Assign) -> bool:
    return not statement.op.effect and not statement.op.update and len(statement.targets) == 1


def _own_length(statement: Assign) -> int:
    """What a statement's operation adds to the texts of its operands, constants included."""
    op = statement.op
    constants = sum(
        len(str(operand)) + 2
        for operand in statement.operands
        if isinstance(operand, Const) and operand.value is not None and operand.value is not False
    )
    if op is RAISE_IF:
        return 5  # its text stands on a line of its own
    if op.name in SUBSCRIPTS:
        return 2 + constants
    if op is SLICE:
        return 1 + constants
    if op is TUPLE:
        return 2 * len(statement.operands) - 2 + constants
    if op is DIMENSION:
        return 1  # mostly a name
    if op.template or op.update:
        return len(PLACE.sub("", op.template or op.update)) + constants
    return (len(op.call) + 2 if op.call else 5) + constants + 2 * len(statement.operands)


def _name_length(var: Var) -> int:
    return 3 if var.is_temporary else len(var.name)


def _is_user_adjoint(var: Var) -> bool:
    return var.name.startswith("grad_") and not var.is_temporary


class _Writes:
    """At which positions memory is written, and names get another value."""

    def __init__(self, function: Function) -> None:
        self.where = possible_memory(function, frozenset(), in_place=True)
        self.position = 0
        self.writes: dict[Var, list[int]] = {}
        self.versions: dict[str, list[int]] = {}
        self.has_blocks = False
        self.block(function.body)

    def block(self, block: Block) -> None:
        """Counts positions as `_Folder.block` does."""
        for statement in block.statements:
            self.position += 1
            match statement:
                case Assign():
                    if statement.op.update and isinstance(statement.operands[0], Var):
                        for allocation in self.where.get(statement.operands[0], ()):
                            self.writes.setdefault(allocation, []).append(self.position)
                case For(body=body):
                    self.inner(statement, body)
                case While(test=test, body=body):
                    self.inner(statement, test, body)
                case If(then=then, orelse=orelse):
                    self.inner(statement, then, orelse)
            for target in statement.targets:
                self.versions.setdefault(target.name, []).append(self.position)
        self.position += 1

    def inner(self, statement: Statement, *blocks: Block) -> None:
        self.has_blocks = True
        for block in blocks:
            for parameter in block.parameters:
                self.versions.setdefault(parameter.name, []).append(self.position)
            self.block(block)

    def between(self, reads: set[Var], start: int, end: int) -> bool:
        """Whether something that `reads` lie in is written strictly between two statements, or one
        of the names gets another value there.
        """
        for var in reads:
            for allocation in self.where.get(var, ()):
                if _any_between(self.writes.get(allocation, []), start, end):
                    return True
            versions = self.versions.get(var.name, []) if self.has_blocks else []
            if not var.is_temporary and _any_between(versions, start, end):
                return True
        return False


def _any_between(places: list[int], start: int, end: int) -> bool:
    first = bisect_right(places, start)
    return first < len(places) and places[first] < end
