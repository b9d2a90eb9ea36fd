"""The language, phrase by phrase: each has a case. What is outside is refused at its place, by
name, with a way out.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from s2s_ad.diagnostics import DifferentiationError
from s2s_ad.frontend.source import parse_text
from s2s_ad.options import Options
from s2s_ad.targets import Target, lower_target

HEAD = (
    "import numpy as np\n\n\ndef g(*rest):\n    return rest[0]\n\n\ndef f(x: float, n: int = 3):\n"
)
OUTSIDE = {
    "try": ("try:\n    y = x\nexcept ValueError:\n    y = 0.0", "unsupported-syntax"),
    "with": ("with open('f') as file:\n    y = x", "unsupported-syntax"),
    "yield": ("y = yield x", "unsupported-syntax"),
    "yield from": ("y = 1.0\nyield from x", "unsupported-syntax"),
    "async": ("async def h(y):\n    return y\n\ny = h(x)", "unsupported-syntax"),
    "global": ("global q\nq = x\ny = x", "unsupported-syntax"),
    "nonlocal": (
        "y = x\n\ndef k(q):\n    return q()\n\ndef h():\n    nonlocal y\n    y = 2.0\n\nk(h)",
        "unsupported-syntax",
    ),
    "del": ("y = np.ones(3)\ndel y[0]\ny = x", "unsupported-syntax"),
    "match": (
        "match n:\n    case int(k):\n        y = x * k\n    case _:\n        y = 2.0 * x",
        "unsupported-syntax",
    ),
    "class": ("class A:\n    pass\n\ny = x", "unsupported-syntax"),
    "*args of unknown length": ("y = g(*np.ones(n))", "star-argument"),
    "**kwargs of unknown keys": ("y = g(**n)", "star-argument"),
    "exec": ("exec('y = x')\ny = x", "unsupported-syntax"),
    "eval": ("y = eval('x')", "unsupported-syntax"),
    "order of complex numbers": ("y = x * (x * 1j < 1.0)", "complex-number"),
    "object arrays": ("y = np.sum(np.array([x, 2.0], dtype=object))", "unsupported-dtype"),
    "functions without source or rule": ("import os\n\ny = os.getpid() * x", "unknown-operation"),
}


@pytest.mark.parametrize(("body", "name"), OUTSIDE.values(), ids=OUTSIDE)
def test_what_is_outside_is_refused_by_name(body: str, name: str) -> None:
    text = f"{HEAD}{textwrap.indent(body, '    ')}\n    return y\n"
    target = Target("model.py", "f", Options(wrt=("x",)))
    with pytest.raises(DifferentiationError) as refused:
        lower_target(target, parse_text(text, "model.py")).module("model.py")
    first = refused.value.diagnostics[0]
    assert first.name == name
    assert first.help
    assert first.span is not None
    assert first.span.line > HEAD.count("\n")


ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
ROWS = [
    row for row in re.findall(r"^\| (.+) \| (.+) \|$", PAGE, re.M) if row[1] not in ("Case", "---")
]


@pytest.mark.parametrize(("phrase", "cases"), ROWS, ids=[phrase for phrase, _ in ROWS])
def test_each_phrase_has_its_cases(phrase: str, cases: str) -> None:
    for case in cases.split("; "):
        file, _, heading = case.partition(": ")
        text = (ROOT / "tests" / "cases" / f"{file}.md").read_text(encoding="utf-8")
        assert f"## {heading}" in text.splitlines(), case
