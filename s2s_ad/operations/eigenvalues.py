"""Eigenvalues and eigenvectors of matrices that are not symmetric, and roots of polynomials.

NumPy gives real arrays where all of them happen to be real; here they are complex numbers always,
so that types do not depend on values. With `a = v diag(w) inv(v)`, `inv(v) da v` has dw on its
diagonal and, over the differences of eigenvalues, what the other vectors add to each (M. B. Giles,
"Collected matrix derivative results", 2008). LAPACK scales a vector to length 1 and turns it so
that its largest element is real: that is differentiated too, so the derivative is that of the
vectors NumPy gives.
A root z of a polynomial p moves by -dp(z) / p'(z).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s2s_ad.ir import Atom
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.matrices import (
    factor_dtype,
    matrix_rule,
    matrix_tangent,
    square_shape,
)
from s2s_ad.operations.result_types import known_shape, require_numeric, unsupported
from s2s_ad.types import (
    Array,
    Items,
    Sizes,
    Type,
    complex_dtype,
    dtype_of,
    is_complex,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


def _eigen_type(function: str) -> Any:
    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Items:
        a = operands[0].type
        known_shape(operands[0], function)
        if is_complex(a):
            raise unsupported(f"`{function}` is supported for real matrices", "use its parts")
        dtype = complex_dtype(factor_dtype([a], function))
        shape = square_shape(sizes, a, function)
        return Items((Array(dtype, None if shape is None else shape[:-1]), Array(dtype, shape)))

    return infer


# Vectors: `s` says how far an adjoint points along a vector itself, which its scale takes away
ALONG = "np.sum({v} * {g}, axis=-2, keepdims=True)"
LARGEST = "np.sum(of_largest({v}) * {v}, axis=-2, keepdims=True)"
KEPT = (
    f"({{g}} - np.conjugate({{v}}) * np.real({ALONG}) "
    f"- 1j * (of_largest({{v}}) * (np.imag({ALONG}) / {LARGEST})))"
)


def vector_line(v: str, g: str, w: str) -> str:
    """What the adjoint of vectors adds to that of the matrix."""
    kept = KEPT.format(v=v, g=g)
    return f"grad_a += np.real(np.linalg.solve({v}', over_gaps({v}' @ {kept}, {w}) @ {v}'))"


def vector_tangent(v: str, w: str, target: str) -> str:
    """The tangent of vectors."""
    turned = f"({v} @ over_gaps(np.linalg.solve({v}, tangent_a @ {v}), {w}))"
    scale = f"np.real(np.sum(np.conjugate({v}) * {turned}, axis=-2, keepdims=True))"
    turn = f"np.imag(np.sum(of_largest({v}) * {turned}, axis=-2, keepdims=True))"
    return f"{target} = {turned} - {v} * {scale} - 1j * ({v} * ({turn} / {LARGEST.format(v=v)}))"


W, V = "eigenvalues", "eigenvectors"
NOTE = (
    "complex also where all are real, so take `np.real` or `np.abs` of what is compared or "
    "returned; of a multiple eigenvalue, infinite or NaN"
)
operation(
    f"{W}, {V} = eigen_of(a)",
    infer=_eigen_type("np.linalg.eig"),
    rules=(
        matrix_rule(
            f"grad_a += np.real(np.linalg.solve({V}', ({V} * row(grad_{W}))'))",
            vector_line(V, f"grad_{V}", W),
        ),
    ),
    tangent=matrix_tangent(
        f"tangent_{W} = np.diagonal(np.linalg.solve({V}, tangent_a @ {V}), axis1=-2, axis2=-1)",
        vector_tangent(V, W, f"tangent_{V}"),
    ),
    helper="eigen_of",
    note=NOTE,
)
VECTORS = "vectors_of(a, out)"
operation(
    "out = eigenvalues_of(a)",
    infer=lambda sizes, operands: _eigen_type("np.linalg.eigvals")(sizes, operands).items[0],
    rules=(
        matrix_rule(
            f"grad_a += np.real(np.linalg.solve({VECTORS}', ({VECTORS} * row(grad_out))'))"
        ),
    ),
    tangent=matrix_tangent(
        f"tangent_out = np.diagonal(np.linalg.solve({VECTORS}, tangent_a @ {VECTORS}), "
        "axis1=-2, axis2=-1)"
    ),
    helper="eigenvalues_of",
    note=f"{NOTE}; the reverse sweep computes the vectors",
)
operation(
    "out = vectors_of(a, values)",
    infer=lambda sizes, operands: _eigen_type("np.linalg.eig")(sizes, operands[:1]).items[1],
    rules=(
        matrix_rule(
            vector_line("out", "grad_out", "values"), "grad_values += np.zeros_like(values)"
        ),
    ),
    tangent=matrix_tangent(
        vector_tangent("out", "values", "tangent_out"),
        "tangent_out = np.zeros_like(out) * np.sum(tangent_values)",
    ),
    helper="vectors_of",
)
operation(
    "out = of_largest(vectors)",
    infer=lambda _, operands: Array("bool", known_shape(operands[0], "of_largest")),
    constant=True,
    helper="of_largest",
)


# Roots --------------------------------------------------------------------------------------------


def _roots_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    p = operands[0]
    require_numeric([p.type])
    if is_complex(p.type) or len(known_shape(p, "np.roots")) != 1:
        raise unsupported("`np.roots` is supported for vectors of real numbers", "ravel them")
    dtype = dtype_of(p.type) if dtype_of(p.type)[0] == "f" else "f64"
    return Array(complex_dtype(dtype), (sizes.fresh(),))


SLOPE = "(np.vander(out, len(p) - 1) @ (p[:-1] * np.arange(len(p) - 1, 0, -1)))"
operation(
    "out = roots_of(p)",
    f"grad_p += -np.real((grad_out / {SLOPE}) @ np.vander(out, len(p)))",
    infer=_roots_type,
    tangent=f"tangent_out = -(np.vander(out, len(p)) @ tangent_p) / {SLOPE}",
    helper="roots_of",
    note="complex also where all are real; of a multiple root, infinite or NaN",
)
