"""One function for each kind of expression; `HANDLERS` at the end is the list of what is accepted.

Each takes the state, the node and a name for the result, and gives a value. `atom` makes an operand
of a value: containers of numbers become array displays, tuples of indices become constants.
"""

from __future__ import annotations

import ast
import math
from collections import ChainMap
from collections.abc import Callable, Sequence
from typing import Any

import libcst as cst

from s2s_ad.frontend.containers import container, named, with_item
from s2s_ad.frontend.held import attribute_of_object
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.objects import attribute_of_class, found_in_class, with_operator
from s2s_ad.frontend.operands import MOST_ITEMS, array_operand, atom, current, static
from s2s_ad.frontend.resolve import every_parameter
from s2s_ad.frontend.values import (
    Container,
    Derived,
    FreeVariable,
    Growing,
    Method,
    Named,
    NotYet,
    Partial,
    PastItem,
    Raises,
    Refused,
    UserClass,
    UserFunction,
    Value,
    is_distribution,
    private_name,
)
from s2s_ad.ir import Atom, Const, Structure, Var
from s2s_ad.operations import catalogue
from s2s_ad.operations.support import CONTIGUOUS
from s2s_ad.types import Array, Number, Scalar

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


MEMORY = ("base", "strides", "data", "ctypes")  # attributes that say how an array is laid out
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
    if isinstance(found, PastItem):
        raise lowering.refuse(
            "unsupported-syntax",
            f"`{node.value}` is here the last item that the comprehension went through",
            node,
            help=f"keep the item: `lambda ..., {node.value}={node.value}: ...`",
        )
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
    stars = [isinstance(element, cst.StarredElement) for element in node.elements]
    if isinstance(node, cst.List) and any(stars):
        from s2s_ad.frontend.list_parts import with_stars

        longer = with_stars(lowering, values, stars, node)
        if longer is not None:
            return longer
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
            other = lower_expression(lowering, element.value)
            if not isinstance(other, Structure) or other.kind != "dict":
                message = "only a dict of known keys can be unpacked"
                raise lowering.refuse("star-argument", message, element)
            entries.update(zip(other.keys, other.items, strict=True))
            continue
        key = static(lower_expression(lowering, element.key))
        if key is None:
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
    made = None if symbol is None else with_operator(lowering, symbol, [left, right], node)
    if made is not None:
        return made
    if isinstance(left, Const) and isinstance(left.value, str):
        from s2s_ad.frontend.texts import text_arithmetic

        return text_arithmetic(lowering, symbol, left.value, right, node)
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
    if isinstance(left, Container) and isinstance(right, Container) and symbol == "+":
        from s2s_ad.frontend.list_parts import joined

        return joined(lowering, left, right, node)
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
        if isinstance(sequence, Structure) and isinstance(times, Var):
            is_number = isinstance(times.type, Number) and times.type.kind == "int"
            is_one = sequence.kind == "list" and len(sequence.items) == 1
            if is_number and is_one and isinstance(node, cst.BinaryOperation):
                return _repeated(lowering, sequence.items[0], times, node)
    return None


def _repeated(lowering: Lowering, item: Value, times: Var, node: cst.BinaryOperation) -> Container:
    """`[x] * n`: a list of unknown length, whose items are all one."""
    from s2s_ad.frontend.comprehensions import collected
    from s2s_ad.frontend.iteration import Counted

    found = collected(lowering, Counted((Const(0), times, Const(1)), lambda _: item), node)
    assert isinstance(found, Structure | Growing)
    return found


def _refuse_sequence(
    lowering: Lowering, symbol: str, left: Value, right: Value, node: cst.BinaryOperation
) -> None:
    """A container is an array only where NumPy computes: `[x] * n` repeats it, `[x] * 2.0` raises.

    Raises Refused.
    """
    sequence, other, place = (
        (left, right, node.right) if isinstance(left, Container) else (right, left, node.left)
    )
    assert isinstance(sequence, Container)
    kind = None if isinstance(other, Container) else atom(lowering, other, place).type
    if isinstance(kind, Scalar | Array):
        maybe_number = isinstance(kind, Scalar) or kind.shape is None
        if symbol != "*" or not maybe_number or not kind.dtype.startswith(("i", "u", "bool")):
            return
    word = sequence.kind if isinstance(sequence, Structure) else "list"
    raise lowering.refuse(
        "unsupported-syntax",
        f"`{symbol}` of a {word} and what may be a number is not arithmetic",
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
    made = with_operator(lowering, symbol, [value], node)
    if made is not None:
        return made
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
    attribute = private_name(lowering.frame.function.owner, node.attr.value)
    if isinstance(node.value, cst.Name | cst.Attribute):
        base = HANDLERS[type(node.value)](lowering, node.value, "")
        if not isinstance(base, FreeVariable) or base.attribute is None or _draws(base):
            base = current(lowering, base, node.value)
    else:
        base = lower_expression(lowering, node.value)
    return attribute_of(lowering, base, attribute, node, name)


def _draws(base: FreeVariable) -> bool:
    """Whether it is a random generator, which is used itself."""
    from s2s_ad.frontend.live import is_generator

    return is_generator(base.read())


def attribute_of(
    lowering: Lowering, base: Value, attribute: str, node: cst.CSTNode, name: str = ""
) -> Value:
    """`base.attribute`"""
    if attribute == "__name__" and isinstance(base, UserClass | UserFunction | Named):
        return Const(base.name.rpartition(".")[2])
    if isinstance(base, UserClass):
        return attribute_of_class(lowering, base, attribute, node)
    if isinstance(base, FreeVariable) and base.attribute is not None:
        found = attribute_of_object(lowering, base, attribute, node)
        if found is None:
            message = f"`{base.name}` has no attribute `{attribute}`"
            raise lowering.refuse("unknown-name", message, node)
        return found
    if isinstance(base, Named):
        from s2s_ad.frontend.equalities import attribute_of_dtype

        return attribute_of_dtype(base, attribute) or Named(f"{base.name}.{attribute}")
    if isinstance(base, Partial) and is_distribution(base.function):
        return Partial(Named(f"{base.function.name}.{attribute}"), (), base.keywords)
    if isinstance(base, Derived) and attribute == "primal":
        return base.function
    is_named = isinstance(base, Structure) and base.kind in ("record", "tuple")
    if is_named and isinstance(base, Structure) and attribute in base.keys:
        field: Value = base.items[base.keys.index(attribute)]
        return field
    if isinstance(base, Var) and base.type == Number("complex") and attribute in ("real", "imag"):
        return lowering.assign(lowering.operation(f"ndarray.{attribute}"), [base], node, name)
    if isinstance(base, Structure) and base.kind == "record":
        found_there = found_in_class(lowering, base, attribute, node)
        if found_there is not None:
            return found_there
    is_flag = isinstance(base, Method) and base.name == "flags" and attribute == "c_contiguous"
    # of arguments only: other arrays may lie in another way in a module
    receiver = base.receiver if isinstance(base, Method) else None
    if is_flag and isinstance(receiver, Var) and receiver in lowering.parameters:
        return lowering.assign(CONTIGUOUS, [receiver], node, name)
    if isinstance(base, Var) and isinstance(base.type, Array | Scalar):
        op = catalogue().operations.get(f"ndarray.{attribute}")
        if op is not None and op.template:
            return lowering.assign(op, [base], node, name)
        if attribute == "dtype":
            from s2s_ad.types import DTYPES

            return Named(f"numpy.{DTYPES[base.type.dtype]}")
    about_memory = isinstance(base, Var) and attribute in MEMORY
    if about_memory or (isinstance(base, Method) and base.name == "flags"):
        raise lowering.refuse(
            "unknown-operation",
            f"`{lowering.code(node)}` says how an array lies in memory",
            node,
            help="let the function do the same for every layout",
        )
    return Method(base, attribute)


def _subscript(lowering: Lowering, node: cst.Subscript, name: str) -> Value:
    from s2s_ad.frontend.subscripts import lower_subscript

    return lower_subscript(lowering, node, name)


def _lambda(lowering: Lowering, node: cst.Lambda, name: str) -> Value:
    frame = lowering.frame
    defaults = lower_defaults(lowering, node.params)
    owner = frame.function.owner
    around = ChainMap(*reversed(frame.items), frame.names) if frame.items else frame.names
    return UserFunction("lambda", node, frame.unit, frame.scope, around, defaults, owner=owner)


def lower_defaults(lowering: Lowering, parameters: cst.Parameters) -> dict[str, Value]:
    """The defaults of a function that is being defined: Python evaluates them there, once."""
    return {
        param.name.value: lower_expression(lowering, param.default)
        for param in every_parameter(parameters)
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
    cst.Yield: (
        "`yield` is not supported",
        "append the values to a list, and return that: `values.append(v)`, `return values`",
    ),
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
