"""Well-formedness of the IR, run after every pass: what holds between any two of them.

Every variable is assigned once and before it is read; every target has the type its operation
infers, as far as that can be compared; blocks agree with the statements they belong to; results are
the leaves of the output.
"""

from __future__ import annotations

from collections.abc import Iterable

from s2s_ad.diagnostics import refusal
from s2s_ad.ir import (
    UNDEFINED,
    Assign,
    Atom,
    Block,
    Const,
    For,
    Function,
    If,
    Statement,
    Var,
    While,
    leaves,
    operands_of,
    show,
)
from s2s_ad.rewrite import all_statements, formal_variables
from s2s_ad.types import (
    Array,
    Items,
    ListOf,
    Number,
    Scalar,
    Sizes,
    Type,
    TypeProblem,
    is_boolean,
    is_complex,
    is_float,
    is_scalar_float,
)


class IllFormed(Exception):
    """The IR broke a rule: a defect of the compiler, never of the user's program."""


Known = dict[int, Assign]
"""Statements found well typed, by identity: what a pass left alone need not be typed again."""


def check(function: Function, after: str, known: Known | None = None) -> Function:
    """Give the function back, or raise IllFormed with the pass, the rule and ten lines around."""
    problem = _Checker({} if known is None else known).run(function)
    if problem:
        raise IllFormed(f"after {after}: {problem[0]}\n{_excerpt(function, problem[1])}")
    return function


def check_lowered(function: Function) -> Function:
    """The same for a function that was lowered. Sizes may have been learned behind an operation
    which they contradict: that is the user's, and raises DifferentiationError.
    """
    try:
        return check(function, after="lower")
    except IllFormed:
        sizes = Sizes.knowing(function.assumptions, 9_000_000)
        for statement in all_statements(function.body):
            if isinstance(statement, Assign):
                _refuse_contradicted(statement, sizes)
        raise


def _refuse_contradicted(statement: Assign, sizes: Sizes) -> None:
    try:
        statement.op.infer(sizes, statement.operands)
    except TypeProblem as problem:
        raise refusal(problem.name, problem.message, statement.span, problem.help) from None


def _excerpt(function: Function, culprit: str) -> str:
    lines = show(function).splitlines()
    at = next(
        (k for k, line in enumerate(lines) if culprit and line.strip().startswith(culprit)), 0
    )
    return "\n".join(
        ("> " if k == at else "  ") + lines[k]
        for k in range(max(0, at - 5), min(len(lines), at + 6))
    )


class _Broken(Exception):
    pass


class _Checker:
    def __init__(self, known: Known) -> None:
        self.assigned: set[Var] = set()
        self.sizes = Sizes()
        self.known = known
        self.at: Statement | None = None

    def run(self, function: Function) -> tuple[str, str] | None:
        self.sizes = Sizes.knowing(function.assumptions, 9_000_000)
        try:
            if formal_variables(function.formals) != function.body.parameters:
                raise _Broken("the body's parameters are not the variables of the formals")
            if tuple(leaves(function.output)) != function.body.results:
                raise _Broken("the body's results are not the leaves of the output")
            self.block(function.body, set())
        except _Broken as broken:
            targets = () if self.at is None else self.at.targets
            return str(broken), ", ".join(map(str, targets)) + " ="
        return None

    def block(self, block: Block, visible: set[Var]) -> None:
        self.define(block.parameters, visible)
        for statement in block.statements:
            self.at = statement
            if not (isinstance(statement, Assign) and statement.op.name == "recall"):
                self.read(operands_of(statement), visible)
            self.statement(statement, visible)
            self.define(statement.targets, visible)
        self.read(block.results, visible)
        # no variable is assigned twice: what the block defined was not visible before
        visible.difference_update(block.parameters, *(s.targets for s in block.statements))

    def define(self, variables: Iterable[Var], visible: set[Var]) -> None:
        for var in variables:
            if var in self.assigned:
                raise _Broken(f"`{var}` is assigned twice")
            self.assigned.add(var)
            visible.add(var)

    def read(self, atoms: Iterable[Atom], visible: set[Var]) -> None:
        for atom in atoms:
            if isinstance(atom, Var) and atom not in visible:
                raise _Broken(f"`{atom}` is read where it is not defined")

    def statement(self, statement: Statement, visible: set[Var]) -> None:
        match statement:
            case Assign():
                self.assign(statement)
            case For(targets, _, initial, body, stops=stops):
                self.carried(targets, initial, body.parameters[1:], body.results, stops)
                self.block(body, visible)
            case While(targets, initial, test, body, stops=stops):
                self.carried(targets, initial, body.parameters, body.results, stops)
                if len(test.parameters) != len(initial) or len(test.results) != 1:
                    raise _Broken("a loop's test takes other values than its body")
                self.block(test, visible)
                self.block(body, visible)
            case If(targets, _, then, orelse):
                if then.parameters or orelse.parameters:
                    raise _Broken("a branch has parameters")
                if not len(targets) == len(then.results) == len(orelse.results):
                    raise _Broken(
                        "the branches give another number of results than there are targets"
                    )
                for target, *given in zip(targets, then.results, orelse.results, strict=True):
                    self.handed_on(target, given)
                self.block(then, visible)
                self.block(orelse, visible)

    def carried(
        self,
        targets: tuple[Var, ...],
        initial: tuple[Atom, ...],
        parameters: tuple[Var, ...],
        results: tuple[Atom, ...],
        stops: bool,
    ) -> None:
        nexts = results[:-1] if stops else results
        if not len(targets) == len(initial) == len(parameters) == len(nexts):
            raise _Broken("a loop's targets, initial values, parameters and results do not match")
        for target, parameter, first, following in zip(
            targets, parameters, initial, nexts, strict=True
        ):
            self.handed_on(target, [first, following])
            self.handed_on(parameter, [first, following])

    def handed_on(self, var: Var, given: Iterable[Atom]) -> None:
        for atom in given:
            if isinstance(atom, Const) and atom in (UNDEFINED, Const(None)):
                continue
            if not stands_in(atom.type, var.type):
                raise _Broken(f"`{var}` has type {var.type}, and is handed `{atom}`: {atom.type}")

    def assign(self, statement: Assign) -> None:
        if id(statement) in self.known:
            return
        if len(statement.operands) != len(statement.op.operand_names(len(statement.operands))):
            raise _Broken(f"{statement.op.name} takes {len(statement.op.parameters)} operands")
        try:
            inferred = self.sizes.resolve_type(statement.op.infer(self.sizes, statement.operands))
        except TypeProblem as problem:
            raise _Broken(f"{statement.op.name} does not take these operands: {problem}") from None
        given: tuple[Type, ...] = (inferred,)
        if statement.op.results and isinstance(inferred, Items):
            given = inferred.items
            if len(given) != len(statement.targets):
                raise _Broken(f"{statement.op.name} has {len(given)} results")
        for target, type in zip(statement.targets, given, strict=False):
            fits = agrees(type, target.type)
            if statement.role != "primal":
                # a Python float may stand for a float scalar in code of adjoints
                fits = fits or (is_scalar_float(type) and is_scalar_float(target.type))
            if not fits:
                raise _Broken(f"`{target}` has type {target.type}, its operation gives {type}")
        self.known[id(statement)] = statement


def stands_in(given: Type, declared: Type) -> bool:
    """Whether a value may be handed to a variable by a loop or branch: numbers stand for scalars
    that are no narrower, and for arrays of unknown rank.
    """
    if agrees(given, declared):
        return True
    if isinstance(given, ListOf) and isinstance(declared, ListOf):
        return stands_in(given.item, declared.item)
    if isinstance(given, Number | Scalar) and isinstance(declared, Number | Scalar):
        kinds = ("bool", "int", "float", "complex")
        left, right = (kind_of(type) for type in (given, declared))
        return kinds.index(left) <= kinds.index(right)
    return (
        isinstance(declared, Array)
        and declared.shape is None
        and isinstance(given, Number | Scalar | Array)
    )


def kind_of(type: Number | Scalar) -> str:
    """bool, int, float or complex."""
    if is_complex(type):
        return "complex"
    if is_float(type):
        return "float"
    return "bool" if is_boolean(type) else "int"


def agrees(inferred: Type, declared: Type) -> bool:
    """Whether the two can be types of one value. Sizes known only while running, and unknown ranks,
    agree with all.
    """
    if inferred is declared:
        return True
    match inferred, declared:
        case (Number(kind=left), Number(kind=right)):
            return left == right
        case (Scalar(left), Scalar(right)):
            return left == right
        case (Array(left, shape), Array(right, other)):
            if left != right:
                return False
            if shape is None or other is None:
                return True
            if len(shape) != len(other):
                return False
            return all(
                a == b or a.is_local or b.is_local for a, b in zip(shape, other, strict=True)
            )
        case (Array(left, None), (Scalar(right) | Number("float" as right))) | (
            Scalar(right),
            Array(left, None),
        ):
            return left == right or right == "float"
        case (ListOf(left), ListOf(right)):
            return agrees(left, right)
    return type(inferred) is type(declared)
