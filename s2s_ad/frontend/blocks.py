"""Blocks and the state they change: what branches and loops share.

The state is what names mean and what memory holds. `lower_path` lowers into a block of its own and
puts the state back, so that another path can be lowered from the same start; `Merge` then makes
variables for whatever differs where the paths meet. A `Checkpoint` takes back everything, for
lowering a loop's body again with better types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import libcst as cst

from s2s_ad.frontend.aliases import (
    APART,
    NO,
    Chain,
    Relation,
    chains_of,
    in_order,
    is_visible,
    read_by,
    relate,
    relation,
)
from s2s_ad.frontend.containers import as_objects, item_type, named
from s2s_ad.frontend.joins import Joiner
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.values import (
    Chosen,
    Container,
    FreeVariable,
    Growing,
    Identity,
    Named,
    Partial,
    Poison,
    Refused,
    Unreached,
    Unsettled,
    UserFunction,
    Value,
    ViewOf,
)
from s2s_ad.ir import UNDEFINED, Atom, Const, Statement, Structure, Var, leaves
from s2s_ad.types import Array, ListOf, Number, Type, is_boolean, is_numeric

DEAD = "<dead>"  # a pseudo-name: this path has raised
# others: whether the rest of the suite, the loop, the function is to be left
GONE, BROKEN, RETURNED = "<gone>", "<stopped>", "<returned>"
JUMPS = (GONE, BROKEN, RETURNED)
# ("name", a name), ("root", an allocation) or ("heap", the identity of a container)
Place = tuple[str, Any]


class Missing:
    """What a name means where it is not bound."""


MISSING = Missing()
Found = Value | Missing


@dataclass(frozen=True)
class State:
    """What names mean and memory holds at some point."""

    names: dict[str, Value]
    latest: dict[Var, Var]
    contents: dict[Identity, Container]
    written: dict[Var, int]
    lost: frozenset[Any]
    visible: set[Var]
    time: int

    @property
    def is_dead(self) -> bool:
        return DEAD in self.names

    def at(self, place: Place) -> Found:
        kind, key = place
        if kind == "name":
            return self.names.get(key, MISSING)
        if kind == "heap":
            return self.contents.get(key, MISSING)
        root: Var = key
        return self.latest.get(root, root)


def capture(lowering: Lowering) -> State:
    memory = lowering.memory
    memory.catch_up(lowering)
    return State(
        dict(lowering.frame.names),
        dict(memory.latest),
        dict(memory.contents),
        dict(memory.written),
        memory.lost,
        set(memory.visible),
        memory.time,
    )


def resume(lowering: Lowering, state: State) -> None:
    """Go on from a state. Parameters stay as special as they have turned out to be since."""
    names, memory = lowering.frame.names, lowering.memory
    memory.catch_up(lowering)
    kept = {
        name: value
        for name, value in names.items()
        if isinstance(value, Var) and state.names.get(name) == value
    }
    names.clear()
    names.update({**state.names, **kept})
    memory.latest, memory.written = dict(state.latest), dict(state.written)
    memory.contents = dict(state.contents)
    memory.lost = state.lost
    memory.visible = set(state.visible)


@dataclass
class Checkpoint:
    """Everything that lowering changes, to be taken back when a trial has failed."""

    lowering: Lowering
    state: State = field(init=False)

    def __post_init__(self) -> None:
        lowering = self.lowering
        self.state = capture(lowering)
        sizes = lowering.sizes
        self.sizes = (dict(sizes.values), dict(sizes.lengths), list(sizes.assumptions))
        self.names = [dict(frame.names) for frame in lowering.frames]
        self.hidden, self.refined = dict(lowering.hidden), dict(lowering.refined)
        self.numbers = (
            lowering.named_sizes,
            len(lowering.statements),
            len(lowering.builder.statements),
            lowering.reporter.mark,
        )
        memory = lowering.memory
        self.overlaps = {root: set(others) for root, others in memory.overlaps.items()}
        self.rows = {holder: set(rows) for holder, rows in memory.rows.items()}
        self.wanted, self.foreign = set(lowering.wanted_constants), lowering.memory.foreign

    def restore(self, keep_sizes: bool = False) -> None:
        """Take back. Sizes found equal may be kept: the first trip has the types that a loop's
        first trial had, so what that needed has to hold.
        """
        lowering, memory = self.lowering, self.lowering.memory
        resume(lowering, self.state)
        for frame, names in zip(lowering.frames, self.names, strict=True):
            frame.names.clear()
            frame.names.update(names)
        named_sizes, spans, statements, mark = self.numbers
        if not keep_sizes:
            sizes = lowering.sizes
            values, lengths, assumptions = self.sizes
            sizes.values, sizes.lengths = dict(values), dict(lengths)
            sizes.assumptions = list(assumptions)
            lowering.named_sizes = named_sizes
        lowering.hidden, lowering.refined = dict(self.hidden), dict(self.refined)
        del lowering.statements[spans:]
        del lowering.builder.statements[statements:]
        memory.seen = statements
        memory.overlaps = {root: set(others) for root, others in self.overlaps.items()}
        memory.rows = {holder: set(rows) for holder, rows in self.rows.items()}
        lowering.reporter.rewind(mark)
        lowering.wanted_constants, memory.foreign = set(self.wanted), self.foreign


# Paths --------------------------------------------------------------------------------------------


@dataclass
class Path:
    """A block that was lowered, and the state at its end; `start` is the time of its beginning."""

    statements: list[Statement]
    end: State
    start: int
    refused: bool = False

    @property
    def left(self) -> Value | None:
        """Whether the rest of the suite is left out behind this path: a constant where known."""
        return Const(True) if self.end.is_dead else self.end.names.get(GONE)

    def defines(self, atom: Atom) -> bool:
        return any(atom in statement.targets for statement in self.statements)


def lower_path(lowering: Lowering, action: Callable[[], None]) -> Path:
    """Lower into a block of its own; what it did to the state is taken back."""
    start = capture(lowering)
    refused = False
    with _block(lowering, []) as statements:
        try:
            action()
        except Refused:
            refused = True
        except Unreached:
            lowering.frame.names[DEAD] = Const(True)
        end = capture(lowering)
    resume(lowering, start)
    return Path(statements, end, start.time, refused)


@contextmanager
def _block(lowering: Lowering, statements: list[Statement]) -> Iterator[list[Statement]]:
    memory = lowering.memory
    memory.catch_up(lowering)
    lowering.outer.append(lowering.builder.statements)
    lowering.builder.statements, memory.seen = statements, len(statements)
    try:
        yield statements
        memory.catch_up(lowering)
    finally:
        lowering.builder.statements = lowering.outer.pop()
        memory.seen = len(lowering.builder.statements)


def extend(lowering: Lowering, path: Path, action: Callable[[], None]) -> None:
    """Lower more at the end of a path."""
    with at_end(lowering, path):
        try:
            action()
        except Refused:
            path.refused = True
        except Unreached:
            lowering.frame.names[DEAD] = Const(True)
        path.end = capture(lowering)


@contextmanager
def at_end(lowering: Lowering, path: Path) -> Iterator[None]:
    """Append to a path that was lowered before, in the state at its end."""
    start = capture(lowering)
    resume(lowering, path.end)
    try:
        with _block(lowering, path.statements):
            yield
    finally:
        resume(lowering, start)


# Values at the end of a path ----------------------------------------------------------------------


def settled(lowering: Lowering, value: Found, node: cst.CSTNode) -> Found:
    """The value with every array in it as it is now; what cannot be known is `Unsettled`."""
    from s2s_ad.frontend.operands import current

    if isinstance(value, Missing | Poison | Unsettled):
        return value
    mark = lowering.reporter.mark
    try:
        value = current(lowering, value, node)
        if isinstance(value, Container):
            items = [settled(lowering, item, node) for item in value.items]
            broken = next((item for item in items if isinstance(item, Poison | Unsettled)), None)
            if broken is not None:
                return broken
            return replace(value, items=tuple(items))
        return value
    except Refused:
        said = lowering.reporter.since(mark)
        lowering.reporter.rewind(mark)
        return Unsettled(
            "write-through-view",
            "this may or may not share memory with an array that was written to since",
            said[0].help if said else "take a copy (`.copy()`) before the write",
        )


def same(left: Found, right: Found) -> bool:
    """Whether two values are one."""
    if isinstance(left, Container) and isinstance(right, Container):
        if left.identity is not None or right.identity is not None:
            return left.identity is right.identity
        return same_items(left, right)
    return left is right or left == right


def same_items(left: Found, right: Found) -> bool:
    """Whether two containers hold the same."""
    if isinstance(left, Container) and isinstance(right, Container):
        return (
            (left.kind, left.keys, left.constructor) == (right.kind, right.keys, right.constructor)
            and len(left.items) == len(right.items)
            and all(same(*pair) for pair in zip(left.items, right.items, strict=True))
        )
    return False


def is_leaf(value: Found) -> bool:
    """Whether a loop or branch can hand the value on as a variable."""
    return isinstance(value, Var) or (isinstance(value, Const) and is_numeric(value.type))


def changes_kind(name: str, left: str, right: str, loop: object = None) -> Unsettled:
    return Unsettled(
        "changes-kind",
        f"`{name}` is {left} on one path and {right} on another",
        "give the two values different names, or make them alike",
        loop,
    )


def describe(value: Found) -> str:
    match value:
        case Missing():
            return "not assigned"
        case Var(type=type) | Const(type=type):
            return (
                f"{'an' if str(type)[:1] in 'aeiou' else 'a'} {type}"
                if is_numeric(type)
                else str(type)
            )
        case Structure(kind=kind, items=items):
            return f"a {kind} of {len(items)}"
    return "a function"


# Where paths meet ---------------------------------------------------------------------------------


@dataclass
class Merge:
    """Makes the variables that a branch gives: one for each pair of atoms that differ."""

    lowering: Lowering
    paths: tuple[Path, Path]
    node: cst.CSTNode
    test: Atom
    targets: list[Var] = field(default_factory=list)
    given: tuple[list[Atom], list[Atom]] = field(default_factory=lambda: ([], []))
    made: dict[tuple[Atom, Atom], Var] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.joiner = Joiner(self.lowering.sizes)
        self.time = min(path.start for path in self.paths)

    def merged(self, left: Found, right: Found, hint: str) -> Found:
        """The value after the branch, where its paths give these."""
        if isinstance(left, Poison | Unsettled):
            return left
        if isinstance(right, Poison | Unsettled):
            return right
        if isinstance(left, Missing) and isinstance(right, Missing):
            return MISSING
        if isinstance(left, Container) or isinstance(right, Container):
            if same(left, right):
                return left  # what it holds is a place of its own
            return self.structures(left, right, hint)
        if (is_leaf(left) or isinstance(left, Missing)) and (
            is_leaf(right) or isinstance(right, Missing)
        ):
            atoms = tuple(UNDEFINED if isinstance(v, Missing) else v for v in (left, right))
            return self.leaf(atoms[0], atoms[1], hint)  # type: ignore[arg-type]
        if same(left, right):
            return left
        if self._is_callable(left, 0) and self._is_callable(right, 1):
            return Chosen(self.test, self._handed_on(left, 0), self._handed_on(right, 1))
        if isinstance(left, Missing) or isinstance(right, Missing):
            # a function, a string: known, where it is bound at all
            return self._one_sided(left, right, hint)
        return changes_kind(hint, describe(left), describe(right))

    def _is_callable(self, value: Found, path: int) -> bool:
        """Whether a value of a path is a function that means the same behind it."""
        if isinstance(value, Named):
            return True
        if isinstance(value, Chosen):
            return all(self._is_callable(each, path) for each in (value.then, value.orelse))
        if isinstance(value, Partial):
            inner = (value.function, *value.positional, *value.keywords.values())
        elif isinstance(value, UserFunction):
            inner = (*value.defaults.values(), *value.bound)
        else:
            return False
        return all(self._outlives(each, path) for each in inner)

    def _handed_on(self, value: Any, path: int) -> Value:
        """A function that a path gives; the test that chose it is given, too."""
        if not isinstance(value, Chosen):
            return value  # type: ignore[no-any-return]
        test = value.test
        if isinstance(test, Var) and self.paths[path].defines(test):
            other = Const(False)
            left, right = (test, other) if path == 0 else (other, test)
            test = self.leaf(left, right, "")  # type: ignore[assignment]
        return Chosen(test, self._handed_on(value.then, path), self._handed_on(value.orelse, path))

    def _outlives(self, value: Value, path: int) -> bool:
        if isinstance(value, Var):
            return not self.paths[path].defines(value)
        return isinstance(value, Const | FreeVariable) or self._is_callable(value, path)

    def _one_sided(self, left: Found, right: Found, hint: str) -> Found:
        path = self.paths[0 if isinstance(left, Missing) else 1]
        if path.end.is_dead and not isinstance(left, Chosen) and not isinstance(right, Chosen):
            return right if isinstance(left, Missing) else left
        return changes_kind(hint, describe(left), describe(right))

    def structures(self, left: Found, right: Found, hint: str, in_place: bool = False) -> Found:
        """Item by item; `in_place` where the container is one, and what it holds differs."""
        shape = left if isinstance(left, Container) else right
        assert isinstance(shape, Container)
        sides: list[list[Found]] = []
        for side in (left, right):
            if isinstance(side, Missing):
                sides.append([MISSING] * len(shape.items))
            elif isinstance(side, Container) and alike(side, shape):
                sides.append(list(side.items))
            else:
                return changes_kind(hint, describe(left), describe(right))
        items = tuple(
            self.merged(a, b, hint and f"{hint}_{key}")
            for a, b, key in zip(*sides, shape.keys, strict=True)
        )
        broken = next((item for item in items if isinstance(item, Poison | Unsettled)), None)
        if broken is not None:
            return broken
        merged = replace(shape, items=items)
        if any(isinstance(getattr(side, "identity", None), ViewOf) for side in (left, right)):
            return changes_kind(hint, "a view of a dict", "that of another")
        if shape.identity is None or in_place:
            return merged
        outer = [side for side in (left, right) if self._was_there(side)]
        if outer:
            # writes to it would have to be seen under its other name
            return as_objects(self.lowering, replace(merged, identity=None), outer)
        return named(self.lowering, merged)

    def _was_there(self, side: Found) -> bool:
        """Whether a container is older than the branch."""
        identity = side.identity if isinstance(side, Container) else None
        return identity is not None and identity.born <= self.time

    def leaf(self, left: Atom, right: Atom, hint: str) -> Value:
        """One variable for two atoms."""
        if left == right:
            return left
        for atom, other, path in ((left, right, 0), (right, left, 1)):
            # a path that has raised arrives nowhere
            dead = other == UNDEFINED and self.paths[1 - path].end.is_dead
            if dead and not self.paths[path].defines(atom):
                return atom
        if (left, right) in self.made:
            return self.made[left, right]
        as_it_is = self.test.type == Number("bool")
        if hint in JUMPS:  # a jump in front of other statements stays where it is
            only_test = not any(path.statements for path in self.paths)
            as_it_is = only_test and is_boolean(self.test.type)
        if as_it_is and (left, right) == (Const(True), Const(False)):
            return self.test
        type = self._type(left, right)
        if type is None:
            return changes_kind(hint, describe(left), describe(right))
        target = new_variable(self.lowering, hint, type)
        self.targets.append(target)
        self.given[0].append(left)
        self.given[1].append(right)
        self.made[left, right] = target
        return target

    def _type(self, left: Atom, right: Atom) -> Type | None:
        if left == UNDEFINED:
            return escaping(self.lowering, right, self.paths[1])
        if right == UNDEFINED:
            return escaping(self.lowering, left, self.paths[0])
        return self.joiner.loose(left.type, right.type)

    def settle_memory(self) -> None:
        """What the new variables share memory with: each path says."""
        memory = self.lowering.memory
        for target, *given in zip(self.targets, *self.given, strict=True):
            if has_memory(target.type) and target not in memory.where:
                memory.hand_on(target, target)
            if any(map(memory.is_spread, given)):
                memory.spread.add(target)
        if memory.exact:
            self._relate()
            return
        sides = [list(zip(self.targets, side, strict=True)) for side in self.given]
        share(self.lowering, sides, self.time)

    def _relate(self) -> None:
        """How the new variables belong to other arrays, and to each other: the flags are given by
        the paths as well.
        """
        memory = self.lowering.memory
        rows = list(zip(self.targets, *self.given, strict=True))
        rows = [row for row in rows if memory.whole.get(row[0]) == row[0]]
        for place, (target, *atoms) in enumerate(rows):
            roots = {root for atom in atoms for root in memory.roots(atom)}
            old = {root for root in roots if is_visible(self.lowering, root)}
            old -= {row[0] for row in rows}
            pairs: list[tuple[Var, tuple[Atom, Atom]]]
            pairs = [(root, (root, root)) for root in in_order(memory, old)]
            pairs += [(other, (left, right)) for other, left, right in rows[:place]]
            for other, ends in pairs:
                known = self._relation(atoms, ends)
                if known is None and (turned := self._relation(ends, atoms)) is not None:
                    relate(memory, other, target, turned)
                else:
                    relate(memory, target, other, known)

    def _relation(self, atoms: Sequence[Atom], others: Sequence[Atom]) -> Relation | None:
        memory = self.lowering.memory
        alive = [not path.end.is_dead for path in self.paths]
        sides = [
            relation(memory, *pair) if lives else APART
            for *pair, lives in zip(atoms, others, alive, strict=True)
        ]
        unbound = any(
            lives and UNDEFINED in pair for *pair, lives in zip(atoms, others, alive, strict=True)
        )
        if unbound and any(sides):
            return None  # to carry over a write would read what is not bound
        found: dict[Chain, Atom] = {}
        for chain in chains_of(side for side in sides if side is not None):
            if any(path.defines(atom) for path in self.paths for atom in read_by(chain)):
                return None
            flags = [
                side.get(chain, NO) if lives else UNDEFINED
                for side, lives in zip(sides, alive, strict=True)
                if side is not None
            ]
            if len(flags) < len(sides):
                return None
            flag = self.leaf(flags[0], flags[1], "")
            assert isinstance(flag, Var | Const)
            found[chain] = flag
        return None if None in sides else found


def has_memory(type: Type) -> bool:
    """Whether values of a type are, or hold, arrays."""
    return isinstance(type, Array) or (isinstance(type, ListOf) and isinstance(type.item, Array))


def share(lowering: Lowering, sides: Sequence[Sequence[tuple[Var, Atom]]], time: int) -> None:
    """Variables with an allocation of their own may share memory as the atoms they stand for do, on
    any of the sides: with allocations that were there at `time`, and with each other.
    """
    memory = lowering.memory
    found: list[tuple[Var, Var]] = []
    for side in sides:
        arrays = [(var, atom) for var, atom in side if memory.whole.get(var) == var]
        for place, (var, atom) in enumerate(arrays):
            found += [(var, root) for root in memory.roots(atom) if memory.birth(root) <= time]
            found += [
                (var, other)
                for other, other_atom in arrays[:place]
                if memory.meet(atom, other_atom)
            ]
    for var, other in found:
        memory.overlap(var, other)


def alike(left: Container, right: Container) -> bool:
    """Whether two containers have the same items, apart from their values."""
    if isinstance(left, Growing) or isinstance(right, Growing):
        both = isinstance(left, Growing) and isinstance(right, Growing)
        return both and len(left.items) == len(right.items)
    return (left.kind, left.keys, left.constructor) == (right.kind, right.keys, right.constructor)


def escaping(lowering: Lowering, atom: Atom, path: Path) -> Type:
    """The type of a value outside of the block that made it: sizes found inside are not known."""
    type = lowering.sizes.resolve_type(atom.type)
    if isinstance(type, Array) and type.shape is not None:
        fresh = lowering.sizes.fresh
        return Array(type.dtype, tuple(fresh() if size.is_local else size for size in type.shape))
    return item_type(type)


def new_variable(lowering: Lowering, hint: str, type: Type) -> Var:
    """A variable named after the user's, or without a name."""
    names = lowering.builder.names
    return names.fresh(hint, type) if hint.isidentifier() else names.temporary(type)


def hint_for(lowering: Lowering, place: Place) -> str:
    """What to call the variable that carries a place."""
    kind, key = place
    if kind == "name":
        return str(key)
    if kind == "heap":
        return container_name(lowering, key)
    root: Var = key
    latest = lowering.memory.latest.get(root, root)
    return "" if latest.is_temporary else latest.name


def container_name(lowering: Lowering, identity: Identity) -> str:
    """The name of a container, if one is bound to it."""
    for name, value in lowering.frame.names.items():
        if isinstance(value, Container) and value.identity is identity and name.isidentifier():
            return name
    return ""


def changed_places(lowering: Lowering, start: State, end: State) -> list[Place]:
    """The places that mean something else at the end, allocations first."""
    birth = lowering.memory.birth
    roots: list[Place] = [
        ("root", root)
        for root, value in end.latest.items()
        if value != start.latest.get(root, root) and birth(root) <= start.time
    ]
    names: list[Place] = [
        ("name", name)
        for name in dict.fromkeys((*start.names, *end.names))
        if name != DEAD and not same(start.at(("name", name)), end.at(("name", name)))
    ]
    heap: list[Place] = [
        ("heap", identity)
        for identity, value in end.contents.items()
        if identity.born <= start.time
        and not same_items(start.contents.get(identity, MISSING), value)
    ]
    return [*roots, *heap, *names]


def put(lowering: Lowering, place: Place, value: Found) -> None:
    """Make a place mean a value."""
    kind, key = place
    if kind == "name":
        if isinstance(value, Missing):
            lowering.frame.names.pop(key, None)
        else:
            lowering.frame.names[key] = value
    elif kind == "heap":
        if isinstance(value, Container):
            lowering.memory.contents[key] = replace(value, identity=key)
        else:
            lowering.memory.lost |= {key}
    elif isinstance(value, Var):
        lowering.memory.hand_on(value, key)


__all__ = [
    "MISSING",
    "Checkpoint",
    "Merge",
    "Path",
    "State",
    "at_end",
    "capture",
    "changed_places",
    "leaves",
    "lower_path",
    "put",
    "resume",
    "settled",
]
