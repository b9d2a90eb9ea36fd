"""Where variables are alive in a plan: stretches of positions from an assignment to the last read.

Positions grow in the order in which nodes are printed. Reads stand on even positions, assignments
on the odd ones behind them, so that `x = x + 1` does not keep the two `x` apart. What a loop reads
in a later trip is alive to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field

from s2s_ad.backend.plan import (
    Branch,
    Break,
    ForLoop,
    Line,
    Moves,
    Node,
    Plan,
    WhileLoop,
    is_undefined,
)
from s2s_ad.ir import Atom, Var

Range = tuple[int, int]
Reads = Callable[[Iterable[Atom]], set[Var]]
"""The variables whose names stand in the printed form of some atoms."""


@dataclass
class LiveRanges:
    """The ranges of each variable, latest first, and the moves nobody needs: by identity of the
    node, with the variable that is not read.
    """

    ranges: dict[Var, list[Range]] = field(default_factory=dict)
    needless: set[tuple[int, Var]] = field(default_factory=set)


def live_ranges(
    plan: Plan, results: Iterable[Atom], reads: Reads, kept: Set[Var] = frozenset()
) -> LiveRanges:
    """`results`: what the function returns. `kept`: initial values of loops that go on under their
    own name until the bounds are read.
    """
    walker = _Walker(plan, reads, kept)
    walker.walk(plan.nodes, reads(results), frozenset())
    return walker.found


class _Walker:
    """Walks backwards; `now` counts down."""

    def __init__(self, plan: Plan, reads: Reads, kept: Set[Var]) -> None:
        self.plan, self.reads, self.kept = plan, reads, kept
        self.now = 0
        self.found = LiveRanges()
        self.read_first: dict[int, frozenset[Var]] = {}

    def walk(self, nodes: Iterable[Node], live_out: Set[Var], at_exit: Set[Var]) -> set[Var]:
        """What is alive before the nodes, given what is behind them and behind the loop around."""
        self.now -= 2
        ends = dict.fromkeys(live_out, self.now)
        for node in reversed(tuple(nodes)):
            self.now -= 2
            match node:
                case Line() | Moves():
                    self.step(node, ends)
                case Break():
                    self.close(ends, self.now + 1)
                    ends = dict.fromkeys(at_exit, self.now)
                case _:
                    self.close(ends, self.now + 1)
                    live = self.inner(node, set(ends), at_exit)
                    self.now -= 2
                    ends = dict.fromkeys(live, self.now)
                    if isinstance(node, ForLoop):
                        self.enter(node, ends)
        self.now -= 2
        self.close(ends, self.now)
        return set(ends)

    def enter(self, node: ForLoop, ends: dict[Var, int]) -> None:
        """The moves before a loop and its bounds. A bound that reads an initial value reads what it
        has become: that has the same name, or else the variable is `kept`.
        """
        read = self.reads(node.trip)
        moved = read & self.reads(source for _, source in node.initial.pairs) - self.kept
        for var in read - moved:
            ends.setdefault(var, self.now)
        self.now -= 2
        self.step(node.initial, ends)
        for var in moved:
            ends.setdefault(var, self.now)

    def step(self, node: Line | Moves, ends: dict[Var, int]) -> None:
        if isinstance(node, Line):
            for target in node.statement.targets:
                var = self.plan.stored(target)
                self.note(var, self.now + 1, ends.pop(var, self.now + 1))
            read = self.reads(node.statement.operands)
        else:
            for target, _ in node.pairs:
                var = self.plan.stored(target)
                if var in ends:
                    self.note(var, self.now + 1, ends.pop(var))
                else:
                    self.found.needless.add((id(node), target))
            read = self.reads(source for _, source in node.pairs)
        for var in read:
            ends.setdefault(var, self.now)

    def inner(self, node: Node, live: set[Var], at_exit: Set[Var]) -> set[Var]:
        match node:
            case Branch(test=test, then=then, orelse=orelse):
                after = self.walk(orelse, live, at_exit)
                return self.walk(then, live, at_exit) | after | self.reads((test,))
            case ForLoop(index=index, body=body):
                head = live | self.first_reads(node)
                self.walk(body, head, live)
                self.now -= 2
                own = self.plan.stored(index)
                for var in {*head, own}:
                    self.note(var, self.now, self.now + 1)
                # without a trip, what is alive behind the loop keeps its value
                return head - ({own} - live)
            case WhileLoop(before=before, test=test, body=body):
                head = live | self.first_reads(node)
                in_body = self.walk(body, head, live)
                self.walk(before, in_body | live | self.reads((test,)), live)
                return head
        raise AssertionError(node)

    def first_reads(self, node: ForLoop | WhileLoop) -> frozenset[Var]:
        """What a loop reads before it assigns it in the same trip."""
        found = self.read_first.get(id(node))
        if found is None:
            read = self.before(node.body, frozenset())
            if isinstance(node, ForLoop):
                read -= {self.plan.stored(node.index)}
            else:
                read = self.before(node.before, read | self.reads((node.test,)))
            found = self.read_first[id(node)] = frozenset(read)
        return found

    def before(self, nodes: Iterable[Node], live_out: Set[Var]) -> set[Var]:
        """What is alive before the nodes, without taking note."""
        live = set(live_out)
        for node in reversed(tuple(nodes)):
            match node:
                case Line(statement=statement):
                    live -= {self.plan.stored(target) for target in statement.targets}
                    live |= self.reads(statement.operands)
                case Moves(pairs=pairs):
                    live -= {self.plan.stored(target) for target, _ in pairs}
                    live |= self.reads(source for _, source in pairs)
                case Break():
                    live = set()
                case Branch(test=test, then=then, orelse=orelse):
                    live = self.before(then, live) | self.before(orelse, live)
                    live |= self.reads((test,))
                case ForLoop(initial=Moves(pairs=pairs)):
                    live |= self.first_reads(node)
                    live -= {self.plan.stored(target) for target, _ in pairs}
                    live |= self.reads((*node.trip, *(source for _, source in pairs)))
                case WhileLoop():
                    live |= self.first_reads(node)
        return live

    def close(self, ends: dict[Var, int], start: int) -> None:
        for var, end in ends.items():
            self.note(var, start, end)

    def note(self, var: Var, start: int, end: int) -> None:
        ranges = self.found.ranges.setdefault(var, [])
        if ranges and ranges[-1][0] <= end + 1 and start <= ranges[-1][0]:
            ranges[-1] = (start, ranges[-1][1])
        else:
            ranges.append((start, end))


def overlap(left: list[Range], right: list[Range]) -> bool:
    """Whether two lists of ranges, latest first, have a position in common."""
    i = j = 0
    while i < len(left) and j < len(right):
        (start, end), (other_start, other_end) = left[i], right[j]
        if start <= other_end and other_start <= end:
            return True
        if start > other_end:
            i += 1
        else:
            j += 1
    return False


def merged(left: list[Range], right: list[Range]) -> list[Range]:
    return sorted((*left, *right), reverse=True)


__all__ = ["LiveRanges", "Range", "is_undefined", "live_ranges", "merged", "overlap"]
