"""What is printed, as a tree of statements that change variables: the way out of single assignment.

`plan` takes the structured list and gives lines, branches, loops, jumps, and moves: what a loop or
branch hands on becomes assignments at the ends of blocks. Which of them are needed is decided by
the names (`name_variables`): a move between two variables of one name is nothing. A carried value
is one variable, whether it is called target or parameter of the body; `storage` says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

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

    def block(self, block: Block, finish: Finish, may_stop: bool = False) -> tuple[Node, ...]:
        """The nodes of a block; `may_stop`: its last result tells whether the loop around stops."""
        *before, last = block.statements or (None,)
        nodes = [node for statement in before if statement for node in self.nodes(statement)]
        if may_stop and isinstance(last, If) and self.decides_whether_to_stop(last, block.results):
            return (*nodes, *self.stopping_branch(last, block.results, finish))
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
                nodes = self.block(body, self.next_trip(statement), statement.stops)
                before = Moves(tuple(zip(targets, initial, strict=True)), role)
                return [ForLoop(before, index, trip, nodes, role)]
            case While(targets, initial, test, body):
                self.storage.update(zip(body.parameters, targets, strict=True))
                self.storage.update(zip(test.parameters, targets, strict=True))
                tested = tuple(n for one in test.statements for n in self.nodes(one))
                nodes = self.block(body, self.next_trip(statement), statement.stops)
                return [
                    *_moves(zip(targets, initial, strict=True), role),
                    WhileLoop(tested, test.results[0], nodes, role),
                ]

    def next_trip(self, loop: For | While) -> Finish:
        def finish(results: Sequence[Atom]) -> tuple[Node, ...]:
            values = results[: len(loop.targets)]
            moves = _moves(zip(loop.targets, values, strict=True), loop.role)
            if not loop.stops:
                return moves
            stop = results[-1]
            if isinstance(stop, Const):
                return (*moves, Break(loop.role)) if stop.value else moves
            # the moves are made on both ways: so the test is read before them
            return (Branch(stop, (*moves, Break(loop.role)), (), loop.role), *moves)

        return finish

    def decides_whether_to_stop(self, last: If, results: Sequence[Atom]) -> bool:
        """Whether a block's last statement is a branch that gives the last result, and one side of
        it always stops or never does.
        """
        flag = results[-1] if results else None
        count = self.uses.get(flag, 0) if isinstance(flag, Var) else 0
        if not results or results[-1] not in last.targets or count != 1:
            return False
        place = last.targets.index(results[-1])
        return any(
            isinstance(branch.results[place], Const)
            or (
                bool(branch.statements)
                and isinstance(branch.statements[-1], If)
                and self.decides_whether_to_stop(branch.statements[-1], (branch.results[place],))
            )
            for branch in (last.then, last.orelse)
        )

    def stopping_branch(
        self, last: If, results: Sequence[Atom], finish: Finish
    ) -> tuple[Node, ...]:
        """The branch with the end of the block in both sides; behind a side that jumps the other
        one need not be indented.
        """

        def side(block: Block) -> tuple[Node, ...]:
            # the flag goes last, where a branch inside looks for it
            place = last.targets.index(results[-1])

            def end(given: Sequence[Atom]) -> tuple[Node, ...]:
                values = dict(zip(last.targets, given[:-1], strict=True))
                return finish([values.get(r, r) if isinstance(r, Var) else r for r in results])

            return self.block(
                Block((), block.statements, (*block.results, block.results[place])), end, True
            )

        then, orelse = side(last.then), side(last.orelse)
        if _jumps(then):
            return (Branch(last.test, then, (), last.role), *orelse)
        if _jumps(orelse):
            return (Branch(last.test, (), orelse, last.role), *then)
        return (Branch(last.test, then, orelse, last.role),)


def _jumps(nodes: Sequence[Node]) -> bool:
    return bool(nodes) and isinstance(nodes[-1], Break)


def _moves(pairs: Iterable[tuple[Var, Atom]], role: str) -> tuple[Node, ...]:
    made = tuple(pairs)
    return (Moves(made, role),) if made else ()


def is_undefined(atom: Atom) -> bool:
    return atom == UNDEFINED
