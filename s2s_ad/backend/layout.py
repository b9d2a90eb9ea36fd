"""Lines longer than the limit, broken as `ruff format` breaks them."""

from __future__ import annotations

import re
from collections.abc import Sequence

LIMIT = 100


def signature(head: str, parameters: Sequence[str], result: str) -> list[str]:
    """`def f(a: int, b: int) -> float:`"""
    one = f"{head}({', '.join(parameters)}) -> {result}:"
    if len(one) <= LIMIT:
        return [one]
    inner = f"    {', '.join(parameters)}"
    body = [inner]
    if len(inner) > LIMIT:
        body = [line for parameter in parameters for line in _annotated("    ", parameter)]
    elif len(parameters) == 1:
        body = [f"{inner},"]
    if not parameters:
        body = []
    last = f") -> {result}:"
    if len(last) <= LIMIT or "[" not in result:
        return [f"{head}(", *body, last]
    first, *rest = _brackets("", result)
    return [f"{head}(", *body, f") -> {first}", *rest[:-1], f"{rest[-1]}:"]


def _annotated(indent: str, text: str) -> list[str]:
    """An item of a list, one item a line where it is too long: `saved: tuple[...],`."""
    if len(indent) + len(text) + 1 <= LIMIT or not text.endswith("]"):
        return [f"{indent}{text},"]
    *lines, last = _brackets(indent, text)
    return [*lines, f"{last},"]


def _brackets(indent: str, text: str) -> list[str]:
    """`tuple[a, b]` over several lines."""
    opening = text.index("[")
    lines = [f"{indent}{text[: opening + 1]}"]
    for part in _parts(text[opening + 1 : -1]):
        lines += _annotated(indent + "    ", part)
    return [*lines, f"{indent}]"]


def _parts(text: str) -> list[str]:
    """The items between brackets."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += {"[": 1, "]": -1, "(": 1, ")": -1, "{": 1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()]


def condition(indent: str, tests: Sequence[str]) -> list[str]:
    """`if a or b:`"""
    one = f"{indent}if {' or '.join(tests)}:"
    if len(one) <= LIMIT:
        return [one]
    inner = f"{indent}    {' or '.join(tests)}"
    if len(inner) <= LIMIT:
        return [f"{indent}if (", inner, f"{indent}):"]
    lines = [f"{indent}if ("]
    for place, test in enumerate(tests):
        lines.append(f"{indent}    {'or ' if place else ''}{test}")
    return [*lines, f"{indent}):"]


def unless(indent: str, tests: Sequence[str]) -> list[str]:
    """`if not (a and b):`"""
    joined = tests[0] if len(tests) == 1 and _is_call(tests[0]) else f"({' and '.join(tests)})"
    one = f"{indent}if not {joined}:"
    if len(one) <= LIMIT:
        return [one]
    inner = f"{indent}    {' and '.join(tests)}"
    lines = [f"{indent}    {'and ' if place else ''}{test}" for place, test in enumerate(tests)]
    return [f"{indent}if not (", *([inner] if len(inner) <= LIMIT else lines), f"{indent}):"]


def _is_call(text: str) -> bool:
    return re.fullmatch(r"[\w.]+\((?:[^()]|\([^()]*\))*\)", text) is not None


def raise_with(indent: str, exception: str, message: str, came: str = "") -> list[str]:
    """`raise ValueError("...")`, a long message in several strings. `came`, which ends the message,
    holds expressions in braces, as an f-string does.
    """
    doubled = message.replace("{", "{{").replace("}", "}}")
    text = f'f"{doubled}{came}"' if came else f'"{message}"'
    if len(indent) + len(text) + len(f"raise {exception}()") <= LIMIT:
        return [f"{indent}raise {exception}({text})"]
    inside = f"{indent}    "
    words = [(word, False) for word in re.findall(r"\S+ ?|^ ", message)]
    words += [(word, True) for word in re.findall(r"(?:\{[^}]*\}|[^\s{])+ ?|^ ", came)]
    pieces: list[list[tuple[str, bool]]] = [[]]
    for word in words:
        used = sum(len(text) for text, _ in pieces[-1])
        if pieces[-1] and len(inside) + used + len(word[0]) + 3 > LIMIT:
            pieces.append([])
        pieces[-1].append(word)
    return [
        f"{indent}raise {exception}(",
        *(f"{inside}{_quoted(piece)}" for piece in pieces),
        f"{indent})",
    ]


def _quoted(words: Sequence[tuple[str, bool]]) -> str:
    """Words as a string; as an f-string where some hold expressions."""
    if not any("{" in word for word, has_values in words if has_values):
        return f'"{"".join(word for word, _ in words)}"'
    plain = (
        word if has_values else word.replace("{", "{{").replace("}", "}}")
        for word, has_values in words
    )
    return f'f"{"".join(plain)}"'


def call(indent: str, text: str, arguments: Sequence[str]) -> list[str]:
    """A call that is a statement; one argument a line where they do not fit into one."""
    if len(indent) + len(text) <= LIMIT:
        return [f"{indent}{text}"]
    inside = f"{indent}    "
    head = f"{indent}{text[: text.index('(') + 1]}"
    if len(inside) + len(", ".join(arguments)) <= LIMIT:
        return [head, f"{inside}{', '.join(arguments)}", f"{indent})"]
    return [head, *(line for part in arguments for line in _argument(inside, part)), f"{indent})"]


def _argument(indent: str, text: str) -> list[str]:
    """An argument on a line of its own; a tuple that is too long, one item a line."""
    if len(indent) + len(text) + 1 <= LIMIT or not text.startswith("("):
        return [f"{indent}{text},"]
    items = re.findall(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', text)
    return [f"{indent}(", *(f"{indent}    {item}," for item in items), f"{indent}),"]


def long_line(line: str) -> list[str]:
    """A line that ends with a call, its arguments on lines of their own if it is too long."""
    opening = _opening_bracket(line)
    if len(line) <= LIMIT or opening is None:
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    inside = f"{indent}    "
    head, inner = line[: opening + 1], line[opening + 1 : -1]
    if len(inside) + len(inner) <= LIMIT:
        return [head, f"{inside}{inner}", f"{indent})"]
    parts = _parts(inner)
    if len(parts) == 1:
        return [head, *long_line(f"{inside}{inner}"), f"{indent})"]
    return [head, *(f"{inside}{part}," for part in parts), f"{indent})"]


def _opening_bracket(line: str) -> int | None:
    """The place of the bracket that the last one of a line closes."""
    if not line.endswith(")"):
        return None
    depth = 0
    for place in range(len(line) - 1, -1, -1):
        depth += {")": 1, "]": 1, "}": 1, "(": -1, "[": -1, "{": -1}.get(line[place], 0)
        if depth == 0:
            return place
    return None


def commented(line: str, comment: str) -> list[str]:
    """A line with a comment behind it, shortened to fit, or above it."""
    if len(line) > LIMIT:
        indent = line[: len(line) - len(line.lstrip())]
        above = shorten(comment, LIMIT - len(indent) - 2) if comment else None
        return [*([] if above is None else [f"{indent}# {above}"]), *long_line(line)]
    if not comment:
        return [line]
    room = LIMIT - len(line) - 4
    short = shorten(comment, room)
    if short is not None:
        return [f"{line}  # {short}"]
    indent = line[: len(line) - len(line.lstrip())]
    above = shorten(comment, LIMIT - len(indent) - 2)
    return [line] if above is None else [f"{indent}# {above}", line]


def shorten(text: str, room: int) -> str | None:
    """The text in at most `room` characters, the insides of brackets replaced by dots; None if that
    is too long too.
    """
    text = " ".join(text.split())
    if len(text) <= room:
        return text
    while len(text) > room:
        inside = _longest_bracket(text)
        if inside is None:
            break
        start, end = inside
        text = f"{text[:start]}...{text[end:]}"
    if len(text) <= room:
        return text
    head = text.split(" = ")[0] + " = ..."
    return head if " = " in text and len(head) <= room else None


def _longest_bracket(text: str) -> tuple[int, int] | None:
    """The longest stretch inside innermost round brackets that is worth replacing."""
    best: tuple[int, int] | None = None
    stack: list[int] = []
    for place, letter in enumerate(text):
        if letter in "([":
            stack.append(place)
        elif letter in ")]" and stack:
            start = stack.pop() + 1
            if (
                letter == ")"
                and place - start > 3
                and (best is None or place - start > best[1] - best[0])
            ):
                best = (start, place)
    return best
