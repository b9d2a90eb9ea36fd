"""What the functions of a generated module share: names of libraries, helpers, imports."""

from __future__ import annotations

import inspect

from s2s_ad.ir import Assign, Function
from s2s_ad.operations import helpers
from s2s_ad.rewrite import all_statements, all_variables

BUILTINS = frozenset(
    {"float", "int", "bool", "len", "range", "isinstance", "slice", "tuple", "list", "dict", "type"}
)


STANDARD = frozenset({"math", "builtins", "warnings"})
# What an argument that is a number may be an instance of, by the name of the module's constant
KINDS = {
    "NUMBER": ("builtins.float", "builtins.int"),
    "INTEGER": ("builtins.int", "numpy.integer", "numpy.bool"),
}
AT_THE_END = frozenset({"described"})  # helpers that say nothing of the derivative


def is_helper(name: str) -> bool:
    """Whether a name is that of a function of `operations/helpers.py`."""
    return inspect.isfunction(getattr(helpers, name, None)) and not name.startswith("_")


class Module:
    """What the functions of a module share: names of libraries, and the helpers that are used."""

    def __init__(self, functions: list[Function]) -> None:
        variables = {
            var.base_name for function in functions for var in all_variables(function.body)
        }
        self.variables = variables | {
            formal.name for function in functions for formal in function.formals
        }
        self.numpy = next(
            name for name in ("np", "numpy", "np_", "numpy_") if name not in self.variables
        )
        self.kinds: set[str] = set()
        self.modules: set[str] = set()
        self.helpers: set[str] = set()
        declared = {
            statement.op.name: statement.op
            for function in functions
            for statement in all_statements(function.body)
            if isinstance(statement, Assign) and statement.op.declared
        }
        self.modules |= {
            statement.op.module
            for function in functions
            for statement in all_statements(function.body)
            if isinstance(statement, Assign) and statement.op.module
        }
        self.copied = [declared[name] for name in sorted(declared) if declared[name].source]
        if any("np." in op.source for op in self.copied):
            self.modules.add("numpy")
        if any("math." in op.source for op in self.copied):
            self.modules.add("math")
        self.shadowed = self.variables & BUILTINS

    def library(self, name: str) -> str:
        """How something of a library is written here; notes the import."""
        module, _, attribute = name.rpartition(".")
        if name in KINDS:
            self.kinds.add(name)
            return name if name not in self.variables else f"_{name}"
        if module == "builtins":
            if is_helper(attribute):
                self.helpers.add(attribute)
                return self.helper_name(attribute)
            if attribute in self.shadowed:
                self.modules.add("builtins")
                return name
            return attribute
        root = name.split(".")[0]
        if name.startswith("numpy.typing"):
            self.modules.add("numpy.typing")
            return name
        self.modules.add(".".join(name.split(".")[:2]) if root == "scipy" else root)
        return f"{self.numpy}{name.removeprefix('numpy')}" if root == "numpy" else name

    def helper_name(self, name: str) -> str:
        """A helper's own name, unless a variable has it."""
        return f"{name}_helper" if name in self.variables else name

    def imports(self, typed: bool) -> list[str]:
        """The import lines, sorted as `ruff` sorts them; `typed`: `Any` is used."""
        standard = [f"import {module}" for module in sorted(self.modules & STANDARD)]
        standard += ["from typing import Any"] if typed else []
        others = [f"import {module}" for module in self.modules - STANDARD if "numpy" not in module]
        if "numpy" in self.modules or self.helpers:
            others.append("import numpy" + ("" if self.numpy == "numpy" else f" as {self.numpy}"))
        if "numpy.typing" in self.modules:
            others.append("import numpy.typing as npt")
        others.sort()
        return standard + ([""] if standard and others else []) + others
