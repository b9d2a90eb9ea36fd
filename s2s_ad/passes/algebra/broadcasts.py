"""Broadcasts of adjoints: not made where the next operation broadcasts anyway, and as late as
possible where they are.
"""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Const
from s2s_ad.operations import catalogue
from s2s_ad.operations.indexing import TUPLE
from s2s_ad.operations.result_types import constant, is_basic_index, normal_axes
from s2s_ad.operations.support import (
    ASTYPE,
    BROADCAST_TO,
    EXPAND_DIMS,
    NUMPY_SHAPE,
    SHAPE_ATTRIBUTE,
)
from s2s_ad.passes.algebra.context import Context, number
from s2s_ad.passes.algebra.products import without_cast
from s2s_ad.passes.algebra.shapes import size_value
from s2s_ad.types import DTYPES, ONE, Number, Type, dtype_of, scalar_like, shape_of


def already_that_shape(context: Context, statement: Assign) -> Atom | None:
    """A broadcast to the shape that the operand has, or of a broadcast."""
    x, shape = statement.operands
    if x.type == statement.target.type and shape_of(x.type) is not None:
        return x
    inner = context.defined_by(x, BROADCAST_TO.name)
    if inner is not None:
        return context.assign(BROADCAST_TO, inner.operands[0], shape)
    small = _without_leading_axes(context, x)
    return context.assign(BROADCAST_TO, small, shape) if small is not None else None


def cast_of_number(context: Context, statement: Assign) -> Atom | None:
    """Copies of a Python number as float32 are copies of the number as float32."""
    found = context.defined_by(statement.operands[0], BROADCAST_TO.name)
    dtype = dtype_of(statement.target.type)
    if found is None or not isinstance(found.operands[0].type, Number) or dtype not in NARROW:
        return None
    small = context.assign(f"numpy.{DTYPES[dtype]}", found.operands[0])
    return context.assign(BROADCAST_TO, small, found.operands[1])


def needless_cast(context: Context, statement: Assign) -> Atom | None:
    """A Python number beside an array of float32 need not be cast: NumPy does that."""
    for place, operand in enumerate(statement.operands):
        operands = list(statement.operands)
        operands[place] = without_cast(context, operand)
        changed = operands[place] != operand
        if changed and statement.op.infer(context.builder.sizes, operands) == statement.target.type:
            return context.assign(statement.op, *operands)
    return None


def _without_leading_axes(context: Context, atom: Atom) -> Atom | None:
    """x, where the atom is x with new axes in front, which broadcasting adds by itself."""
    found = context.defined_by(atom, EXPAND_DIMS.name)
    shape = shape_of(atom.type)
    if found is None or shape is None:
        return None
    axes = normal_axes(constant(found.operands[1], "axis"), len(shape))
    return found.operands[0] if sorted(axes) == list(range(len(axes))) else None


def let_operation_broadcast(context: Context, statement: Assign) -> Atom | None:
    """An elementwise operation broadcasts by itself: it takes the small operand, if the result
    stays the same.
    """
    for place, operand in enumerate(statement.operands):
        found = context.defined_by(operand, BROADCAST_TO.name)
        small = found.operands[0] if found is not None else _without_leading_axes(context, operand)
        if small is None:
            continue
        operands = [small if k == place else other for k, other in enumerate(statement.operands)]
        result = statement.op.infer(context.builder.sizes, operands)
        if same_known_shape(result, statement.target.type):
            return context.assign(statement.op, *operands)
    return None


def broadcast_later(context: Context, statement: Assign) -> Atom | None:
    """f(broadcast(x), 2.0) is broadcast(f(x, 2.0)): the work is done on the small array."""
    shape: Atom | None = None
    operands: list[Atom] = []
    others = [operand for operand in statement.operands if not scalar_like(operand.type)]
    for operand in statement.operands:
        found = context.defined_by(operand, BROADCAST_TO.name)
        if found is not None and (others == [operand] or _has_shape_of_result(operand, statement)):
            shape = found.operands[1]
            operands.append(found.operands[0])
        elif scalar_like(operand.type):
            operands.append(operand)
        else:
            return None
    if shape is None:
        return None
    small = context.assign(statement.op, *operands)
    return context.assign(BROADCAST_TO, small, shape)


def _has_shape_of_result(operand: Atom, statement: Assign) -> bool:
    shape = shape_of(operand.type)
    return shape is not None and shape == shape_of(statement.target.type)


def same_known_shape(left: Type, right: Type) -> bool:
    """Whether two types are the same and say what the shape is: two unknown shapes are not one."""
    return left == right and shape_of(left) is not None


def sum_of_broadcast(context: Context, statement: Assign) -> Atom | None:
    """The sum of n copies of x is n * x."""
    x, axis, keepdims = statement.operands
    found = context.defined_by(x, BROADCAST_TO.name)
    whole = shape_of(x.type)
    if found is None or whole is None:
        return None
    small = found.operands[0]
    inner = shape_of(small.type)
    axes = normal_axes(constant(axis, "axis"), len(whole))
    total = ONE
    for k in axes:
        total = total * whole[k]
    if inner == ():
        count, shape = size_value(context, total), shape_atom(context, statement.target)
        if count is None or shape is None:
            return None
        scaled = context.assign("*", small, count)
        if shape_of(statement.target.type) == ():
            return scaled
        return context.assign(BROADCAST_TO, scaled, shape)
    missing = len(whole) - len(inner or ())
    leading = sorted(axes) == list(range(missing)) and inner == whole[missing:]
    if inner is None or not leading or constant(keepdims, "keepdims"):
        return None
    count = size_value(context, total)
    return None if count is None else context.assign("*", small, count)


def shape_atom(context: Context, like: Atom) -> Atom | None:
    """The shape of a value as a tuple of sizes, without reading the value."""
    shape = shape_of(like.type)
    if shape is None:
        return None
    if all(size.constant is not None for size in shape):
        return Const(tuple(size.constant for size in shape))
    sizes = [size_value(context, size) for size in shape]
    known = [size for size in sizes if size is not None]
    return context.assign(TUPLE, *known) if len(known) == len(sizes) else None


def moved_number(context: Context, statement: Assign) -> Atom | None:
    """Axes of a number that was broadcast are nothing: broadcast it to the new shape."""
    found = context.defined_by(statement.operands[0], BROADCAST_TO.name)
    if found is None or not scalar_like(found.operands[0].type):
        return None
    shape = shape_atom(context, statement.target)
    return None if shape is None else context.assign(BROADCAST_TO, found.operands[0], shape)


def part_of_number(context: Context, statement: Assign) -> Atom | None:
    """A part of copies of a number is the number, or copies of it."""
    x, index = statement.operands
    found = context.defined_by(x, BROADCAST_TO.name)
    if found is None or found.role == "primal" or not is_basic_index(index.type):
        return None
    if not scalar_like(found.operands[0].type):
        return None
    if scalar_like(statement.target.type):
        return found.operands[0]
    shape = shape_atom(context, statement.target)
    return None if shape is None else context.assign(BROADCAST_TO, found.operands[0], shape)


def number_of_array(context: Context, statement: Assign) -> Atom | None:
    """The number in an array of rank 0 that was made of it."""
    found = context.defined_by(statement.operands[0], BROADCAST_TO.name)
    return None if found is None else found.operands[0]


def product_with_own_shape(context: Context, statement: Assign) -> Atom | None:
    """`np.broadcast_to(c, np.shape(v)) * v` is c * v, whatever the shape."""
    left, right = statement.operands
    for copies, other in ((left, right), (right, left)):
        found = context.defined_by(copies, BROADCAST_TO.name)
        if found is None or not scalar_like(found.operands[0].type):
            continue
        shape = context.defined_by(found.operands[1], NUMPY_SHAPE.name, SHAPE_ATTRIBUTE.name)
        if shape is not None and shape.operands[0] == other:
            return context.assign("*", found.operands[0], other)
    return None


def full_array(context: Context, statement: Assign) -> Atom | None:
    """`zeros + x` of the same shape is x."""
    left, right = statement.operands
    for zeros, other in ((left, right), (right, left)):
        if context.defined_by(zeros, "numpy.zeros", "numpy.zeros_like") and same_known_shape(
            other.type, statement.target.type
        ):
            return other
    return None


def mask_once(context: Context, statement: Assign) -> Atom | None:
    """where(c, f(where(c, g, 0)), 0) is where(c, f(g), 0): masked last, it need not be before."""
    test, first, second = statement.operands
    for place, (value, zero) in enumerate(((first, second), (second, first))):
        if number(zero) == 0:
            inside = _without_mask(context, value, test, place, 8)
            if inside is not None:
                branches = (inside, zero) if place == 0 else (zero, inside)
                return context.assign(statement.op, test, *branches)
    return None


def _without_mask(context: Context, atom: Atom, test: Atom, place: int, depth: int) -> Atom | None:
    """The value computed without the mask, if it is an elementwise chain that begins with one."""
    found = context.definition(atom)
    if found is None or found.role == "primal" or not context.is_single(atom) or depth == 0:
        return None
    if found.op.name == "numpy.where":
        inner, *branches = found.operands
        if inner == test and number(branches[1 - place]) == 0:
            return branches[place]
        return None
    if not found.op.elementwise:
        return None
    for position, operand in enumerate(found.operands):
        inside = _without_mask(context, operand, test, place, depth - 1)
        if inside is not None:
            operands = [
                inside if k == position else other for k, other in enumerate(found.operands)
            ]
            return context.assign(found.op, *operands)
    return None


def _elementwise_names() -> tuple[str, ...]:
    return tuple(name for name, op in catalogue().operations.items() if op.elementwise)


NARROW = ("f32", "f16")
MOVES = (EXPAND_DIMS.name, "numpy.reshape", "numpy.transpose", "ndarray.T", "numpy.swapaxes")

REWRITINGS = [
    ((ASTYPE.name,), cast_of_number, False),
    ((BROADCAST_TO.name,), already_that_shape, False),
    (("+", "-", "*", "/"), needless_cast, False),
    (_elementwise_names(), broadcast_later, False),
    (_elementwise_names(), let_operation_broadcast, False),
    (("numpy.sum",), sum_of_broadcast, False),
    (MOVES, moved_number, False),
    (("+",), full_array, False),
    (("getitem",), part_of_number, False),
    (("builtins.float", "numpy.float64"), number_of_array, False),
    (("*",), product_with_own_shape, False),
    (("numpy.where",), mask_once, False),
]
