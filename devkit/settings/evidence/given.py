"""What the project's compose files give to its programs as environment variables, and whether that is clear.

A variable is clear where all services that run such a program, and set it, agree. Where none sets it, those of the
other kind of program are asked; where there are none at all, those that are built from the repository.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from devkit.errors import UsageError, did_you_mean
from devkit.settings.evidence.compose import ComposeService, Variable, compose_services
from devkit.settings.evidence.compose_file import is_for_elsewhere
from devkit.settings.evidence.containers import service_variables
from devkit.settings.evidence.exports import exports

Whose = Literal["worker", "api"]
_COMMANDS: Mapping[Whose, re.Pattern[str]] = {
    "worker": re.compile(r"^(?!.*\s(?:flower|beat)\b).*(?:\bcelery\b.*\sworker\b|(?:celery|start)-?worker)", re.DOTALL),
    "api": re.compile(r"\b(?:uvicorn|gunicorn|hypercorn|granian|daphne|fastapi|flask|runserver)\b"),
}
_SERVICES: Mapping[Whose, re.Pattern[str]] = {
    "worker": re.compile(r"(?!.*(?:beat|flower)).*(?:worker|celery)"),
    "api": re.compile(r".*\b(?:api|web|backend|app|server|django|fastapi|flask)\b"),
}
# What is about the container itself, by its name or how that begins: it would be wrong here.
NOT_HERE = frozenset(("PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "HOSTNAME", "TMPDIR", "VIRTUAL_ENV"))
NEVER_HERE = ("PYTHON", "DEVKIT_", "LD_", "XDG_")


@dataclass(frozen=True)
class Given:
    """The variables that are clear, those that are not because services differ, and the `services` they are of."""

    variables: Mapping[str, Variable]
    unclear: Mapping[str, Sequence[Variable]]
    services: Sequence[ComposeService]


NOTHING = Given({}, {}, ())


def given(root: Path, program: Whose, env_from: str | None) -> Given:
    """For a program; `env_from` is the option: "compose:SERVICE" asks for that service alone, "none" for nothing.

    Raises UsageError where it names what there is not.
    """
    if env_from == "none":
        return NOTHING
    asked, _, name = (env_from or "compose").partition(":")
    if asked != "compose":
        raise UsageError(
            f"--env-from has no {env_from!r}", mend=["compose, compose:SERVICE or none; a file: --env-file FILE"]
        )
    services = [one for one in compose_services(root) if not runs_devkit(one)]
    if name:
        chosen = [one for one in services if one.name == name][:1]
        if not chosen:
            known = list(dict.fromkeys(one.name for one in services))
            raise UsageError(
                f"there is no service '{name}' in a compose file{did_you_mean(name, known)}",
                looked=[f"services: {', '.join(known) or 'no compose file here has any'}"],
            )
        return _agreed([chosen], services)
    if env_from and not services:
        raise UsageError("--env-from compose: there is no compose file here", looked=[str(root)])
    return _agreed(_tiers(root, services, program), services)


def _tiers(root: Path, services: Sequence[ComposeService], program: Whose) -> list[list[ComposeService]]:
    """Whom to ask, the first who know best: the likeliest file's services of the program, then of the other one."""
    own = [one for one in services if runs_own_code(one)]
    other: Whose = "api" if program == "worker" else "worker"
    kinds = (program, other)
    tiers = [_of_one_stack([one for one in own if runs(one, kind)]) for kind in kinds]
    tiers = [*tiers, *(_changed(tier, services) for tier in tiers)]
    if not any(tiers):  # a script may tell, which takes longer
        from devkit.settings.evidence.launch import start_lines

        started = {(line.service, line.program) for line in start_lines(root)}
        tiers = [_of_one_stack([one for one in own if (one.name, kind) in started]) for kind in kinds]
    return tiers if any(tiers) else [_of_one_stack(own)]


def _of_one_stack(services: Sequence[ComposeService]) -> list[ComposeService]:
    """Those of the likeliest file and those beside it: what is in others is another stack's, for tests, say."""
    near = [one for one in services if one.file.parent == services[0].file.parent and _is_first(one, services)]
    return [one for one in near if not is_for_elsewhere(one.file)] or near


def _changed(tier: Sequence[ComposeService], services: Sequence[ComposeService]) -> list[ComposeService]:
    """What further files beside theirs, for development, say of the same services: docker-compose.local.yml, say."""
    names = {(one.name, one.file.parent) for one in tier}
    found = [one for one in services if (one.name, one.file.parent) in names and one not in tier]
    return [one for one in found if not is_for_elsewhere(one.file)]


def _is_first(service: ComposeService, services: Sequence[ComposeService]) -> bool:
    return next(one for one in services if one.name == service.name) is service


def runs_devkit(service: ComposeService) -> bool:
    """Whether it is of devkit's own stack in containers, whose variables are the project's at second hand."""
    return "devkit" in (*service.entrypoint, *service.command)


def runs_own_code(service: ComposeService) -> bool:
    """Whether it runs the project's code, and no server's that is only used."""
    if service.context is not None or any(runs(service, kind, by_name=False) for kind in _COMMANDS):
        return True
    # An image of somebody's own, which only its name tells: no server's well-known one has a name like these.
    return "/" in service.image and not service.command and any(map(_is_called(service.name), _SERVICES))


def runs(service: ComposeService, program: Whose, *, by_name: bool = True) -> bool:
    """Whether its command starts such a program, or, where it tells nothing, its name says so."""
    command = " ".join([*service.entrypoint, *service.command])
    if _COMMANDS[program].search(command):
        return True
    told = any(pattern.search(command) for pattern in _COMMANDS.values())
    return by_name and not told and _is_called(service.name)(program)


def _is_called(name: str) -> Callable[[Whose], bool]:
    """Whether a service of this name is such a program, as far as that tells."""
    return lambda program: _SERVICES[program].match(name.lower()) is not None


def _agreed(tiers: Iterable[Sequence[ComposeService]], among: Sequence[ComposeService]) -> Given:
    variables: dict[str, Variable] = {}
    unclear: dict[str, list[Variable]] = {}
    used: list[ComposeService] = []
    for tier in tiers:
        found: dict[str, list[Variable]] = {}
        for service in tier:
            for one in variables_of(service, among).values():
                found.setdefault(one.name, []).append(one)
        for name, choices in found.items():
            if name in variables or name in unclear:
                continue
            if len({one.value for one in choices}) == 1:
                variables[name] = choices[0]
            else:
                unclear[name] = choices
        used += [service for service in tier if service not in used]
    return Given(variables, unclear, tuple(used))


def variables_of(service: ComposeService, among: Sequence[ComposeService]) -> dict[str, Variable]:
    """What its programs get, also from its start scripts; without what is the container's own."""
    found = {one.name: one for one in service_variables(service)}
    found |= exports(service, among, found)
    return {
        name: one
        for name, one in found.items()
        if name not in NOT_HERE and not name.startswith(NEVER_HERE) and not one.unset
    }
