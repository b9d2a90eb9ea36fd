"""What the calls of functions with a stated derivative are made of: the parts of a rule, and the
numbers and arrays in values, with adjoints and tangents like them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import libcst as cst

from s2s_ad.diagnostics import SourceFile
from s2s_ad.frontend.containers import leaves_of
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.rules import RuleScope
from s2s_ad.frontend.source import Unit
from s2s_ad.frontend.values import UserFunction, Value
from s2s_ad.ir import Assign, Atom, Block, Const, Function, Structure, Var
from s2s_ad.operations.custom import CustomRule
from s2s_ad.rewrite import all_statements, flat_formals, flat_output
from s2s_ad.types import Number, Scalar, Type, is_float, is_numeric

# Stands for the function in a frame that has none of the user's
NOBODY = UserFunction(
    "on_adjoint",
    cst.Lambda(params=cst.Parameters(), body=cst.Name("x")),
    Unit(SourceFile("", ""), cst.Module(body=[]), 1),
    RuleScope(),
)


@dataclass(frozen=True)
class Part:
    """One of the functions of a rule: what it is told besides, the arguments, what it reads."""

    function: Function
    special: int  # how many parameters are not operands of the call
    own: int  # how many parameters are not read from around

    @property
    def outer(self) -> tuple[Var, ...]:
        return self.function.body.parameters[self.own :]

    def of(self, outer: Sequence[Var]) -> Function:
        """The function with all that is read from around as its last parameters."""
        own = self.function.body.parameters[: self.own]
        return with_signature(self.function, (*own, *outer), self.function.body.results)


def with_signature(
    function: Function, parameters: Sequence[Var], results: Sequence[Atom]
) -> Function:
    body = Block(tuple(parameters), function.body.statements, tuple(results))
    formals = flat_formals(parameters)
    return replace(function, formals=formals, body=body, output=flat_output(results))


@dataclass
class Pending:
    """A rule while its functions are lowered, and what its call gives."""

    rule: CustomRule
    template: Value
    called: bool = False  # whether one of them calls the function itself


# Values -------------------------------------------------------------------------------------------


def is_operand(value: Value) -> bool:
    return isinstance(value, Var) and is_numeric(value.type)


def operands_in(value: Value) -> list[Var]:
    """The numbers and arrays in a value that are not known when compiling."""
    return [leaf for leaf in leaves_of(value) if isinstance(leaf, Var) and is_numeric(leaf.type)]


def adjoint_type(type: Type) -> Type:
    """The type of an adjoint: a number's may be NumPy's."""
    return Scalar("f64") if isinstance(type, Number) else type


def adjoints_like(value: Value) -> Value:
    """An adjoint for each float in a value, None for all else."""
    if isinstance(value, Structure):
        items = tuple(adjoints_like(item) for item in value.items)
        return replace(value, items=items, identity=None)
    if isinstance(value, Var) and is_float(value.type):
        return Var(value.name, adjoint_type(value.type), value.version)
    return Const(None)


def tangents_like(value: Value) -> Value:
    if isinstance(value, Structure):
        items = tuple(tangents_like(item) for item in value.items)
        return replace(value, items=items, identity=None)
    if isinstance(value, Var) and is_float(value.type):
        return value
    return Const(0.0) if isinstance(value, Const) and is_float(value.type) else Const(None)


def kind_of(value: Value) -> object:
    """What a rule depends on: types, and whatever is known when compiling."""
    if isinstance(value, Structure):
        return value.kind, value.keys, value.constructor, tuple(map(kind_of, value.items))
    return value.type if is_operand(value) and isinstance(value, Var) else value


def has_effect(function: Function) -> bool:
    return any(
        isinstance(statement, Assign) and statement.op.effect
        for statement in all_statements(function.body)
    )


def bad_rule(lowering: Lowering, message: str, node: cst.CSTNode, help: str = "") -> Exception:
    return lowering.refuse("custom-derivative", message, node, help=help)
