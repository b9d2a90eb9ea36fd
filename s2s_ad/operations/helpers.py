"""Functions that generated modules use: the ones needed are copied into them, as they stand here.

Each is plain NumPy, typed and documented for the reader of a generated module, and an operation of the catalogue, so that a
generated module can be differentiated again. Nothing here may refer to anything but NumPy and other functions of this file.
"""

from typing import Any

import numpy as np


def unbroadcast(grad: Any, like: Any) -> Any:
    """Sum `grad` over the axes along which `like` was broadcast; the result has the shape and dtype of `like`."""
    shape = np.shape(like)
    grad = np.sum(grad, axis=tuple(range(np.ndim(grad) - len(shape))))
    stretched = tuple(k for k, size in enumerate(shape) if size == 1 and np.shape(grad)[k] != 1)
    grad = np.sum(grad, axis=stretched, keepdims=True)
    return np.asarray(grad, dtype=like.dtype)[()] if hasattr(like, "dtype") else grad


def product_of_others(x: Any, axis: Any = None) -> Any:
    """The product over `axis` of all elements but one, for each element; right where elements are zero."""
    axes = tuple(range(np.ndim(x))) if axis is None else axis
    axes = axes if isinstance(axes, tuple) else (axes,)
    moved = np.moveaxis(x, axes, range(-len(axes), 0))
    flat = moved.reshape(*moved.shape[: moved.ndim - len(axes)], -1)
    ones = np.ones_like(flat[..., :1])
    before = np.cumprod(np.concatenate((ones, flat[..., :-1]), axis=-1), axis=-1)
    after = np.cumprod(np.concatenate((ones, flat[..., :0:-1]), axis=-1), axis=-1)[..., ::-1]
    return np.moveaxis((before * after).reshape(moved.shape), range(-len(axes), 0), axes)
