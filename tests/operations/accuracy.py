"""How exact derivatives of special functions are: against mpmath with 50 digits.

An error is relative, in units of 2^-53, and divided by 1 + the condition of the derivative, which
is what rounding of x alone may cost. Points reach from 1e-100 to where values overflow.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

import s2s_ad

UNIT = mpmath.mpf(2) ** -53
SMALL = (1e-100, 1e-20, 1e-8, 1e-3)
MIDDLE = (0.1, 0.5, 0.77, 1.3, 3.1, 7.7)
LARGE = (20.5, 100.0, 300.0)
HUGE = (1e5, 1e8, 1e15)
POSITIVE = SMALL + MIDDLE + LARGE
REAL = (*POSITIVE, *(-x for x in POSITIVE))
MODERATE = tuple(x for x in REAL if abs(x) < 25.0)
PROBABILITIES = (*SMALL, 0.1, 0.3, 0.77, 0.99, 1.0 - 1e-6, 1.0 - 2.0**-40)
TO_ONE = (*PROBABILITIES, *(-x for x in PROBABILITIES))
FRACTIONS, NEAR = PROBABILITIES[1:], REAL[3:13]
ABOVE_1 = (1.0 + 2.0**-40, 1.001, 1.3, 7.7, 1e5, 1e100)
BESSEL = (1e-8, *MIDDLE, 20.5, 100.0)


NEGATIVE = (-0.1, -0.5, -0.77, -1.3, -3.1, -7.7)
NEAR_POLES = (-1.0 + 1e-6, -2.0 - 1e-6, -0.999, -3.0001)
QUANTILES = (1e-8, 1e-3, 0.1, 0.3, 0.77, 0.99, 1.0 - 1e-6)


def hermite_density(x: Any) -> Any:
    return mpmath.exp(-x * x / 2) / mpmath.sqrt(2 * mpmath.pi)


def normal_quantile(p: Any) -> Any:
    """By Newton's iteration on the logarithm, from the double nearest to it."""
    import scipy.special

    if p > 0.5:
        return -normal_quantile(1 - p)
    x = mpmath.mpf(float(scipy.special.ndtri(float(p))))
    for _ in range(6):
        below = mpmath.erfc(-x / mpmath.sqrt(2)) / 2
        x -= (mpmath.log(below) - mpmath.log(p)) * below / hermite_density(x)
    return x


def gamma_density(x: Any) -> Any:
    return x**1.5 * mpmath.exp(-x) / mpmath.gamma(2.5)


def beta_density(x: Any) -> Any:
    return x**1.5 * (1 - x) ** 2.5 / mpmath.beta(2.5, 3.5)


def gamma_quantile(p: Any) -> Any:
    import scipy.special

    x = mpmath.mpf(float(scipy.special.gammaincinv(2.5, float(p))))
    for _ in range(5):
        x -= (mpmath.gammainc(2.5, 0, x, regularized=True) - p) / gamma_density(x)
    return x


def beta_quantile(p: Any) -> Any:
    import scipy.special

    x = mpmath.mpf(float(scipy.special.betaincinv(2.5, 3.5, float(p))))
    for _ in range(5):
        x -= (mpmath.betainc(2.5, 3.5, 0, x, regularized=True) - p) / beta_density(x)
    return x


NAMES = {
    **{name: getattr(mpmath, name) for name in dir(mpmath) if not name.startswith("_")},
    "density": hermite_density,
    "quantile": normal_quantile,
    "gamma_density": gamma_density,
    "gamma_quantile": gamma_quantile,
    "beta_density": beta_density,
    "beta_quantile": beta_quantile,
}


@dataclass(frozen=True)
class Row:
    """A function of x as it is called, its derivative in mpmath, the points, the error allowed."""

    call: str
    derivative: str
    points: tuple[float, ...]
    bound: float

    def exact(self, x: Any) -> Any:
        return mpmath.re(eval(self.derivative, NAMES, {"x": x}))


def differentiated(call: str) -> Callable[[Any], Any]:
    """The derivative of a call, element by element."""
    source = "import numpy as np\nimport scipy.special as sp\n\n\n"
    source += f"def f(x):\n    return {call}\n"
    filename = f"<accuracy of {call}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    names: dict[str, Any] = {}
    exec(compile(source, filename, "exec"), names)

    def derivative(x: Any) -> Any:
        value, pull = s2s_ad.vjp(names["f"], x)
        return pull(np.ones_like(value))[0]

    return derivative


def errors(row: Row, found: Any) -> list[float]:
    """The error of each of the numbers `found`."""
    with mpmath.workdps(50):
        return [_error(row, mpmath.mpf(x), y) for x, y in zip(row.points, found, strict=True)]


def _error(row: Row, x: Any, found: float) -> float:
    exact = row.exact(x)
    if abs(exact) < 1e-290 or abs(exact) > 1e290:
        return 0.0  # it, or something on the way to it, is no normal number
    if not np.isfinite(found):
        return float("inf")
    step = x * mpmath.mpf(2) ** -60
    condition = abs((row.exact(x + step) - exact) / (exact * mpmath.mpf(2) ** -60))
    return float(abs((mpmath.mpf(float(found)) - exact) / exact) / UNIT / (1 + condition))


def _rows() -> tuple[Row, ...]:
    rows = [
        Row("sp.erf(x)", "2 / sqrt(pi) * exp(-x * x)", MODERATE, 4),
        Row("sp.erfc(x)", "-2 / sqrt(pi) * exp(-x * x)", MODERATE, 4),
        # between 3 and 8 two terms cancel to one of the order of their ratio, 2 x^2
        Row("sp.erfcx(x)", "-hyperu(1, 0.5, x * x) / sqrt(pi)", (*POSITIVE[1:], *HUGE), 64),
        Row("sp.erfi(x)", "2 / sqrt(pi) * exp(x * x)", MODERATE, 8),
        Row("sp.dawsn(x)", "hyp1f1(1, 0.5, -x * x)", (*REAL, *HUGE), 64),
        Row("sp.erfinv(x)", "sqrt(pi) / 2 * exp(erfinv(x) ** 2)", TO_ONE, 8),
        Row("sp.erfcinv(x)", "-sqrt(pi) / 2 * exp(quantile(x / 2) ** 2 / 2)", PROBABILITIES, 16),
        Row("sp.ndtr(x)", "density(x)", MODERATE, 4),
        Row("sp.log_ndtr(x)", "2 * density(x) / erfc(-x / sqrt(2))", (*MODERATE, -300.0), 16),
        Row("sp.ndtri(x)", "1 / density(quantile(x))", PROBABILITIES, 8),
        Row("sp.gamma(x)", "gamma(x) * psi(0, x)", (*SMALL[1:], *MIDDLE, 20.5, 100.0), 8),
        Row("sp.gammaln(x)", "psi(0, x)", (*POSITIVE, *HUGE), 8),
        Row("sp.digamma(x)", "psi(1, x)", (*POSITIVE, *HUGE), 8),
        Row("sp.polygamma(2, x)", "psi(3, x)", (*POSITIVE[2:], 1e5), 4),
        Row("sp.betaln(x, 2.5)", "psi(0, x) - psi(0, x + 2.5)", (*POSITIVE, *HUGE), 8),
        Row("sp.betaln(x, 1e-6)", "psi(0, x) - psi(0, x + mpf(1e-6))", (*POSITIVE, *HUGE), 8),
        # the value of `beta` itself is less exact than its logarithmic derivative
        Row("sp.beta(x, 2.5)", "beta(x, 2.5) * (psi(0, x) - psi(0, x + 2.5))", POSITIVE[:-2], 32),
        Row("sp.poch(x, 2.5)", "rf(x, 2.5) * (psi(0, x + 2.5) - psi(0, x))", POSITIVE[1:-2], 64),
        Row("sp.gammainc(2.5, x)", "x**1.5 * exp(-x) / gamma(2.5)", POSITIVE[1:], 32),
        Row("sp.gammaincc(30.0, x)", "-x**29 * exp(-x) / gamma(30)", (*MIDDLE, *LARGE), 32),
        Row(
            "sp.betainc(2.5, 3.5, x)",
            "x**1.5 * (1 - x)**2.5 / beta(2.5, 3.5)",
            PROBABILITIES[1:],
            64,
        ),
        Row("sp.expit(x)", "exp(-x) / (1 + exp(-x)) ** 2", REAL, 4),
        Row("sp.log_expit(x)", "1 / (1 + exp(x))", REAL, 4),
        Row("sp.logit(x)", "1 / (x * (1 - x))", PROBABILITIES, 4),
        Row("sp.xlogy(2.5, x)", "2.5 / x", (*POSITIVE, *HUGE), 4),
        Row("sp.xlog1py(2.5, x)", "2.5 / (1 + x)", (*POSITIVE, *TO_ONE), 4),
        Row("sp.entr(x)", "-log(x) - 1", (*POSITIVE, 0.3678, 0.368), 4),
        Row("sp.rel_entr(x, 1.7)", "log(x / mpf(1.7)) + 1", POSITIVE, 4),
        Row("sp.kl_div(x, 1.7)", "log(x / mpf(1.7))", (*POSITIVE, 1.7000001), 4),
        Row("sp.kl_div(1.7, x)", "1 - mpf(1.7) / x", (*POSITIVE, 1.7000001), 4),
        Row("sp.pseudo_huber(1.3, x)", "x / sqrt(1 + (x / mpf(1.3)) ** 2)", REAL, 4),
        Row("sp.spence(x)", "log(x) / (1 - x)", (*POSITIVE, 0.999999), 8),
        Row("sp.exprel(x)", "hyp1f1(2, 3, x) / 2", MODERATE, 16),
        Row("sp.expm1(x)", "exp(x)", REAL, 4),
        Row("sp.j0(x)", "-besselj(1, x)", REAL, 8),
        Row("sp.j1(x)", "(besselj(0, x) - besselj(2, x)) / 2", REAL, 8),
        Row("sp.y0(x)", "-bessely(1, x)", POSITIVE, 8),
        Row("sp.y1(x)", "(bessely(0, x) - bessely(2, x)) / 2", POSITIVE[2:], 8),
        Row("sp.i0(x)", "besseli(1, x)", MODERATE, 8),
        Row("sp.i1(x)", "(besseli(0, x) + besseli(2, x)) / 2", MODERATE, 16),
        Row("sp.k0(x)", "-besselk(1, x)", (*POSITIVE[1:-2], 100.0), 8),
        Row("sp.k1(x)", "-(besselk(0, x) + besselk(2, x)) / 2", (*POSITIVE[2:-2], 100.0), 4),
        # scaled functions: what is left when the exponential is gone cancels, as 1 / (2 x)
        Row("sp.i0e(x)", "exp(-x) * (besseli(1, x) - besseli(0, x))", POSITIVE[2:-1], 128),
        Row("sp.k0e(x)", "exp(x) * (besselk(0, x) - besselk(1, x))", POSITIVE[2:-1], 256),
        Row("np.i0(x)", "besseli(1, x)", MODERATE, 4),
        Row("np.expm1(x)", "exp(x)", REAL, 4),
        Row("np.log1p(x)", "1 / (1 + x)", (*POSITIVE, *HUGE, *TO_ONE), 4),
        Row(
            "np.sinc(x)",
            "pi * (cos(pi * x) / (pi * x) - sin(pi * x) / (pi * x) ** 2)",
            REAL[3:13],
            16,
        ),
        Row("np.logaddexp(x, 0.7)", "1 / (1 + exp(mpf(0.7) - x))", REAL, 4),
        Row("np.log(x)", "1 / x", (*POSITIVE, *HUGE), 4),
        Row("np.cbrt(x)", "1 / (3 * cbrt(x) ** 2)", POSITIVE, 8),
        Row("np.arctanh(x)", "1 / (1 - x * x)", TO_ONE, 4),
        Row(
            "np.arccosh(x)", "1 / sqrt(x * x - 1)", (1.0 + 2.0**-40, 1.001, 1.3, 7.7, 1e5, 1e100), 8
        ),
        Row("np.arcsin(x)", "1 / sqrt(1 - x * x)", TO_ONE, 4),
        Row("np.tan(x)", "1 / cos(x) ** 2", MODERATE, 8),
        Row("np.hypot(x, 1.3)", "x / sqrt(x * x + mpf(1.3) ** 2)", (*REAL, 1e200), 4),
    ]
    for order in (2.5, 10):
        lower, upper = order - 1, order + 1
        for name, first, sign, bound in (
            ("jv", "besselj", "-", 64), ("yv", "bessely", "-", 16), ("iv", "besseli", "+", 8),
        ):  # fmt: skip
            formula = f"({first}({lower}, x) {sign} {first}({upper}, x)) / 2"
            rows.append(Row(f"sp.{name}({order}, x)", formula, BESSEL, bound))
        formula = f"-(besselk({lower}, x) + besselk({upper}, x)) / 2"
        rows.append(Row(f"sp.kv({order}, x)", formula, BESSEL, 4))
    return tuple(rows)


def _rows_of_inverses_and_integrals() -> tuple[Row, ...]:
    """What is less usual. Inverses near 1, and scaled functions, lose what their values lose."""
    return (
        Row("sp.loggamma(x)", "psi(0,x)", (*POSITIVE, *HUGE), 8),
        Row("sp.gammaln(x)", "psi(0,x)", (*NEGATIVE, *NEAR_POLES, 1.4616, 1.46163214), 8),
        Row("sp.gamma(x)", "gamma(x)*psi(0,x)", (*NEGATIVE, *NEAR_POLES), 8),
        Row("sp.digamma(x)", "psi(1,x)", (*NEGATIVE, *NEAR_POLES), 8),
        Row(
            "sp.rgamma(x)",
            "-psi(0,x)*rgamma(x)",
            (*SMALL[1:], *MIDDLE, 20.5, 100.0, *NEGATIVE, *NEAR_POLES),
            8,
        ),
        Row("sp.psi(x)", "psi(1,x)", (*POSITIVE, *HUGE), 8),
        Row(
            "sp.binom(x,2.5)",
            "binomial(x,2.5)*(psi(0,x+1)-psi(0,x-1.5))",
            (0.77, 1.3, 3.1, 7.7, 20.5),
            8,
        ),
        Row("sp.binom(5.0,x)", "binomial(5,x)*(psi(0,6-x)-psi(0,x+1))", (*SMALL, *MIDDLE[:-1]), 16),
        Row("sp.comb(x,2.0)", "binomial(x,2)*(psi(0,x+1)-psi(0,x-1))", (3.1, 7.7, 20.5, 1e5), 8),
        Row("sp.factorial(x)", "gamma(x+1)*psi(0,x+1)", (*SMALL, *MIDDLE, 20.5, 100.0), 8),
        Row("sp.gammaincinv(2.5,x)", "1/gamma_density(gamma_quantile(x))", QUANTILES, 32),
        Row("sp.gammainccinv(2.5,x)", "-1/gamma_density(gamma_quantile(1-x))", QUANTILES, 32),
        Row("sp.betaincinv(2.5,3.5,x)", "1/beta_density(beta_quantile(x))", QUANTILES, 8),
        Row("sp.betainccinv(2.5,3.5,x)", "-1/beta_density(beta_quantile(1-x))", QUANTILES, 256),
        Row("sp.betaincc(2.5,3.5,x)", "-beta_density(x)", PROBABILITIES[1:], 64),
        Row("sp.softplus(x)", "1/(1+exp(-x))", REAL, 4),
        Row(
            "sp.huber(1.3,x)",
            "x if abs(x)<1.3 else 1.3*sign(x)",
            (*SMALL, 0.1, 0.5, -0.77, 3.1, -100.0),
            4,
        ),
        Row(
            "sp.i1e(x)", "exp(-x)*((besseli(0,x)+besseli(2,x))/2-besseli(1,x))", POSITIVE[2:-1], 128
        ),
        Row("sp.k1e(x)", "exp(x)*(besselk(1,x)-(besselk(0,x)+besselk(2,x))/2)", BESSEL, 64),
        Row("sp.jn(2,x)", "(besselj(1,x)-besselj(3,x))/2", BESSEL, 64),
        Row("sp.yn(2,x)", "(bessely(1,x)-bessely(3,x))/2", BESSEL, 64),
        Row("sp.kn(2,x)", "-(besselk(1,x)+besselk(3,x))/2", BESSEL[1::2], 64),
        Row(
            "sp.ive(2.5,x)",
            "exp(-x)*((besseli(1.5,x)+besseli(3.5,x))/2-besseli(2.5,x))",
            BESSEL,
            128,
        ),
        Row(
            "sp.kve(2.5,x)",
            "exp(x)*(besselk(2.5,x)-(besselk(1.5,x)+besselk(3.5,x))/2)",
            BESSEL,
            256,
        ),
        Row(
            "sp.multigammaln(x,3)",
            "psi(0,x)+psi(0,x-0.5)+psi(0,x-1)",
            (1.001, 1.3, 3.1, 20.5, 1e5),
            8,
        ),
        Row("sp.expi(x)", "exp(x)/x", REAL, 4),
        Row("sp.exp1(x)", "-exp(-x)/x", POSITIVE, 4),
        Row("sp.expn(2,x)", "-e1(x)", POSITIVE, 8),
        Row("sp.expn(1,x)", "-exp(-x)/x", POSITIVE, 8),
        Row(
            "sp.ellipk(x)",
            "(ellipe(x)/(1-x)-ellipk(x))/(2*x)",
            (*PROBABILITIES, -1e-8, -0.3, -7.7, -100.0),
            8,
        ),
        Row(
            "sp.ellipe(x)",
            "(ellipe(x)-ellipk(x))/(2*x)",
            (*PROBABILITIES, -1e-8, -0.3, -7.7, -100.0),
            8,
        ),
        Row(
            "sp.ellipkm1(x)",
            "-(ellipe(1-x)/x-ellipk(1-x))/(2*(1-x))",
            (*PROBABILITIES[:-1], 3.1),
            8,
        ),
        Row("sp.ellipkinc(x,0.3)", "1/sqrt(1-mpf(0.3)*sin(x)**2)", MODERATE, 4),
        Row("sp.ellipeinc(x,0.3)", "sqrt(1-mpf(0.3)*sin(x)**2)", MODERATE, 4),
        Row("sp.exp2(x)", "log(2)*2**x", REAL, 4),
        Row("sp.exp10(x)", "log(10)*10**x", REAL, 4),
        Row("sp.cosm1(x)", "-sin(x)", REAL, 4),
        Row("sp.owens_t(x,0.7)", "-density(x)*erf(mpf(0.7)*x/sqrt(2))/2", MODERATE, 8),
        Row("sp.owens_t(0.7,x)", "exp(-mpf(0.7)**2*(1+x*x)/2)/(2*pi*(1+x*x))", MODERATE, 8),
        Row("sp.hyp0f1(1.5,x)", "hyp0f1(2.5,x)/1.5", MODERATE, 16),
        Row("sp.hyp1f1(1.5,2.5,x)", "mpf(1.5)/2.5*hyp1f1(2.5,3.5,x)", MODERATE, 16),
        Row("sp.hyperu(1.5,2.5,x)", "-1.5*hyperu(2.5,3.5,x)", POSITIVE[3:], 16),
        Row(
            "sp.hyp2f1(1.5,2.5,3.5,x)",
            "mpf(3.75)/3.5*hyp2f1(2.5,3.5,4.5,x)",
            (1e-8, 0.1, 0.3, 0.77, 0.99, -0.3, -0.77, -3.1),
            16,
        ),
        Row("sp.zeta(2.5,x)", "-2.5*zeta(3.5,x)", POSITIVE[2:], 8),
        Row("sp.boxcox(x,0.7)", "x**(mpf(0.7)-1)", (*POSITIVE, *HUGE), 8),
        Row(
            "sp.boxcox(1.7,x)",
            "((x*log(mpf(1.7))-1)*mpf(1.7)**x+1)/x**2",
            (1e-8, 1e-3, 0.1, 0.77, 7.7, 20.5, -0.1, -1e-3, -7.7),
            8,
        ),
        Row("sp.boxcox1p(x,0.7)", "(1+x)**(mpf(0.7)-1)", (*POSITIVE, *TO_ONE), 8),
        Row(
            "sp.boxcox1p(0.7,x)",
            "((x*log(1+mpf(0.7))-1)*(1+mpf(0.7))**x+1)/x**2",
            (1e-8, 1e-3, 0.1, 0.77, 7.7, 20.5, -0.1, -1e-3, -7.7),
            8,
        ),
        Row(
            "sp.inv_boxcox(x,0.7)",
            "(1+mpf(0.7)*x)**(1/mpf(0.7)-1)",
            (*POSITIVE, *HUGE, -0.1, -1.3),
            32,
        ),
        Row(
            "sp.inv_boxcox1p(x,0.7)",
            "(1+mpf(0.7)*x)**(1/mpf(0.7)-1)",
            (*POSITIVE, *HUGE, -0.1, -1.3),
            32,
        ),
        Row("sp.fresnel(x)[0]", "sin(pi*x*x/2)", MODERATE, 4),
        Row("sp.fresnel(x)[1]", "cos(pi*x*x/2)", MODERATE, 4),
        Row("sp.sici(x)[0]", "sin(x)/x", REAL, 4),
        Row("sp.sici(x)[1]", "cos(x)/x", POSITIVE, 4),
        Row("sp.shichi(x)[0]", "sinh(x)/x", MODERATE, 4),
        Row("sp.shichi(x)[1]", "cosh(x)/x", (*SMALL, *MIDDLE), 4),
        Row("sp.airy(x)[0]", "airyai(x,derivative=1)", MODERATE, 64),
        Row("sp.airy(x)[1]", "x*airyai(x)", MODERATE, 64),
        Row("sp.airy(x)[2]", "airybi(x,derivative=1)", MODERATE, 64),
        Row(
            "sp.ndtri_exp(x)",
            "exp(x)/density(quantile(exp(x)))",
            (-1e-8, -1e-3, -0.1, -0.77, -7.7, -50.0, -300.0),
            16,
        ),
        Row("sp.log1p(x)", "1 / (1 + x)", (*POSITIVE, *HUGE, *TO_ONE), 4),
        Row("sp.cbrt(x)", "1 / (3 * cbrt(x) ** 2)", POSITIVE, 8),
        Row("np.exp2(x)", "log(2)*2**x", REAL, 4),
        Row("np.log2(x)", "1/(x*log(2))", (*POSITIVE, *HUGE), 4),
        Row("np.log10(x)", "1/(x*log(10))", (*POSITIVE, *HUGE), 4),
        Row("np.sqrt(x)", "1/(2*sqrt(x))", (*POSITIVE, *HUGE), 4),
        Row("np.sin(x)", "cos(x)", (*REAL, *HUGE), 4),
        Row("np.cos(x)", "-sin(x)", (*REAL, *HUGE), 4),
        Row("np.sinh(x)", "cosh(x)", REAL, 4),
        Row("np.cosh(x)", "sinh(x)", REAL, 4),
        Row("np.arccos(x)", "-1/sqrt(1-x*x)", TO_ONE, 4),
        Row("np.arctan(x)", "1/(1+x*x)", (*REAL, *HUGE), 4),
        Row("np.arcsinh(x)", "1/sqrt(1+x*x)", (*REAL, *HUGE, 1e100), 4),
        Row("np.arctan2(x,0.7)", "mpf(0.7)/(mpf(0.7)**2+x*x)", (*REAL, *HUGE, 1e100), 4),
        Row("np.arctan2(0.7,x)", "-mpf(0.7)/(mpf(0.7)**2+x*x)", (*REAL, *HUGE, 1e100), 4),
        Row("np.logaddexp2(x,0.7)", "1/(1+2**(mpf(0.7)-x))", REAL, 4),
        Row("np.power(x,2.5)", "2.5*x**1.5", POSITIVE, 8),
        Row("np.power(2.5,x)", "log(2.5)*mpf(2.5)**x", REAL, 8),
        Row("np.float_power(x,-1.5)", "-1.5*x**-2.5", POSITIVE, 8),
        Row("np.reciprocal(x)", "-1/(x*x)", (*POSITIVE, *HUGE), 4),
    )


ROWS = (*_rows(), *_rows_of_inverses_and_integrals())
