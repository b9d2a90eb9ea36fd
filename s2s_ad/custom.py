"""What programs say about their derivatives: `custom_vjp`, `custom_jvp`, `stop_gradient` and
`on_adjoint`.

When a program runs as it is written, all of these leave its values as they are. The compiler knows
them and puts what they say into the derivative; nothing of them is left in generated modules.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Value = TypeVar("Value")


def stop_gradient(x: Value) -> Value:
    """The value itself, which counts as constant: no derivative goes through it."""
    return x


def on_adjoint(x: Value, function: Callable[[Any], Any]) -> Value:
    """The value itself. In the reverse sweep its adjoint goes through `function` at this place.

    The function may print it, stop in the debugger (`breakpoint()`), or change it: what it returns
    counts from there on, unless that is None. Where no adjoint arrives it is not called; in forward
    mode there is none.

    >>> on_adjoint(3.0, lambda g: min(g, 1.0))
    3.0
    """
    return x


class _Custom:
    """A function and what states its derivative. `fixed` are the parameters that have none."""

    __s2s_custom__ = True

    def __new__(cls, primal: Callable[..., Any] | None = None, *_: Any, **options: Any) -> Any:
        """With options alone, a decorator."""
        return functools.partial(cls, **options) if primal is None else super().__new__(cls)

    def __init__(
        self,
        primal: Callable[..., Any],
        nondiff_argnums: int | Sequence[int] = (),
        nondiff_argnames: str | Sequence[str] = (),
    ) -> None:
        self.primal = primal
        self.forward: Callable[..., Any] | None = None
        self.reverse: Callable[..., Any] | None = None
        self.tangent: Callable[..., Any] | None = None
        names = list(inspect.signature(primal).parameters)
        numbers = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else nondiff_argnums
        given = (nondiff_argnames,) if isinstance(nondiff_argnames, str) else nondiff_argnames
        for name in given:
            if name not in names:
                raise TypeError(f"`{primal.__name__}` has no parameter `{name}`")
        wanted = {names[number] for number in numbers} | set(given)
        self.fixed = tuple(name for name in names if name in wanted)
        functools.update_wrapper(self, primal)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.primal(*args, **kwargs)


class custom_vjp(_Custom):  # noqa: N801, as functions that are used as decorators
    """A function whose reverse mode is stated, by `defvjp`; forward mode follows if that is linear.

    `nondiff_argnames` (or `nondiff_argnums`) are parameters without derivative; `reverse` is given
    them first.

    >>> @custom_vjp
    ... def root(x):
    ...     return x**0.5
    >>> root.defvjp(lambda x: (x**0.5, x**0.5), lambda y, g: (g / (2.0 * y),))
    >>> root(4.0)
    2.0
    """

    def defvjp(self, forward: Callable[..., Any], reverse: Callable[..., Any]) -> None:
        """`forward(*args)` gives the result and what `reverse` needs; `reverse(kept, grad_out)` a
        tuple: for each argument with a derivative its adjoint, or None for zero.
        """
        self.forward, self.reverse = forward, reverse


class custom_jvp(_Custom):  # noqa: N801, as functions that are used as decorators
    """A function whose forward mode is stated, by `defjvp`; reverse mode follows from it.

    `nondiff_argnames` (or `nondiff_argnums`) are parameters without derivative; the rule is given
    them first.

    >>> @custom_jvp
    ... def square(x):
    ...     return x * x
    >>> @square.defjvp
    ... def moved(primals, tangents):
    ...     (x,), (dx,) = primals, tangents
    ...     return x * x, 2.0 * x * dx
    >>> square(3.0)
    9.0
    """

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """`rule(primals, tangents)` gives the result and its tangent, linear in the tangents."""
        self.tangent = rule
        return rule


__all__ = ["custom_jvp", "custom_vjp", "on_adjoint", "stop_gradient"]
