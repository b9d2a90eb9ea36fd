"""`s2sad build`: every module listed under `[tool.s2s_ad]` in pyproject.toml."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2s_ad.commands.common import DONE, REFUSED, STYLES, WrongUsage, print_text
from s2s_ad.commands.generate import present

if TYPE_CHECKING:
    from s2s_ad.build import Outcome
    from s2s_ad.project import BuildTarget, Project

# Without a terminal, progress is said this often
SECONDS_BETWEEN = 10.0

EPILOGUE = """\
in pyproject.toml:
  [[tool.s2s_ad.targets]]
  file = "model.py"                     a target: these three, and
  function = "loss"                     what the plain command has as options:
  output = "generated/loss_grad.py"     wrt, mode, args, level, has-aux,
                                        checkpoint, trap-nan, many, direction, sparse
  wrt = ["w", "b"]
  args = { X = "float[n, d]" }
  certificate = true                    a file of hashes beside the module
  verify = true                         run the function, and certify what was compared"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="s2sad build",
        usage="%(prog)s [OUTPUT...] [options]",
        description="Write the modules listed under [tool.s2s_ad] in pyproject.toml.",
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("outputs", metavar="OUTPUT", nargs="*", help="only these (default: all)")
    made.add_argument("--config", metavar="FILE", help="another pyproject.toml")
    made.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail, and say what changed, unless all is up to date",
    )
    made.add_argument(
        "--diff", action="store_true", help="write nothing; show how modules would change"
    )
    made.add_argument("-j", "--jobs", metavar="N", type=int, help="processes (default: all cores)")
    made.add_argument("--force", action="store_true", help="make also what seems up to date")
    made.add_argument(
        "--output-format",
        choices=STYLES,
        default="full",
        help="form of diagnostics (default: %(default)s)",
    )
    return made


def run(options: argparse.Namespace) -> int:
    """Make all targets; a refused one does not keep others from being written."""
    from s2s_ad.build import outcomes

    project = _project(options)
    targets = _chosen(options, project)
    if not targets:
        print(f"s2sad: {project.root / 'pyproject.toml'} lists no targets", file=sys.stderr)
        return REFUSED
    looking = options.check or options.diff
    jobs = options.jobs or os.cpu_count() or 1
    for file in dict.fromkeys(target.target.file for target in targets if target.verify):
        print(f"s2sad: executing {file}, as its targets say", file=sys.stderr)
    session = _Session(options, project, len(targets))
    for outcome in outcomes(project, targets, jobs, not (looking or options.force)):
        session.take(outcome)
    return session.finish()


def _project(options: argparse.Namespace) -> Project:
    from s2s_ad.project import BadProject, find_project, read_project

    path = Path(options.config) if options.config else find_project(Path.cwd())
    if path is None:
        raise WrongUsage("there is no pyproject.toml here or above")
    try:
        return read_project(path.absolute())
    except BadProject as problem:
        raise WrongUsage(str(problem)) from None


def _chosen(options: argparse.Namespace, project: Project) -> Sequence[BuildTarget]:
    if not options.outputs:
        return project.targets
    known = {os.path.normpath(project.root / target.output): target for target in project.targets}
    chosen = []
    for output in options.outputs:
        target = known.get(os.path.abspath(output))
        if target is None:
            raise WrongUsage(f"no target writes {output}")
        chosen.append(target)
    return chosen


class _Session:
    """What has come of the targets so far; messages are said at the end, in the project's order."""

    def __init__(self, options: argparse.Namespace, project: Project, count: int) -> None:
        self.options, self.project, self.count = options, project, count
        self.outcomes: list[Outcome] = []
        self.last = time.monotonic()

    def take(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        if not (self.options.check or self.options.diff):
            self._write(outcome)
        done = len(self.outcomes)
        if sys.stderr.isatty():
            end = "\n" if done == self.count else ""
            print(f"\rs2sad: {done} of {self.count}", end=end, file=sys.stderr, flush=True)
        elif time.monotonic() - self.last > SECONDS_BETWEEN:
            self.last = time.monotonic()
            print(f"s2sad: {done} of {self.count}", file=sys.stderr, flush=True)

    def _write(self, outcome: Outcome) -> None:
        from s2s_ad.commands.generate import write

        for path, text in outcome.texts:
            place = self.project.root / path
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
            except OSError as problem:
                raise WrongUsage(f"cannot make {place.parent}: {problem.strerror}") from None
            if present(str(place)) != text:
                write(str(place), text)
                print(f"s2sad: wrote {path}", file=sys.stderr)

    def finish(self) -> int:
        order = {target.output: place for place, target in enumerate(self.project.targets)}
        self.outcomes.sort(key=lambda outcome: order[outcome.target.output])
        self._remember()
        failed = [self._report(outcome) for outcome in self.outcomes]
        if self.options.check:
            failed += [self._drifted(outcome) for outcome in self.outcomes if not outcome.failed]
        elif self.options.diff:
            for outcome in self.outcomes:
                self._show(outcome)
        return REFUSED if any(failed) else DONE

    def _remember(self) -> None:
        """For the next build; of modules that were written only."""
        from s2s_ad.build import read_record, record_of, write_record

        if self.options.check or self.options.diff:
            return
        new = {
            outcome.target.output: record_of(self.project.root, outcome)
            for outcome in self.outcomes
            if outcome.texts
        }
        if new:
            known = read_record(self.project.root)
            listed = {target.output for target in self.project.targets}
            kept = {output: entry for output, entry in known.items() if output in listed}
            write_record(self.project.root, {**kept, **new})

    def _report(self, outcome: Outcome) -> bool:
        """Say why a target was not made, if it was not."""
        from s2s_ad.diagnostics import render

        if outcome.refusals:
            style: Any = self.options.output_format
            coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
            print(render(outcome.refusals, style, coloured), file=sys.stderr)
        if outcome.problem:
            print(f"s2sad: {outcome.target.output}: {outcome.problem}", file=sys.stderr)
        return outcome.failed

    def _drifted(self, outcome: Outcome) -> bool:
        """Say what is not as it would be made now."""
        found = False
        for path, text in outcome.texts:
            now = present(str(self.project.root / path))
            if now == text:
                continue
            found = True
            what = "does not exist" if now is None else "is not up to date"
            print(f"s2sad: {path} {what}", file=sys.stderr)
        for line in self._reasons(outcome):
            found = True
            print(f"s2sad: {outcome.target.output}: {line}", file=sys.stderr)
        if found and self.options.diff:
            self._show(outcome)
        return found

    def _reasons(self, outcome: Outcome) -> list[str]:
        """What the certificate says has changed, the module itself included."""
        import json

        from s2s_ad.certificate import digest, drift, read_certificate

        target, root = outcome.target, self.project.root
        if not target.certificate:
            return []
        try:
            certified = read_certificate(str(root / target.certificate_path))
        except ValueError as problem:
            return [str(problem)]
        if certified is None:
            return []
        fresh = json.loads(dict(outcome.texts)[target.certificate_path])
        current = present(str(root / target.output))
        if current is not None:
            fresh["module"]["sha256"] = digest(current.encode())
        return drift(certified, fresh)

    def _show(self, outcome: Outcome) -> None:
        from s2s_ad.explain import difference

        for path, text in outcome.texts:
            now = present(str(self.project.root / path)) or ""
            if now != text:
                print_text(difference(now, text, path, f"{path} (generated)"))
