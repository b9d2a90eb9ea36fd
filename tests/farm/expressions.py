"""Draws expressions of a kind from the names that are in scope.

A kind is what a value is: `float`, `int`, arrays by their axes (`n`, `m`, `h` for one less than
`n`, `mn`, `nn`), lists (`floats`, `vectors`). All of it follows from a `random.Random`. Values stay
small: products and sums are damped, so that difference quotients of what comes out mean something.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

ARRAYS = ("n", "m", "h", "mn", "nn")
VECTORS = ("n", "m", "h")


@dataclass(frozen=True)
class Helper:
    """A function of the program that may be called: the kinds of what it takes and gives."""

    name: str
    parameters: tuple[str, ...]
    results: tuple[str, ...]
    optional: int = 0  # how many parameters at the end have defaults


@dataclass
class Scope:
    """The names that may be read, with their kinds; the loop variables that index an axis."""

    kinds: dict[str, str]
    indices: dict[str, str] = field(default_factory=dict)
    helpers: list[Helper] = field(default_factory=list)
    sizes: dict[str, str] = field(default_factory=dict)  # how the length of an axis is spelt

    def of_kind(self, kind: str) -> list[str]:
        return [name for name, found in self.kinds.items() if found == kind]

    def inner(self) -> Scope:
        return Scope(dict(self.kinds), dict(self.indices), self.helpers, self.sizes)

    def makes(self, kind: str) -> bool:
        """Whether an array of the kind can be written down at all."""
        if kind == "h":
            return bool(self.of_kind("n"))
        return bool(self.of_kind(kind)) or all(axis in self.sizes for axis in kind)


class ExpressionWriter:
    """Writes expressions. `mathematics` holds the catalogue's functions of one float or array."""

    def __init__(self, random: Random, mathematics: tuple[str, ...] = ()) -> None:
        self.random = random
        self.mathematics = mathematics
        # what is not accepted everywhere yet is in few programs, not a little of it in all of them
        self.comprehends = self.chance(0.05)
        self.grows = self.chance(0.15)

    # Choices --------------------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def pick(self, *items: str) -> str:
        return items[self.random.randrange(len(items))]

    def number(self) -> str:
        return self.pick("0.5", "0.25", "1.5", "-0.75", "2.0", "0.1", "1.0", "0.0", "3")

    def name(self, scope: Scope, kind: str) -> str | None:
        names = scope.of_kind(kind)
        return self.random.choice(names) if names else None

    # Scalars --------------------------------------------------------------------------------------

    def scalar(self, scope: Scope, depth: int = 2) -> str:
        """An expression for a float."""
        leaves = [self.name(scope, "float") or "0.5" for _ in range(3)]
        leaves += [element for kind in ARRAYS if (element := self.element(scope, kind))]
        leaves.append(self.number())
        if depth <= 0 or self.chance(0.25):
            return self.random.choice(leaves)
        a, b = self.scalar(scope, depth - 1), self.scalar(scope, depth - 1)
        makers = [self._arithmetic] * 4 + [self._function] * 2 + [self._choice, self._reduction]
        makers += [self._reduction, self._item, self._call]
        return self.random.choice(makers)(scope, depth, a, b)

    def _arithmetic(self, scope: Scope, depth: int, a: str, b: str) -> str:
        return self.pick(
            f"0.5 * ({a} + {b})",
            f"({a} - {b})",
            f"({a}) * ({b})",
            f"({a}) / (1.0 + ({b}) ** 2)",
            f"({a}) ** 2",
            f"-({a})",
            f"0.3 * ({a})",
        )

    def _function(self, scope: Scope, depth: int, a: str, b: str) -> str:
        known = ("np.sin({})", "np.cos({})", "np.tanh({})", "np.exp(-abs({}))", "abs({})")
        more = ("np.sqrt(1.0 + ({}) ** 2)", "np.log(2.0 + np.sin({}))", "math.sin({})")
        wrapped = tuple(f"np.tanh({text})" for text in self.mathematics)
        template = self.pick(*known, *more, *wrapped)
        return template.replace("{}", a)

    def _choice(self, scope: Scope, depth: int, a: str, b: str) -> str:
        return self.pick(
            f"({a} if {self.test(scope, 0)} else {b})",
            f"max({a}, {b})",
            f"min({a}, {b})",
            f"float(np.where({self.test(scope, 0)}, {a}, {b}))",
            f"float(np.where({a} > 0.0, np.sqrt({a}), {b}))",
        )

    def _reduction(self, scope: Scope, depth: int, a: str, b: str) -> str:
        kinds = [kind for kind in ARRAYS if scope.of_kind(kind)]
        if not kinds:
            return a
        kind = self.random.choice(kinds)
        x, y = self.array(scope, kind, depth - 1), self.array(scope, kind, depth - 1)
        choices = [f"0.3 * np.sum({x})", f"np.sum({x} * {y})", f"0.2 * ({x}).sum()"]
        choices += [f"np.mean({x})", f"np.max({x})", f"({x}).min()"]
        if kind in VECTORS:
            choices += [f"({x}) @ ({y})", f"np.dot({x}, {y})"]
            name = self.name(scope, kind)
            choices += [f"np.sum(np.sin({name}[[0, -1, 0]]))", f"np.sum({name}[{name} > {a}] ** 2)"]
            choices += [f"0.3 * ({name}[np.array([-1, 0, -1])] @ {name}[[0, 0, 0]])"]
            choices += [f"0.3 * sum(z * z for z in {x})"] if self.comprehends else []
        if kind in ("mn", "nn"):
            choices += [f"np.sum(np.tanh({x} @ ({y}).T))", f"np.sum(({x}).T @ {y}) * 0.3"]
            choices += [f"np.sum(np.sin({x} @ {v}))" for v in scope.of_kind("n")[:1]]
        if kind == "nn":
            choices += [f"np.sum(np.sin({x} @ {y}))"]
        return self.pick(*choices)

    def _item(self, scope: Scope, depth: int, a: str, b: str) -> str:
        items = self.name(scope, "floats")
        if items is None:
            return a
        return self.pick(
            f"{items}[-1]", f"0.3 * sum({items})", f"{items}[0]", f"len({items}) * {a}"
        )

    def _call(self, scope: Scope, depth: int, a: str, b: str) -> str:
        helpers = [h for h in scope.helpers if h.results == ("float",)]
        if not helpers:
            return f"np.tanh({a})"
        return self.call(scope, self.random.choice(helpers), depth - 1) or a

    def call(self, scope: Scope, helper: Helper, depth: int = 1) -> str | None:
        """A call of a helper. Arrays are passed by name, so that what it writes is seen."""
        arguments = []
        given = len(helper.parameters) - self.random.randint(0, helper.optional)
        for kind in helper.parameters[:given]:
            if kind in ARRAYS:
                text = self.name(scope, kind)
                if text is None:
                    return None
                if self.chance(0.15):
                    text = self.array(scope, kind, depth)
            else:
                text = self.scalar(scope, depth) if kind == "float" else self.integer(scope)
            arguments.append(text)
        return f"{helper.name}({', '.join(arguments)})"

    # Indices and tests ----------------------------------------------------------------------------

    def integer(self, scope: Scope) -> str:
        return self.pick("0", "1", "2", *scope.of_kind("int"), *scope.indices)

    def index(self, scope: Scope, axis: str) -> str:
        """An index of an axis of length `n`, `m` or `h`; mostly within it."""
        mine = [name for name, bound in scope.indices.items() if bound == axis]
        near = [f"{name} - 1" for name in mine]
        modulo = [f"{name} % {scope.sizes[axis]}" for name in scope.indices if axis in scope.sizes]
        return self.pick("0", "-1", "0", *mine, *mine, *mine, *near, *modulo)

    def element(self, scope: Scope, kind: str) -> str | None:
        name = self.name(scope, kind)
        if name is None:
            return None
        return f"{name}[{', '.join(self.index(scope, axis) for axis in kind)}]"

    def test(self, scope: Scope, depth: int = 1) -> str:
        a, b = self.scalar(scope, depth), self.scalar(scope, 0)
        choices = [f"{a} > {b}", f"{a} <= {b}", f"{a} < 0.3", f"-0.5 < {a} < {b} + 1.0"]
        choices += [f"{name} % 2 == 1" for name in (*scope.indices, *scope.of_kind("int"))]
        choices += [f"{name} > 0" for name in (*scope.indices, *scope.of_kind("int"))]
        if depth > 0:
            one, two = self.test(scope, 0), self.test(scope, 0)
            choices += [f"({one}) and ({two})", f"({one}) or ({two})", f"not ({one})"]
        return self.pick(*choices)

    # Arrays ---------------------------------------------------------------------------------------

    def array(self, scope: Scope, kind: str, depth: int = 2) -> str:
        """An expression for an array of a kind."""
        name = self.name(scope, kind)
        plain = [name] * 4 if name else []
        plain += self._parts(scope, kind)
        if not plain:
            plain = [self._made(scope, kind)]
        if depth <= 0 or self.chance(0.2):
            return self.random.choice(plain)
        a, b = self.array(scope, kind, depth - 1), self.array(scope, kind, depth - 1)
        s = self.scalar(scope, depth - 1)
        choices = [f"0.5 * ({a} + {b})", f"({a}) * ({b})", f"({a} - {b})", f"({a}) * ({s})"]
        choices += [f"({a} + ({s}))", f"np.sin({a})", f"np.tanh({a})", f"({a}) ** 2"]
        choices += [f"np.where({a} > {s}, {a}, {b})", f"np.maximum({a}, {b})", f"({a}).copy()"]
        choices += [f"({a}) / (1.0 + ({b}) ** 2)", f"np.exp(-abs({a}))", f"({a}) * 1.0"]
        choices += [
            f"np.where({a} > 0.0, np.sqrt({a}), {b})",
            f"np.where({a} <= 0.0, {b}, {a} ** 0.5)",
        ]
        choices += [f"np.tanh({text.replace('{}', a)})" for text in self.mathematics]
        choices += self._shaped(scope, kind, a, s)
        return self.pick(*choices)

    def _made(self, scope: Scope, kind: str) -> str:
        shape = f"({', '.join(scope.sizes[axis] for axis in kind)},)"
        return f"np.full({shape}, {self.scalar(scope, 0)})"

    def _parts(self, scope: Scope, kind: str) -> list[str]:
        """Views of other arrays: rows, columns, slices, transposes."""
        names = {other: self.name(scope, other) for other in ARRAYS}
        mn, nn, n, items = names["mn"], names["nn"], names["n"], self.name(scope, "vectors")
        parts: list[str] = []
        if kind == "n":
            parts += [f"{mn}[{self.index(scope, 'm')}]"] if mn else []
            parts += [f"{nn}[:, {self.index(scope, 'n')}]", f"{nn}.T[-1]"] if nn else []
            parts += [f"{n}[::-1]", f"{n}.T"] if n else []
            parts += [f"{items}[-1]", f"{items}[0]"] if items else []
        if kind == "m" and mn:
            parts += [f"{mn}[:, {self.index(scope, 'n')}]"]
        if kind == "h" and n:
            parts += [f"{n}[1:]", f"{n}[:-1]"]
        if kind == "nn" and nn:
            parts += [f"{nn}.T"]
        if kind == "mn" and mn:
            parts += [f"{mn}[::-1]"]
        return parts

    def _shaped(self, scope: Scope, kind: str, a: str, s: str) -> list[str]:
        """Products, outer sums and reductions that end in the kind."""
        names = {other: self.name(scope, other) for other in ARRAYS}
        n, m, mn, nn = names["n"], names["m"], names["mn"], names["nn"]
        made: list[str] = []
        if kind == "n":
            made += [f"0.3 * ({nn} @ {a})"] if nn else []
            made += [f"0.3 * ({m} @ {mn})", f"0.3 * ({mn}.T @ {m})"] if m and mn else []
            made += [f"0.3 * {mn}.sum(axis=0)"] if mn else []
            index = self.pick("i", "j_")
            made.append(f"0.3 * np.cumsum({a})")
            if "n" in scope.sizes and self.comprehends:
                made.append(f"np.array([{s} for {index} in range({scope.sizes['n']})])")
        if kind == "m" and mn:
            made += [f"0.3 * np.sum({mn}, axis=1)"] + ([f"0.3 * ({mn} @ {n})"] if n else [])
        if kind == "mn":
            made += [f"({a}) * {n}"] if n else []
            made += [f"{m}[:, None] * ({a})"] if m else []
            made += [f"0.5 * np.outer({m}, {n})"] if m and n else []
        if kind == "nn":
            made += [f"0.3 * ({a} @ {nn})"] if nn else []
            made += [f"0.5 * np.outer({n}, {n})"] if n else []
        return made
