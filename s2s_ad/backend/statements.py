"""Prints the nodes of a plan: assignments, updates, loops, branches, jumps, moves."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

from s2s_ad.backend import layout
from s2s_ad.backend.augmented import added_number, augmented_update
from s2s_ad.backend.comments import Comments
from s2s_ad.backend.expressions import Speller
from s2s_ad.backend.plan import (
    Branch,
    Break,
    ForLoop,
    Line,
    Moves,
    Node,
    WhileLoop,
    is_undefined,
)
from s2s_ad.backend.signature import annotation
from s2s_ad.backend.spelling import ATOMIC
from s2s_ad.ir import Assign, Atom, Const, Var
from s2s_ad.operations.effects import RAISE_IF, STOP_UNLESS_FINITE, filled
from s2s_ad.types import ListOf, is_complex, is_float

INDENT = "    "


class StatementPrinter:
    """`needless`: the moves that nothing reads; `is_read` tells whether a variable is read."""

    def __init__(
        self,
        speller: Speller,
        comments: Comments,
        needless: set[tuple[int, Var]],
        read_names: Callable[[Atom], set[str]],
        unread: set[Var],
        widened: Collection[str],
    ) -> None:
        self.speller, self.comments, self.needless = speller, comments, needless
        self.read_names, self.unread = read_names, unread
        self.names: Mapping[Var, str] = speller.names
        self.widened = widened
        self.annotated: set[str] = set()

    def block(self, nodes: Sequence[Node], indent: str) -> list[str]:
        return [line for node in nodes for line in self.node(node, indent)]

    def node(self, node: Node, indent: str) -> list[str]:
        match node:
            case Line(statement=statement):
                comment = self.comment(statement) if node.role == "adjoint" else ""
                return self.assign(statement, indent, comment)
            case Moves():
                return self.moves(node, indent)
            case Branch():
                return self.branch(node, indent)
            case ForLoop():
                return self.for_loop(node, indent)
            case WhileLoop():
                return self.while_loop(node, indent)
            case Break():
                return [f"{indent}break"]

    def comment(self, statement: Assign) -> str:
        """The user's statement; where that is the head of a loop, what is stored undoes."""
        if self.comments.level and self.comments.is_of_head(statement):
            folding = self.speller.folding
            for operand in statement.operands:
                if isinstance(operand, Var) and operand in folding.inlined:
                    made = folding.definitions[operand]
                    if made.role == "adjoint" and not self.comments.is_of_head(made):
                        return self.comments.for_line(made)
        return self.comments.for_line(statement)

    # Assignments ----------------------------------------------------------------------------------

    def assign(self, statement: Assign, indent: str, comment: str) -> list[str]:
        if statement.op is RAISE_IF:
            return self.raised(statement, indent)
        if statement.op.update:
            return layout.commented(f"{indent}{self.update(statement)}", comment)
        if not statement.targets or (
            statement.op.effect and all(target in self.unread for target in statement.targets)
        ):
            return self.effect(statement, indent)
        if len(statement.targets) > 1:
            given = [self.names[v] if v not in self.unread else "_" for v in statement.targets]
            right = self.speller.right_side(statement).text
            return layout.commented(f"{indent}{', '.join(given)} = {right}", comment)
        target = statement.target
        name = self.names[target]
        added = self.added(statement, name)
        if added is not None:
            return layout.commented(f"{indent}{name} {added}", comment)
        right = self.speller.right_side(statement).text
        return layout.commented(f"{indent}{self.declared(target, right)} = {right}", comment)

    def effect(self, statement: Assign, indent: str) -> list[str]:
        text = self.speller.right_side(statement).text
        if statement.op is not STOP_UNLESS_FINITE:
            return [f"{indent}{text}"]
        return layout.call(indent, text, [self.speller.spell(a).text for a in statement.operands])

    def declared(self, target: Var, right: str) -> str:
        """The name, the first time with a type where the value does not show it."""
        name = self.names[target]
        is_first = name not in self.annotated
        first_of_two = is_first and name in self.widened
        self.annotated.add(name)
        if is_first and isinstance(target.type, ListOf) and right == "[]":
            return f"{name}: {annotation(target, self.speller.library)}"
        return f"{name}: {self.speller.library('builtins.float')}" if first_of_two else name

    def added(self, statement: Assign, name: str) -> str | None:
        """`+= v` of `x = x + v`, for numbers in code that is not the user's nor the textbook's."""
        if statement.role == "primal" or not self.comments.level:
            return None
        return added_number(self.speller, statement, name)

    def update(self, statement: Assign) -> str:
        op = statement.op
        texts = [self.speller.spell(operand).text for operand in statement.operands]
        if "{0}[{1}]" in op.update:
            texts[1] = self.speller.index(statement.operands[1])
        if self.comments.level and len(texts) > 1:
            augmented = augmented_update(self.speller, statement, texts[1])
            if augmented:
                return augmented
        text = op.update.format(*texts)
        called = re.match(r"np\.([\w.]+)\(", text)
        if called is not None:
            text = self.speller.library(f"numpy.{called[1]}") + text[called.end() - 1 :]
        given = [
            self.names[target] for target in statement.targets[:-1] if target not in self.unread
        ]
        return f"{', '.join(given)} = {text}" if given else text

    def raised(self, statement: Assign, indent: str) -> list[str]:
        test, text, *values = statement.operands
        assert isinstance(text, Const)
        spelled = filled(text.value, [self.speller.spell(a).within(ATOMIC) for a in values])
        if isinstance(test, Const):
            return [f"{indent}raise {spelled}"] if test.value else []
        return [f"{indent}if {self.speller.test(test)}:", f"{indent}{INDENT}raise {spelled}"]

    def moves(self, node: Moves, indent: str) -> list[str]:
        """The assignments one after the other, in an order in which nothing is overwritten before
        it is read; what goes round in a circle at once.
        """
        pending: list[tuple[Var, Atom]] = [
            (target, source)
            for target, source in node.pairs
            if (id(node), target) not in self.needless
            and not is_undefined(source)
            and not (isinstance(source, Var) and self.is_same(target, source))
        ]
        lines: list[str] = []
        while pending:
            free = next(
                (
                    pair
                    for pair in pending
                    if not any(
                        self.names[pair[0]] in self.read_names(source)
                        for target, source in pending
                        if target is not pair[0]
                    )
                ),
                None,
            )
            if free is None:
                left = ", ".join(self.names[target] for target, _ in pending)
                right = ", ".join(self.speller.spell(source).text for _, source in pending)
                return [*lines, f"{indent}{left} = {right}"]
            pending.remove(free)
            lines += self.move(*free, node.role, indent)
        return lines

    def is_same(self, target: Var, source: Var) -> bool:
        return (
            source not in self.speller.folding.inlined and self.names[target] == self.names[source]
        )

    def move(self, target: Var, source: Atom, role: str, indent: str) -> list[str]:
        name = self.names[target]
        found = self.speller.folding.definitions.get(source) if isinstance(source, Var) else None
        if found is not None and source in self.speller.folding.inlined:
            comment = self.comments.for_line(found) if role == "adjoint" else ""
            added = self.added(found, name)
            text = self.speller.spell(source).text
            line = f"{name} = {text}" if added is None else f"{name} {added}"
            return layout.commented(f"{indent}{line}", comment)
        is_whole = isinstance(source, Const) and isinstance(source.value, int)
        is_first = name not in self.annotated
        self.annotated.add(name)
        if is_first and is_float(target.type) and (is_whole or name in self.widened):
            kind = "complex" if is_complex(target.type) else "float"
            name = f"{name}: {self.speller.library(f'builtins.{kind}')}"
        return [f"{indent}{name} = {self.speller.spell(source).text}"]

    # Blocks ---------------------------------------------------------------------------------------

    def branch(self, node: Branch, indent: str, word: str = "if") -> list[str]:
        if isinstance(node.test, Const):
            return self.block(node.then if node.test.value else node.orelse, indent)
        then = self.block(node.then, indent + INDENT)
        if not then:
            orelse = self.block(node.orelse, indent + INDENT)
            if not orelse:
                return []
            return [f"{indent}{word} {self.speller.test(node.test, opposite=True)}:", *orelse]
        head = f"{indent}{word} {self.speller.test(node.test)}:"
        rest = [one for one in node.orelse if self.is_printed(one)]
        if len(rest) == 1 and isinstance(rest[0], Branch) and not isinstance(rest[0].test, Const):
            return [head, *then, *self.branch(rest[0], indent, "elif")]
        orelse = self.block(node.orelse, indent + INDENT)
        return [head, *then, *([f"{indent}else:", *orelse] if orelse else [])]

    def is_printed(self, node: Node) -> bool:
        """Whether moves have something to print; everything else does."""
        return not isinstance(node, Moves) or bool(self.moves(node, ""))

    def for_loop(self, node: ForLoop, indent: str) -> list[str]:
        before = self.moves(node.initial, indent)
        body = self.block(node.body, indent + INDENT)
        start, stop, step = (self.speller.spell(atom).text for atom in node.trip)
        bounds = [stop] if start == "0" else [start, stop]
        if step != "1":
            bounds = [start, stop, step]
        by_us = node.index.is_temporary or node.role != "primal"
        is_unused = by_us and node.index in self.unread
        name = "_" if is_unused else self.names[node.index]
        called = f"{self.speller.library('builtins.range')}({', '.join(bounds)})"
        head = f"{indent}for {name} in {called}:"
        return [*before, head, *(body or [f"{indent}{INDENT}pass"])]

    def while_loop(self, node: WhileLoop, indent: str) -> list[str]:
        inside = indent + INDENT
        before = self.block(node.before, inside)
        if not before:
            head = f"{indent}while {self.speller.test(node.test)}:"
            return [head, *(self.block(node.body, inside) or [f"{inside}pass"])]
        lines = [f"{indent}while True:", *before]
        if node.test != Const(True):
            lines += [f"{inside}if {self.speller.test(node.test, opposite=True)}:"]
            lines += [f"{inside}{INDENT}break"]
        return [*lines, *self.block(node.body, inside)]
