"""Points for a function of which only the types are known: drawn, or as the user gives them.

Domains are tried in turn, because nobody says where a function is defined: a point is taken if the
function has a finite value there. The same seed gives the same points.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from s2s_ad.ir import Const, Formal, Structure, Tree, Var
from s2s_ad.types import DTYPES, Array, ListOf, Number, Scalar, Size, Type

DOMAINS = ((-1.5, 1.5), (0.2, 1.8), (0.1, 0.9), (1.1, 3.0), (-0.9, 0.9), (5.0, 40.0))
# Distinct and small: no two sizes agree by chance, no transposition goes unnoticed.
SIZES = (3, 2, 4, 5, 6, 7, 8)
LARGER_SIZES = (6, 5, 7, 8, 9, 10, 11)
UNKNOWN_SHAPES = ((3,), (2, 3), (3, 3), ())


class BadPoint(Exception):
    """What was given cannot be the value of a parameter."""


@dataclasses.dataclass
class Sampler:
    """Draws values of types. `records` are the classes of named tuples and dataclasses by name."""

    generator: np.random.Generator
    domain: tuple[float, float] = DOMAINS[0]
    unknown: tuple[int, ...] = UNKNOWN_SHAPES[0]
    choices: Sequence[int] = SIZES
    records: Mapping[str, Callable[..., Any]] = dataclasses.field(default_factory=dict)
    sizes: dict[str, int] = dataclasses.field(default_factory=dict)

    def draw(self, tree: Tree) -> Any:
        if isinstance(tree, Structure):
            return built(tree, [self.draw(item) for item in tree.items], self.records)
        return tree.value if isinstance(tree, Const) else self._of_type(tree.type)

    def _of_type(self, type: Type) -> Any:
        match type:
            case Number("float"):
                return float(self.generator.uniform(*self.domain))
            case Number("bool"):
                return bool(self.generator.integers(0, 2))
            case Number("int", value=size):
                symbol = size.symbol if size is not None else None
                drawn = int(self.generator.integers(1, 5))
                return self.size(size) if size is not None and symbol in self.sizes else drawn
            case Scalar(dtype=dtype):
                return np.dtype(DTYPES[dtype]).type(self._numbers(dtype, ()))
            case Array(dtype=dtype, shape=shape):
                known = self.unknown if shape is None else tuple(map(self.size, shape))
                return self._numbers(dtype, known)
            case ListOf(item):
                return [self._of_type(item) for _ in range(int(self.generator.integers(1, 4)))]
        return None

    def _numbers(self, dtype: str, shape: tuple[int, ...]) -> Any:
        if dtype == "bool":
            return np.array(self.generator.uniform(size=shape) < 0.5)
        if dtype.startswith("f"):
            return np.array(self.generator.uniform(*self.domain, size=shape), DTYPES[dtype])
        # small enough to be indices of most arrays drawn beside
        return np.array(self.generator.integers(0, 2, size=shape), DTYPES[dtype])

    def size(self, size: Size) -> int:
        for symbol in sorted(size.symbols):
            if symbol not in self.sizes:
                self.sizes[symbol] = self.choices[len(self.sizes) % len(self.choices)]
        number = size.substitute({name: Size.of(k) for name, k in self.sizes.items()}).constant
        return max(number, 0) if number is not None else 2


def built(tree: Structure, items: Sequence[Any], records: Mapping[str, Callable[..., Any]]) -> Any:
    """A container of the kind that the tree describes."""
    if tree.kind == "record":
        return records[tree.constructor](**dict(zip(tree.keys, items, strict=True)))
    if tree.kind == "dict":
        return dict(zip(tree.keys, items, strict=True))
    return tuple(items) if tree.kind == "tuple" else list(items)


def drawn_point(
    formals: Sequence[Formal],
    given: Mapping[str, Any],
    generator: np.random.Generator,
    attempt: int,
    records: Mapping[str, Callable[..., Any]],
) -> list[Any]:
    """Arguments, those `given` as they are. Later attempts use other domains, sizes and ranks;
    every other one the default values of what is not a float.
    """
    sampler = Sampler(
        generator,
        DOMAINS[attempt % len(DOMAINS)],
        UNKNOWN_SHAPES[(attempt // 2) % len(UNKNOWN_SHAPES)],
        SIZES if attempt % 3 != 2 else LARGER_SIZES,
        records,
    )
    for formal in formals:
        if formal.name in given:
            _bind_sizes(formal.tree, given[formal.name], sampler.sizes)
    return [
        given[formal.name]
        if formal.name in given
        else _default(formal)
        if attempt % 2 == 0 and _has_default(formal)
        else sampler.draw(formal.tree)
        for formal in formals
    ]


def _has_default(formal: Formal) -> bool:
    """Whether the parameter is not a float and has a literal default."""
    if formal.default is None or isinstance(formal.tree, Structure | Const):
        return False
    kind = formal.tree.type
    return isinstance(kind, Number) and kind.kind != "float" and _is_literal(formal.default)


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
    return True


def _default(formal: Formal) -> Any:
    return ast.literal_eval(formal.default or "None")


def _bind_sizes(tree: Tree, value: Any, sizes: dict[str, int]) -> None:
    """Named sizes that a given array decides."""
    if isinstance(tree, Structure | Const) or not isinstance(tree.type, Array):
        return
    for size, number in zip(tree.type.shape or (), np.shape(value), strict=False):
        if size.symbol is not None:
            sizes.setdefault(size.symbol, number)


# Given points -------------------------------------------------------------------------------------


def given_point(
    text: str, formals: Sequence[Formal], records: Mapping[str, Callable[..., Any]]
) -> dict[str, Any]:
    """`x=1.5, W=[[1, 2], [3, 4]]`, or the name of an `.npz` file. Raises BadPoint."""
    known = {formal.name: formal for formal in formals}
    values = _from_file(text) if text.endswith(".npz") else _from_text(text)
    for name in values:
        if name not in known:
            raise BadPoint(f"there is no parameter `{name}`, but {', '.join(known) or 'none'}")
    return {
        name: _as_type(known[name].tree, value, name, records) for name, value in values.items()
    }


def _from_text(text: str) -> dict[str, Any]:
    try:
        call = ast.parse(f"_({text})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise BadPoint(f"`{text}` is not of the form x=1.5, y=[1, 2]")
        return {word.arg or "": ast.literal_eval(word.value) for word in call.keywords}
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise BadPoint(
            f"`{text}` is not of the form x=1.5, y=[1, 2], with literal values"
        ) from None


def _from_file(path: str) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError) as problem:
        raise BadPoint(f"cannot read {path}: {problem}") from None


def _as_type(tree: Tree, value: Any, name: str, records: Mapping[str, Callable[..., Any]]) -> Any:
    """A literal as what the parameter takes. Raises BadPoint."""
    if isinstance(tree, Structure):
        keys = tree.keys if tree.kind in ("dict", "record") else range(len(tree.items))
        try:
            items = [value[key] for key in keys]
        except (TypeError, LookupError):
            raise BadPoint(f"`{name}` is a {tree.kind} with {len(tree.items)} items") from None
        return built(
            tree,
            [_as_type(i, v, name, records) for i, v in zip(tree.items, items, strict=True)],
            records,
        )
    if isinstance(tree, Const):
        return value
    try:
        match tree.type:
            case Number("float"):
                return float(value)
            case Number("int" | "bool"):
                return value if isinstance(value, bool) else int(value)
            case Scalar(dtype=dtype):
                return np.dtype(DTYPES[dtype]).type(value)
            case Array(dtype=dtype):
                return np.array(value, DTYPES[dtype])
            case ListOf(item):
                return [_as_type(Var(name, item), each, name, records) for each in value]
    except (TypeError, ValueError) as problem:
        raise BadPoint(f"`{name}` is of type {tree.type}: {problem}") from None
    return value
