"""The servers of the project's compose file that `--with` starts: which they are, and where they then are."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from devkit.errors import UsageError, did_you_mean
from devkit.model.wire import Server
from devkit.services.environment.hosts import names_in
from devkit.services.environment.kinds import kind_of
from devkit.settings.evidence.compose import ComposeService, compose_services
from devkit.settings.evidence.given import runs_own_code
from devkit.settings.load import Settings
from devkit.settings.paths import Paths
from devkit.settings.tables import BUILT_IN_SERVICES

ALL = "all"
# Of these kinds is what devkit embeds: `all` leaves out the one whose place that takes; by name it can be had.
EMBEDDED = ("redis", "amqp")
BROKERS = re.compile(r"BROKER|CELERY|RESULT_BACKEND", re.IGNORECASE)


def chosen(settings: Settings) -> list[ComposeService]:
    """Those that are asked for, and what they need. Raises UsageError for what is no server of a compose file."""
    asked = settings.options.with_services
    if not asked:
        return []
    servers = [one for one in compose_services(settings.root) if one.image and not runs_own_code(one)]
    by_name: dict[str, ComposeService] = {}
    for one in servers:  # the likeliest file's come first
        by_name.setdefault(one.name, one)
    found: dict[str, ComposeService] = {}
    todo = [name for name in asked if name != ALL]
    if ALL in asked:
        todo += [name for name, one in by_name.items() if not one.profiles and not _is_broker(one, settings)]
    while todo:
        name = todo.pop(0)
        if name not in by_name:
            raise UsageError(
                f"there is no server '{name}' in a compose file here to start{did_you_mean(name, list(by_name))}",
                looked=[f"servers: {', '.join(by_name) or 'none'}"],
            )
        if name not in found:
            found[name] = by_name[name]
            todo += [need for need in by_name[name].depends_on if need in by_name]
    stacks = {one.file.parent for one in found.values()}
    if len(stacks) > 1:
        raise UsageError(f"--with starts servers of one folder's compose files, not of {len(stacks)} folders'")
    return list(found.values())


def compose_path(paths: Paths) -> Path:
    """The compose file that devkit writes for them: the project's, as far as it is about them."""
    return paths.data / "compose" / "compose.json"


def note(paths: Paths, servers: Mapping[str, Server]) -> None:
    """Write down where they are, each by what the stack calls it."""
    file = _noted(paths)
    if servers or file.exists():
        file.write_text(json.dumps(servers))


def started(settings: Settings, names: Sequence[str]) -> list[Server]:
    """Where those of these names are that the running stack has started, by what it has written down."""
    found = {}
    with suppress(OSError, ValueError):
        found = json.loads(_noted(settings.paths).read_text())
    return [server for name, server in found.items() if name in names]


def _noted(paths: Paths) -> Path:
    return paths.data / "servers.json"


def row_name(name: str) -> str:
    """What the stack calls it: `redis` and the like are devkit's own names."""
    return f"{name}-container" if name in (*BUILT_IN_SERVICES, "rabbitmq") else name


def _is_broker(service: ComposeService, settings: Settings) -> bool:
    """Whether it is the broker or the result backend: the only one of such a kind, or named by their variables."""
    if _scheme(service) not in EMBEDDED:
        return False
    services = compose_services(settings.root)
    like = {one.name for one in services if _scheme(one) == _scheme(service)}
    given = [(one.name, one.value) for other in services for one in other.environment]
    named = (names_in(name, value, service.names) for name, value in given if BROKERS.search(name))
    return len(like) == 1 or any(named)


def _scheme(service: ComposeService) -> str:
    kind = kind_of(service)
    return kind.scheme if kind else ""
