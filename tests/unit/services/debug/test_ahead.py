"""The way into a container is begun early only where it is clear which one is meant."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from devkit.containers import relay
from devkit.containers.execs import Exec, InContainer, InPod
from devkit.containers.script import UnreachableError
from devkit.services.debug import ahead

ONE, TWO = "1" * 64, "2" * 64


class Pipes(list["Pipe"]):
    """Makes pipes, and has those that were made."""

    def __call__(self, exec_: Exec) -> relay.Pipe:
        self.append(Pipe(exec_))
        return cast("relay.Pipe", self[-1])


class Pipe:
    """One that leads nowhere."""

    def __init__(self, exec_: Exec) -> None:
        self.exec, self.closed = exec_, False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def made() -> Iterator[Pipes]:
    yield Pipes()
    ahead.take(InPod("nobody's"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".devkit" / "debug" / "sessions").mkdir(parents=True)
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path / "src")
    return tmp_path


def keep(project: Path, name: str, session: Any) -> None:
    (project / ".devkit" / "debug" / "sessions" / f"{name}.json").write_text(json.dumps(session))


def paused(container: str, host: str = "111111111111") -> dict[str, str]:
    return {"container": container, "host": host}


@pytest.mark.parametrize("arguments", [[], ["divide"], ["-e", "w", "-e", "detach"], ["divide", "--timeout", "3"]])
def test_one_container(project: Path, made: Pipes, arguments: list[str]) -> None:
    keep(project, "a", paused(ONE))
    keep(project, "b", paused(ONE))
    keep(project, "of this host", paused("", socket.gethostname()))
    keep(project, "nonsense", [])

    ahead.begin(arguments, made)

    assert [one.exec for one in made] == [InContainer(ONE, ONE[:12])]
    assert ahead.take(InContainer(ONE, "shop-worker-1")) is made[0]  # type: ignore[comparison-overlap]
    assert ahead.take(InContainer(ONE, "shop-worker-1")) is None


@pytest.mark.parametrize(
    "arguments", [["--list"], ["-l"], ["--container", "x"], ["--run", "add"], ["--break", "x"], ["-C", "/x"]]
)
def test_other_ways_to_debug(project: Path, made: Pipes, arguments: list[str]) -> None:
    keep(project, "a", paused(ONE))
    ahead.begin(arguments, made)
    assert made == []


@pytest.mark.parametrize("sessions", [[], [paused(ONE), paused(TWO)], [paused("")], [paused("worker-1")]])
def test_not_clear_which(project: Path, made: Pipes, sessions: list[Any]) -> None:
    for number, session in enumerate(sessions):
        keep(project, str(number), session)
    ahead.begin([], made)
    assert made == []


def test_no_project(tmp_path: Path, made: Pipes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ahead.begin([], made)
    assert made == []


@pytest.mark.parametrize("exec_", [InContainer(TWO, "shop-worker-2"), InPod("worker-0")])
def test_another_one_was_meant(project: Path, made: Pipes, exec_: InContainer) -> None:
    keep(project, "a", paused(ONE))
    ahead.begin([], made)
    assert ahead.take(exec_) is None
    assert made[0].closed


def test_no_docker(project: Path) -> None:
    def fail(_: Exec) -> relay.Pipe:
        raise UnreachableError(os.strerror(2))

    keep(project, "a", paused(ONE))
    ahead.begin([], fail)
    assert ahead.take(InContainer(ONE, "x")) is None
