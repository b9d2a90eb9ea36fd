"""What an expression can stand for while it is lowered: an atom of the IR, or something that
vanishes before the IR.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

import libcst as cst

from s2s_ad.frontend.source import Unit
from s2s_ad.ir import Atom, Const, Opaque, Structure, Var

if TYPE_CHECKING:
    from s2s_ad.diagnostics import Reporter


class Scope(Protocol):
    """Where names that a function does not assign are looked up."""

    def lookup(self, name: str) -> Value | None: ...


@dataclass(frozen=True)
class Named:
    """Something of a library, by its canonical dotted name: `numpy`, `numpy.sin`,
    `builtins.len`.
    """

    name: str


@dataclass(frozen=True, eq=False)
class UserFunction:
    """A function whose source is at hand. Two functions of one name are different objects.

    `defaults` are those of its parameters that were evaluated where the function was defined, and
    `bound` are its first arguments if it is a bound method. `solves` says what it finds, if it was
    declared to be a solver: "root" and the function that is zero there. `owner` is the class
    that it was written in.
    """

    name: str
    node: cst.FunctionDef | cst.Lambda
    unit: Unit
    scope: Scope
    closure: MutableMapping[str, Value] = field(default_factory=dict)
    defaults: dict[str, Value] = field(default_factory=dict)
    bound: tuple[Value, ...] = ()
    solves: tuple[str, UserFunction] | None = None
    owner: str = ""


@dataclass(frozen=True)
class PastItem:
    """What a function made in a comprehension reads behind it as the comprehension's own name: the
    last item, where that is not known when compiling.
    """


def private_name(owner: str, attribute: str) -> str:
    """The name that `self.__k` has in the object: `_Model__k`, in methods of a class `Model`."""
    plain = owner.lstrip("_")
    is_private = attribute.startswith("__") and not attribute.endswith("__")
    return f"_{plain}{attribute}" if is_private and plain else attribute


@dataclass(frozen=True)
class Method:
    """`x.sum`, before it is called."""

    receiver: Value
    name: str


@dataclass(frozen=True, eq=False)
class Partial:
    """`functools.partial(f, a, k=b)`"""

    function: Value
    positional: tuple[Value, ...]
    keywords: dict[str, Value]


def is_distribution(function: Value) -> TypeGuard[Named]:
    """Whether it is a distribution of `scipy.stats`; with parameters, a frozen one."""
    if not isinstance(function, Named) or not function.name.startswith("scipy.stats."):
        return False
    return function.name.count(".") == 2


@dataclass(frozen=True)
class Derived:
    """What `grad(f)` and its like give: the derivative of a function, to be called.

    `wrt` has positions and names of parameters, as the user gave them; `bare` says that there is
    one, and no tuple.
    """

    mode: str
    function: Value
    wrt: tuple[int | str, ...] = (0,)
    bare: bool = True
    has_aux: bool = False
    level: int = 1
    direction: str = ""
    sparse: str = ""


@dataclass(frozen=True, eq=False)
class Pullback:
    """The second of what `vjp(f, x)` gives: a function of the adjoint of `f(x)`."""

    function: Value
    arguments: tuple[Value, ...]
    has_aux: bool = False
    level: int = 1
    many: bool = False


@dataclass(frozen=True)
class CustomFunction:
    """A function below `custom_vjp` or `custom_jvp`, with what states its derivative.

    `fixed` are the parameters that are not differentiated; `origin` is what tells two such
    functions apart.
    """

    function: Value
    fixed: tuple[str, ...]
    origin: Any
    forward: Value | None = None
    reverse: Value | None = None
    tangent: Value | None = None


@dataclass(frozen=True, eq=False)
class FreeVariable:
    """A global, closure cell or attribute of a live function that holds numbers: read anew at every
    call.

    One that holds an object cannot be used itself, but `attribute` gives those of the object.
    """

    name: str
    read: Callable[[], object]
    identity: object = None
    attribute: Callable[[str], Value | None] | None = None


@dataclass(frozen=True)
class ClassField:
    """A field of a named tuple or dataclass, with the value that it has where none is given, or the
    function that makes it.
    """

    name: str
    default: Value | None = None
    by_keyword: bool = False
    factory: Value | None = None


@dataclass(frozen=True)
class Member:
    """What a class holds under a name: a "method", "property", "classmethod" or "staticmethod",
    each with its function, or any other "value". What is "computed" in another way is not known.
    """

    kind: str
    value: Value


@dataclass(frozen=True, eq=False)
class UserClass:
    """A class. `fields` are those of its objects where a library has written what makes them;
    `member` gives what the class itself holds, and what its objects find there. `parent` is what
    `super()` means in a function of it: the class, and the function's own.
    """

    name: str
    fields: tuple[ClassField, ...] | None
    member: Callable[[str], Member | None]
    parent: Callable[[UserFunction], UserClass | None] = lambda function: None
    identity: object = None  # what tells it from another one of its name


@dataclass(frozen=True, eq=False)
class Identity:
    """Which object a container is; `fixed` ones may be one of several, and cannot be changed."""

    born: int
    fixed: bool = False


@dataclass(frozen=True, eq=False)
class ViewOf(Identity):
    """The values, keys or items of a dict: what it shows is what the dict holds by then."""

    of: Identity | None = None
    part: str = ""


@dataclass(frozen=True)
class Growing:
    """A list of unknown length: its items are lists of the IR, one for each leaf of `item`.

    It has the fields of a `Structure`, but is none: its items are not those of the list.
    """

    kind: str
    keys: tuple[Any, ...]
    items: tuple[Any, ...]
    constructor: str = ""
    identity: Any = field(default=None, compare=False)
    item: Any = None


Container = Structure | Growing


@dataclass(frozen=True)
class Numbers:
    """A `range` that is no loop's: start, stop and step."""

    bounds: tuple[Atom, Atom, Atom]


@dataclass(frozen=True)
class Chosen:
    """One of two functions: which one is known only when the module runs."""

    test: Atom
    then: Value
    orelse: Value


@dataclass(frozen=True)
class Given:
    """An argument that is no number: what it stands for, and what is said of it at entry."""

    value: Value
    label: Opaque


@dataclass(frozen=True)
class Poison:
    """The value of a name whose assignment was refused; reading it says nothing more."""


@dataclass(frozen=True, eq=False)
class Unsettled:
    """The value of a name that has no one type here; reading it is refused, for this reason.

    Where `loop` is set, lowering its first trip apart may settle it.
    """

    name: str
    message: str
    help: str
    loop: object = None


class Peel(Exception):
    """Reading an `Unsettled` value: the first trip of the loop has to be lowered apart."""

    def __init__(self, loop: object) -> None:
        self.loop = loop


Value = (
    Var
    | Const
    | Structure
    | Growing
    | Named
    | UserFunction
    | Partial
    | Derived
    | Pullback
    | CustomFunction
    | Method
    | UserClass
    | FreeVariable
    | Chosen
    | Numbers
    | Poison
    | Unsettled
    | PastItem
)


class Unreached(Exception):
    """The path ends here for now: what a function that calls itself gives is not known yet."""


class RecursionFound(Exception):
    """A function is called within itself: it has to be lowered on its own."""

    def __init__(self, node: cst.CSTNode) -> None:
        super().__init__()
        self.node = node


class Refused(Exception):
    """The construct has been reported; lowering goes on with the next statement."""


class NotYet(Refused):
    """A name is read that a later statement of the loop assigns: its type is not known yet."""


class Raises(Refused):
    """What is computed here raises an exception whenever it is reached."""


__all__ = [
    "Chosen",
    "ClassField",
    "Container",
    "CustomFunction",
    "Derived",
    "FreeVariable",
    "Given",
    "Growing",
    "Identity",
    "Member",
    "Method",
    "Named",
    "NotYet",
    "Partial",
    "Peel",
    "Poison",
    "Pullback",
    "Raises",
    "Refused",
    "Reporter",
    "Scope",
    "Unsettled",
    "UserClass",
    "UserFunction",
    "Value",
]
