"""A program at a point: what the primal gives there, and what is asked of its derivatives."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from s2s_ad.diagnostics import DifferentiationError
from tests.farm.differences import EPSILON, STEPS, Slope, slope
from tests.farm.generator import Program
from tests.farm.modules import Modules, careful, run_module
from tests.farm.spelling import spelled
from tests.farm.verdicts import Differs, NotFinite, Skipped, TooLong, Unsettled, Wrong, limited
from tests.farm.witnesses import (
    by_autograd,
    by_jax,
    by_numba,
    complex_step,
    is_analytic,
    largest_number,
    meets_nan,
)
from tests.numerics import (
    is_floating,
    leaves_of,
    like,
    rebuilt,
    same_bits,
    shape_and_dtype,
    weighted,
)
from tests.operations.samples import draw

LARGEST = 1e6  # values beyond say little by differences
# Sums lose what is small beside the largest of the numbers in them, which need not be seen in what
# comes out: a gradient, or a number on the way, beyond these says nothing of the last digits.
VAST, VAST_SINGLE = 1e10, 1e5
CHAOTIC, NUDGES = 1e-8, 8
FINE_STEP = STEPS[4]  # about the one that quotients are taken from
STEEP = 1e12  # the results of two points that are near differ by less than 1e6
EXACT = 1e-9  # between two ways to compute one derivative, relative to its largest number


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

    def shown(self) -> str:
        """The arguments, as keywords for `at="..."` of a golden case."""
        names = [name for name, _ in self.program.arguments]
        return ", ".join(f"{n}={spelled(x)}" for n, x in zip(names, self.arguments, strict=True))

    def is_vast(self) -> bool:
        """Whether numbers on the way are too large for what comes out to be compared; in single
        precision also too small, since differences are taken in double.
        """
        if self.program.single and underflows(lambda: call(self.primal, self.arguments)):
            return True
        bound = VAST_SINGLE if self.program.single else VAST
        with np.errstate(all="ignore"):
            return largest_number(self.program.text, self.arguments) > bound

    def is_chaotic(self) -> bool:
        """Whether a last bit of the arguments decides about digits of the result, and of slopes."""
        drawn = np.random.default_rng(0)

        def nudged(value: Any) -> Any:
            if not is_floating(value):
                return value
            return value * (1.0 + EPSILON * drawn.choice((-1.0, 1.0), np.shape(value)))

        for _ in range(NUDGES):
            moved = call(self.primal, [nudged(x) for x in self.arguments])
            for one, other in zip(leaves_of(moved), leaves_of(self.result), strict=True):
                if is_floating(other):
                    far = np.abs(np.subtract(one, other))
                    if np.any(far > CHAOTIC * np.maximum(1.0, np.abs(other))):
                        return True
        return False

    def check(self, one: Any, other: Any, tangent: Any) -> None:
        """A gradient, that of the other level if given, and forward mode, against differences along
        two directions.
        """
        seeds = self._seeds()
        exact = self._gradient(one, seeds)
        close = exact if other is None else self._gradient(other, seeds)
        scale = max([1.0, *(float(np.max(np.abs(x), initial=0.0)) for x in exact)])
        if scale > STEEP:
            raise Unsettled("too steep for differences")
        for a, b in zip(exact, close, strict=True):
            if not np.allclose(a, b, rtol=0.0, atol=self.exact * scale):
                raise Differs("levels differ", f"{a} is not {b}, scale {scale}")
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
            moved = self._moved(direction, step)
            try:
                return weighted(call(self.primal, moved), seeds)
            except Exception as error:
                # another branch, which no derivative has to know
                raise Skipped("the primal raises beside the point") from error

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
            raise Differs("wrong gradient", f"{seen}, and by the complex step {expected}")

    def _check_autograd(self, exact: list[Any], scale: float) -> None:
        """Where differences do not settle. Autograd does not know what writes mean, though."""
        if not self.program.scalar or self.program.single:
            return
        found = by_autograd(self.program.text, self.arguments, self.places)
        if found is None or found[0] != self.result:
            return
        for one, other in zip(exact, found[1], strict=True):
            if np.all(np.isfinite(other)) and not np.allclose(one, other, 0.0, 1e-6 * scale):
                raise Differs("autograd differs", f"{one} is not {other}")

    def check_jax(self, gradient: Any) -> None:
        """Where JAX gives the same value: a program that writes means another thing to it."""
        exact = self._gradient(gradient, [1.0])
        if len(exact) != len(self.places):
            return
        found = by_jax(self.program.text, self.arguments, self.places)
        if found is None or not np.allclose(found[0], self.result, 1e-12, 1e-12):
            return
        theirs = [np.asarray(x) for x in found[1]]
        scale = max([1.0, *(float(np.max(np.abs(x), initial=0.0)) for x in exact)])
        for one, other in zip(exact, theirs, strict=True):
            if np.all(np.isfinite(other)) and not np.allclose(one, other, 0.0, 1e-8 * scale):
                try:
                    self._check_slope(theirs, [1.0], self._directions(), scale)
                except (Differs, Skipped):
                    return  # a kink, or a program that is another one to JAX
                raise Differs("JAX differs", f"{one} is not {other}")

    def check_numba(self, names: dict[str, Any], name: str) -> None:
        """What Numba makes of the generated code, where it takes it."""
        plain = guarded(names[name], self.arguments)
        found = by_numba(names, name, self.arguments)
        for one, other in zip(leaves_of(plain), leaves_of(found), strict=True) if found else ():
            bound = 100 * self.exact * max(1.0, float(np.max(np.abs(one), initial=0.0)))
            if not np.allclose(one, other, 0.0, bound, equal_nan=True):
                raise Differs("another result under Numba", f"{one} is not {other}")

    def _compare(self, seen: float, expected: Slope, scale: float, what: str) -> None:
        size = abs(expected.value)
        if expected.error > min(1e-4 * max(scale, size), 1e-2 * max(1.0, size)):
            raise Unsettled("differences do not settle")
        far = abs(seen - expected.value)
        loose = 2e-3 if self.program.single else 1e-6
        if not far <= loose * scale + 20.0 * expected.error:
            if expected.is_kink(1e-5 * scale):
                raise Skipped("a kink")
            with np.errstate(all="ignore"):
                largest = largest_number(self.program.text, self.arguments)
            if far <= 16.0 * EPSILON * largest / FINE_STEP:
                raise Unsettled("large numbers cancel: the quotients are rounded")
            raise Differs(what, f"{seen} along a direction where differences say {expected}")

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
            raise Differs("forward and reverse differ", f"{forward} is not {backward}")

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
        given = rebuilt(self.result, iter(seeds))
        gradient = guarded(lambda *_: careful(pullback)(given), self.arguments)
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


def underflows(run: Callable[[], Any]) -> bool:
    """Whether numbers on the way become 0, or lose digits, for being small."""
    try:
        with np.errstate(all="ignore", under="raise"):
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
        # a negative Python number ** 0.5 that the program does not use
        if "'complex'" in str(error) or "is complex where its base is negative" in str(error):
            raise Skipped("a complex number on the way") from error
        raise
    except ZeroDivisionError as error:
        if any(isinstance(given, np.ndarray) and not given.size for given in arguments):
            raise Skipped("a mean over nothing, which is NaN, that nobody reads") from error
        raise
    except UnboundLocalError as error:
        raise Wrong("an unbound name", traceback.format_exc()) from error
