"""Imports run one way only: from what is simple to what uses it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import s2s_ad

PACKAGE = Path(s2s_ad.__file__).parent
# A module may import from its own line and from those above it.
LAYERS = [
    ("diagnostics", "files", "custom"),
    ("types",),
    ("ir",),
    ("rewrite", "inlining", "check", "interpret"),
    ("operations",),
    ("memory", "options"),
    ("frontend",),
    ("passes",),
    ("backend",),
    ("pipeline",),
    ("modules", "directions", "specialise", "stacked", "explain"),
    ("sparse",),
    ("known_values",),
    ("targets", "differences", "points", "sampling", "coverage"),
    ("verify",),
    ("contractions",),
    ("running",),
    ("evidence",),
    ("api",),
    ("checking", "jacobians"),
    ("project", "certificate"),
    ("build",),
    ("commands",),
    ("cli", "__init__", "__main__"),
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The modules of the package that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "s2s_ad":
                names = [f"s2s_ad.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name for name in names if name.startswith("s2s_ad."))


def layer(dotted: str) -> str:
    return dotted.split(".")[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert own in RANK, f"{own} has no place in the order of imports"
    for name in imported(path):
        assert RANK[layer(name)] <= RANK[own], f"{own} imports {name}"


def test_libcst_is_imported_by_the_front_end_only() -> None:
    users = {
        path.relative_to(PACKAGE).parts[0]
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import) and any(alias.name == "libcst" for alias in node.names)
    }
    assert users == {"frontend"}
