"""The type of an unannotated parameter, from how the function uses it.

Subscripted, with array attributes or methods, reduced, or an operand of `@`: an array of unknown rank. Used as an index, in
`range` or as an axis: an integer. Otherwise a float.
"""

from __future__ import annotations

import libcst as cst

from s2s_ad.types import FLOAT, INT, Array, Type

ARRAY_ATTRIBUTES = frozenset(
    "T shape ndim size dtype sum mean max min prod var std dot reshape ravel flatten transpose swapaxes copy astype "
    "squeeze argmax argmin cumsum cumprod trace diagonal repeat clip sort flat fill".split()
)
ARRAY_FUNCTIONS = frozenset(
    "sum mean max min amax amin prod var std dot inner outer vdot einsum tensordot reshape ravel transpose swapaxes "
    "concatenate stack expand_dims squeeze broadcast_to linalg norm solve cumsum cumprod len shape zeros_like ones_like "
    "full_like diff sort argmax argmin matmul average median trapezoid trace diag roll flip tile repeat copy".split()
)


def type_by_use(function: cst.FunctionDef | cst.Lambda, name: str) -> Type:
    """What the uses of a parameter say about its type."""
    finder = _Uses(name)
    function.body.visit(finder)
    if finder.is_array:
        return Array("f64", None)
    return INT if finder.is_index else FLOAT


class _Uses(cst.CSTVisitor):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.is_array = False
        self.is_index = False

    def _is_it(self, node: cst.CSTNode) -> bool:
        return isinstance(node, cst.Name) and node.value == self.name

    def visit_Subscript(self, node: cst.Subscript) -> None:
        if self._is_it(node.value):
            self.is_array = True
        for element in node.slice:
            part = element.slice
            bounds = [part.value] if isinstance(part, cst.Index) else [part.lower, part.upper, part.step]  # type: ignore[attr-defined]
            self.is_index = self.is_index or any(bound is not None and self._within(bound) for bound in bounds)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        if self._is_it(node.value) and node.attr.value in ARRAY_ATTRIBUTES:
            self.is_array = True

    def visit_BinaryOperation(self, node: cst.BinaryOperation) -> None:
        if isinstance(node.operator, cst.MatrixMultiply) and (self._is_it(node.left) or self._is_it(node.right)):
            self.is_array = True

    def visit_Call(self, node: cst.Call) -> None:
        function = node.func
        last = function.attr.value if isinstance(function, cst.Attribute) else getattr(function, "value", "")
        direct = [argument.value for argument in node.args]
        for argument in list(direct):
            if isinstance(argument, cst.Tuple | cst.List) and last in ("concatenate", "stack"):
                direct += [element.value for element in argument.elements]
        if last in ARRAY_FUNCTIONS and any(self._is_it(argument) for argument in direct):
            self.is_array = True
        if last == "range" and any(self._within(argument) for argument in direct):
            self.is_index = True

    def _within(self, node: cst.CSTNode) -> bool:
        """Whether the name takes part in an index by itself or in integer arithmetic."""
        if self._is_it(node):
            return True
        if isinstance(node, cst.BinaryOperation):
            return self._within(node.left) or self._within(node.right)
        return isinstance(node, cst.UnaryOperation) and self._within(node.expression)
