"""`np.histogram`: the sums of weights by one operation, and the edges as NumPy finds them.

Where the edges follow from the data, or are given, they may have a derivative; which bin something
lies in has none.
"""

from __future__ import annotations

import libcst as cst

from s2s_ad.frontend.arguments import Arguments, assign_results, no_more
from s2s_ad.frontend.calls_tools import (
    NOTHING,
    Function,
    known,
    known_rank,
    operand,
    unsupported,
)
from s2s_ad.frontend.definitions import expand
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, atom, static_operand
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const, Structure, Var, tuple_of
from s2s_ad.operations.custom import STOP
from s2s_ad.types import is_float


def lower_histogram(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.histogram(a, bins, range, density, weights)`: what lies in each bin, and the edges."""
    node = arguments.node
    a = operand(lowering, arguments, 0, "a")
    bins = array_operand(lowering, arguments.take(1, "bins", Const(10)), node)
    limits = static_operand(lowering, arguments.take(2, "range", NOTHING), node)
    density = known(lowering, arguments.take(3, "density", NOTHING), "density", node)
    weights = operand(lowering, arguments, 4, "weights")
    no_more(lowering, arguments)
    given = known_rank(lowering, bins, node) == 1
    if not given:
        count = known(lowering, bins, "bins", node)
        bins = Const(count)
        if not isinstance(count, int):
            help = "give a number of bins, or their edges"
            raise unsupported(lowering, "how many bins there are is not known", node, help)
    if limits != NOTHING:
        limits = Const(known(lowering, limits, "range", node))
    operands = [_still(lowering, a, node), _still(lowering, bins, node), limits, weights]
    found = assign_results(lowering, lowering.operation("numpy.histogram"), operands, node)
    assert isinstance(found, Structure)
    counts, edges = found.items
    if given:
        edges = bins
    elif limits == NOTHING:
        edges = expand(lowering, "histogram_edges", node, a=a, count=Const(count + 1))
    if density:
        counts = expand(lowering, "histogram_density", node, counts=counts, edges=edges)
    return tuple_of([atom(lowering, each, node) for each in (counts, edges)])


def _still(lowering: Lowering, x: Atom, node: cst.Call) -> Atom:
    """The value, of which small changes have no influence."""
    if not isinstance(x, Var) or not is_float(x.type):
        return x
    return lowering.assign(STOP, [x], node)


HISTOGRAMS: dict[str, Function] = {"histogram": lower_histogram}
