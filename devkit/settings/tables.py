"""The tables of pyproject.toml that add to a stack, each of one service: `[tool.devkit.services.NAME]`, `.workers.NAME`
and `.apis.NAME`."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from devkit.errors import UsageError, did_you_mean

TABLES = ("services", "workers", "apis")
BUILT_IN_SERVICES = ("redis", "api", "worker", "flower", "beat")
RESERVED_NAMES = (*BUILT_IN_SERVICES, "devkit")  # which has a log of its own
ApiKind = Literal["asgi", "django", "flask"]


@dataclass(frozen=True)
class ExtraService:
    """One `[tool.devkit.services.NAME]` table."""

    name: str
    command: str | tuple[str, ...]
    cwd: str | None
    env: Mapping[str, str]
    ready: str | None
    depends_on: tuple[str, ...]


@dataclass(frozen=True)
class WorkerTable:
    """One `[tool.devkit.workers.NAME]` table: a worker of `celery`, MODULE:ATTR in `folder`; None: the first one's."""

    name: str
    celery: str | None = None
    folder: str | None = None
    queues: str | None = None
    pool: str | None = None
    concurrency: int | None = None


@dataclass(frozen=True)
class ApiTable:
    """One `[tool.devkit.apis.NAME]` table: `api` is MODULE:ATTR in `folder`, and `factory` what makes it."""

    name: str
    api: str | None = None
    folder: str | None = None
    kind: ApiKind | None = None
    factory: bool = False
    port: int | None = None


def is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(part, str) and "\0" not in part for part in value)


def is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def _is_line(value: Any) -> bool:
    return is_text(value) and value.isprintable()


def _is_environment(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(part, (str, int, float)) and "\0" not in str(part) for part in value.values()
    )


def _is_number(value: Any, most: int = 65535) -> bool:
    return type(value) is int and 0 < value <= most


# Each key of a table: what its value has to fulfil, and an example of one that does.
Keys = Mapping[str, tuple[Callable[[Any], bool], str]]
SERVICE_KEYS: Keys = {
    "command": (
        lambda value: is_text(value) or (is_strings(value) and value != []),
        'command = "npm run dev"',
    ),
    "cwd": (is_text, 'cwd = "frontend"'),
    "env": (_is_environment, 'env = { NODE_ENV = "development" }'),
    "ready": (is_text, 'ready = "http://127.0.0.1:3000"'),
    "depends_on": (is_strings, 'depends_on = ["api"]'),
}
WORKER_KEYS: Keys = {
    "celery": (_is_line, 'celery = "billing.worker:app"'),
    "folder": (_is_line, 'folder = "billing"'),
    "queues": (
        lambda value: _is_line(value) or (is_strings(value) and value != [] and all(map(_is_line, value))),
        'queues = "mails,reports"',
    ),
    "pool": (_is_line, 'pool = "threads"'),
    "concurrency": (_is_number, "concurrency = 4"),
}
API_KEYS: Keys = {
    "api": (_is_line, 'api = "billing.main:app"'),
    "folder": (_is_line, 'folder = "billing"'),
    "kind": (lambda value: value in get_args(ApiKind), 'kind = "flask"'),
    "factory": (lambda value: isinstance(value, bool), "factory = true"),
    "port": (_is_number, "port = 8001"),
}


def extra_service(name: str, table: Any, text: str) -> ExtraService:
    """Raises UsageError, as the others do, for a name or a table that cannot be used; `text` is the whole file's."""
    where = _checked("services", name, table, text, SERVICE_KEYS)
    if "command" not in table:
        raise UsageError(
            f"{where()}: [tool.devkit.services.{name}] has no command", mend=['add one: command = "npm run dev"']
        )
    command = table["command"]
    return ExtraService(
        name=name,
        command=command if isinstance(command, str) else tuple(command),
        cwd=table.get("cwd"),
        env={key: str(value) for key, value in table.get("env", {}).items()},
        ready=table.get("ready"),
        depends_on=tuple(table.get("depends_on", ())),
    )


def worker_table(name: str, table: Any, text: str) -> WorkerTable:
    """Queues may be one string with commas, or several."""
    _checked("workers", name, table, text, WORKER_KEYS)
    queues = table.get("queues")
    return WorkerTable(name, **{**table, "queues": ",".join(queues) if isinstance(queues, list) else queues})


def api_table(name: str, table: Any, text: str) -> ApiTable:
    """It needs an app, or a folder, which then is Django's."""
    where = _checked("apis", name, table, text, API_KEYS)
    if "api" not in table and "folder" not in table:
        raise UsageError(f"{where()}: [tool.devkit.apis.{name}] has no app", mend=['add one: api = "MODULE:ATTR"'])
    return ApiTable(name, **table)


def distinct(services: Mapping[str, Any], workers: Mapping[str, Any], apis: Mapping[str, Any], text: str) -> None:
    """Raises UsageError for two tables of one name."""
    seen: set[str] = set()
    for kind, tables in zip(TABLES, (services, workers, apis), strict=True):
        for name in tables:
            if name in seen:
                where = line_of(text, "tool", "devkit", kind, name)
                raise UsageError(f"pyproject.toml, line {where}: there is another service '{name}'")
            seen.add(name)


def _checked(kind: str, name: str, table: Any, text: str, keys: Keys) -> Callable[..., str]:
    """Raises UsageError for a name or a key that cannot be; returns what tells where the table, or a key, is."""
    path = ("tool", "devkit", kind, name)
    section = f"[{'.'.join(path)}]"

    def at(*keys: str) -> str:
        return f"pyproject.toml, line {line_of(text, *path, *keys)}"

    if name in RESERVED_NAMES:
        raise UsageError(f"{at()}: '{name}' is one of devkit's own names", mend=["give the service another name"])
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise UsageError(f"{at()}: {section}: a service's name has only letters, digits, '-', '_' and '.'")
    if not isinstance(table, dict):
        raise UsageError(f"{at()}: {section} has to be a table with a {next(iter(keys))}")
    for key, value in table.items():
        if key not in keys:
            raise UsageError(
                f"{at(key)}: unknown key '{key}' in {section}" + did_you_mean(key, tuple(keys)),
                looked=[f"known keys: {', '.join(keys)}"],
            )
        fits, example = keys[key]
        if not fits(value):
            raise UsageError(f"{at(key)}: '{key}' in {section} cannot be {value!r}", mend=[f"write it like {example}"])
    return at


def line_of(text: str, *path: str) -> int:
    """The line (from 1) on which the value at `path` begins.

    tomllib keeps no positions; but the shortest beginning of the file that has the value ends where that ends.
    """
    lines = text.splitlines()
    begins = 0
    for end in range(1, len(lines) + 1):
        try:
            found: Any = tomllib.loads("\n".join(lines[:end]))
        except tomllib.TOMLDecodeError:
            continue  # in the middle of a value of several lines
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        if found is not None:
            return begins + 1
        begins = end
    return len(lines)
