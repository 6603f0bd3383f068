"""What a project's files tell that matters in a container. Nothing is imported: it may only run in containers."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from devkit.settings.discover import AppRef
from devkit.settings.discover.project import scan
from devkit.settings.evidence.walk import is_ignored

PYTHONS = (13, 12, 11)  # the 3.x that devkit runs on; the first one that the project allows is taken
SCHEDULE = re.compile(r"\b(beat_schedule|add_periodic_task|CELERY_?BEAT_SCHEDULE)\b")
BROKER = re.compile(r"\b(?:(?:py)?(amqp)s?|rediss?)://")
LOCAL = re.compile(r"^\s*(?:export\s+)?(\w+)=.*(?:\blocalhost\b|\b127\.0\.0\.1\b)", re.MULTILINE)
COMPOSE = re.compile(r"(docker-)?compose[\w.-]*\.ya?ml")
DOCKERFILE = re.compile(r"(Dockerfile|Containerfile)([.-][\w.-]+)?|[\w-]+\.Dockerfile")
FOLDERS_DEEP = 3  # where launch files are looked for


class Evidence:
    """What one project's files tell; those named `written` are devkit's own, and tell nothing."""

    def __init__(self, root: Path, written: Iterable[str]) -> None:
        self._root = root
        near = sorted(path for path in _files(root, FOLDERS_DEEP) if path not in {root / name for name in written})
        self._compose = [_text(path) for path in near if COMPOSE.fullmatch(path.name)]
        self._dockerfiles = [_text(path).replace("\\\n", " ") for path in near if DOCKERFILE.fullmatch(path.name)]
        self._sources = {Path(file): _text(Path(file)) for file in scan(root).files}

    def has_schedule(self, app: AppRef) -> bool:
        """Whether the code around the app sets up periodic tasks: that of its package, if it has one."""
        package = app.folder / app.module.partition(".")[0]
        around = package if package.is_dir() else app.folder
        return any(SCHEDULE.search(text) for path, text in self._sources.items() if around in path.parents)

    def speaks_amqp(self, app: AppRef) -> bool:
        """Whether the broker is RabbitMQ: the app's own file tells first, then settings, then all other code."""
        module = app.folder.joinpath(*app.module.split("."))
        asked = [_text(module.with_suffix(".py")), _text(module / "__init__.py")]
        asked += [_text(path) for path in sorted(self._root.glob(".env*"))]
        found = next(filter(None, map(BROKER.search, [*asked, *self._compose, *self._sources.values()])), None)
        return bool(found and found[1])

    def python(self) -> tuple[str, str]:
        """The version for the image, and a note where that is not the one that the project is pinned to."""
        oldest = min(PYTHONS)
        pinned = self._pinned()
        if pinned is None:
            return f"3.{next(filter(self._allows, PYTHONS), PYTHONS[0])}", ""
        if pinned < oldest:
            return (
                f"3.{oldest}",
                f"the project is pinned to Python 3.{pinned}; the image has 3.{oldest}, as devkit needs",
            )
        return f"3.{pinned}", ""

    def requirements(self) -> list[str]:
        """The requirements files that Dockerfiles install."""
        return [name for text in self._dockerfiles for name in re.findall(r"pip3? install\b[^\n]*?-r\s*(\S+)", text)]

    def notes(self) -> Iterator[str]:
        """What somebody has to look at, as nobody else knows what the code needs."""
        packages = {name for text in self._dockerfiles for name in _system_packages(text)}
        if packages:
            yield f"a Dockerfile installs {' '.join(sorted(packages))}: add to Dockerfile.dev what is needed"
        services = {name for text in self._compose for name in _other_services(text)}
        if services:
            yield f"other compose files start {', '.join(sorted(services))}: add those that the code needs"
        if names := LOCAL.findall(_text(self._root / ".env")):
            yield f".env: {', '.join(names)} with localhost: in a container that is the container itself"

    def _pinned(self) -> int | None:
        texts = [_text(self._root / name) for name in (".python-version", "runtime.txt")]
        found = [re.search(r"^(?:cpython-|python-)?3\.(\d+)", text) for text in texts]
        found += [re.search(r"^FROM\s+(?:\S+/)?python:3\.(\d+)", text, re.MULTILINE) for text in self._dockerfiles]
        return next((int(match[1]) for match in found if match), None)

    def _allows(self, minor: int) -> bool:
        """Whether pyproject.toml allows Python 3.`minor`."""
        text = _text(self._root / "pyproject.toml")
        wanted = re.search(r"""^(?:requires-python|python)\s*=\s*["']([^"']*)""", text, re.MULTILINE)
        clauses = re.findall(r"([<>=~^!]*)\s*3\.(\d+)([.\d]*)", wanted[1] if wanted else "")
        return all(_fits(minor, operator, int(other), patch) for operator, other, patch in clauses)


def _fits(minor: int, operator: str, other: int, patch: str) -> bool:
    """Whether Python 3.`minor` fits one clause, `<3.13` or `~=3.11.2`."""
    match operator:
        case "<" | "<=":
            return minor < other or (minor == other and operator == "<=")
        case "==" | "" | "~":
            return minor == other
        case "~=" if patch:
            return minor == other
        case "!=":
            return minor != other or bool(patch)
    return minor >= other  # >=, ^, ~=; and > of a patch


def _files(folder: Path, deep: int) -> Iterator[Path]:
    try:
        found = list(folder.iterdir())
    except OSError:  # a database's, say, in a folder of its own user
        return
    for path in found:
        if path.is_file():
            yield path
        elif deep and path.is_dir() and not path.is_symlink() and not is_ignored(path.name):
            yield from _files(path, deep - 1)


def _text(path: Path) -> str:
    """What a file says; nothing if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _system_packages(dockerfile: str) -> Iterator[str]:
    for command in re.findall(r"\b(?:apt-get|apt|apk)\s+(?:-\S+\s+)*(?:install|add)\s+([^&;|\n]*)", dockerfile):
        yield from (word for word in command.split() if not word.startswith("-"))


def _other_services(compose: str) -> Iterator[str]:
    """Those that run an image which is neither a broker nor built here."""
    _, _, after = f"\n{compose}\n".partition("\nservices:")
    services = re.split(r"^\S", after.partition("\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    for name, body in re.findall(r"^ {2}([\w.-]+):[^\n]*\n((?: {3,}[^\n]*\n|\s*\n)*)", services, re.MULTILINE):
        image = re.search(r"^\s*image:(.*)", body, re.MULTILINE)
        built = re.search(r"^\s*build:", body, re.MULTILINE)
        if image and not built and not re.search("redis|valkey|rabbitmq", image[1]):
            yield name
