"""Products of arrays, whose sums of products are those of `np.einsum`.

The pattern of `c[i, j] = sum(a[i, k] * b[k, j])`: what `c[i, j]` depends on is joined over the `k`
where neither factor is known to be zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters

import numpy as np

from s2s_ad.sparse.index_sets import NONE, ZERO, IndexSets, Numbers
from s2s_ad.sparse.line import Line
from s2s_ad.sparse.values import NotTold, Spread, Value, sets_of

MOST_PRODUCTS = 2 * 10**7


def contracted(line: Line) -> Value | None:
    spelled = _subscripts(line)
    if spelled is None:
        return None
    subscripts, factors = spelled
    return contract(subscripts, factors, line.sets)


def _subscripts(line: Line) -> tuple[str, list[Numbers]] | None:
    """The line as `np.einsum` would have it: the subscripts and the factors."""
    name = line.op.name
    if name == "numpy.einsum":
        text = str(line.known("subscripts")).replace(" ", "")
        if "." in text:
            return None
        factors = [sets_of(value) for value in line.values[1:-1]]
        return (text if "->" in text else f"{text}->{_implied(text)}"), factors
    if name not in ("@", "numpy.matmul", "numpy.dot", "numpy.inner", "numpy.vdot", "numpy.outer",
                    "numpy.tensordot"):  # fmt: skip
        return None
    left, right = sets_of(line.values[0]), sets_of(line.values[1])
    if name in ("numpy.vdot", "numpy.outer"):
        text = "i,i->" if name == "numpy.vdot" else "i,j->ij"
        return text, [left.ravel(), right.ravel()]
    if name == "numpy.tensordot":
        return _tensordot(line, left, right)
    if name in ("@", "numpy.matmul") and max(left.ndim, right.ndim) > 2:
        return _stacks(left, right)
    if min(left.ndim, right.ndim) == 0:
        one, other = ascii_letters[: left.ndim], ascii_letters[: right.ndim]
        return f"{one},{other}->{one or other}", [left, right]
    one = ascii_letters[: left.ndim]
    other = ascii_letters[26 : 26 + right.ndim]
    shared = len(other) - 1 if name == "numpy.inner" else max(len(other) - 2, 0)
    other = other[:shared] + one[-1] + other[shared + 1 :]
    result = (one[:-1] + other).replace(one[-1], "")
    return f"{one},{other}->{result}", [left, right]


def _implied(text: str) -> str:
    letters = text.replace(",", "")
    return "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))


def _tensordot(line: Line, left: Numbers, right: Numbers) -> tuple[str, list[Numbers]]:
    axes = line.known("axes")
    if isinstance(axes, int | np.integer):
        axes = (list(range(left.ndim - int(axes), left.ndim)), list(range(int(axes))))
    pairs = [[part] if isinstance(part, int | np.integer) else list(part) for part in axes]
    one = list(ascii_letters[: left.ndim])
    other = list(ascii_letters[26 : 26 + right.ndim])
    summed = set()
    for a, b in zip(*pairs, strict=True):
        other[b] = one[a]
        summed.add(one[a])
    result = "".join(letter for letter in one + other if letter not in summed)
    return f"{''.join(one)},{''.join(other)}->{result}", [left, right]


def _stacks(left: Numbers, right: Numbers) -> tuple[str, list[Numbers]] | None:
    """Matrices in stacks, which broadcast."""
    if min(left.ndim, right.ndim) < 2:
        return None
    shape = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left = np.broadcast_to(left, shape + left.shape[-2:])
    right = np.broadcast_to(right, shape + right.shape[-2:])
    stack = ascii_letters[26 : 26 + len(shape)]
    return f"{stack}ik,{stack}kj->{stack}ij", [left, right]


def contract(subscripts: str, factors: Sequence[Numbers], sets: IndexSets) -> Value | None:
    """The sets of the result; None if there are too many products to look at them all."""
    inputs, _, output = subscripts.partition("->")
    labels = inputs.split(",")
    sizes: dict[str, int] = {}
    for label, factor in zip(labels, factors, strict=True):
        for letter, size in zip(label, factor.shape, strict=True):
            met = sizes.setdefault(letter, size)
            if met != size and 1 not in (met, size):
                raise NotTold("the sizes in a product do not agree")
            sizes[letter] = size if met == 1 else met
    letters = list(sizes)
    shape = tuple(sizes[letter] for letter in output)
    if np.prod([float(size) for size in sizes.values()] or [1.0]) > MOST_PRODUCTS:
        return None
    grid = np.ogrid[tuple(slice(sizes[letter]) for letter in letters)]
    along = dict(zip(letters, grid, strict=True))
    whole = tuple(sizes.values())
    places = [
        np.broadcast_to(_flat(label, factor.shape, along), whole).ravel()
        for label, factor in zip(labels, factors, strict=True)
    ]
    target = np.broadcast_to(_flat(output, shape, along), whole).ravel()
    present = [factor.ravel()[place] for factor, place in zip(factors, places, strict=True)]
    kept = np.logical_and.reduce([part != ZERO for part in present])
    count = int(np.prod(shape, dtype=np.int64))
    groups = np.concatenate([target[kept]] * len(present))
    numbers = np.concatenate([part[kept] for part in present])
    found = sets.union_groups(groups, np.maximum(numbers, NONE), count)
    return Spread(found.reshape(shape))


def _flat(label: str, shape: Sequence[int], along: dict[str, Numbers]) -> Numbers:
    """The place in memory of an element, from the indices that the letters stand for."""
    place = np.zeros((), np.int64)
    for letter, size in zip(label, shape, strict=True):
        place = place * size + (along[letter] if size != 1 else 0)
    return place


__all__ = ["contract", "contracted"]
