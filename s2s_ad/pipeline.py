"""The list of passes for each mode, and the way through it: a `Function` of the user in, the text
of a module out.

What happens between any two passes: `check`, then `watch`. A derivative is one function, or for
`vjp` a pair: what runs forward and keeps values, and what runs backward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from s2s_ad.check import Known, check, check_lowered
from s2s_ad.diagnostics import Diagnostic, DifferentiationError
from s2s_ad.ir import Assign, Atom, Const, Formal, Function, Statement, Var, leaves
from s2s_ad.operations.calls import Callee, Halves, Pushed
from s2s_ad.operations.random_draws import draws, refuse_draws
from s2s_ad.options import MODES, SWEEPS, Options, differentiable
from s2s_ad.passes.adjoint import Request, adjoint, split_aux
from s2s_ad.passes.calls import (
    Called,
    Derivatives,
    Made,
    flat_halves,
    flat_pullback,
    flat_results,
    quieted,
)
from s2s_ad.passes.custom import settle_calls
from s2s_ad.passes.fuse_branches import fuse_branches
from s2s_ad.passes.gather_sums import gather_sums
from s2s_ad.passes.jacobian import (
    Layout,
    bare_rows,
    cheaper_is_forward,
    forward_piece,
    giving_leaf,
    join_pieces,
    require_arrays,
    require_floats,
    reverse_piece,
    tangent_only,
)
from s2s_ad.passes.many import many_pullbacks, many_tangents
from s2s_ad.passes.place_copies import place_copies
from s2s_ad.passes.propagate_copies import propagate_copies
from s2s_ad.passes.remove_dead_code import remove_dead_code
from s2s_ad.passes.save_values import save_values
from s2s_ad.passes.settle_elements import settle_elements
from s2s_ad.passes.share_subexpressions import share_subexpressions
from s2s_ad.passes.simplify_algebra import simplify_algebra
from s2s_ad.passes.simplify_blocks import simplify_blocks
from s2s_ad.passes.sink_into_branches import sink_into_branches
from s2s_ad.passes.split_sweeps import split_sweeps
from s2s_ad.passes.sum_elements import sum_elements
from s2s_ad.passes.tangent import tangent
from s2s_ad.passes.turn_signs import turn_signs
from s2s_ad.rewrite import all_statements, count_uses, flat_output
from s2s_ad.types import is_float

Pass = Callable[[Function], Function]
Watch = Callable[[str, Function], None]


def silent(name: str, function: Function) -> None:
    """Watch nothing."""


@dataclass(frozen=True)
class UntilStable:
    """Passes repeated in turn until none of them changes anything."""

    name: str
    steps: tuple[Pass, ...]


CLEAN_UP = UntilStable(
    "clean_up",
    (
        propagate_copies,
        simplify_algebra,
        simplify_blocks,
        share_subexpressions,
        remove_dead_code,
    ),
)
# behind save_values; branches are fused where forward and reverse sweep stay one function
FINISH_PAIR = UntilStable(
    CLEAN_UP.name, (*CLEAN_UP.steps, gather_sums, sum_elements, settle_elements)
)
FINISH = UntilStable(CLEAN_UP.name, (*FINISH_PAIR.steps, fuse_branches, sink_into_branches))
MOST_STEPS = 200


def run(
    function: Function, passes: Sequence[Pass | UntilStable], watch: Watch = silent
) -> Function:
    """Apply the passes; after each one `check`, and after each of the list `watch`.

    A pass that has nothing to do gives the function itself back, which is then not checked again.
    """
    known = Known()
    for step in passes:
        if isinstance(step, UntilStable):
            function = _repeat(function, step, known)
        else:
            function = check(step(function), pass_name(step), known)
        watch(pass_name(step), function)
    return function


def _repeat(function: Function, step: UntilStable, known: Known) -> Function:
    unchanged = 0
    for turn in range(MOST_STEPS):
        one = step.steps[turn % len(step.steps)]
        after = one(function)
        if after is function:
            unchanged += 1
            if unchanged == len(step.steps):
                break
        else:
            unchanged = 0
            function = check(after, pass_name(one), known)
    return function


def pass_name(step: Pass | UntilStable) -> str:
    """A pass's name is that of its function, also where arguments are filled in."""
    if isinstance(step, UntilStable):
        return step.name
    return step.func.__name__ if isinstance(step, partial) else step.__name__


def passes_for(
    function: Function, options: Options, derivatives: Derivatives | None = None
) -> tuple[Pass | UntilStable, ...]:
    """The passes of a mode and level, in order. `derivatives` collects what calls need."""
    name = options.function_name(function)
    derivatives = derivatives or Derivatives()
    wrt = differentiable(function, options)
    if options.mode == "jvp":
        pushed: Pass = partial(
            tangent,
            wrt=wrt,
            name=name,
            has_aux=options.has_aux,
            derivatives=derivatives,
            trap_nan=options.trap_nan,
        )
        passes = around(pushed, options.level)
        if not options.many:
            return passes
        return (*passes, partial(many_tangents, wrt=wrt), *around_batch(options.level))
    request = Request(
        wrt=wrt,
        bare=options.bare,
        with_value=options.mode in ("value-and-grad", "vjp"),
        has_aux=options.has_aux,
        seeded=options.mode == "vjp",
        checkpoint=options.checkpoint,
        trap_nan=options.trap_nan,
    )
    derive = partial(adjoint, request=request, name=name, derivatives=derivatives)
    passes = around(derive, options.level, FINISH if options.mode != "vjp" else FINISH_PAIR)
    if options.mode == "vjp" and options.many:
        return (*passes, partial(many_pullbacks, wrt=wrt), *around_batch(options.level))
    return passes


def around(
    derive: Pass, level: int, finish: UntilStable = CLEAN_UP
) -> tuple[Pass | UntilStable, ...]:
    """A derivative with what comes before and behind it at a level."""
    if level == 0:
        return (derive, save_values)
    return (CLEAN_UP, derive, CLEAN_UP, save_values, finish, turn_signs)


def around_batch(level: int) -> tuple[UntilStable, ...]:
    """What comes behind directions that were put together."""
    return (CLEAN_UP,) if level else ()


def derive(function: Function, options: Options, watch: Watch = silent) -> list[Function]:
    """The functions of the generated module that the derivative consists of, ready to be printed.
    Raises DifferentiationError.
    """
    return derive_all(function, options, watch)[0]


def derive_all(
    function: Function, options: Options, watch: Watch = silent
) -> tuple[list[Function], list[Called]]:
    """The same, and the functions that they call."""
    check_lowered(function)
    watch("lower", function)
    own = {f"{what}{function.name}" for what in ("", "jvp_", "grad_", "forward_", "reverse_")}
    own |= {callee.name for callee in every_callee([function])}
    derivatives = Derivatives(names=own)  # the derivative of the function is the module's own
    derived = derived_function(function, options, derivatives, watch)
    derived = settled(derived, options.level, watch)
    parts = split_sweeps(derived, function) if options.mode == "vjp" else [derived]
    return finished(parts, derivatives, options, watch)


def finished(
    parts: Sequence[Function], derivatives: Derivatives, options: Options, watch: Watch
) -> tuple[list[Function], list[Called]]:
    """The functions of a module ready to be printed, and those that they call."""
    functions = [run(part, (place_copies,), watch) for part in parts]
    called: list[Called] = []
    while derivatives.pending:
        wanted = derivatives.pending.pop(0)
        if isinstance(wanted, Made):
            make_function(wanted, derivatives, options, watch)
        else:
            called += derive_callee(wanted, derivatives, options, watch)
    tidy = (CLEAN_UP, place_copies) if options.level else (place_copies,)
    for made, callee in derivatives.extra:
        assert callee.function is not None
        final = settled(made, options.level, watch)
        called.append(Called(run(final, tidy, watch), callee.function, "undo"))
    every = [*functions, *(other.function for other in called)]
    return functions, [*plain_callees(every, options.level, watch), *called]


def settled(function: Function, level: int, watch: Watch) -> Function:
    """The function with what is kept for further derivatives in its final form."""
    after = settle_calls(function)
    if after is function:
        return function
    return run(check(after, "settle_calls"), (CLEAN_UP,) if level else (propagate_copies,), watch)


def derived_function(
    function: Function, options: Options, derivatives: Derivatives, watch: Watch
) -> Function:
    """The derivative, but for where its values lie in memory."""
    if options.mode not in COMPOSED:
        return run(function, passes_for(function, options, derivatives), watch)
    composition = Composition(function, options, derivatives, watch)
    return composition.run(COMPOSED[options.mode](composition))


class NestedDerivatives:
    """Derivatives of functions as functions to be put into a program, for one program: as short as
    they get, but not settled how they are stored.

    Functions that they call are made once for the whole program.
    """

    def __init__(self) -> None:
        self.derivatives = Derivatives(closed=True)

    def __call__(self, function: Function, options: Options) -> Function:
        """The derivative of a function. Raises DifferentiationError."""
        check(function, after="capture")
        if options.mode == "transpose":
            return transposed(function, options)
        derivatives = self.derivatives
        derivatives.names |= {function.name, *function.taken_names}
        derivatives.names |= {callee.name for callee in every_callee([function])}
        derived = derived_function(function, options, derivatives, silent)
        while derivatives.pending:
            wanted = derivatives.pending.pop(0)
            assert isinstance(wanted, Made)
            make_function(wanted, derivatives, options, silent)
        return derived


def make_function(wanted: Made, derivatives: Derivatives, options: Options, watch: Watch) -> None:
    """What was to be made of a called function, to be called and differentiated itself."""
    primal, made = wanted.of.function, wanted.callee
    assert primal is not None
    closed = derivatives.closing()
    wrt = tuple(primal.formals[place].name for place in wanted.wrt)
    if wanted.kind == "quiet":
        made.function = replace(quieted(primal, closed), name=made.name)
        return
    if wanted.kind == "tangent":
        push = partial(tangent, wrt=wrt, name=made.name, derivatives=closed)
        made.function = flat_results(run(primal, around(push, options.level), watch))
        return
    request = Request(wrt, bare=False, seeded=True, trap_nan=options.trap_nan)
    if wanted.kind == "gradient":
        request = Request((primal.formals[0].name,), bare=True, trap_nan=options.trap_nan)
    pull = partial(adjoint, request=request, name=made.name, derivatives=closed)
    pulled = run(primal, around(pull, options.level, FINISH), watch)
    if wanted.kind == "pullback":
        pulled = flat_pullback(pulled, primal, made.name)
    made.function = pulled


@dataclass(frozen=True)
class Composition:
    """A derivative that is made of others, by more than one list of passes."""

    function: Function
    options: Options
    derivatives: Derivatives
    watch: Watch

    def run(self, function: Function, *passes: Pass) -> Function:
        """The function after passes, tidied up after each of them."""
        steps: list[Pass | UntilStable] = []
        for one in passes:
            steps += [one, *self.clean_up]
        return run(function, steps or self.clean_up, self.watch)

    @property
    def clean_up(self) -> tuple[UntilStable, ...]:
        return around_batch(self.options.level)

    @property
    def formals(self) -> tuple[Formal, ...]:
        """The parameters to differentiate, in the order asked for."""
        by_name = {formal.name: formal for formal in self.function.formals}
        return tuple(by_name[name] for name in differentiable(self.function, self.options))

    @property
    def wrt(self) -> tuple[str, ...]:
        return tuple(formal.name for formal in self.formals)

    def gradient(self) -> Function:
        """The gradient as a function like any other: a tuple of gradients, and no recalls."""
        aux = self.options.has_aux
        request = Request(self.wrt, bare=False, has_aux=aux)
        closed = self.derivatives.closing()
        pull = partial(adjoint, request=request, name="gradient", derivatives=closed)
        return self.run(self.run(self.function), pull, save_values)

    def tangent_of(self, function: Function, only: Var | None = None) -> Function:
        """The tangent of a function of the same parameters, for all of them or one leaf."""
        wrt = self.wrt
        if only is not None:
            holds = (f.name for f in self.formals if only in leaves(f.tree))
            wrt = (next(holds),)
        push = partial(
            tangent,
            wrt=wrt,
            name="tangent",
            has_aux=self.options.has_aux,
            derivatives=self.derivatives,
            only=only,
        )
        return self.run(function, push)

    def quiet(self, function: Function) -> tuple[Function | None, Function]:
        """What is to be done once, and the function to be run in many directions. They part where
        a function is called that prints or raises.
        """
        statements = all_statements(function.body)
        if not any(statement.targets and acts(statement) for statement in statements):
            return None, function
        if draws(function.body) is not None:
            return None, function  # numbers are drawn where they are used, by one sweep
        return function, quieted(function, self.derivatives)

    def forward(self, function: Function) -> Function:
        """The Jacobian of a function of the same parameters, by a sweep for each leaf of them."""
        aux = self.options.has_aux
        value, _ = split_aux(function, aux)
        arguments = tuple(formal.tree for formal in self.formals)
        before, function = self.quiet(function)
        pieces: dict[int, Function] = {}
        for number, leaf in enumerate(leaf for tree in arguments for leaf in leaves(tree)):
            if isinstance(leaf, Var) and is_float(leaf.type):
                pushed = self.tangent_of(function, leaf)
                pieces[number] = self.run(pushed, partial(forward_piece, leaf=leaf, has_aux=aux))
        layout = Layout(value, arguments, self.options.bare, forward=True)
        name = self.options.function_name(self.function)
        return join_pieces(pieces, name, layout, aux, before)

    def reverse(self, function: Function) -> Function:
        """The same by a sweep for each leaf of the result."""
        aux = self.options.has_aux
        before, function = self.quiet(function)
        value, passed_on = split_aux(function, aux)
        arguments = tuple(formal.tree for formal in self.formals)
        request = Request(self.wrt, bare=False, with_value=True, has_aux=aux, seeded=True)
        pull = partial(adjoint, request=request, name="pullback", derivatives=self.derivatives)
        pieces: dict[int, Function] = {}
        for number, leaf in enumerate(leaves(value)):
            if is_float(leaf.type):
                part = giving_leaf(function, leaf, passed_on)
                pulled = self.run(part, pull, save_values)
                fill = partial(reverse_piece, arguments=arguments, has_aux=aux)
                pieces[number] = self.run(pulled, fill)
        layout = Layout(value, arguments, self.options.bare, forward=False)
        name = self.options.function_name(self.function)
        return join_pieces(pieces, name, layout, aux, before)


def jacobian_of(wanted: Composition) -> Function:
    """The Jacobian: by tangents or by pullbacks, as asked for or as the sizes suggest."""
    function = wanted.run(wanted.function)
    value, _ = split_aux(function, wanted.options.has_aux)
    require_floats(wanted.function, value)
    require_arrays(wanted.function, value, wanted.formals)
    arguments = [formal.tree for formal in wanted.formals]
    direction = wanted.options.direction
    if direction != "reverse" and (direction or cheaper_is_forward(value, arguments)):
        return wanted.forward(function)
    return wanted.reverse(function)


def hessian_of(wanted: Composition) -> Function:
    """The Jacobian of the gradient, by tangents."""
    require_arrays(wanted.function, Const(None), wanted.formals)
    made = wanted.forward(wanted.gradient())
    return bare_rows(made, wanted.options.has_aux) if wanted.options.bare else made


def hessian_vector_product_of(wanted: Composition) -> Function:
    """The tangent of the gradient, without the gradient."""
    pushed = wanted.tangent_of(wanted.gradient())
    if wanted.options.many:
        pushed = wanted.run(pushed, partial(many_tangents, wrt=wanted.wrt))
    name = wanted.options.function_name(wanted.function)
    return tangent_only(pushed, name, wanted.options.bare, wanted.options.has_aux)


COMPOSED = {
    "jacobian": jacobian_of,
    "hessian": hessian_of,
    "hvp": hessian_vector_product_of,
}


def transposed(function: Function, options: Options) -> Function:
    """A linear function of some of its parameters the other way round: behind its own parameters it
    takes adjoints of its results. Raises DifferentiationError where it is not linear.
    """
    pulled = NestedDerivatives()(function, replace(options, mode="vjp"))
    count = len(function.body.results)
    linear = run(with_results(pulled, pulled.body.results[count:]), (CLEAN_UP,))
    uses = count_uses(linear.body)
    moving = function.body.parameters[: len(options.wrt or ())]
    read = [f"`{var}`" for var in moving if var in uses]
    if read:
        message = f"the rule of `{function.name}` is not linear in {', '.join(read)}"
        help = "multiply tangents and adjoints by what does not depend on them, and add them up"
        found = Diagnostic("custom-derivative", message, function.span, help=help)
        raise DifferentiationError([found])
    return linear


def with_results(function: Function, results: Sequence[Atom]) -> Function:
    """The function with other results, one by one."""
    body = replace(function.body, results=tuple(results))
    return replace(function, body=body, output=flat_output(results))


def derive_callee(
    wanted: Halves | Pushed, derivatives: Derivatives, options: Options, watch: Watch
) -> list[Called]:
    """The functions of the derivative of a called function."""
    primal = wanted.callee.function
    assert primal is not None
    refuse_draws(primal.body, "a function that is not written out")
    wrt = tuple(primal.formals[place].name for place in wanted.wrt)
    if isinstance(wanted, Pushed):
        push = partial(
            tangent,
            wrt=wrt,
            name=wanted.name,
            derivatives=derivatives,
            trap_nan=options.trap_nan,
        )
        pushed = settled(run(primal, around(push, options.level), watch), options.level, watch)
        functions = [flat_results(pushed)]
        mode = "jvp"
    else:
        request = Request(wrt, bare=False, with_value=True, seeded=True, trap_nan=options.trap_nan)
        pull = partial(adjoint, request=request, name=primal.name, derivatives=derivatives)
        derived = settled(run(primal, around(pull, options.level), watch), options.level, watch)
        functions = flat_halves(split_sweeps(derived, primal), wanted)
        mode = "vjp"
    wanted.functions += functions
    return [Called(run(part, (place_copies,), watch), primal, mode) for part in functions]


def plain_callees(functions: list[Function], level: int, watch: Watch) -> list[Called]:
    """The functions that are called as they are, for their values only."""
    found: list[Called] = []
    for callee, statement in every_callee(functions, level, watch).items():
        assert callee.function is not None
        final = run(settled(callee.function, level, watch), (place_copies,), watch)
        finds = _finds(statement, callee)
        found.append(Called(final, callee.function, "value", finds, callee.says))
    return found


def every_callee(
    functions: Sequence[Function], level: int = 0, watch: Watch = silent
) -> dict[Callee, Statement]:
    """The functions that are called, by others too, each with the first statement that does so."""
    found: dict[Callee, Statement] = {}
    pending = list(functions)
    while pending:
        for statement in all_statements(pending.pop().body):
            for callee in callees_of(statement):
                if callee not in found:
                    assert callee.function is not None
                    refuse_draws(callee.function.body, "a function that is not written out")
                    found[callee] = statement
                    pending.append(settled(callee.function, level, watch))
    return found


def acts(statement: Statement) -> bool:
    """Whether a statement is one operation that does something, apart from what it gives."""
    return isinstance(statement, Assign) and statement.op.effect


def callees_of(statement: Statement) -> tuple[Callee, ...]:
    """The functions that a statement needs in the module."""
    if not isinstance(statement, Assign):
        return ()
    if statement.op.implicit is not None:
        called: tuple[Callee, ...] = statement.op.implicit.called
        return called
    return () if statement.op.callee is None else (statement.op.callee,)


def _finds(statement: Statement, callee: Callee) -> tuple[str, str] | None:
    """What a solver of the user's finds: a root, and the name of the function that is zero."""
    implicit = statement.op.implicit if isinstance(statement, Assign) else None
    if implicit is None or implicit.by is not callee:
        return None
    return implicit.kind, implicit.equation.name


def generate(function: Function, options: Options, source: str = "", watch: Watch = silent) -> str:
    """The text of the module with the derivative. `source` names the user's file in the header."""
    from s2s_ad.backend.emit import emit_module

    functions, called = derive_all(function, options, watch)
    return emit_module(function, functions, options, source, called)


__all__ = ["MODES", "SWEEPS", "Options", "derive", "differentiable", "generate", "pass_name", "run"]
