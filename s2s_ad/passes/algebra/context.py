"""What a rewriting sees: the definitions of its operands, how often they are used, and a way to
append statements.
"""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Const, Function, Operation, Statement, Var
from s2s_ad.operations import catalogue
from s2s_ad.operations.support import RECALL
from s2s_ad.passes.algebra.whole_numbers import STAYS_WHOLE, perhaps_whole
from s2s_ad.passes.propagate_copies import prefers_name
from s2s_ad.rewrite import Builder, Names, all_statements, count_uses
from s2s_ad.types import Number, Sizes

MOST_BACK = 200  # statements that are looked through


class Context:
    """The statements rewritten so far, and what is known about their variables."""

    def __init__(self, function: Function) -> None:
        sizes = Sizes.knowing(function.assumptions, 2_000_000)
        self.builder = Builder(Names.of(function), sizes)
        self.parameters = function.body.parameters
        self.whole = perhaps_whole(function.body)
        self.uses = count_uses(function.body)
        self.factors = _factors(function)
        self.values: dict[Var, Atom] = {}
        self.renames: dict[Var, Var] = {}
        self.changed = False
        self._definitions: dict[Var, Assign] = {}

    @property
    def statements(self) -> list[Statement]:
        return self.builder.statements

    def resolve(self, atom: Atom) -> Atom:
        while isinstance(atom, Var) and atom in self.values:
            atom = self.values[atom]
        return atom

    def resolved(self, statement: Assign) -> Assign:
        operands = tuple(self.resolve(operand) for operand in statement.operands)
        if operands == statement.operands:
            return statement
        return Assign(statement.targets, statement.op, operands, statement.span, statement.role)

    # For rewritings -------------------------------------------------------------------------------

    def operation(self, name: str) -> Operation:
        return catalogue().operations[name]

    def definition(self, atom: Atom) -> Assign | None:
        """The statement that computes an atom, if there is one."""
        return self._definitions.get(atom) if isinstance(atom, Var) else None

    def defined_by(self, atom: Atom, *names: str) -> Assign | None:
        """The statement that computes an atom, if its operation has one of these names."""
        found = self.definition(atom)
        return found if found is not None and found.op.name in names else None

    def recalled(self, atom: Atom) -> Atom:
        """The value of the forward sweep that the atom is, where it is recalled."""
        found = self.definition(atom)
        return atom if found is None or found.op is not RECALL else found.operands[0]

    def computed(self, name: str, *operands: Atom) -> Var | None:
        """The value of an operation that stands not far before in this block."""
        for statement in reversed(self.statements[-MOST_BACK:]):
            if (
                isinstance(statement, Assign)
                and statement.op.name == name
                and statement.operands == operands
                and len(statement.targets) == 1
            ):
                return statement.target
        return None

    def turns_whole(self, statement: Assign, found: Atom) -> bool:
        """Whether a value that may be a Python integer would take the place of a float."""
        return bool(self.whole) and self._is_whole(found) and not self._keeps_whole(statement)

    def _is_whole(self, atom: Atom) -> bool:
        if isinstance(atom.type, Number) and atom.type.kind == "int":
            return True
        made = self.definition(atom)
        return atom in self.whole or (made is not None and self._keeps_whole(made))

    def _keeps_whole(self, statement: Assign) -> bool:
        return statement.op.name in STAYS_WHOLE and all(map(self._is_whole, statement.operands))

    def is_single(self, atom: Atom) -> bool:
        """Whether the atom has one reader, so that it disappears with it."""
        return isinstance(atom, Var) and self.uses.get(atom, 0) <= 1

    def assign(self, name: str | Operation, *operands: Atom) -> Var:
        op = self.operation(name) if isinstance(name, str) else name
        target = self.builder.assign(op, *operands)
        statement = self.statements[-1]
        assert isinstance(statement, Assign)
        self._definitions[target] = statement
        self.uses[target] = 1
        return target

    # For the pass ---------------------------------------------------------------------------------

    def begin(self, statement: Assign) -> int:
        self.builder.span, self.builder.role = statement.span, statement.role
        return len(self.statements)

    def rewind(self, mark: int) -> None:
        """Forget statements of a rewriting that came to nothing."""
        for statement in self.statements[mark:]:
            for target in statement.targets:
                self._definitions.pop(target, None)
        del self.statements[mark:]

    def keep(self, statement: Statement) -> None:
        self.statements.append(statement)
        if isinstance(statement, Assign):
            for target in statement.targets:
                self._definitions[target] = statement

    def replace(self, statement: Assign, found: Atom, mark: int) -> None:
        """The statement's value is `found`. If that was computed just now, it takes the statement's
        name.
        """
        self.changed = True
        last = self.statements[-1] if len(self.statements) > mark else None
        fresh = isinstance(found, Var) and isinstance(last, Assign) and last.targets == (found,)
        if (
            fresh
            and isinstance(found, Var)
            and isinstance(last, Assign)
            and found.type == statement.target.type
        ):
            self.statements.pop()
            self.keep(Assign(statement.targets, last.op, last.operands, last.span, last.role))
            self._definitions.pop(found, None)
            return
        self.values[statement.target] = found
        if prefers_name(found, statement.target) and found not in self.renames:
            assert isinstance(found, Var)
            self.renames[found] = self.builder.names.fresh(statement.target.name, found.type)
        if isinstance(found, Var):
            self.uses[found] = self.uses.get(found, 0) + self.uses.get(statement.target, 0)


def _factors(function: Function) -> set[Atom]:
    """What products of adjoints are made of; the whole product is simplified at once."""
    return {
        operand
        for statement in all_statements(function.body)
        if isinstance(statement, Assign) and statement.role != "primal"
        if statement.op.name in ("*", "/", "-x")
        for operand in statement.operands
    }


def number(atom: Atom) -> float | int | None:
    """The value of a numeric constant that has no spelling of its own."""
    if (
        isinstance(atom, Const)
        and isinstance(atom.value, int | float)
        and not isinstance(atom.value, bool)
    ):
        return None if atom.text else atom.value
    return None
