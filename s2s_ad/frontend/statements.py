"""One function for each kind of statement; `HANDLERS` at the end is the list of what is
accepted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import libcst as cst

from s2s_ad.frontend import branches, contexts, jumps, loops, matching, scoping
from s2s_ad.frontend.blocks import BROKEN, GONE
from s2s_ad.frontend.calls_iterables import items_of_iterator
from s2s_ad.frontend.containers import call_method, change, container, refreshed, store
from s2s_ad.frontend.expressions import lower_defaults, lower_expression, operator_name
from s2s_ad.frontend.guards import raise_if
from s2s_ad.frontend.held import assign_attribute
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.masks import picked_alike
from s2s_ad.frontend.objects import may_have, with_operator
from s2s_ad.frontend.operands import atom, item
from s2s_ad.frontend.overlaps import refuse_overlap
from s2s_ad.frontend.resolve import imported_names, solver_declaration
from s2s_ad.frontend.subscripts import index_of
from s2s_ad.frontend.unpacking import bind_starred, refine_rank, unpack
from s2s_ad.frontend.values import (
    Container,
    FreeVariable,
    Growing,
    Named,
    Refused,
    UserFunction,
    Value,
    private_name,
)
from s2s_ad.frontend.writes import addition_for, now, replace, write
from s2s_ad.ir import Assign, Atom, Const, Structure, Var, tuple_of
from s2s_ad.operations.declared import IMPLICIT_NAME
from s2s_ad.operations.indexing import SETITEM
from s2s_ad.operations.result_types import is_basic_index
from s2s_ad.types import Array, is_float


def _assign(lowering: Lowering, node: cst.Assign) -> None:
    first = node.targets[0].target
    name = first.value if isinstance(first, cst.Name) else ""
    taken = None
    if isinstance(first, cst.Tuple | cst.List):  # `a, b = zip(*pairs)`, of which nothing is left
        taken = items_of_iterator(lowering, node.value)
        if isinstance(node.value, cst.GeneratorExp):
            lowering.consumed.add(node.value)
    value = lower_expression(lowering, node.value, name) if taken is None else tuple_of(taken)
    if isinstance(first, cst.Tuple | cst.List):
        value = name_results(lowering, first, value)
    for target in node.targets:
        bind(lowering, target.target, value)


def name_results(lowering: Lowering, target: cst.Tuple | cst.List, value: Value) -> Value:
    """Results that an operation has just given together, under the names that they are bound to."""
    last = lowering.builder.statements[-1] if lowering.builder.statements else None
    names = [element.value for element in target.elements]
    if not (
        isinstance(value, Structure)
        and isinstance(last, Assign)
        and len(last.targets) == len(names)
        and last.targets == value.items
    ):
        return value
    fresh = lowering.builder.names.fresh
    targets = tuple(
        fresh(name.value, var.type) if isinstance(name, cst.Name) and name.value != "_" else var
        for name, var in zip(names, last.targets, strict=True)
    )
    lowering.builder.statements[-1] = dataclasses.replace(last, targets=targets)
    memory = lowering.memory
    memory.seen = min(memory.seen, len(lowering.builder.statements) - 1)
    return dataclasses.replace(value, items=targets)


def _annotated(lowering: Lowering, node: cst.AnnAssign) -> None:
    if node.value is not None:
        name = node.target.value if isinstance(node.target, cst.Name) else ""
        bind(lowering, node.target, lower_expression(lowering, node.value, name))


def bind(lowering: Lowering, target: cst.CSTNode, value: Value) -> None:
    """Give a name, or the names of a tuple, their value."""
    if isinstance(target, cst.Name):
        lowering.frame.names[target.value] = value
    elif isinstance(target, cst.Tuple | cst.List):
        if bind_starred(lowering, target, value, bind):
            return
        items = unpack(lowering, value, len(target.elements), target)
        for element, item in zip(target.elements, items, strict=True):
            bind(lowering, element.value, item)
    elif isinstance(target, cst.Subscript):
        base, index = _place(lowering, target)
        if isinstance(base, Structure | Growing):
            store(lowering, base, index, value, target)
            return
        stored = atom(lowering, value, target)
        refuse_overlap(lowering, base, index, stored, target)
        write(lowering, SETITEM, base, index, stored, target)
    elif isinstance(target, cst.Attribute):
        _store_attribute(lowering, target, value)
    else:
        raise lowering.refuse(
            "unsupported-syntax",
            f"cannot assign to `{lowering.code(target)}`",
            target,
            help="assign to a name",
        )


def _store_attribute(lowering: Lowering, target: cst.Attribute, value: Value) -> None:
    """`record.field = v`"""
    base = lower_expression(lowering, target.value)
    name = private_name(lowering.frame.function.owner, target.attr.value)
    if isinstance(base, FreeVariable) and assign_attribute(lowering, base, name, value, target):
        return
    is_new = isinstance(base, Structure) and name not in base.keys
    known = isinstance(base, Structure) and base.kind == "record"
    if (
        not isinstance(base, Structure)
        or not known
        or (is_new and not may_have(lowering, base, name))
    ):
        raise lowering.refuse(
            "unsupported-syntax",
            f"cannot assign to `{lowering.code(target)}`",
            target,
            help="assign to a name",
        )
    entries = dict(zip(base.keys, base.items, strict=True)) | {name: value}
    after = dataclasses.replace(base, keys=tuple(entries), items=tuple(entries.values()))
    change(lowering, base, after, target)


def _place(lowering: Lowering, target: cst.Subscript) -> tuple[Var | Container, Atom]:
    """The array and the index that an assignment writes to."""
    base = lower_expression(lowering, target.value)
    if isinstance(base, Var) and isinstance(base.type, Array):
        index = index_of(lowering, target.slice, target)
        return now(lowering, base, target), index  # the index may have written to it
    is_object = isinstance(base, Structure) and base.kind == "record"
    if isinstance(base, Structure | Growing) and not is_object:
        index = index_of(lowering, target.slice, target)
        return refreshed(lowering, base, target), index
    what = f"a {base.type}" if isinstance(base, Var | Const) else "no array"
    raise lowering.refuse(
        "not-an-array",
        f"`{lowering.code(target.value)}` is {what}, which has no items to write to",
        target,
        help="annotate the parameter as an array if it is one",
    )


def _augmented(lowering: Lowering, node: cst.AugAssign) -> None:
    symbol = operator_name(type(node.operator).__name__.removesuffix("Assign"))
    op = lowering.operation(symbol)
    if isinstance(node.target, cst.Subscript):
        _augmented_item(lowering, node, node.target, symbol)
        return
    if isinstance(node.target, cst.Attribute):
        _augmented_field(lowering, node, node.target)
        return
    if not isinstance(node.target, cst.Name):
        raise lowering.refuse(
            "unsupported-syntax",
            f"cannot assign to `{lowering.code(node.target)}`",
            node.target,
            help="assign to a name",
        )
    name = node.target.value
    left = lower_expression(lowering, node.target)
    left = left if isinstance(left, Structure | Growing) else atom(lowering, left, node.target)
    right = lower_expression(lowering, node.value)
    if isinstance(left, Structure | Growing):
        _extended(lowering, node, name, left, right)
        return
    if isinstance(left, Var):
        left = now(lowering, left, node)  # the right side may have written to it
    changed = lowering.assign(op, [left, atom(lowering, right, node.value)], node, name)
    if isinstance(left.type, Array):
        assert isinstance(left, Var)
        _change_array(lowering, left, changed, symbol, name, node)
    else:
        lowering.frame.names[name] = changed


def _extended(
    lowering: Lowering, node: cst.AugAssign, name: str, left: Container, right: Value
) -> None:
    """`l += [a]`, which changes a list, and `t += (a,)`, which makes a new tuple."""
    left = refreshed(lowering, left, node)
    symbol = operator_name(type(node.operator).__name__.removesuffix("Assign"))
    made = with_operator(lowering, symbol, [left, right], node)
    if made is not None:
        lowering.frame.names[name] = made
    elif left.kind in ("list", "growing") and isinstance(node.operator, cst.AddAssign):
        call_method(lowering, left, "extend", [right], node)
    elif (
        isinstance(left, Structure)
        and left.kind == "tuple"
        and isinstance(right, Structure)
        and right.kind == "tuple"
    ):
        lowering.frame.names[name] = container(lowering, "tuple", [*left.items, *right.items])
    else:
        raise lowering.refuse("write-in-place", f"`{name}` cannot be changed in this way", node)


def _augmented_entry(
    lowering: Lowering, node: cst.AugAssign, target: cst.CSTNode, base: Container, index: Atom
) -> None:
    """`d[k] += v`, `l[i] *= v`"""
    old = item(lowering, base, index, node)
    _changed_value(lowering, node, old, lambda new: store(lowering, base, index, new, target))


def _augmented_field(lowering: Lowering, node: cst.AugAssign, target: cst.Attribute) -> None:
    """`record.field += v`"""
    old = lower_expression(lowering, target)
    _changed_value(lowering, node, old, lambda new: _store_attribute(lowering, target, new))


def _changed_value(
    lowering: Lowering, node: cst.AugAssign, old: Value, put: Callable[[Value], None]
) -> None:
    """An augmented assignment to a place within a container: arrays change in place."""
    symbol = operator_name(type(node.operator).__name__.removesuffix("Assign"))
    left = atom(lowering, old, node.target)
    right = atom(lowering, lower_expression(lowering, node.value), node.value)
    if isinstance(left, Var):
        left = now(lowering, left, node)
    changed = lowering.assign(lowering.operation(symbol), [left, right], node)
    if isinstance(left, Var) and isinstance(left.type, Array):
        _change_array(lowering, left, changed, symbol, lowering.code(node.target), node)
    else:
        put(changed)


def _change_array(
    lowering: Lowering, left: Var, changed: Var, symbol: str, name: str, node: cst.CSTNode
) -> None:
    """An array becomes, in place, what was computed from it."""
    assert isinstance(left.type, Array)
    # in a loop a Python float may become a scalar of 32 bits: which of the two it is decides
    # whether NumPy computes with more bits than the array has
    casts = lowering.branches > 0 and left.type.dtype in ("f32", "f16")
    if left.type.shape and changed.type == left.type and not casts:
        replace(lowering, left, changed, node)
    elif left.type.shape and is_float(left.type) and is_float(changed.type):
        # NumPy broadcasts and casts into the array, or raises
        write(lowering, SETITEM, left, Const(Ellipsis), changed, node)
    else:
        raise lowering.refuse(
            "write-in-place",
            f"`{name} {symbol}= ...` changes an array in place, and its type may not fit",
            node,
            help=f"write `{name} = {name} {symbol} ...`, which makes a new array",
        )


def _augmented_item(
    lowering: Lowering, node: cst.AugAssign, target: cst.Subscript, symbol: str
) -> None:
    """`x[i] += v`: read, compute, store; where no index repeats, in one."""
    base, index = _place(lowering, target)
    if isinstance(base, Structure | Growing):
        _augmented_entry(lowering, node, target, base, index)
        return
    value = atom(lowering, lower_expression(lowering, node.value), node.value)
    before, base = base, now(lowering, base, node)
    at_once = addition_for(symbol, index)
    if at_once is not None and base == before:
        write(lowering, at_once, base, index, value, node)
        return
    # the right side may have written to the array: a part of it that is a view shows that, an
    # item, or a copy, was taken before
    item = picked_alike(
        lowering, lowering.assign(lowering.operation("getitem"), [before, index], target)
    )
    if base != before and isinstance(item.type, Array) and is_basic_index(index.type):
        item = lowering.assign(lowering.operation("getitem"), [base, index], target)
    computed = lowering.assign(lowering.operation(symbol), [item, value], node)
    write(lowering, SETITEM, base, index, computed, node)


def _return(lowering: Lowering, node: cst.Return) -> None:
    value = Const(None) if node.value is None else lower_expression(lowering, node.value)
    jumps.leave_function(lowering, value)


def _break(lowering: Lowering, node: cst.Break) -> None:
    jumps.jump(lowering, GONE, BROKEN)


def _continue(lowering: Lowering, node: cst.Continue) -> None:
    jumps.jump(lowering, GONE)


def _raise(lowering: Lowering, node: cst.Raise) -> None:
    if node.exc is None:
        raise lowering.refuse(
            "unsupported-syntax", "a bare `raise` is not supported", node, help="name what to raise"
        )
    raise_if(lowering, Const(True), node.exc, node)
    jumps.die(lowering)


def _expression(lowering: Lowering, node: cst.Expr) -> None:
    if isinstance(node.value, cst.SimpleString | cst.ConcatenatedString | cst.Ellipsis):
        return  # a docstring
    lower_expression(lowering, node.value)


def _function(lowering: Lowering, node: cst.FunctionDef) -> None:
    frame = lowering.frame
    solves = _what_is_solved(lowering, node)
    # the names are shared, not copied: an inner function sees later assignments, as in Python
    frame.names[node.name.value] = UserFunction(
        node.name.value,
        node,
        frame.unit,
        frame.scope,
        frame.names,
        lower_defaults(lowering, node.params),
        solves=solves,
        owner=frame.function.owner,
    )


def _what_is_solved(lowering: Lowering, node: cst.FunctionDef) -> tuple[str, UserFunction] | None:
    """`@implicit(root=residual)` above an inner function; no other decorator is known there."""
    for decorator in node.decorators:
        declared = solver_declaration(decorator.decorator)
        if declared is not None and isinstance(decorator.decorator, cst.Call):
            kind, name = declared
            called = lower_expression(lowering, decorator.decorator.func)
            equation = lower_expression(lowering, cst.Name(name))
            if called == Named(IMPLICIT_NAME) and isinstance(equation, UserFunction):
                return kind, equation
        raise lowering.refuse(
            "unsupported-syntax",
            "decorated inner functions are not supported",
            decorator,
            help="leave the decorator out",
        )
    return None


def _import(lowering: Lowering, node: cst.Import | cst.ImportFrom) -> None:
    absolute, relative = imported_names(node)
    if relative:
        raise lowering.refuse(
            "unsupported-syntax",
            "relative imports inside a function are not supported",
            node,
            help="import at the top of the file",
        )
    for name, dotted in absolute.items():
        lowering.frame.names[name] = Named(dotted)


def _assert(lowering: Lowering, node: cst.Assert) -> None:
    test = atom(lowering, lower_expression(lowering, node.test), node.test)
    negated = lowering.assign(lowering.operation("notx"), [test], node.test)
    raise_if(lowering, negated, node.msg, node, "AssertionError({})")


def _nothing(lowering: Lowering, node: cst.CSTNode) -> None:
    pass


HANDLERS: dict[type[cst.CSTNode], Callable[[Lowering, Any], None]] = {
    cst.Assign: _assign,
    cst.AnnAssign: _annotated,
    cst.AugAssign: _augmented,
    cst.Return: _return,
    cst.Expr: _expression,
    cst.FunctionDef: _function,
    cst.Import: _import,
    cst.ImportFrom: _import,
    cst.Assert: _assert,
    cst.Del: scoping.delete,
    cst.Global: scoping.read_global,
    cst.Nonlocal: scoping.share_outer,
    cst.If: branches.lower_if,
    cst.Match: matching.lower_match,
    cst.With: contexts.lower_with,
    cst.For: loops.lower_for,
    cst.While: loops.lower_while,
    cst.Break: _break,
    cst.Continue: _continue,
    cst.Raise: _raise,
    cst.Pass: _nothing,
}

_CATCH = "test for it before (`if`), or catch the exception where the function is called"

# Every other statement: what the user calls it, and what to do instead.
REFUSED: dict[type[cst.CSTNode], tuple[str, str]] = {
    cst.ClassDef: ("`class` statements are not supported", "hold values together in a tuple"),
    cst.Try: ("`try` statements are not supported", _CATCH),
    cst.TryStar: ("`try` statements are not supported", _CATCH),
    cst.TypeAlias: ("`type` statements are not supported", "leave it out"),
}


def refuse_statement(lowering: Lowering, node: cst.CSTNode) -> Refused:
    """Report a statement that is not accepted."""
    message, help = REFUSED[type(node)]
    if isinstance(node, cst.Try) and not node.handlers:
        help = "write what `finally` does behind it, or around the call of the function"
    return lowering.refuse("unsupported-syntax", message, node, help=help)


__all__ = ["HANDLERS", "REFUSED", "bind", "refine_rank", "refuse_statement", "unpack"]
