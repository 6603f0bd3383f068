"""What is said of the environment when a stack starts: names and places, never a value."""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from devkit.services.environment.kinds import kind_of
from devkit.services.environment.surroundings import Surroundings
from devkit.settings.evidence.compose import ComposeService, Variable
from devkit.settings.evidence.given import Whose
from devkit.settings.load import Settings

SHOWN = 3


def notes_on(
    surroundings: Mapping[Whose, Surroundings], settings: Settings, replaced: Collection[str] = ()
) -> list[str]:
    """Which variables compose gives, which are left out and why, which addresses are others here, what is not here.

    `replaced` are the app's own broker and result backend, where others take their places.
    """
    root, notes = settings.root, []
    around = surroundings["worker"]
    given = {name for one in surroundings.values() for name in one.found.variables if name in one.given}
    given -= settings.environ.keys()
    if given:
        services = dict.fromkeys(service for one in surroundings.values() for service in one.found.services)
        notes.append(f"{_count(given, 'variable')} from {_services(list(services), root)} ({_some(sorted(given))})")
    if around.withheld:
        notes.append(
            f"not from compose, as the code has a default: {_some(around.withheld)}; --env-from compose takes all"
        )
    unclear = {name: one for name, one in around.found.unclear.items() if name not in settings.environ}
    if unclear:
        name = next(iter(unclear))
        notes.append(
            f"not from compose, as its services differ: {_some(sorted(unclear))} ({_places(unclear[name], root)});"
            " --env-from compose:SERVICE takes one's"
        )
    changed = [name for name, value in around.changes(settings).items() if around.given.get(name) != value]
    if changed:
        notes.append(f"addresses of containers made into ones of this machine: {_some(sorted(changed))}")
    by_name = {one.name: one for one in around.services}
    for name, variables in around.missing(settings, replaced).items():
        notes.append(missing_note(by_name[name], variables, root))
    return notes


def missing_note(service: ComposeService, variables: Collection[str], root: Path) -> str:
    """That a server is not here which variables name, and how to have it."""
    kind = kind_of(service)
    what = f"{kind.title} at {service.name}:{kind.port}" if kind else service.name
    place = f"compose service {service.name} ({shown(service.file, root)}:{service.line})"
    return (
        f"{_some(sorted(variables))} wants {what}, {place}, which is not here:"
        f" devkit up --with {service.name} starts just that one, --with all every one"
    )


def _services(services: Sequence[ComposeService], root: Path) -> str:
    files = list(dict.fromkeys(shown(one.file, root) for one in services))
    names = list(dict.fromkeys(one.name for one in services))
    return f"{', '.join(files)}, service{'s'[: len(names) != 1]} {', '.join(names)}"


def _places(variables: Sequence[Variable], root: Path) -> str:
    return ", ".join(f"{shown(one.file, root)}:{one.line}" for one in variables)


def _count(things: Collection[str], what: str) -> str:
    return f"{len(things)} {what}{'s'[: len(things) != 1]}"


def _some(names: Sequence[str]) -> str:
    """The first few names."""
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")


def shown(path: Path, root: Path) -> str:
    """The path as seen from the project's folder."""
    return os.path.relpath(path, root)
