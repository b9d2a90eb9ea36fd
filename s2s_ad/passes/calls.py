"""Derivatives of calls: the forward sweep calls a function that also gives what is to be saved, the
reverse sweep calls its counterpart.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from s2s_ad.ir import (
    Assign,
    Atom,
    Block,
    Const,
    Function,
    Statement,
    Structure,
    Var,
    leaves,
    tuple_of,
)
from s2s_ad.operations.calls import (
    SAVED,
    Callee,
    Halves,
    Pushed,
    forward_of,
    reverse_of,
)
from s2s_ad.passes.undo_types import adjoint_type
from s2s_ad.rewrite import (
    Names,
    flat_formals,
    flat_output,
    formal_variables,
    map_statement,
    with_body,
)
from s2s_ad.types import is_float

if TYPE_CHECKING:
    from s2s_ad.passes.sweep import Sweep


@dataclass(frozen=True, eq=False)
class Gradient:
    """The gradient of a callee in its first parameter, as a callee to be made."""

    of: Callee
    made: Callee


@dataclass
class Derivatives:
    """What has been asked for so far: the two halves of each callee's derivative."""

    halves: dict[tuple[Callee, tuple[int, ...]], Halves] = field(default_factory=dict)
    pushed: dict[tuple[Callee, tuple[int, ...]], Pushed] = field(default_factory=dict)
    gradients: dict[Callee, Callee] = field(default_factory=dict)
    pending: list[Halves | Pushed | Gradient] = field(default_factory=list)
    extra: list[tuple[Function, Callee]] = field(
        default_factory=list
    )  # made by passes, and of what
    names: set[str] = field(default_factory=set)

    def of(self, callee: Callee, wrt: tuple[int, ...]) -> Halves:
        """The halves for these parameters; they are made later, since callees call themselves."""
        key = (callee, wrt)
        if key not in self.halves:
            name = self.unused(callee.name)
            self.halves[key] = Halves(callee, wrt, f"forward_{name}", f"reverse_{name}")
            self.pending.append(self.halves[key])
        return self.halves[key]

    def push(self, callee: Callee, wrt: tuple[int, ...]) -> Pushed:
        """The same for forward mode."""
        key = (callee, wrt)
        if key not in self.pushed:
            self.pushed[key] = Pushed(callee, wrt, self.unused(f"jvp_{callee.name}"))
            self.pending.append(self.pushed[key])
        return self.pushed[key]

    def gradient_of(self, callee: Callee) -> Callee:
        """The gradient in the first parameter: it is made before what is asked of it."""
        if callee not in self.gradients:
            name = f"grad_{callee.name}"
            while name in self.names:
                name += "_"
            made = Callee(name, effect=callee.effect)
            self.gradients[callee] = made
            self.pending.append(Gradient(callee, made))
        return self.gradients[callee]

    def unused(self, name: str) -> str:
        while name in self.names:
            name += "_"
        self.names.add(name)
        return name


@dataclass(frozen=True)
class Called:
    """A function of the module that others call; `mode` says what it has to do with `primal`.

    `finds` are what a solver finds and of which function: its derivative is that of the solution,
    also where the module is differentiated again.
    """

    function: Function
    primal: Function
    mode: str
    finds: tuple[str, str] | None = None


def flat_results(function: Function) -> Function:
    """The function with one tuple of all its results; tangents that cannot be are left out."""
    given = tuple(leaf for leaf in leaves(function.output) if leaf != Const(None))
    return _giving(function, given)


def flat_halves(functions: list[Function], halves: Halves) -> list[Function]:
    """The two halves as calls need them: results, arguments and adjoints one by one."""
    forward, reverse = functions
    assert isinstance(forward.output, Structure)
    value, saved = forward.output.items
    items = (*leaves(value), saved)
    output = tuple_of(items)
    forward = replace(forward, name=halves.forward_name, output=output, guarded=False)
    kept, *seeds = reverse.formals
    formals = (kept, *flat_formals(formal_variables(seeds), (kept.name,)))
    reverse = replace(reverse, name=halves.reverse_name, formals=formals)
    return [forward, _giving(reverse, tuple(leaves(reverse.output)))]


def _giving(function: Function, given: tuple[Atom, ...]) -> Function:
    body = replace(function.body, results=given)
    return replace(function, body=body, output=flat_output(given), guarded=False)


def call_forward(
    function: Function, active: set[Var], derivatives: Derivatives
) -> tuple[Function, dict[Var, Halves]]:
    """The function with calls that save where a derivative goes through; by the saved value their
    halves.
    """
    names = Names.of(function)
    found: dict[Var, Halves] = {}

    def block(block: Block) -> Block:
        statements = tuple(map(visit, block.statements))
        return Block(block.parameters, statements, block.results)

    def visit(statement: Statement) -> Statement:
        if not isinstance(statement, Assign):
            return map_statement(statement, lambda atom: atom, lambda var: var, block)
        callee = statement.op.callee
        if callee is None or not active.intersection(statement.targets):
            return statement
        wrt = tuple(k for k, operand in enumerate(statement.operands) if operand in active)
        halves = derivatives.of(callee, wrt)
        saved = names.fresh("saved", SAVED)
        found[saved] = halves
        types = [target.type for target in statement.targets]
        return replace(statement, targets=(*statement.targets, saved), op=forward_of(halves, types))

    body = block(function.body)
    return (with_body(function, body) if found else function), found


def undo_call(sweep: Sweep, statement: Assign) -> None:
    """Append the call that carries the adjoints of the results to the arguments."""
    *results, saved = statement.targets
    halves = sweep.halves[saved]
    builder = sweep.builder
    builder.span = statement.span
    grads = [sweep.adjoint_or_zero(result) for result in results if is_float(result.type)]
    operands = [statement.operands[place] for place in halves.wrt]
    types = [adjoint_type(operand.type) for operand in operands]
    targets = tuple(
        builder.names.fresh(f"grad_{operand.name}" if isinstance(operand, Var) else "grad", type)
        for operand, type in zip(operands, types, strict=True)
    )
    builder.append(reverse_of(halves, types), targets, sweep.recall(saved), *grads)
    for operand, target in zip(operands, targets, strict=True):
        if isinstance(operand, Var) and operand in sweep.active:
            sweep.accumulate(operand, sweep.fitted(target, operand.type))
