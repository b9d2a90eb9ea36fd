"""Functions of `scipy.special` that are integrals, and transformations with a parameter.

Derivatives are those of the NIST "Digital Library of Mathematical Functions" (dlmf.nist.gov),
chapters 6, 7, 8, 9, 13, 15, 19 and 25. A difference that would cancel is written as a confluent
hypergeometric function: `exprel(x)` has the derivative `M(2, 3, x) / 2`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import constant, of_shape, unsupported
from s2s_ad.operations.special import (
    POSITIVE,
    declare_special,
    special_dtype,
    special_type,
    uniform_type,
)
from s2s_ad.types import Items, Sizes, Type, shape_of

CATALOGUE = Catalogue()
special = partial(declare_special, CATALOGUE)

# Exponential integrals, elliptic integrals, and functions that avoid cancellation
special("expi(x)", "x: np.exp(x) / x", **POSITIVE)
special("exp1(x)", "x: -np.exp(-x) / x", **POSITIVE)
special("ellipk(m)", "m: ellipk_slope(1.0 - m)",
        domains={"m": "probability"},
        note="for m below 1; second derivatives not at 0")  # fmt: skip
special("ellipe(m)", "m: ellipe_slope(1.0 - m)",
        domains={"m": "probability"},
        note="for m below 1; second derivatives not at 0")  # fmt: skip
ELLIPTIC: dict[str, Any] = {"infer": special_type, "domains": {"q": "probability"}}
CATALOGUE.elementwise(
    "out = ellipk_slope(q)",
    "grad_q += grad_out * ((2.0 * q - 1.0) * out - 0.25 * scipy.special.ellipkm1(q)) "
    "/ (q * (1.0 - q))",
    helper="ellipk_slope",
    **ELLIPTIC,
)
CATALOGUE.elementwise(
    "out = ellipe_slope(q)",
    "grad_q += grad_out * 0.5 * (out + ellipk_slope(q)) / (1.0 - q)",
    helper="ellipe_slope",
    **ELLIPTIC,
)
special("spence(x)", "x: -1.0 / sp.exprel(np.log(x))", **POSITIVE)
special("exp2(x)", "x: out * np.log(2.0)")
special("exp10(x)", "x: out * np.log(10.0)")
special("expm1(x)", "x: np.exp(x)")
special("log1p(x)", "x: 1.0 / (1.0 + x)", **POSITIVE)
special("cosm1(x)", "x: -np.sin(x)")
special("cbrt(x)", "x: 1.0 / (3.0 * out * out)", **POSITIVE)
special("exprel(x)", "x: 0.5 * sp.hyp1f1(2.0, 3.0, x)")
special("ellipkm1(p)", "p: -ellipk_slope(p)",
        domains={"p": "probability"},
        note="for p above 0; second derivatives not at 1")  # fmt: skip
AMPLITUDE: dict[str, Any] = {"refused": ("m",), "infer": uniform_type,
                             "note": "in the amplitude; in m it is refused",
                             "domains": {"m": "probability"}}  # fmt: skip
special("ellipkinc(phi, m)", "phi: 1.0 / np.sqrt(1.0 - m * np.sin(phi) ** 2)", **AMPLITUDE)
special("ellipeinc(phi, m)", "phi: np.sqrt(1.0 - m * np.sin(phi) ** 2)", **AMPLITUDE)
special("owens_t(h, a)",
        "h: -np.exp(-0.5 * h * h) * sp.erf(a * h / np.sqrt(2.0)) / np.sqrt(8.0 * np.pi)",
        "a: np.exp(-0.5 * h * h * (1.0 + a * a)) / (2.0 * np.pi * (1.0 + a * a))")  # fmt: skip

# Hypergeometric functions and the zeta function, in the last argument (13.3, 15.5, 25.11)
PARAMETERS = "in the last argument; derivatives in the parameters are refused"
special("hyp0f1(v, z)", "z: sp.hyp0f1(v + 1.0, z) / v", refused=("v",), note=PARAMETERS,
        domains={"v": "positive"})  # fmt: skip
special("hyp1f1(a, b, x)", "x: a / b * sp.hyp1f1(a + 1.0, b + 1.0, x)", refused=("a", "b"),
        note=PARAMETERS, domains={"a": "positive", "b": "positive"})  # fmt: skip
special("hyperu(a, b, x)", "x: -a * sp.hyperu(a + 1.0, b + 1.0, x)", refused=("a", "b"),
        note=PARAMETERS, domains={"a": "positive", "b": "positive", "x": "positive"})  # fmt: skip
CATALOGUE.elementwise(
    "out = scipy.special.hyp2f1(a, b, c, z)",
    "grad_z += grad_out * a * b / c * scipy.special.hyp2f1(a + 1.0, b + 1.0, c + 1.0, z)",
    infer=uniform_type,
    refused=("a", "b", "c"),
    note=PARAMETERS,
    domains={"a": "positive", "b": "positive", "c": "large", "z": "probability"},
    samples=({"a": "f[]", "b": "f[3]", "c": "f[]", "z": "f[2,3]"},),
)
special("zeta(x, q)", "q: -x * sp.zeta(x + 1.0, q)", refused=("x",),
        note="the Hurwitz zeta function, in its second argument",
        domains={"x": "above-one", "q": "positive"})  # fmt: skip

# Transformations of Box and Cox, smooth at lmbda = 0
SQUARE = "0.5 * {0} ** 2 * sp.hyp1f1(2.0, 3.0, lmbda * {0})"
special("boxcox(x, lmbda)", "x: x ** (lmbda - 1.0)", f"lmbda: {SQUARE.format('np.log(x)')}",
        infer=uniform_type, domains={"x": "positive"})  # fmt: skip
special("boxcox1p(x, lmbda)", "x: (1.0 + x) ** (lmbda - 1.0)",
        f"lmbda: {SQUARE.format('np.log1p(x)')}",
        infer=uniform_type, domains={"x": "positive"})  # fmt: skip
LAMBDA = "in y; in lmbda it is refused"
special("inv_boxcox(y, lmbda)", "y: out / (1.0 + lmbda * y)", refused=("lmbda",), note=LAMBDA,
        domains={"y": "positive", "lmbda": "positive"})  # fmt: skip
special("inv_boxcox1p(y, lmbda)", "y: (1.0 + out) / (1.0 + lmbda * y)", refused=("lmbda",),
        note=LAMBDA, domains={"y": "positive", "lmbda": "positive"})  # fmt: skip


# Exponential integrals of integer order, and functions with several results -----------------------


def _expn_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    order = constant(operands[0], "n")
    if not isinstance(order, int) or order < 0:
        raise unsupported(f"`n` is {order!r}", "an integer that is not negative")
    special_dtype([operands[1].type])
    return of_shape("f64", shape_of(operands[1].type))  # also of float32


def expn_slope(operands: Sequence[Atom]) -> str:
    """Of order 0 it is `exp(-x) / x`."""
    if constant(operands[0], "n") == 0:
        return "out * (1.0 + 1.0 / x)"
    return "scipy.special.expn(n - 1, x)"


CATALOGUE.operation(
    "out = scipy.special.expn(n, x)",
    infer=_expn_type,
    rules=(Rule(lambda operands: (f"grad_x += -grad_out * {expn_slope(operands)}",)),),
    tangent=lambda operands: f"tangent_out = -tangent_x * {expn_slope(operands)}",
    domains={"x": "positive"},
    samples=(
        {"n": 2, "x": "f[3]"},
        {"n": 3, "x": "f[2,3]"},
        {"n": 2, "x": "f[]"},
        {"n": 1, "x": "f[3]"},
        {"n": 0, "x": "f[2]"},
    ),
)


def several(form: str, operand: str, **slopes: str) -> None:
    """Declare a function with several results of one type, by the derivative of each."""

    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        return Items((special_type(sizes, operands),) * len(slopes))

    CATALOGUE.operation(
        form,
        *(f"grad_{operand} += grad_{name} * {slope}" for name, slope in slopes.items()),
        infer=infer,
        tangent=tuple(
            f"tangent_{name} = tangent_{operand} * {slope}" for name, slope in slopes.items()
        ),
        samples=({operand: "f[3]"}, {operand: "f[2,3]"}, {operand: "f[]"}),
        domains={operand: "positive"},
    )


several("S, C = scipy.special.fresnel(z)", "z",
        S="np.sin(0.5 * np.pi * z * z)", C="np.cos(0.5 * np.pi * z * z)")  # fmt: skip
several("S, C = scipy.special.sici(x)", "x",
        S="np.sinc(x / np.pi)", C="(np.cos(x) / x)")  # fmt: skip
several("S, C = scipy.special.shichi(x)", "x", S="(np.sinh(x) / x)", C="(np.cosh(x) / x)")
several("Ai, Aip, Bi, Bip = scipy.special.airy(z)", "z",
        Ai="Aip", Aip="(z * Ai)", Bi="Bip", Bip="(z * Bi)")  # fmt: skip
