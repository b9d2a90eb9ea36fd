"""Gives loops and branches the numbers by which the reverse sweep finds them again, and lets loops
that may end early count their trips.
"""

from __future__ import annotations

from dataclasses import replace

from s2s_ad.ir import Assign, Block, Const, For, Function, If, Statement, Var, While
from s2s_ad.operations import catalogue
from s2s_ad.rewrite import Names, map_statement, with_body
from s2s_ad.types import INT


def label_loops(function: Function, active: set[Var]) -> tuple[Function, dict[int, Var]]:
    """The function with labels, and for each active loop that counts its trips their number."""
    labeller = _Labeller(function, active)
    body = labeller.block(function.body)
    return with_body(function, body), labeller.trips


class _Labeller:
    def __init__(self, function: Function, active: set[Var]) -> None:
        self.names = Names.of(function)
        self.active = active
        self.trips: dict[int, Var] = {}
        self.count = 0

    def block(self, block: Block) -> Block:
        return Block(block.parameters, tuple(map(self.statement, block.statements)), block.results)

    def statement(self, statement: Statement) -> Statement:
        if isinstance(statement, Assign):
            return statement
        self.count += 1
        label = self.count
        inner = map_statement(statement, lambda atom: atom, lambda var: var, self.block)
        if isinstance(inner, If):
            return replace(inner, label=label, undoes=0)
        assert isinstance(inner, For | While)
        inner = replace(inner, label=label)
        if isinstance(inner, For):
            inner = replace(inner, undoes=0)
            if not inner.stops:
                return inner
        return self.counting(inner) if self.active.intersection(inner.targets) else inner

    def counting(self, loop: For | While) -> For | While:
        """The loop with one more carried value, the number of trips so far."""
        name = "trips"
        before, after, target = (self.names.fresh(name, INT) for _ in range(3))
        plus = catalogue().operations["+"]
        step = Assign((after,), plus, (before, Const(1)), loop.span, loop.role)
        self.trips[loop.label] = target
        body = loop.body
        stop = body.results[-1:] if loop.stops else ()
        carried = body.results[: len(loop.initial)]
        counted = Block(
            (*body.parameters, before), (*body.statements, step), (*carried, after, *stop)
        )
        loop = replace(
            loop, targets=(*loop.targets, target), initial=(*loop.initial, Const(0)), body=counted
        )
        if isinstance(loop, While):
            unused = self.names.fresh(name, INT)
            test = replace(loop.test, parameters=(*loop.test.parameters, unused))
            loop = replace(loop, test=test)
        return loop
