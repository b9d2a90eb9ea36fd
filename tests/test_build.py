"""`s2sad build` and certificates: what is made, what is skipped, what drift is called."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from s2s_ad import cli
from s2s_ad.build import CACHE
from s2s_ad.certificate import drift

ROOT = Path(__file__).parent.parent
MODEL = """\
import numpy as np

from .parts import cube

open("ran", "w").close()
LAM = 0.5


def loss(w: "Float[Array, 'd']", x: float):
    return LAM * np.sum(np.sin(w)) + cube(x)


def curve(t, r: float):
    return r * np.cos(t)


def refused(x: float):
    return np.packbits(x)
"""
PARTS = "def cube(x):\n    return x**3\n"
PROJECT = """\
[project]
name = "mine"

[tool.s2s_ad]
certificate = true

[[tool.s2s_ad.targets]]
file = "src/model.py"
function = "loss"
output = "generated/loss_grad.py"

[[tool.s2s_ad.targets]]
file = "src/model.py"
function = "curve"
output = "generated/curve.py"
mode = "vjp"
wrt = ["r", "t"]
args = { t = "float[n]" }
level = 0
certificate = false
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `s2sad build` in a project of two targets."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "model.py").write_text(MODEL)
    (tmp_path / "src" / "parts.py").write_text(PARTS)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(["build", *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def edit(path: str, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new, 1))


def files() -> dict[str, str]:
    return {str(path): path.read_text() for path in Path("generated").iterdir()}


# Building -----------------------------------------------------------------------------------------


def test_modules_are_those_of_the_plain_command(run: Run) -> None:
    assert run()[:2] == (cli.DONE, "")
    assert sorted(files()) == [
        "generated/curve.py",
        "generated/loss_grad.json",
        "generated/loss_grad.py",
    ]
    arguments = ["--mode", "vjp", "--wrt", "r,t", "--arg", "t=float[n]", "-O0", "-o", "one.py"]
    assert cli.main(["src/model.py", "curve", *arguments]) == cli.DONE
    assert Path("one.py").read_text() == files()["generated/curve.py"]
    assert not Path("ran").exists()


def test_the_same_bytes_from_any_directory_and_in_parallel(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("-j", "1")
    first = files()
    text = Path("pyproject.toml").read_text()
    for name in "abc":
        text += PROJECT.split("certificate = true\n")[1].split("\n\n")[0].replace("loss_grad", name)
    Path("pyproject.toml").write_text(text)
    monkeypatch.chdir("src")
    assert run("-j", "2", "--force")[0] == cli.DONE
    monkeypatch.chdir("..")
    found = files()
    assert {path: found[path] for path in first} == first
    assert found["generated/a.py"] == first["generated/loss_grad.py"]


def test_what_is_up_to_date_is_skipped(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run()[2].count("wrote") == 3
    assert run() == (cli.DONE, "", "")

    def fail(*_: object) -> None:
        raise AssertionError("made again")

    with monkeypatch.context() as patched:
        patched.setattr("s2s_ad.build.lower_target", fail)
        assert run("-j1")[0] == cli.DONE
    edit("src/parts.py", "x**3", "x**4")  # read by both
    assert "wrote generated/loss_grad.py" in run()[2]
    Path("generated/curve.py").unlink()
    assert run()[2] == "s2sad: wrote generated/curve.py\n"
    edit("generated/curve.py", "value", "valve")
    assert run()[2] == "s2sad: wrote generated/curve.py\n"
    edit("pyproject.toml", 'mode = "vjp"', 'mode = "jvp"')
    assert run()[2] == "s2sad: wrote generated/curve.py\n"
    Path(CACHE, "build.json").write_text("not JSON")
    assert run() == (cli.DONE, "", "")


def test_targets_have_the_options_of_the_plain_command(run: Run) -> None:
    edit("pyproject.toml", "level = 0", "level = 0\ntrap-nan = true\nmany = true\ncheckpoint = 4")
    assert run()[0] == cli.DONE
    plain = ["--trap-nan", "--many", "--checkpoint", "4", "--mode", "vjp", "-O", "0"]
    names = ["--wrt", "r,t", "--arg", "t=float[n]", "-o", "plain.py"]
    assert cli.main(["src/model.py", "curve", *plain, *names]) == cli.DONE
    assert Path("plain.py").read_text() == Path("generated/curve.py").read_text()
    assert "raise FloatingPointError" in Path("plain.py").read_text()
    edit("pyproject.toml", "trap-nan = true", "trap-nan = false")
    assert "curve.py is not up to date" in run("--check")[2]


def test_a_refusal_does_not_keep_others_from_being_written(run: Run) -> None:
    edit("pyproject.toml", 'function = "loss"', 'function = "refused"')
    status, _, err = run()
    assert status == cli.REFUSED
    assert "error[unknown-operation]" in err
    assert list(files()) == ["generated/curve.py"]
    assert "error[unknown-operation]" in run("--check")[2]


def test_chosen_targets(run: Run) -> None:
    assert run("generated/curve.py")[0] == cli.DONE
    assert list(files()) == ["generated/curve.py"]
    assert run("generated/other.py")[0] == cli.WRONG_USAGE


def test_differences_are_shown_and_nothing_written(run: Run) -> None:
    status, out, _ = run("--diff")
    assert status == cli.DONE
    assert "+++ generated/loss_grad.py (generated)" in out
    assert not Path("generated").exists()
    assert not Path(CACHE).exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('function = "loss"', "", "target 1 (generated/loss_grad.py): `function` is missing"),
        ('mode = "vjp"', 'mode = "gard"', "`mode` is one of"),
        ('mode = "vjp"', 'mod = "vjp"', "unknown key `mod`: did you mean `mode`?"),
        ("level = 0", "level = 3", "`level` is 0 or 1"),
        ("level = 0", "level = true", "`level` cannot be True"),
        ("level = 0", "points = 0", "`points` is 1 or more"),
        ("level = 0", 'checkpoint = "halves"', "checkpoint is a number of snapshots or"),
        ("level = 0", "trap-nan = 1", "`trap-nan` cannot be 1"),
        ('mode = "vjp"', 'mode = "hessian"\ntrap-nan = true', "`trap-nan` is for the modes grad"),
        ('mode = "vjp"', 'direction = "forward"', "`direction` is for the modes jacobian"),
        ('wrt = ["r", "t"]', "wrt = [1]", "`wrt` holds names"),
        ("args = {", "args = { r = 1,", "the type of `r` is a text"),
        ("generated/curve.py", "generated/loss_grad.py", "both write"),
        ("generated/curve.py", "generated/loss_grad.json", "both write"),
        ("generated/curve.py", "src/model.py", "is a source"),
        ("certificate = true", "certify = true", "unknown key `certify`"),
        ("[project]", "[project", "is not TOML"),
        ("[[tool.s2s_ad.targets]]\nfile", "[tool.s2s_ad.targets]\nfile", ""),
    ],
)
def test_tables_that_are_not_understood(run: Run, old: str, new: str, message: str) -> None:
    edit("pyproject.toml", old, new)
    status, out, err = run()
    assert (status, out) == (cli.WRONG_USAGE, "")
    assert message in err
    assert not Path("generated").exists()


def test_problems_of_targets(run: Run) -> None:
    edit("pyproject.toml", 'file = "src/model.py"', 'file = "src/missing.py"')
    assert "generated/loss_grad.py: cannot read src/missing.py" in run()[2]
    edit("pyproject.toml", 'float[n]"', 'floa[n]"')
    status, _, err = run()
    assert status == cli.REFUSED
    assert "`floa[n]` is not a type" in err


# Checking -----------------------------------------------------------------------------------------


def test_check_needs_something_to_check(run: Run, tmp_path: Path) -> None:
    Path("pyproject.toml").write_text("[project]\nname = 'mine'\n")
    for arguments in (["--check"], []):
        status, _, err = run(*arguments)
        assert status == cli.REFUSED
        assert "lists no targets" in err


def test_check_does_not_believe_the_record(run: Run) -> None:
    status, _, err = run("--check")
    assert status == cli.REFUSED
    assert "generated/curve.py does not exist" in err
    run()
    assert run("--check") == (cli.DONE, "", "")
    edit("generated/curve.py", "value", "valve")
    record = json.loads(Path(CACHE, "build.json").read_text())
    from s2s_ad.certificate import digest_of_file

    record["generated/curve.py"]["made"]["generated/curve.py"] = digest_of_file(
        "generated/curve.py"
    )
    Path(CACHE, "build.json").write_text(json.dumps(record))
    status, out, err = run("--check")
    assert (status, out, err) == (cli.REFUSED, "", "s2sad: generated/curve.py is not up to date\n")
    assert "+++ generated/curve.py (generated)" in run("--check", "--diff")[1]


DRIFTS = [
    ("src/model.py", "0.5", "0.75", "the source ../src/model.py has changed"),
    ("src/model.py", "import numpy", "# a comment\nimport numpy", "the source ../src/model.py"),
    ("src/parts.py", "x**3", "x**4", "the source ../src/parts.py has changed"),
    ("generated/loss_grad.py", "w", "W", "the module is not the one certified"),
    ("pyproject.toml", 'loss_grad.py"', 'loss_grad.py"\nwrt = ["x"]', "the option wrt was"),
    ("pyproject.toml", 'loss_grad.py"', 'loss_grad.py"\nlevel = 0', "the option level was 1, is 0"),
    ("generated/loss_grad.json", '"0.', '"9.', 'the tool\'s version was "9.'),
    ("generated/loss_grad.json", "np.cos(x)", "np.cos(y)", "the rule of `numpy.sin` has changed"),
    ("generated/loss_grad.json", "numpy.sin", "numpy.sine", "the rule of `numpy.sin` is new"),
    ("generated/loss_grad.json", '"evidence": null', '"evidence": {}', "the evidence is missing"),
    ("generated/loss_grad.json", "{", "[", "is not a certificate"),
    ("generated/loss_grad.json", '"format": 1', '"format": 7', "is not a certificate of format 1"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "old", "new", "message"), DRIFTS)
def test_drift_is_named(run: Run, path: str, old: str, new: str, message: str) -> None:
    run()
    assert run("--check")[0] == cli.DONE
    edit(path, old, new)
    status, _, err = run("--check")
    assert status == cli.REFUSED
    assert message in err
    run()
    assert run("--check")[0] == cli.DONE


def test_long_evidence_is_shown_where_it_differs() -> None:
    reached = [f"{line}: body of `for i in range(n)`" for line in range(20)]
    before, after = ({"evidence": {"reached": [*reached, last]}} for last in ("91: a", "92: b"))
    (message,) = drift(before, after)
    assert "91: a" in message
    assert "92: b" in message
    assert len(message) < 200


def test_a_rule_that_changed_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import s2s_ad.certificate as module

    run()
    real = module.rule_lines
    monkeypatch.setattr(
        module,
        "rule_lines",
        lambda rule, statement: tuple(
            line.replace("np.cos", "np.sin") for line in real(rule, statement)
        ),
    )
    assert "the rule of `numpy.sin` has changed" in run("--check", "-j1")[2]


# Certificates -------------------------------------------------------------------------------------


def test_a_certificate_with_evidence(run: Run) -> None:
    edit("pyproject.toml", "certificate = true", "verify = true\npoints = 3")
    edit("pyproject.toml", "certificate = false", "verify = false")
    status, _, err = run()
    assert status == cli.DONE
    assert "executing src/model.py" in err
    assert Path("ran").exists()
    found = json.loads(Path("generated/loss_grad.json").read_text())["evidence"]
    assert (found["points"], found["identities"], list(found["verdicts"])) == (3, 3, ["agrees"])
    assert run("--check")[0] == cli.DONE
    edit("pyproject.toml", "points = 3", "points = 4")
    assert "the evidence: points was 3, is 4" in run("--check")[2]


def test_a_wrong_derivative_is_not_certified(run: Run) -> None:
    edit("pyproject.toml", "certificate = true", "verify = true")
    text = Path("src/model.py").read_text().replace(".parts", "s2s_ad")
    text = text.replace("import cube", "import declare") + (
        "\n\ndef cube(x):\n    return x * x * x\n"
        '\n\ndeclare("out = cube(x)", "grad_x += grad_out * x * x")\n'
    )
    Path("src/model.py").write_text(text)
    status, _, err = run()
    assert status == cli.REFUSED
    assert "generated/loss_grad.py: not verified:" in err
    assert "generated/loss_grad.py" not in files()


def test_certificates_of_the_plain_command(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    plain = ["src/model.py", "loss", "-o", "generated.py"]
    assert cli.main([*plain, "--certificate"]) == cli.DONE
    assert not Path("ran").exists()
    assert json.loads(Path("generated.json").read_text())["evidence"] is None
    assert cli.main([*plain, "--certificate", "--check"]) == cli.DONE
    assert cli.main([*plain, "--certificate", "--verify"]) == cli.DONE
    assert "executing src/model.py" in capsys.readouterr().err
    assert json.loads(Path("generated.json").read_text())["evidence"]["points"] == 5
    assert cli.main([*plain, "--certificate", "--check"]) == cli.REFUSED
    assert cli.main([*plain, "--verify"]) == cli.WRONG_USAGE
    assert cli.main(["src/model.py", "loss", "--certificate"]) == cli.WRONG_USAGE


def test_the_script_of_the_manual(run: Run, tmp_path: Path) -> None:
    manual = (ROOT / "docs" / "certificate.md").read_text(encoding="utf-8")
    script = re.findall(r"^```python script\n(.*?)^```$", manual, re.M | re.S)[0]
    assert len(script.splitlines()) <= 12
    run()

    def verify() -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-c", script, "generated/loss_grad.json"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    status, out = verify()
    assert (status, out.count("as certified")) == (0, 3)
    edit("src/parts.py", "3", "4")
    assert verify() == (1, out.replace("parts.py as certified", "parts.py HAS CHANGED"))
    keys = set(json.loads(Path("generated/loss_grad.json").read_text()))
    assert keys == set(re.findall(r"^\| `(\w+)` \|", manual.split("In `evidence`")[0], re.M))


def test_the_hooks_call_what_there_is() -> None:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    entries = re.findall(r"^  entry: s2sad build(.*)$", text, re.M)
    assert len(entries) == text.count("- id:") == 2
    from s2s_ad.commands.build import parser

    for entry in entries:
        parser().parse_args(shlex.split(entry))
