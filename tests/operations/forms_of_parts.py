"""Calls that sort, join, make, pick and pad. Operands: see `forms.points`."""

from __future__ import annotations

from tests.operations.form_values import DTYPES, FLAGS, MAYBE_AXIS, ONE_AXIS, ORDERS, YES, calls

ORDERINGS = (
    *calls("np.sort(t{})", axis=("None", *ONE_AXIS), kind=('"stable"', '"mergesort"'), stable=YES),
    *calls("np.partition(t, 1{})", axis=("None", *ONE_AXIS), kind=('"introselect"',)),
    *calls("np.partition(x, (0, 2){})", axis=("1",)),
    *calls(
        "np.unique(v{})",
        equal_nan=FLAGS,
        sorted=YES,
        axis=("0", "None"),
    ),
    *calls("""
        np.unique_values(x{})
        np.trim_zeros(v{})
        """),
    *calls("np.unique(v{})[0]", return_index=YES, return_inverse=YES, return_counts=YES),
    *calls(
        "np.trim_zeros(np.where(v > 0.0, v, 0.0){})",
        trim=('"f"', '"b"', '"fb"'),
        axis=("0", "None"),
    ),
    *calls("np.searchsorted([0.0, 0.5], v{}) * v", side=('"left"', '"right"'), sorter=("[0, 1]",)),
)

JOINS = (
    *calls(
        """
        np.concatenate([x, y]{})
        np.concat((x, c){})
        np.concatenate((z, x[:, :3]){})
        """,
        axis=MAYBE_AXIS,
        dtype=DTYPES,
        casting=('"same_kind"',),
    ),
    *calls("np.concatenate([o, v, e]{})", axis=("None", "0")),
    *calls(
        """
        np.stack([x, y]{})
        np.stack((x, 2.0 * x, y){})
        """,
        axis=("0", "1", "-1", "2"),
        dtype=DTYPES,
        casting=('"same_kind"',),
    ),
    *calls(
        """
        np.vstack([x, v]{})
        np.row_stack([x, v]{})
        np.hstack([x, c]{})
        np.hstack([v, a]{})
        """,
        dtype=DTYPES,
        casting=('"same_kind"',),
    ),
    *calls("""
        np.dstack([x, y]{})
        np.column_stack([x, c[:, 0]]{})
        np.dstack([v, w]{})
        """),
    *calls("""
        np.block([[x, c], [y, c]]{})
        np.block([v, a]{})
        """),
    *calls("np.append(x, y{})", axis=MAYBE_AXIS),
    *calls(
        """
        np.append(v, a{})
        np.append(x, c{})
        """,
        axis=("None", "1"),
    ),
    *calls(
        """
        np.insert(x, 1, a{})
        np.insert(x, [0, 2], b{})
        """,
        axis=MAYBE_AXIS,
    ),
    *calls(
        """
        np.insert(x, 1, v{})
        np.insert(x, [0, 2], x[:2]{})
        """,
        axis=("0",),
    ),
    *calls(
        """
        np.delete(x, 1{})
        np.delete(x, [0, 2]{})
        np.delete(x, slice(0, 2){})
        """,
        axis=MAYBE_AXIS,
    ),
    *calls(
        """
        np.full((2, 3), a{})
        np.full(3, v[0]{})
        np.full((2, 4), v{})
        """,
        dtype=DTYPES,
        order=ORDERS[:2],
    ),
    *calls(
        """
        np.full_like(x, a{})
        np.full_like(x, v{})
        """,
        dtype=DTYPES,
        order=ORDERS,
        shape=("4",),
    ),
    *calls("np.arange(a, 4.0{})", step=("b",), dtype=("np.float64",)),
    *calls(
        """
        np.linspace(a, 3.0{})
        np.linspace(v, b{})
        np.linspace(a, x{})
        """,
        num=("5", "1", "0"),
        endpoint=FLAGS,
        dtype=DTYPES[:2],
        axis=ONE_AXIS,
    ),
    *calls("np.linspace(a, v, 3{})[0]", retstep=YES),
    *calls(
        """
        np.logspace(a, 2.0{})
        np.logspace(v, b{})
        """,
        num=("5", "1"),
        endpoint=FLAGS,
        base=("2.0", "w"),
        dtype=DTYPES[:2],
        axis=ONE_AXIS,
    ),
    *calls(
        """
        np.geomspace(a, 3.0{})
        np.geomspace(w, b{})
        """,
        num=("5", "2"),
        endpoint=FLAGS,
        dtype=DTYPES[:2],
        axis=ONE_AXIS,
    ),
)

PARTS = (
    *calls(
        """
        np.take(t, 1{})
        np.take(t, [0, -1, 1]{})
        t.take([[1, 0]]{})
        """,
        axis=MAYBE_AXIS,
        mode=('"raise"', '"wrap"', '"clip"'),
    ),
    *calls("np.take(v, [5, -7]{})", mode=('"wrap"', '"clip"')),
    *calls(
        """
        np.take_along_axis(x, np.argsort(y, axis=1){})
        np.take_along_axis(x, np.array([[0, 1, 0, 2]]){})
        """,
        axis=("0", "1", "-1"),
    ),
    *calls("np.take_along_axis(x, np.array([0, 5]){})", axis=("None",)),
    *calls("np.compress([True, False, True], x{})", axis=MAYBE_AXIS),
    *calls("np.extract(x > 0.0, x{})"),
    *calls(
        """
        np.choose([0, 1, 1, 0], [v, w]{})
        np.choose([0, 2, -1, 0], [v, x]{})
        """,
        mode=('"raise"', '"wrap"', '"clip"'),
    ),
    *calls("""
        np.where(x > 0.0, y, v{})
        np.where(v > 0.0, a, x{})
        np.where(x > 0.0, c, 0.0{})
        """),
    *calls("np.select([x > 0.5, x < -0.5], [x, y]{})", default=("a", "v")),
    *calls(
        """
        np.piecewise(x, [x < 0.0], [np.sin, np.cos]{})
        np.piecewise(x, [x < 0, x > 1], [a, np.exp]{})
        """
    ),
    *calls(
        "np.clip(x{})",
        a_min=("-0.5", "v", "None"),
        a_max=("0.5", "c + 3.0", "None"),
        min=("-0.5",),
        max=("0.5", "a"),
    ),
    *calls(
        """
        np.clip(x, -0.5, c + 1.0{})
        np.clip(a, v, 3.0{})
        """,
        dtype=("np.float64",),
    ),
    *calls("x.clip({})", min=("-0.5", "v"), max=("0.5", "a")),
    *calls("x.clip(-0.5, 0.5{})"),
    *calls("""
        np.apply_along_axis(np.cumsum, 0, x{})
        np.apply_along_axis(lambda r: r * r, 1, x{})
        """),
    *calls("""
        np.apply_over_axes(np.sum, t, [0, 2]{})
        np.apply_over_axes(np.mean, t, 1{})
        """),
    *calls(
        """
        np.interp(x, [-1.0, 0.0, 1.5], v[:3]{})
        np.interp(v, np.cumsum(w), w{})
        """,
        left=("a",),
        right=("2.0",),
        period=("4.0",),
    ),
    *calls("np.bincount([0, 2, 2, 1], w{})", minlength=("6",)),
    *calls("np.bincount([0, 2, 2, 1]{})", weights=("v",)),
    *calls(
        """
        np.pad(x, 2{})
        np.pad(x, (1, 2){})
        np.pad(x, ((1, 0), (2, 1)){})
        np.pad(x, ((1,), (2,)){})
        """,
        mode=(
            '"constant"',
            '"edge"',
            '"reflect"',
            '"symmetric"',
            '"wrap"',
            '"mean"',
            '"maximum"',
            '"minimum"',
            '"median"',
            '"linear_ramp"',
            '"empty"',
        ),
    ),
    *calls("np.pad(x, 1{})", constant_values=("2.0", "(1.0, 2.0)", "a")),
    *calls(
        """
        np.pad(x, 1, "reflect"{})
        np.pad(x, 2, "symmetric"{})
        """,
        reflect_type=('"odd"', '"even"'),
    ),
    *calls(
        """
        np.pad(x, 1, "mean"{})
        np.pad(x, 1, "maximum"{})
        """,
        stat_length=("2", "((1, 2), (2, 1))"),
    ),
    *calls('np.pad(x, 2, "linear_ramp"{})', end_values=("1.0", "a", "((1.0, 2.0), (a, b))")),
)
