"""The architecture, read from each file's imports: they point down only, and to rooms that are drawn."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import (
    FILES,
    PAGE,
    ROOT,
    arrows,
    circle,
    drawn,
    imports,
    modules,
    picture,
    room,
    rooms,
    says,
    uses,
)

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

# Which room uses which others of its storey. The zygote gets the program that a generation runs by name, as the
# programs know the generation.
ROOMS: dict[str, dict[str, set[str]]] = {
    "agent": {
        "app": {"tell"},
        "breakpoints": {"tell"},
        "debugger": {"breakpoints", "tell"},
        "fork": {"app", "replay"},
        "programs": {"app", "debugger", "fork", "recorder"},
        "recorder": {"tell"},
        "replay": {"app", "tell"},
        "results": {"app", "tell"},
        "tell": set(),
    },
    "services": {
        "compose": set(),
        "debug": {"project"},
        "environment": set(),
        "failures": {"project", "reach"},
        "init": {"project"},
        "project": {"environment", "reach"},
        "reach": set(),
        "reload": {"environment", "project"},
        "replay": {"project", "reload"},
        "stack": {"environment", "project", "reload"},
    },
    "cli": {
        "debug": {"tasks"},
        "failures": set(),
        "reload": set(),
        "replay": {"failures", "tasks"},
        "stack": set(),
        "tasks": set(),
    },
    "containers": {"inside": set()},
    "settings": {"discover": {"evidence"}, "evidence": set()},
}
# What joins the rooms stands above them, as does who sends `inside` into a container; all else on a storey's landing
# lies below.
ROOFS = {
    "devkit.cli", "devkit.cli.main", "devkit.agent.__main__", "devkit.containers.relay", "devkit.services.running",
}  # fmt: skip


def part(module: str) -> str:
    """Which part of devkit a module belongs to: its folder, or its name where it has none."""
    return module.split(".")[1]


def may_import(importer: str, imported: str) -> bool:
    """Whether one part of devkit may import another."""
    if importer == imported:
        return True
    if importer == "agent":
        return imported in IN_THE_PROJECT
    if imported in ("__version__", "DISTRIBUTION"):
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


# --- the rooms inside a storey ---


def test_there_is_no_circle_between_files() -> None:
    assert circle(uses()) == []


def test_a_circle_would_be_found() -> None:
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}


def test_all_rooms_are_drawn() -> None:
    parts = {file.relative_to(ROOT).parts[0] for file in FILES if len(file.relative_to(ROOT).parts) > 1}

    assert {one for one in parts if rooms(one)} == ROOMS.keys()


@pytest.mark.parametrize("of", ROOMS)
def test_rooms_use_those_that_are_drawn(of: str) -> None:
    assert circle(ROOMS[of]) == []
    assert arrows(of) == ROOMS[of]


@pytest.mark.parametrize("of", ROOMS)
def test_what_lies_on_the_landing_knows_no_room(of: str) -> None:
    landing = {module for module in modules() if room(module) == f"devkit.{of}"} - ROOFS
    found = {module: {one for one in uses()[module] if room(one) in rooms(of)} for module in landing}

    assert {module: used for module, used in found.items() if used} == {}


@pytest.mark.parametrize("package", sorted({room(module) for module in modules()}))
def test_every_room_says_what_lives_there(package: str) -> None:
    assert says(package)


def test_the_picture_in_the_docs_is_of_today() -> None:
    page = PAGE.read_text()

    assert page == drawn(page, picture()), "draw it again: python -m tests.house"
