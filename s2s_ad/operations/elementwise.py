"""Operations that work element by element on broadcast operands: arithmetic, functions of one
number, choices.

A line is mathematics for one element; the adjoint pass sums each contribution back to its operand's
shape. Derivatives are those of Abramowitz and Stegun, "Handbook of Mathematical Functions",
chapters 3 and 4, unless a comment says otherwise. Kinks: see the notes; the conventions are those
of autograd and JAX.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from s2s_ad.ir import Atom, Const, Rule
from s2s_ad.operations.declare import Catalogue, rule
from s2s_ad.operations.result_types import (
    constant,
    elementwise_type,
    of_shape,
    require_numeric,
    same_array,
    unsupported,
)
from s2s_ad.types import (
    Array,
    Number,
    Scalar,
    Size,
    Sizes,
    Type,
    dtype_of,
    is_boolean,
    is_float,
    is_integer,
    shape_of,
)

CATALOGUE = Catalogue()
elementwise = CATALOGUE.elementwise
scalar_function = CATALOGUE.scalar_function


# Arithmetic ---------------------------------------------------------------------------------------

elementwise(
    "out = x + y",
    "grad_x += grad_out",
    "grad_y += grad_out",
    result="arithmetic",
    value=lambda x, y: x + y,
)
elementwise(
    "out = x - y",
    "grad_x += grad_out",
    "grad_y += -grad_out",
    result="arithmetic",
    value=lambda x, y: x - y,
)
elementwise(
    "out = x * y",
    "grad_x += grad_out * y",
    "grad_y += grad_out * x",
    result="arithmetic",
    value=lambda x, y: x * y,
)
elementwise("out = -x", "grad_x += -grad_out", result="arithmetic", value=lambda x: -x)
elementwise("out = +x", "grad_x += grad_out", result="arithmetic", value=lambda x: x)
elementwise(
    "out = x / y",
    "grad_x += grad_out / y",
    "grad_y += -(grad_out / y) * out",
    result="divide",
    domains={"y": "nonzero"},
)
# x // y is piecewise constant, and x % y = x - (x // y) * y
elementwise("out = x // y", result="arithmetic", domains={"y": "nonzero"})
elementwise(
    "out = x % y",
    "grad_x += grad_out",
    "grad_y += -grad_out * (x // y)",
    result="arithmetic",
    domains={"y": "nonzero"},
    note="at multiples of y, the derivative of the branch that NumPy takes",
)

elementwise("out = np.add(x, y)", "grad_x += grad_out", "grad_y += grad_out", result="arithmetic")
elementwise(
    "out = np.subtract(x, y)", "grad_x += grad_out", "grad_y += -grad_out", result="arithmetic"
)
elementwise(
    "out = np.multiply(x, y)",
    "grad_x += grad_out * y",
    "grad_y += grad_out * x",
    result="arithmetic",
)
elementwise(
    "out = np.divide(x, y)",
    "grad_x += grad_out / y",
    "grad_y += -(grad_out / y) * out",
    result="divide",
    also=("numpy.true_divide",),
    domains={"y": "nonzero"},
)
elementwise("out = np.floor_divide(x, y)", result="arithmetic", domains={"y": "nonzero"})
elementwise(
    "out = np.remainder(x, y)",
    "grad_x += grad_out",
    "grad_y += -grad_out * np.floor_divide(x, y)",
    result="arithmetic",
    also=("numpy.mod",),
    domains={"y": "nonzero"},
)
elementwise(
    "out = np.fmod(x, y)",
    "grad_x += grad_out",
    "grad_y += -grad_out * np.trunc(x / y)",
    result="arithmetic",
    domains={"y": "nonzero"},
)
elementwise("out = np.negative(x)", "grad_x += -grad_out", result="arithmetic")
elementwise("out = np.positive(x)", "grad_x += grad_out", result="arithmetic")


def power_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    """x**y: for a constant y the line one would write; else 0 * x**-1 and 0**y * log 0 are 0."""
    exponent = operands[1].value if isinstance(operands[1], Const) else None
    if isinstance(exponent, bool) or not isinstance(exponent, int | float):
        return (
            "grad_x += grad_out * y * x ** np.where(y == 0, 1.0, y - 1.0)",
            "grad_y += grad_out * out * np.log(np.where(x == 0, 1.0, x))",
        )
    logarithm = "grad_y += grad_out * out * np.log(np.where(x == 0, 1.0, x))"
    by_hand: dict[float, str] = {
        0: "grad_x += 0.0 * grad_out",
        1: "grad_x += grad_out",
        2: "grad_x += grad_out * 2.0 * x",
    }
    # at a Python 0.0 a root has an infinite slope, as for arrays, and raises nothing
    number = isinstance(operands[0].type, Number) and 0 < exponent < 1
    base = "np.float64(x)" if number else "x"
    power = f"grad_x += grad_out * {float(exponent)} * {base} ** {exponent - 1}"
    return (by_hand.get(exponent, power), logarithm)


def power_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """Of two Python integers, the sign of the exponent decides between int and float."""
    if isinstance(operands[0].type, Array | Scalar) and is_boolean(operands[0].type):
        raise unsupported("powers of booleans are not supported", "make the base a float")
    type = PLAIN_POWER(sizes, operands)
    if type != Number("int"):
        return type
    base, exponent = (getattr(operand.type, "value", None) for operand in operands)
    known = None if exponent is None else exponent.constant
    if exponent is not None and known is None and exponent.is_natural:
        return Number("int")
    if known is None and is_integer(operands[1].type):
        raise unsupported(
            "whether a power of integers is an int or a float depends on the sign of the exponent",
            "make the base a float, as in `2.0 ** k`",
        )
    if known is not None and known < 0:
        return Number("float")
    value = None if base is None or known is None or known > 8 else Size.of(1)
    for _ in range(known or 0 if value is not None else 0):
        value = value * base if value is not None and base is not None else None
    return Number("int", value)


PLAIN_POWER = elementwise_type("arithmetic", of_numbers="number", ufunc=np.power)
POWER_DOMAINS = {"x": "positive"}
POWER_NOTE = (
    "x**0 has slope 0 everywhere; 0**y has slope 0 in y; otherwise the formula's limit at x = 0"
)
elementwise(
    "out = x ** y",
    infer=power_type,
    rules=(Rule(power_lines),),
    domains=POWER_DOMAINS,
    note=POWER_NOTE,
    samples=(
        {"x": "f[3,2]", "y": 2},
        {"x": "f[3,2]", "y": 3},
        {"x": "f[3]", "y": 0},
        {"x": "p[3]", "y": -0.5},
    ),
)
elementwise(
    "out = np.power(x, y)",
    also=("numpy.pow",),
    result="arithmetic",
    rules=(Rule(power_lines),),
    domains=POWER_DOMAINS,
    note=POWER_NOTE,
    samples=({"x": "f[3,2]", "y": 2},),
)
elementwise(
    "out = np.float_power(x, y)", result="divide", rules=(Rule(power_lines),), domains=POWER_DOMAINS
)
scalar_function(
    "out = math.pow(x, y)",
    "grad_x += grad_out * y * x ** np.where(y == 0, 1.0, y - 1.0)",
    "grad_y += grad_out * out * np.log(np.where(x == 0, 1.0, x))",
    domains=POWER_DOMAINS,
)


# Functions of one number: those that `math` and NumPy spell alike, with their slope ---------------

FUNCTIONS = {
    "exp": ("grad_out * out", ""),
    "expm1": ("grad_out * np.exp(x)", ""),  # out + 1 has no digits where out is near -1
    "exp2": ("grad_out * out * np.log(2.0)", ""),
    "log": ("grad_out / x", "positive"),
    "log1p": ("grad_out / (1.0 + x)", "positive"),
    "log2": ("grad_out / (x * np.log(2.0))", "positive"),
    "log10": ("grad_out / (x * np.log(10.0))", "positive"),
    "sqrt": ("0.5 * grad_out / out", "positive"),
    "cbrt": ("grad_out / (3.0 * out * out)", "positive"),
    "sin": ("grad_out * np.cos(x)", ""),
    "cos": ("-grad_out * np.sin(x)", ""),
    "tan": ("grad_out * (1.0 + out * out)", "unit"),
    "sinh": ("grad_out * np.cosh(x)", ""),
    "cosh": ("grad_out * np.sinh(x)", ""),
    "tanh": ("grad_out * (1.0 - out * out)", ""),
    "fabs": ("grad_out * np.sign(x)", "nonzero"),
}
# a slope is infinite where NumPy's is: divisions by a Python 0.0 would raise
OF_NUMBERS = {
    "sqrt": "0.5 * grad_out / np.float64(out)",
    "cbrt": "grad_out / np.float64(3.0 * out * out)",
}
INVERSES = {
    "asin": ("arcsin", "grad_out / np.sqrt(1.0 - x * x)", "unit"),
    "acos": ("arccos", "-grad_out / np.sqrt(1.0 - x * x)", "unit"),
    "atan": ("arctan", "grad_out / (1.0 + x * x)", ""),
    "asinh": ("arcsinh", "grad_out / np.sqrt(x * x + 1.0)", ""),
    "acosh": ("arccosh", "grad_out / (np.sqrt(x - 1.0) * np.sqrt(x + 1.0))", "above-one"),
    "atanh": ("arctanh", "grad_out / (1.0 - x * x)", "unit"),
}
ENDING = ("asin", "acos", "acosh")  # defined, with an infinite slope, where their domains end
for _name, (_slope, _domain) in FUNCTIONS.items():
    _domains = {"x": _domain} if _domain else {}
    elementwise(f"out = np.{_name}(x)", f"grad_x += {_slope}", domains=_domains)
    if _name != "fabs":
        scalar_function(
            f"out = math.{_name}(x)",
            f"grad_x += {OF_NUMBERS.get(_name) or _slope.replace('np.', 'math.')}",
            domains=_domains,
        )
scalar_function("out = math.fabs(x)", "grad_x += grad_out * np.sign(x)", domains={"x": "nonzero"})
for _name, (_long, _slope, _domain) in INVERSES.items():
    _domains = {"x": _domain} if _domain else {}
    elementwise(
        f"out = np.{_long}(x)", f"grad_x += {_slope}", also=(f"numpy.{_name}",), domains=_domains
    )
    _of_number = _slope if _name in ENDING else _slope.replace("np.", "math.")
    scalar_function(f"out = math.{_name}(x)", f"grad_x += {_of_number}", domains=_domains)

elementwise("out = np.square(x)", "grad_x += grad_out * 2.0 * x", result="arithmetic")
elementwise(
    "out = np.reciprocal(x)",
    "grad_x += -grad_out * out * out",
    result="arithmetic",
    domains={"x": "positive"},
)


def sinc_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    """Integers become f64 here, small ones too."""
    x = operands[0].type
    require_numeric([x])
    return of_shape(dtype_of(x) if is_float(x) else "f64", shape_of(x))


elementwise(
    "out = np.sinc(x)",
    infer=sinc_type,
    rules=(rule("grad_x += grad_out * sinc_derivative(x, 1)"),),
)


def _sinc_derivative_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    constant(operands[1], "n")
    return sinc_type(sizes, operands)


def next_sinc_derivative(operands: Sequence[Atom]) -> str:
    return f"sinc_derivative(x, {constant(operands[1], 'n') + 1})"


CATALOGUE.operation(
    "out = sinc_derivative(x, n)",
    infer=_sinc_derivative_type,
    rules=(Rule(lambda operands: (f"grad_x += grad_out * {next_sinc_derivative(operands)}",)),),
    tangent=lambda operands: f"tangent_out = tangent_x * {next_sinc_derivative(operands)}",
    helper="sinc_derivative",
    samples=({"x": "f[3]", "n": 1}, {"x": "f[2,3]", "n": 2}, {"x": "f[]", "n": 3}),
)
elementwise("out = np.deg2rad(x)", "grad_x += grad_out * (np.pi / 180.0)", also=("numpy.radians",))
elementwise("out = np.rad2deg(x)", "grad_x += grad_out * (180.0 / np.pi)", also=("numpy.degrees",))
scalar_function("out = math.radians(x)", "grad_x += grad_out * (math.pi / 180.0)")
scalar_function("out = math.degrees(x)", "grad_x += grad_out * (180.0 / math.pi)")

ABSOLUTE: dict[str, Any] = {"domains": {"x": "nonzero"}, "note": "slope 0 at 0"}
elementwise(
    "out = abs(x)",
    "grad_x += grad_out * np.sign(x)",
    **ABSOLUTE,
    infer=elementwise_type("arithmetic", of_numbers="number", ufunc=np.absolute),
)
elementwise(
    "out = np.abs(x)",
    "grad_x += grad_out * np.sign(x)",
    also=("numpy.absolute",),
    result="arithmetic",
    **ABSOLUTE,
)


# Functions of two numbers -------------------------------------------------------------------------

elementwise(
    "out = np.hypot(x, y)",
    "grad_x += grad_out * x / np.where(out == 0, 1.0, out)",
    "grad_y += grad_out * y / np.where(out == 0, 1.0, out)",
    note="slope 0 at the origin",
    domains={"x": "nonzero"},
)
scalar_function(
    "out = math.hypot(x, y)",
    "grad_x += grad_out * x / np.where(out == 0, 1.0, out)",
    "grad_y += grad_out * y / np.where(out == 0, 1.0, out)",
    note="slope 0 at the origin",
    domains={"x": "nonzero"},
)
elementwise(
    "out = np.arctan2(y, x)",
    "grad_y += grad_out * x / (x * x + y * y)",
    "grad_x += -grad_out * y / (x * x + y * y)",
    also=("numpy.atan2",),
    domains={"x": "nonzero"},
)
scalar_function(
    "out = math.atan2(y, x)",
    "grad_y += grad_out * x / np.float64(x * x + y * y)",
    "grad_x += -grad_out * y / np.float64(x * x + y * y)",
    domains={"x": "nonzero"},
)
elementwise(
    "out = np.logaddexp(x, y)",
    "grad_x += grad_out * np.exp(x - out)",
    "grad_y += grad_out * np.exp(y - out)",
)
elementwise(
    "out = np.logaddexp2(x, y)",
    "grad_x += grad_out * np.exp2(x - out)",
    "grad_y += grad_out * np.exp2(y - out)",
)
elementwise(
    "out = np.copysign(x, y)",
    "grad_x += grad_out * np.copysign(1.0, x) * np.copysign(1.0, y)",
    "grad_y += 0.0 * grad_out",
    domains={"x": "nonzero", "y": "nonzero"},
)
scalar_function(
    "out = math.copysign(x, y)",
    "grad_x += grad_out * math.copysign(1.0, x) * math.copysign(1.0, y)",
    "grad_y += 0.0 * grad_out",
    domains={"x": "nonzero", "y": "nonzero"},
)
elementwise(
    "out = np.heaviside(x, y)",
    "grad_x += 0.0 * grad_out",
    "grad_y += np.where(x == 0, grad_out, 0.0)",
    domains={"x": "nonzero"},
)


# Parts of numbers ---------------------------------------------------------------------------------

elementwise(
    "out = np.ldexp(x, i)",
    "grad_x += np.ldexp(grad_out, i)",
    domains={"i": "integer"},
)
elementwise(
    "out = np.nextafter(x, y)",
    "grad_x += grad_out",
    "grad_y += 0.0 * grad_out",
    note="one unit in the last place away: slope 1 in x",
)


# of real numbers
for _name in ("conjugate", "real_if_close"):
    elementwise(
        f"out = np.{_name}(x)",
        "grad_x += grad_out",
        also=("numpy.conj",) if _name == "conjugate" else (),
        method="conj" if _name == "conjugate" else "",
        **({"result": "arithmetic"} if _name == "conjugate" else {"infer": same_array}),
    )


# Of real numbers, the real part is a view and the imaginary one is zero
def part_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    """What Python's numbers and NumPy's arrays alike have as `.real` and `.imag`."""
    x = operands[0].type
    require_numeric([x])
    if isinstance(x, Number):
        return Number("float" if x.kind == "float" else "int")
    return x


CATALOGUE.operation(
    "out = np.real(x)",
    "grad_x += grad_out",
    infer=part_type,
    linear=("x",),
    view_of="x",
    samples=({"x": "f[3]"}, {"x": "f[2,3]"}, {"x": "f[]"}),
)
CATALOGUE.operation("out = np.imag(x)", infer=part_type, constant=True)
elementwise("out = np.angle(x)", infer=sinc_type, note="0 or pi: piecewise constant")
