"""Where variables are computed, and where the reverse sweep needs them.

A place is the way from the function's body to a block: the labels of the loops and branches around
it, with the side of a branch. The reverse sweep has a block for the same place in the statement
that undoes the forward one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count

from s2s_ad.ir import (
    Assign,
    Block,
    For,
    Function,
    If,
    Statement,
    Var,
    While,
    blocks_of,
)
from s2s_ad.operations.support import RECALL
from s2s_ad.rewrite import map_statement

Step = tuple[int, int]  # the label of a statement, and which of its blocks
Place = tuple[Step, ...]
TOP: Place = ()


@dataclass
class Places:
    """What a function computes, and where."""

    home: dict[Var, Place] = field(default_factory=dict)
    order: dict[Var, int] = field(default_factory=dict)
    made_by: dict[Var, Statement] = field(default_factory=dict)  # parameters have no entry
    statements: dict[int, For | While | If] = field(default_factory=dict)  # by label
    given: dict[Var, Var] = field(default_factory=dict)  # what the reverse sweep has without tapes
    overwritten: frozenset[Var] = frozenset()  # what has to be kept to put it back
    recalled: dict[Var, None] = field(default_factory=dict)  # in the order of the first recalls

    @staticmethod
    def of(
        function: Function, given: dict[Var, Var] | None = None, overwritten: Iterable[Var] = ()
    ) -> Places:
        places = Places(given=given or {}, overwritten=frozenset(overwritten))
        places._visit(function.body, TOP)
        return places

    def _visit(self, block: Block, place: Place) -> None:
        for parameter in block.parameters:
            self._found(parameter, place)
        for statement in block.statements:
            for target in statement.targets:
                self._found(target, place)
                self.made_by[target] = statement
            if isinstance(statement, Assign):
                if statement.op is RECALL and isinstance(statement.operands[0], Var):
                    self.recalled.setdefault(statement.operands[0])
                continue
            if statement.label:
                self.statements[statement.label] = statement
            for step, inner in steps_of(statement, statement.label):
                self._visit(inner, (*place, step))

    def _found(self, var: Var, place: Place) -> None:
        self.home[var] = place
        self.order[var] = len(self.order)

    def region(self, place: Place) -> Place:
        """The innermost loop body around a place, or the function's."""
        while place and isinstance(self.statements.get(place[-1][0]), If):
            place = place[:-1]
        return place

    def is_reverse(self, place: Place) -> bool:
        """Whether a place is inside a loop or branch without a label, as the reverse sweep is."""
        return any(label == 0 for label, _ in place)


def steps_of(statement: For | While | If, label: int) -> Iterator[tuple[Step, Block]]:
    """The blocks of a statement with their places in it; a loop's test has none of its own."""
    blocks = blocks_of(statement)
    if isinstance(statement, While):
        yield (label, 1), blocks[0]
        yield (label, 0), blocks[1]
        return
    for k, block in enumerate(blocks):
        yield (label, k), block


def labelled(function: Function) -> Function:
    """The function with a label for each loop and branch, those of the reverse sweep too."""
    numbers = count(1)

    def numbered(statement: Statement) -> Statement:
        if isinstance(statement, Assign):
            return statement
        number = next(numbers)
        inner = map_statement(statement, lambda atom: atom, lambda var: var, inside)
        assert not isinstance(inner, Assign)
        return replace(inner, label=number)

    def inside(block: Block) -> Block:
        return replace(block, statements=tuple(map(numbered, block.statements)))

    return replace(function, body=inside(function.body))
