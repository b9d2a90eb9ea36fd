"""Expressions as Python source: precedence, brackets, spacing as `ruff format` leaves it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from s2s_ad.ir import Assign, Atom, Const, Operation, spell_call, spell_constant
from s2s_ad.operations.effects import in_quotes
from s2s_ad.operations.indexing import SLICE, TUPLE
from s2s_ad.operations.lists import SUBSCRIPTS
from s2s_ad.types import rank_of

ATOMIC = 16
UNARY = 13
POWER = 14
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True)
class Expression:
    """Source text, how tightly its outermost operator binds, and how many operations are in it."""

    text: str
    precedence: int = ATOMIC
    weight: int = 0
    is_product: bool = False  # of matrices

    def within(self, precedence: int) -> str:
        """The text where at least this precedence is needed."""
        return self.text if self.precedence >= precedence else f"({self.text})"


Spell = Callable[[Atom], Expression]


def spell_atom(constant: Const, library: Callable[[str], str]) -> Expression:
    """A constant; `library` gives the name of something of NumPy or math, noting that it is
    used.
    """
    if constant.text:
        is_dotted = "." in constant.text and "(" not in constant.text
        return Expression(library(constant.text) if is_dotted else constant.text)
    value = constant.value
    if isinstance(value, float) and not math.isfinite(value):
        name = library("numpy.nan" if math.isnan(value) else "numpy.inf")
        return Expression(f"-{name}", UNARY) if value < 0 else Expression(name)
    if isinstance(value, slice) or (
        isinstance(value, tuple) and any(map(_is_slice_or_dots, value))
    ):
        return Expression(_spell_index_value(value))
    if isinstance(value, str):
        return Expression(_quoted(value))
    if isinstance(value, tuple) and value and all(isinstance(part, str) for part in value):
        return Expression(spell_tuple([_quoted(part) for part in value]))
    text = spell_constant(value)
    negative = isinstance(value, int | float) and text.startswith("-")
    return Expression(text, UNARY if negative else ATOMIC)


def _quoted(text: str) -> str:
    """A string as ruff writes it."""
    spelled = repr(text)[1:-1]
    if "'" in text and '"' in text:
        spelled = spelled.replace("\\'", "'")  # the quotes that repr takes then
    return in_quotes(spelled)


def _is_slice_or_dots(value: object) -> bool:
    return isinstance(value, slice) or value is Ellipsis


def _spell_index_value(value: object) -> str:
    """An index as an expression, outside brackets: `(slice(1, None), 0)`."""
    if isinstance(value, tuple):
        return spell_tuple([_spell_index_value(part) for part in value])
    if isinstance(value, slice):
        start, stop, step = (repr(part) for part in (value.start, value.stop, value.step))
        if step != "None":
            return f"slice({start}, {stop}, {step})"
        return f"slice({start}, {stop})" if start != "None" else f"slice({stop})"
    return "..." if value is Ellipsis else repr(value)


def spell_operation(statement: Assign, spell: Spell, library: Callable[[str], str]) -> Expression:
    """The right side of a Wengert line, its operands spelled by `spell`."""
    op, operands = statement.op, statement.operands
    expressions = [spell(operand) for operand in operands]
    weight = 1 + sum(expression.weight for expression in expressions)
    if op.name in SUBSCRIPTS:
        base, index = expressions[0].within(ATOMIC), subscript(operands[1], spell)
        return Expression(f"{base}[{index}]", weight=weight)
    if op.template:
        if op.name in MIRRORED and isinstance(operands[0], Const):
            # `0 < x` is `x > 0` to who reads it
            op = replace(op, template=f"{{0}} {MIRRORED[op.name]} {{1}}")
            expressions.reverse()
        return _spell_template(op, expressions, weight)
    texts = [expression.text for expression in expressions]
    if op.printer is not None:
        if op.name in ("identity", "recall"):
            return expressions[0]
        if op.name in ("ndarray.astype", "ndarray.copy", "list.of_array"):
            texts[0] = expressions[0].within(ATOMIC)
        return Expression(_module_names(op.printer(operands, texts), library), weight=weight)
    if op.name == "numpy.sum" and statement.role != "primal" and rank_of(operands[0].type):
        # for an array the method does the same, sooner
        method = replace(
            op, call=f"{expressions[0].within(ATOMIC)}.sum", parameters=op.parameters[1:]
        )
        return Expression(spell_call(method, operands[1:], texts[1:]), weight=weight)
    call = spell_call(op, operands, texts)
    return Expression(call if op.declared else _module_names(call, library), weight=weight)


def _module_names(text: str, library: Callable[[str], str]) -> str:
    """`np.` and `math.` in front of a call, as the generated module calls them."""
    match = re.match(r"(np|math|scipy(?:\.\w+)*)\.(\w+(?:\.\w+)*)\(", text)
    if match is not None:
        module = {"np": "numpy"}.get(match[1], match[1])
        return library(f"{module}.{match[2]}") + text[match.end() - 1 :]
    plain = re.match(r"(\[*)(\w+)\(", text)
    if plain is None:
        return text
    return plain[1] + library(f"builtins.{plain[2]}") + text[plain.end() - 1 :]


def _spell_template(op: Operation, expressions: Sequence[Expression], weight: int) -> Expression:
    level = op.precedence
    if level == ATOMIC:  # an attribute
        return Expression(
            op.template.format(expressions[0].within(ATOMIC), *(e.text for e in expressions[1:])),
            weight=weight,
        )
    if len(expressions) == 1:
        # ruff puts brackets around a power behind a sign
        tight = expressions[0].precedence == POWER and op.name == "-x"
        operand = expressions[0].within(ATOMIC if tight else level)
        return Expression(op.template.format(operand), level, weight)
    left, right = expressions
    if op.name == "**":
        base, exponent = left.within(POWER + 1), right.within(UNARY)
        tight = _is_simple_power_operand(base) and _is_simple_power_operand(exponent)
        return Expression(
            f"{base}**{exponent}" if tight else f"{base} ** {exponent}", POWER, weight
        )
    if op.name in ("*", "/"):  # `(A @ B) * c` is easier to read than `A @ B * c`
        left, right = (Expression(f"({e.text})") if e.is_product else e for e in (left, right))
    if op.name in ("==", "!=") and left.text.isupper() and not right.text.isupper():
        left, right = right, left  # what ruff takes for a constant stands on the right
    # comparisons do not associate: both sides bind tighter
    first = left.within(level + 1 if level == 6 else level)
    return Expression(
        op.template.format(first, right.within(level + 1)), level, weight, op.name == "@"
    )


def _is_simple_power_operand(text: str) -> bool:
    """What ruff writes without spaces around `**`: names, attributes and numbers, possibly with a
    sign.
    """
    return (
        re.fullmatch(r"-?(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*|\d[\w.]*(?:[eE][-+]?\d+)?)", text)
        is not None
    )


def subscript(index: Atom, spell: Spell) -> str:
    """An index between brackets: `1:, None`."""
    if isinstance(index, Const):
        if index.text:
            return spell(index).text
        value = index.value
        if isinstance(value, tuple) and value:
            return ", ".join(spell_constant(part) for part in value) + (
                "," if len(value) == 1 else ""
            )
        return spell_constant(value)
    return spell(index).text


def spell_tuple(texts: Sequence[str]) -> str:
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"


def spell_slice(statement: Assign, spell: Spell) -> str:
    """`a:b`, with spaces around the colon where a bound is more than a name or a number, as ruff
    writes it.
    """
    parts = []
    for operand in statement.operands:
        nothing = isinstance(operand, Const) and operand.value is None
        parts.append("" if nothing else spell(operand).text)
    simple = all(re.fullmatch(r"-?\w*", part) for part in parts)
    shown = parts if parts[2] else parts[:2]
    if simple:
        return ":".join(shown)
    text = ""
    for part in shown[:-1]:
        text += f" {part} :" if part else ":"
    return f"{text} {shown[-1]}".strip()


def spell_index_parts(
    statement: Assign, spell: Spell, definition: Callable[[Atom], Assign | None]
) -> str:
    """The parts of an index tuple, without brackets around them."""
    texts = []
    for operand in statement.operands:
        found = definition(operand)
        if found is not None and found.op is SLICE:
            texts.append(spell_slice(found, spell))
        elif isinstance(operand, Const) and not operand.text:
            texts.append(spell_constant(operand.value))
        else:
            texts.append(spell(operand).text)
    return ", ".join(texts) + ("," if len(texts) == 1 else "")


__all__ = [
    "ATOMIC",
    "SLICE",
    "TUPLE",
    "Expression",
    "spell_atom",
    "spell_index_parts",
    "spell_operation",
    "spell_slice",
    "spell_tuple",
    "subscript",
]
