"""Decides how the reverse sweep gets the values it `recall`s, and puts that into the program.

A value of the function's own block is still there. One of a branch is handed out of it. For those
of loops, innermost first, `storage/choose.py` decides what is kept on tapes and stacks and what is
computed again at the beginning of the trip that undoes theirs. What that needs from an enclosing
loop is decided there in turn. After this pass there is no `recall` left.
"""

from __future__ import annotations

from dataclasses import replace

from s2s_ad.ir import UNDEFINED, For, Function, If, Var
from s2s_ad.operations.support import RECALL
from s2s_ad.passes.activity import carried_of
from s2s_ad.passes.propagate_copies import replace_by_operand
from s2s_ad.passes.sizes import can_compute
from s2s_ad.passes.storage.chains import Chain, chains_of
from s2s_ad.passes.storage.choose import (
    SYMBOLIC_SIZE,
    choose,
    is_free,
    memory_of,
    operands_of_variable,
)
from s2s_ad.passes.storage.edit import Plan, TooEarly, apply_plan
from s2s_ad.passes.storage.places import TOP, Place, Places
from s2s_ad.passes.storage.regions import Regions
from s2s_ad.passes.storage.tapes import Tape, storage_for
from s2s_ad.passes.storage.undo_writes import undo_writes
from s2s_ad.types import FLOAT, Number, Type

PUTTING_BACK = 0.2  # the price of storing an element again, as a part of its memory


def save_values(function: Function) -> Function:
    """Replace every `recall` by the value, wherever it comes from."""
    places = Places.of(function)
    if all(places.home[var] == TOP for var in places.recalled):
        return replace_by_operand(function, RECALL)
    plan = make_plan(places, function.body.parameters)
    settled: set[Var] = set()  # what writes make that are undone
    for chain in chains_of(places):
        made = {write.target for write in chain.writes}
        better = None
        if not made & settled:
            better = _with_undone_writes(function, places, plan, chain)
        if better is not None:
            function, places, plan = better
            settled |= made
    return apply_plan(function, places, plan)


def _with_undone_writes(
    function: Function, places: Places, plan: Plan, chain: Chain
) -> tuple[Function, Places, Plan] | None:
    """The same with the writes to an array undone, if less is to be kept then."""
    sources = chain.sources(places)
    elements = sum(cost_of(places, write.target, FLOAT) for write in chain.writes)
    if sum(cost_of(places, var) for var in plan.kept if var in sources) <= elements:
        return None
    wanted = {*plan.kept, *plan.final, *plan.following}
    undone = undo_writes(function, places, chain, wanted)
    if undone is None:
        return None
    given = {**places.given, **undone.given}
    overwritten = places.overwritten | undone.overwritten
    while True:
        after = Places.of(undone.function, given, overwritten)
        planned = make_plan(after, function.body.parameters)
        try:
            apply_plan(undone.function, after, planned)
            break
        except TooEarly as early:
            given = {var: here for var, here in given.items() if var not in early.variables}
    price = PUTTING_BACK * sum(cost_of(after, var) for var in undone.overwritten)
    if total_cost(after, planned) + price >= total_cost(places, plan):
        return None
    return undone.function, after, planned


def total_cost(places: Places, plan: Plan) -> float:
    """The memory of all that is kept."""
    return sum(cost_of(places, var) for var in plan.kept)


def cost_of(places: Places, var: Var, type: Type | None = None) -> float:
    """What it costs to keep a variable in all trips of the loops around it."""
    loops = sum(not isinstance(places.statements[label], If) for label, _ in places.home[var])
    return memory_of(type or var.type) * float(SYMBOLIC_SIZE**loops)


def make_plan(places: Places, parameters: tuple[Var, ...]) -> Plan:
    plan = Plan()
    regions = Regions(places)
    wanted: dict[Place, set[Var]] = {}

    def want(var: Var) -> None:
        value = var.type.value if isinstance(var.type, Number) else None
        if places.home[var] == TOP or is_free(places, var):
            return
        if value is not None and can_compute(value, parameters):
            plan.sizes.add(var)
        else:
            wanted.setdefault(places.region(places.home[var]), set()).add(var)

    for var in places.recalled:
        want(var)
    while wanted:
        region = max(wanted, key=lambda place: (len(place), place))
        variables = sorted(wanted.pop(region), key=places.order.__getitem__)
        if region == TOP:
            plan.handed_out.update(variables)
            continue
        choice = choose(places, regions, region, variables)
        for var in choice.kept:
            plan.kept[var] = storage_for(places, var, parameters)
        for var in choice.again:
            final = regions.final_array(var)
            if final is None:
                plan.again.add(var)
            else:
                plan.final[var] = (final, regions.index_of(var))
            for operand in operands_of_variable(places, regions, var):
                if places.region(places.home[operand]) != region:
                    want(operand)
    share_tapes(plan, places)
    return plan


def share_tapes(plan: Plan, places: Places) -> None:
    """What a trip hands on is what the next one begins with: one tape is enough for both."""
    for statement in places.statements.values():
        if not isinstance(statement, For) or places.home[statement.body.parameters[0]][1:]:
            continue
        for _, initial, parameter, following in carried_of(statement):
            tape = plan.kept.get(parameter)
            if (
                isinstance(tape, Tape)
                and isinstance(following, Var)
                and isinstance(plan.kept.get(following), Tape)
                and following.type == parameter.type
                and places.home[following] == places.home[parameter]
                and following not in statement.body.parameters
                and initial != UNDEFINED
            ):
                plan.kept[parameter] = replace(tape, ahead=True)
                del plan.kept[following]
                plan.following[following] = parameter
