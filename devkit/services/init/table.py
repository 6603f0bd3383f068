"""Writes `[tool.devkit]` and its own tables into pyproject.toml, and leaves every other byte of it as it was."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devkit.errors import DevkitError, UsageError

TABLE = "tool.devkit"
# Begins the comments that are written, so that they go when their key is written anew.
FOUND = "# found: "
Value = str | int | bool | list[str]


@dataclass(frozen=True)
class Written:
    """The `values` of one table, which is called `[tool.devkit]` or, with a name, `[tool.devkit.workers.NAME]`; the
    `reasons` of a key are comments above it."""

    values: Mapping[str, Value]
    name: Sequence[str] = ()
    reasons: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def header(self) -> str:
        return f"[{'.'.join([TABLE, *map(_key, self.name)])}]"

    @property
    def lines(self) -> list[str]:
        return [
            line
            for key, value in self.values.items()
            for line in (*(FOUND + reason for reason in self.reasons.get(key, ())), f"{key} = {_text(value)}")
        ]


def write_tables(file: Path, tables: Sequence[Written], *, force: bool) -> None:
    """Set these keys; the file is made if there is none.

    Raises UsageError where the file has the first table and it is not to be changed (`force`), and DevkitError where it
    cannot be changed.
    """
    try:
        before = file.read_bytes().decode() if file.exists() else ""
        document = tomllib.loads(before)
        table = document.setdefault("tool", {}).setdefault("devkit", {})
        if not force and set(table) - {"services"}:
            keys = [key for one in tables for key in one.values if not one.name]
            raise UsageError(
                f"{file} has a [{TABLE}] already",
                mend=[f"devkit init --force sets {' and '.join(keys) or 'what is found'} in it, and keeps the rest"],
            )
        after = before
        for one in tables:
            after = with_table(after, one)
            place = table
            for name in one.name:
                place = place.setdefault(name, {})
            place.update(one.values)
        if _parsed(after) != document:
            raise DevkitError(
                f"{file} is written in a way that devkit cannot add to",
                mend=["add these lines by hand:", *(line for one in tables for line in (one.header, *one.lines))],
            )
        file.write_bytes(after.encode())
    except OSError as error:
        raise DevkitError(f"cannot write {file}: {error.strerror}", mend=["make it writable"]) from error


def with_table(text: str, table: Written) -> str:
    """The text of a TOML file with the table's keys, behind its header or, without one, at the end."""
    end = "\r\n" if "\r\n" in text else "\n"
    added = "".join(line + end for line in table.lines)
    head = re.search(rf"^{re.escape(table.header)}[ \t]*(#.*)?\r?$\n?", text, re.MULTILINE)
    if not head:
        gap = end if text else ""
        return text + (end if text and not text.endswith("\n") else "") + gap + table.header + end + added
    begin = text[: head.end()]
    rest = re.split(r"^(?=[ \t]*\[)", text[head.end() :], maxsplit=1, flags=re.MULTILINE)
    keys = "|".join(table.values)
    own = re.sub(rf"^(?:{FOUND}.*\n)*[ \t]*({keys})[ \t]*=.*\n?", "", rest[0], flags=re.MULTILINE)
    return begin + (end if not begin.endswith("\n") else "") + added + own + "".join(rest[1:])


def _key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else _text(name)


def _text(value: Value) -> str:
    """What JSON makes of it is TOML, too."""
    return json.dumps(value, ensure_ascii=False)


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
