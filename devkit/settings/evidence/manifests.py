"""Named commands in pyproject.toml, package.json, Taskfile.yml, and in the files of hosts: fly.toml, render.yaml."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from devkit.settings.evidence.piece import Piece
from devkit.settings.evidence.yaml_tree import UnreadableError, Value, parse


def toml(_file: Path, text: str) -> Iterator[Piece]:
    """Tasks of poe, pdm, taskipy, hatch, pixi; what fly.io, Railway and Nixpacks start."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    tool = _table(document, "tool")
    tables = [_table(tool, "poe", "tasks"), _table(tool, "pdm", "scripts"), _table(tool, "taskipy", "tasks")]
    tables += [_table(tool, "pixi", "tasks"), _table(document, "processes")]
    hosted = (("deploy", "startCommand"), ("start", "cmd"))
    tables += [{name: _table(document, name)[key]} for name, key in hosted if key in _table(document, name)]
    tables += [_table(one, "scripts") for one in _table(tool, "hatch", "envs").values() if isinstance(one, dict)]
    for table in tables:
        for name, value in table.items():
            environ = {key: str(one) for key, one in _table(value, "env").items()}
            folder = value.get("cwd") or value.get("working_dir") or "" if isinstance(value, dict) else ""
            for command in _commands(value):
                yield Piece(command, _line_of(command, text), str(name), str(folder), environ)


def package_json(_file: Path, text: str) -> Iterator[Piece]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    for name, command in _table(document, "scripts").items():
        if isinstance(command, str):
            yield Piece(command, _line_of(command, text), name)


def yaml(file: Path, text: str) -> Iterator[Piece]:
    """Taskfile.yml; render.yaml, heroku.yml and what else says `startCommand:` or `run:`."""
    try:
        document = parse(file, text)
    except UnreadableError:
        return
    items = document.items if document else {}
    for name, task in (items["tasks"].items if "tasks" in items else {}).items():
        folder = task.items["dir"].text if "dir" in task.items else ""
        told = [task, *(task.items[key] for key in ("cmd", "cmds") if key in task.items)]
        for one in (each for value in told for each in (value.values or [value])):
            command = one.items.get("cmd", one)
            if command.text:
                yield Piece(command.text.replace("{{", "${").replace("}}", "}"), command.line, name, folder)
    for service in items["services"].values if "services" in items else ():
        yield from _started(service, "startCommand", "dockerCommand")
    for name, one in (items["run"].items if "run" in items else {}).items():
        yield Piece(one.text or _text(one, "command"), one.line, name)


def _started(service: Value, *keys: str) -> Iterator[Piece]:
    for key in keys:
        if command := _text(service, key):
            yield Piece(command, service.items[key].line, _text(service, "name"), _text(service, "rootDir"))


def _text(value: Value, key: str) -> str:
    return value.items[key].text if key in value.items else ""


def _table(value: Any, *names: str) -> Mapping[str, Any]:
    """The table of this name; empty if something else is there."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _commands(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (command for one in value for command in _commands(one))
    elif isinstance(value, dict):
        yield from (
            command for key in ("cmd", "shell", "sequence", "composite") for command in _commands(value.get(key))
        )


def _line_of(command: str, text: str) -> int:
    """Where the command stands: its first line, as no reader of such files tells."""
    line = command.strip().partition("\n")[0]
    at = text.find(line)
    at = at if at >= 0 else text.find(json.dumps(line)[1:-1])
    return text.count("\n", 0, at) + 1 if at >= 0 else 1
