"""A failure as text: what was seen, the program made small, and the point at which it shows."""

from __future__ import annotations

from tests.farm.generator import Program
from tests.farm.oracle import judge
from tests.farm.shrink import shrink
from tests.farm.verdicts import Verdict


def report(program: Program, verdict: Verdict, seconds: float) -> str:
    """A failure as a golden case, made small. The case names the arguments for which it fails: they
    have the sizes and domains that an operation needs.
    """
    second = verdict.kind == "wrong second derivative" or program.seed % 16 == 0

    def fails(smaller: Program) -> bool:
        return judge(smaller, second).kind == verdict.kind

    small = shrink(program, fails, seconds)
    seen = judge(small, second)
    options = [f'arg="{name}={type}"' for name, type in small.arguments]
    options += [f'points=0 at="{seen.at}"'] if seen.at else []
    last = seen.detail.strip().split("\n")[-1]
    return (
        f"## Seed {program.seed}: {verdict.kind}\n\n{last[:300]}\n\n"
        f"```python source {' '.join(options)}\n{small.text}```\n"
    )
