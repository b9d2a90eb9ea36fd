"""`np.fft`: transforms along one axis or several, frequencies, and the order in which they stand.

A transform is linear, and its matrix symmetric: the adjoint of a complex one is the same transform
(see `complex_numbers.py` for the adjoints of complex numbers). That of a real signal is the real
part of it; that of a spectrum which stands for a real signal counts twice what stands for two
frequencies. Sizes that `n` changes are cut off or filled up with zeros, in both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from s2s_ad.ir import Atom, Const, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import (
    constant,
    known_shape,
    normal_axes,
    require_numeric,
    same_array,
    unsupported,
)
from s2s_ad.types import (
    Array,
    Number,
    Shape,
    Size,
    Sizes,
    Type,
    complex_dtype,
    dtype_of,
    is_complex,
    is_integer,
    real_dtype,
    shape_of,
    slice_length,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation

# The scaling of the transform in the other direction
OPPOSITE = {None: "forward", "backward": "forward", "forward": None, "ortho": "ortho"}


# Transforms along one axis ----------------------------------------------------------------------


def half_of(size: Size) -> Size:
    """`size // 2 + 1`: how many frequencies a real signal of this size has."""
    if all(factor % 2 == 0 for _, factor in size.terms):
        return Size(tuple((monomial, factor // 2) for monomial, factor in size.terms)) + 1
    return slice_length(size + 1, None, None, Size.of(2))


def _given(sizes: Sizes, n: Atom) -> Size | None:
    """The argument `n` as a size; None where it is left out."""
    if n == Const(None):
        return None
    value = n.type.value if isinstance(n.type, Number) else None
    return sizes.fresh() if value is None else sizes.resolve(value)


def _transformed(a: Atom, function: str) -> str:
    require_numeric([a.type])
    dtype = dtype_of(a.type)
    if dtype == "f16":
        raise unsupported(f"`{function}` is not supported for float16", "convert to float32")
    return dtype


def _transform_type(kind: str) -> Callable[[Sizes, Sequence[Atom]], Type]:
    function = f"np.fft.{kind}"

    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        a, n, axis, norm = operands
        dtype = _transformed(a, function)
        if constant(norm, "norm") not in OPPOSITE:
            raise unsupported(f"`norm` is {norm}", "give backward, ortho or forward")
        shape = known_shape(a, function)
        (place,) = normal_axes(constant(axis, "axis"), len(shape))
        size = _given(sizes, n)
        if kind == "rfft":
            if is_complex(a.type):
                raise unsupported("`np.fft.rfft` takes real numbers", "use `np.fft.fft`")
            size = half_of(shape[place] if size is None else size)
        elif kind == "irfft":
            size = (shape[place] - 1) * 2 if size is None else size
        elif size is None:
            size = shape[place]
        result = real_dtype(complex_dtype(dtype)) if kind == "irfft" else complex_dtype(dtype)
        return Array(result, (*shape[:place], size, *shape[place + 1 :]))

    return infer


def _options(axis: int, norm: str | None) -> str:
    text = "" if axis == -1 else f", axis={axis}"
    return text if norm is None else f'{text}, norm="{norm}"'


def _transform_lines(kind: str) -> Rule:
    def lines(operands: Sequence[Atom]) -> tuple[str, ...]:
        a, n, axis, norm = operands
        place, scale = constant(axis, "axis"), constant(norm, "norm")
        along = f"np.shape(a)[{place}]"
        count = along if n == Const(None) else "n"
        if kind == "rfft":
            value = f"np.fft.fft(grad_out, {count}{_options(place, scale)})"
        elif kind == "irfft":
            back = f"np.fft.rfft(grad_out{_options(place, OPPOSITE[scale])})"
            value = f"np.conjugate(doubled({back}, np.shape(out)[{place}], {place}))"
        else:
            value = f"np.fft.{kind}(grad_out{_options(place, scale)})"
        fits = n == Const(None) or _fits(kind, a, n, place)
        return (f"grad_a += {value if fits else f'fitted({value}, {along}, {place})'}",)

    return Rule(lines)


def _fits(kind: str, a: Atom, n: Atom, axis: int) -> bool:
    """Whether it is known that a transform of size `n` takes all of the operand and no more."""
    size = n.type.value if isinstance(n.type, Number) else None
    if size is None:
        return False
    return known_shape(a, "np.fft")[axis] == (half_of(size) if kind == "irfft" else size)


LENGTHS = (
    {"a": "{0}[5]"},
    {"a": "{0}[4]"},
    {"a": "{0}[5]", "n": 3},
    {"a": "{0}[4]", "n": 7},
    {"a": "{0}[3,4]", "axis": 0, "norm": "ortho"},
    {"a": "{0}[3,2,4]", "axis": -2, "n": 4, "norm": "forward"},
)
for _kind in ("fft", "ifft", "rfft", "irfft"):
    operation(
        f"out = np.fft.{_kind}(a, n=None, axis=-1, norm=None)",
        infer=_transform_type(_kind),
        rules=(_transform_lines(_kind),),
        linear=("a",),
        samples=tuple(
            {**sample, "a": str(sample["a"]).format(letter)}
            for letter in {"rfft": "f", "irfft": "c"}.get(_kind, "fc")
            for sample in LENGTHS
        ),
    )


# Transforms along several axes ------------------------------------------------------------------


def _several_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    a, axes, norm = operands
    dtype = _transformed(a, "np.fft.fftn")
    if constant(norm, "norm") not in OPPOSITE:
        raise unsupported(f"`norm` is {norm}", "give backward, ortho or forward")
    shape = known_shape(a, "np.fft.fftn")
    normal_axes(constant(axes, "axes"), len(shape))
    return Array(complex_dtype(dtype), shape)


for _name in ("fftn", "ifftn"):
    operation(
        f"out = np.fft.{_name}(a, axes=None, norm=None)",
        f"grad_a += np.fft.{_name}(grad_out, axes=axes, norm=norm)",
        infer=_several_type,
        linear=("a",),
        samples=(
            {"a": "f[3,4]"},
            {"a": "c[3,4]", "norm": "ortho"},
            {"a": "c[2,3,4]", "axes": (0, 2)},
            {"a": "f[2,3]", "axes": (-1,), "norm": "forward"},
        ),
    )


# Sizes and weights ------------------------------------------------------------------------------


def _fitted_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    x, size, axis = operands
    shape: Shape = known_shape(x, "fitted")
    (place,) = normal_axes(constant(axis, "axis"), len(shape))
    return Array(
        dtype_of(x.type), (*shape[:place], _given(sizes, size) or shape[place], *shape[place + 1 :])
    )


operation(
    "out = fitted(x, size, axis)",
    "grad_x += fitted(grad_out, np.shape(x)[axis], axis)",
    infer=_fitted_type,
    linear=("x",),
    helper="fitted",
    samples=(
        {"x": "f[3]", "size": 5, "axis": 0},
        {"x": "c[3,4]", "size": 2, "axis": 1},
        {"x": "f[3,4]", "size": 4, "axis": -2},
        {"x": "f[3]", "size": 3, "axis": -1},
    ),
)
operation(
    "out = doubled(x, size, axis)",
    "grad_x += doubled(grad_out, size, axis)",
    infer=lambda _, operands: Array(dtype_of(operands[0].type), shape_of(operands[0].type)),
    linear=("x",),
    helper="doubled",
    samples=(
        {"x": "f[3]", "size": 5, "axis": 0},
        {"x": "f[3]", "size": 4, "axis": -1},
        {"x": "c[3,2]", "size": 4, "axis": 0},
        {"x": "f[1]", "size": 1, "axis": 0},
    ),
)


# The order of frequencies -----------------------------------------------------------------------


for _name, _back in (("fftshift", "ifftshift"), ("ifftshift", "fftshift")):
    operation(
        f"out = np.fft.{_name}(x, axes=None)",
        f"grad_x += np.fft.{_back}(grad_out, axes=axes)",
        infer=same_array,
        linear=("x",),
        samples=(
            {"x": "f[5]"},
            {"x": "f[4]"},
            {"x": "f[2,3]"},
            {"x": "f[3,5]", "axes": 1},
            {"x": "f[3,2,5]", "axes": (0, -1)},
            {"x": "f[0]"},
            {"x": "f[1]"},
        ),
    )


def _frequencies_type(half: bool) -> Callable[[Sizes, Sequence[Atom]], Type]:
    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        require_numeric([operands[1].type])
        count = operands[0].type
        known = count.value if isinstance(count, Number) and is_integer(count) else None
        if known is None:
            return Array("f64", (sizes.fresh(),))
        if not half:
            return Array("f64", (known,))
        fixed = known.constant
        return Array("f64", (sizes.fresh() if fixed is None else known * 0 + (fixed // 2 + 1),))

    return infer


for _name, _half in (("fftfreq", False), ("rfftfreq", True)):
    operation(
        f"out = np.fft.{_name}(n, d=1.0)",
        "grad_d += -np.sum(grad_out * out) / d",
        infer=_frequencies_type(_half),
        tangent="tangent_out = -out / d * tangent_d",
        domains={"d": "positive"},
        samples=(
            {"n": 5, "d": "f[]"},
            {"n": 4, "d": "f[]"},
            {"n": 1, "d": "f[]"},
        ),
    )
