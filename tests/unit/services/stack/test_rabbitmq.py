"""The embedded RabbitMQ's program, its surroundings, and the error where it is not installed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from devkit.errors import DevkitError
from devkit.services.ports import Port
from devkit.services.stack import rabbitmq
from devkit.services.stack.project import StackProject
from devkit.services.stack.rabbitmq import find_rabbitmq_server, rabbitmq_service
from devkit.settings.discover import AppRef
from devkit.settings.load import load
from devkit.settings.paths import Paths
from devkit.stack.service import Service

URL = "amqp://shop:p%40ss@127.0.0.1:7777/warehouse"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is called by the name rabbitmq-server, as Debian installs it: a wrapper, away from the program."""
    monkeypatch.setattr(rabbitmq, "FOLDERS", ())
    program = tmp_path / "lib" / "bin" / "rabbitmq-server"
    program.parent.mkdir(parents=True)
    for path in (program, program.with_name("rabbitmq-env"), program.with_name("script-wrapper")):
        path.touch(0o755)
    (tmp_path / "sbin").mkdir()
    (tmp_path / "sbin" / "rabbitmq-server").symlink_to("../lib/bin/script-wrapper")
    return program


def service(root: Path, path: str, **environ: str) -> Service:
    settings = replace(load(root, {}, {"PATH": path, **environ}), paths=Paths(root / ".devkit", root / "run"))
    project = StackProject(settings, "python", AppRef(root, "tasks", "app"), {}, {})
    return rabbitmq_service(project, "rabbitmq", URL, Port(7777, " (port 5672 is taken)"))


def test_the_program_behind_the_wrapper_is_run(program: Path, tmp_path: Path) -> None:
    assert find_rabbitmq_server(str(tmp_path / "sbin")) == str(program)
    assert find_rabbitmq_server(str(tmp_path / "lib" / "bin")) == str(program)


def test_a_wrapper_alone_is_not_it(program: Path, tmp_path: Path) -> None:
    program.with_name("rabbitmq-env").unlink()

    assert find_rabbitmq_server(str(tmp_path / "sbin")) is None


def test_a_folder_that_is_on_no_ones_path_is_looked_in(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbitmq, "FOLDERS", (str(program.parent),))

    assert find_rabbitmq_server("/nowhere") == str(program)


def test_where_it_is_not_installed_the_error_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbitmq, "FOLDERS", ())
    monkeypatch.setattr(rabbitmq, "INSTALL_LINES", {"sh": "the line to install it"})

    with pytest.raises(DevkitError) as caught:
        service(tmp_path, "/nowhere")

    assert caught.value.what.startswith("nothing answers at amqp://shop:***@127.0.0.1:7777/warehouse")
    assert caught.value.mend[0] == "the line to install it"


def test_it_has_the_user_and_the_virtual_host_of_the_url(program: Path, tmp_path: Path) -> None:
    made = service(tmp_path, str(program.parent))

    assert made.url == "amqp://shop:***@127.0.0.1:7777/warehouse"
    assert made.how == "embedded rabbitmq-server, data in .devkit/rabbitmq (port 5672 is taken)"
    file = tmp_path / ".devkit" / "rabbitmq" / "definitions.json"
    definitions = json.loads(file.read_text())
    assert file.stat().st_mode & 0o777 == 0o600
    assert (definitions["users"][0]["name"], definitions["users"][0]["password"]) == ("shop", "p@ss")
    assert definitions["vhosts"] == [{"name": "warehouse"}]
    assert definitions["permissions"][0].items() >= {"user": "shop", "vhost": "warehouse"}.items()


def test_nothing_that_is_set_for_another_one_reaches_it(program: Path, tmp_path: Path) -> None:
    made = service(tmp_path, str(program.parent), RABBITMQ_DEFAULT_USER="x", ERL_FLAGS="-y", NOTIFY_SOCKET="z", OWN="o")

    assert not {"RABBITMQ_DEFAULT_USER", "ERL_FLAGS", "NOTIFY_SOCKET"} & set(made.env)
    assert made.env["OWN"] == "o"


def test_a_folder_with_a_space_is_reached_without_one(program: Path, tmp_path: Path) -> None:
    root = tmp_path / "with a space"
    root.mkdir()
    settings = load(root, {}, {"PATH": str(program.parent)})
    settings = replace(settings, paths=Paths(root / ".devkit", tmp_path / "run"))
    project = StackProject(settings, "p", AppRef(root, "tasks", "app"), {}, {})
    for _ in range(2):  # the second start finds the way of the first
        made = rabbitmq_service(project, "rabbitmq", URL, Port(7777))

    folder = Path(made.env["RABBITMQ_MNESIA_DIR"]).parent
    assert " " not in str(folder)
    assert folder.resolve() == root / ".devkit" / "rabbitmq"
