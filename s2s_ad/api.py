"""Derivatives of live functions: `grad`, `value_and_grad`, `vjp`, `jvp`.

At a call the types of the arguments are read off, the function is compiled for them once, and the
generated function is called; later calls with the same signature find it again. Arguments are never
modified, and results share no memory with them.
"""

from __future__ import annotations

import functools
import inspect
import os
import pickle
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from s2s_ad.diagnostics import refusal
from s2s_ad.directions import count_of, holds_floats, matched, pattern_of, rows_of
from s2s_ad.files import write_atomically
from s2s_ad.frontend.live import signature_of
from s2s_ad.modules import load_module
from s2s_ad.options import checkpoint_option, sparse_options
from s2s_ad.specialise import (
    Parameters,
    Specialisation,
    Table,
    Wanted,
    parameters_of,
    table_of,
)
from s2s_ad.stacked import function_of_derivative, function_of_partial

if TYPE_CHECKING:
    import scipy.sparse

VARIABLE_NUMBER = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
Wrt = int | str | Sequence[int | str]
Decorator = Callable[[Callable[..., Any]], "Derivative"]

# Gradients ----------------------------------------------------------------------------------------


@overload
def grad(
    f: Callable[..., Any],
    wrt: Wrt = 0,
    *,
    argnums: Wrt | None = None,
    has_aux: bool = False,
    level: int = 1,
    checkpoint: int | str = "",
    trap_nan: bool = False,
) -> Derivative: ...
@overload
def grad(
    f: None = None,
    wrt: Wrt = 0,
    *,
    argnums: Wrt | None = None,
    has_aux: bool = False,
    level: int = 1,
    checkpoint: int | str = "",
    trap_nan: bool = False,
) -> Decorator: ...
def grad(
    f: Callable[..., Any] | None = None,
    wrt: Wrt = 0,
    *,
    argnums: Wrt | None = None,
    has_aux: bool = False,
    level: int = 1,
    checkpoint: int | str = "",
    trap_nan: bool = False,
) -> Derivative | Decorator:
    """The gradient of a function that returns one float: a function, or a decorator.

    `wrt` says with respect to which arguments, by position or name: one gives the gradient itself,
    a tuple gives a tuple. `argnums` is another name of it. A gradient has the structure, shapes and
    dtypes of its argument. With `has_aux` the function returns `(value, aux)` and the derivative
    `(grad, aux)`. `level` 0 gives the textbook's code, 1 short code. `checkpoint` is a number of
    snapshots, or "bisection": loops then keep no tapes, but run parts again. With `trap_nan` the
    gradient stops with a FloatingPointError where it first is not finite, which says why. Raises
    DifferentiationError, at the call, if the function is outside the accepted language.

    >>> grad(lambda x: x * x)(3.0)
    6.0
    """
    return derivative_of("grad", f, wrt, argnums, has_aux, level, checkpoint, trap_nan)


@overload
def value_and_grad(
    f: Callable[..., Any],
    wrt: Wrt = 0,
    *,
    argnums: Wrt | None = None,
    has_aux: bool = False,
    level: int = 1,
    checkpoint: int | str = "",
    trap_nan: bool = False,
) -> Derivative: ...
@overload
def value_and_grad(
    f: None = None,
    wrt: Wrt = 0,
    *,
    argnums: Wrt | None = None,
    has_aux: bool = False,
    level: int = 1,
    checkpoint: int | str = "",
    trap_nan: bool = False,
) -> Decorator: ...
def value_and_grad(
    f: Callable[..., Any] | None = None,
    wrt: Wrt = 0,
    *,
    argnums: Wrt | None = None,
    has_aux: bool = False,
    level: int = 1,
    checkpoint: int | str = "",
    trap_nan: bool = False,
) -> Derivative | Decorator:
    """As `grad`, but the result is `(value, grad)`, or `((value, aux), grad)` with `has_aux`.

    SciPy takes it as it is: `minimize(value_and_grad(f), x0, jac=True)`.
    """
    return derivative_of("value-and-grad", f, wrt, argnums, has_aux, level, checkpoint, trap_nan)


def derivative_of(
    mode: str,
    f: Callable[..., Any] | None,
    wrt: Wrt,
    argnums: Wrt | None,
    has_aux: bool,
    level: int,
    checkpoint: int | str = "",
    trap_nan: bool = False,
    direction: str = "",
    sparse: str = "",
) -> Derivative | Decorator:
    if argnums is not None:
        if wrt != 0:
            raise TypeError("`argnums` is another name of `wrt`: give one of them")
        wrt = argnums
    options = (mode, wrt, has_aux, level, checkpoint, trap_nan, direction, sparse)
    kind = SparseDerivative if sparse else Derivative
    return (lambda f: kind(f, *options)) if f is None else kind(f, *options)


class Derivative:
    """The derivative of a function, compiled at the first call with arguments of a signature.

    `primal` is the function as written. In a class it is bound as a function would be; `wrt` then
    counts the arguments after `self`.
    """

    __s2s_derivative__ = True

    def __init__(
        self,
        primal: Callable[..., Any],
        mode: str = "grad",
        wrt: Wrt = 0,
        has_aux: bool = False,
        level: int = 1,
        checkpoint: int | str = "",
        trap_nan: bool = False,
        direction: str = "",
        sparse: str = "",
    ) -> None:
        if level not in (0, 1):
            raise ValueError(f"level is 0 or 1, not {level!r}")
        checkpoint = checkpoint_option(checkpoint)
        function, self._owner = _function_of(primal)
        direction, sparse = sparse_options(direction, sparse, has_aux)
        options = (bool(has_aux), level, checkpoint, bool(trap_nan), direction)
        self._given = (mode, wrt, *options, sparse)
        # what a program that calls this derivative has to know, to be differentiated through
        self.__s2s_derivation__ = (mode, wrt, bool(has_aux), level, direction, sparse)
        names = _names(function, wrt, 0 if self._owner is None else 1)
        wanted = Wanted(mode, names, isinstance(wrt, int | str), *options, sparse=sparse)
        self._table = table_of(function, wanted, self._owner, self._kind())
        self._bind = self._table.parameters.bind
        self._found = self._table.found
        functools.update_wrapper(self, primal, ("__module__", "__doc__"), ())
        self.__name__ = self._table.name
        self.__qualname__ = _beside(getattr(primal, "__qualname__", ""), self.__name__)

    @staticmethod
    def _kind() -> type[Table]:
        return Table

    @property
    def primal(self) -> Callable[..., Any]:
        """The function as written."""
        primal: Callable[..., Any] = self.__dict__["__wrapped__"]
        return primal

    def as_function(self) -> types.FunctionType:
        """A plain function that calls this derivative, for derivatives of it."""
        from s2s_ad.frontend.live_scope import relative_path

        innermost = self.primal
        while isinstance(innermost, Derivative):
            innermost = innermost.primal
        path = relative_path(_function_of(innermost)[0].__code__.co_filename)
        wanted = self._table.wanted
        return function_of_derivative(
            self, self._table.parameters, wanted, f"{self._table.name} of {path}"
        )

    @property
    def source(self) -> str:
        """The generated module; before the first call, the one that annotations lead to.

        For several signatures it has a function for each, named by what tells them apart.
        """
        return self._table.all_text()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `source` to a file, all of it or nothing."""
        write_atomically(path, self.source)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        values = self._bind(*args, **kwargs)
        try:
            known = self._found.get(tuple(map(signature_of, values)), ())
        except (TypeError, RecursionError):
            known = ()  # not even a signature: compiling says what is wrong
        for candidate in known:
            free = candidate.free_values(values)
            if free is not None:
                return candidate.run(values, free)
        found, free = self._table.find(values)
        return found.run(values, free)

    def __get__(self, instance: object, owner: type | None = None) -> Derivative:
        if instance is None or self._owner is not None:
            return self
        return type(self)(types.MethodType(self.primal, instance), *self._given)

    def __repr__(self) -> str:
        wrt = ", ".join(self._table.wanted.wrt)
        return f"<{self.__qualname__}: {self._given[0]} with respect to {wrt}>"

    def __copy__(self) -> Derivative:
        return self

    def __deepcopy__(self, memo: object) -> Derivative:
        return self

    def __reduce__(self) -> str | tuple[Any, ...]:
        """By name if it has one, or by its primal's; otherwise with what was generated."""
        primal = self.primal
        for name in (primal.__qualname__, self.__qualname__):
            if _named(self.__module__, name) is self:
                return name
        if isinstance(primal, types.MethodType):
            owner = getattr(type(primal.__self__), primal.__name__, None)
            if isinstance(owner, Derivative):
                return getattr, (primal.__self__, primal.__name__)
            return type(self), (primal, *self._given)
        if _named(primal.__module__, primal.__qualname__) is primal:
            return type(self), (primal, *self._given)
        return Frozen, _frozen_parts(self._table)


class SparseDerivative(Derivative):
    """A sparse Jacobian or Hessian, compiled for the shapes and the integers of a call."""

    @staticmethod
    def _kind() -> type[Table]:
        from s2s_ad.sparse.live import SparseTable

        return SparseTable

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        values = self._bind(*args, **kwargs)
        found, free = self._table.find(values)
        return found.run(values, free)


class Frozen:
    """A derivative that was pickled without its primal: it knows the signatures it was called with.

    Free variables have the values that they had then.
    """

    __s2s_derivative__ = True

    def __init__(
        self,
        parameters: Parameters,
        count: int,
        source: str,
        parts: Sequence[tuple[Any, str, Mapping[str, Any]]],
    ) -> None:
        self.__name__ = self.__qualname__ = parameters.name
        self.source = source
        self._state = (parameters, count, source, parts)
        self._found = {
            signature: (
                Specialisation(text, load_module(text, parameters.name), parameters.name, count,
                               parameters.keyword),
                free,
            )
            for signature, text, free in parts
        }  # fmt: skip
        self._bind = parameters.bind

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `source` to a file, all of it or nothing."""
        write_atomically(path, self.source)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        values = self._bind(*args, **kwargs)
        found = self._found.get(tuple(map(signature_of, values)))
        if found is None:
            raise refusal(
                "unknown-signature",
                f"`{self.__name__}` was pickled without its primal or code for these arguments",
                help="define the primal at the top level of a module, "
                "or call it so before pickling",
            )
        specialisation, free = found
        return specialisation.run(values, free)

    def __reduce__(self) -> tuple[Any, ...]:
        return Frozen, self._state


def _frozen_parts(table: Table) -> tuple[Any, ...]:
    parts = []
    for signature, candidates in list(table.found.items()):
        for made in candidates:
            # what was followed is not there any more
            free = made.free_values(()) if made.current is None else None
            if free is not None:
                parts.append((signature, made.text, free))
                break
    if not parts:
        raise pickle.PicklingError(
            f"{table.name}: its primal cannot be imported and it has not been called yet: "
            "define the primal at the top level of a module, or call the derivative once"
        )
    return table.parameters, len(table.parameters.positional), table.all_text(), parts


def _named(module: str, name: str) -> object:
    """What a module has under a dotted name."""
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _beside(qualified: str, name: str) -> str:
    return f"{qualified.rpartition('.')[0]}.{name}" if "." in qualified else name


# Vector-Jacobian and Jacobian-vector products -------------------------------------------------


class Pullback:
    """What carries an adjoint of a function's result back to its arguments."""

    def __init__(
        self,
        found: Specialisation,
        saved: object,
        like: Any,
        places: Sequence[int] = (),
        count: int = 0,
        many: bool = False,
    ) -> None:
        """The arguments with an adjoint are those at `places` among `count`; by default all are."""
        self.source = found.text
        self._places, self._count = places, count
        self._reverse = found.functions[found.name.replace("forward_", "reverse_", 1)]
        self._saved, self._like, self._many = saved, pattern_of(like), many

    def __call__(self, adjoint: Any) -> Any:
        """The adjoints of the arguments, a tuple, None for what is no float. `adjoint` has the
        structure of the result; with `many`, it and the adjoints have a leading axis.
        """
        like = self._like
        if self._many:
            like = rows_of(like, count_of(adjoint, like) or 0)
        found = self._reverse(self._saved, matched(adjoint, like, "the adjoint"))
        if len(self._places) == self._count:
            return found
        adjoints: list[Any] = [None] * self._count
        for place, value in zip(self._places, found, strict=True):
            adjoints[place] = value
        return tuple(adjoints)


def vjp(
    f: Callable[..., Any],
    *primals: Any,
    has_aux: bool = False,
    level: int = 1,
    many: bool = False,
) -> tuple[Any, ...]:
    """The result of `f(*primals)` and the function that carries an adjoint back from it.

    `out, pullback = vjp(f, x, y)`; then `pullback(grad_out)` is `(grad_x, grad_y)`, as often as one
    likes, with None for an argument without floats. With `has_aux` `f` returns
    `(out, aux)` and this `(out, pullback, aux)`. With `many` the pullback takes many adjoints at
    once, with a leading axis, and gives as many.
    """
    every = range(len(primals))
    places = [place for place in every if holds_floats(pattern_of(primals[place]))] or every
    table = table_for(f, "vjp", places, has_aux, level, many)
    values = table.parameters.bind(*primals)
    found, free = table.find(values)
    value, saved = found.run(values, free)
    out, *aux = value if has_aux else (value,)
    return out, Pullback(found, saved, out, places, len(primals), many), *aux


def jvp(
    f: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    has_aux: bool = False,
    level: int = 1,
    many: bool = False,
) -> tuple[Any, ...]:
    """The result of `f(*primals)` and how it changes as the arguments move along `tangents`.

    `tangents` has an entry for each of `primals`, of its structure and shapes; None says that it
    does not move. With `has_aux` `f` returns `(out, aux)` and this `(out, tangent, aux)`. With
    `many` the tangents have a leading axis, one direction in each row, and so has the result's.
    """
    given = tuple(primals), tuple(tangents)
    result: tuple[Any, ...] = pushed(f, "jvp", *given, has_aux, level, many)[1]
    return result


def pushed(
    f: Callable[..., Any],
    mode: str,
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    has_aux: bool,
    level: int,
    many: bool,
) -> tuple[list[int], Any]:
    """The places of the arguments that move, and what the derivative along the tangents gives."""
    if len(primals) != len(tangents):
        raise TypeError(f"{mode}: {len(primals)} primals, but {len(tangents)} tangents")
    moving = [place for place, tangent in enumerate(tangents) if tangent is not None]
    table = table_for(f, mode, moving, has_aux, level, many)
    values = table.parameters.bind(*primals)
    found, free = table.find(values)
    patterns = [pattern_of(primals[place]) for place in moving]
    count: int | None = None
    if many:
        counts = (count_of(tangents[p], like) for p, like in zip(moving, patterns, strict=True))
        count = next((found for found in counts if found is not None), 0)
    directions = [
        matched(tangents[place], like if count is None else rows_of(like, count), what)
        for place, like, what in zip(
            moving, patterns, (f"the tangent of `{name}`" for name in table.wanted.wrt), strict=True
        )
    ]
    named = dict(zip(found.directions, directions, strict=True))
    return moving, found.run(values, {**free, **named})


def table_for(
    f: Callable[..., Any],
    mode: str,
    places: Sequence[int],
    has_aux: bool,
    level: int,
    many: bool = False,
) -> Table:
    """The table of `f` for a derivative with respect to the arguments at some places."""
    function, owner = _function_of(f)
    names = _positional(function)[0 if owner is None else 1 :]
    wrt = tuple(names[place] for place in places if place < len(names))
    wanted = Wanted(mode, wrt, False, bool(has_aux), level, many=bool(many))
    return table_of(function, wanted, owner)


# Sparsity -------------------------------------------------------------------------------------


def jac_sparsity(f: Callable[..., Any], *args: Any, wrt: Wrt = 0) -> scipy.sparse.csr_array:
    """Where the Jacobian of `f` may differ from zero, for arguments of these shapes: ones in CSR.

    Rows are the elements of the result, columns those of the arguments `wrt`, one after the other.
    Integers count with the values that they have in `args`; of floats only the shapes are read.
    For `jac_sparsity=` of `scipy.integrate.solve_ivp` and `scipy.optimize.least_squares`. Raises
    DifferentiationError.

    >>> jac_sparsity(lambda x: x[1:] * x[:-1], np.zeros(3)).toarray()
    array([[1., 1., 0.],
           [0., 1., 1.]])
    """
    from s2s_ad.sparse.live import SparseTable, as_csr

    function, owner = _function_of(f)
    names = _names(function, wrt, 0 if owner is None else 1)
    table = SparseTable(function, Wanted("jacobian", names, False, False, 1), _owner_of(owner))
    return as_csr(table.pattern(table.parameters.bind(*args)))


def _owner_of(owner: object) -> Callable[[], object] | None:
    return None if owner is None else lambda: owner


# Functions and their parameters ---------------------------------------------------------------


def _function_of(f: Any) -> tuple[types.FunctionType, object]:
    """The Python function behind a callable, and the object that it is bound to, or None."""
    if isinstance(f, types.FunctionType):
        return f, None
    if isinstance(f, types.MethodType) and isinstance(f.__func__, types.FunctionType):
        return f.__func__, f.__self__
    if isinstance(f, staticmethod | classmethod):
        kind = type(f).__name__
        raise TypeError(f"put `@{kind}` above the decorator that takes the derivative")
    if isinstance(f, Derivative):
        return f.as_function(), None
    if isinstance(f, functools.partial):
        return _function_of_partial(f), None
    if getattr(type(f), "__s2s_custom__", False):
        return _function_of_custom(f), None
    name = getattr(f, "__name__", type(f).__name__)
    if getattr(type(f), "__s2s_derivative__", False) or isinstance(f, types.MethodType):
        raise refusal(
            "nested-derivative",
            f"`{name}` was made without its primal",
            help="differentiate the function that its source defines",
        )
    if not callable(f):
        raise TypeError(f"the derivative of a {name} is not defined: a function is needed")
    raise refusal(
        "unsupported-function",
        f"`{name}` is a {type(f).__name__}, not a function written in Python",
        help=f"write a function that calls it: `lambda x: {name}(x)`",
    )


def _function_of_custom(f: Any) -> types.FunctionType:
    from s2s_ad.frontend.live_scope import relative_path

    function, owner = _function_of(f.primal)
    parameters = parameters_of(function, function.__name__, 0 if owner is None else 1)
    place = f"{function.__name__} of {relative_path(function.__code__.co_filename)}"
    return function_of_derivative(f, parameters, id(f), place)


def _function_of_partial(f: functools.partial[Any]) -> types.FunctionType:
    from s2s_ad.frontend.live_scope import relative_path

    function, owner = _function_of(f.func)
    name = function.__code__.co_name
    name = name if name.isidentifier() else "f"
    parameters = parameters_of(function, name, 0 if owner is None else 1)
    place = f"{name} of {relative_path(function.__code__.co_filename)}"
    return function_of_partial(f, parameters, place)


def _positional(function: types.FunctionType) -> tuple[str, ...]:
    return function.__code__.co_varnames[: function.__code__.co_argcount]


def _names(function: types.FunctionType, wrt: Wrt, skip: int) -> tuple[str, ...]:
    """The parameters that `wrt` means; positions count after the first `skip`."""
    code = function.__code__
    positional = _positional(function)[skip:]
    known = code.co_varnames[skip : code.co_argcount + code.co_kwonlyargcount]
    listed = ", ".join(known) or "none"
    names: list[str] = []
    for item in (wrt,) if isinstance(wrt, int | str) else tuple(wrt):
        if isinstance(item, bool) or not isinstance(item, int | str):
            raise TypeError(f"`wrt` holds positions and names of parameters, not {item!r}")
        if isinstance(item, int) and -len(positional) <= item < len(positional):
            item = positional[item]
        if item not in known and code.co_flags & VARIABLE_NUMBER:
            message = f"`{function.__name__}` takes any number of arguments"
            raise refusal("star-parameters", message, help="name the parameters one by one")
        if item not in known:
            what = f"`{item}`" if isinstance(item, str) else f"at position {item}"
            message = f"`{function.__name__}` has no parameter {what}"
            raise refusal("bad-wrt", message, help=f"its parameters are {listed}")
        if item in names:
            raise refusal("bad-wrt", f"`wrt` names `{item}` twice", help="name each parameter once")
        names.append(item)
    if not names:
        raise refusal("bad-wrt", "`wrt` names no parameter", help=f"name some of {listed}")
    return tuple(names)
