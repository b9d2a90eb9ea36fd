"""Calls of NumPy's functions of polynomials that are written out: `polyder`, `polyint`, `poly`,
`polydiv`, `polyfit`."""

from __future__ import annotations

from s2s_ad.frontend.arguments import Arguments, no_more
from s2s_ad.frontend.calls_tools import (
    NOTHING,
    Function,
    apply,
    known,
    known_rank,
    operand,
    unsupported,
)
from s2s_ad.frontend.definitions import expand
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, atom
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const, Structure
from s2s_ad.types import dtype_of

MOST_STEPS = 64  # derivatives or integrals that are written out


def _steps(lowering: Lowering, arguments: Arguments) -> int:
    """`m`: how many derivatives or integrals are taken."""
    node = arguments.node
    count = known(lowering, arguments.take(1, "m", Const(1)), "m", node)
    if not isinstance(count, int) or not 0 <= count <= MOST_STEPS:
        raise unsupported(lowering, f"`m` is {count!r}", node, f"give 0 to {MOST_STEPS}")
    return count


def lower_derivative(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    p = operand(lowering, arguments, 0, "p")
    count = _steps(lowering, arguments)
    no_more(lowering, arguments)
    _vector(lowering, p, arguments)
    for _ in range(count):
        p = atom(lowering, expand(lowering, "polynomial_derivative", node, p=p), node)
    return p


def lower_integral(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """The constants `k` of integration: none, one for all, or one for each integral."""
    node = arguments.node
    p = operand(lowering, arguments, 0, "p")
    count = _steps(lowering, arguments)
    given = arguments.take(2, "k", NOTHING)
    no_more(lowering, arguments)
    _vector(lowering, p, arguments)
    for constant in _constants(lowering, given, count, arguments):
        p = atom(lowering, expand(lowering, "polynomial_integral", node, p=p, k=constant), node)
    return p


def _constants(lowering: Lowering, given: Value, count: int, arguments: Arguments) -> list[Atom]:
    node = arguments.node
    if given == NOTHING:
        return [Const(0.0)] * count
    if isinstance(given, Structure):
        listed = [array_operand(lowering, item, node) for item in given.items]
        return listed * count if len(listed) == 1 else listed[:count]
    constant = array_operand(lowering, given, node)
    if known_rank(lowering, constant, node) == 0:
        return [constant] * count
    getitem = lowering.operation("getitem")
    return [lowering.assign(getitem, [constant, Const(k)], node) for k in range(count)]


def lower_from_roots(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    roots = operand(lowering, arguments, 0, "seq_of_zeros")
    no_more(lowering, arguments)
    if known_rank(lowering, roots, node) != 1:
        raise unsupported(
            lowering,
            "`np.poly` is supported for a vector of roots",
            node,
            "the characteristic polynomial of a matrix has roots that may be complex",
        )
    return expand(lowering, "polynomial_from_roots", node, roots=roots)


def lower_division(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.polydiv`: quotient and remainder, whose leading zeros NumPy drops."""
    node = arguments.node
    parts: list[Atom] = []
    for place, key in enumerate("uv"):
        part = operand(lowering, arguments, place, key)
        if known_rank(lowering, part, node) == 0:
            part = apply(lowering, node, "reshape", part, Const((1,)))
        _vector(lowering, part, arguments)
        parts.append(part)
    no_more(lowering, arguments)
    return expand(lowering, "polynomial_division", node, u=parts[0], v=parts[1])


def _vector(lowering: Lowering, p: Atom, arguments: Arguments) -> None:
    if known_rank(lowering, p, arguments.node) != 1:
        message = "a vector of coefficients is needed"
        raise unsupported(lowering, message, arguments.node, "ravel it")


def lower_fit(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.polyfit(x, y, deg, w=w)`: the coefficients alone, in double precision."""
    node = arguments.node
    x, y = (operand(lowering, arguments, k, key) for k, key in enumerate("xy"))
    degree = arguments.take(2, "deg", NOTHING)
    for place, key, nothing in ((3, "rcond", None), (4, "full", False), (6, "cov", False)):
        if known(lowering, arguments.take(place, key, Const(nothing)), key, node) is not nothing:
            help = "solve the system: `np.linalg.lstsq(np.vander(x, degree + 1), y)[0]`"
            raise unsupported(lowering, f"`{key}` is not supported in `np.polyfit`", node, help)
    w = operand(lowering, arguments, 5, "w")
    no_more(lowering, arguments)
    _vector(lowering, x, arguments)
    given = [y] if w == NOTHING else [y, w]
    for each in given:
        if dtype_of(each.type) != "f64" or (w != NOTHING and known_rank(lowering, each, node) != 1):
            message = "`np.polyfit` is supported for vectors of float64"
            raise unsupported(lowering, message, node, "convert them, and fit one after the other")
    names: dict[str, Value] = {"x": x, "y": y, "degree": degree}
    if w == NOTHING:
        return expand(lowering, "polynomial_fit", node, **names)
    return expand(lowering, "weighted_polynomial_fit", node, **names, w=w)


POLYNOMIALS: dict[str, Function] = {
    "polyfit": lower_fit,
    "polyder": lower_derivative,
    "polyint": lower_integral,
    "poly": lower_from_roots,
    "polydiv": lower_division,
}
