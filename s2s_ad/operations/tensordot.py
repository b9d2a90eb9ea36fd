"""`np.tensordot`, `np.kron` and `np.cross`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue, rule
from s2s_ad.operations.matrices import known_ranks, mismatch, number_lines, ranks_of_pair
from s2s_ad.operations.result_types import (
    constant,
    known_shape,
    normal_axes,
    of_shape,
    require_numeric,
    strong_promotion,
    unsupported,
)
from s2s_ad.types import (
    ONE,
    Array,
    Size,
    Sizes,
    Type,
    TypeProblem,
    shape_of,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


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
    return tensordot_text(*ranks_of_pair(operands), constant(operands[2], "axes"))


operation(
    "out = np.tensordot(a, b, axes=2)",
    also=("numpy.linalg.tensordot",),
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
    left, right = ranks_of_pair(operands)
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
