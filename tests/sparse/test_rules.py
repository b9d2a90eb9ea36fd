"""Patterns of single operations, from the samples of the catalogue, against what really changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from s2s_ad.sparse.index_sets import IndexSets
from s2s_ad.sparse.line import Line
from s2s_ad.sparse.rules import passed_on
from s2s_ad.sparse.values import Known, NotTold, Spread, leaves_of
from tests.operations.samples import Case, differentiable, make_case

CASES: dict[str, list[Case]] = {}
for _op, _sample in differentiable():
    CASES.setdefault(_op.name, []).append(make_case(_op, _sample))


def flat(value: Any) -> Any:
    items = value if isinstance(value, tuple | list) else (value,)
    numbers = [np.ravel(item) for item in items if np.asarray(item).dtype.kind in "fiub"]
    return np.concatenate([number.astype(float) for number in numbers] or [np.zeros(0)])


def sets_found(case: Case) -> list[set[int]]:
    """What each element of the results depends on, of the elements of all float operands."""
    sets, count, values = IndexSets(), 0, []
    for name, value in case.values.items():
        if name in case.floats:
            values.append(Spread(sets.singles(np.shape(value), count)))
            count += np.size(value)
        else:
            values.append(Known(value))
    found = passed_on(Line(case.op, tuple(case.atoms()), tuple(values), sets))
    numbers = [number for leaf in leaves_of(found) for number in leaf.ravel().tolist()]
    return [set(sets.members(number)) for number in numbers]


def sets_seen(case: Case) -> list[set[int]]:
    """The same, from moving one element after the other."""
    before = flat(case.evaluate())
    seen: list[set[int]] = [set() for _ in before]
    count = 0
    for name in case.floats:
        value = np.asarray(case.values[name])
        for place in range(value.size):
            for step in (1e-3, -0.02):
                moved = value.copy()
                moved.reshape(-1)[place] += step
                after = flat(case.evaluate(**{name: moved if moved.ndim else moved[()]}))
                if after.shape != before.shape:
                    continue
                scale = 1e-9 * (1.0 + np.abs(before))
                for element in np.flatnonzero(np.abs(after - before) > scale):
                    seen[element].add(count + place)
        count += value.size
    return seen


@pytest.mark.parametrize("name", sorted(CASES))
def test_no_pattern_is_too_small(name: str) -> None:
    for case in CASES[name]:
        try:
            found = sets_found(case)
        except NotTold:
            continue  # refused: the shape depends on the values
        with np.errstate(all="ignore"):
            seen = sets_seen(case)
        assert len(found) == len(seen), case
        for element, (allowed, needed) in enumerate(zip(found, seen, strict=True)):
            assert needed <= allowed, (case, element)
