"""The parameters of the function that is differentiated: their types, defaults and records."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

import libcst as cst

from s2s_ad.frontend.annotations import ComplexType, TypeReader, TypeTree
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.resolve import FileScope
from s2s_ad.frontend.values import Given, Refused, UserFunction
from s2s_ad.ir import Const, Formal, Structure, Tree
from s2s_ad.types import Number

# numbers that `ruff format` would not touch
PLAIN_NUMBER = re.compile(r"-?\d[\d_]*(\.\d+)?(e[-+]?\d+)?")


def formal_parameters(
    lowering: Lowering,
    function: UserFunction,
    argument_types: Mapping[str, TypeTree | Const | Given],
) -> list[Formal]:
    from s2s_ad.frontend.inference import type_by_use

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
    reader = TypeReader(record=lambda name: _record(lowering, name))
    groups = (
        ("positional-only", parameters.posonly_params),
        ("positional", parameters.params),
        ("keyword", parameters.kwonly_params),
    )
    formals: list[Formal] = []
    for kind, params in groups:
        for param in params:
            name = param.name.value
            if name in lowering.frame.names:
                continue  # bound
            found = argument_types.get(name)
            if isinstance(found, Given):
                lowering.frame.names[name] = found.value
                formals.append(Formal(name, Const(found.label), kind=kind))
                continue
            if isinstance(found, Const):
                lowering.frame.names[name] = found
                formals.append(Formal(name, found, literal_text(found.value), kind))
                continue
            tree: TypeTree | Const | None = found
            if tree is None and param.annotation is not None:
                tree = _annotation(lowering, reader, param.annotation)
            default = _default(lowering, param)
            if default is not None:
                lowering.literal_defaults[name] = default
            if tree is None and default is not None:
                tree = _type_of_default(default.value)
            if isinstance(tree, Const):
                lowering.frame.names[name] = tree
                formals.append(Formal(name, tree, _default_text(lowering, param), kind))
                continue
            if tree is None:
                tree = type_by_use(function.node, name)
            value = parameter_tree(lowering, tree, name)
            lowering.frame.names[name] = value
            formals.append(Formal(name, value, _default_text(lowering, param), kind))
    return _without_lost_defaults(formals)


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


def parameter_tree(lowering: Lowering, tree: TypeTree | Const, name: str) -> Tree:
    """Variables for the leaves of a type; those within a container are named after the way to
    them.
    """
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
