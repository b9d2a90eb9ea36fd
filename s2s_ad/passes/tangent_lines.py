"""Tangents of single operations: by the lines that an operation states, by those of its adjoint if
it is elementwise, or by applying it to the tangents if it is linear in each operand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from s2s_ad.check import agrees
from s2s_ad.diagnostics import DifferentiationError, refusal
from s2s_ad.frontend.rules import lower_line, reads
from s2s_ad.ir import UNDEFINED, Assign, Atom, Const, NotDifferentiable, Operation, Var
from s2s_ad.operations import catalogue
from s2s_ad.operations.support import COPY
from s2s_ad.passes.contributions import (
    cast_like,
    choose_rule,
    named,
    no_derivative,
    operand_of_line,
    rule_lines,
    spread_to,
    zero_like,
)
from s2s_ad.rewrite import Builder
from s2s_ad.types import DTYPES, Array, ListOf, Scalar, TypeProblem, is_float, shape_of


class TangentLines:
    """The tangents so far, and how those of a statement's targets are computed from them."""

    def __init__(self, builder: Builder, uses: Mapping[Var, int]) -> None:
        self.builder, self.uses = builder, uses
        self.tangents: dict[Var, Var] = {}

    def move(self, statement: Assign) -> Atom | None:
        """The tangent of a statement's target; None if it stands still after all."""
        op = statement.op
        lines = self.stated_lines(statement)
        if lines:
            return self.by_lines(statement, lines)
        if op.elementwise:
            return self.elementwise(statement)
        self.check_covered(statement)
        if op.linear:
            return self.linear(statement)
        if op.bilinear:
            return self.bilinear(statement)
        raise no_derivative(statement, "there is none in forward mode")

    def follow_several(self, statement: Assign) -> None:
        """The tangents of an operation with several results, each by lines of its own."""
        lines = self.stated_lines(statement)
        for name, result in zip(statement.op.results, statement.targets, strict=True):
            moves = result in statement.op.moving(statement.targets) and is_float(result.type)
            if not moves or result not in self.uses:
                continue
            own = tuple(line for line in lines if line.startswith(f"tangent_{name} = "))
            if not own:
                raise no_derivative(statement, f"there is none of its result `{name}`")
            try:
                value = self.by_lines(statement, own)
            except TypeProblem as problem:
                raise refusal(problem.name, str(problem), statement.span, problem.help) from None
            if value is not None:
                self.tangents[result] = self.settle(value, result)

    def stated_lines(self, statement: Assign) -> tuple[str, ...]:
        try:
            return statement.op.tangent_lines(statement.operands)
        except NotDifferentiable as problem:
            raise no_derivative(statement, str(problem), problem.help) from None

    def by_lines(self, statement: Assign, lines: tuple[str, ...]) -> Atom | None:
        """The operation's own lines: those that mention a tangent of a moving operand, added up."""
        names = _operands_by_name(statement)
        moving = {f"tangent_{name}" for name, atom in names.items() if atom in self.tangents}
        mentioned = reads(lines)
        for name in _written(statement):
            if f"tangent_{name}" in moving - mentioned:
                raise no_derivative(
                    statement, f"there is none with respect to `{name}` in forward mode"
                )
        wanted = [line for line in lines if reads((line,)) & moving]
        needed = reads(wanted)
        results = dict(zip(statement.op.result_names, statement.targets, strict=False))
        environment: dict[str, Atom] = {**names, **results}
        for name, atom in names.items():
            if f"tangent_{name}" in needed:
                dot = self.tangent_or_zero(atom, broadcasts=statement.op.elementwise)
                environment[f"tangent_{name}"] = dot
        mark = len(self.builder.statements)
        values = [lower_line(self.builder, line, environment).value for line in wanted]
        if not values:
            return None
        total = self.sum(values)
        return self.spread(total, statement, mark) if statement.op.elementwise else total

    def elementwise(self, statement: Assign) -> Atom:
        """The lines of the adjoint, with the operand's tangent in place of `grad_out`."""
        names = _operands_by_name(statement)
        lines = rule_lines(choose_rule(statement, statement.operands), statement)
        mark = len(self.builder.statements)
        values: list[Atom] = []
        for name, operand in names.items():
            if not (isinstance(operand, Var) and operand in self.tangents):
                continue
            own = [line for line in lines if line.startswith(f"grad_{name} += ")]
            if not own:
                raise no_derivative(statement, f"there is none with respect to `{name}`")
            environment = {**names, "out": statement.target, "grad_out": self.tangents[operand]}
            values += [lower_line(self.builder, line, environment).value for line in own]
        return self.spread(self.sum(values), statement, mark)

    def spread(self, value: Atom, statement: Assign, mark: int) -> Atom:
        """The value in the shape of the statement's result, to which it surely broadcasts."""
        if self.spans_result(value, statement, mark):
            return value
        return spread_to(self.builder, value, statement.target)

    def spans_result(self, value: Atom, statement: Assign, mark: int) -> bool:
        """Whether the value surely has the shape of the statement's result, whatever the types say.

        It has if it was computed element by element from all arrays that the result comes from.
        """
        made = {s.target: s for s in self.builder.statements[mark:] if isinstance(s, Assign)}
        moving = [atom for atom in statement.operands if atom in self.tangents]
        shaped_like: dict[Atom, Atom] = {
            self.tangents[atom]: atom for atom in moving if isinstance(atom, Var)
        }
        found: set[Atom] = set()
        waiting = [value]
        while waiting:
            atom = waiting.pop()
            if isinstance(atom, Var) and atom in made and made[atom].op.elementwise:
                waiting += made[atom].operands
            else:
                found.add(shaped_like.get(atom, atom))
        arrays = {operand for operand in statement.operands if shape_of(operand.type) != ()}
        return statement.target in found or arrays <= found

    def linear(self, statement: Assign) -> Atom | None:
        """The operation itself, applied to the tangents."""
        op, names = statement.op, _operands_by_name(statement)
        marked = {name for name in names if op.is_marked(op.linear, name)}
        if not any(names[name] in self.tangents for name in marked):
            return None
        operands = [
            self.tangent_or_zero(atom, op.is_marked(op.broadcasts, name))
            if name in marked
            else atom
            for name, atom in names.items()
        ]
        return self.builder.assign(op, *operands)

    def bilinear(self, statement: Assign) -> Atom | None:
        """The product rule: a term for each factor that moves."""
        op, names = statement.op, _operands_by_name(statement)
        terms: list[Atom] = []
        for place, (name, atom) in enumerate(names.items()):
            is_factor = op.is_marked(op.bilinear, name)
            if is_factor and isinstance(atom, Var) and atom in self.tangents:
                operands = list(statement.operands)
                operands[place] = self.tangents[atom]
                terms.append(self.builder.assign(op, *operands))
        return self.sum(terms) if terms else None

    def check_covered(self, statement: Assign) -> None:
        """Refuse an operand that the adjoint writes to and `linear` or `bilinear` does not name.

        An operand that neither does is there for its shape: `like` in `unbroadcast(grad, like)`.
        """
        op, names = statement.op, _operands_by_name(statement)
        marks = op.linear or op.bilinear
        for name in _written(statement):
            if names[name] in self.tangents and not op.is_marked(marks, name):
                raise no_derivative(
                    statement, f"there is none with respect to `{name}` in forward mode"
                )

    def sum(self, values: list[Atom]) -> Atom:
        total = values[0]
        for value in values[1:]:
            total = self.builder.assign(catalogue().operations["+"], total, value)
        return total

    def tangent_or_zero(self, atom: Atom, broadcasts: bool = False) -> Atom:
        """The tangent of an operand; if it stands still, zeros like it, or one that broadcasts."""
        if isinstance(atom, Var) and atom in self.tangents:
            return self.tangents[atom]
        if atom == UNDEFINED:
            return atom
        if isinstance(atom.type, ListOf) or (isinstance(atom.type, Array) and not broadcasts):
            return zero_like(self.builder, atom)
        return Const(0.0) if is_float(atom.type) else Const(0)

    def settle(self, value: Atom, target: Var) -> Var:
        """The tangent of `target` under its name, brought to its kind and dtype."""
        if isinstance(target.type, ListOf):
            return named(self.builder, value, f"dot_{target.name}")
        value = cast_like(self.builder, value, target.type)
        if shape_of(target.type) == shape_of(value.type) == ():
            if isinstance(target.type, Array) and not isinstance(value.type, Array):
                value = self.builder.assign(COPY, value)
            elif isinstance(target.type, Scalar) and isinstance(value.type, Array):
                value = self.builder.assign(conversion(target.type), value)
        if not agrees(value.type, target.type):
            # sizes that are the same where this runs, though nothing says so: NumPy has to look
            value = spread_to(self.builder, value, target)
        dot = named(self.builder, value, f"dot_{target.name}")
        if not isinstance(target.type, Array) or dot.type == target.type:
            return dot
        # the same shape; but sizes known only while running got names of their own
        last = self.builder.statements[-1]
        assert isinstance(last, Assign)
        retyped = Var(dot.name, target.type, dot.version)
        self.builder.statements[-1] = replace(last, targets=(retyped,))
        return retyped


def conversion(type: Scalar) -> Operation:
    """`np.float32` and its like."""
    return catalogue().operations[f"numpy.{DTYPES[type.dtype]}"]


def _operands_by_name(statement: Assign) -> dict[str, Atom]:
    names = statement.op.operand_names(len(statement.operands))
    return dict(zip(names, statement.operands, strict=True))


def _written(statement: Assign) -> set[str]:
    """The operands that the operation's adjoint writes to; all that are read for more than their
    shape where no rule fits.
    """
    try:
        lines = rule_lines(choose_rule(statement, statement.operands), statement)
    except DifferentiationError:
        op = statement.op
        return {
            name for name in _operands_by_name(statement) if not op.is_marked(op.shape_only, name)
        }
    return {operand_of_line(line) for line in lines}


__all__ = ["TangentLines", "conversion"]
