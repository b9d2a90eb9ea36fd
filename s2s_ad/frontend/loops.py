"""Loops: `for` and `while` to blocks that carry values.

What a loop carries is found by lowering its body: names and arrays that mean something else at its
end become parameters, with the type that fits all trips, and the body is lowered again until
nothing changes. The plan that was stable is kept for the next time, so that trials of nested loops
do not multiply. A name that has no one type (`s = 0.0` and then an array) is settled by lowering
the first trip apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import libcst as cst

from s2s_ad.frontend import jumps
from s2s_ad.frontend.blocks import (
    BROKEN,
    DEAD,
    GONE,
    JUMPS,
    MISSING,
    RETURNED,
    Checkpoint,
    Found,
    Missing,
    Path,
    Place,
    State,
    alike,
    at_end,
    capture,
    changed_places,
    changes_kind,
    describe,
    escaping,
    has_memory,
    hint_for,
    is_leaf,
    lower_path,
    new_variable,
    put,
    same,
    same_items,
    settled,
    share,
)
from s2s_ad.frontend.branches import choose, header, truth
from s2s_ad.frontend.containers import (
    as_objects,
    common_template,
    filled,
    grown,
    numeric_leaves,
    without_objects,
)
from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.iteration import Counted, check_unchanged, iteration, known_trips
from s2s_ad.frontend.joins import Joiner
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.resolve import names_bound, target_names
from s2s_ad.frontend.values import Container, Growing, Peel, Poison, Refused, Unsettled, Value
from s2s_ad.ir import UNDEFINED, Atom, Block, Const, For, Structure, Var, While
from s2s_ad.operations.support import RANGE_LENGTH
from s2s_ad.types import Array, ListOf, Number

# Each level may be tried again for each trial of the one around it.
MOST_NESTED = 12
MOST_TRIALS = 30
MOST_UNROLLED = 64
# what may be settled by knowing the index of a loop
BY_INDEX = ("not-constant", "write-in-place", "changes-kind", "bad-index")
FLOW = (GONE, BROKEN, RETURNED, jumps.RESULT)


@dataclass(frozen=True)
class Plan:
    """What is known of a loop: a template for each place it carries, whose variables give types."""

    templates: Mapping[Place, Found]
    joiner: Joiner
    kept: frozenset[Place] = frozenset()  # places whose value no trip changes
    lost: frozenset[Var] = frozenset()
    overlaps: frozenset[tuple[Any, Any]] = frozenset()
    peeled: bool = False
    unrolled: bool = False


Node = cst.For | cst.While | cst.CompFor | cst.Call


@dataclass
class Loop:
    """A loop being lowered: what its test and its trips are."""

    node: Node
    counted: Counted | None
    trip: Callable[[Atom | None], None]  # lowers one trip
    test: Callable[[], Atom] | None = None
    assigned: frozenset[str] = frozenset()  # the names that the user's trip assigns
    updated: frozenset[str] = frozenset()  # of these, the ones that it does not bind, but by `+=`
    token: object = field(default_factory=object)


# Statements ---------------------------------------------------------------------------------------


def lower_for(lowering: Lowering, node: cst.For) -> None:
    from s2s_ad.frontend.statements import bind

    lowering.statements.append(header(lowering, node, node.iter))
    if node.asynchronous is not None:
        raise lowering.refuse(
            "unsupported-syntax", "`async for` is not supported", node, help="write a plain `for`"
        )
    found = iteration(lowering, node.iter)
    body = jumps.statements_of(node.body)

    def with_item(item: Value) -> None:
        check_unchanged(lowering, found, node.iter)
        bind(lowering, node.target, item)
        jumps.lower_suite(lowering, body)

    if isinstance(found, list):
        before = dict(lowering.frame.names)
        _one_by_one(lowering, node, [partial(with_item, item) for item in found])
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


class TestChanges(Exception):
    """The test of a `while` writes to something, or binds names."""


def _assigned_in(
    lowering: Lowering, node: cst.For | cst.While
) -> tuple[frozenset[str], frozenset[str]]:
    """The names that a loop assigns, and those of them that it only updates."""
    unit = lowering.frame.unit
    assigned = names_bound(unit, node)
    return assigned, assigned - names_bound(unit, node, updates=False)


def lower_clause(
    lowering: Lowering,
    node: cst.CompFor | cst.Call,
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
    first = known if isinstance(known, Plan) else _first_guess(lowering, loop)
    plan = _still_there(lowering, first)
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
                better = _trial(lowering, loop, plan)
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


def _first_guess(lowering: Lowering, loop: Loop) -> Plan:
    """The names that the body assigns, with the types that they have before. An array to which
    `x += y` is done, and nothing else, stays the same array.
    """
    joiner = Joiner(lowering.sizes)
    templates: dict[Place, Found] = {}
    for name in sorted(loop.assigned & lowering.frame.names.keys()):
        value = settled(lowering, lowering.frame.names[name], loop.node)
        if name in loop.updated and isinstance(value, Var) and isinstance(value.type, Array):
            continue
        templates["name", name] = _template(lowering, joiner, value, name)
    return Plan(templates, joiner)


def _still_there(lowering: Lowering, plan: Plan) -> Plan:
    """A plan from an earlier trial of the loop around, without the arrays that it had made."""
    alive = set[object]()
    for frame in lowering.frames:
        _add_roots(lowering, frame.names.values(), alive)
    _add_roots(lowering, lowering.memory.contents.values(), alive)

    by_name: dict[str, list[Var]] = {}
    for root in alive:
        if isinstance(root, Var) and not root.is_temporary:
            by_name.setdefault(root.name, []).append(root)

    def now_called(key: Any) -> Any:
        """An array of an earlier trial goes by its name, where that is one array now."""
        if isinstance(key, tuple):
            return tuple(map(now_called, key))
        if isinstance(key, Var) and key not in alive:
            same = by_name.get(key.name, [])
            return same[0] if len(same) == 1 and same[0].type == key.type else key
        return key

    def is_there(place: Place) -> bool:
        kinds = {"root": alive, "heap": lowering.memory.contents}
        return place[0] not in kinds or place[1] in kinds[place[0]]

    renewed = {now_called(place): value for place, value in plan.templates.items()}
    places = {place: value for place, value in renewed.items() if is_there(place)}
    kept = frozenset(filter(is_there, map(now_called, plan.kept)))
    lost = frozenset(root for root in map(now_called, plan.lost) if root in alive)
    overlaps = frozenset(map(now_called, plan.overlaps))
    if len(places) < len(plan.templates):
        overlaps = frozenset()
    if (places.keys(), kept, lost, overlaps) == (
        plan.templates.keys(), plan.kept, plan.lost, plan.overlaps
    ):  # fmt: skip
        return plan
    return replace(plan, templates=places, kept=kept, lost=lost, overlaps=overlaps)


def _add_roots(lowering: Lowering, values: Iterable[object], alive: set[object]) -> None:
    """The allocations that values lie in."""
    for value in values:
        if isinstance(value, Var):
            alive |= lowering.memory.roots(value)
        elif isinstance(value, Container):
            _add_roots(lowering, value.items, alive)


def _template(lowering: Lowering, joiner: Joiner, value: Found, hint: str) -> Found:
    """The value with a variable for each of its numbers and arrays. Containers that are objects of
    their own stay: what they hold is a place of its own.
    """
    if isinstance(value, Container) and value.identity is None:
        items = tuple(_template(lowering, joiner, item, hint) for item in value.items)
        return replace(value, items=items)
    if is_leaf(value):
        type = value.type  # type: ignore[union-attr]
        if isinstance(type, Number) and type.kind == "int":
            type = Number("int", joiner.fresh())
        return Var(hint, lowering.sizes.resolve_type(type))
    return value


def _place_template(lowering: Lowering, joiner: Joiner, value: Found, place: Place) -> Found:
    if place[0] == "heap" and isinstance(value, Container):
        value = replace(value, identity=None)
    return _template(lowering, joiner, value, hint_for(lowering, place))


@dataclass
class _Slot:
    """One carried variable."""

    place: Place
    first: Atom
    parameter: Var
    result: Atom = UNDEFINED
    target: Var | None = None


def _trial(lowering: Lowering, loop: Loop, plan: Plan) -> Plan:
    """Lower the loop by a plan; what comes back is the plan itself, or a better one."""
    run = _Run(lowering, loop, plan)
    run.enter()
    mark = lowering.reporter.mark
    postponed, expected = lowering.postponed, lowering.frame.expected
    expected.append(set(loop.assigned))
    try:
        path = run.body()
    finally:
        expected.pop()
    better = run.learn(path, complete=lowering.postponed == postponed)
    if better is not plan:
        lowering.postponed = postponed
        return better
    if path.refused:
        raise Refused()
    if lowering.postponed > postponed and not any(expected) and lowering.reporter.since(mark):
        raise Refused()
    run.finish(path)
    return plan


class _Run:
    """One trial of a loop."""

    def __init__(self, lowering: Lowering, loop: Loop, plan: Plan) -> None:
        self.lowering, self.loop, self.plan = lowering, loop, plan
        self.node = loop.node
        self.start = capture(lowering)
        self.slots: list[_Slot] = []
        self.values: dict[Place, Found] = {}  # what places mean when a trip begins
        self.firsts: dict[Place, Found] = {}
        self.ends: dict[Place, Found] = {}
        self.copies: dict[Var, Var] = {}
        self.whole_ends: dict[Place, Found] = {}  # with the identities of containers
        self.index: Var | None = None

    # before the loop

    def before(self, place: Place) -> Found:
        """What a place means before the loop, as it is now."""
        if place not in self.firsts:
            self.firsts[place] = settled(self.lowering, self.start.at(place), self.node)
        return self.firsts[place]

    def enter(self) -> None:
        for place, template in self.plan.templates.items():
            first = self.before(place)
            if isinstance(template, Growing) and isinstance(first, Container):
                first = grown(self.lowering, first, template.item, self.node)
                self.firsts[place] = first
            hint = hint_for(self.lowering, place)
            self.values[place] = self._parameters(place, template, first, hint)

    def _parameters(self, place: Place, template: Found, first: Found, hint: str) -> Found:
        if isinstance(template, Container) and template.identity is None:
            firsts = (
                first.items if isinstance(first, Container) else [MISSING] * len(template.items)
            )
            items = tuple(
                self._parameters(place, item, before, hint and f"{hint}_{key}")
                for item, before, key in zip(template.items, firsts, template.keys, strict=True)
            )
            return replace(template, items=items)
        if isinstance(template, Var):
            parameter = new_variable(self.lowering, hint, template.type)
            atom = first if isinstance(first, Var | Const) else UNDEFINED
            self.slots.append(_Slot(place, atom, parameter))
            return parameter
        return template

    def begin(self, copies: Mapping[Var, Var] | None = None) -> None:
        """The state in which a trip, or the test, begins. `copies` stand for the parameters."""
        lowering, memory = self.lowering, self.lowering.memory
        copies = copies or {}
        for slot in self.slots:
            var = copies.get(slot.parameter, slot.parameter)
            if slot.place[0] != "root" and has_memory(slot.parameter.type):
                memory.hand_on(slot.parameter, slot.parameter)
                if var != slot.parameter:
                    memory.hand_on(var, slot.parameter)
        for place, value in self.values.items():
            self._put(place, _renamed(value, copies), [self.before(place)])
        memory.lost |= self.plan.lost
        firsts = [(slot.parameter, slot.first) for slot in self.slots]
        share(lowering, [firsts], self.start.time)
        arrays = {self._key(slot): slot.parameter for slot in self.slots}
        for left, right in self.plan.overlaps:
            left, right = (arrays.get(key, key) for key in (left, right))
            if isinstance(left, Var) and isinstance(right, Var):
                memory.overlap(left, right)
        names = lowering.frame.names
        jumps.start_flow(names)

    def _put(self, place: Place, value: Found, ends: Sequence[Found]) -> None:
        """Make a place mean a value; a container in it may be the object of any of `ends`."""
        if place[0] == "name" and isinstance(value, Container):
            value = as_objects(self.lowering, value, ends)
        put(self.lowering, place, value)

    def _key(self, slot: _Slot) -> tuple[Place, int]:
        same_place = [other for other in self.slots if other.place == slot.place]
        return slot.place, same_place.index(slot)

    # the body

    def body(self) -> Path:
        lowering = self.lowering
        if self.loop.counted is not None:
            hint = ""
            node = self.node
            if isinstance(node, cst.For | cst.CompFor) and isinstance(node.target, cst.Name):
                hint = node.target.value
            number = lowering.sizes.fresh(natural=self.loop.counted.is_natural)
            self.index = new_variable(lowering, hint, Number("int", number))

        def action() -> None:
            self.begin()
            self.loop.trip(self.index)

        lowering.branches += 1
        try:
            return lower_path(lowering, action)
        finally:
            lowering.branches -= 1

    # what the body has shown

    def learn(self, path: Path, complete: bool) -> Plan:
        """The plan, improved by what a trip has done."""
        lowering, plan = self.lowering, self.plan
        templates, kept = dict(plan.templates), set(plan.kept)
        if path.end.is_dead:
            return plan
        complete = complete and not path.refused
        places = [
            place
            for place in changed_places(lowering, self.start, path.end)
            if place not in templates and place[1] not in FLOW
        ]
        with at_end(lowering, path):
            ends = {
                place: self._end(place, settled(lowering, path.end.at(place), self.node))
                for place in (*templates, *places)
            }
        changed = False
        for place, template in plan.templates.items():
            before = self.before(place)
            joined = self._joined(template, ends[place], place)
            if joined is not template:
                templates[place], changed = joined, True
            elif complete and place not in kept and self._is_kept(before, ends[place]):
                del templates[place]
                kept.add(place)
                changed = True
        for place in places:
            if isinstance(ends[place], Poison | Unsettled | Missing):
                continue
            before = self.before(place)
            if isinstance(before, Missing) and complete:
                continue  # read by no trip before it is assigned: it is handed on only
            value = ends[place] if isinstance(before, Missing) else before
            made = _place_template(lowering, plan.joiner, value, place)
            if isinstance(before, Missing):
                made = _escaping(lowering, plan.joiner, made)
            templates[place], changed = made, True
        lost = path.end.lost & self._outer(path.end.lost)
        overlaps = plan.overlaps | self._overlaps(path, ends)
        if not changed and lost <= plan.lost and overlaps == plan.overlaps:
            self.ends = ends
            return plan
        return replace(
            plan,
            templates=templates,
            kept=frozenset(kept),
            lost=plan.lost | lost,
            overlaps=overlaps,
        )

    def _end(self, place: Place, end: Found) -> Found:
        """The end of a trip; a list as one of unknown length, where the loop carries it as one."""
        template = self.plan.templates.get(place)
        self.whole_ends[place] = end
        if place[0] == "name" and isinstance(template, Container) and template.identity is None:
            plain: Found = without_objects(end)
            return plain
        if place[0] != "heap" or not isinstance(end, Container):
            return end
        if isinstance(template, Growing) and end.kind in ("list", "growing"):
            end = grown(self.lowering, end, template.item, self.node)
        return replace(end, identity=None)

    def _outer(self, roots: frozenset[Var]) -> frozenset[Var]:
        birth = self.lowering.memory.birth
        return frozenset(root for root in roots if birth(root) <= self.start.time)

    def _is_kept(self, before: Found, end: Found) -> bool:
        if isinstance(before, Container) and isinstance(end, Container):
            return same(before, end) or (end.identity is None and same_items(before, end))
        return not isinstance(before, Missing | Poison | Unsettled) and same(before, end)

    def _joined(self, template: Found, end: Found, place: Place) -> Found:
        """The template that fits the value at the end of a trip too; itself, if it does."""
        if isinstance(end, Poison | Missing) or isinstance(template, Unsettled):
            return template
        if isinstance(end, Unsettled):
            return Unsettled(end.name, end.message, end.help)
        is_object = isinstance(template, Container) and template.identity is not None
        if is_object and isinstance(end, Container) and not same(template, end):
            # another object from trip to trip
            plain = _template(self.lowering, self.plan.joiner, without_objects(template), "")
            return self._joined(plain, without_objects(end), place)
        carried = isinstance(template, Container) and template.identity is None
        if carried and isinstance(template, Container) and isinstance(end, Container):
            if alike(template, end):
                return self._joined_items(template, end, place)
            if place[0] == "heap":
                return self._grown_template(template, end, place)
        if isinstance(template, Var) and is_leaf(end):
            type = self.plan.joiner.strict(template.type, end.type)  # type: ignore[union-attr]
            if type is not None:
                return template if type == template.type else Var(template.name, type)
        elif same(template, end):
            return template
        return changes_kind(str(place[1]), describe(template), describe(end), self.loop.token)

    def _joined_items(self, template: Container, end: Container, place: Place) -> Found:
        items = tuple(
            self._joined(a, b, place) for a, b in zip(template.items, end.items, strict=True)
        )
        if all(a is b for a, b in zip(items, template.items, strict=True)):
            return template
        broken = next((item for item in items if isinstance(item, Unsettled)), None)
        if broken is not None:
            return broken
        if isinstance(template, Growing):
            lists = [item.type for item in items if isinstance(item, Var)]
            types = [type.item for type in lists if isinstance(type, ListOf)]
            inner = filled(template.item, [Var("item", type) for type in types])
            return replace(template, items=items, item=inner)
        return replace(template, items=items)

    def _grown_template(self, template: Container, end: Container, place: Place) -> Found:
        """A list that has another length after a trip is one of unknown length."""
        lists = [template, end]
        item = None
        if all(each.kind in ("list", "growing") for each in lists):
            item = common_template(self.lowering, lists)
        if item is None:
            name = hint_for(self.lowering, place)
            return changes_kind(name, describe(template), describe(end))
        inner = _escaping(self.lowering, self.plan.joiner, item)
        types = [atom.type for atom in numeric_leaves(inner)]  # type: ignore[arg-type]
        columns = tuple(Var("items", ListOf(type)) for type in types)
        return Growing("growing", tuple(range(len(types))), columns, item=inner)

    def _overlaps(self, path: Path, ends: Mapping[Place, Found]) -> frozenset[tuple[Any, Any]]:
        """Which carried arrays may share memory after a trip, with others or with each other."""
        memory = self.lowering.memory
        keys = {slot.parameter: self._key(slot) for slot in self.slots}
        found: set[tuple[Any, Any]] = set()
        arrays = []
        for place, value in self.values.items():
            if place[0] != "root":
                arrays += [
                    (parameter, atom)
                    for parameter, atom in _pairs(value, ends.get(place, MISSING))
                    if has_memory(parameter.type)
                ]
        for position, (parameter, atom) in enumerate(arrays):
            for root in memory.roots(atom):
                other = keys.get(root, root)
                outer = root in keys or memory.birth(root) <= self.start.time
                # what follows from the parameter that it is need not be noted
                own = root == parameter or root in memory.overlaps.get(parameter, ())
                if outer and not own and root not in keys:
                    found.add((keys[parameter], other))
            for other_parameter, other_atom in arrays[:position]:
                known = other_parameter in memory.overlaps.get(parameter, ())
                if not known and memory.meet(atom, other_atom):
                    found.add((keys[parameter], keys[other_parameter]))
        return frozenset(found)

    # behind the loop

    def finish(self, path: Path) -> None:
        """Append the loop; what it carries goes on as targets."""
        lowering = self.lowering
        ends = {} if path.end.is_dead else self.ends
        for place in self.plan.templates:
            self._results(self.values[place], ends.get(place, MISSING))
        test = self._test()
        after: dict[Place, Found] = {}
        for place, value in self.values.items():
            after[place] = self._targets(value, path)
        after.update(self._handed_on(path, ends))
        stop = path.end.names.get(BROKEN, jumps.NO)
        if path.end.is_dead:
            stop = jumps.YES
        assert isinstance(stop, Var | Const)
        self._append(path, test, stop)
        for place, value in after.items():
            self._put(place, value, [self.before(place), self.whole_ends.get(place, MISSING)])
        memory = lowering.memory
        for slot in self.slots:
            assert slot.target is not None
            if slot.place[0] != "root" and has_memory(slot.target.type):
                memory.hand_on(slot.target, slot.target)
        pairs = [(slot.target, slot) for slot in self.slots if slot.target is not None]
        sides = (
            [(target, slot.first) for target, slot in pairs],
            [(target, slot.result) for target, slot in pairs],
        )
        share(lowering, sides, self.start.time)
        memory.lost |= self.plan.lost

    def _results(self, value: Found, end: Found) -> None:
        atoms = dict(_pairs(value, end))
        for slot in self.slots:
            if slot.parameter in atoms:
                slot.result = atoms[slot.parameter]

    def _targets(self, value: Found, path: Path) -> Found:
        """What a place means behind the loop."""
        if isinstance(value, Container) and value.identity is None:
            items = tuple(self._targets(item, path) for item in value.items)
            return replace(value, items=items)
        slot = next((slot for slot in self.slots if slot.parameter is value), None)
        if slot is None:
            return value
        type = self.plan.joiner.renewed(slot.parameter.type)
        slot.target = new_variable(self.lowering, slot.parameter.name, type)
        return slot.target

    def _handed_on(self, path: Path, ends: Mapping[Place, Found]) -> dict[Place, Found]:
        """Places that no trip reads before it assigns them: their values go on all the same."""
        lowering, names = self.lowering, path.end.names
        after: dict[Place, Found] = {}
        if path.end.is_dead:
            return after
        places = {place: value for place, value in ends.items() if place not in self.plan.templates}
        with at_end(lowering, path):
            for flag in (RETURNED, jumps.RESULT, BROKEN):
                if names.get(flag, jumps.NO) != jumps.NO:
                    places["name", flag] = settled(lowering, names[flag], self.node)
        for place, value in places.items():
            before = jumps.NO if place[1] in JUMPS else self.before(place)
            if isinstance(value, Missing):
                continue
            hint = str(place[1])
            after[place] = self._only_after(place, before, value, path, hint)
        for place, template in self.plan.templates.items():
            if isinstance(template, Unsettled):
                before = self.before(place)
                found = self._only_after(place, before, ends[place], path, str(place[1]))
                after[place] = found
        return after

    def _only_after(self, place: Place, before: Found, end: Found, path: Path, hint: str) -> Found:
        """What a place means behind the loop, where no trip reads what it meant before."""
        if isinstance(end, Poison | Unsettled):
            return end
        if isinstance(before, Poison | Unsettled):
            return before
        if isinstance(end, Container):
            if isinstance(before, Container) and same(before, end):
                return before
            alike = isinstance(before, Container) and before.keys == end.keys
            if not alike and not isinstance(before, Missing):
                return changes_kind(hint, describe(before), describe(end))
            firsts = before.items if isinstance(before, Container) else [MISSING] * len(end.items)
            items = tuple(
                self._only_after(place, first, item, path, hint and f"{hint}_{key}")
                for first, item, key in zip(firsts, end.items, end.keys, strict=True)
            )
            return Structure(end.kind, end.keys, items, end.constructor)
        if not is_leaf(end) or not (is_leaf(before) or isinstance(before, Missing)):
            if same(before, end):
                return before
            return changes_kind(hint, describe(before), describe(end))
        assert isinstance(end, Var | Const)
        type = escaping(self.lowering, end, path)
        first: Atom = UNDEFINED
        if isinstance(before, Var | Const):
            first = before
            joined = self.plan.joiner.loose(before.type, type)
            if joined is None:
                return changes_kind(hint, describe(before), describe(end))
            type = joined
        parameter = new_variable(self.lowering, hint, type)
        slot = _Slot(place, first, parameter, end)
        slot.target = new_variable(self.lowering, hint, self.plan.joiner.renewed(type))
        self.slots.append(slot)
        return slot.target

    def _test(self) -> Block | None:
        """The test of a `while`, with parameters of its own."""
        if self.loop.test is None:
            return None
        lowering, test = self.lowering, self.loop.test
        copies = {
            slot.parameter: new_variable(lowering, slot.parameter.name, slot.parameter.type)
            for slot in self.slots
        }
        found: list[Atom] = []

        starts: list[State] = []

        def action() -> None:
            self.begin(copies)
            starts.append(capture(lowering))
            found.append(test())

        path = lower_path(lowering, action)
        if path.refused:
            raise Refused()
        changed = changed_places(lowering, starts[0], path.end)
        has_else = isinstance(self.node, cst.While) and self.node.orelse is not None
        if not has_else and any(place[0] != "name" for place in changed):
            raise TestChanges
        if any(place[0] != "name" for place in changed):
            raise lowering.refuse(
                "write-in-place",
                "the test of this loop writes to an array or a list",
                self.node,
                help="write `while True:`, and the test with a `break` in the body",
            )
        self.copies = copies
        return Block((), tuple(path.statements), tuple(found))

    def _append(self, path: Path, test: Block | None, stop: Atom) -> None:
        lowering = self.lowering
        stops = stop != jumps.NO
        targets = tuple(slot.target for slot in self.slots if slot.target is not None)
        initial = tuple(slot.first for slot in self.slots)
        results = tuple(slot.result for slot in self.slots) + ((stop,) if stops else ())
        parameters = tuple(slot.parameter for slot in self.slots)
        role = lowering.builder.role
        if self.loop.counted is not None:
            assert self.index is not None
            node = self.node
            last = node.iter if isinstance(node, cst.For | cst.CompFor) else node
            span = header(lowering, node, last)
            body = Block((self.index, *parameters), tuple(path.statements), results)
            trip = self.loop.counted.trip
            lowering.builder.statements.append(For(targets, trip, initial, body, span, role, stops))
        else:
            assert test is not None and isinstance(self.node, cst.While)
            span = header(lowering, self.node, self.node.test)
            copies = tuple(
                self.copies.get(parameter) or new_variable(lowering, parameter.name, parameter.type)
                for parameter in parameters
            )
            test = replace(test, parameters=copies)
            body = Block(parameters, tuple(path.statements), results)
            lowering.builder.statements.append(
                While(targets, initial, test, body, span, role, stops)
            )
        lowering.memory.catch_up(lowering)


def _renamed(value: Found, copies: Mapping[Var, Var]) -> Found:
    if isinstance(value, Container) and value.identity is None:
        items = tuple(_renamed(item, copies) for item in value.items)
        return replace(value, items=items)
    return copies.get(value, value) if isinstance(value, Var) else value


def _pairs(value: Found, end: Found) -> list[tuple[Var, Atom]]:
    """Parameters, and the atoms that a trip gives for them."""
    if isinstance(value, Container) and value.identity is None:
        fits = isinstance(end, Container) and alike(value, end)
        ends = end.items if isinstance(end, Container) and fits else [MISSING] * len(value.items)
        return [
            pair
            for item, other in zip(value.items, ends, strict=True)
            for pair in _pairs(item, other)
        ]
    if isinstance(value, Var):
        return [(value, end if isinstance(end, Var | Const) else UNDEFINED)]
    return []


def _escaping(lowering: Lowering, joiner: Joiner, template: Found) -> Found:
    """The template with sizes of its own where they were found inside a trip."""
    if isinstance(template, Container) and template.identity is None:
        items = tuple(_escaping(lowering, joiner, item) for item in template.items)
        return replace(template, items=items)
    if isinstance(template, Var) and isinstance(template.type, Array) and template.type.shape:
        shape = tuple(joiner.fresh() if size.is_local else size for size in template.type.shape)
        return Var(template.name, Array(template.type.dtype, shape))
    return template


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
        plan = _first_guess(lowering, rest)
        for _ in range(MOST_TRIALS):
            checkpoint = Checkpoint(lowering)
            try:
                better = _trial(lowering, rest, plan)
            except Peel as peel:
                if peel.loop is not rest.token:
                    raise
                raise _never_settled(lowering, node) from None
            if better is plan:
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
