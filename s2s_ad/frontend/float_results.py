"""Whether all results of a function are surely floats, judged by its text.

`np.vectorize` and `np.apply_along_axis` take the type of all results from the first one: if that is
an integer, NumPy cuts off the fractions of the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from s2s_ad.frontend.source import walk
from s2s_ad.frontend.values import UserFunction

FLOATS_OF_ALL = frozenset(
    [
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "arcsin",
        "arccos",
        "arctan",
        "arctan2",
        "asin",
        "acos",
        "atan",
        "atan2",
        "exp",
        "expm1",
        "exp2",
        "log",
        "log1p",
        "log2",
        "log10",
        "sqrt",
        "float",
        "float64",
        "hypot",
        "erf",
        "logaddexp",
        "mean",
        "std",
        "var",
        "norm",
        "median",
    ]
)
"""Functions that give floats for integers, too; if a program has its own, they may not."""
FLOATS_OF_FLOATS = frozenset(
    [
        "abs",
        "fabs",
        "absolute",
        "square",
        "max",
        "min",
        "sum",
        "power",
        "prod",
        "cumsum",
        "sort",
        "dot",
    ]
)
FLOATS_OF_ONE = frozenset(("maximum", "minimum", "clip"))
BRANCHES = (cst.If, cst.IfExp, cst.BooleanOperation, cst.While, cst.For, cst.Match, cst.Call)
BINDING = (cst.For, cst.CompFor, cst.NamedExpr)  # what binds names besides assignments


def gives_floats(function: UserFunction, float_parameters: bool) -> bool:
    """Whether each result is surely a float; or all are of one type, for want of branches."""
    node = function.node
    if not any(isinstance(each, BRANCHES) for each in walk(node.body)):
        return True
    names = [parameter.name.value for parameter in node.params.params]
    text = _Text(node, frozenset(names if float_parameters else ()))
    if isinstance(node, cst.Lambda):
        return text.is_float(node.body)
    returns = (each for each in walk(node.body) if isinstance(each, cst.Return))
    return all(each.value is not None and text.is_float(each.value) for each in returns)


@dataclass(frozen=True)
class _Text:
    """A function, and those of its parameters that are floats."""

    node: cst.FunctionDef | cst.Lambda
    floats: frozenset[str]

    def is_float(self, value: cst.BaseExpression, asked: Collection[str] = ()) -> bool:
        match value:
            case cst.Float():
                return True
            case cst.Name(value=name):
                return name in asked or self._is_float_name(name, (*asked, name))
            case cst.UnaryOperation(operator=cst.Minus() | cst.Plus(), expression=operand):
                return self.is_float(operand, asked)
            case cst.BinaryOperation(operator=cst.Divide()):
                return True
            case cst.BinaryOperation(left=left, right=right):
                return self.is_float(left, asked) or self.is_float(right, asked)
            case cst.IfExp(body=body, orelse=orelse):
                return self.is_float(body, asked) and self.is_float(orelse, asked)
            case cst.Call(func=cst.Attribute(value=base, attr=cst.Name(value=name)), args=[]):
                return name in FLOATS_OF_FLOATS and self.is_float(base, asked)
            case cst.Call(func=cst.Name(value=name) | cst.Attribute(attr=cst.Name(value=name))):
                operands = [self.is_float(argument.value, asked) for argument in value.args]
                if name in FLOATS_OF_ONE:
                    return any(operands)
                return name in FLOATS_OF_ALL or (name in FLOATS_OF_FLOATS and all(operands))
        return False

    def _is_float_name(self, name: str, asked: Collection[str]) -> bool:
        """A parameter, or a name of the function, all of whose values are floats."""
        bound = list(self._values(name))
        is_known = name in self.floats or bool(bound)
        return is_known and all(each is not None and self.is_float(each, asked) for each in bound)

    def _values(self, name: str) -> Iterator[cst.BaseExpression | None]:
        """What is assigned to a name; None stands for what is not seen here."""
        for each in walk(self.node.body):
            if isinstance(each, cst.Assign | cst.AnnAssign):
                targets: Sequence[cst.AssignTarget | cst.AnnAssign] = (
                    each.targets if isinstance(each, cst.Assign) else [each]
                )
                for target in targets:
                    if _is_name(target.target, name):
                        yield each.value
                    elif not isinstance(target.target, cst.Subscript) and any(
                        _is_name(part, name) for part in walk(target)
                    ):
                        yield None
            elif isinstance(each, BINDING) and isinstance(each.target, cst.Name | cst.Tuple):
                if isinstance(each.target, cst.Tuple) or _is_name(each.target, name):
                    yield None
            elif isinstance(each, cst.FunctionDef | cst.Global | cst.Nonlocal):
                yield None


def _is_name(node: cst.CSTNode, name: str) -> bool:
    return isinstance(node, cst.Name) and node.value == name
