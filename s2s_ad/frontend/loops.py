"""Loops: `for` and `while` to blocks that carry values.

What a loop carries is found by lowering its body: names and arrays that mean something else at its
end become parameters, with the type that fits all trips, and the body is lowered again until
nothing changes. The plan that was stable is kept for the next time, so that trials of nested loops
do not multiply. A name that has no one type (`s = 0.0` and then an array) is settled by lowering
the first trip apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import libcst as cst

from s2s_ad.frontend import jumps
from s2s_ad.frontend.blocks import BROKEN, DEAD, GONE, JUMPS, RETURNED, Checkpoint
from s2s_ad.frontend.branches import choose, header, truth
from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.iteration import Counted, check_unchanged, iteration, known_trips
from s2s_ad.frontend.loop_plans import FLOW, Loop, Node, Plan, TestChanges, first_guess, renewed
from s2s_ad.frontend.loop_trials import trial
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.resolve import names_bound, target_names
from s2s_ad.frontend.values import Peel, Refused, Unsettled, Value
from s2s_ad.ir import Atom, Const, Var
from s2s_ad.operations.support import RANGE_LENGTH

# Each level may be tried again for each trial of the one around it.
MOST_NESTED = 12


MOST_TRIALS = 30


MOST_UNROLLED = 64


# what may be settled by knowing the index of a loop
BY_INDEX = ("not-constant", "write-in-place", "changes-kind", "bad-index")


# Statements ---------------------------------------------------------------------------------------


def lower_for(lowering: Lowering, node: cst.For) -> None:
    from s2s_ad.frontend.statements import bind

    lowering.statements.append(header(lowering, node, node.iter))
    if node.asynchronous is not None:
        raise lowering.refuse(
            "unsupported-syntax", "`async for` is not supported", node, help="write a plain `for`"
        )
    found = iteration(lowering, node.iter, node.target)
    body = jumps.statements_of(node.body)

    def with_item(item: Value, place: int = 0) -> None:
        check_unchanged(lowering, found, node.iter, place)
        bind(lowering, node.target, item)
        jumps.lower_suite(lowering, body)

    if isinstance(found, list):
        before = dict(lowering.frame.names)
        _one_by_one(
            lowering, node, [partial(with_item, item, place) for place, item in enumerate(found)]
        )
        _after(lowering, node, before)
        return

    def trip(index: Atom | None) -> None:
        assert index is not None
        with_item(found.item(index))

    _lower_loop(lowering, Loop(node, found, trip, None, *_assigned_in(lowering, node)))


def lower_while(lowering: Lowering, node: cst.While) -> None:
    lowering.statements.append(header(lowering, node, node.test))
    body = jumps.statements_of(node.body)

    def test() -> Atom:
        return truth(lowering, lower_expression(lowering, node.test), node.test)

    def test_and_trip(_: Atom | None) -> None:
        choose(lowering, test(), whole_body, leave, node)

    def leave() -> None:
        jumps.jump(lowering, GONE, BROKEN)

    whole_body = partial(jumps.lower_suite, lowering, body)
    names = _assigned_in(lowering, node)
    checkpoint = Checkpoint(lowering)
    try:
        if node.orelse is None and names_bound(lowering.frame.unit, node.test):
            raise TestChanges
        _lower_loop(lowering, Loop(node, None, lambda _: whole_body(), test, *names))
    except TestChanges:
        # what the test does belongs to the trip: `while True: if not test: break`
        checkpoint.restore()
        _lower_loop(lowering, Loop(node, None, test_and_trip, lambda: jumps.YES, *names))
        return
    if _flag(lowering, RETURNED) != jumps.NO and jumps.only_returns(node):
        jumps.jump(lowering, *JUMPS)  # nothing else leads out of it


def _assigned_in(
    lowering: Lowering, node: cst.For | cst.While
) -> tuple[frozenset[str], frozenset[str]]:
    """The names that a loop assigns, and those of them that it only updates."""
    unit = lowering.frame.unit
    assigned = names_bound(unit, node)
    return assigned, assigned - names_bound(unit, node, updates=False)


def lower_clause(
    lowering: Lowering,
    node: cst.CompFor | cst.Call | cst.Tuple | cst.List | cst.Subscript | cst.BinaryOperation,
    found: Counted,
    trip: Callable[[Atom | None], None],
) -> None:
    """A clause of a comprehension, or what a call goes through, as a loop."""
    flow = {flag: lowering.frame.names.get(flag) for flag in FLOW}
    jumps.start_flow(lowering.frame.names)  # a lambda has no statements, and so no flags
    names = target_names(node.target) if isinstance(node, cst.CompFor) else ()
    _lower_loop(lowering, Loop(node, found, trip, assigned=frozenset(names)))
    for flag, value in flow.items():
        if value is None:
            lowering.frame.names.pop(flag, None)
        else:
            lowering.frame.names[flag] = value


def _one_by_one(lowering: Lowering, node: Node, trips: Sequence[Callable[[], None]]) -> None:
    """Trips one after the other; those behind one that may have left the loop in a branch."""

    def from_trip(place: int) -> None:
        for k in range(place, len(trips)):
            lowering.frame.names[GONE] = jumps.NO
            trips[k]()
            left = _flag(lowering, BROKEN)
            if left == jumps.YES:
                return
            if left != jumps.NO:
                choose(lowering, left, lambda: None, partial(again, k + 1), node)
                return

    def again(place: int) -> None:
        jumps.start_flow(lowering.frame.names)
        from_trip(place)

    lowering.frame.names[BROKEN] = jumps.NO
    from_trip(0)


def _flag(lowering: Lowering, name: str) -> Atom:
    if DEAD in lowering.frame.names:
        return jumps.YES
    value = lowering.frame.names[name]
    if not isinstance(value, Var | Const):
        raise Refused()
    return value


def _after(lowering: Lowering, node: Node, before: Mapping[str, Value]) -> None:
    """The flags behind a loop, and its `else`."""
    names = lowering.frame.names
    if DEAD in names:
        return
    broken = _flag(lowering, BROKEN)
    names[BROKEN] = before[BROKEN]
    names[GONE] = names[RETURNED]
    if RETURNED in names and names[RETURNED] != jumps.NO:
        # an inlined loop within a loop: a return leaves all of them
        names[BROKEN] = names[RETURNED]
    if isinstance(node, cst.For | cst.While) and node.orelse is not None:
        suite = jumps.statements_of(node.orelse.body)
        choose(lowering, broken, lambda: None, lambda: jumps.go_on(lowering, suite), node)


# Trials -------------------------------------------------------------------------------------------


def _lower_loop(lowering: Lowering, loop: Loop) -> None:
    if sum(len(frame.expected) for frame in lowering.frames) >= MOST_NESTED:
        raise lowering.refuse(
            "too-deep",
            f"loops are nested more than {MOST_NESTED} deep here",
            loop.node,
            help="make one loop of several, or work on whole arrays",
        )
    key = (loop.node, tuple(id(frame.call) for frame in lowering.frames))
    before = dict(lowering.frame.names)
    known = lowering.plans.get(key)
    if isinstance(known, Plan):
        plan = renewed(lowering, loop, known)
    else:
        plan = first_guess(lowering, loop)
    for _ in range(MOST_TRIALS):
        checkpoint = Checkpoint(lowering)
        try:
            if plan.unrolled:
                _unroll(lowering, loop)
                better = plan
            elif plan.peeled:
                _peeled(lowering, loop)
                better = plan
            else:
                better = trial(lowering, loop, plan)
        except Peel as peel:
            if peel.loop is not loop.token:
                raise
            better = replace(plan, peeled=True)
        except Refused:
            better = _unrolling(lowering, loop, plan, checkpoint)
            if better is plan:
                raise
        if better is plan:
            lowering.plans[key] = plan
            _give_up(lowering, loop)
            _after(lowering, loop.node, before)
            return
        checkpoint.restore(keep_sizes=not plan.unrolled and not better.unrolled)
        plan = better
    raise lowering.refuse(
        "changes-kind",
        "no types were found that fit every trip of this loop",
        loop.node,
        help="give what is carried from trip to trip one type from the start",
    )


def _give_up(lowering: Lowering, loop: Loop) -> None:
    """Behind a loop, a trip lowered apart can no longer settle what a name means."""
    names = lowering.frame.names
    for name, value in list(names.items()):
        if isinstance(value, Unsettled) and value.loop is loop.token:
            names[name] = replace(value, loop=None)


# Trips lowered apart ------------------------------------------------------------------------------


def _peeled(lowering: Lowering, loop: Loop) -> None:
    """The first trip, and then the others as a loop."""
    counted = loop.counted
    node = loop.node
    if counted is None:
        assert loop.test is not None
        choose(lowering, loop.test(), lambda: _trips(lowering, loop, None), lambda: None, node)
        return
    start, stop, step = counted.trip
    numbers = known_trips(lowering, counted)
    test: Atom
    if numbers is not None:
        test = Const(len(numbers) > 0)
    elif not isinstance(step, Const):
        test = lowering.assign(RANGE_LENGTH, [start, stop, step], node)
    else:
        symbol = "<" if step.value > 0 else ">"
        test = lowering.assign(lowering.operation(symbol), [start, stop], node)
    choose(lowering, test, lambda: _trips(lowering, loop, counted), lambda: None, node)


def _trips(lowering: Lowering, loop: Loop, counted: Counted | None) -> None:
    names = lowering.frame.names
    node = loop.node
    names[BROKEN] = jumps.NO
    if counted is None:
        loop.trip(None)
        rest = Loop(node, None, loop.trip, loop.test, loop.assigned)
    else:
        start, stop, step = counted.trip
        loop.trip(start)
        second: Atom
        if isinstance(start, Const) and isinstance(step, Const):
            second = Const(start.value + step.value)
        else:
            second = lowering.assign(lowering.operation("+"), [start, step], node)
        trip = (second, stop, step)
        rest = Loop(node, replace(counted, trip=trip), loop.trip, assigned=loop.assigned)
    broken = _flag(lowering, BROKEN)

    def others() -> None:
        jumps.start_flow(lowering.frame.names)
        plan = first_guess(lowering, rest)
        for _ in range(MOST_TRIALS):
            checkpoint = Checkpoint(lowering)
            try:
                better = trial(lowering, rest, plan)
            except Peel as peel:
                if peel.loop is not rest.token:
                    raise
                raise _never_settled(lowering, node) from None
            if better is plan:
                _give_up(lowering, rest)
                return
            checkpoint.restore(keep_sizes=True)
            plan = better
        raise _never_settled(lowering, node)

    choose(lowering, broken, lambda: None, others, node)


def _never_settled(lowering: Lowering, node: cst.CSTNode) -> Refused:
    return lowering.refuse(
        "changes-kind",
        "a value that this loop carries changes its type from trip to trip",
        node,
        help="give it one type from the start, for example with `np.zeros`",
    )


def _unrolling(lowering: Lowering, loop: Loop, plan: Plan, checkpoint: Checkpoint) -> Plan:
    """A short loop whose index has to be known is written out."""
    mark = checkpoint.numbers[3]
    wanted = any(diagnostic.name in BY_INDEX for diagnostic in lowering.reporter.since(mark))
    if plan.unrolled or loop.counted is None or not wanted:
        return plan
    numbers = known_trips(lowering, loop.counted)
    if numbers is None or len(numbers) > MOST_UNROLLED:
        return plan
    return replace(plan, unrolled=True)


def _unroll(lowering: Lowering, loop: Loop) -> None:
    counted, node = loop.counted, loop.node
    assert counted is not None
    numbers = known_trips(lowering, counted)
    assert numbers is not None

    _one_by_one(lowering, node, [partial(loop.trip, Const(number)) for number in numbers])


__all__ = ["lower_for", "lower_while"]
