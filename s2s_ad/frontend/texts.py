"""Strings with values in them, for messages: `f"step {i}: {loss:.3f}"`."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Sequence
from string import Formatter

import libcst as cst

from s2s_ad.frontend.arguments import Arguments
from s2s_ad.frontend.containers import container
from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import atom, static
from s2s_ad.frontend.values import Refused, Value
from s2s_ad.ir import Atom, Const, Structure
from s2s_ad.operations.effects import TEXT, in_quotes, placeholder
from s2s_ad.types import is_integer

Literal = cst.SimpleString | cst.FormattedString | cst.ConcatenatedString


def lower_text(
    lowering: Lowering, node: cst.FormattedString | cst.ConcatenatedString, name: str
) -> Value:
    """A constant where nothing has to be computed for it."""
    if isinstance(node, cst.ConcatenatedString) and node.evaluated_value is not None:
        return Const(node.evaluated_value)
    values: list[Atom] = []
    text = lowering.code(_with_placeholders(lowering, node, values))
    if not values:  # all of it is known
        whole = ast.parse(text, mode="eval").body
        parts = whole.values if isinstance(whole, ast.JoinedStr) else [whole]
        return Const("".join(str(part.value) for part in parts if isinstance(part, ast.Constant)))
    return lowering.assign(TEXT, [Const(text), *values], node, name)


def _with_placeholders(lowering: Lowering, node: Literal, values: list[Atom]) -> Literal:
    if isinstance(node, cst.ConcatenatedString):
        left = _with_placeholders(lowering, node.left, values)
        right = _with_placeholders(lowering, node.right, values)
        return node.with_changes(left=left, right=right)
    if isinstance(node, cst.SimpleString):
        return node
    parts = [_part(lowering, part, node, values) for part in node.parts]
    counts = [
        sum(isinstance(p, cst.FormattedStringText) for p in each) for each in (parts, node.parts)
    ]
    changed = node.with_changes(parts=parts)
    return requoted(changed) if counts[0] > counts[1] else changed  # known text was put into it


def _part(
    lowering: Lowering,
    part: cst.BaseFormattedStringContent,
    around: cst.FormattedString,
    values: list[Atom],
) -> cst.BaseFormattedStringContent:
    if not isinstance(part, cst.FormattedStringExpression):
        return part
    value = atom(lowering, lower_expression(lowering, part.expression), part.expression)
    known = known_text(part, value)
    if known is not None:
        return cst.FormattedStringText(escaped(known, around.quote))
    values.append(value)
    here = cst.Name(placeholder(len(values) - 1))
    spec = part.format_spec
    if spec is not None:
        spec = [_part(lowering, inner, around, values) for inner in spec]
    if part.equal is not None:  # `{x=}` says the expression, too
        raise lowering.refuse(
            "unsupported-syntax",
            "`=` in an f-string is not supported",
            part,
            help="write the name before the braces",
        )
    return part.with_changes(expression=here, format_spec=spec)


STRING_METHODS = frozenset({
    "capitalize", "count", "endswith", "find", "format", "index", "isalpha", "isdigit", "join",
    "lower", "lstrip", "replace", "rstrip", "split", "startswith", "strip", "title", "upper",
})  # fmt: skip


def call_string_method(lowering: Lowering, text: str, method: str, arguments: Arguments) -> Value:
    """`kind.lower()`, `"{:.3f}".format(x)`: what is known is computed when compiling."""
    given = [static(value) for value in arguments.positional]
    named = {key: static(value) for key, value in arguments.keywords.items()}
    if method not in STRING_METHODS:
        raise _refused(lowering, f"the method `{method}` of a string", arguments.node)
    if None in given or None in named.values():
        if method == "format":
            return _formatted(lowering, text, arguments)
        raise _refused(lowering, f"`{method}` with what is not known here", arguments.node)
    try:
        found = getattr(text, method)(
            *(each.value for each in given if each is not None),
            **{key: each.value for key, each in named.items() if each is not None},
        )
    except (TypeError, ValueError, LookupError) as problem:
        raise lowering.refuse("bad-call", str(problem), arguments.node) from None
    if isinstance(found, list):
        return container(lowering, "list", [Const(each) for each in found])
    return Const(found)


def _formatted(lowering: Lowering, text: str, arguments: Arguments) -> Value:
    """`"step {}: {:.3f}".format(i, loss)`, as an f-string."""
    pieces: list[str] = []
    values: list[Atom] = []
    try:
        parts = list(Formatter().parse(text))
    except ValueError as problem:
        raise lowering.refuse("bad-call", str(problem), arguments.node) from None
    given: dict[str, Value] = {str(k): value for k, value in enumerate(arguments.positional)}
    given |= arguments.keywords
    unnamed = 0
    for literal, name, spec, conversion in parts:
        pieces.append(escaped(literal, ""))
        if name is None:
            continue
        value = given.get(name or str(unnamed))
        unnamed += not name
        if value is None or "{" in (spec or ""):
            raise _refused(lowering, f"`{{{name}}}` in a format", arguments.node)
        fixed = static(value)
        known = None
        if fixed is not None:
            known = _in_format(fixed.value, conversion or "", spec or "")
        if known is not None:
            pieces.append(escaped(known, ""))
            continue
        values.append(atom(lowering, value, arguments.node))
        how = ("!" + conversion if conversion else "") + (":" + spec if spec else "")
        pieces.append("{" + placeholder(len(values) - 1) + how + "}")
    return lowering.assign(TEXT, [Const(quoted("".join(pieces))), *values], arguments.node)


# `%-8.3f`: flags, width, precision and kind of a field
FIELD = re.compile(r"%([-+0 ]?)(\d*)((?:\.\d+)?)([deEfFgGsr%])")


def text_arithmetic(
    lowering: Lowering, symbol: str, text: str, right: Value, node: cst.BinaryOperation
) -> Value:
    """`"a" + "b"`, `"ab" * 2`, `"step %d" % i`"""
    fixed = static(right)
    compute = {"+": operator.add, "*": operator.mul, "%": operator.mod}.get(symbol)
    if compute is not None and fixed is not None:
        try:
            return Const(compute(text, fixed.value))
        except (TypeError, ValueError) as problem:
            raise lowering.refuse("bad-call", str(problem), node) from None
    if symbol != "%" or FIELD.sub("", text).count("%"):
        raise _refused(lowering, f"`{symbol}` of a string and what is not known here", node)
    is_tuple = isinstance(right, Structure) and right.kind == "tuple"
    given = list(right.items) if is_tuple else [right]  # type: ignore[union-attr]
    pieces: list[str] = []
    end = 0
    values: list[Atom] = []
    for field in FIELD.finditer(text):
        pieces.append(escaped(text[end : field.start()], ""))
        end = field.end()
        if field[4] == "%":
            pieces.append("%")
            continue
        if not given:
            raise lowering.refuse("bad-call", "not enough arguments for format string", node)
        value = given.pop(0)
        fixed = static(value)
        if fixed is not None and not fixed.text:
            pieces.append(escaped(field[0] % (fixed.value,), ""))
            continue
        values.append(atom(lowering, value, node))
        pieces.append(_field(lowering, field, values, node))
    pieces.append(escaped(text[end:], ""))
    return lowering.assign(TEXT, [Const(quoted("".join(pieces))), *values], node)


def _field(
    lowering: Lowering, field: re.Match[str], values: Sequence[Atom], node: cst.CSTNode
) -> str:
    """The last value as a field of an f-string."""
    flag, width, precision, kind = field.groups()
    is_text = kind in "sr"
    if kind == "d" and not is_integer(values[-1].type):
        raise _refused(lowering, "`%d` of what may not be an integer", node)
    if is_text and (flag not in ("", "-") or precision):
        raise _refused(lowering, f"`{field[0]}` in a format", node)
    side = "<" if flag == "-" else ">" if is_text and width else ""
    spec = f"{side}{'' if flag == '-' else flag}{width}{precision}{'' if is_text else kind}"
    conversion = f"!{kind}" if is_text else ""
    return "{" + placeholder(len(values) - 1) + conversion + (f":{spec}" if spec else "") + "}"


def _refused(lowering: Lowering, what: str, node: cst.CSTNode) -> Refused:
    message = f"{what} is not supported"
    return lowering.refuse("unsupported-syntax", message, node, help="write an f-string")


def known_text(part: cst.FormattedStringExpression, value: Value) -> str | None:
    """What a known text comes to in an f-string, as itself or formatted; None where it is not."""
    if not isinstance(value, Const) or not isinstance(value.value, str) or part.equal is not None:
        return None
    texts = [each for each in part.format_spec or () if isinstance(each, cst.FormattedStringText)]
    if len(texts) < len(part.format_spec or ()):
        return None
    spec = "".join(each.value for each in texts)
    return _in_format(value.value, part.conversion or "", spec)


def _in_format(value: object, conversion: str, spec: str) -> str | None:
    convert: dict[str, Callable[[object], object]] = {"r": repr, "s": str, "a": ascii}
    shown = convert[conversion](value) if conversion else value
    try:
        return format(shown, spec)
    except (TypeError, ValueError):
        return None  # which raises when it runs


def escaped(text: str, quote: str) -> str:
    """A text as it is written between the braces of an f-string in these quotes; without quotes,
    `quoted` puts it into some.
    """
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    if quote:
        text = text.replace(quote[0], "\\" + quote[0])
    return text.replace("{", "{{").replace("}", "}}")


def quoted(text: str) -> str:
    """An f-string of this content, in the quotes that `ruff format` takes."""
    return f"f{in_quotes(text)}"


def without_need(escape: re.Match[str]) -> str:
    """An escaped quote as it is between quotes of another kind; other escapes stay."""
    return escape[1] if escape[1] in "'\"" else escape[0]


def requoted(node: cst.FormattedString) -> cst.FormattedString:
    """An f-string into which known text was put, in the quotes that `ruff format` takes."""
    texts = [part.value for part in node.parts if isinstance(part, cst.FormattedStringText)]
    code = cst.Module(body=[]).code_for_node
    others = [code(part) for part in node.parts if not isinstance(part, cst.FormattedStringText)]
    is_plain = node.start.lower() in ('f"', "f'") and not any('"' in o or "'" in o for o in others)
    if not is_plain:
        return node
    plain = [re.sub(r"\\(.)", without_need, text) for text in texts]
    found = quoted("".join(plain))[1]
    parts = [
        part.with_changes(value=plain.pop(0).replace(found, "\\" + found))
        if isinstance(part, cst.FormattedStringText)
        else part
        for part in node.parts
    ]
    return node.with_changes(start=f"f{found}", end=found, parts=parts)


__all__ = [
    "call_string_method",
    "escaped",
    "known_text",
    "lower_text",
    "requoted",
    "text_arithmetic",
]
