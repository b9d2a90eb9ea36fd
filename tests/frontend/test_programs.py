"""The programs of the `.md` files here: the IR they are lowered to computes what Python does.

A heading, the program, and `calls`: the arguments of each call, one a line, in Python.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.frontend.lowered import assert_as_python

CASE = re.compile(r"^## (.+?)\n.*?^```python(.*?)\n(.*?)^```\n\n```calls\n(.*?)^```$", re.M | re.S)
CASES = {
    f"{path.stem}: {title}": (options, text, calls)
    for path in sorted(Path(__file__).parent.glob("*.md"))
    for title, options, text, calls in CASE.findall(path.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize("title", CASES)
def test_as_python(title: str) -> None:
    options, text, calls = CASES[title]
    arguments = re.findall(r'arg="(.*?)"', options)
    evaluated = [eval(line, {"np": np}) for line in calls.splitlines()]
    assert_as_python(text, *evaluated, arguments=arguments)
