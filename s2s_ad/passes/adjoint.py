"""Reverse mode on the Wengert list: from a function to its gradient, statement by statement in
reverse order.

What comes in: a well-formed function, the variables to differentiate with respect to, and what to
seed. What goes out: the primal's statements, then the adjoint's (`role="adjoint"`), each with the
span of the statement it undoes. Values of the primal that an adjoint reads are `recall`ed;
`save_values` decides how. `grad_x` is the derivative of the result with respect to x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from s2s_ad.diagnostics import refusal
from s2s_ad.ir import Atom, Block, Formal, Function, Structure, Tree, Var, leaves, tuple_of
from s2s_ad.passes.activity import active_variables
from s2s_ad.passes.calls import Derivatives, call_forward
from s2s_ad.passes.cancelling_shifts import cancelling_shifts
from s2s_ad.passes.custom import keep_residuals, put_forward
from s2s_ad.passes.label_loops import label_loops
from s2s_ad.passes.sweep import Sweep
from s2s_ad.rewrite import Names, formal_variables, map_tree
from s2s_ad.types import is_float, rank_of


@dataclass(frozen=True)
class Request:
    """What derivative is asked for: `wrt` are names of formals; `bare` says that one name gives one
    result, no tuple.
    """

    wrt: tuple[str, ...]
    bare: bool
    with_value: bool = False
    has_aux: bool = False
    seeded: bool = False  # take the output's adjoint as a parameter (vjp) instead of 1.0
    checkpoint: int | str = ""  # how many snapshots loops may keep, or "bisection"; "": tapes
    trap_nan: bool = False  # stop at the first adjoint that is not finite


def adjoint(
    function: Function, request: Request, name: str, derivatives: Derivatives | None = None
) -> Function:
    """The gradient (or, seeded, the vector-Jacobian product) of `function`, under another name.

    Raises DifferentiationError for an integer argument, a result that is no scalar, or an operation
    without a rule.
    """
    wrt = [formal for formal in function.formals if formal.name in request.wrt]
    wrt.sort(key=lambda formal: request.wrt.index(formal.name))
    sources = differentiable_leaves(wrt, function)
    value, aux = split_aux(function, request.has_aux)
    active = active_variables(function.body, sources)
    function, trips = label_loops(function, active)
    active |= active_variables(function.body, sources)
    active -= cancelling_shifts(function.body)
    derivatives = derivatives or Derivatives()
    function, halves = call_forward(function, active, derivatives)
    function = keep_residuals(function, active, Names.of(function))
    sweep = Sweep(
        function, active, trips, halves, derivatives, request.checkpoint, request.trap_nan
    )
    seeds: list[Formal] = []
    if request.seeded:
        seeds = [sweep.seed_parameter(value)]
    else:
        sweep.seed_one(_scalar_result(function, value), name)
    sweep.reverse(function.body)
    grads = tuple(map_tree(formal.tree, sweep.gradient) for formal in wrt)
    output: Tree = grads[0] if request.bare else tuple_of(grads)
    if request.with_value:
        output = _pair(value if aux is None else _pair(value, aux), output)
    elif aux is not None:
        output = _pair(output, aux)
    forward = put_forward(function, sweep.forward_builder())
    statements = (*forward.body.statements, *sweep.builder.statements)
    formals = (*function.formals, *seeds)
    body = Block(formal_variables(formals), statements, tuple(leaves(output)))
    return replace(function, name=name, formals=formals, body=body, output=output)


def _pair(left: Tree, right: Tree) -> Structure:
    return Structure("tuple", (0, 1), (left, right))


def differentiable_leaves(wrt: Sequence[Formal], function: Function) -> list[Var]:
    """The float leaves of the arguments to differentiate. An argument without any is refused."""
    sources = []
    for formal in wrt:
        floats = [
            leaf for leaf in leaves(formal.tree) if isinstance(leaf, Var) and is_float(leaf.type)
        ]
        if not floats:
            kinds = ", ".join(str(leaf.type) for leaf in leaves(formal.tree)) or "empty"
            raise refusal(
                "integer-argument",
                f"`{formal.name}` is {kinds}: a derivative needs floats",
                function.span,
                f"pass a float (`3.0`, not `3`) or an array of floats as `{formal.name}`",
            )
        sources += floats
    return sources


def split_aux(function: Function, has_aux: bool) -> tuple[Tree, Tree | None]:
    """The result to differentiate, and with `has_aux` what is returned beside it."""
    if not has_aux:
        return function.output, None
    output = function.output
    if not (isinstance(output, Structure) and output.kind == "tuple" and len(output.items) == 2):
        raise refusal(
            "bad-aux",
            f"with has_aux, `{function.name}` has to return a pair (value, aux)",
            function.span,
            "return a tuple of two, or leave has_aux out",
        )
    return output.items[0], output.items[1]


def _scalar_result(function: Function, value: Tree) -> Atom:
    if (
        isinstance(value, Structure)
        or not is_float(value.type)
        or rank_of(value.type) not in (0, None)
    ):
        found = (
            "several values" if isinstance(value, Structure) else f"a value of type {value.type}"
        )
        raise refusal(
            "not-a-scalar",
            f"a gradient needs one float as result, but `{function.name}` returns {found}",
            function.span,
            "reduce it (`np.sum`), or use `vjp` or `jacobian`",
        )
    return value


__all__ = ["Request", "adjoint", "differentiable_leaves", "split_aux"]
