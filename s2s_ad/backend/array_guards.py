"""The entry of a generated function: checks that arguments are arrays of the dtypes, ranks and
sizes for which it was generated, and names for sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from s2s_ad.backend import layout
from s2s_ad.ir import Function, Var
from s2s_ad.types import DTYPES, Array, Scalar, Size, is_float

if TYPE_CHECKING:
    from s2s_ad.backend.guards import Checks


class ArrayChecks:
    """Writes the checks of the parameters that are arrays."""

    def __init__(
        self,
        checks: Checks,
        arrays: list[Var],
        free_name: Callable[[str], str],
        active: set[Var],
    ) -> None:
        self.checks, self.arrays, self.free_name = checks, arrays, free_name
        self.function, self.entry = checks.function, checks.entry
        self.spelled, self.library = checks.spelled, checks.library
        self.known = [var for var in arrays if _shape(var) is not None]
        self.homes = _homes(self.known)
        self.checked = _checked_dtypes(self.function, arrays, active)

    def kinds(self) -> None:
        """Arguments are arrays, no lists and no subclasses (`*` of a matrix is another product, a
        mask leaves elements out), of the dtype and the rank for which the module was generated.
        """
        if not self.arrays:
            return
        tests = [*self._types(), *self._dtypes(), *self._ranks()]
        expected = ", ".join(map(self._expected, self.arrays))
        self.checks.unless(tests, "TypeError", expected, self._what_came(self.arrays))

    def _types(self) -> list[str]:
        """A number will do as well where there are no axes or their number is unknown."""
        type_, kind = self.library("builtins.type"), self.library("numpy.ndarray")
        with_axes = [var for var in self.known if _shape(var)]
        tests = _chain([f"{type_}({self.spelled(var)})" for var in with_axes], "is", kind)
        for var in self.arrays:
            if var not in with_axes:
                kinds = [kind, self.library(f"numpy.{_dtype(var)}")]
                if _shape(var) is None:
                    kinds += [self.library("builtins.float"), self.library("builtins.int")]
                tests.append(f"{type_}({self.spelled(var)}) in ({', '.join(kinds)})")
        return tests

    def _dtypes(self) -> Iterator[str]:
        for dtype in dict.fromkeys(map(_dtype, self.checked)):
            alike = [var for var in self.checked if _dtype(var) == dtype]
            found = list(map(self._spelled_dtype, alike))
            yield from _chain(found, "==", self.library(f"numpy.{dtype}"))

    def _ranks(self) -> Iterator[str]:
        ranked = [
            var
            for var in self.known
            if not _is_compared(var, self.homes) or _is_unpacked(var, self.homes)
        ]
        for rank in dict.fromkeys(len(_shape(var) or ()) for var in ranked):
            alike = [var for var in ranked if len(_shape(var) or ()) == rank]
            yield from _chain([f"{self.spelled(var)}.ndim" for var in alike], "==", str(rank))

    def _expected(self, var: Var) -> str:
        """`x float64[n, d]`"""
        dtype = f" {_dtype(var)}" if var in self.checked else ""
        return f"{self.spelled(var)}{dtype}{_spelled_shape(var)}"

    def _spelled_dtype(self, var: Var) -> str:
        if _shape(var) is not None:
            return f"{self.spelled(var)}.dtype"
        return f"{self.library('numpy.result_type')}({self.spelled(var)})"

    def _what_came(self, arrays: list[Var]) -> str:
        """`{described(x, y)}`; several calls where one does not fit into a line."""
        described, groups = self.library("builtins.described"), [self.spelled(arrays[0])]
        for name in map(self.spelled, arrays[1:]):
            if len(f'            f"{{{described}({groups[-1]}, {name})}}, "') <= layout.LIMIT:
                groups[-1] += f", {name}"
            else:
                groups.append(name)
        return ", ".join(f"{{{described}({group})}}" for group in groups)

    def shapes(self, needed: set[str]) -> None:
        """Names for the sizes that are `needed` or compared, and comparisons of sizes."""
        self._name_sizes(needed | set(_compared_symbols(self.known, self.homes, self.function)))
        tests: list[str] = []
        for var in self.known:
            if _is_compared(var, self.homes):
                sizes = [self.spelled_size(size) for size in _shape(var) or ()]
                joined = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
                tests.append(f"{self.spelled(var)}.shape != {joined}")
        for left, right in self.function.assumptions:
            tests.append(f"{self.spelled_size(left)} != {self.spelled_size(right)}")
        if tests and self.known:
            self.entry.lines += layout.condition("    ", tests)
            listed = ", ".join(self.spelled(var) + _spelled_shape(var) for var in self.known)
            message = f"{self.function.name}: expected {listed}, "
            came = f"not {self._what_came(self.known)}"
            self.entry.lines += layout.raise_with("        ", "ValueError", message, came)

    def _name_sizes(self, wanted: set[str]) -> None:
        """`n, d = x.shape`"""
        sizes = self.entry.sizes
        for var in self.known:
            shape = _shape(var) or ()
            own = {size.symbol for size in shape if _is_home(size, var, self.homes)}
            is_all_new = _is_all_new(var, self.homes)
            if not (own & wanted or (own and not is_all_new)):
                continue
            names = []
            for size in shape:
                symbol = size.symbol or ""
                is_new = symbol in own and symbol not in sizes
                if is_new and (symbol in wanted or not is_all_new):
                    sizes[symbol] = self.free_name(symbol)
                    names.append(sizes[symbol])
                else:
                    names.append("_")
            target = f"({names[0]},)" if len(names) == 1 else ", ".join(names)
            self.entry.lines.append(f"    {target} = {self.spelled(var)}.shape")

    def spelled_size(self, size: Size) -> str:
        renamed = size.substitute(
            {symbol: Size.of(name) for symbol, name in self.entry.sizes.items() if symbol != name}
        )
        return str(renamed)


def _checked_dtypes(function: Function, arrays: list[Var], active: set[Var]) -> list[Var]:
    """The dtype of a gradient is its argument's; where all is float64, other arguments cannot
    change that.
    """
    floats = [var for var in arrays if is_float(var.type)]
    mixed = any(
        isinstance(var.type, Array | Scalar) and is_float(var.type) and var.type.dtype != "f64"
        for var in function.body.parameters
    )
    checked = floats if mixed else [var for var in floats if var in active]
    # booleans select and integers pick: as an index the one is not the other
    return [var for var in arrays if var in checked or not is_float(var.type)]


def _chain(sides: list[str], operator: str, last: str) -> list[str]:
    """`a == b == last`; several such where one does not fit into a line."""
    chains: list[str] = []
    for side in sides:
        longer = chains[-1].removesuffix(last) + f"{side} {operator} {last}" if chains else ""
        if longer and len(longer) <= layout.LIMIT - len("        and "):
            chains[-1] = longer
        else:
            chains.append(f"{side} {operator} {last}")
    return chains


def _spelled_shape(var: Var) -> str:
    shape = _shape(var)
    return "" if shape is None else f"[{', '.join(map(str, shape))}]"


def _dtype(var: Var) -> str:
    assert isinstance(var.type, Array)
    return DTYPES[var.type.dtype]


def _is_home(size: Size, var: Var, homes: dict[str, Var]) -> bool:
    return size.symbol is not None and homes.get(size.symbol) == var


def _is_compared(var: Var, homes: dict[str, Var]) -> bool:
    """Whether the shape as a whole is compared with what others say it is."""
    return bool(_shape(var)) and not _is_all_new(var, homes)


def _is_unpacked(var: Var, homes: dict[str, Var]) -> bool:
    return any(_is_home(size, var, homes) for size in _shape(var) or ())


def _is_all_new(var: Var, homes: dict[str, Var]) -> bool:
    """Whether the shape is of different symbols that it defines: there is nothing to compare."""
    shape = _shape(var) or ()
    return all(_is_home(size, var, homes) for size in shape) and len(set(shape)) == len(shape)


def _shape(var: Var) -> tuple[Size, ...] | None:
    return var.type.shape if isinstance(var.type, Array) else None


def _homes(arrays: list[Var]) -> dict[str, Var]:
    """For each symbol, the array whose shape defines it: best one in which it stands among plain
    symbols only.
    """
    homes: dict[str, Var] = {}

    def plain(var: Var) -> bool:
        shape = _shape(var) or ()
        symbols = [size.symbol for size in shape]
        return None not in symbols and len(set(symbols)) == len(symbols)

    ordered = sorted(arrays, key=lambda var: (not plain(var), -len(_shape(var) or ())))
    # an array with only new symbols is unpacked as a whole
    for var in ordered:
        symbols = [size.symbol for size in _shape(var) or () if size.symbol is not None]
        if plain(var) and all(symbol not in homes for symbol in symbols):
            homes.update({symbol: var for symbol in symbols if symbol is not None})
    for var in ordered:
        for size in _shape(var) or ():
            if size.symbol is not None:
                homes.setdefault(size.symbol, var)
    return homes


def _compared_symbols(
    arrays: list[Var], homes: dict[str, Var], function: Function
) -> Iterator[str]:
    """The symbols that some comparison needs."""
    for var in arrays:
        if not _is_all_new(var, homes):
            for size in _shape(var) or ():
                yield from size.symbols
    for left, right in function.assumptions:
        yield from left.symbols
        yield from right.symbols
