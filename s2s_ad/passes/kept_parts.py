"""Parts of arrays that may stay views while the array is updated: `row = g[i, k:]` is what it was
behind `g[k, k:] -= v`, where the rows are known to differ.

`order_updates` makes no copy of such a part, and `place_copies` lets the updates happen in place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from s2s_ad.ir import Assign, Block, Function, Statement, Var, blocks_of, operands_of
from s2s_ad.operations.indexing import ADDITEM, SETITEM
from s2s_ad.operations.result_types import is_basic_index
from s2s_ad.passes.activity import free_variables
from s2s_ad.passes.storage.accesses import Accesses
from s2s_ad.passes.storage.places import Places, labelled
from s2s_ad.types import Array

Kept = frozenset[tuple[Var, Var]]  # a part, and what an update that leaves it alone makes


def kept_parts(function: Function) -> Kept:
    """Parts, each with the updates during its life, which all leave it alone."""
    found: list[tuple[Var, Var]] = []
    accesses: Accesses | None = None
    for part, updates in _candidates(function.body):
        accesses = accesses or Accesses(Places.of(labelled(function)))
        if all(accesses.are_apart_now(part, update) for update in updates):
            found += [(part.target, update.target) for update in updates]
    return frozenset(found)


def _candidates(block: Block) -> Iterator[tuple[Assign, list[Assign]]]:
    for place, statement in enumerate(block.statements):
        for inner in blocks_of(statement):
            yield from _candidates(inner)
        if _is_part(statement):
            assert isinstance(statement, Assign)
            updates = _updates_in_life(statement, block.statements[place + 1 :], block.results)
            if updates:
                yield statement, updates


def _is_part(statement: Statement) -> bool:
    return (
        isinstance(statement, Assign)
        and statement.op.name == "getitem"
        and isinstance(statement.target.type, Array)
        and isinstance(statement.operands[0], Var)
        and is_basic_index(statement.operands[1].type)
    )


def _updates_in_life(
    part: Assign, later: Sequence[Statement], results: Sequence[object]
) -> list[Assign]:
    """The updates of the array until the part is read for the last time; none where something else
    is done to either, or the part is handed on.
    """
    view = part.target
    places = [place for place, statement in enumerate(later) if view in _read(statement)]
    if view in results or not places:
        return []
    versions, updates = {part.operands[0]}, list[Assign]()
    for statement in later[: places[-1] + 1]:
        if not isinstance(statement, Assign):
            if versions.intersection(_read(statement)) or view in _read(statement):
                return []
            continue
        is_target = bool(statement.op.update) and statement.operands[0] == view
        if view in statement.operands and (statement.op.view_of or is_target):
            return []
        if statement.op.update and statement.operands[0] in versions:
            if statement.op not in (SETITEM, ADDITEM):
                return []
            versions.add(statement.target)
            if statement is not later[places[-1]]:
                updates.append(statement)
    return updates


def _read(statement: Statement) -> set[object]:
    return {*operands_of(statement), *free_variables(blocks_of(statement))}


__all__ = ["Kept", "kept_parts"]
