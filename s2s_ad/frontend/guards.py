"""Statements that only check: `if <test>: raise ...` and `assert`.

They stay in the forward sweep; those that check what the type of a parameter says become part of
the type (`entry_checks.py`).
"""

from __future__ import annotations

import libcst as cst

from s2s_ad.frontend.entry_checks import is_entry_check
from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import atom
from s2s_ad.frontend.texts import escaped, known_text, requoted
from s2s_ad.frontend.writes import now
from s2s_ad.ir import Atom, Const, Var
from s2s_ad.operations.effects import RAISE_IF, placeholder


def guard(lowering: Lowering, node: cst.If) -> bool:
    """Lower `if test: raise X(...)`; False if the statement is something else."""
    raised = _only_raise(node)
    if raised is None:
        return False
    tests = _alternatives(node.test)
    for test in tests:
        if not is_entry_check(lowering, test):
            value = atom(lowering, lower_expression(lowering, test), test)
            if isinstance(value, Const) and not value.value:
                continue
            raise_if(lowering, value, raised.exc, node)
    return True


def _only_raise(node: cst.If) -> cst.Raise | None:
    if node.orelse is not None or len(node.body.body) != 1:
        return None
    line: cst.CSTNode = (
        node.body if isinstance(node.body, cst.SimpleStatementSuite) else node.body.body[0]
    )
    if (
        isinstance(line, cst.SimpleStatementLine | cst.SimpleStatementSuite)
        and len(line.body) == 1
        and isinstance(line.body[0], cst.Raise)
    ):
        return line.body[0]
    return None


def _alternatives(test: cst.BaseExpression) -> list[cst.BaseExpression]:
    """The operands of `a or b or c`: each raises by itself."""
    if isinstance(test, cst.BooleanOperation) and isinstance(test.operator, cst.Or):
        return [*_alternatives(test.left), *_alternatives(test.right)]
    return [test]


def raise_if(
    lowering: Lowering,
    test: Atom,
    expression: cst.BaseExpression | None,
    node: cst.CSTNode,
    around: str = "{}",
) -> None:
    """An effect that raises where the test holds: the expression, with something `around` it. Its
    variables become operands.
    """
    if expression is None:
        text, operands = "Exception()" if around == "{}" else around.format(""), []
    else:
        values = _Values(lowering)
        changed = expression.visit(values)
        assert isinstance(changed, cst.BaseExpression)
        text, operands = around.format(lowering.code(changed)), values.found
    lowering.builder.span = lowering.span(node)
    lowering.effect(RAISE_IF, [test, Const(text), *operands])


class _Values(cst.CSTTransformer):
    """Finds the variables of an expression, and puts a placeholder in the place of each."""

    def __init__(self, lowering: Lowering) -> None:
        self.lowering = lowering
        self.found: list[Atom] = []
        self.quotes: list[str] = []  # of the f-strings around

    def visit_FormattedString(self, node: cst.FormattedString) -> None:
        self.quotes.append(node.quote)

    def leave_FormattedString(
        self, original_node: cst.FormattedString, updated_node: cst.FormattedString
    ) -> cst.FormattedString:
        self.quotes.pop()
        known = any(self._known(part) is not None for part in original_node.parts)
        return requoted(updated_node) if known else updated_node

    def _known(self, node: cst.BaseFormattedStringContent) -> str | None:
        if not isinstance(node, cst.FormattedStringExpression):
            return None
        if not isinstance(node.expression, cst.Name):
            return None
        value = self.lowering.frame.names.get(node.expression.value)
        return None if value is None else known_text(node, value)

    def visit_FormattedStringExpression(self, node: cst.FormattedStringExpression) -> bool:
        return self._known(node) is None

    def leave_FormattedStringExpression(
        self,
        original_node: cst.FormattedStringExpression,
        updated_node: cst.FormattedStringExpression,
    ) -> cst.BaseFormattedStringContent:
        known = self._known(original_node)
        if known is None:
            return updated_node
        return cst.FormattedStringText(escaped(known, self.quotes[-1]))

    def _literal(self, node: cst.Name, text: str) -> cst.BaseExpression:
        """A known text within the braces of an f-string, where Python takes no backslash."""
        for quote in ("'", '"'):
            plain = text.isprintable() and "\\" not in text and quote not in text
            if plain and all(quote not in around for around in self.quotes):
                return cst.SimpleString(f"{quote}{text}{quote}")
        raise self.lowering.refuse(
            "unsupported-syntax",
            f"`{node.value}` in this f-string is not supported",
            node,
            help="build the message in a statement before",
        )

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        value = self.lowering.frame.names.get(original_node.value)
        if not isinstance(value, Var | Const):
            return updated_node
        if self.quotes and isinstance(value, Const) and isinstance(value.value, str):
            return self._literal(original_node, value.value)
        if isinstance(value, Var):
            value = now(self.lowering, value, original_node)
        if value not in self.found:
            self.found.append(value)
        return cst.Name(placeholder(self.found.index(value)))

    def leave_Attribute(
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.Attribute:
        return updated_node.with_changes(attr=original_node.attr)

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        return updated_node.with_changes(keyword=original_node.keyword)


__all__ = ["guard", "raise_if"]
