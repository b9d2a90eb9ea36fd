"""`scipy.special`, element by element and over axes.

Derivatives are those of the NIST "Digital Library of Mathematical Functions" (dlmf.nist.gov),
chapters 5 to 10; recurrences that do not cancel near 0 are preferred (10.6.1, 10.29.1). A generated
module imports SciPy only if the function does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from s2s_ad.ir import Atom, Const, Rule, Var
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import (
    constant,
    known_shape,
    normal_axes,
    of_shape,
    reduction_type,
    require_numeric,
    unsupported,
)
from s2s_ad.types import (
    DTYPES,
    NONE,
    Array,
    Items,
    Sizes,
    Type,
    TypeProblem,
    dtype_of,
    is_float,
    promote,
    rank_of,
    shape_of,
)

CATALOGUE = Catalogue()


def special_dtype(types: Sequence[Type]) -> str:
    """SciPy computes in single precision for float32, else in double.

    What it does with smaller types differs from function to function and version to version.
    """
    require_numeric(types)
    small = {dtype_of(type) for type in types} - {"f64", "f32", "i64", "i32"}
    dtype = promote(types)
    mixed = dtype == "f32" and not all(map(is_float, types))
    if small or mixed:
        spelled = " and ".join(sorted({DTYPES[dtype_of(type)] for type in types}))
        message = f"functions of `scipy.special` are not supported for {spelled}"
        raise TypeProblem("unsupported-dtype", message, "convert with `.astype(float)`")
    return dtype if dtype.startswith("f") else "f64"


def special_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """The type of an elementwise function whose promotion is NumPy's."""
    types = [operand.type for operand in operands]
    shape = sizes.broadcast([shape_of(type) for type in types])
    return of_shape(special_dtype(types), shape)


def uniform_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """The type of a function that does not take Python numbers as NumPy does beside float32."""
    if len({dtype_of(operand.type) for operand in operands} & {"f32", "f64"}) == 2:
        message = "this function of SciPy computes float32 and other floats in double precision"
        raise TypeProblem("unsupported-dtype", message, "give all arguments one dtype")
    return special_type(sizes, operands)


def declare_special(catalogue: Catalogue, call: str, *slopes: str, **properties: Any) -> None:
    """Declare `scipy.special.<call>`; a slope is `x: formula`, with `sp.` for `scipy.special.`."""
    lines = []
    for slope in slopes:
        name, _, formula = slope.partition(": ")
        lines.append(f"grad_{name} += grad_out * {formula.replace('sp.', 'scipy.special.')}")
    properties.setdefault("infer", special_type)
    catalogue.elementwise(f"out = scipy.special.{call}", *lines, **properties)


def _double_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """The type of a function that chooses its precision by the version of SciPy."""
    if dtype_of(operands[0].type) != "f64":
        message = "this function of SciPy is supported for numbers of double precision"
        raise TypeProblem("unsupported-dtype", message, "use `.astype(float)`")
    shape = shape_of(operands[0].type)
    return operands[0].type if isinstance(operands[0].type, Array) else of_shape("f64", shape)


special = partial(declare_special, CATALOGUE)

POSITIVE = {"domains": {"x": "positive"}}
UNIT = {"domains": {"x": "unit"}}
PROBABILITY = {"domains": {"x": "probability"}}

# Error functions and normal distribution (7.2, 7.6). The reciprocal of a density is that of the
# nearer tail, by `erfcx`, over its probability: no exponential of a rounded square.
TAIL = "(sp.erfcx(np.where({0}, {1}, -{1})) / np.where({0}, x, {2}))"
special("erf(x)", "x: (2.0 / np.sqrt(np.pi)) * np.exp(-x * x)")
special("erfc(x)", "x: (-2.0 / np.sqrt(np.pi)) * np.exp(-x * x)")
special("erfcx(x)", "x: np.where(x < 8.0, 2.0 * x * out - 2.0 / np.sqrt(np.pi), "
        "-sp.hyperu(1.0, 0.5, np.square(np.where(x < 8.0, 8.0, x))) / np.sqrt(np.pi))")  # fmt: skip
special("erfi(x)", "x: (2.0 / np.sqrt(np.pi)) * np.exp(x * x)")
special("dawsn(x)", "x: sp.hyp1f1(1.0, 0.5, -x * x)")
special("erfinv(x)", "x: (0.5 * np.sqrt(np.pi)) * np.exp(out * out)", **UNIT)
special("erfcinv(x)", f"x: (-0.5 * np.sqrt(np.pi)) * {TAIL.format('x < 1.0', 'out', '2.0 - x')}",
        **PROBABILITY)  # fmt: skip
special("ndtr(x)", "x: np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi)")
special("log_ndtr(x)", "x: np.sqrt(2.0 / np.pi) / sp.erfcx(-x / np.sqrt(2.0))")
special("ndtri(x)", "x: np.sqrt(0.5 * np.pi) * "
        + TAIL.format("x < 0.5", "(-out / np.sqrt(2.0))", "1.0 - x"), **PROBABILITY)  # fmt: skip
special("ndtri_exp(y)", "y: np.sqrt(0.5 * np.pi) * np.where(y < -0.5, "
        "sp.erfcx(-np.minimum(out, 1.0) / np.sqrt(2.0)), "
        "sp.erfcx(np.maximum(out, -1.0) / np.sqrt(2.0)) / np.expm1(np.minimum(-y, 1.0)))",
        domains={"y": "below"})  # fmt: skip

# Gamma and beta functions (5.2, 5.9, 5.12, 8.2, 8.17)
special("gamma(x)", "x: out * sp.digamma(x)", **POSITIVE)
special("gammaln(x)", "x: sp.digamma(x)", **POSITIVE)
special("loggamma(x)", "x: sp.digamma(x)", **POSITIVE, note="of real numbers above 0")
special("gammasgn(x)")
special("rgamma(x)", "x: rgamma_slope(x)")
special("digamma(x)", "x: sp.polygamma(1, x)", also=("scipy.special.psi",), **POSITIVE)
special("beta(a, b)", "a: -out * digamma_rise(a, b)", "b: -out * digamma_rise(b, a)",
        infer=uniform_type, domains={"a": "positive", "b": "positive"})  # fmt: skip
special("betaln(a, b)", "a: -digamma_rise(a, b)", "b: -digamma_rise(b, a)",
        infer=uniform_type, domains={"a": "positive", "b": "positive"})  # fmt: skip
special("poch(a, m)", "a: out * digamma_rise(a, m)",
        "m: out * sp.digamma(a + m)",
        domains={"a": "positive", "m": "positive"})  # fmt: skip
special("binom(n, k)", "n: out * digamma_rise(n - k + 1.0, k)",
        "k: out * (sp.digamma(n - k + 1.0) - sp.digamma(k + 1.0))",
        domains={"n": "large", "k": "positive"})  # fmt: skip

special("comb(N, k)", "N: out * digamma_rise(N - k + 1.0, k)",
        "k: out * (sp.digamma(N - k + 1.0) - sp.digamma(k + 1.0))",
        infer=uniform_type, domains={"N": "large", "k": "fraction"})  # fmt: skip
special("factorial(n)", "n: out * sp.digamma(n + 1.0)",
        infer=_double_type, domains={"n": "positive"})  # fmt: skip

CATALOGUE.elementwise(
    "out = digamma_rise(x, d)",
    "grad_x += grad_out * (scipy.special.polygamma(1, x + d) - scipy.special.polygamma(1, x))",
    "grad_d += grad_out * scipy.special.polygamma(1, x + d)",
    infer=uniform_type,
    domains={"x": "positive", "d": "positive"},
    helper="digamma_rise",
)

CATALOGUE.elementwise(
    "out = rgamma_slope(x)",
    "grad_x += grad_out * scipy.special.rgamma(x) "
    "* (scipy.special.digamma(x) ** 2 - scipy.special.polygamma(1, x))",
    infer=special_type,
    domains={"x": "positive"},
    helper="rgamma_slope",
)

SHAPES = "in the last argument; derivatives in the others are refused"
DENSITY = "np.exp(sp.xlogy(a - 1.0, {0}) - {0} - sp.gammaln(a))"
BETA_DENSITY = "np.exp(sp.xlogy(a - 1.0, {0}) + sp.xlog1py(b - 1.0, -{0}) - sp.betaln(a, b))"
GAMMA: dict[str, Any] = {"refused": ("a",), "note": SHAPES, "infer": uniform_type}
BETA: dict[str, Any] = {"refused": ("a", "b"), "note": SHAPES}
LIMITS = {"a": "positive", "b": "positive", "x": "positive", "y": "probability"}
special("gammainc(a, x)", f"x: {DENSITY.format('x')}", domains=LIMITS, **GAMMA)
special("gammaincc(a, x)", f"x: -{DENSITY.format('x')}", domains=LIMITS, **GAMMA)
special("gammaincinv(a, y)", f"y: 1.0 / {DENSITY.format('out')}", domains=LIMITS, **GAMMA)
special("gammainccinv(a, y)", f"y: -1.0 / {DENSITY.format('out')}", domains=LIMITS, **GAMMA)
WITHIN = {**LIMITS, "x": "probability"}
special("betainc(a, b, x)", f"x: {BETA_DENSITY.format('x')}", domains=WITHIN, **BETA)
special("betaincc(a, b, x)", f"x: -{BETA_DENSITY.format('x')}", domains=WITHIN, **BETA)
special("betainccinv(a, b, y)", f"y: -1.0 / {BETA_DENSITY.format('out')}", domains=LIMITS, **BETA)
special("betaincinv(a, b, y)", f"y: 1.0 / {BETA_DENSITY.format('out')}", domains=WITHIN, **BETA)

# Sigmoids and entropies: written so that small values keep their relative accuracy
special("expit(x)", "x: out * sp.expit(-x)")
special("log_expit(x)", "x: sp.expit(-x)")
special("logit(x)", "x: 1.0 / (x * (1.0 - x))", **PROBABILITY)
special("xlogy(x, y)", "x: np.log(y)", "y: x / np.where(x == 0, 1.0, y)",
        infer=uniform_type, domains={"y": "positive"},
        note="slope 0 in y where x is 0")  # fmt: skip
special("xlog1py(x, y)", "x: np.log1p(y)", "y: x / np.where(x == 0, 1.0, 1.0 + y)",
        infer=uniform_type, domains={"y": "positive"},
        note="slope 0 in y where x is 0")  # fmt: skip
special("entr(x)", "x: (-np.log(x) - 1.0)", **POSITIVE)
special("rel_entr(x, y)", "x: (np.log(x / y) + 1.0)", "y: -x / y",
        domains={"x": "positive", "y": "positive"})  # fmt: skip
special("kl_div(x, y)", "x: np.log(x / y)", "y: (1.0 - x / y)",
        domains={"x": "positive", "y": "positive"})  # fmt: skip
special("pseudo_huber(delta, r)",
        "delta: delta * (r / delta) ** 4 / (np.sqrt(1.0 + (r / delta) ** 2) "
        "* (1.0 + np.sqrt(1.0 + (r / delta) ** 2)) ** 2)",
        "r: r / np.sqrt(1.0 + (r / delta) ** 2)", domains={"delta": "positive"})  # fmt: skip
special("softplus(x)", "x: sp.expit(x)")
special("huber(delta, r)", "delta: np.maximum(np.abs(r) - delta, 0.0)",
        "r: np.clip(r, -delta, delta)", domains={"delta": "positive"})  # fmt: skip

# Bessel functions (10.6, 10.29)
special("j0(x)", "x: -sp.j1(x)")
special("j1(x)", "x: 0.5 * (sp.j0(x) - sp.jv(2, x))")
special("y0(x)", "x: -sp.y1(x)", **POSITIVE)
special("y1(x)", "x: 0.5 * (sp.y0(x) - sp.yv(2, x))", **POSITIVE)
special("i0(x)", "x: sp.i1(x)")
special("i1(x)", "x: 0.5 * (sp.i0(x) + sp.iv(2, x))")
special("i0e(x)", "x: (sp.i1e(x) - np.sign(x) * out)")
special("i1e(x)", "x: (0.5 * (sp.i0e(x) + sp.ive(2, x)) - np.sign(x) * out)")
special("k0(x)", "x: -sp.k1(x)", **POSITIVE)
special("k1(x)", "x: -0.5 * (sp.k0(x) + sp.kv(2, x))", **POSITIVE)
special("k0e(x)", "x: (out - sp.k1e(x))", **POSITIVE)
special("k1e(x)", "x: (out - 0.5 * (sp.k0e(x) + sp.kve(2, x)))", **POSITIVE)
ORDERS: dict[str, Any] = {"refused": ("v",), "note": "in x; in the order it is refused",
                          "domains": {"x": "positive", "v": "positive"}}  # fmt: skip
special("jv(v, x)", "x: 0.5 * (sp.jv(v - 1, x) - sp.jv(v + 1, x))",
        also=("scipy.special.jn",), **ORDERS)  # fmt: skip
special("yv(v, x)", "x: 0.5 * (sp.yv(v - 1, x) - sp.yv(v + 1, x))", **ORDERS)
special("yn(n, x)", "x: 0.5 * (sp.yn(n - 1, x) - sp.yn(n + 1, x))", refused=("n",),
        note="in x; in the order it is refused",
        domains={"n": "integer", "x": "positive"})  # fmt: skip
special("iv(v, x)", "x: 0.5 * (sp.iv(v - 1, x) + sp.iv(v + 1, x))", **ORDERS)
special("kv(v, x)", "x: -0.5 * (sp.kv(v - 1, x) + sp.kv(v + 1, x))",
        also=("scipy.special.kn",), **ORDERS)  # fmt: skip
special("ive(v, x)", "x: (0.5 * (sp.ive(v - 1, x) + sp.ive(v + 1, x)) - np.sign(x) * out)",
        **ORDERS)  # fmt: skip
special("kve(v, x)", "x: (out - 0.5 * (sp.kve(v - 1, x) + sp.kve(v + 1, x)))", **ORDERS)


# Functions with an integer argument ---------------------------------------------------------------


def _with_order(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """Of an integer and a number: both broadcast, the result is double or as x."""
    order, x = (operand.type for operand in operands)
    require_numeric([order, x])
    if is_float(order):
        raise unsupported("the order has to be an integer", "annotate it as `int`")
    shape = sizes.broadcast([shape_of(order), shape_of(x)])
    return of_shape("f64", shape, rank_zero="array")


CATALOGUE.operation(
    "out = scipy.special.polygamma(n, x)",
    "grad_x += grad_out * scipy.special.polygamma(n + 1, x)",
    infer=_with_order,
    tangent=("tangent_out = tangent_x * scipy.special.polygamma(n + 1, x)",),
    domains={"x": "positive"},
    samples=({"n": 1, "x": "f[3]"}, {"n": 0, "x": "f[2,3]"}, {"n": 2, "x": "f[]"}),
)


def _multigamma_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    a, d = operands
    require_numeric([a.type])
    dimension = constant(d, "d")
    if not isinstance(dimension, int) or not 1 <= dimension <= MOST_DIMENSIONS:
        raise unsupported(f"`d` is {dimension!r}", f"an integer from 1 to {MOST_DIMENSIONS}")
    return of_shape("f64", shape_of(a.type))


MOST_DIMENSIONS = 20


def multigamma_slope(operands: Sequence[Atom]) -> str:
    dimension = constant(operands[1], "d")
    terms = [f"scipy.special.digamma(a - {0.5 * k})" for k in range(1, dimension)]
    return f"({' + '.join(['scipy.special.digamma(a)', *terms])})"


CATALOGUE.operation(
    "out = scipy.special.multigammaln(a, d)",
    infer=_multigamma_type,
    rules=(Rule(lambda operands: (f"grad_a += grad_out * {multigamma_slope(operands)}",)),),
    tangent=lambda operands: f"tangent_out = tangent_a * {multigamma_slope(operands)}",
    domains={"a": "large"},
    samples=({"a": "f[3]", "d": 1}, {"a": "f[2,3]", "d": 3}, {"a": "f[]", "d": 2}),
)


# Over axes ----------------------------------------------------------------------------------------


def _softmax_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    shape = known_shape(operands[0], "scipy.special.softmax")
    normal_axes(constant(operands[1], "axis"), len(shape))
    if not shape:
        raise unsupported("an array is needed here", "use `np.exp`")
    return Array(special_dtype([operands[0].type]), shape)


SOFTMAX_SAMPLES = (
    {"x": "f[3]"},
    {"x": "f[2,3]"},
    {"x": "f[2,3]", "axis": 1},
    {"x": "f[2,3,2]", "axis": (0, -1)},
    {"x": "f[1]", "axis": 0},
)
CATALOGUE.operation(
    "out = scipy.special.softmax(x, axis=None)",
    "grad_x += out * (grad_out - np.sum(grad_out * out, axis=axis, keepdims=True))",
    infer=_softmax_type,
    tangent="tangent_out = out * (tangent_x - np.sum(out * tangent_x, axis=axis, keepdims=True))",
    samples=SOFTMAX_SAMPLES,
)
CATALOGUE.operation(
    "out = scipy.special.log_softmax(x, axis=None)",
    "grad_x += grad_out - np.exp(out) * np.sum(grad_out, axis=axis, keepdims=True)",
    infer=_softmax_type,
    tangent="tangent_out = tangent_x - np.sum(np.exp(out) * tangent_x, axis=axis, keepdims=True)",
    samples=SOFTMAX_SAMPLES,
)


def _logsumexp_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    a, axis, b, keepdims = operands[:4]
    shape = known_shape(a, "scipy.special.logsumexp")
    types = [a.type] if b.type == NONE else [a.type, b.type]
    if len(types) > 1 and not all(map(is_float, types)):
        raise TypeProblem("unsupported-dtype", "`a` and `b` have to be floats")
    result = special_dtype(types)
    if b.type != NONE:
        known_shape(b, "scipy.special.logsumexp")
        both = sizes.broadcast([shape, shape_of(b.type)])
        a = Var("a", of_shape(result, both))
    return reduction_type(lambda _: result)(sizes, (a, axis, keepdims))


def spread(text: str, axis: Any, rank: int, keepdims: bool) -> str:
    """A reduced value in the shape that meets the array it was reduced from."""
    axes = normal_axes(axis, rank)
    if keepdims or len(axes) == rank:
        return text
    return f"np.expand_dims({text}, {axes[0] if len(axes) == 1 else axes})"


@dataclass(frozen=True)
class Exponentials:
    """The texts that the derivatives of `logsumexp` are made of.

    `weight` is exp(a - out), what each element contributes for a weight b of 1, with the sign of
    the sum where that is given.
    """

    weight: str
    weighted: bool
    rank: int
    axis: Any
    keepdims: bool

    @staticmethod
    def of(operands: Sequence[Atom]) -> Exponentials:
        axis, keepdims = constant(operands[1], "axis"), constant(operands[3], "keepdims")
        ranks = [rank_of(each.type) or 0 for each in (operands[0], operands[2])]
        weighted, rank = operands[2] != Const(None), max(ranks)
        same = not weighted or shape_of(operands[0].type) == shape_of(operands[2].type)
        exponent = "a" if same else "(a + np.zeros_like(b))"
        signed = len(operands) > 4
        sign = f"{spread('sign', axis, rank, keepdims)} * " if signed else ""
        weight = f"{sign}np.exp({exponent} - {spread('out', axis, rank, keepdims)})"
        return Exponentials(weight, weighted, rank, axis, keepdims)


def logsumexp_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    parts = Exponentials.of(operands)
    adjoint = spread("grad_out", parts.axis, parts.rank, parts.keepdims)
    if not parts.weighted:
        return (f"grad_a += {adjoint} * {parts.weight}",)
    return f"grad_a += {adjoint} * b * {parts.weight}", f"grad_b += {adjoint} * {parts.weight}"


def logsumexp_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    parts = Exponentials.of(operands)
    ending = "axis=axis, keepdims=keepdims)"
    if not parts.weighted:
        return (f"tangent_out = np.sum(tangent_a * {parts.weight}, {ending}",)
    return (
        f"tangent_out = np.sum(tangent_a * b * {parts.weight}, {ending}",
        f"tangent_out = np.sum(tangent_b * {parts.weight}, {ending}",
    )


WEIGHTED = ({"a": "f[3]", "b": "p[3]"}, {"a": "f[2,3]", "b": "p[2,3]", "axis": 1},
            {"a": "f[2,3]", "b": "p[3]", "axis": 0}, {"a": "f[3]", "b": "p[2,1]", "axis": 1},
            {"a": "f[2,3]", "b": "p[]"}, {"a": "f[]", "b": "p[3]", "keepdims": True})  # fmt: skip
CATALOGUE.operation(
    "out = scipy.special.logsumexp(a, axis=None, b=None, keepdims=False)",
    infer=_logsumexp_type,
    rules=(Rule(logsumexp_lines),),
    broadcasts=("a", "b"),
    tangent=logsumexp_tangent,
    samples=(
        {"a": "f[3]"},
        {"a": "f[2,3]"},
        {"a": "f[2,3]", "axis": 1},
        {"a": "f[2,3]", "axis": 0, "keepdims": True},
        {"a": "f[2,3,2]", "axis": (0, 2)},
        *WEIGHTED,
        {"a": "f[1]"},
    ),
)


def _signed_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    if constant(operands[4], "return_sign") is not True:
        raise unsupported("`return_sign` is True or False", "write it out")
    return Items((_logsumexp_type(sizes, operands),) * 2)


CATALOGUE.operation(
    "out, sign = scipy.special.logsumexp(a, axis=None, b=None, keepdims=False, return_sign=False)",
    infer=_signed_type,
    rules=(Rule(logsumexp_lines),),
    broadcasts=("a", "b"),
    tangent=logsumexp_tangent,
    constant_results=("sign",),
    name="scipy.special.logsumexp[sign]",
    samples=(
        {"a": "f[2,3]", "axis": 1, "return_sign": True},
        {"a": "f[2,3]", "b": "f[2,3]", "axis": 0, "return_sign": True},
        {"a": "f[3]", "b": "f[2,1]", "axis": 1, "return_sign": True},
    ),
)
