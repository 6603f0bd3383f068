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
from devkit.settings.load import load

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
    monkeypatch.delenv("DEVKIT_DATA_DIR", raising=False)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path / "src")
    return tmp_path


def keep(project: Path, name: str, session: Any) -> None:
    """Where the settings say that sessions are."""
    folder = load(project / "src", {}, os.environ).paths.sessions
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(session))


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
    ("variable", "env_file", "pyproject"),
    [
        ("kept", "", ""),
        ("~/kept", "", ""),
        ("", "DEVKIT_DATA_DIR=kept", ""),
        ("", "A=b\nexport DEVKIT_DATA_DIR='kept' # here", ""),
        ("", "", '[tool.devkit]\ndata_dir = "ROOT/elsewhere"  # here'),
        ("", "", "[tool.devkit]\napi = 'a:b'\ndata_dir='../kept'\n"),
        ("", "DEVKIT_DATA_DIR=one", '[tool.devkit]\ndata_dir = "two"'),
        ("one", "DEVKIT_DATA_DIR=two", '[tool.devkit]\ndata_dir = "three"'),
        ("", "DEVKIT_DATA_DIR=", "[tool.devkit]\n# data_dir = 'two'"),
    ],
)
def test_wherever_the_data_is(
    project: Path, made: Pipes, monkeypatch: pytest.MonkeyPatch, variable: str, env_file: str, pyproject: str
) -> None:
    monkeypatch.setenv("HOME", str(project / "home"))
    if variable:
        monkeypatch.setenv("DEVKIT_DATA_DIR", variable)
    (project / ".env").write_text(env_file)
    (project / "pyproject.toml").write_text(pyproject.replace("ROOT", str(project)))
    keep(project, "a", paused(ONE))

    ahead.begin([], made)

    assert [one.exec for one in made] == [InContainer(ONE, ONE[:12])]


@pytest.mark.parametrize("said", ["~nobody-of-this-name/x", "a\0b", "src/../pyproject.toml", "("])
def test_a_data_folder_that_is_none(project: Path, made: Pipes, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    keep(project, "a", paused(ONE))
    (project / ".env").write_text(f"DEVKIT_DATA_DIR={said}")
    ahead.begin([], made)
    assert made == []


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
