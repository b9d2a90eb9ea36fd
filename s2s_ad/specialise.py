"""Compiles a live function for the types of its arguments, and finds again what was compiled.

A `Table` belongs to one function and one kind of derivative. It holds a `Specialisation` for each
signature it was called with: the generated text, the functions it defines, the free variables they
are passed, and the objects (helper functions, strings, modules) that must still be the same for it
to hold.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import re
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from s2s_ad.diagnostics import Diagnostic, DifferentiationError, Span, refusal
from s2s_ad.frontend.live import UnsupportedValue, is_flag, is_followed, signature_of, type_of_value
from s2s_ad.ir import Const, Opaque, Structure
from s2s_ad.modules import join_modules, load_module
from s2s_ad.options import Options
from s2s_ad.types import ONE, Array, Scalar, Size

if TYPE_CHECKING:
    from s2s_ad.frontend.annotations import TypeTree
    from s2s_ad.frontend.values import Given, UserFunction, Value
    from s2s_ad.ir import Function

# What reading a variable raises that is no longer there.
_GONE = (NameError, KeyError, ValueError, AttributeError)

_COMPILING = threading.RLock()


@dataclass(frozen=True)
class Wanted:
    """Which derivative: as `pipeline.Options`, the parameters by name."""

    mode: str
    wrt: tuple[str, ...]
    bare: bool
    has_aux: bool
    level: int
    checkpoint: int | str = ""
    trap_nan: bool = False
    direction: str = ""
    many: bool = False
    sparse: str = ""


# Parameters ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Parameters:
    """The parameters of a Python function; `bind` gives their values in order, as a call would.

    Python itself binds, in a function with the same parameters: that is fast, and its errors are
    the ones that everybody knows. `name` is what they call the function.
    """

    name: str
    positional: tuple[str, ...]
    keyword: tuple[str, ...]
    positional_only: int = 0
    defaults: Mapping[str, Any] = field(default_factory=dict)
    any_number: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return self.positional + self.keyword

    @functools.cached_property
    def bind(self) -> Callable[..., tuple[Any, ...]]:
        parts = [f"{name}=_[{name!r}]" if name in self.defaults else name for name in self.names]
        if self.keyword:
            parts.insert(len(self.positional), "*")
        if self.positional_only:
            parts.insert(self.positional_only, "/")
        if self.any_number:
            return lambda *args, **kwargs: ()  # compiling refuses it, and says where
        values = "".join(f"{name}, " for name in self.names)
        namespace: dict[str, Any] = {"_": self.defaults}
        exec(f"def {self.name}({', '.join(parts)}): return ({values})", namespace)
        bind: Callable[..., tuple[Any, ...]] = namespace[self.name]
        return bind

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.positional, self.keyword, self.positional_only,
                            self.defaults)  # fmt: skip


def parameters_of(function: types.FunctionType, name: str, bound: int = 0) -> Parameters:
    """The parameters of a function that is called by another name; the first are `bound`."""
    code = function.__code__
    if _has_stars(function):
        return Parameters(name, (), (), any_number=True)
    count = code.co_argcount
    return Parameters(
        name,
        code.co_varnames[bound:count],
        code.co_varnames[count : count + code.co_kwonlyargcount],
        max(code.co_posonlyargcount - bound, 0),
        _default_values(function),
    )


def _default_values(function: types.FunctionType) -> dict[str, Any]:
    """The defaults by parameter; an integer is a float where the annotation says so."""
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    given = function.__defaults__ or ()
    values = dict(zip(positional[len(positional) - len(given) :], given, strict=True))
    values.update(function.__kwdefaults__ or {})
    annotations = _annotations(function)
    for name, value in values.items():
        if type(value) is int and annotations.get(name) in (float, "float"):
            values[name] = float(value)
    return values


def _annotations(function: types.FunctionType) -> Mapping[str, Any]:
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(function, format=annotationlib.Format.FORWARDREF)
    return function.__annotations__


# Specialisations ----------------------------------------------------------------------------------


@dataclass(eq=False)
class Specialisation:
    """What was generated for one signature. `functions` are the module's, by name."""

    text: str
    functions: Mapping[str, Callable[..., Any]]
    name: str  # of the derivative's function, the one with the arguments of the primal
    count: int  # of the arguments that go by position
    keywords: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    free: Sequence[Callable[[], object]] = ()
    free_signature: tuple[object, ...] = ()
    used: Sequence[tuple[Callable[[], object], object]] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    directions: tuple[str, ...] = ()
    primal: Function | None = None
    form: Callable[[Any], object] = signature_of  # what must stay the same of free variables
    current: threading.local | None = None  # where arguments that are followed are read from
    given: tuple[tuple[int, object], ...] = ()  # arguments that the code is made for, by place

    def __post_init__(self) -> None:
        self.call = self.functions[self.name]

    def is_stale(self) -> bool:
        """Whether something that shaped the code has been replaced."""
        try:
            return not all(_is_same(read(), seen) for read, seen in self.used)
        except _GONE:
            return True

    def free_values(self, values: Sequence[Any]) -> dict[str, Any] | None:
        """The free variables' values now, at a call with these arguments; None if this
        specialisation does not hold for them.
        """
        if any(values[place] != value for place, value in self.given):
            return None
        if self.current is not None:
            self.current.values = values
        try:
            for read, seen in self.used:
                if read() is not seen and not _is_same(read(), seen):
                    return None
            if not self.free:
                return {}
            values = [read() for read in self.free]
        except _GONE:
            return None
        if tuple(map(self.form, values)) != self.free_signature:
            return None
        return dict(zip(self.hidden, values, strict=True))

    def run(self, values: Sequence[Any], more: Mapping[str, Any]) -> Any:
        """Call the derivative with the primal's arguments and, by name, what it takes besides."""
        if not self.keywords:
            return self.call(*values, **more)
        named = dict(zip(self.keywords, values[self.count :], strict=True))
        return self.call(*values[: self.count], **named, **more)


def _is_same(now: object, seen: object) -> bool:
    return now is seen or (isinstance(seen, str) and now == seen)


class Table:
    """The specialisations of a function for one kind of derivative, by the signature of a call.

    For a bound method `owner` gives the object that it is bound to.
    """

    def __init__(
        self,
        function: types.FunctionType,
        wanted: Wanted,
        owner: Callable[[], object] | None = None,
    ) -> None:
        # weakly, for tables are kept by function: whoever calls `find` holds it
        self._function = weakref.ref(function)
        self.wanted = wanted
        self.owner = owner
        self.name = derivative_name(wanted.mode, function)
        self.parameters = parameters_of(function, self.name, 0 if owner is None else 1)
        self.found: dict[object, tuple[Specialisation, ...]] = {}
        self.current = threading.local()  # the arguments of the call, where some are followed

    def primal(self) -> types.FunctionType:
        function = self._function()
        assert function is not None
        return function

    form = staticmethod(signature_of)  # of a value, what code is made for

    def signature(self, values: Sequence[Any]) -> object:
        """A key that is equal for arguments that the same code serves."""
        try:
            signature = tuple(map(self.form, values))
            hash(signature)
        except (TypeError, RecursionError):
            return None  # a container within itself, or a strange key: compiling refuses it
        return signature

    def find(self, values: Sequence[Any]) -> tuple[Specialisation, dict[str, Any]]:
        """The specialisation for these arguments, compiled if need be, and its free variables.

        Raises DifferentiationError.
        """
        signature = self.signature(values)
        while True:
            known = self.found.get(signature, ())
            for candidate in known:
                free = candidate.free_values(values)
                if free is not None:
                    return candidate, free
            with _COMPILING:
                if self.found.get(signature, ()) is not known:
                    continue  # another thread has compiled it
                made = self.compile(values)
                # what a rebound helper made stale goes; what a free variable's type excludes stays
                kept = [other for other in known if not other.is_stale()]
                self.found[signature] = (made, *kept)

    def every(self) -> list[Specialisation]:
        """All specialisations, in the order in which their signatures were first met."""
        return [made for group in list(self.found.values()) for made in reversed(group)]

    def compile(self, values: Sequence[Any]) -> Specialisation:
        """Compile for the types of these arguments. Raises DifferentiationError."""
        with as_refusals(self.primal()):
            used: list[tuple[Callable[[], object], object]] = []
            user_function = self.source(used)
            argument_types = self.argument_types(user_function, values)
            return self.generate(
                user_function, argument_types, used, _flags(self.parameters, values)
            )

    def compile_unseen(self) -> Specialisation:
        """Compile for what annotations and use say. Raises DifferentiationError."""
        with as_refusals(self.primal()):
            used: list[tuple[Callable[[], object], object]] = []
            return self.generate(self.source(used), {}, used)

    def source(self, used: list[tuple[Callable[[], object], object]]) -> UserFunction:
        from s2s_ad.frontend.live_scope import live_function

        user_function = live_function(self.primal(), used)
        found = tuple(param.name.value for param in _params(user_function))
        code = self.primal().__code__
        expected = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if found != expected and not _has_stars(self.primal()):
            raise refusal(
                "no-source",
                f"the source found for `{self.primal().__name__}` has other parameters",
                user_function.unit.span(user_function.node),
                "the file has changed since it was imported: import it again",
            )
        return user_function

    def argument_types(
        self, user_function: UserFunction, values: Sequence[Any]
    ) -> dict[str, TypeTree | Const | Given]:
        """The types of the arguments. All those that cannot be used are refused together."""
        sizes = _size_names(user_function)
        problems: list[Diagnostic] = []
        found: dict[str, TypeTree | Const | Given] = {}
        self.current.values = values
        params = {param.name.value: param for param in _params(user_function)}
        if self.parameters.any_number:
            return {}
        for name, value in zip(self.parameters.names, values, strict=True):
            span = user_function.unit.span(params[name]) if name in params else None
            try:
                found[name] = type_of_value(value, lambda: Size.of(next(sizes)))
            except UnsupportedValue as problem:
                given = self._follow(user_function, name, value)
                if given is not None:
                    found[name] = given
                    continue
                problems.append(_unsupported(name, problem, span))
            else:
                if name in self.wanted.wrt:
                    problems += _integer(name, value, span)
        if problems:
            raise DifferentiationError(problems)
        return found

    def _follow(self, user_function: UserFunction, name: str, value: Any) -> Given | None:
        """An argument that is followed: a function that is called, an object that is read."""
        from s2s_ad.frontend.live_scope import LiveScope
        from s2s_ad.frontend.values import Given

        scope = user_function.scope
        if name in self.wanted.wrt or not is_followed(value) or not isinstance(scope, LiveScope):
            return None
        place = self.parameters.names.index(name)
        seen = scope.wrap(name, lambda: self.current.values[place], ("argument", name))
        if seen is None:
            return None
        own_name = getattr(value, "__name__", "") if callable(value) else ""
        return Given(seen, Opaque(own_name or type(value).__name__, bool(own_name)))

    def lowered(
        self,
        user_function: UserFunction,
        argument_types: Mapping[str, TypeTree | Const | Given],
        given: Mapping[str, Const] | None = None,
    ) -> tuple[Function, Sequence[Any]]:
        """The function as IR, and its free variables; `given` are the values of flags."""
        from s2s_ad.frontend.live_scope import LiveScope
        from s2s_ad.frontend.lower import lower_function
        from s2s_ad.pipeline import NestedDerivatives

        bound: dict[str, Value] = {}
        if self.owner is not None:
            first = _params(user_function)[0].name.value
            assert isinstance(user_function.scope, LiveScope)
            bound[first] = user_function.scope.held_object(first, self.owner, "self")
        return lower_function(
            user_function, argument_types, bound, derive=NestedDerivatives(), given=given
        )

    def generate(
        self,
        user_function: UserFunction,
        argument_types: Mapping[str, TypeTree | Const | Given],
        used: Sequence[tuple[Callable[[], object], object]],
        given: Mapping[str, Const] | None = None,
    ) -> Specialisation:
        function, free = self.lowered(user_function, argument_types, given)
        text = self.text(function, self.name)
        hidden = tuple(formal.name for formal in function.formals if formal.hidden)
        functions = load_module(text, self.name)
        taken = {*self.parameters.names, *hidden}
        name = self.name
        if self.wanted.mode == "vjp":
            name = name.replace("vjp_", "forward_", 1)
        code = functions[name].__code__
        everything = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        return Specialisation(
            text=text,
            functions=functions,
            name=name,
            count=len(self.parameters.positional),
            keywords=self.parameters.keyword,
            hidden=hidden,
            free=[variable.read for variable in free],
            free_signature=tuple(self.form(variable.read()) for variable in free),
            used=tuple(used),
            labels={formal.name: _label(formal.tree) for formal in function.formals},
            directions=tuple(name for name in everything if name not in taken),
            primal=function,
            form=self.form,
            current=self.current if _follows(function) else None,
            given=self._made_for(function, given or {}),
        )

    def _made_for(
        self, function: Function, given: Mapping[str, Const]
    ) -> tuple[tuple[int, Any], ...]:
        """The flags and integers that became constants of the code: their places and values."""
        fixed = {formal.name for formal in function.formals if isinstance(formal.tree, Const)}
        places = enumerate(self.parameters.names)
        return tuple((k, given[name].value) for k, name in places if name in fixed & given.keys())

    def text(self, function: Function, name: str) -> str:
        """The module for a lowered function, whose derivative is to be called `name`."""
        from s2s_ad.pipeline import generate

        path = function.span.file.path if function.span is not None else ""
        return generate(function, self.options(name), path)

    def options(self, name: str) -> Options:
        """What the compiler is asked for; the derivative is to be called `name`."""
        wanted = self.wanted
        return Options(
            wanted.mode,
            wanted.wrt,
            wanted.bare,
            wanted.has_aux,
            wanted.level,
            name,
            wanted.checkpoint,
            wanted.trap_nan,
            wanted.direction,
            wanted.many,
            wanted.sparse,
        )

    def all_text(self) -> str:
        """The generated module; of several specialisations, each named by what tells it apart."""
        every = self.every()
        if not every:
            return self.compile_unseen().text
        if len(every) == 1:
            return every[0].text
        with as_refusals(self.primal()):
            names = [f"{self.name}_{label}" for label in _distinct_labels(every)]
            return join_modules(
                [self.text(made.primal, name) for made, name in zip(every, names, strict=True)
                 if made.primal is not None]
            )  # fmt: skip


_TABLES: weakref.WeakKeyDictionary[types.FunctionType, dict[object, Table]]
_TABLES = weakref.WeakKeyDictionary()


def table_of(
    function: types.FunctionType,
    wanted: Wanted,
    owner: object = None,
    kind: type[Table] = Table,
) -> Table:
    """The table of a function: the same for every `grad(f)` with the same options.

    One that is bound to an object has a table for that object, as long as both live.
    """
    with _COMPILING:
        tables = _TABLES.setdefault(function, {})
        key = (wanted, None if owner is None else id(owner))
        if key not in tables:
            tables[key] = kind(function, wanted, None if owner is None else _reference(owner))
            if owner is not None:
                with contextlib.suppress(TypeError):
                    weakref.finalize(owner, tables.pop, key, None)
        return tables[key]


def _reference(owner: object) -> Callable[[], object]:
    """Reads an object without keeping it alive, where that is possible."""
    try:
        return weakref.ref(owner)
    except TypeError:
        return lambda: owner


def derivative_name(mode: str, function: types.FunctionType) -> str:
    """`grad_loss`; a lambda counts as `f`."""
    name = function.__code__.co_name
    return f"{mode.replace('-', '_')}_{name if name.isidentifier() else 'f'}"


# Refusals -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def as_refusals(function: types.FunctionType) -> Iterator[None]:
    """Whatever goes wrong in the compiler reaches the user as a DifferentiationError."""
    try:
        yield
    except DifferentiationError:
        raise
    except RecursionError:
        message = f"`{function.__name__}` is nested too deeply to be differentiated"
        help = "split its expressions over several statements"
        raise refusal("too-deep", message, None, help) from None
    except Exception as problem:
        message = f"{type(problem).__name__} while compiling `{function.__name__}`: {problem}"
        raise refusal(
            "internal-error", message, None, "this is a bug of s2s_ad: please report the function"
        ) from problem


def _flags(parameters: Parameters, values: Sequence[Any]) -> dict[str, Const]:
    """The arguments on which may hang which path is taken: code is made for them where it must."""
    given = zip(parameters.names, values, strict=not parameters.any_number)
    return {name: Const(value) for name, value in given if is_flag(value)}


def _follows(function: Function) -> bool:
    """Whether arguments are followed instead of computed with."""
    trees = [formal.tree for formal in function.formals]
    return any(isinstance(tree, Const) and isinstance(tree.value, Opaque) for tree in trees)


def _unsupported(name: str, problem: UnsupportedValue, span: Span | None) -> Diagnostic:
    message = f"the argument `{name}{problem.place}` is {problem.message}"
    return Diagnostic(problem.name or "unsupported-argument", message, span, help=problem.help)


def _integer(name: str, value: Any, span: Span | None) -> list[Diagnostic]:
    """A refusal if an argument to differentiate is an integer or an array of integers."""
    kind = getattr(value, "dtype", None)
    if isinstance(value, int) and kind is None:
        small = abs(value) < 2**53  # others may have thousands of digits
        what = f"the {'boolean' if isinstance(value, bool) else 'integer'} {value if small else ''}"
        help = f"pass {float(value)!r}" if small else "pass a float"
    elif kind is not None and kind.kind in "iub":
        what = f"of dtype {kind}"
        help = f"pass `{name}.astype(float)`"
    else:
        return []
    message = f"`{name}` is {what.rstrip()}: a derivative needs floats"
    return [Diagnostic("integer-argument", message, span, help=help)]


# Sources and types --------------------------------------------------------------------------------


def _params(user_function: UserFunction) -> Sequence[Any]:
    parameters = user_function.node.params
    return (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params)


def _has_stars(function: types.FunctionType) -> bool:
    return bool(function.__code__.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS))


def _size_names(user_function: UserFunction) -> Iterator[str]:
    """Names for the sizes of arguments that no variable of the function has."""
    from s2s_ad.frontend.lower import SIZE_NAMES, identifiers

    words = identifiers(user_function.node)
    numbered = (f"n{number}" for number in itertools.count(len(SIZE_NAMES) + 1))
    return (name for name in itertools.chain(SIZE_NAMES, numbered) if name not in words)


def _label(tree: Any) -> str:
    """A type as part of a name: `float`, `f64_2d`, `f64_nx1`."""
    if isinstance(tree, Structure):
        return "_".join([tree.kind, *map(_label, tree.items)])
    if isinstance(tree, Const):
        said = tree.value.name if isinstance(tree.value, Opaque) else str(tree.value)
        return re.sub(r"\W+", "_", said).strip("_").lower() or "empty"
    kind = tree.type
    if isinstance(kind, Array) and kind.shape is not None:
        pattern = "x".join("1" if size == ONE else "n" for size in kind.shape)
        return f"{kind.dtype}_{pattern if '1' in pattern else f'{len(kind.shape)}d'}"
    return kind.dtype if isinstance(kind, Scalar | Array) else str(kind)


def _distinct_labels(every: Sequence[Specialisation]) -> list[str]:
    """For each specialisation the types by which it differs from others, made unique."""
    names = dict.fromkeys(name for made in every for name in made.labels)
    differing = [name for name in names if len({made.labels.get(name) for made in every}) > 1]
    labels: list[str] = []
    for made in every:
        label = "_".join(made.labels[name] for name in differing if name in made.labels)[:60]
        label, wanted = label or "1", label or "1"
        count = 1
        while label in labels:
            count += 1
            label = f"{wanted}_{count}"
        labels.append(label)
    return labels
