"""The types of variables that hold adjoints and tangents."""

from __future__ import annotations

from s2s_ad.types import Array, ListOf, Number, Scalar, Type


def adjoint_type(type: Type) -> Type:
    """The type of a variable that holds adjoints: numbers may become scalars of NumPy's."""
    if isinstance(type, ListOf):
        return ListOf(adjoint_type(type.item))
    if isinstance(type, Number):
        return Scalar("f64")
    if isinstance(type, Array) and type.shape == ():
        return Scalar(type.dtype)
    return type
