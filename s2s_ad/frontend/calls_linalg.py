"""Calls of linear algebra that need a hand: functions that take or give a tuple with factors, or
whose results depend on an argument, and families that are refused as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, static_operand
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const, Structure

if TYPE_CHECKING:
    from s2s_ad.frontend.arguments import Arguments

# Arguments of SciPy that change nothing in the result, whatever they are or as they are by default
HARMLESS = ("overwrite_a", "overwrite_b", "overwrite_ab", "check_finite")
DEFAULT_DRIVERS = {"lapack_driver": Const("gesdd"), "driver": Const(None)}


def _singular_values(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.linalg.svd`, which gives one array or three."""
    from s2s_ad.frontend.arguments import call_operation

    wanted = arguments.keywords.pop("compute_uv", Const(True))
    if wanted == Const(False):
        arguments.keywords.pop("full_matrices", None)
        return call_operation(lowering, lowering.operation("numpy.linalg.svdvals"), arguments, name)
    return call_operation(lowering, lowering.operation("numpy.linalg.svd"), arguments, name)


def _drop_harmless(arguments: Arguments) -> None:
    for keyword in HARMLESS:
        if isinstance(arguments.keywords.get(keyword), Const):
            del arguments.keywords[keyword]
    for keyword, driver in DEFAULT_DRIVERS.items():
        if arguments.keywords.get(keyword) == driver:
            del arguments.keywords[keyword]


def _without_harmless(function: str) -> Callable[[Lowering, Arguments, str], Value]:
    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        from s2s_ad.frontend.arguments import call_operation

        _drop_harmless(arguments)
        return call_operation(lowering, lowering.operation(function), arguments, name)

    return lower


def _cho_factor(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """The factor, and which triangle holds it: that is known when compiling."""
    from s2s_ad.frontend.arguments import call_operation

    _drop_harmless(arguments)
    lower = arguments.take(1, "lower", Const(False))
    arguments.positional[1:] = [lower]
    op = lowering.operation("scipy.linalg.cho_factor")
    result = call_operation(lowering, op, arguments, name)
    assert isinstance(result, Structure)
    return Structure("tuple", (0, 1), (result.items[0], lower))


def _factors(
    lowering: Lowering, arguments: Arguments, function: str, keyword: str, makers: tuple[str, ...]
) -> tuple[Value, Value]:
    pair = arguments.take(0, keyword, Const(None))
    if not isinstance(pair, Structure) or len(pair.items) != 2:
        spelled = " or ".join(f"`{maker}`" for maker in makers)
        raise lowering.refuse(
            "unsupported-argument",
            f"`{function}` needs a pair as its first argument",
            arguments.node,
            help=f"pass what {spelled} gives",
        )
    return pair.items[0], pair.items[1]


def _cho_solve(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    _drop_harmless(arguments)
    makers = ("scipy.linalg.cho_factor", "(scipy.linalg.cholesky(A, lower=True), True)")
    factor, lower = _factors(lowering, arguments, "scipy.linalg.cho_solve", "c_and_lower", makers)
    right = arguments.take(1, "b", Const(None))
    return _assign(lowering, arguments, "scipy.linalg.cho_solve", [factor, right, lower], name)


def _lu_solve(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    _drop_harmless(arguments)
    makers = ("scipy.linalg.lu_factor",)
    factors = _factors(lowering, arguments, "scipy.linalg.lu_solve", "lu_and_piv", makers)
    right, trans = arguments.take(1, "b", Const(None)), arguments.take(2, "trans", Const(0))
    return _assign(lowering, arguments, "scipy.linalg.lu_solve", [*factors, right, trans], name)


def _assign(
    lowering: Lowering, arguments: Arguments, function: str, values: list[Value], name: str
) -> Value:
    node = arguments.node
    for keyword in arguments.keywords:
        raise lowering.refuse(
            "unsupported-argument",
            f"the argument `{keyword}` is not supported here",
            arguments.nodes.get(keyword, node),
            help="write the computation without it",
        )
    operands: list[Atom] = [
        static_operand(lowering, value, node)
        if isinstance(value, Const)
        else array_operand(lowering, value, node)
        for value in values
    ]
    return lowering.assign(lowering.operation(function), operands, node, name)


def _trapezoid(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """The function of NumPy, which is the same."""
    from s2s_ad.frontend.calls_sums import lower_trapezoid

    return lower_trapezoid(lowering, arguments, name)


def _by_helper(helper: str) -> Callable[[Lowering, Arguments, str], Value]:
    """A function of which a helper makes the results complex numbers, whatever they are."""

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        from s2s_ad.frontend.arguments import call_operation

        return call_operation(lowering, lowering.operation(f"helper.{helper}"), arguments, name)

    return lower


def refuse_family(message: str, help: str) -> Callable[[Lowering, Arguments, str], Value]:
    """A function that is refused with words of its own."""

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        raise lowering.refuse("unknown-operation", message, arguments.node.func, help=help)

    return lower


SCIPY_FFT = refuse_family(
    "no derivative is known for the transforms of `scipy.fft`", "use those of `np.fft`"
)
EIGENVALUES = refuse_family(
    "the eigenvalues of a matrix that is not symmetric may be complex",
    "use `np.linalg.eig`, or `np.linalg.eigh` for symmetric matrices",
)
TRANSFORMS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "ifft2", "rfft2", "irfft2",
              "fftn", "ifftn", "rfftn", "irfftn")  # fmt: skip
LINEAR_ALGEBRA: dict[str, Callable[[Lowering, Arguments, str], Value]] = {
    "numpy.linalg.svd": _singular_values,
    "scipy.linalg.cho_factor": _cho_factor,
    "scipy.linalg.cho_solve": _cho_solve,
    "scipy.linalg.lu_solve": _lu_solve,
    **{
        f"scipy.linalg.{name}": _without_harmless(f"scipy.linalg.{name}")
        for name in ("solve", "solve_triangular", "cholesky", "lu_factor", "inv")
    },
    **{f"scipy.fft.{name}": SCIPY_FFT for name in TRANSFORMS},
    "numpy.linalg.eig": _by_helper("eigen_of"),
    "numpy.linalg.eigvals": _by_helper("eigenvalues_of"),
    "numpy.roots": _by_helper("roots_of"),
    "scipy.linalg.eig": EIGENVALUES,
    "scipy.linalg.eigvals": EIGENVALUES,
    "scipy.integrate.trapezoid": _trapezoid,
}
"""Entries of the table of special calls."""
