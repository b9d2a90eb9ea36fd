"""Calls of functions whose derivative the program states: `custom_vjp`, `custom_jvp`.

The function and what states its derivative are captured for the arguments of the call, as functions
of the same operands: the arguments' numbers and arrays, and what any of the functions reads from
around. The call becomes one statement with a `CustomRule` of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import libcst as cst

from s2s_ad.diagnostics import DifferentiationError
from s2s_ad.frontend.arguments import Arguments
from s2s_ad.frontend.blocks import settled
from s2s_ad.frontend.calls import bind_arguments, call
from s2s_ad.frontend.captures import Inside, capture
from s2s_ad.frontend.containers import container
from s2s_ad.frontend.custom_parts import (
    NOBODY,
    Part,
    Pending,
    adjoints_like,
    bad_rule,
    has_effect,
    is_operand,
    kind_of,
    operands_in,
    tangents_like,
    with_signature,
)
from s2s_ad.frontend.lower import Lowering, inline
from s2s_ad.frontend.operands import current
from s2s_ad.frontend.values import CustomFunction, Refused, UserFunction, Value
from s2s_ad.ir import Atom, Const, Function, Structure, Var, tuple_of
from s2s_ad.operations.custom import CustomRule, call_custom
from s2s_ad.options import Options
from s2s_ad.types import DTYPES, Array, Number, Scalar, Type, is_float, is_numeric, shape_of

Action = Callable[[list[Value], dict[str, Value]], Value]

# Functions with a rule ----------------------------------------------------------------------------


def call_custom_function(lowering: Lowering, custom: CustomFunction, arguments: Arguments) -> Value:
    """A call of a function with a derivative of its own."""
    node, function = arguments.node, custom.function
    if not isinstance(function, UserFunction):
        raise bad_rule(
            lowering, "only functions written in Python can have a derivative stated", node
        )
    if custom.reverse is None and custom.tangent is None:
        message = f"the derivative of `{function.name}` is not stated"
        help = f"call `{function.name}.defvjp(forward, reverse)` where it is defined"
        raise bad_rule(lowering, message, node, help)
    arguments.positional[:0] = function.bound
    bound = bind_arguments(lowering, function, arguments)
    values: dict[str, Value] = {}
    for name, value in bound.items():
        values[name] = settled(lowering, value, node)  # type: ignore[assignment]
    return Making(lowering, custom, function, values, node).call()


def call_as_whole(lowering: Lowering, custom: CustomFunction, function: UserFunction) -> Value:
    """The function itself, where it is what is differentiated."""
    parameters = function.node.params
    names = lowering.frame.names
    by_position = (*parameters.posonly_params, *parameters.params)
    positional = [names[param.name.value] for param in by_position]
    keywords = {param.name.value: names[param.name.value] for param in parameters.kwonly_params}
    frame = lowering.frames.pop()
    lowering.frames.append(replace(frame, function=NOBODY))
    try:
        arguments = Arguments(positional, keywords, {}, function.node)  # type: ignore[arg-type]
        return call_custom_function(lowering, custom, arguments)
    finally:
        lowering.frames[-1] = frame


@dataclass
class Making:
    """Makes the rule of one call."""

    lowering: Lowering
    custom: CustomFunction
    function: UserFunction
    values: dict[str, Value]
    node: cst.CSTNode

    def call(self) -> Value:
        lowering = self.lowering
        arguments = [atom for value in self.values.values() for atom in operands_in(value)]
        key = (self.custom.origin, tuple(kind_of(value) for value in self.values.values()))
        pending = lowering.customs.get(key)
        if pending is not None:  # from within one of its functions: the rule that is being made
            pending.called = True
            return self.append(pending.rule, arguments, pending.template)
        given: list[Value] = []
        primal = self.part([], lambda _, names: self.noted(given, self.inlined(names)))
        template = given[0]
        if not operands_in(template):
            raise self.bad(f"`{self.function.name}` gives no number that depends on its arguments")
        rule = CustomRule(self.function.name, len(arguments), self.moving(), primal.function)
        rule.effect = has_effect(primal.function)
        lowering.customs[key] = pending = Pending(rule, template)
        try:
            parts = {"primal": primal, **self.parts(template)}
        finally:
            del lowering.customs[key]
        outer = tuple(dict.fromkeys(var for part in parts.values() for var in part.outer))
        if outer and pending.called:
            raise bad_rule(
                lowering,
                f"the rule of `{rule.name}` calls it, and reads `{outer[0].base_name}` from around",
                self.node,
                "pass what it reads as an argument",
            )
        for name, part in parts.items():
            setattr(rule, name, part.of(outer))
        if rule.tangent is not None:
            rule.forward = rule.primal
            rule.reverse = self.transposed(rule)
        else:
            rule.turned = self.turned(rule, parts["reverse"].special)
        every = (rule.primal, rule.forward)
        rule.effect = any(has_effect(part) for part in every if part is not None)
        return self.append(rule, [*arguments, *outer], template)

    def moving(self) -> tuple[int, ...]:
        """The places of the operands that have a derivative."""
        names = [(name, atom) for name, value in self.values.items() for atom in operands_in(value)]
        return tuple(
            place
            for place, (name, atom) in enumerate(names)
            if name not in self.custom.fixed and is_float(atom.type)
        )

    def part(self, special: Sequence[tuple[Value, str]], action: Action) -> Part:
        """Capture what `action` calls, which is told the special values and the arguments."""
        inside = Inside(self.lowering, self.node)
        told = [inside.argument(value, name, False) for value, name in special]
        count = len(inside.operands)
        names = {key: inside.argument(value, key, False) for key, value in self.values.items()}
        own = len(inside.operands)
        name, node = self.function.name, self.node
        captured = capture(self.lowering, name, node, inside, lambda: action(told, names))
        if captured.writes:
            raise bad_rule(
                self.lowering,
                f"`{name}`, or what states its derivative, writes to an argument",
                node,
                "work on a copy, and return it",
            )
        return Part(captured.function, count, own)

    def noted(self, given: list[Value], value: Value) -> Value:
        """Keep a value for its structure; as result, the numbers and arrays in it."""
        value = settled(self.lowering, value, self.node)  # type: ignore[assignment]
        given.append(value)
        return tuple_of(operands_in(value))

    def inlined(self, names: dict[str, Value]) -> Value:
        return inline(self.lowering, self.function, names, self.node)

    def parts(self, template: Value) -> dict[str, Part]:
        """The functions that state the derivative."""
        if self.custom.tangent is not None:
            return {"tangent": self.tangent(template)}
        kept: list[Value] = []
        forward = self.part([], lambda _, names: self.kept(kept, names, template))
        grads = adjoints_like(template)
        reverse = self.part([(kept[0], "saved"), (grads, "grad_out")], self.pulled)
        return {"forward": forward, "reverse": reverse}

    def kept(self, kept: list[Value], names: dict[str, Value], template: Value) -> Value:
        """What the forward function gives: the results, and then the residuals."""
        assert self.custom.forward is not None
        found = self.told(self.custom.forward, [], names, every=True)
        if not (isinstance(found, Structure) and found.kind == "tuple" and len(found.items) == 2):
            raise self.bad("the forward function has to give a pair: the result and the residuals")
        out, residuals = found.items
        kept.append(settled(self.lowering, residuals, self.node))  # type: ignore[arg-type]
        results = self.alike(out, template, "the result of the forward function")
        return tuple_of([*results, *operands_in(kept[0])])

    def pulled(self, told: list[Value], names: dict[str, Value]) -> Value:
        """What the reverse function gives: an adjoint for each argument that has one."""
        assert self.custom.reverse is not None
        found = self.told(self.custom.reverse, told, names)
        wanted = [name for name in self.values if name not in self.custom.fixed]
        if not (isinstance(found, Structure) and found.kind == "tuple"):
            raise self.bad("the reverse function has to give a tuple: an adjoint for each argument")
        if len(found.items) != len(wanted):
            listed = ", ".join(f"`{name}`" for name in wanted)
            message = f"the reverse function gives {len(found.items)} adjoints, for {listed}"
            raise self.bad(message)
        adjoints: list[Atom] = []
        for name, adjoint in zip(wanted, found.items, strict=True):
            adjoints += self.adjoint(self.values[name], adjoint, name)
        return tuple_of(adjoints)

    def adjoint(self, argument: Value, given: Value, name: str) -> list[Atom]:
        """The adjoints of the numbers and arrays of an argument; None says that one is zero."""
        given = current(self.lowering, given, self.node)
        moving = [atom for atom in operands_in(argument) if is_float(atom.type)]
        if given == Const(None):
            return [Const(None)] * len(moving)
        if isinstance(argument, Structure):
            if not isinstance(given, Structure) or given.keys != argument.keys:
                raise self.bad(f"the adjoint of `{name}` has to have its structure")
            pairs = zip(argument.items, given.items, strict=True)
            return [atom for one, two in pairs for atom in self.adjoint(one, two, name)]
        return [self.fitting(given, atom, f"the adjoint of `{name}`") for atom in moving]

    def tangent(self, template: Value) -> Part:
        """The function that gives results and their tangents."""
        special: list[tuple[Value, str]] = []
        for name, value in self.values.items():
            if name not in self.custom.fixed:
                special.append((tangents_like(value), f"dot_{name}"))

        def pushed(told: list[Value], names: dict[str, Value]) -> Value:
            assert self.custom.tangent is not None
            moving = [names[name] for name in self.values if name not in self.custom.fixed]
            pair = [container(self.lowering, "tuple", each) for each in (moving, told)]
            found = self.told(self.custom.tangent, pair, names)
            if not (isinstance(found, Structure) and len(found.items) == 2):
                raise self.bad("the rule has to give a pair: the result and its tangent")
            out, dots = found.items
            return tuple_of([
                *self.alike(out, template, "the result of the rule"),
                *self.alike(dots, template, "the tangent that the rule gives", floats=True),
            ])  # fmt: skip

        return self.part(special, pushed)

    def transposed(self, rule: CustomRule) -> Function:
        """What a tangent is as a linear function, the other way round. Raises DifferentiationError
        where it is not linear.
        """
        assert rule.tangent is not None and self.lowering.derive is not None
        tangent = rule.tangent
        count = len(rule.primal.body.results)
        parameters = tangent.body.parameters
        linear = with_signature(tangent, parameters, tangent.body.results[count:])
        wrt = tuple(formal.name for formal in linear.formals[: len(rule.moving)])
        try:
            found = self.lowering.derive(linear, Options("transpose", wrt))
        except DifferentiationError as problem:
            self.lowering.report(problem)
            raise Refused() from None
        operands = parameters[len(rule.moving) :]
        seeds = found.body.parameters[len(parameters) :]
        return with_signature(found, (*seeds, *operands), found.body.results)

    def turned(self, rule: CustomRule, special: int) -> Callable[[], Function] | None:
        """What makes the tangent: the reverse function, which is linear in adjoints, turned round.
        It raises DifferentiationError where that is not linear.
        """
        reverse, derive = rule.reverse, self.lowering.derive
        assert reverse is not None and rule.forward is not None
        kept = len(rule.forward.body.results) - len(rule.primal.body.results)
        residuals = reverse.body.parameters[:kept]
        grads = reverse.body.parameters[kept:special]
        operands = reverse.body.parameters[special:]
        results = [result for result in reverse.body.results if result != Const(None)]
        linear = with_signature(reverse, (*grads, *residuals, *operands), results)
        if derive is None or not grads or not results:
            return None

        def turn() -> Function:
            wrt = tuple(formal.name for formal in linear.formals[: len(grads)])
            found = derive(linear, Options("transpose", wrt))
            seeds = found.body.parameters[len(linear.body.parameters) :]
            return with_signature(found, (*seeds, *residuals, *operands), found.body.results)

        return turn

    def told(
        self,
        function: Value,
        special: Sequence[Value],
        names: dict[str, Value],
        every: bool = False,
    ) -> Value:
        """Call what states the derivative: with what is fixed, then the rest."""
        by_keyword = {param.name.value for param in self.function.node.params.kwonly_params}
        first = [name for name in names if (every or name in self.custom.fixed)]
        positional = [names[name] for name in first if not (every and name in by_keyword)]
        keywords = {name: names[name] for name in by_keyword} if every else {}
        arguments = Arguments([*positional, *special], keywords, {}, self.node)  # type: ignore[arg-type]
        return current(self.lowering, call(self.lowering, function, arguments, ""), self.node)

    def alike(self, given: Value, template: Value, what: str, floats: bool = False) -> list[Atom]:
        """The numbers and arrays of a value that has to have the structure of another one."""
        given = current(self.lowering, given, self.node)
        if isinstance(template, Structure):
            if not isinstance(given, Structure) or given.keys != template.keys:
                raise self.bad(f"{what} has to have the structure of what the function gives")
            pairs = zip(given.items, template.items, strict=True)
            return [a for one, two in pairs for a in self.alike(one, two, what, floats)]
        if not is_operand(template):
            return []
        assert isinstance(template, Var)
        if floats and not is_float(template.type):
            return []
        return [self.fitting(given, template, what, exact=True)]

    def fitting(self, given: Value, wanted: Atom, what: str, exact: bool = False) -> Atom:
        """A number or array of the rank and the shape of another one; `exact`: of its type."""
        if not isinstance(given, Var | Const) or not is_numeric(given.type):
            raise self.bad(f"{what} has to be a number or an array, of type {wanted.type}")
        if isinstance(given, Const) and is_float(wanted.type) and type(given.value) is int:
            given = Const(float(given.value))
        left, right = shape_of(given.type), shape_of(wanted.type)
        known = left is not None and right is not None and len(left) == len(right)
        same = known and all(
            self.lowering.sizes.unify(a, b) for a, b in zip(left or (), right or (), strict=True)
        )
        if not (same or given.type == wanted.type) or is_float(given.type) != is_float(wanted.type):
            raise self.bad(f"{what} is of type {given.type}, where {wanted.type} is needed")
        return self.converted(given, wanted.type) if exact else given

    def converted(self, given: Atom, type: Type) -> Atom:
        """The value as one of the type: a float of Python's or NumPy's, and of its dtype."""
        lowering = self.lowering
        have, type = (lowering.sizes.resolve_type(each) for each in (given.type, type))
        if have == type or not is_numeric(type):
            return given
        if isinstance(type, Number) and type.kind == "float":
            return lowering.assign(lowering.operation("builtins.float"), [given], self.node)
        if isinstance(type, Scalar):
            convert = lowering.operation(f"numpy.{DTYPES[type.dtype]}")
            return lowering.assign(convert, [given], self.node)
        if isinstance(type, Array) and isinstance(have, Array) and have.dtype != type.dtype:
            raise self.bad(f"a result is of dtype {have.dtype}, where {type.dtype} is needed")
        return given

    def append(self, rule: CustomRule, operands: Sequence[Atom], template: Value) -> Value:
        """Append the call, and give its result."""
        lowering = self.lowering
        op = call_custom(rule)
        results: Sequence[Var]
        if op.results:
            results = lowering.assign_several(op, list(operands), self.node)
        else:
            results = [lowering.assign(op, list(operands), self.node)]
        lowering.memory.catch_up(lowering)
        aliases = lowering.memory
        for result, inner in zip(results, rule.primal.body.results, strict=True):
            for place, parameter in enumerate(rule.primal.body.parameters):
                if isinstance(inner, Var) and aliases.meet(parameter, inner):
                    aliases.hand_on(result, result)
                    for root in aliases.roots(operands[place]):
                        aliases.overlap(result, root)
        supply = iter(results)
        return self.filled(template, supply)

    def filled(self, template: Value, supply: Iterator[Var]) -> Value:
        """The structure of a result with the values of this call; a list or dict is a new one."""
        if isinstance(template, Structure):
            items = [self.filled(item, supply) for item in template.items]
            if template.identity is None:
                return replace(template, items=tuple(items))
            keys = template.keys
            return container(self.lowering, template.kind, items, keys, template.constructor)
        return next(supply) if is_operand(template) else template

    def bad(self, message: str) -> Exception:
        return bad_rule(self.lowering, message, self.node)


__all__ = ["Making", "call_as_whole", "call_custom_function"]
