"""Values of the arguments that functions of NumPy share, as source text."""

from __future__ import annotations

from tests.operations.forms import Call

AXIS = ("None", "0", "-1", "(0, 2)", "(-1, 0)", "()")
ONE_AXIS = ("0", "1", "-1")
MAYBE_AXIS = ("None", "0", "1", "-1")
YES = ("True",)
FLAGS = ("True", "False")
DTYPES = ("np.float64", "np.float32", "float", '"float32"')
ORDERS = ('"C"', '"F"', '"A"', '"K"')
NORMS = ("None", '"backward"', '"ortho"', '"forward"')
MODES = ('"full"', '"same"', '"valid"')
WHERE = ("t > 0.1", "True", "[True, False, True, True]")
TRANSFORM = {"axis": ONE_AXIS, "norm": NORMS, "n": ("3", "6", "None")}
TRANSFORMS = {"axes": ("(0, 1)", "(1,)", "(-1, 0)", "None"), "norm": NORMS, "s": ("(2, 5)", "None")}
METHODS_OF_QUANTILES = tuple(
    f'"{name}"'
    for name in (
        *("linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf", "hazen", "weibull"),
        *("averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf"),
        *("median_unbiased", "normal_unbiased"),
    )
)
REDUCED = {"axis": AXIS, "keepdims": FLAGS, "initial": ("a", "2.0"), "where": WHERE}
SPREAD = {
    "axis": AXIS,
    "keepdims": FLAGS,
    "dtype": DTYPES,
    "ddof": ("1", "0.5"),
    "where": WHERE,
    "mean": ("np.mean(t, keepdims=True)",),
    "correction": ("1",),
}
ACCUMULATED = {"axis": MAYBE_AXIS, "dtype": DTYPES}
OF_UFUNC = {"axis": ("0", "1", "-1", "()", "None"), "keepdims": FLAGS, "dtype": DTYPES[:2]}
QUANTILES = {"axis": AXIS, "keepdims": FLAGS, "method": METHODS_OF_QUANTILES, "weights": ("y",)}


def calls(table: str, **options: tuple[str, ...]) -> tuple[Call, ...]:
    """A call for each line, all with the same further arguments."""
    return tuple(Call(line.strip(), options) for line in table.strip().splitlines())
