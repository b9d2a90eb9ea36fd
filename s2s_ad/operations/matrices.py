"""What the families of linear algebra share: guards on ranks, problems of shapes, types of results,
and lines that spell the transposed matrix by its rank.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.result_types import known_shape, require_numeric, strong_promotion
from s2s_ad.types import (
    DTYPES,
    Shape,
    Sizes,
    Type,
    TypeProblem,
    dtype_of,
    is_float,
    rank_of,
    shape_of,
)

Guard = Callable[[Sequence[Atom]], bool]


def ranks(*expected: int) -> Guard:
    """Guard: the first operands have just these ranks."""
    return lambda operands: (
        tuple(rank_of(operand.type) for operand in operands[: len(expected)]) == expected
    )


def known_ranks(operands: Sequence[Atom]) -> bool:
    """Guard: the ranks of the first two operands are known."""
    return None not in (rank_of(operands[0].type), rank_of(operands[1].type))


def ranks_of_pair(operands: Sequence[Atom]) -> tuple[int, int]:
    """The ranks of the first two operands, where they are known."""
    return len(known_shape(operands[0], "a")), len(known_shape(operands[1], "b"))


def mismatch(function: str, left: Shape, right: Shape) -> TypeProblem:
    """The problem of two shapes that do not fit each other."""
    spelled = " and ".join(f"({', '.join(map(str, shape))})" for shape in (left, right))
    return TypeProblem("shape-mismatch", f"shapes {spelled} do not fit in `{function}`")


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


# Functions of whole matrices ----------------------------------------------------------------------


def factor_dtype(types: Sequence[Type], function: str) -> str:
    """What LAPACK computes in: single precision for float32, else double."""
    require_numeric(types)
    dtype = strong_promotion(types)
    if dtype == "f16":
        raise TypeProblem("unsupported-dtype", f"`{function}` does not take float16")
    return dtype if all(map(is_float, types)) else "f64"


def scipy_dtype(types: Sequence[Type], function: str) -> str:
    """The same for SciPy, which treats small types and mixtures in ways of its own."""
    require_numeric(types)
    found = {dtype_of(type) for type in types}
    if not (found == {"f32"} or found <= {"f64", "i64", "i32"}):
        spelled = " and ".join(sorted(DTYPES[dtype] for dtype in found))
        message = f"`{function}` is not supported for {spelled}"
        raise TypeProblem("unsupported-dtype", message, "convert with `.astype(float)`")
    return "f32" if found == {"f32"} else "f64"


def matrix_shape(type: Type, function: str) -> Shape | None:
    """The shape of a matrix or a stack of them; None if the rank is unknown."""
    shape = shape_of(type)
    if shape is not None and len(shape) < 2:
        raise TypeProblem("shape-mismatch", f"`{function}` takes matrices, not rank {len(shape)}")
    return shape


def square_shape(sizes: Sizes, type: Type, function: str) -> Shape | None:
    """The same, with as many rows as columns."""
    shape = matrix_shape(type, function)
    if shape is not None:
        try:
            sizes.unify(shape[-2], shape[-1])
        except TypeProblem:
            message = f"`{function}` takes square matrices, not {shape[-2]} by {shape[-1]}"
            raise TypeProblem("shape-mismatch", message) from None
    return shape


def in_rank(text: str, rank: int | None) -> str:
    """A line for matrices of this rank, or for stacks of them.

    `A'` is a transpose. `row(v)` and `column(v)` have a vector a matrix, `one(g)` a number a
    matrix, in the shape that meets the matrices.
    """
    places = {"row": "-2", "column": "-1", "one": "(-2, -1)"}
    for word, axis in places.items():
        plain = rank == 2 and word != "column"
        text = re.sub(
            rf"\b{word}\(([^()]+)\)", r"\1" if plain else rf"np.expand_dims(\1, {axis})", text
        )
    while "'" in text:
        end = text.index("'")
        start = _operand_start(text, end)
        matrix = text[start:end]
        turned = f"{matrix}.T" if rank == 2 else f"np.swapaxes({matrix}, -1, -2)"
        text = text[:start] + turned + text[end + 1 :]
    return text


def _operand_start(text: str, end: int) -> int:
    """Where the name, call or bracket begins that ends before a place."""
    start, depth = end, 0
    while start > 0:
        character = text[start - 1]
        depth += (character == ")") - (character == "(")
        if depth < 0 or (depth == 0 and not (character.isalnum() or character in "_.(")):
            break
        start -= 1
    return start


def matrix_rule(*lines: str) -> Rule:
    """A rule whose lines are written as `in_rank` reads them."""
    return Rule(lambda operands: tuple(in_rank(line, rank_of(operands[0].type)) for line in lines))


def matrix_tangent(*lines: str) -> Callable[[Sequence[Atom]], tuple[str, ...]]:
    """Lines of forward mode, written in the same way."""
    return lambda operands: tuple(in_rank(line, rank_of(operands[0].type)) for line in lines)
