"""Sums of adjoints: constants are folded, a sign becomes a difference, a common factor is taken
out.
"""

from __future__ import annotations

import operator

from s2s_ad.ir import Assign, Atom, Const
from s2s_ad.passes.algebra.context import Context, number
from s2s_ad.passes.algebra.products import (
    Product,
    cost_of,
    cost_together,
    factors_of,
    may_reorder,
    put_together,
    take_apart,
    use_logistic_output,
)
from s2s_ad.types import Array

OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}


def fold_constants(context: Context, statement: Assign) -> Atom | None:
    """Arithmetic on two numbers that are known."""
    left, right = (number(atom) for atom in statement.operands)
    if left is None or right is None:
        return None
    try:
        value = OPERATORS[statement.op.name](left, right)
    except (ArithmeticError, ValueError):
        return None
    return Const(value) if isinstance(value, int | float) else None


def subtract_negative(context: Context, statement: Assign) -> Atom | None:
    """a + (-b) is a - b, (-a) + b is b - a, a - (-b) is a + b; also where the sign is inside a
    product.
    """
    left, right = statement.operands
    opposite = {"+": "-", "-": "+"}[statement.op.name]
    positive = without_sign(context, right)
    if positive is not None:
        return context.assign(opposite, left, positive)
    if statement.op.name == "+":
        positive = without_sign(context, left)
        if positive is not None:
            return context.assign("-", right, positive)
    return None


def without_sign(context: Context, atom: Atom) -> Atom | None:
    """The negative of a value that carries a sign which is free to take away."""
    value = number(atom)
    if value is not None:
        return Const(-value) if value < 0 else None
    found = context.defined_by(atom, "-x", "*", "/")
    if found is None or found.role == "primal":
        return None
    if found.op.name == "-x":
        return found.operands[0]
    if not context.is_single(atom):
        return None
    for place, operand in enumerate(found.operands):
        # only leading factors are looked at: a sign is put on the smallest one, which stands first
        positive = without_sign(context, operand)
        if positive is not None:
            rest = [positive if k == place else other for k, other in enumerate(found.operands)]
            if found.op.name == "*" and number(rest[0]) == 1:
                return rest[1]
            return context.assign(found.op, *rest)
    return None


def add_to_itself(context: Context, statement: Assign) -> Atom | None:
    left, right = statement.operands
    return context.assign("*", Const(2.0), left) if left == right else None


def take_out_factor(context: Context, statement: Assign) -> Atom | None:
    """g * a + g * b is g * (a + b), if that saves work."""
    return _factored(context, statement, *statement.operands)


def join_terms(context: Context, statement: Assign) -> Atom | None:
    """(x + g * a) + g * b is x + g * (a + b), and (x + a) + a is x + 2 * a."""
    first, last = statement.operands
    made = context.defined_by(first, "+")
    if made is None or made.role == "primal" or not context.is_single(first):
        return None
    for rest, term in (made.operands, made.operands[::-1]):
        if any(atom.type != statement.target.type for atom in (rest, term, last)):
            continue
        if term == last and statement.op.name == "+":
            return context.assign("+", rest, context.assign("*", Const(2.0), term))
        joined = _factored(context, statement, term, last)
        if joined is not None and joined.type == statement.target.type:
            return context.assign("+", rest, joined)
    return None


def subtract_again(context: Context, statement: Assign) -> Atom | None:
    """x - a - a is x - 2 * a, where that is nothing to compute: a is half of something."""
    first, last = statement.operands
    made = context.defined_by(first, "-")
    if made is None or not context.is_single(first) or made.operands[1] != last:
        return None
    if made.operands[0].type != statement.target.type:
        return None
    twice = factors_of(context, last)
    twice.coefficient *= 2.0
    if not may_reorder(twice, statement.target) or cost_together(twice) > 0:
        return None
    return context.assign("-", made.operands[0], put_together(context, twice))


def _factored(context: Context, statement: Assign, first: Atom, last: Atom) -> Atom | None:
    """A sum or difference of two terms with their common factor taken out."""
    left, right = (factors_of(context, operand) for operand in (first, last))
    before = left.cost + right.cost + cost_of(statement.target)
    common = shared(left.numerators, right.numerators)
    below = shared(left.denominators, right.denominators)
    if not (common or below) or left.cost == 0 or right.cost == 0:
        return None
    if not (may_reorder(left, statement.target) and may_reorder(right, statement.target)):
        return None
    for atom in common:
        left.numerators.remove(atom)
        right.numerators.remove(atom)
    for atom in below:
        left.denominators.remove(atom)
        right.denominators.remove(atom)
    after = cost_together(left) + cost_together(right) + _sum_cost(left, right)
    outer = Product(1.0, [*common], below)
    after += cost_together(outer) + cost_of(statement.target)
    if after >= before:
        return None
    total = context.assign(statement.op, put_together(context, left), put_together(context, right))
    outer.numerators.append(total)
    return put_together(context, outer)


def cancel_in_sum(context: Context, statement: Assign) -> Atom | None:
    """(a / p - b / q) * p * q is a * q - b * p, if that saves work."""
    if statement.target in context.factors and context.is_single(statement.target):
        return None
    product = Product(cost=cost_of(statement.target))
    take_apart(context, statement.operands[0], product)
    take_apart(context, statement.operands[1], product, inverse=statement.op.name == "/")
    if not may_reorder(product, statement.target):
        return None
    use_logistic_output(context, product)
    for total in product.numerators:
        made = context.defined_by(total, "+", "-")
        if made is None or made.role == "primal" or not context.is_single(total):
            continue
        terms = [factors_of(context, operand) for operand in made.operands]
        taken = [
            atom
            for atom in product.numerators
            if atom is not total and any(atom in term.denominators for term in terms)
        ]
        if not taken or not all(may_reorder(term, total) for term in terms):
            continue
        before = product.cost + cost_of(total) + sum(term.cost for term in terms)
        for atom in taken:
            product.numerators.remove(atom)
            for term in terms:
                _multiply(term, atom)
        after = cost_together(product) + cost_of(total) + sum(map(cost_together, terms))
        if after >= before:
            return None
        parts = [put_together(context, term) for term in terms]
        place = product.numerators.index(total)
        product.numerators[place] = context.assign(made.op, *parts)
        return put_together(context, product)
    return None


def _multiply(product: Product, atom: Atom) -> None:
    if atom in product.denominators:
        product.denominators.remove(atom)
    else:
        product.numerators.append(atom)


def shared(left: list[Atom], right: list[Atom]) -> list[Atom]:
    """The atoms in both lists, as often as in both."""
    remaining = list(right)
    found = []
    for atom in left:
        if atom in remaining:
            remaining.remove(atom)
            found.append(atom)
    return found


def _sum_cost(left: Product, right: Product) -> int:
    atoms = (*left.numerators, *left.denominators, *right.numerators, *right.denominators)
    return max((cost_of(atom) for atom in atoms), default=1)


def add_zero(context: Context, statement: Assign) -> Atom | None:
    """0.0 + x in code of adjoints: a zero adjoint is no contribution."""
    left, right = statement.operands
    if number(left) == 0 and statement.op.name == "+":
        return right
    return left if number(right) == 0 and not isinstance(right.type, Array) else None


REWRITINGS = [
    (("+", "-", "*", "/", "**"), fold_constants, False),
    (("+", "-"), add_zero, False),
    (("+", "-"), subtract_negative, False),
    (("+",), add_to_itself, False),
    (("+", "-"), take_out_factor, False),
    (("+", "-"), join_terms, False),
    (("-",), subtract_again, False),
    (("*", "/"), cancel_in_sum, False),
]
