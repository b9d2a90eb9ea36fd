"""Helpers for products of unknown rank: each is linear in the adjoint and in the other operand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s2s_ad.ir import Atom
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import (
    require_numeric,
    shape_argument,
)
from s2s_ad.types import (
    Array,
    Sizes,
    Type,
    promote,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


def _adjoint_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """The shape is an operand, the dtype that of the products."""
    types = [operand.type for operand in operands[:2]]
    require_numeric(types)
    return Array(promote(types), shape_argument(sizes, operands[2].type))


SIDES = (
    {"grad": "f[2,4]", "left": "f[2,3]", "right": "f[3,4]"},
    {"grad": "f[2]", "left": "f[2,3]", "right": "f[3]"},
    {"grad": "f[4]", "left": "f[3]", "right": "f[3,4]"},
)
ROWS = (
    {"grad": "f[2,4]", "left": "f[2,3]", "right": "f[4,3]"},
    {"grad": "f[4]", "left": "f[3]", "right": "f[4,3]"},
)


def _shape_sample(spec: str) -> tuple[int, ...]:
    return tuple(int(size) for size in spec[2:-1].split(","))


def declare_adjoints(
    name: str,
    product: str,
    sides: Sequence[dict[str, str]] = SIDES,
    more: dict[str, Any] | None = None,
) -> None:
    """Declare the helpers `name_left` and `name_right`, the adjoints of the operands of a product.

    <w, left(g, b)> = <g, w b> and <w, right(g, a)> = <g, a w>: their own adjoints are again
    products and these helpers.
    """
    more = more or {}
    extra = "".join(f", {key}" for key in more)
    operation(
        f"out = {name}_left(grad, b, shape{extra})",
        f"grad_grad += {product.format('grad_out', 'b')}",
        f"grad_b += {name}_right(grad, grad_out, np.shape(b){extra})",
        infer=_adjoint_type,
        bilinear=("grad", "b"),
        helper=f"{name}_left",
        samples=tuple(
            {"grad": side["grad"], "b": side["right"], "shape": _shape_sample(side["left"]), **more}
            for side in sides
        ),
    )
    operation(
        f"out = {name}_right(grad, a, shape{extra})",
        f"grad_grad += {product.format('a', 'grad_out')}",
        f"grad_a += {name}_left(grad, grad_out, np.shape(a){extra})",
        infer=_adjoint_type,
        bilinear=("grad", "a"),
        helper=f"{name}_right",
        samples=tuple(
            {"grad": side["grad"], "a": side["left"], "shape": _shape_sample(side["right"]), **more}
            for side in sides
        ),
    )


declare_adjoints("matmul", "{0} @ {1}")
declare_adjoints("dot", "np.dot({0}, {1})")
declare_adjoints("inner", "np.inner({0}, {1})", ROWS)
declare_adjoints("tensordot", "np.tensordot({0}, {1}, axes)", SIDES, {"axes": 1})
