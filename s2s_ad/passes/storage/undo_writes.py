"""Rolls an array back: before each write the forward sweep reads what it overwrites, and the
reverse sweep puts that back, bit by bit, where it comes to the write.

What comes in: a function with `recall`s, and a chain of versions of an array. What goes out: the
same function, in which the reverse loops carry the array too, and which variables of the forward
sweep (`given`) can be read from it in which block. Whether that is worth it, `save_values` decides
by the price of what is to be kept then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from s2s_ad.ir import Assign, Atom, Block, For, Function, If, Statement, Var, While
from s2s_ad.operations import catalogue
from s2s_ad.operations.indexing import SETITEM
from s2s_ad.operations.support import IDENTITY, RECALL
from s2s_ad.passes.storage.chains import Chain, Event, Source
from s2s_ad.passes.storage.places import Places, Step, steps_of
from s2s_ad.passes.storage.tapes import as_before, as_stored
from s2s_ad.passes.undo_types import has_narrow_floats
from s2s_ad.rewrite import Builder, Names, map_statement, with_body
from s2s_ad.types import Sizes

Known = dict[
    Var, Var
]  # versions of the array, and the variables of the reverse sweep that are they


class CannotUndo(Exception):
    """The reverse sweep has no block in which a write would be undone."""


@dataclass(frozen=True)
class Undone:
    """The function with the array rolled back in its reverse sweep."""

    function: Function
    given: dict[Var, Var] = field(default_factory=dict)  # of the forward sweep, in the reverse one
    overwritten: frozenset[Var] = frozenset()  # what the writes destroy, in the forward sweep


def undo_writes(
    function: Function, places: Places, chain: Chain, wanted: Iterable[Var]
) -> Undone | None:
    """The function that rolls an array back and reads the `wanted` variables from it, where they
    are in it; None if its reverse sweep does not come by all writes.
    """
    undoing = _Undoing(function, places, chain, wanted)
    try:
        body = undoing.whole(function.body)
    except CannotUndo:
        return None
    overwritten = frozenset(undoing.overwritten.values())
    return Undone(with_body(function, body), undoing.given, overwritten)


class _Undoing:
    def __init__(
        self, function: Function, places: Places, chain: Chain, wanted: Iterable[Var]
    ) -> None:
        sizes = Sizes.knowing(function.assumptions, 5_000_000)
        self.builder = Builder(Names.of(function), sizes)
        self.places, self.chain = places, chain
        self.is_narrow = has_narrow_floats(function)
        self.overwritten: dict[Var, Var] = {}  # by the version that a write makes
        sources = chain.sources(places)
        wanted = self.read_anyway(sources, wanted)
        self.versions = {var for var, source in sources.items() if source.index is None}
        self.reads: dict[Step, dict[Var, Source]] = {}
        for var in wanted:
            if var in sources:
                self.reads.setdefault(places.home[var][-1], {})[var] = sources[var]
        self.given: dict[Var, Var] = {}
        self.found = False
        self.writes = {id(write) for write in chain.writes}

    def read_anyway(self, sources: dict[Var, Source], wanted: Iterable[Var]) -> list[Var]:
        """Note what the program itself reads before it overwrites it; gives the other variables."""
        home = self.places.home
        for write in self.chain.writes:
            for var, source in sources.items():
                visible = home[var] == home[write.target][: len(home[var])]
                if visible and (source.version, source.index) == write.operands[:2]:
                    made = self.places.made_by[var]
                    if isinstance(made, Assign) and made.op.name == "getitem":
                        self.overwritten.setdefault(write.target, var)
        return [var for var in wanted if var not in self.overwritten.values()]

    def whole(self, body: Block) -> Block:
        made = self.walk(body)
        if not self.found:
            raise CannotUndo
        return made

    # Forward --------------------------------------------------------------------------------------

    def walk(self, block: Block) -> Block:
        """A block of the forward sweep, or one of the reverse sweep around the chain's loop."""
        outer, self.builder.statements = self.builder.statements, []
        for statement in block.statements:
            self.forward(statement)
        statements, self.builder.statements = self.builder.statements, outer
        return Block(block.parameters, tuple(statements), block.results)

    def forward(self, statement: Statement) -> None:
        if isinstance(statement, For) and statement.undoes == self.chain.loop.label:
            self.root(statement)
            return
        if isinstance(statement, Assign):
            if id(statement) in self.writes and statement.target not in self.overwritten:
                self.read_before(statement)
        else:
            statement = map_statement(statement, lambda atom: atom, lambda var: var, self.walk)
        self.builder.statements.append(statement)

    def read_before(self, write: Assign) -> None:
        """What a write is going to overwrite."""
        array, index = write.operands[:2]
        assert isinstance(array, Var)
        self.builder.span, self.builder.role = write.span, "primal"
        read = catalogue().operations["getitem"]
        self.overwritten[write.target] = self.builder.assign(read, array, index, name=array.name)

    # Reverse --------------------------------------------------------------------------------------

    def root(self, loop: For) -> None:
        """The reverse loop, which carries the array back from where the forward loop left it."""
        self.found = True
        self.builder.span, self.builder.role = loop.span, "adjoint"
        last = self.recall(self.chain.target)
        step = (self.chain.loop.label, 0)
        self.loop(loop, last, self.last_version(step, self.chain.parameter), step)

    def last_version(self, step: Step, entering: Var) -> Var:
        events = self.chain.events.get(step, ())
        return events[-1].after if events else entering

    def loop(self, loop: For, behind: Atom, version: Var, step: Step) -> Var:
        """A reverse loop that also carries the array; gives the array before the forward loop."""
        names, like = self.builder.names, self.chain.parameter
        parameter, target = names.fresh(like.name, like.type), names.fresh(like.name, like.type)
        body, state = self.undone(loop.body, step, version, parameter)
        body = Block((*body.parameters, parameter), body.statements, (*body.results, state))
        self.builder.statements.append(
            replace(
                loop,
                targets=(*loop.targets, target),
                initial=(*loop.initial, behind),
                body=body,
            )
        )
        return target

    def branches(self, statement: If, event: Event, state: Var) -> Var:
        """A branch of the reverse sweep that also gives the array before the forward branch."""
        target = self.builder.names.fresh(state.name, state.type)
        blocks = []
        for step, block in steps_of(statement, statement.undoes):
            version = self.last_version(step, event.before)
            made, before = self.undone(block, step, version, state)
            blocks.append(replace(made, results=(*made.results, before)))
        self.builder.statements.append(
            replace(
                statement, targets=(*statement.targets, target), then=blocks[0], orelse=blocks[1]
            )
        )
        return target

    def undone(self, block: Block, step: Step, version: Var, state: Var) -> tuple[Block, Var]:
        """A block of the reverse sweep, with the writes of its counterpart undone from the last to
        the first: each as soon as the blocks behind it are undone.
        """
        outer, self.builder.statements = self.builder.statements, []
        left = list(self.chain.events.get(step, ()))
        known: Known = {version: state}
        state = self.roll(left, step, known, state)
        for statement in block.statements:
            undoes = 0 if isinstance(statement, Assign | While) else statement.undoes
            event = left[-1] if left else None
            if event is None or not undoes or event.statement.label != undoes:  # type: ignore[union-attr]
                self.inner(statement, known)
                continue
            assert isinstance(statement, For | If)
            if isinstance(statement, For):
                following = (undoes, 0)
                last = self.last_version(following, event.before)
                state = self.loop(statement, state, last, following)
            else:
                state = self.branches(statement, event, state)
            left.pop()
            known[event.before] = state
            state = self.roll(left, step, known, state)
        if left:
            raise CannotUndo
        statements, self.builder.statements = self.builder.statements, outer
        return Block(block.parameters, tuple(statements), block.results), state

    def roll(self, left: list[Event], step: Step, known: Known, state: Var) -> Var:
        """Undo writes until a block is to be undone first; gives the array then."""
        while True:
            self.read(step, known)
            if not left or not isinstance(left[-1].statement, Assign):
                return state
            event = left.pop()
            write = event.statement
            assert isinstance(write, Assign)
            self.builder.span, self.builder.role = write.span, "adjoint"
            value = self.recall(self.overwritten[event.after])
            index = self.recall(write.operands[1])
            state = self.builder.assign(SETITEM, state, index, value, name=state.name)
            known[event.before] = state
            self.read_overwritten(step, event.before, write.operands[1], value)

    def read_overwritten(self, step: Step, version: Var, index: Atom, value: Atom) -> None:
        """What the forward sweep has read where it then wrote is what is put back."""
        for var, source in self.reads.get(step, {}).items():
            if var not in self.given and (source.version, source.index) == (version, index):
                same = self.builder.assign(IDENTITY, value)
                # another name would vanish, and leave a scalar where the number was
                self.given[var] = as_before(self.builder, same, var)

    def inner(self, statement: Statement, known: Known) -> None:
        """A statement of the reverse sweep beside the chain: it may read what is known by now."""
        if isinstance(statement, Assign):
            version = statement.operands[0] if statement.op is RECALL else None
            if isinstance(version, Var) and version in known:
                statement = replace(statement, op=IDENTITY, operands=(known[version],))
            self.builder.statements.append(statement)
            return
        undoes = 0 if isinstance(statement, While) else statement.undoes
        steps = {id(block): step for step, block in steps_of(statement, undoes)}

        def visit(block: Block) -> Block:
            outer, self.builder.statements = self.builder.statements, []
            if undoes:
                self.read(steps[id(block)], known)
            for inner in block.statements:
                self.inner(inner, known)
            statements, self.builder.statements = self.builder.statements, outer
            return Block(block.parameters, tuple(statements), block.results)

        made = map_statement(statement, lambda atom: atom, lambda var: var, visit)
        self.builder.statements.append(made)

    def read(self, step: Step, known: Known) -> None:
        """What a block needs of the versions that are known, as far as it has not been read."""
        for var, source in self.reads.get(step, {}).items():
            if var in self.given or source.version not in known:
                continue
            array = known[source.version]
            if source.index is None:
                self.given[var] = array
                continue
            self.builder.span, self.builder.role = None, "adjoint"
            read = catalogue().operations["getitem"]
            element = self.builder.assign(read, array, self.recall(source.index))
            self.given[var] = as_stored(self.builder, element, var, self.is_narrow)

    def recall(self, atom: Atom) -> Atom:
        return self.builder.assign(RECALL, atom) if isinstance(atom, Var) else atom


__all__ = ["Undone", "undo_writes"]
