"""Checks after the steps of a derivative that it is finite: what `trap_nan` asks for.

What comes in: a statement of the primal for whose operand the adjoint (or for whose result the
tangent) has just been computed. What goes out: behind it an effect that raises FloatingPointError
where that is not finite, with the user's line, the operation, and the values it was made from.
Steps that only add or move what is finite are not checked, nor is an adjoint that a `where` is
still to mask.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from s2s_ad.ir import Assign, Atom, Const, Var
from s2s_ad.operations.effects import STOP_UNLESS_FINITE
from s2s_ad.rewrite import Builder
from s2s_ad.types import is_float, is_numeric

if TYPE_CHECKING:
    from s2s_ad.passes.sweep import Sweep

LONGEST_TEXT = 60


def trap_adjoint(sweep: Sweep, statement: Assign, operand: Atom, read: Collection[str]) -> None:
    """Append a check of the adjoint of an operand, if the rule computes it from the values of some;
    `read` are the names that it reads. Of arrays only parts of which take part the values would be
    kept for nothing: they are not shown.
    """
    op, definitions = statement.op, sweep.masks.definitions
    found = sweep.adjoints.get(operand) if isinstance(operand, Var) else None
    if not isinstance(operand, Var) or not isinstance(found, Var) or not is_numeric(found.type):
        return
    names = op.operand_names(len(statement.operands))
    every = (*names, *op.result_names), (*statement.operands, *statement.targets)
    computes = any(name in read and is_float(a.type) for name, a in zip(*every, strict=False))
    masked = operand in sweep.masks.masks and sweep.masks.is_spoilt(statement, operand)
    if op.linear or masked or not computes:
        return
    known: dict[Atom, str] = {found: f"the adjoint of {_label(operand, definitions)}"}
    for name, atom in zip(names, statement.operands, strict=True):
        if isinstance(atom, Var) and (op.elementwise or name in read) and is_numeric(atom.type):
            known[sweep.recall(atom)] = _label(atom, definitions)
    for target in statement.targets:
        grad = sweep.adjoints.get(target)
        if isinstance(grad, Var) and is_numeric(grad.type):
            known.setdefault(grad, f"the adjoint of {_text(statement, target)}")
    _append(sweep.builder, _place(statement), known)


def trap_gradient(sweep: Sweep, leaf: Var) -> None:
    """Append a check of the adjoint of an argument, all contributions together."""
    found = sweep.adjoints.get(leaf)
    if isinstance(found, Var) and is_numeric(found.type) and is_float(found.type):
        _append(sweep.builder, f"in {sweep.function.name}", {found: f"the adjoint of {leaf.name}"})


def trap_tangent(
    builder: Builder, definitions: Mapping[Var, Assign], statement: Assign, dot: Var
) -> None:
    """Append a check of the tangent of a statement's result."""
    if statement.op.linear or not is_numeric(dot.type):
        return
    known: dict[Atom, str] = {dot: f"the tangent of {_text(statement, statement.target)}"}
    for atom in statement.operands:
        if isinstance(atom, Var) and is_numeric(atom.type):
            known.setdefault(atom, _label(atom, definitions))
    _append(builder, _place(statement), known)


def _append(builder: Builder, place: str, known: Mapping[Atom, str]) -> None:
    labels = Const(tuple(known.values()))
    builder.append(STOP_UNLESS_FINITE, (), Const(place), labels, *known)


def _place(statement: Assign) -> str:
    """`model.py, line 5: np.sqrt(x)`"""
    span = statement.span
    if span is None:
        return statement.op.name
    text = _shortened(span.file.text_of(span))
    return f"{os.path.basename(span.file.path)}, line {span.line}: {text}"


def _label(var: Var, definitions: Mapping[Var, Assign]) -> str:
    """How the user would say which value it is: its name, or the expression that it is of."""
    definition = definitions.get(var)
    return var.base_name if definition is None else _text(definition, var)


def _text(statement: Assign, target: Var) -> str:
    if not target.is_temporary or statement.span is None:
        return target.name.replace("%", "v")
    return _shortened(statement.span.file.text_of(statement.span))


def _shortened(text: str) -> str:
    text = " ".join(text.split()).replace('"', "'")
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 4]} ..."
