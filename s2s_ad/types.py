"""Types of the values a program computes: numbers, NumPy scalars, arrays with symbolic sizes, and a
few static things.

What comes in: facts about operands. What goes out: the type of a result, or `TypeProblem` with a
message for the user. A size is a polynomial with integer coefficients in symbols; symbols that the
entry of a function can compute have plain names (`n`), sizes known only while running start with
`?`. Nothing here knows about syntax, operations or derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np


class TypeProblem(Exception):
    """An operation cannot take these operands. `name` is the diagnostic's; `help` says what to do
    instead.
    """

    def __init__(self, name: str, message: str, help: str = "") -> None:
        super().__init__(message)
        self.name, self.message, self.help = name, message, help


# Sizes --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SliceLength:
    """The number of elements that `[start:stop:step]` picks of `size`: exact for every sign and
    length.
    """

    size: Size
    bounds: tuple[Size | None, Size | None, Size | None]

    def __str__(self) -> str:
        start, stop, step = ("" if bound is None else str(bound) for bound in self.bounds)
        return f"len(range({self.size})[{start}:{stop}{':' + step if step else ''}])"

    def substitute(self, values: Mapping[Symbol, Size]) -> Size:
        size = self.size.substitute(values)
        start, stop, step = (
            None if bound is None else bound.substitute(values) for bound in self.bounds
        )
        return slice_length(size, start, stop, step)


Symbol = str | SliceLength
Monomial = tuple[Symbol, ...]
NATURAL = "?+"  # how symbols begin that stand for numbers from 0 on, and nobody has named


@dataclass(frozen=True)
class Size:
    """An integer polynomial: sorted pairs of a monomial (sorted symbols, with repeats) and its
    non-zero coefficient.
    """

    terms: tuple[tuple[Monomial, int], ...] = ()

    @staticmethod
    def of(value: int | Symbol | Size) -> Size:
        if isinstance(value, Size):
            return value
        if isinstance(value, str | SliceLength):
            return Size((((value,), 1),))
        return Size((((), int(value)),)) if value else Size()

    @staticmethod
    def _from(terms: Mapping[Monomial, int]) -> Size:
        # longer monomials first, constants last: that is also the order in which a size is printed
        kept = [(monomial, factor) for monomial, factor in terms.items() if factor]
        return Size(
            tuple(
                sorted(kept, key=lambda term: (-len(term[0]), [str(symbol) for symbol in term[0]]))
            )
        )

    def __add__(self, other: Size | int) -> Size:
        terms = dict(self.terms)
        for monomial, factor in Size.of(other).terms:
            terms[monomial] = terms.get(monomial, 0) + factor
        return Size._from(terms)

    def __neg__(self) -> Size:
        return Size(tuple((monomial, -factor) for monomial, factor in self.terms))

    def __sub__(self, other: Size | int) -> Size:
        return self + (-Size.of(other))

    def __mul__(self, other: Size | int) -> Size:
        terms: dict[Monomial, int] = {}
        for left, factor in self.terms:
            for right, other_factor in Size.of(other).terms:
                monomial = tuple(sorted(left + right, key=str))
                terms[monomial] = terms.get(monomial, 0) + factor * other_factor
        return Size._from(terms)

    @property
    def constant(self) -> int | None:
        """The value if it does not depend on a symbol."""
        if not self.terms:
            return 0
        return self.terms[0][1] if self.terms[0][0] == () else None

    @property
    def is_natural(self) -> bool:
        """Whether it is known to be 0 or more: all in it are lengths, or count from 0 on."""
        return all(factor > 0 for _, factor in self.terms) and all(
            isinstance(symbol, SliceLength) or symbol.startswith(NATURAL)
            for monomial, _ in self.terms
            for symbol in monomial
        )

    @property
    def symbols(self) -> frozenset[str]:
        """The names in it, those within slice lengths included."""
        names: set[str] = set()
        for monomial, _ in self.terms:
            for symbol in monomial:
                if isinstance(symbol, str):
                    names.add(symbol)
                else:
                    names.update(
                        *(
                            part.symbols
                            for part in (symbol.size, *symbol.bounds)
                            if part is not None
                        )
                    )
        return frozenset(names)

    @property
    def is_local(self) -> bool:
        """Whether it depends on a size that is only known while running."""
        return any(symbol.startswith("?") for symbol in self.symbols)

    @property
    def symbol(self) -> str | None:
        """The name, if the size is just that."""
        match self.terms:
            case (((str(name),), 1),):
                return name
        return None

    @property
    def slice_length(self) -> SliceLength | None:
        """The slice length, if the size is just that."""
        match self.terms:
            case (((SliceLength() as length,), 1),):
                return length
        return None

    @property
    def has_slice_length(self) -> bool:
        return any(
            isinstance(symbol, SliceLength) for monomial, _ in self.terms for symbol in monomial
        )

    @property
    def is_at_most_one(self) -> bool:
        """Whether it is the length of a slice such as `[:1]` or `[k:k + 1]`."""
        length = self.slice_length
        if length is None:
            return False
        start, stop, step = length.bounds
        if stop is None or step is not None:
            return False
        return (stop - (start or Size())).constant == 1

    def is_first_of(self, other: Size) -> bool:
        """Whether it is the length of `[:1]` of so many: 0 only where that is 0."""
        length = self.slice_length
        return length is not None and length.size == other and length.bounds == (None, ONE, None)

    def mentions(self, symbol: Symbol) -> bool:
        """Whether a symbol occurs, also within slice lengths."""
        for monomial, _ in self.terms:
            for other in monomial:
                if other == symbol:
                    return True
                if isinstance(other, SliceLength) and any(
                    part is not None and part.mentions(symbol)
                    for part in (other.size, *other.bounds)
                ):
                    return True
        return False

    def substitute(self, values: Mapping[Symbol, Size]) -> Size:
        total = Size()
        for monomial, factor in self.terms:
            product = Size.of(factor)
            for symbol in monomial:
                if symbol in values:
                    value = values[symbol]
                else:
                    value = (
                        Size.of(symbol) if isinstance(symbol, str) else symbol.substitute(values)
                    )
                product = product * value
            total = total + product
        return total

    def divided_by(self, other: Size) -> Size | None:
        """The exact quotient by a monomial, or None. The caller makes sure that `other` is not
        zero.
        """
        if len(other.terms) != 1:
            return Size.of(1) if self == other else None
        (divisor, divisor_factor) = other.terms[0]
        quotient: dict[Monomial, int] = {}
        for monomial, factor in self.terms:
            rest = list(monomial)
            for symbol in divisor:
                if symbol not in rest:
                    return None
                rest.remove(symbol)
            if factor % divisor_factor:
                return None
            quotient[tuple(rest)] = factor // divisor_factor
        return Size._from(quotient)

    def __str__(self) -> str:
        if not self.terms:
            return "0"
        text = ""
        for monomial, factor in self.terms:
            magnitude = [str(abs(factor))] if abs(factor) != 1 or not monomial else []
            sign = ("-" if factor < 0 else "") if not text else (" - " if factor < 0 else " + ")
            text += sign + " * ".join([*magnitude, *map(str, monomial)])
        return text


ONE = Size.of(1)
Shape = tuple[Size, ...]


def slice_length(size: Size, start: Size | None, stop: Size | None, step: Size | None) -> Size:
    """How many of `size` elements a slice picks: a number, the size itself, or the formula."""
    stride = 1 if step is None else step.constant
    if (
        abs(stride or 0) == 1
        and stop is None
        and (start is None or (stride == 1 and start.constant == 0))
    ):
        return size
    bounds = [None if bound is None else bound.constant for bound in (start, stop, step)]
    known = all(bound is None or bound.constant is not None for bound in (start, stop, step))
    if size.constant is not None and known and stride:
        return Size.of(len(range(*slice(*bounds).indices(size.constant))))
    if stride == 1:
        start, stop = _normal_bounds(start, stop)
        step = None
        if start is not None and start == stop:
            return Size()
    return Size.of(SliceLength(size, (start, stop, step)))


def _normal_bounds(start: Size | None, stop: Size | None) -> tuple[Size | None, Size | None]:
    """Bounds of the same length for every size, so that `x[1:]` and `x[:-1]` are seen to agree."""
    first = 0 if start is None else start.constant
    last = None if stop is None else stop.constant
    if first is not None and first >= 0 and last is not None and last < 0:
        return Size.of(first - last), None
    if first is not None and first < 0 and stop is None:
        return None, Size.of(-first)
    return (None, stop) if first == 0 and stop is not None else (start, stop)


# Types --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    """A Python `float`, `int`, `bool` or `complex`. An int may have a known value, a formula in the
    sizes.
    """

    kind: str
    value: Size | None = None

    def __str__(self) -> str:
        return self.kind


@dataclass(frozen=True)
class Scalar:
    """A NumPy scalar such as `np.float64(1.0)`: what indexing and reductions give. It has a dtype
    and is immutable.
    """

    dtype: str

    def __str__(self) -> str:
        return self.dtype


@dataclass(frozen=True)
class Array:
    """An `ndarray`; `shape` is None when the rank is unknown. Rank 0 is an array too, not a
    scalar.
    """

    dtype: str
    shape: Shape | None

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype}[...]"
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class Static:
    """Something that is not differentiated and is known by its kind only: `None`, a string, a
    dtype, an ellipsis.
    """

    kind: str

    def __str__(self) -> str:
        return self.kind


@dataclass(frozen=True)
class Slice:
    """A slice; its parts are the types of start, stop and step."""

    parts: tuple[Type, Type, Type]

    def __str__(self) -> str:
        return "slice"


@dataclass(frozen=True)
class Items:
    """A tuple of inactive things used whole: an index, a shape. Tuples of arrays do not get as far
    as the IR.
    """

    items: tuple[Type, ...]

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.items))})"


@dataclass(frozen=True)
class ListOf:
    """A Python list of unknown length whose items have one type."""

    item: Type

    def __str__(self) -> str:
        return f"list[{self.item}]"


Type = Number | Scalar | Array | Static | Slice | Items | ListOf

FLOAT = Number("float")
INT = Number("int")
BOOL = Number("bool")
NONE = Static("None")

DTYPES = {
    "f64": "float64",
    "f32": "float32",
    "f16": "float16",
    "c128": "complex128",
    "c64": "complex64",
    "i64": "int64",
    "i32": "int32",
    "i16": "int16",
    "i8": "int8",
    "u64": "uint64",
    "u32": "uint32",
    "u16": "uint16",
    "u8": "uint8",
    "bool": "bool",
}
SHORT_DTYPES = {long: short for short, long in DTYPES.items()}


def is_float(type: Type) -> bool:
    """Whether values of this type can carry a derivative: floats, and complex numbers of them."""
    if isinstance(type, ListOf):
        return is_float(type.item)
    if isinstance(type, Number):
        return type.kind in ("float", "complex")
    return isinstance(type, Scalar | Array) and type.dtype[0] in "fc"


def is_complex(type: Type) -> bool:
    """Whether it is a complex number or an array of them: such values stay inside a function."""
    if isinstance(type, ListOf):
        return is_complex(type.item)
    if isinstance(type, Number):
        return type.kind == "complex"
    return isinstance(type, Scalar | Array) and type.dtype[0] == "c"


def real_dtype(dtype: str) -> str:
    """The dtype of the parts of complex numbers; real ones keep theirs."""
    return {"c128": "f64", "c64": "f32"}.get(dtype, dtype)


def complex_dtype(dtype: str) -> str:
    """The dtype of complex numbers with parts of this precision."""
    return "c64" if dtype in ("f32", "c64") else "c128"


def is_numeric(type: Type) -> bool:
    return isinstance(type, Number | Scalar | Array)


def is_integer(type: Type) -> bool:
    """Integers proper, booleans not among them."""
    if isinstance(type, Number):
        return type.kind == "int"
    return isinstance(type, Scalar | Array) and type.dtype[0] in "iu"


def is_boolean(type: Type) -> bool:
    if isinstance(type, Number):
        return type.kind == "bool"
    return isinstance(type, Scalar | Array) and type.dtype == "bool"


def shape_of(type: Type) -> Shape | None:
    """The shape as NumPy sees it: `()` for numbers and scalars, None for unknown rank."""
    return type.shape if isinstance(type, Array) else ()


def rank_of(type: Type) -> int | None:
    shape = shape_of(type)
    return None if shape is None else len(shape)


def size_of(type: Type) -> Size | None:
    """The number of elements."""
    shape = shape_of(type)
    if shape is None:
        return None
    total = ONE
    for size in shape:
        total = total * size
    return total


def dtype_of(type: Type) -> str:
    """The dtype of a value once NumPy has it as an array: Python floats count as f64, ints as
    i64.
    """
    match type:
        case Number(kind=kind):
            return {"float": "f64", "int": "i64", "bool": "bool", "complex": "c128"}[kind]
        case Scalar(dtype=dtype) | Array(dtype=dtype):
            return dtype
    raise TypeProblem("not-a-number", f"a number or an array is needed here, not {type}")


def with_dtype(type: Type, dtype: str) -> Type:
    """The same shape with another dtype; numbers become scalars."""
    return Array(dtype, type.shape) if isinstance(type, Array) else Scalar(dtype)


def scalar_like(type: Type) -> bool:
    """A number or NumPy scalar: rank 0 and immutable."""
    return isinstance(type, Number | Scalar)


def is_scalar_float(type: Type) -> bool:
    return scalar_like(type) and is_float(type) and not is_complex(type)


def symbols_in(type: Type) -> frozenset[str]:
    """The symbols in the sizes of a type."""
    match type:
        case Array(shape=shape) if shape is not None:
            return frozenset().union(*(size.symbols for size in shape))
        case Number(value=value) if value is not None:
            return value.symbols
        case Slice(parts) | Items(parts):
            return frozenset().union(*map(symbols_in, parts))
        case ListOf(item):
            return symbols_in(item)
    return frozenset()


def with_sizes(type: Type, change: Callable[[Size], Size]) -> Type:
    """The type with other sizes."""
    match type:
        case Array(dtype, shape) if shape is not None:
            return Array(dtype, tuple(change(size) for size in shape))
        case Number(kind, value) if value is not None:
            return Number(kind, change(value))
        case Slice(parts):
            start, stop, step = (with_sizes(part, change) for part in parts)
            return Slice((start, stop, step))
        case Items(items):
            return Items(tuple(with_sizes(item, change) for item in items))
        case ListOf(item):
            return ListOf(with_sizes(item, change))
    return type


@cache
def _result_dtype(parts: tuple[str, ...]) -> str:
    """NumPy's promotion (NEP 50): Python numbers are weak. Parts are short dtypes, or `float`,
    `int`, `pybool`.
    """
    weak: dict[str, Any] = {"float": 0.0, "int": 0, "pybool": False, "complex": 0j}
    operands = [weak[part] if part in weak else np.dtype(DTYPES[part]) for part in parts]
    return SHORT_DTYPES[np.result_type(*operands).name]


def promote(types: Iterable[Type]) -> str:
    """The dtype NumPy computes in, for operands of these types."""
    parts = []
    for type in types:
        if isinstance(type, Number):
            parts.append("pybool" if type.kind == "bool" else type.kind)
        else:
            parts.append(dtype_of(type))
    return _result_dtype(tuple(parts))


@cache
def float_result(dtype: str) -> str:
    """The dtype of `np.exp` and its like: floats stay, integers become f64 (small ones become
    smaller floats).
    """
    return SHORT_DTYPES[np.exp(np.ones((), DTYPES[dtype])).dtype.name]


# Broadcasting and unification ---------------------------------------------------------------------


class Sizes:
    """What is known and assumed about sizes while a function is lowered.

    `unify` makes two sizes equal when the entry of the function can check it; each such equality is
    an assumption, which the generated module checks once at entry. Without permission to assume
    (`assume=False`: inside a branch or a loop, or after lowering) different sizes stay different
    and a broadcast of them has a fresh size.
    """

    def __init__(self) -> None:
        self.values: dict[str, Size] = {}
        self.lengths: dict[SliceLength, Size] = {}  # keys have all known values put in
        self.assumptions: list[
            tuple[SliceLength, Size]
        ] = []  # what shapes of parameters do not show
        self.counter = 0
        self.assume = True

    @staticmethod
    def knowing(assumptions: Iterable[tuple[Size, Size]], first: int) -> Sizes:
        """For code added after lowering: what was assumed holds, nothing more is. Fresh sizes
        count from `first`."""
        sizes = Sizes()
        sizes.assume = False
        sizes.counter = first
        for left, right in assumptions:
            length = left.slice_length
            if length is not None:
                sizes.lengths[length] = right
        return sizes

    def checked_at_entry(self) -> tuple[tuple[Size, Size], ...]:
        """The equalities of slice lengths that were assumed, in the symbols that are left."""
        pairs = []
        for length, value in self.assumptions:
            left, right = self._with_known_parts(length), self.resolve(value)
            if left != right:
                pairs.append((left, right))
        return tuple(dict.fromkeys(pairs))

    def fresh(self, *, natural: bool = False) -> Size:
        self.counter += 1
        return Size.of(f"{NATURAL if natural else '?'}{self.counter}")

    def resolve(self, size: Size) -> Size:
        """The size with everything put in that is known to be equal."""
        if not self.values and not self.lengths:
            return size
        if self.values.keys().isdisjoint(size.symbols) and not (
            self.lengths and size.has_slice_length
        ):
            return size
        total = Size()
        for monomial, factor in size.terms:
            product = Size.of(factor)
            for symbol in monomial:
                product = product * self._value_of(symbol)
            total = total + product
        return total

    def _value_of(self, symbol: Symbol) -> Size:
        if isinstance(symbol, str):
            return self.resolve(self.values[symbol]) if symbol in self.values else Size.of(symbol)
        size = self._with_known_parts(symbol)
        length = size.slice_length
        if length is not None and length in self.lengths:
            return self.resolve(self.lengths[length])
        return size

    def _with_known_parts(self, length: SliceLength) -> Size:
        bounds = [None if bound is None else self.resolve(bound) for bound in length.bounds]
        return slice_length(self.resolve(length.size), *bounds)

    def unify(self, left: Size, right: Size) -> bool:
        """Make the two equal, or say that this cannot be assumed. Raises TypeProblem where they
        cannot be equal."""
        difference = self.resolve(left) - self.resolve(right)
        if difference.constant == 0:
            return True
        if difference.constant is not None:
            raise TypeProblem(
                "shape-mismatch", f"sizes {self.resolve(left)} and {self.resolve(right)} differ"
            )
        if not self.assume or difference.is_local:
            return False
        solved = self._solve_for_one(difference)
        if solved is None:
            return False
        symbol, value = solved
        if isinstance(symbol, SliceLength):
            self.assumptions.append((symbol, value))
            self.lengths[symbol] = value
        else:
            self.values[symbol] = value
            self._renew_lengths()
        return True

    def _renew_lengths(self) -> None:
        """Slice lengths of a size that has become known are known under another name now."""
        before, self.lengths = self.lengths, {}
        for length, value in before.items():
            # two lengths may have become one, or a number: what then follows is found anew
            self.unify(Size.of(length), value)

    @staticmethod
    def _solve_for_one(difference: Size) -> tuple[Symbol, Size] | None:
        """A symbol that stands alone in `difference = 0`, and its value: the last name in order, so
        that early names stay, or else a slice length."""
        alone = [
            term for term in reversed(difference.terms) if len(term[0]) == 1 and abs(term[1]) == 1
        ]
        alone.sort(key=lambda term: isinstance(term[0][0], SliceLength))
        for monomial, factor in alone:
            rest = difference - Size(((monomial, factor),))
            if not rest.mentions(monomial[0]):
                return monomial[0], (-rest if factor == 1 else rest)
        return None

    def broadcast_size(self, left: Size, right: Size) -> Size:
        left, right = self.resolve(left), self.resolve(right)
        if left == right or right == ONE:
            return left
        if left == ONE:
            return right
        # `x[:1]` against `x`: a length of at most 1 that nobody wrote as 1 broadcasts all the same
        for small, other in ((left, right), (right, left)):
            if small.is_at_most_one and not other.is_at_most_one:
                # none against one is none
                return other if small.is_first_of(other) else self.fresh()
        if self.unify(left, right):
            return self.resolve(left)
        # a size known only while running may turn out to be 1; meeting a literal, it is that or 1
        return (
            next((size for size in (left, right) if size.constant is not None), None)
            or self.fresh()
        )

    def broadcast(self, shapes: Sequence[Shape | None]) -> Shape | None:
        """The shape of an elementwise result, or None if some rank is unknown."""
        if all(shape == shapes[0] for shape in shapes):
            return shapes[0] if shapes else ()
        known = [shape for shape in shapes if shape is not None]
        if len(known) < len(shapes):
            return None
        rank = max((len(shape) for shape in known), default=0)
        result = [ONE] * rank
        for shape in known:
            for position, size in enumerate(shape, start=rank - len(shape)):
                try:
                    result[position] = self.broadcast_size(result[position], size)
                except TypeProblem:
                    spelled = " and ".join(f"({', '.join(map(str, shape))})" for shape in known)
                    raise TypeProblem(
                        "shape-mismatch", f"shapes {spelled} do not broadcast"
                    ) from None
        return tuple(result)

    def resolve_type(self, type: Type) -> Type:
        if not self.values and not self.lengths:
            return type
        return with_sizes(type, self.resolve)
