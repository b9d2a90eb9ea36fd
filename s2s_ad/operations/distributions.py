"""Log-densities of `scipy.stats`.

A density is differentiated in its argument and its parameters; what the parameters allow is
checked by SciPy, which gives -inf or NaN outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s2s_ad.ir import Atom
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.matrices import scipy_dtype
from s2s_ad.operations.result_types import known_shape, of_shape, require_numeric
from s2s_ad.types import Sizes, Type, TypeProblem, shape_of

CATALOGUE = Catalogue()


def _density_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """SciPy computes densities in double precision."""
    types = [operand.type for operand in operands]
    require_numeric(types)
    return of_shape("f64", sizes.broadcast([shape_of(type) for type in types]))


def density(call: str, *lines: str, **properties: Any) -> None:
    """Declare a function of `scipy.stats`; `sp.` stands for `scipy.special.`."""
    spelled = [line.replace("sp.", "scipy.special.") for line in lines]
    CATALOGUE.elementwise(f"out = scipy.stats.{call}", *spelled, infer=_density_type, **properties)


STANDARD = "((x - loc) / scale)"
SHAPES = ("f[3]", "f[2,3]", "f[]")
NORMAL: dict[str, Any] = {
    "domains": {"scale": "positive"},
    "samples": ({"x": "f[3]"}, {"x": "f[2,3]", "loc": "f[3]", "scale": "f[]"}),
}
density(
    "norm.logpdf(x, loc=0, scale=1)",
    f"grad_x += -grad_out * {STANDARD} / scale",
    f"grad_loc += grad_out * {STANDARD} / scale",
    f"grad_scale += grad_out * ({STANDARD} ** 2 - 1.0) / scale",
    **NORMAL,
)
density(
    "norm.pdf(x, loc=0, scale=1)",
    f"grad_x += -grad_out * out * {STANDARD} / scale",
    f"grad_loc += grad_out * out * {STANDARD} / scale",
    f"grad_scale += grad_out * out * ({STANDARD} ** 2 - 1.0) / scale",
    **NORMAL,
)
NORMAL_DENSITY = f"np.exp(-0.5 * {STANDARD} ** 2) / (np.sqrt(2.0 * np.pi) * scale)"
density(
    "norm.cdf(x, loc=0, scale=1)",
    f"grad_x += grad_out * {NORMAL_DENSITY}",
    f"grad_loc += -grad_out * {NORMAL_DENSITY}",
    f"grad_scale += -grad_out * {STANDARD} * {NORMAL_DENSITY}",
    **NORMAL,
)
LOG_RATIO = f"np.exp(-0.5 * {STANDARD} ** 2 - out) / (np.sqrt(2.0 * np.pi) * scale)"
density(
    "norm.logcdf(x, loc=0, scale=1)",
    f"grad_x += grad_out * {LOG_RATIO}",
    f"grad_loc += -grad_out * {LOG_RATIO}",
    f"grad_scale += -grad_out * {STANDARD} * {LOG_RATIO}",
    **NORMAL,
)

HEAVY = f"(df + {STANDARD} ** 2)"
density(
    "t.logpdf(x, df, loc=0, scale=1)",
    f"grad_x += -grad_out * (df + 1.0) * {STANDARD} / ({HEAVY} * scale)",
    f"grad_loc += grad_out * (df + 1.0) * {STANDARD} / ({HEAVY} * scale)",
    f"grad_scale += grad_out * ((df + 1.0) * {STANDARD} ** 2 / {HEAVY} - 1.0) / scale",
    "grad_df += grad_out * 0.5 * (sp.digamma(0.5 * (df + 1.0)) - sp.digamma(0.5 * df) - 1.0 / df "
    f"- np.log1p({STANDARD} ** 2 / df) + (df + 1.0) * {STANDARD} ** 2 / (df * {HEAVY}))",
    domains={"df": "large", "scale": "positive"},
    samples=(
        {"x": "f[3]", "df": "f[]"},
        {"x": "f[2,3]", "df": "f[3]", "loc": "f[]", "scale": "f[2,1]"},
    ),
)
density(
    "beta.logpdf(x, a, b)",
    "grad_x += grad_out * ((a - 1.0) / x - (b - 1.0) / (1.0 - x))",
    "grad_a += grad_out * (np.log(x) - sp.digamma(a) + sp.digamma(a + b))",
    "grad_b += grad_out * (np.log1p(-x) - sp.digamma(b) + sp.digamma(a + b))",
    domains={"x": "probability", "a": "positive", "b": "positive"},
)
density(
    "gamma.logpdf(x, a, loc=0, scale=1)",
    f"grad_x += grad_out * ((a - 1.0) / {STANDARD} - 1.0) / scale",
    "grad_a += grad_out * (np.log(x - loc) - np.log(scale) - sp.digamma(a))",
    f"grad_loc += -grad_out * ((a - 1.0) / {STANDARD} - 1.0) / scale",
    f"grad_scale += grad_out * ({STANDARD} - a) / scale",
    domains={"x": "large", "a": "positive", "loc": "unit", "scale": "positive"},
    samples=(
        {"x": "f[3]", "a": "f[]"},
        {"x": "f[2,3]", "a": "f[3]", "loc": "f[]", "scale": "f[2,1]"},
    ),
)
CATALOGUE.operation(
    "out = scipy.stats.poisson.logpmf(k, mu)",
    "grad_mu += grad_out * (k / mu - 1.0)",
    infer=_density_type,
    tangent=("tangent_out = tangent_mu * (k / mu - 1.0)",),
    broadcasts=("mu",),
    domains={"mu": "positive"},
    samples=({"k": "i[3]<5", "mu": "f[3]"}, {"k": "i[2,3]<5", "mu": "f[2,3]"}),
    note="in the mean; the count is an integer",
)
density(
    "expon.logpdf(x, loc=0, scale=1)",
    "grad_x += -grad_out / scale",
    "grad_loc += grad_out / scale",
    f"grad_scale += grad_out * ({STANDARD} - 1.0) / scale",
    domains={"x": "large", "loc": "unit", "scale": "positive"},
    samples=({"x": "f[3]"}, {"x": "f[2,3]", "loc": "f[3]", "scale": "f[]"}),
)


# The multivariate normal density: x one point, or a point a row -----------------------------------


def _joint_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    function = "scipy.stats.multivariate_normal.logpdf"
    scipy_dtype([operand.type for operand in operands], function)
    x, mean, cov = (known_shape(operand, function) for operand in operands)
    if len(x) not in (1, 2) or len(mean) != 1 or len(cov) != 2:
        message = f"`{function}` is supported for points of rank 1 or 2, a mean and a covariance"
        raise TypeProblem("shape-mismatch", message)
    try:
        for size in (mean[0], *cov):
            sizes.unify(x[-1], size)
    except TypeProblem:
        message = f"the sizes of the arguments of `{function}` differ"
        raise TypeProblem("shape-mismatch", message) from None
    return of_shape("f64", x[:-1])


SOLVED = "np.linalg.solve(cov, (x - mean).T).T"
CATALOGUE.operation(
    "out = scipy.stats.multivariate_normal.logpdf(x, mean, cov)",
    f"grad_x += -np.expand_dims(grad_out, -1) * {SOLVED}",
    f"grad_mean += np.sum(np.reshape(np.expand_dims(grad_out, -1) * {SOLVED}, (-1, len(mean))), "
    "axis=0)",
    "grad_cov += fold_lower(0.5 * (np.reshape(np.expand_dims(grad_out, -1) * "
    f"{SOLVED}, (-1, len(mean))).T @ np.reshape({SOLVED}, (-1, len(mean))) "
    "- np.sum(grad_out) * np.linalg.inv(cov)))",
    infer=_joint_type,
    tangent=(
        f"tangent_out = -np.sum(tangent_x * {SOLVED}, axis=-1)",
        f"tangent_out = np.sum(tangent_mean * {SOLVED}, axis=-1)",
        f"tangent_out = 0.5 * np.sum({SOLVED} * ({SOLVED} @ mirror_lower(tangent_cov)), axis=-1) "
        "- 0.5 * np.trace(np.linalg.solve(cov, mirror_lower(tangent_cov)))",
    ),
    domains={"cov": "definite"},
    samples=(
        {"x": "f[3]", "mean": "f[3]", "cov": "f[3,3]"},
        {"x": "f[4,2]", "mean": "f[2]", "cov": "f[2,2]"},
    ),
    note="only the lower triangle of the covariance is read: the derivative lies there",
)
