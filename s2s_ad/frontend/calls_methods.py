"""Methods of arrays, of containers and of lists; `METHODS` lists those that need a hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from s2s_ad.frontend.arguments import (
    CLASS,
    HARMLESS,
    Arguments,
    call_operation,
    drop_harmless,
    no_more,
    with_output,
)
from s2s_ad.frontend.containers import call_method, container, refreshed, view_of
from s2s_ad.frontend.iteration import Counted, through_value
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import atom, current, static, static_operand
from s2s_ad.frontend.subscripts import index_value
from s2s_ad.frontend.updates import CHANGING
from s2s_ad.frontend.values import Container, Growing, Method, Value
from s2s_ad.ir import Atom, Const, Structure, Var, tuple_of
from s2s_ad.operations import catalogue
from s2s_ad.operations.arrays import COPY_METHOD
from s2s_ad.operations.random_draws import GENERATORS
from s2s_ad.operations.result_types import dtype_argument
from s2s_ad.types import Array, is_boolean, is_complex, is_integer, is_numeric, rank_of


def call_bound_method(lowering: Lowering, method: Method, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    if isinstance(method.receiver, Structure | Growing):
        return _container_method(lowering, method.receiver, method.name, arguments)
    # an argument may have written to the array meanwhile
    receiver = current(lowering, method.receiver, node)
    if isinstance(receiver, Var | Const) and is_numeric(receiver.type):
        from s2s_ad.frontend import calls_numpy

        special = METHODS.get(method.name)
        if special is not None:
            return special(lowering, receiver, arguments, name)
        as_function = calls_numpy.METHODS.get(method.name)
        if as_function is not None:
            arguments.positional.insert(0, receiver)
            return with_output(lowering, f"numpy.{method.name}", as_function, arguments, name)
        if method.name in CHANGING:
            return CHANGING[method.name](lowering, receiver, arguments)
        target = catalogue().methods.get(method.name)
        if target is not None:
            arguments.positional.insert(0, receiver)
            return call_operation(lowering, catalogue().operations[target], arguments, name)
    if isinstance(receiver, Var) and receiver.type in GENERATORS:
        from s2s_ad.frontend.calls_random import call_generator

        return call_generator(lowering, receiver, method.name, arguments, name)
    if isinstance(receiver, Const) and isinstance(receiver.value, str):
        from s2s_ad.frontend.texts import call_string_method

        return call_string_method(lowering, receiver.value, method.name, arguments)
    raise lowering.refuse(
        "unknown-operation",
        f"no derivative is known for the method `{method.name}`",
        node.func,
        help="use the NumPy function, or declare its derivative with `s2s_ad.declare`",
    )


def _container_method(
    lowering: Lowering, receiver: Container, method: str, arguments: Arguments
) -> Value:
    receiver = refreshed(lowering, receiver, arguments.node)
    if method == "sort" and receiver.kind in ("list", "growing"):
        from s2s_ad.frontend.calls_iterables import sort_in_place

        return sort_in_place(lowering, receiver, arguments)
    if method == "update" and receiver.kind == "dict" and arguments.keywords:
        named = tuple(arguments.keywords.values())
        more = container(lowering, "dict", named, tuple(arguments.keywords))
        for each in (*arguments.positional, more):
            receiver = refreshed(lowering, receiver, arguments.node)
            call_method(lowering, receiver, method, [each], arguments.node)
        return Const(None)
    if method in ("count", "index") and receiver.kind in ("tuple", "list"):
        return _found_in(lowering, receiver, method, arguments)
    if not arguments.keywords:
        given = call_method(lowering, receiver, method, arguments.positional, arguments.node)
        if given is not None:
            return given
    if receiver.kind == "dict" and not arguments.keywords:
        if method in ("values", "keys", "items") and isinstance(receiver, Structure):
            return view_of(lowering, receiver, method)
        if method == "get" and arguments.positional:
            key = static(arguments.positional[0])
            if key is not None and key.value in receiver.keys:
                found: Value = receiver.items[receiver.keys.index(key.value)]
                return found
            return arguments.positional[1] if len(arguments.positional) > 1 else Const(None)
    if receiver.kind == "record" and method == "_replace" and not arguments.positional:
        items = dict(zip(receiver.keys, receiver.items, strict=True)) | arguments.keywords
        return Structure(
            "record",
            receiver.keys,
            tuple(items[key] for key in receiver.keys),
            receiver.constructor,
        )
    if receiver.kind == "record" and method == CLASS:
        items = dict(zip(receiver.keys, arguments.positional, strict=False)) | arguments.keywords
        if set(items) == set(receiver.keys):
            fields = [items[key] for key in receiver.keys]
            return container(lowering, "record", fields, receiver.keys, receiver.constructor)
    raise lowering.refuse(
        "unsupported-syntax",
        f"the method `{method}` of a {receiver.kind} is not supported yet",
        arguments.node,
    )


def _found_in(lowering: Lowering, receiver: Container, method: str, arguments: Arguments) -> Value:
    """`t.count(v)`, `t.index(v)` of what is known."""
    items = [static(item) for item in receiver.items]
    wanted = static(arguments.positional[0]) if len(arguments.positional) == 1 else None
    if None in items or wanted is None:
        raise lowering.refuse(
            "not-constant", "which items are equal is not known here", arguments.node
        )
    values = [item.value for item in items if item is not None]
    if method == "count":
        return Const(values.count(wanted.value))
    if wanted.value not in values:
        raise lowering.refuse("bad-index", f"{wanted.value!r} is not in it", arguments.node)
    return Const(values.index(wanted.value))


def _spread(lowering: Lowering, arguments: Arguments) -> Atom:
    """Integers given one by one, or one tuple of them."""
    values = arguments.rest()
    if not values and "shape" in arguments.keywords:
        values = [arguments.keywords.pop("shape")]
    value = (
        values[0]
        if len(values) == 1
        else Structure("tuple", tuple(range(len(values))), tuple(values))
    )
    return static_operand(lowering, value, arguments.node)


def _transpose_method(lowering: Lowering, receiver: Atom, arguments: Arguments, name: str) -> Value:
    axes: Atom = _spread(lowering, arguments) if arguments.positional else Const(None)
    no_more(lowering, arguments)
    return lowering.assign(
        lowering.operation("numpy.transpose"), [receiver, axes], arguments.node, name
    )


def _copy_method(lowering: Lowering, receiver: Atom, arguments: Arguments, name: str) -> Value:
    return lowering.assign(COPY_METHOD, [receiver], arguments.node, name)


def _astype(lowering: Lowering, receiver: Atom, arguments: Arguments, name: str) -> Value:
    dtype = static_operand(lowering, arguments.take(0, "dtype", Const(None)), arguments.node)
    copies = arguments.take(4, "copy", Const(True))
    for place, key in enumerate(("order", "casting", "subok"), start=1):
        arguments.keywords[key] = arguments.take(place, key, Const(HARMLESS[key][0]))
    drop_harmless(lowering, lowering.operation("ndarray.astype"), arguments)
    no_more(lowering, arguments)
    if copies == Const(False) and isinstance(receiver.type, Array):
        if dtype_argument(dtype, receiver.type.dtype) == receiver.type.dtype:
            return receiver
    elif static(copies) is None:
        raise lowering.refuse("not-constant", "`copy` has to be known", arguments.node)
    return lowering.assign(
        lowering.operation("ndarray.astype"), [receiver, dtype], arguments.node, name
    )


def _item_method(lowering: Lowering, receiver: Atom, arguments: Arguments, name: str) -> Value:
    """`x.item()` of one element, `x.item(k)` as the elements are counted, `x.item(i, j)`"""
    node, places = arguments.node, arguments.rest()
    no_more(lowering, arguments)
    element: Atom = receiver
    if len(places) == 1 and rank_of(receiver.type) != 1:
        element = lowering.assign(lowering.operation("numpy.ravel"), [receiver], node)
    if places:
        index = index_value(lowering, tuple_of(places) if len(places) > 1 else places[0], node)
        element = lowering.assign(lowering.operation("getitem"), [element, index], node)
    elif rank_of(receiver.type) != 0:
        element = lowering.assign(lowering.operation("numpy.reshape"), [receiver, Const(())], node)
    if rank_of(element.type) != 0:
        raise lowering.refuse("unsupported-argument", "`item` takes integers", node)
    kind = "int" if is_integer(element.type) else "bool" if is_boolean(element.type) else "float"
    return lowering.assign(lowering.operation(f"builtins.{kind}"), [element], node, name)


def _view_method(lowering: Lowering, receiver: Atom, arguments: Arguments, name: str) -> Value:
    """`x.view()`: all of the same memory; another dtype would read the bits as other numbers."""
    if arguments.positional or arguments.keywords or not isinstance(receiver.type, Array):
        raise lowering.refuse(
            "unsupported-argument",
            "`view` is supported without arguments, for arrays",
            arguments.node,
            help="convert with `x.astype(dtype)`",
        )
    return receiver


def _conjugate_method(
    lowering: Lowering, receiver: Atom, arguments: Arguments, target: str
) -> Value:
    """`x.conj()` of real numbers is `x`; `np.conj(x)` is a copy."""
    no_more(lowering, arguments)
    if not is_complex(receiver.type):
        return receiver
    return lowering.assign(
        lowering.operation("numpy.conjugate"), [receiver], arguments.node, target
    )


def _compress_method(lowering: Lowering, receiver: Atom, arguments: Arguments, name: str) -> Value:
    """`x.compress(condition, axis)`: the array comes second in the function."""
    arguments.positional.insert(1, receiver)
    return call_operation(lowering, lowering.operation("numpy.compress"), arguments, name)


def _to_list(lowering: Lowering, receiver: Atom, arguments: Arguments, name: str) -> Value:
    """Lists of lists of Python's numbers."""
    no_more(lowering, arguments)
    node = arguments.node
    if rank_of(receiver.type) == 0:
        return _item_method(lowering, receiver, Arguments([], {}, {}, node), name)
    found = through_value(lowering, receiver, node)
    if not isinstance(found, Counted):
        raise lowering.refuse("unsupported-value", "an array is needed here", node)
    item = found.item

    def number_or_list(index: Atom) -> Value:
        inner = atom(lowering, item(index), node)
        return _to_list(lowering, inner, Arguments([], {}, {}, node), "")

    from s2s_ad.frontend.comprehensions import collected

    return collected(lowering, replace(found, item=number_or_list), node)


def _refused(message: str, help: str) -> Callable[[Lowering, Atom, Arguments, str], Value]:
    def lower(lowering: Lowering, receiver: Atom, arguments: Arguments, name: str) -> Value:
        raise lowering.refuse("unknown-operation", message, arguments.node.func, help=help)

    return lower


OTHER_BYTES = "the bytes of an array have no derivative"
CONVERT = "convert the numbers: `x.astype(dtype)`"
METHODS: dict[str, Callable[[Lowering, Atom, Arguments, str], Value]] = {
    "compress": _compress_method,
    "tolist": _to_list,
    "resize": _refused(
        "`x.resize` changes the memory of an array that others may share",
        "make a new array: `np.concatenate((x, np.zeros(k)))`, or `x[:n].copy()`",
    ),
    **dict.fromkeys(
        ("byteswap", "newbyteorder", "getfield", "setfield", "tobytes"),
        _refused(OTHER_BYTES, CONVERT),
    ),
    "transpose": _transpose_method,
    "copy": _copy_method,
    "astype": _astype,
    "item": _item_method,
    "view": _view_method,
    "conj": _conjugate_method,
    "conjugate": _conjugate_method,
}
