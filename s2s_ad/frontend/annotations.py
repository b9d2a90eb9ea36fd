"""Types written by users: annotations, read from syntax only, and the texts of `--arg`.

`float`, `int`, `bool`, `np.ndarray`, `npt.NDArray[np.float32]`, jaxtyping's `Float[Array, "n d"]`,
containers of them, and the short form `float[n, d]`. A type tree has types at its leaves and
`Structure`s for containers.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from s2s_ad.ir import Structure
from s2s_ad.types import (
    BOOL,
    FLOAT,
    INT,
    NONE,
    SHORT_DTYPES,
    Array,
    ListOf,
    Shape,
    Size,
    Static,
    Type,
    is_numeric,
    scalar_like,
)

TypeTree = Type | Structure

PYTHON = {"float": FLOAT, "int": INT, "bool": BOOL}
JAXTYPING = {
    "Float": "f64",
    "Float64": "f64",
    "Float32": "f32",
    "Float16": "f16",
    "Int": "i64",
    "Int64": "i64",
    "Int32": "i32",
    "Integer": "i64",
    "Bool": "bool",
    "Real": "f64",
    "Num": "f64",
    "Shaped": "f64",
    "UInt": "u64",
    "UInt8": "u8",
    "Int8": "i8",
    "Int16": "i16",
    "UInt16": "u16",
    "UInt32": "u32",
    "UInt64": "u64",
}


COMPLEX = (
    "complex", "complex64", "complex128", "c64", "c128", "Complex", "Complex64", "Complex128",
)  # fmt: skip


class BadType(Exception):
    """The text does not spell a type."""


class ComplexType(BadType):
    """The text spells a type of complex numbers."""

    def __init__(self) -> None:
        super().__init__("complex numbers are not supported")


@dataclass
class TypeReader:
    """Reads types; `record` finds the fields of a named tuple or dataclass by its name, or None."""

    record: Callable[[str], Structure | None] = lambda name: None
    anonymous: int = 0

    def argument(self, text: str) -> TypeTree:
        """The type of an `--arg`: `float[n,d]`, `list[float, float]`, `dict(W=float[d,h])`."""
        tree = self._read(self._parse(text), strict=True)
        if tree is None:
            raise BadType(f"`{text}` is not a type")
        return tree

    def annotation(self, text: str) -> TypeTree | None:
        """The type of an annotation, or None if it says nothing about numbers. Raises
        ComplexType.
        """
        try:
            return self._read(self._parse(text), strict=False)
        except ComplexType:
            raise
        except BadType:
            return None

    @staticmethod
    def _parse(text: str) -> ast.expr:
        try:
            # `float[]` is short for `float[()]`, an array without axes
            return ast.parse(re.sub(r"\[\s*\]", "[()]", text.strip()), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise BadType(f"`{text}` is not a type") from None

    def _read(self, node: ast.expr, strict: bool) -> TypeTree | None:
        match node:
            case ast.Constant(value=str(text)):
                return self._read(self._parse(text), strict)
            case ast.Constant(value=None):
                return NONE
            case ast.Call(func=ast.Name("dict"), args=[], keywords=keywords):
                items = tuple(self._required(keyword.value, strict) for keyword in keywords)
                return Structure("dict", tuple(keyword.arg for keyword in keywords), items)
            case ast.Subscript(value=base, slice=inner):
                return self._subscript(_last_name(base), inner, strict)
            case ast.Name() | ast.Attribute():
                return self._plain(_last_name(node))
        return None

    def _plain(self, name: str) -> TypeTree | None:
        if name in COMPLEX:
            raise ComplexType
        if name in PYTHON:
            return PYTHON[name]
        if name in ("Generator", "RandomState"):
            return Static(f"numpy.random.{name}")
        if name in ("ndarray", "NDArray", "ArrayLike", "Array"):
            return Array("f64", None)
        if name in SHORT_DTYPES or name in SHORT_DTYPES.values():
            from s2s_ad.types import Scalar

            return Scalar(SHORT_DTYPES.get(name, name))
        return self.record(name)

    def _subscript(self, name: str, inner: ast.expr, strict: bool) -> TypeTree | None:
        if name in COMPLEX:
            raise ComplexType
        if name in JAXTYPING:
            match inner:
                case ast.Tuple(elts=[_, ast.Constant(value=str(text))]):
                    return Array(JAXTYPING[name], self._jaxtyping_shape(text))
            return None
        if name == "NDArray":
            dtype = _dtype_name(_last_name(inner))
            return None if dtype is None else Array(dtype, None)
        if name == "ndarray":
            return self._ndarray(inner)
        if name in ("tuple", "list", "Tuple", "List"):
            return self._sequence(name.lower(), inner, strict)
        if name in ("Annotated", "Final"):
            return self._read(inner.elts[0] if isinstance(inner, ast.Tuple) else inner, strict)
        dtype = _dtype_name(name)
        return None if dtype is None else Array(dtype, self._short_shape(inner))

    def _ndarray(self, inner: ast.expr) -> TypeTree | None:
        """`np.ndarray[Any, np.dtype[np.float32]]`"""
        match inner:
            case ast.Tuple(elts=[_, ast.Subscript(slice=dtype)]):
                short = _dtype_name(_last_name(dtype))
                return None if short is None else Array(short, None)
        return Array("f64", None)

    def _sequence(self, kind: str, inner: ast.expr, strict: bool) -> TypeTree | None:
        elements = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        last = elements[-1] if elements else None
        unknown_length = isinstance(last, ast.Constant) and last.value is Ellipsis
        if unknown_length:
            if strict:
                raise BadType("a container needs a type for each item: `tuple[float, float[n]]`")
            return None
        if kind == "list" and not isinstance(inner, ast.Tuple):
            return self._list(inner, strict)
        if kind == "list" and not strict:
            return None
        items = tuple(self._required(element, strict) for element in elements)
        return Structure(kind, tuple(range(len(items))), items)

    def _list(self, inner: ast.expr, strict: bool) -> ListOf:
        """`list[float]`, as long as it happens to be: of numbers, arrays, or lists of numbers."""
        item = self._required(inner, strict)
        if isinstance(item, Structure) or not (
            is_numeric(item) or (isinstance(item, ListOf) and scalar_like(item.item))
        ):
            raise BadType(
                "a list of any length has numbers, arrays or lists of numbers as items; with a "
                "known length it has a type for each item: `list[T, T]`"
            )
        return ListOf(item)

    def _required(self, node: ast.expr, strict: bool) -> Any:
        tree = self._read(node, strict)
        if tree is None:
            raise BadType(f"`{ast.unparse(node)}` is not a type")
        return tree

    def _short_shape(self, inner: ast.expr) -> Shape | None:
        elements = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if any(
            isinstance(element, ast.Constant) and element.value is Ellipsis for element in elements
        ):
            return None
        return tuple(self._size(element) for element in elements)

    def _jaxtyping_shape(self, text: str) -> Shape | None:
        words = text.split()
        if any(word == "..." or word.startswith("*") for word in words):
            return None
        sizes = []
        for word in words:
            name = word.rpartition("=")[2]
            if name == "_" or name.startswith("#") or not name:
                self.anonymous += 1
                # `#n` may also be 1: nothing follows from the name
                sizes.append(Size.of(f"size{self.anonymous}"))
            else:
                sizes.append(self._size(self._parse(name)))
        return tuple(sizes)

    def _size(self, node: ast.expr) -> Size:
        match node:
            case ast.Constant(value=int(value)) if value >= 0 and not isinstance(value, bool):
                return Size.of(value)
            case ast.Name(name):
                return Size.of(name)
            case ast.BinOp(left, ast.Add(), right):
                return self._size(left) + self._size(right)
            case ast.BinOp(left, ast.Sub(), right):
                return self._size(left) - self._size(right)
            case ast.BinOp(left, ast.Mult(), right):
                return self._size(left) * self._size(right)
        raise BadType(f"`{ast.unparse(node)}` is not a size: use names, integers, `+`, `-` and `*`")


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _dtype_name(name: str) -> str | None:
    if name in COMPLEX:
        raise ComplexType
    if name in ("float", "double", "floating"):
        return "f64"
    if name == "int":
        return "i64"
    name = "bool" if name == "bool_" else name
    return name if name in SHORT_DTYPES.values() else SHORT_DTYPES.get(name)


def split_argument(text: str) -> tuple[str, str]:
    """`X=float[n,d]` into name and type. Raises BadType."""
    match = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*=\s*(.+)", text, re.S)
    if not match:
        raise BadType(f"`{text}` is not of the form NAME=TYPE")
    return match[1], match[2]
