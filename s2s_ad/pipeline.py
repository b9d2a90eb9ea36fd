"""The list of passes for each mode, and the way through it: a `Function` of the user in, the text
of a module out.

What happens between any two passes: `check`, then `watch`. A derivative is one function, or for
`vjp` a pair: what runs forward and keeps values, and what runs backward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from s2s_ad.check import Known, check
from s2s_ad.ir import Function
from s2s_ad.options import MODES, Options, differentiable
from s2s_ad.passes.adjoint import Request, adjoint
from s2s_ad.passes.place_copies import place_copies
from s2s_ad.passes.propagate_copies import propagate_copies
from s2s_ad.passes.remove_dead_code import remove_dead_code
from s2s_ad.passes.save_values import save_values
from s2s_ad.passes.share_subexpressions import share_subexpressions
from s2s_ad.passes.simplify_algebra import simplify_algebra
from s2s_ad.passes.simplify_blocks import simplify_blocks
from s2s_ad.passes.split_sweeps import split_sweeps
from s2s_ad.passes.tangent import tangent

Pass = Callable[[Function], Function]
Watch = Callable[[str, Function], None]


def silent(name: str, function: Function) -> None:
    """Watch nothing."""


@dataclass(frozen=True)
class UntilStable:
    """Passes repeated in turn until none of them changes anything."""

    name: str
    steps: tuple[Pass, ...]


CLEAN_UP = UntilStable(
    "clean_up",
    (
        propagate_copies,
        simplify_algebra,
        simplify_blocks,
        share_subexpressions,
        remove_dead_code,
    ),
)
MOST_STEPS = 200


def run(
    function: Function, passes: Sequence[Pass | UntilStable], watch: Watch = silent
) -> Function:
    """Apply the passes; after each one `check`, and after each of the list `watch`.

    A pass that has nothing to do gives the function itself back, which is then not checked again.
    """
    known = Known()
    for step in passes:
        if isinstance(step, UntilStable):
            function = _repeat(function, step, known)
        else:
            function = check(step(function), pass_name(step), known)
        watch(pass_name(step), function)
    return function


def _repeat(function: Function, step: UntilStable, known: Known) -> Function:
    unchanged = 0
    for turn in range(MOST_STEPS):
        one = step.steps[turn % len(step.steps)]
        after = one(function)
        if after is function:
            unchanged += 1
            if unchanged == len(step.steps):
                break
        else:
            unchanged = 0
            function = check(after, pass_name(one), known)
    return function


def pass_name(step: Pass | UntilStable) -> str:
    """A pass's name is that of its function, also where arguments are filled in."""
    if isinstance(step, UntilStable):
        return step.name
    return step.func.__name__ if isinstance(step, partial) else step.__name__


def passes_for(function: Function, options: Options) -> tuple[Pass | UntilStable, ...]:
    """The passes of a mode and level, in order."""
    name = options.function_name(function)
    if options.mode == "jvp":
        wrt = differentiable(function, options)
        derive: Pass = partial(tangent, wrt=wrt, name=name, has_aux=options.has_aux)
    else:
        wrt = differentiable(function, options)
        request = Request(
            wrt=wrt,
            bare=options.bare,
            with_value=options.mode in ("value-and-grad", "vjp"),
            has_aux=options.has_aux,
            seeded=options.mode == "vjp",
        )
        derive = partial(adjoint, request=request, name=name)
    if options.level == 0:
        return (derive, save_values)
    return (CLEAN_UP, derive, CLEAN_UP, save_values, CLEAN_UP)


def derive(function: Function, options: Options, watch: Watch = silent) -> list[Function]:
    """The functions of the generated module, ready to be named and printed. Raises
    DifferentiationError.
    """
    check(function, after="lower")
    watch("lower", function)
    derived = run(function, passes_for(function, options), watch)
    parts = split_sweeps(derived, function) if options.mode == "vjp" else [derived]
    return [run(part, (place_copies,), watch) for part in parts]


def generate(function: Function, options: Options, source: str = "", watch: Watch = silent) -> str:
    """The text of the module with the derivative. `source` names the user's file in the header."""
    from s2s_ad.backend.emit import emit_module

    return emit_module(function, derive(function, options, watch), options, source)


__all__ = ["MODES", "Options", "derive", "differentiable", "generate", "pass_name", "run"]
