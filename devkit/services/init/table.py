"""Writes `[tool.devkit]` into pyproject.toml, and leaves every other byte of it as it was."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devkit.errors import DevkitError, UsageError

HEADER = "[tool.devkit]"


def write_table(file: Path, values: Mapping[str, str], *, force: bool) -> None:
    """Set these keys; the file is made if there is none.

    Raises UsageError where the file has the table and it is not to be changed (`force`), and DevkitError where it
    cannot be changed.
    """
    try:
        before = file.read_bytes().decode() if file.exists() else ""
        document = tomllib.loads(before)
        table = document.setdefault("tool", {}).setdefault("devkit", {})
        if not force and set(table) - {"services"}:
            raise UsageError(
                f"{file} has a {HEADER} already",
                mend=[f"devkit init --force sets {' and '.join(values)} in it, and keeps the rest"],
            )
        after = with_table(before, values)
        table.update(values)
        if _parsed(after) != document:
            raise DevkitError(
                f"{file} is written in a way that devkit cannot add to",
                mend=["add these lines by hand:", HEADER, *_lines(values)],
            )
        file.write_bytes(after.encode())
    except OSError as error:
        raise DevkitError(f"cannot write {file}: {error.strerror}", mend=["make it writable"]) from error


def with_table(text: str, values: Mapping[str, str]) -> str:
    """The text of a TOML file with these keys in the table, behind its header or, without one, at the end."""
    end = "\r\n" if "\r\n" in text else "\n"
    added = end.join(_lines(values)) + end
    head = re.search(rf"^{re.escape(HEADER)}[ \t]*(#.*)?\r?$\n?", text, re.MULTILINE)
    if not head:
        gap = end if text else ""
        return text + (end if text and not text.endswith("\n") else "") + gap + HEADER + end + added
    begin = text[: head.end()]
    rest = re.split(r"^(?=[ \t]*\[)", text[head.end() :], maxsplit=1, flags=re.MULTILINE)
    own = re.sub(rf"^[ \t]*({'|'.join(values)})[ \t]*=.*\n?", "", rest[0], flags=re.MULTILINE)
    return begin + (end if not begin.endswith("\n") else "") + added + own + "".join(rest[1:])


def _lines(values: Mapping[str, str]) -> list[str]:
    # What JSON makes of a string is one of TOML's basic strings, too.
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
