"""Functions collected with the arguments that they are tested with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[..., Any]


class Collection:
    """Cases in the order in which they are written; their arrays follow from the seed."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.cases: list[tuple[Function, tuple[Any, ...]]] = []

    def case(self, *arguments: Any) -> Callable[[Function], Function]:
        """The function is tested with these arguments."""

        def added(function: Function) -> Function:
            self.cases.append((function, arguments))
            return function

        return added

    def array(self, *shape: int) -> Any:
        return self.random.uniform(0.2, 1.0, size=shape)
