"""The command `s2sad`: finds the subcommand, and turns what goes wrong into an exit status.

Generated code goes to the standard output or to a file, diagnostics to the standard error. Exit
status 0: done; 1: refused, would change (`--check`), or not verified; 2: wrong usage or an internal
error. The file is parsed, never run, but for `verify`. Nothing heavy is imported before the
arguments are understood.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from s2s_ad.commands.common import DONE, MODES, REFUSED, WRONG_USAGE, NotVerified, WrongUsage

if TYPE_CHECKING:
    from s2s_ad.diagnostics import DifferentiationError

# The module of each subcommand, the function that makes its parser, and the one that runs it
COMMANDS = {
    "explain": ("explain", "parser", "run"),
    "operations": ("explain", "operations_parser", "run_operations"),
    "verify": ("verify", "parser", "run"),
    "build": ("build", "parser", "run"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(given)
    except SystemExit as end:  # argparse: --help, --version, wrong usage
        return end.code if isinstance(end.code, int) else WRONG_USAGE
    except WrongUsage as problem:
        print(f"s2sad: error: {problem}", file=sys.stderr)
        return WRONG_USAGE
    except BrokenPipeError:
        # the reader has seen enough; what is still buffered must not be written when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        return 130
    except Exception as problem:
        return _internal_error(problem)


def _run(given: list[str]) -> int:
    if given[:1] and given[0] in COMMANDS:
        module, make_parser, run = COMMANDS[given[0]]
        arguments = given[1:]
    else:
        module, make_parser, run = "generate", "parser", "run"
        arguments = given
    command = import_module(f"s2s_ad.commands.{module}")
    options = getattr(command, make_parser)().parse_args(arguments)
    return _reporting(getattr(command, run), options)


def _internal_error(problem: Exception) -> int:
    if os.environ.get("S2SAD_DEBUG") == "1":
        import traceback

        traceback.print_exception(problem)
    print(
        f"s2sad: internal error: {type(problem).__name__}: {problem}\n"
        "This is a bug: please open an issue with the function and the command. "
        "S2SAD_DEBUG=1 shows where it happened.",
        file=sys.stderr,
    )
    return WRONG_USAGE


def _reporting(command: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Run a command; if it refuses the function, say why."""
    from s2s_ad.diagnostics import DifferentiationError

    try:
        return command(options)
    except DifferentiationError as refusal:
        _report(refusal, options.output_format)
        return REFUSED
    except NotVerified as problem:
        print(f"s2sad: not verified: {problem}", file=sys.stderr)
        return REFUSED


def _report(refusal: DifferentiationError, style: Any) -> None:
    from s2s_ad.diagnostics import render

    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    print(render(refusal.diagnostics, style, coloured), file=sys.stderr)


__all__ = ["DONE", "MODES", "REFUSED", "WRONG_USAGE", "main"]

if __name__ == "__main__":
    sys.exit(main())
