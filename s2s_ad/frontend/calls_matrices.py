"""Calls of `np.linalg` with arguments that choose another operation: modes, orders, cut-offs."""

from __future__ import annotations

from s2s_ad.frontend.arguments import Arguments, call_operation, no_more
from s2s_ad.frontend.calls_tools import NOTHING, Function, apply, known, operand, unsupported
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const, Structure
from s2s_ad.types import TypeProblem, shape_of


def lower_qr(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """The mode `r` gives one of the factors; `complete` is `reduced` where Q is square anyway."""
    node = arguments.node
    mode = known(lowering, arguments.take(1, "mode", Const("reduced")), "mode", node)
    a = operand(lowering, arguments, 0, "a")
    no_more(lowering, arguments)
    shape = shape_of(a.type)
    if mode == "complete" and shape is not None and len(shape) > 1:
        rows, columns = (lowering.sizes.resolve(size) for size in shape[-2:])
        is_wide = rows.constant is not None and rows.constant < (columns.constant or 0)
        try:
            if not is_wide:
                lowering.sizes.unify(rows, columns)
        except TypeProblem:
            message = (
                "`np.linalg.qr` has no derivative in its mode `complete` for more rows than columns"
            )
            raise unsupported(lowering, message, node, 'write `mode="reduced"`') from None
    used = "reduced" if mode in ("complete", "r") else mode
    op = lowering.operation("numpy.linalg.qr")
    factors = call_operation(lowering, op, Arguments([a, Const(used)], {}, {}, node), name)
    assert isinstance(factors, Structure)
    return factors.items[1] if mode == "r" else factors


def lower_pseudoinverse(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`rtol` is another name of `rcond`; None means another number there."""
    node = arguments.node
    hermitian = known(lowering, arguments.take(2, "hermitian", Const(False)), "hermitian", node)
    if hermitian is not False:
        message = "`hermitian=True` is not supported in `np.linalg.pinv`"
        raise unsupported(lowering, message, node, "leave it out: the inverse is the same")
    del arguments.positional[2:]
    if "rtol" in arguments.keywords:
        cutoff = arguments.keywords.pop("rtol")
        if cutoff == NOTHING:
            message = "`rtol=None` is not supported in `np.linalg.pinv`"
            raise unsupported(lowering, message, node, "give a number, or leave it out")
        if "rcond" in arguments.keywords or len(arguments.positional) > 1:
            raise lowering.refuse("bad-call", "`rcond` and `rtol` are the same", node)
        arguments.keywords["rcond"] = cutoff
    return call_operation(lowering, lowering.operation("numpy.linalg.pinv"), arguments, name)


def lower_condition(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """As NumPy computes it: of singular values, or the norm of a matrix and that of its inverse."""
    node = arguments.node
    x = operand(lowering, arguments, 0, "x")
    order = arguments.take(1, "p", NOTHING)
    no_more(lowering, arguments)
    wanted = known(lowering, order, "p", node)
    if wanted in (None, 2):
        op = lowering.operation("numpy.linalg.cond")
        return lowering.assign(op, [x, Const(wanted)], node, name)
    if wanted == -2:
        values = apply(lowering, node, "linalg.svdvals", x)
        getitem = lowering.operation("getitem")
        ends: list[Atom] = [
            lowering.assign(getitem, [values, Const((Ellipsis, place))], node) for place in (-1, 0)
        ]
        return lowering.assign(lowering.operation("/"), ends, node, name)
    inverse = apply(lowering, node, "linalg.inv", x)
    norms: list[Atom] = [
        apply(lowering, node, "linalg.norm", matrix, order, axis=Const((-2, -1)))
        for matrix in (x, inverse)
    ]
    return lowering.assign(lowering.operation("*"), norms, node, name)


MATRICES: dict[str, Function] = {
    "linalg.qr": lower_qr,
    "linalg.pinv": lower_pseudoinverse,
    "linalg.cond": lower_condition,
}
