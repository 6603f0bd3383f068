"""The API under a steady load: from a save to the first response of the new code, and the requests in between."""

import asyncio
import http.client
import re
import select
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field

from benchmarks._common import DEVKIT, HOST, POLL_S, TIMEOUT_S, Ports, Row, progress
from benchmarks.reload.commands import has_watchfiles
from benchmarks.reload.rows import PROMISED_RELOAD_S, precise, shown
from benchmarks.reload.sample import Lab, Sample

REQUESTS_PER_S, RELOADS_UNDER_LOAD, ANSWER_TIMEOUT_S, KEPT_CONNECTIONS = 200, 20, 5.0, 10
API = "sample_app.reloading:app"

API_MODULE = """
from fastapi import FastAPI

VERSION = {version}
app = FastAPI()


@app.get("/version")
async def version():
    return VERSION
"""

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Load:
    """Requests at a fixed rate, whether the earlier ones are answered or not: by turns on a new connection and on one
    of a few that are kept.

    A kept connection that the server has closed is replaced before a request is sent on it, as every HTTP client does;
    a request that was sent has to be answered.
    """

    port: int
    sent: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    first: dict[int, float] = field(default_factory=dict)  # when a version answered first
    slowest: float = 0.0
    late: float = 0.0  # how far this client fell behind its schedule
    _kept: dict[int, Connection] = field(default_factory=dict)
    _enough: bool = False

    async def flow(self) -> None:
        """Until told to stop; then until all is answered."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as requests:
            while not self._enough:
                ahead = began + self.sent / REQUESTS_PER_S - time.monotonic()
                if ahead > 0:
                    await asyncio.sleep(ahead)
                self.late = max(self.late, -ahead)
                requests.create_task(self._request(self.sent))
                self.sent += 1
        for _, writer in self._kept.values():
            writer.close()

    def stop(self) -> None:
        """No more requests."""
        self._enough = True

    def __str__(self) -> str:
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.failures.most_common())
        return f"{self.failures.total()} of {self.sent:,}" + (f" ({reasons})" if reasons else "")

    async def _request(self, number: int) -> None:
        began = time.monotonic()
        slot = number // 2 % KEPT_CONNECTIONS if number % 2 else None
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                version = await self._ask(slot)
        except (OSError, EOFError, ValueError) as error:
            self.failures[str(error) if type(error) is ValueError else type(error).__name__] += 1
            return
        arrived = time.monotonic()
        self.first.setdefault(version, arrived)
        self.slowest = max(self.slowest, arrived - began)

    async def _ask(self, slot: int | None) -> int:
        reader, writer = await self._connection(slot)
        close = b"" if slot is not None else b"Connection: close\r\n"
        kept = False
        try:
            writer.write(b"GET /version HTTP/1.1\r\nHost: benchmark\r\n" + close + b"\r\n")
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = re.search(rb"\r\ncontent-length: (\d+)", head)
            if not head.startswith(b"http/1.1 200 ") or not length:
                raise ValueError(head.partition(b"\r\n")[0].decode())
            body = await reader.readexactly(int(length[1]))
            kept = slot is not None and b"\r\nconnection: close" not in head and slot not in self._kept
        finally:
            if kept and slot is not None:
                self._kept[slot] = reader, writer
            else:
                writer.close()
        return int(body)

    async def _connection(self, slot: int | None) -> Connection:
        if slot is not None and (kept := self._kept.pop(slot, None)):
            if not select.select([kept[1].get_extra_info("socket")], [], [], 0)[0]:
                return kept
            kept[1].close()
        return await asyncio.open_connection(HOST, self.port)


def answers_version(sample: Sample, port: int) -> bool:
    """Does the API answer, and with the version saved last?"""
    with suppress(OSError, http.client.HTTPException), closing(http.client.HTTPConnection(HOST, port)) as connection:
        connection.request("GET", "/version")
        return connection.getresponse().read() == str(sample.version).encode()
    return False


async def reloads_under_load(sample: Sample, load: Load) -> list[float]:
    """Seconds from each save to the first response of the new code."""
    times = []
    async with asyncio.TaskGroup() as both:
        both.create_task(load.flow())
        try:
            for number in range(RELOADS_UNDER_LOAD):
                progress(f"{sample.log.stem}: reload {number + 1} of {RELOADS_UNDER_LOAD}")
                await asyncio.to_thread(sample.settle)
                saved = sample.save()
                async with asyncio.timeout(TIMEOUT_S):
                    while sample.version not in load.first:
                        await asyncio.sleep(POLL_S)
                times.append(load.first[sample.version] - saved)
            await asyncio.to_thread(sample.settle)
        finally:
            load.stop()
    progress("")
    return times


def api(lab: Lab, _runs: int) -> list[Row]:
    """200 requests per second through 20 reloads: none may fail."""

    def measure(name: str, argv: Sequence[str]) -> tuple[list[float], Load]:
        sample, load = lab.sample(name, API_MODULE), Load(Ports.free().api)
        argv = [*argv, API, "--host", HOST, "--port", str(load.port)]
        with sample.running(argv, lambda: answers_version(sample, load.port)):
            return asyncio.run(reloads_under_load(sample, load)), load

    # A short delay: by default it is 0.25 s.
    uvicorn = [sys.executable, "-m", "uvicorn", "--reload", "--reload-delay", "0.01"]
    ours, our_load = measure("devkit", [DEVKIT, "api"])
    theirs, their_load = measure("uvicorn", uvicorn)
    peer = "uvicorn --reload, " + ("watchfiles" if has_watchfiles() else "no watchfiles")
    ratio = statistics.median(ours) / statistics.median(theirs)
    return [
        Row(
            f"save until the first new response; {peer}",
            precise(ours),
            precise(theirs),
            f"{ratio:.2f} x",
            f"<= {PROMISED_RELOAD_S} s",
            statistics.median(ours) <= PROMISED_RELOAD_S,
        ),
        Row(
            f"{REQUESTS_PER_S} requests/s, {RELOADS_UNDER_LOAD} reloads, failed",
            str(our_load),
            str(their_load),
            promise="0",
            kept=not our_load.failures,
        ),
        Row("the slowest response", shown(our_load.slowest), shown(their_load.slowest)),
        Row("a request sent behind its time, at most", shown(our_load.late), shown(their_load.late)),
    ]
