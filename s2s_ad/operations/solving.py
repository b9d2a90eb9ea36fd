"""Linear systems, inverses and determinants.

The lines are those of M. B. Giles, "Collected matrix derivative results for forward and reverse
mode algorithmic differentiation" (2008). A singular matrix raises what the function itself raises;
that of a determinant, which raises nothing, is refused by the solve in its reverse sweep.
"""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.matrices import (
    factor_dtype,
    in_rank,
    matrix_rule,
    mismatch,
    square_shape,
)
from s2s_ad.operations.result_types import Infer, known_shape, of_shape
from s2s_ad.types import (
    Array,
    Items,
    Sizes,
    Type,
    TypeProblem,
    rank_of,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation

INVERTIBLE = {"a": "invertible"}
STACKS = ({"a": "f[3,3]"}, {"a": "f[1,1]"}, {"a": "f[2,3,3]"}, {"a": "f[2,1,2,2]"}, {"a": "f[0,0]"})


# np.linalg.solve ----------------------------------------------------------------------------------


def solution_type(function: str) -> Infer:
    """The type of the solution of `a @ x = b`, with b a vector only if its rank is 1."""

    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        types = [operand.type for operand in operands[:2]]
        dtype = factor_dtype(types, function)
        matrix = square_shape(sizes, types[0], function)
        right = known_shape(operands[1], function)
        if matrix is None:
            known_shape(operands[0], function)
        assert matrix is not None
        if not right:
            raise TypeProblem("shape-mismatch", f"`{function}` needs a right side of rank 1 or 2")
        try:
            sizes.unify(matrix[-1], right[0] if len(right) == 1 else right[-2])
        except TypeProblem:
            raise mismatch(function, matrix, right) from None
        if len(right) == 1:
            return of_shape(dtype, (*matrix[:-2], matrix[-2]))
        batch = sizes.broadcast([matrix[:-2], right[:-2]]) or ()
        return of_shape(dtype, (*batch, matrix[-2], right[-1]))

    return infer


def is_vector(operands: Sequence[Atom]) -> bool:
    """Whether the right side is a vector."""
    return rank_of(operands[1].type) == 1


def solve_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    rank = rank_of(operands[0].type)
    if not is_vector(operands):
        solved = "np.linalg.solve(a', grad_out)"
        rank_of_both = max(rank or 0, rank_of(operands[1].type) or 0)
        lines = f"grad_a += -{solved} @ out'", f"grad_b += {solved}"
        lines = lines[0].replace("out'", in_rank("out'", rank_of_both)), lines[1]
    elif rank == 2:
        solved = "np.linalg.solve(a', grad_out)"
        lines = f"grad_a += -np.outer({solved}, out)", f"grad_b += {solved}"
    else:
        solved = "np.linalg.solve(a', np.expand_dims(grad_out, -1))"
        lines = f"grad_a += -{solved} * np.expand_dims(out, -2)", f"grad_b += {solved}[..., 0]"
    return tuple(in_rank(line, rank) for line in lines)


def solve_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    if is_vector(operands) and rank_of(operands[0].type) != 2:
        return (
            "tangent_out = -np.linalg.solve(a, tangent_a @ np.expand_dims(out, -1))[..., 0]",
            "tangent_out = np.linalg.solve(a, np.expand_dims(tangent_b, -1))[..., 0]",
        )
    return (
        "tangent_out = -np.linalg.solve(a, tangent_a @ out)",
        "tangent_out = np.linalg.solve(a, tangent_b)",
    )


operation(
    "out = np.linalg.solve(a, b)",
    infer=solution_type("np.linalg.solve"),
    rules=(Rule(solve_lines),),
    tangent=solve_tangent,
    broadcasts=("a", "b"),
    domains=INVERTIBLE,
    samples=(
        {"a": "f[3,3]", "b": "f[3]"},
        {"a": "f[3,3]", "b": "f[3,2]"},
        {"a": "f[1,1]", "b": "f[1]"},
        {"a": "f[2,3,3]", "b": "f[3]"},
        {"a": "f[2,3,3]", "b": "f[2,3,4]"},
        {"a": "f[2,3,3]", "b": "f[3,4]"},
        {"a": "f[3,3]", "b": "f[2,3,4]"},
        {"a": "f[2,1,3,3]", "b": "f[4,3,1]"},
        {"a": "f[0,0]", "b": "f[0]"},
    ),
)


# Inverses and determinants ------------------------------------------------------------------------


def _inverse_type(function: str) -> Infer:
    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        dtype = factor_dtype([operands[0].type], function)
        return Array(dtype, square_shape(sizes, operands[0].type, function))

    return infer


operation(
    "out = np.linalg.inv(a)",
    infer=_inverse_type("np.linalg.inv"),
    rules=(matrix_rule("grad_a += -out' @ grad_out @ out'"),),
    tangent=("tangent_out = -out @ tangent_a @ out",),
    domains=INVERTIBLE,
    samples=STACKS,
)


def _number_of_matrix(function: str) -> Infer:
    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        dtype = factor_dtype([operands[0].type], function)
        shape = square_shape(sizes, operands[0].type, function)
        return Array(dtype, None) if shape is None else of_shape(dtype, shape[:-2])

    return infer


SINGULAR = "a singular matrix raises LinAlgError in the reverse sweep"
operation(
    "out = np.linalg.det(a)",
    infer=_number_of_matrix("np.linalg.det"),
    rules=(matrix_rule("grad_a += one(grad_out * out) * np.linalg.inv(a)'"),),
    tangent=("tangent_out = out * np.trace(np.linalg.solve(a, tangent_a), 0, -2, -1)",),
    domains=INVERTIBLE,
    samples=STACKS,
    note=SINGULAR,
)


def _slogdet_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    one = _number_of_matrix("np.linalg.slogdet")(sizes, operands)
    return Items((one, one))


operation(
    "sign, logabsdet = np.linalg.slogdet(a)",
    infer=_slogdet_type,
    rules=(
        matrix_rule(
            "grad_a += one(grad_logabsdet) * np.linalg.inv(a)'",
        ),
    ),
    tangent=("tangent_logabsdet = np.trace(np.linalg.solve(a, tangent_a), 0, -2, -1)",),
    constant_results=("sign",),
    domains=INVERTIBLE,
    samples=STACKS,
    note=f"the sign is piecewise constant; {SINGULAR}",
)
