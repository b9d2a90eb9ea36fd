"""Prints one function: signature, docstring, checks at the entry, sweeps, result."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Sequence

from s2s_ad.backend import layout
from s2s_ad.backend.comments import Comments
from s2s_ad.backend.expressions import Speller
from s2s_ad.backend.fold import Folding, fold
from s2s_ad.backend.guards import Entry, entry_checks
from s2s_ad.backend.module import KINDS, Module
from s2s_ad.backend.name_variables import late_values, name_variables
from s2s_ad.backend.plan import Line, Node, Plan, plan
from s2s_ad.backend.signature import annotation, parameters_of
from s2s_ad.backend.size_names import users_lengths
from s2s_ad.backend.spelling import spell_atom
from s2s_ad.backend.statements import StatementPrinter
from s2s_ad.ir import (
    Assign,
    Const,
    Function,
    Structure,
    Tree,
    Var,
    leaves,
    path_to_record,
    record_type,
)
from s2s_ad.operations import helpers
from s2s_ad.operations.declared import solver_docstring
from s2s_ad.operations.indexing import SLICE, TUPLE
from s2s_ad.operations.support import DIMENSION, NUMPY_SHAPE, SHAPE_ATTRIBUTE
from s2s_ad.options import Options, differentiable
from s2s_ad.passes.calls import Called
from s2s_ad.passes.undefined import bound_where_moved
from s2s_ad.rewrite import all_statements, count_uses
from s2s_ad.types import Scalar

# Bookkeeping that is printed within other lines; unread, it is not worth one
UNSEEN = (TUPLE, SLICE, DIMENSION, SHAPE_ATTRIBUTE, NUMPY_SHAPE)


# Modes in which forward sweep and tangent go line by line
INTERLEAVED = ("jvp", "jacobian", "hessian", "hvp", "tangents", "hessian-products")


# Parts of a sparse Jacobian or Hessian
ALONG_DIRECTIONS = {
    "tangents": "The tangents of {} along",
    "adjoints": "The adjoints of the arguments of {} for",
    "hessian-products": "The products of the Hessian of {} with",
}


class FunctionPrinter:
    def __init__(
        self,
        function: Function,
        primal: Function,
        options: Options,
        module: Module,
        called: Called | None = None,
    ) -> None:
        self.function, self.primal, self.options, self.module = function, primal, options, module
        self.finds = None if called is None else called.finds
        self.says = "" if called is None else called.says
        self.folding: Folding = fold(function, options.level, isinstance(function.output, Var))
        self.uses = count_uses(function.body)
        self.reserved = {
            module.numpy,
            "npt",
            *KINDS,
            "math",
            *module.helpers,
            *(name for name, _ in primal.constants),
            *(helper_names() - module.variables),  # a variable has its name first
            *(op.name for op in module.copied),
            function.name,
        }
        self.plan: Plan = plan(function, self.is_printed)
        late = late_values(function, self.plan, self.folding) if options.level else set()
        if late:
            self.folding.inlined |= late
            self.plan = plan(function, self.is_printed)
        naming = name_variables(function, self.plan, self.folding, self.reserved, options.level)
        self.unbound = naming.unbound
        self.names = naming.names
        self.used_names = (
            set(self.names.values()) | self.reserved | {formal.name for formal in function.formals}
        )
        self.entry = Entry()
        self.lengths: dict[str, tuple[str, Assign]] = {}
        if options.level:
            found = reversed([*users_lengths(function, self.names)])
            self.lengths = {symbol: (name, made) for symbol, name, made in found}
        self.speller = Speller(self.folding, self.names, module.library)
        blocks = any(not isinstance(node, Line) for node in self.plan.nodes)
        unread = {var for var in self.names if not self.uses.get(var)}
        self.printer = StatementPrinter(
            self.speller,
            Comments(function, options.level),
            naming.needless,
            naming.read_names,
            unread,
            naming.widened - {formal.name for formal in function.formals} if blocks else (),
        )

    @classmethod
    def of(
        cls,
        function: Function,
        primal: Function,
        options: Options,
        module: Module,
        called: Called | None = None,
    ) -> FunctionPrinter:
        """The printer of a function in which no name is moved before it is bound."""
        printer = cls(function, primal, options, module, called)
        if not printer.unbound:
            return printer
        return cls(bound_where_moved(function, printer.unbound), primal, options, module, called)

    def is_printed(self, statement: Assign) -> bool:
        """Whether a statement has a line."""
        if any(target in self.folding.inlined for target in statement.targets):
            return statement.op.effect
        return statement.op not in UNSEEN or bool(self.uses.get(statement.target))

    # Lines ----------------------------------------------------------------------------------------

    def lines(self) -> list[str]:
        head = self.signature()
        unpacked = self.unpacked_containers()
        self.entry = entry_checks(
            self.function,
            lambda var: self.names[var],
            self.size_name,
            self.module.library,
            self.needed_sizes(),
            self.active(),
            self.of_primal(),
        )
        self.speller.sizes = self.entry.sizes
        body = self.sweeps()
        lines = (*self.entry.first, *self.entry.lines, *body)
        read = names_in_code(lines) if unpacked else set()
        first = self.unpacked_at_once(read)
        first = first or [line for name, line in unpacked if name in read]
        entry = self.entry.first + first + self.entry.lines
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
            for statement in all_statements(self.function.body)
        )

    def docstring(self) -> list[str]:
        what = {
            "grad": "The gradient of",
            "value-and-grad": "The value and the gradient of",
            "jvp": "The value and the tangent of",
            "jacobian": "The Jacobian of",
            "hessian": "The Hessian of",
            "hvp": "The Hessian-vector product of",
        }.get(self.options.mode, "")
        names = [formal.name for formal in self.function.formals]
        if self.finds is not None:
            return [f'    """{solver_docstring(self.primal.name, *self.finds)}"""']
        if self.says:
            return self.wrapped_docstring(self.says)
        if self.options.mode == "value":
            return [f'    """`{self.primal.name}` itself, for its value."""']
        if self.options.mode == "undo":
            return ['    """The adjoints before a range of trips, from those behind it."""']
        if self.options.mode == "vjp":
            forward = self.function.name.startswith("forward_")
            what = "The value of" if forward else "The adjoints of the arguments of"
            tail = ", and what the reverse sweep needs" if forward else ""
            return [f'    """{what} `{self.primal.name}`{tail}."""']
        wrt = [name for name in (self.options.wrt or self.wrt_names()) if name in names]
        listed = ", ".join(wrt[:-1]) + (" and " if len(wrt) > 1 else "") + wrt[-1] if wrt else ""
        line = f'    """{what} `{self.primal.name}` with respect to {listed}."""'
        if self.options.mode in ALONG_DIRECTIONS:
            what = ALONG_DIRECTIONS[self.options.mode].format(f"`{self.primal.name}`")
            line = f'    """{what} the rows of `directions`."""'
        return self.wrapped_docstring(line.strip().strip('"'))

    @staticmethod
    def wrapped_docstring(text: str) -> list[str]:
        line = f'    """{text}"""'
        if len(line) <= layout.LIMIT:
            return [line]
        wrapped = textwrap.wrap(text, layout.LIMIT - 10)
        return [f'    """{wrapped[0]}', *(f"    {rest}" for rest in wrapped[1:]), '    """']

    def wrt_names(self) -> list[str]:
        if self.options.mode in ("value", "undo"):
            return []
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

    def of_primal(self) -> set[Var]:
        """The parameters that are the user's, seeds not among them."""
        known = {formal.name for formal in self.primal.formals}
        return {
            leaf
            for formal in self.function.formals
            if formal.name in known
            for leaf in leaves(formal.tree)
            if isinstance(leaf, Var)
        }

    def size_name(self, symbol: str) -> str:
        """For a size at the entry: the user's, if there is one."""
        return self.lengths[symbol][0] if symbol in self.lengths else self.free_name(symbol)

    def is_at_entry(self, node: Node) -> bool:
        """Whether a line of the user only names a size that has its name at the entry."""
        named = [made for symbol, (_, made) in self.lengths.items() if symbol in self.entry.sizes]
        return isinstance(node, Line) and any(node.statement is made for made in named)

    def free_name(self, wanted: str) -> str:
        name, count = wanted, 1
        while name in self.used_names:
            count += 1
            name = f"{wanted}_{count}"
        self.used_names.add(name)
        return name

    def needed_sizes(self) -> set[str]:
        """Sizes that the body reads by name."""
        lengths = self.folding.lengths
        return {symbol for var, symbol in lengths.items() if var in self.folding.inlined}

    def unpacked_containers(self) -> list[tuple[str, str]]:
        """The names of what containers hold, and the lines that give them."""
        lines: list[tuple[str, str]] = []
        for formal in self.function.formals:
            if isinstance(formal.tree, Structure):
                self._unpack(formal.tree, formal.name, lines)
        return lines

    def unpacked_at_once(self, read: set[str]) -> list[str]:
        """`x, y = saved`, where what was saved is read."""
        found = next((one for one in self.function.formals if one.name == "saved"), None)
        tree = None if found is None else found.tree
        others = sum(isinstance(formal.tree, Structure) for formal in self.function.formals)
        if not isinstance(tree, Structure) or others > 1 or self.options.mode != "vjp":
            return []
        names = [self.names[item] for item in tree.items if isinstance(item, Var)]
        if not names or len(names) < len(tree.items):
            return []
        given = [name if name in read else "_" for name in names]
        listed = ", ".join(given) if len(given) > 1 else f"({given[0]},)"
        line = f"    {listed} = saved"
        return [line] if len(line) <= layout.LIMIT else []

    def _unpack(self, tree: Tree, path: str, lines: list[tuple[str, str]]) -> None:
        if isinstance(tree, Structure):
            for key, item in zip(tree.keys, tree.items, strict=True):
                self._unpack(
                    item,
                    f"{path}.{key}" if tree.kind == "record" else f"{path}[{_key(key)}]",
                    lines,
                )
        elif isinstance(tree, Var):
            lines.append((self.names[tree], f"    {self.names[tree]} = {path}"))

    def sweeps(self) -> list[str]:
        """The statements, in two sections where there are two, and the return."""
        forward: list[str] = []
        reverse: list[str] = []
        for node in self.plan.nodes:
            if self.is_at_entry(node):
                continue
            in_forward = node.role == "primal" and not reverse
            (forward if in_forward else reverse).extend(self.printer.node(node, "    "))
        result = self.return_lines(bool(reverse) or bool(forward))
        if forward and reverse and self.options.mode not in INTERLEAVED:
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

    def return_lines(self, something_before: bool) -> list[str]:
        output = self.function.output
        comment = ""
        if isinstance(output, Var) and output in self.folding.inlined and something_before:
            found = self.folding.definitions[output]
            comment = self.printer.comments.for_line(found) if found.role == "adjoint" else ""
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
            return self.speller.spell(tree).text
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


def names_in_code(lines: Sequence[str]) -> set[str]:
    """The names in lines of a function; its comments cite the user's lines, with other names."""
    tree = ast.parse("def function():\n" + "\n".join(lines))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
