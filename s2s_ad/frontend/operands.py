"""Values as operands of operations: what names, containers, lists and constants are as atoms."""

from __future__ import annotations

import re
from dataclasses import replace

import libcst as cst

from s2s_ad.frontend.containers import container, grown, item_of, refreshed
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.resolve import constant_of
from s2s_ad.frontend.values import (
    Container,
    FreeVariable,
    Growing,
    Method,
    Named,
    Numbers,
    Peel,
    Poison,
    Raises,
    Refused,
    Unsettled,
    UserClass,
    UserFunction,
    Value,
)
from s2s_ad.frontend.writes import now
from s2s_ad.ir import Atom, Const, Structure, Var, tuple_of
from s2s_ad.operations.arrays import DISPLAY, RANGE
from s2s_ad.operations.indexing import TUPLE
from s2s_ad.operations.lists import TO_ARRAY
from s2s_ad.types import Array, Number, Scalar, Size, Slice, is_integer

# Each item is a variable of its own: longer sequences are better arrays.
MOST_ITEMS = 10_000


def current(lowering: Lowering, value: Value, node: cst.CSTNode) -> Value:
    """What a value is now: free variables become hidden parameters, poisoned ones say nothing
    more.
    """
    if isinstance(value, Poison):
        raise Refused()
    if isinstance(value, Unsettled):
        if value.loop is not None:
            raise Peel(value.loop)
        raise lowering.refuse(value.name, value.message, node, help=value.help)
    if isinstance(value, Named):
        return constant_of(value.name) or value
    if isinstance(value, FreeVariable):
        return value if is_object(value) else hidden_parameter(lowering, value, node)
    if isinstance(value, Structure | Growing):
        return refreshed(lowering, value, node)
    return now(lowering, value, node) if isinstance(value, Var) else value


def is_object(value: Value) -> bool:
    """Whether a free variable is an object that is not used itself, only what it holds."""
    from s2s_ad.frontend.live import UnsupportedValue, type_of_value

    if not isinstance(value, FreeVariable) or value.attribute is None:
        return False
    try:
        type_of_value(value.read(), Size)
    except UnsupportedValue:
        return True
    return False


def hidden_parameter(lowering: Lowering, free: FreeVariable, node: cst.CSTNode) -> Value:
    from s2s_ad.frontend.held import check_names_outside
    from s2s_ad.frontend.live import UnsupportedValue, type_of_value
    from s2s_ad.frontend.parameters import as_passed, parameter_tree

    if free.identity in lowering.fixed_free:
        fixed = _fixed(lowering, free)
        if fixed is not None:
            return fixed
    for other, tree in lowering.hidden.values():
        if other.identity == free.identity:
            return tree
    try:
        type = type_of_value(free.read(), lambda: lowering.parameter_size())
    except UnsupportedValue as problem:
        raise lowering.refuse(
            problem.name or "free-variable",
            f"`{free.name}{problem.place}` is {problem}, which cannot be used here",
            node,
            help=problem.help if problem.name else "pass what is needed as an argument",
        ) from None
    name = re.sub(r"\W+", "_", re.sub(r"\W+$", "", free.name))  # `layers[0].w`
    while name in lowering.hidden or any(name == value for value in lowering.taken_formals):
        name += "_"
    tree = as_passed(parameter_tree(lowering, type, name))
    check_names_outside(lowering, free, tree, node)
    lowering.hidden[name] = (free, tree)
    return tree


def _fixed(lowering: Lowering, free: FreeVariable) -> Value | None:
    """The value of a free variable as constants; the code is stale once it has another."""
    from s2s_ad.frontend.live_scope import LiveScope

    scope, value = lowering.frame.scope, free.read()
    tree = _constants(value)
    if tree is None or not isinstance(scope, LiveScope):
        return None
    seen = repr(value)
    scope.used.append((lambda: repr(free.read()) == seen, True))
    return tree


def _constants(value: object) -> Value | None:
    """Numbers and strings, nested in tuples and lists, as constants; None for anything else."""
    if isinstance(value, tuple | list):
        items = [_constants(item) for item in value]
        kind = "tuple" if isinstance(value, tuple) else "list"
        return None if None in items else Structure(kind, tuple(range(len(items))), tuple(items))
    is_plain = type(value) in (int, float, bool, str) or value is None
    return Const(value) if is_plain else None


# Values as operands -------------------------------------------------------------------------------


def atom(lowering: Lowering, value: Value, node: cst.CSTNode) -> Atom:
    """The value as an operand of an operation on numbers and arrays."""
    value = current(lowering, value, node)
    if isinstance(value, Var | Const):
        return value
    if isinstance(value, Structure) and value.kind in ("tuple", "list"):
        fixed = static(value)
        if value.kind == "tuple" and fixed is not None:
            return fixed
        if value.kind == "tuple" and all(_is_static_part(item) for item in value.items):
            return lowering.assign(
                TUPLE, [atom(lowering, item, node) for item in value.items], node
            )
        return display(lowering, value, None, node)
    raise not_a_number(lowering, value, node)


def not_a_number(lowering: Lowering, value: Value, node: cst.CSTNode) -> Refused:
    if isinstance(value, FreeVariable):
        hidden_parameter(lowering, value, node)  # which says what it is
    what = {
        Named: "a function",
        UserClass: "a class",
        UserFunction: "a function",
        Method: "a method",
        Numbers: "a `range`",
    }.get(type(value), "a container")
    return lowering.refuse("not-a-number", f"a number or an array is needed here, not {what}", node)


def array_operand(lowering: Lowering, value: Value, node: cst.CSTNode) -> Atom:
    """The value where NumPy would convert a list or tuple to an array."""
    value = current(lowering, value, node)
    if isinstance(value, Structure):
        return display(lowering, value, None, node)
    if isinstance(value, Growing) and value.items:
        return _stacked(lowering, value.item, list(value.items), node)
    if isinstance(value, Numbers):
        return lowering.assign(RANGE, list(value.bounds), node)
    if isinstance(value, Const) and isinstance(value.value, tuple):
        items = tuple(Const(item) for item in value.value)
        return display(lowering, tuple_of(items), None, node)
    return atom(lowering, value, node)


def _stacked(lowering: Lowering, item: Value, lists: list[Atom], node: cst.CSTNode) -> Atom:
    """The array of a list of unknown length, whose items may be lists of numbers or of arrays."""
    is_row = isinstance(item, Growing) and isinstance(item.item, Var | Const)
    if isinstance(item, Var | Const) or is_row:
        return lowering.assign(TO_ARRAY, [lists.pop(0)], node)
    if not isinstance(item, Structure) or item.kind not in ("list", "tuple") or not item.items:
        raise not_a_number(lowering, item, node)
    columns = [_stacked(lowering, part, lists, node) for part in item.items]
    return lowering.assign(lowering.operation("numpy.stack"), [*columns, Const(1)], node)


def static_operand(lowering: Lowering, value: Value, node: cst.CSTNode) -> Atom:
    """The value of an argument such as `axis` or `shape`: a constant where it is one, lists taken
    as tuples.
    """
    value = current(lowering, value, node)
    if isinstance(value, Named):
        return Const(value.name.rpartition(".")[2], value.name)
    if isinstance(value, Structure):
        if value.kind == "dict":
            message = "a dict is not supported as this argument"
            raise lowering.refuse("unsupported-argument", message, node, help="write out a tuple")
        as_tuple = Structure("tuple", value.keys, value.items)
        fixed = static(as_tuple)
        if fixed is not None:
            return fixed
        return lowering.assign(
            TUPLE, [static_operand(lowering, item, node) for item in value.items], node
        )
    return atom(lowering, value, node)


def static(value: Value) -> Const | None:
    """A constant for a tuple of constants, however nested."""
    if isinstance(value, Const):
        return value
    if isinstance(value, Structure) and value.kind in ("tuple", "list"):
        items = [static(item) for item in value.items]
        if all(item is not None and not item.text for item in items):
            return Const(tuple(item.value for item in items if item is not None))
    return None


def _is_static_part(value: Value) -> bool:
    if isinstance(value, Structure):
        return False
    return isinstance(value, Const) or (
        isinstance(value, Var)
        and not isinstance(value.type, Array)
        and not (
            isinstance(value.type, Number | Scalar) and not str(value.type).startswith(("i", "u"))
        )
    )


def display(lowering: Lowering, value: Structure, dtype: Const | None, node: cst.CSTNode) -> Atom:
    """`np.array` of nested lists: one operation with the items in order and the layout as a
    constant.
    """
    layout, items = _layout(lowering, value, node)
    return lowering.assign(DISPLAY, [Const(layout), dtype or Const(None), *items], node)


def _layout(
    lowering: Lowering, value: Value, node: cst.CSTNode
) -> tuple[tuple[int, ...], list[Atom]]:
    value = current(lowering, value, node)
    if isinstance(value, Const) and isinstance(value.value, tuple):
        value = Structure("tuple", (), tuple(Const(item) for item in value.value))
    if isinstance(value, Growing | Numbers):
        return (), [array_operand(lowering, value, node)]
    if not isinstance(value, Structure):
        return (), [atom(lowering, value, node)]
    if value.kind not in ("tuple", "list"):
        raise not_a_number(lowering, value, node)
    if not value.items:
        return (0,), []
    parts = [_layout(lowering, item, node) for item in value.items]
    if any(layout != parts[0][0] for layout, _ in parts):
        raise lowering.refuse("shape-mismatch", "the rows of an array have different lengths", node)
    return (len(parts), *parts[0][0]), [item for _, items in parts for item in items]


def item(lowering: Lowering, base: Container, index: Atom, node: cst.CSTNode) -> Value:
    """An item of a container; where its items are of one kind, the index need not be known."""
    key = index.value if isinstance(index, Const) else known_index(index)
    if isinstance(base, Growing):
        is_part = isinstance(key, slice) or isinstance(index.type, Slice)
        if is_part and isinstance(node, cst.Subscript):
            from s2s_ad.frontend.comprehensions import collected
            from s2s_ad.frontend.iteration import part_of_list
            from s2s_ad.frontend.list_parts import part_of

            part = part_of(lowering, base, index, node)
            if part is not None:
                return part
            key = key if isinstance(key, slice) else slice("", "", "")
            return collected(lowering, part_of_list(lowering, base, key, node), node)
        if isinstance(index, Const) and not isinstance(key, int):
            raise lowering.refuse("bad-index", "a list is indexed by integers and slices", node)
        return item_of(lowering, base, index, node)
    if base.kind in ("dict", "record"):
        if key in base.keys:
            entry: Value = base.items[base.keys.index(key)]
            return entry
        if base.kind == "dict" and not isinstance(index, Const) and key is None:
            raise lowering.refuse(
                "not-constant",
                "which key of a dict this is is known only when the module runs",
                node,
                help="keep what a loop makes in a list (`append`), or in an array",
            )
        if base.kind == "dict" or not isinstance(key, int | slice):
            raise lowering.refuse("bad-index", f"the key {key!r} is not known here", node)
    if isinstance(key, slice):
        items = base.items[key]
        return container(lowering, base.kind, items)
    if not base.items and isinstance(index, Var):
        from s2s_ad.frontend.guards import raise_if

        raise_if(lowering, Const(True), None, node, 'IndexError("list index out of range")')
        raise Raises() from lowering.refuse("bad-index", "the list is empty here", node)
    if key is None and isinstance(index, Var) and is_integer(index.type):
        fixed = replace(base, identity=None)  # only to be read from here
        return item_of(lowering, grown(lowering, fixed, None, node), index, node)
    if not isinstance(key, int):
        raise lowering.refuse(
            "not-constant",
            f"the index of a {base.kind} has to be a constant",
            node,
            help="stack equal shapes into an array to index it by a variable",
        )
    if not -len(base.items) <= key < len(base.items):
        raise lowering.refuse(
            "bad-index", f"index {key} is out of range for {len(base.items)} items", node
        )
    found: Value = base.items[key]
    return found


def known_index(index: Atom) -> int | None:
    """The value of an index that is known when compiling."""
    if isinstance(index, Const):
        return index.value if isinstance(index.value, int) else None
    if isinstance(index.type, Number) and index.type.value is not None:
        return index.type.value.constant
    return None
