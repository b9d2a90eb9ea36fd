"""Definitions of `operations/definitions.py`, lowered in place as if the user had written them.

Every statement of a definition gets the span of the call, so that a refusal shows the user's line.
"""

from __future__ import annotations

import inspect
import textwrap
from functools import cache

import libcst as cst

from s2s_ad.diagnostics import SourceFile, Span
from s2s_ad.frontend.lower import Lowering, inline
from s2s_ad.frontend.rules import RuleScope
from s2s_ad.frontend.source import Unit
from s2s_ad.frontend.values import UserFunction, Value
from s2s_ad.operations import definitions


class _DefinitionUnit(Unit):
    """The text of a definition, standing where it is called."""

    def __init__(self, file: SourceFile, module: cst.Module, place: Span) -> None:
        super().__init__(file, module, 1)
        self.place = place

    def span(self, node: cst.CSTNode) -> Span:
        return self.place


@cache
def _parsed(name: str) -> tuple[SourceFile, cst.Module, cst.FunctionDef]:
    text = textwrap.dedent(inspect.getsource(getattr(definitions, name)))
    module = cst.parse_module(text)
    node = module.body[0]
    assert isinstance(node, cst.FunctionDef)
    return SourceFile(f"<{name}>", text), module, node


def expand(lowering: Lowering, name: str, node: cst.CSTNode, **names: Value) -> Value:
    """The value of a definition for these arguments; all its parameters have to be given."""
    file, module, definition = _parsed(name)
    unit = _DefinitionUnit(file, module, lowering.span(node))
    function = UserFunction(name, definition, unit, RuleScope())
    return inline(lowering, function, dict(names), node)
