"""Attributes that a program gives to an object from outside: `self.last_input = x` in a method of a
layer that was made before.

The object is not touched. What was assigned is kept in a record beside it, which lasts as long as
the call, and is found there before the object is asked. Two ways to one object lead to one record.
What code computes when it is read (a property) is read of the object, too, where no program gives
attributes to objects; otherwise the property is followed.
"""

from __future__ import annotations

import dis
import inspect
import types
from dataclasses import replace
from typing import Any

import libcst as cst

from s2s_ad.frontend.containers import change, mark_lasting
from s2s_ad.frontend.live_scope import LiveScope
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.objects import call_with
from s2s_ad.frontend.values import FreeVariable, Identity, Value
from s2s_ad.frontend.writes import refuse_lasting
from s2s_ad.ir import Structure


def attribute_of_object(
    lowering: Lowering, owner: FreeVariable, name: str, node: cst.CSTNode
) -> Value | None:
    """What the program has given to an attribute, otherwise what the object has; None for none."""
    assert owner.attribute is not None
    held = owner.read()
    identity = lowering.held.get(id(held))
    found = None if identity is None else lowering.memory.contents.get(identity)
    if found is not None and name in found.keys:
        value: Value = found.items[found.keys.index(name)]
        return value
    if identity is not None and lowering.recursions:
        raise _not_followed(lowering, name, node)
    lowering.asked.add((id(held), name))
    code = None if isinstance(held, types.ModuleType) else _computing(held, name)
    if code is not None and (_is_changed_outside(lowering) or _assigns(code)):
        return _computed(lowering, owner, code, name, node)
    lowering.computed |= code is not None
    return owner.attribute(name)


def _is_changed_outside(lowering: Lowering) -> bool:
    """Whether the program has changed what objects and containers from outside hold."""
    hidden = lowering.hidden.values()
    containers = (each for free, tree in hidden for each, _ in _objects(tree, free.read()))
    return bool(lowering.held) or any(_is_changed(lowering, each) for each in containers)


def _is_changed(lowering: Lowering, container: Structure) -> bool:
    return lowering.memory.contents.get(container.identity, container).items != container.items


def _computing(held: object, name: str) -> object:
    """What computes an attribute when it is read; None for what is simply there."""
    if type(held).__getattribute__ is not object.__getattribute__:
        return type(held).__getattribute__
    kept = inspect.getattr_static(held, name, None)
    if kept is None:
        return getattr(type(held), "__getattr__", None)
    plain = isinstance(kept, types.FunctionType | classmethod | staticmethod | type)
    made = type(kept)
    computes = hasattr(made, "__get__") and (
        isinstance(kept, property) or made.__module__ != "builtins"
    )
    return kept if computes and not plain else None


def _assigns(code: object) -> bool:
    """Whether a property gives something to an object, so that reading it twice is not the same."""
    function = getattr(code, "fget", None)
    stores = ("STORE_ATTR", "STORE_SUBSCR", "STORE_GLOBAL", "DELETE_ATTR", "DELETE_SUBSCR")
    return isinstance(function, types.FunctionType) and any(
        step.opname in stores for step in dis.get_instructions(function)
    )


def _computed(
    lowering: Lowering, owner: FreeVariable, code: object, name: str, node: cst.CSTNode
) -> Value:
    """A property, followed as the method that it is."""
    function, scope = getattr(code, "fget", None), lowering.frame.scope
    if not isinstance(function, types.FunctionType) or not isinstance(scope, LiveScope):
        raise _not_followed(lowering, name, node)
    scope.used.append((lambda: getattr(_computing(owner.read(), name), "fget", None), function))
    return call_with(lowering, replace(scope.helper(function), bound=(owner,)), [], node)


def assign_attribute(
    lowering: Lowering, owner: FreeVariable, name: str, value: Value, node: cst.CSTNode
) -> bool:
    """Give an attribute to an object; False if assigning does something else there."""
    held = owner.read()
    makes = type(held)
    is_computed = hasattr(getattr(makes, name, None), "__set__")
    is_plain = makes.__setattr__ is object.__setattr__ and hasattr(held, "__dict__")
    if is_computed or not is_plain or isinstance(held, types.ModuleType):
        return False
    if lowering.recursions or lowering.computed or (id(held), name) in lowering.asked:
        raise _not_followed(lowering, name, node)
    before = getattr(held, name, None)
    may_stay = lowering.choices or (lowering.branches and isinstance(before, int | float))
    if before is not None and may_stay:
        raise _not_followed(lowering, name, node)
    # as old as the object, so that branches and loops hand it on
    identity = lowering.held.setdefault(id(held), Identity(0))
    empty = Structure("record", (), (), makes.__name__, identity)
    record = lowering.memory.contents.setdefault(identity, empty)
    entries = dict(zip(record.keys, record.items, strict=True)) | {name: value}
    after = replace(record, keys=tuple(entries), items=tuple(entries.values()))
    change(lowering, record, after, node)
    return True


def check_names_outside(
    lowering: Lowering, free: FreeVariable, tree: Value, node: cst.CSTNode
) -> None:
    """Lists and dicts that have two names outside of the function may be read, but not changed."""
    known = [(found, held) for other, kept in lowering.hidden.values()
             for found, held in _objects(kept, other.read())]  # fmt: skip
    own = _objects(tree, free.read())
    for place, (structure, held) in enumerate(own):
        for other, same in [*known, *own[:place]]:
            if same is not held:
                continue
            mark_lasting(lowering, structure)
            mark_lasting(lowering, other)
            if _is_changed(lowering, other):
                raise refuse_lasting(lowering, node)


def _objects(tree: Value, held: Any) -> list[tuple[Structure, object]]:
    """The containers of a tree that may change, each with the object that it stands for."""
    from s2s_ad.frontend.live import container_of

    kept = container_of(held) if isinstance(tree, Structure) else None
    if kept is None or not isinstance(tree, Structure):
        return []
    inner = [_objects(*pair) for pair in zip(tree.items, kept[2], strict=False)]
    own = [] if tree.identity is None else [(tree, held)]
    return own + [each for objects in inner for each in objects]


def _not_followed(lowering: Lowering, name: str, node: cst.CSTNode) -> Exception:
    return lowering.refuse(
        "unsupported-value",
        f"the attribute `{name}` is given to an object from outside where it may be read before",
        node,
        help="pass the value as an argument and return it, or make the object in the function",
    )


__all__ = ["assign_attribute", "attribute_of_object", "check_names_outside"]
