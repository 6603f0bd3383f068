"""Flower, which nobody needs: where it does not start, all others do."""

from pathlib import Path

import pytest

from tests.acceptance.harness import Project, fetch

TOO_OLD = {"tornado.py": "raise ImportError(\"cannot import name 'contextfunction' from 'jinja2'\")\n"}


def breaks(project: Project) -> None:
    """A package of Flower's that does not go with it."""
    project.write(TOO_OLD)


def test_the_stack_is_up_without_it(small: Project) -> None:
    breaks(small)
    done = small.up("-P", "solo")

    assert "all is ready but flower" in done.err
    row = next(line for line in done.out.splitlines() if line.startswith(" flower "))
    assert "failed" in row
    assert "ImportError: cannot import name 'contextfunction'" in row
    assert "devkit logs flower" in done.err
    assert {name: one["state"] for name, one in small.services().items()} == {
        "redis": "ready", "worker": "ready", "flower": "failed",
    }  # fmt: skip
    assert small.devkit("run", "add", "--args", "[1, 2]").expect(0).out == "3\n"


def test_in_the_foreground_too(small: Project) -> None:
    breaks(small)
    up = small.start("up", "-P", "solo").wait_for_all_ready()
    assert "ImportError" in up.err
    up.press_ctrl_c()
    assert up.end() == 0


def test_who_asks_for_it_by_name_is_told(small: Project) -> None:
    breaks(small)
    assert "ImportError" in small.devkit("up", "-d", "flower").expect(1).err


def test_started_anew_once_it_is_mended(small: Project) -> None:
    breaks(small)
    small.up("-P", "solo")
    (small.root / "tornado.py").unlink()
    small.devkit("restart", "flower").expect(0)
    assert fetch("GET", small.url("flower") + "/healthcheck").text == "OK"


@pytest.mark.parametrize("broker", ["filesystem://", "redis"])
def test_settings_for_its_server_do_not_take_it_elsewhere(small: Project, tmp_path: Path, broker: str) -> None:
    """Nor does a broker that it cannot manage."""
    if broker != "redis":
        folder = tmp_path / "queue"
        folder.mkdir()
        options = {"data_folder_in": f"{folder}", "data_folder_out": f"{folder}", "control_folder": f"{folder}/control"}
        tasks = (small.root / "tasks.py").read_text()
        small.write({"tasks.py": f"{tasks}\napp.conf.broker_transport_options = {options!r}\n"})
        small.environ |= {"CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": f"file://{folder}"}
    small.environ |= {
        "FLOWER_UNIX_SOCKET": str(tmp_path / "socket"), "FLOWER_CERTFILE": "/no/such", "FLOWER_KEYFILE": "/no/such",
    }  # fmt: skip
    small.up("-P", "solo")
    assert small.services()["flower"]["state"] == "ready"
    assert small.devkit("run", "add", "--args", "[1, 2]").expect(0).out == "3\n"
