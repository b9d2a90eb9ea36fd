"""Sparse derivatives of live functions: shapes and integers are those of the arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from s2s_ad.frontend.live import container_of, signature_of
from s2s_ad.ir import Const, Function, Structure, Var, leaves
from s2s_ad.pipeline import CLEAN_UP, run
from s2s_ad.sparse.generate import generate_sparse
from s2s_ad.sparse.pattern import Pattern, pattern_of
from s2s_ad.specialise import Specialisation, Table, as_refusals
from s2s_ad.types import Array, Size

if TYPE_CHECKING:
    import scipy.sparse

    from s2s_ad.frontend.values import UserFunction


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


def with_sizes(tree: Any, value: Any) -> Any:
    """The type tree of a value, with its sizes as numbers."""
    if isinstance(tree, Structure):
        container = container_of(value)
        assert container is not None
        items = map(with_sizes, tree.items, container[2])
        return Structure(tree.kind, tree.keys, tuple(items), tree.constructor)
    if isinstance(tree, Array):
        return Array(tree.dtype, tuple(map(Size.of, value.shape)))
    return tree


class SparseTable(Table):
    """Specialisations by all shapes of the arguments, and by the values of integers."""

    form = staticmethod(form_of)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._given: dict[str, Any] = {}
        self._arguments: Sequence[Any] | None = None  # while they are compiled for

    def compile(self, values: Sequence[Any]) -> Specialisation:
        self._arguments = values
        try:
            return super().compile(values)
        finally:
            self._arguments, self._given = None, {}

    def argument_types(self, user_function: UserFunction, values: Sequence[Any]) -> dict[str, Any]:
        types = super().argument_types(user_function, values)
        by_name = dict(zip(self.parameters.names, values, strict=True))
        return {name: with_sizes(tree, by_name[name]) for name, tree in types.items()}

    def lowered(
        self,
        user_function: UserFunction,
        argument_types: Mapping[str, Any],
        given: Mapping[str, Const] | None = None,
    ) -> tuple[Function, Sequence[Any]]:
        function, free = super().lowered(user_function, argument_types, given)
        if self._arguments is not None:
            read = [variable.read() for variable in free]
            self._given = given_values(function, self._arguments, read)
        return function, free

    def text(self, function: Function, name: str) -> str:
        path = function.span.file.path if function.span is not None else ""
        return generate_sparse(function, self.options(name), path, self._given).text

    def all_text(self) -> str:
        """The module of the last signature: each has constants of its own."""
        every = self.every()
        return every[-1].text if every else self.compile_unseen().text

    def pattern(self, values: Sequence[Any]) -> Pattern:
        """The pattern of the function's Jacobian for these arguments. Raises
        DifferentiationError.
        """
        with as_refusals(self.primal()):
            self._arguments = values
            user_function = self.source([])
            types = self.argument_types(user_function, values)
            function, _ = self.lowered(user_function, types)
            return pattern_of(run(function, (CLEAN_UP,)), self.wanted.wrt, self._given)


def as_csr(pattern: Pattern) -> scipy.sparse.csr_array:
    """A matrix with ones where the pattern has entries."""
    import scipy.sparse

    ones = np.ones(pattern.count)
    parts = ones, pattern.columns, pattern.starts
    return scipy.sparse.csr_array(parts, shape=pattern.shape)


__all__ = ["SparseTable", "as_csr"]
