"""Judges a program: what the compiler makes of it against what Python and differences say.

`judge` runs the primal at drawn points, then its derivatives in several modes and at both levels,
and gives a `Verdict`: `right`, `refused` (with the names of the diagnostics), `skipped` (the primal
raises, is not finite, takes too long, or has a kink just there), or what is wrong.
"""

from __future__ import annotations

import random
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from s2s_ad.diagnostics import DifferentiationError
from tests.farm.generator import Program
from tests.farm.modules import Modules, run_module
from tests.farm.trials import Trial
from tests.farm.verdicts import Differs, Skipped, TooLong, Verdict, Wrong, limited

POINTS = ({"p": 4, "m": 2, "n": 3, "k": 2}, {"p": 2, "m": 3, "n": 1, "k": 0}, {"p": 3, "m": 1})
SMALL = ({"p": 1, "m": 1, "n": 2, "k": 1}, {"p": 0, "m": 2, "n": 0, "k": 0})
SECONDS = 20.0  # for one call of the compiler, or of a program that does not end


class At(Exception):
    """What went wrong (the cause), and the arguments for which it did."""


def judge(program: Program, second: bool | None = None) -> Verdict:
    """Judge a program. What takes long is done for some programs only, by their seeds; `second`
    says whether the gradient is differentiated again.
    """
    try:
        with limited(SECONDS), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return _judge(program, program.seed % 16 == 0 if second is None else second)
    except At as found:
        return replace(_verdict(found.__cause__), at=str(found))
    except TooLong:
        return Verdict("takes too long")
    except Exception as error:
        return _verdict(error)


def _verdict(error: BaseException | None) -> Verdict:
    match error:
        case Wrong():
            return Verdict(*map(str, error.args))
        case DifferentiationError():
            names = {diagnostic.name for diagnostic in error.diagnostics}
            return Verdict("refused", str(error), tuple(sorted(names)))
        case Exception():
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} in {place.name}"
            return Verdict(f"crash: {where}", "".join(traceback.format_exception(error)))
    raise AssertionError("nothing went wrong")


def _judge(program: Program, second: bool) -> Verdict:
    trials = list(trials_of(program))
    if not trials:
        return Verdict("skipped", "no point at which the primal is finite")
    mode = "value-and-grad" if program.scalar else "vjp"
    modules = Modules(program)
    level = int(program.seed % 4 != 0)
    first = modules.run(mode, level)
    other = modules.run(mode, 1 - level) if program.seed % 4 < 2 else None
    pushed = modules.run("jvp", int(program.seed % 8 > 2))
    if program.seed % 8 == 1 and modules.again(mode, level) != modules.text(mode, level):
        raise Wrong("not reproducible", modules.text(mode, level))
    said, reasons = 0, []
    for trial in trials:
        try:
            trial.check(first, other, pushed)
            if program.scalar and program.seed % 4 == 0:
                trial.check_pair(modules.run("vjp", 1))
            if second and program.scalar and not program.single:
                trial.check_second(modules)
            if program.scalar and program.seed % 256 == 7 and trial is trials[0]:
                trial.check_numba(modules.names(mode, level), f"{mode.replace('-', '_')}_f")
            if program.scalar and program.seed % 64 == 9 and not program.single:
                trial.check_jax(first)
            said += 1
        except Skipped as reason:
            reasons.append(str(reason))
        except Exception as error:
            if isinstance(error, Differs) and (trial.is_vast() or trial.is_chaotic()):
                reasons.append("numbers on the way are too large, or chaotic, to be compared")
                continue
            raise At(trial.shown()) from error
    return Verdict("right") if said else Verdict("skipped", "; ".join(reasons))


def trials_of(program: Program) -> Iterator[Trial]:
    """The program at points of different sizes, where its primal is finite."""
    primal = run_module(program.text)["f"]
    for number, sizes in enumerate(_sizes(program)):
        trial = Trial(program, primal, sizes, 7 * program.seed + number)
        if trial.is_finite:
            yield trial


def _sizes(program: Program) -> Iterator[dict[str, int]]:
    drawn = random.Random(program.seed)
    yield from POINTS[:2]
    if drawn.random() < 0.3:
        yield drawn.choice(SMALL)
    else:
        yield {**POINTS[2], "n": drawn.randint(0, 4), "k": drawn.randint(0, 3)}
