"""`scipy.signal`: convolutions of arrays of any rank, and `scipy.integrate.simpson`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from s2s_ad.ir import Atom, Const, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.matrices import scipy_dtype
from s2s_ad.operations.result_types import (
    Infer,
    constant,
    known_shape,
    normal_axes,
    of_shape,
    unsupported,
)
from s2s_ad.types import (
    Array,
    Size,
    Sizes,
    Type,
    TypeProblem,
    dtype_of,
    is_float,
    rank_of,
    shape_of,
)

CATALOGUE = Catalogue()
MODES = ("full", "valid", "same")


def _convolved(function: str) -> Infer:
    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        types = [operand.type for operand in operands[:2]]
        if not all(map(is_float, types)):
            raise TypeProblem("unsupported-dtype", f"`{function}` is supported for floats")
        mode = constant(operands[2], "mode")
        if mode not in MODES:
            raise unsupported(f"`mode` is {mode!r}", f"one of {', '.join(MODES)}")
        first, second = (known_shape(operand, function) for operand in operands[:2])
        if len(first) != len(second) or not first:
            raise TypeProblem("shape-mismatch", f"`{function}` takes two arrays of one rank")
        pairs = zip(first, second, strict=True)
        if mode == "valid":
            shape = tuple(_valid(a, b) for a, b in pairs)
        else:
            shape = first if mode == "same" else tuple(a + b - 1 for a, b in pairs)
        return of_shape(scipy_dtype(types, function), shape)

    return infer


def _valid(first: Size, second: Size) -> Size:
    """How often the second fits into the first: the rules need it to be no larger."""
    count = first - second + 1
    known = count.constant
    if known is not None and known < 1:
        raise unsupported("the second array is larger than the first", "exchange them")
    return count


CONVOLVE, CORRELATE = "scipy.signal.convolve", "scipy.signal.correlate"


def convolved_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    mode = constant(operands[2], "mode")
    if mode == "valid":
        return (
            f"grad_in1 += {CORRELATE}(grad_out, in2)",
            f'grad_in2 += np.flip({CORRELATE}(in1, grad_out, "valid"))',
        )
    full = "middle_in_full(grad_out, in2)" if mode == "same" else "grad_out"
    return (
        f'grad_in1 += {CORRELATE}({full}, in2, "valid")',
        f'grad_in2 += {CORRELATE}({full}, in1, "valid")',
    )


def correlated(turned: bool) -> Callable[[Sequence[Atom]], tuple[str, ...]]:
    """The lines of a correlation; `turned` if its middle is counted from the other end, which is
    another one where the second array has an even length.
    """

    def lines(operands: Sequence[Atom]) -> tuple[str, ...]:
        mode = constant(operands[2], "mode")
        if mode == "valid":
            return (
                f"grad_in1 += {CONVOLVE}(grad_out, in2)",
                f'grad_in2 += {CORRELATE}(in1, grad_out, "valid")',
            )
        middle = "np.flip(middle_in_full(np.flip(grad_out), in2))"
        middle = middle if turned else "middle_in_full(grad_out, in2)"
        full = middle if mode == "same" else "grad_out"
        return (
            f'grad_in1 += {CONVOLVE}({full}, in2, "valid")',
            f'grad_in2 += np.flip({CORRELATE}({full}, in1, "valid"))',
        )

    return lines


def declare(name: str, lines: Callable[[Sequence[Atom]], tuple[str, ...]]) -> None:
    samples: list[dict[str, Any]] = [
        {"in1": "f[5]", "in2": "f[3]", "mode": mode} for mode in ("valid", "same")
    ]
    samples += [{"in1": "f[3,4]", "in2": "f[2,3]", "mode": mode} for mode in MODES]
    if name in ("convolve", "correlate"):
        samples += [
            {"in1": "f[5]", "in2": "f[3]", "method": "fft"},
            {"in1": "f[5]", "in2": "f[3]"},
            {"in1": "f[2]", "in2": "f[4]"},
            {"in1": "f[4]", "in2": "f[2]", "mode": "same"},
            {"in1": "f[2]", "in2": "f[3]", "mode": "same"},
            {"in1": "f[1]", "in2": "f[1]"},
        ]
    if name.endswith("2d"):
        samples = samples[2:]
    # the method changes the last digits
    method = ", method='auto'" if name in ("convolve", "correlate") else ""
    CATALOGUE.operation(
        f"out = scipy.signal.{name}(in1, in2, mode='full'{method})",
        infer=_convolved(f"scipy.signal.{name}"),
        rules=(Rule(lines),),
        bilinear=("in1", "in2"),
        samples=tuple(samples),
        note="in the mode `valid` with the larger array first",
    )


def _middle_type(sign: int) -> Infer:
    """Of an array that is longer, or shorter, by the other one's lengths less one."""

    def infer(_: Sizes, operands: Sequence[Atom]) -> Type:
        shapes = [known_shape(operand, "a convolution") for operand in operands]
        pairs = zip(*shapes, strict=True)
        return Array(dtype_of(operands[0].type), tuple(a + (b - 1) * sign for a, b in pairs))

    return infer


MIDDLE: dict[str, Any] = {
    "shape_only": ("other",),
    "samples": ({"x": "f[5]", "other": "f[3]"}, {"x": "f[4,5]", "other": "f[2,3]"}),
}
CATALOGUE.operation(
    "out = middle_in_full(x, other)",
    "grad_x += middle_of_full(grad_out, other)",
    infer=_middle_type(1),
    linear=("x",),
    helper="middle_in_full",
    **MIDDLE,
)
CATALOGUE.operation(
    "out = middle_of_full(x, other)",
    "grad_x += middle_in_full(grad_out, other)",
    infer=_middle_type(-1),
    linear=("x",),
    helper="middle_of_full",
    **MIDDLE,
)
declare("convolve", convolved_lines)
declare("fftconvolve", convolved_lines)
declare("convolve2d", convolved_lines)
declare("correlate", correlated(turned=False))
declare("correlate2d", correlated(turned=True))


# Filters and trends ---------------------------------------------------------------------------


def _filtered_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    function = "scipy.signal.lfilter"
    types = [operand.type for operand in operands[:3]]
    if not all(map(is_float, types)):
        raise TypeProblem("unsupported-dtype", f"`{function}` is supported for floats")
    dtype = scipy_dtype(types, function)
    above, below, x = (known_shape(operand, function) for operand in operands[:3])
    if len(above) != 1 or len(below) != 1 or not x:
        raise TypeProblem("shape-mismatch", f"`{function}` takes two vectors and a signal")
    normal_axes(constant(operands[3], "axis"), len(x))
    return Array(dtype, x)


FILTER = "scipy.signal.lfilter"
BACKWARDS = f"np.flip({FILTER}({{0}}, {{1}}, np.flip(grad_out, axis=axis), axis=axis), axis=axis)"
CATALOGUE.operation(
    f"out = {FILTER}(b, a, x, axis=-1)",
    f"grad_x += {BACKWARDS.format('b', 'a')}",
    f"grad_b += filter_sums(grad_out, {FILTER}(np.ones(1), a, x, axis=axis), b, axis)",
    f"grad_a += -filter_sums(grad_out, {FILTER}(np.ones(1), a, out, axis=axis), a, axis)",
    infer=_filtered_type,
    tangent=(
        f"tangent_out = {FILTER}(b, a, tangent_x, axis=axis)",
        f"tangent_out = {FILTER}(tangent_b, a, x, axis=axis)",
        f"tangent_out = -{FILTER}(tangent_a, a, out, axis=axis)",
    ),
    domains={"a": "leading"},
    samples=(
        {"b": "f[3]", "a": "f[2]", "x": "f[5]"},
        {"b": "f[2]", "a": "f[3]", "x": "f[4,2]", "axis": 0},
        {"b": "f[4]", "a": "f[1]", "x": "f[2,3]"},
    ),
)


def _sums_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    return Array(dtype_of(operands[2].type), known_shape(operands[2], "filter_sums"))


CATALOGUE.operation(
    "out = filter_sums(x, y, c, axis)",
    f"grad_x += {FILTER}(grad_out, np.ones(1), y, axis=axis)",
    f"grad_y += np.flip({FILTER}(grad_out, np.ones(1), np.flip(x, axis=axis), axis=axis), "
    "axis=axis)",
    infer=_sums_type,
    bilinear=("x", "y"),
    shape_only=("c",),
    helper="filter_sums",
    samples=(
        {"x": "f[5]", "y": "f[5]", "c": "f[3]", "axis": 0},
        {"x": "f[4,2]", "y": "f[4,2]", "c": "f[2]", "axis": 0},
        {"x": "f[2,3]", "y": "f[2,3]", "c": "f[4]", "axis": -1},
    ),
)


def _trendless_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    function = "scipy.signal.detrend"
    dtype = scipy_dtype([operands[0].type], function)
    constant(operands[2], "bp")
    normal_axes(constant(operands[1], "axis"), len(known_shape(operands[0], function)))
    return Array(dtype, shape_of(operands[0].type))


CATALOGUE.operation(
    "out = scipy.signal.detrend(data, axis=-1, bp=0)",
    "grad_data += scipy.signal.detrend(grad_out, axis=axis, bp=bp)",
    infer=_trendless_type,
    linear=("data",),
    samples=({"data": "f[5]"}, {"data": "f[4,2]", "axis": 0}, {"data": "f[2,6]", "bp": 3}),
    note="a projection, which is its own adjoint",
)


# Integrals ----------------------------------------------------------------------------------------


def _integral_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    y, x, dx, axis = operands
    types = [operand.type for operand in (y, x, dx) if operand != Const(None)]
    scipy_dtype(types[:1], "scipy.integrate.simpson")
    shape = known_shape(y, "scipy.integrate.simpson")
    if not shape:
        raise TypeProblem("shape-mismatch", "`scipy.integrate.simpson` takes arrays")
    if x != Const(None) and rank_of(x.type) != 1:
        raise unsupported("`x` has to be a vector", "give the places along one axis")
    if shape_of(dx.type) != ():
        raise unsupported("`dx` has to be a number", "give the places as `x`")
    if not all(getattr(type, "dtype", "f64") == "f64" for type in types):
        raise TypeProblem(
            "unsupported-dtype",
            "`simpson` is supported in double precision",
            "use `.astype(float)`",
        )
    (place,) = normal_axes(constant(axis, "axis"), len(shape))
    return of_shape("f64", (*shape[:place], *shape[place + 1 :]))


def integral_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    rank, axis = rank_of(operands[0].type) or 0, constant(operands[3], "axis")
    steps = f"np.ones(np.shape(y)[{axis}] - 1)" if operands[1] == Const(None) else "np.diff(x)"
    times = "dx * " if operands[1] == Const(None) else ""
    others = tuple(k for k in range(rank) if k != axis % rank)
    weights = f"simpson_weights({steps})"
    if others:
        weights = f"np.expand_dims({weights}, {others})"
    adjoint = f"np.expand_dims(grad_out, {axis})" if rank > 1 else "grad_out"
    return (f"grad_y += {times}{adjoint} * {weights}",)


CATALOGUE.operation(
    "out = simpson_weights(h)",
    infer=lambda _, operands: Array(
        "f64", tuple(size + 1 for size in known_shape(operands[0], "simpson_weights"))
    ),
    helper="simpson_weights",
)
CATALOGUE.operation(
    "out = scipy.integrate.simpson(y, x=None, dx=1.0, axis=-1)",
    infer=_integral_type,
    rules=(Rule(integral_lines),),
    tangent="tangent_out = scipy.integrate.simpson(tangent_y, x=x, dx=dx, axis=axis)",
    refused=("x", "dx"),
    domains={"x": "increasing"},
    samples=(
        {"y": "f[5]"},
        {"y": "f[4]", "dx": "p[]"},
        {"y": "f[2]"},
        {"y": "f[1]"},
        {"y": "f[3,6]", "x": "f[6]"},
        {"y": "f[5,2]", "x": "f[5]", "axis": 0},
    ),
    note="in the values; derivatives in `x` and `dx` are refused",
)
