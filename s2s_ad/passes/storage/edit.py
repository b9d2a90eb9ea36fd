"""Puts a storage plan into the program: in one walk from top to bottom, forward loops write what is
kept, and the loops that undo them read it, or compute again, at the beginning of the same trip.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from s2s_ad.diagnostics import refusal
from s2s_ad.ir import (
    UNDEFINED,
    Assign,
    Atom,
    Block,
    Const,
    For,
    Function,
    If,
    Statement,
    Var,
    While,
)
from s2s_ad.operations import catalogue
from s2s_ad.operations.lists import LENGTH
from s2s_ad.operations.support import RECALL
from s2s_ad.passes.activity import carried_of
from s2s_ad.passes.sizes import compute
from s2s_ad.passes.storage.places import TOP, Places, Step
from s2s_ad.passes.storage.tapes import Stack, Storage, Tape, as_stored
from s2s_ad.passes.undefined import needing_something, something
from s2s_ad.passes.undo_types import has_narrow_floats
from s2s_ad.rewrite import Builder, Names, substitute, with_body
from s2s_ad.types import Number, Sizes


@dataclass
class Plan:
    """What happens to each variable that the reverse sweep recalls and that a block hides."""

    kept: dict[Var, Storage] = field(default_factory=dict)
    following: dict[Var, Var] = field(default_factory=dict)  # in the next row of whose tape
    again: set[Var] = field(default_factory=set)
    handed_out: set[Var] = field(default_factory=set)  # of a branch outside of loops
    final: dict[Var, tuple[Var, Atom]] = field(default_factory=dict)  # still in an array, where
    sizes: set[Var] = field(default_factory=set)  # integers that the parameters' shapes tell

    def needed_at(self, places: Places) -> dict[Step, list[Var]]:
        """For each block what its counterpart in the reverse sweep reads or computes first."""
        needed: dict[Step, list[Var]] = {}
        for var in sorted(
            {*self.kept, *self.following, *self.again, *self.final, *self.sizes},
            key=places.order.__getitem__,
        ):
            needed.setdefault(places.home[var][-1], []).append(var)
        return needed


class TooEarly(Exception):
    """The reverse sweep needs given variables before it has them."""

    def __init__(self, variables: set[Var]) -> None:
        self.variables = variables


def apply_plan(function: Function, places: Places, plan: Plan) -> Function:
    """The function with its values kept and read as planned. Raises TooEarly."""
    editor = _Editor(function, places, plan)
    body = editor.whole(function.body)
    if editor.early:
        raise TooEarly(editor.early)
    return with_body(function, substitute(body, editor.values))


class _Editor:
    def __init__(self, function: Function, places: Places, plan: Plan) -> None:
        sizes = Sizes.knowing(function.assumptions, 4_000_000)
        self.builder = Builder(Names.of(function), sizes)
        self.parameters = function.body.parameters
        self.places, self.plan = places, plan
        self.needed = plan.needed_at(places)
        self.here: set[Atom] = {var for variables in self.needed.values() for var in variables}
        self.is_narrow = has_narrow_floats(function)
        self.filled = needing_something(function.body, plan.kept)
        self.values: dict[Var, Atom] = {}  # what stands for recalls, and recalled variables
        self.local: dict[Var, Atom] = {}  # a forward variable in the reverse sweep
        self.recalls: dict[Var, Atom] = {}
        self.given: dict[Var, list[Var]] = {}  # by the variable of the reverse sweep
        for var, stands_for in places.given.items():
            self.given.setdefault(stands_for, []).append(var)
        self.waiting: list[Var] = []  # for given variables, in the block of the reverse sweep
        self.early: set[Var] = set()
        self.state: dict[Var, Atom] = {}  # tapes, stacks and handed out values, by their variable

    def whole(self, block: Block) -> Block:
        for statement in block.statements:
            self.create_for(statement)
            self.statement(statement)
        for recall, var in self.recalls.items():
            self.values[recall] = self.now(var)
        return Block(block.parameters, tuple(self.builder.statements), block.results)

    def create_for(self, statement: Statement) -> None:
        """Tapes and stacks for what a statement of the function's own block has in it."""
        for var in self.filled_in(statement):
            self.builder.span, self.builder.role = statement.span, "primal"
            if var in self.plan.kept:
                self.state[var] = self.plan.kept[var].create(self.builder, self.parameters)
            else:
                self.state[var] = UNDEFINED

    def filled_in(self, statement: Statement) -> list[Var]:
        label = 0 if isinstance(statement, Assign) else statement.label
        order = self.places.order
        every = (*self.plan.kept, *sorted(self.plan.handed_out, key=order.__getitem__))
        return [
            var
            for var in every
            if label and any(label == step[0] for step in self.places.home[var])
        ]

    def count_by_stack(self, before: For | While) -> None:
        """A stack that grows by one every trip knows the number of trips."""
        if self.places.home.get(before.targets[0], TOP) != TOP:
            return
        stack = next(
            (
                self.state[var]
                for var, storage in self.plan.kept.items()
                if isinstance(storage, Stack) and self.places.home[var] == ((before.label, 0),)
            ),
            None,
        )
        for target, first, parameter, following in carried_of(before):
            made = self.places.made_by.get(following) if isinstance(following, Var) else None
            if (
                stack is not None
                and first == Const(0)
                and isinstance(made, Assign)
                and made.op.name == "+"
                and made.operands == (parameter, Const(1))
            ):
                self.builder.span, self.builder.role = before.span, "adjoint"
                self.values[target] = self.builder.assign(LENGTH, stack)

    def touched(self, statement: For | While | If) -> list[Var]:
        """The variables whose tape, stack or exit is another after the statement."""
        undoes = 0 if isinstance(statement, While) else statement.undoes
        popped = [
            var
            for var, storage in self.plan.kept.items()
            if undoes
            and isinstance(storage, Stack)
            and any(undoes == step[0] for step in self.places.home[var])
        ]
        return [*self.filled_in(statement), *popped]

    def now(self, atom: Atom) -> Atom:
        """What an atom of the forward sweep is called here."""
        if not isinstance(atom, Var):
            return atom
        if atom in self.plan.handed_out:
            return self.state[atom]
        return self.local.get(atom, atom)

    # Blocks ---------------------------------------------------------------------------------------

    def statement(self, statement: Statement) -> None:
        if isinstance(statement, Assign):
            if statement.op is RECALL:
                self.recalls[statement.target] = statement.operands[0]
                self.early |= self.missing(statement.operands[0])
                return
            self.builder.statements.append(statement)
        elif isinstance(statement, If):
            self.branches(statement)
        else:
            self.loop(statement)
        for target in statement.targets:
            self.computed(target, statement)

    def computed(self, var: Var, statement: Statement) -> None:
        """Keep a variable of the forward sweep that has just got its value."""
        for given in self.given.get(var, ()):
            self.local[given] = var
        if var in self.plan.handed_out:
            self.state[var] = var
        elif var in self.plan.kept:
            self.builder.span, self.builder.role = statement.span, "primal"
            tape = self.state[var]
            assert isinstance(tape, Var)
            self.state[var] = self.plan.kept[var].write(self.builder, tape, lambda index: index)

    def block(self, block: Block, statement: For | While | If, side: int) -> Block:
        outer, self.builder.statements = self.builder.statements, []
        waiting, self.waiting = self.waiting, []
        for parameter in block.parameters:
            self.computed(parameter, statement)
        undoes = 0 if isinstance(statement, While) else statement.undoes
        if undoes:
            self.read((undoes, side), statement)
        for inner in block.statements:
            self.statement(inner)
            self.provide_ready(statement)
        self.waiting = waiting
        made = Block(block.parameters, tuple(self.builder.statements), block.results)
        self.builder.statements = outer
        return made

    def read(self, step: Step, statement: Statement) -> None:
        """At the beginning of a block of the reverse sweep: what it needs of its counterpart."""
        self.waiting = list(self.needed.get(step, ()))
        self.provide_ready(statement)

    def provide_ready(self, statement: Statement) -> None:
        """Those variables that wait for nothing any more."""
        if self.waiting:
            ready = [var for var in self.waiting if not self.missing(var)]
            self.waiting = [var for var in self.waiting if var not in ready]
            for var in ready:
                self.provide(var, statement)

    def missing(self, atom: Atom) -> set[Var]:
        """The given variables that an atom of the forward sweep takes and that are not there."""
        if not self.places.given or not isinstance(atom, Var) or atom in self.local:
            return set()
        if atom in self.places.given:
            return {atom}
        operands: tuple[Atom, ...] = ()
        if atom in self.plan.final:
            operands = self.plan.final[atom]
        elif atom in self.plan.again:
            made = self.places.made_by[atom]
            assert isinstance(made, Assign)
            operands = made.operands
        return set[Var]().union(*map(self.missing, operands))

    def provide(self, var: Var, statement: Statement) -> None:
        """Give a variable of the forward sweep its value here, after those that this takes."""
        if var in self.local:
            return
        found = self.places.made_by.get(var)
        span = found.span if found is not None else statement.span
        if var in self.plan.kept:
            self.builder.span, self.builder.role = None, "adjoint"
            tape = self.state[var]
            assert isinstance(tape, Var)
            self.local[var], self.state[var] = self.plan.kept[var].read(
                self.builder, tape, self.now
            )
            return
        if var in self.plan.following:
            parameter = self.plan.following[var]
            tape, storage = self.state[parameter], self.plan.kept[parameter]
            assert isinstance(tape, Var) and isinstance(storage, Tape)
            self.builder.span, self.builder.role = None, "adjoint"
            self.local[var] = storage.read_next(self.builder, tape, self.now, var)
            return
        if var in self.plan.sizes:
            assert isinstance(var.type, Number) and var.type.value is not None
            self.builder.span, self.builder.role = None, "adjoint"
            self.local[var] = compute(self.builder.assign, var.type.value, self.parameters)
            return
        if var in self.plan.final:
            self.provide_operands(var, self.plan.final[var], statement)
            self.builder.span, self.builder.role = None, "adjoint"
            read = catalogue().operations["getitem"]
            element = self.builder.assign(read, *map(self.now, self.plan.final[var]))
            self.local[var] = as_stored(self.builder, element, var, self.is_narrow)
            return
        # exactly as it was computed before: tests must come out as they did
        assert isinstance(found, Assign)
        self.provide_operands(var, found.operands, statement)
        self.builder.span, self.builder.role = span, "primal"
        again = self.builder.names.fresh(var.name, var.type)
        self.builder.append(found.op, (again,), *map(self.now, found.operands))
        self.local[var] = again

    def provide_operands(self, var: Var, operands: Iterable[Atom], statement: Statement) -> None:
        """What computing a variable takes from its own block."""
        home = self.places.home[var]
        for operand in operands:
            same_block = isinstance(operand, Var) and self.places.home[operand] == home
            if isinstance(operand, Var) and same_block and operand in self.here:
                self.provide(operand, statement)

    def loop(self, loop: For | While) -> None:
        keys = self.touched(loop)
        initial = [self.state[key] for key in keys]
        parameters = self.fresh(keys)
        own = loop.body.parameters
        if isinstance(loop, For) and loop.undoes:
            forward = self.places.statements.get(loop.undoes)  # none, if it had nothing to do
            if isinstance(forward, For):
                self.local[forward.body.parameters[0]] = own[0]
        self.state.update(zip(keys, parameters, strict=True))
        body = self.block(loop.body, loop, 0)
        count = len(loop.targets)
        body = Block(
            (*own, *parameters),
            body.statements,
            (*body.results[:count], *(self.state[key] for key in keys), *body.results[count:]),
        )
        targets = self.fresh(keys)
        self.state.update(zip(keys, targets, strict=True))
        begun = [
            self.defined(first, parameter, loop)
            for first, parameter in zip(
                loop.initial, own[1:] if isinstance(loop, For) else own, strict=True
            )
        ]
        changed = replace(
            loop,
            targets=(*loop.targets, *targets),
            initial=(*begun, *initial),
            body=body,
        )
        if isinstance(changed, While):
            test = replace(changed.test, parameters=(*changed.test.parameters, *self.fresh(keys)))
            changed = replace(changed, test=test)
        self.builder.statements.append(changed)
        if loop.label and loop.targets:
            self.count_by_stack(loop)
        for target, _, parameter, _ in carried_of(loop):
            storage = self.plan.kept.get(parameter)
            if isinstance(storage, Tape) and storage.ahead:
                tape = self.state[parameter]
                assert isinstance(tape, Var)
                self.builder.span, self.builder.role = loop.span, "primal"
                self.state[parameter] = storage.finish(self.builder, tape, target)

    def branches(self, statement: If) -> None:
        keys = self.touched(statement)
        before = dict(self.state)
        blocks: list[Block] = []
        for side, branch in enumerate((statement.then, statement.orelse)):
            self.state.update(before)
            block = self.block(branch, statement, side)
            outer, self.builder.statements = self.builder.statements, list(block.statements)
            given = tuple(
                self.defined(atom, target, statement)
                for atom, target in zip(block.results, statement.targets, strict=True)
            )
            statements = tuple(self.builder.statements)
            self.builder.statements = outer
            more = tuple(self.state[key] for key in keys)
            blocks.append(Block((), statements, (*given, *more)))
        targets = self.fresh(keys)
        self.state.update(zip(keys, targets, strict=True))
        self.builder.statements.append(
            replace(
                statement,
                targets=(*statement.targets, *targets),
                then=blocks[0],
                orelse=blocks[1],
            )
        )

    def fresh(self, keys: list[Var]) -> tuple[Var, ...]:
        """New variables for tapes, stacks and exits."""
        made = []
        for key in keys:
            known = self.state[key]
            like = known if isinstance(known, Var) else key
            made.append(self.builder.names.fresh(like.name, like.type))
        return tuple(made)

    def defined(self, atom: Atom, var: Var, statement: Statement) -> Atom:
        """The atom, or where it is undefined and has to be something, something."""
        if atom != UNDEFINED or var not in self.filled:
            return atom
        self.builder.span, self.builder.role = statement.span, "primal"
        found = something(self.builder, var.type, self.parameters)
        if found is not None:
            return found
        called = "a value" if var.is_temporary else f"`{var.base_name}`"
        raise refusal(
            "no-derivative",
            f"{called} is not defined on every path behind this, and is needed there",
            statement.span,
            "assign it before, on every path",
        )
