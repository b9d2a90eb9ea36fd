"""Parsed source text: libcst trees with the span of every node.

A `Unit` is a stretch of text parsed on its own: one top-level statement of a file, or the text of a
live function. Positions are computed for a unit when first asked for, because for a whole file they
cost more than everything else together.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from s2s_ad.diagnostics import Diagnostic, DifferentiationError, SourceFile, Span, refusal

# What is larger takes libcst minutes and gigabytes; what is deeper, its recursion has no room for
# (where it just has not, that is a RecursionError, which is refused as `too-deep` as well).
MOST_TOKENS = 300_000
MOST_LEVELS = 300
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(eq=False)
class Unit:
    """A parsed statement and where it stands: line 1 of `module` is line `first_line` of the file.
    `bound` remembers the names that its nodes bind, with and without updates, `declared` those that
    functions take from around them by `nonlocal`.
    """

    file: SourceFile
    module: cst.Module
    first_line: int
    bound: dict[tuple[cst.CSTNode, bool], frozenset[str]] = field(default_factory=dict)
    declared: dict[cst.CSTNode, frozenset[str]] = field(default_factory=dict)

    @cached_property
    def _positions(self) -> Mapping[cst.CSTNode, CodeRange]:
        return MetadataWrapper(self.module, unsafe_skip_copy=True).resolve(PositionProvider)

    def span(self, node: cst.CSTNode) -> Span:
        place = self._positions.get(node)
        if place is None:
            return Span(self.file, self.first_line, 0, self.first_line, 0)
        shift = self.first_line - 1
        return Span(
            self.file,
            place.start.line + shift,
            place.start.column,
            place.end.line + shift,
            place.end.column,
        )

    def code(self, node: cst.CSTNode) -> str:
        return self.module.code_for_node(node)


@dataclass(eq=False)
class ParsedFile:
    """A file as written: its top-level statements, never run."""

    file: SourceFile
    module: cst.Module
    _units: dict[cst.CSTNode, Unit] = field(default_factory=dict)

    def unit(self, statement: cst.BaseStatement | cst.SimpleStatementLine) -> Unit:
        """The unit of a top-level statement."""
        if statement not in self._units:
            alone = self.module.with_changes(body=[statement], header=[], footer=[])
            unit = Unit(self.file, alone, 1)
            unit.first_line = (
                self._line_of(statement) - unit.span(_keyword_node(statement)).line + 1
            )
            self._units[statement] = unit
        return self._units[statement]

    def _line_of(self, statement: cst.CSTNode) -> int:
        """The line of a top-level statement: by its `def NAME` where that is unique, otherwise by
        counting lines.
        """
        if isinstance(statement, cst.FunctionDef | cst.ClassDef):
            keyword = "class" if isinstance(statement, cst.ClassDef) else r"(?:async\s+)?def"
            found = list(
                re.finditer(
                    rf"^{keyword}\s+{re.escape(statement.name.value)}\b", self.file.text, re.M
                )
            )
            if len(found) == 1:
                return self.file.text.count("\n", 0, found[0].start()) + 1
        lines = self.module.with_changes(body=[], footer=[]).code.count("\n")
        for other in self.module.body:
            if other is statement:
                break
            lines += self.module.code_for_node(other).count("\n")
        alone = self.module.with_changes(body=[statement], header=[], footer=[])
        first = MetadataWrapper(alone, unsafe_skip_copy=True).resolve(PositionProvider)[
            _keyword_node(statement)
        ]
        return lines + first.start.line


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A node and all below it."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(current.children)


def _keyword_node(statement: cst.CSTNode) -> cst.CSTNode:
    """A node on the line of `def`, below the decorators."""
    return statement.name if isinstance(statement, cst.FunctionDef | cst.ClassDef) else statement


def parse_text(text: str, path: str, first_line: int = 1) -> ParsedFile:
    """Parse source text. Raises DifferentiationError with `syntax-error` at the place where parsing
    stopped.
    """
    file = SourceFile(path, text, first_line)
    _refuse_what_is_too_much(file)
    try:
        return ParsedFile(file, cst.parse_module(text))
    except cst.ParserSyntaxError as error:
        problem = _syntax_problem(file, error)
    except RecursionError:
        raise _too_deep(file) from None
    except (ValueError, SyntaxError) as error:  # where libcst wants a space, and Python does not
        problem = Diagnostic("syntax-error", f"the file does not parse: {error}", None)
    raise DifferentiationError([problem])


def _refuse_what_is_too_much(file: SourceFile) -> None:
    """Refuse, in bounded time and memory, what libcst takes too long for, or ends the process on.

    Python's own parser goes first: it has limits of its own, and says better what is wrong.
    """
    if len(_TOKEN.findall(file.text)) > MOST_TOKENS:
        raise refusal("too-large", f"{file.path} is too large to be read",
                       help="move the function into a file of its own")  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the user's strings, not for us to say
            tree = ast.parse(file.text)
    except SyntaxError as problem:
        column = max((problem.offset or 1) - 1, 0)
        located = _located(file, problem.lineno or 1, column, problem.msg)
        raise DifferentiationError([located]) from None
    except (RecursionError, MemoryError):
        raise _too_deep(file) from None
    except ValueError as problem:
        raise refusal("syntax-error", f"the file does not parse: {problem}", help="") from None
    level: list[ast.AST] = [tree]
    for _ in range(MOST_LEVELS):
        level = [inner for node in level for inner in ast.iter_child_nodes(node)]
        if not level:
            return
        # flat for Python, but nested for libcst
        if any(isinstance(node, ast.BoolOp) and len(node.values) > MOST_LEVELS for node in level):
            break
    raise _too_deep(file)


def _too_deep(file: SourceFile) -> DifferentiationError:
    return refusal("too-deep", f"{file.path} is nested too deeply to be read",
                    help="split the expression or the chain of branches into several")  # fmt: skip


def _syntax_problem(file: SourceFile, error: cst.ParserSyntaxError) -> Diagnostic:
    """What libcst does not take, though Python does."""
    line, column, message = error.raw_line, error.raw_column, error.message.split(". ")[0]
    return _located(file, line, column, message)


def _located(file: SourceFile, line: int, column: int, message: str) -> Diagnostic:
    line = min(line, file.text.count("\n") + 1) + file.first_line - 1
    span = Span(file, line, column, line, column + 1)
    return Diagnostic("syntax-error", f"the file does not parse: {message}", span)


def parse_file(path: str) -> ParsedFile:
    """Read and parse a file; it is not run."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            text = stream.read()
    except UnicodeDecodeError as error:
        problem = Diagnostic("syntax-error", f"{path} is not UTF-8 text: {error.reason}", None)
        raise DifferentiationError([problem]) from None
    return parse_text(text.replace("\r\n", "\n"), path)
