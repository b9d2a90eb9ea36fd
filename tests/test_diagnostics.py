"""Diagnostics as their readers see them.

The expected texts are written out whole: what is compared is what a user, an editor or
GitHub gets. Spans are built by `find`, which looks a piece of text up in the source, so
that a case shows what it points at.
"""

import copy
import json
import pickle
import re
import unicodedata
from typing import get_args

import libcst
import pytest
from libcst.metadata import MetadataWrapper, PositionProvider

from s2s_ad.diagnostics import (
    Diagnostic,
    DifferentiationError,
    Label,
    Reporter,
    SourceFile,
    Span,
    Style,
    render,
)

MODEL = SourceFile(
    "model.py",
    """\
def f(a, n):
    b = a.reshape(n, 2)

    b[0] = 0.0
    c = np.where(
        a > 0,  # positive
        a,
    )
    return a + c
""",
    first_line=11,
)


def find(text: str, file: SourceFile = MODEL, occurrence: int = 0) -> Span:
    """The span of an occurrence of `text` in `file`."""
    start = [match.start() for match in re.finditer(re.escape(text), file.text)][occurrence]
    before, through = file.text[:start], file.text[: start + len(text)]
    return Span(
        file,
        before.count("\n") + file.first_line,
        start - (before.rfind("\n") + 1),
        through.count("\n") + file.first_line,
        len(through) - (through.rfind("\n") + 1),
    )


def show(text: str, at: str, label: str = "") -> list[str]:
    """The source line and the underline printed for a file of one line."""
    file = SourceFile("m.py", text)
    span = find(at, file)
    return render([Diagnostic("some-name", "message", span, label)]).split("\n")[3:]


WRITE_THROUGH_VIEW = Diagnostic(
    "write-through-view",
    "`b` may or may not share memory with `a`",
    find("b[0]"),
    "written here",
    (Label(find("a.reshape(n, 2)"), "view or copy, depending on the layout of `a`"),),
    "take a copy (`b = a.reshape(n, 2).copy()`) or write to `a`",
)


# ---------------------------------------------------------------------- source files


def test_lines_have_the_numbers_of_the_real_file() -> None:
    assert MODEL.line(11) == "def f(a, n):"
    assert MODEL.line(14) == "    b[0] = 0.0"
    assert MODEL.line(10) == MODEL.line(99) == ""


def test_only_the_line_ends_of_python_end_a_line() -> None:
    file = SourceFile("m.py", "a\r\nb\rc\x0c\u2028d\ne")
    assert [file.line(n) for n in range(1, 6)] == ["a", "b", "c\x0c\u2028d", "e", ""]


@pytest.mark.parametrize("text", ["b[0]", "0.0", "np.where(\n        a > 0,", "(n, 2)\n\n    b"])
def test_text_of_a_span(text: str) -> None:
    assert MODEL.text_of(find(text)) == text


@pytest.mark.parametrize(
    "line", ["\tx = f(y)", "名前 = f(y)", "é = f(y)", "x = '\U0001f600', f(y)"]
)
def test_spans_are_those_of_libcst(line: str) -> None:
    file = SourceFile("m.py", f"if True:\n  {line.strip()}\n")
    wrapper = MetadataWrapper(libcst.parse_module(file.text))
    positions = wrapper.resolve(PositionProvider)
    (code,) = (place for node, place in positions.items() if isinstance(node, libcst.Call))
    span = Span(file, code.start.line, code.start.column, code.end.line, code.end.column)
    assert file.text_of(span) == "f(y)"


def test_files_are_compared_by_identity_and_spans_by_place() -> None:
    twin = SourceFile(MODEL.path, MODEL.text, MODEL.first_line)
    assert twin != MODEL
    assert find("b[0]") == find("b[0]") != find("b[0]", twin)
    assert len({find("b[0]"), find("b[0]"), find("b[0]", twin)}) == 2


# ------------------------------------------------------------------------ full style


def test_the_excerpt_of_the_manual() -> None:
    assert render([WRITE_THROUGH_VIEW]) == (
        """\
error[write-through-view]: `b` may or may not share memory with `a`
  --> model.py:14:5
   |
12 |     b = a.reshape(n, 2)
   |         --------------- view or copy, depending on the layout of `a`
14 |     b[0] = 0.0
   |     ^^^^ written here
   = help: take a copy (`b = a.reshape(n, 2).copy()`) or write to `a`"""
    )


def test_several_labels_on_a_line_and_a_gap() -> None:
    diagnostic = Diagnostic(
        "shape-mismatch",
        "sizes `n` and `m` differ",
        find("a + c"),
        notes=(
            Label(find("c", occurrence=-1), "float64[m]"),
            Label(find("a", occurrence=-1), "float64[n]"),
            Label(find("def f(a, n):"), "in this function"),
        ),
    )
    assert render([diagnostic]) == (
        """\
error[shape-mismatch]: sizes `n` and `m` differ
  --> model.py:19:12
   |
11 | def f(a, n):
   | ------------ in this function
...
19 |     return a + c
   |            - float64[n]
   |            ^^^^^
   |                - float64[m]"""
    )


def test_a_span_of_several_lines_is_underlined_to_the_end_of_the_first() -> None:
    span = find("a > 0,  # positive\n        a,")
    assert render([Diagnostic("some-name", "message", span, "these")]).split("\n")[3:] == [
        "16 |         a > 0,  # positive",
        "   |         ^^^^^^^^^^^^^^^^^^ these",
    ]


def test_a_note_in_another_file_has_an_excerpt_of_its_own() -> None:
    other = SourceFile("helpers.py", "def g(x):\n    return x\n", first_line=100)
    note = Label(find("g(x)", other), "called from here")
    assert render([Diagnostic("some-name", "message", find("n, 2"), notes=(note,))]) == (
        """\
error[some-name]: message
   --> model.py:12:19
    |
 12 |     b = a.reshape(n, 2)
    |                   ^^^^
   ::: helpers.py:100:5
    |
100 | def g(x):
    |     ---- called from here"""
    )


def test_two_sources_with_one_path_are_both_shown() -> None:
    first, second = SourceFile("<string>", "x = 1"), SourceFile("<string>", "y = 2")
    notes = (Label(find("y", second), "second"),)
    lines = render([Diagnostic("some-name", "m", find("x", first), "first", notes)]).split("\n")
    assert lines[1:] == [
        " --> <string>:1:1",
        "  |",
        "1 | x = 1",
        "  | ^ first",
        "1 | y = 2",
        "  | - second",
    ]


def test_without_a_span() -> None:
    diagnostic = Diagnostic("no-source", "`f` has no source", None, help="save it\nin a file")
    assert render([diagnostic]) == (
        """\
error[no-source]: `f` has no source
  = help: save it
          in a file"""
    )


def test_without_a_span_labels_and_notes_are_still_shown() -> None:
    diagnostic = Diagnostic("no-source", "m", None, "of `g`", (Label(find("n, 2"), "used here"),))
    assert render([diagnostic]) == (
        """\
error[no-source]: m
  --> model.py:12:19
   |
12 |     b = a.reshape(n, 2)
   |                   ---- used here
   = note: of `g`"""
    )


def test_diagnostics_are_separated_by_an_empty_line() -> None:
    diagnostics = [Diagnostic("first-one", "a", None), Diagnostic("second-one", "b", None)]
    assert render(diagnostics) == "error[first-one]: a\n\nerror[second-one]: b"
    assert render([]) == ""


def test_wide_characters_take_two_cells_and_accents_none() -> None:
    assert show("名前 = 値 + y", at="値", label="wide") == [
        "1 | 名前 = 値 + y",
        "  |        ^^ wide",
    ]
    assert show("e\u0301 = x", at="x") == ["1 | e\u0301 = x", "  |     ^"]
    # Composed or not, and in Greek: one cell.
    assert show("é, θ = x", at="x") == ["1 | é, θ = x", "  |        ^"]


def test_tabs_are_expanded() -> None:
    assert show("\tx =\ty", at="y", label="here") == [
        "1 |     x = y",
        "  |         ^ here",
    ]
    assert show("\tx = a\tb", at="a\tb") == ["1 |     x = a   b", "  |         ^^^^^"]


def test_control_characters_are_shown_escaped() -> None:
    # A terminal escape, and the mark that reorders a line ("Trojan source").
    assert show("s = '\x1b[31m\u202e' + x", at="x") == [
        r"1 | s = '\x1b[31m\u202e' + x",
        "  |                        ^",
    ]
    file = SourceFile("m\x1b.py", "x = y")
    notes = (Label(find("x", file), "\x07"),)
    diagnostic = Diagnostic("some-name", "\x1b[2J", find("y", file), "\u202e", notes, "\x00")
    for style in get_args(Style):
        printed = render([diagnostic], style)
        assert not [c for c in printed if unicodedata.category(c) in {"Cc", "Cf"} and c != "\n"]


def test_an_empty_span_still_has_a_caret() -> None:
    file = SourceFile("m.py", "x = (1,\n\n")
    for span, expected in [
        (Span(file, 1, 7, 1, 7), ["1 | x = (1,", "  |        ^ here"]),
        (Span(file, 2, 0, 2, 0), ["2 |", "  | ^ here"]),
    ]:
        lines = render([Diagnostic("some-name", "message", span, "here")]).split("\n")
        assert lines[3:] == expected


def test_long_lines_are_cut_around_the_caret() -> None:
    line = " + ".join(f"x{n}" for n in range(1000))
    source, underline = show(line, at="x500", label="here")
    shown = source.removeprefix("1 | ")
    assert shown.startswith("...") and shown.endswith("...")
    assert len(shown) == 106
    column = underline.index("^")
    assert source[column : column + 7] == "x500 + "
    assert underline.endswith(" ^^^^ here")
    assert 40 < column < 65


def test_the_ends_of_a_long_line_are_not_cut_off() -> None:
    line = " + ".join(f"x{n}" for n in range(1000))
    source, underline = show(line, at="x0 +")
    assert source.startswith("1 | x0 + x1") and source.endswith("...")
    assert underline == "  | ^^^^"
    source, underline = show(line, at="x999")
    assert source.startswith("1 | ...") and source.endswith("x999")
    assert underline.rindex("^") == len(source) - 1


def test_a_long_underline_ends_where_the_line_is_cut() -> None:
    line = "y = " + " + ".join(f"x{n}" for n in range(1000))
    source, underline = show(line, at=line[4:])
    assert source.startswith("1 | y = x0")
    assert underline == "  |     " + "^" * (len(source) - len("1 | y = ") - len("..."))


def test_labels_far_apart_on_a_long_line_are_shown_apart() -> None:
    file = SourceFile("m.py", "first" + " + 1" * 100 + " + last")
    notes = (Label(find("last", file), "and this"),)
    lines = render([Diagnostic("some-name", "m", find("first", file), "this", notes)]).split("\n")
    assert lines[3].startswith("1 | first") and lines[4] == "  | ^^^^^ this"
    assert lines[5].endswith(" + last") and lines[6].endswith("---- and this")
    assert lines[5].index("last") == lines[6].index("----")


def test_colour_adds_nothing_but_colour() -> None:
    coloured = render([WRITE_THROUGH_VIEW], colour=True)
    assert "\x1b[1;31merror[write-through-view]\x1b[0m" in coloured
    assert "\x1b[1;31m^^^^ written here\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render([WRITE_THROUGH_VIEW])


# ------------------------------------------------------------------ the other styles


def test_concise() -> None:
    diagnostics = [WRITE_THROUGH_VIEW, Diagnostic("no-source", "two\nlines", None)]
    assert render(diagnostics, "concise").split("\n") == [
        "model.py:14:5: error[write-through-view]: `b` may or may not share memory with `a`",
        r"error[no-source]: two\nlines",
    ]


def test_json() -> None:
    place = {"path": "model.py", "line": 14, "column": 5, "end_line": 14, "end_column": 9}
    note = {"path": "model.py", "line": 12, "column": 9, "end_line": 12, "end_column": 24}
    text = "view or copy, depending on the layout of `a`"
    nowhere = dict.fromkeys(place)
    first, second = json.loads(
        render([WRITE_THROUGH_VIEW, Diagnostic("no-source", '"é"\n', None)], "json")
    )
    assert first == {
        "name": "write-through-view",
        "severity": "error",
        "message": "`b` may or may not share memory with `a`",
        **place,
        "label": "written here",
        "notes": [{"text": text, **note}],
        "help": "take a copy (`b = a.reshape(n, 2).copy()`) or write to `a`",
    }
    assert list(first) == list(second)
    assert second.items() >= {"message": '"é"\n', "notes": [], "help": "", **nowhere}.items()
    assert json.loads(render([], "json")) == []


def test_github() -> None:
    file = SourceFile("a,b:c%.py", "x = y")
    diagnostics = [
        WRITE_THROUGH_VIEW,
        Diagnostic("some-name", "100%: a, b\nend", find("y", file), severity="warning"),
        Diagnostic("no-source", "message", None),
    ]
    assert render(diagnostics, "github").split("\n") == [
        "::error file=model.py,line=14,col=5,title=write-through-view::"
        "`b` may or may not share memory with `a`%0A"
        "help: take a copy (`b = a.reshape(n, 2).copy()`) or write to `a`",
        "::warning file=a%2Cb%3Ac%25.py,line=1,col=5,title=some-name::100%25: a, b%0Aend",
        "::error title=no-source::message",
    ]


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(ValueError, match="sarif"):
        render([], "sarif")  # type: ignore[arg-type]


# ----------------------------------------------------------- collecting and raising


def test_the_name_is_kebab_case() -> None:
    for name in ("Unknown", "unknown_operation", "unknown--operation", "", "x\n"):
        with pytest.raises(ValueError, match="kebab-case"):
            Diagnostic(name, "message", None)


def test_the_reporter_collects_by_position() -> None:
    other = SourceFile("a.py", "x = y")
    reporter = Reporter()
    reporter.raise_if_any()
    reporter.error("no-source", "no place", None)
    reporter.error("some-name", "fourth", find("c", occurrence=-1))
    reporter.error("some-name", "second", find("b[0]"))
    reporter.error("some-name", "last file", find("y", other))
    reporter.error("other-name", "third", find("b[0]"), label="x", help="y")
    reporter.error("some-name", "first", find("n, 2"), notes=[Label(find("b[0]"), "note")])
    assert [d.message for d in reporter.diagnostics] == [
        "first",
        "second",
        "third",
        "fourth",
        "last file",
        "no place",
    ]
    with pytest.raises(DifferentiationError) as raised:
        reporter.raise_if_any()
    assert raised.value.diagnostics == reporter.diagnostics


def test_the_reporter_records_a_duplicate_once() -> None:
    reporter = Reporter()
    reporter.error("some-name", "message", find("b[0]"), label="kept")
    reporter.error("some-name", "message", find("b[0]"), label="dropped")
    reporter.error("some-name", "message", None)
    reporter.error("some-name", "another message", find("b[0]"))
    assert [d.label for d in reporter.diagnostics] == ["kept", "", ""]


def test_the_error_prints_its_diagnostics() -> None:
    error = DifferentiationError([WRITE_THROUGH_VIEW])
    assert error.diagnostics == (WRITE_THROUGH_VIEW,)
    assert str(error) == render([WRITE_THROUGH_VIEW])


def test_the_error_survives_pickle_and_copy() -> None:
    error = DifferentiationError([WRITE_THROUGH_VIEW])
    for twin in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert type(twin) is DifferentiationError
        assert str(twin) == str(error)
        assert len(twin.diagnostics) == 1
