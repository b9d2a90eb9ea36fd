"""Matrix equations, banded systems, functions of matrices and matrices of one pattern, of
`scipy.linalg`.

Sources: M. B. Giles, "Collected matrix derivative results" (2008); N. J. Higham, "Functions of
matrices" (2008), theorem 3.6: the derivative of a function of a matrix is a block of the function
of `[[a, e], [0, a]]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s2s_ad.ir import Atom, Const, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.matrices import mismatch, scipy_dtype
from s2s_ad.operations.result_types import (
    Infer,
    constant,
    known_shape,
    of_shape,
    strong_promotion,
    unsupported,
)
from s2s_ad.operations.scipy_linalg import real_matrix, square
from s2s_ad.types import Array, Shape, Size, Sizes, Type, TypeProblem, dtype_of, shape_of

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


# Lyapunov equations -------------------------------------------------------------------------------


LYAPUNOV = "scipy.linalg.solve_continuous_lyapunov"
DISCRETE = "scipy.linalg.solve_discrete_lyapunov"


def _lyapunov_type(function: str) -> Infer:
    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        dtype = scipy_dtype([operand.type for operand in operands[:2]], function)
        shape, right = (square(sizes, operand, function) for operand in operands[:2])
        try:
            sizes.unify(shape[0], right[0])
        except TypeProblem:
            raise mismatch(function, shape, right) from None
        return Array("f64" if function == DISCRETE else dtype, shape)  # also of float32

    return infer


operation(
    f"out = {LYAPUNOV}(a, q)",
    f"grad_q += {LYAPUNOV}(a.T, grad_out)",
    f"grad_a += -({LYAPUNOV}(a.T, grad_out) @ out.T + {LYAPUNOV}(a.T, grad_out).T @ out)",
    infer=_lyapunov_type(LYAPUNOV),
    tangent=(
        f"tangent_out = {LYAPUNOV}(a, tangent_q)",
        f"tangent_out = -{LYAPUNOV}(a, tangent_a @ out + out @ tangent_a.T)",
    ),
    domains={"a": "invertible"},
    samples=({"a": "f[3,3]", "q": "f[3,3]"}, {"a": "f[1,1]", "q": "f[1,1]"}),
)
operation(
    f"out = {DISCRETE}(a, q)",
    f"grad_q += {DISCRETE}(a.T, grad_out)",
    f"grad_a += {DISCRETE}(a.T, grad_out) @ a @ out.T + {DISCRETE}(a.T, grad_out).T @ a @ out",
    infer=_lyapunov_type(DISCRETE),
    tangent=(
        f"tangent_out = {DISCRETE}(a, tangent_q)",
        f"tangent_out = {DISCRETE}(a, tangent_a @ out @ a.T + a @ out @ tangent_a.T)",
    ),
    domains={"a": "invertible"},
    samples=({"a": "f[3,3]", "q": "f[3,3]"}, {"a": "f[1,1]", "q": "f[1,1]"}),
)


# Banded systems: `ab[u + i - j, j]` is the element at i, j ----------------------------------------


def _banded_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    function = "scipy.linalg.solve_banded"
    pair = constant(operands[0], "l_and_u")
    dtype = scipy_dtype([operand.type for operand in operands[1:]], function)
    band, right = (known_shape(operand, function) for operand in operands[1:])
    if len(band) != 2 or len(right) not in (1, 2):
        raise TypeProblem("shape-mismatch", f"`{function}` takes a matrix and a right side")
    try:
        sizes.unify(band[1], right[0])
        sizes.unify(band[0], Size.of(sum(pair) + 1))
    except TypeProblem:
        raise mismatch(function, band, right) from None
    return of_shape(dtype, right)


def banded_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    lower, upper = constant(operands[0], "l_and_u")
    turned = f"transposed_band(ab, {lower}, {upper})"
    solved = f"scipy.linalg.solve_banded({(upper, lower)}, {turned}, grad_out)"
    return (
        f"grad_b += {solved}",
        f"grad_ab += -band_of_outer({solved}, out, {lower}, {upper})",
    )


def banded_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    lower, upper = constant(operands[0], "l_and_u")
    solve = f"scipy.linalg.solve_banded({(lower, upper)}, ab, {{0}})"
    moved = f"band_times(tangent_ab, out, {lower}, {upper})"
    return (
        f"tangent_out = {solve.format('tangent_b')}",
        f"tangent_out = -{solve.format(moved)}",
    )


operation(
    "out = scipy.linalg.solve_banded(l_and_u, ab, b)",
    infer=_banded_type,
    rules=(Rule(banded_lines),),
    tangent=banded_tangent,
    domains={"ab": "large"},
    samples=(
        {"l_and_u": (1, 1), "ab": "f[3,4]", "b": "f[4]"},
        {"l_and_u": (2, 0), "ab": "f[3,4]", "b": "f[4,2]"},
        {"l_and_u": (0, 1), "ab": "f[2,3]", "b": "f[3]"},
    ),
)
BANDS: dict[str, Any] = {"lower": 1, "upper": 1}
operation(
    "out = transposed_band(ab, lower, upper)",
    "grad_ab += transposed_band(grad_out, upper, lower)",
    infer=lambda _, operands: operands[0].type,
    linear=("ab",),
    helper="transposed_band",
    samples=({"ab": "f[3,4]", **BANDS}, {"ab": "f[3,4]", "lower": 2, "upper": 0}),
)


def _band_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    rows = Size.of(1)
    for operand in operands[2:]:
        count = getattr(operand.type, "value", None)
        if count is None:
            raise unsupported("the number of bands has to be known", "give it as a constant")
        rows = rows + count
    shape = shape_of(operands[1].type)
    if shape is None:
        return Array(dtype_of(operands[0].type), None)
    return Array(dtype_of(operands[0].type), (rows, shape[0]))


operation(
    "out = band_of_outer(left, right, lower, upper)",
    "grad_left += band_times(grad_out, right, lower, upper)",
    "grad_right += band_times(transposed_band(grad_out, lower, upper), left, upper, lower)",
    infer=_band_type,
    bilinear=("left", "right"),
    helper="band_of_outer",
    samples=(
        {"left": "f[4]", "right": "f[4]", **BANDS},
        {"left": "f[4,2]", "right": "f[4,2]", "lower": 0, "upper": 2},
    ),
)
operation(
    "out = band_times(ab, right, lower, upper)",
    "grad_ab += band_of_outer(grad_out, right, lower, upper)",
    "grad_right += band_times(transposed_band(ab, lower, upper), grad_out, upper, lower)",
    infer=lambda _, operands: operands[1].type,
    bilinear=("ab", "right"),
    helper="band_times",
    samples=(
        {"ab": "f[3,4]", "right": "f[4]", **BANDS},
        {"ab": "f[3,4]", "right": "f[4,2]", "lower": 2, "upper": 0},
    ),
)


# Functions of matrices ----------------------------------------------------------------------------


def matrix_function(name: str, domain: str, **properties: Any) -> None:
    """Declare a function of a matrix, whose derivative is a block of the function itself."""

    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        dtype = scipy_dtype([operands[0].type], f"scipy.linalg.{name}")
        if dtype != "f64":
            raise TypeProblem("unsupported-dtype", f"`scipy.linalg.{name}` takes double precision")
        return Array(dtype, square(sizes, operands[0], f"scipy.linalg.{name}"))

    block = (
        f"scipy.linalg.{name}(np.kron(np.eye(2), {{0}}) + np.kron(np.eye(2, k=1), {{1}}))"
        "[: len(a), len(a) :]"
    )
    operation(
        f"out = scipy.linalg.{name}(a)",
        f"grad_a += {block.format('a.T', 'grad_out')}",
        infer=infer,
        tangent=(f"tangent_out = {block.format('a', 'tangent_a')}",),
        domains={"a": domain},
        samples=({"a": "f[3,3]"}, {"a": "f[1,1]"}),
        **properties,
    )


matrix_function(
    "logm",
    "definite",
    note="of matrices whose logarithm is real; for others the generated module stops",
    **real_matrix("logm"),
)
for circular in ("sinm", "cosm", "sinhm", "coshm"):
    matrix_function(circular, "definite")


# Matrices of one pattern --------------------------------------------------------------------------


def _pattern_type(function: str) -> Infer:
    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        vectors = [operand for operand in operands if operand != Const(None)]
        shapes: list[Shape] = [known_shape(operand, function) for operand in vectors]
        if any(len(shape) != 1 for shape in shapes):
            raise unsupported(f"`{function}` is supported for vectors", "call it for each of them")
        dtype = strong_promotion([operand.type for operand in vectors])
        return Array(dtype, (shapes[0][0], shapes[-1][0]))

    return infer


operation(
    "out = scipy.linalg.circulant(c)",
    "grad_c += scattered(grad_out, scipy.linalg.circulant(places(np.shape(c))), np.shape(c))",
    infer=_pattern_type("scipy.linalg.circulant"),
    linear=("c",),
    samples=({"c": "f[3]"}, {"c": "f[1]"}),
)


def pattern_lines(function: str) -> Rule:
    """The adjoint is added up where each vector stands: the column wins where both do."""

    def lines(operands: Sequence[Atom]) -> tuple[str, ...]:
        if operands[1] == Const(None):
            origin = f"{function}(places(np.shape(c)))"
            if function.endswith("toeplitz"):
                return (f"grad_c += scattered(grad_out, {origin}, np.shape(c))",)
            # below the antidiagonal are zeros
            part = f"grad_out * {function}(np.ones_like(c))"
            return (f"grad_c += scattered({part}, {origin}, np.shape(c))",)
        return tuple(
            f"grad_{own} += scattered(grad_out * {function}({ones}), {function}({origin}), "
            f"np.shape({own}))"
            for own, ones, origin in (
                ("c", "np.ones_like(c), 0.0 * r", "places(np.shape(c)), 0 * places(np.shape(r))"),
                ("r", "0.0 * c, np.ones_like(r)", "0 * places(np.shape(c)), places(np.shape(r))"),
            )
        )

    return Rule(lines)


def pattern_tangent(function: str) -> Any:
    def lines(operands: Sequence[Atom]) -> tuple[str, ...]:
        if operands[1] == Const(None):
            return (f"tangent_out = {function}(tangent_c)",)
        return (
            f"tangent_out = {function}(tangent_c, 0.0 * r)",
            f"tangent_out = {function}(0.0 * c, tangent_r)",
        )

    return lines


for pattern in ("scipy.linalg.toeplitz", "scipy.linalg.hankel"):
    operation(
        f"out = {pattern}(c, r=None)",
        infer=_pattern_type(pattern),
        rules=(pattern_lines(pattern),),
        tangent=pattern_tangent(pattern),
        samples=(
            {"c": "f[3]"},
            {"c": "f[1]"},
            {"c": "f[3]", "r": "f[3]"},
            {"c": "f[2]", "r": "f[4]"},
        ),
    )
