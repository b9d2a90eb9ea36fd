"""Chains of products, polynomials, convolutions, and systems of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from s2s_ad.ir import Atom, Const, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.matrices import factor_dtype, mismatch
from s2s_ad.operations.result_types import (
    Infer,
    constant,
    known_shape,
    of_shape,
    require_numeric,
    strong_promotion,
    unsupported,
)
from s2s_ad.types import (
    Array,
    Scalar,
    Size,
    Sizes,
    Type,
    TypeProblem,
    dtype_of,
    promote,
    rank_of,
    shape_of,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


# np.linalg.multi_dot ------------------------------------------------------------------------------


def _chain_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    shapes = [known_shape(operand, "np.linalg.multi_dot") for operand in operands]
    if len(operands) < 2:
        raise TypeProblem("bad-call", "`np.linalg.multi_dot` needs two arrays or more")
    for k, shape in enumerate(shapes):
        outer = k in (0, len(shapes) - 1)
        if len(shape) != 2 and not (outer and len(shape) == 1):
            message = "`np.linalg.multi_dot` takes matrices, with vectors at the ends"
            raise TypeProblem("shape-mismatch", message)
    for left, right in pairwise(shapes):
        try:
            sizes.unify(left[-1], right[0])
        except TypeProblem:
            raise mismatch("np.linalg.multi_dot", left, right) from None
    dtype = strong_promotion([operand.type for operand in operands])
    first = shapes[0][:-1] if len(shapes[0]) == 2 else ()
    last = shapes[-1][1:] if len(shapes[-1]) == 2 else ()
    return of_shape(dtype, (*first, *last))


def chain_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    """The adjoint of a factor: what is left of it, transposed, the adjoint, what is right of it."""
    ranks = [rank_of(operand.type) for operand in operands]
    last = len(ranks) - 1
    lines = []
    for k, rank in enumerate(ranks):
        left, right = _chain(range(k)), _chain(range(k + 1, len(ranks)))
        if rank == 1:
            # a vector at one end
            other, end = (right, ranks[last]) if k == 0 else (left, ranks[0])
            value = f"{other} * grad_out" if end == 1 else f"{other} @ grad_out"
            if k == last and end != 1:
                value = f"grad_out @ {other}"
        else:
            value = _times_right(right, ranks[0] == 1, ranks[last] == 1)
            if left:
                is_row = ranks[0] == 1
                value = f"np.outer({left}, {value})" if is_row else f"({left}).T @ {value}"
        lines.append(f"grad_arrays{k} += {value}")
    return tuple(lines)


def _times_right(right: str, left_is_row: bool, right_is_column: bool) -> str:
    """The adjoint times the transposed product of what is right of a factor."""
    if not right:
        return "grad_out"
    if not right_is_column:
        return f"(grad_out @ ({right}).T)"
    return f"(grad_out * {right})" if left_is_row else f"np.outer(grad_out, {right})"


def _chain(places: Sequence[int]) -> str:
    names = [f"arrays{k}" for k in places]
    if len(names) < 2:
        return "".join(names)
    return f"np.linalg.multi_dot([{', '.join(names)}])"


operation(
    "out = np.linalg.multi_dot([*arrays])",
    infer=_chain_type,
    rules=(Rule(chain_lines),),
    bilinear=("arrays",),
    samples=(
        {"arrays": ("f[2,3]", "f[3,4]")},
        {"arrays": ("f[2,3]", "f[3,4]", "f[4,2]")},
        {"arrays": ("f[3]", "f[3,4]", "f[4,2]")},
        {"arrays": ("f[2,3]", "f[3,4]", "f[4,2]", "f[2]")},
        {"arrays": ("f[3]", "f[3,4]", "f[4,3]", "f[3]")},
        {"arrays": ("f[3]", "f[3]")},
        {"arrays": ("f[3]", "f[3,2]")},
        {"arrays": ("f[2,3]", "f[3]")},
    ),
)


# np.vander, np.polyval ----------------------------------------------------------------------------


def _vector(atom: Atom, function: str) -> Size:
    shape = known_shape(atom, function)
    if len(shape) != 1:
        raise TypeProblem("shape-mismatch", f"`{function}` takes vectors, not rank {len(shape)}")
    return shape[0]


def _vander_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    x, count, increasing = operands
    constant(increasing, "increasing")
    rows = _vector(x, "np.vander")
    known = getattr(count.type, "value", None)
    columns = rows if count == Const(None) else (known if known is not None else sizes.fresh())
    return Array(promote([Scalar(dtype_of(x.type)), Scalar("i64")]), (rows, columns))


def vander_slopes(operands: Sequence[Atom]) -> tuple[str, str]:
    """The slopes of the powers above 0, which are multiples of the powers below, and where these
    powers stand.
    """
    count = "np.shape(out)[1]"
    if constant(operands[2], "increasing"):
        return f"(np.arange(1, {count}) * out[:, :-1])", "1:"
    return f"(np.arange({count} - 1, 0, -1) * out[:, 1:])", ":-1"


def vander_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    slopes, part = vander_slopes(operands)
    return (f"grad_x += np.sum(grad_out[:, {part}] * {slopes}, axis=1)",)


def vander_tangent(operands: Sequence[Atom]) -> str:
    slopes, part = vander_slopes(operands)
    moved, still = f"np.expand_dims(tangent_x, 1) * {slopes}", "np.zeros_like(out[:, :1])"
    parts = f"{still}, {moved}" if part == "1:" else f"{moved}, {still}"
    return f"tangent_out = np.concatenate(({parts}), axis=1)"


operation(
    "out = np.vander(x, N=None, increasing=False)",
    infer=_vander_type,
    rules=(Rule(vander_lines),),
    tangent=vander_tangent,
    samples=(
        {"x": "f[3]"},
        {"x": "f[2]", "N": 4},
        {"x": "f[3]", "N": 2, "increasing": True},
        {"x": "f[3]", "N": 1},
    ),
)


def _polynomial_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    types = [operand.type for operand in operands]
    require_numeric(types)
    _vector(operands[0], "np.polyval")
    return of_shape(strong_promotion(types), shape_of(types[1]))


SLOPE = "np.polyval(p[:-1] * np.arange(len(p) - 1, 0, -1), x)"
operation(
    "out = np.polyval(p, x)",
    f"grad_x += grad_out * {SLOPE}",
    "grad_p += np.ravel(grad_out) @ np.vander(np.ravel(x), len(p))",
    infer=_polynomial_type,
    tangent=("tangent_out = np.polyval(tangent_p, x)", f"tangent_out = tangent_x * {SLOPE}"),
    samples=(
        {"p": "f[4]", "x": "f[3]"},
        {"p": "f[1]", "x": "f[2]"},
        {"p": "f[3]", "x": "f[2,2]"},
        {"p": "f[3]", "x": "f[]"},
    ),
)


# np.convolve, np.correlate ------------------------------------------------------------------------


def _convolution_type(function: str) -> Infer:
    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        types = [operand.type for operand in operands[:2]]
        require_numeric(types)
        first, second = (_vector(operand, function) for operand in operands[:2])
        dtype = strong_promotion(types)
        return Array(dtype, (_length(sizes, first, second, constant(operands[2], "mode")),))

    return infer


def _length(sizes: Sizes, first: Size, second: Size, mode: object) -> Size:
    if mode == "full":
        return first + second - 1
    if mode not in ("same", "valid"):
        raise unsupported(f"`mode` is {mode!r}", 'write "full", "same" or "valid"')
    if first.constant is None or second.constant is None:
        return sizes.fresh()
    long, short = max(first.constant, second.constant), min(first.constant, second.constant)
    return Size.of(long if mode == "same" else long - short + 1)


def _in_full(operands: Sequence[Atom], function: str) -> str:
    """The adjoint as that of the full result, of which `mode` gives a part."""
    mode = constant(operands[2], "mode")
    if mode == "full":
        return "grad_out"
    return f'{function}_in_full(grad_out, len(a), len(v), "{mode}")'


def convolve_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    full = _in_full(operands, "convolution")
    return f"grad_a += np.correlate({full}, v)", f"grad_v += np.correlate({full}, a)"


def correlate_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    full = _in_full(operands, "correlation")
    return (
        f'grad_a += np.convolve({full}, v, "valid")',
        f"grad_v += np.flip(np.correlate({full}, a))",
    )


CONVOLVED = tuple(
    {"a": f"f[{a}]", "v": f"f[{v}]", "mode": mode}
    for mode in ("full", "same", "valid")
    for a, v in ((4, 3), (3, 4), (5, 2), (2, 5), (3, 3), (1, 1))
)
for _form, _lines in (
    ("out = np.convolve(a, v, mode='full')", convolve_lines),
    ("out = np.correlate(a, v, mode='valid')", correlate_lines),
):
    operation(
        _form,
        infer=_convolution_type(_form[6:].partition("(")[0]),
        rules=(Rule(_lines),),
        bilinear=("a", "v"),
        samples=CONVOLVED,
    )


def _full_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    lengths = [getattr(operand.type, "value", None) for operand in operands[1:3]]
    known = None not in lengths
    full = lengths[0] + lengths[1] - 1 if known else sizes.fresh()  # type: ignore[operator]
    return Array(dtype_of(operands[0].type), (full,))


def _part_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    return Array(dtype_of(operands[0].type), (sizes.fresh(),))


for _name in ("convolution", "correlation"):
    operation(
        f"out = {_name}_in_full(part, n, m, mode)",
        f"grad_part += {_name}_part(grad_out, n, m, mode)",
        infer=_full_type,
        linear=("part",),
        helper=f"{_name}_in_full",
        samples=(
            {"part": "f[3]", "n": 3, "m": 2, "mode": "same"},
            {"part": "f[2]", "n": 2, "m": 3, "mode": "valid"},
        ),
    )
    operation(
        f"out = {_name}_part(full, n, m, mode)",
        f"grad_full += {_name}_in_full(grad_out, n, m, mode)",
        infer=_part_type,
        linear=("full",),
        helper=f"{_name}_part",
        samples=(
            {"full": "f[4]", "n": 3, "m": 2, "mode": "same"},
            {"full": "f[4]", "n": 2, "m": 3, "mode": "valid"},
        ),
    )


# np.linalg.tensorsolve ----------------------------------------------------------------------------


def _tensor_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    if constant(operands[2], "axes") is not None:
        raise unsupported("`axes` is not supported here", "move the axes with `np.moveaxis`")
    types = [operand.type for operand in operands[:2]]
    dtype = factor_dtype(types, "np.linalg.tensorsolve")
    left, right = (known_shape(operand, "np.linalg.tensorsolve") for operand in operands[:2])
    return of_shape(dtype, left[len(right) :])


TURNED = "np.reshape(a, (np.size(b), np.size(b))).T"
SOLVED = f"np.linalg.solve({TURNED}, np.ravel(grad_out))"
operation(
    "out = np.linalg.tensorsolve(a, b, axes=None)",
    f"grad_b += np.reshape({SOLVED}, np.shape(b))",
    f"grad_a += np.reshape(-np.outer({SOLVED}, np.ravel(out)), np.shape(a))",
    infer=_tensor_type,
    tangent=(
        "tangent_out = np.linalg.tensorsolve(a, tangent_b)",
        "tangent_out = -np.linalg.tensorsolve(a, np.tensordot(tangent_a, out, axes=np.ndim(out)))",
    ),
    samples=({"a": "f[2,3,6]", "b": "f[2,3]"}, {"a": "f[3,3]", "b": "f[3]"}),
)
