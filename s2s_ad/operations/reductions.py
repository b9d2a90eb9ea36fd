"""Operations that reduce axes: sums, means, products, extremes, variances.

The adjoint of a result spreads over the axes that were reduced: `spread` writes the text that gives
it their shape back.
"""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import (
    constant,
    mean_dtype,
    reduction_type,
    sum_dtype,
)
from s2s_ad.types import float_result

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


def spread(name: str, operands: Sequence[Atom]) -> str:
    """Text for the value `name`, shaped like the result, so that it broadcasts against `x`."""
    axis, keepdims = constant(operands[1], "axis"), constant(operands[-1], "keepdims")
    return name if axis is None or keepdims else f"np.expand_dims({name}, {axis})"


def count(operands: Sequence[Atom]) -> str:
    """Text for the number of elements that each result reduces."""
    axis = constant(operands[1], "axis")
    if axis is None:
        return "np.size(x)"
    axes = axis if isinstance(axis, tuple) else (axis,)
    return " * ".join(f"np.shape(x)[{item}]" for item in axes) or "1"


def sum_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    return (f"grad_x += np.broadcast_to({spread('grad_out', operands)}, np.shape(x))",)


def mean_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    divided = f"(grad_out / ({count(operands)}))"
    return (f"grad_x += np.broadcast_to({spread(divided, operands)}, np.shape(x))",)


def prod_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    axis = constant(operands[1], "axis")
    others = f"product_of_others(x, {axis})"
    return (f"grad_x += {spread('grad_out', operands)} * {others}",)


def extreme_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    axis = constant(operands[1], "axis")
    chosen = f"(x == {spread('out', operands)})"
    shared = f"np.sum({chosen}, axis={axis}, keepdims=True)"
    return (f"grad_x += np.where({chosen}, {spread('grad_out', operands)} / {shared}, 0.0)",)


def var_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    axis, ddof = constant(operands[1], "axis"), constant(operands[2], "ddof")
    freedom = f"({count(operands)} - {ddof})" if ddof else f"({count(operands)})"
    slope = f"{spread(f'(2.0 / {freedom} * grad_out)', operands)}"
    return (f"grad_x += {slope} * (x - np.mean(x, axis={axis}, keepdims=True))",)


def std_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    axis, ddof = constant(operands[1], "axis"), constant(operands[2], "ddof")
    freedom = f"({count(operands)} - {ddof})" if ddof else f"({count(operands)})"
    # where all elements are equal it is 0, as that of a norm is
    slope = spread(f"(grad_out / ({freedom} * np.where(out == 0, 1.0, out)))", operands)
    return (f"grad_x += {slope} * (x - np.mean(x, axis={axis}, keepdims=True))",)


def reduced(text: str, operands: Sequence[Atom]) -> str:
    """Text for the sum of a value over the axes that are reduced."""
    axis, keepdims = constant(operands[1], "axis"), constant(operands[-1], "keepdims")
    along = "" if axis is None else f", axis={axis}"
    return f"np.sum({text}{along}{', keepdims=True' if keepdims else ''})"


def prod_tangent(operands: Sequence[Atom]) -> str:
    axis = constant(operands[1], "axis")
    return f"tangent_out = {reduced(f'tangent_x * product_of_others(x, {axis})', operands)}"


def extreme_tangent(operands: Sequence[Atom]) -> str:
    chosen = f"(x == {spread('out', operands)})"
    moved = reduced(f"np.where({chosen}, tangent_x, 0.0)", operands)
    return f"tangent_out = {moved} / {reduced(chosen, operands)}"


def _deviation(operands: Sequence[Atom]) -> str:
    axis = constant(operands[1], "axis")
    return reduced(f"(x - np.mean(x, axis={axis}, keepdims=True)) * tangent_x", operands)


def var_tangent(operands: Sequence[Atom]) -> str:
    ddof = constant(operands[2], "ddof")
    freedom = f"({count(operands)} - {ddof})" if ddof else f"({count(operands)})"
    return f"tangent_out = 2.0 / {freedom} * {_deviation(operands)}"


def std_tangent(operands: Sequence[Atom]) -> str:
    ddof = constant(operands[2], "ddof")
    freedom = f"({count(operands)} - {ddof})" if ddof else f"({count(operands)})"
    return f"tangent_out = {_deviation(operands)} / ({freedom} * np.where(out == 0, 1.0, out))"


AXES = (
    {"x": "f[3,4]"},
    {"x": "f[3,4]", "axis": 0},
    {"x": "f[3,4]", "axis": -1, "keepdims": True},
    {"x": "f[2,3,4]", "axis": (0, 2)},
    {"x": "f[2,3,4]", "axis": (-1, 0), "keepdims": True},
    {"x": "f[4]", "axis": 0},
    {"x": "f[3,4]", "keepdims": True},
    {"x": "f[1,3]", "axis": 0},
)
EMPTY = ({"x": "f[0]"}, {"x": "f[0,3]", "axis": 0}, {"x": "f[3,0]", "axis": 0})

operation(
    "out = np.sum(x, axis=None, keepdims=False)",
    infer=reduction_type(sum_dtype),
    rules=(Rule(sum_lines),),
    linear=("x",),
    method="sum",
    samples=AXES + EMPTY,
)
operation(
    "out = np.mean(x, axis=None, keepdims=False)",
    infer=reduction_type(mean_dtype),
    rules=(Rule(mean_lines),),
    linear=("x",),
    method="mean",
    samples=AXES,
)
operation(
    "out = np.prod(x, axis=None, keepdims=False)",
    infer=reduction_type(sum_dtype),
    rules=(Rule(prod_lines),),
    tangent=prod_tangent,
    method="prod",
    samples=AXES + EMPTY,
    note="right where elements are zero",
)
for _name, _also in {"max": "amax", "min": "amin"}.items():
    operation(
        f"out = np.{_name}(x, axis=None, keepdims=False)",
        infer=reduction_type(),
        rules=(Rule(extreme_lines),),
        tangent=extreme_tangent,
        method=_name,
        also=(f"numpy.{_also}",),
        samples=AXES,
        note="ties share equally",
    )
VARIANCE = (*AXES[:6], {"x": "f[3,4]", "axis": 0, "ddof": 1}, {"x": "f[5]", "ddof": 1})
operation(
    "out = np.var(x, axis=None, ddof=0, keepdims=False)",
    infer=reduction_type(mean_dtype),
    rules=(Rule(var_lines),),
    tangent=var_tangent,
    method="var",
    samples=VARIANCE,
)
operation(
    "out = np.std(x, axis=None, ddof=0, keepdims=False)",
    infer=reduction_type(mean_dtype),
    rules=(Rule(std_lines),),
    tangent=std_tangent,
    method="std",
    samples=VARIANCE,
    note="where all elements are equal, 0",
)


def logaddexp_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    shares = f"np.exp(x - {spread('np.where(out == -np.inf, 0.0, out)', operands)})"
    return (f"grad_x += {spread('grad_out', operands)} * {shares}",)


def logaddexp_tangent(operands: Sequence[Atom]) -> str:
    shares = f"np.exp(x - {spread('np.where(out == -np.inf, 0.0, out)', operands)})"
    return f"tangent_out = {reduced(f'tangent_x * {shares}', operands)}"


operation(
    "out = np.logaddexp.reduce(x, axis=0, keepdims=False)",
    infer=reduction_type(float_result),
    rules=(Rule(logaddexp_lines),),
    tangent=logaddexp_tangent,
    samples=(
        {"x": "f[4]"},
        {"x": "f[2,3]"},
        {"x": "f[2,3]", "axis": 1},
        {"x": "f[2,3]", "axis": -1, "keepdims": True},
        {"x": "f[1]"},
    ),
    note="where all elements are -inf, 0",
)

# Piecewise constant
for _name in ("argmax", "argmin"):
    operation(
        f"out = np.{_name}(x, axis=None, keepdims=False)",
        infer=reduction_type(lambda _: "i64"),
        constant=True,
        method=_name,
    )
for _name in ("all", "any"):
    operation(
        f"out = np.{_name}(x, axis=None, keepdims=False)",
        infer=reduction_type(lambda _: "bool"),
        constant=True,
        method=_name,
    )
operation(
    "out = np.count_nonzero(x, axis=None, keepdims=False)",
    infer=reduction_type(lambda _: "i64"),
    constant=True,
)
