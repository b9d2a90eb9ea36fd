"""What is printed, as a tree of statements that change variables: the way out of single assignment.

`plan` takes the structured list and gives lines, branches, loops, jumps, and moves: what a loop or
branch hands on becomes assignments at the ends of blocks. Which of them are needed is decided by
the names (`name_variables`): a move between two variables of one name is nothing. A carried value
is one variable, whether it is called target or parameter of the body; `storage` says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from s2s_ad.ir import (
    UNDEFINED,
    Assign,
    Atom,
    Block,
    Const,
    For,
    Function,
    If,
    Statement,
    Var,
    While,
)
from s2s_ad.rewrite import count_uses
from s2s_ad.types import is_integer


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One assignment, update or effect."""

    statement: Assign

    @property
    def role(self) -> str:
        return self.statement.role


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """Assignments at once: all right sides are read before any left side changes."""

    pairs: tuple[tuple[Var, Atom], ...]
    role: str


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    test: Atom
    then: tuple[Node, ...]
    orelse: tuple[Node, ...]
    role: str


@dataclass(frozen=True, slots=True, eq=False)
class ForLoop:
    """`initial` are the moves before it, which are printed before the bounds are read."""

    initial: Moves
    index: Var
    trip: tuple[Atom, Atom, Atom]
    body: tuple[Node, ...]
    role: str


@dataclass(frozen=True, slots=True, eq=False)
class WhileLoop:
    """`before` computes what the test reads, again before each trip."""

    before: tuple[Node, ...]
    test: Atom
    body: tuple[Node, ...]
    role: str


@dataclass(frozen=True, slots=True, eq=False)
class Break:
    role: str


Node = Line | Moves | Branch | ForLoop | WhileLoop | Break


@dataclass(frozen=True)
class Plan:
    """The nodes of a function's body; `storage`: the variable that another one is."""

    nodes: tuple[Node, ...]
    storage: Mapping[Var, Var] = field(default_factory=dict)

    def stored(self, var: Var) -> Var:
        return self.storage.get(var, var)


Finish = Callable[[Sequence[Atom]], tuple[Node, ...]]
"""Makes the end of a block from its results."""


def plan(function: Function, is_printed: Callable[[Assign], bool]) -> Plan:
    """The plan of a function's body; `is_printed` tells which assignments have a line."""
    planner = _Planner(is_printed, count_uses(function.body))
    nodes = planner.block(function.body, lambda _: ())
    return Plan(nodes, planner.storage)


class _Planner:
    def __init__(self, is_printed: Callable[[Assign], bool], uses: Mapping[Var, int]) -> None:
        self.is_printed, self.uses = is_printed, uses
        self.storage: dict[Var, Var] = {}

    def block(self, block: Block, finish: Finish, stop: Atom | None = None) -> tuple[Node, ...]:
        """The nodes of a block; `stop`: the result that tells whether the loop around stops."""
        *before, last = block.statements or (None,)
        nodes = [node for statement in before if statement for node in self.nodes(statement)]
        if isinstance(last, If) and self.decides_whether_to_stop(last, block.results, stop):
            return (*nodes, *self.stopping_branch(last, block.results, stop, finish))
        return (*nodes, *(self.nodes(last) if last else ()), *finish(block.results))

    def nodes(self, statement: Statement) -> list[Node]:
        role = statement.role
        match statement:
            case Assign():
                return [Line(statement)] if self.is_printed(statement) else []
            case If(targets, test, then, orelse):

                def give(results: Sequence[Atom]) -> tuple[Node, ...]:
                    return _moves(zip(targets, results, strict=True), role)

                return [Branch(test, self.block(then, give), self.block(orelse, give), role)]
            case For(targets, trip, initial, body):
                index, *parameters = body.parameters
                self.storage.update(zip(parameters, targets, strict=True))
                self.keep_index(statement)
                before = Moves(tuple(zip(targets, initial, strict=True)), role)
                return [ForLoop(before, index, trip, self.trips(statement), role)]
            case While(targets, initial, test, body):
                self.storage.update(zip(body.parameters, targets, strict=True))
                self.storage.update(zip(test.parameters, targets, strict=True))
                tested = tuple(n for one in test.statements for n in self.nodes(one))
                return [
                    *_moves(zip(targets, initial, strict=True), role),
                    WhileLoop(tested, test.results[0], self.trips(statement), role),
                ]

    def keep_index(self, loop: For) -> None:
        """A carried value that is the index of the last trip is the loop's own variable."""
        index, *parameters = loop.body.parameters
        for target, parameter, following in zip(
            loop.targets, parameters, loop.body.results, strict=False
        ):
            if following == index and not self.uses.get(parameter) and is_integer(target.type):
                self.storage[index] = target
                return

    def trips(self, loop: For | While) -> tuple[Node, ...]:
        """The body, with moves to the carried values at each of its ends."""
        ends: list[tuple[Moves, bool]] = []

        def end(values: Sequence[Atom], stops: bool) -> tuple[Node, ...]:
            moves = Moves(tuple(zip(loop.targets, values, strict=False)), loop.role)
            ends.append((moves, stops))
            return (moves, Break(loop.role)) if stops else (moves,)

        def finish(results: Sequence[Atom]) -> tuple[Node, ...]:
            stop = results[-1] if loop.stops else Const(False)
            values = results[: len(loop.targets)]
            if isinstance(stop, Const):
                return end(values, bool(stop.value))
            # the moves are made on both ways: so the test is read before them
            return (Branch(stop, end(values, True), (), loop.role), *end(values, False))

        return _without_repetition(self.block(loop.body, finish, _flag(loop)), loop, ends)

    def decides_whether_to_stop(self, last: If, results: Sequence[Atom], stop: Atom | None) -> bool:
        """Whether a block's last statement is a branch that gives `stop`, and one side of it always
        stops or never does.
        """
        if not isinstance(stop, Var) or stop not in last.targets:
            return False
        if any(results.count(target) != self.uses.get(target, 0) for target in last.targets):
            return False
        place = last.targets.index(stop)
        return any(
            isinstance(branch.results[place], Const)
            or (
                bool(branch.statements)
                and isinstance(inner := branch.statements[-1], If)
                and self.decides_whether_to_stop(inner, branch.results, branch.results[place])
            )
            for branch in (last.then, last.orelse)
        )

    def stopping_branch(
        self, last: If, results: Sequence[Atom], stop: Atom | None, finish: Finish
    ) -> tuple[Node, ...]:
        """The branch with the end of the block in both sides; behind a side that jumps the other
        one need not be indented.
        """

        def side(block: Block) -> tuple[Node, ...]:
            def end(given: Sequence[Atom]) -> tuple[Node, ...]:
                values = dict(zip(last.targets, given, strict=True))
                return finish([values.get(r, r) if isinstance(r, Var) else r for r in results])

            assert isinstance(stop, Var)
            return self.block(block, end, block.results[last.targets.index(stop)])

        then, orelse = side(last.then), side(last.orelse)
        if _jumps(then):
            return (Branch(last.test, then, (), last.role), *orelse)
        if _jumps(orelse):
            return (Branch(last.test, (), orelse, last.role), *then)
        return (Branch(last.test, then, orelse, last.role),)


def _without_repetition(
    nodes: tuple[Node, ...], loop: For | While, ends: Sequence[tuple[Moves, bool]]
) -> tuple[Node, ...]:
    """A flag that is false before a loop and stays so while it goes on is not set in each trip."""
    kept = {
        target
        for target, initial in zip(loop.targets, loop.initial, strict=True)
        if isinstance(initial, Const)
        and all(stops or dict(moves.pairs)[target] == initial for moves, stops in ends)
    }
    first = dict(zip(loop.targets, loop.initial, strict=True))
    changed = {
        id(moves): Moves(
            tuple((t, s) for t, s in moves.pairs if t not in kept or s != first[t]), moves.role
        )
        for moves, _ in ends
    }

    def visit(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
        return tuple(map(one, nodes))

    def one(node: Node) -> Node:
        if isinstance(node, Branch):
            return replace(node, then=visit(node.then), orelse=visit(node.orelse))
        return changed.get(id(node), node) if isinstance(node, Moves) else node

    return visit(nodes) if kept else nodes


def _flag(loop: For | While) -> Atom | None:
    return loop.body.results[-1] if loop.stops else None


def _jumps(nodes: Sequence[Node]) -> bool:
    return bool(nodes) and isinstance(nodes[-1], Break)


def _moves(pairs: Iterable[tuple[Var, Atom]], role: str) -> tuple[Node, ...]:
    made = tuple(pairs)
    return (Moves(made, role),) if made else ()


def is_undefined(atom: Atom) -> bool:
    return atom == UNDEFINED


def all_nodes(nodes: Iterable[Node], depth: int) -> Iterator[tuple[int, Node]]:
    for node in nodes:
        yield depth, node
        match node:
            case Branch(then=then, orelse=orelse):
                yield from all_nodes(then, depth)
                yield from all_nodes(orelse, depth)
            case ForLoop(body=body):
                yield from all_nodes(body, depth + 1)
            case WhileLoop(before=before, body=body):
                yield from all_nodes(before, depth + 1)
                yield from all_nodes(body, depth + 1)


def nested_counters(
    nodes: Iterable[Node], around: tuple[Var, ...] = ()
) -> Iterator[tuple[Var, Var]]:
    """Pairs of the index of a loop and that of one inside."""
    for node in nodes:
        match node:
            case Branch(then=then, orelse=orelse):
                yield from nested_counters((*then, *orelse), around)
            case ForLoop(index=index, body=body):
                yield from ((outer, index) for outer in around)
                yield from nested_counters(body, (*around, index))
            case WhileLoop(before=before, body=body):
                yield from nested_counters((*before, *body), around)
