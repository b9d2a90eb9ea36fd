"""Products of vectors, matrices and stacks of them.

Formulas: M. B. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from s2s_ad.ir import Atom
from s2s_ad.operations.declare import Catalogue, rule
from s2s_ad.operations.result_types import of_shape, require_numeric
from s2s_ad.types import Array, Shape, Sizes, Type, TypeProblem, promote, rank_of, shape_of

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


def ranks(*expected: int) -> Callable[[Sequence[Atom]], bool]:
    """Guard: the first operands have just these ranks."""
    return lambda operands: tuple(rank_of(operand.type) for operand in operands[: len(expected)]) == expected


def product_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """`a @ b`: the last axis of a meets the last but one of b; the axes before broadcast."""
    types = [operand.type for operand in operands]
    require_numeric(types)
    left, right = shape_of(types[0]), shape_of(types[1])
    if left == () or right == ():
        raise TypeProblem("shape-mismatch", "`@` needs arrays of rank 1 or more", "multiply by a number with `*`")
    if left is None or right is None:
        return Array(promote(types), None)
    inner = right[-2] if len(right) > 1 else right[-1]
    try:
        sizes.unify(left[-1], inner)
    except TypeProblem:
        spelled = f"({', '.join(map(str, left))}) @ ({', '.join(map(str, right))})"
        raise TypeProblem("shape-mismatch", f"the sizes {left[-1]} and {inner} differ in {spelled}") from None
    batch = sizes.broadcast([left[:-2], right[:-2]]) or ()
    shape: Shape = (*batch, *left[-2:-1], *(right[-1:] if len(right) > 1 else ()))
    return of_shape(promote(types), shape)


PRODUCTS = (
    rule("grad_a += grad_out * b", "grad_b += grad_out * a", when=ranks(1, 1)),
    rule("grad_a += np.outer(grad_out, b)", "grad_b += a.T @ grad_out", when=ranks(2, 1)),
    rule("grad_a += b @ grad_out", "grad_b += np.outer(a, grad_out)", when=ranks(1, 2)),
    rule("grad_a += grad_out @ b.T", "grad_b += a.T @ grad_out", when=ranks(2, 2)),
)
SAMPLES = ({"a": "f[3]", "b": "f[3]"}, {"a": "f[2,3]", "b": "f[3]"}, {"a": "f[3]", "b": "f[3,4]"},
           {"a": "f[2,3]", "b": "f[3,4]"}, {"a": "f[0,3]", "b": "f[3,4]"}, {"a": "f[1,1]", "b": "f[1]"})  # fmt: skip
operation("out = a @ b", infer=product_type, rules=PRODUCTS, bilinear=("a", "b"), samples=SAMPLES)


def _outer_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    types = [operand.type for operand in operands]
    require_numeric(types)
    shapes = [shape_of(type) for type in types]
    if any(shape is None or len(shape) != 1 for shape in shapes):
        raise TypeProblem("shape-mismatch", "`np.outer` is supported for two vectors", "ravel the arguments first")
    return Array(promote(types), (shapes[0][0], shapes[1][0]))  # type: ignore[index]


operation("out = np.outer(a, b)", "grad_a += grad_out @ b", "grad_b += a @ grad_out", infer=_outer_type,
          bilinear=("a", "b"), samples=({"a": "f[2]", "b": "f[3]"},))  # fmt: skip
