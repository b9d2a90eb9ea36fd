"""Calls of solvers: `scipy.optimize.root(residual, x0, args=(p,)).x` and its like, and functions of
the user's that were declared to be solvers with `@implicit(root=residual)`.

What comes in: the arguments, one of them a function of the user's. It is lowered on its own, since
the solver calls it; what it reads of the function around it is passed by `args`. What goes out: one
statement, whose operation knows the equation that its result solves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import libcst as cst

from s2s_ad.frontend.containers import leaves_of
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, atom, hidden_parameter, static_operand
from s2s_ad.frontend.recursion import (
    Recursion,
    closure_of,
    hidden_atoms,
    lower_apart,
    numeric_atoms,
    result_types,
)
from s2s_ad.frontend.values import Named, Partial, Poison, UserFunction, Value
from s2s_ad.ir import Atom, Const, Structure, Var
from s2s_ad.operations.implicit import (
    SOLVERS,
    Solver,
    SolverCall,
    declared_solver,
    solver_operation,
)
from s2s_ad.types import FLOAT, Array, Scalar, Size, Type, is_float, is_numeric, rank_of, shape_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from s2s_ad.frontend.arguments import Arguments

# Arguments that change what a solver gives, with the only values that are taken
USUAL: dict[str, tuple[Any, ...]] = {
    "full_output": (False, 0, None),
    "Dfun": (None,),
    "ml": (None,),
    "mu": (None,),
    "tcrit": (None,),
    "ixpr": (False, 0),
    "printmessg": (False, 0),
    "disp": (True,),
    "callback": (None,),
    "bounds": (None,),
    "constraints": ((), None),
    "hessp": (None,),
    "col_deriv": (False, 0),
}


@dataclass
class Given:
    """The arguments of a call by name, and how to refuse one of them."""

    lowering: Lowering
    solver: Solver
    values: dict[str, Value]
    node: cst.Call

    def refuse(self, message: str, help: str) -> Exception:
        return self.lowering.refuse("unsupported-argument", message, self.node, help=help)

    def function(self, name: str) -> UserFunction:
        value = self.values.pop(name, Const(None))
        if not isinstance(value, UserFunction):
            raise self.refuse(
                f"`{self.solver.module}.{self.solver.name}` needs a function of yours here",
                f"pass a function that is written out: `{self.solver.example}`",
            )
        return value


def lower_solver(solver: Solver) -> Callable[[Lowering, Arguments, str], Value]:
    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        given = bound_arguments(lowering, solver, arguments)
        in_full = static_value(given.values.get("full_output")) in (True, 1)
        function = given.function(solver.parameters[0])
        beside = {
            option: given.function(option)
            for option in solver.functions
            if isinstance(given.values.get(option), UserFunction | Named | Partial)
        }
        refuse_unusual(given)
        passed = passed_on(given.values.pop("args", Const(())))
        operands, fixed = operands_of(given)
        fixed |= solver.always
        type = _type_of_solution(given, operands)
        around = closure_of([function, *beside.values()], {})
        unknown = lowering.builder.names.fresh("x", type)
        equation = apart(given, function, [unknown], passed, around)
        others = {
            option: apart(given, other, [unknown], passed, around)
            for option, other in beside.items()
        }
        if problem := mismatch(solver.kind, equation, type):
            raise given.refuse(problem, way_out(equation))
        arguments_of = _shared_arguments(given, [equation, *others.values()])
        call = SolverCall(
            solver,
            equation.callee,
            {option: other.callee for option, other in others.items()},
            tuple(operands),
            fixed,
        )
        op = solver_operation(call, len(arguments_of), _type_of_result(solver, type, equation))
        values = [*operands.values(), *arguments_of]
        solution = lowering.assign(op, values, arguments.node, name or "solution")
        return _result(solver, solution, in_full)

    return lower


def bound_arguments(lowering: Lowering, solver: Solver, arguments: Arguments) -> Given:
    """The arguments by name, as Python binds them."""
    values = dict(zip(solver.parameters, arguments.positional, strict=False))
    for keyword, value in arguments.keywords.items():
        if keyword not in solver.parameters or keyword in values:
            raise lowering.refuse(
                "unsupported-argument",
                f"the argument `{keyword}` is not supported here",
                arguments.nodes.get(keyword, arguments.node),
                help=solver.way_out,
            )
        values[keyword] = value
    given = Given(lowering, solver, values, arguments.node)
    for name in solver.start:
        if name not in values:
            raise lowering.refuse(
                "bad-call", f"`{solver.module}.{solver.name}` needs `{name}`", arguments.node
            )
    return given


def refuse_unusual(given: Given) -> None:
    """Arguments by which the result is another one, or no solution of an equation."""
    for option in given.solver.always:
        given.values.pop(option, None)
    for option, usual in USUAL.items():
        value = given.values.pop(option, None)
        constant = static_value(value)
        if value is not None and not any(constant is each or constant == each for each in usual):
            raise given.refuse(f"`{option}` of a solver is not supported", given.solver.way_out)
    if static_value(given.values.get("jac")) is True:
        raise given.refuse(
            "a function that gives its derivative as well is not supported",
            "pass the derivative as a function of its own",
        )


def static_value(value: Value | None) -> Any:
    """The value of a constant; what is none equals nothing that is usual."""
    if isinstance(value, Const):
        return value.value
    if isinstance(value, Structure) and not value.items:
        return ()
    return value


def passed_on(args: Value) -> list[Value]:
    """What `args` says: a tuple, or the one argument itself."""
    if isinstance(args, Structure) and args.kind == "tuple":
        return list(args.items)
    if isinstance(args, Const) and isinstance(args.value, tuple):
        return [Const(item) for item in args.value]
    return [args]


def operands_of(given: Given) -> tuple[dict[str, Atom], dict[str, Any]]:
    """Where the solver starts and other numbers, and the arguments that are constants."""
    operands: dict[str, Atom] = {}
    for name in given.solver.start:
        value = given.values.pop(name)
        start = array_operand if given.solver.of_arrays else atom
        operands[name] = start(given.lowering, value, given.node)
    options, fixed = options_of(given)
    return {**operands, **options}, fixed


def options_of(given: Given) -> tuple[dict[str, Atom], dict[str, Any]]:
    """The arguments that are left: numbers that are computed, and constants."""
    lowering, operands = given.lowering, dict[str, Atom]()
    fixed: dict[str, Any] = {}
    for name, value in given.values.items():
        if isinstance(value, Structure) and value.kind == "dict":
            if not all(isinstance(item, Const) for item in value.items):
                raise given.refuse(f"`{name}` has to hold constants", "write the numbers there")
            pairs = zip(value.keys, value.items, strict=True)
            fixed[name] = {key: item.value for key, item in pairs}
            continue
        operand = static_operand(lowering, value, given.node)
        if isinstance(operand, Const) and not operand.text:
            fixed[name] = operand.value
        else:
            operands[name] = operand
    return operands, fixed


def _type_of_solution(given: Given, operands: dict[str, Atom]) -> Type:
    """The type of what the solver varies, as the function gets it."""
    start = operands.get("x0")
    if not given.solver.of_arrays:
        if start is None or rank_of(start.type) == 0:
            return FLOAT
        if given.solver.name != "fixed_point":
            raise given.refuse(
                f"`scipy.optimize.{given.solver.name}` is supported for numbers",
                "use `scipy.optimize.root`, which takes vectors",
            )
    assert start is not None
    shape = shape_of(start.type)
    if shape is None or len(shape) > 1:
        raise given.refuse(
            f"`scipy.optimize.{given.solver.name}` is supported where it starts from a vector",
            "annotate where it starts as a vector: `float[n]`",
        )
    if is_float(start.type) and getattr(start.type, "dtype", "f64") != "f64":
        raise given.refuse("solvers are supported in double precision", "use `.astype(float)`")
    return Array("f64", shape or (Size.of(1),))


def _type_of_result(solver: Solver, type: Type, equation: Recursion) -> Type:
    if solver.name == "fixed_point" and type == FLOAT:
        return Array("f64", ())
    if solver.name in ("newton", "minimize_scalar") and type == FLOAT:
        return Scalar("f64")
    return type


def call_solver(
    lowering: Lowering, solver: UserFunction, names: dict[str, Value], node: cst.CSTNode
) -> Value:
    """The call of a function that was declared to solve an equation."""
    from s2s_ad.frontend.arguments import Arguments
    from s2s_ad.frontend.calls import bind_arguments

    assert solver.solves is not None and isinstance(solver.node, cst.FunctionDef)
    kind, equation = solver.solves
    own = lower_once(lowering, solver, names, closure_of([solver], names), node)
    if len(own.results) != 1 or not is_float(own.results[0]):
        raise lowering.refuse(
            "unsupported-argument",
            f"`{solver.name}` was declared to be a solver, and gives {_spelled(own)}",
            node,
            help="let it return the solution alone: a float or an array of floats",
        )
    (type,) = result_types(lowering, own, own.arguments)
    unknown = lowering.builder.names.fresh("x", type)
    wanted = [param.name.value for param in equation.node.params.params[1:]]
    shared = {name: names[name] for name in wanted if name in names}
    call = node if isinstance(node, cst.Call) else cst.Call(func=cst.Name(equation.name))
    bound = bind_arguments(lowering, equation, Arguments([unknown], shared, {}, call))
    bound = dict(sorted(bound.items(), key=lambda item: item[1] is not unknown))
    solved = lower_once(lowering, equation, bound, closure_of([equation], bound), node)
    if problem := mismatch(kind, solved, type):
        raise lowering.refuse("unsupported-argument", problem, node, help=way_out(solved))
    own_atoms = [*numeric_atoms(own.arguments), *hidden_atoms(lowering, own)]
    others = [*numeric_atoms(solved.arguments)[1:], *hidden_atoms(lowering, solved)]
    counts = (len(own_atoms), len(others))
    op = declared_solver(own.callee, kind, solved.callee, counts, type)
    return lowering.assign(op, [*own_atoms, *others], node, "solution")


def _spelled(recursion: Recursion) -> str:
    return ", ".join(map(str, recursion.results)) or "nothing"


def apart(
    given: Given,
    function: UserFunction,
    unknowns: list[Var],
    passed: list[Value],
    around: dict[str, Value],
    gives_array: bool = True,
    turned: bool = False,
) -> Recursion:
    """The function that the solver calls, with what it varies first; the same one for the same
    types. It is `turned` if the last of that comes first in the function.
    """
    from s2s_ad.frontend.arguments import Arguments
    from s2s_ad.frontend.calls import bind_arguments

    lowering = given.lowering
    varied = unknowns[::-1] if turned else unknowns
    values: list[Value] = [*function.bound, *varied, *passed]
    names = bind_arguments(lowering, function, Arguments(values, {}, {}, given.node))
    first = [name for unknown in unknowns for name, value in names.items() if value is unknown]
    names = {name: names[name] for name in dict.fromkeys((*first, *names))}
    return lower_once(lowering, function, names, around, given.node, gives_array)


def lower_once(
    lowering: Lowering,
    function: UserFunction,
    names: dict[str, Value],
    around: dict[str, Value],
    node: cst.CSTNode,
    gives_array: bool = True,
) -> Recursion:
    """The function on its own; lowered anew only where anything differs from the last time."""
    around = {name: value for name, value in around.items() if name not in names}
    given = {**names, **around}
    shown = [
        (name, repr(leaf) if isinstance(leaf, Const) and not is_numeric(leaf.type) else leaf.type)
        if isinstance(leaf, Var | Const)
        else (name, leaf)
        for name, value in given.items()
        for leaf in leaves_of(value)
    ]
    beside = [
        (name, value)
        for name, value in function.closure.items()
        if isinstance(value, UserFunction | Named)
    ]
    key = (function.node, tuple(shown), tuple(beside), gives_array)
    found = lowering.apart.get(key)
    if found is None:
        found = lower_apart(lowering, function, names, around, node, gives_array)
        if found.written or found.loses:
            raise lowering.refuse(
                "unsupported-argument",
                f"`{function.name}` writes to its arguments, which a solver relies on",
                node,
                help="let it work on a copy",
            )
        lowering.apart[key] = found
    for free in found.hidden.values():
        hidden_parameter(lowering, free, node)
    current: Recursion = found
    current.arguments = given
    return current


ONE_EACH = "return one float for each unknown"


def way_out(equation: Recursion) -> str:
    """What to do about a mismatch."""
    if [rank_of(type) for type in equation.results] == [None]:
        return f"annotate the arrays that `{equation.function.name}` reads: `float[n]`"
    return ONE_EACH


def mismatch(kind: str, equation: Recursion, type: Type) -> str:
    """What is wrong with an equation: it needs as many numbers as there are unknowns, or one of
    which the least is looked for.
    """
    name = equation.function.name
    wanted = () if kind == "minimum" else shape_of(type)
    found = shape_of(equation.results[0]) if len(equation.results) == 1 else None
    if found is None or wanted is None or not is_float(equation.results[0]):
        return f"`{name}` gives {_spelled(equation)} for an unknown of the type {type}"
    lengths = [(size.constant, other.constant) for size, other in zip(found, wanted, strict=False)]
    differ = any(None not in pair and pair[0] != pair[1] for pair in lengths)
    if len(found) != len(wanted) or len(wanted) > 1 or differ:
        return f"`{name}` gives {_spelled(equation)} for an unknown of the type {type}"
    return ""


def _shared_arguments(given: Given, functions: list[Recursion]) -> list[Atom]:
    """The arguments behind x: a solver passes the same to all functions."""
    lowering = given.lowering
    lists = [
        [*numeric_atoms(each.arguments)[1:], *hidden_atoms(lowering, each)] for each in functions
    ]
    if any(other != lists[0] for other in lists):
        raise given.refuse(
            "the functions of a solver need the same arguments",
            "let all of them take what any of them needs, and pass it by `args`",
        )
    return lists[0]


def _result(solver: Solver, solution: Var, in_full: bool) -> Value:
    """What the user asks for by name; a solver without a solution has raised."""
    if solver.item:
        success = "converged" if solver.item == "root" else "success"
        return Structure("tuple", (solver.item, success), (solution, Const(True)))
    if in_full:  # of `fsolve`: 1 and no message say that it has found one
        return Structure("tuple", (0, 1, 2, 3), (solution, Poison(), Const(1), Const("")))
    return solution


def solution_of(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`converged(...)` and `solved(...)` of a generated module: what has been found."""
    found = arguments.positional[0]
    return found.items[0] if isinstance(found, Structure) else found


IMPLICIT = {
    **{f"scipy.optimize.{solver.name}": lower_solver(solver) for solver in SOLVERS},
    "helper.converged": solution_of,
    "helper.solved": solution_of,
}
"""Entries of the table of special calls."""
