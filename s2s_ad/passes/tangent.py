"""Forward mode on the Wengert list: from a function to its value and how that moves with arguments.

What comes in: a well-formed function and the names of the arguments that move. What goes out: the
same function with a parameter `dot_<name>` for each of them, giving (value, tangent); each
statement of the primal is followed by those of its tangent (`role="tangent"`, same span). `dot_x`
has the shape and dtype of x; a variable without a tangent stands still.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from s2s_ad.diagnostics import refusal
from s2s_ad.ir import (
    Assign,
    Atom,
    Block,
    Const,
    For,
    Formal,
    Function,
    If,
    Statement,
    Structure,
    Tree,
    Var,
    While,
    leaves,
    tuple_of,
)
from s2s_ad.operations import catalogue
from s2s_ad.operations.calls import Callee
from s2s_ad.operations.effects import RAISE_IF
from s2s_ad.operations.lists import LENGTH, POP
from s2s_ad.operations.odes import Flow
from s2s_ad.operations.support import RECALL
from s2s_ad.passes.activity import active_variables, carried_of
from s2s_ad.passes.adjoint import differentiable_leaves, split_aux
from s2s_ad.passes.calls import Derivatives
from s2s_ad.passes.cancelling_shifts import cancelling_shifts
from s2s_ad.passes.contributions import named
from s2s_ad.passes.custom import push_custom
from s2s_ad.passes.implicit import push_solver
from s2s_ad.passes.odes import push_flow
from s2s_ad.passes.tangent_lines import TangentLines, conversion
from s2s_ad.passes.trap_nan import trap_tangent
from s2s_ad.passes.undo_types import tangent_type
from s2s_ad.rewrite import (
    Builder,
    Names,
    count_uses,
    definitions,
    first_unused_size,
    formal_variables,
    map_tree,
)
from s2s_ad.types import ListOf, Number, Scalar, Sizes, TypeProblem, is_float, is_numeric


def tangent(
    function: Function,
    wrt: tuple[str, ...],
    name: str,
    has_aux: bool = False,
    derivatives: Derivatives | None = None,
    trap_nan: bool = False,
    only: Var | None = None,
) -> Function:
    """The Jacobian-vector product of `function`, under another name.

    It gives `(value, tangent)`, with aux `(value, tangent, aux)`. The tangent has the structure,
    shapes and dtypes of the value. With `only` no other leaf of the arguments moves. Raises
    DifferentiationError for an integer argument or an operation without a rule.
    """
    by_name = {formal.name: formal for formal in function.formals}
    moving = [by_name[wanted] for wanted in wrt]
    sources = [leaf for leaf in differentiable_leaves(moving, function) if only in (None, leaf)]
    value, aux = split_aux(function, has_aux)
    active = active_variables(function.body, sources)
    active -= cancelling_shifts(function.body)
    push = _Push(function, active, derivatives or Derivatives(), trap_nan)
    # a parameter without a default cannot follow one that has a default, unless it goes by keyword
    by_position = all(
        other.default is None and other.kind != "keyword" for other in function.formals
    )
    directions: list[Formal] = []
    for formal in moving:
        taken = {other.name for other in (*function.formals, *directions)}
        direction = push.direction(formal, taken, sources)
        directions.append(direction if by_position else replace(direction, kind="keyword"))
    if function.guarded:
        push.check_lengths()
    for statement in function.body.statements:
        push.follow(statement)
    parts = (value, map_tree(value, push.tangent_of_result))
    output = _together(parts if aux is None else (*parts, aux))
    formals = (*function.formals, *directions)
    body = Block(formal_variables(formals), tuple(push.builder.statements), tuple(leaves(output)))
    return replace(function, name=name, formals=formals, body=body, output=output)


def _together(parts: tuple[Tree, ...]) -> Structure:
    return tuple_of(parts)


class _Push:
    """The forward sweep: the primal's statements with their tangents, and the tangents so far."""

    def __init__(
        self, function: Function, active: set[Var], derivatives: Derivatives, traps: bool
    ) -> None:
        self.active, self.derivatives, self.traps = active, derivatives, traps
        self.definitions = definitions(function.body) if traps else {}
        sizes = Sizes.knowing(function.assumptions, max(1_000_000, first_unused_size(function)))
        self.builder = Builder(Names.of(function), sizes, role="tangent")
        self.lines = TangentLines(self.builder, count_uses(function.body))
        self.tangents = self.lines.tangents

    def direction(self, formal: Formal, taken: set[str], sources: Sequence[Var]) -> Formal:
        """A parameter with the structure of an argument: the direction in which it moves."""

        def dot(leaf: Atom) -> Atom:
            if not isinstance(leaf, Var) or leaf not in sources:
                return Const(None)
            direction = self.builder.names.fresh(f"dot_{leaf.name}", leaf.type)
            self.tangents[leaf] = direction
            return direction

        name = f"dot_{formal.name}"
        while name in taken:
            name += "_"
        return Formal(name, map_tree(formal.tree, dot))

    def check_lengths(self) -> None:
        """The direction of a list has an item for each of its items."""
        differ = catalogue().operations["!="]
        for leaf, direction in self.tangents.items():
            if isinstance(leaf.type, ListOf):
                given, wanted = (self.builder.assign(LENGTH, each) for each in (direction, leaf))
                test = self.builder.assign(differ, given, wanted)
                error = f'ValueError("expected as many items in {direction} as in {leaf}")'
                self.builder.append(RAISE_IF, (), test, Const(error))

    def follow(self, statement: Statement) -> None:
        """Append a statement of the primal, and what gives its target's tangent."""
        if isinstance(statement, If):
            self.follow_branches(statement)
            return
        if not isinstance(statement, Assign):
            self.follow_loop(statement)
            return
        assert statement.op is not RECALL, "forward mode takes programs without `recall` only"
        callee = statement.op.callee
        if callee is not None and any(atom in self.tangents for atom in statement.operands):
            self.follow_call(statement, callee)
            return
        if statement.op.custom is not None and self.follow_custom(statement):
            return
        self.builder.statements.append(statement)
        if statement.op is POP:
            self.follow_pop(statement)
            return
        moves = any(operand in self.tangents for operand in statement.operands)
        if statement.op.constant or not moves or not self.active.intersection(statement.targets):
            return
        self.builder.span = statement.span
        if statement.op.implicit is not None:
            self.follow_solver(statement)
            return
        if statement.op.results:
            self.lines.follow_several(statement)
            return
        if not is_float(statement.target.type):
            return
        try:
            found = self.lines.move(statement)
        except TypeProblem as problem:
            raise refusal(problem.name, str(problem), statement.span, problem.help) from None
        if found is not None:
            dot = self.tangents[statement.target] = self.lines.settle(found, statement.target)
            if self.traps:
                trap_tangent(self.builder, self.definitions, statement, dot)

    def follow_custom(self, statement: Assign) -> bool:
        """A call with a derivative of its own; whether anything moves in it."""
        if not any(operand in self.tangents for operand in statement.operands):
            return False
        if statement.op.custom.rule.identity:  # code for the adjoint, which there is none of
            self.builder.statements.append(statement)
            x = statement.operands[0]
            if isinstance(x, Var) and x in self.tangents:
                self.tangents[statement.target] = self.tangents[x]
            return True
        moves = set(self.tangents)
        dots = push_custom(self.builder, statement, self.lines.tangent_or_zero, moves)
        floats = [target for target in statement.targets if is_float(target.type)]
        for target, dot in zip(floats, dots, strict=True):
            self.tangents[target] = self.lines.settle(dot, target)
        return True

    # Blocks ---------------------------------------------------------------------------------------

    def follow_branches(self, statement: If) -> None:
        """Each branch gives the tangents of its results, too."""
        moving = [k for k, target in enumerate(statement.targets) if target in self.active]
        blocks = [
            self.followed(branch, [branch.results[k] for k in moving], (), ())
            for branch in (statement.then, statement.orelse)
        ]
        dots = self.dots_of([statement.targets[k] for k in moving])
        self.builder.statements.append(
            replace(
                statement,
                targets=(*statement.targets, *dots),
                then=blocks[0],
                orelse=blocks[1],
            )
        )

    def follow_loop(self, loop: For | While) -> None:
        """The loop carries the tangents of what it carries."""
        carried = carried_of(loop)
        moving = [k for k, (target, *_) in enumerate(carried) if target in self.active]
        self.builder.span = loop.span
        initial = [self.lines.tangent_or_zero(carried[k][1]) for k in moving]
        parameters = self.dots_of([carried[k][2] for k in moving])
        stop = loop.body.results[len(loop.targets) :]
        body = self.followed(loop.body, [carried[k][3] for k in moving], parameters, stop)
        dots = self.dots_of([carried[k][0] for k in moving])
        changed = replace(
            loop, targets=(*loop.targets, *dots), initial=(*loop.initial, *initial), body=body
        )
        if isinstance(changed, While):
            names = self.builder.names
            unread = (names.fresh(dot.name, dot.type) for dot in dots)
            test = replace(changed.test, parameters=(*changed.test.parameters, *unread))
            changed = replace(changed, test=test)
        self.builder.statements.append(changed)

    def followed(
        self, block: Block, moving: list[Atom], parameters: Sequence[Var], stop: tuple[Atom, ...]
    ) -> Block:
        outer, self.builder.statements = self.builder.statements, []
        for statement in block.statements:
            self.follow(statement)
        tangents = [self.lines.tangent_or_zero(atom) for atom in moving]
        statements, self.builder.statements = self.builder.statements, outer
        results = block.results[: len(block.results) - len(stop)]
        return Block(
            (*block.parameters, *parameters), tuple(statements), (*results, *tangents, *stop)
        )

    def dots_of(self, variables: list[Var]) -> list[Var]:
        """Tangents for variables that loops and branches give."""
        dots = [
            self.builder.names.fresh(f"dot_{var.name}", tangent_type(var.type)) for var in variables
        ]
        self.tangents.update(zip(variables, dots, strict=True))
        return dots

    def follow_call(self, statement: Assign, callee: Callee) -> None:
        """The call of a function that gives the tangents as well."""
        wrt = tuple(k for k, atom in enumerate(statement.operands) if atom in self.tangents)
        dots = self.dots_of([target for target in statement.targets if is_float(target.type)])
        targets = (*statement.targets, *dots)
        types = [target.type for target in targets]
        op = self.derivatives.tangent_call(callee, wrt, types)
        moving = [self.lines.tangent_or_zero(statement.operands[place]) for place in wrt]
        self.builder.span = statement.span
        changed = replace(
            statement, targets=targets, op=op, operands=(*statement.operands, *moving)
        )
        self.builder.statements.append(changed)

    def follow_solver(self, statement: Assign) -> None:
        """What is found moves with the equation that it solves."""
        moving = {
            place: self.tangents[atom]
            for place, atom in enumerate(statement.operands)
            if isinstance(atom, Var) and atom in self.tangents
        }
        if isinstance(statement.op.implicit, Flow):
            dots = push_flow(self.builder, self.derivatives, statement, moving)
            for target, dot in zip(statement.targets, dots, strict=bool(dots)):
                self.tangents[target] = self.lines.settle(dot, target)
            return
        found = push_solver(self.builder, self.derivatives, statement, moving)
        if found is not None:
            self.tangents[statement.target] = self.lines.settle(found, statement.target)

    def follow_pop(self, statement: Assign) -> None:
        """`v = l.pop()`: the list of tangents loses its last item as well."""
        (items,) = statement.operands
        dots = self.tangents.get(items) if isinstance(items, Var) else None
        if dots is not None:
            made = tuple(
                self.builder.names.fresh(f"dot_{target.name}", tangent_type(target.type))
                for target in statement.targets
            )
            self.builder.span = statement.span
            self.builder.append(POP, made, dots)
            self.tangents.update(zip(statement.targets, made, strict=True))

    def tangent_of_result(self, leaf: Atom) -> Atom:
        """The tangent of a leaf of the result: of its type, zero if it does not move."""
        self.builder.span = None
        moves = isinstance(leaf, Var) and leaf in self.tangents
        if not moves and not is_numeric(leaf.type):
            return Const(None)
        dot = self.lines.tangent_or_zero(leaf)
        if isinstance(leaf.type, Scalar) and isinstance(dot.type, Number) and is_float(leaf.type):
            # Python numbers are weak, which does as long as we compute; here the dtype shows
            dot = self.builder.assign(conversion(leaf.type), dot)
        if moves or isinstance(dot, Const):
            return dot
        return named(self.builder, dot, f"dot_{leaf.name}" if isinstance(leaf, Var) else "dot_out")


__all__ = ["tangent"]
