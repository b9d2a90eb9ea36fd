"""Sums of outer products over the trips of a reverse loop become one product behind it.

`grad_W += np.outer(g, h)` in every trip forms a matrix to add it. Where `h` is a row of an array
from outside of the loop, a tape or the user's data, the vectors `g` are written to rows as well,
and `grad_W += g_rows.T @ h_rows` behind the loop adds up the same in another order. Likewise a
number times a row (`numbers @ rows`), and the plain sum of vectors that are written to rows anyway.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from s2s_ad.ir import Assign, Atom, Block, Const, For, Function, Statement, Var
from s2s_ad.operations import catalogue
from s2s_ad.operations.indexing import SETITEM, SLICE, TUPLE
from s2s_ad.operations.support import RANGE_LENGTH
from s2s_ad.passes.activity import carried_of
from s2s_ad.passes.sizes import can_compute, compute, is_natural
from s2s_ad.rewrite import (
    Builder,
    Names,
    all_variables,
    count_uses,
    definitions,
    map_statement,
    with_body,
)
from s2s_ad.types import DTYPES, Array, Number, Sizes, dtype_of, shape_of


def gather_sums(function: Function) -> Function:
    """The function with such sums behind their loops; itself where there are none."""
    gatherer = _Gatherer(function)
    body = gatherer.block(function.body)
    return with_body(function, body) if gatherer.changed else function


@dataclass(frozen=True)
class Row:
    """An operand that is `source[index + offset]`, of an array from outside of the loop."""

    source: Var
    offset: int


@dataclass(frozen=True)
class Term:
    """What each trip adds to a carried value (`sign` 1) or takes from it: one value, or a product
    of two, of numbers and vectors.
    """

    statement: Assign  # the sum
    value: Var
    factors: tuple[Var, ...]
    sign: int


class _Gatherer:
    def __init__(self, function: Function) -> None:
        sizes = Sizes.knowing(function.assumptions, 7_000_000)
        self.builder = Builder(Names.of(function), sizes, role="adjoint")
        self.parameters = function.body.parameters
        self.made = definitions(function.body)
        self.changed = False

    def block(self, block: Block) -> Block:
        with self.builder.inside() as statements:
            for statement in block.statements:
                self.statement(statement)
        return replace(block, statements=tuple(statements))

    def statement(self, statement: Statement) -> None:
        if not isinstance(statement, Assign):
            statement = map_statement(statement, lambda atom: atom, lambda var: var, self.block)
        if isinstance(statement, For) and statement.undoes and not statement.stops:
            sums = _Sums(statement, self.made, self.parameters)
            found = sums.found()
            if found:
                self.gather(statement, sums, found)
                return
        self.builder.statements.append(statement)

    def gather(self, loop: For, sums: _Sums, found: dict[int, list[Term]]) -> None:
        """Append the loop without the sums, and behind it the products."""
        self.changed = True
        builder = self.builder
        builder.span = loop.span
        count = self.count(loop, sums)
        kept = sums.kept([term for terms in found.values() for term in terms])
        tapes = {var: self.tape(var, count) for var in kept}
        names = builder.names
        own = {var: names.fresh(tape.name, tape.type) for var, tape in tapes.items()}
        behind = {var: names.fresh(tape.name, tape.type) for var, tape in tapes.items()}
        gathered = {id(term.statement): term for terms in found.values() for term in terms}
        body = self.body(loop, sums, own, gathered)
        targets = list(loop.targets)
        for slot in found:
            targets[slot] = names.fresh(targets[slot].name, targets[slot].type)
        builder.statements.append(
            replace(
                loop,
                targets=(*targets, *behind.values()),
                initial=(*loop.initial, *tapes.values()),
                body=body,
            )
        )
        operations = catalogue().operations
        for slot, terms in found.items():
            total: Var = targets[slot]
            for term in terms:
                builder.span = term.statement.span
                rows = [self.rows(sums, factor, behind, count) for factor in term.factors]
                value = self.product(term, rows)
                total = builder.assign(operations["+" if term.sign > 0 else "-"], total, value)
            last = builder.statements.pop()
            assert isinstance(last, Assign)
            builder.statements.append(replace(last, targets=(loop.targets[slot],)))

    def body(
        self, loop: For, sums: _Sums, tapes: dict[Var, Var], gathered: dict[int, Term]
    ) -> Block:
        """The body of the loop with rows written instead of sums made."""
        instead: dict[Atom, Atom] = {}
        written: dict[Var, Var] = {}

        def resolve(atom: Atom) -> Atom:
            while atom in instead:
                atom = instead[atom]
            return atom

        with self.builder.inside() as statements:
            for statement in loop.body.statements:
                term = gathered.get(id(statement))
                if term is not None:
                    accumulator = next(o for o in term.statement.operands if o != term.value)
                    instead[term.statement.target] = accumulator
                    continue
                if isinstance(statement, Assign):
                    operands = tuple(map(resolve, statement.operands))
                    statement = replace(statement, operands=operands)
                self.builder.statements.append(statement)
                for target in statement.targets:
                    if target in tapes:
                        self.builder.span = statement.span
                        index = self.shifted(loop.body.parameters[0], -sums.first)
                        tape = tapes[target]
                        written[target] = self.builder.assign(
                            SETITEM, tape, index, target, name=tape.name
                        )
        results = (*map(resolve, loop.body.results), *(written[var] for var in tapes))
        return Block((*loop.body.parameters, *tapes.values()), tuple(statements), results)

    def shifted(self, atom: Atom, by: int) -> Atom:
        """The sum of an integer and a number."""
        if by == 0:
            return atom
        if isinstance(atom, Const):
            return Const(atom.value + by)
        operations = catalogue().operations
        made = self.made.get(atom)
        if made is not None and by == 1 and made.op.name == "-" and made.operands[1] == Const(1):
            return made.operands[0]
        return self.builder.assign(operations["+" if by > 0 else "-"], atom, Const(abs(by)))

    def count(self, loop: For, sums: _Sums) -> Atom:
        """How many trips there are."""
        start, stop, step = loop.trip
        end = self.shifted(start, 1) if step == Const(-1) else stop
        if sums.first == 0 and is_natural(end):
            return end
        return self.builder.assign(RANGE_LENGTH, Const(sums.first), end, Const(1))

    def tape(self, var: Var, count: Atom) -> Var:
        """Memory for a row a trip."""
        shape: Atom = count
        sizes = shape_of(var.type) or ()
        if sizes:
            known = [compute(self.builder.assign, size, self.parameters) for size in sizes]
            shape = self.builder.assign(TUPLE, count, *known)
        name = DTYPES[dtype_of(var.type)]
        dtype = Const(None) if name == "float64" else Const(name, f"numpy.{name}")
        empty = catalogue().operations["numpy.empty"]
        return self.builder.assign(empty, shape, dtype, name=f"rows_{var.name}")

    def rows(self, sums: _Sums, factor: Var, tapes: dict[Var, Var], count: Atom) -> Var:
        """A factor in all trips, as rows."""
        if factor in tapes:
            return tapes[factor]
        row = sums.row(factor)
        assert row is not None
        first = sums.first + row.offset
        length = (shape_of(row.source.type) or (None,))[0]
        if first == 0 and isinstance(count.type, Number) and count.type.value == length:
            return row.source
        end: Atom = count
        if first:
            end = self.builder.assign(catalogue().operations["+"], count, Const(first))
        start = Const(first) if first else Const(None)
        part = self.builder.assign(SLICE, start, end, Const(None))
        return self.builder.assign(catalogue().operations["getitem"], row.source, part)

    def product(self, term: Term, rows: list[Var]) -> Var:
        """The sum of a term over the trips."""
        operations = catalogue().operations
        if len(rows) == 1:
            return self.builder.assign(operations["numpy.sum"], rows[0], Const(0), Const(False))
        left, right = rows
        if shape_of(term.factors[0].type):
            left = self.builder.assign(operations["ndarray.T"], left)
        return self.builder.assign(operations["@"], left, right)


class _Sums:
    """What a reverse loop adds up that can be gathered."""

    def __init__(self, loop: For, made: dict[Var, Assign], parameters: tuple[Var, ...]) -> None:
        self.loop, self.made, self.parameters = loop, made, parameters
        self.uses = count_uses(loop.body)
        self.inside = set(all_variables(loop.body))
        self.own = {target for s in loop.body.statements for target in s.targets}
        start, stop, step = loop.trip
        lowest = stop if step == Const(-1) else start
        self.first = -1  # the lowest index, if it is known
        if isinstance(lowest, Const) and step in (Const(1), Const(-1)):
            self.first = lowest.value + 1 if step == Const(-1) else lowest.value

    def found(self) -> dict[int, list[Term]]:
        """For each carried value the terms that can be gathered."""
        if self.first < 0:
            return {}
        terms = {slot: self.terms(slot) for slot in range(len(self.loop.targets))}
        products = [
            term for every in terms.values() for term in every if self.is_gathered_product(term)
        ]
        kept = self.kept(products)
        taken = {id(term) for term in products}
        found = {}
        for slot, every in terms.items():
            chosen = [
                term
                for term in every
                if id(term) in taken or (len(term.factors) == 1 and term.value in kept)
            ]
            if chosen:
                found[slot] = chosen
        return found

    def kept(self, terms: list[Term]) -> list[Var]:
        """The factors that have to be written to rows."""
        factors = (factor for term in terms for factor in term.factors)
        return list(dict.fromkeys(factor for factor in factors if self.row(factor) is None))

    def terms(self, slot: int) -> list[Term]:
        """What a trip adds to a carried array, if it does nothing else with it."""
        _, _, parameter, following = carried_of(self.loop)[slot]
        if not isinstance(parameter.type, Array) or not shape_of(parameter.type):
            return []
        terms: list[Term] = []
        current = following
        while current != parameter:
            term = self.term(current) if self.uses.get(current, 0) == 1 else None  # type: ignore[arg-type]
            if term is None:
                return []
            terms.append(term)
            current = next(o for o in term.statement.operands if o != term.value)
        return terms if self.uses.get(parameter, 0) == 1 else []

    def term(self, total: Atom) -> Term | None:
        made = self.made.get(total) if total in self.own and isinstance(total, Var) else None
        if made is None or made.op.name not in ("+", "-") or made.role != "adjoint":
            return None
        left, right = made.operands
        if left == right or left.type != made.target.type or right.type != made.target.type:
            return None
        if made.op.name == "+" and self.is_accumulator(right) and not self.is_accumulator(left):
            left, right = right, left
        if not self.is_accumulator(left) or not isinstance(right, Var):
            return None
        return Term(made, right, self.factors(right), 1 if made.op.name == "+" else -1)

    def is_accumulator(self, atom: Atom) -> bool:
        """Whether an atom is a carried value, or a sum that may lead to one."""
        if atom in self.loop.body.parameters:
            return True
        made = self.made.get(atom) if isinstance(atom, Var) and atom in self.own else None
        return (
            made is not None
            and any(map(self.is_accumulator, made.operands[:1]))
            and (made.op.name in ("+", "-"))
        )

    def factors(self, value: Var) -> tuple[Var, ...]:
        """The two factors of a product, the number first; or the value by itself."""
        made = self.made.get(value) if value in self.own else None
        if made is not None and len(made.operands) == 2 and self.uses.get(value) == 1:
            left, right = made.operands
            ranks = [len(shape_of(o.type) or ()) for o in made.operands]
            if isinstance(left, Var) and isinstance(right, Var) and left != right:
                if made.op.name == "numpy.outer" and ranks == [1, 1]:
                    return left, right
                if made.op.name == "*" and ranks == [0, 1]:
                    return left, right
                if made.op.name == "*" and ranks == [1, 0]:
                    return right, left
        return (value,)

    def is_gathered_product(self, term: Term) -> bool:
        """Whether one factor is a row of what is there, and the other one can be kept as a row."""
        if len(term.factors) != 2:
            return False
        rows = [self.row(factor) is not None for factor in term.factors]
        return any(rows) and all(
            known or self.can_keep(factor) for known, factor in zip(rows, term.factors, strict=True)
        )

    def can_keep(self, factor: Var) -> bool:
        shape = shape_of(factor.type)
        return (
            factor in self.own
            and shape is not None
            and dtype_of(factor.type) == "f64"
            and all(can_compute(size, self.parameters) for size in shape)
        )

    def row(self, factor: Var) -> Row | None:
        """Where a factor is read from, if that is an array of such rows."""
        made = self.made.get(factor) if factor in self.own else None
        if made is None or made.op.name != "getitem":
            return None
        source, index = made.operands
        offset = self.offset(index)
        rank = len(shape_of(source.type) or ())
        if (
            not isinstance(source, Var)
            or source in self.inside
            or offset is None
            or rank != len(shape_of(factor.type) or ()) + 1
            or dtype_of(source.type) != "f64"
            or self.first + offset < 0
        ):
            return None
        return Row(source, offset)

    def offset(self, index: Atom) -> int | None:
        """What is added to the loop's index, if nothing else happens to it."""
        counter = self.loop.body.parameters[0]
        if index == counter:
            return 0
        made = self.made.get(index) if isinstance(index, Var) else None
        if made is None or made.op.name not in ("+", "-") or made.operands[0] != counter:
            return None
        by = made.operands[1]
        if not isinstance(by, Const) or not isinstance(by.value, int):
            return None
        return by.value if made.op.name == "+" else -by.value


__all__ = ["gather_sums"]
