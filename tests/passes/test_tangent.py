"""Forward mode against difference quotients and against reverse mode: <J v, w> = <v, J^T w>.

Once for every operation of the catalogue with its samples, with ranks known and unknown and with
each operand moving alone; then for functions in which operations meet: broadcasting, dtypes,
containers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from s2s_ad.check import check
from s2s_ad.diagnostics import DifferentiationError
from s2s_ad.frontend.annotations import TypeReader
from s2s_ad.frontend.lower import lower_function
from s2s_ad.frontend.resolve import FileScope
from s2s_ad.frontend.source import parse_text
from s2s_ad.frontend.values import UserFunction
from s2s_ad.interpret import interpret
from s2s_ad.ir import (
    Assign,
    Atom,
    Block,
    Const,
    Formal,
    Function,
    Operation,
    Structure,
    Var,
    leaves,
    show,
)
from s2s_ad.operations import catalogue
from s2s_ad.passes.adjoint import Request, adjoint
from s2s_ad.passes.save_values import save_values
from s2s_ad.passes.tangent import tangent
from s2s_ad.rewrite import formal_variables
from s2s_ad.types import Array, Items, Scalar, Sizes, TypeProblem, is_float
from tests.operations.samples import Case, differentiable, label, make_case, operations

# Given a vector, an index of rank 2 and a vector of values, `np.add.at` reads past the values.
MISREAD = ("add_at", {"x": "f[5]", "i": "i[2,3]<5", "v": "f[3]"})
CASES = [(op, sample) for op, sample in differentiable() if (op.name, sample) != MISREAD]


# Lowering and running -----------------------------------------------------------------------------


def lower(source: str, **types: str) -> Function:
    """The IR of the function `f` of a text, for parameters of these types."""
    scope = FileScope(parse_text(f"import math\n\nimport numpy as np\n\n\n{source}", "model.py"))
    function = scope.lookup("f")
    assert isinstance(function, UserFunction)
    trees = {name: TypeReader().argument(text) for name, text in types.items()}
    return check(lower_function(function, trees)[0], after="lower")


def single_operation(case: Case, unknown: tuple[str, ...] = ()) -> Function:
    """A function of one statement: an operation, applied to the operands of a sample."""
    atoms = [
        Const(value) if isinstance(value, float) and name not in case.floats else atom
        for (name, value), atom in zip(
            case.values.items(), case.atoms(unknown=unknown), strict=True
        )
    ]
    type = case.op.infer(Sizes(), atoms)
    types = type.items if case.op.results and isinstance(type, Items) else (type,)
    results = tuple(map(Var, case.op.result_names, types))
    lines = " ".join(case.op.rules[-1].lines_for(atoms)) if case.op.results else ""
    known = tuple(result for result in results if f"grad_{result.name}" in lines)
    output = Structure("tuple", case.op.results, known) if case.op.results else results[0]
    parameters = tuple(atom for atom in atoms if isinstance(atom, Var))
    body = Block(parameters, (Assign(results, case.op, tuple(atoms)),), tuple(leaves(output)))
    formals = tuple(Formal(var.name, var) for var in parameters)
    return check(Function("f", formals, body, output), after="lower")


def push(function: Function, wrt: tuple[str, ...], has_aux: bool = False) -> Function:
    return check(tangent(function, wrt, f"jvp_{function.name}", has_aux), after="tangent")


def pull(function: Function, wrt: tuple[str, ...]) -> Function:
    request = Request(wrt=wrt, bare=False, seeded=True)
    derived = check(adjoint(function, request, f"vjp_{function.name}"), after="adjoint")
    return check(save_values(derived), after="save_values")


def moving_leaves(function: Function, wrt: tuple[str, ...]) -> list[Var]:
    """The float variables of the arguments that move, argument by argument."""
    formals = {formal.name: formal for formal in function.formals}
    found = [leaf for name in wrt for leaf in leaves(formals[name].tree)]
    return [leaf for leaf in found if isinstance(leaf, Var) and is_float(leaf.type)]


def flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, tuple | list):
        return [leaf for item in value for leaf in flat(item)]
    return [value]


def floats(value: Any) -> list[Any]:
    return [leaf for leaf in flat(value) if is_floating(leaf)]


def is_floating(value: Any) -> bool:
    return (
        isinstance(value, float | np.ndarray | np.generic) and np.asarray(value).dtype.kind == "f"
    )


def random_like(rng: np.random.Generator, value: Any) -> Any:
    """A random value of the same type."""
    drawn = rng.normal(size=np.shape(value))
    if isinstance(value, np.ndarray):
        return np.asarray(drawn, dtype=value.dtype)
    return value.dtype.type(drawn) if isinstance(value, np.generic) else float(drawn)


def inner(left: Sequence[Any], right: Sequence[Any]) -> float:
    pairs = zip(left, right, strict=True)
    return float(sum(np.sum(np.multiply(a, b, dtype=float)) for a, b in pairs))


# The two comparisons ------------------------------------------------------------------------------


def compare(
    function: Function, values: Sequence[Any], wrt: tuple[str, ...], numerically: bool = True
) -> Function:
    """Check the tangent of `function` at these leaves of its arguments, in a random direction."""
    rng = np.random.default_rng(len(values))
    parameters = list(formal_variables(function.formals))
    places = [parameters.index(leaf) for leaf in moving_leaves(function, wrt)]
    directions = [random_like(rng, values[place]) for place in places]
    derived = push(function, wrt)
    value, moved = interpret(derived, [*values, *directions])
    primal = interpret(function, values)
    assert_like(value, primal)
    for left, right in zip(flat(value), flat(primal), strict=True):
        assert_same(left, right)
    assert_like(moved, value)
    for leaf, dot in zip(leaves(function.output), flat(moved), strict=True):
        if isinstance(leaf.type, Array) and leaf.type.shape is not None:
            assert isinstance(dot, np.ndarray)
    if numerically:
        against_differences(function, values, places, directions, floats(moved))
    against_reverse_mode(function, values, wrt, directions, floats(value), floats(moved))
    return derived


def assert_same(left: Any, right: Any) -> None:
    if isinstance(left, np.ndarray | np.generic | float):
        np.testing.assert_array_equal(left, right)
    else:
        assert left == right


def assert_like(tangents: Any, values: Any) -> None:
    """The structure, shapes and dtypes of the value; nothing that moves where it is no float."""
    if isinstance(values, tuple | list | dict):
        assert type(tangents) is type(values)
    for moved, value in zip(flat(tangents), flat(values), strict=True):
        assert np.shape(moved) == np.shape(value)
        if is_floating(value):
            assert np.asarray(moved).dtype == np.asarray(value).dtype


def against_differences(
    function: Function,
    values: Sequence[Any],
    places: Sequence[int],
    directions: Sequence[Any],
    moved: Sequence[Any],
) -> None:
    """Richardson's extrapolation of central differences."""

    def at(step: float) -> list[Any]:
        shifted = list(values)
        for place, direction in zip(places, directions, strict=True):
            shifted[place] = shifted[place] + step * direction
        return floats(interpret(function, shifted))

    def central(step: float) -> list[Any]:
        pairs = zip(at(step), at(-step), strict=True)
        return [(after - before) / (2.0 * step) for after, before in pairs]

    step = 1e-3
    for got, coarse, fine in zip(moved, central(step), central(step / 2.0), strict=True):
        expected = (4.0 * np.asarray(fine) - coarse) / 3.0
        scale = 1.0 + np.max(np.abs(expected), initial=0.0)
        np.testing.assert_allclose(got, expected, rtol=0.0, atol=1e-7 * scale)


def against_reverse_mode(
    function: Function,
    values: Sequence[Any],
    wrt: tuple[str, ...],
    directions: Sequence[Any],
    results: Sequence[Any],
    moved: Sequence[Any],
) -> None:
    rng = np.random.default_rng(7)
    weights = [random_like(rng, result) for result in results]
    grads = floats(interpret(pull(function, wrt), [*values, *weights]))
    sizes = [np.abs(grad) for grad in grads], [np.abs(direction) for direction in directions]
    is_double = all(np.asarray(leaf).dtype == np.float64 for leaf in (*results, *directions))
    precision = 1e-12 if is_double else 1e-5
    difference = inner(moved, weights) - inner(grads, directions)
    assert abs(difference) <= precision * (1.0 + inner(*sizes))


# The catalogue ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("op", "sample"), CASES, ids=label)
def test_every_sample_of_the_catalogue(op: Operation, sample: dict[str, Any]) -> None:
    case = make_case(op, sample)
    function = single_operation(case)
    values = [case.values[var.name] for var in function.body.parameters]
    compare(function, values, case.floats)
    for name in case.floats if len(case.floats) > 1 else ():
        compare(function, values, (name,), numerically=False)


@pytest.mark.parametrize(("op", "sample"), CASES, ids=label)
def test_every_sample_with_unknown_ranks(op: Operation, sample: dict[str, Any]) -> None:
    case = make_case(op, sample)
    arrays = tuple(name for name, value in case.values.items() if isinstance(value, np.ndarray))
    try:
        function = single_operation(case, unknown=arrays)
        values = [case.values[var.name] for var in function.body.parameters]
        compare(function, values, case.floats)
    except TypeProblem as problem:
        assert problem.name in ("unknown-rank", "unsupported-argument")
    except DifferentiationError as refusal:
        assert "rank" in str(refusal)


@pytest.mark.parametrize(
    "op", [op for op in operations() if op.rules and not op.constant], ids=label
)
def test_every_rule_has_a_forward_mode(op: Operation) -> None:
    assert op.elementwise or op.linear or op.bilinear or op.tangent


# Functions in which operations meet ---------------------------------------------------------------

RNG = np.random.default_rng(11)
A, B = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2))
X, Y = RNG.normal(size=4), RNG.normal(size=3)
P = np.abs(X) + 0.5
Q = np.abs(A) + 0.5

# the source, the types of the parameters, their values; all parameters with floats move
FUNCTIONS: dict[str, tuple[str, dict[str, str], list[Any]]] = {
    "scalars": (
        "def f(x, y):\n    return math.sin(x * y) + x ** 3 / y - math.exp(-y)",
        {"x": "float", "y": "float"},
        [0.7, 1.3],
    ),
    "repeated operand": (
        "def f(x):\n    y = x * x\n    return y * y + x * y",
        {"x": "float[n]"},
        [X],
    ),
    "repeated operand of a matrix product": (
        "def f(a):\n    return a @ a + a.T @ a",
        {"a": "float[3,3]"},
        [A[:, :3]],
    ),
    "a scalar meets an array": (
        "def f(x, a):\n    return np.sum(x + a), x - a, np.mean(x + 0.0 * a)",
        {"x": "float", "a": "float[n,d]"},
        [0.3, A],
    ),
    "only the scalar moves": (
        "def f(x):\n    return x + np.ones((2, 3)), np.ones(3) * 2.0 - x",
        {"x": "float"},
        [0.3],
    ),
    "a row meets a column": (
        "def f(x, y):\n    c = x[:, None]\n    return c + y, c * np.exp(y), c / (y * y + 1.0)",
        {"x": "float[n]", "y": "float[m]"},
        [X, Y],
    ),
    "unknown ranks": (
        "def f(x, y):\n    z = x + y\n    w = np.where(z > 0.0, z, x)\n"
        "    return z * y, np.sum(w, axis=0), 2.0 * x",
        {"x": "float[...]", "y": "float[...]"},
        [A, X],
    ),
    "softmax": (
        "def f(a):\n    e = np.exp(a - np.max(a, axis=1, keepdims=True))\n"
        "    return e / np.sum(e, axis=1, keepdims=True)",
        {"a": "float[n,d]"},
        [A],
    ),
    "layers": (
        "def f(w, b, v, x):\n    h = np.tanh(x @ w + b)\n    return np.mean((h @ v - 1.0) ** 2)",
        {"w": "float[d,h]", "b": "float[h]", "v": "float[h]", "x": "float[n,d]"},
        [B, RNG.normal(size=2), RNG.normal(size=2), A],
    ),
    "a join with parts that stand still": (
        "def f(x, k):\n    a = np.concatenate((x, np.ones(2), k, x[::-1]))\n"
        "    return a, np.stack((x, 0.0 * k + 1.0))",
        {"x": "float[4]", "k": "int[4]"},
        [X, np.arange(4)],
    ),
    "a display of numbers": (
        "def f(x, y):\n    return np.array([[x, 1.0], [0.0, x * y]]) @ np.array([y, 2.0])",
        {"x": "float", "y": "float"},
        [0.4, -1.2],
    ),
    "reductions": (
        "def f(a):\n    return (np.max(a, axis=0), a.min(), np.prod(a, axis=(0, 1)),\n"
        "            a.var(axis=1), np.std(a, ddof=1), a.mean(axis=0, keepdims=True),\n"
        "            np.cumsum(a, axis=1))",
        {"a": "float[n,d]"},
        [A],
    ),
    "choices": (
        "def f(x, y):\n    z = np.where(x > y, x * y, np.sin(y))\n"
        "    return np.maximum(z, 0.1 * x), np.clip(x, -0.5, 0.5), abs(y) * np.minimum(x, 0.0)",
        {"x": "float[n]", "y": "float[n]"},
        [X, X[::-1] + 0.05],
    ),
    "indices": (
        "def f(a, k):\n    return a[1], a[0, 2], a[:, ::-1], a[k], a[..., None], a[a > 0.0] * 2.0",
        {"a": "float[3,4]", "k": "int[5]"},
        [A, np.array([0, 2, 2, -1, 0])],
    ),
    "masks meet": (
        "def f(x, y):\n    p = x[x > -9.0]\n    q = y[y > -9.0]\n"
        "    r = p * q + p\n    return np.concatenate((r, p / (1.0 + q * q)))",
        {"x": "float[4]", "y": "float[4]"},
        [X, X[::-1].copy()],
    ),
    "a container of arguments": (
        "def f(p, c):\n    w, (b, k) = p\n"
        "    return {'s': w * b, 'rest': [np.sum(w), k, 'x', None, c['u'] * b]}",
        {"p": "tuple[float[n], tuple[float, int]]", "c": "dict(u=float[n], n=int)"},
        [X, 0.5, 3, P, 4],
    ),
    "parts that do not depend": (
        "def f(x, n):\n    a = (np.ones(3), 1.5, n + 1, np.arange(3))\n"
        "    return x * 2.0, a, x > 0.0, x.shape, True",
        {"x": "float[d]", "n": "int"},
        [X, 3],
    ),
    "an unused argument": ("def f(x, y):\n    return x", {"x": "float", "y": "float[n]"}, [0.5, X]),
    "the argument itself": ("def f(x):\n    return x, x", {"x": "float[n]"}, [X]),
    "shapes": (
        "def f(a, x):\n    b = a.T.reshape(-1)\n"
        "    c = np.broadcast_to(x, a.shape) * np.full_like(a, 2.0)\n"
        "    return b, c, np.squeeze(np.expand_dims(x, 0)), np.transpose(a, (1, 0)).ravel().copy()",
        {"a": "float[3,4]", "x": "float[4]"},
        [A, X],
    ),
    "products": (
        "def f(a, b, x, y):\n    return (np.dot(a, b), np.outer(x, y), np.inner(x, a),\n"
        "            np.einsum('ij,jk,i->k', a, b, y), np.tensordot(a, b, axes=1),\n"
        "            np.vdot(x, x), np.trace(a @ a.T))",
        {"a": "float[3,4]", "b": "float[4,2]", "x": "float[4]", "y": "float[3]"},
        [A, B, X, Y],
    ),
    "powers": (
        "def f(x, y):\n    return x ** 2, x ** -0.5, x ** y, 2.0 ** y, np.sqrt(x) + x ** 0",
        {"x": "float[n]", "y": "float"},
        [P, 1.7],
    ),
    "integers into floats": (
        "def f(x, k):\n    return k * x, k / x, np.sin(k) * x, x - k, k @ x",
        {"x": "float[n]", "k": "int[n]"},
        [P, np.arange(4)],
    ),
    "a value of rank 0": (
        "def f(x, y):\n    return (np.where(x > 0.0, x, y), np.array(x), np.exp(x), np.add(x, y),\n"
        "            x + np.float64(y))",
        {"x": "float", "y": "float"},
        [0.5, -0.2],
    ),
    "inner functions": (
        "def g(u, k=2.0):\n    return u * np.log(u) * k\n\n\n"
        "def f(x):\n    return g(g(x), k=3.0) + (lambda t: t * t)(x)",
        {"x": "float[n]"},
        [P + 1.0],
    ),
    "names that are taken": (
        "def f(x, dot_x):\n    dot_y = x * dot_x\n    y = dot_y * x\n    return y + dot_y",
        {"x": "float[n]", "dot_x": "float[n]"},
        [X, P],
    ),
}
SINGLE = (
    "softmax",
    "a scalar meets an array",
    "layers",
    "powers",
    "reductions",
    "choices",
    "indices",
)


def moving(function: Function) -> tuple[str, ...]:
    formals = [formal for formal in function.formals if moving_leaves(function, (formal.name,))]
    return tuple(formal.name for formal in formals)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    source, types, values = FUNCTIONS[name]
    function = lower(source, **types)
    compare(function, values, moving(function))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_argument_alone(name: str) -> None:
    source, types, values = FUNCTIONS[name]
    function = lower(source, **types)
    for wrt in moving(function):
        compare(function, values, (wrt,), numerically=False)


@pytest.mark.parametrize("name", SINGLE)
def test_single_precision(name: str) -> None:
    source, types, values = FUNCTIONS[name]
    function = lower(source, **{key: text.replace("float[", "f32[") for key, text in types.items()})
    single = [value.astype(np.float32) if is_array_of_floats(value) else value for value in values]
    compare(function, single, moving(function), numerically=False)


def is_array_of_floats(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_forward_over_reverse(name: str) -> None:
    """The tangent of a vector-Jacobian product, against differences and by reverse over reverse."""
    source, types, values = FUNCTIONS[name]
    function = lower(source, **types)
    wrt = moving(function)
    gradient = pull(function, wrt)
    results = floats(interpret(function, values))
    weights = [random_like(np.random.default_rng(3), result) for result in results]
    rng = np.random.default_rng(5)
    parameters = list(formal_variables(gradient.formals))
    places = [parameters.index(leaf) for leaf in moving_leaves(gradient, wrt)]
    arguments = [*values, *weights]
    directions = [random_like(rng, arguments[place]) for place in places]
    value, moved = interpret(push(gradient, wrt), [*arguments, *directions])
    assert_like(moved, value)
    against_differences(gradient, arguments, places, directions, floats(moved))


@pytest.mark.parametrize("name", ["scalars", "softmax", "reductions", "unknown ranks"])
def test_forward_over_forward(name: str) -> None:
    source, types, values = FUNCTIONS[name]
    function = lower(source, **types)
    wrt = moving(function)
    rng = np.random.default_rng(8)
    directions = [random_like(rng, value) for value in values]
    compare(push(function, wrt), [*values, *directions], wrt)


# What else is promised ----------------------------------------------------------------------------


def test_statements_follow_those_of_the_primal() -> None:
    function = lower("def f(x, y):\n    z = np.sin(x)\n    return z * y", x="float[n]", y="float")
    derived = push(function, ("x",))
    assert (
        show(derived)
        == """\
function jvp_f(x: f64[n], y: float, dot_x: f64[n])
  z = np.sin(x)                             # f64[n]   line 7
  v2 = np.cos(x)                            # f64[n]   line 7
  dot_z = dot_x * v2                        # f64[n]   line 7
  v1 = z * y                                # f64[n]   line 8
  dot_v1 = dot_z * y                        # f64[n]   line 8
  return v1, dot_v1
"""
    )
    roles = [statement.role for statement in derived.body.statements]
    assert roles == ["primal", "tangent", "tangent", "primal", "tangent"]


def test_formals_follow_those_of_the_primal() -> None:
    function = lower(
        "def f(p, n, y):\n    return p['a'] * n + y",
        p="dict(a=float[n], k=int)",
        n="int",
        y="float",
    )
    derived = push(function, ("y", "p"))
    names = [formal.name for formal in derived.formals]
    assert names == ["p", "n", "y", "dot_y", "dot_p"]
    tree = derived.formals[-1].tree
    assert isinstance(tree, Structure) and tree.keys == ("a", "k")
    assert tree.items == (Var("dot_p_a", function.body.parameters[0].type), Const(None))


def test_directions_follow_defaults_as_keywords() -> None:
    for source in ("def f(x, y=2.0):\n    return x * y", "def f(x, *, y):\n    return x * y"):
        derived = push(lower(source, x="float", y="float"), ("x", "y"))
        assert [formal.kind for formal in derived.formals[2:]] == ["keyword", "keyword"]


def test_a_choice_is_one_choice_of_tangents() -> None:
    source = "def f(x, y):\n    return np.where(x > 0.0, x * 2.0, y)"
    derived = push(lower(source, x="float[n]", y="float[n]"), ("x", "y"))
    assert "np.where(v1, dot_v2, dot_y)" in show(derived)


def test_names_of_formals_are_not_taken_twice() -> None:
    source, types, _ = FUNCTIONS["names that are taken"]
    derived = push(lower(source, **types), ("x", "dot_x"))
    names = [formal.name for formal in derived.formals]
    assert names == ["x", "dot_x", "dot_x_", "dot_dot_x"]


def test_what_stands_still_costs_nothing() -> None:
    source = "def f(x, y):\n    z = np.exp(y) * np.sum(y)\n    return np.floor(x) * 2.0, z"
    function = lower(source, x="float[n]", y="float[n]")
    derived = push(function, ("x",))
    assigns = [s for s in derived.body.statements if isinstance(s, Assign)]
    added = [s.op.name for s in assigns if s.role == "tangent"]
    assert added == ["numpy.zeros_like", "numpy.zeros_like"]


def test_unknown_ranks_need_no_broadcast() -> None:
    """Where both operands are in the tangent, it has the shape of the result already."""
    source = "def f(x, y):\n    return np.sum(2.0 * np.exp(x) * y - x / y)"
    derived = push(lower(source, x="float[...]", y="float[...]"), ("x", "y"))
    assert "broadcast_to" not in show(derived)


def test_aux() -> None:
    source = "def f(x):\n    y = x * x\n    return y, {'twice': 2.0 * x, 'size': x.size}"
    derived = push(lower(source, x="float[n]"), ("x",), has_aux=True)
    value, moved, aux = interpret(derived, [X, np.ones(4)])
    np.testing.assert_array_equal(value, X * X)
    np.testing.assert_array_equal(moved, 2.0 * X)
    np.testing.assert_array_equal(aux["twice"], 2.0 * X)
    assert aux["size"] == 4


def test_scalars_of_single_precision() -> None:
    function = lower("def f(x, y):\n    return x * y, np.add(x, 1.0), y", x="f32", y="float")
    assert isinstance(function.body.parameters[0].type, Scalar)
    compare(function, [np.float32(0.5), 2.0], ("x",), numerically=False)


def refused(function: Function, wrt: tuple[str, ...], has_aux: bool = False) -> tuple[str, Any]:
    with pytest.raises(DifferentiationError) as caught:
        tangent(function, wrt, "jvp_f", has_aux)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.name, diagnostic.span


def test_refusals() -> None:
    function = lower("def f(x, k):\n    return x * k", x="float", k="int")
    assert refused(function, ("k",))[0] == "integer-argument"
    assert refused(function, ("x",), has_aux=True)[0] == "bad-aux"


def test_an_operation_without_derivative_is_refused_at_its_line() -> None:
    function = lower("def f(x):\n    y = 2.0 * x\n    return np.sin(y)", x="float")
    opaque = Operation("opaque", ("x",), np.sin, catalogue().operations["numpy.sin"].infer)
    *before, last = function.body.statements
    assert isinstance(last, Assign)
    statement = Assign(last.targets, opaque, last.operands, last.span)
    body = Block(function.body.parameters, (*before, statement), function.body.results)
    name, span = refused(Function("f", function.formals, body, function.output), ("x",))
    assert name == "no-derivative"
    assert span == last.span


def stored(op: str, x: Atom, index: Any, v: Atom) -> Function:
    operation = catalogue().operations[op]
    parameters = tuple(atom for atom in (x, v) if isinstance(atom, Var))
    out = Var("out", operation.infer(Sizes(), (x, Const(index), v)))
    statement = Assign((out,), operation, (x, Const(index), v))
    formals = tuple(Formal(var.name, var) for var in parameters)
    return Function("f", formals, Block(parameters, (statement,), (out,)), out)


@pytest.mark.parametrize("op", ["setitem", "additem", "add_at"])
def test_stores_of_what_stands_still(op: str) -> None:
    """A value that broadcasts stands still as 0.0, whatever its shape; an array as zeros."""
    x, v = lower("def f(x, v):\n    return x", x="float[5]", v="float[3]").body.parameters
    function = stored(op, x, slice(1, 4), v)
    for wrt in (("x",), ("v",), ("x", "v")):
        compare(function, [np.arange(5.0), np.ones(3)], wrt)
    compare(stored(op, x, slice(1, 4), Const(2.5)), [np.arange(5.0)], ("x",))
    assert "dot_x with [1:4]" in show(push(function, ("x",))) or op == "add_at"
