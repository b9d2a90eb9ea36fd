"""Rules of batching for products: one factor has a leading axis, and one product does for all."""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Const
from s2s_ad.passes.batch.context import Context, Operands, Rule
from s2s_ad.types import rank_of

# The product of a and b by their ranks, where a or b has the leading axis.
LEFT = {
    (1, 1): "a @ b",
    (1, 2): "a @ b",
    (2, 1): "a @ b",
    (2, 2): "a @ b",
}
RIGHT = {
    (1, 1): "b @ a",
    (1, 2): "a @ b",
    (2, 1): "b @ a.T",
    (2, 2): "a @ b",
}
OUTER_LEFT = "a[:, :, None] * b"
OUTER_RIGHT = "a[:, None] * b[:, None, :]"


def _sides(context: Context, statement: Assign) -> tuple[bool, bool]:
    left, right = statement.operands[:2]
    return left in context.batched, right in context.batched


def matmul(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """`a @ b` and `np.dot(a, b)` of vectors and matrices."""
    left, right = _sides(context, statement)
    ranks = tuple(rank_of(atom.type) for atom in statement.operands[:2])
    if left and right:
        return None
    if ranks[0] == 0 or ranks[1] == 0:
        return _scaled(context, statement, operands)
    text = (LEFT if left else RIGHT).get(ranks)  # type: ignore[arg-type]  # a rank may be unknown
    if text is None:
        return None
    return context.line(text, a=operands["a"], b=operands["b"])


def _scaled(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """`np.dot` with a number."""
    left, _ = _sides(context, statement)
    rows, other = ("a", "b") if left else ("b", "a")
    rank = rank_of(statement.operands[0 if other == "a" else 1].type)
    now = rank_of(operands[rows].type)
    if rank is None or now is None:
        return None
    value = operands[rows]
    if rank > now - 1:
        index = (slice(None), *[None] * (rank - now + 1))
        value = context.call("getitem", value, Const(index))
    return context.line("a * b", a=value, b=operands[other])


def inner(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """`np.inner` of vectors."""
    ranks = {rank_of(atom.type) for atom in statement.operands[:2]}
    return matmul(context, statement, operands) if ranks == {1} else None


def vdot(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """`np.vdot(a, b)`: the sum of the products of all elements."""
    left, right = _sides(context, statement)
    ranks = [rank_of(atom.type) for atom in statement.operands]
    if (left and right) or None in ranks or 0 in ranks:
        return None
    rows, other = ("a", "b") if left else ("b", "a")
    vector, values = operands[other], operands[rows]
    if ranks != [1, 1]:
        vector = context.line("np.ravel(v)", v=vector)
        count = context.dimensions(vector.type)
        if not count:
            return None
        values = context.call("numpy.reshape", values, context.together([context.count, *count]))
    return context.line("a @ b", a=values, b=vector)


def outer(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """`np.outer` of vectors."""
    left, right = _sides(context, statement)
    if (left and right) or {rank_of(atom.type) for atom in statement.operands} != {1}:
        return None
    text = OUTER_LEFT if left else OUTER_RIGHT
    return context.line(text, a=operands["a"], b=operands["b"])


def einsum(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """One letter more, for the directions."""
    subscripts, *arrays, optimize = statement.operands
    if not isinstance(subscripts, Const) or "." in subscripts.value:
        return None
    text = subscripts.value.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    if not arrow:
        return None
    letter = next((c for c in "zyxwvutsrqponmlkjihgfedcba" if c not in text), "")
    if not letter:
        return None
    parts = [
        letter + part if array in context.batched else part
        for part, array in zip(inputs.split(","), arrays, strict=True)
    ]
    spelled = Const(f"{','.join(parts)}->{letter}{output}")
    values = [context.now(array) for array in arrays]
    return context.builder.assign(statement.op, spelled, *values, optimize)


def solve(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """`np.linalg.solve(a, b)` for many right sides."""
    left, _ = _sides(context, statement)
    ranks = tuple(rank_of(atom.type) for atom in statement.operands[:2])
    if left or ranks not in ((2, 1), (2, 2)):
        return None
    if ranks == (2, 2):
        return context.builder.assign(statement.op, *operands.values())
    return context.line("np.linalg.solve(a, b.T).T", a=operands["a"], b=operands["b"])


PRODUCTS: dict[str, Rule] = {
    "@": matmul,
    "numpy.matmul": matmul,
    "numpy.dot": matmul,
    "numpy.inner": inner,
    "numpy.vdot": vdot,
    "numpy.outer": outer,
    "numpy.einsum": einsum,
    "numpy.linalg.solve": solve,
}
