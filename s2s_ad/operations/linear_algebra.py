"""Products of vectors, matrices and stacks of them.

For the ranks that people use, the lines are those of M. B. Giles, "Collected matrix derivative
results for forward and reverse mode algorithmic differentiation" (2008). For the others they are a
contraction of the axes that the operand does not have; where a rank is unknown, a helper looks at
it while running.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue, rule
from s2s_ad.operations.result_types import (
    constant,
    known_shape,
    normal_axes,
    of_shape,
    require_numeric,
    shape_argument,
    strong_promotion,
    sum_dtype,
    unsupported,
)
from s2s_ad.types import (
    ONE,
    Array,
    Shape,
    Size,
    Sizes,
    Type,
    TypeProblem,
    dtype_of,
    promote,
    rank_of,
    shape_of,
    size_of,
    slice_length,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation

Guard = Callable[[Sequence[Atom]], bool]


def ranks(*expected: int) -> Guard:
    """Guard: the first operands have just these ranks."""
    return lambda operands: (
        tuple(rank_of(operand.type) for operand in operands[: len(expected)]) == expected
    )


def known_ranks(operands: Sequence[Atom]) -> bool:
    """Guard: the ranks of the first two operands are known."""
    return None not in (rank_of(operands[0].type), rank_of(operands[1].type))


def _ranks(operands: Sequence[Atom]) -> tuple[int, int]:
    """The ranks of the first two operands, where they are known."""
    return len(known_shape(operands[0], "a")), len(known_shape(operands[1], "b"))


def mismatch(function: str, left: Shape, right: Shape) -> TypeProblem:
    """The problem of two shapes that do not fit each other."""
    spelled = " and ".join(f"({', '.join(map(str, shape))})" for shape in (left, right))
    return TypeProblem("shape-mismatch", f"shapes {spelled} do not fit in `{function}`")


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
    axes = _leading(_ranks(operands)[0] - 1)
    return (
        "grad_a += grad_out @ b.T",
        f"grad_b += np.tensordot(a, grad_out, axes=({axes}, {axes}))",
    )


def stack_by_vector_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    axes = _leading(_ranks(operands)[0] - 1)
    return (
        "grad_a += np.expand_dims(grad_out, -1) * b",
        f"grad_b += np.tensordot(grad_out, a, axes=({axes}, {axes}))",
    )


def vector_by_stack_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    batch = _leading(_ranks(operands)[1] - 2)
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
for _form in ("out = a @ b", "out = np.matmul(a, b)"):
    operation(
        _form,
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


def first_is_number(operands: Sequence[Atom]) -> bool:
    """Guard: a has rank 0."""
    return rank_of(operands[0].type) == 0


def second_is_number(operands: Sequence[Atom]) -> bool:
    """Guard: b has rank 0."""
    return rank_of(operands[1].type) == 0


FIRST_IS_NUMBER = ("grad_a += np.sum(grad_out * b)", "grad_b += grad_out * a")
SECOND_IS_NUMBER = ("grad_a += grad_out * b", "grad_b += np.sum(grad_out * a)")


def number_lines(left: int, right: int) -> tuple[str, ...]:
    """The lines for a number times an array; none if both operands are arrays."""
    if left == 0:
        return FIRST_IS_NUMBER
    return SECOND_IS_NUMBER if right == 0 else ()


def dot_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    """`np.dot` of higher ranks: an adjoint sums over the axes that came from the other operand."""
    left, right = _ranks(operands)
    return number_lines(left, right) or tensordot_text(left, right, (-1, -min(right, 2)))


def inner_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    left, right = _ranks(operands)
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


# np.tensordot -------------------------------------------------------------------------------------


def contracted(axes: Any, left: int, right: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of both operands that `np.tensordot` sums over, as non-negative integers."""
    if isinstance(axes, int):
        if axes < 0 or axes > min(left, right):
            raise TypeProblem(
                "shape-mismatch", f"{axes} axes cannot be summed over for ranks {left} and {right}"
            )
        return tuple(range(left - axes, left)), tuple(range(axes))
    if not isinstance(axes, tuple | list) or len(axes) != 2:
        raise unsupported("`axes` is a number or a pair", "write `axes=((0, 1), (1, 0))`")
    pair = [tuple(part) if isinstance(part, tuple | list) else (part,) for part in axes]
    if len(pair[0]) != len(pair[1]):
        raise TypeProblem("shape-mismatch", f"axes {axes} do not come in pairs")
    return normal_axes(pair[0], left), normal_axes(pair[1], right)


def tensordot_text(left: int, right: int, axes: Any) -> tuple[str, ...]:
    """The adjoints of both operands of a tensordot of known ranks."""
    summed_a, summed_b = contracted(axes, left, right)
    free_a = [k for k in range(left) if k not in summed_a]
    free_b = [k for k in range(right) if k not in summed_b]
    outer_a = tuple(range(len(free_a)))
    outer_b = tuple(range(len(free_a), len(free_a) + len(free_b)))
    order_a = [*free_a, *(summed_a[summed_b.index(k)] for k in sorted(summed_b))]
    order_b = [*(summed_b[summed_a.index(k)] for k in sorted(summed_a)), *free_b]
    left_text = f"np.tensordot(grad_out, b, axes=({outer_b}, {tuple(free_b)}))"
    right_text = f"np.tensordot(a, grad_out, axes=({tuple(free_a)}, {outer_a}))"
    return (
        f"grad_a += {_permuted(left_text, order_a)}",
        f"grad_b += {_permuted(right_text, order_b)}",
    )


def _permuted(text: str, order: Sequence[int]) -> str:
    """Text whose axes are those of the operand in this order, in the operand's order."""
    if list(order) == sorted(order):
        return text
    if list(order) == [1, 0]:
        return f"{text}.T"
    inverse = tuple(order.index(k) for k in range(len(order)))
    return f"np.transpose({text}, axes={inverse})"


def _tensordot_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    types = [operand.type for operand in operands[:2]]
    require_numeric(types)
    dtype = strong_promotion(types)
    axes = constant(operands[2], "axes")
    left, right = shape_of(types[0]), shape_of(types[1])
    if left is None or right is None:
        contracted(axes, 32, 32)
        return Array(dtype, None)
    summed_a, summed_b = contracted(axes, len(left), len(right))
    for k, j in zip(summed_a, summed_b, strict=True):
        try:
            sizes.unify(left[k], right[j])
        except TypeProblem:
            raise mismatch("np.tensordot", left, right) from None
    free = (
        *(size for k, size in enumerate(left) if k not in summed_a),
        *(size for k, size in enumerate(right) if k not in summed_b),
    )
    return Array(dtype, free)


def tensordot_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    return tensordot_text(*_ranks(operands), constant(operands[2], "axes"))


operation(
    "out = np.tensordot(a, b, axes=2)",
    infer=_tensordot_type,
    rules=(
        Rule(tensordot_lines, known_ranks),
        rule(
            "grad_a += tensordot_left(grad_out, b, np.shape(a), axes)",
            "grad_b += tensordot_right(grad_out, a, np.shape(b), axes)",
        ),
    ),
    bilinear=("a", "b"),
    samples=(
        {"a": "f[2,3]", "b": "f[2,3]"},
        {"a": "f[2,3]", "b": "f[3,4]", "axes": 1},
        {"a": "f[2]", "b": "f[3]", "axes": 0},
        {"a": "f[5,2,3]", "b": "f[3,2,4]", "axes": ((1, 2), (1, 0))},
        {"a": "f[5,2,3]", "b": "f[2,4]", "axes": (1, 0)},
        {"a": "f[2,3]", "b": "f[4,2]", "axes": ((-2,), (-1,))},
        {"a": "f[5,2,3]", "b": "f[3,2,5]", "axes": ((2, 0, 1), (0, 2, 1))},
        {"a": "f[2,3,4]", "b": "f[5,2,3]", "axes": ((0, 1), (1, 2))},
        {"a": "f[2,0]", "b": "f[0,3]", "axes": 1},
        {"a": "f[]", "b": "f[2]", "axes": 0},
    ),
)


# Diagonals ----------------------------------------------------------------------------------------


def diagonal_length(sizes: Sizes, rows: Size, columns: Size, offset: int) -> Size:
    """How many elements a diagonal has, of a matrix of this size."""
    rows, columns = sizes.resolve(rows), sizes.resolve(columns)
    if rows.constant is not None and columns.constant is not None:
        longest = min(rows.constant + min(offset, 0), columns.constant - max(offset, 0))
        return Size.of(max(longest, 0))
    if rows != columns:
        return sizes.fresh()
    return slice_length(rows, Size.of(abs(offset)), None, None) if offset else rows


def _diagonal_axes(operands: Sequence[Atom], rank: int) -> tuple[int, int]:
    if rank < 2:
        raise TypeProblem("shape-mismatch", f"an array of rank {rank} has no diagonal")
    places = normal_axes(tuple(constant(operand, "axis") for operand in operands), rank)
    return places[0], places[1]


def _diagonal_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    x, offset = operands[0].type, constant(operands[1], "offset")
    require_numeric([x])
    shape = shape_of(x)
    if shape is None:
        return Array(dtype_of(x), None)
    first, second = _diagonal_axes(operands[2:], len(shape))
    rest = tuple(size for k, size in enumerate(shape) if k not in (first, second))
    length = diagonal_length(sizes, shape[first], shape[second], offset)
    return Array(dtype_of(x), (*rest, length))


def square(operands: Sequence[Atom]) -> bool:
    """Guard: a square matrix and its main diagonal."""
    shape = shape_of(operands[0].type)
    is_main = constant(operands[1], "offset") == 0
    return shape is not None and len(shape) == 2 and shape[0] == shape[1] and is_main


operation(
    "out = np.diagonal(x, offset=0, axis1=0, axis2=1)",
    infer=_diagonal_type,
    rules=(
        rule("grad_x += np.diag(grad_out)", when=square),
        rule("grad_x += diagonal_adjoint(grad_out, np.shape(x), offset, axis1, axis2)"),
    ),
    linear=("x",),
    view_of="x",
    method="diagonal",
    samples=(
        {"x": "f[3,3]"},
        {"x": "f[2,3]"},
        {"x": "f[3,3]", "offset": 1},
        {"x": "f[3,4]", "offset": -2},
        {"x": "f[3,3]", "offset": 5},
        {"x": "f[2,3,4]"},
        {"x": "f[2,3,4]", "offset": 1, "axis1": 2, "axis2": 0},
        {"x": "f[0,3]"},
    ),
)
operation(
    "out = diagonal_adjoint(grad, shape, offset, axis1, axis2)",
    "grad_grad += np.diagonal(grad_out, offset, axis1, axis2)",
    infer=lambda sizes, operands: Array(
        dtype_of(operands[0].type), shape_argument(sizes, operands[1].type)
    ),
    linear=("grad",),
    helper="diagonal_adjoint",
    samples=(
        {"grad": "f[2]", "shape": (2, 3), "offset": 0, "axis1": 0, "axis2": 1},
        {"grad": "f[3,2]", "shape": (2, 3, 4), "offset": -1, "axis1": 2, "axis2": 0},
    ),
)


def _diag_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    x, k = operands[0].type, constant(operands[1], "k")
    require_numeric([x])
    shape = known_shape(operands[0], "np.diag")
    if len(shape) == 1:
        return Array(dtype_of(x), (shape[0] + abs(k), shape[0] + abs(k)))
    if len(shape) != 2:
        raise TypeProblem("shape-mismatch", f"`np.diag` takes rank 1 or 2, not {len(shape)}")
    return Array(dtype_of(x), (diagonal_length(sizes, shape[0], shape[1], k),))


def from_vector(operands: Sequence[Atom]) -> bool:
    """Guard: the diagonal is given, a matrix made."""
    return rank_of(operands[0].type) == 1


operation(
    "out = np.diag(x, k=0)",
    infer=_diag_type,
    rules=(
        rule("grad_x += np.diag(grad_out, k)", when=from_vector),
        rule("grad_x += np.diag(grad_out)", when=square),
        rule("grad_x += diagonal_adjoint(grad_out, np.shape(x), k, 0, 1)", when=ranks(2)),
    ),
    linear=("x",),
    view_of="x",
    may_copy=True,
    samples=(
        {"x": "f[3]"},
        {"x": "f[3]", "k": -2},
        {"x": "f[3,3]"},
        {"x": "f[2,3]", "k": 1},
        {"x": "f[3,3]", "k": 5},
        {"x": "f[0]"},
    ),
)


def _trace_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    x = operands[0].type
    require_numeric([x])
    constant(operands[1], "offset")
    shape = shape_of(x)
    if shape is None:
        return Array(sum_dtype(dtype_of(x)), None)
    places = _diagonal_axes(operands[2:], len(shape))
    return of_shape(
        sum_dtype(dtype_of(x)), tuple(size for k, size in enumerate(shape) if k not in places)
    )


def trace_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    offset, *axes = (constant(operand, "axis") for operand in operands[1:])
    rows, columns = (f"np.shape(x)[{axis}]" for axis in axes)
    identity = f"np.eye({rows}, {columns}, k={offset})"
    if rank_of(operands[0].type) == 2 and axes == [0, 1]:
        shape = shape_of(operands[0].type) or ()
        if shape[0] == shape[1]:
            identity = f"np.eye({rows}, k={offset})" if offset else f"np.eye({rows})"
        return (f"grad_x += grad_out * {identity}",)
    matrices = f"np.expand_dims(grad_out, (-2, -1)) * {identity}"
    return (f"grad_x += np.moveaxis({matrices}, (-2, -1), {tuple(axes)})",)


operation(
    "out = np.trace(x, offset=0, axis1=0, axis2=1)",
    infer=_trace_type,
    rules=(Rule(trace_lines),),
    linear=("x",),
    method="trace",
    samples=(
        {"x": "f[3,3]"},
        {"x": "f[2,3]"},
        {"x": "f[3,3]", "offset": 1},
        {"x": "f[3,4]", "offset": -2},
        {"x": "f[3,3]", "offset": 5},
        {"x": "f[2,3,4]"},
        {"x": "f[2,3,4]", "offset": 1, "axis1": 2, "axis2": 0},
        {"x": "f[0,0]"},
        {"x": "f[3,2]", "axis1": 1, "axis2": 0},
    ),
)


# np.kron, np.cross --------------------------------------------------------------------------------


def _kron_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    types = [operand.type for operand in operands]
    require_numeric(types)
    left, right = (known_shape(operand, "np.kron") for operand in operands)
    rank = max(len(left), len(right))
    left, right = ((ONE,) * (rank - len(shape)) + shape for shape in (left, right))
    shape = tuple(a * b for a, b in zip(left, right, strict=True))
    return of_shape(strong_promotion(types), shape)


def kron_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    """Each axis of the result is an axis of a and one of b: split it, and sum over the other's."""
    left, right = _ranks(operands)
    if left == 0 or right == 0:
        return number_lines(left, right)
    split: list[str] = []
    axes_a, axes_b = [], []
    for k in range(-max(left, right), 0):
        if left + k >= 0:
            axes_a.append(len(split))
            split.append(f"np.shape(a)[{left + k}]")
        if right + k >= 0:
            axes_b.append(len(split))
            split.append(f"np.shape(b)[{right + k}]")
    blocks = f"np.reshape(grad_out, ({', '.join(split)}))"
    all_a, all_b = tuple(range(left)), tuple(range(right))
    return (
        f"grad_a += np.tensordot({blocks}, b, axes=({tuple(axes_b)}, {all_b}))",
        f"grad_b += np.tensordot(a, {blocks}, axes=({all_a}, {tuple(axes_a)}))",
    )


operation(
    "out = np.kron(a, b)",
    infer=_kron_type,
    rules=(Rule(kron_lines),),
    bilinear=("a", "b"),
    samples=(
        {"a": "f[2,3]", "b": "f[4,2]"},
        {"a": "f[2]", "b": "f[3]"},
        {"a": "f[2]", "b": "f[3,4]"},
        {"a": "f[2,1,3]", "b": "f[2]"},
        {"a": "f[]", "b": "f[2]"},
        {"a": "f[2,2]", "b": "f[]"},
        {"a": "f[0]", "b": "f[3]"},
    ),
)


def _cross_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    types = [operand.type for operand in operands]
    require_numeric(types)
    for operand in operands:
        shape = known_shape(operand, "np.cross")
        if not shape or not _is_three(sizes, shape[-1]):
            raise unsupported(
                "`np.cross` takes arrays whose last axis has size 3", "write the size in the type"
            )
    return Array(strong_promotion(types), sizes.broadcast([shape_of(type) for type in types]))


def _is_three(sizes: Sizes, size: Size) -> bool:
    try:
        return sizes.unify(size, Size.of(3))
    except TypeProblem:
        return False


operation(
    "out = np.cross(a, b)",
    "grad_a += np.cross(b, grad_out)",
    "grad_b += np.cross(grad_out, a)",
    infer=_cross_type,
    bilinear=("a", "b"),
    broadcasts=("a", "b"),
    samples=(
        {"a": "f[3]", "b": "f[3]"},
        {"a": "f[2,1,3]", "b": "f[4,3]"},
        {"a": "f[0,3]", "b": "f[3]"},
    ),
)


# Helpers for unknown ranks: each is linear in the adjoint and in the other operand ----------------


def _adjoint_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """The shape is an operand, the dtype that of the products."""
    types = [operand.type for operand in operands[:2]]
    require_numeric(types)
    return Array(promote(types), shape_argument(sizes, operands[2].type))


SIDES = (
    {"grad": "f[2,4]", "left": "f[2,3]", "right": "f[3,4]"},
    {"grad": "f[2]", "left": "f[2,3]", "right": "f[3]"},
    {"grad": "f[4]", "left": "f[3]", "right": "f[3,4]"},
)
ROWS = (
    {"grad": "f[2,4]", "left": "f[2,3]", "right": "f[4,3]"},
    {"grad": "f[4]", "left": "f[3]", "right": "f[4,3]"},
)


def _shape_sample(spec: str) -> tuple[int, ...]:
    return tuple(int(size) for size in spec[2:-1].split(","))


def declare_adjoints(
    name: str,
    product: str,
    sides: Sequence[dict[str, str]] = SIDES,
    more: dict[str, Any] | None = None,
) -> None:
    """Declare the helpers `name_left` and `name_right`, the adjoints of the operands of a product.

    <w, left(g, b)> = <g, w b> and <w, right(g, a)> = <g, a w>: their own adjoints are again
    products and these helpers.
    """
    more = more or {}
    extra = "".join(f", {key}" for key in more)
    operation(
        f"out = {name}_left(grad, b, shape{extra})",
        f"grad_grad += {product.format('grad_out', 'b')}",
        f"grad_b += {name}_right(grad, grad_out, np.shape(b){extra})",
        infer=_adjoint_type,
        bilinear=("grad", "b"),
        helper=f"{name}_left",
        samples=tuple(
            {"grad": side["grad"], "b": side["right"], "shape": _shape_sample(side["left"]), **more}
            for side in sides
        ),
    )
    operation(
        f"out = {name}_right(grad, a, shape{extra})",
        f"grad_grad += {product.format('a', 'grad_out')}",
        f"grad_a += {name}_left(grad, grad_out, np.shape(a){extra})",
        infer=_adjoint_type,
        bilinear=("grad", "a"),
        helper=f"{name}_right",
        samples=tuple(
            {"grad": side["grad"], "a": side["left"], "shape": _shape_sample(side["right"]), **more}
            for side in sides
        ),
    )


declare_adjoints("matmul", "{0} @ {1}")
declare_adjoints("dot", "np.dot({0}, {1})")
declare_adjoints("inner", "np.inner({0}, {1})", ROWS)
declare_adjoints("tensordot", "np.tensordot({0}, {1}, axes)", SIDES, {"axes": 1})
