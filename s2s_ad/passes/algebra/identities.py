"""Identity and diagonal matrices: what unit directions are, and what elementwise code makes of it.

`np.eye(n) @ A` is A, `np.eye(n) * v` is `np.diag(v)`, and a product with a diagonal matrix scales
rows or columns. A transpose goes inside where it meets another.
"""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Const
from s2s_ad.passes.algebra.context import Context
from s2s_ad.passes.algebra.products import factors_of_product, may_reorder, put_together
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


def _scale_of(context: Context, atom: Atom) -> Atom | None:
    """c, where the atom is `np.eye(n) * c` for one reader."""
    found = context.defined_by(atom, "*")
    if found is None or found.role == "primal" or not context.is_single(atom):
        return None
    for matrix, c in (found.operands, found.operands[::-1]):
        if is_identity(context, matrix) and scalar_like(c.type):
            return c
    return None


def product_with_identity(context: Context, statement: Assign) -> Atom | None:
    """eye @ A is A, (eye * c) @ A is c * A, diag(v) @ A scales the rows of A, A @ diag(v) its
    columns.
    """
    left, right = statement.operands
    if left.type == right.type or rank_of(right.type) in (1, 2):
        if is_identity(context, left):
            return right
        v = diagonal_of(context, left)
        if v is not None:
            column = v if rank_of(right.type) == 1 else context.assign("getitem", v, COLUMN)
            return context.assign("*", column, right)
        c = _scale_of(context, left)
        if c is not None:
            return context.assign("*", c, right)
    if rank_of(left.type) in (1, 2):
        if is_identity(context, right):
            return left
        v = diagonal_of(context, right)
        if v is not None:
            return context.assign("*", left, v)
        c = _scale_of(context, right)
        if c is not None:
            return context.assign("*", left, c)
    return None


def diagonal_from_identity(context: Context, statement: Assign) -> Atom | None:
    """eye * v is diag(v), and eye / v is diag(1 / v), with numbers between: eye * 2.0 * v."""
    product = factors_of_product(context, statement)
    matrices = [atom for atom in product.numerators if is_identity(context, atom)]
    if len(matrices) != 1 or not may_reorder(product, statement.target):
        return None
    product.numerators.remove(matrices[0])
    factors = [*product.numerators, *product.denominators]
    rows = [atom for atom in factors if not scalar_like(atom.type)]
    if not rows or any(shape_of(atom.type) != _row(matrices[0]) for atom in rows):
        return None
    return context.assign("numpy.diag", put_together(context, product), Const(0))


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
    """What a matrix is computed from is transposed, where that takes no more transposes."""
    x = statement.operands[0]
    if rank_of(x.type) != 2 or len(statement.operands) > 1:
        return None
    if _price(context, x) < 1:
        return _turned(context, x)
    return _transposed_product(context, x)


def _price(context: Context, x: Atom) -> int:
    """How many transposes more it takes to compute a matrix transposed."""
    inner = context.defined_by(x, *TRANSPOSES)
    if inner is not None and transposed(context, x) is not None:
        return -1 if context.is_single(x) else 0
    if is_identity(context, x) or diagonal_of(context, x) is not None:
        return 0
    found = _elementwise(context, x)
    if found is None:
        return 1
    if found.op.name == "numpy.stack":
        return 0
    prices = [
        0 if _column_of(context, atom, x) is not None else _price(context, atom)
        for atom in found.operands
    ]
    return sum(prices)


def _turned(context: Context, x: Atom) -> Atom:
    """The transpose: of A.T it is A, of A.T * v it is A * v[:, None], of u[:, None] * v it is
    v[:, None] * u, of diag(v) it is diag(v), and so on for sums of these.
    """
    inner = transposed(context, x)
    if inner is not None:
        return inner
    if is_identity(context, x) or diagonal_of(context, x) is not None:
        return x
    found = _elementwise(context, x)
    if found is None:
        return context.assign("ndarray.T", x)
    if found.op.name == "numpy.stack":
        return context.assign(found.op, *found.operands[:-1], Const(0))
    turned = []
    for atom in found.operands:
        v = _column_of(context, atom, x)
        is_row = v is not None and shape_of(atom.type) == _row(x)
        column = context.assign("getitem", atom, COLUMN) if is_row else v
        turned.append(_turned(context, atom) if column is None else column)
    return context.assign(found.op, *turned)


def _elementwise(context: Context, x: Atom) -> Assign | None:
    """The statement that gives a matrix for one reader, where that may be computed transposed."""
    found = context.definition(x)
    if found is None or found.role == "primal" or not context.is_single(x):
        return None
    if found.op.name == "numpy.stack":
        return found if found.operands[-1] == Const(1) else None
    if found.op.name not in ("+", "-", "*", "/", "-x"):
        return None
    matrices = [atom for atom in found.operands if shape_of(atom.type) == shape_of(x.type)]
    vectors = [atom for atom in found.operands if _column_of(context, atom, x) is not None]
    row, column = (any(rank_of(v.type) == rank for v in vectors) for rank in (1, 2))
    fits = len(matrices) + len(vectors) == len(found.operands) and bool(
        matrices or (row and column)
    )
    return found if fits else None


def _column_of(context: Context, atom: Atom, x: Atom) -> Atom | None:
    """What stands in the transpose of an elementwise x for a number, a row or a column, which is
    the number, the row that is to be a column, or the row that the column was.
    """
    if scalar_like(atom.type) or shape_of(atom.type) == _row(x):
        return atom
    column = context.defined_by(atom, "getitem")
    if column is None or column.operands[1] != COLUMN or shape_of(atom.type) == shape_of(x.type):
        return None
    return column.operands[0] if rank_of(column.operands[0].type) == 1 else None


def _transposed_product(context: Context, x: Atom) -> Atom | None:
    product = context.defined_by(x, "@")
    if product is None or product.role == "primal" or not context.is_single(x):
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
