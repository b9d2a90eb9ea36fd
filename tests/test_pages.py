"""What README.md and docs/usage.md show is what the commands above it print: generated code, and
the output of programs.
"""

from __future__ import annotations

import ast
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from s2s_ad import cli

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
COMMAND = re.compile(r"^\$ (?:.* && )?(?:\.venv/bin/)?s2sad (\S+\.py) (\w+)(.*)$", re.M)
DERIVATIVE = re.compile(
    r"^def (grad|value_and_grad|vjp|forward|reverse|jvp|hvp|jacobian|hessian)_\w+\(", re.M
)


@dataclass(frozen=True)
class Shown:
    """A module, or its functions, on a page, and where it comes from."""

    page: str
    file: str
    function: str
    options: str
    source: str
    text: str

    def printed(self, directory: Path, output: pytest.CaptureFixture[str]) -> str:
        """The module that the command prints for the program on the page."""
        file = ROOT / self.file
        if not file.exists():
            file = directory / self.file
            file.write_text(self.source, encoding="utf-8")
        words = [str(file), self.function, *shlex.split(self.options, comments=True)]
        assert cli.main(words) == 0, output.readouterr().err
        return output.readouterr().out


def shown() -> Iterator[Shown]:
    for page in ("README.md", "docs/usage.md"):
        programs: list[str] = []
        command: re.Match[str] | None = None
        for language, text in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
            if language != "python":
                command = COMMAND.search(text) or command
            elif command is not None and DERIVATIVE.search(text):
                name = re.compile(rf"^def {command[2]}\(", re.M)
                found = [program for program in programs if name.search(program)]
                if found:
                    yield Shown(page, *command.groups(), found[-1], text)
                command = None
            else:
                programs.append(text)


ALL = tuple(shown())


def functions(module: str) -> dict[str, str]:
    """The functions of a module by their names."""
    lines = module.split("\n")
    return {
        node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno])
        for node in ast.parse(module).body
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("block", ALL, ids=lambda block: f"{block.page}: {block.function}")
def test_shown_code_is_what_the_command_prints(
    block: Shown,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    module = block.printed(tmp_path, capsys)
    now = functions(module)
    wanted = {name: now.get(name, "") for name in functions(block.text)}
    if request.config.getoption("--update-golden"):
        after = block.text
        for name, text in functions(block.text).items():
            after = after.replace(text, wanted[name])
        if block.text.startswith('"""'):
            after = module
        path = ROOT / block.page
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(block.text, after), encoding="utf-8")
    else:
        assert functions(block.text) == wanted


def test_modules_are_found_on_the_pages() -> None:
    assert len(ALL) >= 8


def scripts() -> Iterator[tuple[str, dict[str, str], str]]:
    """The programs that a page runs: their names, the files there are by then, what they print."""
    files: dict[str, str] = {}
    program = ""
    for language, text in BLOCK.findall((ROOT / "docs/usage.md").read_text(encoding="utf-8")):
        if language == "python":
            program = text
        elif command := COMMAND.search(text):
            files.setdefault(command[1], program)
        elif text.startswith("$ python "):
            first, _, output = text.partition("\n")
            name = first.removeprefix("$ python ")
            files[name] = program
            yield name, dict(files), output


@pytest.mark.parametrize(
    ("name", "files", "output"), [pytest.param(*each, id=each[0]) for each in scripts()]
)
def test_scripts_print_what_the_page_shows(
    name: str,
    files: dict[str, str],
    output: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    if "scipy" in files[name]:
        pytest.importorskip("scipy")
    for file, text in files.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
        monkeypatch.delitem(sys.modules, Path(file).stem, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    runpy.run_path(str(tmp_path / name))
    now = capsys.readouterr().out.rstrip("\n") + "\n"
    if request.config.getoption("--update-golden"):
        path = ROOT / "docs/usage.md"
        text = path.read_text(encoding="utf-8")
        after = text.replace(f"$ python {name}\n{output}", f"$ python {name}\n{now}")
        path.write_text(after, encoding="utf-8")
    else:
        assert output == now
