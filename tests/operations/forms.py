"""Calls with every form that their arguments have, compiled together and checked together.

A `Call` is a text as users write it, with `{}` where further arguments go, and the values that
these may have: `Call("np.sum(t{})", {"axis": ("0", "(0, 1)"), "keepdims": ("True",)})`. Its forms
are the combinations that NumPy takes; `function_of` puts them into one function, so that a module
is generated for all of them, and `check` compares that with NumPy form by form.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import linecache
import re
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

ARGUMENTS = Path(__file__).resolve().parent.parent.parent / "docs" / "arguments.md"
FEW = 2  # forms of one call, in the tests that always run
TOGETHER = 12  # forms in one function


@dataclass(frozen=True)
class Form:
    """One way to write a call."""

    text: str
    chosen: Mapping[str, str]  # the arguments that it has besides those of the call


@dataclass(frozen=True)
class Call:
    """What is called, on what, and the arguments that it may have besides."""

    text: str
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    operands: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The dotted name of what is called: `numpy.linalg.norm`, or `ndarray.sum`."""
        opened, depth = self.text.index("{}"), 0
        while depth >= 0:  # back to the parenthesis that holds the further arguments
            opened -= 1
            depth += {")": 1, "(": -1}.get(self.text[opened], 0)
        found = re.search(r"[\w.]*$", self.text[:opened])
        assert found, self.text
        name = found[0]
        if name.startswith("np."):
            return "numpy." + name[3:]
        return name if name.startswith("scipy.") else "ndarray." + name.rpartition(".")[2]

    @property
    def turn(self) -> int:
        """A number that differs from call to call: which of its forms come first."""
        return zlib.crc32(self.text.encode())

    def form(self, chosen: Mapping[str, str], arguments: Sequence[str]) -> Form:
        head, tail = self.text.split("{}")
        more = ", ".join(arguments)
        return Form(head + (more if head.endswith("(") or not more else f", {more}") + tail, chosen)

    @property
    def refused(self) -> tuple[str, ...]:
        """What `docs/arguments.md` lists: `dtype=np.float32`, `dtype` whatever it is, or `call`."""
        return refusals().get(self.text.replace("{}", ""), ())

    def is_refused(self, form: Form) -> bool:
        return "call" in self.refused or any(
            name in self.refused or f"{name}={value}" in self.refused
            for name, value in form.chosen.items()
        )

    def pairs(self) -> Iterator[dict[str, str]]:
        """Every value of every option, by itself and with every value of another one; all at
        once."""
        yield {}
        for count in (1, 2):
            for names in itertools.combinations(self.options, count):
                for values in itertools.product(*(self.options[name] for name in names)):
                    yield dict(zip(names, values, strict=True))
        yield {name: values[0] for name, values in self.options.items()}

    def few(self) -> Iterator[dict[str, str]]:
        """One value of each option, by itself; of an axis with `keepdims`, too; none of them."""
        names = list(self.options)
        first = self.turn % max(len(names), 1)
        turned = {
            name: self.options[name][self.turn % len(self.options[name])]
            for name in (*names[first:], *names[:first])
        }
        if "axis" in turned and "keepdims" in turned:
            yield {"axis": turned["axis"], "keepdims": "True"}
        for name, value in turned.items():
            yield {name: value}
        yield {}

    def forms(self, every: bool = False) -> list[Form]:
        """The forms that NumPy takes, each once."""
        found: dict[str, Form] = {}
        for chosen in self.pairs() if every else self.few():
            named = [f"{name}={value}" for name, value in chosen.items()]
            written = [self.form(chosen, named)]
            if positional := self.positional(chosen):
                written.append(self.form(chosen, positional))
            # few: with or without its name, by turns
            for form in written if every else [written[self.turn % len(written)]]:
                found.setdefault(form.text, form)
        return [form for form in found.values() if is_taken(form.text, self.operands)]

    def positional(self, chosen: Mapping[str, str]) -> list[str]:
        """The same arguments without their names, where these can be left out."""
        parameters = further_parameters(self)
        if not chosen or list(chosen) != parameters[: len(chosen)]:
            return []
        return list(chosen.values())


@cache
def refusals() -> dict[str, tuple[str, ...]]:
    """The rows of the table of `docs/arguments.md`: calls, and their arguments that are refused."""
    rows = re.findall(r"^\| (`.*`) \| (`.*`) \|$", ARGUMENTS.read_text(), re.MULTILINE)
    return {
        call: tuple(re.findall(r"`([^`]*)`", arguments))
        for calls, arguments in rows
        for call in re.findall(r"`([^`]*)`", calls)
    }


def signature_of(name: str) -> inspect.Signature | None:
    """The signature of a function of NumPy or SciPy; None for methods and classes in C."""
    module, *parts = name.replace("numpy.", "np.", 1).split(".")
    found: Any = space().get(module)
    for part in parts:
        found = getattr(found, part, None)
    try:
        return inspect.signature(found)
    except (TypeError, ValueError):
        return None


def further_parameters(call: Call) -> list[str]:
    """The parameters, by place, that follow those that the call has anyway."""
    if call.name.startswith("ndarray."):
        return []
    signature = signature_of(call.name)
    if signature is None:
        return []
    names = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return [name for name in names if name not in given(call)]


def given(call: Call) -> set[str]:
    """The names of the parameters that the call has values for without any option."""
    signature = signature_of(call.name)
    assert signature is not None
    taken: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    # the call with a function in its place that notes what it is given
    parts = call.name.replace("numpy.", "np.", 1)
    text = call.form({}, ()).text.replace(parts + "(", "noted_(", 1)

    def note(*args: Any, **kwargs: Any) -> Any:
        taken.append((args, kwargs))
        raise StopIteration

    with contextlib.suppress(StopIteration):
        eval(text, {**space(), "noted_": note}, {**points(), **call.operands})
    args, kwargs = taken[0]
    return set(signature.bind_partial(*args, **kwargs).arguments)


# Values -------------------------------------------------------------------------------------------


@cache
def space() -> dict[str, Any]:
    """What a form may refer to besides its operands."""
    import scipy
    import scipy.integrate
    import scipy.linalg
    import scipy.signal
    import scipy.special
    import scipy.stats

    return {"np": np, "scipy": scipy}


@cache
def points() -> dict[str, Any]:
    """The operands of the calls in the tables, by the names that they have there: `a` and `b` are
    numbers, `y` and `w` positive, `n` has NaN, `q`, `p` (definite) and `s` matrices, `e` and `z`
    empty.
    """
    rng = np.random.default_rng(17)
    q = rng.normal(size=(3, 3)) + 3.0 * np.eye(3)
    t = rng.normal(size=(2, 3, 4))
    return {
        "a": 0.7,
        "b": 1.3,
        "e": rng.normal(size=0),
        "o": rng.normal(size=1),
        "v": rng.normal(size=4),
        "w": rng.random(4) + 0.4,
        "x": rng.normal(size=(3, 4)),
        "y": rng.random((3, 4)) + 0.4,
        "c": rng.normal(size=(3, 1)),
        "t": t,
        "n": np.where(t > 1.0, np.nan, t),
        "q": q,
        "p": q @ q.T + np.eye(3),
        "s": rng.normal(size=(2, 3, 3)) + 3.0 * np.eye(3),
        "z": rng.normal(size=(0, 3)),
    }


def is_taken(text: str, operands: Mapping[str, Any]) -> bool:
    """Whether NumPy gives finite floats for a form."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = eval(text, space(), {**points(), **operands})
    except Exception:
        return False
    return all(
        np.asarray(leaf).dtype.kind == "f" and bool(np.all(np.isfinite(leaf)))
        for leaf in leaves(value)
    )


def leaves(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def identifiers(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w.\"])[A-Za-z_]\w*", text))


def function_of(texts: Sequence[str], names: Sequence[str]) -> Callable[..., Any]:
    """A function of the operands that returns a tuple with the value of each form."""
    body = ",\n        ".join(texts)
    source = f"def f({', '.join(names)}):\n    return (\n        {body},\n    )\n"
    file = f"<forms {' '.join(texts)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    names_of_modules = dict(space())
    exec(compile(source, file, "exec"), names_of_modules)
    return names_of_modules["f"]  # type: ignore[no-any-return]


def operands_of(texts: Sequence[str], operands: Mapping[str, Any]) -> dict[str, Any]:
    """The operands that some forms have, in the order in which they are listed."""
    used = set().union(*map(identifiers, texts))
    return {name: value for name, value in {**points(), **operands}.items() if name in used}


# Layouts ------------------------------------------------------------------------------------------


def as_it_is(array: Any) -> Any:
    return array


def by_columns(array: Any) -> Any:
    return np.asfortranarray(array)


def reversed_in_memory(array: Any) -> Any:
    backwards = (slice(None, None, -1),) * array.ndim
    return array[backwards].copy()[backwards]


def with_gaps(array: Any) -> Any:
    return np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array


LAYOUTS = {
    "C": as_it_is,
    "columns": by_columns,
    "reversed": reversed_in_memory,
    "gaps": with_gaps,
}


def laid_out(operands: Mapping[str, Any], layout: Callable[[Any], Any]) -> list[Any]:
    return [
        layout(value) if isinstance(value, np.ndarray) else value for value in operands.values()
    ]
