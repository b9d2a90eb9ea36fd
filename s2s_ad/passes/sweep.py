"""The reverse sweep: adjoints so far, and the statements that compute them.

`adjoint` begins it with the seed; `undo_blocks`, `undo_lists`, `calls` and `checkpoint` undo what
is more than one operation. An operation is undone here, by the lines of its rule.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from s2s_ad.check import agrees
from s2s_ad.diagnostics import refusal
from s2s_ad.frontend.masks import picked_length, with_length
from s2s_ad.frontend.rules import Contribution, lower_line, reads
from s2s_ad.ir import Assign, Atom, Block, Const, Formal, Function, If, Statement, Tree, Var
from s2s_ad.operations import catalogue
from s2s_ad.operations.calls import Halves
from s2s_ad.operations.effects import RAISE_IF
from s2s_ad.operations.indexing import SETITEM
from s2s_ad.operations.lists import sum_operation
from s2s_ad.operations.odes import Flow
from s2s_ad.operations.support import NUMPY_SHAPE, RECALL
from s2s_ad.passes.calls import Derivatives, undo_call
from s2s_ad.passes.checkpoint import can_checkpoint, undo_in_parts
from s2s_ad.passes.contributions import (
    cast_like,
    choose_rule,
    lines_for_results,
    named,
    no_derivative,
    operand_of_line,
    rule_lines,
    sum_to,
    zero_like,
)
from s2s_ad.passes.custom import undo_custom
from s2s_ad.passes.implicit import undo_solver
from s2s_ad.passes.masks import Mask, Masks
from s2s_ad.passes.odes import undo_flow
from s2s_ad.passes.trap_nan import trap_adjoint, trap_gradient
from s2s_ad.passes.undo_blocks import undo_branches, undo_loop
from s2s_ad.passes.undo_lists import UNDO
from s2s_ad.passes.undo_types import adjoint_type, has_narrow_floats
from s2s_ad.rewrite import Builder, Names, all_statements, first_unused_size, map_tree
from s2s_ad.types import (
    DTYPES,
    Array,
    ListOf,
    Number,
    Scalar,
    Sizes,
    Type,
    TypeProblem,
    is_float,
    rank_of,
    scalar_like,
    shape_of,
)


class Sweep:
    """The reverse sweep: adjoints so far, and the statements that compute them.

    Loops and branches open a scope: within it `adjoints` holds those of the block, and recalls made
    there are not seen outside.
    """

    def __init__(
        self,
        function: Function,
        active: set[Var],
        trips: dict[int, Var],
        halves: dict[Var, Halves],
        derivatives: Derivatives,
        checkpoint: int | str,
        traps: bool,
    ) -> None:
        self.function, self.derivatives, self.checkpoint = function, derivatives, checkpoint
        self.traps = traps
        self.depth = 0
        sizes = Sizes.knowing(function.assumptions, max(1_000_000, first_unused_size(function)))
        self.builder = Builder(Names.of(function), sizes, role="adjoint")
        self.active = active
        self.trips = trips
        self.halves = halves
        self.adjoints: dict[Var, Atom] = {}
        self.recalled: ChainMap[Var, Var] = ChainMap()
        self.masks = Masks(function.body)
        self.taken = {formal.name for formal in function.formals}
        self.is_narrow = has_narrow_floats(function)
        everything = all_statements(function.body)
        self.picks = {
            one.operands[1]: length
            for one in everything
            if isinstance(one, Assign) and (length := picked_length(one)) is not None
        }

    def forward_builder(self) -> Builder:
        """For what is added to the primal, apart from what the sweep has."""
        return Builder(self.builder.names, self.builder.sizes)

    def seed_one(self, result: Atom, name: str) -> None:
        """The adjoint of the result of a gradient called `name`."""
        if not (isinstance(result, Var) and result in self.active):
            return
        one: Atom = Const(1.0)
        if isinstance(result.type, Array) and result.type.shape is None:
            # the sum of many would have a gradient too, but not the one that was asked for
            operations, value = catalogue().operations, self.recall(result)
            rank = self.builder.assign(operations["numpy.ndim"], value)
            many = self.builder.assign(operations[">"], rank, Const(0))
            error = f'ValueError("{name}: expected a scalar as result")'
            self.builder.append(RAISE_IF, (), many, Const(error))
            one = self.builder.assign(operations["numpy.ones_like"], value, Const(None))
        elif not isinstance(result.type, Number):
            # 1.0 is weak: in float32 code it stays float32
            one = cast_like(self.builder, one, result.type)
        self.adjoints[result] = named(self.builder, one, f"grad_{result.name}")

    def seed_parameter(self, value: Tree) -> Formal:
        """A parameter with the structure of the result."""

        def seed(leaf: Atom) -> Atom:
            if not is_float(leaf.type):
                return Const(None)
            name = leaf.name if isinstance(leaf, Var) and not leaf.is_temporary else "out"
            grad = self.builder.names.fresh(f"grad_{name}", leaf.type)
            if isinstance(leaf, Var) and leaf in self.active:
                given = grad
                if isinstance(leaf.type, Scalar) and leaf.type.dtype != "f64":
                    # callers give a Python float, too, which would not say what it is
                    exact = catalogue().operations[f"numpy.{DTYPES[leaf.type.dtype]}"]
                    given = self.builder.assign(exact, grad, name=f"grad_{name}")
                if leaf in self.adjoints:
                    self.accumulate(leaf, given)
                else:
                    self.adjoints[leaf] = given
            return grad

        tree = map_tree(value, seed)
        name = tree.base_name if isinstance(tree, Var) else "grad_out"
        while name in self.taken:
            name += "_"
        return Formal(name, tree)

    def reverse(self, block: Block) -> None:
        for statement in reversed(block.statements):
            if not any(target in self.adjoints for target in statement.targets):
                continue
            if isinstance(statement, Assign):
                self.undo(statement)
            elif isinstance(statement, If):
                undo_branches(self, statement)
            elif self.checkpoint != "" and self.depth == 0 and can_checkpoint(statement):
                undo_in_parts(self, statement, self.checkpoint)
            else:
                undo_loop(self, statement)

    @contextmanager
    def scope(self, block: Block, adjoints: dict[Var, Atom]) -> Iterator[list[Statement]]:
        """Reverse a block of its own: gives the list that its statements are appended to."""
        outer = (self.adjoints, self.builder.statements, self.recalled, self.masks)
        statements: list[Statement] = []
        self.adjoints, self.builder.statements = adjoints, statements
        self.recalled, self.masks = self.recalled.new_child(), self.masks.of(block)
        self.depth += 1
        try:
            yield statements
        finally:
            self.depth -= 1
            self.adjoints, self.builder.statements, self.recalled, self.masks = outer

    def adjoint_or_zero(self, var: Var) -> Atom:
        """What is known of the adjoint of a variable, as a value to hand on."""
        found = self.adjoints.get(var)
        value = self.zeros(var) if found is None else self.shaped_as(found, var)
        type = adjoint_type(var.type)
        if isinstance(type, Scalar) and value.type == Array(type.dtype, ()):
            return cast_like(self.builder, value, type)
        if self.is_narrow and isinstance(type, Scalar) and isinstance(value.type, Number):
            # a Python number would take the dtype of what it meets, not give its own
            return self.builder.assign(catalogue().operations[f"numpy.{DTYPES[type.dtype]}"], value)
        return value

    def shaped_as(self, value: Atom, var: Var) -> Atom:
        """The adjoint of a variable whose lengths are other formulas than its own, not seen to be
        the same: `len(range(d + 2)[2:])` and `d`.
        """
        shape, wanted = shape_of(value.type), shape_of(var.type)
        if not (shape and wanted and len(shape) == len(wanted)) or agrees(value.type, var.type):
            return value
        size = self.builder.assign(NUMPY_SHAPE, self.recall(var))
        return self.builder.assign(catalogue().operations["numpy.reshape"], value, size)

    def fitted(self, value: Atom, type: Type) -> Atom:
        """The adjoint of a value that a loop or branch hands on, for what was handed in."""
        if isinstance(type, ListOf):
            return value
        shape, wanted = shape_of(value.type), shape_of(type)
        if wanted == () and shape != ():
            total = catalogue().operations["numpy.sum"]
            value = self.builder.assign(total, value, Const(None), Const(False))
        return cast_like(self.builder, value, type)

    def accumulate(self, var: Var, value: Atom) -> None:
        """Add to the adjoint of a variable what has its shape and dtype already."""
        known = self.adjoints.get(var)
        if known is not None:
            is_list = isinstance(var.type, ListOf)
            plus = sum_operation(var.type) if is_list else catalogue().operations["+"]
            value = self.builder.assign(plus, known, value)
        self.set_adjoint(var, value)

    def undo(self, statement: Assign) -> None:
        """Carry the adjoints of a statement's targets to its operands."""
        on_lists = UNDO.get(statement.op)
        if on_lists is not None:
            self.builder.span = statement.span
            on_lists(self, statement)
            return
        if statement.targets[-1] in self.halves or statement.op.callee is not None:
            undo_call(self, statement)
            return
        if statement.op.implicit is not None:
            undo = undo_flow if isinstance(statement.op.implicit, Flow) else undo_solver
            undo(self, statement)
            return
        op = statement.op
        if op.custom is not None:
            undo_custom(self, statement)
            return
        results = dict(zip(op.result_names, statement.targets, strict=False))
        self.builder.span = statement.span
        names = op.operand_names(len(statement.operands))
        carried = [
            name
            for name, operand in zip(names, statement.operands, strict=True)
            if operand in self.active and not op.is_marked(op.shape_only, name)
        ]
        rule = choose_rule(statement, statement.operands)
        lines = [line for line in rule_lines(rule, statement) if operand_of_line(line) in names]
        written = {operand_of_line(line) for line in lines}
        for name in carried:
            if name not in written:
                raise no_derivative(statement, f"there is none with respect to `{name}`")
        adjoints: dict[str, Atom] = {
            f"grad_{name}": self.adjoints[result]
            for name, result in results.items()
            if result in self.adjoints
        }
        wanted = lines_for_results(statement, lines, "grad_", set(adjoints))
        wanted = [line for line in wanted if operand_of_line(line) in carried]
        environment: dict[str, Atom] = dict(adjoints)
        read = reads(wanted)
        for name, operand in zip(names, statement.operands, strict=True):
            environment[name] = self.recall(operand) if name in read else operand
        for name, result in results.items():
            if name in read:
                environment[name] = self.recall(result)
        by_name = dict(zip(names, statement.operands, strict=True))
        for line in wanted:
            try:
                contribution = lower_line(self.builder, line, environment)
            except TypeProblem as problem:
                raise refusal(problem.name, str(problem), statement.span, problem.help) from None
            operand = by_name[contribution.operand]
            assert isinstance(operand, Var)
            if statement.op is SETITEM:
                contribution = self.picked(statement, contribution)
            contribution = self.masked(statement, contribution, operand)
            self.add(statement, contribution, operand, next(iter(adjoints.values())))
        if self.traps:
            for name in carried:
                trap_adjoint(self, statement, by_name[name], read)

    def picked(self, statement: Assign, contribution: Contribution) -> Contribution:
        """The adjoint of `y[m] = v`: the mask takes as many elements as of the primal."""
        length, value = self.picks.get(statement.operands[1]), contribution.value
        if length is None or not isinstance(value, Var) or not shape_of(value.type):
            return contribution
        return replace(contribution, value=with_length(self.builder, value, length))

    def masked(self, statement: Assign, contribution: Contribution, operand: Var) -> Contribution:
        """The contribution, zero again where a `where` further on does not take this value."""
        if contribution.update is not None:
            return contribution
        value = contribution.value
        where = catalogue().operations["numpy.where"]
        if self.masks.is_moved(statement, operand):
            # elements have changed places since the `where`: the adjoint itself tells which count
            reached = catalogue().operations["!="]
            test: Atom = self.builder.assign(reached, self.adjoints[statement.target], Const(0.0))
            return replace(contribution, value=self.builder.assign(where, test, value, Const(0.0)))
        for mask in self.masks.ending_at(statement, operand):
            test = self.test_shaped_like(value, mask)
            taken = mask.taken or not mask.fits(value)
            branches = (value, Const(0.0)) if taken else (Const(0.0), value)
            value = self.builder.assign(where, test, *branches)
        return replace(contribution, value=value)

    def test_shaped_like(self, value: Atom, mask: Mask) -> Atom:
        """The test of a `where`; of another shape than the value, whether any element takes it."""
        test: Atom = self.recall(mask.test)
        operations = catalogue().operations
        if mask.fits(value):
            return test
        if not mask.taken:
            test = self.builder.assign(operations["numpy.logical_not"], test)
        if shape_of(value.type) == ():
            return self.builder.assign(operations["numpy.any"], test, Const(None), Const(False))
        counted = self.builder.assign(operations["*"], test, Const(1.0))
        times = self.builder.assign(operations["helper.unbroadcast"], counted, value)
        return self.builder.assign(operations[">"], times, Const(0.0))

    def recall(self, atom: Atom) -> Atom:
        """The value that a variable of the primal had."""
        if not isinstance(atom, Var):
            return atom
        if atom not in self.recalled:
            self.recalled[atom] = self.builder.assign(RECALL, atom)
        return self.recalled[atom]

    def add(
        self, statement: Assign, contribution: Contribution, operand: Atom, grad_out: Atom
    ) -> None:
        assert isinstance(operand, Var)
        name = f"grad_{operand.name}"
        known = self.adjoints.get(operand)
        value = contribution.value
        if contribution.update is SETITEM:
            assert contribution.index is not None
            value = self.builder.assign(SETITEM, grad_out, contribution.index, value)
        elif contribution.update is not None:
            assert contribution.index is not None
            base = known if known is not None else self.zeros(operand)
            changed = self.builder.assign(contribution.update, base, contribution.index, value)
            self.adjoints[operand] = named(self.builder, changed, name)
            return
        elif statement.op.elementwise and _alone_has_shape(statement, operand):
            value = cast_like(self.builder, value, operand.type)
        elif statement.op.elementwise or statement.op.is_marked(
            statement.op.broadcasts, contribution.operand
        ):
            value = sum_to(self.builder, value, self.shape_only(value, operand))
        else:
            value = cast_like(self.builder, value, operand.type)
        if known is not None:
            value = self.builder.assign(catalogue().operations["+"], known, value)
        self.adjoints[operand] = named(self.builder, value, name)

    def shape_only(self, value: Atom, operand: Var) -> Atom:
        """The operand, recalled if it may be read: `unbroadcast` asks it for its shape."""
        return (
            operand
            if isinstance(operand.type, Array)
            and operand.type == value.type
            and operand.type.shape is not None
            else self.recall(operand)
        )

    def set_adjoint(self, var: Var, value: Atom) -> None:
        """Replace the adjoint of a variable by another version of it."""
        self.adjoints[var] = named(self.builder, value, f"grad_{var.name}")

    def zeros(self, operand: Var) -> Atom:
        held = isinstance(operand.type, ListOf | Array)
        return zero_like(self.builder, self.recall(operand) if held else operand)

    def gradient(self, leaf: Atom) -> Atom:
        """The finished adjoint of an argument's leaf: of its type, zero if nothing depends on
        it.
        """
        if not isinstance(leaf, Var):
            return leaf
        self.builder.span = None
        if self.traps:
            trap_gradient(self, leaf)
        if not is_float(leaf.type):
            held = isinstance(leaf.type, ListOf | Array)
            return self.zeros(leaf) if held else Const(0)
        found = self.adjoints.get(leaf)
        if found is None:
            return named(self.builder, self.zeros(leaf), f"grad_{leaf.name}")
        if isinstance(leaf.type, ListOf):
            return found
        if leaf.type == Array(getattr(leaf.type, "dtype", ""), ()) and not isinstance(
            found.type, Array
        ):
            copied = catalogue().operations["numpy.copy"]
            return named(self.builder, self.builder.assign(copied, found), f"grad_{leaf.name}")
        if isinstance(leaf.type, Scalar) and isinstance(found.type, Number):
            # a weak 1.0 has served for a float32 so far; the result has the argument's type
            exact = catalogue().operations[f"numpy.{DTYPES[leaf.type.dtype]}"]
            return found if leaf.type.dtype == "f64" else self.builder.assign(exact, found)
        if self.is_narrow and isinstance(leaf.type, Number) and not isinstance(found.type, Number):
            # computed from a Python number that became a scalar in a loop, it may be less than f64
            return self.builder.assign(catalogue().operations["builtins.float"], found)
        return cast_like(self.builder, found, leaf.type)


def _alone_has_shape(statement: Assign, operand: Var) -> bool:
    """Whether an operand of unknown rank has the shape of the result because all others are
    numbers.
    """
    if rank_of(operand.type) is not None:
        return False
    return statement.operands.count(operand) == 1 and all(
        other == operand or scalar_like(other.type) for other in statement.operands
    )


__all__ = ["Sweep"]
