"""Subscripts: items of containers, elements and slices of arrays, and what may be an index."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from s2s_ad.frontend.branches import select
from s2s_ad.frontend.containers import refreshed
from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.masks import picked_alike
from s2s_ad.frontend.operands import array_operand, atom, display, item
from s2s_ad.frontend.values import Container, Growing, Named, Numbers, Value
from s2s_ad.frontend.writes import now
from s2s_ad.ir import Atom, Const, Structure, Var, tuple_of
from s2s_ad.operations.arrays import COPY
from s2s_ad.operations.indexing import SLICE, TUPLE
from s2s_ad.operations.shaping import DIMENSION, SHAPE
from s2s_ad.types import Array, Items, Scalar, is_integer, shape_of


def lower_subscript(lowering: Lowering, node: cst.Subscript, name: str) -> Value:
    base = lower_expression(lowering, node.value)
    if base in (Named("numpy.r_"), Named("numpy.c_")):
        from s2s_ad.frontend.calls_joins import lower_bracket_join

        return lower_bracket_join(lowering, base == Named("numpy.c_"), node)
    if base in (Named("numpy.mgrid"), Named("numpy.ogrid")):
        from s2s_ad.frontend.calls_elements import lower_grid

        return lower_grid(lowering, base == Named("numpy.ogrid"), node)
    if base in (Named("numpy.s_"), Named("numpy.index_exp")):
        return _index_object(lowering, node, base == Named("numpy.index_exp"))
    if isinstance(base, Structure) and base.kind == "record":
        found = _item_of_object(lowering, base, node)
        if found is not None:
            return found
    if isinstance(base, Structure | Growing):
        return _item(lowering, base, node)
    if isinstance(base, Const) and isinstance(base.value, tuple):
        items = tuple(Const(item) for item in base.value)
        return _item(lowering, tuple_of(items), node)
    if isinstance(base, Var) and isinstance(base.type, Items):
        return _item_of_static(lowering, base, node)
    x = atom(lowering, base, node.value)
    if not isinstance(x.type, Array | Scalar):
        raise lowering.refuse(
            "not-an-array",
            f"`{lowering.code(node.value)}` is a {x.type}, which has no items",
            node,
            help="annotate the parameter as an array if it is one",
        )
    index = index_of(lowering, node.slice, node)
    if isinstance(x.type, Scalar):
        if index == Const(()):
            return x
        x = lowering.assign(COPY, [x], node)  # what an adjoint is added to has to be an array
    if isinstance(x, Var):
        x = now(lowering, x, node)  # the index may have written to the array
    taken = lowering.assign(lowering.operation("getitem"), [x, index], node, name)
    return picked_alike(lowering, taken)


def _item_of_object(lowering: Lowering, base: Structure, node: cst.Subscript) -> Value | None:
    """`p[i]` of an object whose class has `__getitem__`."""
    from s2s_ad.frontend.objects import class_of, with_operator

    made = class_of(lowering, base)
    if made is None or made.member("__getitem__") is None:
        return None  # a named tuple
    return with_operator(lowering, "[]", [base, index_of(lowering, node.slice, node)], node)


def _index_object(lowering: Lowering, node: cst.Subscript, as_tuple: bool) -> Atom:
    """`np.s_[1:3]`, `np.index_exp[1:3]`: what stands between the brackets."""
    index = index_of(lowering, node.slice, node)
    alone = len(node.slice) == 1 and not isinstance(node.slice[0].comma, cst.Comma)
    return _index_tuple(lowering, [index], node) if as_tuple and alone else index


def _item(lowering: Lowering, base: Container, node: cst.Subscript) -> Value:
    index = index_of(lowering, node.slice, node)
    base = refreshed(lowering, base, node)
    turning = _item_in_turn(lowering, base, index, node)
    return item(lowering, base, index, node) if turning is None else turning


def _item_in_turn(
    lowering: Lowering, base: Container, index: Atom, node: cst.Subscript
) -> Value | None:
    """`bufs[t % 2]` of two arrays: the one or the other, where it matters which array it is."""
    made = lowering.definition(index) if isinstance(index, Var) else None
    if not lowering.memory.exact or not isinstance(base, Structure) or made is None:
        return None
    arrays = [isinstance(each, Var) and isinstance(each.type, Array) for each in base.items]
    count = made.operands[1] if made.op.name == "%" else None
    if not all(arrays) or count != Const(len(base.items)) or not is_integer(index.type):
        return None

    def chosen(place: int) -> Value:
        if place == len(base.items) - 1:
            last: Value = base.items[place]
            return last
        equal = lowering.operation("==")
        test = lowering.assign(equal, [index, Const(place)], node)
        return select(lowering, test, lambda: base.items[place], lambda: chosen(place + 1), node)

    return chosen(0)


def _item_of_static(lowering: Lowering, base: Var, node: cst.Subscript) -> Value:
    """`x.shape[0]`"""
    index = index_of(lowering, node.slice, node)
    made = lowering.definition(base)
    fixed = index.value if isinstance(index, Const) else None
    if made is not None and made.op in SHAPE and isinstance(fixed, int):
        return lowering.assign(DIMENSION, [made.operands[0], index], node)
    if made is not None and made.op in SHAPE and isinstance(fixed, slice):
        shape = shape_of(made.operands[0].type)
        if shape is not None:
            picked = range(len(shape))[fixed]
            sizes = [lowering.assign(DIMENSION, [made.operands[0], Const(k)], node) for k in picked]
            return tuple_of(sizes)
    if made is not None and made.op is TUPLE and isinstance(fixed, int):
        return made.operands[fixed]
    raise lowering.refuse("not-constant", "the index of a tuple has to be a constant", node)


def index_of(
    lowering: Lowering, elements: Sequence[cst.SubscriptElement], node: cst.CSTNode
) -> Atom:
    """What stands between the brackets, as one operand: a constant if all of it is."""
    if len(elements) == 1 and not isinstance(elements[0].comma, cst.Comma):
        only = elements[0].slice
        if isinstance(only, cst.Index):
            return index_value(lowering, lower_expression(lowering, only.value), only)
        return _index_part(lowering, only)
    return _index_tuple(lowering, [_index_part(lowering, e.slice) for e in elements], node)


def index_value(lowering: Lowering, value: Value, node: cst.CSTNode) -> Atom:
    """A value used as a whole index: a tuple of arrays is an index for each axis, not an array."""
    if isinstance(value, Const) and isinstance(value.value, tuple):
        items = tuple(map(Const, value.value))
        value = tuple_of(items)
    if isinstance(value, Structure) and value.kind == "tuple":
        parts = [_index_item(lowering, item, node) for item in value.items]
        return _index_tuple(lowering, parts, node)
    return _index_item(lowering, value, node)


def _index_item(lowering: Lowering, value: Value, node: cst.CSTNode) -> Atom:
    """A part of an index: a sequence among others is an array of indices."""
    if isinstance(value, Const) and isinstance(value.value, tuple):
        items = tuple(map(Const, value.value))
        value = tuple_of(items)
    if isinstance(value, Structure) and value.kind in ("list", "tuple"):
        return display(lowering, value, None, node)
    if isinstance(value, Growing | Numbers):
        return array_operand(lowering, value, node)
    result = atom(lowering, value, node)
    return Const(result.value) if isinstance(result, Const) else result


def _index_tuple(lowering: Lowering, parts: list[Atom], node: cst.CSTNode) -> Atom:
    if all(isinstance(part, Const) for part in parts):
        return Const(tuple(part.value for part in parts if isinstance(part, Const)))
    return lowering.assign(TUPLE, parts, node)


def _index_part(lowering: Lowering, part: cst.BaseSlice) -> Atom:
    if isinstance(part, cst.Index):
        return _index_item(lowering, lower_expression(lowering, part.value), part)
    assert isinstance(part, cst.Slice)
    bounds: list[Atom] = []
    for bound in (part.lower, part.upper, part.step):
        bounds.append(
            Const(None)
            if bound is None
            else atom(lowering, lower_expression(lowering, bound), bound)
        )
    if all(isinstance(bound, Const) for bound in bounds):
        return Const(slice(*(bound.value for bound in bounds if isinstance(bound, Const))))
    return lowering.assign(SLICE, bounds, part)
