"""Calls of functions that are not written out where they are called: those that call themselves.

Each call has an operation of its own, since the types of its results are those of this call; the
`Callee` is shared. `forward` and `reverse` are the two halves of its derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from s2s_ad.interpret import run_block
from s2s_ad.ir import Atom, Function, Operation
from s2s_ad.types import Items, Sizes, Static, Type

SAVED = Static("saved")


def _value_of(function: Function, arguments: Sequence[Any]) -> Any:
    """What a call gives: the result, or a tuple of several."""
    results = run_block(function.body, arguments, {})
    return results[0] if len(results) == 1 else tuple(results)


@dataclass(eq=False)
class Callee:
    """A function that is called; `function` is there once it has been lowered.

    Its formals and its output are flat: one for each leaf. `says` is what it does, where it is not
    the user's.
    """

    name: str
    function: Function | None = None
    effect: bool = False
    says: str = ""

    def run(self, *arguments: Any) -> Any:
        assert self.function is not None
        return _value_of(self.function, arguments)


@dataclass(eq=False)
class Halves:
    """The derivative of a callee with respect to some of its parameters: `wrt` are their places."""

    callee: Callee
    wrt: tuple[int, ...]
    forward_name: str
    reverse_name: str
    functions: list[Function] = field(default_factory=list)

    def run_forward(self, *arguments: Any) -> Any:
        assert self.callee.function is not None
        count = len(self.callee.function.body.results)
        results = run_block(self.functions[0].body, arguments, {})
        return (*results[:count], tuple(results[count:]))

    def run_reverse(self, saved: tuple[Any, ...], *grads: Any) -> Any:
        return _value_of(self.functions[1], (*saved, *grads))


@dataclass(eq=False)
class Pushed:
    """The function that gives the results of a callee and their tangents."""

    callee: Callee
    wrt: tuple[int, ...]
    name: str
    functions: list[Function] = field(default_factory=list)

    def run(self, *arguments: Any) -> Any:
        return _value_of(self.functions[0], arguments)


def call_of(callee: Callee, types: Sequence[Type]) -> Operation:
    """The operation of one call, with the types of its results."""
    return _call(callee.name, types, callee.run, callee=callee, effect=callee.effect)


def retyped(op: Operation, types: Sequence[Type]) -> Operation:
    """The operation of a call whose types have become known better."""
    given = types[0] if len(types) == 1 else Items(tuple(types))
    return replace(op, infer=lambda _, __: given)


def forward_of(halves: Halves, types: Sequence[Type]) -> Operation:
    """The same call, which also gives what the reverse sweep needs."""
    effect = halves.callee.effect
    return _call(halves.forward_name, (*types, SAVED), halves.run_forward, effect=effect)


def reverse_of(halves: Halves, types: Sequence[Type]) -> Operation:
    """From what was saved and the adjoints of the results to those of the arguments."""
    return _call(halves.reverse_name, types, halves.run_reverse)


def tangent_of(pushed: Pushed, types: Sequence[Type]) -> Operation:
    """The call of a function that gives results and their tangents."""
    return _call(pushed.name, types, pushed.run, effect=pushed.callee.effect)


def call_of_made(made: Callee, types: Sequence[Type]) -> Operation:
    """The call of a function that passes make, which has no derivative."""
    return _call(made.name, types, made.run)


def _call(
    name: str,
    types: Sequence[Type],
    evaluate: Callable[..., Any],
    callee: Callee | None = None,
    effect: bool = False,
) -> Operation:
    given = tuple(types)

    def infer(_: Sizes, __: Sequence[Atom]) -> Type:
        return given[0] if len(given) == 1 else Items(given)

    return Operation(
        name=f"call.{name}",
        parameters=("*arguments",),
        evaluate=evaluate,
        infer=infer,
        call=name,
        results=tuple(f"out{k}" for k in range(len(given))) if len(given) > 1 else (),
        effect=effect,
        callee=callee,
    )
