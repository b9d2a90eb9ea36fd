"""Programs about one operation of the catalogue, spelled as users do, in a setting.

The operations and their operands are those of the declarations' samples, so that what is declared
later joins by itself. The setting (a loop, a branch, a helper, writes before and behind it) is what
the tests of single rules do not have.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import numpy as np

from s2s_ad.ir import Atom, Const, Operation, Var, show_right_side
from s2s_ad.operations.declare import evaluation_names
from s2s_ad.types import FLOAT
from tests.farm.generator import Program
from tests.farm.spelling import spelled
from tests.operations.samples import (
    SPEC,
    is_constant,
    make_case,
    operations,
    specifications,
)

KINDS = {"f": "float", "p": "float", "r": "float", "i": "int", "b": "bool", "m": "bool"}
# where 0.99 x is as good as x
SCALED = ("", "positive", "nonzero", "unit", "fraction", "definite", "increasing", "large")


@cache
def samples() -> tuple[tuple[Operation, dict[str, Any]], ...]:
    """What the catalogue declares that a user can write; of complex numbers, too."""
    return tuple(
        (op, sample)
        for op in operations()
        if op.rules and not op.constant and _is_users(op)
        for sample in specifications(op)
    )


@cache
def functions_of_one() -> tuple[str, ...]:
    """Templates of elementwise functions that are smooth for every float, or have mere kinks."""
    return tuple(
        f"{op.call}({{}})"
        for op in operations()
        if op.elementwise and op.call.startswith("np.") and op.rules and not op.constant
        if not op.domains and len(op.parameters) == 1
    )


def _is_users(op: Operation) -> bool:
    made_by_passes = op.update or op.effect or op.name.startswith("helper.")
    return not made_by_passes and bool(op.call or op.template)


@dataclass
class _Call:
    """The call of a sample: its operands (name, specification, domain), and what it gives."""

    text: str
    operands: tuple[tuple[str, str, str], ...]
    parts: tuple[str, ...]  # lines that make the complex operands, of two real ones each
    shapes: tuple[tuple[int, ...], ...]  # of the results
    carrying: tuple[bool, ...]  # whether they have a derivative
    complexes: tuple[bool, ...]  # whether they are complex

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.operands]


def _call_of(op: Operation, sample: dict[str, Any]) -> _Call | None:
    """None if it cannot be written down."""
    case = make_case(op, sample)
    operands: list[tuple[str, str, str]] = []
    atoms: list[Atom] = []
    literals: dict[str, Any] = {}  # operands without derivative, by the names that stand for them
    parts: list[str] = []
    for place, (name, value) in enumerate(case.values.items()):
        parameter = name if name in op.parameters else op.variadic
        spec = sample.get(name)
        if name != parameter and parameter in sample:
            spec = sample[parameter][int(name[len(parameter) :])]
        if is_constant(value) or not (isinstance(spec, str) and SPEC.fullmatch(spec)):
            atoms.append(Const(value))
        elif spec[0] in "fpr" and name not in case.floats:
            literals[f"literal_{place}_"] = value
            atoms.append(Var(f"literal_{place}_", FLOAT))
        else:
            letter, domain = "ABCDEFGH"[place % 8], op.domains.get(parameter, "")
            if spec[0] == "c":
                halves = [(f"{letter}_{half}", f"f{spec[1:]}", domain) for half in ("real", "imag")]
                operands += halves
                parts.append(f"{letter}_ = {letter}_real + 1j * {letter}_imag")
            else:
                operands.append((f"{letter}_", spec, domain))
            atoms.append(Var(f"{letter}_", FLOAT))
    out = case.evaluate()
    shapes = tuple(np.shape(item) for item in (out if op.results else (out,)))
    text = show_right_side(op, atoms)
    try:
        ast.parse(text)
    except SyntaxError:
        return None
    if len({name for name, _, _ in operands}) < len(operands) or not operands:
        return None
    pairs = zip(case.operands, atoms, strict=True)
    named = {atom.name: value for value, atom in pairs if isinstance(atom, Var)}
    try:
        as_called = eval(text, evaluation_names(with_scipy=True), named)
    except NameError:
        return None  # `inf`, which is spelled in many ways
    if not _same(as_called, out):
        return None  # the operation gives less than what is called: parts without a meaning
    lines = " ".join(op.rules[-1].lines_for(case.atoms()))
    carrying = tuple(bool(re.search(rf"\bgrad_{name}\b", lines)) for name in op.result_names)
    for name, value in literals.items():
        text = text.replace(name, spelled(value))
    complexes = tuple(np.iscomplexobj(item) for item in (out if op.results else (out,)))
    return _Call(text, tuple(operands), tuple(parts), shapes, carrying, complexes)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(np.array_equal(one, other, equal_nan=True))


class CatalogueWriter:
    """Writes a setting for a call."""

    def __init__(self, random: Random, call: _Call) -> None:
        self.random, self.call = random, call
        self.lines: list[str] = []

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def program(self, seed: int) -> Program:
        call = self.call
        use = self._use()
        lines: list[str] = []
        if self.chance(0.25):
            lines += [f"def h({', '.join(call.names)}):", *(f"    {part}" for part in call.parts)]
            lines += [f"    return {call.text}", "", ""]
            use = [line.replace(call.text, f"h({', '.join(call.names)})") for line in use]
            use = [line for line in use if line not in call.parts]
        lines += [f"def f({', '.join(call.names)}, a, n):", "    s = a"]
        body = [*self._before(), *use, *self._behind()]
        setting = self.random.randrange(4)
        if setting == 0:
            lines += ["    for i in range(n):", *(f"        {line}" for line in body)]
        elif setting == 1:
            lines += ["    if a > 0.0:", *(f"        {line}" for line in body), "    else:"]
            lines += ["        s = a * a"]
        else:
            lines += [f"    {line}" for line in body]
        lines += ["    return s"]
        text = "import math\n\nimport numpy as np\nimport scipy\n\n\n" + "\n".join(lines) + "\n"
        single = self.chance(0.1)
        types = [(name, self._type(spec, single)) for name, spec, _ in call.operands]
        types += [("a", "float"), ("n", "int")]
        return Program(_used_imports(text), tuple(types), seed, drawn=call.operands)

    def _before(self) -> list[str]:
        """Operands by way of copies, views, writes."""
        lines = []
        for name, spec, domain in self.call.operands:
            if spec[0] not in "fpr" or self.chance(0.5):
                continue
            forms = [f"{name} = {name} * 1.0", f"{name} = {name} + 0.0 * s"]
            if spec[2] != "]":
                forms += [f"{name} = {name}.copy()", f"{name} = np.stack(({name}, {name}))[1]"]
                forms += [f"{name} = {name}.T.copy().T", f"{name}[...] = {name} * 1.0"]
                forms += [f"{name} *= 0.99"] if domain in SCALED else []
            lines.append(self.random.choice(forms))
        return lines

    def _use(self) -> list[str]:
        """The call, and a number made of what it gives."""
        call = self.call
        names = [f"v{k}" for k in range(len(call.shapes))]
        lines = [*call.parts, f"{', '.join(names)} = {call.text}"]
        for name, shape in zip(names, call.shapes, strict=True):
            if shape and 0 not in shape and self.chance(0.3):
                first = f"{name}[{', '.join('0' for _ in shape)}]"
                forms = (f"{first} = s", f"{first} *= a", f"{name} *= 0.5", f"{name}[...] += s")
                lines.append(self.random.choice(forms))
        sizes = [
            f"({name}.real ** 2 + {name}.imag ** 2)" if is_complex else name
            for name, is_complex in zip(names, call.complexes, strict=True)
        ]
        taken = [size for size, carries in zip(sizes, call.carrying, strict=True) if carries]
        total = " + ".join(f"np.sum(np.tanh(0.3 * {size}))" for size in taken)
        return [*lines, f"s = 0.5 * s + {total}"]

    def _behind(self) -> list[str]:
        lines = []
        for name, spec, domain in self.call.operands:
            if spec[0] in "fpr" and domain in SCALED and self.chance(0.3):
                writes = [f"{name} *= 0.99"] if spec[2] != "]" else []
                lines.append(self.random.choice([f"{name} = 0.99 * {name}", *writes]))
        return lines

    def _type(self, spec: str, single: bool) -> str:
        """`float[2,d3]`: a size may be a symbol, the same for the same length."""
        matched = SPEC.fullmatch(spec)
        assert matched is not None
        sizes = [size for size in matched[2].split(",") if size]
        symbols = self.random.random() < 0.5
        axes = [f"d{size}" if symbols and int(size) > 1 else size for size in sizes]
        kind = KINDS[matched[1]]
        if kind == "float" and single and sizes:
            kind = "float32"
        return f"{kind}[{','.join(axes)}]" if sizes else kind


def _used_imports(text: str) -> str:
    for module in ("math", "scipy"):
        if f"{module}." not in text:
            text = text.replace(f"import {module}\n", "")
    return ast.unparse(ast.parse(text)) + "\n"


def catalogue_program(seed: int) -> Program | None:
    """The program of a seed; None if its sample cannot be written down."""
    random = Random(seed)
    op, sample = random.choice(samples())
    call = _call_of(op, sample)
    return None if call is None else CatalogueWriter(random, call).program(seed)
