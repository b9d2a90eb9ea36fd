"""Names to what they mean: from the text of a file (never run), or from a live function's globals and closure.

A file scope knows imports, functions, classes and literal constants. A live scope looks at objects and notes each one it
used, so that a later call can see whether something was rebound.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import math
import os
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import libcst as cst
import numpy as np

from s2s_ad.diagnostics import Diagnostic, DifferentiationError
from s2s_ad.frontend.source import ParsedFile, Unit, parse_file, parse_text
from s2s_ad.frontend.values import FreeVariable, Named, UserFunction, Value
from s2s_ad.ir import Const

LIBRARIES = ("numpy", "math", "scipy", "builtins")
CONSTANTS: dict[str, Any] = {
    "numpy.pi": np.pi, "numpy.e": np.e, "numpy.inf": np.inf, "numpy.nan": np.nan, "numpy.euler_gamma": np.euler_gamma,
    "math.pi": math.pi, "math.e": math.e, "math.inf": math.inf, "math.nan": math.nan, "math.tau": math.tau,
    "numpy.newaxis": None,
}  # fmt: skip


def constant_of(name: str) -> Const | None:
    """`np.pi` and its like. They keep their spelling in generated code; the module prefix is put in when printing."""
    if name not in CONSTANTS:
        return None
    value = CONSTANTS[name]
    return Const(value, "" if value is None else name)


# Files --------------------------------------------------------------------------------------------


@dataclass(eq=False)
class FileScope:
    """The top level of a file."""

    parsed: ParsedFile
    constants_used: dict[str, str] = field(default_factory=dict)
    others: dict[str, FileScope | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names: dict[str, cst.CSTNode] = {}
        self.imports: dict[str, str] = {}
        self.relative: dict[str, tuple[str, str]] = {}
        self.assignments: dict[str, list[cst.BaseExpression]] = {}
        for statement in self.parsed.module.body:
            if isinstance(statement, cst.FunctionDef | cst.ClassDef):
                self._forget(statement.name.value)
                self.names[statement.name.value] = statement
            elif isinstance(statement, cst.SimpleStatementLine):
                for small in statement.body:
                    self._small(small)

    def _forget(self, name: str) -> None:
        # a later binding of a name replaces an earlier one of another kind
        for table in (self.names, self.imports, self.relative):
            table.pop(name, None)

    def _small(self, small: cst.BaseSmallStatement) -> None:
        if isinstance(small, cst.Import | cst.ImportFrom):
            absolute, relative = imported_names(small)
            for name, target in absolute.items():
                self._forget(name)
                self.imports[name] = target
            self.relative.update(relative)
        elif isinstance(small, cst.Assign):
            for target in small.targets:
                if isinstance(target.target, cst.Name):
                    self._forget(target.target.value)
                    self.assignments.setdefault(target.target.value, []).append(small.value)
        elif isinstance(small, cst.AnnAssign) and small.value is not None and isinstance(small.target, cst.Name):
            self.assignments.setdefault(small.target.value, []).append(small.value)
        elif isinstance(small, cst.AugAssign) and isinstance(small.target, cst.Name):
            self.assignments.setdefault(small.target.value, []).append(small.value)

    def lookup(self, name: str) -> Value | None:
        node = self.names.get(name)
        if isinstance(node, cst.FunctionDef):
            return UserFunction(name, node, self.parsed.unit(node), self)
        if name in self.imports:
            return Named(self.imports[name])
        if name in self.relative:
            return self._relative(*self.relative[name])
        if name in self.assignments:
            return self._constant(name)
        return Named(f"builtins.{name}") if hasattr(builtins, name) and node is None else None

    def _constant(self, name: str) -> Const | None:
        """A name assigned once, to a literal. Anything else is a free variable, which the caller refuses."""
        values = self.assignments[name]
        if len(values) != 1:
            return None
        text = self.parsed.module.code_for_node(values[0])
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            return None
        if not isinstance(value, int | float | bool | str | None) or isinstance(value, complex):
            return None
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.constants_used[name] = text.strip()
            return Const(value, name)
        return Const(value)

    def _relative(self, path: str, name: str) -> Value | None:
        """`from .helpers import g`: the file beside this one is read, not imported."""
        if path not in self.others:
            place = os.path.join(os.path.dirname(self.parsed.file.path) or ".", path)
            self.others[path] = FileScope(parse_file(place)) if os.path.isfile(place) else None
        other = self.others[path]
        return other.lookup(name) if other else None


def imported_names(node: cst.Import | cst.ImportFrom) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """What an import binds: local names to dotted names, and those from a relative path to (file, name)."""
    absolute: dict[str, str] = {}
    relative: dict[str, tuple[str, str]] = {}
    if isinstance(node, cst.Import):
        for alias in node.names:
            dotted = _dotted(alias.name)
            local = _alias_name(alias)
            absolute[local or dotted.split(".")[0]] = dotted if local else dotted.split(".")[0]
    elif not isinstance(node.names, cst.ImportStar):
        base = _dotted(node.module) if node.module else ""
        for alias in node.names:
            name = _dotted(alias.name)
            local = _alias_name(alias) or name
            if node.relative:
                up = "../" * (len(node.relative) - 1)
                relative[local] = (up + base.replace(".", "/") + ".py", name)
            else:
                absolute[local] = f"{base}.{name}"
    return absolute, relative


def _alias_name(alias: cst.ImportAlias) -> str:
    if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
        return alias.asname.name.value
    return ""


def _dotted(node: cst.BaseExpression) -> str:
    if isinstance(node, cst.Attribute):
        return f"{_dotted(node.value)}.{node.attr.value}"
    return node.value if isinstance(node, cst.Name) else ""


# Live functions -----------------------------------------------------------------------------------


@cache
def _names_of_objects() -> dict[int, str]:
    """Functions of NumPy and math by identity, so that `from numpy import sin as s` is known for what it is."""
    from s2s_ad.operations import catalogue

    table: dict[int, str] = {}
    for name in catalogue().operations:
        module, _, attribute = name.rpartition(".")
        home = {"numpy": np, "math": math, "builtins": builtins}.get(module)
        if home is not None and hasattr(home, attribute):
            table.setdefault(id(getattr(home, attribute)), name)
    return table


@dataclass(eq=False)
class LiveScope:
    """What a live function sees: its closure, then its globals, then the builtins.

    `used` lists the objects that shaped the code (functions, strings, ...), each with how to read it again.
    """

    function: types.FunctionType
    used: list[tuple[Callable[[], object], object]]
    _found: dict[str, Value | None] = field(default_factory=dict)

    def lookup(self, name: str) -> Value | None:
        if name not in self._found:
            read = self._reader(name)
            self._found[name] = self._builtin(name) if read is None else self.wrap(name, read)
        return self._found[name]

    def _builtin(self, name: str) -> Value | None:
        if not hasattr(builtins, name):
            return None
        # a global of this name, defined later, will hide it
        namespace = self.function.__globals__
        self.used.append((lambda: name in namespace, False))
        return Named(f"builtins.{name}")

    def _reader(self, name: str) -> Callable[[], object] | None:
        code = self.function.__code__
        if name in code.co_freevars and self.function.__closure__:
            cell = self.function.__closure__[code.co_freevars.index(name)]
            return lambda: cell.cell_contents
        namespace = self.function.__globals__
        return (lambda: namespace[name]) if name in namespace else None

    def _home(self, name: str) -> int:
        """What tells two variables of one name apart: the cell, or the globals they live in."""
        code = self.function.__code__
        if name in code.co_freevars and self.function.__closure__:
            return id(self.function.__closure__[code.co_freevars.index(name)])
        return id(self.function.__globals__)

    def defaults(self) -> dict[str, Value]:
        """The defaults of the parameters, which were evaluated when the function was defined."""
        function = self.function
        code, given = function.__code__, function.__defaults__ or ()
        names = code.co_varnames[code.co_argcount - len(given) : code.co_argcount]
        found = {
            name: self.wrap(name, partial(_default, function, place), (id(function), name))
            for place, name in enumerate(names)
        }
        for name in function.__kwdefaults__ or {}:
            read = partial(_keyword_default, function, name)
            found[name] = self.wrap(name, read, (id(function), name))
        return {name: value for name, value in found.items() if value is not None}

    def wrap(
        self, name: str, read: Callable[[], object], identity: object = None
    ) -> Value | None:
        """The value of a live object; numbers and arrays are free variables, read at every call.

        `identity` tells two variables of one name apart.
        """
        try:
            value = read()
        except (ValueError, KeyError):
            return None  # a cell not yet filled
        if isinstance(value, types.ModuleType):
            self.used.append((read, value))
            return Named(value.__name__)
        known = _names_of_objects().get(id(value))
        if known is not None:
            self.used.append((read, value))
            return Named(known)
        if isinstance(value, types.FunctionType) and not (value.__module__ or "").startswith("s2s_ad."):
            self.used.append((read, value))
            return live_function(value, self.used)
        if value is None or isinstance(value, bool | str):
            self.used.append((read, value))
            return Const(value)
        if isinstance(value, type) and issubclass(value, np.generic | int | float):
            self.used.append((read, value))
            return Named(f"numpy.{value.__name__}" if issubclass(value, np.generic) else f"builtins.{value.__name__}")
        return FreeVariable(name, read, identity or (self._home(name), name))


def _default(function: types.FunctionType, place: int) -> object:
    return (function.__defaults__ or ())[place]


def _keyword_default(function: types.FunctionType, name: str) -> object:
    return (function.__kwdefaults__ or {})[name]


def live_function(function: types.FunctionType, used: list[tuple[Callable[[], object], object]]) -> UserFunction:
    """The source of a live function. Raises DifferentiationError `no-source`."""
    scope = LiveScope(function, used)
    # The code object, because for a function `inspect` would follow `__wrapped__` to another one.
    code = function.__code__
    if code.co_name == "<lambda>":
        return _live_lambda(function, scope)
    try:
        lines, first = inspect.getsourcelines(code)
    except (OSError, TypeError, SyntaxError, IndentationError):
        raise _no_source(function) from None
    text = "".join(lines)
    if text[:1].isspace():
        text, first = "if True:\n" + text, first - 1
    parsed = parse_text(text, _relative_path(code.co_filename), first)
    node = _first_function(parsed.module, code.co_name)
    if node is None:
        raise _no_source(function)
    unit = Unit(parsed.file, parsed.module, first)
    return UserFunction(code.co_name, node, unit, scope, defaults=scope.defaults())


def _relative_path(path: str) -> str:
    """As short as it can be said from here, so that messages and generated comments name no machine."""
    if not os.path.isabs(path):
        return path
    relative = os.path.relpath(path)
    return os.path.basename(path) if relative.startswith("..") else relative.replace(os.sep, "/")


def _no_source(function: types.FunctionType) -> DifferentiationError:
    return DifferentiationError([
        Diagnostic("no-source", f"the source of `{function.__qualname__}` cannot be found", None,
                   help="define it in a file, or declare its derivative with `s2s_ad.declare`")  # fmt: skip
    ])


def _first_function(node: cst.CSTNode, name: str) -> cst.FunctionDef | None:
    if isinstance(node, cst.FunctionDef) and node.name.value == name:
        return node
    for child in node.children:
        found = _first_function(child, name)
        if found is not None:
            return found
    return None


def _live_lambda(function: types.FunctionType, scope: LiveScope) -> UserFunction:
    """A lambda is found in its file by where its body stands."""
    code = function.__code__
    text = "".join(linecache.getlines(code.co_filename, function.__globals__))
    if not text:
        raise _no_source(function)
    places = [(line, column) for line, _, column, _ in code.co_positions() if line is not None and column]
    best: ast.Lambda | None = None
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Lambda) and _covers(node, places) and (best is None or _covers(best, [_start(node)])):
            best = node
    if best is None:
        raise _no_source(function)
    source = ast.get_source_segment(text, best) or ""
    # the brackets let a lambda that spans lines be parsed on its own
    parsed = parse_text(f"({source})\n", _relative_path(code.co_filename), best.lineno)
    statement = parsed.module.body[0]
    assert isinstance(statement, cst.SimpleStatementLine) and isinstance(statement.body[0], cst.Expr)
    node_ = statement.body[0].value
    assert isinstance(node_, cst.Lambda)
    unit = Unit(parsed.file, parsed.module, best.lineno)
    return UserFunction("f", node_, unit, scope, defaults=scope.defaults())


def _start(node: ast.Lambda) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _covers(node: ast.Lambda, places: list[tuple[int, int]]) -> bool:
    end = (node.end_lineno or node.lineno, node.end_col_offset or 0)
    return bool(places) and all((node.lineno, node.col_offset) <= place <= end for place in places)
