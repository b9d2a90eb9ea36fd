"""Files that nobody would write: damaged, huge, deeply nested, or made to break out.

Whatever comes in, the command ends soon with a module or a diagnostic, runs nothing of the file,
and puts nothing into the module but what was derived.
"""

from __future__ import annotations

import ast
import copy
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2s_ad import cli, files

CASES = Path(__file__).parent / "cases"
Run = Callable[..., tuple[int, str, str]]
SECONDS = 20.0


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Give the command a file; it has to end in bounded time of the processor, without a
    traceback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    def run(text: str | bytes, *arguments: str) -> tuple[int, str, str]:
        data = text if isinstance(text, bytes) else text.encode()
        Path("hostile.py").write_bytes(data)
        start = time.process_time()
        status = cli.main(["hostile.py", "f", *arguments])
        captured = capsys.readouterr()
        assert status in (cli.DONE, cli.REFUSED), captured.err
        assert ("error[" in captured.err) == (status == cli.REFUSED)
        assert "internal" not in captured.err
        if status == cli.DONE:
            ast.parse(captured.out)
        assert time.process_time() - start < SECONDS
        return status, captured.out, captured.err

    return run


# Damaged ------------------------------------------------------------------------------------------


@cache
def programs() -> list[str]:
    """Those of the golden cases."""
    found: list[str] = []
    for path in sorted(CASES.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        found += re.findall(r"^```python source[^\n]*\n(.*?)^```$", text, re.M | re.S)
    return found


FEW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@FEW
@given(st.data())
def test_damaged_bytes(run: Run, data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(programs())).encode()
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(source)))
        dropped = data.draw(st.integers(0, 20))
        source = source[:place] + data.draw(st.binary(max_size=8)) + source[place + dropped :]
    run(source)


@FEW
@given(st.binary(max_size=200))
def test_any_bytes(run: Run, data: bytes) -> None:
    run(data)


class _Mixer(ast.NodeTransformer):
    """Puts expressions and statements of other programs in the place of a program's own."""

    def __init__(self, generator: random.Random, rate: float) -> None:
        self.generator, self.rate = generator, rate

    def generic_visit(self, node: ast.AST) -> ast.AST:
        node = super().generic_visit(node)
        if self.generator.random() >= self.rate:
            return node
        if isinstance(node, ast.expr):
            return self.generator.choice(pieces()[0])
        if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef):
            return self.generator.choice(pieces()[1])
        return node


@cache
def trees() -> list[ast.Module]:
    found = []
    for text in programs():
        try:
            found.append(ast.parse(text))
        except SyntaxError:
            continue  # some cases are about that
    return found


@cache
def pieces() -> tuple[list[ast.expr], list[ast.stmt]]:
    nodes = [node for tree in trees() for node in ast.walk(tree)]
    return (
        [node for node in nodes if isinstance(node, ast.expr)],
        [node for node in nodes if isinstance(node, ast.stmt)],
    )


@FEW
@given(st.integers(0, 10**9), st.sampled_from(cli.MODES), st.sampled_from("01"))
def test_mixed_syntax_trees(run: Run, seed: int, mode: str, level: str) -> None:
    generator = random.Random(seed)
    tree = copy.deepcopy(generator.choice(trees()))
    mixed = _Mixer(generator, generator.choice([0.01, 0.03, 0.1])).visit(tree)
    try:
        text = ast.unparse(ast.fix_missing_locations(mixed))
    except Exception:
        return  # not a program: a slice where there is no subscript
    run(text, "--mode", mode, "-O", level)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"def f(x):\0 return x",
        b"\xff\xfe" + "def f(x): return x".encode("utf-16-le"),
        b"# coding: latin-1\ndef f(x: float):\n    return x  # \xe9\n",
        "def f(x: float):\n    return '\ud800'\n".encode("utf-8", "surrogatepass"),
        b"def f(x: float):\r    return x\r",
        b"def f(x: float):\n\x0c    return x\n\x1a",
        b"\xef\xbb\xbf\xef\xbb\xbfdef f(x: float):\n    return x\n",
        "def f(x: float):\n    return x\N{RIGHT-TO-LEFT OVERRIDE}\n".encode(),
        b"def f(x: float):\n    s = yield.0\n    return x if(x)else-x\n",
    ],
)  # fmt: skip
def test_odd_files(run: Run, data: bytes) -> None:
    run(data)


# Deep and large -----------------------------------------------------------------------------------

HEAD = "def f(x: float):\n    return "


@pytest.mark.parametrize("depth", [90, 190, 290, 20_000])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("(", ")"),
        ("[", "]"),
        ("-", ""),
        ("not ", ""),
        ("x + ", ""),
        ("x ** ", ""),
        ("x < ", ""),
        ("x and ", ""),
        ("x if x > 0 else ", ""),
        ("lambda: ", ""),
        ("abs(", ")"),
        ("x[", "]"),
        ("{1: ", "}"),
        ("[i for i in ", "]"),
        ("", ".T"),
        ("", "()"),
        ("", "[0]"),
    ],
)
def test_nesting(run: Run, before: str, after: str, depth: int) -> None:
    status, _, err = run(f"{HEAD}{before * depth}x{after * depth}\n", "--output-format", "concise")
    if depth == 20_000:
        assert status == cli.REFUSED
        assert re.search(r"error\[(too-deep|too-large|syntax-error)\]", err)


@pytest.mark.parametrize("keyword", ["if x > 0", "for i in range(2)", "def g()", "class A"])
@pytest.mark.parametrize("depth", [40, 90, 400])
def test_nested_blocks(run: Run, keyword: str, depth: int) -> None:
    lines = [f"{' ' * level}{keyword}:" for level in range(1, depth + 1)]
    run("\n".join(["def f(x: float):", *lines, " " * (depth + 1) + "x = x", " return x", ""]))


@pytest.mark.parametrize("count", [90, 1000])
def test_chains_of_branches(run: Run, count: int) -> None:
    chain = "".join(f"    elif x > {k}:\n        y = {k} * x\n" for k in range(count))
    run(f"def f(x: float):\n    if x > 0:\n        y = x\n{chain}    return x\n")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("def f(x: float):\n    return x\n" + "y = 1\n" * 200_000, "too-large"),
        ("def f(x: float):\n    return x\n" + "y = 1;" * 200_000, "too-large"),
        ("def f(x: float):\n    return x  # " + "a" * 1_000_000 + "\n", ""),
        (HEAD + "x * " + "9" * 10_000 + "\n", "syntax-error"),
        (HEAD + "([x] * 10000000000)[0]\n", "unsupported-syntax"),
        (HEAD + "x * 10 ** 10 ** 10\n", "unsupported-argument"),
        (
            "".join(f"def g{k}(x):\n    return g{k + 1}(x) + g{k + 1}(x)\n" for k in range(30))
            + "def g30(x):\n    return x\ndef f(x: float):\n    return g0(x)\n",
            "too-large",
        ),
        (
            "".join(f"def g{k}(x):\n    g{k + 1}(x)\n    g{k + 1}(x)\n    return x\n"
                    for k in range(30))
            + "def g30(x):\n    return x\ndef f(x: float):\n    return g0(x)\n",
            "too-large",
        ),
        ("from .hostile import g\n\n\ndef f(x: float):\n    return g(x)\n", "too-deep"),
    ],
)  # fmt: skip
def test_what_would_take_forever(run: Run, text: str, name: str) -> None:
    status, _, err = run(text, "--output-format", "concise")
    assert (status, f"error[{name}]" in err) == ((cli.REFUSED, True) if name else (cli.DONE, False))


def test_lists_are_repeated_not_multiplied(run: Run) -> None:
    out = run("def f(x: float):\n    return ([x, 2.0 * x] * 2)[3]\n")[1]
    assert "return 2.0" in out
    for factor in ("n", "2.0", "[x]"):
        text = f"def f(x: float, n: int):\n    return ([x, 2.0 * x] * {factor})[1]\n"
        assert "error[unsupported-syntax]" in run(text, "--wrt", "x")[2]


# Nothing is run -----------------------------------------------------------------------------------

TRAP = '''\
import os

os.remove("marker")


def remove(*_, **__):
    os.remove("marker")
    return lambda f: f


class Trap:
    def __init_subclass__(cls):
        remove()

    def __class_getitem__(cls, item):
        remove()

    remove()


class Sprung(Trap, metaclass=remove()):
    pass


lam = remove()
declared = __import__("s2s_ad").declare("out = g(x)", remove())


def g(x):
    return x


def f(x: remove() = remove(), y: "remove()" = 1.0, *, z: Trap[0] = [remove() for _ in "a"]):
    """{remove()}"""
    with_default = lambda a=remove(): a
    assert x > 0.0, f"{remove()}"
    if y < 0.0:
        raise ValueError(f"{remove()!r}")
    return x * y


@remove()
def decorated(x: float):
    return x
'''


@pytest.mark.parametrize("command", [["hostile.py", "f"], ["explain", "hostile.py", "f"],
                                     ["hostile.py", "decorated"], ["hostile.py", "g"]])  # fmt: skip
def test_nothing_of_the_file_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """In a package with an `__init__` that would, too, beside modules that shadow ours."""
    monkeypatch.chdir(tmp_path)
    Path("marker").touch()
    for name in ("hostile.py", "__init__.py", "numpy.py", "libcst.py", "sitecustomize.py"):
        Path(name).write_text(TRAP)
    done = subprocess.run(
        ["s2sad" if os.name == "nt" else str(Path(sys.executable).parent / "s2sad"), *command],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (cli.DONE, cli.REFUSED), done.stderr
    assert "internal error" not in done.stderr
    assert Path("marker").exists()


def test_building_runs_nothing_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("marker").touch()
    Path("hostile.py").write_text(TRAP.replace("x: remove() = remove()", "x: float"))
    Path("pyproject.toml").write_text(
        "[[tool.s2s_ad.targets]]\nfile = 'hostile.py'\nfunction = 'g'\noutput = 'out.py'\n"
        "certificate = true\n"
    )
    assert cli.main(["build", "--check"]) == cli.REFUSED
    assert cli.main(["build"]) == cli.DONE
    assert Path("out.json").exists()
    assert Path("marker").exists()


# Nothing breaks out -------------------------------------------------------------------------------

LIBRARIES = {"builtins", "collections.abc", "math", "numpy", "numpy.typing", "typing"}
BREAK = "import os; os.remove('marker')"


def definitions(module: str) -> set[str]:
    """What a module does besides imports, constants and definitions, and what it imports."""
    allowed = (ast.FunctionDef, ast.Assign, ast.Expr, ast.Import, ast.ImportFrom)
    tree = ast.parse(module)
    assert all(isinstance(node, allowed) for node in tree.body)
    docs = [node for node in tree.body if isinstance(node, ast.Expr)]
    assert all(isinstance(node.value, ast.Constant) for node in docs)
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {str(n.module) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}


@pytest.mark.parametrize(
    "text",
    [
        f'def f(x: float):\n    """\\"\\"\\"\\n{BREAK}\\n\\"\\"\\""""\n    return x * x\n',
        f"def f(x: float):\n    '''\"\"\"\n{BREAK}\n\"\"\"'''\n    return x * x\n",
        f"def f(x: float):\n    y = x * x  # \\\n    return y  # \x0c{BREAK}\n",
        f"def f(x: float):\n    y = (x *\n#\\\n{BREAK!r}.__len__() * x)\n    return y\n",
        f"def f(x: float):\n    y = (x  # {BREAK}\n         * x)\n    return y\n",
        "def f(x: float):\n    if x < 0.0:\n        raise ValueError('''\"\n"
        f"{BREAK}\n''')\n    return x * x\n",
        'def f(x: float):\n    if x < 0.0:\n        raise ValueError("\\"); '
        f'{BREAK}; (\\"\\n{BREAK}")\n    return x * x\n',
        f"def f(x: float):\n    assert x > 0.0, '\\n{BREAK}'\n    return x * x\n",
        f"def f(x: float, s: str = '\"\\n{BREAK}\\n'):\n    return x * x\n",
        f"S = '\\n{BREAK}'\ndef f(x: float):\n    print(S, '''\n{BREAK}''')\n    return x * x\n",
        "def f(ﬁ: float, µ: float, x: float = 1.0):\n    return ﬁ * µ * x\n",
        "def f(np: float, numpy: float, math: float):\n    return np * numpy * math\n",
        "import numpy as np\n\n\ndef f(grad_x: float, v1: float, x: float, sum: float):\n"
        "    return np.sin(grad_x) * v1 * x * sum\n",
        "def f(NUMBER: float, isinstance: float, TypeError: float):\n"
        "    return NUMBER * isinstance * TypeError\n",
    ],
)
def test_texts_and_names_stay_what_they_are(run: Run, tmp_path: Path, text: str) -> None:
    for arguments in ([], ["-O", "0"], ["--mode", "vjp"]):
        status, out, _ = run(text, *arguments)
        if status == cli.DONE:
            assert definitions(out) <= LIBRARIES
            Path("marker").touch()
            names: dict[str, Any] = {}
            exec(compile(out, "generated", "exec"), names)
            for name, function in list(names.items()):
                if name.startswith(("grad_", "forward_")) and callable(function):
                    count = function.__code__.co_argcount
                    for sign in (1.0, -1.0):
                        try:
                            function(*[sign] * count)
                        except (ValueError, TypeError, AssertionError):
                            continue  # what the user's function raises
            assert Path("marker").exists()


def test_the_name_of_the_file_stays_in_the_docstring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ('a"""b.py', "a\nimport os.py", "a\\", "ä\u202e.py"):
        try:
            Path(name).write_text("def f(x: float):\n    return x * x\n")
        except OSError:
            continue  # not a name on this system
        assert cli.main([name, "f"]) == cli.DONE
        assert definitions(capsys.readouterr().out) <= {"numpy", "typing"}


# Whole or not at all ------------------------------------------------------------------------------


def left_over(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("failing", ["write", "fsync", "chmod", "replace"])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    target = tmp_path / "out.py"
    target.write_text("old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if failing == "write":
        real = os.fdopen

        def fdopen(*arguments: Any, **options: Any) -> Any:
            stream = real(*arguments, **options)
            stream.write = full
            return stream

        monkeypatch.setattr(os, "fdopen", fdopen)
    else:
        monkeypatch.setattr(os, failing, full)
    with pytest.raises(OSError, match="No space left"):
        files.write_atomically(target, "new" * 100_000)
    monkeypatch.undo()
    assert target.read_text() == "old"
    assert left_over(tmp_path) == ["out.py"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_standard_output_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("def f(x: float):\n    return x * x\n")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "s2s_ad.cli", "m.py", "f"],
            cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == cli.WRONG_USAGE
    assert "Traceback" not in done.stderr


KILLED = """\
import os, signal, sys
from s2s_ad import files

before = sys.argv[1]
real = getattr(os, before)


def killed(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)


setattr(os, before, killed)
files.write_atomically("out.py", "new" * 100_000)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
@pytest.mark.parametrize("before", ["fdopen", "fsync", "chmod", "replace"])
def test_killed_at_any_moment(tmp_path: Path, before: str) -> None:
    target = tmp_path / "out.py"
    target.write_text("old")
    done = subprocess.run([sys.executable, "-c", KILLED, before], cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    assert target.read_text() == "old"
    files.write_atomically(target, "new")
    assert target.read_text() == "new"
