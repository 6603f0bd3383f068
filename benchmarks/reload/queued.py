"""A worker with more tasks than processes: what becomes of them when a save comes."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchmarks._common import POLL_S, Row, progress
from benchmarks.reload.commands import DEADLINE_S, PREFORK, devkit_worker, has_watchfiles, watchfiles, watchmedo
from benchmarks.reload.rows import promised, shown
from benchmarks.reload.sample import Lab, Sample

PROMISED_FIRST_START_S = 0.3 + 0.5
PROMISED_START_ONCE_LIVE_S = 0.5
PROMISED_LAST_END_S = 32

TASKS, TASK_S = 6, 15


@dataclass(frozen=True)
class Queued:
    """What became of the tasks. Seconds: of the starts on new code since the save, of the last end since queueing."""

    lost: int
    starts: list[float]
    last_end: float | None
    live: float | None

    def __str__(self) -> str:
        return f"{self.lost} of {TASKS}"

    @property
    def start(self) -> str:
        """The first one."""
        return shown(self.starts[0] if self.starts else None)

    @property
    def start_once_live(self) -> float | None:
        """Seconds since the generation was said to be there, until its second task began: as many as `-c` allows."""
        return self.starts[1] - self.live if self.live is not None and len(self.starts) > 1 else None


def queue_up(sample: Sample, argv: Sequence[str]) -> Queued:
    """Queue all tasks at once, save as soon as two have begun, and follow them to their end."""
    with sample.running(argv):
        queued = time.monotonic()
        ids = [sample.send("rest", TASK_S) for _ in range(TASKS)]
        sample.wait_for(
            lambda: sum(sample.meta(each)["status"] == "STARTED" for each in ids) == 2, "no two tasks begin"
        )
        generation = sample.generation()
        saved = sample.save()
        live = None
        results: dict[str, dict[str, Any]] = {}
        while len(results) < TASKS and time.monotonic() < queued + DEADLINE_S:
            if live is None and sample.generation() > generation:
                live = time.monotonic() - saved
            metas = {each: sample.meta(each) for each in ids if each not in results}
            results |= {each: meta["result"] for each, meta in metas.items() if meta["status"] == "SUCCESS"}
            awaited = live is None and time.monotonic() < saved + 2  # peers announce nothing
            time.sleep(POLL_S if awaited else 20 * POLL_S)
        new = sorted(result["began"] - saved for result in results.values() if result["version"] == sample.version)
        ended = max((result["ended"] - queued for result in results.values()), default=None)
    return Queued(TASKS - len(results), new, ended, live)


def queued(lab: Lab, _runs: int) -> list[Row]:
    """Tasks of 15 s, two running and four prefetched when a save comes; the peers' all at once, they mostly wait."""
    progress(f"queued, devkit: about {TASKS * TASK_S // 2} s")
    ours = queue_up(lab.sample("devkit"), devkit_worker(*PREFORK))
    commands = {"watchmedo": watchmedo(*PREFORK), "watchmedo, as typed": watchmedo("-c", "2", tuned=False)}
    if has_watchfiles():
        commands |= {"watchfiles": watchfiles(*PREFORK), "watchfiles, as typed": watchfiles("-c", "2", tuned=False)}
    progress(f"queued, {len(commands)} peers: up to {DEADLINE_S} s")
    with ThreadPoolExecutor(len(commands)) as pool:
        samples = [lab.sample("peer") for _ in commands]
        theirs = dict(zip(commands, pool.map(queue_up, samples, commands.values()), strict=True))
    progress("")
    what = f"{TASKS} tasks of {TASK_S} s, a save amid them"
    first, (last, once_live) = ours.starts[:1], (ours.last_end, ours.start_once_live)
    rows = []
    for number, (name, peer) in enumerate(theirs.items()):
        lost = Row(f"{what}, lost; {name}", str(ours), str(peer))
        start = Row(f"save until one begins on new code; {name}", ours.start, peer.start)
        end = Row(f"queued until the last has ended; {name}", shown(last), shown(peer.last_end))
        if number == 0:
            lost = promised(lost, "0 lost", ours.lost == 0)
            start = promised(
                start, f"<= {PROMISED_FIRST_START_S} s", bool(first) and first[0] <= PROMISED_FIRST_START_S
            )
            end = promised(
                end,
                f"<= {PROMISED_LAST_END_S} s, all",
                ours.lost == 0 and last is not None and last <= PROMISED_LAST_END_S,
            )
        rows += [lost, start, end]
    return [
        *rows,
        Row("save until the generation is announced", shown(ours.live)),
        Row(
            "that until two of four that waited have begun",
            shown(once_live),
            promise=f"<= {PROMISED_START_ONCE_LIVE_S} s",
            kept=once_live is not None and once_live <= PROMISED_START_ONCE_LIVE_S,
        ),
    ]
