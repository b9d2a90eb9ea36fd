"""Every mode on some cheap programs; `scripts/every_mode.py` takes all there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests import programs
from tests.every_mode import Disagreement, Program, check_every_mode

CHEAP = ("wrap", "twosweeps", "rowcol")
CASES = [case for case in programs.CASES if case[0].__name__ in CHEAP]


@pytest.mark.parametrize(("function", "arguments"), CASES, ids=CHEAP)
def test_modes_agree(function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    check_every_mode(function, arguments, levels=(1,))


def test_disagreement_is_noticed() -> None:
    program = Program(lambda x: np.sum(x**3), (np.ones(2),))
    program.same("twins", [np.ones(2)], [np.ones(2)])
    with pytest.raises(Disagreement, match="twins"):
        program.same("twins", [np.ones(2)], [np.ones(2) + 1e-6])
    with pytest.raises(Disagreement, match="leaves"):
        program.same("twins", [], [1.0])
