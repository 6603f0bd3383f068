"""`devkit up -d`: the same command again as a process of its own, watched until all is ready."""

import os
import subprocess
import sys
import time

from devkit.cli.console import say, show
from devkit.cli.stack.table import all_ready, service_table
from devkit.services.alone import make_private, refuse_second
from devkit.settings.load import Settings
from devkit.stack.control import ask_status

INSIDE = "DEVKIT_DETACHED"
POLL_S = 0.03


def inside() -> bool:
    """True in the process that runs the stack for an `up -d`. Asked once: the services are not to inherit the mark."""
    return os.environ.pop(INSIDE, None) is not None


def start(settings: Settings) -> int:
    """Start the stack in the background; 0 once all is ready, 1 where a program of the project did not
    start and the rest runs, else what the stack exited with, its words shown."""
    make_private(settings)
    refuse_second(settings)
    talk = settings.paths.logs / "devkit.log"
    talk.touch(0o600)
    with talk.open("wb") as words:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "devkit", *sys.argv[1:]],
            env={**os.environ, INSIDE: "1"},
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            start_new_session=True,
        )
    service_table([], with_state=False)  # imports rich now, while the services start
    try:
        while (code := process.poll()) is None:
            status = ask_status(settings.paths.socket)
            if status and status.pid == process.pid and status.all_ready:
                say(talk.read_text(errors="replace").rstrip())
                show(service_table(status.services, with_state=False))
                say(f"devkit: {all_ready(status.services)}; devkit logs -f shows its output, devkit down stops it")
                return int(any(one.missed for one in status.services))
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    say(talk.read_text(errors="replace").rstrip())
    return code or 1
