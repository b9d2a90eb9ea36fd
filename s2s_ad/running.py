"""Runs what was generated beside the user's function: the one place, with `verify`, that does.

The file is imported as Python would import it from its own directory, or, where it imports files
beside it by relative path, as a part of the package that its directory is.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from s2s_ad.contractions import with_blocks, with_entries
from s2s_ad.directions import matched, pattern_of
from s2s_ad.ir import Formal, Function, records_in
from s2s_ad.modules import load_module
from s2s_ad.options import Options
from s2s_ad.points import as_tangent, both_ways, copied, one_way
from s2s_ad.verify import Subject

OF_GRADIENT = ("hessian", "hvp")  # what is verified is a derivative of the gradient


class CannotRun(Exception):
    """The file, when it is run, raises an exception or does not define the function."""


@contextmanager
def imported(path: str) -> Iterator[ModuleType]:
    """The module that a file defines, while its directory is on the path. Raises CannotRun."""
    full = os.path.abspath(path)
    directory, stem = os.path.dirname(full), os.path.splitext(os.path.basename(full))[0]
    before = list(sys.path)
    try:
        sys.path.insert(0, directory)
        try:
            yield _in_package(full, directory, stem) if _is_relative(full) else _alone(full, stem)
        except CannotRun:
            raise
    finally:
        sys.path[:] = before


def _is_relative(path: str) -> bool:
    with open(path, encoding="utf-8-sig") as stream:
        return bool(re.search(r"^\s*from\s*\.", stream.read(), re.M))


def _alone(path: str, stem: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(stem, path)
    if spec is None or spec.loader is None:
        raise CannotRun(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(stem)
    sys.modules[stem] = module  # dataclasses look their module up
    with _as_cannot_run(path):
        try:
            spec.loader.exec_module(module)
        except BaseException:
            if before is not None:
                sys.modules[stem] = before
            else:
                del sys.modules[stem]
            raise
    return module


def _in_package(path: str, directory: str, stem: str) -> ModuleType:
    """By its dotted name: directories with `__init__.py` are packages, at least the innermost."""
    names = [stem]
    while True:
        directory, name = os.path.split(directory)
        names.insert(0, name)
        if not os.path.isfile(os.path.join(directory, "__init__.py")):
            break
    sys.path.insert(0, directory)
    with _as_cannot_run(path):
        return importlib.import_module(".".join(names))


@contextmanager
def _as_cannot_run(path: str) -> Iterator[None]:
    try:
        yield
    except (Exception, SystemExit) as problem:
        raise CannotRun(f"{path} cannot be run: {type(problem).__name__}: {problem}") from problem


def function_of(module: ModuleType, name: str) -> Callable[..., Any]:
    """The function as written, below what decorates it. Raises CannotRun."""
    found = getattr(module, name, None)
    if getattr(type(found), "__s2s_derivative__", False):
        found = found.primal  # type: ignore[union-attr]  # a derivative has it
    if not callable(found):
        raise CannotRun(f"{module.__file__} defines no function `{name}` when it is run")
    result: Callable[..., Any] = found
    return result


def records_of(formals: Sequence[Formal], module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The classes of the named tuples and dataclasses among the parameters, by name."""
    names = {record.constructor for formal in formals for record in records_in(formal.tree)}
    return {name: getattr(module, name) for name in names if hasattr(module, name)}


# Subjects -----------------------------------------------------------------------------------------


def subject(
    function: Function,
    primal: Callable[..., Any],
    modules: Mapping[str, str],
    options: Options,
) -> Subject:
    """The primal with what the texts of `modules`, by mode, define."""
    formals = [formal for formal in function.formals if not formal.hidden]
    names = tuple(formal.name for formal in formals)
    wrt = tuple(names.index(name) for name in options.wrt or ())

    def value(arguments: list[Any]) -> Any:
        result = _called(primal, formals, arguments)
        return result[0] if options.has_aux else result

    run: Callable[[list[Any]], Any] = value
    reverse = forward = matrices = None
    for mode, text in modules.items():
        derived = _defined(text, f"{mode.replace('-', '_')}_{function.name}")
        match mode:
            case "jvp" | "hvp":
                forward = _forward(derived, formals, wrt, mode, options)
            case "jacobian" | "hessian":
                matrices = _matrices(derived, formals, options)
            case "grad" if options.mode in OF_GRADIENT:
                run = _gradient(_reverse(derived, formals, mode, options), run)
            case _:
                reverse = _reverse(derived, formals, mode, options)
    found = Subject(run, names, wrt, reverse, forward)
    if matrices is None:
        return found
    return with_entries(found, matrices) if options.sparse else with_blocks(found, matrices)


def _gradient(
    reverse: Callable[[list[Any], list[Any]], tuple[Any, Sequence[Any]]],
    primal: Callable[[list[Any]], Any],
) -> Callable[[list[Any]], Any]:
    """The gradient as the function that is differentiated. The primal is run, too: branches of the
    user's file are looked for there.
    """

    def run(arguments: list[Any]) -> Any:
        primal(copied(arguments))
        return reverse(arguments, [1.0])[1]

    return run


def _defined(text: str, name: str) -> Callable[..., Any]:
    namespace = load_module(text, name)
    derived: Callable[..., Any] = namespace[name]
    return derived


def _called(
    function: Callable[..., Any], formals: Sequence[Formal], arguments: Sequence[Any], **more: Any
) -> Any:
    """Call a function that has the parameters of the primal."""
    pairs = list(zip(formals, arguments, strict=True))
    positional = [value for formal, value in pairs if formal.kind != "keyword"]
    keyword = {formal.name: value for formal, value in pairs if formal.kind == "keyword"}
    return function(*positional, **keyword, **more)


def _reverse(
    derived: Callable[..., Any], formals: Sequence[Formal], mode: str, options: Options
) -> Callable[[list[Any], list[Any]], tuple[Any, Sequence[Any]]]:
    def reverse(arguments: list[Any], weights: list[Any]) -> tuple[Any, Sequence[Any]]:
        result = _called(derived, formals, arguments)
        value: Any = None
        if mode == "vjp":
            value, pullback = result
            value = value[0] if options.has_aux else value
            adjoint = as_tangent(value, weights)
            if options.many:
                return value, one_way(pullback(both_ways(adjoint)))
            return value, pullback(adjoint)
        if mode == "value-and-grad":
            value, result = result
            value = value[0] if options.has_aux else value
        elif options.has_aux:
            result = result[0]
        return value, (result,) if options.bare else result

    return reverse


def _matrices(
    derived: Callable[..., Any], formals: Sequence[Formal], options: Options
) -> Callable[[list[Any]], Any]:
    """A Jacobian or Hessian without the auxiliary result."""

    def matrices(arguments: list[Any]) -> Any:
        result = _called(derived, formals, arguments)
        return result[0] if options.has_aux else result

    return matrices


def _forward(
    derived: Callable[..., Any],
    formals: Sequence[Formal],
    wrt: Sequence[int],
    mode: str,
    options: Options,
) -> Callable[[list[Any], list[Any]], tuple[Any, Any]]:
    code = derived.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    taken = {formal.name for formal in formals}
    directions = [name for name in names if name not in taken]

    def forward(arguments: list[Any], tangents: list[Any]) -> tuple[Any, Any]:
        moving = [
            matched(tangent, pattern_of(argument), "the tangent")
            for tangent, argument in zip(tangents, (arguments[place] for place in wrt), strict=True)
        ]
        if options.many:
            moving = both_ways(moving)
        named = dict(zip(directions, moving, strict=True))
        result = _called(derived, formals, arguments, **named)
        if mode == "jvp":
            value, moved = result[0], result[1]
        else:
            value, moved = None, result[0] if options.has_aux else result
        return value, one_way(moved) if options.many else moved

    return forward
