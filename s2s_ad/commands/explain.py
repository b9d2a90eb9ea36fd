"""`s2sad explain FILE FUNC`: the function after each pass. `s2sad operations`: the catalogue."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from s2s_ad.commands.common import DONE, WrongUsage, add_function, lower, print_text

if TYPE_CHECKING:
    from s2s_ad.ir import Function


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="s2sad explain",
        usage="%(prog)s FILE FUNC [options]",
        description="Show the Wengert list of a function after each pass of the compiler.",
    )
    add_function(made)
    shown = made.add_argument_group("output")
    shown.add_argument("--after", metavar="PASS", help="only after this pass, each time it ran")
    shown.add_argument(
        "--diff", action="store_true", help="only what each stage changed in the one before"
    )
    return made


def operations_parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="s2sad operations",
        description="List the operations that have a derivative, with the lines that compute it.",
    )


def run(options: argparse.Namespace) -> int:
    """Print the stages; those before a refusal too."""
    from s2s_ad.diagnostics import DifferentiationError
    from s2s_ad.explain import stages_text
    from s2s_ad.ir import show
    from s2s_ad.pipeline import derive

    stages: list[tuple[str, str]] = []

    def watch(name: str, function: Function) -> None:
        stages.append((name, show(function)))

    after = (options.after or "").replace("-", "_")
    lowered = lower(options)
    try:
        derive(lowered.function, lowered.options, watch)
    except DifferentiationError:
        print_text(stages_text(stages, after, options.diff))
        raise
    names = list(dict.fromkeys(name for name, _ in stages))
    if after and after not in names:
        raise WrongUsage(f"there is no pass `{options.after}` here: {', '.join(names)}")
    print_text(stages_text(stages, after, options.diff))
    return DONE


def run_operations(_: argparse.Namespace) -> int:
    from s2s_ad.explain import operations_text

    print_text(operations_text())
    return DONE
