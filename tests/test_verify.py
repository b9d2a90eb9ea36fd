"""`s2sad verify` and `check_grads`: right derivatives pass, wrong ones are found and named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from s2s_ad import DifferentiationError, check_grads, cli, declare
from s2s_ad.checking import MODES
from s2s_ad.coverage import Recorder, branches

MODEL = """\
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from s2s_ad import declare, grad

open("ran", "w").close()
LAM = 0.5


@dataclass
class Layer:
    w: np.ndarray
    b: float


def loss(w: "Float[Array, 'd']", X: "Float[Array, 'n d']", y: "Float[Array, 'n']", p: int = 2):
    r = X @ w - y
    return np.mean(r**p) + LAM * np.sum(np.abs(w))


def curve(t: float, r: float):
    return r * np.stack([np.cos(t), np.sin(t)])


def root(x: float):
    return np.sqrt(x - 3.0)


def never(x: float):
    return np.log(-1.0 - x * x)


def pair(x: float):
    print("printed")
    return x * x, "aux"


def layers(layer: Layer, x: float):
    return np.sum(layer.w) * layer.b * x


def single(x: "Float32[Array, 'n']"):
    return np.sum(np.tanh(x))


def cubes(x: float, n: int = 1):
    assert x > -100.0
    return np.where(x > 0.0, x**3, x)


def chain(x: "Float[Array, '4']"):
    return np.sum((x[1:] - x[:-1] ** 2) ** 2), x[0]


@grad
def decorated(x: float):
    return x**2


def wrong(x):
    return np.logaddexp(0.0, x)


declare("out = wrong(x)", "grad_x += grad_out / (1.0 + np.exp(x))")


def uses_wrong(a: float, x: np.ndarray):
    return a * np.sum(wrong(x[1:]) + x[:-1])
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    (tmp_path / "model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(["verify", *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


# The command --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["loss"],
        ["loss", "--mode", "value-and-grad", "--wrt", "X,w", "-O", "0"],
        ["curve", "--mode", "vjp"],
        ["curve", "--mode", "jvp", "--wrt", "r,t"],
        ["root"],
        ["layers"],
        ["single"],
        ["decorated"],
        ["cubes", "--complex-step"],
        ["loss", "--mode", "vjp", "--many", "--wrt", "X,w"],
        ["curve", "--mode", "jvp", "--many"],
        *(["chain", "--has-aux", "--mode", mode] for mode in ("vjp", "jacobian", "hessian")),
        ["chain", "--has-aux", "--mode", "hvp", "--many"],
        ["chain", "--mode", "jacobian", "--sparse", "csr"],
    ],
)
def test_right_derivatives_are_verified(run: Run, arguments: list[str]) -> None:
    status, out, err = run("model.py", *arguments, "--points", "2")
    assert (status, err) == (cli.DONE, "s2sad: executing model.py\n")
    assert " agrees" in out
    assert " wrong" not in out


def test_it_says_that_it_runs_the_file(run: Run) -> None:
    assert not Path("ran").exists()
    assert "executing model.py" in run("model.py", "root")[2]
    assert Path("ran").exists()
    assert "FILE is executed" in run("--help")[1]


def test_a_wrong_derivative_fails_and_is_named(run: Run) -> None:
    status, out, err = run("model.py", "uses_wrong", "--arg", "x=float[n]", "--points", "1")
    assert status == cli.REFUSED
    assert "x (3 elements)" in out
    assert "wrong\n" in out
    assert "\nlargest error: " in out
    assert "not verified: point 1, reverse, x (3 elements): x[" in err
    assert "s2sad: point 1: a=" in err
    assert next(line for line in out.splitlines() if "  a  " in line).endswith("agrees")


def test_a_module_that_was_edited_is_found(run: Run) -> None:
    assert cli.main(["model.py", "root", "-o", "out.py"]) == cli.DONE
    assert run("model.py", "root", "--module", "out.py")[0] == cli.DONE
    text = Path("out.py").read_text()
    Path("out.py").write_text(text.replace("0.5", "0.50001"))
    assert Path("out.py").read_text() != text
    assert run("model.py", "root", "--module", "out.py")[0] == cli.REFUSED


def test_entries_of_a_sparse_module(run: Run) -> None:
    """One that is wrong is found, and so is one that is left out."""
    mode = "--mode", "jacobian", "--sparse", "triplets"
    assert cli.main(["model.py", "chain", *mode, "-o", "out.py"]) == cli.DONE
    text = Path("out.py").read_text()
    assert run("model.py", "chain", *mode, "--module", "out.py")[0] == cli.DONE
    for now in ("    values = 2.0 * adjoints", "    values = (ROWS != 1) * adjoints"):
        Path("out.py").write_text(text.replace("    values = adjoints", now))
        status, _, err = run("model.py", "chain", *mode, "--module", "out.py")
        assert (status, "not verified: point 1, reverse, x (4 elements)" in err) == (
            cli.REFUSED,
            True,
        )


def test_kinks_are_not_errors(run: Run) -> None:
    status, out, _ = run("model.py", "loss", "--at", "w=[0.0, 1.0]", "--wrt", "w")
    assert status == cli.DONE
    assert "w (2 elements)" in out
    assert "kink" in out
    assert "from the left" in out


def test_points_are_given_or_drawn_again(run: Run, tmp_path: Path) -> None:
    np.savez("point.npz", w=np.ones(2), X=np.ones((3, 2)), y=np.zeros(3))
    assert run("model.py", "loss", "--at", "point.npz", "--at", "w=[1, 2, 3], p=3")[0] == cli.DONE
    first = run("model.py", "root", "--seed", "1")
    assert first[1] == run("model.py", "root", "--seed", "1")[1]
    assert first[1] != run("model.py", "root", "--seed", "2")[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["model.py", "root", "--at", "y=1.0"],
        ["model.py", "root", "--at", "1.0"],
        ["model.py", "root", "--at", "x=__import__('os')"],
        ["model.py", "root", "--at", "x=[1.0]"],
        ["model.py", "root", "--at", "missing.npz"],
        ["model.py", "root", "--points", "0"],
        ["model.py", "root", "--tolerance", "2"],
        ["model.py", "root", "--module", "missing.py"],
        ["-", "root"],
    ],
)
def test_wrong_usage(run: Run, arguments: list[str]) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (cli.WRONG_USAGE, "")
    assert "error: " in err


def test_nothing_compared_is_a_failure(run: Run) -> None:
    status, _, err = run("model.py", "never")
    assert status == cli.REFUSED
    assert "no finite value at 5 of 5 points" in err
    assert run("model.py", "root", "--at", "x=1.0")[0] == cli.REFUSED


def test_files_that_cannot_be_run(run: Run) -> None:
    Path("broken.py").write_text(
        "raise OSError('no licence')\n\n\ndef f(x: float):\n    return x\n"
    )
    status, _, err = run("broken.py", "f")
    assert status == cli.REFUSED
    assert "broken.py cannot be run: OSError: no licence" in err
    assert "Traceback" not in err


def test_files_of_a_package(run: Run, tmp_path: Path) -> None:
    package = tmp_path / "proofpackage"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text("def cube(x):\n    return x**3\n")
    (package / "model.py").write_text(
        "from .parts import cube\n\n\ndef f(x: float):\n    return cube(x)\n"
    )
    assert run("proofpackage/model.py", "f")[0] == cli.DONE


def test_the_report_as_json(run: Run) -> None:
    report = json.loads(run("model.py", "cubes", "--output-format", "json", "--points", "3")[1])
    assert report["verified"] is True
    assert {row["verdict"] for row in report["rows"]} == {"agrees"}
    assert {row["point"] for row in report["rows"]} == {1, 2, 3}


# check_grads --------------------------------------------------------------------------------------

SCALE = 3.0


class Pair(NamedTuple):
    x: np.ndarray
    b: float


def product(p: dict[str, Any], y: np.ndarray, *, n: int = 2) -> Any:
    return SCALE * np.sum(np.sin(p["x"]) ** n * y) * p["b"]


def of_record(p: Pair) -> Any:
    return np.sum(p.x) * p.b


def twisted(x: np.ndarray) -> Any:
    return {"a": np.outer(x, x), "b": np.sum(x)}


def bad_relu(x):
    return np.maximum(x, 0.0)


declare("out = bad_relu(x)", "grad_x += grad_out * 2.0", function=bad_relu)


def uses_bad_relu(x: np.ndarray) -> Any:
    return np.sum(bad_relu(x))


@pytest.mark.parametrize("modes", [("rev",), ("fwd",), ("rev", "fwd"), "rev"])
@pytest.mark.parametrize("order", [1, 2])
def test_right_derivatives(modes: Any, order: int) -> None:
    p, y = {"x": np.array([0.5, 1.5]), "b": 2.0}, np.array([1.0, -2.0])
    rows = check_grads(product, (p, y), order, modes, kwargs={"n": 3})
    assert {row.verdict for row in rows} == {"agrees"}
    assert {row.mode for row in rows} <= {"reverse", "forward", "dot product"}
    directions = {row.direction for row in rows}
    assert ("p['x'] (2 elements)" in directions) == ("rev" in modes)
    check_grads(twisted, (y,), order, modes)


def test_records() -> None:
    rows = check_grads(of_record, (Pair(np.array([0.5, 1.5]), 2.0),))
    assert "p.x (2 elements)" in {row.direction for row in rows}


def test_third_order() -> None:
    check_grads(lambda x: np.exp(x) * x, (1.0,), order=3)


def test_wrong_derivatives_raise() -> None:
    for modes in ("rev", "fwd"):
        with pytest.raises(AssertionError, match=r"not verified:\n.*by differences"):
            check_grads(uses_bad_relu, (np.array([1.0, 2.0]),), modes=modes)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_checked(mode: str) -> None:
    p, y = {"x": np.array([0.5, 1.5]), "b": 2.0}, np.array([1.0, -2.0])
    rows = check_grads(product, (p, y), 2, mode, kwargs={"n": 3})
    assert {row.verdict for row in rows} == {"agrees"}
    short = {"vjp": "reverse", "jvp": "forward", "jacobian": "reverse jacobian"}
    first = [row for row in rows if row.mode == short.get(mode, mode)]
    assert first
    assert len(rows) > len(first) or mode in ("vjp", "jvp", "sparse jacobian")
    with pytest.raises(AssertionError, match="by differences"):
        check_grads(lambda x: np.sum(bad_relu(x) ** 2), (y + 3.0,), modes=mode)


def test_arguments_of_check_grads() -> None:
    with pytest.raises(ValueError, match="modes"):
        check_grads(product, (1.0,), modes=("reverse",))
    with pytest.raises(DifferentiationError, match="not-a-scalar"):
        check_grads(twisted, (np.ones(2),), modes="hvp")
    with pytest.raises(ValueError, match="order"):
        check_grads(product, (1.0,), order=0)
    with pytest.raises(ValueError, match="not finite"):
        check_grads(lambda x: np.log(x), (0.0,))
    with pytest.raises(DifferentiationError):
        check_grads(lambda x: np.poly1d([x, 1.0])(2.0), (1.0,))


# Branches -----------------------------------------------------------------------------------------

BRANCHES = """\
def helper(x):
    while x > 1.0 and x < 100.0:
        x = x / 2.0
    return x


def unused(x):
    if x:
        return 1.0


def f(x, n=0):
    y = 1.0 if x > 0.0 else 2.0
    if x > 5.0: y = y * 2.0
    for i in range(n):
        if i > 100:
            break
        y += helper(x)
    if x > 3.0:
        pass
    elif x > 2.0:
        raise ValueError
    return y
"""


def test_branches_not_reached(tmp_path: Path) -> None:
    path = tmp_path / "branching.py"
    names: dict[str, Any] = {}
    exec(compile(BRANCHES, str(path), "exec"), names)
    recorder = Recorder(str(path))

    def missed(*arguments: float) -> list[str]:
        recorder.run(lambda: names["f"](*arguments))
        return [f"{b.line}: {b.name}" for b in branches(BRANCHES, "f", recorder)[1]]

    assert missed(1.0) == [
        "13: `else` of `... if x > 0.0 else ...`",
        "14: body of `if x > 5.0`",
        "16: `if i > 100` false",
        "16: body of `for i in range(n)`",
        "17: body of `if i > 100`",
        "20: body of `if x > 3.0`",
        "22: body of `if x > 2.0`",
    ]
    assert "2: `x < 100.0` behind `and`" in missed(0.5, 1)  # a function counts once it is called
    assert missed(50.0, 1) == [
        "13: `else` of `... if x > 0.0 else ...`",
        "17: body of `if i > 100`",
        "22: body of `if x > 2.0`",
    ]
    assert missed(-1.0) == ["17: body of `if i > 100`", "22: body of `if x > 2.0`"]
