"""What the trips of a reverse loop add to fixed elements of an array is added up in numbers.

`grad_p[1] += v` in every trip reads and writes memory; a number `grad_p1` is carried instead, and
added to the element behind the loop. Only where the loop does nothing else with the array. An
element that no trip reaches may not exist: unless the size of the array is known, the sums have to
be made in every trip, and are added behind a test that there was one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from s2s_ad.ir import (
    Assign,
    Atom,
    Block,
    Const,
    For,
    Function,
    If,
    Statement,
    Var,
    blocks_of,
    operands_of,
)
from s2s_ad.operations import catalogue
from s2s_ad.operations.indexing import ADDITEM
from s2s_ad.operations.support import RANGE_LENGTH
from s2s_ad.passes.activity import carried_of, free_variables
from s2s_ad.rewrite import Builder, Names, count_uses, definitions, map_statement, with_body
from s2s_ad.types import Array, Scalar, Sizes, dtype_of, shape_of

Index = tuple[int, ...]
MOST_ELEMENTS = 12  # of one array; more numbers than that are no longer read with ease


def sum_elements(function: Function) -> Function:
    """The function with such sums in numbers; itself where there are none."""
    summer = _Summer(function)
    body = summer.block(function.body)
    return with_body(function, body) if summer.changed else function


@dataclass(frozen=True)
class _Added:
    """An element that is added to. `always`: by every trip of the loop."""

    index: Index
    always: bool


class _Summer:
    def __init__(self, function: Function) -> None:
        sizes = Sizes.knowing(function.assumptions, 8_000_000)
        self.builder = Builder(Names.of(function), sizes, role="adjoint")
        self.uses: dict[int, tuple[Block, dict[Var, int]]] = {}  # by the block's identity
        self.made = definitions(function.body)
        self.changed = False

    def block(self, block: Block) -> Block:
        with self.builder.inside() as statements:
            for statement in block.statements:
                self.statement(statement)
        return replace(block, statements=tuple(statements))

    def statement(self, statement: Statement) -> None:
        loop = statement
        sums: dict[int, dict[Index, Var]] = {}
        if isinstance(loop, For) and loop.undoes and not loop.stops:
            for slot, indices in sorted(self.found(loop).items(), reverse=True):
                assert isinstance(statement, For)
                zeros: dict[Index, Atom] = dict.fromkeys(indices, Const(0.0))
                statement, sums[slot] = self.summed(statement, slot, zeros)
        if not isinstance(statement, Assign):
            statement = map_statement(statement, lambda atom: atom, lambda var: var, self.block)
        self.builder.statements.append(statement)
        if sums:
            assert isinstance(loop, For)
            self.changed = True
            self.put_back(loop, sums)

    def found(self, loop: For) -> dict[int, list[Index]]:
        """The carried arrays that are only added to, and at which elements."""
        found = {}
        for slot, (_, _, parameter, following) in enumerate(carried_of(loop)):
            if not (isinstance(parameter.type, Array) and dtype_of(parameter.type) == "f64"):
                continue
            added = self.follow(loop.body, parameter, following)
            if not added:
                continue
            # elements from the end may be one of the others: they are added to, not set
            indices = sorted({each.index for each in added}, key=lambda at: (min(at) < 0, at))
            sure = {each.index for each in added if each.always}
            if len(indices) <= MOST_ELEMENTS and all(
                index in sure or _exists(index, parameter) for index in indices
            ):
                found[slot] = indices
        return found

    def follow(self, block: Block, array: Var, result: Atom) -> list[_Added] | None:
        """What is added to an array on its way to a block's result; None if more happens to it."""
        added: list[_Added] = []
        for statement in block.statements:
            inner = blocks_of(statement)
            if array not in operands_of(statement) and array not in free_variables(inner):
                continue
            if isinstance(statement, If):
                reads = sum(self.reads(side, array) for side in inner)
                found = self.follow_branches(statement, array)
            else:
                reads = 1
                found = self.follow_one(statement, array)
            if found is None or self.reads(block, array) != reads:
                return None
            added += found[0]
            array = found[1]
        return added if array == result and self.reads(block, array) == 1 else None

    def follow_one(self, statement: Statement, array: Var) -> tuple[list[_Added], Var] | None:
        """What a sum or a loop adds, and the array behind it."""
        if isinstance(statement, Assign):
            index = _fixed_element(statement, array)
            return None if index is None else ([_Added(index, always=True)], statement.target)
        if not (isinstance(statement, For) and array in statement.initial and not statement.stops):
            return None
        target, _, parameter, end = carried_of(statement)[statement.initial.index(array)]
        added = self.follow(statement.body, parameter, end)
        if added is None:
            return None
        return added if _has_trips(statement) else _sometimes(added), target

    def follow_branches(self, branch: If, array: Var) -> tuple[list[_Added], Var] | None:
        """The same for a branch: the target that both sides give the array as."""
        ends = zip(branch.targets, branch.then.results, branch.orelse.results, strict=True)
        for target, then, orelse in ends:
            if target.type != array.type:
                continue
            one = self.follow(branch.then, array, then)
            other = self.follow(branch.orelse, array, orelse)
            if one is not None and other is not None:
                return _sometimes(one + other), target
        return None

    def reads(self, block: Block, var: Var) -> int:
        """How often a block reads a variable, inner blocks included."""
        if id(block) not in self.uses:
            self.uses[id(block)] = block, count_uses(block)
        return self.uses[id(block)][1].get(var, 0)

    def summed(
        self, loop: For, slot: int, sums: Mapping[Index, Atom]
    ) -> tuple[For, dict[Index, Var]]:
        """The loop that carries numbers, from those given on, for an array; and the sums."""
        array = loop.body.parameters[slot + 1]
        carried = {index: self.number(array, index) for index in sums}
        totals = {index: self.number(array, index) for index in sums}
        body = self.block_with(loop.body, array, carried, slot)
        parameters = _without(loop.body.parameters, slot + 1)
        made = replace(
            loop,
            targets=(*_without(loop.targets, slot), *totals.values()),
            initial=(*_without(loop.initial, slot), *sums.values()),
            body=replace(body, parameters=(*parameters, *carried.values())),
        )
        return made, totals

    def block_with(self, block: Block, array: Var, sums: Mapping[Index, Atom], slot: int) -> Block:
        """The block that adds to numbers, and gives them at its end in place of one result."""
        with self.builder.inside() as statements:
            for statement in block.statements:
                array, sums = self.statement_with(statement, array, sums)
        results = (*_without(block.results, slot), *sums.values())
        return Block(block.parameters, tuple(statements), results)

    def statement_with(
        self, statement: Statement, array: Var, sums: Mapping[Index, Atom]
    ) -> tuple[Var, Mapping[Index, Atom]]:
        """Append a statement of such a block; the array and the numbers behind it."""
        inner = blocks_of(statement)
        if array not in operands_of(statement) and array not in free_variables(inner):
            self.builder.statements.append(statement)
            return array, sums
        if isinstance(statement, Assign):
            index = _fixed_element(statement, array)
            assert index is not None
            self.builder.span = statement.span
            plus, name = catalogue().operations["+"], _name(array, index)
            total = self.builder.assign(plus, sums[index], statement.operands[2], name=name)
            return statement.target, {**sums, index: total}
        if isinstance(statement, For):
            slot = statement.initial.index(array)
            made, totals = self.summed(statement, slot, sums)
            self.builder.statements.append(made)
            return statement.targets[slot], totals
        assert isinstance(statement, If)
        found = self.follow_branches(statement, array)
        assert found is not None
        slot = statement.targets.index(found[1])
        totals = {index: self.number(array, index) for index in sums}
        then, orelse = (self.block_with(side, array, sums, slot) for side in inner)
        targets = (*_without(statement.targets, slot), *totals.values())
        self.builder.statements.append(
            replace(statement, targets=targets, then=then, orelse=orelse)
        )
        return found[1], totals

    def number(self, array: Var, index: Index) -> Var:
        return self.builder.names.fresh(_name(array, index), Scalar("f64"))

    def put_back(self, loop: For, sums: dict[int, dict[Index, Var]]) -> None:
        """Append what adds the sums to the elements of the arrays of some slots."""
        self.builder.span = loop.span
        unsure = []
        for slot, totals in sums.items():
            if _has_trips(loop) or all(_exists(index, loop.targets[slot]) for index in totals):
                last = self.add_to(loop.initial[slot], totals, loop.targets[slot].name)
                assert self.builder.statements[-1] is last
                self.builder.statements[-1] = replace(last, targets=(loop.targets[slot],))
            else:
                unsure.append(slot)
        if not unsure:
            return
        test = self.has_trips(loop)
        with self.builder.inside() as statements:
            changed = [
                self.add_to(loop.initial[slot], sums[slot], loop.targets[slot].name).target
                for slot in unsure
            ]
        targets = tuple(loop.targets[slot] for slot in unsure)
        then = Block((), tuple(statements), tuple(changed))
        orelse = Block((), (), tuple(loop.initial[slot] for slot in unsure))
        self.builder.statements.append(If(targets, test, then, orelse, loop.span, "adjoint"))

    def add_to(self, array: Atom, totals: dict[Index, Var], name: str) -> Assign:
        """Append the sums of elements; the last of them."""
        for index, total in totals.items():
            place = Const(index if len(index) > 1 else index[0])
            array = self.builder.assign(ADDITEM, array, place, total, name=name)
        last = self.builder.statements[-1]
        assert isinstance(last, Assign)
        return last

    def has_trips(self, loop: For) -> Var:
        """Whether a loop makes a trip."""
        operations = catalogue().operations
        start, stop, step = loop.trip
        if step == Const(1):
            return self.builder.assign(operations["<"], start, stop)
        if step != Const(-1):
            trips = self.builder.assign(RANGE_LENGTH, start, stop, step)
            return self.builder.assign(operations[">"], trips, Const(0))
        made = self.made.get(start) if isinstance(start, Var) else None
        if (
            isinstance(stop, Const)
            and made
            and made.op.name == "-"
            and made.operands[1] == Const(1)
        ):
            start, stop = made.operands[0], Const(stop.value + 1)
        return self.builder.assign(operations[">"], start, stop)


def _fixed_element(statement: Assign, array: Var) -> Index | None:
    """The element that a number is added to, if that is all that is done to the array."""
    if statement.op is not ADDITEM or statement.operands[0] != array:
        return None
    _, index, value = statement.operands
    places = index.value if isinstance(index, Const) else None
    if isinstance(places, int):
        places = (places,)
    rank = len(shape_of(array.type) or ())
    if (
        not (isinstance(places, tuple) and all(type(place) is int for place in places))
        or len(places) != rank
        or value == array
        or shape_of(value.type) != ()
        or dtype_of(value.type) != "f64"
    ):
        return None
    return places


def _exists(index: Index, array: Var) -> bool:
    """Whether the array is known to have the element."""
    sizes = shape_of(array.type) or ()
    return len(sizes) == len(index) and all(
        size.constant is not None and -size.constant <= place < size.constant
        for place, size in zip(index, sizes, strict=True)
    )


def _has_trips(loop: For) -> bool:
    bounds = [each.value for each in loop.trip if isinstance(each, Const)]
    return len(bounds) == 3 and len(range(*bounds)) > 0


def _sometimes(added: Sequence[_Added]) -> list[_Added]:
    return [replace(each, always=False) for each in added]


def _name(array: Var, index: Index) -> str:
    """`grad_p1`, `grad_A01`, `grad_p_last`"""
    name = "grad" if array.is_temporary else array.name
    if index == (-1,):
        return f"{name}_last"
    return name + ("" if max(index) < 10 else "_").join(map(str, index)).replace("-", "_")


def _without(items: tuple[Any, ...], place: int) -> tuple[Any, ...]:
    return items[:place] + items[place + 1 :]
