"""`np.linalg.qr`, of matrices of any shape whose first columns are linearly independent.

A wide matrix is `[X Y]` with X square: `R` is `[U V]` with `X = Q U` and `Y = Q V`. The derivatives
of Q and U are those of a square matrix, and `V = Q' Y`. Sources: S. F. Walter and L. Lehmann,
"Algorithmic differentiation of linear algebra functions" (2010); D. A. O. Roberts and L. R.
Roberts, "QR and LQ decomposition matrix backpropagation algorithms for square, wide, and deep
matrices" (2020).
"""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.factorisations import smaller
from s2s_ad.operations.matrices import factor_dtype, in_rank, matrix_shape
from s2s_ad.operations.result_types import constant, known_shape, unsupported
from s2s_ad.types import Array, Items, Shape, Sizes, Type, rank_of, shape_of

CATALOGUE = Catalogue()


def _qr_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    if constant(operands[1], "mode") != "reduced":
        raise unsupported(
            "`np.linalg.qr` has a derivative in the modes `reduced`, `r` and `complete`",
            "use one of these",
        )
    dtype = factor_dtype([operands[0].type], "np.linalg.qr")
    known_shape(operands[0], "np.linalg.qr")
    shape = matrix_shape(operands[0].type, "np.linalg.qr") or ()
    *batch, rows, columns = shape
    least = smaller(sizes, rows, columns)
    return Items((Array(dtype, (*batch, rows, least)), Array(dtype, (*batch, least, columns))))


def may_be_wide(shape: Shape | None) -> bool:
    """Whether there may be more columns than rows."""
    if shape is None or shape[-1] == shape[-2]:
        return False
    rows, columns = shape[-2].constant, shape[-1].constant
    return rows is None or columns is None or rows < columns


COUNT = "np.shape(R)[-2]"  # as many columns belong to the square part
SQUARE, REST = f"R[..., :{COUNT}]", f"R[..., {COUNT}:]"


def qr_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    """The adjoint of each factor: where the matrix may be wide, of its square part and the rest."""
    lines = [
        "grad_a += np.linalg.solve(R, (grad_Q - Q @ mirror_lower(grad_Q' @ Q))')'",
        "grad_a += np.linalg.solve(R, (Q @ mirror_lower(R @ grad_R'))')'",
    ]
    if may_be_wide(shape_of(operands[0].type)):
        of_q = "(grad_Q - Q @ mirror_lower(grad_Q' @ Q))"
        inner, outer = f"({SQUARE}) @ (grad_{SQUARE})'", f"(({REST}) @ (grad_{REST})')"
        of_r = f"(Q @ (mirror_lower({inner}) + {outer} - mirror_lower({outer}')))"
        solved = f"np.linalg.solve({SQUARE}, {{}}')'"
        parts = {of_q: f"np.zeros_like(a[..., {COUNT}:])", of_r: f"Q @ grad_{REST}"}
        lines = [
            f"grad_a += np.concatenate(({solved.format(own)}, {rest}), axis=-1)"
            for own, rest in parts.items()
        ]
    return tuple(in_rank(line, rank_of(operands[0].type)) for line in lines)


def qr_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    solved = "np.linalg.solve(R', tangent_a')'"
    lines = [
        f"tangent_R = fold_upper(Q' @ {solved}) @ R",
        f"tangent_Q = {solved} - Q @ fold_upper(Q' @ {solved})",
    ]
    if may_be_wide(shape_of(operands[0].type)):
        solved = f"np.linalg.solve(({SQUARE})', (tangent_a[..., :{COUNT}])')'"
        moved = f"({solved} - Q @ fold_upper(Q' @ {solved}))"
        rest = f"Q' @ (tangent_a[..., {COUNT}:] - {moved} @ ({REST}))"
        square = f"fold_upper(Q' @ {solved}) @ ({SQUARE})"
        lines = [
            f"tangent_R = np.concatenate(({square}, {rest}), axis=-1)",
            f"tangent_Q = {moved}",
        ]
    return tuple(in_rank(line, rank_of(operands[0].type)) for line in lines)


CATALOGUE.operation(
    "Q, R = np.linalg.qr(a, mode='reduced')",
    infer=_qr_type,
    rules=(Rule(qr_lines),),
    tangent=qr_tangent,
    samples=(
        {"a": "f[3,2]"},
        {"a": "f[3,3]"},
        {"a": "f[1,1]"},
        {"a": "f[2,4,3]"},
        {"a": "f[2,3]"},
        {"a": "f[1,3]"},
        {"a": "f[2,2,4]"},
    ),
    note="where the first columns are linearly independent; others raise LinAlgError in reverse",
)
