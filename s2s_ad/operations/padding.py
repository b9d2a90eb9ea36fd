"""Padding: `np.pad` with constants, or with elements of the array.

Modes that repeat elements pick them by place, so the adjoint goes back to those places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import constant, known_shape, require_numeric, unsupported
from s2s_ad.types import Array, Sizes, Type, TypeProblem, dtype_of

CATALOGUE = Catalogue()
PICKING = ("edge", "reflect", "symmetric", "wrap")


def pad_widths(operands: Sequence[Atom]) -> tuple[tuple[int, int], ...]:
    """How many elements are added before and after, for each axis."""
    rank = len(known_shape(operands[0], "np.pad"))
    width = constant(operands[1], "pad_width")
    while isinstance(width, tuple | list) and len(width) == 1:
        (width,) = width
    if isinstance(width, int):
        return ((width, width),) * rank
    if len(width) == 2 and all(isinstance(part, int) for part in width):
        return ((width[0], width[1]),) * rank
    parts = [tuple(part) if isinstance(part, tuple | list) else () for part in width]
    lengths = {len(part) for part in parts}
    if len(parts) != rank or lengths not in ({1}, {2}):
        raise unsupported(
            "`pad_width` is a number, a pair, or a pair for each axis", "write out the pairs"
        )
    return tuple((part[0], part[-1]) for part in parts)  # one number is for both ends


def _padded_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    x = operands[0].type
    require_numeric([x])
    mode = constant(operands[2], "mode")
    if mode not in ("constant", *PICKING):
        modes = ", ".join(f"`{each}`" for each in ("constant", *PICKING))
        raise unsupported(
            f"`np.pad` is supported with the modes {modes}", "join the parts with `np.concatenate`"
        )
    constant(operands[3], "constant_values")
    widths = pad_widths(operands)
    if any(width < 0 for pair in widths for width in pair):
        raise TypeProblem("shape-mismatch", "`pad_width` is negative")
    shape = known_shape(operands[0], "np.pad")
    padded = (size + (before + after) for size, (before, after) in zip(shape, widths, strict=True))
    return Array(dtype_of(x), tuple(padded))


def pad_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    mode = constant(operands[2], "mode")
    if mode != "constant":
        origin = f"np.pad(places(np.shape(x)), pad_width, mode='{mode}')"
        return (f"grad_x += scattered(grad_out, {origin}, np.shape(x))",)
    parts = [f"{b or ''}:{-a if a else ''}" for b, a in pad_widths(operands)]
    return (f"grad_x += grad_out[{', '.join(parts)}]" if parts else "grad_x += grad_out",)


def _pad(x: Any, pad_width: Any, mode: Any, constant_values: Any) -> Any:
    if mode == "constant":
        return np.pad(x, pad_width, mode, constant_values=constant_values)
    return np.pad(x, pad_width, mode)


CATALOGUE.operation(
    "out = np.pad(x, pad_width, mode='constant', constant_values=0)",
    infer=_padded_type,
    evaluate=_pad,
    rules=(Rule(pad_lines),),
    # the padding is not linear in x unless it is zero
    tangent="tangent_out = np.pad(tangent_x, pad_width, mode=mode)",
    samples=(
        {"x": "f[3]", "pad_width": 1},
        {"x": "f[2,3]", "pad_width": (0, 2)},
        {"x": "f[2,3]", "pad_width": ((1, 2), (0, 3)), "constant_values": 2.5},
        {"x": "f[3]", "pad_width": 1, "constant_values": (1.0, 2.0)},
        {"x": "f[0]", "pad_width": (1, 0)},
        {"x": "f[2,3]", "pad_width": ((1, 2),)},
        {"x": "f[2,3]", "pad_width": ((1,), (2,))},
        *({"x": "f[2,3]", "pad_width": ((1, 2), (0, 3)), "mode": mode} for mode in PICKING),
        *({"x": "f[3]", "pad_width": 5, "mode": mode} for mode in PICKING),
        {"x": "f[1]", "pad_width": 2, "mode": "edge"},
    ),
)
