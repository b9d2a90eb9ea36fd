"""Writes in place: `x[i] = v`, `x[a:b] += v`, `x += y`, `np.add.at`, on arrays that the function
made.

A value never changes in the IR: a write makes a new value, and every name of the written memory
means that value from then on. A view read after a write is taken anew from it; where it is not
known whether two values share memory, reading the other one is refused. Writing to an argument is
refused: it may overlap another one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from s2s_ad.ir import Assign, Atom, Operation, Var
from s2s_ad.memory import Allocations, allocations_of
from s2s_ad.operations.indexing import ADDITEM, SETITEM
from s2s_ad.operations.result_types import is_basic_index
from s2s_ad.operations.support import BROADCAST_TO
from s2s_ad.types import Array, dtype_of, is_float

if TYPE_CHECKING:
    from s2s_ad.frontend.lower import Lowering


@dataclass
class Memory:
    """What is known about memory while lowering."""

    where: dict[Var, Allocations] = field(default_factory=dict)
    made_by: dict[Var, tuple[Assign, int]] = field(default_factory=dict)  # with its position
    latest: dict[Var, Var] = field(default_factory=dict)  # the value of a written allocation
    whole: dict[Var, Var] = field(default_factory=dict)  # values that are all of an allocation
    written: dict[Var, int] = field(default_factory=dict)  # where an allocation was written last
    seen: int = 0

    def catch_up(self, lowering: Lowering) -> None:
        """Look at the statements appended since."""
        statements = lowering.builder.statements
        for parameter in lowering.parameters:
            self.where.setdefault(parameter, frozenset((parameter,)))
        for position in range(self.seen, len(statements)):
            statement = statements[position]
            if isinstance(statement, Assign):
                for target in statement.targets:
                    self.where.setdefault(target, allocations_of(statement, target, self.where))
                    self.made_by[target] = (statement, position)
        self.seen = len(statements)


def now(lowering: Lowering, var: Var, node: cst.CSTNode) -> Var:
    """The value that a name of a variable means now."""
    memory = lowering.memory
    if not memory.latest or not isinstance(var.type, Array):
        return var
    memory.catch_up(lowering)
    whole = memory.whole.get(var, var)
    if whole in memory.latest:
        return memory.latest[whole]
    made = memory.made_by.get(var)
    if made is None:
        return var
    statement, position = made
    stale = [a for a in memory.where.get(var, ()) if memory.written.get(a, -1) > position]
    if not stale:
        return var
    unknown_rank = isinstance(var.type, Array) and var.type.shape is None
    if statement.op.may_copy or unknown_rank:
        raise lowering.refuse(
            "write-through-view",
            "this may or may not share memory with an array that was written to since",
            node,
            help="take a copy (`.copy()`) before the write",
        )
    operands = [
        now(lowering, operand, node) if isinstance(operand, Var) else operand
        for operand in statement.operands
    ]
    return lowering.assign(statement.op, operands, node)


def write(
    lowering: Lowering, op: Operation, base: Var, index: Atom, value: Atom, node: cst.CSTNode
) -> None:
    """Store or add `value` at an index of an array, under all its names."""
    memory = lowering.memory
    memory.catch_up(lowering)
    base = now(lowering, base, node)
    root = _owned_root(lowering, base, node)
    if is_float(value.type) and not is_float(base.type):
        raise lowering.refuse(
            "integer-store",
            f"a float stored into an array of dtype {dtype_of(base.type)} is cut off",
            node,
            help="make the array one of floats",
        )
    name = "" if base.is_temporary else base.name
    changed = lowering.assign(op, [base, index, value], node, name)
    memory.catch_up(lowering)
    if memory.whole.get(base, base) == root:
        _becomes(lowering, root, changed)
        return
    statement, _ = memory.made_by[base]
    if statement.op.name != "getitem":
        raise _through_view(lowering, node)
    source = statement.operands[0]
    assert isinstance(source, Var)
    write(lowering, SETITEM, now(lowering, source, node), statement.operands[1], changed, node)


def replace(lowering: Lowering, base: Var, changed: Var, node: cst.CSTNode) -> None:
    """`x += y`: all of an array changes."""
    memory = lowering.memory
    memory.catch_up(lowering)
    root = _owned_root(lowering, base, node)
    if memory.whole.get(base, base) != root:
        raise _through_view(lowering, node)
    _becomes(lowering, root, changed)


def _becomes(lowering: Lowering, root: Var, changed: Var) -> None:
    memory = lowering.memory
    memory.where[changed] = frozenset((root,))
    memory.whole[changed] = root
    memory.latest[root] = changed
    memory.written[root] = len(lowering.builder.statements) - 1


def _owned_root(lowering: Lowering, base: Var, node: cst.CSTNode) -> Var:
    """The one allocation that an array lies in, if it is the function's own."""
    shape = base.type.shape if isinstance(base.type, Array) else ()
    is_view = lowering.memory.whole.get(base, base) not in lowering.memory.where.get(base, ())
    if shape == () or (shape is None and is_view):
        raise lowering.refuse(
            "write-in-place",
            "writing to an array of rank 0 is not supported",
            node,
            help="assign a new value to the name",
        )
    where = lowering.memory.where.get(base, frozenset())
    made = lowering.memory.made_by.get(base)
    if len(where) != 1 or (made is not None and made[0].op is BROADCAST_TO):
        raise _through_view(lowering, node)
    (root,) = where
    if root in lowering.parameters:
        raise lowering.refuse(
            "write-in-place",
            f"this writes to the argument `{root.name}`, which is not supported yet",
            node,
            help=f"write to a copy: `{root.name} = {root.name}.copy()`",
        )
    return root


def _through_view(lowering: Lowering, node: cst.CSTNode) -> Exception:
    return lowering.refuse(
        "write-through-view",
        "it is not known which memory this writes to",
        node,
        help="take a copy (`.copy()`), or write to the array itself by its index",
    )


def addition_for(symbol: str, index: Atom) -> Operation | None:
    """The update that does `x[i] += v` at once, where no index can repeat."""
    return ADDITEM if symbol == "+" and is_basic_index(index.type) else None
