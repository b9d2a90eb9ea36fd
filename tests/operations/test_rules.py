"""Every rule of the catalogue against numerical derivatives, and every type against NumPy.

The lines of a rule are run as text, as they are pasted into generated modules; how a contribution
is summed and cast is the adjoint pass's business and is imitated here in ten lines. Derivatives
come from complex steps where these agree with a difference quotient (the operation is analytic
there), from Richardson's extrapolation of central differences otherwise.
"""

from __future__ import annotations

import ast
import itertools
import math
import re
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from s2s_ad.frontend.calls_numpy import FUNCTIONS
from s2s_ad.frontend.rules import lower_line
from s2s_ad.ir import Assign, Atom, Const, NotDifferentiable, Operation, Var
from s2s_ad.operations import catalogue, helpers
from s2s_ad.operations.declare import evaluation_names
from s2s_ad.rewrite import Builder, Names
from s2s_ad.types import Array, Items, Number, Scalar, Size, Sizes, TypeProblem
from tests.operations.samples import (
    Case,
    differentiable,
    label,
    make_case,
    operations,
    specifications,
    type_of,
)

CASES = differentiable()
REFUSALS = ("unsupported-argument", "unknown-rank", "unsupported-dtype", "not-constant")
EPSILON = np.finfo(float).eps


# Running a rule's text ----------------------------------------------------------------------------


def applicable(case: Case, atoms: Sequence[Atom]) -> list[tuple[str, ...]]:
    """The lines of every rule whose guard holds, the chosen one first."""
    rules = [rule for rule in case.op.rules if rule.when is None or rule.when(atoms)]
    assert rules, "no rule fits"
    return [rule.lines_for(atoms) for rule in rules]


def is_summed(op: Operation, name: str) -> bool:
    return op.elementwise or op.is_marked(op.broadcasts, name)


def bring(value: Any, like: Any, summed: bool, where: str) -> Any:
    """A contribution in the shape and dtype of its operand, as the adjoint pass brings it there."""
    if summed:
        value = helpers.sum_to_shape(value, np.shape(like))
    assert np.shape(value) == np.shape(like), f"{where}: {np.shape(value)} for {np.shape(like)}"
    return np.asarray(value, dtype=getattr(like, "dtype", float))


def run_lines(case: Case, lines: Sequence[str], out: Any, grad_out: Any) -> dict[str, Any]:
    """What the lines give for each float operand."""
    names = {**rule_names(case.op), **case.values, **named_results(case.op, out)}
    names |= {f"grad_{name}": grad for name, grad in named_results(case.op, grad_out).items()}
    grads = {name: np.zeros_like(case.values[name]) for name in case.floats}
    for line in lines:
        target, _, text = line.partition(" += ")
        name = operand_of(line)
        if name not in grads:
            continue
        if text and target == f"grad_{name}":
            value = eval(text, names)
            grads[name] = grads[name] + bring(
                value, case.values[name], is_summed(case.op, name), line
            )
        elif " = " in line:
            # what is overwritten passes nothing on, everything else does
            changed = np.array(grad_out)
            exec(line, names | {f"grad_{name}": changed})
            grads[name] = grads[name] + changed
        else:
            exec(line, names | {f"grad_{name}": grad for name, grad in grads.items()})
    return grads


def rule_names(op: Operation) -> dict[str, Any]:
    """What the lines of an operation may refer to besides operands and results."""
    return evaluation_names(with_scipy=op.name.startswith(("scipy.", "helper.", "math.")))


def named_results(op: Operation, out: Any) -> dict[str, Any]:
    """The results under the names that lines have for them."""
    return dict(zip(op.results, out, strict=True)) if op.results else {"out": out}


def operand_of(line: str) -> str:
    """The operand whose adjoint a line changes."""
    found = re.match(r"(?:np\.add\.at\()?grad_(\w+)", line)
    assert found, line
    return found[1]


# Numerical derivatives ----------------------------------------------------------------------------


def flat(value: Any) -> Any:
    """A value as one array; of several results the floats, one after the other."""
    if isinstance(value, tuple):
        return np.concatenate(
            [np.ravel(item) for item in value if np.asarray(item).dtype.kind in "fc"]
        )
    return np.asarray(value)


def combine(left: Any, right: Any) -> Any:
    """2 left - 3 right, item by item where there are several results."""
    if isinstance(left, tuple):
        return tuple(2.0 * one - 3.0 * other for one, other in zip(left, right, strict=True))
    return 2.0 * left - 3.0 * right


def inner(left: Any, right: Any) -> float:
    left, right = flat(left), flat(right)
    return float(np.sum(np.asarray(left, dtype=float) * np.asarray(right, dtype=float)))


def slope(case: Case, name: str, direction: Any, weight: Any) -> tuple[float, float]:
    """The derivative of <weight, out> along a direction, and a bound of its error."""

    weight = flat(weight)

    def value(step: Any) -> Any:
        moved = np.asarray(case.values[name]) + step * direction
        return flat(case.evaluate(**{name: moved if np.ndim(moved) else moved[()]}))

    def central(step: float) -> float:
        return inner(weight, value(step) - value(-step)) / (2.0 * step)

    steps = [2e-3 / 2.0**k for k in range(4)]
    table = [[central(step) for step in steps]]
    while len(table[-1]) > 1:
        power = 4.0 ** len(table)
        last = table[-1]
        table.append([(power * b - a) / (power - 1.0) for a, b in itertools.pairwise(last)])
    extrapolated = table[-1][0]
    # rounding: the values, divided by the smallest step; truncation: what the last extrapolation
    # changed
    size = float(np.sum(np.abs(weight) * np.abs(value(0.0)))) + 1.0
    bound = 50.0 * EPSILON * size / steps[-1] + abs(extrapolated - table[-2][-1])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            complex_step = value(1e-150j)
        exact = inner(weight, np.imag(complex_step)) / 1e-150
    except Exception:
        return extrapolated, bound
    scale = abs(exact) + size
    if complex_step.dtype.kind == "c" and abs(exact - extrapolated) <= max(
        1e-6 * scale, 10.0 * bound
    ):
        return exact, 1000.0 * EPSILON * scale
    return extrapolated, bound


def random_weight(rng: np.random.Generator, case: Case, out: Any) -> Any:
    """An adjoint of the result; of several, zero for those that no line knows."""
    if not case.op.results:
        return random_like(rng, out)
    lines = " ".join(applicable(case, case.atoms())[0])
    return tuple(
        random_like(rng, item) if f"grad_{name}" in lines else np.zeros_like(item)
        for name, item in named_results(case.op, out).items()
    )


def random_like(rng: np.random.Generator, value: Any) -> Any:
    drawn = rng.normal(size=np.shape(value))
    return drawn if np.ndim(drawn) else float(drawn)


# Tests of the rules -------------------------------------------------------------------------------


# the front end takes the argument itself where these give it back
ITSELF = (
    "numpy.float64",
    "numpy.real_if_close",
    "numpy.diff",
    "numpy.linalg.matrix_power",
)


@pytest.mark.parametrize(("op", "sample"), CASES, ids=label)
def test_results_that_share_memory_are_declared(op: Operation, sample: dict[str, Any]) -> None:
    case = make_case(op, sample)
    out = case.evaluate()
    results = [x for x in (out if isinstance(out, tuple | list) else [out]) if hasattr(x, "base")]
    shared = {
        name
        for name, value in case.values.items()
        if isinstance(value, np.ndarray) and any(np.shares_memory(value, x) for x in results)
    }
    if op.name not in ITSELF and not op.update:
        assert shared <= {op.view_of}


@pytest.mark.parametrize(("op", "sample"), CASES, ids=label)
def test_rules_agree_with_numerical_derivatives(op: Operation, sample: dict[str, Any]) -> None:
    case = make_case(op, sample)
    rng = np.random.default_rng(1)
    out = case.evaluate()
    weight = random_weight(rng, case, out)
    for lines in applicable(case, case.atoms()):
        grads = run_lines(case, lines, out, weight)
        assert set(case.floats) <= set(map(operand_of, lines)), "an operand without a derivative"
        for name in case.floats:
            direction = random_like(rng, case.values[name])
            expected, bound = slope(case, name, direction, weight)
            got = inner(grads[name], direction)
            assert abs(got - expected) <= bound, (name, lines, got, expected, bound)


@pytest.mark.parametrize(("op", "sample"), CASES, ids=label)
def test_rules_hold_for_unknown_ranks(op: Operation, sample: dict[str, Any]) -> None:
    """Guards that fail lead to a rule that gives the same."""
    case = make_case(op, sample)
    rng = np.random.default_rng(1)
    out = case.evaluate()
    weight = random_weight(rng, case, out)
    expected = run_lines(case, applicable(case, case.atoms())[0], out, weight)
    arrays = [name for name, value in case.values.items() if isinstance(value, np.ndarray)]
    for count in range(1, len(arrays) + 1):
        for unknown in itertools.combinations(arrays, count):
            atoms = case.atoms(unknown=unknown)
            try:
                op.infer(Sizes(), atoms)
            except TypeProblem as problem:
                assert problem.name in REFUSALS, problem
                continue
            try:
                rules = applicable(case, atoms)
            except NotDifferentiable:
                continue
            for lines in rules:
                for name, grad in run_lines(case, lines, out, weight).items():
                    np.testing.assert_allclose(grad, expected[name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("op", "sample"), CASES, ids=label)
def test_rules_are_linear_in_the_adjoint(op: Operation, sample: dict[str, Any]) -> None:
    case = make_case(op, sample)
    rng = np.random.default_rng(2)
    out = case.evaluate()
    first, second = (random_weight(rng, case, out) for _ in range(2))
    for lines in applicable(case, case.atoms()):
        one, other = (run_lines(case, lines, out, weight) for weight in (first, second))
        both = run_lines(case, lines, out, combine(first, second))
        for name in case.floats:
            scale = (
                1.0
                + np.max(np.abs(one[name]), initial=0.0)
                + np.max(np.abs(other[name]), initial=0.0)
            )
            expected = 2.0 * one[name] - 3.0 * other[name]
            np.testing.assert_allclose(both[name], expected, atol=100.0 * EPSILON * scale)


@pytest.mark.parametrize(("op", "sample"), CASES, ids=label)
def test_forward_mode_agrees_with_reverse_mode(op: Operation, sample: dict[str, Any]) -> None:
    """<J v, w> = <v, J^T w>, with J v derived as the tangent pass derives it."""
    case = make_case(op, sample)
    rng = np.random.default_rng(3)
    out = case.evaluate()
    weight = random_weight(rng, case, out)
    lines = applicable(case, case.atoms())[0]
    grads = run_lines(case, lines, out, weight)
    tangents = {name: random_like(rng, case.values[name]) for name in case.floats}
    if op.results:
        moved = several_tangents(case, out, tangents)
    else:
        moved = forward(case, lines, out, tangents)
        assert np.shape(moved) == np.shape(out)
    expected = sum(inner(grads[name], tangents[name]) for name in case.floats)
    scale = 1.0 + sum(inner(np.abs(grads[name]), np.abs(tangents[name])) for name in case.floats)
    assert abs(inner(moved, weight) - expected) <= 1000.0 * EPSILON * scale


def several_tangents(case: Case, out: Any, tangents: dict[str, Any]) -> Any:
    """The tangents of the results of an operation that has several, by the lines it states."""
    op = case.op
    names = {**rule_names(op), **case.values, **named_results(op, out)}
    names |= {f"tangent_{name}": tangent for name, tangent in tangents.items()}
    moved: dict[str, Any] = {
        name: 0 * np.asarray(item) for name, item in named_results(op, out).items()
    }
    for line in op.tangent_lines(case.atoms()):
        target, _, text = line.partition(" = ")
        moved[target.removeprefix("tangent_")] = moved[target.removeprefix("tangent_")] + eval(
            text, names
        )
    for item, dot in zip(out, moved.values(), strict=True):
        assert np.shape(item) == np.shape(dot)
    return tuple(moved.values())


def forward(case: Case, lines: Sequence[str], out: Any, tangents: dict[str, Any]) -> Any:
    """The tangent of the result."""
    op = case.op
    stated = op.tangent_lines(case.atoms())
    total: Any = np.zeros(np.shape(out))[()]
    if stated:
        names = {**rule_names(op), **case.values, "out": out}
        names |= {f"tangent_{name}": tangent for name, tangent in tangents.items()}
        for line in stated:
            total = total + eval(line.removeprefix("tangent_out = "), names)
        return total
    if op.linear:
        assert all(op.is_marked(op.linear, name) for name in tangents)
        return case.evaluate(**tangents)
    if op.bilinear:
        for name, tangent in tangents.items():
            total = total + case.evaluate(**{name: tangent})
        return total
    assert op.elementwise, "no forward mode"
    for line in lines:
        target, _, text = line.partition(" += ")
        if operand_of(line) not in tangents:
            continue
        names = {**rule_names(op), **case.values, "out": out}
        total = total + eval(text, names | {"grad_out": tangents[target.removeprefix("grad_")]})
    return total


@pytest.mark.parametrize(("op", "sample"), CASES, ids=label)
def test_rules_in_single_precision(op: Operation, sample: dict[str, Any]) -> None:
    double = make_case(op, sample)
    single = make_case(op, sample, np.float32)
    rng = np.random.default_rng(4)
    out = double.evaluate()
    weight = random_weight(rng, double, out)
    if op.name.startswith(("math.", "builtins.")):
        return
    exact = {
        n: np.asarray(v, dtype=np.float32).astype(float)
        for n, v in double.values.items()
        if n in double.floats
    }
    rounded = Case(
        op,
        {**double.values, **{n: v if v.ndim else float(v) for n, v in exact.items()}},
        double.floats,
    )
    expected = run_lines(
        rounded, applicable(rounded, rounded.atoms())[0], rounded.evaluate(), weight
    )
    lines = applicable(single, single.atoms())[0]
    if op.results:
        narrow: Any = tuple(np.asarray(item, dtype=np.float32)[()] for item in weight)
    else:
        narrow = np.asarray(weight, dtype=np.float32)[()]
    grads = run_lines(single, lines, single.evaluate(), narrow)
    for name in single.floats:
        assert grads[name].dtype == np.float32
        scale = 1.0 + np.max(np.abs(expected[name]), initial=0.0)
        np.testing.assert_allclose(
            grads[name], expected[name], atol=2000.0 * np.finfo(np.float32).eps * scale
        )


@pytest.mark.parametrize(
    "op", [op for op in operations() if op.rules and not op.constant], ids=label
)
def test_every_rule_is_tested(op: Operation) -> None:
    assert specifications(op) or op.name in UNTESTED, "declare samples"


UNTESTED = {
    *("identity", "ndarray.astype", "numpy.float32", "numpy.float16"),  # rounding has no slope
    "numpy.complex64",
    # complex results of real operands: tests/operations/test_numpy_calls.py
    *("helper.eigen_of", "helper.eigenvalues_of", "helper.vectors_of", "helper.roots_of"),
    # points that cannot be moved in every direction: tests/test_scipy.py
    *("scipy.stats.dirichlet.logpdf", "scipy.stats.dirichlet.pdf"),
    # the same, and several results of which some are complex: tests/operations/test_scipy_calls.py
    *("scipy.stats.multinomial.logpmf", "scipy.stats.multinomial.pmf"),
    *("scipy.signal.stft", "scipy.signal.istft", "scipy.signal.csd"),
    *("helper.stft_adjoint", "helper.istft_adjoint"),
}


@pytest.mark.parametrize(("op", "sample"), CASES, ids=label)
def test_rules_use_only_what_the_catalogue_has(op: Operation, sample: dict[str, Any]) -> None:
    case = make_case(op, sample)
    for lines in (*applicable(case, case.atoms()), op.tangent_lines(case.atoms())):
        for line in lines:
            check_vocabulary(line)


def check_vocabulary(line: str) -> None:
    for node in ast.walk(ast.parse(line)):
        if isinstance(node, ast.Call):
            spelled = ast.unparse(node.func)
            if spelled == "np.add.at":
                continue
            module, dot, rest = spelled.partition(".")
            modules = {"np": "numpy.", "math": "math.", "scipy": "scipy."}
            own = "helper." if f"helper.{spelled}" in catalogue().operations else "builtins."
            name = modules[module] + rest if dot else own + spelled
            if name in FUNCTIONS:
                continue
            called = catalogue().operations[name]
            for keyword in node.keywords:
                assert keyword.arg in called.defaults, f"{spelled} takes no {keyword.arg}"
            if not called.variadic:
                assert len(node.args) + len(node.keywords) <= len(called.parameters), line
        elif isinstance(node, ast.Attribute) and node.attr not in ("T", "mT", "pi", "at", "add"):
            assert ast.unparse(node).startswith(("np.", "math.", "scipy.")), line


@pytest.mark.parametrize(("op", "sample"), CASES, ids=label)
def test_rules_lower_to_statements_of_the_same_value(op: Operation, sample: dict[str, Any]) -> None:
    """The compiler reads a line as Python does, and infers the type of every value on the way."""
    case = make_case(op, sample)
    out = case.evaluate()
    weight = random_weight(np.random.default_rng(1), case, out)
    expected = run_lines(case, applicable(case, case.atoms())[0], out, weight)
    arrays = tuple(name for name, value in case.values.items() if isinstance(value, np.ndarray))
    for unknown in ((), arrays):
        atoms = case.atoms(unknown=unknown)
        try:
            type = op.infer(Sizes(), atoms)
            lines = applicable(case, atoms)[0]
        except (TypeProblem, NotDifferentiable):
            continue
        whole = [line for line in lines if line.startswith(f"grad_{operand_of(line)} += ")]
        for line in whole:
            name = operand_of(line)
            if name not in case.floats:
                continue
            names = dict(zip(case.values, atoms, strict=True))
            types = type.items if op.results and isinstance(type, Items) else (type,)
            values = dict(case.values)
            results = zip(
                named_results(op, out).items(),
                named_results(op, weight).values(),
                types,
                strict=True,
            )
            for (result, item), grad, item_type in results:
                names |= {
                    result: Var(result, item_type),
                    f"grad_{result}": Var(f"grad_{result}", item_type),
                }
                values |= {result: item, f"grad_{result}": of_type(item_type, grad)}
            value = lowered_value(line, names, values)
            got = bring(value, case.values[name], is_summed(op, name), line)
            if len([other for other in lines if operand_of(other) == name]) == 1:
                np.testing.assert_allclose(got, expected[name], rtol=1e-12, atol=1e-12)


def of_type(type: Any, value: Any) -> Any:
    """A number as what the type says it is."""
    if isinstance(type, Array):
        return np.asarray(value)
    return np.float64(value) if isinstance(type, Scalar) else value


def lowered_value(line: str, names: dict[str, Atom], values: dict[str, Any]) -> Any:
    """Lower one line, run its statements, and check the type of each."""
    builder = Builder(Names(frozenset()), Sizes())
    contribution = lower_line(builder, line, names)
    known = {atom: values[name] for name, atom in names.items() if isinstance(atom, Var)}

    def value_of(atom: Atom) -> Any:
        return atom.value if isinstance(atom, Const) else known[atom]

    for statement in builder.statements:
        assert isinstance(statement, Assign)
        result = statement.op.evaluate(*map(value_of, statement.operands))
        results = result if statement.op.results else (result,)
        for target, item in zip(statement.targets, results, strict=True):
            inferred = target.type
            if isinstance(inferred, Scalar) or (isinstance(inferred, Array) and inferred.shape):
                assert agree(inferred, item), f"{inferred} inferred for {item!r} in {line}"
            known[target] = item
    return value_of(contribution.value)


# Tests of the types -------------------------------------------------------------------------------


def agree(inferred: Any, value: Any) -> bool:
    """Whether a type is the type of a value, known sizes and integers included."""
    if isinstance(inferred, Items) and isinstance(value, tuple):
        return all(agree(type, item) for type, item in zip(inferred.items, value, strict=True))
    if isinstance(inferred, Number):
        return type(value).__name__ == inferred.kind
    if isinstance(inferred, Scalar):
        return isinstance(value, np.generic) and type_of(value) == inferred
    if isinstance(inferred, Array) and isinstance(value, np.ndarray):
        actual = type_of(value)
        assert isinstance(actual, Array) and actual.shape is not None
        if inferred.dtype != actual.dtype or (
            inferred.shape is not None and len(inferred.shape) != value.ndim
        ):
            return False
        sizes = zip(inferred.shape or (), actual.shape, strict=False)
        return all(size.is_local or size == length for size, length in sizes)
    return False


def check_type(op: Operation, values: Sequence[Any], atoms: Sequence[Atom]) -> None:
    """The inferred type is that of the value; where one refuses, nothing is asked of the other."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = op.evaluate(*values)
    except Exception:
        return
    try:
        inferred = op.infer(Sizes(), atoms)
    except TypeProblem as problem:
        assert problem.name in REFUSALS or is_math_of_array(op, values), (
            f"{problem} but NumPy gives {value!r}"
        )
        return
    assert agree(inferred, value), f"{inferred} inferred for {value!r} of {type(value).__name__}"


def is_math_of_array(op: Operation, values: Sequence[Any]) -> bool:
    return op.name.startswith("math.") or op.name == "notx"


KINDS: dict[str, Any] = {
    "f64[2,3]": np.full((2, 3), 1.5),
    "f32[2,3]": np.full((2, 3), 1.5, np.float32),
    "i64[3]": np.full(3, 2),
    "i32[3]": np.full(3, 2, np.int32),
    "bool[3]": np.full(3, True),
    "f64[]": np.array(1.5),
    "f32[]": np.array(1.5, np.float32),
    "i64[]": np.array(2),
    "float64": np.float64(1.5),
    "float32": np.float32(1.5),
    "int64": np.int64(2),
    "bool_": np.bool_(True),
    "float": 1.5,
    "int": 2,
    "bool": True,
}
ELEMENTWISE = [op for op in operations() if op.elementwise]


@pytest.mark.parametrize("op", ELEMENTWISE, ids=label)
def test_types_of_elementwise_operations(op: Operation) -> None:
    names = [name for name in op.parameters if name not in op.defaults]
    kinds = KINDS if len(names) < 3 else dict(itertools.islice(KINDS.items(), 0, None, 2))
    defaults = tuple(op.defaults.values())
    for values in itertools.product(kinds.values(), repeat=len(names)):
        atoms = [Var(name, type_of(value)) for name, value in zip(names, values, strict=True)]
        check_type(op, (*values, *defaults), [*atoms, *map(Const, defaults)])


def of_complex_numbers(op: Operation) -> bool:
    """Whether it takes nothing else: `test_complex_numbers.py` has those."""
    return op.name.endswith("[complex]")


OTHERS = [
    op
    for op in operations()
    if not op.elementwise and specifications(op) and not of_complex_numbers(op)
]


@pytest.mark.parametrize("op", OTHERS, ids=label)
def test_types_of_other_operations(op: Operation) -> None:
    for sample in specifications(op):
        case = make_case(op, sample)
        options = [list(variants(case.values[name], bool(op.helper))) for name in case.floats]
        for chosen in itertools.islice(itertools.product(*options), 200):
            changed = Case(
                op, {**case.values, **dict(zip(case.floats, chosen, strict=True))}, case.floats
            )
            check_type(op, changed.operands, changed.atoms())


def variants(value: Any, only_floats: bool) -> Any:
    """The same shape in other types. Helpers, which carry derivatives, take floats only."""
    if np.ndim(value):
        for dtype in (
            (np.float64, np.float32)
            if only_floats
            else (np.float64, np.float32, np.int64, np.bool_)
        ):
            yield np.asarray(value).astype(dtype)
    elif not only_floats:
        yield from (1.5, np.float64(1.5), np.float32(1.5), np.array(1.5, np.float32), np.array(2))


REDUCED = [
    op for op in operations() if op.name.startswith("numpy.") and op.parameters[-1] == "keepdims"
]


@pytest.mark.parametrize("op", REDUCED, ids=label)
def test_types_of_reductions(op: Operation) -> None:
    axes = (None, 0, -1, (0, 1), ())
    for value, axis, keepdims in itertools.product(KINDS.values(), axes, (False, True)):
        values = {"x": value, **op.defaults, "axis": axis, "keepdims": keepdims}
        atoms = [Var("x", type_of(value)), *(Const(item) for item in list(values.values())[1:])]
        check_type(op, list(values.values()), atoms)


CONVERSIONS = [
    op
    for op in operations()
    if op.parameters == ("x",)
    and not op.elementwise
    and op.name not in ("recall", "identity")
    and not of_complex_numbers(op)
]


@pytest.mark.parametrize("op", CONVERSIONS, ids=label)
def test_types_of_conversions(op: Operation) -> None:
    for value in KINDS.values():
        try:
            result = op.evaluate(value)
        except Exception:
            continue
        try:
            inferred = op.infer(Sizes(), [Var("x", type_of(value))])
        except TypeProblem:
            continue
        if isinstance(result, tuple) and not op.results:
            assert tuple(item.value.constant for item in inferred.items) == result  # type: ignore[union-attr]
        else:
            assert agree(inferred, result), (
                f"{inferred} inferred for {result!r} of {type(result).__name__}"
            )


@pytest.mark.parametrize(("op", "sample"), CASES, ids=label)
def test_types_with_symbolic_sizes(op: Operation, sample: dict[str, Any]) -> None:
    """Sizes above 1 as symbols: with the lengths put in, the shape is NumPy's."""
    case = make_case(op, sample)
    out = case.evaluate()
    symbols = {length: f"n{length}" for length in range(2, 10)}

    def rename(length: int) -> Size:
        return Size.of(symbols.get(length, length))

    atoms = case.atoms(rename)
    lengths: Any = {name: Size.of(length) for length, name in symbols.items()}
    sizes = Sizes()
    try:
        inferred = sizes.resolve_type(op.infer(sizes, atoms))
    except TypeProblem as problem:
        assert problem.name in REFUSALS, problem
        return
    several = isinstance(inferred, Items) and bool(op.results)
    pairs = zip(inferred.items, out, strict=True) if several else ((inferred, out),)  # type: ignore[union-attr]
    for type, result in pairs:
        if isinstance(type, Array) and type.shape is not None:
            for size, length in zip(type.shape, np.shape(result), strict=True):
                value = size.substitute(lengths)
                assert size.is_local or value == Size.of(length), f"{size} for {length}"


# Zeros, where a quotient would not do -------------------------------------------------------------


@pytest.mark.parametrize("name", ["numpy.prod", "numpy.cumprod", "helper.product_of_others"])
@pytest.mark.parametrize("zeros", [(), (0,), (2,), (0, 2), (0, 1, 2, 3)])
def test_products_of_zeros(name: str, zeros: tuple[int, ...]) -> None:
    op = catalogue().operations[name]
    case = make_case(op, {"x": "f[4]"})
    for k in zeros:
        case.values["x"][k] = 0.0
    out = case.evaluate()
    rng = np.random.default_rng(5)
    weight, direction = random_like(rng, out), random_like(rng, case.values["x"])
    grads = run_lines(case, applicable(case, case.atoms())[0], out, weight)
    expected, bound = slope(case, "x", direction, weight)
    assert math.isclose(inner(grads["x"], direction), expected, rel_tol=0.0, abs_tol=bound)


@pytest.mark.parametrize("name", ["helper.cumprod_adjoint", "helper.cumprod_tangent"])
def test_second_derivatives_of_running_products_of_zeros(name: str) -> None:
    op = catalogue().operations[name]
    case = make_case(op, op.samples[0])
    case.values["x"][[0, 2]] = 0.0
    out = case.evaluate()
    rng = np.random.default_rng(6)
    weight, direction = random_like(rng, out), random_like(rng, out)
    grads = run_lines(case, applicable(case, case.atoms())[0], out, weight)
    expected, bound = slope(case, "x", direction, weight)
    assert math.isclose(inner(grads["x"], direction), expected, rel_tol=0.0, abs_tol=bound)
