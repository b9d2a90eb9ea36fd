"""`s2sad FILE FUNC`: the module with a derivative, to the standard output or into a file."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from s2s_ad.commands.common import (
    DONE,
    REFUSED,
    NotVerified,
    WrongUsage,
    add_function,
    lower,
    print_text,
    shown_path,
)

if TYPE_CHECKING:
    from s2s_ad.targets import Lowered

DESCRIPTION = """\
Write the derivative of a Python function as a Python module that needs NumPy only.
The file is read, never run."""

EPILOGUE = """\
further commands:
  s2sad build                 write every module listed in pyproject.toml
  s2sad verify FILE FUNC      run the derivative beside difference quotients
  s2sad explain FILE FUNC     show the function after each pass of the compiler
  s2sad operations            list the operations that have a derivative

examples:
  s2sad model.py loss                                 the gradient, for every float parameter
  s2sad model.py loss --wrt w,b -o loss_grad.py       for two of them, into a file
  s2sad model.py loss --arg 'X=float[n,d]'            with the type of a parameter
  s2sad model.py loss -o loss_grad.py --check         fail unless the file is up to date"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="s2sad",
        usage="%(prog)s FILE FUNC [options]",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action=_Version, nargs=0, help="show the version")
    add_function(made)
    output = made.add_argument_group("output")
    output.add_argument(
        "-o", "--output", metavar="OUT", help="write the module to OUT, all of it or nothing"
    )
    output.add_argument(
        "--check", action="store_true", help="write nothing; fail unless OUT is what would be"
    )
    output.add_argument(
        "--diff", action="store_true", help="write nothing; show how OUT would change"
    )
    output.add_argument(
        "--certificate",
        action="store_true",
        help="beside OUT, write a JSON file with hashes of what it was made from, and the rules",
    )
    output.add_argument(
        "--verify",
        action="store_true",
        help="with --certificate: EXECUTE the file, and certify what difference quotients confirm",
    )
    return made


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        import s2s_ad

        print(f"s2sad {s2s_ad.__version__}")
        parser.exit()


def run(options: argparse.Namespace) -> int:
    if (options.check or options.diff) and options.output is None:
        flag = "--check" if options.check else "--diff"
        raise WrongUsage(f"{flag} compares with a file: name it with -o OUT")
    if options.verify and not options.certificate:
        raise WrongUsage("--verify belongs to --certificate; `s2sad verify` prints what it finds")
    if options.certificate and (options.output is None or options.file == "-"):
        raise WrongUsage("--certificate is about files: name them, the output with -o OUT")
    if options.output is not None:
        refuse_output(options.output, options.file)
    lowered = lower(options)
    text = lowered.module(shown_path(options.file))
    if options.sparse:
        print(f"s2sad: {text.splitlines()[2]}", file=sys.stderr)  # entries and directions
    if options.output is None:
        print_text(text)
        return DONE
    texts = {options.output: text}
    if options.certificate:
        path, certificate = _certified(options, lowered, text)
        texts[path] = certificate
    if options.check or options.diff:
        return max(_compare(options, path, text) for path, text in texts.items())
    for path, text in texts.items():
        write(path, text)
    return DONE


def _certified(options: argparse.Namespace, lowered: Lowered, text: str) -> tuple[str, str]:
    """The certificate's path and text. Raises NotVerified."""
    from s2s_ad.certificate import certificate_path, certify, spelled
    from s2s_ad.evidence import Request, gather_for
    from s2s_ad.running import CannotRun, imported

    evidence = None
    if options.verify:
        print(f"s2sad: executing {shown_path(options.file)}", file=sys.stderr)
        request = Request()
        try:
            with imported(options.file) as module:
                evidence = gather_for(lowered, module, options.file, request, text), request
        except CannotRun as problem:
            raise NotVerified(str(problem)) from None
        if evidence[0].failures:
            raise NotVerified("\n".join(evidence[0].failures))
    path = certificate_path(options.output)
    return path, spelled(
        certify(lowered, options.arg, text, options.output, evidence, values=options.value)
    )


def refuse_output(output: str, source: str) -> None:
    """Raise WrongUsage if the module cannot be written there, before any work is done."""
    if os.path.isdir(output):
        raise WrongUsage(f"{output} is a directory")
    if not os.path.isdir(os.path.dirname(output) or "."):
        raise WrongUsage(f"there is no directory {os.path.dirname(output)}")
    both = os.path.exists(output) and os.path.exists(source)
    if source != "-" and both and os.path.samefile(output, source):
        raise WrongUsage(f"{output} is the file with the function: it would be lost")


def write(output: str, text: str) -> None:
    from s2s_ad.files import write_atomically

    try:
        if present(output) != text:
            write_atomically(output, text)
    except OSError as problem:
        raise WrongUsage(f"cannot write {output}: {problem.strerror}") from None


def present(output: str) -> str | None:
    """What a file holds now, with plain line ends; None if there is none."""
    try:
        with open(output, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def _compare(options: argparse.Namespace, path: str, text: str) -> int:
    """Say whether, and with `--diff` how, a file would change."""
    from s2s_ad.explain import difference

    now = present(path)
    if now == text:
        return DONE
    if options.diff:
        print_text(difference(now or "", text, path, f"{path} (generated)"))
    if not options.check:
        return DONE
    what = "does not exist" if now is None else "is not up to date"
    print(f"s2sad: {path} {what}", file=sys.stderr)
    return REFUSED
