"""Differential equations that are integrated: `scipy.integrate.odeint`, differentiated by what it
solves and not by how.

A call is a `Flow`: quantities that move as a function says, at given times. So are its tangent (the
variational equation) and its adjoint (the adjoint equation, integrated backwards), which
`passes/odes.py` writes; hence there are derivatives of every order.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from s2s_ad.ir import Atom, Operation
from s2s_ad.operations import helpers
from s2s_ad.operations.calls import Callee
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.implicit import Solver, of_solvers_only, spell_fixed, spell_tuple
from s2s_ad.types import Array, Items, Size, Type, shape_of

CATALOGUE = Catalogue()

# Options of `odeint` that say how exactly and how it integrates, in any direction of time
OPTIONS = ("rtol", "atol", "hmax", "hmin", "mxstep", "mxhnil", "mxordn", "mxords")
FIRST_STEP = "h0"  # has the sign of the direction
ODEINT = Solver(
    "odeint",
    "flow",
    ("func", "y0", "t", "args", "Dfun", "col_deriv", "full_output", "ml", "mu", "rtol", "atol",
     "tcrit", "h0", "hmax", "hmin", "ixpr", "mxstep", "mxhnil", "mxordn", "mxords", "printmessg",
     "tfirst"),
    ("y0", "t"),
    always={"full_output": True},
    of_arrays=True,
    module="scipy.integrate",
    example="def slope(y, t): ...",
    way_out="leave it out, or write the steps of a method as a loop, as in "
    "`examples/runge_kutta.py`",
)  # fmt: skip
TOGETHER = Solver(
    "odeint_together",
    "flow",
    ("slopes", "start", "t", "args", "before", FIRST_STEP, *OPTIONS),
    ("start", "t"),
    of_arrays=True,
    module="scipy.integrate",
)


@dataclass(frozen=True, eq=False)
class Flow:
    """`slopes(*quantities, t, *arguments)` gives how each of so many `quantities` moves.

    The operands of a call are where the quantities start, the times, the options that are `given`,
    where the first so many (`known`) of them have to arrive, and the `arguments`. Each result has
    the times as its first axis. `fixed` options are constants.
    """

    slopes: Callee
    quantities: int
    arguments: int
    given: tuple[str, ...]
    fixed: dict[str, Any]
    known: int = 0
    by: None = None  # never found by a function of the user's

    @property
    def called(self) -> tuple[Callee, ...]:
        return (self.slopes,)

    @property
    def places(self) -> tuple[int, ...]:
        """Of the operands that have a derivative: the start, the times, the arguments."""
        first = self.quantities + 1
        behind = first + len(self.given) + self.known
        return (*range(first), *range(behind, behind + self.arguments))

    def parts(self, operands: Sequence[Any]) -> tuple[Any, Any, Any, Any, Any]:
        """The operands apart: the start, the times, the options that are given, what is known of
        the end, the arguments.
        """
        count, behind = self.quantities, self.quantities + 1 + len(self.given)
        known, others = operands[behind : behind + self.known], operands[behind + self.known :]
        return operands[:count], operands[count], operands[count + 1 : behind], known, others

    def run(self, *operands: Any) -> Any:
        start, t, given, known, arguments = self.parts(operands)
        options = {**dict(zip(self.given, given, strict=True)), **self.fixed}
        options |= {"before": known} if known else {}
        if self.quantities > 1:
            found = helpers.odeint_together(self.slopes.run, start, t, arguments, **options)
            return tuple(found)
        odeint = importlib.import_module("scipy.integrate").odeint
        full = ODEINT.always
        found = odeint(self.slopes.run, start[0], t, args=tuple(arguments), **full, **options)
        return helpers.integrated(found)

    def spell(self, _: Sequence[Atom], texts: Sequence[str]) -> str:
        start, t, given, known, arguments = self.parts(texts)
        several = self.quantities > 1
        parts = [self.slopes.name, f"({', '.join(start)})" if several else start[0], t]
        if arguments:
            parts.append(f"args={spell_tuple(arguments)}")
        if known:
            parts.append(f"before={spell_tuple(known)}")
        options = dict(zip(self.given, given, strict=True))
        options |= {name: spell_fixed(value) for name, value in self.fixed.items()}
        if not several:
            options |= {name: spell_fixed(value) for name, value in ODEINT.always.items()}
        parts += [f"{name}={text}" for name, text in options.items()]
        if several:
            return f"odeint_together({', '.join(parts)})"
        return f"integrated(scipy.integrate.odeint({', '.join(parts)}))"


def flow_operation(flow: Flow, start: Sequence[Type], t: Type) -> Operation:
    """The operation of a call for quantities of these types."""
    times = shape_of(t)
    assert times is not None
    types = [_at_all_times(type, times[0]) for type in start]
    return Operation(
        name=f"flow.{flow.slopes.name}",
        parameters=("*operands",),
        evaluate=flow.run,
        infer=lambda _, __: types[0] if len(types) == 1 else Items(tuple(types)),
        printer=flow.spell,
        results=tuple(f"out{k}" for k in range(len(types))) if len(types) > 1 else (),
        effect=flow.slopes.effect,
        module="scipy.integrate",
        implicit=flow,
    )


def _at_all_times(type: Type, times: Size) -> Type:
    shape = shape_of(type)
    return Array("f64", None if shape is None else (times, *shape))


for helper in ("integrated", "odeint_together"):
    CATALOGUE.operation(
        f"out = {helper}(found)", infer=of_solvers_only, constant=True, helper=helper
    )

__all__ = ["FIRST_STEP", "ODEINT", "TOGETHER", "Flow", "flow_operation"]
