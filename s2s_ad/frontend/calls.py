"""Calls: of operations of the catalogue, of the user's functions, and of the few functions that
need a hand.

`SPECIAL` and `METHODS` list the latter: functions whose arguments are containers, or whose
signature depends on how many arguments there are. Everything else is found in the catalogue by its
dotted name.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import libcst as cst
import numpy as np

from s2s_ad.frontend.builtin_calls import BUILTINS
from s2s_ad.frontend.calls_implicit import IMPLICIT, call_solver
from s2s_ad.frontend.calls_linalg import LINEAR_ALGEBRA
from s2s_ad.frontend.containers import call_method, container, length_of, refreshed
from s2s_ad.frontend.declarations import declared_function, declared_name, helper_of
from s2s_ad.frontend.expressions import (
    array_operand,
    atom,
    current,
    display,
    hidden_parameter,
    index_value,
    lower_all,
    lower_expression,
    static,
    static_operand,
)
from s2s_ad.frontend.iteration import HANDLERS as ITERATORS
from s2s_ad.frontend.iteration import iteration, known_trips, through_value
from s2s_ad.frontend.lower import Lowering, inline
from s2s_ad.frontend.objects import call_super, make_object
from s2s_ad.frontend.unpacking import star_items
from s2s_ad.frontend.updates import CHANGING, UPDATES, into
from s2s_ad.frontend.values import (
    Container,
    CustomFunction,
    Derived,
    FreeVariable,
    Growing,
    Method,
    Named,
    Partial,
    Pullback,
    UserClass,
    UserFunction,
    Value,
)
from s2s_ad.ir import Atom, Const, Operation, Structure, Var
from s2s_ad.operations import catalogue
from s2s_ad.operations.arrays import COPY, COPY_METHOD, RANGE
from s2s_ad.operations.effects import PRINT
from s2s_ad.operations.lists import SUM_ITEMS
from s2s_ad.operations.support import RANGE_LENGTH
from s2s_ad.types import Array, is_numeric, rank_of

# Arguments that say how to compute, and are not computed with
CLASS = "__class__"  # of a record, which is called as a method of it
STATIC_ARGUMENTS = frozenset(
    [
        "axis",
        "axes",
        "shape",
        "newshape",
        "dtype",
        "keepdims",
        "ddof",
        "axis1",
        "axis2",
        "num",
        "reps",
        "repeats",
        "shift",
        "source",
        "destination",
        "k",
        "n",
        "offset",
        "subscripts",
        "layout",
        "order",
        "size",
        "start_axis",
        "pad_width",
        "place",
        "names",
        "mode",
        "kind",
        "kth",
        "method",
        "decimals",
        "side",
        "edge_order",
        "window_shape",
        "new_shape",
        "minlength",
        "indexing",
        "constant_values",
        "reflect_type",
        "stat_length",
        "end_values",
        "ndmin",
        "l_and_u",
        "norm",
    ]
)
MOST_ITEMS = 64  # of a `range` that is written out
NEAR = 0.7  # how alike two names have to be for one to be suggested, from 0 to 1
# Arguments accepted where they change nothing
HARMLESS = {
    "order": ("C", "K"),
    "copy": (True,),  # None means: only if needed
    "out": (None,),
    "dtype": (None,),
    "device": (None, "cpu"),
    "casting": ("same_kind",),
    "subok": (False,),
    "like": (None,),
}


@dataclass
class Arguments:
    """The arguments of a call, lowered."""

    positional: list[Value]
    keywords: dict[str, Value]
    nodes: dict[str, cst.CSTNode]
    node: cst.Call

    def take(self, position: int, name: str, default: Value) -> Value:
        """An argument that goes by position or name."""
        if position < len(self.positional):
            return self.positional[position]
        return self.keywords.pop(name, default)


def lower_call(lowering: Lowering, node: cst.Call, name: str) -> Value:
    summed = _folded(lowering, node)
    if summed is not None:
        return summed
    listed = _listed(lowering, node) or _range_length(lowering, node, name)
    if listed is not None:
        return listed
    function, *values = lower_all(lowering, [node.func, *(a.value for a in node.args)])
    wanted = _wanted(function, node)
    return call(lowering, function, _arguments(lowering, node, values, wanted), name)


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


def _listed(lowering: Lowering, node: cst.Call) -> Value | None:
    """`list(range(n))`, `tuple(zip(a, b))`: where what is gone through is known."""
    if not isinstance(node.func, cst.Name) or node.func.value not in ("list", "tuple"):
        return None
    if len(node.args) != 1 or not isinstance(node.args[0].value, cst.Call):
        return None
    inner = lower_expression(lowering, node.args[0].value.func)
    if not isinstance(inner, Named) or inner.name not in ITERATORS:
        return None
    found = iteration(lowering, node.args[0].value)
    if isinstance(found, list):
        return container(lowering, node.func.value, found)
    numbers = known_trips(lowering, found)
    if numbers is not None and len(numbers) <= MOST_ITEMS:
        return container(lowering, node.func.value, [found.item(Const(k)) for k in numbers])
    if node.func.value == "tuple":
        return None
    from s2s_ad.frontend.comprehensions import collected

    return collected(lowering, found, node)


def _folded(lowering: Lowering, node: cst.Call) -> Value | None:
    """`sum(f(a) for a in p)`, `any(a > 0 for a in p)`, `sum(map(f, p))`, which need no list."""
    from s2s_ad.frontend import comprehensions

    if not node.args or not isinstance(node.func, cst.Name) or len(node.args) > 2:
        return None
    gone_through = node.args[0].value
    if node.func.value not in ("sum", "any", "all"):
        return None
    function = lower_expression(lowering, node.func)
    alone = len(node.args) == 1
    quantifiers = {Named("builtins.any"): True, Named("builtins.all"): False}
    wanted = quantifiers.get(function) if isinstance(function, Named) and alone else None
    if isinstance(gone_through, cst.GeneratorExp) and wanted is not None:
        return comprehensions.quantified(lowering, gone_through, wanted)
    if function != Named("builtins.sum"):
        return None
    start = Const(0) if alone else lower_expression(lowering, node.args[1].value)
    if isinstance(gone_through, cst.GeneratorExp | cst.ListComp):
        return comprehensions.total(lowering, gone_through, start)
    if isinstance(gone_through, cst.Call):
        inner = lower_expression(lowering, gone_through.func)
        is_known = isinstance(inner, Named) and inner.name in ITERATORS
    else:
        part = gone_through.value if isinstance(gone_through, cst.Subscript) else None
        is_known = isinstance(part, cst.Name)
    if not is_known:
        return None
    found = iteration(lowering, gone_through)
    return comprehensions.sum_of(lowering, found, start, node)


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
        return _call_method(lowering, function, arguments, name)
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
    if isinstance(function, UserClass):
        return make_object(lowering, function, arguments)
    if isinstance(function, FreeVariable):
        hidden_parameter(lowering, function, node.func)  # which says what it is
    raise lowering.refuse(
        "not-a-function", f"`{lowering.code(node.func)}` is not a function", node.func
    )


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
    """A default is evaluated where the function is defined: in its own scope."""
    from s2s_ad.frontend.lower import Frame

    if param.name.value in function.defaults:
        return function.defaults[param.name.value]
    assert param.default is not None
    lowering.frames.append(Frame(function, dict(function.closure), function.unit, function.scope))
    try:
        return lower_expression(lowering, param.default)
    finally:
        lowering.frames.pop()


# Operations of the catalogue ----------------------------------------------------------------------


def call_named(lowering: Lowering, function: str, arguments: Arguments, name: str) -> Value:
    from s2s_ad.frontend.calls_derivatives import DERIVATIVES
    from s2s_ad.frontend.calls_numpy import FUNCTIONS

    special = SPECIAL.get(function) or FUNCTIONS.get(function) or DERIVATIVES.get(function)
    if special is not None:
        return special(lowering, arguments, name)
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
    return lowering.refuse(
        "unknown-operation",
        f"no derivative is known for `{spelled}`",
        node.func,
        help=f"{hint}declare its derivative with `s2s_ad.declare`",
    )


def call_operation(lowering: Lowering, op: Operation, arguments: Arguments, name: str) -> Value:
    """Bind arguments to an operation's parameters as Python would."""
    node = arguments.node
    _drop_harmless(lowering, op, arguments)
    if "out" in arguments.keywords and "out" not in op.parameters:
        target = arguments.keywords.pop("out")
        return into(lowering, target, call_operation(lowering, op, arguments, ""), node)
    if op.variadic:
        return lowering.assign(op, _variadic_operands(lowering, op, arguments), node, name)
    name_positions(op, arguments)
    _drop_harmless(lowering, op, arguments)
    if len(arguments.positional) > len(op.parameters):
        raise lowering.refuse(
            "bad-call", f"`{lowering.code(node.func)}` takes {len(op.parameters)} arguments", node
        )
    operands: list[Atom] = []
    for position, parameter in enumerate(op.parameters):
        if position < len(arguments.positional):
            value = arguments.positional[position]
        elif parameter in arguments.keywords:
            value = arguments.keywords.pop(parameter)
        elif own_name(op, position) in arguments.keywords:
            value = arguments.keywords.pop(own_name(op, position))
        elif parameter in op.defaults:
            value = Const(op.defaults[parameter])
        else:
            raise lowering.refuse(
                "bad-call", f"`{lowering.code(node.func)}` needs `{parameter}`", node
            )
        operands.append(operand_for(lowering, parameter, value, node))
    no_more(lowering, arguments)
    return assign_results(lowering, op, operands, node, name)


def assign_results(
    lowering: Lowering, op: Operation, operands: list[Atom], node: cst.CSTNode, name: str = ""
) -> Value:
    """The result of an operation; a tuple of them where it has several."""
    if not op.results:
        return lowering.assign(op, operands, node, name)
    results = lowering.assign_several(op, operands, node)
    # NumPy's are named tuples: their fields may be asked for by name
    return Structure("tuple", op.results, results)


def name_positions(op: Operation, arguments: Arguments) -> None:
    """Arguments given by position where NumPy has parameters that the operation has not: by name.

    `np.sum(x, 0, np.float32)` gives `dtype`, although `keepdims` comes third in the catalogue.
    """
    own = own_parameters(op.name)
    required = len(op.parameters) - len(op.defaults)
    if not own or len(arguments.positional) <= required:
        return
    behind = arguments.positional[required:]
    if len(own) < len(arguments.positional):
        return  # refused for their number
    for name, value in zip(own[required:], behind, strict=False):
        arguments.keywords.setdefault(name, value)
    del arguments.positional[required:]


def own_name(op: Operation, position: int) -> str:
    """What NumPy calls an operand that stands without a default in the catalogue."""
    own = own_parameters(op.name)
    required = len(op.parameters) - len(op.defaults)
    return own[position] if position < min(required, len(own)) else ""


@cache
def own_parameters(name: str) -> tuple[str, ...]:
    """The parameters of a function of NumPy that go by position, in its own order."""
    module, _, rest = name.partition(".")
    if module != "numpy":
        return ()
    found: Any = np
    for part in rest.split("."):
        found = getattr(found, part, None)
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return ()
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(each.name for each in parameters if each.kind in by_position)


def operand_for(lowering: Lowering, parameter: str, value: Value, node: cst.CSTNode) -> Atom:
    if parameter in STATIC_ARGUMENTS:
        return static_operand(lowering, value, node)
    if parameter == "i":
        return index_value(lowering, value, node)
    return array_operand(lowering, value, node)


def _variadic_operands(lowering: Lowering, op: Operation, arguments: Arguments) -> list[Atom]:
    node = arguments.node
    operands: list[Atom] = []
    rest = list(arguments.positional)
    for parameter in op.parameters:
        if parameter.startswith("*") and op.call.endswith(("(", "[")):
            group = rest.pop(0) if rest else arguments.keywords.pop(op.variadic, None)
            operands += [
                array_operand(lowering, item, node) for item in members(lowering, group, node)
            ]
        elif parameter.startswith("*"):
            operands += [array_operand(lowering, item, node) for item in rest]
            rest = []
        elif rest:
            operands.append(operand_for(lowering, parameter, rest.pop(0), node))
        elif parameter in arguments.keywords:
            operands.append(
                operand_for(lowering, parameter, arguments.keywords.pop(parameter), node)
            )
        elif parameter in op.defaults:
            operands.append(Const(op.defaults[parameter]))
        else:
            raise lowering.refuse(
                "bad-call", f"`{lowering.code(node.func)}` needs `{parameter}`", node
            )
    if rest:
        raise lowering.refuse("bad-call", "too many arguments", node)
    no_more(lowering, arguments)
    return operands


def members(lowering: Lowering, group: Value | None, node: cst.CSTNode) -> Sequence[Value]:
    """The arrays that `np.concatenate` and its like are given: a tuple or list, or the rows of an
    array.
    """
    if isinstance(group, Structure) and group.kind in ("tuple", "list") and group.items:
        return group.items
    if isinstance(group, Var) and isinstance(group.type, Array) and group.type.shape:
        rows = lowering.sizes.resolve(group.type.shape[0]).constant
        if rows is not None and rows > 0:
            getitem = lowering.operation("getitem")
            return [lowering.assign(getitem, [group, Const(k)], node) for k in range(rows)]
    raise lowering.refuse(
        "bad-call", "a tuple or list of arrays of known length is needed here", node
    )


def _drop_harmless(lowering: Lowering, op: Operation, arguments: Arguments) -> None:
    for keyword, allowed in HARMLESS.items():
        if keyword in arguments.keywords and keyword not in op.parameters:
            value = static(arguments.keywords[keyword])
            if value is not None and value.value in allowed:
                del arguments.keywords[keyword]


def no_more(lowering: Lowering, arguments: Arguments) -> None:
    for keyword in arguments.keywords:
        raise lowering.refuse(
            "unsupported-argument",
            f"the argument `{keyword}` is not supported here",
            arguments.nodes.get(keyword, arguments.node),
            help="write the computation without it",
        )


# Methods ------------------------------------------------------------------------------------------


def _call_method(lowering: Lowering, method: Method, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    if isinstance(method.receiver, Structure | Growing):
        return _container_method(lowering, method.receiver, method.name, arguments)
    # an argument may have written to the array meanwhile
    receiver = current(lowering, method.receiver, node)
    if isinstance(receiver, Var | Const) and is_numeric(receiver.type):
        from s2s_ad.frontend import calls_numpy

        special = METHODS.get(method.name) or calls_numpy.METHODS.get(method.name)
        if special is not None:
            return special(lowering, receiver, arguments, name)
        if method.name in CHANGING:
            return CHANGING[method.name](lowering, receiver, arguments)
        target = catalogue().methods.get(method.name)
        if target is not None:
            arguments.positional.insert(0, receiver)
            return call_operation(lowering, catalogue().operations[target], arguments, name)
    raise lowering.refuse(
        "unknown-operation",
        f"no derivative is known for the method `{method.name}`",
        node.func,
        help="use the NumPy function, or declare its derivative with `s2s_ad.declare`",
    )


def _container_method(
    lowering: Lowering, receiver: Container, method: str, arguments: Arguments
) -> Value:
    receiver = refreshed(lowering, receiver, arguments.node)
    if not arguments.keywords:
        given = call_method(lowering, receiver, method, arguments.positional, arguments.node)
        if given is not None:
            return given
    if receiver.kind == "dict" and not arguments.keywords:
        if method == "values":
            return container(lowering, "tuple", receiver.items)
        if method == "keys":
            return container(lowering, "tuple", [Const(key) for key in receiver.keys])
        if method == "items":
            pairs = zip(receiver.keys, receiver.items, strict=True)
            return container(
                lowering, "tuple", [container(lowering, "tuple", (Const(k), v)) for k, v in pairs]
            )
        if method == "get" and arguments.positional:
            key = static(arguments.positional[0])
            if key is not None and key.value in receiver.keys:
                found: Value = receiver.items[receiver.keys.index(key.value)]
                return found
            return arguments.positional[1] if len(arguments.positional) > 1 else Const(None)
    if receiver.kind == "record" and method == "_replace" and not arguments.positional:
        items = dict(zip(receiver.keys, receiver.items, strict=True)) | arguments.keywords
        return Structure(
            "record",
            receiver.keys,
            tuple(items[key] for key in receiver.keys),
            receiver.constructor,
        )
    if receiver.kind == "record" and method == CLASS:
        items = dict(zip(receiver.keys, arguments.positional, strict=False)) | arguments.keywords
        if set(items) == set(receiver.keys):
            fields = [items[key] for key in receiver.keys]
            return container(lowering, "record", fields, receiver.keys, receiver.constructor)
    raise lowering.refuse(
        "unsupported-syntax",
        f"the method `{method}` of a {receiver.kind} is not supported yet",
        arguments.node,
    )


def _reshape(lowering: Lowering, receiver: Atom, arguments: Arguments, name: str) -> Value:
    """`x.reshape(2, 3)` and `x.reshape((2, 3))`"""
    _drop_harmless(lowering, lowering.operation("numpy.reshape"), arguments)
    shape = _spread(lowering, arguments)
    no_more(lowering, arguments)
    return lowering.assign(
        lowering.operation("numpy.reshape"), [receiver, shape], arguments.node, name
    )


def _spread(lowering: Lowering, arguments: Arguments) -> Atom:
    """Integers given one by one, or one tuple of them."""
    values = arguments.positional
    if not values and "shape" in arguments.keywords:
        values = [arguments.keywords.pop("shape")]
    value = (
        values[0]
        if len(values) == 1
        else Structure("tuple", tuple(range(len(values))), tuple(values))
    )
    return static_operand(lowering, value, arguments.node)


def _transpose_method(lowering: Lowering, receiver: Atom, arguments: Arguments, name: str) -> Value:
    axes: Atom = _spread(lowering, arguments) if arguments.positional else Const(None)
    return lowering.assign(
        lowering.operation("numpy.transpose"), [receiver, axes], arguments.node, name
    )


def _copy_method(lowering: Lowering, receiver: Atom, arguments: Arguments, name: str) -> Value:
    return lowering.assign(COPY_METHOD, [receiver], arguments.node, name)


def _flatten(lowering: Lowering, receiver: Atom, arguments: Arguments, name: str) -> Value:
    flat = lowering.assign(lowering.operation("numpy.ravel"), [receiver], arguments.node)
    return lowering.assign(COPY, [flat], arguments.node, name)


def _astype(lowering: Lowering, receiver: Atom, arguments: Arguments, name: str) -> Value:
    _drop_harmless(lowering, lowering.operation("ndarray.astype"), arguments)
    dtype = static_operand(lowering, arguments.take(0, "dtype", Const(None)), arguments.node)
    no_more(lowering, arguments)
    return lowering.assign(
        lowering.operation("ndarray.astype"), [receiver, dtype], arguments.node, name
    )


def _item_method(lowering: Lowering, receiver: Atom, arguments: Arguments, name: str) -> Value:
    if arguments.positional or rank_of(receiver.type) != 0:
        raise lowering.refuse(
            "unsupported-argument", "`item` is supported for arrays of rank 0", arguments.node
        )
    return lowering.assign(lowering.operation("builtins.float"), [receiver], arguments.node, name)


METHODS: dict[str, Callable[[Lowering, Atom, Arguments, str], Value]] = {
    "reshape": _reshape,
    "transpose": _transpose_method,
    "copy": _copy_method,
    "flatten": _flatten,
    "astype": _astype,
    "item": _item_method,
}


# Functions that need a hand -----------------------------------------------------------------------


def _stack(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.stack` of a list of unknown length is the array of it."""
    arrays = arguments.positional[0] if arguments.positional else None
    if isinstance(arrays, Growing):
        axis = arguments.take(1, "axis", Const(0))
        if axis == Const(0):
            no_more(lowering, arguments)
            return array_operand(lowering, arrays, arguments.node)
    from s2s_ad.frontend.calls_joins import joining

    return joining("stack")(lowering, arguments, name)


def _array(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.array` of a display, a number or an array."""
    node = arguments.node
    value = arguments.take(0, "object", Const(None))
    dtype = static_operand(lowering, arguments.take(1, "dtype", Const(None)), node)
    _drop_harmless(lowering, COPY, arguments)
    no_more(lowering, arguments)
    if isinstance(value, Structure):
        return display(lowering, value, dtype if isinstance(dtype, Const) else None, node)
    x = array_operand(lowering, value, node)
    if isinstance(value, Growing) and dtype == Const(None):
        return x
    copied = lowering.assign(COPY, [x], node, name if dtype == Const(None) else "")
    if dtype == Const(None):
        return copied
    return lowering.assign(lowering.operation("ndarray.astype"), [copied, dtype], node, name)


def _asarray(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.asarray`: the array itself, where it is one of that dtype."""
    from s2s_ad.operations.result_types import dtype_argument

    value = arguments.positional[0] if arguments.positional else None
    if isinstance(value, Var) and isinstance(value.type, Array):
        dtype = static_operand(lowering, arguments.take(1, "dtype", Const(None)), arguments.node)
        if not arguments.keywords and dtype_argument(dtype, value.type.dtype) == value.type.dtype:
            return value
        arguments.keywords["dtype"] = dtype
    return _array(lowering, arguments, name)


def _arange(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    _drop_harmless(lowering, RANGE, arguments)
    no_more(lowering, arguments)
    bounds = [atom(lowering, value, node) for value in arguments.positional]
    if len(bounds) == 1:
        bounds.insert(0, Const(0))
    if len(bounds) == 2:
        bounds.append(Const(1))
    return lowering.assign(RANGE, bounds, node, name)


def _log(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`math.log(x, base)` is a quotient of logarithms, as in CPython."""
    logs: list[Atom] = [
        lowering.assign(
            lowering.operation("math.log"), [atom(lowering, value, arguments.node)], arguments.node
        )
        for value in arguments.positional[:2]
    ]
    no_more(lowering, arguments)
    if len(logs) == 1:
        return logs[0]
    return lowering.assign(lowering.operation("/"), logs, arguments.node, name)


def _sum(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """The builtin `sum`, from left to right."""
    node = arguments.node
    value = arguments.positional[0] if arguments.positional else Const(None)
    total: Atom = atom(lowering, arguments.take(1, "start", Const(0)), node)
    of_numbers = isinstance(value, Growing) and isinstance(value.item, Var | Const)
    if isinstance(value, Growing) and of_numbers and total == Const(0):
        return lowering.assign(SUM_ITEMS, [atom(lowering, value.items[0], node)], node, name)
    if not isinstance(value, Structure):
        from s2s_ad.frontend.comprehensions import sum_of

        return sum_of(lowering, through_value(lowering, value, node), total, node)
    for k, item in enumerate(value.items):
        last = name if k == len(value.items) - 1 else ""
        total = lowering.assign(
            lowering.operation("+"), [total, atom(lowering, item, node)], node, last
        )
    return total


def _length(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    value = arguments.positional[0] if arguments.positional else Const(None)
    if isinstance(value, Growing):
        return length_of(lowering, value, arguments.node)
    if isinstance(value, Structure):
        return Const(len(value.items))
    return call_operation(lowering, lowering.operation("builtins.len"), arguments, name)


def _power(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    operands = [atom(lowering, value, arguments.node) for value in arguments.positional]
    if len(operands) != 2:
        raise lowering.refuse(
            "unsupported-argument", "`pow` with a modulus is not supported", arguments.node
        )
    return lowering.assign(lowering.operation("**"), operands, arguments.node, name)


def _type(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`type(p)`, to make another record of the class, as generated modules do."""
    value = arguments.positional[0] if len(arguments.positional) == 1 else None
    if not isinstance(value, Structure) or value.kind != "record" or arguments.keywords:
        raise unknown_operation(lowering, "builtins.type", arguments.node)
    return Method(value, CLASS)


def _print(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`print("step", x)` prints once, in the forward sweep."""
    no_more(lowering, arguments)
    values = [atom(lowering, value, arguments.node) for value in arguments.positional]
    lowering.builder.span = lowering.span(arguments.node)
    lowering.effect(PRINT, values)
    return Const(None)


def _execution(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    raise lowering.refuse(
        "unsupported-syntax",
        f"`{lowering.code(arguments.node.func)}` is not supported: what it runs is not known here",
        arguments.node,
        help="write the code itself",
    )


def _tuple(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    value = arguments.positional[0] if arguments.positional else Structure("tuple", (), ())
    if not isinstance(value, Structure):
        raise lowering.refuse(
            "not-constant", "only a container of known length can be converted", arguments.node
        )
    kind = "list" if lowering.code(arguments.node.func) == "list" else "tuple"
    if value.kind == "dict":
        return container(lowering, kind, [Const(key) for key in value.keys])
    return container(lowering, kind, value.items)


def _slice(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`slice(stop)` and `slice(start, stop, step)`"""
    parts = [atom(lowering, value, arguments.node) for value in arguments.positional]
    if len(parts) == 1:
        parts.insert(0, Const(None))
    parts += [Const(None)] * (3 - len(parts))
    if all(isinstance(part, Const) for part in parts):
        return Const(slice(*(part.value for part in parts if isinstance(part, Const))))
    return lowering.assign(lowering.operation("builtins.slice"), parts, arguments.node)


def _partial(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`functools.partial`: a function with some of its arguments."""
    if not arguments.positional:
        raise lowering.refuse("bad-call", "`partial` needs a function", arguments.node)
    function, *given = arguments.positional
    return Partial(function, tuple(given), dict(arguments.keywords))


SPECIAL: dict[str, Callable[[Lowering, Arguments, str], Value]] = {
    **LINEAR_ALGEBRA,
    **IMPLICIT,
    "numpy.array": _array,
    "numpy.stack": _stack,
    "numpy.asarray": _asarray,
    "numpy.asanyarray": _asarray,
    "numpy.arange": _arange,
    "math.log": _log,
    "builtins.sum": _sum,
    "builtins.len": _length,
    "builtins.pow": _power,
    "builtins.slice": _slice,
    **BUILTINS,
    **UPDATES,
    "functools.partial": _partial,
    "builtins.print": _print,
    "builtins.type": _type,
    "builtins.exec": _execution,
    "builtins.eval": _execution,
    "builtins.tuple": _tuple,
    "builtins.list": _tuple,
    "builtins.super": call_super,
}

__all__ = [
    "METHODS",
    "SPECIAL",
    "Arguments",
    "call",
    "call_named",
    "call_operation",
    "lower_call",
]
