"""Rules of batching, by families of operations.

A rule gives the value of a statement with the leading axis, from operands of which some have it
already, or None where it does not know: the directions then go one by one. A whole rule makes the
statement itself, where the target has no leading axis or there are several.
"""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom
from s2s_ad.passes.batch.context import Context, Operands, Rule, raised, same
from s2s_ad.passes.batch.indices import getitem, store
from s2s_ad.passes.batch.layouts import (
    broadcast_to,
    diag,
    display,
    expand_dims,
    fill,
    join,
    join_as,
    last_two,
    reshape,
    transpose,
    with_axes,
    with_axis,
)
from s2s_ad.passes.batch.products import PRODUCTS
from s2s_ad.passes.batch.whole import SHAPES, WHOLE_RULES, WholeRule
from s2s_ad.types import rank_of


def rule_for(statement: Assign) -> Rule | None:
    op = statement.op
    return RULES.get(op.name) or (elementwise if op.elementwise else None)


def whole_rule_for(statement: Assign) -> WholeRule | None:
    return WHOLE_RULES.get(statement.op.name)


def reads_shapes_only(statement: Assign) -> bool:
    """Whether the result is the same for all directions."""
    return statement.op.name in SHAPES


def elementwise(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """The operation itself; rows of a lower rank get axes behind the leading one."""
    before = statement.operands
    rank = _rank_of_result(context, before)
    if rank is None:
        return None
    aligned = [
        raised(context, atom, rank) if old in context.batched else atom
        for old, atom in zip(before, operands.values(), strict=True)
    ]
    return context.builder.assign(statement.op, *aligned)


def _rank_of_result(context: Context, operands: tuple[Atom, ...]) -> int | None:
    """The rank of the broadcast result; where one is unknown, -1 if nothing has to be aligned."""
    ranks = [rank_of(atom.type) for atom in operands]
    known = [rank for rank in ranks if rank is not None]
    if len(known) == len(ranks):
        return max(known)
    # one array, and numbers that are the same for all directions
    numbers = [atom for atom in operands if rank_of(atom.type) == 0]
    still = all(atom not in context.batched for atom in numbers)
    return -1 if still and len(numbers) == len(operands) - 1 else None


def conversion(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """`float(x)`: the dtype is settled when the value gets its name."""
    return operands["x"]


def list_rule(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """Lists hold items with the leading axis."""
    names = list(operands)
    given = [
        atom if name == "i" else context.lifted(old)
        for name, atom, old in zip(names, operands.values(), statement.operands, strict=True)
    ]
    return context.builder.assign(statement.op, *given)


RULES: dict[str, Rule] = {
    "identity": same,
    "numpy.copy": same,
    "ndarray.copy": same,
    "ndarray.astype": same,
    "builtins.float": conversion,
    **{f"numpy.{name}": conversion for name in ("float64", "float32", "float16")},
    "getitem": getitem,
    "setitem": store,
    "additem": store,
    "add_at": store,
    **{f"numpy.{name}": with_axis() for name in ("sum", "mean", "flip")},
    **{f"numpy.{name}": with_axis(none="flat") for name in ("cumsum", "diff", "roll", "repeat")},
    "numpy.take": with_axis("a", none="flat"),
    "numpy.swapaxes": with_axes("axis1", "axis2"),
    "numpy.moveaxis": with_axes("source", "destination"),
    "numpy.diagonal": with_axes("axis1", "axis2"),
    "numpy.trace": with_axes("axis1", "axis2"),
    "numpy.diag": diag,
    **{f"numpy.{name}": last_two for name in ("tril", "triu", "matrix_transpose")},
    "ndarray.mT": last_two,
    **{f"helper.{name}_lower": last_two for name in ("half", "fold", "mirror")},
    **{f"helper.{name}_upper": last_two for name in ("fold", "mirror")},
    "helper.plus_transpose": last_two,
    "numpy.transpose": transpose,
    "ndarray.T": transpose,
    "numpy.expand_dims": expand_dims,
    "numpy.squeeze": reshape,
    "numpy.ravel": reshape,
    "numpy.reshape": reshape,
    "numpy.broadcast_to": broadcast_to,
    "numpy.full": fill,
    "numpy.full_like": fill,
    "numpy.concatenate": join,
    "numpy.stack": join,
    "numpy.hstack": join_as("hstack", {1: ("numpy.concatenate", 1), 2: ("numpy.concatenate", 2)}),
    "numpy.vstack": join_as("vstack", {1: ("numpy.stack", 1), 2: ("numpy.concatenate", 1)}),
    "numpy.column_stack": join_as(
        "column_stack", {1: ("numpy.stack", 2), 2: ("numpy.concatenate", 2)}
    ),
    "numpy.array": display,
    **{f"list.{name}": list_rule for name in ("append", "item", "set", "add", "display")},
    "helper.add_items": list_rule,
    "helper.zero_items": list_rule,
    **PRODUCTS,
}
