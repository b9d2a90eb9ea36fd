"""Derivatives inside a program: `grad(g)(x)`, `vjp(g, x)` and their like in a function's body.

The call is captured as a function, that function is differentiated (`Lowering.derive`, which the
pipeline provides), and its statements are put in the place of the call. So the whole is a program
like any other, and can be differentiated through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import libcst as cst

from s2s_ad.diagnostics import DifferentiationError
from s2s_ad.frontend.arguments import Arguments, no_more
from s2s_ad.frontend.calls import bind_arguments, call
from s2s_ad.frontend.calls_custom import CUSTOM
from s2s_ad.frontend.captures import Captured, Inside, capture, splice
from s2s_ad.frontend.file_derivatives import MODES
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import current, static
from s2s_ad.frontend.values import (
    CustomFunction,
    Derived,
    Named,
    Partial,
    Pullback,
    Refused,
    UserFunction,
    Value,
)
from s2s_ad.inlining import symbols_of
from s2s_ad.ir import Assign, Atom, Const, Structure, Tree, Var
from s2s_ad.operations.effects import RAISE_IF
from s2s_ad.options import Options
from s2s_ad.rewrite import all_statements
from s2s_ad.types import Array, is_float, is_numeric, rank_of, shape_of

# `grad(f, ...)` -------------------------------------------------------------------------------


def _derived(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`grad(f, wrt=..., has_aux=...)`, a function; without `f`, what makes one of a function."""
    node = arguments.node
    function_name = _function_name(lowering, node)
    if not arguments.positional:
        return Partial(Named(function_name), (), dict(arguments.keywords))
    wrt, bare = _wrt(lowering, arguments)
    options = {}
    for option in ("has_aux", "level", "checkpoint"):
        given = static(arguments.keywords.pop(option, Const(None)))
        if given is None:
            raise _not_known(lowering, option, node)
        options[option] = given.value
    no_more(lowering, arguments)
    level = 1 if options["level"] is None else int(options["level"])
    function = arguments.positional[0]
    return Derived(MODES[function_name], function, wrt, bare, bool(options["has_aux"]), level)


def _function_name(lowering: Lowering, node: cst.Call) -> str:
    from s2s_ad.frontend.expressions import lower_expression

    found = lower_expression(lowering, node.func)
    while isinstance(found, Partial):
        found = found.function
    assert isinstance(found, Named)
    return found.name


def _wrt(lowering: Lowering, arguments: Arguments) -> tuple[tuple[int | str, ...], bool]:
    """The parameters to differentiate with respect to, and whether there is one and no tuple."""
    argnums = arguments.keywords.pop("argnums", None)
    given = arguments.take(1, "wrt", Const(0) if argnums is None else argnums)
    known = static(given)
    if known is None:
        raise _not_known(lowering, "wrt", arguments.node)
    value = known.value
    if isinstance(value, int | str):
        return (value,), True
    items = tuple(value) if isinstance(value, tuple | list) else ()
    if not items or not all(isinstance(item, int | str) for item in items):
        raise lowering.refuse(
            "bad-wrt", "`wrt` holds positions and names of parameters", arguments.node
        )
    return items, False


def _not_known(lowering: Lowering, option: str, node: cst.CSTNode) -> Exception:
    return lowering.refuse(
        "not-constant",
        f"`{option}` has to be known when the derivative is generated",
        node,
        help="write it as a literal",
    )


# Calling what it gives ----------------------------------------------------------------------------


def call_derived(lowering: Lowering, derived: Derived, arguments: Arguments) -> Value:
    """The derivative of a function at these arguments."""
    node = arguments.node
    places = [_place(lowering, derived.function, item, arguments) for item in derived.wrt]
    captured, wrt = _capture(lowering, derived.function, arguments, places, derived.mode)
    options = Options(derived.mode, wrt, derived.bare, derived.has_aux, derived.level)
    return _splice(lowering, captured, options, (), node)


def _capture(
    lowering: Lowering,
    function: Value,
    arguments: Arguments,
    moving: Sequence[int | str],
    mode: str,
) -> tuple[Captured, tuple[str, ...]]:
    """A call as a function, and the names of the formals for the arguments that move."""
    node = arguments.node
    inside = Inside(lowering, node)
    names = _positional_names(lowering, function, node)
    formals: dict[int | str, str] = {}

    def renamed(place: int | str, value: Value) -> Value:
        known = isinstance(place, int) and place < len(names)
        name = names[place] if known and isinstance(place, int) else f"argument{place}"
        moves = place in moving
        inner = inside.argument(value, name if isinstance(place, int) else place, moves)
        if moves:
            formals[place] = inside.formals[-1].name
        return inner

    positional = [renamed(place, value) for place, value in enumerate(arguments.positional)]
    keywords = {key: renamed(key, value) for key, value in arguments.keywords.items()}
    inner = Arguments(positional, keywords, arguments.nodes, node)
    captured = capture(
        lowering,
        _name_of(function),
        node,
        inside,
        lambda: call(lowering, function, inner, ""),
    )
    return captured, tuple(formals[place] for place in moving)


def _splice(
    lowering: Lowering,
    captured: Captured,
    options: Options,
    more: Sequence[Atom],
    node: cst.CSTNode,
) -> Value:
    """Differentiate, and put the derivative's statements here; `more` are its further operands."""
    if lowering.derive is None:
        raise lowering.refuse("nested-derivative", "no derivative can be taken here", node)
    try:
        derivative = lowering.derive(captured.function, options)
    except DifferentiationError as problem:
        lowering.report(problem)
        raise Refused() from None
    known = symbols_of(captured.function)
    return splice(lowering, derivative, (*captured.operands, *more), known.__contains__, node)


def _name_of(function: Value) -> str:
    while isinstance(function, Partial | Derived | CustomFunction):
        function = function.function
    name = function.name if isinstance(function, UserFunction) else ""
    return "f" if name in ("", "lambda") else name


# Parameters of functions --------------------------------------------------------------------------


def _positional_names(lowering: Lowering, function: Value, node: cst.CSTNode) -> tuple[str, ...]:
    """The parameters that a call may fill by position, in order."""
    if isinstance(function, UserFunction):
        parameters = function.node.params
        every = (*parameters.posonly_params, *parameters.params)
        return tuple(param.name.value for param in every)[len(function.bound) :]
    if isinstance(function, Derived):
        return _positional_names(lowering, function.function, node)
    if isinstance(function, CustomFunction):
        return _positional_names(lowering, function.function, node)
    if isinstance(function, Partial):
        names = _positional_names(lowering, function.function, node)[len(function.positional) :]
        return tuple(name for name in names if name not in function.keywords)
    raise lowering.refuse(
        "unsupported-function",
        "only functions written in Python can be differentiated here",
        node,
        help="write a function that calls it: `lambda x: f(x)`",
    )


def _place(lowering: Lowering, function: Value, item: int | str, arguments: Arguments) -> int | str:
    """Where the argument for a parameter stands in a call: its position or its keyword."""
    node = arguments.node
    names = _positional_names(lowering, function, node)
    if isinstance(item, int) and not -len(names) <= item < len(names):
        listed = ", ".join(names) or "none"
        raise lowering.refuse(
            "bad-wrt",
            f"there is no parameter at position {item}",
            node,
            help=f"the parameters are {listed}",
        )
    name = names[item] if isinstance(item, int) else item
    if name in names and names.index(name) < len(arguments.positional):
        return names.index(name)
    if name not in arguments.keywords:
        arguments.keywords[name] = _default(lowering, function, name, arguments)
    return name


def _default(lowering: Lowering, function: Value, name: str, arguments: Arguments) -> Value:
    """The default of a parameter that a call leaves out."""
    while isinstance(function, Partial | Derived | CustomFunction):
        if isinstance(function, Partial):
            raise _left_out(lowering, name, arguments.node)
        function = function.function
    assert isinstance(function, UserFunction)
    given = [*function.bound, *arguments.positional]
    copied = Arguments(given, dict(arguments.keywords), arguments.nodes, arguments.node)
    bound = bind_arguments(lowering, function, copied)
    if name not in bound:
        raise lowering.refuse(
            "bad-wrt", f"`{function.name}` has no parameter `{name}`", arguments.node
        )
    return bound[name]


def _left_out(lowering: Lowering, name: str, node: cst.CSTNode) -> Exception:
    return lowering.refuse(
        "bad-wrt", f"no argument is given for `{name}`", node, help="pass it in this call"
    )


# Products with vectors ----------------------------------------------------------------------------


def _jvp(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`jvp(f, primals, tangents)`: the value and its tangent."""
    node = arguments.node
    function, primals, tangents = _three(lowering, arguments, "primals", "tangents")
    has_aux, level = _aux_and_level(lowering, arguments)
    points, directions = (_items(lowering, each, node) for each in (primals, tangents))
    if len(points) != len(directions):
        raise lowering.refuse(
            "bad-call", f"there are {len(points)} primals, but {len(directions)} tangents", node
        )
    moving = [k for k, direction in enumerate(directions) if direction != Const(None)]
    inner = Arguments(list(points), {}, {}, node)
    captured, wrt = _capture(lowering, function, inner, moving, "jvp")
    formals = {formal.name: formal for formal in captured.function.formals}
    more: list[Atom] = []
    for formal, place in zip(wrt, moving, strict=True):
        more += _direction(lowering, formals[formal].tree, directions[place], node)
    return _splice(lowering, captured, Options("jvp", wrt, False, has_aux, level), more, node)


def _vjp(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`vjp(f, x, y)`: the value, and a function that carries its adjoint back."""
    node = arguments.node
    has_aux, level = _aux_and_level(lowering, arguments)
    no_more(lowering, arguments)
    if not arguments.positional:
        raise lowering.refuse("bad-call", "`vjp` needs a function", node)
    function, *primals = arguments.positional
    primals = [current(lowering, value, node) for value in primals]
    inner = Arguments(list(primals), {}, {}, node)
    captured, _ = _capture(lowering, function, inner, (), "vjp")
    for statement in all_statements(captured.function.body):
        if isinstance(statement, Assign) and statement.op.effect and statement.op is not RAISE_IF:
            raise lowering.refuse(
                "nested-derivative",
                "this function prints, and its pullback would print again",
                node,
                help="print outside of it",
            )
    known = symbols_of(captured.function)
    value = splice(lowering, captured.function, captured.operands, known.__contains__, node)
    pullback = Pullback(function, tuple(primals), has_aux, level)
    if not has_aux:
        return Structure("tuple", (0, 1), (value, pullback))
    if not (isinstance(value, Structure) and len(value.items) == 2):
        raise lowering.refuse("bad-aux", "with has_aux a function returns a pair", node)
    return Structure("tuple", (0, 1, 2), (value.items[0], pullback, value.items[1]))


def call_pullback(lowering: Lowering, pullback: Pullback, arguments: Arguments) -> Value:
    """The adjoints of the arguments of `vjp`, a tuple."""
    node = arguments.node
    if len(arguments.positional) != 1:
        raise lowering.refuse("bad-call", "a pullback takes one adjoint", node)
    no_more(lowering, arguments)
    inner = Arguments(list(pullback.arguments), {}, {}, node)
    every = range(len(pullback.arguments))
    captured, wrt = _capture(lowering, pullback.function, inner, every, "vjp")
    output: Tree = captured.function.output
    if pullback.has_aux:
        assert isinstance(output, Structure)
        output = output.items[0]
    more = _direction(lowering, output, arguments.positional[0], node)
    options = Options("vjp", wrt, False, pullback.has_aux, pullback.level)
    value = _splice(lowering, captured, options, more, node)
    assert isinstance(value, Structure)
    found: Value = value.items[1]
    return found


def _direction(lowering: Lowering, like: Tree, given: Value, node: cst.CSTNode) -> list[Atom]:
    """What is given for each float of a structure: a tangent or an adjoint, of its shape."""
    given = current(lowering, given, node)
    if isinstance(like, Structure):
        if not isinstance(given, Structure) or len(given.items) != len(like.items):
            raise _other_shape(lowering, node)
        pairs = zip(like.items, given.items, strict=True)
        return [atom for one, other in pairs for atom in _direction(lowering, one, other, node)]
    if not is_float(like.type):
        return []
    if isinstance(given, Const) and isinstance(given.value, int | float):
        given = Const(float(given.value))
    if not isinstance(given, Var | Const) or not is_numeric(given.type):
        raise _other_shape(lowering, node)
    if isinstance(like.type, Array) and like.type.shape is None:
        raise lowering.refuse(
            "nested-derivative",
            "the rank of this argument or result is not known here",
            node,
            help="give the types of the parameters, by annotations or `--arg`",
        )
    fits = is_float(given.type) and rank_of(given.type) == rank_of(like.type)
    wanted, found = shape_of(like.type) or (), shape_of(given.type) or ()
    if not fits or not all(lowering.sizes.unify(a, b) for a, b in zip(wanted, found, strict=True)):
        raise _other_shape(lowering, node)
    return [given]


def _other_shape(lowering: Lowering, node: cst.CSTNode) -> Exception:
    return lowering.refuse(
        "bad-seed",
        "a tangent or adjoint has the structure, the shapes and the dtypes of what it belongs to",
        node,
        help="bring it to that shape (`np.broadcast_to`), and make its numbers floats",
    )


def _three(
    lowering: Lowering, arguments: Arguments, second: str, third: str
) -> tuple[Value, Value, Value]:
    found = [arguments.take(k, name, None) for k, name in enumerate(("f", second, third))]  # type: ignore[arg-type]
    if any(value is None for value in found) or len(arguments.positional) > 3:
        raise lowering.refuse(
            "bad-call", f"a function, {second} and {third} are needed", arguments.node
        )
    return found[0], found[1], found[2]


def _aux_and_level(lowering: Lowering, arguments: Arguments) -> tuple[bool, int]:
    has_aux = static(arguments.keywords.pop("has_aux", Const(False)))
    level = static(arguments.keywords.pop("level", Const(1)))
    if has_aux is None or level is None:
        raise _not_known(lowering, "has_aux", arguments.node)
    return bool(has_aux.value), int(level.value)


def _items(lowering: Lowering, value: Value, node: cst.CSTNode) -> Sequence[Value]:
    value = current(lowering, value, node)
    if isinstance(value, Structure) and value.kind in ("tuple", "list"):
        return value.items
    raise lowering.refuse("bad-call", "a tuple or list of arguments is needed here", node)


DERIVATIVES: dict[str, Callable[[Lowering, Arguments, str], Value]] = {
    **dict.fromkeys(MODES, _derived),
    "s2s_ad.jvp": _jvp,
    "s2s_ad.vjp": _vjp,
    **CUSTOM,
}

__all__ = ["DERIVATIVES", "call_derived", "call_pullback"]
