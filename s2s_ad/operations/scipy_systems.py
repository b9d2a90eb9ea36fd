"""`scipy.linalg` for matrices of one structure: Toeplitz and symmetric banded systems, tridiagonal
and generalised eigenvalues, the polar factors, the norm.

The adjoint of a matrix is summed up where its structure puts one number. Sources: M. B. Giles,
"Collected matrix derivative results" (2008), for systems and eigenvalues; the polar factors follow
from da = du p + u dp with u' du antisymmetric and dp symmetric.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from s2s_ad.ir import Atom, Const, Rule
from s2s_ad.operations import norms
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.matrices import matrix_shape, mismatch, scipy_dtype
from s2s_ad.operations.result_types import constant, known_shape, of_shape, unsupported
from s2s_ad.operations.scipy_linalg import square
from s2s_ad.types import Array, Items, Number, Size, Sizes, Type, TypeProblem, dtype_of, promote

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


# Toeplitz systems: the element at i, j is c[i - j], or r[j - i] above the diagonal ----------------

TOEPLITZ = "scipy.linalg.solve_toeplitz"


def _toeplitz_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    given = [operand for operand in operands if operand != Const(None)]
    dtype = scipy_dtype([operand.type for operand in given], TOEPLITZ)
    if dtype != "f64":
        raise TypeProblem("unsupported-dtype", f"`{TOEPLITZ}` is supported in double precision")
    *vectors, right = (known_shape(operand, TOEPLITZ) for operand in given)
    if any(len(vector) != 1 for vector in vectors) or len(right) not in (1, 2):
        raise unsupported(f"`{TOEPLITZ}` is supported for one matrix", "solve them one by one")
    try:
        for vector in vectors:
            sizes.unify(vector[0], right[0])
    except TypeProblem:
        raise mismatch(TOEPLITZ, vectors[0], right) from None
    return of_shape(dtype, right)


def toeplitz_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    symmetric = operands[1] == Const(None)
    solved = (
        f"{TOEPLITZ}(c, grad_out)"
        if symmetric
        else f"{TOEPLITZ}((np.concatenate((c[:1], r[1:])), c), grad_out)"
    )
    below, above = f"lagged_sums({solved}, out)", f"lagged_sums(out, {solved})"
    if symmetric:
        return (
            f"grad_b += {solved}",
            f"grad_c += -{below}",
            f"grad_c += -without_first({above})",
        )
    return f"grad_b += {solved}", f"grad_c += -{below}", f"grad_r += -without_first({above})"


def toeplitz_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    if operands[1] == Const(None):
        return (
            f"tangent_out = -{TOEPLITZ}(c, scipy.linalg.toeplitz(tangent_c) @ out)",
            f"tangent_out = {TOEPLITZ}(c, tangent_b)",
        )
    solved = f"tangent_out = -{TOEPLITZ}((c, r), scipy.linalg.toeplitz({{0}}) @ out)"
    return (
        solved.format("tangent_c, 0.0 * r"),
        solved.format("0.0 * c, tangent_r"),
        f"tangent_out = {TOEPLITZ}((c, r), tangent_b)",
    )


def _print_toeplitz(operands: Sequence[Atom], texts: Sequence[str]) -> str:
    matrix = texts[0] if operands[1] == Const(None) else f"({texts[0]}, {texts[1]})"
    return f"{TOEPLITZ}({matrix}, {texts[2]})"


def _solve_toeplitz(c: Any, r: Any, b: Any) -> Any:
    import scipy.linalg

    return scipy.linalg.solve_toeplitz(c if r is None else (c, r), b)


operation(
    f"out = {TOEPLITZ}(c, r, b)",
    infer=_toeplitz_type,
    rules=(Rule(toeplitz_lines),),
    tangent=toeplitz_tangent,
    printer=_print_toeplitz,
    evaluate=_solve_toeplitz,
    samples=(
        {"c": "f[4]", "r": "f[4]", "b": "f[4]"},
        {"c": "f[3]", "r": "f[3]", "b": "f[3,2]"},
        {"c": "f[3]", "r": None, "b": "f[3]"},
        {"c": "f[1]", "r": None, "b": "f[1,2]"},
    ),
)


def _lagged_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    shapes = [known_shape(operand, "lagged_sums") for operand in operands]
    return Array(promote([operand.type for operand in operands]), (shapes[0][0],))


LAGGED: dict[str, Any] = {
    "infer": _lagged_type,
    "samples": ({"x": "f[4]", "y": "f[4]"}, {"x": "f[3,2]", "y": "f[3,2]"}),
}
operation(
    "out = lagged_sums(x, y)",
    "grad_x += lower_toeplitz(grad_out) @ y",
    "grad_y += lower_toeplitz(grad_out).T @ x",
    bilinear=("x", "y"),
    helper="lagged_sums",
    **LAGGED,
)


def _lower_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    shape = known_shape(operands[0], "lower_toeplitz")
    return Array(promote([operands[0].type]), shape * 2)


operation(
    "out = lower_toeplitz(c)",
    "grad_c += lagged_sums(grad_out, np.eye(np.shape(grad_out)[0]))",
    infer=_lower_type,
    linear=("c",),
    helper="lower_toeplitz",
    samples=({"c": "f[4]"}, {"c": "f[1]"}),
)
operation(
    "out = without_first(x)",
    "grad_x += without_first(grad_out)",
    infer=lambda _, operands: operands[0].type,
    linear=("x",),
    helper="without_first",
    samples=({"x": "f[4]"},),
)


# Symmetric banded systems: `ab[i - j, j]` below the diagonal, or `ab[u + i - j, j]` above ---------

BANDED = "scipy.linalg.solveh_banded"


def _banded_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    constant(operands[2], "lower")
    dtype = scipy_dtype([operand.type for operand in operands[:2]], BANDED)
    band, right = (known_shape(operand, BANDED) for operand in operands[:2])
    if len(band) != 2 or len(right) not in (1, 2):
        raise TypeProblem("shape-mismatch", f"`{BANDED}` takes a matrix and a right side")
    try:
        sizes.unify(band[1], right[0])
    except TypeProblem:
        raise mismatch(BANDED, band, right) from None
    return of_shape(dtype, right)


def bands(operands: Sequence[Atom]) -> tuple[str, str, str, str]:
    """How many bands are below and above the diagonal, which row that is, the option that says
    so.
    """
    count = "np.shape(ab)[0] - 1"
    if constant(operands[2], "lower"):
        return count, "0", "0", ", lower=True"
    return "0", count, count, ""


def banded_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    below, above, _, option = bands(operands)
    solved = f"{BANDED}(ab, grad_out{option})"
    both = (
        f"band_of_outer({left}, {right}, {below}, {above})"
        for left, right in ((solved, "out"), ("out", solved))
    )
    first, second = both
    return (
        f"grad_b += {solved}",
        f"grad_ab += -{first}",
        f"grad_ab += -{second} * {_off_diagonal(operands)}",
    )


def _off_diagonal(operands: Sequence[Atom]) -> str:
    """A column of ones, and 0 for the row of the diagonal."""
    _, _, diagonal, _ = bands(operands)
    return f"np.expand_dims(np.arange(np.shape(ab)[0]) != {diagonal}, 1)"


def banded_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    below, above, _, option = bands(operands)
    rest = f"({_off_diagonal(operands)} * tangent_ab)"
    turned = f"transposed_band({rest}, {below}, {above})"
    moved = (
        f"band_times(tangent_ab, out, {below}, {above})",
        f"band_times({turned}, out, {above}, {below})",
    )
    return (
        f"tangent_out = -{BANDED}(ab, {' + '.join(moved)}{option})",
        f"tangent_out = {BANDED}(ab, tangent_b{option})",
    )


operation(
    f"out = {BANDED}(ab, b, lower=False)",
    infer=_banded_type,
    rules=(Rule(banded_lines),),
    tangent=banded_tangent,
    domains={"ab": "dominant"},
    samples=(
        {"ab": "f[2,4]", "b": "f[4]"},
        {"ab": "f[2,3]", "b": "f[3,2]"},
    ),
    note="of the elements that are read",
)


# Eigenvalues --------------------------------------------------------------------------------------

GENERAL = "scipy.linalg.eigh[b]"


def _general_type(sizes: Sizes, operands: Sequence[Atom]) -> Items:
    constant(operands[2], "lower")
    dtype = scipy_dtype([operand.type for operand in operands[:2]], "scipy.linalg.eigh")
    first, second = (square(sizes, each, "scipy.linalg.eigh") for each in operands[:2])
    sizes.unify(first[0], second[0])
    return Items((Array(dtype, first[:1]), Array(dtype, first)))


def general_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    fold = "fold_lower" if constant(operands[2], "lower") else "fold_upper"
    inner = "over_gaps(v.T @ grad_v, w)"
    return (
        f"grad_a += {fold}((v * grad_w) @ v.T)",
        f"grad_a += {fold}(v @ {inner} @ v.T)",
        f"grad_b += {fold}((v * (-grad_w * w)) @ v.T)",
        f"grad_b += {fold}(-(v @ ({inner} * w)) @ v.T)",
        f"grad_b += {fold}((v * (-0.5 * np.sum(v * grad_v, axis=0))) @ v.T)",
    )


GENERAL_VALUES = "scipy.linalg.eigvalsh[b]"
VECTORS = "scipy.linalg.eigh(a, b{0})[1]"


def _vectors_of(operands: Sequence[Atom]) -> str:
    return VECTORS.format("" if constant(operands[2], "lower") else ", lower=False")


def general_value_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    fold = "fold_lower" if constant(operands[2], "lower") else "fold_upper"
    v = _vectors_of(operands)
    return (
        f"grad_a += {fold}(({v} * grad_out) @ {v}.T)",
        f"grad_b += {fold}(({v} * (-grad_out * out)) @ {v}.T)",
    )


def general_value_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    mirror = "mirror_lower" if constant(operands[2], "lower") else "mirror_upper"
    v = _vectors_of(operands)
    return (
        f"tangent_out = np.sum({v} * ({mirror}(tangent_a) @ {v}), axis=0)",
        f"tangent_out = -out * np.sum({v} * ({mirror}(tangent_b) @ {v}), axis=0)",
    )


def general_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    mirror = "mirror_lower" if constant(operands[2], "lower") else "mirror_upper"
    first, second = (f"{mirror}(tangent_{name})" for name in "ab")
    return (
        f"tangent_w = np.sum(v * ({first} @ v), axis=0)",
        f"tangent_v = v @ over_gaps(v.T @ {first} @ v, w)",
        f"tangent_w = -w * np.sum(v * ({second} @ v), axis=0)",
        f"tangent_v = -v @ over_gaps((v.T @ {second} @ v) * w, w) "
        f"- 0.5 * v * np.sum(v * ({second} @ v), axis=0)",
    )


operation(
    "w, v = scipy.linalg.eigh(a, b, lower=True)",
    name=GENERAL,
    infer=_general_type,
    rules=(Rule(general_lines),),
    tangent=general_tangent,
    domains={"a": "invertible", "b": "definite"},
    samples=(
        {"a": "f[3,3]", "b": "f[3,3]"},
        {"a": "f[2,2]", "b": "f[2,2]", "lower": False},
        {"a": "f[1,1]", "b": "f[1,1]"},
    ),
    note="only one triangle is read: the derivatives lie there; vectors of equal values have none",
)

operation(
    "out = scipy.linalg.eigvalsh(a, b, lower=True)",
    name=GENERAL_VALUES,
    infer=lambda sizes, operands: _general_type(sizes, operands).items[0],
    rules=(Rule(general_value_lines),),
    tangent=general_value_tangent,
    domains={"a": "invertible", "b": "definite"},
    samples=({"a": "f[3,3]", "b": "f[3,3]"}, {"a": "f[2,2]", "b": "f[2,2]", "lower": False}),
    note="only one triangle is read; the reverse sweep computes the vectors",
)


def _tridiagonal_type(sizes: Sizes, operands: Sequence[Atom]) -> Items:
    function = "scipy.linalg.eigh_tridiagonal"
    dtype = scipy_dtype([operand.type for operand in operands], function)
    diagonal, beside = (known_shape(operand, function) for operand in operands)
    if len(diagonal) != 1 or len(beside) != 1:
        raise unsupported(f"`{function}` takes two vectors", "call it for each matrix")
    sizes.unify(diagonal[0], beside[0] + 1)
    return Items((Array(dtype, diagonal), Array(dtype, diagonal * 2)))


INNER = "over_gaps(v.T @ grad_v, w)"
MOVED_D = "(v.T * tangent_d) @ v"
MOVED_E = "((v[:-1].T * tangent_e) @ v[1:] + (v[1:].T * tangent_e) @ v[:-1])"
operation(
    "w, v = scipy.linalg.eigh_tridiagonal(d, e)",
    "grad_d += np.sum(v * v * grad_w, axis=1)",
    f"grad_d += np.sum((v @ {INNER}) * v, axis=1)",
    "grad_e += 2.0 * np.sum(v[1:] * v[:-1] * grad_w, axis=1)",
    f"grad_e += np.sum((v[1:] @ {INNER}) * v[:-1] + (v[:-1] @ {INNER}) * v[1:], axis=1)",
    infer=_tridiagonal_type,
    tangent=(
        "tangent_w = np.sum(v * v * np.expand_dims(tangent_d, 1), axis=0)",
        f"tangent_v = v @ over_gaps({MOVED_D}, w)",
        "tangent_w = 2.0 * np.sum(v[1:] * v[:-1] * np.expand_dims(tangent_e, 1), axis=0)",
        f"tangent_v = v @ over_gaps({MOVED_E}, w)",
    ),
    samples=({"d": "f[4]", "e": "f[3]"}, {"d": "f[2]", "e": "f[1]"}),
    note="vectors of equal values have no derivative",
)

BOTH = "scipy.linalg.eigh_tridiagonal(d, e)[1]"
operation(
    "out = scipy.linalg.eigvalsh_tridiagonal(d, e)",
    f"grad_d += np.sum({BOTH} * {BOTH} * grad_out, axis=1)",
    f"grad_e += 2.0 * np.sum({BOTH}[1:] * {BOTH}[:-1] * grad_out, axis=1)",
    infer=lambda sizes, operands: _tridiagonal_type(sizes, operands).items[0],
    tangent=(
        f"tangent_out = np.sum({BOTH} * {BOTH} * np.expand_dims(tangent_d, 1), axis=0)",
        f"tangent_out = 2.0 * np.sum({BOTH}[1:] * {BOTH}[:-1] * np.expand_dims(tangent_e, 1), "
        "axis=0)",
    ),
    samples=({"d": "f[4]", "e": "f[3]"},),
    note="the reverse sweep computes the vectors",
)


# The polar factors --------------------------------------------------------------------------------


def _polar_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    side = constant(operands[1], "side")
    dtype = scipy_dtype([operands[0].type], "scipy.linalg.polar")
    shape = matrix_shape(operands[0].type, "scipy.linalg.polar")
    if shape is None or len(shape) != 2:
        raise unsupported("`scipy.linalg.polar` takes one matrix", "give its rank")
    if side not in ("left", "right"):
        raise unsupported(f"`side` is {side!r}", 'write "left" or "right"')
    rows, columns = shape if side == "right" else (shape[1], shape[0])
    if _is_less(sizes.resolve(rows), sizes.resolve(columns)):
        raise unsupported(
            "the symmetric polar factor is singular here: it has no derivative",
            f'write `side="{"left" if side == "right" else "right"}"`',
        )
    return Items((Array(dtype, shape), Array(dtype, (columns, columns))))


def _is_less(first: Size, second: Size) -> bool:
    difference = (first - second).constant
    return difference is not None and difference < 0


SYLVESTER = "scipy.linalg.solve_sylvester(p, p, {0})"
RIGHT = (
    "grad_a += u @ grad_p",
    f"grad_a += u @ minus_transpose({SYLVESTER.format('-grad_p @ p')})",
    f"grad_a += u @ minus_transpose({SYLVESTER.format('u.T @ grad_u')})",
    "grad_a += np.linalg.solve(p, (grad_u - u @ (u.T @ grad_u)).T).T",
)
LEFT = (
    "grad_a += grad_p @ u",
    f"grad_a += minus_transpose({SYLVESTER.format('-p @ grad_p')}) @ u",
    f"grad_a += minus_transpose({SYLVESTER.format('grad_u @ u.T')}) @ u",
    "grad_a += np.linalg.solve(p, grad_u - (grad_u @ u.T) @ u)",
)
TURN = SYLVESTER.format("minus_transpose(u.T @ tangent_a)")
TURN_LEFT = SYLVESTER.format("minus_transpose(tangent_a @ u.T)")
RIGHT_TANGENT = (
    f"tangent_u = u @ {TURN} + np.linalg.solve(p, (tangent_a - u @ (u.T @ tangent_a)).T).T",
    f"tangent_p = u.T @ tangent_a - {TURN} @ p",
)
LEFT_TANGENT = (
    f"tangent_u = {TURN_LEFT} @ u + np.linalg.solve(p, tangent_a - (tangent_a @ u.T) @ u)",
    f"tangent_p = tangent_a @ u.T - p @ {TURN_LEFT}",
)


def _is_right(operands: Sequence[Atom]) -> bool:
    return operands[1] == Const("right")


operation(
    "u, p = scipy.linalg.polar(a, side='right')",
    infer=_polar_type,
    rules=(Rule(lambda operands: RIGHT if _is_right(operands) else LEFT),),
    tangent=lambda operands: RIGHT_TANGENT if _is_right(operands) else LEFT_TANGENT,
    domains={"a": "invertible"},
    samples=(
        {"a": "f[3,3]"},
        {"a": "f[3,2]"},
        {"a": "f[3,3]", "side": "left"},
        {"a": "f[2,3]", "side": "left"},
        {"a": "f[1,1]"},
    ),
    note="of matrices of full rank, whose symmetric factor is not singular",
)
operation(
    "out = minus_transpose(matrices)",
    "grad_matrices += minus_transpose(grad_out)",
    infer=lambda _, operands: operands[0].type,
    linear=("matrices",),
    helper="minus_transpose",
    samples=({"matrices": "f[3,3]"}, {"matrices": "f[2,2,2]"}),
)


# The norm -----------------------------------------------------------------------------------------

NORM = norms.CATALOGUE.operations["numpy.linalg.norm"]


def _norm_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """That of NumPy, but for a Python number from BLAS, and where LAPACK depends on the layout."""
    dtype = scipy_dtype([operands[0].type], "scipy.linalg.norm")
    shape = known_shape(operands[0], "scipy.linalg.norm")
    order, axis, keepdims = (constant(each, "the options") for each in operands[1:])
    whole = axis is None and not keepdims
    if dtype != "f64" or (whole and len(shape) == 2 and order in (1, math.inf)):
        raise unsupported(
            "`scipy.linalg.norm` gives numbers of several types here", "use `np.linalg.norm`"
        )
    if whole and len(shape) == 1 and order in (None, 2) and dtype_of(operands[0].type) == "f64":
        return Number("float")
    return NORM.infer(sizes, operands)


def _norm_samples() -> tuple[dict[str, Any], ...]:
    """Those of `np.linalg.norm` that are not refused."""
    return tuple(
        sample
        for sample in NORM.samples
        if "axis" in sample or "," not in sample["x"] or sample.get("ord") not in (1, math.inf)
    )


CATALOGUE.add(
    replace(
        NORM,
        name="scipy.linalg.norm",
        call="scipy.linalg.norm",
        infer=_norm_type,
        samples=_norm_samples(),
        evaluate=lambda x, order, axis, keepdims: _scipy_norm(x, order, axis, keepdims),
    )
)


def _scipy_norm(x: Any, order: Any, axis: Any, keepdims: Any) -> Any:
    import scipy.linalg

    return scipy.linalg.norm(x, order, axis, keepdims)
