"""Evidence for a module: points chosen, branches reached, derivatives compared there.

What comes in: a target lowered, the user's live function, and texts of the modules to be tried.
What goes out: `Evidence`, all that `verify` prints and a certificate keeps. Points are drawn until
enough have a finite value; more are tried for branches that none has reached.
"""

from __future__ import annotations

import contextlib
import inspect
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np

from s2s_ad.coverage import Branch, Recorder, branches
from s2s_ad.diagnostics import DifferentiationError
from s2s_ad.ir import Formal
from s2s_ad.running import OF_GRADIENT, function_of, records_of, subject
from s2s_ad.sampling import drawn_point
from s2s_ad.targets import Lowered
from s2s_ad.verify import (
    AGREES,
    NoValue,
    Row,
    Settings,
    Subject,
    failures,
    value_at,
    verify_at,
)

POINTS = 5
# How many candidates are drawn for each point before giving up, and for branches not reached;
# the latter also end with this many instructions. Not with time: the same seed, the same points.
ATTEMPTS, SEARCHES = 12, 150
MOST_SEARCHED = 1_000_000

Progress = Callable[[int, int], None]


NOTHING: Mapping[str, Any] = MappingProxyType({})


def silent(done: int, all: int) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Request:
    """How many points are drawn with which seed; parameters with values in `given` are not drawn.

    If there are given points, none but these are used, and parameters missing there are drawn.
    """

    points: int = POINTS
    seed: int = 0
    given: tuple[Mapping[str, Any], ...] = ()
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True)
class Evidence:
    points: tuple[list[Any], ...]
    rows: tuple[Row, ...]
    taken: tuple[Branch, ...]
    missed: tuple[Branch, ...]
    problem: str = ""  # why there are fewer points than asked for

    @property
    def failures(self) -> list[str]:
        found = failures(self.rows)
        return [self.problem, *found] if self.problem and not self.rows else found

    @property
    def verdicts(self) -> Counter[str]:
        return Counter(row.verdict for row in self.rows)

    @property
    def identities(self) -> int:
        """Dot-product identities between forward and reverse mode that hold."""
        return sum(row.mode == "dot product" and row.verdict == AGREES for row in self.rows)


@dataclass
class _Search:
    """The points found so far, and what of the file they ran."""

    subject: Subject
    formals: Sequence[Formal]
    records: Mapping[str, Callable[..., Any]]
    recorder: Recorder
    generator: np.random.Generator
    points: list[list[Any]] = field(default_factory=list)
    problem: str = ""
    searched: int = 0

    def try_point(self, given: Mapping[str, Any], attempt: int) -> list[Any] | None:
        """A point at which the function has a finite value, or None; what it runs is recorded."""
        arguments = drawn_point(self.formals, given, self.generator, attempt, self.records)
        with np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
            seen = Recorder(self.recorder.path)
            try:
                seen.run(lambda: value_at(self.subject, arguments))
            except NoValue as problem:
                self.problem = str(problem)
                return None
            finally:
                self.searched += seen.total
        # what a run that failed went through is no evidence
        self.recorder.add(seen)
        return arguments

    def find(self, given: Mapping[str, Any]) -> None:
        start = len(self.points)
        for attempt in range(ATTEMPTS):
            point = self.try_point(given, start + attempt)
            if point is not None:
                self.points.append(point)
                return


def gather(
    subject: Subject,
    formals: Sequence[Formal],
    records: Mapping[str, Callable[..., Any]],
    source: tuple[str, str, str],
    request: Request,
    progress: Progress = silent,
    known: Mapping[str, Any] = NOTHING,
) -> Evidence:
    """Compare at the points of a request. `source` is the path of the file as compiled, its text
    and the name of the function; parameters that are `known` have these values at every point.
    """
    path, text, name = source
    search = _Search(subject, formals, records, Recorder(path), np.random.default_rng(request.seed))
    for given in request.given or [{}] * request.points:
        search.find({**known, **given})
    if not request.given:
        _search_branches(search, lambda: branches(text, name, search.recorder)[1], known)
    rows: list[Row] = []
    for number, arguments in enumerate(search.points, start=1):
        progress(number, len(search.points))
        rows += _compared(subject, arguments, number, request)
    taken, missed = branches(text, name, search.recorder)
    wanted = len(request.given) or request.points
    problem = ""
    if len(search.points) < wanted:
        problem = f"no finite value at {wanted - len(search.points)} of {wanted} points" + (
            f": {search.problem}" if search.problem else ""
        )
    return Evidence(tuple(search.points), tuple(rows), tuple(taken), tuple(missed), problem)


def _search_branches(
    search: _Search, missed: Callable[[], Sequence[Branch]], known: Mapping[str, Any]
) -> None:
    """Draw further points for branches that were not reached, and keep those that reach one."""
    left = missed()
    search.searched = 0
    for attempt in range(SEARCHES):
        if not left or not search.points or search.searched > MOST_SEARCHED:
            return
        point = search.try_point(known, attempt + 1)
        now = missed()
        if point is not None and len(now) < len(left):
            search.points.append(point)
        left = now


def _compared(
    subject: Subject, arguments: Sequence[Any], number: int, request: Request
) -> Iterable[Row]:
    generator = np.random.default_rng([request.seed, number])
    with contextlib.redirect_stdout(io.StringIO()):
        return verify_at(subject, arguments, number, generator, request.settings)


def points_text(evidence: Evidence, names: Sequence[str]) -> Iterator[str]:
    """Each point as it can be given again."""
    for number, point in enumerate(evidence.points, start=1):
        values = ", ".join(f"{n}={_literal(v)}" for n, v in zip(names, point, strict=True))
        yield f"point {number}: {values}"


def _literal(value: Any) -> str:
    """The value as `--at` takes it; large arrays are cut."""
    if isinstance(value, np.ndarray | np.generic):
        listed = repr(value.tolist())
        return listed if len(listed) <= 200 else f"<array of shape {value.shape}>"
    return repr(value)


# For targets --------------------------------------------------------------------------------------


def gather_for(
    lowered: Lowered,
    module: ModuleType,
    path: str,
    request: Request,
    text: str | None = None,
    progress: Progress = silent,
) -> Evidence:
    """The evidence for a target, whose file is imported as `module`. `text` is the module to try,
    where it is not to be made anew; the other mode is made for the dot products, if it can be.

    Raises CannotRun.
    """
    mode = lowered.options.mode
    texts = {mode: text if text is not None else lowered.module(path)}
    if mode in OF_GRADIENT:
        gradient = replace(lowered.options, mode="grad", sparse="")
        texts["grad"] = replace(lowered, options=gradient).module(path)
    elif mode != "jacobian":
        other = "vjp" if mode == "jvp" else "jvp"
        with contextlib.suppress(DifferentiationError):
            # a pullback's results are a tuple, with one entry for each parameter
            texts[other] = replace(
                lowered, options=replace(lowered.options, mode=other, bare=False)
            ).module(path)
    function = lowered.function
    primal = function_of(module, function.name)
    formals = [formal for formal in function.formals if not formal.hidden]
    code = getattr(inspect.unwrap(primal), "__code__", None)
    compiled = code.co_filename if code is not None else path
    with open(path, encoding="utf-8-sig") as stream:
        source = stream.read()
    return gather(
        subject(function, primal, texts, lowered.options),
        formals,
        records_of(formals, module),
        (compiled, source, function.name),
        request,
        progress,
        lowered.values,
    )
