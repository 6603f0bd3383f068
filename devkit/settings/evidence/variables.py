"""Environment variables, and the files that set them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devkit.settings.evidence.interpolate import expand
from devkit.settings.files import text_of


@dataclass(frozen=True)
class Variable:
    """An environment variable as a file sets it.

    `unset` are the names that its value asks for and that no file has: the value has nothing in their places.
    """

    name: str
    value: str
    file: Path
    line: int
    unset: tuple[str, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether a program can be given it, and its name be shown."""
        return self.name.isprintable() and "\0" not in self.value


def variable(name: str, text: str, values: Mapping[str, str], file: Path, line: int) -> Variable:
    """With what the text refers to by `$OTHER` taken from the `values`."""
    unset: dict[str, None] = {}

    def note(other: str) -> str:
        unset[other] = None
        return ""

    value = expand(text, values, note)
    return Variable(name, value, file, line, tuple(unset))


def file_variables(file: Path) -> tuple[Variable, ...]:
    """What an env file sets, the last of each name; none if it cannot be read."""
    text = text_of(file)
    if not text:
        return ()
    from io import StringIO

    from dotenv.parser import parse_stream

    values: dict[str, str] = {}
    found: dict[str, Variable] = {}
    for binding in parse_stream(StringIO(text)):
        if binding.key is None or binding.value is None:
            continue
        # The first line of a binding counts the blank lines above it.
        blank = len(binding.original.string) - len(binding.original.string.lstrip("\n"))
        line = binding.original.line + blank
        literal = "'" in binding.original.string.partition("=")[2].lstrip()[:1]
        one = (
            Variable(binding.key, binding.value, file, line)
            if literal
            else variable(binding.key, binding.value, values, file, line)
        )
        values[one.name] = one.value
        found[one.name] = one
    return tuple(one for one in found.values() if one.is_usable)


def file_values(file: Path) -> dict[str, str]:
    """The same, as values by name."""
    return {one.name: one.value for one in file_variables(file)}
