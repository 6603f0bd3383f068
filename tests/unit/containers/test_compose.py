"""Finding compose, running it, and what its errors mean, in the words that its versions have for them."""

import os
import sys
from pathlib import Path
from queue import SimpleQueue

import pytest

from devkit.containers import compose
from devkit.containers.complaints import explain
from devkit.containers.compose import Compose, ComposeRun, find_compose
from devkit.errors import DevkitError, UsageError
from tests.unit.waiting import wait_for

NO_PLUGIN = "#!/bin/sh\necho \"docker: 'compose' is not a docker command.\" >&2\nexit 1\n"
FILE = "docker-compose.dev.yml"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, on a machine without plugins; it has a docker."""
    monkeypatch.setattr(compose, "PLUGIN_FOLDERS", ())
    return program(tmp_path, "docker", NO_PLUGIN)


def program(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)
    return folder


def found(programs: Path) -> Compose:
    docker = str(programs / "docker")
    return find_compose(docker, {"PATH": str(programs), "DOCKER_CONFIG": str(programs / "config")})


@pytest.mark.parametrize(("version", "old"), [("1.29.2", True), ("2.26.1-4", False), ("v2.40.0", False)])
def test_docker_compose_on_path_of_either_version(programs: Path, version: str, old: bool) -> None:
    program(programs, "docker-compose", f"#!/bin/sh\necho {version}\n")

    assert found(programs) == Compose((str(programs / "docker-compose"),), old=old)


def test_a_plugin_comes_before_what_is_on_path(programs: Path) -> None:
    program(programs, "docker-compose", "#!/bin/sh\necho 1.29.2\n")
    (programs / "config" / "cli-plugins").mkdir(parents=True)
    program(programs / "config" / "cli-plugins", "docker-compose", "")

    assert found(programs) == Compose((str(programs / "docker"), "compose"))


def test_a_docker_that_knows_compose_without_a_plugin_in_the_usual_places(programs: Path) -> None:
    program(programs, "docker", "#!/bin/sh\necho 2.30.0\n")

    assert found(programs) == Compose((str(programs / "docker"), "compose"))


def test_no_compose_is_said_with_what_to_install(programs: Path) -> None:
    with pytest.raises(DevkitError, match="no docker compose") as caught:
        found(programs)
    assert "apt-get install docker-compose" in caught.value.mend[0]


def run(code: str, capfd: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Run Python in compose's place: its exit code, what was shown, what was kept."""
    ended: SimpleQueue[int] = SimpleQueue()
    running = ComposeRun([sys.executable, "-c", code], cwd=Path("/"), env=os.environ, on_end=ended.put)
    return ended.get(timeout=20), capfd.readouterr().err, running.output


def test_what_compose_prints_is_shown_and_kept(capfd: pytest.CaptureFixture[str]) -> None:
    code, shown, kept = run("import sys; print('out'); sys.stdout.flush(); sys.exit('err')", capfd)

    assert (code, shown, kept) == (1, "out\nerr\n", "out\nerr\n")


def test_on_a_terminal_compose_has_one_and_what_is_kept_has_no_escapes(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, "isatty", lambda fd: fd == 2)
        code, shown, kept = run("import sys; print(f'\\x1b[32m{sys.stderr.isatty()}\\x1b[0m')", capfd)

    assert code == 0
    assert shown == "\x1b[32mTrue\x1b[0m\r\n"
    assert kept == "True\n"


def test_once_it_is_stopped_compose_is_not_shown_any_more(capfd: pytest.CaptureFixture[str]) -> None:
    code = """
import signal, sys, time
def stop(*_):
    print("canceled", flush=True)
    sys.exit(130)
signal.signal(signal.SIGINT, stop)
print("started", flush=True)
time.sleep(60)
"""
    ended: SimpleQueue[int] = SimpleQueue()
    running = ComposeRun([sys.executable, "-c", code], cwd=Path("/"), env=os.environ, on_end=ended.put)
    shown: list[str] = []

    def has_started() -> bool:
        shown.append(capfd.readouterr().err)
        return "started\n" in "".join(shown)

    wait_for(has_started)
    running.stop(kill=False)

    assert ended.get(timeout=20) == 130
    assert running.output == "started\ncanceled\n"
    assert "".join(shown) + capfd.readouterr().err == "started\n"


BUILDKIT = """
#5 0.563 ERROR: Could not find a version that satisfies the requirement no-such-package-xyz (from versions: none)
#5 ERROR: executor failed running [/bin/sh -c pip install no-such-package-xyz]: exit code: 1
------
 > [a 2/2] RUN pip install no-such-package-xyz:
------
failed to solve: executor failed running [/bin/sh -c pip install no-such-package-xyz]: exit code: 1
"""


@pytest.mark.parametrize(
    ("output", "what", "mend"),
    [
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
         "docker's engine does not run", "systemctl start docker"),
        ("ERROR: Couldn't connect to Docker daemon at http+docker://localhost - is it running?",
         "docker's engine does not run", "systemctl start docker"),
        ("permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: …",
         "docker may not be used by this user", "usermod -aG docker"),
        ("Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
         "docker may not be used by this user", "usermod -aG docker"),
        ("docker.errors.DockerException: Error while fetching server API version: "
         "('Connection aborted.', PermissionError(13, 'Permission denied'))",
         "docker may not be used by this user", "usermod -aG docker"),
        ("Error response from daemon: driver failed programming external connectivity on endpoint c-port-a-1 "
         "(7e11ab316d29): Error starting userland proxy: listen tcp4 127.0.0.1:7999: bind: address already in use",
         "port 7999 is taken by pid 7", FILE),
        ("Error response from daemon: driver failed programming external connectivity on endpoint x (9e): "
         "Bind for 127.0.0.1:7999 failed: port is already allocated", "port 7999 is taken by pid 7", FILE),
        ("Error response from daemon: Ports are not available: exposing port TCP 127.0.0.1:7999 -> 0.0.0.0:0: "
         "listen tcp 127.0.0.1:7999: bind: address already in use", "port 7999 is taken by pid 7", FILE),
        ("failed to bind host port 0.0.0.0:7999/tcp: address already in use", "port 7999 is taken by pid 7", FILE),
        (BUILDKIT, "the image could not be built", "start again"),
        ("ERROR: Service 'worker' failed to build : The command '/bin/sh -c false' returned a non-zero code: 1",
         "the image could not be built", "start again"),
    ],
)  # fmt: skip
def test_what_fails_is_said_with_what_mends_it(output: str, what: str, mend: str) -> None:
    error = explain(f"[+] Running 1/1\n{output}\n", FILE, lambda port: f"pid {port - 7992}")

    assert error.what.startswith(what)
    assert mend in " ".join(error.mend)
    assert error.exit_code == 1


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("yaml: line 1: did not find expected node content", "did not find expected"),
        ("validating /a/x.yml: services.a Additional property bla is not allowed", "Additional property bla"),
        ('service "a" depends on undefined service b: invalid compose project', "undefined service b"),
        ("ERROR: The Compose file './x.yml' is invalid because:\nUnsupported config option", "is invalid because"),
    ],
)
def test_a_file_that_compose_does_not_understand_is_wrong_usage(output: str, words: str) -> None:
    error = explain(output, FILE, str)

    assert isinstance(error, UsageError)
    assert error.what == f"{FILE} is not a valid compose file"
    assert words in error.looked[0]


def test_a_service_that_there_is_not_is_compared_with_those_that_there_are() -> None:
    error = explain("no such service: workr: not found\n", FILE, str, lambda: ["worker", "redis"])

    assert isinstance(error, UsageError)
    assert error.what.endswith("did you mean 'worker'?")


def test_of_anything_else_the_last_words_are_repeated() -> None:
    output = "Network x Creating\nError response from daemon: no space left on device\n\n"

    assert explain(output, FILE, str).what.endswith("Error response from daemon: no space left on device")
