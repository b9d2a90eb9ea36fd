"""Values of integers that are known when a module is made: those that a sparse pattern depends on.

What comes in: texts as the command line and `[tool.s2s_ad]` have them, `k=[0, 2]`, `n=3`,
`cameras=data.npy`, or with an `.npz` file the array of the parameter's name in it. What goes out:
the values, their types, and the files that were read.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from s2s_ad.frontend.live import type_of_value
from s2s_ad.sparse.live import with_sizes
from s2s_ad.types import ONE


class BadValue(Exception):
    """What was given is no value of a parameter; the message says why."""


@dataclass(frozen=True)
class KnownValues:
    """Integers and arrays of them by the names of parameters."""

    values: dict[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    @property
    def types(self) -> dict[str, Any]:
        """The types of the parameters, with sizes as numbers."""
        return {
            name: with_sizes(type_of_value(v, lambda: ONE), v) for name, v in self.values.items()
        }


def known_values(texts: Sequence[str]) -> KnownValues:
    """Raises BadValue."""
    values, files = {}, []
    for text in texts:
        name, equals, given = (part.strip() for part in text.partition("="))
        if not (equals and name.isidentifier()):
            raise BadValue(f"`{text}` is not of the form k=[0, 2] or k=FILE.npy")
        if name in values:
            raise BadValue(f"`{name}` is given twice")
        is_file = given.endswith((".npy", ".npz"))
        found = np.asarray(_from_file(given, name) if is_file else _literal(given, name))
        if found.dtype.kind not in "iub":
            raise BadValue(f"`{name}` holds {found.dtype}: only integers decide on a pattern")
        values[name] = found if found.ndim else found.item()
        files += [given] if is_file else []
    return KnownValues(values, tuple(files))


def _literal(text: str, name: str) -> Any:
    try:
        return np.asarray(ast.literal_eval(text))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise BadValue(f"`{name}`: {text!r} is neither a literal nor a file of NumPy") from None


def _from_file(path: str, name: str) -> Any:
    try:
        found = np.load(path, allow_pickle=False)
        if not isinstance(found, np.lib.npyio.NpzFile):
            return found
        with found as archive:
            return archive[name]
    except (OSError, ValueError, EOFError) as problem:
        raise BadValue(f"cannot read {path}: {problem}") from None
    except KeyError:
        raise BadValue(f"there is no array `{name}` in {path}") from None


__all__ = ["BadValue", "KnownValues", "known_values"]
