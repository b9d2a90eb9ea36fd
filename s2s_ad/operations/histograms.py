"""`np.histogram`: the counts of what lies in each bin, or the sums of its weights.

Sums are linear in the weights. Counts, and which bin something lies in, are piecewise constant; the
last bin has both its edges. The edges that NumPy chooses from the data are written out by the
frontend, since they move with the data.
"""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Atom, Const
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import known_shape, mean_dtype, require_numeric, unsupported
from s2s_ad.types import NONE, Array, Items, Size, Sizes, Type, dtype_of, is_complex, is_float

CATALOGUE = Catalogue()


def _histogram_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    a, bins, _, weights = operands
    require_numeric([a.type])
    dtype = "i64"
    if weights.type != NONE:
        require_numeric([weights.type])
        dtype = dtype_of(weights.type)
        if not is_float(weights.type) or is_complex(weights.type) or dtype == "f16":
            raise unsupported("the weights of `np.histogram` are floats", "use `.astype(float)`")
    edges = mean_dtype(dtype_of(a.type))
    if isinstance(bins, Const):
        if isinstance(bins.value, bool) or not isinstance(bins.value, int):
            raise unsupported("`bins` is a number or a vector of edges", "give one of these")
        count = Size.of(bins.value)
    else:
        shape = known_shape(bins, "np.histogram")
        if not shape:
            return Items((Array(dtype, (sizes.fresh(),)), Array(edges, (sizes.fresh(),))))
        count, edges = shape[0] - 1, dtype_of(bins.type)
    return Items((Array(dtype, (count,)), Array(edges, (count + 1,))))


INSIDE = "(a >= edges[0]) & (a <= edges[-1])"
PLACE = "np.clip(np.searchsorted(edges, a, side='right') - 1, 0, np.size(counts) - 1)"
CATALOGUE.operation(
    "counts, edges = np.histogram(a, bins=10, range=None, weights=None)",
    f"grad_weights += np.where({INSIDE}, np.take(grad_counts, {PLACE}), 0.0)",
    infer=_histogram_type,
    tangent=("tangent_counts = np.histogram(a, edges, weights=tangent_weights)[0]",),
    constant_results=("edges",),
    samples=(
        {"a": "i[7]<5", "weights": "f[7]", "bins": 4, "range": (0, 4)},
        {"a": "i[2,3]<4", "weights": "f[2,3]", "bins": 3, "range": (1.0, 2.5)},
    ),
    note="with weights; edges that are given have the derivative that they have outside",
)
