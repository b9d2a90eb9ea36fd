"""Lowers a program and compares what the IR computes with what Python does."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from s2s_ad.check import check
from s2s_ad.frontend.annotations import TypeReader, split_argument
from s2s_ad.frontend.lower import lower_function
from s2s_ad.frontend.resolve import FileScope
from s2s_ad.frontend.source import parse_text
from s2s_ad.interpret import interpret
from s2s_ad.ir import Function


def lowered(text: str, arguments: Sequence[str] = ()) -> Function:
    """The last function of a program as IR. `arguments` are types as for `--arg`."""
    scope = FileScope(parse_text(text, "program.py"))
    function = scope.function(scope.functions[-1])
    assert function is not None
    types = dict(split_argument(argument) for argument in arguments)
    trees = {name: TypeReader().argument(spelled) for name, spelled in types.items()}
    return check(lower_function(function, trees)[0], after="lower")


def leaves_of(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple | list):
        for item in value:
            yield from leaves_of(item)
    elif isinstance(value, dict):
        yield from leaves_of(list(value.values()))
    elif dataclasses.is_dataclass(value):
        yield from leaves_of([getattr(value, field.name) for field in dataclasses.fields(value)])
    else:
        yield value


def outcome(run: Any) -> Any:
    """What is given, or that an exception is raised."""
    try:
        return list(leaves_of(run()))
    except Exception:
        return "raises"


def assert_as_python(text: str, *calls: Sequence[Any], arguments: Sequence[str] = ()) -> Function:
    """The IR gives what Python gives, to the last bit, for each of the calls."""
    function = lowered(text, arguments)
    namespace: dict[str, Any] = {}
    exec(compile(text, "program.py", "exec"), namespace)
    for call in calls:
        mine = copy.deepcopy(call)
        expected = outcome(lambda mine=mine: namespace[function.name](*mine))
        atoms = list(leaves_of(copy.deepcopy(call)))
        found = outcome(lambda atoms=atoms: interpret(function, atoms))
        if "raises" in (expected, found):
            assert expected == found, call
            continue
        assert len(expected) == len(found), call
        for left, right in zip(expected, found, strict=True):
            np.testing.assert_array_equal(np.asarray(left), np.asarray(right), str(call))
            assert np.shape(left) == np.shape(right)
    return function
