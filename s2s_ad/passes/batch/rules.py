"""Rules of batching, by families of operations.

A rule gives the value of a statement with the leading axis, from operands of which some have it
already, or None where it does not know: the directions then go one by one. A whole rule makes the
statement itself, where the target has no leading axis or there are several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from s2s_ad.ir import Assign, Atom, Const, Var
from s2s_ad.operations import catalogue
from s2s_ad.operations.indexing import TUPLE
from s2s_ad.operations.lists import POP, ROWS, TO_ARRAY
from s2s_ad.operations.result_types import is_basic_index, normal_axes
from s2s_ad.operations.support import BROADCAST_TO, DIMENSION, IDENTITY
from s2s_ad.passes.batch.context import CannotBatch, Context, dtype_constant
from s2s_ad.passes.batch.products import PRODUCTS
from s2s_ad.passes.sizes import can_compute, compute
from s2s_ad.types import Items, Type, dtype_of, is_boolean, is_integer, rank_of, size_of

Operands = Mapping[str, Atom]
Rule = Callable[[Context, Assign, Operands], Atom | None]
WholeRule = Callable[[Context, Assign], bool]


def rule_for(statement: Assign) -> Rule | None:
    op = statement.op
    return RULES.get(op.name) or (elementwise if op.elementwise else None)


def whole_rule_for(statement: Assign) -> WholeRule | None:
    return WHOLE_RULES.get(statement.op.name)


def reads_shapes_only(statement: Assign) -> bool:
    """Whether the result is the same for all directions."""
    return statement.op.name in SHAPES


def rank_before(statement: Assign, name: str) -> int | None:
    """The rank of an operand without the leading axis."""
    names = statement.op.operand_names(len(statement.operands))
    return rank_of(statement.operands[names.index(name)].type)


# Element by element -------------------------------------------------------------------------------


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


def raised(context: Context, rows: Atom, rank: int) -> Atom:
    """The rows as values of this rank: `rows[:, None]`."""
    now = rank_of(rows.type)
    if now is None or rank < now:
        return rows
    index = (slice(None), *[None] * (rank - now + 1))
    return context.call("getitem", rows, Const(index))


def same(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """The operation itself, of whatever rank."""
    return context.builder.assign(statement.op, *operands.values())


def conversion(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """`float(x)`: the dtype is settled when the value gets its name."""
    return operands["x"]


# Indices ------------------------------------------------------------------------------------------


def index_for_rows(context: Context, index: Atom) -> Atom | None:
    """The index behind a `:`; None if NumPy would put its axes elsewhere."""
    parts: list[Atom] = [index]
    if isinstance(index, Const) and isinstance(index.value, tuple):
        parts = [Const(part) for part in index.value]
    elif isinstance(index, Var) and isinstance(index.type, Items):
        made = context.definitions.get(index)
        if made is None or made.op is not TUPLE:
            return None
        parts = list(made.operands)
    types = tuple(part.type for part in parts)
    if not all(is_basic_index(type) for type in types) and not _stays_in_place(types):
        return None
    every = Const(slice(None))
    if all(isinstance(part, Const) for part in parts):
        return Const((slice(None), *(part.value for part in parts if isinstance(part, Const))))
    return context.builder.assign(TUPLE, every, *parts)


def _stays_in_place(types: tuple[Type, ...]) -> bool:
    """Whether arrays and integers of an index stand next to each other, so that the result's axes
    stand where theirs stood.
    """
    picks = [is_integer(type) or is_boolean(type) for type in types]
    places = [place for place, pick in enumerate(picks) if pick]
    return places == list(range(places[0], places[-1] + 1))


def getitem(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    if statement.operands[1] in context.batched or rank_before(statement, "x") is None:
        return None
    index = index_for_rows(context, operands["i"])
    return None if index is None else context.call("getitem", operands["x"], index)


def store(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """A store into the rows, of a value for each direction or the same for all."""
    x, i, v = statement.operands
    if i in context.batched or rank_before(statement, "x") is None:
        return None
    index = index_for_rows(context, i)
    if index is None:
        return None
    rows = context.lifted(x)
    value = operands["v"]
    place = rank_of(_place_type(context, rows, index))
    if place is None or (v in context.batched and rank_of(v.type) is None):
        return None
    if v in context.batched:
        if (rank_of(v.type) or 0) > place - 1:
            return None
        value = raised(context, value, place - 1)
    return context.builder.assign(statement.op, rows, index, value)


def _place_type(context: Context, rows: Atom, index: Atom) -> Type:
    mark = len(context.builder.statements)
    type = context.call("getitem", rows, index).type
    del context.builder.statements[mark:]
    return type


# Axes ---------------------------------------------------------------------------------------------


def _axis(statement: Assign, operands: Operands, name: str = "axis") -> Any:
    atom = operands[name]
    if not isinstance(atom, Const):
        raise CannotBatch(f"an axis of `{statement.op.name}` that is computed")
    return atom.value


def behind(axis: Any, rank: int) -> Const:
    """Axes of a value of this rank, as axes of rows of such."""
    places = tuple(place + 1 for place in normal_axes(axis, rank))
    return Const(places if isinstance(axis, tuple) else places[0])


def with_axis(operand: str = "x", none: str = "all") -> Rule:
    """A rule for operations with an `axis`; what None stands for, all axes or the flat array."""

    def rule(context: Context, statement: Assign, operands: Operands) -> Atom | None:
        if any(
            atom in context.batched and name != operand
            for name, atom in zip(operands, statement.operands, strict=True)
        ):
            return None
        rank = rank_before(statement, operand)
        axis = _axis(statement, operands)
        if rank is None:
            return None
        if axis is None and none == "flat" and rank != 1:
            return None
        if axis is None:
            if rank == 0:
                return operands[operand]
            axis = tuple(range(rank)) if rank > 1 else 0
        given = {**operands, "axis": behind(axis, rank)}
        return context.builder.assign(statement.op, *given.values())

    return rule


def with_axes(*names: str) -> Rule:
    """A rule for operations that name axes of `x`: each goes one further."""

    def rule(context: Context, statement: Assign, operands: Operands) -> Atom | None:
        rank = rank_before(statement, "x")
        if rank is None:
            return None
        given = dict(operands)
        for name in names:
            given[name] = behind(_axis(statement, operands, name), rank)
        return context.builder.assign(statement.op, *given.values())

    return rule


def last_two(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """What works on the last two axes works on rows of matrices as it is."""
    rank = rank_before(statement, "x" if "x" in operands else next(iter(operands)))
    return None if rank is None or rank < 2 else same(context, statement, operands)


def transpose(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    rank = rank_before(statement, "x")
    if rank is None:
        return None
    axes = _axis(statement, operands, "axes") if "axes" in operands else None
    order = tuple(range(rank))[::-1] if axes is None else normal_axes(tuple(axes), rank)
    if order == tuple(range(rank)):
        return operands["x"]
    if order == (1, 0):
        return context.call("ndarray.mT", operands["x"])
    axes = Const((0, *(axis + 1 for axis in order)))
    return context.call("numpy.transpose", operands["x"], axes)


def expand_dims(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    rank, axis = rank_before(statement, "x"), _axis(statement, operands)
    if rank is None:
        return None
    more = len(axis) if isinstance(axis, tuple) else 1
    return context.builder.assign(statement.op, operands["x"], behind(axis, rank + more))


def diag(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """The diagonals of rows of matrices."""
    if rank_before(statement, "x") != 2:
        return None
    return context.call("numpy.diagonal", operands["x"], operands["k"], Const(1), Const(2))


# Shapes -------------------------------------------------------------------------------------------


def reshape(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    return _reshaped(context, statement, operands["x"])


def _reshaped(context: Context, statement: Assign, rows: Atom) -> Atom | None:
    """Rows in the shape that the statement's target has."""
    if rank_of(rows.type) is None or rank_of(statement.target.type) is None:
        return None
    return context.call("numpy.reshape", rows, context.shape(statement.target.type))


def broadcast_to(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    rank = rank_of(statement.target.type)
    if rank is None or rank_before(statement, "x") is None:
        return None
    rows = raised(context, operands["x"], rank)
    return context.builder.assign(BROADCAST_TO, rows, context.shape(statement.target.type))


def fill(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """`np.full` and `np.full_like` with a value for each direction."""
    if statement.operands[1] not in context.batched or rank_before(statement, "fill_value") is None:
        return None
    rank = rank_of(statement.target.type)
    if rank is None:
        return None
    rows = raised(context, operands["fill_value"], rank)
    return context.builder.assign(BROADCAST_TO, rows, context.shape(statement.target.type))


# Joins --------------------------------------------------------------------------------------------


def _lifted_arrays(context: Context, statement: Assign, skip: tuple[str, ...]) -> list[Atom]:
    names = statement.op.operand_names(len(statement.operands))
    return [
        context.lifted(atom)
        for name, atom in zip(names, statement.operands, strict=True)
        if name not in skip
    ]


def join(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """`np.concatenate` and `np.stack`."""
    rank = rank_of(statement.target.type)
    if rank is None:
        return None
    arrays = _lifted_arrays(context, statement, ("axis",))
    axis = behind(_axis(statement, operands), rank)
    return context.builder.assign(statement.op, *arrays, axis)


def join_as(name: str, axes: Mapping[int, tuple[str, int]]) -> Rule:
    """`np.hstack` and its like, by the rank of the arrays: which join, and along which axis."""

    def rule(context: Context, statement: Assign, operands: Operands) -> Atom | None:
        ranks = {rank_of(atom.type) for atom in statement.operands}
        rank = ranks.pop()
        if ranks or rank is None or rank not in axes:
            return None
        joint, axis = axes[rank]
        arrays = _lifted_arrays(context, statement, ())
        return context.call(joint, *arrays, Const(axis))

    return rule


def display(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """`np.array([a, b])`"""
    items = _lifted_arrays(context, statement, ("layout", "dtype"))
    if len({rank_of(item.type) for item in items}) != 1 or rank_of(items[0].type) is None:
        return None
    stacked = context.call("numpy.stack", *items, Const(1))
    if len(operands["layout"].value) == 1:  # type: ignore[union-attr]  # a constant
        return stacked
    return _reshaped(context, statement, stacked)


# What only reads shapes ---------------------------------------------------------------------------


def _dimensions(context: Context, atom: Atom) -> list[Atom] | None:
    return context.dimensions(atom.type, atom)


def shape(context: Context, statement: Assign) -> bool:
    found = _dimensions(context, statement.operands[0])
    if found is None:
        return False
    context.builder.append(TUPLE, (statement.target,), *found)
    return True


def dimension(context: Context, statement: Assign) -> bool:
    x = statement.operands[0]
    rank = rank_of(x.type)
    axis = statement.operands[1].value if len(statement.operands) > 1 else 0  # type: ignore
    if rank is None:
        return False
    place = behind(axis, rank)
    context.builder.append(DIMENSION, (statement.target,), context.batched[x], place)
    return True


def size(context: Context, statement: Assign) -> bool:
    count = size_of(statement.operands[0].type)
    if count is None or not can_compute(count, context.parameters):
        return False
    found = compute(context.builder.assign, count, context.parameters)
    context.builder.append(IDENTITY, (statement.target,), found)
    return True


def ndim(context: Context, statement: Assign) -> bool:
    rank = rank_of(statement.operands[0].type)
    if rank is None:
        return False
    context.builder.append(IDENTITY, (statement.target,), Const(rank))
    return True


def filled_like(name: str) -> WholeRule:
    def rule(context: Context, statement: Assign) -> bool:
        found = _dimensions(context, statement.operands[0])
        if found is None:
            return False
        whole = Const(()) if not found else context.together(found)
        op = catalogue().operations[f"numpy.{name}"]
        dtype = dtype_constant(dtype_of(statement.target.type))
        context.builder.append(op, (statement.target,), whole, dtype)
        return True

    return rule


# Lists --------------------------------------------------------------------------------------------


def list_rule(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """Lists hold items with the leading axis."""
    names = list(operands)
    given = [
        atom if name == "i" else context.lifted(old)
        for name, atom, old in zip(names, operands.values(), statement.operands, strict=True)
    ]
    return context.builder.assign(statement.op, *given)


def pop(context: Context, statement: Assign) -> bool:
    rows = context.batched[statement.operands[0]]
    made = tuple(
        context.builder.names.fresh(target.name, context.type(target.type))
        for target in statement.targets
    )
    context.builder.append(POP, made, rows)
    context.batched.update(zip(statement.targets, made, strict=True))
    return True


def refuse(context: Context, statement: Assign) -> bool:
    raise CannotBatch(f"`{statement.op.name}` of items that depend on the direction")


def list_length(context: Context, statement: Assign) -> bool:
    operands = map(context.now, statement.operands)
    context.builder.append(statement.op, statement.targets, *operands)
    return True


# The tables ---------------------------------------------------------------------------------------

WHOLE_RULES: dict[str, WholeRule] = {
    "ndarray.shape": shape,
    "numpy.shape": shape,
    "ndarray.shape[]": dimension,
    "builtins.len": dimension,
    "ndarray.size": size,
    "numpy.size": size,
    "ndarray.ndim": ndim,
    "numpy.ndim": ndim,
    "numpy.zeros_like": filled_like("zeros"),
    "numpy.ones_like": filled_like("ones"),
    "numpy.empty_like": filled_like("empty"),
    "list.length": list_length,
    POP.name: pop,
    TO_ARRAY.name: refuse,
    ROWS.name: refuse,
    "helper.repeated": refuse,
    "list.sum": refuse,
}
SHAPES = {
    *("ndarray.shape", "numpy.shape", "ndarray.shape[]", "builtins.len", "list.length"),
    *("numpy.zeros_like", "numpy.ones_like", "numpy.empty_like"),
    *("ndarray.size", "numpy.size", "ndarray.ndim", "numpy.ndim"),
}
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
