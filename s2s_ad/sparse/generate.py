"""The module with a sparse Jacobian or Hessian.

In: a function as IR with known sizes, and the arguments as far as they are known. Out: the text of
a module with the sweeps in few directions, the directions, where each entry is read, and a function
of the primal's arguments that gives the matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from s2s_ad.backend.emit import emit_module
from s2s_ad.ir import Function
from s2s_ad.modules import join_modules
from s2s_ad.options import Options
from s2s_ad.passes.calls import Derivatives
from s2s_ad.pipeline import Composition, Watch, finished, silent
from s2s_ad.sparse.colouring import Covering, covering, symmetric_covering
from s2s_ad.sparse.pattern import pattern_of
from s2s_ad.sparse.sweeps import Parts, adjoints, tangents
from s2s_ad.sparse.wrapper import Wrapper, summary


@dataclass(frozen=True)
class SparseModule:
    """The text, and the covering that it is made of."""

    text: str
    covering: Covering

    @property
    def summary(self) -> str:
        """`5994 entries of 1998 x 2000 from 3 tangents`."""
        return summary(self.covering)


def generate_sparse(
    function: Function,
    options: Options,
    source: str = "",
    given: Mapping[str, Any] | None = None,
    watch: Watch = silent,
) -> SparseModule:
    """The module of the mode "jacobian" or "hessian". `given` has arguments by the names of their
    variables: integers count with their values, which the module checks. Raises
    DifferentiationError.
    """
    wanted = Composition(function, options, Derivatives(names={function.name}), watch)
    plain = wanted.gradient() if options.mode == "hessian" else wanted.run(wanted.function)
    pattern = pattern_of(plain, wanted.wrt, given)
    if options.mode == "hessian":
        found = symmetric_covering(pattern)
    else:
        found = covering(pattern, options.direction)
    parts = Parts(pattern.column_parts, pattern.row_parts)
    texts = []
    forward = "hessian-products" if options.mode == "hessian" else "tangents"
    for mode, make, count in (
        (forward, tangents, found.forward_count),
        ("adjoints", adjoints, found.reverse_count),
    ):
        if count:
            own = replace(options, mode=mode, name="")
            made = make(wanted, plain, parts, count, own.function_name(function))
            functions, called = finished([made], wanted.derivatives, options, watch)
            texts.append(emit_module(function, functions, own, source, called))
    wrapper = Wrapper(function, options, found, given or {})
    return SparseModule(join_modules([wrapper.heading(source), *texts, wrapper.text()]), found)


__all__ = ["SparseModule", "generate_sparse"]
