"""Arrays of integers as source: a formula where they are regular, otherwise packed in a string.

What is written is a fixed point of `ruff format`, and evaluates to the array that was given.
"""

from __future__ import annotations

import base64
import textwrap
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from s2s_ad.backend.layout import LIMIT
from s2s_ad.sparse.pattern import Indices

MOST_PIECES = 12
MOST_PERIOD = 64
MOST_NUMBERS = 400  # that are written out
MOST_GROUPS = 100  # of entries


def assignment(name: str, array: Indices) -> list[str]:
    """The lines that give a name to an array of one axis."""
    pieces = _pieces(array)
    if pieces is not None:
        return _joined(name, pieces)
    return _written_out(name, array) if len(array) <= MOST_NUMBERS else _packed(name, array)


def assignment_of_parts(name: str, parts: Sequence[Indices]) -> list[str]:
    """The same for an array whose parts are regular, one after the other."""
    pieces = [_pieces(part) for part in parts if len(part)]
    if not pieces or any(piece is None or len(piece) > 4 for piece in pieces):
        return assignment(name, np.concatenate([np.zeros(0, np.int64), *parts]))
    return _joined(name, [text for piece in pieces for text in piece or ()])


def _joined(name: str, pieces: Sequence[str]) -> list[str]:
    if len(pieces) == 1:
        return [f"{name} = {pieces[0]}"]
    inside = ", ".join(pieces)
    one = f"{name} = np.concatenate([{inside}])"
    if len(one) <= LIMIT:
        return [one]
    body = [f"    [{inside}]"]
    if len(body[0]) > LIMIT:
        body = ["    [", *(f"        {piece}," for piece in pieces), "    ]"]
    return [f"{name} = np.concatenate(", *body, ")"]


def is_packed(lines: Sequence[str]) -> bool:
    """Whether the lines need the modules base64 and zlib."""
    return any("b85decode" in line for line in lines)


def _written_out(name: str, array: Indices) -> list[str]:
    literal = f"{name} = np.array({array.tolist()})"
    if len(literal) <= LIMIT:
        return [literal]
    numbers = textwrap.wrap(", ".join(map(str, array.tolist())), LIMIT - 4)
    return [f"{name} = np.array([", *(f"    {line}" for line in numbers), "])  # fmt: skip"]


def _packed(name: str, array: Indices) -> list[str]:
    """The differences of the numbers, compressed and spelled in base 85."""
    differences = np.diff(array, prepend=0).astype("<i8")
    text = base64.b85encode(zlib.compress(differences.tobytes(), 9)).decode("ascii")
    width = LIMIT - 18
    lines = [f'                "{text[at : at + width]}"' for at in range(0, len(text), width)]
    return [
        f"{name} = np.cumsum(",
        "    np.frombuffer(",
        "        zlib.decompress(",
        "            base64.b85decode(",
        *lines,
        "            )",
        "        ),",
        '        "<i8",',
        "    )",
        ")",
    ]


# Formulas -----------------------------------------------------------------------------------------


def _pieces(array: Indices) -> list[str] | None:
    """Expressions that give the array one after the other; None if there would be many."""
    whole = _formula(array)
    if whole is not None:
        return [whole]
    runs = list(_runs(array, MOST_PIECES))
    if len(runs) > MOST_PIECES or len(runs) * 3 > len(array):
        return None
    return [_range(run) for run in runs]


def _formula(array: Indices) -> str | None:
    if len(array) == 0:
        return "np.zeros(0, np.int64)"
    if np.all(array == array[0]):
        return f"np.full({len(array)}, {array[0]})"
    if len(array) < 3:
        return None
    return _outer(array) or _periodic(array)


def _range(run: Indices) -> str:
    """Numbers of equal distance."""
    if len(run) == 1 or run[0] == run[1]:
        return f"np.full({len(run)}, {run[0]})"
    step = int(run[1] - run[0])
    stop = int(run[-1]) + (1 if step > 0 else -1)
    if step == 1:
        return f"np.arange({stop})" if run[0] == 0 else f"np.arange({run[0]}, {stop})"
    return f"np.arange({run[0]}, {stop}, {step})"


def _is_range(array: Indices) -> bool:
    return len(array) < 2 or bool(np.all(np.diff(array) == array[1] - array[0]))


def _outer(array: Indices) -> str | None:
    """A range, or a range of ranges."""
    if _is_range(array):
        return _range(array)
    steps = np.diff(array)
    inner = int(np.argmax(steps != steps[0])) + 1
    if len(array) % inner or inner < 2:
        return None
    rows = array.reshape(-1, inner)
    starts = rows[:, 0]
    if not np.all(rows - starts[:, None] == rows[0] - rows[0, 0]):
        return None
    if np.all(starts == starts[0]):
        return f"np.tile({_range(rows[0])}, {len(rows)})"
    outer = _formula(starts) or (str(starts.tolist()) if len(starts) < 8 else None)
    if outer is None:
        return None
    if rows[0, 1] == rows[0, 0]:
        return f"np.repeat({outer}, {inner})"
    return f"np.add.outer({outer}, {_range(rows[0] - rows[0, 0])}).ravel()"


def _periodic(array: Indices) -> str | None:
    """Colours of a regular pattern: a range, or a range of ranges, modulo their number."""
    period = int(array.max()) + 1
    if period > MOST_PERIOD or array.min() != 0 or array[0] != 0:
        return None
    step = int(array[1])
    places = np.arange(len(array))
    wrong = array != (places * step) % period
    if not wrong.any():
        return f"np.arange({len(array)}) % {period}" if step == 1 else None
    # the length of a row: where the first row ends, the next one begins with another number
    inner = int(np.argmax(wrong))
    if len(array) % inner or step != 1:
        return None
    outer = len(array) // inner
    factor = int(array[inner])
    rows = f"{factor} * np.arange({outer})" if factor != 1 else f"np.arange({outer})"
    expected = np.add.outer(factor * np.arange(outer), np.arange(inner)).ravel() % period
    if not np.array_equal(array, expected):
        return None
    return f"np.add.outer({rows}, np.arange({inner})).ravel() % {period}"


def _runs(array: Indices, most: int) -> Iterator[Indices]:
    """The array in parts of equal distances, at most one more than `most`."""
    start = 0
    for _ in range(most + 1):
        if start >= len(array):
            return
        rest = array[start:]
        steps = np.diff(rest)
        stop = (
            len(rest)
            if not len(steps) or np.all(steps == steps[0])
            else (int(np.argmax(steps != steps[0])) + 1)
        )
        yield rest[:stop]
        start += stop


# The entries of a matrix --------------------------------------------------------------------------


def orders(rows: Indices, columns: Indices, bounds: Indices) -> list[list[Indices]]:
    """Orders of the entries, in groups that may be easy to write: as in the matrix; full rows, full
    columns and diagonals; stretches of neighbours in a row, by their lengths.

    At the columns `bounds` another array begins.
    """
    found = [[np.arange(len(rows))], _by_stretches(rows, columns, bounds)]
    by_lines = _by_lines(rows, columns)
    return [*found, by_lines] if len(by_lines) <= MOST_GROUPS else found


def _by_stretches(rows: Indices, columns: Indices, bounds: Indices) -> list[Indices]:
    follows = (np.diff(rows) == 0) & (np.diff(columns) == 1) & ~np.isin(columns[1:], bounds)
    starts = np.flatnonzero(np.concatenate([np.ones(min(len(rows), 1), bool), ~follows]))
    lengths = np.diff(np.append(starts, len(rows)))
    of_entry = np.repeat(lengths, lengths)
    return [np.flatnonzero(of_entry == length) for length in np.unique(lengths)[:MOST_PIECES]] + [
        np.flatnonzero(np.isin(of_entry, np.unique(lengths)[MOST_PIECES:]))
    ]


def _by_lines(rows: Indices, columns: Indices) -> list[Indices]:
    left = np.ones(len(rows), bool)
    groups: list[Indices] = []
    for lines, others in ((rows, columns), (columns, rows)):
        counts = np.bincount(lines[left], minlength=1)
        usual = np.median(counts[counts > 0]) if np.any(counts) else 0
        for line in np.flatnonzero((counts > 16) & (counts > 4 * usual))[:64].tolist():
            group = np.flatnonzero(left & (lines == line))
            groups.append(group[np.argsort(others[group], kind="stable")])
            left[group] = False
    rest = np.flatnonzero(left)
    distance = columns[rest] - rows[rest]
    order = np.lexsort((rows[rest], distance))
    bounds = np.flatnonzero(np.diff(distance[order])) + 1
    return [*groups, *np.split(rest[order], bounds)] if len(rest) else groups


__all__ = ["assignment", "assignment_of_parts", "is_packed", "orders"]
