"""Calls of the catalogue's functions with all the arguments that these have.

Of the forms of a call (`form_table.py`) a few are checked here, others for each call; all of them,
and every pair of arguments, by `scripts/every_form.py`. What is refused is listed in
`docs/arguments.md`, and nothing else is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

import pytest

import s2s_ad
from s2s_ad.diagnostics import DifferentiationError
from s2s_ad.frontend.arguments import own_parameters
from s2s_ad.frontend.calls_numpy import FUNCTIONS, METHODS
from s2s_ad.operations import catalogue
from tests.operations.form_checks import check_first, check_second, check_single
from tests.operations.form_table import every_call
from tests.operations.forms import (
    FEW,
    LAYOUTS,
    Call,
    Form,
    function_of,
    given,
    operands_of,
    refusals,
    signature_of,
)

# a transform that pads without saying along which axes, among others
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
CALLS = every_call()


def text_of(call: Call) -> str:
    return call.text.replace("{}", "")


@pytest.mark.parametrize("call", CALLS, ids=text_of)
def test_some_forms(call: Call) -> None:
    """In one of the layouts by turns besides the usual one; for some calls in single precision, or
    the second derivative."""
    taken = [form for form in call.forms() if not call.is_refused(form)]
    # functions element by element, which have operands of their own, are much alike
    texts = [form.text for form in taken][: 1 if call.operands else FEW]
    if not texts:
        assert call.refused, "NumPy takes none of the forms"
        return
    others = list(LAYOUTS)[1:]
    check_first(texts, call.operands, ("C", others[call.turn % len(others)]))
    if call.turn % 16 == 0:
        or_refused(check_second, texts, call)
    if call.turn % 16 == 1:
        or_refused(check_single, texts, call)


REFUSALS = ("unsupported-dtype", "unsupported-argument", "no-derivative")


def or_refused(check: Callable[..., None], texts: Sequence[str], call: Call) -> None:
    """Single precision, and the derivative of a helper of the derivative, may be refused."""
    try:
        check(texts, call.operands)
    except DifferentiationError as refused:
        for diagnostic in refused.diagnostics:
            assert diagnostic.name in REFUSALS and diagnostic.help


@pytest.mark.parametrize("call", [call for call in CALLS if call.refused], ids=text_of)
def test_what_is_refused(call: Call) -> None:
    """By a diagnostic that says what to do."""
    entry = call.refused[call.turn % len(call.refused)]
    name, is_one_value, value = entry.partition("=")
    chosen = {} if entry == "call" else {name: value if is_one_value else call.options[name][0]}
    refused_by_name(call, call.form(chosen, [f"{n}={v}" for n, v in chosen.items()]))


def refused_by_name(call: Call, form: Form) -> None:
    operands = operands_of([form.text], call.operands)
    with pytest.raises(DifferentiationError) as caught:
        s2s_ad.vjp(function_of([form.text], tuple(operands)), *operands.values())
    for diagnostic in caught.value.diagnostics:
        assert diagnostic.name and diagnostic.help, form.text


def test_the_page_lists_calls_of_the_table() -> None:
    assert set(refusals()) <= set(map(text_of, CALLS))
    assert len(set(map(text_of, CALLS))) == len(CALLS), "one call for each text"


# Nothing is left out ------------------------------------------------------------------------------

# Functions whose arguments are tested elsewhere, and where.
ELSEWHERE = {
    **dict.fromkeys(
        (
            "numpy.copyto",
            "numpy.fill_diagonal",
            "numpy.place",
            "numpy.put",
            "numpy.put_along_axis",
            "numpy.putmask",
            "ndarray.choose",
        ),
        "they write to an array: tests/operations/test_numpy_calls.py",
    ),
    **dict.fromkeys(
        (
            "ndarray.put",
            "numpy.histogram",
            "numpy.polynomial.chebyshev.chebval",
            "numpy.polynomial.hermite.hermval",
            "numpy.polynomial.hermite_e.hermeval",
            "numpy.polynomial.laguerre.lagval",
            "numpy.polynomial.legendre.legval",
            "numpy.polynomial.polynomial.polyval",
        ),
        "tests/operations/test_numpy_keywords.py",
    ),
    **dict.fromkeys(
        ("numpy.apply_along_axis", "numpy.fromfunction", "numpy.vectorize", "numpy.vectorize()"),
        "they call a function of the program: tests/operations/test_numpy_calls.py",
    ),
    **dict.fromkeys(
        (
            "numpy.diag_indices",
            "numpy.diag_indices_from",
            "numpy.ix_",
            "numpy.nonzero",
            "numpy.tril_indices",
            "numpy.tril_indices_from",
            "numpy.triu_indices",
            "numpy.triu_indices_from",
            "numpy.unravel_index",
            "ndarray.nonzero",
            "numpy.dtype",
            "numpy.isscalar",
            "numpy.issubdtype",
            "numpy.logical_and.reduce",
            "numpy.logical_or.reduce",
        ),
        "they give no floats: tests/operations/test_numpy_calls.py",
    ),
    **dict.fromkeys(
        (
            "numpy.float16",
            "numpy.float32",
            "numpy.float64",
            "numpy.complex64",
            "numpy.complex128",
            "numpy.real",
            "ndarray.conj",
        ),
        "types, and complex numbers: tests/operations/test_complex_numbers.py",
    ),
    **dict.fromkeys(
        (
            "scipy.signal.csd",
            "scipy.signal.istft",
            "scipy.signal.stft",
        ),
        "complex or several results: tests/operations/test_scipy_calls.py",
    ),
    "numpy.divmod": "two results, one without derivative: tests/operations/test_numpy_calls.py",
    "numpy.frexp": "two results, one without derivative: tests/operations/test_numpy_calls.py",
    "numpy.modf": "two results, one without derivative: tests/operations/test_numpy_calls.py",
}
FAMILIES = {
    "scipy.stats.": "density functions of one making: tests/operations/test_rules.py",
    ".outer": "a function element by element on more axes: tests/operations/test_numpy_calls.py",
    ".at": "they write to an array: tests/operations/test_numpy_calls.py",
}
# Arguments that NumPy's and SciPy's functions share, and why no form has them.
SHARED = {
    "out": "an array to write to: tests/operations/test_numpy_calls.py",
    "like": "for other libraries' arrays",
    "device": "for other libraries' arrays",
    "subok": "subclasses of arrays are refused",
    "casting": "only what NumPy does by itself is taken",
    "copy": "values are the same",
    "overwrite_input": "what is in the operand afterwards is not known",
    "overwrite_a": "what is in the operand afterwards is not known",
    "overwrite_b": "what is in the operand afterwards is not known",
    "overwrite_ab": "what is in the operand afterwards is not known",
    "overwrite_data": "what is in the operand afterwards is not known",
    "check_finite": "the value is the same",
    "args": "operands, which a call has",
    "kwargs": "for functions of the program",
    "kw": "for functions of the program",
}


def functions() -> set[str]:
    """What a program may call for a derivative: functions of NumPy and SciPy, and methods."""
    declared = {
        name
        for name, op in catalogue().operations.items()
        if op.rules and not op.constant and name.startswith(("numpy.", "scipy."))
    }
    called = {name for name in FUNCTIONS if name.startswith(("numpy.", "scipy."))}
    methods = {
        f"ndarray.{method}"
        for method, name in catalogue().methods.items()
        if catalogue().operations[name].rules and not catalogue().operations[name].constant
    }
    names = declared | called | methods | {f"ndarray.{method}" for method in METHODS}
    return {name for name in names if "[" not in name and not in_family(name)}


def in_family(name: str) -> bool:
    return any(name.startswith(part) or name.endswith(part) for part in FAMILIES)


def same(name: str) -> object:
    """Names of one operation, and of one function, count once."""
    op = catalogue().operations.get(name)
    return name if op is None else id(op)


def test_every_function_is_called() -> None:
    tested = {same(call.name) for call in CALLS} | {same(name) for name in ELSEWHERE}
    missing = {name for name in functions() if same(name) not in tested}
    assert not missing, "add them to tests/operations/form_table.py"


def test_every_argument_is_given() -> None:
    forms: dict[str, set[str]] = {}
    for call in CALLS:
        if signature_of(call.name) is not None:
            forms.setdefault(call.name, set()).update(given(call), call.options)
    missing = {
        f"{name}: {parameter}"
        for name, arguments in forms.items()
        for parameter in set(parameters(name)) - arguments - set(SHARED)
        if f"{name}: {parameter}" not in WITHOUT
    }
    assert not missing, "add values of them to tests/operations/form_table.py"


def parameters(name: str) -> list[str]:
    signature = signature_of(name)
    assert signature is not None
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found = [p.name for p in signature.parameters.values() if p.kind not in kinds]
    # those of all ufuncs change the dtype and the order in memory
    return [p for p in found if p not in UFUNCS] if "signature" in found else found


def test_arguments_of_scipy_by_position() -> None:
    """An operation has its parameters in SciPy's order, or the front end knows that order."""
    for name, op in catalogue().operations.items():
        signature = signature_of(name) if name.startswith("scipy.") else None
        if signature is None or "signature" in signature.parameters or in_family(name):
            continue
        by_position = [
            p.name
            for p in signature.parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        required = len(op.parameters) - len(op.defaults)
        ours = list(op.parameters[required:])
        if by_position[required : len(op.parameters)] != ours and name not in OTHER_FRONT:
            known = own_parameters(name)
            assert known == tuple(by_position[: len(known)]) != (), name


OTHER_FRONT = {
    "scipy.linalg.eigh": "frontend/calls_scipy.py",
    "scipy.linalg.eigvalsh": "frontend/calls_scipy.py",
    "scipy.linalg.lu_solve": "a pair is one argument: frontend/calls_linalg.py",
    "scipy.integrate.simpson": "by name only",
    "scipy.signal.detrend": "frontend/calls_scipy_parts.py",
}
UFUNCS = ("where", "order", "dtype", "signature", "subok", "casting")
# Arguments of one function that no form has, and why.
WITHOUT = {
    **dict.fromkeys(
        ("numpy.sort: order", "numpy.partition: order"), "names of fields, which arrays have not"
    ),
    **dict.fromkeys(
        (
            "numpy.matvec: axes",
            "numpy.matvec: axis",
            "numpy.matvec: keepdims",
            "numpy.vecmat: axes",
            "numpy.vecmat: axis",
            "numpy.vecmat: keepdims",
        ),
        "as those of `np.matmul`",
    ),
    "numpy.array: ndmax": "how deep lists are read; those of a program have no depth but their own",
    "numpy.lib.stride_tricks.sliding_window_view: writeable": "no view is written to",
    "scipy.special.factorial: extend": "the default is the only one for floats",
    "scipy.linalg.qr: lwork": "size of a workspace",
    "scipy.linalg.sqrtm: blocksize": "deprecated",
    "scipy.linalg.sqrtm: disp": "deprecated",
    "scipy.linalg.logm: disp": "deprecated",
    "scipy.linalg.expm_frechet: method": "which algorithm",
    **dict.fromkeys(
        (
            "scipy.linalg.eigvalsh: driver",
            "scipy.linalg.eigh: driver",
            "scipy.linalg.eigvalsh_tridiagonal: lapack_driver",
            "scipy.linalg.eigvalsh_tridiagonal: tol",
            "scipy.linalg.eigh_tridiagonal: lapack_driver",
            "scipy.linalg.eigh_tridiagonal: tol",
        ),
        "which algorithm, and how exact",
    ),
    **dict.fromkeys(
        (
            "scipy.linalg.eigvalsh: subset_by_value",
            "scipy.linalg.eigh: subset_by_value",
            "scipy.linalg.eigh: subset_by_index",
            "scipy.linalg.eigh: type",
            "scipy.linalg.eigh_tridiagonal: select",
            "scipy.linalg.eigh_tridiagonal: select_range",
        ),
        "as for the eigenvalues alone",
    ),
}
