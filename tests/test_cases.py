"""The golden cases of `tests/cases`: what is generated is compared, executed and differentiated.

`pytest --update-golden` rewrites the expected blocks in place; the review is the diff. Every
program that is not refused is also executed in all modes, at both levels, at seeded points:
gradients against central differences, level 0 against level 1, the value against the primal to the
last bit.
"""

from __future__ import annotations
import __future__

import copy
import inspect
import linecache
import shutil
import subprocess
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2s_ad.diagnostics import Diagnostic, DifferentiationError
from s2s_ad.ir import Function
from s2s_ad.pipeline import SWEEPS, differentiable
from tests import golden
from tests.golden import Block, Case, Request, module_text
from tests.numerics import (
    RANKS_FOR_UNKNOWN,
    Sampler,
    arrays_in,
    central_differences,
    far_apart,
    is_floating,
    is_scalar_result,
    leaves_of,
    like,
    rebuilt,
    same_bits,
    shape_and_dtype,
    weighted,
)

ALL = [case for path in sorted(golden.CASES.glob("*.md")) for case in golden.read_cases(path)]
BLOCKS = [(case, number) for case in ALL for number in range(len(case.expected))]
ROUNDING = 1e-12  # between two ways to write one formula, relative to the largest number
DIFFERENCES = 1e-7  # central differences after one extrapolation, for functions of order one
KINDS = ("dict", "list", "tupl")  # how the types of containers begin
SINGLE = 1e-4  # results in float32 against differences in float64


def block_name(case: Case, number: int) -> str:
    return f"{case.name} [{number}]"


@pytest.mark.parametrize(("case", "number"), BLOCKS, ids=[block_name(*pair) for pair in BLOCKS])
def test_expected(case: Case, number: int, request: pytest.FixtureRequest) -> None:
    block = case.expected[number]
    if block.kind == "run":
        names = {**program(case), "generated": first_module(case), "raises": pytest.raises}
        run(block.text, f"<{block_name(case, number)}>", names)
        return
    actual = golden.actual_text(case, block)
    if request.config.getoption("--update-golden"):
        golden.update(case, number, actual)
    else:
        assert actual == block.text
    refused = actual.startswith("error[")
    assert refused == (block.kind == "error"), actual


def first_module(case: Case) -> types.SimpleNamespace:
    """The names of the first generated module of a case."""
    requests = [block.request for block in case.expected if block.kind == "generated"]
    texts = [module_text(case.source.text, request) for request in requests[:1]]
    return types.SimpleNamespace(**run_module(texts[0]) if texts else {})


# Execution ----------------------------------------------------------------------------------------


def requests_of(case: Case) -> list[Request]:
    """What is asked of a program, modes and levels aside."""
    asked = [b.request for b in case.expected if b.kind == "generated"]
    return list(dict.fromkeys(replace(request, mode="grad", level=1) for request in asked))


EXECUTED = [(case, request) for case in ALL for request in requests_of(case)]


@pytest.mark.parametrize(("case", "request_"), EXECUTED, ids=[case.name for case, _ in EXECUTED])
def test_executed(case: Case, request_: Request) -> None:
    function = golden.lower(case.source.text, request_.func, request_.arguments)
    block = next(b for b in case.expected if b.kind == "generated" and same_request(b, request_))
    for arguments in points(case, block, function):
        Execution(case, block, request_, function, arguments).check()


@pytest.mark.parametrize(("case", "request_"), EXECUTED, ids=[case.name for case, _ in EXECUTED])
def test_differentiated_again(case: Case, request_: Request) -> None:
    """The generated gradient is a program like any other: its tangent against differences of it."""
    function = golden.lower(case.source.text, request_.func, request_.arguments)
    block = next(b for b in case.expected if b.kind == "generated" and same_request(b, request_))
    if request_.has_aux or block.option("second") == "no" or not is_scalar_result(function, False):
        return
    try:
        for arguments in points(case, block, function):
            Execution(case, block, request_, function, arguments).check_second_order()
    except DifferentiationError as error:
        if not all(is_write(diagnostic) for diagnostic in error.diagnostics):
            raise
        pytest.skip("the gradient writes to elements of an array")


def is_write(diagnostic: Diagnostic) -> bool:
    return diagnostic.name == "write-in-place" or "np.add.at" in diagnostic.message


def same_request(block: Block, request: Request) -> bool:
    return replace(block.request, mode="grad", level=1) == request


def program(case: Case) -> dict[str, Any]:
    """The names of a program after running it, as a module of its own whose source can be found."""
    name = "case_" + "".join(c if c.isalnum() else "_" for c in case.name)
    if name not in sys.modules:
        sys.modules[name] = types.ModuleType(name)
        run(case.source.text, f"<{name}>", vars(sys.modules[name]))
    return vars(sys.modules[name])


def run(text: str, path: str, names: dict[str, Any]) -> None:
    """Execute statements whose source can be found again. Annotations are not evaluated."""
    linecache.cache[path] = (len(text), None, text.splitlines(True), path)
    flags = __future__.annotations.compiler_flag
    exec(compile(text, path, "exec", flags, dont_inherit=True), names)


@cache
def run_module(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "generated"}
    run(text, f"<generated {hash(text)}>", names)
    return names


def points(case: Case, block: Block, function: Function) -> Iterator[list[Any]]:
    """Where a function is executed: three drawn points, and those that the case names."""
    low, high = map(float, block.option("domain", "0.4,1.6").split(","))
    named = [eval(f"dict({text})", {"np": np}) for text in block.options.get("at", ())]
    drawn: list[dict[str, Any]] = [{}] * int(block.option("points", "2"))
    for number, fixed in enumerate([*drawn, *named]):
        unknown = RANKS_FOR_UNKNOWN[number % len(RANKS_FOR_UNKNOWN)]
        generator = np.random.default_rng(number)
        sampler = Sampler(generator, (low, high), unknown, fixed, program(case))
        yield sampler.arguments(function.formals)


class Execution:
    """A function at a point, in all modes and at both levels."""

    def __init__(
        self, case: Case, block: Block, request: Request, function: Function, arguments: list[Any]
    ) -> None:
        self.case, self.block, self.request, self.function = case, block, request, function
        self.arguments = arguments
        self.primal = sparing(program(case)[function.name])
        self.wrt = differentiable(function, golden.options_of(request, function))
        names = [formal.name for formal in function.formals]
        self.places = [names.index(name) for name in self.wrt]
        self.result = call(self.primal, arguments)
        value = self.result[0] if request.has_aux else self.result
        generator = np.random.default_rng(99)
        floats = [leaf for leaf in leaves_of(value) if is_floating(leaf)]
        self.scalar = is_scalar_result(function, request.has_aux)
        self.seeds = [
            like(leaf, 1.0 if self.scalar else generator.uniform(-1.0, 1.0, np.shape(leaf)))
            for leaf in floats
        ]
        self.value = value
        moved = [self.arguments[place] for place in self.places]
        single = any(
            is_floating(x) and np.asarray(x).dtype != float for x in leaves_of([moved, value])
        )
        self.rounding = SINGLE if single else ROUNDING
        default = SINGLE if single else DIFFERENCES
        self.tolerance = float(block.option("rtol", str(default)))

    def generated(self, mode: str, level: int) -> Callable[..., Any]:
        """A function of the generated module, which must leave its arguments alone and share no
        memory with them.
        """
        text = module_text(self.case.source.text, replace(self.request, mode=mode, level=level))
        function = run_module(text)[f"{mode.replace('-', '_')}_{self.function.name}"]
        return careful(function)

    def check(self) -> None:
        expected = self.differences()
        exact: list[Any] = []
        for level in (0, 1):
            for mode, gradient in self.gradients(level).items():
                self.check_types(gradient, f"{mode}, level {level}")
                floats = [
                    x for x in leaves_of(gradient) if x is not None and not isinstance(x, int)
                ]
                exact = exact or floats
                for other, tolerance in ((expected, self.tolerance), (exact, self.rounding)):
                    problem = far_apart(floats, other, tolerance)
                    assert not problem, f"{mode}, level {level}: {problem}"
            self.check_tangent(level, exact)

    def differences(self) -> list[Any]:
        def phi(*arguments: Any) -> float:
            value = call(self.primal, arguments)
            return weighted(value[0] if self.request.has_aux else value, self.seeds)

        found = central_differences(phi, self.arguments, self.places)
        return [gradient for group in found for gradient in group]

    def gradients(self, level: int) -> dict[str, Any]:
        """The gradient by every mode. The value beside it is seen to be that of the primal."""
        results: dict[str, Any] = {}
        if self.scalar:
            value, gradient = call(self.generated("value-and-grad", level), self.arguments)
            assert same_bits(value, self.result), f"value-and-grad, level {level}"
            results["value-and-grad"] = gradient
            gradient = call(self.generated("grad", level), self.arguments)
            results["grad"] = gradient[0] if self.request.has_aux else gradient
        value, pullback = call(self.generated("vjp", level), self.arguments)
        assert same_bits(value, self.result), f"vjp, level {level}"
        results["vjp"] = careful(pullback)(rebuilt(self.value, self.seed_leaves()))
        return results

    def seed_leaves(self) -> Iterator[Any]:
        supply = iter(self.seeds)
        return (next(supply) if is_floating(leaf) else None for leaf in leaves_of(self.value))

    def check_types(self, gradient: Any, where: str) -> None:
        """A gradient has the structure, shapes and dtypes of its argument."""
        operands = [self.arguments[place] for place in self.places]
        got, wanted = leaves_of(gradient), leaves_of(operands)
        assert len(got) == len(wanted), where
        for found, operand in zip(got, wanted, strict=True):
            if is_floating(operand):
                # a rank-0 array and a NumPy scalar may stand for each other
                assert shape_and_dtype(found)[-2:] == shape_and_dtype(operand)[-2:], where
            else:
                # an integer has no derivative: its place holds a zero
                assert not np.any(found), where

    def check_tangent(self, level: int, gradient: Sequence[Any]) -> None:
        """Forward against reverse mode: <seeds, J d> is <J^T seeds, d>."""
        jvp = self.generated("jvp", level)
        directions = self.directions()
        value, tangent, *_ = call(jvp, self.arguments, directions)
        assert same_bits(value, self.value)
        floats = [leaf for leaf in leaves_of(directions) if is_floating(leaf)]
        forward = weighted(tangent, self.seeds)
        backward = weighted(list(map(np.asarray, gradient)), floats)
        assert not (problem := far_apart([forward], [backward], 20 * self.rounding)), problem

    def directions(self) -> list[Any]:
        generator = np.random.default_rng(7)

        def direction(leaf: Any) -> Any:
            if not is_floating(leaf):
                return None
            return like(leaf, generator.uniform(-1.0, 1.0, np.shape(leaf)))

        moved = [self.arguments[place] for place in self.places]
        return [
            rebuilt(value, iter([direction(leaf) for leaf in leaves_of(value)])) for value in moved
        ]

    def check_second_order(self) -> None:
        request = replace(self.request, mode="grad", level=1)
        text = module_text(self.case.source.text, request)
        # annotations say all about arrays and numbers, but not what a container holds
        containers = tuple(text for text in request.arguments if text.split("=")[1][:4] in KINDS)
        again = Request(f"grad_{self.function.name}", "jvp", self.wrt, arguments=containers)
        twice = run_module(module_text(text, again))[f"jvp_grad_{self.function.name}"]
        directions = self.directions()
        gradient, tangent = call(careful(twice), self.arguments, directions)
        first = call(self.generated("grad", 1), self.arguments)
        assert same_bits(gradient, first)
        if self.rounding == SINGLE:
            return
        expected = self.directional_difference(directions)
        assert not (problem := far_apart(leaves_of(tangent), expected, 1e-6)), problem

    def directional_difference(self, directions: list[Any]) -> list[Any]:
        def at(step: float) -> list[Any]:
            moved = list(self.arguments)
            for place, direction in zip(self.places, directions, strict=True):
                leaves = zip(leaves_of(moved[place]), leaves_of(direction), strict=True)
                new = [x if d is None else x + step * d for x, d in leaves]
                moved[place] = rebuilt(moved[place], iter(new))
            return [x for x in leaves_of(call(self.generated("grad", 1), moved)) if x is not None]

        def difference(step: float) -> list[Any]:
            return [(a - b) / (2 * step) for a, b in zip(at(step), at(-step), strict=True)]

        pairs = zip(difference(1e-3), difference(2e-3), strict=True)
        return [(4 * fine - coarse) / 3 for fine, coarse in pairs]


def call(function: Callable[..., Any], arguments: Sequence[Any], more: Sequence[Any] = ()) -> Any:
    """Call with the arguments in the order of the parameters, however those are passed."""
    values = iter([*arguments, *more])
    parameters = list(inspect.signature(function).parameters.values())
    keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    positional = [next(values) for _ in range(len(parameters) - len(keywords))]
    return function(*positional, **dict(zip(keywords, values, strict=True)))


def sparing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, called with copies: a primal may write to its parameters."""

    def called(*arguments: Any, **keywords: Any) -> Any:
        given = copy.deepcopy((arguments, keywords))
        return function(*given[0], **given[1])

    called.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return called


def careful(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with the promises about memory checked at each call."""

    def called(*arguments: Any, **keywords: Any) -> Any:
        given = arrays_in([*arguments, *keywords.values()])
        before = [array.tobytes() for array in given]
        result = function(*arguments, **keywords)
        assert [array.tobytes() for array in given] == before, "an argument was changed"
        made = arrays_in(result)
        for place, array in enumerate(made):
            for other in (*given, *made[:place]):
                assert not np.shares_memory(array, other), "a result shares memory"
        return result

    called.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return called


def every_mode(case: Case, request: Request) -> Iterator[Request]:
    """A request in all modes that the function has, at both levels."""
    function = golden.lower(case.source.text, request.func, request.arguments)
    scalar = is_scalar_result(function, request.has_aux)
    for mode in SWEEPS:
        if scalar or mode in ("vjp", "jvp"):
            yield from (replace(request, mode=mode, level=level) for level in (0, 1))


# Appearance ---------------------------------------------------------------------------------------


def test_generated_modules_are_clean_under_ruff(tmp_path: Path) -> None:
    """Formatted as `ruff format` would, and without findings: one call for all of them."""
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")
    if ruff is None:
        pytest.skip("ruff is not installed")
    root = Path(__file__).parent.parent
    for number, (case, request) in enumerate(EXECUTED):
        for wanted in every_mode(case, request):
            name = f"m{number}_{wanted.mode.replace('-', '_')}_level{wanted.level}.py"
            text = module_text(case.source.text, wanted)
            (tmp_path / name).write_text(text, encoding="utf-8")
    common = ["--no-cache", "--config", str(root / "pyproject.toml")]
    # The textbook has a line for every value, also for the last, which nobody reads.
    textbook = ["--extend-per-file-ignores", "*_level0.py:F841"]
    # Names, and loops and branches, are as the user wrote them.
    users = "N,E741,B007,SIM102,SIM108,SIM114"
    for words in (["format", "--diff"], ["check", "--extend-ignore", users, *textbook]):
        done = subprocess.run(
            [ruff, *words, *common, "."], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
