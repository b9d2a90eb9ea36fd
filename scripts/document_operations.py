"""Writes `docs/operations.md` from the catalogue: `python scripts/document_operations.py`.

Every operation is listed with its derivative as it is pasted into generated modules; where the
lines depend on the operands, for representative ones (the samples of its declaration). The
gradients in the table of conventions are computed. `--check` writes nothing and fails unless the
file is up to date.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from s2s_ad.diagnostics import DifferentiationError
from s2s_ad.files import write_atomically
from s2s_ad.frontend.annotations import TypeReader
from s2s_ad.frontend.lower import lower_function
from s2s_ad.frontend.resolve import FileScope
from s2s_ad.frontend.source import parse_text
from s2s_ad.frontend.values import UserFunction
from s2s_ad.ir import Atom, Const, NotDifferentiable, Operation, Var, spell_constant
from s2s_ad.operations import catalogue
from s2s_ad.operations import helpers as helper_functions
from s2s_ad.pipeline import Options, generate
from s2s_ad.types import FLOAT, Array, Number, Size

PAGE = Path(__file__).parent.parent / "docs" / "operations.md"
MOST_EXAMPLES = 3  # of an operation whose lines depend on the operands
# How operations with operands of the compiler's own are written in programs
WRITTEN = {"numpy.array": "np.array([x, ...])"}

HEAD = """\
# Operations

<!-- Written by scripts/document_operations.py: edit the declarations or that script. -->

Every operation that a program may use, with the lines that carry an adjoint from the result to the
operands. `s2sad operations` prints the same list. A line is the text of its declaration in
`s2s_ad/operations/`, and is what generated modules contain before they are simplified: `grad_out`
is the derivative with respect to the result, `grad_x` that with respect to the operand `x`, `out`
the result itself.

- **Broadcasting** is not in the lines. A contribution to an operand of an elementwise operation is
  summed back to the operand's shape, and every contribution is cast to its dtype, in one place
  (`passes/contributions.py`).
- **Kind** says where forward mode comes from. *elementwise*: from the same lines, `grad_out`
  replaced by the operand's tangent. *linear*: the operation applied to the tangents. *bilinear*:
  one such term for each operand. *own tangent*: the declaration states it.
- **Representative operands**: where the lines depend on the operands, they are shown for some of
  the samples with which the operation is tested. `x[3, 4]` is an array of that shape, `x` alone a
  number; the sizes do not matter, the ranks do.
- Anything else is refused with `error[unknown-operation]`. `s2s_ad.declare` adds an operation with
  the same lines; see [Declaring an operation](usage.md#declaring-an-operation).

## Where a derivative is not defined

The gradients in this table were computed by generated code when the page was written.

"""

# expression, arguments, what to know
CONVENTIONS = (
    ("abs(x)", "x=0.0", "slope 0; `np.abs` and `np.fabs` alike"),
    ("np.sign(x)", "x=0.0", "piecewise constant: slope 0 everywhere"),
    ("np.floor(x)", "x=1.0", "as are `ceil`, `trunc`, `rint`, `round`, `//` and comparisons"),
    ("x % y", "x=6.0, y=2.0", "the slope of the branch that NumPy takes"),
    ("np.maximum(x, y)", "x=1.0, y=1.0", "half to each; `minimum`, `fmax`, `fmin` alike"),
    ("np.maximum(x, 0.0)", "x=0.0", "so a ReLU has slope 0.5 at 0"),
    ("np.clip(x, 0.0, 1.0)", "x=1.0", "half at a bound"),
    ("np.max(x)", "x=np.array([1.0, 3.0, 3.0])", "ties share equally; `np.min` alike"),
    ("x[np.argmax(x)]", "x=np.array([1.0, 2.0, 2.0])", "the element at the index found"),
    ("np.prod(x)", "x=np.array([0.0, 2.0, 3.0])", "right where elements are zero"),
    ("np.sinc(x)", "x=0.0", "the limit"),
    ("x**2", "x=0.0", ""),
    ("x**0", "x=0.0", "slope 0 everywhere"),
    ("x**y", "x=0.0, y=2.0", "the slope in y is 0 where x is 0"),
    ("x**y", "x=0.0, y=0.0", ""),
    ("np.sqrt(x)", "x=0.0", "the formula's limit"),
    ("np.cbrt(x)", "x=0.0", "the formula's limit"),
    ("np.sqrt(np.sum(x * x))", "x=np.array([0.0, 0.0])", "`inf * 0`: not the subgradient 0"),
    (
        "np.sqrt(np.maximum(x, 0.0))",
        "x=-1.0",
        "the same; `np.sqrt(x) if x > 0.0 else 0.0` has slope 0",
    ),
    (
        "np.mean(x)",
        "x=np.array([])",
        "the number of elements divides, also where nobody reads the mean",
    ),
    ("np.hypot(x, y)", "x=0.0, y=0.0", "`0 / 0`"),
    ("np.std(x)", "x=np.array([1.0, 1.0])", "where all elements are equal"),
    ("np.log(x)", "x=0.0", "Python floats divide as Python does ..."),
    ("np.sum(np.log(x))", "x=np.array([0.0, 1.0])", "... and arrays as NumPy does"),
    ("x**0.5", "x=0.0", "as for arrays, and no exception"),
    ("np.sum(np.where(x > 0.0, x, 0.0))", "x=np.array([0.0, 2.0])", "only the branch taken counts"),
    (
        "np.sum(np.where(x > 0.0, np.sqrt(x), 0.0))",
        "x=np.array([0.0, 4.0])",
        "the slope of the branch not taken never gets through, not even a NaN",
    ),
    (
        "np.sqrt(x)[0]",
        "x=np.array([4.0, -1.0])",
        "an element that is not used, but is NaN or has an infinite slope: `0 * NaN`",
    ),
    ("np.linalg.norm(x)", "x=np.array([0.0, 0.0])", "of order 2; the subgradient 0"),
    ("np.median(x)", "x=np.array([1.0, 2.0, 2.0])", "the element that sorting puts in the middle"),
    ("np.sort(x)[0]", "x=np.array([3.0, 1.0, 1.0])", "the element that sorting puts there"),
    ("np.sum(x)", "x=np.array([])", "nothing to give to"),
    ("np.prod(x)", "x=np.array([])", "as for sums; `np.max` raises NumPy's error"),
    ("np.max(x)", "x=np.array([1.0, np.nan])", "the result is NaN, and no element equals it"),
    ("np.nanmax(x)", "x=np.array([2.0, np.nan, 2.0])", "a NaN gets 0"),
    ("np.nansum(x)", "x=np.array([1.0, np.nan])", "a NaN gets 0"),
    ("np.maximum(x, y)", "x=np.nan, y=1.0", ""),
    ("np.fmax(x, y)", "x=np.nan, y=1.0", "the number that is returned"),
    ("np.nan_to_num(x)", "x=np.nan", "what is replaced gets 0"),
    ("np.exp(x)", "x=-np.inf", "the limit"),
    ("np.tanh(x)", "x=np.inf", "the limit"),
    ("np.logaddexp(x, y)", "x=-np.inf, y=0.0", "the limit"),
    ("np.logaddexp(x, y)", "x=-np.inf, y=-np.inf", "nothing tells the operands apart"),
)

SOLVED = """\
## Solutions of equations

`root`, `fsolve`, `root_scalar`, `brentq`, `brenth`, `ridder`, `bisect`, `toms748`, `newton`,
`fixed_point`, `minimize` and `minimize_scalar` of `scipy.optimize`, and `scipy.integrate.odeint`,
have no lines: the derivative of what they find is that of the equation that it solves, in every
mode and of every order. See [Solutions of equations](usage.md#solutions-of-equations) and
[Differential equations](usage.md#differential-equations).

- **A root, a fixed point, a minimum**: as exact as the solution is found, so a matter of the
  solver's tolerance.
- **`odeint`**: the adjoint and the variational equation are integrated with the `rtol` and `atol`
  of the call (SciPy's own default is 1.5e-8), which bound the error of each step. The error of a
  derivative is some ten times that where the equation is harmless, and grows with the number of
  steps and with whatever the equation amplifies. A state that comes back with less than half of
  the digits asked for raises a `RuntimeError`. The value is that of the function itself, to the
  last bit. Compare with differences (`check_grads`, `s2sad verify`) at tolerances of 1e-12 or so:
  the steps that `odeint` chooses differ between two points, which differences see and the
  derivative does not.
"""

HELPERS = """\
## Helpers

Long formulas are functions of `s2s_ad/operations/helpers.py`. Their source is copied into the
modules that call them, and they are operations themselves, so that a generated module can be
differentiated again.

"""

# Families with a section of their own; those without a title have only helpers
FAMILIES = {
    "elementwise": "Element by element",
    "math_functions": "Functions of `math` for numbers and lists of them",
    "choices": "Choices element by element",
    "reductions": "Sums and extremes",
    "nan_reductions": "Sums that leave elements out",
    "initial": "Sums and extremes that begin with a value",
    "running": "Running sums, products and differences",
    "ordering": "Sorting and searching",
    "quantiles": "Medians and quantiles",
    "products": "Products of vectors, matrices and stacks of them",
    "vector_products": "Products of vectors in stacks",
    "tensordot": "Contractions, `np.kron` and `np.cross`",
    "diagonals": "Diagonals",
    "solving": "Linear systems, inverses and determinants",
    "factorisations": "Factorisations",
    "orthogonal_factors": "QR factors",
    "pseudoinverses": "Pseudoinverses and least squares",
    "norms": "Norms, condition numbers and powers",
    "polynomials": "Chains of products, polynomials, convolutions",
    "polynomial_arithmetic": "Sums and products of polynomials",
    "fourier": "`np.fft`",
    "complex_numbers": "Parts of complex numbers",
    "special": "`scipy.special`",
    "special_integrals": "`scipy.special`: integrals and transformations",
    "scipy_linalg": "`scipy.linalg`",
    "scipy_factorisations": "`scipy.linalg`: factorisations",
    "scipy_equations": "`scipy.linalg`: equations, functions and patterns of matrices",
    "eigenvalues": "Eigenvalues of matrices that are not symmetric, and roots",
    "random_draws": "Random numbers",
    "scipy_systems": "`scipy.linalg`: systems and eigenvalues of one structure, polar factors",
    "distributions": "Distributions of `scipy.stats`",
    "joint_distributions": "Distributions of several variables",
    "spectra": "Spectra of `scipy.signal`",
    "signal": "Convolutions and filters of `scipy.signal`, and `scipy.integrate.simpson`",
    "product_adjoints": "",
    "implicit": "",
    "odes": "",
    "einsum": "`np.einsum`",
    "indexing": "Parts of arrays",
    "gathers": "Picked elements",
    "histograms": "Histograms",
    "parts": "Pieces, grids and indices",
    "shaping": "Shapes and axes",
    "arrays": "New arrays and types",
    "joining": "Joining",
    "rearranging": "Rearranging",
    "padding": "Padding",
    "sampling": "Sampled data",
}
CALLED = {
    "helper.eigen_of": "np.linalg.eig(a)",
    "helper.eigenvalues_of": "np.linalg.eigvals(a)",
    "helper.roots_of": "np.roots(p)",
}
"""Helpers that stand for a function of NumPy, as programs call it."""
WITHOUT_TABLE = ("custom", "effects", "support")  # operations that programs do not spell


def main() -> int:
    """Write the page or, with `--check`, say whether it is up to date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if out of date")
    options = parser.parse_args()
    text = page()
    if options.check:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
            return 0
        print(
            f"docs/{PAGE.name} is not up to date: run scripts/document_operations.py",
            file=sys.stderr,
        )
        return 1
    write_atomically(PAGE, text)
    return 0


def page() -> str:
    """The whole page."""
    parts = [HEAD + conventions()]
    helpers: list[Operation] = []
    for family, title in FAMILIES.items():
        every = [op for op in operations_of(family) if not op.update and not is_inner(op)]
        helpers += [op for op in every if op.helper]
        listed = [op for op in every if op.rules and (not op.helper or op.name in CALLED)]
        if title:
            parts.append(f"## {title}\n\n{table(listed)}" + without_derivative(every))
    parts += [SOLVED, HELPERS + helper_table(helpers)]
    return "\n".join(parts)


def operations_of(family: str) -> list[Operation]:
    """The operations of a file, each once, in the order of their declaration."""
    assert_complete()
    found = import_module(f"s2s_ad.operations.{family}").CATALOGUE.operations.values()
    return list({id(op): op for op in found}.values())


def assert_complete() -> None:
    """No family of the catalogue may be missing here."""
    known: set[str] = set()
    for family in (*FAMILIES, *WITHOUT_TABLE):
        known |= import_module(f"s2s_ad.operations.{family}").CATALOGUE.operations.keys()
    missing = catalogue().operations.keys() - known
    if missing:
        raise SystemExit(f"add the families of {', '.join(sorted(missing))} to FAMILIES")


def is_inner(op: Operation) -> bool:
    """Whether programs write it otherwise: the tuple and the slice of an index."""
    return op.printer is not None and not op.rules


# Tables -------------------------------------------------------------------------------------------


def conventions() -> str:
    """The table of points where a derivative is not defined."""
    rows = [
        (code(expression), code(point), code(gradient(expression, point)), note)
        for expression, point, note in CONVENTIONS
    ]
    return markdown(("Expression", "At", "Gradient", "Note"), rows)


def table(operations: Sequence[Operation]) -> str:
    """The operations of a family: spelling, kind, lines, note. Those of `math` join NumPy's."""
    rows: dict[object, list[str]] = {}
    for op in operations:
        shown = [] if op.name in CALLED else lines(op)
        same = (op.name.rpartition(".")[2], tuple(line.replace("math.", "np.") for line in shown))
        if op.name.startswith("math.") and same in rows:
            rows[same][0] += f", {code(spelled(op))}"
        else:
            place = same if op.name.startswith("numpy.") else op
            named = code(CALLED[op.name]) if op.name in CALLED else spelling(op)
            rows[place] = [named, kind(op), "<br>".join(shown), op.note]
    return markdown(("Operation", "Kind", "Derivative", "Note"), list(rows.values()))


def without_derivative(operations: Sequence[Operation]) -> str:
    """A paragraph with the operations that are piecewise constant or give no floats."""
    named = [code(spelled(op)) for op in operations if not op.rules and not op.helper]
    if not named:
        return ""
    return f"\nWithout a derivative (piecewise constant, or not a float): {', '.join(named)}.\n"


def helper_table(operations: Sequence[Operation]) -> str:
    """The helpers that are operations, with their own words."""
    rows = []
    for op in operations:
        says = inspect.getdoc(getattr(helper_functions, op.helper)) or ""
        kept = kind(op) if op.rules else "no derivative"
        rows.append((code(spelled(op)), kept, " ".join(says.split())))
    return markdown(("Helper", "Kind", "Gives"), rows)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; a column that is empty everywhere is left out."""
    kept = [k for k in range(len(head)) if any(row[k] for row in rows)]
    every = [
        [head[k] for k in kept],
        ["---"] * len(kept),
        *([row[k] for k in kept] for row in rows),
    ]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in every)


def code(text: str) -> str:
    """Code in a cell of a table, where a bar would end the cell."""
    return f"`{text}`".replace("|", "\\|")


def spelling(op: Operation) -> str:
    """The operation as in Python, and its other names."""
    names = [name for name, other in catalogue().operations.items() if other is op]
    methods = [f"x.{method}(...)" for method, name in catalogue().methods.items() if name in names]
    others = [shorter(name) for name in names if name != op.name] + methods
    text = code(spelled(op))
    return text + (f"<br>also {', '.join(map(code, others))}" if others else "")


def spelled(op: Operation) -> str:
    """`np.sum(x, axis=None, keepdims=False)`"""
    if op.name in WRITTEN:
        return WRITTEN[op.name]
    if op.template:
        return op.template.format(*op.parameters)
    parameters = [
        f"{name}={op.defaults[name]!r}" if name in op.defaults else name for name in op.parameters
    ]
    if op.call.endswith(("(", "[")):  # the starred operands are one sequence
        parameters = [name.removeprefix("*") for name in parameters]
    if op.name.startswith("ndarray."):
        return f"{parameters[0]}.{op.name.removeprefix('ndarray.')}({', '.join(parameters[1:])})"
    return f"{shorter(op.name)}({', '.join(parameters)})"


def shorter(name: str) -> str:
    """A dotted name as one writes it."""
    for module, short in (
        ("numpy.", "np."),
        ("builtins.", ""),
        ("helper.", ""),
        ("ndarray.", "x."),
    ):
        if name.startswith(module):
            return short + name.removeprefix(module)
    return name


def kind(op: Operation) -> str:
    """Where forward mode comes from."""
    if op.tangent:
        return "own tangent"
    if op.linear or op.bilinear:
        return "bilinear" if op.bilinear else "linear"
    return "elementwise" if op.elementwise else ""


# Lines --------------------------------------------------------------------------------------------


def lines(op: Operation) -> list[str]:
    """The derivative: the lines of its one rule, or those chosen for representative operands."""
    if len(op.rules) == 1 and not callable(op.rules[0].lines):
        return [code(line) for line in op.rules[0].lines]
    found: dict[tuple[str, ...], str] = {}
    for sample in samples(op):
        chosen = chosen_lines(op, sample)
        if chosen:
            found.setdefault(chosen, described(sample))
    if len(found) == 1:
        return [code(line) for line in next(iter(found))]
    result = []
    for chosen, operands in list(found.items())[:MOST_EXAMPLES]:
        result += [f"{operands}:", *map(code, chosen)]
    return result + (["..."] if len(found) > MOST_EXAMPLES else [])


def samples(op: Operation) -> Iterator[dict[str, Any]]:
    """Operands: for elementwise operations vectors, for others the samples of the declaration."""
    if op.elementwise:
        yield dict.fromkeys(op.parameters, "f[3]")
    yield from op.samples


def chosen_lines(op: Operation, sample: dict[str, Any]) -> tuple[str, ...]:
    """The lines of the first rule whose guard holds, as the adjoint pass chooses it."""
    operands = list(atoms(op, sample))
    for rule in op.rules:
        if rule.when is None or rule.when(operands):
            try:
                return rule.lines_for(operands)
            except NotDifferentiable:
                return ()
    return ()


def atoms(op: Operation, sample: dict[str, Any]) -> Iterator[Atom]:
    """A sample as the compiler sees it: arrays are variables, all else constants."""
    for parameter in op.parameters:
        name = parameter.removeprefix("*")
        given = sample.get(name, op.defaults.get(name))
        if parameter.startswith("*"):
            for k, item in enumerate(given or ()):
                yield atom(f"{name}{k}", item)
        else:
            yield atom(name, given)


def atom(name: str, spec: Any) -> Atom:
    """ "f[2,3]" are floats, "p[3]" positive ones, "c[2]" complex numbers, "i[4]<5" integers, "b[5]"
    booleans.
    """
    matched = (
        re.fullmatch(r"([fpibc])\[([\d,]*)\](?:<\d+)?", spec) if isinstance(spec, str) else None
    )
    if matched is None:
        return Const(spec)
    dtype = {"f": "f64", "p": "f64", "c": "c128", "i": "i64", "b": "bool"}[matched[1]]
    shape = tuple(Size.of(int(size)) for size in matched[2].split(",") if size)
    if not shape:
        kinds = {"f64": "float", "c128": "complex", "i64": "int", "bool": "bool"}
        return Var(name, Number(kinds[dtype]))
    return Var(name, Array(dtype, shape))


def described(sample: dict[str, Any]) -> str:
    """`x[3,4], axis=0`: the shapes of arrays, the values of all else."""
    parts = []
    for name, spec in sample.items():
        items = spec if isinstance(spec, tuple) and is_array(spec[:1]) else (spec,)
        for k, item in enumerate(items):
            label = name if len(items) == 1 else f"{name}{k}"
            if is_array((item,)):
                made = atom(label, item)
                parts.append(label if made.type == FLOAT else label + shape_text(made.type))
            else:
                parts.append(f"{label}={spell_constant(item)}")
    return code(", ".join(parts))


def is_array(items: Sequence[Any]) -> bool:
    """Whether there is a first item, and it stands for an array."""
    return bool(items) and isinstance(atom("x", items[0]), Var)


def shape_text(kind: Any) -> str:
    """`[3, 4]`, with the dtype where that is not float."""
    text = str(kind).removeprefix("f64")
    return text if text.startswith("[") else f": {text}"


# Gradients ----------------------------------------------------------------------------------------


def gradient(expression: str, point: str) -> str:
    """What generated code gives there: numbers, or the name of what it raises."""
    arguments: dict[str, Any] = eval(f"dict({point})", {"np": np})
    source = f"import numpy as np\n\n\ndef f({', '.join(arguments)}):\n    return {expression}\n"
    types = {
        name: TypeReader().argument("float[n]" if isinstance(value, np.ndarray) else "float")
        for name, value in arguments.items()
    }
    function = FileScope(parse_text(source, "convention.py")).lookup("f")
    assert isinstance(function, UserFunction)
    try:
        lowered, _ = lower_function(function, types)
        module = generate(lowered, Options(bare=len(arguments) == 1))
    except DifferentiationError as problem:
        raise SystemExit(f"{expression}: {problem}") from None
    names: dict[str, Any] = {}
    exec(module, names)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return numbers(names["grad_f"](*arguments.values()))
        except ArithmeticError as problem:
            return type(problem).__name__


def numbers(value: Any) -> str:
    """`(0.5, 0.5)`, `[0, 0.5]`"""
    if isinstance(value, tuple):
        return f"({', '.join(map(numbers, value))})"
    if np.ndim(value):
        return f"[{', '.join(map(numbers, value))}]"
    return f"{float(value) + 0.0:g}"


if __name__ == "__main__":
    sys.exit(main())
