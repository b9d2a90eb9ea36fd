"""Calls of `scipy.integrate.odeint`, and of `odeint_together` in generated modules.

What comes in: the arguments, the first of them a function of the user's, which is lowered on its
own as the functions of solvers are. What goes out: one statement, whose operation knows the
differential equation that its result solves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from s2s_ad.frontend.calls_implicit import (
    ONE_EACH,
    Given,
    apart,
    bound_arguments,
    mismatch,
    options_of,
    passed_on,
    refuse_unusual,
    solution_of,
    static_value,
    way_out,
)
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, atom
from s2s_ad.frontend.recursion import Recursion, closure_of, hidden_atoms, numeric_atoms
from s2s_ad.frontend.values import Poison, Value
from s2s_ad.ir import Atom, Const, Structure, Var, tuple_of
from s2s_ad.operations.odes import ODEINT, TOGETHER, Flow, flow_operation
from s2s_ad.types import (
    FLOAT,
    Array,
    Number,
    Scalar,
    Type,
    dtype_of,
    is_float,
    is_numeric,
    rank_of,
    shape_of,
)

if TYPE_CHECKING:
    from s2s_ad.frontend.arguments import Arguments

ONE_FOR_ALL = "give one number for all unknowns: the smallest"
AS_ARGUMENTS = "pass numbers and arrays in double precision"


def lower_odeint(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """The state at all times, as the rows of a matrix."""
    given = bound_arguments(lowering, ODEINT, arguments)
    in_full = static_value(given.values.get("full_output")) in (True, 1)
    start = _as_vector(given, array_operand(lowering, given.values["y0"], given.node))
    given.values["y0"] = start
    time_first = static_value(given.values.pop("tfirst", Const(False)))
    shape = shape_of(start.type)
    assert shape is not None
    found = _flow(given, [start], [Array("f64", shape)], bool(time_first), name)
    # a result that was not found has raised: the rest says how the integration went
    return Structure("tuple", (0, 1), (found[0], Poison())) if in_full else found[0]


def lower_together(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """The same for several quantities of any shape, in a generated module."""
    given = bound_arguments(lowering, TOGETHER, arguments)
    parts = given.values.pop("start")
    if not isinstance(parts, Structure):
        raise given.refuse("`odeint_together` needs a tuple of what it starts from", ONE_EACH)
    start = [atom(lowering, part, given.node) for part in parts.items]
    types: list[Type] = [
        Array("f64", shape_of(each.type)) if isinstance(each.type, Array) else Scalar("f64")
        for each in start
    ]
    before = given.values.pop("before", Const(()))
    known = [atom(lowering, item, given.node) for item in getattr(before, "items", ())]
    return tuple_of(_flow(given, start, types, False, name, known))


def _flow(
    given: Given,
    start: Sequence[Atom],
    types: list[Type],
    time_first: bool,
    name: str,
    known: Sequence[Atom] = (),
) -> tuple[Var, ...]:
    """Append the call, for quantities of these types."""
    lowering = given.lowering
    function = given.function(given.solver.parameters[0])
    args = given.values.pop("args", Const(()))
    if not (isinstance(args, Structure) and args.kind == "tuple") and static_value(args) != ():
        raise given.refuse("`args` has to be a tuple here", "write `args=(p,)`")
    refuse_unusual(given)
    times = _times(given)
    for name_of_start in given.solver.start:
        given.values.pop(name_of_start, None)
    options, fixed = _options(given)
    names = lowering.builder.names
    unknowns = [*(names.fresh("y", type) for type in types), names.fresh("t", FLOAT)]
    around, alone = closure_of([function], {}), len(types) == 1
    slopes = apart(given, function, unknowns, passed_on(args), around, alone, time_first)
    _refuse_results(given, slopes, types)
    others = [*numeric_atoms(slopes.arguments)[len(unknowns) :], *hidden_atoms(lowering, slopes)]
    for other in (*start, times, *others):
        _refuse_narrow(given, other)
    flow = Flow(slopes.callee, len(types), len(others), tuple(options), fixed, len(known))
    op = flow_operation(flow, types, times.type)
    operands = [*start, times, *options.values(), *known, *others]
    if alone:
        return (lowering.assign(op, operands, given.node, name or "states"),)
    return tuple(lowering.assign_several(op, operands, given.node))


def _as_vector(given: Given, start: Atom) -> Atom:
    """Where the state starts; of a number, the vector that `odeint` makes of it."""
    if rank_of(start.type) == 0:
        op = given.lowering.operation("numpy.atleast_1d")
        return given.lowering.assign(op, [start], given.node)
    if rank_of(start.type) != 1:
        raise given.refuse(
            "`scipy.integrate.odeint` starts from a vector",
            "pass a vector, annotated as one: `y0: float[n]`",
        )
    return start


def _times(given: Given) -> Atom:
    times = array_operand(given.lowering, given.values.pop("t"), given.node)
    if rank_of(times.type) != 1:
        raise given.refuse(
            f"`{given.solver.name}` needs a vector of times",
            "pass a vector of all times, annotated as one: `t: float[m]`",
        )
    return times


def _options(given: Given) -> tuple[dict[str, Atom], dict[str, Any]]:
    """What says how it integrates: numbers, which several quantities can share."""
    options, fixed = options_of(given)
    for name, option in options.items():
        if rank_of(option.type) != 0:
            raise given.refuse(f"`{name}` of `{given.solver.name}` has to be a number", ONE_FOR_ALL)
    fixed = {name: value for name, value in fixed.items() if value is not None}
    for name, value in fixed.items():
        if not isinstance(value, int | float):
            raise given.refuse(f"`{name}` of `{given.solver.name}` has to be a number", ONE_FOR_ALL)
    return options, fixed


def _refuse_results(given: Given, slopes: Recursion, types: list[Type]) -> None:
    if len(types) == 1:
        if problem := mismatch("root", slopes, types[0]):
            raise given.refuse(problem, way_out(slopes))
        return
    if len(slopes.results) != len(types) or not all(map(is_float, slopes.results)):
        raise given.refuse(f"`{slopes.function.name}` gives {len(slopes.results)} values", ONE_EACH)


def _refuse_narrow(given: Given, operand: Atom) -> None:
    type = operand.type
    plain = isinstance(type, Number | Scalar | Array) and is_numeric(type)
    if not plain or (is_float(type) and dtype_of(type) != "f64"):
        raise given.refuse(f"`{given.solver.name}` does not take {type} here", AS_ARGUMENTS)


ODES = {
    "scipy.integrate.odeint": lower_odeint,
    "helper.odeint_together": lower_together,
    "helper.integrated": solution_of,
}
"""Entries of the table of special calls."""
