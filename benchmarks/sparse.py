"""What sparse Jacobians cost: entries, directions, and the time of one in calls of the function.

    python benchmarks/sparse.py                  all problems
    python benchmarks/sparse.py bundle --large   up to 225,911 observations

The directions are those of a colouring, and do not grow with a problem. Before anything is timed
the matrix is compared with a difference quotient of the function along a random direction.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any

import numpy as np

from s2s_ad import jacobian

Problem = tuple[str, Callable[..., Any], tuple[Any, ...], Any]
# Cameras, points and observations of two data sets of GradBench's bundle adjustment, and a part
CAMERAS_POINTS_SEEN = ((8, 776, 3184), (49, 7776, 31843))
LARGE = (257, 65132, 225911)
SHORTEST_ROUND = 0.02  # seconds


def tridiagonal(x):
    y = 2.0 * x + x**3
    y[1:] -= x[:-1]
    y[:-1] -= x[1:]
    return y


def five_point(u):
    v = -4.0 * u + u**2
    v[1:] += u[:-1]
    v[:-1] += u[1:]
    v[:, 1:] += u[:, :-1]
    v[:, :-1] += u[:, 1:]
    return v


def border(x):
    """Three full rows, three full columns, and nothing else."""
    y = np.sum(np.sin(x[:3])) * np.ones(x.shape)
    for k in range(3):
        y[k] = np.sum(x ** (k + 2))
    return y


def bundle(cameras, points, weights, seen, found):
    """Where cameras see points, less where they were found; and what holds the weights at 1."""
    camera, point = cameras[seen[:, 0]], points[seen[:, 1]] - cameras[seen[:, 0], 3:6]
    turn = camera[:, 0:3]
    angle = np.sqrt(np.sum(turn**2, axis=1))
    axis = turn / angle[:, None]
    along = np.sum(axis * point, axis=1) * (1.0 - np.cos(angle))
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    turned = point * cosine + np.cross(axis, point) * sine + axis * along[:, None]
    flat = turned[:, 0:2] / turned[:, 2:3]
    square = np.sum(flat**2, axis=1)
    distortion = 1.0 + camera[:, 9] * square + camera[:, 10] * square**2
    placed = flat * (distortion * camera[:, 6])[:, None] + camera[:, 7:9]
    return weights[:, None] * (placed - found), 1.0 - weights**2


def cameras_and_points(random: np.random.Generator, sizes: Sequence[int]) -> tuple[Any, ...]:
    """Cameras and points in turn, as in the generator of GradBench's data."""
    n, m, p = sizes
    seen = np.stack([np.arange(p) % n, np.arange(p) % m], axis=1)
    cameras = 0.3 + random.normal(0.0, 0.1, (n, 11))
    points = random.normal(0.0, 0.5, (m, 3)) + np.array([0.0, 0.0, 5.0])
    return cameras, points, random.uniform(0.5, 1.5, p), seen, random.normal(size=(p, 2))


def problems(random: np.random.Generator, large: bool) -> Iterator[Problem]:
    for n in (100, 10_000, 1_000_000):
        yield f"tridiagonal, n = {n}", tridiagonal, (random.normal(size=n),), 0
    for n in (10, 300):
        yield f"five_point, {n} x {n}", five_point, (random.normal(size=(n, n)),), 0
    for n in (100, 10_000):
        yield f"border, n = {n}", border, (random.uniform(-1.0, 1.0, n),), 0
    for sizes in (*CAMERAS_POINTS_SEEN, *([LARGE] if large else [])):
        arguments = cameras_and_points(random, sizes)
        yield f"bundle, {sizes[2]} observations", bundle, arguments, (0, 1, 2)


def compare(problem: Problem, matrix: Any, random: np.random.Generator) -> None:
    """Raise AssertionError unless the matrix is the slope along a direction: to the third power of
    the step, whose best choice is the cube root of the rounding error.
    """
    _, function, arguments, wrt = problem
    places = (wrt,) if isinstance(wrt, int) else wrt
    along = [random.normal(size=arguments[place].shape) for place in places]

    def moved(step: float) -> Any:
        given = list(arguments)
        for place, direction in zip(places, along, strict=True):
            given[place] = arguments[place] + step * direction
        result = function(*given)
        parts = result if isinstance(result, tuple) else (result,)
        return np.concatenate([np.ravel(part) for part in parts])

    step = np.finfo(float).eps ** (1 / 3)
    slope = (moved(step) - moved(-step)) / (2.0 * step)
    found = matrix @ np.concatenate([np.ravel(part) for part in along])
    assert np.max(np.abs(found - slope)) <= 1e-7 * np.max(np.abs(slope)), problem[0]


def seconds(call: Callable[[], Any]) -> float:
    """CPU time of a call: the median of rounds that are long enough for the clock."""
    count, times = 1, [0.0]
    while times[-1] < SHORTEST_ROUND:
        count *= 2
        times = [rounds_of(call, count)]
    return median([*times, *(rounds_of(call, count) for _ in range(4))]) / count


def rounds_of(call: Callable[[], Any], count: int) -> float:
    start = time.process_time()
    for _ in range(count):
        call()
    return time.process_time() - start


def row(problem: Problem, random: np.random.Generator) -> str:
    name, function, arguments, wrt = problem
    derivative = jacobian(function, wrt=wrt, sparse="csr")
    start = time.process_time()
    matrix = derivative(*arguments)
    made = time.process_time() - start
    compare(problem, matrix, random)
    cost = seconds(lambda: derivative(*arguments)) / seconds(lambda: function(*arguments))
    return f"{name:<30} {made:>7.2f} s {cost:>9.1f}  {derivative.source.splitlines()[2]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", help="problems; all of them if none is named")
    parser.add_argument("--large", action="store_true", help="bundle adjustment in the large")
    options = parser.parse_args()
    random = np.random.default_rng(0)
    print(f"{'problem':<30} {'made in':>9} {'in calls':>9}  entries and directions")
    for problem in problems(random, options.large):
        if not options.names or problem[1].__name__ in options.names:
            print(row(problem, random), flush=True)


if __name__ == "__main__":
    main()
