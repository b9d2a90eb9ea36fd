"""What the compiler makes of a program: its modules, and their functions with the promises about
memory checked at each call.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from s2s_ad.frontend.annotations import TypeReader
from s2s_ad.frontend.lower import lower_function
from s2s_ad.frontend.resolve import FileScope
from s2s_ad.frontend.source import parse_text
from s2s_ad.frontend.values import UserFunction
from s2s_ad.ir import Function
from s2s_ad.pipeline import Options, differentiable, generate
from tests.farm.generator import Program
from tests.farm.verdicts import Wrong
from tests.numerics import arrays_in, leaves_of


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
