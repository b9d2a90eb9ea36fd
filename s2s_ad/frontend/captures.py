"""A call taken out of the program as a function of its own, and a function put back in its place.

`capture` lowers a call of the user's function into a `Function` that reads nothing from around: its
arguments, and whatever else it reads, are parameters. What it writes to its arguments stays inside.
`splice` appends the statements of a function, under new names, where a program calls it. Between
the two a function can be differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import libcst as cst

from s2s_ad.frontend.blocks import State, changed_places, has_memory, lower_path, settled
from s2s_ad.frontend.blocks import capture as state_of
from s2s_ad.frontend.containers import container, named
from s2s_ad.frontend.lower import Lowering, as_known_now, tree_of
from s2s_ad.frontend.values import Growing, Refused, Value
from s2s_ad.inlining import copied, symbols_of
from s2s_ad.ir import (
    Atom,
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
    numbered,
    operands_of,
)
from s2s_ad.operations.support import COPY
from s2s_ad.rewrite import formal_variables, map_tree
from s2s_ad.types import ListOf, Size, Sizes, is_float, is_numeric, shape_of


@dataclass(frozen=True)
class Captured:
    """A call as a function, and what its parameters stand for."""

    function: Function
    operands: tuple[Atom, ...]
    writes: bool = False  # whether it writes to an argument


@dataclass
class Inside:
    """The arguments as the captured function sees them; `before` is the state without them."""

    lowering: Lowering
    node: cst.CSTNode
    formals: list[Formal] = field(default_factory=list)
    operands: list[Atom] = field(default_factory=list)
    before: State = field(init=False)

    def __post_init__(self) -> None:
        self.before = state_of(self.lowering)

    def argument(self, value: Value, name: str, moves: bool) -> Value:
        """A value from outside under new names. One that `moves` keeps its structure as a formal;
        of others each number or array is a formal, and what is known stays known.
        """
        value = settled(self.lowering, value, self.node)  # type: ignore[assignment]
        own: list[Var] = []
        inner = self._renamed(value, name, moves, own)
        if moves:
            self.formals.append(Formal(self._unused(name), self._formal_tree(inner)))
        else:
            self.formals += [Formal(self._unused(var.base_name), var) for var in own]
        return inner

    def outside(self, var: Var) -> None:
        """Something else that the function reads."""
        self.formals.append(Formal(self._unused(var.base_name), var))
        self.operands.append(var)

    def _renamed(self, value: Value, name: str, moves: bool, own: list[Var]) -> Value:
        lowering = self.lowering
        if isinstance(value, Growing):
            items = tuple(self._renamed(item, name, moves, own) for item in value.items)
            return named(lowering, replace(value, items=items))
        if isinstance(value, Structure):
            items = tuple(
                self._renamed(item, f"{name}_{key}", moves, own)
                for key, item in zip(value.keys, value.items, strict=True)
            )
            if value.identity is None:
                return replace(value, items=items)
            return container(lowering, value.kind, items, value.keys, value.constructor)
        is_number = isinstance(value, Var) and (
            is_numeric(value.type) or isinstance(value.type, ListOf)
        )
        if is_number or (moves and isinstance(value, Const) and is_float(value.type)):
            assert isinstance(value, Var | Const)
            name = name if name.isidentifier() else ""
            names = lowering.builder.names
            var = names.fresh(name, value.type) if name else names.temporary(value.type)
            memory = lowering.memory
            memory.time += 1
            memory.where[var], memory.born[var] = frozenset((var,)), memory.time
            own.append(var)
            self.operands.append(value)
            return var
        return value

    def _formal_tree(self, value: Value) -> Tree:
        if isinstance(value, Structure):
            items = tuple(self._formal_tree(item) for item in value.items)
            return replace(value, items=items, identity=None)
        if isinstance(value, Var | Const) and not isinstance(value.type, ListOf):
            return value
        what = "a list of unknown length" if isinstance(value, Growing) else "a function"
        raise self.lowering.refuse(
            "unsupported-argument",
            f"a derivative with respect to {what} is not supported",
            self.node,
            help="differentiate with respect to numbers, arrays, or containers of known length",
        )

    def _unused(self, name: str) -> str:
        while any(formal.name == name for formal in self.formals):
            name += "_"
        return name


def capture(
    lowering: Lowering,
    name: str,
    node: cst.CSTNode,
    inside: Inside,
    action: Callable[[], Value],
) -> Captured:
    """Lower what `action` calls as a function of the formals in `inside`."""
    output: list[Tree] = []
    start = state_of(lowering)
    path = lower_path(lowering, lambda: output.append(tree_of(lowering, action(), node)))
    if path.refused or not output:
        raise Refused()
    if _changes_outside(lowering, inside.before, path.end):
        raise lowering.refuse(
            "nested-derivative",
            "this differentiates a function that writes to what is outside of it",
            node,
            help="pass what it writes to as an argument, or write to a copy",
        )
    results = tuple(leaves(output[0]))
    own = formal_variables(inside.formals)
    for var in _read_from_outside(path.statements, results, set(own)):
        inside.outside(var)
    parameters = formal_variables(inside.formals)
    function = Function(
        name=name,
        formals=tuple(inside.formals),
        body=Block(parameters, tuple(path.statements), results),
        output=numbered(output[0]),
        span=lowering.span(node),
        taken_names=lowering.words,
        guarded=False,
        assumptions=lowering.sizes.checked_at_entry(),
    )
    writes = any(kind != "name" for kind, _ in changed_places(lowering, start, path.end))
    return Captured(as_known_now(lowering, function), tuple(inside.operands), writes)


def _changes_outside(lowering: Lowering, before: State, end: State) -> bool:
    """Whether arrays or containers from outside were written to, or names of it assigned."""

    def is_new(name: str) -> bool:
        old, new = before.names.get(name), end.names.get(name)
        if not isinstance(old, Var) or not isinstance(new, Var):
            return name.isidentifier()
        return (old.name, old.version) != (new.name, new.version)  # its type may be known better

    places = changed_places(lowering, before, end)
    return any(kind != "name" or is_new(key) for kind, key in places)


def _read_from_outside(
    statements: Sequence[Statement], results: Sequence[Atom], defined: set[Var]
) -> list[Var]:
    """The variables that are read and not defined, in order."""
    found: dict[Var, None] = {}

    def read(atoms: Sequence[Atom]) -> None:
        found.update({a: None for a in atoms if isinstance(a, Var) and a not in defined})

    def block(block: Block) -> None:
        defined.update(block.parameters)
        visit(block.statements)
        read(block.results)

    def visit(statements: Sequence[Statement]) -> None:
        for statement in statements:
            read(list(operands_of(statement)))
            for inner in blocks_of(statement):
                block(inner)
            defined.update(statement.targets)

    visit(statements)
    read(results)
    return list(found)


# Back into the program ----------------------------------------------------------------------------


def splice(
    lowering: Lowering,
    function: Function,
    operands: Sequence[Atom],
    known: Callable[[str], bool],
    node: cst.CSTNode,
) -> Value:
    """Append the statements of a function for these operands, and give its result.

    Sizes found only while running are named anew, apart from those of the program, which `known`
    tells.
    """
    new_sizes = Sizes()
    fresh = lowering.sizes.fresh
    new_sizes.values = {
        symbol: fresh()
        for symbol in sorted(symbols_of(function))
        if symbol.startswith("?") and not known(symbol)
    }
    for own, given in _sizes_beside(function, operands, known):
        # a size of what is given besides, which may mean another thing here
        named_here = lowering.sizes.fresh() if own.symbol in given.symbols else given
        if own != given:
            new_sizes.values[own.symbol or ""] = named_here
    statements, results = copied(function, operands, lowering.builder.names, new_sizes)
    for _ in statements:
        lowering.count(node)
    lowering.memory.catch_up(lowering)
    before = lowering.memory.time
    lowering.builder.statements += statements
    lowering.memory.catch_up(lowering)
    owned = _owned(lowering, results, before, node)
    supply = iter(owned)
    return _as_value(lowering, map_tree(function.output, lambda _: next(supply)))


def _sizes_beside(
    function: Function, operands: Sequence[Atom], known: Callable[[str], bool]
) -> Iterator[tuple[Size, Size]]:
    """Sizes of parameters that the program does not have, with what they are."""
    for parameter, operand in zip(function.body.parameters, operands, strict=True):
        pairs = zip(shape_of(parameter.type) or (), shape_of(operand.type) or (), strict=False)
        for own, given in pairs:
            if own.symbol is not None and not own.symbol.startswith("?") and not known(own.symbol):
                yield own, given


def _owned(
    lowering: Lowering, results: Sequence[Atom], before: int, node: cst.CSTNode
) -> list[Atom]:
    """The results of a derivative: arrays of their own, which share no memory with anything."""
    memory = lowering.memory
    taken: set[Var] = set()
    owned: list[Atom] = []
    for atom in results:
        if isinstance(atom, Var) and has_memory(atom.type):
            roots = memory.roots(atom)
            if taken & roots or any(memory.birth(root) <= before for root in roots):
                atom = lowering.assign(COPY, [atom], node)
                memory.catch_up(lowering)
            taken |= {atom, *roots}
            memory.hand_on(atom, atom)
            memory.made_by.pop(atom, None)  # a view of nothing that has another name
        owned.append(atom)
    return owned


def _as_value(lowering: Lowering, tree: Tree) -> Value:
    """A result as a value of the program: lists, dicts and records are new objects."""
    if isinstance(tree, Structure):
        items = [_as_value(lowering, item) for item in tree.items]
        return container(lowering, tree.kind, items, tree.keys, tree.constructor)
    return tree


__all__ = ["Captured", "Inside", "capture", "splice"]
