"""The table of services that `up` and `status` show."""

import shutil
import sys
from collections.abc import Sequence

from devkit.cli.console import table_text
from devkit.model.status import ServiceStatus
from devkit.model.text import printable

STATE_STYLES = {"ready": "green", "failed": "bold red", "starting": "yellow", "reloading": "yellow", "stopped": "dim"}


def service_table(services: Sequence[ServiceStatus], *, with_state: bool) -> str:
    """The table of `up` and, with each service's state, of `status`; a state that is not ready is told in both."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    columns: dict[str, list[Text]] = {"service": [Text(service.name) for service in services]}
    if with_state or not all(service.state == "ready" for service in services):
        columns["state"] = [Text(service.state, STATE_STYLES[service.state]) for service in services]
    columns["ready after"] = [Text("" if s.ready_s is None else f"{s.ready_s:.2f} s") for s in services]
    columns["url"] = [Text(service.url or "") for service in services]
    columns["how"] = [Text(printable(_how(service)), "dim") for service in services]

    width = shutil.get_terminal_size().columns - 2 if sys.stdout.isatty() else 1000
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading, cells in columns.items():
        if heading == "how":  # where the terminal is too narrow, this one gives way
            for cell in cells:
                cell.truncate(max(width, 0), overflow="ellipsis")
        width -= max(len(heading), *map(len, cells), 0) + 3
        table.add_column(heading, no_wrap=True)
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    return table_text(table, 1000)


def all_ready(services: Sequence[ServiceStatus]) -> str:
    """That all are ready, but those which the others do without."""
    spared = ", ".join(service.name for service in services if service.state != "ready")
    missed = " ".join(service.name for service in services if service.missed)
    again = f"; the rest runs; devkit restart {missed} starts {'them' if ' ' in missed else 'it'} again"
    return f"all is ready but {spared}{again if missed else ''}" if spared else "all is ready"


def _how(service: ServiceStatus) -> str:
    restarts = f"{service.restarts} restart{'s'[: service.restarts != 1]}" if service.restarts else ""
    generation = f"generation {service.generation}" if service.generation > 1 else ""
    return "; ".join(filter(None, [generation, service.note, restarts, service.how]))
