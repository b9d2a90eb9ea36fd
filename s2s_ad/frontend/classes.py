"""Classes of the user: the fields of named tuples and dataclasses, functions found by class.

`live_class` looks at a class object, `file_class` reads the text of one. `fields` are known of
classes that compute nothing when they make an object: named tuples, and dataclasses without
`__post_init__`. `objects.py` makes records of them.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import libcst as cst

from s2s_ad.frontend.values import ClassField, UserClass, UserFunction, Value
from s2s_ad.ir import Const

if TYPE_CHECKING:
    from s2s_ad.frontend.resolve import FileScope

RECORDS = ("typing.NamedTuple", "dataclasses.dataclass", "collections.namedtuple")


# Live classes -------------------------------------------------------------------------------------


def live_class(
    value: type,
    attribute: Callable[[str], Value | None],
    wrap: Callable[[str, object], Value | None],
) -> UserClass:
    """A class object; `wrap` gives the value of a field's default."""
    return UserClass(value.__name__, _live_fields(value, wrap), attribute)


def _live_fields(
    value: type, wrap: Callable[[str, object], Value | None]
) -> tuple[ClassField, ...] | None:
    init, new = (getattr(value, name) for name in ("__init__", "__new__"))
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        plain = new is object.__new__ and not hasattr(value, "__post_init__")
        if not plain or not _is_generated(init) or not all(field.init for field in fields):
            return None
        return tuple(
            ClassField(
                field.name,
                None
                if field.default is dataclasses.MISSING
                else wrap(f"{value.__name__}.{field.name}", field.default),
                bool(field.kw_only),
            )
            for field in fields
        )
    if issubclass(value, tuple) and hasattr(value, "_fields"):
        if init is not object.__init__ or not _is_generated(new):
            return None
        defaults: dict[str, Any] = getattr(value, "_field_defaults", {})
        return tuple(
            ClassField(
                name, wrap(f"{value.__name__}.{name}", defaults[name]) if name in defaults else None
            )
            for name in value._fields
        )
    return None


def _is_generated(function: Any) -> bool:
    """Whether a method was written by the library, not by the user."""
    code = getattr(function, "__code__", None)
    return code is not None and code.co_filename.startswith("<")


# Classes in the text of a file --------------------------------------------------------------------


def file_class(scope: FileScope, node: cst.ClassDef) -> UserClass:
    """A class of a file that is not run."""

    def attribute(name: str) -> Value | None:
        return _file_attribute(scope, node, name)

    return UserClass(node.name.value, _file_fields(scope, node), attribute)


def _file_attribute(scope: FileScope, node: cst.ClassDef, name: str) -> Value | None:
    """A function of the class or of those that it is made from, if nothing decorates it."""
    for line in node.body.body:
        if isinstance(line, cst.FunctionDef) and line.name.value == name:
            decorators = [_text(each.decorator) for each in line.decorators]
            if decorators not in ([], ["staticmethod"]):
                return None
            return UserFunction(name, line, scope.parsed.unit(line), scope)
    for base in node.bases:
        found = scope.names.get(_text(base.value))
        if isinstance(found, cst.ClassDef):
            value = _file_attribute(scope, found, name)
            if value is not None:
                return value
    return None


def _file_fields(scope: FileScope, node: cst.ClassDef) -> tuple[ClassField, ...] | None:
    heads = [*(base.value for base in node.bases), *(each.decorator for each in node.decorators)]
    names = [scope.dotted_name(head.func if isinstance(head, cst.Call) else head) for head in heads]
    calls = [head for head in heads if isinstance(head, cst.Call)]
    options = [
        arg.keyword.value if arg.keyword is not None else "" for call in calls for arg in call.args
    ]
    if len(names) != 1 or names[0] not in RECORDS or set(options) - {"frozen", "slots", "eq"}:
        return None
    fields: list[ClassField] = []
    for line in node.body.body:
        if isinstance(line, cst.FunctionDef):
            if line.name.value in ("__init__", "__new__", "__post_init__"):
                return None
            continue
        for small in line.body if isinstance(line, cst.SimpleStatementLine) else ():
            if isinstance(small, cst.AnnAssign) and isinstance(small.target, cst.Name):
                default = None if small.value is None else _literal(small.value)
                if small.value is not None and default is None:
                    return None
                fields.append(ClassField(small.target.value, default))
            elif not isinstance(small, cst.Expr | cst.Pass):
                return None
    return tuple(fields)


def named_tuple_of(call: cst.BaseExpression, called: str) -> UserClass | None:
    """`namedtuple("Point", ["x", "y"])`"""
    if called != "collections.namedtuple" or not isinstance(call, cst.Call) or len(call.args) != 2:
        return None
    try:
        name, fields = (ast.literal_eval(_text(argument.value)) for argument in call.args)
    except (ValueError, SyntaxError, TypeError):
        return None
    if isinstance(fields, str):
        fields = fields.replace(",", " ").split()
    return UserClass(name, tuple(ClassField(field) for field in fields), lambda attribute: None)


def _literal(node: cst.BaseExpression) -> Const | None:
    try:
        value = ast.literal_eval(_text(node))
    except (ValueError, SyntaxError, TypeError):
        return None
    return Const(value) if isinstance(value, int | float | str | None) else None


def _text(node: cst.CSTNode) -> str:
    return cst.Module(body=[]).code_for_node(node)


__all__ = ["file_class", "live_class", "named_tuple_of"]
