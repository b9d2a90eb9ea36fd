"""Flags that say in which trips of a loop arrays are one: carried beside the arrays.

What comes in: the carried arrays of a trial, with what they are before the loop, and at its end
what a trip gives. What goes out: which flags have to be carried, which arrays nothing is known of,
and what holds behind the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from s2s_ad.frontend.aliases import (
    APART,
    NO,
    Chain,
    Relation,
    chains_of,
    in_order,
    read_by,
    relate,
    relation,
)
from s2s_ad.frontend.blocks import has_memory, new_variable
from s2s_ad.frontend.loop_plans import Slot
from s2s_ad.frontend.lower import Lowering
from s2s_ad.ir import UNDEFINED, Atom, Var
from s2s_ad.types import Number

FlagKey = tuple[Any, Any, Chain]
Link = tuple[Var, Var, Relation | None]


@dataclass(frozen=True)
class _Pair:
    """A carried array, and another one or an allocation from before the loop."""

    one: Slot
    other: Slot | Var


@dataclass
class Relations:
    """How the arrays that a loop carries belong to others, and to each other."""

    lowering: Lowering
    slots: list[Slot]
    flags: Collection[FlagKey]
    unknown: Collection[tuple[Any, Any]]
    carried: dict[FlagKey, Slot] = field(default_factory=dict)
    visible: set[Var] = field(init=False)

    def __post_init__(self) -> None:
        memory = self.lowering.memory
        self.visible = {*memory.visible, *self.lowering.parameters}
        arrays = self.arrays
        chains = {flag[2] for flag in self.flags}
        for pair in self.pairs({slot.parameter: slot.first for slot in arrays}):
            for turned in (False, True):
                for chain in sorted(chains, key=_spelled):
                    key = (*self.key(pair, turned), chain)
                    if key in self.flags:
                        known = self.relation(pair, self.firsts(pair), turned) or APART
                        self.carry(key, known.get(chain, NO))

    @property
    def arrays(self) -> list[Slot]:
        return [s for s in self.slots if s.place[0] != "root" and has_memory(s.parameter.type)]

    def carry(self, key: FlagKey, first: Atom) -> Slot:
        names = self.lowering.builder.names
        slot = Slot(("flag", key), first, names.temporary(Number("bool")))
        self.slots.append(slot)
        self.carried[key] = slot
        return slot

    def name(self, slot: Slot | Var) -> Any:
        """What a carried array goes by from trial to trial."""
        if isinstance(slot, Var):
            return slot
        alike = [other for other in self.slots if other.place == slot.place]
        return slot.place, next(k for k, other in enumerate(alike) if other is slot)

    def key(self, pair: _Pair, turned: bool = False) -> tuple[Any, Any]:
        one, other = self.name(pair.one), self.name(pair.other)
        return (other, one) if turned else (one, other)

    def pairs(self, atoms: Mapping[Var, Atom]) -> list[_Pair]:
        """The pairs that may share memory before the loop, or do so where the arrays are these."""
        memory = self.lowering.memory
        noted = {root for one, other, _ in self.flags for root in (one, other)}
        found: list[_Pair] = []
        arrays = self.arrays
        for place, slot in enumerate(arrays):
            ends = [slot.first, atoms.get(slot.parameter, slot.first)]
            roots = {root for atom in ends for root in memory.roots(atom)}
            roots |= {root for root in noted if isinstance(root, Var)}
            outer = [root for root in roots if root in self.visible]
            found += [_Pair(slot, root) for root in in_order(memory, outer)]
            found += [_Pair(slot, other) for other in arrays[:place]]
        return found

    def firsts(self, pair: _Pair) -> tuple[Atom, Atom]:
        return pair.one.first, pair.other if isinstance(pair.other, Var) else pair.other.first

    def relation(self, pair: _Pair, ends: tuple[Atom, Atom], turned: bool) -> Relation | None:
        one, other = reversed(ends) if turned else ends
        return relation(self.lowering.memory, one, other)

    def is_turned(self, pair: _Pair) -> bool:
        """Whether it is the other one that is taken from the carried array."""
        turned = self.key(pair, turned=True)
        if any((*turned, flag[2]) in self.carried for flag in self.flags):
            return True
        firsts = self.firsts(pair)
        return (
            self.relation(pair, firsts, False) is None
            and self.relation(pair, firsts, True) is not None
        )

    def is_unknown(self, pair: _Pair) -> bool:
        return self.key(pair) in self.unknown or self.key(pair, turned=True) in self.unknown

    # In a trip ------------------------------------------------------------------------------------

    def begin(self, copies: Mapping[Var, Var]) -> None:
        """What holds when a trip begins. `copies` stand for the parameters."""
        for pair in self.pairs({}):
            turned = self.is_turned(pair)
            known = None if self.is_unknown(pair) else self.assumed(pair, turned)
            if known is not None:
                known = {
                    chain: copies.get(flag, flag) if isinstance(flag, Var) else flag
                    for chain, flag in known.items()
                }
            self._relate(pair, turned, known)

    def assumed(self, pair: _Pair, turned: bool) -> Relation | None:
        """The relation in every trip: that before the loop, and flags that are carried."""
        first = self.relation(pair, self.firsts(pair), turned)
        if first is None:
            return None
        found = dict(first)
        key = self.key(pair, turned)
        for (one, other, chain), slot in self.carried.items():
            if (one, other) == key:
                found[chain] = slot.parameter
        return found

    def _relate(self, pair: _Pair, turned: bool, known: Relation | None) -> None:
        other = pair.other if isinstance(pair.other, Var) else pair.other.parameter
        ends = (other, pair.one.parameter) if turned else (pair.one.parameter, other)
        relate(self.lowering.memory, *ends, known)

    # At the end of a trip -------------------------------------------------------------------------

    def learn(
        self, ends: Mapping[Var, Atom], is_inside: Callable[[Atom], bool]
    ) -> tuple[set[FlagKey], set[tuple[Any, Any]]]:
        """Flags that have to be carried, and pairs of which nothing is known, that are new."""
        more: set[FlagKey] = set()
        unknown: set[tuple[Any, Any]] = set()
        for pair in self.pairs(ends):
            if self.is_unknown(pair):
                continue
            other = pair.other
            given = (
                ends.get(pair.one.parameter, pair.one.first),
                other if isinstance(other, Var) else ends.get(other.parameter, other.first),
            )
            turned = self.is_turned(pair)
            found = self.relation(pair, given, turned)
            if found is None and self.relation(pair, self.firsts(pair), not turned) == APART:
                turned = not turned
                found = self.relation(pair, given, turned)
            known = self.assumed(pair, turned)
            unbound = UNDEFINED in (*self.firsts(pair), *given) and bool(found or known)
            if found is None or known is None or unbound:
                unknown.add(self.key(pair))
                continue
            for chain in chains_of([known, found]):
                if any(is_inside(atom) for atom in read_by(chain)):
                    unknown.add(self.key(pair))
                elif known.get(chain, NO) != found.get(chain, NO):
                    more.add((*self.key(pair, turned), chain))
        return more - set(self.flags), unknown

    # Behind the loop ------------------------------------------------------------------------------

    def behind(self, is_inside: Callable[[Atom], bool]) -> list[Link]:
        """What holds between the targets of the loop, and others; flags are handed on for it."""
        links: list[Link] = []
        for pair in self.pairs({slot.parameter: slot.result for slot in self.arrays}):
            other = pair.other if isinstance(pair.other, Var) else pair.other.target
            assert pair.one.target is not None and other is not None
            turned = self.is_turned(pair)
            known = None if self.is_unknown(pair) else self._after(pair, turned, is_inside)
            if known is None and not self.is_unknown(pair):
                turned = not turned
                known = self._after(pair, turned, is_inside)
            ends = (other, pair.one.target) if turned else (pair.one.target, other)
            links.append((*ends, known))
        for slot in self.carried.values():
            if slot.target is None:
                slot.result, slot.target = slot.parameter, self._flag()
        return links

    def _after(
        self, pair: _Pair, turned: bool, is_inside: Callable[[Atom], bool]
    ) -> Relation | None:
        given = (
            pair.one.result,
            pair.other if isinstance(pair.other, Var) else pair.other.result,
        )
        first = self.relation(pair, self.firsts(pair), turned)
        last = self.relation(pair, given, turned)
        if first is None or last is None:
            return None
        chains = chains_of([first, last])
        if chains and UNDEFINED in (*self.firsts(pair), *given):
            return None  # to carry over a write would read what is not bound
        if any(is_inside(atom) for chain in chains for atom in read_by(chain)):
            return None
        found: dict[Chain, Atom] = {}
        for chain in chains:
            before, after = first.get(chain, NO), last.get(chain, NO)
            found[chain] = before
            if before != after:
                key = (*self.key(pair, turned), chain)
                slot = self.carried.get(key) or self.carry(key, before)
                slot.result, slot.target = after, slot.target or self._flag()
                found[chain] = slot.target
        return found

    def _flag(self) -> Var:
        return new_variable(self.lowering, "", Number("bool"))


def _spelled(chain: Chain) -> list[tuple[str, ...]]:
    return [(step.op.name, *map(str, step.operands)) for step in chain]
