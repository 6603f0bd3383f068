"""What `devkit up --docker` asks of compose: options become its arguments and the variables of the compose file."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from devkit.errors import DevkitError, UsageError
from devkit.services.ports import USUAL_PORTS, Ports
from devkit.settings.load import Settings
from devkit.settings.options import environment_name
from devkit.settings.paths import Paths

# Options that have a way of their own. All others reach the containers as variables, if the compose file uses them.
OWN_WAY = ("with_api", "with_flower", "with_beat", "timeout", "env_file", "compose_file", "data_dir", "broker")
BROKER = "DEVKIT_DOCKER_BROKER"
STACKS_RABBITMQ = "amqp://guest:guest@rabbitmq:5672//"
HERE = ("localhost", "127.0.0.1", "::1")
# A new image is built when one of these changes. The last is devkit itself, where `devkit init` has made a copy of it.
INGREDIENTS = (
    "Dockerfile*", "pyproject.toml", "setup.py", "setup.cfg", "requirements*", "*.lock", "Pipfile",
    ".devkit/image/**/*.py",
)  # fmt: skip
NAME = re.compile(r"^name:\s*[\"']?([a-z0-9][a-z0-9_-]*)[\"']?\s*(?:#.*)?$", re.MULTILINE)
NOTES = "containers.json"
BUILDS = re.compile(r"^[^#\n]*\bbuild[\"']?\s*:", re.MULTILINE)
# Root's files are not for a container's user; these are of services that root runs without containers.
KEPT_BY_ROOT = ("redis", "rabbitmq")


@dataclass(frozen=True)
class ComposeRequest:
    """What was typed after `devkit up --docker`."""

    services: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    scale: tuple[str, ...] = ()
    build: bool = False
    detach: bool = False


@dataclass
class ComposePlan:
    """How compose is to be run; the `ports` that were chosen are to be given back once they are in use."""

    file: Path
    project: str
    environ: Mapping[str, str]
    arguments: list[str]
    ports: Ports
    fingerprint: str
    notes: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.file.parent


def compose_file(settings: Settings) -> Path:
    """The file that was set, wherever that is; it need not be there."""
    return settings.root / Path(settings.options.compose_file).expanduser()


def make_plan(settings: Settings, request: ComposeRequest) -> ComposePlan:
    """Raises UsageError for what this compose file gives no way to, DevkitError where it is not there."""
    file = compose_file(settings)
    text = _read(file, settings.root)
    project = project_name(text, file.parent, settings.environ)
    profiles = [*request.profiles]
    services = [*request.services]
    variables = _variables(settings, text, file.name)
    for profile in profiles:
        if not re.search(rf"\b{re.escape(profile)}\b", text):
            raise UsageError(f"no service of {file.name} has the profile '{profile}'", mend=["correct --profile"])
    if (broker := variables.get(BROKER)) and urlsplit(broker).hostname == "rabbitmq":
        profiles.append("rabbitmq")
        services += ["rabbitmq"] if services else []
    if not settings.options.with_beat:
        profiles = [profile for profile in profiles if profile != "beat"]
    ports, moved = Ports(settings.options), []
    scale = _scale(settings, request, text)
    for name in USUAL_PORTS:
        variable = environment_name(f"{name}_port")
        if variable in text and f"{name}=0" not in scale and _starts(name, services, profiles):
            port = ports.choose(name)
            variables[variable] = str(port.number)
            moved += [f"{name} is at port {port.number}{port.note}"] if port.note else []
    environ = {**_user(), **settings.environ}
    fingerprint = fingerprint_of(file, environ["DEVKIT_UID"])
    build = request.build or (BUILDS.search(text) is not None and kept_notes(settings.paths)[0] != fingerprint)
    variables["COMPOSE_PROJECT_NAME"] = project
    variables["COMPOSE_PROFILES"] = ",".join(filter(None, [settings.environ.get("COMPOSE_PROFILES"), *profiles]))
    return ComposePlan(
        file=file,
        project=project,
        environ={**environ, **variables},
        arguments=[*(["--build"] if build else []), *scale, *services],
        ports=ports,
        fingerprint=fingerprint,
        notes=moved,
    )


def project_name(text: str, folder: Path, environ: Mapping[str, str]) -> str:
    """Compose's name for the project, as both versions of it would find it."""
    if asked := environ.get("COMPOSE_PROJECT_NAME"):
        return asked
    if found := NAME.search(text):
        return found[1]
    return re.sub(r"[^a-z0-9_-]", "", folder.resolve().name.lower()).lstrip("_-") or "devkit"


def fingerprint_of(file: Path, user: str) -> str:
    """Tells whether anything has changed that goes into the image; the code does not, it is mounted."""
    digest = hashlib.sha256(user.encode())
    for path in sorted({file, *(path for pattern in INGREDIENTS for path in file.parent.glob(pattern))}):
        with suppress(OSError):
            if path.is_file():
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def keep_notes(paths: Paths, built: str, ready: Mapping[str, float]) -> None:
    """Keep which image was built, and how long each container took to be ready, by its id and its start."""
    with suppress(OSError):
        (paths.data / NOTES).write_text(json.dumps({"built": built, "ready": dict(ready)}))


def kept_notes(paths: Paths) -> tuple[str, dict[str, float]]:
    """What was kept."""
    try:
        kept = json.loads((paths.data / NOTES).read_text())
        return str(kept["built"]), {str(key): float(seconds) for key, seconds in kept["ready"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "", {}


def give_away(paths: Paths, environ: Mapping[str, str]) -> None:
    """Started by root, containers run as another user, to whom the data folder then belongs."""
    if os.getuid() != 0:
        return
    uid, gid = int(environ["DEVKIT_UID"]), int(environ["DEVKIT_GID"])
    for path in _shared(paths.data):
        with suppress(OSError):
            if path.lstat().st_uid == 0:
                os.chown(path, uid, gid, follow_symlinks=False)


def _shared(folder: Path) -> Iterator[Path]:
    yield folder
    for one in folder.iterdir():
        if one.name not in KEPT_BY_ROOT:
            yield one
            yield from one.rglob("*") if one.is_dir() and not one.is_symlink() else ()


def _read(file: Path, root: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError as error:
        raise DevkitError(
            f"there is no compose file {os.path.relpath(file, root)}",
            looked=[str(file)],
            mend=["let devkit write one: devkit init --docker", "or name yours: compose_file in [tool.devkit]"],
        ) from error


def _user() -> dict[str, str]:
    """Whose files the containers make: whoever starts them; never root's."""
    uid, gid = (os.getuid(), os.getgid()) if os.getuid() else (1000, 1000)
    return {"DEVKIT_UID": str(uid), "DEVKIT_GID": str(gid)}


def _variables(settings: Settings, text: str, file: str) -> dict[str, str]:
    """The flags that reach the containers as variables."""
    found = {}
    flags = {key for key, source in settings.sources.items() if source == "flag"}
    for key in sorted(flags.difference(OWN_WAY)):
        value = getattr(settings.options, key)
        found[environment_name(key)] = str(value).lower() if isinstance(value, bool) else str(value)
    if "broker" in flags:
        found[BROKER] = _broker(settings.options.broker or "")
    for variable in found:
        if not re.search(rf"\b{variable}\b", text):
            option = "broker" if variable == BROKER else variable.removeprefix("DEVKIT_").lower()
            raise UsageError(
                f"{option.replace('_', ' ')} cannot be set for containers by a flag: {file} does not use {variable}",
                mend=[f"write it into {file}", f"or let {file} pass it on: {variable}: under a service's environment"],
            )
    return found


def _broker(url: str) -> str:
    """The broker's address as containers know it. Raises UsageError for one of this machine."""
    parts = urlsplit(url)
    if parts.scheme in ("amqp", "pyamqp") and not parts.netloc:
        return STACKS_RABBITMQ
    if parts.hostname in HERE or not parts.hostname:
        raise UsageError(
            f"containers cannot reach {url}: for them, {parts.hostname or 'that'} is the container itself",
            mend=["the stack's own RabbitMQ: --broker amqp://", "or the broker's name in the network: --broker URL"],
        )
    return url


def _starts(name: str, services: Sequence[str], profiles: Sequence[str]) -> bool:
    """Whether the service needs its port; all others need Redis."""
    return name in (*services, *profiles, "redis") or (not services and name != "rabbitmq")


def _scale(settings: Settings, request: ComposeRequest, text: str) -> list[str]:
    """How many containers of which service; none of what is switched off. Raises UsageError."""
    counts: dict[str, str] = {}
    for asked in request.scale:
        service, _, count = asked.partition("=")
        if not service or not count.isdecimal():
            raise UsageError(f"--scale cannot be '{asked}'", mend=["write it like --scale worker=3"])
        counts[service] = count
    switches = {"api": settings.options.with_api, "flower": settings.options.with_flower}
    for name, on in switches.items():
        if not on and name not in request.services and re.search(rf"^\s+[\"']?{name}[\"']?\s*:", text, re.MULTILINE):
            counts[name] = "0"
    return [part for service, count in counts.items() for part in ("--scale", f"{service}={count}")]
