"""Random programs against difference quotients: as many as you like, from any seed.

    python scripts/farm.py --seed 0 --count 1000 --jobs 2
    python scripts/farm.py --count 100000 --state farm.jsonl    goes on where it stopped
    python scripts/farm.py --seed 77 --show                    one program, and its verdict

Every program follows from its seed. One for which the derivative is wrong, or the compiler fails,
is made small and printed as a golden case (`tests/cases`), the first of each kind. Of the others
the seeds are printed. The exit status is 1 then.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
# one thread a process: the arrays are small
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from tests.farm.draw import draw
from tests.farm.oracle import judge
from tests.farm.report import report

CHUNK = 20


def run_chunk(chunk: tuple[int, int], size: int) -> dict[str, Any]:
    """Judge the programs of some seeds. What comes back can be written as JSON."""
    counts: Counter[str] = Counter()
    names: Counter[str] = Counter()
    failures = []
    for seed in range(*chunk):
        drawn = draw(seed, size)
        verdict = judge(drawn)
        counts[verdict.kind] += 1
        names.update(verdict.names)
        if verdict.is_wrong:
            failures.append([seed, verdict.kind])
    return {"chunk": list(chunk), "counts": counts, "names": names, "failures": failures}


def settle_memory() -> None:
    """Collect garbage less often: a worker does not live long, and what is imported stays."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


def small_case(seed: int, size: int, seconds: float) -> str:
    drawn = draw(seed, size)
    return report(drawn, judge(drawn), seconds)


def chunks(seed: int, count: int, done: set[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for start in range(seed, seed + count, CHUNK):
        chunk = (start, min(start + CHUNK, seed + count))
        if chunk not in done:
            yield chunk


def recorded(state: Path | None, size: int) -> list[dict[str, Any]]:
    """What earlier runs with programs of this size have written down."""
    if state is None or not state.exists():
        return []
    lines = state.read_text(encoding="utf-8").splitlines()
    return [result for result in map(json.loads, lines) if result["size"] == size]


def show(seed: int, size: int) -> int:
    drawn = draw(seed, size)
    print(drawn.arguments, drawn.text, sep="\n")
    verdict = judge(drawn)
    print(verdict.kind, verdict.detail, sep="\n")
    return int(verdict.is_wrong)


def summary(results: list[dict[str, Any]], seconds: float) -> str:
    counts: Counter[str] = sum((Counter(r["counts"]) for r in results), Counter())
    names: Counter[str] = sum((Counter(r["names"]) for r in results), Counter())
    lines = [f"{sum(counts.values())} programs, {seconds:.0f} s"]
    lines += [f"  {number:7d} {kind}" for kind, number in counts.most_common()]
    lines += ["refused for"] + [f"  {number:7d} {name}" for name, number in names.most_common()]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Judge random programs.")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=200, help="how many programs")
    parser.add_argument("--size", type=int, default=14, help="statements of a program, about")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--state", type=Path, help="a file that remembers what has been done")
    parser.add_argument("--shrink", type=float, default=60.0, help="seconds to make one small")
    parser.add_argument("--show", action="store_true", help="print the program of --seed")
    given = parser.parse_args(arguments)
    if given.show:
        return show(given.seed, given.size)
    start = time.monotonic()
    results = recorded(given.state, given.size)
    done = {tuple(result["chunk"]) for result in results}
    work = partial(run_chunk, size=given.size)
    kinds: set[str] = set()
    cases = []
    # programs are many and leave much behind: processes are renewed
    with multiprocessing.Pool(given.jobs, settle_memory, maxtasksperchild=20) as pool:
        for result in pool.imap_unordered(work, chunks(given.seed, given.count, done)):
            results.append(result)
            if given.state is not None:
                with given.state.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({**result, "size": given.size}) + "\n")
            for seed, kind in result["failures"]:
                print(f"seed {seed}: {kind}", flush=True)
                if kind not in kinds:
                    cases.append(pool.apply_async(small_case, (seed, given.size, given.shrink)))
                    kinds.add(kind)
        for case in cases:
            print(case.get(), flush=True)
    wanted = range(given.seed, given.seed + given.count)
    mine = [r for r in results if r["chunk"][0] in wanted and r["chunk"][1] - 1 in wanted]
    print(summary(mine, time.monotonic() - start))
    return int(any(result["failures"] for result in mine))


if __name__ == "__main__":
    sys.exit(main())
