"""Classes of the user: the fields of named tuples and dataclasses, functions found by class.

`live_class` looks at a class object, `file_class` reads the text of one. `fields` are known of
named tuples and dataclasses, whose objects a library's code makes. `objects.py` makes records of
them.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import types
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import libcst as cst

from s2s_ad.frontend.values import ClassField, Member, UserClass, UserFunction, Value, private_name
from s2s_ad.ir import Const

if TYPE_CHECKING:
    from s2s_ad.frontend.resolve import FileScope

RECORDS = ("typing.NamedTuple", "dataclasses.dataclass", "collections.namedtuple")


# Live classes -------------------------------------------------------------------------------------


def live_class(
    value: type,
    wrap: Callable[[str, Callable[[], object]], Value | None],
    own_class: Callable[[UserFunction], type | None],
) -> UserClass:
    """A class object. `wrap` gives the value of what is read from it, `own_class` the class that a
    method was written in.
    """

    def parent(function: UserFunction) -> UserClass | None:
        """The class behind the function's own among those that this one is made from."""
        own, order = own_class(function), value.__mro__
        if own not in order or order.index(own) + 1 == len(order):
            return None
        return _live_view(value.__name__, value, order[order.index(own) + 1 :], wrap, parent)

    return _live_view(value.__name__, value, value.__mro__, wrap, parent)


def _live_view(
    name: str,
    value: type,
    order: Sequence[type],
    wrap: Callable[[str, Callable[[], object]], Value | None],
    parent: Callable[[UserFunction], UserClass | None],
) -> UserClass:
    """A class as those of `order` make it: all of them, or those that `super()` looks at."""

    def member(attribute: str) -> Member | None:
        found = _found_in(order, attribute)
        if found is None:
            return None

        def read() -> object:
            return inner_function(_found_in(order, attribute))

        kind = KINDS.get(type(found)) or ("computed" if _is_descriptor(found) else "value")
        inner = wrap(f"{name}.{attribute}", read)
        return None if inner is None else Member(kind, inner)

    return UserClass(name, _live_fields(value, wrap), member, parent, value)


COMPUTED = Member("computed", Const(None))  # what code decides that is not followed
KINDS: dict[type, str] = {
    types.FunctionType: "method",
    property: "property",
    classmethod: "classmethod",
    staticmethod: "staticmethod",
}


def _is_descriptor(member: object) -> bool:
    """Whether code decides what an object has in the place of this; slots are plain attributes."""
    made = type(member)
    computes = hasattr(made, "__get__") or hasattr(made, "__set__")
    return computes and made.__module__ != "builtins"


def _found_in(order: Sequence[type], attribute: str) -> object:
    for each in order:
        if each not in (object, tuple) and attribute in vars(each):
            return vars(each)[attribute]
    return None


def inner_function(member: Any) -> object:
    """The function of a property, class method or static method; anything else is itself."""
    if isinstance(member, property):
        return member.fget
    return member.__func__ if isinstance(member, classmethod | staticmethod) else member


def _live_fields(
    value: type, wrap: Callable[[str, Callable[[], object]], Value | None]
) -> tuple[ClassField, ...] | None:
    init, new = (getattr(value, name) for name in ("__init__", "__new__"))
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        if new is not object.__new__ or not _is_generated(init):
            return None
        if not all(field.init for field in fields):
            return None
        return tuple(_live_field(value.__name__, field, wrap) for field in fields)
    if issubclass(value, tuple) and hasattr(value, "_fields"):
        if init is not object.__init__ or not _is_generated(new):
            return None
        defaults: dict[str, Any] = getattr(value, "_field_defaults", {})
        return tuple(
            ClassField(
                name,
                wrap(f"{value.__name__}.{name}", partial(defaults.get, name))
                if name in defaults
                else None,
            )
            for name in value._fields
        )
    return None


def _live_field(
    owner: str,
    field: dataclasses.Field[Any],
    wrap: Callable[[str, Callable[[], object]], Value | None],
) -> ClassField:
    """A field of a dataclass, with its default or what makes one."""
    given: dict[str, Value | None] = {}
    for word in ("default", "default_factory"):
        if getattr(field, word) is not dataclasses.MISSING:
            given[word] = wrap(f"{owner}.{field.name}", partial(getattr, field, word))
    return ClassField(
        field.name, given.get("default"), bool(field.kw_only), given.get("default_factory")
    )


def _is_generated(function: Any) -> bool:
    """Whether a method was written by the library, not by the user."""
    code = getattr(function, "__code__", None)
    return code is not None and code.co_filename.startswith("<")


# Classes in the text of a file --------------------------------------------------------------------


def file_class(scope: FileScope, node: cst.ClassDef) -> UserClass:
    """A class of a file that is not run."""

    def member(name: str) -> Member | None:
        return _file_member(scope, node, name)

    def parent(function: UserFunction) -> UserClass | None:
        """Of one base only: the order of several is not computed here."""
        bases = [scope.names.get(_text(base.value)) for base in node.bases]
        own = [line for line in node.body.body if line is function.node]
        known = [base for base in bases if isinstance(base, cst.ClassDef)]
        if len(known) != 1 or len(bases) != 1:
            return None
        above = file_class(scope, known[0])
        return above if own else above.parent(function)

    return UserClass(node.name.value, _file_fields(scope, node), member, parent, node)


def _file_member(scope: FileScope, node: cst.ClassDef, name: str) -> Member | None:
    """What the class holds, or those that it is made from."""
    called = partial(private_name, node.name.value)
    for line in reversed(node.body.body):
        if isinstance(line, cst.FunctionDef) and called(line.name.value) == name:
            decorators = [_text(each.decorator) for each in line.decorators]
            kind = decorators[0] if decorators else "method"
            if len(decorators) > 1 or kind not in KINDS.values():
                return COMPUTED
            unit = scope.parsed.unit(line)
            return Member(kind, UserFunction(name, line, unit, scope, owner=node.name.value))
        if isinstance(line, cst.SimpleStatementLine):
            value = _assigned(line, name, called)
            literal = None if value is None else _literal(value)
            if literal is not None:
                return Member("value", literal)
            if value is not None:
                return COMPUTED
        if name in map(called, _names_bound_by(line)):
            return COMPUTED
    for base in node.bases:
        found = scope.names.get(_text(base.value))
        if isinstance(found, cst.ClassDef):
            member = _file_member(scope, found, name)
            if member is not None:
                return member
    return None


def _names_bound_by(line: cst.CSTNode) -> set[str]:
    """What a line of a class binds; `x: float` alone binds nothing."""
    from s2s_ad.frontend.resolve import names_bound_in

    parts = line.body if isinstance(line, cst.SimpleStatementLine) else [line]
    bound = [p for p in parts if not (isinstance(p, cst.AnnAssign) and p.value is None)]
    return set().union(*map(names_bound_in, bound))


def doubt_of_class(scope: FileScope, node: cst.ClassDef) -> str:
    """Why the text of a class does not say what its objects are; "" if it does."""
    if _file_fields(scope, node) is not None:
        return ""
    for decorator in node.decorators:
        if scope.dotted_name(decorator.decorator) != "typing.final":
            return f"is decorated with `{_text(decorator.decorator)}`"
    if node.keywords:
        return f"is made with `{node.keywords[0].keyword.value}=...`"  # type: ignore[union-attr]
    families = 0
    for base in node.bases:
        name = base.value.value if isinstance(base.value, cst.Subscript) else base.value
        found = scope.names.get(_text(name))
        if isinstance(found, cst.ClassDef):
            families += 1
            if _file_member(scope, found, "__init_subclass__") is not None:
                return f"has the base `{found.name.value}`, which changes the classes made from it"
            if families > 1 or _text(name) in scope.uncertain or doubt_of_class(scope, found):
                return "has bases of which it is not known what they hold"
        elif scope.dotted_name(name) not in PLAIN_BASES and not _is_exception(_text(name)):
            return f"has the base `{_text(name)}`, which is not defined in this file"
    return ""


def _is_exception(name: str) -> bool:
    found = getattr(builtins, name, None)
    return isinstance(found, type) and issubclass(found, BaseException)


PLAIN_BASES = frozenset({
    "object", "abc.ABC", "typing.Generic", "typing.Protocol", "enum.IntEnum",
})  # fmt: skip


def _assigned(
    line: cst.SimpleStatementLine, name: str, called: Callable[[str], str]
) -> cst.BaseExpression | None:
    """What a line of a class gives a name."""
    for small in line.body:
        if not isinstance(small, cst.Assign | cst.AnnAssign):
            continue
        targets = [small.target] if isinstance(small, cst.AnnAssign) else []
        if isinstance(small, cst.Assign):
            targets = [each.target for each in small.targets]
        if any(isinstance(each, cst.Name) and called(each.value) == name for each in targets):
            return small.value
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
            if line.name.value in ("__init__", "__new__"):
                return None
            continue
        for small in line.body if isinstance(line, cst.SimpleStatementLine) else ():
            if isinstance(small, cst.AnnAssign) and isinstance(small.target, cst.Name):
                if "ClassVar" in scope.code(small.annotation.annotation):
                    continue
                found = _file_field(scope, small.target.value, small.value)
                if found is None:
                    return None
                fields.append(found)
            elif not isinstance(small, cst.Expr | cst.Pass):
                return None
    return tuple(fields)


def _file_field(scope: FileScope, name: str, value: cst.BaseExpression | None) -> ClassField | None:
    """A field with its default, or what `field(default_factory=list)` says; None if unknown."""
    if value is None:
        return ClassField(name)
    literal = _literal(value)
    if literal is not None:
        return ClassField(name, literal)
    if not isinstance(value, cst.Call) or scope.dotted_name(value.func) != "dataclasses.field":
        return None
    given = {each.keyword.value: each.value for each in value.args if each.keyword is not None}
    if len(given) != len(value.args) or not given.keys() <= {"default", "default_factory"}:
        return None
    if "default" in given:
        literal = _literal(given["default"])
        return None if literal is None else ClassField(name, literal)
    made = given.get("default_factory")
    factory = scope.lookup(made.value) if isinstance(made, cst.Name) else None
    return None if factory is None else ClassField(name, factory=factory)


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
