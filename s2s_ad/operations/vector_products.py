"""Products of vectors in stacks: `np.vecdot`, `np.matvec` and `np.vecmat`.

The vectors are the last axes, and what is before them broadcasts. Unlike with `@`, an operand with
several axes is a stack of vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from s2s_ad.ir import Atom
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.matrices import mismatch
from s2s_ad.operations.result_types import known_shape, of_shape, require_numeric
from s2s_ad.types import Shape, Sizes, Type, TypeProblem, promote

CATALOGUE = Catalogue()


def _stacked_type(
    function: str, cores: tuple[int, int], contracted: tuple[int, int], left: tuple[int, ...]
) -> Callable[[Sizes, Sequence[Atom]], Type]:
    """The type of a product of the last `cores` axes of each operand.

    `contracted` are the axes summed over; `left` is the axis that stays: of the first operand or,
    behind the number 1, of the second.
    """

    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        require_numeric([operand.type for operand in operands])
        shapes = [known_shape(operand, function) for operand in operands]
        if any(len(shape) < core for shape, core in zip(shapes, cores, strict=True)):
            raise mismatch(function, *shapes)
        try:
            sizes.unify(shapes[0][contracted[0]], shapes[1][contracted[1]])
        except TypeProblem:
            raise mismatch(function, *shapes) from None
        batches: list[Shape | None] = [
            shape[: len(shape) - core] for shape, core in zip(shapes, cores, strict=True)
        ]
        kept = tuple(shapes[which][axis] for which, axis in zip(left[::2], left[1::2], strict=True))
        batch = sizes.broadcast(batches) or ()
        return of_shape(promote([operand.type for operand in operands]), (*batch, *kept))

    return infer


CATALOGUE.operation(
    "out = np.vecdot(x1, x2)",
    "grad_x1 += np.expand_dims(grad_out, -1) * x2",
    "grad_x2 += np.expand_dims(grad_out, -1) * x1",
    infer=_stacked_type("np.vecdot", (1, 1), (-1, -1), ()),
    bilinear=("x1", "x2"),
    broadcasts=("x1", "x2"),
    samples=(
        {"x1": "f[3]", "x2": "f[3]"},
        {"x1": "f[2,3]", "x2": "f[3]"},
        {"x1": "f[4,1,3]", "x2": "f[2,3]"},
        {"x1": "f[1]", "x2": "f[2,1]"},
        {"x1": "f[2,0]", "x2": "f[2,0]"},
    ),
)
CATALOGUE.operation(
    "out = np.matvec(x1, x2)",
    "grad_x1 += np.expand_dims(grad_out, -1) * np.expand_dims(x2, -2)",
    "grad_x2 += np.vecmat(grad_out, x1)",
    infer=_stacked_type("np.matvec", (2, 1), (-1, -1), (0, -2)),
    bilinear=("x1", "x2"),
    broadcasts=("x1", "x2"),
    samples=(
        {"x1": "f[2,3]", "x2": "f[3]"},
        {"x1": "f[2,3]", "x2": "f[4,3]"},
        {"x1": "f[4,2,3]", "x2": "f[3]"},
        {"x1": "f[4,1,2,3]", "x2": "f[5,3]"},
        {"x1": "f[0,3]", "x2": "f[3]"},
    ),
)
CATALOGUE.operation(
    "out = np.vecmat(x1, x2)",
    "grad_x1 += np.matvec(x2, grad_out)",
    "grad_x2 += np.expand_dims(x1, -1) * np.expand_dims(grad_out, -2)",
    infer=_stacked_type("np.vecmat", (1, 2), (-1, -2), (1, -1)),
    bilinear=("x1", "x2"),
    broadcasts=("x1", "x2"),
    samples=(
        {"x1": "f[3]", "x2": "f[3,2]"},
        {"x1": "f[4,3]", "x2": "f[3,2]"},
        {"x1": "f[3]", "x2": "f[4,3,2]"},
        {"x1": "f[5,3]", "x2": "f[4,1,3,2]"},
        {"x1": "f[3]", "x2": "f[3,0]"},
    ),
)
