"""The stack of processes on this machine, by way of its control socket."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devkit.errors import DevkitError, UsageError
from devkit.model.status import ServiceStatus, StackStatus, check_names
from devkit.stack.control import ask, ask_status

POLL_S = 0.05


@dataclass(frozen=True)
class StackHere:
    """`devkit.services.running.RunningStack`, and the socket at which it answers."""

    socket: Path
    status: StackStatus

    def restart(self, names: Sequence[str]) -> list[ServiceStatus]:
        before = {one.name: one.pid for one in self.status.services}
        check_names(names, before)
        if refused := (ask(self.socket, ask="restart", services=list(names)) or {}).get("error"):
            raise UsageError(str(refused))
        while now := ask_status(self.socket):
            asked = [one for one in now.services if one.name in names]
            if failed := next((one for one in asked if one.state == "failed"), None):
                raise DevkitError(failed.note, mend=[f"read its output: devkit logs -n 50 {failed.name}"])
            if all(one.state == "ready" and one.pid != before[one.name] for one in asked):
                return asked
            time.sleep(POLL_S)
        raise DevkitError("no stack runs here", mend=["start it: devkit up"])
