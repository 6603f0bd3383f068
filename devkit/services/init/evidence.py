"""What a project's files tell that matters in a container. Nothing is imported: it may only run in containers."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from devkit.settings.discover import AppRef
from devkit.settings.discover.project import scan
from devkit.settings.evidence.compose import ComposeService, compose_services
from devkit.settings.evidence.dockerfile import dockerfiles
from devkit.settings.files import text_of

PYTHONS = (13, 12, 11)  # the 3.x that devkit runs on; the first one that the project allows is taken
SCHEDULE = re.compile(r"\b(beat_schedule|add_periodic_task|CELERY_?BEAT_SCHEDULE)\b")
BROKER = re.compile(r"\b(?:(?:py)?(amqp)s?|rediss?)://")
BROKER_IMAGE = re.compile("redis|valkey|rabbitmq")
LOCAL = re.compile(r"^\s*(?:export\s+)?(\w+)=.*(?:\blocalhost\b|\b127\.0\.0\.1\b)", re.MULTILINE)


class Evidence:
    """What one project's files tell; those named `written` are devkit's own, and tell nothing."""

    def __init__(self, root: Path, written: Iterable[str]) -> None:
        self._root = root
        own = {root / name for name in written}
        self.compose = tuple(one for one in compose_services(root) if one.file not in own)
        self._dockerfiles = tuple(one for one in dockerfiles(root) if one.file not in own)
        self._sources = {Path(file): text_of(Path(file)) for file in scan(root).files}

    def has_schedule(self, app: AppRef) -> bool:
        """Whether the code around the app sets up periodic tasks: that of its package, if it has one."""
        package = app.folder / app.module.partition(".")[0]
        around = package if package.is_dir() else app.folder
        return any(SCHEDULE.search(text) for path, text in self._sources.items() if around in path.parents)

    def speaks_amqp(self, app: AppRef) -> bool:
        """Whether the broker is RabbitMQ: the app's own file tells first, then settings, then all other code."""
        module = app.folder.joinpath(*app.module.split("."))
        asked = [text_of(module.with_suffix(".py")), text_of(module / "__init__.py")]
        asked += [text_of(path) for path in sorted(self._root.glob(".env*"))]
        asked += [variable.value for service in self.compose for variable in service.environment]
        found = next(filter(None, map(BROKER.search, [*asked, *self._sources.values()])), None)
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
        return [name for one in self._dockerfiles for name in one.requirements]

    def notes(self) -> Iterator[str]:
        """What somebody has to look at, as nobody else knows what the code needs."""
        if packages := {name for one in self._dockerfiles for name in one.packages}:
            yield f"a Dockerfile installs {' '.join(sorted(packages))}: add to Dockerfile.dev what is needed"
        if services := {one.name for one in self.compose if _is_other(one)}:
            yield f"other compose files start {', '.join(sorted(services))}: add those that the code needs"
        if names := LOCAL.findall(text_of(self._root / ".env")):
            yield f".env: {', '.join(names)} with localhost: in a container that is the container itself"

    def _pinned(self) -> int | None:
        texts = [text_of(self._root / name) for name in (".python-version", "runtime.txt")]
        found = [re.search(r"^(?:cpython-|python-)?3\.(\d+)", text) for text in texts]
        images = [stage.image for one in self._dockerfiles for stage in one.stages]
        found += [re.search(r"(?:^|/)python:3\.(\d+)", image) for image in images]
        return next((int(match[1]) for match in found if match), None)

    def _allows(self, minor: int) -> bool:
        """Whether pyproject.toml allows Python 3.`minor`."""
        text = text_of(self._root / "pyproject.toml")
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


def _is_other(service: ComposeService) -> bool:
    """Whether it runs an image which is neither a broker nor built here."""
    return bool(service.image) and service.context is None and not BROKER_IMAGE.search(service.image)
