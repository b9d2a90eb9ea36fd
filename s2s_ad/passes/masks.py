"""Which values of the primal only feed one branch of a `where`: their adjoint is masked again.

The adjoint of `np.where(x > 0, np.sqrt(x), 0.0)` is 0 where x is 0, but the slope of the root is
infinite there, and 0 * inf is NaN. A chain of elementwise operations that leads to one branch and
nowhere else ends where its adjoint leaves it: there the test is applied once more, if something on
the way can turn a zero into a NaN.

The same holds for what leaves elements out: `nansum`, `np.triu`, and roots of matrices (distances,
say, whose diagonal is 0) that are written to, or of which only some elements are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from s2s_ad.ir import Assign, Atom, Block, Const, Statement, Var, blocks_of, operands_of
from s2s_ad.operations.custom import Custom
from s2s_ad.operations.support import IDENTITY
from s2s_ad.passes.activity import free_variables
from s2s_ad.rewrite import definitions
from s2s_ad.types import Number, rank_of, scalar_like, shape_of

# their adjoint is 0 for elements that they leave out
LEAVING_OUT = frozenset(
    {"numpy.triu", "numpy.tril"}
    | {f"numpy.nan{name}" for name in ("sum", "mean", "var", "std", "max", "min", "prod")}
)
PICKING = frozenset({"getitem", "setitem", "additem"})
# their slope is finite whatever the operands
HARMLESS = frozenset(
    {"+", "-", "-x", "+x", "numpy.add", "numpy.subtract", "numpy.negative", "numpy.where"}
)
# their value is finite everywhere: what their domains leave out are kinks
FINITE = frozenset(
    {"builtins.abs", "math.fabs", "math.atan2", "math.hypot", "math.copysign", "math.cbrt"}
    | {f"numpy.{name}" for name in ("abs", "absolute", "fabs", "hypot", "copysign", "cbrt")}
    | {f"numpy.{name}" for name in ("arctan2", "atan2", "heaviside", "clip", "where", "interp")}
)


@dataclass(frozen=True)
class Mask:
    """The test of a `where`, and whether the value is its first branch."""

    test: Var
    taken: bool

    @property
    def other(self) -> Mask:
        """The other branch."""
        return Mask(self.test, not self.taken)

    def fits(self, value: Atom) -> bool:
        """Whether the test has an element for each of the value's, or is one for all."""
        tested = shape_of(self.test.type)
        return tested is not None and tested in (shape_of(value.type), ())


MOVED = (Mask(Var("", Number("bool")), True),)
"""In place of masks: the adjoint tells which elements count."""


class Masks:
    """For each variable on such a chain, the masks.

    Where elements change places on the way, or a value is read for several branches, no
    test of a `where` says which elements count. The adjoint itself does: it is zero elsewhere.
    """

    def __init__(self, block: Block) -> None:
        self.block = block  # kept, so that no other one gets its identity
        self._inner: dict[int, Masks] = {}  # of the blocks of branches and loops
        self.uses = _readers(block)
        self.definitions = definitions(block)
        self.masks: dict[Var, tuple[Mask, ...]] = {}
        self.spoilt: set[Var] = set()  # whose adjoint may have become NaN
        self.spoiling: set[tuple[Var, Atom]] = set()  # result and operand of a step that may do it
        self.moved: set[Var] = set()  # on such a chain, but for the adjoint to tell what counts
        self.roots: set[Var] = set()  # of matrices, of which readers may leave elements out
        self._offers: dict[Atom, list[tuple[Mask, ...]]] = {}  # what each reader says
        self._offered_spoilt: set[Atom] = set()
        for statement in reversed(block.statements):
            if isinstance(statement, Assign):
                if statement.targets:
                    self._visit(statement)
            else:
                self._visit_blocks(statement)

    def of(self, block: Block) -> Masks:
        """The masks of a block within this one, which are known already; or of another."""
        return self._inner.get(id(block)) or Masks(block)

    def _visit_blocks(self, statement: Statement) -> None:
        """What branches and loops read for branches of `where` only has an adjoint that is zero for
        the elements that they leave out.
        """
        blocks, read = blocks_of(statement), operands_of(statement)
        inner = [Masks(block) for block in blocks]
        self._inner.update((id(masks.block), masks) for masks in inner)
        for operand in (*read, *free_variables(blocks)):
            self._move_root(operand)
            if (
                isinstance(operand, Var)
                and operand not in read
                and all(masks._agreed(operand) for masks in inner if operand in masks.uses)
            ):
                self._offers.setdefault(operand, []).append(MOVED)

    def _visit(self, statement: Assign) -> None:
        target = statement.target
        if statement.op.name in LEAVING_OUT:
            self._offers.setdefault(statement.operands[0], []).append(MOVED)
        elif statement.op.name in PICKING:
            self._move_root(statement.operands[0])
        masks = self._agreed(target)
        if masks and not works_by_element(statement):
            # an adjoint that may be NaN where it should be zero tells nothing
            masks = MOVED if statement.op.linear and target not in self._offered_spoilt else ()
        if masks == MOVED:
            self._move(statement)
            return
        if masks:
            self.masks[target] = masks
            if target in self._offered_spoilt:
                self.spoilt.add(target)
        if statement.op.name == "numpy.where":
            test, *branches = statement.operands
            for branch, taken in zip(branches, (True, False), strict=True):
                if isinstance(test, Var):
                    self._offer(statement, branch, (Mask(test, taken), *masks))
        elif masks:
            for operand in statement.operands:
                if self.spoils(statement, operand):
                    self.spoiling.add((target, operand))
                self._offer(statement, operand, masks)

    def _offer(self, statement: Assign, operand: Atom, masks: tuple[Mask, ...]) -> None:
        self._offers.setdefault(operand, []).append(masks)
        if self.is_spoilt(statement, operand) and not is_broadcast(statement, operand):
            self._offered_spoilt.add(operand)

    def _agreed(self, var: Var) -> tuple[Mask, ...]:
        """The masks of a value all of whose readers lead to the same branch; MOVED where they lead
        to several.
        """
        offers = self._offers.get(var, [])
        if not offers or len(offers) != self.uses.get(var, 0):
            return ()
        agreed = either(offers)
        return () if agreed == MOVED and var in self._offered_spoilt else agreed

    def _move(self, statement: Assign) -> None:
        """Go on behind an operation that moves elements about, or is read for several branches."""
        if not (statement.op.elementwise or statement.op.linear):
            return
        self.moved.add(statement.target)
        for operand in statement.operands:
            self._offers.setdefault(operand, []).append(MOVED)

    def _move_root(self, operand: Atom) -> None:
        """The root of a matrix, of which a reader may leave elements out."""
        found = self.definitions.get(operand) if isinstance(operand, Var) else None
        is_root = found is not None and found.op.name == "numpy.sqrt"
        if found is not None and is_root and (rank_of(found.target.type) or 0) > 1:
            self.roots.add(found.target)

    def is_moved(self, statement: Assign, operand: Atom) -> bool:
        """Whether a contribution has to be masked by the adjoint that it is made from."""
        reached = statement.target in self.moved or statement.target in self.roots
        return reached and statement.op.elementwise and self.spoils(statement, operand)

    def is_spoilt(self, statement: Assign, operand: Atom) -> bool:
        return statement.target in self.spoilt or (statement.target, operand) in self.spoiling

    def spoils(self, statement: Assign, operand: Atom) -> bool:
        """Whether 0 times the slope with respect to an operand may be NaN where the branch is not
        taken. A factor that is one number is part of every element: it may be infinite or NaN if
        no element takes the branch.
        """
        if statement.op.name in HARMLESS:
            return False
        if statement.op.name in ("*", "/") and statement.operands.count(operand) == 1:
            first, second = statement.operands
            if statement.op.name == "/":
                return operand == second or not isinstance(second, Const)
            other = second if operand == first else first
            return not scalar_like(other.type) or self.may_be_infinite(other)
        return True

    def may_be_infinite(self, atom: Atom) -> bool:
        """Whether a function on the way to a value has arguments for which it is not finite."""
        pending, seen = [atom], set[Atom]()
        while pending:
            current = pending.pop()
            found = self.definitions.get(current) if isinstance(current, Var) else None
            if found is None or current in seen:
                continue
            seen.add(current)
            if found.op.domains and found.op.name not in FINITE and not _by_constant(found):
                return True
            pending += found.operands
        return False

    def ending_at(self, statement: Assign, operand: Var) -> tuple[Mask, ...]:
        """The masks for a contribution to `operand`: those that end there, and all of them before
        elements are added up.
        """
        if not self.is_spoilt(statement, operand):
            return ()
        kept = () if is_broadcast(statement, operand) else self.masks.get(operand, ())
        return tuple(mask for mask in self.masks.get(statement.target, ()) if mask not in kept)


def is_broadcast(statement: Assign, operand: Atom) -> bool:
    """Whether the contributions of several elements are added up to that of one."""
    return statement.op.elementwise and shape_of(operand.type) != shape_of(statement.target.type)


def either(offers: Iterable[tuple[Mask, ...]]) -> tuple[Mask, ...]:
    """The masks of a value that is read for several branches; () where each of its elements is in
    one, MOVED where that cannot be said by masks.
    """
    ways = {frozenset(offer): offer for offer in offers}
    ways = {way: offer for way, offer in ways.items() if not any(m.other in way for m in way)}
    found = set(ways)
    for way in sorted(ways, key=len, reverse=True):
        for mask in way:
            rest = way - {mask}
            if any(other <= rest | {mask.other} and mask.other in other for other in found):
                found.add(rest)
    least = [way for way in found if not any(other < way for other in found)]
    if len(least) != 1:
        return MOVED
    inner_first = (mask for offer in ways.values() for mask in offer)
    return tuple(dict.fromkeys(mask for mask in inner_first if mask in least[0]))


def _readers(block: Block) -> dict[Atom, int]:
    """How often each variable is read by something that carries adjoints."""
    readers: dict[Atom, int] = {}
    for statement in block.statements:
        read: Iterable[Atom] = ()
        if not isinstance(statement, Assign):
            read = (*operands_of(statement), *free_variables(blocks_of(statement)))
        elif not statement.op.constant:
            is_choice = statement.op.name == "numpy.where"
            read = statement.operands[1:] if is_choice else statement.operands
        for operand in read:
            readers[operand] = readers.get(operand, 0) + 1
    for result in block.results:
        readers[result] = readers.get(result, 0) + 1
    return readers


def works_by_element(statement: Assign) -> bool:
    """Whether elements of the adjoints belong to those of the result: also of a call that states
    its derivative, where the functions that do so are elementwise.
    """
    custom = statement.op.custom
    if not isinstance(custom, Custom):
        return statement.op.elementwise
    rule = custom.rule
    if rule.identity or rule.reverse is None or len(rule.primal.body.results) != 1:
        return False
    shape = shape_of(statement.target.type)
    moving = [statement.operands[place] for place in rule.moving]
    return (
        shape is not None
        and all(shape_of(operand.type) == shape for operand in moving)
        and all(
            isinstance(one, Assign) and (one.op.elementwise or one.op is IDENTITY)
            for one in rule.reverse.body.statements
        )
    )


def _by_constant(statement: Assign) -> bool:
    """Whether it is a quotient or a power with a constant for which it is always finite."""
    by = statement.operands[-1]
    if statement.op.name not in ("/", "**") or not isinstance(by, Const):
        return False
    if isinstance(by.value, complex):
        return False
    is_power = statement.op.name == "**"
    return bool(by.value >= 0 and by.value % 1 == 0 if is_power else by.value != 0)
