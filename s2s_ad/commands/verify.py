"""`s2sad verify FILE FUNC`: runs a function and its derivative, and compares them by difference
quotients. Unlike every other subcommand, it executes the file.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from s2s_ad.commands.common import (
    DONE,
    REFUSED,
    WrongUsage,
    add_function,
    lower,
    print_text,
    shown_path,
)

if TYPE_CHECKING:
    from s2s_ad.evidence import Evidence, Request
    from s2s_ad.ir import Formal
    from s2s_ad.targets import Lowered

MOST_SHOWN = 5
EPILOGUE = """\
verdicts:
  agrees    the derivative is that of the difference quotients, as far as they can tell
  wrong     it is not
  kink      the slopes of both sides differ here, and the derivative lies between them
  unclear   the difference quotients are too rough to tell

examples:
  s2sad verify model.py loss                                at 5 points drawn at random
  s2sad verify model.py loss --at 'w=[1.0, 2.0], b=0.5'     at a point of your choice
  s2sad verify model.py loss --at point.npz                 ... with large arrays
  s2sad verify model.py loss --module loss_grad.py          the module as it stands in a file"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="s2sad verify",
        usage="%(prog)s FILE FUNC [options]",
        description="Compare a derivative with difference quotients of the function itself.\n"
        "FILE is executed.",
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_function(made)
    where = made.add_argument_group("points")
    where.add_argument(
        "--at", metavar="VALUES", action="append", default=[], help="a point; may be repeated"
    )
    where.add_argument(
        "--points", metavar="N", type=_positive, help="how many to draw (default: 5)"
    )
    where.add_argument("--seed", metavar="S", type=int, default=0, help="default: %(default)s")
    how = made.add_argument_group("comparison")
    how.add_argument("--module", metavar="FILE", help="try this module, not one made anew")
    how.add_argument(
        "--tolerance",
        metavar="T",
        type=_fraction,
        help="largest relative error that agrees (default: 1e-6)",
    )
    how.add_argument(
        "--complex-step",
        action="store_true",
        help="also step into the complex plane, where the function allows it",
    )
    return made


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number of points, not {text!r}")
    return int(text)


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError(f"a number between 0 and 1, not {text!r}")
    return value


def run(options: argparse.Namespace) -> int:
    """Print the table; fail if anything in it is wrong, or if there is nothing in it."""
    from s2s_ad.evidence import points_text
    from s2s_ad.running import CannotRun

    if options.file == "-":
        raise WrongUsage("verify runs the file: name it")
    lowered = lower(options)
    formals = [formal for formal in lowered.function.formals if not formal.hidden]
    print(f"s2sad: executing {shown_path(options.file)}", file=sys.stderr)
    try:
        evidence = _gather(options, lowered, formals)
    except CannotRun as problem:
        print(f"s2sad: {problem}", file=sys.stderr)
        return REFUSED
    if options.output_format == "json":
        print_text(json.dumps(as_json(evidence, options.seed), indent=2) + "\n")
    else:
        print_text("\n".join(_report(options, lowered, evidence)) + "\n")
    if not evidence.failures:
        return DONE
    shown = evidence.failures[:MOST_SHOWN]
    for text in shown:
        print(f"s2sad: not verified: {text}", file=sys.stderr)
    if len(evidence.failures) > len(shown):
        print(f"s2sad: and {len(evidence.failures) - len(shown)} more", file=sys.stderr)
    for text in points_text(evidence, [formal.name for formal in formals]):
        print(f"s2sad: {text}", file=sys.stderr)
    return REFUSED


def _gather(options: argparse.Namespace, lowered: Lowered, formals: Sequence[Formal]) -> Evidence:
    from s2s_ad.evidence import gather_for
    from s2s_ad.running import imported, records_of

    text = None if options.module is None else _module_text(options.module)
    with imported(options.file) as module:
        records = records_of(formals, module)
        request = _request(options, formals, records)
        return gather_for(lowered, module, options.file, request, text, _progress)


def _module_text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except (OSError, UnicodeDecodeError) as problem:
        raise WrongUsage(f"cannot read {path}: {problem}") from None


def _request(options: argparse.Namespace, formals: Sequence[Formal], records: Any) -> Request:
    from s2s_ad.evidence import POINTS, Request
    from s2s_ad.sampling import BadPoint, given_point
    from s2s_ad.verify import TOLERANCE, Settings

    try:
        given = tuple(given_point(text, formals, records) for text in options.at)
    except BadPoint as problem:
        raise WrongUsage(f"--at: {problem}") from None
    settings = Settings(options.tolerance or TOLERANCE, complex_step=options.complex_step)
    return Request(options.points or POINTS, options.seed, given, settings)


def _progress(done: int, all: int) -> None:
    if sys.stderr.isatty() and all > 1:
        end = "\n" if done == all else ""
        print(f"\rs2sad: point {done} of {all}", end=end, file=sys.stderr, flush=True)


# The report ---------------------------------------------------------------------------------------


def _report(options: argparse.Namespace, lowered: Lowered, evidence: Evidence) -> Iterator[str]:
    name = lowered.options.function_name(lowered.function)
    of_gradient = lowered.options.mode in ("hessian", "hvp")
    what = "the gradient of " if of_gradient else ""
    yield f"`{name}` beside difference quotients of {what}`{lowered.function.name}`"
    yield ""
    yield from _table(evidence, options.output_format == "concise")
    yield ""
    yield from _summary(options, evidence)


def _table(evidence: Evidence, concise: bool) -> Iterator[str]:
    """A line for each comparison; with `concise` only those that do not agree."""
    rows = [row for row in evidence.rows if not concise or row.verdict != "agrees"]
    width = max([len(row.direction) for row in rows], default=9)
    if rows:
        yield f"point  mode         {'direction':<{width}}  rel. error  of reference  verdict"
    for row in rows:
        yield (
            f"{row.point:>5}  {row.mode:<11}  {row.direction:<{width}}  {_size(row.error):>10}  "
            f"{_size(row.reference_error):>12}  {row.verdict}"
        )
        if row.verdict != "agrees" and row.worst:
            yield f"{'':>20}{row.worst}"


def _summary(options: argparse.Namespace, evidence: Evidence) -> Iterator[str]:
    for verdict, title in (("wrong", "largest error"), ("agrees", "largest error that agrees")):
        known = [row for row in evidence.rows if row.worst and row.verdict == verdict]
        if known:
            worst = max(known, key=lambda row: row.error)
            yield (
                f"{title}: {_size(worst.error)}, at point {worst.point}, "
                f"{worst.mode}, {worst.worst}"
            )
    every = len(evidence.taken) + len(evidence.missed)
    if every:
        yield f"branches: {len(evidence.taken)} of {every} reached at these points"
        for branch in evidence.missed:
            yield f"  not reached: {shown_path(options.file)}:{branch.line}: {branch.name}"
    counted = ", ".join(
        f"{evidence.verdicts[verdict]} {verdict}"
        for verdict in ("agrees", "kink", "unclear", "wrong")
        if evidence.verdicts[verdict]
    )
    points = f"{len(evidence.points)} point{'' if len(evidence.points) == 1 else 's'}"
    yield f"{points} (seed {options.seed}): {counted or 'nothing compared'}"
    if evidence.problem:
        yield evidence.problem


def _size(number: float) -> str:
    return f"{number:.1e}" if math.isfinite(number) else "-"


def as_json(evidence: Evidence, seed: int) -> dict[str, Any]:
    """What the table says, for programs; an infinite error is null."""
    return {
        "verified": not evidence.failures,
        "seed": seed,
        "points": len(evidence.points),
        "rows": [
            {
                "point": row.point,
                "mode": row.mode,
                "direction": row.direction,
                "error": row.error if math.isfinite(row.error) else None,
                "reference_error": row.reference_error
                if math.isfinite(row.reference_error)
                else None,
                "verdict": row.verdict,
                "worst": row.worst,
            }
            for row in evidence.rows
        ],
        "branches": {
            "reached": [f"{branch.line}: {branch.name}" for branch in evidence.taken],
            "missed": [f"{branch.line}: {branch.name}" for branch in evidence.missed],
        },
        "failures": evidence.failures,
    }
