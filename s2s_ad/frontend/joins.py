"""The type of a name where two paths meet: after a branch, or between the trips of a loop."""

from __future__ import annotations

from s2s_ad.check import kind_of
from s2s_ad.types import (
    Array,
    Items,
    ListOf,
    Number,
    Scalar,
    Size,
    Sizes,
    Slice,
    Static,
    Type,
    dtype_of,
    is_float,
    promote,
)

KINDS = ("bool", "int", "float", "complex")


class Joiner:
    """Joins types. `own` are the sizes it made: one that stands for whatever size there is fits
    all.
    """

    def __init__(self, sizes: Sizes, own: set[str] | None = None) -> None:
        self.sizes = sizes
        self.own: set[str] = set() if own is None else own

    def fresh(self) -> Size:
        size = self.sizes.fresh()
        self.own |= size.symbols
        return size

    def strict(self, left: Type, right: Type) -> Type | None:
        """The type that both have, or None. Numbers stand for scalars; sizes that differ are left
        open.
        """
        match left, right:
            case (Number() | Scalar(), Number() | Scalar()):
                return self._scalars(left, right)
            case (Array(dtype, shape), Array(other, shape_)):
                if dtype != other:
                    return None
                if shape is None or shape_ is None:
                    return Array(dtype, None)
                if len(shape) != len(shape_):
                    return None
                pairs = zip(shape, shape_, strict=True)
                return Array(dtype, tuple(self._size(*pair) for pair in pairs))
            case (Array(_, None), Number() | Scalar()) | (Number() | Scalar(), Array(_, None)):
                return self._any_rank(left, right)
            case (ListOf(item), ListOf(other_item)):
                joined = self.strict(item, other_item)
                return None if joined is None else ListOf(joined)
            case (Static(), Static()):
                return left if left == right else None
            case (Slice(parts), Slice(others)):
                found = [self.strict(*pair) for pair in zip(parts, others, strict=True)]
                if any(part is None for part in found):
                    return None
                return Slice(tuple(found))  # type: ignore[arg-type]
            case (Items(items), Items(others)) if len(items) == len(others):
                joined_items = [self.strict(*pair) for pair in zip(items, others, strict=True)]
                if any(item is None for item in joined_items):
                    return None
                return Items(tuple(item for item in joined_items if item is not None))
        return None

    def loose(self, left: Type, right: Type) -> Type | None:
        """As `strict`, but numbers and arrays of several ranks make an array of unknown rank."""
        return self.strict(left, right) or self._any_rank(left, right)

    def _scalars(self, left: Number | Scalar, right: Number | Scalar) -> Type:
        kinds = [kind_of(left), kind_of(right)]
        kind = max(kinds, key=KINDS.index)
        if isinstance(left, Number) and isinstance(right, Number):
            same = left.kind == right.kind == "int" and left.value is not None
            if same and left.value == right.value:
                return left
            if kind == "int":
                known = next(
                    (
                        type.value
                        for type in (left, right)
                        if type.value is not None and type.value.symbol in self.own
                    ),
                    None,
                )
                return Number("int", known or self.fresh())
            return Number(kind)
        if kinds[0] == kinds[1]:
            scalars = [type for type in (left, right) if isinstance(type, Scalar)]
            return Scalar(promote(scalars))
        widest = left if kinds[0] == kind else right
        return widest if isinstance(widest, Scalar) else Scalar(dtype_of(widest))

    def _any_rank(self, left: Type, right: Type) -> Type | None:
        numeric = (Number, Scalar, Array)
        if not isinstance(left, numeric) or not isinstance(right, numeric):
            return None
        arrays = [type for type in (left, right) if isinstance(type, Array)]
        dtypes = {array.dtype for array in arrays}
        if len(dtypes) != 1:
            return None
        (dtype,) = dtypes
        if not dtype.startswith("f") and any(is_float(type) for type in (left, right)):
            return None
        return Array(dtype, None)

    def _size(self, left: Size, right: Size) -> Size:
        left, right = self.sizes.resolve(left), self.sizes.resolve(right)
        if left == right or left.symbol in self.own:
            return left
        return right if right.symbol in self.own else self.fresh()

    def renewed(self, type: Type) -> Type:
        """The type for another variable: what was left open there has sizes of its own here."""
        match type:
            case Array(dtype, shape) if shape is not None:
                return Array(
                    dtype,
                    tuple(
                        self.sizes.fresh() if size.symbol in self.own else size for size in shape
                    ),
                )
            case Number("int", value) if value is not None and value.symbol in self.own:
                return Number("int", self.sizes.fresh())
            case ListOf(item):
                return ListOf(self.renewed(item))
            case Items(items):
                return Items(tuple(self.renewed(item) for item in items))
        return type
