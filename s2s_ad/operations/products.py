"""Products of vectors, matrices and stacks of them.

For the ranks that people use, the lines are those of M. B. Giles, "Collected matrix derivative
results for forward and reverse mode algorithmic differentiation" (2008). For the others they are a
contraction of the axes that the operand does not have; where a rank is unknown, a helper looks at
it while running.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue, rule
from s2s_ad.operations.matrices import (
    FIRST_IS_NUMBER,
    SECOND_IS_NUMBER,
    first_is_number,
    known_ranks,
    mismatch,
    number_lines,
    ranks,
    ranks_of_pair,
    second_is_number,
)
from s2s_ad.operations.result_types import (
    of_shape,
    require_numeric,
    strong_promotion,
)
from s2s_ad.operations.tensordot import tensordot_text
from s2s_ad.types import (
    Array,
    Shape,
    Sizes,
    Type,
    TypeProblem,
    promote,
    rank_of,
    shape_of,
    size_of,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


# Matrix products ----------------------------------------------------------------------------------


def product_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """`a @ b`: the last axis of a meets the last but one of b; the axes before broadcast."""
    types = [operand.type for operand in operands]
    require_numeric(types)
    left, right = shape_of(types[0]), shape_of(types[1])
    if left == () or right == ():
        help = "multiply by a number with `*`"
        raise TypeProblem("shape-mismatch", "`@` needs arrays of rank 1 or more", help)
    if left is None or right is None:
        return Array(promote(types), None)
    inner = right[-2] if len(right) > 1 else right[-1]
    try:
        sizes.unify(left[-1], inner)
    except TypeProblem:
        spelled = f"({', '.join(map(str, left))}) @ ({', '.join(map(str, right))})"
        message = f"the sizes {left[-1]} and {inner} differ in {spelled}"
        raise TypeProblem("shape-mismatch", message) from None
    batch = sizes.broadcast([left[:-2], right[:-2]]) or ()
    shape: Shape = (*batch, *left[-2:-1], *(right[-1:] if len(right) > 1 else ()))
    return of_shape(promote(types), shape)


def stack_by_matrix(operands: Sequence[Atom]) -> bool:
    """Guard: a has batch axes, b has none."""
    left, right = (rank_of(operand.type) for operand in operands)
    return left is not None and left > 2 and right == 2


def stack_by_vector(operands: Sequence[Atom]) -> bool:
    """Guard: a has batch axes, b is a vector."""
    left, right = (rank_of(operand.type) for operand in operands)
    return left is not None and left > 2 and right == 1


def vector_by_stack(operands: Sequence[Atom]) -> bool:
    """Guard: a is a vector, b has batch axes."""
    left, right = (rank_of(operand.type) for operand in operands)
    return left == 1 and right is not None and right > 2


def both_stacks(operands: Sequence[Atom]) -> bool:
    """Guard: a and b are matrices or stacks of them."""
    left, right = (rank_of(operand.type) for operand in operands)
    return left is not None and left > 1 and right is not None and right > 1


def _leading(count: int) -> tuple[int, ...]:
    return tuple(range(count))


def stack_by_matrix_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    axes = _leading(ranks_of_pair(operands)[0] - 1)
    return (
        "grad_a += grad_out @ b.T",
        f"grad_b += np.tensordot(a, grad_out, axes=({axes}, {axes}))",
    )


def stack_by_vector_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    axes = _leading(ranks_of_pair(operands)[0] - 1)
    return (
        "grad_a += np.expand_dims(grad_out, -1) * b",
        f"grad_b += np.tensordot(grad_out, a, axes=({axes}, {axes}))",
    )


def vector_by_stack_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    batch = _leading(ranks_of_pair(operands)[1] - 2)
    axes = (*batch, len(batch) + 1), (*batch, len(batch))
    return (
        f"grad_a += np.tensordot(b, grad_out, axes={axes})",
        "grad_b += np.expand_dims(a, 1) * np.expand_dims(grad_out, -2)",
    )


PRODUCTS = (
    rule("grad_a += grad_out * b", "grad_b += grad_out * a", when=ranks(1, 1)),
    rule("grad_a += np.outer(grad_out, b)", "grad_b += a.T @ grad_out", when=ranks(2, 1)),
    rule("grad_a += b @ grad_out", "grad_b += np.outer(a, grad_out)", when=ranks(1, 2)),
    rule("grad_a += grad_out @ b.T", "grad_b += a.T @ grad_out", when=ranks(2, 2)),
)
STACKS = (
    Rule(stack_by_matrix_lines, stack_by_matrix),
    Rule(stack_by_vector_lines, stack_by_vector),
    Rule(vector_by_stack_lines, vector_by_stack),
    rule(
        "grad_a += grad_out @ np.swapaxes(b, -1, -2)",
        "grad_b += np.swapaxes(a, -1, -2) @ grad_out",
        when=both_stacks,
    ),
    rule(
        "grad_a += matmul_left(grad_out, b, np.shape(a))",
        "grad_b += matmul_right(grad_out, a, np.shape(b))",
    ),
)
SAMPLES = (
    {"a": "f[3]", "b": "f[3]"},
    {"a": "f[2,3]", "b": "f[3]"},
    {"a": "f[3]", "b": "f[3,4]"},
    {"a": "f[2,3]", "b": "f[3,4]"},
    {"a": "f[0,3]", "b": "f[3,4]"},
    {"a": "f[1,1]", "b": "f[1]"},
    {"a": "f[2,0]", "b": "f[0,3]"},
    {"a": "f[0]", "b": "f[0]"},
)
BATCHED = (
    {"a": "f[5,2,3]", "b": "f[3,4]"},
    {"a": "f[2,3]", "b": "f[5,3,4]"},
    {"a": "f[5,2,3]", "b": "f[5,3,4]"},
    {"a": "f[2,1,2,3]", "b": "f[5,3,4]"},
    {"a": "f[1,2,3]", "b": "f[5,3,1]"},
    {"a": "f[5,2,3]", "b": "f[3]"},
    {"a": "f[2,5,4,3]", "b": "f[3]"},
    {"a": "f[3]", "b": "f[5,3,4]"},
    {"a": "f[3]", "b": "f[2,5,3,4]"},
    {"a": "f[0,2,3]", "b": "f[3,4]"},
)
for _form, _also in (
    ("out = a @ b", ()),
    ("out = np.matmul(a, b)", ("numpy.linalg.matmul",)),
):
    operation(
        _form,
        also=_also,
        infer=product_type,
        rules=(*PRODUCTS, *STACKS),
        bilinear=("a", "b"),
        broadcasts=("a", "b"),
        samples=(*SAMPLES, *BATCHED),
    )


# np.dot, np.inner, np.vdot, np.outer --------------------------------------------------------------


def _pair(sizes: Sizes, function: str, left: Shape, right: Shape, axis: int) -> None:
    """Unify the last axis of `left` and the given one of `right`, over which a function sums."""
    try:
        sizes.unify(left[-1], right[axis])
    except TypeProblem:
        raise mismatch(function, left, right) from None


def _last_axes_type(function: str, last_but_one: bool) -> Callable[[Sizes, Sequence[Atom]], Type]:
    """The type of a sum over the last axis of a and the last (`np.dot`: but one) of b."""

    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        types = [operand.type for operand in operands]
        require_numeric(types)
        dtype = strong_promotion(types)
        left, right = shape_of(types[0]), shape_of(types[1])
        if left == ():
            return of_shape(dtype, right)
        if right == ():
            return of_shape(dtype, left)
        if left is None or right is None:
            return Array(dtype, None)
        axis = len(right) - (2 if last_but_one and len(right) > 1 else 1)
        _pair(sizes, function, left, right, axis)
        return of_shape(dtype, (*left[:-1], *right[:axis], *right[axis + 1 :]))

    return infer


def dot_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    """`np.dot` of higher ranks: an adjoint sums over the axes that came from the other operand."""
    left, right = ranks_of_pair(operands)
    return number_lines(left, right) or tensordot_text(left, right, (-1, -min(right, 2)))


def inner_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    left, right = ranks_of_pair(operands)
    return number_lines(left, right) or tensordot_text(left, right, (-1, -1))


NUMBERS = (Rule(FIRST_IS_NUMBER, first_is_number), Rule(SECOND_IS_NUMBER, second_is_number))
NUMBER_SAMPLES = (
    {"a": "f[]", "b": "f[3]"},
    {"a": "f[2,3]", "b": "f[]"},
    {"a": "f[]", "b": "f[]"},
)
operation(
    "out = np.dot(a, b)",
    infer=_last_axes_type("np.dot", last_but_one=True),
    rules=(
        *NUMBERS,
        *PRODUCTS,
        Rule(dot_lines, known_ranks),
        rule(
            "grad_a += dot_left(grad_out, b, np.shape(a))",
            "grad_b += dot_right(grad_out, a, np.shape(b))",
        ),
    ),
    bilinear=("a", "b"),
    method="dot",
    samples=(
        *SAMPLES,
        *NUMBER_SAMPLES,
        {"a": "f[5,2,3]", "b": "f[3]"},
        {"a": "f[3]", "b": "f[5,3,4]"},
        {"a": "f[2,3]", "b": "f[5,3,4]"},
        {"a": "f[5,2,3]", "b": "f[2,3,4]"},
        {"a": "f[5,2,3]", "b": "f[3,4]"},
    ),
)
operation(
    "out = np.inner(a, b)",
    infer=_last_axes_type("np.inner", last_but_one=False),
    rules=(
        *NUMBERS,
        PRODUCTS[0],
        PRODUCTS[1],
        rule("grad_a += grad_out @ b", "grad_b += np.outer(grad_out, a)", when=ranks(1, 2)),
        rule("grad_a += grad_out @ b", "grad_b += grad_out.T @ a", when=ranks(2, 2)),
        Rule(inner_lines, known_ranks),
        rule(
            "grad_a += inner_left(grad_out, b, np.shape(a))",
            "grad_b += inner_right(grad_out, a, np.shape(b))",
        ),
    ),
    bilinear=("a", "b"),
    samples=(
        *NUMBER_SAMPLES,
        {"a": "f[3]", "b": "f[3]"},
        {"a": "f[2,3]", "b": "f[3]"},
        {"a": "f[3]", "b": "f[2,3]"},
        {"a": "f[2,3]", "b": "f[4,3]"},
        {"a": "f[5,2,3]", "b": "f[2,4,3]"},
        {"a": "f[2,0]", "b": "f[3,0]"},
    ),
)


def _vdot_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    types = [operand.type for operand in operands]
    require_numeric(types)
    left, right = (shape_of(type) for type in types)
    if left is not None and right is not None and len(left) == len(right):
        # equal sizes follow from equal shapes; of other shapes, only the products have to agree
        if len(left) == 1:
            _pair(sizes, "np.vdot", left, right, 0)
    elif left is not None and right is not None:
        sizes_of = [size_of(type) for type in types]
        counts = [None if size is None else sizes.resolve(size).constant for size in sizes_of]
        if None not in counts and counts[0] != counts[1]:
            raise mismatch("np.vdot", left, right)
    return of_shape(strong_promotion(types), ())


def same_shape(operands: Sequence[Atom]) -> bool:
    """Guard: the first two operands have one shape."""
    left, right = (shape_of(operand.type) for operand in operands[:2])
    return left is not None and left == right


operation(
    "out = np.vdot(a, b)",
    infer=_vdot_type,
    rules=(
        rule("grad_a += grad_out * b", "grad_b += grad_out * a", when=same_shape),
        rule(
            "grad_a += np.reshape(grad_out * b, np.shape(a))",
            "grad_b += np.reshape(grad_out * a, np.shape(b))",
        ),
    ),
    bilinear=("a", "b"),
    samples=(
        {"a": "f[3]", "b": "f[3]"},
        {"a": "f[2,3]", "b": "f[2,3]"},
        {"a": "f[2,3]", "b": "f[6]"},
        {"a": "f[]", "b": "f[1]"},
        {"a": "f[]", "b": "f[]"},
        {"a": "f[2,3]", "b": "f[3,2]"},
        {"a": "f[0]", "b": "f[0]"},
    ),
)


def _outer_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    types = [operand.type for operand in operands]
    require_numeric(types)
    left, right = size_of(types[0]), size_of(types[1])
    dtype = strong_promotion(types)
    return Array(dtype, None if left is None or right is None else (left, right))


operation(
    "out = np.outer(a, b)",
    also=("numpy.linalg.outer",),
    infer=_outer_type,
    rules=(
        rule("grad_a += grad_out @ b", "grad_b += a @ grad_out", when=ranks(1, 1)),
        rule(
            "grad_a += np.reshape(grad_out @ np.ravel(b), np.shape(a))",
            "grad_b += np.reshape(np.ravel(a) @ grad_out, np.shape(b))",
        ),
    ),
    bilinear=("a", "b"),
    samples=(
        {"a": "f[2]", "b": "f[3]"},
        {"a": "f[2,2]", "b": "f[3]"},
        {"a": "f[]", "b": "f[3]"},
        {"a": "f[2]", "b": "f[2,3]"},
        {"a": "f[]", "b": "f[]"},
        {"a": "f[0]", "b": "f[3]"},
    ),
)
