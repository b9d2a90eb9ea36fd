"""Identity and diagonal matrices: what unit directions are, and what elementwise code makes of it.

`np.eye(n) @ A` is A, `np.eye(n) * v` is `np.diag(v)`, and a product with a diagonal matrix scales
rows or columns. A transpose goes inside where it meets another.
"""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Const
from s2s_ad.passes.algebra.context import Context
from s2s_ad.types import Shape, rank_of, scalar_like, shape_of

COLUMN = Const((slice(None), None))
TRANSPOSES = ("ndarray.T", "numpy.transpose", "ndarray.mT", "numpy.matrix_transpose")


def is_identity(context: Context, atom: Atom) -> bool:
    """Whether the atom is `np.eye(n)`."""
    found = context.defined_by(atom, "numpy.eye")
    return found is not None and found.operands[1:3] == (Const(None), Const(0))


def diagonal_of(context: Context, atom: Atom) -> Atom | None:
    """v, where the atom is `np.diag(v)`."""
    found = context.defined_by(atom, "numpy.diag")
    if found is None or found.operands[1] != Const(0) or rank_of(found.operands[0].type) != 1:
        return None
    return found.operands[0]


def transposed(context: Context, atom: Atom) -> Atom | None:
    """A, where the atom is `A.T` of a matrix."""
    found = context.defined_by(atom, *TRANSPOSES)
    if found is None or rank_of(found.operands[0].type) != 2 or len(found.operands) > 1:
        return None
    return found.operands[0]


def _row(matrix: Atom) -> Shape | None:
    shape = shape_of(matrix.type)
    return None if shape is None else shape[1:]


def product_with_identity(context: Context, statement: Assign) -> Atom | None:
    """eye @ A is A, diag(v) @ A scales the rows of A, A @ diag(v) its columns."""
    left, right = statement.operands
    if left.type == right.type or rank_of(right.type) in (1, 2):
        if is_identity(context, left):
            return right
        v = diagonal_of(context, left)
        if v is not None:
            column = v if rank_of(right.type) == 1 else context.assign("getitem", v, COLUMN)
            return context.assign("*", column, right)
    if rank_of(left.type) in (1, 2):
        if is_identity(context, right):
            return left
        v = diagonal_of(context, right)
        if v is not None:
            return context.assign("*", left, v)
    return None


def diagonal_from_identity(context: Context, statement: Assign) -> Atom | None:
    """eye * v is diag(v), and eye / v is diag(1 / v)."""
    left, right = statement.operands
    pairs = [(left, right)] if statement.op.name == "/" else [(left, right), (right, left)]
    for matrix, v in pairs:
        if is_identity(context, matrix) and shape_of(v.type) == _row(matrix):
            if statement.op.name == "/":
                v = context.assign("/", Const(1.0), v)
            return context.assign("numpy.diag", v, Const(0))
    return None


def operation_on_diagonal(context: Context, statement: Assign) -> Atom | None:
    """diag(v) * w is diag(v * w), -diag(v) is diag(-v), diag(v) + diag(w) is diag(v + w)."""
    operands = list(statement.operands)
    found = [diagonal_of(context, atom) for atom in operands]
    if not any(
        v is not None and context.is_single(a) for v, a in zip(found, operands, strict=True)
    ):
        return None
    name = statement.op.name
    if name in ("+", "-") and None in found:
        return None
    if name == "/" and found[1] is not None:
        return None
    row = next(shape_of(v.type) for v in found if v is not None)
    for place, v in enumerate(found):
        if v is not None:
            operands[place] = v
        elif not scalar_like(operands[place].type) and shape_of(operands[place].type) != row:
            return None
    value = context.assign(statement.op, *operands)
    return context.assign("numpy.diag", value, Const(0))


def transpose_inside(context: Context, statement: Assign) -> Atom | None:
    """A.T.T is A; (A.T * v).T is A * v[:, None]; (A @ B.T).T is B @ A.T."""
    x = statement.operands[0]
    if rank_of(x.type) != 2 or len(statement.operands) > 1:
        return None
    inner = transposed(context, x)
    if inner is not None:
        return inner
    if is_identity(context, x) or diagonal_of(context, x) is not None:
        return x
    if not context.is_single(x):
        return None
    return _transposed_scaling(context, x) or _transposed_product(context, x)


def _transposed_scaling(context: Context, x: Atom) -> Atom | None:
    product = context.defined_by(x, "*")
    if product is None or product.role == "primal":
        return None
    for place in (0, 1):
        matrix, v = product.operands[place], product.operands[1 - place]
        inner = transposed(context, matrix)
        if inner is None or shape_of(matrix.type) != shape_of(x.type):
            continue
        if scalar_like(v.type):
            return context.assign("*", inner, v)
        if shape_of(v.type) == _row(x):
            return context.assign("*", inner, context.assign("getitem", v, COLUMN))
    return None


def _transposed_product(context: Context, x: Atom) -> Atom | None:
    product = context.defined_by(x, "@")
    if product is None or product.role == "primal":
        return None
    left, right = product.operands
    if rank_of(left.type) != 2 or rank_of(right.type) != 2:
        return None
    inner = transposed(context, right)
    if inner is None:
        return None
    other = transposed(context, left) or context.assign("ndarray.T", left)
    return context.assign("@", inner, other)


def sum_of_diagonal(context: Context, statement: Assign) -> Atom | None:
    """The sums of the rows, or columns, of a diagonal matrix are its diagonal."""
    x, axis, keepdims = statement.operands
    v = diagonal_of(context, x)
    one_axis = isinstance(axis, Const) and axis.value in (0, 1, -1, -2) and axis.value is not None
    return v if v is not None and one_axis and keepdims == Const(False) else None


REWRITINGS = [
    (("@",), product_with_identity, False),
    (("*", "/"), diagonal_from_identity, False),
    (("*", "/", "+", "-", "-x"), operation_on_diagonal, False),
    (TRANSPOSES, transpose_inside, False),
    (("numpy.sum",), sum_of_diagonal, False),
]
