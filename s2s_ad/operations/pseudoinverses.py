"""Pseudoinverses and least squares, also with the smaller singular values left out (`rcond`).

G. H. Golub and V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares
problems whose variables separate" (1973), where all values that are not zero count. The vectors of
a value that `rcond` leaves out without being zero turn with those that are kept: let `A = U S V'`,
`B = U' dA V`, and i be kept, j not. The pseudoinverse changes by `V D U'`, where
`D_ij = (s_i B_ji + s_j B_ij) / (s_i (s_i^2 - s_j^2))`, and `D_ji` with i and j changed in B alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Atom, Const, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.factorisations import smaller
from s2s_ad.operations.matrices import factor_dtype, in_rank, matrix_shape, mismatch
from s2s_ad.operations.result_types import known_shape, unsupported
from s2s_ad.types import (
    Array,
    Items,
    Scalar,
    Shape,
    Sizes,
    Type,
    TypeProblem,
    rank_of,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation

# Singular values of `a`, and which of them are kept
SVD = "np.linalg.svd(a, full_matrices=False)"
U, S, VH = f"({SVD}[0])", f"{SVD}[1]", f"({SVD}[2])"
KEPT = f"({S} > rcond * np.max({S}, axis=-1, keepdims=True))"
ROWS, COLUMNS = (f"np.expand_dims({S}, {axis})" for axis in (-1, -2))
CROSSING = f"(np.expand_dims({KEPT}, -1) != np.expand_dims({KEPT}, -2))"
GAPS = f"np.where({CROSSING}, np.abs({ROWS} - {COLUMNS}) * ({ROWS} + {COLUMNS}), 1.0)"
LARGER = f"np.where({CROSSING}, np.maximum({ROWS}, {COLUMNS}), 1.0)"
DIRECT = f"np.where({CROSSING}, 1.0 / {GAPS}, 0.0)"
TURNED = f"np.where({CROSSING}, np.minimum({ROWS}, {COLUMNS}) / ({LARGER} * {GAPS}), 0.0)"


def crossed(matrix: str) -> str:
    """How the pseudoinverse, transposed, follows the vectors that turn; its own adjoint."""
    inner = f"({U}' @ {matrix} @ {VH}')"
    return f"{U} @ ({DIRECT} * {inner} + {TURNED} * {inner}') @ {VH}"


def pinv_adjoint(inverse: str, grad: str, truncates: bool) -> tuple[str, ...]:
    """The adjoint of `a` for that of its pseudoinverse, transposed."""
    if not truncates:
        return (
            f"-{inverse}' @ {grad}' @ {inverse}'",
            f"({grad} - a @ ({inverse} @ {grad})) @ {inverse} @ {inverse}'",
            f"{inverse}' @ {inverse} @ ({grad} - ({grad} @ {inverse}) @ a)",
        )
    return (
        f"-{inverse}' @ {grad}' @ {inverse}'",
        crossed(grad),
        f"({grad} - {U} @ ({U}' @ {grad})) @ {inverse} @ {inverse}'",
        f"{inverse}' @ {inverse} @ ({grad} - ({grad} @ {VH}') @ {VH})",
    )


def pinv_tangent_terms(inverse: str, truncates: bool) -> tuple[str, ...]:
    if not truncates:
        return (
            f"-{inverse} @ tangent_a @ {inverse}",
            f"{inverse} @ {inverse}' @ (tangent_a' - (tangent_a' @ a) @ {inverse})",
            f"(tangent_a' - {inverse} @ (a @ tangent_a')) @ {inverse}' @ {inverse}",
        )
    return (
        f"-{inverse} @ tangent_a @ {inverse}",
        f"({crossed('tangent_a')})'",
        f"{inverse} @ {inverse}' @ (tangent_a' - (tangent_a' @ {U}) @ {U}')",
        f"(tangent_a' - {VH}' @ ({VH} @ tangent_a')) @ {inverse}' @ {inverse}",
    )


def _truncates(operands: Sequence[Atom], place: int) -> bool:
    """Whether singular values may be left out that are not zero up to rounding."""
    return len(operands) > place and operands[place] not in (Const(None), Const(-1))


def _pinv_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    dtype = factor_dtype([operands[0].type], "np.linalg.pinv")
    if _truncates(operands, 1):
        known_shape(operands[0], "np.linalg.pinv")
        if rank_of(operands[1].type) != 0:
            raise unsupported("`rcond` is one number for all matrices", "call it for each matrix")
    shape = matrix_shape(operands[0].type, "np.linalg.pinv")
    return Array(dtype, None if shape is None else (*shape[:-2], shape[-1], shape[-2]))


def pinv_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    terms = pinv_adjoint("out", "grad_out'", _truncates(operands, 1))
    return tuple(
        in_rank(f"grad_a += {term}".replace("''", ""), rank_of(operands[0].type)) for term in terms
    )


def pinv_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    terms = pinv_tangent_terms("out", _truncates(operands, 1))
    return tuple(in_rank(f"tangent_out = {term}", rank_of(operands[0].type)) for term in terms)


operation(
    "out = np.linalg.pinv(a, rcond=None)",
    infer=_pinv_type,
    rules=(Rule(pinv_lines),),
    tangent=pinv_tangent,
    samples=(
        {"a": "f[3,2]"},
        {"a": "f[2,3]"},
        {"a": "f[3,3]"},
        {"a": "f[2,3,2]"},
        {"a": "f[3,4]", "rcond": 0.5},
        {"a": "f[2,3,2]", "rcond": 0.5},
    ),
    note="where the rank does not change",
)


def _least_squares_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    dtype = factor_dtype([operand.type for operand in operands[:2]], "np.linalg.lstsq")
    rows, columns = ranked(operands[0], 2)
    right = known_shape(operands[1], "np.linalg.lstsq")
    if len(right) not in (1, 2):
        raise TypeProblem("shape-mismatch", "`np.linalg.lstsq` takes a right side of rank 1 or 2")
    try:
        sizes.unify(rows, right[0])
    except TypeProblem:
        raise mismatch("np.linalg.lstsq", (rows, columns), right) from None
    return Items(
        (
            Array(dtype, (columns, *right[1:])),
            Array(dtype, (sizes.fresh(),)),
            Scalar("i32"),
            Array(dtype, (smaller(sizes, rows, columns),)),
        )
    )


def ranked(atom: Atom, rank: int) -> Shape:
    shape = known_shape(atom, "np.linalg.lstsq")
    if len(shape) != rank:
        raise TypeProblem(
            "shape-mismatch", f"`np.linalg.lstsq` takes a matrix, not rank {len(shape)}"
        )
    return shape


def least_squares_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    """The matrix as rows of unknowns: a vector is treated as one column."""
    if _truncates(operands, 2):
        return _truncated_lines(operands)
    inverse = "np.linalg.pinv(a)"
    if rank_of(operands[1].type) == 1:
        return (
            f"grad_b += {inverse}.T @ grad_x",
            f"grad_a += -np.outer({inverse}.T @ grad_x, x)",
            f"grad_a += np.outer(b - a @ x, {inverse} @ ({inverse}.T @ grad_x))",
            f"grad_a += np.outer({inverse}.T @ x, grad_x - {inverse} @ (a @ grad_x))",
        )
    return (
        f"grad_b += {inverse}.T @ grad_x",
        f"grad_a += -({inverse}.T @ grad_x) @ x.T",
        f"grad_a += (b - a @ x) @ ({inverse} @ ({inverse}.T @ grad_x)).T",
        f"grad_a += ({inverse}.T @ x) @ (grad_x - {inverse} @ (a @ grad_x)).T",
    )


def _truncated_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    """Those of the product `np.linalg.pinv(a, rcond) @ b`."""
    inverse = "np.linalg.pinv(a, rcond)"
    is_vector = rank_of(operands[1].type) == 1
    outer = "np.outer(b, grad_x)" if is_vector else "(b @ grad_x.T)"
    terms = pinv_adjoint(inverse, outer, truncates=True)
    lines = (f"grad_b += {inverse}.T @ grad_x", *(f"grad_a += {term}" for term in terms))
    return tuple(in_rank(line, 2) for line in lines)


def least_squares_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    if _truncates(operands, 2):
        terms = pinv_tangent_terms("np.linalg.pinv(a, rcond)", truncates=True)
        moved = (in_rank(f"tangent_x = ({term}) @ b", 2) for term in terms)
        return ("tangent_x = np.linalg.pinv(a, rcond) @ tangent_b", *moved)
    return (
        "tangent_x = np.linalg.pinv(a) @ tangent_b",
        "tangent_x = -np.linalg.pinv(a) @ (tangent_a @ x)",
        "tangent_x = np.linalg.pinv(a) @ (np.linalg.pinv(a).T @ (tangent_a.T @ (b - a @ x)))",
        "tangent_x = tangent_a.T @ (np.linalg.pinv(a).T @ x)",
        "tangent_x = -np.linalg.pinv(a) @ (a @ (tangent_a.T @ (np.linalg.pinv(a).T @ x)))",
    )


operation(
    "x, residuals, rank, singular_values = np.linalg.lstsq(a, b, rcond=None)",
    infer=_least_squares_type,
    rules=(Rule(least_squares_lines),),
    tangent=least_squares_tangent,
    samples=(
        {"a": "f[3,2]", "b": "f[3]"},
        {"a": "f[4,2]", "b": "f[4,3]"},
        {"a": "f[2,3]", "b": "f[2]"},
        {"a": "f[3,3]", "b": "f[3]"},
        {"a": "f[4,3]", "b": "f[4]", "rcond": 0.5},
    ),
    note="of the solution alone, where the rank does not change",
)
