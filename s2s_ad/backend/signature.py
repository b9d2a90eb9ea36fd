"""Type annotations of generated functions, from the types of their parameters and results."""

from __future__ import annotations

from collections.abc import Callable

from s2s_ad.ir import Const, Function, Structure, Tree, Var
from s2s_ad.types import DTYPES, Array, ListOf, Number, Scalar, Static

Library = Callable[[str], str]


def annotation(tree: Tree, library: Library, hidden: bool = False) -> str:
    """The annotation of a parameter or result; `hidden`: scalars are none for NumPy's stubs."""
    if isinstance(tree, Structure):
        if tree.kind == "record" or not tree.items:
            return "Any"
        items = [annotation(item, library, hidden) for item in tree.items]
        if tree.kind == "dict":
            keys = _common([type(key).__name__ for key in tree.keys])
            return f"{library('builtins.dict')}[{keys}, {_common(items)}]"
        if tree.kind == "list":
            return f"{library('builtins.list')}[{_common(items)}]"
        return f"{library('builtins.tuple')}[{', '.join(items)}]"
    if isinstance(tree, Const) and tree.text.startswith("type("):
        return "Any"
    if hidden and isinstance(tree.type, Scalar):
        return "Any"
    match tree.type:
        case Number(kind=kind):
            return library(f"builtins.{kind}")
        case Scalar(dtype="f64"):
            return library("builtins.float")
        case Scalar(dtype):
            return library(f"numpy.{DTYPES[dtype]}")
        case Array(dtype=dtype):
            name = library(f"numpy.{DTYPES[dtype]}")
            library("numpy.typing.NDArray")
            return f"npt.NDArray[{name}]"
        case ListOf(item):
            return f"{library('builtins.list')}[{annotation(Var('item', item), library, hidden)}]"
        case Static("None"):
            return "None"
        case Static(kind) if kind.startswith("numpy."):
            return library(kind)
    return "Any"


def _common(items: list[str]) -> str:
    return items[0] if len(set(items)) == 1 else "Any"


def parameters_of(function: Function, library: Library) -> list[str]:
    """`x: float = 1.0`, with the markers for positional-only and keyword-only parameters."""
    texts: list[str] = []
    kinds = [formal.kind for formal in function.formals]
    for place, formal in enumerate(function.formals):
        if formal.kind == "keyword" and "keyword" not in kinds[:place]:
            texts.append("*")
        text = f"{formal.name}: {annotation(formal.tree, library)}"
        texts.append(text if formal.default is None else f"{text} = {formal.default}")
        if formal.kind == "positional-only" and "positional-only" not in kinds[place + 1 :]:
            texts.append("/")
    return texts
