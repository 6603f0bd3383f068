"""How paused tasks and breakpoints look in lists."""

import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from devkit.cli.console import table_text
from devkit.cli.text import ago
from devkit.model.breakpoint import Breakpoint
from devkit.model.text import short_path

if TYPE_CHECKING:
    from devkit.services.debug.paused import Paused

SHORT_ID = 8
PLAIN = "Celery's own rdb"


def paused_json(paused: "Sequence[Paused]") -> str:
    """One document."""
    return json.dumps([one.to_json() for one in paused], indent=2)


def paused_table(paused: "Sequence[Paused]") -> str:
    """One line a task."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in ("id", "task", "where", "host", "port", "since", "why"):
        # What may wrap gives way in a narrow terminal; the text that is in it is cut instead.
        fixed, right = heading not in ("task", "where", "why"), heading in ("port", "since")
        table.add_column(heading, no_wrap=fixed, justify="right" if right else "left")
    for one in paused:
        table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in _row(one)))
    return table_text(table, shutil.get_terminal_size().columns if sys.stdout.isatty() else 1000)


def _row(one: "Paused") -> tuple[str, ...]:
    session = one.session
    if one.plain:
        return short_id(one), "?", PLAIN, one.place, str(session.port), "", ""
    place = f"{short_path(session.file)}:{session.line} in {session.function}"
    task = f"{session.task}({session.args})" if session.task else "-"
    return short_id(one), task, place, one.place, str(session.port), ago(time.time() - session.since), session.why


def line(one: "Paused") -> str:
    """To pick from several."""
    identity, task, place, host, *_ = _row(one)
    return f"{identity}  {task}  {place}" + (f"  {host}" if one.there else "")


def short_id(one: "Paused") -> str:
    """As many characters as people need; what tells two threads of one task apart is kept."""
    session = one.session
    if not session.task_id:
        return session.id
    return session.task_id[:SHORT_ID] + session.id.removeprefix(session.task_id)


def breakpoints_json(breakpoints: Sequence[tuple[Breakpoint, int | None]]) -> str:
    """One document; `line` is where it is now, null where its line is gone."""
    documents = []
    for one, now in breakpoints:
        data = asdict(one)
        del data["context"], data["at"]
        documents.append({**data, "line": now})
    return json.dumps(documents, indent=2)


def breakpoint_line(one: Breakpoint, now: int | None) -> str:
    """One breakpoint: its number, where it is, on which condition."""
    if one.kind == "line":
        place = f"{one.file}:{now}" if now else f"{one.file}:{one.line}, whose line is gone"
    elif one.kind == "task":
        place = f"first line of {one.task}"
    elif one.kind == "ide":
        place = f"first line of {one.task}, in an editor on port {one.port}"
    else:
        place = f"failures of {one.task or 'any task'}" + (", also those that are tried again" if one.retries else "")
    return f"breakpoint {one.number}: {place}" + (f" if {one.condition}" if one.condition else "")
