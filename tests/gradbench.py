"""The programs of GradBench with small arguments, from a directory with the files of the benchmark.

The two programs with derivatives inside read them from their module, where they are put here.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from s2s_ad import grad

BONES, VERTICES, POINTS = 22, 6, 4


def gradbench(directory: Path) -> Iterator[tuple[str, Callable[..., Any], tuple[Any, ...]]]:
    """Name, function and arguments of each program."""
    modules = {path.stem: module_of(path) for path in sorted(directory.glob("*.py"))}
    particle, saddle = modules["particle"], modules["saddle"]
    vars(particle)["dpotential"] = grad(particle.potential, wrt=(0, 1))
    vars(saddle)["df"] = grad(saddle.f, wrt=(2, 3))
    for name, arguments in programs():
        module, _, function = name.partition(".")
        yield name, getattr(modules[module], function), arguments


def module_of(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"gradbench_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def programs() -> Iterator[tuple[str, tuple[Any, ...]]]:
    draw = np.random.default_rng(2).normal
    yield "hello.square", (1.3,)
    yield "lse.primal", (draw(size=5),)
    yield "llsq.primal", (draw(size=4), 6)
    yield "llsq.primal_loop", (draw(size=4), 6)
    yield "ode.primal", (draw(size=4), 3)
    yield "ode.last", (draw(size=4), 3)
    yield "det.primal", (draw(size=9), 3)
    yield "kmeans.cost", (draw(size=(5, 2)), draw(size=(3, 2)))
    lstm = draw(size=(4, 8)), draw(size=(3, 2)), draw(size=(4, 2)), draw(size=(4, 2))
    yield "lstm.objective", lstm
    yield from mixtures(draw)
    one = 0.1 * draw(size=11) + 0.5, draw(size=3) + 2.0, 0.7, draw(size=2)
    yield "ba.reproj_one", one
    yield "ba.reproj_one", (np.zeros(11), *one[1:])
    batch = draw(size=(3, 11)), draw(size=(3, 3)) + 2.0, draw(size=3), draw(size=(3, 2))
    yield "ba.reproj", batch
    yield "ba.w_err", (draw(size=3),)
    yield from hands(draw)
    yield "particle.euler", (0.7,)
    yield "saddle.max_primal", (0.3, 0.2, 0.5, 0.4)


def mixtures(draw: Callable[..., Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    k, d, n = 2, 3, 4
    rows, columns = np.tril_indices(d, -1)
    places = np.full((d, d), len(rows))
    places[rows, columns] = range(len(rows))
    arrays = draw(size=k), draw(size=(k, d)), draw(size=(k, d)), draw(size=(k, len(rows)))
    yield "gmm.objective", (*arrays, draw(size=(n, d)), places, 1.2, 0.8, 0)
    yield "gmm.objective_setitem", (*arrays, draw(size=(n, d)), rows, columns, 1.2, 0.8, 0)


def hands(draw: Callable[..., Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    theta = 0.3 * draw(size=26)
    parents = [-1, *range(BONES - 1)]
    hand = (
        BONES,
        parents,
        0.3 * draw(size=(BONES, 4, 4)) + np.eye(4),
        0.3 * draw(size=(BONES, 4, 4)) + np.eye(4),
        draw(size=(VERTICES, 4)),
        draw(size=(VERTICES, BONES)),
        True,
    )
    points = draw(size=(POINTS, 3))
    where = [np.arange(k, k + POINTS) % VERTICES for k in range(3)]
    yield "ht.objective_simple", (theta, *hand, points, where[0])
    yield "ht.objective_complicated", (theta, draw(size=(POINTS, 2)), *hand, points, *where)
