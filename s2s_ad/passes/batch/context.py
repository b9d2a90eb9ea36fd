"""What the rules of batching share: which values have the leading axis, and how others get it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from s2s_ad.frontend.rules import lower_line
from s2s_ad.ir import UNDEFINED, Assign, Atom, Const, Function, Var
from s2s_ad.operations import catalogue
from s2s_ad.operations.indexing import TUPLE
from s2s_ad.operations.lists import new_list
from s2s_ad.operations.result_types import normal_axes
from s2s_ad.operations.support import ASTYPE, BROADCAST_TO, DIMENSION, JOINED_SHAPE, NUMPY_SHAPE
from s2s_ad.passes.contributions import named
from s2s_ad.passes.sizes import can_compute, compute
from s2s_ad.rewrite import Builder, Names, definitions, first_unused_size
from s2s_ad.types import DTYPES, Array, ListOf, Number, Scalar, Size, Sizes, Type, dtype_of, rank_of

Operands = Mapping[str, Atom]
Rule = Callable[["Context", Assign, Operands], Atom | None]
ZEROS = ("numpy.zeros_like", "numpy.zeros")


class CannotBatch(Exception):
    """A value cannot have a leading axis here: the directions have to go one by one."""


def batched_type(type: Type, size: Size) -> Type:
    """The type of so many values of a type: numbers become arrays too."""
    match type:
        case ListOf(item):
            return ListOf(batched_type(item, size))
        case Array(dtype, shape):
            return Array(dtype, None if shape is None else (size, *shape))
        case Number() | Scalar():
            return Array(dtype_of(type), (size,))
    raise CannotBatch(f"a value of type {type}")


def dtype_constant(dtype: str) -> Const:
    """The argument `dtype` of what makes arrays: None where it is the default."""
    name = "bool_" if dtype == "bool" else DTYPES[dtype]
    return Const(None) if name == "float64" else Const(name, f"numpy.{name}")


class Context:
    """The statements so far, and for each variable with a leading axis the one that has it.

    `count` is the number of directions, `size` the same as a size.
    """

    def __init__(self, function: Function, count: Atom, size: Size) -> None:
        sizes = Sizes.knowing(function.assumptions, first_unused_size(function))
        self.builder = Builder(Names.of(function), sizes, role="tangent")
        self.count, self.size = count, size
        self.parameters = function.body.parameters
        self.definitions: dict[Var, Assign] = definitions(function.body)
        self.batched: dict[Atom, Var] = {}

    def type(self, type: Type) -> Type:
        return batched_type(type, self.size)

    def line(self, text: str, **values: Atom) -> Atom:
        """The value of an expression in Python."""
        return lower_line(self.builder, f"tangent_out = {text}", values).value

    def call(self, name: str, *operands: Atom) -> Var:
        """The result of an operation of the catalogue."""
        return self.builder.assign(catalogue().operations[name], *operands)

    @property
    def moving(self) -> set[Var]:
        """The variables that have a leading axis now."""
        return {atom for atom in self.batched if isinstance(atom, Var)}

    def now(self, atom: Atom) -> Atom:
        """What stands for an operand, with a leading axis or without."""
        return self.batched.get(atom, atom)

    # Shapes -------------------------------------------------------------------------------------

    def dimensions(self, type: Type, like: Atom | None = None) -> list[Atom] | None:
        """The sizes of a value of a type; `like` has the same shape. None if the rank is unknown,
        or a size that is known only while running.
        """
        shape = type.shape if isinstance(type, Array) else ()
        if shape is None:
            return None
        found: list[Atom] = []
        for axis, size in enumerate(shape):
            if can_compute(size, self.parameters):
                found.append(compute(self.builder.assign, size, self.parameters))
            elif like is not None:
                moved = like in self.batched
                place = Const(axis + 1 if moved else axis)
                found.append(self.builder.assign(DIMENSION, self.now(like), place))
            else:
                return None
        return found

    def shape(self, type: Type, like: Atom | None = None) -> Atom:
        """The shape of a value of a type with the leading axis."""
        found = self.dimensions(type, like)
        if found is not None:
            return self.together([self.count, *found])
        if like is None or like in self.batched:
            raise CannotBatch(f"the shape of a value of type {type}")
        inner = self.builder.assign(NUMPY_SHAPE, like)
        return self.builder.assign(JOINED_SHAPE, self.count, inner)

    def together(self, lengths: Sequence[Atom]) -> Atom:
        """A shape from its sizes."""
        if len(lengths) == 1:
            return lengths[0]
        if all(isinstance(length, Const) for length in lengths):
            return Const(tuple(length.value for length in lengths if isinstance(length, Const)))
        return self.builder.assign(TUPLE, *lengths)

    # Values -------------------------------------------------------------------------------------

    def lifted(self, atom: Atom, type: Type | None = None) -> Atom:
        """An operand with the leading axis, as a value of an unbatched type."""
        if atom in self.batched:
            # a Python float stands for scalars of every precision, an array for one only
            rows = self.batched[atom]
            is_list = isinstance(rows.type, ListOf)
            return rows if type is None or is_list else self.cast(rows, dtype_of(type))
        if atom in (UNDEFINED, Const(None)):
            return atom
        wanted = self.type(atom.type if type is None else type)
        if isinstance(wanted, ListOf):
            found = self.definitions.get(atom) if isinstance(atom, Var) else None
            if found is None or found.op.name != "list.new":
                raise CannotBatch("a list that does not move")
            return self.builder.assign(new_list(wanted.item))
        assert isinstance(wanted, Array)
        shape = self.shape(atom.type if type is None else type, self.shaped_like(atom))
        dtype = dtype_constant(wanted.dtype)
        if self.is_zero(atom):
            return self.call("numpy.zeros", shape, dtype)
        if isinstance(atom, Const):
            value = Const(float(atom.value)) if wanted.dtype[0] == "f" else atom
            return self.call("numpy.full", shape, value, dtype)
        spread = self.builder.assign(BROADCAST_TO, atom, shape)
        return self.cast(spread, wanted.dtype)

    def shaped_like(self, atom: Atom) -> Atom:
        """What an array was made like."""
        found = self.definitions.get(atom) if isinstance(atom, Var) else None
        while found is not None and found.op.name == "numpy.zeros_like":
            atom = found.operands[0]
            found = self.definitions.get(atom) if isinstance(atom, Var) else None
        return atom

    def is_zero(self, atom: Atom) -> bool:
        if isinstance(atom, Const):
            return str(atom.value) in ("0", "0.0")
        found = self.definitions.get(atom)
        return found is not None and found.op.name in ZEROS

    def cast(self, value: Atom, dtype: str) -> Atom:
        if dtype_of(value.type) == dtype:
            return value
        name = DTYPES[dtype]
        return self.builder.assign(ASTYPE, value, Const(name, f"numpy.{name}"))

    def settle(self, value: Atom, target: Var) -> None:
        """Let a value be the target with the leading axis: under its name, of its dtype."""
        wanted = self.type(target.type)
        if isinstance(wanted, Array):
            if not isinstance(value.type, Array):
                raise CannotBatch("a value without the leading axis")
            found = value.type.shape
            if found is not None and wanted.shape is not None and len(found) != len(wanted.shape):
                raise CannotBatch("a result of another rank")
            value = self.cast(value, wanted.dtype)
        made = named(self.builder, value, target.name)
        if made.type != wanted:
            # the same shape; sizes known only while running got names of their own
            last = self.builder.statements[-1]
            assert isinstance(last, Assign)
            retyped = Var(made.name, wanted, made.version)
            self.builder.statements[-1] = Assign(
                (retyped,), last.op, last.operands, last.span, last.role
            )
            made = retyped
        self.batched[target] = made


def operands_by_name(statement: Assign, context: Context) -> Mapping[str, Atom]:
    names = statement.op.operand_names(len(statement.operands))
    return dict(zip(names, map(context.now, statement.operands), strict=True))


def rank_before(statement: Assign, name: str) -> int | None:
    """The rank of an operand without the leading axis."""
    names = statement.op.operand_names(len(statement.operands))
    return rank_of(statement.operands[names.index(name)].type)


def raised(context: Context, rows: Atom, rank: int) -> Atom:
    """The rows as values of this rank: `rows[:, None]`."""
    now = rank_of(rows.type)
    if now is None or rank < now:
        return rows
    index = (slice(None), *[None] * (rank - now + 1))
    return context.call("getitem", rows, Const(index))


def behind(axis: Any, rank: int) -> Const:
    """Axes of a value of this rank, as axes of rows of such."""
    places = tuple(place + 1 for place in normal_axes(axis, rank))
    return Const(places if isinstance(axis, tuple) else places[0])


def same(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """The operation itself, of whatever rank."""
    return context.builder.assign(statement.op, *operands.values())
