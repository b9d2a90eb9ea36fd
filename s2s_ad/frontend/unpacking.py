"""What is taken apart: `a, b = p`, `a, *b = p`, `f(*p)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import libcst as cst

from s2s_ad.frontend.containers import container
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import current
from s2s_ad.frontend.protocols import check_items_of_object
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Const, Structure, Var
from s2s_ad.operations.shaping import DIMENSION, SHAPE
from s2s_ad.types import Array, Size

Bind = Callable[[Lowering, cst.CSTNode, Value], None]


def unpack(lowering: Lowering, value: Value, count: int, node: cst.CSTNode) -> list[Value]:
    """The items of a tuple, a shape, or an array of known length."""
    value = current(lowering, value, node)
    known = known_items(lowering, value, node)
    if known is not None:
        if len(known) != count:
            raise lowering.refuse("bad-unpacking", f"{len(known)} values for {count} names", node)
        return known
    if isinstance(value, Var):
        shape_source = _shape_source(lowering, value)
        if shape_source is not None:
            shape_source = refine_rank(lowering, shape_source, count)
            return [
                lowering.assign(DIMENSION, [shape_source, Const(k)], node) for k in range(count)
            ]
        if isinstance(value.type, Array):
            rows = lowering.sizes.resolve(value.type.shape[0]) if value.type.shape else None
            if rows is None:
                raise lowering.refuse(
                    "bad-unpacking", f"an array of unknown rows for {count} names", node
                )
            if not lowering.sizes.unify(rows, Size.of(count)):
                raise lowering.refuse(
                    "bad-unpacking",
                    f"how many rows there are is not known: {count} are needed",
                    node,
                    help=f"write `x[0]`, ... `x[{count - 1}]`",
                )
            return _rows(lowering, value, count, node)
    raise lowering.refuse("bad-unpacking", "this value cannot be unpacked", node)


def known_items(lowering: Lowering, value: Value, node: cst.CSTNode) -> list[Value] | None:
    """What a value gives when it is gone through, where the number of its items is known."""
    value = current(lowering, value, node)
    if isinstance(value, Structure):
        if value.kind == "record":
            check_items_of_object(lowering, value, node)
        return list(value.items) if value.kind != "dict" else [Const(key) for key in value.keys]
    if isinstance(value, Const) and isinstance(value.value, tuple):
        return [Const(item) for item in value.value]
    if isinstance(value, Var) and isinstance(value.type, Array) and value.type.shape:
        rows = lowering.sizes.resolve(value.type.shape[0]).constant
        return None if rows is None else _rows(lowering, value, rows, node)
    return None


def _rows(lowering: Lowering, array: Var, count: int, node: cst.CSTNode) -> list[Value]:
    getitem = lowering.operation("getitem")
    return [lowering.assign(getitem, [array, Const(k)], node) for k in range(count)]


def bind_starred(
    lowering: Lowering, target: cst.Tuple | cst.List, value: Value, bind: Bind
) -> bool:
    """`first, *rest = p`: what the other names leave is a list. False if no name has a star."""
    starred = [
        place
        for place, element in enumerate(target.elements)
        if isinstance(element, cst.StarredElement)
    ]
    if not starred:
        return False
    items = known_items(lowering, value, target)
    before, behind = starred[0], len(target.elements) - starred[0] - 1
    if items is None and not behind and isinstance(value, Var):
        return _bind_rows(lowering, target, value, bind)
    if items is None:
        raise lowering.refuse(
            "bad-unpacking",
            "how many items are left for the name with the star is not known",
            target.elements[before],
            help="take a slice: `first, rest = x[0], x[1:]`",
        )
    if len(items) < before + behind:
        message = f"{len(items)} values for {before + behind} names"
        raise lowering.refuse("bad-unpacking", message, target)
    end = len(items) - behind
    parts: list[Value] = [*items[:before]]
    parts.append(container(lowering, "list", items[before:end]))
    parts += items[end:]
    for element, part in zip(target.elements, parts, strict=True):
        bind(lowering, element.value, part)
    return True


def _bind_rows(lowering: Lowering, target: cst.Tuple | cst.List, array: Var, bind: Bind) -> bool:
    """`first, *rest = A`: the other rows are a list of unknown length."""
    from s2s_ad.frontend.comprehensions import collected
    from s2s_ad.frontend.iteration import Counted, plainly, through_value

    rows = through_value(lowering, array, target)
    assert isinstance(rows, Counted)
    *names, starred = target.elements
    for place, element in enumerate(names):
        bind(lowering, element.value, rows.item(Const(place)))
    rest = replace(plainly(lowering, rows, target), trip=(Const(len(names)), *rows.trip[1:]))
    bind(lowering, starred.value, collected(lowering, rest, target))
    return True


def star_items(
    lowering: Lowering, value: Value, wanted: int | None, node: cst.CSTNode
) -> Sequence[Value]:
    """The arguments that `*value` stands for; `wanted` is how many the function takes here, where
    that is known.
    """
    items = known_items(lowering, value, node)
    is_rows = isinstance(value, Var) and isinstance(value.type, Array) and bool(value.type.shape)
    if items is None and wanted is not None and is_rows:
        items = unpack(lowering, value, wanted, node)
    if items is None:
        raise lowering.refuse(
            "star-argument",
            "only tuples and lists of known length can be unpacked",
            node,
            help="write the items one by one: `*(a[0], a[1])`",
        )
    return items


def _shape_source(lowering: Lowering, value: Var) -> Var | None:
    """`x`, if the value is `x.shape`."""
    made = lowering.definition(value)
    source = made.operands[0] if made is not None and made.op in SHAPE else None
    return source if isinstance(source, Var) else None


def refine_rank(lowering: Lowering, var: Var, rank: int) -> Var:
    """A statement such as `n, d = X.shape` on every path tells the rank of a parameter."""
    type = lowering.refined.get(var, var.type)
    always = not lowering.branches and var in lowering.parameters
    if isinstance(type, Array) and type.shape is None and always:
        type = Array(type.dtype, tuple(lowering.parameter_size() for _ in range(rank)))
        lowering.refine(var, type)
    return Var(var.name, type, var.version)


__all__ = ["bind_starred", "known_items", "refine_rank", "star_items", "unpack"]
