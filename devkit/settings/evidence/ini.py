"""Programs of supervisord, services of systemd, the entries of a Procfile."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from devkit.settings.evidence.piece import Piece

_SECTION = re.compile(r"\[([^\]]+)\]")
_ENTRY = re.compile(r"([\w.-]+)\s*[=:]\s*(.*)")
_PROCESS = re.compile(r"([\w.-]+):\s*(\S.*)")
_FILLED_IN = re.compile(r"%\((?:ENV_)?(\w+)\)[sd]")  # supervisord's

Section = tuple[str, dict[str, str], dict[str, int]]


def procfile(_file: Path, text: str) -> Iterator[Piece]:
    """`worker: celery -A …`, for honcho, foreman, heroku."""
    for number, line in enumerate(text.split("\n"), 1):
        if found := _PROCESS.fullmatch(line.strip()):
            yield Piece(found[2], number, found[1])


def supervisord(_file: Path, text: str) -> Iterator[Piece]:
    for name, entries, lines in _sections(text):
        kind, _, program = name.partition(":")
        if kind.strip() in ("program", "fcgi-program") and "command" in entries:
            command = _FILLED_IN.sub(r"${\1}", entries["command"]).replace("${program_name}", program)
            environ = dict(_assigned(entries.get("environment", "").replace(",", " ")))
            yield Piece(command, lines["command"], program, _here(entries.get("directory", "")), environ)


def systemd(file: Path, text: str) -> Iterator[Piece]:
    for name, entries, lines in _sections(text):
        if name == "Service" and "ExecStart" in entries:
            command = entries["ExecStart"].lstrip("-@:+!")
            environ = dict(_assigned(entries.get("Environment", "")))
            yield Piece(command, lines["ExecStart"], file.stem, entries.get("WorkingDirectory", ""), environ)


def _here(folder: str) -> str:
    return "." if folder.startswith("%(here)s") and folder.endswith("s") else folder.replace("%(here)s/", "")


def _assigned(text: str) -> Iterator[tuple[str, str]]:
    try:
        words = shlex.split(text)
    except ValueError:  # a quote that nothing closes
        words = text.split()
    return ((name, value) for name, sign, value in (word.partition("=") for word in words) if sign)


def _sections(text: str) -> Iterator[Section]:
    """Name, entries, and their lines; an entry goes on in indented lines, or after a backslash."""
    name, entries, lines = "", dict[str, str](), dict[str, int]()
    last, open_ = "", False
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        if found := _SECTION.fullmatch(stripped):
            yield name, entries, lines
            name, entries, lines, last, open_ = found[1], {}, {}, "", False
        elif last and (open_ or line[0] in " \t"):
            entries[last] += " " + stripped.removesuffix("\\")
            open_ = stripped.endswith("\\")
        elif found := _ENTRY.fullmatch(stripped):
            last, value = found[1], re.split(r"\s;", found[2])[0]
            # systemd's Environment may be there several times.
            entries[last] = f"{entries[last]} {value}" if last == "Environment" and last in entries else value
            open_ = entries[last].endswith("\\")
            entries[last] = entries[last].removesuffix("\\")
            lines[last] = number
    yield name, entries, lines
