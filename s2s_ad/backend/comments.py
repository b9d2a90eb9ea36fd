"""Which statement of the user a line of adjoint code undoes."""

from __future__ import annotations

from bisect import bisect_right

from s2s_ad.diagnostics import Span
from s2s_ad.ir import Assign, Function, show_assign
from s2s_ad.rewrite import all_statements

MOST_NESTED = 50
COMPOUND = ("for ", "while ", "if ", "elif ", "else:", "with ", "def ")


class Comments:
    """Said once for each run of lines."""

    def __init__(self, function: Function, level: int) -> None:
        self.places: dict[int, list[tuple[int, int, Span]]] = {}
        for span in function.statements:
            self.places.setdefault(id(span.file), []).append((span.line, span.column, span))
        for places in self.places.values():
            places.sort(key=lambda place: place[:2])
        self.level = level
        self.last: Span | None = None
        self.lines = {
            statement.span: statement
            for statement in all_statements(function.body)
            if isinstance(statement, Assign) and statement.role == "primal"
        }

    def for_line(self, statement: Assign) -> str:
        span = statement.span
        if span is None:
            return ""
        around = self.around(span)
        said = span if self.level == 0 else around
        if said is None or said == self.last:
            return ""
        if self.level == 0 and span in self.lines:
            self.last = said
            return show_assign(self.lines[span])
        text = span.file.text_of(said)
        if text.startswith(COMPOUND):
            return ""  # and what was said before goes on
        self.last = said
        return "" if "\n" in text and len(text) > 400 else text

    def is_of_head(self, statement: Assign) -> bool:
        """Whether a line undoes the head of a loop or branch: `for z in x:`."""
        said = None if statement.span is None else self.around(statement.span)
        return said is not None and said.file.text_of(said).startswith(COMPOUND)

    def around(self, span: Span) -> Span | None:
        """The innermost statement that contains a span: the last before it that ends behind it."""
        places = self.places.get(id(span.file), [])
        at = bisect_right(places, (span.line, span.column), key=lambda place: place[:2])
        for _, _, other in reversed(places[:at][-MOST_NESTED:]):
            if (other.end_line, other.end_column) >= (span.end_line, span.end_column):
                return other
        return None
