"""The parameters of the function that is differentiated: their types, defaults and records."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import libcst as cst

from s2s_ad.frontend.annotations import ComplexType, TypeReader, TypeTree
from s2s_ad.frontend.list_parts import list_parameter
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.resolve import FileScope
from s2s_ad.frontend.values import Given, Growing, Refused, UserFunction, Value
from s2s_ad.ir import Const, Formal, Structure, Tree, Var
from s2s_ad.types import Array, ListOf, Number

# numbers that `ruff format` would not touch
PLAIN_NUMBER = re.compile(r"-?\d[\d_]*(\.\d+)?(e[-+]?\d+)?")


def formal_parameters(
    lowering: Lowering,
    function: UserFunction,
    argument_types: Mapping[str, TypeTree | Const | Given],
) -> list[Formal]:
    parameters = function.node.params
    if isinstance(parameters.star_arg, cst.Param) or parameters.star_kwarg is not None:
        starred = (
            parameters.star_arg
            if isinstance(parameters.star_arg, cst.Param)
            else parameters.star_kwarg
        )
        assert starred is not None
        raise lowering.refuse(
            "star-parameters",
            "parameters of unknown number are not supported",
            starred,
            help="name the parameters one by one",
        )
    free = [
        (kind, param)
        for kind, param in _by_kind(parameters)
        if param.name.value not in lowering.frame.names  # the others are bound
    ]
    reader = TypeReader(record=lambda name: _record(lowering, name))
    trees: dict[str, TypeTree | Const] = {}
    for _, param in free:
        found = argument_types.get(param.name.value)
        if not isinstance(found, Given):
            trees[param.name.value] = _tree_of(lowering, function, param, found, reader)
    trees = with_open_sizes(lowering, trees)
    formals: list[Formal] = []
    for kind, param in free:
        name = param.name.value
        found = argument_types.get(name)
        if isinstance(found, Given):
            lowering.frame.names[name] = found.value
            formals.append(Formal(name, Const(found.label), kind=kind))
        else:
            value = parameter_tree(lowering, trees[name], name)
            lowering.frame.names[name] = value
            default = _default_text(lowering, param)
            if isinstance(found, Const):
                default = literal_text(found.value)
            formals.append(Formal(name, as_passed(value), default, kind))
    return _without_lost_defaults(formals)


def _by_kind(parameters: cst.Parameters) -> Iterator[tuple[str, cst.Param]]:
    yield from (("positional-only", param) for param in parameters.posonly_params)
    yield from (("positional", param) for param in parameters.params)
    yield from (("keyword", param) for param in parameters.kwonly_params)


def _tree_of(
    lowering: Lowering,
    function: UserFunction,
    param: cst.Param,
    given: TypeTree | Const | None,
    reader: TypeReader,
) -> TypeTree | Const:
    """The type of a parameter: given, or as its annotation, its default or its use say."""
    from s2s_ad.frontend.inference import type_by_use

    name = param.name.value
    if isinstance(given, Const):
        return given
    tree: TypeTree | Const | None = given
    if tree is None and param.annotation is not None:
        tree = _annotation(lowering, reader, param.annotation)
    default = _default(lowering, param)
    if default is not None:
        lowering.literal_defaults[name] = default
    if tree is None and default is not None:
        tree = _type_of_default(default.value)
    return type_by_use(function.node, name) if tree is None else tree


def with_open_sizes(
    lowering: Lowering, trees: Mapping[str, TypeTree | Const]
) -> dict[str, TypeTree | Const]:
    """The types with sizes of the items of lists left open, where no array says how much that is:
    an item may then have another size than the next.
    """
    known: set[str | None] = set()
    pending: list[TypeTree | Const] = list(trees.values())
    while pending:
        tree = pending.pop()
        if isinstance(tree, Structure):
            pending += tree.items
        elif isinstance(tree, Array):
            known.update(size.symbol for size in tree.shape or ())

    def opened(tree: TypeTree | Const) -> TypeTree | Const:
        if isinstance(tree, Structure):
            return replace(tree, items=tuple(map(opened, tree.items)))
        if not isinstance(tree, ListOf) or not isinstance(tree.item, Array):
            return tree
        shape = tree.item.shape
        if shape is not None:
            fresh = lowering.sizes.fresh
            shape = tuple(size if size.symbols <= known else fresh() for size in shape)
        return ListOf(Array(tree.item.dtype, shape))

    return {name: opened(tree) for name, tree in trees.items()}


def _without_lost_defaults(formals: list[Formal]) -> list[Formal]:
    """A parameter whose default cannot be copied has none, and then neither do those before it."""
    lost = False
    result: list[Formal] = []
    for formal in reversed(formals):
        if formal.kind != "keyword":
            lost = lost or formal.default is None
            formal = Formal(
                formal.name,
                formal.tree,
                None if lost else formal.default,
                formal.kind,
                formal.hidden,
            )
        result.insert(0, formal)
    return result


def _annotation(
    lowering: Lowering, reader: TypeReader, annotation: cst.Annotation
) -> TypeTree | None:
    try:
        return reader.annotation(lowering.code(annotation.annotation))
    except ComplexType:
        raise _no_complex(lowering, annotation.annotation) from None


def _default(lowering: Lowering, param: cst.Param) -> Const | None:
    """The default of a parameter, if it is a literal."""
    default = None if param.default is None else _literal(lowering.code(param.default))
    if param.default is not None and default is not None and isinstance(default.value, complex):
        raise _no_complex(lowering, param.default)
    return default


def _no_complex(lowering: Lowering, node: cst.CSTNode) -> Refused:
    return lowering.refuse(
        "unsupported-dtype",
        "complex numbers are not supported",
        node,
        help="pass the real and the imaginary part",
    )


def _literal(text: str) -> Const | None:
    try:
        return Const(ast.literal_eval(text.strip()))
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


def _default_text(lowering: Lowering, param: cst.Param) -> str | None:
    """A default that can be copied into the generated function: a literal."""
    text = "" if param.default is None else lowering.code(param.default).strip()
    literal = _literal(text) if text else None
    if literal is None:
        return None
    # a number keeps the user's spelling
    plain = PLAIN_NUMBER.fullmatch(text.lower())
    return text.lower() if plain else literal_text(literal.value)


def literal_text(value: object) -> str:
    """A literal as `ruff format` leaves it: strings in double quotes."""
    match value:
        case str():
            text = repr(value)
            if text.startswith('"') or '"' in value:
                return text
            return '"' + text[1:-1] + '"'
        case tuple():
            items = ", ".join(map(literal_text, value))
            return f"({items},)" if len(value) == 1 else f"({items})"
        case list():
            return f"[{', '.join(map(literal_text, value))}]"
        case dict():
            pairs = (f"{literal_text(key)}: {literal_text(item)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
    return repr(value)


def _type_of_default(value: object) -> TypeTree | Const | None:
    """What a literal default says: numbers and tuples of them are types, the rest constants."""
    match value:
        case None | str():
            return Const(value)
        case bool() | int() | float():
            return Number("int") if type(value) is int else Const(value).type
        case tuple() | list() if value:
            items = tuple(_type_of_default(item) for item in value)
            if not any(item is None or isinstance(item, Const) for item in items):
                return Structure(type(value).__name__, tuple(range(len(items))), items)
    return None


def _record(lowering: Lowering, name: str) -> Structure | None:
    """The fields of a named tuple or dataclass of the file, from its annotations."""
    scope = lowering.frame.scope
    node = scope.names.get(name) if isinstance(scope, FileScope) else None
    if not isinstance(node, cst.ClassDef) or not isinstance(node.body, cst.IndentedBlock):
        return None
    heads = [lowering.code(base.value) for base in node.bases] + [
        lowering.code(d.decorator) for d in node.decorators
    ]
    if not any(word in head for head in heads for word in ("NamedTuple", "dataclass")):
        return None
    fields: dict[str, Any] = {}
    reader = TypeReader(record=lambda other: _record(lowering, other) if other != name else None)
    for line in node.body.body:
        if isinstance(line, cst.SimpleStatementLine):
            for small in line.body:
                if isinstance(small, cst.AnnAssign) and isinstance(small.target, cst.Name):
                    tree = _annotation(lowering, reader, small.annotation)
                    if tree is None:
                        return None
                    fields[small.target.value] = tree
    return Structure("record", tuple(fields), tuple(fields.values()), name) if fields else None


def as_passed(value: Value) -> Tree:
    """A parameter's value as a tree of the IR: a list of any length is one variable there."""
    if isinstance(value, Growing):
        passed: Var = value.items[0]
        return passed
    if isinstance(value, Structure):
        items = tuple(map(as_passed, value.items))
        return value if items == value.items else replace(value, items=items)
    assert isinstance(value, Var | Const)
    return value


def parameter_tree(lowering: Lowering, tree: TypeTree | Const, name: str) -> Value:
    """Variables for the leaves of a type; those within a container are named after the way to
    them.
    """
    if isinstance(tree, ListOf):
        return list_parameter(lowering, lowering.builder.names.fresh(name, tree))
    if isinstance(tree, Structure):
        items = tuple(
            parameter_tree(
                lowering,
                item,
                f"{name}_{key}" if str(key).isidentifier() or isinstance(key, int) else name,
            )
            for key, item in zip(tree.keys, tree.items, strict=True)
        )
        from s2s_ad.frontend.containers import container

        return container(lowering, tree.kind, items, tree.keys, tree.constructor)
    if isinstance(tree, Const):
        return tree
    return lowering.builder.names.fresh(name, tree)
