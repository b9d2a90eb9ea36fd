"""Operations that users declare, with the same texts as the catalogue's own.

`declare("out = mylib.softplus(x)", "grad_x += grad_out / (1.0 + np.exp(-x))")` gives a function of
a library a derivative; with a bare name it does so for a function of the user's own file, whose
text is then copied into generated modules. A file that is read and not run is searched for such
calls with literal texts.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from s2s_ad.ir import Operation, Rule
from s2s_ad.operations.declare import evaluation_names, parse_form
from s2s_ad.operations.linearity import NotLinear, check_linear
from s2s_ad.operations.result_types import Infer, elementwise_type, same_as

RESULTS = ("float", "arithmetic", "bool")


@dataclass
class Declarations:
    """Declared operations by dotted name, and by the functions they stand for."""

    by_name: dict[str, Operation] = field(default_factory=dict)
    by_function: dict[object, Operation] = field(default_factory=dict)
    solvers: dict[object, tuple[str, Callable[..., Any]]] = field(default_factory=dict)


DECLARED = Declarations()
"""What `declare` has been told in this process."""


def make_operation(form: str, lines: tuple[str, ...], result: str = "float") -> Operation:
    """An operation from its texts. Raises ValueError where they do not have the form of a rule.

    `result` is "float", "arithmetic" or "bool" for a function that works element by element, or
    "like x" for one whose result has the type of its operand x.
    """
    try:
        parsed = parse_form(form)
        statements = [ast.parse(line).body for line in lines]
    except SyntaxError as problem:
        raise ValueError(f"not Python: {problem.text or form}") from None
    if not parsed.call or any(name.startswith("*") for name in parsed.parameters):
        raise ValueError(f"declare a call of named operands, `out = f(x, y)`, not `{form}`")
    for line, body in zip(lines, statements, strict=True):
        match body:
            case [ast.AugAssign(target=ast.Name(id=target), op=ast.Add())]:
                written = target.removeprefix("grad_")
            case _:
                raise ValueError(f"a line has the form `grad_x += ...`, not `{line}`")
        if written not in parsed.parameters or written == target:
            raise ValueError(f"`{target}` is not the adjoint of an operand of `{form}`")
        try:
            check_linear(line)
        except NotLinear as problem:
            raise ValueError(str(problem)) from None
    infer, elementwise = _result_type(result, parsed.parameters)
    name = parsed.name.removeprefix("builtins.").removeprefix("helper.")
    return Operation(
        name=name,
        parameters=parsed.parameters,
        evaluate=_evaluation(form),
        infer=infer,
        call=parsed.call,
        defaults=parsed.defaults,
        rules=(Rule(lines),) if lines else (),
        elementwise=elementwise,
        constant=not lines,
        declared=True,
        module=name.rpartition(".")[0],
    )


def _result_type(result: str, parameters: tuple[str, ...]) -> tuple[Infer, bool]:
    if result in RESULTS:
        return elementwise_type(result), True
    like = re.fullmatch(r"like (\w+)", result)
    if like is None or like[1] not in parameters:
        raise ValueError(f"result is one of {', '.join(RESULTS)} or `like x`, not `{result}`")
    return same_as(parameters.index(like[1])), False


def _evaluation(form: str) -> Callable[..., Any]:
    """Imports the library when the operation is run by `interpret`, not before."""

    def evaluate(*operands: Any) -> Any:
        parsed = parse_form(form)
        module = parsed.name.rpartition(".")[0]
        names = evaluation_names()
        if module not in ("builtins", "numpy", "math"):
            names[module.split(".")[0]] = importlib.import_module(module.split(".")[0])
        call = form.partition("=")[2]
        return eval(call, names | dict(zip(parsed.parameters, operands, strict=True)))

    return evaluate


def declare(
    form: str, *lines: str, result: str = "float", function: Callable[..., Any] | None = None
) -> None:
    """Tell the compiler the derivative of a function.

    `form` is a call, `out = mylib.softplus(x)`; each line adds to the adjoint of an operand and may
    read the operands, `out` and `grad_out` (`grad_x += grad_out * out`). Without lines the function
    is constant. By default it works element by element on broadcast operands and gives floats;
    `result="like x"` says that the result has the shape and dtype of `x` instead.

    A bare name (`out = sigmoid(x)`) means the function of that name where `declare` is called, or
    `function`. Raises ValueError where the texts do not have this form.
    """
    op = make_operation(form, lines, result)
    if op.module:
        DECLARED.by_name[op.name] = op
        return
    if function is None:
        frame = inspect.currentframe()
        outer = frame.f_back if frame is not None else None
        function = (outer.f_locals | outer.f_globals).get(op.name) if outer is not None else None
    if function is None:
        raise ValueError(f"`{op.name}` is not defined here: pass it as `function=`")
    source = ""
    if isinstance(function, types.FunctionType):
        try:
            source = textwrap.dedent(inspect.getsource(function))
        except (OSError, TypeError):
            raise ValueError(f"the source of `{op.name}` cannot be found") from None
    DECLARED.by_function[function] = replace(op, evaluate=function, source=self_contained(source))


SOLVED = ("root", "fixed_point", "minimum")
"""What a solver may have found; the keywords of `implicit`."""
FOUND = re.compile(r"`\w+` itself; it finds the (root|fixed point|minimum) of `(\w+)`\.")
"""The docstring of a solver in a generated module, from which it is known again."""


def solver_docstring(name: str, kind: str, equation: str) -> str:
    return f"`{name}` itself; it finds the {kind.replace('_', ' ')} of `{equation}`."


IMPLICIT_NAME = "s2s_ad.implicit"
Solving = TypeVar("Solving", bound=Callable[..., Any])


def implicit(
    *,
    root: Callable[..., Any] | None = None,
    fixed_point: Callable[..., Any] | None = None,
    minimum: Callable[..., Any] | None = None,
) -> Callable[[Solving], Solving]:
    """Say what a solver finds: its derivative is that of the solution, not of the way to it.

    `@implicit(root=residual)` above `def solve(p, x0)` says that `residual(x, p)` is zero for what
    `solve(p, x0)` gives; `fixed_point=step` that `step(x, p)` is x, `minimum=energy` that
    `energy(x, p)` is least. The first parameter of that function is x, the others have the names
    of parameters of the solver. What it has no parameter for, such as `x0`, does not move the
    solution. The decorated function is the function itself. Raises TypeError unless exactly one is
    given.
    """
    given = [
        (kind, function)
        for kind, function in zip(SOLVED, (root, fixed_point, minimum), strict=True)
        if function is not None
    ]
    if len(given) != 1:
        raise TypeError("implicit() takes one of root=, fixed_point= and minimum=")

    def decorate(solver: Solving) -> Solving:
        DECLARED.solvers[solver] = given[0]
        return solver

    return decorate


def self_contained(source: str, imports: Mapping[str, str] | None = None) -> str:
    """The text of a function that is to be copied. Raises ValueError if it needs anything else.

    It may use NumPy and `math` under their usual names, or as `imports` says.
    """
    tree = ast.parse(source)
    if not (len(tree.body) == 1 and isinstance(tree.body[0], ast.FunctionDef)):
        raise ValueError("only a function made by `def` can be copied into generated modules")
    known = {"np": "numpy", "math": "math", **(imports or {})}
    bound = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    }
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)} | {
        tree.body[0].name
    }
    builtin_names = set(dir(__import__("builtins")))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name) or node.id in bound | builtin_names:
            continue
        if known.get(node.id) not in ("numpy", "math"):
            raise ValueError(f"it uses `{node.id}`, which a generated module does not have")
    tree.body[0].decorator_list = []
    return source.strip("\n")
