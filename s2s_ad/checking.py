"""`check_grads`: the derivatives of a live function beside difference quotients of it.

What `s2sad verify` does for a function of a file, at a point of the caller's choice. Higher orders
are checked by checking what was generated for the order below, which is a function like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from s2s_ad.api import Pullback, table_for
from s2s_ad.directions import matched, pattern_of
from s2s_ad.points import as_tangent, copied, float_leaves
from s2s_ad.specialise import Specialisation
from s2s_ad.verify import TOLERANCE, NoValue, Row, Settings, Subject, failures, verify_at

MODES = ("rev", "fwd")


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 1,
    modes: Sequence[str] = MODES,
    *,
    kwargs: Mapping[str, Any] | None = None,
    tolerance: float = TOLERANCE,
    complex_step: bool = False,
    seed: int = 0,
) -> list[Row]:
    """Compare the derivatives of `f` at `args`, up to an order, with difference quotients.

    `modes` are "rev" and "fwd"; with both, their dot products are compared too. `f` may return
    floats and arrays in any structure; it is differentiated by every float among `args`, and
    `kwargs` are passed on. The tolerance is relative, and wider by what the quotients cannot tell
    and for single precision. Raises AssertionError that names the worst elements, ValueError if `f`
    has no finite value there, DifferentiationError if it is refused. Gives what was compared.

    >>> rows = check_grads(lambda x: x**3, (2.0,), order=2)
    """
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    if not modes or set(modes) - set(MODES):
        raise ValueError(f"modes are 'rev' and 'fwd', not {modes!r}")
    if order < 1:
        raise ValueError(f"the order is 1 or more, not {order}")
    settings = Settings(tolerance, complex_step=complex_step)
    check = _Check(modes, settings, np.random.default_rng(seed))
    rows = check.rows(f, list(args), dict(kwargs or {}), order)
    wrong = failures(rows)
    if wrong:
        name = getattr(f, "__name__", "f")
        raise AssertionError(
            "\n  ".join([f"the derivatives of `{name}` are not verified:", *wrong])
        )
    return rows


class _Check:
    """Collects the rows of all orders."""

    def __init__(
        self, modes: tuple[str, ...], settings: Settings, generator: np.random.Generator
    ) -> None:
        self.modes, self.settings, self.generator = modes, settings, generator

    def rows(
        self, f: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], order: int
    ) -> list[Row]:
        primal = getattr(f, "primal", f)
        places = [place for place, value in enumerate(args) if any(float_leaves(value))]
        live = _Live(primal, places, kwargs)
        names = live.names(len(args))
        subject = Subject(
            lambda arguments: primal(*arguments, **copied(kwargs)),
            names,
            tuple(places),
            live.reverse if "rev" in self.modes else None,
            live.forward if "fwd" in self.modes else None,
        )
        try:
            rows = verify_at(subject, args, 1, self.generator, self.settings)
        except NoValue as problem:
            raise ValueError(
                f"`{getattr(primal, '__name__', 'f')}` at this point: {problem}"
            ) from None
        if order > 1:
            for derived, arguments, more in self._derived(live, args):
                rows += self.rows(derived, arguments, more, order - 1)
        return rows

    def _derived(
        self, live: _Live, args: list[Any]
    ) -> list[tuple[Callable[..., Any], list[Any], dict[str, Any]]]:
        """The generated functions of this order, with arguments for them."""
        found: list[tuple[Callable[..., Any], list[Any], dict[str, Any]]] = []
        value = live.primal(*copied(args), **copied(live.kwargs))
        if "rev" in self.modes and isinstance(value, float | np.floating):
            made, more = live.specialised("grad", args)
            found.append((made.call, list(args), {**live.kwargs, **more}))
        if "fwd" in self.modes or not found:
            made, more = live.specialised("jvp", args)
            tangents = [self._tangent(args[place]) for place in live.places]
            moving = dict(zip(made.directions, tangents, strict=True))
            found.append((made.call, list(args), {**live.kwargs, **more, **moving}))
        return found

    def _tangent(self, value: Any) -> Any:
        drawn = [
            self.generator.uniform(0.5, 1.0, size=np.shape(leaf)) for _, leaf in float_leaves(value)
        ]
        return matched(as_tangent(value, drawn), pattern_of(value), "the tangent")


class _Live:
    """A live function, and its derivatives with keyword arguments passed along."""

    def __init__(
        self, primal: Callable[..., Any], places: Sequence[int], kwargs: dict[str, Any]
    ) -> None:
        self.primal, self.places, self.kwargs = primal, tuple(places), kwargs

    def names(self, count: int) -> tuple[str, ...]:
        known = table_for(self.primal, "jvp", self.places, False, 1).parameters.names
        return tuple(known[:count])

    def specialised(
        self, mode: str, arguments: Sequence[Any]
    ) -> tuple[Specialisation, dict[str, Any]]:
        """What is generated for these arguments, and the values of its free variables."""
        table = table_for(self.primal, mode, self.places, False, 1)
        return table.find(table.parameters.bind(*arguments, **self.kwargs))

    def run(self, mode: str, arguments: Sequence[Any], more: Mapping[str, Any]) -> Any:
        table = table_for(self.primal, mode, self.places, False, 1)
        values = table.parameters.bind(*arguments, **copied(self.kwargs))
        made, free = table.find(values)
        return made, made.run(values, {**free, **more})

    def reverse(self, arguments: list[Any], weights: list[Any]) -> tuple[Any, Sequence[Any]]:
        made, (value, saved) = self.run("vjp", arguments, {})
        adjoints: Sequence[Any] = Pullback(made, saved, value)(as_tangent(value, weights))
        return value, adjoints

    def forward(self, arguments: list[Any], tangents: list[Any]) -> tuple[Any, Any]:
        table = table_for(self.primal, "jvp", self.places, False, 1)
        made, _ = table.find(table.parameters.bind(*arguments, **self.kwargs))
        moving = [
            matched(tangent, pattern_of(arguments[place]), "the tangent")
            for tangent, place in zip(tangents, self.places, strict=True)
        ]
        _, (value, tangent) = self.run(
            "jvp", arguments, dict(zip(made.directions, moving, strict=True))
        )
        return value, tangent
