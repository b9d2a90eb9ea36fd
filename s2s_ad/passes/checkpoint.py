"""Loops whose tape would not fit: the reverse sweep runs parts of them again, from snapshots.

For a loop this makes three functions of the generated module: one that runs it from one trip to
another, the two halves of the derivative of one trip, and one that undoes all trips between two: it
goes to a trip in between, keeps the state there while it undoes what comes after, and then turns to
what comes before. With `bisection` that trip is the middle one, and as many states are kept as the
number of trips has binary digits. With a number of snapshots it is where the number of trips that
are run again is least (Griewank 1992, Optimization Methods and Software 1, 35-54; Griewank and
Walther 2000, Algorithm 799).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeGuard

from s2s_ad.ir import (
    UNDEFINED,
    Atom,
    Block,
    Const,
    For,
    Function,
    If,
    Operation,
    Var,
    While,
)
from s2s_ad.operations import catalogue
from s2s_ad.operations.calls import (
    SAVED,
    Callee,
    call_of,
    call_of_made,
    forward_of,
    reverse_of,
)
from s2s_ad.passes.activity import free_variables
from s2s_ad.passes.contributions import zero_like
from s2s_ad.passes.undo_blocks import CarriedBack
from s2s_ad.rewrite import Builder, flat_formals, flat_output
from s2s_ad.types import INT, is_float

if TYPE_CHECKING:
    from s2s_ad.passes.sweep import Sweep

BISECTION = "bisection"


def can_checkpoint(loop: For | While) -> TypeGuard[For]:
    """Whether the trips of a loop can be run one by one: a range in steps of 1, to its end."""
    return isinstance(loop, For) and not loop.stops and loop.trip[2] == Const(1)


def undo_in_parts(sweep: Sweep, loop: For, snapshots: int | str) -> None:
    """Append the call that undoes a loop from its initial state."""
    parts = _Parts(sweep, loop)
    builder = sweep.builder
    builder.span = loop.span
    grads = parts.back.initial(sweep)
    undo = parts.undo(snapshots)
    state = [Const(None) if atom == UNDEFINED else sweep.recall(atom) for atom in loop.initial]
    free = [sweep.recall(var) for var in parts.free]
    start, stop = (sweep.recall(atom) for atom in loop.trip[:2])
    # an empty range has nothing to undo
    left: list[Atom] = [] if snapshots == BISECTION else [Const(snapshots)]
    operands = (start, stop, *left, *state, *free, *grads)
    targets = parts.back.fresh_grads(builder.names)
    builder.append(undo, targets, *operands)
    parts.back.hand_back(sweep, loop, targets)


class _Parts:
    """The functions that a loop is taken apart into."""

    def __init__(self, sweep: Sweep, loop: For) -> None:
        self.sweep, self.loop = sweep, loop
        self.names = sweep.builder.names
        self.back = CarriedBack.of(sweep, loop)
        self.carried, self.slots = self.back.carried, self.back.slots
        self.free = free_variables((loop.body,))
        self.of = sweep.derivatives.unused(sweep.function.name)

    def function(self, name: str, parameters: Sequence[Var], block: Block) -> Function:
        body = replace(block, parameters=tuple(parameters))
        return replace(
            self.sweep.function,
            name=name,
            formals=flat_formals(parameters),
            body=body,
            output=flat_output(block.results),
            guarded=False,
        )

    def step(self) -> Callee:
        """One trip: from its number, the state and what is read from outside to the next state."""
        body = self.loop.body
        name = f"step_{self.of}"
        return Callee(name, self.function(name, (*body.parameters, *self.free), body))

    def advance(self) -> Callee:
        """All trips from one to another."""
        start, stop = self.names.fresh("start", INT), self.names.fresh("stop", INT)
        state = [self.names.fresh(p.name, p.type) for _, _, p, _ in self.carried]
        loop = replace(
            self.loop, trip=(start, stop, Const(1)), initial=tuple(state), label=0, role="primal"
        )
        name = f"advance_{self.of}"
        block = Block((), (loop,), loop.targets)
        return Callee(name, self.function(name, (start, stop, *state, *self.free), block))

    def undo(self, snapshots: int | str) -> Operation:
        """The function that undoes the trips between two, as the operation that calls it."""
        step, advance = self.step(), self.advance()
        places = [1 + k for k in self.slots]
        offset = 1 + len(self.carried)
        places += [offset + self.free.index(var) for var in self.back.outside]
        halves = self.sweep.derivatives.of(step, tuple(places))
        names = self.names
        start, stop = names.fresh("start", INT), names.fresh("stop", INT)
        left = [] if snapshots == BISECTION else [names.fresh("snapshots", INT)]
        state = [names.fresh(p.name, p.type) for _, _, p, _ in self.carried]
        grads = self.fresh_grads()
        types = [grad.type for grad in grads]
        made = Callee(f"undo_{self.of}")
        undo = call_of_made(made, types)
        builder = Builder(names, self.sweep.builder.sizes, role="adjoint")
        builder.span = None
        end, *sums = self.from_the_end(builder, undo, advance, start, stop, left, state, grads)
        operations = catalogue().operations
        count = builder.assign(operations["-"], end, start)
        some = builder.assign(operations[">"], count, Const(0))
        outer, builder.statements = builder.statements, []
        values = [names.fresh(t.name, t.type) for t in self.loop.targets]
        saved = names.fresh("saved", SAVED)
        forward = forward_of(halves, [value.type for value in values])
        builder.append(forward, (*values, saved), start, *state, *self.free)
        seeds = self.seeds(builder, values, sums)
        given = self.fresh_grads()
        builder.append(reverse_of(halves, types), given, saved, *seeds)
        results: list[Atom] = list(given[: len(self.slots)])
        for total, part in zip(sums[len(self.slots) :], given[len(self.slots) :], strict=True):
            results.append(builder.assign(operations["+"], total, part))
        then = Block((), tuple(builder.statements), tuple(results))
        builder.statements = outer
        targets = self.fresh_grads()
        builder.statements.append(
            If(targets, some, then, Block((), (), tuple(sums)), None, "adjoint")
        )
        parameters = (start, stop, *left, *state, *self.free, *grads)
        block = Block((), tuple(builder.statements), targets)
        made.function = self.function(made.name, parameters, block)
        self.sweep.derivatives.extra.append((made.function, step))
        return undo

    def from_the_end(
        self,
        builder: Builder,
        undo: Operation,
        advance: Callee,
        start: Var,
        stop: Var,
        left: list[Var],
        state: list[Var],
        grads: tuple[Var, ...],
    ) -> tuple[Var, ...]:
        """While there is more than one trip: undo those behind a snapshot, then the rest."""
        operations, names = catalogue().operations, self.names
        tested = (names.fresh("stop", INT), *self.fresh_grads())
        own = (names.fresh("stop", INT), *self.fresh_grads())
        outer, builder.statements = builder.statements, []
        count = builder.assign(operations["-"], tested[0], start)
        more = builder.assign(operations[">"], count, Const(1))
        test = Block(tested, tuple(builder.statements), (more,))
        builder.statements = []
        if left:
            middle = builder.assign(
                operations["helper.next_snapshot"], start, own[0], *left, name="middle"
            )
            less: list[Atom] = [builder.assign(operations["-"], left[0], Const(1))]
        else:
            both = builder.assign(operations["+"], start, own[0])
            middle = builder.assign(operations["//"], both, Const(2), name="middle")
            less = []
        there = tuple(names.fresh(p.name, p.type) for _, _, p, _ in self.carried)
        reach = call_of(advance, [var.type for var in there])
        builder.append(reach, there, start, middle, *state, *self.free)
        given = self.fresh_grads()
        builder.append(undo, given, middle, own[0], *less, *there, *self.free, *own[1:])
        body = Block(own, tuple(builder.statements), (middle, *given))
        builder.statements = outer
        targets = (names.fresh("stop", INT), *self.fresh_grads())
        builder.statements.append(While(targets, (stop, *grads), test, body, None, "adjoint"))
        return targets

    def fresh_grads(self) -> tuple[Var, ...]:
        return self.back.fresh_grads(self.names)

    def seeds(self, builder: Builder, values: list[Var], sums: Sequence[Var]) -> list[Atom]:
        """An adjoint for each float that a trip hands on."""
        by_slot = dict(zip(self.slots, sums, strict=False))
        seeds: list[Atom] = []
        for k, value in enumerate(values):
            if is_float(value.type):
                seeds.append(by_slot[k] if k in by_slot else zero_like(builder, value))
        return seeds


__all__ = ["BISECTION", "can_checkpoint", "undo_in_parts"]
