"""Functions that call themselves, directly or through others: they are lowered once, as functions
of their own, and called.

What comes in: the function and the values of its parameters. What goes out: a call. The types of
parameters and results are found by trial: at first a call of itself gives nothing (its path ends),
then what the other paths give, until nothing changes any more. What a function reads of the one
around it is passed along.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from dataclasses import replace as replaced
from typing import overload

import libcst as cst

from s2s_ad.frontend.blocks import settled
from s2s_ad.frontend.containers import change, filled, grown, named, numeric_leaves
from s2s_ad.frontend.joins import Joiner
from s2s_ad.frontend.lower import (
    Frame,
    Lowering,
    as_known_now,
    identifiers,
    lower_body,
    with_settled_calls,
)
from s2s_ad.frontend.values import Container, FreeVariable, Growing, Unreached, UserFunction, Value
from s2s_ad.frontend.writes import replace
from s2s_ad.ir import Assign, Block, Const, Function, Structure, Var
from s2s_ad.operations.calls import Callee, call_of
from s2s_ad.rewrite import Builder, Names, all_statements, flat_formals, flat_output
from s2s_ad.types import Array, Number, Size, Sizes, Symbol, Type, symbols_in, with_sizes

MOST_TRIALS = 8


@dataclass(eq=False)
class Recursion:
    """A function that calls itself, while it is lowered."""

    function: UserFunction
    callee: Callee
    arguments: dict[str, Value]  # with the caller's atoms; what is no number is the same throughout
    types: list[Type]  # of the numbers and arrays among the arguments
    passed: list[str]  # the names of those arguments that come from around the function
    result: Value | None = None
    results: list[Type] = field(default_factory=list)
    hidden: dict[str, FreeVariable] = field(default_factory=dict)
    written: dict[str, Value] = field(default_factory=dict)  # the arguments that it changes
    growing: set[str] = field(default_factory=set)  # lists of which it changes any item
    changed: bool = False
    open: set[str] = field(default_factory=set)  # sizes that stand for whatever size there is
    loses: bool = False  # whether it writes to what cannot be handed back
    gives_array: bool = False  # whether a list that it returns is converted to an array

    def call(self, lowering: Lowering, names: dict[str, Value], node: cst.CSTNode) -> Value:
        """A call from within. Raises Unreached as long as no result is known."""
        around = {name: lowering.frames[0].names[name] for name in self.passed}
        values = _current(lowering, {**names, **around}, node)
        for name, value in values.items():
            if isinstance(value, Growing) and not isinstance(self.arguments[name], Growing):
                self.growing.add(name)
        if self.growing and any(
            isinstance(self.arguments[name], Structure) for name in self.growing
        ):
            self.changed = True
            raise Unreached()
        values = _grown(lowering, values, self.growing, node)
        atoms = numeric_atoms(values)
        joiner = Joiner(lowering.sizes, self.open)
        pairs = zip(atoms, self.types, strict=False)
        found = [_plain(joiner.loose(type, _plain(atom.type))) for atom, type in pairs]
        if len(atoms) != len(self.types) or None in found:
            raise lowering.refuse(
                "changes-kind",
                f"`{self.function.name}` calls itself with arguments of another kind",
                node,
                help="let all calls have arguments of the same types",
            )
        for place, (joined, type) in enumerate(zip(found, self.types, strict=True)):
            assert joined is not None
            if joined != type:
                self.types[place], self.changed = joined, True
        if self.result is None:
            raise Unreached()
        return _append(lowering, self, values, node)


def call_recursive(
    lowering: Lowering, function: UserFunction, names: dict[str, Value], node: cst.CSTNode
) -> Value:
    """The result of a call of a function that calls itself."""
    recursion = lower_apart(lowering, function, names, closure_of([function], names), node)
    if recursion.loses:
        raise lowering.refuse(
            "recursion",
            f"`{function.name}` calls itself and writes to an item of an argument",
            node,
            help="pass the array itself",
        )
    lowering.recursions[function.node] = recursion
    return _append(lowering, recursion, recursion.arguments, node)


def closure_of(functions: list[UserFunction], names: dict[str, Value]) -> dict[str, Value]:
    """The numbers that functions read of the one around them, and that have to be passed along."""
    found: dict[str, Value] = {}
    pending, seen = list(functions), set[UserFunction]()
    while pending:
        function = pending.pop(0)
        if function in seen:
            continue
        seen.add(function)
        used = identifiers(function.node)
        for name, value in function.closure.items():
            if name not in used:
                continue
            if isinstance(value, UserFunction):
                pending.append(value)
            elif name not in names and numeric_leaves(value):
                found[name] = value
    return found


def lower_apart(
    lowering: Lowering,
    function: UserFunction,
    names: dict[str, Value],
    around: dict[str, Value],
    node: cst.CSTNode,
    gives_array: bool = False,
) -> Recursion:
    """A function lowered on its own, with a callee; `around` is what it reads from around it.

    With `gives_array` what it returns is converted as NumPy converts lists.
    """
    values = _current(lowering, {**names, **around}, node)
    recursion = Recursion(
        function,
        Callee(_unused_name(lowering, function)),
        values,
        [_plain(atom.type) for atom in numeric_atoms(values)],
        list(around),
        gives_array=gives_array,
    )
    for _ in range(MOST_TRIALS):
        mark = lowering.reporter.mark
        recursion.changed = False
        if any(isinstance(values[name], Structure) for name in recursion.growing):
            values = _grown(lowering, values, recursion.growing, node)
            recursion.arguments = values
            recursion.types = [_plain(atom.type) for atom in numeric_atoms(values)]
        _lower_callee(lowering, recursion, node)
        if not recursion.changed:
            break
        lowering.reporter.rewind(mark)
    else:
        raise lowering.refuse(
            "changes-kind",
            f"no types were found that fit every call of `{function.name}`",
            node,
            help="let it give values of one type",
        )
    if recursion.result is None:
        raise lowering.refuse("recursion", f"`{function.name}` calls itself without end", node)
    return recursion


def _unused_name(lowering: Lowering, function: UserFunction) -> str:
    """A name for the function in the module, which no other that is called there has."""
    name = function.name if function.name != "lambda" else "inner"
    lowered = (*lowering.recursions.values(), *lowering.apart.values())
    taken = {recursion.callee.name for recursion in lowered}
    while name in taken or (name in lowering.words and function.name == "lambda"):
        name += "_"
    return name


@overload
def _plain(type: Type) -> Type: ...


@overload
def _plain(type: None) -> None: ...


def _plain(type: Type | None) -> Type | None:
    """The type without what is known of an integer's value."""
    is_integer = isinstance(type, Number) and type.kind == "int"
    return Number("int") if is_integer else type


def _current(lowering: Lowering, values: dict[str, Value], node: cst.CSTNode) -> dict[str, Value]:
    """The values as they are now; an object is not read itself, only its attributes."""
    return {
        name: value
        if isinstance(value, FreeVariable) and value.attribute is not None
        else settled(lowering, value, node)  # type: ignore[misc]
        for name, value in values.items()
    }


def _grown(
    lowering: Lowering, values: dict[str, Value], names: set[str], node: cst.CSTNode
) -> dict[str, Value]:
    """The arguments with lists of unknown length where the function takes such."""
    made = dict(values)
    for name in names:
        value = values[name]
        if isinstance(value, Structure):
            longer = grown(lowering, value, None, node)
            change(lowering, value, longer, node)
            made[name] = longer
    return made


def numeric_atoms(values: dict[str, Value]) -> list[Var | Const]:
    return [atom for value in values.values() for atom in numeric_leaves(value)]


def _append(
    lowering: Lowering, recursion: Recursion, values: dict[str, Value], node: cst.CSTNode
) -> Value:
    """Append the call. What the function writes to its arguments are further results."""
    types = result_types(lowering, recursion, values)
    changes = {
        name: [_plain(atom.type) for atom in numeric_leaves(values[name])]
        for name in recursion.written
    }
    every = [*types, *(type for own in changes.values() for type in own)]
    names = lowering.builder.names
    targets = tuple(names.temporary(type) for type in every)
    lowering.builder.span = lowering.span(node)
    operands = (*numeric_atoms(values), *hidden_atoms(lowering, recursion))
    lowering.builder.append(call_of(recursion.callee, every), targets, *operands)
    rest = list(targets[len(types) :])
    for name, own in changes.items():
        new, rest = rest[: len(own)], rest[len(own) :]
        value = values[name]
        if isinstance(value, Container):
            after = filled(value, new)
            assert isinstance(after, Container)
            change(lowering, value, after, node)
        else:
            assert isinstance(value, Var)
            replace(lowering, value, new[0], node)
    assert recursion.result is not None
    return filled(recursion.result, targets[: len(types)])


def result_types(lowering: Lowering, recursion: Recursion, values: dict[str, Value]) -> list[Type]:
    """The types of the results of a call. A size that is only known inside of the function is that
    of an argument of this call, or one of which nothing is known here.
    """
    sizes = lowering.sizes
    known: dict[Symbol, Size] = {}
    for inside, atom in zip(recursion.types, numeric_atoms(values), strict=True):
        outside = sizes.resolve_type(atom.type)
        if isinstance(inside, Array) and isinstance(outside, Array):
            for size, other in zip(inside.shape or (), outside.shape or (), strict=False):
                if size.is_local and size.symbol is not None:
                    known.setdefault(size.symbol, other)

    def seen(size: Size) -> Size:
        if not size.is_local:
            return sizes.resolve(size)
        local = {symbol for symbol in size.symbols if symbol.startswith("?")}
        return sizes.resolve(size.substitute(known)) if local <= known.keys() else sizes.fresh()

    return [with_sizes(type, seen) for type in recursion.results]


def hidden_atoms(lowering: Lowering, recursion: Recursion) -> list[Var]:
    """The free variables that the function reads, as the caller has them."""
    free = [lowering.hidden[name][1] for name in recursion.hidden]
    return [tree for tree in free if isinstance(tree, Var)]


def _lower_callee(lowering: Lowering, recursion: Recursion, node: cst.CSTNode) -> None:
    """Lower the function once, with what is known so far."""
    from s2s_ad.frontend.operands import array_operand, current

    function = recursion.function
    words = identifiers(function.node)
    sizes = Sizes()
    sizes.assume = False
    # what is left open in the types of arguments and results keeps its symbol from trial to trial
    taken = recursion.open.union(*map(symbols_in, (*recursion.types, *recursion.results)))
    sizes.counter = max((int(symbol[1:]) for symbol in taken if symbol[0] == "?"), default=0)
    child = Lowering(lowering.reporter, Builder(Names(words), sizes), sizes, words=words)
    child.memory.exact = lowering.memory.exact
    child.recursions = {**lowering.recursions, function.node: recursion}
    child.recursive, child.branches = lowering.recursive, 1
    child.derive = lowering.derive
    child.held = lowering.held
    parameters: list[Var] = []
    names: dict[str, Value] = {}
    supply = iter(recursion.types)
    for name, value in recursion.arguments.items():
        own = [child.builder.names.fresh(name, next(supply)) for _ in numeric_leaves(value)]
        parameters += own
        inside = filled(value, own) if own else value
        if isinstance(inside, Container) and getattr(value, "identity", None) is not None:
            inside = named(child, inside)
        names[name] = inside
    child.parameters = set(parameters)
    frame = Frame(function, names, function.unit, function.scope, node)
    for name, value in function.closure.items():
        if name not in frame.locals and name.isidentifier():
            if isinstance(value, UserFunction) and value.closure is function.closure:
                # it reads the same names, which are parameters here
                value = replaced(value, closure=frame.names)
            frame.names.setdefault(name, value)
    names_before = dict(names)
    child.frames.append(frame)
    _pass_hidden(lowering, child, recursion, parameters)
    try:
        value = current(child, lower_body(child, function.node), function.node)
        if recursion.gives_array:
            value = array_operand(child, value, function.node)
    except Unreached:
        return
    written = _written(child, recursion, names_before)
    if written.keys() != recursion.written.keys():
        recursion.changed = True
    recursion.written = written
    for name, (free, _) in child.hidden.items():
        if name not in recursion.hidden:
            recursion.hidden[name], recursion.changed = free, True
    atoms = numeric_leaves(value)
    types = [_plain(atom.type) for atom in atoms]
    if recursion.result is not None and len(types) == len(recursion.results):
        joiner = Joiner(sizes, recursion.open)
        pairs = zip(recursion.results, types, strict=True)
        types = [_plain(joiner.loose(old, new) or new) for old, new in pairs]
    if recursion.result is None or types != recursion.results:
        recursion.changed = True
    recursion.result, recursion.results = value, types
    lowering.statements += child.statements
    every = (*atoms, *(atom for value in written.values() for atom in numeric_leaves(value)))
    recursion.callee.function = _function(child, recursion, parameters, every, words)
    recursion.callee.effect = any(
        isinstance(statement, Assign) and statement.op.effect
        for statement in all_statements(recursion.callee.function.body)
    )


def _written(child: Lowering, recursion: Recursion, before: dict[str, Value]) -> dict[str, Value]:
    """The arguments that the function has changed, as they are at its end."""
    memory = child.memory
    found: dict[str, Value] = {}
    for name in recursion.arguments:
        value = before[name]
        if isinstance(value, Var):
            if value in memory.latest:
                found[name] = memory.latest[value]
        elif isinstance(value, Container) and value.identity is not None:
            after = memory.contents[value.identity]
            if numeric_leaves(after) != numeric_leaves(value):
                found[name] = after
    roots = {value for value in found.values() if isinstance(value, Var)}
    recursion.loses = len(memory.foreign) > len(roots)
    return found


def _pass_hidden(
    lowering: Lowering, child: Lowering, recursion: Recursion, parameters: list[Var]
) -> None:
    """Free variables of the function go through the caller, which has them as parameters."""
    from s2s_ad.frontend.operands import hidden_parameter

    for name, free in recursion.hidden.items():
        tree = hidden_parameter(lowering, free, recursion.function.node)
        if not isinstance(tree, Var):
            raise lowering.refuse(
                "recursion",
                f"`{recursion.function.name}` calls itself and reads `{name}` from outside",
                recursion.function.node,
                help="pass it as an argument",
            )
        own = child.builder.names.fresh(name, tree.type)
        parameters.append(own)
        child.hidden[name] = (free, own)


def _function(
    child: Lowering,
    recursion: Recursion,
    parameters: list[Var],
    results: tuple[Var | Const, ...],
    words: frozenset[str],
) -> Function:
    made = Function(
        name=recursion.callee.name,
        formals=flat_formals(parameters),
        body=Block(tuple(parameters), tuple(child.builder.statements), results),
        output=flat_output(results),
        span=child.span(recursion.function.node),
        taken_names=words,
        guarded=False,
    )

    return with_settled_calls(as_known_now(child, made))


__all__ = [
    "Recursion",
    "call_recursive",
    "closure_of",
    "hidden_atoms",
    "lower_apart",
    "result_types",
]
