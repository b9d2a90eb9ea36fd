"""Calls of products that name axes or labels: `np.einsum` in all its forms, `np.cross` along any
axis, and the functions of `np.linalg` that are others of NumPy under another signature.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import libcst as cst

from s2s_ad.frontend.arguments import Arguments, call_operation, no_more
from s2s_ad.frontend.calls_tools import (
    Function,
    apply,
    known,
    known_rank,
    operand,
    operate,
    unsupported,
)
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, static, static_operand
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const, tuple_of
from s2s_ad.operations.einsum import read_labels
from s2s_ad.types import TypeProblem, shape_of

# np.einsum ----------------------------------------------------------------------------------------

# NumPy's letters for the labels 0, 1, 2, ... of lists, in an order that sorting keeps
LETTERS = string.ascii_uppercase + string.ascii_lowercase


def lower_einsum(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """Labels in lists become a string; what only renames axes is a transposition."""
    node = arguments.node
    if static(arguments.keywords.pop("order", Const("K"))) != Const("K"):
        message = "the order of `np.einsum` says in which order it adds up, which is not followed"
        raise unsupported(lowering, message, node, "leave `order` out")
    first = arguments.positional[0] if arguments.positional else Const(None)
    fixed = static(first)
    if fixed is None or not isinstance(fixed.value, str):
        arguments.positional[:] = _with_string(lowering, arguments.positional, node)
    renamed = _renamed(lowering, arguments, node)
    if renamed is not None:
        return renamed
    return call_operation(lowering, lowering.operation("numpy.einsum"), arguments, name)


def _with_string(lowering: Lowering, given: Sequence[Value], node: cst.Call) -> list[Value]:
    """`einsum(a, [0, 1], b, [1, 2], [0, 2])` as `einsum("AB,BC->AC", a, b)`."""
    arrays = given[0 : len(given) - len(given) % 2 : 2]
    lists = [_labels(lowering, each, node) for each in given[1::2]]
    text = ",".join(lists)
    if len(given) % 2:
        text += f"->{_labels(lowering, given[-1], node)}"
    return [Const(text), *arrays]


def _labels(lowering: Lowering, value: Value, node: cst.Call) -> str:
    labels = known(lowering, value, "subscripts", node)
    if not isinstance(labels, tuple) or not all(map(_is_label, labels)):
        raise lowering.refuse(
            "not-constant",
            "`np.einsum` needs its subscripts in a string, or a list of integers behind each array",
            node,
            help='write the subscripts as a string, as in `np.einsum("ij,jk->ik", a, b)`',
        )
    return "".join("..." if label is Ellipsis else LETTERS[label] for label in labels)


def _is_label(label: Any) -> bool:
    is_number = isinstance(label, int) and not isinstance(label, bool)
    return label is Ellipsis or (is_number and 0 <= label < len(LETTERS))


def _renamed(lowering: Lowering, arguments: Arguments, node: cst.Call) -> Value | None:
    """The diagonals and the transposition that a call with one operand is, if it sums nothing."""
    if len(arguments.positional) != 2 or set(arguments.keywords) - {"optimize"}:
        return None
    subscripts = static_operand(lowering, arguments.positional[0], node)
    x = array_operand(lowering, arguments.positional[1], node)
    shape = shape_of(x.type)
    if shape is None:
        return None
    try:
        labels = read_labels(subscripts, [shape])
    except TypeProblem:
        return None  # the operation itself says what is wrong
    (own,) = labels.operands
    if set(own) != set(labels.result):
        return None
    while len(set(own)) < len(own):
        twice = next(label for label in own if own.count(label) > 1)
        first, second = own.index(twice), own.index(twice, own.index(twice) + 1)
        x = apply(lowering, node, "diagonal", x, axis1=Const(first), axis2=Const(second))
        rest = [label for k, label in enumerate(own) if k not in (first, second)]
        own = (*rest, twice)
    order = Const(tuple(own.index(label) for label in labels.result))
    return apply(lowering, node, "transpose", x, axes=order)


# np.cross -----------------------------------------------------------------------------------------


def lower_cross(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """The axes of the vectors are moved to the end, and that of the result to its place."""
    node = arguments.node
    a, b = (operand(lowering, arguments, k, key) for k, key in enumerate("ab"))
    places = [
        known(lowering, arguments.take(k, key, Const(-1)), key, node)
        for k, key in enumerate(("axisa", "axisb", "axisc"), start=2)
    ]
    axis = known(lowering, arguments.take(5, "axis", Const(None)), "axis", node)
    no_more(lowering, arguments)
    if axis is not None:
        places = [axis] * 3
    return _cross(lowering, node, a, b, places)


def _cross(lowering: Lowering, node: cst.Call, a: Atom, b: Atom, places: Sequence[int]) -> Atom:
    vectors = [
        x
        if place in (-1, known_rank(lowering, x, node) - 1)
        else apply(lowering, node, "moveaxis", x, Const(place), Const(-1))
        for x, place in zip((a, b), places, strict=False)
    ]
    product = operate(lowering, node, "cross", *vectors)
    if places[2] in (-1, known_rank(lowering, product, node) - 1):
        return product
    return apply(lowering, node, "moveaxis", product, Const(-1), Const(places[2]))


# np.linalg ----------------------------------------------------------------------------------------


def lower_linalg_cross(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    a, b = (operand(lowering, arguments, k, key) for k, key in enumerate(("x1", "x2")))
    axis = known(lowering, arguments.keywords.pop("axis", Const(-1)), "axis", node)
    no_more(lowering, arguments)
    return _cross(lowering, node, a, b, [axis] * 3)


def on_last_axes(function: str) -> Function:
    """`np.linalg.trace` and `diagonal`, which are those of NumPy for the last two axes."""

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        node = arguments.node
        x = operand(lowering, arguments, 0, "x")
        offset = static_operand(lowering, arguments.keywords.pop("offset", Const(0)), node)
        if static(arguments.keywords.get("dtype", Const(0))) == Const(None):
            del arguments.keywords["dtype"]
        no_more(lowering, arguments)
        axes = {"axis1": Const(-2), "axis2": Const(-1)}
        return apply(lowering, node, function, x, offset, **axes)

    return lower


def lower_vector_norm(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """The norm of all elements, or along one axis or several."""
    node = arguments.node
    x = operand(lowering, arguments, 0, "x")
    axis = known(lowering, arguments.keywords.pop("axis", Const(None)), "axis", node)
    keepdims = arguments.keywords.pop("keepdims", Const(False))
    order = arguments.keywords.pop("ord", Const(2))
    no_more(lowering, arguments)
    rank = known_rank(lowering, x, node)
    keep = known(lowering, keepdims, "keepdims", node)
    if isinstance(axis, int):
        return apply(
            lowering, node, "linalg.norm", x, order, axis=Const(axis), keepdims=Const(keep)
        )
    axes = range(rank) if axis is None else [place % rank for place in axis]
    first = tuple(axes)
    rest = tuple(k for k in range(rank) if k not in first)
    flat = x
    if first + rest != tuple(range(rank)):
        flat = apply(lowering, node, "transpose", x, axes=Const(first + rest))
    flat = _merged(lowering, node, flat, len(first)) if len(first) != 1 else flat
    norm = apply(lowering, node, "linalg.norm", flat, order, axis=Const(0))
    return apply(lowering, node, "expand_dims", norm, Const(tuple(sorted(first)))) if keep else norm


def _merged(lowering: Lowering, node: cst.Call, x: Atom, count: int) -> Atom:
    """An array with its first axes, so many, as one."""
    dimension = lowering.operation("ndarray.shape[]")
    sizes: list[Atom] = [
        lowering.assign(dimension, [x, Const(k)], node)
        for k in range(known_rank(lowering, x, node))
    ]
    total: Atom = Const(1)
    for k, size in enumerate(sizes[:count]):
        total = size if k == 0 else lowering.assign(lowering.operation("*"), [total, size], node)
    return apply(lowering, node, "reshape", x, tuple_of([total, *sizes[count:]]))


def lower_matrix_norm(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    x = operand(lowering, arguments, 0, "x")
    order = arguments.keywords.pop("ord", Const("fro"))
    keepdims = arguments.keywords.pop("keepdims", Const(False))
    no_more(lowering, arguments)
    axes = Const((-2, -1))
    return apply(lowering, node, "linalg.norm", x, order, axis=axes, keepdims=keepdims)


def lower_tensor_inverse(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """The inverse of the matrix that a tensor is, with its first `ind` axes as rows."""
    node = arguments.node
    a = operand(lowering, arguments, 0, "a")
    split = known(lowering, arguments.take(1, "ind", Const(2)), "ind", node)
    no_more(lowering, arguments)
    rank = known_rank(lowering, a, node)
    if not isinstance(split, int) or not 0 < split < rank:
        raise unsupported(lowering, "`ind` has to leave axes on both sides", node, "change `ind`")
    dimension = lowering.operation("ndarray.shape[]")
    sizes = [lowering.assign(dimension, [a, Const(k)], node) for k in range(rank)]
    total: Atom = sizes[split]
    for size in sizes[split + 1 :]:
        total = lowering.assign(lowering.operation("*"), [total, size], node)
    matrix = apply(lowering, node, "reshape", a, tuple_of([total, total]))
    inverse = apply(lowering, node, "linalg.inv", matrix)
    return apply(lowering, node, "reshape", inverse, tuple_of([*sizes[split:], *sizes[:split]]))


def lower_vecdot(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.vecdot(x1, x2, axis=-1)`"""
    node = arguments.node
    axis = known(lowering, arguments.keywords.pop("axis", Const(-1)), "axis", node)
    vectors = [operand(lowering, arguments, k, key) for k, key in enumerate(("x1", "x2"))]
    no_more(lowering, arguments)
    if axis != -1:
        vectors = [apply(lowering, node, "moveaxis", x, Const(axis), Const(-1)) for x in vectors]
    return operate(lowering, node, "vecdot", *vectors)


PRODUCTS: dict[str, Function] = {
    "einsum": lower_einsum,
    "cross": lower_cross,
    "vecdot": lower_vecdot,
    "linalg.cross": lower_linalg_cross,
    "linalg.trace": on_last_axes("trace"),
    "linalg.diagonal": on_last_axes("diagonal"),
    "linalg.vector_norm": lower_vector_norm,
    "linalg.matrix_norm": lower_matrix_norm,
    "linalg.tensorinv": lower_tensor_inverse,
    "linalg.vecdot": lower_vecdot,
}
