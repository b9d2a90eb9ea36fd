"""Every call whose forms are tested: those of the tables beside this file, and functions element by
element, which the catalogue declares with the domains of their operands."""

from __future__ import annotations

from functools import cache

import numpy as np

from s2s_ad.ir import Operation
from tests.operations.forms import Call
from tests.operations.forms_of_matrices import PRODUCTS, SYSTEMS
from tests.operations.forms_of_parts import JOINS, ORDERINGS, PARTS
from tests.operations.forms_of_reductions import REDUCTIONS, RUNNING
from tests.operations.forms_of_scipy import OF_SCIPY
from tests.operations.forms_of_shapes import SHAPES
from tests.operations.samples import make_case, operations


def spelled_as_function(op: Operation) -> bool:
    return op.call.startswith(("np.", "scipy.special.")) and not op.call.endswith(("(", "["))


def elementwise() -> tuple[Call, ...]:
    """Functions of two and more operands on shapes that broadcast, of one on a matrix; their
    operands are in the domains that the declarations state."""
    found = []
    for op in operations():
        if not (op.elementwise and op.rules and not op.constant and spelled_as_function(op)):
            continue
        names = [name for name in op.parameters if name not in op.defaults]
        shapes = ("f[3,1]", "f[4]", "f[2,1,1]", "f[]")
        case = make_case(op, dict(zip(names, shapes, strict=False)))
        operands = {f"{name}_": case.values[name] for name in case.floats}
        # of one without a derivative the first number is written out
        given = [
            f"{name}_" if name in case.floats else repr(np.ravel(case.values[name])[0].item())
            for name in names
        ]
        options = FURTHER.get(op.name) or ({"dtype": ("np.float64",)} if is_ufunc(op) else {})
        found.append(Call(f"{op.call}({', '.join(given)}{{}})", options, operands))
    return tuple(found)


FURTHER = {
    "numpy.nan_to_num": {
        "nan": ("1.0",),
        "posinf": ("2.0", "None"),
        "neginf": ("3.0", "None"),
        "copy": ("True",),
    },
    "numpy.real_if_close": {"tol": ("100",)},
}


def is_ufunc(op: Operation) -> bool:
    return isinstance(getattr(np, op.name.removeprefix("numpy."), None), np.ufunc)


TABLE = (
    *REDUCTIONS,
    *RUNNING,
    *ORDERINGS,
    *PRODUCTS,
    *SHAPES,
    *JOINS,
    *PARTS,
    *SYSTEMS,
    *OF_SCIPY,
)


@cache
def every_call() -> tuple[Call, ...]:
    return (*TABLE, *elementwise())
