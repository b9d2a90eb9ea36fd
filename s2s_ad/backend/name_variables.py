"""Gives back the user's names: versions share one where they are not alive at once; leftovers are
v1, v2, ... in order.

Parameters keep their names whatever happens. Nothing gets a name that the module uses for something
else.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping

from s2s_ad.backend.fold import Folding
from s2s_ad.ir import Assign, Function, Structure, Var


def name_variables(
    function: Function, folding: Folding, reserved: Iterable[str], level: int
) -> dict[Var, str]:
    """A Python name for every variable that has a line, and for the parameters."""
    last_line = _last_lines(function, folding)
    names: dict[Var, str] = {}
    busy_until: dict[str, float] = dict.fromkeys(reserved, float("inf"))
    fixed = {formal.tree for formal in function.formals if isinstance(formal.tree, Var)}
    for formal in function.formals:
        busy_until[formal.name] = float("inf")
    for parameter in function.body.parameters:
        if parameter in fixed:
            names[parameter] = next(
                formal.name for formal in function.formals if formal.tree == parameter
            )
            busy_until[names[parameter]] = last_line.get(parameter, -1)
        else:
            names[parameter] = _free(parameter.base_name, busy_until, -1)
            busy_until[names[parameter]] = last_line.get(parameter, -1)
    numbers = _numbering(function, folding, level)
    becomes = _becomes(function)
    value = _value_of(function) if level else None
    for position, statement in enumerate(function.body.statements):
        assert isinstance(statement, Assign)
        for target in statement.targets:
            if target in folding.inlined:
                continue
            if statement.op.update:
                # the statement changes the array: it goes on under the same name
                source = statement.operands[0]
                assert isinstance(source, Var)
                names[target] = names[source]
            else:
                wanted = _wanted(becomes.get(target, target), numbers)
                wanted = "value" if target == value else wanted
                names[target] = _free(wanted, busy_until, position)
            busy_until[names[target]] = max(last_line.get(target, position), position)
    return names


def _last_lines(function: Function, folding: Folding) -> dict[Var, float]:
    """The last line on which each variable is written out, folded expressions counted where they
    are printed.
    """
    last: dict[Var, float] = {}

    def touch(atom: object, line: float) -> None:
        if not isinstance(atom, Var):
            return
        last[atom] = max(last.get(atom, -1), line)
        if atom in folding.inlined:
            for operand in folding.definitions[atom].operands:
                touch(operand, line)

    for position, statement in enumerate(function.body.statements):
        assert isinstance(statement, Assign)
        if not any(target in folding.inlined for target in statement.targets):
            for operand in statement.operands:
                touch(operand, position)
    for result in function.body.results:
        touch(result, float("inf"))
    # an updated array lives on as the new value
    for statement in reversed(function.body.statements):
        assert isinstance(statement, Assign)
        if statement.op.update and isinstance(statement.operands[0], Var):
            source = statement.operands[0]
            last[source] = max(last.get(source, -1), last.get(statement.target, -1))
    return last


def _numbering(function: Function, folding: Folding, level: int) -> dict[str, str]:
    """New numbers for the unnamed values that are left, in the order in which they appear."""
    numbers: dict[str, str] = {}
    becomes = _becomes(function)
    if level == 0:
        return numbers  # the numbers of the Wengert list
    for statement in function.body.statements:
        for target in statement.targets:
            if target in folding.inlined or "%" not in target.name:
                continue
            key = becomes.get(target, target).name.rpartition("%")[2]
            if "%" in becomes.get(target, target).name and key not in numbers:
                numbers[key] = str(len(numbers) + 1)
    return numbers


def _value_of(function: Function) -> Var | None:
    """The primal's value where it is returned beside its derivative and has no name."""
    output = function.output
    if isinstance(output, Structure) and len(output.items) == 2 and output.kind == "tuple":
        first = output.items[0]
        if isinstance(first, Var) and first.name.startswith("%"):
            return first
    return None


def _becomes(function: Function) -> dict[Var, Var]:
    """For an unnamed array that updates fill, the variable it ends up as: that name is the one to
    print.
    """
    becomes: dict[Var, Var] = {}
    for statement in reversed(function.body.statements):
        if (
            isinstance(statement, Assign)
            and statement.op.update
            and isinstance(statement.operands[0], Var)
        ):
            source = statement.operands[0]
            if source.is_temporary:
                becomes[source] = becomes.get(statement.target, statement.target)
    return becomes


def _wanted(var: Var, numbers: Mapping[str, str]) -> str:
    prefix, percent, key = var.name.rpartition("%")
    return f"{prefix}v{numbers.get(key, key)}" if percent else var.name


def _free(wanted: str, busy_until: Mapping[str, float], position: float) -> str:
    """The name, or with a number if it is taken at this line."""
    name, count = wanted, 1
    while busy_until.get(name, -2) > position or keyword.iskeyword(name):
        count += 1
        name = f"{wanted}_{count}"
    return name
