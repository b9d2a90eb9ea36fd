"""Texts of generated modules: run, or joined to one."""

from __future__ import annotations

import ast
import itertools
import linecache
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_NUMBERS = itertools.count(1)


def load_module(text: str, name: str) -> dict[str, Any]:
    """Run a generated module. Its text is known to `linecache`, so that tracebacks show it."""
    path = f"<s2s_ad {name} {next(_NUMBERS)}>"
    namespace: dict[str, Any] = {"__name__": f"generated.{name}"}
    exec(compile(text, path, "exec", dont_inherit=True), namespace)
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    # as long as the function lives, and no longer
    weakref.finalize(namespace[name], linecache.cache.pop, path, None)
    return namespace


def join_modules(texts: Sequence[str]) -> str:
    """One module with what several define; what they share, such as helpers, stands there once."""
    imports: dict[str, None] = {}
    constants: dict[str, None] = {}
    definitions: dict[str, None] = {}
    heading = ""
    for text in texts:
        lines = text.splitlines()
        for node in ast.parse(text).body:
            part = "\n".join(lines[node.lineno - 1 : node.end_lineno])
            match node:
                case ast.Import() | ast.ImportFrom():
                    imports[part] = None
                case ast.FunctionDef():
                    definitions[part] = None
                case ast.Expr():
                    heading = heading or part
                case _:
                    constants[part] = None
    blocks = [heading, *_import_blocks(imports), "\n".join(constants)]
    return "\n\n\n".join(["\n\n".join(filter(None, blocks)), *definitions]) + "\n"


def _import_blocks(imports: Iterable[str]) -> Iterator[str]:
    """The standard library, then the others; within each, `import` before `from`."""
    third = {line for line in imports if line.split()[1].split(".")[0] in ("numpy", "scipy")}
    for group in (set(imports) - third, third):
        yield "\n".join(sorted(group, key=lambda line: (line.startswith("from"), line)))
