"""What is to be generated: a function of a file, its types, and the derivative of it.

The command line and `[tool.s2s_ad]` both come here. The file is parsed, never run. A refusal of the
function is a DifferentiationError; a target that makes no sense as written is a BadTarget.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from s2s_ad.diagnostics import DifferentiationError, refusal
from s2s_ad.frontend.annotations import BadType, TypeReader, TypeTree, split_argument
from s2s_ad.frontend.lower import lower_function
from s2s_ad.frontend.resolve import FileScope
from s2s_ad.frontend.source import ParsedFile, parse_file
from s2s_ad.frontend.values import UserFunction
from s2s_ad.ir import Const, Function, Var
from s2s_ad.known_values import BadValue, KnownValues, known_values
from s2s_ad.options import Options, differentiable
from s2s_ad.pipeline import NestedDerivatives, generate


class BadTarget(Exception):
    """The file, or a type given for an argument, cannot be read."""


@dataclass(frozen=True)
class Target:
    """A function of a file and the derivative wanted; `arguments` are the texts of `--arg`, and
    `values` those of `--value`: integers that a sparse derivative is made for.
    """

    file: str
    function: str
    options: Options
    arguments: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lowered:
    """A target's function as IR, with the parameters to differentiate decided, and the files that
    were read for it. `values` are those of parameters that are known.
    """

    function: Function
    options: Options
    files: tuple[str, ...]
    values: Mapping[str, Any] = field(default_factory=dict)

    def module(self, source: str) -> str:
        """The text of the module; `source` names the user's file in its header."""
        with _bounded(self.function.name):
            if self.options.sparse:
                from s2s_ad.sparse.generate import generate_sparse

                return generate_sparse(self.function, self.options, source, self._given()).text
            return generate(self.function, self.options, source)

    def _given(self) -> dict[str, Any]:
        """The known values by the names of the variables that stand for them."""
        by_name = {formal.name: formal.tree for formal in self.function.formals}
        return {
            variable.name: value
            for name, value in self.values.items()
            if isinstance(variable := by_name[name], Var)
        }


def lower_target(target: Target, parsed: ParsedFile | None = None) -> Lowered:
    """Read the target's file, unless it is given. Raises DifferentiationError, BadTarget."""
    with _bounded(target.function):
        return _lowered(target, parsed)


@contextmanager
def _bounded(name: str) -> Iterator[None]:
    """What is nested more deeply than recursion follows is refused, wherever that is noticed."""
    try:
        yield
    except (RecursionError, MemoryError):
        raise refusal(
            "too-deep",
            f"`{name}` is nested too deeply to be differentiated",
            help="split its expressions over several statements",
        ) from None


def _lowered(target: Target, parsed: ParsedFile | None) -> Lowered:
    if parsed is None:
        try:
            parsed = parse_file(target.file)
        except OSError as problem:
            raise BadTarget(f"cannot read {target.file}: {problem.strerror}") from None
    scope = FileScope(parsed)
    user_function = _find(scope, target.function)
    known = _known_values(target, user_function)
    types = _argument_types(target.arguments, user_function)
    both = [name for name in known.values if name in types]
    if both:
        raise BadTarget(f"values: the type of `{both[0]}` is that of its value: leave it out")
    types |= known.types
    function, _ = lower_function(user_function, types, derive=NestedDerivatives())
    wrt = differentiable(function, target.options)
    # a pullback gives a tuple always, as in JAX
    bare = len(wrt) == 1 and target.options.mode != "vjp"
    options = replace(target.options, wrt=wrt, bare=bare)
    return Lowered(function, options, (*_files_read(scope), *known.files), known.values)


def _files_read(scope: FileScope) -> Iterator[str]:
    """The file and those beside it that functions or constants came from."""
    yield os.path.normpath(scope.parsed.file.path)
    for other in scope.others.values():
        if other is not None:
            yield from _files_read(other)


def _find(scope: FileScope, name: str) -> UserFunction:
    """A function at the top level of a file. Raises DifferentiationError."""

    if "." in name:
        raise refusal(
            "unsupported-function",
            f"`{name}` is a method or attribute, which is not supported yet",
            help="write a function at the top level that takes what it needs",
        )
    decorator = scope.decorator(name, ours=True)
    if decorator:
        raise refusal(
            "decorated-function",
            f"`{name}` is decorated with `{decorator}`, which may change what it computes",
            help="name the function that it decorates",
        )
    found = scope.function(name)
    if isinstance(found, UserFunction):
        return found
    raise _unknown_function(scope, name)


def _unknown_function(scope: FileScope, name: str) -> DifferentiationError:
    import difflib

    if name in scope.names and name in scope.uncertain:
        what = scope.uncertain[name]
    elif name in scope.names:
        what = "is a class, not a function"
    elif name in scope.imports:
        what = f"is imported from `{scope.imports[name].rpartition('.')[0] or scope.imports[name]}`"
    elif name in scope.assignments or name in scope.uncertain:
        what = "is not bound by one `def` at the top level of the file"
    else:
        near = difflib.get_close_matches(name, scope.functions, n=3)
        listed = ", ".join(f"`{other}`" for other in near or scope.functions[:8])
        path = scope.parsed.file.path
        return refusal(
            "unknown-function",
            f"`{name}` is not a function at the top level of {path}",
            help=(f"did you mean {listed}?" if near else f"there are {listed}")
            if listed
            else "the file defines no functions",
        )
    return refusal(
        "unsupported-function",
        f"`{name}` {what}",
        help="name a function that the file defines by `def` at its top level",
    )


def _known_values(target: Target, user_function: UserFunction) -> KnownValues:
    """Raises BadTarget."""
    if not target.values:
        return KnownValues()
    try:
        known = known_values(target.values)
    except BadValue as problem:
        raise BadTarget(f"values: {problem}") from None
    for name in known.values:
        _require_parameter(user_function, name, "values")
    return known


def _require_parameter(user_function: UserFunction, name: str, what: str) -> None:
    """Raises BadTarget."""
    parameters = user_function.node.params
    every = (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params)
    if all(param.name.value != name for param in every):
        raise BadTarget(f"{what}: `{user_function.name}` has no parameter `{name}`")


def _argument_types(
    texts: Sequence[str], user_function: UserFunction
) -> dict[str, TypeTree | Const]:
    """The types that `--arg` gives. Raises BadTarget."""

    types: dict[str, TypeTree | Const] = {}
    reader = TypeReader()
    for text in texts:
        try:
            name, spelled = split_argument(text)
            types[name] = reader.argument(spelled)
        except BadType as problem:
            raise BadTarget(f"argument types: {problem}") from None
        _require_parameter(user_function, name, "argument types")
    return types
