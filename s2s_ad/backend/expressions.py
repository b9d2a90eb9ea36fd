"""Spells atoms and right sides with the names of the module, folded values written out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from s2s_ad.backend.fold import Folding
from s2s_ad.backend.spelling import (
    Expression,
    spell_atom,
    spell_index_parts,
    spell_operation,
    spell_slice,
    spell_tuple,
    subscript,
)
from s2s_ad.ir import Assign, Atom, Const, Var
from s2s_ad.operations.indexing import SLICE, TUPLE
from s2s_ad.operations.lists import SUBSCRIPTS
from s2s_ad.types import Number, is_integer

OPPOSITE = {"==": "!=", "!=": "=="}  # also for what is not a number
OPPOSITE_OF_INTEGERS = {**OPPOSITE, "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


class Speller:
    """`sizes`: names at the entry for sizes; filled in when the entry has been written."""

    def __init__(
        self, folding: Folding, names: Mapping[Var, str], library: Callable[[str], str]
    ) -> None:
        self.folding, self.names, self.library = folding, names, library
        self.sizes: Mapping[str, str] = {}

    def spell(self, atom: Atom) -> Expression:
        if isinstance(atom, Const):
            return spell_atom(atom, self.library)
        if atom not in self.folding.inlined:
            return Expression(self.names[atom])
        statement = self.folding.definitions[atom]
        name = self.sizes.get(self.folding.lengths.get(atom, ""))
        if name is not None:
            return Expression(name)
        if statement.op is TUPLE:
            return Expression(
                spell_tuple([self.spell(operand).text for operand in statement.operands])
            )
        if statement.op is SLICE:
            return Expression(
                f"slice({', '.join(self.spell(operand).text for operand in statement.operands)})"
            )
        return self.right_side(statement)

    def right_side(self, statement: Assign) -> Expression:
        if statement.op.name in SUBSCRIPTS and isinstance(statement.operands[1], Var):
            base = self.spell(statement.operands[0])
            return Expression(
                f"{base.within(16)}[{self.index(statement.operands[1])}]", weight=base.weight + 1
            )
        return spell_operation(statement, self.spell, self.library)

    def index(self, atom: Atom) -> str:
        found = self.folding.definitions.get(atom) if isinstance(atom, Var) else None
        if found is not None and found.op is TUPLE:
            return spell_index_parts(
                found,
                self.spell,
                lambda a: self.folding.definitions.get(a) if isinstance(a, Var) else None,
            )
        if found is not None and found.op is SLICE:
            return spell_slice(found, self.spell)
        return subscript(atom, self.spell)

    def test(self, atom: Atom, opposite: bool = False) -> str:
        """A condition, or its opposite: `a < b` is not turned round, since neither holds for a
        NaN.
        """
        if not opposite:
            return self.spell(atom).text
        if isinstance(atom, Var) and atom in self.folding.inlined:
            statement = self.folding.definitions[atom]
            if statement.op.name == "notx":
                return self.spell(statement.operands[0]).text
            whole = all(is_integer(operand.type) for operand in statement.operands)
            turned = (OPPOSITE_OF_INTEGERS if whole else OPPOSITE).get(statement.op.name)
            if turned is not None and isinstance(atom.type, Number):
                left, right = (self.spell(operand).within(7) for operand in statement.operands)
                return f"{left} {turned} {right}"
        return f"not {self.spell(atom).within(5)}"
