"""Writes in place: `x[i] = v`, `x[a:b] += v`, `x += y`, `np.add.at`, on arrays that the function
made.

A value never changes in the IR: a write makes a new value, and every name of the written memory
means that value from then on. A view read after a write is taken anew from it; where it is not
known whether two values share memory, reading the other one is refused, or flags say so
(`aliases.py`). An argument that is written to may not overlap another one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import libcst as cst

from s2s_ad.frontend.aliases import Relation, carry_over, relate_reshaped
from s2s_ad.frontend.values import Container, Identity
from s2s_ad.frontend.views import RESHAPED, put_back
from s2s_ad.ir import Assign, Atom, Operation, Var
from s2s_ad.memory import Allocations, allocations_of
from s2s_ad.operations.indexing import ADDITEM, SETITEM
from s2s_ad.operations.result_types import is_basic_index
from s2s_ad.operations.support import BROADCAST_TO
from s2s_ad.types import Array, ListOf, Number, Scalar, dtype_of, is_float

if TYPE_CHECKING:
    from s2s_ad.frontend.lower import Lowering
    from s2s_ad.frontend.rows import Origin


# elements of what these give, also of a number, lie in one place
BROADCAST_ARRAYS = "numpy.broadcast_arrays[]"
BROADCASTS = (BROADCAST_TO.name, BROADCAST_ARRAYS)


@dataclass
class Memory:
    """What is known about memory while lowering.

    An allocation goes by the variable that made it. What a loop or branch hands on has one of its
    own (`hand_on`), which may be the same memory as others: those that it `overlaps`.
    """

    # facts about variables, which never change
    where: dict[Var, Allocations] = field(default_factory=dict)
    made_by: dict[Var, tuple[Assign, int]] = field(default_factory=dict)  # with its time
    whole: dict[Var, Var] = field(default_factory=dict)  # values that are all of an allocation
    born: dict[Var, int] = field(default_factory=dict)  # when an allocation was handed on
    overlaps: dict[Any, set[Any]] = field(default_factory=dict)
    lists: dict[str, Identity] = field(default_factory=dict)  # parameters, by their names
    changed: set[Identity] = field(default_factory=set)  # containers, on some path or trial
    told_apart: set[frozenset[Identity]] = field(default_factory=set)  # pairs of containers
    views: dict[tuple[Identity, str], Identity] = field(default_factory=dict)  # of dicts
    lasting: set[Any] = field(default_factory=set)  # what is no call's own: defaults of functions
    # what the statements so far have done; `blocks.py` takes this back where paths part
    latest: dict[Var, Var] = field(default_factory=dict)  # the value of a written allocation
    contents: dict[Identity, Container] = field(default_factory=dict)  # of containers
    written: dict[Var, int] = field(default_factory=dict)  # when an allocation was written last
    lost: frozenset[Any] = frozenset()  # allocations that a write to another one may have changed
    foreign: frozenset[Var] = frozenset()  # parameters that were written to
    spread: set[Atom] = field(default_factory=set)  # what a branch gives that may be a broadcast
    taken_again: set[Var] = field(default_factory=set)  # views of what was written since
    rows: dict[Identity, set[Identity]] = field(default_factory=dict)  # other names of a list's
    shared_rows: set[Identity] = field(default_factory=set)  # lists whose rows may be others' too
    origins: dict[Identity, Origin] = field(default_factory=dict)  # where rows were taken from
    lost_in: dict[Any, tuple[str, int]] = field(default_factory=dict)  # which code, in which line
    # with `exact`, how allocations belong together is said by flags (`aliases.py`)
    exact: bool = False
    links: dict[tuple[Var, Var], Relation] = field(default_factory=dict)  # facts as well
    visible: set[Var] = field(default_factory=set)  # the allocations of the blocks around
    in_rows: dict[Var, Atom] = field(default_factory=dict)  # whether arguments are contiguous
    time: int = 0
    seen: int = 0

    def catch_up(self, lowering: Lowering) -> None:
        """Look at the statements appended since."""
        statements = lowering.builder.statements
        for parameter in (*lowering.parameters, *lowering.hidden_variables()):
            if isinstance(parameter.type, Array | ListOf):  # numbers lie nowhere
                self.where.setdefault(parameter, frozenset((parameter,)))
        for position in range(self.seen, len(statements)):
            statement = statements[position]
            self.time += 1
            if isinstance(statement, Assign):
                for target in statement.targets:
                    self.where.setdefault(target, allocations_of(statement, target, self.where))
                    self.made_by[target] = (statement, self.time)
                    if self.exact and target in self.where[target]:
                        self.visible.add(target)
                        relate_reshaped(self, statement, target)
        self.seen = len(statements)

    def roots(self, atom: Atom) -> Allocations:
        """Every allocation that an atom may lie in."""
        found = self.where.get(atom, frozenset()) if isinstance(atom, Var) else frozenset()
        return found.union(*(self.overlaps.get(root, ()) for root in found))

    def meet(self, left: Atom, right: Atom) -> bool:
        """Whether two values may share memory."""
        found = self.where.get(left, frozenset()) if isinstance(left, Var) else frozenset()
        return bool(found & self.roots(right))

    def outlives(self, root: Any) -> bool:
        """Whether an allocation or a container may be there for the next call as well."""
        return not self.lasting.isdisjoint((root, *self.overlaps.get(root, ())))

    def overlap(self, left: Any, right: Any) -> None:
        """Two allocations may be the same."""
        if left != right:
            self.overlaps.setdefault(left, set()).add(right)
            self.overlaps.setdefault(right, set()).add(left)

    def hand_on(self, var: Var, root: Var) -> None:
        """A variable holds all of an allocation; with itself as root, one of its own."""
        self.time += 1
        self.where[var] = frozenset((root,))
        self.whole[var] = root
        if root == var:
            self.born[var] = self.time
            self.visible.add(var)
        else:
            self.latest[root] = var
            self.written[root] = self.time

    def is_spread(self, atom: Atom) -> bool:
        """Whether elements of an array lie in one place, so that a write to one changes others."""
        made = self.made_by.get(atom) if isinstance(atom, Var) else None
        return atom in self.spread or (made is not None and made[0].op.name in BROADCASTS)

    def birth(self, root: Var | Identity) -> int:
        """When an allocation or a container came to be; parameters were there before."""
        if isinstance(root, Identity):
            return root.born
        made = self.made_by.get(root)
        return self.born.get(root, 0) if made is None else made[1]


def now(lowering: Lowering, var: Var, node: cst.CSTNode) -> Var:
    """The value that a name of a variable means now."""
    memory = lowering.memory
    if not (memory.latest or memory.lost) or not isinstance(var.type, Array | ListOf):
        return var
    memory.catch_up(lowering)
    if memory.where.get(var, frozenset()) & memory.lost:
        raise refuse_lost(lowering, memory.where[var] & memory.lost, node)
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
    if statement.op.may_copy or unknown_rank or statement.op.name.startswith("list."):
        raise lowering.refuse(
            "write-through-view",
            f"`{lowering.code(node)}` may or may not share memory with an array that was written to"
            " since",
            node,
            help="take a copy (`.copy()`) before the write",
        )
    operands = [
        now(lowering, operand, node) if isinstance(operand, Var) else operand
        for operand in statement.operands
    ]
    taken = lowering.assign(statement.op, operands, node)
    memory.taken_again.add(taken)
    return taken


def lose(lowering: Lowering, roots: Iterable[Any], node: cst.CSTNode) -> None:
    """What allocations or containers hold is not known any more, because of a write."""
    memory, roots = lowering.memory, frozenset(roots)
    place = shortened(lowering.code(node)), lowering.span(node).line
    memory.lost_in.update(dict.fromkeys(roots - memory.lost, place))
    memory.lost |= roots


def refuse_lost(lowering: Lowering, roots: Iterable[Any], node: cst.CSTNode) -> Exception:
    """Refuse to read what may have been changed under another name."""
    places = [place for root in roots if (place := lowering.memory.lost_in.get(root)) is not None]
    code, line = max(places, key=lambda place: (place[1], place[0]), default=("", 0))
    write = f"the write `{code}` in line {line}" if places else "a write under another name"
    return lowering.refuse(
        "write-through-view",
        f"`{shortened(lowering.code(node))}` may or may not have been changed by {write}",
        node,
        help="use one name for it, or take a copy (`.copy()`) where the second name is given",
    )


def shortened(code: str) -> str:
    """The first line of a piece of code, in a length for messages."""
    first = code.strip().split("\n")[0]
    return first if len(first) <= 40 else f"{first[:37]}..."


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
    _store_back(lowering, base, root, changed, node)


def replace(lowering: Lowering, base: Var, changed: Var, node: cst.CSTNode) -> None:
    """`x += y`: all of an array changes."""
    memory = lowering.memory
    memory.catch_up(lowering)
    _store_back(lowering, base, _owned_root(lowering, base, node), changed, node)


def _store_back(lowering: Lowering, base: Var, root: Var, changed: Var, node: cst.CSTNode) -> None:
    """An array has become `changed`, and so what it is a view of."""
    memory = lowering.memory
    memory.catch_up(lowering)
    if memory.whole.get(base, base) == root:
        _becomes(lowering, root, changed, node)
        return
    statement, _ = memory.made_by[base]
    source, *rest = statement.operands
    assert isinstance(source, Var)
    latest = now(lowering, source, node)
    if statement.op.name == "getitem":
        write(lowering, SETITEM, latest, rest[0], changed, node)
        return
    back = _computed_in_source(lowering, base, latest, changed, node)
    back = back or put_back(lowering, statement.op, rest, latest, changed, node)
    if back is None:
        raise _through_view(lowering, node)
    memory.catch_up(lowering)
    _store_back(lowering, latest, root, back, node)


def _computed_in_source(
    lowering: Lowering, base: Var, source: Var, changed: Var, node: cst.CSTNode
) -> Var | None:
    """`S + y.T`, where `M += y` is written to `M = S.T`: so the array keeps the layout that it has
    in place, and sums over it their order. None where the view is no mere order of axes.
    """
    memory = lowering.memory
    view, made = memory.made_by[base][0], memory.made_by[changed][0]
    if view.op.name in RESHAPED or not made.op.elementwise or made.operands[0] != base:
        return None
    turned: list[Atom] = [source]
    for operand in made.operands[1:]:
        if isinstance(operand, Var) and operand.type == base.type:
            other = put_back(lowering, view.op, view.operands[1:], source, operand, node)
            if other is None:
                return None
            turned.append(other)
        elif isinstance(operand.type, Number | Scalar):
            turned.append(operand)
        else:
            return None
    memory.taken_again.add(changed)  # the same again
    name = "" if source.is_temporary else source.name
    return lowering.assign(made.op, turned, node, name)


def _becomes(lowering: Lowering, root: Var, changed: Var, node: cst.CSTNode) -> None:
    memory = lowering.memory
    memory.where[changed] = frozenset((root,))
    memory.whole[changed] = root
    memory.latest[root] = changed
    memory.written[root] = memory.time
    reached = memory.overlaps.get(root, set())
    if memory.exact:
        carry_over(lowering, root, node)
    else:
        lose(lowering, reached, node)
    memory.foreign |= lowering.parameters & {root, *reached}


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
    if len(where) != 1:
        raise _through_view(lowering, node)
    (root,) = where
    if lowering.memory.is_spread(base) or lowering.memory.is_spread(root):
        raise _through_view(lowering, node)
    outside = {root, *lowering.memory.overlaps.get(root, ())} & lowering.hidden_variables()
    if outside:
        named = min(var.name for var in outside)
        raise lowering.refuse(
            "write-in-place",
            f"this writes to `{named}`, which belongs to no one call of the function",
            node,
            help="pass it as an argument, or write to a copy",
        )
    if lowering.memory.outlives(root):
        raise refuse_lasting(lowering, node)
    return root


def refuse_lasting(lowering: Lowering, node: cst.CSTNode) -> Exception:
    return lowering.refuse(
        "write-in-place",
        "this changes a default, or what has two names outside: it belongs to no one call",
        node,
        help="make a new one in the function, or take a copy",
    )


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
