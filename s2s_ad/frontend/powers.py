"""Powers of Python numbers: where the base is negative and the exponent no whole number, Python's
result is complex. Here it is a float, so that the module raises there, as `math.pow` does, unless
the base is seen to be 0 or more. (NumPy's numbers give NaN.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import libcst as cst

from s2s_ad.ir import Assign, Atom, Const
from s2s_ad.operations.effects import RAISE_IF, in_quotes
from s2s_ad.types import Number

if TYPE_CHECKING:
    from s2s_ad.frontend.lower import Lowering

SUMS = frozenset({"+", "*", "/", "builtins.max", "builtins.min", "+x", "builtins.float"})
"""These are not negative where no operand is."""
NEVER_NEGATIVE = frozenset(
    {"builtins.abs", "math.exp", "math.sqrt", "math.fabs", "math.hypot", "math.cosh", "math.exp2"}
)


def keep_real(lowering: Lowering, base: Atom, exponent: Atom, node: cst.CSTNode) -> None:
    """Raise where `base ** exponent`, of two Python numbers, is complex."""
    if not (_is_real(base) and _is_real(exponent)) or _is_whole(exponent):
        return
    appended = [one for one in lowering.builder.statements if isinstance(one, Assign)]
    made: dict[Atom, Assign] = {target: one for one in appended for target in one.targets}
    if _is_not_negative(base, made) or _was_checked(base, appended, made):
        return
    test: Atom = lowering.assign(lowering.operation("<"), [base, Const(0.0)], node)
    if not isinstance(exponent, Const):
        part = lowering.assign(lowering.operation("%"), [exponent, Const(1.0)], node)
        is_fraction = lowering.assign(lowering.operation(">"), [part, Const(0.0)], node)
        test = lowering.assign(lowering.operation("&"), [test, is_fraction], node)
    code = " ".join(lowering.code(node).split())
    message = in_quotes(f"{code} is complex where its base is negative")
    lowering.builder.span = lowering.span(node)
    lowering.effect(RAISE_IF, [test, Const(f"ValueError({message})")])


def _is_real(atom: Atom) -> bool:
    return isinstance(atom.type, Number) and atom.type.kind in ("float", "int")


def _is_whole(exponent: Atom) -> bool:
    if isinstance(exponent, Const):
        return bool(exponent.value % 1 == 0)
    return isinstance(exponent.type, Number) and exponent.type.kind == "int"


def _is_not_negative(atom: Atom, made: Mapping[Atom, Assign]) -> bool:
    if isinstance(atom, Const):
        return bool(atom.value >= 0)
    if isinstance(atom.type, Number) and atom.type.value is not None:
        return atom.type.value.is_natural
    found = made.get(atom)
    if found is None:
        return False
    first, *rest = found.operands
    is_square = found.op.name == "*" and rest == [first]
    if found.op.name == "**":
        is_square = isinstance(rest[0], Const) and rest[0].value % 2 == 0
    sums = found.op.name in SUMS and all(_is_not_negative(each, made) for each in found.operands)
    return found.op.name in NEVER_NEGATIVE or is_square or sums


def _was_checked(base: Atom, appended: Sequence[Assign], made: Mapping[Atom, Assign]) -> bool:
    """Whether the function has raised already where the base is negative."""
    tests = [made.get(one.operands[0]) for one in appended if one.op is RAISE_IF]
    return any(
        test is not None
        and test.op.name in ("<", "<=")
        and test.operands[0] == base
        and isinstance(test.operands[1], Const)
        and test.operands[1].value >= 0
        for test in tests
    )
