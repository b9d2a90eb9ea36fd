"""The entry of a generated function: checks that arguments are lists, of any length, of what the
module was generated for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from s2s_ad.backend import layout
from s2s_ad.ir import Function, Var
from s2s_ad.types import DTYPES, Array, ListOf, Number, Scalar, Size, Type, dtype_of, is_float

if TYPE_CHECKING:
    from s2s_ad.backend.guards import Checks


def lists_of(function: Function) -> list[Var]:
    """The parameters that are lists of any length."""
    return [var for var in function.body.parameters if isinstance(var.type, ListOf)]


def symbols_in_lists(function: Function) -> set[str]:
    """The sizes that items of lists have to have."""
    shapes = (_shape(item) for item in map(_item, lists_of(function)))
    named = [size for shape in shapes for size in shape if not size.is_local]
    return set().union(*(size.symbols for size in named))


class ListChecks:
    """Writes the checks. `spelled_size` writes a size with the names that sizes have here."""

    def __init__(
        self,
        checks: Checks,
        free_name: Callable[[str], str],
        spelled_size: Callable[[Size], str],
    ) -> None:
        self.checks, self.free_name, self.spelled_size = checks, free_name, spelled_size
        self.library, self.spelled = checks.library, checks.spelled
        self.item = free_name("item")

    def kinds(self) -> None:
        """Each list is one, and so are its items what they should be."""
        for var in lists_of(self.checks.function):
            name = self.spelled(var)
            tests = self._of_list(name, _item(var))
            came = f"{{{name}!r:.60}}"
            self.checks.unless(tests, "TypeError", f"a list of {_told(_item(var))} {name}", came)

    def _of_list(self, name: str, item: Type) -> list[str]:
        isinstance_, all_ = self.library("builtins.isinstance"), self.library("builtins.all")
        every = [f"{all_}({test} for {self.item} in {name})" for test in self._of_item(item)]
        if isinstance(item, ListOf):
            number = self.free_name("number")
            test = f"{isinstance_}({number}, {self._number(item.item)})"
            every.append(f"{all_}({test} for {self.item} in {name} for {number} in {self.item})")
        return [f"{isinstance_}({name}, {self.library('builtins.list')})", *every]

    def _of_item(self, item: Type) -> list[str]:
        """Tests of one item."""
        isinstance_, each = self.library("builtins.isinstance"), self.item
        if isinstance(item, ListOf):
            return [f"{isinstance_}({each}, {self.library('builtins.list')})"]
        if not isinstance(item, Array):
            return [f"{isinstance_}({each}, {self._number(item)})"]
        type_, kind = self.library("builtins.type"), self.library("numpy.ndarray")
        dtype = self.library(f"numpy.{DTYPES[item.dtype]}")
        shape = [] if item.shape is None else self._of_shape(item.shape)
        return [f"{type_}({each}) is {kind}", f"{each}.dtype == {dtype}", *shape]

    def _number(self, type: Type) -> str:
        if isinstance(type, Scalar) and type.dtype != "f64":
            return self.library(f"numpy.{DTYPES[type.dtype]}")
        return self.library("builtins.float" if is_float(type) else "INTEGER")

    def _of_shape(self, shape: tuple[Size, ...]) -> list[str]:
        each = self.item
        if not any(size.is_local for size in shape):
            sizes = ", ".join(map(self.spelled_size, shape))
            return [f"{each}.shape == ({sizes}{',' if len(shape) == 1 else ''})"]
        known = [(axis, size) for axis, size in enumerate(shape) if not size.is_local]
        sizes_known = [f"{each}.shape[{axis}] == {self.spelled_size(size)}" for axis, size in known]
        return [f"{each}.ndim == {len(shape)}", *sizes_known]

    def overlaps(self, written: list[Var]) -> None:
        """An array that the user's function writes to is copied, and a copy no longer changes the
        arrays of a list in whose memory it lies.
        """
        holders = [var for var in lists_of(self.checks.function) if isinstance(_item(var), Array)]
        for var in written:
            for holder in holders:
                shares, name = self.library("numpy.shares_memory"), self.spelled(var)
                within = f"{self.item} in {self.spelled(holder)}"
                test = f"{self.library('builtins.any')}({shares}({name}, {self.item}) for {within})"
                self.checks.entry.lines += layout.condition("    ", [test])
                message = f"{self.checks.function.name}: writes to {name}, which must not share "
                message += f"memory with the items of {self.spelled(holder)}"
                self.checks.entry.lines += layout.raise_with("        ", "ValueError", message)


def _item(var: Var) -> Type:
    assert isinstance(var.type, ListOf)
    return var.type.item


def _shape(item: Type) -> tuple[Size, ...]:
    return item.shape or () if isinstance(item, Array) else ()


def _told(item: Type) -> str:
    """`floats`, `float64[n] arrays`, for a message."""
    if isinstance(item, ListOf):
        return f"lists of {_told(item.item)}"
    if isinstance(item, Number):
        return f"{item.kind}s"
    if isinstance(item, Array) and item.shape is not None:
        sizes = ("_" if size.is_local else str(size) for size in item.shape)
        return f"arrays {DTYPES[item.dtype]}[{', '.join(sizes)}]"
    return f"arrays {DTYPES[dtype_of(item)]}" if isinstance(item, Array) else DTYPES[dtype_of(item)]
