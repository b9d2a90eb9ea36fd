"""`scipy.linalg`: systems, triangular systems, Cholesky and LU factors, functions of matrices.

The factors of the forward sweep solve the systems of the reverse sweep. Sources: M. B. Giles,
"Collected matrix derivative results" (2008); I. Murray, "Differentiation of the Cholesky
decomposition" (2016); A. H. Al-Mohy and N. J. Higham, "Computing the Frechet derivative of the
matrix exponential" (2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from s2s_ad.ir import Atom, Const, Rule
from s2s_ad.operations import helpers
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.matrices import mismatch, scipy_dtype
from s2s_ad.operations.result_types import (
    Infer,
    constant,
    known_shape,
    of_shape,
    strong_promotion,
    unsupported,
)
from s2s_ad.types import BOOL, Array, Items, Shape, Size, Sizes, Type, TypeProblem, rank_of

CATALOGUE = Catalogue()
operation = CATALOGUE.operation

INVERTIBLE = {"a": "invertible"}
DEFINITE = {"a": "definite"}


def square(sizes: Sizes, atom: Atom, function: str) -> Shape:
    """The shape of a square matrix; stacks are not supported by all versions of SciPy."""
    shape = known_shape(atom, function)
    if len(shape) != 2:
        raise unsupported(f"`{function}` is supported for one matrix", "use `np.linalg`")
    try:
        sizes.unify(shape[0], shape[1])
    except TypeProblem:
        message = f"`{function}` takes square matrices, not {shape[0]} by {shape[1]}"
        raise TypeProblem("shape-mismatch", message) from None
    return shape


def system_type(function: str) -> Infer:
    """The type of the solution of a system with one or several right sides."""

    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        dtype = scipy_dtype([operand.type for operand in operands[:2]], function)
        matrix, right = square(sizes, operands[0], function), known_shape(operands[1], function)
        for option in operands[2:]:
            constant(option, "the options")
        if len(right) not in (1, 2):
            raise TypeProblem("shape-mismatch", f"`{function}` needs a right side of rank 1 or 2")
        try:
            sizes.unify(matrix[0], right[0])
        except TypeProblem:
            raise mismatch(function, matrix, right) from None
        return of_shape(dtype, right)

    return infer


def product(left: str, right: str, operands: Sequence[Atom]) -> str:
    """`left @ right.T` for right sides that are matrices, the outer product for vectors."""
    if rank_of(operands[1].type) == 1:
        return f"np.outer({left}, {right})"
    return f"{left} @ {right}.T"


SYSTEMS = (
    {"a": "f[3,3]", "b": "f[3]"},
    {"a": "f[3,3]", "b": "f[3,2]"},
    {"a": "f[1,1]", "b": "f[1]"},
)


# Systems ------------------------------------------------------------------------------------------


SYMMETRIC = ("sym", "her", "pos", "symmetric", "hermitian", "positive definite")


def structure(operands: Sequence[Atom]) -> tuple[str, str]:
    """The options that say what is known of the matrix, and the triangle that is read, if it is one
    only.
    """
    assumed, lower = constant(operands[2], "assume_a"), constant(operands[3], "lower")
    if assumed in (None, "gen", "general"):
        return ("" if assumed is None else f', assume_a="{assumed}"'), ""
    if assumed not in SYMMETRIC:
        raise unsupported(f"`assume_a` is {assumed!r}", "leave it out, or write what is symmetric")
    options = f', assume_a="{assumed}"' + (", lower=True" if lower else "")
    return options, "lower" if lower else "upper"


def solve_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    options, triangle = structure(operands)
    matrix = "a" if triangle else "a.T"
    solved = f"scipy.linalg.solve({matrix}, grad_out{options})"
    whole = f"-{product(solved, 'out', operands)}"
    return f"grad_a += {f'fold_{triangle}({whole})' if triangle else whole}", f"grad_b += {solved}"


def solve_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    options, triangle = structure(operands)
    moved = f"mirror_{triangle}(tangent_a)" if triangle else "tangent_a"
    return (
        f"tangent_out = -scipy.linalg.solve(a, {moved} @ out{options})",
        f"tangent_out = scipy.linalg.solve(a, tangent_b{options})",
    )


def _solution_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    structure(operands)
    return system_type("scipy.linalg.solve")(sizes, operands)


operation(
    "out = scipy.linalg.solve(a, b, assume_a=None, lower=False)",
    infer=_solution_type,
    rules=(Rule(solve_lines),),
    tangent=solve_tangent,
    domains=INVERTIBLE,
    samples=(
        *SYSTEMS,
        {"a": "f[3,3]", "b": "f[3,2]", "assume_a": "gen"},
        {"a": "f[3,3]", "b": "f[3]", "assume_a": "sym"},
        {"a": "f[3,3]", "b": "f[3,2]", "assume_a": "pos", "lower": True},
    ),
    note="of a symmetric matrix, in the triangle that is read",
)


def triangle(operands: Sequence[Atom]) -> tuple[bool, str, str]:
    """Whether the matrix is transposed, the part that is read, and the options of the call."""
    trans, lower, unit = (constant(operand, "the options") for operand in operands[2:])
    if trans not in (0, 1, "N", "T"):
        raise unsupported(f"`trans` is {trans!r}", "write 0 or 1")
    part = "np.tril({0}" if lower else "np.triu({0}"
    part += (", -1)" if lower else ", 1)") if unit else ")"
    options = (", lower=True" if lower else "") + (", unit_diagonal=True" if unit else "")
    return trans in (1, "T"), part, options


def triangular_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    transposed, part, options = triangle(operands)
    trans = "" if transposed else ", trans=1"
    solved = f"scipy.linalg.solve_triangular(a, grad_out{trans}{options})"
    pair = ("out", solved) if transposed else (solved, "out")
    return f"grad_a += -{part.format(product(*pair, operands))}", f"grad_b += {solved}"


def triangular_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    transposed, part, options = triangle(operands)
    moved = part.format("tangent_a") + (".T" if transposed else "")
    trans = ", trans=1" if transposed else ""
    return (
        f"tangent_out = -scipy.linalg.solve_triangular(a, {moved} @ out{trans}{options})",
        f"tangent_out = scipy.linalg.solve_triangular(a, tangent_b{trans}{options})",
    )


def _triangular_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    triangle(operands)
    return system_type("scipy.linalg.solve_triangular")(sizes, operands)


operation(
    "out = scipy.linalg.solve_triangular(a, b, trans=0, lower=False, unit_diagonal=False)",
    infer=_triangular_type,
    rules=(Rule(triangular_lines),),
    tangent=triangular_tangent,
    domains=INVERTIBLE,
    samples=(
        *SYSTEMS,
        {"a": "f[3,3]", "b": "f[3]", "lower": True},
        {"a": "f[3,3]", "b": "f[3,2]", "lower": True, "trans": 1},
        {"a": "f[3,3]", "b": "f[3]", "trans": "T"},
        {"a": "f[3,3]", "b": "f[3,2]", "unit_diagonal": True},
        {"a": "f[3,3]", "b": "f[3]", "lower": True, "unit_diagonal": True, "trans": 1},
    ),
    note="the derivative lies in the triangle that is read",
)


# Cholesky factors ---------------------------------------------------------------------------------


def factor_adjoint(factor: str, adjoint: str, lower: bool) -> str:
    """The adjoint of a matrix from that of its factor: two triangular systems, no inverse."""
    solve = "scipy.linalg.solve_triangular"
    if lower:
        inner = f"{solve}({factor}, half_lower({factor}.T @ {adjoint}), trans=1, lower=True)"
        return f"fold_lower({solve}({factor}, {inner}.T, trans=1, lower=True))"
    inner = f"{solve}({factor}, half_lower({factor} @ {adjoint}.T))"
    return f"fold_upper({solve}({factor}, {inner}.T))"


def factor_tangent(factor: str, lower: bool) -> str:
    """The tangent of a factor from that of the matrix."""
    solve = "scipy.linalg.solve_triangular"
    if lower:
        inner = f"{solve}({factor}, mirror_lower(tangent_a), lower=True)"
        return f"{factor} @ half_lower({solve}({factor}, {inner}.T, lower=True))"
    inner = f"{solve}({factor}, mirror_upper(tangent_a), trans=1)"
    return f"half_lower({solve}({factor}, {inner}.T, trans=1)).T @ {factor}"


def _factor_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    constant(operands[1], "lower")
    dtype = scipy_dtype([operands[0].type], "scipy.linalg.cholesky")
    return Array(dtype, square(sizes, operands[0], "scipy.linalg.cholesky"))


FACTORED = ({"a": "f[3,3]"}, {"a": "f[3,3]", "lower": True}, {"a": "f[1,1]", "lower": True})
operation(
    "out = scipy.linalg.cholesky(a, lower=False)",
    infer=_factor_type,
    rules=(
        Rule(
            lambda operands: (
                f"grad_a += {factor_adjoint('out', 'grad_out', constant(operands[1], 'lower'))}",
            )
        ),
    ),
    tangent=lambda operands: (
        f"tangent_out = {factor_tangent('out', constant(operands[1], 'lower'))}"
    ),
    domains=DEFINITE,
    samples=FACTORED,
    note="only one triangle is read: the derivative lies there",
)


def _part(operands: Sequence[Atom], name: str, at: int) -> str:
    """The triangle of a factor from `cho_factor` that means something."""
    return f"np.tril({name})" if constant(operands[at], "lower") else f"np.triu({name})"


def _cho_factor(a: Any, lower: bool) -> tuple[Any, bool]:
    """With zeros where SciPy leaves what happens to be there."""
    import scipy.linalg

    factor, _ = scipy.linalg.cho_factor(a, lower)
    return (np.tril(factor) if lower else np.triu(factor)), lower


def _factors_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    return Items((_factor_type(sizes, operands), BOOL))


operation(
    "c, is_lower = scipy.linalg.cho_factor(a, lower=False)",
    infer=_factors_type,
    rules=(
        Rule(
            lambda operands: (
                "grad_a += "
                + factor_adjoint(
                    _part(operands, "c", 1),
                    _part(operands, "grad_c", 1),
                    constant(operands[1], "lower"),
                ),
            )
        ),
    ),
    tangent=lambda operands: (
        f"tangent_c = {factor_tangent(_part(operands, 'c', 1), constant(operands[1], 'lower'))}"
    ),
    constant_results=("is_lower",),
    evaluate=_cho_factor,
    domains=DEFINITE,
    samples=FACTORED,
    note="of the triangle with the factor; SciPy says nothing of what is in the other one",
)


def _print_cho_solve(operands: Sequence[Atom], texts: Sequence[str]) -> str:
    return f"scipy.linalg.cho_solve(({texts[0]}, {texts[2]}), {texts[1]})"


def cho_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    lower = constant(operands[2], "lower")
    solved = f"scipy.linalg.cho_solve((c, {lower}), grad_out)"
    factor = _part(operands, "c", 2)
    if rank_of(operands[1].type) == 1:  # two products of vectors less than one of matrices
        pairs = (("out", solved), (solved, "out"))
        sums = " + ".join(
            f"np.outer({one}, {other} @ {factor})"
            if lower
            else f"np.outer({factor} @ {one}, {other})"
            for one, other in pairs
        )
        return f"grad_c += -{'np.tril' if lower else 'np.triu'}({sums})", f"grad_b += {solved}"
    both = f"plus_transpose({product(solved, 'out', operands)})"
    inner = f"np.tril({both} @ {factor})" if lower else f"np.triu({factor} @ {both})"
    return f"grad_c += -{inner}", f"grad_b += {solved}"


def cho_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    lower = constant(operands[2], "lower")
    factor, moved = _part(operands, "c", 2), _part(operands, "tangent_c", 2)
    square = f"{moved} @ {factor}.T" if lower else f"{moved}.T @ {factor}"
    return (
        f"tangent_out = -scipy.linalg.cho_solve((c, {lower}), plus_transpose({square}) @ out)",
        f"tangent_out = scipy.linalg.cho_solve((c, {lower}), tangent_b)",
    )


def _cho_solve(c: object, b: object, lower: bool) -> object:
    import scipy.linalg

    return scipy.linalg.cho_solve((c, lower), b)


operation(
    "out = scipy.linalg.cho_solve(c, b, lower)",
    infer=system_type("scipy.linalg.cho_solve"),
    rules=(Rule(cho_lines),),
    tangent=cho_tangent,
    printer=_print_cho_solve,
    evaluate=_cho_solve,
    domains={"c": "invertible"},
    samples=(
        {"c": "f[3,3]", "b": "f[3]", "lower": True},
        {"c": "f[3,3]", "b": "f[3,2]", "lower": False},
        {"c": "f[3,3]", "b": "f[3]", "lower": False},
    ),
)


# LU factors ---------------------------------------------------------------------------------------


def _lu_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    dtype = scipy_dtype([operands[0].type], "scipy.linalg.lu_factor")
    shape = square(sizes, operands[0], "scipy.linalg.lu_factor")
    return Items((Array(dtype, shape), Array("i32", shape[:1])))


LOWER_SOLVE = "scipy.linalg.solve_triangular(lu, {0}, lower=True, unit_diagonal=True)"
operation(
    "lu, pivots = scipy.linalg.lu_factor(a)",
    "grad_a += np.take(scipy.linalg.solve_triangular(lu, scipy.linalg.solve_triangular(lu, "
    "(np.tril((np.tril(lu, -1) + np.eye(len(lu))).T @ np.tril(grad_lu, -1), -1) "
    "+ np.triu(np.triu(grad_lu) @ np.triu(lu).T)), trans=1, lower=True, unit_diagonal=True).T).T, "
    "np.argsort(pivoted_rows(pivots)), axis=0)",
    infer=_lu_type,
    tangent=(
        "tangent_lu = (np.tril(lu, -1) + np.eye(len(lu))) @ np.tril("
        + LOWER_SOLVE.format(
            "scipy.linalg.solve_triangular(lu, np.take(tangent_a, pivoted_rows(pivots), axis=0).T, "
            "trans=1).T"
        )
        + ", -1) + np.triu("
        + LOWER_SOLVE.format(
            "scipy.linalg.solve_triangular(lu, np.take(tangent_a, pivoted_rows(pivots), axis=0).T, "
            "trans=1).T"
        )
        + ") @ np.triu(lu)",
    ),
    domains=INVERTIBLE,
    samples=({"a": "f[3,3]"}, {"a": "f[1,1]"}),
    note="where the order of the rows does not change",
)
operation(
    "out = pivoted_rows(pivots)",
    infer=lambda _, operands: Array("i64", known_shape(operands[0], "pivoted_rows")),
    constant=True,
    helper="pivoted_rows",
)


def _print_lu_solve(operands: Sequence[Atom], texts: Sequence[str]) -> str:
    trans = "" if operands[3] == Const(0) else f", trans={texts[3]}"
    return f"scipy.linalg.lu_solve(({texts[0]}, {texts[1]}), {texts[2]}{trans})"


def _lu_solve(lu: object, pivots: object, b: object, trans: int) -> object:
    import scipy.linalg

    return scipy.linalg.lu_solve((lu, pivots), b, trans)


def _lu_solve_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    if constant(operands[3], "trans") not in (0, 1):
        raise unsupported("`trans` has to be 0 or 1", "write 0 or 1")
    return system_type("scipy.linalg.lu_solve")(sizes, (operands[0], operands[2]))


def lu_solve_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    """With G the adjoint of L @ U, the rows of that of a as they were pivoted."""
    trans = constant(operands[3], "trans")
    solved = f"scipy.linalg.lu_solve((lu, pivots), grad_out, trans={1 - trans})"
    first, second = ("out", solved) if trans else (solved, "out")
    pair = (operands[0], operands[2])
    whole = product(f"np.take({first}, pivoted_rows(pivots), axis=0)", second, pair)
    unit = "(np.tril(lu, -1) + np.eye(len(lu)))"
    return (
        f"grad_b += {solved}",
        f"grad_lu += -np.tril(({whole}) @ np.triu(lu).T, -1)",
        f"grad_lu += -np.triu({unit}.T @ ({whole}))",
    )


def lu_solve_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    trans = constant(operands[3], "trans")
    solve = f"scipy.linalg.lu_solve((lu, pivots), {{0}}, trans={trans})"
    unit, back = "(np.tril(lu, -1) + np.eye(len(lu)))", "np.argsort(pivoted_rows(pivots))"
    moved = f"(np.tril(tangent_lu, -1) @ np.triu(lu) + {unit} @ np.triu(tangent_lu))"
    rows = f"np.take({moved}, {back}, axis=0)"
    return (
        f"tangent_out = {solve.format('tangent_b')}",
        f"tangent_out = -{solve.format(rows + ('.T' if trans else '') + ' @ out')}",
    )


operation(
    "out = scipy.linalg.lu_solve(lu, pivots, b, trans=0)",
    infer=_lu_solve_type,
    rules=(Rule(lu_solve_lines),),
    tangent=lu_solve_tangent,
    printer=_print_lu_solve,
    evaluate=_lu_solve,
    domains={"lu": "invertible"},
    samples=(
        {"lu": "f[3,3]", "pivots": "i[3]<3", "b": "f[3]", "trans": 0},
        {"lu": "f[3,3]", "pivots": "i[3]<3", "b": "f[3,2]", "trans": 1},
    ),
)


# Inverses, determinants and functions of matrices -------------------------------------------------


def _like_matrix(function: str) -> Infer:
    return lambda sizes, operands: Array(
        scipy_dtype([operands[0].type], function), square(sizes, operands[0], function)
    )


operation(
    "out = scipy.linalg.inv(a)",
    "grad_a += -out.T @ grad_out @ out.T",
    infer=_like_matrix("scipy.linalg.inv"),
    tangent=("tangent_out = -out @ tangent_a @ out",),
    domains=INVERTIBLE,
    samples=({"a": "f[3,3]"}, {"a": "f[1,1]"}),
)
operation(
    "out = scipy.linalg.expm(a)",
    "grad_a += scipy.linalg.expm_frechet(a.T, grad_out, compute_expm=False)",
    infer=_like_matrix("scipy.linalg.expm"),
    tangent=("tangent_out = scipy.linalg.expm_frechet(a, tangent_a, compute_expm=False)",),
    samples=({"a": "f[3,3]"}, {"a": "f[1,1]"}),
)


def _frechet_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    if constant(operands[2], "compute_expm") is not False:
        raise unsupported("only `compute_expm=False` is supported", "call `scipy.linalg.expm`")
    types = [operand.type for operand in operands[:2]]
    shape = square(sizes, operands[0], "scipy.linalg.expm_frechet")
    scipy_dtype(types, "scipy.linalg.expm_frechet")
    return Array("f64", shape)  # also of float32


# the derivative of the derivative is a block of that of [[a, e], [0, a]]
SECOND = (
    "scipy.linalg.expm_frechet(np.kron(np.eye(2), {a}) + np.kron(np.eye(2, k=1), {e}), "
    "np.kron(np.eye(2), {d}), compute_expm=False)[: len(a), len(a) :]"
)
operation(
    "out = scipy.linalg.expm_frechet(a, e, compute_expm=True)",
    "grad_e += scipy.linalg.expm_frechet(a.T, grad_out, compute_expm=False)",
    f"grad_a += {SECOND.format(a='a.T', e='e.T', d='grad_out')}",
    infer=_frechet_type,
    tangent=(
        "tangent_out = scipy.linalg.expm_frechet(a, tangent_e, compute_expm=False)",
        f"tangent_out = {SECOND.format(a='a', e='e', d='tangent_a')}",
    ),
    samples=({"a": "f[2,2]", "e": "f[2,2]", "compute_expm": False},),
)
operation(
    "out = required_real(result, function)",
    "grad_result += grad_out",
    infer=lambda _, operands: operands[0].type,
    linear=("result",),
    view_of="result",
    helper="required_real",
    samples=({"result": "f[3,3]", "function": "a function"},),
)


def real_matrix(name: str) -> dict[str, Any]:
    """Properties of a function of a matrix that gives complex numbers for some real matrices: the
    generated module stops there, wherever it calls the function.
    """
    function = f"scipy.linalg.{name}"

    def evaluate(a: Any) -> Any:
        import scipy.linalg

        result = getattr(scipy.linalg, name)(a)
        return result if np.iscomplexobj(a) else helpers.required_real(result, function)

    return {
        "printer": lambda _, texts: f'required_real({function}({texts[0]}), "{function}")',
        "evaluate": evaluate,
        "module": "scipy.linalg",
    }


operation(
    "out = scipy.linalg.sqrtm(a)",
    "grad_a += scipy.linalg.solve_sylvester(out.T, out.T, grad_out)",
    infer=_like_matrix("scipy.linalg.sqrtm"),
    tangent=("tangent_out = scipy.linalg.solve_sylvester(out, out, tangent_a)",),
    domains=DEFINITE,
    samples=({"a": "f[3,3]"}, {"a": "f[1,1]"}),
    note="of matrices whose square root is real; for others the generated module stops",
    **real_matrix("sqrtm"),
)


def _sylvester_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    dtype = scipy_dtype([o.type for o in operands], "scipy.linalg.solve_sylvester")
    first, second = (square(sizes, o, "scipy.linalg.solve_sylvester") for o in operands[:2])
    shape: tuple[Size, Size] = (first[0], second[0])
    right = known_shape(operands[2], "scipy.linalg.solve_sylvester")
    try:
        for size, other in zip(shape, right, strict=True):
            sizes.unify(size, other)
    except (TypeProblem, ValueError):
        raise mismatch("scipy.linalg.solve_sylvester", shape, right) from None
    return Array(dtype, shape)


SYLVESTER = "scipy.linalg.solve_sylvester"
operation(
    f"out = {SYLVESTER}(a, b, q)",
    f"grad_q += {SYLVESTER}(a.T, b.T, grad_out)",
    f"grad_a += -{SYLVESTER}(a.T, b.T, grad_out) @ out.T",
    f"grad_b += -out.T @ {SYLVESTER}(a.T, b.T, grad_out)",
    infer=_sylvester_type,
    tangent=(
        f"tangent_out = {SYLVESTER}(a, b, tangent_q)",
        f"tangent_out = -{SYLVESTER}(a, b, tangent_a @ out)",
        f"tangent_out = -{SYLVESTER}(a, b, out @ tangent_b)",
    ),
    domains={"a": "invertible", "b": "invertible"},
    samples=({"a": "f[3,3]", "b": "f[2,2]", "q": "f[3,2]"},),
)


def _block_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    rows, columns = Size(), Size()
    for operand in operands:
        shape = known_shape(operand, "scipy.linalg.block_diag")
        if len(shape) != 2:
            raise unsupported("`block_diag` is supported for matrices", "reshape vectors")
        rows, columns = rows + shape[0], columns + shape[1]
    return Array(strong_promotion([operand.type for operand in operands]), (rows, columns))


def block_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    lines = []
    for k in range(len(operands)):
        places = []
        for axis in (0, 1):
            sizes = [f"np.shape(arrays{j})[{axis}]" for j in range(k + 1)]
            start, stop = " + ".join(sizes[:-1]), " + ".join(sizes)
            places.append(f"{start} : {stop}" if start else f": {stop}")
        lines.append(f"grad_arrays{k} += grad_out[{', '.join(places)}]")
    return tuple(lines)


operation(
    "out = scipy.linalg.block_diag(*arrays)",
    infer=_block_type,
    rules=(Rule(block_lines),),
    linear=("arrays",),
    samples=({"arrays": ("f[2,3]", "f[1,2]", "f[3,3]")}, {"arrays": ("f[2,2]",)}),
)
