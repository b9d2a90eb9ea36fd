"""One declaration per operation, in the very Python that will be pasted into generated modules.

`elementwise("out = np.sin(x)", "grad_x += grad_out * np.cos(x)")` gives the operation's name, its
operands, how it is called, typed and printed, and its derivative. The form is read once with `ast`;
the lines are read by `frontend/lower.py` when first needed, as the user's own code is. A catalogue
is a dict from names to operations; each file of this package makes its part, and
`operations/__init__.py` joins them.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from s2s_ad.ir import Atom, Operation, Rule
from s2s_ad.operations import helpers
from s2s_ad.operations.result_types import Infer, elementwise_type, integer_value, same_as
from s2s_ad.types import Size

MODULES = {"np": "numpy", "math": "math"}
OF_MODULES = frozenset(
    {"np", "npt", "numpy", "math", "scipy", "builtins", "warnings", "NUMBER", "INTEGER"}
)
SCIPY = ("scipy.integrate", "scipy.linalg", "scipy.signal", "scipy.special", "scipy.stats")
INFIX = {
    ast.Add: ("+", 11),
    ast.Sub: ("-", 11),
    ast.Mult: ("*", 12),
    ast.Div: ("/", 12),
    ast.FloorDiv: ("//", 12),
    ast.Mod: ("%", 12),
    ast.MatMult: ("@", 12),
    ast.Pow: ("**", 14),
    ast.BitAnd: ("&", 9),
    ast.BitOr: ("|", 7),
    ast.BitXor: ("^", 8),
    ast.Lt: ("<", 6),
    ast.LtE: ("<=", 6),
    ast.Gt: (">", 6),
    ast.GtE: (">=", 6),
    ast.Eq: ("==", 6),
    ast.NotEq: ("!=", 6),
}
PREFIX = {ast.USub: ("-", 13), ast.Not: ("not ", 5), ast.Invert: ("~", 13), ast.UAdd: ("+", 13)}


UFUNCS = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "//": np.floor_divide,
    "%": np.remainder,
    "**": np.power,
    "-x": np.negative,
    "+x": np.positive,
    "~x": np.invert,
    "&": np.bitwise_and,
    "|": np.bitwise_or,
    "^": np.bitwise_xor,
    "abs": np.absolute,
}


def ufunc_of(name: str) -> np.ufunc | None:
    """The ufunc that an operation calls, which knows its dtypes."""
    module, _, rest = name.rpartition(".")
    found = getattr(np, rest, None) if module == "numpy" else UFUNCS.get(rest)
    return found if isinstance(found, np.ufunc) else None


@dataclass
class Form:
    """What the text of a form says: `out = np.sum(x, axis=None)`."""

    name: str
    parameters: tuple[str, ...]
    evaluate: Callable[..., Any]
    call: str = ""
    template: str = ""
    precedence: int = 16
    defaults: dict[str, Any] = field(default_factory=dict)
    results: tuple[str, ...] = ()


@dataclass
class Catalogue:
    """The operations of one file, by name; `methods` are array methods that spell one of them."""

    operations: dict[str, Operation] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)

    def operation(
        self,
        form: str,
        *lines: str,
        infer: Infer,
        rules: Iterable[Rule] = (),
        also: Iterable[str] = (),
        method: str = "",
        name: str = "",
        **properties: Any,
    ) -> Operation:
        """Declare an operation. `lines` hold for every operand; `rules` with a guard are tried
        before them.

        `also` are further names of the same function; `method` is the array method that takes the
        same arguments.
        """
        parsed = parse_form(form)
        all_rules = (*rules, Rule(lines)) if lines else tuple(rules)
        op = Operation(
            name=name or parsed.name,
            parameters=parsed.parameters,
            evaluate=properties.pop("evaluate", parsed.evaluate),
            infer=infer,
            call=parsed.call,
            template=parsed.template,
            precedence=parsed.precedence,
            defaults=parsed.defaults,
            results=parsed.results,
            rules=all_rules,
            **properties,
        )
        self.add(op)
        for other in also:
            self.operations[other] = op
        if method:
            self.methods[method] = op.name
        return op

    def elementwise(
        self,
        form: str,
        *lines: str,
        result: str = "float",
        value: Callable[..., Size | None] | None = None,
        **properties: Any,
    ) -> Operation:
        """Declare an operation that works element by element on broadcast operands.

        `result` says which dtype comes out where NumPy does not: "float", "arithmetic", "divide",
        "bool" (see `elementwise_type`); `value` is the same function of integers of known value.
        """
        is_operator = not form.partition("=")[2].strip().endswith(")")
        ufunc = ufunc_of(parse_form(form).name)
        plain = elementwise_type(
            result, of_numbers="number" if is_operator else "scalar", ufunc=ufunc
        )
        properties.setdefault("infer", plain if value is None else integer_value(plain, value))
        return self.operation(
            form,
            *lines,
            elementwise=True,
            constant=not lines and "rules" not in properties,
            **properties,
        )

    def scalar_function(
        self, form: str, *lines: str, result: str = "float", **properties: Any
    ) -> Operation:
        """Declare a function of Python numbers such as `math.exp`, which takes no arrays."""
        infer = elementwise_type(result, of_numbers="number", scalars_only=True)
        return self.operation(
            form, *lines, infer=infer, elementwise=True, constant=not lines, **properties
        )

    def add(self, op: Operation) -> None:
        if op.name in self.operations:
            raise ValueError(f"operation {op.name} is declared twice")
        self.operations[op.name] = op

    def join(self, other: Catalogue) -> None:
        for name, op in other.operations.items():
            if name in self.operations:
                raise ValueError(f"operation {name} is declared twice")
            self.operations[name] = op
        self.methods.update(other.methods)


@cache
def parse_form(form: str) -> Form:
    """Read `out = <expression>`: the operands are its names, in the order in which they stand.

    A call with several results names them: `Q, R = np.linalg.qr(a)`.
    """
    expression = ast.parse(form).body[0]
    assert isinstance(expression, ast.Assign), form
    results = expression.targets[0]
    if isinstance(results, ast.Tuple):
        names = tuple(ast.unparse(result) for result in results.elts)
        assert isinstance(expression.value, ast.Call), form
        return replace(
            _parse_call(expression.value, ast.unparse(expression.value.func)), results=names
        )
    node = expression.value
    match node:
        case ast.Call(func=function):
            return _parse_call(node, ast.unparse(function))
        case ast.BinOp(left=ast.Name(left), op=op, right=ast.Name(right)):
            symbol, precedence = INFIX[type(op)]
            return _template(node, symbol, f"{{0}} {symbol} {{1}}", precedence, (left, right))
        case ast.Compare(left=ast.Name(left), ops=[compare], comparators=[ast.Name(right)]):
            symbol, precedence = INFIX[type(compare)]
            return _template(node, symbol, f"{{0}} {symbol} {{1}}", precedence, (left, right))
        case ast.UnaryOp(op=unary, operand=ast.Name(operand)):
            symbol, precedence = PREFIX[type(unary)]
            return _template(node, f"{symbol.strip()}x", f"{symbol}{{0}}", precedence, (operand,))
        case ast.Subscript(value=ast.Name(base), slice=ast.Name(index)):
            return _template(node, "getitem", "{0}[{1}]", 16, (base, index))
        case ast.Subscript(
            value=ast.Attribute(value=ast.Name(base), attr=attribute), slice=ast.Name(index)
        ):
            return _template(
                node, f"ndarray.{attribute}[]", f"{{0}}.{attribute}[{{1}}]", 16, (base, index)
            )
        case ast.Attribute(value=ast.Name(base), attr=attribute):
            return _template(node, f"ndarray.{attribute}", f"{{0}}.{attribute}", 16, (base,))
    raise ValueError(f"not a form: {form}")


def _template(
    node: ast.expr, name: str, template: str, precedence: int, parameters: tuple[str, ...]
) -> Form:
    def source() -> str:
        return f"lambda {', '.join(parameters)}: {ast.unparse(node)}"

    return Form(name, parameters, _evaluate(source), template=template, precedence=precedence)


def _parse_call(node: ast.Call, function: str) -> Form:
    module, dot, rest = function.partition(".")
    name = f"{MODULES.get(module, module)}.{rest}" if dot else _bare_name(function)
    parameters: list[str] = []
    bracket = ""
    for argument in node.args:
        match argument:
            case ast.Name(id=parameter):
                parameters.append(parameter)
            case ast.Starred(value=ast.Name(id=parameter)):
                parameters.append("*" + parameter)
            case ast.Tuple(elts=[ast.Starred(value=ast.Name(id=parameter))]):
                parameters.append("*" + parameter)
                bracket = "("
            case ast.List(elts=[ast.Starred(value=ast.Name(id=parameter))]):
                parameters.append("*" + parameter)
                bracket = "["
            case _:
                raise ValueError(f"not an operand: {ast.unparse(argument)}")
    defaults = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
    parameters += defaults
    return Form(
        name,
        tuple(parameters),
        _evaluate(lambda: _call_source(node, parameters)),
        call=function + bracket,
        defaults=defaults,
    )


def _call_source(node: ast.Call, parameters: Sequence[str]) -> str:
    """The text of a function of the operands that makes the call of a form."""
    # in the form, `axis=None` states the default; when it is evaluated the operand goes there
    keywords = [
        ast.keyword(arg=keyword.arg, value=ast.Name(id=str(keyword.arg), ctx=ast.Load()))
        for keyword in node.keywords
    ]
    called = ast.Call(func=node.func, args=node.args, keywords=keywords)
    text = ast.unparse(ast.fix_missing_locations(called))
    starred = next((k for k, parameter in enumerate(parameters) if parameter.startswith("*")), None)
    if starred is None:
        return f"lambda {', '.join(parameters)}: {text}"
    names = [parameter.lstrip("*") for parameter in parameters]
    after = len(parameters) - starred - 1
    group = f"values[{starred}:len(values) - {after}]"
    picks = (
        [f"values[{k}]" for k in range(starred)]
        + [group]
        + [f"values[{k - after}]" for k in range(after)]
    )
    return f"lambda *values: (lambda {', '.join(names)}: {text})({', '.join(picks)})"


def _bare_name(function: str) -> str:
    return f"helper.{function}" if hasattr(helpers, function) else f"builtins.{function}"


def _evaluate(source: Callable[[], str]) -> Callable[..., Any]:
    """Written and compiled on first call: most operations are never run by the compiler."""
    compiled: list[Callable[..., Any]] = []

    def evaluate(*operands: Any) -> Any:
        if not compiled:
            text = source()  # the catalogue's own
            compiled.append(eval(text, evaluation_names(with_scipy="scipy." in text)))
        return compiled[0](*operands)

    return evaluate


@cache
def helper_source(name: str) -> str:
    """The text of a function of `helpers.py`, as it is copied into generated modules."""
    return inspect.getsource(getattr(helpers, name))


def is_taken(name: str) -> bool:
    """Whether a generated module may use a name for something of its own: a builtin, a helper, an
    import.
    """
    return name in OF_MODULES or hasattr(builtins, name) or hasattr(helpers, name)


def evaluation_names(with_scipy: bool = False) -> dict[str, Any]:
    """What the text of declarations may refer to. SciPy is loaded only when it is needed."""
    names: dict[str, Any] = {"np": np, "math": math}
    if with_scipy:
        for module in SCIPY:
            importlib.import_module(module)
        names["scipy"] = importlib.import_module("scipy")
    names.update({name: value for name, value in vars(helpers).items() if not name.startswith("_")})
    return names


def rule(*lines: str, when: Callable[[Sequence[Atom]], bool] | None = None) -> Rule:
    """Lines that hold when the guard does."""
    return Rule(lines, when)


__all__ = ["Catalogue", "elementwise_type", "evaluation_names", "parse_form", "rule", "same_as"]
