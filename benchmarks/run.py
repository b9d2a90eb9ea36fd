"""Times generated derivatives: `python benchmarks/run.py [names]`.

Beside them the same by hand, autograd and JAX, all in one process, in turn, in rounds. A number is
the median over the rounds of the ratio to the hand-written `value_and_grad` of the same round, so
that a busy machine slows all of them alike. Gradients are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import importlib
import os
import subprocess
import sys
import time
import types
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import handwritten  # noqa: E402
import numpy as np  # noqa: E402
import programs  # noqa: E402
from programs import PROGRAMS, SMOOTH, Program  # noqa: E402

GOAL = 1.1
SECONDS_A_TURN = 0.003
CONTENDERS = ("primal", "hand-written", "generated", "decorator", "autograd", "jax")

Call = Callable[[], Any]


@dataclass(frozen=True)
class Measurement:
    """Medians of a contender: seconds a call, and the ratio to the hand-written one."""

    seconds: float
    ratio: float


# Contenders -------------------------------------------------------------------------------------


def generated_module(
    program: Program, mode: str = "value-and-grad"
) -> tuple[str, Callable[..., Any]]:
    """The module that `s2sad` writes for the program, types from annotations; its function."""
    command = [sys.executable, "-m", "s2s_ad.cli", programs.__file__, program.name]
    command += ["--mode", mode, "--wrt", ",".join(program.wrt)]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    namespace: dict[str, Any] = {}
    exec(compile(text, f"<generated {program.name}>", "exec"), namespace)
    return text, namespace[f"{mode.replace('-', '_')}_{program.name}"]


def decorated(program: Program) -> Callable[..., Any]:
    from s2s_ad import value_and_grad

    return value_and_grad(program.function, wrt=program.wrt)


def with_library(function: Callable[..., Any], library: Any) -> Callable[..., Any]:
    """The same code with another `np` and `math`."""
    assert isinstance(function, types.FunctionType)
    return types.FunctionType(
        function.__code__, {"np": library, "math": library}, function.__name__
    )


def positions(program: Program) -> tuple[int, ...]:
    code = program.function.__code__
    return tuple(code.co_varnames.index(name) for name in program.wrt)


def by_autograd(program: Program) -> Callable[..., Any]:
    """autograd has one differentiated argument where it gives the value too: a tuple of them."""
    import autograd
    import autograd.numpy

    function = with_library(program.function, autograd.numpy)
    places = positions(program)

    def of_tuple(differentiated: tuple[Any, ...], arguments: tuple[Any, ...]) -> Any:
        given = list(arguments)
        for place, value in zip(places, differentiated, strict=True):
            given[place] = value
        return function(*given)

    derivative = autograd.value_and_grad(of_tuple)
    return lambda *arguments: derivative(tuple(arguments[k] for k in places), arguments)


def by_jax(
    program: Program, arguments: Sequence[Any]
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Compiled, with arguments that are JAX's already; the call waits for the result."""
    import jax
    import jax.numpy

    jax.config.update("jax_enable_x64", True)
    derivative = jax.jit(
        jax.value_and_grad(with_library(program.function, jax.numpy), positions(program))
    )
    there = tuple(map(jax.numpy.asarray, arguments))
    jax.block_until_ready(derivative(*there))
    return lambda *given: jax.block_until_ready(derivative(*given)), there


def contenders(
    program: Program,
    generated: Callable[..., Any],
    arguments: Sequence[Any],
    missing: set[str],
) -> dict[str, Call]:
    """Calls without arguments, by name. What is not there is noted in `missing`."""
    function = program.function
    by_hand = getattr(handwritten, program.name)
    calls: dict[str, Call] = {
        "primal": lambda: function(*arguments),
        "hand-written": lambda: by_hand(*arguments),
        "generated": lambda: generated(*arguments),
    }
    derivative = decorated(program)
    calls["decorator"] = lambda: derivative(*arguments)
    # a peer that refuses a program, as both do for writes in place, has no number there
    with suppress(Exception):
        if is_there("autograd", missing):
            taped = by_autograd(program)
            taped(*arguments)
            calls["autograd"] = lambda: taped(*arguments)
    with suppress(Exception):
        if is_there("jax", missing):
            compiled, there = by_jax(program, arguments)
            calls["jax"] = lambda: compiled(*there)
    return calls


def is_there(library: str, missing: set[str]) -> bool:
    try:
        importlib.import_module(library)
    except ImportError:
        missing.add(library)
        return False
    return True


# Agreement --------------------------------------------------------------------------------------


def compare(program: Program, calls: dict[str, Call]) -> None:
    """Raises AssertionError unless all contenders give the hand-written value and gradient."""
    value, gradient = calls["hand-written"]()
    for name, call in calls.items():
        if name == "primal":
            np.testing.assert_allclose(call(), value, rtol=1e-12, err_msg=program.name)
            continue
        found, found_gradient = call()
        if not isinstance(found_gradient, tuple):
            found_gradient = (found_gradient,)  # of one parameter
        who = f"{name} of {program.name}"
        np.testing.assert_allclose(found, value, rtol=1e-9, err_msg=who)
        for wrt, mine, other in zip(program.wrt, gradient, found_gradient, strict=True):
            np.testing.assert_allclose(other, mine, rtol=1e-7, atol=1e-10, err_msg=f"{wrt}, {who}")


# Timing -----------------------------------------------------------------------------------------


def keep_memory() -> None:
    """Tell the C library, where it is glibc, to keep what is freed.

    Otherwise it depends on the order of allocations whether pages go back to the system and come
    again at every call, which costs as much as a third of a call and says nothing about the code.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        m_trim_threshold, m_mmap_threshold = -1, -3
        mallopt(m_mmap_threshold, 1 << 30)
        mallopt(m_trim_threshold, 1 << 30)


def time_calls(call: Call, count: int) -> float:
    """Seconds a call."""
    repeat = range(count)
    start = time.perf_counter()
    for _ in repeat:
        call()
    return (time.perf_counter() - start) / count


def measure(calls: dict[str, Call], rounds: int) -> dict[str, Measurement]:
    """The contenders in turn, each round from another one on."""
    counts = {}
    for name, call in calls.items():
        once = min(time_calls(call, 1) for _ in range(5))
        counts[name] = max(1, round(SECONDS_A_TURN / once))
    times: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                times[name].append(time_calls(calls[name], counts[name]))
    finally:
        gc.enable()
    base = times["hand-written"]
    return {
        name: Measurement(
            median(own), median(mine / hand for mine, hand in zip(own, base, strict=True))
        )
        for name, own in times.items()
    }


# Second derivatives ------------------------------------------------------------------------------


def second_order(program: Program, rounds: int) -> tuple[float, float, float]:
    """Seconds of a gradient; a product with the Hessian in gradients; the Hessian of n variables in
    n such products, each a tangent of the gradient. Medians of interleaved rounds, after the
    Hessian has been compared with a product.
    """
    gradient, product, matrix = (
        generated_module(program, m)[1] for m in ("grad", "hvp", "hessian")
    )
    random = np.random.default_rng(0)
    (x,) = program.arguments(random)
    v = random.normal(size=x.shape)
    along = np.tensordot(matrix(x), v, axes=x.ndim)
    np.testing.assert_allclose(product(x, v), along, rtol=1e-9, atol=1e-9, err_msg=program.name)
    calls = (lambda: gradient(x), lambda: product(x, v), lambda: matrix(x))
    counts = [max(1, round(SECONDS_A_TURN / time_calls(call, 3))) for call in calls]
    times = [
        [time_calls(call, count) for call, count in zip(calls, counts, strict=True)]
        for _ in range(rounds)
    ]
    return (
        median(one for one, _, _ in times),
        median(second / one for one, second, _ in times),
        median(whole / (x.size * second) for _, second, whole in times),
    )


def print_second_order(rounds: int) -> None:
    print("\nSecond derivatives: hvp in gradients, the Hessian of n variables in n hvp\n")
    print(f"{'program':<20} {'gradient':>10} {'hvp':>10} {'Hessian':>10}")
    for program in SMOOTH:
        seconds, product, matrix = second_order(program, rounds)
        cells = f"{program.name:<20} {spell_time(seconds):>10} {product:>10.2f} {matrix:>10.3f}"
        print(f"{cells}  {program.size}", flush=True)


# Table ------------------------------------------------------------------------------------------


def spell_time(seconds: float) -> str:
    return f"{seconds * 1e6:.3g} us" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms"


def row(program: Program, found: dict[str, Measurement]) -> str:
    cells = [f"{program.name:<20}", f"{spell_time(found['hand-written'].seconds):>10}"]
    for name in CONTENDERS:
        if name != "hand-written":
            cells.append(f"{found[name].ratio:>10.2f}" if name in found else f"{'-':>10}")
    return " ".join(cells) + f"  {program.size}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", help="programs; all of them if none is named")
    parser.add_argument("--rounds", type=int, default=101)
    parser.add_argument("--show", action="store_true", help="print the generated modules first")
    options = parser.parse_args()
    known = {program.name: program for program in PROGRAMS}
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"no program {', '.join(unknown)}; there are {', '.join(known)}")
    keep_memory()
    missing: set[str] = set()
    slow: list[str] = []
    print("value_and_grad; ratios to the hand-written one, medians of interleaved rounds\n")
    headings = ["program".ljust(20), "by hand".rjust(10)]
    headings += [name.rjust(10) for name in CONTENDERS if name != "hand-written"]
    print(" ".join(headings))
    for name in options.names or known:
        program = known[name]
        text, generated = generated_module(program)
        if options.show:
            print(text)
        arguments = program.arguments(np.random.default_rng(0))
        calls = contenders(program, generated, arguments, missing)
        compare(program, calls)
        found = measure(calls, options.rounds)
        print(row(program, found), flush=True)
        slow += [name] if found["generated"].ratio > GOAL else []
    if not options.names:
        print_second_order(options.rounds)
    for library in sorted(missing):
        print(f"\n{library} is not installed: `pip install {library}` to see it here")
    goal = f"generated at most {GOAL} times the hand-written one"
    print(f"\nGoal, {goal}: " + (f"missed by {', '.join(slow)}" if slow else "met"))
    return 1 if slow else 0


if __name__ == "__main__":
    raise SystemExit(main())
