"""Elementwise operations that choose: extremes, `where`, clipping, comparisons, rounding.

Ties share equally, the branch not taken never matters; what is piecewise constant has no adjoint.
"""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Atom, Const, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import (
    elementwise_type,
    of_shape,
    require_numeric,
    selection_type,
    unsupported,
)
from s2s_ad.types import (
    INT,
    NONE,
    Array,
    Number,
    Scalar,
    Sizes,
    Type,
    TypeProblem,
    dtype_of,
    is_boolean,
    is_integer,
    promote,
    shape_of,
    with_dtype,
)

CATALOGUE = Catalogue()
elementwise = CATALOGUE.elementwise
scalar_function = CATALOGUE.scalar_function
operation = CATALOGUE.operation


# Choices: ties share equally ----------------------------------------------------------------------

# The comparison is with the value that was chosen; where both are, each gets half.
CHOICE = (
    "grad_x += grad_out * np.where(x == y, 0.5, x {0} y)",
    "grad_y += grad_out * np.where(x == y, 0.5, y {0} x)",
)
for _name, _sign in {"maximum": ">", "minimum": "<"}.items():
    elementwise(
        f"out = np.{_name}(x, y)",
        *(line.format(_sign) for line in CHOICE),
        result="arithmetic",
        note="at a tie, half to each",
    )
for _name in ("fmax", "fmin"):
    # the result is the number where the other one is NaN, and a comparison with NaN says no
    elementwise(
        f"out = np.{_name}(x, y)",
        "grad_x += grad_out * np.where(x == y, 0.5, x == out)",
        "grad_y += grad_out * np.where(x == y, 0.5, y == out)",
        result="arithmetic",
        note="at a tie, half to each; a NaN gets 0",
    )
elementwise(
    "out = np.where(c, x, y)",
    "grad_x += np.where(c, grad_out, 0.0)",
    "grad_y += np.where(c, 0.0, grad_out)",
    infer=selection_type(rank_zero="array", tests=1),
    tangent="tangent_out = np.where(c, tangent_x, tangent_y)",
    domains={"c": "boolean"},
    note="the branch not taken never matters, not even by a NaN",
)


def _chosen_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    types = [operand.type for operand in operands]
    require_numeric(types)
    if not is_integer(types[0]):
        raise unsupported("`np.choose` chooses by integers", "use `np.where` for conditions")
    shape = sizes.broadcast([shape_of(type) for type in types])
    return of_shape(promote(types[1:]), shape)


CATALOGUE.operation(
    "out = np.choose(a, [*choices])",
    infer=_chosen_type,
    rules=(
        Rule(
            lambda operands: tuple(
                f"grad_choices{k} += np.where(a == {k}, grad_out, 0.0)"
                for k in range(len(operands) - 1)
            )
        ),
    ),
    linear=("choices",),
    broadcasts=("choices",),
    samples=(
        {"a": "i[4]<2", "choices": ("f[4]", "f[4]")},
        {"a": "i[2,3]<3", "choices": ("f[]", "f[3]", "f[2,1]")},
        {"a": "i[3]<1", "choices": ("f[2,3]",)},
    ),
)


def clip_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """Bounds may be None; x is made an array first, so that only the bounds are weak."""
    types = [operand.type for operand in operands if operand.type != NONE]
    require_numeric(types)
    shape = sizes.broadcast([shape_of(type) for type in types])
    return of_shape(promote([Scalar(dtype_of(types[0])), *types[1:]]), shape)


def _ordered(bounds: Sequence[Atom]) -> bool:
    """Whether the bounds are two numbers, the first one smaller."""
    values = [bound.value for bound in bounds if isinstance(bound, Const)]
    return len(values) == 2 and values[0] < values[1]


def clip_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    """minimum(maximum(x, a_min), a_max), with the bounds that there are; at a tie, half to each."""
    if not any(operand.type == NONE for operand in operands) and not _ordered(operands[1:]):
        above = "np.where(x == a_min, 0.5, x > a_min)"
        below = "np.where(np.maximum(x, a_min) == a_max, 0.5, np.maximum(x, a_min) < a_max)"
        return (
            f"grad_x += grad_out * {above} * {below}",
            f"grad_a_min += grad_out * np.where(x == a_min, 0.5, a_min > x) * {below}",
            "grad_a_max += grad_out * np.where(np.maximum(x, a_min) == a_max, 0.5, "
            "np.maximum(x, a_min) > a_max)",
        )
    bounds = [
        (name, sign)
        for name, sign, atom in zip(("a_min", "a_max"), "><", operands[1:], strict=True)
        if atom.type != NONE
    ]
    inside = " & ".join(f"(x {sign} {name})" for name, sign in bounds)
    ties = " | ".join(f"(x == {name})" for name, _ in bounds)
    lines = [
        f"grad_x += grad_out * np.where({ties}, 0.5, {inside})" if bounds else "grad_x += grad_out"
    ]
    for name, sign in bounds:
        lines.append(f"grad_{name} += grad_out * np.where(x == {name}, 0.5, {name} {sign} x)")
    return tuple(lines)


elementwise(
    "out = np.clip(x, a_min, a_max)",
    infer=clip_type,
    rules=(Rule(clip_lines),),
    domains={"a_min": "below", "a_max": "above"},
    note="at a bound, half to each",
    method="clip",
)
elementwise(
    "out = np.nan_to_num(x, nan=0.0, posinf=None, neginf=None)",
    "grad_x += np.where(np.isfinite(x), grad_out, 0.0)",
    infer=lambda sizes, operands: elementwise_type("arithmetic")(sizes, operands[:1]),
    note="what is replaced gets 0",
)


# Piecewise constant: no adjoint -------------------------------------------------------------------

for _symbol in ("<", "<=", ">", ">=", "==", "!="):
    elementwise(f"out = x {_symbol} y", result="bool")
for _name in (
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "equal",
    "not_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
):
    elementwise(f"out = np.{_name}(x, y)", result="bool")
for _name in ("logical_not", "isnan", "isinf", "isfinite", "signbit"):
    elementwise(f"out = np.{_name}(x)", result="bool")
for _symbol in ("&", "|", "^"):
    elementwise(f"out = x {_symbol} y", result="bitwise", domains={"x": "boolean", "y": "boolean"})
elementwise("out = ~x", result="arithmetic", domains={"x": "boolean"})
elementwise(
    "out = not x",
    result="bool",
    infer=elementwise_type("bool", of_numbers="number", scalars_only=True),
)
elementwise(
    "out = np.round(x, decimals=0)",
    also=("numpy.around",),
    method="round",
    infer=lambda sizes, operands: _rounded_type(sizes, operands[:1]),
)


def _rounded_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    found = elementwise_type("arithmetic")(sizes, operands)
    return with_dtype(found, "f16") if is_boolean(found) else found


for _name in ("floor", "ceil", "trunc", "rint"):
    elementwise(f"out = np.{_name}(x)")
elementwise("out = np.sign(x)", result="arithmetic")
elementwise("out = np.fix(x)", result="arithmetic")
for _name in ("floor", "ceil", "trunc"):
    scalar_function(f"out = math.{_name}(x)", result="integer")
for _name in ("isnan", "isinf", "isfinite"):
    scalar_function(f"out = math.{_name}(x)", result="bool")


# Counting with Python's integers
for _form in ("factorial(x)", "isqrt(x)", "comb(x, y)", "perm(x, y)", "gcd(x, y)", "lcm(x, y)"):
    operation(f"out = math.{_form}", infer=lambda _, operands: _count_type(operands), constant=True)


def _count_type(operands: Sequence[Atom]) -> Type:
    if not all(isinstance(a.type, Number | Scalar) and is_integer(a.type) for a in operands):
        raise TypeProblem("unsupported-argument", "this takes integers")
    return INT


operation(
    "out = round(x, ndigits=None)",
    infer=lambda _, operands: _python_rounded_type(*operands),
    constant=True,
)


def _python_rounded_type(x: Atom, digits: Atom) -> Type:
    """A number keeps its kind where digits are asked for, otherwise it becomes an integer."""
    if not isinstance(x.type, Number | Scalar):
        raise TypeProblem(
            "unsupported-argument", "the builtin `round` takes numbers: `np.round` works on arrays"
        )
    return INT if digits.type == NONE else x.type


# Comparisons with a tolerance, and of whole arrays

for _name in ("isposinf", "isneginf"):
    elementwise(f"out = np.{_name}(x)", result="bool")


def _truth(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """Of a number, a bool of Python."""
    found = elementwise_type("bool")(sizes, operands)
    return found if isinstance(found, Array) else Number("bool")


for _name in ("isreal", "iscomplex"):
    elementwise(f"out = np.{_name}(x)", infer=_truth)
TOLERANCES = "rtol=1e-05, atol=1e-08, equal_nan=False"
CATALOGUE.operation(
    f"out = np.isclose(a, b, {TOLERANCES})",
    infer=lambda sizes, operands: elementwise_type("bool")(sizes, operands[:2]),
    constant=True,
)
CATALOGUE.operation(
    "out = math.isclose(a, b, rel_tol=1e-09, abs_tol=0.0)",
    infer=lambda _, __: Number("bool"),
    constant=True,
)
CATALOGUE.operation(
    f"out = np.allclose(a, b, {TOLERANCES})",
    infer=lambda _, __: Number("bool"),
    constant=True,
)
CATALOGUE.operation(
    "out = np.array_equal(a1, a2, equal_nan=False)",
    infer=lambda _, __: Number("bool"),
    constant=True,
)
CATALOGUE.operation(
    "out = np.array_equiv(a1, a2)", infer=lambda _, __: Number("bool"), constant=True
)

# Integers

for _name in (
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "left_shift",
    "right_shift",
    "gcd",
    "lcm",
):
    elementwise(
        f"out = np.{_name}(x, y)",
        result="arithmetic",
        domains={"x": "boolean", "y": "boolean"},
        also=("numpy.bitwise_left_shift",)
        if _name == "left_shift"
        else ("numpy.bitwise_right_shift",)
        if _name == "right_shift"
        else (),
    )
elementwise(
    "out = np.invert(x)",
    result="arithmetic",
    domains={"x": "boolean"},
    also=("numpy.bitwise_not", "numpy.bitwise_invert"),
)
elementwise("out = np.spacing(x)", note="piecewise constant")
