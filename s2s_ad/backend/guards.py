"""The entry of a generated function: names for sizes, and checks of what the types of the
parameters say.

What was assumed when generating (ranks, equal sizes, dtypes, numbers that are no arrays) is checked
here once, so that no assumption can go wrong silently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from s2s_ad.backend import layout
from s2s_ad.backend.spelling import spell_atom
from s2s_ad.ir import Const, Function, Opaque, Structure, Tree, Var
from s2s_ad.types import DTYPES, Array, Number, Scalar, Size, Static, dtype_of, is_float

MOST_WORK = 10000
"""Of the exact test of overlap; only views with strides in several dimensions come near it."""


@dataclass
class Entry:
    """Lines at the entry, and the sizes that have a name there."""

    first: list[str] = field(default_factory=list)  # before containers are unpacked
    lines: list[str] = field(default_factory=list)
    sizes: dict[str, str] = field(default_factory=dict)  # symbol to Python name


def entry_checks(
    function: Function,
    spelled: Callable[[Var], str],
    free_name: Callable[[str], str],
    library: Callable[[str], str],
    needed: set[str],
    active: set[Var],
    of_primal: set[Var],
) -> Entry:
    """The checks for the parameters. `needed` are sizes that the body wants a name for."""
    entry = Entry()
    if not function.guarded:
        return entry
    _constants(entry, function, library)
    _containers(entry, function, library)
    parameters = list(function.body.parameters)
    _numbers(entry, function, parameters, spelled, library)
    _generators(entry, function, parameters, spelled, library)
    arrays = [var for var in parameters if isinstance(var.type, Array)]
    _dtypes(entry, function, arrays, spelled, library, active)
    _shapes(entry, function, arrays, spelled, free_name, needed)
    own = [var for var in arrays if var in of_primal]
    _overlaps(entry, function, own, spelled, library)
    return entry


def _overlaps(
    entry: Entry,
    function: Function,
    arrays: list[Var],
    spelled: Callable[[Var], str],
    library: Callable[[str], str],
) -> None:
    """What the user's function writes to is copied, and a copy no longer changes another argument
    in whose memory it lies.
    """
    written = [var for var in arrays if str(var) in function.written]
    seen: list[Var] = []
    for var in written:
        seen.append(var)
        others = [other for other in arrays if other not in seen]
        if not others:
            continue
        shares, name = library("numpy.shares_memory"), spelled(var)
        tests = [f"{shares}({name}, {spelled(o)}, max_work={MOST_WORK})" for o in others]
        entry.lines += layout.condition("    ", tests)
        listed = ", ".join(map(spelled, others))
        message = f"{function.name}: writes to {name}, which must not share memory with {listed}"
        entry.lines += layout.raise_with("        ", "ValueError", message)


def _constants(entry: Entry, function: Function, library: Callable[[str], str]) -> None:
    """A parameter for whose value the module was generated."""
    for formal in function.formals:
        if isinstance(formal.tree, Const) and isinstance(formal.tree.value, Opaque):
            _opaque(entry, function, formal.name, formal.tree.value, library)
        elif isinstance(formal.tree, Const):
            value = spell_atom(formal.tree, lambda name: name).text
            differs = "is not" if formal.tree.value is None else "!="
            entry.lines.append(f"    if {formal.name} {differs} {value}:")
            plain = value.replace("\\'", "'").replace('"', "'")
            message = f"{function.name}: generated for {formal.name}={plain}"
            entry.lines += layout.raise_with("        ", "ValueError", message)


def _opaque(
    entry: Entry, function: Function, name: str, given: Opaque, library: Callable[[str], str]
) -> None:
    """An argument that was followed when the module was generated: it has to be of its name."""
    what = "function" if given.is_function else "class"
    found = f'{library("builtins.getattr")}({name}, "__name__", "")'
    if not given.is_function:
        found = f"{library('builtins.type')}({name}).__name__"
    entry.lines.append(f'    if {found} != "{given.name}":')
    message = f"{function.name}: generated for the {what} {given.name} as {name}"
    entry.lines += layout.raise_with("        ", "TypeError", message)


def _containers(entry: Entry, function: Function, library: Callable[[str], str]) -> None:
    """A container has the items for which the module was generated."""
    for formal in function.formals:
        _container(entry, function, formal.tree, formal.name, library)


def _container(
    entry: Entry, function: Function, tree: Tree, path: str, library: Callable[[str], str]
) -> None:
    if not isinstance(tree, Structure):
        return
    keys = [spell_atom(Const(key), lambda name: name).text for key in tree.keys]
    if tree.kind == "dict":
        wanted = f"{{{', '.join(keys)}}}" if keys else f"{library('builtins.set')}()"
        entry.first.append(f"    if {path}.keys() != {wanted}:")
        message = f"{function.name}: expected the keys {', '.join(map(str, tree.keys))} in {path}"
        entry.first += layout.raise_with("        ", "ValueError", message.replace('"', "'"))
    elif tree.kind in ("tuple", "list"):
        entry.first.append(f"    if {library('builtins.len')}({path}) != {len(keys)}:")
        message = f"{function.name}: expected {len(keys)} items in {path}".replace('"', "'")
        entry.first += layout.raise_with("        ", "ValueError", message)
    for key, spelled_key, item in zip(tree.keys, keys, tree.items, strict=True):
        inner = f"{path}.{key}" if tree.kind == "record" else f"{path}[{spelled_key}]"
        _container(entry, function, item, inner, library)


def _numbers(
    entry: Entry,
    function: Function,
    parameters: list[Var],
    spelled: Callable[[Var], str],
    library: Callable[[str], str],
) -> None:
    """Where a number is expected, an array would broadcast and give a wrong result."""
    floats = [
        var for var in parameters if isinstance(var.type, Number | Scalar) and is_float(var.type)
    ]
    integers = [
        var
        for var in parameters
        if isinstance(var.type, Number | Scalar) and not is_float(var.type)
    ]
    isinstance_ = library("builtins.isinstance") if floats or integers else ""
    wide = [var for var in floats if var.type in (Number("float"), Scalar("f64"))]
    pair = f"({library('builtins.float')}, {library('builtins.int')})"
    number = library("NUMBER") if len(wide) > 1 else pair
    tests = []
    for var in floats:
        kind = number if var in wide else library(f"numpy.{DTYPES[dtype_of(var.type)]}")
        tests.append(f"{isinstance_}({spelled(var)}, {kind})")
    _require(entry, function, tests, "numbers" if len(floats) > 1 else "a number", floats, spelled)
    if integers:
        tests = [f"{isinstance_}({spelled(var)}, {library('INTEGER')})" for var in integers]
        what = "integers" if len(integers) > 1 else "an integer"
        _require(entry, function, tests, what, integers, spelled)


def _generators(
    entry: Entry,
    function: Function,
    parameters: list[Var],
    spelled: Callable[[Var], str],
    library: Callable[[str], str],
) -> None:
    """A random generator is one: what is drawn depends on its kind."""
    for var in parameters:
        if isinstance(var.type, Static) and var.type.kind.startswith("numpy."):
            kind, isinstance_ = library(var.type.kind), library("builtins.isinstance")
            tests = [f"{isinstance_}({spelled(var)}, {kind})"]
            _require(entry, function, tests, f"a {kind}", [var], spelled)


def _require(
    entry: Entry,
    function: Function,
    tests: list[str],
    what: str,
    variables: list[Var],
    spelled: Callable[[Var], str],
) -> None:
    """`if not (a and b): raise TypeError(...)`"""
    if not tests:
        return
    joined = tests[0] if len(tests) == 1 else f"({' and '.join(tests)})"
    line = f"    if not {joined}:"
    if len(line) > layout.LIMIT:
        inner = f"        {' and '.join(tests)}"
        lines = [f"        {'and ' if place else ''}{test}" for place, test in enumerate(tests)]
        fits = len(inner) <= layout.LIMIT
        entry.lines += ["    if not (", *([inner] if fits else lines), "    ):"]
    else:
        entry.lines.append(line)
    names = ", ".join(spelled(var) for var in variables)
    message = f"{function.name}: expected {what}: {names}"
    entry.lines += layout.raise_with("        ", "TypeError", message)


def _dtypes(
    entry: Entry,
    function: Function,
    arrays: list[Var],
    spelled: Callable[[Var], str],
    library: Callable[[str], str],
    active: set[Var],
) -> None:
    """The dtype of a gradient is its argument's; where all is float64, other arguments cannot
    change that.
    """
    floats = [var for var in arrays if is_float(var.type)]
    mixed = any(
        isinstance(var.type, Array | Scalar) and is_float(var.type) and var.type.dtype != "f64"
        for var in function.body.parameters
    )
    checked = floats if mixed else [var for var in floats if var in active]
    # booleans select and integers pick: as an index the one is not the other
    checked = [var for var in arrays if var in checked or not is_float(var.type)]
    if not checked:
        return
    tests = [
        f"{_spelled_dtype(var, spelled, library)} != {library('numpy.' + _dtype(var))}"
        for var in checked
    ]
    entry.lines += layout.condition("    ", tests)
    listed = ", ".join(f"{spelled(var)} {_dtype(var)}" for var in checked)
    entry.lines += layout.raise_with("        ", "TypeError", f"{function.name}: expected {listed}")


def _spelled_dtype(var: Var, spelled: Callable[[Var], str], library: Callable[[str], str]) -> str:
    # of unknown rank: a number will do as well
    return (
        f"{spelled(var)}.dtype"
        if _shape(var) is not None
        else f"{library('numpy.result_type')}({spelled(var)})"
    )


def _dtype(var: Var) -> str:
    assert isinstance(var.type, Array)
    return DTYPES[var.type.dtype]


def _shapes(
    entry: Entry,
    function: Function,
    arrays: list[Var],
    spelled: Callable[[Var], str],
    free_name: Callable[[str], str],
    needed: set[str],
) -> None:
    known = [var for var in arrays if _shape(var) is not None]
    if not known:
        return
    homes = _homes(known)
    wanted = needed | set(_compared_symbols(known, homes, function))
    for var in known:
        own = {size.symbol for size in _shape(var) or () if _is_home(size, var, homes)}
        if own & wanted or (own and not _is_all_new(var, homes)):
            # unpacking checks the rank as well
            names = []
            for size in _shape(var) or ():
                symbol = size.symbol or ""
                is_new = symbol in own and symbol not in entry.sizes
                if is_new and (symbol in wanted or not _is_all_new(var, homes)):
                    entry.sizes[symbol] = free_name(symbol)
                    names.append(entry.sizes[symbol])
                else:
                    names.append("_")
            target = f"({names[0]},)" if len(names) == 1 else ", ".join(names)
            entry.lines.append(f"    {target} = {spelled(var)}.shape")
    tests: list[str] = []
    for var in known:
        shape = _shape(var) or ()
        if not _is_all_new(var, homes) and shape:
            sizes = [_spelled_size(entry, size) for size in shape]
            joined = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
            tests.append(f"{spelled(var)}.shape != {joined}")
        elif not any(size.symbol in entry.sizes for size in shape):
            tests.append(f"{spelled(var)}.ndim != {len(shape)}")
    for left, right in function.assumptions:
        tests.append(f"{_spelled_size(entry, left)} != {_spelled_size(entry, right)}")
    if tests:
        entry.lines += layout.condition("    ", tests)
        listed = ", ".join(
            f"{spelled(var)}[{', '.join(map(str, _shape(var) or ()))}]" for var in known
        )
        entry.lines += layout.raise_with(
            "        ", "ValueError", f"{function.name}: expected {listed}"
        )


def _is_home(size: Size, var: Var, homes: dict[str, Var]) -> bool:
    return size.symbol is not None and homes.get(size.symbol) == var


def _is_all_new(var: Var, homes: dict[str, Var]) -> bool:
    """Whether the shape is of different symbols that it defines: there is nothing to compare."""
    shape = _shape(var) or ()
    return all(_is_home(size, var, homes) for size in shape) and len(set(shape)) == len(shape)


def _shape(var: Var) -> tuple[Size, ...] | None:
    return var.type.shape if isinstance(var.type, Array) else None


def _homes(arrays: list[Var]) -> dict[str, Var]:
    """For each symbol, the array whose shape defines it: best one in which it stands among plain
    symbols only.
    """
    homes: dict[str, Var] = {}

    def plain(var: Var) -> bool:
        shape = _shape(var) or ()
        symbols = [size.symbol for size in shape]
        return None not in symbols and len(set(symbols)) == len(symbols)

    ordered = sorted(arrays, key=lambda var: (not plain(var), -len(_shape(var) or ())))
    # an array with only new symbols is unpacked as a whole
    for var in ordered:
        symbols = [size.symbol for size in _shape(var) or () if size.symbol is not None]
        if plain(var) and all(symbol not in homes for symbol in symbols):
            homes.update({symbol: var for symbol in symbols if symbol is not None})
    for var in ordered:
        for size in _shape(var) or ():
            if size.symbol is not None:
                homes.setdefault(size.symbol, var)
    return homes


def _compared_symbols(
    arrays: list[Var], homes: dict[str, Var], function: Function
) -> Iterator[str]:
    """The symbols that some comparison needs."""
    for var in arrays:
        if not _is_all_new(var, homes):
            for size in _shape(var) or ():
                yield from size.symbols
    for left, right in function.assumptions:
        yield from left.symbols
        yield from right.symbols


def _spelled_size(entry: Entry, size: Size) -> str:
    renamed = size.substitute(
        {symbol: Size.of(name) for symbol, name in entry.sizes.items() if symbol != name}
    )
    return str(renamed)
