"""The command `s2sad`: reads a Python file, never runs it, and prints the derivative of a function.

Generated code goes to the standard output or to a file, diagnostics to the standard error. Exit
status 0: done; 1: refused, or would change (`--check`); 2: wrong usage or an internal error.
Nothing heavy is imported before the arguments are understood.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2s_ad.diagnostics import Diagnostic, DifferentiationError
    from s2s_ad.frontend.annotations import TypeTree
    from s2s_ad.frontend.resolve import FileScope
    from s2s_ad.frontend.values import UserFunction
    from s2s_ad.ir import Const, Function
    from s2s_ad.pipeline import Options

DONE, REFUSED, WRONG_USAGE = 0, 1, 2
MODES = ("grad", "value-and-grad", "vjp", "jvp")
STYLES = ("full", "concise", "json", "github")

DESCRIPTION = """\
Write the derivative of a Python function as a Python module that needs NumPy only.
The file is read, never run."""

EPILOGUE = """\
further commands:
  s2sad explain FILE FUNC     show the function after each pass of the compiler
  s2sad operations            list the operations that have a derivative

examples:
  s2sad model.py loss                                 the gradient, for every float parameter
  s2sad model.py loss --wrt w,b -o loss_grad.py       for two of them, into a file
  s2sad model.py loss --arg 'X=float[n,d]'            with the type of a parameter
  s2sad model.py loss -o loss_grad.py --check         fail unless the file is up to date"""


class WrongUsage(Exception):
    """The command makes no sense as given."""


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
    command = given[0] if given else ""
    if command == "operations":
        return _operations(_operations_parser().parse_args(given[1:]))
    if command == "explain":
        return _reporting(_explain, _explain_parser().parse_args(given[1:]))
    return _reporting(_generate, _generate_parser().parse_args(given))


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


# Arguments ------------------------------------------------------------------------------------


def _generate_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="s2sad",
        usage="%(prog)s FILE FUNC [options]",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version")
    _add_function(parser)
    output = parser.add_argument_group("output")
    output.add_argument(
        "-o", "--output", metavar="OUT", help="write the module to OUT, all of it or nothing"
    )
    output.add_argument(
        "--check", action="store_true", help="write nothing; fail unless OUT is what would be"
    )
    output.add_argument(
        "--diff", action="store_true", help="write nothing; show how OUT would change"
    )
    return parser


def _explain_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="s2sad explain",
        usage="%(prog)s FILE FUNC [options]",
        description="Show the Wengert list of a function after each pass of the compiler.",
    )
    _add_function(parser)
    shown = parser.add_argument_group("output")
    shown.add_argument("--after", metavar="PASS", help="only after this pass, each time it ran")
    shown.add_argument(
        "--diff", action="store_true", help="only what each stage changed in the one before"
    )
    return parser


def _operations_parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="s2sad operations",
        description="List the operations that have a derivative, with the lines that compute it.",
    )


def _add_function(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a Python file; `-` is the standard input")
    parser.add_argument("function", metavar="FUNC", help="a function at the top level of FILE")
    what = parser.add_argument_group("derivative")
    what.add_argument(
        "--wrt",
        metavar="NAMES",
        type=_name_list,
        help="parameters, as in x,w (default: all floats)",
    )
    what.add_argument("--mode", choices=MODES, default="grad", help="default: %(default)s")
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
        "-O",
        dest="level",
        type=int,
        choices=(0, 1),
        default=1,
        help="0: as in a textbook; 1: short",
    )
    parser.add_argument(
        "--output-format",
        choices=STYLES,
        default="full",
        help="form of diagnostics (default: %(default)s)",
    )


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        import s2s_ad

        print(f"s2sad {s2s_ad.__version__}")
        parser.exit()


def _name_list(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(name.isidentifier() for name in names):
        raise argparse.ArgumentTypeError(f"names of parameters, as in x,w, not {text!r}")
    return names


# Diagnostics ----------------------------------------------------------------------------------


def _reporting(command: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Run a command; if it refuses the function, say why."""
    from s2s_ad.diagnostics import DifferentiationError

    try:
        return command(options)
    except DifferentiationError as refusal:
        _report(refusal, options.output_format)
        return REFUSED


def _report(refusal: DifferentiationError, style: Any) -> None:
    from s2s_ad.diagnostics import render

    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    print(render(refusal.diagnostics, style, coloured), file=sys.stderr)


def _refusal(name: str, message: str, help: str) -> DifferentiationError:
    from s2s_ad.diagnostics import Diagnostic, DifferentiationError

    diagnostic: Diagnostic = Diagnostic(name, message, None, help=help)
    return DifferentiationError([diagnostic])


# Generating -----------------------------------------------------------------------------------


def _generate(options: argparse.Namespace) -> int:
    from s2s_ad.pipeline import generate

    if (options.check or options.diff) and options.output is None:
        flag = "--check" if options.check else "--diff"
        raise WrongUsage(f"{flag} compares with a file: name it with -o OUT")
    if options.output is not None:
        _refuse_output(options.output, options.file)
    function, wanted = _lower(options)
    text = generate(function, wanted, _shown_path(options.file))
    if options.output is None:
        _print(text)
        return DONE
    if options.check or options.diff:
        return _compare(options, text)
    _write(options.output, text)
    return DONE


def _lower(options: argparse.Namespace) -> tuple[Function, Options]:
    """The function as IR, and what to derive from it. Raises DifferentiationError, WrongUsage."""
    from s2s_ad.frontend.lower import lower_function
    from s2s_ad.frontend.resolve import FileScope
    from s2s_ad.frontend.source import parse_file, parse_text
    from s2s_ad.pipeline import Options, differentiable

    if options.file == "-":
        parsed = parse_text(_standard_input(), "<stdin>")
    else:
        try:
            parsed = parse_file(options.file)
        except OSError as problem:
            raise WrongUsage(f"cannot read {options.file}: {problem.strerror}") from None
    user_function = _find(FileScope(parsed), options.function)
    function, _ = lower_function(user_function, _argument_types(options.arg, user_function))
    wanted = Options(options.mode, options.wrt, False, options.has_aux, options.level)
    wrt = differentiable(function, wanted)
    # a pullback gives a tuple always, as in JAX
    bare = len(wrt) == 1 and options.mode != "vjp"
    return function, Options(options.mode, wrt, bare, options.has_aux, options.level)


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as problem:
        raise WrongUsage(f"the standard input is not UTF-8 text: {problem.reason}") from None


def _find(scope: FileScope, name: str) -> UserFunction:
    """A function at the top level of a file. Raises DifferentiationError."""
    from s2s_ad.frontend.values import UserFunction

    if "." in name:
        raise _refusal(
            "unsupported-function",
            f"`{name}` is a method or attribute, which is not supported yet",
            "write a function at the top level that takes what it needs",
        )
    decorator = scope.decorator(name, ours=True)
    if decorator:
        raise _refusal(
            "decorated-function",
            f"`{name}` is decorated with `{decorator}`, which may change what it computes",
            "name the function that it decorates",
        )
    found = scope.function(name)
    if isinstance(found, UserFunction):
        return found
    raise _unknown_function(scope, name)


def _unknown_function(scope: FileScope, name: str) -> DifferentiationError:
    import difflib

    if name in scope.names:
        what = "is a class, not a function"
    elif name in scope.imports:
        what = f"is imported from `{scope.imports[name].rpartition('.')[0] or scope.imports[name]}`"
    elif name in scope.assignments or name in scope.uncertain:
        what = "is not bound by one `def` at the top level of the file"
    else:
        near = difflib.get_close_matches(name, scope.functions, n=3)
        listed = ", ".join(f"`{other}`" for other in near or scope.functions[:8])
        path = scope.parsed.file.path
        return _refusal(
            "unknown-function",
            f"`{name}` is not a function at the top level of {path}",
            (f"did you mean {listed}?" if near else f"there are {listed}")
            if listed
            else "the file defines no functions",
        )
    return _refusal(
        "unsupported-function",
        f"`{name}` {what}",
        "name a function that the file defines by `def` at its top level",
    )


def _argument_types(
    texts: Sequence[str], user_function: UserFunction
) -> dict[str, TypeTree | Const]:
    """The types that `--arg` gives. Raises WrongUsage."""
    from s2s_ad.frontend.annotations import BadType, TypeReader, split_argument

    parameters = user_function.node.params
    known = [
        param.name.value
        for param in (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params)
    ]
    types: dict[str, TypeTree | Const] = {}
    reader = TypeReader()
    for text in texts:
        try:
            name, spelled = split_argument(text)
            types[name] = reader.argument(spelled)
        except BadType as problem:
            raise WrongUsage(f"--arg: {problem}") from None
        if name not in known:
            raise WrongUsage(f"--arg: `{user_function.name}` has no parameter `{name}`")
    return types


# Output ---------------------------------------------------------------------------------------


def _shown_path(path: str) -> str:
    return "<stdin>" if path == "-" else path.replace(os.sep, "/")


def _print(text: str) -> None:
    """Print as UTF-8 with plain line ends, whatever the terminal's locale."""
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        sys.stdout.write(text)
    else:
        sys.stdout.flush()
        stream.write(text.encode())
    sys.stdout.flush()


def _refuse_output(output: str, source: str) -> None:
    """Raise WrongUsage if the module cannot be written there, before any work is done."""
    if os.path.isdir(output):
        raise WrongUsage(f"{output} is a directory")
    if not os.path.isdir(os.path.dirname(output) or "."):
        raise WrongUsage(f"there is no directory {os.path.dirname(output)}")
    both = os.path.exists(output) and os.path.exists(source)
    if source != "-" and both and os.path.samefile(output, source):
        raise WrongUsage(f"{output} is the file with the function: it would be lost")


def _write(output: str, text: str) -> None:
    from s2s_ad.files import write_atomically

    try:
        if _present(output) != text:
            write_atomically(output, text)
    except OSError as problem:
        raise WrongUsage(f"cannot write {output}: {problem.strerror}") from None


def _present(output: str) -> str | None:
    """What a file holds now, with plain line ends; None if there is none."""
    try:
        with open(output, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def _compare(options: argparse.Namespace, text: str) -> int:
    """Say whether, and with `--diff` how, the file would change."""
    from s2s_ad.explain import difference

    present = _present(options.output)
    if present == text:
        return DONE
    if options.diff:
        _print(difference(present or "", text, options.output, f"{options.output} (generated)"))
    if not options.check:
        return DONE
    what = "does not exist" if present is None else "is not up to date"
    print(f"s2sad: {options.output} {what}", file=sys.stderr)
    return REFUSED


# Explaining -----------------------------------------------------------------------------------


def _explain(options: argparse.Namespace) -> int:
    """Print the stages; those before a refusal too."""
    from s2s_ad.diagnostics import DifferentiationError
    from s2s_ad.explain import stages_text
    from s2s_ad.ir import show
    from s2s_ad.pipeline import derive

    stages: list[tuple[str, str]] = []

    def watch(name: str, function: Function) -> None:
        stages.append((name, show(function)))

    after = (options.after or "").replace("-", "_")
    function, wanted = _lower(options)
    try:
        derive(function, wanted, watch)
    except DifferentiationError:
        _print(stages_text(stages, after, options.diff))
        raise
    names = list(dict.fromkeys(name for name, _ in stages))
    if after and after not in names:
        raise WrongUsage(f"there is no pass `{options.after}` here: {', '.join(names)}")
    _print(stages_text(stages, after, options.diff))
    return DONE


def _operations(_: argparse.Namespace) -> int:
    from s2s_ad.explain import operations_text

    _print(operations_text())
    return DONE


if __name__ == "__main__":
    sys.exit(main())
