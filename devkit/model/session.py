"""A task that waits in the debugger, as others see it."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from .shape import fields_fit


@dataclass(frozen=True)
class Session:
    """One paused task, or one that was paused and runs on.

    `id` is the task's; a second thread of it has `…-2`, what is paused outside of any task `pid-…`. `args` is text in
    which secrets are masked. `file` is the path that the worker sees. `main_pid` is the worker whose process `pid` is
    or belongs to; `pid_started` tells it from a later process with the same number. `since` is when the pause began,
    seconds since the epoch, and `paused_s` the length of those before it. Whoever shows `token` is a client of devkit.
    """

    id: str
    task: str
    task_id: str
    args: str
    file: str
    line: int
    function: str
    host: str
    container: str
    pid: int
    pid_started: float | None
    main_pid: int
    thread: str
    port: int
    token: str
    since: float
    state: str  # "paused" or "running"
    paused_s: float
    why: str

    def to_wire(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_wire(cls, data: "dict[str, Any]") -> "Session":
        """Raises KeyError, TypeError or ValueError for what is not a session."""
        found = cls(**{field.name: data[field.name] for field in fields(cls)})
        if not fields_fit(vars(found), cls):
            raise TypeError(f"no session: {data}")
        if not 0 < found.pid < 1 << 31:
            raise ValueError(f"pid: {found.pid}")
        return found


@dataclass(frozen=True)
class Waiting:
    """A process of a plain worker that listens for a debugger's client: no session tells of its task."""

    pid: int
    host: str
    port: int
