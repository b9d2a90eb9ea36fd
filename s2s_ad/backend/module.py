"""What the functions of a generated module share: names of libraries, helpers, imports."""

from __future__ import annotations

import builtins
import inspect
import re

from s2s_ad.ir import Assign, Function
from s2s_ad.operations import helpers
from s2s_ad.operations.declare import helper_source
from s2s_ad.rewrite import all_statements, all_variables

BUILTINS = frozenset(
    {
        *("float", "int", "bool", "len", "range", "isinstance", "slice", "tuple", "list", "dict"),
        *("type", "set", "getattr"),
    }
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
        self.globals = {op.name for op in self.copied}
        self.shadowed = (self.variables | self.globals) & BUILTINS

    def library(self, name: str) -> str:
        """How something of a library is written here; notes the import."""
        module, _, attribute = name.rpartition(".")
        if name in KINDS:
            self.kinds.add(name)
            return name if name not in self.variables | self.globals else f"_{name}"
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
        """A helper's own name, unless a variable or a copied function has it."""
        return f"{name}_helper" if name in self.variables | self.globals else name

    def helper_text(self, name: str) -> str:
        """A helper as it is copied, with the names that other things have here replaced."""
        text = helper_source(name).rstrip("\n")
        if self.numpy != "np":
            text = re.sub(r"(?<![\w.])np\.", f"{self.numpy}.", text)
        for builtin in sorted(self.globals & set(dir(builtins))):
            text, count = re.subn(rf"(?<![\w.]){builtin}\b", f"builtins.{builtin}", text)
            self.modules |= {"builtins"} if count else set()
        return text

    def imports(self, typed: bool) -> list[str]:
        """The import lines, sorted as `ruff` sorts them; `typed`: `Any` is used."""
        standard = [f"import {module}" for module in sorted(self.modules & STANDARD)]
        standard += ["from typing import Any"] if typed else []
        others = [f"import {module}" for module in self.modules - STANDARD if "numpy" not in module]
        if "numpy" in self.modules:
            others.append("import numpy" + ("" if self.numpy == "numpy" else f" as {self.numpy}"))
        if "numpy.typing" in self.modules:
            others.append("import numpy.typing as npt")
        others.sort()
        return standard + ([""] if standard and others else []) + others
