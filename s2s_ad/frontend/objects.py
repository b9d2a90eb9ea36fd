"""Objects of the user's classes: making records, their methods, `super()`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from s2s_ad.frontend.containers import container
from s2s_ad.frontend.values import FreeVariable, UserClass, UserFunction, Value
from s2s_ad.ir import Structure

if TYPE_CHECKING:
    from s2s_ad.frontend.arguments import Arguments
    from s2s_ad.frontend.lower import Lowering

GIVEN = ("_replace", "_asdict", "_make", "count", "index")  # every named tuple has them


def make_object(lowering: Lowering, made: UserClass, arguments: Arguments) -> Value:
    """`Point(1.0, y=x)`: arguments to fields, as Python binds them."""
    node = arguments.node
    if made.fields is None:
        raise lowering.refuse(
            "unsupported-value",
            f"objects of the class `{made.name}` cannot be made here",
            node,
            help="use a named tuple or a dataclass that computes nothing when it is made",
        )
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
        if field.name not in given and field.default is None:
            raise lowering.refuse("bad-call", f"`{made.name}` needs `{field.name}`", node)
        if field.name not in given and field.default is not None:
            given[field.name] = field.default
    return container(lowering, "record", [given[name] for name in names], names, made.name)


def method_of(lowering: Lowering, record: Structure, name: str) -> UserFunction | None:
    """A method of a record's class, bound to it."""
    if name in GIVEN:
        return None
    made = lowering.frame.scope.lookup(record.constructor) if record.constructor else None
    found = made.attribute(name) if isinstance(made, UserClass) else None
    if not isinstance(found, UserFunction) or found.bound:
        return None
    params = (*found.node.params.posonly_params, *found.node.params.params)
    takes_self = bool(params) and params[0].name.value == "self"
    return dataclasses.replace(found, bound=(record,)) if takes_self else None


def call_super(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`super()` in a method of an object."""
    from s2s_ad.frontend.live_scope import LiveScope

    function = lowering.frame.function
    params = (*function.node.params.posonly_params, *function.node.params.params)
    scope = lowering.frame.scope
    owner = lowering.frame.names.get(params[0].name.value) if params else None
    found = None
    given = arguments.positional or arguments.keywords
    if isinstance(scope, LiveScope) and isinstance(owner, FreeVariable) and not given:
        found = scope.parent(owner)
    if found is None:
        raise lowering.refuse(
            "unsupported-syntax",
            "which class `super` means here is not known",
            arguments.node,
            help="name the class: `Base.method(self, ...)`",
        )
    return found


__all__ = ["call_super", "make_object", "method_of"]
