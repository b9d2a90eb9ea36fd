"""The entry of a generated function: checks of what the types of the parameters say.

What was assumed when generating (ranks, equal sizes, dtypes, numbers that are no arrays) is checked
here once, so that no assumption can go wrong silently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from s2s_ad.backend import layout
from s2s_ad.backend.array_guards import ArrayChecks
from s2s_ad.backend.list_guards import ListChecks, lists_of, symbols_in_lists
from s2s_ad.backend.spelling import spell_atom
from s2s_ad.ir import Const, Function, Opaque, Structure, Tree, Var
from s2s_ad.types import DTYPES, Array, Number, Scalar, Static, dtype_of, is_float

MOST_WORK = 10000
"""Of the exact test of overlap; only views with strides in several dimensions come near it."""


MOST_PAIRS = 10
"""That are compared one by one."""


@dataclass
class Entry:
    """Lines at the entry, and the sizes that have a name there."""

    first: list[str] = field(default_factory=list)  # before containers are unpacked
    lines: list[str] = field(default_factory=list)
    sizes: dict[str, str] = field(default_factory=dict)  # symbol to Python name


@dataclass
class Checks:
    """Writes the lines at the entry of one function."""

    function: Function
    spelled: Callable[[Var], str]
    library: Callable[[str], str]
    entry: Entry = field(default_factory=Entry)

    def unless(self, tests: list[str], exception: str, expected: str, came: str) -> None:
        """`if not (a and b): raise TypeError(f"f: expected ..., not ...")`"""
        self.entry.lines += layout.unless("    ", tests)
        message = f"{self.function.name}: expected {expected}, "
        self.entry.lines += layout.raise_with("        ", exception, message, f"not {came}")

    def constants(self) -> None:
        """A parameter for whose value the module was generated."""
        for formal in self.function.formals:
            if isinstance(formal.tree, Const) and isinstance(formal.tree.value, Opaque):
                self.opaque(formal.name, formal.tree.value)
            elif isinstance(formal.tree, Const):
                value = spell_atom(formal.tree, lambda name: name).text
                differs = "is not" if formal.tree.value is None else "!="
                self.entry.lines.append(f"    if {formal.name} {differs} {value}:")
                plain = value.replace("\\'", "'").replace('"', "'")
                message = f"{self.function.name}: generated for {formal.name}={plain}, "
                came = f"not {{{formal.name}!r:.60}}"
                self.entry.lines += layout.raise_with("        ", "ValueError", message, came)

    def opaque(self, name: str, given: Opaque) -> None:
        """An argument that was followed when the module was generated: it has to be of its name."""
        what = "function" if given.is_function else "class"
        found = f'{self.library("builtins.getattr")}({name}, "__name__", "")'
        if not given.is_function:
            found = f"{self.library('builtins.type')}({name}).__name__"
        self.entry.lines.append(f'    if {found} != "{given.name}":')
        message = f"{self.function.name}: generated for the {what} {given.name} as {name}"
        self.entry.lines += layout.raise_with("        ", "TypeError", message)

    def containers(self) -> None:
        """A container has the items for which the module was generated."""
        for formal in self.function.formals:
            self.container(formal.tree, formal.name)

    def container(self, tree: Tree, path: str) -> None:
        if not isinstance(tree, Structure):
            return
        keys = [spell_atom(Const(key), lambda name: name).text for key in tree.keys]
        if tree.kind != "record":
            what = f"{len(keys)} item{'s' if len(keys) != 1 else ''}"
            if tree.kind == "dict":
                what = f"a dict of {', '.join(keys)}"
            self.entry.first += layout.unless("    ", self._of_container(tree.kind, keys, path))
            message = f"{self.function.name}: expected {what} as {path}, ".replace('"', "'")
            simple = "\\" not in path and "'" not in path
            came = "not {" + path.replace('"', "'") + "!r:.60}" if simple else "not others"
            self.entry.first += layout.raise_with("        ", "ValueError", message, came)
        for key, spelled_key, item in zip(tree.keys, keys, tree.items, strict=True):
            inner = f"{path}.{key}" if tree.kind == "record" else f"{path}[{spelled_key}]"
            self.container(item, inner)

    def _of_container(self, kind: str, keys: list[str], path: str) -> list[str]:
        """Tests of the type and of the keys or the number of items."""
        isinstance_ = self.library("builtins.isinstance")
        if kind == "dict":
            wanted = f"{{{', '.join(keys)}}}" if keys else f"{self.library('builtins.set')}()"
            is_dict = f"{isinstance_}({path}, {self.library('builtins.dict')})"
            return [is_dict, f"{path}.keys() == {wanted}"]
        kinds = f"({self.library('builtins.list')}, {self.library('builtins.tuple')})"
        count = f"{self.library('builtins.len')}({path}) == {len(keys)}"
        return [f"{isinstance_}({path}, {kinds})", count]

    def numbers(self) -> None:
        """Where a number is expected, an array would broadcast and give a wrong result."""
        numbers = [
            var for var in self.function.body.parameters if isinstance(var.type, Number | Scalar)
        ]
        floats = [var for var in numbers if is_float(var.type)]
        integers = [var for var in numbers if not is_float(var.type)]
        isinstance_ = self.library("builtins.isinstance") if floats or integers else ""
        wide = [var for var in floats if var.type in (Number("float"), Scalar("f64"))]
        pair = f"({self.library('builtins.float')}, {self.library('builtins.int')})"
        number = self.library("NUMBER") if len(wide) > 1 else pair
        tests = []
        for var in floats:
            kind = number if var in wide else self.library(f"numpy.{DTYPES[dtype_of(var.type)]}")
            tests.append(f"{isinstance_}({self.spelled(var)}, {kind})")
        what = "numbers" if len(floats) > 1 else "a number"
        self.require(tests, what, floats)
        if integers:
            kind = self.library("INTEGER")
            tests = [f"{isinstance_}({self.spelled(var)}, {kind})" for var in integers]
            what = "integers" if len(integers) > 1 else "an integer"
            self.require(tests, what, integers)

    def generators(self) -> None:
        """A random generator is one: what is drawn depends on its kind."""
        for var in self.function.body.parameters:
            if isinstance(var.type, Static) and var.type.kind.startswith("numpy."):
                kind, isinstance_ = self.library(var.type.kind), self.library("builtins.isinstance")
                tests = [f"{isinstance_}({self.spelled(var)}, {kind})"]
                self.require(tests, f"a {kind}", [var])

    def require(self, tests: list[str], what: str, variables: list[Var]) -> None:
        """Arguments that are no arrays, of some type."""
        if tests:
            type_ = self.library("builtins.type")
            names = ", ".join(map(self.spelled, variables))
            came = ", ".join(f"{{{type_}({self.spelled(var)}).__name__}}" for var in variables)
            self.unless(tests, "TypeError", f"{what} {names}", came)

    def overlaps(self, arrays: list[Var]) -> None:
        """What the user's function writes to is copied, and a copy no longer changes another
        argument in whose memory it lies.
        """
        written = [var for var in arrays if str(var) in self.function.written]
        seen: list[Var] = []
        for var in written:
            seen.append(var)
            others = [other for other in arrays if other not in seen]
            if not others:
                continue
            shares, name = self.library("numpy.shares_memory"), self.spelled(var)
            tests = [f"{shares}({name}, {self.spelled(o)}, max_work={MOST_WORK})" for o in others]
            self.entry.lines += layout.condition("    ", tests)
            listed = ", ".join(map(self.spelled, others))
            message = f"writes to {name}, which must not share memory with {listed}"
            message = f"{self.function.name}: {message}"
            self.entry.lines += layout.raise_with("        ", "ValueError", message)

    def objects(self, free_name: Callable[[str], str]) -> None:
        """A container that the user's function changes is given once: a copy of it no longer
        changes the other one.
        """
        pairs = self.function.apart
        if not pairs:
            return
        paths = list(dict.fromkeys(path for pair in pairs for path in pair))
        tests = [f"{left} is {right}" for left, right in pairs]
        if len(pairs) > MOST_PAIRS:
            numbers, id_ = free_name("objects"), self.library("builtins.id")
            each = [f"        {id_}({path})," for path in paths]
            self.entry.lines += [f"    {numbers} = {{", *each, "    }"]
            tests = [f"{self.library('builtins.len')}({numbers}) < {len(paths)}"]
        self.entry.lines += layout.condition("    ", tests)
        listed = ", ".join(paths).replace('"', "'")
        message = f"{self.function.name}: these must not be one object: {listed}"
        self.entry.lines += layout.raise_with("        ", "ValueError", message)


def entry_checks(
    function: Function,
    spelled: Callable[[Var], str],
    free_name: Callable[[str], str],
    library: Callable[[str], str],
    needed: set[str],
    active: set[Var],
    of_primal: set[Var],
) -> Entry:
    """The checks for the parameters. `needed` are sizes that the body wants a name for."""
    checks = Checks(function, spelled, library)
    if function.guarded:
        checks.constants()
        checks.containers()
        checks.objects(free_name)
        checks.numbers()
        checks.generators()
        arrays = [var for var in function.body.parameters if isinstance(var.type, Array)]
        of_arrays = ArrayChecks(checks, arrays, free_name, active)
        of_arrays.kinds()
        of_arrays.shapes(needed | symbols_in_lists(function))
        own = [var for var in arrays if var in of_primal]
        checks.overlaps(own)
        if lists_of(function):
            of_lists = ListChecks(checks, free_name, of_arrays.spelled_size)
            of_lists.kinds()
            of_lists.overlaps([var for var in own if str(var) in function.written])
    return checks.entry
