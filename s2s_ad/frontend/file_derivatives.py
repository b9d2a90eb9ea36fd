"""Derivatives at the top level of a file: `df = grad(f)` and `@grad` above a function.

Nothing is run: what is understood is a call of one of this package's functions with a function of
the file (or a lambda) and literal options. Anything else is no derivative, and gives None.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import libcst as cst

from s2s_ad.frontend.source import Unit
from s2s_ad.frontend.values import CustomFunction, Derived, Partial, UserFunction, Value
from s2s_ad.ir import Const
from s2s_ad.options import DIRECTIONS, SPARSE_FORMS

if TYPE_CHECKING:
    from s2s_ad.frontend.resolve import FileScope

# What gives a function of a function, by the name of its mode
MODES = {
    "s2s_ad.grad": "grad",
    "s2s_ad.value_and_grad": "value-and-grad",
    "s2s_ad.jacobian": "jacobian",
    "s2s_ad.hessian": "hessian",
}
# What states the derivative of a function, by the method that does so
CUSTOM = {"s2s_ad.custom_vjp": "defvjp", "s2s_ad.custom_jvp": "defjvp"}
OPTIONS = ("wrt", "argnums", "has_aux", "level", "checkpoint", "direction", "sparse", "trap_nan")


def decorated(scope: FileScope, node: cst.FunctionDef, function: UserFunction) -> Value | None:
    """What a decorated function is; None if a decorator is not known."""
    value: Value | None = function
    for decorator in reversed(node.decorators):
        if value is not None and not scope.is_transparent(decorator.decorator):
            value = _applied(scope, decorator.decorator, value)
    return value


def assigned(scope: FileScope, expression: cst.BaseExpression) -> Value | None:
    """What `df = grad(f)` binds; None if it is no derivative."""
    if not isinstance(expression, cst.Call):
        return None
    name = scope.dotted_name(expression.func)
    if name == "functools.partial" and expression.args:
        return _partial(scope, expression)
    if (
        name not in (*MODES, *CUSTOM)
        or not expression.args
        or expression.args[0].keyword is not None
    ):
        return None
    function = _function(scope, expression.args[0].value)
    return None if function is None else _made(scope, name, function, expression.args[1:])


def _function(scope: FileScope, node: cst.BaseExpression) -> Value | None:
    """A function that is given by its name, as a lambda, or by a call that makes one."""
    if isinstance(node, cst.Name):
        found = scope.lookup(node.value)
        return (
            found if isinstance(found, UserFunction | Derived | Partial | CustomFunction) else None
        )
    if isinstance(node, cst.Lambda):
        statement = scope.statement_with(node)
        unit: Unit | None = None if statement is None else scope.parsed.unit(statement)
        return None if unit is None else UserFunction("lambda", node, unit, scope)
    return assigned(scope, node)


def _applied(scope: FileScope, decorator: cst.BaseExpression, function: Value) -> Value | None:
    """`@grad`, `@grad(wrt=1)` and `@partial(grad, wrt=1)` above a function."""
    if not isinstance(decorator, cst.Call):
        return _made(scope, scope.dotted_name(decorator), function, ())
    name, given = scope.dotted_name(decorator.func), decorator.args
    if name == "functools.partial" and given:
        name, given = scope.dotted_name(given[0].value), given[1:]
    return _made(scope, name, function, given, first=1)


def _made(scope: FileScope, name: str, function: Value, given: Any, first: int = 0) -> Value | None:
    """The derivative with the options of a call: `wrt` may go by position behind the function."""
    if name in CUSTOM:
        return _custom(scope, name, function, given)
    if name not in MODES:
        return None
    options: dict[str, Any] = {}
    for place, argument in enumerate(given, start=first):
        key = argument.keyword.value if argument.keyword is not None else ""
        if argument.star or (not key and place != 0) or (key and key not in OPTIONS):
            return None
        try:
            options[key or "wrt"] = ast.literal_eval(scope.code(argument.value))
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            return None
    return derived(
        MODES[name],
        function,
        options.get("argnums", options.get("wrt", 0)),
        bool(options.get("has_aux", False)),
        options.get("level", 1),
        options.get("direction", ""),
        options.get("sparse", ""),
    )


def _custom(scope: FileScope, name: str, function: Value, given: Any) -> Value | None:
    """A function below `custom_vjp` or `custom_jvp`, with what `defvjp` says somewhere below."""
    if not isinstance(function, UserFunction):
        return None
    options: dict[str, Any] = {}
    for argument in given:
        key = argument.keyword.value if argument.keyword is not None else ""
        if key not in ("nondiff_argnames", "nondiff_argnums"):
            return None
        try:
            value = ast.literal_eval(scope.code(argument.value))
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            return None
        options[key] = value if isinstance(value, tuple | list) else (value,)
    parameters = function.node.params
    every = [p.name.value for p in (*parameters.posonly_params, *parameters.params)]
    every += [p.name.value for p in parameters.kwonly_params]
    numbers = [n for n in options.get("nondiff_argnums", ()) if isinstance(n, int)]
    if any(not -len(every) <= number < len(every) for number in numbers):
        return None
    wanted = {every[number] for number in numbers} | set(options.get("nondiff_argnames", ()))
    fixed = tuple(name for name in every if name in wanted)
    stated = _stated(scope, function.name, CUSTOM[name])
    if not stated:
        return CustomFunction(function, fixed, function.node)
    if None in stated or len(stated) != (2 if CUSTOM[name] == "defvjp" else 1):
        return None
    if CUSTOM[name] == "defjvp":
        return CustomFunction(function, fixed, function.node, tangent=stated[0])
    return CustomFunction(function, fixed, function.node, stated[0], stated[1])


def _stated(scope: FileScope, name: str, method: str) -> list[Value | None]:
    """What the last `name.defvjp` at the top of the file is given: by a call, or as a decorator."""
    found: list[Value | None] = []
    for statement in scope.parsed.module.body:
        if isinstance(statement, cst.FunctionDef) and states_rule(scope, statement, name, method):
            unit = scope.parsed.unit(statement)
            found = [UserFunction(statement.name.value, statement, unit, scope)]
        for small in statement.body if isinstance(statement, cst.SimpleStatementLine) else ():
            call = small.value if isinstance(small, cst.Expr) else None
            if isinstance(call, cst.Call) and scope.code(call.func) == f"{name}.{method}":
                found = [_function(scope, argument.value) for argument in call.args]
    return found


def states_rule(scope: FileScope, node: cst.FunctionDef, name: str, method: str) -> bool:
    """Whether a function stands below `@name.defjvp`."""
    return any(scope.code(d.decorator) == f"{name}.{method}" for d in node.decorators)


def derived(
    mode: str,
    function: Value,
    wrt: Any,
    has_aux: bool,
    level: Any,
    direction: Any,
    sparse: Any = "",
) -> Derived | None:
    """A derivative with these options; None where they make no sense."""
    bare = isinstance(wrt, int | str)
    items = (wrt,) if bare else wrt
    if not isinstance(items, tuple | list) or not items or level not in (0, 1):
        return None
    known = DIRECTIONS if sparse else ("forward", "reverse")
    if direction not in ("", *known) or sparse not in ("", *SPARSE_FORMS):
        return None
    if not all(isinstance(item, int | str) for item in items):
        return None
    return Derived(mode, function, tuple(items), bare, has_aux, level, direction, sparse)


def _partial(scope: FileScope, expression: cst.Call) -> Value | None:
    """`partial(f, 2.0, k=3)` with literal arguments."""
    function = _function(scope, expression.args[0].value)
    positional: list[Value] = []
    keywords: dict[str, Value] = {}
    for argument in expression.args[1:]:
        try:
            value = Const(ast.literal_eval(scope.code(argument.value)))
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            return None
        if argument.star or not isinstance(value.value, int | float | bool | str | None):
            return None
        if argument.keyword is None:
            positional.append(value)
        else:
            keywords[argument.keyword.value] = value
    return None if function is None else Partial(function, tuple(positional), keywords)


__all__ = ["MODES", "assigned", "decorated", "derived"]
