"""Reductions that begin with a value of the caller's: `np.sum(x, initial=1.0, where=mask)`.

What `where=` leaves out gets 0; the initial value is one more element, of each of the results.
"""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.nan_reductions import of_selected
from s2s_ad.operations.reductions import reduced, spread
from s2s_ad.operations.result_types import (
    Infer,
    constant,
    is_constant,
    reduction_type,
    sum_dtype,
    unsupported,
)
from s2s_ad.types import Sizes, Type, dtype_of, promote, scalar_like

CATALOGUE = Catalogue()
SUMS, EXTREMES = ("sum", "prod"), ("max", "min")


def _type(infer: Infer) -> Infer:
    def begun(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        x, initial = operands[0].type, operands[2].type
        if not scalar_like(initial):
            raise unsupported("`initial` is a number", "add the array to the result")
        if promote([x, initial]) != dtype_of(x):
            raise unsupported(
                "`initial` has a larger dtype than the array", "convert the array with `.astype`"
            )
        return infer(sizes, operands)

    return begun


def _kept(text: str, operands: Sequence[Atom], otherwise: str = "0.0") -> str:
    """The value where `where=` keeps the element."""
    return text if is_constant(operands[3], True) else f"np.where(where, {text}, {otherwise})"


def sum_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    moved = f"np.broadcast_to({spread('grad_out', operands)}, np.shape(x))"
    return f"grad_x += {_kept(moved, operands)}", "grad_initial += np.sum(grad_out)"


def sum_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    return (
        f"tangent_out = {reduced(_kept('tangent_x', operands), operands)}",
        "tangent_out = np.broadcast_to(tangent_initial, np.shape(out))",
    )


def _others(operands: Sequence[Atom]) -> str:
    axis = constant(operands[1], "axis")
    return f"initial * product_of_others({_kept('x', operands, '1.0')}, {axis})"


def _product(operands: Sequence[Atom]) -> str:
    axis, keepdims = (constant(operands[k], "axis, keepdims") for k in (1, 4))
    return f"np.prod({_kept('x', operands, '1.0')}, axis={axis}, keepdims={keepdims})"


def prod_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    moved = f"{spread('grad_out', operands)} * {_others(operands)}"
    return (
        f"grad_x += {_kept(moved, operands)}",
        f"grad_initial += np.sum(grad_out * {_product(operands)})",
    )


def prod_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    moved = _kept(f"tangent_x * {_others(operands)}", operands)
    return (
        f"tangent_out = {reduced(moved, operands)}",
        f"tangent_out = tangent_initial * {_product(operands)}",
    )


def _chosen(operands: Sequence[Atom]) -> tuple[str, str]:
    """Which elements are the extreme, and how many, the initial value among them."""
    chosen = f"(x == {spread('out', operands)})"
    if not is_constant(operands[3], True):
        chosen = f"({chosen} & where)"
    return chosen, f"({reduced(chosen, operands)} + (out == initial))"


def extreme_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    chosen, shared = _chosen(operands)
    share = spread(f"(grad_out / {shared})", operands)
    return (
        f"grad_x += np.where({chosen}, {share}, 0.0)",
        f"grad_initial += np.sum(np.where(out == initial, grad_out / {shared}, 0.0))",
    )


def extreme_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    chosen, shared = _chosen(operands)
    return (
        f"tangent_out = {reduced(f'np.where({chosen}, tangent_x, 0.0)', operands)} / {shared}",
        f"tangent_out = np.where(out == initial, tangent_initial, 0.0) / {shared}",
    )


SAMPLES = (
    {"x": "f[4]", "initial": "f[]"},
    {"x": "f[3,4]", "initial": "f[]", "axis": 0},
    {"x": "f[3,4]", "initial": "f[]", "where": "m[3,4]"},
    {"x": "f[3,4]", "initial": "f[]", "axis": 0, "where": "m[4]"},
    {"x": "f[3,4]", "initial": "f[]", "axis": -1, "keepdims": True, "where": "m[3,4]"},
    {"x": "f[2,3,4]", "initial": "f[]", "axis": (0, 2), "where": "m[2,3,4]"},
    {"x": "f[0]", "initial": "f[]"},
    {"x": "f[0,3]", "initial": "f[]", "axis": 0},
)
LINES = {
    "sum": (sum_lines, sum_tangent, "what is left out gets 0"),
    "prod": (prod_lines, prod_tangent, "what is left out gets 0"),
    "max": (extreme_lines, extreme_tangent, "ties share equally, also with `initial`"),
    "min": (extreme_lines, extreme_tangent, "ties share equally, also with `initial`"),
}
for _name, (_lines, _tangent, _note) in LINES.items():
    CATALOGUE.operation(
        f"out = np.{_name}(x, axis=None, initial=None, where=True, keepdims=False)",
        infer=of_selected(
            _type(reduction_type(sum_dtype if _name in SUMS else lambda dtype: dtype)), 3
        ),
        rules=(Rule(_lines),),
        tangent=_tangent,
        samples=SAMPLES,
        note=_note,
        name=f"numpy.{_name}[initial]",
    )
