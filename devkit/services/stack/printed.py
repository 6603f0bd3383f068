"""What the services have printed, from the files that devkit keeps of it."""

import heapq
import time
from collections import deque
from collections.abc import Iterable, Sequence

from devkit.errors import UsageError, did_you_mean
from devkit.services.alone import lock_of
from devkit.settings.paths import Paths
from devkit.settings.tables import BUILT_IN_SERVICES
from devkit.stack.logfile import Line, Reader, split_stamp

POLL_S = 0.1


class PrintedHere:
    """`devkit.services.running.Printed`, from `since` on."""

    def __init__(self, paths: Paths, names: Sequence[str], since: str) -> None:
        """Raises UsageError for a service without a log; no name: all that have one."""
        there = [path.stem for path in sorted(paths.logs.glob("*.log")) if path.stem != "devkit"]
        there.sort(key=lambda name: BUILT_IN_SERVICES.index(name) if name in BUILT_IN_SERVICES else 99)
        for name in names:
            if name not in there:
                raise UsageError(
                    f"there is no log of '{name}'{did_you_mean(name, there)}",
                    looked=[f"{paths.logs}: {', '.join(there) or 'no logs yet'}"],
                )
        self._lock = lock_of(paths)
        self._readers = {name: Reader(paths.logs / f"{name}.log") for name in names or there}
        self._since = since
        self.names = list(self._readers)

    def past(self, last: int | None) -> Iterable[Line]:
        each = [self._lines(name, last) for name in self.names]
        # The times of one service only grow, so its own order stays; ties keep the services' order.
        return heapq.merge(*each, key=lambda line: line[0])

    def coming(self) -> Iterable[Line]:
        running = True
        while running:
            running = self._lock.holder() is not None  # asked before the last look, so that nothing is missed
            for name in self.names:
                yield from self._lines(name)
            if running:
                time.sleep(POLL_S)

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()

    def _lines(self, name: str, last: int | None = None) -> Iterable[Line]:
        stamped = map(split_stamp, self._readers[name].lines())
        found = ((moment, name, text) for moment, text in stamped if moment >= self._since)
        return found if last is None else deque(found, maxlen=last)
