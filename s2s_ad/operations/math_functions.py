"""Functions of `math` that NumPy does not have, or that keep other rules than NumPy's.

They take Python numbers. The error and gamma functions are those of DLMF chapters 7 and 5; the
digamma function is SciPy's, which the generated module then imports.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s2s_ad.ir import Atom
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import require_numeric, unsupported
from s2s_ad.types import (
    Items,
    Number,
    Scalar,
    Sizes,
    Type,
    TypeProblem,
    dtype_of,
    rank_of,
    scalar_like,
    shape_of,
)

CATALOGUE = Catalogue()
scalar_function = CATALOGUE.scalar_function
POSITIVE: dict[str, Any] = {"domains": {"x": "positive"}}
NONZERO: dict[str, Any] = {"domains": {"y": "nonzero"}}

# Error and gamma functions ------------------------------------------------------------------------

scalar_function(
    "out = math.erf(x)", "grad_x += grad_out * (2.0 / math.sqrt(math.pi)) * math.exp(-x * x)"
)
scalar_function(
    "out = math.erfc(x)", "grad_x += -grad_out * (2.0 / math.sqrt(math.pi)) * math.exp(-x * x)"
)
scalar_function(
    "out = math.gamma(x)", "grad_x += grad_out * out * scipy.special.digamma(x)", **POSITIVE
)
scalar_function("out = math.lgamma(x)", "grad_x += grad_out * scipy.special.digamma(x)", **POSITIVE)

# Remainders: x - n * y with a whole number n ------------------------------------------------------

for _name, _note in (
    ("fmod", "at multiples of y, the derivative of the branch that Python takes"),
    (
        "remainder",
        "half way between multiples of y, the derivative of the branch that Python takes",
    ),
):
    scalar_function(
        f"out = math.{_name}(x, y)",
        "grad_x += grad_out",
        "grad_y += -grad_out * ((x - out) / y)",
        note=_note,
        **NONZERO,
    )

# Parts of numbers ---------------------------------------------------------------------------------


def ldexp_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    x, i = (operand.type for operand in operands)
    require_numeric([x])
    if not (scalar_like(x) and i == Number("int", getattr(i, "value", None))):
        raise unsupported("`math.ldexp` takes a number and an integer", "use `np.ldexp`")
    return Number("float")


CATALOGUE.operation(
    "out = math.ldexp(x, i)",
    "grad_x += math.ldexp(grad_out, i)",
    infer=ldexp_type,
    linear=("x",),
    samples=({"x": "f[]", "i": 3}, {"x": "f[]", "i": -2}),
)
CATALOGUE.operation(
    "fraction, whole = math.modf(x)",
    "grad_x += grad_fraction",
    infer=lambda _, operands: Items((Number("float"), Number("float"))),
    tangent="tangent_fraction = tangent_x",
    constant_results=("whole",),
    samples=({"x": "f[]"},),
    note="the fraction follows the number; at integers, slope 1",
)
SCALE = "np.where(x == 0, 1.0, mantissa / np.where(x == 0, 1.0, x))"
CATALOGUE.operation(
    "mantissa, exponent = math.frexp(x)",
    f"grad_x += grad_mantissa * {SCALE}",
    infer=lambda _, operands: Items((Number("float"), Number("int"))),
    tangent=f"tangent_mantissa = tangent_x * {SCALE}",
    constant_results=("exponent",),
    samples=({"x": "f[]"},),
    note="between the powers of two, where the mantissa jumps",
)
scalar_function(
    "out = math.nextafter(x, y)",
    "grad_x += grad_out",
    "grad_y += 0.0 * grad_out",
    note="one unit in the last place away: slope 1 in x",
)
scalar_function("out = math.ulp(x)")

# Several numbers ----------------------------------------------------------------------------------


def of_numbers(_: Sizes, operands: Sequence[Atom]) -> Type:
    """The type of a function of the elements of vectors."""
    for operand in operands:
        if rank_of(operand.type) != 1:
            raise unsupported("this function takes the numbers of a list", "give it a flat list")
        require_numeric([operand.type])
    if len({shape_of(operand.type) for operand in operands}) > 1:
        raise TypeProblem("shape-mismatch", "the two points have different numbers of coordinates")
    return Number("float")


CATALOGUE.operation(
    "out = math.fsum(x)",
    "grad_x += np.broadcast_to(grad_out, np.shape(x))",
    infer=of_numbers,
    linear=("x",),
    samples=({"x": "f[3]"}, {"x": "f[1]"}, {"x": "f[0]"}),
)


def product_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """Of the elements of an array, a scalar of NumPy's."""
    of_numbers(sizes, operands)
    dtype = dtype_of(operands[0].type)
    return Scalar("i64" if dtype == "bool" else dtype)


CATALOGUE.operation(
    "out = math.prod(x)",
    "grad_x += grad_out * product_of_others(x)",
    infer=product_type,
    tangent="tangent_out = np.sum(tangent_x * product_of_others(x))",
    samples=({"x": "f[3]"}, {"x": "f[1]"}),
    note="right where elements are zero",
)
CATALOGUE.operation(
    "out = math.dist(p, q)",
    "grad_p += grad_out * (p - q) / np.where(out == 0, 1.0, out)",
    "grad_q += grad_out * (q - p) / np.where(out == 0, 1.0, out)",
    infer=of_numbers,
    tangent="tangent_out = np.sum((p - q) * (tangent_p - tangent_q)) "
    "/ np.where(out == 0, 1.0, out)",
    samples=({"p": "f[3]", "q": "f[3]"}, {"p": "f[1]", "q": "f[1]"}),
    note="slope 0 where the points are the same",
)
