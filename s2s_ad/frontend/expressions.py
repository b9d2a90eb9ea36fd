"""One function for each kind of expression; `HANDLERS` at the end is the list of what is accepted.

Each takes the state, the node and a name for the result, and gives a value. `atom` makes an operand
of a value: containers of numbers become array displays, tuples of indices become constants.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import libcst as cst

from s2s_ad.frontend.containers import container, grown, item_of, named, refreshed, with_item
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.objects import method_of
from s2s_ad.frontend.resolve import constant_of
from s2s_ad.frontend.values import (
    Container,
    Derived,
    FreeVariable,
    Growing,
    Method,
    Named,
    NotYet,
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
from s2s_ad.operations import catalogue
from s2s_ad.operations.arrays import DISPLAY
from s2s_ad.operations.indexing import SLICE, TUPLE
from s2s_ad.operations.lists import TO_ARRAY
from s2s_ad.operations.shaping import DIMENSION, SHAPE
from s2s_ad.types import Array, Items, Number, Scalar, Size, is_integer, shape_of

# Each item is a variable of its own: longer sequences are better arrays.
MOST_ITEMS = 10_000
OPERATORS = {
    "Add": "+",
    "Subtract": "-",
    "Multiply": "*",
    "Divide": "/",
    "FloorDivide": "//",
    "Modulo": "%",
    "Power": "**",
    "MatrixMultiply": "@",
    "BitAnd": "&",
    "BitOr": "|",
    "BitXor": "^",
    "LessThan": "<",
    "LessThanEqual": "<=",
    "GreaterThan": ">",
    "GreaterThanEqual": ">=",
    "Equal": "==",
    "NotEqual": "!=",
    "Minus": "-x",
    "Plus": "+x",
    "BitInvert": "~x",
    "Not": "notx",
}


COMPARISONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}


def operator_name(node_name: str) -> str:
    return OPERATORS[node_name]


def lower_expression(lowering: Lowering, node: cst.BaseExpression, name: str = "") -> Value:
    """The value of an expression. A Wengert line that computes it carries `name`."""
    handler = HANDLERS.get(type(node))
    if handler is None:
        message, help = REFUSED.get(
            type(node), (f"a {type(node).__name__} is not supported", "write it in another way")
        )
        raise lowering.refuse("unsupported-syntax", message, node, help=help)
    return current(lowering, handler(lowering, node, name), node)


def lower_all(lowering: Lowering, nodes: Sequence[cst.BaseExpression]) -> list[Value]:
    """The values of several expressions. All of them are looked at before a refusal is raised."""
    values: list[Value] = []
    refused: Refused | None = None
    for node in nodes:
        try:
            values.append(lower_expression(lowering, node))
        except (NotYet, Raises) as known:
            refused = refused or known
        except Refused:
            refused = Refused()
    if refused is not None:
        raise refused
    return values


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
    from s2s_ad.frontend.live import UnsupportedValue, type_of_value
    from s2s_ad.frontend.lower import _parameter_tree

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
    name = free.name.replace(".", "_")
    while name in lowering.hidden or any(name == value for value in lowering.taken_formals):
        name += "_"
    tree = _parameter_tree(lowering, type, name)
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
    }.get(type(value), "a container")
    return lowering.refuse("not-a-number", f"a number or an array is needed here, not {what}", node)


def array_operand(lowering: Lowering, value: Value, node: cst.CSTNode) -> Atom:
    """The value where NumPy would convert a list or tuple to an array."""
    value = current(lowering, value, node)
    if isinstance(value, Structure):
        return display(lowering, value, None, node)
    if isinstance(value, Growing) and len(value.items) == 1 and isinstance(value.item, Var | Const):
        return lowering.assign(TO_ARRAY, [value.items[0]], node)
    if isinstance(value, Const) and isinstance(value.value, tuple):
        items = tuple(Const(item) for item in value.value)
        return display(lowering, tuple_of(items), None, node)
    return atom(lowering, value, node)


def static_operand(lowering: Lowering, value: Value, node: cst.CSTNode) -> Atom:
    """The value of an argument such as `axis` or `shape`: a constant where it is one, lists taken
    as tuples.
    """
    value = current(lowering, value, node)
    if isinstance(value, Named):
        return Const(value.name.rpartition(".")[2], value.name)
    if isinstance(value, Structure):
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


# Kinds of expression ------------------------------------------------------------------------------


def _name(lowering: Lowering, node: cst.Name, name: str) -> Value:
    literals = {"True": True, "False": False, "None": None}
    if node.value in literals:
        return Const(literals[node.value])
    found = lowering.frame.names.get(node.value)
    if found is None and node.value in lowering.frame.locals:
        refused = lowering.refuse(
            "unassigned-name",
            f"`{node.value}` is read before it is assigned",
            node,
            help="assign it before",
        )
        later = any(node.value in names for names in lowering.frame.expected)
        raise NotYet() if later else refused
    found = found or lowering.frame.scope.lookup(node.value)
    if found is not None:
        return found
    from s2s_ad.frontend.resolve import FileScope

    scope = lowering.frame.scope
    problem = scope.problem(node.value) if isinstance(scope, FileScope) else None
    if problem is not None:
        diagnostic, message, help = problem
        raise lowering.refuse(diagnostic, message, node, help=help)
    raise lowering.refuse("unknown-name", f"`{node.value}` is not defined here", node)


def _number(lowering: Lowering, node: cst.Integer | cst.Float | cst.Imaginary, name: str) -> Value:
    return Const(ast.literal_eval(node.value))


def _string(lowering: Lowering, node: cst.SimpleString, name: str) -> Value:
    return Const(node.evaluated_value)


def _text(
    lowering: Lowering, node: cst.FormattedString | cst.ConcatenatedString, name: str
) -> Value:
    from s2s_ad.frontend.texts import lower_text

    return lower_text(lowering, node, name)


def _ellipsis(lowering: Lowering, node: cst.Ellipsis, name: str) -> Value:
    return Const(Ellipsis)


def _sequence(lowering: Lowering, node: cst.Tuple | cst.List, name: str) -> Value:
    items: list[Value] = []
    values = lower_all(lowering, [element.value for element in node.elements])
    for element, value in zip(node.elements, values, strict=True):
        if isinstance(element, cst.StarredElement):
            from s2s_ad.frontend.unpacking import star_items

            items.extend(star_items(lowering, value, None, element))
        else:
            items.append(value)
    return container(lowering, "tuple" if isinstance(node, cst.Tuple) else "list", items)


def _dict(lowering: Lowering, node: cst.Dict, name: str) -> Value:
    entries: dict[Any, Value] = {}
    for element in node.elements:
        if not isinstance(element, cst.DictElement):
            raise lowering.refuse(
                "star-argument", "`**` in a dict display is not supported", element
            )
        key = lower_expression(lowering, element.key)
        if not isinstance(key, Const):
            raise lowering.refuse("not-constant", "a key has to be a constant", element.key)
        entries[key.value] = lower_expression(lowering, element.value)
    return container(lowering, "dict", tuple(entries.values()), tuple(entries))


def _binary(lowering: Lowering, node: cst.BinaryOperation, name: str) -> Value:
    symbol = OPERATORS.get(type(node.operator).__name__)
    left, right = lower_all(lowering, [node.left, node.right])
    if symbol is None:
        raise lowering.refuse(
            "unsupported-syntax", f"`{lowering.code(node.operator).strip()}` is not supported", node
        )
    if isinstance(left, Container) or isinstance(right, Container):
        joined = _sequence_arithmetic(lowering, symbol, left, right, node)
        if joined is not None:
            return joined
        _refuse_sequence(lowering, symbol, left, right, node)
    operands = [
        arithmetic_operand(lowering, left, node.left),
        arithmetic_operand(lowering, right, node.right),
    ]
    return lowering.assign(lowering.operation(symbol), operands, node, name)


def arithmetic_operand(lowering: Lowering, value: Value, node: cst.CSTNode) -> Atom:
    return (
        array_operand(lowering, value, node)
        if isinstance(value, Structure)
        else atom(lowering, value, node)
    )


def _sequence_arithmetic(
    lowering: Lowering, symbol: str, left: Value, right: Value, node: cst.CSTNode
) -> Container | None:
    """`(a, b) + (c,)` and `[a] * 3`: containers, not arrays."""
    if (
        isinstance(left, Structure)
        and isinstance(right, Structure)
        and symbol == "+"
        and left.kind == right.kind
        and len(left.items) + len(right.items) <= MOST_ITEMS
    ):
        items = (*left.items, *right.items)
        return container(lowering, left.kind, items)
    is_list = isinstance(right, Structure) and right.kind == "list"
    if isinstance(left, Growing) and isinstance(right, Structure) and is_list and symbol == "+":
        longer = left
        for item in right.items:
            longer = with_item(lowering, longer, None, item, node)
        return named(lowering, longer)
    if symbol == "*":
        sequence, times = (left, right) if isinstance(left, Structure) else (right, left)
        if (
            isinstance(sequence, Structure)
            and isinstance(times, Const)
            and isinstance(times.value, int)
            and len(sequence.items) * times.value <= MOST_ITEMS
        ):
            items = sequence.items * times.value
            return container(lowering, sequence.kind, items)
    return None


def _refuse_sequence(
    lowering: Lowering, symbol: str, left: Value, right: Value, node: cst.BinaryOperation
) -> None:
    """A container is an array only where NumPy computes: `[x] * n` repeats it, `[x] * 2.0` raises.

    Raises Refused.
    """
    sequence, other, place = (
        (left, right, node.right) if isinstance(left, Structure) else (right, left, node.left)
    )
    assert isinstance(sequence, Structure)
    kind = None if isinstance(other, Structure) else atom(lowering, other, place).type
    if isinstance(kind, Scalar | Array):
        maybe_number = isinstance(kind, Scalar) or kind.shape is None
        if symbol != "*" or not maybe_number or not kind.dtype.startswith(("i", "u", "bool")):
            return
    raise lowering.refuse(
        "unsupported-syntax",
        f"`{symbol}` of a {sequence.kind} and what may be a number is not arithmetic",
        node,
        help="use an array (`np.array(...)`) to compute, and a small known number to repeat",
    )


def _unary(lowering: Lowering, node: cst.UnaryOperation, name: str) -> Value:
    value = lower_expression(lowering, node.expression)
    symbol = OPERATORS[type(node.operator).__name__]
    if symbol == "notx":
        from s2s_ad.frontend.branches import truth

        test = truth(lowering, value, node.expression)
        if isinstance(test, Const):
            return Const(not test.value)
        return lowering.assign(lowering.operation(symbol), [test], node, name)
    operand = atom(lowering, value, node.expression)
    if isinstance(operand, Const) and symbol == "-x":
        plain = isinstance(operand.value, int | float) and not operand.text
        if plain or operand.value == math.inf:
            return Const(-operand.value)
    return lowering.assign(lowering.operation(symbol), [operand], node, name)


def _comparison(lowering: Lowering, node: cst.Comparison, name: str) -> Value:
    from s2s_ad.frontend.comparisons import comparison

    return comparison(lowering, node, name)


def _attribute(lowering: Lowering, node: cst.Attribute, name: str) -> Value:
    attribute = node.attr.value
    if isinstance(node.value, cst.Name | cst.Attribute):
        base = HANDLERS[type(node.value)](lowering, node.value, "")
        if not isinstance(base, FreeVariable) or base.attribute is None:
            base = current(lowering, base, node.value)
    else:
        base = lower_expression(lowering, node.value)
    if isinstance(base, FreeVariable | UserClass) and base.attribute is not None:
        found = base.attribute(attribute)
        if found is None:
            message = f"`{base.name}` has no attribute `{attribute}`"
            raise lowering.refuse("unknown-name", message, node)
        return found
    if isinstance(base, Named):
        return Named(f"{base.name}.{attribute}")
    if isinstance(base, Derived) and attribute == "primal":
        return base.function
    is_named = isinstance(base, Structure) and base.kind in ("record", "tuple")
    if is_named and isinstance(base, Structure) and attribute in base.keys:
        field: Value = base.items[base.keys.index(attribute)]
        return field
    if isinstance(base, Var) and base.type == Number("complex") and attribute in ("real", "imag"):
        return lowering.assign(lowering.operation(f"ndarray.{attribute}"), [base], node, name)
    if isinstance(base, Structure) and base.kind == "record":
        method = method_of(lowering, base, attribute)
        if method is not None:
            return method
    if isinstance(base, Var) and isinstance(base.type, Array | Scalar):
        op = catalogue().operations.get(f"ndarray.{attribute}")
        if op is not None and op.template:
            return lowering.assign(op, [base], node, name)
        if attribute == "dtype":
            from s2s_ad.types import DTYPES

            return Named(f"numpy.{DTYPES[base.type.dtype]}")
    return Method(base, attribute)


def _subscript(lowering: Lowering, node: cst.Subscript, name: str) -> Value:
    base = lower_expression(lowering, node.value)
    if base in (Named("numpy.r_"), Named("numpy.c_")):
        from s2s_ad.frontend.calls_joins import lower_bracket_join

        return lower_bracket_join(lowering, base == Named("numpy.c_"), node)
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
    if isinstance(x, Var):
        x = now(lowering, x, node)  # the index may have written to the array
    return lowering.assign(lowering.operation("getitem"), [x, index], node, name)


def _item(lowering: Lowering, base: Container, node: cst.Subscript) -> Value:
    index = index_of(lowering, node.slice, node)
    return item(lowering, refreshed(lowering, base, node), index, node)


def item(lowering: Lowering, base: Container, index: Atom, node: cst.CSTNode) -> Value:
    """An item of a container; where its items are of one kind, the index need not be known."""
    key = index.value if isinstance(index, Const) else known_index(index)
    if isinstance(base, Growing):
        if isinstance(index, Const) and not isinstance(key, int):
            raise lowering.refuse(
                "not-constant",
                "a slice of a list of unknown length is not supported",
                node,
                help="go through it with a loop",
            )
        return item_of(lowering, base, index, node)
    if base.kind in ("dict", "record"):
        if key in base.keys:
            entry: Value = base.items[base.keys.index(key)]
            return entry
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


def _lambda(lowering: Lowering, node: cst.Lambda, name: str) -> Value:
    frame = lowering.frame
    defaults = lower_defaults(lowering, node.params)
    return UserFunction("lambda", node, frame.unit, frame.scope, frame.names, defaults)


def lower_defaults(lowering: Lowering, parameters: cst.Parameters) -> dict[str, Value]:
    """The defaults of a function that is being defined: Python evaluates them there, once."""
    params = (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params)
    return {
        param.name.value: lower_expression(lowering, param.default)
        for param in params
        if param.default is not None
    }


def _call(lowering: Lowering, node: cst.Call, name: str) -> Value:
    from s2s_ad.frontend.calls import lower_call

    return lower_call(lowering, node, name)


def _comprehension(lowering: Lowering, node: cst.ListComp | cst.GeneratorExp, name: str) -> Value:
    from s2s_ad.frontend.comprehensions import comprehension

    return comprehension(lowering, node)


def _dict_comprehension(lowering: Lowering, node: cst.DictComp, name: str) -> Value:
    from s2s_ad.frontend.comprehensions import dict_comprehension

    return dict_comprehension(lowering, node)


def _conditional(lowering: Lowering, node: cst.IfExp, name: str) -> Value:
    from s2s_ad.frontend.branches import conditional

    return conditional(lowering, node, name)


def _and_or(lowering: Lowering, node: cst.BooleanOperation, name: str) -> Value:
    from s2s_ad.frontend.branches import and_or

    return and_or(lowering, node, name)


def _walrus(lowering: Lowering, node: cst.NamedExpr, name: str) -> Value:
    target = node.target
    assert isinstance(target, cst.Name)
    value = lower_expression(lowering, node.value, target.value)
    lowering.frame.names[target.value] = value
    return value


# Every other expression: what the user calls it, and what to do instead.
REFUSED: dict[type[cst.CSTNode], tuple[str, str]] = {
    cst.Await: ("`await` is not supported", "write a plain `def`"),
    cst.Set: ("sets are not supported", "write a tuple or a list"),
    cst.SetComp: ("sets are not supported", "write a tuple or a list"),
    cst.Yield: ("`yield` is not supported", "return all values at once, in a tuple or an array"),
}

HANDLERS: dict[type[cst.CSTNode], Callable[[Lowering, Any, str], Value]] = {
    cst.Name: _name,
    cst.Integer: _number,
    cst.Float: _number,
    cst.Imaginary: _number,
    cst.SimpleString: _string,
    cst.ConcatenatedString: _text,
    cst.FormattedString: _text,
    cst.Ellipsis: _ellipsis,
    cst.Tuple: _sequence,
    cst.List: _sequence,
    cst.Dict: _dict,
    cst.BinaryOperation: _binary,
    cst.BooleanOperation: _and_or,
    cst.NamedExpr: _walrus,
    cst.UnaryOperation: _unary,
    cst.Comparison: _comparison,
    cst.Attribute: _attribute,
    cst.Subscript: _subscript,
    cst.Lambda: _lambda,
    cst.Call: _call,
    cst.IfExp: _conditional,
    cst.ListComp: _comprehension,
    cst.DictComp: _dict_comprehension,
    cst.GeneratorExp: _comprehension,
}
