"""Tests of what the type of a parameter says (`x.ndim != 2 or x.shape != (n, d)`, as at the entry
of a generated module): they become part of the type, and are printed again from it.
"""

from __future__ import annotations

import ast
import re

import libcst as cst

from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.lower import Lowering
from s2s_ad.ir import Const, Structure, Var
from s2s_ad.types import (
    DTYPES,
    SHORT_DTYPES,
    Array,
    Number,
    Scalar,
    Size,
    TypeProblem,
    slice_length,
)

NUMBER_KINDS = (
    "(float, int)",
    "NUMBER",
    "_NUMBER",
    "float",
    "float32",
    "float16",
    "(builtins.float, builtins.int)",
)


def is_entry_check(lowering: Lowering, test: cst.BaseExpression) -> bool:
    """Whether the test only says that a parameter is not of some type; the parameter then gets that
    type.
    """
    if lowering.outer:
        return False  # not every call comes here
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        return all(_is_type_check(lowering, part) for part in _conjuncts(test.expression))
    if not isinstance(test, cst.Comparison) or len(test.comparisons) != 1:
        return False
    left, comparison = test.left, test.comparisons[0]
    if not isinstance(comparison.operator, cst.NotEqual) or len(lowering.frames) > 1:
        return False
    if _has_attribute(lowering, left, comparison.comparator):
        return True
    if isinstance(left, cst.Attribute):
        return False
    return _equal_sizes(lowering, left, comparison.comparator, test)


def _has_attribute(lowering: Lowering, left: cst.BaseExpression, right: cst.BaseExpression) -> bool:
    """Whether `x.ndim`, compared with something, is the attribute of a parameter, which then has
    that value.
    """
    var, attribute = None, ""
    if isinstance(left, cst.Call) and lowering.code(left.func).endswith(".result_type"):
        var, attribute = _parameter(lowering, left.args[0].value), "dtype"
    elif isinstance(left, cst.Attribute):
        var, attribute = _parameter(lowering, left.value), left.attr.value
    if var is None:
        return False
    try:
        return _refine(lowering, var, attribute, right)
    except TypeProblem as problem:
        raise lowering.refuse(problem.name, str(problem), left, help=problem.help) from None


def _is_type_check(lowering: Lowering, test: cst.BaseExpression) -> bool:
    """A part of what the entry of a generated module demands of its arguments."""
    if isinstance(test, cst.Call):
        return _is_number_check(lowering, test) or _is_container_check(lowering, test)
    if not isinstance(test, cst.Comparison):
        return False
    sides = [test.left, *(part.comparator for part in test.comparisons)]
    operators = {type(part.operator) for part in test.comparisons}
    if operators == {cst.Equal}:
        if _is_keys_check(lowering, test.left, sides[-1]) or _is_count(lowering, *sides[:2]):
            return True
        return all(_has_attribute(lowering, side, sides[-1]) for side in sides[:-1])
    if operators == {cst.Is}:
        kind = lowering.code(sides.pop())
        return kind.endswith(".ndarray") and all(_is_array_type(lowering, side) for side in sides)
    if operators == {cst.In}:
        return "ndarray" in lowering.code(sides[1]) and _is_array_type(lowering, test.left)
    return False


def _is_array_type(lowering: Lowering, node: cst.BaseExpression) -> bool:
    """`type(x)` of a parameter that is an array."""
    if not isinstance(node, cst.Call) or len(node.args) != 1:
        return False
    if lowering.code(node.func) not in ("type", "builtins.type"):
        return False
    var = _parameter(lowering, node.args[0].value)
    return var is not None and isinstance(var.type, Array)


def _is_container_check(lowering: Lowering, call: cst.Call) -> bool:
    """`isinstance(p, dict)`, `isinstance(p, (list, tuple))` of containers."""
    if lowering.code(call.func) not in ("isinstance", "builtins.isinstance") or len(call.args) != 2:
        return False
    kinds = re.sub(r"\bbuiltins\.", "", lowering.code(call.args[1].value))
    if kinds not in ("dict", "(list, tuple)"):
        return False
    container = lower_expression(lowering, call.args[0].value)
    return isinstance(container, Structure) and container.kind in kinds


def _is_keys_check(lowering: Lowering, left: cst.BaseExpression, right: cst.BaseExpression) -> bool:
    """`p.keys() == {"a", "b"}`, where p has these keys."""
    if not isinstance(left, cst.Call) or not isinstance(right, cst.Set):
        return False
    if not isinstance(left.func, cst.Attribute) or left.func.attr.value != "keys":
        return False
    container = lower_expression(lowering, left.func.value)
    keys = {ast.literal_eval(lowering.code(element.value)) for element in right.elements}
    return isinstance(container, Structure) and set(container.keys) == keys


def _is_count(lowering: Lowering, left: cst.BaseExpression, right: cst.BaseExpression) -> bool:
    """`len(p) == 3`, where p has so many items."""
    if not isinstance(left, cst.Call) or not isinstance(right, cst.Integer):
        return False
    if lowering.code(left.func) not in ("len", "builtins.len"):
        return False
    container = lower_expression(lowering, left.args[0].value)
    return isinstance(container, Structure) and len(container.items) == int(right.value)


def _conjuncts(test: cst.BaseExpression) -> list[cst.BaseExpression]:
    """The operands of `a and b and c`."""
    if isinstance(test, cst.BooleanOperation) and isinstance(test.operator, cst.And):
        return [*_conjuncts(test.left), *_conjuncts(test.right)]
    return [test]


def _equal_sizes(
    lowering: Lowering, left: cst.BaseExpression, right: cst.BaseExpression, test: cst.CSTNode
) -> bool:
    """`len(range(n)[1:]) != m`: an equality of sizes that was assumed before."""
    if not (isinstance(left, cst.Call) and lowering.code(left.func) == "len"):
        return False
    sizes = [size_of_expression(lowering, side) for side in (left, right)]
    if sizes[0] is None or sizes[1] is None:
        return False
    try:
        return lowering.sizes.unify(sizes[0], sizes[1])
    except TypeProblem as problem:
        raise lowering.refuse(problem.name, str(problem), test, help=problem.help) from None


def size_of_expression(lowering: Lowering, node: cst.BaseExpression) -> Size | None:
    """An integer expression of sizes, as the formula that it is."""
    if isinstance(node, cst.Integer):
        return Size.of(int(node.value))
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus):
        inner = size_of_expression(lowering, node.expression)
        return None if inner is None else -inner
    if isinstance(node, cst.BinaryOperation):
        left, right = (size_of_expression(lowering, side) for side in (node.left, node.right))
        if left is None or right is None:
            return None
        match node.operator:
            case cst.Add():
                return left + right
            case cst.Subtract():
                return left - right
            case cst.Multiply():
                return left * right
        return None
    if isinstance(node, cst.Call) and lowering.code(node.func) == "len":
        return _slice_length(lowering, node.args[0].value)
    if isinstance(node, cst.Name):
        value = lowering.frame.names.get(node.value)
        type = value.type if isinstance(value, Var | Const) else None
        return type.value if isinstance(type, Number) else None
    return None


def _slice_length(lowering: Lowering, node: cst.BaseExpression) -> Size | None:
    """`range(n)[a:b]`"""
    if not (isinstance(node, cst.Subscript) and isinstance(node.value, cst.Call)):
        return None
    part = node.slice[0].slice
    size = size_of_expression(lowering, node.value.args[0].value)
    if size is None or not isinstance(part, cst.Slice):
        return None
    bounds: list[Size | None] = []
    for bound in (part.lower, part.upper, part.step):
        known = None if bound is None else size_of_expression(lowering, bound)
        if bound is not None and known is None:
            return None
        bounds.append(known)
    return slice_length(size, *bounds)


def _is_number_check(lowering: Lowering, call: cst.BaseExpression) -> bool:
    """`isinstance(x, (float, int))` for a parameter that is a number."""
    if not isinstance(call, cst.Call) or len(call.args) != 2:
        return False
    if lowering.code(call.func) not in ("isinstance", "builtins.isinstance"):
        return False
    var = _parameter(lowering, call.args[0].value)
    kinds = lowering.code(call.args[1].value).rpartition(".")[2]
    if var is None:
        return False
    if isinstance(var.type, Number) and var.type.kind in ("int", "bool"):
        return kinds in ("INTEGER", "_INTEGER")
    return isinstance(var.type, Number | Scalar) and kinds in NUMBER_KINDS


def _parameter(lowering: Lowering, node: cst.BaseExpression) -> Var | None:
    if not isinstance(node, cst.Name):
        return None
    value = lowering.frame.names.get(node.value)
    return value if isinstance(value, Var) and value in lowering.parameters else None


def _refine(lowering: Lowering, var: Var, attribute: str, expected: cst.BaseExpression) -> bool:
    type = lowering.refined.get(var, var.type)
    if not isinstance(type, Array) or len(lowering.frames) > 1:
        return False
    if attribute == "ndim" and isinstance(expected, cst.Integer):
        rank = int(expected.value)
        if type.shape is None:
            lowering.refine(
                var, Array(type.dtype, tuple(lowering.parameter_size() for _ in range(rank)))
            )
        return type.shape is None or len(type.shape) == rank
    if attribute == "dtype":
        name = lowering.code(expected).rpartition(".")[2]
        short = SHORT_DTYPES.get("bool" if name == "bool_" else name)
        if short is None or short not in DTYPES:
            return False
        lowering.refine(var, Array(short, type.shape))
        return True
    if attribute == "shape" and isinstance(expected, cst.Tuple):
        return _refine_shape(lowering, var, type, expected)
    return False


def _refine_shape(lowering: Lowering, var: Var, type: Array, expected: cst.Tuple) -> bool:
    """`x.shape != (n, d)`; an item `x.shape[1]` says nothing about that size."""
    if type.shape is not None and len(type.shape) != len(expected.elements):
        return False
    sizes: list[Size] = []
    for axis, element in enumerate(expected.elements):
        if lowering.code(element.value) == f"{var.name}.shape[{axis}]":
            size = None if type.shape is None else type.shape[axis]
            sizes.append(lowering.parameter_size() if size is None else size)
            continue
        size = size_of_expression(lowering, element.value)
        if size is None or lowering.sizes.resolve(size).is_local:
            return False
        sizes.append(size)
    if type.shape is None:
        lowering.refine(var, Array(type.dtype, tuple(sizes)))
        return True
    known = True
    for left, right in zip(type.shape, sizes, strict=True):
        known = lowering.sizes.unify(left, right) and known
    return known
