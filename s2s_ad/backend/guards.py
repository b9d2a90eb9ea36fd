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
    homes = _homes([var for var in arrays if _shape(var) is not None])
    _arrays(
        entry, function, arrays, spelled, library, _checked_dtypes(function, arrays, active), homes
    )
    _shapes(entry, function, arrays, spelled, library, free_name, needed, homes)
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
            message = f"{function.name}: generated for {formal.name}={plain}, "
            came = f"not {{{formal.name}!r:.60}}"
            entry.lines += layout.raise_with("        ", "ValueError", message, came)


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
    isinstance_ = library("builtins.isinstance")
    if tree.kind == "dict":
        wanted = f"{{{', '.join(keys)}}}" if keys else f"{library('builtins.set')}()"
        test = f"{isinstance_}({path}, {library('builtins.dict')}) and {path}.keys() == {wanted}"
        what = f"a dict of {', '.join(keys)}"
    elif tree.kind in ("tuple", "list"):
        kinds = f"({library('builtins.list')}, {library('builtins.tuple')})"
        test = (
            f"{isinstance_}({path}, {kinds}) and {library('builtins.len')}({path}) == {len(keys)}"
        )
        what = f"{len(keys)} item{'s' if len(keys) != 1 else ''}"
    if tree.kind != "record":
        entry.first += layout.unless("    ", [test])
        message = f"{function.name}: expected {what} as {path}, ".replace('"', "'")
        simple = "\\" not in path and "'" not in path
        came = "not {" + path.replace('"', "'") + "!r:.60}" if simple else "not others"
        entry.first += layout.raise_with("        ", "ValueError", message, came)
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
    _require(
        entry,
        function,
        tests,
        "numbers" if len(floats) > 1 else "a number",
        floats,
        spelled,
        library,
    )
    if integers:
        tests = [f"{isinstance_}({spelled(var)}, {library('INTEGER')})" for var in integers]
        what = "integers" if len(integers) > 1 else "an integer"
        _require(entry, function, tests, what, integers, spelled, library)


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
            _require(entry, function, tests, f"a {kind}", [var], spelled, library)


def _require(
    entry: Entry,
    function: Function,
    tests: list[str],
    what: str,
    variables: list[Var],
    spelled: Callable[[Var], str],
    library: Callable[[str], str],
) -> None:
    """`if not (a and b): raise TypeError(...)`"""
    if not tests:
        return
    entry.lines += layout.unless("    ", tests)
    type_ = library("builtins.type")
    names = ", ".join(spelled(var) for var in variables)
    message = f"{function.name}: expected {what} {names}, "
    came = ", ".join(f"{{{type_}({spelled(var)}).__name__}}" for var in variables)
    entry.lines += layout.raise_with("        ", "TypeError", message, f"not {came}")


def _checked_dtypes(function: Function, arrays: list[Var], active: set[Var]) -> list[Var]:
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
    return [var for var in arrays if var in checked or not is_float(var.type)]


def _arrays(
    entry: Entry,
    function: Function,
    arrays: list[Var],
    spelled: Callable[[Var], str],
    library: Callable[[str], str],
    checked: list[Var],
    homes: dict[str, Var],
) -> None:
    """Arguments are arrays, no lists and no subclasses (`*` of a matrix is another product, a mask
    leaves elements out), of the dtype and the rank for which the module was generated.
    """
    if not arrays:
        return
    known = [var for var in arrays if _shape(var) is not None]
    open_ = [var for var in arrays if _shape(var) is None]
    type_, kind = library("builtins.type"), library("numpy.ndarray")
    axes = [var for var in known if _shape(var)]
    tests = _chain([f"{type_}({spelled(var)})" for var in axes], "is", kind)
    # a number will do as well where there are no axes or their number is unknown
    for var in open_:
        kinds = (kind, library("numpy.float64"), library("builtins.float"), library("builtins.int"))
        tests.append(f"{type_}({spelled(var)}) in ({', '.join(kinds)})")
    for var in known:
        if var not in axes:
            number = library(f"numpy.{_dtype(var)}")
            tests.append(f"{type_}({spelled(var)}) in ({kind}, {number})")
    for dtype in dict.fromkeys(_dtype(var) for var in checked):
        alike = [var for var in checked if _dtype(var) == dtype]
        found = [_spelled_dtype(var, spelled, library) for var in alike]
        tests += _chain(found, "==", library(f"numpy.{dtype}"))
    ranked = [var for var in known if not _is_compared(var, homes) or _is_unpacked(var, homes)]
    for rank in dict.fromkeys(len(_shape(var) or ()) for var in ranked):
        alike = [var for var in ranked if len(_shape(var) or ()) == rank]
        tests += _chain([f"{spelled(var)}.ndim" for var in alike], "==", str(rank))
    entry.lines += layout.unless("    ", tests)
    listed = ", ".join(
        f"{spelled(var)}{' ' + _dtype(var) if var in checked else ''}{_spelled_shape(var)}"
        if var in checked or _shape(var) is not None
        else spelled(var)
        for var in arrays
    )
    message = f"{function.name}: expected {listed}, "
    entry.lines += layout.raise_with(
        "        ", "TypeError", message, _what_came(arrays, spelled, library)
    )


def _chain(sides: list[str], operator: str, last: str) -> list[str]:
    """`a == b == last`; several such where one does not fit into a line."""
    chains: list[str] = []
    for side in sides:
        longer = chains[-1].removesuffix(last) + f"{side} {operator} {last}" if chains else ""
        if longer and len(longer) <= layout.LIMIT - len("        and "):
            chains[-1] = longer
        else:
            chains.append(f"{side} {operator} {last}")
    return chains


def _what_came(
    arrays: list[Var], spelled: Callable[[Var], str], library: Callable[[str], str]
) -> str:
    """`not {described(x, y)}`; several calls where one does not fit into a line."""
    described, groups = library("builtins.described"), [spelled(arrays[0])]
    for name in map(spelled, arrays[1:]):
        if len(f'            f"{{{described}({groups[-1]}, {name})}}, "') <= layout.LIMIT:
            groups[-1] += f", {name}"
        else:
            groups.append(name)
    return "not " + ", ".join(f"{{{described}({group})}}" for group in groups)


def _spelled_shape(var: Var) -> str:
    shape = _shape(var)
    return "" if shape is None else f"[{', '.join(map(str, shape))}]"


def _spelled_dtype(var: Var, spelled: Callable[[Var], str], library: Callable[[str], str]) -> str:
    if _shape(var) is not None:
        return f"{spelled(var)}.dtype"
    return f"{library('numpy.result_type')}({spelled(var)})"


def _dtype(var: Var) -> str:
    assert isinstance(var.type, Array)
    return DTYPES[var.type.dtype]


def _shapes(
    entry: Entry,
    function: Function,
    arrays: list[Var],
    spelled: Callable[[Var], str],
    library: Callable[[str], str],
    free_name: Callable[[str], str],
    needed: set[str],
    homes: dict[str, Var],
) -> None:
    known = [var for var in arrays if _shape(var) is not None]
    wanted = needed | set(_compared_symbols(known, homes, function))
    for var in known:
        own = {size.symbol for size in _shape(var) or () if _is_home(size, var, homes)}
        if own & wanted or (own and not _is_all_new(var, homes)):
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
        if _is_compared(var, homes):
            sizes = [_spelled_size(entry, size) for size in shape]
            joined = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
            tests.append(f"{spelled(var)}.shape != {joined}")
    for left, right in function.assumptions:
        tests.append(f"{_spelled_size(entry, left)} != {_spelled_size(entry, right)}")
    if tests:
        entry.lines += layout.condition("    ", tests)
        listed = ", ".join(spelled(var) + _spelled_shape(var) for var in known)
        message = f"{function.name}: expected {listed}, "
        entry.lines += layout.raise_with(
            "        ", "ValueError", message, _what_came(known, spelled, library)
        )


def _is_home(size: Size, var: Var, homes: dict[str, Var]) -> bool:
    return size.symbol is not None and homes.get(size.symbol) == var


def _is_compared(var: Var, homes: dict[str, Var]) -> bool:
    """Whether the shape as a whole is compared with what others say it is."""
    return bool(_shape(var)) and not _is_all_new(var, homes)


def _is_unpacked(var: Var, homes: dict[str, Var]) -> bool:
    return any(_is_home(size, var, homes) for size in _shape(var) or ())


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
