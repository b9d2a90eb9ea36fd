"""The command as its users meet it: what it prints, what it writes, and with what it exits.

Most tests call `main` in this process; those of start-up, streams and signals run the command.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2s_ad import cli
from s2s_ad.pipeline import MODES

MODEL = '''\
"""Running this file would leave a trace."""

import numpy as np
from s2s_ad import grad

open("marker", "w").close()
LAM = 0.5


def f(x: float, y: float) -> float:
    return np.sin(x) * y


def square(x):
    return x * x


def loss(W, b: np.ndarray, X: np.ndarray, n: int = 3):
    return LAM * n * np.sum((X @ W + b) ** 2)


def pair(x: float):
    return x * x, "aux"


def refused(x: float):
    y = np.unknown(x)
    z = np.missing(x)
    return y + z


@grad
def decorated(x: float):
    return x * x


@np.vectorize
def vectorized(x: float):
    return x * x


def calls_decorated(x: float):
    return decorated(x) + vectorized(x)


class Model:
    def method(self, x):
        return x


raise RuntimeError("this file was run")
'''


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command where `model.py` is: its exit status, output and error output."""
    (tmp_path / "model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(arguments)
        captured = capsys.readouterr()
        assert not Path("marker").exists()
        return status, captured.out, captured.err

    return run


def command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "s2s_ad.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def module_of(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(text, names)
    return names


# Generating ---------------------------------------------------------------------------------------


def test_the_gradient_for_every_float_parameter(run: Run) -> None:
    status, out, err = run("model.py", "f")
    assert (status, err) == (cli.DONE, "")
    assert module_of(out)["grad_f"](1.0, 2.0) == (2.0 * np.cos(1.0), np.sin(1.0))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["square"], 6.0),  # one float parameter: no tuple
        (["square", "--wrt", "x"], 6.0),
        (["square", "-O", "0"], 6.0),
        (["square", "-O0"], 6.0),
    ],
)
def test_a_single_gradient_is_bare(run: Run, arguments: list[str], expected: float) -> None:
    assert module_of(run("model.py", *arguments)[1])["grad_square"](3.0) == expected


def test_wrt_names_parameters_in_order(run: Run) -> None:
    out = run("model.py", "f", "--wrt", "y, x", "--mode", "value-and-grad")[1]
    value, gradients = module_of(out)["value_and_grad_f"](1.0, 2.0)
    assert (value, gradients) == (np.sin(1.0) * 2.0, (np.sin(1.0), 2.0 * np.cos(1.0)))
    assert module_of(run("model.py", "f", "--wrt", "y")[1])["grad_f"](1.0, 2.0) == np.sin(1.0)


def test_every_mode(run: Run) -> None:
    assert cli.MODES == MODES
    forward = module_of(run("model.py", "square", "--mode", "jvp")[1])
    assert forward["jvp_square"](3.0, 2.0) == (9.0, 12.0)
    reverse = module_of(run("model.py", "square", "--mode", "vjp")[1])
    value, pullback = reverse["vjp_square"](3.0)
    assert (value, pullback(2.0)) == (9.0, (12.0,))
    assert reverse["reverse_square"](reverse["forward_square"](3.0)[1], 2.0) == (12.0,)


def test_types_of_arguments(run: Run) -> None:
    given = ["W=float[d]", "X=float32[n, d]", "b=float[n]"]
    options = [part for text in given for part in ("--arg", text)]
    status, out, _ = run("model.py", "loss", "--wrt", "W", *options)
    assert status == cli.DONE
    assert "LAM = 0.5" in out
    W, b, X = np.array([0.4, -0.7]), np.ones(3), np.ones((3, 2), np.float32)
    expected = 2 * 0.5 * 3 * X.T @ (X @ W + b)
    np.testing.assert_allclose(module_of(out)["grad_loss"](W, b, X), expected)


def test_containers_as_arguments(run: Run, tmp_path: Path) -> None:
    Path("p.py").write_text("def f(p, q):\n    return p['w'][0] * q[0] * q[1]\n")
    types = ["--arg", "p=dict(w=float[n])", "--arg", "q=tuple[float, float]"]
    gradient = module_of(run("p.py", "f", *types)[1])["grad_f"]({"w": np.ones(2)}, (2.0, 3.0))
    np.testing.assert_array_equal(gradient[0]["w"], [6.0, 0.0])
    assert gradient[1] == (3.0, 2.0)


def test_auxiliary_results(run: Run) -> None:
    assert module_of(run("model.py", "pair", "--has-aux")[1])["grad_pair"](3.0) == (6.0, "aux")


def test_the_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(MODEL.encode())))
    status, out, _ = run("-", "f")
    assert status == cli.DONE
    assert "<stdin>" in out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(MODEL.encode())))
    assert "--> <stdin>:27:9" in run("-", "refused")[2]


def test_line_ends_and_marks_of_windows(run: Run) -> None:
    text = MODEL.replace("\n", "\r\n")
    Path("windows.py").write_bytes(b"\xef\xbb\xbf" + text.encode())
    ours, theirs = run("model.py", "f")[1], run("windows.py", "f")[1]
    assert theirs == ours.replace("model.py", "windows.py")


def test_helpers_of_files_beside_are_read(run: Run) -> None:
    Path("helpers.py").write_text("K = 3.0\n\n\ndef cube(x):\n    return K * x**3\n")
    Path("user.py").write_text(
        "from .helpers import cube\n\nK = 2.0\n\n\ndef f(x: float):\n    return cube(x) * K\n"
    )
    status, out, _ = run("user.py", "f")
    assert status == cli.DONE
    assert module_of(out)["grad_f"](1.0) == 18.0
    assert module_of(run("user.py", "cube")[1])["grad_cube"](1.0) == 9.0


# What a file may mean -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("lam = 1.0\nif lam:\n    lam = 2.0\n", "free-variable"),
        ("lam = 1.0\nlam = 2.0\n", "free-variable"),
        ("lam = 1.0\nlam += 2.0\n", "free-variable"),
        ("lam = 1.0\nlam, mu = 2.0, 3.0\n", "free-variable"),
        ("lam = 1.0\nfor lam in range(3):\n    pass\n", "free-variable"),
        ("lam = 1.0\ndel lam\n", "free-variable"),
        ("lam = 1.0\ndef g():\n    global lam\n    lam = 2.0\n", "free-variable"),
        ("lam = 1.0\nwith open('x') as lam:\n    pass\n", "free-variable"),
        (
            "lam = 1.0\ntry:\n    from x import lam\nexcept ImportError:\n    pass\n",
            "free-variable",
        ),
        ("lam = 1.0\nfrom somewhere import *\n", "free-variable"),
        ("from somewhere import *\n", "unknown-name"),
        ("import math\nlam = math.sqrt(2.0)\n", "free-variable"),
        ("", "unknown-name"),
    ],
)
def test_names_that_are_not_bound_for_good(run: Run, text: str, name: str) -> None:
    Path("names.py").write_text(f"{text}\n\ndef f(x: float):\n    return lam * x\n")
    status, _, err = run("names.py", "f", "--output-format", "concise")
    assert status == cli.REFUSED
    assert f"error[{name}]: `lam`" in err


@pytest.mark.parametrize(
    "text",
    [
        "lam = 2.0\n",
        "lam: float = 2.0\n",
        "import numpy as lam\ndel lam\nlam = other = 2.0\n",
        "if x:\n    lam = 3.0\nlam = 2.0\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from x import lam\nlam = 2.0\n",
    ],
)
def test_names_that_are_bound_for_good(run: Run, text: str) -> None:
    Path("names.py").write_text(f"{text}\n\ndef f(x: float):\n    return lam * x\n")
    status, out, err = run("names.py", "f")
    assert (status, err) == (cli.DONE, "")
    assert module_of(out)["grad_f"](1.0) == 2.0


def test_everything_from_a_library_that_is_known(run: Run) -> None:
    Path("star.py").write_text("from math import *\n\n\ndef f(x: float):\n    return sin(x) * pi\n")
    assert module_of(run("star.py", "f")[1])["grad_f"](0.0) == np.pi
    Path("star.py").write_text(
        "from numpy import *\n\n\ndef f(x: ndarray):\n    return sum(abs(x) * x)\n"
    )
    out = run("star.py", "f", "--arg", "x=float[n,m]")[1]
    np.testing.assert_array_equal(module_of(out)["grad_f"](np.ones((2, 2))), np.full((2, 2), 2.0))


def test_decorators(run: Run) -> None:
    assert run("model.py", "decorated")[0] == cli.DONE
    status, _, err = run("model.py", "vectorized")
    assert status == cli.REFUSED
    assert "error[decorated-function]" in err
    err = run("model.py", "calls_decorated", "--output-format", "concise")[2]
    assert "error[decorated-function]: `vectorized`" in err
    Path("cached.py").write_text(
        "import functools\n\n\n@functools.lru_cache(maxsize=None)\n"
        "def g(x):\n    return x * x\n\n\n"
        "def f(x: float):\n    return g(x)\n"
    )
    assert module_of(run("cached.py", "f")[1])["grad_f"](3.0) == 6.0


# Files --------------------------------------------------------------------------------------------


def test_output_to_a_file(run: Run) -> None:
    assert run("model.py", "f", "-o", "out.py") == (cli.DONE, "", "")
    assert Path("out.py").read_text() == run("model.py", "f")[1]
    assert sorted(path.name for path in Path().iterdir()) == ["model.py", "out.py"]


def test_an_existing_file_keeps_its_mode_and_its_links(run: Run) -> None:
    Path("real.py").write_text("old")
    os.chmod("real.py", 0o640)
    os.symlink("real.py", "link.py")
    assert run("model.py", "f", "-o", "link.py")[0] == cli.DONE
    assert os.path.islink("link.py")
    assert os.stat("real.py").st_mode & 0o777 == 0o640
    assert "grad_f" in Path("real.py").read_text()


def test_an_unchanged_file_is_not_touched(run: Run) -> None:
    run("model.py", "f", "-o", "out.py")
    os.utime("out.py", (1, 1))
    assert run("model.py", "f", "-o", "out.py")[0] == cli.DONE
    assert os.stat("out.py").st_mtime == 1


def test_a_refusal_writes_nothing(run: Run) -> None:
    Path("out.py").write_text("old")
    assert run("model.py", "refused", "-o", "out.py")[0] == cli.REFUSED
    assert Path("out.py").read_text() == "old"
    assert run("model.py", "refused", "-o", "new.py")[0] == cli.REFUSED
    assert sorted(path.name for path in Path().iterdir()) == ["model.py", "out.py"]


@pytest.mark.parametrize("output", ["missing/out.py", ".", "model.py", "./model.py"])
def test_places_where_nothing_can_be_written(run: Run, output: str) -> None:
    status, out, err = run("model.py", "f", "-o", output)
    assert (status, out) == (cli.WRONG_USAGE, "")
    assert err.startswith("s2sad: error: ")
    assert Path("model.py").read_text() == MODEL


def test_check(run: Run) -> None:
    assert run("model.py", "f", "-o", "out.py", "--check")[0] == cli.REFUSED
    assert not Path("out.py").exists()
    run("model.py", "f", "-o", "out.py")
    assert run("model.py", "f", "-o", "out.py", "--check") == (cli.DONE, "", "")
    status, out, err = run("model.py", "f", "-o", "out.py", "--check", "-O0")
    assert (status, out, err) == (cli.REFUSED, "", "s2sad: out.py is not up to date\n")
    assert run("model.py", "f", "--check")[0] == cli.WRONG_USAGE
    assert run("model.py", "refused", "-o", "out.py", "--check")[0] == cli.REFUSED


def test_diff(run: Run) -> None:
    run("model.py", "f", "-o", "out.py")
    before = Path("out.py").read_text()
    assert run("model.py", "f", "-o", "out.py", "--diff") == (cli.DONE, "", "")
    status, out, _ = run("model.py", "f", "-o", "out.py", "--diff", "--wrt", "y")
    assert status == cli.DONE
    assert out.startswith("--- out.py\n+++ out.py (generated)\n@@ ")
    assert "\n+    return np.sin(x)" in out
    assert Path("out.py").read_text() == before
    assert run("model.py", "f", "-o", "out.py", "--diff", "--check", "-O0")[0] == cli.REFUSED
    assert run("model.py", "f", "--diff")[0] == cli.WRONG_USAGE


# Refusals -----------------------------------------------------------------------------------------


def test_refusals_are_shown_together(run: Run) -> None:
    status, out, err = run("model.py", "refused")
    assert (status, out) == (cli.REFUSED, "")
    assert err.count("error[unknown-operation]") == 2
    assert "--> model.py:27:9\n" in err
    assert "\x1b" not in err


def test_formats_of_diagnostics(run: Run) -> None:
    assert [
        line.split(": ")[0]
        for line in run("model.py", "refused", "--output-format", "concise")[2].splitlines()
    ] == ["model.py:27:9", "model.py:28:9"]
    found = json.loads(run("model.py", "refused", "--output-format", "json")[2])
    assert [(each["name"], each["line"]) for each in found] == [
        ("unknown-operation", 27),
        ("unknown-operation", 28),
    ]
    github = run("model.py", "refused", "--output-format", "github")[2]
    assert github.startswith("::error file=model.py,line=27,col=9,title=unknown-operation::")
    assert run("model.py", "refused", "--output-format", "xml")[0] == cli.WRONG_USAGE


def test_colour_on_a_terminal_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert "\x1b" not in run("model.py", "refused")[2]
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b[1;31merror" in run("model.py", "refused")[2]


@pytest.mark.parametrize(
    ("function", "name", "help"),
    [
        ("los", "unknown-function", "did you mean `loss`?"),
        ("xyzzy", "unknown-function", "there are `f`, `square`, `loss`, "),
        ("LAM", "unsupported-function", "by `def`"),
        ("np", "unsupported-function", "by `def`"),
        ("Model", "unsupported-function", "by `def`"),
        ("Model.method", "unsupported-function", "at the top level"),
    ],
)
def test_functions_that_are_not_there(run: Run, function: str, name: str, help: str) -> None:
    status, out, err = run("model.py", function)
    assert (status, out) == (cli.REFUSED, "")
    assert f"error[{name}]" in err
    assert help in err


def test_syntax_errors_are_refusals(run: Run) -> None:
    Path("broken.py").write_text("def f(x:\n    return x\n")
    status, _, err = run("broken.py", "f")
    assert status == cli.REFUSED
    assert "error[syntax-error]" in err
    Path("latin.py").write_bytes("def f(x):\n    return x  # \xe9\n".encode("latin-1"))
    assert run("latin.py", "f")[0] == cli.REFUSED


def test_wrt_that_is_no_parameter(run: Run) -> None:
    assert "error[bad-wrt]" in run("model.py", "f", "--wrt", "z")[2]
    assert "error[integer-argument]" in run("model.py", "loss", "--wrt", "n")[2]


# Usage --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["model.py"],
        ["missing.py", "f"],
        [".", "f"],
        ["model.py", "f", "--mode", "laplacian"],
        ["model.py", "f", "-O", "3"],
        ["model.py", "f", "--wrt", "x,,y"],
        ["model.py", "f", "--wrt", ""],
        ["model.py", "f", "--arg", "x"],
        ["model.py", "f", "--arg", "x=floa"],
        ["model.py", "f", "--arg", "x=float[n"],
        ["model.py", "f", "--arg", "z=float"],
        ["model.py", "f", "--unknown"],
        ["model.py", "f", "--direction", "reverse"],
        ["model.py", "f", "--mode", "jacobian", "--many"],
        ["model.py", "f", "--mode", "hessian", "--trap-nan"],
        ["explain", "model.py"],
        ["explain", "model.py", "f", "--after", "nothing"],
        ["operations", "model.py"],
    ],
)
def test_wrong_usage(run: Run, arguments: list[str]) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (cli.WRONG_USAGE, "")
    assert ": error: " in err


def test_help_and_version(run: Run) -> None:
    for arguments in (["--help"], ["explain", "--help"], ["operations", "-h"]):
        status, out, err = run(*arguments)
        assert (status, err) == (cli.DONE, "")
        assert out.startswith("usage: s2sad")
    assert "s2sad explain" in run("--help")[1]
    assert run("--version")[1].startswith("s2sad 0.")


def test_internal_errors_are_reported_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr("s2s_ad.targets.generate", broken)
    status, out, err = run("model.py", "f")
    assert (status, out) == (cli.WRONG_USAGE, "")
    assert "internal error: KeyError: 'lost'" in err
    assert "Traceback" not in err
    monkeypatch.setenv("S2SAD_DEBUG", "1")
    assert "Traceback" in run("model.py", "f")[2]


# Explaining and the catalogue ---------------------------------------------------------------------


def headings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("# ")]


def test_explain_shows_each_stage(run: Run) -> None:
    status, out, _ = run("explain", "model.py", "f")
    assert status == cli.DONE
    found = headings(out)
    assert found[0] == "# 1 lower"
    assert [heading.split()[1] for heading in found] == [str(k + 1) for k in range(len(found))]
    assert "adjoint" in out
    assert "function f(x: float, y: float)" in out
    assert "function grad_f(x: float, y: float)" in out


def test_explain_after_a_pass(run: Run) -> None:
    names = [line.split()[2] for line in headings(run("explain", "model.py", "f")[1])]
    for name in set(names):
        found = headings(run("explain", "model.py", "f", "--after", name)[1])
        assert [line.split()[2] for line in found] == [name] * names.count(name)
    assert run("explain", "model.py", "f", "--after", "save-values")[0] == cli.DONE


def test_explain_differences(run: Run) -> None:
    out = run("explain", "model.py", "f", "--after", "adjoint", "--diff")[1]
    assert "\n+function grad_f(" in out
    assert "\n-function f(" in out


def test_explain_shows_what_was_reached(run: Run) -> None:
    Path("vector.py").write_text("import numpy as np\n\n\ndef f(x: float):\n    return x, x\n")
    status, out, err = run("explain", "vector.py", "f")
    assert status == cli.REFUSED
    assert headings(out)[0] == "# 1 lower"
    assert "error[not-a-scalar]" in err
    status, out, err = run("explain", "vector.py", "f", "--after", "adjoint")
    assert (status, out) == (cli.REFUSED, "")
    assert "error[not-a-scalar]" in err


def test_operations(run: Run) -> None:
    status, out, _ = run("operations")
    assert status == cli.DONE
    assert "\nnp.sin(x)\n    grad_x += grad_out * np.cos(x)\n" in out
    assert "np.max(x, axis=None, keepdims=False)    also np.amax, x.max(...)\n" in out
    assert "\nx < y\n    no derivative" in out
    for internal in ("recall", "unbroadcast", "identity(x)", "add_at", "raise_if"):
        assert internal not in [line.partition("(")[0] for line in out.splitlines()]


# As a process -------------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.py"
    path.write_text(MODEL)
    return path


def test_the_command_gives_the_same_bytes_each_time(model: Path) -> None:
    runs = [
        command("model.py", "loss", cwd=model.parent, env={**os.environ, "PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout != ""
    assert not (model.parent / "marker").exists()


def test_a_reader_that_leaves(model: Path) -> None:
    program = f"{sys.executable} -m s2s_ad.cli operations | head -1; echo ${{PIPESTATUS[0]}}"
    shown = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout == "x + y\n0\n"
    assert shown.stderr == ""


def test_output_is_utf8_whatever_the_locale(model: Path) -> None:
    model.write_text("def f(λ: float, x: float):\n    return λ * x  # λ\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    shown = subprocess.run(
        [sys.executable, "-m", "s2s_ad.cli", "model.py", "f"],
        cwd=model.parent,
        env=environment,
        capture_output=True,
        check=True,
    )
    assert "def grad_f(λ: float" in shown.stdout.decode("utf-8")


def test_help_loads_nothing_heavy() -> None:
    """What `--help` would wait for."""
    program = (
        "import sys; from s2s_ad.cli import main; main(['--help']); "
        "print(*sorted(name for name in sys.modules if '.' not in name), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "argparse" in done.stderr.split()
    assert not {"numpy", "libcst", "scipy", "rich"} & set(done.stderr.split())


def test_the_package_runs_as_the_command() -> None:
    assert command("--version").stdout == subprocess.run(
        [sys.executable, "-m", "s2s_ad", "--version"], capture_output=True, text=True, check=True
    ).stdout  # fmt: skip
