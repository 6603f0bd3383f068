"""The stack as the commands beside `up` meet it, with a thread in the place of the one that runs."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, cast

import pytest

from devkit.errors import DevkitError, UsageError
from devkit.model.private import make_runtime
from devkit.model.status import ServiceStatus, StackStatus
from devkit.model.wire import State
from devkit.services.alone import only_stack
from devkit.services.running import TakenDown, find_printed, find_running, take_down
from devkit.settings.load import Settings, load
from devkit.settings.paths import Paths, make_data
from devkit.stack.control import ControlServer
from devkit.stack.messages import Asked, Inbox


@pytest.fixture
def settings(tmp_path: Path, short_folder: Path) -> Settings:
    """Of a project on a machine without docker."""
    return replace(load(tmp_path, {}, {"PATH": ""}), paths=Paths(tmp_path / ".devkit", short_folder / "run"))


class Stack:
    """Answers as a stack that runs: each time that it is asked how it stands, the next of what it is told to say."""

    def __init__(self, inbox: Inbox) -> None:
        self.statuses: list[dict[str, Any]] = []
        self.restarted: list[list[str]] = []
        self.refusal: dict[str, Any] = {}
        self._inbox = inbox
        Thread(target=self._answer, daemon=True).start()

    def stands(self, *services: tuple[str, State, int]) -> None:
        found = tuple(
            ServiceStatus(name, state, pid, None, None, 0, 1, "it broke", "") for name, state, pid in services
        )
        self.statuses.append(StackStatus("/p", 1, 1.0, found).to_wire())

    def _answer(self) -> None:
        while True:
            message = self._inbox.get()
            assert isinstance(message, Asked)
            if message.request["ask"] == "restart":
                self.restarted.append(cast("list[str]", message.request["services"]))
                message.reply.put(self.refusal)
            else:
                message.reply.put(self.statuses.pop(0))


@pytest.fixture
def stack(settings: Settings) -> Iterator[Stack]:
    make_runtime(settings.paths.runtime)
    inbox: Inbox = SimpleQueue()
    with closing(ControlServer(settings.paths.socket, inbox)):
        yield Stack(inbox)


def restart(settings: Settings, *names: str) -> Sequence[ServiceStatus]:
    found = find_running(settings)
    assert found
    return found.restart(names)


def test_where_none_runs_none_is_found_and_nothing_is_taken_down(settings: Settings) -> None:
    assert find_running(settings) is None
    assert take_down(settings) == TakenDown(stopped=False, left=[], containers=[], volumes=[])


def test_one_that_runs_says_how_it_stands(settings: Settings, stack: Stack) -> None:
    stack.stands(("worker", "starting", 7))

    found = find_running(settings)

    assert found
    assert [(one.name, one.state) for one in found.status.services] == [("worker", "starting")]


def test_a_restart_is_over_once_all_are_ready_with_other_pids(settings: Settings, stack: Stack) -> None:
    for api, worker in ((7, 8), (7, 8), (17, 8), (17, 18)):
        stack.stands(("redis", "ready", 1), ("api", "ready", api), ("worker", "ready", worker))

    assert [(one.name, one.pid) for one in restart(settings, "worker", "api")] == [("api", 17), ("worker", 18)]
    assert stack.restarted == [["worker", "api"]]


def test_one_that_fails_on_the_way_ends_it(settings: Settings, stack: Stack) -> None:
    stack.stands(("worker", "ready", 7))
    stack.stands(("worker", "failed", 8))

    with pytest.raises(DevkitError, match="it broke"):
        restart(settings, "worker")


def test_what_cannot_be_restarted_is_refused(settings: Settings, stack: Stack) -> None:
    stack.stands(("worker", "ready", 7))
    with pytest.raises(UsageError, match="no service 'wroker' in this stack; did you mean 'worker'"):
        restart(settings, "wroker")
    assert stack.restarted == []

    stack.stands(("worker", "ready", 7))
    stack.refusal = {"error": "worker is not devkit's to restart"}
    with pytest.raises(UsageError, match="not devkit's to restart"):
        restart(settings, "worker")


@pytest.fixture
def printed(settings: Settings) -> Settings:
    """A project whose services have printed, also before the last start."""
    make_data(settings.paths)
    settings.paths.started.write_text("2026-01-01T00:00:01.000000Z")
    for name, lines in {"worker": ["0 old", "1 a", "3 c"], "redis": ["2 b", "3 d"], "devkit": ["1 own"]}.items():
        stamped = "".join(f"2026-01-01T00:00:0{line[0]}.000000Z{line[1:]}\n" for line in lines)
        (settings.paths.logs / f"{name}.log").write_text(stamped)
    return settings


def texts(settings: Settings, *names: str, last: int | None = None) -> list[tuple[str, bytes]]:
    with closing(find_printed(settings, names)) as found:
        return [line[1:] for line in found.past(last)]


def test_what_was_printed_since_the_last_start_comes_in_the_order_of_time(printed: Settings) -> None:
    assert texts(printed) == [("worker", b"a"), ("redis", b"b"), ("redis", b"d"), ("worker", b"c")]
    assert texts(printed, last=1) == [("redis", b"d"), ("worker", b"c")]
    assert texts(printed, "worker") == [("worker", b"a"), ("worker", b"c")]


def test_a_service_without_a_log_is_refused(printed: Settings) -> None:
    with pytest.raises(UsageError, match="no log of 'devkit'"):
        find_printed(printed, ["devkit"])


def test_what_comes_is_waited_for_as_long_as_a_stack_runs(printed: Settings) -> None:
    with closing(find_printed(printed, [])) as found:
        assert len(list(found.past(None))) == 4
        assert list(found.coming()) == []

        with only_stack(printed):
            coming = iter(found.coming())
            with (printed.paths.logs / "redis.log").open("a") as log:
                log.write("2026-01-01T00:00:04.000000Z more\n")
            assert next(coming) == ("2026-01-01T00:00:04.000000Z", "redis", b"more")
        assert list(coming) == []
