"""The format of golden cases, and the compiler as they call it.

A file of `tests/cases` is a topic. A case is a heading, a sentence of why, a program, and what is
expected of it, all in fenced blocks:

    ```python source arg="X=float[n,d]"     the program; `func` is its last function
    ```python generated mode=grad level=0   the generated module without header and docstrings
    ```ir after=adjoint                     a stage of the pipeline
    ```error                                the refusal, in full
    ```python run                           statements that must not fail: they see the program's
                                            names, `generated` (the first module) and `raises`

Options behind the source hold for all blocks, those behind a block for it alone: `func`, `mode`,
`wrt=w,b`, `level`, `aux=yes`, `arg` (may be repeated), `show=module`. How a case is executed:
`at="x=2.0, n=4"` adds a point where these parameters or sizes have these values, `domain=-2,2` says
from where parameters are drawn, `points=0` how often, `rtol=1e-3` how close is close, and
`second=no` that the gradient is not differentiated again; why is for the prose to say.
"""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from s2s_ad.backend.module import AT_THE_END
from s2s_ad.diagnostics import DifferentiationError
from s2s_ad.frontend.annotations import TypeReader, split_argument
from s2s_ad.frontend.lower import lower_function
from s2s_ad.frontend.resolve import FileScope
from s2s_ad.frontend.source import parse_text
from s2s_ad.frontend.values import UserFunction
from s2s_ad.ir import Function, show
from s2s_ad.operations import helpers
from s2s_ad.pipeline import NestedDerivatives, Options, differentiable, generate

CASES = Path(__file__).parent / "cases"
SOURCE_NAME = "case.py"
KINDS = ("source", "generated", "run", "ir", "error")
KNOWN_OPTIONS = (
    *("func", "mode", "wrt", "level", "aux", "arg", "show", "after"),
    *("at", "domain", "points", "rtol", "second"),
)


@dataclass(frozen=True)
class Request:
    """What a block asks the compiler for."""

    func: str = ""
    mode: str = "grad"
    wrt: tuple[str, ...] | None = None
    level: int = 1
    has_aux: bool = False
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """A fenced block: its text is what stands between the lines `first` and `last` of the file."""

    kind: str
    options: dict[str, tuple[str, ...]]
    text: str
    first: int
    last: int

    def option(self, name: str, default: str = "") -> str:
        return self.options[name][-1] if name in self.options else default

    @property
    def request(self) -> Request:
        wrt = self.option("wrt")
        return Request(
            func=self.option("func"),
            mode=self.option("mode", "grad"),
            wrt=tuple(wrt.split(",")) if wrt else None,
            level=int(self.option("level", "1")),
            has_aux=self.option("aux") == "yes",
            arguments=self.options.get("arg", ()),
        )


@dataclass
class Case:
    """A program and what is expected of it. The first block is the source."""

    path: Path
    title: str
    blocks: list[Block] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.path.stem}: {self.title}"

    @property
    def source(self) -> Block:
        return self.blocks[0]

    @property
    def expected(self) -> list[Block]:
        return self.blocks[1:]


def read_cases(path: Path) -> list[Case]:
    """The cases of a file. Raises ValueError where the file is not in the format."""
    cases: list[Case] = []
    title, titles = "", set()
    for number, line, block in _elements(path.read_text(encoding="utf-8").split("\n")):
        if block is None:
            title = line.lstrip("#").strip()
            if title in titles:
                raise ValueError(f"{path.name}:{number}: a second case `{title}`")
            titles.add(title)
        elif block.kind == "source":
            cases.append(Case(path, title, [block]))
        else:
            if not cases or cases[-1].title != title:
                raise ValueError(f"{path.name}:{number}: no source before this block")
            common = cases[-1].source.options
            own = Block(
                block.kind, {**common, **block.options}, block.text, block.first, block.last
            )
            cases[-1].blocks.append(own)
    for case in cases:
        if not case.expected:
            raise ValueError(f"{path.name}: `{case.title}` expects nothing")
    return cases


def _elements(lines: list[str]) -> Iterator[tuple[int, str, Block | None]]:
    """The headings and fenced blocks of a file, with their line numbers."""
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if line.startswith("#"):
            yield number, line, None
        elif line.startswith("```"):
            first = number
            while lines[number] != "```":
                number += 1
            text = "\n".join(lines[first:number])
            yield first, line, _block(line, text, first, number)
            number += 1


def _block(fence: str, text: str, first: int, last: int) -> Block:
    words = shlex.split(fence[3:])
    kind = words[1] if words[0] == "python" else words[0]
    if kind not in KINDS:
        raise ValueError(f"line {first}: a block is one of {', '.join(KINDS)}, not `{kind}`")
    options: dict[str, tuple[str, ...]] = {}
    for word in words[2 if words[0] == "python" else 1 :]:
        key, _, value = word.partition("=")
        if key not in KNOWN_OPTIONS:
            raise ValueError(f"line {first}: no option is called `{key}`")
        options[key] = (*options.get(key, ()), value)
    return Block(kind, options, text, first, last)


def update(case: Case, number: int, text: str) -> None:
    """Put another text into an expected block, in the file."""
    now = next(other for other in read_cases(case.path) if other.title == case.title)
    block = now.expected[number]
    lines = case.path.read_text(encoding="utf-8").split("\n")
    lines[block.first : block.last] = text.split("\n")
    case.path.write_text("\n".join(lines), encoding="utf-8")


# The compiler -------------------------------------------------------------------------------------


@cache
def lower(source: str, func: str = "", arguments: tuple[str, ...] = ()) -> Function:
    """The function of a program, by default the last. Raises DifferentiationError."""
    scope = FileScope(parse_text(source, SOURCE_NAME))
    name = (
        func
        or [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)][-1]
    )
    function = scope.function(name)
    assert isinstance(function, UserFunction), f"{name} is not a function of the program"
    reader = TypeReader()
    types = {name: reader.argument(text) for name, text in map(split_argument, arguments)}
    lowered, _ = lower_function(function, types, derive=NestedDerivatives())
    return lowered


def options_of(request: Request, function: Function) -> Options:
    """As on the command line: one parameter gives a bare gradient."""
    options = Options(request.mode, request.wrt, False, request.has_aux, request.level)
    wrt = differentiable(function, options)
    return replace(options, wrt=wrt, bare=len(wrt) == 1 and request.mode != "vjp")


@cache
def module_text(source: str, request: Request, direction: str = "") -> str:
    """The generated module. Raises DifferentiationError."""
    function = lower(source, request.func, request.arguments)
    options = replace(options_of(request, function), direction=direction)
    return generate(function, options, SOURCE_NAME)


def actual_text(case: Case, block: Block) -> str:
    """What the compiler has to say in place of an expected block."""
    try:
        text = module_text(case.source.text, block.request)
    except DifferentiationError as error:
        return str(error)
    if block.kind == "ir":
        stages: dict[str, str] = {}
        function = lower(case.source.text, block.request.func, block.request.arguments)
        options = options_of(block.request, function)
        generate(function, options, watch=lambda name, f: stages.update({name: show(f)}))
        return stages[block.option("after")].rstrip("\n")
    return (text if block.option("show") == "module" else without_frame(text)).rstrip("\n")


def without_frame(module: str) -> str:
    """A module without header, docstrings and the bodies of copied helpers."""
    lines = module.split("\n")
    kept: list[str] = []
    for node in ast.parse(module).body:
        first, last = node.lineno - 1, node.end_lineno
        if isinstance(node, ast.FunctionDef) and hasattr(helpers, node.name):
            if node.name not in AT_THE_END:
                kept.append(f"# the helper {node.name}")
        elif isinstance(node, ast.FunctionDef):
            body = lines[first:last]
            if ast.get_docstring(node) is not None:
                doc = node.body[0]
                del body[doc.lineno - 1 - first : (doc.end_lineno or 0) - first]
            kept += ["", "", *body]
        elif not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr):
            kept += lines[first:last]
    return "\n".join(kept).strip("\n")
