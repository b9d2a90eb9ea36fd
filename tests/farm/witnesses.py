"""Other ways to a derivative, for programs that are in their language: the complex step, autograd,
the generated code compiled by Numba. Each gives None for a program that it does not take.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.numerics import leaves_of

STEP = 1e-150
# not analytic, or not of complex numbers
KINKED = {"abs", "max", "min", "float", "fabs", "maximum", "minimum", "sign", "absolute"}
REAL = {"math", "norm", "linalg", "scipy", "conjugate", "real", "imag", "angle", "sort", "median"}
LOOKING = {"real_if_close", "isreal", "iscomplex"}  # they see the small imaginary part


def is_analytic(text: str) -> bool:
    """Whether the text calls only what complex numbers pass through as the real ones do."""
    nodes = list(ast.walk(ast.parse(text)))
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names |= {node.id for node in nodes if isinstance(node, ast.Name)}
    return not names & (KINKED | REAL | LOOKING)


def complex_step(
    primal: Callable[..., Any], arguments: Sequence[Any], directions: Sequence[Any], seeds: Any
) -> float | None:
    """The derivative along a direction, to the last digits; None if complex numbers do not get
    through.
    """
    moved = [
        _copied(x) if d is None else np.asarray(x) + 1j * STEP * np.asarray(d)
        for x, d in zip(arguments, directions, strict=True)
    ]
    moved = [x[()] if isinstance(x, np.ndarray) and not x.ndim else x for x in moved]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an imaginary part that is dropped
            found = leaves_of(primal(*moved))
    except Exception:
        return None
    if not any(np.iscomplexobj(leaf) for leaf in found):
        return None
    pairs = zip(found, seeds, strict=True)
    return float(sum(np.sum(np.imag(leaf) / STEP * seed) for leaf, seed in pairs))


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def meets_nan(text: str, arguments: Sequence[Any]) -> bool:
    """Whether a program makes NaN elsewhere than in a branch of `np.where` that is not taken.

    Such numbers have no slope, and 0 * NaN is NaN: the gradient may be, as in other tools.
    """
    tree = _Lazy().visit(ast.parse(text))
    names: dict[str, Any] = {"__name__": "lazy_case", "_where": _where}
    exec(compile(ast.fix_missing_locations(tree), "<lazy>", "exec"), names)
    try:
        with np.errstate(invalid="raise"):
            names["f"](*[_copied(x) for x in arguments])
    except FloatingPointError:
        return True
    return False


class _Lazy(ast.NodeTransformer):
    """`np.where(c, x, y)` with functions for x and y, in which it stays as it is."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if ast.unparse(node.func) != "np.where" or len(node.args) != 3 or node.keywords:
            return self.generic_visit(node)
        test, *branches = self.visit(node.args[0]), *node.args[1:]
        nothing = ast.arguments([], [], None, [], [], None, [])
        later = [ast.Lambda(nothing, branch) for branch in branches]
        return ast.Call(ast.Name("_where", ast.Load()), [test, *later], [])


def _where(test: Any, one: Callable[[], Any], other: Callable[[], Any]) -> Any:
    with np.errstate(invalid="ignore"):
        result = np.where(test, one(), other())
    if np.isnan(result).any():
        raise FloatingPointError("NaN in a branch that is taken")
    return result


def largest_number(text: str, arguments: Sequence[Any]) -> float:
    """The largest magnitude among the numbers that a program computes on its way."""
    tree = ast.fix_missing_locations(_Watched().visit(ast.parse(text)))
    seen = [0.0]

    def see(value: Any) -> Any:
        if isinstance(value, float | complex | np.ndarray | np.generic):
            numbers = np.abs(np.asarray(value, complex))
            seen.append(float(np.max(np.nan_to_num(numbers, nan=np.inf), initial=0.0)))
        return value

    names: dict[str, Any] = {"__name__": "watched_case", "_see": see}
    exec(compile(tree, "<watched>", "exec"), names)
    names["f"](*[_copied(x) for x in arguments])
    return max(seen)


class _Watched(ast.NodeTransformer):
    """Every result of an operation or a call goes through `_see`; `x += e` is followed by it."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        return self._seen(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return self._seen(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:
        read = ast.parse(ast.unparse(node.target), mode="eval").body
        self.generic_visit(node)
        return [node, ast.Expr(ast.Call(ast.Name("_see", ast.Load()), [read], []))]

    def _seen(self, node: ast.expr) -> ast.AST:
        self.generic_visit(node)
        return ast.Call(ast.Name("_see", ast.Load()), [node], [])


def by_autograd(text: str, arguments: Sequence[Any], places: Sequence[int]) -> Any:
    """The value and the gradients that autograd gives; None if it refuses, or is not installed."""
    try:
        import autograd
    except ImportError:
        return None
    names: dict[str, Any] = {"__name__": "autograd_case"}
    exec(text.replace("import numpy as np", "import autograd.numpy as np"), names)
    copies = [_copied(x) for x in arguments]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return autograd.value_and_grad(names["f"], list(places))(*copies)
    except Exception:
        return None


def by_jax(text: str, arguments: Sequence[Any], places: Sequence[int]) -> Any:
    """The value and the gradients that JAX gives, in double precision and without compiling; None
    if it refuses (it knows no writes to arrays), or is not installed.
    """
    try:
        import jax
    except ImportError:
        return None
    names: dict[str, Any] = {"__name__": "jax_case"}
    changed = text.replace("import numpy as np", "import jax.numpy as np")
    exec(changed.replace("import scipy\n", "import jax.scipy as scipy\n"), names)
    try:
        with warnings.catch_warnings(), jax.enable_x64(True), jax.disable_jit():
            warnings.simplefilter("ignore")
            moved = [jax.numpy.asarray(x) if k in places else x for k, x in enumerate(arguments)]
            return jax.value_and_grad(names["f"], tuple(places))(*moved)
    except Exception:
        return None


def by_numba(names: dict[str, Any], name: str, arguments: Sequence[Any]) -> Any:
    """What the generated function gives when Numba compiles it; None if it does not."""
    try:
        import numba
    except ImportError:
        return None
    compiled = {
        key: numba.njit(value) if callable(value) and hasattr(value, "__code__") else value
        for key, value in names.items()
    }
    scope: dict[str, Any] = names[name].__globals__
    before = dict(scope)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scope.update(compiled)
            return compiled[name](*[_copied(x) for x in arguments])
    except Exception:
        return None
    finally:
        scope.update(before)
