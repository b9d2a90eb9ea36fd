"""What the compiler can tell: the stages of a function on its way, and the catalogue."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from s2s_ad.ir import Operation
from s2s_ad.operations import catalogue


def stages_text(stages: Sequence[tuple[str, str]], after: str = "", diff: bool = False) -> str:
    """Each stage, a name and what `show` gave, numbered; `after` selects those of a pass."""
    parts: list[str] = []
    for number, (name, text) in enumerate(stages, start=1):
        if not after or name == after:
            shown = text
            if diff and number > 1:
                before, earlier = stages[number - 2]
                shown = difference(earlier, text, before, name) or "(no change)\n"
            parts.append(f"# {number} {name}\n{shown}")
    return "\n".join(parts)


def difference(before: str, after: str, name: str, new_name: str) -> str:
    """A unified diff, empty if there is no difference."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), name, new_name, lineterm="", n=3
    )
    return "".join(f"{line}\n" for line in lines)


def operations_text() -> str:
    """Every operation of the catalogue, with the lines of its derivative."""
    names: dict[Operation, list[str]] = {}
    for name, op in catalogue().operations.items():
        if op.template or name.startswith(("numpy.", "math.", "builtins.", "ndarray.")):
            names.setdefault(op, []).append(_short(name))
    for method, name in catalogue().methods.items():
        names[catalogue().operations[name]].append(f"x.{method}(...)")
    shown = [_described(op, listed[1:]) for op, listed in names.items() if not _is_syntax(op)]
    return "\n".join(shown)


def _is_syntax(op: Operation) -> bool:
    """Whether the operation stands for a part of a statement, which nobody calls."""
    return op.effect or op.name in ("builtins.tuple", "builtins.slice")


def _short(name: str) -> str:
    """A dotted name as one writes it."""
    for module, shown in (("numpy.", "np."), ("builtins.", ""), ("ndarray.", "x.")):
        if name.startswith(module):
            return shown + name.removeprefix(module)
    return name


def _described(op: Operation, others: Sequence[str]) -> str:
    """The operation, its other names, and the lines that carry an adjoint to its operands."""
    lines = [_spelled(op) + (f"    also {', '.join(others)}" if others else "")]
    if op.note:
        lines.append(f"    {op.note}")
    if op.constant:
        lines.append("    no derivative: piecewise constant, or no float")
    for rule in op.rules:
        texts = ("lines that depend on the operands",) if callable(rule.lines) else rule.lines
        if rule.when is not None:
            lines.append("    for some operands:")
        indent = " " * (4 if rule.when is None else 8)
        lines += [f"{indent}{text}" for text in texts]
    return "\n".join(lines) + "\n"


def _spelled(op: Operation) -> str:
    """The operation as one writes it: `np.sum(x, axis=None)`."""
    if op.template:
        return op.template.format(*op.parameters)
    if op.name == "numpy.array":
        return "np.array(items, dtype=None)"
    parameters = [
        f"{name}={op.defaults[name]!r}" if name in op.defaults else name for name in op.parameters
    ]
    if op.call.endswith(("(", "[")):  # the starred operands are one sequence
        parameters = [name.removeprefix("*") for name in parameters]
    if op.name.startswith("ndarray."):
        return f"{parameters[0]}.{op.name.removeprefix('ndarray.')}({', '.join(parameters[1:])})"
    return f"{_short(op.name)}({', '.join(parameters)})"
