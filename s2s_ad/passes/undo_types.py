"""The types of variables that hold adjoints and tangents."""

from __future__ import annotations

from s2s_ad.ir import Function
from s2s_ad.rewrite import all_statements
from s2s_ad.types import (
    Array,
    ListOf,
    Number,
    Scalar,
    Type,
    dtype_of,
    is_complex,
    is_float,
    real_dtype,
)


def adjoint_type(type: Type) -> Type:
    """The type of a variable that holds adjoints: what is summed up is no array of rank 0."""
    if isinstance(type, Array) and type.shape == ():
        return Scalar(type.dtype)
    return tangent_type(type)


def tangent_type(type: Type) -> Type:
    """The type of a variable that holds tangents: numbers may become scalars of NumPy's."""
    if isinstance(type, ListOf):
        return ListOf(tangent_type(type.item))
    if isinstance(type, Number):
        return Scalar(dtype_of(type) if is_complex(type) else "f64")
    return type


def has_narrow_floats(function: Function) -> bool:
    """Whether some value has less than 64 bits: then it matters that a Python number has none."""
    targets = [target for one in all_statements(function.body) for target in one.targets]
    types = [var.type for var in (*function.body.parameters, *targets)]
    items = [_innermost(type) for type in types]
    return any(is_float(type) and real_dtype(dtype_of(type)) != "f64" for type in items)


def _innermost(type: Type) -> Type:
    return _innermost(type.item) if isinstance(type, ListOf) else type
