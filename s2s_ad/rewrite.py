"""Building and rewriting IR: fresh names, a builder of typed statements, substitution, the one
traversal.

Passes take a `Function` and give a new one; nothing is changed in place. A `Builder` types what it
appends, folds nothing and knows no operation by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from operator import is_

from s2s_ad.diagnostics import Span
from s2s_ad.ir import (
    Assign,
    Atom,
    Block,
    Const,
    For,
    Formal,
    Function,
    If,
    Operation,
    Statement,
    Tree,
    Var,
    While,
    blocks_of,
    leaves,
    operands_of,
    tuple_of,
    with_leaves,
)
from s2s_ad.types import Array, Items, Sizes, Type


class Names:
    """Gives names that no variable of a function has: versions of a base name, and numbers for
    unnamed values.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._versions: dict[str, int] = {}
        self._temporaries = 0

    @staticmethod
    def of(function: Function) -> Names:
        names = Names(function.taken_names)
        for var in all_variables(function.body):
            names.saw(var)
        return names

    def saw(self, var: Var) -> None:
        known = self._versions.get(var.name)
        if known is None and "%" in var.name:
            number = int(var.name.rsplit("%", 1)[1])
            self._temporaries = max(self._temporaries, number)
        if known is None or known < var.version:
            self._versions[var.name] = var.version

    def fresh(self, name: str, type: Type) -> Var:
        version = self._versions.get(name, -1) + 1
        self._versions[name] = version
        return Var(name, type, version)

    def temporary(self, type: Type) -> Var:
        self._temporaries += 1
        while f"v{self._temporaries}" in self._taken:
            self._temporaries += 1
        return self.fresh(f"%{self._temporaries}", type)


class Builder:
    """Appends typed statements to a list. `span` and `role` are those of what is being lowered or
    differentiated.
    """

    def __init__(self, names: Names, sizes: Sizes, role: str = "primal") -> None:
        self.names = names
        self.sizes = sizes
        self.role = role
        self.span: Span | None = None
        self.statements: list[Statement] = []

    def assign(self, op: Operation, *operands: Atom, name: str = "") -> Var:
        """Append `target = op(operands)` and give the target. Raises TypeProblem if the operands do
        not fit.
        """
        type = self.sizes.resolve_type(op.infer(self.sizes, operands))
        target = self.names.fresh(name, type) if name else self.names.temporary(type)
        self.statements.append(Assign((target,), op, operands, self.span, self.role))
        return target

    @contextmanager
    def inside(self) -> Iterator[list[Statement]]:
        """Append to a new list for a while, that of a block."""
        outer, statements = self.statements, list[Statement]()
        self.statements = statements
        try:
            yield statements
        finally:
            self.statements = outer

    def append(self, op: Operation, targets: tuple[Var, ...], *operands: Atom) -> None:
        """Append a statement whose targets are made already."""
        self.statements.append(Assign(targets, op, operands, self.span, self.role))

    def retype_last(self, like: Var) -> Var:
        """Give the target of the last statement the name and type of another variable."""
        last = self.statements.pop()
        assert isinstance(last, Assign)
        target = self.names.fresh(like.name, like.type)
        self.statements.append(replace(last, targets=(target,)))
        return target

    def assign_several(self, op: Operation, *operands: Atom) -> tuple[Var, ...]:
        """The same for an operation with several results."""
        type = self.sizes.resolve_type(op.infer(self.sizes, operands))
        assert isinstance(type, Items)
        targets = tuple(self.names.temporary(item) for item in type.items)
        self.statements.append(Assign(targets, op, operands, self.span, self.role))
        return targets


def all_variables(block: Block) -> Iterator[Var]:
    """Every variable that the block defines, inner blocks included."""
    yield from block.parameters
    for statement in block.statements:
        yield from statement.targets
        for inner in blocks_of(statement):
            yield from all_variables(inner)


def all_statements(block: Block) -> Iterator[Statement]:
    for statement in block.statements:
        yield statement
        for inner in blocks_of(statement):
            yield from all_statements(inner)


def definitions(block: Block) -> dict[Var, Assign]:
    """The Wengert line that defines each variable, inner blocks included."""
    return {
        target: statement
        for statement in all_statements(block)
        if isinstance(statement, Assign)
        for target in statement.targets
    }


def first_unused_size(function: Function) -> int:
    """A number above those of all sizes known only while running: for passes that make more."""
    sizes = {
        size
        for var in all_variables(function.body)
        if isinstance(var.type, Array) and var.type.shape is not None
        for size in var.type.shape
        if size.is_local
    }
    numbers = [int(name[1:]) for size in sizes for name in size.symbols if name.startswith("?")]
    return max(numbers, default=0) + 1


def count_uses(block: Block) -> dict[Var, int]:
    """How often each variable is read, as an operand or as a result, inner blocks included."""
    uses: dict[Var, int] = {}

    def count(atoms: Iterable[Atom]) -> None:
        for atom in atoms:
            if isinstance(atom, Var):
                uses[atom] = uses.get(atom, 0) + 1

    def visit(block: Block) -> None:
        for statement in block.statements:
            count(operands_of(statement))
            for inner in blocks_of(statement):
                visit(inner)
        count(block.results)

    visit(block)
    return uses


def map_statement(
    statement: Statement,
    atom: Callable[[Atom], Atom],
    var: Callable[[Var], Var],
    block: Callable[[Block], Block],
) -> Statement:
    """The statement with every read atom, every defined variable and every inner block replaced."""
    targets = tuple([var(target) for target in statement.targets])
    if isinstance(statement, Assign):
        operands = tuple([atom(a) for a in statement.operands])
        if same_objects(operands, statement.operands) and same_objects(targets, statement.targets):
            return statement  # what is the same stays the same object: it is not checked again
        return Assign(targets, statement.op, operands, statement.span, statement.role)
    match statement:
        case For():
            start, stop, step = (atom(a) for a in statement.trip)
            return replace(
                statement,
                targets=targets,
                trip=(start, stop, step),
                initial=tuple(atom(a) for a in statement.initial),
                body=block(statement.body),
            )
        case While():
            return replace(
                statement,
                targets=targets,
                initial=tuple(atom(a) for a in statement.initial),
                test=block(statement.test),
                body=block(statement.body),
            )
        case If():
            return replace(
                statement,
                targets=targets,
                test=atom(statement.test),
                then=block(statement.then),
                orelse=block(statement.orelse),
            )


def same_objects(new: Sequence[object], old: Sequence[object]) -> bool:
    return all(map(is_, new, old))


def map_block(block: Block, atom: Callable[[Atom], Atom], var: Callable[[Var], Var]) -> Block:
    """The block with every atom it reads and every variable it defines replaced, all the way
    down.
    """

    def inner(block: Block) -> Block:
        return map_block(block, atom, var)

    return Block(
        tuple(var(parameter) for parameter in block.parameters),
        tuple(map_statement(statement, atom, var, inner) for statement in block.statements),
        tuple(atom(result) for result in block.results),
    )


def substitute(block: Block, values: Mapping[Var, Atom]) -> Block:
    """Replace reads of variables. A replacement is itself looked up, so chains need not be resolved
    first.
    """

    def atom(atom: Atom) -> Atom:
        while isinstance(atom, Var) and atom in values:
            atom = values[atom]
        return atom

    return map_block(block, atom, lambda var: var) if values else block


def rename(function: Function, new_name: Callable[[Var], Var]) -> Function:
    """Replace every variable, where it is defined and where it is read."""

    def atom(atom: Atom) -> Atom:
        return new_name(atom) if isinstance(atom, Var) else atom

    body = map_block(function.body, atom, new_name)
    formals = tuple(
        replace(formal, tree=map_tree(formal.tree, atom)) for formal in function.formals
    )
    return replace(
        function, body=body, formals=formals, output=with_leaves(function.output, body.results)
    )


def rename_variables(function: Function, new_names: Mapping[Var, Var]) -> Function:
    """Give some variables another name; all the rest stays the same object."""
    if not new_names:
        return function
    return rename(function, lambda var: new_names.get(var, var))


def map_tree(tree: Tree, atom: Callable[[Atom], Atom]) -> Tree:
    return with_leaves(tree, [atom(leaf) for leaf in leaves(tree)])


def with_body(function: Function, body: Block) -> Function:
    """The function with another body that has as many parameters and results."""
    return replace(function, body=body, output=with_leaves(function.output, body.results))


def formal_variables(formals: Iterable[Formal]) -> tuple[Var, ...]:
    return tuple(
        leaf for formal in formals for leaf in leaves(formal.tree) if isinstance(leaf, Var)
    )


def flat_formals(variables: Iterable[Var], taken: Iterable[str] = ()) -> tuple[Formal, ...]:
    """A parameter for each variable, called like it, and differently from the others."""
    formals: dict[str, Formal] = {}
    reserved = set(taken)
    for var in variables:
        name = var.base_name
        while name in formals or name in reserved:
            name += "_"
        formals[name] = Formal(name, var)
    return tuple(formals.values())


def flat_output(results: Sequence[Atom]) -> Tree:
    """What a function with these results returns: one by itself, several as a tuple."""
    if not results:
        return Const(None)
    if len(results) == 1:
        return results[0]
    return tuple_of(results)
