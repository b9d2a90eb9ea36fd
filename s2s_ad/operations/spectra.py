"""Spectra of overlapping pieces of a signal: `scipy.signal.stft`, `istft`, `csd` and `welch`.

The transform of the pieces and its inverse are linear, and each is the adjoint of the other but for
weights, so helpers have the adjoints and theirs are the functions themselves. A cross spectrum is
the mean over pieces of `conj(X) * Y`, twice that where a frequency stands for two. Those that have
several results, some complex, are tested by `tests/operations/test_scipy_calls.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from s2s_ad.ir import Atom, Const, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import constant, known_shape, unsupported
from s2s_ad.types import (
    Array,
    Items,
    Number,
    Size,
    Sizes,
    Type,
    TypeProblem,
    dtype_of,
    is_complex,
    rank_of,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation
STFT, ISTFT = "scipy.signal.stft", "scipy.signal.istft"
NOTE = "of the last axis; window, rate and sizes are not differentiated"


def _signal(x: Atom, function: str) -> tuple[Size, ...]:
    """The shape of a signal in double precision."""
    shape = known_shape(x, function)
    if not shape or dtype_of(x.type) not in ("f64", "c128"):
        message = f"`{function}` is supported for arrays of float64"
        raise TypeProblem("unsupported-dtype", message, "use `.astype(float)`")
    return shape


def _require_last(axis: Atom, rank: int, what: str, place: int = -1) -> None:
    if constant(axis, what) not in (place, rank + place):
        raise unsupported(f"`{what}` is supported as {place}", "use `np.moveaxis` before and after")


def _require_window(window: Atom, function: str) -> None:
    if isinstance(window, Const) and isinstance(window.value, str):
        return
    if rank_of(window.type) != 1 or is_complex(window.type):
        raise unsupported(
            f"a window of `{function}` is a name or a vector",
            "make the vector with `scipy.signal.get_window` outside of the function",
        )


def _require(atom: Atom, what: str, allowed: tuple[object, ...]) -> None:
    if constant(atom, what) not in allowed:
        spelled = ", ".join(repr(each) for each in allowed)
        raise unsupported(f"`{what}` is supported as one of {spelled}", "choose one of these")


# Transforms of the pieces, and back ---------------------------------------------------------------


def _pieces_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    x, _, window, *_, detrend, onesided, boundary, _, axis, scaling = operands
    shape = _signal(x, STFT)
    if is_complex(x.type):
        raise unsupported(f"`{STFT}` is supported for real signals", "transform the parts")
    _require_last(axis, len(shape), "axis")
    _require_window(window, STFT)
    _require(boundary, "boundary", ("zeros", None))
    _require(detrend, "detrend", (False, "constant", "linear"))
    _require(onesided, "return_onesided", (True, False))
    _require(scaling, "scaling", ("spectrum", "psd"))
    f, t = sizes.fresh(), sizes.fresh()
    return Items((Array("f64", (f,)), Array("f64", (t,)), Array("c128", (*shape[:-1], f, t))))


NAMES = ("fs", "window", "nperseg", "noverlap", "nfft", "detrend")
SHARED = ", ".join(f"{name}={name}" for name in NAMES)
GIVEN = ", ".join(NAMES)
OPTIONS = f"{SHARED}, return_onesided=return_onesided, boundary=boundary, padded=padded"
operation(
    f"f, t, Zxx = {STFT}(x, fs=1.0, window='hann', nperseg=256, noverlap=None, nfft=None, "
    "detrend=False, return_onesided=True, boundary='zeros', padded=True, axis=-1, "
    "scaling='spectrum')",
    f"grad_x += stft_adjoint(grad_Zxx, np.shape(x)[-1], {GIVEN}, boundary, scaling, "
    "return_onesided, padded)",
    infer=_pieces_type,
    tangent=(f"tangent_Zxx = {STFT}(tangent_x, {OPTIONS}, scaling=scaling)[2]",),
    constant_results=("f", "t"),
    refused=("fs", "window"),
    note=NOTE,
)


def _back_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    size = operands[1].type
    known = size.value if isinstance(size, Number) else None
    shape = known_shape(operands[0], "stft_adjoint")[:-2]
    return Array("f64", (*shape, sizes.fresh() if known is None else sizes.resolve(known)))


operation(
    f"out = stft_adjoint(grad, size, {GIVEN}, boundary, scaling, return_onesided, padded)",
    f"grad_grad += {STFT}(grad_out, {OPTIONS}, scaling=scaling)[2]",
    infer=_back_type,
    tangent=(
        f"tangent_out = stft_adjoint(tangent_grad, size, {GIVEN}, boundary, scaling, "
        "return_onesided, padded)",
    ),
    helper="stft_adjoint",
)


def _signal_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    spectra, _, window, *_, onesided, boundary, time_axis, frequency_axis, scaling = operands
    shape = known_shape(spectra, ISTFT)
    if len(shape) < 2 or dtype_of(spectra.type) not in ("f64", "c128"):
        message = f"`{ISTFT}` is supported for spectra in double precision"
        raise TypeProblem("unsupported-dtype", message, "use `.astype(complex)`")
    _require_last(time_axis, len(shape), "time_axis")
    _require_last(frequency_axis, len(shape), "freq_axis", -2)
    _require_window(window, ISTFT)
    _require(onesided, "input_onesided", (True,))
    _require(boundary, "boundary", (True, False))
    _require(scaling, "scaling", ("spectrum", "psd"))
    t, n = sizes.fresh(), sizes.fresh()
    return Items((Array("f64", (t,)), Array("f64", (*shape[:-2], n))))


INVERSE = ", ".join(f"{name}={name}" for name in (*NAMES[:-1], "boundary", "scaling"))
operation(
    f"t, x = {ISTFT}(Zxx, fs=1.0, window='hann', nperseg=None, noverlap=None, nfft=None, "
    "input_onesided=True, boundary=True, time_axis=-1, freq_axis=-2, scaling='spectrum')",
    "grad_Zxx += istft_adjoint(grad_x, np.shape(Zxx)[-2], np.shape(Zxx)[-1], "
    f"{GIVEN.removesuffix(', detrend')}, boundary, scaling)",
    infer=_signal_type,
    tangent=(f"tangent_x = {ISTFT}(tangent_Zxx, {INVERSE})[1]",),
    constant_results=("t",),
    refused=("fs", "window"),
    note=NOTE,
)


def _spectra_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    shape = known_shape(operands[0], "istft_adjoint")
    counts = []
    for operand in operands[1:3]:
        known = operand.type.value if isinstance(operand.type, Number) else None
        counts.append(sizes.fresh() if known is None else sizes.resolve(known))
    return Array("c128", (*shape[:-1], *counts))


operation(
    "out = istft_adjoint(grad, frequencies, count, fs, window, nperseg, noverlap, nfft, boundary, "
    "scaling)",
    f"grad_grad += {ISTFT}(grad_out, {INVERSE})[1]",
    infer=_spectra_type,
    tangent=(
        "tangent_out = istft_adjoint(tangent_grad, frequencies, count, fs, window, nperseg, "
        "noverlap, nfft, boundary, scaling)",
    ),
    helper="istft_adjoint",
)


# Power ------------------------------------------------------------------------------------------


def _power_type(function: str, count: int) -> Callable[[Sizes, Sequence[Atom]], Type]:
    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        window, nperseg, _, nfft, detrend, onesided, scaling, axis, average = operands[count + 1 :]
        shapes = [_signal(x, function) for x in operands[:count]]
        if any(is_complex(x.type) for x in operands[:count]):
            raise unsupported(f"`{function}` is supported for real signals", "take the parts")
        for first, other in zip(shapes[0], shapes[-1], strict=len(shapes[0]) == len(shapes[-1])):
            sizes.unify(first, other)
        _require_last(axis, len(shapes[0]), "axis")
        _require_window(window, function)
        _require(detrend, "detrend", (False, "constant", "linear"))
        _require(onesided, "return_onesided", (True, False))
        _require(scaling, "scaling", ("density", "spectrum"))
        _require(average, "average", ("mean",))
        for size, what in ((nperseg, "nperseg"), (nfft, "nfft")):
            constant(size, what)
        f = sizes.fresh()
        dtype = "f64" if count == 1 else "c128"
        return Items((Array("f64", (f,)), Array(dtype, (*shapes[0][:-1], f))))

    return infer


def _spectra_of(x: str, operands: Sequence[Atom]) -> str:
    """The spectra of the pieces of a signal, as the function has them before it averages."""
    scaling = "psd" if constant(operands[-3], "scaling") == "density" else "spectrum"
    return (
        f"{STFT}({x}, {SHARED}, return_onesided=return_onesided, boundary=None, padded=False, "
        f"scaling='{scaling}')[2]"
    )


def _spread(adjoint: str, operands: Sequence[Atom]) -> str:
    """The adjoint of an average over pieces, of each of them."""
    window, nperseg, _, nfft, _, onesided = operands[-9:-3]
    if constant(onesided, "return_onesided"):
        length = 256 if nperseg == Const(None) else constant(nperseg, "nperseg")
        named = isinstance(window, Const)
        size = f"np.minimum({length}, np.shape(x)[-1])" if named else "len(window)"
        size = size if nfft == Const(None) else "nfft"
        adjoint = f"doubled({adjoint}, {size}, -1)"
    return f"np.expand_dims({adjoint}, -1)"


def _signal_adjoint(spectra: str, operands: Sequence[Atom]) -> str:
    scaling = "psd" if constant(operands[-3], "scaling") == "density" else "spectrum"
    return (
        f"stft_adjoint({spectra}, np.shape(x)[-1], {GIVEN}, None, '{scaling}', return_onesided, "
        "False)"
    )


def _cross_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    parts = []
    for other, adjoint in (("y", "np.conjugate(grad_Pxy)"), ("x", "grad_Pxy")):
        spectra = f"np.conjugate({_spectra_of(other, operands)})"
        mean = f"{_spread(adjoint, operands)} * {spectra} / np.shape({spectra})[-1]"
        parts.append(_signal_adjoint(mean, operands))
    return f"grad_x += {parts[0]}", f"grad_y += {parts[1]}"


def _own_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    spectra = f"np.conjugate({_spectra_of('x', operands)})"
    mean = f"{_spread('grad_Pxx', operands)} * {spectra} / np.shape({spectra})[-1]"
    return (f"grad_x += 2.0 * {_signal_adjoint(mean, operands)}",)


CSD, WELCH = "scipy.signal.csd", "scipy.signal.welch"
ARGUMENTS = (
    "fs=1.0, window='hann', nperseg=None, noverlap=None, nfft=None, detrend='constant', "
    "return_onesided=True, scaling='density', axis=-1, average='mean'"
)
SAME = f"{SHARED}, return_onesided=return_onesided, scaling=scaling"
operation(
    f"f, Pxy = {CSD}(x, y, {ARGUMENTS})",
    infer=_power_type(CSD, 2),
    rules=(Rule(_cross_lines),),
    tangent=(
        f"tangent_Pxy = {CSD}(tangent_x, y, {SAME})[1]",
        f"tangent_Pxy = {CSD}(x, tangent_y, {SAME})[1]",
    ),
    constant_results=("f",),
    refused=("fs", "window"),
    note=NOTE,
)
operation(
    f"f, Pxx = {WELCH}(x, {ARGUMENTS})",
    infer=_power_type(WELCH, 1),
    rules=(Rule(_own_lines),),
    tangent=(f"tangent_Pxx = 2.0 * np.real({CSD}(x, tangent_x, {SAME})[1])",),
    constant_results=("f",),
    refused=("fs", "window"),
    samples=(
        {"x": "f[9]", "nperseg": 4},
        {"x": "f[2,8]", "nperseg": 5, "noverlap": 3, "fs": 2.0, "nfft": 6, "detrend": "linear"},
        {"x": "f[6]", "nperseg": 4, "return_onesided": False, "scaling": "spectrum"},
    ),
    note=NOTE,
)
