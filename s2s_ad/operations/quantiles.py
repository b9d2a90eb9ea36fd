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


# Where a quantile stands among n sorted elements, from 0 to n - 1, and its slope in q. Source:
# R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages" (1996), (4) to (9)
CONTINUOUS = {
    "interpolated_inverted_cdf": ("{n} * {q} - 1", "{n}"),
    "hazen": ("{n} * {q} + 0.5 - 1", "{n}"),
    "weibull": ("{n} * {q} + {q} - 1", "({n} + 1)"),
    "median_unbiased": (
        "{n} * {q} + (1 / 3.0 + {q} * (1 - 1 / 3.0 - 1 / 3.0)) - 1",
        "({n} + 1 / 3.0)",
    ),
    "normal_unbiased": (
        "{n} * {q} + (3 / 8.0 + {q} * (1 - 3 / 8.0 - 3 / 8.0)) - 1",
        "({n} + 0.25)",
    ),
}
PLACES = {
    **{name: f"({place})" for name, (place, _) in CONTINUOUS.items()},
    "inverted_cdf": "({n} * {q} - 1)",
    "averaged_inverted_cdf": "({n} * {q} - 1)",
    "closest_observation": "({n} * {q} - 1 - 0.5)",
}
# How much the k-th of n sorted elements counts in the quantile at place v
BETWEEN = "np.maximum(1.0 - np.abs(np.clip({v}, 0.0, {n} - 1.0) - {k}), 0.0)"
LEFT, RIGHT = (
    f"np.where(np.clip({place}, 0, {{n}} - 1) == {{k}}, 1.0, 0.0)"
    for place in ("np.floor({v})", "np.floor({v}) + 1")
)
WEIGHTS = {
    "linear": "np.maximum(1.0 - np.abs({v} - {k}), 0.0)",
    "lower": "np.where(np.floor({v}) == {k}, 1.0, 0.0)",
    "higher": "np.where(np.ceil({v}) == {k}, 1.0, 0.0)",
    "nearest": "np.where(np.rint({v}) == {k}, 1.0, 0.0)",
    "midpoint": "(0.5 * np.where(np.floor({v}) == {k}, 1.0, 0.0)"
    " + 0.5 * np.where(np.ceil({v}) == {k}, 1.0, 0.0))",
    **dict.fromkeys(CONTINUOUS, BETWEEN),
    "inverted_cdf": "np.where(np.maximum(np.ceil({v}), 0) == {k}, 1.0, 0.0)",
    "averaged_inverted_cdf": "np.where("
    f"np.floor({{v}}) == {{v}}, 0.5 * {LEFT} + 0.5 * {RIGHT}, {RIGHT})",
    # where v is an odd number it is the place, else the next larger number
    "closest_observation": "np.where(np.maximum(np.floor({v}) + np.where("
    "(np.floor({v}) == {v}) & (np.floor({v}) % 2 == 1), 0.0, 1.0), 0) == {k}, 1.0, 0.0)",
}
PICKING = ("lower", "higher", "nearest", "inverted_cdf", "closest_observation")
"""Methods whose quantiles are elements, of their dtype."""


class Quantile:
    """The texts for one call: `np.median`, `np.quantile`, `np.percentile` or a form for NaN."""

    def __init__(
        self, operands: Sequence[Atom], names: Sequence[str], scale: str, ignores_nan: bool
    ) -> None:
        self.scale, self.ignores_nan = scale, ignores_nan
        self.q = (f"(q{scale})" if scale else "q") if "q" in names else "0.5"
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

    def count(self) -> str:
        """How many elements there are; an array for the rows where NaN are left out."""
        if not self.ignores_nan:
            return f"np.shape({self.moved('a')})[-1]"
        numbers = f"np.logical_not(np.isnan({self.moved('a')}))"
        counts = f"np.sum({numbers}, axis=-1, keepdims=True)"
        return f"np.expand_dims({counts}, -1)" if self.several else counts

    def place(self) -> str:
        """Where the quantile stands."""
        q = f"np.expand_dims({self.q}, -1)" if self.several else self.q
        spelled = PLACES.get(self.method, "({q} * ({n} - 1))")
        return spelled.format(q=q, n=self.count())

    def weights(self) -> str:
        """How much each sorted element counts, in each of the quantiles."""
        spelled = WEIGHTS[self.method]
        return spelled.format(v=self.place(), k=self.numbers(), n=self.count())

    def numbers(self) -> str:
        return f"np.arange(np.shape({self.moved('a')})[-1])"

    def slopes(self) -> str:
        """The slopes of the weights in q; at a sample, the mean of both sides."""
        v, k, n = self.place(), self.numbers(), self.count()
        factor = f"({n} - 1)"
        if self.method in CONTINUOUS:
            factor = CONTINUOUS[self.method][1].format(n=n)
        elif self.method != "linear":
            return f"(0.0 * {self.weights()})"
        parts = (
            f"np.where(np.clip({place}, 0, {n} - 1) == {k}, 0.5, 0.0)"
            for place in (
                f"np.floor({v}) + 1",
                f"np.ceil({v})",
                f"np.floor({v})",
                f"np.ceil({v}) - 1",
            )
        )
        right, before, left, behind = parts
        return f"(({right} + {before} - {left} - {behind}) * {factor}{self.scale})"

    def sorted(self) -> str:
        """The elements in order; NaN, which come last and do not count, as 0."""
        values = f"np.sort({self.moved('a')}, axis=-1)"
        if not self.ignores_nan:
            return values
        return f"np.where(np.isnan({values}), 0.0, {values})"

    def each_sum(self, values: str, weights: str) -> str:
        """The sums of elements with the weights of each quantile, which are the last axis."""
        if not self.several:
            return f"np.sum({values} * {weights}, axis=-1)"
        if self.ignores_nan:
            return f"np.sum(np.expand_dims({values}, -2) * {weights}, axis=-1)"
        return f"({values} @ np.transpose({weights}))"

    def spread_weights(self, grad: str) -> str:
        """What each sorted element gets."""
        grad = self.spread(grad)
        if not self.several:
            return f"(np.expand_dims({grad}, -1) * {self.weights()})"
        if self.ignores_nan:
            return f"np.sum(np.expand_dims({grad}, -1) * {self.weights()}, axis=-2)"
        return f"({grad} @ {self.weights()})"

    def others(self) -> int:
        """How many axes the result has behind that of q, keepdims left aside."""
        if self.axis is None and self.axes is None:
            return 0
        if self.rank is None:
            raise NotDifferentiable("several quantiles need to know the rank of the array")
        return self.rank - (1 if self.axes is None else len(self.axes))


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
        if constant(by_name["method"], "method") in PICKING:
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

    def lines(operands: Sequence[Atom]) -> tuple[str, ...]:
        found = Quantile(operands, names, scale, ignores_nan)
        order = f"np.argsort(np.argsort({found.moved('a')}, axis=-1, kind='stable'), axis=-1)"
        taken = f"np.take_along_axis({found.spread_weights('grad_out')}, {order}, axis=-1)"
        result = [f"grad_a += {found.back(taken)}"]
        if "q" in names:
            result.append(f"grad_q += {_slope_in_q(found, 'grad_out')}")
        return tuple(result)

    def tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
        found = Quantile(operands, names, scale, ignores_nan)
        order = f"np.argsort({found.moved('a')}, axis=-1, kind='stable')"
        moved = f"np.take_along_axis({found.moved('tangent_a')}, {order}, axis=-1)"
        terms = [found.each_sum(moved, found.weights())]
        if "q" in names and not isinstance(operands[1], Const):
            slopes = found.each_sum(found.sorted(), found.slopes())
            terms.append(f"({slopes} * tangent_q)")
        if found.several:
            terms = [f"np.moveaxis({term}, -1, 0)" for term in terms]
        return tuple(f"tangent_out = np.reshape({term}, np.shape(out))" for term in terms)

    operation(
        form,
        infer=lambda sizes, operands: _quantile_type(sizes, operands, names),
        rules=(Rule(lines),),
        tangent=tangent,
        **properties,  # type: ignore[arg-type]
    )


def _slope_in_q(found: Quantile, grad: str) -> str:
    products = f"{found.spread(grad)} * {found.each_sum(found.sorted(), found.slopes())}"
    if not found.several:
        return f"np.sum({products})"
    return (
        f"np.sum(np.reshape({products}, (-1, np.size(q))), axis=0)"
        if found.others()
        else f"({products})"
    )


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
Samples = tuple[dict[str, object], ...]
POSITIONS: Samples = (
    {"a": "f[4]", "q": 0},
    {"a": "f[4]", "q": 1},
    {"a": "f[2,3,4]", "q": "r[]", "axis": (0, 2)},
)
METHODS: Samples = tuple(
    {"a": "f[2,3,4]", "q": "r[]", "axis": 1, "method": method} for method in WEIGHTS
)
ALONE: Samples = tuple({**sample, "q": "r[]"} for sample in MIDDLES)
VECTOR: Samples = tuple({**sample, "q": "r[2]"} for sample in MIDDLES)
WITHOUT_NAN: Samples = (
    *({**sample, "q": "r[]"} for sample in MIDDLES),
    {"a": "f[2,3]", "q": "r[2]", "axis": 1, "method": "hazen"},
)
SAMPLES = {
    "quantile": (*POSITIONS, *METHODS, *ALONE, *VECTOR),
    "percentile": (*POSITIONS, *ALONE, *VECTOR[:3]),
}
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
            samples=WITHOUT_NAN if _ignores else SAMPLES[_name],
            note=BY_POSITION,
        )
