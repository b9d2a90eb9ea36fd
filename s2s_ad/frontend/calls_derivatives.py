"""Derivatives inside a program: `grad(g)(x)`, `vjp(g, x)` and their like in a function's body.

What is given becomes part of the program (`captured_derivatives.py`), which is then a program like
any other and can be differentiated through. `calls_directions.py` has what takes directions.
"""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst

from s2s_ad.frontend.arguments import Arguments, no_more
from s2s_ad.frontend.calls_directions import call_pullback, hvp, jvp, vjp
from s2s_ad.frontend.calls_identities import IDENTITIES
from s2s_ad.frontend.captured_derivatives import (
    capture_call,
    not_known,
    place_of,
    splice_derivative,
)
from s2s_ad.frontend.file_derivatives import MODES
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import static
from s2s_ad.frontend.values import Derived, Named, Partial, Value
from s2s_ad.ir import Const
from s2s_ad.options import Options

OPTIONS = ("has_aux", "level", "checkpoint", "direction", "sparse", "trap_nan")


def _derived(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`grad(f, wrt=..., has_aux=...)`, a function; without `f`, what makes one of a function."""
    node = arguments.node
    function_name = _function_name(lowering, node)
    if not arguments.positional:
        return Partial(Named(function_name), (), dict(arguments.keywords))
    wrt, bare = _wrt(lowering, arguments)
    mode, options = MODES[function_name], {}
    for option in OPTIONS:
        given = static(arguments.keywords.pop(option, Const(None)))
        if given is None:
            raise not_known(lowering, option, node)
        options[option] = given.value
    function = arguments.take(0, "f", Const(None))
    no_more(lowering, arguments)
    level = 1 if options["level"] is None else int(options["level"])
    direction, sparse = options["direction"] or "", options["sparse"] or ""
    if direction not in ("", "forward", "reverse") and not sparse:
        what = f"the direction of a Jacobian is `forward` or `reverse`, not `{direction}`"
        raise lowering.refuse("bad-call", what, node)
    has_aux = bool(options["has_aux"])
    return Derived(mode, function, wrt, bare, has_aux, level, direction, sparse)


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
        raise not_known(lowering, "wrt", arguments.node)
    value = known.value
    if isinstance(value, int | str):
        return (value,), True
    items = tuple(value) if isinstance(value, tuple | list) else ()
    if not items or not all(isinstance(item, int | str) for item in items):
        raise lowering.refuse(
            "bad-wrt", "`wrt` holds positions and names of parameters", arguments.node
        )
    return items, False


def call_derived(lowering: Lowering, derived: Derived, arguments: Arguments) -> Value:
    """The derivative of a function at these arguments."""
    node = arguments.node
    if derived.sparse:
        raise lowering.refuse(
            "nested-derivative",
            "a sparse derivative is a matrix of its own kind, which a program cannot compute with",
            node,
            help="leave `sparse` out: inside of a program derivatives are arrays",
        )
    places = [place_of(lowering, derived.function, item, arguments) for item in derived.wrt]
    captured, wrt = capture_call(lowering, derived.function, arguments, places, derived.mode)
    options = Options(
        derived.mode,
        wrt,
        derived.bare,
        derived.has_aux,
        derived.level,
        direction=derived.direction,
    )
    return splice_derivative(lowering, captured, options, (), node)


DERIVATIVES: dict[str, Callable[[Lowering, Arguments, str], Value]] = {
    **dict.fromkeys(MODES, _derived),
    "s2s_ad.jvp": jvp,
    "s2s_ad.hvp": hvp,
    "s2s_ad.vjp": vjp,
    **IDENTITIES,
}

__all__ = ["DERIVATIVES", "call_derived", "call_pullback"]
