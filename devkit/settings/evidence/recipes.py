"""Recipes of Makefiles and justfiles: each line is a command, for a target that has a name."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from devkit.settings.evidence.piece import Piece

_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][\w-]*)\s*(?::{1,3}|\?)?=\s*(.*)")
_TARGET = re.compile(r"@?([\w./%-]+)[^:=]*:(?!=).*")
_REFERENCE = re.compile(r"\$[({](\w+)[)}]")
_BRACES = re.compile(r"\{\{\s*([\w-]+)\s*\}\}")


def makefile(_file: Path, text: str) -> Iterator[Piece]:
    """Each line of a recipe is run by a shell of its own."""
    known: dict[str, str] = {}
    target = ""
    for number, line in _joined(text):
        if line.startswith("\t"):
            command = _REFERENCE.sub(lambda found: known.get(found[1], found[0]), line.strip().lstrip("@-+"))
            yield Piece(command.replace("$$", "$"), number, target)
        elif found := _ASSIGNMENT.fullmatch(line.strip()):
            value = found[2].partition(" #")[0]
            known[found[1]] = _REFERENCE.sub(lambda found: known.get(found[1], found[0]), value)[:1000]
        elif found := _TARGET.fullmatch(line.strip()):
            target = found[1]


def justfile(_file: Path, text: str) -> Iterator[Piece]:
    """A recipe's lines are indented; one that begins with #! is a script."""
    known: dict[str, str] = {}
    target = ""
    for number, line in _joined(text):
        if line[:1] in (" ", "\t"):
            yield Piece(_filled(line.strip().lstrip("@-"), known), number, target)
        elif found := re.fullmatch(r"(?:export\s+)?([\w-]+)\s*:=\s*(.*)", line):
            known[found[1]] = found[2].strip().strip("\"'")
        elif found := _TARGET.fullmatch(line.strip()):
            target = found[1]


def _filled(line: str, known: Mapping[str, str]) -> str:
    return _BRACES.sub(lambda found: known.get(found[1], f"${{{found[1].replace('-', '_')}}}"), line)


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Lines with those that a backslash joins to them, and the number of the first."""
    parts: list[str] = []
    first = 1
    for number, line in enumerate(text.split("\n"), 1):
        first = first if parts else number
        parts.append(line.strip() if parts else line)
        if not line.endswith("\\"):
            yield first, " ".join(parts)
            parts = []
        else:
            parts[-1] = parts[-1].removesuffix("\\").rstrip()
    if parts:
        yield first, " ".join(parts)
