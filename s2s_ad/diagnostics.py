"""What the compiler says about the user's program, and where.

A `Diagnostic` has a stable name, a message, a primary span and labelled notes, all of
them places in a `SourceFile`; a `Reporter` collects them, so that every refusal of a
function is shown at once. `render` turns them into text for people (`full`, `concise`)
or for machines (`json`, `github`). Text quoted from the user's source reaches a terminal
only with its control characters escaped.
"""

import json
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Literal

Style = Literal["full", "concise", "json", "github"]

TAB_STOP = 4
EXCERPT_CELLS = 100  # longer source lines are cut around what is underlined
CUT_CONTEXT = 10  # cells kept at least on either side of a cut line's underline

# --------------------------------------------------------------------------- data


@dataclass(frozen=True, eq=False)
class SourceFile:
    """The text of a file, or of a part of it that starts at line `first_line`.

    Compared and hashed by identity, which keeps spans cheap to compare.
    """

    path: str
    text: str
    first_line: int = 1

    @cached_property
    def _lines(self) -> tuple[str, ...]:
        # Python and LibCST end lines here only; str.splitlines would also split at form
        # feeds and U+2028, and every later line number would be wrong.
        return tuple(re.split(r"\r\n|\r|\n", self.text))

    def line(self, n: int) -> str:
        """The line with number `n` in the real file, without its end; "" outside the text."""
        index = n - self.first_line
        return self._lines[index] if 0 <= index < len(self._lines) else ""

    def text_of(self, span: "Span") -> str:
        """The source text that `span` covers; its lines are joined by a newline."""
        lines = [self.line(n) for n in range(span.line, span.end_line + 1)]
        # The end is cut first: on a span of one line the start would shift its column.
        lines[-1] = lines[-1][: span.end_column]
        lines[0] = lines[0][span.column :]
        return "\n".join(lines)


@dataclass(frozen=True)
class Span:
    """A stretch of source: lines from 1, columns from 0 in code points, the end exclusive."""

    file: SourceFile
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True)
class Label:
    """A secondary place, and what it has to do with the diagnostic."""

    span: Span
    text: str


@dataclass(frozen=True)
class Diagnostic:
    """One finding; `name` is kebab-case and stable, the key of its page in the manual.

    `label` is printed under the primary span, each of `notes` under its own.
    """

    name: str
    message: str
    span: Span | None
    label: str = ""
    notes: tuple[Label, ...] = ()
    help: str = ""
    severity: str = "error"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", self.name):
            raise ValueError(f"the name of a diagnostic is kebab-case, not {self.name!r}")


class DifferentiationError(Exception):
    """Raised when a function is refused; `diagnostics` say why, and `str` renders them."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        # As the only argument, the tuple is all that pickle needs to build the error again.
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        return render(self.diagnostics)


def refusal(
    name: str, message: str, span: Span | None = None, help: str = ""
) -> DifferentiationError:
    """A function refused for one reason."""
    return DifferentiationError([Diagnostic(name, message, span, help=help)])


class Reporter:
    """Collects diagnostics while a function is read, each of them once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Span | None, str], Diagnostic] = {}

    def error(
        self,
        name: str,
        message: str,
        span: Span | None,
        *,
        label: str = "",
        notes: Iterable[Label] = (),
        help: str = "",
    ) -> None:
        """Record an error, unless the same message was recorded at the same place."""
        diagnostic = Diagnostic(name, message, span, label, tuple(notes), help)
        self._found.setdefault((name, span, message), diagnostic)

    @property
    def mark(self) -> int:
        """A place to `rewind` to."""
        return len(self._found)

    def rewind(self, mark: int) -> None:
        """Forget what was recorded since: it was a trial."""
        self._found = dict(list(self._found.items())[:mark])

    def since(self, mark: int) -> list[Diagnostic]:
        """What was recorded since a mark."""
        return list(self._found.values())[mark:]

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """By position, files in the order they were first reported, without a span last."""
        found = self._found.values()
        paths = list(dict.fromkeys(d.span.file.path for d in found if d.span))

        def position(diagnostic: Diagnostic) -> tuple[int, int, int]:
            span = diagnostic.span
            if span is None:
                return len(paths), 0, 0
            return paths.index(span.file.path), span.line, span.column

        return tuple(sorted(found, key=position))

    def raise_if_any(self) -> None:
        """Raise one `DifferentiationError` with everything recorded so far."""
        if self._found:
            raise DifferentiationError(self.diagnostics)


def render(diagnostics: Iterable[Diagnostic], style: Style = "full", colour: bool = False) -> str:
    """The diagnostics as text, without a final newline; `colour` concerns `full` only."""
    if style == "full":
        paint = _ansi if colour else _plain
        return "\n\n".join("\n".join(_full(d, paint)) for d in diagnostics)
    if style == "concise":
        return "\n".join(_concise(d) for d in diagnostics)
    if style == "json":
        return json.dumps([_json_object(d) for d in diagnostics], indent=2)
    if style == "github":
        return "\n".join(_github(d) for d in diagnostics)
    raise ValueError(f"unknown style of diagnostics: {style!r}")


# ------------------------------------------------------------- characters and cells


def _visible(character: str) -> str:
    """The character, escaped if a terminal would obey it (or hide it) rather than show it."""
    # Besides control characters: the invisible format characters, which can reorder a line.
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return character.encode("unicode_escape").decode("ascii")
    return character


def _escape(text: str) -> str:
    return "".join(map(_visible, text))


def _cells(text: str) -> int:
    """How many cells of a terminal the text takes, once its control characters are escaped."""
    return sum(map(_width, text))


def _width(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:  # accents, drawn over what they follow
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


@dataclass(frozen=True)
class _DisplayedLine:
    """A source line as shown: a piece of text for each character, and the cell it starts at."""

    pieces: tuple[str, ...]
    edges: tuple[int, ...]  # one more than pieces: the last is the width of the line

    def edge(self, column: int) -> int:
        """The cell at which a column of the source is shown; the end for columns beyond it."""
        return self.edges[min(column, len(self.pieces))]


def _display(line: str) -> _DisplayedLine:
    pieces = []
    edges = [0]
    for character in line:
        tab = " " * (TAB_STOP - edges[-1] % TAB_STOP)
        pieces.append(tab if character == "\t" else _visible(character))
        edges.append(edges[-1] + _cells(pieces[-1]))
    return _DisplayedLine(tuple(pieces), tuple(edges))


# --------------------------------------------------------------------- full excerpts

# Paints a text for its role: a severity, "message", "gutter", "note" or "help".
_Paint = Callable[[str, str], str]

_ANSI_CODES = {
    "error": "1;31",
    "warning": "1;33",
    "message": "1",
    "gutter": "1;34",
    "note": "1;34",
    "help": "1;36",
}


def _plain(role: str, text: str) -> str:
    return text


def _ansi(role: str, text: str) -> str:
    return f"\x1b[{_ANSI_CODES.get(role, '1')}m{text}\x1b[0m" if text else text


@dataclass(frozen=True)
class _Mark:
    """An underline with its label."""

    span: Span
    text: str
    sign: str
    role: str


def _full(diagnostic: Diagnostic, paint: _Paint) -> Iterator[str]:
    """The lines of one diagnostic: heading, an excerpt for each file, label and help."""
    marks = [_Mark(note.span, note.text, "-", "note") for note in diagnostic.notes]
    if diagnostic.span is not None:
        marks.insert(0, _Mark(diagnostic.span, diagnostic.label, "^", diagnostic.severity))
    margin = max((len(str(mark.span.line)) for mark in marks), default=1)

    heading = f"{diagnostic.severity}[{diagnostic.name}]"
    message = f": {_escape(diagnostic.message)}"
    yield paint(diagnostic.severity, heading) + paint("message", message)

    # By path, not by file: two functions of one file may each have a SourceFile.
    paths = dict.fromkeys(mark.span.file.path for mark in marks)
    for path, arrow in zip(paths, ["-->", *[":::"] * len(paths)], strict=False):
        here = [mark for mark in marks if mark.span.file.path == path]
        yield paint("gutter", " " * margin + arrow) + f" {_location(here[0].span)}"
        yield from _excerpt(here, margin, paint)

    if diagnostic.span is None and diagnostic.label:
        yield from _footer("note", diagnostic.label, margin, paint)
    if diagnostic.help:
        yield from _footer("help", diagnostic.help, margin, paint)


def _location(span: Span) -> str:
    return f"{_escape(span.file.path)}:{span.line}:{span.column + 1}"


def _footer(role: str, text: str, margin: int, paint: _Paint) -> Iterator[str]:
    """`= help: ...`; further lines of the text are aligned under the first."""
    first, *others = text.split("\n")
    lead = " " * (margin + 1)
    yield f"{lead}{paint('gutter', '=')} {paint(role, role)}: {_escape(first)}".rstrip()
    for other in others:
        yield f"{lead}{' ' * len(f'= {role}: ')}{_escape(other)}".rstrip()


def _excerpt(marks: list[_Mark], margin: int, paint: _Paint) -> Iterator[str]:
    """The marked lines of one file, each mark underlined on a line of its own."""
    gutter = paint("gutter", " " * (margin + 1) + "|")
    yield gutter
    previous: int | None = None
    # The text is part of the key: of two sources with one path (`<string>`), both are shown.
    rows = groupby(sorted(marks, key=_row), key=_row)
    for (number, text), here in rows:
        # One line left out needs no sign of it: the line numbers tell.
        if previous is not None and number - previous > 2:
            yield paint("gutter", "...")
        previous = number
        line = _display(text)
        for group in _groups_within_reach(sorted(here, key=_columns), line):
            shown, underlines = _cut(group, line)
            yield paint("gutter", f"{number:>{margin}} |") + f" {shown}".rstrip()
            for mark, (indent, length) in zip(group, underlines, strict=True):
                underline = f"{mark.sign * length} {_escape(mark.text)}".rstrip()
                yield f"{gutter} {' ' * indent}{paint(mark.role, underline)}"


def _row(mark: _Mark) -> tuple[int, str]:
    return mark.span.line, mark.span.file.line(mark.span.line)


def _columns(mark: _Mark) -> tuple[int, int]:
    """The columns underlined: of a span of several lines, the first line to its end."""
    span = mark.span
    if span.end_line == span.line:
        return span.column, span.end_column
    return span.column, len(span.file.line(span.line).rstrip())


def _groups_within_reach(marks: list[_Mark], line: _DisplayedLine) -> list[list[_Mark]]:
    """Marks (by column) that one cut of the line can show; all of them, if it is short."""
    groups: list[list[_Mark]] = []
    for mark in marks:
        if groups and (
            line.edges[-1] <= EXCERPT_CELLS
            or line.edge(mark.span.column) - line.edge(groups[-1][0].span.column)
            <= EXCERPT_CELLS - 2 * CUT_CONTEXT
        ):
            groups[-1].append(mark)
        else:
            groups.append([mark])
    return groups


def _cut(marks: list[_Mark], line: _DisplayedLine) -> tuple[str, list[tuple[int, int]]]:
    """The part of a line to show for marks, and (indent, length) in cells of each underline."""
    width = line.edges[-1]
    first, last = 0, len(line.pieces)
    if width > EXCERPT_CELLS:
        start = line.edge(marks[0].span.column)
        end = max(line.edge(_columns(mark)[1]) for mark in marks)
        extent = min(end - start, EXCERPT_CELLS - 2 * CUT_CONTEXT)
        left = start - (EXCERPT_CELLS - extent) // 2
        left = max(0, min(left, width - EXCERPT_CELLS))
        first = bisect_left(line.edges, left)
        last = bisect_right(line.edges, left + EXCERPT_CELLS) - 1
    before = "..." if first else ""
    after = "..." if last < len(line.pieces) else ""

    underlines = []
    for mark in marks:
        start_column, end_column = _columns(mark)
        start = line.edge(start_column)
        end = line.edge(min(end_column, last))
        # An empty span still has a place to point at.
        underlines.append((len(before) + start - line.edges[first], max(1, end - start)))
    return before + "".join(line.pieces[first:last]) + after, underlines


# ------------------------------------------------------------------ the other styles


def _concise(diagnostic: Diagnostic) -> str:
    place = f"{_location(diagnostic.span)}: " if diagnostic.span else ""
    return f"{place}{diagnostic.severity}[{diagnostic.name}]: {_escape(diagnostic.message)}"


def _json_object(diagnostic: Diagnostic) -> dict[str, object]:
    return {
        "name": diagnostic.name,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        **_json_place(diagnostic.span),
        "label": diagnostic.label,
        "notes": [{"text": note.text, **_json_place(note.span)} for note in diagnostic.notes],
        "help": diagnostic.help,
    }


def _json_place(span: Span | None) -> dict[str, object]:
    """Lines and columns count from 1, as everywhere in the output; the end is exclusive."""
    return {
        "path": span and span.file.path,
        "line": span and span.line,
        "column": span and span.column + 1,
        "end_line": span and span.end_line,
        "end_column": span and span.end_column + 1,
    }


def _github(diagnostic: Diagnostic) -> str:
    """A workflow command, which GitHub shows as an annotation of the line."""
    span = diagnostic.span
    places = {"file": span.file.path, "line": span.line, "col": span.column + 1} if span else {}
    properties = ",".join(
        f"{key}={_github_escape(str(value), ':,')}"
        for key, value in {**places, "title": diagnostic.name}.items()
    )
    command = diagnostic.severity if diagnostic.severity in {"error", "warning"} else "notice"
    message = diagnostic.message + (f"\nhelp: {diagnostic.help}" if diagnostic.help else "")
    return f"::{command} {properties}::{_github_escape(message)}"


def _github_escape(text: str, separators: str = "") -> str:
    """Percent-escapes what would end a command or property; shows other control characters."""
    coded = "%\r\n" + separators
    return "".join(f"%{ord(c):02X}" if c in coded else _visible(c) for c in text)
