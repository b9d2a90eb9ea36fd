"""Jacobians: a tangent or a pullback in all unit directions at once.

A piece is one leaf's share: of an argument in forward mode, of a result in reverse mode. What comes
in is its tangent or pullback, with the seed of the leaf as the last parameter; what goes out has
unit directions in place of the seed and gives the derivatives, in the shape of the result followed
by that of the argument. `join_pieces` makes one function of all pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

from s2s_ad.diagnostics import refusal
from s2s_ad.ir import (
    Atom,
    Block,
    Const,
    Formal,
    Function,
    Statement,
    Structure,
    Tree,
    Var,
    leaves,
    tuple_of,
    with_leaves,
)
from s2s_ad.operations.support import JOINED_SHAPE, NUMPY_SHAPE
from s2s_ad.passes.adjoint import differentiable_leaves
from s2s_ad.passes.batch import Along, batch
from s2s_ad.passes.batch.context import Context, dtype_constant
from s2s_ad.passes.batch.one_by_one import depends, renamed, without_effects
from s2s_ad.passes.sizes import can_compute, compute
from s2s_ad.rewrite import Names, all_variables, formal_variables, map_tree, substitute
from s2s_ad.types import (
    DTYPES,
    ONE,
    Array,
    ListOf,
    Scalar,
    Size,
    dtype_of,
    is_float,
    is_numeric,
    rank_of,
    size_of,
)


@dataclass(frozen=True)
class Part:
    """A tangent (`forward`) or a pullback with respect to one leaf.

    `value` are the leaves of the function's result, `moved` those of the tangent or of the
    adjoints, `arguments` the leaves of the arguments they belong to, `aux` what is passed on.
    """

    function: Function
    seed: Var
    forward: bool
    value: tuple[Atom, ...]
    moved: tuple[Atom, ...]
    arguments: tuple[Atom, ...]
    aux: Tree | None = None

    @property
    def operand(self) -> Atom:
        """The leaf to which the seed belongs."""
        return self.arguments[0] if self.forward else self.value[0]

    @property
    def likes(self) -> tuple[Atom, ...]:
        """The leaves to which the derivatives belong."""
        return self.value if self.forward else self.arguments


def unit_directions(part: Part) -> Function:
    """The function of a sweep in all unit directions. It gives a tuple of the derivatives, None
    where a leaf carries none, and behind it the auxiliary result.
    """
    if rank_of(part.seed.type) == 0:
        return _one_direction(part)
    function = _without_seed(part)
    at = _first_use(function, part.seed)
    context = Context(function, Const(1), ONE)
    directions = _count(context, part.operand)
    rows = _unit_rows(context, part, directions)
    size = context.size
    before, after = function.body.statements[:at], function.body.statements[at:]
    places = [k for k, like in enumerate(part.likes) if is_float(like.type)]
    aux = () if part.aux is None else tuple(leaves(part.aux))
    results = (
        *(part.moved[place] for place in places),
        *(part.likes[place] for place in places),
        part.operand,
        *aux,
    )
    statements = (*before, *context.builder.statements, *after)
    flat = _giving(function, statements, results)
    spread = {number: part.likes[place] for number, place in enumerate(places)}
    batched = batch(flat, Along({part.seed: rows}, directions, size, spread))
    return _arranged(part, batched, places, directions, size)


def _without_seed(part: Part) -> Function:
    """The function without the last parameter, that of the seed."""
    formals = part.function.formals[:-1]
    body = replace(part.function.body, parameters=formal_variables(formals))
    return replace(part.function, formals=formals, body=body)


def _giving(
    function: Function, statements: Sequence[Statement], results: Sequence[Atom]
) -> Function:
    body = Block(function.body.parameters, tuple(statements), tuple(results))
    output = tuple_of(body.results)
    return replace(function, body=body, output=output)


def _one_direction(part: Part) -> Function:
    """A number has one direction, and no axis."""
    function = _without_seed(part)
    context = Context(function, Const(1), ONE)
    one: Atom = Const(1.0)
    type = part.seed.type
    if isinstance(type, Array):
        one = context.call("numpy.ones", Const(()), dtype_constant(type.dtype))
    elif isinstance(type, Scalar) and not _is_double(function):
        one = context.line(f"np.{DTYPES[type.dtype]}(x)", x=one)
    derivatives = tuple(
        atom if is_float(like.type) else Const(None)
        for atom, like in zip(part.moved, part.likes, strict=True)
    )
    body = substitute(function.body, {part.seed: one})
    new = {part.seed: one}
    return _finished(
        function,
        (*context.builder.statements, *body.statements),
        [new.get(atom, atom) if isinstance(atom, Var) else atom for atom in derivatives],
        part.aux,
    )


def _is_double(function: Function) -> bool:
    """Whether all floats are of double precision: a Python float then does for a scalar."""
    types = (var.type for var in all_variables(function.body))
    return all(dtype_of(type) == "f64" for type in types if is_float(type) and is_numeric(type))


def _finished(
    function: Function,
    statements: Sequence[Statement],
    derivatives: Sequence[Atom],
    aux: Tree | None,
) -> Function:
    given = tuple_of(derivatives)
    output = Structure("tuple", (0, 1), (given, Structure("tuple", (), ()) if aux is None else aux))
    body = Block(function.body.parameters, tuple(statements), tuple(leaves(output)))
    return replace(function, body=body, output=output)


def _first_use(function: Function, seed: Var) -> int:
    statements = function.body.statements
    uses = (k for k, statement in enumerate(statements) if depends(statement, {seed}))
    return next(uses, len(statements))


def _count(context: Context, leaf: Atom) -> Atom:
    """How many elements a leaf has."""
    size = size_of(leaf.type)
    if size is not None and can_compute(size, context.parameters):
        return compute(context.builder.assign, size, context.parameters)
    return context.call("numpy.size", leaf)


def _unit_rows(context: Context, part: Part, directions: Atom) -> Var:
    """The unit directions of the seed's leaf, one in each row."""
    dtype = dtype_constant(dtype_of(part.seed.type))
    rows = context.call("numpy.eye", directions, Const(None), Const(0), dtype)
    assert isinstance(rows.type, Array) and rows.type.shape
    context.count, context.size = directions, rows.type.shape[0]
    if rank_of(part.seed.type) != 1:
        shape = context.shape(part.operand.type, part.operand)
        rows = context.call("numpy.reshape", rows, shape)
    return rows


def _arranged(
    part: Part, batched: Function, places: Sequence[int], directions: Atom, size: Size
) -> Function:
    """The derivatives in the shapes of result and argument."""
    context = Context(batched, directions, size)
    results = batched.body.results
    rows, likes = results[: len(places)], results[len(places) : 2 * len(places)]
    operand, *aux = results[2 * len(places) :]
    found: dict[int, Atom] = {}
    for place, values, like in zip(places, rows, likes, strict=True):
        if part.forward:
            found[place] = _with_last_axis(context, values, like, operand)
        elif rank_of(operand.type) == 1:
            found[place] = values
        else:
            found[place] = _reshaped(context, values, operand, like)
    derivatives = [found.get(place, Const(None)) for place in range(len(part.likes))]
    statements = (*batched.body.statements, *context.builder.statements)
    passed_on = None if part.aux is None else with_leaves(part.aux, aux)
    return _finished(batched, statements, derivatives, passed_on)


def _with_last_axis(context: Context, rows: Atom, out: Atom, x: Atom) -> Atom:
    """The axis of the directions behind those of the result, in the shape of the argument."""
    rank = rank_of(out.type)
    if rank == 1:
        rows = context.line("rows.T", rows=rows)
    elif rank != 0:
        rows = context.line("np.moveaxis(rows, 0, -1)", rows=rows)
    return rows if rank_of(x.type) == 1 else _reshaped(context, rows, out, x)


def _reshaped(context: Context, value: Atom, out: Atom, x: Atom) -> Atom:
    dimensions = [context.dimensions(leaf.type, leaf) for leaf in (out, x)]
    if None not in dimensions:
        lengths = [length for known in dimensions for length in known or ()]
        return context.call("numpy.reshape", value, context.together(lengths))
    shapes = [context.builder.assign(NUMPY_SHAPE, leaf) for leaf in (out, x)]
    return context.call("numpy.reshape", value, context.builder.assign(JOINED_SHAPE, *shapes))


def forward_piece(function: Function, leaf: Var, has_aux: bool) -> Function:
    """The tangent of one leaf in all unit directions: `(derivatives, aux)`."""
    assert isinstance(function.output, Structure)
    value, moved, *aux = function.output.items
    (seed,) = leaves_with_variables(function.formals[-1].tree)
    return unit_directions(
        Part(
            function,
            seed,
            True,
            tuple(leaves(value)),
            tuple(leaves(moved)),
            (leaf,),
            aux[0] if has_aux else None,
        )
    )


def reverse_piece(function: Function, arguments: Sequence[Tree], has_aux: bool) -> Function:
    """The pullback of one leaf in all unit directions: `(derivatives, aux)`."""
    assert isinstance(function.output, Structure)
    value, moved = function.output.items
    aux: Tree | None = None
    if has_aux:
        value, aux = value.items
    (seed,) = leaves_with_variables(function.formals[-1].tree)
    operands = tuple(leaf for tree in arguments for leaf in leaves(tree))
    return unit_directions(
        Part(function, seed, False, (value,), tuple(leaves(moved)), operands, aux)
    )


def leaves_with_variables(tree: Tree) -> list[Var]:
    return [leaf for leaf in leaves(tree) if isinstance(leaf, Var)]


def giving_leaf(function: Function, leaf: Atom, aux: Tree | None) -> Function:
    """The function with one leaf of its result as the result."""
    output: Tree = leaf if aux is None else Structure("tuple", (0, 1), (leaf, aux))
    body = replace(function.body, results=tuple(leaves(output)))
    return replace(function, body=body, output=output)


def tangent_only(function: Function, name: str, bare: bool, has_aux: bool) -> Function:
    """Of `(value, tangent[, aux])` the tangent, with aux `(tangent, aux)`."""
    assert isinstance(function.output, Structure)
    _, tree, *aux = function.output.items
    tree = tree.items[0] if bare else tree
    output: Tree = Structure("tuple", (0, 1), (tree, aux[0])) if has_aux else tree
    body = replace(function.body, results=tuple(leaves(output)))
    return replace(function, name=name, body=body, output=output)


def bare_rows(function: Function, has_aux: bool) -> Function:
    """A Hessian with respect to one argument: the one row of the rows."""
    output = function.output
    assert isinstance(output, Structure)
    if has_aux:
        rows, aux = output.items
        output = Structure("tuple", (0, 1), (rows.items[0], aux))
    else:
        output = output.items[0]
    body = replace(function.body, results=tuple(leaves(output)))
    return replace(function, body=body, output=output)


def require_floats(function: Function, value: Tree) -> None:
    """Refuse results without floats."""
    if not any(is_float(leaf.type) for leaf in leaves(value)):
        raise refusal(
            "no-derivative",
            f"the result of `{function.name}` has no floats",
            function.span,
            "return what is to be differentiated",
        )


def require_arrays(function: Function, value: Tree, formals: Sequence[Formal]) -> None:
    """Refuse arguments without floats, and lists of unknown length: a Jacobian has no place for
    them.
    """
    arguments = differentiable_leaves(formals, function)
    atoms = [*arguments, *leaves(value)]
    if any(isinstance(atom.type, ListOf) for atom in atoms):
        raise refusal(
            "not-an-array",
            f"a Jacobian of `{function.name}` needs arrays, not lists of unknown length",
            function.span,
            "turn the list into an array with `np.array(...)`",
        )


# From pieces to a function ------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """How the derivatives are put together: for each leaf of the result, its derivatives with
    respect to the leaves of the arguments; of a `bare` argument, itself.
    """

    value: Tree
    arguments: tuple[Tree, ...]
    bare: bool
    forward: bool

    def tree(self, found: Mapping[int, Sequence[Atom]]) -> Tree:
        """The whole, from the derivatives by the number of the leaf that a piece belongs to."""

        def entry(out: int, place: int) -> Atom:
            piece, other = (place, out) if self.forward else (out, place)
            return found[piece][other] if piece in found else Const(None)

        def of_result(out: int) -> Tree:
            places = count()
            trees = tuple(
                with_leaves(tree, [entry(out, next(places)) for _ in leaves(tree)])
                for tree in self.arguments
            )
            return trees[0] if self.bare else tuple_of(trees)

        parts = [of_result(out) for out, _ in enumerate(leaves(self.value))]
        return with_leaves(self.value, parts)  # type: ignore[arg-type]  # trees at its leaves


def join_pieces(
    pieces: Mapping[int, Function],
    name: str,
    layout: Layout,
    has_aux: bool = False,
    before: Function | None = None,
) -> Function:
    """One function of all pieces. What has effects stays in the first piece only, and the
    auxiliary result is the first one's. `before` is what goes before all of them.
    """
    parts = list(pieces.values()) if before is None else [before, *pieces.values()]
    first = parts[0]
    statements = list(first.body.statements)
    names = Names.of(first)
    outputs = [first.output]
    for part in parts[1:]:
        again, new = renamed(names, without_effects(part.body.statements), {})
        statements += again
        outputs.append(map_tree(part.output, partial(_now, new)))
    outputs = outputs[len(parts) - len(pieces) :]
    found: dict[int, list[Atom]] = {}
    for number, output in zip(pieces, outputs, strict=True):
        assert isinstance(output, Structure)
        found[number] = list(leaves(output.items[0]))
    tree = layout.tree(found)
    if has_aux:
        assert isinstance(outputs[0], Structure)
        tree = Structure("tuple", (0, 1), (tree, outputs[0].items[1]))
    body = Block(first.body.parameters, tuple(statements), tuple(leaves(tree)))
    return replace(first, name=name, body=body, output=tree)


def _now(new: Mapping[Var, Atom], atom: Atom) -> Atom:
    return new.get(atom, atom) if isinstance(atom, Var) else atom


def cheaper_is_forward(value: Tree, arguments: Sequence[Tree]) -> bool:
    """Whether tangents are fewer than pullbacks, or nobody knows."""
    results = _elements(leaves(value))
    inputs = _elements(leaf for tree in arguments for leaf in leaves(tree))
    if results is None or results.constant is None:
        return True
    return (
        inputs is not None and inputs.constant is not None and (inputs.constant <= results.constant)
    )


def _elements(atoms: Iterable[Atom]) -> Size | None:
    """How many floats there are."""
    total = Size.of(0)
    for atom in atoms:
        size = size_of(atom.type) if is_float(atom.type) else Size.of(0)
        if size is None:
            return None
        total = total + size
    return total
