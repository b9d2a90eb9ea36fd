"""`np.fft`: frequencies, and the order in which they stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from s2s_ad.ir import Atom
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import require_numeric
from s2s_ad.types import Array, Number, Sizes, Type, dtype_of, is_integer, shape_of

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


# The order of frequencies -----------------------------------------------------------------------


def _shifted_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    require_numeric([operands[0].type])
    return Array(dtype_of(operands[0].type), shape_of(operands[0].type))


for _name, _back in (("fftshift", "ifftshift"), ("ifftshift", "fftshift")):
    operation(
        f"out = np.fft.{_name}(x, axes=None)",
        f"grad_x += np.fft.{_back}(grad_out, axes=axes)",
        infer=_shifted_type,
        linear=("x",),
        samples=(
            {"x": "f[5]"},
            {"x": "f[4]"},
            {"x": "f[2,3]"},
            {"x": "f[3,5]", "axes": 1},
            {"x": "f[3,2,5]", "axes": (0, -1)},
            {"x": "f[0]"},
            {"x": "f[1]"},
        ),
    )


def _frequencies_type(half: bool) -> Callable[[Sizes, Sequence[Atom]], Type]:
    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        require_numeric([operands[1].type])
        count = operands[0].type
        known = count.value if isinstance(count, Number) and is_integer(count) else None
        if known is None:
            return Array("f64", (sizes.fresh(),))
        if not half:
            return Array("f64", (known,))
        fixed = known.constant
        return Array("f64", (sizes.fresh() if fixed is None else known * 0 + (fixed // 2 + 1),))

    return infer


for _name, _half in (("fftfreq", False), ("rfftfreq", True)):
    operation(
        f"out = np.fft.{_name}(n, d=1.0)",
        "grad_d += -np.sum(grad_out * out) / d",
        infer=_frequencies_type(_half),
        tangent="tangent_out = -out / d * tangent_d",
        domains={"d": "positive"},
        samples=(
            {"n": 5, "d": "f[]"},
            {"n": 4, "d": "f[]"},
            {"n": 1, "d": "f[]"},
        ),
    )
