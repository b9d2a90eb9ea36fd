"""Gives back the user's names: values share one where they are not alive at once; leftovers are
v1, v2, ... in order.

What a loop or branch hands on gets the name of where it goes to, so that no assignment is needed,
unless both are alive at once or the user called them differently. An updated array keeps its name.
Parameters keep their names whatever happens. Nothing gets a name that the module uses for something
else, and no name stands for a number here and an array there.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from s2s_ad.backend.fold import Folding
from s2s_ad.backend.live_ranges import (
    LiveRanges,
    Range,
    is_undefined,
    live_ranges,
    merged,
    overlap,
)
from s2s_ad.backend.plan import (
    ForLoop,
    Line,
    Moves,
    Plan,
    all_nodes,
    nested_counters,
)
from s2s_ad.ir import Atom, Function, Structure, Var
from s2s_ad.rewrite import count_uses
from s2s_ad.types import (
    Array,
    ListOf,
    Number,
    Scalar,
    Type,
    is_boolean,
    is_complex,
    is_float,
    is_numeric,
)

ENTRY = -(10**9)  # a position before all others


@dataclass
class Naming:
    """A Python name for every variable that is printed, and the moves that nobody needs."""

    names: dict[Var, str]
    needless: set[tuple[int, Var]]
    expand: Callable[[Iterable[Atom]], set[Var]]

    widened: frozenset[str]  # a scalar of NumPy's first and a number of Python's later
    unbound: frozenset[Var]  # moved to another name where they may have no value

    def read_names(self, atom: Atom) -> set[str]:
        """The names in the printed form of an atom."""
        return {self.names[var] for var in self.expand((atom,))}


@dataclass
class _Web:
    """Variables that become one."""

    members: list[Var]
    ranges: list[Range]
    kind: object
    parameter: str = ""  # of the function, by its name
    is_given: bool = False  # is an argument, or taken from one
    is_users: bool = False  # a name that the user gave
    carried: bool = False


def name_variables(
    function: Function, plan: Plan, folding: Folding, reserved: Iterable[str], level: int
) -> Naming:
    namer = _Namer(function, plan, folding)
    kept = namer.renamed_bounds()
    if kept:
        namer = _Namer(function, plan, folding, kept)
    names = namer.names(set(reserved), level)
    unbound = namer.moved_unbound(names)
    return Naming(names, namer.live.needless, namer.reads, _widened(plan, names), unbound)


def _widened(plan: Plan, names: Mapping[Var, str]) -> frozenset[str]:
    """The names whose first value has a narrower type, for who checks types, than a later one."""
    first: dict[str, Type] = {}
    widened: set[str] = set()
    for _, node in all_nodes(plan.nodes, 0):
        pairs: list[tuple[Var, Type]] = []
        match node:
            case Line(statement=statement):
                pairs = [(target, target.type) for target in statement.targets]
            case Moves(pairs=moved) | ForLoop(initial=Moves(pairs=moved)):
                pairs = [(target, source.type) for target, source in moved]
        for target, type in pairs:
            if isinstance(type, Number | Scalar) and is_float(target.type):
                before = first.setdefault(names[target], type)
                if isinstance(before, Scalar) and isinstance(type, Number):
                    widened.add(names[target])
    return frozenset(widened)


def late_values(function: Function, plan: Plan, folding: Folding) -> set[Var]:
    """What had better be written in the moves at the end of its block, for these are needed:
    `a, b = b, a + b`.
    """
    return _Namer(function, plan, folding).needed_moves() & folding.late if folding.late else set()


class _Namer:
    def __init__(
        self,
        function: Function,
        plan: Plan,
        folding: Folding,
        kept: frozenset[Var] = frozenset(),
    ) -> None:
        self.function, self.plan, self.folding = function, plan, folding
        self.expanded: dict[Var, frozenset[Var]] = {}
        self.is_read = set(count_uses(function.body))
        self.live: LiveRanges = live_ranges(plan, function.body.results, self.reads, kept)
        self.has_blocks = any(not isinstance(node, Line) for node in plan.nodes)
        self.order: list[Var] = []
        self.webs: dict[Var, _Web] = {}
        self.moves: list[tuple[int, Moves]] = []
        self.loops = [
            (node.index, self.reads(node.trip))
            for _, node in all_nodes(plan.nodes, 0)
            if isinstance(node, ForLoop)
        ]
        self.nested = set(nested_counters(self.plan.nodes))
        self.make_webs()
        self.join()

    def reads(self, atoms: Iterable[Atom]) -> set[Var]:
        """The variables whose names are printed for these atoms."""
        found: set[Var] = set()
        for atom in atoms:
            if isinstance(atom, Var):
                found |= self.expansion(atom)
        return found

    def expansion(self, var: Var) -> frozenset[Var]:
        if var not in self.folding.inlined:
            return frozenset((self.plan.stored(var),))
        if var in self.folding.lengths:
            return frozenset()
        known = self.expanded.get(var)
        if known is None:
            known = frozenset(self.reads(self.folding.definitions[var].operands))
            self.expanded[var] = known
        return known

    # Webs -----------------------------------------------------------------------------------------

    def make_webs(self) -> None:
        fixed = {f.tree: f.name for f in self.function.formals if isinstance(f.tree, Var)}
        for parameter in self.function.body.parameters:
            web = self.web(parameter)
            web.parameter = fixed.get(parameter, "")
            web.is_users = web.is_given = True
            # all of them have their names at the entry, read or not
            web.ranges = [*web.ranges, (ENTRY, ENTRY)]
        for depth, node in all_nodes(self.plan.nodes, 0):
            match node:
                case Line(statement=statement):
                    targets = list(statement.targets)
                    source = statement.operands[0] if statement.op.update else None
                    if isinstance(source, Var):
                        # the statement changes the array: it goes on under the same name
                        self.add(self.web(source), targets.pop())
                    for target in targets:
                        web = self.web(target)
                        web.is_users |= statement.role == "primal" and not target.is_temporary
                case Moves(pairs=pairs, role=role):
                    self.moves.append((depth, node))
                    for target, _ in pairs:
                        web = self.web(target)
                        web.is_users |= role == "primal" and not target.is_temporary
                case ForLoop(initial=initial, index=index):
                    self.web(index)
                    self.moves.append((depth, initial))
                    for target, _ in initial.pairs:
                        web = self.web(target)
                        web.is_users |= node.role == "primal" and not target.is_temporary
        for parameter, stored in self.plan.storage.items():
            self.web(stored).carried = True
            self.add(self.web(stored), parameter)

    def web(self, var: Var) -> _Web:
        stored = self.plan.stored(var)
        found = self.webs.get(stored)
        if found is None:
            ranges = list(self.live.ranges.get(stored, ()))
            found = self.webs[stored] = _Web([stored], ranges, _kind(stored.type))
            self.order.append(stored)
        return found

    def add(self, web: _Web, var: Var) -> None:
        """A variable that must have the name of others."""
        other = self.webs.get(self.plan.stored(var))
        if other is None:
            stored = self.plan.stored(var)
            web.members.append(stored)
            web.ranges = merged(web.ranges, self.live.ranges.get(stored, []))
            self.webs[stored] = web
            if stored != var:
                web.members.append(var)
        elif other is not web:
            self.unite(web, other)
        elif var not in web.members:
            web.members.append(var)

    def unite(self, web: _Web, other: _Web) -> None:
        web.members += other.members
        web.ranges = merged(web.ranges, other.ranges)
        web.parameter = web.parameter or other.parameter
        web.is_users |= other.is_users
        web.is_given |= other.is_given
        web.carried |= other.carried
        for member in other.members:
            if member in self.webs:
                self.webs[member] = web

    def join(self) -> None:
        """Make moves needless where their two sides may be one variable, inner loops first."""
        for _, node in sorted(self.moves, key=lambda entry: -entry[0]):
            for target, source in node.pairs:
                if not isinstance(source, Var) or source in self.folding.inlined:
                    continue
                if (id(node), target) in self.live.needless:
                    continue
                web, other = self.web(target), self.web(source)
                if web is not other and self.may_unite(web, other):
                    self.unite(web, other)

    def may_unite(self, web: _Web, other: _Web) -> bool:
        if web.kind != other.kind or (web.parameter and other.parameter):
            return False
        names = [_chosen(one) for one in (web, other)]
        if (web.is_users or other.is_users) and None not in names and names[0] != names[1]:
            return False  # each keeps the name that its reader knows
        return not overlap(web.ranges, other.ranges)

    def needed_moves(self) -> set[Var]:
        """The values that are moved to a variable of another name."""
        return {
            source
            for _, node in self.moves
            for target, source in node.pairs
            if isinstance(source, Var)
            and (id(node), target) not in self.live.needless
            and self.web(target) is not self.web(source)
        }

    def moved_unbound(self, names: Mapping[Var, str]) -> frozenset[Var]:
        """The values that are moved to a variable of another name where their own may be unbound:
        Python raises there, though nobody reads what is moved.
        """
        readers: dict[Var, list[Var]] = {}
        for _, node in self.moves:
            for target, source in node.pairs:
                if isinstance(source, Var):
                    readers.setdefault(self.plan.stored(source), []).append(target)
        unbound = set[Var]()
        pending = [
            target
            for _, node in self.moves
            for target, source in node.pairs
            if is_undefined(source)
        ]
        while pending:
            var = self.plan.stored(pending.pop())
            if var not in unbound:
                unbound.add(var)
                pending += readers.get(var, ())
        # what an adjoint reads, the primal reads as well, and raises where it is unbound
        return frozenset(
            source
            for _, node in self.moves
            for target, source in node.pairs
            if node.role != "adjoint"
            and isinstance(source, Var)
            and self.plan.stored(source) in unbound
            and source not in self.folding.inlined
            and (id(node), target) not in self.live.needless
            and names[target] != names[source]
        )

    def renamed_bounds(self) -> frozenset[Var]:
        """What bounds of loops read and is moved to a variable of another name before."""
        return frozenset(
            var
            for _, node in all_nodes(self.plan.nodes, 0)
            if isinstance(node, ForLoop)
            for var in self.reads(node.trip)
            for target, source in node.initial.pairs
            if var in self.reads((source,)) and self.web(target) is not self.web(var)
        )

    def beside(self, web: _Web) -> set[Var]:
        """The indices of loops whose bounds are in a web, and the bounds of those whose index is:
        `for k in range(k - 1)` would be hard to read. Likewise the indices of loops inside or
        around.
        """
        found: set[Var] = set()
        for outer, inner in self.nested:
            if outer in web.members:
                found.add(inner)
            if inner in web.members:
                found.add(outer)
        for index, bounds in self.loops:
            if index in web.members:
                found |= bounds
            if not bounds.isdisjoint(web.members):
                found.add(index)
        return found

    # Names ----------------------------------------------------------------------------------------

    def is_counter(self, web: _Web) -> bool:
        """Whether these are numbers of trips that the user has no name for."""
        return _chosen(web) is None and any(index in web.members for index, _ in self.loops)

    def names(self, reserved: set[str], level: int) -> dict[Var, str]:
        taken: dict[str, list[tuple[list[Range], object]]] = {}
        blocked = reserved | {
            formal.name for formal in self.function.formals if not isinstance(formal.tree, Var)
        }
        names: dict[Var, str] = {}
        webs = list({id(self.webs[var]): self.webs[var] for var in self.order}.values())
        webs.sort(key=lambda web: (not web.is_given, not web.is_given and _start(web)))
        for web in webs:
            if web.parameter:
                taken.setdefault(web.parameter, []).append((web.ranges, web.kind))
        numbers = self.numbering(webs) if level else {}
        value = _value_of(self.function) if level else None
        for web in webs:
            name = web.parameter
            if not name:
                wanted = "trip" if self.is_counter(web) else _wanted(web, numbers)
                wanted = "value" if value in web.members and _chosen(web) is None else wanted
                if wanted == "_" and not self.is_read.isdisjoint(web.members):
                    wanted = "trip"  # the user's loop does not ask which it is, its tapes do
                bounds = {names[var] for var in self.beside(web) if var in names}
                name = self.free(wanted, web, taken, blocked | bounds)
                taken.setdefault(name, []).append((web.ranges, web.kind))
            for member in web.members:
                names[member] = name
        for var, stored in self.plan.storage.items():
            names[var] = names[stored]
        return names

    def free(
        self,
        wanted: str,
        web: _Web,
        taken: Mapping[str, list[tuple[list[Range], object]]],
        blocked: set[str],
    ) -> str:
        """The name, or with a number if it means something else while this is alive."""
        name, count = wanted, 1
        while (
            name in blocked
            or keyword.iskeyword(name)
            or any(
                (self.has_blocks and kind != web.kind) or overlap(ranges, web.ranges)
                for ranges, kind in taken.get(name, ())
            )
        ):
            count += 1
            name = f"{wanted}_{count}"
        return name

    def numbering(self, webs: Iterable[_Web]) -> dict[str, str]:
        """New numbers for the unnamed values, in the order in which they appear."""
        numbers: dict[str, str] = {}
        for web in webs:
            if web.is_given or _chosen(web) is not None or self.is_counter(web):
                continue
            name = _unnamed(web)
            key = name.rpartition("%")[2]
            if key not in numbers and "%" in name:
                numbers[key] = str(len(numbers) + 1)
        return numbers


def _kind(type: Type) -> object:
    """What a compiler of the generated code takes for one type."""
    if isinstance(type, Array):
        return ("array", type.dtype, None if type.shape is None else len(type.shape))
    if isinstance(type, ListOf):
        return ("list", _kind(type.item))
    if is_numeric(type):
        if is_complex(type):
            return "complex"
        return "float" if is_float(type) else "bool" if is_boolean(type) else "int"
    return str(type)


def _start(web: _Web) -> int:
    """Where the name is assigned first."""
    return web.ranges[-1][0] if web.ranges else 0


def _chosen(web: _Web) -> str | None:
    """The name that a programmer gave one of the variables: the function's parameter, else where
    they go to in the end.
    """
    if web.parameter:
        return web.parameter
    return next((member.name for member in web.members if not member.is_temporary), None)


def _wanted(web: _Web, numbers: Mapping[str, str]) -> str:
    name = _chosen(web)
    if name is not None:
        return name
    prefix, percent, key = _unnamed(web).rpartition("%")
    return f"{prefix}v{numbers.get(key, key)}" if percent else _unnamed(web)


def _unnamed(web: _Web) -> str:
    """The name of a temporary: that of an adjoint says more than that of what it is made from."""
    adjoint = (member.name for member in web.members if not member.name.startswith("%"))
    return next(adjoint, web.members[0].name)


def _value_of(function: Function) -> Var | None:
    """The primal's value where it is returned beside its derivative and has no name."""
    output = function.output
    if isinstance(output, Structure) and len(output.items) == 2 and output.kind == "tuple":
        first = output.items[0]
        if isinstance(first, Var) and first.name.startswith("%"):
            return first
    return None
