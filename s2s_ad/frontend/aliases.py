"""Arrays that are one array on some paths only, told apart by flags while the program runs.

What a branch or loop hands on under a name may be an array that has other names too. A `Relation`
says when, and how: for each chain of views that leads from one allocation to the other, the flag
that is true where it does. Branches and loops hand on flags as they hand on values, so that a write
to one array can be carried over to the other where, and only where, Python would show it there
(`carry_over`). What cannot be said so stays unknown, and is refused when it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from s2s_ad.check import stands_in
from s2s_ad.frontend.views import RESHAPED, TURNED, is_view, put_back
from s2s_ad.ir import Assign, Atom, Block, Const, If, Operation, Statement, Var
from s2s_ad.operations.result_types import is_basic_index
from s2s_ad.types import Array

if TYPE_CHECKING:
    from s2s_ad.frontend.lower import Lowering
    from s2s_ad.frontend.writes import Memory

WHOLE = (Const(Ellipsis), Const(slice(None)))
REVERSED = Const(slice(None, None, -1))
LONGEST = 3  # views of views of views; a loop might go on for ever
YES, NO = Const(True), Const(False)


@dataclass(frozen=True)
class Step:
    """A view: the operation, and its operands behind the array."""

    op: Operation
    operands: tuple[Atom, ...]

    @property
    def undoes_itself(self) -> bool:
        return self.op.name in TURNED or self.operands == (REVERSED,)


Chain = tuple[Step, ...]
Relation = Mapping[Chain, Atom]
"""For each way to take one array from the other, the flag that says whether it is so."""

APART: Relation = {}


def _joined(chain: Chain, more: Chain) -> Chain | None:
    """One chain behind another; None where it gets too long."""
    found = list(chain)
    for step in more:
        if step.op.name == "getitem" and step.operands[0] in WHOLE:
            continue
        if found and found[-1] == step and step.undoes_itself:
            found.pop()
        else:
            found.append(step)
    return tuple(found) if len(found) <= LONGEST else None


def _turned(chain: Chain) -> Chain | None:
    """The way back, where it is a view too."""
    return chain[::-1] if all(step.undoes_itself for step in chain) else None


def _mapped(relation: Relation, before: Chain | None, after: Chain) -> Relation | None:
    """A relation between views of two arrays, by that of the arrays."""
    found: dict[Chain, Atom] = {}
    for chain, flag in relation.items():
        longer = None if before is None else _joined(before, chain)
        longer = None if longer is None else _joined(longer, after)
        if longer is None:
            return None
        found[longer] = flag
    return found if len(found) == len(relation) else None


def place_of(memory: Memory, atom: Atom) -> tuple[Var, Chain] | None:
    """The allocation that an array is a view of, and the way there, where that is known."""
    if not isinstance(atom, Var) or not isinstance(atom.type, Array):
        return None
    where = memory.where.get(atom, frozenset())
    root = memory.whole.get(atom, atom)
    if root in where and len(where) == 1:
        return root, ()
    made = memory.made_by.get(atom)
    if len(where) != 1 or made is None or atom.type.shape is None:
        return None
    op, (source, *rest) = made[0].op, made[0].operands
    is_item = op.name == "getitem" and is_basic_index(rest[0].type)
    is_way = is_item or op.name in TURNED or op.name in RESHAPED
    found = place_of(memory, source) if is_way else None
    chain = None if found is None else _joined(found[1], (Step(op, tuple(rest)),))
    return None if found is None or chain is None else (found[0], chain)


def relation(memory: Memory, one: Atom, other: Atom) -> Relation | None:
    """How `one` is taken from `other`; None where that is not known."""
    if not memory.meet(one, other):
        return APART
    place, another = place_of(memory, one), place_of(memory, other)
    if place is None or another is None:
        return None
    (root, chain), (base, way) = place, another
    back = _turned(way)
    if root == base:
        return {(): YES} if chain == way else _mapped({(): YES}, back, chain)
    known = memory.links.get((root, base))
    return None if known is None else _mapped(known, back, chain)


def relate(memory: Memory, one: Var, other: Var, known: Relation | None) -> None:
    """Note how two allocations belong together."""
    if known == APART:
        return
    memory.overlap(one, other)
    if known is None:
        return
    memory.links[one, other] = known
    back = {_turned(chain): flag for chain, flag in known.items()}
    if None not in back:
        memory.links[other, one] = {c: flag for c, flag in back.items() if c is not None}


def relate_reshaped(memory: Memory, statement: Assign, target: Var) -> None:
    """A reshaped array has an allocation of its own, which may be that of what it was made of."""
    op = statement.op
    known_rank = isinstance(target.type, Array) and target.type.shape is not None
    if not op.may_copy or op.name not in RESHAPED or not known_rank:
        return
    source = statement.operands[0]
    memory.where[target] = frozenset((target,))
    step = Step(op, tuple(statement.operands[1:]))
    flag = is_view(memory, op, source)
    for root in in_order(memory, (r for r in memory.roots(source) if isinstance(r, Var))):
        found = relation(memory, source, root)
        known = None if found is None else _mapped(found, (), (step,))
        if flag is None or (flag != YES and known is not None and {*known.values()} != {YES}):
            known = None
        elif flag != YES and known is not None:
            known = dict.fromkeys(known, flag)
        relate(memory, target, root, known)


def in_order(memory: Memory, roots: Iterable[Var]) -> list[Var]:
    """Allocations in an order that does not depend on hashes."""
    return sorted(roots, key=lambda root: (memory.birth(root), root.name, root.version))


def is_visible(lowering: Lowering, root: Var) -> bool:
    """Whether an allocation is one of the blocks around this place."""
    own = root in lowering.memory.visible or root in lowering.parameters
    return own or root in lowering.hidden_variables()


def read_by(chain: Chain) -> list[Var]:
    """The variables that a chain reads."""
    return [atom for step in chain for atom in step.operands if isinstance(atom, Var)]


# Writes -------------------------------------------------------------------------------------------


def carry_over(lowering: Lowering, root: Var, node: cst.CSTNode) -> None:
    """An allocation has been written to: those that may be the same one change with it."""
    from s2s_ad.frontend.writes import lose

    memory = lowering.memory
    reached = memory.overlaps.get(root, set())
    lose(lowering, (other for other in reached if not isinstance(other, Var)), node)
    arrays = in_order(memory, (o for o in reached if isinstance(o, Var)))
    for other in arrays:
        if not is_visible(lowering, other):
            continue  # it belongs to a block that has ended
        below, above = memory.links.get((other, root)), memory.links.get((root, other))
        if (
            other in memory.lost
            or (below is None and above is None)
            or other in lowering.hidden_variables()
        ):
            lose(lowering, [other], node)
        else:
            _follow(lowering, root, other, below, above, node)


def _follow(
    lowering: Lowering,
    root: Var,
    other: Var,
    below: Relation | None,
    above: Relation | None,
    node: cst.CSTNode,
) -> None:
    """`other` becomes what it is after a write to `root`."""
    from s2s_ad.frontend.writes import lose

    memory = lowering.memory
    for chain, flag in (below if below is not None else above or {}).items():
        written, value = memory.latest[root], memory.latest.get(other, other)
        statements = lowering.builder.statements
        if flag != YES:
            lowering.builder.statements = []
        if below is not None:
            changed = _along(lowering, written, chain, node)[-1]
        else:
            changed = _stored(lowering, value, chain, written, node)
        if flag != YES:
            inner, lowering.builder.statements = lowering.builder.statements, statements
            if not stands_in(changed.type, value.type):
                lose(lowering, [other], node)
                return
            changed = _chosen(lowering, flag, tuple(inner), changed, value, node)
        memory.catch_up(lowering)
        if changed != written:
            memory.where[changed] = frozenset((other,))
            memory.whole[changed] = other
        memory.latest[other] = changed
        memory.written[other] = memory.time


def _chosen(
    lowering: Lowering,
    flag: Atom,
    statements: tuple[Statement, ...],
    changed: Var,
    value: Var,
    node: cst.CSTNode,
) -> Var:
    names = lowering.builder.names
    target = (
        names.temporary(value.type) if value.is_temporary else names.fresh(value.name, value.type)
    )
    then = Block((), statements, (changed,))
    orelse = Block((), (), (value,))
    span = lowering.span(node)
    lowering.builder.statements.append(
        If((target,), flag, then, orelse, span, lowering.builder.role)
    )
    return target


def _along(lowering: Lowering, start: Var, chain: Chain, node: cst.CSTNode) -> list[Var]:
    """The views of a chain, one after the other."""
    found = [start]
    for step in chain:
        found.append(lowering.assign(step.op, [found[-1], *step.operands], node))
        lowering.memory.taken_again.add(found[-1])
    return found


def _stored(lowering: Lowering, base: Var, chain: Chain, value: Var, node: cst.CSTNode) -> Var:
    """`base` with a value where a chain of views leads."""
    if not chain:
        return value
    views = _along(lowering, base, chain[:-1], node)
    changed: Var | None = value
    for view, step in zip(reversed(views), reversed(chain), strict=True):
        assert changed is not None
        changed = put_back(lowering, step.op, step.operands, view, changed, node)
    assert changed is not None
    lowering.memory.taken_again.add(changed)
    return changed


# Where paths meet ---------------------------------------------------------------------------------


def chains_of(relations: Iterable[Relation]) -> list[Chain]:
    """Every chain of some relations, each once."""
    return list(dict.fromkeys(chain for each in relations for chain in each))


__all__ = [
    "APART",
    "NO",
    "YES",
    "Chain",
    "Relation",
    "carry_over",
    "chains_of",
    "in_order",
    "is_visible",
    "read_by",
    "relate",
    "relation",
]
