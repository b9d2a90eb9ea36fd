"""The intermediate representation: a structured Wengert list.

Every variable is assigned once. A function body, a loop body and a branch are all a `Block`:
parameters, statements, results. Values are pure mathematics: writing `x[i] = v` makes a new value
`x with [i] = v`; which values may share memory is settled by the last pass (`place_copies`), not
here. `show()` prints the grammar of `docs/ir.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from s2s_ad.diagnostics import Span
from s2s_ad.types import FLOAT, Items, ListOf, Number, Size, Sizes, Slice, Static, Type

# Atoms --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Var:
    """A value that is assigned once. `%3` in a name stands for the unnamed Wengert value printed as
    `v3`.
    """

    name: str
    type: Type = field(compare=False)
    version: int = 0
    hashed: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # looked up millions of times in a long function
        object.__setattr__(self, "hashed", hash((self.name, self.version)))

    def __hash__(self) -> int:
        return self.hashed

    @property
    def is_temporary(self) -> bool:
        return "%" in self.name

    @property
    def base_name(self) -> str:
        """The name as a programmer would write it, without the version."""
        return self.name.replace("%", "v")

    def __str__(self) -> str:
        return f"{self.base_name}.{self.version}" if self.version else self.base_name


@dataclass(frozen=True, slots=True, eq=False)
class Const:
    """A value known when compiling; `text` is how it is spelled where that is not its `repr`
    (`np.pi`).
    """

    value: Any
    text: str = ""

    @property
    def type(self) -> Type:
        return type_of_constant(self.value)

    @property
    def key(self) -> tuple[str, str, str]:
        # repr tells 0.0 from -0.0, 1 from 1.0 and nan from nothing, which == does not
        return (type(self.value).__name__, repr(self.value), self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Const) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        return self.text or spell_constant(self.value)


Atom = Var | Const


@dataclass(frozen=True)
class Opaque:
    """An argument that is not computed with: a function that is called, an object that is read.
    `name` is its own, or that of its class.
    """

    name: str
    is_function: bool


class Undefined:
    """What a name means on the paths that do not assign it: reading it raises, as in Python."""

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED = Const(Undefined())
"""Stands only where a loop or branch hands a value on: an initial value, a result of a block."""


def type_of_constant(value: Any) -> Type:
    match value:
        case bool():
            return Number("bool")
        case int():
            return Number("int", Size.of(value))
        case float():
            return FLOAT
        case complex():
            return Number("complex")
        case slice():
            start, stop, step = (
                type_of_constant(part) for part in (value.start, value.stop, value.step)
            )
            return Slice((start, stop, step))
        case tuple():
            return Items(tuple(type_of_constant(item) for item in value))
        case None:
            return Static("None")
    return Static("ellipsis" if value is Ellipsis else type(value).__name__)


def spell_constant(value: Any) -> str:
    """Python source for a constant; slices in the notation of subscripts."""
    if isinstance(value, slice):
        bounds = [
            "" if part is None else repr(part) for part in (value.start, value.stop, value.step)
        ]
        return ":".join(bounds if bounds[2] else bounds[:2])
    if isinstance(value, tuple):
        return f"({', '.join(map(spell_constant, value))}{',' if len(value) == 1 else ''})"
    return "..." if value is Ellipsis else repr(value)


# Operations ---------------------------------------------------------------------------------------


class NotDifferentiable(Exception):
    """No rule of an operation fits these operands; the message says why, `help` what to do
    instead.
    """

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help


@dataclass(frozen=True, eq=False)
class Rule:
    """Lines of Python that carry an adjoint from the result to the operands: text, or a function
    that writes the text.

    `when` says for which operands the lines hold; without it, for all.
    """

    lines: tuple[str, ...] | Callable[[Sequence[Atom]], tuple[str, ...]]
    when: Callable[[Sequence[Atom]], bool] | None = None

    def lines_for(self, operands: Sequence[Atom]) -> tuple[str, ...]:
        return self.lines(operands) if callable(self.lines) else self.lines


@dataclass(frozen=True, eq=False, repr=False)
class Operation:
    """What a Wengert line computes: its spelling, its type, its derivative, all from one
    declaration.

    `parameters` name the operands in the order of an `Assign`; one with a star takes any number.
    The operation prints as `template` (`{0} + {1}`) or, where that is empty, as a call of `call`;
    operands equal to `defaults` are left out, others with a default go by keyword. An `update` is
    the pure form of a statement that changes its first operand; its last target is the changed
    operand, one before that what the statement gives (`v = s.pop()`). An operation with several
    `results` (`Q, R = np.linalg.qr(a)`) has a target for each; its lines call them by their names.
    """

    name: str
    parameters: tuple[str, ...]
    evaluate: Callable[..., Any]
    infer: Callable[[Sizes, Sequence[Atom]], Type]
    results: tuple[str, ...] = ()  # names of the results, where there are several
    # spelling
    call: str = ""
    template: str = ""
    precedence: int = 16
    update: str = ""
    defaults: dict[str, Any] = field(default_factory=dict)
    printer: Callable[[Sequence[Atom], Sequence[str]], str] | None = None
    # derivative
    rules: tuple[Rule, ...] = ()
    # lines `tangent_out = ...` that add up, in the operands, `out` and `tangent_<operand>`
    tangent: str | tuple[str, ...] | Callable[[Sequence[Atom]], str | tuple[str, ...]] = ()
    linear: tuple[str, ...] = ()
    bilinear: tuple[str, ...] = ()
    constant: bool = False  # piecewise constant or not a float: carries no derivative
    constant_results: tuple[str, ...] = ()  # those of several results that are so
    # behaviour
    elementwise: bool = False
    broadcasts: tuple[str, ...] = ()  # operands whose contributions are summed back to their shape
    refused: tuple[str, ...] = ()  # operands in which no derivative is known
    shape_only: tuple[str, ...] = ()  # operands of which only shape and dtype are read
    view_of: str = ""  # the operand whose memory the result is, or may be (`may_copy`)
    may_copy: bool = False
    effect: bool = False  # never dropped, moved, shared or repeated
    helper: str = ""  # the function of operations/helpers.py that it calls
    declared: bool = False  # by a user
    module: str = ""  # what a generated module imports to call it
    source: str = ""  # the text of the user's function, which a generated module copies
    callee: Any = None  # of a call of a function of its own (`operations/calls.py`)
    implicit: Any = None  # what a solver's result is the solution of (`operations/implicit.py`)
    custom: Any = None  # of a call with a derivative of the program's own (`operations/custom.py`)
    # documentation and tests
    domains: dict[str, str] = field(default_factory=dict)
    samples: tuple[dict[str, Any], ...] = ()
    note: str = ""

    @cached_property
    def variadic(self) -> str:
        return next((name[1:] for name in self.parameters if name.startswith("*")), "")

    def operand_names(self, count: int) -> tuple[str, ...]:
        """A name for each of `count` operands: `*arrays` becomes arrays0, arrays1, ..."""
        if not self.variadic:
            return self.parameters
        names: list[str] = []
        repeated = count - len(self.parameters) + 1
        for name in self.parameters:
            names += [f"{name[1:]}{k}" for k in range(repeated)] if name.startswith("*") else [name]
        return tuple(names)

    def is_marked(self, marks: Sequence[str], operand: str) -> bool:
        """Whether `operand` (a name from `operand_names`) is among `marks`, which may name the
        starred parameter.
        """
        return operand in marks or (
            self.variadic in marks and operand.removeprefix(self.variadic).isdigit()
        )

    @property
    def result_names(self) -> tuple[str, ...]:
        """What rules call the results."""
        return self.results or ("out",)

    def moving(self, targets: Sequence[Var]) -> list[Var]:
        """The targets of a statement that may carry a derivative."""
        if not self.results:
            return list(targets)  # `v = s.pop()` has the changed list as another target
        names = zip(targets, self.result_names, strict=False)
        return [target for target, name in names if name not in self.constant_results]

    def tangent_lines(self, operands: Sequence[Atom]) -> tuple[str, ...]:
        """What `tangent` says for these operands."""
        stated = self.tangent(operands) if callable(self.tangent) else self.tangent
        return (stated,) if isinstance(stated, str) else stated

    def __repr__(self) -> str:
        return f"<operation {self.name}>"


# Statements ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Assign:
    """A Wengert line. `role` tells code of the primal from what a pass added: "primal", "adjoint",
    "tangent".
    """

    targets: tuple[Var, ...]
    op: Operation
    operands: tuple[Atom, ...]
    span: Span | None = None
    role: str = "primal"

    @property
    def target(self) -> Var:
        return self.targets[0]


@dataclass(frozen=True, slots=True)
class Block:
    parameters: tuple[Var, ...]
    statements: tuple[Statement, ...]
    results: tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class For:
    """`body` takes the loop variable and the carried values, and gives the next carried values.

    With `stops` the body gives one more value at the end, a boolean: if it is true, this trip was
    the last (that is what `break` and `return` become). `label` is the number that `adjoint` gives
    to a loop or branch, `undoes` that of the forward one which this one, of the reverse sweep,
    undoes.
    """

    targets: tuple[Var, ...]
    trip: tuple[Atom, Atom, Atom]
    initial: tuple[Atom, ...]
    body: Block
    span: Span | None = None
    role: str = "primal"
    stops: bool = False
    label: int = 0
    undoes: int = 0


@dataclass(frozen=True, slots=True)
class While:
    """`test` and `body` take the carried values; `test` gives one boolean, `body` the next carried
    values, and one more boolean if it `stops`, as in `For`.
    """

    targets: tuple[Var, ...]
    initial: tuple[Atom, ...]
    test: Block
    body: Block
    span: Span | None = None
    role: str = "primal"
    stops: bool = False
    label: int = 0


@dataclass(frozen=True, slots=True)
class If:
    """`then` and `orelse` take no parameters (they see what is before them) and give the targets'
    values.
    """

    targets: tuple[Var, ...]
    test: Atom
    then: Block
    orelse: Block
    span: Span | None = None
    role: str = "primal"
    label: int = 0
    undoes: int = 0


Statement = Assign | For | While | If


# Functions ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Structure:
    """A container of known structure: its leaves are the IR's variables. `kind`: tuple, list, dict
    or record.

    A record (named tuple or dataclass) keeps its field names as keys and its class name in
    `constructor`.
    """

    kind: str
    keys: tuple[Any, ...]
    items: tuple[Any, ...]  # atoms and structures; while lowering also functions and the like
    constructor: str = ""
    identity: Any = field(default=None, compare=False)  # while lowering: which object it is


Tree = Atom | Structure


def tuple_of(items: Sequence[Any], kind: str = "tuple") -> Structure:
    """A tuple, or a list, of items."""
    return Structure(kind, tuple(range(len(items))), tuple(items))


def numbered(tree: Tree) -> Tree:
    """The structure with numbers for the items of all tuples: in one that NumPy gives they have
    names (`Q`, `R`), by which a program may ask for them; outside of it they are those of a tuple.
    """
    if not isinstance(tree, Structure):
        return tree
    items = tuple(map(numbered, tree.items))
    keys = tuple(range(len(items))) if tree.kind == "tuple" else tree.keys
    return replace(tree, keys=keys, items=items)


@dataclass(frozen=True)
class Formal:
    """A parameter of the Python function. `hidden` ones are free variables of the function, read at
    each call.
    """

    name: str
    tree: Tree
    default: str | None = None
    kind: str = "positional"  # or "keyword", "positional-only"
    hidden: bool = False


@dataclass(frozen=True)
class Function:
    """A Python function as IR. `body.parameters` are the variables in `formals`, `body.results` the
    leaves of `output`.
    """

    name: str
    formals: tuple[Formal, ...]
    body: Block
    output: Tree
    span: Span | None = None
    constants: tuple[tuple[str, str], ...] = ()  # module constants copied along: name, source text
    taken_names: frozenset[str] = (
        frozenset()
    )  # names in the user's function, which no invented name may shadow
    statements: tuple[Span, ...] = ()  # where the user's statements stand
    guarded: bool = True  # whether the entry checks what the types of the parameters say
    assumptions: tuple[
        tuple[Size, Size], ...
    ] = ()  # equal sizes that parameters' shapes do not show
    written: tuple[str, ...] = ()  # parameters that the user's function writes to
    apart: tuple[tuple[str, str], ...] = ()  # containers of its parameters that must be two objects


def leaves(tree: Tree) -> Iterator[Atom]:
    """The atoms of a tree, in order."""
    if isinstance(tree, Structure):
        for item in tree.items:
            yield from leaves(item)
    else:
        yield tree


def with_leaves(tree: Tree, atoms: Sequence[Atom]) -> Tree:
    """The same tree with other atoms at its leaves, in order; None is returned for nothing."""
    if not atoms:
        return tree
    supply = iter(atoms)

    def build(tree: Tree) -> Tree:
        if isinstance(tree, Structure):
            return Structure(
                tree.kind, tree.keys, tuple(build(item) for item in tree.items), tree.constructor
            )
        return next(supply)

    return build(tree)


def containers_in(formals: Sequence[Formal]) -> Iterator[tuple[str, Structure | Var]]:
    """The lists, dicts and records among the arguments, each with the code that leads to it."""

    def search(tree: Tree, path: str) -> Iterator[tuple[str, Structure | Var]]:
        if not isinstance(tree, Structure):
            if isinstance(tree, Var) and isinstance(tree.type, ListOf):
                yield path, tree
            return
        if tree.kind != "tuple":
            yield path, tree
        for key, item in zip(tree.keys, tree.items, strict=True):
            yield from search(item, step_into(tree, key, path))

    for formal in formals:
        yield from search(formal.tree, formal.name)


def step_into(tree: Structure, key: object, path: str) -> str:
    """The code of an item of a container."""
    return (f"{path}.{key}" if tree.kind == "record" else f"{path}[{key!r}]").replace("'", '"')


def path_to_record(formals: Sequence[Formal], record: Structure) -> str:
    """Source for a record of the same class among the parameters; "" if there is none."""

    def search(tree: Tree, path: str) -> str:
        if not isinstance(tree, Structure):
            return ""
        if tree.kind == "record" and (tree.constructor, tree.keys) == wanted:
            return path
        for key, item in zip(tree.keys, tree.items, strict=True):
            found = search(item, step_into(tree, key, path))
            if found:
                return found
        return ""

    wanted = (record.constructor, record.keys)
    return next(filter(None, (search(formal.tree, formal.name) for formal in formals)), "")


def record_type(record: Structure) -> Var:
    """The variable that holds the class of a record, where no record of it is at hand."""
    return Var(f"{record.constructor}_type", Static("type"))


def records_in(tree: Tree) -> Iterator[Structure]:
    if isinstance(tree, Structure):
        if tree.kind == "record":
            yield tree
        for item in tree.items:
            yield from records_in(item)


def blocks_of(statement: Statement) -> tuple[Block, ...]:
    if isinstance(statement, Assign):
        return ()  # nearly every statement is one, and this is asked for more often than anything
    match statement:
        case For(body=body):
            return (body,)
        case While(test=test, body=body):
            return (test, body)
        case If(then=then, orelse=orelse):
            return (then, orelse)


def operands_of(statement: Statement) -> tuple[Atom, ...]:
    """The atoms a statement reads itself, those inside its blocks not counted."""
    if isinstance(statement, Assign):
        return statement.operands
    match statement:
        case For(trip=trip, initial=initial):
            return (*trip, *initial)
        case While(initial=initial):
            return initial
        case If(test=test):
            return (test,)


# Printing -----------------------------------------------------------------------------------------


def show(function: Function) -> str:
    """The function in the notation of `docs/ir.md`, the same at every stage."""
    lines = [
        f"function {function.name}({', '.join(f'{v}: {v.type}' for v in function.body.parameters)})"
    ]
    _show_block(function.body, lines, 1)
    results = ", ".join(map(str, function.body.results))
    lines.append(f"  return {results}")
    return "\n".join(lines) + "\n"


def show_assign(statement: Assign) -> str:
    """One Wengert line, without its comment."""
    left = ", ".join(map(str, statement.targets))
    right = show_right_side(statement.op, statement.operands)
    return f"{left} = {right}" if left else right


def show_right_side(op: Operation, operands: Sequence[Atom]) -> str:
    texts = [str(atom) for atom in operands]
    if op.update:
        is_call = op.update.startswith("np.")
        return f"{texts[0]} with {op.update.format(texts[0] if is_call else '', *texts[1:])}"
    if op.printer:
        return op.printer(operands, texts)
    return op.template.format(*texts) if op.template else spell_call(op, operands, texts)


def spell_call(op: Operation, operands: Sequence[Atom], texts: Sequence[str]) -> str:
    """The call an operation prints as: defaults left out, a starred parameter within its
    brackets.
    """
    shown: list[str] = []
    grouped: list[str] = []
    bracket = op.call[-1] if op.call[-1] in "([" else ""
    for name, text, atom in zip(op.operand_names(len(operands)), texts, operands, strict=True):
        if name in op.defaults:
            if atom != Const(op.defaults[name]):
                shown.append(f"{name}={text}")
        elif bracket and op.is_marked((op.variadic,), name):
            grouped.append(text)
            if len(grouped) == 1:
                shown.append("")
        else:
            shown.append(text)
    if bracket:
        group = ", ".join(grouped) + ("," if len(grouped) == 1 and bracket == "(" else "")
        shown[shown.index("")] = f"({group})" if bracket == "(" else f"[{group}]"
    return f"{op.call.rstrip('([')}({', '.join(shown)})"


def _show_block(block: Block, lines: list[str], depth: int) -> None:
    indent = "  " * depth
    for statement in block.statements:
        match statement:
            case Assign(targets=targets, span=span):
                text = f"{indent}{show_assign(statement)}"
                types = ", ".join(str(target.type) for target in targets)
                where = f"line {span.line}" if span else ""
                lines.append(f"{text:<43} # {types:<8} {where}".rstrip())
            case For(targets=targets, trip=trip, initial=initial, body=body, stops=stops):
                carried = _show_carried(body.parameters[1:], initial)
                bounds = ", ".join(map(str, trip))
                head = f"{_show_targets(targets)}for {body.parameters[0]} in range({bounds})"
                lines.append(f"{indent}{head}{carried}")
                _show_inner(body, "next", lines, depth + 1, stops)
            case While(targets=targets, initial=initial, test=test, body=body, stops=stops):
                carried = _show_carried(test.parameters, initial)
                lines.append(f"{indent}{_show_targets(targets)}while{carried}")
                _show_inner(test, "test", lines, depth + 1)
                lines.append(f"{indent}do{_show_carried(body.parameters, test.parameters)}")
                _show_inner(body, "next", lines, depth + 1, stops)
            case If(targets=targets, test=condition, then=then, orelse=orelse):
                lines.append(f"{indent}{_show_targets(targets)}if {condition}")
                _show_inner(then, "give", lines, depth + 1)
                lines.append(f"{indent}else")
                _show_inner(orelse, "give", lines, depth + 1)


def _show_targets(targets: Sequence[Var]) -> str:
    return f"{', '.join(map(str, targets))} = " if targets else ""


def _show_carried(parameters: Sequence[Var], initial: Sequence[Atom]) -> str:
    if not initial:
        return ""
    return " carrying " + ", ".join(f"{p} = {a}" for p, a in zip(parameters, initial, strict=True))


def _show_inner(block: Block, word: str, lines: list[str], depth: int, stops: bool = False) -> None:
    _show_block(block, lines, depth)
    results = block.results[:-1] if stops else block.results
    until = f"until {block.results[-1]}" if stops else ""
    if block.results:
        handed = f"{word} {', '.join(map(str, results))}" if results else ""
        lines.append("  " * depth + " ".join(filter(None, (handed, until))))


__all__ = [
    "UNDEFINED",
    "Assign",
    "Atom",
    "Block",
    "Const",
    "For",
    "Formal",
    "Function",
    "If",
    "Items",
    "NotDifferentiable",
    "Number",
    "Operation",
    "Rule",
    "Statement",
    "Static",
    "Structure",
    "Tree",
    "Undefined",
    "Var",
    "While",
    "blocks_of",
    "leaves",
    "operands_of",
    "show",
    "show_assign",
    "spell_call",
    "spell_constant",
    "tuple_of",
    "with_leaves",
]
