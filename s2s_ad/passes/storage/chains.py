"""Arrays that a loop writes to, followed through all it does: the versions of one array, each made
from the one before by a write, by an inner loop or by a branch.

Only such an array can be rolled back by putting overwritten elements back. What is read from a
version that a write has replaced is another value, and no part of the chain.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from s2s_ad.ir import Assign, Atom, Block, For, If, Statement, Var, While
from s2s_ad.operations.indexing import SETITEM
from s2s_ad.passes.activity import carried_of
from s2s_ad.passes.storage.places import Places, Step, steps_of
from s2s_ad.passes.storage.regions import UPDATES, is_kept_whole
from s2s_ad.types import Array


@dataclass(frozen=True)
class Event:
    """A statement that makes the next version of an array."""

    statement: Statement
    before: Var
    after: Var


@dataclass(frozen=True)
class Source:
    """Where a value is found: an array, or in it at an index."""

    version: Var
    index: Atom | None = None


@dataclass
class Chain:
    """The versions of an array that a loop carries in one of its slots."""

    loop: For | While
    slot: int
    events: dict[Step, tuple[Event, ...]] = field(default_factory=dict)  # of each block

    @staticmethod
    def of(loop: For | While, slot: int) -> Chain | None:
        chain = Chain(loop, slot)
        _, _, parameter, following = carried_of(loop)[slot]
        return chain if chain._follow_loop(loop, parameter, following) else None

    @property
    def target(self) -> Var:
        """The array behind the loop."""
        return self.loop.targets[self.slot]

    @property
    def parameter(self) -> Var:
        """The array at the beginning of a trip."""
        return carried_of(self.loop)[self.slot][2]

    @property
    def writes(self) -> list[Assign]:
        return [
            event.statement
            for events in self.events.values()
            for event in events
            if isinstance(event.statement, Assign)
        ]

    def sources(self, places: Places) -> dict[Var, Source]:
        """The versions, what is read from them, and what is stored into them as it is."""
        found: dict[Var, Source] = {self.parameter: Source(self.parameter)}
        for events in self.events.values():
            for event in events:
                found[event.before] = Source(event.before)
                found[event.after] = Source(event.after)
        versions = set(found)
        for event in (event for events in self.events.values() for event in events):
            write = event.statement
            if isinstance(write, Assign) and write.op is SETITEM and is_kept_whole(write):
                value = write.operands[2]
                here = isinstance(value, Var) and places.home[value] == places.home[event.after]
                if isinstance(value, Var) and here:
                    found.setdefault(value, Source(event.after, write.operands[1]))
        for var, made in places.made_by.items():
            if (
                isinstance(made, Assign)
                and made.op.name == "getitem"
                and made.operands[0] in versions
                and isinstance(made.operands[0], Var)
            ):
                found[var] = Source(made.operands[0], made.operands[1])
        return found

    def _follow(self, block: Block, step: Step, entering: Var) -> Var:
        """Note the events of a block; gives the last version."""
        current, events = entering, []
        for statement in block.statements:
            after = self._after(statement, current)
            if after is not None:
                events.append(Event(statement, current, after))
                current = after
        self.events[step] = tuple(events)
        return current

    def _follow_loop(self, loop: For | While, parameter: Var, following: Atom) -> bool:
        known, body = dict(self.events), (loop.label, 0)
        if self._follow(loop.body, body, parameter) == following and self.events[body]:
            return True
        self.events = known
        return False

    def _after(self, statement: Statement, current: Var) -> Var | None:
        """The version that a statement makes of the current one, if it makes one."""
        match statement:
            case Assign(op=op, operands=operands, targets=targets):
                return targets[0] if op in UPDATES and operands[0] == current else None
            case For() | While():
                for target, initial, parameter, following in carried_of(statement):
                    if initial == current and self._follow_loop(statement, parameter, following):
                        return target
            case If(targets=targets):
                known = dict(self.events)
                ends = [
                    self._follow(branch, step, current)
                    for step, branch in steps_of(statement, statement.label)
                ]
                given = zip(targets, statement.then.results, statement.orelse.results, strict=True)
                made = next((target for target, *both in given if both == ends), None)
                if made is not None and any(end != current for end in ends):
                    return made
                self.events = known
        return None


def chains_of(places: Places) -> list[Chain]:
    """The arrays that loops write to, those of outer loops first."""
    found = []
    for label in sorted(places.statements):
        loop = places.statements[label]
        if isinstance(loop, For | While):
            for slot, target in enumerate(loop.targets):
                chain = Chain.of(loop, slot) if isinstance(target.type, Array) else None
                if chain is not None:
                    found.append(chain)
    return found


__all__ = ["Chain", "Event", "Source", "chains_of"]
