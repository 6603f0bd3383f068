"""What to do where the project's code fails while it is imported: in the words of `devkit.agent.app.causes`."""

import re
import shlex
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from devkit.errors import DevkitError
from devkit.model.unreachable import address_in, says_unreachable
from devkit.model.wire import Trouble
from devkit.services.environment.kinds import kind_of
from devkit.services.environment.notes import shown
from devkit.services.project.install import install_line, pinned_in, pip
from devkit.services.project.packages import packages_of
from devkit.settings.discover import AppRef
from devkit.settings.evidence.compose import ComposeService, compose_services, read_compose
from devkit.settings.evidence.given import runs_own_code
from devkit.settings.evidence.where_set import Place, by_file, places

MOST_PLACES = 6
MOST_FILES = 2
WITH = "devkit up --with"
_MISSING = re.compile(r"^(?:\w+\.)*ModuleNotFoundError: No module named '([\w.]+)'", re.MULTILINE)
_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s/]+@")


class ServiceDownError(DevkitError):
    """The code connects to a server while it is imported, and nothing answers there; the host is empty and the port 0
    where they are not known."""

    def __init__(
        self,
        what: str,
        *,
        looked: Sequence[str] = (),
        excerpt: str = "",
        mend: Sequence[str] = (),
        host: str = "",
        port: int = 0,
    ) -> None:
        super().__init__(what, looked=looked, excerpt=excerpt, mend=mend)
        self.host = host
        self.port = port


def hidden(text: str) -> str:
    """The text without the passwords of URLs."""
    return _PASSWORD.sub(r"\1***@", text)


def variable_error(problem: Trouble, app: AppRef, root: Path) -> DevkitError:
    """An environment variable that is not set: where the project has a value for it, and how to take that."""
    names, others = (
        problem["variables"],
        [name for name in problem.get("reads", {}) if name not in problem["variables"]],
    )
    found, more = places(root, names), places(root, others)
    several = len(names) > 1
    mend = [*_from_files([*found, *more], root), f"set {'them' if several else 'it'} in .env: {names[0]}=…"]
    return DevkitError(
        f"{_where(problem, app, root)} wants the environment variable{'s'[:several]} {', '.join(names)},"
        f" which {'are' if several else 'is'} not set",
        looked=[
            *(_looked(found, root) or ["compose files, env files and Dockerfiles of the project: none sets it"]),
            *_files_away(root),
            *read_compose(root.resolve()).notes,
        ],
        excerpt=hidden(problem["traceback"]),
        mend=mend,
    )


def raised_error(problem: Trouble, app: AppRef, root: Path) -> DevkitError:
    """Whatever else the code raises; it may be for want of variables that it reads, and that project files have."""
    reads = problem.get("reads", {})
    found = places(root, list(reads))
    names = [name for name in reads if any(one.name.upper() == name.upper() for one in found)]
    lines = [f"{name} is not set, which {_line(reads[name], root)} reads" for name in names[:MOST_PLACES]]
    return DevkitError(
        f"importing {app.module} fails: {hidden(problem['message'])}",
        looked=[*lines, *_looked(found, root), *_files_away(root)] if names else [],
        excerpt=hidden(problem["traceback"]),
        mend=[
            *(f"if that is why: {line}" for line in _from_files(found, root)),
            "correct the code at the traceback's last line",
        ],
    )


def _line(place: str, root: Path) -> str:
    file, _, line = place.rpartition(":")
    return f"{shown(Path(file), root)}:{line}"


def _files_away(root: Path) -> list[str]:
    """Env files that the compose files name and that are not there, as people keep them to themselves."""
    away = {file: one for one in compose_services(root) for file in one.env_files if not file.exists()}
    return [
        f"{shown(file, root)} is not there, which {shown(one.file, root)} names as env_file of {one.name}"
        for file, one in list(away.items())[:MOST_FILES]
    ]


def _looked(found: Sequence[Place], root: Path) -> list[str]:
    lines = [
        f"{one.name} has a value in {shown(one.file, root)}:{one.line}"
        + (f" (service {one.service})" if one.service else "")
        for one in found
    ]
    more = len(lines) - MOST_PLACES
    return [*lines[:MOST_PLACES], *([f"and in {more} other places"] if more > 0 else [])]


def _from_files(found: Sequence[Place], root: Path) -> list[str]:
    """The commands that take the values from there: one with the files that have all of them together, and another
    way."""
    every = {one.name.upper() for one in found if one.kind in ("env file", "example")}
    sets = [_cover(by_file([one for one in found if one.kind == kind]), every) for kind in ("env file", "example")]
    lines = [
        " ".join(["devkit up", *(f"--env-file {shown(file, root)}" for file in files)])
        for files in sorted(filter(None, sets), key=len)
    ]
    services: dict[str, set[str]] = {}
    for one in found:
        if one.kind == "compose":
            services.setdefault(one.service, set()).add(one.name)
    if services:
        lines.append(f"devkit up --env-from compose:{max(services, key=lambda name: len(services[name]))}")
    return lines


def _cover(files: Mapping[Path, Collection[str]], wanted: Collection[str]) -> list[Path]:
    """The fewest files that together have as many of these as there can be, that which has most first."""
    left, chosen = set(wanted), []
    while best := max(files, key=lambda file: len(left.intersection(files[file])), default=None):
        if left.isdisjoint(files[best]):
            break
        chosen.append(best)
        left -= set(files[best])
    return chosen


def package_error(problem: Trouble, app: AppRef, root: Path) -> DevkitError:
    """A package that is not there, or too old or new for what is imported from it."""
    python = problem["python"]
    version = problem.get("what", "")
    top = problem["missing"].partition(".")[0]
    own = _own_module(app.folder, root, top) if top and not version else None
    if own:
        return DevkitError(
            f"{_where(problem, app, root)}: {hidden(problem['message'])}",
            looked=[f"{shown(own, root)} is there, but not on the path of imports: {app.folder} is"],
            excerpt=hidden(problem["traceback"]),
            mend=[f"set PYTHONPATH={shown(own.parent, root)} in .env, or as the project's own start line does"],
        )
    does = "imports" if top and "file" in problem else "needs"
    return DevkitError(
        _lack(problem) + ("" if version else f", and {_where(problem, app, root)} {does} it"),
        excerpt=hidden(problem["traceback"]),
        mend=[
            *_installs(problem, app, root),
            *(
                f"or use the environment in {name}: DEVKIT_PYTHON={name}/bin/python"
                for name in _environments(root, python)
            ),
            'or name the project\'s interpreter: python = "..." ([tool.devkit]), or DEVKIT_PYTHON',
        ],
    )


def _lack(problem: Trouble) -> str:
    """What the interpreter lacks, in words."""
    python, version = problem["python"], problem.get("what", "")
    if version:
        return hidden(f"{python} has {version}, which does not fit: {problem['message']}")
    return f"{python} has no {problem['missing'].partition('.')[0] or problem['install']}"


def _installs(problem: Trouble, app: AppRef, root: Path) -> list[str]:
    """By the files that list the package; by its name, where none does."""
    python, version = problem["python"], problem.get("what", "")
    if "install" in problem:
        packages: tuple[str, ...] = (problem["install"],)
    else:
        packages = (version.partition(" ")[0],) if version else packages_of(problem["missing"])
    listed = install_line(root, app.folder, python, packages)
    if "install" in problem:  # the code's own word is surer than a list, which may lack the extra or the limit
        return [_alone(python, packages), *([f"or what the project asks for: {listed}"] if listed else [])]
    if version and (file := pinned_in(root, app.folder, version)):
        return [f"{shown(file, root)} asks for just this version: ask there for one that has it, and install that"]
    if listed:
        return [f"install what the project asks for: {listed}"]
    if version:
        return [f"install the version that the code was written for: {pip(python)} {shlex.quote(packages[0])}==…"]
    every = install_line(root, app.folder, python)
    alone = f"{_alone(python, packages)}{'   (no requirements file lists it)' if every else ''}"
    return [alone, *([f"or, if more is missing, what the project asks for: {every}"] if every else [])]


def _alone(python: str, packages: Sequence[str]) -> str:
    return f"{pip(python)} {shlex.quote(packages[0])}"


def transport_error(problem: Trouble, app: AppRef, root: Path) -> DevkitError:
    """Celery cannot speak to the broker or the result backend: its package is not there, or too old."""
    python = problem["python"]
    name = next(
        (one for one in ("redis", "amqp", "sqs", "mongodb", "memcache") if one in problem["message"].lower()), "redis"
    )
    install = install_line(root, app.folder, python)
    return DevkitError(
        f"{python} cannot speak to the broker or result backend: {hidden(problem['message'])}",
        excerpt=hidden(problem["traceback"]),
        mend=[
            f"{pip(python)} --upgrade 'celery[{name}]'",
            *([f"or install what the project asks for: {install}"] if install else []),
        ],
    )


def service_error(problem: Trouble, app: AppRef, root: Path) -> ServiceDownError:
    """A server that does not answer: which one it is in the compose file, and how to start it."""
    host, port = problem["host"], problem["port"]
    service = _service(host, port, compose_services(root))
    address = f"{host}:{port}" if port else host
    kind = kind_of(service) if service else None
    what = f"{_where(problem, app, root)} connects to {kind.title + ' at ' if kind else ''}{address or 'a server'}"
    mend = []
    if service:
        mend.append(f"{WITH} {service.name} starts just that one, --with all every one")
    mend.append("start it, or name another address in .env")
    return ServiceDownError(
        f"{what} while it is imported, and nothing answers there: {hidden(problem['message'])}",
        looked=[f"it is the compose service {service.name} ({shown(service.file, root)}:{service.line})"]
        if service
        else [],
        excerpt=hidden(problem["traceback"]),
        mend=mend,
        host=host,
        port=port,
    )


def start_advice(text: str, root: Path, python: str) -> list[str]:
    """What mends a start that failed, by the end of the service's output, where that does not say it itself."""
    if WITH in text or "pip install" in text:
        return []
    missing = [name for name in _MISSING.findall(text) if name.partition(".")[0] not in sys.stdlib_module_names]
    if not missing:
        return server_away(text, root)
    packages = packages_of(missing[-1])
    listed = install_line(root, root, python, packages)
    return [f"install what the project asks for: {listed}" if listed else _alone(python, packages)]


def server_away(text: str, root: Path) -> list[str]:
    """What mends that a server does not answer, where the end of a service's output says so, and compose has it."""
    for line in reversed(text.splitlines()):
        if says_unreachable(line) and (found := address_in(line)):
            service = _service(*found, compose_services(root), line)
            host, port = found
            address = f"{host}:{port}" if port else host
            if service is None or runs_own_code(service):
                return [f"start the server at {address}, or name another address in .env"]
            kind = kind_of(service)
            what = f"{kind.title if kind else 'the server'} ({shown(service.file, root)}:{service.line})"
            return [f"{WITH} {service.name} starts {what}, which does not answer at {address}"]
    return []


def _service(host: str, port: int, services: Sequence[ComposeService], said: str = "") -> ComposeService | None:
    """The one of that name; or which is published at that port of this machine, usually is there, or is named."""
    local = host in ("localhost", "127.0.0.1", "::1")
    for one in services:
        if host in one.names or (local and port in [pair[0] for pair in one.ports]):
            return one
    kinds = [(one, kind) for one in services if local and (kind := kind_of(one))]
    return next((one for one, kind in kinds if kind.port == port or (not port and kind.title in said)), None)


def _where(problem: Trouble, app: AppRef, root: Path) -> str:
    """The line of the project's code, where that is known."""
    file = problem.get("file")
    return f"{shown(Path(file), root)}:{problem['line']}" if file else f"importing {app.module}"


def _own_module(folder: Path, root: Path, name: str) -> Path | None:
    """The project's own module or package of that name, which lies elsewhere."""
    for place in dict.fromkeys((root, *root.glob("*/"), folder, *folder.parents[:2])):
        for path in (place / name, place / f"{name}.py"):
            if path.exists() and place.is_relative_to(root) and place != folder:
                return path
    return None


def _environments(root: Path, python: str) -> list[str]:
    """Virtual environments in the project that are not the one in use."""
    found = [path.parent for path in root.glob("*/pyvenv.cfg") if (path.parent / "bin" / "python").exists()]
    return [one.name for one in found if not python.startswith(f"{one}/")]


# By the kinds of `devkit.agent.app.causes`.
MENDS: Mapping[str, Callable[[Trouble, AppRef, Path], DevkitError]] = {
    "variable": variable_error,
    "package": package_error,
    "transport": transport_error,
    "service": service_error,
    "raises": raised_error,
}
