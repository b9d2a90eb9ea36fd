"""Forward mode on the Wengert list: from a function to its value and how that moves with arguments.

What comes in: a well-formed function and the names of the arguments that move. What goes out: the
same function with a parameter `dot_<name>` for each of them, giving (value, tangent); each
statement of the primal is followed by those of its tangent (`role="tangent"`, same span). `dot_x`
has the shape and dtype of x; a variable without a tangent stands still.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from s2s_ad.diagnostics import DifferentiationError
from s2s_ad.frontend.rules import lower_line, reads
from s2s_ad.ir import (
    UNDEFINED,
    Assign,
    Atom,
    Block,
    Const,
    For,
    Formal,
    Function,
    If,
    NotDifferentiable,
    Operation,
    Statement,
    Structure,
    Tree,
    Var,
    While,
    leaves,
)
from s2s_ad.operations import catalogue
from s2s_ad.operations.calls import Callee, tangent_of
from s2s_ad.operations.lists import POP, ZERO_ITEMS
from s2s_ad.operations.support import COPY, RECALL, ZEROS_LIKE
from s2s_ad.passes.activity import active_variables, carried_of
from s2s_ad.passes.adjoint import differentiable_leaves, split_aux
from s2s_ad.passes.calls import Derivatives
from s2s_ad.passes.contributions import (
    cast_like,
    choose_rule,
    named,
    no_derivative,
    refusal,
    rule_lines,
    spread_to,
)
from s2s_ad.passes.undo_types import adjoint_type
from s2s_ad.rewrite import Builder, Names, count_uses, map_tree
from s2s_ad.types import (
    DTYPES,
    Array,
    ListOf,
    Number,
    Scalar,
    Sizes,
    TypeProblem,
    is_float,
    is_numeric,
    shape_of,
)


def tangent(
    function: Function,
    wrt: tuple[str, ...],
    name: str,
    has_aux: bool = False,
    derivatives: Derivatives | None = None,
) -> Function:
    """The Jacobian-vector product of `function`, under another name.

    It gives `(value, tangent)`, with aux `(value, tangent, aux)`. The tangent has the structure,
    shapes and dtypes of the value. Raises DifferentiationError for an integer argument or an
    operation without a rule.
    """
    by_name = {formal.name: formal for formal in function.formals}
    moving = [by_name[wanted] for wanted in wrt]
    sources = differentiable_leaves(moving, function)
    value, aux = split_aux(function, has_aux)
    active = active_variables(function.body, sources)
    push = _Push(function, active, derivatives or Derivatives())
    # a parameter without a default cannot follow one that has a default, unless it goes by keyword
    by_position = all(
        other.default is None and other.kind != "keyword" for other in function.formals
    )
    directions: list[Formal] = []
    for formal in moving:
        taken = {other.name for other in (*function.formals, *directions)}
        direction = push.direction(formal, taken)
        directions.append(direction if by_position else replace(direction, kind="keyword"))
    for statement in function.body.statements:
        push.follow(statement)
    parts = (value, map_tree(value, push.tangent_of_result))
    output = _together(parts if aux is None else (*parts, aux))
    formals = (*function.formals, *directions)
    parameters = tuple(
        leaf for formal in formals for leaf in leaves(formal.tree) if isinstance(leaf, Var)
    )
    body = Block(parameters, tuple(push.builder.statements), tuple(leaves(output)))
    return replace(function, name=name, formals=formals, body=body, output=output)


def _together(parts: tuple[Tree, ...]) -> Structure:
    return Structure("tuple", tuple(range(len(parts))), parts)


class _Push:
    """The forward sweep: the primal's statements with their tangents, and the tangents so far."""

    def __init__(self, function: Function, active: set[Var], derivatives: Derivatives) -> None:
        self.active, self.derivatives = active, derivatives
        sizes = Sizes()
        sizes.assume = False
        sizes.counter = 1_000_000  # sizes that arise here are none of the primal's
        self.builder = Builder(Names.of(function), sizes, role="tangent")
        self.tangents: dict[Var, Var] = {}
        self.uses = count_uses(function.body)

    def direction(self, formal: Formal, taken: set[str]) -> Formal:
        """A parameter with the structure of an argument: the direction in which it moves."""

        def dot(leaf: Atom) -> Atom:
            if not (isinstance(leaf, Var) and is_float(leaf.type)):
                return Const(None)
            direction = self.builder.names.fresh(f"dot_{leaf.name}", leaf.type)
            self.tangents[leaf] = direction
            return direction

        name = f"dot_{formal.name}"
        while name in taken:
            name += "_"
        return Formal(name, map_tree(formal.tree, dot))

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
        self.builder.statements.append(statement)
        if statement.op is POP:
            self.follow_pop(statement)
            return
        moves = any(operand in self.tangents for operand in statement.operands)
        if statement.op.constant or not moves:
            return
        self.builder.span = statement.span
        if statement.op.results:
            self.follow_several(statement)
            return
        if not is_float(statement.target.type):
            return
        try:
            found = self.move(statement)
        except TypeProblem as problem:
            raise refusal(problem.name, str(problem), statement.span, problem.help) from None
        if found is not None:
            self.tangents[statement.target] = self.settle(found, statement.target)

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
        initial = [self.tangent_or_zero(carried[k][1]) for k in moving]
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
        tangents = [self.tangent_or_zero(atom) for atom in moving]
        statements, self.builder.statements = self.builder.statements, outer
        results = block.results[: len(block.results) - len(stop)]
        return Block(
            (*block.parameters, *parameters), tuple(statements), (*results, *tangents, *stop)
        )

    def dots_of(self, variables: list[Var]) -> list[Var]:
        """Tangents for variables that loops and branches give."""
        dots = [
            self.builder.names.fresh(f"dot_{var.name}", adjoint_type(var.type)) for var in variables
        ]
        self.tangents.update(zip(variables, dots, strict=True))
        return dots

    def follow_call(self, statement: Assign, callee: Callee) -> None:
        """The call of a function that gives the tangents as well."""
        wrt = tuple(k for k, atom in enumerate(statement.operands) if atom in self.tangents)
        dots = self.dots_of([target for target in statement.targets if is_float(target.type)])
        targets = (*statement.targets, *dots)
        pushed = self.derivatives.push(callee, wrt)
        op = tangent_of(pushed, [target.type for target in targets])
        moving = [self.tangent_or_zero(statement.operands[place]) for place in wrt]
        self.builder.span = statement.span
        changed = replace(
            statement, targets=targets, op=op, operands=(*statement.operands, *moving)
        )
        self.builder.statements.append(changed)

    def follow_pop(self, statement: Assign) -> None:
        """`v = l.pop()`: the list of tangents loses its last item as well."""
        (items,) = statement.operands
        dots = self.tangents.get(items) if isinstance(items, Var) else None
        if dots is not None:
            made = tuple(
                self.builder.names.fresh(f"dot_{target.name}", adjoint_type(target.type))
                for target in statement.targets
            )
            self.builder.span = statement.span
            self.builder.append(POP, made, dots)
            self.tangents.update(zip(statement.targets, made, strict=True))

    # Lines ----------------------------------------------------------------------------------------

    def move(self, statement: Assign) -> Atom | None:
        """The tangent of a statement's target; None if it stands still after all."""
        op = statement.op
        lines = self.stated_lines(statement)
        if lines:
            return self.by_lines(statement, lines)
        if op.elementwise:
            return self.elementwise(statement)
        self.check_covered(statement)
        if op.linear:
            return self.linear(statement)
        if op.bilinear:
            return self.bilinear(statement)
        raise no_derivative(statement, "there is none in forward mode")

    def follow_several(self, statement: Assign) -> None:
        """The tangents of an operation with several results, each by lines of its own."""
        lines = self.stated_lines(statement)
        for name, result in zip(statement.op.results, statement.targets, strict=True):
            moves = result in statement.op.moving(statement.targets) and is_float(result.type)
            if not moves or result not in self.uses:
                continue
            own = tuple(line for line in lines if line.startswith(f"tangent_{name} = "))
            if not own:
                raise no_derivative(statement, f"there is none of its result `{name}`")
            try:
                value = self.by_lines(statement, own)
            except TypeProblem as problem:
                raise refusal(problem.name, str(problem), statement.span, problem.help) from None
            if value is not None:
                self.tangents[result] = self.settle(value, result)

    def stated_lines(self, statement: Assign) -> tuple[str, ...]:
        try:
            return statement.op.tangent_lines(statement.operands)
        except NotDifferentiable as problem:
            raise no_derivative(statement, str(problem), problem.help) from None

    def by_lines(self, statement: Assign, lines: tuple[str, ...]) -> Atom | None:
        """The operation's own lines: those that mention a tangent of a moving operand, added up."""
        names = _operands_by_name(statement)
        moving = {f"tangent_{name}" for name, atom in names.items() if atom in self.tangents}
        mentioned = reads(lines)
        for name in _written(statement):
            if f"tangent_{name}" in moving - mentioned:
                raise no_derivative(
                    statement, f"there is none with respect to `{name}` in forward mode"
                )
        wanted = [line for line in lines if reads((line,)) & moving]
        needed = reads(wanted)
        results = dict(zip(statement.op.result_names, statement.targets, strict=False))
        environment: dict[str, Atom] = {**names, **results}
        for name, atom in names.items():
            if f"tangent_{name}" in needed:
                dot = self.tangent_or_zero(atom, broadcasts=statement.op.elementwise)
                environment[f"tangent_{name}"] = dot
        mark = len(self.builder.statements)
        values = [lower_line(self.builder, line, environment).value for line in wanted]
        if not values:
            return None
        total = self.sum(values)
        return self.spread(total, statement, mark) if statement.op.elementwise else total

    def elementwise(self, statement: Assign) -> Atom:
        """The lines of the adjoint, with the operand's tangent in place of `grad_out`."""
        names = _operands_by_name(statement)
        lines = rule_lines(choose_rule(statement, statement.operands), statement)
        mark = len(self.builder.statements)
        values: list[Atom] = []
        for name, operand in names.items():
            if not (isinstance(operand, Var) and operand in self.tangents):
                continue
            own = [line for line in lines if line.startswith(f"grad_{name} += ")]
            if not own:
                raise no_derivative(statement, f"there is none with respect to `{name}`")
            environment = {**names, "out": statement.target, "grad_out": self.tangents[operand]}
            values += [lower_line(self.builder, line, environment).value for line in own]
        return self.spread(self.sum(values), statement, mark)

    def spread(self, value: Atom, statement: Assign, mark: int) -> Atom:
        """The value in the shape of the statement's result, to which it surely broadcasts."""
        if self.spans_result(value, statement, mark):
            return value
        return spread_to(self.builder, value, statement.target)

    def spans_result(self, value: Atom, statement: Assign, mark: int) -> bool:
        """Whether the value surely has the shape of the statement's result, whatever the types say.

        It has if it was computed element by element from all arrays that the result comes from.
        """
        made = {s.target: s for s in self.builder.statements[mark:] if isinstance(s, Assign)}
        moving = [atom for atom in statement.operands if atom in self.tangents]
        shaped_like: dict[Atom, Atom] = {
            self.tangents[atom]: atom for atom in moving if isinstance(atom, Var)
        }
        found: set[Atom] = set()
        waiting = [value]
        while waiting:
            atom = waiting.pop()
            if isinstance(atom, Var) and atom in made and made[atom].op.elementwise:
                waiting += made[atom].operands
            else:
                found.add(shaped_like.get(atom, atom))
        arrays = {operand for operand in statement.operands if shape_of(operand.type) != ()}
        return statement.target in found or arrays <= found

    def linear(self, statement: Assign) -> Atom | None:
        """The operation itself, applied to the tangents."""
        op, names = statement.op, _operands_by_name(statement)
        marked = {name for name in names if op.is_marked(op.linear, name)}
        if not any(names[name] in self.tangents for name in marked):
            return None
        operands = [
            self.tangent_or_zero(atom, op.is_marked(op.broadcasts, name))
            if name in marked
            else atom
            for name, atom in names.items()
        ]
        return self.builder.assign(op, *operands)

    def bilinear(self, statement: Assign) -> Atom | None:
        """The product rule: a term for each factor that moves."""
        op, names = statement.op, _operands_by_name(statement)
        terms: list[Atom] = []
        for place, (name, atom) in enumerate(names.items()):
            is_factor = op.is_marked(op.bilinear, name)
            if is_factor and isinstance(atom, Var) and atom in self.tangents:
                operands = list(statement.operands)
                operands[place] = self.tangents[atom]
                terms.append(self.builder.assign(op, *operands))
        return self.sum(terms) if terms else None

    def check_covered(self, statement: Assign) -> None:
        """Refuse an operand that the adjoint writes to and `linear` or `bilinear` does not name.

        An operand that neither does is there for its shape: `like` in `unbroadcast(grad, like)`.
        """
        op, names = statement.op, _operands_by_name(statement)
        marks = op.linear or op.bilinear
        for name in _written(statement):
            if names[name] in self.tangents and not op.is_marked(marks, name):
                raise no_derivative(
                    statement, f"there is none with respect to `{name}` in forward mode"
                )

    def sum(self, values: list[Atom]) -> Atom:
        total = values[0]
        for value in values[1:]:
            total = self.builder.assign(catalogue().operations["+"], total, value)
        return total

    def tangent_or_zero(self, atom: Atom, broadcasts: bool = False) -> Atom:
        """The tangent of an operand; if it stands still, zeros like it, or one that broadcasts."""
        if isinstance(atom, Var) and atom in self.tangents:
            return self.tangents[atom]
        if atom == UNDEFINED:
            return atom
        if isinstance(atom.type, ListOf):
            return self.builder.assign(ZERO_ITEMS, atom)
        if isinstance(atom.type, Array) and not broadcasts:
            return self.builder.assign(ZEROS_LIKE, atom, Const(None))
        return Const(0.0) if is_float(atom.type) else Const(0)

    def settle(self, value: Atom, target: Var) -> Var:
        """The tangent of `target` under its name, brought to its kind and dtype."""
        if isinstance(target.type, ListOf):
            return named(self.builder, value, f"dot_{target.name}")
        value = cast_like(self.builder, value, target.type)
        if shape_of(target.type) == shape_of(value.type) == ():
            if isinstance(target.type, Array) and not isinstance(value.type, Array):
                value = self.builder.assign(COPY, value)
            elif isinstance(target.type, Scalar) and isinstance(value.type, Array):
                value = self.builder.assign(_conversion(target.type), value)
        dot = named(self.builder, value, f"dot_{target.name}")
        if not isinstance(target.type, Array) or dot.type == target.type:
            return dot
        # the same shape; but sizes known only while running got names of their own
        last = self.builder.statements[-1]
        assert isinstance(last, Assign)
        retyped = Var(dot.name, target.type, dot.version)
        self.builder.statements[-1] = replace(last, targets=(retyped,))
        return retyped

    def tangent_of_result(self, leaf: Atom) -> Atom:
        """The tangent of a leaf of the result: of its type, zero if it does not move."""
        self.builder.span = None
        moves = isinstance(leaf, Var) and leaf in self.tangents
        if not moves and not is_numeric(leaf.type):
            return Const(None)
        dot = self.tangent_or_zero(leaf)
        if isinstance(leaf.type, Scalar) and isinstance(dot.type, Number) and is_float(leaf.type):
            # Python numbers are weak, which does as long as we compute; here the dtype shows
            dot = self.builder.assign(_conversion(leaf.type), dot)
        if moves or isinstance(dot, Const):
            return dot
        return named(self.builder, dot, f"dot_{leaf.name}" if isinstance(leaf, Var) else "dot_out")


def _conversion(type: Scalar) -> Operation:
    """`np.float32` and its like."""
    return catalogue().operations[f"numpy.{DTYPES[type.dtype]}"]


def _operands_by_name(statement: Assign) -> dict[str, Atom]:
    names = statement.op.operand_names(len(statement.operands))
    return dict(zip(names, statement.operands, strict=True))


def _written(statement: Assign) -> set[str]:
    """The operands that the operation's adjoint writes to; all of them where no rule fits."""
    try:
        lines = rule_lines(choose_rule(statement, statement.operands), statement)
    except DifferentiationError:
        return set(_operands_by_name(statement))
    return {_operand_of(line) for line in lines}


def _operand_of(line: str) -> str:
    """The operand that a line of a rule writes to: `grad_x += ...`, `np.add.at(grad_x, ...)`."""
    found = re.match(r"(?:np\.add\.at\()?grad_(\w+)", line)
    assert found is not None, line
    return found[1]


__all__ = ["tangent"]
