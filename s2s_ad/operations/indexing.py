"""Operations that read and write parts of arrays.

Writes are pure here: `x with [i] = v` is a new value; `emit` prints the statement. Rules without a
guard are right for every index: a repeated one adds up. For integers and slices no repeat is
possible and the plain statement is printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from s2s_ad.ir import Atom, Var
from s2s_ad.operations.declare import Catalogue, rule
from s2s_ad.operations.result_types import (
    index_parts,
    indexed_type,
    is_basic_index,
    same_as,
    shape_argument,
)
from s2s_ad.types import (
    Array,
    Items,
    Sizes,
    Slice,
    Static,
    Type,
    TypeProblem,
    is_boolean,
    shape_of,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


def basic(operands: Sequence[Atom]) -> bool:
    """Guard: the index is made of integers, slices, None and `...`."""
    return is_basic_index(operands[1].type)


def no_repeats(operands: Sequence[Atom]) -> bool:
    """Guard: no element is written twice; besides basic indices, masks are such."""
    parts = index_parts(operands[1].type)
    return basic(operands) or all(
        is_boolean(part) or isinstance(part, Slice | Static) for part in parts
    )


INDICES = (
    {"x": "f[5]", "i": 2},
    {"x": "f[5]", "i": -1},
    {"x": "f[5]", "i": slice(1, None)},
    {"x": "f[5]", "i": slice(None, None, -2)},
    {"x": "f[3,4]", "i": 1},
    {"x": "f[3,4]", "i": (slice(None), 1)},
    {"x": "f[3,4]", "i": (Ellipsis, 0)},
    {"x": "f[3,4]", "i": (None, slice(None), slice(0, 2))},
    {"x": "f[5]", "i": "i[4]<5"},
    {"x": "f[5]", "i": "i[2,3]<5"},
    {"x": "f[5]", "i": "b[5]"},
    {"x": "f[3,4]", "i": "b[3,4]"},
    {"x": "f[0]", "i": slice(None)},
    {"x": "f[1]", "i": 0},
)
operation(
    "out = x[i]",
    infer=indexed_type,
    view_of="x",
    linear=("x",),
    samples=INDICES,
    rules=(
        rule("grad_x[i] += grad_out", when=no_repeats),
        rule("np.add.at(grad_x, i, grad_out)"),
    ),
)


def _tuple_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    return Items(tuple(operand.type for operand in operands))


def _slice_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    start, stop, step = (operand.type for operand in operands)
    return Slice((start, stop, step))


def _print_tuple(_: Sequence[Atom], texts: Sequence[str]) -> str:
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"


def _print_slice(_: Sequence[Atom], texts: Sequence[str]) -> str:
    return f"slice({', '.join(texts)})"


TUPLE = operation(
    "out = tuple(*items)",
    infer=_tuple_type,
    constant=True,
    printer=_print_tuple,
    evaluate=lambda *items: items,
)
SLICE = operation(
    "out = slice(start, stop, step)", infer=_slice_type, constant=True, printer=_print_slice
)


def _updated(change: Any) -> Any:
    def evaluate(x: Any, *operands: Any) -> Any:
        result = np.array(x)
        change(result, *operands)
        return result

    return evaluate


def _set(x: Any, i: Any, v: Any) -> None:
    x[i] = v


def _add(x: Any, i: Any, v: Any) -> None:
    x[i] += v


def _add_at(x: Any, i: Any, v: Any) -> None:
    np.add.at(x, i, v)


def _stored_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """A store keeps the array's type; the index has to fit, and the value what it names."""
    place, value = shape_of(indexed_type(sizes, operands[:2])), shape_of(operands[2].type)
    if place is not None and value is not None:
        # sizes that are not literal are left to NumPy, which checks them when the module runs
        aligned = zip(reversed(place), reversed(value), strict=False)
        pairs = [
            (sizes.resolve(left).constant, sizes.resolve(right).constant) for left, right in aligned
        ]
        extra = [sizes.resolve(size).constant for size in value[: max(0, len(value) - len(place))]]
        if any(None not in pair and pair[1] not in (1, pair[0]) for pair in pairs) or any(
            size not in (None, 1) for size in extra
        ):
            spelled = [f"({', '.join(map(str, shape))})" for shape in (value, place)]
            raise TypeProblem(
                "shape-mismatch", f"a value of shape {spelled[0]} does not fit into {spelled[1]}"
            )
    return same_as(0)(sizes, operands)


def _last_writes_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    whole = Var("x", Array("bool", shape_argument(sizes, operands[1].type)))
    return indexed_type(sizes, (whole, operands[0]))


STORES = (
    {"x": "f[5]", "i": 2, "v": "f[]"},
    {"x": "f[5]", "i": slice(1, None), "v": "f[4]"},
    {"x": "f[5]", "i": slice(None, None, 2), "v": "f[]"},
    {"x": "f[3,4]", "i": 1, "v": "f[4]"},
    {"x": "f[3,4]", "i": (slice(None), 1), "v": "f[3]"},
    {"x": "f[3,4]", "i": slice(0, 2), "v": "f[2,1]"},
    {"x": "f[5]", "i": "i[4]<5", "v": "f[4]"},
    {"x": "f[3,4]", "i": "i[5]<3", "v": "f[4]"},
    {"x": "f[5]", "i": "i[2,3]<5", "v": "f[3]"},
    {"x": "f[5]", "i": "b[5]", "v": "f[]"},
)

# The adjoint of the new array reaches the old one everywhere but where it was overwritten, and the
# value from there. With an array of integers only the last write of a repeat counts; `last_writes`
# finds it.
SETITEM = replace(
    operation(
        "out = setitem(x, i, v)",
        name="setitem",
        infer=_stored_type,
        evaluate=_updated(_set),
        rules=(
            rule("grad_v += grad_out[i]", "grad_x[i] = 0.0", when=no_repeats),
            rule(
                "grad_v += np.where(last_writes(i, np.shape(x)), grad_out[i], 0.0)",
                "grad_x[i] = 0.0",
            ),
        ),
        linear=("x", "v"),
        broadcasts=("v",),
        samples=(*STORES, {"x": "f[3,4]", "i": slice(0, 2), "v": "f[1,2,4]"}),
    ),
    update="{0}[{1}] = {2}",
)
ADDITEM = replace(
    operation(
        "out = additem(x, i, v)",
        name="additem",
        infer=_stored_type,
        evaluate=_updated(_add),
        rules=(
            rule("grad_x += grad_out", "grad_v += grad_out[i]", when=no_repeats),
            rule(
                "grad_x += grad_out",
                "grad_v += np.where(last_writes(i, np.shape(x)), grad_out[i], 0.0)",
            ),
        ),
        linear=("x", "v"),
        broadcasts=("v",),
        samples=STORES,
    ),
    update="{0}[{1}] += {2}",
)
ADD_AT = replace(
    operation(
        "out = add_at(x, i, v)",
        "grad_x += grad_out",
        "grad_v += grad_out[i]",
        name="add_at",
        infer=_stored_type,
        evaluate=_updated(_add_at),
        linear=("x", "v"),
        broadcasts=("v",),
        # NumPy 2.4 reads past the end of a value that it broadcasts to indices of rank 2
        samples=tuple(store for store in STORES if store["i"] != "i[2,3]<5"),
    ),
    update="np.add.at({0}, {1}, {2})",
)
for _op in (SETITEM, ADDITEM, ADD_AT):
    CATALOGUE.operations[_op.name] = _op
operation(
    "out = last_writes(i, shape)",
    infer=_last_writes_type,
    constant=True,
    helper="last_writes",
)
