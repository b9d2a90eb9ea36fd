"""Which functions were declared to be operations: by the file they stand in, or in this process."""

from __future__ import annotations

from s2s_ad.frontend.resolve import FileScope, LiveScope
from s2s_ad.frontend.values import Scope, UserFunction
from s2s_ad.ir import Operation
from s2s_ad.operations.declared import DECLARED


def declared_function(function: UserFunction) -> Operation | None:
    """The operation that a function of the user's was declared to be."""
    scope = function.scope
    if isinstance(scope, LiveScope):
        return DECLARED.by_function.get(scope.function)
    if isinstance(scope, FileScope) and scope.names.get(function.name) is function.node:
        return scope.declared.get(function.name)
    return None


def declared_name(scope: Scope, name: str) -> Operation | None:
    """The operation declared for a dotted name, by the file or in this process."""
    found = scope.declared.get(name) if isinstance(scope, FileScope) else None
    return found or DECLARED.by_name.get(name)
