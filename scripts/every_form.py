"""Every form of every call of `tests/operations/form_table.py`: all values of all arguments and
every pair of arguments, operands of every layout in memory, single precision, second derivatives.

    python scripts/every_form.py                  all of them, some minutes
    python scripts/every_form.py np.sum quantile  of calls that contain a text
    python scripts/every_form.py --write          docs/arguments.md anew: what is refused

The exit status is 1 where a derivative is wrong, the compiler fails, or something is refused that
`docs/arguments.md` does not list.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import s2s_ad
from s2s_ad.diagnostics import DifferentiationError
from tests.operations.form_checks import check_first, check_second, check_single
from tests.operations.form_table import every_call
from tests.operations.forms import (
    ARGUMENTS,
    TOGETHER,
    Call,
    Form,
    function_of,
    is_taken,
    operands_of,
)

HEAD = """# Arguments that are refused

<!-- Written by scripts/every_form.py --write: edit that script, or take an argument. -->

The functions of [the catalogue](operations.md) are tested with all the arguments that NumPy and
SciPy give them (`tests/operations/form_table.py`): every axis form, `keepdims`, orders, dtypes,
modes. These are refused, by a diagnostic that says what to write instead; an argument without a
value is refused whatever its value, and `call` is the call itself. `x`, `t` and the like are the
operands of the tests.

| Call | Refused |
| --- | --- |
"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", help="check calls that contain one of these")
    parser.add_argument("--write", action="store_true", help="write docs/arguments.md")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    if options.write:
        ARGUMENTS.write_text(HEAD + "".join(rows()))
        return 0
    chosen = [
        call
        for call in every_call()
        if not options.parts or any(part in call.text for part in options.parts)
    ]
    count, wrong, refused = 0, 0, Counter[str]()
    for call in chosen:
        forms = [form for form in call.forms(every=True) if not call.is_refused(form)]
        count += len(forms)
        for start in range(0, len(forms), TOGETHER):
            wrong += check(call, forms[start : start + TOGETHER], refused)
    for message, times in refused.most_common():
        print(f"refused {times} times: {message}")
    print(f"{len(chosen)} calls, {count} forms, {wrong} wrong")
    return 1 if wrong else 0


def check(call: Call, forms: Sequence[Form], refused: Counter[str]) -> int:
    """How many of some forms are wrong: all at once, and one by one where something is. Counts what
    is refused of single precision, of second derivatives, and of arguments that are taken, but not
    together.
    """
    try:
        check_all(call, forms, refused)
    except DifferentiationError as error:
        if len(forms) == 1 and len(forms[0].chosen) > 1:
            refused[f"together: {first_line(error)}"] += 1
            return 0
        if len(forms) == 1:
            print(f"{forms[0].text}: REFUSED, but not listed: {first_line(error)}", flush=True)
            return 1
    except Exception as problem:
        if len(forms) == 1:
            print(f"{forms[0].text}: WRONG: {type(problem).__name__}: {problem}", flush=True)
            return 1
    else:
        return 0
    return sum(check(call, [form], refused) for form in forms)


def first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def check_all(call: Call, forms: Sequence[Form], refused: Counter[str]) -> None:
    texts = [form.text for form in forms]
    check_first(texts, call.operands)
    for further in (check_single, check_second):
        try:
            further(texts, call.operands)
        except DifferentiationError as error:
            if len(forms) > 1:
                raise
            refused[f"{further.__name__}: {first_line(error)}"] += 1


# What is refused ----------------------------------------------------------------------------------


def rows() -> list[str]:
    """The table, calls with the same arguments in one row."""
    found: dict[tuple[str, ...], list[str]] = {}
    for call in every_call():
        if arguments := refused_arguments(call):
            found.setdefault(arguments, []).append(f"`{call.text.replace('{}', '')}`")
    return [
        f"| {', '.join(dict.fromkeys(calls))} | {', '.join(f'`{each}`' for each in arguments)} |\n"
        for arguments, calls in found.items()
    ]


def refused_arguments(call: Call) -> tuple[str, ...]:
    plain = call.form({}, ())
    if is_taken(plain.text, call.operands) and is_refused(call, plain):
        return ("call",)
    found: list[str] = []
    for name, values in call.options.items():
        forms = {value: call.form({name: value}, [f"{name}={value}"]) for value in values}
        taken = {v: form for v, form in forms.items() if is_taken(form.text, call.operands)}
        refused = [value for value, form in taken.items() if is_refused(call, form)]
        whole = refused and len(refused) == len(taken)
        found += [name] if whole else [f"{name}={value}" for value in refused]
    return tuple(found)


def is_refused(call: Call, form: Form) -> bool:
    operands = operands_of([form.text], call.operands)
    try:
        s2s_ad.vjp(function_of([form.text], tuple(operands)), *operands.values())
    except DifferentiationError:
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
