"""The certificate beside a module: from what it was made, with which rules, and what was verified.

`docs/certificate.md` describes the format; reading it takes a JSON parser and SHA-256, nothing of
ours. The same inputs give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from s2s_ad.diagnostics import DifferentiationError
from s2s_ad.ir import Assign, Block, Function, blocks_of
from s2s_ad.passes.contributions import choose_rule, rule_lines
from s2s_ad.targets import Lowered

if TYPE_CHECKING:
    from s2s_ad.evidence import Evidence, Request

FORMAT = 1
Certificate = dict[str, Any]


def certificate_path(module: str) -> str:
    return os.path.splitext(module)[0] + ".json"


def digest(data: bytes) -> str:
    """SHA-256 with plain line ends: a checkout on Windows is the same file."""
    return hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest()


def digest_of_file(path: str) -> str:
    """Raises OSError."""
    with open(path, "rb") as stream:
        return digest(stream.read())


def version() -> str:
    import s2s_ad

    return s2s_ad.__version__


def certify(
    lowered: Lowered,
    arguments: Sequence[str],
    text: str,
    path: str,
    evidence: tuple[Evidence, Request] | None = None,
    root: str = ".",
    values: Sequence[str] = (),
) -> Certificate:
    """The certificate for a module whose text is to be written to `path`. Paths of sources are
    relative to it, and to `root` as given.
    """
    beside = os.path.dirname(os.path.join(root, path)) or "."
    options = lowered.options
    return {
        "format": FORMAT,
        "module": {"file": os.path.basename(path), "sha256": digest(text.encode())},
        "source": {
            os.path.relpath(os.path.join(root, file), beside).replace(os.sep, "/"): digest_of_file(
                os.path.join(root, file)
            )
            for file in lowered.files
        },
        "options": {
            "function": lowered.function.name,
            "mode": options.mode,
            "wrt": list(options.wrt or ()),
            **({"direction": options.direction} if options.direction else {}),
            **({"sparse": options.sparse} if options.sparse else {}),
            "has_aux": options.has_aux,
            "level": options.level,
            "args": sorted(arguments),
            **({"values": sorted(values)} if values else {}),
            **({"checkpoint": options.checkpoint} if options.checkpoint != "" else {}),
            **({"trap_nan": True} if options.trap_nan else {}),
        },
        "tool": {"name": "s2s_ad", "version": version()},
        "rules": rules_used(lowered.function),
        "evidence": None if evidence is None else _evidence(*evidence),
    }


def _evidence(found: Evidence, request: Request) -> dict[str, Any]:
    return {
        "seed": request.seed,
        "tolerance": request.settings.tolerance,
        "points": len(found.points),
        "verdicts": dict(sorted(found.verdicts.items())),
        "identities": found.identities,
        "branches": {
            "reached": [f"{branch.line}: {branch.name}" for branch in found.taken],
            "missed": [f"{branch.line}: {branch.name}" for branch in found.missed],
        },
    }


def rules_used(function: Function) -> dict[str, list[str]]:
    """The lines of the derivative of each operation of a function, as the catalogue or the user
    declares them for these operands.
    """
    rules: dict[str, set[str]] = {}
    for statement in _assigns(function.body):
        if statement.op.constant:
            continue
        try:
            lines = rule_lines(choose_rule(statement, statement.operands), statement)
        except DifferentiationError:
            continue  # nothing differentiates it: the module would have been refused
        rules.setdefault(statement.op.name, set()).update(lines)
        rules[statement.op.name].update(f"tangent: {line}" for line in _tangents(statement))
    return {name: sorted(lines) for name, lines in sorted(rules.items()) if lines}


def _tangents(statement: Assign) -> tuple[str, ...]:
    try:
        return statement.op.tangent_lines(statement.operands)
    except Exception:
        return ()  # forward mode has no rule for these operands


def _assigns(block: Block) -> Iterator[Assign]:
    for statement in block.statements:
        if isinstance(statement, Assign):
            yield statement
        for inner in blocks_of(statement):
            yield from _assigns(inner)


def spelled(certificate: Certificate) -> str:
    """The text of the file."""
    return json.dumps(certificate, indent=2, ensure_ascii=False) + "\n"


def read_certificate(path: str) -> Certificate | None:
    """What a file holds; None if there is none. Raises ValueError for what is not a certificate."""
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as problem:
        raise ValueError(f"{path} is not a certificate: {problem}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(f"{path} is not a certificate of format {FORMAT}")
    return found


def drift(certified: Certificate, now: Certificate) -> list[str]:
    """What has changed since a module was certified, one line for each thing."""
    return list(_differences(certified, now, ""))


# What each part of a certificate is called in messages
TITLES = {
    "module": "the module",
    "source": "the source",
    "options": "the option",
    "tool": "the tool's",
    "rules": "the rule of",
    "evidence": "the evidence:",
}


def _differences(before: Any, after: Any, part: str) -> Iterator[str]:
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if not part and isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, key)
        else:
            yield _said(part or key, key if part else "", old, new)


def _said(part: str, key: str, old: Any, new: Any) -> str:
    what = f"{TITLES.get(part, part)} {key}".strip()
    if part == "module":
        return "the module is not the one certified"
    if part == "source":
        return f"{what} " + (
            "is not read any more" if new is None else "is new" if old is None else "has changed"
        )
    if part == "rules":
        name = f"{TITLES['rules']} `{key}`"
        return f"{name} " + (
            "is not used any more" if new is None else "is new" if old is None else "has changed"
        )
    if not key:
        return f"{what.rstrip(':')} " + ("is missing" if new is None else "is new")
    before, after = (json.dumps(value, ensure_ascii=False) for value in (old, new))
    pairs = enumerate(zip(before, after, strict=False))
    same = next((place for place, (one, other) in pairs if one != other), 0)
    return f"{what} was {_brief(before, same)}, is {_brief(after, same)}"


def _brief(text: str, same: int) -> str:
    """What a line has room for, with the place where two texts begin to differ."""
    start = same - 20 if len(text) > 60 and same > 40 else 0
    shown = text[start:] if len(text) <= start + 60 else f"{text[start : start + 57]}..."
    return f"...{shown}" if start else shown
