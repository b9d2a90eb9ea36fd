"""The cheapest set of edges that separates two nodes of a small graph.

Shortest augmenting paths (Edmonds and Karp 1972). Everything goes by the order in which edges were
added, so that the same graph has the same answer in every run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from math import inf

LEAST = 1e-9  # less is rounding


class Graph:
    """A directed graph with capacities."""

    def __init__(self) -> None:
        self.capacity: dict[Hashable, dict[Hashable, float]] = {}

    def connect(self, start: Hashable, end: Hashable, capacity: float) -> None:
        edges = self.capacity.setdefault(start, {})
        edges[end] = edges.get(end, 0.0) + capacity
        self.capacity.setdefault(end, {}).setdefault(start, 0.0)

    def beyond_cut(self, source: Hashable, sink: Hashable) -> set[Hashable]:
        """The nodes on the sink's side of a minimum cut: of all such cuts, the one nearest to it.

        Raises ValueError where only edges without limit connect the two.
        """
        residual = {node: dict(edges) for node, edges in self.capacity.items()}
        if source not in residual or sink not in residual:
            return {sink}
        while True:
            came_from = _search(residual, source, sink)
            if sink not in came_from:
                break
            path = [sink]
            while path[-1] != source:
                path.append(came_from[path[-1]])
            steps = list(zip(path[1:], path, strict=False))
            flow = min(residual[start][end] for start, end in steps)
            if flow == inf:
                raise ValueError("no cut")
            for start, end in steps:
                residual[start][end] -= flow
                residual[end][start] += flow
        return _leading_to(residual, sink)


def _search(
    residual: dict[Hashable, dict[Hashable, float]], source: Hashable, sink: Hashable
) -> dict[Hashable, Hashable]:
    came_from: dict[Hashable, Hashable] = {source: source}
    pending = deque([source])
    while pending:
        node = pending.popleft()
        for end, left in residual[node].items():
            if left > LEAST and end not in came_from:
                came_from[end] = node
                if end == sink:
                    return came_from
                pending.append(end)
    return came_from


def _leading_to(residual: dict[Hashable, dict[Hashable, float]], sink: Hashable) -> set[Hashable]:
    found, pending = {sink}, [sink]
    while pending:
        node = pending.pop()
        for other in residual[node]:  # every edge has its counterpart
            if other not in found and residual[other][node] > LEAST:
                found.add(other)
                pending.append(other)
    return found
