"""Shapes and sizes: taken from a parameter of the same shape, so that no value is kept only to ask
for its shape.
"""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Const
from s2s_ad.operations.indexing import ADDITEM, SETITEM, TUPLE
from s2s_ad.operations.result_types import is_basic_index
from s2s_ad.operations.support import DIMENSION, NUMPY_SHAPE, RANGE_LENGTH, ZEROS_LIKE
from s2s_ad.passes.algebra.context import Context
from s2s_ad.passes.sizes import compute, is_natural
from s2s_ad.types import DTYPES, Array, Number, Size, scalar_like, shape_of, size_of


def size_value(context: Context, size: Size) -> Atom | None:
    """An integer with the value of a size: a constant, a parameter's size or dimension, or a
    product of them.
    """
    arrays = [x for x in context.parameters if isinstance(x.type, Array)]
    dimensions = {size for x in arrays for size in shape_of(x.type) or ()}
    if size.constant is None and size not in dimensions:
        whole = next((x for x in arrays if size_of(x.type) == size), None)
        if whole is not None:
            return context.assign("ndarray.size", whole)
        factors = size.terms[0][0] if len(size.terms) == 1 else ()
        if not factors or not all(Size.of(symbol) in dimensions for symbol in factors):
            return None
    return compute(context.assign, size, arrays)


def known_size(context: Context, statement: Assign) -> Atom | None:
    """An integer that is a formula in the sizes, from the parameters."""
    type = statement.target.type
    if not isinstance(type, Number) or type.kind != "int" or type.value is None:
        return None
    if statement.op is DIMENSION and statement.operands[0] in context.parameters:
        # the parameter that names the size comes first
        found = size_value(context, type.value)
        same = context.definition(found) if found is not None else None
        return None if same is not None and same.operands == statement.operands else found
    if statement.op.name == "ndarray.size" and statement.operands[0] in context.parameters:
        return None
    return size_value(context, type.value)


def length_of_range(context: Context, statement: Assign) -> Atom | None:
    """`len(range(n))` is n, where that is a dimension."""
    start, stop, step = statement.operands
    return stop if (start, step) == (Const(0), Const(1)) and is_natural(stop) else None


def shape_of_parameter(context: Context, statement: Assign) -> Atom | None:
    """The shape of a value, from a parameter of that shape, or spelled out."""
    x = statement.operands[0]
    shape = shape_of(x.type)
    if shape is None:
        return None  # it may be a number, which has no attribute `shape`
    if x in context.parameters:
        named = statement.op is NUMPY_SHAPE and isinstance(x.type, Array)
        return context.assign("ndarray.shape", x) if named else None
    for parameter in context.parameters:
        if isinstance(parameter.type, Array) and parameter.type.shape == shape:
            return context.assign("ndarray.shape", parameter)
    if all(size.constant is not None for size in shape):
        return Const(tuple(size.constant for size in shape))
    sizes = [size_value(context, size) for size in shape]
    if any(size is None for size in sizes):
        return None
    return context.assign(TUPLE, *[size for size in sizes if size is not None])


def shape_of_elements(context: Context, statement: Assign) -> Atom | None:
    """What is computed element by element, with numbers beside it, keeps its shape."""
    found = context.definition(statement.operands[0])
    if found is None or not found.op.elementwise:
        return None
    arrays = {operand for operand in found.operands if not scalar_like(operand.type)}
    is_shape_only = context.is_single(statement.operands[0])
    if len(arrays) != 1 or not is_shape_only:
        return None
    return context.assign(statement.op, arrays.pop())


def zeros_of_shape(context: Context, statement: Assign) -> Atom | None:
    """`zeros_like` of a value that is there for nothing else: of a parameter of the same type, or
    by its sizes.
    """
    x, dtype = statement.operands
    if (
        x in context.parameters
        or not isinstance(x.type, Array)
        or x.type.shape is None
        or dtype != Const(None)
    ):
        return None
    for parameter in context.parameters:
        if parameter.type == x.type:
            return context.assign(statement.op, parameter, dtype)
    sizes = [size_value(context, size) for size in x.type.shape]
    if any(size is None for size in sizes):
        return None
    known = [size for size in sizes if size is not None]
    shape: Atom
    if len(known) == 1:
        shape = known[0]
    elif all(isinstance(size, Const) for size in known):
        shape = Const(tuple(size.value for size in known if isinstance(size, Const)))
    else:
        shape = context.assign(TUPLE, *known)
    name = DTYPES[x.type.dtype]
    like = Const(None) if name == "float64" else Const(name, f"numpy.{name}")
    return context.assign(statement.op.name.removesuffix("_like"), shape, like)


def store_into_zeros(context: Context, statement: Assign) -> Atom | None:
    """Adding to fresh zeros at an index without repeats is storing."""
    base, index, value = statement.operands
    if not context.defined_by(base, ZEROS_LIKE.name, "numpy.zeros") or not is_basic_index(
        index.type
    ):
        return None
    return context.assign(SETITEM, base, index, value)


def transpose_twice(context: Context, statement: Assign) -> Atom | None:
    inner = context.defined_by(statement.operands[0], statement.op.name)
    return inner.operands[0] if inner is not None else None


def reshape_again(context: Context, statement: Assign) -> Atom | None:
    """A reshape to the same shape, or of a reshape."""
    x, shape = statement.operands
    if x.type == statement.target.type and shape_of(x.type) is not None:
        return x
    inner = context.defined_by(x, "numpy.reshape", "numpy.ravel")
    if inner is None:
        return None
    source = inner.operands[0]
    if source.type == statement.target.type and shape_of(source.type) is not None:
        return source
    return context.assign("numpy.reshape", source, shape)


def like_parameter(context: Context, statement: Assign) -> Atom | None:
    """`unbroadcast(g, x)` asks x for its shape and dtype only."""
    grad, like = statement.operands
    if like in context.parameters or not isinstance(like.type, Array) or like.type.shape is None:
        return None
    for parameter in context.parameters:
        if parameter.type == like.type:
            return context.assign(statement.op, grad, parameter)
    return None


def like_elements(context: Context, statement: Assign) -> Atom | None:
    """`unbroadcast(g, v**2)` asks for what v says as well, where v**2 is there for nothing else."""
    grad, like = statement.operands
    found = context.definition(like)
    if found is None or not found.op.elementwise or not context.is_single(like):
        return None
    arrays = {operand for operand in found.operands if not scalar_like(operand.type)}
    if len(arrays) != 1:
        return None
    array = arrays.pop()
    same = array.type == like.type and shape_of(like.type) is not None
    return context.assign(statement.op, grad, array) if same else None


REWRITINGS = [
    ((NUMPY_SHAPE.name, "ndarray.shape"), shape_of_parameter, False),
    ((NUMPY_SHAPE.name,), shape_of_elements, False),
    (
        (DIMENSION.name, "numpy.size", "ndarray.size", "builtins.len", "*", "+", "-"),
        known_size,
        False,
    ),
    ((RANGE_LENGTH.name,), length_of_range, True),
    ((ZEROS_LIKE.name, "numpy.ones_like"), zeros_of_shape, False),
    ((ADDITEM.name,), store_into_zeros, False),
    (("ndarray.T",), transpose_twice, True),
    (("numpy.reshape",), reshape_again, False),
    (("helper.unbroadcast",), like_parameter, False),
    (("helper.unbroadcast",), like_elements, False),
]
__all__ = ["REWRITINGS", "size_value"]
