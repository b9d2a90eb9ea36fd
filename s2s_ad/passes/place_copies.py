"""Settles memory: where a value that is updated or returned might share it with another, a copy is
put in.

Up to here values are pure. From here on `x with [i] = v` happens in place: its first operand is an
array that the function allocated and that nothing reads any more, under whatever name (views count
as names). Results share no memory with arguments or with each other.

A value that a loop carries and that is updated owns its memory, by induction: before the loop and
at the end of every trip the memory is the function's, belongs to this value only, and nothing else
that is read later lies in it. Then it is so in every trip; where it is not, a copy is put in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from s2s_ad.ir import (
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
    operands_of,
)
from s2s_ad.memory import NOWHERE, Allocations
from s2s_ad.operations.support import (
    ADD_IN_PLACE,
    BROADCAST_TO,
    COPY,
    COPY_LIST,
    COPY_OF_ANY,
    FULL,
    FULL_LIKE,
    ONES_LIKE,
    SHAPE_ATTRIBUTE,
)
from s2s_ad.passes.accumulate import accumulate, plain_sum
from s2s_ad.passes.algebra.products import CASTS
from s2s_ad.passes.aliasing import (
    READ_ONLY,
    holds_memory,
    lies_in,
    live_after,
    maybe_undefined,
    possible_memory,
    slots_of,
    sources,
    stored_in_lists,
    variables_read,
)
from s2s_ad.passes.kept_parts import kept_parts
from s2s_ad.passes.order_updates import order_updates
from s2s_ad.passes.undefined import nothing_for_undefined
from s2s_ad.rewrite import Builder, Names, all_statements, with_body
from s2s_ad.types import DTYPES, Array, ListOf, Sizes, Type, scalar_like


def place_copies(function: Function) -> Function:
    function = accumulate(order_updates(function))
    placer = _Placer(function)
    statements = placer.statements_of(function.body.statements, outermost=True)
    placer.builder.statements = statements
    results = placer.separate_results(function.body.results)
    bound = nothing_for_undefined(tuple(statements), placer.copied_unsure)
    body = Block(function.body.parameters, bound, results)
    return with_body(function, _without_unread_broadcasts(body))


def _without_unread_broadcasts(body: Block) -> Block:
    """What is returned as an array of its own need not have been a view first."""
    read: set[Atom] = set(body.results)
    for statement in all_statements(body):
        read.update(operands_of(statement))
        match statement:
            case For(body=inner) | While(body=inner):
                read.update(inner.results)
            case If(then=then, orelse=orelse):
                read.update(then.results, orelse.results)
    kept = tuple(
        statement
        for statement in body.statements
        if not (
            isinstance(statement, Assign)
            and statement.op is BROADCAST_TO
            and statement.target not in read
        )
    )
    return replace(body, statements=kept)


class _Placer:
    def __init__(self, function: Function) -> None:
        self.builder = Builder(Names.of(function), Sizes.knowing(function.assumptions, 3_000_000))
        self.foreign = frozenset((*function.body.parameters, READ_ONLY))
        self.kept = kept_parts(function)
        self.definitions: dict[Var, Assign] = {}
        self.memory: dict[Var, Allocations] = {}
        self.holders: dict[Var, list[Var]] = {}
        self.copied_unsure: set[Var] = set()  # these may be undefined where they are copied
        for var in function.body.parameters:
            self.settle(var, frozenset((var,)) if holds_memory(var.type) else NOWHERE)
        updates = [
            statement
            for statement in all_statements(function.body)
            if isinstance(statement, Assign) and (statement.op.update or stored_in_lists(statement))
        ]
        self.updated = {update.targets[-1] for update in updates if update.op.update}
        flow = sources(function.body)
        self.unsure = maybe_undefined(function.body, flow)
        branches = [one for one in all_statements(function.body) if isinstance(one, If)]
        self.live = dict(live_after(function, {id(one) for one in (*updates, *branches)}))
        # what may be undefined must not need a copy, which would read it
        start = (*self.unsure, *(u.operands[0] for u in updates if u.op.update))
        self.owned = _reached(flow, start)
        self.returned = _reached(flow, function.body.results)
        self.changed = _connected_with_updates(flow, updates)
        self.possible = possible_memory(function, self.owned, in_place=False)

    # Where values lie -----------------------------------------------------------------------------

    def settle(self, var: Var, where: Allocations) -> None:
        """Note where a variable lies."""
        self.memory[var] = where
        for allocation in where:
            self.holders.setdefault(allocation, []).append(var)

    def memory_of(self, *atoms: Atom) -> Allocations:
        return NOWHERE.union(
            *(self.memory.get(atom, NOWHERE) for atom in atoms if isinstance(atom, Var))
        )

    def is_held(self, where: Allocations, alive: frozenset[Var], own: Atom) -> bool:
        """Whether a variable that is read later lies there too."""
        return any(
            other != own and other in alive
            for allocation in where
            for other in self.holders[allocation]
        )

    def forget_dead(self, where: Allocations, alive: frozenset[Var]) -> None:
        """In straight-line code the dead are dead for good."""
        for allocation in where:
            holders = self.holders[allocation]
            if len(holders) > 8:
                self.holders[allocation] = [holder for holder in holders if holder in alive]

    # Statements -----------------------------------------------------------------------------------

    def statements_of(
        self, statements: Iterable[Statement], outermost: bool = False
    ) -> list[Statement]:
        """The statements of a block with the copies between them."""
        around, self.builder.statements = self.builder.statements, []
        for statement in statements:
            self.builder.span, self.builder.role = statement.span, statement.role
            match statement:
                case Assign():
                    self.assign(statement, outermost)
                case For() | While():
                    self.loop(statement)
                case If():
                    self.branch(statement)
        made, self.builder.statements = self.builder.statements, around
        return made

    def assign(self, statement: Assign, outermost: bool) -> None:
        if statement.op.update:
            alive = self.live[id(statement)]
            if outermost:
                self.forget_dead(self.memory_of(statement.operands[0]), alive)
            left_alone = {part for part, made in self.kept if made == statement.targets[-1]}
            statement = self.in_place(statement, alive, left_alone)
        if any(holds_memory(atom.type) for atom in stored_in_lists(statement)):
            statement = self.kept_apart(statement)
        self.builder.statements.append(statement)
        for target in statement.targets:
            self.definitions[target] = statement
            self.settle(target, lies_in(statement, target, self.memory))

    def in_place(self, statement: Assign, alive: frozenset[Var], left_alone: set[Var]) -> Assign:
        """The update with a copy as first operand, unless the array is ours and nobody reads it any
        more, but for parts that the update leaves alone.
        """
        first, *rest = statement.operands
        assert isinstance(first, Var)
        where = self.memory_of(first)
        shared = bool(where & self.foreign) or self.is_held(where, alive - left_alone, first)
        if shared or first in alive or first in rest:
            if statement.op is ADD_IN_PLACE:
                return plain_sum(statement)
            copied = self.copy(first, statement.targets[-1])
            # what carries this value on was told that it lies where the update's result does
            self.settle(copied, frozenset((statement.targets[-1],)))
            first = copied
        # NumPy sees overlaps in `x[1:] = x[:-1]`, but not in `np.add.at`
        if statement.op.update.startswith("np.") and self.memory_of(*rest) & where:
            rest = [self.copy(atom) if self.memory_of(atom) & where else atom for atom in rest]
        new = Assign(
            statement.targets, statement.op, (first, *rest), statement.span, statement.role
        )
        self.move_record(statement, new)
        return new

    def kept_apart(self, statement: Assign) -> Assign:
        """A list keeps what is put into it: if that is changed later, the list gets a copy."""
        stored = stored_in_lists(statement)
        alive = self.live[id(statement)]
        is_result = statement.targets[-1] in self.returned
        operands = list(statement.operands)
        for place, atom in enumerate(operands):
            if not any(atom is other for other in stored) or not isinstance(atom, Var):
                continue
            where = self.memory_of(atom)
            is_held = atom in alive or self.is_held(where, alive, atom)
            is_foreign = bool(where & self.foreign)
            twice = any(atom == other for other in operands[:place])
            if isinstance(atom.type, ListOf) and (is_held or is_foreign or twice):
                # what is written to the elements of the list would be written to this one
                operands[place] = self.copy(atom, named=False)
            elif (is_held and atom in self.changed) or (is_result and (is_held or is_foreign)):
                operands[place] = self.copy(atom, named=False)
        new = replace(statement, operands=tuple(operands))
        self.move_record(statement, new)
        return new

    def move_record(self, old: Assign, new: Assign) -> None:
        self.live[id(new)] = self.live[id(old)]

    def branch(self, statement: If) -> None:
        new = replace(
            statement,
            then=self.side(statement, statement.then),
            orelse=self.side(statement, statement.orelse),
        )
        self.builder.statements.append(new)
        for target, *given in zip(new.targets, new.then.results, new.orelse.results, strict=True):
            self.settle(target, self.memory_of(*given))

    def side(self, statement: If, block: Block) -> Block:
        """A side of a branch. What may be undefined behind it is copied here, where it is not."""
        statements = self.statements_of(block.statements)
        alive = self.live[id(statement)]
        around, self.builder.statements = self.builder.statements, statements
        given = list(block.results)
        for place, (target, atom) in enumerate(zip(statement.targets, given, strict=True)):
            if target in self.unsure and isinstance(atom, Var) and atom not in self.unsure:
                where = self.memory_of(atom)
                others = self.memory_of(*(a for k, a in enumerate(given) if k != place))
                if where & (self.foreign | others) or self.is_held(where, alive, target):
                    given[place] = copied = self.copy(atom, target)
                    self.settle(copied, frozenset((target,)))
        self.builder.statements = around
        return replace(block, statements=tuple(statements), results=tuple(given))

    def loop(self, statement: For | While) -> None:
        slots = list(slots_of(statement))
        initial = self.own_before(statement, statement.initial)
        for (target, *parameters), _, _ in slots:
            where = frozenset((target,)) if target in self.owned else self.carried(target)
            for parameter in parameters:
                self.settle(parameter, where)
        span, role = self.builder.span, self.builder.role
        if isinstance(statement, While):
            tested = self.statements_of(statement.test.statements)
            statement = replace(statement, test=replace(statement.test, statements=tuple(tested)))
        body = self.statements_of(statement.body.statements)
        self.builder.span, self.builder.role = span, role
        around, self.builder.statements = self.builder.statements, body
        results = self.own_after_trip(statement, statement.body.results)
        self.builder.statements = around
        inner = replace(statement.body, statements=tuple(body), results=results)
        self.builder.statements.append(replace(statement, initial=initial, body=inner))
        for (target, *_), _, _ in slots:
            self.settle(
                target, frozenset((target,)) if target in self.owned else self.carried(target)
            )

    def carried(self, target: Var) -> Allocations:
        return self.possible.get(target, NOWHERE)

    def own_before(self, statement: For | While, initial: Sequence[Atom]) -> tuple[Atom, ...]:
        """Initial values of carried values that are updated: of their own memory."""
        alive = self.live[id(statement)]
        body_reads = self.live_in_loop(statement)
        own: list[Atom] = list(initial)
        for place, (target, atom) in enumerate(zip(statement.targets, initial, strict=True)):
            if target not in self.owned or not isinstance(atom, Var):
                continue
            where = self.memory_of(atom)
            others = [other for k, other in enumerate(own) if k != place]
            if (
                where & self.foreign
                or where & self.memory_of(*others)
                or atom in alive | body_reads
                or self.is_held(where, alive | body_reads, atom)
            ):
                own[place] = self.copy(atom, target)
        return tuple(own)

    def live_in_loop(self, statement: For | While) -> frozenset[Var]:
        """What the trips read of what is outside, initial values not counted."""
        bare = replace(statement, initial=())
        return frozenset(var for var in variables_read(bare) if holds_memory(var.type))

    def own_after_trip(self, statement: For | While, results: Sequence[Atom]) -> tuple[Atom, ...]:
        """Next values of those that are updated: what was made in this trip, or carried by one of
        them, and nothing that another next value shares.
        """
        own = list(results)
        ours = frozenset(target for target in statement.targets if target in self.owned)
        made = self.made_in(statement)
        taken: Allocations = NOWHERE
        places = range(len(statement.targets))
        for place in sorted(places, key=lambda k: statement.targets[k] not in self.owned):
            atom = own[place]
            if not isinstance(atom, Var) or not holds_memory(atom.type):
                continue
            where = self.memory_of(atom)
            is_owned = statement.targets[place] in self.owned
            is_shared = bool(where & taken)
            if is_shared or (is_owned and not where <= ours | made):
                self.copied_unsure.update({atom} & self.unsure)
                atom = own[place] = self.copy(atom, statement.targets[place])
                where = NOWHERE
            if is_owned:
                taken |= where
        return tuple(own)

    def made_in(self, statement: For | While) -> Allocations:
        """What the body allocates."""
        inner = [statement.body] + ([statement.test] if isinstance(statement, While) else [])
        return frozenset(
            target for block in inner for one in all_statements(block) for target in one.targets
        )

    # Copies ---------------------------------------------------------------------------------------

    def copy(self, atom: Atom, becomes: Var | None = None, named: bool = True) -> Var:
        """`becomes`: the variable that the copy is made for, and named after."""
        assert isinstance(atom, Var)
        name = atom.name if becomes is None or becomes.is_temporary else becomes.name
        name = name if named else ""
        found = self.definitions.get(atom)
        if isinstance(atom.type, ListOf):
            copied = self.builder.assign(COPY_LIST, atom, name=name)
        elif found is not None and found.op is BROADCAST_TO and scalar_like(found.operands[0].type):
            copied = self.filled(atom, found, name)
        elif _has_any_rank(atom.type) and not self.is_written_to(atom, becomes):
            copied = self.builder.assign(COPY_OF_ANY, atom, name=name)
        else:
            copied = self.builder.assign(COPY, atom, name=name)
        made = self.builder.statements[-1]
        assert isinstance(made, Assign)
        self.settle(copied, frozenset((copied,)))
        self.definitions[copied] = made
        return copied

    def is_written_to(self, atom: Var, becomes: Var | None) -> bool:
        """Whether the copy is made of what is surely an array, for it is to be changed."""
        return becomes in self.updated or (atom in self.owned and atom in self.foreign)

    def filled(self, atom: Var, found: Assign, name: str) -> Var:
        """A broadcast number, as an array of its own."""
        assert isinstance(atom.type, Array)
        value, shape = found.operands
        cast = self.definitions.get(value) if isinstance(value, Var) else None
        if cast is not None and cast.op.name in CASTS and isinstance(cast.operands[0], Const):
            value = cast.operands[0]  # the new array says what it is
        ones = isinstance(value, Const) and value == Const(1.0)
        source = self.definitions.get(shape) if isinstance(shape, Var) else None
        if (
            source is not None
            and source.op is SHAPE_ATTRIBUTE
            and source.operands[0].type == atom.type
        ):
            like = source.operands[0]
            if ones:
                return self.builder.assign(ONES_LIKE, like, Const(None), name=name)
            return self.builder.assign(FULL_LIKE, like, value, Const(None), name=name)
        long = DTYPES[atom.type.dtype]
        dtype = Const(None) if long == "float64" else Const(long, f"numpy.{long}")
        return self.builder.assign(FULL, shape, value, dtype, name=name)

    def separate_results(self, results: tuple[Atom, ...]) -> tuple[Atom, ...]:
        """Results of their own memory."""
        given: set[Var] = set(self.foreign)
        separate: list[Atom] = []
        self.builder.span = None
        for result in results:
            if isinstance(result, Var) and holds_memory(result.type):
                where = self.memory_of(result)
                if where & given:
                    found = self.definitions.get(result)
                    if found is not None:
                        self.builder.span, self.builder.role = found.span, found.role
                    result = self.copy(result)
                    where = self.memory_of(result)
                given |= where
            separate.append(result)
        return tuple(separate)


def _has_any_rank(type: Type) -> bool:
    """Whether a value may be a number where the type says array."""
    return isinstance(type, Array) and type.shape is None


def _reached(flow: dict[Var, list[Var]], start: Iterable[Atom]) -> frozenset[Var]:
    """Those from which the memory of some values may come, and these themselves."""
    pending = [atom for atom in start if isinstance(atom, Var)]
    reached: set[Var] = set()
    while pending:
        var = pending.pop()
        if var not in reached:
            reached.add(var)
            pending += flow.get(var, ())
    return frozenset(reached)


def _connected_with_updates(
    flow: dict[Var, list[Var]], updates: Iterable[Assign]
) -> frozenset[Var]:
    """What may ever share memory with an array that is updated."""
    both: dict[Var, list[Var]] = {}
    for var, others in flow.items():
        for other in others:
            both.setdefault(var, []).append(other)
            both.setdefault(other, []).append(var)
    return _reached(both, (update.operands[0] for update in updates if update.op.update))
