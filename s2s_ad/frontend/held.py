"""Attributes that a program gives to an object from outside: `self.last_input = x` in a method of a
layer that was made before.

The object is not touched. What was assigned is kept in a record beside it, which lasts as long as
the call, and is found there before the object is asked. Two ways to one object lead to one record.
"""

from __future__ import annotations

import types
from dataclasses import replace

import libcst as cst

from s2s_ad.frontend.containers import change
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.values import FreeVariable, Identity, Value
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
    return owner.attribute(name)


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
    if lowering.recursions or (id(held), name) in lowering.asked:
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


def _not_followed(lowering: Lowering, name: str, node: cst.CSTNode) -> Exception:
    return lowering.refuse(
        "unsupported-value",
        f"the attribute `{name}` is given to an object from outside where it may be read before",
        node,
        help="pass the value as an argument and return it, or make the object in the function",
    )


__all__ = ["assign_attribute", "attribute_of_object"]
