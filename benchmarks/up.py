"""`devkit up`, until all is ready, against the same four processes started side by side by hand.

The peer is as quick as an expert can make it: everything known beforehand (ports, broker, arguments), all four
processes started at once, none waiting for another, each asked every 10 ms whether it is ready. Its commands and
probes are those that devkit itself assembles, written as one types them, so both sides always start the same thing.
What devkit adds (finding the app, asking it for its broker, the supervisor) has to cost next to nothing.
"""

import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from benchmarks._common import (
    TIMEOUT_S,
    Lines,
    Ports,
    Project,
    Row,
    asked_runs,
    interleaved,
    interrupt,
    process,
    report,
    spread,
    temporary_folder,
)
from devkit.services.stack.assemble import assemble
from devkit.services.stack.early import EarlyProcesses
from devkit.settings.load import load
from devkit.stack.ports import HOST
from devkit.stack.probes import http_answers
from devkit.stack.service import Poll, Service

PROMISED_RATIO = 1.15
POLL_S = 0.01
EXPERT_FLAGS = ("--without-mingle", "--without-gossip")
WORKER_READY = re.compile(rb"celery@\S+ ready\.")


def devkit_up(project: Project) -> float:
    """From exec to the table that says that all is ready."""
    began = time.perf_counter()
    with project.devkit("up") as stack:
        ready, _ = Lines(stack.stdout).first("service")
        interrupt(stack)
    return ready - began


def devkit_up_detached(project: Project) -> float:
    """From exec to exit: then all is ready, too."""
    began = time.perf_counter()
    try:
        with project.devkit("up", "-d", stdout=subprocess.DEVNULL) as starting:
            assert starting.wait(TIMEOUT_S) == 0, "devkit up -d failed"
            return time.perf_counter() - began
    finally:
        with project.devkit("down", stdout=subprocess.DEVNULL) as stopping:
            assert stopping.wait(TIMEOUT_S) == 0, "devkit down failed"


def by_hand(project: Project, left_out: Sequence[str] = ()) -> float:
    """From the first exec to the last answer; without the arguments `left_out`."""
    services = assembled(project)
    logs = {service.name: project.folder / f"{service.name}.log" for service in services}
    commands = [
        (typed(service, left_out), service.cwd, environ_of(service), logs[service.name]) for service in services
    ]
    waiting = {service.name: readiness(service, logs[service.name]) for service in services}
    with ExitStack() as running:
        began = time.perf_counter()
        for argv, folder, environ, log in commands:
            output = running.enter_context(log.open("wb"))
            running.enter_context(process(argv, folder, environ, stdout=output, stderr=output))
        while waiting := {name: is_ready for name, is_ready in waiting.items() if not is_ready()}:
            assert time.perf_counter() - began < TIMEOUT_S, f"not ready: {', '.join(waiting)}"
            time.sleep(POLL_S)
        return time.perf_counter() - began


def assembled(project: Project) -> list[Service]:
    """What devkit would start here, with ports that are free now."""
    environ = project.environ(Ports.free())
    settings = load(project.folder, {}, environ)
    with closing(EarlyProcesses()) as early:
        services = assemble(settings, (), early).services
    assert [service.name for service in services] == ["redis", "api", "worker", "flower"]
    return services


def typed(service: Service, left_out: Sequence[str]) -> list[str]:
    """Its command without devkit."""
    if service.order is None:
        return list(service.argv)
    order = json.loads(service.order)
    if "module" in order:
        command = [order["module"], *order["argv"]]
    else:  # the worker and the API, which devkit runs with hot reload; the table shows what that stands for
        command = service.how.split()
        if "port" in order:
            command += ["--host", HOST, "--port", str(order["port"])]
    return [sys.executable, "-m", *(word for word in command if word not in left_out)]


def environ_of(service: Service) -> dict[str, str]:
    """Its variables, the broker's address among them."""
    order = json.loads(service.order) if service.order else {"env": {}}
    return {**service.env, **order.get("run", order)["env"]}


def readiness(service: Service, log: Path) -> Callable[[], bool]:
    """Devkit's probe; the worker has none from outside, but says it in its log as soon as it consumes."""
    if isinstance(service.ready, Poll):
        return service.ready.check
    if service.url:
        return http_answers(f"{service.url}/", "HEAD").check
    return lambda: WORKER_READY.search(log.read_bytes()) is not None


def main() -> int:
    """Measure, and print the table."""
    runs = asked_runs(__doc__, default=10)
    with temporary_folder() as home:
        ours, theirs = Project(home / "devkit"), Project(home / "by-hand")
        times = interleaved(
            {
                "devkit": partial(devkit_up, ours),
                "by hand": partial(by_hand, theirs),
                "as typed": partial(by_hand, theirs, EXPERT_FLAGS),
                "detached": partial(devkit_up_detached, ours),
            },
            runs,
        )
    median = {name: statistics.median(values) for name, values in times.items()}

    def row(what: str, ours: str, theirs: str, promise: float | None = None) -> Row:
        ratio = median[ours] / median[theirs]
        words, kept = (f"<= {promise:.2f} x", ratio <= promise) if promise else ("", None)
        return Row(what, spread(times[ours]), spread(times[theirs]), f"{ratio:.2f} x", words, kept)

    return report(
        [
            row("up until all is ready; by hand, side by side", "devkit", "by hand", PROMISED_RATIO),
            row("the same; worker by hand with mingle and gossip", "devkit", "as typed"),
            row("up -d until it returns; by hand, side by side", "detached", "by hand"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
