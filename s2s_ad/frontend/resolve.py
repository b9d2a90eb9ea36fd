"""Names to what they mean: from the text of a file (never run), or from what a live function sees.

A file scope knows imports, functions, classes and literal constants. A live scope looks at objects
and notes each one it used, so that a later call can see whether something was rebound.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import math
import os
import re
import textwrap
import types
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from typing import Any

import libcst as cst
import numpy as np

from s2s_ad.diagnostics import Diagnostic, DifferentiationError
from s2s_ad.frontend.source import ParsedFile, Unit, parse_file, parse_text
from s2s_ad.frontend.values import FreeVariable, Named, UserFunction, Value
from s2s_ad.ir import Const, Operation
from s2s_ad.operations.declared import DECLARED, make_operation, self_contained

LIBRARIES = ("numpy", "math", "scipy", "builtins")
CONSTANTS: dict[str, Any] = {
    "numpy.pi": np.pi, "numpy.e": np.e, "numpy.inf": np.inf, "numpy.nan": np.nan,
    "numpy.euler_gamma": np.euler_gamma, "math.pi": math.pi, "math.e": math.e, "math.inf": math.inf,
    "math.nan": math.nan, "math.tau": math.tau, "numpy.newaxis": None,
}  # fmt: skip


def constant_of(name: str) -> Const | None:
    """`np.pi` and its like, which keep their spelling in generated code."""
    if name not in CONSTANTS:
        return None
    value = CONSTANTS[name]
    return Const(value, "" if value is None else name)


# Files --------------------------------------------------------------------------------------------


# Decorators that leave what a function computes as it is.
TRANSPARENT = frozenset({
    "functools.cache", "functools.lru_cache", "numba.jit", "numba.njit", "typing.final",
    "typing.override", "typing.no_type_check", "typing_extensions.override", "jaxtyping.jaxtyped",
    "beartype.beartype", "typeguard.typechecked",
})  # fmt: skip


@dataclass(eq=False)
class FileScope:
    """The top level of a file.

    A name means something here only if it is bound once and for all when the file is imported.
    Where that is not certain (in a branch, by `global` in a function), `problem` says why.
    """

    parsed: ParsedFile
    constants_used: dict[str, str] = field(default_factory=dict)
    others: dict[str, FileScope | None] = field(default_factory=dict)
    names_constants: bool = (
        True  # constants keep their names, and are copied into the generated module
    )

    def __post_init__(self) -> None:
        self.names: dict[str, cst.CSTNode] = {}
        self.imports: dict[str, str] = {}
        self.relative: dict[str, tuple[str, str]] = {}
        self.assignments: dict[str, list[cst.BaseExpression]] = {}
        self.uncertain: dict[str, str] = {}
        self.star = ""
        for statement in self.parsed.module.body:
            if isinstance(statement, cst.FunctionDef | cst.ClassDef):
                self._forget(statement.name.value)
                self.names[statement.name.value] = statement
            elif isinstance(statement, cst.SimpleStatementLine):
                for small in statement.body:
                    self._small(small)
            elif not _is_for_type_checkers(statement):
                for name in _names_bound_in(statement):
                    self.uncertain[name] = "is bound in a branch or loop of the module"
        for names in re.findall(r"^[ \t]+global[ \t]+([\w, \t]+)", self.parsed.file.text, re.M):
            for name in re.findall(r"\w+", names):
                self.uncertain[name] = "is a global that a function rebinds"

    def _forget(self, name: str) -> None:
        # a later binding of a name replaces an earlier one of another kind
        for table in (self.names, self.imports, self.relative, self.uncertain):
            table.pop(name, None)

    def _small(self, small: cst.BaseSmallStatement) -> None:
        if isinstance(small, cst.Import | cst.ImportFrom):
            self._import(small)
        elif isinstance(small, cst.Assign):
            for target in small.targets:
                self._assign(target.target, small.value)
        elif isinstance(small, cst.AnnAssign | cst.AugAssign):
            if small.value is not None:
                self._assign(small.target, small.value)
        elif isinstance(small, cst.Del):
            for name in _names_bound_in(small):
                self._forget(name)
                self.uncertain[name] = "is deleted"

    def _assign(self, target: cst.BaseExpression, value: cst.BaseExpression) -> None:
        if isinstance(target, cst.Name):
            self._forget(target.value)
            self.assignments.setdefault(target.value, []).append(value)
        else:
            for name in _target_names(target):
                self._forget(name)
                self.uncertain[name] = "is a global that is not one literal number"

    def _import(self, node: cst.Import | cst.ImportFrom) -> None:
        if isinstance(node, cst.ImportFrom) and isinstance(node.names, cst.ImportStar):
            self._import_all("" if node.relative or node.module is None else _dotted(node.module))
        absolute, relative = imported_names(node)
        for name, target in absolute.items():
            self._forget(name)
            self.imports[name] = target
        for name, place in relative.items():
            self._forget(name)
            self.relative[name] = place

    def _import_all(self, module: str) -> None:
        """`from numpy import *`; what another module would bind is not known."""
        if module not in ("numpy", "math"):
            self.star = module or "a module"
            for name in (*self.names, *self.imports, *self.relative, *self.assignments):
                self.uncertain[name] = "may be bound anew by an import of `*`"
            return
        home = np if module == "numpy" else math
        for name in getattr(home, "__all__", dir(home)):
            if not name.startswith("_"):
                self._forget(name)
                self.imports[name] = f"{module}.{name}"

    def lookup(self, name: str) -> Value | None:
        """What a name means inside a function of the file; None if that is not known."""
        if name in self.uncertain or self.decorator(name):
            return None
        node = self.names.get(name)
        if isinstance(node, cst.FunctionDef):
            return UserFunction(name, node, self.parsed.unit(node), self)
        if name in self.imports:
            return Named(self.imports[name])
        if name in self.relative:
            return self._relative(*self.relative[name])
        if name in self.assignments:
            return self._constant(name)
        is_builtin = hasattr(builtins, name) and node is None and not self.star
        return Named(f"builtins.{name}") if is_builtin else None

    @property
    def functions(self) -> list[str]:
        """The functions of the file, in the order in which they were defined last."""
        return [name for name, node in self.names.items() if isinstance(node, cst.FunctionDef)]

    def function(self, name: str) -> UserFunction | None:
        """A function to be differentiated: `@grad` above it says no more than the command does."""
        node = self.names.get(name)
        if name in self.uncertain or self.decorator(name, ours=True):
            return None
        if isinstance(node, cst.FunctionDef):
            return UserFunction(name, node, self.parsed.unit(node), self)
        found = self.lookup(name)
        return found if isinstance(found, UserFunction) else None

    def decorator(self, name: str, ours: bool = False) -> str:
        """A decorator that may change what a function computes; with `ours`, not this package's."""
        node = self.names.get(name)
        for decorator in node.decorators if isinstance(node, cst.FunctionDef) else ():
            called = decorator.decorator
            dotted = _dotted(called.func if isinstance(called, cst.Call) else called)
            root, _, rest = dotted.partition(".")
            known = f"{self.imports.get(root, root)}{'.' if rest else ''}{rest}"
            if known not in TRANSPARENT and not (ours and known.startswith("s2s_ad.")):
                return dotted or "a decorator"
        return ""

    def problem(self, name: str) -> tuple[str, str, str] | None:
        """Why `lookup` knows nothing of a name: the name, message and help of a diagnostic."""
        if name in self.uncertain:
            return ("free-variable", f"`{name}` {self.uncertain[name]}",
                    "pass it as an argument, or bind it once at the top of the file")  # fmt: skip
        decorator = self.decorator(name)
        if decorator and self.decorator(name, ours=True):
            message = f"`{name}` is decorated with `{decorator}`, which may change what it computes"
            return "decorated-function", message, "call the function that it decorates"
        if decorator:
            return ("nested-derivative", f"`{name}` is a derivative, which cannot be used here",
                    "take derivatives outside the function that is differentiated")  # fmt: skip
        if name in self.assignments:
            return ("free-variable", f"`{name}` is a global that is not one literal number",
                    "pass it as an argument, or assign it a literal once")  # fmt: skip
        if self.star:
            message = f"`{name}` may come from `{self.star}`, of which everything is imported"
            return "unknown-name", message, "import by name what is used"
        return None

    @cached_property
    def declared(self) -> dict[str, Operation]:
        """The operations that the file declares by calling `declare` with literal texts."""
        found: dict[str, Operation] = {}
        for statement in self.parsed.module.body:
            for small in statement.body if isinstance(statement, cst.SimpleStatementLine) else ():
                call = small.value if isinstance(small, cst.Expr) else None
                if isinstance(call, cst.Call) and self._is_declare(_dotted(call.func)):
                    op = self._declaration(call, self.parsed.unit(statement))
                    found[op.name] = op
        return found

    def _is_declare(self, function: str) -> bool:
        root, dot, rest = function.partition(".")
        return f"{self.imports.get(root, root)}{dot}{rest}" in (
            "s2s_ad.declare",
            "s2s_ad.operations.declared.declare",
        )

    def _declaration(self, call: cst.Call, unit: Unit) -> Operation:
        try:
            texts = [ast.literal_eval(unit.code(a.value)) for a in call.args if a.keyword is None]
            options = {
                a.keyword.value: ast.literal_eval(unit.code(a.value))
                for a in call.args
                if a.keyword is not None and a.keyword.value != "function"
            }
            form, *lines = texts
            op = make_operation(form, tuple(lines), **options)
            node = self.names.get(op.name)
            if op.module or not isinstance(node, cst.FunctionDef):
                return op
            text = self.parsed.module.code_for_node(node)
            return replace(op, source=self_contained(textwrap.dedent(text), self.imports))
        except (ValueError, TypeError, SyntaxError) as problem:
            raise DifferentiationError(
                [
                    Diagnostic(
                        "bad-declaration",
                        f"this declaration cannot be read: {problem}",
                        unit.span(call),
                        help="write the form and the lines as literal texts",
                    )
                ]
            ) from None

    def _constant(self, name: str) -> Const | None:
        """A name assigned once, to a literal; anything else is a free variable, and refused."""
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
        if self.names_constants and isinstance(value, int | float) and not isinstance(value, bool):
            self.constants_used[name] = text.strip()
            return Const(value, name)
        return Const(value)

    def _relative(self, path: str, name: str) -> Value | None:
        """`from .helpers import g`: the file beside this one is read, not imported."""
        if path not in self.others:
            place = os.path.join(os.path.dirname(self.parsed.file.path) or ".", path)
            found = os.path.isfile(place)
            self.others[path] = (
                FileScope(parse_file(place), names_constants=False) if found else None
            )
        other = self.others[path]
        return other.lookup(name) if other else None


def _is_for_type_checkers(statement: cst.CSTNode) -> bool:
    """`if TYPE_CHECKING:`, which is never run."""
    if not isinstance(statement, cst.If) or statement.orelse is not None:
        return False
    return _dotted(statement.test).rpartition(".")[2] == "TYPE_CHECKING"


def _names_bound_in(node: cst.CSTNode) -> set[str]:
    """The names that a statement may bind or delete, outside of functions and classes in it."""
    found: set[str] = set()
    pending: list[cst.CSTNode] = [node]
    while pending:
        current = pending.pop()
        match current:
            case cst.FunctionDef(name=name) | cst.ClassDef(name=name):
                found.add(name.value)
                continue
            case cst.Import() | cst.ImportFrom():
                found.update(*imported_names(current))
            case (
                cst.AssignTarget(target=target)
                | cst.AnnAssign(target=target)
                | cst.AugAssign(target=target)
            ):
                found |= _target_names(target)
            case cst.For(target=target) | cst.NamedExpr(target=target) | cst.Del(target=target):
                found |= _target_names(target)
            case cst.AsName(name=target):
                found |= _target_names(target)
            case cst.MatchAs(name=cst.Name(value=text)) | cst.MatchStar(name=cst.Name(value=text)):
                found.add(text)
        pending.extend(current.children)
    return found


def _target_names(target: cst.CSTNode) -> set[str]:
    if isinstance(target, cst.Name):
        return {target.value}
    if isinstance(target, cst.Tuple | cst.List):
        return set().union(*(_target_names(element.value) for element in target.elements))
    return set()


def imported_names(
    node: cst.Import | cst.ImportFrom,
) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """What an import binds: local names to dotted names, or to (file, name) of a file beside."""
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
    """Functions of NumPy and math by identity: `from numpy import sin as s` is one of them."""
    from s2s_ad.operations import catalogue

    table: dict[int, str] = {}
    for name in catalogue().operations:
        module, _, attribute = name.rpartition(".")
        home = {"numpy": np, "math": math, "builtins": builtins}.get(module)
        if home is not None and hasattr(home, attribute):
            table.setdefault(id(getattr(home, attribute)), name)
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

    def _helper(self, function: types.FunctionType) -> UserFunction:
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
        identity = identity or (self._home(name), name)
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
            return self._helper(value)
        function = _function_of(value)
        if function is not None:
            self.used.append((lambda: _function_of(read()), function))
            owner = self.held_object(
                f"{name}.__self__", lambda: _self_of(read()), (identity, "self")
            )
            return replace(self._helper(function), bound=(owner,))
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
        if _holds_numbers(value):
            return FreeVariable(name, read, identity)
        return self.held_object(name, read, identity)

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
            return replace(self._helper(function), bound=bound)
        return self.wrap(f"{name}.{attribute}", read_attribute, (identity, attribute))

    def _item_of_module(self, name: str, module: types.ModuleType, item: str) -> Value | None:
        value = getattr(module, item, None)
        if callable(value) and not isinstance(value, types.FunctionType):
            return Named(f"{module.__name__}.{item}")  # of a library: declared, or not known
        return self._attribute(name, lambda: module, ("module", module.__name__), item)


def _default(function: types.FunctionType, place: int) -> object:
    return (function.__defaults__ or ())[place]


def _keyword_default(function: types.FunctionType, name: str) -> object:
    return (function.__kwdefaults__ or {})[name]


def _is_library(module: str) -> bool:
    """Whether what is in a module is known by its name: a library's, or one with declarations."""
    roots = {name.partition(".")[0] for name in DECLARED.by_name}
    return module.partition(".")[0] in roots.union(LIBRARIES)


def _holds_numbers(value: object) -> bool:
    """Whether the value is a number, an array or a container; otherwise it is an object."""
    return isinstance(value, int | float | complex | np.ndarray | np.generic | tuple | list | dict)


def _function_of(method: object) -> types.FunctionType | None:
    """The function of a bound method, if it is written in Python."""
    function = getattr(method, "__func__", None)
    is_method = isinstance(method, types.MethodType)
    return function if is_method and isinstance(function, types.FunctionType) else None


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
    functions[function] = _located(function, LiveScope(function, used, functions))
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
    parsed = parse_text(text, _relative_path(code.co_filename), first)
    node = _first_function(parsed.module, code.co_name)
    if node is None:
        raise _no_source(function)
    return UserFunction(code.co_name, node, Unit(parsed.file, parsed.module, first), scope)


def _relative_path(path: str) -> str:
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
    parsed = parse_text(f"({source})\n", _relative_path(code.co_filename), best.lineno)
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
