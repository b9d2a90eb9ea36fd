"""`[tool.s2s_ad]` of a pyproject.toml: the derivatives that belong to a project.

    [[tool.s2s_ad.targets]]
    file = "model.py"
    function = "loss"
    output = "generated/loss_grad.py"
    wrt = ["w", "b"]
    args = { X = "float[n, d]" }

What comes out is a `Project`; whatever is not understood is a BadProject, never ignored.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2s_ad.certificate import certificate_path
from s2s_ad.options import MODES, USEFUL, Options, checkpoint_option, sparse_options
from s2s_ad.targets import Target

KEYS = {
    "file": str,
    "function": str,
    "output": str,
    "mode": str,
    "direction": str,
    "sparse": str,
    "wrt": (str, list),
    "args": dict,
    "values": dict,
    "level": int,
    "has-aux": bool,
    "checkpoint": (int, str),
    "trap-nan": bool,
    "many": bool,
    "certificate": bool,
    "verify": bool,
    "points": int,
    "seed": int,
}
REQUIRED = ("file", "function", "output")
# What a table above the targets may say for all of them
COMMON = ("mode", "level", "certificate", "verify", "points", "seed")


class BadProject(Exception):
    """The table cannot be read; the message says where and why."""


@dataclass(frozen=True)
class BuildTarget:
    """A module of the project. Paths are relative to the project's directory, with `/`.

    With `certificate` a file of hashes lies beside the module; with `verify` the function is run,
    and the certificate says what was compared.
    """

    target: Target
    output: str
    certificate: bool = False
    verify: bool = False
    points: int = 5
    seed: int = 0

    @property
    def certificate_path(self) -> str:
        return certificate_path(self.output)


@dataclass(frozen=True)
class Project:
    root: Path
    targets: tuple[BuildTarget, ...]


def find_project(start: Path) -> Path | None:
    """The pyproject.toml of a directory, or of the nearest one above it."""
    for directory in (start, *start.parents):
        if (directory / "pyproject.toml").is_file():
            return directory / "pyproject.toml"
    return None


def read_project(path: Path) -> Project:
    """Raises BadProject."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise BadProject(f"cannot read {path}: {problem.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise BadProject(f"{path} is not TOML: {problem}") from None
    ours = table.get("tool", {}).get("s2s_ad", {})
    if not isinstance(ours, dict):
        raise BadProject(f"{path}: [tool.s2s_ad] is not a table")
    entries = ours.get("targets", [])
    common = {key: value for key, value in ours.items() if key != "targets"}
    _refuse_unknown(common, COMMON, "[tool.s2s_ad]")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadProject("[tool.s2s_ad] targets: write each as [[tool.s2s_ad.targets]]")
    targets = tuple(
        _target({**common, **entry}, f"target {number}")
        for number, entry in enumerate(entries, start=1)
    )
    _refuse_clashes(targets)
    return Project(path.parent, targets)


def _target(entry: dict[str, Any], where: str) -> BuildTarget:
    where = f"{where} ({entry['output']})" if isinstance(entry.get("output"), str) else where
    _refuse_unknown(entry, tuple(KEYS), where)
    for key in REQUIRED:
        if key not in entry:
            raise BadProject(f"{where}: `{key}` is missing")
    for key, value in entry.items():
        kind: Any = KEYS[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise BadProject(f"{where}: `{key}` cannot be {value!r}")
    _refuse_values(entry, where)
    wrt = entry.get("wrt")
    options = Options(
        mode=entry.get("mode", "grad"),
        wrt=None if wrt is None else (wrt,) if isinstance(wrt, str) else tuple(wrt),
        has_aux=entry.get("has-aux", False),
        level=entry.get("level", 1),
        checkpoint=checkpoint_option(entry.get("checkpoint", "")),
        trap_nan=entry.get("trap-nan", False),
        many=entry.get("many", False),
        direction=entry.get("direction", ""),
        sparse=entry.get("sparse", ""),
    )
    arguments = tuple(f"{name}={text}" for name, text in entry.get("args", {}).items())
    values = tuple(f"{name}={given}" for name, given in entry.get("values", {}).items())
    return BuildTarget(
        Target(_plain(entry["file"]), entry["function"], options, arguments, values),
        _plain(entry["output"]),
        entry.get("certificate", False) or entry.get("verify", False),
        entry.get("verify", False),
        entry.get("points", 5),
        entry.get("seed", 0),
    )


def _refuse_values(entry: dict[str, Any], where: str) -> None:
    if entry.get("mode", "grad") not in MODES:
        raise BadProject(f"{where}: `mode` is one of {', '.join(MODES)}, not {entry['mode']!r}")
    try:
        checkpoint_option(entry.get("checkpoint", ""))
        sparse_options(
            entry.get("direction", ""), entry.get("sparse", ""), entry.get("has-aux", False)
        )
    except ValueError as problem:
        raise BadProject(f"{where}: {problem}") from None
    if entry.get("values") and not entry.get("sparse"):
        raise BadProject(f"{where}: `values` are for what a sparse derivative depends on")
    for name, modes in USEFUL.items():
        key = name.replace("_", "-")
        if entry.get(key) and entry.get("mode", "grad") not in modes:
            raise BadProject(f"{where}: `{key}` is for the modes {', '.join(modes)}")
    if entry.get("level", 1) not in (0, 1):
        raise BadProject(f"{where}: `level` is 0 or 1, not {entry['level']!r}")
    if entry.get("points", 1) < 1:
        raise BadProject(f"{where}: `points` is 1 or more, not {entry['points']!r}")
    if not all(isinstance(name, str) for name in entry.get("wrt", ())):
        raise BadProject(f"{where}: `wrt` holds names of parameters, not {entry['wrt']!r}")
    for name, text in entry.get("args", {}).items():
        if not isinstance(text, str):
            raise BadProject(f"{where}: the type of `{name}` is a text, not {text!r}")


def _refuse_unknown(entry: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in entry:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"
            raise BadProject(f"{where}: unknown key `{key}`: {hint}")


def _refuse_clashes(targets: tuple[BuildTarget, ...]) -> None:
    """Two targets for one file, or an output that would overwrite a source."""
    sources = {os.path.normpath(target.target.file) for target in targets}
    seen: dict[str, int] = {}
    for number, target in enumerate(targets, start=1):
        written = [target.output, *([target.certificate_path] if target.certificate else [])]
        for path in map(os.path.normpath, written):
            if path in sources:
                raise BadProject(f"target {number}: {path} is a source: it would be overwritten")
            if path in seen:
                raise BadProject(f"targets {seen[path]} and {number} both write {path}")
            seen[path] = number


def _plain(path: str) -> str:
    return path.replace("\\", "/")
