"""Calls: of operations of the catalogue, of the user's functions, and of the few functions that
need a hand.

`SPECIAL` lists the latter: functions whose arguments are containers, or whose signature depends on
how many arguments there are. Everything else is found in the catalogue by its dotted name.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace

import libcst as cst

from s2s_ad.frontend.arguments import Arguments, call_operation, with_output
from s2s_ad.frontend.branches import select
from s2s_ad.frontend.builtin_calls import BUILTINS
from s2s_ad.frontend.calls_basic import BASIC
from s2s_ad.frontend.calls_implicit import IMPLICIT, call_solver
from s2s_ad.frontend.calls_iterables import lower_consumer
from s2s_ad.frontend.calls_linalg import LINEAR_ALGEBRA
from s2s_ad.frontend.calls_methods import call_bound_method
from s2s_ad.frontend.calls_odes import ODES
from s2s_ad.frontend.comprehensions import refuse_generator
from s2s_ad.frontend.containers import container, mark_lasting
from s2s_ad.frontend.declarations import declared_function, declared_name, helper_of
from s2s_ad.frontend.expressions import lower_all, lower_expression
from s2s_ad.frontend.iteration import iteration, known_trips
from s2s_ad.frontend.lower import Lowering, inline
from s2s_ad.frontend.objects import INSTEAD, call_super, found_in_class, make_object
from s2s_ad.frontend.operands import current, hidden_parameter, is_object
from s2s_ad.frontend.unpacking import star_items
from s2s_ad.frontend.updates import UPDATES
from s2s_ad.frontend.values import (
    Chosen,
    CustomFunction,
    Derived,
    FreeVariable,
    Method,
    Named,
    Partial,
    Pullback,
    UserClass,
    UserFunction,
    Value,
)
from s2s_ad.ir import Const, Structure
from s2s_ad.operations import catalogue
from s2s_ad.operations.support import RANGE_LENGTH

NEAR = 0.7  # how alike two names have to be for one to be suggested, from 0 to 1


def lower_call(lowering: Lowering, node: cst.Call, name: str) -> Value:
    generators = [each for each in node.args if isinstance(each.value, cst.GeneratorExp)]
    lowering.consumed.update(each.value for each in generators)
    known = lower_consumer(lowering, node, name) or _range_length(lowering, node, name)
    if known is not None:
        return known
    function, *values = lower_all(lowering, [node.func, *(a.value for a in node.args)])
    if any(not each.star for each in generators) and not _consumes(function):
        raise refuse_generator(lowering, generators[0].value)
    wanted = _wanted(function, node)
    return call(lowering, function, _arguments(lowering, node, values, wanted), name)


def _consumes(function: Value) -> bool:
    """Whether a function goes through a generator at once, and keeps nothing of it."""
    if isinstance(function, Method):
        return function.name in ("extend", "join", "update")
    return isinstance(function, Named) and function.name != "functools.partial"


def _wanted(function: Value, node: cst.Call) -> int | None:
    """How many arguments a lone `*` stands for, where the function says how many it takes."""
    stars = [argument for argument in node.args if argument.star]
    if not isinstance(function, UserFunction) or [each.star for each in stars] != ["*"]:
        return None
    params = function.node.params
    every = (*params.posonly_params, *params.params)
    given = len(function.bound) + len(node.args) - 1
    if isinstance(params.star_arg, cst.Param) or any(each.default for each in every):
        return None
    return max(0, len(every) - given)


def _range_length(lowering: Lowering, node: cst.Call, name: str) -> Value | None:
    """`len(range(n))`: the number of trips of a loop."""
    if not (isinstance(node.func, cst.Name) and node.func.value == "len" and len(node.args) == 1):
        return None
    inner = node.args[0].value
    if not (isinstance(inner, cst.Call) and isinstance(inner.func, cst.Name)):
        return None
    if lower_expression(lowering, inner.func) != Named("builtins.range"):
        return None
    found = iteration(lowering, inner)
    if isinstance(found, list):
        return Const(len(found))
    known = known_trips(lowering, found)
    if known is not None:
        return Const(len(known))
    return lowering.assign(RANGE_LENGTH, list(found.trip), node, name)


def call(lowering: Lowering, function: Value, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    if isinstance(function, Partial):
        arguments.positional[:0] = function.positional
        arguments.keywords = {**function.keywords, **arguments.keywords}
        return call(lowering, function.function, arguments, name)
    if isinstance(function, UserFunction):
        declared = declared_function(function) or helper_of(function)
        if declared is not None and declared.name in SPECIAL:
            return SPECIAL[declared.name](lowering, arguments, name)
        if declared is not None:
            return call_operation(lowering, declared, arguments, name)
        return _call_user_function(lowering, function, arguments)
    if isinstance(function, Method):
        return call_bound_method(lowering, function, arguments, name)
    if isinstance(function, CustomFunction):
        from s2s_ad.frontend.calls_custom import call_custom_function

        return call_custom_function(lowering, function, arguments)
    if isinstance(function, Derived | Pullback):
        from s2s_ad.frontend import calls_derivatives

        if isinstance(function, Derived):
            return calls_derivatives.call_derived(lowering, function, arguments)
        return calls_derivatives.call_pullback(lowering, function, arguments)
    if isinstance(function, Named):
        return call_named(lowering, function.name, arguments, name)
    if isinstance(function, Chosen):
        return _call_chosen(lowering, function, arguments, name)
    if isinstance(function, UserClass):
        return make_object(lowering, function, arguments)
    called = _method_called(lowering, function, node)
    if called is not None:
        return call(lowering, called, arguments, name)
    if isinstance(function, FreeVariable):
        hidden_parameter(lowering, function, node.func)  # which says what it is
    raise lowering.refuse(
        "not-a-function", f"`{lowering.code(node.func)}` is not a function", node.func
    )


def _call_chosen(lowering: Lowering, chosen: Chosen, arguments: Arguments, name: str) -> Value:
    """A call of one of two functions is a branch with a call in each."""

    def way(function: Value) -> Callable[[], Value]:
        own = replace(
            arguments, positional=[*arguments.positional], keywords={**arguments.keywords}
        )
        return lambda: call(lowering, function, own, "")

    ways = way(chosen.then), way(chosen.orelse)
    return select(lowering, chosen.test, *ways, arguments.node, name)


def _method_called(lowering: Lowering, function: Value, node: cst.Call) -> UserFunction | None:
    """`__call__` of an object."""
    found: Value | None = None
    if isinstance(function, Structure) and function.kind == "record":
        found = found_in_class(lowering, function, "__call__", node)
    elif isinstance(function, FreeVariable) and function.attribute is not None:
        found = function.attribute("__call__")
    return found if isinstance(found, UserFunction) else None


def _arguments(
    lowering: Lowering, node: cst.Call, values: Sequence[Value], wanted: int | None = None
) -> Arguments:
    arguments = Arguments([], {}, {}, node)
    for argument, value in zip(node.args, values, strict=True):
        if argument.star == "*":
            arguments.positional.extend(star_items(lowering, value, wanted, argument))
        elif argument.star == "**":
            if not isinstance(value, Structure) or value.kind != "dict":
                raise lowering.refuse(
                    "star-argument",
                    "only a dict of known keys can be unpacked",
                    argument,
                    help="write the keyword arguments one by one",
                )
            arguments.keywords.update(
                {str(key): item for key, item in zip(value.keys, value.items, strict=True)}
            )
        elif argument.keyword is not None:
            arguments.keywords[argument.keyword.value] = value
            arguments.nodes[argument.keyword.value] = argument
        else:
            arguments.positional.append(value)
    return arguments


# Functions of the user ----------------------------------------------------------------------------


def _call_user_function(lowering: Lowering, function: UserFunction, arguments: Arguments) -> Value:
    arguments.positional[:0] = function.bound
    names = bind_arguments(lowering, function, arguments)
    if function.solves is not None:
        return call_solver(lowering, function, names, arguments.node)
    return inline(lowering, function, names, arguments.node)


def bind_arguments(
    lowering: Lowering, function: UserFunction, arguments: Arguments
) -> dict[str, Value]:
    """The values of a function's parameters, as Python binds them."""
    parameters = function.node.params
    by_position = [*parameters.posonly_params, *parameters.params]
    names: dict[str, Value] = {}
    rest = arguments.positional[len(by_position) :]
    if isinstance(parameters.star_arg, cst.Param):
        names[parameters.star_arg.name.value] = container(lowering, "tuple", rest)
    elif rest:
        raise lowering.refuse(
            "bad-call", f"`{function.name}` takes {len(by_position)} arguments", arguments.node
        )
    for param, value in zip(by_position, arguments.positional, strict=False):
        names[param.name.value] = value
    known = {param.name.value for param in (*parameters.params, *parameters.kwonly_params)}
    others: dict[str, Value] = {}
    for keyword, value in arguments.keywords.items():
        if keyword in known and keyword not in names:
            names[keyword] = value
        elif parameters.star_kwarg is not None and keyword not in known:
            others[keyword] = value
        else:
            raise lowering.refuse(
                "bad-call",
                f"`{function.name}` does not take `{keyword}` here",
                arguments.nodes.get(keyword, arguments.node),
            )
    if parameters.star_kwarg is not None:
        names[parameters.star_kwarg.name.value] = container(
            lowering, "dict", tuple(others.values()), tuple(others)
        )
    for param in (*by_position, *parameters.kwonly_params):
        if param.name.value not in names:
            if param.default is None and param.name.value not in function.defaults:
                raise lowering.refuse(
                    "bad-call", f"`{function.name}` needs `{param.name.value}`", arguments.node
                )
            names[param.name.value] = _default_value(lowering, function, param)
    return names


def _default_value(lowering: Lowering, function: UserFunction, param: cst.Param) -> Value:
    """A default is evaluated where the function is defined, in its own scope, and only once: what
    is evaluated here for this call may not be changed.
    """
    from s2s_ad.frontend.lower import Frame

    if param.name.value in function.defaults:
        value = function.defaults[param.name.value]
        if isinstance(value, FreeVariable) and not is_object(value):
            value = current(lowering, value, param)
            mark_lasting(lowering, value)
        return value
    assert param.default is not None
    lowering.frames.append(Frame(function, dict(function.closure), function.unit, function.scope))
    try:
        value = lower_expression(lowering, param.default)
        mark_lasting(lowering, value)
        return value
    finally:
        lowering.frames.pop()


# Operations of the catalogue ----------------------------------------------------------------------


def call_named(lowering: Lowering, function: str, arguments: Arguments, name: str) -> Value:
    from s2s_ad.frontend.calls_derivatives import DERIVATIVES
    from s2s_ad.frontend.calls_numpy import FUNCTIONS

    special = SPECIAL.get(function) or FUNCTIONS.get(function) or DERIVATIVES.get(function)
    if special is not None:
        return with_output(lowering, function, special, arguments, name)
    declared = declared_name(lowering.frame.scope, function)
    op = declared or catalogue().operations.get(function)
    if op is None:
        raise unknown_operation(lowering, function, arguments.node)
    return call_operation(lowering, op, arguments, name)


def unknown_operation(lowering: Lowering, function: str, node: cst.Call) -> Exception:
    spelled = lowering.code(node.func)
    module, _, last = function.rpartition(".")
    from s2s_ad.frontend.calls_numpy import FUNCTIONS

    every = (*catalogue().operations, *SPECIAL, *FUNCTIONS)
    known = (name.rpartition(".") for name in every if not name.endswith("]"))
    names = [name for home, _, name in known if home == module]
    near = difflib.get_close_matches(last, names, n=1, cutoff=NEAR)
    # as the user spells the module: `np.`, or nothing after `from math import ...`
    prefix = spelled[: spelled.rfind(".") + 1]
    hint = f"did you mean `{prefix}{near[0]}`? otherwise " if near else ""
    help = f"{hint}declare its derivative with `s2s_ad.declare`"
    for family, way_out in WAYS_OUT.items():
        if f"{function}.".startswith(f"{family}."):
            help = way_out
    return lowering.refuse(
        "unknown-operation", f"no derivative is known for `{spelled}`", node.func, help=help
    )


ODEINT = (
    "use `scipy.integrate.odeint(slope, y0, t, tfirst=True)`, or write the steps of a method as a "
    "loop, as in `examples/runge_kutta.py`"
)
WAYS_OUT = {
    **{f"collections.{name}": way for name, way in INSTEAD.items()},
    "heapq": "sort the items (`np.sort`, `sorted`), and take the first of them",
    "numpy.random": "draw from a generator: `rng = np.random.default_rng(0)`, then `rng.normal()`",
    "scipy.integrate.solve_ivp": ODEINT,
    "scipy.interpolate": "use `np.interp`, or solve for the coefficients with `np.linalg.solve`",
    "scipy.linalg.schur": "use `np.linalg.eigh` for symmetric matrices",
    "scipy.linalg.rsf2csf": "use `np.linalg.eigh` for symmetric matrices",
    "scipy.linalg.hessenberg": "use `np.linalg.eigh` for symmetric matrices",
    "scipy.linalg.funm": "use `scipy.linalg.expm`, `logm`, `sqrtm`, `sinm` or `cosm`",
    "scipy.linalg.qr_multiply": "multiply with the factor that `scipy.linalg.qr` gives",
    "scipy.linalg.lstsq": "use `np.linalg.lstsq`",
    "numpy.frompyfunc": "use `np.vectorize`",
}
"""Families that have no derivative, and what to write for them."""


SPECIAL: dict[str, Callable[[Lowering, Arguments, str], Value]] = {
    **BASIC,
    **LINEAR_ALGEBRA,
    **IMPLICIT,
    **ODES,
    **BUILTINS,
    **UPDATES,
    "builtins.super": call_super,
}


__all__ = ["SPECIAL", "call", "call_named", "lower_call"]
