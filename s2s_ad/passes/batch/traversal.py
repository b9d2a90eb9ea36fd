"""Many directions through one sweep: what depends on a seed gets a leading axis.

What comes in: a function whose body reads seeds that stand for one direction, and for each of them
an array with a direction in each row. What goes out: the same function, in which every value that
depends on a seed has a leading axis, and all others are as they were. Each operation has a rule by
its family (`rules.py`); a statement without one goes direction by direction in a loop of its own,
and where not even that can be done, because a test depends on the direction or a rank is unknown,
all statements together do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
    with_leaves,
)
from s2s_ad.passes.activity import carried_of
from s2s_ad.passes.batch.context import CannotBatch, Context, operands_by_name
from s2s_ad.passes.batch.one_by_one import depends, one_by_one, renamed, without_effects
from s2s_ad.passes.batch.rules import reads_shapes_only, rule_for, whole_rule_for
from s2s_ad.types import Array, ListOf, Size, TypeProblem


@dataclass(frozen=True)
class Along:
    """The directions: `rows` has for each seed the array of all of them; `count` is how many.

    `spread` are the places of the results that get the leading axis, whether they depend on a seed
    or not, each with an atom that has the result's shape.
    """

    rows: Mapping[Atom, Var]
    count: Atom
    size: Size
    spread: Mapping[int, Atom]


def batch(function: Function, along: Along) -> Function:
    """The function with a leading axis for the directions."""
    try:
        statements, results = _together(function, along)
    except CannotBatch:
        statements, results = _apart(function, along)
    body = Block(function.body.parameters, tuple(statements), tuple(results))
    return replace(function, body=body, output=with_leaves(function.output, results))


def _together(function: Function, along: Along) -> tuple[list[Statement], list[Atom]]:
    context = Context(function, along.count, along.size)
    context.batched.update(along.rows)
    traversal = Traversal(context)
    for statement in function.body.statements:
        traversal.visit(statement)
    results: list[Atom] = []
    for place, result in enumerate(function.body.results):
        if place in along.spread:
            results.append(context.lifted(result))
        elif result in context.batched:
            raise CannotBatch("a result that must not depend on the direction")
        else:
            results.append(result)
    return context.builder.statements, results


def _apart(function: Function, along: Along) -> tuple[list[Statement], list[Atom]]:
    """One loop over the directions, around all that depends on them.

    A loop or call may give values of the primal together with their tangents: those are computed
    once before, with seeds of zero.
    """
    context = Context(function, along.count, along.size)
    context.batched.update(along.rows)
    moving = context.moving
    before: list[Statement] = []
    inside: list[Statement] = []
    for statement in function.body.statements:
        moves = depends(statement, moving)
        (inside if moves else before).append(statement)
        moving.update(statement.targets if moves else ())
    context.builder.statements += before
    still: dict[Var, Atom] = {seed: _standing(context, seed) for seed in context.moving}
    once, new = renamed(context.builder.names, inside, still)
    context.builder.statements += once

    def standing(atom: Atom) -> Atom:
        return new.get(atom, atom) if isinstance(atom, Var) else atom

    results = function.body.results
    likes = {results[place]: standing(like) for place, like in along.spread.items()}
    wanted = [results[place] for place in along.spread if results[place] in moving]
    if wanted:
        one_by_one(context, without_effects(inside), wanted, likes)
    given = [
        context.lifted(result) if place in along.spread else standing(result)
        for place, result in enumerate(results)
    ]
    return context.builder.statements, given


def _standing(context: Context, seed: Var) -> Atom:
    """A seed that does not move."""
    if not isinstance(seed.type, Array):
        return Const(0.0)
    rows = context.batched[seed]
    return context.line("np.zeros_like(rows[0])", rows=rows)


class Traversal:
    """What a statement becomes. What it appends stands in `context`."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def visit(self, statement: Statement) -> None:
        context = self.context
        context.builder.span, context.builder.role = statement.span, statement.role
        if not depends(statement, context.moving):
            context.builder.statements.append(statement)
            return
        match statement:
            case Assign():
                self.assign(statement)
            case If():
                self.branch(statement)
            case For() | While():
                self.loop(statement)

    def assign(self, statement: Assign) -> None:
        context = self.context
        mark = len(context.builder.statements)
        try:
            whole = whole_rule_for(statement)
            if whole is not None and whole(context, statement):
                return
            rule = rule_for(statement)
            if rule is not None:
                value = rule(context, statement, operands_by_name(statement, context))
                if value is not None:
                    context.settle(value, statement.target)
                    return
        except TypeProblem:
            pass  # it takes no array of this kind
        del context.builder.statements[mark:]
        if statement.op.effect or any(isinstance(t.type, ListOf) for t in statement.targets):
            raise CannotBatch(statement.op.name)
        one_by_one(context, [statement], statement.targets, {})

    def branch(self, statement: If) -> None:
        """Branches give what one of them gives with a leading axis with one."""
        context = self.context
        if statement.test in context.batched:
            raise CannotBatch("a test that depends on the direction")
        moving = set(context.moving)
        blocks = (statement.then, statement.orelse)
        for block in blocks:
            _follow(block.statements, moving)
        slots = {
            place
            for place in range(len(statement.targets))
            if any(block.results[place] in moving for block in blocks)
        }
        then, orelse = (
            self.block(block, statement.targets, slots, block.results) for block in blocks
        )
        targets = self.defined(statement.targets, slots)
        context.builder.statements.append(
            replace(statement, targets=targets, then=then, orelse=orelse)
        )

    def loop(self, loop: For | While) -> None:
        """A loop carries what moves in some trip with a leading axis in all."""
        context = self.context
        if isinstance(loop, For) and any(bound in context.batched for bound in loop.trip):
            raise CannotBatch("a number of trips that depends on the direction")
        slots = _moving_slots(loop, context.moving)
        carried = carried_of(loop)
        initial = tuple(
            context.lifted(first, target.type) if place in slots else first
            for place, (target, first, _, _) in enumerate(carried)
        )
        count = len(loop.body.parameters) - len(carried)
        parameters = (
            *loop.body.parameters[:count],
            *self.defined(loop.body.parameters[count:], slots),
        )
        body = self.block(loop.body, loop.targets, slots, loop.body.results)
        body = replace(body, parameters=parameters)
        changed = replace(loop, initial=initial, body=body)
        if isinstance(changed, While):
            given = self.defined(changed.test.parameters, slots)
            test = self.block(changed.test, (), set(), changed.test.results)
            changed = replace(changed, test=replace(test, parameters=given))
        targets = self.defined(loop.targets, slots)
        context.builder.statements.append(replace(changed, targets=targets))

    def defined(self, variables: Sequence[Var], slots: set[int]) -> tuple[Var, ...]:
        """What a loop or branch defines: some of it with a leading axis."""
        context = self.context
        made: list[Var] = []
        for place, var in enumerate(variables):
            if place in slots:
                context.batched[var] = context.builder.names.fresh(var.name, context.type(var.type))
            made.append(context.batched.get(var, var))
        return tuple(made)

    def block(
        self, block: Block, targets: Sequence[Var], slots: set[int], results: Sequence[Atom]
    ) -> Block:
        """A block with its results as `targets` have them; a test further back stays a test."""
        context = self.context
        outer, context.builder.statements = context.builder.statements, []
        for statement in block.statements:
            self.visit(statement)
        given: list[Atom] = []
        for place, result in enumerate(results):
            if place in slots:
                given.append(context.lifted(result, targets[place].type))
            elif result in context.batched:
                raise CannotBatch("a test that depends on the direction")
            else:
                given.append(result)
        statements, context.builder.statements = context.builder.statements, outer
        return Block(block.parameters, tuple(statements), tuple(given))


def _follow(statements: Sequence[Statement], moving: set[Var]) -> None:
    """Add what depends on something that moves, more rather than less."""
    for statement in statements:
        match statement:
            case Assign():
                if depends(statement, moving) and not reads_shapes_only(statement):
                    moving.update(statement.targets)
            case For() | While():
                slots = _moving_slots(statement, moving)
                moving.update(statement.targets[place] for place in slots)
            case If(targets=targets, then=then, orelse=orelse):
                _follow(then.statements, moving)
                _follow(orelse.statements, moving)
                for target, *given in zip(targets, then.results, orelse.results, strict=True):
                    if not moving.isdisjoint(atom for atom in given if isinstance(atom, Var)):
                        moving.add(target)


def _moving_slots(loop: For | While, outside: set[Var]) -> set[int]:
    """The places of what a loop carries that moves before the loop or after some trip."""
    moving = set(outside)
    carried = carried_of(loop)
    slots: set[int] = set()
    while True:
        for place, (_, initial, parameter, following) in enumerate(carried):
            if initial in moving or following in moving:
                slots.add(place)
                moving.add(parameter)
        before = len(moving)
        _follow(loop.body.statements, moving)
        if len(moving) == before:
            return slots
