"""Tells what may be debugged in here: a line of JSON at first, and whenever that changes, until standard input ends.

`plain` are Celery workers that listen as Celery's own rdb does, `sessions` the paused tasks of devkit's own workers as
these keep them, `alive` all processes with the ticks at which they started. In front of this text stands that of
`devkit.model.rdb`.
"""

import json
import os
import select
import sys
from _socket import AF_INET, AF_INET6, inet_ntop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from devkit.model.rdb import BASE_PORT, DEBUG_FOLDER, is_rdb_port, is_worker

    Result = TypeVar("Result")

BUSY_S, IDLE_S = 0.1, 0.5
LISTEN, ESTABLISHED = "0A", "01"
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
EXITED = b"Z"


class LivingProcess:
    """One process, as /proc shows it."""

    def __init__(self, pid: int) -> None:
        """Raises OSError where it has ended."""
        self.pid = pid
        fields = read(pid, "stat").rpartition(b")")[2].split()
        if fields[0] == EXITED:
            raise OSError
        self.parent = int(fields[1])
        self.started = int(fields[19])
        self.argv = read(pid, "cmdline").decode(errors="replace").split("\0")

    @property
    def key(self) -> "tuple[int, int, list[str]]":
        return self.pid, self.started, self.argv


class Scan:
    """Looks again and again."""

    def __init__(self) -> None:
        self.environs: "dict[int, tuple[Any, dict[str, str]]]" = {}

    def look(self) -> "dict[str, Any]":
        """What there is now."""
        processes = {process.pid: process for process in living() if process.pid != os.getpid()}
        self.environs = {pid: self.environ(process) for pid, process in processes.items()}
        folders = {environ.get(DEBUG_FOLDER, "") for _, environ in self.environs.values()} - {""}
        workers = {pid for pid, process in processes.items() if is_worker(process.argv)}
        # A child that was spawned has another command line.
        workers |= {pid for pid, process in processes.items() if process.parent in workers}
        plain = [pid for pid in sorted(workers) if DEBUG_FOLDER not in self.environs[pid][1]]
        alive = {pid: process.started for pid, process in processes.items()}
        return {
            "plain": self.waiting(plain),
            "sessions": [one for folder in sorted(folders) for one in sessions(folder, alive)],
            "alive": alive,
            "workers": len(workers) + len(folders),
        }

    def environ(self, process: LivingProcess) -> "tuple[Any, dict[str, str]]":
        """What matters of it. It is asked for once: only another program in the same process has another one."""
        known = self.environs.get(process.pid)
        if known and known[0] == process.key:
            return known
        found = {}
        try:
            text = as_owner(process.pid, lambda: read(process.pid, "environ")).decode(errors="replace")
            pairs = [pair.partition("=") for pair in text.split("\0")]
            found = {name: value for name, _, value in pairs if name in (DEBUG_FOLDER, BASE_PORT)}
        except OSError:
            pass  # it has just ended, or is nobody's that may be asked
        return process.key, found

    def waiting(self, pids: "list[int]") -> "list[dict[str, Any]]":
        """Those of the processes that listen as an rdb does, and have nobody to talk to."""
        if not pids:
            return []
        table = connections()
        talking = {port for _, port, state, _ in table if state == ESTABLISHED}
        bases = {pid: self.environs[pid][1].get(BASE_PORT, "") for pid in pids}
        free = [(host, port, inode) for host, port, state, inode in table if state == LISTEN and port not in talking]
        found = []
        for pid in pids:
            mine = [one for one in free if is_rdb_port(one[1], bases[pid])]
            inodes = sockets(pid) if mine else set()
            found += [{"pid": pid, "host": host, "port": port} for host, port, inode in mine if inode in inodes]
        return found


def living() -> "list[LivingProcess]":
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found.append(LivingProcess(int(name)))
            except OSError:
                pass
    return found


def sessions(folder: str, alive: "dict[int, int]") -> "list[Any]":
    """Those of processes in here: the folder may be shared with others."""
    found = []
    try:
        folder = os.path.join(folder, "sessions")
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    except OSError:
        return []
    for name in names:
        try:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                one = json.load(file)
            started = alive.get(one["pid"])
            if one["host"] == os.uname().nodename and started is not None and one["pid_started"] in (started, None):
                found.append(one)
        except (OSError, ValueError, LookupError, TypeError):
            pass  # it has just been removed, or is none
    return found


def connections() -> "list[tuple[str, int, str, str]]":
    """Host, port, state and inode of all ends of connections in here."""
    found = []
    for name, family in (("tcp", AF_INET), ("tcp6", AF_INET6)):
        try:
            with open(f"/proc/net/{name}", encoding="ascii") as file:
                lines = file.readlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            address, _, port = fields[1].partition(":")
            found.append((host(address, family), int(port, 16), fields[3], fields[9]))
    return found


def host(address: str, family: int) -> str:
    """An address as the kernel writes it: words of four bytes, each in the machine's own order."""
    words = [int(address[start : start + 8], 16).to_bytes(4, sys.byteorder) for start in range(0, len(address), 8)]
    name = inet_ntop(family, b"".join(words))
    return EVERYWHERE.get(name, name)


def sockets(pid: int) -> "set[str]":
    """The inodes of the process's sockets."""

    def look() -> "list[str]":
        folder = f"/proc/{pid}/fd"
        return [os.readlink(os.path.join(folder, name)) for name in os.listdir(folder)]

    try:
        links = as_owner(pid, look)
    except OSError:
        return set()
    return {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}


def read(pid: int, name: str) -> bytes:
    with open(f"/proc/{pid}/{name}", "rb") as file:
        return file.read()


def as_owner(pid: int, look: "Callable[[], Result]") -> "Result":
    """What `look` finds; root in a container may not look into others' processes, but may become these others."""
    try:
        return look()
    except PermissionError:
        if os.geteuid():
            raise
    owner = os.stat(f"/proc/{pid}")
    group = os.getegid()
    try:
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
        return look()
    finally:
        os.seteuid(0)
        os.setegid(group)


def main() -> None:
    scan, told = Scan(), ""
    while True:
        found = scan.look()
        now = json.dumps(found, sort_keys=True)
        if now != told:
            told = now
            os.write(1, now.encode() + b"\n")
        if select.select([0], [], [], BUSY_S if found["workers"] else IDLE_S)[0] and not os.read(0, 1024):
            return


if __name__ == "__main__":
    main()
