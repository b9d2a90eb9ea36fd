"""Prints functions as a module: header, imports, helpers copied from `operations/helpers.py`,
signatures, sweeps, comments.

The module imports NumPy and nothing of ours. What is printed is a fixed point of `ruff format` with
lines of at most 100 characters. The user's statement stands as a comment behind the first line of
the adjoint code that undoes it.
"""

from __future__ import annotations

import inspect
import os
import re
import textwrap
from bisect import bisect_right

from s2s_ad.backend import layout
from s2s_ad.backend.fold import Folding, fold
from s2s_ad.backend.guards import Entry, entry_checks
from s2s_ad.backend.name_variables import name_variables
from s2s_ad.backend.signature import annotation, parameters_of
from s2s_ad.backend.spelling import (
    Expression,
    spell_atom,
    spell_index_parts,
    spell_operation,
    spell_slice,
    spell_tuple,
    subscript,
)
from s2s_ad.diagnostics import Span
from s2s_ad.ir import (
    Assign,
    Atom,
    Const,
    Function,
    Structure,
    Tree,
    Var,
    leaves,
    operands_of,
    path_to_record,
    record_type,
)
from s2s_ad.operations import catalogue, helpers
from s2s_ad.operations.declare import helper_source
from s2s_ad.operations.effects import RAISE_IF
from s2s_ad.operations.indexing import SLICE, TUPLE
from s2s_ad.operations.support import DIMENSION, NUMPY_SHAPE, SHAPE_ATTRIBUTE
from s2s_ad.options import Options, differentiable
from s2s_ad.rewrite import all_statements, all_variables
from s2s_ad.types import Number, Scalar

BUILTINS = frozenset(
    {"float", "int", "bool", "len", "range", "isinstance", "slice", "tuple", "list", "dict", "type"}
)


# Bookkeeping that is printed within other lines; unread, it is not worth one
UNSEEN = (TUPLE, SLICE, DIMENSION, SHAPE_ATTRIBUTE, NUMPY_SHAPE)


MOST_NESTED = 50
STANDARD = frozenset({"math", "builtins"})
# What an argument that is a number may be an instance of, by the name of the module's constant
KINDS = {
    "NUMBER": ("builtins.float", "builtins.int"),
    "INTEGER": ("builtins.int", "numpy.integer", "numpy.bool"),
}


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
        self.modules |= {op.module for op in declared.values() if op.module}
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
            if f"helper.{attribute}" in catalogue().operations:
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
        self.modules.add(module if root == "scipy" else root)
        return f"{self.numpy}{name.removeprefix('numpy')}" if root == "numpy" else name

    def helper_name(self, name: str) -> str:
        """A helper's own name, unless a variable has it."""
        return f"{name}_helper" if name in self.variables else name

    def imports(self, typed: bool) -> list[str]:
        """The import lines, sorted as `ruff` sorts them; `typed`: `Any` is used."""
        standard = [f"import {module}" for module in sorted(self.modules & STANDARD)]
        standard += ["from typing import Any"] if typed or self.helpers else []
        others = [f"import {module}" for module in self.modules - STANDARD if "numpy" not in module]
        if "numpy" in self.modules or self.helpers:
            others.append("import numpy" + ("" if self.numpy == "numpy" else f" as {self.numpy}"))
        if "numpy.typing" in self.modules:
            others.append("import numpy.typing as npt")
        others.sort()
        return standard + ([""] if standard and others else []) + others


def emit_module(
    primal: Function, functions: list[Function], options: Options, source: str = ""
) -> str:
    """The text of the module. `source` is the user's file; its directory is not mentioned."""
    module = Module(functions)
    texts = [_FunctionPrinter(function, primal, options, module).lines() for function in functions]
    if options.mode == "vjp":
        texts.append(_pullback(functions, primal, module))
    where = f" in {os.path.basename(source)}" if source else ""
    what = {
        "grad": "Gradient",
        "value-and-grad": "Value and gradient",
        "vjp": "Vector-Jacobian product",
        "jvp": "Jacobian-vector product",
    }[options.mode]
    lines = [f'"""{what} of `{primal.name}`{where}, generated by s2s_ad."""']
    copied = [*_helper_sources(module), *(op.source.split("\n") for op in module.copied)]
    typed = any(re.search(r"\bAny\b", line) for text in texts for line in text)
    constants = [f"{name} = {text}" for name, text in primal.constants]
    for kind in sorted(module.kinds, reverse=True):
        pair = ", ".join(module.library(member) for member in KINDS[kind])
        constants.append(f"{module.library(kind)} = ({pair})")
    if not any("npt." in line for text in texts for line in text):
        module.modules.discard("numpy.typing")  # of items that have no type in common
    for section in (module.imports(typed), constants):
        lines += ["", *section] if section else []
    for function_lines in (*copied, *texts):
        lines += ["", "", *function_lines]
    return "\n".join(lines) + "\n"


def _helper_sources(module: Module) -> list[list[str]]:
    """The helpers used and those they use, in the order of their file."""
    wanted, pending = set[str](), list(module.helpers)
    while pending:
        name = pending.pop()
        if name not in wanted:
            wanted.add(name)
            pending += [
                other
                for other in getattr(helpers, name).__code__.co_names
                if hasattr(helpers, other) and inspect.isfunction(getattr(helpers, other))
            ]
    functions = [getattr(helpers, name) for name in wanted]
    functions.sort(key=lambda function: function.__code__.co_firstlineno)
    texts = [helper_source(function.__name__).rstrip("\n") for function in functions]
    for name in wanted:
        if module.helper_name(name) != name:
            texts = [_replace_name(text, name, module.helper_name(name)) for text in texts]
    return [text.split("\n") for text in texts]


def _pullback(functions: list[Function], primal: Function, module: Module) -> list[str]:
    """`vjp_f(...) -> (value, pullback)`, from the pair."""
    forward, reverse = functions
    names = [formal.name for formal in forward.formals]
    seeds = [formal.name for formal in reverse.formals[1:]]
    head = layout.signature(
        f"def vjp_{primal.name}", parameters_of(forward, module.library), "tuple[Any, Any]"
    )
    passed = [
        f"{formal.name}={formal.name}" if formal.kind == "keyword" else formal.name
        for formal in forward.formals
    ]
    doc = f'    """The value of `{primal.name}`, and the function that carries an adjoint back."""'
    value = next(name for name in ("value", "value_", "result") if name not in names)
    return [
        *head,
        doc,
        f"    {value}, saved = {forward.name}({', '.join(passed)})",
        f"    return {value}, lambda {', '.join(seeds)}: {reverse.name}(saved, {', '.join(seeds)})",
    ]


class _FunctionPrinter:
    def __init__(
        self, function: Function, primal: Function, options: Options, module: Module
    ) -> None:
        self.function, self.primal, self.options, self.module = function, primal, options, module
        self.folding: Folding = fold(function, options.level, isinstance(function.output, Var))
        self.reserved = {
            module.numpy,
            "npt",
            *KINDS,
            "math",
            *module.helpers,
            *(name for name, _ in primal.constants),
            *helper_names(),
            *(op.name for op in module.copied),
            function.name,
        }
        self.names = name_variables(function, self.folding, self.reserved, options.level)
        self.used_names = (
            set(self.names.values()) | self.reserved | {formal.name for formal in function.formals}
        )
        self.entry = Entry()
        self.read = {
            atom for statement in function.body.statements for atom in operands_of(statement)
        }
        self.comments = _Comments(function, options.level)

    # Expressions ----------------------------------------------------------------------------------

    def spell(self, atom: Atom) -> Expression:
        if isinstance(atom, Const):
            return spell_atom(atom, self.module.library)
        if atom not in self.folding.inlined:
            return Expression(self.names[atom])
        statement = self.folding.definitions[atom]
        if (
            statement.op is DIMENSION
            and isinstance(atom.type, Number)
            and atom.type.value is not None
        ):
            symbol = atom.type.value.symbol
            if symbol in self.entry.sizes:
                return Expression(self.entry.sizes[symbol or ""])
        if statement.op is TUPLE:
            return Expression(
                spell_tuple([self.spell(operand).text for operand in statement.operands])
            )
        if statement.op is SLICE:
            return Expression(
                f"slice({', '.join(self.spell(operand).text for operand in statement.operands)})"
            )
        return self.right_side(statement)

    def right_side(self, statement: Assign) -> Expression:
        if statement.op.name == "getitem" and isinstance(statement.operands[1], Var):
            base = self.spell(statement.operands[0])
            return Expression(
                f"{base.within(16)}[{self.index(statement.operands[1])}]", weight=base.weight + 1
            )
        return spell_operation(statement, self.spell, self.module.library)

    def index(self, atom: Atom) -> str:
        found = self.folding.definitions.get(atom) if isinstance(atom, Var) else None
        if found is not None and found.op is TUPLE:
            return spell_index_parts(
                found,
                self.spell,
                lambda a: self.folding.definitions.get(a) if isinstance(a, Var) else None,
            )
        if found is not None and found.op is SLICE:
            return spell_slice(found, self.spell)
        return subscript(atom, self.spell)

    # Lines ----------------------------------------------------------------------------------------

    def lines(self) -> list[str]:
        head = self.signature()
        unpacked = self.unpacked_containers()
        self.entry = entry_checks(
            self.function,
            lambda var: self.names[var],
            self.free_name,
            self.module.library,
            self.needed_sizes(),
            self.active(),
        )
        body = self.sweeps()
        entry = self.entry.first + unpacked + self.entry.lines
        gap = [""] if entry and len(body) > 1 else []
        return [*head, *self.docstring(), *entry, *gap, *body]

    def signature(self) -> list[str]:
        parameters = parameters_of(self.function, self.module.library)
        result = annotation(self.function.output, self.module.library, self.hides_scalars())
        return layout.signature(f"def {self.function.name}", parameters, result)

    def hides_scalars(self) -> bool:
        """Whether NumPy's stubs take a scalar for an array: the product of two vectors."""
        return any(
            isinstance(statement, Assign)
            and statement.op.name == "@"
            and isinstance(statement.target.type, Scalar)
            for statement in self.function.body.statements
        )

    def docstring(self) -> list[str]:
        what = {
            "grad": "The gradient of",
            "value-and-grad": "The value and the gradient of",
            "jvp": "The value and the tangent of",
        }.get(self.options.mode, "")
        names = [formal.name for formal in self.function.formals]
        if self.options.mode == "vjp":
            forward = self.function.name.startswith("forward_")
            what = "The value of" if forward else "The adjoints of the arguments of"
            tail = ", and what the reverse sweep needs" if forward else ""
            return [f'    """{what} `{self.primal.name}`{tail}."""']
        wrt = [name for name in (self.options.wrt or self.wrt_names()) if name in names]
        listed = ", ".join(wrt[:-1]) + (" and " if len(wrt) > 1 else "") + wrt[-1] if wrt else ""
        line = f'    """{what} `{self.primal.name}` with respect to {listed}."""'
        if len(line) <= layout.LIMIT:
            return [line]
        wrapped = textwrap.wrap(line.strip().strip('"'), layout.LIMIT - 10)
        return [f'    """{wrapped[0]}', *(f"    {rest}" for rest in wrapped[1:]), '    """']

    def wrt_names(self) -> list[str]:
        return list(differentiable(self.primal, self.options))

    def active(self) -> set[Var]:
        wrt = set(self.options.wrt or self.wrt_names())
        known = {formal.name for formal in self.primal.formals}
        return {
            leaf
            for formal in self.function.formals
            if formal.name in wrt or formal.name not in known
            for leaf in leaves(formal.tree)
            if isinstance(leaf, Var)
        }

    def free_name(self, wanted: str) -> str:
        name, count = wanted, 1
        while name in self.used_names:
            count += 1
            name = f"{wanted}_{count}"
        self.used_names.add(name)
        return name

    def needed_sizes(self) -> set[str]:
        """Sizes that the body reads as `X.shape[0]` and may read by name."""
        found = set()
        for statement in self.function.body.statements:
            if (
                isinstance(statement, Assign)
                and statement.op is DIMENSION
                and statement.target in self.folding.inlined
            ):
                type = statement.target.type
                if (
                    isinstance(type, Number)
                    and type.value is not None
                    and type.value.symbol is not None
                ):
                    found.add(type.value.symbol)
        return found

    def unpacked_containers(self) -> list[str]:
        lines: list[str] = []
        for formal in self.function.formals:
            if isinstance(formal.tree, Structure):
                self._unpack(formal.tree, formal.name, lines)
        return lines

    def _unpack(self, tree: Tree, path: str, lines: list[str]) -> None:
        if isinstance(tree, Structure):
            for key, item in zip(tree.keys, tree.items, strict=True):
                self._unpack(
                    item,
                    f"{path}.{key}" if tree.kind == "record" else f"{path}[{_key(key)}]",
                    lines,
                )
        elif isinstance(tree, Var):
            lines.append(f"    {self.names[tree]} = {path}")

    def sweeps(self) -> list[str]:
        """The statements, in two sections where there are two, and the return."""
        forward: list[str] = []
        reverse: list[str] = []
        for statement in self.function.body.statements:
            assert isinstance(statement, Assign)
            if (
                any(target in self.folding.inlined for target in statement.targets)
                and not statement.op.effect
            ):
                continue
            if statement.op in UNSEEN and statement.target not in self.read:
                continue
            in_forward = statement.role == "primal" and not reverse
            comment = "" if statement.role != "adjoint" else self.comments.for_line(statement)
            lines = self.statement_lines(statement, comment)
            (forward if in_forward else reverse).extend(lines)
        result = self.return_lines(bool(reverse) or bool(forward))
        if forward and reverse and self.options.mode != "jvp":
            if len(forward) + len(reverse) + len(result) > 3:
                return [
                    "    # forward sweep",
                    *forward,
                    "",
                    "    # reverse sweep",
                    *reverse,
                    *result,
                ]
            return [*forward, "", *reverse, *result]
        return [*forward, *reverse, *result]

    def statement_lines(self, statement: Assign, comment: str) -> list[str]:
        if statement.op is RAISE_IF:
            return self.raise_lines(statement)
        if statement.op.update:
            target, index, value = statement.operands
            as_expression = statement.op.update.startswith("np.")
            spelled_index = self.spell(index).text if as_expression else self.index(index)
            text = statement.op.update.format(
                self.spell(target).text, spelled_index, self.spell(value).text
            )
            if as_expression:
                text = self.module.library("numpy.add.at") + text.removeprefix("np.add.at")
            return layout.commented(f"    {text}", comment)
        names = [self.name_of_target(target) for target in statement.targets]
        line = f"    {', '.join(names)} = {self.right_side(statement).text}"
        return layout.commented(line, comment)

    def name_of_target(self, target: Var) -> str:
        """The name, or `_` for one of several results that nobody reads."""
        several = len(self.folding.definitions[target].targets) > 1
        unread = target not in self.read and target not in self.function.body.results
        return "_" if several and unread else self.names[target]

    def raise_lines(self, statement: Assign) -> list[str]:
        test, text, names, *values = statement.operands
        assert isinstance(text, Const) and isinstance(names, Const)
        spelled = str(text.value)
        for name, value in zip(names.value, values, strict=True):
            if isinstance(value, Var) and self.spell(value).text != name:
                spelled = _replace_name(spelled, name, self.spell(value).text)
        return [f"    if {self.spell(test).text}:", f"        raise {spelled}"]

    def return_lines(self, something_before: bool) -> list[str]:
        output = self.function.output
        comment = ""
        if isinstance(output, Var) and output in self.folding.inlined and something_before:
            comment = self.comments.for_line(self.folding.definitions[output])
        text = self.tree(output)
        if isinstance(output, Structure) and output.kind == "tuple" and len(output.items) > 1:
            text = text[1:-1]
        line = f"    return {text}"
        if len(line) > layout.LIMIT and isinstance(output, Structure):
            return self.tree_lines(output, "    ", "return ", "")
        return layout.commented(line, comment)

    def tree(self, tree: Tree) -> str:
        """Source that builds a result of known structure."""
        if not isinstance(tree, Structure):
            return self.spell(tree).text
        opening, heads, closing = self.brackets(tree)
        items = [head + self.tree(item) for head, item in zip(heads, tree.items, strict=True)]
        comma = "," if tree.kind == "tuple" and len(items) == 1 else ""
        return f"{opening}{', '.join(items)}{comma}{closing}"

    def tree_lines(self, tree: Tree, indent: str, before: str, after: str) -> list[str]:
        """The same, one item a line where it is too long for one."""
        line = f"{indent}{before}{self.tree(tree)}{after}"
        if len(line) <= layout.LIMIT or not isinstance(tree, Structure) or not tree.items:
            return [line]
        opening, heads, closing = self.brackets(tree)
        lines = [f"{indent}{before}{opening}"]
        for head, item in zip(heads, tree.items, strict=True):
            lines += self.tree_lines(item, f"{indent}    ", head, ",")
        return [*lines, f"{indent}{closing}{after}"]

    def brackets(self, tree: Structure) -> tuple[str, list[str], str]:
        """How a container begins, what stands before each of its items, and how it ends."""
        if tree.kind == "dict":
            return "{", [f"{_key(key)}: " for key in tree.keys], "}"
        if tree.kind == "record":
            return f"{self.record_maker(tree)}(", [f"{key}=" for key in tree.keys], ")"
        opening, closing = ("[", "]") if tree.kind == "list" else ("(", ")")
        return opening, [""] * len(tree.items), closing

    def record_maker(self, tree: Structure) -> str:
        """The class of a record, taken from a parameter that holds one: the module need not import
        it.
        """
        path = path_to_record(self.function.formals, tree)
        if path:
            return f"{self.module.library('builtins.type')}({path})"
        kept = record_type(tree)
        return next(self.names[var] for var in self.function.body.parameters if var == kept)


def helper_names() -> set[str]:
    return {name for name, value in vars(helpers).items() if inspect.isfunction(value)}


def _key(key: object) -> str:
    return spell_atom(Const(key), lambda name: name).text


def _replace_name(text: str, name: str, replacement: str) -> str:
    return re.sub(rf"\b{re.escape(name)}\b", lambda _: replacement, text)


class _Comments:
    """Which statement of the user a line of adjoint code undoes; said once for each run of
    lines.
    """

    def __init__(self, function: Function, level: int) -> None:
        self.places: dict[int, list[tuple[int, int, Span]]] = {}
        for span in function.statements:
            self.places.setdefault(id(span.file), []).append((span.line, span.column, span))
        for places in self.places.values():
            places.sort(key=lambda place: place[:2])
        self.level = level
        self.last: Span | None = None
        self.lines = {
            statement.span: statement
            for statement in function.body.statements
            if isinstance(statement, Assign) and statement.role == "primal"
        }

    def for_line(self, statement: Assign) -> str:
        span = statement.span
        if span is None:
            return ""
        around = self.around(span)
        said = span if self.level == 0 else around
        if said is None or said == self.last:
            return ""
        self.last = said
        if self.level == 0 and span in self.lines:
            from s2s_ad.ir import show_assign

            return show_assign(self.lines[span])
        text = span.file.text_of(said)
        return "" if "\n" in text and len(text) > 400 else text

    def around(self, span: Span) -> Span | None:
        """The innermost statement that contains a span: the last before it that ends behind it."""
        places = self.places.get(id(span.file), [])
        at = bisect_right(places, (span.line, span.column), key=lambda place: place[:2])
        for _, _, other in reversed(places[:at][-MOST_NESTED:]):
            if (other.end_line, other.end_column) >= (span.end_line, span.end_column):
                return other
        return None
