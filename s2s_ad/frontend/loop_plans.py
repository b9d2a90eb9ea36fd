"""What is known of a loop: the places it carries, with a template for each. A trial of the loop
(`loop_trials.py`) betters the plan until it is stable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import libcst as cst

from s2s_ad.frontend import jumps
from s2s_ad.frontend.aliases import Chain, read_by
from s2s_ad.frontend.blocks import (
    BROKEN,
    GONE,
    RETURNED,
    Found,
    Missing,
    Place,
    State,
    alike,
    capture,
    hint_for,
    is_leaf,
    same,
    settled,
)
from s2s_ad.frontend.iteration import Counted
from s2s_ad.frontend.joins import Joiner
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.values import Container, Growing, Poison, Unsettled
from s2s_ad.ir import UNDEFINED, Atom, Var
from s2s_ad.types import Array, Number

FLOW = (GONE, BROKEN, RETURNED, jumps.RESULT)


@dataclass(frozen=True)
class Plan:
    """What is known of a loop: a template for each place it carries, whose variables give types."""

    templates: Mapping[Place, Found]
    joiner: Joiner
    kept: frozenset[Place] = frozenset()  # places whose value no trip changes
    lost: frozenset[Var] = frozenset()
    overlaps: frozenset[tuple[Any, Any]] = frozenset()
    # which carried arrays are one with others, or with each other, in some trips and not in others
    flags: frozenset[tuple[Any, Any, Chain]] = frozenset()
    peeled: bool = False
    unrolled: bool = False


@dataclass
class Slot:
    """One carried variable."""

    place: Place
    first: Atom
    parameter: Var
    result: Atom = UNDEFINED
    target: Var | None = None


Node = (
    cst.For
    | cst.While
    | cst.CompFor
    | cst.Call
    | cst.Tuple
    | cst.List
    | cst.Subscript
    | cst.BinaryOperation
)


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


class TestChanges(Exception):
    """The test of a `while` writes to something, or binds names."""


def first_guess(lowering: Lowering, loop: Loop) -> Plan:
    """The names that the body assigns, with the types that they have before. An array to which
    `x += y` is done, and nothing else, stays the same array.
    """
    joiner = Joiner(lowering.sizes)
    templates: dict[Place, Found] = {}
    for name in sorted(loop.assigned & lowering.frame.names.keys()):
        value = settled(lowering, lowering.frame.names[name], loop.node)
        if name in loop.updated and isinstance(value, Var) and isinstance(value.type, Array):
            continue
        templates["name", name] = template_of(lowering, joiner, value, name)
    return Plan(templates, joiner)


def renewed(lowering: Lowering, loop: Loop, plan: Plan) -> Plan:
    """A plan from an earlier trial of the loop around, for what names mean in this one."""
    plan = _still_there(lowering, plan)
    here = capture(lowering)
    templates = {
        place: _fitting(lowering, loop, plan.joiner, template, here, place)
        for place, template in plan.templates.items()
    }
    if all(template is plan.templates[place] for place, template in templates.items()):
        return plan
    return replace(plan, templates=templates)


def _fitting(
    lowering: Lowering, loop: Loop, joiner: Joiner, template: Found, here: State, place: Place
) -> Found:
    """The template where it still fits what its place means before the loop; or one that does."""
    first = settled(lowering, here.at(place), loop.node)
    if isinstance(first, Missing):
        return template
    if isinstance(first, Poison | Unsettled):
        return first
    if isinstance(template, Unsettled):
        # the first trip to be lowered apart is one of this loop
        return template if template.loop is None else replace(template, loop=loop.token)
    return (
        template if fits(joiner, template, first) else template_at(lowering, joiner, first, place)
    )


def fits(joiner: Joiner, template: Found, first: Found) -> bool:
    """Whether a loop that carries values like the template may begin with this one."""
    if isinstance(template, Container) and template.identity is None:
        if isinstance(template, Growing) or isinstance(first, Growing):
            return isinstance(first, Container) and first.kind in ("list", "growing")
        return (
            isinstance(first, Container)
            and alike(template, first)
            and all(fits(joiner, *pair) for pair in zip(template.items, first.items, strict=True))
        )
    if isinstance(template, Var):
        return is_leaf(first) and joiner.strict(template.type, first.type) == template.type  # type: ignore[union-attr]
    return same(template, first)


def _still_there(lowering: Lowering, plan: Plan) -> Plan:
    """A plan from an earlier trial, without the arrays that it had made."""
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

    called = {now_called(place): value for place, value in plan.templates.items()}
    places = {place: value for place, value in called.items() if is_there(place)}
    kept = frozenset(filter(is_there, map(now_called, plan.kept)))
    lost = frozenset(root for root in map(now_called, plan.lost) if root in alive)

    def are_there(*keys: Any) -> bool:
        return all(key in alive for key in keys if isinstance(key, Var))

    pairs = map(now_called, plan.overlaps)
    overlaps = frozenset(pair for pair in pairs if are_there(*pair))
    flags = frozenset(
        (now_called(one), now_called(other), chain)
        for one, other, chain in plan.flags
        if not read_by(chain) and are_there(now_called(one), now_called(other))
    )
    if len(places) < len(plan.templates):
        overlaps, flags = frozenset(), frozenset()
    if (places.keys(), kept, lost, overlaps, flags) == (
        plan.templates.keys(), plan.kept, plan.lost, plan.overlaps, plan.flags
    ):  # fmt: skip
        return plan
    return replace(plan, templates=places, kept=kept, lost=lost, overlaps=overlaps, flags=flags)


def _add_roots(lowering: Lowering, values: Iterable[object], alive: set[object]) -> None:
    """The allocations that values lie in."""
    for value in values:
        if isinstance(value, Var):
            alive |= lowering.memory.roots(value)
        elif isinstance(value, Container):
            _add_roots(lowering, value.items, alive)


def template_of(lowering: Lowering, joiner: Joiner, value: Found, hint: str) -> Found:
    """The value with a variable for each of its numbers and arrays. Containers that are objects of
    their own stay: what they hold is a place of its own.
    """
    if isinstance(value, Container) and value.identity is None:
        items = tuple(template_of(lowering, joiner, item, hint) for item in value.items)
        return replace(value, items=items)
    if is_leaf(value):
        type = value.type  # type: ignore[union-attr]
        if isinstance(type, Number) and type.kind == "int":
            type = Number("int", joiner.fresh())
        return Var(hint, lowering.sizes.resolve_type(type))
    return value


def template_at(lowering: Lowering, joiner: Joiner, value: Found, place: Place) -> Found:
    if place[0] == "heap" and isinstance(value, Container):
        value = replace(value, identity=None)
    return template_of(lowering, joiner, value, hint_for(lowering, place))


def with_own_sizes(lowering: Lowering, joiner: Joiner, template: Found) -> Found:
    """The template with sizes of its own where they were found inside a trip."""
    if isinstance(template, Container) and template.identity is None:
        items = tuple(with_own_sizes(lowering, joiner, item) for item in template.items)
        return replace(template, items=items)
    if isinstance(template, Var) and isinstance(template.type, Array) and template.type.shape:
        shape = tuple(joiner.fresh() if size.is_local else size for size in template.type.shape)
        return Var(template.name, Array(template.type.dtype, shape))
    return template
