"""`devkit up --docker` on a real engine: from its table to the last network, and what may go wrong on the way."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.containers import REDIS, ComposeProject, Images, why_no_docker, worker
from tests.acceptance.harness import SMALL_APP, Json, free_port, is_free, wait_until

pytestmark = [
    pytest.mark.skipif(bool(why_no_docker()), reason=why_no_docker() or "there is docker"),
]

FILE = "docker-compose.dev.yml"
UP_S = 90.0  # on a machine that is busy with other containers
QUICK: Json = {"interval": "400ms", "retries": 4, "start_period": "0s"}
PYTHON = "python:3.13-slim"
# What a service's program does once it has started.
IS_READY = "import pathlib, time; pathlib.Path('/tmp/ready').touch(); print('here I am', flush=True); time.sleep(1000)"
Make = Callable[..., ComposeProject]


def program(code: str, **more: object) -> Json:
    """A service that runs a few lines of Python, and is ready once they have made a file."""
    check = {"test": ["CMD", "test", "-e", "/tmp/ready"], **QUICK}
    return {"image": PYTHON, "init": True, "command": ["python", "-c", code], "healthcheck": check, **more}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes projects of these services; each is gone after the test."""
    with ExitStack() as made:

        def make(services: Mapping[str, Json], files: Mapping[str, str] = SMALL_APP) -> ComposeProject:
            project = ComposeProject(tmp_path / str(len(list(tmp_path.iterdir()))), files, services, file=FILE)
            made.callback(project.close)
            return project

        yield make


def networks(project: ComposeProject) -> list[str]:
    argv = ["docker", "network", "ls", "-q", "--filter", f"label=com.docker.compose.project={project.name}"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()


def nothing_is_left(project: ComposeProject) -> bool:
    return project.containers(stopped=True) == [] and networks(project) == []


def test_a_stack_from_up_to_ctrl_c(make: Make, images: Images) -> None:
    ready = {"test": ["CMD", "test", "-e", "/tmp/ready"], **QUICK, "retries": 60}
    argv = ("devkit", "worker", "-A", "tasks", "-c", "1", "--ready-file", "/tmp/ready")
    project = make(
        {
            "redis": {**REDIS, "healthcheck": {"test": ["CMD", "redis-cli", "ping"], **QUICK}},
            "worker": worker(
                images.devkit, *argv, healthcheck=ready, depends_on={"redis": {"condition": "service_healthy"}}
            ),
        }
    )
    up = project.start("up", "--docker", "--scale", "worker=2", terminal=True)

    up.wait_for(r"worker-2 +\d+\.\d\d s", UP_S)
    up.wait_for("all is ready; Ctrl-C stops it")
    assert "Container" in up.out.partition("ready after")[0]  # compose's own progress
    services = project.services()
    assert list(services) == ["redis", "worker-1", "worker-2"]
    assert {one["state"] for one in services.values()} == {"ready"}
    assert services["redis"]["url"] == project.redis
    assert services["worker-1"]["pid"] != services["worker-2"]["pid"]
    assert project.status()["pid"] == up.pid

    assert f"runs already (pid {up.pid})" in project.devkit("up", "--docker").expect(1).err
    assert f"runs already (pid {up.pid})" in project.devkit("up", "-d").expect(1).err

    project.run("docker", "kill", project.containers("worker")[1]).expect(0)
    up.wait_for("worker-2 was killed by SIGKILL")
    assert project.wait_for_state("worker-2", "failed")["note"] == "was killed by SIGKILL"
    table = project.devkit("restart", "worker").expect(0).out
    assert "worker-1" in table
    assert "worker-2" in table
    up.wait_for(r"^devkit: worker-1 was stopped")
    for name in ("worker-1", "worker-2"):
        up.wait_for(rf"^devkit: {name} is ready after")
        assert project.services()[name]["pid"] != services[name]["pid"]
    assert project.devkit("logs", "worker-1", "-n", "1").expect(0).out.startswith("worker-1 | ")

    up.press_ctrl_c()
    assert up.end(UP_S) == 0
    up.wait_for("Redis is now ready to exit")
    assert nothing_is_left(project)
    assert "Redis is now ready to exit" in project.devkit("logs", "redis", "-n", "1").out


def test_a_stack_that_is_left_to_docker(make: Make) -> None:
    port = free_port()
    project = make({"web": program(IS_READY), "api": program(IS_READY, ports=["127.0.0.1:${DEVKIT_API_PORT}:8000"])})
    done = project.devkit("up", "--docker", "-d", "--no-flower", "--api-port", str(port)).expect(0)

    assert f"http://127.0.0.1:{port}" in done.out
    status = project.status()
    assert status["pid"] is None
    assert status["uptime_s"] > 0
    assert [one["ready_s"] > 0 for one in status["services"]] == [True, True]
    assert "runs already, in the containers" in project.devkit("up", "-d").expect(1).err
    assert "runs already, in the containers" in project.devkit("up", "--docker").expect(1).err

    other = make({"web": program(IS_READY)})
    refused = other.devkit("up", "--docker", "-d", env={"COMPOSE_PROJECT_NAME": project.name}).expect(1)
    assert "COMPOSE_PROJECT_NAME" in refused.err
    assert other.devkit("status", env={"COMPOSE_PROJECT_NAME": project.name}).code == 1

    (line,) = project.devkit("logs", "web", "--json").expect(0).json()
    assert (line["service"], line["line"]) == ("web", "here I am")
    follower = project.start("logs", "web", "-f", "--json")
    follower.wait_for("here I am")
    project.devkit("restart", "web").expect(0)
    wait_until(lambda: follower.out.count("here I am") == 2, why=lambda: follower.out)
    assert [json.loads(one)["line"] for one in follower.out.splitlines()] == ["here I am"] * 2

    project.run("docker", "stop", "-t", "1", project.container("web")).expect(0)
    assert project.wait_for_state("web", "stopped")["note"] == "was ended by SIGTERM"
    assert "did you mean 'web'" in project.devkit("restart", "wep").expect(2).err

    assert "removed the containers" in project.devkit("down").expect(0).err
    assert follower.end() == 0
    assert nothing_is_left(project)
    assert is_free(port)
    assert project.devkit("status").code == 1


def test_what_was_started_by_hand_and_what_a_kill_left(make: Make) -> None:
    project = make({"web": program(IS_READY, volumes=["kept:/kept"])})
    project.write({FILE: json.dumps({**json.loads((project.root / FILE).read_text()), "volumes": {"kept": {}}})})
    project.compose_up()
    assert project.services()["web"]["state"] == "ready"
    assert "runs already, in the containers" in project.devkit("up", "--docker").expect(1).err
    words = project.devkit("down").expect(0).err
    assert f"docker volume rm {project.name}_kept" in words
    assert nothing_is_left(project)

    up = project.start("up", "--docker")
    up.wait_for("all is ready", UP_S)
    up.signal(signal.SIGKILL)
    up.end()
    assert project.services()["web"]["state"] == "ready"
    assert "removed the containers web" in project.devkit("down").expect(0).err
    assert nothing_is_left(project)

    up = project.start("up", "--docker")
    up.wait_for("all is ready", UP_S)
    project.devkit("down").expect(0)
    assert up.end() == 0
    assert nothing_is_left(project)


def test_a_second_ctrl_c_kills(make: Make) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); " + IS_READY
    project = make({"web": program(deaf, stop_grace_period="60s")})
    up = project.start("up", "--docker", terminal=True)
    up.wait_for("all is ready", UP_S)

    up.press_ctrl_c()
    up.wait_for("Ctrl-C again kills")
    up.press_ctrl_c()

    assert up.end() == 130
    assert nothing_is_left(project)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (
            program("print('one', flush=True); raise ValueError('no')"),
            r"worker ended with exit code 1\n.*│ one\n(.*\n)*.*ValueError",
        ),
        (program("print('deaf', flush=True); import time; time.sleep(99)"), r"worker is unhealthy\n.*│ deaf"),
    ],
    ids=["exits", "unhealthy"],
)
def test_a_service_that_does_not_start_ends_it_all(make: Make, broken: Json, said: str) -> None:
    needed = {"depends_on": {"worker": {"condition": "service_healthy"}}}
    project = make({"web": program(IS_READY), "worker": broken, "last": program(IS_READY, **needed)})
    up = project.start("up", "--docker")

    assert up.end(UP_S) == 1
    up.wait_for(said)
    assert nothing_is_left(project)
    assert project.devkit("logs", "worker").expect(0).out.startswith("worker | ")


def test_an_image_is_built_when_something_has_changed_that_goes_into_it(make: Make) -> None:
    service = program(IS_READY, build={"context": ".", "dockerfile": "Dockerfile.dev"})
    del service["image"]
    recipe = f"FROM {PYTHON}\nRUN echo {{}}\n"
    project = make({"web": service}, {"Dockerfile.dev": recipe.format("one"), "pyproject.toml": ""})

    def built() -> str:
        done = project.devkit("up", "--docker", "-d").expect(0)
        project.devkit("down").expect(0)
        return done.err

    assert "echo one" in built()
    assert "echo" not in built()
    project.write({"Dockerfile.dev": f"FROM {PYTHON}\nRUN echo broken && exit 3\n"})
    failed = project.devkit("up", "--docker", "-d").expect(1)
    assert "broken" in failed.err
    assert "the image could not be built" in failed.err
    assert nothing_is_left(project)


def test_a_port_that_is_taken_is_said_with_its_holder(make: Make) -> None:
    with subprocess.Popen(["python3", "-m", "http.server", str(port := free_port()), "--bind", "127.0.0.1"],
                          stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as server:  # fmt: skip
        wait_until(lambda: not is_free(port))
        project = make({"web": program(IS_READY, ports=[f"127.0.0.1:{port}:8000"])})
        done = project.devkit("up", "--docker", "-d").expect(1)
        server.terminate()

    assert f"port {port} is taken by pid {server.pid} (" in done.err
    assert nothing_is_left(project)


def test_what_is_missing_is_said_with_what_mends_it(make: Make, tmp_path: Path) -> None:
    project = make({"web": program(IS_READY)})
    empty = tmp_path / "empty"
    empty.mkdir()
    cases = [
        ((), {"DOCKER_HOST": "unix:///nowhere"}, 1, "docker's engine does not run", "sudo systemctl start docker"),
        ((), {"PATH": str(empty)}, 1, "docker is not installed", "https://docs.docker.com"),
        ((), {"DEVKIT_COMPOSE_FILE": "none.yml"}, 1, "there is no compose file none.yml", "devkit init --docker"),
        (("wep",), {}, 2, "there is no service 'wep'", "did you mean 'web'"),
        (("-P", "solo"), {}, 2, "pool cannot be set", "DEVKIT_POOL"),
        (("--broker", "redis://localhost"), {}, 2, "containers cannot reach redis://localhost", "--broker amqp://"),
        (("--scale", "web"), {}, 2, "--scale", "--scale worker=3"),
        (("--profile", "nosuch"), {}, 2, "has the profile 'nosuch'", "--profile"),
    ]
    for arguments, env, code, what, mend in cases:
        done = project.devkit("up", "--docker", *arguments, env=env).expect(code)
        assert what in done.err
        assert mend in done.err
    assert "devkit up --docker --build" in project.devkit("up", "--build").expect(2).err
