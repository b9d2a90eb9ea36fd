"""A call of a function taken out of the program, differentiated, and put back: what derivatives
inside a program have in common.

The call is captured as a function, that function is differentiated (`Lowering.derive`, which the
pipeline provides), and its statements are put in the place of the call.
"""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from s2s_ad.diagnostics import DifferentiationError
from s2s_ad.frontend.arguments import Arguments
from s2s_ad.frontend.calls import bind_arguments, call
from s2s_ad.frontend.captures import Captured, Inside, capture, splice
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.values import (
    CustomFunction,
    Derived,
    Partial,
    Refused,
    UserFunction,
    Value,
)
from s2s_ad.inlining import symbols_of
from s2s_ad.ir import Atom
from s2s_ad.options import Options


def capture_call(
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


def splice_derivative(
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


def place_of(
    lowering: Lowering, function: Value, item: int | str, arguments: Arguments
) -> int | str:
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


def not_known(lowering: Lowering, option: str, node: cst.CSTNode) -> Exception:
    return lowering.refuse(
        "not-constant",
        f"`{option}` has to be known when the derivative is generated",
        node,
        help="write it as a literal",
    )


__all__ = ["Captured", "capture_call", "not_known", "place_of", "splice_derivative"]
