"""Derivatives of what solvers find, by the implicit function theorem.

For `F(x, p) = 0` the reverse sweep solves one system with the transposed Jacobian of F in x, and
carries the solution back through F to p; the solver itself is not differentiated. The Jacobian is
filled by forward mode, a unit tangent for each unknown. A fixed point is a root of `G(x, p) - x`,
a minimum one of the gradient. Where the Jacobian is singular, `np.linalg.solve` says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from s2s_ad.ir import Assign, Atom, Block, Const, For, Var
from s2s_ad.operations import catalogue
from s2s_ad.operations.calls import SAVED, Callee, call_of, forward_of, reverse_of
from s2s_ad.operations.indexing import SETITEM
from s2s_ad.operations.support import DIMENSION
from s2s_ad.passes.calls import Derivatives
from s2s_ad.passes.undo_types import adjoint_type
from s2s_ad.rewrite import Builder
from s2s_ad.types import INT, Type, rank_of

if TYPE_CHECKING:
    from s2s_ad.passes.sweep import Sweep


@dataclass(frozen=True)
class Linearised:
    """The equation at its solution: `x` solves it with these `arguments`."""

    builder: Builder
    derivatives: Derivatives
    kind: str
    equation: Callee
    x: Atom
    arguments: tuple[Atom, ...]

    @property
    def residual(self) -> Type:
        """The type of what the equation gives; a gradient is like x."""
        function = self.equation.function
        return self.x.type if function is None else function.body.results[0].type

    def assign(self, name: str, *operands: Atom, target: str = "") -> Var:
        return self.builder.assign(catalogue().operations[name], *operands, name=target)

    def push(self, places: tuple[int, ...], tangents: Sequence[Atom]) -> Var:
        """How the equation moves when what stands at these places does."""
        names = self.builder.names
        value = names.temporary(self.residual)
        moved = names.fresh("dot_residual", adjoint_type(self.residual))
        op = self.derivatives.tangent_call(self.equation, places, [value.type, moved.type])
        self.builder.append(op, (value, moved), self.x, *self.arguments, *tangents)
        return moved

    def pull(self, places: tuple[int, ...], grad: Atom) -> tuple[Var, ...]:
        """From an adjoint of what the equation gives to those of what stands at these places."""
        names = self.builder.names
        given = (self.x, *self.arguments)
        types = [adjoint_type(given[place].type) for place in places]
        targets = tuple(names.temporary(type) for type in types)
        if self.derivatives.closed:
            pulled = self.derivatives.make("pullback", self.equation, places)
            self.builder.append(call_of(pulled, types), targets, *given, grad)
            return targets
        halves = self.derivatives.of(self.equation, places)
        value, saved = names.temporary(self.residual), names.fresh("saved", SAVED)
        self.builder.append(forward_of(halves, [self.residual]), (value, saved), *given)
        self.builder.append(reverse_of(halves, types), targets, saved, grad)
        return targets

    def slopes(self) -> Var:
        """The transposed Jacobian in x: `slopes[k]` is how the equation moves with `x[k]`. For a
        fixed point that of `G - x`.
        """
        if rank_of(self.x.type) == 0:
            slope = self.push((0,), [Const(1.0)])
            return self.assign("-", slope, Const(1.0)) if self.kind == "fixed_point" else slope
        count = self.builder.assign(DIMENSION, self.x, Const(0))
        units = self.assign("numpy.eye", count, Const(None), Const(0), Const(None), target="units")
        empty = self.assign("numpy.zeros_like", units, Const(None))
        names = self.builder.names
        row, sofar = names.fresh("k", INT), names.fresh("slopes", empty.type)
        with self.builder.inside() as statements:
            moved = self.push((0,), [self.assign("getitem", units, row)])
            changed = self.builder.assign(SETITEM, sofar, row, moved)
        body = Block((row, sofar), tuple(statements), (changed,))
        slopes = names.fresh("slopes", empty.type)
        trip = (Const(0), count, Const(1))
        span, role = self.builder.span, self.builder.role
        self.builder.statements.append(For((slopes,), trip, (empty,), body, span, role))
        return self.assign("-", slopes, units) if self.kind == "fixed_point" else slopes

    def solve(self, right: Atom, transposed: bool) -> Var:
        """The negative solution of the system with the Jacobian in x, or its transpose."""
        slopes = self.slopes()
        if rank_of(self.x.type) == 0:
            found = self.assign("/", right, slopes)
        else:
            matrix = slopes if transposed else self.assign("ndarray.T", slopes)
            found = self.assign("numpy.linalg.solve", matrix, right)
        return self.assign("-x", found)


def undo_solver(sweep: Sweep, statement: Assign) -> None:
    """Append what carries the adjoint of a solution to the arguments of its equation."""
    implicit, builder = statement.op.implicit, sweep.builder
    builder.span = statement.span
    operands = [statement.operands[place] for place in implicit.places]
    moving = [k for k, operand in enumerate(operands) if operand in sweep.active]
    if not moving:
        return
    at = Linearised(
        builder,
        sweep.derivatives,
        implicit.kind,
        _equation(sweep.derivatives, implicit.kind, implicit.equation),
        sweep.recall(statement.target),
        tuple(sweep.recall(operand) for operand in operands),
    )
    multiplier = at.solve(sweep.adjoints[statement.target], transposed=True)
    grads = at.pull(tuple(1 + k for k in moving), multiplier)
    for k, grad in zip(moving, grads, strict=True):
        operand = operands[k]
        assert isinstance(operand, Var)
        sweep.accumulate(operand, sweep.fitted(grad, operand.type))


def push_solver(
    builder: Builder, derivatives: Derivatives, statement: Assign, tangents: Mapping[int, Atom]
) -> Var | None:
    """Append what gives the tangent of a solution, from those of its equation's arguments, which
    are given by their places.
    """
    implicit = statement.op.implicit
    operands = tuple(statement.operands[place] for place in implicit.places)
    moving = [k for k, place in enumerate(implicit.places) if place in tangents]
    if not moving:
        return None
    equation = _equation(derivatives, implicit.kind, implicit.equation)
    at = Linearised(builder, derivatives, implicit.kind, equation, statement.target, operands)
    dots = [tangents[implicit.places[k]] for k in moving]
    moved = at.push(tuple(1 + k for k in moving), dots)
    return at.solve(moved, transposed=False)


def _equation(derivatives: Derivatives, kind: str, function: Callee) -> Callee:
    """The function that is zero at the solution, or x itself."""
    return derivatives.make("gradient", function) if kind == "minimum" else function


__all__ = ["push_solver", "undo_solver"]
