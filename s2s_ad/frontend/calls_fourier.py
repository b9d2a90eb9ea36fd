"""Calls of `np.fft` that are several transforms, one axis after the other, as in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s2s_ad.frontend.arguments import Arguments, no_more
from s2s_ad.frontend.calls_tools import (
    NOTHING,
    Function,
    apply,
    known,
    known_rank,
    operand,
    operate,
)
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import atom, static_operand
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const, Structure
from s2s_ad.operations.fourier import OPPOSITE

Transforms = Sequence[tuple[str, Value, int]]  # a function, its `n` and its axis


def several(kind: str, default_axes: tuple[int, ...] | None) -> Function:
    """`fftn`, `rfft2` and their like; `default_axes` are those of the two-dimensional ones."""

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        node = arguments.node
        a = operand(lowering, arguments, 0, "a")
        sizes = arguments.take(1, "s", NOTHING)
        axes = known(lowering, arguments.take(2, "axes", Const(default_axes)), "axes", node)
        norm = static_operand(lowering, arguments.take(3, "norm", NOTHING), node)
        no_more(lowering, arguments)
        lengths = _lengths(lowering, sizes, arguments)
        if lengths is None and kind in ("fft", "ifft"):
            return operate(lowering, node, f"fft.{kind}n", a, Const(axes), norm)
        if axes is None:
            rank = known_rank(lowering, a, node)
            count = rank if lengths is None else len(lengths)
            axes = tuple(range(rank - count, rank))
        if not isinstance(axes, tuple) or (lengths is not None and len(lengths) != len(axes)):
            raise lowering.refuse("bad-call", "`s` and `axes` need one length", node)
        every: list[Value] = [NOTHING] * len(axes) if lengths is None else lengths
        for function, n, axis in _in_order(kind, every, axes):
            a = apply(lowering, node, f"fft.{function}", a, n, axis=Const(axis), norm=norm)
        return a

    return lower


def _lengths(lowering: Lowering, sizes: Value, arguments: Arguments) -> list[Value] | None:
    if sizes == NOTHING:
        return None
    if isinstance(sizes, Structure):
        return [atom(lowering, item, arguments.node) for item in sizes.items]
    listed = known(lowering, sizes, "s", arguments.node)
    if not isinstance(listed, tuple):
        raise lowering.refuse("bad-call", "`s` is a tuple of sizes", arguments.node)
    return [Const(None if size == -1 else size) for size in listed]


def _in_order(kind: str, lengths: Sequence[Value], axes: Sequence[int]) -> Transforms:
    """NumPy's order: the real transform along the last axis comes first, or last when inverse."""
    triples: list[tuple[str, Value, int]] = [
        (kind, n, axis) for n, axis in zip(lengths, axes, strict=True)
    ]
    if kind == "rfft":
        others = [("fft", n, axis) for _, n, axis in reversed(triples[:-1])]
        return [triples[-1], *others]
    if kind == "irfft":
        return [*(("ifft", n, axis) for _, n, axis in triples[:-1]), triples[-1]]
    return list(reversed(triples))


def hermitian(inverse: bool) -> Function:
    """`hfft` and `ihfft`, by the real transforms of the conjugate, as NumPy computes them."""

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        node = arguments.node
        a = operand(lowering, arguments, 0, "a")
        n = arguments.take(1, "n", NOTHING)
        axis = arguments.take(2, "axis", Const(-1))
        norm = known(lowering, arguments.take(3, "norm", NOTHING), "norm", node)
        no_more(lowering, arguments)
        scale = Const(_opposite(lowering, norm, arguments))
        if inverse:
            spectrum = apply(lowering, node, "fft.rfft", a, n, axis=axis, norm=scale)
            return operate(lowering, node, "conjugate", spectrum)
        conjugate: Atom = operate(lowering, node, "conjugate", a)
        return apply(lowering, node, "fft.irfft", conjugate, n, axis=axis, norm=scale)

    return lower


def _opposite(lowering: Lowering, norm: Any, arguments: Arguments) -> str | None:
    if norm not in OPPOSITE:
        raise lowering.refuse("bad-call", f"`norm` is {norm!r}", arguments.node)
    return OPPOSITE[norm]


FOURIER: dict[str, Function] = {
    **{f"fft.{kind}n": several(kind, None) for kind in ("fft", "ifft", "rfft", "irfft")},
    **{f"fft.{kind}2": several(kind, (-2, -1)) for kind in ("fft", "ifft", "rfft", "irfft")},
    "fft.hfft": hermitian(inverse=False),
    "fft.ihfft": hermitian(inverse=True),
}
