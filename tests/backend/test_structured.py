"""Functions with loops and branches in print: modules that are run, and what they look like.

Bit for bit what `interpret` gives, arguments unchanged, results in memory of their own.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from s2s_ad.check import check
from s2s_ad.diagnostics import DifferentiationError
from s2s_ad.ir import (
    UNDEFINED,
    Atom,
    Block,
    Const,
    For,
    Formal,
    Function,
    If,
    Statement,
    Structure,
    Tree,
    Var,
    While,
)
from s2s_ad.operations import catalogue
from s2s_ad.operations.indexing import ADDITEM, SETITEM
from s2s_ad.operations.lists import APPEND, ITEM, LENGTH, POP, new_list
from s2s_ad.rewrite import Builder, Names
from s2s_ad.types import BOOL, FLOAT, INT, Array, Size, Sizes
from tests.backend.printed import assert_prints_right, assert_program_prints_right, body_of
from tests.farm.generator import program
from tests.farm.oracle import POINTS
from tests.farm.trials import value_of_type
from tests.frontend.lowered import lowered
from tests.frontend.test_programs import CASES

VECTOR = Array("f64", (Size.of("n"),))
OPERATIONS = catalogue().operations
X = np.array([0.5, -1.25, 2.0])


class Maker:
    """Builds a function by hand: `x` is an array, `a` a number, `m` an integer."""

    def __init__(self) -> None:
        self.names = Names()
        self.builder = Builder(self.names, Sizes())
        self.x, self.a, self.m = (
            self.names.fresh(name, type) for name, type in (("x", VECTOR), ("a", FLOAT), ("m", INT))
        )

    def __call__(self, op: Any, *operands: Any, name: str = "") -> Var:
        atoms = [atom if isinstance(atom, Var | Const) else Const(atom) for atom in operands]
        return self.builder.assign(OPERATIONS[op] if isinstance(op, str) else op, *atoms, name=name)

    def fresh(self, name: str, like: Var) -> Var:
        return self.names.fresh(name, like.type)

    def inside(self) -> list[Statement]:
        """The statements so far; what follows goes into a new list."""
        around, self.builder.statements = self.builder.statements, []
        return around

    def loop(
        self, around: list[Statement], parameters: Sequence[Var], initial: Sequence[Any],
        results: Sequence[Any], index: Var | None = None, stops: bool = False,
    ) -> tuple[Var, ...]:  # fmt: skip
        """Close a loop over `range(m)` whose body is what was built since `inside`."""
        index = index or self.names.fresh("i", INT)
        body = Block((index, *parameters), tuple(self.builder.statements), tuple(results))
        targets = tuple(self.names.fresh(p.name, p.type) for p in parameters)
        trip = (Const(0), self.m, Const(1))
        self.builder.statements = around
        around.append(For(targets, trip, tuple(initial), body, stops=stops))
        return targets

    def function(self, *results: Atom) -> Function:
        formals = tuple(Formal(str(var), var) for var in (self.x, self.a, self.m))
        tree: Tree = Structure("tuple", tuple(range(len(results))), results)
        output = results[0] if len(results) == 1 else tree
        body = Block((self.x, self.a, self.m), tuple(self.builder.statements), results)
        return check(Function("f", formals, body, output), after="hand")


def calls(*trips: int) -> list[tuple[Any, ...]]:
    return [(X, 0.75, m) for m in trips or (0, 1, 2, 5)]


def printed(function: Function, expected: str, *which: int) -> None:
    assert_prints_right(function, *calls(*which))
    assert_prints_right(function, *calls(*which), level=0)
    assert body_of(function) == textwrap.dedent(expected).strip("\n")


def test_an_accumulator_keeps_its_name() -> None:
    make = Maker()
    around = make.inside()
    s = make.names.fresh("s", FLOAT)
    following = make("+", s, make("*", s, make.a), name="s")
    (last,) = make.loop(around, [s], [Const(1.0)], [following])
    printed(
        make.function(last),
        """
        s = 1.0
        for i in range(m):
            s = s + s * a
        return s
        """,
    )


def test_swapped_values_are_assigned_at_once() -> None:
    make = Maker()
    around = make.inside()
    s, t = make.names.fresh("s", FLOAT), make.names.fresh("t", FLOAT)
    targets = make.loop(around, [s, t], [make.a, Const(2.0)], [t, s])
    printed(
        make.function(*targets),
        """
        s = a
        t = 2.0
        for i in range(m):
            s, t = t, s
        return s, t
        """,
    )


def test_a_value_that_is_overwritten_too_early() -> None:
    make = Maker()
    around = make.inside()
    s, t = make.names.fresh("s", FLOAT), make.names.fresh("t", FLOAT)
    total = make("+", s, t)
    targets = make.loop(around, [s, t], [make.a, Const(2.0)], [t, total])
    printed(
        make.function(*targets),
        """
        s = a
        t = 2.0
        for i in range(m):
            s, t = t, s + t
        return s, t
        """,
    )


def test_the_value_of_the_trip_before() -> None:
    """The lost copy: a carried value is read behind the assignment of the next one."""
    make = Maker()
    around = make.inside()
    s, old = make.names.fresh("s", FLOAT), make.names.fresh("old", FLOAT)
    following = make("*", s, make.a, name="s")
    targets = make.loop(around, [s, old], [Const(1.0), UNDEFINED], [following, s])
    printed(
        make.function(*targets),
        """
        s = 1.0
        for i in range(m):
            s_2 = s * a
            old = s
            s = s_2
        return s, old
        """,
        1,
        2,
        5,
    )


def test_a_value_from_before_the_loop_read_inside_and_behind() -> None:
    make = Maker()
    y = make("numpy.copy", make.x, name="y")
    around = make.inside()
    u = make.fresh("u", y)
    written = make(SETITEM, u, 0, make("getitem", y, 1), name="u")
    (last,) = make.loop(around, [u], [y], [written])
    printed(
        make.function(last, y),
        """
        y = np.copy(x)
        u = np.copy(y)
        for i in range(m):
            u[0] = y[1]
        return u, y
        """,
    )


def test_double_buffering_copies_nothing_in_the_loop() -> None:
    make = Maker()
    first, second = make("numpy.copy", make.x, name="u"), make("numpy.copy", make.x, name="w")
    around = make.inside()
    u, w = make.fresh("u", first), make.fresh("w", second)
    value = make("*", make("getitem", u, 1), make.a)
    written = make(SETITEM, w, 0, value, name="w")
    targets = make.loop(around, [u, w], [first, second], [written, u])
    printed(
        make.function(*targets),
        """
        u = np.copy(x)
        w = np.copy(x)
        for i in range(m):
            w[0] = u[1] * a
            u, w = w, u
        return u, w
        """,
    )


def test_an_argument_is_copied_once() -> None:
    make = Maker()
    around = make.inside()
    u = make.names.fresh("x", VECTOR)
    (last,) = make.loop(around, [u], [make.x], [make(ADDITEM, u, 0, make.a, name="x")])
    printed(
        make.function(last),
        """
        x = np.copy(x)
        for i in range(m):
            x[0] += a
        return x
        """,
    )


def test_two_values_that_start_as_one() -> None:
    make = Maker()
    first = make("numpy.copy", make.x, name="u")
    around = make.inside()
    u, w = make.fresh("u", first), make.fresh("w", first)
    results = [make(ADDITEM, u, 0, make.a, name="u"), make(SETITEM, w, 1, make.a, name="w")]
    targets = make.loop(around, [u, w], [first, first], results)
    assert_prints_right(make.function(*targets), *calls())


def test_an_old_value_that_is_still_read() -> None:
    make = Maker()
    first = make("numpy.copy", make.x, name="u")
    around = make.inside()
    u = make.fresh("u", first)
    written = make(SETITEM, u, 0, make.a, name="u")
    total = make("+", u, written, name="u")
    (last,) = make.loop(around, [u], [first], [total])
    assert_prints_right(make.function(last), *calls())


def test_a_view_that_is_held_across_an_update() -> None:
    make = Maker()
    first = make("numpy.copy", make.x, name="u")
    around = make.inside()
    u = make.fresh("u", first)
    view = make("getitem", u, Const(slice(1, None)), name="view")
    written = make(SETITEM, u, 1, make.a, name="u")
    total = make("numpy.sum", view, None, False)
    again = make(ADDITEM, written, 0, total, name="u")
    (last,) = make.loop(around, [u], [first], [again])
    assert_prints_right(make.function(last), *calls())


def test_a_branch_gives_what_was_there() -> None:
    make = Maker()
    y = make("numpy.copy", make.x, name="y")
    test = make(">", make.a, 0.5)
    around = make.inside()
    written = make(SETITEM, y, 0, make.a, name="y")
    then = Block((), tuple(make.inside()), (written,))
    target = make.fresh("y", y)
    around.append(If((target,), test, then, Block((), (), (y,))))
    make.builder.statements = around
    printed(
        make.function(target),
        """
        y = np.copy(x)
        if a > 0.5:
            y[0] = a
        return y
        """,
    )


def test_a_branch_whose_old_value_is_read_behind() -> None:
    make = Maker()
    y = make("numpy.copy", make.x, name="y")
    test = make(">", make.a, 0.5)
    around = make.inside()
    written = make(SETITEM, y, 0, make.a, name="y")
    then = Block((), tuple(make.inside()), (written,))
    target = make.fresh("z", y)
    around.append(If((target,), test, then, Block((), (), (y,))))
    make.builder.statements = around
    assert_prints_right(make.function(target, y), *calls(1))


def test_nested_loops_carry_one_array() -> None:
    make = Maker()
    first = make("numpy.copy", make.x, name="u")
    around = make.inside()
    outer = make.fresh("u", first)
    between = make.inside()
    inner = make.fresh("u", first)
    written = make(ADDITEM, inner, 0, make.a, name="u")
    (middle,) = make.loop(between, [inner], [outer], [written], make.names.fresh("j", INT))
    (last,) = make.loop(around, [outer], [first], [middle])
    printed(
        make.function(last),
        """
        u = np.copy(x)
        for i in range(m):
            for j in range(m):
                u[0] += a
        return u
        """,
    )


def test_a_loop_that_stops() -> None:
    make = Maker()
    around = make.inside()
    s = make.names.fresh("s", FLOAT)
    following = make("+", s, make.a, name="s")
    stop = make(">", following, 1.0)
    (last,) = make.loop(around, [s], [Const(0.0)], [following, stop], stops=True)
    printed(
        make.function(last),
        """
        s = 0.0
        for i in range(m):
            s = s + a
            if s > 1.0:
                break
        return s
        """,
    )


def test_the_branch_that_stops_is_printed_with_break() -> None:
    make = Maker()
    around = make.inside()
    s = make.names.fresh("s", FLOAT)
    test = make(">", s, 1.0)
    before = make.inside()
    more = make("+", s, make.a, name="s")
    orelse = Block((), tuple(make.builder.statements), (more, Const(False)))
    chosen, stop = make.fresh("s", s), make.names.temporary(BOOL)
    before.append(If((chosen, stop), test, Block((), (), (s, Const(True))), orelse))
    make.builder.statements = before
    (last,) = make.loop(around, [s], [Const(0.0)], [chosen, stop], stops=True)
    printed(
        make.function(last),
        """
        s = 0.0
        for i in range(m):
            if s > 1.0:
                break
            s = s + a
        return s
        """,
    )


def test_a_list_keeps_what_was_put_into_it() -> None:
    """`u` is written in the next trip: the list gets a copy of it."""
    make = Maker()
    first = make("numpy.copy", make.x, name="u")
    empty = make(new_list(VECTOR), name="saved")
    around = make.inside()
    u, saved = make.fresh("u", first), make.fresh("saved", empty)
    longer = make(APPEND, saved, u, name="saved")
    written = make(ADDITEM, u, 0, make.a, name="u")
    last, kept = make.loop(around, [u, saved], [first, empty], [written, longer])
    count = make(LENGTH, kept)
    around = make.inside()
    total, rest = make.fresh("total", last), make.fresh("saved", kept)
    item, shorter = make.fresh("item", last), make.fresh("saved", kept)
    make.builder.append(POP, (item, shorter), rest)
    more = make("+", make("*", total, 2.0), item, name="total")
    make.loop(around, [total, rest], [last, kept], [more, shorter])
    loop = around[-1]
    assert isinstance(loop, For)
    around[-1] = For(loop.targets, (Const(0), count, Const(1)), loop.initial, loop.body)
    printed(
        make.function(loop.targets[0], last),
        """
        u = np.copy(x)
        saved: list[npt.NDArray[np.float64]] = []
        for i in range(m):
            saved.append(np.copy(u))
            u[0] += a
        total = u
        for i in range(len(saved)):
            item = saved.pop()
            total = total * 2.0 + item
        return total, np.copy(u)
        """,
    )


def test_a_list_that_nobody_changes_needs_no_copies() -> None:
    make = Maker()
    empty = make(new_list(VECTOR), name="saved")
    around = make.inside()
    y, saved = make.names.fresh("y", VECTOR), make.fresh("saved", empty)
    longer = make(APPEND, saved, y, name="saved")
    following = make("*", y, make.a, name="y")
    _, kept = make.loop(around, [y, saved], [make.x, empty], [following, longer])
    result = make("*", make(ITEM, kept, 0), 1.0, name="result")
    function = make.function(result)
    assert_prints_right(function, *calls(1, 2))
    assert "saved.append(y)" in body_of(function)


def test_a_while_loop_reads_its_condition_again() -> None:
    make = Maker()
    start = make.a
    tested, s = make.names.fresh("s", FLOAT), make.names.fresh("s", FLOAT)
    around = make.inside()
    condition = make("<", tested, 100.0)
    test = Block((tested,), tuple(make.inside()), (condition,))
    following = make("*", s, 2.0, name="s")
    body = Block((s,), tuple(make.builder.statements), (following,))
    target = make.names.fresh("s", FLOAT)
    make.builder.statements = around
    around.append(While((target,), (start,), test, body))
    printed(
        make.function(target),
        """
        s = a
        while s < 100.0:
            s = s * 2.0
        return s
        """,
        1,
    )


@pytest.mark.parametrize("title", CASES)
def test_programs_of_the_front_end(title: str) -> None:
    options, text, listed = CASES[title]
    arguments = re.findall(r'arg="(.*?)"', options)
    evaluated = [eval(line, {"np": np}) for line in listed.splitlines()]
    assert_program_prints_right(text, *evaluated, arguments=arguments)


@pytest.mark.parametrize("seed", range(40))
def test_drawn_programs(seed: int) -> None:
    drawn = program(seed, size=9)
    generator = np.random.default_rng(seed)
    calls = [
        [value_of_type(*argument, sizes, generator) for argument in drawn.arguments]
        for sizes in POINTS[:2]
    ]
    arguments = [f"{name}={type}" for name, type in drawn.arguments]
    try:
        lowered(drawn.text, arguments)
    except DifferentiationError:
        return  # right or refused
    assert_program_prints_right(drawn.text, *calls, arguments=arguments)
