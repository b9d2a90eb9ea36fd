"""Random programs: right, refused with a diagnostic, or not to be judged. Never wrong.

`scripts/farm.py` judges any number of them; here are a few hundred, and the parts of the farm.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.farm.generator import Program, program
from tests.farm.oracle import judge
from tests.farm.shrink import shrink

COUNT, CHUNK = 120, 5
FIRST = 1000


@pytest.mark.parametrize("start", range(FIRST, FIRST + COUNT, CHUNK))
def test_programs(start: int) -> None:
    for seed in range(start, start + CHUNK):
        drawn = program(seed, size=9)
        verdict = judge(drawn)
        assert not verdict.is_wrong, f"{verdict.kind}\n{drawn.text}\n{verdict.detail}"


def test_most_programs_are_judged() -> None:
    """A farm that skips and is refused says nothing."""
    kinds = [judge(program(seed, size=6)).kind for seed in range(30)]
    assert kinds.count("right") >= 20


def test_the_seed_is_the_program() -> None:
    assert program(5) == program(5)
    assert program(5) != program(6)


LINEAR = Program(
    "def f(x, a):\n    s = 0.0\n    for i in range(len(x)):\n        s = s + a * x[i]\n"
    "    t = a * a\n    return s + t\n",
    (("x", "float[p]"), ("a", "float")),
    seed=0,
)


def test_a_right_program_is_right() -> None:
    assert judge(LINEAR).kind == "right"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("    return undefined\n", "skipped"),
        ("    return a / 0.0\n", "skipped"),
        ("    with x:\n        pass\n    return a\n", "skipped"),
        ("    del s\n    return a\n", "refused"),
    ],
)
def test_programs_that_say_nothing(text: str, kind: str) -> None:
    head = LINEAR.text.rpartition("    return")[0]
    assert judge(replace(LINEAR, text=head + text)).kind == kind


def test_shrinking_keeps_what_is_wrong() -> None:
    small = shrink(LINEAR, lambda candidate: "a * x[i]" in candidate.text)
    assert len(small.text) < len(LINEAR.text)
    assert "a * x[i]" in small.text
    assert "t = a * a" not in small.text
