"""`match` statements: a chain of branches, whose tests are known where the subject is.

Patterns are values, `None`, `True` and `False`, alternatives, names, and sequences of these. The
subject is evaluated once. Patterns of mappings and classes are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import libcst as cst

from s2s_ad.frontend import jumps
from s2s_ad.frontend.branches import header, lower_ways, select, truth
from s2s_ad.frontend.comparisons import equality
from s2s_ad.frontend.containers import container
from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import current
from s2s_ad.frontend.values import Growing, Value
from s2s_ad.ir import Atom, Const, Structure, Var
from s2s_ad.types import BOOL

Names = dict[str, Value]


@dataclass(frozen=True)
class Found:
    """Whether a pattern fits, and what its names are bound to if it does."""

    test: Atom
    names: Names


NO = Found(Const(False), {})


def lower_match(lowering: Lowering, node: cst.Match, rest: Sequence[cst.CSTNode] = ()) -> None:
    """Lower a `match`; `rest` is what follows it in its suite."""
    lowering.statements.append(header(lowering, node, node.subject))
    subject = lower_expression(lowering, node.subject)
    _from(lowering, subject, node.cases, rest)


def _from(
    lowering: Lowering,
    subject: Value,
    cases: Sequence[cst.MatchCase],
    rest: Sequence[cst.CSTNode],
) -> None:
    """The cases from one on: the first that fits is taken, and then what follows the statement."""
    if not cases:
        jumps.lower_suite(lowering, rest)
        return
    case = cases[0]
    found = _fits(lowering, case.pattern, current(lowering, subject, case), case)
    test = found.test
    if case.guard is not None and test != Const(False):
        test = select(
            lowering, test, partial(_guarded, lowering, case, found.names), lambda: test, case
        )  # type: ignore[assignment]
    suite = partial(_suite, lowering, case, found.names)
    if isinstance(test, Const):
        if test.value:
            suite(rest)
        else:
            _from(lowering, subject, cases[1:], rest)
        return
    following = partial(_from, lowering, subject, cases[1:], ())
    lower_ways(lowering, test, (suite, following), case, rest)


def _suite(
    lowering: Lowering, case: cst.MatchCase, names: Names, rest: Sequence[cst.CSTNode] = ()
) -> None:
    lowering.frame.names.update(names)
    jumps.lower_suite(lowering, [*jumps.statements_of(case.body), *rest])


def _guarded(lowering: Lowering, case: cst.MatchCase, names: Names) -> Value:
    """The guard of a case, which sees the names of its pattern."""
    assert case.guard is not None
    lowering.frame.names.update(names)  # Python, too, binds them before
    return truth(lowering, lower_expression(lowering, case.guard), case.guard)


def _fits(
    lowering: Lowering, pattern: cst.MatchPattern, subject: Value, node: cst.CSTNode
) -> Found:
    match pattern:
        case cst.MatchValue(value=value):
            return _equal(lowering, subject, value, node)
        case cst.MatchSingleton(value=name):
            return _is_one(lowering, subject, name, node)
        case cst.MatchAs(pattern=inner, name=name):
            found = (
                Found(Const(True), {}) if inner is None else _fits(lowering, inner, subject, node)
            )
            bound = {} if name is None else {name.value: subject}
            return Found(found.test, {**found.names, **bound})
        case cst.MatchOr(patterns=elements):
            return _any_of(lowering, [each.pattern for each in elements], subject, node)
        case cst.MatchSequence():
            return _items(lowering, pattern, subject, node)
    raise lowering.refuse(
        "unsupported-syntax",
        "patterns of mappings and classes are not supported",
        pattern,
        help="test the items or attributes with `if`",
    )


def _equal(
    lowering: Lowering, subject: Value, value: cst.BaseExpression, node: cst.CSTNode
) -> Found:
    other = lower_expression(lowering, value)
    return Found(truth(lowering, equality(lowering, node, subject, other), node), {})


def _is_one(lowering: Lowering, subject: Value, name: cst.Name, node: cst.CSTNode) -> Found:
    """`case None`, `case True`, `case False`: by identity, as Python takes them."""
    wanted = {"None": None, "True": True, "False": False}[name.value]
    if isinstance(subject, Const):
        return Found(Const(subject.value is wanted), {})
    if wanted is None or not isinstance(subject, Var) or subject.type != BOOL:
        return NO
    if wanted:
        return Found(subject, {})
    return Found(lowering.assign(lowering.operation("notx"), [subject], node), {})


def _any_of(
    lowering: Lowering,
    patterns: Sequence[cst.MatchPattern],
    subject: Value,
    node: cst.CSTNode,
) -> Found:
    first = _fits(lowering, patterns[0], subject, node)
    if len(patterns) == 1 or first.test == Const(True):
        return first
    rest = partial(_any_of, lowering, patterns[1:], subject, node)
    if first.test == Const(False):
        return rest()
    if first.names:
        raise _too_many_names(lowering, patterns[0])
    test = select(lowering, first.test, lambda: Const(True), lambda: rest().test, node)
    return Found(truth(lowering, test, node), {})


def _too_many_names(lowering: Lowering, node: cst.CSTNode) -> Exception:
    return lowering.refuse(
        "unsupported-syntax",
        "names in an alternative that is not known to fit are not supported",
        node,
        help="write a `case` for each alternative",
    )


def _items(
    lowering: Lowering, pattern: cst.MatchSequence, subject: Value, node: cst.CSTNode
) -> Found:
    """`case (a, b)`, `case [first, *rest]`: of tuples and lists; an array is no sequence here."""
    if isinstance(subject, Growing):
        raise lowering.refuse("not-constant", "how long this list is is not known", node)
    if isinstance(subject, Const) and isinstance(subject.value, tuple):
        subject = container(lowering, "tuple", [Const(item) for item in subject.value])
    if not isinstance(subject, Structure) or subject.kind == "dict":
        return NO
    items = list(subject.items)
    patterns = list(pattern.patterns)
    stars = [k for k, each in enumerate(patterns) if isinstance(each, cst.MatchStar)]
    if len(items) < len(patterns) - len(stars) or (not stars and len(items) > len(patterns)):
        return NO
    names: Names = {}
    if stars:
        behind = len(patterns) - stars[0] - 1
        end = len(items) - behind
        star = patterns.pop(stars[0])
        assert isinstance(star, cst.MatchStar)
        if star.name is not None:
            names[star.name.value] = container(lowering, "list", items[stars[0] : end])
        items[stars[0] : end] = []
    inner = [each.value for each in patterns if isinstance(each, cst.MatchSequenceElement)]
    return _all_of(lowering, list(zip(inner, items, strict=True)), names, node)


def _all_of(
    lowering: Lowering,
    pairs: Sequence[tuple[cst.MatchPattern, Value]],
    names: Names,
    node: cst.CSTNode,
) -> Found:
    if not pairs:
        return Found(Const(True), names)
    first = _fits(lowering, *pairs[0], node)
    if first.test == Const(False):
        return NO
    if first.test == Const(True):
        return _all_of(lowering, pairs[1:], {**names, **first.names}, node)
    found: list[Found] = []

    def others() -> Value:
        found.append(_all_of(lowering, pairs[1:], {**names, **first.names}, node))
        return found[-1].test

    test = select(lowering, first.test, others, lambda: Const(False), node)
    return Found(truth(lowering, test, node), found[-1].names)


__all__ = ["lower_match"]
