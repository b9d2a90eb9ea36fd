"""What the adjoint and tangent passes share: bringing a value to an operand's shape and dtype,
activity, rule choice.

This is the one place that knows about broadcasting: a contribution to an operand is summed over the
axes along which the operand was stretched, where the types do not prove the shapes equal, and cast
where the dtypes differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from s2s_ad.diagnostics import DifferentiationError, refusal
from s2s_ad.frontend.rules import reads
from s2s_ad.ir import Assign, Atom, Const, NotDifferentiable, Rule, Var
from s2s_ad.operations import catalogue
from s2s_ad.operations.lists import zeros_operation
from s2s_ad.operations.support import (
    ASTYPE,
    BROADCAST_TO,
    IDENTITY,
    NUMPY_SHAPE,
    ZEROS_LIKE,
)
from s2s_ad.rewrite import Builder
from s2s_ad.types import (
    DTYPES,
    ONE,
    Array,
    ListOf,
    Number,
    Scalar,
    Type,
    dtype_of,
    is_complex,
    scalar_like,
    shape_of,
)


def choose_rule(statement: Assign, operands: tuple[Atom, ...]) -> Rule:
    """The first rule whose guard holds. Raises DifferentiationError `no-derivative` at the user's
    line.
    """
    for rule in statement.op.rules:
        if rule.when is None or rule.when(operands):
            return rule
    raise no_derivative(statement, "")


def no_derivative(statement: Assign, why: str, help: str = "") -> DifferentiationError:
    return refusal(
        "no-derivative",
        f"no derivative is known for `{statement.op.name}` with these operands"
        + (f": {why}" if why else ""),
        statement.span,
        help or "declare one with `s2s_ad.declare`",
    )


def rule_lines(rule: Rule, statement: Assign) -> tuple[str, ...]:
    try:
        return rule.lines_for(statement.operands)
    except NotDifferentiable as problem:
        raise no_derivative(statement, str(problem), problem.help) from None


def operand_of_line(line: str) -> str:
    """The operand that a line of a rule writes to: `grad_x += ...`, `grad_x[i] += ...`,
    `np.add.at(grad_x, ...)`.
    """
    found = re.match(r"(?:np\.add\.at\()?grad_(\w+)", line)
    assert found is not None, line
    return found[1]


def lines_for_results(
    statement: Assign, lines: Iterable[str], prefix: str, known: set[str]
) -> list[str]:
    """The lines of an operation that read nothing of the kind `grad_<result>` but what is known.

    Raises DifferentiationError where something known is read by no line: it would be lost.
    """
    every = {f"{prefix}{name}" for name in statement.op.result_names}
    wanted = [line for line in lines if reads((line,)) & every <= known]
    if statement.op.results:
        for name in sorted(known - reads(wanted)):
            what = name.removeprefix(prefix)
            why = f"there is none of its result `{what}`"
            raise no_derivative(statement, why, statement.op.note)
    return wanted


def sum_to(builder: Builder, value: Atom, operand: Atom) -> Atom:
    """The value summed over the axes along which `operand` was broadcast to it, in the operand's
    dtype.
    """
    summed = _summed(builder, real_part(builder, value, operand.type), operand)
    return cast_like(builder, summed, operand.type)


def _summed(builder: Builder, value: Atom, operand: Atom) -> Atom:
    total = catalogue().operations["numpy.sum"]
    shape, wanted = shape_of(value.type), shape_of(operand.type)
    if wanted == ():
        whole = isinstance(value.type, Array) and (shape != () or not scalar_like(operand.type))
        return (
            builder.assign(total, value, Const(None), Const(False))
            if whole and shape != ()
            else value
        )
    if shape == wanted and shape is not None:
        return value
    if shape is None or wanted is None or len(shape) < len(wanted):
        return builder.assign(catalogue().operations["helper.unbroadcast"], value, operand)
    extra = len(shape) - len(wanted)
    stretched = []
    for axis, (size, target) in enumerate(zip(shape[extra:], wanted, strict=True)):
        if size != target:
            if target != ONE:
                return builder.assign(catalogue().operations["helper.unbroadcast"], value, operand)
            stretched.append(axis)
    if extra:
        value = builder.assign(total, value, _axes(range(extra)), Const(False))
    if stretched:
        value = builder.assign(total, value, _axes(stretched), Const(True))
    return value


def _axes(axes: Iterable[int]) -> Const:
    listed = tuple(axes)
    return Const(listed[0] if len(listed) == 1 else listed)


def real_part(builder: Builder, value: Atom, type: Type) -> Atom:
    """What a real number of this type gains where it was used as a complex one."""
    if not is_complex(value.type) or is_complex(type):
        return value
    return builder.assign(catalogue().operations["numpy.real[complex]"], value)


def cast_like(builder: Builder, value: Atom, type: Type) -> Atom:
    """The value in the dtype of `type`, where it has another."""
    value = real_part(builder, value, type)
    found = dtype_of(value.type)
    is_array = isinstance(value.type, Array)
    if isinstance(type, Number):
        if isinstance(value.type, Number) or (found in ("f64", "c128") and not is_array):
            return value
        kind = "complex" if is_complex(type) else "float"
        return builder.assign(catalogue().operations[f"builtins.{kind}"], value)
    assert isinstance(type, Scalar | Array)
    same_kind = not (is_array and isinstance(type, Scalar))
    if (found == type.dtype and same_kind) or (
        isinstance(value.type, Number) and isinstance(type, Scalar)
    ):
        return value
    name = DTYPES[type.dtype]
    if is_array and same_kind:
        return builder.assign(ASTYPE, value, Const(name, f"numpy.{name}"))
    return builder.assign(catalogue().operations[f"numpy.{name}"], value)


def spread_to(builder: Builder, value: Atom, like: Atom) -> Atom:
    """The value broadcast to the shape and cast to the dtype of `like`: what a tangent needs."""
    shape, wanted = shape_of(value.type), shape_of(like.type)
    if wanted != () and (shape is None or wanted is None or shape != wanted):
        value = builder.assign(BROADCAST_TO, value, builder.assign(NUMPY_SHAPE, like))
    return cast_like(builder, value, like.type)


def zero_like(builder: Builder, value: Atom) -> Atom:
    """The adjoint or tangent of a value that has none: of its shape, or a number."""
    if isinstance(value.type, ListOf):
        return builder.assign(zeros_operation(value.type), value)
    if isinstance(value.type, Array):
        return builder.assign(ZEROS_LIKE, value, Const(None))
    return Const(0.0)


def named(builder: Builder, value: Atom, name: str) -> Var:
    """The value under a name: the last statement's target is renamed, anything else gets a line of
    its own.
    """
    last = builder.statements[-1] if builder.statements else None
    if (
        isinstance(value, Var)
        and value.name.startswith("%")
        and isinstance(last, Assign)
        and last.targets == (value,)
    ):
        target = builder.names.fresh(name, value.type)
        builder.statements[-1] = Assign((target,), last.op, last.operands, last.span, last.role)
        return target
    return builder.assign(IDENTITY, value, name=name)
