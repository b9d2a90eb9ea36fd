"""Which functions were declared to be operations: by the file they stand in, or in this process."""

from __future__ import annotations

import re

import libcst as cst

from s2s_ad.frontend.live_scope import LiveScope
from s2s_ad.frontend.resolve import FileScope
from s2s_ad.frontend.values import Scope, UserFunction
from s2s_ad.ir import Operation
from s2s_ad.operations import catalogue
from s2s_ad.operations.declare import helper_source
from s2s_ad.operations.declared import DECLARED


def declared_function(function: UserFunction) -> Operation | None:
    """The operation that a function of the user's was declared to be."""
    scope = function.scope
    if isinstance(scope, LiveScope):
        return DECLARED.by_function.get(scope.function)
    if isinstance(scope, FileScope) and scope.names.get(function.name) is function.node:
        return scope.declared.get(function.name)
    return None


def helper_of(function: UserFunction) -> Operation | None:
    """The catalogue's operation that a function of a generated module is a copy of."""
    name = function.name.removesuffix("_helper")
    op = catalogue().operations.get(f"helper.{name}")
    if op is None or not isinstance(function.node, cst.FunctionDef):
        return None
    text = function.unit.code(function.node.with_changes(leading_lines=[]))
    text = re.sub(rf"\b{name}_helper\b", name, text)
    return op if text.strip() == helper_source(name).strip() else None


def declared_name(scope: Scope, name: str) -> Operation | None:
    """The operation declared for a dotted name, by the file or in this process."""
    found = scope.declared.get(name) if isinstance(scope, FileScope) else None
    return found or DECLARED.by_name.get(name)
