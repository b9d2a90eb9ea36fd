"""Types of live values: what a decorated function is called with, and its free variables.

`type_of_value` gives the type tree that a specialisation is lowered with; `signature_of` gives, in
well under a microsecond, a key that is equal for two values just when they may share it.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from s2s_ad.frontend.annotations import TypeTree
from s2s_ad.ir import Const, Structure
from s2s_ad.types import BOOL, DTYPES, FLOAT, INT, ONE, SHORT_DTYPES, Array, Scalar, Size, Static


class UnsupportedValue(Exception):
    """The value is of a kind that the compiler does not know; the message says which.

    `place` is the way to it within its container (`['w'][0]`); `name` and `help` are for the
    diagnostic, where they are not those of the code that reports it.
    """

    def __init__(self, message: str, place: str = "", name: str = "", help: str = "") -> None:
        super().__init__(message)
        self.message, self.place, self.name, self.help = message, place, name, help


# Containers


def container_of(value: Any) -> tuple[str, tuple[Any, ...], tuple[Any, ...], str] | None:
    """Kind, keys, items and class name of a container of known structure, or None.

    Subclasses of tuple, list and dict are not known: a gradient could not be given back in them.
    """
    kind = type(value)
    if kind is tuple or kind is list:
        return kind.__name__, tuple(range(len(value))), tuple(value), ""
    if kind is dict:
        return "dict", tuple(value), tuple(value.values()), ""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return "record", tuple(value._fields), tuple(value), kind.__name__
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = tuple(field.name for field in dataclasses.fields(value) if field.init)
        return "record", names, tuple(getattr(value, name) for name in names), kind.__name__
    return None


def item_place(kind: str, key: Any) -> str:
    """How an item of a container is spelled after the container: `[0]`, `['w']`, `.w`."""
    return f".{key}" if kind == "record" else f"[{key!r}]"


# Types

MOST_FLAG = 64  # integers up to here may say which item or which path is meant


def is_flag(value: object) -> bool:
    """Whether code may be made for this very value, where it has to be known when compiling."""
    return type(value) is bool or (type(value) is int and abs(value) <= MOST_FLAG)


def type_of_value(value: Any, fresh_size: Callable[[], Size], place: str = "") -> TypeTree | Const:
    """The type of a live value: sizes 1 are literal, others fresh. Raises UnsupportedValue."""
    if value is None or isinstance(value, str):
        return Const(value)
    if isinstance(value, bool):
        return BOOL
    if is_generator(value):
        return Static(f"numpy.random.{type(value).__name__}")
    if isinstance(value, np.ndarray | np.generic):
        return _type_of_array(value, fresh_size, place)
    if isinstance(value, int | float):
        if _has_own_arithmetic(type(value)):
            raise UnsupportedValue(f"a number of the class {type(value).__name__}", place)
        return INT if isinstance(value, int) else FLOAT
    container = container_of(value)
    if container is None:
        raise UnsupportedValue(f"of type {type(value).__name__}", place, *_advice(value))
    kind, keys, items, constructor = container
    for key in keys:
        if not isinstance(key, str) and type(key) is not int:
            raise UnsupportedValue(
                f"a dict with the key {key!r}", place, help="use strings or integers as keys"
            )
    trees = tuple(
        type_of_value(item, fresh_size, place + item_place(kind, key))
        for key, item in zip(keys, items, strict=True)
    )
    return Structure(kind, keys, trees, constructor)


WORDS = (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "neg", "pos", "abs", "float",
    "lt", "le", "gt", "ge", "eq",
)  # fmt: skip
ARITHMETIC = frozenset(f"__{side}{word}__" for word in WORDS for side in ("", "r"))


def _has_own_arithmetic(made: type) -> bool:
    """Whether a class of numbers says itself what is computed with them."""
    own = (each for each in made.__mro__ if each.__module__ not in ("builtins", "numpy", "enum"))
    return any(not ARITHMETIC.isdisjoint(vars(each)) for each in own)


def is_generator(value: Any) -> bool:
    """Whether random numbers are drawn from it."""
    return isinstance(value, np.random.Generator | np.random.RandomState)


def _type_of_array(value: Any, fresh_size: Callable[[], Size], place: str) -> TypeTree:
    # np.longdouble and the other byte order have names of their own
    dtype = SHORT_DTYPES.get(value.dtype.name) if value.dtype.isnative else None
    dtype = None if value.dtype.kind == "c" else dtype
    if isinstance(value, np.generic):
        if dtype is None:
            raise UnsupportedValue(f"a NumPy scalar of dtype {value.dtype}", place)
        return Scalar(dtype)
    if dtype is None:
        raise UnsupportedValue(f"an array of dtype {value.dtype}", place)
    if type(value) is not np.ndarray:
        message = f"of type {type(value).__name__}"
        raise UnsupportedValue(message, place, help="pass `np.asarray(...)` of it")
    return Array(dtype, tuple(ONE if size == 1 else fresh_size() for size in value.shape))


def _advice(value: Any) -> tuple[str, str]:
    """Name and help of the diagnostic for a value of no known type."""
    if getattr(type(value), "__s2s_derivative__", False) or _is_our_own(value):
        return "nested-derivative", "take derivatives outside the function that is differentiated"
    if isinstance(value, complex):
        return "", "complex numbers are not supported: pass the real and the imaginary part"
    if isinstance(value, tuple | list | dict):
        return "", "pass a plain tuple, list or dict, a named tuple or a dataclass"
    if callable(value):
        return "", "call it by its name as a global or closure variable, or wrap it in a `def`"
    return "", "pass numbers, arrays, or tuples, lists, dicts, named tuples, dataclasses of them"


def _is_our_own(value: Any) -> bool:
    return callable(value) and str(getattr(value, "__module__", "")).partition(".")[0] == "s2s_ad"


HEAP_TYPE = 1 << 9  # the flag of a class made by a `class` statement
# Modules whose objects hold numbers of their own.
KNOWN_MODULES = ("numpy", "pandas", "torch", "jax", "jaxlib", "scipy", "builtins", "xarray")

# Signatures

# Types whose values all have one type tree. NumPy scalars say their dtype by their class.
_REAL = [np.dtype(name).type for short, name in DTYPES.items() if short[0] != "c"]
_PLAIN = frozenset({float, int, bool, *_REAL})


def signature_of(value: Any) -> object:
    """A key for the type of a value: what `type_of_value` tells apart differs here, nothing else.

    Which sizes are 1 counts, the other sizes do not. A value of no known type has its class as key.
    """
    kind = type(value)
    key: object
    if kind in _PLAIN:
        key = kind
    elif kind is np.ndarray:
        key = value.dtype, tuple([size == 1 for size in value.shape])
    elif value is None or isinstance(value, str):
        key = kind, value
    else:
        key = _container_signature(value)
    return key


def _followed(value: Any) -> tuple[Any, ...]:
    """What code is made for where a value is followed instead of computed with: a function."""
    code = getattr(getattr(value, "__func__", value), "__code__", None)
    if code is not None:
        return (code,)
    return (value,) if isinstance(value, np.ufunc | types.BuiltinFunctionType) else ()


def is_followed(value: Any) -> bool:
    """Whether an argument of no known type may be followed: a function, an object of a class of the
    user's, or a plain container of such.
    """
    kind = type(value)
    if kind in (tuple, list, dict):
        items = value.values() if kind is dict else value
        return any(is_followed(item) for item in items)
    if _is_our_own(value) or isinstance(value, type):
        return False
    written_in_python = bool(kind.__flags__ & HEAP_TYPE)
    is_plain = kind.__module__.partition(".")[0] not in KNOWN_MODULES
    return callable(value) or (written_in_python and is_plain and hasattr(value, "__dict__"))


def _container_signature(value: Any) -> object:
    container = container_of(value)
    kind = type(value)
    if container is None:
        return kind, *_followed(value)
    keys, items = container[1], container[2]
    return kind, keys, tuple(map(type, keys)), tuple([signature_of(item) for item in items])
