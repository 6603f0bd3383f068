"""devkit as its imports show it: storeys, the rooms inside them, and who uses whom.

`python -m tests.house` draws it into docs/how-it-works.md; a test says when that is out of date.
"""

import ast
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import devkit

ROOT = Path(devkit.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
PAGE = ROOT.parent / "docs" / "how-it-works.md"
BEGIN, END = "<!-- drawn by `python -m tests.house` -->\n", "<!-- drawn -->\n"
# From top to bottom; those of one line do not know each other.
STOREYS = (
    ("cli",),
    ("services",),
    ("stack", "reload", "debug", "replay", "containers", "agent"),
    ("store",),
    ("model", "settings"),
    ("errors",),
)
WIDTH = 100

Graph = Mapping[str, set[str]]


def imports(file: Path, source: str) -> Iterator[str]:
    """The modules that a file imports, wherever in it, by their full names."""
    package = [ROOT.name, *file.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*parent, *([node.module] if node.module else [])])
            # `from devkit import errors` imports a module, `from devkit import __version__` does not: both count.
            yield from (f"{module}.{alias.name}" for alias in node.names)


def name(file: Path) -> str:
    """A file's module."""
    parts = file.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    """All of devkit's."""
    return {name(file): file for file in FILES}


@cache
def uses() -> dict[str, set[str]]:
    """The modules of devkit that each one imports; imports for type checkers only count."""
    found: dict[str, set[str]] = {}
    for module, file in modules().items():
        asked = set(imports(file, file.read_text()))
        asked |= {one.rpartition(".")[0] for one in asked if one not in modules()}
        found[module] = (asked & modules().keys()) - {module, ROOT.name}
    return found


def room(module: str) -> str:
    """The folder that a module lies in."""
    return name(modules()[module].parent / "__init__.py")


def storey(module: str) -> str:
    """The part of devkit that a module belongs to."""
    return module.split(".")[1] if "." in module else ""


def rooms(of: str) -> list[str]:
    """The rooms of one storey, without the storey itself."""
    return sorted({room(module) for module in modules() if storey(module) == of} - {f"{ROOT.name}.{of}", ROOT.name})


def arrows(of: str) -> dict[str, set[str]]:
    """Which of its storey's rooms each room uses, by their last names."""
    inside = rooms(of)
    found: dict[str, set[str]] = {one.rpartition(".")[2]: set() for one in inside}
    for module, used in uses().items():
        if (here := room(module)) in inside:
            there = {room(one) for one in used} & set(inside) - {here}
            found[here.rpartition(".")[2]] |= {one.rpartition(".")[2] for one in there}
    return found


def circle(graph: Graph) -> list[str]:
    """One circle of the graph; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def says(package: str) -> str:
    """The first sentence of what lives in a package, or in a module."""
    text = ast.get_docstring(ast.parse(modules()[package].read_text())) or ""
    return " ".join(text.split("\n\n")[0].split())


def picture() -> str:
    """The whole house as text."""
    return "\n\n".join("\n".join(line for part in level for line in _part(part)) for level in STOREYS) + "\n"


def _part(part: str) -> Iterator[str]:
    yield from _entry(f"{part}", says(f"{ROOT.name}.{part}"), 0)
    drawn = arrows(part)
    for one in rooms(part):
        last = one.rpartition(".")[2]
        yield from _entry(f"  {last}", says(one) + _uses(drawn[last]), 2)


def _entry(head: str, text: str, indent: int) -> list[str]:
    width = WIDTH - 14
    lines = textwrap.wrap(text, width, subsequent_indent=" " * indent) or [""]
    return [f"{before:<13} {line}".rstrip() for before, line in zip([head, *[""] * len(lines)], lines, strict=False)]


def _uses(others: set[str]) -> str:
    return f" → {', '.join(sorted(others))}" if others else ""


def drawn(page: str, text: str) -> str:
    """The page with the picture in its place."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}```text\n{text}```\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(), picture()))
