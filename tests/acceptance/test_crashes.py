"""What happens when a service, or devkit itself, is killed."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import psutil
import pytest
import redis

from tests.acceptance.harness import Project, copy_of_sample_app, task_through_api, tasks_in_flower, wait_until

# Crashes as long as there is a file named "broken" beside it.
FLAKY = """
[tool.devkit.services.flaky]
command = "while sleep 0.05; do test ! -e broken || exit 3; done"
ready = "test ! -e broken"
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The sample app's whole stack, not the one of the other modules: here it gets hurt."""
    with closing(Project(tmp_path_factory.mktemp("hurt"), copy_of_sample_app())) as project:
        project.ask_for_ports()
        project.up()
        yield project


@pytest.mark.parametrize("service", ["redis", "api", "worker", "flower"])
def test_a_killed_service_comes_back_and_the_others_go_on(stack: Project, service: str) -> None:
    before = stack.services()

    os.kill(before[service]["pid"], signal.SIGKILL)

    wait_until(lambda: stack.pids()[service] not in {None, before[service]["pid"]})
    stack.wait_for_state(service, "ready")
    after = stack.services()
    assert after[service]["restarts"] == before[service]["restarts"] + 1
    others = set(before) - {service}
    assert {name: after[name]["pid"] for name in others} == {name: before[name]["pid"] for name in others}

    done = task_through_api(stack.url("api"), "/divide", x=5, y=2)
    assert done["result"] == 2.5
    wait_until(lambda: done["task_id"] in tasks_in_flower(stack.url("flower")))


def test_the_notice_says_what_killed_it(sample: Project) -> None:
    up = sample.start("up", "api").wait_for_all_ready()
    os.kill(sample.pids()["api"], signal.SIGKILL)
    up.wait_for(r"^devkit: api was killed by SIGKILL; it starts again")
    up.wait_for(r"^devkit: api is ready after")


def test_a_worker_takes_its_children_along(small: Project) -> None:
    small.up("worker", "-c", "2")
    worker = small.pids()["worker"]
    children = {child.pid for child in psutil.Process(worker).children(recursive=True)}
    assert len(children) == 4  # the zygote, one generation of the worker and its pool
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not children & set(small.processes()), why=small.processes)


@pytest.fixture
def flaky(small: Project) -> Project:
    small.write({"pyproject.toml": FLAKY})
    return small


def test_a_service_that_crashes_again_and_again_is_given_up(flaky: Project) -> None:
    up = flaky.start("up", "redis", "flaky").wait_for_all_ready()
    before = flaky.pids()
    flaky.write({"broken": ""})

    failed = flaky.wait_for_state("flaky", "failed")

    assert "ended with exit code 3, again and again" in failed["note"]
    assert failed["restarts"] == 4
    up.wait_for("Error: flaky ended with exit code 3, again and again")
    up.wait_for("devkit restart flaky")
    assert flaky.services()["redis"]["pid"] == before["redis"]

    (flaky.root / "broken").unlink()
    flaky.devkit("restart", "flaky").expect(0)
    assert flaky.services()["flaky"]["state"] == "ready"


def test_a_restart_that_fails(flaky: Project) -> None:
    up = flaky.start("up", "redis", "flaky").wait_for_all_ready()
    flaky.write({"broken": ""})
    done = flaky.devkit("restart", "flaky").expect(1)
    assert "flaky ended with exit code 3, again and again" in done.err
    assert "devkit logs" in done.err
    assert flaky.services()["flaky"]["state"] == "failed"

    up.press_ctrl_c()

    assert up.end() == 0
    assert flaky.processes() == {}


def test_nothing_survives_a_killed_devkit(sample: Project) -> None:
    sample.up()
    sample.devkit("run", "build_report", "--args", "[1000]", "--no-wait").expect(0)
    sample.wait_for_log("worker", "build_report.*received")

    os.kill(sample.status()["pid"], signal.SIGKILL)

    sample.wait_until_gone(timeout=5.0)
    sample.devkit("status").expect(1)
    sample.up("redis")


def guard_of(project: Project) -> int:
    return next(pid for pid, command in project.processes().items() if "devkit.stack.guard" in command)


def kill_devkit_and_its_guard(project: Project) -> None:
    devkit = project.status()["pid"]
    for pid in (guard_of(project), devkit):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: devkit not in project.processes())


def test_the_next_up_ends_what_a_crash_left(small: Project) -> None:
    small.up("worker")
    left = small.pids()
    kill_devkit_and_its_guard(small)
    assert set(left.values()) <= set(small.processes())

    up = small.start("up", "worker").wait_for_all_ready()

    assert not set(left.values()) & set(small.processes())
    for name, pid in left.items():
        up.wait_for(rf"^devkit: ended what a crash had left running: .*{name} \(pid {pid}\)")
    assert small.devkit("run", "add", "--args", "[1, 2]").expect(0).out == "3\n"


def test_the_next_up_d_says_so_too(small: Project) -> None:
    small.up("redis")
    kill_devkit_and_its_guard(small)
    assert "ended what a crash had left running: redis" in small.up("redis").err


def test_down_ends_what_a_crash_left(small: Project) -> None:
    small.up("worker")
    kill_devkit_and_its_guard(small)
    assert "redis (pid" in small.devkit("down").expect(0).err
    small.wait_until_gone()


def test_a_killed_guard_is_replaced(flaky: Project) -> None:
    flaky.up("redis", "flaky")
    os.kill(guard_of(flaky), signal.SIGKILL)
    flaky.devkit("restart", "flaky").expect(0)
    os.kill(flaky.status()["pid"], signal.SIGKILL)
    flaky.wait_until_gone()


def length_of(queue: str, project: Project) -> int:
    with redis.Redis.from_url(f"{project.url('redis')}/0") as client:
        return cast("int", client.llen(queue))


@pytest.mark.parametrize("kill", [False, True], ids=["down and up", "kill and up"])
def test_tasks_in_the_queue_outlive_the_stack(small: Project, kill: bool) -> None:
    small.up("redis")
    small.devkit("run", "add", "--args", "[1, 2]", "--queue", "other", "--no-wait").expect(0)
    assert length_of("other", small) == 1
    if kill:
        wait_until(lambda: b"add" in written(small.root / ".devkit" / "redis"))
        kill_devkit_and_its_guard(small)
    else:
        small.devkit("down").expect(0)

    small.up("worker", "-Q", "other", "-P", "solo")

    small.wait_for_log("worker", r"tasks\.add\[\S+\] succeeded .*: 3")


def written(folder: Path) -> bytes:
    """What Redis has on disk: it may be a second behind."""
    return b"".join(path.read_bytes() for path in folder.rglob("*.aof"))


def test_flower_still_knows_its_tasks_after_a_restart(small: Project) -> None:
    small.up("flower", "worker", "-P", "solo")
    task_id = small.devkit("run", "add", "--args", "[1, 2]", "--no-wait").expect(0).out.strip()
    wait_until(lambda: tasks_in_flower(small.url("flower")).get(task_id, {}).get("state") == "SUCCESS")

    small.devkit("restart", "flower").expect(0)
    assert task_id in tasks_in_flower(small.url("flower"))

    small.devkit("down").expect(0)
    small.up("flower")
    assert task_id in tasks_in_flower(small.url("flower"))
