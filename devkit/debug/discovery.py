"""Tasks that wait in Celery's own rdb: workers that listen where an rdb does.

Nobody connects to find out: the first connection is the conversation.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from devkit.model.rdb import BASE_PORT, DEBUG_FOLDER, is_rdb_port, is_worker
from devkit.model.session import Waiting

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where others listen, and how to reach them


def waiting(root: Path, known: Collection[int]) -> list[Waiting]:
    """Those of the project in `root`, by their ports; `known` are processes that have sessions."""
    processes = list(psutil.process_iter(["cmdline", "uids", "ppid"]))
    workers = {process.pid for process in processes if is_worker(process.info["cmdline"] or [])}
    found: list[Waiting] = []
    for process in processes:
        uids = process.info["uids"]
        is_one = process.pid in workers or process.info["ppid"] in workers  # a spawned child has another command line
        if is_one and process.pid not in known and uids and uids.real == os.getuid():
            with suppress(psutil.Error):  # it has just ended, or is somebody else's after all
                found += _listening(process, root)
    return sorted(found, key=lambda one: one.port)


def _listening(process: psutil.Process, root: Path) -> Iterator[Waiting]:
    environ = process.environ()
    if DEBUG_FOLDER in environ or not _is_near(Path(process.cwd()), root) or _is_in_container(process.pid):
        return
    base = environ.get(BASE_PORT, "")
    connections = process.net_connections("tcp")
    talking = {connection.laddr.port for connection in connections if connection.status == psutil.CONN_ESTABLISHED}
    for connection in connections:
        host, port = connection.laddr or ("", 0)
        if connection.status == psutil.CONN_LISTEN and is_rdb_port(port, base) and port not in talking:
            yield Waiting(process.pid, EVERYWHERE.get(host, host), port)


def _is_in_container(pid: int) -> bool:
    """Whether its ports are not this machine's."""
    try:
        return not Path(f"/proc/{pid}/ns/net").samefile("/proc/self/ns/net")
    except OSError:
        return False  # not Linux


def _is_near(folder: Path, root: Path) -> bool:
    return folder == root or root in folder.parents or folder in root.parents
