"""A command of the project's own that starts one of its programs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Program = Literal["worker", "beat", "flower", "api"]


@dataclass(frozen=True)
class StartLine:
    """What somebody types, or a file says, to start one program of the project.

    `spec` is the app as it is written there (`app.worker`, `main:app`, `src/main.py`; empty: none is named), `folders`
    are where it would be run or imported from, the likeliest first. `server` is what runs an API: uvicorn, gunicorn,
    hypercorn, fastapi, django, flask, or python for a script of the project's. `service` is the name that the file has
    for it (compose, Procfile, supervisord), `environ` what is set for it there, `own` what of it the line itself sets.
    """

    program: Program
    spec: str
    file: Path
    line: int
    text: str
    folders: tuple[Path, ...]
    service: str = ""
    server: str = ""
    factory: bool = False
    queues: str = ""
    pool: str = ""
    concurrency: int | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)
