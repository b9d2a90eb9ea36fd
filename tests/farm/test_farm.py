"""Random programs: right, refused with a diagnostic, or not to be judged. Never wrong.

`scripts/farm.py` judges any number of them; here are a few hundred, and the parts of the farm.
"""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import s2s_ad
from tests.farm import trials
from tests.farm.catalogue import catalogue_program, samples
from tests.farm.differences import Slope
from tests.farm.draw import draw
from tests.farm.faults import FAULTS, Fault
from tests.farm.generator import Program, program
from tests.farm.oracle import judge, trials_of
from tests.farm.report import report
from tests.farm.shrink import shrink
from tests.farm.trials import guarded
from tests.farm.verdicts import Skipped
from tests.farm.witnesses import by_autograd, by_jax, by_numba, complex_step, is_analytic, meets_nan
from tests.numerics import same_bits

COUNT, CHUNK = 120, 5
FIRST = 1000


@pytest.mark.parametrize("start", range(FIRST, FIRST + COUNT, CHUNK))
def test_programs(start: int) -> None:
    for seed in range(start, start + CHUNK):
        drawn = draw(seed, size=9)
        verdict = judge(drawn)
        assert not verdict.is_wrong, f"{verdict.kind}\n{drawn.text}\n{verdict.detail}"


def test_most_programs_are_judged() -> None:
    """A farm that skips and is refused says nothing."""
    kinds = [judge(program(seed, size=6)).kind for seed in range(30)]
    assert kinds.count("right") >= 20


def test_the_seed_is_the_program() -> None:
    assert draw(5) == draw(5)
    assert program(5) == program(5)
    assert program(5) != program(6)


def test_operations_declared_later_join() -> None:
    """What is declared with samples is in programs, spelled as users do."""
    names = {op.name for op, _ in samples()}
    assert {"numpy.sin", "*", "numpy.linalg.qr", "scipy.special.gammaln", "getitem"} <= names
    drawn = [catalogue_program(seed) for seed in range(60)]
    assert sum(each is not None for each in drawn) >= 50
    assert all(each.drawn for each in drawn if each is not None)


LINEAR = Program(
    "def f(x, a):\n    s = 0.0\n    for i in range(len(x)):\n        s = s + a * x[i]\n"
    "    t = a * a\n    return s + t\n",
    (("x", "float[p]"), ("a", "float")),
    seed=0,
)


def test_a_right_program_is_right() -> None:
    assert judge(LINEAR).kind == "right"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("    return undefined\n", "skipped"),
        ("    return a / 0.0\n", "skipped"),
        ("    with x:\n        pass\n    return a\n", "skipped"),
        ("    try:\n        s = a\n    finally:\n        pass\n    return a\n", "refused"),
    ],
)
def test_programs_that_say_nothing(text: str, kind: str) -> None:
    head = LINEAR.text.rpartition("    return")[0]
    assert judge(replace(LINEAR, text=head + text)).kind == kind


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("x[0] + 1e17 * a - 1e17 * a", "too large"),  # the sum has lost x[0]
        ("np.sin(1e13 * a)", "too steep"),
        ("np.sin(1e9 * a)", "do not settle"),
        ("(0.3 + a * a if False else float(-1 - a * a) ** 0.5)", "no point"),  # complex
    ],
)
def test_what_differences_do_not_see_is_not_wrong(value: str, why: str) -> None:
    text = f"import numpy as np\n\n\ndef f(x, a):\n    return {value}\n"
    verdict = judge(replace(LINEAR, text=text))
    assert (verdict.kind, why in verdict.detail) == ("skipped", True), verdict


def test_a_complex_number_on_the_way_is_not_wrong() -> None:
    def raising(x: float) -> float:
        return float((x - 1.0) ** 0.5)

    with pytest.raises(Skipped, match="complex"):
        guarded(raising, [0.0])
    with pytest.raises(TypeError):
        guarded(len, [0.0])


def test_a_mean_over_nothing_is_not_wrong_and_other_zeros_are() -> None:
    with pytest.raises(Skipped, match="nothing"):
        guarded(lambda x: 0.0 / len(x), [np.zeros(0)])
    with pytest.raises(ZeroDivisionError):
        guarded(lambda x: 1.0 / (len(x) - 1), [np.zeros(1)])


@pytest.mark.parametrize("seed", [2, 8, 20, 41])
def test_a_point_is_printed_to_be_replayed(seed: int) -> None:
    """Programs about operations have sizes and domains of their own."""
    drawn = draw(seed)
    for trial in trials_of(drawn):
        again = eval(f"dict({trial.shown()})", {"np": np})
        assert list(again) == [name for name, _ in drawn.arguments]
        for value, given in zip(again.values(), trial.arguments, strict=True):
            assert type(value) is type(given)
            assert same_bits(value, given)


def test_a_failure_is_reported_as_a_case_that_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the evidence is wrong, not the compiler."""
    monkeypatch.setattr(trials, "slope", lambda line: Slope(7.0, 1e-9))
    verdict = judge(LINEAR)
    assert verdict.kind == "wrong gradient"
    heading, why, fence, *_ = [line for line in report(LINEAR, verdict, 0.2).split("\n") if line]
    assert heading == "## Seed 0: wrong gradient"
    assert "7.0" in why
    named = dict(word.split("=", 1) for word in shlex.split(fence[3:])[2:])
    assert named["points"] == "0"
    assert set(eval(f"dict({named['at']})", {"np": np})) == {"x", "a"}


def test_shrinking_keeps_what_is_wrong() -> None:
    small = shrink(LINEAR, lambda candidate: "a * x[i]" in candidate.text)
    assert len(small.text) < len(LINEAR.text)
    assert "a * x[i]" in small.text
    assert "t = a * a" not in small.text


# Witnesses ----------------------------------------------------------------------------------------

CUBE = "import numpy as np\n\n\ndef f(x, a):\n    return np.sum(x**3) * a\n"


def cube(x, a):  # type: ignore[no-untyped-def]
    return np.sum(x**3) * a


def test_the_complex_step_has_all_digits() -> None:
    x, direction = np.array([0.5, -2.0]), np.array([1.0, 0.25])
    found = complex_step(cube, (x, 1.5), (direction, None), [1.0])
    assert found == pytest.approx(1.5 * np.sum(3.0 * x**2 * direction), rel=1e-15)


@pytest.mark.parametrize(
    ("function", "why"),
    [(lambda x: float(x[0].real), "real"), (lambda x: np.zeros(2).put(0, x[0]), "refused")],
)
def test_what_drops_imaginary_parts_says_nothing(function, why: str) -> None:  # type: ignore[no-untyped-def]
    assert complex_step(function, (np.array([1.0]),), (np.array([1.0]),), [1.0]) is None, why


def test_kinks_are_not_analytic() -> None:
    assert is_analytic(CUBE)
    assert not is_analytic(CUBE.replace("x**3", "abs(x)"))
    assert not is_analytic(CUBE.replace("np.sum", "np.max"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("np.where(x > 0.0, np.sqrt(x), 0.0)", False),
        ("np.where(x > 0.0, np.where(x < 9.0, np.sqrt(x), x), x)", False),
        ("np.where(x < 0.0, np.sqrt(x), 0.0)", True),
        ("np.sqrt(x)", True),
    ],
)
def test_nan_in_a_branch_that_is_not_taken_does_not_count(value: str, expected: bool) -> None:
    text = f"import numpy as np\ndef f(x):\n    return ({value})[0]\n"
    assert meets_nan(text, (np.array([4.0, -1.0]),)) is expected


def test_autograd_is_asked_where_it_is_installed() -> None:
    pytest.importorskip("autograd", reason="autograd is another tool; it is not needed")
    x = np.array([0.5, -2.0])
    value, (grad_x, grad_a) = by_autograd(CUBE, (x, 1.5), (0, 1))
    assert value == cube(x, 1.5)
    np.testing.assert_allclose(grad_x, 4.5 * x**2, rtol=1e-14)
    assert grad_a == pytest.approx(np.sum(x**3), rel=1e-14)
    assert by_autograd(CUBE.replace("return", "x[0] = a\n    return"), (x, 1.5), (0, 1)) is None


def test_jax_is_asked_where_it_is_installed() -> None:
    pytest.importorskip("jax", reason="JAX is another tool; it is not needed")
    x = np.array([0.5, -2.0])
    value, (grad_x, grad_a) = by_jax(CUBE, (x, 1.5), (0, 1))
    assert float(value) == pytest.approx(cube(x, 1.5), rel=1e-14)
    np.testing.assert_allclose(grad_x, 4.5 * x**2, rtol=1e-14)
    assert float(grad_a) == pytest.approx(np.sum(x**3), rel=1e-14)
    assert by_jax(CUBE.replace("return", "x[0] = a\n    return"), (x, 1.5), (0, 1)) is None


def test_numba_compiles_what_it_takes() -> None:
    pytest.importorskip("numba", reason="Numba is another tool; it is not needed")
    names = {"cube": cube}
    x = np.array([0.5, -2.0])
    assert by_numba(names, "cube", (x, 1.5)) == pytest.approx(cube(x, 1.5), rel=1e-14)
    assert by_numba({"named": test_the_seed_is_the_program}, "named", ()) is None


# Faults -------------------------------------------------------------------------------------------


def test_a_fault_is_planted_in_one_place(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text("a * b\n")
    Fault("swapped", "rules.py", "a * b", "b * a").plant(tmp_path)
    assert (tmp_path / "rules.py").read_text() == "b * a\n"
    with pytest.raises(ValueError, match="0 places"):
        Fault("gone", "rules.py", "a * b", "b * a").plant(tmp_path)


def test_the_faults_can_be_planted(tmp_path: Path) -> None:
    """Their texts are still those of the package."""
    package = Path(s2s_ad.__file__).parent
    for fault in FAULTS:
        (tmp_path / fault.file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(package / fault.file, tmp_path / fault.file)
        fault.plant(tmp_path)
        assert (tmp_path / fault.file).read_text("utf-8") != (package / fault.file).read_text(
            "utf-8"
        )
