"""Names to what they mean in a live function: its closure, its globals, the builtins.

A live scope looks at objects and notes each one that shaped the code, so that a later call can see
whether something was rebound. Numbers and arrays are free variables, read anew at every call.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import itertools
import linecache
import math
import operator
import os
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import libcst as cst
import numpy as np

from s2s_ad.diagnostics import Diagnostic, DifferentiationError
from s2s_ad.frontend.classes import live_class
from s2s_ad.frontend.file_derivatives import derived
from s2s_ad.frontend.live import UnsupportedValue, container_of, item_place, type_of_value
from s2s_ad.frontend.resolve import solver_of_module
from s2s_ad.frontend.source import Unit, parse_text
from s2s_ad.frontend.values import CustomFunction, FreeVariable, Named, Partial, UserFunction, Value
from s2s_ad.ir import Const, Structure
from s2s_ad.operations.declared import DECLARED, IMPLICIT_NAME, implicit
from s2s_ad.types import Size

CACHED: type = functools._lru_cache_wrapper  # what `lru_cache` and `cache` make
LIBRARIES = ("numpy", "math", "scipy", "builtins", "operator")


def _names_of_objects() -> dict[int, str]:
    """Functions of NumPy and math by identity: `from numpy import sin as s` is one of them.

    So are those of the modules of SciPy that the user has imported, and no others.
    """
    from s2s_ad.frontend.calls import SPECIAL
    from s2s_ad.frontend.calls_iterables import CONSUMERS
    from s2s_ad.frontend.calls_numpy import FUNCTIONS
    from s2s_ad.frontend.iterators import HANDLERS as ITERATORS
    from s2s_ad.operations import catalogue

    names = {*catalogue().operations, *SPECIAL, *FUNCTIONS, *CONSUMERS, *ITERATORS}
    modules = {".".join(name.split(".")[:2]) for name in names if name.startswith("scipy.")}
    return _named_objects(frozenset(names), frozenset(modules & sys.modules.keys()))


@cache
def _named_objects(names: frozenset[str], loaded: frozenset[str]) -> dict[int, str]:
    table: dict[int, str] = {id(partial): "functools.partial", id(implicit): IMPLICIT_NAME}
    homes = {"numpy": np, "numpy.linalg": np.linalg, "numpy.fft": np.fft}
    homes |= {"math": math, "builtins": builtins, "operator": operator}
    homes |= {"functools": functools, "itertools": itertools}
    homes |= {module: sys.modules[module] for module in loaded}
    for name in sorted(names):
        module, _, attribute = name.rpartition(".")
        found = getattr(homes.get(module), attribute, None)
        if found is not None:
            table.setdefault(id(found), name)
        # a distribution is an object, and its density a method of it
        outer, _, inner = module.rpartition(".")
        holder = getattr(homes.get(outer), inner, None) if module not in homes else None
        if holder is not None:
            table.setdefault(id(holder), module)
    return table


Used = list[tuple[Callable[[], object], object]]


@dataclass(eq=False)
class LiveScope:
    """What a live function sees: its closure, then its globals, then the builtins.

    `used` lists the objects that shaped the code (functions, strings, ...), each with how to read
    it again; `functions` are those whose source was found. Both are shared with other scopes.
    """

    function: types.FunctionType
    used: Used
    functions: dict[types.FunctionType, UserFunction]
    _found: dict[str, Value | None] = field(default_factory=dict)

    def lookup(self, name: str) -> Value | None:
        if name not in self._found:
            read = self.reader(name)
            self._found[name] = self._builtin(name) if read is None else self.wrap(name, read)
        return self._found[name]

    def _builtin(self, name: str) -> Value | None:
        if not hasattr(builtins, name):
            return None
        # a global of this name, defined later, will hide it
        namespace = self.function.__globals__
        self.used.append((lambda: name in namespace, False))
        return Named(f"builtins.{name}")

    def reader(self, name: str) -> Callable[[], object] | None:
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

    def helper(self, function: types.FunctionType) -> UserFunction:
        """A function that is called, with its defaults."""
        if function not in self.functions:
            helper = live_function(function, self.used, self.functions)
            assert isinstance(helper.scope, LiveScope)
            self.functions[function] = replace(helper, defaults=helper.scope.defaults())
        return self.functions[function]

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

    def wrap(self, name: str, read: Callable[[], object], identity: object = None) -> Value | None:
        """The value of a live object; numbers and arrays are free variables, read at every call.

        `identity` tells two variables of one name apart.
        """
        try:
            value = read()
        except (ValueError, KeyError):
            return None  # a cell not yet filled
        if isinstance(type(value).__getattribute__, types.FunctionType):
            return None  # it says itself what its attributes are
        identity = identity or (self._home(name), name)
        ours = _name_of_ours(value)
        if ours:
            self.used.append((read, value))
            return Named(ours)
        derivation = _derivation_of(value)
        if derivation is not None:
            # a bound one is made anew whenever it is asked for
            text = repr(derivation)
            self.used.append((lambda: repr(_derivation_of(read())), text))
            return self._derivative(name, read, derivation)
        if getattr(type(value), "__s2s_custom__", False):
            return self._custom(name, read, identity, value)
        if isinstance(value, CACHED):
            self.used.append((read, value))
            return self.wrap(name, partial(_attribute_of, read, "__wrapped__"), identity)
        if isinstance(value, functools.partial):
            self.used.append((read, value))
            return self._partial(name, read, identity, value)
        if isinstance(value, types.ModuleType):
            self.used.append((read, value))
            if _is_library(value.__name__):
                return Named(value.__name__)
            return FreeVariable(name, read, identity, partial(self._item_of_module, name, value))
        known = _names_of_objects().get(id(value))
        if known is not None:
            self.used.append((read, value))
            return Named(known)
        if isinstance(value, types.FunctionType) and not _is_our_own(value):
            self.used.append((read, value))
            if (value.__module__ or "").partition(".")[0] in LIBRARIES:
                return Named(f"{value.__module__}.{value.__name__}")  # not one of the catalogue
            return self.helper(value)
        function = _function_of(value)
        if function is not None:
            self.used.append((lambda: _function_of(read()), function))
            read_owner, label = partial(_owner_of, read), f"{name}.__self__"
            if isinstance(read_owner(), type):
                owner = self.wrap(label, read_owner, (identity, "self"))
            else:
                owner = self.held_object(label, read_owner, (identity, "self"))
            return None if owner is None else replace(self.helper(function), bound=(owner,))
        if value is None or isinstance(value, bool | str):
            self.used.append((read, value))
            return Const(value)
        if isinstance(value, type) and issubclass(value, np.generic | int | float):
            self.used.append((read, value))
            return Named(
                f"numpy.{value.__name__}"
                if issubclass(value, np.generic)
                else f"builtins.{value.__name__}"
            )
        if _holds_functions(value):
            return self._items(name, read, identity, value)
        if _holds_numbers(value):
            return FreeVariable(name, read, identity)
        if isinstance(value, type):
            self.used.append((read, value))
            return live_class(value, self._part_of_class, _own_class)
        return self.held_object(name, read, identity)

    def _items(
        self, name: str, read: Callable[[], Any], identity: object, value: Any
    ) -> Value | None:
        """A container that holds functions: what it holds is looked up one by one."""
        kind, keys, _, _ = container_of(value)  # type: ignore[misc]
        shape = repr((kind, keys))
        self.used.append((lambda: repr((container_of(read()) or ())[:2]), shape))
        items = [
            self.wrap(
                f"{name}{item_place(kind, key)}", partial(_item_of, read, key), (identity, key)
            )
            for key in keys
        ]
        return None if None in items else Structure(kind, keys, tuple(items))

    def _derivative(
        self, name: str, read: Callable[[], object], derivation: Sequence[Any]
    ) -> Value | None:
        """What `grad(f)` gave: the derivative of whatever `f` is."""
        mode, wrt, *options = derivation
        function = self.wrap(name, lambda: getattr(read(), "primal"))  # noqa: B009
        return None if function is None else derived(mode, function, wrt, *options)

    def _custom(
        self, name: str, read: Callable[[], Any], identity: object, value: Any
    ) -> Value | None:
        """A function below `custom_vjp` or `custom_jvp`, with what states its derivative."""
        self.used.append((read, value))
        function = self.wrap(name, lambda: read().primal, (identity, "primal"))
        rules: dict[str, Value | None] = {}
        for rule in ("forward", "reverse", "tangent"):
            if getattr(value, rule) is None:
                self.used.append((partial(_attribute_of, read, rule), None))
            else:
                read_rule = partial(_attribute_of, read, rule)
                rules[rule] = self.wrap(f"{name}.{rule}", read_rule, (identity, rule))
        if function is None or None in rules.values():
            return None
        return CustomFunction(function, value.fixed, id(value), **rules)

    def _partial(
        self, name: str, read: Callable[[], Any], identity: object, value: functools.partial[Any]
    ) -> Value | None:
        """`functools.partial` of a function: its arguments are variables as any other."""
        function = self.wrap(name, lambda: read().func)
        given = [
            self.wrap(f"{name}_{k}", partial(_argument_of, read, k), (identity, k))
            for k in range(len(value.args))
        ]
        named = {
            key: self.wrap(f"{name}_{key}", partial(_keyword_of, read, key), (identity, key))
            for key in value.keywords
        }
        if function is None or None in given or None in named.values():
            return None
        return Partial(function, tuple(given), named)  # type: ignore[arg-type]

    def _part_of_class(self, name: str, read: Callable[[], object]) -> Value | None:
        return self.wrap(name, read, ("class", name, id(read())))

    def parent(self, owner: FreeVariable) -> FreeVariable | None:
        """`super()` in a method of this object."""
        read_class = self.reader("__class__")
        if read_class is None:
            return None

        def read() -> object:
            return super(read_class(), owner.read())

        def attribute(name: str) -> Value | None:
            found = getattr(read(), name, None)
            function = _function_of(found)
            if function is None or _self_of(found) is not owner.read():
                identity = (owner.identity, "super", read_class(), name)
                return self.wrap(f"super().{name}", lambda: getattr(read(), name), identity)
            self.used.append((lambda: _function_of(getattr(read(), name)), function))
            return replace(self.helper(function), bound=(owner,))

        return FreeVariable("super()", read, (owner.identity, "super", read_class()), attribute)

    def held_object(self, name: str, read: Callable[[], object], identity: object) -> FreeVariable:
        """An object that is not used itself: its attributes are read when they are needed."""
        return FreeVariable(name, read, identity, partial(self._attribute, name, read, identity))

    def _attribute(
        self, name: str, read: Callable[[], object], identity: object, attribute: str
    ) -> Value | None:
        """An attribute of an object: a variable as any other, read through the object."""

        def read_attribute() -> object:
            return getattr(read(), attribute)

        if not hasattr(read(), attribute):
            return None
        value = read_attribute()
        function = _function_of(value)
        if function is not None and _self_of(value) is read():
            self.used.append((lambda: _function_of(read_attribute()), function))
            bound = (self.held_object(name, read, identity),)
            return replace(self.helper(function), bound=bound)
        return self.wrap(f"{name}.{attribute}", read_attribute, (identity, attribute))

    def _item_of_module(self, name: str, module: types.ModuleType, item: str) -> Value | None:
        value = getattr(module, item, None)
        is_read = id(value) in _names_of_objects() or _is_written_in_python(value)
        if callable(value) and not is_read and not _stands_for_function(value):
            return Named(f"{module.__name__}.{item}")  # of a library: declared, or not known
        return self._attribute(name, lambda: module, ("module", module.__name__), item)


def _is_written_in_python(value: object) -> bool:
    """Whether a function, a class, or an object that can be called has a source to look at."""
    written = isinstance(type(value).__call__, types.FunctionType)
    return written or isinstance(value, types.FunctionType | type)


def _stands_for_function(value: object) -> bool:
    """Whether an object is a derivative, a function with a derivative of its own, or a partial."""
    derived = _derivation_of(value) is not None
    is_custom = getattr(type(value), "__s2s_custom__", False)
    return derived or is_custom or isinstance(value, functools.partial)


def _derivation_of(value: object) -> Any:
    """What a derivative is of; other objects may have any attribute that is asked for."""
    return inspect.getattr_static(value, "__s2s_derivation__", None)


def _name_of_ours(value: object) -> str:
    """`s2s_ad.grad` and its like, which programs may call; "" for anything else."""
    from s2s_ad.frontend.calls_derivatives import DERIVATIVES

    if isinstance(value, types.ModuleType):
        return "s2s_ad" if value.__name__ == "s2s_ad" else ""
    if not (isinstance(value, types.FunctionType) and _is_our_own(value)):
        return ""
    name = f"s2s_ad.{value.__name__}"
    return name if name in DERIVATIVES else ""


def _attribute_of(read: Callable[[], Any], name: str) -> object:
    return getattr(read(), name)


def _item_of(read: Callable[[], Any], key: Any) -> object:
    return read()[key]


def _argument_of(read: Callable[[], Any], place: int) -> object:
    return read().args[place]


def _keyword_of(read: Callable[[], Any], key: str) -> object:
    return read().keywords[key]


def _default(function: types.FunctionType, place: int) -> object:
    return (function.__defaults__ or ())[place]


def _keyword_default(function: types.FunctionType, name: str) -> object:
    return (function.__kwdefaults__ or {})[name]


def _is_library(module: str) -> bool:
    """Whether what is in a module is known by its name: a library's, or one with declarations."""
    roots = {name.partition(".")[0] for name in DECLARED.by_name}
    return module.partition(".")[0] in roots.union(LIBRARIES)


def _holds_functions(value: object) -> bool:
    """Whether a plain container holds functions within it."""
    if not isinstance(value, tuple | list | dict) or container_of(value) is None:
        return False
    try:
        type_of_value(value, lambda: Size.of(1))
    except UnsupportedValue:
        items = value.values() if isinstance(value, dict) else value
        return any(callable(item) or _holds_functions(item) for item in items)
    return False


def _own_class(function: UserFunction) -> type | None:
    """The class that a method was written in, which `super()` in it looks behind."""
    read = function.scope.reader("__class__") if isinstance(function.scope, LiveScope) else None
    return None if read is None else read()  # type: ignore[return-value]


def _holds_numbers(value: object) -> bool:
    """Whether the value is a number, an array or a container; otherwise it is an object."""
    return isinstance(value, int | float | complex | np.ndarray | np.generic | tuple | list | dict)


def _function_of(method: object) -> types.FunctionType | None:
    """The function of a bound method, if it is written in Python."""
    function = getattr(method, "__func__", None)
    is_method = isinstance(method, types.MethodType)
    return function if is_method and isinstance(function, types.FunctionType) else None


def _owner_of(read: Callable[[], object]) -> object:
    return _self_of(read())


def _self_of(method: object) -> object:
    return getattr(method, "__self__", None)


def _is_our_own(function: types.FunctionType) -> bool:
    return (function.__module__ or "").partition(".")[0] == "s2s_ad"


def live_function(
    function: types.FunctionType,
    used: Used,
    functions: dict[types.FunctionType, UserFunction] | None = None,
) -> UserFunction:
    """The source of a live function. Raises DifferentiationError `no-source`.

    To `used` are added the objects that shape its code. `functions` are those found before.
    """
    functions = {} if functions is None else functions
    scope = LiveScope(function, used, functions)
    found = functions[function] = _located(function, scope)
    kind, declared = DECLARED.solvers.get(function, ("", None))
    equation: Value | None = None
    if isinstance(declared, types.FunctionType):
        equation = scope.helper(declared)
    if declared is None and isinstance(found.node, cst.FunctionDef):
        kind, name = solver_of_module(found.node)
        equation = scope.lookup(name) if name else None
    if isinstance(equation, UserFunction):
        functions[function] = replace(found, solves=(kind, equation))
    return functions[function]


def _located(function: types.FunctionType, scope: LiveScope) -> UserFunction:
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
    parsed = parse_text(text, relative_path(code.co_filename), first)
    node = _first_function(parsed.module, code.co_name)
    if node is None:
        raise _no_source(function)
    unit = Unit(parsed.file, parsed.module, first)
    return UserFunction(code.co_name, node, unit, scope, owner=_class_of(function))


def _class_of(function: types.FunctionType) -> str:
    """The name of the class that a function was written in, be it within a method."""
    for path in reversed(function.__qualname__.split(".<locals>.")):
        names = path.split(".")
        if len(names) > 1:
            return names[-2]
    return ""


def relative_path(path: str) -> str:
    """As short as it can be said from here, so that messages and comments name no machine."""
    if not os.path.isabs(path):
        return path
    relative = os.path.relpath(path)
    return os.path.basename(path) if relative.startswith("..") else relative.replace(os.sep, "/")


def _no_source(function: types.FunctionType) -> DifferentiationError:
    return DifferentiationError(
        [
            Diagnostic(
                "no-source",
                f"the source of `{function.__qualname__}` cannot be found",
                None,
                help="define it in a file, or declare its derivative with `s2s_ad.declare`",
            )
        ]
    )


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
    places = [
        (line, column) for line, _, column, _ in code.co_positions() if line is not None and column
    ]
    best: ast.Lambda | None = None
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Lambda)
            and _covers(node, places)
            and (best is None or _covers(best, [_start(node)]))
        ):
            best = node
    if best is None:
        raise _no_source(function)
    source = ast.get_source_segment(text, best) or ""
    # the brackets let a lambda that spans lines be parsed on its own
    parsed = parse_text(f"({source})\n", relative_path(code.co_filename), best.lineno)
    statement = parsed.module.body[0]
    assert isinstance(statement, cst.SimpleStatementLine) and isinstance(
        statement.body[0], cst.Expr
    )
    node_ = statement.body[0].value
    assert isinstance(node_, cst.Lambda)
    unit = Unit(parsed.file, parsed.module, best.lineno)
    return UserFunction("f", node_, unit, scope)


def _start(node: ast.Lambda) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _covers(node: ast.Lambda, places: list[tuple[int, int]]) -> bool:
    end = (node.end_lineno or node.lineno, node.end_col_offset or 0)
    return bool(places) and all((node.lineno, node.col_offset) <= place <= end for place in places)
