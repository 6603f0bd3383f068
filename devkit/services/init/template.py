"""Files with gaps: `%{name}` is a value, and what stands between `%if name` (or `%if not name`) and `%end` is there or
not. Neither is anything to YAML, to a Dockerfile or to the shell."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from string import Template

FOLDER = Path(__file__).with_name("templates")


class _Text(Template):
    delimiter = "%"


def fill(name: str, values: Mapping[str, str]) -> str:
    """The template of this name with its gaps filled; a value that is empty counts as not there."""
    there = {key for key, value in values.items() if value}
    lines = _kept((FOLDER / name).read_text().splitlines(keepends=True), there)
    return _Text("".join(lines)).substitute(values)


def _kept(lines: list[str], there: Collection[str]) -> Iterator[str]:
    shown = [True]
    for line in lines:
        match line.split():
            case ["%if", "not", name]:
                shown.append(shown[-1] and name not in there)
            case ["%if", name]:
                shown.append(shown[-1] and name in there)
            case ["%end"]:
                shown.pop()
            case _ if shown[-1]:
                yield line
