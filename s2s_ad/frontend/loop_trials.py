"""One trial of a loop: its trip is lowered by a plan, and either the plan holds and the loop is
written, or a better plan is learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import libcst as cst

from s2s_ad.frontend import jumps
from s2s_ad.frontend.aliases import relate
from s2s_ad.frontend.blocks import (
    BROKEN,
    JUMPS,
    MISSING,
    RETURNED,
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
from s2s_ad.frontend.branches import header
from s2s_ad.frontend.containers import (
    as_objects,
    common_template,
    filled,
    grown,
    numeric_leaves,
    without_objects,
)
from s2s_ad.frontend.loop_aliases import Relations
from s2s_ad.frontend.loop_plans import (
    FLOW,
    Loop,
    Plan,
    Slot,
    TestChanges,
    template_at,
    template_of,
    with_own_sizes,
)
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.unassigned import Unassigned
from s2s_ad.frontend.values import Container, Growing, Poison, Refused, Unsettled
from s2s_ad.frontend.writes import BROADCAST_ARRAYS
from s2s_ad.ir import UNDEFINED, Atom, Block, Const, For, Structure, Var, While
from s2s_ad.types import ListOf, Number


def trial(lowering: Lowering, loop: Loop, plan: Plan) -> Plan:
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
        self.slots: list[Slot] = []
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
        self.relations = Relations(self.lowering, self.slots, self.plan.flags, self.plan.overlaps)

    def _parameters(self, place: Place, template: Found, first: Found, hint: str) -> Found:
        if isinstance(template, Container) and template.identity is None:
            count = len(template.items)
            firsts = first.items if isinstance(first, Container) else [first] * count
            items = tuple(
                self._parameters(place, item, before, hint and f"{hint}_{key}")
                for item, before, key in zip(template.items, firsts, template.keys, strict=True)
            )
            return replace(template, items=items)
        if isinstance(template, Var):
            if not isinstance(first, Var | Const | Missing):
                # never as if it were not assigned: reading it is refused
                return changes_kind(hint, describe(first), describe(template))
            parameter = new_variable(self.lowering, hint, template.type)
            atom = UNDEFINED if isinstance(first, Missing) else first
            self.slots.append(Slot(place, atom, parameter))
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
        if memory.exact:
            self.relations.begin(copies)
        else:
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

    def _key(self, slot: Slot) -> tuple[Place, int]:
        same_place = [other for other in self.slots if other.place == slot.place]
        return slot.place, same_place.index(slot)

    def _is_inside(self, path: Path, atom: Atom) -> bool:
        """Whether a variable is one of the trip."""
        own = atom == self.index or any(atom == slot.parameter for slot in self.slots)
        return own or path.defines(atom)

    # the body

    def body(self) -> Path:
        lowering = self.lowering
        if self.loop.counted is not None:
            hint = self.loop.counted.name
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
            if isinstance(before, Missing) and complete and not self._may_stay(place, path):
                continue  # bound anew by every trip: it is handed on only
            value = ends[place] if isinstance(before, Missing) else before
            made = template_at(lowering, plan.joiner, value, place)
            if isinstance(before, Missing):
                made = with_own_sizes(lowering, plan.joiner, made)
            templates[place], changed = made, True
        lost = path.end.lost & self._outer(path.end.lost)
        flags = plan.flags
        if lowering.memory.exact:
            pairs = [
                pair
                for place, value in self.values.items()
                for pair in _pairs(value, ends.get(place, MISSING))
            ]
            more, unknown = self.relations.learn(dict(pairs), partial(self._is_inside, path))
            flags, overlaps = flags | more, plan.overlaps | unknown
        else:
            overlaps = plan.overlaps | self._overlaps(path, ends)
        if not changed and lost <= plan.lost and (overlaps, flags) == (plan.overlaps, plan.flags):
            self.ends = ends
            return plan
        return replace(
            plan,
            templates=templates,
            kept=frozenset(kept),
            lost=plan.lost | lost,
            overlaps=overlaps,
            flags=flags,
        )

    def _may_stay(self, place: Place, path: Path) -> bool:
        """Whether some trips leave a name alone that is not bound before the loop."""
        index = [] if self.index is None else [self.index]
        varying = index + [slot.parameter for slot in self.slots]
        return Unassigned(path.statements, varying).may_stay(str(place[1]), path.end.at(place))

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
            plain = template_of(self.lowering, self.plan.joiner, without_objects(template), "")
            return self._joined(plain, without_objects(end), place)
        carried = isinstance(template, Container) and template.identity is None
        if carried and isinstance(template, Container) and isinstance(end, Container):
            if alike(template, end):
                return self._joined_items(template, end, place)
            if place[0] == "heap" or {template.kind, end.kind} <= {"list", "growing"}:
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
        inner = with_own_sizes(self.lowering, self.plan.joiner, item)
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
        self._refuse_broadcasts()
        test = self._test()
        after: dict[Place, Found] = {}
        for place, value in self.values.items():
            after[place] = self._targets(value, path)
        after.update(self._handed_on(path, ends))
        memory = lowering.memory
        if memory.exact:
            self.relations.begin({})  # the test has copies of its own
            links = self.relations.behind(partial(self._is_inside, path))
        stop = path.end.names.get(BROKEN, jumps.NO)
        if path.end.is_dead:
            stop = jumps.YES
        assert isinstance(stop, Var | Const)
        self._append(path, test, stop)
        for place, value in after.items():
            self._put(place, value, [self.before(place), self.whole_ends.get(place, MISSING)])
        for slot in self.slots:
            assert slot.target is not None
            if slot.place[0] != "root" and has_memory(slot.target.type):
                memory.hand_on(slot.target, slot.target)
        pairs = [(slot.target, slot) for slot in self.slots if slot.target is not None]
        sides = (
            [(target, slot.first) for target, slot in pairs],
            [(target, slot.result) for target, slot in pairs],
        )
        if memory.exact:
            for link in links:
                relate(memory, *link)
        else:
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
        slot = Slot(place, first, parameter, end)
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
        # an array that what the test wrote to may be counts as well
        writes = any(place[0] != "name" for place in changed) or path.end.lost > starts[0].lost
        has_else = isinstance(self.node, cst.While) and self.node.orelse is not None
        if writes and not has_else:
            raise TestChanges
        if writes:
            raise lowering.refuse(
                "write-in-place",
                "the test of this loop writes to an array or a list",
                self.node,
                help="write `while True:`, and the test with a `break` in the body",
            )
        self.copies = copies
        return Block((), tuple(path.statements), tuple(found))

    def _refuse_broadcasts(self) -> None:
        """What a trip hands to the next one may be written to there."""
        lowering = self.lowering
        for slot in self.slots:
            made = (
                lowering.memory.made_by.get(slot.result) if isinstance(slot.result, Var) else None
            )
            if made is not None and made[0].op.name == BROADCAST_ARRAYS:
                raise lowering.refuse(
                    "write-through-view",
                    "a trip hands an array of `np.broadcast_arrays` to the next one: its elements "
                    "lie in one place",
                    self.node,
                    help="take a copy (`.copy()`), or use `np.broadcast_to`",
                )

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
