"""Products and quotients of adjoints: constants are joined, numbers are multiplied before arrays,
signs move out.

A chain of `*`, `/` and `-` with one reader each is taken apart into a coefficient, numerators and
denominators, and put together again from small to large, if that costs less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from s2s_ad.ir import Assign, Atom, Const
from s2s_ad.operations.support import RECALL
from s2s_ad.passes.algebra.context import Context, number
from s2s_ad.types import Array, Number, dtype_of, is_float, rank_of, scalar_like

AXIS_COST = 10
UNKNOWN_RANK = 3
CASTS = ("numpy.float32", "numpy.float16")  # beside an array of that type, no more than the number


@dataclass
class Product:
    """coefficient * numerators / denominators; `cost` is that of the statements it was taken
    from.
    """

    coefficient: float = 1.0
    numerators: list[Atom] = field(default_factory=list)
    denominators: list[Atom] = field(default_factory=list)
    cost: int = 0


def cost_of(value: Atom) -> int:
    """What an elementwise operation costs whose result is like the value: more with each axis."""
    if not isinstance(value.type, Array):
        return 1
    rank = rank_of(value.type)
    return AXIS_COST * max(1, UNKNOWN_RANK if rank is None else rank)


def without_cast(context: Context, atom: Atom) -> Atom:
    """The Python number that a cast of the derivative's own is made of; what it is given else."""
    cast = context.defined_by(atom, *CASTS)
    if cast is None or cast.role == "primal" or not isinstance(cast.operands[0].type, Number):
        return atom
    return cast.operands[0]


def take_apart(context: Context, atom: Atom, product: Product, inverse: bool = False) -> None:
    """Collect the factors of an atom, as far as nobody else reads what it is made of."""
    value = number(without_cast(context, atom))
    if value is not None and not (inverse and value == 0):
        product.coefficient = (
            product.coefficient / value if inverse else product.coefficient * value
        )
        return
    found = context.defined_by(atom, "*", "/", "-x")
    is_free = found is not None and _is_scaled_number(found)
    own = found is not None and found.role != "primal" and context.is_single(atom)
    if found is None or not (own or is_free):
        (product.denominators if inverse else product.numerators).append(atom)
        return
    # a number that stays for other readers costs nothing to look through
    product.cost += cost_of(found.target) if own else 0
    if found.op.name == "-x":
        product.coefficient = -product.coefficient
        take_apart(context, found.operands[0], product, inverse)
        return
    take_apart(context, found.operands[0], product, inverse)
    take_apart(context, found.operands[1], product, inverse != (found.op.name == "/"))


def _is_scaled_number(found: Assign) -> bool:
    """A number times a constant, such as 0.5 * lam in the primal."""
    factors = found.operands[1:] if found.op.name == "/" else found.operands
    constants = any(number(operand) is not None for operand in factors)
    return constants and scalar_like(found.target.type) and is_float(found.target.type)


def factors_of(context: Context, atom: Atom) -> Product:
    product = Product()
    take_apart(context, atom, product)
    return product


def factors_of_product(context: Context, statement: Assign) -> Product:
    """The factors of a product, a quotient or a negative."""
    product = Product(cost=cost_of(statement.target))
    if statement.op.name == "-x":
        product.coefficient = -1.0
    take_apart(context, statement.operands[0], product)
    for other in statement.operands[1:]:
        take_apart(context, other, product, inverse=statement.op.name == "/")
    return product


def _size_order(atom: Atom) -> int:
    rank = rank_of(atom.type)
    return 99 if rank is None else rank


def put_together(context: Context, product: Product) -> Atom:
    """Statements for a product, numbers first, then arrays by rank. The sign goes to the smallest
    part.
    """
    result: Atom | None = None
    coefficient = product.coefficient
    ranks = sorted({_size_order(atom) for atom in (*product.numerators, *product.denominators)})
    negate = coefficient == -1.0 and bool(product.numerators)
    if coefficient != 1.0 and not negate:
        result = Const(coefficient)
    # denominators that come before any numerator: x / n is one operation, 1.0 / n * x are two
    waiting: list[Atom] = []
    for rank in ranks:
        for atom in [atom for atom in product.numerators if _size_order(atom) == rank]:
            if negate:
                atom, negate = context.assign("-x", atom), False
            result = atom if result is None else context.assign("*", result, atom)
        waiting += [atom for atom in product.denominators if _size_order(atom) == rank]
        while waiting and result is not None:
            result = context.assign("/", result, waiting.pop(0))
    for atom in waiting:
        result = context.assign("/", Const(coefficient) if result is None else result, atom)
    return Const(coefficient) if result is None else result


def may_reorder(product: Product, result: Atom) -> bool:
    """Whether the factors may be multiplied in any order: all are numbers or of the result's dtype.

    Integers and booleans would be multiplied or added in their own dtype, where they overflow.
    """
    wanted = dtype_of(result.type)
    return wanted.startswith("f") and all(
        isinstance(atom.type, Number) or dtype_of(atom.type) == wanted
        for atom in (*product.numerators, *product.denominators)
    )


def cost_together(product: Product) -> int:
    """What `put_together` will cost, without appending anything."""
    cost = 0
    started = product.coefficient not in (1.0, -1.0) or not product.numerators
    waiting = 0
    ordered = [
        (_size_order(atom), kind, atom)
        for kind, atoms in enumerate((product.numerators, product.denominators))
        for atom in atoms
    ]
    for _, kind, atom in sorted(ordered, key=lambda entry: entry[:2]):
        if started:
            cost += cost_of(atom)
        elif kind == 1:
            waiting += 1
        else:
            started = True
            cost += waiting * cost_of(atom)
    if product.coefficient == -1.0 and product.numerators:
        smallest = min((*product.numerators,), key=_size_order)
        cost += cost_of(smallest)
    return cost


def simplify_product(context: Context, statement: Assign) -> Atom | None:
    product = factors_of_product(context, statement)
    if not may_reorder(product, statement.target):
        return None
    changed = use_logistic_output(context, product)
    for atom in list(product.denominators):
        if atom in product.numerators:
            product.numerators.remove(atom)
            product.denominators.remove(atom)
            changed = changed or bool(product.numerators)
    if not changed and cost_together(product) >= product.cost:
        return None
    return put_together(context, product)


def use_logistic_output(context: Context, product: Product) -> bool:
    """e / (1 + e) is 1 - y where y = 1 / (1 + e) is at hand: the derivative of a sigmoid by its
    output.

    Where y rounds to 1, `1 - y` loses the relative accuracy that `e / (1 + e)` has; the absolute
    error is one ulp of y.
    """
    for output in product.numerators:
        made = context.defined_by(context.recalled(output), "/")
        if made is None or number(made.operands[0]) != 1:
            continue
        total = context.defined_by(made.operands[1], "+")
        if total is None or not any(number(atom) == 1 for atom in total.operands):
            continue
        below = _first(context, product.denominators, made.operands[1:])
        above = _first(context, product.numerators, total.operands)
        if below is not None and above is not None:
            product.numerators.remove(above)
            product.denominators.remove(below)
            product.numerators.append(_one_minus(context, output))
            return True
    return False


def _first(context: Context, factors: Sequence[Atom], wanted: Sequence[Atom]) -> Atom | None:
    """The first of the factors that is one of the wanted values, or that value recalled."""
    return next((factor for factor in factors if context.recalled(factor) in wanted), None)


def _one_minus(context: Context, output: Atom) -> Atom:
    """1 - y, as it has been computed or from the start."""
    known = context.computed("-", Const(1.0), output)
    if known is None:
        computed = context.computed("-", Const(1.0), context.recalled(output))
        known = context.computed(RECALL.name, computed) if computed is not None else None
    return known or context.assign("-", Const(1.0), output)


def multiply_by_one(context: Context, statement: Assign) -> Atom | None:
    """x * 1.0, 1.0 * x, x / 1.0: exact.

    In the primal not of parameters and views: the product may lie in memory in another way, in
    which a product of matrices has another last bit.
    """
    left, right = statement.operands
    found = left if number(right) == 1 else None
    if statement.op.name == "*" and number(left) == 1:
        found = right
    if statement.role == "primal" and isinstance(statement.target.type, Array):
        made = context.definition(found) if found is not None else None
        if made is None or made.op.view_of or made.op.update:
            return None
    return found


def multiply_by_minus_one(context: Context, statement: Assign) -> Atom | None:
    """x * -1.0 is -x: exact."""
    left, right = statement.operands
    if number(right) == -1:
        return context.assign("-x", left)
    is_product = statement.op.name == "*"
    return context.assign("-x", right) if is_product and number(left) == -1 else None


def negate_twice(context: Context, statement: Assign) -> Atom | None:
    inner = context.defined_by(statement.operands[0], "-x")
    return inner.operands[0] if inner is not None else None


def negate_constant(context: Context, statement: Assign) -> Atom | None:
    value = number(statement.operands[0])
    return None if value is None else Const(-value)


REWRITINGS = [
    (("*", "/"), multiply_by_one, True),
    (("*", "/"), multiply_by_minus_one, True),
    (("-x",), negate_twice, True),
    (("-x",), negate_constant, False),
    (("*", "/", "-x"), simplify_product, False),
]
