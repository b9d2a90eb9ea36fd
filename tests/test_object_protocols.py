"""What Python asks of objects, classes, defaults, generators and views, and what a file does to its
own names.

Each program is differentiated as a live function and as a file that is only read: the derivative is
right, or refused by the name that stands here.
"""

from __future__ import annotations

import importlib.util
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import s2s_ad
from s2s_ad import cli
from s2s_ad.diagnostics import DifferentiationError

RIGHT = ""
A = "class A:\n    def __init__(self, x):\n        self.x = x\n"
MADE = "    a, b = A(x), A(x * x)\n"
HELD = "OBJ = A(2.0)\n"


def in_class(text: str) -> str:
    return A + textwrap.indent(text, "    ")


def function(body: str) -> str:
    return f"\ndef f(x: float, y: float):\n{textwrap.indent(body, '    ')}\n"


# name: program, refused live, refused as a file
PROGRAMS = {
    "truth by __bool__": (
        in_class("def __bool__(self):\n    return self.x > 1.0\n")
        + function("a = A(x)\nreturn x * y if a else x + y"), RIGHT, RIGHT),
    "truth by __len__": (
        in_class("def __len__(self):\n    return 0\n")
        + function("a = A(x)\nreturn x * y if not a else x + y"), RIGHT, RIGHT),
    "truth of a named tuple": (
        "from typing import NamedTuple\nclass P(NamedTuple):\n    x: float\n"
        "    def __bool__(self):\n        return False\n"
        + function("p = P(x)\nreturn p.x * y if not p else x + y"), RIGHT, RIGHT),
    "truth of an object from outside": (
        in_class("def __bool__(self):\n    return False\n") + HELD
        + function("return x * y if OBJ else x + y"), "unsupported-value", "free-variable"),
    "truth that is computed": (
        in_class("def no(self):\n    return False\n__bool__ = no\n")
        + function("return x * y if A(x) else x + y"), RIGHT, "unsupported-value"),
    "length": (
        in_class("def __len__(self):\n    return 3\n")
        + function("return x * y * len(A(x))"), RIGHT, RIGHT),
    "items by __iter__": (
        in_class("def __iter__(self):\n    return iter([self.x, 2.0])\n")
        + function("s = y\nfor v in A(x):\n    s = s + v * x\nreturn s"),
        "not-iterable", "not-iterable"),
    "items by __getitem__": (
        in_class("def __getitem__(self, i):\n    return [self.x, 2.0][i]\n")
        + function("s = y\nfor v in A(x):\n    s = s + v * x\nreturn s"),
        "not-iterable", "not-iterable"),
    "fields are no items": (
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    a: float\n    b: float\n"
        "    def __iter__(self):\n        return iter([self.b, self.b])\n"
        + function("p, q = P(x, y)\nreturn p * q"), "not-iterable", "not-iterable"),
    "membership": (
        in_class("def __contains__(self, v):\n    return True\n")
        + function("return x * y if 3 in A(x) else x + y"), "not-iterable", "not-iterable"),
    "stores by __setitem__": (
        in_class("def __setitem__(self, i, v):\n    self.x = 3.0 * v\n")
        + function("a = A(x)\na[0] = y\nreturn a.x * x"), "not-an-array", "not-an-array"),
    "a setter": (
        in_class("@property\ndef q(self):\n    return self.x\n"
                 "@q.setter\ndef q(self, v):\n    self.x = 2.0 * v\n")
        + function("a = A(x)\na.q = x * x\nreturn a.q * y"),
        "unsupported-syntax", "unsupported-syntax"),
    "a descriptor": (
        "class D:\n    def __get__(self, o, t):\n        return o.kept * 5.0\n"
        "    def __set__(self, o, v):\n        o.kept = v\n" + A + "    q = D()\n"
        + function("a = A(x)\na.q = x * x\nreturn a.q * y"),
        "unsupported-syntax", "unsupported-syntax"),
    "a property after an attribute was given": (
        in_class("@property\ndef q(self):\n    return 3.0 * self.x\n") + HELD
        + function("OBJ.x = x * y\nreturn OBJ.q * x"), RIGHT, "free-variable"),
    "a property that counts": (
        in_class("@property\ndef q(self):\n    self.n = 1.0 + self.n\n    return self.n\n")
        + HELD + "OBJ.n = 0.0\n" + function("OBJ.n = 1.0\nreturn OBJ.q * OBJ.q * x * y"),
        RIGHT, "free-variable"),
    "a cached property after an attribute was given": (
        "import functools\n"
        + in_class("@functools.cached_property\ndef q(self):\n    return 3.0 * self.x\n") + HELD
        + function("OBJ.x = x * y\nreturn OBJ.q * x"), "unsupported-value", "free-variable"),
    "a property of what a list holds": (
        "K = [1.0]\n" + in_class("@property\ndef q(self):\n    return 3.0 * K[0]\n") + HELD
        + function("K[0] = x * y\nr = OBJ.q * x\nK[0] = 1.0\nreturn r"), RIGHT, "free-variable"),
    "two names of a list": (
        "K = [1.0, 2.0]\nJ = K\n" + function("K[0] = x\nr = J[0] * y\nK[0] = 1.0\nreturn r"),
        "write-in-place", "free-variable"),
    "two places of a list": (
        "K = [[1.0]] * 2\n" + function("K[0][0] = x\nr = K[1][0] * y\nK[0][0] = 1.0\nreturn r"),
        "write-in-place", "free-variable"),
    "numbers with an arithmetic of their own": (
        "class F(float):\n    def __mul__(self, o):\n        return float(self) + o\nK = F(3.0)\n"
        + function("return K * x + y"), "free-variable", "free-variable"),
    "attributes that are made up": (
        in_class("def __getattr__(self, name):\n    return 3.0\n") + HELD
        + function("return OBJ.some * x * y"), RIGHT, "free-variable"),
    "a default list that grows": (
        "def g(x, kept=[]):\n    kept.append(x)\n    return kept[0]\n"
        + function("return g(x) * g(y)"), "write-in-place", "write-in-place"),
    "a default dict that is filled": (
        "def g(x, kept={}):\n    kept['a'] = x\n    return kept['a']\n"
        + function("return g(x) * g(y)"), "write-in-place", "write-in-place"),
    "a default array that is written to": (
        "def g(x, kept=np.ones(2)):\n    kept[0] = x\n    return kept\n"
        + function("return np.sum(g(x) * g(y))"), "write-in-place", "write-in-place"),
    "a default array that a branch hands on": (
        "def g(x, kept=np.ones(2)):\n    if x > 0.0:\n        v = kept\n    else:\n"
        "        v = np.zeros(2)\n    v[0] = x\n    return v\n"
        + function("return np.sum(g(x) * g(y))"), "write-in-place", "write-in-place"),
    "a global array that a loop hands on": (
        "KEPT = np.ones(2)\ndef g():\n    return KEPT\n"
        + function("v = g()\nfor i in range(2):\n    v[0] = x\n    v = v * y\n"
                   "return np.sum(v * g())"), "write-in-place", "free-variable"),
    "a default that is read": (
        "def g(x, kept=np.ones(2)):\n    kept = kept.copy()\n    kept[0] = x\n    return kept\n"
        + function("return np.sum(g(x) * g(y))"), RIGHT, RIGHT),
    "a base from elsewhere": (
        "import argparse\nclass P(argparse.Namespace):\n    def __init__(self, x):\n"
        "        self.x = x\n" + function("return x * y if P(x) else x + y"),
        RIGHT, "unsupported-value"),
    "a base that may be known": (
        "import abc\nclass P(abc.ABC):\n    def __init__(self, x):\n        self.x = x * x\n"
        + function("return P(x).x * y"), RIGHT, RIGHT),
    "a class that is decorated": (
        "def more(made):\n    made.k = 7.0\n    return made\n@more\n" + A + "    k = 1.0\n"
        + function("return A(x).k * x * y"), RIGHT, "unsupported-value"),
    "a class that its base changes": (
        "class B:\n    k = 1.0\n    def __init_subclass__(cls):\n        cls.k = 9.0\n"
        "class C(B):\n    pass\n" + function("return C().k * x * y"), RIGHT, "unsupported-value"),
    "two bases": (
        "class B:\n    k = 2.0\nclass C(B):\n    pass\nclass D(B):\n    k = 6.0\n"
        "class E(C, D):\n    pass\n" + function("return E().k * x * y"), RIGHT,
        "unsupported-value"),
    "a class that is changed": (
        A + "    k = 1.0\nA.k = 5.0\n" + function("return A(x).k * x * y"), RIGHT,
        "free-variable"),
    "a class that a function changes": (
        A + "    k = 1.0\ndef more():\n    A.k = 5.0\nmore()\n"
        + function("return A(x).k * x * y"), RIGHT, "free-variable"),
    "a class variable that grows": (
        A + "    k = 1.0\n    k += 4.0\n" + function("return A(x).k * x * y"), RIGHT,
        "not-a-number"),
    "defaults that are changed": (
        "def g(x, k=1.0):\n    return k * x\ng.__defaults__ = (5.0,)\n"
        + function("return g(x) * y"), RIGHT, "free-variable"),
    "what a function is told besides": (
        "def g(x, k=1.0):\n    return k * x\ng.note = 5.0\n" + function("return g(x) * y"),
        RIGHT, RIGHT),
    "a global by its table": (
        "K = 2.0\nglobals()['K'] = 8.0\n" + function("return K * x * y"), RIGHT,
        "unsupported-function"),
    "a global by the module": (
        "import sys\nK = 2.0\nsetattr(sys.modules[__name__], 'K', 8.0)\n"
        + function("return K * x * y"), RIGHT, "unsupported-function"),
    "a generator that is kept": (
        function("g = (v * x for v in [x, y])\nx = 3.0 * x\nreturn sum(g)"),
        "unsupported-syntax", "unsupported-syntax"),
    "a generator that a function is given": (
        "def g(items):\n    return sum(items) + sum(items)\n"
        + function("return g(v * x for v in [x, y])"), "unsupported-syntax", "unsupported-syntax"),
    "a generator that is gone through": (
        function("a, b = (v * x for v in [x, y])\ns = sum(v * x for v in [a, b])\n"
                 "for v in (v * y for v in [s, x]):\n    s = s * v\nreturn s"),
        RIGHT, RIGHT),
    "a view of a dict": (
        function("d = {'a': x}\nv, t = d.values(), tuple(d.values())\nd['a'] = x * y\n"
                 "d['b'] = y\nreturn sum(v) * len(v) * t[0]"), RIGHT, RIGHT),
    "a view of one of two dicts": (
        function("d, e = {'a': x}, {'a': y}\nv = d.items() if x > 0.0 else e.items()\n"
                 "d['a'] = x * y\nreturn sum(b for a, b in v)"),
        "changes-kind", "changes-kind"),
    "a dict that changes ahead of a loop": (
        function("d = {'a': x, 'b': y}\nfor k, v in d.items():\n    d['b'] = d['b'] + v\n"
                 "return d['b']"), "write-in-place", "write-in-place"),
    "a dict that changes behind a loop": (
        function("d = {'a': x, 'b': y}\nfor k, v in d.items():\n    d[k] = v * x\n"
                 "return d['a'] * d['b']"), RIGHT, RIGHT),
    "a dict that changes ahead of a comprehension": (
        function("d = {'a': x, 'b': y}\n"
                 "return sum([d.update(b=d['b'] * v) or v for v in d.values()])"),
        "write-in-place", "write-in-place"),
    "a table that is read": (
        "K = 2.0\nprint('K' in globals(), globals()['K'], globals().get('K'))\n"
        + function("return K * x * y"), RIGHT, RIGHT),
}  # fmt: skip


def load(path: Path, name: str) -> Callable[..., Any]:
    """The function `f` of a file that is run."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # programs look themselves up
    spec.loader.exec_module(module)
    found: Callable[..., Any] = getattr(module, "f", None) or module.value_and_grad_f
    return found


POINT = (0.7, 0.3)


def expected(f: Callable[..., Any]) -> tuple[float, list[float]]:
    """The value, and central differences: their error is of the order of the square of the step."""
    step, slopes = 1e-5, []
    for place in range(len(POINT)):
        moved = [[v + s * (k == place) for k, v in enumerate(POINT)] for s in (step, -step)]
        slopes.append((f(*moved[0]) - f(*moved[1])) / (2.0 * step))
    return f(*POINT), slopes


@pytest.mark.parametrize(("text", "live", "file"), PROGRAMS.values(), ids=PROGRAMS)
def test_right_or_refused(
    text: str, live: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "program.py"
    path.write_text(f"import numpy as np\n\n\n{text}")
    f = load(path, f"{tmp_path.name}_program")
    if live:
        with pytest.raises(DifferentiationError) as refused:
            s2s_ad.value_and_grad(f, argnums=(0, 1))(*POINT)
        assert refused.value.diagnostics[0].name == live
    else:
        check(f, s2s_ad.value_and_grad(f, argnums=(0, 1))(*POINT))
    capsys.readouterr()
    arguments = [str(path), "f", "--mode", "value-and-grad", "--output-format", "concise"]
    status = cli.main(arguments)
    captured = capsys.readouterr()
    if file:
        assert (status, f"error[{file}]" in captured.err) == (cli.REFUSED, True), captured.err
    else:
        assert status == cli.DONE, captured.err
        module = tmp_path / "module.py"
        module.write_text(captured.out)
        check(f, load(module, f"{tmp_path.name}_module")(*POINT))


def check(f: Callable[..., Any], found: tuple[Any, tuple[Any, ...]]) -> None:
    value, slopes = expected(f)
    assert found[0] == value
    np.testing.assert_allclose(found[1], slopes, rtol=1e-8, atol=1e-9)
