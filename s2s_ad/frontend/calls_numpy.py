"""Functions of NumPy whose arguments or results are containers, or that look at ranks or at which
arguments there are: each chooses operations of the catalogue, or a definition.

`FUNCTIONS` and `METHODS` at the end list them, by dotted name and by the name of the method.
"""

from __future__ import annotations

from s2s_ad.frontend import calls_choices as choices
from s2s_ad.frontend import calls_joins as joins
from s2s_ad.frontend import calls_layout as layout
from s2s_ad.frontend import calls_reductions as reductions
from s2s_ad.frontend import calls_several as several
from s2s_ad.frontend import calls_sums as sums
from s2s_ad.frontend import calls_writes as writes
from s2s_ad.frontend import equalities
from s2s_ad.frontend.calls_elements import ELEMENTS
from s2s_ad.frontend.calls_fourier import FOURIER
from s2s_ad.frontend.calls_histograms import HISTOGRAMS
from s2s_ad.frontend.calls_matrices import MATRICES
from s2s_ad.frontend.calls_operator import FUNCTIONS_OF_OPERATOR
from s2s_ad.frontend.calls_padding import PADDING
from s2s_ad.frontend.calls_polynomials import POLYNOMIALS
from s2s_ad.frontend.calls_products import PRODUCTS
from s2s_ad.frontend.calls_same_array import SAME_ARRAY
from s2s_ad.frontend.calls_scipy import SCIPY
from s2s_ad.frontend.calls_series import POLYNOMIAL_SERIES
from s2s_ad.frontend.calls_tools import Function
from s2s_ad.frontend.calls_ufuncs import UFUNCS

UFUNC_REDUCTIONS = {
    "add": "sum",
    "multiply": "prod",
    "maximum": "max",
    "minimum": "min",
    "logical_and": "all",
    "logical_or": "any",
}
PARTIAL = ("sum", "mean", "prod", "var", "std", "max", "min")
WITHOUT_NAN = ("sum", "prod", "max", "min")
FUNCTIONS: dict[str, Function] = {
    f"numpy.{name}": function
    for name, function in {
        **UFUNCS,
        "where": choices.lower_where,
        "nonzero": choices.lower_nonzero,
        "select": choices.lower_select,
        "piecewise": choices.lower_piecewise,
        "choose": choices.lower_choose,
        "clip": choices.lower_clip,
        "reshape": layout.lower_reshape,
        "ravel": layout.lower_ravel,
        "interp": choices.lower_interpolation,
        "divmod": several.both("//", "%"),
        "split": several.split("split", 0),
        "array_split": several.split("array_split", 0),
        "vsplit": several.split("vsplit", 0),
        "hsplit": several.split("hsplit", 1),
        "dsplit": several.split("dsplit", 2),
        "unstack": several.lower_unstack,
        "unique": several.lower_unique,
        "meshgrid": several.lower_meshgrid,
        "broadcast_arrays": several.lower_broadcast_arrays,
        "ix_": several.lower_ix,
        "diag_indices": several.lower_diagonal_indices,
        "diag_indices_from": several.lower_diagonal_indices_from,
        "apply_over_axes": reductions.lower_over_axes,
        "astype": sums.lower_astype,
        "unravel_index": several.lower_unravel_index,
        "block": several.lower_block,
        "atleast_1d": several.at_least(1),
        "atleast_2d": several.at_least(2),
        "atleast_3d": several.at_least(3),
        "rollaxis": several.lower_roll_axis,
        "ptp": sums.lower_ptp,
        "average": sums.lower_average,
        "trapezoid": sums.lower_trapezoid,
        "ediff1d": sums.lower_ediff1d,
        "gradient": sums.lower_gradient,
        "cov": sums.lower_covariance,
        "corrcoef": sums.lower_correlation,
        "logspace": sums.lower_logspace,
        "cumulative_sum": sums.cumulative("cumsum"),
        "cumulative_prod": sums.cumulative("cumprod"),
        "diagflat": sums.lower_diagonal_matrix,
        **{name: reductions.partial(name) for name in PARTIAL},
        **{name: reductions.partial(name[1:]) for name in ("amax", "amin")},
        **{f"nan{name}": reductions.spread_without_nan(name) for name in ("mean", "var", "std")},
        **{f"nan{name}": reductions.without_nan(name) for name in WITHOUT_NAN},
        "put": writes.lower_put,
        "place": writes.lower_place,
        "putmask": writes.lower_put_mask,
        "copyto": writes.lower_copy_to,
        "dtype": equalities.lower_dtype,
        "issubdtype": equalities.lower_is_subdtype,
        "isscalar": equalities.lower_is_scalar,
        "fill_diagonal": writes.lower_fill_diagonal,
        "put_along_axis": writes.lower_put_along_axis,
        **joins.JOINS,
        **ELEMENTS,
        **SAME_ARRAY,
        **FOURIER,
        **HISTOGRAMS,
        **MATRICES,
        **PADDING,
        **POLYNOMIALS,
        **POLYNOMIAL_SERIES,
        **PRODUCTS,
        "add.accumulate": sums.accumulate("cumsum"),
        "multiply.accumulate": sums.accumulate("cumprod"),
        **{
            f"{name}.reduce": reductions.reduce(target) for name, target in UFUNC_REDUCTIONS.items()
        },
        **{
            name: several.triangle_indices(name)
            for name in ("triu_indices", "tril_indices", "triu_indices_from", "tril_indices_from")
        },
    }.items()
}
FUNCTIONS["builtins.divmod"] = several.both("//", "%")
FUNCTIONS.update(SCIPY)
FUNCTIONS.update(FUNCTIONS_OF_OPERATOR)


# the array itself comes first
METHODS: dict[str, Function] = {
    **{name: reductions.partial(name) for name in PARTIAL},
    "clip": choices.lower_clip,
    "reshape": layout.lower_reshape_method,
    "ravel": layout.lower_ravel,
    "flatten": layout.lower_flatten_method,
    "nonzero": choices.lower_nonzero,
    "choose": choices.lower_choose,
    "put": writes.lower_put,
}
