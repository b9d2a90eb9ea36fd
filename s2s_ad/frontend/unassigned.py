"""Which names a trip may leave alone: what they meant before the trip then goes on.

A name that is bound in a loop only, and read behind it, need not go from trip to trip if every trip
binds it anew. Otherwise the last trip that bound it counts, and the derivative has to find it.
"""

from __future__ import annotations

from collections.abc import Iterable

from s2s_ad.frontend.values import Growing
from s2s_ad.ir import (
    UNDEFINED,
    Assign,
    Atom,
    Const,
    For,
    If,
    Statement,
    Structure,
    Var,
    While,
    blocks_of,
)
from s2s_ad.types import Array


class Unassigned:
    """Answers for the statements of one trip. `varying` are the variables that differ from trip to
    trip, beside those that the statements define.
    """

    def __init__(self, statements: Iterable[Statement], varying: Iterable[Var]) -> None:
        self.definitions: dict[Atom, Statement] = {}
        self.initial: dict[Atom, Atom] = {}  # by the parameter of an inner loop
        self.varies: dict[Atom, bool] = dict.fromkeys(varying, True)
        self._enter(statements)

    def _enter(self, statements: Iterable[Statement]) -> None:
        for statement in statements:
            self.definitions.update(dict.fromkeys(statement.targets, statement))
            if isinstance(statement, For | While):
                carried = statement.body.parameters[isinstance(statement, For) :]
                self.initial.update(zip(carried, statement.initial, strict=True))
            for block in blocks_of(statement):
                self.varies.update(dict.fromkeys(block.parameters, True))
                self._enter(block.statements)

    def may_stay(self, name: str, end: object) -> bool:
        """Whether some trips of a loop that binds a name do not bind it, or read it before they do.
        `end` is what it means at the end of a trip.
        """
        return self._may_be(end) or any(
            self._may_be(var)
            for var in self.definitions
            if isinstance(var, Var) and (var.name == name or var.name.startswith(f"{name}_"))
        )

    def _may_be(self, value: object) -> bool:
        """Whether a value is that of a name which some paths to it, but not all, leave alone."""
        if isinstance(value, Structure | Growing):
            return any(map(self._may_be, value.items))
        if value == UNDEFINED:
            return True
        if not isinstance(value, Var):
            return False
        if value in self.initial:
            return self._may_be(self.initial[value])
        statement = self.definitions.get(value)
        if isinstance(statement, If):
            place = statement.targets.index(value)
            given = [statement.then.results[place], statement.orelse.results[place]]
            if not self._differs(statement.test):  # always the same path
                given = [atom for atom in given if atom != UNDEFINED]
            return any(map(self._may_be, given))
        if isinstance(statement, For | While):
            place = statement.targets.index(value)
            if self._may_make_no_trip(statement) and self._may_be(statement.initial[place]):
                return True
            return self._may_be(statement.body.results[place])
        return False

    def _may_make_no_trip(self, loop: For | While) -> bool:
        """Whether there are trips in which an inner loop makes none, while it does in others."""
        return isinstance(loop, While) or any(map(self._differs, loop.trip))

    def _differs(self, atom: Atom) -> bool:
        """Whether a value may differ from trip to trip."""
        if atom not in self.varies:
            statement = self.definitions.get(atom)
            read: list[Atom] = []
            if isinstance(statement, Assign):
                op = statement.op
                names = op.operand_names(len(statement.operands))
                read = [
                    operand
                    for name, operand in zip(names, statement.operands, strict=True)
                    if not (op.is_marked(op.shape_only, name) and _keeps_shape(operand))
                ]
            blocks = statement is not None and not isinstance(statement, Assign)
            effect = isinstance(statement, Assign) and statement.op.effect
            self.varies[atom] = blocks or effect or any(map(self._differs, read))
        return self.varies[atom]


def _keeps_shape(atom: Atom) -> bool:
    """Whether a carried array has one shape in all trips."""
    if isinstance(atom, Const):
        return True
    shape = atom.type.shape if isinstance(atom.type, Array) else None
    return shape is not None and not any(size.is_local for size in shape)
