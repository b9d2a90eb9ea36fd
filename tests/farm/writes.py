"""Draws statements that write to memory, name it twice, or hand it to a helper."""

from __future__ import annotations

from tests.farm.expressions import ARRAYS, VECTORS, ExpressionWriter, Scope


class WriteWriter(ExpressionWriter):
    """Statements of one line about arrays. `add` and `target` are those of the program's writer."""

    def add(self, depth: int, text: str) -> None:
        raise NotImplementedError

    def target(self, scope: Scope, kind: str) -> str:
        raise NotImplementedError

    def assign(self, depth: int, scope: Scope) -> None:
        raise NotImplementedError

    def write(self, depth: int, scope: Scope) -> None:
        """A write to an array, in one of many forms."""
        kinds = [kind for kind in ARRAYS if scope.of_kind(kind)]
        if not kinds:
            return self.assign(depth, scope)
        kind = self.random.choice(kinds)
        name = self.name(scope, kind) or ""
        form = self.random.choice((self._element, self._element, self._part, self._whole))
        self.add(depth, form(scope, kind, name))
        return None

    def _operator(self) -> str:
        return self.pick("=", "=", "=", "+=", "-=", "*=")

    def _element(self, scope: Scope, kind: str, name: str) -> str:
        index = ", ".join(self.index(scope, axis) for axis in kind)
        if len(kind) == 2 and self.chance(0.3):
            return f"{name}[{index.replace(', ', '][')}] {self._operator()} {self.scalar(scope)}"
        return f"{name}[{index}] {self._operator()} {self.scalar(scope)}"

    def _part(self, scope: Scope, kind: str, name: str) -> str:
        """A slice, a row, a mask or an array of indices."""
        operator, s = self._operator(), self.scalar(scope)
        other = self.array(scope, kind, 1)
        choices = [f"{name}[::2] {operator} {s}", f"{name}[1:] {operator} {s}"]
        choices += [f"{name}[{name} > {s}] {operator} {self.scalar(scope, 1)}"]
        choices += [f"{name}[[0, 0]] {operator} {s}", f"{name}[:] {operator} {other}"]
        choices += [f"np.add.at({name}, [0, -1, 0], {s})", f"{name}[...] {operator} {other}"]
        if kind in VECTORS:
            choices += [
                f"{name}[1:] {operator} ({other})[:-1]",
                f"{name}[:-1] {operator} {name}[1:]",
            ]
            choices += [f"{name}[np.array([1, 0, 1])] {operator} ({other})[0]"]
        if kind == "n" and scope.makes("h"):
            choices += [f"{name}[1:] {operator} {self.array(scope, 'h', 1)}"] * 2
        if kind in ("mn", "nn") and scope.makes("n"):
            row = self.array(scope, "n", 1)
            choices += [f"{name}[{self.index(scope, kind[0])}] {operator} {row}"] * 2
            choices += [
                f"{name}[:, {self.index(scope, 'n')}] {operator} {s}",
                f"{name}[1:] *= {row}",
            ]
        return self.pick(*choices)

    def _whole(self, scope: Scope, kind: str, name: str) -> str:
        other, s = self.array(scope, kind, 1), self.scalar(scope, 1)
        return self.pick(
            f"{name} += 0.3 * {other}",
            f"{name} *= {s}",
            f"{name} -= {s}",
            f"{name}.fill({s})",
            f"np.copyto({name}, {other})",
            f"np.multiply({name}, {s}, out={name})",
            f"np.add({name}, {other}, out={name})",
            f"{name} /= 1.0 + ({s}) ** 2",
        )

    def swap(self, depth: int, scope: Scope) -> None:
        kinds = [kind for kind in ("float", *ARRAYS) if len(scope.of_kind(kind)) > 1]
        vectors = [kind for kind in VECTORS if scope.of_kind(kind)]
        if vectors and self.chance(0.4):
            kind = self.random.choice(vectors)
            name = self.name(scope, kind)
            one, two = (f"{name}[{self.index(scope, kind)}]" for _ in range(2))
            self.add(depth, f"{one}, {two} = {two}, {one}")
        elif kinds:
            names = scope.of_kind(self.random.choice(kinds))
            names = self.random.sample(names, min(len(names), self.random.choice((2, 2, 3))))
            self.add(depth, f"{', '.join(names)} = {', '.join(names[1:] + names[:1])}")
        else:
            self.assign(depth, scope)

    def alias(self, depth: int, scope: Scope) -> None:
        """A second name for an array or a part of it."""
        kinds = [kind for kind in ARRAYS if scope.of_kind(kind)]
        if not kinds:
            return self.assign(depth, scope)
        kind = self.random.choice(kinds)
        sources = [*scope.of_kind(kind), *self._parts(scope, kind)]
        name = self.target(scope, kind)
        self.add(depth, f"{name} = {self.random.choice(sources)}")
        scope.kinds[name] = kind
        return None

    def call_statement(self, depth: int, scope: Scope) -> None:
        """A helper called for what it writes, or for several results."""
        helpers = [helper for helper in scope.helpers if helper.results != ("float",)]
        helper = self.random.choice(helpers) if helpers else None
        text = self.call(scope, helper) if helper else None
        if helper is None or text is None:
            return self.write(depth, scope)
        if not helper.results:
            self.add(depth, text)
            return None
        names = []
        for kind in helper.results:
            names.append(next(n for n in self._targets(scope, kind) if n not in names))
        self.add(depth, f"{', '.join(names)} = {text}")
        scope.kinds.update(zip(names, helper.results, strict=True))
        return None

    def _targets(self, scope: Scope, kind: str) -> list[str]:
        return [self.target(scope, kind), f"{kind}_1", f"{kind}_2"]
