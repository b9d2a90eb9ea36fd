"""Densities, distribution functions and quantiles of `scipy.stats`.

A continuous distribution is stated once, by two things about the standard one, of which all others
are shifted by `loc` and stretched by `scale`: `score`, the derivative of the logarithm of its
density in z, and the derivatives of the same in its shapes. The distribution function has the
density as derivative; in shapes it is refused. What parameters allow is checked by SciPy, which
gives -inf or NaN outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s2s_ad.ir import Atom
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import of_shape, require_numeric
from s2s_ad.types import Array, Sizes, Type, shape_of

CATALOGUE = Catalogue()


def _density_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """SciPy computes densities in double precision."""
    types = [operand.type for operand in operands]
    require_numeric(types)
    return of_shape("f64", sizes.broadcast([shape_of(type) for type in types]))


def declare(call: str, *lines: str, **properties: Any) -> None:
    """Declare a function of `scipy.stats`; `sp.` stands for `scipy.special.`."""
    spelled = [line.replace("sp.", "scipy.special.") for line in lines]
    CATALOGUE.elementwise(f"out = scipy.stats.{call}", *spelled, infer=_density_type, **properties)


# Continuous distributions -------------------------------------------------------------------------

Z = "((x - loc) / scale)"
NO_SHAPES = "in the argument, `loc` and `scale`; derivatives in the shapes are refused"
DENSITIES = ("logpdf", "pdf")
DISTRIBUTION = (*DENSITIES, "cdf")
LOGARITHMS = (*DISTRIBUTION, "logcdf", "sf", "logsf")


def continuous(
    name: str,
    methods: Sequence[str],
    score: str,
    shapes: dict[str, str] | None = None,
    spread: str = "",
    density: str = "",
    domains: dict[str, str] | None = None,
) -> None:
    """Declare functions of a distribution. `{z}` is the standardised argument, `{density}` the
    density itself.

    `spread` is `z * score + 1` where that has a shorter form, and `density` the density where it
    is quicker than a call of SciPy.
    """
    shapes = shapes or {}
    arguments = "".join(f", {shape}" for shape in shapes)
    given = f"{arguments}, loc=loc, scale=scale"
    domains = {"x": "positive", "scale": "positive", **(domains or {})}
    standing = f"({score.format(z=Z)})"
    spreading = f"({spread.format(z=Z)})" if spread else f"({Z} * {standing} + 1.0)"
    density = density.format(z=Z) or f"scipy.stats.{name}.pdf(x{given})"
    ratio = f"np.exp(scipy.stats.{name}.logpdf(x{given}) - out)"
    small = dict.fromkeys(("x", *shapes), "f[3]")
    wide = {"x": "f[2,3]", **dict.fromkeys(shapes, "f[3]"), "loc": "f[]", "scale": "f[2,1]"}
    for method in methods:
        form = f"{name}.{method}(x{arguments}, loc=0, scale=1)"
        common: dict[str, Any] = {"domains": domains, "samples": (wide,)}
        if method in DENSITIES:
            times = "grad_out * out" if method == "pdf" else "grad_out"
            own = "out" if method == "pdf" else "np.exp(out)"
            if method == "logpdf":
                common["samples"] = (small, wide)
            declare(
                form,
                f"grad_x += {times} * {standing} / scale",
                f"grad_loc += -{times} * {standing} / scale",
                f"grad_scale += -{times} * {spreading} / scale",
                *(
                    f"grad_{shape} += {times} * ({slope.format(z=Z, density=own)})"
                    for shape, slope in shapes.items()
                ),
                **common,
            )
            continue
        if shapes:
            common |= {"refused": tuple(shapes), "note": NO_SHAPES}
        if method in ("ppf", "isf"):
            _declare_quantiles(name, method, arguments, given, common)
            continue
        slope = ratio if method.startswith("log") else density
        if method.endswith("sf"):
            slope = f"-{slope}"
        declare(
            form,
            f"grad_x += grad_out * {slope}",
            f"grad_loc += -grad_out * {slope}",
            f"grad_scale += -grad_out * {Z} * {slope}",
            **common,
        )


def _declare_quantiles(
    name: str, method: str, arguments: str, given: str, common: dict[str, Any]
) -> None:
    sign = "-" if method == "isf" else ""
    (wide,) = common["samples"]
    named = {"q": wide["x"], **{key: item for key, item in wide.items() if key != "x"}}
    declare(
        f"{name}.{method}(q{arguments}, loc=0, scale=1)",
        f"grad_q += {sign}grad_out / scipy.stats.{name}.pdf(out{given})",
        "grad_loc += grad_out",
        "grad_scale += grad_out * (out - loc) / scale",
        **{**common, "samples": (named,), "domains": {**common["domains"], "q": "probability"}},
    )


SHIFTED = {"x": "large", "loc": "unit"}  # z is positive
INSIDE = {"x": "probability", "loc": "below", "scale": "large"}  # z is between 0 and 1
CAUCHY: dict[str, Any] = {"score": "-2.0 * {z} / (1.0 + {z} ** 2)"}
NORMAL: dict[str, Any] = {"score": "-{z}", "spread": "1.0 - {z} ** 2"}
QUANTILES = (*LOGARITHMS, "ppf", "isf")
continuous("norm", QUANTILES, **NORMAL,
           density="np.exp(-0.5 * {z} ** 2) / (np.sqrt(2.0 * np.pi) * scale)")  # fmt: skip
continuous(
    "t",
    (*DISTRIBUTION, "logcdf"),
    "-(df + 1.0) * {z} / (df + {z} ** 2)",
    {
        "df": "0.5 * (sp.digamma(0.5 * (df + 1.0)) - sp.digamma(0.5 * df) - 1.0 / df "
        "- np.log1p({z} ** 2 / df) + (df + 1.0) * {z} ** 2 / (df * (df + {z} ** 2)))"
    },
    domains={"df": "large"},
)
continuous("cauchy", QUANTILES, **CAUCHY)
continuous("halfcauchy", DISTRIBUTION, **CAUCHY, domains=SHIFTED)
continuous("halfnorm", DISTRIBUTION, **NORMAL, domains=SHIFTED)
continuous("laplace", DISTRIBUTION, "-np.sign({z})")
continuous("logistic", (*DISTRIBUTION, "sf", "ppf", "isf"), "-np.tanh(0.5 * {z})")
continuous("uniform", (*DISTRIBUTION, "ppf"), "0.0 * x", spread="1.0", domains=INSIDE)
continuous("expon", (*LOGARITHMS, "ppf"), "-1.0", spread="1.0 - {z}", domains=SHIFTED)
continuous("gumbel_r", (*LOGARITHMS, "ppf"), "np.expm1(-{z})")
continuous("gumbel_l", (*LOGARITHMS, "ppf"), "-np.expm1({z})")
continuous(
    "gamma",
    LOGARITHMS,
    "(a - 1.0) / {z} - 1.0",
    {"a": "np.log({z}) - sp.digamma(a)"},
    spread="a - {z}",
    domains={**SHIFTED, "a": "positive"},
)
continuous(
    "invgamma",
    DISTRIBUTION,
    "(1.0 / {z} - a - 1.0) / {z}",
    {"a": "-np.log({z}) - sp.digamma(a)"},
    spread="1.0 / {z} - a",
    domains={**SHIFTED, "a": "positive"},
)
continuous(
    "chi2",
    LOGARITHMS,
    "(0.5 * df - 1.0) / {z} - 0.5",
    {"df": "0.5 * (np.log(0.5 * {z}) - sp.digamma(0.5 * df))"},
    spread="0.5 * (df - {z})",
    domains={**SHIFTED, "df": "large"},
)
continuous(
    "beta",
    LOGARITHMS,
    "(a - 1.0) / {z} - (b - 1.0) / (1.0 - {z})",
    {
        "a": "np.log({z}) - sp.digamma(a) + sp.digamma(a + b)",
        "b": "np.log1p(-{z}) - sp.digamma(b) + sp.digamma(a + b)",
    },
    domains={**INSIDE, "a": "positive", "b": "positive"},
)
continuous(
    "lognorm",
    DISTRIBUTION,
    "-(1.0 + np.log({z}) / s ** 2) / {z}",
    {"s": "(np.log({z}) ** 2 / s ** 2 - 1.0) / s"},
    spread="-np.log({z}) / s ** 2",
    domains={**SHIFTED, "s": "positive"},
)
continuous(
    "pareto",
    (*LOGARITHMS, "ppf"),
    "-(b + 1.0) / {z}",
    {"b": "1.0 / b - np.log({z})"},
    spread="-b",
    domains={"x": "large", "loc": "below", "scale": "probability", "b": "positive"},
)
continuous(
    "weibull_min",
    DISTRIBUTION,
    "(c - 1.0 - c * {z} ** c) / {z}",
    {"c": "1.0 / c + np.log({z}) * (1.0 - {z} ** c)"},
    spread="c * (1.0 - {z} ** c)",
    domains={**SHIFTED, "c": "positive"},
)
continuous(
    "gennorm",
    DISTRIBUTION,
    "-beta * np.abs({z}) ** (beta - 1.0) * np.sign({z})",
    {
        "beta": "1.0 / beta + sp.digamma(1.0 / beta) / beta ** 2 "
        "- sp.xlogy(np.abs({z}) ** beta, np.abs({z}))"
    },
    spread="1.0 - beta * np.abs({z}) ** beta",
    domains={**SHIFTED, "beta": "large"},
)
continuous(
    "truncnorm",
    LOGARITHMS,
    "-{z}",
    {
        "a": "scale * {density} * np.exp(0.5 * ({z} ** 2 - a * a))",
        "b": "-scale * {density} * np.exp(0.5 * ({z} ** 2 - b * b))",
    },
    spread="1.0 - {z} ** 2",
    domains={"x": "fraction", "a": "below", "b": "large", "loc": "above", "scale": "large"},
)
continuous(
    "vonmises",
    DENSITIES,
    "-kappa * np.sin({z})",
    {"kappa": "np.cos({z}) - sp.i1e(kappa) / sp.i0e(kappa)"},
    domains={"x": "unit", "loc": "unit", "kappa": "positive"},
)
continuous(
    "wrapcauchy",
    DENSITIES,
    "-2.0 * c * np.sin({z}) / (1.0 + c * c - 2.0 * c * np.cos({z}))",
    {
        "c": "2.0 * (np.cos({z}) - c) / (1.0 + c * c - 2.0 * c * np.cos({z})) "
        "- 2.0 * c / (1.0 - c * c)"
    },
    domains={**SHIFTED, "c": "probability", "scale": "large"},
)

# Discrete distributions: in their parameters, the counts being integers ---------------------------

COUNTS = "in the parameters; counts are not differentiated"


def discrete(name: str, counts: dict[str, Any], slopes: dict[str, str], **domains: str) -> None:
    """Declare `logpmf` and `pmf`, from the derivatives of the logarithm in the parameters; `counts`
    are given with samples.
    """
    arguments = ", ".join((*counts, *slopes))
    for method, times in (("logpmf", "grad_out"), ("pmf", "grad_out * out")):
        declare(
            f"{name}.{method}({arguments})",
            *(f"grad_{key} += {times} * ({slope})" for key, slope in slopes.items()),
            refused=tuple(counts),
            domains=domains,
            samples=({**counts, **dict.fromkeys(slopes, "f[2,3]")},),
            note=COUNTS,
        )


discrete("poisson", {"k": "i[3]<5"}, {"mu": "k / mu - 1.0"}, mu="positive")
discrete("bernoulli", {"k": "i[3]<2"}, {"p": "k / p - (1 - k) / (1.0 - p)"}, p="probability")
discrete("binom", {"k": 2, "n": 4}, {"p": "k / p - (n - k) / (1.0 - p)"}, p="probability")
discrete("geom", {"k": 2}, {"p": "1.0 / p - (k - 1) / (1.0 - p)"}, p="probability")
discrete(
    "nbinom",
    {"k": "i[3]<5"},
    {
        "n": "sp.digamma(k + n) - sp.digamma(n) + np.log(p)",
        "p": "n / p - k / (1.0 - p)",
    },
    n="positive",
    p="probability",
)
discrete(
    "betabinom",
    {"k": 2, "n": 4},
    {
        "a": "sp.digamma(k + a) - sp.digamma(n + a + b) - sp.digamma(a) + sp.digamma(a + b)",
        "b": "sp.digamma(n - k + b) - sp.digamma(n + a + b) - sp.digamma(b) + sp.digamma(a + b)",
    },
    a="positive",
    b="positive",
)
declare(
    "poisson.cdf(k, mu)",
    "grad_mu += -grad_out * scipy.stats.poisson.pmf(np.floor(k), mu)",
    refused=("k",),
    domains={"mu": "positive"},
    samples=({"k": "i[3]<5", "mu": "f[2,3]"},),
    note=COUNTS,
)
declare(
    "bernoulli.cdf(k, p)",
    "grad_p += np.where((k >= 0) & (k < 1), -grad_out, 0.0)",
    refused=("k",),
    domains={"p": "probability"},
    samples=({"k": "i[3]<2", "p": "f[2,3]"},),
    note=COUNTS,
)
declare("bernoulli.ppf(q, p)", samples=({"q": "r[3]", "p": "r[2,3]"},))
RISE = "np.log((poisson_counts(mu) + 1.0) / np.expand_dims(mu, -1))"
CHANCE = "scipy.stats.poisson.pmf(poisson_counts(mu), np.expand_dims(mu, -1))"
declare(
    "poisson.entropy(mu)",
    f"grad_mu += grad_out * np.sum({CHANCE} * {RISE}, axis=-1)",
    domains={"mu": "positive"},
    samples=({"mu": "f[2,3]"}, {"mu": "f[]"}, {"mu": "f[1]"}),
)
CATALOGUE.operation(
    "out = poisson_counts(mu)",
    infer=lambda sizes, _: Array("i64", (sizes.fresh(),)),
    constant=True,
    helper="poisson_counts",
)
