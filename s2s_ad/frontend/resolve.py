"""Names to what they mean in the text of a file, which is never run.

A file scope knows imports, functions, classes and literal constants. `live_scope.py` is its
counterpart for live functions.
"""

from __future__ import annotations

import ast
import builtins
import math
import os
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import libcst as cst
import numpy as np

from s2s_ad.diagnostics import Diagnostic, DifferentiationError
from s2s_ad.frontend.classes import doubt_of_class, file_class, named_tuple_of
from s2s_ad.frontend.file_derivatives import assigned, decorated
from s2s_ad.frontend.rebindings import EVERYTHING, changed_names
from s2s_ad.frontend.source import ParsedFile, Unit, parse_file, walk
from s2s_ad.frontend.values import CustomFunction, Named, UserClass, UserFunction, Value
from s2s_ad.ir import Const, Operation
from s2s_ad.operations.declare import is_taken
from s2s_ad.operations.declared import (
    FOUND,
    IMPLICIT_NAME,
    SOLVED,
    make_operation,
    self_contained,
)

LIBRARIES = ("numpy", "math", "scipy", "builtins")
CONSTANTS: dict[str, Any] = {
    "numpy.pi": np.pi, "numpy.e": np.e, "numpy.inf": np.inf, "numpy.nan": np.nan,
    "numpy.euler_gamma": np.euler_gamma, "math.pi": math.pi, "math.e": math.e, "math.inf": math.inf,
    "math.nan": math.nan, "math.tau": math.tau, "numpy.newaxis": None,
    "builtins.Ellipsis": Ellipsis,
}  # fmt: skip


def constant_of(name: str) -> Const | None:
    """`np.pi` and its like, which keep their spelling in generated code."""
    if name not in CONSTANTS:
        return None
    value = CONSTANTS[name]
    return Const(value, "" if value is None or value is Ellipsis else name)


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
        self._defined: dict[str, Value | None] = {}
        for statement in self.parsed.module.body:
            if isinstance(statement, cst.FunctionDef | cst.ClassDef):
                self._forget(statement.name.value)
                self.names[statement.name.value] = statement
            elif isinstance(statement, cst.SimpleStatementLine):
                for small in statement.body:
                    self._small(small)
            elif not _is_for_type_checkers(statement):
                for name in names_bound_in(statement):
                    self.uncertain[name] = "is bound in a branch or loop of the module"
        if re.search(r"^[ \t]+global[ \t]", self.parsed.file.text, re.M):
            for name in rebound_globals(self.parsed.module):
                self.uncertain[name] = "is a global that a function rebinds"
        changed = changed_names(self.parsed.file.text, set(self.functions))
        if EVERYTHING in changed:
            changed = {*self.names, *self.imports, *self.relative, *self.assignments}
        for name in changed:
            self.uncertain.setdefault(name, "is changed behind what binds it")

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
            for name in names_bound_in(small):
                self._forget(name)
                self.uncertain[name] = "is deleted"

    def _assign(self, target: cst.BaseExpression, value: cst.BaseExpression) -> None:
        if isinstance(target, cst.Name):
            self._forget(target.value)
            self.assignments.setdefault(target.value, []).append(value)
        else:
            for name in target_names(target):
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
        if name in self.uncertain:
            return None
        node = self.names.get(name)
        if isinstance(node, cst.FunctionDef):
            if name not in self._defined:
                self._defined[name] = None  # it may stand for itself: `@implicit(root=f)`
                function = self._user_function(name, node)
                self._defined[name] = decorated(self, node, function)
            return self._defined[name]
        if name in self.imports:
            return Named(self.imports[name])
        if name in self.relative:
            return self._relative(*self.relative[name])
        if isinstance(node, cst.ClassDef):
            return None if doubt_of_class(self, node) else file_class(self, node)
        if name in self.assignments:
            return self._named_tuple(name) or self._constant(name) or self._derivative(name)
        is_builtin = hasattr(builtins, name) and node is None and not self.star
        return Named(f"builtins.{name}") if is_builtin else None

    def _named_tuple(self, name: str) -> UserClass | None:
        values = self.assignments[name]
        call = values[0]
        if len(values) != 1 or not isinstance(call, cst.Call):
            return None
        return named_tuple_of(call, self.dotted_name(call.func))

    def custom_function(self, function: UserFunction) -> CustomFunction | None:
        """What a function of the file is whose derivative the file states."""
        found = self.lookup(function.name)
        is_it = isinstance(found, CustomFunction) and isinstance(found.function, UserFunction)
        if not is_it or found.function.node is not function.node:  # type: ignore[union-attr]
            return None
        return found  # type: ignore[return-value]

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
            return self._user_function(name, node)
        found = self.lookup(name)
        return found if isinstance(found, UserFunction) else None

    def _user_function(self, name: str, node: cst.FunctionDef) -> UserFunction:
        """The function with what it solves, which its decorator or its docstring says."""
        said = [self.solved_by(decorator.decorator) for decorator in node.decorators]
        solves = next(filter(None, said), None)
        kind, other = solver_of_module(node)
        equation = self.lookup(other) if other != name else None
        if isinstance(equation, UserFunction):
            solves = (kind, equation)
        return UserFunction(name, node, self.parsed.unit(node), self, solves=solves)

    def solved_by(self, decorator: cst.BaseExpression) -> tuple[str, UserFunction] | None:
        """What `@implicit(root=residual)` says, if it names a function of the file."""
        declared = solver_declaration(decorator)
        if declared is None or not isinstance(decorator, cst.Call):
            return None
        equation = self.lookup(declared[1])
        if self.dotted_name(decorator.func) != IMPLICIT_NAME:
            return None
        return (declared[0], equation) if isinstance(equation, UserFunction) else None

    def decorator(self, name: str, ours: bool = False) -> str:
        """A decorator that may change what a function computes; with `ours`, not this package's."""
        node = self.names.get(name)
        for decorator in node.decorators if isinstance(node, cst.FunctionDef) else ():
            called = decorator.decorator
            dotted = _dotted(called.func if isinstance(called, cst.Call) else called)
            known = self.dotted_name(called.func if isinstance(called, cst.Call) else called)
            known_to_us = ours and known.startswith("s2s_ad.") and known != IMPLICIT_NAME
            if not self.is_transparent(called) and not known_to_us:
                return dotted or "a decorator"
        return ""

    def problem(self, name: str) -> tuple[str, str, str] | None:
        """Why `lookup` knows nothing of a name: the name, message and help of a diagnostic."""
        if name in self.uncertain:
            return ("free-variable", f"`{name}` {self.uncertain[name]}",
                    "pass it as an argument, or bind it once at the top of the file")  # fmt: skip
        node = self.names.get(name)
        if isinstance(node, cst.ClassDef) and doubt_of_class(self, node):
            return ("unsupported-value", f"the class `{name}` {doubt_of_class(self, node)}",
                    "use a class whose text says what its objects are: no decorators or bases "
                    "but those of dataclasses and named tuples")  # fmt: skip
        decorator = self.decorator(name)
        if decorator and self.decorator(name, ours=True):
            message = f"`{name}` is decorated with `{decorator}`, which may change what it computes"
            return "decorated-function", message, "call the function that it decorates"
        if decorator:
            return ("nested-derivative", f"it is not known what `{decorator}` makes of `{name}`",
                    "give its options as literals")  # fmt: skip
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
                if isinstance(call, cst.Call) and self._is_declare(call.func):
                    op = self._declaration(call, self.parsed.unit(statement))
                    found[op.name] = op
        return found

    def _is_declare(self, function: cst.BaseExpression) -> bool:
        return self.dotted_name(function) in (
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

    def _derivative(self, name: str) -> Value | None:
        """A name assigned once, to the derivative of a function."""
        if name not in self._defined and len(self.assignments[name]) == 1:
            self._defined[name] = None  # it may stand for itself: `f = grad(f)`
            self._defined[name] = assigned(self, self.assignments[name][0])
        return self._defined.get(name)

    def dotted_name(self, node: cst.BaseExpression) -> str:
        """What an expression of names and dots means, by the imports of the file."""
        root, dot, rest = _dotted(node).partition(".")
        return f"{self.imports.get(root, root)}{dot}{rest}"

    def is_transparent(self, decorator: cst.BaseExpression) -> bool:
        """Whether a decorator leaves what a function computes as it is."""
        called = decorator.func if isinstance(decorator, cst.Call) else decorator
        if self.dotted_name(called) == IMPLICIT_NAME:
            return self.solved_by(decorator) is not None
        return self.dotted_name(called) in TRANSPARENT

    def code(self, node: cst.CSTNode) -> str:
        """The text of an expression of the file."""
        return self.parsed.module.code_for_node(node)

    def statement_with(self, node: cst.CSTNode) -> Any:
        """The statement at the top level that an expression stands in."""
        for statement in self.parsed.module.body:
            if any(current is node for current in walk(statement)):
                return statement
        return None

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
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if self.names_constants and is_number and not is_taken(name):
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


def solver_declaration(node: cst.BaseExpression) -> tuple[str, str] | None:
    """What `implicit(root=residual)` says: what is found, and the name of the function."""
    match node:
        case cst.Call(args=[cst.Arg(keyword=cst.Name(value=kind), value=cst.Name(value=name))]) if (
            kind in SOLVED
        ):
            return kind, name
    return None


def solver_of_module(node: cst.FunctionDef) -> tuple[str, str]:
    """What a solver of a generated module finds, and of which function; empty for others."""
    written = FOUND.fullmatch(str(node.get_docstring()))
    return (written[1].replace(" ", "_"), written[2]) if written else ("", "")


def _is_for_type_checkers(statement: cst.CSTNode) -> bool:
    """`if TYPE_CHECKING:`, which is never run."""
    if not isinstance(statement, cst.If) or statement.orelse is not None:
        return False
    return _dotted(statement.test).rpartition(".")[2] == "TYPE_CHECKING"


def names_bound(unit: Unit, node: cst.CSTNode, *, updates: bool = True) -> frozenset[str]:
    """`names_bound_in` for a node of a unit, found once: blocks are lowered on trial, again and
    again.
    """
    key = (node, updates)
    if key not in unit.bound:
        inside = ":=" in unit.file.text
        unit.bound[key] = frozenset(names_bound_in(node, updates=updates, expressions=inside))
    return unit.bound[key]


def names_bound_in(
    node: cst.CSTNode, *, updates: bool = True, expressions: bool = True
) -> set[str]:
    """The names that a statement may bind or delete, outside of functions and classes in it.

    Without `updates`, `x += y` does not count: it binds a number anew, and changes an array.
    Without `expressions`, `:=` does not occur in them.
    """
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
            case cst.AssignTarget(target=target) | cst.AnnAssign(target=target):
                found |= target_names(target)
            case cst.AugAssign(target=target) if updates:
                found |= target_names(target)
            case cst.For(target=target) | cst.NamedExpr(target=target) | cst.Del(target=target):
                found |= target_names(target)
            case cst.AsName(name=target):
                found |= target_names(target)
            case cst.MatchAs(name=cst.Name(value=text)) | cst.MatchStar(name=cst.Name(value=text)):
                found.add(text)
        pending.extend(current.children if expressions else _without_expressions(current))
    return found


def _without_expressions(node: cst.CSTNode) -> Sequence[cst.CSTNode]:
    """The parts of a node that may bind names other than by `:=`."""
    match node:
        case cst.SimpleStatementLine(body=parts) | cst.SimpleStatementSuite(body=parts):
            return parts
        case cst.IndentedBlock(body=parts) | cst.Assign(targets=parts):
            return parts
        case cst.If(body=body, orelse=other) | cst.While(body=body, orelse=other):
            return (body,) if other is None else (body, other)
        case cst.For(body=body, orelse=other):
            return (body,) if other is None else (body, other)
        case cst.BaseExpression() | cst.Expr() | cst.Return() | cst.AugAssign():
            return ()
    return node.children


def rebound_globals(node: cst.CSTNode) -> set[str]:
    """The globals that functions in a node assign, having said `global`."""
    found: set[str] = set()
    for child in node.children:
        found |= rebound_globals(child)
    if isinstance(node, cst.FunctionDef):
        found |= _said_global(node.body) & names_bound_in(node.body)
    return found


def _said_global(node: cst.CSTNode) -> set[str]:
    if isinstance(node, cst.Global):
        return {item.name.value for item in node.names}
    if isinstance(node, cst.FunctionDef | cst.ClassDef):
        return set()
    return set().union(*map(_said_global, node.children))


def every_parameter(parameters: cst.Parameters) -> list[cst.Param]:
    """All that have a name of their own: those behind stars are not among them."""
    return [*parameters.posonly_params, *parameters.params, *parameters.kwonly_params]


def target_names(target: cst.CSTNode) -> set[str]:
    if isinstance(target, cst.Name):
        return {target.value}
    if isinstance(target, cst.Tuple | cst.List):
        return set().union(*(target_names(element.value) for element in target.elements))
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
