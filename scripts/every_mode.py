"""Every mode on every program: of the tests, of the golden cases, the examples and GradBench's.

    python scripts/every_mode.py                        all of them
    python scripts/every_mode.py programs golden        some kinds
    python scripts/every_mode.py farm --seed 0 --count 200
    python scripts/every_mode.py --gradbench ../shared/gradbench

What is compared is said in `tests/every_mode.py`. The exit status is 1 where modes differ or the
compiler fails; what it refuses is counted and listed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from s2s_ad.diagnostics import DifferentiationError
from tests import golden, programs, programs_in_place
from tests.every_mode import Disagreement, check_every_mode
from tests.farm.draw import draw
from tests.farm.oracle import trials_of
from tests.farm.verdicts import TooLong, limited
from tests.gradbench import gradbench

Wrt = tuple[str, ...] | None  # every parameter with floats, if None
Item = tuple[str, Callable[..., Any], tuple[Any, ...], Wrt]
KINDS = ("programs", "golden", "gradbench", "farm")
GRADBENCH = Path(__file__).resolve().parent.parent.parent / "shared" / "gradbench"
SECONDS = 300.0


def of_tests() -> Iterator[Item]:
    for function, arguments in (*programs.CASES, *programs_in_place.CASES):
        yield function.__name__, function, arguments, None


def of_golden_cases() -> Iterator[Item]:
    from tests.test_cases import EXECUTED, points, program, same_request

    for case, request in EXECUTED:
        if request.has_aux:
            continue
        function = golden.lower(case.source.text, request.func, request.arguments)
        block = next(b for b in case.expected if b.kind == "generated" and same_request(b, request))
        for arguments in list(points(case, block, function))[:1]:
            if not any(formal.kind == "keyword" for formal in function.formals):
                yield case.name, program(case)[function.name], tuple(arguments), request.wrt


def of_the_farm(seed: int, count: int) -> Iterator[Item]:
    import linecache

    for number in range(seed, seed + count):
        drawn = draw(number, 14)
        path = f"<every mode {number}>"
        linecache.cache[path] = (len(drawn.text), None, drawn.text.splitlines(True), path)
        names: dict[str, Any] = {"__name__": "farm"}
        exec(compile(drawn.text, path, "exec"), names)
        for trial in list(trials_of(drawn))[:1]:
            yield f"seed {number}", names["f"], tuple(trial.arguments), None


def verdict(
    function: Callable[..., Any], arguments: tuple[Any, ...], wrt: Wrt, levels: Sequence[int]
) -> tuple[str, str]:
    try:
        with limited(SECONDS), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            check_every_mode(function, arguments, levels, wrt)
    except Disagreement as problem:
        return "DIFFERS", str(problem)
    except DifferentiationError as error:
        names = {d.name for d in error.diagnostics}
        return ("FAILS" if "internal-error" in names else "refused"), str(error)
    except TooLong:
        return "takes too long", ""
    except Exception:
        return "FAILS", traceback.format_exc()
    return "right", ""


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare all modes on all programs.")
    parser.add_argument("kinds", nargs="*", help=f"some of {', '.join(KINDS)}")
    parser.add_argument("--only", default="", help="programs with this in their name")
    parser.add_argument("--gradbench", type=Path, default=GRADBENCH, help="where its programs are")
    parser.add_argument("--levels", type=int, nargs="*", default=[0, 1])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    given = parser.parse_args()
    kinds = given.kinds or KINDS[:3]
    counts: Counter[str] = Counter()
    sources: dict[str, Callable[[], Iterator[Item]]] = {
        "programs": of_tests,
        "golden": of_golden_cases,
        "gradbench": lambda: ((*item, None) for item in gradbench(given.gradbench)),
        "farm": lambda: of_the_farm(given.seed, given.count),
    }
    for kind in kinds:
        for name, function, arguments, wrt in sources[kind]():
            if given.only not in name:
                continue
            start = time.monotonic()
            said, detail = verdict(function, arguments, wrt, given.levels)
            counts[said] += 1
            if said != "right":
                print(f"{said}: {kind}: {name} ({time.monotonic() - start:.1f} s)")
                print("    " + "\n    ".join(detail.strip().splitlines()[-40:]), flush=True)
    print(", ".join(f"{number} {kind}" for kind, number in counts.most_common()))
    return int(any(kind.isupper() for kind in counts))


if __name__ == "__main__":
    sys.exit(main())
