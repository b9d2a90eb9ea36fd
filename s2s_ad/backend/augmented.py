"""Spells changes of what is there: `x[i] -= v` for `x[i] = x[i] - v` and for `x[i] += -v`.

Only where both mean the same to the last bit: a sign before a factor is one before the product or
quotient, and the element has the type that the result has before it is stored.
"""

from __future__ import annotations

from s2s_ad.backend.expressions import Speller
from s2s_ad.backend.spelling import Expression, spell_atom, spell_operation
from s2s_ad.ir import Assign, Atom, Const, Var
from s2s_ad.operations.indexing import ADDITEM, SETITEM
from s2s_ad.operations.support import ADD_IN_PLACE
from s2s_ad.types import Number, Scalar, is_complex, is_float

AUGMENTED = ("+", "-", "*", "/")


def augmented_update(speller: Speller, statement: Assign, index: str) -> str:
    """An update as an augmented assignment, or nothing where it is none."""
    if statement.op is SETITEM:
        return _changed_element(speller, statement, index)
    if statement.op is ADDITEM:
        base, _, value = statement.operands
        place = f"{speller.spell(base).text}[{index}]"
    elif statement.op is ADD_IN_PLACE:
        base, value = statement.operands
        place = speller.spell(base).text
    else:
        return ""
    taken = opposite(speller, value)
    return "" if taken is None else f"{place} -= {taken.text}"


def _changed_element(speller: Speller, statement: Assign, index: str) -> str:
    base, _, value = statement.operands
    made = _folded(speller, value)
    if made is None or made.op.name not in AUGMENTED:
        return ""
    first, second = made.operands
    if first.type != value.type:
        return ""
    place = f"{speller.spell(base).text}[{index}]"
    read = _folded(speller, first)
    if read is None or read.op.name != "getitem" or speller.spell(first).text != place:
        return ""
    if getattr(base.type, "dtype", None) != getattr(value.type, "dtype", ""):
        return ""
    return f"{place} {made.op.name}= {speller.spell(second).text}"


def added_number(speller: Speller, statement: Assign, name: str) -> str | None:
    """`+= v` of `x = x + v`, and likewise `-=`, for numbers."""
    if statement.op.name not in ("+", "-"):
        return None
    first, second = statement.operands
    if not isinstance(first, Var) or not isinstance(statement.target.type, Number | Scalar):
        return None
    if not isinstance(first.type, Number | Scalar) or speller.spell(first).text != name:
        return None
    if statement.op.name == "-":
        return f"-= {speller.spell(second).text}"
    taken = opposite(speller, second)
    return f"+= {speller.spell(second).text}" if taken is None else f"-= {taken.text}"


def opposite(speller: Speller, atom: Atom) -> Expression | None:
    """What an atom is the negative of, if it is written with a sign in front."""
    if not is_float(atom.type) or is_complex(atom.type):
        return None
    if isinstance(atom, Const):
        is_negative = isinstance(atom.value, float) and atom.value < 0.0 and not atom.text
        return spell_atom(Const(-atom.value), speller.library) if is_negative else None
    made = _folded(speller, atom)
    if made is None:
        return None
    if made.op.name == "-x":
        return speller.spell(made.operands[0])
    if made.op.name not in ("*", "/"):
        return None
    for part in made.operands if made.op.name == "*" else made.operands[:1]:
        taken = opposite(speller, part)
        if taken is not None:
            return _with_part(speller, made, part, taken)
    return None


def _with_part(speller: Speller, made: Assign, part: Atom, instead: Expression) -> Expression:
    def spell(one: Atom) -> Expression:
        return instead if one is part else speller.spell(one)

    return spell_operation(made, spell, speller.library)


def _folded(speller: Speller, atom: Atom) -> Assign | None:
    """The statement of a value that is written where it is used."""
    if not isinstance(atom, Var) or atom not in speller.folding.inlined:
        return None
    return speller.folding.definitions[atom]
