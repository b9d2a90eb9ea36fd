"""Derivatives of what `odeint` gives, by the differential equations that they solve.

Along `dy/dt = f(y, t, p)` a tangent moves as `d(dot)/dt = f_y dot + f_p dot_p` (the variational
equation), which is integrated together with y. An adjoint moves as `d(grad)/dt = -grad f_y`: it is
integrated backwards from each time to the one before, where the adjoint of the result there is
added, together with y and with the integral of `grad f_p`, which is the adjoint of p (Chen,
Rubanova, Bettencourt and Duvenaud, Neural ordinary differential equations, 2018, appendix). A
result moves by f with the time it is asked for, and all results by that of the first. What the
sweeps integrate are calls like the user's, of functions made here, so they can be differentiated
again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from s2s_ad.frontend.rules import lower_line
from s2s_ad.ir import Assign, Atom, Block, Const, For, Function, Var
from s2s_ad.operations import catalogue
from s2s_ad.operations.calls import SAVED, Callee, call_of, forward_of, reverse_of
from s2s_ad.operations.indexing import SETITEM
from s2s_ad.operations.odes import FIRST_STEP, Flow, flow_operation
from s2s_ad.operations.support import DIMENSION
from s2s_ad.passes.calls import Derivatives
from s2s_ad.passes.contributions import named, zero_like
from s2s_ad.passes.undo_types import adjoint_type, tangent_type
from s2s_ad.rewrite import Builder, Names, flat_formals, flat_output
from s2s_ad.types import INT, Sizes, Type

if TYPE_CHECKING:
    from s2s_ad.passes.sweep import Sweep

Trip = tuple[Atom, Atom, Atom]
Named = tuple[str, Atom]
SAYS = {
    "adjoint": "How the quantities of `{}`, their adjoints and those of its arguments move.",
    "tangent": "How the quantities of `{}` and their tangents move.",
}


# What is integrated -------------------------------------------------------------------------------


def adjoint_of(derivatives: Derivatives, flow: Flow, wrt: tuple[int, ...]) -> Callee:
    """How the quantities, their adjoints and the adjoints of the arguments at `wrt` move in time.
    Its parameters are those, the time, and the arguments.
    """
    made, parameters, builder = _begin(derivatives, "adjoint", flow, wrt)
    if builder is None:
        return made
    names = builder.names
    count, primal = flow.quantities, flow.slopes.function
    assert primal is not None
    arguments = parameters[count + 1 :]
    grads = [_like(names, "grad", each) for each in parameters[:count]]
    sums = [_like(names, "grad", arguments[k]) for k in wrt]
    places = (*range(count), *(count + 1 + k for k in wrt))
    results = [result.type for result in primal.body.results]
    adjoints = [adjoint_type(parameters[place].type) for place in places]
    values = _slopes_of(names, parameters, results)
    pulled = tuple(
        names.fresh(f"pulled_{parameters[place].base_name}", type)
        for place, type in zip(places, adjoints, strict=True)
    )
    quiet = derivatives.make("quiet", flow.slopes)
    if derivatives.closed:
        builder.append(call_of(quiet, results), values, *parameters)
        pullback = derivatives.make("pullback", quiet, places)
        builder.append(call_of(pullback, adjoints), pulled, *parameters, *grads)
    else:
        halves, saved = derivatives.of(quiet, places), names.fresh("saved", SAVED)
        builder.append(forward_of(halves, results), (*values, saved), *parameters)
        builder.append(reverse_of(halves, adjoints), pulled, saved, *grads)
    minus = catalogue().operations["-x"]
    given = (*values, *(builder.assign(minus, grad) for grad in pulled))
    _finish(made, primal, builder, (*parameters[:count], *grads, *sums, *parameters[count:]), given)
    return made


def tangent_of(derivatives: Derivatives, flow: Flow, wrt: tuple[int, ...]) -> Callee:
    """How the quantities and their tangents move in time. Its parameters are those, the time, the
    arguments, and the tangents of the arguments at `wrt`.
    """
    made, parameters, builder = _begin(derivatives, "tangent", flow, wrt)
    if builder is None:
        return made
    count, primal = flow.quantities, flow.slopes.function
    assert primal is not None
    places = (*range(count), *(count + 1 + k for k in wrt))
    dots = [_like(builder.names, "dot", parameters[place]) for place in places]
    values = [result.type for result in primal.body.results]
    types = [*values, *map(tangent_type, values)]
    given = (
        *_slopes_of(builder.names, parameters, types[:count]),
        *_slopes_of(builder.names, dots, types[count:]),
    )
    quiet = derivatives.make("quiet", flow.slopes)
    op = derivatives.tangent_call(quiet, places, types)
    builder.append(op, given, *parameters, *dots)
    every = (*parameters[:count], *dots[:count], *parameters[count:], *dots[count:])
    _finish(made, primal, builder, every, given)
    return made


def _begin(
    derivatives: Derivatives, kind: str, flow: Flow, wrt: tuple[int, ...]
) -> tuple[Callee, tuple[Var, ...], Builder | None]:
    """The function that was made before, or one that is to be made: with the parameters of what it
    is made of, and a builder.
    """
    key = (kind, flow.slopes, wrt, derivatives.closed)
    primal = flow.slopes.function
    assert primal is not None
    if key in derivatives.flows:
        return derivatives.flows[key], (), None
    name = derivatives.unused(f"{kind}_{flow.slopes.name}")
    made = derivatives.flows[key] = Callee(name, says=SAYS[kind].format(flow.slopes.name))
    names = Names.of(primal)
    builder = Builder(names, Sizes.knowing((), 1_000_000))
    parameters = tuple(names.fresh(each.name, each.type) for each in primal.body.parameters)
    return made, parameters, builder


def _slopes_of(names: Names, quantities: Sequence[Var], types: Sequence[Type]) -> tuple[Var, ...]:
    """How quantities move, under names that say so."""
    pairs = zip(quantities, types, strict=False)
    return tuple(names.fresh(f"slope_{each.base_name}", type) for each, type in pairs)


def named_after(kind: str, atom: Atom) -> str:
    return f"{kind}_{atom.base_name}" if isinstance(atom, Var) else kind


def _like(names: Names, kind: str, var: Var) -> Var:
    type = adjoint_type(var.type) if kind == "grad" else tangent_type(var.type)
    return names.fresh(f"{kind}_{var.base_name}", type)


def _finish(
    made: Callee,
    primal: Function,
    builder: Builder,
    parameters: tuple[Var, ...],
    results: tuple[Var, ...],
) -> None:
    made.function = Function(
        name=made.name,
        formals=flat_formals(parameters),
        body=Block(parameters, tuple(builder.statements), results),
        output=flat_output(results),
        span=primal.span,
        taken_names=primal.taken_names,
        guarded=False,
    )


# The sweeps ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Solved:
    """A flow that has been integrated: its `states` at the times `t`."""

    builder: Builder
    derivatives: Derivatives
    flow: Flow
    states: tuple[Atom, ...]
    t: Atom
    given: tuple[Atom, ...]
    arguments: tuple[Atom, ...]

    def value(self, text: str, **names: Atom) -> Atom:
        return lower_line(self.builder, f"out = {text}", names).value

    def at(self, rows: Sequence[Atom], k: Atom) -> list[Atom]:
        return [self.value("rows[k]", rows=row, k=k) for row in rows]

    def slopes(self, k: Atom) -> tuple[Var, ...]:
        """How the quantities move at one of the times."""
        primal = self.flow.slopes.function
        assert primal is not None
        types = [result.type for result in primal.body.results]
        targets = _slopes_of(self.builder.names, primal.body.parameters, types)
        op = call_of(self.derivatives.make("quiet", self.flow.slopes), types)
        time = self.value("t[k]", t=self.t, k=k)
        self.builder.append(op, targets, *self.at(self.states, k), time, *self.arguments)
        return targets

    def integrate(
        self,
        made: Callee,
        start: Sequence[Atom],
        t: Atom,
        others: Sequence[Atom] = (),
        known: Sequence[Atom] = (),
    ) -> tuple[Var, ...]:
        """What another flow gives, of the same arguments and `others`, as exactly as this one. It
        goes back in time where something is `known` of the end.
        """
        given = dict(zip(self.flow.given, self.given, strict=True))
        fixed = dict(self.flow.fixed)
        if known:
            given.pop(FIRST_STEP, None)
            fixed.pop(FIRST_STEP, None)
        arguments = (*self.arguments, *others)
        flow = Flow(made, len(start), len(arguments), tuple(given), fixed, len(known))
        op = flow_operation(flow, [each.type for each in start], t.type)
        return self.builder.assign_several(op, *start, t, *given.values(), *known, *arguments)

    def loop(
        self, trip: Trip, carried: Sequence[Named], body: Callable[..., Sequence[Atom]]
    ) -> tuple[Var, ...]:
        """Append a loop over k that carries values, from these on: `body(k, *values)`."""
        builder, names = self.builder, self.builder.names
        pairs = [(name, adjoint_type(value.type)) for name, value in carried]
        k, values = names.fresh("k", INT), [names.fresh(name, type) for name, type in pairs]
        with builder.inside() as statements:
            results = tuple(body(k, *values))
        block = Block((k, *values), tuple(statements), results)
        targets = tuple(names.fresh(name, type) for name, type in pairs)
        initial = tuple(value for _, value in carried)
        builder.statements.append(For(targets, trip, initial, block, builder.span, builder.role))
        return targets

    def every_time(self) -> Trip:
        return Const(0), self.builder.assign(DIMENSION, self.t, Const(0)), Const(1)


def undo_flow(sweep: Sweep, statement: Assign) -> None:
    """Append what carries the adjoints of states to the start, the times and the arguments."""
    flow, builder = statement.op.implicit, sweep.builder
    builder.span = statement.span
    start, t, given, _, arguments = flow.parts(statement.operands)
    wrt = tuple(k for k, each in enumerate(arguments) if each in sweep.active)
    recalled = [tuple(map(sweep.recall, part)) for part in (statement.targets, given, arguments)]
    at = Solved(builder, sweep.derivatives, flow, recalled[0], sweep.recall(t), *recalled[1:])
    grads = [sweep.adjoint_or_zero(target) for target in statement.targets]
    moved = [arguments[k] for k in wrt]
    found = _backwards(at, grads, wrt, [named_after("grad", each) for each in (*start, *moved)])
    count = flow.quantities
    for operand, grad in zip((*start, *moved), found, strict=True):
        if operand in sweep.active:
            sweep.accumulate(operand, sweep.fitted(grad, operand.type))
    if t in sweep.active:
        grad_t = _adjoint_of_times(at, grads, found[:count], named_after("grad", t))
        sweep.accumulate(t, sweep.fitted(grad_t, t.type))


def _backwards(
    at: Solved, grads: Sequence[Atom], wrt: tuple[int, ...], names: Sequence[str]
) -> tuple[Var, ...]:
    """The adjoints of the start and of the arguments at `wrt`, under these names."""
    count = at.flow.quantities
    made = adjoint_of(at.derivatives, at.flow, wrt)

    def to_the_time_before(k: Var, *carried: Var) -> list[Atom]:
        ends = named(at.builder, at.value("np.array([t[k], t[k - 1]])", t=at.t, k=k), "ends")
        began = (*at.at(at.states, k), *carried)
        known = [at.value("state[k - 1]", state=state, k=k) for state in at.states]
        ended = at.at(at.integrate(made, began, ends, known=known)[count:], Const(1))
        pairs = zip(ended, grads, strict=False)
        joined = [at.value("end + grad[k - 1]", end=end, grad=grad, k=k) for end, grad in pairs]
        return [*joined, *ended[count:]]

    initial = [*at.at(grads, Const(-1)), *(zero_like(at.builder, at.arguments[k]) for k in wrt)]
    trip = at.value("len(t) - 1", t=at.t), Const(0), Const(-1)
    return at.loop(trip, list(zip(names, initial, strict=True)), to_the_time_before)


def _adjoint_of_times(at: Solved, grads: Sequence[Atom], first: Sequence[Atom], name: str) -> Var:
    """The adjoint of the times: a state is further along at a later time, and all of them are less
    far along where the first time, at which the state is given, is later.
    """
    pairs = zip(grads, first, strict=True)
    seeds = [
        at.builder.assign(SETITEM, grad, Const(0), at.value("grad[0] - one", grad=grad, one=one))
        for grad, one in pairs
    ]

    def one_time(k: Var, sofar: Var) -> list[Atom]:
        terms = [
            at.value("np.sum(seed[k] * slope)", seed=seed, slope=slope, k=k)
            for seed, slope in zip(seeds, at.slopes(k), strict=True)
        ]
        total = terms[0]
        for term in terms[1:]:
            total = at.value("total + term", total=total, term=term)
        return [at.builder.assign(SETITEM, sofar, k, total)]

    zeros = zero_like(at.builder, at.t)
    return at.loop(at.every_time(), [(name, zeros)], one_time)[0]


def push_flow(
    builder: Builder, derivatives: Derivatives, statement: Assign, tangents: Mapping[int, Atom]
) -> Sequence[Atom]:
    """Append what gives the tangents of states, from those of the operands, which are given by
    their places. Empty if nothing moves.
    """
    flow = statement.op.implicit
    places = [place for place in flow.places if place in tangents]
    if not places:
        return ()
    start, t, given, _, arguments = flow.parts(statement.operands)
    at = Solved(builder, derivatives, flow, statement.targets, t, given, arguments)
    count = flow.quantities
    behind = len(statement.operands) - len(arguments)
    wrt = tuple(place - behind for place in places if place >= behind)
    dots = [tangents.get(k) or zero_like(builder, each) for k, each in enumerate(start)]
    dot_t = tangents.get(count)
    if dot_t is not None:
        moved = zip(dots, at.slopes(Const(0)), strict=True)
        text = "dot - slope * dot_t[0]"
        dots = [at.value(text, dot=dot, slope=slope, dot_t=dot_t) for dot, slope in moved]
    others = [tangents[behind + k] for k in wrt]
    made = tangent_of(derivatives, flow, wrt)
    found = at.integrate(made, (*start, *dots), t, others)[count:]
    return found if dot_t is None else _with_times(at, found, dot_t)


def _with_times(at: Solved, dots: Sequence[Var], dot_t: Atom) -> tuple[Var, ...]:
    """The tangents of the states, further along as the times move."""

    def one_time(k: Var, *sofar: Var) -> list[Atom]:
        text = "dot[k] + slope * dot_t[k]"
        return [
            at.builder.assign(
                SETITEM, dot, k, at.value(text, dot=dot, slope=slope, dot_t=dot_t, k=k)
            )
            for dot, slope in zip(sofar, at.slopes(k), strict=True)
        ]

    names = [named_after("dot", state) for state in at.states]
    return at.loop(at.every_time(), list(zip(names, dots, strict=True)), one_time)


__all__ = ["push_flow", "undo_flow"]
