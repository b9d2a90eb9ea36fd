"""Leaves out what an array of adjoints shows to nobody: an element that is cleared (`g[i] = 0.0`)
or added to and never read again, and the zero that a first contribution is added to
(`g[i] += v` in an array of zeros becomes `g[i] = v`).

Which elements later trips of the loops read, and which earlier ones have written, is known where
indices move with the loops (`storage/accesses.py`). Only statements of the derivative's own are
changed. Behind this pass an array that loops carry may differ from what it was in elements that
nobody reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from s2s_ad.ir import Assign, Atom, Block, For, Function, If, Statement, Var, While, operands_of
from s2s_ad.operations.indexing import ADDITEM, SETITEM
from s2s_ad.operations.result_types import is_basic_index
from s2s_ad.passes.activity import carried_of
from s2s_ad.passes.storage.accesses import Accesses
from s2s_ad.passes.storage.places import Places, labelled
from s2s_ad.rewrite import all_statements, map_statement, substitute, with_body
from s2s_ad.types import Array

ZEROS = ("numpy.zeros", "numpy.zeros_like")
MOST_ACCESSES = 64  # to one array; each is compared with the others


def settle_elements(function: Function) -> Function:
    """The function without such stores and sums; itself where there are none."""
    if not any(map(_may_change, all_statements(function.body))):
        return function
    histories = _Histories(function)
    unread: dict[Var, Atom] = {}
    first: set[int] = set()
    for history in histories.of_arrays():
        for update in filter(_may_change, history.updates):
            if histories.is_unread(history, update):
                unread[update.target] = update.operands[0]
            elif update.op is ADDITEM and histories.is_first(history, update):
                first.add(id(update))
    if not unread and not first:
        return function

    def changed(statement: Statement) -> Statement:
        if id(statement) in first and isinstance(statement, Assign):
            return replace(statement, op=SETITEM)
        return map_statement(statement, lambda atom: atom, lambda var: var, inside)

    def inside(block: Block) -> Block:
        kept = (one for one in block.statements if not unread.keys() & set(one.targets))
        return replace(block, statements=tuple(map(changed, kept)))

    return with_body(function, substitute(inside(function.body), unread))


def _may_change(statement: Statement) -> bool:
    return (
        isinstance(statement, Assign)
        and statement.op in (SETITEM, ADDITEM)
        and statement.role != "primal"
        and is_basic_index(statement.operands[1].type)
    )


@dataclass
class _History:
    """What happens to an array: to all the values that it has, one after the other."""

    reads: list[Assign] = field(default_factory=list)  # of elements
    updates: list[Assign] = field(default_factory=list)
    whole: list[Assign] = field(default_factory=list)  # reads of all of it
    carrying: set[int] = field(default_factory=set)  # the labels of loops that hand it on
    is_seen: bool = False  # in a way that is not followed
    is_zero: bool = True  # at first


class _Histories:
    """The histories of the arrays of a function."""

    def __init__(self, function: Function) -> None:
        body = labelled(function).body
        self.places = Places.of(replace(function, body=body))
        self.accesses = Accesses(self.places)
        self.same: dict[Var, Var] = {}  # towards the first value of an array
        self.histories: dict[Var, _History] = {}
        self._join(body)
        for atom in (*body.parameters, *body.results):
            history = self._history(atom)
            if history is not None:
                history.is_seen = True
        for parameter in body.parameters:
            history = self._history(parameter)
            if history is not None:
                history.is_zero = False
        self._note(body, in_test=False)

    def of_arrays(self) -> list[_History]:
        """Those that are short enough to be compared."""
        return [
            history
            for history in self.histories.values()
            if len(history.reads) + len(history.updates) <= MOST_ACCESSES
        ]

    def is_unread(self, history: _History, store: Assign) -> bool:
        """Whether nobody sees what a store leaves."""
        carrying = history.carrying
        if history.is_seen or not all(
            self._is_before(whole, store, carrying) for whole in history.whole
        ):
            return False
        readers = [*history.reads, *(one for one in history.updates if one.op is not SETITEM)]
        return all(self.accesses.is_over(store, one, carrying=carrying) for one in readers)

    def is_first(self, history: _History, store: Assign) -> bool:
        """Whether an element is still the zero it began with."""
        return history.is_zero and all(
            self.accesses.is_over(store, one, before=True, carrying=history.carrying)
            for one in history.updates
        )

    def _is_before(self, whole: Assign, store: Assign, carrying: set[int]) -> bool:
        around = self.accesses.common_loops(whole.target, store.target)
        order = self.places.order
        return order[whole.target] < order[store.target] and all(
            label not in carrying for label, _ in around
        )

    # Which values are one array -------------------------------------------------------------------

    def _first(self, var: Var) -> Var:
        while var in self.same:
            var = self.same[var]
        return var

    def _history(self, atom: Atom) -> _History | None:
        if not isinstance(atom, Var) or not isinstance(atom.type, Array):
            return None
        return self.histories.setdefault(self._first(atom), _History())

    def _unite(self, atoms: Iterable[Atom]) -> None:
        variables = [self._first(atom) for atom in atoms if isinstance(atom, Var)]
        for one in variables[1:]:
            if self._first(one) != self._first(variables[0]):
                self.same[self._first(one)] = self._first(variables[0])

    def _join(self, block: Block) -> None:
        for statement in block.statements:
            match statement:
                case Assign(op=op, operands=operands, targets=targets):
                    if op.update:
                        self._unite((operands[0], targets[-1]))
                case For() | While():
                    for slot in carried_of(statement):
                        self._unite(slot)
                    if isinstance(statement, While):
                        for parameters in zip(
                            statement.test.parameters, statement.body.parameters, strict=True
                        ):
                            self._unite(parameters)
                        self._join(statement.test)
                    self._join(statement.body)
                case If(targets=targets, then=then, orelse=orelse):
                    for given in zip(targets, then.results, orelse.results, strict=True):
                        self._unite(given)
                    self._join(then)
                    self._join(orelse)

    # What is done to them -------------------------------------------------------------------------

    def _note(self, block: Block, *, in_test: bool) -> None:
        for statement in block.statements:
            match statement:
                case Assign():
                    self._note_assign(statement, in_test)
                case For() | While():
                    for target, initial, *_ in carried_of(statement):
                        history = self._history(target)
                        if history is not None:
                            history.carrying.add(statement.label)
                            history.is_zero &= isinstance(initial, Var)
                    if isinstance(statement, While):
                        self._note(statement.test, in_test=True)
                    self._note(statement.body, in_test=in_test)
                case If(targets=targets, then=then, orelse=orelse):
                    for target, *given in zip(targets, then.results, orelse.results, strict=True):
                        history = self._history(target)
                        if history is not None:
                            history.is_zero &= all(isinstance(atom, Var) for atom in given)
                    self._note(then, in_test=in_test)
                    self._note(orelse, in_test=in_test)

    def _note_assign(self, statement: Assign, in_test: bool) -> None:
        array = statement.operands[0] if statement.operands else None
        is_update = statement.op in (SETITEM, ADDITEM) and not in_test
        is_read = (
            statement.op.name == "getitem"
            and not in_test
            and is_basic_index(statement.operands[1].type)
        )
        for place, operand in enumerate(operands_of(statement)):
            history = self._history(operand)
            if history is None or (place == 0 and is_update):
                continue
            if in_test or statement.op.update or not statement.targets:
                history.is_seen = True
                history.is_zero &= not statement.op.update
            (history.reads if place == 0 and is_read else history.whole).append(statement)
        history = self._history(array) if is_update and array is not None else None
        if history is not None:
            history.updates.append(statement)
        for target in statement.targets:
            history = self._history(target)
            if history is not None and not is_update and statement.op.name not in ZEROS:
                history.is_zero = False


__all__ = ["settle_elements"]
