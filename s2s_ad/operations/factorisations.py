"""Factorisations of matrices and of stacks of them: Cholesky, eigenvalues, singular values.

What comes out of the forward sweep is what the lines read: nothing is factored twice. Sources:
I. Murray, "Differentiation of the Cholesky decomposition" (2016); M. B. Giles, "Collected matrix
derivative results" (2008); J. Townsend, "Differentiating the singular value decomposition" (2016);
S. F. Walter and L. Lehmann, "Algorithmic differentiation of linear algebra functions" (2010).

A function that reads one triangle of a symmetric matrix has its whole derivative there: the other
one's is added to its mirror image (`fold_lower`). Vectors that belong to equal values have no
derivative: the result is infinite or NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.matrices import (
    factor_dtype,
    in_rank,
    matrix_rule,
    matrix_shape,
    matrix_tangent,
    square_shape,
)
from s2s_ad.operations.result_types import constant, known_shape, same_as, unsupported
from s2s_ad.types import (
    Array,
    Items,
    Shape,
    Size,
    Sizes,
    Type,
    promote,
    rank_of,
    shape_of,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation

SQUARES = ({"a": "f[3,3]"}, {"a": "f[1,1]"}, {"a": "f[2,3,3]"})
DEFINITE = {"a": "definite"}


# Triangles and gaps -------------------------------------------------------------------------------

TRIANGLES = {
    "half_lower": "half_lower",
    "fold_lower": "mirror_lower",
    "fold_upper": "mirror_upper",
    "mirror_lower": "fold_lower",
    "mirror_upper": "fold_upper",
    "plus_transpose": "plus_transpose",
}
for _name, _adjoint in TRIANGLES.items():
    operation(
        f"out = {_name}(matrices)",
        f"grad_matrices += {_adjoint}(grad_out)",
        infer=same_as(0),
        linear=("matrices",),
        helper=_name,
        samples=({"matrices": "f[3,3]"}, {"matrices": "f[2,2,2]"}, {"matrices": "f[0,0]"}),
    )


def _gaps_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    return Array(promote([operand.type for operand in operands]), shape_of(operands[0].type))


operation(
    "out = over_gaps(x, values)",
    "grad_x += over_gaps(grad_out, values)",
    "grad_values += np.sum(over_gaps(grad_out * out, values), axis=-1)",
    "grad_values += -np.sum(over_gaps(grad_out * out, values), axis=-2)",
    infer=_gaps_type,
    tangent=(
        "tangent_out = over_gaps(tangent_x, values)",
        "tangent_out = over_gaps(out * (np.expand_dims(tangent_values, -1) "
        "- np.expand_dims(tangent_values, -2)), values)",
    ),
    helper="over_gaps",
    samples=({"x": "f[3,3]", "values": "f[3]"}, {"x": "f[2,2,2]", "values": "f[2,2]"}),
)


# Cholesky -----------------------------------------------------------------------------------------


def _cholesky_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    known_shape(operands[0], "np.linalg.cholesky")
    dtype = factor_dtype([operands[0].type], "np.linalg.cholesky")
    return Array(dtype, square_shape(sizes, operands[0].type, "np.linalg.cholesky"))


def cholesky_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    line = (
        "grad_a += fold_lower("
        "np.linalg.solve(out', np.linalg.solve(out', half_lower(out' @ grad_out))'))"
    )
    if constant(operands[1], "upper"):
        line = (
            "grad_a += fold_upper("
            "np.linalg.solve(out, np.linalg.solve(out, half_lower(out @ grad_out'))'))"
        )
    return (in_rank(line, rank_of(operands[0].type)),)


def cholesky_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    line = (
        "tangent_out = out @ half_lower("
        "np.linalg.solve(out, np.linalg.solve(out, mirror_lower(tangent_a))'))"
    )
    if constant(operands[1], "upper"):
        line = (
            "tangent_out = (out' @ half_lower("
            "np.linalg.solve(out', np.linalg.solve(out', mirror_upper(tangent_a))')))'"
        )
    return (in_rank(line, rank_of(operands[0].type)),)


operation(
    "out = np.linalg.cholesky(a, upper=False)",
    infer=_cholesky_type,
    rules=(Rule(cholesky_lines),),
    tangent=cholesky_tangent,
    domains=DEFINITE,
    samples=(*SQUARES, {"a": "f[3,3]", "upper": True}, {"a": "f[2,2,2]", "upper": True}),
    note="only one triangle is read: the derivative lies there",
)


# Eigenvalues --------------------------------------------------------------------------------------


def eigen_type(sizes: Sizes, operands: Sequence[Atom]) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors of a symmetric matrix."""
    triangle_of(operands)
    dtype = factor_dtype([operands[0].type], "np.linalg.eigh")
    shape = square_shape(sizes, operands[0].type, "np.linalg.eigh")
    return Array(dtype, None if shape is None else shape[:-1]), Array(dtype, shape)


def triangle_of(operands: Sequence[Atom]) -> str:
    """Which triangle is read: "lower" or "upper"."""
    given = constant(operands[1], "UPLO")
    if given not in ("L", "U"):
        raise unsupported(f"`UPLO` is {given!r}", 'write "L" or "U"')
    return "lower" if given == "L" else "upper"


def eigen_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    fold, rank = f"fold_{triangle_of(operands)}", rank_of(operands[0].type)
    lines = (
        f"grad_a += {fold}((eigenvectors * row(grad_eigenvalues)) @ eigenvectors')",
        f"grad_a += {fold}(eigenvectors @ over_gaps(eigenvectors' @ grad_eigenvectors, "
        "eigenvalues) @ eigenvectors')",
    )
    return tuple(in_rank(line, rank) for line in lines)


def eigen_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    mirror, rank = f"mirror_{triangle_of(operands)}", rank_of(operands[0].type)
    lines = (
        f"tangent_eigenvalues = np.sum(eigenvectors * ({mirror}(tangent_a) @ eigenvectors), "
        "axis=-2)",
        f"tangent_eigenvectors = eigenvectors @ over_gaps(eigenvectors' @ {mirror}(tangent_a) "
        "@ eigenvectors, eigenvalues)",
    )
    return tuple(in_rank(line, rank) for line in lines)


EIGEN_SAMPLES = (*SQUARES, {"a": "f[3,3]", "UPLO": "U"})
operation(
    'eigenvalues, eigenvectors = np.linalg.eigh(a, UPLO="L")',
    infer=lambda sizes, operands: Items(eigen_type(sizes, operands)),
    rules=(Rule(eigen_lines),),
    tangent=eigen_tangent,
    samples=EIGEN_SAMPLES,
    note="only one triangle is read: the derivative lies there; vectors of equal values have none",
)


def eigenvalue_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    fold, uplo = f"fold_{triangle_of(operands)}", constant(operands[1], "UPLO")
    vectors = "np.linalg.eigh(a)[1]" if uplo == "L" else 'np.linalg.eigh(a, "U")[1]'
    line = f"grad_a += {fold}(({vectors} * row(grad_out)) @ VECTORS')"
    return (in_rank(line, rank_of(operands[0].type)).replace("VECTORS", vectors),)


def eigenvalue_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    mirror, uplo = f"mirror_{triangle_of(operands)}", constant(operands[1], "UPLO")
    vectors = "np.linalg.eigh(a)[1]" if uplo == "L" else 'np.linalg.eigh(a, "U")[1]'
    return (f"tangent_out = np.sum({vectors} * ({mirror}(tangent_a) @ {vectors}), axis=-2)",)


operation(
    'out = np.linalg.eigvalsh(a, UPLO="L")',
    infer=lambda sizes, operands: eigen_type(sizes, operands)[0],
    rules=(Rule(eigenvalue_lines),),
    tangent=eigenvalue_tangent,
    samples=EIGEN_SAMPLES,
    note="only one triangle is read; the reverse sweep computes the vectors",
)


# Singular values ----------------------------------------------------------------------------------


def smaller(sizes: Sizes, rows: Size, columns: Size) -> Size:
    """The smaller of two sizes: known if they are numbers or equal."""
    rows, columns = sizes.resolve(rows), sizes.resolve(columns)
    if rows == columns:
        return rows
    if rows.constant is not None and columns.constant is not None:
        return Size.of(min(rows.constant, columns.constant))
    return sizes.fresh()


def svd_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    known_shape(operands[0], "np.linalg.svd")
    dtype = factor_dtype([operands[0].type], "np.linalg.svd")
    full = constant(operands[1], "full_matrices")
    shape = matrix_shape(operands[0].type, "np.linalg.svd") or ()
    *batch, rows, columns = shape
    least = smaller(sizes, rows, columns)
    left: Shape = (*batch, rows, rows if full else least)
    right: Shape = (*batch, columns if full else least, columns)
    return Items((Array(dtype, left), Array(dtype, (*batch, least)), Array(dtype, right)))


def is_economic(operands: Sequence[Atom]) -> bool:
    """Whether there are as many vectors as values, so that all of them have a derivative."""
    shape = shape_of(operands[0].type)
    full = constant(operands[1], "full_matrices")
    return not full or (shape is not None and shape[-1] == shape[-2])


def is_wide(shape: Shape | None) -> bool:
    """Whether there are surely no fewer columns than rows."""
    if shape is None:
        return False
    rows, columns = shape[-2].constant, shape[-1].constant
    return shape[-2] == shape[-1] or (None not in (rows, columns) and (rows or 0) <= (columns or 0))


# Of the vectors of `full_matrices=True`, those that belong to values
USED_LEFT, USED_RIGHT = "U[..., : np.shape(S)[-1]]", "Vh[..., : np.shape(S)[-1], :]"


def svd_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    """The adjoints of U, S and Vh; the parts outside of the vectors' spaces only if there are
    such.
    """
    shape = shape_of(operands[0].type)
    if not is_economic(operands):
        line = f"grad_a += ({USED_LEFT} * row(grad_S)) @ {USED_RIGHT}"
        return (in_rank(line, rank_of(operands[0].type)),)
    lines = [
        "grad_a += (U * row(grad_S)) @ Vh",
        "grad_a += U @ (plus_transpose(over_gaps(U' @ grad_U, S * S)) * row(S)) @ Vh",
        "grad_a += U @ (column(S) * plus_transpose(over_gaps(Vh @ grad_Vh', S * S))) @ Vh",
    ]
    if not is_wide(shape):
        lines.append("grad_a += ((grad_U - U @ (U' @ grad_U)) / row(S)) @ Vh")
    if not is_wide(None if shape is None else (*shape[:-2], shape[-1], shape[-2])):
        lines.append("grad_a += (U / row(S)) @ (grad_Vh - (grad_Vh @ Vh') @ Vh)")
    return tuple(in_rank(line, rank_of(operands[0].type)) for line in lines)


def svd_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    shape = shape_of(operands[0].type)
    lines = [f"tangent_S = np.sum({USED_LEFT} * (tangent_a @ ({USED_RIGHT})'), axis=-2)"]
    if is_economic(operands):
        inner = "(U' @ tangent_a @ Vh')"
        lines = [
            "tangent_S = np.sum(U * (tangent_a @ Vh'), axis=-2)",
            f"tangent_U = U @ over_gaps(plus_transpose({inner} * row(S)), S * S)",
            f"tangent_Vh = over_gaps(plus_transpose(column(S) * {inner}), S * S)' @ Vh",
        ]
        if not is_wide(shape):
            lines.append("tangent_U = ((tangent_a - U @ (U' @ tangent_a)) @ Vh') / row(S)")
        if not is_wide(None if shape is None else (*shape[:-2], shape[-1], shape[-2])):
            lines.append("tangent_Vh = (U' @ (tangent_a - (tangent_a @ Vh') @ Vh)) / column(S)")
    return tuple(in_rank(line, rank_of(operands[0].type)) for line in lines)


operation(
    "U, S, Vh = np.linalg.svd(a, full_matrices=True)",
    infer=svd_type,
    rules=(Rule(svd_lines),),
    tangent=svd_tangent,
    samples=(
        {"a": "f[3,2]", "full_matrices": False},
        {"a": "f[2,3]", "full_matrices": False},
        {"a": "f[2,4,3]", "full_matrices": False},
        {"a": "f[3,3]"},
        {"a": "f[1,1]"},
    ),
    note="vectors have a derivative with `full_matrices=False`, and none for equal values",
)


def _values_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    known_shape(operands[0], "np.linalg.svdvals")
    dtype = factor_dtype([operands[0].type], "np.linalg.svdvals")
    shape = matrix_shape(operands[0].type, "np.linalg.svdvals") or ()
    return Array(dtype, (*shape[:-2], smaller(sizes, shape[-2], shape[-1])))


VECTORS = "np.linalg.svd(a, full_matrices=False)"
operation(
    "out = np.linalg.svdvals(a)",
    infer=_values_type,
    rules=(matrix_rule(f"grad_a += ({VECTORS}[0] * row(grad_out)) @ {VECTORS}[2]"),),
    tangent=matrix_tangent(
        f"tangent_out = np.sum({VECTORS}[0] * (tangent_a @ ({VECTORS}[2])'), axis=-2)"
    ),
    samples=({"a": "f[3,2]"}, {"a": "f[2,3]"}, {"a": "f[2,3,3]"}),
    note="the reverse sweep computes the vectors; `np.linalg.svd(a, compute_uv=False)` is the same",
)
