"""One paused task, as lists and scripts see it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devkit.model.session import Session
from devkit.store.sessions import PAUSED

if TYPE_CHECKING:
    from devkit.containers.execs import Exec

LOCAL = "127.0.0.1"


@dataclass(frozen=True)
class Paused:
    """A task that waits for a client, and where that reaches it. Without a token it waits in Celery's own rdb.

    `there` is the container or pod that it is in, None: the one that we are in ourselves, or none.
    """

    session: Session
    host: str = LOCAL
    there: "Exec | None" = None

    @property
    def plain(self) -> bool:
        return not self.session.token

    @property
    def key(self) -> tuple[str, float, str]:
        """Tells this pause from another one of the same task, and from one elsewhere."""
        return self.session.id, self.session.since, self.session.container or self.place

    @property
    def place(self) -> str:
        """The host or the container, as people call it."""
        return self.there.name if self.there else self.session.host or self.host

    def to_json(self) -> dict[str, Any]:
        """As `devkit debug --list --json` shows it: whoever has the token may run code in the worker."""
        data = self.session.to_wire()
        del data["token"]
        return {**data, "container": self.there.name if self.there else data["container"], "plain": self.plain}


def of_plain(pid: int, port: int) -> Session:
    """What little is known of who waits in Celery's own rdb."""
    return Session(
        id=f"pid-{pid}" if pid else f"port-{port}", task="", task_id="", args="", file="", line=0, function="",
        host="", container="", pid=pid, pid_started=None, main_pid=pid, thread="", port=port, token="", since=0.0,
        state=PAUSED, paused_s=0.0, why="",
    )  # fmt: skip
