"""What the stack's containers take over from the project's own compose files: variables, env files, names of hosts."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from devkit.settings.evidence.compose import ComposeService, Variable
from devkit.settings.evidence.launch import start_lines
from devkit.settings.files import text_of

BROKERS = {"redis": re.compile("redis|valkey"), "rabbitmq": re.compile("rabbitmq")}
# What the file sets itself, or what is about the image that it was written for.
OWN = re.compile(r"(CELERY_(BROKER|RESULT)\w*|DEVKIT_\w*|PATH|HOME|PYTHON\w*|VIRTUAL_ENV|C_FORCE_ROOT)")


@dataclass(frozen=True)
class Carried:
    """`environment` are lines of YAML, as `NAME: "value"`; `env_files` are paths from the project's folder; `redis` and
    `rabbitmq` are the names by which the project's variables may ask for these."""

    environment: tuple[str, ...]
    env_files: tuple[str, ...]
    redis: tuple[str, ...]
    rabbitmq: tuple[str, ...]


def carried(root: Path, services: Sequence[ComposeService]) -> Carried:
    """From the services that run the project's code, the workers first."""
    programs = {line.service: line.program for line in reversed(start_lines(root))}
    own = [one for one in services if one.name in programs]
    own.sort(key=lambda one: programs[one.name] != "worker")
    variables: dict[str, Variable] = {}
    for variable in (variable for one in own for variable in one.environment):
        if not OWN.fullmatch(variable.name):
            variables.setdefault(variable.name, variable)
    lines = [line for variable in variables.values() if (line := _line(variable))]
    return Carried(tuple(lines), tuple(_env_files(root, own)), *(_called(services, name) for name in BROKERS))


def _line(variable: Variable) -> str:
    """As it is written there, so that what it refers to by `${OTHER}` stays out of this file; empty where that cannot
    be told."""
    lines = text_of(variable.file).splitlines()
    text = lines[variable.line - 1].strip() if 0 < variable.line <= len(lines) else ""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        found = None
    if found in ([variable.name], {variable.name: None}):
        return f"{variable.name}:"  # as it is outside
    match found:
        case [str(pair)] if pair.startswith(f"{variable.name}="):
            value = pair.partition("=")[2]
        case {variable.name: str(value)}:
            pass
        case _ if "$" in text:
            return ""
        case _:
            value = variable.value
    return f"{variable.name}: {json.dumps(value, ensure_ascii=False)}"


def _env_files(root: Path, services: Iterable[ComposeService]) -> Iterator[str]:
    """Those that are there, but for `.env`, which devkit and compose read by themselves."""
    files = dict.fromkeys(file for one in services for file in one.env_files)
    for file in files:
        if file.is_file() and file != root / ".env" and file.is_relative_to(root):
            yield file.relative_to(root).as_posix()


def _called(services: Iterable[ComposeService], broker: str) -> tuple[str, ...]:
    """What the project calls it, if not by its usual name."""
    names = (one.name for one in services if one.context is None and BROKERS[broker].search(one.image))
    return tuple(dict.fromkeys(name for name in names if name not in BROKERS))
