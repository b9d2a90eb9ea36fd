"""Derivatives along directions inside a program: `jvp(f, primals, tangents)`, `hvp`, and `vjp` with
the pullback that it gives. With `many` the directions have a leading axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import libcst as cst

from s2s_ad.frontend.arguments import Arguments, no_more
from s2s_ad.frontend.captured_derivatives import (
    capture_call,
    not_known,
    splice_derivative,
)
from s2s_ad.frontend.captures import splice
from s2s_ad.frontend.containers import leaves_of
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import current, static
from s2s_ad.frontend.values import Pullback, Value
from s2s_ad.inlining import symbols_of
from s2s_ad.ir import Assign, Atom, Const, Structure, Tree, Var
from s2s_ad.operations.effects import RAISE_IF
from s2s_ad.options import Options
from s2s_ad.rewrite import all_statements
from s2s_ad.types import Array, Size, Type, is_float, is_numeric, shape_of


@dataclass
class Along:
    """How directions are given: with `many`, they have a leading axis of one size for all."""

    lowering: Lowering
    node: cst.CSTNode
    many: bool
    count: list[Size] = field(default_factory=list)  # the size, once it is known

    def atoms(self, like: Tree, given: Value) -> list[Atom]:
        """What is given for each float of a structure: a tangent or an adjoint, of its shape."""
        given = current(self.lowering, given, self.node)
        if isinstance(like, Structure):
            if not isinstance(given, Structure) or len(given.items) != len(like.items):
                raise _other_shape(self.lowering, self.node)
            pairs = zip(like.items, given.items, strict=True)
            return [atom for one, other in pairs for atom in self.atoms(one, other)]
        if not is_float(like.type):
            return []
        if isinstance(given, Const) and isinstance(given.value, int | float):
            given = Const(float(given.value))
        if not isinstance(given, Var | Const) or not is_numeric(given.type):
            raise _other_shape(self.lowering, self.node)
        if not self.fits(like.type, given.type):
            raise _other_shape(self.lowering, self.node)
        return [given]

    def fits(self, like: Type, given: Type) -> bool:
        """Whether a direction of one type belongs to a value of another."""
        if isinstance(like, Array) and like.shape is None:
            raise self.lowering.refuse(
                "nested-derivative",
                "the rank of this argument or result is not known here",
                self.node,
                help="give the types of the parameters, by annotations or `--arg`",
            )
        wanted, found = shape_of(like) or (), shape_of(given)
        if not is_float(given) or found is None or len(found) != len(wanted) + self.many:
            return False
        sizes = self.lowering.sizes
        if self.many:
            leading, found = found[0], found[1:]
            if self.count and not sizes.unify(self.count[0], leading):
                return False
            self.count.append(leading)
        return all(sizes.unify(a, b) for a, b in zip(wanted, found, strict=True))


def jvp(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`jvp(f, primals, tangents)`: the value and its tangent."""
    node = arguments.node
    function, primals, tangents = _three(lowering, arguments, "primals", "tangents")
    points, directions = (items_of(lowering, each, node) for each in (primals, tangents))
    given = _Given.of(lowering, arguments)
    return _pushed(lowering, function, points, directions, "jvp", given, node)[1]


def hvp(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`hvp(f, primals, vector)`: the product of the Hessian with the vector, for a tuple of
    arguments a tuple, with None for those that stand still.
    """
    node = arguments.node
    function, primals, vector = _three(lowering, arguments, "primals", "vector")
    primals = current(lowering, primals, node)
    single = not (isinstance(primals, Structure) and primals.kind == "tuple")
    points = (primals,) if single else items_of(lowering, primals, node)
    directions = (vector,) if single else items_of(lowering, vector, node)
    given = _Given.of(lowering, arguments)
    moving, found = _pushed(lowering, function, points, directions, "hvp", given, node)
    aux: tuple[Value, ...] = ()
    if given.has_aux:
        assert isinstance(found, Structure)
        found, *rest = found.items
        aux = tuple(rest)
    assert isinstance(found, Structure)
    product: Value = found.items[0] if single else _at_places(found.items, moving, len(points))
    return Structure("tuple", (0, 1), (product, *aux)) if aux else product


def _pushed(
    lowering: Lowering,
    function: Value,
    points: Sequence[Value],
    directions: Sequence[Value],
    mode: str,
    given: _Given,
    node: cst.Call,
) -> tuple[list[int], Value]:
    """The places of the arguments that move, and what the derivative along directions gives."""
    if len(points) != len(directions):
        what = f"there are {len(points)} primals, but {len(directions)} tangents"
        raise lowering.refuse("bad-call", what, node)
    moving = [k for k, direction in enumerate(directions) if direction != Const(None)]
    if not moving:
        raise lowering.refuse("bad-call", "no argument moves", node, help="give a direction")
    inner = Arguments(list(points), {}, {}, node)
    captured, wrt = capture_call(lowering, function, inner, moving, mode)
    formals = {formal.name: formal for formal in captured.function.formals}
    along = Along(lowering, node, given.many)
    more: list[Atom] = []
    for formal, place in zip(wrt, moving, strict=True):
        more += along.atoms(formals[formal].tree, directions[place])
    options = Options(mode, wrt, False, given.has_aux, given.level, many=given.many)
    return moving, splice_derivative(lowering, captured, options, more, node)


def _at_places(items: Sequence[Value], places: Sequence[int], count: int) -> Structure:
    """A tuple with these items at these places, None elsewhere."""
    by_place = dict(zip(places, items, strict=True))
    every = tuple(by_place.get(place, Const(None)) for place in range(count))
    return Structure("tuple", tuple(range(count)), every)


def vjp(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`vjp(f, x, y)`: the value, and a function that carries its adjoint back."""
    node = arguments.node
    given = _Given.of(lowering, arguments)
    every = arguments.rest()
    no_more(lowering, arguments)
    if not every:
        raise lowering.refuse("bad-call", "`vjp` needs a function", node)
    function, *primals = every
    primals = [current(lowering, value, node) for value in primals]
    inner = Arguments(list(primals), {}, {}, node)
    captured, _ = capture_call(lowering, function, inner, (), "vjp")
    for statement in all_statements(captured.function.body):
        if isinstance(statement, Assign) and statement.op.effect and statement.op is not RAISE_IF:
            raise lowering.refuse(
                "nested-derivative",
                "this function prints or draws, and its pullback would do so again",
                node,
                help="print and draw outside of it",
            )
    known = symbols_of(captured.function)
    value = splice(lowering, captured.function, captured.operands, known.__contains__, node)
    pullback = Pullback(function, tuple(primals), given.has_aux, given.level, given.many)
    if not given.has_aux:
        return Structure("tuple", (0, 1), (value, pullback))
    if not (isinstance(value, Structure) and len(value.items) == 2):
        raise lowering.refuse("bad-aux", "with has_aux a function returns a pair", node)
    return Structure("tuple", (0, 1, 2), (value.items[0], pullback, value.items[1]))


def call_pullback(lowering: Lowering, pullback: Pullback, arguments: Arguments) -> Value:
    """The adjoints of the arguments of `vjp`, a tuple, with None for those that hold no float."""
    node = arguments.node
    if len(arguments.positional) != 1:
        raise lowering.refuse("bad-call", "a pullback takes one adjoint", node)
    (seed,) = arguments.rest()
    no_more(lowering, arguments)
    inner = Arguments(list(pullback.arguments), {}, {}, node)
    every = range(len(pullback.arguments))
    moving = [place for place in every if _holds_floats(pullback.arguments[place])] or every
    captured, wrt = capture_call(lowering, pullback.function, inner, moving, "vjp")
    output: Tree = captured.function.output
    if pullback.has_aux:
        assert isinstance(output, Structure)
        output = output.items[0]
    more = Along(lowering, node, pullback.many).atoms(output, seed)
    options = Options("vjp", wrt, False, pullback.has_aux, pullback.level, many=pullback.many)
    value = splice_derivative(lowering, captured, options, more, node)
    assert isinstance(value, Structure)
    found = value.items[1]
    assert isinstance(found, Structure)
    return _at_places(found.items, moving, len(every))


def _holds_floats(value: Value) -> bool:
    return any(isinstance(x, Var | Const) and is_float(x.type) for x in leaves_of(value))


def _other_shape(lowering: Lowering, node: cst.CSTNode) -> Exception:
    return lowering.refuse(
        "bad-seed",
        "a tangent or adjoint has the structure, the shapes and the dtypes of what it belongs to",
        node,
        help="bring it to that shape (`np.broadcast_to`), and make its numbers floats",
    )


def _three(
    lowering: Lowering, arguments: Arguments, second: str, third: str
) -> tuple[Value, Value, Value]:
    found = [arguments.take(k, name, None) for k, name in enumerate(("f", second, third))]  # type: ignore[arg-type]
    if any(value is None for value in found) or len(arguments.positional) > 3:
        raise lowering.refuse(
            "bad-call", f"a function, {second} and {third} are needed", arguments.node
        )
    return found[0], found[1], found[2]


@dataclass(frozen=True)
class _Given:
    """The options of a call."""

    has_aux: bool
    level: int
    many: bool

    @staticmethod
    def of(lowering: Lowering, arguments: Arguments) -> _Given:
        found: dict[str, object] = {}
        for option, default in (("has_aux", False), ("level", 1), ("many", False)):
            known = static(arguments.keywords.pop(option, Const(default)))
            if known is None:
                raise not_known(lowering, option, arguments.node)
            found[option] = known.value
        return _Given(bool(found["has_aux"]), int(str(found["level"])), bool(found["many"]))


def items_of(lowering: Lowering, value: Value, node: cst.CSTNode) -> Sequence[Value]:
    value = current(lowering, value, node)
    if isinstance(value, Structure) and value.kind in ("tuple", "list"):
        return value.items
    raise lowering.refuse("bad-call", "a tuple or list of arguments is needed here", node)


__all__ = ["call_pullback", "hvp", "jvp", "vjp"]
