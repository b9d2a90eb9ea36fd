"""Builds the modules of a project: in parallel, and only those whose inputs have changed.

What comes in: a `Project`. What goes out: an `Outcome` for each target, as soon as it is made.
Nothing is written here but the record of what was built from what (`.s2s_ad_cache`), which is only
ever believed for skipping work: `check` does all of it.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import s2s_ad
from s2s_ad.certificate import certify, digest, digest_of_file, spelled, version
from s2s_ad.diagnostics import Diagnostic, DifferentiationError
from s2s_ad.evidence import Request, gather_for
from s2s_ad.files import write_atomically
from s2s_ad.project import BuildTarget, Project
from s2s_ad.running import CannotRun, imported
from s2s_ad.targets import BadTarget, Lowered, lower_target

CACHE = ".s2s_ad_cache"
# Below this many targets to make, starting processes takes longer than the work.
FEW = 3


@dataclass(frozen=True)
class Outcome:
    """What was made of a target: texts by path, relative to the project; or why nothing was.

    `files` are the sources that were read. An outcome that was `skipped` is up to date.
    """

    target: BuildTarget
    texts: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = ()
    refusals: tuple[Diagnostic, ...] = ()
    problem: str = ""
    skipped: bool = False

    @property
    def failed(self) -> bool:
        return bool(self.refusals or self.problem)


def outcomes(
    project: Project, targets: Sequence[BuildTarget], jobs: int, incremental: bool
) -> Iterator[Outcome]:
    """Make each target, in any order."""
    known = read_record(project.root) if incremental else {}
    todo: list[BuildTarget] = []
    for target in targets:
        if incremental and is_current(project.root, target, known.get(target.output)):
            yield Outcome(target, skipped=True)
        else:
            todo.append(target)
    if jobs == 1 or len(todo) < FEW:
        yield from (made(project.root, target) for target in todo)
        return
    with concurrent.futures.ProcessPoolExecutor(min(jobs, len(todo))) as pool:
        running = [pool.submit(made, project.root, target) for target in todo]
        for future in concurrent.futures.as_completed(running):
            yield future.result()


def made(root: Path, target: BuildTarget) -> Outcome:
    """Make one target. Paths of files are as the project gives them, so bytes do not depend on
    where it lies.
    """
    try:
        return _made(root, target)
    except DifferentiationError as refusal:
        return Outcome(target, refusals=refusal.diagnostics)
    except (BadTarget, CannotRun, OSError) as problem:
        return Outcome(target, problem=str(problem))
    except Exception as problem:
        return Outcome(target, problem=f"internal error: {type(problem).__name__}: {problem}")


def _made(root: Path, target: BuildTarget) -> Outcome:
    before = os.getcwd()
    os.chdir(root)
    try:
        lowered = lower_target(target.target)
        text = lowered.module(target.target.file)
        texts = [(target.output, text)]
        if target.certificate:
            evidence = _evidence(target, lowered) if target.verify else None
            if evidence is not None and evidence[0].failures:
                return Outcome(target, problem="\n".join(["not verified:", *evidence[0].failures]))
            certificate = certify(
                lowered,
                target.target.arguments,
                text,
                target.output,
                evidence,
                values=target.target.values,
            )
            texts.append((target.certificate_path, spelled(certificate)))
        return Outcome(target, tuple(texts), lowered.files)
    finally:
        os.chdir(before)


def _evidence(target: BuildTarget, lowered: Lowered) -> Any:
    request = Request(target.points, target.seed)
    with imported(target.target.file) as module:
        return gather_for(lowered, module, target.target.file, request), request


# The record ---------------------------------------------------------------------------------------


@cache
def tool_digest() -> str:
    """A hash of the compiler's own source: whatever changes there, everything is made anew."""
    package = Path(s2s_ad.__file__).parent
    texts = [path.read_bytes() for path in sorted(package.rglob("*.py"))]
    return digest(b"\0".join([version().encode(), *texts]))


def read_record(root: Path) -> dict[str, Any]:
    """What is known of earlier builds, by output; nothing if that cannot be read."""
    try:
        found = json.loads((root / CACHE / "build.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def record_of(root: Path, outcome: Outcome) -> dict[str, Any]:
    """What a target was made from, and what came of it."""
    return {
        "target": repr(outcome.target),
        "tool": tool_digest(),
        "read": {path: digest_of_file(str(root / path)) for path in outcome.files},
        "made": {path: digest(text.encode()) for path, text in outcome.texts},
    }


def write_record(root: Path, record: Mapping[str, Any]) -> None:
    """Remember; that it cannot be written does no harm."""
    try:
        (root / CACHE).mkdir(exist_ok=True)
        if not (root / CACHE / ".gitignore").exists():
            write_atomically(root / CACHE / ".gitignore", "*\n")
        write_atomically(root / CACHE / "build.json", json.dumps(record, indent=1) + "\n")
    except OSError:
        return


def is_current(root: Path, target: BuildTarget, known: Any) -> bool:
    """Whether inputs and outputs of a target are those of the last build."""
    try:
        if known["target"] != repr(target) or known["tool"] != tool_digest():
            return False
        files = {**known["read"], **known["made"]}
        return bool(known["read"]) and all(
            digest_of_file(str(root / path)) == seen for path, seen in files.items()
        )
    except (OSError, TypeError, KeyError, AttributeError):
        return False
