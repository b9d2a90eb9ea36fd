"""Strings with values in them, for messages: `f"step {i}: {loss:.3f}"`."""

from __future__ import annotations

import libcst as cst

from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import atom
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const
from s2s_ad.operations.effects import TEXT, placeholder

Literal = cst.SimpleString | cst.FormattedString | cst.ConcatenatedString


def lower_text(
    lowering: Lowering, node: cst.FormattedString | cst.ConcatenatedString, name: str
) -> Value:
    """A constant where nothing has to be computed for it."""
    if isinstance(node, cst.ConcatenatedString) and node.evaluated_value is not None:
        return Const(node.evaluated_value)
    values: list[Atom] = []
    text = lowering.code(_with_placeholders(lowering, node, values))
    return lowering.assign(TEXT, [Const(text), *values], node, name)


def _with_placeholders(lowering: Lowering, node: Literal, values: list[Atom]) -> Literal:
    if isinstance(node, cst.ConcatenatedString):
        left = _with_placeholders(lowering, node.left, values)
        right = _with_placeholders(lowering, node.right, values)
        return node.with_changes(left=left, right=right)
    if isinstance(node, cst.SimpleString):
        return node
    parts = [_part(lowering, part, node, values) for part in node.parts]
    return node.with_changes(parts=parts)


def _part(
    lowering: Lowering,
    part: cst.BaseFormattedStringContent,
    around: cst.FormattedString,
    values: list[Atom],
) -> cst.BaseFormattedStringContent:
    if not isinstance(part, cst.FormattedStringExpression):
        return part
    value = atom(lowering, lower_expression(lowering, part.expression), part.expression)
    plain = not part.conversion and not part.format_spec and not part.equal
    if plain and isinstance(value, Const) and isinstance(value.value, str):
        return cst.FormattedStringText(_escaped(value.value, around.quote))
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


def _escaped(text: str, quote: str) -> str:
    escaped = text.replace("\\", "\\\\").replace(quote[0], "\\" + quote[0]).replace("\n", "\\n")
    return escaped.replace("{", "{{").replace("}", "}}")


__all__ = ["lower_text"]
