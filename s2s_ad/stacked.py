"""A derivative, or a `functools.partial`, as a plain function that can be differentiated.

For `grad(grad(f))` that is `def grad_f(x): return inner(x)`, with the parameters of the derivative.
Its text is known to `linecache`, where the compiler looks for sources; what `inner` means is seen
in its globals, as for any live function.
"""

from __future__ import annotations

import functools
import linecache
import types
from collections.abc import Hashable, Mapping
from typing import Any

from s2s_ad.specialise import Parameters

KEPT = "__s2s_stacked__"
PLAIN = (bool, int, float, str, type(None))


def function_of_derivative(
    derivative: Any, parameters: Parameters, key: Hashable, place: str
) -> types.FunctionType:
    """A function that calls the derivative. `place` says where what it is of stands.

    For the same primal and the same `key` it is the same function, so that what was compiled for it
    is found again.
    """
    primal = derivative.primal
    if not isinstance(primal, types.FunctionType):
        return _made(derivative, parameters, place, {})
    known: dict[Hashable, types.FunctionType] = primal.__dict__.setdefault(KEPT, {})
    # `functools.wraps` copies attributes to other functions
    if any(found.__globals__["inner"].primal is not primal for found in known.values()):
        known = primal.__dict__[KEPT] = {}
    if key not in known:
        known[key] = _made(derivative, parameters, place, primal.__annotations__)
    return known[key]


def function_of_partial(
    partial: functools.partial[Any], parameters: Parameters, place: str
) -> types.FunctionType:
    """A function that calls a `functools.partial`, with the parameters that are left.

    `parameters` are those of its function. What goes by keyword already is left out.
    """
    positional = parameters.positional[len(partial.args) :]
    left = Parameters(
        parameters.name,
        tuple(name for name in positional if name not in partial.keywords),
        tuple(name for name in parameters.keyword if name not in partial.keywords),
        max(parameters.positional_only - len(partial.args), 0),
        parameters.defaults,
    )
    return _made(partial, left, place, getattr(partial.func, "__annotations__", {}))


def _made(
    inner: Any, parameters: Parameters, place: str, annotations: Mapping[str, Any]
) -> types.FunctionType:
    text = _text(parameters, annotations)
    path = f"<{place}>"
    count = 1
    while path in linecache.cache and "".join(linecache.getlines(path)) != text:
        count += 1
        path = f"<{place}, {count}>"
    namespace: dict[str, Any] = {
        "__name__": getattr(inner, "__module__", __name__),
        "inner": inner,
        "defaults": parameters.defaults,
    }
    exec(compile(text, path, "exec", dont_inherit=True), namespace)
    function = namespace[parameters.name]
    assert isinstance(function, types.FunctionType)
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    return function


def _text(parameters: Parameters, annotations: Mapping[str, Any]) -> str:
    """The source of the function."""
    shown: list[str] = []
    given: list[str] = []
    for place, name in enumerate(parameters.names):
        by_keyword = place >= len(parameters.positional)
        if by_keyword and place == len(parameters.positional):
            shown.append("*")
        annotation = annotations.get(name)
        if isinstance(annotation, type) and annotation.__module__ == "builtins":
            annotation = annotation.__name__
        text = f"{name}: {annotation!r}" if isinstance(annotation, str) else name
        if name in parameters.defaults:
            value = parameters.defaults[name]
            plain = type(value) in PLAIN
            text += f"={value!r}" if plain else f"=defaults[{name!r}]"
        shown.append(text)
        given.append(f"{name}={name}" if by_keyword else name)
        if place + 1 == parameters.positional_only:
            shown.append("/")
    return f"def {parameters.name}({', '.join(shown)}):\n    return inner({', '.join(given)})\n"
