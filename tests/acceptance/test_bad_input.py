"""Everything that can be wrong: devkit says what, and what mends it, and leaves nothing running."""

import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.acceptance.harness import DEAD_REDIS, DEVKIT, Project, fetch, free_port, port_of

API = """
from fastapi import FastAPI

app = FastAPI()
"""


@pytest.fixture
def listener() -> Iterator[int]:
    """A port on which this process listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


# The project's code


def test_no_celery_app(empty: Project) -> None:
    empty.write({"main.py": API})
    done = empty.devkit("up").expect(2)
    assert "No Celery app found" in done.err
    assert str(empty.root) in done.err
    assert "-A MODULE:ATTR" in done.err


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("taks:app", "did you mean 'tasks"),
        ("tasks:ap", "did you mean 'app'"),
        ("tasks:time", "tasks:time"),  # there, but not a Celery app
        ("tasks.py:app", "'tasks:app'"),
        ("tasks:", "MODULE:ATTR"),
        ("elsewhere:app", "elsewhere"),
    ],
)
def test_an_app_that_is_not_there(small: Project, spec: str, message: str) -> None:
    done = small.devkit("up", "worker", "-A", spec).expect(2)
    assert message in done.err
    assert small.processes() == {}


def test_of_two_apps_of_which_none_stands_out_one_is_started_and_the_other_named(empty: Project) -> None:
    task = "@app.task\ndef add(x, y): return x + y\n"
    empty.write(
        {f"{name}/tasks.py": f"from celery import Celery\napp = Celery()\n{task}" for name in ("cart", "stock")}
    )
    done = empty.up("worker", "-P", "solo")
    assert "stock/tasks.py:2 has a Celery app, too: devkit -C stock up starts that one" in " ".join(done.err.split())
    assert empty.devkit("run", "add", "--args", "[1, 2]").expect(0).out == "3\n"


RAISES_IN_A_LIBRARY = """
from celery import Celery
from celery.utils.imports import symbol_by_name

app = Celery("small")


def look_up():
    return symbol_by_name("nowhere.to:be_found")


look_up()
"""


@pytest.mark.parametrize("detach", [False, True], ids=["up", "up -d"])
def test_an_app_that_raises_on_import_shows_the_projects_own_frames(empty: Project, detach: bool) -> None:
    empty.write({"tasks.py": RAISES_IN_A_LIBRARY})
    done = empty.devkit("up", "worker", *["-d"] * detach).expect(1)
    assert "has no nowhere, and tasks.py:9 imports it" in done.err
    assert "ModuleNotFoundError: No module named 'nowhere'" in done.err
    frames = re.findall(r'File "(.*?)", line (\d+), in (\S+)', done.err)
    assert [(Path(file).name, name) for file, _, name in frames] == [("tasks.py", "<module>"), ("tasks.py", "look_up")]
    assert empty.processes() == {}


def test_a_syntax_error_names_its_line(small: Project) -> None:
    small.write({"tasks.py": "import helpers\n" + (small.root / "tasks.py").read_text(), "helpers.py": "def f(:\n"})
    done = small.devkit("up", "worker").expect(1)
    assert re.search(r'helpers\.py", line 1', done.err)
    assert "SyntaxError" in done.err


def test_an_app_with_a_syntax_error_is_named_where_devkit_looked(empty: Project) -> None:
    empty.write({"tasks.py": "from celery import Celery\napp = Celery(\n"})
    done = empty.devkit("up").expect(2)
    assert re.search(r"tasks\.py: skipped, .*line 2", done.err)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import os; os._exit(3)", "importing tasks"),
        ("raise KeyboardInterrupt", "importing tasks"),
        ("import not_installed", "No module named 'not_installed'"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "importing tasks"),
    ],
)
def test_an_app_that_ends_the_process_on_import(small: Project, statement: str, message: str) -> None:
    small.write({"tasks.py": (small.root / "tasks.py").read_text() + statement})
    done = small.devkit("up", "worker", "--timeout", "10").expect(1)
    assert message in done.err
    assert "does not come to an end" not in done.err
    assert small.processes() == {}


def test_an_import_that_hangs_is_given_up(small: Project) -> None:
    small.write({"tasks.py": (small.root / "tasks.py").read_text() + "time.sleep(1000)"})
    done = small.devkit("up", "worker", "--timeout", "1").expect(1)
    assert "importing tasks does not come to an end" in done.err
    assert "--timeout" in done.err
    assert small.processes() == {}


@pytest.mark.parametrize("detach", [False, True], ids=["up", "up -d"])
def test_an_api_that_raises_on_import_ends_the_start(small: Project, detach: bool) -> None:
    small.write({"main.py": API + "raise ValueError('no such luck')\n"})
    done = small.devkit("up", "api", *["-d"] * detach).expect(1)
    assert "Error: api did not start: importing main fails: ValueError: no such luck" in done.err
    assert re.search(r'main\.py", line \d+', done.err)
    assert "devkit logs api" in done.err
    assert small.processes() == {}


def test_a_worker_that_does_not_start_ends_the_start(small: Project) -> None:
    done = small.devkit("up", "worker", "-P", "nosuch").expect(1)
    assert "Error: worker did not start: generation 1 ended with exit code" in done.err
    assert "nosuch" in done.err
    assert small.processes() == {}


# Ports


@pytest.mark.parametrize(
    ("flag", "variable"),
    [("--api-port", None), ("--redis-port", None), (None, "DEVKIT_API_PORT"), (None, "DEVKIT_FLOWER_PORT")],
)
def test_an_explicit_port_that_is_taken(small: Project, listener: int, flag: str | None, variable: str | None) -> None:
    small.write({"main.py": API})
    flags = [flag, str(listener)] if flag else []
    done = small.devkit("up", *flags, env={variable: str(listener)} if variable else {}).expect(1)
    assert f"port {listener}" in done.err
    assert f"pid {os.getpid()}" in done.err
    assert small.processes() == {}


def test_an_explicit_port_that_is_free(small: Project) -> None:
    small.write({"main.py": API})
    port = free_port()
    small.up("api", "--api-port", str(port))
    assert small.url("api") == f"http://127.0.0.1:{port}"
    assert fetch("GET", f"{small.url('api')}/docs")


def test_a_usual_port_that_is_taken_moves_and_the_table_says_so(small: Project) -> None:
    small.write({"main.py": API})
    with ExitStack() as taken:
        while True:
            # It may be another test's stack that has the port, and ends at any time: then again.
            with suppress(OSError):
                taken.enter_context(socket.create_server(("127.0.0.1", 8000)))
            table = small.up("api").out
            if (port := port_of(small.url("api"))) != 8000:
                break
            small.devkit("down").expect(0)
        assert 8000 < port < 8100
        assert fetch("GET", f"http://127.0.0.1:{port}/docs")
        assert re.search(r"^ api .*\b8000\b", table, re.MULTILINE), f"says nothing of 8000\n{table}"


# Redis and brokers


def test_no_redis_server(small: Project, tmp_path: Path) -> None:
    if (Path(sys.executable).parent / "redis-server").exists():
        pytest.skip("this environment's own redis-server would be taken")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "apt-get").symlink_to(shutil.which("true") or "/bin/true")  # it is looked for, not run
    done = small.devkit("up", "worker", env={"PATH": str(tools)}).expect(1)
    assert "no redis-server" in done.err
    assert "sudo apt-get install redis-server" in done.err
    assert "--broker" in done.err
    assert small.processes() == {}


@pytest.mark.parametrize("option", ["--broker", "--result-backend", "DEVKIT_BROKER"])
def test_a_broker_asked_for_that_does_not_answer(small: Project, option: str) -> None:
    url = "redis://user:secret@127.0.0.1:1/0"
    flags, env = ([option, url], {}) if option.startswith("-") else ([], {option: url})
    done = small.devkit("up", "worker", *flags, env=env).expect(1)
    assert "redis://user:***@127.0.0.1:1/0 does not answer" in done.err
    assert "secret" not in done.out + done.err


def test_a_broker_with_a_password_is_shown_without_it(small: Project) -> None:
    small.environ["CELERY_BROKER_URL"] = DEAD_REDIS.replace("//", "//user:secret@")
    table = small.up("redis").out
    assert "secret" not in table + small.devkit("status", "--json").out


@pytest.mark.parametrize("url", ["nonsense", "redis://127.0.0.1:port/0", "nosuch://127.0.0.1/", "redis://[::1/0"])
def test_a_broker_that_is_no_url(small: Project, url: str) -> None:
    done = small.devkit("up", "worker", "--broker", url)
    assert done.code in {1, 2}
    assert url in done.err
    assert "mend:" in done.err


# Settings


@pytest.mark.parametrize("command", ["up", "run add"])
def test_toml_that_does_not_parse(small: Project, command: str) -> None:
    small.write({"pyproject.toml": "[tool.devkit\n"})
    done = small.devkit(*command.split()).expect(2)
    assert "pyproject.toml is not valid TOML" in done.err
    assert "line 1" in done.err


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (
            "[tool.devkit]\n\napi_prot = 8001",
            "line 3: unknown key 'api_prot' in [tool.devkit]; did you mean 'api_port'",
        ),
        ("[tool.devkit]\napi_port = '8001'", "line 2: 'api_port' has to be a whole number"),
        ("[tool.devkit.services.npm]\ncomand = 'x'", "line 2: unknown key 'comand'"),
        ("[tool.devkit.services.npm]\ncommand = 'x'\ndepends_on = ['apo']", "did you mean 'api'"),
        ("[tool.devkit.services.npm]\ncommand = 'x'\ncwd = 'nosuch'", "no folder"),
        ("[tool.devkit.services.worker]\ncommand = 'x'", "one of devkit's own names"),
        ("[tool.devkit.services.a]\ncommand = 'x'\ndepends_on = ['a']", "a → a"),
    ],
)
def test_a_setting_that_is_wrong(small: Project, toml: str, message: str) -> None:
    small.write({"pyproject.toml": toml, "main.py": API})
    done = small.devkit("up").expect(2)
    assert message in done.err
    assert small.processes() == {}


def test_a_command_that_cannot_be_run(small: Project) -> None:
    small.write({"pyproject.toml": "[tool.devkit.services.npm]\ncommand = ['no-such-program', 'x']"})
    done = small.devkit("up", "npm").expect(1)
    assert "no-such-program" in done.err


def test_a_wrong_value_in_the_environment(small: Project) -> None:
    done = small.devkit("up", env={"DEVKIT_API_PORT": "http"}).expect(2)
    assert "DEVKIT_API_PORT has to be a whole number" in done.err


@pytest.mark.parametrize("port", ["0", "-1", "65536", "99999"])
@pytest.mark.parametrize("place", ["flag", "environment", "pyproject.toml"])
def test_a_port_that_cannot_be(small: Project, place: str, port: str) -> None:
    flags = ["--redis-port", port] if place == "flag" else []
    env = {"DEVKIT_REDIS_PORT": port} if place == "environment" else {}
    if place == "pyproject.toml":
        small.write({"pyproject.toml": f"[tool.devkit]\nredis_port = {port}"})
    done = small.devkit("up", "redis", *flags, env=env).expect(2)
    assert port in done.err


def test_an_env_file_that_is_not_there(small: Project) -> None:
    done = small.devkit("up", "--env-file", "nosuch.env").expect(2)
    assert f"there is no env file {small.root / 'nosuch.env'}" in done.err


def test_an_env_file_that_is_no_text(small: Project) -> None:
    (small.root / ".env").write_bytes(b"NAME=\xff\xfe\x00\n")
    done = small.devkit("up").expect(2)
    assert f"cannot read {small.root / '.env'}" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["up", "nosuch"], "there is no service 'nosuch'"),
        (["up", "flowr"], "did you mean 'flower'"),
        (["up", "--nosuch"], "No such option"),
        (["up", "--timeout", "0"], "--timeout"),
        (["up", "-c", "many"], "--concurrency"),
        (["-C", "nosuch", "status"], "'nosuch' does not exist"),
        (["status", "-C", "nosuch"], "'nosuch' does not exist"),
        (["logs", "-n", "-1"], "--lines"),
        (["nosuch"], "No such command 'nosuch'"),
    ],
)
def test_wrong_usage(small: Project, arguments: list[str], message: str) -> None:
    done = small.devkit(*arguments).expect(2)
    assert message in done.err
    assert done.out == ""


def test_a_timeout_that_is_too_short(small: Project) -> None:
    small.write({"pyproject.toml": "[tool.devkit.services.slow]\ncommand = 'sleep 100'\nready = 'false'"})
    done = small.devkit("up", "-d", "slow", "--timeout", "4").expect(1)
    assert "slow did not become ready in 4 s" in done.err
    assert "--timeout" in done.err
    assert small.processes() == {}


# Folders


@pytest.mark.parametrize("detach", [False, True], ids=["up", "up -d"])
def test_a_data_folder_that_cannot_be_made(small: Project, detach: bool) -> None:
    small.write({".devkit": "a file"})
    done = small.devkit("up", *["-d"] * detach).expect(1)
    assert f"cannot write to {small.root / '.devkit'}" in done.err
    assert "DEVKIT_DATA_DIR" in done.err


def test_a_runtime_folder_that_cannot_be_made(small: Project) -> None:
    done = small.devkit("up", env={"XDG_RUNTIME_DIR": "/dev/null"}).expect(1)
    assert "XDG_RUNTIME_DIR" in done.err


def test_a_runtime_folder_too_deep_for_a_socket(small: Project) -> None:
    # It takes the folder for temporary files instead; ports are agreed on there, hence some that nobody else wants.
    small.environ |= {"TMPDIR": small.environ["XDG_RUNTIME_DIR"], "XDG_RUNTIME_DIR": "/tmp/" + "x" * 195}
    small.ask_for_ports()
    small.up("redis")
    assert small.services()["redis"]["state"] == "ready"
    small.devkit("down").expect(0)
    small.wait_until_gone()


@pytest.fixture
def read_only(small: Project) -> Iterator[Project]:
    small.root.chmod(0o555)
    yield small
    small.root.chmod(0o755)


# Permissions do not bind root, unless it gives up this power.
BOUND = [] if os.getuid() else ["setpriv", "--bounding-set=-dac_override"]


def test_a_read_only_project(read_only: Project) -> None:
    done = read_only.run(*BOUND, DEVKIT, "up", "-d", "worker").expect(1)
    assert f"cannot write to {read_only.root / '.devkit'}" in done.err
    assert "DEVKIT_DATA_DIR" in done.err
    assert "Traceback" not in done.err

    read_only.environ["DEVKIT_DATA_DIR"] = str(read_only.root.parent / "data")
    read_only.run(*BOUND, DEVKIT, "up", "-d", "worker", "-P", "solo").expect(0)
    assert read_only.run(*BOUND, DEVKIT, "run", "add", "--args", "[1, 2]").expect(0).out == "3\n"
    read_only.run(*BOUND, DEVKIT, "down").expect(0)


def test_a_full_disk_under_a_log_is_reported_once(small: Project) -> None:
    logs = small.root / ".devkit" / "logs"
    logs.mkdir(parents=True)
    (logs / "worker.log").symlink_to("/dev/full")
    up = small.start("up", "worker", "-P", "solo").wait_for_all_ready()
    for _ in range(2):
        assert small.devkit("run", "add", "--args", "[1, 2]").expect(0).out == "3\n"
    up.wait_for(r"^worker \| .*succeeded")
    up.press_ctrl_c()
    assert up.end() == 0
    assert up.err.count("worker.log cannot be written (No space left on device)") == 1


# Services that will not stop


def test_a_service_that_ignores_the_polite_signals_is_killed(small: Project) -> None:
    stubborn = "trap 'echo no' INT TERM; echo up; while :; do sleep 0.1; done"
    small.write({"pyproject.toml": f'[tool.devkit.services.stubborn]\ncommand = "{stubborn}"'})
    up = small.start("up", "stubborn").wait_for_all_ready()
    small.wait_for_log("stubborn", "up")
    up.press_ctrl_c()
    assert up.end() == 0
    up.wait_for("stubborn ignores SIGINT and SIGTERM: killed")
    assert small.processes() == {}
