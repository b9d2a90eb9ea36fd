"""The program of a seed: over the language, or about one operation of the catalogue."""

from __future__ import annotations

from tests.farm.catalogue import catalogue_program, functions_of_one
from tests.farm.generator import Program, program


def draw(seed: int, size: int = 14) -> Program:
    """One in three is about an operation; of the others, one in four calls any of its functions,
    and one in four has idioms.
    """
    found = catalogue_program(seed) if seed % 3 == 2 else None
    return found or program(
        seed, size, functions_of_one() if seed % 4 == 1 else (), idiomatic=seed % 6 == 3
    )
