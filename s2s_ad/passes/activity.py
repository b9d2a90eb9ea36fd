"""Which variables carry a derivative: those that depend differentiably on the sources, and of these
the ones that some result depends on.

Loops are followed until nothing new is found: what one trip hands to the next is active if it is so
before the loop or after any trip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from s2s_ad.ir import (
    Assign,
    Atom,
    Block,
    For,
    If,
    Statement,
    Var,
    While,
    blocks_of,
    operands_of,
)
from s2s_ad.operations.random_draws import refuse_active_draw
from s2s_ad.types import is_float


def active_variables(block: Block, sources: Iterable[Var]) -> set[Var]:
    """The variables whose value depends differentiably on the sources."""
    active = set(sources)
    _follow(block.statements, active)
    return active


def _follow(statements: Sequence[Statement], active: set[Var]) -> None:
    for statement in statements:
        match statement:
            case Assign():
                if not statement.op.constant and any(
                    operand in active for operand in differentiated(statement)
                ):
                    refuse_active_draw(statement)
                    _add(statement.op.moving(statement.targets), active)
            case For(body=body) | While(body=body):
                _follow_loop(statement, body, active)
            case If(targets=targets, then=then, orelse=orelse):
                _follow(then.statements, active)
                _follow(orelse.statements, active)
                for target, *given in zip(targets, then.results, orelse.results, strict=True):
                    if any(atom in active for atom in given):
                        _add((target,), active)


def _follow_loop(statement: For | While, body: Block, active: set[Var]) -> None:
    carried = carried_of(statement)
    while True:
        before = len(active)
        for target, initial, parameter, following in carried:
            if initial in active or following in active:
                _add((parameter, target), active)
        _follow(body.statements, active)
        if len(active) == before:
            return


def _add(variables: Iterable[Var], active: set[Var]) -> None:
    active.update(var for var in variables if is_float(var.type))


def carried_of(statement: For | While) -> list[tuple[Var, Atom, Var, Atom]]:
    """Target, initial value, parameter and next value of everything that a loop carries."""
    body = statement.body
    parameters = body.parameters[1:] if isinstance(statement, For) else body.parameters
    results = body.results[: len(parameters)]
    return list(zip(statement.targets, statement.initial, parameters, results, strict=True))


def differentiated(statement: Assign) -> list[Atom]:
    """The operands whose values matter, not only their shapes."""
    if statement.op.implicit is not None:
        # where a solver starts, and how far it goes, does not move the solution
        return [statement.operands[place] for place in statement.op.implicit.places]
    names = statement.op.operand_names(len(statement.operands))
    op = statement.op
    pairs = zip(names, statement.operands, strict=True)
    return [operand for name, operand in pairs if not op.is_marked(op.shape_only, name)]


def relevant_variables(block: Block, wanted: Iterable[Atom], active: set[Var]) -> set[Var]:
    """The active variables that `wanted` results of a block depend on, those from outside too."""
    relevant = {atom for atom in wanted if isinstance(atom, Var) and atom in active}
    for statement in reversed(block.statements):
        if not any(target in relevant for target in statement.targets):
            continue
        match statement:
            case Assign():
                read: Iterable[Atom] = differentiated(statement)
            case For() | While():
                read = _relevant_to_loop(statement, relevant, active)
            case If(targets=targets, then=then, orelse=orelse):
                chosen = [k for k, target in enumerate(targets) if target in relevant]
                read = set[Atom]().union(
                    *(
                        relevant_variables(branch, [branch.results[k] for k in chosen], active)
                        for branch in (then, orelse)
                    )
                )
        relevant.update(atom for atom in read if isinstance(atom, Var) and atom in active)
    return relevant


def _relevant_to_loop(statement: For | While, wanted: Iterable[Var], active: set[Var]) -> set[Var]:
    carried = carried_of(statement)
    slots = relevant_slots(statement, wanted, active)
    inner = relevant_variables(statement.body, [carried[k][3] for k in slots], active)
    return inner | {
        initial for k in slots if isinstance(initial := carried[k][1], Var) and initial in active
    }


def relevant_slots(statement: For | While, wanted: Iterable[Atom], active: set[Var]) -> list[int]:
    """The places of the carried values on whose adjoints those of `wanted` targets depend."""
    carried = carried_of(statement)
    known = set(wanted)
    slots = {k for k, (target, *_) in enumerate(carried) if target in known}
    while True:
        inner = relevant_variables(statement.body, [carried[k][3] for k in sorted(slots)], active)
        more = {k for k, (_, _, parameter, _) in enumerate(carried) if parameter in inner}
        if more <= slots:
            return sorted(slots)
        slots |= more


def free_variables(blocks: Iterable[Block]) -> list[Var]:
    """What blocks read and do not define, in the order of first reading."""
    found: dict[Var, None] = {}
    for block in blocks:
        for var in _free(block):
            found.setdefault(var)
    return list(found)


def _free(block: Block) -> Iterator[Var]:
    own = set(block.parameters)
    for statement in block.statements:
        for atom in operands_of(statement):
            if isinstance(atom, Var) and atom not in own:
                yield atom
        for inner in blocks_of(statement):
            yield from (var for var in _free(inner) if var not in own)
        own.update(statement.targets)
    yield from (atom for atom in block.results if isinstance(atom, Var) and atom not in own)
