"""Hundreds of reloads in a row: what the runner and the zygote hold after them."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks._common import Row, progress
from benchmarks.footprint import megabytes
from benchmarks.reload.commands import PREFORK, SOLO, devkit_worker
from benchmarks.reload.rows import precise
from benchmarks.reload.sample import Lab, Sample

PROMISED_GROWTH = 1.05
PROMISED_GROWTH_MEGABYTES = 1

EARLY, LATE = 20, 200


@dataclass(frozen=True)
class State:
    """What a runner and its zygote hold, and what there is of them."""

    megabytes: list[float]
    descriptors: list[int]
    keys: tuple[int, int]
    processes: int

    @classmethod
    def of(cls, sample: Sample) -> "State":
        parents = sample.parents()
        return cls(
            [megabytes(each) for each in parents],
            [each.num_fds() for each in parents],
            sample.keys(),
            len(sample.family()),
        )


def endurance(lab: Lab, _runs: int) -> list[Row]:
    """What the runner and the zygote hold after 200 reloads, against what they held after 20."""
    return [*endure(lab, "-P solo", SOLO), *endure(lab, "-c 2", PREFORK)]


def endure(lab: Lab, name: str, options: Sequence[str]) -> list[Row]:
    """Reload again and again, without waiting for each generation's end."""
    sample, times = lab.sample("endurance"), []
    with sample.running(devkit_worker(*options)):
        began = len(sample.family())
        parents = sample.parents()
        for number in range(1, LATE + 1):
            progress(f"endurance, {name}: reload {number} of {LATE}")
            sample.thin_out()
            times.append(sample.reload_at_once())
            if number == EARLY:
                sample.settle()
                early = State.of(sample)
        sample.settle()
        late = State.of(sample)
        assert parents == sample.parents(), "the zygote is not the one that it was at the beginning"
    progress("")

    def row(what: str, then: object, now: object, promise: str, kept: bool) -> Row:
        return Row(f"{name}, {what} after {LATE} reloads; after {EARLY}", str(now), str(then), "", promise, kept)

    def size(what: str, which: int) -> Row:
        then, now = early.megabytes[which], late.megabytes[which]
        limit = then * PROMISED_GROWTH + PROMISED_GROWTH_MEGABYTES
        return row(f"{what}'s memory", f"{then:.1f} MB", f"{now:.1f} MB", f"<= {limit:.1f} MB", now <= limit)

    def text(values: Sequence[int]) -> str:
        return " and ".join(map(str, values))

    return [
        Row(f"{name}, {LATE} reloads in sequence", precise(times), "", "", ""),
        size("runner", 0),
        size("zygote", 1),
        row(
            "their descriptors",
            text(early.descriptors),
            text(late.descriptors),
            "as many",
            early.descriptors == late.descriptors,
        ),
        row("keys in Redis, members", text(early.keys), text(late.keys), "no more", late.keys <= early.keys),
        Row(
            f"{name}, processes after {LATE} reloads; at the beginning",
            str(late.processes),
            str(began),
            "",
            "as many",
            late.processes == began,
        ),
        Row(
            f"{name}, tasks without a result",
            f"{len(sample.unanswered)} of {sample.answered + len(sample.unanswered):,}",
            promise="0",
            kept=not sample.unanswered,
        ),
    ]
