"""Functions of sampled data: interpolation, unwrapped phases, windows, evenly spaced numbers."""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Atom, NotDifferentiable, Rule
from s2s_ad.operations.declare import Catalogue, rule
from s2s_ad.operations.result_types import (
    dtype_argument,
    mean_dtype,
    of_shape,
    require_numeric,
    shape_argument,
    unsupported,
)
from s2s_ad.types import (
    NONE,
    Array,
    Sizes,
    Type,
    dtype_of,
    float_result,
    promote,
    rank_of,
    scalar_like,
    shape_of,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


# Interpolation ------------------------------------------------------------------------------------

# The knots around x are `lower` and `upper`; `part` says how far x is between them
UPPER = "np.clip(np.searchsorted(xp, x, side='right'), 1, np.size(xp) - 1)"
LOWER = f"np.maximum({UPPER} - 1, 0)"
STEP = f"(xp[{UPPER}] - xp[{LOWER}])"
STEPS = f"np.where({STEP} == 0, 1.0, {STEP})"
PART = f"np.clip((x - xp[{LOWER}]) / {STEPS}, 0.0, 1.0)"
SLOPE = f"((fp[{UPPER}] - fp[{LOWER}]) / {STEPS})"
INSIDE = "((x >= xp[0]) & (x <= xp[-1]))"


def _interpolated_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    require_numeric([operand.type for operand in operands[:3]])
    if operands[5].type != NONE:
        raise unsupported("`period` is not supported", "reduce `x` with `%` first")
    for operand in operands[1:3]:
        if rank_of(operand.type) not in (1, None):
            raise unsupported("`xp` and `fp` are vectors", "interpolate row by row")
    shape = shape_of(operands[0].type)
    return Array("f64", None) if shape is None else of_shape("f64", shape)


def _counted(value: str, operands: Sequence[Atom]) -> str:
    """`value` where the result is made from `fp`: not outside, if `left` or `right` stand there."""
    for operand, outside in zip(operands[3:5], ("x < xp[0]", "x > xp[-1]"), strict=True):
        if operand.type != NONE:
            value = f"np.where({outside}, 0.0, {value})"
    return value


def interp_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    def spread(value: str, vector: str) -> str:
        parts = (f"{value} * (1.0 - {PART})", LOWER), (f"{value} * {PART}", UPPER)
        return " + ".join(
            f"scattered({part}, {origin}, np.shape({vector}))" for part, origin in parts
        )

    moved = f"np.where({INSIDE}, -grad_out * {SLOPE}, 0.0)"
    return (
        f"grad_x += np.where({INSIDE}, grad_out * {SLOPE}, 0.0)",
        f"grad_xp += {spread(moved, 'xp')}",
        f"grad_fp += {spread(_counted('grad_out', operands), 'fp')}",
        "grad_left += np.sum(np.where(x < xp[0], grad_out, 0.0))",
        "grad_right += np.sum(np.where(x > xp[-1], grad_out, 0.0))",
    )


def interp_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    def mixed(vector: str) -> str:
        return f"({vector}[{LOWER}] * (1.0 - {PART}) + {vector}[{UPPER}] * {PART})"

    lines = [
        f"tangent_out = np.where({INSIDE}, tangent_x * {SLOPE}, 0.0)",
        f"tangent_out = np.where({INSIDE}, -{SLOPE} * {mixed('tangent_xp')}, 0.0)",
        f"tangent_out = {_counted(mixed('tangent_fp'), operands)}",
    ]
    for operand, name, outside in zip(
        operands[3:5], ("left", "right"), ("x < xp[0]", "x > xp[-1]"), strict=True
    ):
        if operand.type != NONE:
            lines.append(f"tangent_out = np.where({outside}, tangent_{name}, 0.0)")
    return tuple(lines)


operation(
    "out = np.interp(x, xp, fp, left=None, right=None, period=None)",
    infer=_interpolated_type,
    rules=(Rule(interp_lines),),
    tangent=interp_tangent,
    domains={"xp": "increasing"},
    samples=(
        {"x": "f[6]", "xp": "f[4]", "fp": "f[4]"},
        {"x": "f[2,3]", "xp": "f[4]", "fp": "f[4]"},
        {"x": "f[]", "xp": "f[4]", "fp": "f[4]"},
        {"x": "f[6]", "xp": "f[2]", "fp": "f[2]", "left": "f[]", "right": "f[]"},
        {"x": "f[6]", "xp": "f[1]", "fp": "f[1]"},
        {"x": "f[0]", "xp": "f[2]", "fp": "f[2]"},
    ),
    note="at a knot, the slope to its right",
)


def _unwrapped_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    p, period = operands[0].type, operands[3].type
    require_numeric([p, period])
    if not scalar_like(period):
        raise unsupported("`period` is a number", "give one number")
    return Array(promote([p, period]), shape_of(p))


operation(
    "out = np.unwrap(p, discont=None, axis=-1, period=6.283185307179586)",
    "grad_p += grad_out",
    infer=_unwrapped_type,
    tangent="tangent_out = tangent_p",
    samples=({"p": "f[4]"}, {"p": "f[2,3]", "axis": 0}, {"p": "f[3]", "period": 1.0}),
    note="jumps by multiples of the period are constant",
)


# Bessel functions, windows ------------------------------------------------------------------------


def _float_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    require_numeric([operands[0].type])
    dtype = mean_dtype(dtype_of(operands[0].type))
    shape = shape_of(operands[0].type)
    return Array(dtype, shape)


def _double_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    shape = shape_of(operands[0].type)
    return Array("f64", None) if shape is None else of_shape("f64", shape)


SLOPE_OF_I1 = "np.where(x == 0, 0.5, np.i0(x) - out / np.where(x == 0, 1.0, x))"
CATALOGUE.elementwise("out = np.i0(x)", "grad_x += grad_out * bessel_i1(x)", infer=_float_type)
CATALOGUE.elementwise(
    "out = bessel_i1(x)",
    f"grad_x += grad_out * {SLOPE_OF_I1}",
    infer=_double_type,
    helper="bessel_i1",
)


def _window_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    return Array("f64", shape_argument(sizes, operands[0].type))


for _name in ("bartlett", "blackman", "hamming", "hanning"):
    operation(f"out = np.{_name}(M)", infer=_window_type, constant=True)
# without lines: a derivative with respect to beta is refused
operation("out = np.kaiser(M, beta)", infer=_window_type)


# Evenly spaced numbers ----------------------------------------------------------------------------


def _spaced_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    start, stop, num, _, dtype = (operand.type for operand in operands)
    require_numeric([start, stop])
    length = shape_argument(sizes, num)
    shape = sizes.broadcast([shape_of(start), shape_of(stop)])
    found = float_result(promote([start, stop]))
    found = "f64" if found == "f16" else found
    if dtype != NONE and dtype_argument(operands[4], found) != found:
        raise unsupported("another dtype is not supported here", "convert the result: `.astype`")
    if length is None or shape is None:
        return Array(found, None)
    return Array(found, (*length, *shape))


def _fractions(operands: Sequence[Atom], first: float, last: float) -> str:
    """The weights of `start` or `stop`, along the first axis of the result."""
    ranks = [rank_of(operand.type) for operand in operands[:2]]
    text = f"np.linspace({first}, {last}, num, endpoint=endpoint)"
    if None in ranks:
        raise NotDifferentiable("the ranks of `start` and `stop` have to be known")
    rank = max(rank for rank in ranks if rank is not None)
    return text if rank == 0 else f"np.expand_dims({text}, {tuple(range(1, rank + 1))})"


def linspace_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    return tuple(
        f"grad_{name} += np.sum(grad_out * {_fractions(operands, *ends)}, axis=0)"
        for name, ends in (("start", (1.0, 0.0)), ("stop", (0.0, 1.0)))
    )


def linspace_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    return tuple(
        f"tangent_out = np.broadcast_to(tangent_{name} * {_fractions(operands, *ends)}, "
        "np.shape(out))"
        for name, ends in (("start", (1.0, 0.0)), ("stop", (0.0, 1.0)))
    )


operation(
    "out = np.linspace(start, stop, num=50, endpoint=True, dtype=None)",
    infer=_spaced_type,
    broadcasts=("start", "stop"),
    rules=(Rule(linspace_lines),),
    tangent=linspace_tangent,
    samples=(
        {"start": "f[]", "stop": "f[]", "num": 5},
        {"start": "f[]", "stop": "f[]", "num": 1},
        {"start": "f[]", "stop": "f[]", "num": 4, "endpoint": False},
        {"start": "f[3]", "stop": "f[]", "num": 4},
        {"start": "f[]", "stop": "f[2,1]", "num": 4},
        {"start": "f[3]", "stop": "f[2,1]", "num": 2},
        {"start": "f[]", "stop": "f[]", "num": 0},
    ),
)


def _geometric_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    if any(not scalar_like(operand.type) for operand in operands[:2]):
        raise unsupported("`start` and `stop` are numbers", "take powers of `np.linspace`")
    return Array("f64", shape_argument(sizes, operands[2].type))


FRACTIONS = "np.linspace(0.0, 1.0, num, endpoint=endpoint)"
operation(
    "out = np.geomspace(start, stop, num=50, endpoint=True)",
    infer=_geometric_type,
    rules=(
        rule(
            f"grad_start += np.sum(grad_out * out * (1.0 - {FRACTIONS})) / start",
            f"grad_stop += np.sum(grad_out * out * {FRACTIONS}) / stop",
        ),
    ),
    tangent=(
        f"tangent_out = out * (1.0 - {FRACTIONS}) * (tangent_start / start)",
        f"tangent_out = out * {FRACTIONS} * (tangent_stop / stop)",
    ),
    domains={"start": "positive", "stop": "positive"},
    samples=(
        {"start": "f[]", "stop": "f[]", "num": 5},
        {"start": "f[]", "stop": "f[]", "num": 4, "endpoint": False},
        {"start": "f[]", "stop": "f[]", "num": 1},
    ),
)
operation(
    "out = np.tri(N, M=None, k=0, dtype=None)",
    infer=lambda sizes, operands: _triangle_type(sizes, operands),
    constant=True,
)


def _triangle_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    rows = shape_argument(sizes, operands[0].type)
    given = operands[1].type
    columns = rows if given == NONE else shape_argument(sizes, given)
    if rows is None or columns is None:
        raise unsupported("`np.tri` takes numbers of rows and columns", "give integers")
    return Array(dtype_argument(operands[3], "f64"), (*rows, *columns))
