"""Calls that give an array another shape, and split it. Operands: see `forms.points`."""

from __future__ import annotations

from tests.operations.form_values import DTYPES, FLAGS, MAYBE_AXIS, ONE_AXIS, ORDERS, YES, calls

SHAPES = (
    *calls(
        """
        np.reshape(t, (4, 6){})
        np.reshape(x, -1{})
        np.reshape(t, (2, -1, 2){})
        """,
        order=ORDERS[:3],
        copy=("True", "None"),
    ),
    *calls(
        """
        np.reshape(z, (3, 0){})
        np.reshape(a, (1, 1){})
        """,
        order=ORDERS[:3],
    ),
    *calls(
        """
        t.reshape((4, 6){})
        t.reshape(4, -1{})
        """,
        order=ORDERS[:3],
    ),
    *calls(
        """
        np.ravel(t{})
        t.ravel({})
        t.flatten({})
        np.ravel(t.T{})
        np.ravel(t.transpose(1, 0, 2){})
        """,
        order=ORDERS,
    ),
    *calls(
        """
        np.copy(t{})
        np.copy(t.T{})
        t.copy({})
        """,
        order=ORDERS,
    ),
    *calls("np.array(t{})", order=ORDERS, dtype=DTYPES, copy=YES, ndmin=("4", "1")),
    *calls("np.asarray(t{})", order=ORDERS, dtype=DTYPES),
    *calls(
        """
        np.ascontiguousarray(t.T{})
        np.asfortranarray(t{})
        """,
        dtype=DTYPES,
    ),
    *calls(
        """
        np.astype(t, np.float32{})
        t.astype(np.float32{})
        t.astype(float{})
        """,
        copy=FLAGS,
    ),
    *calls("np.transpose(t{})", axes=("None", "(1, 0, 2)", "(-1, 0, 1)", "[2, 0, 1]")),
    *calls("np.permute_dims(t{})", axes=("None", "(1, 0, 2)")),
    *calls("""
        t.transpose({})
        t.transpose(1, 0, 2{})
        t.transpose((2, 0, 1){})
        """),
    *calls("""
        np.matrix_transpose(t{})
        np.linalg.matrix_transpose(t{})
        """),
    *calls("""
        np.swapaxes(t, 0, -1{})
        t.swapaxes(1, 2{})
        np.moveaxis(t, 0, -1{})
        """),
    *calls("""
        np.moveaxis(t, (0, 2), (1, 0){})
        np.moveaxis(t, [-1, 0], [0, 1]{})
        """),
    *calls("np.rollaxis(t, 2{})", start=("0", "1", "3")),
    *calls("""
        np.expand_dims(t, 0{})
        np.expand_dims(t, (0, -1){})
        np.expand_dims(a, 0{})
        """),
    *calls(
        """
        np.squeeze(c{})
        c.squeeze({})
        """,
        axis=("None", "1", "-1", "(1,)", "()"),
    ),
    *calls("np.squeeze(o{})", axis=("0",)),
    *calls("np.flip(t{})", axis=("None", "0", "-1", "(0, 2)", "()")),
    *calls("""
        np.fliplr(t{})
        np.flipud(t{})
        np.fliplr(x{})
        """),
    *calls("np.rot90(t{})", k=("1", "2", "-1", "0", "5"), axes=("(0, 1)", "(2, 1)", "(-1, 0)")),
    *calls(
        """
        np.roll(t, 2{})
        np.roll(t, -1{})
        """,
        axis=("None", "0", "-1", "(0, 1)"),
    ),
    *calls("np.roll(t, (1, 2){})", axis=("(0, 1)", "(1, 1)", "(-1, 0)", "0")),
    *calls(
        """
        np.repeat(t, 2{})
        t.repeat(2{})
        """,
        axis=MAYBE_AXIS,
    ),
    *calls("np.repeat(x, [1, 0, 2]{})", axis=("0",)),
    *calls(
        """
        np.repeat(a, 3{})
        np.repeat(x, 0{})
        """,
        axis=("None", "0"),
    ),
    *calls("""
        np.tile(x, 2{})
        np.tile(x, (2, 1){})
        np.tile(x, (2, 1, 3){})
        np.tile(a, 2{})
        """),
    *calls("""
        np.resize(x, (2, 7){})
        np.resize(v, 2{})
        np.resize(a, (2, 2){})
        """),
    *calls(
        """
        np.broadcast_to(v, (3, 4){})
        np.broadcast_to(c, (2, 3, 4){})
        np.broadcast_to(a, 3{})
        """
    ),
    *calls("""
        np.broadcast_arrays(v, c, a{})
        np.broadcast_arrays(t, x{})
        """),
    *calls("np.meshgrid(v, w[:2]{})", indexing=('"xy"', '"ij"'), sparse=FLAGS, copy=YES),
    *calls("np.meshgrid(v, o, w[:2]{})", indexing=('"xy"', '"ij"'), sparse=FLAGS),
    *calls("""
        np.atleast_1d(a{})
        np.atleast_2d(v{})
        np.atleast_3d(v{})
        np.atleast_3d(x{})
        """),
    *calls("np.atleast_2d(a, v{})"),
    *calls("""
        np.split(x, 2, 1{})
        np.vsplit(x, [1]{})
        np.hsplit(x, 2{})
        np.dsplit(t, [1, 3]{})
        """),
    *calls(
        """
        np.split(x, [1, 2]{})
        np.array_split(x, 3{})
        np.array_split(x, [1]{})
        """,
        axis=("0", "1", "-1"),
    ),
    *calls("np.unstack(x.reshape(3, 4){})", axis=("0", "-1")),
    *calls(
        """
        np.diag(v{})
        np.diag(x{})
        np.diagflat(v{})
        np.diagflat(x{})
        """,
        k=("0", "1", "-2"),
    ),
    *calls(
        """
        np.diagonal(t{})
        t.diagonal({})
        """,
        offset=("1", "-1"),
        axis1=("0", "2"),
        axis2=("1", "-1"),
    ),
    *calls("np.linalg.diagonal(t{})", offset=("0", "1", "-1")),
    *calls(
        """
        np.trace(t{})
        t.trace({})
        """,
        offset=("1", "-1"),
        axis1=("2", "1"),
        axis2=("1", "-1"),
        dtype=DTYPES[:2],
    ),
    *calls("np.linalg.trace(t{})", offset=("0", "1", "-1"), dtype=DTYPES[:2]),
    *calls(
        """
        np.tril(t{})
        np.triu(x{})
        """,
        k=("0", "1", "-1"),
    ),
    *calls("np.lib.stride_tricks.sliding_window_view(x, 2{})", axis=ONE_AXIS),
    *calls(
        "np.lib.stride_tricks.sliding_window_view(x, (2, 3){})", axis=("None", "(0, 1)", "(1, 0)")
    ),
)
