"""Draws what programs do in a few statements together, and statements drawn one by one do rarely.

Each is a way to write numerical code in which a compiler of derivatives may go wrong: a name that
only some trips bind, a stencil that overwrites what it has read, arrays that move on by one name a
trip, the two differences of two things, an array of constants that meets a number.
"""

from __future__ import annotations

from tests.farm.expressions import VECTORS, ExpressionWriter, Scope


class IdiomWriter(ExpressionWriter):
    """Writes idioms. `add`, `target` and `assign` are those of the program's writer."""

    loops: int

    def add(self, depth: int, text: str) -> None:
        raise NotImplementedError

    def target(self, scope: Scope, kind: str) -> str:
        raise NotImplementedError

    def assign(self, depth: int, scope: Scope) -> None:
        raise NotImplementedError

    def idiom(self, depth: int, scope: Scope) -> None:
        vectors = [name for kind in VECTORS for name in scope.of_kind(kind)]
        makers = [self._two_differences]
        if vectors:
            makers += [self._bound_in_some_trips, self._stencil, self._meets_constants]
            makers += [self._read_again, self._rotated, self._work_array]
        name = self.random.choice(vectors) if vectors else ""
        self.random.choice(makers)(depth, scope, name)

    def _loop(self, depth: int, bounds: str) -> str:
        self.loops += 1
        index = f"i{self.loops}"
        self.add(depth, f"for {index} in range({bounds}):")
        return index

    def _sum(self, scope: Scope) -> str:
        """A float that may be added to."""
        return self.name(scope, "float") or "c"

    def _bound_in_some_trips(self, depth: int, scope: Scope, name: str) -> None:
        late = f"late{self.loops}"
        index = self._loop(depth, f"len({name})")
        test = self.pick(f"{name}[{index}] > {self.scalar(scope, 0)}", f"{index} % 2 == 0")
        self.add(depth + 1, f"if {index} == 0 or {test}:")
        self.add(depth + 2, f"{late} = {name}[{index}] * {self.scalar(scope, 1)}")
        if self.chance(0.3):
            self.add(depth + 1, f"{self._sum(scope)} += 0.3 * {late}")
        self.add(depth, f"if len({name}) > 0:")
        self.add(depth + 1, f"{self._sum(scope)} += np.sin({late})")

    def _stencil(self, depth: int, scope: Scope, name: str) -> None:
        """Elements from their neighbours, in place, from either end."""
        s = self.scalar(scope, 0)
        if self.chance(0.5):
            i = self._loop(depth, f"1, len({name})")
            places = (f"{i} - 1", i)
        else:
            i = self._loop(depth, f"len({name}) - 2, -1, -1")
            places = (i, f"{i} + 1")
        one, other = (f"{name}[{place}]" for place in self.random.sample(places, 2))
        value = self.pick(
            f"0.5 * {other} ** 2", f"{s} * {one} * {other}", f"np.sin({other}) + {s} * {one}"
        )
        self.add(depth + 1, f"{one} {self.pick('=', '=', '+=', '*=')} {value}")

    def _rotated(self, depth: int, scope: Scope, name: str) -> None:
        """Two arrays of a loop that get their next values from one another."""
        total, number = self._sum(scope), self.loops
        one, other = f"u{number}", f"w{number}"
        self.add(depth, f"{one}, {other} = 0.5 * {name}, {self.pick(f'{name}.copy()', name)}")
        index = self._loop(depth, "3")
        read = [
            f"if len({name}) > 0:",
            f"    {total} += 0.3 * {one}[{index} % len({name})] * {other}[-1]",
        ]
        new = self.pick(f"{self.scalar(scope, 0)} * {name}", one, f"0.5 * ({one} + {other})")
        step = [f"{one}, {other} = 0.5 * ({one} + {other}), {new}"]
        for line in [*read, *step] if self.chance(0.5) else [*step, *read]:
            self.add(depth + 1, line)
        self.add(depth, f"{total} += np.sum({one} * {other})")

    def _work_array(self, depth: int, scope: Scope, name: str) -> None:
        """An array of the function's own, written and read element by element."""
        total, work = self._sum(scope), f"work{self.loops}"
        self.add(depth, f"{work} = {self.pick(f'np.zeros(len({name}))', f'np.empty(len({name}))')}")
        i = self._loop(depth, f"len({name})")
        self.add(depth + 1, f"{work}[{i}] = {name}[{i}] * {self.scalar(scope, 0)}")
        self.add(depth + 1, f"{total} += 0.3 * {work}[{i}] ** 2")
        again = self.pick(f"{work}[{i}] = np.sin({work}[{i}])", f"{work}[{i}] *= {total}")
        self.add(depth + 1, f"{again}")
        self.add(depth + 1, f"{total} += 0.3 * {work}[{i}]")

    def _two_differences(self, depth: int, scope: Scope, name: str) -> None:
        a, b = self._sum(scope), self.scalar(scope, 1)
        if name and self.chance(0.5):
            a, b = name, self.pick(f"{name}[::-1]", f"np.sin({name})", self._sum(scope))
        value = self.pick(
            f"np.exp({a} - ({b})) + ({b} - {a}) ** 3",
            f"({a} - ({b})) * np.tanh(({b}) - {a})",
            f"(2.0 + {a} ** 2) / (2.0 + ({b}) ** 2) - (2.0 + ({b}) ** 2) / (2.0 + {a} ** 2)",
        )
        self.add(depth, f"{self._sum(scope)} += 0.3 * np.sum(np.tanh({value}))")

    def _meets_constants(self, depth: int, scope: Scope, name: str) -> None:
        constants = self.pick(f"np.arange(len({name}))", f"np.ones(len({name}))")
        s, known = self.scalar(scope, 1), f"known{self.loops}"
        self.add(depth, f"{known} = {constants} {self.pick('+', '-', '*')} np.tanh({s})")
        if self.chance(0.3):
            self.add(depth, f"{known} = np.where({name} > 0.0, {known}, 1.0)")
        use = self.pick(f"{known}.sum()", f"np.sum({known}[::2])", f"{known} @ {name}")
        self.add(depth, f"{self._sum(scope)} += 0.3 * {use}")

    def _read_again(self, depth: int, scope: Scope, name: str) -> None:
        """What was read before a write, and a view, are read behind it."""
        seen, number = f"seen{self.loops}", self.scalar(scope, 0)
        self.add(depth, f"{seen} = {self.pick(f'np.sin({name})', f'{name} * {name}', name)}")
        part = self.pick("[::2]", "[1:]", "[...]", f"[{name} > 0.0]")
        self.add(depth, f"{name}{part} {self.pick('=', '*=', '+=')} 0.5 * {number}")
        self.add(depth, f"{self._sum(scope)} += 0.3 * np.sum({seen} * {name})")
