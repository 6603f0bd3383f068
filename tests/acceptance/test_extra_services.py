"""Services that a project adds in pyproject.toml, and what strange output does to devkit: nothing."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.acceptance.harness import SMALL_APP, Foreground, Project, fetch, free_port, wait_until

# Each has another way to be ready; "report" shows in what surroundings it runs.
SERVICES = """
[tool.devkit.services.frontend]
command = ["PYTHON", "-m", "http.server", "--bind", "127.0.0.1", "FRONTEND_PORT"]
cwd = "web"
ready = "http://127.0.0.1:FRONTEND_PORT/index.html"
depends_on = ["redis"]

[tool.devkit.services.tunnel]
command = "exec PYTHON -m http.server --bind 127.0.0.1 TCP_PORT"
ready = "tcp://127.0.0.1:TCP_PORT"

[tool.devkit.services.slow]
command = "sleep 0.5; touch here; exec sleep 1000"
ready = "test -e here"

[tool.devkit.services.report]
command = "ls .. > before; pwd; env; echo complete; exec sleep 1000"
cwd = "web"
env = { NAME = "a value with spaces", NUMBER = 7, PATH = "/bin:/usr/bin" }
depends_on = ["frontend", "tunnel", "slow"]

[tool.devkit.services.left-out]
command = "echo not wanted"
"""


@pytest.fixture(scope="module")
def extras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A stack of extra services, started by naming the last one."""
    settings = SERVICES.replace("PYTHON", sys.executable)
    for port in ("FRONTEND_PORT", "TCP_PORT"):
        settings = settings.replace(port, str(free_port()))
    files = SMALL_APP | {"pyproject.toml": settings, "web/index.html": "hello\n"}
    with closing(Project(tmp_path_factory.mktemp("extras"), files)) as project:
        project.up("report")
        project.wait_for_log("report", "complete")
        yield project


def test_naming_one_starts_what_it_needs_and_no_more(extras: Project) -> None:
    services = extras.services()
    assert set(services) == {"redis", "frontend", "tunnel", "slow", "report"}
    assert {service["state"] for service in services.values()} == {"ready"}


def test_each_starts_after_what_it_depends_on_is_ready(extras: Project) -> None:
    assert "here\n" in (extras.root / "web" / "before").read_text()
    assert extras.services()["slow"]["ready_s"] > 0.5


def test_a_service_runs_in_its_folder_with_its_variables(extras: Project) -> None:
    shown = extras.log("report")
    assert f"{extras.root}/web\n" in shown
    assert "NAME=a value with spaces\n" in shown
    assert "NUMBER=7\n" in shown


def test_a_service_gets_the_brokers_address(extras: Project) -> None:
    assert f"CELERY_BROKER_URL={extras.url('redis')}/0\n" in extras.log("report")


def test_a_service_that_is_ready_by_url_shows_it(extras: Project) -> None:
    url = extras.url("frontend")
    assert url in extras.devkit("status").expect(0).out
    assert fetch("GET", url).text == "hello\n"


def test_restart_of_a_service_leaves_those_it_depends_on(extras: Project) -> None:
    before = extras.pids()
    extras.devkit("restart", "report").expect(0)
    after = extras.pids()
    assert {name for name in before if before[name] != after[name]} == {"report"}


MIGRATE = """
[tool.devkit.services.migrate]
command = "sleep 0.2; echo done > migrated"
ready = "exit"
depends_on = ["redis"]

[tool.devkit.services.site]
command = "cat migrated; exec sleep 1000"
depends_on = ["migrate"]
"""


def test_a_service_that_has_to_finish_is_ready_when_it_has(small: Project) -> None:
    small.write({"pyproject.toml": MIGRATE})
    up = small.start("up", "site").wait_for_all_ready()
    migrate = small.services()["migrate"]
    assert (migrate["state"], migrate["pid"], migrate["note"]) == ("ready", None, "finished")
    small.wait_for_log("site", "done")

    up.press_ctrl_c()

    assert up.end() == 0


def test_a_service_that_has_to_finish_and_fails_ends_the_start(small: Project) -> None:
    small.write({"pyproject.toml": MIGRATE.replace("echo done > migrated", "echo no such table; exit 4")})
    done = small.devkit("up", "-d", "site").expect(1)
    assert "migrate ended with exit code 4" in done.err
    assert "no such table" in done.err
    assert small.processes() == {}


def test_what_a_service_prints_first_is_shown(small: Project) -> None:
    """It has no `ready`, so that nothing of what it prints is chatter of a start."""
    small.write({"pyproject.toml": "[tool.devkit.services.hello]\ncommand = 'echo hello; exec sleep 1000'"})
    up = small.start("up", "hello").wait_for_all_ready()
    small.wait_for_log("hello", "hello")
    up.wait_for(r"^hello +\| hello", timeout=5.0)


@pytest.mark.parametrize("killed", [False, True], ids=["down", "devkit killed"])
def test_a_daemon_that_left_its_session_ends_with_the_stack(small: Project, killed: bool) -> None:
    """The command starts a process in a session of its own and goes on, as servers that daemonize do."""
    daemon = "setsid sh -c 'trap : INT TERM HUP; echo $$ > daemon; while :; do sleep 0.1; done' & exec sleep 1000"
    small.write({"pyproject.toml": f'[tool.devkit.services.shop]\ncommand = "{daemon}"\nready = "test -s daemon"'})
    small.up("shop")
    assert int((small.root / "daemon").read_text()) in small.processes()
    if killed:
        os.kill(small.status()["pid"], signal.SIGKILL)
    else:
        small.devkit("down").expect(0)
    small.wait_until_gone()


LOUD = f"""
[tool.devkit.services.loud]
command = ["{sys.executable}", "loud.py"]
ready = "test -e printing"
"""
# What it prints before it is ready, only its log shows; Ctrl-C is to end it without a traceback.
BEGIN = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
open("printing", "w").close()
while not os.path.exists("go"): time.sleep(0.01)
"""
END = """
sys.stdout.flush()
open("printed", "w").close()
time.sleep(1000)
"""


def printing(program: str) -> dict[str, str]:
    """A service that prints once it is let, notes that it has, and goes on running."""
    return {"pyproject.toml": LOUD, "loud.py": BEGIN + program + END}


def let_print(project: Project) -> None:
    project.write({"go": ""})
    wait_until((project.root / "printed").exists)


ODD_BYTES = b"""
sys.stdout.buffer.write(
    b"invalid \\xff\\xfe UTF-8\\n"
    b"a nul \\0 here\\n"
    b"clear \\x1b[2J\\x1b[H screen, title \\x1b]0;mine\\x07, colour \\x1b[31mred\\n"
    b"bells \\x07\\x07 backspaces \\b\\b\\n"
    b"10%\\r50%\\r100%\\n"
    b"\\n"
    b"half a character: \\xc3"
)
sys.stdout.flush()
time.sleep(0.1)
sys.stdout.buffer.write(b"\\xa9\\nno newline at the end")
""".decode("ascii")


def test_odd_bytes_on_a_terminal_do_no_harm(small: Project) -> None:
    small.write(printing(ODD_BYTES))
    up = small.start("up", "loud", terminal=True).wait_for_all_ready()
    let_print(small)
    up.wait_for("half a character: é")
    for moving in ("\x1b[2J", "\x1b[H", "\x1b]0;", "\x07", "\b", "\0"):
        assert moving not in up.out
    up.wait_for(r"clear  screen, title , colour \x1b\[31mred\x1b\[0m")
    up.wait_for(r"loud +\| \x1b\[0m100%")
    up.press_ctrl_c()
    assert up.end() == 0
    assert "no newline at the end" in up.out


def test_odd_bytes_are_kept_as_they_came_and_shown_as_json(small: Project) -> None:
    small.write(printing(ODD_BYTES))
    small.up("loud")
    let_print(small)
    small.devkit("down").expect(0)
    kept = (small.root / ".devkit" / "logs" / "loud.log").read_bytes()
    for odd in (b"invalid \xff\xfe UTF-8\n", b"a nul \0 here\n", b"\x1b[2J\x1b[H", b"half a character: \xc3\xa9\n"):
        assert odd in kept
    lines = [line["line"] for line in small.devkit("logs", "loud", "--json").expect(0).json()]
    assert "invalid \ufffd\ufffd UTF-8" in lines
    assert "half a character: é" in lines


def test_logs_show_last_words_without_a_newline(small: Project) -> None:
    small.write(printing("print('first'); print('last words', end='', flush=True)"))
    small.up("loud")
    let_print(small)
    small.devkit("down").expect(0)
    assert small.devkit("logs", "loud").expect(0).out.splitlines() == ["loud | first", "loud | last words"]


def test_a_line_of_five_megabytes_without_an_end(small: Project) -> None:
    small.write(printing("sys.stdout.write('x' * 5_000_000)"))
    up = small.start("up", "loud").wait_for_all_ready()
    let_print(small)
    wait_until(lambda: small.log("loud").count("x") == 5_000_000)
    up.press_ctrl_c()
    assert up.end() == 0
    assert up.out.count("x") == 5_000_000


def numbers_in(up: Foreground) -> list[int]:
    return list(map(int, re.findall(r"^loud +\| (\d+)$", up.out, re.MULTILINE)))


MILLION = 1_000_000
NUMBERS = f"for number in range({MILLION}): sys.stdout.write(f'{{number}}\\n')"


def test_a_million_lines_are_kept_all_and_in_order(small: Project) -> None:
    small.write(printing(NUMBERS))
    small.up("loud")
    let_print(small)
    small.devkit("down").expect(0)
    logs = small.root / ".devkit" / "logs"
    files = sorted(logs.glob("loud.log*"), key=lambda path: path.suffix != ".log" and -int(path.suffix[1:]))
    numbers = [int(line.split()[1]) for file in files for line in file.read_bytes().splitlines()]
    assert numbers == list(range(MILLION))


def test_a_million_lines_are_shown_all_and_in_order(small: Project) -> None:
    small.write(printing(NUMBERS))
    up = small.start("up", "loud").wait_for_all_ready()
    let_print(small)
    wait_until(lambda: up.ends_with(f"| {MILLION - 1}\n"))
    assert numbers_in(up) == list(range(MILLION))


def test_both_streams_of_a_service_keep_their_order(small: Project) -> None:
    both = "for n in range(1000): print(n, file=(sys.stdout, sys.stderr)[n % 2], flush=True)"
    small.write(printing(both))
    up = small.start("up", "loud").wait_for_all_ready()
    let_print(small)
    up.wait_for(r"^loud +\| 999$")
    assert numbers_in(up) == list(range(1000))


def test_a_reader_that_has_seen_enough_ends_the_stack(small: Project) -> None:
    small.write(printing("while True: print('more', flush=True); time.sleep(0.01)"))
    small.write({"go": ""})
    done = small.run("sh", "-c", "devkit up loud | head -20", env={"PATH": f"{sys.prefix}/bin:{small.environ['PATH']}"})
    assert len(done.out.splitlines()) == 20
    assert small.processes() == {}
