"""What docker tells of containers, in the words of `devkit status`."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devkit.containers.docker import Container, PublishedPort
from devkit.containers.project import is_of, names_of, ready_after, state_of, status_of, url_of, waves
from devkit.containers.streams import Event, event_of, split

STARTED = "2026-11-22T20:40:36.890130733Z"


def container(service: str = "worker", number: int = 1, **more: Any) -> Container:
    """One that runs."""
    known: Mapping[str, Any] = {
        "id": f"{service}{number}", "name": f"p-{service}-{number}", "project": "p", "service": service,
        "number": number, "folder": "/p", "config_files": ("/p/docker-compose.dev.yml",), "image": "", "hostname": "",
        "aliases": frozenset(), "environ": {}, "mounts": (), "ports": (), "state": "running", "health": "",
        "pid": 4711, "restarts": 0, "exit_code": 0, "started_at": STARTED, "health_log": (),
    }  # fmt: skip
    return Container(**{**known, **more})


def check(second: int, code: int = 0) -> dict[str, object]:
    """A health check that began this second and took half of one."""
    return {"Start": f"2026-11-22T20:40:{second}.0Z", "End": f"2026-11-22T20:40:{second}.500000001Z", "ExitCode": code}


@pytest.mark.parametrize(
    ("more", "state", "note"),
    [
        ({}, "ready", ""),
        ({"health": "healthy"}, "ready", ""),
        ({"health": "starting"}, "starting", ""),
        ({"health": "unhealthy"}, "failed", "unhealthy"),
        ({"state": "created"}, "starting", "not started yet"),
        ({"state": "restarting", "exit_code": 3}, "starting", "ended with exit code 3; docker starts it again"),
        ({"state": "exited"}, "stopped", "finished"),
        ({"state": "exited", "exit_code": 1}, "failed", "ended with exit code 1"),
        ({"state": "exited", "exit_code": 137}, "failed", "was killed by SIGKILL"),
        ({"state": "exited", "exit_code": 143}, "stopped", "was ended by SIGTERM"),
        ({"state": "paused"}, "stopped", "paused"),
    ],
)
def test_states(more: dict[str, Any], state: str, note: str) -> None:
    assert state_of(container(**more)) == (state, note)


def test_a_row_of_the_table() -> None:
    row = status_of("worker-1", container(restarts=2), ready_s=1.5)

    assert (row.name, row.state, row.pid, row.ready_s) == ("worker-1", "ready", 4711, 1.5)
    assert (row.restarts, row.generation, row.how) == (2, 3, "container p-worker-1")
    assert status_of("w", container(state="exited", pid=0)).pid is None


def test_scaled_services_have_numbers_and_the_order_is_the_usual_one() -> None:
    found = [container("zoo"), container("worker", 2), container("worker", 1), container("redis"), container("api")]

    assert list(names_of(found).values()) == ["redis", "api", "worker-1", "worker-2", "zoo"]


@pytest.mark.parametrize(
    ("ports", "url"),
    [
        ((), None),
        ((PublishedPort(8000, "127.0.0.1", 8001),), "http://127.0.0.1:8001"),
        ((PublishedPort(6379, "0.0.0.0", 6380),), "redis://127.0.0.1:6380"),
        ((PublishedPort(15672, "127.0.0.1", 15672), PublishedPort(5672, "127.0.0.1", 5673)), "amqp://127.0.0.1:5673"),
    ],
)
def test_where_a_container_is_reached(ports: tuple[PublishedPort, ...], url: str | None) -> None:
    assert url_of(container(ports=ports)) == url


@pytest.mark.parametrize(
    ("log", "seconds"),
    [
        ([], None),
        ([check(38, 1), check(40)], 3.61),
        ([check(30), check(38)], 1.61),  # one of before it was started again
        ([check(38, 1)], None),
        ([check(40), *map(check, range(42, 50, 2))], None),  # there may have been earlier ones
        ([check(40, 1), *map(check, range(42, 50, 2))], 5.61),
    ],
)
def test_how_long_it_took_to_be_ready(log: list[dict[str, object]], seconds: float | None) -> None:
    assert ready_after(container(health_log=tuple(log))) == seconds


def test_which_file_started_it(tmp_path: Path) -> None:
    file = tmp_path / "compose.yml"
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    here = container(folder=str(tmp_path), config_files=(str(file),))

    assert is_of(here, file)
    assert is_of(here, link / "compose.yml")
    assert is_of(replace(here, config_files=("compose.yml",)), file)  # as version 1 has it
    assert not is_of(here, tmp_path / "other.yml")
    assert not is_of(replace(here, folder="/elsewhere", config_files=("/elsewhere/compose.yml",)), file)


def test_what_others_need_is_stopped_after_them() -> None:
    found = [
        container("redis"),
        container("rabbitmq"),  # the broker that was asked for, of which compose does not know who needs it
        container("worker", needs=frozenset({"redis"})),
        container("api", needs=frozenset({"redis", "worker"})),
        container("flower", needs=frozenset({"redis"})),
    ]

    order = [{one.service for one in wave} for wave in waves(found)]
    assert order == [{"api", "flower"}, {"worker"}, {"redis", "rabbitmq"}]


def test_needs_that_run_in_a_circle_are_all_stopped() -> None:
    found = [container("a", needs=frozenset({"b"})), container("b", needs=frozenset({"a"}))]

    assert waves(found) == [found]


def test_events() -> None:
    line = b'{"Action":"die","Actor":{"ID":"abc","Attributes":{"exitCode":"137","signal":"9"}},"timeNano":1}'

    assert event_of(line) == Event("abc", "die", 137, "9")
    assert event_of(b"Cannot connect to the Docker daemon\n") is None
    assert event_of(b"[1]\n") is None


def test_lines_with_times() -> None:
    assert split(b"2026-11-22T20:40:36.890130733Z two  words\r\n") == (STARTED, b"two  words")
    assert split(b"2026-11-22T20:40:36.890130733Z \n") == (STARTED, b"")
