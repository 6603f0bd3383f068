"""What a container's start scripts export before they start its program: DATABASE_URL, put together of its parts."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from devkit.settings.evidence.compose_service import ComposeService
from devkit.settings.evidence.containers import image
from devkit.settings.evidence.places import places
from devkit.settings.evidence.variables import Variable, variable
from devkit.settings.files import text_of

_EXPORT = re.compile(r"\s*export\s+(.+)")
_NAME = re.compile(r"[A-Za-z_]\w*")


def exports(
    service: ComposeService, among: Sequence[ComposeService], variables: Mapping[str, Variable]
) -> dict[str, Variable]:
    """Those of its entrypoint and its command, as far as the service's own `variables` make them complete."""
    values = {name: one.value for name, one in variables.items()}
    found: dict[str, Variable] = {}
    for file in _scripts(service, among):
        for number, line in enumerate(text_of(file).splitlines(), 1):
            for name, text in _exported(line):
                if name not in values:  # set already, it is not put together
                    one = variable(name, text, values | {other: it.value for other, it in found.items()}, file, number)
                    if not one.unset and "$" not in one.value:
                        found[name] = one
    return found


def _exported(line: str) -> Iterator[tuple[str, str]]:
    export = _EXPORT.match(line)
    with suppress(ValueError):  # a quote that nothing closes
        for word in shlex.split(export[1], comments=True) if export else ():
            name, sign, text = word.partition("=")
            if sign and _NAME.fullmatch(name):
                yield name, text


def _scripts(service: ComposeService, among: Sequence[ComposeService]) -> Iterator[Path]:
    made = image(service, among)
    copies, entrypoint, command = (made[1].copies, made[1].entrypoint, made[1].command) if made else ((), (), ())
    inside = places(service.mounts, copies, made[2] if made else None)
    for word in (*(service.entrypoint or entrypoint), *(service.command or command)):
        if word.startswith(("/", "./")) and (file := inside.outside(word)) and file.is_file():
            yield file
