"""Decides how the reverse sweep gets the values it `recall`s.

In straight-line code every value of the forward sweep is still there, so a recall is the value
itself. Loops and branches will choose here between recomputing, a tape, and an undone write.
"""

from __future__ import annotations

from s2s_ad.ir import Function
from s2s_ad.operations.support import RECALL
from s2s_ad.passes.propagate_copies import replace_by_operand


def save_values(function: Function) -> Function:
    """Replace every `recall` of a value that is still there by the value."""
    return replace_by_operand(function, RECALL)
