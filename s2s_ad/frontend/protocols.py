"""What Python asks the class of an object: whether it counts as true, how it is gone through.

An object is a record of its attributes here, and no container: a class that answers with a method
of its own is asked, and where it cannot be asked, the program is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libcst as cst

from s2s_ad.frontend.objects import call_with, class_of
from s2s_ad.frontend.values import FreeVariable, Value
from s2s_ad.ir import Structure

if TYPE_CHECKING:
    from s2s_ad.frontend.lower import Lowering

TRUTH = ("__bool__", "__len__")
ITEMS = ("__iter__", "__getitem__", "__len__", "__contains__")


def truth_of_object(lowering: Lowering, record: Structure, node: cst.CSTNode) -> Value | None:
    """What says whether an object counts as true; None if nothing does, and every one is."""
    made = class_of(lowering, record)
    if made is None:
        raise _unknown(
            lowering, f"whether an object of the class `{record.constructor}` is true", node
        )
    for name in TRUTH:
        member = made.member(name)
        if member is not None and member.kind == "method":
            return call_with(lowering, member.value, [record], node)
        if member is not None:
            what = f"`{made.name}.{name}`, which says whether an object is true,"
            raise _unknown(lowering, what, node)
    return None


def check_truth_of_held(lowering: Lowering, value: FreeVariable, node: cst.CSTNode) -> None:
    """An object from outside counts as true, unless its class says something else."""
    found = _defined(type(value.read()), TRUTH)
    if found:
        what = f"`{value.name}`, whose class has `{found}`,"
        raise _unknown(lowering, what, node)


def check_items_of_object(lowering: Lowering, record: Structure, node: cst.CSTNode) -> None:
    """The fields of a named tuple are its items; an object is gone through as its class says."""
    made = class_of(lowering, record)
    if made is None:
        return
    found = next((name for name in ITEMS if made.member(name) is not None), "")
    if found or made.fields is None:
        raise lowering.refuse(
            "not-iterable",
            f"`{made.name}` says itself what its items are"
            if found
            else f"an object of the class `{made.name}` is no sequence",
            node,
            help="take its attributes by name, or call the method: `p.items()`",
        )


def _defined(made: type, names: Iterable[str]) -> str:
    for name in names:
        if any(name in vars(each) for each in made.__mro__ if each is not object):
            return name
    return ""


def _unknown(lowering: Lowering, what: str, node: cst.CSTNode) -> Exception:
    return lowering.refuse(
        "unsupported-value",
        f"{what} is not known here",
        node,
        help="compare with what is meant: `p is not None`, `p.count > 0`",
    )


__all__ = ["check_items_of_object", "check_truth_of_held", "truth_of_object"]
