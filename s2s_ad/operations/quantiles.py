"""Medians, quantiles and percentiles, also with NaN left out.

A quantile is a sum of the sorted elements with weights that fall off linearly around its place,
`q * (n - 1)`; its slope goes back to where the elements came from. Ties go by position.
"""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Atom, Const, NotDifferentiable, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import (
    constant,
    mean_dtype,
    normal_axes,
    of_shape,
    require_numeric,
    unsupported,
)
from s2s_ad.types import (
    ONE,
    Array,
    Number,
    Scalar,
    Shape,
    Sizes,
    Type,
    dtype_of,
    is_float,
    promote,
    rank_of,
    shape_of,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


BY_POSITION = "ties go by position"


# How much the k-th of n sorted elements counts in the quantile at place v = q * (n - 1)
WEIGHTS = {
    "linear": "np.maximum(1.0 - np.abs({v} - {k}), 0.0)",
    "lower": "np.where(np.floor({v}) == {k}, 1.0, 0.0)",
    "higher": "np.where(np.ceil({v}) == {k}, 1.0, 0.0)",
    "nearest": "np.where(np.rint({v}) == {k}, 1.0, 0.0)",
    "midpoint": "(0.5 * np.where(np.floor({v}) == {k}, 1.0, 0.0)"
    " + 0.5 * np.where(np.ceil({v}) == {k}, 1.0, 0.0))",
}


class Quantile:
    """The texts for one call: `np.median`, `np.quantile`, `np.percentile` or a form for NaN."""

    def __init__(self, operands: Sequence[Atom], names: Sequence[str]) -> None:
        by_name = dict(zip(names, operands, strict=True))
        self.axis = constant(by_name["axis"], "axis")
        self.keepdims = constant(by_name["keepdims"], "keepdims")
        self.method = constant(by_name["method"], "method") if "method" in by_name else "linear"
        self.several = "q" in by_name and rank_of(by_name["q"].type) != 0
        rank = rank_of(operands[0].type)
        if isinstance(self.axis, tuple) and rank is not None:
            self.axis = normal_axes(self.axis, rank)
        self.axes = self.axis if isinstance(self.axis, tuple) else None
        self.rank = rank
        if self.axes is not None and len(self.axes) == 1:
            self.axis, self.axes = self.axes[0], None
        if self.axes is not None and (rank is None or len(self.axes) == 0):
            raise NotDifferentiable("a quantile over several axes needs to know the rank")
        if self.axes is not None and len(self.axes) == rank:
            self.axis, self.axes = None, None

    def moved(self, text: str) -> str:
        """`text`, shaped like `a`, with what is reduced as the last axis."""
        if self.axes is not None:
            assert self.rank is not None
            kept = [k for k in range(self.rank) if k not in self.axes]
            order = (*kept, *self.axes)
            sizes = ", ".join(f"np.shape(a)[{k}]" for k in kept)
            return f"np.reshape(np.transpose({text}, axes={order}), ({sizes}, -1))"
        if self.axis is None:
            return f"np.ravel({text})"
        return (
            text if self.axis == -1 or self.rank == 1 else f"np.moveaxis({text}, {self.axis}, -1)"
        )

    def back(self, text: str) -> str:
        """The opposite of `moved`."""
        if self.axes is not None:
            assert self.rank is not None
            kept = [k for k in range(self.rank) if k not in self.axes]
            order = (*kept, *self.axes)
            sizes = ", ".join(f"np.shape(a)[{k}]" for k in order)
            inverse = tuple(sorted(range(self.rank), key=order.__getitem__))
            return f"np.transpose(np.reshape({text}, ({sizes})), axes={inverse})"
        if self.axis is None:
            return text if self.rank == 1 else f"np.reshape({text}, np.shape(a))"
        return (
            text if self.axis == -1 or self.rank == 1 else f"np.moveaxis({text}, -1, {self.axis})"
        )

    def spread(self, text: str) -> str:
        """A value shaped like the result, with an axis for the elements (and one for q) behind."""
        if self.keepdims:
            if self.axis is None and self.axes is None:
                text = f"np.reshape({text}, {'-1' if self.several else '()'})"
            else:
                axes = self.axes or (self.axis,)
                gone = tuple(k + 1 if self.several and k >= 0 else k for k in axes)
                text = f"np.squeeze({text}, axis={gone})"
        return f"np.moveaxis({text}, 0, -1)" if self.several else text

    def place(self, q: str, scale: str) -> tuple[str, str]:
        """Where the quantile stands, and the numbers of the elements."""
        return f"({q}{scale} * (np.shape({self.moved('a')})[-1] - 1))", (
            f"np.arange(np.shape({self.moved('a')})[-1])"
        )


def _quantile_type(sizes: Sizes, operands: Sequence[Atom], names: Sequence[str]) -> Type:
    by_name = dict(zip(names, operands, strict=True))
    a, axis = by_name["a"].type, constant(by_name["axis"], "axis")
    keepdims = constant(by_name["keepdims"], "keepdims")
    require_numeric([a])
    if axis == ():
        raise unsupported("`axis=()` is not supported", "leave it out")
    dtype = mean_dtype(dtype_of(a))
    several: Shape = ()
    if "q" in by_name:
        q = by_name["q"].type
        require_numeric([q])
        if not is_float(a) and not is_float(q):
            raise unsupported("quantiles of integers take floats as `q`", "write `q` as a float")
        if constant(by_name["method"], "method") not in WEIGHTS:
            raise unsupported(
                f"`method` is supported as one of {', '.join(WEIGHTS)}", "choose one of these"
            )
        if constant(by_name["method"], "method") in ("lower", "higher", "nearest"):
            dtype = dtype_of(a)
        elif not is_float(q) and rank_of(q) and dtype != "f64":
            raise unsupported("`q` is integer, and the array is not f64", "write `q` as floats")
        elif not isinstance(q, Number):
            dtype = promote([Scalar(dtype), Scalar(mean_dtype(dtype_of(q)))])
        found = shape_of(q)
        if found is None or len(found) > 1:
            raise unsupported("`q` is a number or a vector", "give one number")
        several = found
    shape = shape_of(a)
    if shape is None:
        whole = axis is None and not keepdims and not several
        return Scalar(dtype) if whole else Array(dtype, None)
    axes = normal_axes(axis, len(shape))
    kept = tuple(
        ONE if k in axes else size for k, size in enumerate(shape) if keepdims or k not in axes
    )
    rank_zero = "array" if keepdims and not shape else "scalar"
    return of_shape(dtype, (*several, *kept), rank_zero)


def quantile(form: str, scale: str, ignores_nan: bool, **properties: object) -> None:
    """Declare a quantile; `scale` is what q is divided by."""
    inside = form.partition("(")[2].rstrip(")")
    names = [part.partition("=")[0].strip() for part in inside.split(",")]
    position = "q" if "q" in names else "0.5"

    def weights(found: Quantile) -> str:
        v, k = found.place(position, scale)
        if ignores_nan:
            if found.several:
                raise NotDifferentiable("`q` has to be one number where NaN are left out")
            count = f"np.sum(np.logical_not(np.isnan({found.moved('a')})), axis=-1, keepdims=True)"
            v = f"({position}{scale} * ({count} - 1))"
        if found.several:
            v = f"np.expand_dims({v}, -1)"
        return WEIGHTS[found.method].format(v=v, k=k)

    def spread_weights(found: Quantile, grad: str) -> str:
        """What each sorted element gets."""
        if found.several:
            return f"({found.spread(grad)} @ {weights(found)})"
        return f"(np.expand_dims({found.spread(grad)}, -1) * {weights(found)})"

    def lines(operands: Sequence[Atom]) -> tuple[str, ...]:
        found = Quantile(operands, names)
        order = f"np.argsort(np.argsort({found.moved('a')}, axis=-1, kind='stable'), axis=-1)"
        taken = f"np.take_along_axis({spread_weights(found, 'grad_out')}, {order}, axis=-1)"
        result = [f"grad_a += {found.back(taken)}"]
        if position == "q" and not ignores_nan:
            result.append(f"grad_q += {_slope_in_q(found, scale, 'grad_out')}")
        return tuple(result)

    def tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
        found = Quantile(operands, names)
        order = f"np.argsort({found.moved('a')}, axis=-1, kind='stable')"
        moved = f"np.take_along_axis({found.moved('tangent_a')}, {order}, axis=-1)"
        if found.several:
            total = f"np.moveaxis({moved} @ np.transpose({weights(found)}), -1, 0)"
        else:
            total = f"np.sum({moved} * {weights(found)}, axis=-1)"
        result = [f"tangent_out = np.reshape({total}, np.shape(out))"]
        if position == "q" and not ignores_nan and not isinstance(operands[1], Const):
            steps = _steps(found, scale)
            sorted_values = f"np.sort({found.moved('a')}, axis=-1)"
            if found.several:
                moved = f"np.moveaxis({sorted_values} @ np.transpose({steps}), -1, 0)"
                ones = ", ".join(["-1", *["1"] * _others(operands, found)])
                moved = f"({moved} * np.reshape(tangent_q, ({ones},)))"
            else:
                moved = f"np.sum({sorted_values} * {steps}, axis=-1) * tangent_q"
            result.append(f"tangent_out = np.reshape({moved}, np.shape(out))")
        return tuple(result)

    operation(
        form,
        infer=lambda sizes, operands: _quantile_type(sizes, operands, names),
        rules=(Rule(lines),),
        tangent=tangent,
        **properties,  # type: ignore[arg-type]
    )


def _others(operands: Sequence[Atom], found: Quantile) -> int:
    """How many axes the result has behind that of q, keepdims left aside."""
    if found.axis is None and found.axes is None:
        return 0
    if found.rank is None:
        raise NotDifferentiable("several quantiles need to know the rank of the array")
    return found.rank - (1 if found.axes is None else len(found.axes))


def _steps(found: Quantile, scale: str) -> str:
    """The slopes of the weights in q; at a sample, the mean of both sides."""
    if found.method != "linear":
        return (
            f"(0.0 * {WEIGHTS['linear'].format(v=_v(found, scale), k=found.place('q', scale)[1])})"
        )
    v, k = _v(found, scale), found.place("q", scale)[1]
    count = f"(np.shape({found.moved('a')})[-1] - 1)"
    distance = f"({k} - {v})"
    factor = f"np.where(np.abs{distance} < 1, 1.0, np.where(np.abs{distance} == 1, 0.5, 0.0))"
    return f"({factor} * np.sign{distance} * {count}{scale})"


def _v(found: Quantile, scale: str) -> str:
    v = found.place("q", scale)[0]
    return f"np.expand_dims({v}, -1)" if found.several else v


def _slope_in_q(found: Quantile, scale: str, grad: str) -> str:
    sorted_values, steps = f"np.sort({found.moved('a')}, axis=-1)", _steps(found, scale)
    if not found.several:
        slopes = f"np.sum({sorted_values} * {steps}, axis=-1)"
        return f"np.sum({found.spread(grad)} * {slopes})"
    products = f"{found.spread(grad)} * ({sorted_values} @ np.transpose({steps}))"
    if found.axis is None and found.axes is None:
        return f"({products})"
    return f"np.sum(np.reshape({products}, (-1, np.size(q))), axis=0)"


MIDDLES = (
    {"a": "f[5]"},
    {"a": "f[4]"},
    {"a": "f[2,3]"},
    {"a": "f[2,3]", "axis": 0},
    {"a": "f[2,3]", "axis": -1, "keepdims": True},
    {"a": "f[2,3]", "keepdims": True},
    {"a": "f[2,3,4]", "axis": 1},
    {"a": "f[2,3,4]", "axis": (0, 2)},
    {"a": "f[2,3,4]", "axis": (-1, 0), "keepdims": True},
    {"a": "f[1]"},
)
POSITIONS: tuple[dict[str, object], ...] = (
    {"a": "f[4]", "q": 0},
    {"a": "f[4]", "q": 1},
    {"a": "f[2,3,4]", "q": "r[]", "axis": (0, 2)},
    *({"a": "f[2,3,4]", "q": "r[]", "axis": 1, "method": method} for method in WEIGHTS),
)
ALONE: tuple[dict[str, object], ...] = tuple({**sample, "q": "r[]"} for sample in MIDDLES)
VECTOR: tuple[dict[str, object], ...] = tuple({**sample, "q": "r[2]"} for sample in MIDDLES)
for _prefix, _ignores in {"": False, "nan": True}.items():
    quantile(
        f"out = np.{_prefix}median(a, axis=None, keepdims=False)",
        "",
        _ignores,
        samples=MIDDLES,
        note=BY_POSITION,
    )
    for _name, _scale in {"quantile": "", "percentile": " / 100.0"}.items():
        quantile(
            f"out = np.{_prefix}{_name}(a, q, axis=None, method='linear', keepdims=False)",
            _scale,
            _ignores,
            samples=(*POSITIONS, *ALONE, *VECTOR)
            if not _ignores
            else tuple({**sample, "q": 0.3} for sample in MIDDLES),
            note=BY_POSITION,
        )
