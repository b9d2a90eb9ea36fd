"""Jacobians, Hessians and their products with vectors, of live functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from s2s_ad.api import Decorator, Derivative, Wrt, derivative_of, pushed


@overload
def jacobian(
    f: Callable[..., Any],
    wrt: Wrt = 0,
    *,
    argnums: Wrt | None = None,
    has_aux: bool = False,
    level: int = 1,
    direction: str = "",
    sparse: str = "",
) -> Derivative: ...
@overload
def jacobian(
    f: None = None,
    wrt: Wrt = 0,
    *,
    argnums: Wrt | None = None,
    has_aux: bool = False,
    level: int = 1,
    direction: str = "",
    sparse: str = "",
) -> Decorator: ...
def jacobian(
    f: Callable[..., Any] | None = None,
    wrt: Wrt = 0,
    *,
    argnums: Wrt | None = None,
    has_aux: bool = False,
    level: int = 1,
    direction: str = "",
    sparse: str = "",
) -> Derivative | Decorator:
    """The Jacobian of a function that returns floats or arrays: a function, or a decorator.

    The derivative of a result `out` with respect to `x` has the shape `out.shape + x.shape`.
    Containers nest: those of the result outside, those of the argument inside, None where either
    holds no floats. Options are those of `grad`; `direction` is "forward" (tangents), "reverse"
    (pullbacks), or "": reverse where the result is known to have fewer elements. With `has_aux` the
    function returns `(value, aux)` and the derivative `(jacobian, aux)`.

    `sparse` is "csr" or "triplets" for a matrix of few entries: rows are the floats of the result
    one after the other, columns those of the arguments. It is compiled for the shapes and the
    integers of a call; its direction may be "mixed", of tangents and pullbacks.

    >>> import numpy as np
    >>> jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    return derivative_of(
        "jacobian", f, wrt, argnums, has_aux, level, direction=direction, sparse=sparse
    )


@overload
def hessian(
    f: Callable[..., Any],
    wrt: Wrt = 0,
    *,
    argnums: Wrt | None = None,
    has_aux: bool = False,
    level: int = 1,
    sparse: str = "",
) -> Derivative: ...
@overload
def hessian(
    f: None = None,
    wrt: Wrt = 0,
    *,
    argnums: Wrt | None = None,
    has_aux: bool = False,
    level: int = 1,
    sparse: str = "",
) -> Decorator: ...
def hessian(
    f: Callable[..., Any] | None = None,
    wrt: Wrt = 0,
    *,
    argnums: Wrt | None = None,
    has_aux: bool = False,
    level: int = 1,
    sparse: str = "",
) -> Derivative | Decorator:
    """The Hessian of a function that returns one float: the gradient's Jacobian, by tangents.

    The derivative with respect to `x` twice has the shape `x.shape + x.shape`; several arguments
    give a tuple of tuples, containers nest. `sparse` is "csr" or "triplets", as for `jacobian`.

    >>> hessian(lambda x: x**3)(2.0)
    12.0
    """
    return derivative_of("hessian", f, wrt, argnums, has_aux, level, sparse=sparse)


def hvp(
    f: Callable[..., Any],
    primals: Any,
    vector: Any,
    *,
    has_aux: bool = False,
    level: int = 1,
    many: bool = False,
) -> Any:
    """The product of the Hessian of `f` at `primals` with a vector, without the Hessian.

    `primals` and `vector` are tuples with an entry for each argument, as for `jvp`; None says that
    an argument stands still, and there is None in the result, too. Of one argument itself, which
    is no tuple, the result is the product itself. With `has_aux` the result is `(product, aux)`.
    With `many` the vectors have a leading axis, one in each row, and so has the product.

    >>> hvp(lambda x: x**3, 2.0, 1.0)
    12.0
    """
    single = not isinstance(primals, tuple) or hasattr(primals, "_fields")
    given, along = ((primals,), (vector,)) if single else (primals, tuple(vector))
    moving, result = pushed(f, "hvp", given, along, has_aux, level, many)
    products, *aux = result if has_aux else (result,)
    by_place = dict(zip(moving, products, strict=True))
    product = tuple(by_place.get(place) for place in range(len(given)))
    found = product[0] if single else product
    return (found, *aux) if has_aux else found
