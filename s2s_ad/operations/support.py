"""Operations that passes write and users do not: another name of a value, a recalled value.

Where the code of passes names an operation of the catalogue, it imports it from here or from the
file that declares it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

from s2s_ad.ir import Atom, Const
from s2s_ad.operations import arrays, shaping
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import shape_argument
from s2s_ad.types import INT, Array, Items, ListOf, Number, Sizes, Type

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


def _same(_: Sizes, operands: Sequence[Atom]) -> Type:
    return operands[0].type


IDENTITY = operation(
    "out = identity(x)",
    "grad_x += grad_out",
    name="identity",
    infer=_same,
    evaluate=lambda x: x,
    linear=("x",),
    view_of="x",
    printer=lambda _, texts: texts[0],
)
RECALL = operation(
    "out = recall(x)",
    name="recall",
    infer=_same,
    evaluate=lambda x: x,
    view_of="x",
    constant=True,
    printer=lambda _, texts: f"recall {texts[0]}",
)

ADD_IN_PLACE = replace(
    operation(
        "out = add_in_place(x, v)",
        name="add_in_place",
        infer=_same,
        evaluate=lambda x, v: x + v,
        constant=True,  # stands only behind the passes that differentiate
    ),
    update="{0} += {1}",
)
CATALOGUE.operations[ADD_IN_PLACE.name] = ADD_IN_PLACE
COPY_LIST = operation(
    "out = list_copy(x)",
    name="list.copy",
    infer=_same,
    evaluate=copy.deepcopy,
    printer=lambda operands, texts: _print_list_copy(operands[0].type, texts[0], 0),
)


# what loops and branches give may be an array of any rank, or a number: it has nothing to copy
COPY_OF_ANY = operation(
    "out = copied(x)",
    "grad_x += grad_out",
    infer=_same,
    linear=("x",),
    helper="copied",
    samples=({"x": "f[3]"}, {"x": "f[2,3]"}),
)


def _print_list_copy(type: Type, text: str, depth: int) -> str:
    """Items that hold memory are copied too."""
    assert isinstance(type, ListOf)
    item = f"item{depth + 1}" if depth else "item"
    match type.item:
        case Array(shape=None):
            return f"[copied({item}) for {item} in {text}]"
        case Array():
            return f"[{item}.copy() for {item} in {text}]"
        case ListOf():
            return f"[{_print_list_copy(type.item, item, depth + 1)} for {item} in {text}]"
    return f"{text}.copy()"


CONTIGUOUS = operation(
    "out = is_contiguous(x)",
    name="ndarray.flags.c_contiguous",
    infer=lambda _, __: Number("bool"),
    evaluate=lambda x: x.flags.c_contiguous,
    constant=True,
    printer=lambda _, texts: f"{texts[0]}.flags.c_contiguous",
)


ASTYPE = arrays.CATALOGUE.operations["ndarray.astype"]
NUMPY_SHAPE = shaping.CATALOGUE.operations["numpy.shape"]
ZEROS_LIKE = arrays.CATALOGUE.operations["numpy.zeros_like"]
BROADCAST_TO = shaping.CATALOGUE.operations["numpy.broadcast_to"]
COPY = arrays.CATALOGUE.operations["numpy.copy"]
EXPAND_DIMS = shaping.CATALOGUE.operations["numpy.expand_dims"]
DIMENSION = shaping.CATALOGUE.operations["ndarray.shape[]"]
FULL = arrays.CATALOGUE.operations["numpy.full"]
FULL_LIKE = arrays.CATALOGUE.operations["numpy.full_like"]
SHAPE_ATTRIBUTE = shaping.CATALOGUE.operations["ndarray.shape"]
ONES_LIKE = arrays.CATALOGUE.operations["numpy.ones_like"]


RANGE_LENGTH = operation(
    "out = range_length(start, stop, step)",
    name="range.length",
    infer=lambda _, __: INT,
    evaluate=lambda start, stop, step: len(range(start, stop, step)),
    constant=True,
    printer=lambda operands, texts: f"len({spell_range(operands, texts)})",
)


def spell_range(operands: Sequence[Atom], texts: Sequence[str]) -> str:
    """`range(n)`, `range(1, n)`: what is as usual is left out."""
    start, stop, step = texts
    if operands[2] != Const(1):
        return f"range({start}, {stop}, {step})"
    return f"range({stop})" if operands[0] == Const(0) else f"range({start}, {stop})"


def _integer(_: Sizes, __: Sequence[Atom]) -> Type:
    return INT


# lengths of slices: of integers only
GREATER = operation(
    "out = greater(x, y)",
    name="size.max",
    infer=_integer,
    evaluate=max,
    constant=True,
    printer=lambda _, texts: f"max({texts[0]}, {texts[1]})",
)
SMALLER = operation(
    "out = smaller(x, y)",
    name="size.min",
    infer=_integer,
    evaluate=min,
    constant=True,
    printer=lambda _, texts: f"min({texts[0]}, {texts[1]})",
)
operation(
    "out = next_snapshot(start, stop, snapshots)",
    infer=_integer,
    constant=True,
    helper="next_snapshot",
)


def _joined_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    shapes = [shape_argument(sizes, operand.type) for operand in operands]
    if any(shape is None for shape in shapes):
        return Items((Array("i64", None),))
    return Items(tuple(Number("int", size) for shape in shapes for size in shape or ()))


JOINED_SHAPE = operation(
    "out = joined_shape(first, second)", infer=_joined_type, constant=True, helper="joined_shape"
)
