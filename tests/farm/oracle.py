"""Judges a program: what the compiler makes of it against what Python and differences say.

`judge` runs the primal at drawn points, then its derivatives in several modes and at both levels,
and gives a `Verdict`: `right`, `refused` (with the names of the diagnostics), `skipped` (the primal
raises, is not finite, takes too long, or has a kink just there), or what is wrong.
"""

from __future__ import annotations

import ast
import linecache
import random
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from s2s_ad.diagnostics import DifferentiationError
from s2s_ad.frontend.annotations import TypeReader
from s2s_ad.frontend.lower import lower_function
from s2s_ad.frontend.resolve import FileScope
from s2s_ad.frontend.source import parse_text
from s2s_ad.frontend.values import UserFunction
from s2s_ad.ir import Function
from s2s_ad.pipeline import Options, differentiable, generate
from tests.farm.differences import Slope, slope
from tests.farm.generator import Program
from tests.farm.witnesses import by_autograd, by_numba, complex_step, is_analytic, meets_nan
from tests.numerics import (
    arrays_in,
    is_floating,
    leaves_of,
    like,
    rebuilt,
    same_bits,
    shape_and_dtype,
    weighted,
)
from tests.operations.samples import draw

POINTS = ({"p": 4, "m": 2, "n": 3, "k": 2}, {"p": 2, "m": 3, "n": 1, "k": 0}, {"p": 3, "m": 1})
SMALL = ({"p": 1, "m": 1, "n": 2, "k": 1}, {"p": 0, "m": 2, "n": 0, "k": 0})
LARGEST = 1e6  # values beyond say little by differences
SECONDS = 20.0  # for one call of the compiler, or of a program that does not end
EXACT = 1e-9  # between two ways to compute one derivative, relative to its largest number


@dataclass(frozen=True)
class Verdict:
    """What became of a program. `kind` names the class of an error, `detail` says more of it."""

    kind: str
    detail: str = ""
    names: tuple[str, ...] = ()

    @property
    def is_wrong(self) -> bool:
        return self.kind not in ("right", "refused", "skipped")


class Wrong(Exception):
    """A promise that is not kept: the class of the error, then what was seen."""


class NotFinite(Wrong):
    """A gradient that is infinite or NaN."""


class Skipped(Exception):
    """The program says nothing at this point."""


class Unsettled(Skipped):
    """Difference quotients say nothing."""


class TooLong(BaseException):
    """Time is over; no program may catch it."""


def judge(program: Program, second: bool | None = None) -> Verdict:
    """Judge a program. What takes long is done for some programs only, by their seeds; `second`
    says whether the gradient is differentiated again.
    """
    try:
        with limited(SECONDS), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return _judge(program, program.seed % 16 == 0 if second is None else second)
    except Wrong as wrong:
        return Verdict(*map(str, wrong.args))
    except TooLong:
        return Verdict("takes too long")
    except DifferentiationError as error:
        return Verdict("refused", str(error), tuple(sorted({d.name for d in error.diagnostics})))
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} in {place.name}"
        return Verdict(f"crash: {where}", traceback.format_exc())


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
    if program.scalar and program.seed % 256 == 7:
        trials[0].check_numba(modules.names(mode, level), f"{mode.replace('-', '_')}_f")
    said, reasons = 0, []
    for trial in trials:
        try:
            trial.check(first, other, pushed)
            if program.scalar and program.seed % 4 == 0:
                trial.check_pair(modules.run("vjp", 1))
            if second and program.scalar and not program.single:
                trial.check_second(modules)
            said += 1
        except Skipped as reason:
            reasons.append(str(reason))
    return Verdict("right") if said else Verdict("skipped", "; ".join(reasons))


# The compiler -------------------------------------------------------------------------------------


class Modules:
    """The generated modules of a program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.lowered = lower(program.text, "f", program.arguments)
        self.texts: dict[tuple[str, int], str] = {}
        self.pushed: Callable[..., Any] | None = None

    def text(self, mode: str, level: int) -> str:
        if (mode, level) not in self.texts:
            self.texts[mode, level] = self.again(mode, level)
        return self.texts[mode, level]

    def again(self, mode: str, level: int) -> str:
        return generate(self.lowered, options(self.lowered, mode, level), "case.py")

    def names(self, mode: str, level: int) -> dict[str, Any]:
        return run_module(self.text(mode, level))

    def run(self, mode: str, level: int) -> Callable[..., Any]:
        return careful(self.names(mode, level)[f"{mode.replace('-', '_')}_f"])

    def pushed_gradient(self) -> Callable[..., Any]:
        """The tangent of the generated gradient, which is a program like any other."""
        if self.pushed is None:
            self.pushed = self._pushed_gradient()
        return self.pushed

    def _pushed_gradient(self) -> Callable[..., Any]:
        text = self.text("grad", 1)
        function = lower(text, "grad_f", ())
        wrt = options(self.lowered, "grad", 1).wrt
        again = replace(options(function, "jvp", 1), wrt=wrt)
        return careful(run_module(generate(function, again, "case.py"))["jvp_grad_f"])


def lower(text: str, name: str, arguments: Sequence[tuple[str, str]]) -> Function:
    function = FileScope(parse_text(text, "case.py")).lookup(name)
    assert isinstance(function, UserFunction)
    reader = TypeReader()
    return lower_function(function, {n: reader.argument(t) for n, t in arguments})[0]


def options(function: Function, mode: str, level: int) -> Options:
    wrt = differentiable(function, Options(mode))
    return Options(mode, wrt, bare=len(wrt) == 1 and mode != "vjp", level=level)


def run_module(text: str) -> dict[str, Any]:
    """Execute a module; its lines are found again by tracebacks."""
    path = f"<farm {hash(text)}>"
    linecache.cache[path] = (len(text), None, text.splitlines(True), path)
    names: dict[str, Any] = {"__name__": "generated"}
    try:
        exec(compile(text, path, "exec"), names)
    finally:
        linecache.cache.pop(path, None)
    return names


def careful(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with the promises about memory checked at each call."""

    def called(*arguments: Any) -> Any:
        given = arrays_in([item for argument in arguments for item in leaves_of(argument)])
        before = [array.tobytes() for array in given]
        result = function(*arguments)
        if [array.tobytes() for array in given] != before:
            raise Wrong("an argument is changed")
        made = arrays_in(result)
        for place, array in enumerate(made):
            if any(np.shares_memory(array, other) for other in (*given, *made[:place])):
                raise Wrong("a result shares memory")
        return result

    return called


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TooLong when the time is over, where the system has timers. It is that of the
    processor: others use the machine as well.
    """
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def ring(number: int, frame: Any) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, ring)
    start = time.process_time()
    around, _ = signal.setitimer(signal.ITIMER_PROF, seconds)  # what is left of a limit around
    try:
        yield
    finally:
        left = max(1e-3, around - (time.process_time() - start)) if around else 0.0
        signal.signal(signal.SIGPROF, before)
        signal.setitimer(signal.ITIMER_PROF, left)


# Points -------------------------------------------------------------------------------------------


def trials_of(program: Program) -> Iterator[Trial]:
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


def value_of_type(
    name: str, text: str, sizes: dict[str, int], generator: np.random.Generator
) -> Any:
    """A value for an argument of a type as in `--arg`; integers are given with the sizes."""
    if text == "int":
        return sizes[name]
    if text == "float":
        return float(generator.uniform(-1.0, 1.0))
    kind, _, axes = text.rstrip("]").partition("[")
    shape = tuple(sizes[axis] for axis in axes.split(","))
    dtype = np.float32 if kind == "float32" else np.float64
    return generator.uniform(-1.0, 1.0, shape).astype(dtype)


class Trial:
    """A program at a point: what the primal gives there, and the checks."""

    def __init__(
        self, program: Program, primal: Callable[..., Any], sizes: dict[str, int], seed: int
    ) -> None:
        self.program, self.primal = program, primal
        self.generator = np.random.default_rng(seed)
        self.arguments = [self._argument(n, t, sizes) for n, t in program.arguments]
        self.places = [i for i, (_, t) in enumerate(program.arguments) if t.startswith("float")]
        self.result: Any = None
        self.is_finite = self._run()
        self.exact = 1e-4 if program.single else EXACT

    def _argument(self, name: str, text: str, sizes: dict[str, int]) -> Any:
        for drawn, specification, domain in self.program.drawn:
            if drawn == name:
                dtype = np.float32 if text.startswith("float32") else np.float64
                return draw(specification, domain, self.generator, dtype)
        return value_of_type(name, text, sizes, self.generator)

    def _run(self) -> bool:
        try:
            with limited(2.0):
                self.result = call(self.primal, self.arguments)
        except (Exception, TooLong):
            return False
        found = leaves_of(self.result)
        return all(
            is_floating(leaf) and np.max(np.abs(leaf), initial=0.0) < LARGEST for leaf in found
        ) and all(np.all(np.isfinite(leaf)) for leaf in found)

    # Checks ---------------------------------------------------------------------------------------

    def check(self, one: Any, other: Any, tangent: Any) -> None:
        """A gradient, that of the other level if given, and forward mode, against differences along
        two directions.
        """
        seeds = self._seeds()
        exact = self._gradient(one, seeds)
        close = exact if other is None else self._gradient(other, seeds)
        scale = max([1.0, *(float(np.max(np.abs(x), initial=0.0)) for x in exact)])
        for a, b in zip(exact, close, strict=True):
            if not np.allclose(a, b, rtol=0.0, atol=self.exact * scale):
                raise Wrong("levels differ", f"{a} is not {b}, scale {scale}")
        directions = self._directions()
        self._check_tangent(tangent, exact, seeds, directions, scale)
        self._check_slope(exact, seeds, self._directions(), scale)
        try:
            found = self._check_slope(exact, seeds, directions, scale)
        except Unsettled:
            self._check_autograd(exact, scale)
            raise
        self._check_complex_step(exact, seeds, directions, scale, found)

    def check_pair(self, vjp: Any) -> None:
        """The two functions of `vjp` for a program whose gradient is known to be right."""
        seeds = self._seeds()
        gradient = self._pulled(vjp, seeds)
        self._check_slope(gradient, seeds, self._directions(), 1.0)

    def check_second(self, modules: Modules) -> None:
        """The tangent of the generated gradient against differences of it."""
        try:
            pushed = modules.pushed_gradient()
        except DifferentiationError as error:
            raise Skipped("the gradient is refused") from error
        gradient = run_module(modules.text("grad", 1))["grad_f"]
        directions = self._directions()
        first, tangent = guarded(pushed, self.arguments, [directions[p] for p in self.places])
        if not same_bits(first, call(gradient, self.arguments)):
            raise Wrong("another gradient beside its tangent", f"{first}")
        weights = [self.generator.uniform(-1.0, 1.0, np.shape(leaf)) for leaf in leaves_of(tangent)]
        seen = weighted(tangent, weights)

        def line(step: float) -> float:
            return weighted(call(gradient, self._moved(directions, step)), weights)

        self._compare(seen, slope(line), max(1.0, abs(seen)), "wrong second derivative")

    def _check_slope(
        self, exact: list[Any], seeds: list[Any], direction: Any, scale: float
    ) -> Slope:
        along = [direction[place] for place in self.places]
        seen = weighted([np.asarray(x) for x in exact], [np.asarray(d) for d in along])

        def line(step: float) -> float:
            return weighted(call(self.primal, self._moved(direction, step)), seeds)

        found = slope(line)
        self._compare(seen, found, scale, "wrong gradient")
        return found

    def _check_complex_step(
        self,
        exact: list[Any],
        seeds: list[Any],
        directions: list[Any],
        scale: float,
        near: Slope,
    ) -> None:
        """More digits than quotients have. Where they contradict it, something in the program means
        another thing for complex numbers.
        """
        if self.program.single or not is_analytic(self.program.text):
            return
        expected = complex_step(self.primal, self.arguments, directions, seeds)
        if expected is None or abs(expected - near.value) > 1e-6 * scale + 20.0 * near.error:
            return
        along = [np.asarray(directions[place]) for place in self.places]
        seen = weighted([np.asarray(x) for x in exact], along)
        if not abs(seen - expected) <= 1e-9 * max(scale, abs(expected)):
            raise Wrong("wrong gradient", f"{seen}, and by the complex step {expected}")

    def _check_autograd(self, exact: list[Any], scale: float) -> None:
        """Where differences do not settle. Autograd does not know what writes mean, though."""
        if not self.program.scalar or self.program.single:
            return
        found = by_autograd(self.program.text, self.arguments, self.places)
        if found is None or found[0] != self.result:
            return
        for one, other in zip(exact, found[1], strict=True):
            if np.all(np.isfinite(other)) and not np.allclose(one, other, 0.0, 1e-6 * scale):
                raise Wrong("autograd differs", f"{one} is not {other}")

    def check_numba(self, names: dict[str, Any], name: str) -> None:
        """What Numba makes of the generated code, where it takes it."""
        plain = guarded(names[name], self.arguments)
        found = by_numba(names, name, self.arguments)
        for one, other in zip(leaves_of(plain), leaves_of(found), strict=True) if found else ():
            bound = 100 * self.exact * max(1.0, float(np.max(np.abs(one), initial=0.0)))
            if not np.allclose(one, other, 0.0, bound, equal_nan=True):
                raise Wrong("another result under Numba", f"{one} is not {other}")

    def _compare(self, seen: float, expected: Slope, scale: float, what: str) -> None:
        if expected.error > 1e-4 * max(scale, abs(expected.value)):
            raise Unsettled("differences do not settle")
        far = abs(seen - expected.value)
        loose = 2e-3 if self.program.single else 1e-6
        if not far <= loose * scale + 20.0 * expected.error:
            if expected.is_kink(1e-5 * scale):
                raise Skipped("a kink")
            raise Wrong(what, f"{seen} along a direction where differences say {expected}")

    def _check_tangent(
        self, jvp: Any, exact: list[Any], seeds: list[Any], directions: Any, scale: float
    ) -> None:
        along = [directions[place] for place in self.places]
        value, tangent = guarded(jvp, self.arguments, along)
        if not same_bits(value, self.result):
            raise Wrong("another value beside the tangent", f"{value} is not {self.result}")
        forward = weighted(tangent, seeds)
        backward = weighted([np.asarray(x) for x in exact], [np.asarray(d) for d in along])
        if not abs(forward - backward) <= 100 * self.exact * max(scale, abs(backward)):
            raise Wrong("forward and reverse differ", f"{forward} is not {backward}")

    def _gradient(self, function: Any, seeds: list[Any]) -> list[Any]:
        try:
            if not self.program.scalar:
                return self._pulled(function, seeds)
            value, gradient = guarded(function, self.arguments)
            return self._checked(value, gradient if len(self.places) > 1 else (gradient,))
        except NotFinite:
            if self.program.scalar and overflows(lambda: function(*self.arguments), "ignore"):
                raise Skipped("numbers on the way back are too large") from None
            raise

    def _pulled(self, vjp: Any, seeds: list[Any]) -> list[Any]:
        value, pullback = guarded(vjp, self.arguments)
        gradient = careful(pullback)(rebuilt(self.result, iter(seeds)))
        return self._checked(value, gradient)

    def _checked(self, value: Any, gradient: Any) -> list[Any]:
        if not same_bits(value, self.result):
            raise Wrong("another value", f"{value} is not {self.result}")
        found = leaves_of(gradient)
        for place, leaf in zip(self.places, found, strict=True):
            wanted = self.arguments[place]
            if shape_and_dtype(leaf)[-2:] != shape_and_dtype(wanted)[-2:]:
                raise Wrong("another type", f"{leaf!r} for {wanted!r}")
            if not np.all(np.isfinite(leaf)):
                if overflows(lambda: call(self.primal, self.arguments), "raise"):
                    raise Skipped("numbers on the way are not finite")
                if meets_nan(self.program.text, self.arguments):
                    raise Skipped("NaN on the way, in an element that is not used")
                raise NotFinite("not finite", f"{leaf}")
        return found

    def _seeds(self) -> list[Any]:
        if self.program.scalar:
            return [1.0]
        found = leaves_of(self.result)
        return [like(leaf, self.generator.uniform(-1.0, 1.0, np.shape(leaf))) for leaf in found]

    def _directions(self) -> list[Any]:
        drawn: list[Any] = [None] * len(self.arguments)
        for place in self.places:
            leaf = self.arguments[place]
            drawn[place] = like(leaf, self.generator.uniform(-1.0, 1.0, np.shape(leaf)))
        return drawn

    def _moved(self, directions: Sequence[Any], step: float) -> list[Any]:
        """The arguments, in double precision, a step along the directions."""

        def wide(value: Any) -> Any:
            return value.astype(np.float64) if isinstance(value, np.ndarray) else value

        pairs = zip(self.arguments, directions, strict=True)
        return [x if d is None else wide(x) + step * wide(d) for x, d in pairs]


def overflows(run: Callable[[], Any], divide: Literal["raise", "ignore"]) -> bool:
    """Whether infinity is met on the way. (Of NaN, see `meets_nan`.)"""
    try:
        with np.errstate(over="raise", divide=divide):
            run()
    except FloatingPointError:
        return True
    return False


def call(function: Callable[..., Any], arguments: Sequence[Any], more: Sequence[Any] = ()) -> Any:
    """Call with copies: a primal may write to its parameters."""
    copies = [x.copy() if isinstance(x, np.ndarray) else x for x in arguments]
    return function(*copies, *more)


def guarded(
    function: Callable[..., Any], arguments: Sequence[Any], more: Sequence[Any] = ()
) -> Any:
    """Call a derivative. One that does not take the arguments at its entry has kept its promise."""
    try:
        return function(*arguments, *more)
    except (TypeError, ValueError) as error:
        if "_f: expected" in str(error):
            raise Skipped("refused at the entry") from error
        raise
    except UnboundLocalError as error:
        raise Wrong("an unbound name", traceback.format_exc()) from error


def clean(text: str) -> str:
    return ast.unparse(ast.parse(text)) + "\n"
