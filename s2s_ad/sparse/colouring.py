"""Few directions that show all entries of a matrix of known pattern.

Columns that share no row may move together: one tangent shows them all. Likewise rows, in adjoints.
In a mixed covering each entry is read off one of the two; in a symmetric one off a tangent, at its
place or at that of its mirror image (a star colouring). A colour is the number of a direction.

Sources: A. H. Gebremedhin, F. Manne, A. Pothen, "What color is your Jacobian?", SIAM Review 47
(2005); A. H. Gebremedhin, A. Tarafdar, F. Manne, A. Pothen, "New acyclic and star coloring
algorithms", SIAM J. Sci. Comput. 29 (2007).
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from s2s_ad.sparse.pattern import Indices, Pattern

MOST_EDGES = 200_000  # of a graph that is coloured
MOST_REGULAR = 16
MOST_LEVELS = 12  # numbers of entries in a row that a mixed covering is tried for
DIRECTIONS = ("", "forward", "reverse", "mixed")


class TooDense(Exception):
    """A colouring would have to look at too many pairs, for little gain."""


@dataclass(frozen=True, eq=False)
class Covering:
    """The directions, and where each entry is read.

    `forward` has a colour for each column, `reverse` for each row, -1 for one that does not move.
    Entry k is read off the reverse sweep if `by_reverse[k]`, otherwise off the forward one; there,
    if `mirrored[k]`, at the place of its mirror image.
    """

    pattern: Pattern
    forward: Indices
    reverse: Indices
    by_reverse: npt.NDArray[np.bool_]
    mirrored: npt.NDArray[np.bool_]

    @property
    def forward_count(self) -> int:
        return int(self.forward.max(initial=-1)) + 1

    @property
    def reverse_count(self) -> int:
        return int(self.reverse.max(initial=-1)) + 1

    @property
    def count(self) -> int:
        return self.forward_count + self.reverse_count


def covering(pattern: Pattern, direction: str = "") -> Covering:
    """The covering of a Jacobian with the fewest directions found, or with those asked for.

    `direction` is "forward", "reverse", "mixed" or "" for any.
    """
    divisions = sorted(_divisions(pattern, direction), key=lambda division: division.bound)
    best: Covering | None = None
    for division in divisions:
        if best is None or division.bound < best.count:
            made = _covered(pattern, division.by_reverse)
            if best is None or made.count < best.count:
                best = made
    assert best is not None
    return best


@dataclass(frozen=True, eq=False)
class Division:
    """Which entries are for the reverse sweep, and how many directions are needed at least."""

    by_reverse: npt.NDArray[np.bool_]
    bound: int


def _divisions(pattern: Pattern, direction: str) -> Iterator[Division]:
    """One sweep only; for a mixed covering the fullest rows are for the reverse sweep, or all but
    the fullest columns.
    """
    if direction in ("", "forward"):
        yield Division(np.zeros(pattern.count, bool), _most_in_one(pattern.rows))
    if direction in ("", "reverse"):
        yield Division(np.ones(pattern.count, bool), _most_in_one(pattern.columns))
    if direction not in ("", "mixed"):
        return
    mixed = []
    for lines, others, inside in (
        (pattern.rows, pattern.columns, True),
        (pattern.columns, pattern.rows, False),
    ):
        counts = np.bincount(lines, minlength=1)
        # fewer levels than rows: the few fullest ones decide
        for level in np.unique(np.append(counts, 0))[-MOST_LEVELS:-1].tolist():
            chosen = (counts > level)[lines]
            bound = level + _most_in_one(others[chosen])
            mixed.append(Division(chosen if inside else ~chosen, bound))
    mixed.sort(key=lambda division: division.bound)
    yield from mixed[:6]
    if direction and not mixed:
        yield Division(np.zeros(pattern.count, bool), 0)


def _most_in_one(lines: Indices) -> int:
    return int(np.bincount(lines).max()) if lines.size else 0


def _covered(pattern: Pattern, by_reverse: npt.NDArray[np.bool_]) -> Covering:
    rows, columns, kept = pattern.rows, pattern.columns, ~by_reverse
    forward = _coloured(columns[kept], rows[kept], pattern.shape[1], pattern.column_parts)
    reverse = _coloured(rows[by_reverse], columns[by_reverse], pattern.shape[0], pattern.row_parts)
    return Covering(pattern, forward, reverse, by_reverse, np.zeros(pattern.count, bool))


# One side -----------------------------------------------------------------------------------------


def _coloured(
    lines: Indices, others: Indices, count: int, parts: Sequence[tuple[int, ...]]
) -> Indices:
    """Colours for the lines of a matrix (its columns, say), -1 for those without an entry.

    Two lines of one colour have no entry in a common place of the others.
    """
    used = np.unique(lines)
    fewest = _most_in_one(others)
    alone = np.full(count, -1, np.int64)
    alone[used] = np.arange(len(used))
    if fewest == len(used):
        return alone  # some place meets them all

    def is_proper(colours: Indices) -> bool:
        places = others * (int(colours.max(initial=0)) + 1) + colours[lines]
        return len(np.unique(places)) == len(places)

    regular = _regular(parts, fewest, fewest, is_proper)
    best = alone
    if regular is None:
        best = _first_fit(lines, others, count)
        if best.max() >= fewest:
            with contextlib.suppress(TooDense):
                greedy = _greedy(_conflicts(lines, others), count)
                best = min(best, greedy, key=np.max)
        most = min(int(best.max(initial=-1)), fewest + 8)
        regular = _regular(parts, fewest + 1, most, is_proper)
    if regular is not None:
        best = np.where(np.isin(np.arange(count), used), regular, -1)
    return best


def _regular(
    parts: Sequence[tuple[int, ...]],
    fewest: int,
    most: int,
    is_proper: Callable[[Indices], bool],
) -> Indices | None:
    """A colouring `(a * i + b * j + k) % count` by the place in the only array, with `fewest` to
    `most` colours.
    """
    shape = parts[0] if len(parts) == 1 else ()
    if not 0 < len(shape) < 4 or not np.prod(shape):
        return None
    places = np.indices(shape).reshape(len(shape), -1)
    for count in range(max(fewest, 1), most + 1):
        for factors in itertools.product(range(count), repeat=len(shape) - 1):
            colours = np.asarray((np.array([*factors, 1]) @ places) % count, np.int64)
            if is_proper(colours):
                return colours
    return None


def _first_fit(lines: Indices, others: Indices, count: int) -> Indices:
    """Each line, in their order, gets the first colour that none it meets has."""
    taken = [0] * (int(others.max(initial=-1)) + 1)  # the colours met in each place, as bits
    colours = np.full(count, -1, np.int64)
    order = np.argsort(lines, kind="stable")
    used, starts = np.unique(lines[order], return_index=True)
    for line, places in zip(used.tolist(), np.split(others[order], starts[1:]), strict=True):
        met = 0
        for place in places.tolist():
            met |= taken[place]
        free = ~met & (met + 1)
        colours[line] = free.bit_length() - 1
        for place in places.tolist():
            taken[place] |= free
    return colours


def _conflicts(lines: Indices, others: Indices) -> Any:
    """The graph whose edges join lines with entries in a common place of the others."""
    import networkx

    order = np.lexsort((lines, others))
    lines, others = lines[order], others[order]
    sizes = np.bincount(others) if others.size else np.zeros(0, np.int64)
    if int(np.sum(sizes * (sizes - 1) // 2)) > MOST_EDGES:
        raise TooDense
    graph = networkx.Graph()
    graph.add_nodes_from(np.unique(lines).tolist())
    for distance in range(1, int(sizes.max(initial=1))):
        together = others[distance:] == others[:-distance]
        pairs = np.stack([lines[:-distance][together], lines[distance:][together]], axis=1)
        graph.add_edges_from(np.unique(pairs, axis=0).tolist())
    return graph


def _greedy(graph: Any, count: int) -> Indices:
    """The best of two orders: by degrees, smallest last."""
    import networkx

    strategies = ("largest_first", "smallest_last")
    found = [networkx.greedy_color(graph, strategy) for strategy in strategies]
    return _as_array(_best(found), count)


def _best(found: Sequence[dict[int, int]]) -> dict[int, int]:
    return min(found, key=lambda colours: max(colours.values(), default=-1))


def _as_array(colours: dict[int, int], count: int) -> Indices:
    result = np.full(count, -1, np.int64)
    for line, colour in colours.items():
        result[line] = colour
    return result


# Symmetric ----------------------------------------------------------------------------------------


def symmetric_covering(pattern: Pattern) -> Covering:
    """The covering of a Hessian by tangents of the gradient: an entry or its mirror image is alone
    in its colour. The pattern comes back symmetric, should it not be.
    """
    pattern = _mirrored(pattern)
    neighbours = _neighbours(pattern)
    orders = (
        sorted(neighbours),
        sorted(neighbours, key=lambda vertex: (-len(neighbours[vertex]), vertex)),
    )
    size = pattern.shape[1]
    forward = _as_array(_best([_star(neighbours, order) for order in orders]), size)

    def is_proper(colours: Indices) -> bool:
        alone = _alone(pattern, colours)
        return bool(np.all(alone | alone[_mirror_places(pattern)]))

    if len(neighbours) == size:
        most = int(forward.max(initial=-1)) + 1
        regular = _regular(pattern.column_parts, 1, min(most, MOST_REGULAR), is_proper)
        forward = forward if regular is None else regular
    none = np.full(size, -1, np.int64)
    by_reverse = np.zeros(pattern.count, bool)
    return Covering(pattern, forward, none, by_reverse, ~_alone(pattern, forward))


def _mirrored(pattern: Pattern) -> Pattern:
    """The pattern and its mirror image."""
    size = pattern.shape[1]
    rows, columns = pattern.rows, pattern.columns
    places = np.unique(np.concatenate([rows * size + columns, columns * size + rows]))
    rows, columns = np.divmod(places, max(size, 1))
    return replace(pattern, rows=rows, columns=columns)


def _mirror_places(pattern: Pattern) -> Indices:
    """For each entry the number of its mirror image."""
    return np.lexsort((pattern.rows, pattern.columns)).argsort()


def _neighbours(pattern: Pattern) -> dict[int, list[int]]:
    """The graph of a symmetric pattern; vertices without an edge are there if they have a
    diagonal entry.
    """
    found: dict[int, list[int]] = {}
    for row, column in zip(pattern.rows.tolist(), pattern.columns.tolist(), strict=True):
        near = found.setdefault(row, [])
        if row != column:
            near.append(column)
            found.setdefault(column, [])
    return found


def _star(neighbours: dict[int, list[int]], order: Sequence[int]) -> dict[int, int]:
    """A star colouring: neighbours differ, and every path of four vertices has three colours."""
    colours: dict[int, int] = {}
    around: dict[int, dict[int, int]] = {vertex: {} for vertex in neighbours}
    for vertex in order:
        forbidden = set[int]()
        for near in neighbours[vertex]:
            colour = colours.get(near)
            if colour is None:
                continue
            forbidden.add(colour)
            twice = around[vertex][colour] > 1
            for far in neighbours[near]:
                if far == vertex or far not in colours:
                    continue
                # vertex - near - far - one more of near's colour, or another near - vertex - near
                if twice or around[far].get(colour, 0) > 1:
                    forbidden.add(colours[far])
        chosen = next(colour for colour in range(len(order) + 1) if colour not in forbidden)
        colours[vertex] = chosen
        for near in neighbours[vertex]:
            around[near][chosen] = around[near].get(chosen, 0) + 1
    return colours


def _alone(pattern: Pattern, forward: Indices) -> npt.NDArray[np.bool_]:
    """Whether each entry's column is the only one of its colour in the entry's row."""
    keys = pattern.rows * (int(forward.max(initial=0)) + 1) + forward[pattern.columns]
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    alone: npt.NDArray[np.bool_] = counts[inverse] == 1
    return alone


__all__ = ["DIRECTIONS", "Covering", "covering", "symmetric_covering"]
