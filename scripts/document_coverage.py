"""Writes `docs/coverage.md`: which functions of NumPy are differentiated here, by autograd, by JAX.

It looks at the installed packages (`pip install -e '.[bench]'`): autograd's table of derivatives
and JAX's namespace. `--check` writes nothing and fails unless the file is up to date.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from s2s_ad.files import write_atomically
from s2s_ad.frontend.calls import SPECIAL
from s2s_ad.frontend.calls_linalg import refuse_family
from s2s_ad.frontend.calls_numpy import FUNCTIONS
from s2s_ad.operations import catalogue

PAGE = Path(__file__).parent.parent / "docs" / "coverage.md"
SPACES = ("", "linalg.", "fft.")
SCIPY_SPACES = ("integrate", "linalg", "signal", "special", "stats")
YES, CONSTANT, THROUGH, NO = "yes", "constant", "through others", "—"
RAISES = "raises"

# Functions that have nothing to differentiate: they look at types, print, read or write files, work
# on bits, dates or complex numbers, or give what does not depend on floats
NOTHING_TO_DIFFERENTIATE = frozenset(
    [
        "array_repr",
        "array_str",
        "base_repr",
        "binary_repr",
        "bitwise_count",
        "broadcast_shapes",
        "can_cast",
        "einsum_path",
        "finfo",
        "format_float_positional",
        "format_float_scientific",
        "from_dlpack",
        "frombuffer",
        "fromfile",
        "fromiter",
        "fromregex",
        "fromstring",
        "genfromtxt",
        "get_printoptions",
        "iinfo",
        "info",
        "isdtype",
        "isfortran",
        "isnat",
        "iscomplexobj",
        "isrealobj",
        "isscalar",
        "issubdtype",
        "iterable",
        "load",
        "loadtxt",
        "mask_indices",
        "may_share_memory",
        "min_scalar_type",
        "mintypecode",
        "packbits",
        "printoptions",
        "promote_types",
        "ravel_multi_index",
        "result_type",
        "save",
        "savetxt",
        "savez",
        "savez_compressed",
        "set_printoptions",
        "shares_memory",
        "sort_complex",
        "test",
        "typename",
        "unpackbits",
        "array2string",
        "asarray_chkfinite",
        "asmatrix",
        "bmat",
        "busday_count",
        "busday_offset",
        "common_type",
        "datetime_as_string",
        "datetime_data",
        "get_include",
        "getbufsize",
        "geterr",
        "geterrcall",
        "is_busday",
        "nested_iters",
        "poly1d",
        "require",
        "roots_of_unity",
        "setbufsize",
        "seterr",
        "seterrcall",
        "show_config",
        "show_runtime",
        "frompyfunc",
        "fftfreq",
        "rfftfreq",
        "histogram",
        "histogram2d",
        "histogramdd",
        "histogram_bin_edges",
        "intersect1d",
        "union1d",
        "setdiff1d",
        "setxor1d",
        "unique_all",
        "unique_counts",
        "unique_inverse",
        "matrix_rank",
        "vectorize",
        "fromfunction",
    ]
)

HEAD = """\
# Coverage

<!-- Written by scripts/document_coverage.py. -->

Every function of `numpy`, `numpy.linalg`, `numpy.fft` and of parts of SciPy that autograd or JAX
has under the same name and that can have a derivative for real input, and what becomes of it here.
Written with autograd {autograd}, JAX {jax}, NumPy {numpy} and SciPy {scipy}.

- **yes**: differentiated, in reverse and forward mode, to every order.
- **constant**: accepted; its result is piecewise constant, an index, or a truth value.
- **through others**: autograd has no derivative of its own, and traces the parts of NumPy's code as
  far as it can.
- **raises**: the function is there, and its derivative raises; the script calls it, of JAX's
  functions for those that are refused here.
- **—**: refused here with `error[unknown-operation]`; not there, in the others.

That a function is there does not say that each of its arguments is: an argument that is not
supported is refused by name. [operations.md](operations.md) has the derivatives and conventions.

"""


def main() -> int:
    """Write the page or, with `--check`, say whether it is up to date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if out of date")
    options = parser.parse_args()
    text = page()
    if options.check:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
            return 0
        print(f"docs/{PAGE.name} is not up to date: run {Path(__file__).name}", file=sys.stderr)
        return 1
    write_atomically(PAGE, text)
    return 0


def page() -> str:
    """The whole page."""
    import jax
    import scipy

    rows = [(name, ours(name), of_autograd(name), of_jax(name)) for name in names()]
    counted = sum(1 for row in rows if row[1] != NO)
    head = HEAD.format(
        autograd=version("autograd"),
        jax=jax.__version__,
        numpy=np.__version__,
        scipy=scipy.__version__,
    )
    summary = f"{counted} of {len(rows)} functions of NumPy."
    summary += differentiated_elsewhere(rows, "np.")
    lines = ["| Function | s2s_ad | autograd | JAX |", "| --- | --- | --- | --- |"]
    lines += [f"| `np.{name}` | {own} | {first} | {second} |" for name, own, first, second in rows]
    return head + summary + "\n\n" + "\n".join(lines) + "\n" + scipy_section()


def differentiated_elsewhere(rows: list[tuple[str, ...]], prefix: str) -> str:
    """A sentence about what is refused here alone."""
    missing = [name for name, own, *others in rows if own == NO and YES in others]
    if not missing:
        return ""
    listed = ", ".join(f"`{prefix}{name}`" for name in missing)
    return f" Differentiated by one of the others and not here: {listed}."


def scipy_section() -> str:
    """The table of SciPy's functions."""
    rows = [(name, ours(name), of_autograd(name), of_jax(name)) for name in scipy_names()]
    counted = sum(1 for row in rows if row[1] != NO)
    lines = [
        "",
        "## SciPy",
        "",
        f"{counted} of {len(rows)} that one of the others has."
        + differentiated_elsewhere(rows, ""),
        "",
    ]
    lines += ["| Function | s2s_ad | autograd | JAX |", "| --- | --- | --- | --- |"]
    lines += [f"| `{name}` | {own} | {first} | {second} |" for name, own, first, second in rows]
    return "\n".join(lines) + "\n"


def scipy_names() -> Iterator[str]:
    """What SciPy and one of the others differentiate: functions, and methods of distributions."""
    for space in SCIPY_SPACES:
        home = importlib.import_module(f"scipy.{space}")
        others = [found for root in OTHERS if (found := inside_scipy(root, space)) is not None]
        for name in sorted({name for other in others for name in dir(other)}):
            found = getattr(home, name, None)
            if name.startswith("_") or found is None or f"{space}.{name}" in NOT_OF_REAL_NUMBERS:
                continue
            inner = {part for other in others for part in dir(getattr(other, name, None))}
            parts = sorted(part for part in inner & METHODS if hasattr(found, part))
            for full in [f"{space}.{name}.{part}" for part in parts] or [f"{space}.{name}"]:
                if {of_autograd(f"scipy.{full}"), of_jax(f"scipy.{full}")} != {NO}:
                    yield f"scipy.{full}"


OTHERS = ("autograd.scipy", "jax.scipy")
METHODS = frozenset(
    ["cdf", "entropy", "isf", "logcdf", "logpdf", "logpmf", "logsf", "pdf", "pmf", "ppf", "sf"]
)
NOT_OF_REAL_NUMBERS = frozenset(
    ["special.bernoulli", "special.sph_harm_y", "special.wofz", "stats.gaussian_kde"]
    + [f"linalg.{name}" for name in ("dft", "hadamard", "helmert", "hilbert", "invhilbert")]
    + ["linalg.invpascal", "linalg.pascal"]
)


def inside_scipy(root: str, space: str) -> Any:
    try:
        return importlib.import_module(f"{root}.{space}")
    except ImportError:
        return None


def names() -> Iterator[str]:
    """What NumPy and one of the others have."""
    for space in SPACES:
        home = inside(np, space)
        for name in sorted(vars(home) if space else dir(np)):
            found = getattr(home, name, None)
            if name.startswith("_") or isinstance(found, type) or not callable(found):
                continue
            if name in NOTHING_TO_DIFFERENTIATE:
                continue
            if of_autograd(space + name) != NO or of_jax(space + name) != NO:
                yield space + name


def inside(module: Any, space: str) -> Any:
    return getattr(module, space.rstrip("."), None) if space else module


def ours(name: str) -> str:
    """What the catalogue says."""
    full = name if name.startswith("scipy.") else f"numpy.{name}"
    special = FUNCTIONS.get(full) or SPECIAL.get(full)
    if special is not None and special.__qualname__.startswith(refuse_family.__name__):
        return NO
    if special is not None:
        return CONSTANT if name.endswith(("indices", "nonzero", "arange")) else YES
    op = catalogue().operations.get(full)
    if op is None:
        return NO
    return CONSTANT if op.constant else YES


def of_autograd(name: str) -> str:
    """Whether autograd has a derivative, or calls it constant, or wraps NumPy's Python code."""
    import autograd.numpy
    from autograd.core import primitive_vjps
    from autograd.numpy.numpy_vjps import nograd_functions

    space, _, short = name.rpartition(".")
    found = of_scipy("autograd", name)
    if not name.startswith("scipy."):
        found = getattr(inside(autograd.numpy, space), short, None)
    if found is None:
        return NO
    if found in primitive_vjps:
        return YES
    if any(found is each for each in nograd_functions):
        return CONSTANT
    if getattr(found, "_is_autograd_primitive", False):
        return NO  # a primitive without a derivative raises
    return THROUGH if getattr(found, "__module__", "").startswith("autograd") else NO


def of_scipy(package: str, name: str) -> Any:
    """What a package has for a dotted name of SciPy."""
    root, *parts = name.split(".")
    if root != "scipy":
        return None
    found = inside_scipy(f"{package}.scipy", parts[0])
    for part in parts[1:]:
        found = getattr(found, part, None)
    return found


def of_jax(name: str) -> str:
    import jax.numpy

    space, _, short = name.rpartition(".")
    found = of_scipy("jax", name)
    if not name.startswith("scipy."):
        found = getattr(inside(jax.numpy, space), short, None)
    if found is None:
        return NO
    if name in PROBES:
        return YES if jax_differentiates(name) else RAISES
    return CONSTANT if ours(name) == CONSTANT else YES


# How to call what is refused here, with a matrix and the function
PROBES: dict[str, Callable[[Any, Callable[..., Any]], Any]] = {
    "linalg.eig": lambda a, f: f(a)[1],
    "scipy.linalg.funm": lambda a, f: f(a, lambda x: x * x),
    "scipy.linalg.hessenberg": lambda a, f: f(a),
    "scipy.linalg.qr_multiply": lambda a, f: f(a, a)[0],
    "scipy.linalg.rsf2csf": lambda a, f: f(a, a)[0],
    "scipy.linalg.schur": lambda a, f: f(a)[0],
}


@cache
def jax_differentiates(name: str) -> bool:
    """Whether JAX gives a gradient of a function."""
    import jax

    space, _, short = name.rpartition(".")
    found = of_scipy("jax", name)
    if not name.startswith("scipy."):
        found = getattr(inside(jax.numpy, space), short, None)

    def total(a: Any) -> Any:
        return jax.numpy.sum(jax.numpy.abs(PROBES[name](a, found)))

    try:
        jax.grad(total)(jax.numpy.eye(3) + jax.numpy.arange(9.0).reshape(3, 3))
    except NotImplementedError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
