"""YAML as what it says and where: nothing is made of it, and each value knows its line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

_NULL = "tag:yaml.org,2002:null"


class UnreadableError(Exception):
    """The file cannot be read, or is no YAML; the message says why, in one line."""


@dataclass(frozen=True)
class Value:
    """A scalar, a list or a mapping; asked for what it is not, it is empty."""

    file: Path
    line: int
    node: Any

    @property
    def text(self) -> str:
        """What a scalar says, as it is written there: `yes` and `012` are no numbers."""
        scalar = isinstance(self.node.value, str) and self.node.tag != _NULL
        return str(self.node.value) if scalar else ""

    @property
    def is_scalar(self) -> bool:
        return isinstance(self.node.value, str)

    @property
    def is_null(self) -> bool:
        return bool(self.node.tag == _NULL)

    @property
    def tag(self) -> str:
        return str(self.node.tag)

    @cached_property
    def items(self) -> Mapping[str, "Value"]:
        """What a mapping holds, with what it merges (`<<: *other`) below its own."""
        return _pairs(self.file, self.node, set())

    @cached_property
    def values(self) -> Sequence["Value"]:
        """What a list holds."""
        nodes = self.node.value if self.node.id == "sequence" else ()
        return [Value(self.file, node.start_mark.line + 1, node) for node in nodes]


def parse(file: Path, text: str) -> Value | None:
    """The document; None if it is empty. Raises UnreadableError."""
    import yaml

    try:
        node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise UnreadableError(f"line {mark.line + 1}: {error.problem}" if mark else str(error.problem)) from error
    except (yaml.YAMLError, ValueError) as error:
        raise UnreadableError(" ".join(str(error).split())) from error
    except RecursionError as error:
        raise UnreadableError("nested too deep") from error
    return Value(file, 1, node) if node else None


def _pairs(file: Path, node: Any, seen: set[int]) -> dict[str, Value]:
    """Each mapping is merged once: one may merge itself, or a thousand times another."""
    if node.id != "mapping" or id(node) in seen:
        return {}
    seen.add(id(node))
    own: dict[str, Value] = {}
    merged: dict[str, Value] = {}
    for key, value in node.value:
        if key.value == "<<":
            for source in value.value if value.id == "sequence" else [value]:
                merged = _pairs(file, source, seen) | merged
        elif isinstance(key.value, str):
            own[key.value] = Value(file, key.start_mark.line + 1, value)
    return merged | own
