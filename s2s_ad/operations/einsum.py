"""`np.einsum`: sums of products over named axes.

The adjoint of an operand is an einsum again: the adjoint of the result takes the operand's place,
and its labels become the output. Labels that nothing else has are spread by a vector of ones,
labels an operand repeats by an identity matrix. Ellipses are written out as labels where all ranks
are known.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

from s2s_ad.ir import Atom, NotDifferentiable, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import (
    constant,
    of_shape,
    require_numeric,
    strong_promotion,
    unsupported,
)
from s2s_ad.types import ONE, Array, Shape, Size, Sizes, Type, TypeProblem, shape_of

CATALOGUE = Catalogue()


@dataclass(frozen=True)
class Labels:
    """The labels of operands and result; `...` is one item where it could not be written out."""

    operands: tuple[tuple[str, ...], ...]
    result: tuple[str, ...]

    @property
    def has_ellipsis(self) -> bool:
        return any("..." in labels for labels in (*self.operands, self.result))

    @property
    def unused(self) -> list[str]:
        """Letters that stand for no axis yet."""
        taken = {label for labels in (*self.operands, self.result) for label in labels}
        return [letter for letter in string.ascii_letters if letter not in taken]


def read_labels(spec: Atom, shapes: Sequence[Shape | None]) -> Labels:
    """What a specification says about operands of these shapes."""
    text = constant(spec, "subscripts")
    if not isinstance(text, str):
        raise unsupported(
            "`np.einsum` is supported with its subscripts in one string",
            'write the subscripts as a string, as in `np.einsum("ij,jk->ik", a, b)`',
        )
    left, arrow, right = text.replace(" ", "").partition("->")
    operands = [_split(part) for part in left.split(",")]
    if len(operands) != len(shapes):
        raise _mismatch(f"{text!r} names {len(operands)} operands, but {len(shapes)} are given")
    result = _split(right) if arrow else _implicit_result(operands)
    if len(set(result)) < len(result):
        raise _mismatch(f"the output of {text!r} names one axis twice")
    if any("..." in labels for labels in operands) != ("..." in result):
        raise _mismatch(f"an ellipsis stands on one side only of {text!r}")
    missing = set(result) - {label for labels in operands for label in labels}
    if missing:
        raise _mismatch(f"label {min(missing)!r} of the output of {text!r} is no operand's")
    return _written_out(Labels(tuple(operands), result), shapes, text)


def _mismatch(message: str) -> TypeProblem:
    return TypeProblem("shape-mismatch", message)


def _split(part: str) -> tuple[str, ...]:
    before, dots, after = part.partition("...")
    labels = (*before, *([dots] if dots else []), *after)
    for label in labels:
        if label != "..." and label not in string.ascii_letters:
            raise _mismatch(f"{label!r} is not a label of an axis")
    return labels


def _implicit_result(operands: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Without `->`: the ellipsis, then the labels that occur once, in the order of the alphabet."""
    every = [label for labels in operands for label in labels]
    single = sorted(label for label in set(every) if every.count(label) == 1 and label != "...")
    return (*(["..."] if "..." in every else []), *single)


def _written_out(labels: Labels, shapes: Sequence[Shape | None], text: str) -> Labels:
    """The ellipses as labels, counted from the right; as they are where a rank is unknown."""
    batch_ranks = []
    for operand, shape in zip(labels.operands, shapes, strict=True):
        named = len(operand) - ("..." in operand)
        if shape is not None:
            if len(shape) < named or (len(shape) > named and "..." not in operand):
                spelled = "".join(operand)
                raise _mismatch(
                    f"{spelled!r} of {text!r} does not fit an array of rank {len(shape)}"
                )
            batch_ranks.append(len(shape) - named)
        else:
            batch_ranks.append(-1 if "..." in operand else 0)
    if -1 in batch_ranks:
        if len(shapes) > 1 and any("..." in operand[1:] for operand in labels.operands):
            raise unsupported(
                f"with arrays of unknown rank, `...` has to come first in {text!r}",
                "annotate the arrays with their shapes",
            )
        return labels
    if not labels.has_ellipsis:
        return labels
    letters = labels.unused[: max(batch_ranks)]

    def replace(operand: tuple[str, ...], rank: int) -> tuple[str, ...]:
        if "..." not in operand:
            return operand
        at = operand.index("...")
        return (*operand[:at], *letters[len(letters) - rank :], *operand[at + 1 :])

    operands = tuple(map(replace, labels.operands, batch_ranks))
    return Labels(operands, replace(labels.result, len(letters)))


def _named_sizes(labels: tuple[str, ...], shape: Shape) -> list[tuple[str, Size]]:
    """The labels with their sizes; what an ellipsis stands for is left out."""
    if "..." not in labels:
        return list(zip(labels, shape, strict=True))
    at = labels.index("...")
    after = labels[at + 1 :]
    return [
        *zip(labels[:at], shape, strict=False),
        *zip(after, shape[len(shape) - len(after) :], strict=True),
    ]


def einsum_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """Labels that agree have one size, or 1, which broadcasts."""
    arrays = operands[1:-1]
    types = [array.type for array in arrays]
    shapes = [shape_of(type) for type in types]
    labels = read_labels(operands[0], shapes)
    require_numeric(types)
    dtype = strong_promotion(types)
    if dtype == "f16":
        raise TypeProblem("unsupported-dtype", "`np.einsum` is not supported for float16")
    if len(arrays) == 1 and set(labels.operands[0]) == set(labels.result):
        raise unsupported(
            "this `np.einsum` only renames axes, and its result shares memory with the operand",
            "write it with `x.T`, `np.transpose` or `np.diagonal`",
        )
    if constant(operands[-1], "optimize") is not False and not labels.result:
        raise unsupported(
            "the type of a number that `np.einsum` computes depends on how it is optimized",
            "leave `optimize` out",
        )
    found: dict[str, Size] = {}
    for names, shape in zip(labels.operands, shapes, strict=True):
        own: dict[str, Size] = {}
        for label, size in _named_sizes(names, shape) if shape is not None else ():
            if label in own and not sizes.unify(own[label], size):
                own[label] = sizes.fresh()
            own.setdefault(label, size)
        for label, size in own.items():
            found[label] = sizes.broadcast_size(found.get(label, ONE), size)
    if "..." in labels.result:
        return Array(dtype, None)
    known = all(shape is not None for shape in shapes)
    result = tuple(found.get(label, ONE) if known else sizes.fresh() for label in labels.result)
    return of_shape(dtype, result)


def einsum_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    """For each operand the einsum of the adjoint with the others."""
    shapes = [shape_of(array.type) for array in operands[1:-1]]
    labels = read_labels(operands[0], shapes)
    optimize = constant(operands[-1], "optimize")
    ending = "" if optimize is False else f", optimize={optimize!r}"
    if len(shapes) == 1 and len(set(labels.operands[0])) == len(labels.operands[0]):
        return (f"grad_arrays0 += {_spread_sum(labels)}",)
    return tuple(
        f"grad_arrays{k} += {_contraction(labels, k, shapes[k], ending)}"
        for k in range(len(shapes))
    )


def _spread_sum(labels: Labels) -> str:
    """The adjoint of a sum over axes of one operand: spread over them."""
    (operand,) = labels.operands
    kept = [label for label in operand if label in labels.result]
    order = tuple(labels.result.index(label) for label in kept)
    if "..." in operand:
        # all that stands on one side of the ellipsis is counted from there
        at, place = operand.index("..."), labels.result.index("...")
        if kept != list(labels.result):
            source = tuple(
                _from_ellipsis(labels.result, place, label) for label in kept if label != "..."
            )
            target = tuple(
                _from_ellipsis(tuple(kept), kept.index("..."), label)
                for label in kept
                if label != "..."
            )
            text = f"np.moveaxis(grad_out, {source}, {target})"
        else:
            text = "grad_out"
        missing = tuple(
            _from_ellipsis(operand, at, label) for label in operand if label not in kept
        )
    else:
        text = (
            "grad_out" if kept == list(labels.result) else f"np.transpose(grad_out, axes={order})"
        )
        missing = tuple(k for k, label in enumerate(operand) if label not in kept)
    places = missing[0] if len(missing) == 1 else missing
    expanded = f"np.expand_dims({text}, {places})" if kept else text
    return f"np.broadcast_to({expanded}, np.shape(arrays0))"


def _from_ellipsis(labels: tuple[str, ...], ellipsis: int, label: str) -> int:
    """The axis of a label: from the left before the ellipsis, from the right after it."""
    at = labels.index(label)
    return at if at < ellipsis else at - len(labels)


def _contraction(labels: Labels, k: int, shape: Shape | None, ending: str) -> str:
    """The adjoint of operand k, shaped like it, or like it with batch axes before."""
    own = labels.operands[k]
    others = [(f"arrays{j}", names) for j, names in enumerate(labels.operands) if j != k]
    factors = [*others[:k], ("grad_out", labels.result), *others[k:]]
    available = {label for _, names in factors for label in names}
    if "..." in labels.result and "..." not in own:
        own = ("...", *own)  # the caller sums the batch away
    letters = iter(labels.unused)
    target: list[str] = []
    offset = 1 if own[:1] == ("...",) else 0
    for place, label in enumerate(own):
        axis = place - offset if "..." not in own[:place] else place - len(own)
        if label in target:
            twin = next(letters, "")
            if not twin:
                raise NotDifferentiable("there are not enough letters for its subscripts")
            factors.append((f"np.eye(np.shape(arrays{k})[{axis}])", (label, twin)))
            label = twin
        elif label not in available and label != "...":
            factors.append((f"np.ones(np.shape(arrays{k})[{axis}])", (label,)))
        target.append(label)
    subscripts = ",".join("".join(names) for _, names in factors)
    values = ", ".join(text for text, _ in factors)
    return f'np.einsum("{subscripts}->{"".join(target)}", {values}{ending})'


CATALOGUE.operation(
    "out = np.einsum(subscripts, *arrays, optimize=False)",
    infer=einsum_type,
    rules=(Rule(einsum_lines),),
    bilinear=("arrays",),
    broadcasts=("arrays",),
    samples=(
        {"subscripts": "ij,jk->ik", "arrays": ("f[2,3]", "f[3,4]")},
        {"subscripts": "ij, jk", "arrays": ("f[2,3]", "f[3,4]")},
        {"subscripts": "ba,b", "arrays": ("f[2,3]", "f[2]")},
        {"subscripts": "i,i->", "arrays": ("f[3]", "f[3]")},
        {"subscripts": "i,j->ij", "arrays": ("f[3]", "f[2]")},
        {"subscripts": "ij->", "arrays": ("f[2,3]",)},
        {"subscripts": "ij->j", "arrays": ("f[2,3]",)},
        {"subscripts": "ijk->ki", "arrays": ("f[2,3,4]",)},
        {"subscripts": "ii->", "arrays": ("f[3,3]",)},
        {"subscripts": "iij->j", "arrays": ("f[3,3,2]",)},
        {"subscripts": "ii,i->i", "arrays": ("f[3,3]", "f[3]")},
        {"subscripts": "iii,ij->j", "arrays": ("f[2,2,2]", "f[2,3]")},
        {"subscripts": "ij,k->k", "arrays": ("f[2,3]", "f[4]")},
        {"subscripts": "ij,jk,kl->il", "arrays": ("f[2,3]", "f[3,4]", "f[4,2]"), "optimize": True},
        {"subscripts": "i,ij,j->", "arrays": ("f[2]", "f[2,3]", "f[3]")},
        {"subscripts": "...ij,...jk->...ik", "arrays": ("f[2,1,2,3]", "f[5,3,2]")},
        {"subscripts": "...ij,jk", "arrays": ("f[5,2,3]", "f[3,2]")},
        {"subscripts": "i...j,j->i...", "arrays": ("f[2,4,3]", "f[3]")},
        {"subscripts": "i...j->...", "arrays": ("f[2,4,3]",)},
        {"subscripts": "i...jk->k...i", "arrays": ("f[2,4,3,2]",)},
        {"subscripts": "...i->...", "arrays": ("f[2,3]",)},
        {"subscripts": ",i->i", "arrays": ("f[]", "f[3]")},
        {"subscripts": "ij,ij->i", "arrays": ("f[2,3]", "f[1,3]")},
        {"subscripts": "ij,jk->ik", "arrays": ("f[2,0]", "f[0,3]")},
    ),
    note="what only renames axes is a transposition; lists of labels become a string",
)
