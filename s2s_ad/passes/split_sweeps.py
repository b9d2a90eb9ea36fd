"""Cuts a seeded adjoint in two: a function that runs forward and keeps values, and one that runs
backward on them.

Forward goes what the value needs; everything else runs backward, when the adjoint of the value is
there. What crosses is `saved`. Saved arrays are copied where they belong to the caller, who may
change them in between.
"""

from __future__ import annotations

from dataclasses import replace

from s2s_ad.ir import (
    Block,
    Const,
    Formal,
    Function,
    Statement,
    Structure,
    Tree,
    Var,
    blocks_of,
    leaves,
    operands_of,
    path_to_record,
    record_type,
    records_in,
)
from s2s_ad.passes.activity import free_variables
from s2s_ad.passes.remove_dead_code import has_effects
from s2s_ad.passes.undefined import nothing_for_undefined
from s2s_ad.rewrite import formal_variables


def split_sweeps(function: Function, primal: Function) -> list[Function]:
    """`forward_f(...) -> (value, saved)` and `reverse_f(saved, grad_out) -> gradients`."""
    assert isinstance(function.output, Structure)
    value, gradients = function.output.items
    seeds = function.formals[len(primal.formals) :]
    forward, reverse = _split(function.body.statements, value)
    saved = _crossing(function, forward, reverse, gradients, seeds)
    forward = nothing_for_undefined(forward, saved)
    classes = {record_type(record): record for record in records_in(gradients)}
    made = [path_to_record(primal.formals, record) for record in classes.values()]
    given = (*saved, *(Const(None, f"type({path})") for path in made))
    places = tuple(range(len(given)))
    outward = Structure("tuple", (0, 1), (value, Structure("tuple", places, given)))
    kept = Structure("tuple", places, (*saved, *classes))
    parameters = tuple(
        leaf for formal in primal.formals for leaf in leaves(formal.tree) if isinstance(leaf, Var)
    )
    forward_function = replace(
        function,
        name=f"forward_{primal.name}",
        formals=primal.formals,
        body=Block(parameters, forward, tuple(leaves(outward))),
        output=outward,
    )
    formals = (Formal("saved", kept), *seeds)
    reverse_function = replace(
        function,
        name=f"reverse_{primal.name}",
        formals=formals,
        body=Block(formal_variables(formals), reverse, tuple(leaves(gradients))),
        output=gradients,
        guarded=False,
    )
    return [forward_function, reverse_function]


def _split(
    statements: tuple[Statement, ...], value: Tree
) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    needed = {leaf for leaf in leaves(value) if isinstance(leaf, Var)}
    forward: list[Statement] = []
    reverse: list[Statement] = []
    for statement in reversed(statements):
        acts = statement.role == "primal" and has_effects(statement)  # others check adjoints
        if acts or any(target in needed for target in statement.targets):
            forward.insert(0, statement)
            needed |= _read_by(statement)
        else:
            reverse.insert(0, statement)
    return tuple(forward), tuple(reverse)


def _read_by(statement: Statement) -> set[Var]:
    """What a statement reads, its blocks included."""
    return {
        *(atom for atom in operands_of(statement) if isinstance(atom, Var)),
        *free_variables(blocks_of(statement)),
    }


def _crossing(
    function: Function,
    forward: tuple[Statement, ...],
    reverse: tuple[Statement, ...],
    gradients: Tree,
    seeds: tuple[Formal, ...],
) -> tuple[Var, ...]:
    """The variables that the reverse sweep reads and does not compute, in the order of their
    definition.
    """
    seeded = {leaf for formal in seeds for leaf in leaves(formal.tree)}
    read: set[object] = {*leaves(gradients)}.union(*map(_read_by, reverse))
    available = [
        *function.body.parameters,
        *(target for statement in forward for target in statement.targets),
    ]
    return tuple(var for var in available if var in read and var not in seeded)
