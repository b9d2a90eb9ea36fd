"""Derivatives of calls: the forward sweep calls a function that also gives what is to be saved, the
reverse sweep calls its counterpart.

What is saved has no derivative. A derivative that is to be differentiated again calls functions of
numbers only: `closed` ones, of which the pullback computes anew what it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from s2s_ad.ir import (
    Assign,
    Atom,
    Block,
    Function,
    Operation,
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
    call_of,
    forward_of,
    reverse_of,
    tangent_of,
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
from s2s_ad.types import Type, is_float

if TYPE_CHECKING:
    from s2s_ad.passes.sweep import Sweep


Kind = Literal["gradient", "pullback", "tangent", "quiet"]
NAMED = {"gradient": "grad", "pullback": "pullback", "tangent": "jvp", "quiet": "quiet"}
SAYS = {
    "gradient": "The gradient of `{}` with respect to its first argument.",
    "pullback": "The adjoints of the arguments of `{}`, from those and the adjoints of its result.",
    "tangent": "The value and the tangent of `{}`.",
    "quiet": "`{}`, but for what it prints and raises.",
}


@dataclass(frozen=True, eq=False)
class Made:
    """A function made of a callee, which is called and differentiated like any other.

    The gradient is that in the first parameter, the others are with respect to those at `wrt`.
    """

    kind: Kind
    of: Callee
    wrt: tuple[int, ...]
    callee: Callee


@dataclass
class Derivatives:
    """What has been asked for so far, of each callee.

    `closed` derivatives are for what is to be differentiated again.
    """

    halves: dict[tuple[Callee, tuple[int, ...]], Halves] = field(default_factory=dict)
    pushed: dict[tuple[Callee, tuple[int, ...]], Pushed] = field(default_factory=dict)
    made: dict[tuple[Kind, Callee, tuple[int, ...]], Callee] = field(default_factory=dict)
    flows: dict[Any, Callee] = field(default_factory=dict)  # what `passes/odes.py` made
    pending: list[Halves | Pushed | Made] = field(default_factory=list)
    extra: list[tuple[Function, Callee]] = field(
        default_factory=list
    )  # made by passes, and of what
    names: set[str] = field(default_factory=set)
    closed: bool = False

    def closing(self) -> Derivatives:
        """The same requests, for what is to be differentiated again."""
        return replace(self, closed=True)

    def of(self, callee: Callee, wrt: tuple[int, ...]) -> Halves:
        """The halves for these parameters; they are made later, since callees call themselves."""
        key = (callee, wrt)
        if key not in self.halves:
            name = callee.name
            while self.names & {f"forward_{name}", f"reverse_{name}"}:
                name += "_"
            both = self.unused(f"forward_{name}"), self.unused(f"reverse_{name}")
            self.halves[key] = Halves(callee, wrt, *both)
            self.pending.append(self.halves[key])
        return self.halves[key]

    def push(self, callee: Callee, wrt: tuple[int, ...]) -> Pushed:
        """The same for forward mode."""
        key = (callee, wrt)
        if key not in self.pushed:
            self.pushed[key] = Pushed(callee, wrt, self.unused(f"jvp_{callee.name}"))
            self.pending.append(self.pushed[key])
        return self.pushed[key]

    def make(self, kind: Kind, callee: Callee, wrt: tuple[int, ...] = ()) -> Callee:
        """A function made of a callee; it is there before what is asked of it."""
        if kind in ("pullback", "quiet"):
            if callee.effect and kind == "pullback":
                callee = self.make("quiet", callee)  # what it does has been done
            elif not callee.effect and kind == "quiet":
                return callee
        key = (kind, callee, wrt)
        if key not in self.made:
            name = self.unused(f"{NAMED[kind]}_{callee.name}")
            effect = callee.effect and kind in ("gradient", "tangent")
            made = Callee(name, effect=effect, says=SAYS[kind].format(callee.name))
            self.made[key] = made
            self.pending.append(Made(kind, callee, wrt, made))
        return self.made[key]

    def tangent_call(
        self, callee: Callee, wrt: tuple[int, ...], types: Sequence[Type]
    ) -> Operation:
        """The call of what gives a callee's results, and behind them their tangents."""
        if self.closed:
            return call_of(self.make("tangent", callee, wrt), types)
        return tangent_of(self.push(callee, wrt), types)

    def unused(self, name: str) -> str:
        while name in self.names:
            name += "_"
        self.names.add(name)
        return name


@dataclass(frozen=True)
class Called:
    """A function of the module that others call; `mode` says what it has to do with `primal`, and
    `says` what it does where it was made by passes.

    `finds` are what a solver finds and of which function: its derivative is that of the solution,
    also where the module is differentiated again.
    """

    function: Function
    primal: Function
    mode: str
    finds: tuple[str, str] | None = None
    says: str = ""


def flat_results(function: Function) -> Function:
    """A tangent with one tuple of all its results: the values, then the tangents of floats."""
    assert isinstance(function.output, Structure)
    values, moved = (tuple(leaves(item)) for item in function.output.items)
    floats = [dot for value, dot in zip(values, moved, strict=True) if is_float(value.type)]
    return _giving(function, (*values, *floats))


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


def flat_pullback(function: Function, primal: Function, name: str) -> Function:
    """A seeded adjoint without the value as a function of numbers: arguments, then adjoints."""
    seeds = function.formals[len(primal.formals) :]
    taken = tuple(formal.name for formal in primal.formals)
    formals = (*primal.formals, *flat_formals(formal_variables(seeds), taken))
    function = replace(function, name=name, formals=formals)
    return _giving(function, tuple(leaves(function.output)))


def quieted(function: Function, derivatives: Derivatives) -> Function:
    """The function without what it does, its calls included."""

    def quiet(statement: Statement) -> list[Statement]:
        if not isinstance(statement, Assign):
            return [map_statement(statement, lambda atom: atom, lambda var: var, block)]
        if statement.op.effect and not statement.targets:
            return []
        callee = statement.op.callee
        if callee is None or not callee.effect:
            return [statement]
        types = [target.type for target in statement.targets]
        return [replace(statement, op=call_of(derivatives.make("quiet", callee), types))]

    def block(block: Block) -> Block:
        statements = tuple(new for old in block.statements for new in quiet(old))
        return Block(block.parameters, statements, block.results)

    return with_body(function, block(function.body))


def _giving(function: Function, given: tuple[Atom, ...]) -> Function:
    body = replace(function.body, results=given)
    return replace(function, body=body, output=flat_output(given), guarded=False)


def call_forward(
    function: Function, active: set[Var], derivatives: Derivatives
) -> tuple[Function, dict[Var, Halves]]:
    """The function with calls that save where a derivative goes through; by the saved value their
    halves. Closed derivatives save nothing.
    """
    if derivatives.closed:
        return function, {}
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
    builder = sweep.builder
    builder.span = statement.span
    callee = statement.op.callee
    given: Sequence[Atom]
    if callee is not None:
        results: Sequence[Var] = statement.targets
        wrt = tuple(k for k, operand in enumerate(statement.operands) if operand in sweep.active)
        pulled = sweep.derivatives.make("pullback", callee, wrt)
        given = [sweep.recall(operand) for operand in statement.operands]
    else:
        *results, saved = statement.targets
        halves = sweep.halves[saved]
        wrt, given = halves.wrt, [sweep.recall(saved)]
    grads = [sweep.adjoint_or_zero(result) for result in results if is_float(result.type)]
    operands = [statement.operands[place] for place in wrt]
    types = [adjoint_type(operand.type) for operand in operands]
    targets = tuple(
        builder.names.fresh(f"grad_{operand.name}" if isinstance(operand, Var) else "grad", type)
        for operand, type in zip(operands, types, strict=True)
    )
    op = reverse_of(halves, types) if callee is None else call_of(pulled, types)
    builder.append(op, targets, *given, *grads)
    for operand, target in zip(operands, targets, strict=True):
        if isinstance(operand, Var) and operand in sweep.active:
            sweep.accumulate(operand, sweep.fitted(target, operand.type))
