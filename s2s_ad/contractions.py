"""Jacobians as pullbacks and as tangents: what `verify` compares with difference quotients.

What comes in: a `Subject`, and a function of the arguments that gives its Jacobian, in blocks or as
a sparse matrix. What goes out: the subject with the products with weights and with directions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from s2s_ad.points import copied, float_leaves
from s2s_ad.verify import Subject

Matrices = Callable[[list[Any]], Any]


def with_blocks(subject: Subject, jacobian: Matrices) -> Subject:
    """The products of a Jacobian whose leaves stand in the order of the result's, and for each of
    them in that of the arguments'.
    """

    def rows(arguments: list[Any], count: int) -> list[list[Any]]:
        found = [leaf for _, leaf in float_leaves(jacobian(arguments))]
        return [found[start : start + count] for start in range(0, len(found), count)]

    def reverse(arguments: list[Any], weights: list[Any]) -> tuple[Any, Sequence[Any]]:
        count = len(_arguments(subject, arguments))
        blocks = rows(arguments, count)
        return None, [
            sum(
                np.tensordot(weight, row[place], axes=np.ndim(weight))
                for weight, row in zip(weights, blocks, strict=True)
            )
            for place in range(count)
        ]

    def forward(arguments: list[Any], tangents: list[Any]) -> tuple[Any, Any]:
        along = [leaf for tangent in tangents for _, leaf in float_leaves(tangent)]
        return None, [
            sum(
                np.tensordot(entry, dot, axes=np.ndim(dot))
                for entry, dot in zip(row, along, strict=True)
            )
            for row in rows(arguments, len(along))
        ]

    return replace(subject, reverse=reverse, forward=forward)


def with_entries(subject: Subject, jacobian: Matrices) -> Subject:
    """The products of a sparse Jacobian, in CSR or as triplets. Its rows are the floats of the
    primal's result one after the other, its columns those of the arguments.
    """

    def reverse(arguments: list[Any], weights: list[Any]) -> tuple[Any, Sequence[Any]]:
        like = _arguments(subject, arguments)
        numbers, rows, columns = _entries(jacobian(arguments))
        return None, _product(numbers, columns, rows, weights, like)

    def forward(arguments: list[Any], tangents: list[Any]) -> tuple[Any, Any]:
        along = [leaf for tangent in tangents for _, leaf in float_leaves(tangent)]
        like = [leaf for _, leaf in float_leaves(subject.primal(copied(arguments)))]
        numbers, rows, columns = _entries(jacobian(arguments))
        return None, _product(numbers, rows, columns, along, like)

    return replace(subject, reverse=reverse, forward=forward)


def _arguments(subject: Subject, arguments: list[Any]) -> list[Any]:
    return [leaf for place in subject.wrt for _, leaf in float_leaves(arguments[place])]


def _entries(matrix: Any) -> tuple[Any, Any, Any]:
    """The values, rows and columns of a sparse matrix."""
    if isinstance(matrix, tuple):
        return matrix
    listed = matrix.tocoo()
    return listed.data, *listed.coords


def _product(
    numbers: Any, into: Any, read: Any, factors: Sequence[Any], like: Sequence[Any]
) -> list[Any]:
    """Entries times `factors` at the places `read`, added up at `into`, in the shapes of `like`."""
    flat = np.concatenate([np.ravel(factor) for factor in factors])
    sizes = [np.size(leaf) for leaf in like]
    total = np.bincount(into, numbers * flat[read], minlength=sum(sizes))
    parts = np.split(total, np.cumsum(sizes)[:-1])
    return [part.reshape(np.shape(leaf)) for part, leaf in zip(parts, like, strict=True)]


__all__ = ["with_blocks", "with_entries"]
