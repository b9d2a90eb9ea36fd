"""Reductions that leave NaN out, or what `where=` does not name. What is left out gets 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.reductions import AXES, reduced, spread
from s2s_ad.operations.result_types import (
    Infer,
    constant,
    mean_dtype,
    reduction_type,
    sum_dtype,
    unsupported,
)
from s2s_ad.operations.running import RUNNING, running_type
from s2s_ad.types import ONE, Sizes, Type, rank_of, shape_of

CATALOGUE = Catalogue()
operation = CATALOGUE.operation
NOTE = "a NaN gets 0"
NAN = "np.isnan(x)"  # what the nan-forms leave out
NOT_WANTED = "np.logical_not(where)"  # what `where=` leaves out


def _axis(operands: Sequence[Atom]) -> object:
    return constant(operands[1], "axis")


def _masked(text: str, left_out: str = NAN) -> str:
    return f"np.where({left_out}, 0.0, {text})"


def _filled(left_out: str = NAN) -> str:
    """x with the factor 1 for what is left out."""
    return f"np.where({left_out}, 1.0, x)"


def weights(name: str, left_out: str, operands: Sequence[Atom]) -> str:
    """The slope of the result in each element."""
    axis = _axis(operands)
    kept = f"np.broadcast_to(np.logical_not({left_out}), np.shape(x))"
    count = f"np.sum({kept}, axis={axis}, keepdims=True)"
    if name == "sum":
        return "1.0"
    if name == "mean":
        return f"(1.0 / {count})"
    if name == "prod":
        return f"product_of_others({_filled(left_out)}, {axis})"
    ddof = constant(operands[2], "ddof")
    freedom = f"({count} - {ddof})" if ddof else count
    mean = f"np.nanmean(x, axis={axis}, keepdims=True)"
    if left_out != NAN:
        mean = f"np.mean(x, axis={axis}, where=where, keepdims=True)"
    if name == "var":
        return f"(2.0 * (x - {mean}) / {freedom})"
    out = spread("out", operands)
    return f"((x - {mean}) / ({freedom} * np.where({out} == 0, 1.0, {out})))"


def has_shape_of(mask: Atom, x: Atom) -> bool:
    """Whether they are known to have the same shape."""
    shape = shape_of(x.type)
    return shape is not None and shape_of(mask.type) == shape


def of_selected(infer: Infer, place: int) -> Infer:
    """The type of a reduction of what the mask at a place keeps: a mask that has more elements than
    the array would have each of them counted several times.
    """

    def selected(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        shape, wanted = shape_of(operands[0].type), shape_of(operands[place].type)
        if shape is not None and wanted is not None:
            pairs = zip(reversed(shape), reversed(wanted), strict=False)
            if len(wanted) > len(shape) or any(n == ONE != kept for n, kept in pairs):
                raise unsupported(
                    "`where` has more elements than the array", "write `np.broadcast_to` first"
                )
        return infer(sizes, operands)

    return selected


def partial_reduction(
    name: str, form: str, infer: Infer, samples: Sequence[dict[str, Any]], left_out: str = NAN
) -> None:
    """Declare a reduction that leaves elements out, by its slope."""

    def lines(operands: Sequence[Atom]) -> tuple[str, ...]:
        grad = f"{spread('grad_out', operands)} * {weights(name, left_out, operands)}"
        if left_out != NAN and not has_shape_of(operands[-2], operands[0]):
            grad = f"np.broadcast_to({grad}, np.shape(x))"
        return (f"grad_x += {_masked(grad, left_out)}",)

    def tangent(operands: Sequence[Atom]) -> str:
        moved = _masked(f"tangent_x * {weights(name, left_out, operands)}", left_out)
        return f"tangent_out = {reduced(moved, operands)}"

    note = NOTE if left_out == NAN else "what is left out gets 0"
    operation(
        form,
        infer=infer,
        rules=(Rule(lines),),
        tangent=tangent,
        samples=tuple(samples),
        note=f"{note}; where all elements are equal, 0" if name == "std" else note,
        name="" if left_out == NAN else f"numpy.{name}[where]",
    )


SPREAD = tuple(
    {**sample, **more}
    for sample in AXES[:6]
    for more in ({}, {"ddof": 1})
    if sample != {"x": "f[4]", "axis": 0} or not more
)
REDUCTIONS: dict[str, tuple[str, Infer, tuple[dict[str, Any], ...]]] = {
    "sum": ("", reduction_type(sum_dtype), AXES),
    "prod": ("", reduction_type(sum_dtype), AXES),
    "mean": ("", reduction_type(mean_dtype), AXES),
    "var": ("ddof=0, ", reduction_type(mean_dtype), SPREAD),
    "std": ("ddof=0, ", reduction_type(mean_dtype), SPREAD),
}
for _name, (_more, _infer, _samples) in REDUCTIONS.items():
    partial_reduction(
        _name, f"out = np.nan{_name}(x, axis=None, {_more}keepdims=False)", _infer, _samples
    )
    partial_reduction(
        _name,
        f"out = np.{_name}(x, axis=None, {_more}where=True, keepdims=False)",
        of_selected(_infer, -2),
        [
            {"x": "f[3,4]", "where": "m[4]"},
            {"x": "f[3,4]", "axis": 0, "where": "m[3,1]"},
            *(
                {**sample, "where": str(sample["x"]).replace("f", "m")}
                for sample in _samples
                if sample["x"] != "f[1,3]"
            ),
        ],
        left_out=NOT_WANTED,
    )


def _chosen(operands: Sequence[Atom]) -> tuple[str, str]:
    chosen = f"(x == {spread('out', operands)})"
    return chosen, f"np.sum({chosen}, axis={_axis(operands)}, keepdims=True)"


def extreme_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    chosen, shared = _chosen(operands)
    return (
        f"grad_x += np.where({chosen}, {spread('grad_out', operands)} / np.maximum({shared}, 1), "
        "0.0)",
    )


def extreme_tangent(operands: Sequence[Atom]) -> str:
    chosen, shared = _chosen(operands)
    moved = f"np.where({chosen}, tangent_x / np.maximum({shared}, 1), 0.0)"
    return f"tangent_out = {reduced(moved, operands)}"


for _name in ("nanmax", "nanmin"):
    operation(
        f"out = np.{_name}(x, axis=None, keepdims=False)",
        infer=reduction_type(),
        rules=(Rule(extreme_lines),),
        tangent=extreme_tangent,
        samples=AXES,
        note="ties share equally; a NaN gets 0",
    )
for _name in ("nanargmax", "nanargmin"):
    operation(
        f"out = np.{_name}(x, axis=None, keepdims=False)",
        infer=reduction_type(lambda _: "i64"),
        constant=True,
    )


# Running sums -------------------------------------------------------------------------------------


def cumsum_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    axis = _axis(operands)
    if axis is None or rank_of(operands[0].type) == 1:
        backwards = "np.cumsum(grad_out[::-1])[::-1]"
        if rank_of(operands[0].type) != 1:
            backwards = f"np.reshape({backwards}, np.shape(x))"
    else:
        backwards = f"np.flip(np.cumsum(np.flip(grad_out, {axis}), axis={axis}), {axis})"
    return (f"grad_x += {_masked(backwards)}",)


operation(
    "out = np.nancumsum(x, axis=None)",
    infer=running_type,
    rules=(Rule(cumsum_lines),),
    tangent=f"tangent_out = np.cumsum({_masked('tangent_x')}, axis=axis)",
    samples=RUNNING,
    note=NOTE,
)
operation(
    "out = np.nancumprod(x, axis=None)",
    infer=running_type,
    rules=(Rule((f"grad_x += {_masked(f'cumprod_adjoint(grad_out, {_filled()}, axis)')}",)),),
    tangent=f"tangent_out = cumprod_tangent({_masked('tangent_x')}, {_filled()}, axis)",
    samples=RUNNING,
    note=NOTE,
)
