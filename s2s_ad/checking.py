"""`check_grads`: the derivatives of a live function beside difference quotients of it.

What `s2sad verify` does for a function of a file, at a point of the caller's choice. Higher orders
are checked by checking what was generated for the order below, which is a function like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from s2s_ad.api import Derivative, Pullback, derivative_of, table_for
from s2s_ad.contractions import with_blocks, with_entries
from s2s_ad.directions import matched, pattern_of
from s2s_ad.points import as_tangent, copied, float_leaves
from s2s_ad.specialise import Specialisation
from s2s_ad.verify import TOLERANCE, NoValue, Row, Settings, Subject, failures, value_at, verify_at

SHORT = {"rev": "vjp", "fwd": "jvp"}
# of functions that return one float
OF_SCALARS = ("grad", "value-and-grad", "hessian", "hvp", "sparse hessian")
# and what is generated for each, to be checked for the next order
MODES = {
    "vjp": "grad",
    "jvp": "jvp",
    "grad": "grad",
    "value-and-grad": "grad",
    "jacobian": "jacobian",
    "hessian": "hessian",
    "hvp": "hvp",
    "sparse jacobian": "jacobian",
    "sparse hessian": "hessian",
}


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 1,
    modes: Sequence[str] = ("rev", "fwd"),
    *,
    kwargs: Mapping[str, Any] | None = None,
    tolerance: float = TOLERANCE,
    complex_step: bool = False,
    seed: int = 0,
) -> list[Row]:
    """Compare the derivatives of `f` at `args`, up to an order, with difference quotients.

    `modes` are "rev" (or "vjp") and "fwd" (or "jvp"), whose dot products are compared too if both
    are given, "grad", "value-and-grad", "jacobian" (by tangents and by pullbacks), "hessian", "hvp"
    (differences of the gradient), "sparse jacobian" and "sparse hessian". `f` may return floats and
    arrays in any structure; it is differentiated by every float among `args`, and `kwargs` are
    passed on. Orders above the first check derivatives of what was made for the order below. The
    tolerance is relative, and wider by what the quotients cannot tell and for single precision.
    Raises AssertionError that names the worst elements, ValueError if `f` has no finite value
    there, DifferentiationError if it is refused. Gives what was compared.

    >>> rows = check_grads(lambda x: x**3, (2.0,), order=2)
    """
    given = (modes,) if isinstance(modes, str) else tuple(modes)
    wanted = tuple(dict.fromkeys(SHORT.get(mode, mode) for mode in given))
    if not wanted or set(wanted) - set(MODES):
        raise ValueError(f"modes are {', '.join((*SHORT, *MODES))}, not {modes!r}")
    if order < 1:
        raise ValueError(f"the order is 1 or more, not {order}")
    settings = Settings(tolerance, complex_step=complex_step)
    check = _Check(wanted, settings, np.random.default_rng(seed))
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
        self,
        f: Callable[..., Any],
        args: list[Any],
        kwargs: dict[str, Any],
        order: int,
        is_given: bool = True,
    ) -> list[Row]:
        primal = getattr(f, "primal", f)
        places = [place for place, value in enumerate(args) if any(float_leaves(value))]
        live = _Live(primal, places, kwargs)
        rows: list[Row] = []
        try:
            with np.errstate(all="ignore"):
                value = value_at(live.subject(args), args)
            for label, subject in live.subjects(self._fitting(value, is_given), args):
                found = verify_at(subject, args, 1, self.generator, self.settings)
                rows += [replace(row, mode=label or row.mode) for row in found]
        except NoValue as problem:
            raise ValueError(
                f"`{getattr(primal, '__name__', 'f')}` at this point: {problem}"
            ) from None
        if order > 1:
            for derived, arguments, more in self._derived(live, args, value):
                rows += self.rows(derived, arguments, more, order - 1, is_given=False)
        return rows

    def _fitting(self, value: Any, is_given: bool) -> Sequence[str]:
        """The modes; for what was made of the user's function those that take its value."""
        if is_given or _is_float(value):
            return self.modes
        return [mode for mode in self.modes if mode not in OF_SCALARS] or ["vjp"]

    def _derived(
        self, live: _Live, args: list[Any], value: Any
    ) -> Iterator[tuple[Callable[..., Any], list[Any], dict[str, Any]]]:
        """The generated functions of this order, with arguments for them."""
        kinds = [MODES[mode] for mode in self.modes]
        for kind in dict.fromkeys(
            "jvp" if k == "grad" and not _is_float(value) else k for k in kinds
        ):
            made, more = live.specialised(kind, args)
            tangents = [self._tangent(args[place]) for place in live.places]
            moving = dict(zip(made.directions, tangents, strict=True)) if made.directions else {}
            yield made.call, list(args), {**live.kwargs, **more, **moving}

    def _tangent(self, value: Any) -> Any:
        drawn = [
            self.generator.uniform(0.5, 1.0, size=np.shape(leaf)) for _, leaf in float_leaves(value)
        ]
        return matched(as_tangent(value, drawn), pattern_of(value), "the tangent")


def _is_float(value: Any) -> bool:
    return isinstance(value, float | np.floating)


class _Live:
    """A live function, and its derivatives with keyword arguments passed along."""

    def __init__(
        self, primal: Callable[..., Any], places: Sequence[int], kwargs: dict[str, Any]
    ) -> None:
        self.primal, self.places, self.kwargs = primal, tuple(places), kwargs

    def value(self, arguments: Sequence[Any]) -> Any:
        return self.primal(*copied(list(arguments)), **copied(self.kwargs))

    def subject(self, args: Sequence[Any]) -> Subject:
        """The function without a derivative."""
        names = table_for(self.primal, "jvp", self.places, False, 1).parameters.names
        return Subject(self.value, tuple(names[: len(args)]), self.places)

    # What is compared -----------------------------------------------------------------------------

    def subjects(self, modes: Sequence[str], args: Sequence[Any]) -> Iterator[tuple[str, Subject]]:
        """What is compared for each of the modes, and what its rows are called; a pullback and a
        tangent are compared with each other, too. Raises DifferentiationError.
        """
        value = self.subject(args)
        if {"vjp", "jvp"}.intersection(modes):
            reverse = self.reverse if "vjp" in modes else None
            forward = self.forward if "jvp" in modes else None
            yield "", replace(value, reverse=reverse, forward=forward)
        for mode in modes:
            if mode in ("hessian", "hvp", "sparse hessian"):
                self.specialised("grad", args)  # where it is refused, not where it is run
                yield mode, self._second(mode, replace(value, primal=self._gradient))
            elif mode in ("grad", "value-and-grad"):
                yield mode, replace(value, reverse=partial(self._scalar, mode))
            elif mode == "jacobian":
                for direction in ("forward", "reverse"):
                    made = self._called(self._made("jacobian", direction=direction))
                    yield f"{direction} jacobian", with_blocks(value, made)
            elif mode == "sparse jacobian":
                made = self._called(self._made("jacobian", sparse="triplets"))
                yield mode, with_entries(value, made)

    def _second(self, mode: str, gradient: Subject) -> Subject:
        if mode == "hvp":
            return replace(gradient, forward=self._product)
        if mode == "hessian":
            return with_blocks(gradient, self._called(self._made(mode)))
        return with_entries(gradient, self._called(self._made("hessian", sparse="triplets")))

    # The derivatives ------------------------------------------------------------------------------

    def _made(self, mode: str, **options: Any) -> Derivative:
        made = derivative_of(mode, self.primal, self.places, None, False, 1, **options)
        assert isinstance(made, Derivative)
        return made

    def _called(self, derivative: Derivative) -> Callable[[list[Any]], Any]:
        return lambda arguments: derivative(*arguments, **copied(self.kwargs))

    def _gradient(self, arguments: list[Any]) -> Any:
        return self._called(self._made("grad"))(arguments)

    def _scalar(
        self, mode: str, arguments: list[Any], weights: list[Any]
    ) -> tuple[Any, Sequence[Any]]:
        found = self._called(self._made(mode))(arguments)
        return found if mode == "value-and-grad" else (None, found)

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
        value, tangent = self._along("jvp", arguments, tangents)
        return value, tangent

    def _product(self, arguments: list[Any], tangents: list[Any]) -> tuple[Any, Any]:
        return None, self._along("hvp", arguments, tangents)

    def _along(self, mode: str, arguments: list[Any], tangents: list[Any]) -> Any:
        made, _ = self.specialised(mode, arguments)
        moving = [
            matched(tangent, pattern_of(arguments[place]), "the tangent")
            for tangent, place in zip(tangents, self.places, strict=True)
        ]
        return self.run(mode, arguments, dict(zip(made.directions, moving, strict=True)))[1]
