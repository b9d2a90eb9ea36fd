"""Rebuilds `generated/` from `examples/`, after the table in `examples/targets.toml`.

    python scripts/regenerate.py            write what has changed
    python scripts/regenerate.py --check    write nothing; exit 1 if something would change

A refactoring of the compiler leaves `generated/` untouched: that is its regression test. Files in
`generated/` that no target makes are an error in both forms, and so is an empty table.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from s2s_ad.diagnostics import DifferentiationError
from s2s_ad.frontend.annotations import TypeReader
from s2s_ad.frontend.lower import lower_function
from s2s_ad.frontend.resolve import FileScope
from s2s_ad.frontend.source import parse_file
from s2s_ad.frontend.values import UserFunction
from s2s_ad.ir import Function
from s2s_ad.pipeline import Options, differentiable, generate
from s2s_ad.sparse.generate import generate_sparse

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES, GENERATED = ROOT / "examples", ROOT / "generated"


@dataclass(frozen=True)
class Target:
    """A module of `generated/`: which function of which example it is the derivative of."""

    name: str
    source: Path
    function: str
    options: Options
    arguments: tuple[tuple[str, str], ...] = ()

    @property
    def path(self) -> Path:
        return GENERATED / f"{self.name}.py"

    def lower(self) -> Function:
        """The example's function as IR. Raises DifferentiationError."""
        scope = FileScope(parse_file(str(self.source)))
        function = scope.lookup(self.function)
        if not isinstance(function, UserFunction):
            raise SystemExit(f"{self.source.name} has no function `{self.function}`")
        reader = TypeReader()
        types = {name: reader.argument(text) for name, text in self.arguments}
        return lower_function(function, types)[0]

    def text(self) -> str:
        """The module, as the command line would print it. Raises DifferentiationError."""
        function = self.lower()
        wrt = differentiable(function, self.options)
        bare = len(wrt) == 1 and self.options.mode != "vjp"
        options = replace(self.options, wrt=wrt, bare=bare)
        if options.sparse:
            return generate_sparse(function, options, self.source.name).text
        return generate(function, options, self.source.name)


def targets(table: Path = EXAMPLES / "targets.toml") -> list[Target]:
    """The table, in its order. Raises ValueError for a key that means nothing."""
    entries = tomllib.loads(table.read_text(encoding="utf-8"))
    return [_target(name, entry) for name, entry in entries.items()]


def _target(name: str, entry: dict[str, Any]) -> Target:
    unknown = set(entry) - {"file", "function", "mode", "wrt", "level", "args", "sparse"}
    if unknown:
        raise ValueError(f"targets.toml: [{name}] has unknown keys: {', '.join(sorted(unknown))}")
    wrt = entry.get("wrt")
    options = Options(
        mode=entry.get("mode", "grad"),
        wrt=(wrt,) if isinstance(wrt, str) else None if wrt is None else tuple(wrt),
        level=entry.get("level", 1),
        sparse=entry.get("sparse", ""),
    )
    source = EXAMPLES / entry.get("file", f"{name}.py")
    return Target(name, source, entry["function"], options, tuple(entry.get("args", {}).items()))


def differences(wanted: dict[Path, str]) -> Iterator[str]:
    """What `generated/` has that is not wanted, as unified diffs."""
    for path, text in wanted.items():
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old != text:
            before = "/dev/null" if not path.exists() else f"a/{path.relative_to(ROOT).as_posix()}"
            after = f"b/{path.relative_to(ROOT).as_posix()}"
            lines = difflib.unified_diff(
                old.split("\n"), text.split("\n"), before, after, lineterm=""
            )
            yield "\n".join(lines)


def orphans(wanted: dict[Path, str]) -> list[Path]:
    found = (
        path for path in GENERATED.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    return sorted(path for path in found if path not in wanted)


def write(path: Path, text: str) -> None:
    """Write the whole file or nothing."""
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Rebuild generated/ from examples/.")
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 on differences")
    check = parser.parse_args(arguments).check
    wanted: dict[Path, str] = {}
    problems: list[str] = []
    for target in targets():
        try:
            wanted[target.path] = target.text()
        except DifferentiationError as error:
            problems.append(f"{target.name}: refused\n{error}")
    if not wanted and not problems:
        problems.append("there is nothing to generate: examples/targets.toml is empty")
    named = {target.path for target in targets()}
    problems += [
        f"{path.relative_to(ROOT).as_posix()}: no target makes it"
        for path in orphans(dict.fromkeys(named, ""))
    ]
    changes = list(differences(wanted))
    if check:
        problems += changes
    elif not problems:
        for path, text in wanted.items():
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                write(path, text)
                print(f"wrote {path.relative_to(ROOT).as_posix()}")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
