"""What is asked for: mode, parameters, level. Options travel as arguments; nothing is global."""

from __future__ import annotations

from dataclasses import dataclass

from s2s_ad.diagnostics import Diagnostic, DifferentiationError
from s2s_ad.ir import Function, Var, leaves
from s2s_ad.types import is_float

SWEEPS = ("grad", "value-and-grad", "vjp", "jvp")  # made by one list of passes
MODES = (*SWEEPS, "jacobian", "hessian", "hvp")
# of a Jacobian; "": as the sizes suggest. Mixed are sparse ones only
DIRECTIONS = ("forward", "reverse", "mixed")
SPARSE_FORMS = ("csr", "triplets")
# The options that only some modes have a use for
USEFUL = {
    "direction": ("jacobian",),
    "sparse": ("jacobian", "hessian"),
    "many": ("jvp", "vjp", "hvp"),
    "trap_nan": SWEEPS,
    "checkpoint": SWEEPS,
}


@dataclass(frozen=True)
class Options:
    """What to derive. `wrt` are names of parameters, None for every one with floats; `bare`: one
    result, not a tuple.
    """

    mode: str = "grad"
    wrt: tuple[str, ...] | None = None
    bare: bool = False
    has_aux: bool = False
    level: int = 1
    name: str = ""
    checkpoint: int | str = ""  # a number of snapshots for each loop, or "bisection"
    trap_nan: bool = False  # the derivative stops where it first is not finite
    direction: str = ""  # of a Jacobian, one of DIRECTIONS
    many: bool = False  # directions of a tangent or pullback have a leading axis
    sparse: str = ""  # of a Jacobian or Hessian: "csr" or "triplets"

    def function_name(self, function: Function) -> str:
        return self.name or f"{self.mode.replace('-', '_')}_{function.name}"


def differentiable(function: Function, options: Options) -> tuple[str, ...]:
    """The parameters to differentiate: those asked for, or all that hold floats. Unknown names are
    refused.
    """
    visible = [formal for formal in function.formals if not formal.hidden]
    if options.wrt is None:
        names = tuple(
            formal.name
            for formal in visible
            if any(isinstance(leaf, Var) and is_float(leaf.type) for leaf in leaves(formal.tree))
        )
        if not names:
            raise _refused(
                function,
                f"`{function.name}` has no parameter that holds floats",
                "annotate one as `float` or as an array, or use `--arg`",
            )
        return names
    known = [formal.name for formal in visible]
    for name in options.wrt:
        if name not in known:
            raise _refused(
                function,
                f"`{function.name}` has no parameter `{name}`",
                f"its parameters are {', '.join(known) or 'none'}",
            )
    return options.wrt


def _refused(function: Function, message: str, help: str) -> DifferentiationError:
    return DifferentiationError([Diagnostic("bad-wrt", message, function.span, help=help)])


def checkpoint_option(given: int | str) -> int | str:
    """What `checkpoint` may be: a number, "bisection", or nothing. Raises ValueError."""
    if isinstance(given, str) and given.isdigit():
        return int(given)
    if given in ("", "bisection") or (isinstance(given, int) and given >= 0):
        return given
    raise ValueError(f"checkpoint is a number of snapshots or `bisection`, not {given!r}")


def sparse_options(direction: str, sparse: str, has_aux: bool) -> tuple[str, str]:
    """The direction and the form of a sparse Jacobian, if they agree. Raises ValueError."""
    if direction not in ("", *DIRECTIONS):
        raise ValueError(f"direction is one of {', '.join(DIRECTIONS)}, not {direction!r}")
    if sparse not in ("", *SPARSE_FORMS):
        raise ValueError(f"sparse is one of {', '.join(SPARSE_FORMS)}, not {sparse!r}")
    if direction == "mixed" and not sparse:
        raise ValueError("direction `mixed` is for sparse Jacobians")
    if sparse and has_aux:
        raise ValueError("a sparse derivative has no auxiliary result")
    return direction, sparse
