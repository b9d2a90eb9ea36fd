"""Takes signs to where they cost nothing: `n = -v; g[i] += n * a; g[j] += n * b` becomes
`g[i] -= v * a; g[j] -= v * b`.

Runs once, behind the passes that tidy up: these put the sign on the smallest factor, where it is
shared. A negative value disappears if every reader of it but one can take the sign; the last one
then has it to itself. Otherwise it stays.
"""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Assign, Block, Function, Statement, Var
from s2s_ad.operations import catalogue
from s2s_ad.operations.indexing import ADDITEM
from s2s_ad.passes.remove_dead_code import remove_dead_code
from s2s_ad.rewrite import Builder, Names, all_statements, count_uses, map_statement, with_body
from s2s_ad.types import Sizes, is_complex, is_float

NEGATIVE, PRODUCTS = "-x", ("*", "/", "@", "numpy.vdot", "numpy.outer")


def turn_signs(function: Function) -> Function:
    """The function without such negative values; itself where there are none."""
    turner = _Turner(function)
    if not turner.turned:
        return function
    return remove_dead_code(with_body(function, turner.block(function.body)))


class _Turner:
    def __init__(self, function: Function) -> None:
        sizes = Sizes.knowing(function.assumptions, 8_000_000)
        self.builder = Builder(Names.of(function), sizes)
        self.uses = count_uses(function.body)
        self.made: dict[Var, Assign] = {}
        self.turned: dict[int, Var] = {}  # what updates add, and the negative value in front
        self.find([one for one in all_statements(function.body) if isinstance(one, Assign)])

    def find(self, statements: Sequence[Assign]) -> None:
        for statement in statements:
            if statement.role != "primal" and len(statement.targets) == 1:
                self.made[statement.target] = statement
        taken: dict[Var, list[int]] = {}
        for statement in statements:
            negative = self.negative_of(statement)
            if negative is not None:
                taken.setdefault(negative, []).append(id(statement))
        for negative, readers in taken.items():
            if len(readers) >= self.uses[negative] - 1 > 0:
                self.turned.update(dict.fromkeys(readers, negative))

    def negative_of(self, statement: Assign) -> Var | None:
        """The negative value that leads the product which an update adds."""
        value = statement.operands[2] if statement.op is ADDITEM else None
        product = self.made.get(value) if isinstance(value, Var) else None
        if product is None or product.op.name not in PRODUCTS or self.uses[product.target] > 1:
            return None
        first = product.operands[0]
        made = self.made.get(first) if isinstance(first, Var) else None
        if made is None or made.op.name != NEGATIVE or not isinstance(first, Var):
            return None
        return first if is_float(first.type) and not is_complex(first.type) else None

    def block(self, block: Block) -> Block:
        with self.builder.inside() as statements:
            for statement in block.statements:
                statements.append(self.statement(statement))
        return Block(block.parameters, tuple(statements), block.results)

    def statement(self, statement: Statement) -> Statement:
        if not isinstance(statement, Assign):
            return map_statement(statement, lambda atom: atom, lambda var: var, self.block)
        negative = self.turned.get(id(statement))
        if negative is None:
            return statement
        base, index, value = statement.operands
        assert isinstance(value, Var)
        product = self.made[value]
        self.builder.span, self.builder.role = product.span, product.role
        positive = self.builder.assign(
            product.op, self.made[negative].operands[0], *product.operands[1:]
        )
        opposite = self.builder.assign(catalogue().operations[NEGATIVE], positive)
        operands = (base, index, opposite)
        return Assign(statement.targets, statement.op, operands, statement.span, statement.role)


__all__ = ["turn_signs"]
