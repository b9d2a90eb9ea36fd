"""The reverse of loops and branches: a loop the other way round, a branch by the same test.

A reverse loop carries the adjoints of what the loop carries, and those of what the body reads from
outside, which it adds up. Each has an initial value of the type of its variable, zeros where
nothing is known yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from s2s_ad.ir import Atom, Block, Const, For, If, Statement, Var, While
from s2s_ad.operations import catalogue
from s2s_ad.operations.support import RANGE_LENGTH
from s2s_ad.passes.activity import (
    carried_of,
    free_variables,
    relevant_slots,
    relevant_variables,
)
from s2s_ad.passes.undo_types import adjoint_type
from s2s_ad.rewrite import Names
from s2s_ad.types import INT

if TYPE_CHECKING:
    from s2s_ad.passes.sweep import Sweep


@dataclass(frozen=True)
class CarriedBack:
    """What the reverse of a loop carries: the adjoints of those carried values (`slots`) that
    matter, then those of what the body reads from `outside`.
    """

    carried: list[tuple[Var, Atom, Var, Atom]]
    slots: list[int]
    outside: list[Var]

    @staticmethod
    def of(sweep: Sweep, loop: For | While) -> CarriedBack:
        carried = carried_of(loop)
        slots = relevant_slots(loop, sweep.adjoints, sweep.active)
        inner = relevant_variables(loop.body, [carried[k][3] for k in slots], sweep.active)
        outside = [var for var in free_variables((loop.body,)) if var in inner]
        return CarriedBack(carried, slots, outside)

    @property
    def variables(self) -> list[Var]:
        """The values, as the body calls them, whose adjoints are carried."""
        return [*(self.carried[k][2] for k in self.slots), *self.outside]

    def initial(self, sweep: Sweep) -> list[Atom]:
        """The adjoints behind the loop."""
        behind = [*(self.carried[k][0] for k in self.slots), *self.outside]
        return [sweep.adjoint_or_zero(var) for var in behind]

    def fresh_grads(self, names: Names) -> tuple[Var, ...]:
        return tuple(
            names.fresh(f"grad_{var.name}", adjoint_type(var.type)) for var in self.variables
        )

    def hand_back(self, sweep: Sweep, loop: For | While, grads: Sequence[Var]) -> None:
        """Add the adjoints before the loop to those of what went into it."""
        found = dict(zip(self.variables, grads, strict=True))
        for var in self.outside:
            sweep.adjoints[var] = found[var]
        for k in self.slots:
            _, first, parameter, _ = self.carried[k]
            if isinstance(first, Var) and first in sweep.active:
                sweep.builder.span = loop.span
                sweep.accumulate(first, sweep.fitted(found[parameter], first.type))


def undo_loop(sweep: Sweep, loop: For | While) -> None:
    """Append the loop that carries the adjoints of a loop's targets back."""
    builder = sweep.builder
    back = CarriedBack.of(sweep, loop)
    builder.span = loop.span
    trip = _trip_back(sweep, loop)
    initial = back.initial(sweep)
    parameters = back.fresh_grads(builder.names)
    index = loop.body.parameters[0] if isinstance(loop, For) else None
    counter = builder.names.fresh(index.name if index else "trip", index.type if index else INT)
    grads = dict(zip(back.variables, parameters, strict=True))
    with sweep.scope(loop.body, {var: grads[var] for var in back.outside}) as statements:
        for k in back.slots:
            _, _, parameter, following = back.carried[k]
            if isinstance(following, Var) and following in sweep.active:
                sweep.accumulate(following, sweep.fitted(grads[parameter], following.type))
        sweep.reverse(loop.body)
        builder.span = loop.span
        results = tuple(sweep.adjoint_or_zero(var) for var in back.variables)
    body = Block((counter, *parameters), tuple(statements), results)
    targets = back.fresh_grads(builder.names)
    builder.statements.append(
        For(targets, trip, tuple(initial), body, loop.span, "adjoint", undoes=loop.label)
    )
    back.hand_back(sweep, loop, targets)


def _trip_back(sweep: Sweep, loop: For | While) -> tuple[Atom, Atom, Atom]:
    """The range of a loop from its last trip to its first."""
    builder, operations = sweep.builder, catalogue().operations
    plus, minus, times = (operations[name] for name in "+-*")

    def shifted(value: Atom, by: int) -> Atom:
        if isinstance(value, Const) and not value.text:
            return Const(value.value + by)
        return builder.assign(plus if by > 0 else minus, value, Const(abs(by)))

    trips = sweep.trips.get(loop.label)
    if isinstance(loop, While):
        assert trips is not None
        return shifted(sweep.recall(trips), -1), Const(-1), Const(-1)
    start, stop, step = (sweep.recall(atom) for atom in loop.trip)
    if trips is None and step in (Const(1), Const(-1)):
        by = step.value if isinstance(step, Const) else 0
        return shifted(stop, -by), shifted(start, -by), Const(-by)
    if trips is None:
        count: Atom = builder.assign(RANGE_LENGTH, start, stop, step)
    else:
        count = sweep.recall(trips)
    if (start, step) == (Const(0), Const(1)):
        return shifted(count, -1), Const(-1), Const(-1)
    last = builder.assign(plus, start, builder.assign(times, shifted(count, -1), step))
    if isinstance(step, Const):
        return last, shifted(start, -step.value), Const(-step.value)
    return last, builder.assign(minus, start, step), builder.assign(operations["-x"], step)


def undo_branches(sweep: Sweep, statement: If) -> None:
    """Append the branch that carries the adjoints of a branch's targets back."""
    builder = sweep.builder
    branches = (statement.then, statement.orelse)
    reached = [k for k, target in enumerate(statement.targets) if target in sweep.adjoints]
    builder.span = statement.span
    test = sweep.recall(statement.test)
    before = dict(sweep.adjoints)
    reversed_branches = [_reversed_branch(sweep, statement, b, reached, before) for b in branches]
    outside = [
        var
        for var in free_variables(branches)
        if any(made.get(var) != before.get(var) for made, _ in reversed_branches)
    ]
    blocks = []
    for branch, (adjoints, statements) in zip(branches, reversed_branches, strict=True):
        with sweep.scope(branch, adjoints) as more:
            builder.span = statement.span
            results = tuple(sweep.adjoint_or_zero(var) for var in outside)
        blocks.append(Block((), (*statements, *more), results))
    targets = tuple(
        builder.names.fresh(f"grad_{var.name}", adjoint_type(var.type)) for var in outside
    )
    if not targets:
        return
    builder.statements.append(
        If(targets, test, blocks[0], blocks[1], statement.span, "adjoint", undoes=statement.label)
    )
    sweep.adjoints.update(zip(outside, targets, strict=True))


def _reversed_branch(
    sweep: Sweep, statement: If, branch: Block, reached: Sequence[int], before: dict[Var, Atom]
) -> tuple[dict[Var, Atom], list[Statement]]:
    adjoints = dict(before)
    with sweep.scope(branch, adjoints) as statements:
        for k in reached:
            given = branch.results[k]
            if isinstance(given, Var) and given in sweep.active:
                sweep.accumulate(given, sweep.fitted(before[statement.targets[k]], given.type))
        sweep.reverse(branch)
    return adjoints, statements
