"""Times the compiler itself: `python benchmarks/compile_time.py`.

A function of 20 lines, compiled first thing in a fresh process (after the imports) and again when
all caches are warm; straight-line functions of 250 to 4,000 statements and loops of 40 to 320,
whose cost a statement should stay the same; loops inside each other; and `s2sad --help`. Every time
is a median, of several processes where the process matters. Compilations are measured in CPU time.
"""

from __future__ import annotations

import argparse
import gc
import math
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median

COLD_GOAL, WARM_GOAL, HELP_GOAL = 0.100, 0.050, 0.200
# Cost grows as n to this power; a linear compiler on a noisy machine stays below.
POWER_GOAL = 1.2
SIZES = (250, 500, 1000, 2000, 4000)
IN_LOOPS = (40, 80, 160, 320)
DEEPEST = 6
PROCESSES = 7

TWENTY_LINES = """\
import numpy as np


def loss(
    W1: Float[Array, "d h"],
    b1: Float[Array, "h"],
    W2: Float[Array, "h k"],
    b2: Float[Array, "k"],
    X: Float[Array, "n d"],
    T: Float[Array, "n k"],
    lam: float,
) -> float:
    mean = np.mean(X, axis=0)
    std = np.std(X, axis=0)
    Z = (X - mean) / (std + 1e-6)
    A = Z @ W1 + b1
    H = np.tanh(A)
    gate = 1.0 / (1.0 + np.exp(-A))
    G = H * gate
    logits = G @ W2 + b2
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    e = np.exp(shifted)
    total = np.sum(e, axis=1, keepdims=True)
    log_p = shifted - np.log(total)
    picked = np.sum(T * log_p, axis=1)
    likelihood = -np.mean(picked)
    r1 = np.sum(W1**2)
    r2 = np.sum(W2 * W2)
    penalty = 0.5 * lam * (r1 + r2)
    entropy = -np.sum(e / total * log_p)
    value = likelihood + penalty + 0.01 * entropy
    return value
"""


@dataclass(frozen=True)
class Stages:
    """Seconds in each stage of one compilation."""

    parse: float
    lower: float
    derive: float
    emit: float

    @property
    def total(self) -> float:
        return self.parse + self.lower + self.derive + self.emit

    def __str__(self) -> str:
        parts = [f"{field.name} {getattr(self, field.name) * 1e3:.1f}" for field in fields(self)]
        return f"{self.total * 1e3:8.1f} ms  ({', '.join(parts)})"


def compile_once(text: str, name: str) -> Stages:
    """Compile the value and gradient with respect to all parameters, from text to text."""
    from s2s_ad.backend.emit import emit_module
    from s2s_ad.frontend.lower import lower_function
    from s2s_ad.frontend.resolve import FileScope
    from s2s_ad.frontend.source import parse_text
    from s2s_ad.pipeline import Options, derive

    clock = time.process_time  # a busy machine takes longer, but computes no more
    gc.collect()
    options = Options("value-and-grad")
    started = clock()
    scope = FileScope(parse_text(text, "program.py"))
    parsed = clock()
    function, _ = lower_function(scope.lookup(name))
    lowered = clock()
    functions = derive(function, options)
    derived = clock()
    emit_module(function, functions, options, "program.py")
    return Stages(parsed - started, lowered - parsed, derived - lowered, clock() - derived)


def typical(runs: list[Stages]) -> Stages:
    return sorted(runs, key=lambda stages: stages.total)[len(runs) // 2]


# Programs ---------------------------------------------------------------------------------------


def straight_line(count: int, parameter: str, result: str) -> str:
    """`count` statements, each of the one before and of one of the last twenty."""
    choose = random.Random(0)
    forms = (
        "np.sin({0}) + {1}",
        "{0} * {1}",
        "{0} - 0.5 * {1}",
        "np.tanh({0} + {1})",
        "{0} / (1.0 + {1} * {1})",
    )
    lines = ["import numpy as np", "", "", f"def f(x: {parameter}, y: {parameter}) -> float:"]
    lines += ["    t0 = x * y", "    t1 = x + y"]
    for k in range(2, count):
        other = choose.randrange(max(0, k - 20), k)
        lines.append(f"    t{k} = {forms[k % len(forms)].format(f't{k - 1}', f't{other}')}")
    lines.append(f"    return {result.format(f't{count - 1}')}")
    return "\n".join(lines) + "\n"


def scalars(count: int) -> str:
    return straight_line(count, "float", "{0}")


def arrays(count: int) -> str:
    return straight_line(count, 'Float[Array, "n"]', "np.sum({0})")


def elements(count: int) -> str:
    """Reads of single elements: their adjoints update one array, one after the other."""
    lines = ["import numpy as np", "", "", 'def f(x: Float[Array, "n"]) -> float:', "    s = 0.0"]
    lines += [f"    s = s + x[{k}] ** 2" for k in range(count)]
    return "\n".join([*lines, "    return s"]) + "\n"


def loops(count: int) -> str:
    """Loops one behind the other, of eight statements each, that write in place."""
    lines = ["import numpy as np", "", "", 'def f(x: Float[Array, "n"], a: float) -> float:']
    lines += ["    y = x.copy()", "    n = len(x)", "    s = 0.0"]
    for k in range(count // 8):
        lines.append("    for i in range(1, n):")
        for _ in range(4):
            lines.append(f"        y[i] = y[i] * a + 0.1 * np.sin(y[i - 1]) + {k}.0")
            lines.append("        s = s + y[i] * y[i]")
        lines.append("    s = np.sin(s) * a")
    return "\n".join([*lines, "    return s"]) + "\n"


def nest(depth: int) -> str:
    """Loops inside each other, with two statements at each level."""
    lines = ["import numpy as np", "", "", 'def f(x: Float[Array, "n"], a: float) -> float:']
    lines += ["    y = x.copy()", "    s = 0.0"]
    for k in range(depth):
        indent = "    " * (k + 2)
        lines.append(f"{indent[4:]}for i{k} in range(1, 3):")
        lines.append(f"{indent}s = s * a + np.sin(y[i{k}])")
        lines.append(f"{indent}y[i{k}] = y[i{k}] * s + a * y[i{k} - 1]")
    return "\n".join([*lines, "    return s + np.sum(y * y)"]) + "\n"


# Measurements -----------------------------------------------------------------------------------


def cold() -> Stages:
    """The first compilation of fresh processes."""
    command = [sys.executable, __file__, "--cold"]
    runs = []
    for _ in range(PROCESSES):
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        runs.append(Stages(*map(float, found.stdout.split())))
    return typical(runs)


def print_cold() -> None:
    """For the fresh process: import everything, then compile once."""
    import s2s_ad.backend.emit
    import s2s_ad.frontend.lower
    import s2s_ad.frontend.resolve
    import s2s_ad.pipeline  # noqa: F401

    stages = compile_once(TWENTY_LINES, "loss")
    print(stages.parse, stages.lower, stages.derive, stages.emit)


def warm() -> Stages:
    for _ in range(3):
        compile_once(TWENTY_LINES, "loss")
    return typical([compile_once(TWENTY_LINES, "loss") for _ in range(21)])


def growth(program: Callable[[int], str], sizes: tuple[int, ...]) -> float:
    """Print a line a size; give the power of the number of statements with which cost grows."""
    totals = []
    for size in sizes:
        text = program(size)
        stages = typical([compile_once(text, "f") for _ in range(3 if size <= 1000 else 1)])
        totals.append(stages.total)
        print(f"  {size:5} {stages}  {stages.total / size * 1e3:.2f} ms a statement", flush=True)
    return math.log(totals[-1] / totals[1]) / math.log(sizes[-1] / sizes[1])


def help_time() -> float | None:
    """Seconds for `s2sad --help`, start of Python included; None if it is not installed."""
    command = shutil.which("s2sad", path=str(Path(sys.executable).parent)) or shutil.which("s2sad")
    if command is None:
        return None
    times = []
    for _ in range(PROCESSES):
        start = time.perf_counter()
        found = subprocess.run([command, "--help"], capture_output=True)
        times.append(time.perf_counter() - start)
        if found.returncode:
            return None
    return median(times)


def verdict(found: float, goal: float) -> str:
    return f"{'met' if found <= goal else 'MISSED'}, goal {goal:g}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--cold", action="store_true", help="one compilation; prints its stages")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the longest function")
    options = parser.parse_args()
    if options.cold:
        print_cold()
        return 0
    first, again = cold(), warm()
    print(f"20 lines, cold {first}  {verdict(first.total, COLD_GOAL)}")
    print(f"20 lines, warm {again}  {verdict(again.total, WARM_GOAL)}")
    sizes = tuple(size for size in SIZES if size <= max(options.most, SIZES[1]))
    fine = first.total <= COLD_GOAL and again.total <= WARM_GOAL
    for what, program in (("scalars", scalars), ("arrays", arrays), ("elements", elements)):
        print(f"statements on {what}")
        power = growth(program, sizes)
        fine = fine and power <= POWER_GOAL
        print(f"  cost grows as n to the power {power:.2f}: {verdict(power, POWER_GOAL)}")
    print("statements in loops of eight")
    power = growth(loops, IN_LOOPS)
    fine = fine and power <= POWER_GOAL
    print(f"  cost grows as n to the power {power:.2f}: {verdict(power, POWER_GOAL)}")
    print("loops inside each other")
    for depth in range(1, DEEPEST + 1):
        print(f"  {depth:5} {typical([compile_once(nest(depth), 'f') for _ in range(3)])}")
    seconds = help_time()
    if seconds is None:
        print("s2sad --help: the command is not installed here")
    else:
        print(f"s2sad --help {seconds * 1e3:.0f} ms  {verdict(seconds, HELP_GOAL)}")
        fine = fine and seconds <= HELP_GOAL
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main())
