"""Densities of several variables together, of `scipy.stats`: multivariate normal and Dirichlet."""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Atom
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.matrices import scipy_dtype
from s2s_ad.operations.result_types import known_shape, of_shape
from s2s_ad.types import Scalar, Sizes, Type, TypeProblem

CATALOGUE = Catalogue()


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
TRIANGLE = "only the lower triangle of the covariance is read: the derivative lies there"
for method, times in (("logpdf", "grad_out"), ("pdf", "(grad_out * out)")):
    adjoint = f"np.reshape(np.expand_dims({times}, -1) * {SOLVED}, (-1, len(mean)))"
    dot = "out * " if method == "pdf" else ""
    CATALOGUE.operation(
        f"out = scipy.stats.multivariate_normal.{method}(x, mean, cov)",
        f"grad_x += -np.expand_dims({times}, -1) * {SOLVED}",
        f"grad_mean += np.sum({adjoint}, axis=0)",
        f"grad_cov += fold_lower(0.5 * ({adjoint}.T @ np.reshape({SOLVED}, (-1, len(mean))) "
        f"- np.sum({times}) * np.linalg.inv(cov)))",
        infer=_joint_type,
        tangent=(
            f"tangent_out = -{dot}np.sum(tangent_x * {SOLVED}, axis=-1)",
            f"tangent_out = {dot}np.sum(tangent_mean * {SOLVED}, axis=-1)",
            f"tangent_out = {dot}0.5 * (np.sum({SOLVED} * ({SOLVED} @ mirror_lower(tangent_cov)), "
            "axis=-1) - np.trace(np.linalg.solve(cov, mirror_lower(tangent_cov))))",
        ),
        domains={"cov": "definite"},
        samples=(
            {"x": "f[3]", "mean": "f[3]", "cov": "f[3,3]"},
            {"x": "f[4,2]", "mean": "f[2]", "cov": "f[2,2]"},
        ),
        note=TRIANGLE,
    )


def _entropy_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    mean, cov = operands
    _joint_type(sizes, (mean, mean, cov))
    return Scalar("f64")


CATALOGUE.operation(
    "out = scipy.stats.multivariate_normal.entropy(mean, cov)",
    "grad_cov += fold_lower(0.5 * grad_out * np.linalg.inv(cov))",
    "grad_mean += np.zeros_like(mean)",
    infer=_entropy_type,
    tangent=(
        "tangent_out = 0.5 * np.trace(np.linalg.solve(cov, mirror_lower(tangent_cov)))",
        "tangent_out = 0.0 * np.sum(tangent_mean)",
    ),
    domains={"cov": "definite"},
    samples=({"mean": "f[3]", "cov": "f[3,3]"},),
    note=TRIANGLE,
)


# Dirichlet ----------------------------------------------------------------------------------------


def _dirichlet_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    function = "scipy.stats.dirichlet"
    scipy_dtype([operand.type for operand in operands], function)
    x, alpha = (known_shape(operand, function) for operand in operands)
    if len(x) != 1 or len(alpha) != 1:
        message = f"`{function}` is supported for one point: vectors of one length"
        raise TypeProblem("shape-mismatch", message)
    sizes.unify(x[0], alpha[0])
    return Scalar("f64")


SHARES = "scipy.special.digamma(np.sum(alpha)) - scipy.special.digamma(alpha)"
for method, times in (("logpdf", ""), ("pdf", "out * ")):
    CATALOGUE.operation(
        f"out = scipy.stats.dirichlet.{method}(x, alpha)",
        f"grad_x += grad_out * {times}(alpha - 1.0) / x",
        f"grad_alpha += grad_out * {times}(np.log(x) + {SHARES})",
        infer=_dirichlet_type,
        tangent=(
            f"tangent_out = {times}np.sum(tangent_x * (alpha - 1.0) / x)",
            f"tangent_out = {times}np.sum(tangent_alpha * (np.log(x) + {SHARES}))",
        ),
        domains={"alpha": "large"},
        note="of points inside, whose coordinates add up to 1",
    )


# Multinomial --------------------------------------------------------------------------------------


def _multinomial_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    function = "scipy.stats.multinomial"
    scipy_dtype([operands[2].type], function)
    counts, total, chances = (known_shape(each, function) for each in operands)
    if not counts or len(chances) != 1 or total:
        message = f"`{function}` is supported for one number of trials and one vector `p`"
        raise TypeProblem("shape-mismatch", message)
    sizes.unify(counts[-1], chances[0])
    return of_shape("f64", counts[:-1])


for method, times in (("logpmf", "grad_out"), ("pmf", "(grad_out * out)")):
    dot = "out * " if method == "pmf" else ""
    CATALOGUE.operation(
        f"out = scipy.stats.multinomial.{method}(x, n, p)",
        f"grad_p += np.sum(np.reshape(np.expand_dims({times}, -1) * np.where(x == 0, 0.0, x / p), "
        "(-1, len(p))), axis=0)",
        infer=_multinomial_type,
        tangent=(f"tangent_out = {dot}np.sum(tangent_p * np.where(x == 0, 0.0, x / p), axis=-1)",),
        refused=("x", "n"),
        note="of probabilities that sum to 1; SciPy replaces the last one of others",
    )
