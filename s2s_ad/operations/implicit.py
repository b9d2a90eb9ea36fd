"""Solvers, whose results are differentiated by what they solve and not by how.

With `F(x, p) = 0` at the solution, `dF/dx dx + dF/dp dp = 0` (the implicit function theorem): the
reverse sweep solves one linear system with the transposed Jacobian, `passes/implicit.py` writes it.
Each call has an operation of its own, as calls of functions have.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from s2s_ad.ir import Atom, Operation
from s2s_ad.operations import helpers
from s2s_ad.operations.calls import Callee
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import unsupported
from s2s_ad.types import Sizes, Type

CATALOGUE = Catalogue()


@dataclass(frozen=True, eq=False)
class Implicit:
    """What a solver finds: an x where `equation(x, *arguments)` is zero (`root`), is x itself
    (`fixed_point`), or is least (`minimum`).

    `places` are the operands of the solver that are the other arguments; `called` is what the
    module needs so that the solver can run, and be differentiated again. It is found `by` a
    function of the user's, or by SciPy.
    """

    kind: str
    equation: Callee
    places: tuple[int, ...]
    called: tuple[Callee, ...]
    by: Callee | None = None


@dataclass(frozen=True)
class Solver:
    """A function of SciPy's: its parameters in their order, the first two of which may be
    the function and `args`.

    `start` are those that are given by position; `functions` may be functions of the user, called
    with the same arguments. `item` is what users ask for of the result.
    """

    name: str
    kind: str
    parameters: tuple[str, ...]
    start: tuple[str, ...]
    functions: tuple[str, ...] = ()
    item: str = ""
    check: str = ""  # the helper that looks whether the solution has been found
    always: Mapping[str, Any] = field(default_factory=dict)  # so that it says whether it has
    of_arrays: bool = False
    module: str = "scipy.optimize"
    example: str = "def residual(x, p): ..."
    way_out: str = "solve the problem without it, or declare the solver with `s2s_ad.implicit`"


@dataclass(frozen=True, eq=False)
class SolverCall:
    """One call of a solver: the function and those beside it, and how arguments are given.

    `given` are the names of the operands before the function's own arguments, `fixed` arguments
    that are constants.
    """

    solver: Solver
    equation: Callee
    beside: dict[str, Callee]
    given: tuple[str, ...]
    fixed: dict[str, Any]

    def run(self, *operands: Any) -> Any:
        found = getattr(importlib.import_module("scipy.optimize"), self.solver.name)
        given = dict(zip(self.given, operands, strict=False))
        start = [given.pop(name) for name in self.solver.start]
        functions = {name: callee.run for name, callee in self.beside.items()}
        arguments = operands[len(self.given) :]
        result = found(self.equation.run, *start, args=arguments, **given, **functions,
                       **self.fixed)  # fmt: skip
        return getattr(helpers, self.solver.check)(result) if self.solver.check else result

    def spell(self, operands: Sequence[Atom], texts: Sequence[str]) -> str:
        given = dict(zip(self.given, texts, strict=False))
        parts = [self.equation.name, *(given.pop(name) for name in self.solver.start)]
        arguments = texts[len(self.given) :]
        if arguments:
            parts.append(f"args={spell_tuple(arguments)}")
        parts += [f"{name}={callee.name}" for name, callee in self.beside.items()]
        parts += [f"{name}={text}" for name, text in given.items()]
        parts += [f"{name}={spell_fixed(value)}" for name, value in self.fixed.items()]
        call = f"scipy.optimize.{self.solver.name}({', '.join(parts)})"
        return f"{self.solver.check}({call})" if self.solver.check else call


def spell_tuple(texts: Sequence[str]) -> str:
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"


def spell_fixed(value: Any) -> str:
    """A constant as `ruff format` leaves it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}": {spell_fixed(each)}' for key, each in value.items()) + "}"
    if isinstance(value, str) and '"' not in value:
        return f'"{value}"'
    return repr(value)


def solver_operation(call: SolverCall, arguments: int, type: Type) -> Operation:
    """The operation of one call with so many arguments, and the type of its result."""
    callees = (call.equation, *call.beside.values())
    places = tuple(range(len(call.given), len(call.given) + arguments))
    return Operation(
        name=f"solve.{call.equation.name}",
        parameters=("*operands",),
        evaluate=call.run,
        infer=lambda _, __: type,
        printer=call.spell,
        effect=any(callee.effect for callee in callees),
        module="scipy.optimize",
        implicit=Implicit(call.solver.kind, call.equation, places, callees),
    )


def declared_solver(
    solver: Callee, kind: str, equation: Callee, counts: tuple[int, int], type: Type
) -> Operation:
    """The call of a solver of the user's own. Its operands are those of the solver, and behind
    them those of the equation: so many of each.
    """
    own, others = counts

    def spell(_: Sequence[Atom], texts: Sequence[str]) -> str:
        return f"{solver.name}({', '.join(texts[:own])})"

    return Operation(
        name=f"solve.{solver.name}",
        parameters=("*operands",),
        evaluate=lambda *operands: solver.run(*operands[:own]),
        infer=lambda _, __: type,
        printer=spell,
        effect=solver.effect,
        implicit=Implicit(
            kind, equation, tuple(range(own, own + others)), (solver, equation), by=solver
        ),
    )


ROOT_OF_NUMBER = ("f", "a", "b", "args", "xtol", "rtol", "maxiter", "full_output", "disp")
SOLVERS = (
    *(
        Solver(name, "root", ROOT_OF_NUMBER, ("a", "b"))
        for name in ("brentq", "brenth", "ridder", "bisect")
    ),
    Solver("toms748", "root", ("f", "a", "b", "args", "k", *ROOT_OF_NUMBER[4:]), ("a", "b")),
    Solver(
        "newton",
        "root",
        ("func", "x0", "fprime", "args", "tol", "maxiter", "fprime2", "x1", "rtol",
         "full_output", "disp"),
        ("x0",),
        functions=("fprime", "fprime2"),
    ),
    Solver(
        "root_scalar",
        "root",
        ("f", "args", "method", "bracket", "fprime", "fprime2", "x0", "x1", "xtol", "rtol",
         "maxiter", "options"),
        (),
        functions=("fprime", "fprime2"),
        item="root",
        check="converged",
    ),
    Solver(
        "fixed_point", "fixed_point", ("func", "x0", "args", "xtol", "maxiter", "method"), ("x0",)
    ),
    Solver(
        "root",
        "root",
        ("fun", "x0", "args", "method", "jac", "tol", "callback", "options"),
        ("x0",),
        functions=("jac",),
        item="x",
        check="converged",
        of_arrays=True,
    ),
    Solver(
        "fsolve",
        "root",
        ("func", "x0", "args", "fprime", "full_output", "col_deriv", "xtol", "maxfev", "band",
         "epsfcn", "factor", "diag"),
        ("x0",),
        functions=("fprime",),
        check="solved",
        always={"full_output": True},
        of_arrays=True,
    ),
    Solver(
        "minimize",
        "minimum",
        ("fun", "x0", "args", "method", "jac", "hess", "hessp", "bounds", "constraints", "tol",
         "callback", "options"),
        ("x0",),
        functions=("jac", "hess"),
        item="x",
        check="converged",
        of_arrays=True,
    ),
    Solver(
        "minimize_scalar",
        "minimum",
        ("fun", "bracket", "bounds", "args", "method", "tol", "options"),
        (),
        item="x",
        check="converged",
    ),
)  # fmt: skip


def of_solvers_only(_: Sizes, __: Sequence[Atom]) -> Type:
    raise unsupported("this is for what a solver of SciPy gives", "leave it out")


for helper in ("converged", "solved"):
    CATALOGUE.operation(
        f"out = {helper}(found)", infer=of_solvers_only, constant=True, helper=helper
    )

__all__ = [
    "SOLVERS",
    "Implicit",
    "Solver",
    "SolverCall",
    "declared_solver",
    "of_solvers_only",
    "solver_operation",
    "spell_fixed",
    "spell_tuple",
]
