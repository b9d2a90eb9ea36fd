"""Draws programs: typed, bounded, over the language of control flow, writes, views and calls.

`program(seed)` gives a `Program`: a text, the types of the arguments, and points to run it at. The
text is as a person could have written it, in its structure; its meaning is nobody's. What a
program does at run time is not known: the oracle skips those that raise or do not stay finite.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from random import Random

from tests.farm.expressions import ARRAYS, VECTORS, ExpressionWriter, Helper, Scope
from tests.farm.idioms import IdiomWriter
from tests.farm.writes import WriteWriter

PLAIN = {
    "float": ("a", "b", "c", "s", "y", "t"),
    "int": ("k", "count"),
    "n": ("u", "w", "p", "q"),
    "m": ("g", "e"),
    "h": ("d", "f_"),
    "mn": ("B", "C"),
    "nn": ("M", "N"),
    "floats": ("items", "parts"),
    "vectors": ("states", "rows"),
}
CLASHING = {
    **PLAIN,
    "float": ("grad_a", "saved_s", "v1", "value", "dot_a", "s", "total"),
    "int": ("trip", "v3"),
    "n": ("grad_x", "saved_u", "v2", "x_2", "u_2", "zeros"),
    "m": ("grad_value", "saved"),
}
FORMS = ("n", "n", "3", "1, 4", "3, -1, -1", "0, 5, 2", "0", "4, 1, -2", "k", "len({n})")


@dataclass(frozen=True)
class Program:
    """A text, the types of the parameters of its last function `f`, and its seed."""

    text: str
    arguments: tuple[tuple[str, str], ...]
    seed: int
    scalar: bool = True
    drawn: tuple[tuple[str, str, str], ...] = ()  # name, specification, domain: `samples.draw`

    @property
    def single(self) -> bool:
        return any("float32" in type for _, type in self.arguments)


def program(
    seed: int, size: int = 14, mathematics: tuple[str, ...] = (), idiomatic: bool = False
) -> Program:
    """The program of a seed, of about `size` statements."""
    return ProgramWriter(Random(seed), size, mathematics, idiomatic).program(seed)


class ProgramWriter(WriteWriter, IdiomWriter, ExpressionWriter):
    """Writes a program: helpers, then `f`."""

    def __init__(
        self, random: Random, size: int, mathematics: tuple[str, ...] = (), idiomatic: bool = False
    ) -> None:
        super().__init__(random, mathematics)
        self.idiomatic = idiomatic
        self.size = size
        self.fuel = 0
        self.lines: list[str] = []
        self.loops = 0
        self.names = CLASHING if self.chance(0.2) else PLAIN
        self.returns: tuple[str, ...] = ("float",)

    def add(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    # Functions ------------------------------------------------------------------------------------

    def program(self, seed: int) -> Program:
        scope = Scope({})
        for number in range(self.random.choice((0, 0, 1, 1, 2, 3))):
            scope.helpers.append(self.helper(f"h{number + 1}", scope))
        kinds = self._parameters()
        single = self.chance(0.05)
        scalar = self.chance(0.75)
        self.returns = ("float",) if scalar else self._results(kinds)
        self.fuel = self.size
        self.define(0, "f", [(name, kind, "") for name, kind in kinds.items()], scope)
        text = "import math\n\nimport numpy as np\n\n\n" + "\n".join(self.lines) + "\n"
        types = tuple((name, _type(kind, single)) for name, kind in kinds.items())
        return Program(ast.unparse(ast.parse(text)) + "\n", types, seed, scalar)

    def _parameters(self) -> dict[str, str]:
        kinds = {"x": "n", "a": "float"}
        more = {"z": "n", "r": "m", "A": "mn", "S": "nn", "b": "float", "k": "int"}
        for name, kind in more.items():
            if self.chance(0.4):
                kinds[name] = kind
        return {**kinds, "n": "int"}

    def _results(self, kinds: dict[str, str]) -> tuple[str, ...]:
        usable = ["float", "n", *(kind for kind in kinds.values() if kind in ARRAYS)]
        return tuple(self.random.choice(usable) for _ in range(self.random.randint(1, 3)))

    def helper(self, name: str, scope: Scope) -> Helper:
        """A function that may be called by those after it; some write to what they are given."""
        kinds = [self.random.choice(("float", "float", "n", "n", "m", "int")) for _ in range(2)]
        optional = int(kinds[-1] == "float" and self.chance(0.4))
        self.returns = self.random.choice((("float",), ("float",), ("float", "n"), ("n",), ()))
        if not any(kind == "n" for kind in kinds):
            self.returns = ("float",)
        self.fuel = self.random.randint(1, 4)
        formals = [(f"{'xy'[i]}{i}", kind, "") for i, kind in enumerate(kinds)]
        if optional:
            formals[-1] = (*formals[-1][:2], "0.5")
        saved, self.loops = self.loops, 3
        self.define(0, name, formals, scope)
        self.loops = saved
        return Helper(name, tuple(kinds), self.returns, optional)

    def define(
        self, depth: int, name: str, formals: list[tuple[str, str, str]], outer: Scope
    ) -> None:
        texts = [f"{formal}={default}" if default else formal for formal, _, default in formals]
        self.add(depth, f"def {name}({', '.join(texts)}):")
        scope = outer.inner()
        scope.helpers = list(outer.helpers)
        scope.indices, scope.sizes = {}, {}
        scope.kinds = {formal: kind for formal, kind, _ in formals}
        for formal, kind, _ in formals:
            for place, axis in enumerate(kind if kind in ARRAYS else ""):
                text = f"len({formal})" if place == 0 else f"{formal}.shape[{place}]"
                scope.sizes.setdefault(axis, text)
        if not scope.of_kind("float"):
            self.add(depth + 1, "c = 1.0")
            scope.kinds["c"] = "float"
        self.block(depth + 1, scope, False, count=max(3, self.fuel))
        self.add(depth + 1, self.result(scope))
        self.lines += ["", ""]

    def result(self, scope: Scope) -> str:
        if not self.returns:
            return "return None"
        if self.returns == ("float",):
            parts = [self.scalar(scope, 1) for _ in range(2)]
            arrays = [name for name, kind in scope.kinds.items() if kind in ARRAYS]
            self.random.shuffle(arrays)
            parts += [f"np.sum({name} * {name})" for name in arrays[:2]]
            floats = scope.of_kind("float")
            parts += [self.random.choice(floats)] if floats else []
            return "return " + " + ".join(parts)
        texts = [
            self.scalar(scope, 1) if kind == "float" else self.array(scope, kind, 1)
            for kind in self.returns
        ]
        return f"return {', '.join(texts)}"

    # Blocks ---------------------------------------------------------------------------------------

    def block(self, depth: int, scope: Scope, in_loop: bool, count: int = 0) -> None:
        start = len(self.lines)
        for _ in range(count or self.random.randint(1, 4)):
            if self.fuel > 0:
                self.statement(depth, scope, in_loop)
        if self.chance(0.2 if in_loop else 0.05) and depth > 1:
            self.add(depth, f"if {self.test(scope)}:")
            jumps = ["break", "continue"] if in_loop else []
            jumps += [self.result(scope)] if self.chance(0.3) or not in_loop else []
            self.add(depth + 1, self.random.choice(jumps))
            if self.fuel > 0:
                self.statement(depth, scope, in_loop)
        if len(self.lines) == start:
            self.add(depth, "pass")

    def statement(self, depth: int, scope: Scope, in_loop: bool) -> None:
        self.fuel -= 1
        plain = [self.assign] * 4 + [self.write] * 4 + [self.swap, self.alias, self.call_statement]
        plain += [self.local_function, self.update] + [self.grow] * 3 * self.grows
        plain += [self.idiom] * 12 * self.idiomatic
        if depth < 5 and self.chance(0.45):
            choices = [self.branch, self.branch, self.loop_while]
            if self.loops < 3:
                choices += [self.loop] * 4
            self.random.choice(choices)(depth, scope, in_loop)
        else:
            self.random.choice(plain)(depth, scope)

    def target(self, scope: Scope, kind: str) -> str:
        """A name to assign: an old one of the kind, or a new one."""
        old = scope.of_kind(kind)
        if old and self.chance(0.6):
            return self.random.choice(old)
        free = [name for name in self.names[kind] if scope.kinds.get(name, kind) == kind]
        return self.random.choice(free)

    def assign(self, depth: int, scope: Scope) -> None:
        kinds = ["float"] * 4 + ["int"] + [kind for kind in ARRAYS if scope.makes(kind)] * 2
        kind = self.random.choice(kinds)
        if kind == "float":
            value = self.scalar(scope)
        elif kind == "int":
            value = f"({self.integer(scope)} + {self.integer(scope)}) % 5"
        else:
            value = self.array(scope, kind)
            if depth > 1 and value[0].isalpha() and value[-1] == "]" and self.chance(0.8):
                value = f"({value}).copy()"  # a view that is another array on each path is refused
        name = self.target(scope, kind)
        self.add(depth, f"{name} = {value}")
        scope.kinds[name] = kind

    def update(self, depth: int, scope: Scope) -> None:
        name = self.name(scope, "float")
        if name is None:
            return self.assign(depth, scope)
        operator = self.pick("+=", "-=", "*=")
        self.add(depth, f"{name} {operator} {self.scalar(scope)}")
        return None

    def local_function(self, depth: int, scope: Scope) -> None:
        """A closure, by `def` or `lambda`, and a call of it."""
        name = self.target(scope, "float")
        body = self.scalar(scope, 1)
        first = self.scalar(scope, 0)
        inner = "z" if self.chance(0.7) else (self.name(scope, "float") or "z")
        if self.chance(0.5):
            self.add(depth, f"g_ = lambda {inner}: {inner} * 0.5 + {body}")
        else:
            self.add(depth, f"def g_({inner}):")
            self.add(depth + 1, f"local = {inner} * {body}")
            self.add(depth + 1, "return np.tanh(local)")
        if self.chance(0.5):
            self.assign(depth, scope)
        self.add(depth, f"{name} = g_({first}) + 0.5 * g_({self.scalar(scope, 0)})")
        scope.kinds[name] = "float"

    def grow(self, depth: int, scope: Scope) -> None:
        """A list that is made, or appended to."""
        kind = self.pick("floats", "vectors") if scope.makes("n") else "floats"
        name = self.name(scope, kind)
        item = self.scalar(scope) if kind == "floats" else self.array(scope, "n", 1)
        if name is None or self.chance(0.3):
            name = self.target(scope, kind)
            self.add(depth, f"{name} = [{item}]")
            scope.kinds[name] = kind
        else:
            self.add(depth, f"{name}.append({item})")

    # Control flow ---------------------------------------------------------------------------------

    def branch(self, depth: int, scope: Scope, in_loop: bool) -> None:
        self.add(depth, f"if {self.test(scope)}:")
        scopes = [scope.inner()]
        self.block(depth + 1, scopes[0], in_loop)
        while self.chance(0.2):
            self.add(depth, f"elif {self.test(scope)}:")
            scopes.append(scope.inner())
            self.block(depth + 1, scopes[-1], in_loop)
        if self.chance(0.5):
            self.add(depth, "else:")
            scopes.append(scope.inner())
            self.block(depth + 1, scopes[-1], in_loop)
        else:
            scopes.append(scope.inner())
        self.join(scope, scopes, in_loop)

    def join(self, scope: Scope, scopes: list[Scope], in_loop: bool = False) -> None:
        """After branches the names of all; sometimes also one that only some paths define."""
        for name, kind in [item for inner in scopes for item in inner.kinds.items()]:
            everywhere = all(inner.kinds.get(name) == kind for inner in scopes)
            new = name not in scope.kinds
            if everywhere or (new and self.chance(0.4 if in_loop and self.idiomatic else 0.1)):
                scope.kinds[name] = kind
            elif name in scope.kinds and scope.kinds[name] != kind:
                del scope.kinds[name]

    def loop(self, depth: int, scope: Scope, in_loop: bool) -> None:
        self.loops += 1
        number = self.loops
        inner = scope.inner()
        vector = self.name(scope, "n")
        form = self.pick("range", "range", "axis", "axis", "enumerate", "zip", "reversed", "items")
        index, item = self.pick("i", "j", f"i{number}"), f"z{number}"
        if form == "items" and (items := self.name(scope, "floats")):
            self.add(depth, f"for {item} in {items}:")
            inner.kinds[item] = "float"
        elif vector is None or form in ("range", "items"):
            form_text = self.random.choice(FORMS)
            if ("{n}" in form_text and vector is None) or (
                form_text == "k" and "k" not in scope.kinds
            ):
                form_text = "3"
            bounds = form_text.replace("{n}", vector or "")
            wrap = self.pick("range({})", "range({})", "range({})", "reversed(range({}))")
            self.add(depth, f"for {index} in {wrap.replace('{}', bounds)}:")
            inner.indices[index] = "any"
        elif form == "axis":
            low = self.pick("", "1, ")
            self.add(depth, f"for {index} in range({low}len({vector})):")
            inner.indices[index] = "n"
        elif form == "enumerate":
            self.add(depth, f"for {index}, {item} in enumerate({vector}):")
            inner.indices[index] = "n"
            inner.kinds[item] = "float"
        elif form == "zip":
            other = self.name(scope, "n") or vector
            self.add(depth, f"for {item}, y{number} in zip({vector}, {other}):")
            inner.kinds.update({item: "float", f"y{number}": "float"})
        else:
            self.add(depth, f"for {item} in reversed({vector}):")
            inner.kinds[item] = "float"
        inner.kinds.pop(index, None)
        if form in ("enumerate", "zip", "reversed", "items") and self.chance(0.85):
            inner.kinds.pop(vector or "", None)  # to write to what is gone through is refused
        self.block(depth + 1, inner, True, self.random.randint(1, 5))
        if self.chance(0.1):
            self.add(depth, "else:")
            self.block(depth + 1, scope.inner(), in_loop)
        scope.kinds.pop(index, None)
        self.join(scope, [scope.inner(), inner])
        self.loops -= self.chance(0.5)

    def loop_while(self, depth: int, scope: Scope, in_loop: bool) -> None:
        """A loop with a counter, so that it ends."""
        self.loops += 1
        counter = f"trips{self.loops}"
        self.add(depth, f"{counter} = 0")
        more = f" and ({self.test(scope)})" if self.chance(0.7) else ""
        self.add(depth, f"while {counter} < {self.pick('3', '5', *scope.of_kind('int'))}{more}:")
        self.add(depth + 1, f"{counter} += 1")
        inner = scope.inner()
        self.block(depth + 1, inner, True)
        self.join(scope, [scope.inner(), inner])


def _type(kind: str, single: bool) -> str:
    if kind in ("float", "int"):
        return kind
    axes = {"n": "p", "m": "m"}
    return f"float{'32' if single else ''}[{','.join(axes[axis] for axis in kind)}]"


__all__ = ["VECTORS", "Program", "program"]
