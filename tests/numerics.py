"""Arguments drawn from the types of parameters, and derivatives by central differences.

A value is a float, an array, or a container of values: `leaves_of` lists what it holds, in the
order of the IR, and `rebuilt` puts other things in their places.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from s2s_ad.ir import Const, Formal, Function, Structure, Tree
from s2s_ad.types import DTYPES, Array, ListOf, Number, Scalar, Size, Type

# Distinct and small, so that no two sizes agree by chance and no transposition goes unnoticed.
SIZES = (3, 2, 4, 5, 6, 7, 8)
RANKS_FOR_UNKNOWN = ((3,), (2, 3), ())


class Sampler:
    """Draws arguments. Named sizes are bound in the order in which they are met."""

    def __init__(
        self,
        generator: np.random.Generator,
        domain: tuple[float, float],
        unknown: tuple[int, ...],
        fixed: Mapping[str, Any] | None = None,
        names: Mapping[str, Any] | None = None,
    ) -> None:
        self.generator, self.domain, self.unknown = generator, domain, unknown
        self.fixed, self.names = fixed or {}, names or {}
        self.sizes: dict[str, int] = {}

    def arguments(self, formals: Sequence[Formal]) -> list[Any]:
        return [
            self.fixed[formal.name] if formal.name in self.fixed else self.draw(formal.tree)
            for formal in formals
        ]

    def draw(self, tree: Tree) -> Any:
        if isinstance(tree, Structure):
            items = [self.draw(item) for item in tree.items]
            if tree.kind == "record":
                return self.names[tree.constructor](**dict(zip(tree.keys, items, strict=True)))
            if tree.kind == "dict":
                return dict(zip(tree.keys, items, strict=True))
            return tuple(items) if tree.kind == "tuple" else items
        return tree.value if isinstance(tree, Const) else self.of_type(tree.type)

    def of_type(self, type: Type) -> Any:
        match type:
            case Number("float"):
                return float(self.generator.uniform(*self.domain))
            case Number("bool"):
                return True
            case Number("int", value=size):
                known = size.symbol if size is not None else None
                return self.size(size) if size is not None and known in self.sizes else 2
            case Scalar(dtype=dtype):
                return np.dtype(DTYPES[dtype]).type(self.numbers(dtype, ()))
            case Array(dtype=dtype, shape=shape):
                known_shape = self.unknown if shape is None else tuple(map(self.size, shape))
                return self.numbers(dtype, known_shape)
            case ListOf(item):
                return [self.of_type(item) for _ in range(3)]
        return None

    def numbers(self, dtype: str, shape: tuple[int, ...]) -> Any:
        if dtype == "bool":
            return np.array(self.generator.uniform(size=shape) < 0.5)
        if dtype.startswith("f"):
            return self.spread(shape).astype(DTYPES[dtype])
        return np.array(self.generator.integers(0, 2, size=shape), DTYPES[dtype])

    def spread(self, shape: tuple[int, ...]) -> Any:
        """Numbers no two of which are close: kinks of `max` are far from all of them."""
        low, high = self.domain
        count = int(np.prod(shape))
        places = self.generator.permutation(count) + self.generator.uniform(0.2, 0.8, size=count)
        return np.array(low + (high - low) * places / max(count, 1)).reshape(shape)

    def size(self, size: Size) -> int:
        if size.is_local:
            return int(self.generator.integers(1, 4))
        for symbol in sorted(size.symbols):
            if symbol not in self.sizes:
                self.sizes[symbol] = self.fixed.get(symbol, SIZES[len(self.sizes)])
        number = size.substitute({name: Size.of(k) for name, k in self.sizes.items()}).constant
        assert number is not None, f"a parameter's size {size} cannot be computed"
        return number


# Containers ---------------------------------------------------------------------------------------


def leaves_of(value: Any) -> list[Any]:
    return (
        [leaf for item in items for leaf in leaves_of(item)]
        if (items := items_of(value)) is not None
        else [value]
    )


def items_of(value: Any) -> list[Any] | None:
    """The items of a container, None for anything else."""
    if dataclasses.is_dataclass(value):
        return [getattr(value, field.name) for field in dataclasses.fields(value)]
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, tuple | list) else None


def rebuilt(value: Any, leaves: Iterator[Any]) -> Any:
    """A container like `value` with other leaves."""
    items = items_of(value)
    if items is None:
        return next(leaves)
    new = [rebuilt(item, leaves) for item in items]
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return type(value)(**dict(zip(names, new, strict=True)))  # type: ignore[arg-type]
    if isinstance(value, dict):
        return dict(zip(value, new, strict=True))
    return type(value)(*new) if hasattr(value, "_fields") else type(value)(new)


def is_floating(leaf: Any) -> bool:
    return isinstance(leaf, float) or (
        isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.kind == "f"
    )


def like(leaf: Any, values: Any) -> Any:
    """Values as an array, NumPy scalar or float: as `leaf` is."""
    if isinstance(leaf, np.ndarray):
        return np.array(values, leaf.dtype)
    return leaf.dtype.type(values) if isinstance(leaf, np.generic) else float(values)


def shape_and_dtype(leaf: Any) -> tuple[Any, ...]:
    """Kind, shape and dtype. Python's floats and NumPy's float64 may stand for each other."""
    if isinstance(leaf, np.ndarray | np.generic):
        return (isinstance(leaf, np.ndarray), leaf.shape, leaf.dtype)
    return (False, (), np.dtype(type(leaf)))


def same_bits(left: Any, right: Any) -> bool:
    """Whether two results are the same: types, shapes, dtypes and every bit."""
    a, b = leaves_of(left), leaves_of(right)
    return len(a) == len(b) and all(
        shape_and_dtype(x) == shape_and_dtype(y)
        and np.asarray(x).tobytes() == np.asarray(y).tobytes()
        if is_floating(x) or isinstance(x, np.ndarray)
        else x == y
        for x, y in zip(a, b, strict=True)
    )


# Derivatives --------------------------------------------------------------------------------------


def weighted(result: Any, weights: Sequence[Any]) -> float:
    """The sum of the float leaves of a result, weighted: a scalar that has all of them in it."""
    floats = [leaf for leaf in leaves_of(result) if is_floating(leaf)]
    return float(sum(np.sum(np.asarray(x) * w) for x, w in zip(floats, weights, strict=True)))


def central_differences(
    function: Callable[..., float],
    arguments: Sequence[Any],
    wrt: Sequence[int],
    relative_step: float = 2e-3,
) -> list[list[Any]]:
    """The derivative of a scalar function by each float leaf of the arguments `wrt`.

    Richardson's extrapolation of two central differences: the error is of fourth order in the step.
    """
    wide = [_widened(argument) for argument in arguments]
    gradients: list[list[Any]] = []
    for place in wrt:
        leaves = leaves_of(wide[place])
        found: list[Any] = []
        for number, leaf in enumerate(leaves):
            if not is_floating(leaf):
                continue
            gradient = np.zeros(np.shape(leaf))
            for index in np.ndindex(np.shape(leaf)):

                def moved(
                    step: float, place: int = place, number: int = number, index: Any = index
                ) -> float:
                    return function(*_moved(wide, place, number, index, step))

                step = relative_step * max(1.0, abs(float(np.asarray(leaf)[index])))
                coarse = (moved(step) - moved(-step)) / (2 * step)
                fine = (moved(step / 2) - moved(-step / 2)) / step
                gradient[index] = (4 * fine - coarse) / 3
            found.append(gradient)
        gradients.append(found)
    return gradients


def _widened(value: Any) -> Any:
    """With float32 as float64: differences of single precision say little."""

    def widen(leaf: Any) -> Any:
        if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f":
            return leaf.astype(np.float64)
        return np.float64(leaf) if isinstance(leaf, np.floating) else leaf

    return rebuilt(value, iter([widen(leaf) for leaf in leaves_of(value)]))


def _moved(arguments: Sequence[Any], place: int, number: int, index: Any, step: float) -> list[Any]:
    leaves = leaves_of(arguments[place])
    leaf = leaves[number]
    if isinstance(leaf, np.ndarray):
        leaf = leaf.copy()
        leaf[index] += step
    else:
        leaf = leaf + step
    leaves[number] = leaf
    moved = list(arguments)
    moved[place] = rebuilt(arguments[place], iter(leaves))
    return moved


def far_apart(left: Sequence[Any], right: Sequence[Any], tolerance: float) -> str:
    """Where lists of arrays differ by more than `tolerance` of their largest number, or nothing."""
    scale = max([1.0, *(float(np.max(np.abs(x), initial=0.0)) for x in right)])
    for place, (a, b) in enumerate(zip(left, right, strict=True)):
        if not np.allclose(a, b, rtol=0.0, atol=tolerance * scale):
            return f"number {place}: {a} is not {b}"
    return ""


def arrays_in(value: Any) -> list[np.ndarray]:
    return [leaf for leaf in leaves_of(value) if isinstance(leaf, np.ndarray)]


def is_scalar_result(function: Function, has_aux: bool) -> bool:
    """Whether `grad` takes the function."""
    output = function.output
    if has_aux:
        assert isinstance(output, Structure)
        output = output.items[0]
    if isinstance(output, Structure):
        return False
    return isinstance(output.type, Number | Scalar) or getattr(output.type, "shape", None) in (
        (),
        None,
    )
