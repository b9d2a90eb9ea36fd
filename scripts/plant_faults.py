"""Plants faults in copies of the compiler, one at a time, and counts the programs of the farm that
it takes to notice each.

    python scripts/plant_faults.py                 all faults of tests/farm/faults.py
    python scripts/plant_faults.py --only tape     those with a word in their name
    python scripts/plant_faults.py --markdown      the table for docs/proof.md

A fault that no program notices says that the farm has a gap: the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.farm.draw import draw
from tests.farm.faults import FAULTS, Fault
from tests.farm.oracle import judge

ROOT = Path(__file__).resolve().parent.parent
# Prints the seed and the kind of the first failure, if there is one.
CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.farm.draw import draw
from tests.farm.oracle import judge
for seed in range(int(sys.argv[2]), int(sys.argv[3])):
    verdict = judge(draw(seed, int(sys.argv[4])))
    if verdict.is_wrong:
        print(seed, verdict.kind)
        break
"""


@dataclass(frozen=True)
class Found:
    """The fault, the number of programs up to the one that shows it (0: none), and how it shows."""

    fault: Fault
    programs: int
    kind: str


def look_for(fault: Fault, count: int, size: int) -> Found:
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory)
        shutil.copytree(ROOT / "s2s_ad", copy / "s2s_ad", ignore=shutil.ignore_patterns("*.pyc"))
        shutil.copytree(ROOT / "tests", copy / "tests", ignore=shutil.ignore_patterns("cases"))
        fault.plant(copy / "s2s_ad")
        start = 0
        while start < count:
            seed, kind = _first_failure(copy, start, count, size)
            if seed < 0:
                break
            if not _fails_anyway(seed, size):
                return Found(fault, seed + 1, kind)
            start = seed + 1
    return Found(fault, 0, "")


def _first_failure(copy: Path, start: int, count: int, size: int) -> tuple[int, str]:
    limits = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(copy)}
    command = [sys.executable, "-c", CHILD, str(copy), str(start), str(count), str(size)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=copy, env={**os.environ, **limits}
    )
    if done.returncode:  # that shows nothing: the farm has to judge programs
        raise RuntimeError(f"the farm does not run:\n{done.stderr}")
    seed, _, kind = done.stdout.strip().partition(" ")
    return (int(seed), kind) if seed else (-1, "")


def _fails_anyway(seed: int, size: int) -> bool:
    """Whether a program fails without the fault, too: then it shows nothing."""
    return judge(draw(seed, size)).is_wrong


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Plant faults, and see the farm find them.")
    parser.add_argument("--count", type=int, default=3000, help="programs for each fault, at most")
    parser.add_argument("--size", type=int, default=9, help="statements of a program, about")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--only", default="", help="a word in the names of the faults")
    parser.add_argument("--markdown", action="store_true", help="print a table for the manual")
    given = parser.parse_args(arguments)
    faults = [fault for fault in FAULTS if given.only in fault.name]
    missed = 0
    if given.markdown:
        print("| Fault | Programs | Seen as |\n| --- | ---: | --- |")
    with ThreadPoolExecutor(given.jobs) as pool:
        look = partial(look_for, count=given.count, size=given.size)
        for found in pool.map(look, faults):
            missed += not found.programs
            cells = (found.fault.name, str(found.programs or "not found"), found.kind)
            line = f"| {' | '.join(cells)} |" if given.markdown else ": ".join(cells)
            print(line, flush=True)
    print(f"{len(faults) - missed} of {len(faults)} faults found", file=sys.stderr)
    return int(missed > 0 or not faults)


if __name__ == "__main__":
    sys.exit(main())
