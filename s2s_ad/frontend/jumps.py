"""Suites of statements, and what leaves them early: `break`, `continue`, `return`, `raise`.

Whether a path has left is kept in pseudo-names of the frame, constants or booleans of the IR like
any other. What follows a statement that may have left is lowered in a branch: in the one that goes
on, where the statement is an `if` of which one branch always leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import libcst as cst

from s2s_ad.frontend.blocks import BROKEN, DEAD, GONE, JUMPS, RETURNED
from s2s_ad.frontend.lower import Lowering, lower_statement, names_changed_by
from s2s_ad.frontend.values import NotYet, Poison, Raises, Refused, Unsettled, Value
from s2s_ad.ir import Atom, Const

RESULT = "<result>"  # a pseudo-name: what the function has returned
NO, YES = Const(False), Const(True)


def start_flow(names: dict[str, Value]) -> None:
    """Nothing has been left yet."""
    names.update(dict.fromkeys(JUMPS, NO))
    names.pop(RESULT, None)
    names.pop(DEAD, None)


def has_left(lowering: Lowering) -> Atom:
    """Whether what follows is left out: a constant where that is known."""
    if DEAD in lowering.frame.names:
        return YES
    gone = lowering.frame.names[GONE]
    if isinstance(gone, Poison | Unsettled):
        raise Refused()
    assert not isinstance(gone, tuple)
    return gone  # type: ignore[return-value]


def statements_of(suite: cst.BaseSuite) -> list[cst.CSTNode]:
    """The statements of a suite, those that share a line one by one."""
    found: list[cst.CSTNode] = []
    for statement in suite.body:
        if isinstance(statement, cst.SimpleStatementLine):
            found += statement.body
        else:
            found.append(statement)
    return found


def lower_suite(lowering: Lowering, statements: Sequence[cst.CSTNode]) -> None:
    """Lower statements one after the other; a refused one is reported and the next is looked at."""
    from s2s_ad.frontend.branches import choose

    refused = False
    for place, statement in enumerate(statements):
        rest = statements[place + 1 :]
        mark = lowering.reporter.mark
        try:
            if isinstance(statement, cst.If | cst.Match | cst.With) and may_leave(statement):
                _with_rest(lowering, statement, rest)
                break
            lower_statement(lowering, statement)
            left = has_left(lowering)
        except Raises:
            lowering.reporter.rewind(mark)
            lowering.postponed += 1  # a later statement of a loop may append to the list
            die(lowering)
            break
        except NotYet:
            lowering.postponed += 1
            continue
        except Refused:
            refused = True
            for name in names_changed_by(statement):
                lowering.frame.names[name] = Poison()
            if may_leave(statement):
                break  # what is reached behind it is not known
            continue
        if left != NO:
            if left != YES:
                choose(lowering, left, lambda: None, partial(go_on, lowering, rest), statement)
            break
    if refused:
        raise Refused()


def _with_rest(
    lowering: Lowering, node: cst.If | cst.Match | cst.With, rest: Sequence[cst.CSTNode]
) -> None:
    """A statement that may be left early, and what follows where it is not."""
    from s2s_ad.frontend.branches import lower_if
    from s2s_ad.frontend.contexts import lower_with
    from s2s_ad.frontend.matching import lower_match

    if isinstance(node, cst.If):
        lower_if(lowering, node, rest)
    elif isinstance(node, cst.Match):
        lower_match(lowering, node, rest)
    else:
        lower_with(lowering, node, rest)


def go_on(lowering: Lowering, rest: Sequence[cst.CSTNode]) -> None:
    """The statements behind one that may have left, on the path where it has not."""
    start_flow(lowering.frame.names)
    lower_suite(lowering, rest)


def may_leave(node: cst.CSTNode) -> bool:
    """Whether control may leave a statement early."""
    if isinstance(node, cst.Break | cst.Continue | cst.Return):
        return True
    if isinstance(node, cst.FunctionDef | cst.Lambda | cst.ClassDef):
        return False
    return any(may_leave(child) for child in node.children if isinstance(child, _STATEMENTS))


def _gives_nothing(node: cst.CSTNode) -> bool:
    """Whether every `return` of a function is a bare one: what it does, it writes."""
    if isinstance(node, cst.Return):
        return node.value is None or (
            isinstance(node.value, cst.Name) and node.value.value == "None"
        )
    inside = (child for child in node.children if isinstance(child, _STATEMENTS))
    return all(
        _gives_nothing(child)
        for child in inside
        if not isinstance(child, cst.FunctionDef | cst.ClassDef)
    )


def only_returns(node: cst.While) -> bool:
    """Whether a loop is left by `return` alone: `while True` without a `break`."""
    always = isinstance(node.test, cst.Name) and node.test.value == "True"
    return always and not _breaks(node.body)


def _breaks(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.Break):
        return True
    if isinstance(node, cst.For | cst.While):
        return node.orelse is not None and _breaks(node.orelse)
    inside = (child for child in node.children if isinstance(child, _STATEMENTS))
    return any(_breaks(child) for child in inside)


_STATEMENTS = (
    cst.BaseStatement,
    cst.BaseSmallStatement,
    cst.BaseSuite,
    cst.Else,
    cst.MatchCase,
    cst.SimpleStatementLine,
)


def jump(lowering: Lowering, *flags: str) -> None:
    lowering.frame.names.update(dict.fromkeys(flags, YES))


def leave_function(lowering: Lowering, value: Value) -> None:
    lowering.frame.names[RESULT] = value
    jump(lowering, GONE, BROKEN, RETURNED)


def die(lowering: Lowering) -> None:
    """This path has raised: nothing arrives behind it."""
    lowering.frame.names[DEAD] = YES


def result(lowering: Lowering, node: cst.FunctionDef) -> Value:
    """What a function gives whose suite has been lowered."""
    from s2s_ad.frontend.operands import current

    names = lowering.frame.names
    if DEAD in names:
        return Const(None)
    returned = names[RETURNED]
    if returned == NO:
        return Const(None)
    if _gives_nothing(node):
        return Const(None)
    value = names[RESULT]
    if returned != YES and value != Const(None):
        raise lowering.refuse(
            "missing-return",
            f"`{node.name.value}` gives a result on some paths and none on others",
            node.name,
            help="end it with a `return`",
        )
    if isinstance(value, Unsettled):
        raise lowering.refuse(
            value.name,
            "the paths of this function give results of different kinds",
            node.name,
            help="let every `return` give values of the same structure",
        )
    return current(lowering, value, node)
