"""Statements that only check: `if <test>: raise ...` and `assert`.

They stay in the forward sweep. Those that check what the type of a parameter says (`if x.ndim != 2
or x.shape != (n, d)`: the entry checks of a generated module) become part of the type instead, and
are printed again from it.
"""

from __future__ import annotations

import ast

import libcst as cst

from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import atom
from s2s_ad.frontend.texts import escaped, known_text, requoted
from s2s_ad.frontend.writes import now
from s2s_ad.ir import Atom, Const, Structure, Var
from s2s_ad.operations.effects import RAISE_IF, placeholder
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


def guard(lowering: Lowering, node: cst.If) -> bool:
    """Lower `if test: raise X(...)`; False if the statement is something else."""
    raised = _only_raise(node)
    if raised is None:
        return False
    tests = _alternatives(node.test)
    for test in tests:
        if not _refines(lowering, test):
            value = atom(lowering, lower_expression(lowering, test), test)
            if isinstance(value, Const) and not value.value:
                continue
            raise_if(lowering, value, raised.exc, node)
    return True


def _only_raise(node: cst.If) -> cst.Raise | None:
    if node.orelse is not None or len(node.body.body) != 1:
        return None
    line: cst.CSTNode = (
        node.body if isinstance(node.body, cst.SimpleStatementSuite) else node.body.body[0]
    )
    if (
        isinstance(line, cst.SimpleStatementLine | cst.SimpleStatementSuite)
        and len(line.body) == 1
        and isinstance(line.body[0], cst.Raise)
    ):
        return line.body[0]
    return None


def _alternatives(test: cst.BaseExpression) -> list[cst.BaseExpression]:
    """The operands of `a or b or c`: each raises by itself."""
    if isinstance(test, cst.BooleanOperation) and isinstance(test.operator, cst.Or):
        return [*_alternatives(test.left), *_alternatives(test.right)]
    return [test]


def _conjuncts(test: cst.BaseExpression) -> list[cst.BaseExpression]:
    """The operands of `a and b and c`."""
    if isinstance(test, cst.BooleanOperation) and isinstance(test.operator, cst.And):
        return [*_conjuncts(test.left), *_conjuncts(test.right)]
    return [test]


def raise_if(
    lowering: Lowering,
    test: Atom,
    expression: cst.BaseExpression | None,
    node: cst.CSTNode,
    around: str = "{}",
) -> None:
    """An effect that raises where the test holds: the expression, with something `around` it. Its
    variables become operands.
    """
    if expression is None:
        text, operands = "Exception()" if around == "{}" else around.format(""), []
    else:
        values = _Values(lowering)
        changed = expression.visit(values)
        assert isinstance(changed, cst.BaseExpression)
        text, operands = around.format(lowering.code(changed)), values.found
    lowering.builder.span = lowering.span(node)
    lowering.effect(RAISE_IF, [test, Const(text), *operands])


class _Values(cst.CSTTransformer):
    """Finds the variables of an expression, and puts a placeholder in the place of each."""

    def __init__(self, lowering: Lowering) -> None:
        self.lowering = lowering
        self.found: list[Atom] = []
        self.quotes: list[str] = []  # of the f-strings around

    def visit_FormattedString(self, node: cst.FormattedString) -> None:
        self.quotes.append(node.quote)

    def leave_FormattedString(
        self, original_node: cst.FormattedString, updated_node: cst.FormattedString
    ) -> cst.FormattedString:
        self.quotes.pop()
        known = any(self._known(part) is not None for part in original_node.parts)
        return requoted(updated_node) if known else updated_node

    def _known(self, node: cst.BaseFormattedStringContent) -> str | None:
        if not isinstance(node, cst.FormattedStringExpression):
            return None
        if not isinstance(node.expression, cst.Name):
            return None
        value = self.lowering.frame.names.get(node.expression.value)
        return None if value is None else known_text(node, value)

    def visit_FormattedStringExpression(self, node: cst.FormattedStringExpression) -> bool:
        return self._known(node) is None

    def leave_FormattedStringExpression(
        self,
        original_node: cst.FormattedStringExpression,
        updated_node: cst.FormattedStringExpression,
    ) -> cst.BaseFormattedStringContent:
        known = self._known(original_node)
        if known is None:
            return updated_node
        return cst.FormattedStringText(escaped(known, self.quotes[-1]))

    def _literal(self, node: cst.Name, text: str) -> cst.BaseExpression:
        """A known text within the braces of an f-string, where Python takes no backslash."""
        for quote in ("'", '"'):
            plain = text.isprintable() and "\\" not in text and quote not in text
            if plain and all(quote not in around for around in self.quotes):
                return cst.SimpleString(f"{quote}{text}{quote}")
        raise self.lowering.refuse(
            "unsupported-syntax",
            f"`{node.value}` in this f-string is not supported",
            node,
            help="build the message in a statement before",
        )

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        value = self.lowering.frame.names.get(original_node.value)
        if not isinstance(value, Var | Const):
            return updated_node
        if self.quotes and isinstance(value, Const) and isinstance(value.value, str):
            return self._literal(original_node, value.value)
        if isinstance(value, Var):
            value = now(self.lowering, value, original_node)
        if value not in self.found:
            self.found.append(value)
        return cst.Name(placeholder(self.found.index(value)))

    def leave_Attribute(
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.Attribute:
        return updated_node.with_changes(attr=original_node.attr)

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        return updated_node.with_changes(keyword=original_node.keyword)


def _refines(lowering: Lowering, test: cst.BaseExpression) -> bool:
    """Whether the test only says that a parameter is not of some type; the parameter then gets that
    type.
    """
    if lowering.outer:
        return False  # not every call comes here
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        return all(_is_number_check(lowering, part) for part in _conjuncts(test.expression))
    if not isinstance(test, cst.Comparison) or len(test.comparisons) != 1:
        return False
    left, comparison = test.left, test.comparisons[0]
    if not isinstance(comparison.operator, cst.NotEqual) or len(lowering.frames) > 1:
        return False
    if isinstance(left, cst.Call) and lowering.code(left.func).endswith(".result_type"):
        var = _parameter(lowering, left.args[0].value)
        return var is not None and _refine(lowering, var, "dtype", comparison.comparator)
    if _is_keys_check(lowering, left, comparison.comparator):
        return True
    if not isinstance(left, cst.Attribute):
        return _equal_sizes(lowering, left, comparison.comparator, test)
    var = _parameter(lowering, left.value)
    if var is None:
        return False
    try:
        return _refine(lowering, var, left.attr.value, comparison.comparator)
    except TypeProblem as problem:
        raise lowering.refuse(problem.name, str(problem), test, help=problem.help) from None


def _is_keys_check(lowering: Lowering, left: cst.BaseExpression, right: cst.BaseExpression) -> bool:
    """`p.keys() != {"a", "b"}`, where p has these keys."""
    if not isinstance(left, cst.Call) or not isinstance(right, cst.Set):
        return False
    if not isinstance(left.func, cst.Attribute) or left.func.attr.value != "keys":
        return False
    container = lower_expression(lowering, left.func.value)
    keys = {ast.literal_eval(lowering.code(element.value)) for element in right.elements}
    return isinstance(container, Structure) and set(container.keys) == keys


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


__all__ = ["guard", "raise_if"]
