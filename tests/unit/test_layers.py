"""The architecture, read from each file's imports: they point down only."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import devkit

ROOT = Path(devkit.__file__).parent
ENGINES = ("stack", "reload", "agent", "debug", "replay", "containers")
LEVELS = {
    "errors": 0,
    **dict.fromkeys(("model", "settings"), 1),
    "store": 2,
    **dict.fromkeys(ENGINES, 3),
    "services": 4,
    "cli": 5,
    "__main__": 6,
}
# They run in processes of their own, under the project's interpreter.
ONLY_IN_THE_PROJECT = {"fastapi", "starlette", "uvicorn", "flower", "celery", "kombu", "billiard"}
NOT_BEFORE_A_COMMAND_NEEDS_IT = ("rich", "psutil", "celery", "redis", "asyncio", "http.client", "watchdog")

# What runs there besides the agent, and is loaded with it by path.
IN_THE_PROJECT = ("agent", "store", "model")

FILES = sorted(ROOT.rglob("*.py"))


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


def part(module: str) -> str:
    """Which part of devkit a module belongs to: its folder, or its name where it has none."""
    return module.split(".")[1]


def may_import(importer: str, imported: str) -> bool:
    """Whether one part of devkit may import another."""
    if importer == imported:
        return True
    if importer == "agent":
        return imported in IN_THE_PROJECT
    if imported == "__version__":
        return True
    if importer in ENGINES and imported == "settings":
        return False
    return LEVELS[imported] < LEVELS[importer]


def own_imports(file: Path) -> Iterator[tuple[str, str]]:
    """Pairs of parts of devkit: the file's own, and one that it imports."""
    relative = file.relative_to(ROOT)
    importer = relative.parts[0] if len(relative.parts) > 1 else file.stem
    for module in imports(file, file.read_text()):
        if module.startswith("devkit."):
            yield importer, part(module)


def foreign_imports(file: Path) -> set[str]:
    """The libraries that a file imports."""
    return {module.partition(".")[0] for module in imports(file, file.read_text())} - {"devkit"}


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("cli", "services", True),
        ("services", "settings", True),
        ("stack", "model", True),
        ("stack", "errors", True),
        ("services", "cli", False),
        ("stack", "services", False),
        ("stack", "settings", False),
        ("debug", "stack", False),
        ("settings", "model", False),
        ("errors", "model", False),
        ("agent", "agent", True),
        ("agent", "store", True),
        ("agent", "model", True),
        ("agent", "errors", False),
        ("agent", "__version__", False),
    ],
)
def test_what_the_architecture_says(importer: str, imported: str, allowed: bool) -> None:
    assert may_import(importer, imported) is allowed


def test_no_way_to_import_is_overlooked() -> None:
    source = """
import devkit.errors
from devkit import cli
from devkit.stack import ports
from . import supervisor
from ..settings import load
def late():
    import rich.table
"""

    assert list(imports(ROOT / "stack" / "x.py", source)) == [
        "devkit.errors",
        "devkit.cli",
        "devkit.stack.ports",
        "devkit.stack.supervisor",
        "devkit.settings.load",
        "rich.table",
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_down(file: Path) -> None:
    wrong = [
        f"{importer} → {imported}" for importer, imported in own_imports(file) if not may_import(importer, imported)
    ]

    assert wrong == []


def test_each_part_has_its_place() -> None:
    folders = {file.relative_to(ROOT).parts[0].removesuffix(".py") for file in FILES}

    assert folders - {"__init__"} <= LEVELS.keys()


def test_the_projects_libraries_are_imported_under_its_interpreter_only() -> None:
    outside = {file: foreign_imports(file) for file in FILES if ROOT / "agent" not in file.parents}

    assert {file: found & ONLY_IN_THE_PROJECT for file, found in outside.items() if found & ONLY_IN_THE_PROJECT} == {}


def run_in_the_project() -> set[Path]:
    """The files that run under the project's interpreter: the agent's, and all of devkit that these import."""
    found: set[Path] = set()
    todo = [*(ROOT / "agent").rglob("*.py")]
    while todo:
        file = todo.pop()
        if file not in found:
            found.add(file)
            modules = {name for name in imports(file, file.read_text()) if name.startswith("devkit.")}
            candidates = {ROOT.parent / f"{name.replace('.', '/')}.py" for name in modules}
            todo += [
                path for path in candidates | {path.parent.with_suffix(".py") for path in candidates} if path.exists()
            ]
    return found


def test_the_agent_gets_by_with_the_standard_library_and_celery() -> None:
    found = set[str]().union(*map(foreign_imports, run_in_the_project()))

    assert ROOT / "store" / "sessions.py" in run_in_the_project()
    assert found - sys.stdlib_module_names <= {
        "celery",
        "kombu",
        "billiard",
        "redis",
        "debugpy",
        "pydevd",
        "_pydevd_bundle",
        "sqlalchemy",  # in the project, where its results are in a database
    }


def test_the_agent_never_asks_for_devkit_by_name() -> None:
    """Under the project's interpreter there may be none of that name, or another one."""
    nodes = [node for file in run_in_the_project() for node in ast.walk(ast.parse(file.read_text()))]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]

    assert [name for name in names if name.partition(".")[0] == "devkit"] == []


@pytest.mark.parametrize("file", sorted(run_in_the_project()), ids=lambda file: str(file.relative_to(ROOT)))
def test_what_runs_in_the_project_is_python_3_10(file: Path) -> None:
    ast.parse(file.read_text(), feature_version=(3, 10))


def test_the_command_line_starts_light() -> None:
    """`devkit --help` and completion are waited for by people."""
    code = "import sys, devkit.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert "click" in loaded
    assert [module for module in NOT_BEFORE_A_COMMAND_NEEDS_IT if module in loaded] == []
