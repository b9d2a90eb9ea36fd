"""Tapes and stacks: what a value of a loop is written to and read from again.

A tape is an array with one leading dimension for each loop around the value, addressed by the
number of the trip. Where the number of trips or the shape is not known before the outermost loop,
a list serves as a stack.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from s2s_ad.ir import Atom, Const, For, If, Var
from s2s_ad.operations import catalogue
from s2s_ad.operations.indexing import SETITEM, TUPLE
from s2s_ad.operations.lists import APPEND, POP, new_list
from s2s_ad.operations.support import COPY
from s2s_ad.passes.sizes import can_compute, compute
from s2s_ad.passes.storage.places import Places
from s2s_ad.passes.storage.rows import count_rows, has_rows, row_of_trip
from s2s_ad.rewrite import Builder
from s2s_ad.types import DTYPES, Array, ListOf, Number, Scalar, Static, dtype_of, shape_of

Resolve = Callable[[Var], Atom]


@dataclass(frozen=True)
class Tape:
    """An array for the values of `var`; `loops` are those around it, outermost first."""

    var: Var
    loops: tuple[For, ...]
    places: Places
    parameters: tuple[Var, ...]
    ahead: bool = False  # one row more: a row also serves as what the trip before handed on

    def create(self, builder: Builder, parameters: tuple[Var, ...]) -> Var:
        lengths = [
            count_rows(builder, self.places, loop, parameters, self.ahead) for loop in self.loops
        ]
        if self.ahead:
            lengths[-1] = builder.assign(catalogue().operations["+"], lengths[-1], Const(1))
        for size in shape_of(self.var.type) or ():
            lengths.append(compute(builder.assign, size, parameters))
        shape: Atom
        if len(lengths) == 1:
            shape = lengths[0]
        elif all(isinstance(length, Const) for length in lengths):
            shape = Const(tuple(length.value for length in lengths if isinstance(length, Const)))
        else:
            shape = builder.assign(TUPLE, *lengths)
        name = DTYPES[dtype_of(self.var.type)]
        name = "bool_" if name == "bool" else name
        dtype = Const(None) if name == "float64" else Const(name, f"numpy.{name}")
        empty = catalogue().operations["numpy.empty"]
        return builder.assign(empty, shape, dtype, name=f"saved_{self.var.name}")

    def write(self, builder: Builder, tape: Var, resolve: Resolve) -> Var:
        return builder.assign(SETITEM, tape, self.index(builder, resolve), self.var, name=tape.name)

    def read(self, builder: Builder, tape: Var, resolve: Resolve) -> tuple[Var, Var]:
        """The value of this trip and the tape, as it was."""
        found = builder.assign(
            catalogue().operations["getitem"], tape, self.index(builder, resolve)
        )
        return as_before(builder, found, self.var), tape

    def finish(self, builder: Builder, tape: Var, last: Var) -> Var:
        """Behind the loop the last row gets what the last trip has handed on."""
        return builder.assign(SETITEM, tape, Const(-1), last, name=tape.name)

    def read_next(self, builder: Builder, tape: Var, resolve: Resolve, var: Var) -> Var:
        """What this trip hands on, in the row of the next."""
        index = self.index(builder, resolve, 1)
        found = builder.assign(catalogue().operations["getitem"], tape, index)
        return as_before(builder, found, var)

    def index(self, builder: Builder, resolve: Resolve, ahead: int = 0) -> Atom:
        """The numbers of the trips, the last one so many ahead."""
        numbers = [
            row_of_trip(builder, self.places, loop, resolve, self.parameters, self.ahead)
            for loop in self.loops
        ]
        if ahead:
            plus = catalogue().operations["+"]
            numbers[-1] = builder.assign(plus, numbers[-1], Const(ahead))
        return numbers[0] if len(numbers) == 1 else builder.assign(TUPLE, *numbers)


@dataclass(frozen=True)
class Stack:
    """A list that values are put on, and taken from in reverse order."""

    var: Var

    def create(self, builder: Builder, parameters: tuple[Var, ...]) -> Var:
        return builder.assign(new_list(self.var.type), name=f"saved_{self.var.name}")

    def write(self, builder: Builder, stack: Var, resolve: Resolve) -> Var:
        return builder.assign(APPEND, stack, self.var, name=stack.name)

    def read(self, builder: Builder, stack: Var, resolve: Resolve) -> tuple[Var, Var]:
        """The value on top, and the stack without it."""
        top = builder.names.fresh(self.var.name, self.var.type)
        rest = builder.names.fresh(stack.name, stack.type)
        builder.append(POP, (top, rest), stack)
        return top, rest


Storage = Tape | Stack


def storage_for(places: Places, var: Var, parameters: tuple[Var, ...]) -> Storage:
    """A tape where one can be allocated before the outermost loop, otherwise a stack."""
    loops: list[For] = []
    for label, _ in places.home[var]:
        statement = places.statements[label]
        if isinstance(statement, If):
            continue
        if (
            not isinstance(statement, For)
            or statement.stops
            or not has_rows(places, statement, parameters)
        ):
            return Stack(var)
        loops.append(statement)
    shape = None if isinstance(var.type, ListOf | Static) else shape_of(var.type)
    if shape is None or not all(can_compute(size, parameters) for size in shape):
        return Stack(var)
    return Tape(var, tuple(loops), places, parameters)


def as_before(builder: Builder, found: Var, var: Var) -> Var:
    """What a tape gives, as the kind of value that was put in: a Python number again, or an array
    of rank 0.
    """
    if isinstance(var.type, Number):
        convert = catalogue().operations[f"builtins.{var.type.kind}"]
        found = builder.assign(convert, found)
    elif isinstance(var.type, Array) and not isinstance(found.type, Array):
        found = builder.assign(COPY, found)
    assert isinstance(var.type, Number | Scalar | Array)
    return builder.retype_last(var)


def as_stored(builder: Builder, found: Var, var: Var, narrow: bool) -> Var:
    """What an array gives back of a value stored in it. An element may stand for a Python number,
    unless there are `narrow` floats: those it would widen.
    """
    return as_before(builder, found, var) if narrow else builder.retype_last(var)
