"""Sums and products of polynomials, given by their coefficients, the highest power first.

The shorter operand of a sum stands for one with zeros in front. NumPy drops the leading zeros of a
product, so that its length depends on values: what was dropped has no adjoint.
"""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import known_shape, require_numeric, strong_promotion
from s2s_ad.types import INT, ONE, Array, Size, Sizes, Type, TypeProblem

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


def _length(operand: Atom, function: str) -> Size:
    shape = known_shape(operand, function)
    if len(shape) > 1:
        raise TypeProblem("shape-mismatch", f"`{function}` takes vectors of coefficients")
    return shape[0] if shape else ONE


def _sum_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    types = [operand.type for operand in operands]
    require_numeric(types)
    first, second = (sizes.resolve(_length(operand, "np.polyadd")) for operand in operands)
    longer = (first - second).constant
    if longer is None:
        return Array(strong_promotion(types), (sizes.fresh(),))
    return Array(strong_promotion(types), (first if longer >= 0 else second,))


def _sum_lines(sign: str) -> Rule:
    def lines(operands: Sequence[Atom]) -> tuple[str, ...]:
        first, second = (
            f"np.reshape({part}, np.shape({name}))"
            if known_shape(operand, "np.polyadd") == ()
            else part
            for operand, name in zip(operands, ("a1", "a2"), strict=True)
            for part in [f"grad_out[np.size(out) - np.size({name}) :]"]
        )
        return f"grad_a1 += {first}", f"grad_a2 += {sign}{second}"

    return Rule(lines)


SUMS = (
    {"a1": "f[3]", "a2": "f[3]"},
    {"a1": "f[2]", "a2": "f[4]"},
    {"a1": "f[4]", "a2": "f[1]"},
    {"a1": "f[]", "a2": "f[3]"},
)
for _name, _sign in (("polyadd", ""), ("polysub", "-")):
    operation(
        f"out = np.{_name}(a1, a2)",
        infer=_sum_type,
        rules=(_sum_lines(_sign),),
        linear=("a1", "a2"),
        samples=SUMS,
    )


def _product_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    types = [operand.type for operand in operands]
    require_numeric(types)
    for operand in operands:
        _length(operand, "np.polymul")
    return Array(strong_promotion(types), (sizes.fresh(),))


DROPPED = "np.size(a1) + np.size(a2) - 1 - np.size(out)"
WHOLE = f"np.concatenate((np.zeros({DROPPED}), grad_out))"


def _vector(operand: Atom, text: str) -> str:
    return text if known_shape(operand, "np.polymul") else f"np.ravel({text})"


def product_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    lines = []
    for k, name in enumerate(("a1", "a2")):
        other = _vector(operands[1 - k], ("a2", "a1")[k])
        value = f"np.correlate({WHOLE}, {other})"
        if not known_shape(operands[k], "np.polymul"):
            value = f"np.sum({value})"
        lines.append(f"grad_{name} += {value}")
    return tuple(lines)


def product_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    first, second = operands
    return (
        f"tangent_out = np.convolve({_vector(first, 'tangent_a1')}, {_vector(second, 'a2')})"
        f"[{DROPPED}:]",
        f"tangent_out = np.convolve({_vector(first, 'a1')}, {_vector(second, 'tangent_a2')})"
        f"[{DROPPED}:]",
    )


operation(
    "out = np.polymul(a1, a2)",
    infer=_product_type,
    rules=(Rule(product_lines),),
    tangent=product_tangent,
    samples=(
        {"a1": "f[3]", "a2": "f[2]"},
        {"a1": "f[2]", "a2": "f[4]"},
        {"a1": "f[1]", "a2": "f[1]"},
        {"a1": "f[]", "a2": "f[3]"},
    ),
    note="leading zeros are dropped, as in NumPy, and have no adjoint",
)

operation("out = leading_zeros(p)", infer=lambda _, __: INT, constant=True, helper="leading_zeros")


# Zeros at the ends ----------------------------------------------------------------------------


def _trimmed_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    x = operands[0].type
    require_numeric([x])
    if len(known_shape(operands[0], "np.trim_zeros")) != 1:
        raise TypeProblem("shape-mismatch", "`np.trim_zeros` is supported for vectors")
    dtype = x.dtype if isinstance(x, Array) else "f64"
    return Array(dtype, (sizes.fresh(),))


operation(
    "out = np.trim_zeros(filt, trim='fb')",
    "grad_filt += scattered(grad_out, trimmed_places(filt, trim), np.shape(filt))",
    infer=_trimmed_type,
    tangent="tangent_out = np.take(tangent_filt, trimmed_places(filt, trim))",
    view_of="filt",
    samples=({"filt": "f[4]"}, {"filt": "f[3]", "trim": "f"}, {"filt": "f[1]", "trim": "b"}),
)
operation(
    "out = trimmed_places(filt, trim)",
    infer=lambda sizes, _: Array("i64", (sizes.fresh(),)),
    constant=True,
    helper="trimmed_places",
)
