"""What the subcommands share: exit statuses, the options that name a function and its derivative,
the way from them to a `Function`, and output that is the same on every terminal.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s2s_ad.options import Options
    from s2s_ad.targets import Lowered

DONE, REFUSED, WRONG_USAGE = 0, 1, 2
MODES = ("grad", "value-and-grad", "vjp", "jvp", "jacobian", "hessian", "hvp")
DIRECTIONS = ("forward", "reverse", "mixed")
SPARSE_FORMS = ("csr", "triplets")
STYLES = ("full", "concise", "json", "github")


class WrongUsage(Exception):
    """The command makes no sense as given."""


class NotVerified(Exception):
    """The file cannot be run, or difference quotients do not confirm the derivative."""


# Arguments ------------------------------------------------------------------------------------


def _snapshots(text: str) -> int | str:
    """The argument of `--checkpoint`."""
    if text.isdigit():
        return int(text)
    if text == "bisection":
        return text
    raise argparse.ArgumentTypeError(f"a number or `bisection`, not {text!r}")


def add_function(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a Python file; `-` is the standard input")
    parser.add_argument("function", metavar="FUNC", help="a function at the top level of FILE")
    what = parser.add_argument_group("derivative")
    what.add_argument(
        "--wrt",
        metavar="NAMES",
        type=name_list,
        help="parameters, as in x,w (default: all floats)",
    )
    what.add_argument("--mode", choices=MODES, default="grad", help="default: %(default)s")
    what.add_argument(
        "--direction",
        choices=DIRECTIONS,
        default="",
        help="of a Jacobian: tangents, pullbacks, or of a sparse one both (default: the fewest)",
    )
    what.add_argument(
        "--sparse",
        choices=SPARSE_FORMS,
        default="",
        help="a Jacobian or Hessian by its entries: SciPy's CSR, or (values, rows, columns)",
    )
    what.add_argument(
        "--many",
        action="store_true",
        help="tangents and adjoints have a leading axis: many directions in one sweep",
    )
    what.add_argument(
        "--has-aux", action="store_true", help="the function returns (value, auxiliary result)"
    )
    what.add_argument(
        "--arg",
        metavar="NAME=TYPE",
        action="append",
        default=[],
        help="type of a parameter, as in X=float[n,d]; may be repeated",
    )
    what.add_argument(
        "--value",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="with --sparse, integers that it is made for: k=[0,2], or k=FILE.npy; may be repeated",
    )
    what.add_argument(
        "-O",
        dest="level",
        type=int,
        choices=(0, 1),
        default=1,
        help="0: as in a textbook; 1: short",
    )
    what.add_argument(
        "--checkpoint",
        type=_snapshots,
        metavar="N",
        help="loops keep no tapes but N snapshots, and run parts again; or `bisection`",
    )
    what.add_argument(
        "--trap-nan",
        action="store_true",
        help="for debugging: stop where the derivative first is not finite, and say why",
    )
    parser.add_argument(
        "--output-format",
        choices=STYLES,
        default="full",
        help="form of diagnostics (default: %(default)s)",
    )


def name_list(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(name.isidentifier() for name in names):
        raise argparse.ArgumentTypeError(f"names of parameters, as in x,w, not {text!r}")
    return names


# From options to a function ---------------------------------------------------------------------


def lower(options: argparse.Namespace) -> Lowered:
    """The function as IR, and what to derive from it. Raises DifferentiationError, WrongUsage."""
    from s2s_ad.frontend.source import parse_text
    from s2s_ad.options import Options
    from s2s_ad.targets import BadTarget, Target, lower_target

    refuse_useless(options)
    wanted = Options(
        options.mode,
        options.wrt,
        False,
        options.has_aux,
        options.level,
        checkpoint="" if options.checkpoint is None else options.checkpoint,
        trap_nan=options.trap_nan,
        direction=options.direction,
        many=options.many,
        sparse=options.sparse,
    )
    _refuse_sparse(wanted)
    target = Target(
        options.file, options.function, wanted, tuple(options.arg), tuple(options.value)
    )
    try:
        if options.file == "-":
            return lower_target(target, parse_text(_standard_input(), "<stdin>"))
        return lower_target(target)
    except BadTarget as problem:
        raise WrongUsage(str(problem)) from None


def refuse_useless(options: argparse.Namespace) -> None:
    """Raise WrongUsage for an option that a mode has no use for."""
    from s2s_ad.options import USEFUL

    for name, modes in USEFUL.items():
        if getattr(options, name) and options.mode not in modes:
            flag = f"--{name.replace('_', '-')}"
            raise WrongUsage(f"{flag} goes with {', '.join(modes)}, not with {options.mode}")
    if options.value and not options.sparse:
        raise WrongUsage(
            "--value is for what a sparse derivative depends on: it goes with --sparse"
        )


def _refuse_sparse(wanted: Options) -> None:
    """Raise WrongUsage for a sparse derivative that there is not."""
    from s2s_ad.options import sparse_options

    try:
        sparse_options(wanted.direction, wanted.sparse, wanted.has_aux)
    except ValueError as problem:
        raise WrongUsage(str(problem)) from None


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as problem:
        raise WrongUsage(f"the standard input is not UTF-8 text: {problem.reason}") from None


# Output ---------------------------------------------------------------------------------------


def shown_path(path: str) -> str:
    return "<stdin>" if path == "-" else path.replace(os.sep, "/")


def print_text(text: str) -> None:
    """Print as UTF-8 with plain line ends, whatever the terminal's locale."""
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        sys.stdout.write(text)
    else:
        sys.stdout.flush()
        stream.write(text.encode())
    sys.stdout.flush()
