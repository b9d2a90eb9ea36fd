"""`trap_nan`: the same derivative where it is finite; where it is not, an error says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2s_ad import grad, value_and_grad
from s2s_ad.cli import main
from s2s_ad.modules import load_module


def straight(x, a):
    y = np.log(x) * a
    return np.sum(np.sqrt(y * y))


def loop(x, a):
    s = 0.0
    for i in range(len(x)):
        s = s + a / x[i]
    return s


def branch(x, a):
    if a > 0.0:
        return np.sum(np.sqrt(x))
    return np.sum(x * a)


def written(x, a):
    x[0] = x[0] ** 0.5
    x[1:] *= x[:-1]
    return np.sum(x) * a


def recursive(x, a):
    if a > 2.0:
        return np.sum(np.arctan(x)) * a
    return np.sum(x**0.5) * recursive(x * 0.5, a * 2.0)


def masked(x, a):
    return np.sum(np.where(x > 0.0, np.sqrt(x * x * a), 0.0))


ROOT = "import numpy as np\n\n\ndef f(x: float) -> float:\n    return np.sqrt(x) * x\n"
PROGRAMS = [straight, loop, branch, written, recursive, masked]


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("function", PROGRAMS)
def test_the_derivative_is_the_same(function: Callable[..., Any], level: int) -> None:
    arguments = np.array([0.5, 2.0, 0.7]), 1.5
    trapped = value_and_grad(function, wrt=(0, 1), trap_nan=True, level=level)(*arguments)
    plain = value_and_grad(function, wrt=(0, 1), level=level)(*arguments)
    assert trapped[0] == plain[0]
    for one, other in zip(trapped[1], plain[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)  # simplified in another order


@pytest.mark.parametrize(
    ("function", "parts"),
    [
        (straight, ("y * y: at [1]: the adjoint of y = nan", "y = -inf")),
        (loop, ("a / x[i]: the adjoint of a = inf", "x[i] = 0.0", "a = 1.5")),
        (branch, ("np.sqrt(x): at [1]: the adjoint of x = inf", "x = 0.0")),
        (recursive, ("x**0.5: at [1]: the adjoint of x = inf", "x = 0.0")),
    ],
)
def test_the_first_that_is_not_finite_is_named(
    function: Callable[..., Any], parts: tuple[str, ...]
) -> None:
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError) as raised:
        grad(function, wrt=(0, 1), trap_nan=True)(np.array([0.5, 0.0, 0.7]), 1.5)
    message = str(raised.value)
    line = function.__code__.co_firstlineno
    assert message.startswith("test_trap_nan.py, line ")
    assert line < int(message.split("line ")[1].split(":")[0]) <= line + 4
    for part in parts:
        assert part in message


def test_a_branch_that_is_not_taken_is_no_error() -> None:
    x = np.array([0.5, 0.0, 0.7])
    found = grad(masked, trap_nan=True)(x, 1.5)
    np.testing.assert_allclose(found, np.where(x > 0.0, np.sqrt(1.5), 0.0))


def test_what_overflows_by_adding_is_named_at_the_end() -> None:
    def doubled(x, n):
        for _ in range(n):
            x = x + x
        return x

    assert grad(doubled, trap_nan=True)(0.5, 1000) == 2.0**1000
    with pytest.raises(FloatingPointError, match="in doubled: the adjoint of x = inf"):
        grad(doubled, trap_nan=True)(0.5, 1100)


@pytest.mark.parametrize("mode", ["grad", "vjp", "jvp"])
def test_the_command(tmp_path: Path, mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "model.py"
    file.write_text(ROOT)
    assert main([str(file), "f", "--mode", mode, "--trap-nan"]) == 0
    text = capsys.readouterr().out
    assert "import s2s_ad" not in text
    names = load_module(text, f"{mode}_f")
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError) as raised:
        if mode == "vjp":
            names["vjp_f"](0.0)[1](1.0)
        else:
            names[f"{mode}_f"](*(0.0, 1.0)[: 1 + (mode == "jvp")])
    assert str(raised.value).startswith("model.py, line 5: np.sqrt(x): the ")
    assert "x = 0.0" in str(raised.value)


def test_the_module_is_differentiated_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model.py"
    file.write_text(ROOT)
    assert main([str(file), "f", "--trap-nan", "-o", str(tmp_path / "first.py")]) == 0
    assert main([str(tmp_path / "first.py"), "grad_f"]) == 0
    second = load_module(capsys.readouterr().out, "grad_grad_f")["grad_grad_f"]
    assert second(4.0) == pytest.approx(0.75 / 2.0, rel=1e-14)
