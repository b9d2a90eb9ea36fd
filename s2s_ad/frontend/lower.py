"""libcst to typed IR: functions and statements. Expressions are in `expressions.py`, calls in
`calls.py`.

What comes in: a function whose source is at hand and the types of its parameters. What goes out: a
`Function`, or a DifferentiationError with every refusal found. Names are bound to values; aliases
and containers of known structure vanish. Calls of the user's other functions are lowered in place,
with their own spans.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import combinations
from typing import Any, TypeVar

import libcst as cst

from s2s_ad.diagnostics import DifferentiationError, Reporter, Span
from s2s_ad.frontend.annotations import TypeTree
from s2s_ad.frontend.live import is_flag
from s2s_ad.frontend.powers import keep_real
from s2s_ad.frontend.prune import prune
from s2s_ad.frontend.resolve import FileScope, every_parameter, names_bound, names_bound_in
from s2s_ad.frontend.source import Unit, walk
from s2s_ad.frontend.values import (
    FreeVariable,
    Given,
    Growing,
    Identity,
    RecursionFound,
    Refused,
    Scope,
    UserClass,
    UserFunction,
    Value,
)
from s2s_ad.frontend.views import ask_layouts
from s2s_ad.frontend.writes import Memory
from s2s_ad.ir import (
    Assign,
    Atom,
    Block,
    Const,
    Formal,
    Function,
    Operation,
    Statement,
    Structure,
    Tree,
    Var,
    containers_in,
    leaves,
    numbered,
    path_to_record,
    records_in,
    tuple_of,
)
from s2s_ad.operations import catalogue
from s2s_ad.operations.calls import retyped
from s2s_ad.operations.complex_numbers import complex_form
from s2s_ad.operations.lists import new_list
from s2s_ad.options import Options
from s2s_ad.rewrite import Builder, Names, formal_variables, map_statement, rename, with_body
from s2s_ad.types import Array, Items, ListOf, Number, Size, Sizes, Type, TypeProblem, is_complex

MAXIMUM_DEPTH = 60


# a minute's work
MOST_STEPS = 20_000
HANG_ON_FLAGS = ("changes-kind", "missing-return", "not-constant")  # refusals


SIZE_NAMES = ("n", "m", "k", "d", "p", "q", "r")


T = TypeVar("T")


# What differentiates a function inside of another one: the pipeline, which lowering does not know
Derive = Callable[[Function, Options], Function]


@dataclass
class Frame:
    """A function being lowered: its names, where it looks up others, and its text for messages."""

    function: UserFunction
    names: dict[str, Value]
    unit: Unit
    scope: Scope
    call: cst.CSTNode | None = None
    expected: list[set[str]] = field(default_factory=list)  # what the loops around here assign
    items: list[dict[str, Value]] = field(default_factory=list)  # of comprehensions around here

    @cached_property
    def locals(self) -> frozenset[str]:
        """The names that the function assigns: they mean nothing else in it, anywhere."""
        node = self.function.node
        if isinstance(node, cst.Lambda):
            return frozenset()
        return names_bound(self.unit, node.body)

    @cached_property
    def rebinds(self) -> frozenset[str]:
        """The names of the function around this one that it assigns: `nonlocal total`."""
        if not self.function.closure:
            return frozenset()
        return names_declared(self.unit, self.function.node) & self.function.closure.keys()


@dataclass
class Lowering:
    """The state of lowering one function; `expressions` and `calls` work on it."""

    reporter: Reporter
    builder: Builder
    sizes: Sizes
    outer: list[list[Statement]] = field(default_factory=list)  # of the blocks around this one
    branches: int = 0  # how many branches and loops are around this place
    choices: int = 0  # how many of them are branches
    postponed: int = 0  # how many statements read what is not known yet
    plans: dict[object, object] = field(default_factory=dict)  # of loops lowered before
    frames: list[Frame] = field(default_factory=list)
    statements: list[Span] = field(default_factory=list)
    hidden: dict[str, tuple[FreeVariable, Tree]] = field(default_factory=dict)
    refined: dict[Var, Type] = field(default_factory=dict)
    parameters: set[Var] = field(default_factory=set)
    words: frozenset[str] = frozenset()
    taken_formals: frozenset[str] = frozenset()
    named_sizes: int = 0
    steps: int = 0
    memory: Memory = field(default_factory=Memory)
    literal_defaults: dict[str, Const] = field(default_factory=dict)
    wanted_constants: set[str] = field(default_factory=set)
    wanted_free: set[object] = field(default_factory=set)  # free variables needed as constants
    fixed_free: frozenset[object] = frozenset()  # those that are taken as constants
    recursive: frozenset[cst.CSTNode] = frozenset()  # functions that call themselves
    recursions: dict[Any, Any] = field(default_factory=dict)  # those that were, or are, lowered
    derive: Derive | None = None
    apart: dict[Any, Any] = field(default_factory=dict)  # functions that solvers call
    classes: dict[str, UserClass] = field(default_factory=dict)  # of objects that were made
    held: dict[int, Identity] = field(default_factory=dict)  # what objects from outside were given
    consumed: set[cst.CSTNode] = field(
        default_factory=set
    )  # generators gone through in their place
    computed: bool = False  # whether code of an object from outside was asked for an attribute
    asked: set[tuple[int, str]] = field(default_factory=set)  # attributes read from such objects
    customs: dict[Any, Any] = field(default_factory=dict)  # rules of calls that are being made

    @property
    def frame(self) -> Frame:
        return self.frames[-1]

    def hidden_variables(self) -> set[Var]:
        """The arrays and numbers outside of the function that it reads."""
        trees = [tree for _, tree in self.hidden.values()]
        return {leaf for tree in trees for leaf in leaves(tree) if isinstance(leaf, Var)}

    def definition(self, var: Var) -> Assign | None:
        """The statement that made a variable, if one did."""
        for statements in (self.builder.statements, *reversed(self.outer)):
            for statement in reversed(statements):
                if isinstance(statement, Assign) and var in statement.targets:
                    return statement
        return None

    def span(self, node: cst.CSTNode) -> Span:
        return self.frame.unit.span(node)

    def code(self, node: cst.CSTNode) -> str:
        return self.frame.unit.code(node)

    def refuse(
        self, name: str, message: str, node: cst.CSTNode, *, label: str = "", help: str = ""
    ) -> Refused:
        """Report; the caller raises what this gives."""
        if name in HANG_ON_FLAGS:
            self.want_flags()
        self.reporter.error(name, message, self.span(node), label=label, help=help)
        return Refused()

    def report(self, problem: DifferentiationError) -> None:
        """Report what was refused elsewhere."""
        for each in problem.diagnostics:
            self.reporter.error(
                each.name,
                each.message,
                each.span,
                label=each.label,
                notes=each.notes,
                help=each.help,
            )

    def assign(
        self,
        op: Operation,
        operands: tuple[Atom, ...] | list[Atom],
        node: cst.CSTNode,
        name: str = "",
    ) -> Var:
        """Append a Wengert line; what its operands do not fit is reported at the node."""
        if op.name == "**":
            keep_real(self, operands[0], operands[1], node)
        return self._typed(
            lambda: self.builder.assign(complex_form(op, operands), *operands, name=name),
            operands,
            node,
        )

    def assign_several(
        self, op: Operation, operands: tuple[Atom, ...] | list[Atom], node: cst.CSTNode
    ) -> tuple[Var, ...]:
        """The same for an operation with several results."""
        return self._typed(
            lambda: self.builder.assign_several(complex_form(op, operands), *operands),
            operands,
            node,
        )

    def count(self, node: cst.CSTNode) -> None:
        """Refuse, at once, functions that grow without bounds as their calls are followed."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            message = f"this takes more than {MOST_STEPS} operations, all calls followed"
            self.refuse("too-large", message, node, help="use a loop, or arrays")
            self.reporter.raise_if_any()

    def _typed(
        self, assign: Callable[[], T], operands: tuple[Atom, ...] | list[Atom], node: cst.CSTNode
    ) -> T:
        self.count(node)
        self.builder.span = self.span(node)
        try:
            return assign()
        except TypeProblem as problem:
            if problem.name == "not-constant":
                self.want_constants(operands)
            raise self.refuse(problem.name, str(problem), node, help=problem.help) from None

    def want_constants(self, operands: Iterable[Atom]) -> None:
        """Note that parameters and free variables among these would do if they were constants."""
        pending = [operand for operand in operands if isinstance(operand, Var)]
        while pending:
            var = pending.pop()
            if var in self.parameters:
                self.wanted_constants.add(var.name)
            for free, tree in self.hidden.values():
                if var in leaves(tree):
                    self.wanted_free.add(free.identity)
            made = self.definition(var)
            if made is not None and made.op.name == "builtins.tuple":
                pending += [each for each in made.operands if isinstance(each, Var)]

    def want_flags(self) -> None:
        """Note that flags and small integers would do if they were constants: which path is taken,
        or which item is meant, may hang on each of them.
        """
        flags = (
            v for v in self.parameters if isinstance(v.type, Number) and v.type.kind != "float"
        )
        self.wanted_constants.update(var.name for var in flags)
        frees = (free for free, _ in self.hidden.values() if is_flag(free.read()))
        self.wanted_free.update(free.identity for free in frees)

    def effect(self, op: Operation, operands: list[Atom]) -> None:
        """Append a statement that is there for what it does."""
        self.builder.statements.append(Assign((), op, tuple(operands), self.builder.span))

    def operation(self, name: str) -> Operation:
        return catalogue().operations[name]

    def parameter_size(self) -> Size:
        """A size of a parameter that nobody has named."""
        self.named_sizes += 1
        name = (
            SIZE_NAMES[self.named_sizes - 1]
            if self.named_sizes <= len(SIZE_NAMES)
            else f"n{self.named_sizes}"
        )
        return self.parameter_size() if name in self.words else Size.of(name)

    def refine(self, var: Var, type: Type) -> None:
        """A parameter turns out to be of a more special type; later code sees it so."""
        self.refined[var] = type
        special = Var(var.name, type, var.version)
        for name, value in self.frames[0].names.items():
            if value == var:
                self.frames[0].names[name] = special


# Functions ----------------------------------------------------------------------------------------


def lower_function(
    function: UserFunction,
    argument_types: Mapping[str, TypeTree | Const | Given] | None = None,
    bound: Mapping[str, Value] | None = None,
    recursive: frozenset[cst.CSTNode] = frozenset(),
    fixed_free: frozenset[object] = frozenset(),
    derive: Derive | None = None,
    exact: bool = False,
    given: Mapping[str, Const] | None = None,
) -> tuple[Function, list[FreeVariable]]:
    """Lower a function. `argument_types` overrides what annotations, defaults and use say about a
    parameter.

    Parameters that are `bound`, as `self` of a bound method is, are left out; free variables that
    are `fixed_free` are constants; `derive` takes the derivatives that the function itself asks for
    (`grad(g)(x)`); `exact` tells by flags which arrays are one on some paths only. `given` are the
    values of flags and small integers at the call: code is made for those that it has to know.
    Gives the function and the free variables that became hidden parameters, in their order. Raises
    DifferentiationError.
    """
    from s2s_ad.frontend.parameters import formal_parameters

    again = partial(
        lower_function, function, argument_types=argument_types, bound=bound, recursive=recursive,
        fixed_free=fixed_free, derive=derive, exact=exact, given=given,
    )  # fmt: skip
    reporter = Reporter()
    sizes = Sizes()
    words = identifiers(function.node)
    taken = words | _named_sizes(function.node, (argument_types or {}).values())
    lowering = Lowering(
        reporter, Builder(Names(words), sizes), sizes, words=taken, recursive=recursive,
        fixed_free=fixed_free, derive=derive,
    )  # fmt: skip
    lowering.memory.exact = exact
    frame = Frame(function, dict(bound or {}), function.unit, function.scope)
    lowering.frames.append(frame)
    formals: list[Formal] = []
    output: Tree = Const(None)
    try:
        formals = formal_parameters(lowering, function, argument_types or {})
        lowering.taken_formals = frozenset(formal.name for formal in formals)
        lowering.parameters = {
            leaf for formal in formals for leaf in leaves(formal.tree) if isinstance(leaf, Var)
        }
        if exact:
            ask_layouts(lowering, formal_variables(formals))
        output = tree_of(lowering, _whole(lowering, function), function.node)
        if any(is_complex(leaf.type) for leaf in leaves(output)):
            raise lowering.refuse(
                "complex-number",
                f"`{function.name}` returns a complex number",
                function.node,
                help="return its real and its imaginary part",
            )
        _check_records(lowering, formals, output, function.node)
    except RecursionFound as found:
        every = recursive | {found.node}
        return again(recursive=every)
    except Refused:
        pass
    except RecursionError:
        reporter.error(
            "too-deep",
            "the expression is nested too deeply",
            lowering.span(function.node),
            help="split it over several statements",
        )
    constants = _constants_wanted(lowering, argument_types or {}, given or {})
    if reporter.diagnostics and constants:
        # `axis=0` as a default: the module is for that value, and checks it
        return again(argument_types={**(argument_types or {}), **constants})
    if reporter.diagnostics and lowering.wanted_free - fixed_free:
        # an axis or a shape that is a free variable: the code is for the value that it has now
        free = fixed_free | lowering.wanted_free
        return again(fixed_free=free)
    if not exact and any(each.name == "write-through-view" for each in reporter.diagnostics):
        # flags make the code longer: they are for programs that need them
        return again(exact=True)
    reporter.raise_if_any()
    for name, (_, tree) in lowering.hidden.items():
        formals.append(Formal(name, tree, kind="keyword", hidden=True))
    return _finish(lowering, function, formals, output, words), [
        free for free, _ in lowering.hidden.values()
    ]


def _constants_wanted(
    lowering: Lowering,
    argument_types: Mapping[str, TypeTree | Const | Given],
    given: Mapping[str, Const],
) -> dict[str, Const]:
    """The parameters that are needed as constants, where their values are known."""
    known = {k: v for k, v in lowering.literal_defaults.items() if k not in argument_types}
    known |= {k: v for k, v in given.items() if not isinstance(argument_types.get(k), Const)}
    return {name: known[name] for name in known if name in lowering.wanted_constants}


def _check_records(
    lowering: Lowering, formals: list[Formal], output: Tree, node: cst.CSTNode
) -> None:
    """A module knows the class of a record that it returns from those that it is given."""
    for record in records_in(output):
        if not path_to_record(formals, record):
            raise lowering.refuse(
                "unsupported-value",
                f"this returns an object of the class `{record.constructor}`, and is given none",
                node,
                help="return a tuple or a dict",
            )


def _whole(lowering: Lowering, function: UserFunction) -> Value:
    """What the function gives that is differentiated."""
    if function.solves is not None:
        from s2s_ad.frontend.calls_implicit import call_solver

        return call_solver(lowering, function, dict(lowering.frame.names), function.node)
    custom = getattr(function.scope, "custom_function", None)
    found = custom(function) if custom is not None else None
    if found is not None:
        from s2s_ad.frontend.calls_custom import call_as_whole

        return call_as_whole(lowering, found, function)
    if function.node not in lowering.recursive:
        return lower_body(lowering, function.node)
    from s2s_ad.frontend.recursion import call_recursive

    return call_recursive(lowering, function, dict(lowering.frame.names), function.node)


def _named_sizes(
    node: cst.FunctionDef | cst.Lambda, types: Iterable[TypeTree | Const | Given]
) -> frozenset[str]:
    """The names of sizes that arguments and annotations give: none may be invented anew."""
    found: set[str] = set()
    pending: list[Any] = list(types)
    while pending:
        tree = pending.pop()
        if isinstance(tree, Structure):
            pending.extend(tree.items)
        elif isinstance(tree, Array):
            found.update(*(size.symbols for size in tree.shape or ()))
    for param in every_parameter(node.params):
        if param.annotation is not None:
            text = cst.Module(body=[]).code_for_node(param.annotation.annotation)
            found.update(re.findall(r"[A-Za-z_]\w*", text))
    return frozenset(found)


def _finish(
    lowering: Lowering,
    function: UserFunction,
    formals: list[Formal],
    output: Tree,
    words: frozenset[str],
) -> Function:
    parameters = tuple(
        leaf for formal in formals for leaf in leaves(formal.tree) if isinstance(leaf, Var)
    )
    body = Block(parameters, tuple(lowering.builder.statements), tuple(leaves(output)))
    scope = function.scope
    constants = tuple(scope.constants_used.items()) if isinstance(scope, FileScope) else ()
    result = Function(
        name=function.name,
        formals=tuple(formals),
        body=body,
        output=numbered(output),
        span=lowering.span(function.node),
        constants=constants,
        taken_names=words | frozenset(name for name, _ in constants),
        statements=tuple(lowering.statements),
        assumptions=lowering.sizes.checked_at_entry(),
        written=tuple(str(var) for var in parameters if var in lowering.memory.foreign),
        apart=tuple(_apart(lowering, formals)),
    )

    known = with_settled_calls(as_known_now(lowering, result))
    return prune(known, lowering.memory.taken_again)


def _apart(lowering: Lowering, formals: list[Formal]) -> Iterator[tuple[str, str]]:
    """The containers that may not be one object: one of them is changed, and the other one would
    change with it, or the function has asked whether they are one.
    """
    memory = lowering.memory
    if not (memory.changed or memory.told_apart):
        return
    alike: dict[object, list[tuple[str, Identity]]] = {}
    for path, container in containers_in(formals):
        found = (path, _identity(lowering, container))
        alike.setdefault(_skeleton(container), []).append(found)
    for group in alike.values():
        for (path, one), (other_path, other) in combinations(group, 2):
            pair = frozenset((one, other))
            if pair & memory.changed or pair in memory.told_apart:
                yield path, other_path


def _skeleton(tree: Tree) -> object:
    """How a container is built, whatever its leaves are."""
    if not isinstance(tree, Structure):
        return isinstance(tree.type, ListOf)
    return tree.kind, tree.keys, tuple(map(_skeleton, tree.items))


def _identity(lowering: Lowering, container: Structure | Var) -> Identity:
    """The object that an argument was when the function began."""
    if isinstance(container, Var):
        return lowering.memory.lists[container.name]
    found: Identity = container.identity
    return found


def as_known_now(lowering: Lowering, function: Function) -> Function:
    """The function with the types that its variables have turned out to have."""

    def known(var: Var) -> Var:
        type = lowering.refined.get(var, var.type)
        return Var(var.name, lowering.sizes.resolve_type(type), var.version)

    return rename(function, known)


def with_settled_calls(function: Function) -> Function:
    """The function with calls, and new lists, that give what their targets are: sizes were made
    equal since.
    """

    def block(block: Block) -> Block:
        return Block(block.parameters, tuple(map(visit, block.statements)), block.results)

    def visit(statement: Statement) -> Statement:
        if not isinstance(statement, Assign):
            return map_statement(statement, lambda atom: atom, lambda var: var, block)
        op = statement.op
        if op.name == "list.new" and isinstance(statement.targets[0].type, ListOf):
            return replace(statement, op=new_list(statement.targets[0].type.item))
        if op.callee is None and op.implicit is None:
            return statement
        return replace(statement, op=retyped(op, [target.type for target in statement.targets]))

    return with_body(function, block(function.body))


def identifiers(node: cst.CSTNode) -> frozenset[str]:
    """Every name in the function: none of them may be invented anew."""
    return frozenset(each.value for each in walk(node) if isinstance(each, cst.Name))


def names_declared(unit: Unit, node: cst.CSTNode) -> frozenset[str]:
    """The names that a function says are not its own: `nonlocal total`. Found once."""
    if node in unit.declared:
        return unit.declared[node]
    found: set[str] = set()
    pending: list[cst.CSTNode] = list(node.children)
    while pending:
        current = pending.pop()
        if isinstance(current, cst.Nonlocal):
            found.update(item.name.value for item in current.names)
        if not isinstance(current, cst.FunctionDef | cst.ClassDef):
            pending.extend(current.children)
    unit.declared[node] = frozenset(found)
    return unit.declared[node]


def tree_of(lowering: Lowering, value: Value, node: cst.CSTNode) -> Tree:
    """A value as something a function can return."""
    from s2s_ad.frontend.operands import current

    value = current(lowering, value, node)
    if isinstance(value, Growing):
        if value.item is None or isinstance(value.item, Structure):
            raise lowering.refuse(
                "unsupported-value", "a list of this kind cannot be returned", node
            )
        return value.items[0]  # type: ignore[no-any-return]
    if isinstance(value, Structure):
        by_name = value.kind in ("dict", "record")  # not the named tuples of NumPy
        return Structure(
            value.kind,
            value.keys if by_name else tuple(range(len(value.items))),
            tuple(tree_of(lowering, item, node) for item in value.items),
            value.constructor,
        )
    if isinstance(value, Var) and isinstance(value.type, Items):
        from s2s_ad.frontend.unpacking import unpack

        items = tuple(unpack(lowering, value, len(value.type.items), node))
        return tree_of(lowering, tuple_of(items), node)
    if isinstance(value, Var | Const):
        return value
    raise lowering.refuse("unsupported-value", "a function cannot be returned", node)


# Statements ---------------------------------------------------------------------------------------


def lower_body(lowering: Lowering, node: cst.FunctionDef | cst.Lambda) -> Value:
    """Lower a function's body in the current frame and give what it returns."""
    from s2s_ad.frontend import jumps
    from s2s_ad.frontend.expressions import lower_expression

    if isinstance(node, cst.Lambda):
        lowering.statements.append(lowering.span(node.body))
        return lower_expression(lowering, node.body)
    if node.asynchronous is not None:
        raise lowering.refuse(
            "unsupported-syntax",
            "`async` functions are not supported",
            node,
            help="write a plain `def`",
        )
    names = lowering.frame.names
    jumps.start_flow(names)
    jumps.lower_suite(lowering, jumps.statements_of(node.body))
    return jumps.result(lowering, node)


def names_changed_by(node: cst.CSTNode) -> set[str]:
    """The names a statement would have bound, and those of the arrays it would have changed."""
    found = names_bound_in(node)
    for current in walk(node):
        if isinstance(current, cst.AssignTarget | cst.AugAssign):
            target: cst.CSTNode = current.target
            while isinstance(target, cst.Subscript | cst.Attribute):
                target = target.value
            if isinstance(target, cst.Name):
                found.add(target.value)
        elif isinstance(current, cst.Global | cst.Nonlocal):
            found.update(item.name.value for item in current.names)
    return found


def lower_statement(lowering: Lowering, node: cst.CSTNode) -> None:
    from s2s_ad.frontend import statements

    handler = statements.HANDLERS.get(type(node))
    if handler is None:
        raise statements.refuse_statement(lowering, node)
    if not isinstance(node, cst.If | cst.For | cst.While):  # those note their first line
        lowering.statements.append(lowering.span(node))
    handler(lowering, node)


def inline(
    lowering: Lowering, function: UserFunction, names: dict[str, Value], node: cst.CSTNode
) -> Value:
    """Lower a call of the user's function in place: `names` are its parameters' values."""
    known = lowering.recursions.get(function.node)
    if known is not None:
        value: Value = known.call(lowering, names, node)
        return value
    if function.node in lowering.recursive:
        from s2s_ad.frontend.recursion import call_recursive

        return call_recursive(lowering, function, names, node)
    if any(frame.function.node is function.node for frame in lowering.frames):
        raise RecursionFound(function.node)
    if len(lowering.frames) > MAXIMUM_DEPTH:
        raise lowering.refuse("too-deep", "calls are nested too deeply", node)
    lowering.count(node)
    frame = Frame(function, dict(names), function.unit, function.scope, node)
    for name, value in function.closure.items():
        if (name not in frame.locals or name in frame.rebinds) and name.isidentifier():
            frame.names.setdefault(name, value)
    _check_shared(lowering, frame, node)
    lowering.frames.append(frame)
    try:
        return lower_body(lowering, function.node)
    finally:
        lowering.frames.pop()
        for name in frame.rebinds & frame.names.keys():
            function.closure[name] = frame.names[name]


def _check_shared(lowering: Lowering, frame: Frame, node: cst.CSTNode) -> None:
    """Names shared by `nonlocal` are handed over when the call ends: nobody may look before."""
    if not frame.rebinds and not any(other.rebinds for other in lowering.frames):
        return
    closure, caller = frame.function.closure, lowering.frame
    own = caller.locals.union(p.name.value for p in every_parameter(caller.function.node.params))
    if frame.rebinds and (caller.names is not closure or not frame.rebinds <= own):
        message = f"`{frame.function.name}` assigns variables of a function that does not call it"
        help = "return the value, and assign it where the function is called"
        raise lowering.refuse("unsupported-syntax", message, node, help=help)
    for other in lowering.frames:
        shared = other.rebinds & identifiers(frame.function.node)
        if shared and other.function.closure is closure:
            message = f"`{min(shared)}` is read by a function called while another one assigns it"
            help = "pass it as an argument"
            raise lowering.refuse("unsupported-syntax", message, node, help=help)
