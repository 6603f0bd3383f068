"""Which environment variables the project's code can do without, as far as its text tells."""

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from devkit.settings.evidence.walk import walk
from devkit.settings.files import read


def with_default(root: Path, names: Iterable[str]) -> set[str]:
    """Those that the code has something in the place of: `getenv("X", …)`, or a field `x: str = …` of settings."""
    return set(_with_default(root.resolve(), frozenset(names)))


@cache  # for the worker and for the API
def _with_default(root: Path, names: frozenset[str]) -> frozenset[str]:
    if not names:
        return frozenset()
    wanted = "|".join(sorted(map(re.escape, names)))
    call = rf"""["'](?P<call>{wanted})["']\s*,(?!\s*(?:cast|validate|subcast)\b)"""
    required = r"Field\((?:\.\.\.|env\b|alias\b|validation_alias\b|description\b|\))"
    field = rf"""^[ \t]+(?P<field>(?i:{wanted}))[ \t]*:[^=\n]*=(?![ \t]*{required})"""
    pattern = re.compile(f"{call}|{field}".encode(), re.MULTILINE)
    known = {name.upper(): name for name in names}
    needles = [word.encode() for name in names for word in (name, name.lower())]
    found: set[str] = set()
    for file in walk(root).python:
        with suppress(OSError):
            source = read(Path(file))
            if any(needle in source for needle in needles):
                for match in pattern.finditer(source):
                    found.add(known[(match["call"] or match["field"]).decode().upper()])
    return frozenset(found)
