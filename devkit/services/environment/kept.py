"""The surroundings of the running stack, kept beside its data: the other commands go by the same, and at once.

They are read from no socket: whoever answers there would choose the project's environment.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

from devkit.model.shape import fits
from devkit.model.wire import Server
from devkit.services.environment.started import started
from devkit.services.environment.surroundings import Surroundings, find_surroundings
from devkit.settings.evidence.given import Whose
from devkit.settings.load import Settings
from devkit.settings.paths import Paths


class Kept(TypedDict):
    """Those of one program."""

    given: dict[str, str]
    servers: list[Server]


def keep(paths: Paths, surroundings: Mapping[Whose, Surroundings]) -> None:
    """For as long as the stack runs. There are passwords in it: it is for this user alone."""
    found = {whose: Kept(given=dict(one.given), servers=list(one.servers)) for whose, one in surroundings.items()}
    file = _file(paths)
    try:
        file.touch(mode=0o600)
        file.write_text(json.dumps(found))
    except OSError:  # a full disk: they are found out again, but not taken from the stack before this one
        file.unlink(missing_ok=True)


def surroundings_now(
    settings: Settings, program: Whose, brokers: Mapping[str, str], running: Sequence[str]
) -> Surroundings:
    """Those of the running stack, unless others are asked for; `running` are its services, none where none runs."""
    if running and settings.sources["env_from"] != "flag":
        with suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(_file(settings.paths).read_bytes())[program]
            if fits(kept, Kept):
                return Surroundings(given=kept["given"], servers=kept["servers"])
    return find_surroundings(settings, program, brokers=brokers, started=started(settings, running))


def _file(paths: Paths) -> Path:
    return paths.data / "environment.json"
