"""Factorisations of `scipy.linalg`, of one matrix: the derivatives are those of `np.linalg`, whose
declarations they share, with SciPy's own arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from s2s_ad.ir import Atom, Const, Operation, Rule
from s2s_ad.operations import factorisations, orthogonal_factors, pseudoinverses, solving
from s2s_ad.operations.declare import Catalogue, parse_form
from s2s_ad.operations.matrices import scipy_dtype
from s2s_ad.operations.result_types import Infer, constant, known_shape, unsupported
from s2s_ad.operations.scipy_linalg import square
from s2s_ad.types import Array, Items, Scalar, Shape, Sizes, Type, TypeProblem

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


def matrix(atom: Atom, function: str) -> Shape:
    """The shape of one matrix, in a dtype that SciPy treats as NumPy does."""
    scipy_dtype([atom.type], function)
    shape = known_shape(atom, function)
    if len(shape) != 2:
        raise unsupported(f"`{function}` is supported for one matrix", "use `np.linalg`")
    return shape


def as_in_numpy(form: str, numpy: str, **properties: Any) -> None:
    """Declare a function of SciPy that does what one of `np.linalg` does, for one matrix."""
    families = (factorisations, pseudoinverses, solving)
    op: Operation = next(
        family.CATALOGUE.operations[f"numpy.linalg.{numpy}"]
        for family in families
        if f"numpy.linalg.{numpy}" in family.CATALOGUE.operations
    )
    parsed = parse_form(form)
    call = parsed.call

    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        matrix(operands[0], call)
        found = op.infer(sizes, operands)
        return Scalar("f64") if isinstance(found, Scalar) else found  # also of float32

    one = tuple(
        sample
        for sample in op.samples
        if all(str(item).count(",") < 2 for item in sample.values())
        and sample.keys() <= set(parsed.parameters)
    )
    made = replace(
        op,
        name=parsed.name,
        call=call,
        evaluate=parsed.evaluate,
        parameters=parsed.parameters,
        defaults=parsed.defaults,
        results=parsed.results,
        infer=infer,
        samples=one,
    )
    CATALOGUE.add(replace(made, **properties))


as_in_numpy("U, S, Vh = scipy.linalg.svd(a, full_matrices=True)", "svd")
as_in_numpy("out = scipy.linalg.svdvals(a)", "svdvals")
as_in_numpy("out = scipy.linalg.det(a)", "det")
as_in_numpy("out = scipy.linalg.pinv(a)", "pinv")


# Eigenvalues of symmetric matrices ----------------------------------------------------------------


def _as_numpy(operands: Sequence[Atom]) -> tuple[Atom, Atom]:
    """The operands as `np.linalg.eigh` has them."""
    return operands[0], Const("L" if constant(operands[1], "lower") else "U")


def _eigen_type(function: str) -> Infer:
    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        matrix(operands[0], function)
        values, vectors = factorisations.eigen_type(sizes, _as_numpy(operands))
        return Items((values, vectors)) if function.endswith("eigh") else values

    return infer


EIGEN: dict[str, Any] = {
    "domains": {"a": "invertible"},
    "samples": ({"a": "f[2,2]"}, {"a": "f[3,3]", "lower": False}, {"a": "f[1,1]"}),
}
operation(
    "eigenvalues, eigenvectors = scipy.linalg.eigh(a, lower=True)",
    infer=_eigen_type("scipy.linalg.eigh"),
    rules=(Rule(lambda operands: factorisations.eigen_lines(_as_numpy(operands))),),
    tangent=lambda operands: factorisations.eigen_tangent(_as_numpy(operands)),
    **EIGEN,
    note="only one triangle is read: the derivative lies there; vectors of equal values have none",
)
operation(
    "out = scipy.linalg.eigvalsh(a, lower=True)",
    infer=_eigen_type("scipy.linalg.eigvalsh"),
    rules=(Rule(lambda operands: factorisations.eigenvalue_lines(_as_numpy(operands))),),
    tangent=lambda operands: factorisations.eigenvalue_tangent(_as_numpy(operands)),
    **EIGEN,
    note="only one triangle is read; the reverse sweep computes the vectors",
)


# QR and LU ----------------------------------------------------------------------------------------

QR = orthogonal_factors.CATALOGUE.operations["numpy.linalg.qr"]


def _qr_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    mode = constant(operands[1], "mode")
    rows, columns = matrix(operands[0], "scipy.linalg.qr")
    if mode == "full" and rows != columns:
        try:
            sizes.unify(rows, columns)
        except TypeProblem:
            mode = "full of a matrix that is not square"
    if mode not in ("full", "economic"):
        raise unsupported(
            f"`scipy.linalg.qr` has no derivative in its mode {mode}", 'write `mode="economic"`'
        )
    return QR.infer(sizes, (operands[0], Const("reduced")))


operation(
    "Q, R = scipy.linalg.qr(a, mode='full')",
    infer=_qr_type,
    rules=QR.rules,
    tangent=QR.tangent,
    samples=(
        {"a": "f[3,2]", "mode": "economic"},
        {"a": "f[3,3]"},
        {"a": "f[1,1]", "mode": "economic"},
        {"a": "f[2,3]", "mode": "economic"},
    ),
    note=QR.note,
)


def _lu_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    dtype = scipy_dtype([operands[0].type], "scipy.linalg.lu")
    factor = Array(dtype, square(sizes, operands[0], "scipy.linalg.lu"))
    return Items((factor,) * 3)


# With X = inv(L) P' da inv(U), L gains the part below the diagonal and U the rest
SOLVE = "scipy.linalg.solve_triangular"
BACK = f"P @ {SOLVE}(L, {SOLVE}(U, ({{0}}).T).T, trans=1, lower=True, unit_diagonal=True)"
MOVED = f"{SOLVE}(U, {SOLVE}(L, P.T @ tangent_a, lower=True, unit_diagonal=True).T, trans=1).T"
operation(
    "P, L, U = scipy.linalg.lu(a)",
    f"grad_a += {BACK.format('np.tril(L.T @ grad_L, -1)')}",
    f"grad_a += {BACK.format('np.triu(grad_U @ U.T)')}",
    infer=_lu_type,
    tangent=(f"tangent_L = L @ np.tril({MOVED}, -1)", f"tangent_U = np.triu({MOVED}) @ U"),
    constant_results=("P",),
    domains={"a": "invertible"},
    samples=({"a": "f[3,3]"}, {"a": "f[1,1]"}),
    note="of square matrices, where the order of the rows does not change",
)
