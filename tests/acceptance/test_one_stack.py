"""One stack a data folder, and it is found, whatever the environment of a command says about folders for sockets."""

import json
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.acceptance.harness import DEVKIT, Project, wait_until
from tests.acceptance.test_bad_input import BOUND
from tests.acceptance.test_crashes import kill_devkit_and_its_guard


@pytest.fixture
def other_folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="dk-", dir="/tmp") as folder:
        yield folder


@pytest.fixture
def other(other_folder: str) -> dict[str, str]:
    """What another shell has in the place of what the project's own has."""
    return {"XDG_RUNTIME_DIR": other_folder}


def keys(project: Project) -> int:
    with redis.Redis.from_url(f"{project.url('redis')}/0") as client:
        size = client.dbsize()
        assert isinstance(size, int)
        return size


@pytest.mark.parametrize("differs", ["XDG_RUNTIME_DIR", "TMPDIR", "neither is set"])
def test_a_second_stack_is_refused_and_the_firsts_data_stays(small: Project, differs: str, other_folder: str) -> None:
    """As in another terminal, under ssh, in an editor or in cron."""
    other = {"XDG_RUNTIME_DIR": "", "TMPDIR": ""}
    if differs in other:
        other[differs] = other_folder
    small.up("worker", "-P", "solo")
    before = small.status()
    with redis.Redis.from_url(f"{small.url('redis')}/0") as client:
        for number in range(220):
            client.set(f"key {number}", "x")
    had = keys(small)
    assert had >= 220

    for detach in ([], ["-d"], ["--docker"]):
        done = small.devkit("up", *detach, env=other).expect(1)
        assert f"a stack of this project runs already (pid {before['pid']})" in done.err
        assert "devkit down" in done.err

    assert small.status()["services"] == before["services"]
    assert json.loads(small.devkit("status", "--json", env=other).expect(0).out)["pid"] == before["pid"]
    assert keys(small) == had


def test_every_command_finds_it(small: Project, other: dict[str, str]) -> None:
    small.up("worker")
    small.write(
        {"tasks.py": (small.root / "tasks.py").read_text() + '\n@app.task\ndef fail():\n    raise OSError("no")\n'}
    )
    small.wait_for_log("worker", "generation 2|live")
    here = small.status()

    there = json.loads(small.devkit("status", "--json", env=other).expect(0).out)
    assert there["pid"] == here["pid"]
    assert {one["name"]: one["pid"] for one in there["services"]} == small.pids()
    assert small.devkit("run", "add", "--args", "[1, 2]", env=other).expect(0).out == "3\n"
    assert "OSError: no" in small.devkit("run", "fail", env=other).expect(1).out
    (failed,) = json.loads(small.devkit("failures", "--json", env=other).expect(0).out)
    assert small.devkit("replay", failed["id"], env=other).expect(1)
    assert "tasks.fail failed" in small.devkit("logs", "worker", env=other).expect(0).out
    assert small.devkit("debug", "nosuch", "--timeout", "1", env=other).expect(2)  # it knows the stack's tasks
    small.devkit("restart", "worker", env=other).expect(0)
    assert small.pids()["worker"] != {one["name"]: one["pid"] for one in here["services"]}["worker"]

    assert small.devkit("down", env=other).expect(0).err == "stopped\n"
    small.wait_until_gone()


def test_logs_f_follows_it_to_its_end(small: Project, other: dict[str, str]) -> None:
    small.up("redis")
    logs = small.start("logs", "-f", env=other)
    logs.wait_for("Ready to accept connections")

    small.devkit("down").expect(0)

    assert logs.end() == 0


def test_of_two_at_once_one_runs(small: Project, other: dict[str, str]) -> None:
    ups = [small.start("up", "redis"), small.start("up", "redis", env=other)]
    loser = wait_until(lambda: next((up for up in ups if "runs already" in up.err), None))
    winner = ups[1 - ups.index(loser)].wait_for_all_ready()
    assert loser.end() == 1
    assert f"pid {winner.pid}" in loser.err


@pytest.mark.parametrize("command", ["up", "down"])
def test_what_a_crash_left_is_ended_from_elsewhere(small: Project, other: dict[str, str], command: str) -> None:
    small.up("redis")
    left = small.pids()["redis"]
    kill_devkit_and_its_guard(small)

    done = (
        small.devkit("down", env=other).expect(0) if command == "down" else small.devkit("up", "-d", "redis", env=other)
    )

    assert f"ended what a crash had left running: redis (pid {left})" in done.err
    assert left not in small.processes()
    if command == "up":
        small.devkit("down").expect(0)  # found from here, too
    small.wait_until_gone()


def test_by_whatever_way_the_folder_is_reached(small: Project, other: dict[str, str], tmp_path: Path) -> None:
    link, data = tmp_path / "link", tmp_path / "data"
    link.symlink_to(small.root)
    small.environ["DEVKIT_DATA_DIR"] = str(data)
    small.up("redis")
    pid = small.status()["pid"]
    other_way = tmp_path / "way"
    other_way.symlink_to(tmp_path)
    there = other | {"DEVKIT_DATA_DIR": str(other_way / "data")}

    assert f"(pid {pid})" in small.devkit("up", cwd=link, env=there).expect(1).err
    assert json.loads(small.devkit("status", "--json", cwd=link, env=there).expect(0).out)["pid"] == pid


def test_another_data_folder_is_another_stack(small: Project, tmp_path: Path) -> None:
    """Neither ends the other's services, nor does what one left in a crash."""
    second = {"DEVKIT_DATA_DIR": str(tmp_path / "data")}
    small.up("redis")
    small.devkit("up", "-d", "redis", env=second).expect(0)
    first, other = small.status(), json.loads(small.devkit("status", "--json", env=second).expect(0).out)
    assert first["pid"] != other["pid"]
    assert first["services"][0]["url"] != other["services"][0]["url"]

    os.kill(first["pid"], signal.SIGKILL)
    wait_until(lambda: small.devkit("status").code == 1)
    small.up("redis")
    small.devkit("down").expect(0)

    assert json.loads(small.devkit("status", "--json", env=second).expect(0).out)["services"] == other["services"]
    small.devkit("down", env=second).expect(0)
    small.wait_until_gone()


def test_two_projects_with_one_data_folder(small: Project, tmp_path: Path) -> None:
    """The second is refused, and takes the first one's stack for its own in no command."""
    shared = {"DEVKIT_DATA_DIR": str(tmp_path / "data")}
    another = tmp_path / "another"
    shutil.copytree(small.root, another)
    small.devkit("up", "-d", "redis", env=shared).expect(0)
    pid = json.loads(small.devkit("status", "--json", env=shared).expect(0).out)["pid"]

    for command in ("up", "up -d", "down", "status", "run add --args [1,2]"):
        done = small.devkit(*command.split(), cwd=another, env=shared).expect(1)
        assert f"the stack of {small.root} (pid {pid})" in done.err
        assert "DEVKIT_DATA_DIR" in done.err

    small.devkit("down", env=shared).expect(0)
    small.wait_until_gone()


def test_a_stack_on_another_machine(small: Project, other_folder: str) -> None:
    """The folder is shared over the network, or with a container: its process is not one of ours."""
    small.up("redis")
    pid, lock = small.status()["pid"], small.root / ".devkit" / "lock"
    told = json.loads(lock.read_text())
    assert told["host"] == socket.gethostname()
    lock.write_text(json.dumps(told | {"host": "far-away"}))

    there = {"XDG_RUNTIME_DIR": other_folder}
    for command in ("up", "down"):
        done = small.devkit(command, env=there).expect(1)
        assert f"(pid {pid} on far-away)" in done.err
        assert "kill" not in done.err
    small.devkit("status", env=there).expect(1)

    lock.write_text(json.dumps(told))
    small.devkit("down").expect(0)


def test_a_lock_that_cannot_be_taken(small: Project) -> None:
    """As where the file system has no locks; and not to be mistaken for a stack that runs."""
    (small.root / ".devkit" / "lock").mkdir(parents=True)
    done = small.devkit("up").expect(1)
    assert f"cannot lock {small.root / '.devkit' / 'lock'}" in done.err
    assert "DEVKIT_DATA_DIR" in done.err


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become another user")
def test_the_stack_of_another_account(small: Project) -> None:
    """`sudo devkit` beside one's own, or the other way round."""
    small.up("redis")
    small.root.chmod(0o755)
    runtime = json.loads((small.root / ".devkit" / "lock").read_text())["runtime"]
    for folder in (runtime, Path(runtime).parent):
        os.chown(folder, 12345, 12345)

    for command in ("status", "run add", "down", "up"):
        done = small.devkit(*command.split()).expect(1)
        assert "belongs to somebody else" in done.err
        assert "uid 12345" in done.err

    for folder in (runtime, Path(runtime).parent):
        os.chown(folder, 0, 0)
    small.devkit("down").expect(0)


def test_down_makes_no_folder(small: Project) -> None:
    assert small.devkit("down").expect(0).err == "no stack runs here\n"
    assert not (small.root / ".devkit").exists()


def test_it_is_found_without_the_right_to_write(small: Project) -> None:
    small.up("redis")
    data = small.root / ".devkit"
    data.chmod(0o500)
    (data / "lock").chmod(0o400)
    small.run(*BOUND, DEVKIT, "status").expect(0)
    data.chmod(0o700)


def test_without_its_data_folder_it_is_still_the_one(small: Project) -> None:
    """`git clean -xd` takes the folder away, and the lock in it."""
    small.up("redis")
    pid = small.status()["pid"]
    shutil.rmtree(small.root / ".devkit")

    for detach in ([], ["-d"]):
        assert f"runs already (pid {pid})" in small.devkit("up", *detach).expect(1).err
    assert small.services()["redis"]["restarts"] == 0
    assert small.devkit("down").expect(0).err == "stopped\n"
