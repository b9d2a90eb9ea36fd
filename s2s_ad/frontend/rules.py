"""Rule texts of the catalogue to IR, by the same lowering as the user's code.

`contributions` gives, for each line `grad_x += ...` of a rule, the statements that compute it and
what it adds: a whole value, or an element-wise addition at an index. Texts are parsed once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import libcst as cst

from s2s_ad.diagnostics import DifferentiationError, Reporter, SourceFile
from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.lower import Frame, Lowering, identifiers
from s2s_ad.frontend.operands import atom
from s2s_ad.frontend.source import Unit
from s2s_ad.frontend.subscripts import index_of
from s2s_ad.frontend.values import Named, UserFunction, Value
from s2s_ad.ir import Atom, Operation
from s2s_ad.operations import catalogue
from s2s_ad.operations.complex_numbers import complex_form
from s2s_ad.operations.declared import DECLARED
from s2s_ad.operations.indexing import ADD_AT, ADDITEM, SETITEM
from s2s_ad.rewrite import Builder

NOTHING = cst.Lambda(params=cst.Parameters(), body=cst.Name("x"))
MODULES = {"np": "numpy", "math": "math", "scipy": "scipy"}


@dataclass(frozen=True)
class Contribution:
    """What one line does to the adjoint of `operand`: add `value`, or apply `update` (an operation)
    at `index`.
    """

    operand: str
    value: Atom
    update: Operation | None = None
    index: Atom | None = None


class RuleScope:
    """What the text of a rule may name besides its operands."""

    def lookup(self, name: str) -> Value | None:
        if name in MODULES:
            return Named(MODULES[name])
        if any(known.split(".")[0] == name for known in DECLARED.by_name):
            return Named(name)
        return Named(
            f"helper.{name}" if f"helper.{name}" in catalogue().operations else f"builtins.{name}"
        )


@cache
def _parsed(line: str) -> tuple[cst.BaseSmallStatement, Unit]:
    module = cst.parse_module(line + "\n")
    statement = module.body[0]
    assert isinstance(statement, cst.SimpleStatementLine)
    return statement.body[0], _RuleUnit(SourceFile("<rule>", line), module, 1)


class _RuleUnit(Unit):
    """Positions inside a rule interest nobody: statements get the span of the user's code."""

    def span(self, node: cst.CSTNode):  # type: ignore[no-untyped-def]
        return None


class _RuleLowering(Lowering):
    def assign(self, op, operands, node, name=""):  # type: ignore[no-untyped-def]
        return self.builder.assign(complex_form(op, operands), *operands, name=name)


def reads(lines: Sequence[str]) -> frozenset[str]:
    """The names that the lines read."""
    return frozenset().union(*map(_names_in, lines))


@cache
def _names_in(line: str) -> frozenset[str]:
    return identifiers(_parsed(line)[0])


def lower_line(builder: Builder, line: str, names: Mapping[str, Atom]) -> Contribution:
    """Append the statements of one line. Raises TypeProblem where the operands do not fit."""
    statement, unit = _parsed(line)
    lowering = _RuleLowering(Reporter(), builder, builder.sizes)
    assert isinstance(unit, _RuleUnit)
    placeholder = UserFunction("rule", NOTHING, unit, RuleScope())
    lowering.frames.append(Frame(placeholder, dict(names), unit, placeholder.scope))
    try:
        return _contribution(lowering, statement)
    except Exception as problem:
        if lowering.reporter.diagnostics:
            raise DifferentiationError(lowering.reporter.diagnostics) from problem
        raise


def _contribution(lowering: Lowering, statement: cst.BaseSmallStatement) -> Contribution:
    match statement:
        case cst.AugAssign(target=cst.Name(value=target), value=value):
            return Contribution(
                _operand(target), atom(lowering, lower_expression(lowering, value), value)
            )
        case cst.AugAssign(
            target=cst.Subscript(value=cst.Name(value=target), slice=index), value=value
        ):
            added = atom(lowering, lower_expression(lowering, value), value)
            return Contribution(
                _operand(target), added, ADDITEM, index_of(lowering, index, statement)
            )
        case cst.Assign(
            targets=[
                cst.AssignTarget(target=cst.Subscript(value=cst.Name(value=target), slice=index))
            ]
        ):
            stored = atom(lowering, lower_expression(lowering, statement.value), statement.value)
            return Contribution(
                _operand(target), stored, SETITEM, index_of(lowering, index, statement)
            )
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=target))]):
            return Contribution(
                target.removeprefix("tangent_"),
                atom(lowering, lower_expression(lowering, statement.value), statement.value),
            )
        case cst.Expr(value=cst.Call(args=[target, index_argument, value_argument])):
            where = atom(lowering, lower_expression(lowering, index_argument.value), statement)
            added = atom(lowering, lower_expression(lowering, value_argument.value), statement)
            assert isinstance(target.value, cst.Name)
            return Contribution(_operand(target.value.value), added, ADD_AT, where)
    raise ValueError("not a line of a rule")


def _operand(target: str) -> str:
    return target.removeprefix("grad_")


__all__ = ["Contribution", "lower_line", "reads"]
