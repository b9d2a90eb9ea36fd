"""What complex numbers do inside a function: the operations that take them, and those of their own.

The adjoint of a complex z is the number g for which the result changes by Re(g * dz): no
conjugation, as in JAX. So g = dL/dRe(z) - 1j * dL/dIm(z), and the lines of every analytic operation
hold for complex numbers as they stand for real ones; `ANALYTIC` lists those whose lines, all of
them, are of that kind. What is not analytic (parts, conjugates, absolute values) has operations
here, with tangents of their own, which stand in for those of real numbers (`complex_form`).
Parameters and results of a differentiated function are real: nobody sees the convention.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from s2s_ad.ir import Atom, Const, Operation
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import Infer
from s2s_ad.types import (
    Number,
    Sizes,
    Type,
    TypeProblem,
    dtype_of,
    is_complex,
    real_dtype,
    with_dtype,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation

ARITHMETIC = ("+", "-", "*", "/", "-x", "+x", "**", "==", "!=")
FUNCTIONS = (
    "add", "subtract", "multiply", "divide", "negative", "positive", "square", "reciprocal",
    "power", "exp", "expm1", "log", "log2", "log10", "log1p", "sqrt", "sin", "cos", "tan", "sinh",
    "cosh", "tanh", "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh", "isfinite",
    "isnan", "isinf",
)  # fmt: skip
SUMS = ("sum", "mean", "cumsum")
PRODUCTS = (
    "matmul", "dot", "inner", "outer", "einsum", "tensordot", "linalg.solve", "linalg.inv",
    "vander",
)  # fmt: skip
SHAPES = (
    "reshape", "ravel", "transpose", "matrix_transpose", "moveaxis", "swapaxes", "expand_dims",
    "squeeze", "broadcast_to", "flip", "roll", "tile", "shape", "size", "ndim", "concatenate",
    "stack", "vstack", "hstack", "column_stack", "dstack", "copy", "zeros_like", "ones_like",
    "empty_like", "full", "full_like", "array", "where", "trace", "diagonal", "diag",
    "complex128", "complex64", "fft.fft", "fft.ifft", "fft.fftn", "fft.ifftn", "fft.irfft",
    "fft.fftshift", "fft.ifftshift",
)  # fmt: skip
PARTS = (
    "getitem", "setitem", "additem", "add_at", "ndarray.T", "ndarray.mT", "ndarray.shape",
    "ndarray.shape[]", "ndarray.ndim", "ndarray.size", "ndarray.copy", "ndarray.astype", "identity",
    "builtins.len", "builtins.tuple", "builtins.complex", "helper.unbroadcast", "helper.fitted",
    "helper.doubled", "helper.diagonal_adjoint", "helper.over_gaps", "helper.vectors_of",
    "helper.of_largest", "helper.stft_adjoint", "scipy.signal.istft",
)  # fmt: skip
ANALYTIC = frozenset(
    (*ARITHMETIC, *PARTS, *(f"numpy.{name}" for name in (*FUNCTIONS, *SUMS, *PRODUCTS, *SHAPES)))
) | {"@"}
"""The operations of real numbers that take complex ones too."""


def complex_form(op: Operation, operands: Sequence[Atom]) -> Operation:
    """The operation that computes this where an operand is complex.

    Raises TypeProblem where none does, or where NumPy would drop the imaginary part.
    """
    if not any(is_complex(operand.type) for operand in operands):
        return op
    special = STANDING_IN.get(op.name)
    if special is not None:
        return CATALOGUE.operations[special]
    if op.name not in ANALYTIC and op.name not in CATALOGUE.operations:
        raise _refused(f"`{op.call or op.name}` is not supported for complex numbers")
    if op.name in ("**", "numpy.power") and not isinstance(operands[1], Const):
        raise _refused("a complex power needs a constant exponent")
    stays_real = {"setitem": 0, "additem": 0, "add_at": 0, "helper.unbroadcast": 1}.get(op.name)
    if stays_real is not None and not is_complex(operands[stays_real].type):
        raise _refused("a complex number does not fit into an array of real ones")
    if op.name == "ndarray.astype" and not _keeps_complex(operands):
        raise _refused("a conversion to real numbers drops the imaginary part")
    return op


def _keeps_complex(operands: Sequence[Atom]) -> bool:
    dtype = operands[1]
    return isinstance(dtype, Const) and np.dtype(dtype.value).kind == "c"


def _refused(message: str) -> TypeProblem:
    help = "take `np.real`, `np.imag` or `np.abs` first, or compute with both parts"
    return TypeProblem("complex-number", message, help)


# Parts ------------------------------------------------------------------------------------------


def _real_type(keeps_numbers: bool = True) -> Infer:
    def infer(_: Sizes, operands: Sequence[Atom]) -> Type:
        x = operands[0].type
        if isinstance(x, Number) and keeps_numbers:
            return Number("float" if x.kind in ("float", "complex") else "int")
        return with_dtype(x, real_dtype(dtype_of(x)))

    return infer


def _same_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    x = operands[0].type
    return with_dtype(x, dtype_of(x)) if isinstance(x, Number) else x


SAMPLES = ({"x": "c[3]"}, {"x": "c[2,3]"}, {"x": "c[]"}, {"x": "c[0]"})


def _part(
    name: str, line: str, evaluate: Callable[[Any], Any], infer: Infer, view: bool = True
) -> None:
    operation(
        "out = part(x)",
        line,
        name=name,
        infer=infer,
        evaluate=evaluate,
        printer=_spelled(name),
        linear=("x",),
        view_of="x" if view else "",
        samples=SAMPLES,
    )


def _spelled(name: str) -> Callable[[Sequence[Atom], Sequence[str]], str]:
    call = name.replace("numpy.", "np.").removesuffix("[complex]")
    return lambda _, texts: f"{call}({texts[0]})"


_part("numpy.real[complex]", "grad_x += grad_out", np.real, _real_type())
_part("numpy.imag[complex]", "grad_x += -1j * grad_out", np.imag, _real_type())
_part(
    "numpy.conjugate[complex]", "grad_x += np.conjugate(grad_out)", np.conjugate, _same_type, False
)
for _name in ("real", "imag"):
    _line = "grad_x += grad_out" if _name == "real" else "grad_x += -1j * grad_out"
    operation(
        f"out = x.{_name}",
        _line,
        infer=_real_type(),
        linear=("x",),
        view_of="x",
        samples=SAMPLES,
    )


# Absolute value and angle -----------------------------------------------------------------------

NORM = "np.where(out == 0, 1.0, out)"
for _name, _numbers in (("numpy.abs", False), ("builtins.abs", True)):
    operation(
        "out = modulus(x)",
        f"grad_x += grad_out * np.conjugate(x) / {NORM}",
        name=f"{_name}[complex]",
        infer=_real_type(_numbers),
        evaluate=np.abs if not _numbers else abs,
        printer=_spelled("numpy.abs" if not _numbers else "abs"),
        tangent=f"tangent_out = np.real(np.conjugate(x) * tangent_x) / {NORM}",
        samples=SAMPLES,
        note="slope 0 at 0",
    )
operation(
    "out = argument(x)",
    "grad_x += -1j * grad_out / x",
    name="numpy.angle[complex]",
    infer=_real_type(False),
    evaluate=np.angle,
    printer=_spelled("numpy.angle"),
    tangent="tangent_out = np.imag(tangent_x / x)",
    samples=SAMPLES,
)
STANDING_IN = {
    "numpy.real": "numpy.real[complex]",
    "numpy.imag": "numpy.imag[complex]",
    "numpy.conjugate": "numpy.conjugate[complex]",
    "numpy.abs": "numpy.abs[complex]",
    "builtins.abs": "builtins.abs[complex]",
    "abs": "builtins.abs[complex]",
    "numpy.angle": "numpy.angle[complex]",
}
