"""Sparse derivatives of live functions: shapes and integers are those of the arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from s2s_ad.frontend.live import container_of, signature_of
from s2s_ad.ir import Function, Var, leaves
from s2s_ad.pipeline import CLEAN_UP, run
from s2s_ad.sparse.pattern import Pattern, pattern_of
from s2s_ad.specialise import Table, as_refusals

if TYPE_CHECKING:
    import scipy.sparse


def given_values(
    function: Function, arguments: Sequence[Any], free: Sequence[Any]
) -> dict[str, Any]:
    """The arguments and free variables by the names of the variables that stand for them."""
    given = {}
    visible = [formal for formal in function.formals if not formal.hidden]
    hidden = [formal for formal in function.formals if formal.hidden]
    for formal, value in (
        *zip(visible, arguments, strict=True),
        *zip(hidden, free, strict=True),
    ):
        for leaf, item in zip(leaves(formal.tree), items_in(value), strict=True):
            if isinstance(leaf, Var):
                given[leaf.name] = item
    return given


def items_in(value: Any) -> Iterator[Any]:
    """What a container holds, in the order of the IR's leaves."""
    container = container_of(value)
    if container is None:
        yield value
        return
    for item in container[2]:
        yield from items_in(item)


def form_of(value: Any) -> object:
    """A key that is equal for two arguments just when patterns cannot tell them apart: that of
    their types, with all sizes and with the values of integers.
    """
    items = tuple(_item_form(item) for item in items_in(value))
    return signature_of(value), items


def _item_form(item: Any) -> object:
    if isinstance(item, np.ndarray | np.generic):
        return item.shape, item.tobytes() if item.dtype.kind in "iub" else b""
    return item if isinstance(item, int | str | None) else None


def live_pattern(table: Table, values: Sequence[Any]) -> Pattern:
    """The pattern of a function's Jacobian for these arguments. Raises DifferentiationError."""
    with as_refusals(table.primal()):
        used: list[tuple[Callable[[], object], object]] = []
        user_function = table.source(used)
        types = table.argument_types(user_function, values)
        function, free = table.lowered(user_function, types)
        given = given_values(function, values, [variable.read() for variable in free])
        return pattern_of(run(function, (CLEAN_UP,)), table.wanted.wrt, given)


def as_csr(pattern: Pattern) -> scipy.sparse.csr_array:
    """A matrix with ones where the pattern has entries."""
    import scipy.sparse

    ones = np.ones(pattern.count)
    parts = ones, pattern.columns, pattern.starts
    return scipy.sparse.csr_array(parts, shape=pattern.shape)


__all__ = ["as_csr", "form_of", "given_values", "live_pattern"]
