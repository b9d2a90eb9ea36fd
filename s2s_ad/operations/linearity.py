"""Whether a line of a rule is linear in the adjoint that it reads, as far as its text tells.

What is surely not linear is found: products and powers of the adjoint, something added to it,
comparisons, elementwise functions of it. Of functions that are not known here nothing is said.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

# Elementwise functions that are operators by another name
OPERATORS: dict[str, type[ast.operator]] = {
    "add": ast.Add,
    "subtract": ast.Sub,
    "multiply": ast.Mult,
    "divide": ast.Div,
    "true_divide": ast.Div,
    "matmul": ast.MatMult,
    "dot": ast.MatMult,
    "vdot": ast.MatMult,
    "inner": ast.MatMult,
    "outer": ast.MatMult,
}
LINEAR = frozenset(
    {"negative", "positive", "real", "conj", "conjugate", "deg2rad", "rad2deg", "ldexp"}
)
NOT_LINEAR = frozenset({"abs", "max", "min", "pow", "round"})  # builtins
SHAPE_ONLY = frozenset({"shape", "ndim", "size", "zeros_like", "ones_like", "len", "empty_like"})


class NotLinear(Exception):
    """The text is not linear in the adjoint; the message is the part that is not."""


def check_linear(line: str, adjoint: str = "grad_out") -> None:
    """Raise NotLinear if the right side of `grad_x += ...` is surely not linear in the adjoint."""
    (statement,) = ast.parse(line).body
    assert isinstance(statement, ast.AugAssign)
    if _Degree(adjoint).of(statement.value) == 0 and not _is_zero(statement.value):
        raise NotLinear(f"`{ast.unparse(statement.value)}` does not depend on `{adjoint}`")


@dataclass(frozen=True)
class _Degree:
    """The degree of an expression as a polynomial in the adjoint: 0 or 1."""

    adjoint: str

    def of(self, node: ast.expr) -> int:
        match node:
            case ast.Name(id=name):
                return int(name == self.adjoint)
            case ast.BinOp(left=left, op=op, right=right):
                return self.binary(node, op, left, right)
            case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
                return self.of(operand)
            case ast.Subscript(value=value, slice=index):
                return self.of(value) + self.constant(index, node)
            case ast.Attribute(value=value, attr=name):
                return 0 if name in ("shape", "ndim", "size", "dtype") else self.of(value)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.constant(test, node) + self.sum(node, body, orelse)
            case ast.Call():
                return self.call(node)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return max((self.of(item) for item in items), default=0)
        inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        return sum(self.constant(child, node) for child in inner)

    def constant(self, node: ast.expr, whole: ast.expr) -> int:
        """The degree of a part that must not depend on the adjoint."""
        if self.of(node):
            raise self.problem(whole)
        return 0

    def binary(self, node: ast.expr, op: ast.operator, left: ast.expr, right: ast.expr) -> int:
        if isinstance(op, ast.Add | ast.Sub):
            return self.sum(node, left, right)
        if isinstance(op, ast.Mult | ast.MatMult):
            degree = self.of(left) + self.of(right)
            if degree > 1:
                raise self.problem(node)
            return degree
        degree = self.of(left) + self.constant(right, node)
        if degree and not isinstance(op, ast.Div):
            raise self.problem(node)
        return degree

    def sum(self, node: ast.expr, *terms: ast.expr) -> int:
        """The degree of terms that are added, or of which one is taken: one for all but zeros."""
        degrees = {self.of(term) for term in terms if not _is_zero(term)}
        if len(degrees) > 1:
            raise self.problem(node)
        return max(degrees, default=0)

    def call(self, node: ast.Call) -> int:
        name = ast.unparse(node.func).rpartition(".")[2]
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        is_method = isinstance(node.func, ast.Attribute) and self.of(node.func.value) == 1
        if name in SHAPE_ONLY:
            return 0
        if name in OPERATORS and len(node.args) == 2:
            return self.binary(node, OPERATORS[name](), *node.args)
        if name == "where" and len(node.args) == 3:
            return self.constant(node.args[0], node) + self.sum(node, *node.args[1:])
        degrees = [self.of(argument) for argument in arguments]
        if any(degrees) and name not in LINEAR and _is_elementwise(node):
            raise self.problem(node)
        return int(is_method or any(degrees))

    def problem(self, node: ast.expr) -> NotLinear:
        return NotLinear(f"`{ast.unparse(node)}` is not linear in `{self.adjoint}`")


def _is_elementwise(node: ast.Call) -> bool:
    """Whether a call is one of an elementwise function of the catalogue, with a derivative."""
    from s2s_ad.operations import catalogue

    text = ast.unparse(node.func)
    if text in NOT_LINEAR:
        return True
    name = "numpy." + text.removeprefix("np.") if text.startswith("np.") else text
    op = catalogue().operations.get(name)
    return op is not None and op.elementwise


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0


__all__ = ["NotLinear", "check_linear"]
