"""The stack in the background: up -d, status, logs, restart, down."""

import json
import os
import re

import pytest

from tests.acceptance.harness import DEVKIT, PYTHON, Project, fetch, wait_until

SERVICES = ["redis", "api", "worker", "flower"]


def test_up_d_prints_the_table_and_returns(small: Project) -> None:
    up = small.up("redis")
    assert re.search(r"^ redis +\d+\.\d\d s +redis://127\.0\.0\.1:\d+ +embedded redis-server", up.out, re.MULTILINE)
    assert small.services()["redis"]["state"] == "ready"


def test_naming_a_service_starts_it_and_what_it_needs(sample: Project) -> None:
    sample.up("api")
    assert list(sample.services()) == ["redis", "api"]


def test_status_shows_each_service(running: Project) -> None:
    status = running.devkit("status").expect(0)
    for name, service in running.services().items():
        assert re.search(rf"^ {name} +ready +\d+\.\d\d s +{service['url'] or ''}", status.out, re.MULTILINE)
    assert status.err == ""


def test_status_json_has_the_promised_shape(running: Project) -> None:
    done = running.devkit("status", "--json").expect(0)
    status = done.json()
    assert done.err == ""
    assert set(status) == {"project", "pid", "uptime_s", "services"}
    assert status["project"] == str(running.root)
    assert status["pid"] in running.processes()
    assert status["uptime_s"] >= 0
    assert [service["name"] for service in status["services"]] == SERVICES
    for service in status["services"]:
        assert set(service) == {"name", "state", "pid", "url", "ready_s", "restarts", "generation", "note"}
        assert service["state"] == "ready"
        assert service["pid"] in running.processes()
        assert service["ready_s"] >= 0
        assert (type(service["restarts"]), type(service["generation"]), type(service["note"])) == (int, int, str)


def test_status_without_a_stack(small: Project) -> None:
    status = small.devkit("status", "--json").expect(1)
    assert status.json() == {"project": str(small.root), "pid": None, "uptime_s": None, "services": []}
    assert "devkit up" in small.devkit("status").expect(1).err


def test_status_finds_the_project_from_a_folder_below_it(running: Project) -> None:
    (running.root / "pyproject.toml").touch()
    assert "worker" in running.devkit("status", cwd=running.root / "sample_app").expect(0).out


def test_directory_option_stands_for_cd(running: Project) -> None:
    before = running.devkit("-C", str(running.root), "status", "--json", cwd=running.root.parent).expect(0)
    after = running.devkit("status", "--json", "-C", running.root.name, cwd=running.root.parent).expect(0)
    assert before.json()["pid"] == after.json()["pid"] == running.status()["pid"]


def test_logs_shows_the_last_lines_of_each_service(running: Project) -> None:
    fetch("GET", running.url("api"))
    wait_until(lambda: '"GET / HTTP/1.1" 200' in running.log("api"))
    lines = running.devkit("logs", "-n", "2").expect(0).out.splitlines()
    names = [line.partition("|")[0].strip() for line in lines]
    assert {"redis", "api", "worker"} <= set(names) <= set(SERVICES)
    assert all(names.count(name) <= 2 for name in names)


def test_logs_of_one_service(running: Project) -> None:
    lines = running.devkit("logs", "worker").expect(0).out.splitlines()
    assert all(line.startswith("worker | ") for line in lines)
    assert any("sample_app.tasks.divide" in line for line in lines)  # the worker lists its tasks


@pytest.mark.parametrize("service", SERVICES)
def test_logs_of_a_running_service_are_no_error_even_if_it_has_said_nothing(running: Project, service: str) -> None:
    running.devkit("logs", service).expect(0)


def test_logs_as_json(running: Project) -> None:
    lines = running.devkit("logs", "--json", "-n", "3", "worker", "api").expect(0).json()
    assert {line["service"] for line in lines} == {"worker", "api"}
    assert all(set(line) == {"time", "service", "line"} for line in lines)
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["time"]) for line in lines)


def test_logs_of_an_unknown_service(running: Project) -> None:
    done = running.devkit("logs", "workr").expect(2)
    assert "did you mean 'worker'" in done.err


def test_logs_f_shows_what_comes_and_ends_with_the_stack(sample: Project) -> None:
    sample.up("api")
    plain = sample.start("logs", "-f", "api")
    as_json = sample.start("logs", "-f", "--json")
    plain.wait_for("Application startup complete")
    as_json.wait_for("Application startup complete")
    fetch("GET", sample.url("api"))
    plain.wait_for(r'^api \| .*"GET / HTTP/1.1" 200')
    as_json.wait_for("GET / HTTP/1.1")

    sample.devkit("down").expect(0)

    assert (plain.end(), as_json.end()) == (0, 0)
    plain.wait_for("Finished server process")
    assert {json.loads(line)["service"] for line in as_json.out.splitlines()} == {"redis", "api"}


def test_ctrl_c_ends_logs_f_and_leaves_the_stack_alone(running: Project) -> None:
    before = running.pids()
    logs = running.start("logs", "-f", terminal=True)
    logs.wait_for("Application startup complete")
    logs.press_ctrl_c()
    assert logs.end() in {0, 130}
    assert running.pids() == before


def test_logs_f_without_a_stack_ends(small: Project) -> None:
    assert small.devkit("logs", "-f").expect(0).out == ""


def test_logs_are_there_after_the_stack_stopped(small: Project) -> None:
    for _ in range(2):
        small.up("redis")
        small.devkit("down").expect(0)
        # Those of the last run only: before it lies another day.
        assert small.devkit("logs", "redis").expect(0).out.count("Ready to accept connections") == 1


@pytest.mark.parametrize("command", [["status"], ["restart", "nosuch"]])
def test_output_that_can_show_ascii_only(running: Project, command: list[str]) -> None:
    plain = running.devkit(*command)
    ascii_only = running.devkit(*command, env={"PYTHONIOENCODING": "ascii"}).expect(plain.code)
    assert "worker" in ascii_only.out + ascii_only.err


def test_logs_into_a_closed_pipe_say_nothing(running: Project) -> None:
    done = running.run("sh", "-c", f"{DEVKIT} logs | head -1")
    assert (done.code, len(done.out.splitlines()), done.err) == (0, 1, "")


def test_restart_gives_one_service_a_new_process(running: Project) -> None:
    before = running.services()
    done = running.devkit("restart", "worker").expect(0)
    after = running.services()

    assert re.search(r"^ worker +\d+\.\d\d s", done.out, re.MULTILINE)
    assert after["worker"]["pid"] != before["worker"]["pid"]
    assert after["worker"]["state"] == "ready"
    assert after["worker"]["restarts"] == before["worker"]["restarts"]  # nothing crashed
    others = set(SERVICES) - {"worker"}
    assert {name: after[name]["pid"] for name in others} == {name: before[name]["pid"] for name in others}
    assert running.devkit("run", "divide", "--args", "[5, 2]").expect(0).out == "2.5\n"


def test_restart_of_everything(running: Project) -> None:
    before = running.services()
    running.devkit("restart", *SERVICES).expect(0)
    after = running.services()
    assert [name for name in SERVICES if after[name]["pid"] == before[name]["pid"]] == []
    assert {service["state"] for service in after.values()} == {"ready"}
    assert running.devkit("run", "divide", "--args", "[5, 2]").expect(0).out == "2.5\n"


def test_restart_of_an_unknown_service(running: Project) -> None:
    before = running.pids()
    done = running.devkit("restart", "worker", "flowr").expect(2)
    assert "did you mean 'flower'" in done.err
    assert running.pids() == before


def test_restart_without_a_stack(small: Project) -> None:
    assert "devkit up" in small.devkit("restart", "worker").expect(1).err


def test_a_second_up_names_the_first(running: Project) -> None:
    pid = running.status()["pid"]
    for detach in ([], ["-d"]):
        done = running.devkit("up", *detach).expect(1)
        assert f"pid {pid}" in done.err
        assert "devkit down" in done.err
    assert running.status()["pid"] == pid


def test_of_two_at_the_same_time_one_runs(small: Project) -> None:
    ups = [small.start("up", "redis"), small.start("up", "redis")]
    loser = wait_until(lambda: next((up for up in ups if "runs already" in up.err), None))
    winner = ups[1 - ups.index(loser)].wait_for_all_ready()
    assert loser.end() == 1
    assert f"pid {winner.pid}" in loser.err


def test_down_during_the_start_ends_it(small: Project) -> None:
    up = small.start("up")
    wait_until(lambda: len(small.processes()) > 1)
    assert small.devkit("down").expect(0).err == "stopped\n"
    up.end()
    assert small.processes() == {}


def test_ctrl_c_during_up_d_leaves_nothing(small: Project) -> None:
    up = small.start("up", "-d", terminal=True)
    wait_until(lambda: len(small.processes()) > 2)
    up.press_ctrl_c()
    assert up.end() == 130
    small.wait_until_gone()


def test_a_service_is_starting_until_it_is_ready(small: Project) -> None:
    small.write({"pyproject.toml": "[tool.devkit.services.slow]\ncommand = 'sleep 1000'\nready = 'test -e go'"})
    up = small.start("up", "slow")
    small.wait_for_state("slow", "starting")
    assert "all is ready" not in up.err
    small.write({"go": ""})
    small.wait_for_state("slow", "ready")
    up.wait_for_all_ready()


def test_down_stops_everything_and_may_be_repeated(small: Project) -> None:
    small.up("worker")
    assert small.devkit("down").expect(0).err == "stopped\n"
    assert wait_until(lambda: small.processes() == {}, timeout=1.0)
    assert small.devkit("down").expect(0).err == "no stack runs here\n"


def test_down_stops_a_stack_in_the_foreground(small: Project) -> None:
    up = small.start("up", "redis").wait_for_all_ready()
    small.devkit("down").expect(0)
    assert up.end() == 0


def test_data_is_private_to_its_user(small: Project) -> None:
    small.up("redis")
    data = small.root / ".devkit"
    assert data.stat().st_mode & 0o777 == 0o700
    assert (data / ".gitignore").read_text() == "*\n"
    assert {log.name for log in (data / "logs").iterdir() if log.stat().st_mode & 0o077} == set()


def test_python_m_devkit_is_devkit(running: Project) -> None:
    done = running.run(PYTHON, "-m", "devkit", "status", "--json").expect(0)
    assert done.json()["pid"] == running.status()["pid"] != os.getpid()
