"""Draws programs with loops, branches, jumps, writes and views: what is hard to print right.

All of a program follows from the seed. Values stay small: what is assigned is damped.
"""

from __future__ import annotations

from random import Random

NUMBERS = ("a", "b", "c")
ARRAYS = ("u", "w", "p")


class ProgramWriter:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.lines: list[str] = []
        self.indices: list[str] = []
        self.fuel = 20

    def program(self) -> str:
        self.lines = [
            "import numpy as np",
            "",
            "",
            "def f(x: \"Float[Array, '4']\", a: float, n: int):",
            "    b = 0.5 * a",
            "    c = 1.0",
            "    u = x.copy()" if self.chance(0.6) else "    u = x",
            "    w = np.zeros(4)",
            "    p = x * a",
            "    k = 0",
        ]
        self.block(1, False)
        results = ["a", "b", "c", "u", "w", "p", "np.sum(u * w)"]
        self.random.shuffle(results)
        self.lines.append(f"    return {', '.join(results[: self.random.randint(1, 5)])}, k")
        return "\n".join(self.lines) + "\n"

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def pick(self, *items: str) -> str:
        return self.random.choice(items)

    def add(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def block(self, depth: int, in_loop: bool) -> None:
        for _ in range(self.random.randint(1, 4)):
            if self.fuel > 0:
                self.statement(depth, in_loop)
        if in_loop and self.chance(0.15):
            self.add(depth, f"if {self.test()}:")
            self.add(depth + 1, self.pick("break", "continue"))
            if self.chance(0.5):
                self.statement(depth, in_loop)
        elif self.lines[-1].endswith(":"):
            self.add(depth, "pass")

    def statement(self, depth: int, in_loop: bool) -> None:
        self.fuel -= 1
        kinds = [self.number, self.number, self.array, self.write, self.write, self.swap]
        if depth < 4:
            kinds += [self.loop, self.loop, self.branch, self.loop_while]
        kind = self.random.choice(kinds)
        if kind in (self.branch, self.loop, self.loop_while):
            kind(depth, in_loop)  # type: ignore[call-arg]
        else:
            kind(depth)  # type: ignore[call-arg]

    def scalar(self) -> str:
        return self.pick(*NUMBERS, f"{self.pick(*ARRAYS)}[{self.index()}]", "0.25", "k")

    def index(self) -> str:
        return self.pick("0", "-1", "k % 4", *(f"{name} % 4" for name in self.indices))

    def test(self) -> str:
        name = self.pick(*NUMBERS)
        return self.pick(
            f"{name} > {self.scalar()}",
            f"{name} < 0.3 or k > 2",
            f"k < 3 and {name} > 0.0",
            f"not {name} <= {self.scalar()}",
            *(f"{index} == 1" for index in self.indices),
        )

    def number(self, depth: int) -> None:
        name = self.pick(*NUMBERS)
        value = self.pick(
            f"0.5 * ({self.scalar()} + {self.scalar()})",
            f"np.sin({self.scalar()})",
            f"0.1 * np.sum({self.pick(*ARRAYS)})",
            f"{self.scalar()} if {self.test()} else {self.scalar()}",
            self.pick(*NUMBERS),
        )
        self.add(depth, f"{name} = {value}" if self.chance(0.8) else f"{name} += 0.1 * {name}")

    def array(self, depth: int) -> None:
        name, other, third = (self.pick(*ARRAYS) for _ in range(3))
        value = self.pick(
            f"0.5 * {other} + {self.pick(*NUMBERS)}",
            f"np.cos({other})",
            f"{other}.copy()",
            f"{other}[::-1].copy()",
            f"0.5 * ({other} + {third})",
            other,
        )
        self.add(depth, f"{name} = {value}")

    def write(self, depth: int) -> None:
        name, other = self.pick(*ARRAYS), self.pick(*ARRAYS)
        self.add(
            depth,
            self.pick(
                f"{name}[{self.index()}] = {self.scalar()}",
                f"{name}[{self.index()}] += 0.1 * {self.scalar()}",
                f"{name}[1:] = 0.5 * {other}[:-1]",
                f"{name}[:2] += 0.1 * {other}[2:]",
                f"{name} *= 0.5",
                f"{name}[:] = 0.5 * {other}",
            ),
        )

    def swap(self, depth: int) -> None:
        names = self.random.sample(
            self.random.choice((NUMBERS, ARRAYS)), self.random.choice((2, 3))
        )
        shifted = names[1:] + names[:1]
        self.add(depth, f"{', '.join(names)} = {', '.join(shifted)}")

    def branch(self, depth: int, in_loop: bool) -> None:
        self.add(depth, f"if {self.test()}:")
        self.block(depth + 1, in_loop)
        if self.chance(0.5):
            self.add(depth, "else:")
            self.block(depth + 1, in_loop)

    def loop(self, depth: int, in_loop: bool) -> None:
        index = f"i{len(self.indices)}"
        bounds = self.pick("n", "3", "1, 4", "3, -1, -1", "0", "k", "n - 1")
        self.add(depth, f"for {index} in range({bounds}):")
        self.indices.append(index)
        self.block(depth + 1, True)
        self.indices.pop()

    def loop_while(self, depth: int, in_loop: bool) -> None:
        self.add(depth, f"while k < 6 and ({self.test()}):")
        self.add(depth + 1, "k += 1")
        self.block(depth + 1, True)
