"""Operations that reduce axes: sums, means, products, extremes, variances.

The adjoint of a result spreads over the axes that were reduced: `spread` writes the text that gives it their shape back.
"""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import constant, reduction_type, same_as, sum_dtype
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
    slope = spread(f"(grad_out / ({freedom} * out))", operands)
    return (f"grad_x += {slope} * (x - np.mean(x, axis={axis}, keepdims=True))",)


AXES = ({"x": "f[3,4]"}, {"x": "f[3,4]", "axis": 0}, {"x": "f[3,4]", "axis": -1, "keepdims": True},
        {"x": "f[2,3,4]", "axis": (0, 2)}, {"x": "f[2,3,4]", "axis": (-1, 0), "keepdims": True},
        {"x": "f[4]", "axis": 0}, {"x": "f[3,4]", "keepdims": True}, {"x": "f[1,3]", "axis": 0})  # fmt: skip
EMPTY = ({"x": "f[0]"}, {"x": "f[0,3]", "axis": 0}, {"x": "f[3,0]", "axis": 0})

operation("out = np.sum(x, axis=None, keepdims=False)", infer=reduction_type(sum_dtype), rules=(Rule(sum_lines),),
          linear=("x",), method="sum", samples=AXES + EMPTY)  # fmt: skip
operation("out = np.mean(x, axis=None, keepdims=False)", infer=reduction_type(float_result),
          rules=(Rule(mean_lines),), linear=("x",), method="mean", samples=AXES)  # fmt: skip
operation("out = np.prod(x, axis=None, keepdims=False)", infer=reduction_type(sum_dtype), rules=(Rule(prod_lines),),
          method="prod", samples=AXES + EMPTY, note="right where elements are zero")  # fmt: skip
for _name, _also in {"max": "amax", "min": "amin"}.items():
    operation(f"out = np.{_name}(x, axis=None, keepdims=False)", infer=reduction_type(), rules=(Rule(extreme_lines),),
              method=_name, also=(f"numpy.{_also}",), samples=AXES, note="ties share equally")  # fmt: skip
VARIANCE = (*AXES[:6], {"x": "f[3,4]", "axis": 0, "ddof": 1}, {"x": "f[5]", "ddof": 1})
operation("out = np.var(x, axis=None, ddof=0, keepdims=False)", infer=reduction_type(float_result),
          rules=(Rule(var_lines),), method="var", samples=VARIANCE)  # fmt: skip
operation("out = np.std(x, axis=None, ddof=0, keepdims=False)", infer=reduction_type(float_result),
          rules=(Rule(std_lines),), method="std", samples=VARIANCE,
          note="at 0 (all elements equal) NaN, the formula's limit")  # fmt: skip

# Piecewise constant
for _name in ("argmax", "argmin"):
    operation(f"out = np.{_name}(x, axis=None, keepdims=False)", infer=reduction_type(lambda _: "i64"), constant=True,
              method=_name)  # fmt: skip
for _name in ("all", "any"):
    operation(f"out = np.{_name}(x, axis=None, keepdims=False)", infer=reduction_type(lambda _: "bool"), constant=True,
              method=_name)  # fmt: skip
operation("out = np.count_nonzero(x, axis=None, keepdims=False)", infer=reduction_type(lambda _: "i64"), constant=True)

operation("out = product_of_others(x, axis=None)", infer=same_as(0), name="helper.product_of_others",
          helper="product_of_others", samples=({"x": "f[4]"}, {"x": "f[2,3]", "axis": 1}))  # fmt: skip
