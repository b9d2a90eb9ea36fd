"""Prints a function as a module without differentiating it, runs the module, and compares: with
`interpret`, with Python, and with what may happen to memory.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from s2s_ad.backend.emit import emit_module
from s2s_ad.check import check
from s2s_ad.interpret import interpret
from s2s_ad.ir import Function
from s2s_ad.options import Options
from s2s_ad.passes.place_copies import place_copies
from tests.frontend.lowered import leaves_of, lowered


def module_of(function: Function, level: int = 1) -> str:
    """The text of a module with the function itself."""
    placed = check(place_copies(function), after="place_copies")
    return emit_module(function, [replace(placed, guarded=False)], Options("grad", level=level))


def body_of(function: Function, level: int = 1) -> str:
    """The statements of the printed function, without signature and docstring."""
    lines = module_of(function, level).splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("def ")) + 1
    body = lines[start:]
    end = next(k for k, line in enumerate(body) if '"""' in line)
    return "\n".join(line[4:] for line in body[end + 1 :])


def compiled(text: str, name: str) -> Callable[..., Any]:
    namespace: dict[str, Any] = {}
    exec(compile(text, "printed.py", "exec"), namespace)
    function: Callable[..., Any] = namespace[name]
    return function


def outcome(run: Callable[..., Any]) -> Any:
    """The leaves of what is given, or the name of the exception."""
    try:
        return list(leaves_of(run()))
    except Exception as error:
        return type(error).__name__


def arrays_in(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [array for item in value for array in arrays_in(item)]
    return [value] if isinstance(value, np.ndarray) else []


def assert_prints_right(function: Function, *calls: Sequence[Any], level: int = 1) -> str:
    """The printed module gives what the IR gives, bit for bit, and leaves its arguments alone.

    Results share no memory with arguments or each other. Gives the text of the module.
    """
    text = module_of(function, level)
    run = compiled(text, function.name)
    for call in calls:
        before, mine = copy.deepcopy(call), copy.deepcopy(call)
        atoms = list(leaves_of(copy.deepcopy(call)))
        expected = outcome(lambda atoms=atoms: interpret(function, atoms))
        results: list[Any] = []

        def once(mine: Any = mine, results: list[Any] = results) -> Any:
            results.append(run(*mine))
            return results[0]

        found = outcome(once)
        shown = f"{call}\n{text}"
        if isinstance(expected, str) or isinstance(found, str):
            assert expected == found, shown
        else:
            assert len(expected) == len(found), shown
            for left, right in zip(expected, found, strict=True):
                np.testing.assert_array_equal(np.asarray(left), np.asarray(right), shown)
                assert np.shape(left) == np.shape(right), shown
        for left, right in zip(leaves_of(before), leaves_of(mine), strict=True):
            np.testing.assert_array_equal(left, right, f"an argument is changed: {shown}")
        given = arrays_in(results)
        for left, right in combinations([*given, *arrays_in(mine)], 2):
            if any(left is one for one in given):
                assert not np.shares_memory(left, right), f"memory is shared: {shown}"
    return text


def assert_program_prints_right(
    text: str, *calls: Sequence[Any], arguments: Sequence[str] = ()
) -> str:
    """The same for a program in Python, which also has to give what Python gives."""
    function = lowered(text, arguments)
    namespace: dict[str, Any] = {}
    exec(compile(text, "program.py", "exec"), namespace)
    for call in calls:
        python = outcome(lambda call=call: namespace[function.name](*copy.deepcopy(call)))
        ours = outcome(lambda call=call: interpret(function, list(leaves_of(copy.deepcopy(call)))))
        if isinstance(python, str) or isinstance(ours, str):
            assert python == ours, call
        else:
            for left, right in zip(python, ours, strict=True):
                np.testing.assert_array_equal(np.asarray(left), np.asarray(right), str(call))
    assert_prints_right(function, *calls, level=0)
    return assert_prints_right(function, *calls)
