"""Settles memory: where a value that is updated or returned might share it with another, a copy is
put in.

Up to here values are pure. From here on `x with [i] = v` happens in place: its first operand is an
array that the function allocated and that nothing reads any more, under whatever name (views count
as names). Results share no memory with arguments or with each other.
"""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Block, Const, Function, Statement, Var, operands_of
from s2s_ad.memory import Allocations, allocations_of
from s2s_ad.operations.support import (
    BROADCAST_TO,
    COPY,
    FULL,
    FULL_LIKE,
    ONES_LIKE,
    SHAPE_ATTRIBUTE,
)
from s2s_ad.rewrite import Builder, Names, with_body
from s2s_ad.types import DTYPES, Array, Sizes, scalar_like


def place_copies(function: Function) -> Function:
    placer = _Placer(function)
    for position, statement in enumerate(function.body.statements):
        placer.visit(position, statement)
    results = placer.separate_results(function.body.results)
    statements = _without_unread_broadcasts(placer.builder.statements, results)
    return with_body(function, Block(function.body.parameters, statements, results))


def _without_unread_broadcasts(
    statements: list[Statement], results: tuple[Atom, ...]
) -> tuple[Statement, ...]:
    """What is returned as an array of its own need not have been a view first."""
    read = {atom for statement in statements for atom in operands_of(statement)} | set(results)
    return tuple(
        statement
        for statement in statements
        if not (
            isinstance(statement, Assign)
            and statement.op is BROADCAST_TO
            and statement.target not in read
        )
    )


class _Placer:
    def __init__(self, function: Function) -> None:
        sizes = Sizes.knowing(function.assumptions, 3_000_000)
        self.builder = Builder(Names.of(function), sizes)
        self.foreign = frozenset(function.body.parameters)
        self.memory: dict[Var, Allocations] = {}
        self.holders: dict[Var, list[Var]] = {}
        for var in function.body.parameters:
            self.settle(var, frozenset((var,)))
        self.read_only: set[Var] = set()
        self.definitions: dict[Var, Assign] = {}
        self.last_use: dict[Var, int] = {}
        for position, statement in enumerate(function.body.statements):
            for atom in operands_of(statement):
                if isinstance(atom, Var):
                    self.last_use[atom] = position
        for atom in function.body.results:
            if isinstance(atom, Var):
                self.last_use[atom] = len(function.body.statements)

    def visit(self, position: int, statement: Statement) -> None:
        assert isinstance(statement, Assign)
        self.builder.span, self.builder.role = statement.span, statement.role
        if statement.op.update:
            statement = self.owned(position, statement)
        self.builder.statements.append(statement)
        for target in statement.targets:
            self.definitions[target] = statement
            self.settle(target, allocations_of(statement, target, self.memory))
            op = statement.op
            if op.view_of and not op.update:
                source = statement.operands[op.parameters.index(op.view_of)]
                if op is BROADCAST_TO or source in self.read_only:
                    self.read_only.add(target)

    def settle(self, var: Var, where: Allocations) -> None:
        """Note where a variable lies."""
        self.memory[var] = where
        for allocation in where:
            self.holders.setdefault(allocation, []).append(var)

    def others_alive(self, var: Var, position: int) -> bool:
        """Whether memory of `var` is read after this position under another name."""
        for allocation in self.memory_of(var):
            alive = [w for w in self.holders[allocation] if self.last_use.get(w, -1) > position]
            self.holders[allocation] = alive  # the dead are dead for good
            if any(other != var for other in alive):
                return True
        return False

    def memory_of(self, atom: Atom) -> frozenset[Var]:
        return self.memory.get(atom, frozenset()) if isinstance(atom, Var) else frozenset()

    def owned(self, position: int, statement: Assign) -> Assign:
        """The update with a copy as first operand, unless the array is ours and nobody reads it any
        more.
        """
        first, *rest = statement.operands
        assert isinstance(first, Var)
        where = self.memory_of(first)
        shared = (
            first in self.read_only
            or bool(where & self.foreign)
            or self.others_alive(first, position)
        )
        if shared or self.last_use[first] > position or first in rest:
            first = self.copy(first)
        # NumPy sees overlaps in `x[1:] = x[:-1]`, but not in `np.add.at`
        if statement.op.update.startswith("np.") and any(
            self.memory_of(atom) & where for atom in rest
        ):
            rest = [self.copy(atom) if self.memory_of(atom) & where else atom for atom in rest]
        return Assign(
            statement.targets, statement.op, (first, *rest), statement.span, statement.role
        )

    def copy(self, atom: Atom) -> Var:
        assert isinstance(atom, Var)
        found = self.definitions.get(atom)
        if found is not None and found.op is BROADCAST_TO and scalar_like(found.operands[0].type):
            copied = self.filled(atom, found)
        else:
            copied = self.builder.assign(COPY, atom, name=atom.name)
        made = self.builder.statements[-1]
        assert isinstance(made, Assign)
        self.settle(copied, frozenset((copied,)))
        self.definitions[copied] = made
        return copied

    def filled(self, atom: Var, found: Assign) -> Var:
        """A broadcast number, as an array of its own."""
        assert isinstance(atom.type, Array)
        value, shape = found.operands
        ones = isinstance(value, Const) and value == Const(1.0)
        source = self.definitions.get(shape) if isinstance(shape, Var) else None
        if (
            source is not None
            and source.op is SHAPE_ATTRIBUTE
            and source.operands[0].type == atom.type
        ):
            like = source.operands[0]
            if ones:
                return self.builder.assign(ONES_LIKE, like, Const(None), name=atom.name)
            return self.builder.assign(FULL_LIKE, like, value, Const(None), name=atom.name)
        name = DTYPES[atom.type.dtype]
        dtype = Const(None) if name == "float64" else Const(name, f"numpy.{name}")
        return self.builder.assign(FULL, shape, value, dtype, name=atom.name)

    def separate_results(self, results: tuple[Atom, ...]) -> tuple[Atom, ...]:
        """Results of their own memory."""
        given: set[Var] = set(self.foreign)
        separate: list[Atom] = []
        self.builder.span = None
        for result in results:
            if isinstance(result, Var) and isinstance(result.type, Array):
                where = self.memory_of(result)
                if where & given or result in self.read_only:
                    found = self.definitions.get(result)
                    if found is not None:
                        self.builder.span, self.builder.role = found.span, found.role
                    result = self.copy(result)
                    where = self.memory_of(result)
                given |= where
            separate.append(result)
        return tuple(separate)
