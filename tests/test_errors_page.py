"""`docs/errors.md` has a section for every diagnostic, and its programs do what it says."""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from s2s_ad import cli
from s2s_ad.diagnostics import DifferentiationError

ROOT = Path(__file__).parent.parent
KEBAB = re.compile(r"[a-z]+(-[a-z0-9]+)+")
REPORTING = {
    "Diagnostic", "DifferentiationError", "TypeProblem", "UnsupportedValue", "_refusal", "_refused",
    "error", "refusal", "refuse",
}  # fmt: skip
# Other strings of the package that are spelled like the name of a diagnostic
OTHERS = {
    "above-one",
    "has-aux",
    "hessian-products",
    "positional-only",
    "trap-nan",
    "utf-8",
    "utf-8-sig",
    "value-and-grad",
}


@cache
def sections() -> dict[str, str]:
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def strings(node: ast.AST) -> Iterator[str]:
    """The texts that an expression may have as its value."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.BoolOp(values=values):
            for value in values:
                yield from strings(value)


@cache
def names_in_the_code() -> tuple[frozenset[str], frozenset[str]]:
    """The names given to what reports, and all texts that may be names."""
    reported, spelled = set[str](), set[str]()
    for path in sorted((ROOT / "s2s_ad").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            spelled |= {text for text in strings(node) if KEBAB.fullmatch(text)}
            if isinstance(node, ast.Call) and node.args:
                function = node.func
                called = getattr(function, "attr", getattr(function, "id", ""))
                if called in REPORTING:
                    reported |= {
                        text for text in strings(node.args[0]) if re.fullmatch(r"[a-z-]+", text)
                    }
    return frozenset(reported), frozenset(spelled)


def test_every_diagnostic_has_a_section() -> None:
    reported, spelled = names_in_the_code()
    assert sorted((reported | spelled) - OTHERS - set(sections())) == []


def test_every_section_is_of_a_diagnostic() -> None:
    reported, spelled = names_in_the_code()
    assert sorted(set(sections()) - reported - (spelled - OTHERS)) == []
    assert list(sections()) == sorted(sections())


PROGRAMS = [
    (name, kind, text)
    for name, body in sections().items()
    for kind, text in re.findall(r"^```python (\w+)\n(.*?)^```$", body, re.M | re.S)
]


@pytest.mark.parametrize(
    ("name", "kind", "text"), PROGRAMS, ids=[f"{name}-{kind}" for name, kind, _ in PROGRAMS]
)
def test_the_programs(
    name: str, kind: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = kind == "raises" or (kind == "repaired" and "def f(" not in text)
    if runs and kind == "raises":
        with pytest.raises(DifferentiationError) as caught:
            execute(text)
        assert {diagnostic.name for diagnostic in caught.value.diagnostics} == {name}
    elif runs:
        execute(text)
    else:
        assert kind in ("refused", "repaired")
        path = tmp_path / "program.py"
        path.write_text(text, encoding="utf-8")
        status = cli.main([str(path), "f", "--output-format", "concise"])
        errors = capsys.readouterr().err
        if kind == "repaired":
            assert (status, errors) == (cli.DONE, "")
        else:
            assert status == cli.REFUSED
            assert set(re.findall(r"error\[(.+?)\]", errors)) == {name}


def execute(text: str) -> None:
    """Run a program whose source can be found, as that of a notebook's cell can."""
    path = f"<program {hash(text)}>"
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    exec(compile(text, path, "exec"), {"__name__": "program"})
