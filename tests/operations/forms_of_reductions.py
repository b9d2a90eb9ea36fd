"""Calls that reduce or accumulate along axes. Operands: see `forms.points`."""

from __future__ import annotations

from tests.operations.form_values import (
    ACCUMULATED,
    AXIS,
    DTYPES,
    FLAGS,
    MAYBE_AXIS,
    OF_UFUNC,
    ONE_AXIS,
    QUANTILES,
    REDUCED,
    SPREAD,
    WHERE,
    calls,
)

REDUCTIONS = (
    *calls(
        """
        np.sum(t{})
        np.prod(t{})
        """,
        **REDUCED,
        dtype=DTYPES,
    ),
    *calls(
        """
        np.max(t{})
        np.min(t{})
        np.amax(t{})
        np.amin(t{})
        """,
        **REDUCED,
    ),
    *calls("np.mean(t{})", axis=AXIS, keepdims=FLAGS, dtype=DTYPES, where=WHERE),
    *calls(
        """
        np.var(t{})
        np.std(t{})
        """,
        **SPREAD,
    ),
    *calls(
        """
        np.nansum(n{})
        np.nanprod(n{})
        """,
        **REDUCED,
        dtype=DTYPES,
    ),
    *calls(
        """
        np.nanmax(n{})
        np.nanmin(n{})
        """,
        **REDUCED,
    ),
    *calls("np.nanmean(n{})", axis=AXIS, keepdims=FLAGS, dtype=DTYPES, where=WHERE),
    *calls(
        """
        np.nanvar(n{})
        np.nanstd(n{})
        """,
        **SPREAD,
    ),
    *calls("np.ptp(t{})", axis=AXIS, keepdims=FLAGS),
    *calls(
        """
        np.sum(z{})
        np.prod(z{})
        """,
        axis=MAYBE_AXIS,
        keepdims=FLAGS,
    ),
    *calls(
        """
        np.sum(a{})
        np.max(a{})
        np.std(o{})
        np.var(c{})
        """,
        axis=MAYBE_AXIS,
        keepdims=FLAGS,
    ),
    *calls(
        """
        t.sum({})
        t.prod({})
        """,
        **REDUCED,
        dtype=DTYPES,
    ),
    *calls(
        """
        t.max({})
        t.min({})
        """,
        **REDUCED,
    ),
    *calls("t.mean({})", axis=AXIS, keepdims=FLAGS, dtype=DTYPES, where=WHERE),
    *calls(
        """
        t.var({})
        t.std({})
        """,
        **SPREAD,
    ),
    *calls(
        "np.average(x{})",
        axis=("None", "0", "-1", "(0, 1)", "(1, 0)", "()"),
        weights=("y", "None", "w"),
        keepdims=FLAGS,
        returned=FLAGS,
    ),
    *calls(
        """
        np.logaddexp.reduce(t{})
        np.logaddexp2.reduce(t{})
        """,
        **OF_UFUNC,
    ),
    *calls("np.hypot.reduce(t{})", **OF_UFUNC),
    *calls(
        """
        np.add.reduce(t{})
        np.multiply.reduce(t{})
        """,
        **OF_UFUNC,
        initial=("a",),
        where=("t > 0.1",),
    ),
    *calls(
        """
        np.maximum.reduce(t{})
        np.minimum.reduce(t{})
        np.fmax.reduce(t{})
        np.fmin.reduce(t{})
        """,
        **OF_UFUNC,
        initial=("a",),
    ),
    *calls(
        """
        np.subtract.reduce(t{})
        np.divide.reduce(y{})
        """,
        **OF_UFUNC,
    ),
    *calls(
        """
        np.median(t{})
        np.nanmedian(n{})
        """,
        axis=AXIS,
        keepdims=FLAGS,
    ),
    *calls(
        """
        np.quantile(y, 0.3{})
        np.quantile(y, [0.2, 0.9]{})
        """,
        **QUANTILES,
    ),
    *calls(
        """
        np.nanquantile(y, 0.3{})
        np.percentile(y, 30.0{})
        """,
        **QUANTILES,
    ),
    *calls("np.nanpercentile(y, 55.0{})", **QUANTILES),
    *calls(
        """
        np.quantile(x, 0.3 * a{})
        np.percentile(x, [10.0 * a, 70.0]{})
        """,
        **QUANTILES,
    ),
    *calls(
        "np.linalg.norm(t{})",
        ord=("None", "2", "1", "-1", "np.inf", "-np.inf", '"fro"', '"nuc"', "-2", "3", "0.5"),
        axis=("None", "0", "-1", "(0, 2)", "(-1, 0)", "1"),
        keepdims=FLAGS,
    ),
    *calls(
        """
        np.linalg.norm(x{})
        np.linalg.norm(v{})
        """,
        ord=("None", "2", "1", "np.inf", "3"),
        axis=("None", "0"),
        keepdims=FLAGS,
    ),
    *calls("np.linalg.vector_norm(t{})", ord=("1", "2", "3", "np.inf"), axis=AXIS, keepdims=FLAGS),
    *calls(
        "np.linalg.matrix_norm(t{})",
        ord=('"fro"', '"nuc"', "1", "-1", "2", "np.inf"),
        keepdims=FLAGS,
    ),
)

RUNNING = (
    *calls(
        """
        np.cumsum(t{})
        np.cumprod(t{})
        np.nancumsum(n{})
        np.nancumprod(n{})
        """,
        **ACCUMULATED,
    ),
    *calls(
        """
        t.cumsum({})
        t.cumprod({})
        np.cumsum(e{})
        np.cumprod(z{})
        """,
        **ACCUMULATED,
    ),
    *calls(
        """
        np.cumulative_sum(v{})
        np.cumulative_prod(v{})
        """,
        axis=("0", "-1", "None"),
        dtype=DTYPES,
        include_initial=FLAGS,
    ),
    *calls(
        """
        np.cumulative_sum(t, axis=1{})
        np.cumulative_prod(t, axis=-1{})
        """,
        dtype=DTYPES,
        include_initial=FLAGS,
    ),
    *calls(
        """
        np.add.accumulate(t{})
        np.multiply.accumulate(t{})
        np.maximum.accumulate(t{})
        np.minimum.accumulate(t{})
        np.fmax.accumulate(t{})
        np.fmin.accumulate(t{})
        np.logaddexp.accumulate(t{})
        np.logaddexp2.accumulate(t{})
        np.hypot.accumulate(t{})
        np.subtract.accumulate(t{})
        np.divide.accumulate(y{})
        """,
        axis=ONE_AXIS,
        dtype=DTYPES[:2],
    ),
    *calls(
        """
        np.add.reduceat(t, [0, 1]{})
        np.multiply.reduceat(t, [0, 1]{})
        np.maximum.reduceat(t, [0, 1]{})
        np.minimum.reduceat(t, [1, 0]{})
        np.fmax.reduceat(t, [0, 1]{})
        np.fmin.reduceat(t, [0, 1]{})
        np.logaddexp.reduceat(t, [1, 0]{})
        np.logaddexp2.reduceat(t, [0, 1]{})
        np.hypot.reduceat(t, [0, 1]{})
        np.subtract.reduceat(t, [0, 1]{})
        np.divide.reduceat(y, [0, 2]{})
        """,
        axis=ONE_AXIS,
        dtype=DTYPES[:2],
    ),
    *calls(
        "np.diff(t{})",
        n=("2", "0", "3"),
        axis=ONE_AXIS,
        prepend=("0.0", "a", "t[..., :1]"),
        append=("b", "0"),
    ),
    *calls("np.ediff1d(x{})", to_end=("a", "v"), to_begin=("1.0", "[a, b]")),
    *calls("np.trapezoid(x{})", x=("np.cumsum(w)", "np.cumsum(y, 1)"), dx=("a",), axis=ONE_AXIS),
    *calls("np.trapezoid(x, np.cumsum(w[:3]){})", axis=("0", "-2")),
    *calls("np.gradient(x{})", axis=("None", "0", "-1", "(0, 1)", "(1, 0)"), edge_order=("1", "2")),
    *calls(
        """
        np.gradient(x, 0.5{})
        np.gradient(x, a{})
        """,
        axis=("0", "-1"),
        edge_order=("1", "2"),
    ),
    *calls("np.gradient(x, np.cumsum(w){})", axis=("1", "-1"), edge_order=("1", "2")),
    *calls("np.unwrap(3.0 * x{})", discont=("4.0",), axis=ONE_AXIS, period=("2.0",)),
)
