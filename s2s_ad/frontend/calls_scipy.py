"""Calls of SciPy whose arguments choose between functions, or change nothing.

`SCIPY` at the end lists them by dotted name.
"""

from __future__ import annotations

from s2s_ad.frontend.arguments import Arguments, call_operation, name_positions, no_more
from s2s_ad.frontend.calls_scipy_parts import PARTS
from s2s_ad.frontend.calls_sums import integral
from s2s_ad.frontend.calls_tools import (
    Function,
    along,
    apply,
    unsupported,
)
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand
from s2s_ad.frontend.values import Named, Partial, Value
from s2s_ad.ir import Const, Structure, Var, tuple_of
from s2s_ad.operations import distributions

# Arguments that change nothing in the result, with the values that do not
ANY = "any constant"
COMPUTING: dict[str, object] = {
    **dict.fromkeys(("overwrite_a", "overwrite_b", "overwrite_ab", "check_finite"), ANY),
    "lapack_driver": "gesdd",  # another one gives other last digits
    "driver": None,
}
HARMLESS: dict[str, dict[str, object]] = {
    **{
        f"scipy.linalg.{name}": COMPUTING
        for name in ("det", "pinv", "svdvals", "solve_banded", "norm")
    },
    "scipy.linalg.solveh_banded": {**COMPUTING, "overwrite_ab": ANY},
    "scipy.linalg.qr": {**COMPUTING, "pivoting": False, "lwork": None},
    "scipy.linalg.lu": {**COMPUTING, "permute_l": False, "p_indices": False},
    "scipy.linalg.logm": {"disp": True},
    "scipy.linalg.sqrtm": {"disp": True},
    "scipy.signal.fftconvolve": {"axes": None},
    "scipy.signal.convolve2d": {"boundary": "fill", "fillvalue": 0},
    **{
        f"scipy.stats.multivariate_normal.{name}": {"allow_singular": False}
        for name in ("logpdf", "pdf")
    },
}


def drop_harmless(arguments: Arguments, harmless: dict[str, object]) -> None:
    for keyword, allowed in harmless.items():
        value = arguments.keywords.get(keyword)
        if isinstance(value, Const) and (allowed is ANY or value == Const(allowed)):
            del arguments.keywords[keyword]


def without_harmless(function: str, harmless: dict[str, object]) -> Function:
    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        op = lowering.operation(function)
        name_positions(op, arguments)
        drop_harmless(arguments, harmless)
        return call_operation(lowering, op, arguments, name)

    return lower


def _singular_values(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`scipy.linalg.svd`, which gives one array or three."""
    drop_harmless(arguments, COMPUTING)
    function = "scipy.linalg.svd"
    if arguments.keywords.pop("compute_uv", Const(True)) == Const(False):
        arguments.keywords.pop("full_matrices", None)
        function = "scipy.linalg.svdvals"
    return call_operation(lowering, lowering.operation(function), arguments, name)


def _eigenvalues(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`scipy.linalg.eigh`, which gives one array or two."""
    drop_harmless(arguments, {**COMPUTING, "b": None, "type": 1})
    only = arguments.keywords.pop("eigvals_only", Const(False)) == Const(True)
    second = arguments.take(1, "b", Const(None))
    if second != Const(None):
        return _general_eigenvalues(lowering, arguments, second, only)
    del arguments.positional[1:2]
    function = "scipy.linalg.eigvalsh" if only else "scipy.linalg.eigh"
    return call_operation(lowering, lowering.operation(function), arguments, name)


def _general_eigenvalues(
    lowering: Lowering, arguments: Arguments, second: Value, only: bool
) -> Value:
    """`scipy.linalg.eigh(a, b)`"""
    arguments.positional[1:2] = [second]
    function = "scipy.linalg.eigvalsh[b]" if only else "scipy.linalg.eigh[b]"
    return call_operation(lowering, lowering.operation(function), arguments, "")


def _only_eigenvalues(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`scipy.linalg.eigvalsh`"""
    arguments.keywords["eigvals_only"] = Const(True)
    return _eigenvalues(lowering, arguments, name)


def _tridiagonal_eigenvalues(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`scipy.linalg.eigh_tridiagonal`, which gives one array or two."""
    drop_harmless(arguments, {"select": "a", "check_finite": ANY, "lapack_driver": "auto"})
    only = arguments.take(2, "eigvals_only", Const(False)) == Const(True)
    del arguments.positional[2:3]
    function = "eigvalsh_tridiagonal" if only else "eigh_tridiagonal"
    return call_operation(lowering, lowering.operation(f"scipy.linalg.{function}"), arguments, name)


def _toeplitz_system(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`solve_toeplitz(c, b)` and `solve_toeplitz((c, r), b)`"""
    drop_harmless(arguments, {"check_finite": ANY})
    node = arguments.node
    matrix, right = arguments.take(0, "c_or_cr", Const(None)), arguments.take(1, "b", Const(None))
    no_more(lowering, arguments)
    pair = [matrix, Const(None)]
    if isinstance(matrix, Structure) and len(matrix.items) == 2:
        pair = list(matrix.items)
    operands = [array_operand(lowering, each, node) for each in (*pair, right)]
    return lowering.assign(lowering.operation("scipy.linalg.solve_toeplitz"), operands, node, name)


def _log_sum(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`scipy.special.logsumexp`, which gives the sign too if it is asked for."""
    signed = arguments.keywords.get("return_sign", Const(False)) == Const(True)
    if not signed:
        drop_harmless(arguments, {"return_sign": False})
    op = lowering.operation("scipy.special.logsumexp" + ("[sign]" if signed else ""))
    return call_operation(lowering, op, arguments, name)


def _cumulative_trapezoid(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """Running integrals; with `initial=0`, from the first point on."""
    node = arguments.node
    initial = arguments.take(4, "initial", Const(None))
    sums, y, axis = integral(lowering, arguments, "cumulative_trapezoid")
    if initial == Const(None):
        return sums
    if initial not in (Const(0), Const(0.0)):
        raise unsupported(lowering, "`initial` has to be 0 or None", node, "add it to the result")
    getitem = lowering.operation("getitem")
    first = lowering.assign(getitem, [y, along(axis, slice(0, 1))], node)
    zeros = apply(lowering, node, "zeros_like", first)
    return apply(lowering, node, "concatenate", tuple_of([zeros, sums]), axis=Const(axis))


# Frozen distributions -----------------------------------------------------------------------------


def _parameters(distribution: str) -> tuple[str, ...]:
    """The shapes of a distribution of `scipy.stats`, `loc`, and `scale` if it has one."""
    if distribution == MULTIVARIATE:
        return ("mean", "cov")
    operations = distributions.CATALOGUE.operations
    names = (f"scipy.stats.{distribution}.{density}" for density in ("logpdf", "logpmf", "pmf"))
    return next((operations[name].parameters[1:] for name in names if name in operations), ())


def frozen(distribution: str) -> Function:
    """`scipy.stats.norm(loc, scale)`, whose methods are those of `norm` with these parameters."""

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        names = _parameters(distribution)
        given = arguments.rest()
        keywords = dict(arguments.keywords)
        if len(given) > len(names) or not keywords.keys() <= set(names[len(given) :]):
            message = f"`{distribution}` takes {', '.join(f'`{each}`' for each in names)}"
            raise lowering.refuse("bad-call", message, arguments.node)
        keywords.update(zip(names, given, strict=False))
        if distribution == MULTIVARIATE and isinstance(keywords.get("cov"), Var):
            # which is factored here, whatever is written to it later
            keywords["cov"] = apply(lowering, arguments.node, "copy", keywords["cov"])
        return Partial(Named(f"scipy.stats.{distribution}"), (), keywords)

    return lower


MULTIVARIATE = "multivariate_normal"
DISTRIBUTIONS = {
    MULTIVARIATE,
    *(name.split(".")[2] for name in distributions.CATALOGUE.operations if name.count(".") == 3),
}
SCIPY: dict[str, Function] = {
    **{f"scipy.stats.{name}": frozen(name) for name in sorted(DISTRIBUTIONS)},
    **PARTS,
    **{function: without_harmless(function, harmless) for function, harmless in HARMLESS.items()},
    "scipy.linalg.svd": _singular_values,
    "scipy.linalg.eigh": _eigenvalues,
    "scipy.linalg.eigvalsh": _only_eigenvalues,
    "scipy.linalg.eigh_tridiagonal": _tridiagonal_eigenvalues,
    "scipy.linalg.solve_toeplitz": _toeplitz_system,
    "scipy.special.logsumexp": _log_sum,
    "scipy.integrate.cumulative_trapezoid": _cumulative_trapezoid,
}
"""Functions by dotted name."""
