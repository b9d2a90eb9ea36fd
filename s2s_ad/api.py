"""Derivatives of live functions: `grad`, `value_and_grad`, `vjp`, `jvp`.

What comes in: a Python function and, at a call, its arguments. What happens: their types are read off, the function is
compiled for them once, and the generated function is called; a later call with arguments of the same signature finds it
again. Afterwards the arguments are as they were, and results share no memory with them.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import keyword
import linecache
import os
import pickle
import sys
import tempfile
import threading
import types
from collections.abc import Callable, Hashable, Sequence
from typing import Any, overload

import numpy as np

from s2s_ad.diagnostics import Diagnostic, DifferentiationError, Span
from s2s_ad.specialise import Specialisation, Table, parameters_of

Wrt = int | str | Sequence[int | str]
