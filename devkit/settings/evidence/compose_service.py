"""One service of a compose file, from the layers that make it up: what it extends, its base, itself."""

import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from devkit.settings.evidence.compose_file import services_in
from devkit.settings.evidence.interpolate import expand
from devkit.settings.evidence.variables import Variable, variable
from devkit.settings.evidence.yaml_tree import UnreadableError, Value

_EXTENDS_DEEP = 10
_RANGE = 100  # ports at once: more are no service's of a development stack
_PORT = re.compile(r"(?:.*:)?(\d+)(?:-(\d+))?:(\d+)(?:-(\d+))?(?:/tcp)?")


@dataclass(frozen=True)
class ComposeService:
    """One service. `ports` are pairs: the one published on this machine, the one inside.

    `file` and `line` are where its command is, or where it begins. A path need not exist. In `entrypoint` and
    `command`, a variable that nothing sets is still one: `${WORKERS}`. `names` are what other containers call it.
    """

    name: str
    file: Path
    line: int
    image: str = ""
    context: Path | None = None
    dockerfile: str = ""
    target: str = ""
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    command_line: int = 0
    working_dir: str = ""
    environment: Sequence[Variable] = ()
    env_files: Sequence[Path] = ()
    ports: Sequence[tuple[int, int]] = ()
    depends_on: Sequence[str] = ()
    profiles: Sequence[str] = ()
    mounts: Sequence[tuple[Path, str]] = ()
    names: Sequence[str] = ()


def layers(service: Value, deep: int = _EXTENDS_DEEP) -> list[Value]:
    """A service as it is written, above the one that it extends."""
    extended = service.items.get("extends")
    if not extended or not deep:
        return [service]
    name = extended.text or _text(extended.items, "service")
    other = _text(extended.items, "file")
    base = None
    with suppress(UnreadableError):
        base = services_in(_path(service.file, other or service.file.name)).get(name)
    return [*(layers(base, deep - 1) if base else ()), service]


def service(name: str, parts: Sequence[Value], values: Mapping[str, str]) -> ComposeService:
    """Of these layers, the lowest first. `values` are those of the variables that they refer to."""

    def told(text: str) -> str:
        return expand(text, values, lambda name: f"${{{name}}}")

    command, entrypoint, build = _top("command", parts), _top("entrypoint", parts), _build(parts)
    place = command or entrypoint or parts[-1]
    return ComposeService(
        name=name,
        file=place.file,
        line=place.line,
        image=told(_scalar("image", parts)),
        context=_context(build, told),
        dockerfile=told(_text(build, "dockerfile")),
        target=told(_text(build, "target")),
        entrypoint=_words(entrypoint, told),
        command=_words(command, told),
        command_line=command.line if command else 0,
        working_dir=told(_scalar("working_dir", parts)),
        environment=_environment(parts, values),
        env_files=tuple(dict.fromkeys(_env_files(parts, told))),
        ports=tuple(dict.fromkeys(_ports(parts, told))),
        depends_on=tuple(dict.fromkeys(name for value in _all("depends_on", parts) for name in _names(value))),
        profiles=tuple(told(one.text) for value in _all("profiles", parts) for one in value.values),
        mounts=tuple(dict.fromkeys(_mounts(parts, told))),
        names=tuple(dict.fromkeys(filter(None, [name, *_aliases(parts, told)]))),
    )


def _top(key: str, parts: Sequence[Value]) -> Value | None:
    """What the highest layer has for it."""
    return next(reversed([*_all(key, parts)]), None)


def _scalar(key: str, parts: Sequence[Value]) -> str:
    value = _top(key, parts)
    return value.text if value else ""


def _all(key: str, parts: Sequence[Value]) -> Iterator[Value]:
    """What each layer has for it, without what one above it takes back."""
    found = [part.items[key] for part in parts if key in part.items]
    last = max((at for at, value in enumerate(found) if value.tag in ("!reset", "!override")), default=0)
    return (value for value in found[last:] if value.tag != "!reset")


def _text(items: Mapping[str, Value], key: str) -> str:
    return items[key].text if key in items else ""


def _names(value: Value) -> Iterator[str]:
    """A list of names, or a mapping that has more to say of each."""
    yield from value.items or (one.text for one in value.values)


def _path(file: Path, text: str) -> Path:
    """A path in this file: it counts from the file's folder."""
    return Path(os.path.normpath(file.parent / Path(text).expanduser()))


def _build(parts: Sequence[Value]) -> Mapping[str, Value]:
    merged: dict[str, Value] = {}
    for value in _all("build", parts):
        merged |= {"context": value} if value.text else value.items
    return merged


def _context(build: Mapping[str, Value], told: Callable[[str], str]) -> Path | None:
    """The folder that an image is built from; None: it is not built here, or from what is elsewhere."""
    if not build:
        return None
    text = told(_text(build, "context")) or "."
    elsewhere = "://" in text or text.startswith("git@")
    return None if elsewhere else _path(next(iter(build.values())).file, text)


def _words(value: Value | None, told: Callable[[str], str]) -> tuple[str, ...]:
    """A command's words. A string is split as a shell does, without one being run."""
    if value is None:
        return ()
    if not value.is_scalar:
        return tuple(told(one.text) for one in value.values)
    text = told(value.text)
    try:
        return tuple(shlex.split(text))
    except ValueError:  # a quote that nothing closes
        return tuple(text.split())


def _environment(parts: Sequence[Value], values: Mapping[str, str]) -> tuple[Variable, ...]:
    found: dict[str, Variable] = {}
    for value in _all("environment", parts):
        for name, text, line in _settings(value):
            if text is None:  # taken from the shell that starts it, or from .env
                unset = () if name in values else (name,)
                found[name] = Variable(name, values.get(name, ""), value.file, line, unset)
            else:
                found[name] = variable(name, text, values, value.file, line)
    return tuple(one for one in found.values() if one.is_usable)


def _settings(value: Value) -> Iterator[tuple[str, str | None, int]]:
    for name, one in value.items.items():
        yield name, None if one.is_null else one.text, one.line
    for one in value.values:
        name, sign, text = one.text.partition("=")
        yield name.strip(), text if sign else None, one.line


def _env_files(parts: Sequence[Value], told: Callable[[str], str]) -> Iterator[Path]:
    for value in _all("env_file", parts):
        for one in value.values or [value]:
            if text := told(one.text or _text(one.items, "path")):
                yield _path(value.file, text)


def _ports(parts: Sequence[Value], told: Callable[[str], str]) -> Iterator[tuple[int, int]]:
    for value in _all("ports", parts):
        for one in value.values:
            outside, inside = told(_text(one.items, "published")), told(_text(one.items, "target"))
            text = told(one.text) or (f"{outside}:{inside}" if outside else "")
            if found := _PORT.fullmatch(text):
                first, last, within = int(found[1]), int(found[2] or found[1]), int(found[3])
                yield from ((port, within + port - first) for port in range(first, min(last, first + _RANGE) + 1))


def _aliases(parts: Sequence[Value], told: Callable[[str], str]) -> Iterator[str]:
    """Its container's name and host's name, and those that it has in a network."""
    yield from (told(_scalar(key, parts)) for key in ("container_name", "hostname"))
    for value in _all("networks", parts):
        for network in value.items.values():
            if "aliases" in network.items:
                yield from (told(one.text) for one in network.items["aliases"].values)


def _mounts(parts: Sequence[Value], told: Callable[[str], str]) -> Iterator[tuple[Path, str]]:
    """The folders and files of this machine that are seen inside; volumes have names instead."""
    for value in _all("volumes", parts):
        for one in value.values:
            source, target = told(_text(one.items, "source")), told(_text(one.items, "target"))
            if one.text:
                source, _, target = told(one.text).partition(":")
                target = target.partition(":")[0]
            source = source.replace("${PWD}", ".", 1)
            if target and source.startswith((".", "/", "~")):
                yield _path(value.file, source), target
