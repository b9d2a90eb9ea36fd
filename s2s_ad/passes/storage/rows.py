"""Which row of a tape belongs to a trip, and how many rows a loop needs.

Where a loop counts up from 0, 1 or 2, or down to that, the row is the loop's own index, as one
would write it by hand; otherwise the number of the trip. A bound that depends on the loop around
(`for j in range(i)`) is replaced by its largest value: the tape of a triangle is a square.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from s2s_ad.ir import Assign, Atom, Const, For, Var
from s2s_ad.operations import catalogue
from s2s_ad.operations.support import RANGE_LENGTH
from s2s_ad.passes.sizes import can_compute, compute, is_natural
from s2s_ad.passes.storage.places import TOP, Places
from s2s_ad.rewrite import Builder
from s2s_ad.types import Number

MOST_EMPTY = 2  # rows that nothing is written to
UP, DOWN = Const(1), Const(-1)

Resolve = Callable[[Var], Atom]
Bound = tuple[Atom, int]  # the sum of the two
Parameters = Sequence[Var]


def has_rows(places: Places, loop: For, parameters: Parameters) -> bool:
    """Whether the rows can be counted before the outermost loop, and numbered in this one."""
    start = loop.trip[0]
    if all(_is_known(places, atom, parameters) for atom in loop.trip):
        return not isinstance(start, Var) or places.home[start] == TOP
    return _is_triangle(places, loop, parameters)


def _is_triangle(places: Places, loop: For, parameters: Parameters) -> bool:
    """Whether one end of the loop moves with a loop around, and all indices are natural numbers."""
    start, stop, step = loop.trip
    if step not in (UP, DOWN):
        return False
    fixed, moving = (stop, start) if _is_known(places, stop, parameters) else (start, stop)
    last = _least(places, start if step == UP else stop)
    return (
        _is_known(places, fixed, parameters)
        and isinstance(moving, Var)
        and last is not None
        and last >= (0 if step == UP else -1)
        and _most(places, _end(loop), parameters) is not None
    )


def count_rows(
    builder: Builder, places: Places, loop: For, parameters: Parameters, exact: bool = False
) -> Atom:
    """How many rows there are, as the top of the function computes it. Unless they have to be
    `exact`, a dimension will do for a little less.
    """
    step = loop.trip[2]
    if not counts_itself(places, loop, parameters, exact):
        bounds = [_at_top(builder, places, atom, parameters) for atom in loop.trip]
        return builder.assign(RANGE_LENGTH, *bounds)
    found = _most(places, _end(loop), parameters)
    assert found is not None
    bound, more = found
    more += 1 if step == DOWN else 0
    inner, by = _shift(places, bound)
    while inner is not None and _is_known(places, inner, parameters):
        bound, more = inner, more + by
        inner, by = _shift(places, bound)
    end = _at_top(builder, places, bound, parameters)
    if not exact and -MOST_EMPTY <= more <= 0 and is_natural(bound):
        return end
    total = _plus(builder, end, more)
    if isinstance(total, Const):
        return Const(max(0, total.value))
    return total if is_natural(total) else builder.assign(RANGE_LENGTH, Const(0), total, Const(1))


def counts_itself(places: Places, loop: For, parameters: Parameters, exact: bool = False) -> bool:
    """Whether the row of a trip is the loop's index. `exact`: the next one's is behind."""
    start, stop, step = loop.trip
    if step == UP and isinstance(start, Const):
        return bool(0 <= start.value <= MOST_EMPTY)
    if step == DOWN and isinstance(stop, Const):
        return bool(-1 <= stop.value < MOST_EMPTY) and not exact
    return not all(_is_known(places, atom, parameters) for atom in loop.trip)


def row_of_trip(
    builder: Builder,
    places: Places,
    loop: For,
    resolve: Resolve,
    parameters: Parameters,
    exact: bool = False,
) -> Atom:
    operations = catalogue().operations
    number = resolve(loop.body.parameters[0])
    start, _, step = loop.trip
    if counts_itself(places, loop, parameters, exact):
        return number
    if step == DOWN:
        return builder.assign(operations["-"], start, number)
    if start != Const(0):
        number = builder.assign(operations["-"], number, start)
    if step != UP:
        number = builder.assign(operations["//"], number, step)
    return number


def _end(loop: For) -> Atom:
    start, stop, step = loop.trip
    return stop if step == UP else start


def _plus(builder: Builder, atom: Atom, by: int) -> Atom:
    if by == 0:
        return atom
    if isinstance(atom, Const):
        return Const(atom.value + by)
    return builder.assign(catalogue().operations["+" if by > 0 else "-"], atom, Const(abs(by)))


def _is_known(places: Places, atom: Atom, parameters: Parameters) -> bool:
    """Whether the top of the function knows a bound."""
    if isinstance(atom, Const) or places.home[atom] == TOP:
        return True
    value = atom.type.value if isinstance(atom.type, Number) else None
    return value is not None and can_compute(value, parameters)


def _at_top(builder: Builder, places: Places, atom: Atom, parameters: Parameters) -> Atom:
    if isinstance(atom, Const) or places.home[atom] == TOP:
        return atom
    assert isinstance(atom.type, Number) and atom.type.value is not None
    return compute(builder.assign, atom.type.value, tuple(parameters))


def _most(places: Places, atom: Atom, parameters: Parameters) -> Bound | None:
    """What a bound of a loop is at most: something that the top of the function knows."""
    if _is_known(places, atom, parameters):
        return atom, 0
    loop = _counted_by(places, atom)
    if loop is not None:
        bound = _most(places, _end(loop), parameters) if loop.trip[2] in (UP, DOWN) else None
        return None if bound is None else (bound[0], bound[1] - (1 if loop.trip[2] == UP else 0))
    inner, by = _shift(places, atom)
    bound = None if inner is None else _most(places, inner, parameters)
    return None if bound is None else (bound[0], bound[1] + by)


def _least(places: Places, atom: Atom) -> int | None:
    """A number that a bound of a loop is at least."""
    if isinstance(atom, Const):
        return atom.value if type(atom.value) is int else None
    loop = _counted_by(places, atom)
    if loop is not None:
        start, stop, step = loop.trip
        if step == UP:
            return _least(places, start)
        least = _least(places, stop) if step == DOWN else None
        return None if least is None else least + 1
    inner, by = _shift(places, atom)
    least = None if inner is None else _least(places, inner)
    if least is not None:
        return least + by
    return 0 if is_natural(atom) else None


def _counted_by(places: Places, atom: Atom) -> For | None:
    """The loop whose index an atom is."""
    place = places.home.get(atom) if isinstance(atom, Var) else None
    loop = places.statements.get(place[-1][0]) if place else None
    return loop if isinstance(loop, For) and loop.body.parameters[0] == atom else None


def _shift(places: Places, atom: Atom) -> tuple[Atom | None, int]:
    """`x` and 3 of `x + 3`."""
    made = places.made_by.get(atom) if isinstance(atom, Var) else None
    if isinstance(made, Assign) and made.op.name in ("+", "-"):
        left, right = made.operands
        if isinstance(right, Const) and type(right.value) is int:
            return left, right.value if made.op.name == "+" else -right.value
        if isinstance(left, Const) and type(left.value) is int and made.op.name == "+":
            return right, left.value
    return None, 0
