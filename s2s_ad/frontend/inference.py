"""The type of an unannotated parameter, from how the function uses it.

Subscripted, with array attributes or methods, an operand of `@`: an array of unknown rank. So is
what meets such an array, or goes through arithmetic into a reduction: it may be an array, and code
for unknown rank is right for a number too. Used as an index, in `range` or as a size: an integer.
Unpacked into k names: k floats. Otherwise a float.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from s2s_ad.types import FLOAT, INT, Array, Size, Type

ARRAY_ATTRIBUTES = frozenset(
    [
        "T",
        "shape",
        "ndim",
        "size",
        "dtype",
        "sum",
        "mean",
        "max",
        "min",
        "prod",
        "var",
        "std",
        "dot",
        "reshape",
        "ravel",
        "flatten",
        "transpose",
        "swapaxes",
        "copy",
        "astype",
        "squeeze",
        "argmax",
        "argmin",
        "cumsum",
        "cumprod",
        "trace",
        "diagonal",
        "repeat",
        "clip",
        "sort",
        "flat",
        "fill",
    ]
)
# Functions that are called with arrays
ARRAY_FUNCTIONS = frozenset(
    [
        "sum",
        "mean",
        "max",
        "min",
        "amax",
        "amin",
        "prod",
        "var",
        "std",
        "dot",
        "inner",
        "outer",
        "vdot",
        "einsum",
        "tensordot",
        "reshape",
        "ravel",
        "transpose",
        "swapaxes",
        "concatenate",
        "stack",
        "expand_dims",
        "squeeze",
        "broadcast_to",
        "norm",
        "solve",
        "cumsum",
        "cumprod",
        "len",
        "shape",
        "zeros_like",
        "ones_like",
        "full_like",
        "diff",
        "sort",
        "argmax",
        "argmin",
        "matmul",
        "average",
        "median",
        "trapezoid",
        "trace",
        "diag",
        "roll",
        "flip",
        "tile",
        "repeat",
        "copy",
    ]
)
BUILTIN_NUMBERS = frozenset(("max", "min", "sum", "abs", "float", "int"))


def type_by_use(function: cst.FunctionDef | cst.Lambda, name: str) -> Type:
    """What the uses of a parameter say about its type."""
    uses = _Uses()
    function.body.visit(uses)
    if name in uses.unpacked:
        return Array("f64", (Size.of(uses.unpacked[name]),))
    if name in uses.indices and name not in uses.subscripted:
        return INT
    return Array("f64", None) if name in _arrays(uses) else FLOAT


def _arrays(uses: _Uses) -> set[str]:
    """The names that may hold arrays: those used as arrays, and those that arithmetic leads from
    them.
    """
    arrays = set(uses.arrays) | set(uses.subscripted)
    while True:
        before = len(arrays)
        for target, value in uses.assigned:
            names = set(_elementwise_names(value))
            if target in arrays or _has_product(value):
                arrays |= names
        if len(arrays) == before:
            return arrays


def _elementwise_names(node: cst.CSTNode) -> Iterator[str]:
    """The names whose shape takes part in the shape of an expression."""
    if isinstance(node, cst.Name):
        yield node.value
    elif isinstance(node, cst.BinaryOperation):
        if not isinstance(node.operator, cst.MatrixMultiply):
            yield from _elementwise_names(node.left)
            yield from _elementwise_names(node.right)
    elif isinstance(node, cst.UnaryOperation):
        yield from _elementwise_names(node.expression)
    elif isinstance(node, cst.Comparison):
        yield from _elementwise_names(node.left)
        for comparison in node.comparisons:
            yield from _elementwise_names(comparison.comparator)
    elif isinstance(node, cst.Call) and _called(node) not in ARRAY_FUNCTIONS:
        for argument in node.args:
            yield from _elementwise_names(argument.value)


def _has_product(node: cst.CSTNode) -> bool:
    """Whether an elementwise expression has a matrix product among its operands."""
    if isinstance(node, cst.BinaryOperation):
        if isinstance(node.operator, cst.MatrixMultiply):
            return True
        return _has_product(node.left) or _has_product(node.right)
    if isinstance(node, cst.UnaryOperation):
        return _has_product(node.expression)
    if isinstance(node, cst.Call):
        if _called(node) in ("dot", "matmul"):
            return True
        return _called(node) not in ARRAY_FUNCTIONS and any(
            _has_product(argument.value) for argument in node.args
        )
    return False


def _called(node: cst.Call) -> str:
    function = node.func
    return (
        function.attr.value
        if isinstance(function, cst.Attribute)
        else getattr(function, "value", "")
    )


class _Uses(cst.CSTVisitor):
    """What a body does with names."""

    def __init__(self) -> None:
        super().__init__()
        self.arrays: set[str] = set()
        self.subscripted: set[str] = set()
        self.indices: set[str] = set()
        self.unpacked: dict[str, int] = {}
        self.assigned: list[tuple[str, cst.BaseExpression]] = []

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            self._bound(target.target, node.value)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._bound(node.target, node.value)

    def _bound(self, target: cst.CSTNode, value: cst.BaseExpression) -> None:
        if isinstance(target, cst.Name):
            self.assigned.append((target.value, value))
        elif isinstance(target, cst.Tuple) and isinstance(value, cst.Name):
            self.unpacked[value.value] = len(target.elements)

    def visit_Return(self, node: cst.Return) -> None:
        if node.value is not None:
            self.assigned.append(("return", node.value))

    def visit_Subscript(self, node: cst.Subscript) -> None:
        if isinstance(node.value, cst.Name):
            self.subscripted.add(node.value.value)
        for element in node.slice:
            part = element.slice
            bounds: list[cst.BaseExpression | None] = []
            if isinstance(part, cst.Index):
                bounds = [part.value]
            elif isinstance(part, cst.Slice):
                bounds = [part.lower, part.upper, part.step]
            for bound in bounds:
                if bound is not None:
                    self.indices.update(_integer_names(bound))

    def visit_Attribute(self, node: cst.Attribute) -> None:
        if isinstance(node.value, cst.Name) and node.attr.value in ARRAY_ATTRIBUTES:
            self.arrays.add(node.value.value)

    def visit_BinaryOperation(self, node: cst.BinaryOperation) -> None:
        if isinstance(node.operator, cst.MatrixMultiply):
            for side in (node.left, node.right):
                self.arrays.update(_elementwise_names(side))
        elif _has_product(node):
            self.arrays.update(_elementwise_names(node))

    def visit_Call(self, node: cst.Call) -> None:
        function = _called(node)
        if isinstance(node.func, cst.Name) and function in BUILTIN_NUMBERS:
            return
        arguments: list[cst.BaseExpression] = [
            argument.value for argument in node.args if argument.keyword is None
        ]
        if function in ("concatenate", "stack", "hstack", "vstack"):
            for argument in list(arguments):
                if isinstance(argument, cst.Tuple | cst.List):
                    arguments += [element.value for element in argument.elements]
        if function in ARRAY_FUNCTIONS:
            for argument in arguments:
                self.arrays.update(_elementwise_names(argument))
        if function in ("range", "reshape", "arange"):
            start = 0 if function != "reshape" or _is_method(node) else 1
            for argument in arguments[start:]:
                self.indices.update(_integer_names(argument))
        if function in ("zeros", "ones", "empty", "ndarray", "full", "eye") and arguments:
            self.indices.update(_integer_names(arguments[0]))


def _is_method(node: cst.Call) -> bool:
    """Whether a call is one of an array's method: `x.reshape`, not `np.reshape`."""
    function = node.func
    of_numpy = isinstance(function, cst.Attribute) and getattr(function.value, "value", "") in (
        "np",
        "numpy",
    )
    return isinstance(function, cst.Attribute) and not of_numpy


def _integer_names(node: cst.CSTNode) -> Iterator[str]:
    """Names that are an index by themselves or in integer arithmetic."""
    if isinstance(node, cst.Name):
        yield node.value
    elif isinstance(node, cst.Tuple | cst.List):
        for element in node.elements:
            yield from _integer_names(element.value)
    elif isinstance(node, cst.BinaryOperation):
        yield from _integer_names(node.left)
        yield from _integer_names(node.right)
    elif isinstance(node, cst.UnaryOperation):
        yield from _integer_names(node.expression)
