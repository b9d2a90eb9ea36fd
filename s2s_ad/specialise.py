"""Compiles a live function for the types of its arguments, and finds again what was compiled.

A `Table` belongs to one function and one kind of derivative. It holds a `Specialisation` for each signature it was called
with: the generated text, the functions it defines, the free variables they are passed, and the objects (helper functions,
strings, modules) that must still be the same for it to hold.
"""

from __future__ import annotations

import ast
import functools
import itertools
import keyword
import linecache
import re
import sys
import threading
import types
import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from s2s_ad.diagnostics import Diagnostic, DifferentiationError, Span
from s2s_ad.frontend.live import UnsupportedValue, signature_of, type_of_value
from s2s_ad.ir import Const, Structure
from s2s_ad.types import ONE, Array, Scalar, Size

if TYPE_CHECKING:
    from s2s_ad.frontend.annotations import TypeTree
    from s2s_ad.frontend.values import UserFunction
    from s2s_ad.ir import Function

_COMPILING = threading.RLock()
_MODULE_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Wanted:
    """Which derivative: as `pipeline.Options`, the parameters by name."""

    mode: str
    wrt: tuple[str, ...]
    bare: bool
    has_aux: bool
    level: int


# Parameters -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Parameters:
    """The parameters of a Python function; `bind` gives their values in order, as a call would."""

    positional: tuple[str, ...]
    keyword: tuple[str, ...]
    bind: Callable[..., tuple[Any, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        return self.positional + self.keyword


def parameters_of(function: types.FunctionType, name: str) -> Parameters:
    """The parameters of a function. `name` is what errors call the function that is called with them.

    Python itself binds arguments, in a function with the same parameters: fast, and its errors are
    those that one knows.
    """
    code = function.__code__
    count = code.co_argcount
    positional = code.co_varnames[:count]
    keywords = code.co_varnames[count : count + code.co_kwonlyargcount]
    values = _default_values(function)
    defaults = [f"{parameter}=_[{parameter!r}]" if parameter in values else parameter
                for parameter in positional + keywords]  # fmt: skip
    if code.co_posonlyargcount:
        defaults.insert(code.co_posonlyargcount, "/")
    if keywords:
        defaults.insert(len(defaults) - len(keywords), "*")
    returned = "".join(f"{parameter}, " for parameter in positional + keywords)
    namespace: dict[str, Any] = {"_": values}
    exec(f"def {name}({', '.join(defaults)}): return ({returned})", namespace)
    return Parameters(positional, keywords, namespace[name])


def _default_values(function: types.FunctionType) -> dict[str, Any]:
    """The defaults by parameter; an integer is a float where the annotation says so."""
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    given = function.__defaults__ or ()
    values = dict(zip(positional[len(positional) - len(given) :], given, strict=True))
    values.update(function.__kwdefaults__ or {})
    annotations = _annotations(function)
    for name, value in values.items():
        if type(value) is int and annotations.get(name) in (float, "float"):
            values[name] = float(value)
    return values


def _annotations(function: types.FunctionType) -> Mapping[str, Any]:
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(function, format=annotationlib.Format.FORWARDREF)
    return function.__annotations__


# Specialisations ------------------------------------------------------------------------------


@dataclass(eq=False)
class Specialisation:
    """What was generated for one signature. `functions` are the module's, by name."""

    text: str
    functions: Mapping[str, Callable[..., Any]]
    name: str  # of the derivative's function, the one with the arguments of the primal
    count: int  # of the arguments that go by position
    keywords: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    free: Sequence[Callable[[], object]] = ()
    free_signature: tuple[Hashable, ...] = ()
    used: Sequence[tuple[Callable[[], object], object]] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    directions: tuple[str, ...] = ()
    primal: Function | None = None

    def __post_init__(self) -> None:
        self.call = self.functions[self.name]

    def free_values(self) -> dict[str, Any] | None:
        """The free variables' values now; None if this specialisation does not hold for them."""
        try:
            for read, seen in self.used:
                now = read()
                if now is not seen and not (isinstance(seen, str) and now == seen):
                    return None
            if not self.free:
                return {}
            values = [read() for read in self.free]
        except (NameError, KeyError, ValueError, AttributeError):
            return None  # it is no longer there
        if tuple(map(signature_of, values)) != self.free_signature:
            return None
        return dict(zip(self.hidden, values, strict=True))

    def run(self, values: Sequence[Any], more: Mapping[str, Any]) -> Any:
        """Call the derivative with the primal's arguments and, by name, what it takes besides."""
        if not self.keywords:
            return self.call(*values, **more)
        named = dict(zip(self.keywords, values[self.count :], strict=True))
        return self.call(*values[: self.count], **named, **more)


class Table:
    """The specialisations of a function for one kind of derivative, by the signature of a call."""

    def __init__(self, function: types.FunctionType, wanted: Wanted) -> None:
        self.function = function
        self.wanted = wanted
        self.name = derivative_name(wanted.mode, function)
        self.parameters = parameters_of(function, self.name)
        self.found: dict[Hashable, tuple[Specialisation, ...]] = {}

    def find(self, values: Sequence[Any]) -> tuple[Specialisation, dict[str, Any]]:
        """The specialisation for these arguments, compiled if need be, and its free variables.

        Raises DifferentiationError.
        """
        try:
            signature = tuple(map(signature_of, values))
            known = self.found.get(signature, ())
        except (TypeError, RecursionError):  # an unhashable key; a container within itself
            return self._compile(values), {}
        for candidate in known:
            free = candidate.free_values()
            if free is not None:
                return candidate, free
        with _COMPILING:
            if self.found.get(signature, ()) is not known:
                return self.find(values)
            made = self._compile(values)
            # what a rebound helper made stale goes; what only a free variable's type excludes stays
            kept = [other for other in known if not _is_stale(other)]
            self.found[signature] = (made, *kept)
        return made, made.free_values() or {}

    def _compile(self, values: Sequence[Any]) -> Specialisation:
        with compiling(self.function.__name__):
            return _specialise(self, values)

    def every(self) -> list[Specialisation]:
        """All specialisations, in the order in which their signatures were first met."""
        return [made for group in list(self.found.values()) for made in reversed(group)]
