"""`scipy.signal`: convolutions of arrays of any rank."""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Atom
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.matrices import scipy_dtype
from s2s_ad.operations.result_types import Infer, constant, known_shape, of_shape, unsupported
from s2s_ad.types import Size, Sizes, Type, TypeProblem, is_float

CATALOGUE = Catalogue()


def _convolved(function: str, supported: str) -> Infer:
    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        types = [operand.type for operand in operands[:2]]
        if not all(map(is_float, types)):
            raise TypeProblem("unsupported-dtype", f"`{function}` is supported for floats")
        if constant(operands[2], "mode") != supported:
            raise unsupported(
                f"`{function}` has a derivative in its mode `{supported}`",
                "take a part of the full convolution",
            )
        first, second = (known_shape(operand, function) for operand in operands[:2])
        if len(first) != len(second) or not first:
            raise TypeProblem("shape-mismatch", f"`{function}` takes two arrays of one rank")
        pairs = zip(first, second, strict=True)
        if supported == "full":
            shape = tuple(a + b - 1 for a, b in pairs)
        else:
            shape = tuple(_valid(sizes, a, b) for a, b in pairs)
        return of_shape(scipy_dtype(types, function), shape)

    return infer


def _valid(sizes: Sizes, first: Size, second: Size) -> Size:
    """How often the second fits into the first: the rules need it to be no larger."""
    count = first - second + 1
    known = count.constant
    if known is not None and known < 1:
        raise unsupported("the second array is larger than the first", "exchange them")
    return count


CATALOGUE.operation(
    "out = scipy.signal.convolve(in1, in2, mode='full')",
    'grad_in1 += scipy.signal.correlate(grad_out, in2, "valid")',
    'grad_in2 += scipy.signal.correlate(grad_out, in1, "valid")',
    infer=_convolved("scipy.signal.convolve", "full"),
    bilinear=("in1", "in2"),
    samples=(
        {"in1": "f[5]", "in2": "f[3]"},
        {"in1": "f[2]", "in2": "f[4]"},
        {"in1": "f[3,4]", "in2": "f[2,3]"},
        {"in1": "f[1]", "in2": "f[1]"},
    ),
    note="in the mode `full`",
)
CATALOGUE.operation(
    "out = scipy.signal.correlate(in1, in2, mode='full')",
    "grad_in1 += scipy.signal.convolve(grad_out, in2)",
    'grad_in2 += scipy.signal.correlate(in1, grad_out, "valid")',
    infer=_convolved("scipy.signal.correlate", "valid"),
    bilinear=("in1", "in2"),
    samples=(
        {"in1": "f[5]", "in2": "f[3]", "mode": "valid"},
        {"in1": "f[3,4]", "in2": "f[2,3]", "mode": "valid"},
    ),
    note="in the mode `valid`, with the larger array first",
)
