"""Objects of the user's classes: making them, what they find in their class, `super()`.

An object made here is a record: a container whose keys are its attributes. Objects that were there
before are free variables, of which `live_scope.py` knows the attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from s2s_ad.frontend.containers import container, refreshed
from s2s_ad.frontend.lower import inline
from s2s_ad.frontend.resolve import every_parameter
from s2s_ad.frontend.values import FreeVariable, Member, UserClass, UserFunction, Value
from s2s_ad.ir import Structure

if TYPE_CHECKING:
    from s2s_ad.frontend.arguments import Arguments
    from s2s_ad.frontend.lower import Lowering

INSTEAD = {
    "defaultdict": "use a dict that has its keys from the start, or `d.get(key, 0.0)`",
    "Counter": "use a dict that has its keys from the start, or `d.get(key, 0)`",
    "OrderedDict": "use a dict: it keeps the order of its keys",
    "ChainMap": "look a key up in one dict after the other",
    "deque": "use a list: `append(v)`, `pop(0)`, `insert(0, v)`, and `p = p[-n:]` for `maxlen=n`",
}
"""What to write for the containers of `collections`."""

GIVEN = ("_replace", "_asdict", "_make", "count", "index")  # every named tuple has them
# Methods that decide what an object is, or what its attributes are.
DECISIVE = ("__new__", "__setattr__", "__getattr__", "__getattribute__")
OPERATORS = {
    "+": "add", "-": "sub", "*": "mul", "/": "truediv", "//": "floordiv", "%": "mod", "**": "pow",
    "@": "matmul", "<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne",
    "-x": "neg", "+x": "pos", "abs": "abs", "len": "len", "[]": "getitem", "()": "call",
}  # fmt: skip
REFLECTED = {"<": "gt", "<=": "ge", ">": "lt", ">=": "le", "==": "eq", "!=": "ne"}


# Making -------------------------------------------------------------------------------------------


def make_object(lowering: Lowering, made: UserClass, arguments: Arguments) -> Value:
    """`Point(1.0, y=x)`, `Model(k)`"""
    known = lowering.classes.setdefault(made.name, made)
    if known.identity != made.identity:
        message = f"there are two classes `{made.name}`"
        raise lowering.refuse(
            "unsupported-value", message, arguments.node, help="give them different names"
        )
    if made.fields is None:
        return _initialised(lowering, made, arguments)
    record = _with_fields(lowering, made, arguments)
    after = made.member("__post_init__")
    if after is not None and isinstance(after.value, UserFunction):
        call_with(lowering, after.value, [record], arguments.node)
    return refreshed(lowering, record, arguments.node)


def _with_fields(lowering: Lowering, made: UserClass, arguments: Arguments) -> Structure:
    """A record of what is given: arguments to fields, as Python binds them."""
    node = arguments.node
    assert made.fields is not None
    given = dict[str, Value]()
    by_position = [field.name for field in made.fields if not field.by_keyword]
    if len(arguments.positional) > len(by_position):
        message = f"`{made.name}` has {len(by_position)} fields"
        raise lowering.refuse("bad-call", message, node)
    given.update(zip(by_position, arguments.positional, strict=False))
    names = [field.name for field in made.fields]
    for keyword, value in arguments.keywords.items():
        if keyword in given or keyword not in names:
            message = f"`{made.name}` does not take `{keyword}` here"
            raise lowering.refuse("bad-call", message, arguments.nodes.get(keyword, node))
        given[keyword] = value
    for field in made.fields:
        if field.name in given:
            continue
        if field.factory is not None:
            given[field.name] = call_with(lowering, field.factory, [], node)
        elif field.default is None:
            raise lowering.refuse("bad-call", f"`{made.name}` needs `{field.name}`", node)
        else:
            given[field.name] = field.default
    return container(lowering, "record", [given[name] for name in names], names, made.name)


def _initialised(lowering: Lowering, made: UserClass, arguments: Arguments) -> Value:
    """An object whose `__init__` gives it its attributes."""
    node = arguments.node
    start = made.member("__init__")
    is_plain = start is None or isinstance(start.value, UserFunction)
    if not is_plain or any(made.member(name) is not None for name in DECISIVE):
        own = "use a class with an `__init__`, a dataclass or a named tuple"
        raise lowering.refuse(
            "unsupported-value",
            f"objects of the class `{made.name}` cannot be made here",
            node,
            help=INSTEAD.get(made.name, own),
        )
    record = container(lowering, "record", [], [], made.name)
    if start is None and (arguments.positional or arguments.keywords):
        raise lowering.refuse("bad-call", f"`{made.name}` takes no arguments", node)
    if start is None:
        return record
    from s2s_ad.frontend.calls import call

    assert isinstance(start.value, UserFunction)
    call(lowering, replace(start.value, bound=(record,)), arguments, "")
    return refreshed(lowering, record, node)


def call_with(
    lowering: Lowering, function: Value, values: Sequence[Value], node: cst.CSTNode
) -> Value:
    """Call a function where the program has no call of its own."""
    from s2s_ad.frontend.arguments import Arguments
    from s2s_ad.frontend.calls import call

    written = node if isinstance(node, cst.Call) else cst.Call(cst.Name("call"))
    if isinstance(function, UserFunction) and function.solves is None:
        params = every_parameter(function.node.params)
        if len(params) == len(values) + len(function.bound):
            given = (*function.bound, *values)
            names = {param.name.value: v for param, v in zip(params, given, strict=True)}
            return inline(lowering, function, names, node)
    return call(lowering, function, Arguments(list(values), {}, {}, written), "")


# Attributes ---------------------------------------------------------------------------------------


def class_of(lowering: Lowering, record: Structure) -> UserClass | None:
    """The class of a record, if it is one that was made here or that the function sees."""
    if record.kind != "record" or not record.constructor:
        return None
    made = lowering.classes.get(record.constructor)
    found = made or lowering.frame.scope.lookup(record.constructor)
    return found if isinstance(found, UserClass) else None


def found_in_class(
    lowering: Lowering, record: Structure, name: str, node: cst.CSTNode
) -> Value | None:
    """What a record finds in its class: methods bound to it, properties computed."""
    made = class_of(lowering, record) if name not in GIVEN else None
    member = None if made is None else made.member(name)
    if member is None or made is None or member.kind == "computed":
        return None
    if member.kind == "property":
        return call_with(lowering, member.value, [record], node)
    return _bound(member, record, made)


def _bound(member: Member, record: Structure, made: UserClass) -> Value:
    if isinstance(member.value, UserFunction) and not member.value.bound:
        if member.kind == "method":
            return replace(member.value, bound=(record,))
        if member.kind == "classmethod":
            return replace(member.value, bound=(made,))
    return member.value


def attribute_of_class(lowering: Lowering, made: UserClass, name: str, node: cst.CSTNode) -> Value:
    """`Model.scale`, `Model.method`"""
    member = made.member(name)
    if member is None or member.kind in ("property", "computed"):
        message = f"`{made.name}` has no attribute `{name}` that is known here"
        raise lowering.refuse("unknown-name", message, node)
    is_function = isinstance(member.value, UserFunction) and not member.value.bound
    if member.kind == "classmethod" and isinstance(member.value, UserFunction) and is_function:
        return replace(member.value, bound=(made,))
    return member.value


def with_operator(
    lowering: Lowering, symbol: str, operands: Sequence[Value], node: cst.CSTNode
) -> Value | None:
    """`a + b` of objects whose class says what that is; None if none of them does."""
    word = OPERATORS.get(symbol)
    if word is None:
        return None
    left, *rest = operands
    ways = [(left, f"__{word}__", rest)]
    if rest:
        ways.append((rest[0], f"__{REFLECTED.get(symbol, 'r' + word)}__", [left]))
    for owner, name, others in ways:
        if not isinstance(owner, Structure):
            continue
        made = class_of(lowering, owner)
        member = None if made is None else made.member(name)
        if member is not None and member.kind == "method":
            return call_with(lowering, member.value, [owner, *others], node)
        if member is not None:
            message = f"what `{owner.constructor}.{name}` does is not known here"
            raise lowering.refuse("unsupported-value", message, node)
    return None


def call_super(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`super()` in a method of an object."""
    from s2s_ad.frontend.live_scope import LiveScope

    function = lowering.frame.function
    params = every_parameter(function.node.params)
    scope = lowering.frame.scope
    owner = lowering.frame.names.get(params[0].name.value) if params else None
    found: Value | None = None
    given = arguments.positional or arguments.keywords
    if isinstance(scope, LiveScope) and isinstance(owner, FreeVariable) and not given:
        found = scope.parent(owner)
    if isinstance(owner, Structure) and not given:
        found = _parent_of_record(lowering, owner, function)
    if found is None:
        raise lowering.refuse(
            "unsupported-syntax",
            "which class `super` means here is not known",
            arguments.node,
            help="name the class: `Base.method(self, ...)`",
        )
    return found


def _parent_of_record(
    lowering: Lowering, record: Structure, function: UserFunction
) -> UserClass | None:
    """The class behind the function's own, whose functions are bound to the record."""
    made = class_of(lowering, record)
    parent = None if made is None else made.parent(function)
    if made is None or parent is None:
        return None
    above, own = parent, made

    def member(name: str) -> Member | None:
        found = above.member(name)
        return None if found is None else Member("value", _bound(found, record, own))

    return UserClass(parent.name, None, member)


def may_have(lowering: Lowering, record: Structure, name: str) -> bool:
    """Whether an attribute may be given to an object that has none of this name yet."""
    made = class_of(lowering, record)
    found = None if made is None else made.member(name)
    return made is not None and (found is None or found.kind == "value")


__all__ = [
    "attribute_of_class",
    "call_super",
    "call_with",
    "found_in_class",
    "make_object",
    "may_have",
    "with_operator",
]
