"""Which values may share memory, and which are still read, in functions with loops and branches.

Values that hold memory are arrays and lists. `sources` says from which values the memory of one may
come; `possible_memory` follows that to the allocations; `live_after` gives the values that hold
memory and are read behind a statement on some path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

from s2s_ad.ir import (
    UNDEFINED,
    Assign,
    Atom,
    Block,
    For,
    Function,
    If,
    Statement,
    Var,
    While,
    blocks_of,
    operands_of,
)
from s2s_ad.memory import NOWHERE, Allocations, allocations_of
from s2s_ad.operations.lists import APPEND, DISPLAY, ITEM, SET_ITEM
from s2s_ad.operations.support import BROADCAST_TO
from s2s_ad.rewrite import all_statements
from s2s_ad.types import NONE, Array, ListOf, Type

READ_ONLY = Var("read-only memory", NONE)
"""Stands among the allocations of what must not be written: a broadcast view, a diagonal, an item
of a list.
"""

STORED = {APPEND: 1, SET_ITEM: 2}
"""Which operand an operation puts into a list."""


def holds_memory(type: Type) -> bool:
    return isinstance(type, Array | ListOf)


def lies_in(statement: Assign, target: Var, known: Mapping[Var, Allocations]) -> Allocations:
    """Where a result of a statement lies, given where its operands do. An update lies where its
    first operand does.
    """
    op = statement.op
    if not holds_memory(target.type):
        return NOWHERE
    if op is ITEM or (op.update and target != statement.targets[-1]):
        return frozenset((READ_ONLY,))
    if is_read_only(statement):
        return allocations_of(statement, target, known) | {READ_ONLY}
    if isinstance(target.type, Array):
        return allocations_of(statement, target, known)
    source = source_of(statement, target)
    return frozenset((target,)) if source is None else known.get(source, NOWHERE)


def is_read_only(statement: Assign) -> bool:
    """Whether NumPy lets nobody write to a result: what is broadcast, and diagonals of matrices."""
    if statement.op.name == "numpy.diag":
        given = statement.operands[0].type
        return isinstance(given, Array) and (given.shape is None or len(given.shape) != 1)
    return statement.op is BROADCAST_TO or statement.op.name == "numpy.diagonal"


def source_of(statement: Assign, target: Var) -> Var | None:
    """The operand whose memory a result is, or may be."""
    op = statement.op
    if op.update:
        source = statement.operands[0]
        return source if target == statement.targets[-1] and isinstance(source, Var) else None
    if not op.view_of or op is ITEM:
        return None
    source = statement.operands[op.parameters.index(op.view_of)]
    return source if isinstance(source, Var) else None


def stored_in_lists(statement: Assign) -> tuple[Atom, ...]:
    """The operands that a statement puts into a list."""
    if statement.op is DISPLAY:
        return statement.operands
    place = STORED.get(statement.op)
    return () if place is None else (statement.operands[place],)


Slot = tuple[Var, ...]
"""The variables that stand for one carried value: target, parameter, parameter of the test."""


def slots_of(loop: For | While) -> Iterator[tuple[Slot, Atom, Atom]]:
    """Each carried value of a loop: its variables, its initial value, its next value."""
    body = loop.body
    columns: Iterable[Slot]
    if isinstance(loop, For):
        columns = zip(loop.targets, body.parameters[1:], strict=True)
    else:
        columns = zip(loop.targets, body.parameters, loop.test.parameters, strict=True)
    yield from zip(columns, loop.initial, body.results, strict=False)


def sources(block: Block) -> dict[Var, list[Var]]:
    """For each value, those whose memory it may be: what it is a view of, what it updates, what a
    loop or branch hands on to it.
    """
    found: dict[Var, list[Var]] = {}

    def add(target: Var, atoms: Iterable[Atom | None]) -> None:
        if holds_memory(target.type):
            found.setdefault(target, []).extend(a for a in atoms if isinstance(a, Var))

    for statement in all_statements(block):
        match statement:
            case Assign(targets=targets):
                for target in targets:
                    add(target, (source_of(statement, target),))
            case If(targets, _, then, orelse):
                for target, *given in zip(targets, then.results, orelse.results, strict=True):
                    add(target, given)
            case For() | While():
                for slot, initial, following in slots_of(statement):
                    for var in slot:
                        add(var, (initial, following, *slot))
    return found


def maybe_undefined(block: Block, flow: Mapping[Var, Sequence[Var]]) -> set[Var]:
    """What holds memory on some paths and is undefined on others."""
    found: set[Var] = set()
    for statement in all_statements(block):
        match statement:
            case If(targets, _, then, orelse):
                for target, *given in zip(targets, then.results, orelse.results, strict=True):
                    found.update((target,) if UNDEFINED in given else ())
            case For() | While():
                for slot, initial, _ in slots_of(statement):
                    found.update(slot if initial == UNDEFINED else ())
    found = {var for var in found if holds_memory(var.type)}
    readers: dict[Var, list[Var]] = {}
    for var, given_by in flow.items() if found else ():
        for source in given_by:
            readers.setdefault(source, []).append(var)
    handed = {*flow} - {
        t for s in all_statements(block) if isinstance(s, Assign) for t in s.targets
    }
    pending = list(found)
    while pending:
        for var in readers.get(pending.pop(), ()):
            if var in handed and var not in found:
                found.add(var)
                pending.append(var)
    return found


def possible_memory(function: Function, roots: Set[Var], in_place: bool) -> dict[Var, Allocations]:
    """Where each value may lie. Those in `roots` have memory of their own. `in_place`: an update
    changes its operand; otherwise its result may also be a copy, and is never the caller's.
    """
    foreign = frozenset((*function.body.parameters, READ_ONLY))
    known: dict[Var, Allocations] = {}
    changed = True

    def settle(var: Var, where: Allocations) -> None:
        nonlocal changed
        if holds_memory(var.type) and not where <= known.get(var, NOWHERE):
            known[var] = known.get(var, NOWHERE) | where
            changed = True

    def of(atom: Atom) -> Allocations:
        return known.get(atom, NOWHERE) if isinstance(atom, Var) else NOWHERE

    for parameter in function.body.parameters:
        settle(parameter, frozenset((parameter,)))
    everything = tuple(all_statements(function.body))
    has_blocks = any(blocks_of(statement) for statement in everything)
    while changed:
        changed = False
        for statement in everything:
            match statement:
                case Assign(targets, op):
                    for target in targets:
                        where = lies_in(statement, target, known)
                        if op.update and not in_place and target == targets[-1]:
                            where = (where - foreign) | {target}
                        settle(target, where)
                case If(targets, _, then, orelse):
                    for target, *given in zip(targets, then.results, orelse.results, strict=True):
                        settle(target, of(given[0]) | of(given[1]))
                case For() | While():
                    for slot, initial, following in slots_of(statement):
                        where = of(initial) | of(following)
                        for var in slot:
                            settle(var, frozenset((slot[0],)) if slot[0] in roots else where)
        changed = changed and has_blocks
    return known


def variables_read(statement: Statement) -> set[Var]:
    """What a statement reads of what is defined outside of it."""
    read = {atom for atom in operands_of(statement) if isinstance(atom, Var)}
    for block in blocks_of(statement):
        inner = {atom for atom in block.results if isinstance(atom, Var)}
        for one in block.statements:
            inner |= variables_read(one)
        read |= inner.difference(block.parameters, *(one.targets for one in block.statements))
    return read


LiveAfter = Mapping[int, frozenset[Var]]
"""By the identity of a statement, the values holding memory that are read behind it."""


def live_after(function: Function, wanted: Set[int]) -> LiveAfter:
    """For the statements whose identity is `wanted`, and for all loops."""
    recorded: dict[int, frozenset[Var]] = {}

    def held(atoms: Iterable[Atom]) -> set[Var]:
        return {a for a in atoms if isinstance(a, Var) and holds_memory(a.type)}

    def walk(block: Block, live_out: Set[Var]) -> set[Var]:
        live = set(live_out) | held(block.results)
        for statement in reversed(block.statements):
            if id(statement) in wanted or isinstance(statement, For | While):
                recorded[id(statement)] = frozenset(live)
            live.difference_update(statement.targets)
            match statement:
                case For(body=body):
                    live |= held(variables_read(statement))
                    walk(body, live)
                case While(test=test, body=body):
                    live |= held(variables_read(statement))
                    walk(body, live)
                    walk(test, live | set(body.parameters))
                case If(then=then, orelse=orelse):
                    live = walk(then, live) | walk(orelse, live)
                case _:
                    live |= held(operands_of(statement))
        return live

    walk(function.body, set())
    return recorded
