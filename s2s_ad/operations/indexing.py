"""Operations that read and write parts of arrays.

Writes are pure here: `x with [i] = v` is a new value; `emit` prints the statement. Rules without a guard are right for every
index: a repeated one adds up. For integers and slices no repeat is possible and the plain statement is printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from s2s_ad.ir import Atom
from s2s_ad.operations.declare import Catalogue, rule
from s2s_ad.operations.result_types import indexed_type, is_basic_index, same_as
from s2s_ad.types import Items, Sizes, Slice, Type

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


def basic(operands: Sequence[Atom]) -> bool:
    """Guard: the index is made of integers, slices, None and `...`."""
    return is_basic_index(operands[1].type)


INDICES = (
    {"x": "f[5]", "i": 2}, {"x": "f[5]", "i": -1}, {"x": "f[5]", "i": slice(1, None)},
    {"x": "f[5]", "i": slice(None, None, -2)}, {"x": "f[3,4]", "i": 1}, {"x": "f[3,4]", "i": (slice(None), 1)},
    {"x": "f[3,4]", "i": (Ellipsis, 0)}, {"x": "f[3,4]", "i": (None, slice(None), slice(0, 2))},
    {"x": "f[5]", "i": "i[4]<5"}, {"x": "f[5]", "i": "i[2,3]<5"}, {"x": "f[5]", "i": "b[5]"},
    {"x": "f[3,4]", "i": "b[3,4]"}, {"x": "f[0]", "i": slice(None)}, {"x": "f[1]", "i": 0},
)  # fmt: skip
operation("out = x[i]", infer=indexed_type, view_of="x", linear=("x",), samples=INDICES,
          rules=(rule("grad_x[i] += grad_out", when=basic), rule("np.add.at(grad_x, i, grad_out)")))  # fmt: skip


def _tuple_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    return Items(tuple(operand.type for operand in operands))


def _slice_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    start, stop, step = (operand.type for operand in operands)
    return Slice((start, stop, step))


def _print_tuple(_: Sequence[Atom], texts: Sequence[str]) -> str:
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"


def _print_slice(_: Sequence[Atom], texts: Sequence[str]) -> str:
    return f"slice({', '.join(texts)})"


TUPLE = operation("out = tuple(*items)", infer=_tuple_type, constant=True, printer=_print_tuple,
                  evaluate=lambda *items: items)  # fmt: skip
SLICE = operation("out = slice(start, stop, step)", infer=_slice_type, constant=True, printer=_print_slice)


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
    """A store keeps the array's type; the index has to fit."""
    indexed_type(sizes, operands[:2])
    return same_as(0)(sizes, operands)


# The adjoint of the new array reaches the old one everywhere but where it was overwritten, and the value from there. With
# an array of integers only the last write of a repeat counts; `last_writes` finds it.
SETITEM = replace(
    operation("out = setitem(x, i, v)", infer=_stored_type, evaluate=_updated(_set), name="setitem",
              rules=(rule("grad_v += grad_out[i]", "grad_x[i] = 0.0", when=basic),)),
    update="{0}[{1}] = {2}",
)  # fmt: skip
ADDITEM = replace(
    operation("out = additem(x, i, v)", infer=_stored_type, evaluate=_updated(_add), name="additem",
              rules=(rule("grad_x += grad_out", "grad_v += grad_out[i]", when=basic),)),
    update="{0}[{1}] += {2}",
)  # fmt: skip
ADD_AT = replace(
    operation("out = add_at(x, i, v)", infer=_stored_type, evaluate=_updated(_add_at), name="add_at",
              rules=(rule("grad_x += grad_out", "grad_v += grad_out[i]"),)),
    update="np.add.at({0}, {1}, {2})",
)  # fmt: skip
for _op in (SETITEM, ADDITEM, ADD_AT):
    CATALOGUE.operations[_op.name] = _op


