"""Leaves out what loops and branches hand on and nobody reads, and numbers the versions anew.

Lowering hands on every name that a block assigns; most of them are forgotten right behind it. What
the user computes stays, whether it is read or not: that is `remove_dead_code`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from s2s_ad.ir import Assign, Atom, Block, For, Function, If, Statement, Var, While
from s2s_ad.rewrite import Names, rename, with_body

Keep = Callable[[Var], bool]


def prune(function: Function, taken_again: Collection[Var]) -> Function:
    """`taken_again` are views that lowering took anew: they go too where nobody reads them."""
    plain = all(isinstance(statement, Assign) for statement in function.body.statements)
    if plain and not taken_again:
        return function
    live = _Live(taken_again)
    live.block(function.body)
    live.read(function.body.results)
    while live.grew:
        live.grew = False
        live.block(function.body)
    body = _pruned(function.body, live)
    return _renumbered(with_body(function, replace(body, results=function.body.results)))


class _Live:
    def __init__(self, taken_again: Collection[Var]) -> None:
        self.found: set[Var] = set()
        self.taken_again = frozenset(taken_again)
        self.grew = True

    def read(self, atoms: Collection[Atom]) -> None:
        new = {atom for atom in atoms if isinstance(atom, Var)} - self.found
        if new:
            self.found |= new
            self.grew = True

    def keeps(self, statement: Assign) -> bool:
        return not statement.targets or not (
            self.taken_again.issuperset(statement.targets)
            and self.found.isdisjoint(statement.targets)
        )

    def block(self, block: Block) -> None:
        for statement in reversed(block.statements):
            self.statement(statement)

    def statement(self, statement: Statement) -> None:
        match statement:
            case Assign():
                if self.keeps(statement):
                    self.read(statement.operands)
            case For(trip=trip, body=body, stops=stops):
                self.read(trip)
                self.read(body.results[-1:] if stops else ())
                for k in self.slots(statement):
                    self.read((statement.initial[k], body.results[k]))
                self.block(body)
            case While(test=test, body=body, stops=stops):
                self.read(test.results)
                self.read(body.results[-1:] if stops else ())
                for k in self.slots(statement):
                    self.read((statement.initial[k], body.results[k]))
                self.block(test)
                self.block(body)
            case If(test=condition, then=then, orelse=orelse):
                self.read((condition,))
                for k in self.slots(statement):
                    self.read((then.results[k], orelse.results[k]))
                self.block(then)
                self.block(orelse)

    def slots(self, statement: For | While | If) -> list[int]:
        """The places of what is handed on and read."""
        rows: list[tuple[Var, ...]] = [statement.targets]
        if isinstance(statement, For):
            rows.append(statement.body.parameters[1:])
        elif isinstance(statement, While):
            rows += [statement.body.parameters, statement.test.parameters]
        return [
            k for k in range(len(statement.targets)) if any(row[k] in self.found for row in rows)
        ]


def _pruned(block: Block, live: _Live) -> Block:
    statements: list[Statement] = []
    for statement in block.statements:
        if isinstance(statement, Assign):
            if live.keeps(statement):
                statements.append(statement)
            continue
        kept = live.slots(statement)
        small = _with_slots(statement, kept, live)
        if small is not None:
            statements.append(small)
    return Block(block.parameters, tuple(statements), block.results)


def _with_slots(statement: For | While | If, kept: list[int], live: _Live) -> Statement | None:
    def pick(row: tuple) -> tuple:  # type: ignore[type-arg]
        return tuple(row[k] for k in kept)

    targets = pick(statement.targets)
    if isinstance(statement, If):
        then, orelse = (
            replace(_pruned(block, live), results=pick(block.results))
            for block in (statement.then, statement.orelse)
        )
        if not targets and not then.statements and not orelse.statements:
            return None
        return replace(statement, targets=targets, then=then, orelse=orelse)
    body = _pruned(statement.body, live)
    stop = body.results[len(statement.targets) :]
    body = replace(body, results=pick(body.results) + stop)
    if isinstance(statement, For):
        body = replace(body, parameters=(body.parameters[0], *pick(body.parameters[1:])))
        return replace(statement, targets=targets, initial=pick(statement.initial), body=body)
    body = replace(body, parameters=pick(body.parameters))
    test = _pruned(statement.test, live)
    test = replace(test, parameters=pick(test.parameters))
    return replace(
        statement, targets=targets, initial=pick(statement.initial), test=test, body=body
    )


def _renumbered(function: Function) -> Function:
    """Versions and numbers in the order in which variables are defined."""
    names = Names(function.taken_names)
    found: dict[Var, Var] = {}

    def new_name(var: Var) -> Var:
        if var not in found:
            if var.is_temporary:
                found[var] = names.temporary(var.type)
            else:
                found[var] = names.fresh(var.name, var.type)
        return found[var]

    for parameter in function.body.parameters:
        new_name(parameter)
    _define(function.body, new_name)
    return rename(function, new_name)


def _define(block: Block, new_name: Callable[[Var], Var]) -> None:
    """Name every variable, parameters before statements, targets behind their blocks."""
    for parameter in block.parameters:
        new_name(parameter)
    for statement in block.statements:
        match statement:
            case For(body=body):
                _define(body, new_name)
            case While(test=test, body=body):
                _define(test, new_name)
                _define(body, new_name)
            case If(then=then, orelse=orelse):
                _define(then, new_name)
                _define(orelse, new_name)
        for target in statement.targets:
            new_name(target)
