"""Decides how the reverse sweep gets the values it `recall`s.

In straight-line code every value of the forward sweep is still there, so a recall is the value
itself. Loops and branches will choose here between recomputing, a tape, and an undone write.
"""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Block, Function, Var
from s2s_ad.operations.support import RECALL
from s2s_ad.passes.propagate_copies import prefers_name
from s2s_ad.rewrite import Names, rename_variables, substitute, with_body


def save_values(function: Function) -> Function:
    """Replace every `recall` of a value that is still there by the value."""
    values: dict[Var, Atom] = {}
    better: dict[Var, Var] = {}
    names = Names.of(function)
    kept = []
    for statement in function.body.statements:
        if isinstance(statement, Assign) and statement.op is RECALL:
            source = statement.operands[0]
            values[statement.target] = source
            if prefers_name(source, statement.target) and source not in better:
                assert isinstance(source, Var)
                better[source] = names.fresh(statement.target.name, source.type)
        else:
            kept.append(statement)
    body = Block(function.body.parameters, tuple(kept), function.body.results)
    return rename_variables(with_body(function, substitute(body, values)), better)
