"""What is said of the project's own start lines, where its programs run as these have it."""

from collections.abc import Sequence

from devkit.settings.discover.programs import ApiProgram, WorkerProgram
from devkit.stack.service import Service


def line_notes(programs: Sequence[WorkerProgram | ApiProgram], services: Sequence[Service]) -> list[str]:
    """Which variables the lines of those that are started set: "Procfile:1 sets SHOP_ROLE"."""
    names = {service.name for service in services}
    return [
        f"{program.reasons[0].partition('  ')[0]} sets {', '.join(sorted(program.environ))} for {program.name}"
        for program in programs
        if program.environ and program.name in names
    ]
